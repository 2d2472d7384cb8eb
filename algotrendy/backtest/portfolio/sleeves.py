"""Several strategies in one account: each has a share of the capital, its own positions, and its own orders.

A strategy runs in a sleeve, which is an account with the strategy's share of the cash. Nothing is netted: what one buys
and another sells are two orders, each with its costs. Where the shares are restored, cash moves between the sleeves
and what each holds is resized at its next fill.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.arguments import Runnable
from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.signals import Decided, run_signals, sums_in_order
from algotrendy.backtest.portfolio.weights import decisions
from algotrendy.domain.types import AnyArray, Float1D, Float2D, Int1D
from algotrendy.kernels.portfolio_types import CASH, EQUITY, FILLED_AT, ROUNDING, Fills, empty_fills

if TYPE_CHECKING:
    from algotrendy.kernels.portfolio_signals import Wishes
    from algotrendy.kernels.portfolio_sleeves import Sleeve
    from algotrendy.kernels.portfolio_sleeves_full import FullSleeve

__all__ = ["Plan", "Several", "SeveralLedger", "restored_at", "run_alone", "run_sleeves", "with_cash"]

_FIRST_FILLS = 4096
LOT_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Plan:
    """One strategy of several: its name and share, and what it wants on all instruments.

    Attributes
    ----------
    name : str
    strategy : Strategy, PythonStrategy or Signals
    share : float
        Of the capital, a fraction above zero.
    decided : Decided
    wishes : Wishes
    places : int
        How many positions it may hold at once.
    """

    name: str
    strategy: Runnable
    share: float
    decided: Decided
    wishes: Wishes
    places: int


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


def run_alone(account: Account, plan: Plan) -> Ledger:
    """Run one strategy on an account that has its share of the cash already."""
    return run_signals(account, plan.decided, plan.wishes, plan.places)


def run_sleeves(
    account: Account, plans: Sequence[Plan], at: Int1D, alone: Callable[[Account, Plan], Ledger] = run_alone
) -> Several:
    """Run strategies side by side.

    Parameters
    ----------
    account : Account
    plans : sequence of Plan
        Their shares sum to 1 at most.
    at : int64 array
        The bars at whose ends the shares are restored; see `restored_at`.
    alone : callable
        Gives the run of one strategy where nothing is ever restored, on an account that has its share of the cash.
    """
    shares = np.array([plan.share for plan in plans])
    left = 1.0 - float(shares.sum())
    left = left if left > ROUNDING else 0.0
    if account.extras is not None:
        account.market  # noqa: B018  # laid out once for all sleeves
    accounts = [with_cash(account, plan.share * account.options.cash, plan.share) for plan in plans]
    unused = account.options.cash - sum(one.options.cash for one in accounts) if left > 0.0 else 0.0
    reserve = np.full(account.n_bars, unused)
    if not len(at):
        parts = [alone(one, plan) for one, plan in zip(accounts, plans, strict=True)]
        transfers = np.zeros((len(plans), account.n_bars))
    else:
        lockstep = _Lockstep if account.extras is None else _FullLockstep
        parts, transfers, reserve = lockstep(accounts, plans, left, reserve).run(at)
    growth = tuple(_growth(part, moved) for part, moved in zip(parts, transfers, strict=True))
    return Several(_joined(account, parts, reserve), tuple(parts), transfers, growth, reserve)


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


class _Lockstep:
    """Runs sleeves from one restoring of shares to the next."""

    def __init__(self, accounts: Sequence[Account], plans: Sequence[Plan], left: float, reserve: Float1D) -> None:
        self._accounts, self._plans, self._left, self._reserve = accounts, plans, left, reserve
        self._n_bars = len(reserve)

    def run(self, at: Int1D) -> tuple[list[Ledger], Float2D, Float1D]:
        """Return what each sleeve did, the cash that moved, and the reserve.

        At the ends of the bars `at` shares are restored.
        """
        capacity, found = _FIRST_FILLS + 8 * self._accounts[0].n_instruments, None
        while found is None:
            found = self._attempt(at, capacity)
            capacity *= 4
        return found

    def _attempt(self, at: Int1D, capacity: int) -> tuple[list[Ledger], Float2D, Float1D] | None:
        sleeves: list[Any] = [self._new_sleeve(each) for each in self._accounts]
        fills = [empty_fills(capacity) for _ in sleeves]
        curves = np.empty((len(sleeves), self._n_rows, self._n_bars))
        transfers, reserve = np.zeros((len(sleeves), self._n_bars)), self._reserve.copy()
        edges = [0, *(bar + 1 for bar in at.tolist() if bar + 1 < self._n_bars), self._n_bars]
        for first, stop in pairwise(edges):
            for k in range(len(sleeves)):
                if self._walk(k, sleeves[k]._replace(first=first, stop=stop), fills[k], curves[k]) < 0:
                    return None
            if stop < self._n_bars:
                self._restore(sleeves, stop - 1, curves, transfers, reserve)
        parts = [self._ledger(k, sleeves[k], fills[k], curves[k]) for k in range(len(sleeves))]
        return parts, transfers, reserve

    _n_rows = 3

    def _new_sleeve(self, account: Account) -> Sleeve | FullSleeve:
        from algotrendy.kernels.portfolio_sleeves import new_sleeve

        return new_sleeve(account.n_instruments, self._n_bars, account.options.cash)

    def _walk(self, k: int, sleeve: Any, fills: Fills, curve: Float2D) -> int:
        """Walk a stretch of bars; return how many fills there are, or -1 if they need more room."""
        from algotrendy.kernels.portfolio_signals import walk_signals

        account, plan = self._accounts[k], self._plans[k]
        kind, places = plan.decided.size_kind, plan.places
        venue = account.venue(fills, account.columns, size_kind=kind, max_positions=places)
        return int(walk_signals(plan.wishes, plan.decided.levels, venue, curve, sleeve)[0])

    def _resize(self, k: int, sleeve: Any, factor: float) -> None:
        """Let all that a sleeve holds wait for its new size."""
        from algotrendy.kernels.portfolio_sleeves import WAITING

        held = sleeve.state.units != 0.0
        sleeve.factors[held] *= factor
        sleeve.counts[WAITING] = int(held.sum())

    def _restore(self, sleeves: Sequence[Any], bar: int, curves: Float2D, transfers: Float2D, reserve: Float1D) -> None:
        """Give each sleeve that is not ruined its share of what they and the reserve are worth."""
        from algotrendy.kernels.portfolio_sleeves import RESIZED_AT, RUINED_AT

        alive = [k for k, sleeve in enumerate(sleeves) if sleeve.counts[RUINED_AT] < 0]
        equity = {k: float(curves[k, EQUITY, bar]) for k in alive}
        if not alive or min(equity.values()) <= 0.0:
            return
        total = sum(equity.values()) + float(reserve[bar])
        whole = sum(self._plans[k].share for k in alive) + self._left
        wanted = {k: self._plans[k].share / whole * total for k in alive}
        if all(abs(wanted[k] - equity[k]) <= ROUNDING * equity[k] for k in alive):
            return
        for k in alive:
            sleeve, moved = sleeves[k], wanted[k] - equity[k]
            sleeve.cash[0] += moved
            transfers[k, bar] = moved
            curves[k, EQUITY, bar] += moved
            curves[k, CASH, bar] += moved
            sleeve.counts[RESIZED_AT] = bar
            self._resize(k, sleeve, wanted[k] / equity[k])
        if self._left > 0.0:
            reserve[bar:] = total - sum(wanted.values())

    def _ledger(self, k: int, sleeve: Any, fills: Fills, curve: Float2D) -> Ledger:
        from algotrendy.kernels.portfolio_sleeves import ROWS, RUINED_AT

        n_fills, ruined_at = int(sleeve.counts[ROWS]), int(sleeve.counts[RUINED_AT])
        done = Fills(fills.places[:n_fills].copy(), fills.money[:n_fills].copy())
        in_order = sums_in_order(self._accounts[k], self._plans[k].decided)
        return Ledger(self._accounts[k], done, curve, None if ruined_at < 0 else ruined_at, in_order)


class _FullLockstep(_Lockstep):
    """As `_Lockstep`, of accounts with extras."""

    _n_rows = 4

    def _attempt(self, at: Int1D, capacity: int) -> tuple[list[Ledger], Float2D, Float1D] | None:
        first = self._accounts[0]
        capped = first.extras is not None and first.extras.is_capped
        shape = (self._n_bars, first.n_instruments) if capped else (1, 1)
        self._unfilled: list[Float2D] = [np.zeros(shape) for _ in self._accounts]
        return super()._attempt(at, capacity)

    def _new_sleeve(self, account: Account) -> FullSleeve:
        from algotrendy.kernels.portfolio_sleeves_full import new_full_sleeve

        return new_full_sleeve(account.n_instruments, self._n_bars, account.options.cash)

    def _walk(self, k: int, sleeve: Any, fills: Fills, curve: Float2D) -> int:
        from algotrendy.kernels.portfolio_signals_full import walk_signals_full

        account, plan = self._accounts[k], self._plans[k]
        kind, places, out = plan.decided.size_kind, plan.places, (curve, self._unfilled[k], sleeve)
        venue = account.venue(fills, account.market, size_kind=kind, max_positions=places)
        extras = account.kernel_extras
        return int(walk_signals_full(plan.wishes, plan.decided.levels, venue, extras, out)[0])

    def _resize(self, k: int, sleeve: Any, factor: float) -> None:
        """What is still being bought grows and shrinks as well."""
        super()._resize(k, sleeve, factor)
        lots, rest = self._accounts[k].terms.lot_size, sleeve.state.rest
        rest *= factor
        lotted = lots > 0.0
        whole = np.floor(np.abs(rest[lotted]) / lots[lotted] + LOT_ROUNDING) * lots[lotted]
        rest[lotted] = np.copysign(whole, rest[lotted])

    def _ledger(self, k: int, sleeve: Any, fills: Fills, curve: Float2D) -> Ledger:
        found, extras = super()._ledger(k, sleeve, fills, curve), self._accounts[k].extras
        capped = extras is not None and extras.is_capped
        return replace(found, in_order=False, unfilled=self._unfilled[k] if capped else None)
