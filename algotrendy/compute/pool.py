"""Map a function over chunks of work on several cores: in order, with progress, stopped by Ctrl-C with what is done.

Threads serve kernels, which release the interpreter lock; processes serve Python functions, which do not. The result
never depends on the number of workers: chunks are cut before, and each is computed alone.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED as ANY_DONE
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from algotrendy.compute.progress import Progress, Quiet
from algotrendy.errors import InputError

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

_AHEAD = 2
"""Chunks handed out per worker: enough that no worker waits, few enough that Ctrl-C is obeyed at once."""


@dataclass(frozen=True)
class Mapped(Generic[Result]):
    """What came of a map.

    Attributes
    ----------
    results : list
        One result per chunk, in the order of the chunks; None for a chunk that was not done.
    interrupted : bool
        True if Ctrl-C stopped the work before its end.
    """

    results: list[Result | None]
    interrupted: bool


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


def map_chunks(
    function: Callable[[Chunk], Result],
    chunks: Sequence[Chunk],
    *,
    workers: int | None = None,
    where: Literal["threads", "processes"] = "threads",
    progress: Progress | None = None,
    steps: Callable[[Chunk], int] = lambda _: 1,
) -> Mapped[Result]:
    """Apply `function` to each chunk and return the results in order.

    Parameters
    ----------
    function : callable
        Called with one chunk. With processes it and its chunks must be picklable.
    chunks : sequence
        The pieces of work.
    workers : int, optional
        Threads or processes; None: one per core.
    where : {"threads", "processes"}
        Where to run. One worker, or one chunk, runs here without any pool.
    progress : Progress, optional
        Told of each finished chunk; it is already entered.
    steps : callable
        How many steps of the progress one chunk is.

    Returns
    -------
    Mapped
        The results, and whether Ctrl-C cut the work short.

    Raises
    ------
    InputError
        If the function cannot be sent to another process.

    Examples
    --------
    >>> map_chunks(lambda n: n * n, [1, 2, 3], workers=2).results
    [1, 4, 9]
    """
    progress = progress or Quiet()
    workers = min(worker_count(workers), max(len(chunks), 1))
    if workers == 1:
        return _map_here(function, chunks, progress, steps)
    with _pool(function, workers, where) as pool:
        return _map_in(pool, function, chunks, (workers * _AHEAD, progress, steps))


def _map_here(
    function: Callable[[Chunk], Result],
    chunks: Sequence[Chunk],
    progress: Progress,
    steps: Callable[[Chunk], int],
) -> Mapped[Result]:
    results: list[Result | None] = [None] * len(chunks)
    try:
        for i, chunk in enumerate(chunks):
            results[i] = function(chunk)
            progress.advance(steps(chunk))
    except KeyboardInterrupt:
        return Mapped(results, interrupted=True)
    return Mapped(results, interrupted=False)


def _pool(function: Callable[[Chunk], Result], workers: int, where: str) -> Executor:
    if where == "threads":
        return ThreadPoolExecutor(workers, thread_name_prefix="algotrendy")
    try:
        pickle.dumps(function)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(
            f"this Python function cannot be sent to other processes ({error}); "
            "define it at the top level of a module, or pass workers=1"
        ) from error
    # Forked workers need no import of the caller's script; where there is no fork, a script needs its __main__ guard.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    return ProcessPoolExecutor(workers, multiprocessing.get_context(method), initializer=_ignore_interrupt)


def _ignore_interrupt() -> None:
    """Leave Ctrl-C to the parent: a terminal sends it to every process of the group."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _map_in(
    pool: Executor,
    function: Callable[[Chunk], Result],
    chunks: Sequence[Chunk],
    plan: tuple[int, Progress, Callable[[Chunk], int]],
) -> Mapped[Result]:
    ahead, progress, steps = plan
    results: list[Result | None] = [None] * len(chunks)
    running: dict[Future[Result], int] = {}
    waiting = iter(range(len(chunks)))

    def collect(done: Iterable[Future[Result]]) -> None:
        for future in done:
            i = running.pop(future)
            results[i] = future.result()
            progress.advance(steps(chunks[i]))

    try:
        while True:
            while len(running) < ahead and (i := next(waiting, None)) is not None:
                running[pool.submit(function, chunks[i])] = i
            if not running:
                return Mapped(results, interrupted=False)
            collect(wait(running, return_when=ANY_DONE).done)
    except KeyboardInterrupt:
        for future in running:
            future.cancel()
        collect([future for future in wait(running).done if not future.cancelled()])
        return Mapped(results, interrupted=True)
