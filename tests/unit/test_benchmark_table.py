"""The table that the page "How we compare" is written from."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _loaded(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def render() -> Any:
    return _loaded("render")


@pytest.fixture
def yardstick() -> Any:
    return _loaded("yardstick")


LATEST = {
    "machine": {"cpu": "Some CPU", "python": "3.11"},
    "date": "2026-01-31",
    "speed": {"factor": 2.0, "n_figures": 8},
    "rows": [
        {"title": "a sweep", "unit": "ms", "ours": 70.0, "budget": 100.0, "verdict": "PASS", "share_here": 0.35,
         "note": "fast", "peers": {"raptorbt": 7000.0, "vectorbt": None}},
        {"title": "a start", "unit": "s", "ours": 4.0, "budget": 3.0, "verdict": "OVER x1.33", "share_here": 2 / 3,
         "note": "", "peers": {}},
    ],
}  # fmt: skip


def test_each_row_gives_the_peers_figure_and_how_many_times_ours_it_is(render: Any) -> None:
    table = render.table(LATEST)
    assert "| a sweep | 70 ms | 100 ms | 35% | raptorbt 7,000 ms (100x) |" in table
    assert "- a sweep: fast." in table


def test_a_figure_over_its_budget_stands_out(render: Any) -> None:
    assert "| a start | **4 s** | 3 s | 67% |" in render.table(LATEST)


def test_the_page_has_the_marks_that_the_table_goes_between(render: Any) -> None:
    page = (ROOT / "docs" / "explanation" / "how-we-compare.md").read_text(encoding="utf-8")
    assert page.count(render.BEGIN) == page.count(render.END) == 1


def test_the_speed_of_a_machine_is_the_geometric_mean_of_what_the_peers_took(yardstick: Any) -> None:
    known = yardstick.WHERE_BUDGETS_WERE_SET
    twice: dict[str, dict[str, float | None]] = {}
    for (title, peer), before in known.items():
        twice.setdefault(title, {})[peer] = 2.0 * before
    assert yardstick.speed(twice.items()) == (pytest.approx(2.0), len(known))
    twice[yardstick.SWEEP] = {"raptorbt": 8.0 * known[yardstick.SWEEP, "raptorbt"], "vectorbt": None}
    factor, n_figures = yardstick.speed(twice.items())
    assert n_figures == len(known) - 1
    assert factor == pytest.approx(2.0 * 4.0 ** (1.0 / n_figures))


def test_without_a_peer_a_machine_counts_as_that_of_the_budgets(yardstick: Any) -> None:
    assert yardstick.speed([("something else", {"raptorbt": 1.0})]) == (1.0, 0)
