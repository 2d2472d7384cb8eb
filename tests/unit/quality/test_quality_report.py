"""The report can be read as text, table, JSON, HTML and picture; checks of others join in; the score is documented."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.data.quality import Check, Issue, check_quality, checks, register_check, repair, unregister_check
from algotrendy.data.quality.score import POINTS, score_of
from algotrendy.errors import InputError


@pytest.fixture
def report(daily: pd.DataFrame) -> Any:
    broken = pd.concat([daily.iloc[:220], daily.iloc[320:]])
    broken.iloc[50, :4] *= 100.0
    broken.iloc[70, 1] *= 1.4
    broken.iloc[90, 4] = 0.0
    return check_quality(broken)


def issue(kind: str = "gap", severity: Any = "warning", score: float = 1.0, count: int = 1) -> Issue:
    stamp = pd.Timestamp("2024-01-02")
    return Issue(
        kind=kind, severity=severity, certainty="definite", score=score, first=stamp, last=stamp, count=count,
        evidence="", proposal="",
    )  # fmt: skip


def test_errors_come_first_then_by_time(report: Any) -> None:
    order = [issue.severity for issue in report.issues]
    assert order == sorted(order, key=("error", "warning", "info").index)
    assert report.kinds == {"unit": 1, "gap": 1, "restart": 1, "outlier": 1, "zero_volume": 1}
    assert report


def test_the_summary_names_the_score_the_issues_and_what_was_not_checked(report: Any) -> None:
    text = report.summary()
    assert text.startswith(f"quality {report.score:.1f} of 100: 5 issues in 500 bars of 1d")
    assert "unit (error, definite)" in text
    assert "not checked: quotes" in text
    assert repr(report).startswith("QualityReport(score=")


def test_the_table_has_a_row_for_each_issue(report: Any) -> None:
    assert len(report.table) == 5
    assert {"kind", "first", "last", "count", "evidence", "proposal", "score"} <= set(report.table.columns)
    assert check_quality(pd.DataFrame(columns=["open", "high", "low", "close"], index=pd.DatetimeIndex([]))).table.empty


def test_json_holds_everything_in_plain_values(report: Any) -> None:
    told = json.loads(report.to_json())
    assert told == json.loads(json.dumps(report.to_dict()))
    assert told["schema"] == 1
    assert [issue["kind"] for issue in told["issues"]] == [issue.kind for issue in report.issues]
    gap = next(issue for issue in told["issues"] if issue["kind"] == "gap")
    assert gap["count"] == len(gap["missing"]) == 98


def test_the_page_of_a_notebook_escapes_what_it_shows(report: Any) -> None:
    told = replace(report, issues=(replace(report.issues[0], evidence="<script>"),))
    page = told._repr_html_()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_the_picture_has_the_closes_and_a_mark_for_each_kind(report: Any) -> None:
    figure = report.plot()
    names = [trace.name for trace in figure.data]
    assert names[0] == "close"
    assert {name.split(" (")[0] for name in names[1:]} == set(report.kinds)
    assert figure.layout.yaxis.type == "log"
    assert len(figure.layout.shapes) == 1, "the gap is shaded"


def test_the_score_is_its_formula() -> None:
    assert score_of([issue(severity="error")]) == pytest.approx(100 * np.exp(-0.10))
    assert score_of([issue(count=3)]) == pytest.approx(100 * np.exp(-0.04 * 2))
    assert score_of([issue(score=0.5, count=2), issue("unit", "error")]) == pytest.approx(100 * np.exp(-0.04 - 0.10))
    assert POINTS["error"] > POINTS["warning"] > POINTS["info"] > 0


def test_a_check_of_someone_else_joins_in_and_its_proposal_can_be_done(daily: pd.DataFrame) -> None:
    from algotrendy.data.quality import Remedy, Subject

    def find_thirteens(subject: Subject) -> list[Issue]:
        rows = subject.rows[subject.dates.astype(object) == pd.Timestamp("2000-06-13").date()]
        remedy = Remedy(action="drop", rows=rows, seen=subject.seen)
        return [
            Issue(
                kind="thirteen", severity="info", certainty="definite", score=1.0, evidence="the 13th",
                proposal="leave it out", remedy=remedy, **subject.span(rows),
            )
        ]  # fmt: skip

    register_check(Check("superstition", {"thirteen": "a bar on a 13th"}, find_thirteens))
    try:
        report = check_quality(daily)
        assert [found.kind for found in report.issues] == ["thirteen"]
        assert list(checks())[-1] == "superstition", "after those of the house"
        assert len(repair(daily, report, kinds=["thirteen"]).bars) == len(daily) - 1
    finally:
        unregister_check("superstition")
    assert check_quality(daily).issues == ()


def test_a_check_without_kinds_is_refused() -> None:
    with pytest.raises(InputError, match="reports no kinds"):
        register_check(Check("empty", {}, lambda subject: []))
