"""The marks of a picture as SVG: curves, bands, points, bars, cells, candles."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.domain.types import Float1D
from algotrendy.reports.figure import Axis, Mark, cell_edges, plain_text, raw_array
from algotrendy.reports.glyphs import printable
from algotrendy.reports.palette import ACCENT, GAIN, INK, LOSS

__all__ = ["Frame", "draw_mark", "draw_symbol", "heat_scale", "number", "paint", "stroke", "tied_fill"]

_COLOR = re.compile(r"#[0-9a-fA-F]{3}(?:[0-9a-fA-F]{3})?|[a-zA-Z]{3,20}")
_RGBA = re.compile(r"rgba?\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*(?:,\s*([\d.]+)\s*)?\)")
_DASHES = {"dot": "1.2 1.8", "dash": "4 2.5", "longdash": "7 3", "dashdot": "4 2 1.2 2", "longdashdot": "7 2 1.2 2"}
_POINTS_OF_PIXEL = 0.75

_COLUMN = 0.4
"""Within so many points of the page only the first, lowest, highest and last point of a curve can be told apart."""

_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "Viridis": (
        (0.0, "#440154"), (0.125, "#472d7b"), (0.25, "#3b528b"), (0.375, "#2c728e"), (0.5, "#21918c"),
        (0.625, "#28ae80"), (0.75, "#5ec962"), (0.875, "#addc30"), (1.0, "#fde725"),
    ),
    "RdBu": ((0.0, "#67001f"), (0.25, "#f4a582"), (0.5, "#f7f7f7"), (0.75, "#92c5de"), (1.0, "#053061")),
    "RdYlGn": ((0.0, "#a50026"), (0.25, "#fdae61"), (0.5, "#ffffbf"), (0.75, "#a6d96a"), (1.0, "#006837")),
    "Blues": ((0.0, "#f7fbff"), (0.5, "#6baed6"), (1.0, "#08306b")),
    "Greys": ((0.0, "#ffffff"), (1.0, "#000000")),
}  # fmt: skip


@dataclass
class Frame:
    """One panel on the page, in points from the upper left corner, with its two axes."""

    x: Axis
    y: Axis
    left: float
    top: float
    width: float
    height: float
    has_ticks_below: bool = True

    def across(self, places: Float1D) -> Float1D:
        """Return where places of the horizontal axis lie on the page."""
        share = (places - self.x.low) / (self.x.high - self.x.low)
        return self.left + self.width * (1.0 - share if self.x.is_reversed else share)

    def down(self, places: Float1D) -> Float1D:
        """Return where places of the vertical axis lie on the page."""
        share = (places - self.y.low) / (self.y.high - self.y.low)
        return self.top + self.height * (share if self.y.is_reversed else 1.0 - share)

    def covers(self, y: float) -> bool:
        """Return whether a height lies in the panel."""
        return self.top - 0.5 <= y <= self.top + self.height + 0.5


def number(value: float) -> str:
    """Return a length as short text; a hundredth of a point is finer than any printer.

    Examples
    --------
    >>> number(12.0), number(0.126)
    ('12', '0.13')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def paint(color: Any) -> tuple[str, float]:
    """Return a colour and its opacity; what is no colour becomes that of text.

    Examples
    --------
    >>> paint("rgba(37,87,199,0.2)"), paint("red"), paint('"/><script>')
    (('#2557c7', 0.2), ('red', 1.0), ('#55606f', 1.0))
    """
    text = str(color)
    found = _RGBA.fullmatch(text)
    if found is not None:
        red, green, blue = (min(int(part), 255) for part in found.groups()[:3])
        return f"#{red:02x}{green:02x}{blue:02x}", min(float(found[4] or 1.0), 1.0)
    return (text, 1.0) if _COLOR.fullmatch(text) else (INK, 1.0)


