"""The leaves of plain content, and the same content with one of them altered."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every leaf."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path
        return
    for key, item in items:
        yield from leaves(item, (*path, key))


def other(value: Any) -> Any:
    """Return another value of the same kind, as near as may be."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value * (1.0 + 1e-12) if value else 1e-300
        case str():
            return value[:-1] if value else "x"
    return 0


def with_leaf(content: dict[str, Any], path: tuple[Any, ...], value: Any = None) -> dict[str, Any]:
    """Return the content with a leaf that is `value`, or without one another value of the same kind."""
    altered = copy.deepcopy(content)
    inner: Any = altered
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = other(inner[path[-1]]) if value is None else value
    return altered
