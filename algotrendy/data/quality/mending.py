"""Repairs: do what issues propose, to the rows they were found in, and write down every change.

A remedy knows the rows as they were when they were checked. A row that is no longer so, because it was repaired or
changed since, is left alone; so a repair done twice is a repair done once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.data.quality.issue import Issue, Remedy, plural
from algotrendy.data.quality.report import QualityReport
from algotrendy.data.quality.stamps import HOUR, NAT, instants_of, local
from algotrendy.data.quality.subject import read_frame
from algotrendy.domain.types import AnyArray, Bool1D, Float1D, Int1D
from algotrendy.errors import InputError

_ORDER = ("drop", "drop_double", "scale", "set", "swap", "widen", "merge", "shift", "to_utc", "to_dates", "sort")
CHANGES = ("time", "column", "before", "after", "kind", "why")


@dataclass(frozen=True, eq=False)
class Repaired:
    """Repaired bars, and what was changed.

    Attributes
    ----------
    bars : DataFrame
        A new frame; the one that was given is as it was.
    changes : DataFrame of shape (n_changes, 6)
        `time` (the stamp as it was), `column`, `before`, `after`, `kind` (of the issue) and `why` (its evidence). A
        bar that was left out has the column "(bar)" and its close as `before`; a bar that was moved "(time)", a row
        that was sorted "(row)" and its positions; an index brought to another zone one line for all.
    """

    bars: pd.DataFrame
    changes: pd.DataFrame

    def summary(self) -> str:
        """Return in words how many values of which kind were changed."""
        if self.changes.empty:
            return "nothing changed"
        counts = Counter(zip(self.changes["kind"], self.changes["column"], strict=True))
        said = ", ".join(f"{kind}: {count:,} x {column}" for (kind, column), count in counts.items())
        return f"{plural(len(self.changes), 'change')}: {said}"


def repair(
    bars: pd.DataFrame,
    found: QualityReport | Issue | Iterable[Issue],
    *,
    kinds: Collection[str] | None = None,
    least_score: float = 0.5,
) -> Repaired:
    """Return the bars with the proposals of issues done, and a record of each change.

    Parameters
    ----------
    bars : DataFrame
        The bars that were checked. It is not changed.
    found : QualityReport, Issue or list of Issue
        What `check_quality` found in them.
    kinds : collection of str, optional
        Only issues of these kinds; all that propose something where it is not given.
    least_score : float
        Only issues at least so sure, in [0, 1].

    Returns
    -------
    Repaired
        `bars` and `changes`.

    Raises
    ------
    InputError
        If a kind does not exist, or some of the rows that one issue would scale together have changed since and
        others have not.

    Examples
    --------
    >>> from algotrendy.data import synthetic
    >>> from algotrendy.data.quality import check_quality
    >>> bars = synthetic(500, seed=3)
    >>> wrong = bars.copy()
    >>> wrong.iloc[200, :4] *= 100.0
    >>> done = repair(wrong, check_quality(wrong))
    >>> done.summary()
    '4 changes: unit: 1 x open, unit: 1 x high, unit: 1 x low, unit: 1 x close'
    >>> bool(np.allclose(done.bars["close"], bars["close"]))
    True
    """
    work = _Work.of(bars)
    for issue in _chosen(found, kinds, least_score):
        assert issue.remedy is not None
        work.plan(issue, issue.remedy)
    return work.done()


def _chosen(
    found: QualityReport | Issue | Iterable[Issue], kinds: Collection[str] | None, least_score: float
) -> list[Issue]:
    if isinstance(found, Issue):
        found = [found]
    issues = list(found.issues if isinstance(found, QualityReport) else found)
    if kinds is not None:
        from algotrendy.data.quality.check import known_kinds

        unknown = sorted(set(kinds) - set(known_kinds()) - {issue.kind for issue in issues})
        if unknown:
            raise InputError(f"there is no kind {unknown[0]!r} of issue; there are: {', '.join(known_kinds())}")
        issues = [issue for issue in issues if issue.kind in kinds]
    chosen = [issue for issue in issues if issue.remedy is not None and issue.score >= least_score]
    return sorted(chosen, key=lambda issue: _ORDER.index(issue.remedy.action) if issue.remedy else 0)


@dataclass
class _Work:
    """A frame under repair: its columns as arrays, which rows are kept, and the changes so far."""

    frame: pd.DataFrame
    index: pd.DatetimeIndex
    names: dict[str, Any]
    columns: dict[str, Float1D]
    given: dict[str, Float1D]
    stamps: Int1D
    kept: Bool1D
    moved: Int1D
    changes: list[pd.DataFrame] = field(default_factory=list)
    zone: tuple[str, str] | None = None
    sorting: bool = False

    @classmethod
    def of(cls, bars: pd.DataFrame) -> _Work:
        index, names, columns = read_frame(bars)
        stamps = instants_of(index)
        return cls(
            bars, index, names, {name: column.copy() for name, column in columns.items()}, columns, stamps,
            np.ones(len(bars), dtype=bool), np.zeros(len(bars), dtype=np.int64),
        )  # fmt: skip

    # --- which rows ---

    def plan(self, issue: Issue, remedy: Remedy) -> None:
        """Do one remedy."""
        if remedy.action in ("to_utc", "to_dates"):
            self._zone(issue, remedy)
            return
        if remedy.action == "sort":
            self._sort(issue)
            return
        rows, where = self._still_so(remedy)
        if rows.size:
            getattr(self, f"_{remedy.action}")(issue, remedy, rows, where)

    def _still_so(self, remedy: Remedy) -> tuple[Int1D, Int1D]:
        """Return the rows of the frame that are as they were when checked, and their places in the remedy."""
        wanted = remedy.seen.stamps[remedy.rows]
        order = np.argsort(self.stamps, kind="stable")
        ranked = self.stamps[order]
        rows = np.full(wanted.size, -1, dtype=np.int64)
        here = np.minimum(remedy.rows, max(self.stamps.size - 1, 0))
        alike = self._alike(remedy, here, np.arange(wanted.size)) if self.stamps.size else np.zeros(wanted.size, bool)
        rows[alike] = here[alike]
        lost = np.flatnonzero(~alike)
        first = np.searchsorted(ranked, wanted[lost])
        present = np.zeros(wanted.size, dtype=bool)
        for step in range(_same_stamp(ranked)):
            place = np.minimum(first + step, max(ranked.size - 1, 0))
            there = (first + step < ranked.size) & (ranked[place] == wanted[lost]) if ranked.size else first < 0
            present[lost] |= there
            fits = there & (rows[lost] < 0)
            fits[fits] = self._alike(remedy, order[place[fits]], lost[fits])
            rows[lost[fits]] = order[place[fits]]
        found = rows >= 0
        if remedy.action == "scale" and found.any() and (present & ~found).any():
            raise InputError(
                f"{int((present & ~found).sum()):,} of {wanted.size:,} rows that belong together have changed since the"
                " bars were checked; check them again: repair(bars, check_quality(bars))"
            )
        return rows[found], np.flatnonzero(found)

    def _alike(self, remedy: Remedy, rows: Int1D, places: Int1D) -> Bool1D:
        theirs = remedy.rows[places]
        alike: Bool1D = (self.stamps[rows] == remedy.seen.stamps[theirs]) & self.kept[rows]
        for name in remedy.columns or tuple(remedy.seen.columns):
            if name in self.given and name in remedy.seen.columns:
                ours, was = self.given[name][rows], remedy.seen.columns[name][theirs]
                alike &= (ours == was) | (np.isnan(ours) & np.isnan(was))
        return alike

    # --- what is done ---

    def _drop(self, issue: Issue, remedy: Remedy, rows: Int1D, where: Int1D) -> None:
        self.kept[rows] = False
        self._note(issue, rows, "(bar)", self.columns["close"][rows], np.full(rows.size, np.nan))

    def _drop_double(self, issue: Issue, remedy: Remedy, rows: Int1D, where: Int1D) -> None:
        kept = np.sort(self.stamps[self.kept])
        many = np.searchsorted(kept, self.stamps[rows], "right") - np.searchsorted(kept, self.stamps[rows]) > 1
        self._drop(issue, remedy, rows[many], where[many])

    def _scale(self, issue: Issue, remedy: Remedy, rows: Int1D, where: Int1D) -> None:
        for column, name in enumerate(remedy.columns):
            factor = np.broadcast_to(remedy.values[:, column], (remedy.rows.size,))[where]
            self._write(issue, rows, name, self.columns[name][rows] * factor)

    def _set(self, issue: Issue, remedy: Remedy, rows: Int1D, where: Int1D) -> None:
        for column, name in enumerate(remedy.columns):
            self._write(issue, rows, name, np.broadcast_to(remedy.values[:, column], (remedy.rows.size,))[where])

    def _swap(self, issue: Issue, remedy: Remedy, rows: Int1D, where: Int1D) -> None:
        high, low = self.columns["high"][rows], self.columns["low"][rows]
        self._write(issue, rows, "high", low)
        self._write(issue, rows, "low", high)

    def _widen(self, issue: Issue, remedy: Remedy, rows: Int1D, where: Int1D) -> None:
        prices = np.vstack([self.columns[name][rows] for name in ("open", "high", "low", "close")])
        self._write(issue, rows, "high", prices.max(axis=0))
        self._write(issue, rows, "low", prices.min(axis=0))

    def _merge(self, issue: Issue, remedy: Remedy, rows: Int1D, where: Int1D) -> None:
        order = np.argsort(self.stamps, kind="stable")
        order = order[self.kept[order]]
        place = np.searchsorted(self.stamps[order], self.stamps[rows], side="right")
        rows, into = rows[place < order.size], order[place[place < order.size]]
        for name, label in _bar_labels(self.frame).items():
            column = self.columns.setdefault(name, _numbers(self.frame, label))
            self.names.setdefault(name, label)
            first, second = column[rows], column[into]
            ways = {
                "open": first, "high": np.fmax(first, second), "low": np.fmin(first, second),
                "volume": np.nan_to_num(first) + np.nan_to_num(second),
            }  # fmt: skip
            new = ways.get(name.rsplit("_", 1)[-1])
            if new is not None:
                self._write(issue, into, name, new)
        self._drop(issue, remedy, rows, where)

    def _shift(self, issue: Issue, remedy: Remedy, rows: Int1D, where: Int1D) -> None:
        hours = np.broadcast_to(remedy.values[:, 0], (remedy.rows.size,))[where]
        self.moved[rows] += np.rint(hours * HOUR).astype(np.int64)
        self._note(issue, rows, "(time)", self.index[rows], self.index[rows] + pd.to_timedelta(hours, unit="h"))

    def _zone(self, issue: Issue, remedy: Remedy) -> None:
        wanted = "dates" if remedy.action == "to_dates" else "UTC"
        now = str(self.index.tz) if self.index.tz is not None else "none"
        if now == ("none" if wanted == "dates" and self.index.is_normalized else wanted) or not len(self.index):
            return
        self.zone = (wanted, remedy.zone)
        self._note(issue, np.array([0]), "(time)", [f"zone {now}"], [wanted])

    def _sort(self, issue: Issue) -> None:
        kept = np.flatnonzero(self.kept)
        order = np.argsort(self.stamps[kept] + self.moved[kept], kind="stable")
        self.sorting = True
        moved = order != np.arange(order.size)
        rows = kept[order[moved]]
        self._note(issue, rows, "(row)", rows.astype(float), np.flatnonzero(moved).astype(float))

    # --- the record ---

    def _write(self, issue: Issue, rows: Int1D, name: str, new: AnyArray) -> None:
        """Set a column; where a frame has no such column of its own (the middle of quotes) there is nothing to set."""
        if name not in self.names:
            return
        old = self.columns[name][rows]
        changed = ~((old == new) | (np.isnan(old) & np.isnan(new)))
        self._note(issue, rows[changed], name, old[changed], new[changed])
        self.columns[name][rows] = new

    def _note(self, issue: Issue, rows: Int1D, column: str, before: Any, after: Any) -> None:
        if len(rows):
            values = (self.index[rows], column, before, after, issue.kind, issue.evidence)
            self.changes.append(pd.DataFrame(dict(zip(CHANGES, values, strict=True))))

    def done(self) -> Repaired:
        """Return the repaired frame and the changes."""
        bars = self.frame.copy()
        for name, label in self.names.items():
            if name in self.given and _equal(self.columns[name], self.given[name]):
                continue
            bars[label] = _like(self.columns[name], bars[label])
        index = self._new_index()
        if index is not None:
            bars.index = index
        if not self.kept.all():
            bars = bars[self.kept]
        if self.sorting or self.moved.any():
            bars = bars.iloc[np.argsort(instants_of(pd.DatetimeIndex(bars.index)), kind="stable")]
        changes = pd.concat(self.changes, ignore_index=True) if self.changes else pd.DataFrame(columns=list(CHANGES))
        return Repaired(bars, changes)

    def _new_index(self) -> pd.DatetimeIndex | None:
        if not self.moved.any() and self.zone is None:
            return None
        known = self.stamps != NAT
        times = np.where(known, self.stamps + self.moved, NAT)
        if self.zone is None:
            aware = pd.DatetimeIndex(times.view("M8[ns]")).tz_localize("UTC")
            index = aware.tz_localize(None) if self.index.tz is None else aware.tz_convert(self.index.tz)
        elif self.zone[0] == "UTC":
            index = pd.DatetimeIndex(times.view("M8[ns]")).tz_localize("UTC")
        else:
            clock = local(np.where(known, times, 0), self.zone[1])
            index = pd.DatetimeIndex(np.where(known, clock, NAT).view("M8[ns]"))
        return index.as_unit(self.index.unit).rename(self.index.name)


def _same_stamp(ranked: Int1D) -> int:
    """Return how many rows share one stamp at most."""
    if ranked.size < 2:
        return ranked.size
    edges = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    return int(np.diff(np.append(edges, ranked.size)).max())


def _equal(one: Float1D, other: Float1D) -> bool:
    return bool(((one == other) | (np.isnan(one) & np.isnan(other))).all())


def _like(values: Float1D, column: pd.Series[Any]) -> Any:
    """Return values in the type of the column where that loses nothing."""
    whole = pd.api.types.is_integer_dtype(column.dtype) and bool((np.isfinite(values) & (values % 1 == 0)).all())
    return values.astype(str(column.dtype)) if whole else values


def _bar_labels(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the labels of all columns that are part of a bar: `open`, but `bid_open` and `ask_open` as well."""
    ends = ("open", "high", "low", "volume")
    plain = {"_".join(str(label).strip().lower().split()): label for label in frame.columns}
    return {name: label for name, label in plain.items() if name.rsplit("_", 1)[-1] in ends}


def _numbers(frame: pd.DataFrame, label: Any) -> Float1D:
    numbers: Float1D = pd.to_numeric(frame[label], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan).copy()
    return numbers
