"""The bars under examination, laid out for the checks: as given, and as a clean series beside it.

Nothing is demanded of the frame but columns of prices and times that can be read: the faults are what is looked for.
Checks of single rows read `columns`; checks of the series read `open` to `volume`, which hold the sound rows alone,
oldest first, each stamp once, and `rows`, which says where these stand in the frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from algotrendy.data.quality.issue import Seen
from algotrendy.data.quality.stamps import NAT, dates_of, distinct, find_zone, instants_of, usual_interval
from algotrendy.domain.bars import PRICES
from algotrendy.domain.calendar import Calendar
from algotrendy.domain.interval import Interval
from algotrendy.domain.types import Bool1D, Dates1D, Float1D, Int1D
from algotrendy.errors import InputError

KNOWN = (*PRICES, "volume", "adj_close", "dividends", "stock_splits")
SIDES = ("bid", "ask")


class Events(NamedTuple):
    """Corporate actions: dates of ex-days and, for each, the new shares per old one or the dividend per share."""

    dates: Dates1D
    values: Float1D


NO_EVENTS = Events(np.zeros(0, dtype="datetime64[D]"), np.zeros(0))


@dataclass(frozen=True, eq=False)
class Subject:
    """What every check is handed.

    Attributes
    ----------
    frame : DataFrame
        As given; never changed.
    names : mapping of str to label
        The frame's own label of each column that is known.
    columns : mapping of str to float64 array of shape (n_rows,)
        The known columns, rows as given; what is no number is NaN.
    stamps : int64 array of shape (n_rows,)
        Nanoseconds in UTC, rows as given; the smallest integer where a stamp is missing.
    interval : Interval or None
        How long a bar lasts; None if it cannot be told.
    calendar : Calendar
        The one given, or inferred.
    calendar_known : bool
        Whether its holidays can be relied on: it was given, it fits the bars, or the market never closes.
    calendar_given : bool
        Whether the caller named it, and it knows holidays.
    splits, dividends : Events
        The corporate actions, if any are known.
    has_actions : bool
        Whether they were given: an empty list says that there were none.
    quotes : DataFrame or None
        Bid and ask.
    adjusted : {"raw", "splits", "all"} or None
        What the prices are said to be.
    now : Timestamp or None
        The moment of the check.
    """

    frame: pd.DataFrame
    index: pd.DatetimeIndex
    names: Mapping[str, Any]
    columns: Mapping[str, Float1D]
    stamps: Int1D
    interval: Interval | None
    calendar: Calendar
    calendar_known: bool = True
    calendar_given: bool = False
    splits: Events = NO_EVENTS
    dividends: Events = NO_EVENTS
    has_actions: bool = False
    quotes: pd.DataFrame | None = None
    adjusted: str | None = None
    now: pd.Timestamp | None = None
    zone: str | None = field(default=None)

    # --- the clean series ---

    @cached_property
    def sound(self) -> Bool1D:
        """The rows with a stamp and four finite, positive prices."""
        sound: Bool1D = self.stamps != NAT
        for name in PRICES:
            column = self.columns[name]
            sound &= (column > 0.0) & (column < np.inf)  # a NaN fails both
        return sound

    @cached_property
    def rows(self) -> Int1D:
        """Positions of the sound rows, oldest first; of rows with one stamp the one that would be kept."""
        rows = np.flatnonzero(self.sound)
        stamps = self.stamps[rows]
        if stamps.size > 1 and (stamps[1:] < stamps[:-1]).any():
            rows = rows[np.argsort(stamps, kind="stable")]
            stamps = self.stamps[rows]
        if stamps.size > 1 and (stamps[1:] == stamps[:-1]).any():
            rows = rows[kept_of_doubles(stamps, self.columns["volume"][rows])]
        return rows

    @cached_property
    def times(self) -> Int1D:
        """The stamps of the clean series, strictly ascending."""
        return self.stamps[self.rows]

    @cached_property
    def dates(self) -> Dates1D:
        """The dates of the clean series: the session dates for bars of a day or longer, else UTC dates."""
        return dates_of(self.times, self.zone if self.is_daily else None)

    def clean(self, name: str) -> Float1D:
        """Return a column of the clean series."""
        return self.columns[name][self.rows]

    @property
    def open(self) -> Float1D:
        """The opens of the clean series."""
        return self._clean["open"]

    @property
    def high(self) -> Float1D:
        """The highs of the clean series."""
        return self._clean["high"]

    @property
    def low(self) -> Float1D:
        """The lows of the clean series."""
        return self._clean["low"]

    @property
    def close(self) -> Float1D:
        """The closes of the clean series."""
        return self._clean["close"]

    @property
    def volume(self) -> Float1D:
        """The volumes of the clean series; zeros if the frame has none."""
        return self._clean["volume"]

    @cached_property
    def _clean(self) -> dict[str, Float1D]:
        plain = self.rows.size == len(self.stamps) and bool((np.diff(self.rows) == 1).all())
        names = [name for name in (*PRICES, "volume") if name in self.columns]
        return {name: self.columns[name] if plain else self.clean(name) for name in names}

    # --- facts ---

    @property
    def n(self) -> int:
        """The number of bars of the clean series."""
        return int(self.rows.size)

    @property
    def is_daily(self) -> bool:
        """Whether bars last a day or longer."""
        return self.interval is not None and not self.interval.is_intraday

    @cached_property
    def has_volume(self) -> bool:
        """Whether the bars have volume: it is positive somewhere."""
        return bool((self.columns["volume"] > 0.0).any())

    @cached_property
    def memo(self) -> dict[str, Any]:
        """What one check has worked out and another one needs."""
        return {}

    @cached_property
    def seen(self) -> Seen:
        """A copy of the rows as given, for repairs."""
        return Seen(self.stamps.copy(), {name: column.copy() for name, column in self.columns.items()})

    def stamp(self, row: int) -> pd.Timestamp:
        """Return the stamp of a row of the frame, in the frame's own zone."""
        found: pd.Timestamp = self.index[row]
        return found

    def at(self, time: int | np.int64) -> pd.Timestamp:
        """Return nanoseconds in UTC as a stamp like those of the frame."""
        stamp = pd.Timestamp(int(time), unit="ns", tz="UTC")
        return stamp.tz_localize(None) if self.index.tz is None else stamp.tz_convert(self.index.tz)

    def span(self, rows: Int1D) -> dict[str, Any]:
        """Return what an issue says about rows of the frame: the first and last stamp, the count and the rows."""
        stamps = self.stamps[rows]
        known = stamps[stamps != NAT]
        first, last = (known.min(), known.max()) if known.size else (NAT, NAT)
        ends = [pd.NaT if end == NAT else self.at(end) for end in (first, last)]
        return {"first": ends[0], "last": ends[1], "count": int(rows.size), "rows": np.sort(rows)}


