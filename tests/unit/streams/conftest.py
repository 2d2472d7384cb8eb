"""A source that does what a test says, and helpers around the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any

import pytest

from algotrendy.data.series import Span
from algotrendy.data.stream import Quote, StreamCapabilities, Tick, Wanted

SECONDS_MAX = 30.0


class Scripted:
    """A source whose events, losses and refusals a test puts in by hand.

    Attributes
    ----------
    opened : list of Wanted
        What was asked for, call by call.
    refusals : list
        Errors that the next calls of `open` raise; None: it agrees.
    past : list of Tick or Exception
        What a fill is answered with.
    """

    name = "scripted"

    def __init__(self, *, live: bool = True, backfill: bool = False, quotes: bool = True) -> None:
        self.capabilities = StreamCapabilities(live=live, quotes=quotes, backfill=backfill)
        self.opened: list[Wanted] = []
        self.refusals: list[Exception | None] = []
        self.past: list[Tick] | Exception = []
        self.asked: list[tuple[str, Span]] = []
        self.fill_gate: asyncio.Event | None = None
        self.closed = 0
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    async def open(self, wanted: Wanted) -> None:
        self.opened.append(wanted)
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is not None:
            raise refusal

    async def events(self) -> AsyncGenerator[Sequence[Any], None]:
        while True:
            item = await self._queue.get()
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item

    async def backfill(self, symbol: str, span: Span) -> Sequence[Tick]:
        self.asked.append((symbol, span))
        if self.fill_gate is not None:
            await self.fill_gate.wait()
        if isinstance(self.past, Exception):
            raise self.past
        return [tick for tick in self.past if tick.symbol == symbol]

    async def close(self) -> None:
        self.closed += 1

    def send(self, *events: Any) -> None:
        """Let events come in as one lot."""
        self._queue.put_nowait(events)

    def lose(self, error: Exception) -> None:
        """Lose the connection."""
        self._queue.put_nowait(error)

    def end(self) -> None:
        """Have no more events."""
        self._queue.put_nowait(None)


@pytest.fixture
def scripted() -> type[Scripted]:
    """Return the class of sources that a test writes the script of."""
    return Scripted


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Return a function that runs a test's coroutine on a loop of its own, and not for ever."""

    def runner(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run(asyncio.wait_for(work, SECONDS_MAX))

    return runner


@pytest.fixture
def until() -> Callable[..., Coroutine[Any, Any, None]]:
    """Return `until(claim)`, which waits for something to be the case and fails if it never is."""

    async def waiter(claim: Callable[[], bool], seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not claim():
            assert time.monotonic() < end, "it did not happen in time"
            await asyncio.sleep(0.002)

    return waiter


@pytest.fixture
def tick() -> Callable[..., Tick]:
    """Return `tick(number)`: trades of A whose time, price and id are the number."""

    def make(number: int, symbol: str = "A", *, named: bool = True) -> Tick:
        return Tick(symbol, number, float(number), 1.0, str(number) if named else "")

    return make


@pytest.fixture
def quote() -> Callable[..., Quote]:
    """Return `quote(number)`: quotes of A whose time and bid are the number."""

    def make(number: int, symbol: str = "A") -> Quote:
        return Quote(symbol, number, float(number), number + 1.0, 1.0, 1.0)

    return make
