"""The bounded queue of one subscription: the oldest event goes when it is full, old quotes before that.

Written by the event loop and read by a task or a thread; every method is one short hold of a lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import Any

from algotrendy.data.stream.port import Event, Quote

__all__ = ["EventQueue"]


class EventQueue:
    """Events in the order in which they came, at most `limit` of them.

    When it is full, a new quote takes the place of all waiting quotes of its symbol, which are counted as conflated;
    if there is none, and for every trade, the oldest event goes and is counted as dropped.

    Examples
    --------
    >>> queue = EventQueue(2)
    >>> queue.put([Quote("A", 1, 9.0, 11.0), Quote("B", 2, 9.0, 11.0), Quote("A", 3, 9.5, 10.5)])
    >>> [(event.symbol, event.time) for event in queue.take(10)], queue.conflated
    ([('B', 2), ('A', 3)], 1)
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.received = self.dropped = self.conflated = 0
        self._lock = threading.Lock()
        # A trade waits as it is; a quote waits in a list of one, which is emptied when a newer quote replaces it.
        self._waiting: deque[Any] = deque()
        self._quotes: dict[str, deque[list[Quote]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, events: Iterable[Event]) -> None:
        """Add events, newest last."""
        with self._lock:
            for event in events:
                self.received += 1
                if event.__class__ is Quote:
                    self._put_quote(event)
                    continue
                if self._count >= self.limit:
                    self._drop_oldest()
                self._waiting.append(event)
                self._count += 1

    def take(self, most: int) -> list[Event]:
        """Remove and return up to `most` events, oldest first."""
        with self._lock:
            found: list[Event] = []
            while self._count and len(found) < most:
                found.append(self._pop())
            return found

    def _put_quote(self, quote: Any) -> None:
        of_symbol = self._quotes.setdefault(quote.symbol, deque())
        if self._count >= self.limit:
            if of_symbol:
                self._conflate(of_symbol)
            else:
                self._drop_oldest()
        cell = [quote]
        of_symbol.append(cell)
        self._waiting.append(cell)
        self._count += 1

    def _conflate(self, of_symbol: deque[list[Quote]]) -> None:
        for cell in of_symbol:
            cell.clear()
        self._count -= len(of_symbol)
        self.conflated += len(of_symbol)
        of_symbol.clear()
        if len(self._waiting) > 2 * self.limit + 16:  # empty cells may not pile up behind a callback that hangs
            self._waiting = deque(item for item in self._waiting if item)

    def _drop_oldest(self) -> None:
        self._pop()
        self.dropped += 1

    def _pop(self) -> Event:
        while True:
            item: Any = self._waiting.popleft()
            if item.__class__ is not list:
                break
            if item:
                item = item[0]
                of_symbol = self._quotes[item.symbol]
                of_symbol.popleft()
                if not of_symbol:
                    del self._quotes[item.symbol]
                break
        self._count -= 1
        event: Event = item
        return event
