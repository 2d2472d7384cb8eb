"""One fetch at a time for each key, whoever waits for it: tasks of one event loop, other loops, other threads.

The fetch runs as a task in the loop of whoever asked first. It goes on if that caller gives up while others wait, ends
if nobody waits any more, and is begun anew if its loop has stopped.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

__all__ = ["Abandoned", "Flight", "Flights"]

_T = TypeVar("_T")
_LOOK_SECONDS = 0.5


class Abandoned(Exception):  # noqa: N818 - says what is the case; never leaves the cache
    """The fetch ended without an answer, because its loop stopped or its task was cancelled: ask again."""


@dataclass(eq=False)
class Flight(Generic[_T]):
    """A fetch that is under way."""

    loop: asyncio.AbstractEventLoop
    is_background: bool
    answer: Future[_T] = field(default_factory=Future)
    task: asyncio.Task[_T] | None = None
    waiting: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether an answer is to be expected."""
        return self.loop.is_running() and not self.answer.done()


class Flights(Generic[_T]):
    """The fetches that are under way, by key.

    Parameters
    ----------
    lock : RLock
        The cache's own: what is under way and what is kept change together.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._by_key: dict[str, Flight[_T]] = {}

    def start(
        self,
        key: str,
        work: Callable[[Flight[_T]], Coroutine[Any, Any, _T]],
        *,
        background: bool = False,
        failed: Callable[[BaseException], None] | None = None,
    ) -> tuple[Flight[_T], bool]:
        """Return the fetch of a key and whether it was begun now; `failed` is told of an error."""
        with self._lock:
            flight = self._by_key.get(key)
            if flight is not None and flight.is_alive:
                flight.is_background |= background
                return flight, False
            flight = Flight(asyncio.get_running_loop(), background)
            self._by_key[key] = flight
            flight.task = flight.loop.create_task(work(flight))
        begun = flight

        def settle(task: asyncio.Task[_T]) -> None:
            self._forget(key, begun)
            if task.cancelled():
                begun.answer.set_exception(Abandoned())
            elif (error := task.exception()) is not None:
                if failed is not None:
                    failed(error)
                begun.answer.set_exception(error)
            else:
                begun.answer.set_result(task.result())

        flight.task.add_done_callback(settle)
        return flight, True

    def is_current(self, key: str, flight: Flight[_T]) -> bool:
        """Return whether a fetch is still the one of its key: not dropped, not begun anew."""
        with self._lock:
            return self._by_key.get(key) is flight

    def drop(self, key: str) -> None:
        """Let the fetch of a key end for those who wait for it, but count for nobody else."""
        with self._lock:
            self._by_key.pop(key, None)

    async def join(self, flight: Flight[_T]) -> _T:
        """Wait for a fetch and return its answer, or raise its error.

        Raises
        ------
        Abandoned
            If there will be no answer.
        """
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        def answered(_: Future[_T]) -> None:
            with suppress(RuntimeError):  # the waiter's loop is closed: it waits no more
                loop.call_soon_threadsafe(wake)

        flight.answer.add_done_callback(answered)
        with self._lock:
            flight.waiting += 1
        try:
            while not flight.answer.done():
                await asyncio.wait([woken], timeout=_LOOK_SECONDS)
                if not flight.answer.done() and not flight.loop.is_running():
                    raise Abandoned
        finally:
            self._left(flight)
        return flight.answer.result()

    def _left(self, flight: Flight[_T]) -> None:
        with self._lock:
            flight.waiting -= 1
            is_idle = flight.waiting == 0 and not flight.is_background and flight.is_alive
        if is_idle and flight.task is not None:
            with suppress(RuntimeError):
                flight.loop.call_soon_threadsafe(flight.task.cancel)

    def _forget(self, key: str, flight: Flight[_T]) -> None:
        with self._lock:
            if self._by_key.get(key) is flight:
                del self._by_key[key]
