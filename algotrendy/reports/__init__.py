"""Documents of sections, text, figures, tables and charts, and their rendering to one self-contained HTML file.

This room knows no strategy and no backtest: a model composes its own `Document`, and this room only renders it.
"""

from __future__ import annotations

from algotrendy.reports.document import (
    Block,
    Cell,
    Chart,
    Column,
    Document,
    KeyFigure,
    KeyFigures,
    Notice,
    Section,
    Switch,
    Table,
    Text,
)
from algotrendy.reports.html import render_html

__all__ = [
    "Block",
    "Cell",
    "Chart",
    "Column",
    "Document",
    "KeyFigure",
    "KeyFigures",
    "Notice",
    "Section",
    "Switch",
    "Table",
    "Text",
    "render_html",
]
