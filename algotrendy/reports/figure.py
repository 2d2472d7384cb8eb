"""Plotly figures as plain geometry: axes with their ranges, and marks in numbers; print and spreadsheets draw it."""

from __future__ import annotations

import math
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from html import unescape
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError

__all__ = ["Axis", "Mark", "NotDrawable", "Picture", "plain_text", "read_figure"]

AxisKind: TypeAlias = Literal["linear", "log", "date", "category"]
MarkKind: TypeAlias = Literal["scatter", "bar", "heatmap", "candlestick", "waterfall"]

COLORWAY = ("#2557c7", "#c0392f", "#0a7d5a", "#a35c00", "#7a3fa8", "#14808f", "#8c564b", "#55606f")
"""Colours of curves that name none."""

_DATE = re.compile(r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?)?(Z|[+-]\d{2}:?\d{2})?")
_ZONE = re.compile(r"(?<=\d:\d{2})(Z|[+-]\d{2}:?\d{2})$|(?<=\.\d{6})(Z|[+-]\d{2}:?\d{2})$|(?<=\d\d)Z$")
_TAG = re.compile(r"</?(?:b|i|em|strong|sub|sup|span|a|u|s)(?:\s[^<>]*)?>", re.IGNORECASE)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_PADDING = 0.05


class NotDrawable(InputError):  # noqa: N818 - reads as what is the case
    """A figure holds what only a browser can draw; the message says what."""


@dataclass
class Axis:
    """One axis: what it measures, how far it reaches (logarithms where `kind` is "log"), where it lies."""

    name: str
    layout: Mapping[str, Any]
    kind: AxisKind = "linear"
    names: list[str] = field(default_factory=list)
    low: float = 0.0
    high: float = 1.0

    @property
    def is_horizontal(self) -> bool:
        """Whether it runs from left to right."""
        return self.name.startswith("x")

    @property
    def is_reversed(self) -> bool:
        """Whether its values grow downwards, or to the left."""
        given = self.layout.get("range")
        if self.layout.get("autorange") == "reversed":
            return True
        return given is not None and None not in list(given) and self._place(given[0]) > self._place(given[1])

    @property
    def title(self) -> str:
        """What stands beside it."""
        title = self.layout.get("title") or ""
        return plain_text(title.get("text") or "") if isinstance(title, Mapping) else plain_text(title)

    def _place(self, value: Any) -> float:
        """Return where an end of a given range lies; those of logarithmic axes are given as logarithms."""
        return self.places([value])[0] if self.kind != "log" else float(value)

    def places(self, values: Any) -> Float1D:
        """Return where values lie: seconds since 1970 for dates, places of names, logarithms; NaN is nowhere."""
        raw = raw_array(values)
        if self.kind == "category":
            where = {name: place for place, name in enumerate(self.names)}
            return np.array([where.get(_label(item), np.nan) for item in raw.tolist()], dtype=np.float64)
        if self.kind == "date":
            return _seconds(raw)
        numbers = _floats(raw)
        if self.kind == "log":
            with np.errstate(divide="ignore", invalid="ignore"):
                numbers = np.log10(np.where(numbers > 0.0, numbers, np.nan))
        return numbers


