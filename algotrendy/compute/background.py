"""One event loop in a thread of its own, so that synchronous code can call what is asynchronous.

Notebooks and servers have a running loop already, so `asyncio.run` is never called: `wait_for` hands the work to the
loop in the background and waits for it. Ctrl-C cancels the work and is raised where it was pressed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from algotrendy.errors import InputError

__all__ = ["background_loop", "wait_for"]

_T = TypeVar("_T")


class _Background:
    """Holds the one loop; started on first use, and again in a forked child, whose thread is gone."""

    lock = threading.Lock()
    loop: asyncio.AbstractEventLoop | None = None
    thread: threading.Thread | None = None


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the running loop of the background thread.

    Examples
    --------
    >>> background_loop().is_running()
    True
    """
    with _Background.lock:
        if _Background.loop is None or _Background.thread is None or not _Background.thread.is_alive():
            started = threading.Event()
            loop = asyncio.new_event_loop()
            loop.call_soon(started.set)
            thread = threading.Thread(target=loop.run_forever, name="algotrendy-background", daemon=True)
            thread.start()
            started.wait()
            _Background.loop, _Background.thread = loop, thread
        return _Background.loop


def wait_for(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on the background loop, wait for it, and return what it returns.

    Raises
    ------
    InputError
        If called from the background loop itself, which would wait for itself for ever: await the coroutine there.

    Examples
    --------
    >>> async def answer() -> int:
    ...     return 42
    >>> wait_for(answer())
    42
    """
    if threading.current_thread() is _Background.thread:
        work.close()
        raise InputError("a synchronous call was made inside asynchronous code of algotrendy; await the async form")
    future = asyncio.run_coroutine_threadsafe(work, background_loop())
    try:
        return future.result()
    finally:
        future.cancel()  # does nothing to what is done; ends the work where Ctrl-C ended the waiting
