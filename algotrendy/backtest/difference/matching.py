"""Which position of one ledger is which of the other, and why those that differ do.

Positions of one side are paired in order so that as many as possible, and the most alike, go together; what stays
alone is a trade that one has and the other has not.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from algotrendy.backtest.difference.ledger import Ledger
from algotrendy.backtest.difference.positions import SAME, Episode, Leg, Positions, Size, same
from algotrendy.domain.types import Bool1D, Float1D, Int1D

NEAR_BARS = 5
"""So many bars apart two positions that do not overlap may still be one."""
SHIFT_BARS = 3
"""A fill that is further off is not the same decision filled at another time."""
WARM_UP_BARS = 60
"""So long after its first bar an account may decide otherwise because of what it has not seen."""
LEVELS = ("stop", "trail", "target", "limit")
"""Reasons of fills whose price hangs on that of the entry."""
MEMORY_BARS = 20
"""So long after a row that differs a decision may be due to it."""
CHUNK = 1000
"""Fills of one position are aligned by so many at a time: every pair of them is looked at."""


@dataclass(frozen=True, slots=True)
class Joint:
    """A fill of one ledger, of the other, or of both, and what the difference is put down to.

    `moved` is the cause of another time, `lone` of being there in one ledger alone; `data_quoted` is the price of `a`
    on the bars of the other.
    """

    a: Leg | None
    b: Leg | None
    moved: str | None = None
    lone: str | None = None
    data_quoted: float = 0.0

    @property
    def known(self) -> Leg:
        """The fill of either ledger."""
        leg = self.a or self.b
        assert leg is not None
        return leg


@dataclass(frozen=True, slots=True)
class JointEpisode:
    """A position of one ledger, of the other, or of both."""

    legs: tuple[Joint, ...]
    open_borrow: tuple[float, float]


@dataclass(frozen=True)
class Surroundings:
    """What is known besides the fills: both sets of bars, where their rows differ, and where decisions were ties.

    `is_absent`: one of the two has no bars of the instrument at all.
    """

    a: Positions
    b: Positions
    bars: Int1D
    differing: Int1D
    first: tuple[int, int]
    last: tuple[int, int]
    apart: Bool1D
    fills: Mapping[int, Sequence[Leg]]
    is_absent: bool = False
    causes: dict[int, str] = field(default_factory=dict)
    """By the identity of a fill: why it was filled at another time than its counterpart, as far as that is known."""

    @classmethod
    def of(cls, a: Positions, b: Positions, *, is_absent: bool = False) -> Surroundings:
        """Compare the bars of two ledgers."""
        ours, theirs = a.ledger.stamps, b.ledger.stamps
        bars = np.union1d(ours, theirs)
        fills: dict[int, list[Leg]] = {}
        for leg in (leg for side in (a, b) for episode in side.episodes for leg in episode.legs):
            fills.setdefault(leg.bar, []).append(leg)
        return cls(
            a,
            b,
            bars=bars,
            differing=differing_rows(a.ledger, b.ledger),
            first=(int(ours[0]), int(theirs[0])),
            last=(int(ours[-1]), int(theirs[-1])),
            apart=_sides(a, bars) != _sides(b, bars),
            fills=fills,
            is_absent=is_absent,
        )

    def place(self, stamp: int) -> int:
        """Return the number of a bar among all bars of both."""
        return int(np.searchsorted(self.bars, stamp))

    def why_alone(self, leg: Leg) -> str:
        """Return why a fill is there in one ledger alone."""
        if self.is_absent:
            return "data"
        begun = self._parted_by(leg)
        if self._warming_up(min(self.decided(each) for each in begun)):
            return "first bar"
        if leg.bar > min(self.last):
            return "data"
        if any(self._data_before(each.bar) for each in begun):
            return "data"
        inherited = [self.causes[id(each)] for each in begun if id(each) in self.causes]
        if inherited:
            return inherited[0]
        return "ties" if any(map(self._tied, begun)) else "missed trades"

    def why_moved(self, a: Leg, b: Leg, entry: Joint | None) -> str:
        """Return why one decision was filled at two times; a stop that hangs on the entry, because of the entry."""
        if (
            entry is not None
            and not a.opens
            and (a.reason in LEVELS or b.reason in LEVELS or a.kind == b.kind == "level")
        ):
            if entry.moved is not None:
                return entry.moved
            if entry.a is not None and entry.b is not None and not same(entry.a.price, entry.b.price):
                return "fill price" if same(entry.a.quoted, entry.data_quoted) else "data"
        early, late = (a, b) if a.bar <= b.bar else (b, a)
        if a.decided is not None and a.decided == b.decided:
            return "timing"
        if self._warming_up(self.decided(early)):
            return "first bar"
        if self._data_before(early.bar):
            return "data"
        if self._tied(early):
            return "ties"
        return "timing" if self.place(late.bar) - self.place(early.bar) <= SHIFT_BARS else "missed trades"

    def _parted_by(self, leg: Leg) -> Sequence[Leg]:
        """Return the fills by which the two came to hold different sides, in a stretch that a fill is the end of."""
        place = self.place(leg.bar)
        if not self.apart[place] and place and self.apart[place - 1]:
            place -= 1
        while place and self.apart[place - 1]:
            place -= 1
        return (leg, *self.fills.get(int(self.bars[place]), ()))

    def decided(self, leg: Leg) -> int:
        """Return the bar on which a fill was decided, by the other ledger's habit where this one does not say."""
        if leg.decided is not None:
            return leg.decided
        lag = self.a.lag if self.a.lag is not None else self.b.lag
        row = self.place(leg.bar)
        return int(self.bars[max(row - 1, 0)]) if lag is None or lag > 0 else leg.bar

    def _warming_up(self, stamp: int) -> bool:
        """Tell whether a bar is among the first ones that one of the two saw later than the other."""
        first, later = sorted(self.first)
        return first != later and self.place(stamp) - self.place(later) < WARM_UP_BARS

    def _tied(self, leg: Leg) -> bool:
        ties = (self.a.ledger.ties, self.b.ledger.ties)
        return any(_contains(each, self.decided(leg)) for each in ties)

    def _data_before(self, stamp: int) -> bool:
        """Tell whether rows differ among the bars that lead to one."""
        if not self.differing.size:
            return False
        place = int(np.searchsorted(self.differing, stamp, side="right")) - 1
        return place >= 0 and self.place(stamp) - self.place(int(self.differing[place])) <= MEMORY_BARS


