"""A document as an Excel workbook: numbers as numbers, formulas where a figure follows from others, native charts.

One sheet per section; behind them the tables of many rows and the numbers of each chart have sheets of their own. No
text is ever taken for a formula or a link. The same document and date give the same bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from io import BytesIO
from numbers import Real
from typing import Any

from algotrendy.errors import InputError, MissingExtraError
from algotrendy.reports.document import Cell, Chart, Column, Document, KeyFigures, Notice, Section, Table, Text
from algotrendy.reports.excel_charts import draw_chart
from algotrendy.reports.palette import ground_of
from algotrendy.reports.wording import Kind, is_missing

__all__ = ["render_excel"]

ROWS_OF_A_SECTION = 40
"""A table of more rows has a sheet of its own."""

_NO_DATE = datetime(1980, 1, 1)
_WIDTH = 10
"""Text runs over so many columns."""

_TEXT_MAX = 32_767
_NAME_MAX = 31
_COLUMN_MAX = 46.0
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"\[([^\[\]:]+)(?::(-\d+|first|last))?\]")

_HEAD = {"bold": True, "bottom": 1, "font_color": "#5a6473", "text_wrap": True, "valign": "top"}

_FORMATS: dict[Kind, str] = {
    "money": "#,##0.00",
    "change": "+#,##0.0%;-#,##0.0%;0.0%",
    "share": "#,##0.0%",
    "points": "0.0%",
    "ratio": "#,##0.00",
    "count": "#,##0",
    "number": "General",
}


def render_excel(document: Document, *, date: date | None = None) -> bytes:
    """Return a document as a workbook (.xlsx).

    Parameters
    ----------
    document : Document
        Cells with a `value` become numbers and dates with the format of their `kind`; those with a `formula` become
        formulas with the value as their last result. Charts become native ones, over sheets with their numbers.
    date : date or datetime, optional
        The day of the report. Without one the file says 1980-01-01: the clock is never asked.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    InputError
        If `date` is no date, or a formula names a column that is not there once.
    MissingExtraError
        If XlsxWriter is not installed.

    Examples
    --------
    >>> from algotrendy.reports import Cell, Document, Section, Table
    >>> table = Table(["Year", "Return"], [["2020", Cell.of(0.1, "change")]], "Returns")
    >>> render_excel(Document("A", sections=[Section("Years", [table])]))[:2]
    b'PK'
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingExtraError("XlsxWriter", "reports") from error
    if date is not None and not hasattr(date, "isoformat"):
        raise InputError(f"date is {date!r}; give a datetime.date or a datetime, or leave it out")
    target = BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    book = xlsxwriter.Workbook(target, options)
    book.set_properties({"title": literal(document.title)[:255], "created": _naive(date)})
    _Book(book, document, date).write()
    book.close()
    return target.getvalue()


def _naive(day: date | None) -> datetime:
    if day is None:
        return _NO_DATE
    moment = day if isinstance(day, datetime) else datetime.combine(day, time())
    return moment.replace(tzinfo=None)


def literal(text: str) -> str:
    """Return text that a workbook can hold: characters that XML forbids as `[U+0001]`, and no more than 32,767.

    Examples
    --------
    >>> literal("a\\x01b")
    'a[U+0001]b'
    """
    shown = _CONTROL.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)
    return shown if len(shown) <= _TEXT_MAX else shown[: _TEXT_MAX - 1] + "…"


