"""Reports on returns: what they say is what the measures say, and too little is said in a sentence."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy import risk
from algotrendy.errors import InputError
from algotrendy.reports import Cell, Chart, Document, KeyFigures, Notice, PerformanceReport, Table, Text
from algotrendy.reports.performance_report import REPORT_TYPES

openpyxl = pytest.importorskip("openpyxl")
pypdf = pytest.importorskip("pypdf")

DAYS = pd.date_range("2022-01-03", periods=600, freq="B")
OPENS = pd.date_range("2022-01-03 09:30", periods=2, freq="1h", tz="America/New_York")
RETURNS = pd.Series(np.random.default_rng(7).normal(0.0004, 0.01, 600), DAYS, name="Fund")
BENCHMARK = pd.Series(np.random.default_rng(8).normal(0.0002, 0.012, 600), DAYS, name="Index")
OF_RETURNS = [name for name, one in REPORT_TYPES.items() if one.reads_returns]


def blocks(document: Document, kind: type) -> list[Any]:
    return [block for section in document.sections for block in section.blocks if isinstance(block, kind)]


def figures(document: Document) -> dict[str, Any]:
    return {item.label: item for block in blocks(document, KeyFigures) for item in block.items}


def table(document: Document, caption: str) -> Table:
    return next(block for block in blocks(document, Table) if block.caption == caption)


def values(row: Any) -> list[Any]:
    return [cell.value if isinstance(cell, Cell) and cell.kind else getattr(cell, "text", cell) for cell in row]


@pytest.mark.parametrize("kind", OF_RETURNS)
def test_every_type_is_a_page_print_and_a_workbook(kind: str, tmp_path: Path) -> None:
    report = PerformanceReport(RETURNS, BENCHMARK, title="Fund <b>&", report_type=kind, date=datetime.date(2026, 1, 31))
    page, printed, book = report.to_html(), report.to_pdf(), report.to_excel(tmp_path / "r.xlsx")
    assert "Fund &lt;b&gt;&amp;" in page
    assert "Fund <b>&" in pypdf.PdfReader(BytesIO(printed)).pages[0].extract_text()
    assert openpyxl.load_workbook(tmp_path / "r.xlsx")["Report"]["A1"].value == "Fund <b>&"
    again = PerformanceReport(RETURNS, BENCHMARK, title="Fund <b>&", report_type=kind, date=datetime.date(2026, 1, 31))
    assert (again.to_html(), again.to_pdf(), again.to_excel()) == (page, printed, book)
    assert report.write(tmp_path / "r.pdf").read_bytes() == printed
    assert all(chart.description for chart in blocks(report.document, Chart))


def test_figures_are_those_of_the_measures() -> None:
    shown = figures(PerformanceReport(RETURNS, BENCHMARK, report_type="risk", confidence_level=0.9).document)
    assert shown["Value at risk"].number == pytest.approx(risk.value_at_risk(RETURNS, 0.9))
    assert shown["Expected shortfall"].number == pytest.approx(risk.expected_shortfall(RETURNS, 0.9))
    assert shown["Maximum drawdown"].number == pytest.approx(risk.max_drawdown(RETURNS))
    monthly = figures(PerformanceReport(RETURNS, BENCHMARK).document)
    assert monthly["Total return"].number == pytest.approx(float((1 + RETURNS).prod() - 1))
    assert monthly["Sharpe ratio"].number == pytest.approx(risk.sharpe_ratio(RETURNS, periods_per_year=252))
    by_month = (1 + RETURNS).groupby([RETURNS.index.year, RETURNS.index.month]).prod() - 1
    assert monthly["Best month"].number == pytest.approx(by_month.max())
    assert monthly["Months with a gain"].number == pytest.approx((by_month > 0).mean())


def test_the_worst_drawdowns_are_those_of_the_table_and_an_open_one_is_not_recovered() -> None:
    document = PerformanceReport(RETURNS).document
    expected = risk.drawdown_table(RETURNS, 10)
    rows = [values(row) for row in table(document, "Worst drawdowns").rows]
    assert [row[3] for row in rows] == pytest.approx(expected["drawdown"].tolist())
    falling = PerformanceReport(pd.Series([0.1, -0.2, 0.05], DAYS[:3])).document
    assert values(table(falling, "Worst drawdowns").rows[0])[:3] == [DAYS[0], DAYS[1], "not yet"]
    first = PerformanceReport(pd.Series([-0.2, 0.5], DAYS[:2])).document
    assert values(table(first, "Worst drawdowns").rows[0])[0] == "the start"


def test_a_workbook_derives_growth_and_differences() -> None:
    book = PerformanceReport(RETURNS, BENCHMARK).to_excel()
    sheet, known = (openpyxl.load_workbook(BytesIO(book), data_only=flag)["Months and years"] for flag in (False, True))
    (head,) = [row for row in sheet.iter_rows() if [cell.value for cell in row[:5]][-1] == "Growth of 1"]
    years = range(head[0].row + 1, head[0].row + 4)
    growth = 1.0
    for place, row in enumerate(years):
        own, held = sheet.cell(row, 2).value, sheet.cell(row, 3).value
        growth *= 1.0 + own
        assert sheet.cell(row, 4).value == f"=B{row}-C{row}"
        assert known.cell(row, 4).value == pytest.approx(own - held)
        assert sheet.cell(row, 5).value == (f"=1+B{row}" if place == 0 else f"=E{row - 1}*(1+B{row})")
        assert known.cell(row, 5).value == pytest.approx(growth)
    assert growth == pytest.approx(float((1 + RETURNS).prod()))


# --- too little, and too odd ---


def degenerate() -> dict[str, pd.Series[float]]:
    return {
        "one row": pd.Series([0.01], DAYS[:1]),
        "two rows": pd.Series([0.01, -0.02], DAYS[:2]),
        "all zero": pd.Series(np.zeros(40), DAYS[:40]),
        "no drawdown": pd.Series(np.full(40, 0.001), DAYS[:40]),
        "open drawdown": pd.Series([0.01] * 30 + [-0.01] * 10, DAYS[:40]),
        "all lost": pd.Series([0.01] * 30 + [-1.0], DAYS[:31]),
        "lost at once": pd.Series([-1.0], DAYS[:1]),
        "nothing after the loss": pd.Series([0.01, -1.0, 0.0, 0.0], DAYS[[0, 1, 300, 330]]),
        "years without returns": pd.Series([0.01, 0.02], pd.DatetimeIndex(["2019-01-03", "2022-01-04"])),
        "intraday": pd.Series([0.01, -0.01], OPENS),
        "huge": pd.Series([1e6, -0.5, 3.0], DAYS[:3]),
    }  # fmt: skip


@pytest.mark.parametrize("name", degenerate())
@pytest.mark.parametrize("kind", OF_RETURNS)
def test_few_or_odd_returns_are_reported_without_a_wrong_number(name: str, kind: str) -> None:
    report = PerformanceReport(degenerate()[name], report_type=kind)
    texts = [item.value for block in blocks(report.document, KeyFigures) for item in block.items]
    for block in blocks(report.document, Table):
        texts += [cell.text if isinstance(cell, Cell) else cell for row in block.rows for cell in row]
    wrong = ("nan", "nat") if name == "huge" else ("nan", "nat", "inf", "-inf")  # more a year than a number can say
    assert not any(text.lower() in wrong for text in texts)
    assert report.to_pdf()[:5] == b"%PDF-"
    assert report.to_excel()[:2] == b"PK"
    assert report.to_html()


def test_what_cannot_be_told_is_said() -> None:
    def notices(returns: Any, **options: Any) -> str:
        return " ".join(block.text for block in blocks(PerformanceReport(returns, **options).document, Notice))

    made = degenerate()
    assert "There is 1 return" in notices(made["one row"])
    assert "All returns are zero" in notices(made["all zero"])
    assert "Everything was lost on 2022-02-14" in notices(made["all lost"])
    assert "less than a year" in notices(made["no drawdown"])
    assert "1 of 3 returns are missing" in notices(pd.Series([0.1, math.nan, 0.1], DAYS[:3]), nan_policy="omit")
    texts = [block.text for block in blocks(PerformanceReport(made["no drawdown"]).document, Text)]
    assert "The value was never below its peak." in texts
    shown = figures(PerformanceReport(made["all zero"]).document)
    assert shown["Sharpe ratio"].value == "n/a"
    assert figures(PerformanceReport(made["one row"]).document)["Volatility"].value == "n/a"


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        (None, "returns are a NoneType; give a Series"),
        ([0.1], "returns are a list"),
        (pd.Series([], dtype=float, index=DAYS[:0]), "there are 0 periods"),
        (pd.Series([0.1, 0.2]), "the returns are labelled by int64, a report needs dates"),
        (pd.Series([math.nan] * 3, DAYS[:3]), "all 3 returns are NaN"),
        (pd.Series([0.1, math.nan], DAYS[:2]), "1 of 2 returns are NaN"),
        (pd.Series([0.1, math.inf], DAYS[:2]), "infinite"),
        (pd.Series([0.1, -1.5], DAYS[:2]), "the lowest return is -1.5, below -1"),
        (pd.Series([0.1, 0.2], DAYS[[0, 0]]), "stands there more than once"),
        (pd.Series([0.1, 0.2], DAYS[[1, 0]]), "not in order"),
        (pd.Series([0.1, 0.2], pd.DatetimeIndex([DAYS[0], pd.NaT])), "no date|not in order"),
        (
            pd.Series(
                [0.1, 0.2], pd.Index([DAYS[0].tz_localize("UTC"), DAYS[1].tz_localize("Asia/Tokyo")], dtype=object)
            ),
            "several time zones",
        ),
        (pd.Series(["a"], DAYS[:1]), "not numbers"),
    ],
)
def test_returns_that_cannot_be_read_are_refused_at_the_call(returns: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PerformanceReport(returns)


def test_a_benchmark_has_the_same_dates() -> None:
    with pytest.raises(InputError, match="1 of 600 periods of the returns are not in the benchmark"):
        PerformanceReport(RETURNS, BENCHMARK.iloc[1:])
    with pytest.raises(InputError, match="have no time zone and the benchmark one"):
        PerformanceReport(RETURNS, BENCHMARK.tz_localize("UTC"))
    with pytest.raises(InputError, match="the benchmark is a list"):
        PerformanceReport(RETURNS, [0.1])  # type: ignore[arg-type]
    assert figures(PerformanceReport(RETURNS, BENCHMARK).document)["Total return"].note.startswith("benchmark ")


def test_a_type_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'monthly_performance'"):
        PerformanceReport(RETURNS, report_type="monthly_performances")
    with pytest.raises(InputError, match=r'nan_policy is .propagate.; a report takes "raise" or "omit"'):
        PerformanceReport(RETURNS, nan_policy="propagate")


def test_equity_is_read_as_its_changes() -> None:
    equity = pd.Series([100.0, 110.0, 99.0, 0.0], DAYS[:4])
    report = PerformanceReport.of_equity(equity, title="Account")
    assert report.series.tolist() == pytest.approx([0.1, -0.1, -1.0])
    for wrong in (equity.iloc[:1], pd.Series([1.0, 0.0, 1.0], DAYS[:3]), pd.Series([1.0, math.nan], DAYS[:2])):
        with pytest.raises(InputError):
            PerformanceReport.of_equity(wrong)


class Words(HTMLParser):
    """The text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found = ""
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.found += data


