"""Patterns of event types: `trading.order.created`, `trading.order.*`, `trading.#`."""

from __future__ import annotations

import functools
import re

from algotrendy.errors import InputError

__all__ = ["matches", "words_of"]

_WORD = re.compile(r"[a-z0-9_]+|\*|#")


def matches(pattern: str, event_type: str) -> bool:
    """Return whether an event is of a pattern.

    Parameters
    ----------
    pattern : str
        Words with dots; `*` stands for one word, `#` for any number of them, none included.
    event_type : str
        The type of an event.

    Raises
    ------
    InputError
        If it is no pattern.

    Examples
    --------
    >>> matches("trading.order.*", "trading.order.filled"), matches("trading.*", "trading.order.filled")
    (True, False)
    >>> matches("#", "portfolio.rebalanced"), matches("trading.#.filled", "trading.order.filled")
    (True, True)
    """
    return _matches(words_of(pattern), tuple(event_type.split(".")))


def words_of(pattern: str) -> tuple[str, ...]:
    """Return the words of a pattern.

    Examples
    --------
    >>> words_of("trading.#")
    ('trading', '#')
    """
    words = tuple(pattern.split("."))
    if not all(_WORD.fullmatch(word) for word in words):
        raise InputError(f"{pattern!r} is no pattern; expected words with dots, * for one word, # for any number")
    return words


@functools.lru_cache(maxsize=10_000)
def _matches(pattern: tuple[str, ...], words: tuple[str, ...]) -> bool:
    if not pattern:
        return not words
    head, rest = pattern[0], pattern[1:]
    if head == "#":
        return any(_matches(rest, words[taken:]) for taken in range(len(words) + 1))
    return bool(words) and head in ("*", words[0]) and _matches(rest, words[1:])
