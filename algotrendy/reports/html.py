"""A document as one HTML file that needs nothing else: styles, scripts and data are inside it.

The page forbids itself to load anything (Content-Security-Policy), so it reads the same with the network off. The same
document gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from algotrendy.reports.document import (
    Block,
    Cell,
    Chart,
    Column,
    Document,
    KeyFigures,
    Notice,
    Section,
    Table,
    Text,
)
from algotrendy.reports.figure_json import figure_json
from algotrendy.reports.palette import dark_swaps

_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


def render_html(document: Document) -> str:
    """Return a document as one self-contained HTML page.

    Parameters
    ----------
    document : Document
        Its text is escaped; its charts are drawn by the plotly.js that comes with the installed plotly.

    Returns
    -------
    str
        The page. About 5 MB as soon as there is a chart, of which plotly.js is 4.8 MB; it stands in the page once.

    Examples
    --------
    >>> page = render_html(Document("Hello", sections=[Section("Part", [Text("1 < 2")])]))
    >>> "1 &lt; 2" in page
    True
    """
    sections = [(f"s{number}", section) for number, section in enumerate(document.sections, start=1)]
    has_charts = any(isinstance(block, Chart) for _, section in sections for block in section.blocks)
    body = "\n".join(_section(name, section) for name, section in sections)
    return _PAGE.format(
        policy=escape(_POLICY),
        title=escape(document.title),
        subtitle=f"<p class='subtitle'>{escape(document.subtitle)}</p>" if document.subtitle else "",
        style=_asset("report.css"),
        contents=_contents(sections),
        body=body,
        footer=f"<footer><p>{escape(document.footer)}</p></footer>" if document.footer else "",
        scripts=_scripts() if has_charts else "",
    )


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<h1>{title}</h1>
{subtitle}
</header>
<div class="frame">
{contents}
<main id="content">
{body}
{footer}
</main>
</div>
{scripts}
</body>
</html>
"""


def _asset(name: str) -> str:
    return files("algotrendy.reports").joinpath("assets", name).read_text(encoding="utf-8")


def _scripts() -> str:
    """Return plotly.js, the colours for dark pages, and the few lines that draw the charts."""
    from plotly.offline import get_plotlyjs

    swaps = json.dumps(dark_swaps(), separators=(",", ":"))
    return (
        f"<script>{get_plotlyjs()}</script>\n"
        f'<script type="application/json" id="dark-swaps">{swaps}</script>\n'
        f"<script>\n{_asset('report.js')}</script>"
    )


def _contents(sections: Sequence[tuple[str, Section]]) -> str:
    if len(sections) < 2:
        return ""
    items = "".join(f'<li><a href="#{name}">{escape(section.title)}</a></li>' for name, section in sections)
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>'


def _section(name: str, section: Section) -> str:
    blocks = "\n".join(_block(f"{name}-{number}", block) for number, block in enumerate(section.blocks, start=1))
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">\n'
        f'<h2 id="{name}-title">{escape(section.title)}</h2>\n{blocks}\n</section>'
    )


def _block(name: str, block: Block) -> str:
    return _RENDERERS[type(block)](name, block)


def _text(_: str, block: Text) -> str:
    if block.code:
        return f'<pre tabindex="0"><code>{escape(block.text)}</code></pre>'
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", block.text) if part.strip()]
    return "\n".join(f"<p>{_words(part)}</p>" for part in paragraphs)


def _words(text: str) -> str:
    """Return escaped text in which a number and its percent sign stay on one line."""
    return escape(text).replace(" %", "&nbsp;%")


def _key_figures(_: str, block: KeyFigures) -> str:
    items = "\n".join(
        f'<div class="{item.tone}"><dt>{escape(item.label)}</dt><dd>{_words(item.value)}'
        f"<small>{_words(item.note)}</small></dd></div>"
        for item in block.items
    )
    return f'<dl class="figures">\n{items}\n</dl>'


def _notice(_: str, block: Notice) -> str:
    word = "Warning" if block.level == "warning" else "Note"
    return f'<div class="notice {block.level}" role="note"><strong>{word}</strong> <p>{_words(block.text)}</p></div>'


def _table(_: str, block: Table) -> str:
    columns = [column if isinstance(column, Column) else Column(column) for column in block.columns]
    head = "".join(f'<th scope="col"{_aligned(column)}>{escape(column.label)}</th>' for column in columns)
    kinds = [""] * len(block.rows)
    if block.has_total and kinds:
        kinds[-1] = ' class="total"'
    lines = zip(kinds, block.rows, strict=True)
    rows = "\n".join(f"<tr{kind}>{''.join(_cells(row, columns))}</tr>" for kind, row in lines)
    tall = " tall" if block.tall else ""
    pairs = ' class="pairs"' if len(columns) == 2 else ""
    return (
        f'<div class="scroll{tall}" tabindex="0" role="region" aria-label="{escape(block.caption)}"><table{pairs}>\n'
        f"<caption>{escape(block.caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _aligned(column: Column) -> str:
    return {"left": "", "right": ' class="number"', "text": ' class="text"'}[column.align]


def _cells(row: Sequence[Cell | str], columns: Sequence[Column]) -> Iterator[str]:
    for place, (value, column) in enumerate(zip(row, columns, strict=True)):
        cell = value if isinstance(value, Cell) else Cell(value)
        marks = _aligned(column)
        if cell.heat:
            kind = "gain" if cell.heat > 0 else "loss"
            marks = f' class="number heat {kind}" style="--heat:{abs(cell.heat):.3f}"'
        if cell.note:
            marks += f' title="{escape(cell.note)}"'
        tag = 'th scope="row"' if place == 0 else "td"
        text = f"<code>{escape(cell.text)}</code>" if cell.code else _words(cell.text)
        yield f"<{tag}{marks}>{text}</{tag[:2]}>"


def _chart(name: str, block: Chart) -> str:
    caption = f"<p class='remark'>{_words(block.caption)}</p>" if block.caption else ""
    return (
        f'<figure class="chart" aria-labelledby="{name}-title">\n'
        f'<figcaption><h3 id="{name}-title">{escape(block.title)}</h3>{_switches(name, block)}</figcaption>\n'
        f'<div class="canvas" id="{name}" role="img" aria-label="{escape(block.description)}" '
        f'style="height:{int(block.height)}px"></div>\n'
        f"<noscript><p>{escape(block.description)} (The drawing needs JavaScript.)</p></noscript>\n{caption}\n"
        f'<script type="application/json" id="{name}-figure">{figure_json(block.figure)}</script>\n</figure>'
    )


def _switches(name: str, block: Chart) -> str:
    groups = []
    for switch in block.switches:
        buttons = "".join(
            f'<button type="button" data-chart="{name}" aria-pressed="{"false" if place else "true"}" '
            f'data-layout="{escape(json.dumps(dict(changes), sort_keys=True))}">{escape(label)}</button>'
            for place, (label, changes) in enumerate(switch.options)
        )
        groups.append(f'<div class="switch" role="group" aria-label="{escape(switch.label)}">{buttons}</div>')
    return "".join(groups)


_RENDERERS: dict[type, Callable[[str, Any], str]] = {
    Text: _text,
    KeyFigures: _key_figures,
    Table: _table,
    Chart: _chart,
    Notice: _notice,
}