def kept_of_doubles(stamps: Int1D, volume: Float1D) -> Int1D:
    """Return of sorted stamps the position to keep for each: that with the most volume, of equals the last.

    A bar that was seen before it was finished has traded less than the same bar later; a correction comes later.

    Examples
    --------
    >>> kept_of_doubles(np.array([1, 2, 2, 3, 3]), np.array([5.0, 9.0, 7.0, 4.0, 4.0]))
    array([0, 1, 4])
    """
    traded = np.where(np.isfinite(volume), volume, -1.0)
    order = np.lexsort((np.arange(stamps.size), traded, stamps))
    last = np.append(stamps[order][1:] != stamps[order][:-1], True)
    kept: Int1D = np.sort(order[last])
    return kept


def read_frame(bars: pd.DataFrame) -> tuple[pd.DatetimeIndex, dict[str, Any], dict[str, Float1D]]:
    """Return the times of a frame, its labels of the known columns, and these columns as numbers.

    Where there are bid and ask columns instead of prices, the prices are their middle.

    Raises
    ------
    InputError
        If it is no DataFrame, has no times, or lacks a price column.
    """
    if not isinstance(bars, pd.DataFrame):
        raise InputError(
            f"bars are {type(bars).__module__}.{type(bars).__qualname__}, expected a pandas DataFrame with a time index"
            " and columns open high low close volume; for other frames use algotrendy.data.as_bars(frame)"
        )
    if isinstance(bars.columns, pd.MultiIndex):
        raise InputError(f"the columns have {bars.columns.nlevels} levels; select one symbol first")
    labels = {_plain(label): label for label in reversed(list(bars.columns))}
    names = {name: labels[name] for name in KNOWN if name in labels}
    columns = {name: _numbers(bars, label) for name, label in names.items()}
    if not any(name in columns for name in PRICES):
        sides = {side: {name: labels.get(f"{side}_{name}") for name in PRICES} for side in SIDES}
        if all(label is not None for side in sides.values() for label in side.values()):
            columns |= {
                name: (_numbers(bars, sides["bid"][name]) + _numbers(bars, sides["ask"][name])) / 2.0 for name in PRICES
            }
    lacking = [name for name in PRICES if name not in columns]
    if lacking:
        found = ", ".join(str(label) for label in bars.columns) or "none"
        raise InputError(f"bars have no column {lacking[0]!r}; found: {found}; see algotrendy.data.as_bars")
    columns.setdefault("volume", np.zeros(len(bars)))
    return read_index(bars), names, columns


