"""Chunks as tasks of a Ray cluster: several machines, any of which may be lost while the others go on.

Ray is connected to once per process and left connected: starting it takes seconds. `ray.shutdown()` ends it.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from algotrendy.compute.backend import Outcome
from algotrendy.errors import ConfigError, MissingExtraError

_AHEAD = 2
"""Tasks handed out per core of the cluster, so that none waits for this process."""


class RayCluster:
    """A Ray cluster as a backend of `map_work`.

    Ray's own retries are off: a task that is lost with its worker or its node comes back as lost, and `map_work` counts
    it and starts it again, as it does on processes.
    """

    def __init__(self, function: Callable[[Any], Any], workers: int | None, address: str | None) -> None:
        self._ray = connected(address, workers)
        cores = int(self._ray.cluster_resources().get("CPU", 1))
        self.room = workers if workers is not None else max(1, cores) * _AHEAD
        self._function = self._ray.put(function)  # once, however many chunks
        self._task = self._ray.remote(_call).options(max_retries=0)
        self._running: dict[Any, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        for reference in self._running:
            self._ray.cancel(reference, force=True)

    @property
    def running(self) -> int:
        """How many chunks were started and are not finished."""
        return len(self._running)

    def start(self, place: int, chunk: Any) -> None:
        """Submit one chunk as a task."""
        self._running[self._task.remote(self._function, chunk)] = place

    def finished(self, timeout: float | None) -> list[Outcome]:
        """Wait for a task and return those that are finished."""
        waited = list(self._running)
        ready, _ = self._ray.wait(waited, num_returns=1, timeout=timeout)
        if ready:
            ready, _ = self._ray.wait(waited, num_returns=len(waited), timeout=0)
        return [self._outcome(reference, self._running.pop(reference)) for reference in ready]

    def withdraw(self) -> None:
        """Do nothing: tasks are short, and which of them have begun only the cluster knows."""

    def _outcome(self, reference: Any, place: int) -> Outcome:
        from ray.exceptions import RayError, RayTaskError

        try:
            return Outcome(place, self._ray.get(reference))
        except RayTaskError as error:  # the function raised it
            return Outcome(place, error=error.cause if isinstance(error.cause, BaseException) else error)
        except RayError as error:  # the worker, its node or the answer was lost
            return Outcome(place, lost=f"{type(error).__name__} of Ray: {str(error).strip().splitlines()[0]}")


def connected(address: str | None, workers: int | None) -> Any:
    """Return the module `ray`, connected: as it is, to `address`, or to a cluster of its own on this machine.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    ConfigError
        If nothing answers at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("ray", "ray") from error
    if ray.is_initialized():
        return ray
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is not None:
        try:
            _knock(address)
            ray.init(address=address, **quiet)
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigError(
                f"there is no Ray cluster at {address!r} ({error}); start one with `ray start --head`, or leave the "
                "address out to use this machine"
            ) from error
        return ray
    _held(lambda: ray.init(address="local", num_cpus=workers, include_dashboard=False, **quiet))
    return ray


def _held(start: Callable[[], object]) -> None:
    """Start a cluster from a thread that never ends.

    Linux ends Ray's processes with the *thread* that started them, and whoever asks may be a worker of the services,
    which is stopped while others go on.
    """
    failures: list[BaseException] = []
    is_up = threading.Event()
    threading.Thread(target=_hold, args=(start, failures, is_up), name="algotrendy-ray", daemon=True).start()
    is_up.wait()
    if failures:
        raise failures[0]


def _hold(start: Callable[[], object], failures: list[BaseException], is_up: threading.Event) -> None:
    try:
        start()
    except BaseException as error:  # noqa: BLE001 - it is raised where the cluster was asked for
        failures.append(error)
        return
    finally:
        is_up.set()
    threading.Event().wait()


def _knock(address: str) -> None:
    """Raise OSError at once where nothing listens: Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=5.0).close()


def _call(function: Callable[[Any], Any], chunk: Any) -> Any:
    return function(chunk)