def stroke(color: str, line: Any, *, opacity: float = 1.0, least: float = 0.0) -> str:
    """Return the attributes of a line."""
    width = _number_of(line.get("width"), 1.5) * _POINTS_OF_PIXEL
    ink, own = paint(line.get("color") if isinstance(line.get("color"), str) else color)
    dash = _DASHES.get(str(line.get("dash") or "solid"))
    parts = [f'fill="none" stroke="{ink}" stroke-width="{number(max(width, least))}" stroke-linejoin="round"']
    if own * opacity < 1.0:
        parts.append(f'stroke-opacity="{number(own * opacity)}"')
    return " ".join([*parts, f'stroke-dasharray="{dash}"'] if dash else parts)


def _number_of(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, (int, float)) else otherwise


def draw_mark(frame: Frame, mark: Mark) -> list[str]:
    """Return a mark as elements of SVG, without what `tied_fill` draws below all of them."""
    return _DRAWN[mark.kind](frame, mark)


# --- curves ---


def tied_fill(frame: Frame, mark: Mark, before: Mark | None) -> list[str]:
    """Return the area between a curve and zero, or between it and the curve before it."""
    kind = mark.trace.get("fill")
    if mark.kind != "scatter" or kind not in ("tozeroy", "tonexty") or not mark.x.size:
        return []
    color, opacity = paint(mark.trace.get("fillcolor") or mark.color)
    if "fillcolor" not in mark.trace:
        opacity = 0.25
    x, y = _bent(mark, frame.across(mark.x), frame.down(mark.y))
    if kind == "tonexty" and before is not None and before.x.size:
        back_x, back_y = _bent(before, frame.across(before.x), frame.down(before.y))
        pieces = _ways(np.concatenate((x, back_x[::-1])), np.concatenate((y, back_y[::-1])))
        way = "".join(f"{piece}Z" for piece in pieces)
    else:
        zero = float(frame.down(np.zeros(1))[0]) if frame.y.kind == "linear" else frame.top + frame.height
        zero = min(max(zero, frame.top), frame.top + frame.height)
        way = "".join(_closed(*piece, zero) for piece in _pieces(x, y))
    return [f'<path d="{way}" fill="{color}" fill-opacity="{number(opacity)}"/>'] if way else []


def _closed(x: Float1D, y: Float1D, zero: float) -> str:
    x, y = _thin(x, y)
    return f"M{number(x[0])} {number(zero)}{_joined('L', x, y)}L{number(x[-1])} {number(zero)}Z"


def _scatter(frame: Frame, mark: Mark) -> list[str]:
    mode = str(mark.trace.get("mode") or ("lines" if mark.x.size > 20 else "lines+markers"))
    x, y = frame.across(mark.x), frame.down(mark.y)
    opacity = _number_of(mark.trace.get("opacity"), 1.0)
    parts = []
    line = mark.trace.get("line") or {}
    if "lines" in mode and line.get("width") != 0:
        way = "".join(_ways(*_bent(mark, x, y)))
        if way:
            parts.append(f'<path d="{way}" {stroke(mark.color, line, opacity=opacity)}/>')
    if "markers" in mode:
        parts += _points(mark, x, y, opacity)
    return parts


def _bent(mark: Mark, x: Float1D, y: Float1D) -> tuple[Float1D, Float1D]:
    """Return a curve whose shape is steps with the corners of its steps."""
    if (mark.trace.get("line") or {}).get("shape") != "hv" or x.size < 2:
        return x, y
    return np.append(np.repeat(x, 2)[1:], x[-1]), np.append(np.repeat(y, 2)[:-1], y[-1])


