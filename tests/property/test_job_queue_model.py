"""Random sequences of calls to the queue against a plain model of it: same jobs, same states, same order."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from algotrendy.jobs import Backoff, JobQueue
from algotrendy.jobs.queue import Lease
from algotrendy.storage import Database
from algotrendy.storage.jobs import NEXT_JOB_STATUS, JobStatus

WAIT, LEASE = 5.0, 10.0


@dataclass
class Modelled:
    """What is known of a job, in plain Python."""

    priority: int
    due: float
    number: int
    attempts_max: int
    status: str = "queued"
    attempts: int = 0
    holder: int | None = None
    is_asked_to_end: bool = False
    finishes: int = 0
    seen: list[str] = field(default_factory=lambda: ["queued"])

    def become(self, status: str) -> None:
        self.status = status
        self.seen.append(status)
        if status not in ("queued", "running"):
            self.holder, self.finishes = None, self.finishes + 1


class Queue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = 0.0
        self.database = Database(f"sqlite:///{self.folder.name}/house.db", durability="process", clock=self.clock)
        self.queue = JobQueue(self.database, backoff=Backoff(first_seconds=WAIT, factor=1.0, spread=0.0))
        self.jobs: dict[str, Modelled] = {}
        self.leases: list[tuple[str, Lease]] = []

    def clock(self) -> datetime:
        return datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=self.now)

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    # --- calls ---

    @rule(priority=st.integers(0, 2), wait=st.sampled_from([0.0, 0.0, 7.0]), most=st.integers(1, 3))
    def enqueue(self, priority: int, wait: float, most: int) -> None:
        after = self.clock() + timedelta(seconds=wait) if wait else None
        made = self.queue.enqueue("work", priority=priority, run_after=after, attempts_max=most)
        self.jobs[made.id] = Modelled(priority, self.now + wait, len(self.jobs), most)

    @rule(seconds=st.sampled_from([0.5, 5.0, 11.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_worker_comes_by(self) -> None:
        self.take()

    @precondition(lambda self: self.leases)
    @rule()
    def a_worker_falls_silent_and_another_comes_by(self) -> None:
        self.now += LEASE
        self.take()

    def take(self) -> None:
        due = [job for job in self.jobs.values() if job.status in ("queued", "running") and job.due <= self.now]
        for job in due:
            if job.status == "running" and job.is_asked_to_end:
                job.become("cancelled")
            elif job.status == "running" and job.attempts >= job.attempts_max:
                job.become("failed")
        ready = [job for job in due if job.status in ("queued", "running")]
        lease = self.queue.lease(["work"], worker="test", seconds=LEASE)
        if not ready:
            assert lease is None
            return
        expected = min(ready, key=lambda job: (-job.priority, job.due, job.number))
        assert lease is not None
        assert self.jobs[lease.job.id] is expected
        expected.become("running")
        expected.attempts, expected.due = expected.attempts + 1, self.now + LEASE
        expected.holder = len(self.leases)
        self.leases.append((lease.job.id, lease))

    @precondition(lambda self: self.leases)
    @rule(
        data=st.data(), how=st.sampled_from(["renew", "complete", "fail", "fail for good", "cancel", "release", "save"])
    )
    def work(self, data: Any, how: str) -> None:
        number = data.draw(st.integers(0, len(self.leases) - 1))
        job_id, lease = self.leases[number]
        job = self.jobs[job_id]
        calls = {
            "renew": lease.renew, "complete": lambda: lease.complete(number), "fail": lambda: lease.fail("no"),
            "fail for good": lambda: lease.fail("no", for_good=True), "cancel": lease.cancel,
            "release": lease.release, "save": lambda: lease.save(number),
        }  # fmt: skip
        assert calls[how]() is (job.holder == number), "only who holds the lease changes anything"
        if job.holder != number:
            return
        match how:
            case "renew":
                job.due = self.now + LEASE
            case "complete" | "cancel":
                job.become({"complete": "completed", "cancel": "cancelled"}[how])
            case "fail for good" | "fail" | "release":
                may_go_on = how == "release" or (how == "fail" and job.attempts < job.attempts_max)
                if may_go_on and job.is_asked_to_end:
                    job.become("cancelled")
                elif how == "release":
                    job.become("queued")
                    job.holder, job.due, job.attempts = None, self.now, job.attempts - 1
                elif may_go_on:
                    job.become("queued")
                    job.holder, job.due = None, self.now + WAIT
                else:
                    job.become("failed")

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.jobs, key=lambda one: self.jobs[one].number)))
        job = self.jobs[job_id]
        self.queue.cancel(job_id)
        if job.status == "queued" or (job.status == "running" and job.due <= self.now):
            job.become("cancelled")
        elif job.status == "running":
            job.is_asked_to_end = True

    # --- what holds after each call ---

    @invariant()
    def the_table_is_the_model(self) -> None:
        found = {job.id: job for job in self.queue.list(limit=1000).items}
        assert set(found) == set(self.jobs)
        for job_id, model in self.jobs.items():
            job = found[job_id]
            assert (job.status, job.attempts) == (model.status, model.attempts)
            if model.status in ("queued", "running"):
                assert job.due_at == datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=model.due)
            assert (job.lease is not None) == (model.status == "running")
            assert (job.finished_at is not None) == job.is_finished == (model.finishes == 1)

    @invariant()
    def every_step_stands_in_the_table_of_states(self) -> None:
        for job in self.jobs.values():
            for before, after in zip(job.seen, job.seen[1:], strict=False):
                assert JobStatus(after) in NEXT_JOB_STATUS[JobStatus(before)]


Queue.TestCase.settings = settings(stateful_step_count=25, max_examples=settings().max_examples // 2)
TestQueue = Queue.TestCase
