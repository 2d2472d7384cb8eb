"""What happened, told to whoever wants to know: a catalogue of events, their envelope, and a bus in this process.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.events.bus import InProcessBus
    from algotrendy.events.catalogue import CATALOGUE, EventType, Payload
    from algotrendy.events.consumer import consumers_of, event_consumer
    from algotrendy.events.envelope import EventEnvelope, envelope_of
    from algotrendy.events.pattern import matches
    from algotrendy.events.port import EventBus, EventHandler, EventSubscription
    from algotrendy.events.subscription import DeadLetter

_HOME_OF = {
    "CATALOGUE": ".catalogue",
    "DeadLetter": ".subscription",
    "EventBus": ".port",
    "EventEnvelope": ".envelope",
    "EventHandler": ".port",
    "EventSubscription": ".port",
    "EventType": ".catalogue",
    "InProcessBus": ".bus",
    "Payload": ".catalogue",
    "consumers_of": ".consumer",
    "envelope_of": ".envelope",
    "event_consumer": ".consumer",
    "matches": ".pattern",
}

__all__ = [
    "CATALOGUE",
    "DeadLetter",
    "EventBus",
    "EventEnvelope",
    "EventHandler",
    "EventSubscription",
    "EventType",
    "InProcessBus",
    "Payload",
    "consumers_of",
    "envelope_of",
    "event_consumer",
    "matches",
]

__getattr__ = lazy_names(__name__, _HOME_OF)