@dataclass
class Mark:
    """One trace: what kind it is, its axes, and its numbers in the units of the axes.

    Bars have `left`, `right`, `base` and `y` (their ends); candles `open`, `high`, `low`, `close` in `parts`.
    """

    kind: MarkKind
    trace: Mapping[str, Any]
    x_axis: str
    y_axis: str
    color: str
    x: Float1D = field(default_factory=lambda: np.empty(0))
    y: Float1D = field(default_factory=lambda: np.empty(0))
    parts: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the legend calls it."""
        return plain_text(self.trace.get("name") or "")

    @property
    def fills_to_zero(self) -> bool:
        """Whether the area down to zero is filled."""
        return self.trace.get("fill") == "tozeroy"


@dataclass
class Picture:
    """A whole figure: its axes by name ("x", "y2"), its marks in the order of drawing, its layout."""

    axes: dict[str, Axis]
    marks: list[Mark]
    layout: Mapping[str, Any]

    @property
    def panels(self) -> list[tuple[Axis, Axis]]:
        """The pairs of axes that something is drawn on, the upper ones first."""
        pairs = list(dict.fromkeys((mark.x_axis, mark.y_axis) for mark in self.marks))
        found = [(self.axes[x], self.axes[y]) for x, y in pairs]
        return sorted(found, key=lambda pair: -domain_of(pair[1])[1])


def domain_of(axis: Axis) -> tuple[float, float]:
    """Return the share of the picture that an axis takes, from 0 to 1."""
    low, high = axis.layout.get("domain") or (0.0, 1.0)
    return float(low), float(high)


def read_figure(figure: Any) -> Picture:
    """Return a figure as axes and marks.

    Parameters
    ----------
    figure : mapping or plotly Figure
        With `data` and `layout`.

    Raises
    ------
    NotDrawable
        If it holds a kind of trace that is none of curves, points, bars, histograms, heat maps, candles and waterfalls.
    InputError
        If it is no figure.

    Examples
    --------
    >>> picture = read_figure({"data": [{"type": "scatter", "x": ["2020-01-01", "2020-01-02"], "y": [1.0, 2.0]}]})
    >>> picture.axes["x"].kind, picture.marks[0].y.tolist()
    ('date', [1.0, 2.0])
    """
    content = figure.to_plotly_json() if hasattr(figure, "to_plotly_json") else figure
    if not isinstance(content, Mapping) or "data" not in content:
        raise InputError(
            f"a chart needs a plotly Figure or a mapping with 'data' and 'layout', found {type(figure).__name__}"
        )
    layout = content.get("layout") or {}
    traces = [_counted(dict(trace)) for trace in content["data"] if trace.get("visible", True) is True]
    marks = [_mark(trace, place) for place, trace in enumerate(traces)]
    names = dict.fromkeys(name for mark in marks for name in (mark.x_axis, mark.y_axis))
    axes = {name: Axis(name, layout.get(f"{name[0]}axis{name[1:]}") or {}) for name in names}
    for axis in axes.values():
        _settle(axis, marks)
    for mark in marks:
        if mark.kind in ("scatter", "bar", "waterfall"):
            count = min(mark.x.size, mark.y.size)  # as Plotly does where one of the two is longer
            mark.x, mark.y = mark.x[:count], mark.y[:count]
    _stack(marks, axes, str(layout.get("barmode", "group")))
    for axis in axes.values():
        _reach(axis, marks)
    return Picture(axes, marks, layout)


def plain_text(text: Any) -> str:
    """Return text of a figure without Plotly's markup; lines stay parted.

    Examples
    --------
    >>> plain_text("<b>a</b> &lt; b<br>c")
    'a < b\\nc'
    """
    return unescape(_TAG.sub("", _BREAK.sub("\n", str(text))))


# --- traces ---


def _counted(trace: dict[str, Any]) -> dict[str, Any]:
    """Return a histogram as the bars that it means; other traces as they are."""
    if trace.get("type") != "histogram":
        return trace
    values = _floats(raw_array(trace.get("x", [])))
    values = values[np.isfinite(values)]
    counts, edges = np.histogram(values, bins=int(trace.get("nbinsx") or 30)) if values.size else ([], np.zeros(1))
    return trace | {"type": "bar", "x": (edges[:-1] + edges[1:]) / 2, "y": counts, "width": np.diff(edges)}


def _mark(trace: Mapping[str, Any], place: int) -> Mark:
    kind = str(trace.get("type") or "scatter")
    kind = "scatter" if kind == "scattergl" else kind
    if kind not in ("scatter", "bar", "heatmap", "candlestick", "waterfall"):
        raise NotDrawable(f"a trace of the kind {kind!r} needs the interactive page")
    if trace.get("orientation") == "h" and kind != "scatter":
        raise NotDrawable("bars that lie on their side need the interactive page")
    line, marker = trace.get("line") or {}, trace.get("marker") or {}
    colors = (line.get("color"), marker.get("color"), trace.get("fillcolor"))
    color = next((one for one in colors if isinstance(one, str)), COLORWAY[place % len(COLORWAY)])
    return Mark(kind, trace, str(trace.get("xaxis") or "x"), str(trace.get("yaxis") or "y"), color)  # type: ignore[arg-type]


def _ordinates(mark: Mark) -> Any:
    return mark.trace.get("y") if mark.trace.get("y") is not None else []


def _abscissae(mark: Mark) -> Any:
    given = mark.trace.get("x")
    if given is not None:
        return given
    if mark.kind == "heatmap":
        return np.arange(_table(mark.trace.get("z", [])).shape[1])
    other = mark.trace.get("close") if mark.kind == "candlestick" else _ordinates(mark)
    return np.arange(len(raw_array(other)))


def _given(axis: Axis, mark: Mark) -> Iterator[Any]:
    """Yield what a mark places on an axis."""
    if axis.is_horizontal and mark.x_axis == axis.name:
        yield _abscissae(mark)
    elif not axis.is_horizontal and mark.y_axis == axis.name:
        if mark.kind == "candlestick":
            yield from (mark.trace[name] for name in ("low", "high"))
        elif mark.kind == "heatmap" and mark.trace.get("y") is None:
            yield np.arange(len(mark.trace.get("z", [])))
        else:
            yield _ordinates(mark)


def _settle(axis: Axis, marks: Sequence[Mark]) -> None:
    """Decide what an axis measures, and place the marks on it."""
    given = [raw_array(values) for mark in marks for values in _given(axis, mark)]
    wanted = axis.layout.get("type")
    if wanted in ("linear", "log", "date", "category"):
        axis.kind = wanted
    elif any(_are_dates(values) for values in given):
        axis.kind = "date"
    elif any(values.dtype.kind == "O" and any(isinstance(item, str) for item in values.ravel()) for values in given):
        axis.kind = "category"
    if axis.kind == "category":
        axis.names = list(dict.fromkeys(_label(item) for values in given for item in values.tolist()))
    for mark in marks:
        if axis.is_horizontal and mark.x_axis == axis.name:
            mark.x = axis.places(_abscissae(mark))
        elif not axis.is_horizontal and mark.y_axis == axis.name:
            if mark.kind == "candlestick":
                mark.parts = {part: axis.places(mark.trace[part]) for part in ("open", "high", "low", "close")}
            elif mark.kind == "heatmap":
                mark.y = axis.places(next(_given(axis, mark)))
                mark.parts["z"] = _table(mark.trace.get("z", []))
            else:
                mark.y = axis.places(_ordinates(mark))


def _table(values: Any) -> NDArray[np.float64]:
    rows = raw_array(values) if isinstance(values, (Mapping, np.ndarray)) else None
    if rows is not None and rows.ndim == 2:
        return np.asarray(rows, dtype=np.float64)
    return np.array([_floats(raw_array(row)) for row in values], dtype=np.float64).reshape(len(values), -1)


def _stack(marks: Sequence[Mark], axes: Mapping[str, Axis], mode: str) -> None:
    """Give bars their sides and feet: beside each other, on each other, or as they are."""
    for mark in marks:
        if mark.kind == "waterfall":
            _steps(mark)
    bars = [mark for mark in marks if mark.kind in ("bar", "waterfall")]
    for pair in dict.fromkeys((mark.x_axis, mark.y_axis) for mark in bars):
        group = [mark for mark in bars if (mark.x_axis, mark.y_axis) == pair]
        places = np.unique(np.concatenate([mark.x[np.isfinite(mark.x)] for mark in group]))
        pitch = float(np.diff(places).min()) if places.size > 1 else _usual_pitch(axes[pair[0]])
        heaps: dict[tuple[float, bool], float] = {}
        for number, mark in enumerate(group):
            width = _widths(mark, pitch)
            if mode == "group" and len(group) > 1:
                width = width / len(group)
                mark.x = mark.x + (number - (len(group) - 1) / 2.0) * width
            mark.parts |= {"left": mark.x - width / 2.0, "right": mark.x + width / 2.0}
            if mode in ("stack", "relative"):
                _heap(mark, heaps)
            else:
                _stand(mark)


DAY_WIDTH = 86_400.0


def _usual_pitch(axis: Axis) -> float:
    return DAY_WIDTH if axis.kind == "date" else 1.0


def _stand(mark: Mark) -> None:
    """Put bars on their own feet; those of a waterfall stand already."""
    if mark.kind == "bar":
        given = mark.trace.get("base")
        foot = _floats(raw_array(0.0 if given is None else given))
        mark.parts["base"] = np.broadcast_to(foot, mark.y.shape)
        mark.y = mark.y + foot


def _widths(mark: Mark, pitch: float) -> Float1D:
    if mark.trace.get("width") is not None:
        return np.broadcast_to(_floats(raw_array(mark.trace["width"])), mark.x.shape)
    return np.full(mark.x.shape, 0.8 * pitch)


def _heap(mark: Mark, heaps: dict[tuple[float, bool], float]) -> None:
    base = np.zeros_like(mark.y)
    for place, (x, height) in enumerate(zip(mark.x.tolist(), mark.y.tolist(), strict=True)):
        key = (x, height < 0.0)
        base[place] = heaps.get(key, 0.0)
        heaps[key] = base[place] + (height if math.isfinite(height) else 0.0)
    mark.parts["base"], mark.y = base, mark.y + base


def _steps(mark: Mark) -> None:
    """Turn the heights of a waterfall into bars from one level to the next."""
    measures = list(mark.trace.get("measure") or ["relative"] * mark.y.size)
    level, base, top = 0.0, [], []
    for height, measure in zip(mark.y.tolist(), measures, strict=True):
        start = level if measure == "relative" else 0.0
        level = level + height if measure == "relative" else height if measure == "absolute" else level
        base.append(start)
        top.append(level)
    mark.parts["base"], mark.y = np.array(base), np.array(top)


# --- how far an axis reaches ---


def _reach(axis: Axis, marks: Sequence[Mark]) -> None:
    low, high, padded = math.inf, -math.inf, False
    for mark in marks:
        own = mark.x_axis if axis.is_horizontal else mark.y_axis
        if own != axis.name:
            continue
        ends = _ends(mark, axis)
        finite = ends[np.isfinite(ends)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        padded = padded or (mark.kind == "scatter" and "markers" in str(mark.trace.get("mode") or "lines"))
    if low > high:
        low, high = 0.0, 1.0
    if axis.layout.get("rangemode") in ("tozero", "nonnegative") and axis.kind == "linear":
        low, high = min(low, 0.0), max(high, 0.0)
    room = _PADDING * (high - low) if padded or (not axis.is_horizontal and axis.kind != "category") else 0.0
    if any(mark.kind == "heatmap" for mark in marks):
        room = 0.0
    above = 0.1 * (high - low) if any(_has_amounts(mark, axis) for mark in marks) else 0.0
    at_zero = axis.layout.get("rangemode") == "tozero" or _has_bars(axis, marks)
    axis.low = low if at_zero and low == 0.0 else low - room
    axis.high = (high if at_zero and high == 0.0 else high + room) + above
    if axis.high - axis.low <= 1e-12 * max(abs(axis.low), abs(axis.high), 1e-300):
        half = DAY_WIDTH if axis.kind == "date" else 0.5 if axis.kind in ("category", "log") else 0.1 * abs(low) or 0.5
        axis.low, axis.high = low - half, high + half
    given = axis.layout.get("range")
    if given is not None and None not in list(given):
        first, last = sorted(axis._place(value) for value in given)
        if math.isfinite(first) and math.isfinite(last) and first < last:
            axis.low, axis.high = first, last


def _has_amounts(mark: Mark, axis: Axis) -> bool:
    """Return whether text stands above the bars of a waterfall on this axis."""
    return mark.kind == "waterfall" and mark.y_axis == axis.name and mark.trace.get("text") is not None


def _has_bars(axis: Axis, marks: Sequence[Mark]) -> bool:
    return not axis.is_horizontal and any(mark.kind == "bar" and mark.y_axis == axis.name for mark in marks)


def _ends(mark: Mark, axis: Axis) -> Float1D:
    if mark.kind == "heatmap":
        return cell_edges(mark.x if axis.is_horizontal else mark.y)
    if axis.is_horizontal:
        if mark.kind == "candlestick":
            return np.concatenate((mark.x - 0.5, mark.x + 0.5)) if axis.kind != "date" else mark.x
        return np.concatenate((mark.parts["left"], mark.parts["right"])) if "left" in mark.parts else mark.x
    if mark.kind == "candlestick":
        return np.concatenate((mark.parts["low"], mark.parts["high"]))
    if "base" in mark.parts:
        return np.concatenate((mark.parts["base"], mark.y))
    return np.append(mark.y, 0.0) if mark.fills_to_zero and axis.kind == "linear" else mark.y


def cell_edges(places: Float1D) -> Float1D:
    """Return the edges of the cells of a heat map whose middles are given: one more than there are cells.

    Examples
    --------
    >>> cell_edges(np.array([1.0, 2.0, 4.0])).tolist()
    [0.5, 1.5, 3.0, 5.0]
    """
    if places.size < 2:
        return np.concatenate((places - 0.5, places + 0.5))
    between = (places[:-1] + places[1:]) / 2.0
    return np.concatenate(([places[0] - (between[0] - places[0])], between, [places[-1] + (places[-1] - between[-1])]))


# --- arrays ---


def raw_array(values: Any) -> NDArray[Any]:
    """Return values of a figure as an array of numbers, of moments or of objects."""
    if isinstance(values, Mapping) and "bdata" in values:
        found = np.frombuffer(b64decode(values["bdata"]), dtype=np.dtype(values["dtype"]))
        shape = values.get("shape")
        return found.reshape([int(part) for part in str(shape).split(",")]) if shape else found
    if hasattr(values, "to_numpy"):
        zone = getattr(getattr(values, "dt", values), "tz", None)
        values = values.to_numpy() if zone is None else np.array([item.replace(tzinfo=None) for item in values])
    array = values if isinstance(values, np.ndarray) else _listed(values)
    return array if array.dtype.kind in "fiubMO" else array.astype(object)


def _listed(values: Any) -> NDArray[Any]:
    items = list(values) if isinstance(values, (list, tuple, range)) else [values]
    found = np.empty(len(items), dtype=object)
    found[:] = items
    if all(isinstance(item, (int, float, np.number, type(None))) for item in items):
        return np.array([np.nan if item is None else float(item) for item in items])
    return found


def _floats(raw: NDArray[Any]) -> Float1D:
    if raw.dtype.kind in "fiub":
        return np.asarray(raw, dtype=np.float64)
    return np.array([_number(item) for item in raw.ravel().tolist()], dtype=np.float64)


def _number(item: Any) -> float:
    try:
        return float(item)
    except (TypeError, ValueError):
        return math.nan


def _are_dates(raw: NDArray[Any]) -> bool:
    return raw.dtype.kind == "M" or (raw.dtype.kind == "O" and _moments(raw) is not None)


def _moments(raw: NDArray[Any]) -> NDArray[np.datetime64] | None:
    """Return objects as moments if each is one or is missing, and one at least is."""
    items = raw.tolist()
    known = [item for item in items if item is not None and item == item]  # noqa: PLR0124 - NaT is not itself
    if not known or not all(isinstance(item, (str, date)) for item in known):
        return None
    if isinstance(known[0], str) and not _DATE.fullmatch(known[0]):
        return None
    texts = [_wall_time(item) for item in items]
    try:
        return np.array(texts, dtype="datetime64[us]")
    except ValueError:
        return None


def _wall_time(item: Any) -> str:
    """Return a moment as numpy reads it, without its zone."""
    if isinstance(item, str) and len(item) <= 19:
        return item
    if item is None or item != item:  # noqa: PLR0124 - NaT is not itself
        return "NaT"
    return _ZONE.sub("", item if isinstance(item, str) else item.isoformat())


def _seconds(raw: NDArray[Any]) -> Float1D:
    """Return moments as seconds since 1970, wall time of their own zone as Plotly draws them."""
    if raw.dtype.kind in "fiu":
        return np.asarray(raw, dtype=np.float64) / 1000.0  # Plotly's numbers on a date axis are milliseconds
    found = raw if raw.dtype.kind == "M" else _moments(raw)
    if found is None:
        return np.full(raw.shape, np.nan)
    return np.where(np.isnat(found), np.nan, found.astype("datetime64[us]").astype(np.int64) / 1e6)


def _label(item: Any) -> str:
    return f"{item:g}" if isinstance(item, float) else str(item)
