"""Who does the jobs of a platform: threads of this process, or processes of their own that end with it.

`python -m algotrendy.services.workers` is such a process. It reads its settings, one line of JSON, from the standard
input, and works until that is closed: so it ends when the process that started it ends, however that happens.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algotrendy.errors import InputError
from algotrendy.jobs import Worker

if TYPE_CHECKING:
    from algotrendy.config import Settings
    from algotrendy.jobs import JobContext, JobQueue

__all__ = ["Workers"]

_END_SECONDS = 20.0


class Workers:
    """The workers of a platform; none runs before it is started.

    Parameters
    ----------
    queue : JobQueue
        Where the jobs are.
    handlers : mapping of str to callable
        What is done with each kind.
    settings : Settings
        For processes: they make a platform of their own from these.
    home : Path, optional
        The folder for caches.
    schema : str, optional
        PostgreSQL: the schema of the tables.
    """

    def __init__(
        self,
        queue: JobQueue,
        handlers: Mapping[str, Callable[[JobContext], Any]],
        settings: Settings,
        home: Path | None = None,
        *,
        schema: str | None = None,
    ) -> None:
        self._queue, self._handlers, self._settings = queue, handlers, settings
        self._home, self._schema = home, schema
        self._threads: list[tuple[Worker, threading.Thread]] = []
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, *, threads: int = 1, processes: int = 0, lease_seconds: float = 30.0) -> None:
        """Start workers beside those that run already.

        Parameters
        ----------
        threads : int
            Jobs that are done at the same time in this process.
        processes : int
            Processes of one job each. They find strategies that are registered as entry points of installed packages,
            and no proposer that was handed to this platform.
        lease_seconds : float
            After how many seconds of silence another worker may have a job.

        Raises
        ------
        InputError
            If there is nothing to start.
        """
        if threads < 0 or processes < 0 or threads + processes == 0:
            raise InputError(f"found threads={threads} and processes={processes}; expected at least one of either")
        if threads:
            worker = Worker(self._queue, self._handlers, threads=threads, lease_seconds=lease_seconds, poll_seconds=0.1)
            thread = threading.Thread(target=worker.run, name="algotrendy-worker", daemon=True)
            thread.start()
            self._threads.append((worker, thread))
        for _ in range(processes):
            self._processes.append(self._started(lease_seconds))

    @property
    def count(self) -> int:
        """How many workers were started and have not ended."""
        alive = sum(thread.is_alive() for _, thread in self._threads)
        return alive + sum(process.poll() is None for process in self._processes)

    @property
    def process_ids(self) -> list[int]:
        """The numbers of the processes that run."""
        return [process.pid for process in self._processes if process.poll() is None]

    def stop(self) -> None:
        """End all workers; what they have in hand goes back to the queue, and whoever takes it goes on where it was."""
        for worker, _ in self._threads:
            worker.stop()
        for process in self._processes:
            assert process.stdin is not None
            with suppress(OSError):  # it is dead already
                process.stdin.close()
        for _, thread in self._threads:
            thread.join(_END_SECONDS)
        for process in self._processes:
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._threads, self._processes = [], []

    def _started(self, lease_seconds: float) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "algotrendy.services.workers"], stdin=subprocess.PIPE, text=True
        )
        task = {
            "settings": self._settings.model_dump(mode="json"),
            "home": None if self._home is None else str(self._home),
            "schema": self._schema,
            "lease_seconds": lease_seconds,
        }
        assert process.stdin is not None
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        return process


def main() -> None:
    """Work until the standard input is closed."""
    from algotrendy.compute import wait_for
    from algotrendy.config import Settings
    from algotrendy.services.bootstrap import Platform

    task = json.loads(sys.stdin.readline())
    home = None if task["home"] is None else Path(task["home"])
    platform = Platform.local(settings=Settings(**task["settings"]), home=home, schema=task["schema"])
    platform.start_workers(threads=1, lease_seconds=task["lease_seconds"])
    while sys.stdin.readline():
        continue
    wait_for(platform.close())


if __name__ == "__main__":
    main()
