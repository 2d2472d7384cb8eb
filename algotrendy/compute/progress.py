"""A progress bar that keeps quiet where nobody looks.

Bars go to the standard error stream, and only if that is a terminal (or if asked for), so that pipes, logs and tests
see none of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeAlias


class Progress(Protocol):
    """What long work tells while it runs. Use it as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def advance(self, steps: int) -> None:
        """Say that `steps` more steps are done."""


class Quiet:
    """Progress that shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        return None

    def advance(self, steps: int) -> None:
        """Do nothing."""


class Bar:
    """A bar with the share done, the rate and the time left, on the standard error stream."""

    def __init__(self, label: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True, force_terminal=True),
            transient=True,
        )
        self._task = self._bar.add_task(label, total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._bar.stop()

    def advance(self, steps: int) -> None:
        """Move the bar on by `steps`."""
        self._bar.advance(self._task, steps)


class Estimate(NamedTuple):
    """How far work has come.

    Attributes
    ----------
    done, total : int
        Steps.
    elapsed_seconds : float
        Since the work began.
    left_seconds : float or None
        Until its end, if the rest goes as fast as what is done; None before the first step.
    """

    done: int
    total: int
    elapsed_seconds: float
    left_seconds: float | None


class Told:
    """Progress that tells a function: for services, which show it elsewhere."""

    def __init__(self, total: int, tell: Callable[[Estimate], object]) -> None:
        self._total, self._tell, self._done, self._begun = total, tell, 0, time.monotonic()

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self.advance(0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        return None

    def advance(self, steps: int) -> None:
        """Tell how far the work is now."""
        self._done += steps
        elapsed = time.monotonic() - self._begun
        left = elapsed / self._done * max(self._total - self._done, 0) if self._done else None
        self._tell(Estimate(self._done, self._total, elapsed, left))


Show: TypeAlias = bool | Callable[[Estimate], object] | None
"""What an argument `progress=` may be."""


def progress_for(label: str, total: int, *, show: Show = None) -> Progress:
    """Return a bar for `total` steps, or one that is quiet, or one that tells a function.

    Parameters
    ----------
    label : str
        What is being done, in a few words.
    total : int
        Number of steps.
    show : bool or callable, optional
        True: always a bar; False: nothing; None (default): a bar if the standard error stream is a terminal. A function
        is called with an `Estimate` at the beginning and after each step.

    Returns
    -------
    Progress
        A context manager with `advance(steps)`.

    Examples
    --------
    >>> with progress_for("sweep", 10, show=False) as progress:
    ...     progress.advance(10)
    >>> with progress_for("sweep", 4, show=lambda now: print(now.done, "of", now.total)) as progress:
    ...     progress.advance(3)
    0 of 4
    3 of 4
    """
    if callable(show):
        return Told(total, show)
    visible = sys.stderr.isatty() if show is None else show
    return Bar(label, total) if visible else Quiet()
