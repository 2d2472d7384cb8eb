"""A progress bar that keeps quiet where nobody looks.

Bars go to the standard error stream, and only if that is a terminal (or if asked for), so that pipes, logs and tests
see none of it.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol, Self


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


def progress_for(label: str, total: int, *, show: bool | None = None) -> Progress:
    """Return a bar for `total` steps, or a quiet one.

    Parameters
    ----------
    label : str
        What is being done, in a few words.
    total : int
        Number of steps.
    show : bool, optional
        True: always; False: never; None (default): if the standard error stream is a terminal.

    Returns
    -------
    Progress
        A context manager with `advance(steps)`.

    Examples
    --------
    >>> with progress_for("sweep", 10, show=False) as progress:
    ...     progress.advance(10)
    """
    visible = sys.stderr.isatty() if show is None else show
    return Bar(label, total) if visible else Quiet()
