"""The orders of a stateful run as the kernel reads them: arrays that grow, and what came of each order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.orders import KINDS
from algotrendy.backtest.stateful.orders import AccountState, Action, Order
from algotrendy.domain.types import AnyArray, Int1D
from algotrendy.kernels.portfolio_types import REBALANCE, Fills, Venue, empty_fills

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.kernels.portfolio_events import Walk
    from algotrendy.kernels.portfolio_orders import Desk, Requests

__all__ = ["Blotter", "frame_of"]

_ROOM = 64
LOT_ROUNDING = 1e-9
_NEVER = 1 << 62
_PER_ORDER = ("placed_at", "instrument", "kind", "units", "measure", "reduces", "price", "is_day", "parent", "group")
_LINKS = ("first_child", "next_child", "first_of_group", "next_of_group")


class Blotter:
    """All orders of one run.

    Parameters
    ----------
    account : Account
        What it runs on.
    state : AccountState
        As the strategy sees it; statuses of its orders are kept up to date.
    room : int
        For so many orders there is room at first.
    """

    def __init__(self, account: Account, state: AccountState, room: int = _ROOM) -> None:
        from algotrendy.kernels.portfolio_events import live
        from algotrendy.kernels.portfolio_orders import STATUS, WORKING

        self._words, self._last_open = STATUS, WORKING
        self.account, self.state = account, state
        self.orders: list[Order] = []
        self._asked: list[float | None] = []
        self._sizing: list[int] = []
        self._last_child: dict[int, int] = {}
        self._last_of_group: dict[int, int] = {}
        self._units: AnyArray = np.zeros(account.n_instruments)
        self._capacity = 0
        self._kept_fills: Fills | None = None
        self._grow(room)
        self.walk: Walk = self._new_walk()
        self.table = self._table()
        self.live: Callable[[int, int, int, Int1D], None] = live
        """Lives through bars: the first, the one after the last, which part of them, and the table."""

    def apply(self, actions: list[Action]) -> None:
        """Do what the strategy did at a bar, in its order."""
        from algotrendy.kernels.portfolio_orders import CANCELLED, REPLACED

        status = self.desk.status
        for what, order in actions:
            if what == "place":
                self._add(order)
                status = self.desk.status
            elif what == "cancel":
                status[order.id] = CANCELLED
            else:
                status[order.id] = REPLACED
        actions.clear()

    def refresh(self) -> None:
        """Tell the strategy's orders where they stand now."""
        status, still = self._status, self.state.open
        ended = []
        for number, order in still.items():
            code = status[number]
            order.status = self._words[code]
            if code > self._last_open:
                ended.append(number)
        for number in ended:
            del still[number]

    def resize(self, bar: int, factor: float) -> None:
        """Let what is held and what is ordered follow a change of capital at the end of a bar.

        Positions are multiplied by orders at market of the account's own; units of open orders are multiplied at once.
        """
        from algotrendy.kernels.portfolio_orders import CANCELLED, SHARE, WORKING

        status, requests, waiting = self.desk.status, self.requests, np.zeros(self.account.n_instruments)
        for k in self._sizing:
            if status[k] <= WORKING:  # the last new size has not come about yet
                waiting[requests.instrument[k]] += self._units_left(k)
                status[k] = CANCELLED
        for k, order in self.state.open.items():
            if status[k] > WORKING:
                continue
            if requests.measure[k] != SHARE or self._is_sized(k):
                requests.units[k] = self._scaled(k, factor)
            if order.units is not None:
                order.units = float(requests.units[k])
        self.desk.filled[: len(self.orders)] *= factor  # what waits for a fill takes as many units
        held = self._units.copy()
        for j in np.flatnonzero(held).tolist():
            self._order_size(bar, j, (held[j], (held[j] + waiting[j]) * factor - held[j]))

    def _order_size(self, bar: int, j: int, change: tuple[float, float]) -> None:
        """Order a new size of a position; `change` is what is held and what comes to it, both signed."""
        from algotrendy.kernels.portfolio_orders import SIZED

        held, units = change
        units = self._in_lots(j, units)
        if units == 0.0:
            return
        symbol, number = self.account.panel.symbols[j], self.state.n_orders
        shrinks = units * held < 0.0
        self.state.n_orders += 1
        order = Order(
            id=number, symbol=symbol, place=j, type="market", sign=float(np.sign(units)), units=units, size=None,
            limit_price=None, stop_price=None, time_in_force="GTC", parent=None, group=None, reduce_only=shrinks,
            placed_at=bar,
        )  # fmt: skip
        self._add(order)
        self._sizing.append(number)
        if not shrinks:
            self.requests.measure[number] = SIZED
        self._start(number, bar + 1)

    def _start(self, k: int, from_bar: int) -> None:
        """Let the order that was added last work from a bar on; the walk does not place it any more."""
        from algotrendy.kernels.portfolio_events import FIRST
        from algotrendy.kernels.portfolio_orders import WORKING

        desk = self.desk
        desk.status[k], desk.from_bar[k], desk.born_inside[k] = WORKING, from_bar, -1
        desk.born[desk.counts[1]] = k
        desk.counts[1] += 1
        self.walk.counts[FIRST] = k + 1

    def _in_lots(self, j: int, units: float) -> float:
        """Return units rounded towards zero to the lot."""
        lot = float(self.account.terms.lot_size[j])
        if lot <= 0.0 or not np.isfinite(units):
            return units
        return float(np.copysign(np.floor(abs(units) / lot + LOT_ROUNDING) * lot, units))

    def _scaled(self, k: int, factor: float) -> float:
        """Return the units of an open order after a change of capital: at least one lot."""
        j, units = int(self.requests.instrument[k]), float(self.requests.units[k]) * factor
        whole = self._in_lots(j, units)
        return whole if whole != 0.0 else float(np.copysign(self.account.terms.lot_size[j], units))

    def _units_left(self, k: int) -> float:
        """Return what is left of an order, in units of today."""
        return float(self.requests.units[k])

    def _is_sized(self, k: int) -> bool:
        """Tell whether a share of the equity is units by now: only where orders are filled in parts."""
        return False

    @property
    def own_orders(self) -> list[Order]:
        """The orders of the strategy, without those that restored its share."""
        sizing = set(self._sizing)
        return [order for k, order in enumerate(self.orders) if k not in sizing]

    def fills_since(self, row: int) -> list[tuple[int, int, int, float, float, Order | None]]:
        """Return bar, instrument, reason, units, price before slippage and order of the fills from a row on."""
        places, money, filler = self.fills.places, self.fills.money, self.desk.filler
        found = []
        for k in range(row, int(self.walk.counts[0])):
            number = int(filler[k])
            order = None if number < 0 else self.orders[number]
            _, bar, j, reason = places[k].tolist()
            if number in self._sizing:
                order, reason = None, REBALANCE
            units, price = money[k].tolist()
            found.append((bar, j, reason, units, price, order))
        return found

    def ledger(self) -> Ledger:
        """Return what was done."""
        from algotrendy.kernels.portfolio_events import ROWS, RUINED_AT

        n, ruined_at = int(self.walk.counts[ROWS]), int(self.walk.counts[RUINED_AT])
        done = Fills(self.fills.places[:n].copy(), self.fills.money[:n].copy())
        if self._sizing:
            done.places[np.isin(self.desk.filler[:n], self._sizing), 3] = REBALANCE
        return Ledger(self.account, done, self.walk.curve, None if ruined_at < 0 else ruined_at)

    def frame(self) -> pd.DataFrame:
        """Return one row per order: the columns of `orders=`, then what came of it."""
        filled, sizing = self._filled(), set(self._sizing)
        rows = [k for k in range(len(self.orders)) if k not in sizing]
        status, asked = self.desk.status[rows].tolist(), [self._asked[k] for k in rows]
        done = [filled[0][k] for k in rows], [filled[1][k] for k in rows]
        return frame_of(self.account.panel.index, self.own_orders, status, asked, done)

    def _filled(self) -> tuple[Sequence[float], Sequence[float]]:
        """Return what was filled of each order, and the average price after slippage."""
        return [order.filled_units for order in self.orders], [order.fill_price for order in self.orders]

    # --- arrays ---

    def _new_walk(self) -> Walk:
        from algotrendy.kernels.portfolio_events import new_walk

        return new_walk(self.account.n_bars, self.venue)

    def _room(self, capacity: int) -> int:
        """Return how many fills there can be with so many orders."""
        return 2 * capacity + 2 * self.account.n_instruments

    def _add(self, order: Order) -> None:
        """Write an order into the next row; its number is its place."""
        from algotrendy.kernels.portfolio_orders import OF_PARENT, OWN_UNITS, SHARE

        k = len(self.orders)
        if k >= self._capacity:
            self._grow(2 * self._capacity)
            self.table = self._table()
        self.orders.append(order)
        self._asked.append(order.units)  # as it was placed: what is open follows splits
        requests = self.requests
        price = order.limit_price if order.type == "limit" else order.stop_price
        requests.placed_at[k], requests.instrument[k] = order.placed_at, order.place
        requests.kind[k], requests.reduces[k] = KINDS[order.type], order.reduce_only
        requests.is_day[k] = order.time_in_force == "DAY"
        requests.price[k] = 0.0 if price is None else price / order.scale * self.account.multipliers[order.place]
        if order.size is not None:
            requests.units[k], requests.measure[k] = order.size, SHARE
        elif order.units is not None:
            requests.units[k], requests.measure[k] = order.units, OWN_UNITS
        else:
            requests.units[k], requests.measure[k] = order.sign * np.inf, OF_PARENT
        above = order.parent
        while above is not None and above.id > k:  # it was replaced at this very bar: the new one comes later
            above = above.predecessor
        if above is not None:
            self._link(k, above.id)
        if order.group is not None:
            self._join(k, order.group)
        if order.predecessor is not None:
            self._inherit(k, order.predecessor.id)

    def _link(self, k: int, parent: int) -> None:
        requests, last = self.requests, self._last_child.get(parent)
        requests.parent[k] = parent
        if last is None:
            requests.first_child[parent] = k
        else:
            requests.next_child[last] = k
        self._last_child[parent] = k

    def _join(self, k: int, group: int) -> None:
        requests, last = self.requests, self._last_of_group.get(group)
        requests.group[k] = group
        if last is None:
            requests.first_of_group[group] = k
        else:
            requests.next_of_group[last] = k
        self._last_of_group[group] = k

    def _inherit(self, k: int, old: int) -> None:
        """Let the children of an order that was replaced hang on the one in its place."""
        child = int(self.requests.first_child[old])
        self.requests.first_child[old] = -1
        self._last_child.pop(old, None)
        while child >= 0:
            following = int(self.requests.next_child[child])
            self.requests.next_child[child] = -1
            self._link(child, k)
            child = following

    def _grow(self, capacity: int) -> None:
        """Make room for so many orders, and for all that may be filled of them."""
        from algotrendy.kernels.portfolio_orders import Desk, Requests

        before = self._capacity

        def grown(old: AnyArray | None, dtype: Any, empty: Any, size: int = capacity) -> AnyArray:
            made: AnyArray = np.full(size, empty, dtype=dtype)
            if old is not None:
                made[: len(old)] = old
            return made

        requests, desk = (self.requests, self.desk) if before else (None, None)
        kinds = {"units": np.float64, "price": np.float64, "reduces": np.bool_, "is_day": np.bool_}
        empties = {"placed_at": _NEVER, "parent": -1, "group": -1} | dict.fromkeys(_LINKS, -1)
        self.requests: Requests = Requests(
            **{
                name: grown(getattr(requests, name, None), kinds.get(name, np.int64), empties.get(name, 0))
                for name in (*_PER_ORDER, *_LINKS)
            },
            sessions=self.account.sessions,
        )
        room = self._room(capacity)
        self.desk: Desk = Desk(
            **{name: grown(getattr(desk, name, None), np.int64, empty) for name, empty in _STANDING.items()},
            counts=np.zeros(2, np.int64) if desk is None else desk.counts,
            filled=grown(getattr(desk, "filled", None), np.float64, 0.0),
            filler=grown(getattr(desk, "filler", None), np.int64, -1, room),
            units=self._units,
        )
        buffer: Any = self.desk.status
        self._status = memoryview(buffer)  # a number of it is read faster than one of the array
        fills = empty_fills(room)
        if self._kept_fills is not None:
            fills.places[: len(self._kept_fills.places)] = self._kept_fills.places
            fills.money[: len(self._kept_fills.money)] = self._kept_fills.money
        self.fills: Fills = fills
        self._kept_fills, self._capacity = fills, capacity
        self.venue: Venue = self.account.venue(fills, self.account.market)

    def _table(self) -> Int1D:
        from algotrendy.kernels.portfolio_events import table_of

        return table_of(self.venue, self.requests, self.desk, self.walk)


