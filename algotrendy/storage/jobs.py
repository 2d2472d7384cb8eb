"""The rows of the job queue, and the statements that move a job from one status to the next.

Every statement that a worker sends names its lease. A worker whose lease ended, and whose job another one took, changes
nothing any more: that is what makes it safe to give a job away when its worker is silent.
"""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.plain import to_plain
from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.storage.ids import PREFIXES, new_id
from algotrendy.storage.records import Page, checked_text, insert_new, page_of, record_of
from algotrendy.storage.types import strict_json

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.storage.database import Transactions

__all__ = ["NEXT_JOB_STATUS", "Job", "JobStatus", "JobStore"]


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


S = JobStatus
NEXT_JOB_STATUS: Mapping[JobStatus, frozenset[JobStatus]] = {
    S.QUEUED: frozenset({S.RUNNING, S.CANCELLED}),
    S.RUNNING: frozenset({S.RUNNING, S.QUEUED, S.COMPLETED, S.FAILED, S.CANCELLED}),
    S.COMPLETED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
}
"""What each status may become. Running to running: the lease ended and another worker took the job."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A piece of work, as the queue knows it.

    Attributes
    ----------
    id : str
        `job_…`.
    kind : str
        Which handler does it.
    payload : mapping
        What the handler is given.
    idempotency_key : str or None
        Enqueued again under the same kind and key, it is the same job.
    status : JobStatus
        queued, running, completed, failed or cancelled.
    priority : int
        Larger ones first.
    due_at : datetime
        UTC. Queued: when a worker may take it. Running: when its lease ends.
    attempts, attempts_max : int
        How many times a worker took it, and how many times one may.
    lease : UUID or None
        Of the worker that has it.
    worker : str or None
        Who has it, or had it last.
    cancel_requested : bool
        Whether its worker is to end it.
    progress_done, progress_total : float or None
        How much of how much is done, in units of the handler's choice.
    progress_message : str or None
        What it is doing.
    expected_at : datetime or None
        UTC, when it will be done if it goes on as fast as it did.
    checkpoint : any
        What the handler saved, to go on from there.
    result : any
        What the handler returned.
    error : str or None
        Of the last attempt that failed.
    created_at, started_at, finished_at : datetime or None
        UTC; `started_at` is of the last attempt.
    """

    id: str
    kind: str
    payload: Mapping[str, Any]
    idempotency_key: str | None
    status: JobStatus
    priority: int
    due_at: datetime
    attempts: int
    attempts_max: int
    lease: uuid.UUID | None
    worker: str | None
    cancel_requested: bool
    progress_done: float | None
    progress_total: float | None
    progress_message: str | None
    expected_at: datetime | None
    checkpoint: Any
    result: Any
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_finished(self) -> bool:
        """Whether nothing will change any more."""
        return not NEXT_JOB_STATUS[self.status]


