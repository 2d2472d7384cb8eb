"""A lock that is handed on in the order in which threads asked for it.

A plain lock goes to whoever is there when it is free, which is the thread that runs: with several of them one may wait
for many turns of the interpreter, 5 ms each. Handed on in order, nobody waits longer than the others before it take.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType

__all__ = ["FairLock"]


class FairLock:
    """A lock for `with` that serves first who came first; not re-entrant.

    Examples
    --------
    >>> lock = FairLock()
    >>> with lock:
    ...     print("alone")
    alone
    """

    __slots__ = ("_guard", "_is_held", "_waiting")

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_held = False
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        """Wait until it is this thread's turn."""
        with self._guard:
            if not self._is_held:
                self._is_held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        has_waited = False
        try:
            has_waited = turn.acquire()
        finally:
            if not has_waited:  # Ctrl-C: nobody may hand the lock to a thread that is gone
                self._give_up(turn)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hand it on."""
        self._hand_on()

    def _hand_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_held = False

    def _give_up(self, turn: threading.Lock) -> None:
        with self._guard:
            is_waiting = turn in self._waiting
            if is_waiting:
                self._waiting.remove(turn)
        if not is_waiting:  # it was this thread's turn already
            self._hand_on()
