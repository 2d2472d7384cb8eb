"""What follows from the fills and the curve of an account: orders and trades as columns, and metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from algotrendy.backtest.engine_metrics import Measured, Moments, curve_metrics, trade_metrics
from algotrendy.backtest.portfolio.market import Account
from algotrendy.domain.types import AnyArray, Float1D, Float2D
from algotrendy.kernels.orders_types import COMMISSION, PRICE, SLIPPAGE, UNITS
from algotrendy.kernels.portfolio_types import (
    BASE_PRICE,
    DELISTING,
    EQUITY,
    FRACTION,
    GROSS,
    INSTRUMENT,
    INTEREST,
    LIMIT,
    SPLIT,
    TARGET,
    Fills,
    empty_fills,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Ledger", "full_ledger"]

_MONEY_COLUMNS = 7
_NO_PLACES = np.zeros(0, np.int64)
_NO_MONEY = np.zeros(0)


@dataclass(frozen=True, eq=False)
class Ledger:
    """The fills of one run, and what they cost and earned.

    Attributes
    ----------
    account : Account
        What it ran on.
    fills : Fills
        As kernels write them.
    curve : float64 array of shape (3 or 4, n_bars)
        Equity, cash and gross exposure at the end of each bar; with extras a fourth row, interest paid.
    ruined_at : int or None
        The bar at which nothing was left.
    in_order : bool
        Whether sums of returns are taken in order, see `kernels.portfolio_measure.Marks`.
    unfilled : float64 array of shape (n_bars, n_instruments), optional
        Units that were wanted and that the volume did not allow, by bar; None where nothing is capped.
    """

    account: Account
    fills: Fills
    curve: Float2D
    ruined_at: int | None
    in_order: bool = False
    unfilled: Float2D | None = None

    @cached_property
    def money(self) -> Float2D:
        """The columns of `kernels.orders_types.Orders.money`; cash after, borrow and profit are left zero."""
        terms, places, own = self.account.terms, self.fills.places, self.fills.money
        j, reason = places[:, INSTRUMENT], places[:, 3]
        units, base = own[:, UNITS], own[:, BASE_PRICE]
        size = np.abs(units)
        free = (reason == DELISTING) | (reason == SPLIT) | (reason == FRACTION)
        slippage = np.where((reason == TARGET) | (reason == LIMIT) | free, 0.0, terms.slippage[j])
        price = base * (1.0 + np.where(units < 0.0, -slippage, slippage))
        paid = terms.rate[j] * (size * price) + terms.per_unit[j] * size + terms.fixed[j]
        money = np.zeros((len(units), _MONEY_COLUMNS))
        money[:, UNITS], money[:, PRICE] = units, price
        money[:, COMMISSION] = np.where(free, 0.0, np.maximum(terms.minimum[j], paid))
        money[:, SLIPPAGE] = size * base * slippage
        return money

    @cached_property
    def closed(self) -> dict[str, AnyArray]:
        """Round trips at average cost: one value per fill, `units` 0.0 where nothing was closed."""
        from algotrendy.kernels.portfolio_measure import Closed, close_trades

        n = len(self.fills.places)
        units, entry_price, commission, borrow, profit, income = np.zeros((6, n))
        owed, extras = np.zeros(self.account.n_instruments), self.account.extras
        closed = Closed(np.zeros(n, np.int64), units, entry_price, commission, borrow, profit, owed, income)
        own = self.account.columns
        nothing = np.zeros((len(own.mark), 1))
        carry = own.held - own.mark if own.held is not own.mark else nothing
        gained = nothing if extras is None or not extras.has_actions else extras.income(own.mark.shape)
        paid = np.ascontiguousarray(self.money[:, [UNITS, PRICE, COMMISSION]])
        close_trades(self.fills.places, paid, carry, gained, closed)
        return closed._asdict()

    @cached_property
    def dividends(self) -> dict[str, AnyArray]:
        """One entry per dividend on a position: bar `paid_at`, instrument, `units` held, `amount` (currency).

        Below zero where a short position is charged.
        """
        extras, rows = self.account.extras, self.fills.places
        if extras is None or not extras.has_actions:
            return {"paid_at": _NO_PLACES, "instrument": _NO_PLACES, "units": _NO_MONEY, "amount": _NO_MONEY}
        events, paid = extras.kernel.events, extras.kernel.changes[:, 1]
        units = np.zeros(len(events))
        for j in np.unique(events[paid > 0.0, 1]).tolist():
            own = np.flatnonzero(rows[:, INSTRUMENT] == j)
            held = np.concatenate(([0.0], np.cumsum(self.fills.money[own, UNITS])))
            here = events[:, 1] == j
            units[here] = held[np.searchsorted(rows[own, 1], events[here, 0], side="left")]
        alive = len(self.account.panel.index) if self.ruined_at is None else self.ruined_at + 1
        some = (np.abs(units * paid) > 0.0) & (events[:, 0] < alive)
        found = events[some]
        return {
            "paid_at": found[:, 0],
            "instrument": found[:, 1],
            "units": units[some],
            "amount": units[some] * paid[some],
        }

    @property
    def unfilled_columns(self) -> dict[str, AnyArray]:
        """One entry per bar and instrument where the volume did not allow all: `bar`, `instrument`, `units`."""
        if self.unfilled is None:
            return {"bar": _NO_PLACES, "instrument": _NO_PLACES, "units": _NO_MONEY}
        bar, instrument = np.nonzero(self.unfilled)
        return {"bar": bar, "instrument": instrument, "units": self.unfilled[bar, instrument]}

    @property
    def borrow(self) -> Float1D:
        """What each instrument has cost to borrow, in currency."""
        closed, n = self.closed, self.account.n_instruments
        paid: Float1D = np.zeros(n)
        np.add.at(paid, self.fills.places[:, INSTRUMENT], closed["borrow"])
        return paid + closed["owed"]

    @property
    def order_columns(self) -> dict[str, AnyArray]:
        """One entry per fill: bars of decision and fill, instrument, `units` (signed), `price`, costs, `reason`."""
        places, money = self.fills.places, self.money
        whole = {name: places[:, k].astype(np.int64) for k, name in enumerate(_PLACES)}
        return {
            "decided_at": whole["decided_at"],
            "filled_at": whole["filled_at"],
            "instrument": whole["instrument"],
            "units": money[:, UNITS].copy(),
            "price": money[:, PRICE] / self.account.multipliers[places[:, INSTRUMENT]],
            "commission": money[:, COMMISSION].copy(),
            "slippage": money[:, SLIPPAGE].copy(),
            "reason": whole["reason"],
        }

    @property
    def trade_columns(self) -> dict[str, AnyArray]:
        """One entry per order that closed something; `side` is 1 for long and -1 for short, `units` are positive."""
        closed, places = self.closed, self.fills.places
        rows = np.flatnonzero(closed["units"])
        units, entry = closed["units"][rows], closed["entry_price"][rows]
        multiplier = self.account.multipliers[places[rows, INSTRUMENT]]
        pnl, extras = closed["profit"][rows], self.account.extras
        more = {} if extras is None or not extras.has_actions else {"dividends": closed["income"][rows]}
        return {
            "instrument": places[rows, INSTRUMENT].astype(np.int64),
            "entry_at": closed["entry_at"][rows],
            "exit_at": places[rows, 1].astype(np.int64),
            "side": np.sign(units).astype(np.int64),
            "units": np.abs(units),
            "entry_price": entry / multiplier,
            "exit_price": self.money[rows, PRICE] / multiplier,
            "pnl": pnl,
            "return_": pnl / np.abs(units * entry),
            "commission": closed["commission"][rows],
            "borrow": closed["borrow"][rows],
            **more,
            "reason": places[rows, 3].astype(np.int64),
        }

    def metrics(self) -> tuple[dict[str, float], Moments]:
        """Return the metrics of the semantics page, and the bars of the largest drawdown."""
        options, equity, measured = self.account.options, self.curve[EQUITY], self._measured()
        of_curve, moments = curve_metrics(options, equity, measured)
        total = measured[3]
        closed, money = self.closed, self.money
        rows = np.flatnonzero(closed["units"])
        notional = float(np.abs(money[:, UNITS]) @ money[:, PRICE])
        paid = money.sum(axis=0).tolist()
        borrow = float(np.cumsum(closed["borrow"])[-1]) if len(money) else 0.0  # in order, as the others are summed
        borrow += float(closed["owed"].sum())
        metrics = {
            **of_curve,
            "n_orders": len(money) - int(np.count_nonzero(self.fills.places[:, 3] == SPLIT)),
            **trade_metrics(closed["profit"][rows]),
            "turnover": notional * options.periods_per_year / total if total > 0.0 else math.nan,
            "time_in_market": int(np.count_nonzero(self.curve[GROSS])) / equity.size,
            "commission_paid": paid[COMMISSION],
            "slippage_paid": paid[SLIPPAGE],
            "borrow_paid": borrow,
            "costs_paid": paid[COMMISSION] + paid[SLIPPAGE] + borrow,
        }
        extras = self.account.extras
        if extras is not None and extras.has_actions:
            metrics["dividends_received"] = float(self.dividends["amount"].sum())
        if len(self.curve) > INTEREST and (extras is None or extras.kernel.interest.any()):
            metrics["financing_paid"] = float(self.curve[INTEREST].sum())
            metrics["costs_paid"] += metrics["financing_paid"]
        return metrics, moments

    def _measured(self) -> Measured:
        from algotrendy.kernels.portfolio_measure import Marks, measure

        options, equity, alive = self.account.options, self.curve[EQUITY], self.ruined_at
        marks = options.marks
        values = equity if marks is None else equity[marks]
        if alive is not None:
            alive = alive if marks is None else int(np.searchsorted(marks, alive))
        moving = values.size if alive is None else alive + 1
        measured: Measured = measure(equity, options.cash, options.hurdle, Marks(values, moving, self.in_order))
        return measured


_PLACES = ("decided_at", "filled_at", "instrument", "reason")


def full_ledger(account: Account, walk: Callable[[Fills, Float2D, Float2D], tuple[int, int]], capacity: int) -> Ledger:
    """Return the run of an account with extras.

    Parameters
    ----------
    account : Account
        What it runs on.
    walk : callable
        Writes fills, curve and what was not filled, and returns how many fills there are (-1: they need more room) and
        the bar of ruin.
    capacity : int
        Room for fills to begin with.
    """
    is_capped = account.extras is not None and account.extras.is_capped
    while True:
        shape = (account.n_bars, account.n_instruments) if is_capped else (1, 1)
        curve, unfilled, fills = np.empty((4, account.n_bars)), np.zeros(shape), empty_fills(capacity)
        n_fills, ruined_at = walk(fills, curve, unfilled)
        if n_fills >= 0:
            break
        capacity *= 4
    done = Fills(fills.places[:n_fills].copy(), fills.money[:n_fills].copy())
    ruin = None if ruined_at < 0 else int(ruined_at)
    return Ledger(account, done, curve, ruin, unfilled=unfilled if is_capped else None)
