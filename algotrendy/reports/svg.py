"""A Plotly figure as an SVG picture for print: the same curves, bars, bands and colours, without a browser.

Points are the unit: a picture as wide as the text has letters of the size that is written here. The same figure gives
the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from algotrendy.reports.figure import Axis, Mark, Picture, domain_of, plain_text, read_figure
from algotrendy.reports.glyphs import printable
from algotrendy.reports.palette import GRID, INK, MUTED
from algotrendy.reports.svg_marks import Frame, draw_mark, draw_symbol, number, paint, stroke, tied_fill
from algotrendy.reports.ticks import Tick, date_ticks, linear_ticks, log_ticks, name_ticks

__all__ = ["figure_svg"]

FONT = "Libertinus Serif, DejaVu Sans Mono"
SIZE = 7.5
"""Size of letters, in points."""

_ADVANCE = 0.5
"""Mean width of a letter as a share of its size: enough to keep labels apart without measuring them."""

_SWATCH, _GAP, _LINE = 12.0, 4.0, 11.0


def figure_svg(figure: Any, *, width: float = 490.0, height: float = 210.0) -> str:
    """Return a figure as SVG text.

    Parameters
    ----------
    figure : mapping or plotly Figure
        With `data` and `layout`: curves, areas, bands, points, bars, histograms, heat maps, candles and waterfalls, in
        several panels by the domains of their axes; linear, logarithmic, date and category axes.
    width, height : float
        In points.

    Raises
    ------
    NotDrawable
        If the figure holds another kind of trace; the message names it.
    InputError
        If it is no figure.

    Examples
    --------
    >>> figure_svg({"data": [{"y": [1.0, 3.0, 2.0]}], "layout": {}}).startswith("<svg")
    True
    """
    picture = read_figure(figure)
    sheet = _sheet(picture, width, height)
    frames = [_frame(picture, sheet, pair) for pair in picture.panels]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
        f'width="{number(width)}pt" height="{number(height)}pt" font-family="{FONT}" font-size="{SIZE}">'
    ]
    for place, frame in enumerate(frames):
        box = f'x="{number(frame.left)}" y="{number(frame.top)}"'
        size = f'width="{number(frame.width)}" height="{number(frame.height)}"'
        parts.append(f'<clipPath id="p{place}"><rect {box} {size}/></clipPath>')
    parts += _legend(sheet)
    for place, frame in enumerate(frames):
        parts += _grid(frame, sheet)
        marks = [mark for mark in picture.marks if (mark.x_axis, mark.y_axis) == (frame.x.name, frame.y.name)]
        parts.append(f'<g clip-path="url(#p{place})">')
        parts += _shapes(picture, frame, frames, below=True)
        before: Mark | None = None
        for mark in marks:
            parts += tied_fill(frame, mark, before)
            before = mark
        for mark in marks:
            parts += draw_mark(frame, mark)
        parts += [*_shapes(picture, frame, frames, below=False), "</g>"]
        if not any(np.isfinite(mark.y).any() or mark.parts for mark in marks):
            parts.append(_text("no data", frame.left + frame.width / 2, frame.top + frame.height / 2, "middle", MUTED))
        parts += _labels(frame, sheet)
    parts += _annotations(picture, frames, sheet)
    parts += _color_bar(picture, sheet)
    return "\n".join([*parts, "</svg>"])


@dataclass
class _Sheet:
    """The room of a picture: what is left for panels between labels and legend."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    rows: list[list[tuple[Mark, float]]]
    title: str


def _sheet(picture: Picture, width: float, height: float) -> _Sheet:
    entries = [mark for mark in picture.marks if _is_listed(mark, picture)]
    rows = _legend_rows(entries, picture.layout, width)
    title = (picture.layout.get("title") or {}) if isinstance(picture.layout.get("title"), dict) else {}
    name = plain_text(title.get("text") or "")
    top = 6.0 + _LINE * len(rows) + (_LINE if name else 0.0) + _room_above(picture)
    heights = max(40.0, height - top - 20.0)
    widest = 0.0
    for axis in picture.axes.values():
        if not axis.is_horizontal:
            ticks = _ticks(axis, heights * (domain_of(axis)[1] - domain_of(axis)[0]))
            widest = max(widest, *(_ADVANCE * SIZE * len(text) for _, text in ticks), 8.0)
    titled = any(axis.title for axis in picture.axes.values() if not axis.is_horizontal)
    left = min(widest + 6.0 + (11.0 if titled else 0.0), 0.35 * width)
    below = 15.0 + (10.0 if any(axis.is_horizontal and axis.title for axis in picture.axes.values()) else 0.0)
    right = 12.0 if not any(mark.kind == "heatmap" for mark in picture.marks) else 52.0
    return _Sheet(width, height, left, width - right, top, height - below, rows, name)


