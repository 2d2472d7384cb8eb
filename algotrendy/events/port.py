"""What every bus does, in this process or over a broker of messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from algotrendy.events.catalogue import Payload
    from algotrendy.events.envelope import EventEnvelope

__all__ = ["EventBus", "EventHandler", "EventSubscription"]

EventHandler: TypeAlias = Callable[["EventEnvelope"], Any]
"""Is told of an event; may be a coroutine function. It may be told twice, so it has to bear that: see `event_id`."""


class EventSubscription(Protocol):
    """A handler and the pattern of the events that it is told of."""

    name: str
    pattern: str

    def cancel(self) -> None:
        """Tell the handler of no more events."""
        ...


class EventBus(Protocol):
    """Tells handlers what happened: each event at least once, events of one key in their order."""

    async def publish(self, event: EventEnvelope) -> EventEnvelope:
        """Take an event, and return it with its sequence number."""
        ...

    async def publish_event(
        self,
        event_type: str,
        data: Mapping[str, Any] | Payload,
        routing_key: str | None = None,
        *,
        source: str = "algotrendy",
    ) -> EventEnvelope:
        """Make an event, take it, and return it; `routing_key` is the key of the envelope."""
        ...

    def subscribe(self, pattern: str, handler: EventHandler, *, name: str | None = None) -> EventSubscription:
        """Tell a handler of the events of a pattern from now on."""
        ...

    async def close(self) -> None:
        """Take no more events, and end."""
        ...
