"""The sections of a report on closed lots, from the rows that `portfolio.tax_report` writes. Not tax advice."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from algotrendy.errors import InputError
from algotrendy.reports.document import Block, Cell, Column, KeyFigure, KeyFigures, Notice, Section, Table, Text

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.reports.performance_report import PerformanceReport

__all__ = ["tax"]

_COLUMNS = ("instrument", "quantity", "acquired", "closed", "proceeds", "cost", "code", "adjustment", "gain", "term")
_AMOUNTS = ("quantity", "proceeds", "cost", "adjustment", "gain")
_TERMS = (("short", "Short-term"), ("long", "Long-term"))
_ADVICE = "This is an account of what was traded, not tax advice."


def tax(report: PerformanceReport) -> list[Section]:
    """Return what was gained with closed lots, by term, with the losses that wash sales disallow.

    Raises
    ------
    InputError
        If the rows lack a column, the term of one is neither "short" nor "long", or an amount is missing or infinite.
    """
    rows = report.rows
    assert rows is not None
    missing = [name for name in _COLUMNS if name not in rows.columns]
    if missing:
        raise InputError(f"the rows of a tax report lack {', '.join(missing)}; give what portfolio.tax_report returns")
    odd = sorted(set(map(str, rows["term"])) - {"short", "long"})
    if odd:
        raise InputError(f"the term of a lot is {odd[0]!r}; expected 'short' or 'long'")
    for name in _AMOUNTS:
        wrong = [place for place, value in enumerate(rows[name]) if not _is_finite(value)]
        if wrong:
            raise InputError(
                f"the {name} of {len(wrong)} of {len(rows)} lots is missing or infinite, first that of "
                f"{rows['instrument'].iloc[wrong[0]]}; mend those rows"
            )
    parts = {term: rows[rows["term"] == term] for term, _ in _TERMS}
    items = [
        KeyFigure.of(f"{label} gain", _sum(parts[term], "gain"), "money", f"{len(parts[term]):,} lots")
        for term, label in _TERMS
    ]
    items += [
        KeyFigure.of("Total gain", _sum(rows, "gain"), "money"),
        KeyFigure.of("Disallowed losses", _sum(rows, "adjustment"), "money", "wash sales"),
    ]
    first: list[Block] = [KeyFigures(items), Notice(_ADVICE, "info")]
    sections = [Section("At a glance", first)]
    for term, label in _TERMS:
        block = _table(parts[term], label) if len(parts[term]) else Text(f"No {label.lower()} lot was closed.")
        sections.append(Section(label, [block]))
    return sections


def _is_finite(value: Any) -> bool:
    try:
        return Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


def _sum(rows: pd.DataFrame, name: str) -> Decimal:
    return sum((Decimal(str(value)) for value in rows[name]), Decimal(0))


def _table(rows: pd.DataFrame, label: str) -> Table:
    found: list[list[Cell | str]] = [_row(row) for row in rows.to_dict("records")]
    total: list[Cell | str] = ["Total", "", "", ""]
    for name, head in (
        ("proceeds", "Proceeds"),
        ("cost", "Cost"),
        ("", ""),
        ("adjustment", "Adjustment"),
        ("gain", "Gain"),
    ):
        formula = f"SUM([{head}:first]:[{head}:-1])"
        total.append(Cell.of(_sum(rows, name), "money", formula=formula) if name else "")
    columns = [
        Column("Instrument"),
        Column("Quantity", "right", even=True),
        Column("Acquired"),
        Column("Closed"),
        Column("Proceeds", "right"),
        Column("Cost", "right"),
        Column("Code"),
        Column("Adjustment", "right"),
        Column("Gain", "right"),
    ]
    return Table(columns, [*found, total], f"{label} lots", has_total=True)


def _row(row: dict[Any, Any]) -> list[Cell | str]:
    return [
        str(row["instrument"]),
        Cell.of(row["quantity"], "number"),
        Cell.of(row["acquired"], "moment"),
        Cell.of(row["closed"], "moment"),
        Cell.of(row["proceeds"], "money"),
        Cell.of(row["cost"], "money"),
        str(row["code"]),
        Cell.of(row["adjustment"], "money"),
        Cell.of(row["gain"], "money", formula="[Proceeds]-[Cost]+[Adjustment]"),
    ]
