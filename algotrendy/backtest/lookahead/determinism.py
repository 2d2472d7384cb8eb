"""Whether a function gives the same for the same bars: before anything else can be said of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from algotrendy.backtest.definitions import moment_text
from algotrendy.backtest.lookahead.subject import Failure, Subject
from algotrendy.backtest.lookahead.table import Table, differences, typical_sizes
from algotrendy.backtest.lookahead.worlds import World, Worlds
from algotrendy.errors import InputError

__all__ = ["Repeats", "repeated"]


@dataclass(frozen=True, eq=False)
class Repeats:
    """What came of running a function on the same bars again.

    Attributes
    ----------
    base : Table or None
        Its outputs; None if it cannot be relied on.
    subject : Subject
        What to go on with: with the global generators seeded before each run, if that makes it repeatable.
    problems : tuple of str
        Why it is not deterministic.
    changes_bars : bool
        Whether it changes the frame that it is handed.
    n_runs : int
        Runs that were made.
    """

    base: Table | None
    subject: Subject
    problems: tuple[str, ...]
    changes_bars: bool
    n_runs: int


def repeated(subject: Subject, worlds: Worlds, tolerance: float) -> Repeats:
    """Run a function on half of the bars, on all of them twice, and on half of them again.

    Parameters
    ----------
    subject : Subject
        What is run. It sees the half first: what it remembers of all bars then shows in the second half.
    worlds : Worlds
        The bars.
    tolerance : float
        Largest relative difference that counts as rounding.

    Raises
    ------
    InputError
        If it fails on the bars as they are.
    """
    half = World("cut", max(1, worlds.n_bars // 2))
    early = subject.run(worlds.frame(half), worlds.bars.index)
    handed = worlds.since(0)
    first = subject.run(handed)
    changes_bars = not worlds.are_unchanged(handed)
    if isinstance(first, Failure):
        if first.n_rows == half.cut and not isinstance(early, Failure):
            text = f"for {worlds.n_bars:,} bars it gave the {half.cut:,} values of the run before: it keeps its answer"
            return Repeats(None, subject, (text,), changes_bars, 2)
        raise InputError(
            f"{subject.name} fails on the bars as they are ({first.text}); if it takes series instead of bars, say"
            " which: inputs='close'"
        )
    second = subject.run(worlds.since(0))
    late = subject.run(worlds.frame(half), worlds.bars.index)
    text = _unlike("on the same bars", first, second, worlds, tolerance)
    if text:
        return _seeded(subject, worlds, (text,), changes_bars, tolerance)
    text = _unlike("on the first half of the bars, before and after it was run on all,", early, late, worlds, tolerance)
    if text:
        return Repeats(None, subject, (f"{text}; it remembers earlier calls",), changes_bars, 4)
    return Repeats(first, subject, (), changes_bars, 4)


def _seeded(
    subject: Subject, worlds: Worlds, problems: tuple[str, ...], changes_bars: bool, tolerance: float
) -> Repeats:
    """Try again with the global generators of random numbers in the same state before each run."""
    seeded = replace(subject, reseed=True)
    first, second = seeded.run(worlds.since(0)), seeded.run(worlds.since(0))
    if isinstance(first, Failure) or _unlike("", first, second, worlds, tolerance):
        return Repeats(None, subject, problems, changes_bars, 6)
    told = (f"{problems[0]}; with np.random and random seeded before each run it gives the same",)
    return Repeats(first, seeded, told, changes_bars, 6)


def _unlike(where: str, first: Table | Failure, second: Table | Failure, worlds: Worlds, tolerance: float) -> str:
    """Return where two runs on the same bars differ, in a sentence; empty if nowhere."""
    if isinstance(first, Failure) or isinstance(second, Failure):
        if isinstance(first, Failure) and isinstance(second, Failure):
            return ""
        failed = first if isinstance(first, Failure) else second
        assert isinstance(failed, Failure)
        return f"two runs {where} did not both succeed ({failed.text})"
    found = differences(first, second, worlds.n_bars, typical_sizes(first), tolerance)
    if not found:
        return ""
    name, rows = next(iter(found.items()))
    row = int(rows[0])
    left, right = first.value(name, row), second.value(name, row)
    place = f"{moment_text(worlds.bars.index[row])} (row {row})"
    others = f", and {len(found) - 1} more outputs" if len(found) > 1 else ""
    return f"two runs {where} differ: {name} is {left} and {right} at {place}, {rows.size} bars in all{others}"
