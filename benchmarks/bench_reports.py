"""What a report takes, warm: one page in print, a whole report in print, the interactive page, the workbook.

Run as `python benchmarks/bench_reports.py`. Each call makes its report anew from the returns, with measures, charts and
tables; the fastest of several runs counts. quantstats writes its page in an environment of its own, by `peer_risk.py`,
where `make bench` has made it. Wall time.
"""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from fresh import peer_figures

from algotrendy.reports import Document, PerformanceReport, render_pages, render_pdf

DAYS, YEAR = 5_040, 252
PDF_BUDGET_S, HTML_BUDGET_S = 0.5, 1.0
DATE = datetime.date(2026, 1, 31)


class Row(NamedTuple):
    """One line of the table."""

    title: str
    unit: str
    ours: float
    budget: float | None
    peers: dict[str, float]
    note: str = ""


def report_of(n: int) -> PerformanceReport:
    """A report on fat-tailed returns of days; those of the peer are the same."""
    values = np.random.default_rng(0).standard_t(5, n) * 0.008 + 0.0003
    days = pd.bdate_range("2005-01-03", periods=n)
    return PerformanceReport(pd.Series(values, days, name="Fund"), title="Fund", date=DATE)


def one_page() -> Document:
    """Key figures, the chart of growth and its drawdown of a year: what fits on a page."""
    whole = report_of(YEAR).document
    kept = [section for section in whole.sections if section.title in ("At a glance", "Growth", "Drawdown")]
    return Document(whole.title, whole.subtitle, kept, whole.footer)


def least(call: Callable[[], Any], rounds: int) -> float:
    """Return the least wall time of a call in seconds; the first, which loads and compiles, does not count."""
    call()
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def measure(rounds: int = 10) -> list[Row]:
    """Return every row."""
    n_pages = len(render_pages(one_page(), date=DATE))
    assert n_pages == 1, f"{n_pages} pages"
    page = peer_figures("venv-risk", "peer_risk.py", "page").get("page", {})
    peers = {name: figure["time"] for name, figure in page.items()}
    note = "; ".join(f"{name}: {figure['found'] / 2**20:.1f} MiB" for name, figure in page.items())
    size = len(report_of(DAYS).to_html()) / 2**20
    return [
        Row(
            "report, one page of PDF, warm",
            "s",
            least(lambda: render_pdf(one_page(), date=DATE), rounds),
            PDF_BUDGET_S,
            {},
            f"key figures and charts of {YEAR} days",
        ),
        Row(f"report on {DAYS:,} days as PDF", "s", least(lambda: report_of(DAYS).to_pdf(), rounds), None, {}),
        Row(
            f"report on {DAYS:,} days as HTML",
            "s",
            least(lambda: report_of(DAYS).to_html(), rounds),
            HTML_BUDGET_S,
            peers,
            f"interactive, {size:.1f} MiB" + (f"; {note}, pictures" if note else ""),
        ),
        Row(f"report on {DAYS:,} days as XLSX", "s", least(lambda: report_of(DAYS).to_excel(), rounds), None, {}),
    ]


def main(arguments: Sequence[str]) -> None:
    """Print the table, or with `--json` the rows."""
    rows = measure()
    if "--json" in arguments:
        print(json.dumps([row._asdict() for row in rows]))
        return
    for row in rows:
        peers = "; ".join(f"{name} {figure:,.3g} ({figure / row.ours:,.0f}x)" for name, figure in row.peers.items())
        over = "" if row.budget is None else f"budget {row.budget:g}: {'ok' if row.ours <= row.budget else 'over'}"
        print(f"{row.title:40} {row.ours:8.3g} {row.unit:3} {over:16} {peers}  {row.note}".rstrip())


if __name__ == "__main__":
    main(sys.argv[1:])
