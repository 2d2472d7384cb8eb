"""Real processes on one queue, killed while they enqueue and work: no job is lost, none is finished twice."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from algotrendy.compute import wait_for
from algotrendy.jobs import JobQueue, JobStatus
from algotrendy.storage import Database
from tests.contract.databases import KINDS, Place, opened, place_for
from tests.contract.job_worker import LEASE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9: Windows has none")


class Process:
    """A process of `job_worker`, and the lines that it has said."""

    def __init__(self, place: Place, folder: Path, *task: object) -> None:
        command = [sys.executable, "-m", "tests.contract.job_worker", place.url, place.schema, str(folder)]
        self.process = subprocess.Popen([*command, *map(str, task)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.lines.append(line.rstrip("\n"))

    def heard(self, lines: int, seconds: float = 60.0) -> None:
        """Wait until it has said so many lines."""
        ends = time.monotonic() + seconds
        while len(self.lines) < lines:
            assert self.process.poll() is None, "it ended by itself"
            assert time.monotonic() < ends, "it fell silent"
            time.sleep(0.005)

    def kill(self) -> None:
        """Kill it, and wait until it is gone and everything that it said was heard."""
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> int:
        """Wait until it has ended, and return its exit code."""
        code = self.process.wait(timeout=120)
        self._thread.join(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Place:
    return place_for(request, request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "runs"
    made.mkdir()
    return made


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    with opened(place) as one:
        one.prepare()
        with one.transaction() as connection:
            for statement in FINISHES[one.dialect]:
                connection.execute(sa.text(statement))
        yield one


FINISHES = {
    "sqlite": [
        "CREATE TABLE finishes (job TEXT)",
        "CREATE TRIGGER finished AFTER UPDATE OF status ON jobs"
        " WHEN NEW.status IN ('completed', 'failed', 'cancelled') BEGIN INSERT INTO finishes VALUES (NEW.id); END",
    ],
    "postgresql": [
        "CREATE TABLE finishes (job TEXT)",
        "CREATE FUNCTION note_finish() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO finishes VALUES (NEW.id::text); RETURN NULL; END $$",
        "CREATE TRIGGER finished AFTER UPDATE OF status ON jobs FOR EACH ROW"
        " WHEN (NEW.status IN ('completed', 'failed', 'cancelled')) EXECUTE FUNCTION note_finish()",
    ],
}
"""The database itself writes down every time that a job is finished, whatever the code believes."""


def finishes(database: Database) -> list[Any]:
    with database.transaction(writes=False) as connection:
        return list(connection.execute(sa.text("SELECT job FROM finishes")).scalars())


def test_what_an_enqueuer_confirmed_before_it_was_killed_is_in_the_queue(
    place: Place, database: Database, folder: Path
) -> None:
    queue, chance = JobQueue(database), random.Random(5)
    number = 0
    for _ in range(3):
        process = Process(place, folder, "enqueue", number)
        process.heard(1)
        time.sleep(chance.uniform(0.0, 0.2))
        process.kill()
        confirmed = [queue.get(job_id) for job_id in process.lines]
        assert [job.payload["number"] for job in confirmed] == list(range(number, number + len(confirmed)))
        number += len(confirmed)
        kept = sum(queue.counts().values())
        assert number <= kept <= number + 1, "at most the one that it could not confirm any more"
    assert Process(place, folder, "drain").end() == 0
    assert queue.counts()[JobStatus.COMPLETED] == kept
    assert len(set(finishes(database))) == len(finishes(database)) == kept


def test_a_job_whose_worker_was_killed_goes_to_another_one_when_the_lease_ends(
    place: Place, database: Database, folder: Path
) -> None:
    queue = JobQueue(database)
    job = queue.enqueue("step", {"number": 7}, attempts_max=9)
    first = Process(place, folder, "work", 600_000)
    first.heard(1)
    first.kill()
    killed_at = time.monotonic()
    held = queue.get(job.id)
    assert (held.status, held.attempts) == ("running", 1)
    second = Process(place, folder, "work", 0)
    done = wait_for(queue.wait(job.id, 60))
    waited = time.monotonic() - killed_at
    second.kill()
    assert (done.status, done.result, done.attempts) == ("completed", 7, 2)
    assert done.worker != held.worker
    assert waited > LEASE_SECONDS / 2, "the lease was waited for"
    assert len(finishes(database)) == 1


def test_workers_that_compete_and_are_killed_lose_nothing_and_never_share_a_job(
    place: Place, database: Database, folder: Path
) -> None:
    queue, chance = JobQueue(database), random.Random(8)
    jobs = [queue.enqueue("step", {"number": n}, attempts_max=99) for n in range(60)]
    workers = [Process(place, folder, "work", 15) for _ in range(3)]
    kills = 0
    gone: list[Process] = []
    ends = time.monotonic() + 150
    while queue.counts()[JobStatus.COMPLETED] < len(jobs):
        assert time.monotonic() < ends, queue.counts()
        time.sleep(chance.uniform(0.05, 0.3))
        if kills < 4:
            victim = workers[chance.randrange(len(workers))]
            if len(victim.lines) > 2:
                victim.kill()
                gone.append(victim)
                kills += 1
                workers[workers.index(victim)] = Process(place, folder, "work", 15)
    for worker in workers:
        worker.kill()
    assert kills >= 3, "too few were killed for this test to mean anything"
    assert list(folder.glob("*.twice")) == [], "two processes ran one job at the same time"
    found = [queue.get(job.id) for job in jobs]
    assert [job.result for job in found] == list(range(len(jobs)))
    assert len(finishes(database)) == len(set(finishes(database))) == len(jobs)
    runs = [line for one in (*gone, *workers) for line in one.lines]
    assert len(jobs) <= len(runs) <= len(jobs) + kills, "only what a killed worker had was done again"
    assert len({job.worker for job in found}) >= 3


def test_a_long_job_goes_on_from_its_checkpoint_after_each_kill(place: Place, database: Database, folder: Path) -> None:
    queue, steps = JobQueue(database), 60
    job = queue.enqueue("step", {}, attempts_max=9)
    done: list[list[str]] = []
    for _ in range(3):
        process = Process(place, folder, "count", steps)
        process.heard(10)
        process.kill()
        done.append(process.lines)
    last = Process(place, folder, "count", steps)
    found = wait_for(queue.wait(job.id, 60))
    last.kill()
    done.append(last.lines)
    assert (found.status, found.attempts) == ("completed", 4)
    assert found.result == {"done": steps, "sum": steps * (steps - 1) // 2}
    for before, after in itertools.pairwise(done):
        assert int(after[0]) - int(before[-1]) in (0, 1), "the step in which it died, or the one after it"
    assert sum(map(len, done)) <= steps + 3
