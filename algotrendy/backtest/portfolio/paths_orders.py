"""Runs of explicit orders, with what else may have happened to limits and stops inside bars.

Along a path an order is filled where the price first gets to it. An order that begins to work inside the bar, as a
stop does whose entry was filled there, works from that moment on; what lies beyond its price then is filled at once.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from algotrendy.backtest.fill_search import Way
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.orders import frame_of, requests_of
from algotrendy.backtest.portfolio.paths_signals import bars_of, options_of_account, terms_of
from algotrendy.backtest.portfolio.reference import Account as ReferenceAccount
from algotrendy.backtest.portfolio.reference_orders import Desk, Request, Working
from algotrendy.kernels.portfolio_types import LIMIT, MARKET, STOP_ORDER

__all__ = ["OrdersWay", "PathDesk", "orders_way"]

KINDS = {MARKET: "market", LIMIT: "limit", STOP_ORDER: "stop"}
MEASURES = ("units", "share", "parent")
TOUCH = 1e-12
ALIVE = ("placed", "working")
REFUSED, CROSSED = "refused", "crossed"
"""An order found no room; orders of two instruments were reached in one bar, and the first one leaves less room."""


class PathDesk(Desk):
    """The working orders of an account, which can be copied, and whose orders can be filled along a path."""

    def __init__(self, account: ReferenceAccount, requests: list[Request], sessions: Sequence[int]) -> None:
        super().__init__(account, requests, sessions)
        self.by_bar: dict[int, list[int]] = {}
        for k, request in enumerate(requests):
            self.by_bar.setdefault(request.placed_at, []).append(k)
        self.alive: list[int] = []
        self.filler: dict[int, int] = {}
        """The order of each fill, by the place of the fill."""
        self.only: int | None = None
        """The one instrument whose orders are looked at now; None: all."""
        self.doubts: set[str] = set()
        """What was seen on any way that makes the search less than exact; one set for all copies."""

    def copied(self) -> PathDesk:
        """Return a copy that shares nothing that changes."""
        other = copy.copy(self)
        account = copy.copy(self.account)
        account.positions = [copy.copy(each) for each in account.positions]
        account.fills, account.trades = list(account.fills), list(account.trades)
        other.account, other.requests = account, list(self.requests)
        other.state = [copy.copy(each) for each in self.state]
        other.by_bar = {bar: list(each) for bar, each in self.by_bar.items()}
        other.alive, other.filler = list(self.alive), dict(self.filler)
        return other

    def add(self, k: int, i: int) -> None:
        """Note that an order is placed at the end of a bar."""
        self.by_bar.setdefault(i, []).append(k)

    def place(self, i: int) -> None:
        """Place what is due at the end of a bar; the others are not looked at."""
        at_once = self.account.options.fill == "same_close"
        for k in self.by_bar.get(i, ()):
            if self.state[k].status == "placed":
                request = self.requests[k]
                self.alive.append(k)
                from_bar = i if at_once and request.kind == "market" else i + 1
                if request.parent is None:
                    self.start(k, from_bar)
                else:
                    self.start_child(k, from_bar)

    def ready(self, i: int) -> list[int]:
        """Return the working orders of instruments that have a bar, sales first, then by row."""
        state, requests = self.state, self.requests
        self.alive = [k for k in self.alive if state[k].status in ALIVE]
        found = [
            k
            for k in self.alive
            if state[k].status == "working"
            and state[k].from_bar <= i
            and self.only in (None, requests[k].instrument)
            and self.account.has_bar(i, requests[k].instrument)
        ]
        return sorted(found, key=lambda k: (requests[k].units > 0, k))

    def fill(self, k: int, i: int, price: float, moment: str) -> None:
        """Fill an order, and note which fills are its own."""
        before = len(self.account.fills)
        super().fill(k, i, price, moment)
        for number in range(before, len(self.account.fills)):
            self.filler[number] = k
        if self.state[k].status == "refused":
            self.doubts.add(REFUSED)

    def fate(self) -> tuple[Any, ...]:
        """Return how every order that has not ended long ago stands, and what is held."""
        standing = tuple((k, *_standing(self.state[k])) for k in self.alive)
        return standing, self.account.cash, tuple(each.units for each in self.account.positions)


def _standing(state: Working) -> tuple[Any, ...]:
    return state.status, state.from_bar, state.wanted, state.filled


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
    bars = desk.account.bars[j]
    low, high, opening, close = (getattr(bars, name)[i] for name in ("low", "high", "open", "close"))
    found: dict[Hashable, PathDesk] = {}
    seen: set[Hashable] = set()
    waiting = [(desk.copied(), _Point(opening, opening >= high, opening <= low))]
    while waiting:
        at, point = waiting.pop()
        _fill_reached(at, i, j, point.price)
        key = point, at.fate()
        if key in seen:
            continue
        seen.add(key)
        up, down = _next_up(at, i, j, point, high), _next_down(at, i, j, point, low)
        if point.was_high and point.was_low and not _is_between(up, down, point.price, close):
            found.setdefault(at.fate(), at)
        for price in (up, down):
            if price is not None:
                following = _Point(price, point.was_high or price >= high, point.was_low or price <= low)
                waiting.append((at.copied(), following))
    return list(found.values())


def _triggers(desk: PathDesk, i: int, j: int) -> Iterator[tuple[int, float, bool]]:
    """Yield the working limits and stops of an instrument: number, price, and whether a rise triggers them."""
    for k in desk.ready(i):
        request = desk.requests[k]
        if request.instrument == j and request.kind in ("limit", "stop"):
            yield k, request.price, (request.kind == "stop") == (request.units > 0)


def _fill_reached(desk: PathDesk, i: int, j: int, price: float) -> None:
    """Fill what the path has come to, and what lies beyond the price as it begins to work."""
    while True:
        for k, level, rises in _triggers(desk, i, j):
            slack = TOUCH * abs(level)
            if price >= level - slack if rises else price <= level + slack:
                at = level if abs(price - level) <= slack else price
                desk.fill(k, i, at, "inside")
                break
        else:
            return


def _next_up(desk: PathDesk, i: int, j: int, point: _Point, high: float) -> float | None:
    """Return the next price above at which something happens, or the high if the path has still to go there."""
    levels = [level for _, level, rises in _triggers(desk, i, j) if rises and point.price < level <= high * (1 + TOUCH)]
    if levels:
        return min(levels)
    return None if point.was_high else high


def _next_down(desk: PathDesk, i: int, j: int, point: _Point, low: float) -> float | None:
    levels = [
        level for _, level, rises in _triggers(desk, i, j) if not rises and low * (1 - TOUCH) <= level < point.price
    ]
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
    has_shares : bool
        Whether orders are shares of the equity.
    """

    def __init__(self, desk: PathDesk, *, has_shares: bool) -> None:
        self.desk, self.has_shares = desk, has_shares
        self.equity: list[float] = []
        self.doubtful: set[tuple[int, int]] = set()
        self.was_unsure = False
        """Whether something else may have happened to any order, filled or not."""

    def begin(self, i: int) -> None:
        """See `Way`."""
        account, desk = self.desk.account, self.desk
        if account.ruined_at is not None:
            return
        account.close_ended(i)
        account.pay_borrow(i)
        desk.expire(i)
        while desk.at_open(i, with_markets=account.options.fill == "next_open"):
            pass

    def exposed(self, i: int) -> Sequence[int]:
        """See `Way`."""
        if self.desk.account.ruined_at is not None:
            return ()
        found, opens = set(), False
        for k in self.desk.ready(i):
            request = self.desk.requests[k]
            bars = self.desk.account.bars[request.instrument]
            low, high = bars.low[i], bars.high[i]
            assert low is not None
            assert high is not None
            if request.kind != "market" and self.desk.reached(request, low, high):
                found.add(request.instrument)
                opens = opens or not request.reduces
        if opens and len(found) > 1:
            self.desk.doubts.add(CROSSED)
        return sorted(found)

    @property
    def doubts(self) -> set[str]:
        """What makes a search less than exact; where only equal runs are merged, a refusal does not."""
        return self.desk.doubts - {REFUSED} if self.has_shares else self.desk.doubts

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
            if fill == "same_close":
                self.decide(i)
            if fill in ("same_close", "next_close"):
                self.desk.at_close(i)
        account.check_ruin(i)
        if account.ruined_at is None and fill != "same_close":
            self.decide(i)
        self.equity.append(account.equity(account.marks))

    def divided(self) -> OrdersWay:
        """See `Way`."""
        other = OrdersWay(self.desk.copied(), has_shares=self.has_shares)
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
        alive = ((k, desk.state[k]) for k in desk.alive)
        standing = tuple((k, each.status, each.from_bar) for k, each in alive if each.status in ALIVE)
        return account.ruined_at is not None, held, standing

    def amounts(self) -> list[float]:
        """See `Way`."""
        account = self.desk.account
        return [account.cash, *(each.units for each in account.positions)]

    def is_certain(self, other: OrdersWay) -> bool:
        """See `Way`: with the same units the same follows, as long as nothing depends on the money there is."""
        same_units = self.amounts()[1:] == other.amounts()[1:]
        return same_units and (not self.has_shares or self.amounts() == other.amounts())


def _stated(desk: PathDesk, i: int, j: int) -> PathDesk:
    """Return what the stated rule makes of the orders of one instrument: all stops, then all limits."""
    found = desk.copied()
    found.only = j
    found.inside(i)
    found.only = None
    return found


def orders_way(account: Account, orders: Any) -> OrdersWay:
    """Return the run of explicit orders before its first bar."""
    given = requests_of(account, frame_of(orders, account))
    names = ("placed_at", "instrument", "units", "price", "parent", "group")
    rows = zip(*(getattr(given, name).tolist() for name in names), strict=True)
    requests = [
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
    inner = ReferenceAccount(bars_of(account), terms_of(account), options_of_account(account))
    desk = PathDesk(inner, requests, account.sessions.tolist())
    return OrdersWay(desk, has_shares=any(each.measure == "share" for each in requests))
