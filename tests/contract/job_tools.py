"""What the tests of the queue and of its workers share."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from algotrendy.jobs import Backoff, JobQueue, Worker

AT_ONCE = Backoff(first_seconds=0.0)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def taken(queue: JobQueue, kind: str = "work", seconds: float = 30.0) -> Any:
    lease = queue.lease([kind], worker="test", seconds=seconds)
    assert lease is not None
    return lease


@contextmanager
def working(worker: Worker) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield thread
    finally:
        worker.stop()
        thread.join(30)
        assert not thread.is_alive()


def until(claim: Any, seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < ends, "it did not come true in time"
        time.sleep(0.01)
