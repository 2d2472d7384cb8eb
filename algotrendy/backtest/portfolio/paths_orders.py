"""Runs of explicit orders, with what else may have happened to limits and stops inside bars.

Along a path an order is filled where the price first gets to it. An order that begins to work inside the bar, as a
stop does whose entry was filled there, works from that moment on; what lies beyond its price then is filled at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

from algotrendy.backtest.fill_search import Way
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.orders import frame_of, requests_of
from algotrendy.backtest.portfolio.paths_desk import ALIVE, CROSSED, REFUSED, PathDesk, desk_of
from algotrendy.backtest.portfolio.reference_extras import Step
from algotrendy.backtest.portfolio.reference_orders import Request
from algotrendy.kernels.portfolio_types import LIMIT, MARKET, STOP_ORDER

__all__ = ["OrdersWay", "orders_way", "requests_in"]

KINDS = {MARKET: "market", LIMIT: "limit", STOP_ORDER: "stop"}
MEASURES = ("units", "share", "parent")
TOUCH = 1e-12


class _Point(NamedTuple):
    """Where a path is: the price, and which extremes of the bar it has been at."""

    price: float
    was_high: bool
    was_low: bool


def fates(desk: PathDesk, i: int, j: int) -> list[PathDesk]:
    """Return what consistent paths make of the orders of one instrument, each once.

    Parameters
    ----------
    desk : PathDesk
        After the open.
    i : int
        The bar.
    j : int
        The instrument.
    """
    alive, steps = [desk], desk.steps_inside(i, j)
    for step in steps:
        found: dict[Hashable, PathDesk] = {}
        for each in alive:
            start = each.copied()
            start.open_step(i, j, step.open)
            for end in _along(start, (i, j), step):
                found.setdefault(end.fate(), end)
        alive = list(found.values())
    return alive


def _along(desk: PathDesk, where: tuple[int, int], bar: Step) -> list[PathDesk]:
    """Return what paths through one bar, or a finer one, make of the orders; `where` is the bar and the instrument."""
    found: dict[Hashable, PathDesk] = {}
    seen: set[Hashable] = set()
    waiting = [(desk, _Point(bar.open, bar.open >= bar.high, bar.open <= bar.low))]
    while waiting:
        at, point = waiting.pop()
        _fill_reached(at, where, point.price)
        key = point, at.fate()
        if key in seen:
            continue
        seen.add(key)
        up, down = _next_up(at, where, point, bar.high), _next_down(at, where, point, bar.low)
        if point.was_high and point.was_low and not _is_between(up, down, point.price, bar.close):
            found.setdefault(at.fate(), at)
        for price in (up, down):
            if price is not None:
                following = _Point(price, point.was_high or price >= bar.high, point.was_low or price <= bar.low)
                waiting.append((at.copied(), following))
    return list(found.values())


def _fill_reached(desk: PathDesk, where: tuple[int, int], price: float) -> None:
    """Fill what the path has come to, and what lies beyond the price as it begins to work."""
    while True:
        for k, level, filled_at, rises in desk.levels(*where):
            slack = TOUCH * abs(level)
            if price >= level - slack if rises else price <= level + slack:
                desk.fill(k, where[0], filled_at if abs(price - level) <= slack else price, "inside")
                break
        else:
            return


def _next_up(desk: PathDesk, where: tuple[int, int], point: _Point, high: float) -> float | None:
    """Return the next price above at which something happens, or the high if the path has still to go there."""
    ways = desk.levels(*where)
    levels = [level for _, level, _, rises in ways if rises and point.price < level <= high * (1 + TOUCH)]
    if levels:
        return min(levels)
    return None if point.was_high else high


def _next_down(desk: PathDesk, where: tuple[int, int], point: _Point, low: float) -> float | None:
    ways = desk.levels(*where)
    levels = [level for _, level, _, rises in ways if not rises and low * (1 - TOUCH) <= level < point.price]
    if levels:
        return max(levels)
    return None if point.was_low else low


def _is_between(up: float | None, down: float | None, price: float, close: float) -> bool:
    """Tell whether something happens on the straight way to the close."""
    if close >= price:
        return up is not None and up <= close
    return down is not None and down >= close


class OrdersWay(Way):
    """One run of explicit orders.

    Parameters
    ----------
    desk : PathDesk
        Before the first bar.
    only_equal : bool
        Whether runs are taken for one only where they hold the very same: what follows hangs on the money there is.
    """

    def __init__(self, desk: PathDesk, *, only_equal: bool) -> None:
        self.desk, self.only_equal = desk, only_equal
        self.equity: list[float] = []
        self.doubtful: set[tuple[int, int]] = set()
        self.was_unsure = False
        """Whether something else may have happened to any order, filled or not."""

    def begin(self, i: int) -> None:
        """See `Way`."""
        if self.desk.account.ruined_at is None:
            self.desk.begin(i)

    def exposed(self, i: int) -> Sequence[int]:
        """See `Way`."""
        if self.desk.account.ruined_at is not None:
            return ()
        found, opens = set(), False
        for k in self.desk.ready(i):
            request = self.desk.requests[k]
            if request.kind != "market" and self.desk.is_touched(k, i):
                found.add(request.instrument)
                opens = opens or not request.reduces
        if opens and len(found) > 1:
            self.desk.doubts.add(CROSSED)
        return sorted(found)

    @property
    def doubts(self) -> set[str]:
        """What makes a search less than exact; where only equal runs are merged, a refusal does not."""
        return self.desk.doubts - {REFUSED} if self.only_equal else self.desk.doubts

    def outcomes(self, i: int, j: int) -> list[PathDesk]:
        """See `Way`: what is left of the orders; the stated rule first."""
        stated = _stated(self.desk, i, j)
        known = stated.fate()
        return [stated, *(each for each in fates(self.desk, i, j) if each.fate() != known)]

    def stated(self, i: int) -> None:
        """Let the stated rule decide inside a bar, and note where something else may have happened."""
        held = [(each.units, each.entry_at) for each in self.desk.account.positions]
        unsure = [j for j in self.exposed(i) if len(self.outcomes(i, j)) > 1]
        if self.desk.account.ruined_at is None:
            self.desk.inside(i)
        self.was_unsure = self.was_unsure or bool(unsure)
        for j in unsure:
            if held[j][0] != 0:
                self.doubtful.add((j, held[j][1]))
            elif any(fill.instrument == j and fill.filled_at == i for fill in self.desk.account.fills[-8:]):
                self.doubtful.add((j, i))

    def apply(self, i: int, j: int, outcome: PathDesk) -> None:
        """See `Way`."""
        self.desk = outcome

    def decide(self, i: int) -> None:
        """Place what is decided at the end of a bar."""
        self.desk.place(i)

    def end(self, i: int) -> None:
        """See `Way`."""
        account, fill = self.desk.account, self.desk.account.options.fill
        if account.ruined_at is None:
            self.desk.before_close(i)
            if fill == "same_close":
                self.decide(i)
            if fill in ("same_close", "next_close"):
                self.desk.at_close(i)
        self.desk.value(i)
        if account.ruined_at is None and fill != "same_close":
            self.decide(i)
        self.equity.append(account.equity(account.marks))

    def divided(self) -> OrdersWay:
        """See `Way`."""
        other = OrdersWay(self.desk.copied(), only_equal=self.only_equal)
        other.equity = list(self.equity)
        return other

    def value(self, i: int) -> float:
        """See `Way`."""
        account = self.desk.account
        return account.equity(account.prices(i, "close"))

    def place(self) -> Hashable:
        """See `Way`."""
        desk, account = self.desk, self.desk.account
        held = tuple((j, each.units > 0, each.entry_at) for j, each in enumerate(account.positions) if each.units != 0)
        standing = tuple((k, *desk.standing_of(k)) for k in desk.alive if desk.state[k].status in ALIVE)
        return account.ruined_at is not None, held, standing

    def amounts(self) -> list[float]:
        """See `Way`."""
        account = self.desk.account
        return [account.cash, *(each.units for each in account.positions)]

    def is_certain(self, other: OrdersWay) -> bool:
        """See `Way`: with the same units the same follows, as long as nothing depends on the money there is."""
        first = 0 if self.only_equal else 1
        return self.amounts()[first:] == other.amounts()[first:]


def _stated(desk: PathDesk, i: int, j: int) -> PathDesk:
    """Return what the stated rule makes of the orders of one instrument: all stops, then all limits."""
    found = desk.copied()
    found.only = j
    found.inside(i)
    found.only = None
    return found


def requests_in(account: Account, orders: Any) -> list[Request]:
    """Return explicit orders as the reference takes them."""
    given = requests_of(account, frame_of(orders, account))
    names = ("placed_at", "instrument", "units", "price", "parent", "group")
    rows = zip(*(getattr(given, name).tolist() for name in names), strict=True)
    return [
        Request(
            placed_at=placed_at,
            instrument=instrument,
            units=units,
            kind=KINDS[int(given.kind[k])],
            price=price,
            is_day=bool(given.is_day[k]),
            parent=None if parent < 0 else parent,
            group=None if group < 0 else group,
            measure=MEASURES[int(given.measure[k])],
            reduces=bool(given.reduces[k]),
        )
        for k, (placed_at, instrument, units, price, parent, group) in enumerate(rows)
    ]


def orders_way(account: Account, orders: Any, *, only_equal: bool = False) -> OrdersWay:
    """Return the run of explicit orders before its first bar.

    Runs are never taken for one where a share of the equity is ordered, or a margin may be called: both hang on money.
    """
    requests = requests_in(account, orders)
    is_called = account.extras is not None and bool(account.kernel_extras.maintenance.any())
    has_shares = any(each.measure == "share" for each in requests)
    return OrdersWay(desk_of(account, requests), only_equal=only_equal or is_called or has_shares)
