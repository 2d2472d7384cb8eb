"""The reference of explicit orders in one account: the section on explicit orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from algotrendy.backtest.portfolio.reference import Account, Bars, Options, Recorder, ReferenceRun, Terms
from algotrendy.backtest.portfolio.reference_signals import at_or_above, at_or_below

__all__ = ["Request", "simulate_orders"]

ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Request:
    """One order: `placed_at` is the bar at whose end it is placed; `is_day` ends it with its first session.

    `parent` is the place of another order in the list, or None; orders with one `group` (not None) exclude each other.
    """

    placed_at: int
    instrument: int
    units: float
    kind: str = "market"
    price: float = 0.0
    is_day: bool = False
    parent: int | None = None
    group: int | None = None


@dataclass
class Working:
    """Where an order stands: the first bar it may be filled on, and the bar inside which its parent was filled, or -1.

    `session` is that of the first bar it worked on.
    """

    status: str = "placed"
    from_bar: int = -1
    born_inside: int = -1
    session: int | None = None


@dataclass
class Desk:
    """The working orders of an account."""

    account: Account
    requests: Sequence[Request]
    sessions: Sequence[int]
    state: list[Working] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = [Working() for _ in self.requests]

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
        self.state[k].status, self.state[k].from_bar, self.state[k].born_inside = "working", from_bar, born_inside

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

    def fill(self, k: int, i: int, price: float, moment: str) -> None:
        request = self.requests[k]
        prices = self.account.prices(i, "close" if moment == "close" else "open")
        if not self.fits(k, price, prices):
            self.end(k, "refused")
            return
        held = self.account.positions[request.instrument].units
        at, kind = (request.placed_at, i), request.kind
        if held * request.units < 0 and abs(request.units) > abs(held):
            self.account.trade(request.instrument, -held, price, at, kind)
            self.account.trade(request.instrument, request.units + held, price, at, kind)
        else:
            self.account.trade(request.instrument, request.units, price, at, kind)
        self.state[k].status = "filled"
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

    def fits(self, k: int, price: float, prices: Sequence[float]) -> bool:
        """Whether the part that opens fits into the room after the part that closes, valued at the moment's prices."""
        request, account = self.requests[k], self.account
        terms, position = account.terms[request.instrument], account.positions[request.instrument]
        closes = min(abs(position.units), abs(request.units)) if position.units * request.units < 0 else 0.0
        opens = abs(request.units) - closes
        if opens == 0:
            return True
        sign = 1.0 if request.units > 0 else -1.0
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
    account, recorder = Account(bars, terms, options), Recorder()
    desk = Desk(account, requests, sessions)
    for i in range(len(sessions)):
        if account.ruined_at is None:
            account.close_ended(i)
            account.pay_borrow(i)
            desk.expire(i)
            while desk.at_open(i, with_markets=options.fill == "next_open"):  # children may be filled at it as well
                pass
            desk.inside(i)
            if options.fill == "same_close":
                desk.place(i)
            if options.fill in ("same_close", "next_close"):
                desk.at_close(i)
        account.check_ruin(i)
        if account.ruined_at is None and options.fill != "same_close":
            desk.place(i)
        recorder.note(account)
    return recorder.run(account), [state.status for state in desk.state]
