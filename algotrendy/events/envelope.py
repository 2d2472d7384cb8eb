"""The envelope: what every event carries besides its data, the same on every bus."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from algotrendy.errors import InputError
from algotrendy.events.catalogue import CATALOGUE, EventType, Payload

__all__ = ["TOPIC", "EventEnvelope", "envelope_of"]

TOPIC = "algotrendy.events"
"""The one topic on which the house publishes; events on it are told apart by their type."""

_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")


class EventEnvelope(BaseModel):
    """An event.

    Attributes
    ----------
    event_id : UUID
        Nothing else has it: a handler that sees it twice has seen the same event twice.
    event_type : str
        A name such as `trading.order.created`.
    version : int
        Of the shape of the data.
    timestamp : datetime
        When it was made, in UTC.
    sequence : int
        Grows with every event that a bus took, so with every event of one key, too; 0: no bus has had it.
    key : str
        What it is about, such as the identity of an order. Events of one key stay in order.
    source : str
        Who says so.
    topic : str
        Where it is published.
    data : mapping
        As JSON can say it; `payload` gives it in its shape.

    Examples
    --------
    >>> event = envelope_of("portfolio.rebalanced", {"portfolio_id": "port_1", "method": "full"}, source="me")
    >>> event.key, event.version, EventEnvelope.from_json(event.to_json()) == event
    ('port_1', 1, True)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_id: uuid.UUID = Field(default_factory=uuid.uuid4)
    event_type: str
    version: int = Field(default=1, ge=1)
    timestamp: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    sequence: int = Field(default=0, ge=0)
    key: str
    source: str = "algotrendy"
    topic: str = TOPIC
    data: Mapping[str, Any]

    @property
    def payload(self) -> Payload:
        """The data in the shape that the catalogue names.

        Raises
        ------
        InputError
            If the catalogue has no such event, or another version of it, or the data are not of that shape.
        """
        known = _entry(self.event_type)
        if known is None or known.version != self.version:
            raise InputError(
                f"the catalogue has no {self.event_type} of version {self.version}; "
                "read .data, or bring algotrendy up to date"
            )
        return _checked(self.event_type, self.data)

    def to_json(self) -> str:
        """Return the event as JSON, decimals and times as texts."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> EventEnvelope:
        """Return the event of a text.

        Raises
        ------
        InputError
            If it is none.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as e:
            raise InputError(f"this is no event: {_first(e)}") from e


def envelope_of(
    event_type: str, data: Mapping[str, Any] | Payload, *, key: str | None = None, source: str = "algotrendy"
) -> EventEnvelope:
    """Return an event that no bus has had yet.

    Parameters
    ----------
    event_type : str
        One of the catalogue, whose shape the data have to have; or a dotted name of your own.
    data : mapping or Payload
        What happened. JSON has to be able to say it.
    key : str, optional
        What it is about. None: the catalogue says; of an event of your own its type.
    source : str
        Who says so.

    Raises
    ------
    InputError
        If the name is none, the data are not of the shape, or JSON cannot say them.

    Examples
    --------
    >>> envelope_of("desk.lunch", {"minutes": 30}).key
    'desk.lunch'
    """
    name = str(event_type)
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no type of event; expected lower-case words with dots, such as desk.lunch")
    known = _entry(name)
    payload = _checked(name, data) if known is not None else None
    if payload is not None:
        content: Any = payload.model_dump(mode="json")
    else:
        content = data.model_dump(mode="json") if isinstance(data, Payload) else dict(data)
    found = key
    if found is None:
        found = name if known is None or payload is None else known.key_of(payload)
    made = EventEnvelope(
        event_type=name, data=content, key=found, source=source, version=1 if known is None else known.version
    )
    if known is None:
        _say(made)
    return made


def _entry(event_type: str) -> Any:
    try:
        return CATALOGUE[EventType(event_type)]
    except ValueError:
        return None


def _checked(event_type: str, data: Mapping[str, Any] | Payload) -> Payload:
    shape: type[Payload] = CATALOGUE[EventType(event_type)].payload
    if isinstance(data, shape):
        return data
    try:
        return shape.model_validate(data.model_dump() if isinstance(data, Payload) else dict(data))
    except ValidationError as e:
        raise InputError(f"the data of {event_type} are not of the shape {shape.__name__}: {_first(e)}") from e


def _say(event: EventEnvelope) -> None:
    from pydantic_core import PydanticSerializationError

    try:
        event.to_json()
    except (PydanticSerializationError, ValueError) as e:
        raise InputError(f"the data of {event.event_type} have something that JSON cannot say: {e}") from e


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False)[0]
    place = ".".join(map(str, found["loc"]))
    return f"{place}: {found['msg']} ({error.error_count()} in all)"
