"""What a check reports: one fault, where it is, what shows it, how sure that is, and what would be done about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.faults import stamp_text
from algotrendy.domain.types import AnyArray, Float1D, Int1D

Severity: TypeAlias = Literal["error", "warning", "info"]
"""error: results made with these bars are wrong. warning: they may be. info: something to know."""
Certainty: TypeAlias = Literal["definite", "suspected"]
"""definite: it follows from the rows, the calendar or the corporate actions. suspected: it follows from likelihood."""
Action: TypeAlias = Literal[
    "to_utc", "to_dates", "sort", "drop", "drop_double", "scale", "shift", "swap", "set", "widen", "merge"
]  # fmt: skip

NO_ROWS: Int1D = np.zeros(0, dtype=np.int64)
NO_TIMES = pd.DatetimeIndex([])


class Seen(NamedTuple):
    """The bars as they were when they were checked: a copy, so that a repair can tell whether they still are so."""

    stamps: Int1D
    columns: Mapping[str, Float1D]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Remedy:
    """What a repair would do to some rows.

    Attributes
    ----------
    action : str
        `drop` the rows; `drop_double`: those of them whose stamp another row has as well; `scale` the columns by
        `values`; `set` the columns to `values`; `swap` high and low; `widen` [low, high] to hold open and close;
        `merge` the rows into the bar after them; `sort` all rows by time; `shift` the stamps by `values` hours;
        `to_utc`, `to_dates`: bring all stamps to UTC, or to dates of a zone.
    rows : int64 array
        Positions in the frame that was checked.
    columns : tuple of str
        The columns that are changed, by their names in the house.
    values : float64 array of shape (n_rows, n_columns), or of a shape that can be spread to it
        Factors, values or hours.
    zone : str
        For `to_dates`: the zone whose midnights the stamps are.
    seen : Seen
        The bars as they were.
    """

    action: Action
    rows: Int1D
    seen: Seen = field(repr=False)
    columns: tuple[str, ...] = ()
    values: AnyArray = field(default_factory=lambda: np.ones((1, 1)))
    zone: str = ""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Issue:
    """One fault, or several of one kind in one stretch.

    Attributes
    ----------
    kind : str
        Its name, such as `gap` or `split`; `algotrendy.data.quality.known_kinds()` lists them.
    severity : {"error", "warning", "info"}
        Whether results made with these bars are wrong, may be wrong, or the reader should just know.
    certainty : {"definite", "suspected"}
        Whether it follows from the rows, the calendar or the actions, or from likelihood.
    score : float
        How sure, in (0, 1]; 1 if it is definite.
    first, last : Timestamp
        The first and the last bar that it concerns, or the first and last stamp that is missing.
    count : int
        How many bars, or missing bars, it concerns.
    evidence : str
        What shows it, in words and numbers.
    proposal : str
        What `repair` would do; where it starts with "by hand", repair leaves it to the reader.
    columns : tuple of str
        The columns that it concerns; empty if it is the whole bar, or its stamp.
    rows : int64 array
        Positions of the bars in the frame that was checked; empty if the fault is that there are none.
    missing : DatetimeIndex
        The stamps that should be there.
    measures : mapping of str to float
        The numbers of the evidence.
    remedy : Remedy or None
        What `repair` works from.
    """

    kind: str
    severity: Severity
    certainty: Certainty
    score: float
    first: pd.Timestamp
    last: pd.Timestamp
    count: int
    evidence: str
    proposal: str
    columns: tuple[str, ...] = ()
    rows: Int1D = field(default_factory=lambda: NO_ROWS, repr=False)
    missing: pd.DatetimeIndex = field(default_factory=lambda: NO_TIMES, repr=False)
    measures: Mapping[str, float] = field(default_factory=dict)
    remedy: Remedy | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """The stretch of time it concerns, as text."""
        first, last = stamp_text(self.first), stamp_text(self.last)
        return first if first == last else f"{first} to {last}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values that JSON can hold; of long lists of rows and stamps the first hundred."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "certainty": self.certainty,
            "score": round(float(self.score), 4),
            "first": stamp_text(self.first),
            "last": stamp_text(self.last),
            "count": int(self.count),
            "columns": list(self.columns),
            "evidence": self.evidence,
            "proposal": self.proposal,
            "measures": {name: float(value) for name, value in self.measures.items() if np.isfinite(value)},
            "rows": [int(row) for row in self.rows[:_LISTED]],
            "missing": [stamp_text(stamp) for stamp in self.missing[:_LISTED]],
        }

    def __str__(self) -> str:
        sure = "definite" if self.certainty == "definite" else f"suspected {self.score:.2f}"
        return f"{self.kind} ({self.severity}, {sure}) {self.where}: {self.evidence}"


_LISTED = 100


def number(value: float, digits: int = 5) -> str:
    """Return a number as a reader wants it: few digits, no exponent where it can be helped.

    Examples
    --------
    >>> number(1234567.0), number(0.0001), number(34.700001), number(7.0)
    ('1,234,567', '0.0001', '34.7', '7')
    """
    if not np.isfinite(value):
        return str(float(value))
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def plural(count: int, noun: str) -> str:
    """Return a count and its noun.

    Examples
    --------
    >>> plural(1, "bar"), plural(1200, "bar")
    ('1 bar', '1,200 bars')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(names: Sequence[str]) -> str:
    """Return names in a row: 'open, high and low'.

    Examples
    --------
    >>> listed(["open"]), listed(["open", "high", "low"])
    ('open', 'open, high and low')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
