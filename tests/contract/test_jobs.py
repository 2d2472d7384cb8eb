"""The queue and its workers keep their promises on every database; killed processes have a file of their own."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from algotrendy.compute import wait_for
from algotrendy.errors import Conflict, InputError, JobStopped, NotFound, VenueUnavailable
from algotrendy.jobs import Backoff, JobContext, JobQueue, JobStatus, Worker
from algotrendy.storage import Database, UnitOfWork, new_id
from algotrendy.storage.jobs import NEXT_JOB_STATUS, JobStore
from tests.contract.databases import KINDS, Place, opened, place_for

AT_ONCE = Backoff(first_seconds=0.0)


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


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clocked(place: Place) -> Iterator[tuple[JobQueue, Clock]]:
    clock = Clock()
    with opened(place, clock=clock) as one:
        yield JobQueue(one, backoff=Backoff(spread=0.0)), clock


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


# --- enqueue ---


def test_a_job_is_kept_as_it_was_enqueued(queue: JobQueue) -> None:
    job = queue.enqueue("work", {"symbols": ["A", "ü"], "limit": math.inf, "z": 1e16}, priority=2, attempts_max=5)
    assert queue.get(job.id) == job
    assert job.payload == {"symbols": ["A", "ü"], "limit": math.inf, "z": 1e16}
    assert (job.status, job.attempts, job.attempts_max, job.priority) == ("queued", 0, 5, 2)
    assert job.id.startswith("job_")
    assert (job.lease, job.result, job.error, job.checkpoint, job.is_finished) == (None, None, None, None, False)


def test_the_same_key_is_the_same_job_and_another_payload_is_a_mistake(queue: JobQueue) -> None:
    first = queue.enqueue("work", {"n": 1}, key="once")
    assert queue.enqueue("work", {"n": 1}, key="once").id == first.id
    assert queue.enqueue("other", {"n": 2}, key="once").id != first.id
    with pytest.raises(Conflict, match=f"{first.id} has the same key 'once' and another payload"):
        queue.enqueue("work", {"n": 2}, key="once")
    taken(queue).complete("done")
    assert queue.enqueue("work", {"n": 1}, key="once").result == "done"


def test_many_that_enqueue_one_key_at_once_make_one_job(queue: JobQueue) -> None:
    start = threading.Barrier(8)
    made: list[str] = []

    def enqueue() -> None:
        start.wait()
        made.append(queue.enqueue("work", {"n": 1}, key="once").id)

    threads = [threading.Thread(target=enqueue) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert queue.counts()[JobStatus.QUEUED] == 1


def test_a_job_is_enqueued_with_the_rest_or_not_at_all(database: Database, queue: JobQueue) -> None:
    with UnitOfWork(database) as work:
        JobQueue(work).enqueue("work")
    assert queue.counts()[JobStatus.QUEUED] == 0
    with UnitOfWork(database) as work:
        JobQueue(work).enqueue("work")
        work.commit()
    assert queue.counts() == {**dict.fromkeys(JobStatus, 0), JobStatus.QUEUED: 1}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": ""}, "kind='' is no text"),
        ({"payload": {"x": {1}}}, "with a set in it"),
        ({"key": "k" * 256}, "key has 256 characters"),
        ({"attempts_max": 0}, "attempts_max=0 is too few"),
        ({"run_after": datetime(2026, 1, 5)}, "run_after=2026-01-05T00:00:00 has no time zone"),
    ],
)
def test_what_cannot_be_enqueued_is_refused(queue: JobQueue, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        queue.enqueue(**{"kind": "work", **wrong})
    assert queue.list().items == ()


def test_jobs_are_listed_and_one_that_is_not_there_is_told(queue: JobQueue) -> None:
    made = [queue.enqueue("work").id for _ in range(3)]
    other = queue.enqueue("other").id
    taken(queue, "other").complete()
    assert [job.id for job in queue.list(kind="work", limit=2).items] == made[:0:-1]
    assert [job.id for job in queue.list(status="completed").items] == [other]
    for call in (queue.get, queue.cancel, lambda one: wait_for(queue.wait(one, 1.0))):
        with pytest.raises(NotFound, match="there is no job"):
            call(new_id("job"))


# --- leases ---


def test_the_urgent_come_first_then_those_that_are_due_first(clocked: tuple[JobQueue, Clock]) -> None:
    queue, clock = clocked
    names = {}
    for name, priority, wait in (
        ("late", 0, 5),
        ("first", 0, 0),
        ("urgent", 9, 0),
        ("not yet", 9, 60),
        ("second", 0, 1),
    ):
        names[queue.enqueue("work", priority=priority, run_after=clock.now + timedelta(seconds=wait)).id] = name
    clock.move(10)
    order = [names[taken(queue, seconds=90).job.id] for _ in range(4)]
    assert order == ["urgent", "first", "second", "late"]
    assert queue.lease(["work"], worker="test") is None
    clock.move(50)
    assert names[taken(queue, seconds=90).job.id] == "not yet"


def test_a_worker_takes_only_what_it_can_do(queue: JobQueue) -> None:
    queue.enqueue("work")
    assert queue.lease(["other", "third"], worker="test") is None
    assert taken(queue, "work").job.kind == "work"


def test_a_lease_that_ended_goes_to_another_worker_and_the_first_one_changes_nothing(
    clocked: tuple[JobQueue, Clock],
) -> None:
    queue, clock = clocked
    job = queue.enqueue("work")
    first = taken(queue, seconds=10)
    clock.move(9)
    assert queue.lease(["work"], worker="other") is None
    assert first.renew()
    clock.move(9)
    assert queue.lease(["work"], worker="other") is None, "it was renewed"
    clock.move(1)
    second = taken(queue, seconds=10)
    assert (second.job.id, second.job.attempts) == (job.id, 2)
    before = queue.get(job.id)
    for call in (
        first.renew,
        first.complete,
        first.cancel,
        first.release,
        lambda: first.fail("x"),
        lambda: first.save(1),
    ):
        assert call() is False
        assert queue.get(job.id) == before
    assert first.is_lost
    assert second.complete("mine")
    assert second.complete("again") is False
    assert queue.get(job.id).result == "mine"


def test_a_lease_that_ended_and_that_nobody_took_still_counts(clocked: tuple[JobQueue, Clock]) -> None:
    queue, clock = clocked
    job = queue.enqueue("work")
    lease = taken(queue, seconds=10)
    clock.move(11)
    assert lease.complete(7)
    assert queue.get(job.id).result == 7


def test_a_job_that_silences_its_workers_fails_in_the_end(clocked: tuple[JobQueue, Clock]) -> None:
    queue, clock = clocked
    job = queue.enqueue("work", attempts_max=2)
    for attempt in (1, 2):
        assert taken(queue, seconds=10).job.attempts == attempt
        clock.move(11)
    assert queue.lease(["other"], worker="test") is None, "whoever comes by clears up"
    found = queue.get(job.id)
    assert found.status == "failed"
    assert "fell silent" in str(found.error)
    assert found.finished_at == clock.now


def test_a_job_that_failed_waits_longer_each_time(clocked: tuple[JobQueue, Clock]) -> None:
    queue, clock = clocked
    job = queue.enqueue("work", attempts_max=3)
    for wait in (1.0, 2.0):
        assert taken(queue).fail(f"waits {wait}")
        found = queue.get(job.id)
        assert (found.status, found.error) == ("queued", f"waits {wait}")
        assert found.due_at == clock.now + timedelta(seconds=wait)
        assert queue.lease(["work"], worker="test") is None
        clock.move(wait)
    assert taken(queue).fail("the last\0one")
    assert (queue.get(job.id).status, queue.get(job.id).error) == ("failed", "the last␀one")
    assert queue.lease(["work"], worker="test") is None


def test_a_released_job_is_due_at_once_and_the_attempt_does_not_count(queue: JobQueue) -> None:
    job = queue.enqueue("work", attempts_max=1)
    for _ in range(3):
        assert taken(queue).release()
    lease = taken(queue)
    assert lease.job.attempts == 1
    assert lease.fail("no")
    assert queue.get(job.id).status == "failed"


@pytest.mark.parametrize("status", list(JobStatus))
def test_a_worker_moves_a_job_as_the_table_says(database: Database, status: JobStatus) -> None:
    store = JobStore(database)
    store.enqueue("work")
    job = store.take(["work"], worker="test", seconds=30)
    assert job is not None
    assert job.lease is not None
    if status is JobStatus.RUNNING:
        with pytest.raises(InputError, match="cannot become running by its worker"):
            store.move(job.id, job.lease, status)
        return
    moved = store.move(job.id, job.lease, status)
    assert moved is not None
    assert moved.status in NEXT_JOB_STATUS[JobStatus.RUNNING]
    assert moved.is_finished == (moved.finished_at is not None) == (NEXT_JOB_STATUS[status] == frozenset())
    for again in (JobStatus.COMPLETED, JobStatus.QUEUED):
        assert store.move(job.id, job.lease, again) is None


def test_backoff_is_bounded_and_spread_by_the_identity() -> None:
    backoff = Backoff(first_seconds=2.0, factor=3.0, longest_seconds=50.0, spread=0.5)
    waits = [[backoff.seconds(attempt, new_id("job")) for _ in range(50)] for attempt in range(1, 9)]
    for attempt, found in enumerate(waits, start=1):
        full = min(2.0 * 3.0 ** (attempt - 1), 50.0)
        assert full / 2 <= min(found) < max(found) <= full
    assert Backoff(factor=1.0).seconds(10**9) == 1.0
    assert Backoff().seconds(10**9) == 300.0
    with pytest.raises(InputError, match="out of range"):
        Backoff(factor=0.5)


# --- cancel ---


def test_a_job_that_nobody_works_on_is_cancelled_at_once(clocked: tuple[JobQueue, Clock]) -> None:
    queue, clock = clocked
    waiting, silent = queue.enqueue("other"), queue.enqueue("work")
    lease = taken(queue, seconds=10)
    clock.move(11)
    for job in (waiting, silent):
        cancelled = queue.cancel(job.id)
        assert (cancelled.status, cancelled.finished_at) == ("cancelled", clock.now)
        assert queue.cancel(job.id) == cancelled
    assert lease.complete() is False


def test_a_running_job_is_cancelled_by_its_worker_or_when_that_falls_silent(clocked: tuple[JobQueue, Clock]) -> None:
    queue, clock = clocked
    first, second = queue.enqueue("work"), queue.enqueue("work")
    heard, silent = taken(queue, seconds=10), taken(queue, seconds=10)
    for job in (first, second):
        assert (queue.cancel(job.id).status, queue.get(job.id).cancel_requested) == ("running", True)
    assert heard.renew()
    assert heard.job.cancel_requested
    assert heard.cancel()
    assert queue.get(first.id).status == "cancelled"
    clock.move(11)
    assert queue.lease(["work"], worker="other") is None
    assert queue.get(second.id).status == "cancelled"
    assert silent.complete() is False


def test_finished_jobs_are_pruned_by_their_age(clocked: tuple[JobQueue, Clock]) -> None:
    queue, clock = clocked
    for _ in range(2):
        queue.enqueue("work")
        taken(queue).complete()
        clock.move(3600)
    queue.enqueue("work")
    assert queue.prune(clock.now - timedelta(seconds=5000)) == 1
    assert queue.counts() == {**dict.fromkeys(JobStatus, 0), JobStatus.COMPLETED: 1, JobStatus.QUEUED: 1}


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
