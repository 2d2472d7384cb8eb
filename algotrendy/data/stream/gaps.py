"""Which trades were missed while a connection was down: what was fetched, less what was delivered, in order.

Trades are told apart by the venue's id where all of them have one, else by time, price and size; then two alike count
as two, because a venue does print the same trade twice in one millisecond.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from algotrendy.data.series import Span
from algotrendy.data.stream.port import Event, Quote, Tick

__all__ = ["Filled", "Track", "filled"]

REMEMBERED = 1_024
"""Trades of a symbol that are kept to be compared with what is fetched after a gap."""


@dataclass(slots=True)
class Track:
    """What is remembered of one symbol's stream.

    Attributes
    ----------
    begun : int
        When the subscription began, nanoseconds: where a gap begins if there was no trade before it.
    last_trade, last_quote : int
        The newest times so far, nanoseconds; 0 before the first.
    recent : deque of Tick
        The last trades that were delivered, oldest first; none where gaps are not filled.
    fetched : Counter
        Trades of the last gap that were fetched and may still come live: a venue's history can be ahead of its stream.
    fetched_until : int
        After this time they will not come any more.
    late, backfilled, duplicates, failures : int
        As in `StreamStatistics`.
    """

    begun: int
    last_trade: int = 0
    last_quote: int = 0
    recent: deque[Tick] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    fetched: Counter[Any] = field(default_factory=Counter)
    fetched_until: int = 0
    late: int = 0
    backfilled: int = 0
    duplicates: int = 0
    failures: int = 0

    def note(self, tick: Tick) -> None:
        """Remember a trade that is delivered."""
        if tick.time < self.last_trade:
            self.late += 1
        else:
            self.last_trade = tick.time
        self.recent.append(tick)

    def note_quote(self, quote: Quote) -> None:
        """Remember the time of a quote that is delivered."""
        if quote.time < self.last_quote:
            self.late += 1
        else:
            self.last_quote = quote.time

    def expect(self, missed: Iterable[Tick], patience: int) -> None:
        """Remember fetched trades, in case they come live; for so many nanoseconds of the trades' own time."""
        self.fetched = Counter(tick.id or _by_value(tick) for tick in missed)
        self.fetched_until = self.last_trade + patience

    def is_repeat(self, tick: Tick) -> bool:
        """Return whether a trade that comes live was fetched before; each fetched one answers for one."""
        if tick.time > self.fetched_until:
            self.fetched.clear()
        for key in (tick.id, _by_value(tick)):
            if self.fetched.get(key, 0) > 0:
                self.fetched[key] -= 1
                self.duplicates += 1
                return True
        return False

    def gap(self, until: int, overlap: int) -> Span:
        """Return the span to fetch: from a little before the last trade, but no further back than is remembered.

        Before the first trade it begins with the subscription.

        Parameters
        ----------
        until, overlap : int
            Nanoseconds: the end, and how far before the last trade to begin.
        """
        start = self.last_trade - overlap if self.last_trade else self.begun
        if len(self.recent) == REMEMBERED:
            start = max(start, min(self.recent[0].time + 1, self.last_trade))
        start = min(start, until - 1)
        return Span(*(pd.Timestamp(at, unit="ns", tz="UTC") for at in (start, until)))


class Filled(NamedTuple):
    """The events that follow a gap, in order of time, those of them that were missed, and how many came twice."""

    events: list[Event]
    missed: list[Tick]
    duplicates: int


def filled(found: Sequence[Tick], track: Track, held: Sequence[Event], span: Span) -> Filled:
    """Put together what was fetched for a gap and what came live since.

    Parameters
    ----------
    found : sequence of Tick
        Fetched; those outside the span are left out.
    track : Track
        What was delivered before the gap.
    held : sequence of Event
        What came live since the connection is back.
    span : Span
        What was asked for.

    Returns
    -------
    Filled
        Every trade once: the missed ones marked `backfilled`, in order of time; of equal times the fetched first.

    Examples
    --------
    >>> track = Track(begun=0)
    >>> track.note(Tick("A", 10, 1.0, 1.0, "a"))
    >>> found = [Tick("A", 10, 1.0, 1.0, "a"), Tick("A", 20, 1.1, 1.0, "b"), Tick("A", 30, 1.2, 1.0, "c")]
    >>> made = filled(found, track, [Tick("A", 30, 1.2, 1.0, "c")], Span.of("1970-01-01", "1970-01-02"))
    >>> [(tick.id, tick.backfilled) for tick in made.events], made.duplicates
    ([('b', True), ('c', False)], 2)
    """
    start, end = span.start.value, span.end.value
    inside = sorted((tick for tick in found if start <= tick.time < end), key=_time)
    live = [event for event in held if event.__class__ is not Quote]
    before = [tick for tick in track.recent if tick.time >= start]
    key = _by_id if all(tick[4] for tick in (*inside, *live, *before)) else _by_value
    again = _repeated(live, before, key)
    kept = [event for event in held if id(event) not in again]
    missed, rank = _missed(inside, before, [tick for tick in live if id(tick) not in again], key)
    last = len(inside)
    events: list[Event] = sorted((*missed, *kept), key=lambda event: (event.time, rank.get(id(event), last)))
    return Filled(events, missed, len(inside) - len(missed) + len(again))


def _missed(
    inside: Sequence[Tick], before: Sequence[Tick], live: Sequence[Any], key: Callable[[Any], Any]
) -> tuple[list[Tick], dict[int, int]]:
    """Return the fetched trades that never came, and the place among the fetched of these and of the live ones."""
    delivered = Counter(map(key, before))
    waiting: dict[Any, deque[Tick]] = {}
    for tick in live:
        waiting.setdefault(key(tick), deque()).append(tick)
    missed: list[Tick] = []
    rank: dict[int, int] = {}
    seen: set[Any] = set()
    for place, tick in enumerate(inside):
        name = key(tick)
        if delivered[name] > 0:
            delivered[name] -= 1
        elif waiting.get(name):
            rank[id(waiting[name].popleft())] = place
        elif key is _by_value or name not in seen:  # an id stands for one trade, however often it is fetched
            missed.append(tick._replace(backfilled=True))
            rank[id(missed[-1])] = place
        seen.add(name)
    return missed, rank


def _repeated(live: Sequence[Any], before: Sequence[Tick], key: Callable[[Any], Any]) -> set[int]:
    """Return which live trades were delivered before the gap: a venue may send its last ones again on connecting."""
    if key is _by_value:
        return set()  # without an id a trade that looks the same may be another
    seen = set(map(key, before))
    return {id(tick) for tick in live if key(tick) in seen}


def _by_id(tick: Any) -> Any:
    return tick.id


def _by_value(tick: Any) -> Any:
    return tick.time, tick.price, tick.size


def _time(event: Event) -> int:
    return event.time
