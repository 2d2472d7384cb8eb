"""Chunks on processes of this machine: for Python functions, which hold the interpreter lock.

Each process has a pipe of its own and one chunk at a time. So where a process dies (killed for memory, a crash in
compiled code) it is certain which chunk was lost with it: a new process takes its place, and the others go on.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import pickle
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self

from algotrendy.compute.backend import Outcome
from algotrendy.errors import InputError

_END_SECONDS = 5.0


class Processes:
    """Processes as a backend of `map_work`. Forked ones need no import of the caller's script; where there is no fork,
    a script needs its `__main__` guard.
    """

    def __init__(self, function: Callable[[Any], Any], workers: int) -> None:
        try:
            pickle.dumps(function)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InputError(
                f"this Python function cannot be sent to other processes ({error}); "
                "define it at the top level of a module, or pass workers=1"
            ) from error
        self.room = workers
        self._function = function
        method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
        self._context = multiprocessing.get_context(method)
        self._idle: list[_Worker] = []
        self._busy: dict[int, _Worker] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        for worker in self._busy.values():
            worker.process.kill()
        for worker in (*self._busy.values(), *self._idle):
            worker.end()

    @property
    def running(self) -> int:
        """How many chunks were started and are not finished."""
        return len(self._busy)

    def start(self, place: int, chunk: Any) -> None:
        """Send one chunk to an idle process, or to a new one."""
        worker = self._idle.pop() if self._idle else _Worker(self._context, self._function)
        self._busy[place] = worker
        worker.send(chunk)

    def finished(self, timeout: float | None) -> list[Outcome]:
        """Wait for an answer or a death, and return what came of it."""
        watched: dict[Any, int] = {}
        for place, worker in self._busy.items():
            watched[worker.connection] = watched[worker.process.sentinel] = place
        ready = multiprocessing.connection.wait(list(watched), timeout)
        return [self._outcome(place) for place in dict.fromkeys(watched[one] for one in ready)]

    def withdraw(self) -> None:
        """Do nothing: each process computes what it was sent."""

    def _outcome(self, place: int) -> Outcome:
        worker = self._busy.pop(place)
        try:
            if not worker.connection.poll():
                raise EOFError  # noqa: TRY301 - it ended without a word, the same as ending amid one
            good, answer = worker.connection.recv()
        except (EOFError, OSError):
            worker.end()
            return Outcome(place, lost=f"the process {worker.process.pid} {_ending(worker.process.exitcode)}")
        self._idle.append(worker)
        return Outcome(place, answer) if good else Outcome(place, error=answer)


class _Worker:
    """One process and this end of its pipe."""

    def __init__(self, context: Any, function: Callable[[Any], Any]) -> None:
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, function), name="algotrendy-worker")
        self.process.start()
        theirs.close()

    def send(self, chunk: Any) -> None:
        """Send a chunk; a process that is dead already is found out when its answer is waited for."""
        self._send((chunk,))

    def end(self) -> None:
        """Ask the process to end, and see to it that it does."""
        self._send(None)  # closing the pipe is not enough: processes forked later hold copies of this end of it
        self.connection.close()
        self.process.join(_END_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def _send(self, message: tuple[Any] | None) -> None:
        try:
            self.connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            self.process.join(_END_SECONDS)


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """Compute what comes through the pipe until nothing comes any more, or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # left to the parent: a terminal sends it to the whole group
    parent = multiprocessing.parent_process()
    watched: list[Any] = [connection] if parent is None else [connection, parent.sentinel]
    while connection in multiprocessing.connection.wait(watched):
        try:
            message = connection.recv()
        except EOFError:
            return
        if message is None:
            return
        answer: tuple[bool, Any]
        try:
            answer = (True, function(*message))
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is taken
            answer = (False, error)
        _reply(connection, answer)


def _reply(connection: Connection, answer: tuple[bool, Any]) -> None:
    good, value = answer
    try:
        if not good:
            pickle.loads(pickle.dumps(value))  # errors of other libraries may be sent and not arrive
        connection.send(answer)
    except BrokenPipeError:  # the parent wants no answer any more
        return
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        what = f"a {'result' if good else 'raised error'} cannot be sent back from another process ({error})"
        connection.send((False, InputError(f"{what}: {value!r}")))


def _ending(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"was ended by signal {-exitcode} ({signal.Signals(-exitcode).name})"
    return f"ended with the code {exitcode}"
