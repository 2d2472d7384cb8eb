"""The table of where libraries disagree: each of its rows gives the other library's number through our named option.

`benchmarks/cross_check.py risk --write` recorded what empyrical-reloaded 0.7.1, quantstats 0.0.86, ffn 1.4.1 and
vectorbt 1.2.0 say of the NASDAQ against the S&P 500 (`risk/libraries.json`); skfolio and scikit-learn are asked here.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("skfolio", reason="extra: skfolio is not installed")
ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "risk-conventions.md"
SAID = json.loads((Path(__file__).parent / "risk" / "libraries.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def conventions() -> Any:
    """`benchmarks/cross_conventions.py`, which is no part of the package."""
    for name in ("cross_risk", "cross_conventions"):
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules["cross_conventions"]


def rows_of_the_page() -> list[tuple[str, str]]:
    table = PAGE.read_text(encoding="utf-8").partition("## Where libraries disagree")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines() if line[:2] == "| "]
    return [(measure.strip(), elsewhere) for measure, _, elsewhere, _ in cells[1:]]


def test_every_figure_of_a_library_is_given_by_the_option_that_is_named(conventions: Any) -> None:
    assert conventions.unlike(SAID["runs"]) == []
    assert sum(len(figures) for figures in SAID["runs"].values()) > 70


def test_a_figure_that_is_not_ours_or_that_nothing_explains_is_found(conventions: Any) -> None:
    runs = {name: dict(figures) for name, figures in SAID["runs"].items()}
    runs["empyrical"]["alpha"] += 1e-6
    runs["ffn"]["calc_new"] = 1.0
    assert [line.partition(":")[0] for line in conventions.unlike(runs)] == ["ffn calc_new", "empyrical alpha"]


def test_the_page_has_the_rows_that_are_proven(conventions: Any) -> None:
    proven = [(row.measure, row.elsewhere) for row in conventions.CONVENTIONS]
    assert rows_of_the_page() == proven
    assert all(row.proofs for row in conventions.CONVENTIONS)
