"""Trade what the windows decided, through the engine, and measure it by the definitions of a backtest.

A window's decisions are those that are filled inside its testing bars. Without `carry` each window is an account of its
own that begins and ends flat, and the returns are joined; with it there is one account throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.curves import returns_between
from algotrendy.backtest.engine import Options, run
from algotrendy.backtest.engine_metrics import metrics_of
from algotrendy.backtest.walk_forward.window import Decided, without_entries
from algotrendy.domain.bars import BarArrays
from algotrendy.errors import InputError
from algotrendy.kernels.orders_types import (
    BORROW,
    CASH_AFTER,
    COMMISSION,
    ENTRY,
    EXIT,
    FILLED_AT,
    PRICE,
    PROFIT,
    REASON,
    SLIPPAGE,
    UNITS,
    Orders,
)
from algotrendy.strategy.inputs import RunInputs
from algotrendy.strategy.signals import signal_words

if TYPE_CHECKING:
    from algotrendy.backtest.engine_metrics import Moments
    from algotrendy.backtest.setting import Setting

Float1D = npt.NDArray[np.float64]
Int1D = npt.NDArray[np.int64]

_SCALED = (UNITS, COMMISSION, SLIPPAGE, CASH_AFTER, BORROW, PROFIT)
"""Columns of orders that grow with the account."""


@dataclass(frozen=True, eq=False)
class Account:
    """Equity and orders over some bars.

    Attributes
    ----------
    positions : int64 array of shape (n,)
        Which bars, ascending; with gaps where nothing is tested.
    equity : array of shape (n,)
        At the end of each, in currency.
    orders : Orders
        Their bars count from the first of `positions`; -1 is the bar before it.
    cash : float
        What it began with.
    ruined_at : int or None
        The bar, counted in the same way, at which nothing was left.
    pending : str or None
        A decision that found no bar to be filled on.
    is_held : bool
        Whether it begins with a position.
    """

    positions: Int1D
    equity: Float1D
    orders: Orders
    cash: float
    ruined_at: int | None = None
    pending: str | None = None
    is_held: bool = False

    def scaled(self, cash: float) -> Account:
        """Return the account as if it had begun with `cash`, everything in proportion."""
        factor = cash / self.cash
        money = self.orders.money.copy()
        money[:, _SCALED] *= factor
        orders = Orders(self.orders.bars, money)
        return Account(self.positions, self.equity * factor, orders, cash, self.ruined_at, self.pending)


def traded(decided: Decided, setting: Setting, *, end: int | None = None) -> Account:
    """Return the account of one window: flat before its first testing bar, closed at the close of its last.

    Parameters
    ----------
    decided : Decided
        What the window decides.
    setting : Setting
        All bars, conventions and costs.
    end : int, optional
        Close before this bar, where the next window takes over; the end of the testing window by default.
    """
    window = decided.window
    end = window.test_end if end is None else end
    last = end - window.test_begin  # the place of the last bar among the signals, which begin a bar before the window
    if setting.options.fill != "next_open":  # nothing is opened at the close at which everything is closed
        decided = without_entries(decided, last - (setting.options.fill == "next_close"))
    account = _run([decided], [(window.test_begin, end)], setting)
    return _closed(account, setting)


def carried(decisions: Sequence[Decided], setting: Setting, ends: Sequence[int]) -> Account:
    """Return the one account of all windows: each takes over the position that the one before it left."""
    spans = [(each.window.test_begin, end) for each, end in zip(decisions, ends, strict=True)]
    return _run(decisions, spans, setting)


def joined(accounts: Sequence[Account], cash: float) -> Account:
    """Return accounts one after the other: each begins with what the one before it ended with."""
    equity, bars, money, begun, ruined_at = [], [], [], 0, None
    for account in accounts:
        if ruined_at is not None:  # nothing is left to trade with
            equity.append(np.full(len(account.equity), cash))
        else:
            grown = account.scaled(cash)
            shifted = grown.orders.bars.copy()
            shifted[:, :2] += begun
            equity.append(grown.equity)
            bars.append(shifted)
            money.append(grown.orders.money)
            cash = float(grown.equity[-1])
            if account.ruined_at is not None:
                ruined_at = begun + account.ruined_at
        begun += len(account.positions)
    orders = Orders(np.concatenate(bars), np.concatenate(money))
    positions = np.concatenate([account.positions for account in accounts])
    return Account(positions, np.concatenate(equity), orders, accounts[0].cash, ruined_at)


def part(account: Account, begin: int, end: int) -> Account:
    """Return the bars from `begin` to before `end`, counted in the account; it begins with the equity before them."""
    filled = account.orders.bars[:, FILLED_AT]
    chosen = (filled >= begin) & (filled < end)
    bars = account.orders.bars[chosen].copy()
    bars[:, :2] -= begin
    cash = account.cash if begin == 0 else float(account.equity[begin - 1])
    orders = Orders(bars, account.orders.money[chosen])
    is_held = int(np.count_nonzero(filled < begin)) % 2 == 1  # entries and what closes them take turns
    return Account(account.positions[begin:end], account.equity[begin:end], orders, cash, is_held=is_held)


def measured(account: Account, setting: Setting) -> tuple[dict[str, float], Moments, Int1D]:
    """Return the metrics of an account, the bars of its largest drawdown, and its valuation marks."""
    marks = _marks(account.positions, setting.options.marks)
    options = setting.options.replaced(cash=account.cash, marks=marks)
    market = options.plain_market(_taken(setting.arrays, account.positions))
    values = account.equity[marks]
    excess = returns_between(values, account.cash) - options.hurdle
    mean = float(excess.mean())
    peaks = np.maximum.accumulate(np.concatenate(([account.cash], account.equity)))
    losses = 1.0 - account.equity / peaks[1:]
    valley = int(losses.argmax())
    start = int(np.flatnonzero(peaks[: valley + 1] * (1.0 - 1e-12) <= _with(account.cash, account.equity[:valley]))[-1])
    moments = (
        mean,
        float(((excess - mean) ** 2).sum()),
        float((np.minimum(excess, 0.0) ** 2).sum()),
        float(values.sum()),
        max(float(losses[valley]), 0.0),
        start - 1,
        valley,
    )
    metrics, drawdown_at = metrics_of(account.orders, market, options, account.equity, moments, is_held=account.is_held)
    return metrics, drawdown_at, marks


def _with(cash: float, equity: Float1D) -> Float1D:
    return np.concatenate(([cash], equity))


def _marks(positions: Int1D, marks: Int1D | None) -> Int1D:
    """Return the valuation marks among some bars; the last of them always is one."""
    if marks is None:
        return np.arange(len(positions), dtype=np.int64)
    at = np.flatnonzero(np.isin(positions, marks))
    return np.union1d(at, [len(positions) - 1]).astype(np.int64)


def _run(decisions: Sequence[Decided], spans: Sequence[tuple[int, int]], setting: Setting) -> Account:
    """Run the engine from the bar before the first span to the end of the last, spans lying end to end."""
    first, end = spans[0][0], spans[-1][1]
    begin = first - 1
    n, early = end - begin, setting.options.fill != "same_close"
    signals, levels = np.zeros((4, n), dtype=bool), np.full((4, n), np.nan)
    for decided, (from_bar, to_bar) in zip(decisions, spans, strict=True):
        # What is filled inside the span was decided from here to there; the last decision of all stays pending.
        here, there = from_bar - early, to_bar - early if to_bar < end else end
        own = slice(here - (decided.window.test_begin - 1), there - (decided.window.test_begin - 1))
        signals[:, here - begin : there - begin] = decided.signals[:, own]
        levels[:, here - begin : there - begin] = decided.levels[:, own]
    kinds = {decided.size_kind for decided in decisions if decided.params is not None} or {0}
    if len(kinds) > 1:
        raise InputError("the strategy gives its size as units in one window and as a fraction in another; give one")
    stop, target, trail, size = levels
    inputs = RunInputs(signal_words(list(signals)), stop, target, trail, size, kinds.pop())
    options: Options = setting.options.replaced(marks=None)
    done = run(_taken(setting.arrays, slice(begin, end)), inputs, options)
    bars = done.orders.bars.copy()
    bars[:, :2] -= 1  # counted from the first bar of the span
    ruined_at = None if done.ruined_at is None else done.ruined_at - 1
    orders = Orders(bars, done.orders.money)
    return Account(np.arange(first, end), done.equity[1:], orders, options.cash, ruined_at, done.pending)


def _taken(arrays: BarArrays, at: Any) -> BarArrays:
    return BarArrays(*(np.ascontiguousarray(column[at]) for column in arrays))


def _closed(account: Account, setting: Setting) -> Account:
    """Return the account with its position sold, or bought back, at the last close: a market order, at cost."""
    bars, money = account.orders
    if not len(bars) or bars[-1, REASON] != ENTRY or account.ruined_at is not None:
        return Account(account.positions, account.equity, account.orders, account.cash, account.ruined_at)
    options, entry = setting.options, money[-1]
    units, last = float(entry[UNITS]), len(account.equity) - 1
    close = float(setting.arrays.close[account.positions[-1]])
    price = close * (1.0 - np.sign(units) * options.slippage)
    commission, slippage = options.fees.of(units, price), abs(units) * close * options.slippage
    equity = account.equity.copy()
    equity[-1] += units * (price - close) - commission
    held = options.plain_market(_taken(setting.arrays, account.positions))
    carry = held.held - held.close
    borrow = -units * float(carry[last] - carry[bars[-1, FILLED_AT]]) if units < 0.0 else 0.0
    profit = units * (price - float(entry[PRICE])) - float(entry[COMMISSION]) - commission - borrow
    order = np.zeros(money.shape[1])
    order[[UNITS, PRICE, COMMISSION, SLIPPAGE, CASH_AFTER, BORROW, PROFIT]] = (
        -units, price, commission, slippage, equity[-1], borrow, profit,
    )  # fmt: skip
    closing = np.zeros(bars.shape[1], dtype=bars.dtype)
    closing[:3] = last, last, EXIT
    orders = Orders(np.vstack([bars, closing]), np.vstack([money, order]))
    return Account(account.positions, equity, orders, account.cash)
