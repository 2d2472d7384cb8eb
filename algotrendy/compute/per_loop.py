"""One thing per event loop: connections belong to the loop that opened them, and an object may be used from several.

The loop in the background serves synchronous callers, a server has its own; both may share one store or cache.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ["PerLoop"]

_T = TypeVar("_T")


class PerLoop(Generic[_T]):
    """Makes a thing when a loop first asks for it, and keeps it as long as the loop.

    Examples
    --------
    >>> from algotrendy.compute import wait_for
    >>> things = PerLoop(list)
    >>> async def is_kept() -> bool:
    ...     return things.get() is things.get()
    >>> wait_for(is_kept())
    True
    """

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _T] = weakref.WeakKeyDictionary()

    def get(self) -> _T:
        """Return the thing of the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if loop not in self._made:
                self._made[loop] = self._make()
            return self._made[loop]

    async def close(self, close: Callable[[_T], Awaitable[object]]) -> None:
        """Close every thing in its own loop and forget it; those of loops that no longer run are only forgotten."""
        with self._lock:
            made = dict(self._made)
            self._made.clear()
        here = asyncio.get_running_loop()
        for loop, thing in made.items():
            if loop is here:
                await close(thing)
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_closed(close, thing), loop))


async def _closed(close: Callable[[_T], Awaitable[object]], thing: _T) -> None:
    await close(thing)