def read_index(bars: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the times of a frame; texts are read, and stamps of several offsets brought to UTC.

    Raises
    ------
    InputError
        If the index holds something else.
    """
    index: Any = bars.index
    if isinstance(index, pd.DatetimeIndex):
        return index
    if len(index) and (index.dtype == object or pd.api.types.is_string_dtype(index.dtype)):
        try:
            aware = pd.DatetimeIndex(pd.to_datetime(index, utc=True))
            offsets = any(_has_zone(value) for value in (index[0], index[-1]))
        except (ValueError, TypeError) as e:
            raise InputError(f"the index holds {index[0]!r}, which is no time: {e}") from e
        return (aware if offsets else aware.tz_localize(None)).rename(index.name)
    raise InputError(
        f"the index is a {type(index).__name__} of {index.dtype}, expected times;"
        ' set the column that holds them: bars = bars.set_index("time")'
    )


def _has_zone(value: Any) -> bool:
    return pd.Timestamp(value).tzinfo is not None


def _plain(label: object) -> str:
    return "_".join(str(label).strip().lower().split())


def _numbers(bars: pd.DataFrame, label: Any) -> Float1D:
    column: Any = bars[label]
    if isinstance(column, pd.DataFrame):
        raise InputError(f"there are {column.shape[1]} columns named {label!r}, expected one")
    if column.dtype != np.float64:
        column = pd.to_numeric(column, errors="coerce")
    numbers: Float1D = np.ascontiguousarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return numbers


def known_stamps(stamps: Int1D) -> Int1D:
    """Return the stamps that are there, ascending, each once."""
    known = stamps if not stamps.size or stamps.min() != NAT else stamps[stamps != NAT]
    if known.size > 1 and not (known[1:] > known[:-1]).all():
        known = distinct(np.sort(known))
    return known


def layout(index: pd.DatetimeIndex, interval: Interval | None) -> tuple[Int1D, Interval | None, str | None]:
    """Return the stamps in nanoseconds, the interval (found if it is not given) and the zone of daily midnights."""
    stamps = instants_of(index)
    known = known_stamps(stamps)
    zone = find_zone(index, known)
    if interval is None:
        interval = usual_interval(known, zone)
    return stamps, interval, zone
