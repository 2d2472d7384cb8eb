"""A backtest of several instruments run again from its result, and the bars and the account that it was made on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.arguments import AnyStrategy, are_strategies
from algotrendy.backtest.portfolio.cross_sections import instruments_of, with_peers
from algotrendy.backtest.portfolio.market import Account, account_of, as_panel, frame_of_column
from algotrendy.backtest.portfolio.members import members_of
from algotrendy.domain.panel import Name, Panel
from algotrendy.domain.types import Bool2D, Int1D
from algotrendy.errors import InputError
from algotrendy.strategy import Signals, Strategy

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.portfolio.result import PortfolioResult

__all__ = [
    "account_again",
    "arguments_of",
    "arguments_of_whole",
    "frames_of",
    "panel_of",
    "panel_with",
    "run_again",
    "strategy_in",
]


def arguments_of(result: PortfolioResult, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what `backtest` was called with, all options included.

    Parameters
    ----------
    result : PortfolioResult
    given : mapping, optional
        What replaces it, or stands in for it where a file or another process did not keep it.

    Raises
    ------
    InputError
        If nobody knows.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = {"A": at.synthetic(n=30, seed=1), "B": at.synthetic(n=30, seed=2)}
    >>> arguments_of(at.backtest(bars, weights={"A": 0.5}, slippage=0.001))["slippage"]
    0.001
    """
    import inspect

    from algotrendy.backtest.run import backtest

    if result.arguments is None and not given:
        raise InputError(
            "this result came from a file or another process, which does not keep what it was made of; hand in again"
            " what backtest was called with: strategy=..., bars=..., and the options"
        )
    known = {name: each.default for name, each in inspect.signature(backtest).parameters.items()}
    for name in given or ():
        if name not in known:
            raise InputError(f"{name} is no argument of backtest; hand in again what it was called with")
    called: dict[str, Any] = {**known, "strategy": None, **(result.arguments or {}), **(given or {})}
    if called["strategy"] is None:  # bars come first where nothing else decides
        called["strategy"], called["bars"] = called["bars"], None
    return called


def arguments_of_whole(result: PortfolioResult, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what `backtest` was called with, of a result that is all that came of the call.

    Raises
    ------
    InputError
        If nobody knows, or it is that of one strategy of several.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = {"A": at.synthetic(n=30, seed=1), "B": at.synthetic(n=30, seed=2)}
    >>> arguments_of_whole(at.backtest(bars, weights={"A": 0.5}, cash=500.0))["cash"]
    500.0
    """
    if "share" in result.assumptions:
        raise InputError(
            "this is the result of one strategy of several in one account, which has no call of its own; ask the result"
            " of the account, or run the strategy by itself with its part of the cash"
        )
    return arguments_of(result, given)


def panel_of(arguments: Mapping[str, Any]) -> Panel:
    """Return the bars of a call of `backtest`."""
    return as_panel(arguments[_place_of_bars(arguments)])


def _place_of_bars(arguments: Mapping[str, Any]) -> str:
    return "strategy" if arguments["bars"] is None else "bars"


def frames_of(panel: Panel) -> dict[Name, pd.DataFrame]:
    """Return the own bars of each instrument, with their further columns."""
    found: dict[Name, pd.DataFrame] = {}
    for j, name in enumerate(panel.instruments):
        rows: Int1D = np.flatnonzero(panel.valid[:, j])
        frame = frame_of_column(panel, j, rows)
        further = dict(panel.further[j]) if panel.further else {}
        found[name] = frame.assign(**further) if further else frame
    return found


def panel_with(panel: Panel, frames: Mapping[Name, pd.DataFrame]) -> Panel:
    """Return the panel with other bars of its instruments, on the same calendars."""
    calendars = dict(zip(panel.instruments, panel.calendars, strict=True))
    return Panel.of(dict(frames), calendars={name: calendars[name] for name in frames if name in calendars})


def run_again(arguments: Mapping[str, Any], *, panel: Panel | None = None, **changes: Any) -> PortfolioResult:
    """Run a call of `backtest` again, on other bars if some are given, with options changed or none."""
    from algotrendy.backtest.run import backtest

    call = {**arguments, **changes}
    if panel is not None:
        call[_place_of_bars(arguments)] = panel
    run: Any = backtest
    again: PortfolioResult = run(**call)
    return again


def strategy_in(arguments: Mapping[str, Any]) -> AnyStrategy | Signals | None:
    """Return the one strategy, or the signals, that decide in a call; None for weights, orders, several strategies."""
    from algotrendy.backtest.run import decided_in

    if arguments["weights"] is not None or arguments["orders"] is not None or are_strategies(arguments["strategy"]):
        return None
    return decided_in(arguments)[0]


def account_again(arguments: Mapping[str, Any]) -> tuple[Account, Bool2D | None]:
    """Return the account that a call was run on, its instruments knowing each other, and the dated membership."""
    from algotrendy.backtest.run import account_options

    account = account_of(panel_of(arguments), **account_options(arguments))
    inside = members_of(account, arguments["members"])
    strategy = strategy_in(arguments)
    columns = strategy.columns if isinstance(strategy, Strategy) else ()
    return with_peers(account, instruments_of(account, inside, columns)), inside
