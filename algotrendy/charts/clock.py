"""Time bars and heikin-ashi: rows that the clock completes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from algotrendy.charts.feed import Feed, read_only
from algotrendy.charts.machine import Layout, Machine, OpenRow, build, spec_of
from algotrendy.charts.registry import Parameter, lookup
from algotrendy.domain.resample import periods_of
from algotrendy.errors import InputError
from algotrendy.kernels import charts_activity as kernels
from algotrendy.kernels.charts_types import Events, Periods, Rows

if TYPE_CHECKING:
    from algotrendy.domain.calendar import Calendar
    from algotrendy.domain.interval import Interval


class TimeMachine(Machine):
    """Bars of equal periods."""

    layout = Layout("bar", whole={"ticks": "count"})
    kernel = "time"
    periods: Periods

    def follow(self, feed: Feed) -> None:
        index = pd.DatetimeIndex(feed.events.start.view(f"M8[{feed.unit}]"))
        if feed.interval is None or feed.interval.is_intraday or not index.is_normalized:
            index = index.tz_localize("UTC")
        found = periods_of(index, self.parameters["rule"], interval=feed.interval, calendar=feed.calendar)
        stamps = (np.ascontiguousarray(each).view(np.int64) for each in (found.starts, found.ends))
        self.periods = Periods(*(read_only(each) for each in (*stamps, found.complete.astype(np.int64))))

    def run(self, events: Events, rows: Rows) -> tuple[int, int]:
        left = events.close.size
        rule = Periods(*(values[values.size - left :] for values in self.periods))
        done: tuple[int, int] = kernels.periods(events, rule, self.state, rows)
        return done

    def open_row(self) -> OpenRow | None:
        s = self.state[0]
        if s["events"] == 0:
            return None
        return OpenRow(s["open"], s["high"], s["low"], s["last"], {"ticks": s["events"]})


class HeikinAshiMachine(Machine):
    """One smoothed bar per bar."""

    layout = Layout("bar", ("real_open", "real_high", "real_low", "real_close"), synthetic=True)
    kernel = "heikin_ashi"

    def begin(self, feed: Feed) -> int | None:
        if feed.kind != "bars":
            raise InputError(
                "heikin-ashi smooths bars, and these are trades; make bars first, such as"
                " charts.by_time(charts.time(trades, '1m'), 'opened_at')"
            )
        return 0

    def run(self, events: Events, rows: Rows) -> tuple[int, int]:
        done: tuple[int, int] = kernels.heikin_ashi(events, 0, self.state, rows)
        return done

    def open_row(self) -> OpenRow | None:
        return None  # every bar is a row, and complete


def time(
    data: pd.DataFrame | pd.Series[Any],
    rule: Interval | str,
    *,
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
) -> pd.DataFrame:
    """Return bars of equal periods, such as five minutes or a week; periods without events have no row.

    Parameters
    ----------
    data : DataFrame or Series
        Trades (`price`, `size`), or a Series of prices, or bars that whole periods are made of. Times ascending.
    rule : str or Interval
        Length of a period: `30s 5m 1h 1d 1wk 1mo`. Periods within a day count from midnight UTC.
    partial : bool
        Add the period that is not over as a last row, marked in the column `is_partial`.
    interval : str or Interval, optional
        Length of the bars that come in; read off their stamps by default.
    calendar : Calendar or str, optional
        Such as 'XNYS': decides to which day an event belongs, and which session is the last of a week. Without one,
        days are UTC days.

    Returns
    -------
    DataFrame of shape (n_bars, 11)
        Index `bar`; columns as for `tick`. `opened_at` and `closed_at` are the ends of the period by the clock; `event`
        is the row of `data` at which it was known to be over.

    Raises
    ------
    InputError
        If the data is not sound, or whole bars do not fit into the period.

    Examples
    --------
    >>> stamps = pd.to_datetime(["2024-03-01 10:00:10", "2024-03-01 10:00:50", "2024-03-01 10:03:00"], utc=True)
    >>> bars = time(pd.Series([10.0, 11.0, 12.0], index=stamps), "1m")
    >>> bars[["open", "close", "event"]].values.tolist(), str(bars["closed_at"][0])
    ([[10.0, 11.0, 2.0]], '2024-03-01 10:01:00+00:00')
    """
    machine = TimeMachine(lookup("time").bind({"rule": rule}))
    return build(machine, data, partial=partial, interval=interval, calendar=calendar)


def heikin_ashi(
    data: pd.DataFrame,
    *,
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
) -> pd.DataFrame:
    """Return heikin-ashi bars, the real prices beside them.

    The close is the mean of the four prices of the bar; the open is the middle of the last heikin-ashi bar, and of the
    first bar (open + close) / 2; high and low take in both.

    Parameters
    ----------
    data : DataFrame
        Bars, ascending.
    partial : bool
        Has no effect: every bar is a row, and complete.
    interval, calendar : optional
        As for `renko`.

    Returns
    -------
    DataFrame of shape (n_bars, 14)
        Index `bar`; columns as for `renko`, and `real_open real_high real_low real_close`. `synthetic` is True.

    Raises
    ------
    InputError
        If the bars are not sound, or are trades.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = at.synthetic(n=3, seed=1)
    >>> rows = heikin_ashi(bars)
    >>> bool(rows["open"][1] == (rows["open"][0] + rows["close"][0]) / 2), rows["real_close"].equals(
    ...     bars["close"].reset_index(drop=True).rename("real_close").rename_axis("bar"))
    (True, True)
    """
    machine = HeikinAshiMachine(lookup("heikin_ashi").bind({}))
    return build(machine, data, partial=partial, interval=interval, calendar=calendar)


SPECS = (
    spec_of(
        "time",
        TimeMachine,
        time,
        description="Bars of equal periods.",
        takes="trades or bars",
        parameters=(Parameter("rule", "rule", None, description="the length of a period, such as '5m'"),),
    ),
    spec_of(
        "heikin_ashi",
        HeikinAshiMachine,
        heikin_ashi,
        description="Bars smoothed with those before; no real prices.",
        takes="bars",
        parameters=(),
    ),
)
