"""What follows from the fills and the curve of an account: orders and trades as columns, and metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from algotrendy.backtest.engine_metrics import Measured, Moments, curve_metrics, trade_metrics
from algotrendy.backtest.portfolio.market import Account
from algotrendy.domain.types import AnyArray, Float1D, Float2D
from algotrendy.kernels.orders_types import COMMISSION, PRICE, SLIPPAGE, UNITS
from algotrendy.kernels.portfolio_types import (
    BASE_PRICE,
    DELISTING,
    EQUITY,
    GROSS,
    INSTRUMENT,
    LIMIT,
    TARGET,
    Fills,
)

__all__ = ["Ledger"]

_MONEY_COLUMNS = 7


@dataclass(frozen=True, eq=False)
class Ledger:
    """The fills of one run, and what they cost and earned.

    Attributes
    ----------
    account : Account
        What it ran on.
    fills : Fills
        As kernels write them.
    curve : float64 array of shape (3, n_bars)
        Equity, cash and gross exposure at the end of each bar.
    ruined_at : int or None
        The bar at which nothing was left.
    in_order : bool
        Whether sums of returns are taken in order, see `kernels.portfolio_measure.Marks`.
    """

    account: Account
    fills: Fills
    curve: Float2D
    ruined_at: int | None
    in_order: bool = False

    @cached_property
    def money(self) -> Float2D:
        """The columns of `kernels.orders_types.Orders.money`; cash after, borrow and profit are left zero."""
        terms, places, own = self.account.terms, self.fills.places, self.fills.money
        j, reason = places[:, INSTRUMENT], places[:, 3]
        units, base = own[:, UNITS], own[:, BASE_PRICE]
        size = np.abs(units)
        resting = (reason == TARGET) | (reason == LIMIT) | (reason == DELISTING)
        slippage = np.where(resting, 0.0, terms.slippage[j])
        price = base * (1.0 + np.where(units < 0.0, -slippage, slippage))
        paid = terms.rate[j] * (size * price) + terms.per_unit[j] * size + terms.fixed[j]
        money = np.zeros((len(units), _MONEY_COLUMNS))
        money[:, UNITS], money[:, PRICE] = units, price
        money[:, COMMISSION] = np.where(reason == DELISTING, 0.0, np.maximum(terms.minimum[j], paid))
        money[:, SLIPPAGE] = size * base * slippage
        return money

    @cached_property
    def closed(self) -> dict[str, AnyArray]:
        """Round trips at average cost: one value per fill, `units` 0.0 where nothing was closed."""
        from algotrendy.kernels.portfolio_measure import Closed, close_trades

        n = len(self.fills.places)
        units, entry_price, commission, borrow, profit = np.zeros((5, n))
        owed = np.zeros(self.account.n_instruments)
        closed = Closed(np.zeros(n, np.int64), units, entry_price, commission, borrow, profit, owed)
        own = self.account.columns
        carry = own.held - own.mark if own.held is not own.mark else np.zeros((len(own.mark), 1))
        paid = np.ascontiguousarray(self.money[:, [UNITS, PRICE, COMMISSION]])
        close_trades(self.fills.places, paid, carry, closed)
        return closed._asdict()

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
        pnl = closed["profit"][rows]
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
            "n_orders": len(money),
            **trade_metrics(closed["profit"][rows]),
            "turnover": notional * options.periods_per_year / total if total > 0.0 else math.nan,
            "time_in_market": int(np.count_nonzero(self.curve[GROSS])) / equity.size,
            "commission_paid": paid[COMMISSION],
            "slippage_paid": paid[SLIPPAGE],
            "borrow_paid": borrow,
            "costs_paid": paid[COMMISSION] + paid[SLIPPAGE] + borrow,
        }
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
