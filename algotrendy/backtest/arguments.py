"""What the first two arguments of `backtest` and `optimize` are, and what to say when they are something else."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy, PythonStrategy, Signals, Strategy, StrategyTemplate

if TYPE_CHECKING:
    import pandas as pd

AnyStrategy: TypeAlias = Strategy | PythonStrategy | BarStrategy
"""A strategy of any form, with all its values."""

Runnable: TypeAlias = Strategy | PythonStrategy | Signals
"""What can say at all bars at once which position it wants."""

_CALLS = "at.backtest(strategy, bars) or at.backtest(bars, entries=..., exits=...)"


def strategy_and_bars(
    first: Any, second: Any, signals: Signals, params: Mapping[str, Any] | None
) -> tuple[AnyStrategy | Signals, pd.DataFrame]:
    """Return what decides, and the bars.

    Parameters
    ----------
    first, second : object
        A strategy and bars, or bars and None.
    signals : Signals
        What was given as keywords: signals, and levels that replace those of a strategy.
    params : mapping, optional
        Values of the parameters.

    Raises
    ------
    InputError
        If the arguments are swapped, one is missing, or the strategy is not one; the message shows the right call.
    """
    given = [
        name for name in ("entries", "exits", "short_entries", "short_exits") if getattr(signals, name) is not None
    ]
    if (_is_frame(first) or are_several(first)) and not (_is_frame(second) or are_several(second)):
        if second is not None:
            raise InputError(f"bars come second and the strategy first; use {_CALLS}")
        if not given:
            several = f"{_CALLS}, {WEIGHTS} or {ORDERS}" if are_several(first) else _CALLS
            raise InputError(f"there are bars but no strategy and no signals; use {several}")
        if params:
            raise InputError("params belong to a strategy; signals have none, so leave params out")
        return signals, first
    if given:
        raise InputError(f"{given[0]} is given beside a strategy; use {_CALLS}")
    if second is None:
        raise InputError(f"there are no bars; use {_CALLS}, with bars = at.sample('NASDAQ') for a start")
    levels = {name: getattr(signals, name) for name in ("stop", "target", "trail", "size")}
    chosen = {name: value for name, value in levels.items() if value is not None}
    if signals.columns:
        if isinstance(first, Strategy | StrategyTemplate | PythonStrategy | BarStrategy) or not callable(first):
            raise InputError(f"columns belong to the strategy: {type(first).__name__}(..., columns=[...])")
        chosen["columns"] = signals.columns
    return as_strategy(first, params, chosen), second


SEVERAL = "at.backtest(strategy, {symbol: bars, ...})"
WEIGHTS = "at.backtest(bars, weights=frame)"
ORDERS = "at.backtest(bars, orders=frame)"


def are_several(bars: Any) -> bool:
    """Tell whether bars are of several instruments: a panel, a mapping, a long or a wide frame.

    Examples
    --------
    >>> are_several({"A": None}), are_several(None)
    (True, False)
    """
    if isinstance(bars, Mapping):
        return True
    if not _is_frame(bars):
        return hasattr(bars, "instruments") and hasattr(bars, "valid")
    if getattr(bars.columns, "nlevels", 1) > 1:
        return True
    return "symbol" in bars.columns and hasattr(bars, "iloc") and bars["symbol"].nunique() > 1


STRATEGIES = 'at.backtest({"trend": (strategy, 0.6), "mean": (other, 0.4)}, bars)'
ALLOCATION_SLACK = 1e-9


def are_strategies(given: Any) -> bool:
    """Tell whether something is a mapping from names to strategies, or to pairs of a strategy and its share.

    Examples
    --------
    >>> cross = Strategy(entry="close > sma(close, 20)")
    >>> are_strategies({"a": (cross, 0.5), "b": (cross, 0.5)}), are_strategies({"A": None}), are_strategies(cross)
    (True, False, False)
    """
    if not isinstance(given, Mapping) or not given:
        return False
    found = [value[0] if isinstance(value, tuple) and len(value) == 2 else value for value in given.values()]
    kinds = Strategy | StrategyTemplate | PythonStrategy | BarStrategy | Signals
    return all(isinstance(each, kinds) or (callable(each) and not _is_frame(each)) for each in found)


def strategies_of(given: Mapping[Any, Any]) -> dict[str, tuple[AnyStrategy | Signals, float]]:
    """Return strategies with their shares of the capital; where none has one, all have the same.

    Raises
    ------
    InputError
        If only some have a share, one is not above zero, they sum to more than 1, or a name is no text or "cash".
    """
    pairs = {name: value if isinstance(value, tuple) else (value, None) for name, value in given.items()}
    with_share = [name for name, (_, share) in pairs.items() if share is not None]
    if with_share and len(with_share) < len(pairs):
        without = next(name for name in pairs if name not in with_share)
        raise InputError(f"{without!r} has no share and {with_share[0]!r} has one; use {STRATEGIES}")
    found: dict[str, tuple[AnyStrategy | Signals, float]] = {}
    for name, (strategy, given_share) in pairs.items():
        if not isinstance(name, str) or name in ("", "cash"):
            raise InputError(
                f"a strategy is called {name!r}; use a text, and not 'cash', which is what no strategy has"
            )
        share = 1.0 / len(pairs) if given_share is None else given_share
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 < share < float("inf"):
            raise InputError(f"the share of {name!r} is {share!r}; a fraction of the capital above zero, such as 0.4")
        found[name] = (strategy if isinstance(strategy, Signals) else as_strategy(strategy), float(share))
    total = sum(share for _, share in found.values())
    if total > 1.0 + ALLOCATION_SLACK:
        hint = "; are they percentages? 60 % is 0.6" if total > len(found) else ""
        raise InputError(f"the shares of the strategies sum to {total:g}; at most 1 can be given away{hint}")
    return found


def route_of(first: Any, second: Any, given: Mapping[str, Any]) -> str:
    """Return which engine runs a call: "one", "signals", "several", "stateful", "weights" or "orders".

    Parameters
    ----------
    first, second : object
        The first two arguments of `backtest`.
    given : mapping of str to object
        Its options that only some routes know.

    Raises
    ------
    InputError
        If options of two routes are mixed, or an option belongs to another route; the message shows the right call.
    """
    chosen = [name for name in ("weights", "orders") if given.get(name) is not None]
    signals = [name for name in _SIGNALS if given.get(name) is not None]
    if are_strategies(first):
        for name in (*chosen, *signals, *(["params"] if given.get("params") else [])):
            raise InputError(f"{name} is given beside several strategies; give it to one of them, in {STRATEGIES}")
        if second is None:
            raise InputError(f"there are strategies but no bars; use {STRATEGIES}")
        chosen = ["several"]
    if len(chosen) == 2:
        raise InputError(f"there are weights and orders; use {WEIGHTS} or {ORDERS}")
    if chosen and signals:
        raise InputError(f"there are {chosen[0]} and {signals[0]}; use {WEIGHTS}, {ORDERS}, or {_CALLS}")
    if chosen and chosen != ["several"] and second is not None:
        form = WEIGHTS if chosen == ["weights"] else ORDERS
        raise InputError(f"{chosen[0]} stand in the place of a strategy, so bars come first; use {form}")
    several = are_several(second) or are_several(first)
    extras = [name for name in EXTRAS if _is_given(given.get(name))]
    form = "stateful" if isinstance(first, BarStrategy) else "signals"
    route = chosen[0] if chosen else form if several or extras else "one"
    is_alone = not several and not chosen  # one instrument, whose extras need no symbol
    for name, value in given.items():
        asked = "one" if is_alone and name not in EXTRAS else route
        if name in _ONLY_FOR and asked not in _ONLY_FOR[name] and _is_given(value):
            forms = {"signals": SEVERAL, "several": STRATEGIES, "weights": WEIGHTS, "orders": ORDERS}
            forms["stateful"] = _STATEFUL
            calls = " or ".join(f"{forms[each]}" for each in _ONLY_FOR[name])
            raise InputError(f"{name} belongs to {calls}; leave it out here")
    if given.get("chart") is not None and is_alone and extras:
        raise InputError(f"there are a chart and {extras[0]}; an account with extras reads conditions on bars alone")
    if given.get("chart") is not None and route != "one":
        raise InputError("chart is for one instrument; make the rows of each, and give their signals as frames")
    return route


_SIGNALS = ("entries", "exits", "short_entries", "short_exits", "stop", "target", "trail", "size", "columns")
_STATEFUL = "at.backtest(stateful strategy, {symbol: bars, ...})"
EXTRAS = ("actions", "margin", "financing", "participation", "tick_size", "fine_bars")
"""Options that an account may have besides prices and costs; without a symbol where there is one instrument."""
_ACCOUNTS = ("signals", "several", "weights", "orders", "stateful")
_ONLY_FOR = {
    "max_positions": ("signals", "several"),
    "rank": ("signals", "several"),
    "members": ("signals", "several", "weights"),
    "rebalance": ("weights", "several"),
    "tolerance": ("weights",),
    "delisting_return": ("signals", "several", "weights", "orders", "stateful"),
    "actions": _ACCOUNTS,
    "margin": _ACCOUNTS,
    "financing": _ACCOUNTS,
    "participation": _ACCOUNTS,
    "tick_size": ("signals", "several", "orders", "stateful"),
    "fine_bars": ("signals", "several", "orders", "stateful"),
}


def _is_given(value: Any) -> bool:
    """Tell whether an option was given: it is neither None nor zero."""
    return value is not None and not (isinstance(value, int | float) and value == 0)


def as_strategy(
    given: Any, params: Mapping[str, Any] | None = None, levels: Mapping[str, Any] | None = None
) -> AnyStrategy:
    """Return the strategy that `given` is or makes, with values filled in.

    Parameters
    ----------
    given : Strategy, StrategyTemplate, PythonStrategy, BarStrategy or callable
        A callable is a function `(bars, params) -> signals`.
    params : mapping, optional
        Values of its parameters.
    levels : mapping, optional
        Stop, target, trail and size that replace its own; of a function also the `columns` that they use.

    Raises
    ------
    InputError
        If it is none of these, or a value is not allowed.

    Examples
    --------
    >>> as_strategy("sma_cross")
    Traceback (most recent call last):
        ...
    algotrendy.errors.InputError: the strategy is the text 'sma_cross'; use at.strategies.sma_cross()
    """
    values, chosen = dict(params or {}), dict(levels or {})
    if isinstance(given, StrategyTemplate):
        return given.to_strategy(**values).with_params(**chosen)
    if isinstance(given, Strategy | PythonStrategy):
        for name in chosen:
            if name in values:
                raise InputError(f"{name} is given twice, in params and as {name}=; give it once")
        return given.with_params(**values, **chosen) if values or chosen else given
    if isinstance(given, BarStrategy):
        for name in chosen:
            raise InputError(
                f"{name}= belongs to strategies of texts or signals; {type(given).__name__} places its own orders: make"
                " it a parameter of the class, or give stop_price= and target_price= where it buys"
            )
        return given.with_params(**values) if values else given
    if isinstance(given, str):
        raise InputError(f"the strategy is the text {given!r}; {_text_remedy(given)}")
    if _is_frame(given):
        raise InputError(f"the strategy is a frame; use {_CALLS}")
    if inspect.isclass(given):
        raise InputError(f"the strategy is the class {given.__name__}; make one: {given.__name__}(...)")
    if not callable(given):
        raise InputError(
            f"the strategy is a {type(given).__name__}; give an at.Strategy, a function (bars, params) -> signals, or "
            "arrays: at.backtest(bars, entries=..., exits=...)"
        )
    _refuse_uncalled(given)
    return PythonStrategy(given, values, **chosen)


def _text_remedy(text: str) -> str:
    from algotrendy.strategy.library import LIBRARY

    near = difflib.get_close_matches(text, LIBRARY, n=1, cutoff=0.7)
    return f"use at.strategies.{near[0]}()" if near else f"use at.Strategy(entry={text!r}, exit=...)"


def _refuse_uncalled(function: Callable[..., Any]) -> None:
    from algotrendy.strategy.library import LIBRARY

    for name, make in LIBRARY.items():
        if function is make:
            raise InputError(f"at.strategies.{name} makes a strategy when it is called; use at.strategies.{name}()")


def _is_frame(value: Any) -> bool:
    """Tell whether something is meant as bars: a frame of pandas, or of another library."""
    return hasattr(value, "columns") and not callable(getattr(value, "with_params", None))