class JobStore:
    """Jobs in a database; `algotrendy.jobs` makes a queue and workers of it.

    Parameters
    ----------
    transactions : Database or UnitOfWork
        A database: each call is a transaction of its own. A unit of work: a job is enqueued if the rest happens, too.

    Examples
    --------
    >>> import tempfile
    >>> from algotrendy.storage import Database
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database(f"sqlite:///{folder}/house.db")
    ...     store = JobStore(database)
    ...     made = store.enqueue("greet", {"name": "Ada"})
    ...     taken = store.take(["greet"], worker="me", seconds=30)
    ...     store.move(taken.id, taken.lease, "completed", result="Hello, Ada").result
    ...     database.close()
    'Hello, Ada'
    """

    def __init__(self, transactions: Transactions) -> None:
        from algotrendy.storage.tables import jobs

        self._transactions, self._table = transactions, jobs

    # --- whoever wants work done ---

    def enqueue(
        self,
        kind: str,
        payload: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        priority: int = 0,
        run_after: datetime | None = None,
        attempts_max: int = 3,
    ) -> Job:
        """Put a job into the queue and return it; when this returns, the job is kept.

        Raises
        ------
        InputError
            If an argument is out of its range, or the payload has something that JSON cannot say.
        Conflict
            If a job of this kind and key is there with another payload.
        """
        if attempts_max < 1:
            raise InputError(f"attempts_max={attempts_max} is too few; expected at least 1")
        if run_after is not None and run_after.tzinfo is None:
            raise InputError(f"run_after={run_after.isoformat()} has no time zone; give it one: .replace(tzinfo=UTC)")
        content = {} if payload is None else dict(payload)
        values: dict[str, Any] = {
            "id": new_id(PREFIXES["jobs"]),
            "kind": checked_text("kind", kind, 100),
            "payload": content,
            "idempotency_key": None if idempotency_key is None else checked_text("key", idempotency_key, 255),
            "status": S.QUEUED,
            "priority": priority,
            "attempts": 0,
            "attempts_max": attempts_max,
            "cancel_requested": False,
        }
        plain = strict_json(to_plain(content))
        with self._transactions.transaction() as connection:
            values["created_at"] = now = self._transactions.now(connection)
            values["due_at"] = now if run_after is None else run_after
            insert = insert_new(connection, self._table).values(values).on_conflict_do_nothing()
            row = connection.execute(insert.returning(*self._table.c)).one_or_none()
            if row is not None:
                return _job(row)
            same = (self._table.c.kind == kind) & (self._table.c.idempotency_key == idempotency_key)
            found = _job(connection.execute(self._table.select().where(same)).one())
        if strict_json(to_plain(found.payload)) != plain:
            raise Conflict(f"{found.id} has the same key {idempotency_key!r} and another payload; choose another key")
        return found

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises
        ------
        NotFound
            If there is none.
        """
        with self._transactions.transaction(writes=False) as connection:
            return self._found(connection, job_id)

    def list(
        self, *, kind: str | None = None, status: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[Job]:
        """Return jobs, the newest first, a page at a time."""
        query = self._table.select()
        if kind is not None:
            query = query.where(self._table.c.kind == kind)
        if status is not None:
            query = query.where(self._table.c.status == _status(status))
        with self._transactions.transaction(writes=False) as connection:
            return page_of(connection, query, _job, key=self._table.c.id, cursor=cursor, limit=limit)

    def counts(self) -> dict[JobStatus, int]:
        """Return how many jobs stand where."""
        import sqlalchemy as sa

        query = sa.select(self._table.c.status, sa.func.count()).group_by(self._table.c.status)
        with self._transactions.transaction(writes=False) as connection:
            found = {JobStatus(status): count for status, count in connection.execute(query).all()}
        return {status: found.get(status, 0) for status in JobStatus}

    def cancel(self, job_id: str) -> Job:
        """Cancel a job: at once if nobody works on it, else its worker is asked to. A finished one stays as it is.

        Raises
        ------
        NotFound
            If there is none.
        """
        t = self._table
        with self._transactions.transaction() as connection:
            now = self._transactions.now(connection)
            is_idle = (t.c.status == S.QUEUED) | ((t.c.status == S.RUNNING) & (t.c.due_at <= now))
            gone = {"status": S.CANCELLED, "finished_at": now, "lease": None, "cancel_requested": True}
            row = self._changed(connection, (t.c.id == job_id) & is_idle, gone)
            if row is None:
                is_running = (t.c.id == job_id) & (t.c.status == S.RUNNING)
                row = self._changed(connection, is_running, {"cancel_requested": True})
            return self._found(connection, job_id) if row is None else _job(row)

    def prune(self, finished_before: datetime) -> int:
        """Forget jobs that were finished before an instant, and return how many; results of backtests stay."""
        t = self._table
        done = t.c.status.in_([status for status in JobStatus if not NEXT_JOB_STATUS[status]])
        with self._transactions.transaction() as connection:
            return connection.execute(t.delete().where(done & (t.c.finished_at < finished_before))).rowcount

    # --- workers ---

    def take(self, kinds: Iterable[str], *, worker: str, seconds: float) -> Job | None:
        """Lease the most urgent job that is due, for so many seconds; None if there is none.

        Two workers never get the same lease: on PostgreSQL a row that another one is taking is skipped, on SQLite
        writers take turns. A job whose lease ended is due again, unless it was taken as often as it may be.
        """
        import sqlalchemy as sa

        t = self._table
        wanted = sorted(set(kinds))
        with self._transactions.transaction(writes=False) as connection:
            now = self._transactions.now(connection)
            is_due = t.c.status.in_([S.QUEUED, S.RUNNING]) & (t.c.due_at <= now)
            concerns = t.c.kind.in_(wanted) | (t.c.status == S.RUNNING)  # whoever comes by clears up for all kinds
            if not connection.execute(sa.select(sa.exists().where(is_due & concerns))).scalar_one():
                return None
        with self._transactions.transaction() as connection:
            now = self._transactions.now(connection)
            is_due = t.c.status.in_([S.QUEUED, S.RUNNING]) & (t.c.due_at <= now)
            self._give_up(connection, now)
            first = sa.select(t.c.id).where(is_due & t.c.kind.in_(wanted))
            first = first.order_by(t.c.priority.desc(), t.c.due_at, t.c.id).limit(1).with_for_update(skip_locked=True)
            values = {
                "status": S.RUNNING, "lease": uuid.uuid4(), "worker": checked_text("worker", worker),
                "due_at": now + timedelta(seconds=seconds), "attempts": t.c.attempts + 1, "started_at": now,
                "expected_at": None,
            }  # fmt: skip
            row = self._changed(connection, t.c.id == first.scalar_subquery(), values)
        return None if row is None else _job(row)

    def renew(
        self, job_id: str, lease: uuid.UUID, *, seconds: float, progress: Mapping[str, Any] | None = None
    ) -> Job | None:
        """Extend a lease, write down the progress, and return the job; None if the lease is lost."""
        with self._transactions.transaction() as connection:
            ends = self._transactions.now(connection) + timedelta(seconds=seconds)
            row = self._changed(connection, self._has(job_id, lease), {"due_at": ends, **(progress or {})})
        return None if row is None else _job(row)

    def save(self, job_id: str, lease: uuid.UUID, checkpoint: Any) -> bool:
        """Keep what a handler needs to go on after its worker is gone; False if the lease is lost."""
        with self._transactions.transaction() as connection:
            return self._changed(connection, self._has(job_id, lease), {"checkpoint": checkpoint}) is not None

    def move(
        self,
        job_id: str,
        lease: uuid.UUID,
        status: str,
        *,
        result: Any = None,
        error: str | None = None,
        after_seconds: float = 0.0,
        counts: bool = True,
    ) -> Job | None:
        """Give a leased job its next status and return it; None if the lease is lost, and nothing changed.

        Parameters
        ----------
        job_id, lease : str, UUID
            Which job, and the lease that this worker has.
        status : str
            completed, failed, cancelled; or queued, to be taken again, unless somebody cancelled it meanwhile.
        result, error : any, str
            What came out, or what went wrong.
        after_seconds : float
            Queued: not before so many seconds are over.
        counts : bool
            Queued: whether this attempt counts.
        """
        wanted = _status(status)
        if wanted not in NEXT_JOB_STATUS[S.RUNNING] - {S.RUNNING}:
            raise InputError(f"a running job cannot become {wanted} by its worker; expected queued or a final status")
        has = self._has(job_id, lease)
        with self._transactions.transaction() as connection:
            now = self._transactions.now(connection)
            values: dict[str, Any] = {"status": wanted, "lease": None}
            if error is not None:
                values["error"] = error.replace("\0", "\N{SYMBOL FOR NULL}")
            if wanted is not S.QUEUED:
                row = self._changed(connection, has, {**values, "finished_at": now, "result": result})
            else:
                attempts = self._table.c.attempts - (0 if counts else 1)
                again = {"due_at": now + timedelta(seconds=after_seconds), "expected_at": None, "attempts": attempts}
                is_wanted = ~self._table.c.cancel_requested
                row = self._changed(connection, has & is_wanted, {**values, **again})
                if row is None:
                    row = self._changed(connection, has, {**values, "status": S.CANCELLED, "finished_at": now})
        return None if row is None else _job(row)

    # --- statements ---

    def _has(self, job_id: str, lease: uuid.UUID) -> sa.ColumnElement[bool]:
        """Return the condition that a job is running under a lease."""
        t = self._table
        return (t.c.id == job_id) & (t.c.status == S.RUNNING) & (t.c.lease == lease)

    def _changed(self, connection: sa.Connection, where: sa.ColumnElement[bool], values: Mapping[str, Any]) -> Any:
        update = self._table.update().where(where).values(dict(values)).returning(*self._table.c)
        return connection.execute(update).one_or_none()

    def _give_up(self, connection: sa.Connection, now: datetime) -> None:
        """End jobs whose lease ended and that nobody may take again."""
        import sqlalchemy as sa

        t = self._table
        has_expired = (t.c.status == S.RUNNING) & (t.c.due_at <= now)
        if not connection.execute(sa.select(sa.exists().where(has_expired))).scalar_one():
            return
        error = "its worker fell silent, and it was taken as often as it may be: it may be what kills the worker"
        ends: builtins.list[tuple[sa.ColumnElement[bool], dict[str, Any]]] = [
            (has_expired & t.c.cancel_requested, {"status": S.CANCELLED}),
            (has_expired & (t.c.attempts >= t.c.attempts_max), {"status": S.FAILED, "error": error}),
        ]
        for where, values in ends:
            rows = sa.select(t.c.id).where(where).with_for_update(skip_locked=True)
            update = t.update().where(t.c.id.in_(rows)).values({**values, "lease": None, "finished_at": now})
            connection.execute(update)

    def _found(self, connection: sa.Connection, job_id: str) -> Job:
        row = connection.execute(self._table.select().where(self._table.c.id == job_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no job {job_id}")
        return _job(row)


def _status(status: str) -> JobStatus:
    try:
        return JobStatus(status)
    except ValueError:
        raise InputError(f"status={status!r} is unknown; expected one of {', '.join(JobStatus)}") from None


def _job(row: Any) -> Job:
    found = record_of(Job, row)
    return replace(found, status=JobStatus(found.status))