def _sides(positions: Positions, bars: Int1D) -> Float1D:
    """Return the side that is held at the end of each bar: 1, -1, or 0."""
    sides = np.zeros(len(bars))
    for episode in positions.episodes:
        first = np.searchsorted(bars, episode.start)
        last = len(bars) if episode.is_open else np.searchsorted(bars, episode.legs[-1].bar)
        sides[first:last] = episode.side
    return sides


def differing_rows(a: Ledger, b: Ledger) -> Int1D:
    """Return the stamps of bars between both first and both last ones whose prices differ or that one has not."""
    ours, theirs = a.stamps, b.stamps
    low, high = max(ours[0], theirs[0]), min(ours[-1], theirs[-1])
    common, left, right = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    changed = np.zeros(len(common), dtype=np.bool_)
    for name in ("open", "high", "low", "close"):
        one, two = a.prices(name)[left], b.prices(name)[right]
        changed |= np.abs(one - two) > 1e-12 * np.abs(one)
    found = np.union1d(common[changed], np.setxor1d(ours, theirs, assume_unique=True))
    inside: Int1D = found[(found >= low) & (found <= high)]
    return inside


def joined(a: Positions, b: Positions, *, is_absent: bool = False) -> tuple[JointEpisode, ...]:
    """Return the positions of two ledgers in one instrument side by side, in order."""
    around = Surroundings.of(a, b, is_absent=is_absent)
    pairs = _pairs(around)
    # Those that both have come first: what is there in one alone may follow from what moved in them.
    together = [_together(a.episodes[i], b.episodes[j], around) for i, j in pairs]
    found = []
    done_a = done_b = 0
    for number, (i, j) in enumerate([*pairs, (len(a.episodes), len(b.episodes))]):
        alone = [(one, None) for one in a.episodes[done_a:i]] + [(None, one) for one in b.episodes[done_b:j]]
        alone.sort(key=lambda pair: (pair[0] or pair[1]).start)  # type: ignore[union-attr]  # one of them is there
        found += [_lone(one, two, around) for one, two in alone]
        found += together[number : number + 1]
        done_a, done_b = i + 1, j + 1
    return tuple(found)


