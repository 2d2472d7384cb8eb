"""Backtests whose conditions are read on a chart: rows of the chart decide, bars fill.

The section "On a chart" of `docs/explanation/semantics.md` is the definition. `reference.py` does the same row by row.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from algotrendy.domain.bars import COLUMNS, PRICES, BarArrays, index_times
from algotrendy.domain.calendar import known_instants, utc_stamps
from algotrendy.domain.types import Bool1D, Bool2D, Int1D
from algotrendy.errors import InputError
from algotrendy.expressions import Context
from algotrendy.strategy.inputs import RunInputs, resolve
from algotrendy.strategy.levels import VolatilityTarget
from algotrendy.strategy.signals import signal_words

if TYPE_CHECKING:
    from algotrendy.domain.calendar import Calendar
    from algotrendy.domain.interval import Interval
    from algotrendy.strategy import PythonStrategy, Signals, Strategy

_NS = "datetime64[ns]"


@dataclass(frozen=True, eq=False)
class ChartContext(Context):
    """The surroundings of rows of a chart: no times, because the rows have no equal length."""

    def times(self, purpose: str) -> pd.DatetimeIndex:
        """Refuse: say what cannot be had on a chart."""
        raise InputError(
            f"{purpose} needs bars of equal time, and the rows of a chart are none; leave it out of the conditions, or"
            " backtest without chart="
        )


@dataclass(frozen=True, eq=False)
class ChartView:
    """The rows of a chart, and where they stand among the bars.

    Attributes
    ----------
    rows : DataFrame
        Completed rows, as a Python strategy is handed them.
    arrays : BarArrays
        Their prices and volume, which conditions are read on.
    bar_of : int64 array of shape (n_rows,)
        The bar at whose end each row is known, ascending; -1 or the number of bars: it decides nothing.
    context : Context
        Without times: rows of a chart have no equal length.
    text : str
        What chart it is, for the assumptions.
    """

    rows: pd.DataFrame
    arrays: BarArrays
    bar_of: Int1D
    context: Context
    text: str


def chart_view(given: Any, bars: pd.DataFrame, length: Interval, calendar: Calendar | None, fill: str) -> ChartView:
    """Return the rows of a chart and the bars at whose ends they are known.

    Parameters
    ----------
    given : str, mapping, Chart, DataFrame or ChartView
        A chart to be made of the bars, or the rows of one that was made of anything, such as trades.
    bars : DataFrame
        Checked bars.
    length, calendar
        Of the bars; the calendar as it was given.
    fill : str
        The fill convention.

    Raises
    ------
    InputError
        If it is no chart, its style or a parameter is unknown, or rows are not sound.
    """
    from algotrendy.charts import Chart

    if isinstance(given, ChartView):
        return given
    if isinstance(given, pd.DataFrame):
        _check_rows(given)
        bar_of = _bars_by_time(given, bars, length, calendar, fill)
        return _view(given, bar_of, f"{len(given):,} rows by {given.index.name or 'number'}, {_digest(given)}")
    chart = Chart.of(given)
    rows = chart.rows(bars, interval=length, calendar=calendar)
    _check_rows(rows)
    params = ", ".join(f"{name}={value}" for name, value in list(chart.to_dict().items())[1:])
    return _view(rows, rows["event"].to_numpy(dtype=np.int64), f"{chart.style}({params})")


def refuse_chart_rows(bars: pd.DataFrame) -> None:
    """Refuse rows of a chart in the place of bars: nobody can trade at their prices, or at their times.

    Raises
    ------
    InputError
        If they are some.
    """
    columns = bars.columns if isinstance(bars, pd.DataFrame) else ()
    if not {"closed_at", "synthetic"} <= set(columns):
        return
    remedy = (
        "give the bars, and the chart beside them: at.backtest(strategy, bars, chart=charts.Chart('renko', size=1.0))"
    )
    if bars["synthetic"].to_numpy(dtype=bool).any():
        raise InputError(f"these are the rows of a chart, whose prices were not traded (`synthetic`); {remedy}")
    if not isinstance(bars.index, pd.DatetimeIndex) or bool((bars.index == bars["closed_at"]).all()):
        raise InputError(
            "these are the rows of a chart, and bars are stamped with their start; charts.by_time(rows, 'opened_at')"
            f" makes bars of them; or {remedy}"
        )


def read_on_chart(strategy: Strategy | PythonStrategy | Signals, view: ChartView, n_bars: int) -> RunInputs:
    """Evaluate a strategy on the rows of a chart and return what that means for the bars.

    Raises
    ------
    InputError
        If signals do not fit the rows, or the strategy asks for what only bars of equal time have.
    """
    if isinstance(strategy.size, VolatilityTarget):
        raise InputError(
            "VolatilityTarget annualises by the number of bars in a year, and the rows of a chart have none; write the"
            " size as a text, such as size='0.01 / (stdev(close, 20) / close)'"
        )
    read = resolve(strategy, view.rows, view.arrays, None, view.context) if len(view.rows) else _no_decisions()
    return on_bars(read, view.bar_of, n_bars)


def on_bars(inputs: RunInputs, bar_of: Int1D, n_bars: int) -> RunInputs:
    """Return what the rows of a chart decide, as signals and levels of the bars.

    The rows known at one bar are gone through in order, each deciding on the position that the one before asked for.
    Whatever they are, the outcome is one of six: always long, always short, or flat stays flat while a long and a short
    position are each kept or closed. So four signals can say it.

    Parameters
    ----------
    inputs : RunInputs
        Of the rows.
    bar_of : int64 array of shape (n_rows,)
        See `ChartView`.
    n_bars : int
        Number of bars.
    """
    counted = (bar_of >= 0) & (bar_of < n_bars)
    places = np.flatnonzero(counted)
    signals = np.zeros((4, n_bars), dtype=bool)
    levels = {name: getattr(inputs, name) for name in ("stop", "target", "trail", "size")}
    decided = np.zeros(n_bars, dtype=np.int64)
    if places.size:
        bits = _unpacked(inputs.words, bar_of.size)[:, places]
        at = bar_of[places]
        firsts = np.flatnonzero(np.append(True, at[1:] != at[:-1]))
        outcome, rows = _outcome(bits, firsts)
        signals[:, at[firsts]] = outcome
        decided[at[firsts]] = places[rows]
    for name, values in levels.items():
        if values.size == bar_of.size and values.size > 1:
            levels[name] = np.ascontiguousarray(values[decided])
    return inputs._replace(words=signal_words(list(signals)), **levels)


def _no_decisions() -> RunInputs:
    """Return the inputs of a chart without rows."""
    none = np.array([np.nan])
    return RunInputs(np.zeros((4, 0), dtype=np.uint64), none, none, none, np.array([1.0]), 0)


def _outcome(bits: Bool2D, firsts: Int1D) -> tuple[Bool2D, Int1D]:
    """Return the four signals of each group of rows, and the row that the levels of an entry are taken from."""
    entry, leave, short_entry, short_leave = bits
    go_long, go_short = entry & ~leave, short_entry & ~short_leave
    go_long, go_short = go_long & ~go_short, go_short & ~go_long
    neither = ~(go_long | go_short)
    last_long, last_short = _last(go_long, firsts), _last(go_short, firsts)
    last_leave, last_short_leave = _last(leave & neither, firsts), _last(short_leave & neither, firsts)
    is_long = (last_long > last_short) & (last_long > last_leave)
    is_short = (last_short > last_long) & (last_short > last_short_leave)
    is_flat = (np.maximum(last_long, last_short) >= 0) & ~is_long & ~is_short
    stays = ~(is_long | is_short | is_flat)
    signals = np.stack(
        [is_long, is_flat | (stays & (last_leave >= 0)), is_short, is_flat | (stays & (last_short_leave >= 0))]
    )
    row_long = _first_after(go_long, np.maximum(last_short, last_leave), firsts)
    row_short = _first_after(go_short, np.maximum(last_long, last_short_leave), firsts)
    return signals, np.where(is_long, row_long, np.where(is_short, row_short, firsts))


def _last(true: Bool1D, firsts: Int1D) -> Int1D:
    """Return the position of the last true row of each group, -1 if there is none."""
    last: Int1D = np.maximum.reduceat(np.where(true, np.arange(true.size), -1), firsts)
    return last


def _first_after(true: Bool1D, after: Int1D, firsts: Int1D) -> Int1D:
    """Return the position of the first true row of each group behind the position `after`; the last row if none."""
    places = np.arange(true.size)
    behind = places > np.repeat(after, np.diff(firsts, append=true.size))
    first: Int1D = np.minimum.reduceat(np.where(true & behind, places, true.size - 1), firsts)
    return first


def _unpacked(words: Any, n_rows: int) -> Bool2D:
    """Return the bits of words as bool, one row per condition."""
    octets = np.ascontiguousarray(words).astype("<u8").view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little", count=n_rows).astype(bool)


def _view(rows: pd.DataFrame, bar_of: Int1D, text: str) -> ChartView:
    with_volume = rows if "volume" in rows.columns else rows.assign(volume=0.0)
    columns: Any = (np.ascontiguousarray(with_volume[name].to_numpy(dtype=np.float64)) for name in COLUMNS)
    return ChartView(rows, BarArrays(*columns), bar_of, ChartContext(), text)


def _check_rows(rows: pd.DataFrame) -> None:
    """Refuse a frame that is no chart, or whose rows may still change."""
    missing = [name for name in (*PRICES, "closed_at") if name not in rows.columns]
    if missing:
        raise InputError(
            f"the frame given as chart has no column {missing[0]!r}; give the rows of a chart, such as"
            " charts.tick(trades, 500), or a style to be made of the bars, such as charts.Chart('renko', size=1.0)"
        )
    closed = rows["closed_at"]
    if not isinstance(closed.dtype, pd.DatetimeTZDtype) or not closed.is_monotonic_increasing:
        raise InputError("`closed_at` of the chart's rows must be UTC times that never go back, as charts give them")
    if "is_partial" in rows.columns and rows["is_partial"].to_numpy(dtype=bool).any():
        raise InputError(
            "the last row of the chart is unfinished (`is_partial`) and may change; make it with partial=False"
        )
    if not np.isfinite(rows[list(PRICES)].to_numpy(dtype=np.float64)).all():
        raise InputError("a price of the chart's rows is missing or not finite; drop those rows")


def _bars_by_time(
    rows: pd.DataFrame, bars: pd.DataFrame, length: Interval, calendar: Calendar | None, fill: str
) -> Int1D:
    """Return for each row the bar at whose end it is known, by the times of both.

    That is the last bar that had begun when the row closed: one that closes at the very start of a bar may have seen
    its first trade. A row that closes between two bars must not be filled at the close before it.
    """
    index = pd.DatetimeIndex(bars.index)
    closed = index_times(pd.DatetimeIndex(rows["closed_at"]).as_unit("ns")).view(_NS)
    stamps = utc_stamps(index.as_unit("ns"))
    begun = np.searchsorted(stamps, closed, side="right").astype(np.int64) - 1
    if fill == "same_close":
        ends = known_instants(stamps, length, calendar)
        return np.maximum(begun, np.searchsorted(ends, closed, side="left").astype(np.int64))
    return begun


def _digest(rows: pd.DataFrame) -> str:
    """Return a short hash of the rows, so that results of different rows do not pass for the same."""
    hashed = hashlib.sha256()
    for name in (*PRICES, "closed_at"):
        column = rows[name]
        values: Any = pd.DatetimeIndex(column).asi8 if name == "closed_at" else column.to_numpy(dtype=np.float64)
        hashed.update(np.ascontiguousarray(values).tobytes())
    return hashed.hexdigest()[:12]
