"""The orders of a stateful run in an account with extras: filled in parts, following splits, at adjusted prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.stateful.blotter import Blotter
from algotrendy.backtest.stateful.holding import Holding
from algotrendy.backtest.stateful.orders import Order
from algotrendy.domain.types import AnyArray, Int1D

if TYPE_CHECKING:
    from algotrendy.backtest.portfolio.market import Account
    from algotrendy.backtest.stateful.orders import AccountState
    from algotrendy.kernels.portfolio_events import Walk
    from algotrendy.kernels.portfolio_orders_full import Rest

__all__ = ["Adjusted", "FullBlotter"]


class FullBlotter(Blotter):
    """All orders of one run; parameters as of `Blotter`."""

    def __init__(self, account: Account, state: AccountState) -> None:
        from algotrendy.kernels._portfolio_extras import Hands

        n, extras = account.n_instruments, account.extras
        assert extras is not None
        shape = (account.n_bars, n) if extras.is_capped else (1, 1)
        self._left, self.unfilled = np.full(n, np.inf), np.zeros(shape)
        self.rest: Rest | None = None
        self._hands = Hands
        super().__init__(account, state)
        self.live = self._live

    def refresh(self) -> None:
        """Tell the strategy's orders where they stand now, and what is left of those that were filled in part."""
        super().refresh()
        rest, desk, requests = self._known, self.desk, self.requests
        for k, order in self.state.open.items():
            if rest.sized[k] or desk.filled[k] != 0.0:
                order.rest = float(requests.units[k] * rest.ratio[order.place] / rest.ratio_at[k])

    def _start(self, k: int, from_bar: int) -> None:
        super()._start(k, from_bar)
        rest, j = self._known, self.requests.instrument[k]
        rest.ratio_at[k], rest.placed_ratio[k], rest.level_at[k] = rest.ratio[j], rest.ratio[j], rest.level[j]

    def _scaled(self, k: int, factor: float) -> float:
        """As of a plain account; lots are rounded where an order is filled."""
        return float(self.requests.units[k]) * factor

    def _units_left(self, k: int) -> float:
        rest, j = self._known, self.requests.instrument[k]
        placed = rest.ratio_at[k] != 0.0
        return float(self.requests.units[k] * (rest.ratio[j] / rest.ratio_at[k] if placed else 1.0))

    def _is_sized(self, k: int) -> bool:
        return bool(self._known.sized[k])

    def ledger(self) -> Ledger:
        """Return what was done."""
        found, extras = super().ledger(), self.account.extras
        return replace(found, unfilled=self.unfilled) if extras is not None and extras.is_capped else found

    def _filled(self) -> tuple[Sequence[float], Sequence[float]]:
        """Return what was filled in units of the day of placing, and what was paid for each of these."""
        n = len(self.orders)
        done, paid = self._known.done[:n], self._known.paid[:n]
        multiplier = self.account.multipliers[self.requests.instrument[:n]]
        price = np.divide(paid, done * multiplier, out=np.full(n, np.nan), where=done != 0.0)
        return done.tolist(), price.tolist()

    @property
    def _known(self) -> Rest:
        assert self.rest is not None
        return self.rest

    def _live(self, begin: int, end: int, parts: int, table: Int1D) -> None:
        """Live through bars; before each there is room for all that can be filled in it."""
        from algotrendy.kernels.portfolio_events import ROWS
        from algotrendy.kernels.portfolio_events_full import live_full

        if self.walk.counts[ROWS] + self._most(self._capacity) > len(self.fills.places):
            self._grow(self._capacity)
            self.table = self._table()
        live_full(begin, end, parts, self.table)

    def _new_walk(self) -> Walk:
        from algotrendy.kernels.portfolio_events_full import new_full_walk

        return new_full_walk(self.account.n_bars, self.venue)

    def _most(self, capacity: int) -> int:
        """Return how many fills there can be at one bar with so many orders."""
        from algotrendy.kernels.portfolio_events_full import ROOM_PER_BAR

        return 2 * capacity + ROOM_PER_BAR * self.account.n_instruments

    def _room(self, capacity: int) -> int:
        held = 0 if self._kept_fills is None else len(self._kept_fills.places)
        return 2 * held + 2 * self._most(capacity)

    def _grow(self, capacity: int) -> None:
        from algotrendy.kernels.portfolio_events_full import new_rest

        super()._grow(capacity)
        grown = new_rest(capacity, self.account.n_instruments)
        if self.rest is not None:
            for old, new in zip(self.rest, grown, strict=True):
                new[: len(old)] = old
        self.rest = grown

    def _table(self) -> Int1D:
        from algotrendy.kernels.portfolio_events_full import More, full_table_of

        more = More(self.account.kernel_extras, self._known, self._hands(self._units, self._left, self.unfilled))
        return full_table_of(self.venue, self.requests, self.desk, self.walk, more)


class Adjusted:
    """Between raw prices and those that are seen, and what follows a split.

    Parameters
    ----------
    account : Account
        Has actions.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        extras = account.kernel_extras
        self._events = list(zip(extras.events.tolist(), extras.changes[:, 0].tolist(), strict=True))
        self._next = 0
        self.holdings: list[Holding | None] = []
        for own, multiplier in zip(account.settings, account.multipliers.tolist(), strict=True):
            seen = own.happening
            paid = None if seen is None else (seen.paid * multiplier).tolist()
            made = None if seen is None or paid is None else Holding(seen.bars.tolist(), paid, multiplier)
            self.holdings.append(made)

    def scale_at(self, j: int, bar: int) -> float:
        """Return what raw prices of an instrument are multiplied with at a bar."""
        seen, rows = self.account.settings[j].happening, self.account.rows[j]
        if seen is None:
            return 1.0
        place = int(np.searchsorted(rows, bar, side="right")) - 1
        scale: AnyArray = seen.scale
        return float(scale[max(place, 0)])

    def is_due(self, bar: int) -> bool:
        """Tell whether something has happened up to a bar that orders have not followed yet."""
        return self._next < len(self._events) and self._events[self._next][0][0] <= bar

    def follow(self, bar: int, orders: Sequence[Order]) -> None:
        """Let the units of orders follow what has happened up to a bar."""
        while self.is_due(bar):
            (at, j), ratio = self._events[self._next]
            self._next += 1
            for order in orders:
                if order.place == j and order.placed_at < at:
                    order.filled_units *= ratio
                    order.units = None if order.units is None else order.units * ratio
