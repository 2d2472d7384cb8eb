"""Handlers that say themselves what they want to hear."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from algotrendy.errors import InputError
from algotrendy.events.envelope import TOPIC
from algotrendy.events.pattern import matches, words_of

__all__ = ["Consumer", "consumers_of", "event_consumer"]

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK = "__event_consumers__"


class Consumer(NamedTuple):
    """A handler and what it listens to.

    Attributes
    ----------
    topic, pattern : str
        Where it listens, and to which types of event.
    handler : callable
        What is told.
    """

    topic: str
    pattern: str
    handler: Callable[..., Any]


def event_consumer(topic: str = TOPIC, event_type: str = "#") -> Callable[[_F], _F]:
    """Mark a function or method as a handler of events; it stays the function that it was.

    A bus is told with `bus.add_consumers(...)`: nothing happens at import.

    Parameters
    ----------
    topic : str
        Where the events are published.
    event_type : str
        A type, or a pattern: `*` for one word, `#` for any number. The mark may be put on several times.

    Raises
    ------
    InputError
        If it is no pattern.

    Examples
    --------
    >>> from algotrendy.events import EventType
    >>> @event_consumer(event_type=EventType.ORDER_CREATED)
    ... def on_order(event):
    ...     return event.data["order_id"]
    >>> [consumer.pattern for consumer in consumers_of(on_order)]
    ['trading.order.created']
    """
    words_of(str(event_type))

    def mark(function: _F) -> _F:
        marks = (*getattr(function, _MARK, ()), (topic, str(event_type)))
        setattr(function, _MARK, marks)
        return function

    return mark


def consumers_of(source: Any, topic: str = TOPIC) -> list[Consumer]:
    """Return the marked handlers of a function, an object or a module that listen to a topic.

    Raises
    ------
    InputError
        If there is none: a mark was forgotten, or the topic is another one.

    Examples
    --------
    >>> class Desk:
    ...     @event_consumer(event_type="trading.#")
    ...     def hear(self, event): ...
    >>> consumers_of(Desk())[0].pattern
    'trading.#'
    """
    found = [
        Consumer(of, pattern, handler)
        for handler in _handlers(source)
        for of, pattern in getattr(handler, _MARK)
        if of == topic or (("*" in of or "#" in of) and matches(of, topic))
    ]
    if not found:
        raise InputError(f"{source!r} has no handler for {topic}; mark one with @event_consumer(topic, event_type)")
    return found


def _handlers(source: Any) -> Iterator[Callable[..., Any]]:
    if hasattr(source, _MARK):
        yield source
        return
    for name, member in inspect.getmembers_static(source):
        plain = getattr(member, "__func__", member)
        if hasattr(plain, _MARK):
            yield getattr(source, name)