class _Book:
    """Writes the sheets of a document, one after the other."""

    def __init__(self, book: Any, document: Document, day: date | None) -> None:
        self.book, self.document, self.day = book, document, day
        self.names: set[str] = {"history"}  # the one name that Excel keeps for itself
        self.formats: dict[tuple[tuple[str, Any], ...], Any] = {}
        self.charts = 0

    def write(self) -> None:
        """Write the front sheet with its contents, and the sections."""
        front = self.sheet("Report")
        names = [self.name(section.title) for section in self.document.sections]
        front.set_column(0, 0, 60)
        front.hide_gridlines(2)
        self.text(front, 0, 0, self.document.title, bold=True, font_size=18)
        self.text(front, 1, 0, self.document.subtitle, font_color="#5a6473")
        if self.day is not None:
            front.write_datetime(2, 0, _naive(self.day), self.format(num_format="yyyy-mm-dd", align="left"))
        row = 4
        for section, name in zip(self.document.sections, names, strict=True):
            target = "internal:'{}'!A1".format(name.replace("'", "''"))
            front.write_url(row, 0, target, self.format(font_color="#2557c7"), literal(section.title) or name)
            row += 1
        self.text(front, row + 1, 0, self.document.footer, font_color="#5a6473", font_size=9)
        sheets = [self.book.add_worksheet(name) for name in names]  # before those of long tables and of charts
        for section, sheet in zip(self.document.sections, sheets, strict=True):
            _Sheet(self, sheet, section).write()

    def name(self, title: str) -> str:
        """Return a name for a sheet that Excel takes and that is not taken yet."""
        plain = re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", literal(title)).strip(" '") or "Sheet"
        name, number = plain[:_NAME_MAX].rstrip(" '") or "Sheet", 1
        while name.casefold() in self.names or len(name.encode("utf-16-le")) > 2 * _NAME_MAX:
            number += 1
            mark = f" {number}"
            name = plain[: _NAME_MAX - len(mark) - (len(plain.encode("utf-16-le")) // 2 - len(plain))].rstrip() + mark
        self.names.add(name.casefold())
        return name

    def sheet(self, title: str) -> Any:
        """Return a new sheet."""
        return self.book.add_worksheet(self.name(title))

    def format(self, **properties: Any) -> Any:
        """Return a format; the same properties give the same one."""
        key = tuple(sorted(properties.items()))
        if key not in self.formats:
            self.formats[key] = self.book.add_format(properties)
        return self.formats[key]

    def text(self, sheet: Any, row: int, column: int, text: str, **properties: Any) -> None:
        """Write text as it is; none leaves the cell blank."""
        if text:
            sheet.write_string(row, column, literal(text), self.format(**properties))
        elif "bg_color" in properties:
            sheet.write_blank(row, column, None, self.format(**properties))


class _Sheet:
    """Writes the blocks of one section below each other."""

    def __init__(self, book: _Book, sheet: Any, section: Section) -> None:
        self.book, self.sheet, self.section = book, sheet, section
        self.widths: dict[int, float] = {}
        self.row = 0

    def write(self) -> None:
        """Write the section, and how it is to be printed."""
        self.book.text(self.sheet, 0, 0, self.section.title, bold=True, font_size=14)
        self.row = 2
        blocks = list(self.section.blocks)
        if blocks and isinstance(blocks[0], Table) and 0 < len(blocks[0].rows) <= ROWS_OF_A_SECTION:
            self.sheet.freeze_panes(4, 1)
        for block in blocks:
            match block:
                case Table():
                    self.table(block)
                case KeyFigures():
                    self.key_figures(block)
                case Chart():
                    self.chart(block)
                case Text():
                    self.words(block.text, **({"font_name": "Courier New"} if block.code else {}))
                case Notice():
                    word = "Warning: " if block.level == "warning" else "Note: "
                    self.words(word + block.text, bg_color="#fff6e5" if block.level == "warning" else "#f1f4fb")
            self.row += 1
        self.finish(self.sheet)

    def finish(self, sheet: Any) -> None:
        """Set the widths and the print-out of a sheet."""
        for column, width in self.widths.items():
            sheet.set_column(column, column, width)
        self.print_set_up(sheet)

    def print_set_up(self, sheet: Any) -> None:
        """Landscape, as wide as one page, with a footer."""
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        title = literal(self.book.document.title).replace("\n", " ").replace("&", "&&")[:120]
        sheet.set_footer(f"&L{title}&R&P / &N")

    def words(self, text: str, **properties: Any) -> None:
        """Write a paragraph over several columns, and leave as much height as it needs."""
        style = {"text_wrap": True, "valign": "top"} | properties
        self.sheet.merge_range(self.row, 0, self.row, _WIDTH - 1, "", self.book.format(**style))
        self.book.text(self.sheet, self.row, 0, text, **style)
        lines = sum(1 + len(line) // 110 for line in text.split("\n"))
        self.sheet.set_row(self.row, min(15.0 * lines + 1.0, 400.0))
        self.row += 1

    def key_figures(self, block: KeyFigures) -> None:
        """Write key figures as rows of a label, a value and a note."""
        tones = {"good": "#0a7d5a", "bad": "#c0392f", "neutral": "#171c26"}
        for item in block.items:
            self.book.text(self.sheet, self.row, 0, item.label)
            cell = Cell(item.value, value=item.number, kind=item.kind)
            self.cell(self.sheet, self.row, 1, cell, bold=True, font_color=tones[item.tone], align="right")
            self.book.text(self.sheet, self.row, 2, item.note, font_color="#5a6473")
            self.widen(0, item.label)
            self.widen(1, item.value)
            self.row += 1

    def chart(self, block: Chart) -> None:
        """Write a chart with its title above and its remark below."""
        self.book.text(self.sheet, self.row, 0, block.title, bold=True)
        self.row += 1
        self.book.charts += 1
        data = self.book.sheet(f"Data {self.book.charts}")
        taken, remark = draw_chart(self.book, self.sheet, self.row, block, data)
        self.print_set_up(data)
        self.row += taken
        for text in (remark, block.caption):
            if text:
                self.words(text, font_color="#5a6473", italic=True)

    def table(self, block: Table) -> None:
        """Write a table here, or, where it is long, on a sheet of its own."""
        if len(block.rows) <= ROWS_OF_A_SECTION:
            self.book.text(self.sheet, self.row, 0, block.caption, bold=True)
            self.rows(self.sheet, self.row + 1, block)
            self.row += len(block.rows) + 2
            return
        name = self.book.name(block.caption)
        own = self.book.book.add_worksheet(name)
        target = "internal:'{}'!A1".format(name.replace("'", "''"))
        link = self.book.format(font_color="#2557c7")
        self.sheet.write_url(self.row, 0, target, link, literal(block.caption) or name)
        self.row += 1
        here, self.widths = self.widths, {}
        self.book.text(own, 0, 0, block.caption, bold=True, font_size=14)
        self.rows(own, 2, block)
        own.freeze_panes(3, 1)
        own.autofilter(2, 0, 2 + len(block.rows), len(block.columns) - 1)
        own.repeat_rows(2)
        self.finish(own)
        self.widths = here

    def rows(self, sheet: Any, top: int, block: Table) -> None:
        """Write the head of a table and its rows, the head at row `top`."""
        columns = [column if isinstance(column, Column) else Column(column) for column in block.columns]
        formulas = _Formulas(columns, top + 1, len(block.rows))
        for place, column in enumerate(columns):
            side = "right" if column.align == "right" else "left"
            head = {
                "bold": True,
                "bottom": 1,
                "font_color": "#5a6473",
                "align": side,
                "text_wrap": True,
                "valign": "top",
            }
            self.book.text(sheet, top, place, column.label, **head)
            self.widen(place, column.label)
        for number, row in enumerate(block.rows):
            for place, (value, column) in enumerate(zip(row, columns, strict=True)):
                cell = value if isinstance(value, Cell) else Cell(value)
                formula = formulas.of(cell.formula or column.formula, number)
                style: dict[str, Any] = {"align": "right"} if column.align == "right" else {}
                if column.align == "text":
                    style |= {"text_wrap": True, "valign": "top"}
                if block.has_total and number == len(block.rows) - 1:
                    style |= {"bold": True, "top": 1}
                if column.even and cell.kind == "number":
                    style["num_format"] = _decimals(cell.text)
                self.cell(sheet, top + 1 + number, place, cell, formula=formula, **style)
                self.widen(place, cell.text)

    def widen(self, column: int, text: str) -> None:
        """Make a column wide enough for a text, within reason."""
        longest = max((len(line) for line in text.split("\n")), default=0)
        self.widths[column] = min(max(self.widths.get(column, 8.5), 1.1 * longest + 1.5), _COLUMN_MAX)

    def cell(self, sheet: Any, row: int, column: int, cell: Cell, *, formula: str = "", **style: Any) -> None:
        """Write a cell: a formula, a number, a moment, or text."""
        ground = ground_of(None if cell.heat is None else round(20.0 * cell.heat) / 20.0)
        if ground is not None:
            style["bg_color"] = ground
        number, moment = _number(cell), _moment(cell)
        if number is not None:
            shown = self.book.format(**{"num_format": _FORMATS.get(cell.kind or "number", "General"), **style})
            if formula.startswith("{"):
                sheet.write_array_formula(row, column, row, column, formula, shown, number)
            elif formula:
                sheet.write_formula(row, column, formula, shown, number)
            else:
                sheet.write_number(row, column, number, shown)
        elif moment is not None:
            sheet.write_datetime(row, column, moment[0], self.book.format(num_format=moment[1], **style))
        else:
            self.book.text(sheet, row, column, cell.text, **style)
        if cell.note:
            sheet.write_comment(row, column, literal(cell.note), {"author": "algotrendy"})


def _decimals(text: str) -> str:
    """Return the format of a number with as many decimals as a text has."""
    digits = len(text.partition(".")[2])
    return "#,##0" + ("." + "0" * digits if digits else "")


def _number(cell: Cell) -> float | None:
    """Return the number of a cell that a spreadsheet can hold."""
    value = cell.value
    if cell.kind in (None, "moment") or value is None or isinstance(value, bool):
        return None
    if not isinstance(value, (Real, Decimal)) or is_missing(value):
        return None
    found = float(value)
    return found if math.isfinite(found) else None


def _moment(cell: Cell) -> tuple[datetime, str] | None:
    """Return the wall time of a cell and its format, which names the zone; Excel has no days before 1900-03."""
    value = cell.value
    if cell.kind != "moment" or not isinstance(value, date) or is_missing(value) or value.year <= 1900:
        return None
    if not isinstance(value, datetime):
        return datetime.combine(value, time()), "yyyy-mm-dd"
    wall = datetime(value.year, value.month, value.day, value.hour, value.minute, value.second)
    if wall.time() == time():
        return wall, "yyyy-mm-dd"
    zone = (value.strftime("%Z") or "").replace('"', "")
    return wall, "yyyy-mm-dd hh:mm" + (":ss" if wall.second else "") + (f' "{zone}"' if zone else "")


class _Formulas:
    """Turns formulas that name columns into those of a sheet."""

    def __init__(self, columns: Sequence[Column], top: int, count: int) -> None:
        self.columns, self.top, self.count = columns, top, count

    def of(self, formula: str, row: int) -> str:
        """Return the formula of a row, "" where there is none or it would look above the first row.

        Raises
        ------
        InputError
            If it names a column that is not there, or is there twice.
        """
        if not formula:
            return ""
        inside, outside = formula.strip("{}"), formula.startswith("{")
        places = []
        for label, where in _REFERENCE.findall(inside):
            line = {"first": 0, "last": self.count - 1, "": row}.get(where)
            places.append((self._column(label, formula), row + int(where) if line is None else line))
        if any(line < 0 for _, line in places):
            return ""
        from xlsxwriter.utility import xl_rowcol_to_cell

        names = iter(xl_rowcol_to_cell(self.top + line, column) for column, line in places)
        text = "=" + _REFERENCE.sub(lambda _: next(names), inside)
        return "{" + text + "}" if outside else text

    def _column(self, label: str, formula: str) -> int:
        if re.fullmatch(r"#\d+", label):
            return min(int(label[1:]), len(self.columns) - 1)
        found = [place for place, column in enumerate(self.columns) if column.label == label]
        if len(found) != 1:
            raise InputError(
                f"the formula {formula!r} names the column {label!r}, which is there {len(found)} times; name one that "
                "is there once"
            )
        return found[0]
