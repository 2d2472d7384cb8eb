"""The queue keeps its promises on every database; workers, and processes that are killed, have files of their own."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from algotrendy.compute import wait_for
from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.jobs import Backoff, JobQueue, JobStatus
from algotrendy.storage import Database, UnitOfWork, new_id
from algotrendy.storage.jobs import NEXT_JOB_STATUS, JobStore
from tests.contract.databases import KINDS, Place, opened, place_for
from tests.contract.job_tools import AT_ONCE, Clock, taken


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


@pytest.fixture
def clocked(place: Place) -> Iterator[tuple[JobQueue, Clock]]:
    clock = Clock()
    with opened(place, clock=clock) as one:
        yield JobQueue(one, backoff=Backoff(spread=0.0)), clock


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
