"""Line break, kagi, point and figure: rows that end when the price turns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from algotrendy.charts.bricks import DEFAULT_SIZE, SIZE
from algotrendy.charts.feed import Feed
from algotrendy.charts.machine import Layout, Machine, OpenRow, build, spec_of
from algotrendy.charts.registry import Parameter, lookup
from algotrendy.kernels import charts_lines as kernels
from algotrendy.kernels.charts_types import TOLERANCE, Events, KagiRule, LineBreakRule, PointFigureRule, Rows

if TYPE_CHECKING:
    from algotrendy.domain.calendar import Calendar
    from algotrendy.domain.interval import Interval


class LineBreakMachine(Machine):
    """Lines to each new extreme of the last lines."""

    layout = Layout("line", synthetic=True)
    kernel = "line_break"

    def begin(self, feed: Feed) -> int | None:
        self.state["top"] = self.state["bottom"] = feed.events.close[0]
        self.rule = LineBreakRule(np.zeros((2, self.parameters["lines"])))
        return 0

    def run(self, events: Events, rows: Rows) -> tuple[int, int]:
        done: tuple[int, int] = kernels.line_break(events, self.rule, self.state, rows)
        return done

    def open_row(self) -> OpenRow | None:
        s, lines = self.state[0], self.rule.lines
        if s["events"] == 0:
            return None
        count, last = int(s["n_lines"]), float(s["last"])
        began = float(lines[1, (count - 1) % lines.shape[1]]) if count else float(s["top"])
        return OpenRow(began, max(began, last), min(began, last), last, {})


class KagiMachine(Machine):
    """Lines from extreme to extreme."""

    layout = Layout("line", ("turn",), {"extreme_at": "time", "thickness": "count"}, synthetic=True)
    kernel = "kagi"

    def begin(self, feed: Feed) -> int | None:
        asked = self.parameters["reversal"]
        if asked.kind == "percent":
            self.rule = KagiRule(0.0, asked.number / 100.0)
        elif not asked.is_settled_by(feed.events, feed.kind):
            return None
        else:
            self.rule = KagiRule(asked.resolve(feed.events), 0.0)
        first = asked.window - 1
        self.state["open"] = self.state["extreme"] = feed.events.close[first]
        self.state["extreme_at"] = feed.events.end[first]
        self.state["shoulder"], self.state["waist"] = np.inf, -np.inf
        return int(first)

    def run(self, events: Events, rows: Rows) -> tuple[int, int]:
        done: tuple[int, int] = kernels.kagi(events, self.rule, self.state, rows)
        return done

    def open_row(self) -> OpenRow | None:
        s = self.state[0]
        if s["events"] == 0:
            return None
        began, ended = float(s["open"]), float(s["extreme"])
        thickness, turn = int(s["thickness"]), math.nan
        if ended > began and ended > s["shoulder"] and thickness != 1:
            thickness, turn = 1, float(s["shoulder"])
        elif ended < began and ended < s["waist"] and thickness != -1:
            thickness, turn = -1, float(s["waist"])
        extra = {"turn": turn, "extreme_at": s["extreme_at"], "thickness": thickness}
        return OpenRow(began, max(began, ended), min(began, ended), ended, extra)


class PointFigureMachine(Machine):
    """Columns of boxes."""

    layout = Layout("column", whole={"extreme_at": "time", "boxes": "count"}, synthetic=True)
    kernel = "point_figure"

    def begin(self, feed: Feed) -> int | None:
        asked = self.parameters["box"]
        if not asked.is_settled_by(feed.events, feed.kind):
            return None
        size = asked.resolve(feed.events)
        box = math.floor(float(feed.events.close[asked.window - 1]) / size + TOLERANCE)
        self.state["first"] = self.state["extreme"] = box
        self.rule = PointFigureRule(size, self.parameters["reversal"])
        return int(asked.window)

    def run(self, events: Events, rows: Rows) -> tuple[int, int]:
        if self.parameters["method"] == "close":
            events = events._replace(high=events.close, low=events.close)
        done: tuple[int, int] = kernels.point_figure(events, self.rule, self.state, rows)
        return done

    def open_row(self) -> OpenRow | None:
        s = self.state[0]
        direction = int(s["direction"])
        if s["events"] == 0 or direction == 0:
            return None
        left, right = float(s["first"] * self.rule.size), float(s["extreme"] * self.rule.size)
        extra = {"extreme_at": s["extreme_at"], "boxes": abs(int(s["extreme"]) - int(s["first"])) + 1}
        return OpenRow(left, max(left, right), min(left, right), right, extra, direction)


def line_break(
    data: pd.DataFrame | pd.Series[Any],
    lines: int = 3,
    *,
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
) -> pd.DataFrame:
    """Return line break lines: one for each close strictly beyond all of the last `lines` lines.

    Parameters
    ----------
    data : DataFrame or Series
        Bars, of which the closes count; or trades (`price`, `size`); or a Series of prices. Times ascending.
    lines : int
        How many lines a reversal has to break; 3 is usual. While there are fewer, all of them.
    partial, interval, calendar : optional
        As for `renko`.

    Returns
    -------
    DataFrame of shape (n_lines, 10)
        Index `line`; columns as for `renko`.

    Raises
    ------
    InputError
        If the data is not sound, or a parameter is not allowed.

    Examples
    --------
    >>> stamps = pd.date_range("2024-03-01", periods=6, freq="s", tz="UTC")
    >>> prices = pd.Series([10.0, 11.0, 12.0, 11.5, 12.0, 9.0], index=stamps)
    >>> line_break(prices, 2)[["open", "close"]].values.tolist()
    [[10.0, 11.0], [11.0, 12.0], [11.0, 9.0]]
    """
    machine = LineBreakMachine(lookup("line_break").bind({"lines": lines}))
    return build(machine, data, partial=partial, interval=interval, calendar=calendar)


def kagi(
    data: pd.DataFrame | pd.Series[Any],
    reversal: float | str = DEFAULT_SIZE,
    *,
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
) -> pd.DataFrame:
    """Return kagi lines: each runs to an extreme and is complete when the price has come back by `reversal`.

    Parameters
    ----------
    data : DataFrame or Series
        Bars, of which the closes count; or trades (`price`, `size`); or a Series of prices. Times ascending.
    reversal : float or str
        How far the price comes back: an amount; `'4%'` of the extreme; or `'atr(14)'`, as for `renko`.
    partial, interval, calendar : optional
        As for `renko`.

    Returns
    -------
    DataFrame of shape (n_lines, 13)
        Index `line`; columns as for `renko`, and `extreme_at` (when the extreme was first reached; `closed_at` is when
        the reversal confirmed it), `thickness` at the end of the line (1 thick, -1 thin, 0 not decided yet), `turn`
        (price at which the thickness changed within the line, NaN if it did not).

    Raises
    ------
    InputError
        If the data is not sound, or a parameter is not allowed.

    Examples
    --------
    >>> stamps = pd.date_range("2024-03-01", periods=6, freq="s", tz="UTC")
    >>> prices = pd.Series([10.0, 11.0, 13.0, 12.5, 12.0, 14.0], index=stamps)
    >>> kagi(prices, reversal=1)[["open", "close", "event"]].values.tolist()
    [[10.0, 13.0, 4.0], [13.0, 12.0, 5.0]]
    """
    machine = KagiMachine(lookup("kagi").bind({"reversal": reversal}))
    return build(machine, data, partial=partial, interval=interval, calendar=calendar)


def point_figure(
    data: pd.DataFrame | pd.Series[Any],
    box: float | str = DEFAULT_SIZE,
    *,
    reversal: int = 3,
    method: str = "close",
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
) -> pd.DataFrame:
    """Return the columns of a point and figure chart: X while the price rises by boxes, O while it falls.

    Parameters
    ----------
    data : DataFrame or Series
        Bars, or trades (`price`, `size`), or a Series of prices. Times ascending.
    box : float or str
        Size of a box: an amount, `'1%'` of the first price, or `'atr(14)'`; as for `renko`.
    reversal : int
        Boxes that the price has to come back for a new column; 3 is usual.
    method : {'close', 'high_low'}
        What of a bar counts: its close, or its high and low. A new box in the direction of the column comes first, and
        then the other side of that bar is not looked at.
    partial, interval, calendar : optional
        As for `renko`.

    Returns
    -------
    DataFrame of shape (n_columns, 12)
        Index `column`; columns as for `renko`; `open` is the first box and `close` the last, `direction` 1 for X and -1
        for O; `boxes` (how many), `extreme_at` (when the last box was reached; `closed_at` is when the reversal came).

    Raises
    ------
    InputError
        If the data is not sound, or a parameter is not allowed.

    Examples
    --------
    >>> stamps = pd.date_range("2024-03-01", periods=5, freq="s", tz="UTC")
    >>> prices = pd.Series([10.0, 12.2, 14.9, 11.0, 14.0], index=stamps)
    >>> point_figure(prices, box=1)[["open", "close", "boxes", "direction"]].values.tolist()
    [[11.0, 14.0, 4.0, 1.0], [13.0, 11.0, 3.0, -1.0]]
    """
    machine = PointFigureMachine(lookup("point_figure").bind({"box": box, "reversal": reversal, "method": method}))
    return build(machine, data, partial=partial, interval=interval, calendar=calendar)


SPECS = (
    spec_of(
        "line_break",
        LineBreakMachine,
        line_break,
        description="Lines to each close beyond the last lines.",
        takes="trades or bars",
        parameters=(Parameter("lines", "whole", 3, 1, 1000, description="lines that a reversal has to break"),),
    ),
    spec_of(
        "kagi",
        KagiMachine,
        kagi,
        description="Lines from extreme to extreme, thick above the last high and thin below the last low.",
        takes="trades or bars",
        parameters=(
            Parameter("reversal", "size", DEFAULT_SIZE, description="an amount, '4%' of the extreme, or 'atr(14)'"),
        ),
    ),
    spec_of(
        "point_figure",
        PointFigureMachine,
        point_figure,
        description="Columns of X and O, a new one when the price comes back by some boxes.",
        takes="trades or bars",
        parameters=(
            Parameter("box", "size", DEFAULT_SIZE, aliases=("box_size",), description=SIZE.description),
            Parameter("reversal", "whole", 3, 1, 1000, description="boxes of a reversal"),
            Parameter("method", "choice", "close", choices=("close", "high_low"), description="what of a bar counts"),
        ),
    ),
)
