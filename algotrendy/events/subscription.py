"""One handler with a queue and a worker of its own: one that is slow, hangs or fails does nothing to the others.

An event leaves the queue when its handler has returned, or has failed as often as it may: then it is a dead letter.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from algotrendy.errors import InputError

if TYPE_CHECKING:
    from algotrendy.events.envelope import EventEnvelope

__all__ = ["DeadLetter", "Delivery", "Subscription", "TaskSubscription", "ThreadSubscription", "is_async"]

_log = logging.getLogger("algotrendy.events")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a handler did not take.

    Attributes
    ----------
    event : EventEnvelope
        What happened.
    subscription : str
        Whose handler.
    reason : str
        Why: what it raised last, that its queue was full, or that the bus was closed.
    """

    event: EventEnvelope
    subscription: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How events are delivered to one handler.

    Attributes
    ----------
    queue_limit : int
        The most events that wait; one more is a dead letter at once.
    attempts_max : int
        How often the handler is told of an event before it is a dead letter.
    retry_seconds : float
        The wait before the second attempt; twice as long before each further one.
    """

    queue_limit: int = 10_000
    attempts_max: int = 3
    retry_seconds: float = 0.1

    def __post_init__(self) -> None:
        if self.queue_limit < 1 or self.attempts_max < 1 or self.retry_seconds < 0:
            raise InputError(f"{self}: expected a queue and attempts of at least 1, and no negative wait")


class Subscription:
    """A handler, its queue and its counts; a subclass says where the handler runs.

    Attributes
    ----------
    name, pattern : str
        How it is called, and the types of event that it is told of.
    delivered, retried, dead : int
        Events that the handler took, attempts that failed, events that it did not take.
    """

    def __init__(
        self,
        name: str,
        pattern: str,
        handler: Callable[..., Any],
        *,
        delivery: Delivery,
        bury: Callable[[DeadLetter], object],
    ) -> None:
        self.name, self.pattern = name, pattern
        self.delivered = self.retried = self.dead = 0
        self._handler, self._delivery, self._bury = handler, delivery, bury
        self._queue: deque[EventEnvelope] = deque()
        self._changed = threading.Condition()
        self._is_open = True
        self._current: EventEnvelope | None = None
        self._error: BaseException | None = None

    @property
    def waiting(self) -> int:
        """How many events the handler has not taken yet, the one that it is told of now included."""
        return len(self._queue)

    @property
    def is_open(self) -> bool:
        """Whether it takes events."""
        return self._is_open

    def offer(self, event: EventEnvelope) -> list[DeadLetter]:
        """Put an event into the queue, and return what is a dead letter for it; never waits."""
        with self._changed:
            has_room = self._is_open and len(self._queue) < self._delivery.queue_limit
            if has_room:
                self._queue.append(event)
                self._changed.notify_all()
            reason = "its subscription has ended" if not self._is_open else f"{len(self._queue)} events wait already"
        return self._wake() if has_room else self._letters([event], reason)

    def wait_until_empty(self, seconds: float) -> bool:
        """Wait until the handler has taken everything, and return whether it did in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, seconds)

    def cancel(self) -> None:
        """Tell the handler of no more events; those that wait are dead letters."""
        self.end("its subscription was cancelled")

    def end(self, reason: str) -> None:
        """Take no more events; those that wait and are not being handled are dead letters."""
        self.bury(self._ended(reason))

    def bury(self, letters: list[DeadLetter]) -> None:
        """Hand dead letters to whoever keeps them."""
        for letter in letters:
            self._bury(letter)

    def _ended(self, reason: str) -> list[DeadLetter]:
        with self._changed:
            self._is_open = False
            left = [event for event in self._queue if event is not self._current]
            self._queue.clear()
            self._changed.notify_all()
        self._wake()
        return self._letters(left, reason)

    def _letters(self, events: list[EventEnvelope], reason: str) -> list[DeadLetter]:
        self.dead += len(events)
        return [DeadLetter(event, self.name, reason) for event in events]

    def start(self) -> None:
        """Start the worker."""
        raise AssertionError("a subscription says where its handler runs")

    def _wake(self) -> list[DeadLetter]:
        """Let the worker look at the queue, and return the dead letters if there is none any more."""
        return []

    # --- in the worker ---

    def _first(self) -> EventEnvelope | None:
        """Return the event that the handler is to be told of; it stays in the queue until it is settled."""
        self._current = self._queue[0] if self._queue else None
        return self._current

    def _settle(self, event: EventEnvelope) -> None:
        """Take an event out of the queue, whatever came of it."""
        error, self._error = self._error, None
        if error is None:
            self.delivered += 1
        else:
            self.bury(self._letters([event], f"{type(error).__name__}: {error}"))
        with self._changed:
            self._current = None
            if self._queue and self._queue[0] is event:  # else the subscription ended meanwhile
                self._queue.popleft()
            self._changed.notify_all()

    @contextmanager
    def _surviving(self, event: EventEnvelope, attempt: int) -> Iterator[None]:
        """Note what a handler raises, and go on: it may not end its worker, or hurt whoever published."""
        self._error = None
        try:
            yield
        except Exception as e:  # noqa: BLE001 - see BROAD_EXCEPTS in the layout tests
            self._error = e
            self.retried += attempt < self._delivery.attempts_max
            _log.warning("%s failed with %s in attempt %d: %s", self.name, event.event_type, attempt, e, exc_info=e)

    def _wait_seconds(self, attempt: int) -> float:
        return float(self._delivery.retry_seconds * 2 ** (attempt - 1))

    def _is_last(self, attempt: int) -> bool:
        return self._error is None or attempt == self._delivery.attempts_max or not self._is_open


