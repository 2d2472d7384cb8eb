"""The reference of explicit orders in an account with extras: actions, margins, interest, caps, ticks, finer bars.

It extends the desk of `reference_orders.py` by what the semantics page says of orders that follow splits, are filled in
parts and bind margins; with no extra it gives what that gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from algotrendy.backtest.portfolio.reference import TOLERANCE, Bars, Options, Recorder, Terms
from algotrendy.backtest.portfolio.reference_extras import Extra, FullAccount, FullRun, Step
from algotrendy.backtest.portfolio.reference_orders import ROUNDING, Action, Desk, Request, Working

__all__ = ["Ended", "FullDesk", "live_through_full", "simulate_decisions_full", "simulate_orders_full"]

Given = tuple[Sequence[Terms], Sequence[Extra], Sequence[float]]
"""Terms and extras of each instrument, and the interest of each bar."""


@dataclass
class Standing(Working):
    """Where an order stands that may be filled in parts: `wanted` is what is left of it.

    It is tried once a bar. A stop that was reached is `triggered`: what is left of it is a market order. A share of the
    equity is units once it `is_sized`. `ratio` is what splits have made of one unit since it was placed, `done` what
    was filled in units of that day: of a share also what closed the other side.
    """

    tried_at: int = -1
    triggered: bool = False
    is_sized: bool = False
    ratio: float = 1.0
    done: float = 0.0


@dataclass(frozen=True)
class Ended:
    """How an order ended, and the signed units that were filled, in units of the day on which it was placed."""

    status: str
    filled: float


class FullDesk(Desk):
    """The working orders of an account that knows what happens to its units, and what it may fill."""

    account: FullAccount
    state: list[Standing]  # type: ignore[assignment]  # `standing` makes them
    steps: Mapping[int, Step] = {}
    """What each instrument is tested on now: a finer bar, or its bar as a whole."""

    def standing(self, request: Request) -> Standing:
        return Standing(wanted=request.units)

    # --- what happens to orders ---

    def follow_actions(self, i: int) -> None:
        """Orders that are open and were placed before follow the units; what was filled is told in units of today."""
        for j, extra in enumerate(self.account.extras):
            if i not in extra.actions:
                continue
            ratio, _, factor = extra.actions[i]
            for k, (request, state) in enumerate(zip(self.requests, self.state, strict=True)):
                if request.instrument != j or request.placed_at >= i:
                    continue
                state.filled *= ratio
                state.ratio *= ratio
                self.requests[k] = replace(request, price=request.price * factor)
                if request.measure != "share" or state.is_sized:
                    state.wanted *= ratio

    def do(self, action: Action, i: int) -> None:
        """What follows the fills of an order that is replaced follows those of the new one."""
        if action.what == "replace":
            for child, each in enumerate(self.requests):
                follows = each.measure == "parent" and self.state[child].status == "working"
                if each.parent == action.order and follows:
                    self.requests[child] = replace(each, parent=len(self.requests))
        super().do(action, i)

    def start_child(self, k: int, from_bar: int) -> None:
        """What takes the units of its parent works as soon as the parent has some."""
        parent = self.requests[k].parent
        assert parent is not None
        above = self.state[parent]
        if above.status == "working" and above.filled != 0 and self.requests[k].measure == "parent":
            self.start(k, from_bar)
        else:
            super().start_child(k, from_bar)

    def release(self, j: int, held: float) -> None:
        """With what only closes ends what would go on opening the position that it closes."""
        before = [state.status for state in self.state]
        super().release(j, held)
        for k, request in enumerate(self.requests):
            if before[k] == "working" and self.state[k].status == "cancelled":
                self.end_rest_of_parent(request)

    def end_rest_of_parent(self, request: Request) -> None:
        if request.measure == "parent":
            assert request.parent is not None
            if self.state[request.parent].status == "working":
                self.end(request.parent, "cancelled")

    # --- filling ---

    def fill(self, k: int, i: int, price: float, moment: str) -> None:
        state, request, account = self.state[k], self.requests[k], self.account
        state.tried_at, state.triggered = i, request.kind == "stop"
        prices = account.prices(i, "close" if moment == "close" else "open")
        j, held = request.instrument, account.positions[request.instrument].units
        closes = held * state.wanted < 0
        wanted = self.asked(k, i, price, prices)
        if wanted == 0:
            return
        now = account.positions[j].units
        turns = now * wanted < 0 and abs(wanted) > abs(now)
        first = -now if turns else wanted
        got = self.part(k, first, price, i)
        is_whole = got == first
        if turns and is_whole:
            more = self.part(k, wanted + now, price, i)
            is_whole, got = more == wanted + now, got + more
        left = state.wanted if request.measure == "share" else wanted
        is_done = is_whole and wanted == left
        state.wanted, state.filled = left - got, state.filled + got
        if is_done:
            state.status = "filled"
        if closes and account.positions[j].units * held <= 0:
            self.release(j, held)
        if got != 0:
            self.end_rest_of_parent(request)
            self.tell_group(k, 1.0 if is_done else got / left, i, moment)
            self.tell_children(k, got, i, moment)

    def part(self, k: int, units: float, price: float, i: int) -> float:
        """Fill what the volume allows of an order, and return it."""
        request = self.requests[k]
        got = self.account.fill(request.instrument, units, price, (request.placed_at, i), request.kind)
        self.state[k].done += got / self.state[k].ratio
        return got

    def tell_group(self, k: int, share: float, i: int, moment: str) -> None:
        """What was filled of an order, as a share of what was left, is taken off the others of its group."""
        at_once = moment == "close" and self.account.options.fill == "same_close"
        for other, each in enumerate(self.requests):
            alive = self.state[other].status in ("placed", "working")
            is_one = self.requests[k].group is not None and each.group == self.requests[k].group
            if alive and is_one and k not in (each.parent, other):
                if share == 1.0:
                    self.end(other, "cancelled")
                elif each.placed_at < i + at_once:
                    self.state[other].wanted *= 1.0 - share

    def tell_children(self, k: int, got: float, i: int, moment: str) -> None:
        """Let children work: all once the order is filled, those that take its units as soon as there are some."""
        is_done = self.state[k].status == "filled"
        for child, each in enumerate(self.requests):
            if each.parent != k:
                continue
            state, takes = self.state[child], each.measure == "parent"
            if state.status == "placed" and each.placed_at < i + (moment == "close") and (is_done or takes):
                first = i + 1 if moment == "close" else i
                self.start(child, first, i if moment == "inside" else -1)
                if first == i:
                    state.session = self.sessions[i]
            elif state.status == "working" and takes:
                state.wanted -= got

    def asked(self, k: int, i: int, price: float, prices: Sequence[float]) -> float:
        """The units that the order wants to fill now; 0.0 if it has to wait, or has ended."""
        request, state, account = self.requests[k], self.state[k], self.account
        held = account.positions[request.instrument].units
        closes, terms = held * state.wanted < 0, account.terms[request.instrument]
        if request.reduces:
            if not closes:
                self.end(k, "cancelled")
                return 0.0
            if abs(state.wanted) >= abs(held) * (1.0 - TOLERANCE):
                return -held
        elif request.measure == "share":
            return self.rest_of_share(k, price, prices) if state.is_sized else self.first_of_share(k, i, price, prices)
        wanted = terms.whole(state.wanted)
        if wanted == 0:
            self.end(k, "cancelled")
        elif not request.reduces and not self.fits_whole(k, wanted, price, prices):
            self.end(k, "refused")
            wanted = 0.0
        return wanted

    def first_of_share(self, k: int, i: int, price: float, prices: Sequence[float]) -> float:
        """Close the other side, then measure the share."""
        request, state = self.requests[k], self.state[k]
        j, held = request.instrument, self.account.positions[request.instrument].units
        closes = held * state.wanted < 0
        if closes and self.part(k, -held, price, i) != -held:
            return 0.0
        wanted = self.units_of_share(k, price, prices)
        if wanted == 0:
            self.end(k, "refused")
            if closes:
                self.release(j, held)
        else:
            state.is_sized, state.wanted = True, wanted
        return wanted

    def units_of_share(self, k: int, price: float, prices: Sequence[float]) -> float:
        share = min(abs(self.state[k].wanted), self.account.options.max_leverage)
        return self.opened_by(k, price, prices, share * self.account.equity(prices))

    def rest_of_share(self, k: int, price: float, prices: Sequence[float]) -> float:
        """Go on with what was measured, as far as there is room."""
        wanted = self.state[k].wanted
        can = self.opened_by(k, price, prices, math.inf)
        return wanted if abs(wanted) <= abs(can) else can

    def opened_by(self, k: int, price: float, prices: Sequence[float], budget: float) -> float:
        """The signed units that a budget, the room and what is left for margins allow."""
        request, account = self.requests[k], self.account
        j, sign = request.instrument, math.copysign(1.0, request.units)
        equity, room, margin = account.equity(prices), account.room(prices), account.margin_left(prices)
        least = ROUNDING * equity
        if not (equity > 0 and room > least and margin > least):
            return 0.0
        units = account.allowed(j, self.price_paid(k, sign, price), min(budget, room), margin)
        units = account.terms[j].whole(units)
        return sign * units if 0 < units < math.inf else 0.0

    def price_paid(self, k: int, sign: float, price: float) -> float:
        request = self.requests[k]
        slippage = 0.0 if request.kind == "limit" else self.account.terms[request.instrument].slippage
        return price * (1.0 + sign * slippage)

    def fits_whole(self, k: int, wanted: float, price: float, prices: Sequence[float]) -> bool:
        """Whether all that is left fits, whatever the volume allows now: into the room, and into the initial margin."""
        request, account = self.requests[k], self.account
        j = request.instrument
        terms, held, mark = account.terms[j], account.positions[j].units, prices[j]
        closes = min(abs(held), abs(wanted)) if held * wanted < 0 else 0.0
        opens = abs(wanted) - closes
        if opens == 0:
            return True
        sign = 1.0 if wanted > 0 else -1.0
        fill_price = self.price_paid(k, sign, price)
        cash = account.cash - sign * closes * fill_price - (terms.commission(closes, fill_price) if closes else 0.0)
        equity = cash + account.equity(prices) - account.cash + sign * closes * mark
        paid, slack = terms.commission(opens, fill_price), ROUNDING * abs(equity)
        room = account.options.max_leverage * equity - (account.gross(prices) - closes * mark)
        if not (equity > 0 and opens * fill_price + paid <= room + slack):
            return False
        if math.isinf(account.margin_left(prices)):
            return True
        bound = account.bound(prices, "initial") - account.margin_of(j, closes, mark)
        return account.margin_of(j, opens, fill_price) + paid <= equity - bound + slack

    # --- when ---

    def ready(self, i: int) -> list[int]:
        return [k for k in super().ready(i) if self.state[k].tried_at != i]

    def at_market(self, k: int) -> bool:
        return self.requests[k].kind == "market" or self.state[k].triggered

    def resting_price(self, k: int) -> float:
        """Where an order rests: a limit on the tick, where it is not worse for its owner than asked for."""
        request = self.requests[k]
        if request.kind != "limit":
            return request.price
        return self.account.to_tick(request.instrument, request.price, down=request.units > 0)

    def is_reached(self, k: int, low: float, high: float) -> bool:
        return self.reached(replace(self.requests[k], price=self.resting_price(k)), low, high)

    def at_open(self, i: int, *, with_markets: bool) -> bool:
        any_tried = False
        for k in self.ready(i):
            if self.state[k].status != "working":
                continue
            price = self.account.bars[self.requests[k].instrument].open[i]
            assert price is not None
            at_market = self.at_market(k)
            if (at_market and with_markets) or (not at_market and self.is_reached(k, price, price)):
                self.fill(k, i, price, "open")
                any_tried = True
        return any_tried

    def inside(self, i: int) -> None:
        """Go through the finer bars of all instruments by time; each is a bar of its own, but for orders at market."""
        for steps in self.moments(i):
            self.steps = steps
            while self.at_step_open(i):
                pass
            super().inside(i)
            self.grow_up(i)

    def grow_up(self, i: int) -> None:
        """What was born inside a finer bar is tested like anything else from the next one on."""
        for state in self.state:
            state.born_inside = -1 if state.born_inside == i else state.born_inside

    def moments(self, i: int) -> list[dict[int, Step]]:
        """What is tested together, by instrument; a bar without finer ones comes as a whole with the first of them."""
        found: dict[int, dict[int, Step]] = {0: {}}
        for j, (extra, bars) in enumerate(zip(self.account.extras, self.account.bars, strict=True)):
            opening, high, low = bars.open[i], bars.high[i], bars.low[i]
            if opening is not None and high is not None and low is not None:
                for step in extra.fine.get(i) or [Step(opening, high, low)]:
                    found.setdefault(step.turn, {})[j] = step
        return [found[turn] for turn in sorted(found)]

    def at_step_open(self, i: int) -> bool:
        any_tried = False
        for k in self.ready(i):
            step = self.steps.get(self.requests[k].instrument)
            rests = self.state[k].status == "working" and not self.at_market(k)
            if step is not None and rests and self.is_reached(k, step.open, step.open):
                self.fill(k, i, step.open, "open")
                any_tried = True
        return any_tried

    def touch(self, i: int, kind: str, *, reborn: bool) -> bool:
        any_tried = False
        for k in self.ready(i):
            request, state = self.requests[k], self.state[k]
            if state.status != "working" or request.kind != kind or (state.born_inside == i) is not reborn:
                continue
            step = self.steps.get(request.instrument)
            if step is not None and not state.triggered and self.is_reached(k, step.low, step.high):
                price = self.resting_price(k)
                if kind == "stop":
                    price = self.account.to_tick(request.instrument, price, down=request.units < 0)
                self.fill(k, i, price, "inside")
                any_tried = True
        return any_tried

    def at_close(self, i: int) -> None:
        for k in self.ready(i):
            if self.state[k].status == "working" and self.at_market(k):
                price = self.account.bars[self.requests[k].instrument].close[i]
                assert price is not None
                self.fill(k, i, price, "close")


def simulate_orders_full(
    bars: Sequence[Bars], requests: Sequence[Request], sessions: Sequence[int], given: Given, options: Options
) -> tuple[FullRun, list[Ended]]:
    """Work explicit orders; `given` is terms and extras of each instrument, and the interest of each bar.

    Examples
    --------
    >>> flat = Bars([10.0] * 4, [10.0] * 4, [10.0] * 4, [10.0] * 4)
    >>> buy, thin = Request(placed_at=0, instrument=0, units=9.0), Extra(caps=[4.0] * 4)
    >>> done, ends = simulate_orders_full([flat], [buy], [0] * 4, ([Terms()], [thin], [0.0] * 4), Options(cash=100.0))
    >>> done.run.units, done.unfilled, ends
    ([[0.0], [4.0], [8.0], [9.0]], {(1, 0): 5.0, (2, 0): 1.0}, [Ended(status='filled', filled=9.0)])
    """
    desk = FullDesk(FullAccount(bars, given[0], options).with_extras(given[1], given[2]), list(requests), sessions)
    return _lived(desk, desk.place), _ends(desk)


def simulate_decisions_full(
    bars: Sequence[Bars],
    decide: Callable[[int, Desk], Sequence[Action]],
    sessions: Sequence[int],
    given: Given,
    options: Options,
) -> tuple[FullRun, list[Ended]]:
    """Work what is decided at the end of each bar, by who is shown the bar and the desk.

    Examples
    --------
    >>> halved = Bars([10.0, 10.0, 5.0], [10.0, 10.0, 5.0], [10.0, 10.0, 5.0], [10.0, 10.0, 5.0])
    >>> half = Request(placed_at=0, instrument=0, units=0.5, measure="share")
    >>> decide = lambda i, desk: [Action("place", request=half)] if i == 0 else []
    >>> given = ([Terms()], [Extra(actions={2: (2.0, 0.0, 0.5)})], [0.0] * 3)
    >>> done, ends = simulate_decisions_full([halved], decide, [0] * 3, given, Options(cash=100.0))
    >>> done.run.units, ends
    ([[0.0], [5.0], [10.0]], [Ended(status='filled', filled=5.0)])
    """
    desk = FullDesk(FullAccount(bars, given[0], options).with_extras(given[1], given[2]), [], sessions)

    def decided(i: int) -> None:
        for action in decide(i, desk):
            desk.do(action, i)
        desk.place(i)

    return _lived(desk, decided), _ends(desk)


def _ends(desk: FullDesk) -> list[Ended]:
    return [Ended(state.status, state.done) for state in desk.state]


def _lived(desk: FullDesk, decide: Callable[[int], None]) -> FullRun:
    """Live through all bars; `decide` is called where orders are placed."""
    account, recorder = desk.account, Recorder()
    for i in range(len(desk.sessions)):
        live_through_full(i, desk, decide)
        recorder.note(account)
    return FullRun(recorder.run(account), account.interest_paid, account.unfilled)


def live_through_full(i: int, desk: FullDesk, decide: Callable[[int], None]) -> None:
    """Live through one bar."""
    account = desk.account
    fill = account.options.fill
    if account.ruined_at is None:
        account.begin(i)
        desk.follow_actions(i)
        if fill == "next_open":
            account.liquidate(i, "open")
        desk.expire(i)
        while desk.at_open(i, with_markets=fill == "next_open"):  # children may be filled at it as well
            pass
        desk.inside(i)
        if fill != "next_open":
            account.liquidate(i, "close")
        if fill == "same_close":
            decide(i)
        if fill in ("same_close", "next_close"):
            desk.at_close(i)
    account.value(i)
    if account.ruined_at is None and fill != "same_close":
        decide(i)
