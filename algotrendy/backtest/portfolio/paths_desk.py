"""The desks of the references, which can be copied in the middle of a run, and whose orders are filled along a path."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.paths_signals import bars_of, extras_of_account, options_of_account, terms_of
from algotrendy.backtest.portfolio.reference import Account as ReferenceAccount
from algotrendy.backtest.portfolio.reference_extras import FullAccount, Step
from algotrendy.backtest.portfolio.reference_orders import Desk, Request
from algotrendy.backtest.portfolio.reference_orders_full import FullDesk, Standing
from algotrendy.backtest.portfolio.reference_sleeves_orders import SizedDesk, SizedFullDesk

__all__ = ["ALIVE", "CROSSED", "REFUSED", "FullPathDesk", "Ledger", "PathDesk", "PlainPathDesk", "desk_of"]

ALIVE = ("placed", "working")
REFUSED, CROSSED = "refused", "crossed"
"""An order found no room; orders of two instruments were reached in one bar, and the first one leaves less room."""

Level = tuple[int, float, float, bool]
"""A working limit or stop: number, the price it waits for, the price it is filled at there, and whether a rise
triggers it."""


def _copy(plain: Any) -> Any:
    """Return a copy of an object that is its attributes; `copy.copy` takes ten times as long, and runs divide often."""
    made = object.__new__(type(plain))
    made.__dict__.update(plain.__dict__)
    return made


def _kin_of(requests: Sequence[Request]) -> list[tuple[int, ...]]:
    """Return for each order all that hang together with it: parents and children, and groups.

    Examples
    --------
    >>> one = Request(placed_at=0, instrument=0, units=1.0)
    >>> child, other = Request(placed_at=0, instrument=0, units=-1.0, parent=0, group=7), one
    >>> _kin_of([one, child, other, Request(placed_at=0, instrument=0, units=1.0, group=7)])
    [(0, 1, 3), (0, 1, 3), (2,), (0, 1, 3)]
    """
    family = list(range(len(requests)))

    def head(k: int) -> int:
        while family[k] != k:
            family[k] = family[family[k]]
            k = family[k]
        return k

    first: dict[int, int] = {}
    for k, each in enumerate(requests):
        if each.parent is not None:
            family[head(k)] = head(each.parent)
        if each.group is not None:
            family[head(k)] = head(first.setdefault(each.group, k))
    members: dict[int, list[int]] = {}
    for k in range(len(requests)):
        members.setdefault(head(k), []).append(k)
    return [tuple(members[head(k)]) for k in range(len(requests))]


class Ledger:
    """What was seen on all ways of one instrument that has an account without limits.

    Attributes
    ----------
    least, gross : array of shape (n_bars,)
        The smallest gain so far, and the largest gross exposure, at any moment of a bar.
    needs : dict
        By order and bar the most that it needed: its cost and the exposure beside it, less the room that the gains of
        the instrument itself make. It fits if that is at most the room that the rest of the account leaves.
    was_ruined : bool
        Whether its own losses were more than the cash on any way.
    """

    def __init__(self, n_bars: int) -> None:
        self.least, self.gross = np.zeros(n_bars), np.zeros(n_bars)
        self.needs: dict[tuple[int, int], float] = {}
        self.was_ruined = False

    def see(self, account: ReferenceAccount, i: int) -> None:
        """Note where an account stands, at the prices of both moments of a bar."""
        gained = account.cash - account.options.cash
        for moment in ("open", "close"):
            prices = account.prices(i, moment)
            value = sum(each.units * price for each, price in zip(account.positions, prices, strict=True))
            self.least[i] = min(self.least[i], gained + value)
            self.gross[i] = max(self.gross[i], account.gross(prices))

    def ask(
        self, account: ReferenceAccount, order: tuple[int, int, float, float], prices: Sequence[float], i: int
    ) -> None:
        """Note what an order needs; `order` is its number, instrument, units, and price after slippage."""
        k, j, wanted, fill_price = order
        terms, held, mark = account.terms[j], account.positions[j].units, prices[j]
        closes = min(abs(held), abs(wanted)) if held * wanted < 0 else 0.0
        opens, sign = abs(wanted) - closes, 1.0 if wanted > 0 else -1.0
        if opens == 0:
            return
        paid = terms.commission(closes, fill_price) if closes else 0.0
        gained = account.cash - account.options.cash - sign * closes * fill_price - paid
        gained += held * mark + sign * closes * mark
        cost = opens * fill_price + terms.commission(opens, fill_price)
        beside = abs(held * mark) - closes * mark
        need = cost + beside - account.options.max_leverage * gained
        self.needs[k, i] = max(self.needs.get((k, i), need), need)


class PathDesk(Desk, ABC):
    """The working orders of an account, along paths; both kinds of desks have this."""

    def __init__(self, account: ReferenceAccount, requests: list[Request], sessions: Sequence[int]) -> None:
        super().__init__(account, requests, sessions)
        self.by_bar: dict[int, tuple[int, ...]] = {}
        for k, request in enumerate(requests):
            self.by_bar[request.placed_at] = (*self.by_bar.get(request.placed_at, ()), k)
        self.kin = _kin_of(requests) if requests else None
        """For each order those that its fate may change, by brackets and groups; None where orders come bar by bar."""
        self.alive: list[int] = []
        self.filler: dict[int, int] = {}
        """The order of each fill, by the place of the fill."""
        self.only: int | None = None
        """The one instrument whose orders are looked at now; None: all."""
        self.doubts: set[str] = set()
        """What was seen on any way that makes the search less than exact; one set for all copies."""
        self.ledger: Ledger | None = None
        """Where there is one, nothing is refused for want of room, but what is `doomed`."""
        self.doomed: frozenset[int] = frozenset()
        self.now = 0

    def copied(self) -> Self:
        """Return a copy that shares nothing that changes; where orders stand that are not alive stays shared."""
        other = copy.copy(self)
        account = copy.copy(self.account)
        account.positions = [_copy(each) for each in account.positions]
        account.fills, account.trades = list(account.fills), list(account.trades)
        other.account, other.requests = account, list(self.requests)
        if self.kin is None:
            other.state = [_copy(each) if each.status in ALIVE else each for each in self.state]
        else:
            other.state = list(self.state)
            for k in {one for each in self.alive for one in self.kin[each]}:
                other.state[k] = _copy(self.state[k])
        other.alive, other.filler = list(self.alive), dict(self.filler)
        return other

    def add(self, k: int, i: int) -> None:
        """Note that an order is placed at the end of a bar."""
        self.by_bar = {**self.by_bar, i: (*self.by_bar.get(i, ()), k)}

    def place(self, i: int) -> None:
        """Place what is due at the end of a bar; the others are not looked at."""
        at_once = self.account.options.fill == "same_close"
        for k in self.by_bar.get(i, ()):
            if self.kin is not None:
                for one in self.kin[k]:  # until now copies have shared it
                    self.state[one] = _copy(self.state[one])
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
        before, self.now = len(self.account.fills), i
        super().fill(k, i, price, moment)
        if self.ledger is not None:
            self.ledger.see(self.account, i)
        for number in range(before, len(self.account.fills)):
            self.filler[number] = k
        if self.state[k].status == "refused":
            self.doubts.add(REFUSED)

    def fate(self) -> tuple[Any, ...]:
        """Return how every order that has not ended long ago stands, and what is held."""
        standing = tuple((k, *self.standing_of(k)) for k in self.alive)
        return standing, self.account.cash, tuple(each.units for each in self.account.positions)

    def standing_of(self, k: int) -> tuple[Any, ...]:
        """Return where an order stands."""
        state = self.state[k]
        return state.status, state.from_bar, state.wanted, state.filled

    def note_fit(self, k: int, wanted: float, price: float, prices: Sequence[float]) -> bool:
        """Note what an order needs, and tell whether it is let through."""
        assert self.ledger is not None
        request = self.requests[k]
        slippage = 0.0 if request.kind == "limit" else self.account.terms[request.instrument].slippage
        fill_price = price * (1.0 + (slippage if wanted > 0 else -slippage))
        self.ledger.ask(self.account, (k, request.instrument, wanted, fill_price), prices, self.now)
        return k not in self.doomed

    def note_ruin(self) -> None:
        """Note that the account was ruined."""
        if self.ledger is not None and self.account.ruined_at is not None:
            self.ledger.was_ruined = True

    # --- a bar ---

    @abstractmethod
    def begin(self, i: int) -> None:
        """Live through a bar up to what happens inside it."""

    @abstractmethod
    def before_close(self, i: int) -> None:
        """Do what comes at the close, before orders at market."""

    @abstractmethod
    def value(self, i: int) -> None:
        """Value the account at the end of a bar."""

    def open_orders(self, i: int) -> None:
        """Fill what is filled at the open; children may be filled at it as well."""
        if self.ledger is not None:
            self.ledger.see(self.account, i)
        self.expire(i)
        while self.at_open(i, with_markets=self.account.options.fill == "next_open"):
            pass

    # --- inside a bar ---

    @abstractmethod
    def steps_inside(self, i: int, j: int) -> list[Step]:
        """Return the finer bars of an instrument, or its bar as a whole."""

    @abstractmethod
    def levels(self, i: int, j: int) -> Iterator[Level]:
        """Yield the working limits and stops of an instrument."""

    @abstractmethod
    def is_touched(self, k: int, i: int) -> bool:
        """Tell whether prices inside a bar touch an order."""

    def open_step(self, i: int, j: int, price: float) -> None:
        """Fill what lies beyond the open of a finer bar."""

    def whole_bar(self, i: int, j: int) -> Step:
        """Return the bar of an instrument."""
        bars = self.account.bars[j]
        values: Any = [getattr(bars, name)[i] for name in ("open", "high", "low", "close")]
        return Step(*values)


class PlainPathDesk(PathDesk):
    """Of an account without extras."""

    def begin(self, i: int) -> None:
        """See `PathDesk`."""
        self.account.close_ended(i)
        self.account.pay_borrow(i)
        self.open_orders(i)

    def before_close(self, i: int) -> None:
        """See `PathDesk`."""

    def value(self, i: int) -> None:
        """See `PathDesk`."""
        self.account.check_ruin(i)
        self.note_ruin()

    def fits(self, k: int, price: float, prices: Sequence[float]) -> bool:
        """Tell whether there is room for an order, or note what it needs where there always is."""
        if self.ledger is None:
            return super().fits(k, price, prices)
        return self.note_fit(k, self.state[k].wanted, price, prices)

    def steps_inside(self, i: int, j: int) -> list[Step]:
        """See `PathDesk`."""
        return [self.whole_bar(i, j)]

    def levels(self, i: int, j: int) -> Iterator[Level]:
        """See `PathDesk`."""
        for k in self.ready(i):
            request = self.requests[k]
            if request.instrument == j and request.kind in ("limit", "stop"):
                yield k, request.price, request.price, (request.kind == "stop") == (request.units > 0)

    def is_touched(self, k: int, i: int) -> bool:
        """See `PathDesk`."""
        bar = self.whole_bar(i, self.requests[k].instrument)
        return self.reached(self.requests[k], bar.low, bar.high)


class FullPathDesk(PathDesk, FullDesk):
    """Of an account with extras."""

    account: FullAccount
    state: list[Standing]

    def copied(self) -> Self:
        """See `PathDesk`."""
        other = super().copied()
        other.account.left = list(self.account.left)
        return other

    def ready(self, i: int) -> list[int]:
        """See `PathDesk`: each is tried once a bar."""
        return [k for k in PathDesk.ready(self, i) if self.state[k].tried_at != i]

    def standing_of(self, k: int) -> tuple[Any, ...]:
        """See `PathDesk`."""
        state = self.state[k]
        return (*super().standing_of(k), state.triggered, state.is_sized)

    def fate(self) -> tuple[Any, ...]:
        """See `PathDesk`: with what may still be tried and filled at this bar."""
        return (*super().fate(), tuple(self.state[k].tried_at for k in self.alive), tuple(self.account.left))

    def follow_actions(self, i: int) -> None:
        """Let orders follow what happens, those that have ended as well."""
        if any(i in extra.actions for extra in self.account.extras):
            self.state = [_copy(each) for each in self.state]
            super().follow_actions(i)

    def begin(self, i: int) -> None:
        """See `PathDesk`."""
        self.account.begin(i)
        self.follow_actions(i)
        if self.account.options.fill == "next_open":
            self.account.liquidate(i, "open")
        self.open_orders(i)

    def before_close(self, i: int) -> None:
        """See `PathDesk`."""
        if self.account.options.fill != "next_open":
            self.account.liquidate(i, "close")

    def value(self, i: int) -> None:
        """See `PathDesk`."""
        self.account.value(i)
        self.note_ruin()

    def fits_whole(self, k: int, wanted: float, price: float, prices: Sequence[float]) -> bool:
        """Tell whether there is room for an order, or note what it needs where there always is."""
        if self.ledger is None:
            return super().fits_whole(k, wanted, price, prices)
        return self.note_fit(k, wanted, price, prices)

    def grow_up(self, i: int) -> None:
        """Look at what is alive alone."""
        for k in self.alive:
            if self.state[k].born_inside == i:
                self.state[k].born_inside = -1

    def steps_inside(self, i: int, j: int) -> list[Step]:
        """See `PathDesk`."""
        return list(self.account.extras[j].fine.get(i) or [self.whole_bar(i, j)])

    def levels(self, i: int, j: int) -> Iterator[Level]:
        """See `PathDesk`."""
        for k in self.ready(i):
            request = self.requests[k]
            if request.instrument == j and not self.at_market(k):
                price, is_stop, buys = self.resting_price(k), request.kind == "stop", request.units > 0
                filled_at = self.account.to_tick(j, price, down=not buys) if is_stop else price
                yield k, price, filled_at, is_stop == buys

    def is_touched(self, k: int, i: int) -> bool:
        """See `PathDesk`."""
        steps = self.steps_inside(i, self.requests[k].instrument)
        return not self.at_market(k) and any(self.is_reached(k, step.low, step.high) for step in steps)

    def open_step(self, i: int, j: int, price: float) -> None:
        """See `PathDesk`."""
        again = True
        while again:
            again = False
            for k in self.ready(i):
                rests = self.requests[k].instrument == j and self.state[k].status == "working" and not self.at_market(k)
                if rests and self.is_reached(k, price, price):
                    self.fill(k, i, price, "open")
                    again = True


class _Resized(PathDesk, SizedDesk):
    """A desk on which what is held and ordered may be given new sizes."""

    def copied(self) -> Self:
        """See `PathDesk`."""
        other = super().copied()
        other.sizing = list(self.sizing)
        return other

    def resize(self, i: int, factor: float) -> None:
        """Multiply what is ordered, and order what multiplies what is held; copies have shared what has ended."""
        first, self.state = len(self.requests), [_copy(each) for each in self.state]
        super().resize(i, factor)
        self.alive += range(first, len(self.requests))


class ResizedPlainPathDesk(_Resized, PlainPathDesk):
    """Of an account without extras, which may be given another size."""


class ResizedFullPathDesk(_Resized, FullPathDesk, SizedFullDesk):
    """Of an account with extras, which may be given another size."""

    account: FullAccount
    state: list[Standing]  # type: ignore[assignment]  # `standing` makes them


def desk_of(account: Account, requests: list[Request], *, is_resized: bool = False) -> PathDesk:
    """Return the desk of an account before its first bar; `is_resized`: one that may be given another size."""
    bars, terms, options = bars_of(account), terms_of(account), options_of_account(account)
    sessions = account.sessions.tolist()
    if account.extras is None:
        plain = ResizedPlainPathDesk if is_resized else PlainPathDesk
        return plain(ReferenceAccount(bars, terms, options), requests, sessions)
    full = FullAccount(bars, terms, options).with_extras(*extras_of_account(account))
    return (ResizedFullPathDesk if is_resized else FullPathDesk)(full, requests, sessions)