class ThreadSubscription(Subscription):
    """The handler is called in a thread of its own."""

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name=f"algotrendy events {self.name}", daemon=True).start()

    def _run(self) -> None:
        try:
            while (event := self._next()) is not None:
                self._tell(event)
                self._settle(event)
        finally:  # a handler may end its thread with SystemExit: nobody waits for it then
            self._current = None
            self.end("the thread of its handler has ended")

    def _next(self) -> EventEnvelope | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or not self._is_open)
            return self._first()

    def _tell(self, event: EventEnvelope) -> None:
        for attempt in range(1, self._delivery.attempts_max + 1):
            with self._surviving(event, attempt):
                outcome = self._handler(event)
                if inspect.isawaitable(outcome):  # such as a lambda around an async function
                    from algotrendy.compute import wait_for

                    wait_for(_awaited(outcome))
            if self._is_last(attempt):
                return
            with self._changed:
                self._changed.wait_for(lambda: not self._is_open, self._wait_seconds(attempt))


class TaskSubscription(Subscription):
    """The handler is awaited in a task of an event loop."""

    def start_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the task."""
        self._loop = loop
        self._flag = asyncio.Event()
        loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._run(), name=f"algotrendy events {self.name}")

    def _wake(self) -> list[DeadLetter]:
        try:
            self._loop.call_soon_threadsafe(self._flag.set)
        except RuntimeError:  # the loop is closed
            self._current = None
            return self._ended("the event loop of its handler is closed") if self._is_open else []
        return []

    async def _run(self) -> None:
        try:
            while self._is_open or self._queue:
                await self._flag.wait()
                self._flag.clear()
                while (event := self._first()) is not None:
                    await self._tell(event)
                    self._settle(event)
        finally:
            self._current = None
            if self._is_open:
                self.end("the task of its handler has ended")

    async def _tell(self, event: EventEnvelope) -> None:
        for attempt in range(1, self._delivery.attempts_max + 1):
            with self._surviving(event, attempt):
                await self._called(event)
            if self._is_last(attempt):
                return
            await asyncio.sleep(self._wait_seconds(attempt))

    async def _called(self, event: EventEnvelope) -> None:
        """Await the handler; that something which it awaited was cancelled is an error of its own, not our end."""
        try:
            await self._handler(event)
        except asyncio.CancelledError as e:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise RuntimeError("what the handler awaited was cancelled") from e


async def _awaited(outcome: Any) -> Any:
    return await outcome


def is_async(handler: Callable[..., Any]) -> bool:
    """Return whether calling it gives something to await.

    Examples
    --------
    >>> async def on_event(event): ...
    >>> is_async(on_event), is_async(print)
    (True, False)
    """
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004 - not a test for callability
