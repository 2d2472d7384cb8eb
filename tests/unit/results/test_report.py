"""The report of a result says everything, and its text cannot become code."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from algotrendy.backtest.definitions import METRIC_INFO
from algotrendy.backtest.report import compose
from algotrendy.backtest.result import BacktestResult
from algotrendy.errors import InputError
from algotrendy.reports import Cell, Chart, Document, Notice, Table

Make = Callable[..., BacktestResult]
EVIL = "<script>alert('x')</script>"


class FakeSweep:
    """A sweep as the report sees one."""

    table = pd.DataFrame({"fast": [5, 10], "slow": [20, 30], "sharpe_ratio": [0.5, np.nan]})

    def heatmap(self) -> dict[str, Any]:
        return {"data": [{"type": "heatmap", "z": [[0.5, None]]}], "layout": {}}


def cell_text(cell: Cell | str) -> str:
    return cell.text if isinstance(cell, Cell) else cell


def tables(document: Document) -> dict[str, Table]:
    return {
        block.caption: block for section in document.sections for block in section.blocks if isinstance(block, Table)
    }


def test_a_report_has_every_part(made: BacktestResult) -> None:
    document = compose(made, sweep=FakeSweep())
    assert [section.title for section in document.sections] == [
        "At a glance", "Equity", "Drawdown", "Trades", "Returns", "Parameter sweep", "Metrics", "Costs and assumptions",
        "Strategy", "Data and provenance",
    ]  # fmt: skip
    assert document.title == "In and out"
    assert "WALK" in document.subtitle


def test_every_metric_stands_there_with_its_definition(made: BacktestResult) -> None:
    table = tables(compose(made))["Every metric and what it means"]
    assert len(table.rows) == len(made.metrics)
    assert [row[3] for row in table.rows] == [METRIC_INFO[name].definition for name in METRIC_INFO]
    assert all(row[3] for row in table.rows)


def test_warnings_are_notices_at_the_top(make: Make) -> None:
    first = compose(make(ruined_at=pd.Timestamp("2016-01-04"))).sections[0]
    notices = [block.text for block in first.blocks if isinstance(block, Notice)]
    assert notices[0].startswith("The account was ruined at 2016-01-04")
    assert notices[1].startswith("The open equals the close before it")
    assert notices[2].startswith("The last decision (go long) is pending")


def test_names_of_users_cannot_become_code(make: Make, make_walk: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    bars = make_walk(200, 2)
    bars.attrs["algotrendy"] = {"name": EVIL, EVIL: EVIL}
    strategy = {"name": EVIL, "entry": EVIL, EVIL: [EVIL]}
    result = make(bars=bars, strategy=strategy, params={EVIL: 1.0}, warnings=(EVIL,), pending=EVIL)
    page = result.report(tmp_path / "r.html", title=f"{EVIL}{{braces}}").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "{braces}" in page


def test_a_report_is_the_same_for_the_same_result(make: Make, tmp_path: Path) -> None:
    one, other = make().report(tmp_path / "a.html"), make().report(str(tmp_path / "b.html"), sweep=None)
    assert one.read_bytes() == other.read_bytes()


def test_a_report_replaces_a_file_and_needs_its_folder(made: BacktestResult, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    path.write_text("old")
    assert made.report(path) == path
    assert path.stat().st_size > 1_000_000
    with pytest.raises(InputError, match="there is no folder"):
        made.report(tmp_path / "missing" / "r.html")


@pytest.mark.parametrize("n_bars", [1, 2, 10])
def test_a_result_without_trades_has_a_report(make: Make, n_bars: int) -> None:
    document = compose(make(n_bars, held=50))
    assert len(document.sections) == 9


def test_the_trades_table_is_the_most_recent_hundred(make: Make) -> None:
    result = make(5000, held=20)
    table = tables(compose(result))["The 100 most recent of 124 trades"]
    assert len(table.rows) == 100
    assert cell_text(table.rows[0][1]) == result.trades["exit_at"].iloc[-1].strftime("%Y-%m-%d")


def test_a_thinned_curve_says_so(make: Make) -> None:
    charts = [block for section in compose(make(7000)).sections for block in section.blocks if isinstance(block, Chart)]
    assert "thinned to at most 6,000 points" in charts[0].caption
    assert all(chart.description for chart in charts)


def test_the_sweep_is_shown_as_a_heat_map_with_its_best_rows(made: BacktestResult) -> None:
    table = tables(compose(made, sweep=FakeSweep()))["Best combinations"]
    assert [[cell_text(cell) for cell in row] for row in table.rows] == [["5", "20", "0.50"], ["10", "30", "n/a"]]


def test_a_sweep_that_was_stopped_says_so(made: BacktestResult) -> None:
    sweep = FakeSweep()
    sweep.complete = False  # type: ignore[attr-defined]
    section = next(part for part in compose(made, sweep=sweep).sections if part.title == "Parameter sweep")
    assert section.blocks[0] == Notice("The sweep was stopped before its end.")


def test_a_strategy_without_a_name_is_called_after_its_data(make: Make) -> None:
    assert compose(make(strategy={"kind": "arrays"})).title == "Backtest of given signals on WALK"
    assert compose(make(strategy={"entry": "close > 1"}), title="Mine").title == "Mine"


def test_a_report_is_printed_or_a_workbook_by_its_suffix(make: Make, tmp_path: Path) -> None:
    result = make(500, held=20)
    printed = result.report(tmp_path / "r.pdf", date=datetime.date(2026, 1, 31), paper="letter")
    assert printed.read_bytes().startswith(b"%PDF-")
    workbook = openpyxl.load_workbook(result.report(tmp_path / "r.xlsx"))
    sheet = workbook["At a glance"]
    assert sheet["B3"].value == result.metrics["total_return"]
    assert sheet["B3"].number_format == "+#,##0.0%;-#,##0.0%;0.0%"
    with pytest.raises(InputError, match=r"the suffix of r.docx is .docx"):
        result.report(tmp_path / "r.docx")


def test_a_workbook_derives_years_from_months_and_costs_from_their_parts(make: Make, tmp_path: Path) -> None:
    result = make(900, held=20)
    path = result.report(tmp_path / "r.xlsx")
    sheet, known = (openpyxl.load_workbook(path, data_only=values)["Returns"] for values in (False, True))
    derived = [(cell, known[cell.coordinate].value) for row in sheet.iter_rows() for cell in row if cell.column == 14]
    years = [(cell, value) for cell, value in derived if hasattr(cell.value, "text")]
    assert len(years) == len(result.monthly_returns)
    for cell, value in years:
        months = [sheet.cell(cell.row, column).value for column in range(2, 14)]
        assert cell.value.text == f"=PRODUCT(1+B{cell.row}:M{cell.row})-1"
        assert math.prod(1.0 + (month or 0.0) for month in months) - 1.0 == pytest.approx(value, abs=1e-12)
    costs = openpyxl.load_workbook(path)["Costs and assumptions"]
    (total,) = [cell for row in costs.iter_rows() for cell in row if str(cell.value).startswith("=")]
    assert total.value == f"=SUM(B{total.row - 3}:B{total.row - 1})"
    paid = sum(costs.cell(total.row - k, 2).value for k in (1, 2, 3))
    assert paid == pytest.approx(result.metrics["costs_paid"], abs=1e-9)
