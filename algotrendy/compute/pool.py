"""Map a function over chunks of work: on threads, on processes or on a Ray cluster, with the same results on each.

Threads serve kernels, which release the interpreter lock; processes serve Python functions, which do not; Ray serves
several machines. The results never depend on where and on how many: chunks are cut before, and each is computed alone.
A chunk whose worker died is computed again, and only that one.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

from algotrendy.compute.backend import Backend, Outcome
from algotrendy.compute.progress import Progress, Quiet
from algotrendy.errors import InputError, WorkerLost

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
Place: TypeAlias = Literal["threads", "processes", "ray"]

PLACES = ("threads", "processes", "ray")

_LOOK_SECONDS = 0.1
"""How often a cancel token is looked at while chunks run."""


class Cancel:
    """A token that stops work from another thread: what runs is finished and kept, nothing more is begun.

    Examples
    --------
    >>> cancel = Cancel()
    >>> cancel.cancel()
    >>> map_work(abs, [-1, -2], cancel=cancel).results
    [None, None]
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask for the end. May be called from any thread, and more than once."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether the end was asked for."""
        return self._event.is_set()


@dataclass(frozen=True, kw_only=True)
class Executor:
    """Where chunks of work are computed.

    Parameters
    ----------
    where : {"threads", "processes", "ray"}
        Threads of this process; processes of this machine; tasks of a Ray cluster, which needs the extra `ray`.
    workers : int, optional
        So many at a time; None: one per core of this machine, or of the cluster.
    retries : int
        How often a chunk is computed again whose worker died.
    address : str, optional
        Of a Ray cluster, such as "auto" or "ray://host:10001". None: the one this process is connected to, else one of
        its own on this machine.

    Raises
    ------
    InputError
        If a value is none of these.

    Examples
    --------
    >>> Executor.of("processes", workers=2)
    Executor(where='processes', workers=2, retries=2, address=None)
    """

    where: Place = "threads"
    workers: int | None = None
    retries: int = 2
    address: str | None = None

    def __post_init__(self) -> None:
        if self.where not in PLACES:
            raise InputError(f"where is {self.where!r}; choose one of {', '.join(map(repr, PLACES))}")
        if self.workers is not None:
            worker_count(self.workers)
        if isinstance(self.retries, bool) or not isinstance(self.retries, int) or self.retries < 0:
            raise InputError(f"retries is {self.retries!r}; expected a whole number of zero or more")
        if self.address is not None and self.where != "ray":
            raise InputError(f"address={self.address!r} is that of a Ray cluster; add where='ray', or leave it out")

    @classmethod
    def of(cls, given: Executor | str | None, *, workers: int | None = None, usual: Place = "threads") -> Executor:
        """Return what an argument `executor=` means: an Executor, one of its places by name, or None for the usual."""
        if isinstance(given, Executor):
            return given if workers is None else replace(given, workers=workers)
        return cls(where=usual if given is None else given, workers=workers)  # type: ignore[arg-type]  # checked there


@dataclass(frozen=True)
class Mapped(Generic[Result]):
    """What came of a map.

    Attributes
    ----------
    results : list
        One result per chunk, in the order of the chunks; None for a chunk that was not done.
    interrupted : bool
        True if Ctrl-C or a cancel token stopped the work before its end.
    retried : int
        How many times a chunk was computed again because its worker died.
    """

    results: list[Result | None]
    interrupted: bool
    retried: int = 0


class _Chosen(Protocol):
    """The settings that say where to compute."""

    @property
    def executor(self) -> Place | None: ...

    @property
    def ray_address(self) -> str | None: ...


def executor_of(settings: _Chosen) -> Executor | None:
    """Return where the settings say that work is computed; None: where it is usual for the work.

    Raises
    ------
    InputError
        If there is the address of a Ray cluster and another place.

    Examples
    --------
    >>> from algotrendy.config import Settings
    >>> executor_of(Settings(executor="processes")).where
    'processes'
    """
    if settings.executor is None:
        if settings.ray_address is not None:
            raise InputError(f"ray_address={settings.ray_address!r} is that of a Ray cluster; add executor='ray'")
        return None
    return Executor(where=settings.executor, address=settings.ray_address)


def worker_count(workers: int | None) -> int:
    """Return the number of workers to use: as asked, or one per core that this process may use.

    Raises
    ------
    InputError
        If `workers` is not a whole number of at least 1.

    Examples
    --------
    >>> worker_count(3)
    3
    """
    if workers is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise InputError(f"workers is {workers!r}; expected a whole number of at least 1, or None for all cores")
    return workers


