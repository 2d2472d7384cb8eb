"""Every type of report in every format on what is hardly data: refused in words, or written without a wrong number."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.errors import AlgotrendyError
from algotrendy.reports import PerformanceReport
from algotrendy.reports.performance_report import REPORT_TYPES
from tests.unit.hardly_data import NO_SERIES, kinds

openpyxl = pytest.importorskip("openpyxl", reason="extra: openpyxl is not installed")
pypdf = pytest.importorskip("pypdf", reason="extra: pypdf is not installed")
pytest.importorskip("typst", reason="extra: typst is not installed")

N = 60
DAYS = pd.date_range("2024-01-01", periods=N, tz="UTC")
RETURNS = kinds(N)


def lots(*amounts: Any, days: Any = None) -> pd.DataFrame:
    """One closed lot for each gain: what `portfolio.tax_report` returns."""
    opened, closed = datetime.date(2024, 1, 3), datetime.date(2024, 6, 3)
    rows = [
        {"instrument": "AAPL", "quantity": Decimal(5), "acquired": opened, "closed": closed,
         "proceeds": 100 + amount, "cost": Decimal(100), "code": "", "adjustment": Decimal(0), "gain": amount,
         "term": "short", "lot": f"l{place}"}
        for place, amount in enumerate(amounts)
    ]  # fmt: skip
    columns = ["instrument", "quantity", "acquired", "closed", "proceeds", "cost", "code", "adjustment", "gain", "term"]
    return pd.DataFrame(rows, columns=[*columns, "lot"], dtype=object)


def effects(*values: float, labels: Any = None) -> pd.DataFrame:
    """Effects by segment: what `Attribution.linked` is."""
    names = labels or [f"Segment {place}" for place in range(len(values))]
    return pd.DataFrame({"allocation": values, "selection": [-0.5 * value for value in values]}, index=names)


LOTS: dict[str, pd.DataFrame] = {
    "empty": lots(),
    "one row": lots(Decimal("-0.02")),
    "all zero": lots(Decimal(0), Decimal(0)),
    "all NaN": lots(Decimal("NaN"), Decimal("NaN")),
    "no drawdown": lots(Decimal(1), Decimal(2)),
    "open drawdown": lots(Decimal(-1), Decimal(-2)),
    "mixed time zones": lots(Decimal(1)).assign(closed=pd.Timestamp("2024-06-03", tz="Asia/Tokyo")),
    "total loss": lots(Decimal(-100)),
    "duplicate dates": lots(Decimal(1), Decimal(1)),
}
EFFECTS: dict[str, pd.DataFrame] = {
    "empty": effects(),
    "one row": effects(-0.02),
    "all zero": effects(0.0, 0.0),
    "all NaN": effects(np.nan, np.nan),
    "no drawdown": effects(0.01, 0.02),
    "open drawdown": effects(0.01, -0.02),
    "mixed time zones": effects(0.01, 0.02, labels=[DAYS[0], DAYS[1].tz_convert("Asia/Tokyo")]),
    "total loss": effects(-1.0, 0.0),
    "duplicate dates": effects(0.01, 0.02, labels=["Energy", "Energy"]),
}
ROWS = {"tax": (LOTS, {"all NaN"}), "attribution": (EFFECTS, {"empty", "all NaN", "duplicate dates"})}
FORMATS: dict[str, Callable[[PerformanceReport], Any]] = {
    "html": PerformanceReport.to_html,
    "pdf": PerformanceReport.to_pdf,
    "xlsx": PerformanceReport.to_excel,
}


def texts(format: str, made: Any) -> list[str]:
    """Return what can be read in a report."""
    if format == "pdf":
        return [text for page in pypdf.PdfReader(BytesIO(made)).pages for text in page.extract_text().split()]
    if format == "xlsx":
        book = openpyxl.load_workbook(BytesIO(made), data_only=True)
        cells = [cell.value for sheet in book for row in sheet.iter_rows() for cell in row]
        return [str(value) for value in cells if value is not None]
    return []


def test_every_type_has_its_kinds() -> None:
    assert {name for name, one in REPORT_TYPES.items() if not one.reads_returns} == set(ROWS)
    assert set(RETURNS) == set(LOTS) == set(EFFECTS)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", RETURNS)
@pytest.mark.parametrize("name", REPORT_TYPES)
def test_a_report_is_refused_in_words_or_written(name: str, kind: str, format: str) -> None:
    data, refused = ROWS.get(name, (RETURNS, NO_SERIES))
    given = {"rows": data[kind]} if name in ROWS else {"returns": data[kind], "benchmark": data[kind]}
    words, made = made_or_refused(name, given, FORMATS[format])
    if kind in refused:
        assert len(words.split()) >= 4, "a report was written of no data"
        return
    assert not words
    assert len(made) > 1000
    wrong = {"nan", "inf", "-inf", "nat", "None", "#DIV/0!", "#VALUE!"}
    assert not wrong & {text.lower() if text != "None" else text for text in texts(format, made)}


def made_or_refused(name: str, given: dict[str, Any], write: Callable[[PerformanceReport], Any]) -> tuple[str, Any]:
    """Return the words of a refusal, or what was written; a warning or another error fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*Cornish")
        try:
            return "", write(PerformanceReport(report_type=name, date=datetime.date(2026, 1, 31), **given))
        except AlgotrendyError as error:
            return str(error), None


def test_effects_that_are_no_numbers_are_refused() -> None:
    rows = effects(0.01).astype(object)
    rows.iloc[0, 0] = "much"
    assert "are numbers" in made_or_refused("attribution", {"rows": rows}, PerformanceReport.to_html)[0]
    assert "first that of AAPL" in made_or_refused("tax", {"rows": lots(Decimal("NaN"))}, PerformanceReport.to_html)[0]
