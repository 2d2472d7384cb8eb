"""The reference of a strategy that is asked bar by bar as one of several: its orders when its share is restored."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from algotrendy.backtest.portfolio.reference import Account as PlainAccount
from algotrendy.backtest.portfolio.reference import Bars, Options, Terms
from algotrendy.backtest.portfolio.reference_extras import Extra, FullAccount
from algotrendy.backtest.portfolio.reference_orders import Action, Desk, Request, live_through
from algotrendy.backtest.portfolio.reference_orders_full import FullDesk, live_through_full

__all__ = ["Decisions", "FullSleeveOfOrders", "SleeveOfOrders"]


@dataclass(frozen=True)
class Decisions:
    """What is asked at the end of each bar, shown the bar and the desk; `sessions` numbers the session of each bar."""

    decide: Callable[[int, Desk], Sequence[Action]]
    sessions: Sequence[int]


class SleeveOfOrders:
    """The account of one strategy that places its own orders."""

    account: PlainAccount

    def __init__(self, bars: Sequence[Bars], decisions: Decisions, terms: Sequence[Terms], options: Options) -> None:
        self.account = PlainAccount(bars, terms, options)
        self.desk = SizedDesk(self.account, [], decisions.sessions)
        self.decisions = decisions

    def live_through(self, i: int) -> None:
        live_through(i, self.desk, self.decide)

    def decide(self, i: int) -> None:
        for action in self.decisions.decide(i, self.desk):
            self.desk.do(action, i)
        self.desk.place(i)

    def resize(self, i: int, factor: float) -> None:
        """Open orders are multiplied at once, what is held by orders at market, which are filled as any."""
        self.desk.resize(i, factor)


class FullSleeveOfOrders(SleeveOfOrders):
    """As `SleeveOfOrders`, of an account with extras."""

    account: FullAccount
    desk: SizedFullDesk

    def __init__(
        self,
        bars: Sequence[Bars],
        decisions: Decisions,
        given: tuple[Sequence[Terms], Sequence[Extra], Sequence[float]],
        options: Options,
    ) -> None:
        self.account = FullAccount(bars, given[0], options).with_extras(given[1], given[2])
        self.desk = SizedFullDesk(self.account, [], decisions.sessions)
        self.decisions = decisions

    def live_through(self, i: int) -> None:
        live_through_full(i, self.desk, self.decide)


@dataclass
class SizedDesk(Desk):
    """A desk that also has orders of the account's own, which restore the share of the strategy."""

    sizing: list[int] = field(default_factory=list)

    def resize(self, i: int, factor: float) -> None:
        """Multiply what is ordered, and order what multiplies what is held."""
        waiting = [0.0] * len(self.account.positions)
        for k, (request, state) in enumerate(zip(self.requests, self.state, strict=True)):
            is_open = state.status in ("placed", "working")
            if k in self.sizing:  # the last new size has not come about yet: the next one holds both
                if is_open:
                    waiting[request.instrument] += state.wanted
                    state.status = "cancelled"
                continue
            state.filled *= factor  # what a child takes of it
            if is_open and self.is_in_units(k):
                state.wanted = self.scaled(request.instrument, state.wanted, factor)
        for j, position in enumerate(self.account.positions):
            held = position.units
            units = self.account.terms[j].whole((held + waiting[j]) * factor - held) if held != 0.0 else 0.0
            if units != 0.0:
                self.sizing.append(len(self.requests))
                made = Request(placed_at=i, instrument=j, units=units, measure="sized", reduces=units * held < 0.0)
                self.requests.append(made)
                self.state.append(self.standing(made))
                self.start(len(self.state) - 1, i + 1)

    def is_in_units(self, k: int) -> bool:
        return self.requests[k].measure != "share"

    def scaled(self, j: int, units: float, factor: float) -> float:
        """Units that are multiplied, in lots, at least one."""
        terms = self.account.terms[j]
        if math.isinf(units):
            return units
        whole = terms.whole(units * factor)
        return whole if whole != 0.0 else math.copysign(terms.lot_size, units)

    def fill(self, k: int, i: int, price: float, moment: str) -> None:
        """An order of the account's own has a reason of its own."""
        before = len(self.account.fills)
        self.fill_order(k, i, price, moment)
        if self.requests[k].measure == "sized":
            self.account.fills[before:] = [replace(fill, reason="rebalance") for fill in self.account.fills[before:]]

    def fill_order(self, k: int, i: int, price: float, moment: str) -> None:
        """What grows is filled as far as there is room, while there is something that it adds to."""
        request, state = self.requests[k], self.state[k]
        if request.measure == "sized" and not request.reduces:
            prices = self.account.prices(i, "close" if moment == "close" else "open")
            can = self.most(k, price, prices)
            state.wanted = state.wanted if abs(state.wanted) <= abs(can) else can
            if self.account.positions[request.instrument].units * state.wanted <= 0.0:
                self.end(k, "cancelled")
                return
        Desk.fill(self, k, i, price, moment)

    def most(self, k: int, price: float, prices: Sequence[float]) -> float:
        """The signed units that there is room for."""
        request = self.requests[k]
        everything = Request(placed_at=0, instrument=request.instrument, units=math.copysign(math.inf, request.units))
        self.requests[k] = everything
        can = self.units_of_share(k, price, prices)
        self.requests[k] = request
        return can


@dataclass
class SizedFullDesk(SizedDesk, FullDesk):
    """As `SizedDesk`, of an account with extras."""

    account: FullAccount

    def is_in_units(self, k: int) -> bool:
        return super().is_in_units(k) or self.state[k].is_sized

    def scaled(self, j: int, units: float, factor: float) -> float:
        """Lots are rounded where an order is filled."""
        return units * factor

    def fill_order(self, k: int, i: int, price: float, moment: str) -> None:
        FullDesk.fill(self, k, i, price, moment)

    def asked(self, k: int, i: int, price: float, prices: Sequence[float]) -> float:
        request, state = self.requests[k], self.state[k]
        if request.measure != "sized" or request.reduces:
            return super().asked(k, i, price, prices)
        wanted = self.account.terms[request.instrument].whole(state.wanted)
        can = self.opened_by(k, price, prices, math.inf)
        wanted = wanted if abs(wanted) <= abs(can) else can
        if self.account.positions[request.instrument].units * wanted <= 0.0:
            self.end(k, "cancelled")
            return 0.0
        return wanted
