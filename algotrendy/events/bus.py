"""The bus in this process: what is published is told to every handler that wants to hear it, each in its own time."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from algotrendy.compute.background import background_loop
from algotrendy.errors import Conflict, InputError
from algotrendy.events.catalogue import Payload
from algotrendy.events.consumer import consumers_of
from algotrendy.events.envelope import TOPIC, EventEnvelope, envelope_of
from algotrendy.events.pattern import matches, words_of
from algotrendy.events.port import EventHandler
from algotrendy.events.subscription import (
    DeadLetter,
    Delivery,
    Subscription,
    TaskSubscription,
    ThreadSubscription,
    is_async,
)

__all__ = ["InProcessBus"]

_log = logging.getLogger("algotrendy.events")
_LETTERS_MAX = 1_000


class InProcessBus:
    """Events within one process; meets `EventBus`. May be used by threads and by several event loops.

    Each handler has a bounded queue and a worker of its own: a plain one a thread, an async one a task on the event
    loop on which it was subscribed, or on the background loop. Publishing never waits for a handler. A handler that
    raises is told again, up to `attempts_max` times; what it did not take then, or what found its queue full, is a dead
    letter: counted, logged, kept, and handed to `on_dead_letter`. What waits when the process ends is lost.

    Parameters
    ----------
    topic : str
        The topic of this bus; an event of another one is refused.
    delivery : Delivery
        Queue, attempts and waits of handlers that do not say otherwise.
    on_dead_letter : callable, optional
        Is called with each `DeadLetter`, in the worker of the handler or by whoever publishes; it has to be quick.

    Examples
    --------
    >>> from algotrendy.compute import wait_for
    >>> from algotrendy.events import EventType
    >>> bus, heard = InProcessBus(), []
    >>> subscription = bus.subscribe("portfolio.*", lambda event: heard.append(event.key))
    >>> bus.send(EventType.PORTFOLIO_REBALANCED, {"portfolio_id": "port_1", "method": "full"}).sequence
    1
    >>> wait_for(bus.drain()), heard
    (True, ['port_1'])
    >>> wait_for(bus.close())
    """

    def __init__(
        self,
        *,
        topic: str = TOPIC,
        delivery: Delivery | None = None,
        on_dead_letter: Callable[[DeadLetter], object] | None = None,
    ) -> None:
        self.topic = topic
        self._delivery = Delivery() if delivery is None else delivery
        self._on_dead_letter = on_dead_letter
        self._lock = threading.Lock()
        self._sequence = itertools.count(1)
        self._numbers = itertools.count(1)
        self._subscriptions: tuple[Subscription, ...] = ()
        self._letters: deque[DeadLetter] = deque(maxlen=_LETTERS_MAX)
        self._is_open = True

    # --- publishing ---

    def send(
        self,
        event_type: str,
        data: Mapping[str, Any] | Payload,
        routing_key: str | None = None,
        *,
        source: str = "algotrendy",
    ) -> EventEnvelope:
        """Make an event, put it into the queues of those who want it, and return it; never waits.

        Parameters
        ----------
        event_type : str
            One of the catalogue, or a dotted name of your own.
        data : mapping or Payload
            What happened.
        routing_key : str, optional
            The key of the envelope; see `envelope_of`.
        source : str
            Who says so.

        Raises
        ------
        InputError
            If the data are not of the shape that the catalogue names.
        Conflict
            If the bus is closed.
        """
        return self._take(envelope_of(event_type, data, key=routing_key, source=source))

    async def publish_event(
        self,
        event_type: str,
        data: Mapping[str, Any] | Payload,
        routing_key: str | None = None,
        *,
        source: str = "algotrendy",
    ) -> EventEnvelope:
        """Do what `send` does."""
        return self.send(event_type, data, routing_key, source=source)

    async def publish(self, event: EventEnvelope) -> EventEnvelope:
        """Put an event into the queues of those who want it, and return it with its sequence number.

        Raises
        ------
        InputError
            If it is of another topic.
        Conflict
            If the bus is closed.
        """
        return self._take(event)

    def _take(self, event: EventEnvelope) -> EventEnvelope:
        if event.topic != self.topic:
            raise InputError(f"{event.event_type} is of the topic {event.topic!r}, this bus is of {self.topic!r}")
        with self._lock:  # sequence numbers and places in the queues go alike
            if not self._is_open:
                raise Conflict(f"the bus is closed, so nobody can be told of {event.event_type}")
            numbered = event.model_copy(update={"sequence": next(self._sequence)})
            wanted = [one for one in self._subscriptions if matches(one.pattern, numbered.event_type)]
            refused = [(one, letters) for one in wanted if (letters := one.offer(numbered))]
        for subscription, letters in refused:  # outside the lock: whoever is told of them may publish
            subscription.bury(letters)
        return numbered

    # --- handlers ---

    def subscribe(
        self, pattern: str, handler: EventHandler, *, name: str | None = None, delivery: Delivery | None = None
    ) -> Subscription:
        """Tell a handler of the events of a pattern from now on.

        Parameters
        ----------
        pattern : str
            A type, or words with `*` for one and `#` for any number of them.
        handler : callable
            Is given the envelope; may be a coroutine function.
        name : str, optional
            For logs and dead letters. Default: its own name and a number.
        delivery : Delivery, optional
            Queue, attempts and waits of this handler.

        Raises
        ------
        InputError
            If it is no pattern.
        Conflict
            If the bus is closed.
        """
        words_of(str(pattern))
        called = name or f"{getattr(handler, '__qualname__', type(handler).__name__)} {next(self._numbers)}"
        options: dict[str, Any] = {"delivery": delivery or self._delivery, "bury": self._bury}
        with self._lock:
            if not self._is_open:
                raise Conflict(f"the bus is closed, so {called} would never be told of anything")
            made: Subscription
            if is_async(handler):
                task = made = TaskSubscription(called, str(pattern), handler, **options)
                task.start_on(_loop())
            else:
                made = ThreadSubscription(called, str(pattern), handler, **options)
                made.start()
            self._subscriptions = (*(one for one in self._subscriptions if one.is_open), made)
        return made

    def add_consumers(self, *sources: Any) -> list[Subscription]:
        """Subscribe the handlers that `event_consumer` marked in functions, objects or modules.

        Raises
        ------
        InputError
            If one of them has none for the topic of this bus; then nobody is subscribed.
        """
        found = [consumer for source in sources for consumer in consumers_of(source, self.topic)]
        return [self.subscribe(consumer.pattern, consumer.handler) for consumer in found]

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The subscriptions that take events."""
        return tuple(one for one in self._subscriptions if one.is_open)

    @property
    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """The last 1,000 events that a handler did not take, the oldest first."""
        return tuple(self._letters)

    def _bury(self, letter: DeadLetter) -> None:
        self._letters.append(letter)
        _log.error("%s did not take %s: %s", letter.subscription, letter.event.event_type, letter.reason)
        if self._on_dead_letter is None:
            return
        try:
            self._on_dead_letter(letter)
        except Exception as e:  # noqa: BLE001 - see BROAD_EXCEPTS in the layout tests
            _log.warning("on_dead_letter raised: %s", e, exc_info=e)

    # --- the end ---

    async def drain(self, seconds: float = 30.0) -> bool:
        """Wait until every handler has taken everything that was published, and return whether they did in time."""
        ends = time.monotonic() + seconds
        for subscription in self._subscriptions:
            left = max(ends - time.monotonic(), 0.0)
            if not await asyncio.to_thread(subscription.wait_until_empty, left):
                return False
        return True

    async def close(self, seconds: float = 30.0) -> None:
        """Take no more events, wait for the handlers for so long, and end; what still waits then is a dead letter."""
        with self._lock:
            self._is_open = False
        await self.drain(seconds)
        for subscription in self._subscriptions:
            if subscription.is_open:
                subscription.end("the bus was closed")


def _loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return background_loop()
