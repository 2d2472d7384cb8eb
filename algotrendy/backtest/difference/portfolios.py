"""Backtests of several instruments as ledgers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.curves import fees_of
from algotrendy.backtest.difference.bars import borrow_of_fills, times
from algotrendy.backtest.difference.ledger import Action, Fill, Ledger, PortfolioLedger, stamps_of
from algotrendy.backtest.difference.ties import condition_ties, touch_ties
from algotrendy.backtest.portfolio.again import account_again, panel_of, strategy_in
from algotrendy.backtest.portfolio.market import Account, as_panel, frame_of_column
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.domain.panel import Panel
from algotrendy.domain.types import AnyArray
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import REASONS
from algotrendy.strategy import Strategy

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["portfolio_ledger_of", "schedule_of"]


def portfolio_ledger_of(result: PortfolioResult, name: str = "the run", *, bars: Any = None) -> PortfolioLedger:
    """Return what a backtest of several instruments leaves behind.

    Parameters
    ----------
    result : PortfolioResult
    name : str
        How it is called in sentences.
    bars : mapping of str to DataFrame, or Panel, optional
        What it ran on; needed where the result came from a file, which holds closes alone.

    Raises
    ------
    InputError
        If nobody knows the bars, or they are not those of the result.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = {"A": at.synthetic(n=50, seed=1), "B": at.synthetic(n=50, seed=2)}
    >>> ledger = portfolio_ledger_of(at.backtest(bars, weights={"A": 0.5, "B": 0.3}))
    >>> {symbol: len(member.fills) for symbol, member in ledger.members.items()}
    {'A': 1, 'B': 1}
    """
    panel = _panel(result, bars)
    account = None if result.arguments is None else account_again(result.arguments)[0]
    orders, trades = result.order_columns, result.trade_columns
    borrow = borrow_of_fills(orders, trades)
    fractions = _fractions(result)
    members = {}
    for j, symbol in enumerate(result.symbols):
        own = frame_of_column(panel, j, np.flatnonzero(panel.valid[:, j]))
        frame = times(own, float(result.multipliers[j]))
        rows = np.flatnonzero(orders["instrument"] == j)
        fills = tuple(_fills(result, j, rows, frame, borrow))
        paid = float(trades["borrow"][trades["instrument"] == j].sum())
        members[symbol] = Ledger(
            name=name,
            cash=result.cash,
            fills=fills,
            bars=frame,
            fees=schedule_of(result, symbol),
            fraction=fractions,
            lot_size=_lot(result, symbol),
            open_borrow=float(result.borrow_values[j]) - paid,
            ties=_ties(result, account, j, frame, fills),
            actions=tuple(_actions(result, account, j)),
        )
    return PortfolioLedger(
        name=name,
        cash=result.cash,
        members=members,
        final_equity=float(result.equity_values[-1]),
        financing=float(result.metrics.get("financing_paid", 0.0)),
        multipliers=dict(zip(result.symbols, result.multipliers.tolist(), strict=True)),
    )


def _panel(result: PortfolioResult, bars: Any) -> Panel:
    if bars is None and result.arguments is None:
        raise InputError(
            "a result that came from a file or another process holds no bars; hand in those that it ran on as bars="
        )
    panel = panel_of(result.arguments) if bars is None and result.arguments is not None else as_panel(bars)
    if panel.symbols != result.symbols:
        raise InputError(
            f"the bars are of {', '.join(panel.symbols[:5])}, the result is of {', '.join(result.symbols[:5])}; hand in"
            " the bars that it ran on, in their order"
        )
    return panel


def _fills(result: PortfolioResult, j: int, rows: AnyArray, frame: pd.DataFrame, borrow: AnyArray) -> Iterator[Fill]:
    """Yield the fills of one instrument but for its splits, which are actions."""
    columns, index, multiplier, last = result.order_columns, result.index, float(result.multipliers[j]), frame.index[-1]
    for row in rows.tolist():
        reason = REASONS[int(columns["reason"][row])]
        if reason == "split":
            continue
        units, price = float(columns["units"][row]), float(columns["price"][row]) * multiplier
        lost = float(columns["slippage"][row])
        yield Fill(
            filled_at=min(index[int(columns["filled_at"][row])], last),  # what ended is sold at its last close
            decided_at=index[int(columns["decided_at"][row])],
            units=units,
            price=price,
            quoted=price - float(np.sign(units)) * lost / abs(units) if lost else price,
            commission=float(columns["commission"][row]),
            borrow=float(borrow[row]),
            reason=reason,
        )


def schedule_of(result: PortfolioResult, symbol: str) -> Fees:
    """Return the schedule of the commissions of one instrument."""
    given = result.assumptions.get("commission")
    if isinstance(given, Mapping) and "rate" not in given:
        given = given.get(symbol)
    return Fees(**fees_of(given))


def _lot(result: PortfolioResult, symbol: str) -> float:
    by_symbol = result.assumptions.get("lot_size")
    _, _, lot = str(result.assumptions.get("units", "")).partition("whole lots of ")
    if not lot:
        return 0.0
    return float(by_symbol.get(symbol, 1.0)) if isinstance(by_symbol, Mapping) else float(lot)


def _fractions(result: PortfolioResult) -> float | None:
    """Return the fraction of the equity that entries use; None if it is not one number."""
    if result.strategy.get("kind") in ("weights", "orders", "several", "stateful"):
        return None
    size, places = result.strategy.get("size"), result.assumptions.get("max_positions")
    if size is None and isinstance(places, int):
        size = 1.0 / places
    if isinstance(size, bool) or not isinstance(size, int | float):
        return None
    return min(float(size), float(result.assumptions.get("max_leverage", 1.0)))


def _actions(result: PortfolioResult, account: Account | None, j: int) -> Iterator[Action]:
    """Yield splits and dividends of an instrument: all of them if the account is known, else those that were felt."""
    index = result.index
    if account is not None:
        happening = None if account.extras is None else account.extras.happenings[j]
        if happening is not None:
            for bar, ratio, paid in zip(
                happening.bars.tolist(), happening.ratio.tolist(), happening.paid.tolist(), strict=True
            ):
                yield Action(at=index[bar], ratio=ratio, paid=paid * float(result.multipliers[j]))
        return
    found: dict[int, list[float]] = {}
    told = result.dividend_columns
    if told is not None:
        names = ("paid_at", "instrument", "units", "amount")
        for bar, k, units, amount in zip(*(told[name].tolist() for name in names), strict=True):
            if k == j:
                found.setdefault(bar, [1.0, 0.0])[1] = amount / units
    columns, held = result.order_columns, 0.0
    for k in np.flatnonzero(columns["instrument"] == j).tolist():
        units = float(columns["units"][k])
        if REASONS[int(columns["reason"][k])] == "split":
            found.setdefault(int(columns["filled_at"][k]), [1.0, 0.0])[0] = (held + units) / held
        held += units
    for bar in sorted(found):
        yield Action(at=index[bar], ratio=found[bar][0], paid=found[bar][1])


def _ties(
    result: PortfolioResult, account: Account | None, j: int, frame: pd.DataFrame, fills: tuple[Fill, ...]
) -> AnyArray:
    """Return the stamps of bars on which a comparison, or a touch of a level, stood at a tie."""
    tied = touch_ties(frame, fills)
    strategy = None if result.arguments is None else strategy_in(result.arguments)
    if isinstance(strategy, Strategy) and account is not None:
        own = account.settings[j]
        tied |= condition_ties(strategy, own.arrays, own.context)
    return stamps_of(frame)[tied]