def map_work(
    function: Callable[[Chunk], Result],
    chunks: Sequence[Chunk],
    *,
    where: Executor | Place = "threads",
    workers: int | None = None,
    progress: Progress | None = None,
    steps: Callable[[Chunk], int] = lambda _: 1,
    cancel: Cancel | None = None,
    on_result: Callable[[int, Result], object] | None = None,
) -> Mapped[Result]:
    """Apply `function` to each chunk and return the results in order.

    Parameters
    ----------
    function : callable
        Called with one chunk. On processes and on Ray it and its chunks must be picklable.
    chunks : sequence
        The pieces of work.
    where : Executor, or {"threads", "processes", "ray"}
        Where to compute. One worker, or one chunk, runs here without any pool, unless it is for Ray.
    workers : int, optional
        In place of the executor's; None: one per core.
    progress : Progress, optional
        Told of each finished chunk; it is already entered.
    steps : callable
        How many steps of the progress one chunk is.
    cancel : Cancel, optional
        Stops the work from another thread.
    on_result : callable, optional
        Called here with the position and the result of each finished chunk, in the order in which they finish: to keep
        what is done.

    Returns
    -------
    Mapped
        The results, and whether Ctrl-C or the token cut the work short.

    Raises
    ------
    InputError
        If the function cannot be sent to another process.
    WorkerLost
        If a chunk took its worker down more often than it may be tried again.
    MissingExtraError
        If Ray is asked for and not installed.

    Examples
    --------
    >>> map_work(lambda n: n * n, [1, 2, 3], workers=2).results
    [1, 4, 9]
    """
    executor = Executor.of(where, workers=workers)
    work = _Work(function, chunks, progress or Quiet(), steps, cancel or Cancel(), on_result, executor.retries)
    count = min(worker_count(executor.workers), max(len(chunks), 1))
    if not chunks or (count == 1 and executor.where != "ray"):
        return work.here()
    with _backend(function, count, executor) as backend:
        return work.on(backend, None if cancel is None else _LOOK_SECONDS)


"""The name by which `map_work` went first."""


def _backend(function: Callable[[Any], Any], workers: int, executor: Executor) -> Backend:
    if executor.where == "threads":
        from algotrendy.compute.threads import Threads

        return Threads(function, workers)
    if executor.where == "processes":
        from algotrendy.compute.processes import Processes

        return Processes(function, workers)
    from algotrendy.compute.cluster import RayCluster

    return RayCluster(function, executor.workers, executor.address)


@dataclass(eq=False)
class _Work(Generic[Chunk, Result]):
    """One map: what is to do, what is done, what was lost."""

    function: Callable[[Chunk], Result]
    chunks: Sequence[Chunk]
    progress: Progress
    steps: Callable[[Chunk], int]
    cancel: Cancel
    on_result: Callable[[int, Result], object] | None
    retries: int
    results: list[Result | None] = field(init=False)
    losses: dict[int, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.results = [None] * len(self.chunks)

    def here(self) -> Mapped[Result]:
        """Compute one chunk after the other in this thread."""
        try:
            for place, chunk in enumerate(self.chunks):
                if self.cancel.is_cancelled:
                    return self._mapped(interrupted=True)
                self._keep(place, self.function(chunk))
        except KeyboardInterrupt:
            return self._mapped(interrupted=True)
        return self._mapped(interrupted=False)

    def on(self, backend: Backend, look_seconds: float | None) -> Mapped[Result]:
        """Hand chunks to the workers of a backend until all are done, or the end is asked for."""
        waiting, running = deque(range(len(self.chunks))), 0
        try:
            while running or (waiting and not self.cancel.is_cancelled):
                while waiting and running < backend.room and not self.cancel.is_cancelled:
                    place = waiting.popleft()
                    backend.start(place, self.chunks[place])
                    running += 1
                outcomes = backend.finished(look_seconds)
                for outcome in sorted(outcomes, key=lambda each: each.error is not None):  # keep results, then raise
                    running -= 1
                    if outcome.lost is not None:
                        self._count_loss(outcome.place, outcome.lost)
                        waiting.appendleft(outcome.place)
                    else:
                        self._take(outcome)
        except KeyboardInterrupt:
            self._drain(backend)
            return self._mapped(interrupted=True)
        return self._mapped(interrupted=bool(waiting))

    def _drain(self, backend: Backend) -> None:
        """Wait for the chunks that run, and keep them; what was only waiting, or is lost now, is left."""
        backend.withdraw()
        while backend.running:
            for outcome in backend.finished(None):
                if outcome.lost is None and not isinstance(outcome.error, KeyboardInterrupt):
                    self._take(outcome)

    def _take(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            raise outcome.error
        self._keep(outcome.place, outcome.result)

    def _keep(self, place: int, result: Result) -> None:
        self.results[place] = result
        if self.on_result is not None:
            self.on_result(place, result)
        self.progress.advance(self.steps(self.chunks[place]))

    def _count_loss(self, place: int, why: str) -> None:
        self.losses[place] = self.losses.get(place, 0) + 1
        if self.losses[place] > self.retries:
            raise WorkerLost(place, len(self.chunks), self.losses[place], why)

    def _mapped(self, *, interrupted: bool) -> Mapped[Result]:
        return Mapped(self.results, interrupted, sum(self.losses.values()))
