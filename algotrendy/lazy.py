"""Names of a room that are loaded when first used, so that importing the room costs next to nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(room: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a room.

    Parameters
    ----------
    room : str
        Its `__name__`.
    homes : mapping of str to str
        Each name and the module that it is loaded from; one that begins with a dot lies in the room.

    Examples
    --------
    >>> lazy_names("algotrendy.data", {"as_bars": ".frames"})("as_bars").__name__
    'as_bars'
    """

    def found(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name], room), name)
        setattr(sys.modules[room], name, value)  # the next time it is found without asking here
        return value

    return found
