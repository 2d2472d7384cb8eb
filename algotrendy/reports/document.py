"""What a document is made of: sections that hold blocks. Data only; `render_html` draws it.

All text is plain text: whoever writes `<b>` in a title reads `<b>` in the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from algotrendy.errors import InputError

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
    """One number that a reader should see first: its label, its value as text, and a short note under it."""

    label: str
    value: str
    note: str = ""
    tone: Tone = "neutral"


@dataclass(frozen=True)
class KeyFigures:
    """A row of key figures."""

    items: Sequence[KeyFigure]


@dataclass(frozen=True)
class Cell:
    """One cell of a table that is more than text.

    `heat` in [-1, 1] colours the ground: 1 the strongest gain, -1 the strongest loss, None or 0 no colour. `note` is a
    tooltip; `code` sets the text in the type of a program.
    """

    text: str
    heat: float | None = None
    note: str = ""
    code: bool = False

    def __post_init__(self) -> None:
        if self.heat is not None and not -1.0 <= self.heat <= 1.0:
            raise InputError(f"the heat of a cell lies in [-1, 1], found {self.heat!r}; scale it first")


@dataclass(frozen=True)
class Column:
    """The head of one column of a table: `right` for numbers, `text` for sentences, which may take several lines."""

    label: str
    align: Align = "left"


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

    Raises
    ------
    InputError
        If a row has more or fewer cells than there are columns.
    """

    columns: Sequence[Column | str]
    rows: Sequence[Sequence[Cell | str]]
    caption: str
    tall: bool = False

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise InputError(
                    f"row {number} of the table {self.caption!r} has {len(row)} cells, expected {len(self.columns)}: "
                    "give one cell per column"
                )


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
