"""The reference of explicit orders in one account, of those given at once and of those decided bar by bar."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from algotrendy.backtest.portfolio.reference import (
    TOLERANCE,
    Account,
    Bars,
    Options,
    Recorder,
    ReferenceRun,
    Terms,
)
from algotrendy.backtest.portfolio.reference_signals import at_or_above, at_or_below

__all__ = ["Action", "Desk", "Request", "live_through", "simulate_decisions", "simulate_orders"]

ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Request:
    """One order: `placed_at` is the bar at whose end it is placed; `is_day` ends it with its first session.

    `parent` is the place of another order in the list, or None; orders with one `group` (not None) exclude each other.
    `measure` says what `units` are: "units", a "share" of the equity at the moment of filling, or "parent": as many as
    the parent fills, of which only the sign counts. `reduces`: it closes what is held then, and never more.
    """

    placed_at: int
    instrument: int
    units: float
    kind: str = "market"
    price: float = 0.0
    is_day: bool = False
    parent: int | None = None
    group: int | None = None
    measure: str = "units"
    reduces: bool = False


@dataclass(frozen=True)
class Action:
    """What is done at the end of a bar: an order placed, cancelled (by its place), or put in the place of another."""

    what: str
    order: int = -1
    request: Request | None = None


@dataclass
class Working:
    """Where an order stands: the first bar it may be filled on, and the bar inside which its parent was filled, or -1.

    `session` is that of the first bar it worked on; `wanted` the signed units, or share, and `filled` what was filled.
    """

    status: str = "placed"
    from_bar: int = -1
    born_inside: int = -1
    session: int | None = None
    wanted: float = 0.0
    filled: float = 0.0


@dataclass
class Desk:
    """The working orders of an account."""

    account: Account
    requests: list[Request]
    sessions: Sequence[int]
    state: list[Working] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = [self.standing(request) for request in self.requests]

    def standing(self, request: Request) -> Working:
        """Where an order begins."""
        return Working(wanted=request.units)

    def do(self, action: Action, i: int) -> None:
        """Place, cancel or replace an order; what is replaced ends, and what waited for it waits for the new one."""
        if action.what == "cancel":
            if self.state[action.order].status in ("placed", "working"):
                self.end(action.order, "cancelled")
            return
        assert action.request is not None
        self.requests.append(action.request)
        self.state.append(self.standing(action.request))
        if action.what == "replace":
            self.state[action.order].status = "replaced"
            for child, each in enumerate(self.requests):
                if each.parent == action.order and self.state[child].status == "placed":
                    self.requests[child] = replace(each, parent=len(self.requests) - 1)

    def place(self, i: int) -> None:
        """What is placed at the end of bar i works from the next bar on, but for market orders of `same_close`."""
        at_once = self.account.options.fill == "same_close"
        for k, request in enumerate(self.requests):
            if request.placed_at == i and self.state[k].status == "placed":
                from_bar = i if at_once and request.kind == "market" else i + 1
                if request.parent is None:
                    self.start(k, from_bar)
                else:
                    self.start_child(k, from_bar)

    def start(self, k: int, from_bar: int, born_inside: int = -1) -> None:
        state, request = self.state[k], self.requests[k]
        state.status, state.from_bar, state.born_inside = "working", from_bar, born_inside
        if request.measure == "parent":
            assert request.parent is not None
            state.wanted = -self.state[request.parent].filled

    def start_child(self, k: int, from_bar: int) -> None:
        """A child whose parent is filled already works like any other; one whose parent ended unfilled is cancelled."""
        parent = self.requests[k].parent
        assert parent is not None
        if self.state[parent].status == "filled":
            self.start(k, from_bar)
        elif self.state[parent].status in ("cancelled", "expired", "refused"):
            self.end(k, "cancelled")

    def end(self, k: int, status: str) -> None:
        """End an order without a fill: its children that wait are cancelled."""
        self.state[k].status = status
        for child, request in enumerate(self.requests):
            if request.parent == k and self.state[child].status == "placed":
                self.end(child, "cancelled")

    def release(self, j: int, held: float) -> None:
        """What only closes is cancelled once nothing is left of the position that it would close."""
        for k, request in enumerate(self.requests):
            is_against = request.reduces and request.instrument == j and (request.units > 0) != (held > 0)
            if is_against and self.state[k].status == "working":
                self.end(k, "cancelled")

    def fill(self, k: int, i: int, price: float, moment: str) -> None:
        request, wanted = self.requests[k], self.state[k].wanted
        j, at, kind = request.instrument, (request.placed_at, i), request.kind
        prices = self.account.prices(i, "close" if moment == "close" else "open")
        held = self.account.positions[j].units
        closes = held > 0 > wanted or held < 0 < wanted
        if request.reduces:
            if not closes:
                self.end(k, "cancelled")
                return
            wanted = -held if abs(wanted) >= abs(held) * (1.0 - TOLERANCE) else wanted
        elif request.measure == "share":
            if closes:
                self.account.trade(j, -held, price, at, kind)
            wanted = self.units_of_share(k, price, prices)
            if wanted == 0:
                self.end(k, "refused")
                if closes:
                    self.release(j, held)
                return
        elif not self.fits(k, price, prices):
            self.end(k, "refused")
            return
        self.state[k].filled = wanted
        now = self.account.positions[j].units
        if now * wanted < 0 and abs(wanted) > abs(now):
            self.account.trade(j, -now, price, at, kind)
            self.account.trade(j, wanted + now, price, at, kind)
        else:
            self.account.trade(j, wanted, price, at, kind)
        self.state[k].status = "filled"
        if closes and self.account.positions[j].units * held <= 0:
            self.release(j, held)
        for other, each in enumerate(self.requests):
            alive = self.state[other].status in ("placed", "working")
            if alive and request.group is not None and each.group == request.group and each.parent != k:
                self.end(other, "cancelled")
        for child, each in enumerate(self.requests):
            if each.parent == k and self.state[child].status == "placed" and each.placed_at < i + (moment == "close"):
                first = i + 1 if moment == "close" else i
                self.start(child, first, i if moment == "inside" else -1)
                if first == i:
                    self.state[child].session = self.sessions[i]

    def units_of_share(self, k: int, price: float, prices: Sequence[float]) -> float:
        """The units whose notional and commission are the share of the equity, or the room if that is less."""
        request, account = self.requests[k], self.account
        terms, sign = account.terms[request.instrument], math.copysign(1.0, request.units)
        fill_price = price * (1.0 + sign * (0.0 if request.kind == "limit" else terms.slippage))
        equity, room = account.equity(prices), account.room(prices)
        if not (equity > 0 and room > ROUNDING * equity):
            return 0.0
        budget = min(min(abs(request.units), account.options.max_leverage) * equity, room)
        units = (budget - terms.fixed) / (fill_price * (1.0 + terms.rate) + terms.per_unit)
        if terms.rate * (units * fill_price) + terms.per_unit * units + terms.fixed < terms.minimum:
            units = (budget - terms.minimum) / fill_price
        units = terms.whole(units)
        return sign * units if 0 < units < math.inf else 0.0

    def fits(self, k: int, price: float, prices: Sequence[float]) -> bool:
        """Whether the part that opens fits into the room after the part that closes, valued at the moment's prices."""
        request, account, wanted = self.requests[k], self.account, self.state[k].wanted
        terms, position = account.terms[request.instrument], account.positions[request.instrument]
        closes = min(abs(position.units), abs(wanted)) if position.units * wanted < 0 else 0.0
        opens = abs(wanted) - closes
        if opens == 0:
            return True
        sign = 1.0 if wanted > 0 else -1.0
        fill_price = price * (1.0 + sign * (0.0 if request.kind == "limit" else terms.slippage))
        mark = prices[request.instrument]
        cash = account.cash - sign * closes * fill_price - (terms.commission(closes, fill_price) if closes else 0.0)
        value, gross = account.equity(prices) - account.cash, account.gross(prices)
        equity = cash + value + sign * closes * mark
        room = account.options.max_leverage * equity - (gross - closes * mark)
        cost = opens * fill_price + terms.commission(opens, fill_price)
        return equity > 0 and cost <= room + ROUNDING * abs(equity)

    def ready(self, i: int) -> list[int]:
        """Working orders whose instrument has a bar, sales first, then by row."""
        found = [
            k
            for k, state in enumerate(self.state)
            if state.status == "working"
            and state.from_bar <= i
            and self.account.has_bar(i, self.requests[k].instrument)
        ]
        return sorted(found, key=lambda k: (self.requests[k].units > 0, k))

    def expire(self, i: int) -> None:
        """A DAY order ends when a bar of a later session than its first one comes."""
        for k in self.ready(i):
            state = self.state[k]
            if state.session is None:
                state.session = self.sessions[i]
            if self.requests[k].is_day and state.session != self.sessions[i]:
                self.end(k, "expired")

    def at_open(self, i: int, *, with_markets: bool) -> bool:
        any_filled = False
        for k in self.ready(i):
            request = self.requests[k]
            price = self.account.bars[request.instrument].open[i]
            assert price is not None
            reached = self.reached(request, price, price)
            if self.state[k].status == "working" and (reached or (request.kind == "market" and with_markets)):
                self.fill(k, i, price, "open")
                any_filled = True
        return any_filled

    def reached(self, request: Request, low: float, high: float) -> bool:
        if request.kind == "limit":
            buys = request.units > 0
            return at_or_below(low, request.price) if buys else at_or_above(high, request.price)
        if request.kind == "stop":
            return at_or_above(high, request.price) if request.units > 0 else at_or_below(low, request.price)
        return False

    def inside(self, i: int) -> None:
        """All stops, then all limits, then the stops that were born by these fills, until none is filled any more."""
        self.touch(i, "stop", reborn=False)
        self.touch(i, "limit", reborn=False)
        while self.touch(i, "stop", reborn=True):
            pass

    def touch(self, i: int, kind: str, *, reborn: bool) -> bool:
        any_filled = False
        for k in self.ready(i):
            request, state = self.requests[k], self.state[k]
            bars = self.account.bars[request.instrument]
            low, high = bars.low[i], bars.high[i]
            assert low is not None
            assert high is not None
            if state.status != "working" or request.kind != kind or (state.born_inside == i) is not reborn:
                continue
            if self.reached(request, low, high):
                self.fill(k, i, request.price, "inside")
                any_filled = True
        return any_filled

    def at_close(self, i: int) -> None:
        for k in self.ready(i):
            if self.state[k].status == "working" and self.requests[k].kind == "market":
                price = self.account.bars[self.requests[k].instrument].close[i]
                assert price is not None
                self.fill(k, i, price, "close")


