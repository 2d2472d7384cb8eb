"""What a handler is given: the payload, and ways to say how far it is, to save a state, to learn that it is to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from algotrendy.errors import InputError, JobStopped

if TYPE_CHECKING:
    from algotrendy.jobs.queue import Lease

__all__ = ["JobContext"]


class JobContext:
    """A job as its handler sees it. May be used by several threads of the handler.

    Attributes
    ----------
    job_id, kind : str
        Which job.
    payload : mapping
        What was enqueued.
    attempt : int
        1 the first time; more if an earlier attempt failed or its worker was killed.
    checkpoint : any
        What the last attempt saved with `save`, or None.

    Examples
    --------
    >>> def simulate(context: JobContext) -> float:
    ...     state = context.checkpoint or {"done": 0, "sum": 0.0}
    ...     for path in range(state["done"], context.payload["paths"]):
    ...         context.raise_if_cancelled()
    ...         state = {"done": path + 1, "sum": state["sum"] + path}
    ...         context.progress(state["done"], context.payload["paths"])
    ...         if state["done"] % 100 == 0:
    ...             context.save(state)
    ...     return state["sum"]
    """

    def __init__(self, lease: Lease, is_stopping: Callable[[], bool]) -> None:
        job = lease.job
        self.job_id, self.kind, self.attempt = job.id, job.kind, job.attempts
        self.payload: Mapping[str, Any] = job.payload
        self.checkpoint: Any = job.checkpoint
        self._lease, self._is_stopping = lease, is_stopping
        self._lock = threading.Lock()
        self._progress: dict[str, Any] | None = None
        self._began: tuple[float, float] | None = None

    def progress(self, done: float, total: float, message: str | None = None) -> None:
        """Say how much of how much is done; written down with the next heartbeat, so it may be called often.

        Parameters
        ----------
        done, total : float
            In any unit; 0 <= done <= total.
        message : str, optional
            What is being done.

        Raises
        ------
        InputError
            If `done` is not between 0 and `total`.
        """
        if not 0 <= done <= total:
            raise InputError(f"progress({done}, {total}) is out of range; expected 0 <= done <= total")
        now = time.monotonic()
        with self._lock:
            if self._began is None or done < self._began[1]:
                self._began = (now, done)
            expected_at = self._expected(now, done, total)
            self._progress = {
                "progress_done": float(done), "progress_total": float(total), "progress_message": message,
                "expected_at": expected_at,
            }  # fmt: skip

    def raise_if_cancelled(self) -> None:
        """End the handler if somebody cancelled the job, the lease is lost, or the worker is to stop. Costs nothing.

        Raises
        ------
        JobStopped
            If one of these is so; let it pass.
        """
        if self._lease.is_lost:
            raise JobStopped(self.job_id, "lease lost")
        if self._lease.job.cancel_requested:
            raise JobStopped(self.job_id, "cancelled")
        if self._is_stopping():
            raise JobStopped(self.job_id, "worker stops")

    def save(self, checkpoint: Any) -> None:
        """Keep a state from which another worker can go on; it is kept when this returns.

        Parameters
        ----------
        checkpoint : any
            Anything that a saved result may hold; a few kilobytes at most, large things belong into a file.

        Raises
        ------
        JobStopped
            If the lease is lost: another worker has the job.
        InputError
            If it has something that JSON cannot say.
        """
        if not self._lease.save(checkpoint):
            raise JobStopped(self.job_id, "lease lost")
        self.checkpoint = checkpoint

    def take_progress(self) -> dict[str, Any] | None:
        """Return what was reported since the last heartbeat, for the worker; None if nothing was."""
        with self._lock:
            progress, self._progress = self._progress, None
        return progress

    def _expected(self, now: float, done: float, total: float) -> datetime | None:
        """Return when everything will be done, at the pace since the first report of this attempt."""
        assert self._began is not None
        began_at, began_with = self._began
        if done >= total:
            return datetime.now(UTC)
        if done <= began_with or now <= began_at:
            return None
        seconds = (total - done) * (now - began_at) / (done - began_with)
        try:
            return datetime.now(UTC) + timedelta(seconds=seconds)
        except OverflowError:
            return None
