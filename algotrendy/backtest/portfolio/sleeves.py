"""Several strategies in one account: each has a share of the capital, its own positions, and its own orders.

A strategy runs in a sleeve, which is an account with the strategy's share of the cash. Nothing is netted: what one buys
and another sells are two orders, each with its costs. Where the shares are restored, cash moves between the sleeves
and what each holds is resized at its next fill.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.lockstep import Lockstep
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.plans import AnyPlan, StatefulPlan
from algotrendy.backtest.portfolio.signals import run_signals
from algotrendy.backtest.portfolio.weights import decisions
from algotrendy.domain.types import AnyArray, Float1D, Float2D, Int1D
from algotrendy.kernels.portfolio_types import CASH, EQUITY, FILLED_AT, ROUNDING, Fills

__all__ = [
    "Several",
    "SeveralLedger",
    "put_together",
    "restored_at",
    "run_alone",
    "run_sleeves",
    "spare_of",
    "with_cash",
]


@dataclass(frozen=True, eq=False)
class SeveralLedger(Ledger):
    """The fills of all sleeves in the order of filling; round trips are closed in each sleeve by itself.

    Attributes
    ----------
    parts : tuple of Ledger
        One per sleeve.
    order : int64 array of shape (n_fills,)
        Places of the fills among those of all sleeves, one sleeve after another.
    """

    parts: tuple[Ledger, ...] = ()
    order: Int1D = field(default_factory=lambda: np.empty(0, np.int64))

    @cached_property
    def closed(self) -> dict[str, AnyArray]:
        """Round trips at the average cost of each sleeve."""
        names = [name for name in self.parts[0].closed if name != "owed"]
        joined = {name: np.concatenate([part.closed[name] for part in self.parts])[self.order] for name in names}
        return {**joined, "owed": np.sum([part.closed["owed"] for part in self.parts], axis=0)}

    @cached_property
    def money(self) -> Float2D:
        """What the fills of the sleeves cost."""
        return np.concatenate([part.money for part in self.parts])[self.order]

    @property
    def sleeve_of(self) -> Int1D:
        """The sleeve of each fill."""
        sizes = [len(part.fills.places) for part in self.parts]
        return np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)[self.order]

    @property
    def order_columns(self) -> dict[str, AnyArray]:
        """As of one sleeve, with `strategy`: its place among the strategies."""
        return {**super().order_columns, "strategy": self.sleeve_of}

    @property
    def trade_columns(self) -> dict[str, AnyArray]:
        """As of one sleeve, with `strategy`."""
        rows = np.flatnonzero(self.closed["units"])
        return {**super().trade_columns, "strategy": self.sleeve_of[rows]}


@dataclass(frozen=True, eq=False)
class Several:
    """What several strategies did.

    Attributes
    ----------
    total : SeveralLedger
    parts : tuple of Ledger
        One per strategy, in currency.
    transfers : float64 array of shape (n_strategies, n_bars)
        Cash that came to each at the end of a bar; below zero it went.
    growth : tuple of float64 array of shape (n_bars,)
        The equity of each as if no cash had come or gone: what its returns are.
    reserve : float64 array of shape (n_bars,)
        Cash that belongs to no strategy.
    """

    total: SeveralLedger
    parts: tuple[Ledger, ...]
    transfers: Float2D
    growth: tuple[Float1D, ...]
    reserve: Float1D


def with_cash(account: Account, cash: float, share: float = 1.0) -> Account:
    """Return the same account with other initial cash and a share of the volume; prices are laid out once for all."""
    options, assumptions = account.options.replaced(cash=cash), {**account.assumptions, "cash": cash}
    extras = account.extras
    if extras is not None and extras.is_capped and share != 1.0:
        extras = replace(extras, kernel=extras.kernel._replace(caps=extras.kernel.caps * share))
    return account.changed(options=options, assumptions=assumptions, extras=extras)


def restored_at(account: Account, rebalance: str | int | None) -> Int1D:
    """Return the bars at whose ends the shares are restored: by "1mo", every so many bars, or never.

    Raises
    ------
    InputError
        If the schedule is neither an interval of days, weeks or months, nor a number of bars.
    """
    start = np.full(account.n_bars, -1, dtype=np.int64)
    start[0] = 0
    return np.flatnonzero(decisions(account, start, rebalance) >= 0)[1:]


def run_alone(account: Account, plan: AnyPlan) -> Ledger:
    """Run one strategy on an account that has its share of the cash already."""
    if isinstance(plan, StatefulPlan):
        from algotrendy.backtest.stateful.sleeve import run_stateful

        return run_stateful(account, plan)
    return run_signals(account, plan.decided, plan.wishes, plan.places)


def run_sleeves(account: Account, plans: Sequence[AnyPlan], at: Int1D) -> Several:
    """Run strategies side by side.

    Parameters
    ----------
    account : Account
    plans : sequence of Plan or StatefulPlan
        Their shares sum to 1 at most.
    at : int64 array
        The bars at whose ends the shares are restored; see `restored_at`.
    """
    left, unused = spare_of(account.options.cash, [plan.share for plan in plans])
    reserve = np.full(account.n_bars, unused)
    if account.extras is not None:
        account.market  # noqa: B018  # laid out once for all sleeves
    accounts = [with_cash(account, plan.share * account.options.cash, plan.share) for plan in plans]
    if not len(at):
        parts = [run_alone(one, plan) for one, plan in zip(accounts, plans, strict=True)]
        transfers = np.zeros((len(plans), account.n_bars))
    else:
        parts, transfers, reserve = Lockstep(accounts, plans, left, reserve).run(at)
    growth = tuple(_growth(part, moved) for part, moved in zip(parts, transfers, strict=True))
    return Several(_joined(account, parts, reserve), tuple(parts), transfers, growth, reserve)


def put_together(
    account: Account, shares: Sequence[float], parts: Sequence[Ledger], reserve: Float1D | None = None
) -> SeveralLedger:
    """Return the account of strategies, with the cash of none: what was left over, or what `run_sleeves` says."""
    if reserve is None:  # each ran alone, and nothing was restored
        reserve = np.full(account.n_bars, spare_of(account.options.cash, shares)[1])
    return _joined(account, parts, reserve)


def spare_of(cash: float, shares: Sequence[float]) -> tuple[float, float]:
    """Return the share that no strategy has, and its initial cash.

    Examples
    --------
    >>> spare_of(100.0, [0.5, 0.25])
    (0.25, 25.0)
    """
    left = 1.0 - float(np.array(shares).sum())
    if left <= ROUNDING:
        return 0.0, 0.0
    return left, cash - sum(share * cash for share in shares)


def _growth(part: Ledger, moved: Float1D) -> Float1D:
    """Return the equity of a sleeve without the cash that came and went: each bar's return on what there was."""
    equity: Float1D = part.curve[EQUITY]
    cash = part.account.options.cash
    if not moved.any():
        return equity
    before = np.concatenate(([cash], equity[:-1]))
    change = np.where(before > 0.0, (equity - moved) / np.where(before > 0.0, before, 1.0), 1.0)
    return np.asarray(cash * np.cumprod(change), dtype=np.float64)


def _joined(account: Account, parts: Sequence[Ledger], reserve: Float1D) -> SeveralLedger:
    places = np.concatenate([part.fills.places for part in parts])
    order = np.argsort(places[:, FILLED_AT], kind="stable")
    fills = Fills(places[order], np.concatenate([part.fills.money for part in parts])[order])
    curve = parts[0].curve.copy()
    for part in parts[1:]:
        curve += part.curve
    curve[EQUITY] += reserve
    curve[CASH] += reserve
    ended = [part.ruined_at for part in parts if part.ruined_at is not None]
    ruined_at = max(ended) if len(ended) == len(parts) and not reserve.any() else None
    in_order = len(parts) == 1 and parts[0].in_order
    missed = [part.unfilled for part in parts if part.unfilled is not None]
    unfilled = np.sum(missed, axis=0) if missed else None
    return SeveralLedger(account, fills, curve, ruined_at, in_order, unfilled, parts=tuple(parts), order=order)