def _room_above(picture: Picture) -> float:
    """Return the room that labels above the panels need."""
    notes = picture.layout.get("annotations") or ()
    above = any(note.get("yanchor") == "bottom" and note.get("y") == 1.0 for note in notes)
    return 9.0 if above or any(mark.kind == "heatmap" for mark in picture.marks) else 0.0


def _frame(picture: Picture, sheet: _Sheet, pair: tuple[Axis, Axis]) -> Frame:
    (x_low, x_high), (y_low, y_high) = domain_of(pair[0]), domain_of(pair[1])
    wide, tall = sheet.right - sheet.left, sheet.bottom - sheet.top
    inset = 6.0 if len(picture.panels) > 1 and y_low > 0.0 and _own_ticks(picture, pair) else 0.0
    return Frame(
        x=pair[0],
        y=pair[1],
        left=sheet.left + x_low * wide,
        top=sheet.bottom - y_high * tall,
        width=(x_high - x_low) * wide,
        height=max((y_high - y_low) * tall - inset, 4.0),
        has_ticks_below=_own_ticks(picture, pair),
    )


def _own_ticks(picture: Picture, pair: tuple[Axis, Axis]) -> bool:
    """Return whether the horizontal ticks stand below this panel: the lowest of those that share the axis."""
    lowest = min(domain_of(y)[0] for x, y in picture.panels if x is pair[0])
    return domain_of(pair[1])[0] == lowest


# --- legend ---


def _is_listed(mark: Mark, picture: Picture) -> bool:
    wanted = picture.layout.get("showlegend")
    if wanted is False or mark.trace.get("showlegend") is False or not mark.name or mark.kind == "heatmap":
        return False
    return wanted is True or sum(bool(one.name) for one in picture.marks) > 1


def _legend_rows(entries: Sequence[Mark], layout: Any, width: float) -> list[list[tuple[Mark, float]]]:
    ordered = list(reversed(entries)) if (layout.get("legend") or {}).get("traceorder") == "reversed" else list(entries)
    rows: list[list[tuple[Mark, float]]] = []
    at = math.inf
    for mark in ordered:
        needed = _SWATCH + _GAP + _ADVANCE * SIZE * len(mark.name) + 12.0
        if at + needed > width:
            rows.append([])
            at = 2.0
        rows[-1].append((mark, at))
        at += needed
    return rows


def _legend(sheet: _Sheet) -> list[str]:
    parts, y = [], 8.0
    if sheet.title:
        parts.append(_text(sheet.title, 2.0, y, "start", INK, weight=True))
        y += _LINE
    for row in sheet.rows:
        for mark, x in row:
            parts += [_swatch(mark, x, y - 2.6), _text(mark.name, x + _SWATCH + _GAP, y, "start", INK)]
        y += _LINE
    return parts


def _swatch(mark: Mark, x: float, y: float) -> str:
    mode = str(mark.trace.get("mode") or "lines")
    fill = mark.trace.get("fillcolor") if mark.trace.get("fill") else None
    if mark.kind != "scatter" or fill:
        color, opacity = paint(fill or mark.color)
        return (
            f'<rect x="{number(x)}" y="{number(y - 3)}" width="{number(_SWATCH)}" height="6" '
            f'fill="{color}" fill-opacity="{number(max(opacity, 0.2))}"/>'
        )
    if "lines" in mode:
        line = mark.trace.get("line") or {}
        return f'<path d="M{number(x)} {number(y)}h{number(_SWATCH)}" {stroke(mark.color, line, least=1.1)}/>'
    return "".join(draw_symbol(mark, [(x + _SWATCH / 2, y)], 2.4))


# --- axes ---


def _ticks(axis: Axis, length: float) -> list[Tick]:
    """Return the ticks of an axis that is so many points long."""
    given = axis.layout.get("tickvals")
    if given is not None:
        texts = axis.layout.get("ticktext")
        texts = [str(value) for value in given] if texts is None else [plain_text(text) for text in texts]
        return list(zip(axis.places(given).tolist(), texts, strict=False))
    form = str(axis.layout.get("tickformat") or "")
    n = max(2, int(length / (58.0 if axis.is_horizontal else 24.0)))
    n = min(n, int(axis.layout.get("nticks") or 9))
    if axis.kind == "category":
        return name_ticks(axis.names, max(2, int(length / _name_pitch(axis))))
    if axis.kind == "date":
        return date_ticks(axis.low, axis.high, n)
    return (log_ticks if axis.kind == "log" else linear_ticks)(axis.low, axis.high, n, form)


