"""The report of a check: the score, the issues, what was looked at, and every way to read it."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from algotrendy.data.quality.issue import Issue, plural
from algotrendy.domain.faults import stamp_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

SCHEMA = 1
_ORDER = {"error": 0, "warning": 1, "info": 2}
_SHOWN = 20


@dataclass(frozen=True, eq=False, repr=False)
class QualityReport:
    """What was found in a series of bars; `check_quality` returns it.

    Attributes
    ----------
    score : float
        From 0 to 100, higher is better; `algotrendy.data.quality.score` has the formula.
    issues : tuple of Issue
        Errors first, then by time.
    checked : mapping of str to str
        The checks by name: what came of each, or why it could not look.
    n_bars : int
        Rows of the frame.
    interval, calendar : str
        What the bars were taken for; the interval is "unknown" where it could not be told.
    jumps : DataFrame
        The large gaps that stay, with the chances that each is a split, the market or another instrument: also those
        that were found to be no fault.
    closes : Series
        The closes of the clean series, which `plot` draws.

    See Also
    --------
    algotrendy.data.quality.check_quality : make one.
    algotrendy.data.quality.repair : do what the issues propose.
    """

    score: float
    issues: tuple[Issue, ...]
    checked: Mapping[str, str]
    n_bars: int
    interval: str
    calendar: str
    jumps: pd.DataFrame = field(repr=False)
    closes: pd.Series[Any] = field(repr=False)

    def of(self, kind: str) -> tuple[Issue, ...]:
        """Return the issues of one kind, by time."""
        return tuple(sorted((issue for issue in self.issues if issue.kind == kind), key=_by_time))

    @property
    def kinds(self) -> Counter[str]:
        """How many issues there are of each kind."""
        return Counter(issue.kind for issue in self.issues)

    def __bool__(self) -> bool:
        """Whether there is an error or a warning: something that results may depend on."""
        return any(issue.severity != "info" for issue in self.issues)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The issues as a table, one row each."""
        names = ("kind", "severity", "certainty", "score", "first", "last", "count", "evidence", "proposal")
        rows = [{name: getattr(issue, name) for name in names} for issue in self.issues]
        return pd.DataFrame(rows, columns=list(names))

    def summary(self) -> str:
        """Return the report as text: the score, the first issues, and what was not checked."""
        head = f"quality {self.score:.1f} of 100: {plural(len(self.issues), 'issue')} in {plural(self.n_bars, 'bar')}"
        lines = [f"{head} of {self.interval} ({self.calendar})"]
        lines += [f"  {issue}" for issue in self.issues[:_SHOWN]]
        if len(self.issues) > _SHOWN:
            more = Counter(issue.kind for issue in self.issues[_SHOWN:])
            lines.append(f"  and {', '.join(f'{count} more {kind}' for kind, count in more.items())}")
        skipped = [f"{name} ({text[len('not checked: ') :]})" for name, text in self.checked.items() if _is_skip(text)]
        if skipped:
            lines.append(f"  not checked: {'; '.join(skipped)}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values that JSON can hold."""
        jumps = self.jumps.reset_index()
        jumps["time"] = [stamp_text(stamp) for stamp in jumps["time"]]
        return {
            "schema": SCHEMA,
            "score": round(self.score, 4),
            "n_bars": self.n_bars,
            "interval": self.interval,
            "calendar": self.calendar,
            "checked": dict(self.checked),
            "issues": [issue.to_dict() for issue in self.issues],
            "jumps": json.loads(jumps.to_json(orient="records")),
        }

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def plot(self) -> go.Figure:
        """Return a Plotly figure: the closes, and where on them the issues are."""
        from algotrendy.data.quality.picture import picture

        return picture(self)

    def __repr__(self) -> str:
        found = ", ".join(f"{count} {kind}" for kind, count in self.kinds.items()) or "nothing found"
        return f"QualityReport(score={self.score:.1f}, {found})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(issue.kind)}</td><td>{issue.severity}</td>"
            f"<td>{issue.certainty} {issue.score:.2f}</td><td>{html.escape(issue.where)}</td>"
            f"<td style='text-align:right'>{issue.count:,}</td>"
            f"<td style='text-align:left'>{html.escape(issue.evidence)}</td>"
            f"<td style='text-align:left'>{html.escape(issue.proposal)}</td></tr>"
            for issue in self.issues[:_SHOWN]
        )
        head = "".join(
            f"<th>{name}</th>" for name in ("kind", "severity", "sure", "when", "bars", "evidence", "proposal")
        )
        more = len(self.issues) - _SHOWN
        rest = f"<p>{more} more in <code>report.table</code></p>" if more > 0 else ""
        table = (
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else "<p>Nothing found.</p>"
        )
        first = html.escape(self.summary().split("\n", 1)[0])
        return f"<div><p><b>{first}</b></p>{table}{rest}</div>"


def _is_skip(text: str) -> bool:
    return text.startswith("not checked: ")


def _by_time(issue: Issue) -> int:
    return 0 if pd.isna(issue.first) else int(issue.first.as_unit("ns").value)


def ordered(issues: list[Issue]) -> tuple[Issue, ...]:
    """Return issues as a report holds them: errors first, then by time."""
    return tuple(sorted(issues, key=lambda issue: (_ORDER[issue.severity], _by_time(issue))))
