"""How events reach a callback: in order, one call at a time, each subscription on a worker of its own.

An async callback runs in a task on the hub's event loop, a plain one in a thread that belongs to its subscription
alone: so one that is slow, hangs or raises does nothing to the others but fill its own queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, TypeAlias

from algotrendy.data.stream.clock import Clock
from algotrendy.data.stream.port import Event, Quote, Wanted
from algotrendy.data.stream.queue import EventQueue
from algotrendy.data.stream.statistics import Tally

__all__ = ["Callback", "Deliver", "Subscription", "is_async", "is_power_of_ten", "subscription", "surviving"]

Callback: TypeAlias = Callable[[Any], Any]
Deliver: TypeAlias = Literal["each", "batch"]
"""each: the callback is called with one event. batch: with a list of all that wait, oldest first, at most 1,000."""

BATCH_MAX = 1_000
_TURN = 64
"""Events that a task hands on before it lets the event loop do something else."""

_inside: ContextVar[str | None] = ContextVar("algotrendy_subscription", default=None)
"""Whose callback is running: what it calls or starts, through other threads too, inherits it."""

_log = logging.getLogger("algotrendy.stream")


@contextmanager
def surviving(name: str, tally: Tally) -> Iterator[None]:
    """Count and log whatever foreign code raises, and go on: a callback may not end the stream of the others."""
    try:
        yield
    except Exception as e:  # noqa: BLE001 - see BROAD_EXCEPTS in the layout tests
        tally.errors += 1
        tally.last_error = f"{type(e).__name__}: {e}"
        if is_power_of_ten(tally.errors):  # a callback that always raises does not fill the log
            _log.warning("%s raised (%d so far): %s", name, tally.errors, tally.last_error, exc_info=e)


def is_async(callback: Callback) -> bool:
    """Return whether calling it gives something to await.

    Examples
    --------
    >>> async def on_tick(tick): ...
    >>> is_async(on_tick), is_async(print)
    (True, False)
    """
    plain = callback
    while isinstance(plain, functools.partial):
        plain = plain.func
    return inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(getattr(plain, "__call__", None))  # noqa: B004 - not a test for callability


class Subscription:
    """One callback, its queue and its counts; a subclass says where the callback runs.

    Parameters
    ----------
    name : str
        The subscription's id.
    wanted : Wanted
    callback : callable
    queue : EventQueue
    clock : Clock
        What the freshness is measured against.
    deliver : {"each", "batch"}
    measure : bool
        Whether freshness means something.
    """

    def __init__(
        self,
        name: str,
        wanted: Wanted,
        callback: Callback,
        *,
        queue: EventQueue,
        clock: Clock,
        deliver: Deliver = "each",
        measure: bool = True,
    ) -> None:
        self.name, self.wanted, self.callback = name, wanted, callback
        self.queue, self.tally, self.deliver = queue, Tally(), deliver
        self._clock, self._measure = clock, measure
        self.is_active = True
        self.is_busy = False
        self.before: dict[str, int] = {}
        """What the counts that are kept per symbol, or of the connection, were when it began."""
        self.loop = asyncio.get_running_loop()
        self.moved = asyncio.Event()
        """Set, on the loop, when the worker has come to rest, or has made room that is waited for."""
        self.is_full = False

    def offer(self, events: Sequence[Event]) -> None:
        """Queue events and wake the worker; called on the event loop."""
        if self.is_active:
            self.queue.put(events)
            self.wake()

    async def room(self) -> int:
        """Wait until there is room in the queue, and return how much; 0 if the subscription has ended."""
        try:
            while self.is_active:
                self.is_full = True
                self.moved.clear()
                if len(self.queue) < self.queue.limit:
                    return self.queue.limit - len(self.queue)
                await self.moved.wait()
        finally:
            self.is_full = False
        return 0

    @property
    def is_at_rest(self) -> bool:
        """Whether every event has been handed on and the callback has returned."""
        return not self.is_active or (not len(self.queue) and not self.is_busy)

    def start(self) -> None:
        """Start the worker."""
        raise AssertionError("a subscription says where its callback runs")

    def wake(self) -> None:
        """Let the worker look at the queue."""
        raise AssertionError("a subscription says where its callback runs")

    async def stop(self, grace_seconds: float) -> None:
        """End the worker after the call that runs now; no call begins once this has returned.

        A callback that ends its own subscription is not waited for: it would wait for itself.
        """
        self.is_active = False
        self.wake()
        self.moved.set()
        if _inside.get() != self.name:
            await self.ended(grace_seconds)

    async def ended(self, grace_seconds: float) -> None:
        """Wait until the worker has ended."""
        raise AssertionError("a subscription says where its callback runs")

    def next(self) -> tuple[Any, int] | None:
        """Take what the callback is called with next, and how many events that is; None if nothing waits."""
        lot = self.queue.take(BATCH_MAX if self.deliver == "batch" else 1) if self.is_active else []
        if not lot:
            return None
        if self.is_full:
            self._tell(self.moved)
        if self._measure:
            now = self._clock.now()
            for event in lot:
                if event.__class__ is Quote or not event[5]:  # of a back-filled trade the age says nothing
                    self.tally.note_age(now - event.time)
        return (lot if self.deliver == "batch" else lot[0]), len(lot)

    def _tell(self, event: asyncio.Event) -> None:
        """Set an event of the loop, from where the worker runs."""
        event.set()


class TaskSubscription(Subscription):
    """The callback is awaited in a task on the hub's event loop."""

    def start(self) -> None:
        """Start the task."""
        self._flag = asyncio.Event()
        self._task = self.loop.create_task(self._run(), name=f"algotrendy {self.name}")

    def wake(self) -> None:
        """Let the task look at the queue."""
        self._flag.set()

    async def ended(self, grace_seconds: float) -> None:
        """Let the call that runs now finish, for so long, then cancel it."""
        done, _ = await asyncio.wait({self._task}, timeout=grace_seconds)
        if not done:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=grace_seconds)

    async def _run(self) -> None:
        _inside.set(self.name)
        while self.is_active:
            await self._flag.wait()
            self._flag.clear()
            self.is_busy = True
            while len(self.queue) and self.is_active:
                with surviving(self.name, self.tally):
                    await self._hand_on()
            self.is_busy = False
            self.moved.set()

    async def _called(self, found: Any) -> None:
        """Await the callback; that something which it awaited was cancelled is an error of its own, not our end."""
        try:
            await self.callback(found)
        except asyncio.CancelledError as e:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise RuntimeError("what the callback awaited was cancelled") from e

    async def _hand_on(self) -> None:
        """Call the callback until the queue is empty; ends early if it raises."""
        turn = 0
        while (found := self.next()) is not None:
            self.tally.delivered += found[1]
            await self._called(found[0])
            turn += 1
            if turn % _TURN == 0:
                await asyncio.sleep(0)