def simulate_orders(
    bars: Sequence[Bars],
    requests: Sequence[Request],
    sessions: Sequence[int],
    terms: Sequence[Terms],
    options: Options,
) -> tuple[ReferenceRun, list[str]]:
    """Work explicit orders; `sessions` numbers the session of each bar. Returns the run and how each order ended.

    Examples
    --------
    >>> one = Bars([10.0, 10.0, 9.0], [10.0, 11.0, 9.0], [10.0, 8.0, 9.0], [10.0, 9.0, 9.0])
    >>> buy = Request(placed_at=0, instrument=0, units=2.0, kind="limit", price=9.5)
    >>> run, ends = simulate_orders([one], [buy], [0, 1, 2], [Terms()], Options(cash=100.0))
    >>> run.fills[0].price, run.equity, ends
    (9.5, [100.0, 99.0, 99.0], ['filled'])
    """
    desk = Desk(Account(bars, terms, options), list(requests), sessions)
    return _lived(desk, desk.place), [state.status for state in desk.state]


def simulate_decisions(
    bars: Sequence[Bars],
    decide: Callable[[int, Desk], Sequence[Action]],
    sessions: Sequence[int],
    terms: Sequence[Terms],
    options: Options,
) -> tuple[ReferenceRun, list[str]]:
    """Work what is decided at the end of each bar, by who is shown the bar and the desk. Returns as `simulate_orders`.

    Examples
    --------
    >>> one = Bars([10.0, 10.0, 9.0], [10.0, 11.0, 9.0], [10.0, 8.0, 9.0], [10.0, 9.0, 9.0])
    >>> half = Request(placed_at=0, instrument=0, units=0.5, measure="share")
    >>> decide = lambda i, desk: [Action("place", request=half)] if i == 0 else []
    >>> run, ends = simulate_decisions([one], decide, [0, 1, 2], [Terms()], Options(cash=100.0))
    >>> run.fills[0].units, run.equity, ends
    (5.0, [100.0, 95.0, 95.0], ['filled'])
    """
    desk = Desk(Account(bars, terms, options), [], sessions)

    def decided(i: int) -> None:
        for action in decide(i, desk):
            desk.do(action, i)
        desk.place(i)

    return _lived(desk, decided), [state.status for state in desk.state]


def _lived(desk: Desk, decide: Callable[[int], None]) -> ReferenceRun:
    """Live through all bars; `decide` is called where orders are placed."""
    recorder = Recorder()
    for i in range(len(desk.sessions)):
        live_through(i, desk, decide)
        recorder.note(desk.account)
    return recorder.run(desk.account)


def live_through(i: int, desk: Desk, decide: Callable[[int], None]) -> None:
    """Live through one bar."""
    account = desk.account
    fill = account.options.fill
    if account.ruined_at is None:
        account.close_ended(i)
        account.pay_borrow(i)
        desk.expire(i)
        while desk.at_open(i, with_markets=fill == "next_open"):  # children may be filled at it as well
            pass
        desk.inside(i)
        if fill == "same_close":
            decide(i)
        if fill in ("same_close", "next_close"):
            desk.at_close(i)
    account.check_ruin(i)
    if account.ruined_at is None and fill != "same_close":
        decide(i)