_STANDING = {"status": 0, "from_bar": -1, "born_inside": -1, "session": -1, "working": -1, "born": -1}


def frame_of(
    index: pd.DatetimeIndex,
    orders: Sequence[Order],
    status: Sequence[int],
    asked: Sequence[float | None],
    filled: tuple[Sequence[float], Sequence[float]],
) -> pd.DataFrame:
    """Return one row per order: the columns of `orders=`, then what came of it; `status` as the kernel says it.

    `asked` are the units as they were placed, `filled` the units that were filled and the average price after slippage.
    """
    import pandas as pd

    from algotrendy.kernels.portfolio_orders import STATUS

    nan = float("nan")
    columns: dict[str, Any] = {
        "time": index.take([order.placed_at for order in orders]),
        "symbol": [order.symbol for order in orders],
        "quantity": [nan if units is None else units for units in asked],
        "size": [nan if order.size is None else order.size for order in orders],
        "type": [order.type for order in orders],
        "limit_price": [nan if order.limit_price is None else order.limit_price / order.scale for order in orders],
        "stop_price": [nan if order.stop_price is None else order.stop_price / order.scale for order in orders],
        "time_in_force": [order.time_in_force for order in orders],
        "id": [order.id for order in orders],
        "parent": pd.array([None if order.parent is None else order.parent.id for order in orders], dtype="Int64"),
        "group": pd.array([order.group for order in orders], dtype="Int64"),
        "reduce_only": [order.reduce_only for order in orders],
    }
    columns["status"] = [STATUS[each] for each in status]
    columns["filled"], columns["fill_price"] = filled
    columns["replaced_by"] = pd.array(
        [None if order.successor is None else order.successor.id for order in orders], dtype="Int64"
    )
    return pd.DataFrame(columns)