def _pieces(x: Float1D, y: Float1D) -> list[tuple[Float1D, Float1D]]:
    """Return the stretches of a curve between its gaps."""
    known = np.isfinite(x) & np.isfinite(y)
    if known.all():
        return [(x, y)] if x.size else []
    edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False])).astype(np.int8)))
    return [(x[a:b], y[a:b]) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _ways(x: Float1D, y: Float1D) -> list[str]:
    return [_joined("M", *_thin(*piece)) for piece in _pieces(x, y)]


def _joined(first: str, x: Float1D, y: Float1D) -> str:
    points = "L".join([f"{a:.2f} {b:.2f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)])
    return f"{first}{points}"


def _thin(x: Float1D, y: Float1D) -> tuple[Float1D, Float1D]:
    """Keep the first, lowest, highest and last point of each column, where x only grows and the points are many."""
    if x.size < 600 or (np.diff(x) < 0.0).any():
        return x, y
    column = np.floor(x / _COLUMN).astype(np.int64)
    starts = np.flatnonzero(np.concatenate(([True], column[1:] != column[:-1])))
    ends = np.append(starts[1:], x.size)
    order = np.lexsort((y, column))
    keep = np.unique(np.concatenate((starts, ends - 1, order[starts], order[ends - 1])))
    return x[keep], y[keep]


def _points(mark: Mark, x: Float1D, y: Float1D, opacity: float) -> list[str]:
    marker = mark.trace.get("marker") or {}
    radius = _number_of(marker.get("size"), 6.0) * _POINTS_OF_PIXEL / 2.0
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return []
    return draw_symbol(mark, list(zip(x[known].tolist(), y[known].tolist(), strict=True)), radius, opacity)


def draw_symbol(mark: Mark, places: Sequence[tuple[float, float]], radius: float, opacity: float = 1.0) -> list[str]:
    """Return the marker of a trace at some places, as the legend shows it too."""
    marker = mark.trace.get("marker") or {}
    symbol = str(marker.get("symbol") or "circle")
    color, own = paint(marker.get("color") if isinstance(marker.get("color"), str) else mark.color)
    own *= opacity * _number_of(marker.get("opacity"), 1.0)
    if own <= 0.0:
        return []
    shape = _SYMBOLS.get(symbol.removesuffix("-open").removesuffix("-thin"), _circle)
    way = "".join([shape(a, b, radius) for a, b in places])
    if symbol.endswith(("-open", "-thin")) or symbol == "x":
        return [f'<path d="{way}" {stroke(color, {"width": 1.4, "color": color}, opacity=own)}/>']
    return [f'<path d="{way}" fill="{color}" fill-opacity="{number(own)}"/>']


def _circle(x: float, y: float, r: float) -> str:
    return f"M{x - r:.2f} {y:.2f}a{r:.2f} {r:.2f} 0 1 0 {2 * r:.2f} 0a{r:.2f} {r:.2f} 0 1 0 {-2 * r:.2f} 0Z"


def _polygon(*corners: tuple[float, float]) -> Callable[[float, float, float], str]:
    def draw(x: float, y: float, r: float) -> str:
        return "M" + "L".join(f"{x + r * dx:.2f} {y + r * dy:.2f}" for dx, dy in corners) + "Z"

    return draw


def _regular(n: int) -> tuple[tuple[float, float], ...]:
    return tuple((math.sin(2 * math.pi * k / n), -math.cos(2 * math.pi * k / n)) for k in range(n))


def _cross(x: float, y: float, r: float) -> str:
    return f"M{x - r:.2f} {y - r:.2f}l{2 * r:.2f} {2 * r:.2f}M{x - r:.2f} {y + r:.2f}l{2 * r:.2f} {-2 * r:.2f}"


_STAR = tuple(
    (radius * math.sin(math.pi * k / 5), -radius * math.cos(math.pi * k / 5)) for k, radius in enumerate((1.2, 0.5) * 5)
)
_SYMBOLS: dict[str, Callable[[float, float, float], str]] = {
    "circle": _circle,
    "cross": _polygon(
        (-0.35, -1), (0.35, -1), (0.35, -0.35), (1, -0.35), (1, 0.35), (0.35, 0.35), (0.35, 1), (-0.35, 1),
        (-0.35, 0.35), (-1, 0.35), (-1, -0.35), (-0.35, -0.35),
    ),
    "diamond": _polygon((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
    "hexagon": _polygon(*_regular(6)),
    "pentagon": _polygon(*_regular(5)),
    "square": _polygon((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "star": _polygon(*_STAR),
    "triangle-down": _polygon((-1.1, -0.8), (1.1, -0.8), (0, 1.1)),
    "triangle-up": _polygon((-1.1, 0.8), (1.1, 0.8), (0, -1.1)),
    "x": _cross,
}  # fmt: skip


# --- bars ---


def _bars(frame: Frame, mark: Mark) -> list[str]:
    marker = mark.trace.get("marker") or {}
    count = mark.x.size
    colors = _each(marker.get("color"), count, mark.color)
    opacities = _each(marker.get("opacity"), count, 1.0)
    return _rectangles(frame, mark, colors, [_number_of(value, 1.0) for value in opacities])


def _each(value: Any, count: int, otherwise: Any) -> list[Any]:
    """Return one value per bar of what may be given once or for each."""
    if value is None or isinstance(value, (str, int, float)):
        return [otherwise if value is None else value] * count
    given = raw_array(value).tolist()
    return given if len(given) == count else [otherwise] * count


def _rectangles(frame: Frame, mark: Mark, colors: list[Any], opacities: list[float]) -> list[str]:
    """Return bars, those of one colour together."""
    left, right = frame.across(mark.parts["left"]), frame.across(mark.parts["right"])
    base, top = frame.down(mark.parts["base"]), frame.down(mark.y)
    ways: dict[tuple[str, float], list[str]] = {}
    for a, b, low, high, color, opacity in zip(left, right, base, top, colors, opacities, strict=True):
        if all(math.isfinite(value) for value in (a, b, low, high)):
            key = (str(color), opacity)
            ways.setdefault(key, []).append(f"M{a:.2f} {low:.2f}H{b:.2f}V{high:.2f}H{a:.2f}Z")
    found = []
    for (color, opacity), way in ways.items():
        ink, own = paint(color)
        found.append(f'<path d="{"".join(way)}" fill="{ink}" fill-opacity="{number(own * opacity)}"/>')
    return found


def _waterfall(frame: Frame, mark: Mark) -> list[str]:
    measures = list(mark.trace.get("measure") or ["relative"] * mark.y.size)

    def color_of(part: str, otherwise: str) -> str:
        return str(((mark.trace.get(part) or {}).get("marker") or {}).get("color") or otherwise)

    rises = mark.y >= mark.parts["base"]
    up, down, total = color_of("increasing", GAIN), color_of("decreasing", LOSS), color_of("totals", ACCENT)
    colors = [
        total if measure == "total" else (up if rise else down) if measure == "relative" else total
        for measure, rise in zip(measures, rises.tolist(), strict=True)
    ]
    return [*_rectangles(frame, mark, colors, [1.0] * mark.y.size), *_amounts(frame, mark)]


def _amounts(frame: Frame, mark: Mark) -> list[str]:
    """Return what is written above the bars of a waterfall."""
    texts = mark.trace.get("text")
    if texts is None or isinstance(texts, str):
        return []
    middles = (frame.across(mark.parts["left"]) + frame.across(mark.parts["right"])) / 2.0
    tops = np.minimum(frame.down(mark.parts["base"]), frame.down(mark.y)) - 2.5
    return [
        f'<text x="{number(x)}" y="{number(y)}" text-anchor="middle" fill="{INK}">'
        f"{escape(printable(plain_text(text)))}</text>"
        for x, y, text in zip(middles.tolist(), tops.tolist(), list(texts), strict=False)
        if math.isfinite(x) and math.isfinite(y)
    ]


# --- cells and candles ---


def heat_scale(mark: Mark, shares: Float1D) -> tuple[float, float, list[str]]:
    """Return the lowest and highest value of a heat map, and the colours at shares of the way between them."""
    z = mark.parts["z"]
    finite = z[np.isfinite(z)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (math.nan, math.nan)
    if finite.size and mark.trace.get("zmid") is not None:
        middle = float(mark.trace["zmid"])
        reach = max(high - middle, middle - low)
        low, high = middle - reach, middle + reach
    low, high = _number_of(mark.trace.get("zmin"), low), _number_of(mark.trace.get("zmax"), high)
    scale = mark.trace.get("colorscale") or "Viridis"
    stops = _SCALES.get(scale, _SCALES["Viridis"]) if isinstance(scale, str) else [(float(a), str(b)) for a, b in scale]
    if mark.trace.get("reversescale"):
        stops = [(1.0 - place, color) for place, color in reversed(list(stops))]
    places = np.array([place for place, _ in stops])
    channels = np.array([_channels(color) for _, color in stops])
    mixed = np.stack([np.interp(shares, places, channels[:, k]) for k in range(3)], axis=-1).round().astype(int)
    return low, high, [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in mixed.reshape(-1, 3).tolist()]


def _channels(color: str) -> tuple[int, int, int]:
    ink = paint(color)[0]
    if not re.fullmatch("#[0-9a-fA-F]{6}", ink):
        ink = INK
    return int(ink[1:3], 16), int(ink[3:5], 16), int(ink[5:7], 16)


def _heat(frame: Frame, mark: Mark) -> list[str]:
    z: NDArray[np.float64] = mark.parts["z"]
    if not z.size or not np.isfinite(z).any():
        return []
    low, high, _ = heat_scale(mark, np.zeros(1))
    span = high - low
    shares = np.clip((z - low) / span, 0.0, 1.0) if span > 0.0 else np.full(z.shape, 0.5)
    levels = np.where(np.isfinite(shares), np.round(shares * 255.0), -1.0).astype(int)
    colors = heat_scale(mark, np.arange(256) / 255.0)[2]
    x, y = frame.across(cell_edges(mark.x)), frame.down(cell_edges(mark.y))
    ways: dict[int, list[str]] = {}
    for row in range(z.shape[0]):
        for column in range(z.shape[1]):
            level = int(levels[row, column])
            if level >= 0 and all(map(math.isfinite, (*x[column : column + 2], *y[row : row + 2]))):
                way = f"M{x[column]:.2f} {y[row]:.2f}H{x[column + 1]:.2f}V{y[row + 1]:.2f}H{x[column]:.2f}Z"
                ways.setdefault(level, []).append(way)
    return [
        f'<path d="{"".join(way)}" fill="{colors[level]}" stroke="{colors[level]}" stroke-width="0.15"/>'
        for level, way in sorted(ways.items())
    ]


def _candles(frame: Frame, mark: Mark) -> list[str]:
    x = frame.across(mark.x)
    pitch = float(np.diff(np.sort(x[np.isfinite(x)])).min()) if np.isfinite(x).sum() > 1 else frame.width / 3.0
    half = max(0.25 * abs(pitch), 0.25)
    heights = {part: frame.down(values) for part, values in mark.parts.items()}
    opacity = _number_of(mark.trace.get("opacity"), 1.0)
    found = []
    rises = mark.parts["close"] >= mark.parts["open"]
    for part, chosen, otherwise in (("increasing", rises, GAIN), ("decreasing", ~rises, LOSS)):
        style = mark.trace.get(part) or {}
        color, own = paint(style.get("fillcolor") or (style.get("line") or {}).get("color") or otherwise)
        wicks, bodies = [], []
        for k in np.flatnonzero(chosen).tolist():
            corners = (x[k], *(heights[name][k] for name in ("open", "high", "low", "close")))
            if all(math.isfinite(value) for value in corners):
                at, opened, high, low, closed = corners
                wicks.append(f"M{at:.2f} {high:.2f}V{low:.2f}")
                bodies.append(f"M{at - half:.2f} {opened:.2f}H{at + half:.2f}V{closed:.2f}H{at - half:.2f}Z")
        if bodies:
            shade = number(own * opacity)
            found.append(f'<path d="{"".join(wicks)}" stroke="{color}" stroke-width="0.5" stroke-opacity="{shade}"/>')
            look = f'fill="{color}" stroke="{color}" stroke-width="0.3" fill-opacity="{shade}"'
            found.append(f'<path d="{"".join(bodies)}" {look}/>')
    return found


_DRAWN: dict[str, Callable[[Frame, Mark], list[str]]] = {
    "scatter": _scatter,
    "bar": _bars,
    "waterfall": _waterfall,
    "heatmap": _heat,
    "candlestick": _candles,
}