def test_two_series_of_one_name_are_told_apart_in_charts() -> None:
    report = PerformanceReport(RETURNS.rename("close"), BENCHMARK.rename("close"))
    chart = blocks(report.document, Chart)[0]
    assert {trace["name"] for trace in chart.figure["data"]} == {"Returns", "Benchmark"}


def test_names_of_series_are_literal_in_charts() -> None:
    report = PerformanceReport(RETURNS.rename("<b>x</b>"), BENCHMARK.rename("=1+1"))
    chart = blocks(report.document, Chart)[0]
    assert [trace["name"] for trace in chart.figure["data"]] == [
        "=1+1",
        "&lt;b&gt;x&lt;/b&gt;",
    ]  # Plotly reads entities
    assert "<b>x</b>" in pypdf.PdfReader(BytesIO(report.to_pdf())).pages[0].extract_text()


# --- taxes ---

LOT_COLUMNS = (
    "instrument", "quantity", "acquired", "closed", "proceeds", "cost", "code", "adjustment", "gain", "term", "lot",
)  # fmt: skip
CLOSED = datetime.date(2024, 6, 3)


def lot(name: str, opened: datetime.date, amounts: str, code: str, term: str) -> list[Any]:
    proceeds, cost, adjustment, gain = map(Decimal, amounts.split())
    return [name, Decimal(5), opened, CLOSED, proceeds, cost, code, adjustment, gain, term, "lot"]


