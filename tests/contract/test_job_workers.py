"""Workers keep their promises on every database, and waiting for them ends."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from algotrendy.compute import wait_for
from algotrendy.errors import InputError, JobStopped, VenueUnavailable
from algotrendy.jobs import JobContext, JobQueue, JobStatus, Worker
from algotrendy.storage import Database
from algotrendy.storage.jobs import JobStore
from tests.contract.databases import KINDS, Place, opened, place_for
from tests.contract.job_tools import AT_ONCE, taken, until, working


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Place:
    return place_for(request, request.param)


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    with opened(place) as one:
        yield one


@pytest.fixture
def queue(database: Database) -> JobQueue:
    return JobQueue(database, backoff=AT_ONCE)


# --- workers ---


def test_a_worker_runs_handlers_plain_and_asynchronous(queue: JobQueue) -> None:
    async def later(context: JobContext) -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"n": context.payload["n"], "nan": math.nan}

    plain = queue.enqueue("plain", {"n": 1})
    coroutine = queue.enqueue("later", {"n": 2})
    Worker(queue, {"plain": lambda context: context.payload["n"], "later": later}).run(until_idle=True)
    assert queue.get(plain.id).result == 1
    assert repr(queue.get(coroutine.id).result) == "{'n': 2, 'nan': nan}"
    assert {queue.get(one.id).status for one in (plain, coroutine)} == {JobStatus.COMPLETED}


def test_an_error_is_tried_again_but_a_wrong_call_is_not(queue: JobQueue) -> None:
    seen = []

    def flaky(context: JobContext) -> str:
        seen.append(context.attempt)
        if context.attempt < 3:
            raise OSError("the disk is on holiday")
        return "at last"

    def wrong(context: JobContext) -> None:
        raise InputError("fast has to be below slow")

    good = queue.enqueue("flaky")
    bad = queue.enqueue("wrong")
    odd = queue.enqueue("odd")
    hopeless = queue.enqueue("flaky", attempts_max=1)
    Worker(queue, {"flaky": flaky, "wrong": wrong, "odd": lambda _: {1, 2}}).run(until_idle=True)
    found = queue.get(good.id)
    assert (found.status, found.result, found.attempts) == ("completed", "at last", 3)
    assert found.error == "OSError: the disk is on holiday", "the last failure is kept"
    assert (queue.get(bad.id).status, queue.get(bad.id).attempts) == ("failed", 1)
    assert queue.get(bad.id).error == "InputError: fast has to be below slow"
    assert queue.get(odd.id).status == "failed"
    assert "with a set in it" in str(queue.get(odd.id).error)
    assert (queue.get(hopeless.id).status, queue.get(hopeless.id).attempts) == ("failed", 1)


def test_progress_is_written_down_with_a_time_of_arrival(queue: JobQueue) -> None:
    seen = []

    def slow(context: JobContext) -> None:
        context.progress(0, 10, "starting")
        for done in range(1, 6):
            time.sleep(0.05)
            context.progress(done, 10, "half way")
        until(lambda: queue.get(context.job_id).progress_done == 5)
        seen.append((queue.get(context.job_id), datetime.now(UTC)))
        context.progress(10, 10)

    job = queue.enqueue("slow")
    Worker(queue, {"slow": slow}, heartbeat_seconds=0.05).run(until_idle=True)
    ((half, at),) = seen
    assert (half.progress_done, half.progress_total, half.progress_message) == (5.0, 10.0, "half way")
    assert half.expected_at is not None
    assert timedelta(seconds=-5) < half.expected_at - at < timedelta(seconds=10)
    assert queue.get(job.id).progress_done == 10.0
    assert queue.get(job.id).status == "completed"


@pytest.mark.parametrize(("done", "total"), [(-1, 5), (6, 5), (math.nan, 5)])
def test_progress_that_cannot_be_is_refused(queue: JobQueue, done: float, total: float) -> None:
    job = queue.enqueue("work")
    Worker(queue, {"work": lambda context: context.progress(done, total)}).run(until_idle=True)
    assert "expected 0 <= done <= total" in str(queue.get(job.id).error)


def test_a_handler_sees_a_cancellation_at_the_next_heartbeat(queue: JobQueue) -> None:
    stopped = []

    def endless(context: JobContext) -> None:
        while True:
            try:
                context.raise_if_cancelled()
            except JobStopped as e:
                stopped.append(e.reason)
                raise
            time.sleep(0.005)

    job = queue.enqueue("endless")
    with working(Worker(queue, {"endless": endless}, heartbeat_seconds=0.05, poll_seconds=0.02)):
        until(lambda: queue.get(job.id).status == "running")
        queue.cancel(job.id)
        found = wait_for(queue.wait(job.id, 20))
    assert (found.status, stopped) == ("cancelled", ["cancelled"])


def test_a_handler_that_does_not_ask_is_completed_although_it_was_cancelled(queue: JobQueue) -> None:
    job = queue.enqueue("work")

    def deaf(context: JobContext) -> int:
        queue.cancel(context.job_id)
        return 5

    Worker(queue, {"work": deaf}).run(until_idle=True)
    assert (queue.get(job.id).status, queue.get(job.id).result) == ("completed", 5)


def test_a_worker_that_is_stopped_gives_its_job_back_with_the_state(queue: JobQueue) -> None:
    def count(context: JobContext) -> list[int]:
        start = context.checkpoint or 0
        for n in range(start, 1_000):
            context.save(n)
            if context.attempt == 1 and start:
                return [start, n]
            context.raise_if_cancelled()
            time.sleep(0.002)
        return []

    job = queue.enqueue("count", attempts_max=1)
    first = Worker(queue, {"count": count}, poll_seconds=0.02)
    with working(first):
        until(lambda: (queue.get(job.id).checkpoint or 0) > 3)
    given_back = queue.get(job.id)
    assert (given_back.status, given_back.attempts) == ("queued", 0)
    Worker(queue, {"count": count}).run(until_idle=True)
    done = queue.get(job.id)
    assert done.status == "completed"
    assert done.result == [given_back.checkpoint] * 2, "it went on where the first worker was"


def test_ctrl_c_gives_the_job_back(queue: JobQueue) -> None:
    def pressed(context: JobContext) -> None:
        raise KeyboardInterrupt

    job = queue.enqueue("work", attempts_max=1)
    with pytest.raises(KeyboardInterrupt):
        Worker(queue, {"work": pressed}).run()
    assert (queue.get(job.id).status, queue.get(job.id).attempts) == ("queued", 0)


def test_a_handler_whose_lease_is_lost_ends_and_counts_for_nothing(place: Place) -> None:
    with opened(place) as database:
        queue = JobQueue(database)
        job = queue.enqueue("work")
        ended = []

        def usurped(context: JobContext) -> str:
            with database.transaction() as connection:  # the lease ends, as if this worker had slept
                table = JobStore(database)._table
                connection.execute(table.update().values(due_at=datetime(2000, 1, 1, tzinfo=UTC)))
            other = taken(queue)
            with pytest.raises(JobStopped, match="lease lost"):
                context.save("too late")
            with pytest.raises(JobStopped, match="lease lost") as caught:
                context.raise_if_cancelled()
            ended.append(caught.value.reason)
            other.complete("other")
            return "mine"

        Worker(queue, {"work": usurped}).run(until_idle=True)
        assert ended == ["lease lost"]
        found = queue.get(job.id)
        assert (found.status, found.result, found.attempts) == ("completed", "other", 2)


def test_long_jobs_keep_their_lease_by_the_heartbeat(queue: JobQueue) -> None:
    runs = []

    def long(context: JobContext) -> None:
        runs.append(context.job_id)
        time.sleep(1.5)

    job = queue.enqueue("long")
    options: dict[str, Any] = {"lease_seconds": 0.6, "heartbeat_seconds": 0.1, "poll_seconds": 0.02}
    with working(Worker(queue, {"long": long}, **options)), working(Worker(queue, {"long": long}, **options)):
        wait_for(queue.wait(job.id, 20))
    assert runs == [job.id]
    assert queue.get(job.id).attempts == 1


def test_threads_of_a_worker_work_at_the_same_time(queue: JobQueue) -> None:
    together = threading.Barrier(3, timeout=20)
    for _ in range(3):
        queue.enqueue("meet")
    Worker(queue, {"meet": lambda _: together.wait() >= 0}, threads=3).run(until_idle=True)
    assert queue.counts()[JobStatus.COMPLETED] == 3


def test_what_breaks_a_thread_of_a_worker_is_raised(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the table is on fire")

    monkeypatch.setattr(JobStore, "take", broken)
    with pytest.raises(RuntimeError, match="on fire"):
        Worker(queue, {"work": lambda _: None}, threads=2).run()


def test_a_worker_bears_a_database_that_is_away_for_a_while(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"take": 0, "move": 0, "renew": 0}

    def now_and_then(name: str) -> None:
        whole = getattr(JobStore, name)

        def failing(self: JobStore, *arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            if calls[name] % 2:
                raise VenueUnavailable("test", "the database is at lunch")
            return whole(self, *arguments, **options)

        monkeypatch.setattr(JobStore, name, failing)

    for name in calls:
        now_and_then(name)
    jobs = [queue.enqueue("work", {"n": n}) for n in range(4)]

    def work(context: JobContext) -> int:
        time.sleep(0.05)
        return int(context.payload["n"])

    with working(Worker(queue, {"work": work}, heartbeat_seconds=0.01, poll_seconds=0.01)):
        found = [wait_for(queue.wait(job.id, 20)) for job in jobs]
    assert [(job.status, job.result, job.attempts) for job in found] == [("completed", n, 1) for n in range(4)]


@pytest.mark.postgres
def test_a_worker_bears_that_the_server_ends_its_connections(postgres_schema: tuple[str, str]) -> None:
    import sqlalchemy as sa

    place = Place(*postgres_schema)
    with opened(place) as database, opened(place) as other:
        queue, watch = JobQueue(database, backoff=AT_ONCE), JobQueue(other)
        jobs = [watch.enqueue("work", {"n": n}) for n in range(30)]
        handled = []

        def work(context: JobContext) -> int:
            handled.append(context.payload["n"])
            context.save({"n": context.payload["n"]})
            return int(context.payload["n"])

        worker = Worker(queue, {"work": work}, threads=2, lease_seconds=1.0, poll_seconds=0.01)
        ends = sa.text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND"
            " application_name = 'algotrendy' AND query LIKE '%jobs%' AND pid = ANY(:pids)"
        )
        with working(worker):
            for _ in range(5):
                time.sleep(0.1)
                pids = [raw.info.backend_pid for raw in _connections(database)]
                with other.transaction() as connection:
                    connection.execute(ends, {"pids": pids})
            found = [wait_for(watch.wait(job.id, 40)) for job in jobs]
        assert [job.result for job in found] == list(range(30))
        assert {job.status for job in found} == {JobStatus.COMPLETED}


def _connections(database: Database) -> list[Any]:
    """Return the open connections of a database that are not in use."""
    pool = database._engine_now()[0].pool
    return [entry.dbapi_connection for entry in list(pool._pool.queue) if entry.dbapi_connection is not None]


@pytest.mark.parametrize(
    "wrong",
    [{"threads": 0}, {"lease_seconds": 0.0}, {"heartbeat_seconds": 40.0}, {"poll_seconds": 0.0}, {"handlers": {}}],
)
def test_a_worker_that_could_not_work_is_refused(queue: JobQueue, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Worker(**{"queue": queue, "handlers": {"work": print}, **wrong})


# --- waiting ---


def test_waiting_ends_with_the_job_or_with_the_time(queue: JobQueue) -> None:
    job = queue.enqueue("work")
    began = time.monotonic()
    assert wait_for(queue.wait(job.id, 0.1)).status == "queued"
    assert 0.1 <= time.monotonic() - began < 5
    assert wait_for(queue.wait(job.id, 0)).status == "queued"

    async def both() -> list[Any]:
        return await asyncio.gather(queue.wait(job.id), queue.wait(job.id, 20))

    with working(Worker(queue, {"work": lambda _: 3}, poll_seconds=0.01)):
        assert [found.result for found in wait_for(both())] == [3, 3]
