"""Workers: threads that take jobs from the queue and run handlers, each under a lease that a heartbeat prolongs."""

from __future__ import annotations

import inspect
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeAlias

from algotrendy.compute import wait_for
from algotrendy.errors import ConfigError, InputError, JobStopped, VenueError
from algotrendy.jobs.context import JobContext
from algotrendy.jobs.queue import JobQueue, Lease
from algotrendy.storage.jobs import Job

__all__ = ["Handler", "Worker"]

Handler: TypeAlias = Callable[[JobContext], Any]
"""Does a job and returns its result; may be a coroutine function."""

_log = logging.getLogger("algotrendy.jobs")
_BEATS_PER_LEASE, _LONGEST_BEAT = 3.0, 1.0


class Worker:
    """Takes jobs of the kinds that it has handlers for, and runs them, until it is stopped.

    A handler may be run more than once for the same job: its worker may be killed after the work was done and before
    the queue knew. What a handler does outside the database has to bear that; what it returns counts once.

    A handler that raises `InputError` or `ConfigError` has failed for good, another error is tried again, with a longer
    wait each time.

    Parameters
    ----------
    queue : JobQueue
        Where the jobs are.
    handlers : mapping of str to callable
        By kind. A handler is given a `JobContext`; what it returns is the result of the job.
    name : str, optional
        For whoever looks at the table. Default: the machine's name and the process's number.
    threads : int
        How many jobs it runs at the same time. Handlers that hold the interpreter slow each other down: run several
        processes for those.
    lease_seconds : float
        After how many seconds of silence another worker may have the job.
    heartbeat_seconds : float, optional
        How often the lease is prolonged, the progress written down and a cancellation seen. Default: a third of the
        lease, at most one second.
    poll_seconds : float
        How often it looks for work while there is none.

    Examples
    --------
    See `JobQueue`.
    """

    def __init__(
        self,
        queue: JobQueue,
        handlers: Mapping[str, Handler],
        *,
        name: str | None = None,
        threads: int = 1,
        lease_seconds: float = 30.0,
        heartbeat_seconds: float | None = None,
        poll_seconds: float = 0.5,
    ) -> None:
        if not handlers:
            raise InputError("handlers is empty; give at least one: Worker(queue, {'kind': function})")
        beat = min(lease_seconds / _BEATS_PER_LEASE, _LONGEST_BEAT) if heartbeat_seconds is None else heartbeat_seconds
        if threads < 1 or poll_seconds <= 0 or not 0 < beat < lease_seconds:
            raise InputError(
                f"found threads={threads}, poll_seconds={poll_seconds}, lease_seconds={lease_seconds} and a heartbeat"
                f" of {beat} s; expected at least 1, more than 0, and a heartbeat between 0 and the lease"
            )
        self.name = f"{socket.gethostname()}:{os.getpid()}" if name is None else name
        self._queue, self._handlers = queue, dict(handlers)
        self._threads, self._poll_seconds = threads, poll_seconds
        self._lease_seconds, self._beat_seconds = lease_seconds, beat
        self._stopping = threading.Event()
        self._broken: list[BaseException] = []

    def run(self, *, until_idle: bool = False) -> None:
        """Run jobs until `stop` is called, or with `until_idle` until none is due.

        A database that cannot be reached is waited for. A worker that was stopped stays stopped.

        Raises
        ------
        AlgotrendyError
            If the queue is not usable, such as tables of another version.
        """
        others = [
            threading.Thread(target=self._aside, args=(until_idle,), name=f"{self.name}/{number}", daemon=True)
            for number in range(1, self._threads)
        ]
        for thread in others:
            thread.start()
        is_well = False
        try:
            self._loop(until_idle)
            is_well = True
        finally:
            if not is_well:
                self.stop()
            for thread in others:
                thread.join()
        if self._broken:
            raise self._broken[0]

    def stop(self) -> None:
        """Take no more jobs; what runs is told at its next `raise_if_cancelled`, and goes back to the queue.

        May be called from any thread, and from a handler of signals.
        """
        self._stopping.set()

    def run_one(self) -> Job | None:
        """Take one job and run it to its end in this thread; return it as it was left, None if none is due."""
        lease = self._queue.lease(self._handlers, worker=self.name, seconds=self._lease_seconds)
        if lease is None:
            return None
        outcome = None
        try:
            with self._beating(lease) as context:
                outcome = self._outcome(lease, context)
        finally:
            if outcome is None:  # Ctrl-C, or the interpreter ends: somebody else may have it at once
                with suppress(VenueError):
                    lease.release()
        self._settle(lease, outcome)
        return lease.job

    # --- one job ---

    def _outcome(self, lease: Lease, context: JobContext) -> Callable[[], bool]:
        """Run the handler and return how the attempt is to be written down."""
        job = lease.job
        try:
            result = self._handlers[job.kind](context)
            if inspect.iscoroutine(result):
                result = wait_for(result)
        except JobStopped as e:
            return lease.cancel if e.reason == "cancelled" else lease.release
        except (InputError, ConfigError) as e:
            return partial(lease.fail, _said(e), for_good=True)
        except Exception as e:  # noqa: BLE001 - a handler that fails may not end the worker
            _log.warning(
                "%s %s failed in attempt %d of %d", job.kind, job.id, job.attempts, job.attempts_max, exc_info=e
            )
            return partial(lease.fail, _said(e))
        return partial(lease.complete, result)

    def _settle(self, lease: Lease, outcome: Callable[[], bool]) -> None:
        """Write an outcome down; a result that JSON cannot say is a failure."""
        try:
            self._write(lease, outcome)
        except InputError as e:
            self._write(lease, partial(lease.fail, _said(e), for_good=True))

    def _write(self, lease: Lease, outcome: Callable[[], bool]) -> None:
        """Write an outcome down, again and again while the lease lasts if the database cannot be reached."""
        job = lease.job
        while True:
            try:
                is_ours = outcome()
            except VenueError as e:
                if lease.is_lost:
                    _log.warning("%s %s: its outcome could not be written down: %s", job.kind, job.id, e)
                    return
                time.sleep(min(self._poll_seconds, self._beat_seconds))
                continue
            if not is_ours:
                _log.warning("%s %s: the lease was lost, this outcome counts for nothing", job.kind, job.id)
            return

    @contextmanager
    def _beating(self, lease: Lease) -> Iterator[JobContext]:
        """Prolong the lease, write down the progress and listen for a cancellation while the block runs."""
        context = JobContext(lease, self._stopping.is_set)
        is_over = threading.Event()
        thread = threading.Thread(target=self._beat, args=(lease, context, is_over), name="heartbeat", daemon=True)
        thread.start()
        try:
            yield context
        finally:
            is_over.set()
            thread.join()

    def _beat(self, lease: Lease, context: JobContext, is_over: threading.Event) -> None:
        while not is_over.wait(self._beat_seconds):
            try:
                if not lease.renew(context.take_progress()):
                    return
            except VenueError as e:
                _log.warning("%s: no heartbeat: %s", lease.job.id, e)
        last = context.take_progress()
        if last is not None:
            try:
                lease.renew(last)
            except VenueError as e:
                _log.warning("%s: the last progress is not written down: %s", lease.job.id, e)

    # --- the loop ---

    def _loop(self, until_idle: bool) -> None:
        while not self._stopping.is_set():
            try:
                job = self.run_one()
            except VenueError as e:
                _log.warning("the queue cannot be reached: %s", e)
                self._stopping.wait(self._poll_seconds)
                continue
            if job is None:
                if until_idle:
                    return
                self._stopping.wait(self._poll_seconds)

    def _aside(self, until_idle: bool) -> None:
        """Loop in a thread of its own; what breaks it ends the worker, and is raised by `run`."""
        try:
            self._loop(until_idle)
        except Exception as e:  # noqa: BLE001 - raised by run
            self._broken.append(e)
            self.stop()


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