def _pairs(around: Surroundings) -> list[tuple[int, int]]:
    """Return the pairs of positions that go together: the chain, ascending in both, of the greatest likeness."""
    candidates = _candidates(around)
    best: list[float] = []  # of chains that end at each candidate
    before: list[int] = []
    ends: list[tuple[int, float, int]] = []  # by j: (j, weight, candidate), weights ascending
    waiting: list[tuple[int, float, int]] = []
    current = -1
    for number, (i, j, likeness) in enumerate(candidates):
        if i != current:
            _enter(ends, waiting)
            waiting, current = [], i
        place = bisect_left(ends, (j,)) - 1
        weight = likeness + (ends[place][1] if place >= 0 else 0.0)
        best.append(weight)
        before.append(ends[place][2] if place >= 0 else -1)
        waiting.append((j, weight, number))
    if not candidates:
        return []
    at = int(np.argmax(best))
    chain = []
    while at >= 0:
        chain.append(candidates[at][:2])
        at = before[at]
    return chain[::-1]


def _enter(ends: list[tuple[int, float, int]], waiting: Sequence[tuple[int, float, int]]) -> None:
    """Keep of all chains only those that no chain with an earlier end beats."""
    for entry in waiting:
        place = bisect_left(ends, (entry[0], -1.0))
        if place and ends[place - 1][1] >= entry[1]:
            continue
        if place < len(ends) and ends[place][0] == entry[0] and ends[place][1] >= entry[1]:
            continue
        ends.insert(place, entry)
        while place + 1 < len(ends) and ends[place + 1][1] <= entry[1]:
            del ends[place + 1]


def _candidates(around: Surroundings) -> list[tuple[int, int, float]]:
    """Return the pairs of positions of one side that overlap or nearly do, with how alike they are."""
    ours, theirs = around.a.episodes, around.b.episodes
    last = max(around.last)
    spans = [(around.place(one.start), around.place(one.end(last))) for one in theirs]
    found, low = [], 0
    for i, one in enumerate(ours):
        start, end = around.place(one.start), around.place(one.end(last))
        while low < len(spans) and spans[low][1] < start - NEAR_BARS:
            low += 1
        for j in range(low, len(spans)):
            if spans[j][0] > end + NEAR_BARS:
                break
            if theirs[j].side == one.side:
                likeness = 1.5 / (1 + abs(spans[j][0] - start)) + 1.0 / (1 + abs(spans[j][1] - end))
                found.append((i, j, 0.1 + likeness))
    return found


def _lone(a: Episode | None, b: Episode | None, around: Surroundings) -> JointEpisode:
    episode = a or b
    assert episode is not None
    cause = around.why_alone(episode.legs[0])
    legs = tuple(Joint(leg, None, lone=cause) if a else Joint(None, leg, lone=cause) for leg in episode.legs)
    return JointEpisode(
        tuple(_on_other_bars(leg, legs, around) for leg in legs),
        (a.open_borrow if a else 0.0, b.open_borrow if b else 0.0),
    )


def _together(a: Episode, b: Episode, around: Surroundings) -> JointEpisode:
    legs: list[Joint] = []
    for one, two in _leg_pairs(a.legs, b.legs, around):
        joint = _on_other_bars(_explained(one, two, around, legs[0] if legs else None, ends=(a, b)), legs, around)
        legs.append(joint)
        for leg in (one, two):
            if leg is not None and joint.moved is not None:
                around.causes[id(leg)] = joint.moved
    return JointEpisode(tuple(legs), (a.open_borrow, b.open_borrow))


def _leg_pairs(a: Sequence[Leg], b: Sequence[Leg], around: Surroundings) -> list[tuple[Leg | None, Leg | None]]:
    """Align the fills of two positions: entries with entries, exits with exits, the last exit with the last."""
    found: list[tuple[Leg | None, Leg | None]] = []
    i = j = 0
    while i < len(a) or j < len(b):
        while i < len(a) and j < len(b) and _are_one(a[i], b[j]):
            found.append((a[i], b[j]))
            i, j = i + 1, j + 1
        ours = a[i : i + CHUNK]
        theirs = b[j : j + CHUNK] if i + CHUNK < len(a) else b[j:]
        if len(ours) == CHUNK:  # the rest of both begins after the last of these
            theirs = [leg for leg in theirs if leg.bar <= ours[-1].bar]
        found += _aligned(ours, theirs, around)
        i, j = i + len(ours), j + len(theirs)
    return found


