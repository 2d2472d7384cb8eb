"""What a document is made of: sections that hold blocks. Data only; `render_html` and its siblings draw it.

All text is plain text: whoever writes `<b>` in a title reads `<b>` in the page, in print and in the spreadsheet.
Text inside of a Plotly figure follows Plotly's own rules, where `<b>` is bold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from algotrendy.errors import InputError
from algotrendy.reports.wording import Kind, written

Align: TypeAlias = Literal["left", "right", "text"]
Level: TypeAlias = Literal["info", "warning"]
Tone: TypeAlias = Literal["neutral", "good", "bad"]


@dataclass(frozen=True)
class Text:
    """Plain paragraphs, parted by blank lines; with `code`, one block whose spaces and lines are kept."""

    text: str
    code: bool = False


@dataclass(frozen=True)
class KeyFigure:
    """One number that a reader should see first: its label, its value as text, and a short note under it.

    `number` and `kind` are the value behind the text, for formats that know numbers; `KeyFigure.of` sets all three.
    """

    label: str
    value: str
    note: str = ""
    tone: Tone = "neutral"
    number: Any = None
    kind: Kind | None = None

    @classmethod
    def of(cls, label: str, number: Any, kind: Kind, note: str = "", tone: Tone = "neutral") -> KeyFigure:
        """Return the figure of a number, written as its kind is.

        Examples
        --------
        >>> KeyFigure.of("Total return", 0.123, "change").value
        '+12.3 %'
        """
        return cls(label, written(number, kind), note, tone, number=number, kind=kind)


@dataclass(frozen=True)
class KeyFigures:
    """A row of key figures."""

    items: Sequence[KeyFigure]


@dataclass(frozen=True)
class Cell:
    """One cell of a table that is more than text.

    `heat` in [-1, 1] colours the ground: 1 the strongest gain, -1 the strongest loss, None or 0 no colour. `note` is a
    tooltip; `code` sets the text in the type of a program.

    `value` and `kind` are the number or the moment behind the text, for formats that know such (`Cell.of` sets all
    three). `formula` is how a spreadsheet derives the value from other cells of the table, as `Column.formula`; the
    value is what it gives.
    """

    text: str
    heat: float | None = None
    note: str = ""
    code: bool = False
    value: Any = None
    kind: Kind | None = None
    formula: str = ""

    @classmethod
    def of(cls, value: Any, kind: Kind, *, heat: float | None = None, note: str = "", formula: str = "") -> Cell:
        """Return the cell of a value, written as its kind is.

        Examples
        --------
        >>> Cell.of(0.123, "share").text, Cell.of(float("nan"), "money").text
        ('12.3 %', 'n/a')
        """
        return cls(written(value, kind), heat, note, value=value, kind=kind, formula=formula)

    def __post_init__(self) -> None:
        if self.heat is not None and not -1.0 <= self.heat <= 1.0:
            raise InputError(f"the heat of a cell lies in [-1, 1], found {self.heat!r}; scale it first")


@dataclass(frozen=True)
class Column:
    """The head of one column of a table: `right` for numbers, `text` for sentences, which may take several lines.

    `formula` is how a spreadsheet derives the cells of the column that have a value: `[Label]` is the cell of the same
    row in the column of that label, `[#2]` the one in the third column, `[Label:-1]` the one a row above,
    `[Label:first]` and `[Label:last]` those of the first and the last row. In braces it computes with whole ranges:
    `{PRODUCT(1+[Jan]:[Dec])-1}`. A cell whose formula would look above the first row keeps its number.

    `even` writes the numbers of the column with the same count of decimals, so that points stand below each other; not
    where one has more than eight, or a power of ten. No digit is lost by it.
    """

    label: str
    align: Align = "left"
    formula: str = ""
    even: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns; the first cell of a row is its header. Two columns: names and their values.

    Parameters
    ----------
    columns : sequence of Column or str
        A plain text is a column aligned left.
    rows : sequence of rows
        Each row has one cell (text or `Cell`) per column.
    caption : str
        What the table shows, in words; read first by a screen reader.
    tall : bool
        Whether the table may be long: it then scrolls in a box of its own.
    has_total : bool
        Whether the last row is a sum; it is set apart from the others.

    Raises
    ------
    InputError
        If a row has more or fewer cells than there are columns.
    """

    columns: Sequence[Column | str]
    rows: Sequence[Sequence[Cell | str]]
    caption: str
    tall: bool = False
    has_total: bool = False

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise InputError(
                    f"row {number} of the table {self.caption!r} has {len(row)} cells, expected {len(self.columns)}: "
                    "give one cell per column"
                )
        even = [place for place, column in enumerate(self.columns) if isinstance(column, Column) and column.even]
        if even:
            rows = [list(row) for row in self.rows]
            for place in even:
                for row, cell in zip(rows, _evened([row[place] for row in rows]), strict=True):
                    row[place] = cell
            object.__setattr__(self, "rows", rows)


_DECIMALS_MAX = 8
"""With more decimals each number keeps its own, so that no digit is lost and none is made up."""


def _evened(cells: Sequence[Cell | str]) -> list[Cell | str]:
    """Return the cells of a column, its numbers with as many decimals as the one that has most."""
    texts = [cell.text for cell in cells if isinstance(cell, Cell) and _is_decimal(cell)]
    if not texts or any("e" in text for text in texts):  # one is so small or large that it has a power of ten
        return list(cells)
    width = max(len(text.partition(".")[2]) for text in texts)
    if width > _DECIMALS_MAX:
        return list(cells)
    return [
        replace(cell, text=f"{cell.value:,.{width}f}") if isinstance(cell, Cell) and _is_decimal(cell) else cell
        for cell in cells
    ]


def _is_decimal(cell: Cell) -> bool:
    return cell.kind == "number" and not isinstance(cell.value, str) and cell.text[-1:].isdigit()


@dataclass(frozen=True)
class Switch:
    """A choice above a chart: each option is a label and the changes it makes to the chart's layout.

    The first option is how the chart starts.
    """

    label: str
    options: Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Chart:
    """An interactive chart.

    Parameters
    ----------
    figure : mapping or plotly Figure
        `data` and `layout` as Plotly understands them. The page sets fonts, ground and grid for light and dark.
    title : str
        Shown above the chart.
    description : str
        What the chart shows, in words, for those who cannot see it.
    caption : str
        A remark under the chart.
    height : int
        In pixels.
    switches : sequence of Switch
        Choices above the chart.
    """

    figure: Any
    title: str
    description: str
    caption: str = ""
    height: int = 420
    switches: Sequence[Switch] = ()


@dataclass(frozen=True)
class Notice:
    """A remark that must not be overlooked."""

    text: str
    level: Level = "warning"


Block: TypeAlias = Text | KeyFigures | Table | Chart | Notice


@dataclass(frozen=True)
class Section:
    """A titled part of a document."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A whole document: title, a line under it, sections, and a line at the foot."""

    title: str
    subtitle: str = ""
    sections: Sequence[Section] = field(default_factory=tuple)
    footer: str = ""
