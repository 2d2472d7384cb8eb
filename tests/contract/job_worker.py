"""Processes that enqueue and work until they are killed: run by the tests of several processes.

`python -m tests.contract.job_worker URL SCHEMA FOLDER TASK NUMBER...`
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

from algotrendy.jobs import Backoff, JobContext, JobQueue, Worker
from algotrendy.storage import Database

LEASE_SECONDS = 4.0


def say(text: str) -> None:
    """Print a line at once: who reads it knows that it happened."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def enqueue(queue: JobQueue, folder: Path, start: int) -> None:
    """Enqueue job after job and say so after each, for ever."""
    number = start
    while True:
        say(queue.enqueue("step", {"number": number}, key=f"number {number}").id)
        number += 1


def work(queue: JobQueue, folder: Path, milliseconds: int, *, until_idle: bool = False) -> None:
    """Work for ever; each job holds a lock of its own while it runs, which the system takes from the dead."""

    def step(context: JobContext) -> int:
        file = os.open(folder / context.job_id, os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            (folder / f"{context.job_id}.twice").touch()
        say(context.job_id)
        time.sleep(milliseconds / 1_000)
        os.close(file)
        return int(context.payload["number"])

    worker(queue, step).run(until_idle=until_idle)


def drain(queue: JobQueue, folder: Path) -> None:
    """Work until nothing is due."""
    work(queue, folder, 0, until_idle=True)


def count(queue: JobQueue, folder: Path, steps: int) -> None:
    """Do a job of many steps that saves its state after each."""

    def long(context: JobContext) -> dict[str, int]:
        state = context.checkpoint or {"done": 0, "sum": 0}
        while state["done"] < steps:
            context.raise_if_cancelled()
            say(str(state["done"]))
            state = {"done": state["done"] + 1, "sum": state["sum"] + state["done"]}
            context.save(state)
            time.sleep(0.01)
        return dict(state)

    worker(queue, long).run()


def worker(queue: JobQueue, handler: object) -> Worker:
    """Return a worker that notices soon that another one is dead."""
    return Worker(queue, {"step": handler}, lease_seconds=LEASE_SECONDS, heartbeat_seconds=0.2, poll_seconds=0.02)  # type: ignore[dict-item]


def main() -> None:
    """Do one task."""
    url, schema, folder, task, *numbers = sys.argv[1:]
    queue = JobQueue(Database(url, schema=schema or None), backoff=Backoff(first_seconds=0.0))
    tasks = {"enqueue": enqueue, "work": work, "drain": drain, "count": count}
    tasks[task](queue, Path(folder), *map(int, numbers))  # type: ignore[operator]


if __name__ == "__main__":
    main()