def _are_one(a: Leg, b: Leg) -> bool:
    """Tell whether two fills are of one bar and one kind: no other pair would be better."""
    return a.bar == b.bar and a.opens == b.opens and a.is_last == b.is_last


def _aligned(a: Sequence[Leg], b: Sequence[Leg], around: Surroundings) -> list[tuple[Leg | None, Leg | None]]:
    """Return the alignment with the most pairs, the nearest of them."""
    n, m = len(a), len(b)
    places = [np.array([around.place(leg.bar) for leg in legs], dtype=np.int64) for legs in (a, b)]
    kinds = [np.array([2 * leg.opens + leg.is_last for leg in legs], dtype=np.int64) for legs in (a, b)]
    near = 1.0 + 1.0 / (1 + np.abs(places[0][:, None] - places[1]))
    value = np.where(kinds[0][:, None] == kinds[1], near, -np.inf)
    score = np.zeros((n + 1, m + 1))
    for i in range(n - 1, -1, -1):
        best = np.maximum(score[i + 1, :-1], value[i] + score[i + 1, 1:])
        score[i, :-1] = np.maximum.accumulate(best[::-1])[::-1]
    found: list[tuple[Leg | None, Leg | None]] = []
    i = j = 0
    while i < n or j < m:
        if i < n and j < m and score[i, j] == value[i, j] + score[i + 1, j + 1]:
            found.append((a[i], b[j]))
            i, j = i + 1, j + 1
        elif j >= m or (i < n and score[i, j] == score[i + 1, j]):
            found.append((a[i], None))
            i += 1
        else:
            found.append((None, b[j]))
            j += 1
    return found


def _explained(
    a: Leg | None, b: Leg | None, around: Surroundings, entry: Joint | None, *, ends: tuple[Episode, Episode]
) -> Joint:
    if a is not None and b is not None:
        if a.bar == b.bar:
            return _sized(Joint(a, b))
        return _sized(Joint(a, b, moved=around.why_moved(a, b, entry)))
    leg = a or b
    assert leg is not None
    own = 0 if a is not None else 1
    at_end = leg.bar <= around.last[1 - own] and around.place(around.last[own]) - around.place(leg.bar) <= 1
    if leg.is_last and ends[1 - own].is_open and at_end:
        return Joint(a, b, lone="forced exit")
    return Joint(a, b, lone=around.why_alone(leg))


def _sized(joint: Joint) -> Joint:
    """Give both fills one instruction for their size where one is enough for both accounts."""
    a, b = joint.a, joint.b
    assert a is not None
    assert b is not None
    if not a.opens:
        return joint if a.size.value != b.size.value and not same(a.size.value, b.size.value) else _with(joint, a.size)
    for size in dict.fromkeys((a.size, b.size, Size("units", a.units))):
        if all(same(size.units(leg.account, leg.price, leg.fee), leg.units) for leg in (a, b)):
            return _with(joint, size)
    return joint


def _with(joint: Joint, size: Size) -> Joint:
    assert joint.a is not None
    assert joint.b is not None
    return replace(joint, a=replace(joint.a, size=size), b=replace(joint.b, size=size))


def _on_other_bars(joint: Joint, legs: Sequence[Joint], around: Surroundings) -> Joint:
    """Say at what price the fill of `a` would have been on the bars of the other."""
    if joint.a is None:
        return joint
    return replace(joint, data_quoted=_other_price(joint.a, legs, around))


def _other_price(leg: Leg, legs: Sequence[Joint], around: Surroundings) -> float:
    if not _contains(around.differing, leg.bar) and leg.kind != "level":
        return leg.quoted
    if leg.kind == "level":  # a distance from the entry moves with the entry
        entry = next((one.a for one in legs if one.a is not None and one.a.opens), leg)
        if entry is leg or entry.kind == "level":
            return leg.quoted
        return leg.quoted * _other_price(entry, legs, around) / entry.quoted
    ledger = around.b.ledger
    row = int(np.searchsorted(ledger.stamps, leg.bar))
    if row >= len(ledger.stamps) or ledger.stamps[row] != leg.bar:
        return leg.quoted
    return float(ledger.prices(leg.kind)[row])


def _contains(ascending: Int1D, stamp: int) -> bool:
    place = int(np.searchsorted(ascending, stamp))
    return place < ascending.size and int(ascending[place]) == stamp


__all__ = ["SAME", "Joint", "JointEpisode", "Surroundings", "differing_rows", "joined"]