def _name_pitch(axis: Axis) -> float:
    longest = max((len(name) for name in axis.names), default=1)
    return (_ADVANCE * SIZE * longest + 6.0) if axis.is_horizontal else 9.0


def _grid(frame: Frame, sheet: _Sheet) -> list[str]:
    parts = []
    if frame.y.layout.get("showgrid", True):
        heights = frame.down(np.array([value for value, _ in _ticks(frame.y, frame.height)], dtype=np.float64))
        lines = "".join(f"M{number(frame.left)} {number(y)}h{number(frame.width)}" for y in heights if frame.covers(y))
        parts.append(f'<path d="{lines}" stroke="{GRID}" stroke-width="0.5"/>' if lines else "")
    if frame.x.layout.get("showgrid", True) and frame.x.kind != "category":
        places = frame.across(np.array([value for value, _ in _ticks(frame.x, frame.width)], dtype=np.float64))
        lines = "".join(f"M{number(x)} {number(frame.top)}v{number(frame.height)}" for x in places)
        parts.append(f'<path d="{lines}" stroke="{GRID}" stroke-width="0.5"/>' if lines else "")
    if frame.y.layout.get("zeroline") and frame.y.low < 0.0 < frame.y.high and frame.y.kind == "linear":
        color, _ = paint(str(frame.y.layout.get("zerolinecolor") or MUTED))
        y = float(frame.down(np.zeros(1))[0])
        parts.append(
            f'<path d="M{number(frame.left)} {number(y)}h{number(frame.width)}" stroke="{color}" stroke-width="0.7"/>'
        )
    return [part for part in parts if part]


def _labels(frame: Frame, sheet: _Sheet) -> list[str]:
    parts = []
    for value, text in _ticks(frame.y, frame.height):
        y = float(frame.down(np.array([value]))[0])
        if frame.covers(y):
            parts.append(_text(text, frame.left - 4.0, y + 2.5, "end", INK))
    if frame.y.title:
        middle = frame.top + frame.height / 2
        turned = f'transform="rotate(-90 {number(7.0)} {number(middle)})"'
        shown = _fitting(frame.y.title, frame.height + 10.0)
        parts.append(_text(shown, 7.0, middle, "middle", INK, more=turned))
    if frame.has_ticks_below:
        foot = frame.top + frame.height
        way = f"M{number(frame.left)} {number(foot)}h{number(frame.width)}"
        parts.append(f'<path d="{way}" stroke="{MUTED}" stroke-width="0.6"/>')
        for value, text in _ticks(frame.x, frame.width):
            x = float(frame.across(np.array([value]))[0])
            if frame.left - 0.5 <= x <= frame.left + frame.width + 0.5:
                parts.append(f'<path d="M{number(x)} {number(foot)}v2.5" stroke="{MUTED}" stroke-width="0.6"/>')
                parts.append(
                    _text(text, min(max(x, _half(text)), sheet.width - _half(text)), foot + 10.0, "middle", INK)
                )
        if frame.x.title:
            parts.append(_text(frame.x.title, frame.left + frame.width / 2, foot + 20.0, "middle", INK))
    return parts


def _half(text: str) -> float:
    return _ADVANCE * SIZE * len(text) / 2.0


def _fitting(text: str, room: float) -> str:
    """Return text that is cut where it would be longer than its axis."""
    most = max(4, int(room / (_ADVANCE * SIZE)))
    return text if len(text) <= most else text[: most - 1] + "…"


# --- shapes and notes ---


def _shapes(picture: Picture, frame: Frame, frames: Sequence[Frame], *, below: bool) -> list[str]:
    """Return the lines and rectangles of the layout that cross this panel."""
    parts = []
    for shape in picture.layout.get("shapes") or ():
        x_name, y_name = str(shape.get("xref") or "x"), str(shape.get("yref") or "y")
        own_x = x_name == frame.x.name or x_name.partition(" ")[0] in (frame.x.name, "paper")
        own_y = y_name == frame.y.name or y_name.partition(" ")[0] in (frame.y.name, "paper")
        if not (own_x and own_y) or (shape.get("layer") == "below") is not below:
            continue
        xs = _reference(frame, frames, x_name, (shape.get("x0"), shape.get("x1")))
        ys = _reference(frame, frames, y_name, (shape.get("y0"), shape.get("y1")), across=False)
        if not all(math.isfinite(value) for value in (*xs, *ys)):
            continue
        if shape.get("type") == "line":
            line = shape.get("line") or {}
            way = f"M{number(xs[0])} {number(ys[0])}L{number(xs[1])} {number(ys[1])}"
            parts.append(f'<path d="{way}" {stroke(str(line.get("color") or INK), line)}/>')
        elif shape.get("type") == "rect":
            color, opacity = paint(str(shape.get("fillcolor") or MUTED))
            left, top = min(xs), min(ys)
            parts.append(
                f'<rect x="{number(left)}" y="{number(top)}" width="{number(abs(xs[1] - xs[0]))}" '
                f'height="{number(abs(ys[1] - ys[0]))}" fill="{color}" fill-opacity="{number(opacity)}"/>'
            )
    return parts


