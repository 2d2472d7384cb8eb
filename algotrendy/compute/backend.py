"""What `map_work` asks of threads, of processes and of a cluster: start a chunk, say what is finished."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self


class Outcome(NamedTuple):
    """What became of one chunk: a result, an error that its function raised, or the loss of its worker."""

    place: int
    result: Any = None
    error: BaseException | None = None
    lost: str | None = None


class Backend(Protocol):
    """Workers that compute chunks. A context manager: leaving it ends them, and what they still compute."""

    room: int
    """How many chunks may have been started and not be finished: enough that no worker waits."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    @property
    def running(self) -> int:
        """How many chunks were started and are not finished."""

    def start(self, place: int, chunk: Any) -> None:
        """Hand out one chunk; it is called only while there is room."""

    def finished(self, timeout: float | None) -> list[Outcome]:
        """Wait until at least one chunk is finished, or for so many seconds, and return those that are."""

    def withdraw(self) -> None:
        """Take back what was started and has not begun to be computed."""
