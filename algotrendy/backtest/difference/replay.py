"""The account on the way from one ledger to the other, gone through with some attributes taken from the second.

Each fill is an instruction (see `positions`), so what follows from a change follows by itself, in all instruments that
share the cash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from algotrendy.backtest.difference.ledger import Ledger, PortfolioLedger
from algotrendy.backtest.difference.matching import Joint, JointEpisode, joined
from algotrendy.backtest.difference.moments import ACTION, RANKS, Till
from algotrendy.backtest.difference.places import with_places
from algotrendy.backtest.difference.positions import Book, FeeRule, Leg, Positions, Size, book_of

FREE_OF_SLIPPAGE = ("target", "limit")
"""Reasons of fills at a price that was asked for."""


@dataclass(frozen=True)
class Pair:
    """One instrument in two ledgers.

    Attributes
    ----------
    a, b : Positions
    joints : tuple of JointEpisode
        Positions side by side.
    actions : tuple of list
        Splits and dividends of either, as (stamp, ratio, paid).
    only : tuple of int
        How many of these either has alone.
    absent : int or None
        Which of the two has no bars of it.
    """

    a: Positions
    b: Positions
    joints: tuple[JointEpisode, ...]
    actions: tuple[list[tuple[int, float, float]], list[tuple[int, float, float]]]
    only: tuple[int, int]
    absent: int | None


@dataclass(frozen=True)
class Both:
    """Two accounts, and each instrument that one of them has."""

    a: Book
    b: Book
    pairs: Mapping[str, Pair]


class Worth(NamedTuple):
    """Final equity, and what of it each instrument earned."""

    equity: float
    earned: dict[str, float]


def both_of(first: PortfolioLedger, second: PortfolioLedger) -> Both:
    """Return two ledgers side by side."""
    symbols = list(dict.fromkeys([*first.members, *second.members]))
    a, b = book_of(_with_all(first, second, symbols)), book_of(_with_all(second, first, symbols))
    absent = {each: 0 if each not in first.members else 1 if each not in second.members else None for each in symbols}
    joints = {
        symbol: joined(a.positions[symbol], b.positions[symbol], is_absent=absent[symbol] is not None)
        for symbol in symbols
    }
    joints = with_places(joints, a.positions, b.positions)
    pairs = {}
    for symbol in symbols:
        ours, theirs = a.positions[symbol], b.positions[symbol]
        known = (_actions(ours, theirs), _actions(theirs, ours))
        only = len(set(known[0]) - set(known[1])), len(set(known[1]) - set(known[0]))
        pairs[symbol] = Pair(ours, theirs, joints[symbol], known, only, absent[symbol])
    return Both(a, b, pairs)


def _with_all(own: PortfolioLedger, other: PortfolioLedger, symbols: list[str]) -> PortfolioLedger:
    """Return a ledger in which instruments of the other alone have no fills."""
    missing = {symbol: other.members[symbol] for symbol in symbols if symbol not in own.members}
    members = {symbol: own.members[symbol] if symbol in own.members else _empty(missing[symbol]) for symbol in symbols}
    return replace(own, members=members)


def _empty(ledger: Ledger) -> Ledger:
    return replace(ledger, fills=(), open_borrow=0.0, fees=None, fraction=None, lot_size=0.0)


def _actions(own: Positions, other: Positions) -> list[tuple[int, float, float]]:
    """Return splits and dividends by time: what the other knows of counts too where nothing was held to tell."""
    found = {stamp: (stamp, ratio, paid) for stamp, ratio, paid in own.actions}
    for stamp, ratio, paid in other.actions:
        if stamp not in found and not _is_held(own, stamp):
            found[stamp] = (stamp, ratio, paid)
    return [found[stamp] for stamp in sorted(found)]


def _is_held(positions: Positions, stamp: int) -> bool:
    """Tell whether something was held as a bar began."""
    return any(each.start < stamp and (each.is_open or each.legs[-1].bar >= stamp) for each in positions.episodes)


class _Terms(NamedTuple):
    """What the account needs of a fill at a point of the way, or of a split or dividend (`ratio`, `paid`)."""

    when: tuple[int, int]
    opens: bool
    side: float = 0.0
    price: float = 0.0
    fee: FeeRule = FeeRule()
    size: Size = Size("units", 0.0)
    borrow: float = 0.0
    episode: int = -1
    ratio: float = 1.0
    paid: float = 0.0


def worth(both: Both, done: Collection[str]) -> Worth:
    """Return the final equity with what is in `done` taken from the second account, the rest from the first."""
    data = both.b if "data" in done else both.a
    cash = (both.b if "initial cash" in done else both.a).ledger.cash
    pairs = list(both.pairs.values())
    till = Till(cash, len(pairs), data.marks)
    seats = [_Seat(pair, (pair.b if "data" in done else pair.a).ledger.last_price, done) for pair in pairs]

    def carry_out(j: int, terms: _Terms) -> None:
        seats[j].carry_out(terms, till, j)

    till.run([list(_queue(pair, done)) for pair in pairs], carry_out)
    for j, seat in enumerate(seats):
        seat.settle(till, j)
    financing = (both.b if "financing" in done else both.a).ledger.financing
    return Worth(till.cash - financing, dict(zip(both.pairs, till.earned, strict=True)))


class _Seat:
    """One instrument on the way: which position is held, and what it is settled at if it is never left."""

    def __init__(self, pair: Pair, last: float, done: Collection[str]) -> None:
        self._borrow = [episode.open_borrow["borrow" in done] for episode in pair.joints]
        self._last, self._episode = last, -1

    def carry_out(self, terms: _Terms, till: Till, j: int) -> None:
        """Fill, or let a split or dividend happen."""
        if terms.episode < 0:
            till.pay(j, -till.held[j] * terms.paid)
            till.held[j] *= terms.ratio
            return
        if terms.episode != self._episode:
            self.settle(till, j)
            self._episode = terms.episode
        held = till.held[j]
        if not terms.opens and held == 0.0:
            return
        price, fee, size = terms.price, terms.fee, terms.size
        account = till.equity(j, held, price) if terms.opens else abs(held)
        units = size.units(account, price, fee)
        till.pay(j, terms.side * units * price + fee.charge(abs(units), price) + terms.borrow * abs(units))
        till.held[j] = 0.0 if not terms.opens and size.value == 1.0 else held + terms.side * units

    def settle(self, till: Till, j: int) -> None:
        """Value what is left of the position, at the last close: its exit is not there at this point of the way."""
        held = till.held[j]
        if held != 0.0:
            till.pay(j, -(held * self._last - abs(held) * self._borrow[self._episode]))
            till.held[j] = 0.0


def _queue(pair: Pair, done: Collection[str]) -> Iterator[_Terms]:
    """Yield the fills of an instrument, and what happens to its units, as they are at a point of the way."""
    waiting = list(pair.actions["actions" in done])
    for number, episode in enumerate(pair.joints):
        for joint in episode.legs:
            terms = _terms(joint, done) if joint.lone is None else _lone_terms(joint, done, pair.a, pair.b)
            if terms is None:
                continue
            while waiting and waiting[0][0] <= terms.when[0]:
                yield _action(*waiting.pop(0))
            yield terms._replace(episode=number)
    for each in waiting:
        yield _action(*each)


def _action(stamp: int, ratio: float, paid: float) -> _Terms:
    return _Terms((stamp, ACTION), opens=False, ratio=ratio, paid=paid)


def _when(leg: Leg) -> tuple[int, int]:
    return leg.bar, RANKS[leg.kind]


def _terms(joint: Joint, done: Collection[str]) -> _Terms:
    """Return a fill that both have as it is at a point of the way."""
    a, b = joint.a, joint.b
    assert a is not None
    assert b is not None
    quoted, when = joint.data_quoted if "data" in done else a.quoted, _when(a)
    if (joint.moved or "fill price") in done:
        quoted, when = b.quoted, _when(b)
    return _Terms(
        when,
        a.opens,
        a.side,
        quoted * (b if "fill price" in done else a).slip,
        (b if "fees" in done else a).fee,
        (b if "sizing" in done else a).size,
        (b if "borrow" in done else a).borrow,
    )


def _lone_terms(joint: Joint, done: Collection[str], a: Positions, b: Positions) -> _Terms | None:
    """Return a fill that one ledger alone has, by the habits of the ledger that the account has come to by then.

    None: it is not there at that point of the way. A habit counts where both ledgers do all in one way.
    """
    mine = joint.a is not None
    if (joint.lone in done) == mine:
        return None
    leg = joint.known
    own, foreign = (a, b) if mine else (b, a)
    quoted, slip, fee, size = leg.quoted, leg.slip, leg.fee, leg.size
    if mine and "data" in done:
        quoted = joint.data_quoted
    if ("fill price" in done) == mine and own.worse is not None and foreign.worse is not None:
        slip = slip if leg.reason in FREE_OF_SLIPPAGE else 1.0 + leg.side * foreign.worse
    if ("fees" in done) == mine and own.fee is not None and foreign.fee is not None:
        fee = foreign.fee
    if ("sizing" in done) == mine and own.size is not None and foreign.size is not None and leg.opens:
        size = foreign.size
    return _Terms(_when(leg), leg.opens, leg.side, quoted * slip, fee, size, leg.borrow)


__all__ = ["Both", "Pair", "Worth", "both_of", "worth"]