def _reference(
    frame: Frame, frames: Sequence[Frame], name: str, ends: Sequence[Any], *, across: bool = True
) -> tuple[float, float]:
    """Return where the two ends of a shape lie: on an axis, or as shares of a panel or of the whole picture."""
    if name.endswith("domain") or name == "paper":
        among = [frame] if name.endswith("domain") else frames
        if across:
            low, high = min(one.left for one in among), max(one.left + one.width for one in among)
        else:
            low, high = max(one.top + one.height for one in among), min(one.top for one in among)
        return (low + float(ends[0]) * (high - low), low + float(ends[1]) * (high - low))
    axis = frame.x if across else frame.y
    found = (frame.across if across else frame.down)(axis.places(list(ends)))
    return float(found[0]), float(found[1])


def _annotations(picture: Picture, frames: Sequence[Frame], sheet: _Sheet) -> list[str]:
    parts = []
    for note in picture.layout.get("annotations") or ():
        x_name, y_name = str(note.get("xref") or "x"), str(note.get("yref") or "y")
        frame = next(
            (one for one in frames if x_name == one.x.name or y_name == one.y.name), frames[0] if frames else None
        )
        if frame is None or note.get("x") is None or note.get("y") is None:
            continue
        x = _reference(frame, frames, x_name, (note["x"], note["x"]))[0] + 0.75 * float(note.get("xshift") or 0.0)
        y = _reference(frame, frames, y_name, (note["y"], note["y"]), across=False)[0]
        y -= 0.75 * float(note.get("yshift") or 0.0)
        if not (math.isfinite(x) and math.isfinite(y)):
            continue
        y += {"top": 6.5, "middle": 2.5}.get(str(note.get("yanchor")), -2.5)
        text = plain_text(note.get("text") or "")
        side = {"left": "start", "right": "end"}.get(str(note.get("xanchor")), "middle")
        if side == "start" and x + 2 * _half(text) > sheet.width:
            side, x = "end", x - 0.75 * 2.0 * float(note.get("xshift") or 0.0)
        color = str((note.get("font") or {}).get("color") or INK)
        parts.append(_text(text, x, y, side, paint(color)[0]))
    return parts


def _color_bar(picture: Picture, sheet: _Sheet) -> list[str]:
    """Return the key of a heat map: its colours from the lowest value to the highest."""
    from algotrendy.reports.svg_marks import heat_scale

    mark = next((one for one in picture.marks if one.kind == "heatmap"), None)
    if mark is None or mark.trace.get("showscale") is False:
        return []
    low, high, colors = heat_scale(mark, np.linspace(0.0, 1.0, 33))
    if not (math.isfinite(low) and math.isfinite(high)):
        return []
    left, tall = sheet.right + 8.0, sheet.bottom - sheet.top
    step = tall / len(colors)
    parts = [
        f'<rect x="{number(left)}" y="{number(sheet.bottom - (k + 1) * step)}" width="7" height="{number(step + 0.3)}" '
        f'fill="{color}"/>'
        for k, color in enumerate(colors)
    ]
    for value, text in linear_ticks(low, high, max(2, int(tall / 28.0))):
        y = sheet.bottom - (value - low) / (high - low) * tall if high > low else sheet.bottom
        parts.append(_text(text, left + 10.0, y + 2.5, "start", INK))
    bar = mark.trace.get("colorbar") or {}
    title = (bar.get("title") or {}).get("text") if isinstance(bar.get("title"), dict) else bar.get("title")
    if title:
        parts.append(_text(plain_text(title), sheet.width - 2.0, sheet.top - 4.0, "end", INK))
    return parts


def _text(text: str, x: float, y: float, side: str, color: str, *, more: str = "", weight: bool = False) -> str:
    """Return a line of text, or several under each other."""
    bold = ' font-weight="600"' if weight else ""
    lines = text.split("\n")
    return "".join(
        f'<text x="{number(x)}" y="{number(y + place * 8.5)}" text-anchor="{side}" fill="{color}"{bold} {more}>'
        f"{escape(printable(line))}</text>"
        for place, line in enumerate(lines)
    )
