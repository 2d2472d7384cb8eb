"""What a sweep keeps for combinations to come: so much, and no more."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

__all__ = ["Kept"]


class Kept:
    """What was made and may be asked for again, up to so many bytes; what was asked for last stays longest.

    Threads share it; a copy that goes to another process begins empty.

    Examples
    --------
    >>> kept = Kept(bytes_max=100)
    >>> kept.put("a", 1, 60)
    >>> kept.put("b", 2, 60)
    >>> kept.get("a"), kept.get("b")
    (None, 2)
    """

    def __init__(self, bytes_max: int = 192 * 2**20) -> None:
        self._bytes_max = bytes_max
        self._clear()

    def _clear(self) -> None:
        self._lock, self._bytes = threading.Lock(), 0
        self._found: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def __getstate__(self) -> int:
        return self._bytes_max

    def __setstate__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._clear()

    def get(self, key: Hashable) -> Any:
        """Return what is kept under a key, or None."""
        with self._lock:
            if key not in self._found:
                return None
            self._found.move_to_end(key)
            return self._found[key][0]

    def put(self, key: Hashable, value: Any, n_bytes: int) -> None:
        """Keep something."""
        with self._lock:
            self._bytes += n_bytes - self._found.pop(key, (None, 0))[1]
            self._found[key] = value, n_bytes
            while self._bytes > self._bytes_max:
                self._bytes -= self._found.popitem(last=False)[1][1]
