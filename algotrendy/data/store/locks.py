"""A lock between processes: the operating system holds it on an open file and lets go when the process dies.

It also keeps threads of one process apart, since each opens the file for itself.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from algotrendy.errors import VenueUnavailable

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _release(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _release(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


__all__ = ["locked"]

_LONGEST_NAP = 0.02


@contextmanager
def locked(path: Path, timeout_seconds: float) -> Iterator[None]:
    """Hold the lock on a file, which is made if it is not there and never removed.

    Raises
    ------
    VenueUnavailable
        If another holds it for longer than the timeout.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder) / "one", 1.0):
    ...     pass
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    try:
        _wait(descriptor, path, timeout_seconds)
        try:
            yield
        finally:
            _release(descriptor)
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, timeout_seconds: float) -> None:
    deadline, nap = time.monotonic() + timeout_seconds, 0.001
    while True:
        try:
            _take(descriptor)
        except (BlockingIOError, PermissionError) as e:
            if time.monotonic() >= deadline:
                raise VenueUnavailable(
                    "store",
                    f"another process or thread has been writing for {timeout_seconds:g} s and holds {path.name};"
                    " try again, or end it if it hangs",
                ) from e
            time.sleep(nap)
            nap = min(nap * 2, _LONGEST_NAP)
        else:
            return
