"""The passport of a result on several instruments: what differs from that of one.

The section `call` holds what `backtest` was called with but for bars and code: options, target weights, explicit
orders, signals, memberships, splits and dividends. So a run comes back with the bars, and the code where a function
or a class decided. Every instrument has its own hash in the section `data`, and all together have one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.arguments import are_strategies, strategies_of
from algotrendy.backtest.passport import (
    PORTFOLIO_SCHEMA,
    array_hash,
    checkpoints,
    columns_hash,
    source_hash,
    told_sections,
    write_sections,
)
from algotrendy.backtest.plain import to_plain
from algotrendy.backtest.portfolio.again import arguments_of_whole, frames_of, panel_of, strategy_in
from algotrendy.backtest.portfolio.market import as_panel
from algotrendy.backtest.portfolio.plain_call import argument_to_plain
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.storage import bars_hash
from algotrendy.backtest.storage_json import array_to_plain
from algotrendy.domain.panel import Panel
from algotrendy.domain.provenance import provenance
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy, PythonStrategy, Signals

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["data_of", "portfolio_results_of", "source_hashes", "write_portfolio_passport"]

ORDERS_KEPT = 10_000
"""So many fills are kept in full beside the hash of all, to say which is the first that differs."""
_TABLES = ("order_columns", "trade_columns", "dividend_columns", "unfilled_columns")
_CURVES = ("equity_values", "cash_values", "gross_values", "growth_values", "transfer_values", "reserve_values")
_BY_INSTRUMENT = ("multipliers", "borrow_values")
_INTO_STRATEGY = ("params", "stop", "target", "trail", "size", "columns")
"""Arguments that a strategy has taken in."""


def write_portfolio_passport(
    result: PortfolioResult,
    path: str | Path,
    *,
    trials: Any = None,
    lookahead: Any = None,
    fill_interval: Any = None,
    **given: Any,
) -> Path:
    """Write the passport of a result, whole or not at all; `PortfolioResult.passport` calls it.

    Raises
    ------
    InputError
        If nobody knows what the result was made of, the bars are not those that it ran on, or something is not plain.
    """
    arguments = arguments_of_whole(result, given)
    panel = panel_of(arguments)
    _check_bars(result, panel)
    decides = _decides(arguments)
    hashes = source_hashes(decides)
    sections = {
        "schema": PORTFOLIO_SCHEMA,
        "versions": dict(result.versions),
        "data": data_of(_bars_in(arguments), arguments["fine_bars"]),
        "definition": to_plain(result.strategy) | ({"source_hash": hashes} if hashes else {}),
        "params": to_plain(result.params),
        "assumptions": to_plain(result.assumptions),
        "call": _call(arguments, decides),
        "results": portfolio_results_of(result),
        "warnings": list(result.warnings),
        **told_sections(trials=trials, lookahead=lookahead, fill_interval=fill_interval),
    }
    return write_sections(path, sections)


def portfolio_results_of(result: PortfolioResult) -> dict[str, Any]:
    """Return what came out of a run in plain values; of several strategies also what came out of each.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = {"A": at.synthetic(n=30, seed=1), "B": at.synthetic(n=30, seed=2)}
    >>> found = portfolio_results_of(at.backtest(bars, weights={"A": 0.5, "B": 0.25}))
    >>> found["n_orders"], found["orders"]["instrument"]["values"], sorted(found["hashes"])[:2]
    (2, [0, 1], ['borrow_values', 'cash_values'])
    """
    orders = result.order_columns
    return {
        "orders": {name: array_to_plain(values[:ORDERS_KEPT]) for name, values in orders.items()},
        **_outcome(result),
        "sleeves": {name: _outcome(each) for name, each in result.sleeves.items()},
    }


def _outcome(result: PortfolioResult) -> dict[str, Any]:
    requests = result.requests
    return {
        "metrics": to_plain(dict(result.metrics)),
        "params": to_plain(result.params),
        "n_orders": len(result.order_columns["units"]),
        "equity_at": checkpoints(result.equity_values),
        "ruined_at": to_plain(result.ruined_at),
        "requests": None
        if requests is None
        else {str(n): argument_to_plain(each.tolist()) for n, each in requests.items()},
        "hashes": dict(_hashes(result)),
    }


def _hashes(result: PortfolioResult) -> Iterator[tuple[str, str | None]]:
    for name in _TABLES:
        columns = getattr(result, name)
        yield name, None if columns is None else columns_hash(columns)
    for name in (*_CURVES, *_BY_INSTRUMENT, "last_prices"):
        values = getattr(result, name)
        yield name, None if values is None else array_hash(values)


# --- what decided, and how it was called ---


def source_hashes(decides: Any) -> dict[str, str | None]:
    """Return the hash of the source of each Python function or stateful class that decides; "" names the only one."""
    named = decides if isinstance(decides, dict) else {"": decides}
    found = {}
    for name, one in named.items():
        code = one[0] if isinstance(one, tuple) else one
        if isinstance(code, PythonStrategy):
            found[name] = source_hash(code.function)
        elif isinstance(code, BarStrategy):
            found[name] = source_hash(type(code))
    return found


def _decides(arguments: Mapping[str, Any]) -> Any:
    """Return the strategy with all its values, or several with their shares by name; None where something else does."""
    if are_strategies(arguments["strategy"]):
        return strategies_of(arguments["strategy"])
    strategy = strategy_in(arguments)
    return None if isinstance(strategy, Signals) else strategy


def _call(arguments: Mapping[str, Any], decides: Any) -> dict[str, Any]:
    """Return the arguments that are not as they are by default, but for bars."""
    import inspect

    from algotrendy.backtest.run import backtest

    dropped = ("strategy", "bars", "fine_bars", *(_INTO_STRATEGY if decides is not None else ()))
    usual = {name: each.default for name, each in inspect.signature(backtest).parameters.items()}
    if isinstance(decides, dict):  # as a list: their order counts, and that of keys is lost in the file
        decides = [(name, *pair) for name, pair in decides.items()]
    call = {"strategy": decides} if decides is not None else {}
    call |= {name: value for name, value in arguments.items() if name not in dropped and value is not usual[name]}
    found: dict[str, Any] = {}
    for name, value in call.items():
        try:
            found[name] = argument_to_plain(value)
        except InputError as error:
            raise InputError(f"{name}= holds what a passport cannot: {error}") from error
    return found


# --- the bars ---


def data_of(bars: Any, fine_bars: Mapping[str, pd.DataFrame] | None = None) -> dict[str, Any]:
    """Return the section `data`: of each instrument its hash, size and source, and a hash over all.

    Parameters
    ----------
    bars : DataFrame, mapping or Panel
        As `backtest` takes them.
    fine_bars : mapping of str to DataFrame, optional
        Finer bars by symbol.

    Examples
    --------
    >>> import algotrendy as at
    >>> found = data_of({"A": at.synthetic(n=30, seed=1), "B": at.synthetic(n=20, seed=2)})
    >>> [(each["symbol"], each["rows"]) for each in found["instruments"]]
    [('A', 30), ('B', 20)]
    """
    panel = as_panel(bars)
    own = _frames_given(bars)
    instruments = []
    for j, (name, frame) in enumerate(frames_of(panel).items()):
        facts = _facts(frame, own.get(name, frame))
        of_kind = None if isinstance(name, str) else argument_to_plain(name)
        facts |= {"symbol": panel.symbols[j], "instrument": of_kind, "calendar": panel.calendars[j].name}
        instruments.append(facts)
    finer = {str(symbol): _facts(frame, frame) for symbol, frame in (fine_bars or {}).items()}
    digest = hashlib.sha256()
    for each in instruments:
        digest.update(f"|{each['symbol']}|{each['instrument']}|{each['calendar']}|{each['hash']}".encode())
    for symbol, each in finer.items():
        digest.update(f"|fine|{symbol}|{each['hash']}".encode())
    return {"hash": digest.hexdigest(), "instruments": instruments, "fine_bars": finer}


def _facts(frame: pd.DataFrame, given: pd.DataFrame) -> dict[str, Any]:
    """Return facts of the bars of one instrument; `given` is the frame as it came, which knows its source."""
    return {
        "hash": bars_hash(frame),
        "rows": len(frame),
        "first": to_plain(frame.index[0]),
        "last": to_plain(frame.index[-1]),
        "columns": [str(name) for name in given.columns],
        "provenance": to_plain(provenance(given)),
    }


def _frames_given(bars: Any) -> dict[Any, pd.DataFrame]:
    """Return frames by name where bars are given as such: they carry their provenance."""
    if isinstance(bars, Mapping):
        return dict(bars)
    if isinstance(bars, Panel) or getattr(bars.columns, "nlevels", 1) > 1 or "symbol" in bars.columns:
        return {}
    return {"": bars}


def _bars_in(arguments: Mapping[str, Any]) -> Any:
    return arguments["strategy"] if arguments["bars"] is None else arguments["bars"]


def _check_bars(result: PortfolioResult, panel: Panel) -> None:
    """Refuse bars that are not those of the result.

    Raises
    ------
    InputError
        If symbols, stamps or closes differ.
    """
    same = panel.symbols == result.symbols and panel.index.equals(result.index)
    if same:
        close = panel.fields["close"] * result.multipliers
        same = bool(np.array_equal(close[panel.valid], result.last_prices[panel.valid]))
    if not same:
        raise InputError(
            "the bars are not those that the result ran on; they were changed since, or others were handed in: run the"
            " backtest again and write the passport of that"
        )
