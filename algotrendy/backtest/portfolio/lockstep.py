"""Sleeves that run side by side from one restoring of their shares to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.plans import AnyPlan, Plan, StatefulPlan
from algotrendy.backtest.portfolio.signals import sums_in_order
from algotrendy.domain.types import Float1D, Float2D, Int1D
from algotrendy.kernels.portfolio_types import CASH, EQUITY, ROUNDING, Fills, empty_fills

if TYPE_CHECKING:
    from algotrendy.kernels.portfolio_sleeves import Sleeve
    from algotrendy.kernels.portfolio_sleeves_full import FullSleeve

__all__ = ["LOT_ROUNDING", "Lockstep", "Walker"]

_FIRST_FILLS = 4096
LOT_ROUNDING = 1e-9


class Walker(Protocol):
    """One sleeve on its way through the bars."""

    curve: Float2D
    """Equity, cash and gross exposure, and with extras interest, at the end of each bar that it has lived through."""

    def walk(self, first: int, stop: int) -> bool:
        """Live through a stretch of bars; return False if fills need more room."""
        ...

    @property
    def is_ruined(self) -> bool:
        """Whether it takes no part any more."""
        ...

    def move(self, bar: int, cash: float, factor: float) -> None:
        """Take or give cash at the end of a bar; what it holds is multiplied by a factor at its next fill."""
        ...

    def ledger(self) -> Ledger:
        """Return what it did."""
        ...


class Lockstep:
    """Runs sleeves from one restoring of shares to the next.

    Parameters
    ----------
    accounts : sequence of Account
        One for each strategy, with its share of the cash.
    plans : sequence of Plan or StatefulPlan
    left : float
        The share of the capital that no strategy has.
    reserve : float64 array of shape (n_bars,)
        Its cash where nothing is ever restored.
    """

    def __init__(self, accounts: Sequence[Account], plans: Sequence[AnyPlan], left: float, reserve: Float1D) -> None:
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
        walkers = [_walker(account, plan, capacity) for account, plan in zip(self._accounts, self._plans, strict=True)]
        transfers, reserve = np.zeros((len(walkers), self._n_bars)), self._reserve.copy()
        edges = [0, *(bar + 1 for bar in at.tolist() if bar + 1 < self._n_bars), self._n_bars]
        for first, stop in pairwise(edges):
            if not all(walker.walk(first, stop) for walker in walkers):
                return None
            if stop < self._n_bars:
                self._restore(walkers, stop - 1, transfers, reserve)
        return [walker.ledger() for walker in walkers], transfers, reserve

    def _restore(self, walkers: Sequence[Walker], bar: int, transfers: Float2D, reserve: Float1D) -> None:
        """Give each sleeve that is not ruined its share of what they and the reserve are worth."""
        alive = [k for k, walker in enumerate(walkers) if not walker.is_ruined]
        equity = {k: float(walkers[k].curve[EQUITY, bar]) for k in alive}
        if not alive or min(equity.values()) <= 0.0:
            return
        total = sum(equity.values()) + float(reserve[bar])
        whole = sum(self._plans[k].share for k in alive) + self._left
        wanted = {k: self._plans[k].share / whole * total for k in alive}
        if all(abs(wanted[k] - equity[k]) <= ROUNDING * equity[k] for k in alive):
            return
        for k in alive:
            moved, curve = wanted[k] - equity[k], walkers[k].curve
            transfers[k, bar] = moved
            curve[EQUITY, bar] += moved
            curve[CASH, bar] += moved
            walkers[k].move(bar, moved, wanted[k] / equity[k])
        if self._left > 0.0:
            reserve[bar:] = total - sum(wanted.values())


def _walker(account: Account, plan: AnyPlan, capacity: int) -> Walker:
    if isinstance(plan, StatefulPlan):
        from algotrendy.backtest.stateful.sleeve import StatefulWalker

        return StatefulWalker(account, plan)
    return (_SignalsWalker if account.extras is None else _FullSignalsWalker)(account, plan, capacity)


class _SignalsWalker:
    """A sleeve that competing signals move."""

    _n_rows = 3

    def __init__(self, account: Account, plan: Plan, capacity: int) -> None:
        self._account, self._plan = account, plan
        self.curve = np.empty((self._n_rows, account.n_bars))
        self._fills = empty_fills(capacity)
        self._sleeve: Any = self._new_sleeve()

    def _new_sleeve(self) -> Sleeve | FullSleeve:
        from algotrendy.kernels.portfolio_sleeves import new_sleeve

        account = self._account
        return new_sleeve(account.n_instruments, account.n_bars, account.options.cash)

    def walk(self, first: int, stop: int) -> bool:
        """As `Walker`."""
        return self._walk(self._sleeve._replace(first=first, stop=stop)) >= 0

    def _walk(self, sleeve: Any) -> int:
        from algotrendy.kernels.portfolio_signals import walk_signals

        account, plan = self._account, self._plan
        kind, places = plan.decided.size_kind, plan.places
        venue = account.venue(self._fills, account.columns, size_kind=kind, max_positions=places)
        return int(walk_signals(plan.wishes, plan.decided.levels, venue, self.curve, sleeve)[0])

    @property
    def is_ruined(self) -> bool:
        """As `Walker`."""
        from algotrendy.kernels.portfolio_sleeves import RUINED_AT

        return bool(self._sleeve.counts[RUINED_AT] >= 0)

    def move(self, bar: int, cash: float, factor: float) -> None:
        """As `Walker`."""
        from algotrendy.kernels.portfolio_sleeves import RESIZED_AT, WAITING

        sleeve = self._sleeve
        sleeve.cash[0] += cash
        sleeve.counts[RESIZED_AT] = bar
        held = sleeve.state.units != 0.0
        sleeve.factors[held] *= factor
        sleeve.counts[WAITING] = int(held.sum())

    def ledger(self) -> Ledger:
        """As `Walker`."""
        from algotrendy.kernels.portfolio_sleeves import ROWS, RUINED_AT

        counts, fills = self._sleeve.counts, self._fills
        n_fills, ruined_at = int(counts[ROWS]), int(counts[RUINED_AT])
        done = Fills(fills.places[:n_fills].copy(), fills.money[:n_fills].copy())
        in_order = sums_in_order(self._account, self._plan.decided)
        return Ledger(self._account, done, self.curve, None if ruined_at < 0 else ruined_at, in_order)


class _FullSignalsWalker(_SignalsWalker):
    """As `_SignalsWalker`, of an account with extras."""

    _n_rows = 4

    def __init__(self, account: Account, plan: Plan, capacity: int) -> None:
        super().__init__(account, plan, capacity)
        self._is_capped = account.extras is not None and account.extras.is_capped
        self._unfilled = np.zeros((account.n_bars, account.n_instruments) if self._is_capped else (1, 1))

    def _new_sleeve(self) -> FullSleeve:
        from algotrendy.kernels.portfolio_sleeves_full import new_full_sleeve

        account = self._account
        return new_full_sleeve(account.n_instruments, account.n_bars, account.options.cash)

    def _walk(self, sleeve: Any) -> int:
        from algotrendy.kernels.portfolio_signals_full import walk_signals_full

        account, plan = self._account, self._plan
        kind, places, out = plan.decided.size_kind, plan.places, (self.curve, self._unfilled, sleeve)
        venue = account.venue(self._fills, account.market, size_kind=kind, max_positions=places)
        extras = account.kernel_extras
        return int(walk_signals_full(plan.wishes, plan.decided.levels, venue, extras, out)[0])

    def move(self, bar: int, cash: float, factor: float) -> None:
        """As `Walker`; what is still being bought grows and shrinks as well."""
        super().move(bar, cash, factor)
        lots, rest = self._account.terms.lot_size, self._sleeve.state.rest
        rest *= factor
        lotted = lots > 0.0
        whole = np.floor(np.abs(rest[lotted]) / lots[lotted] + LOT_ROUNDING) * lots[lotted]
        rest[lotted] = np.copysign(whole, rest[lotted])

    def ledger(self) -> Ledger:
        """As `Walker`."""
        return replace(super().ledger(), in_order=False, unfilled=self._unfilled if self._is_capped else None)