LOTS = pd.DataFrame(
    [
        lot("AAPL", datetime.date(2024, 1, 3), "1500.10 1600 99.90 0.00", "W", "short"),
        lot("=MSFT", datetime.date(2022, 1, 3), "2000 1200.50 0 799.50", "", "long"),
        lot("IBM", datetime.date(2022, 1, 3), "0.30 0.10 0 0.20", "", "long"),
    ],
    columns=LOT_COLUMNS,
    dtype=object,
)


def test_a_tax_report_adds_up_by_term() -> None:
    report = PerformanceReport(report_type="tax", rows=LOTS, title="Lots of 2024")
    shown = figures(report.document)
    assert {label: item.number for label, item in shown.items()} == {
        "Short-term gain": Decimal("0.00"),
        "Long-term gain": Decimal("799.70"),
        "Total gain": Decimal("799.70"),
        "Disallowed losses": Decimal("99.90"),
    }
    sheet = openpyxl.load_workbook(BytesIO(report.to_excel()))["Long-term"]
    assert [cell.value for cell in sheet[5]][:1] == ["=MSFT"]
    assert sheet["A5"].data_type == "s"
    assert sheet["I5"].value == "=E5-F5+H5"
    assert sheet["I7"].value == "=SUM(I5:I6)"
    assert "not tax advice" in pypdf.PdfReader(BytesIO(report.to_pdf())).pages[0].extract_text()
    assert "not tax advice" in Words(report.to_html()).found


