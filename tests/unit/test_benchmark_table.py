"""The table that the page "How we compare" is written from."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def render() -> Any:
    spec = importlib.util.spec_from_file_location("render", ROOT / "benchmarks" / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LATEST = {
    "machine": {"cpu": "Some CPU", "python": "3.11"},
    "date": "2026-01-31",
    "rows": [
        {"title": "a sweep", "unit": "ms", "ours": 70.0, "budget": 100.0, "verdict": "PASS", "note": "fast",
         "peers": {"raptorbt": 7000.0, "vectorbt": None}},
        {"title": "a start", "unit": "s", "ours": 4.0, "budget": 3.0, "verdict": "OVER x1.33", "note": "", "peers": {}},
    ],
}  # fmt: skip


def test_each_row_gives_the_peers_figure_and_how_many_times_ours_it_is(render: Any) -> None:
    table = render.table(LATEST)
    assert "| a sweep | 70 ms | 100 ms | 7,000 ms (100x) |  |  |  |" in table
    assert "- a sweep: fast." in table


def test_a_figure_over_its_budget_stands_out(render: Any) -> None:
    assert "| a start | **4 s** | 3 s |" in render.table(LATEST)


def test_the_page_has_the_marks_that_the_table_goes_between(render: Any) -> None:
    page = (ROOT / "docs" / "explanation" / "how-we-compare.md").read_text(encoding="utf-8")
    assert page.count(render.BEGIN) == page.count(render.END) == 1
