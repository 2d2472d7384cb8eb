"""Chunks on threads of this process: for kernels, which release the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED as ANY_DONE
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Self

from algotrendy.compute.backend import Outcome

_AHEAD = 2
"""Chunks handed out per thread: enough that none waits, few enough that Ctrl-C is obeyed at once."""


class Threads:
    """A pool of threads as a backend of `map_work`."""

    def __init__(self, function: Callable[[Any], Any], workers: int) -> None:
        self.room = workers * _AHEAD
        self._function = function
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="algotrendy")
        self._running: dict[Future[Any], int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def running(self) -> int:
        """How many chunks were started and are not finished."""
        return len(self._running)

    def start(self, place: int, chunk: Any) -> None:
        """Hand out one chunk."""
        self._running[self._pool.submit(self._function, chunk)] = place

    def finished(self, timeout: float | None) -> list[Outcome]:
        """Wait for a chunk and return those that are finished."""
        done = wait(self._running, timeout, return_when=ANY_DONE).done
        return [self._outcome(future, self._running.pop(future)) for future in done]

    def withdraw(self) -> None:
        """Take back what no thread has begun."""
        for future in list(self._running):
            if future.cancel():
                del self._running[future]

    @staticmethod
    def _outcome(future: Future[Any], place: int) -> Outcome:
        error = future.exception()
        return Outcome(place, error=error) if error is not None else Outcome(place, future.result())
