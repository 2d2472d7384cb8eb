"""A backtest run again from its result: on other bars, with other options, or to see that it comes out the same."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.curves import fees_of
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.arguments import AnyStrategy
    from algotrendy.backtest.result import BacktestResult
    from algotrendy.strategy import Signals

__all__ = ["can_repeat", "options_of", "repeat", "strategy_of"]

_LOTS = "whole lots of "


def repeat(
    result: BacktestResult,
    *,
    bars: pd.DataFrame | None = None,
    strategy: AnyStrategy | Signals | Callable[..., Any] | None = None,
    chart: Any = None,
    **changes: Any,
) -> BacktestResult:
    """Run a backtest again, with something changed or nothing.

    Parameters
    ----------
    result : BacktestResult
    bars : DataFrame, optional
        In place of its own.
    strategy : Strategy, PythonStrategy, BarStrategy, Signals or callable, optional
        A result holds a strategy made of texts, but no Python function, no class and no signals: hand those in again.
    chart : Chart, str, mapping or DataFrame, optional
        Needed again where the conditions were read on a chart.
    **changes
        Options of `backtest` that replace those of the result.

    Raises
    ------
    InputError
        If it cannot be run again from what the result holds; the message says what to hand in.

    Examples
    --------
    >>> import algotrendy as at
    >>> result = at.backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=300, seed=1))
    >>> repeat(result).metrics["final_equity"] == result.metrics["final_equity"]
    True
    >>> repeat(result, commission=0.01).metrics["final_equity"] < result.metrics["final_equity"]
    True
    """
    from algotrendy.backtest.run import backtest
    from algotrendy.strategy import Signals

    drawn_on = result.assumptions.get("chart")
    if drawn_on is not None and chart is None:
        raise InputError(f"the conditions were read on the chart {drawn_on}; hand it in again as chart=")
    chosen = result.bars if bars is None else bars
    options = options_of(result.assumptions, chosen) | changes
    run: Any = backtest
    if isinstance(strategy, Signals):
        again: BacktestResult = run(chosen, chart=chart, **vars(strategy), **options)
    else:
        again = run(strategy_of(result.strategy, strategy), chosen, chart=chart, **options)
    return again


def can_repeat(result: BacktestResult, strategy: Any = None) -> bool:
    """Tell whether `repeat` has all it needs.

    Examples
    --------
    >>> import algotrendy as at
    >>> can_repeat(at.backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=300, seed=1)))
    True
    """
    return "chart" not in result.assumptions and (strategy is not None or "schema" in result.strategy)


def strategy_of(described: Mapping[str, Any], strategy: AnyStrategy | Callable[..., Any] | None = None) -> AnyStrategy:
    """Return the strategy that a result describes.

    Parameters
    ----------
    described : mapping
        `result.strategy`.
    strategy : Strategy, PythonStrategy, BarStrategy or callable, optional
        In its place; a plain function is given the parameters and levels that are described, a class of stateful
        strategies its parameters.

    Raises
    ------
    InputError
        If the description does not bring it back, and none is handed in.

    Examples
    --------
    >>> import algotrendy as at
    >>> strategy_of(at.strategies.sma_cross(5, 20).to_dict()) == at.strategies.sma_cross(5, 20)
    True
    """
    from algotrendy.backtest.arguments import as_strategy
    from algotrendy.strategy import BarStrategy, PythonStrategy, Strategy
    from algotrendy.strategy.levels import level_from_json
    from algotrendy.strategy.parameter import LEVELS

    if strategy is None:
        if "schema" not in described:
            what = described.get("function", "signals that were handed in as arrays")
            raise InputError(f"this was decided by {what}, which is not stored; hand it in again as strategy=")
        return Strategy.from_json(json.dumps(dict(described)))
    if inspect.isclass(strategy) and issubclass(strategy, BarStrategy):
        return strategy(**described.get("params") or {})
    if not callable(strategy) or isinstance(strategy, Strategy | PythonStrategy):
        return as_strategy(strategy)
    levels = {name: level_from_json(described.get(name)) for name in LEVELS}
    names = {name: described.get(name) for name in ("name", "description")}
    further = described.get("columns") or ()
    return PythonStrategy(strategy, described.get("params") or {}, columns=further, **levels, **names)


def options_of(assumptions: Mapping[str, Any], bars: pd.DataFrame) -> dict[str, Any]:
    """Return the options of `backtest` that lead to some assumptions.

    Calendar and interval are named only where they are not those that the bars would be read as.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = at.synthetic(n=30, seed=1)
    >>> result = at.backtest(at.strategies.buy_and_hold(), bars, units="whole", lot_size=5, commission=0.001)
    >>> options = options_of(result.assumptions, bars)
    >>> options["units"], options["lot_size"], options["commission"], "calendar" in options
    ('whole', 5.0, Fees(rate=0.001, per_unit=0.0, fixed=0.0, minimum=0.0), False)
    """
    from algotrendy.domain.calendar import ALWAYS_OPEN, SESSIONS, SUNDAY_OPEN, infer_calendar
    from algotrendy.domain.interval import infer_interval

    keys = ("fill", "cash", "slippage", "borrow", "max_leverage", "periods_per_year", "risk_free_rate")
    options: dict[str, Any] = {key: assumptions[key] for key in keys}
    options["commission"] = Fees(**fees_of(assumptions["commission"]))
    units = str(assumptions["units"])
    options["units"] = "whole" if units.startswith(_LOTS) else units
    if units.startswith(_LOTS):
        options["lot_size"] = float(units.removeprefix(_LOTS))
    index: Any = bars.index
    plain = {calendar.name: calendar for calendar in (ALWAYS_OPEN, SUNDAY_OPEN, SESSIONS)}
    name, interval = str(assumptions["calendar"]), str(assumptions["interval"])
    if infer_calendar(index).name != name:
        options["calendar"] = plain.get(name, name)
    if str(infer_interval(index)) != interval:
        options["interval"] = interval
    return options
