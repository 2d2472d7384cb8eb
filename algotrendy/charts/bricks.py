"""Renko bricks and range bars: every row spans a fixed distance of price."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from algotrendy.charts.feed import Feed
from algotrendy.charts.machine import Layout, Machine, OpenRow, as_pair, build, spec_of
from algotrendy.charts.registry import Parameter, lookup
from algotrendy.kernels import charts_bricks as kernels
from algotrendy.kernels import charts_checked as checked
from algotrendy.kernels.charts_types import TOLERANCE, Events, RangeRule, RenkoRule, Rows

if TYPE_CHECKING:
    from algotrendy.domain.calendar import Calendar
    from algotrendy.domain.interval import Interval

DEFAULT_SIZE = "atr(14)"


class RenkoMachine(Machine):
    """Bricks between whole multiples of the size."""

    layout = Layout("brick", synthetic=True)
    kernel = "renko"

    def begin(self, feed: Feed) -> int | None:
        asked = self.parameters["size"]
        if not asked.is_settled_by(feed.events, feed.kind):
            return None
        size = asked.resolve(feed.events)
        price, anchor = float(feed.events.close[asked.window - 1]), self.parameters["anchor"]
        if anchor == "first":
            self.state["origin"] = price
        else:
            half = 0.5 if anchor == "nearest" else 0.0
            self.state["level"] = math.floor(price / size + half + TOLERANCE)
        self.rule = RenkoRule(size, self.parameters["reversal_bricks"], self.parameters["wicks"])
        return int(asked.window) - 1

    def run(self, events: Events, rows: Rows) -> tuple[int, int]:
        if self.before is not None:
            return as_pair(checked.checked_renko(events, self.before, self.rule, self.state, rows))
        return as_pair(kernels.renko(events, self.rule, self.state, rows))

    @property
    def can_check(self) -> bool:
        return True

    def open_row(self) -> OpenRow | None:
        s = self.state[0]
        if s["events"] == 0:
            return None
        left, last = float(s["origin"] + s["level"] * self.rule.size), float(s["last"])
        high, low = (s["high"], s["low"]) if self.rule.wicks else (last, last)
        return OpenRow(left, max(left, high), min(left, low), last, {})


class RangeMachine(Machine):
    """Bars from low to high of the size."""

    layout = Layout("bar", whole={"phantom": "flag"}, synthetic=True)
    kernel = "range"

    def begin(self, feed: Feed) -> int | None:
        asked = self.parameters["size"]
        if not asked.is_settled_by(feed.events, feed.kind):
            return None
        self.rule = RangeRule(asked.resolve(feed.events), self.parameters["phantom"])
        return int(asked.window) - 1

    def run(self, events: Events, rows: Rows) -> tuple[int, int]:
        if self.before is not None:
            return as_pair(checked.checked_range_bars(events, self.before, self.rule, self.state, rows))
        return as_pair(kernels.range_bars(events, self.rule, self.state, rows))

    @property
    def can_check(self) -> bool:
        return True

    def open_row(self) -> OpenRow | None:
        s = self.state[0]
        if s["events"] == 0:
            return None
        return OpenRow(s["open"], s["high"], s["low"], s["last"], {"phantom": 0})


def renko(
    data: pd.DataFrame | pd.Series[Any],
    size: float | str = DEFAULT_SIZE,
    *,
    reversal_bricks: int = 2,
    anchor: str = "floor",
    wicks: bool = True,
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
) -> pd.DataFrame:
    """Return renko bricks: rows between neighbouring multiples of `size`, one for each that the closes pass.

    Parameters
    ----------
    data : DataFrame or Series
        Bars, of which the closes count; or trades (`price`, `size`); or a Series of prices. Times ascending.
    size : float or str
        Of a brick: an amount of price; `'1%'` of the first price; or `'atr(14)'`, the mean true range of the first 14
        bars after the first one, with which no brick is made. It is settled once and never changes.
    reversal_bricks : {2, 1}
        Against the last brick, a new one begins where that one began (2) or where it ended (1).
    anchor : {'floor', 'nearest', 'first'}
        Where the grid of levels begins: at the multiple of `size` below the first price, at the nearest one, or at the
        first price itself.
    wicks : bool
        Whether `low` of a rising brick (`high` of a falling one) shows how far prices went against it.
    partial : bool
        Add the brick in the making as a last row, marked in the column `is_partial`.
    interval, calendar : optional
        Length of the bars, and the calendar that says when daily bars are known; read off the stamps, and midnight UTC.

    Returns
    -------
    DataFrame of shape (n_bricks, 10)
        Index `brick`; `open high low close volume`, `opened_at`, `closed_at` (UTC), `direction` (1, -1), `event` (row
        of `data` that completed it), `synthetic` (True: the levels are no traded prices).

    Raises
    ------
    InputError
        If the data is not sound, a parameter is not allowed, or the size is too small for the price.

    Examples
    --------
    >>> stamps = pd.date_range("2024-03-01", periods=5, freq="s", tz="UTC")
    >>> prices = pd.Series([10.0, 11.2, 13.0, 12.5, 11.0], index=stamps)
    >>> renko(prices, size=1)[["open", "close", "event"]].values.tolist()
    [[10.0, 11.0, 1.0], [11.0, 12.0, 2.0], [12.0, 13.0, 2.0], [12.0, 11.0, 4.0]]
    """
    given = {"size": size, "reversal_bricks": reversal_bricks, "anchor": anchor, "wicks": wicks}
    machine = RenkoMachine(lookup("renko").bind(given))
    return build(machine, data, partial=partial, interval=interval, calendar=calendar)


def range(
    data: pd.DataFrame | pd.Series[Any],
    size: float | str = DEFAULT_SIZE,
    *,
    phantom: bool = False,
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
) -> pd.DataFrame:
    """Return range bars: each is complete when its closes span `size`, which is then its high less its low.

    Parameters
    ----------
    data : DataFrame or Series
        Bars, of which the closes count; or trades (`price`, `size`); or a Series of prices. Times ascending.
    size : float or str
        Of the range: an amount, `'1%'` of the first price, or `'atr(14)'`; as for `renko`.
    phantom : bool
        After a jump beyond the end of a bar, True fills the way with phantom bars, and each bar begins where the one
        before ended; False begins the next bar at the price after the jump.
    partial, interval, calendar : optional
        As for `renko`.

    Returns
    -------
    DataFrame of shape (n_bars, 11)
        Index `bar`; columns as for `renko`, and `phantom` (True: no price lay inside the bar).

    Raises
    ------
    InputError
        If the data is not sound, a parameter is not allowed, or the size is too small for the price.

    Examples
    --------
    >>> stamps = pd.date_range("2024-03-01", periods=4, freq="s", tz="UTC")
    >>> prices = pd.Series([10.0, 10.5, 13.0, 13.5], index=stamps)
    >>> range(prices, size=1)[["open", "close"]].values.tolist()
    [[10.0, 11.0]]
    >>> range(prices, size=1, phantom=True)[["open", "close"]].values.tolist()
    [[10.0, 11.0], [11.0, 12.0], [12.0, 13.0]]
    """
    machine = RangeMachine(lookup("range").bind({"size": size, "phantom": phantom}))
    return build(machine, data, partial=partial, interval=interval, calendar=calendar)


SIZE = Parameter("size", "size", DEFAULT_SIZE, description="an amount of price, a percentage like '1%', or 'atr(14)'")
SPECS = (
    spec_of(
        "renko",
        RenkoMachine,
        renko,
        description="Bricks of a fixed size, drawn when the price has passed them.",
        takes="trades or bars",
        parameters=(
            Parameter("size", "size", DEFAULT_SIZE, aliases=("brick_size",), description=SIZE.description),
            Parameter("reversal_bricks", "whole", 2, 1, 2, description="bricks of a reversal, 2 or 1"),
            Parameter("anchor", "choice", "floor", choices=("floor", "nearest", "first"), description="of the grid"),
            Parameter("wicks", "flag", True, description="whether high and low show the way against the brick"),
        ),
    ),
    spec_of(
        "range",
        RangeMachine,
        range,
        description="Bars whose high and low lie a fixed distance apart.",
        takes="trades or bars",
        parameters=(SIZE, Parameter("phantom", "flag", False, description="whether a jump is filled with bars")),
    ),
)
