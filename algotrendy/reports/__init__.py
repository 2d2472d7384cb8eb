"""Documents of sections, text, figures, tables and charts, and their rendering: interactive HTML, PDF for print, Excel.

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
from algotrendy.reports.excel import render_excel
from algotrendy.reports.html import render_html
from algotrendy.reports.pdf import render_pages, render_pdf
from algotrendy.reports.performance_report import PerformanceReport, ReportType
from algotrendy.reports.write import format_of, render, write_document

__all__ = [
    "Block",
    "Cell",
    "Chart",
    "Column",
    "Document",
    "KeyFigure",
    "KeyFigures",
    "Notice",
    "PerformanceReport",
    "ReportType",
    "Section",
    "Switch",
    "Table",
    "Text",
    "format_of",
    "render",
    "render_excel",
    "render_html",
    "render_pages",
    "render_pdf",
    "write_document",
]