class ThreadSubscription(Subscription):
    """The callback is called in a thread of its own."""

    def start(self) -> None:
        """Start the thread."""
        self._flag = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"algotrendy {self.name}", daemon=True)
        self._ended = asyncio.Event()
        self._thread.start()

    def wake(self) -> None:
        """Let the thread look at the queue."""
        if not self._flag.is_set():
            self._flag.set()

    async def ended(self, grace_seconds: float) -> None:
        """Wait for the call that runs now, for so long; one that hangs is left alone, and is the last."""
        try:
            async with asyncio.timeout(grace_seconds):
                await self._ended.wait()
        except TimeoutError:
            _log.warning("the callback of %s did not return within %g s; its thread is left", self.name, grace_seconds)

    def _run(self) -> None:
        _inside.set(self.name)
        try:
            while self.is_active:
                self._flag.wait()
                self._flag.clear()
                self.is_busy = True
                while len(self.queue) and self.is_active:
                    with surviving(self.name, self.tally):
                        self._hand_on()
                self.is_busy = False
                self._tell(self.moved)
        finally:  # a callback may end its thread with SystemExit: nobody waits for it then
            self.is_active = False
            self._tell(self.moved)
            self._tell(self._ended)

    def _hand_on(self) -> None:
        while (found := self.next()) is not None:
            self.tally.delivered += found[1]
            outcome = self.callback(found[0])
            if outcome is not None and inspect.isawaitable(outcome):  # such as a lambda around an async function
                asyncio.run_coroutine_threadsafe(_awaited(outcome), self.loop).result()

    def _tell(self, event: asyncio.Event) -> None:
        """Set an event of the hub's loop, which may be gone when a callback that hung comes back."""
        if not event.is_set():
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(event.set)


def subscription(
    name: str,
    wanted: Wanted,
    callback: Callback,
    *,
    queue: EventQueue,
    clock: Clock,
    deliver: Deliver = "each",
    measure: bool = True,
) -> Subscription:
    """Return a started subscription of the kind that the callback needs."""
    kind = TaskSubscription if is_async(callback) else ThreadSubscription
    made = kind(name, wanted, callback, queue=queue, clock=clock, deliver=deliver, measure=measure)
    made.start()
    return made


async def _awaited(outcome: Any) -> Any:
    return await outcome


def is_power_of_ten(count: int) -> bool:
    """Return whether a count is 1, 10, 100, ...: when something that goes on and on is worth a line again."""
    return str(count).strip("0") == "1"
