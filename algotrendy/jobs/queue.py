"""The queue as those see it who want work done, and the lease under which a worker does it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from algotrendy.errors import InputError
from algotrendy.storage.jobs import Job, JobStatus, JobStore

if TYPE_CHECKING:
    from algotrendy.storage.database import Transactions
    from algotrendy.storage.records import Page

__all__ = ["Backoff", "JobQueue", "Lease"]

_FIRST_LOOK, _LAST_LOOK = 0.01, 0.25


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How long a job that failed waits before it is tried again: longer each time.

    Attributes
    ----------
    first_seconds : float
        After the first failure.
    factor : float
        How much longer each time, at least 1.
    longest_seconds : float
        Never longer.
    spread : float
        Share by which waits differ from job to job, in [0, 1): jobs that failed together are not tried together.

    Examples
    --------
    >>> [Backoff(spread=0.0).seconds(attempts) for attempts in (1, 2, 3, 20)]
    [1.0, 2.0, 4.0, 300.0]
    """

    first_seconds: float = 1.0
    factor: float = 2.0
    longest_seconds: float = 300.0
    spread: float = 0.25

    def __post_init__(self) -> None:
        """Refuse what would not wait, or wait shorter each time."""
        if self.first_seconds < 0 or self.factor < 1 or self.longest_seconds < 0 or not 0 <= self.spread < 1:
            raise InputError(f"{self} is out of range; expected seconds >= 0, factor >= 1, 0 <= spread < 1")

    def seconds(self, attempts: int, job_id: str = "") -> float:
        """Return the wait after so many attempts; the spread comes from the job's identity, not from chance."""
        doublings = min(max(attempts - 1, 0), 1_000 if self.factor == 1 else 64)
        wait = min(self.first_seconds * self.factor**doublings, self.longest_seconds)
        share = int(job_id[-4:], 16) / 0xFFFF if job_id else 0.0
        return wait * (1.0 - self.spread * share)


class JobQueue:
    """A queue that lies in a database: what was enqueued is done at least once, whatever is killed.

    Calls are short and synchronous, asynchronous code wraps them in `asyncio.to_thread`; `wait` is asynchronous.

    Parameters
    ----------
    transactions : Database or UnitOfWork
        Where the jobs are. In a unit of work a job is enqueued if everything else happens, too.
    backoff : Backoff, optional
        How long jobs that failed wait.

    Examples
    --------
    >>> import tempfile
    >>> from algotrendy.jobs import Worker
    >>> from algotrendy.storage import Database
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database(f"sqlite:///{folder}/house.db")
    ...     queue = JobQueue(database)
    ...     job = queue.enqueue("square", {"x": 12}, key="square of 12")
    ...     Worker(queue, {"square": lambda context: context.payload["x"] ** 2}).run(until_idle=True)
    ...     print(queue.get(job.id).status, queue.get(job.id).result)
    ...     database.close()
    completed 144
    """

    def __init__(self, transactions: Transactions, *, backoff: Backoff | None = None) -> None:
        self._store = JobStore(transactions)
        self._backoff = Backoff() if backoff is None else backoff

    # --- whoever wants work done ---

    def enqueue(
        self,
        kind: str,
        payload: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        priority: int = 0,
        run_after: datetime | None = None,
        attempts_max: int = 3,
    ) -> Job:
        """Put a job into the queue and return it; when this returns, the job is kept.

        Parameters
        ----------
        kind : str
            Which handler is to do it.
        payload : mapping, optional
            What the handler is given; anything that a saved result may hold, NaN included.
        key : str, optional
            Enqueued again under the same kind and key it is the same job: a caller that does not know whether it was
            enqueued repeats the call.
        priority : int
            Larger ones first; among equals, the one that is due first.
        run_after : datetime, optional
            Not before this instant.
        attempts_max : int
            How many times a worker may take it before it counts as failed.

        Raises
        ------
        InputError
            If an argument is out of its range, or the payload has something that JSON cannot say.
        Conflict
            If a job of this kind and key is there with another payload.
        """
        return self._store.enqueue(
            kind,
            payload,
            idempotency_key=key,
            priority=priority,
            run_after=run_after,
            attempts_max=attempts_max,
        )

    def get(self, job_id: str) -> Job:
        """Return a job as it is now; `NotFound` if there is none."""
        return self._store.get(job_id)

    def list(
        self, *, kind: str | None = None, status: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[Job]:
        """Return jobs, the newest first, a page at a time."""
        return self._store.list(kind=kind, status=status, cursor=cursor, limit=limit)

    def counts(self) -> dict[JobStatus, int]:
        """Return how many jobs stand where."""
        return self._store.counts()

    def cancel(self, job_id: str) -> Job:
        """Cancel a job: at once if nobody works on it, else its worker sees it at its next heartbeat.

        A handler that does not ask runs to its end, and the job is completed. A finished job stays as it is.
        """
        return self._store.cancel(job_id)

    def prune(self, finished_before: datetime) -> int:
        """Forget jobs that were finished before an instant, and return how many."""
        return self._store.prune(finished_before)

    async def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """Wait until a job is finished, and return it; after `timeout` seconds return it as it is then.

        Ask `is_finished`, or compare the status: a job that failed or was cancelled is returned as well.

        Parameters
        ----------
        job_id : str
            Which job.
        timeout : float, optional
            Seconds, at most. None: as long as it takes.

        Raises
        ------
        NotFound
            If there is none.
        """
        ends = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_LOOK
        while True:
            job = await asyncio.to_thread(self._store.get, job_id)
            left = pause if ends is None else ends - time.monotonic()
            if job.is_finished or left <= 0:
                return job
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, _LAST_LOOK)

    # --- workers ---

    def lease(self, kinds: Iterable[str], *, worker: str, seconds: float = 30.0) -> Lease | None:
        """Take the most urgent job of these kinds that is due, for so many seconds; None if there is none.

        Parameters
        ----------
        kinds : iterable of str
            What this worker can do.
        worker : str
            Its name, for whoever looks at the table.
        seconds : float
            How long nobody else gets the job; `Lease.renew` prolongs it.
        """
        if seconds <= 0:
            raise InputError(f"seconds={seconds} is too short; expected a lease of more than 0 seconds")
        asked_at = time.monotonic()
        job = self._store.take(kinds, worker=worker, seconds=seconds)
        return None if job is None else Lease(self._store, job, self._backoff, seconds, asked_at)