def test_a_quantity_of_a_tax_report_keeps_every_digit() -> None:
    exact = LOTS.copy()
    exact.loc[0, "quantity"] = Decimal("0.1234567891")
    lots = blocks(PerformanceReport(report_type="tax", rows=exact).document, Table)[0]
    assert [getattr(row[1], "text", row[1]) for row in lots.rows] == ["0.1234567891", ""]


def test_a_tax_report_without_lots_says_so_and_wrong_rows_are_named() -> None:
    empty = PerformanceReport(report_type="tax", rows=LOTS.iloc[:0]).document
    assert [block.text for block in blocks(empty, Text)] == [
        "No short-term lot was closed.",
        "No long-term lot was closed.",
    ]
    with pytest.raises(InputError, match="is made of rows; give rows="):
        PerformanceReport(report_type="tax")
    with pytest.raises(InputError, match="lack gain"):
        _ = PerformanceReport(report_type="tax", rows=LOTS.drop(columns="gain")).document
    with pytest.raises(InputError, match="the term of a lot is 'medium'"):
        _ = PerformanceReport(report_type="tax", rows=LOTS.assign(term="medium")).document


# --- attribution ---

EFFECTS = {"allocation": [0.01, -0.004], "selection": [0.002, 0.0], "=a]+[1:b": [-0.001, 0.003]}
LINKED = pd.DataFrame(EFFECTS, index=["Energy", "=Banks"])


def test_an_attribution_adds_up_across_and_down() -> None:
    report = PerformanceReport(report_type="attribution", rows=LINKED)
    shown = figures(report.document)
    assert shown["Excess return"].number == pytest.approx(LINKED.to_numpy().sum(), abs=1e-15)
    assert shown["Allocation"].number == pytest.approx(0.006, abs=1e-15)
    sheet = openpyxl.load_workbook(BytesIO(report.to_excel()))["Segments"]
    known = openpyxl.load_workbook(BytesIO(report.to_excel()), data_only=True)["Segments"]
    assert [cell.value for cell in sheet[6]] == ["=Banks", -0.004, 0, 0.003, "=B6+C6+D6"]
    assert [cell.value for cell in sheet[7]][1:] == [f"=SUM({name}5:{name}6)" for name in "BCDE"]
    assert known["E7"].value == pytest.approx(LINKED.to_numpy().sum(), abs=1e-15)
    assert "+1.00 %" in pypdf.PdfReader(BytesIO(report.to_pdf())).pages[0].extract_text().replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (LINKED.iloc[:0], "no rows to report"),
        (LINKED.assign(allocation=math.nan), "missing or infinite"),
        (LINKED.rename(columns={"selection": "total"}), "a name of its own"),
    ],
)
def test_an_attribution_that_cannot_add_up_is_refused(rows: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _ = PerformanceReport(report_type="attribution", rows=rows).document


# --- what the portfolio room writes is what a report reads ---


def test_rows_of_the_portfolio_office_are_reported() -> None:
    from algotrendy.domain.fill import Fill
    from algotrendy.portfolio import LotBook, TaxRules, tax_report
    from algotrendy.portfolio.attribution import brinson

    def fill(name: str, year: int, side: str, price: str) -> Fill:
        stamp = datetime.datetime(year, 3, 4, tzinfo=datetime.UTC)
        return Fill(
            execution_id=name, instrument="ACME", side=side, quantity=Decimal(10), price=Decimal(price), filled_at=stamp
        )

    book = LotBook().with_fill(fill("a", 2021, "BUY", "10.10")).with_fill(fill("b", 2024, "SELL", "12.35"))
    rows = tax_report(book.disposals, TaxRules(short_term_rate=Decimal("0.3"), long_term_rate=Decimal("0.2")))
    shown = figures(PerformanceReport(report_type="tax", rows=rows).document)
    assert shown["Long-term gain"].number == Decimal("22.50")
    markets = ["UK", "Japan", "US"]
    weights, held = pd.Series([0.4, 0.3, 0.3], markets), pd.Series([0.4, 0.2, 0.4], markets)
    returns, index = pd.Series([0.2, -0.05, 0.06], markets), pd.Series([0.1, -0.04, 0.08], markets)
    found = brinson(weights, returns, held, index)
    linked = figures(PerformanceReport(report_type="attribution", rows=found.linked).document)
    assert linked["Excess return"].number == pytest.approx(found.excess_return, abs=1e-15)