class Lease:
    """The right to work on a job until the lease ends; each call says whether it still has it.

    A lease that was lost changes nothing any more: another worker has the job, or it was cancelled.
    """

    def __init__(self, store: JobStore, job: Job, backoff: Backoff, seconds: float, asked_at: float) -> None:
        assert job.lease is not None
        self.job = job
        self.seconds = seconds
        self._store, self._backoff, self._token = store, backoff, job.lease
        self._ends = asked_at + seconds
        self._is_lost = False

    @property
    def is_lost(self) -> bool:
        """Whether another worker may have the job, by what is known here: the database need not be asked."""
        return self._is_lost or time.monotonic() >= self._ends

    @property
    def token(self) -> uuid.UUID:
        """What tells this lease from the others of the same job."""
        return self._token

    def renew(self, progress: Mapping[str, Any] | None = None) -> bool:
        """Prolong the lease and write down the progress; return False if it is lost."""
        asked_at = time.monotonic()
        job = self._store.renew(self.job.id, self._token, seconds=self.seconds, progress=progress)
        if job is not None:
            self.job, self._ends = job, asked_at + self.seconds
        return self._kept(job is not None)

    def save(self, checkpoint: Any) -> bool:
        """Keep what is needed to go on after this worker is gone; return False if the lease is lost."""
        return self._kept(self._store.save(self.job.id, self._token, checkpoint))

    def complete(self, result: Any = None) -> bool:
        """End the job with a result; return False if the lease is lost, then the result counts for nothing."""
        return self._moved(JobStatus.COMPLETED, result=result)

    def fail(self, error: str, *, for_good: bool = False) -> bool:
        """End this attempt: the job is tried again later, or has failed if it may not be or `for_good` says so."""
        job = self.job
        if for_good or job.attempts >= job.attempts_max:
            return self._moved(JobStatus.FAILED, error=error)
        wait = self._backoff.seconds(job.attempts, job.id)
        return self._moved(JobStatus.QUEUED, error=error, after_seconds=wait)

    def cancel(self) -> bool:
        """End the job as cancelled."""
        return self._moved(JobStatus.CANCELLED)

    def release(self) -> bool:
        """Give the job back, to be taken again at once; this attempt does not count."""
        return self._moved(JobStatus.QUEUED, counts=False)

    def _moved(self, status: JobStatus, **values: Any) -> bool:
        job = self._store.move(self.job.id, self._token, status, **values)
        if job is not None:
            self.job = job
        return self._kept(job is not None)

    def _kept(self, is_ours: bool) -> bool:
        self._is_lost = self._is_lost or not is_ours
        return is_ours
