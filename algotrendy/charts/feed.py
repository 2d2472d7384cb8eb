"""From frames of bars or trades to the events that charts are made of; quotes become prices by `mid`.

A bar is an event known at its end. A trade is an event at its stamp; stamps may repeat, and the order of the rows is
the order of the trades.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn

import numpy as np
import pandas as pd

from algotrendy.domain.bars import PRICES, checked_arrays, index_times
from algotrendy.domain.calendar import Calendar, as_calendar, known_instants, utc_stamps
from algotrendy.domain.faults import stamp_text
from algotrendy.domain.interval import Interval, infer_interval
from algotrendy.domain.types import AnyArray, Float1D
from algotrendy.errors import InputError
from algotrendy.kernels.charts_rows import trades_are_sound
from algotrendy.kernels.charts_types import Events

__all__ = ["Feed", "as_feed", "as_interval", "mid", "read_only"]

Kind = Literal["bars", "trades"]
_UTC = frozenset({"UTC", "Etc/UTC", "tzutc()", "UTC+00:00"})
CROSSED = ("raise", "keep", "drop")
_PIECE = 1 << 17


@dataclass(frozen=True)
class Feed:
    """Events, and what their stamps mean.

    Attributes
    ----------
    events : Events
        Oldest first.
    kind : {"bars", "trades"}
        What they were.
    unit : str
        Of the stamps: "ns", "us", "ms" or "s".
    interval : Interval or None
        The length of the bars; None for trades.
    calendar : Calendar or None
        Tells when a session ends.
    has_size : bool
        Whether the data says how much was traded.
    """

    events: Events
    kind: Kind
    unit: str
    interval: Interval | None = None
    calendar: Calendar | None = None
    has_size: bool = True

    def after(self, count: int) -> Feed:
        """Return the feed without its first `count` events."""
        return self if count == 0 else self._cut(count, None)

    def pieces(self) -> Iterator[Feed]:
        """Yield the feed in pieces that fit into a cache, each checked as it comes.

        Raises
        ------
        InputError
            If a trade is not sound.
        """
        size = self.events.close.size
        for at in range(0, size, _PIECE):
            self.check(at, at + _PIECE)
            yield self if size <= _PIECE else self._cut(at, at + _PIECE)

    def check(self, begin: int = 0, end: int | None = None) -> None:
        """Refuse trades that are not sound, from event `begin` on; bars were checked when they came in.

        Raises
        ------
        InputError
            If there is one; the message names the first.
        """
        if self.kind != "trades":
            return
        times, price, size = self.events.start, self.events.close, self.events.volume
        places = slice(max(begin - 1, 0), end)  # with the one before, which times must not fall behind
        if not trades_are_sound(times[places], price[places], size[places]):
            index = pd.DatetimeIndex(times.view(f"M8[{self.unit}]")).tz_localize("UTC")
            _explain(index, price, size)

    def _cut(self, begin: int, end: int | None) -> Feed:
        pieces: Any = (values[begin:end] for values in self.events)
        return replace(self, events=Events(*pieces))

    def kept(self) -> Feed:
        """Return the feed with copies of its events: a stream writes the next one where the last one stood."""
        pieces: Any = (read_only(values.copy()) for values in self.events)
        return replace(self, events=Events(*pieces))

    def joined(self, other: Feed) -> Feed:
        """Return these events and those of `other` after them."""
        pairs = zip(self.events, other.events, strict=True)
        return replace(other, events=Events(*(read_only(np.concatenate(pair)) for pair in pairs)))


def as_feed(data: Any, *, interval: Any = None, calendar: Any = None, unit: str | None = None) -> Feed:
    """Return the events of a frame of bars or trades, or of a Series of prices; trades are not checked yet.

    Parameters
    ----------
    data : DataFrame or Series
        Bars as `check_bars` demands; or trades: index of UTC times, never going back, columns `price` and, if there is
        one, `size`; or a Series of prices.
    interval : str or Interval, optional
        Length of the bars; read off their stamps by default.
    calendar : Calendar or str, optional
        When daily bars are known: at the close of their session, at midnight UTC by default.
    unit : str, optional
        Of the stamps; that of the index by default.

    Raises
    ------
    InputError
        If the data is neither, or not sound; the message names the place and the remedy.
    """
    if isinstance(data, pd.Series):
        data = data.to_frame("price")
    if not isinstance(data, pd.DataFrame):
        kind = type(data)
        raise InputError(
            f"a chart is made of a DataFrame of bars or of trades, found {kind.__module__}.{kind.__qualname__};"
            " algotrendy.data.as_bars(frame) makes bars of frames of other libraries"
        )
    chosen = None if calendar is None else as_calendar(calendar)
    if "price" in data.columns and not {"open", "close"} & set(data.columns):
        return _trades(data, chosen, unit)
    if {"bid", "ask"} <= set(data.columns) or {"bid_close", "ask_close"} <= set(data.columns):
        raise InputError("these are quotes, bid and ask; make prices of them first: charts.mid(quotes)")
    return _bars(data, interval, chosen, unit)


def as_interval(interval: Any) -> Interval | None:
    """Return an interval by its text, or as it is."""
    return None if interval is None else Interval.parse(interval)


def read_only(values: AnyArray) -> AnyArray:
    """Return contiguous values that cannot be written to: so kernels are compiled for one type of array only."""
    view = np.ascontiguousarray(values).view()
    view.flags.writeable = False
    return view


def _in_unit(index: pd.DatetimeIndex, unit: Any) -> pd.DatetimeIndex:
    return index if unit is None or index.unit == unit else index.as_unit(unit)


def _bars(bars: pd.DataFrame, interval: Any, calendar: Calendar | None, unit: str | None) -> Feed:
    if "closed_at" in bars.columns and not isinstance(bars.index, pd.DatetimeIndex):
        raise InputError("these are the rows of a chart already; make the other chart from the bars or trades")
    arrays = checked_arrays(bars)
    if "is_partial" in bars.columns and bars["is_partial"].to_numpy(dtype=bool).any():
        raise InputError(
            "the bars hold an unfinished one (`is_partial`), which may still change; leave it out:"
            ' bars = bars[~bars["is_partial"].astype(bool)]'
        )
    index = _in_unit(pd.DatetimeIndex(bars.index), unit)
    length = infer_interval(index) if interval is None else Interval.parse(interval)
    stamps = utc_stamps(index)
    start = read_only(index_times(index))
    end = read_only(known_instants(stamps, length, calendar).view(np.int64))
    columns = (read_only(getattr(arrays, name)) for name in (*PRICES, "volume"))
    has_size = "volume" in bars.columns
    return Feed(Events(start, end, *columns), "bars", str(index.unit), length, calendar, has_size)


def _trades(trades: pd.DataFrame, calendar: Calendar | None, unit: str | None) -> Feed:
    index = trades.index
    if not isinstance(index, pd.DatetimeIndex):
        raise InputError(
            f"trades are indexed by {type(index).__name__}, expected their times in UTC;"
            ' set the column that holds them: trades = trades.set_index("timestamp")'
        )
    if str(index.tz) not in _UTC:
        zone = "no zone" if index.tz is None else f"the zone {index.tz}"
        remedy = 'tz_localize("UTC")' if index.tz is None else 'tz_convert("UTC")'
        raise InputError(f"the times of the trades have {zone}; they are kept in UTC: trades = trades.{remedy}")
    if not len(index):
        raise InputError("there are no trades: 0 rows; check the file or the dates that were asked for")
    price = _numbers(trades, "price")
    has_size = "size" in trades.columns
    size = _numbers(trades, "size") if has_size else np.zeros(len(index))
    index = _in_unit(index, unit)
    times, price, size = read_only(index_times(index)), read_only(price), read_only(size)
    events = Events(times, times, price, price, price, price, size)
    return Feed(events, "trades", str(index.unit), None, calendar, has_size)


def _numbers(frame: pd.DataFrame, name: str) -> Float1D:
    column: Any = frame[name]
    if isinstance(column, pd.DataFrame):
        raise InputError(f"there are several columns named {name!r}, expected one; drop the others")
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_complex_dtype(column.dtype):
        raise InputError(f"column {name!r} holds {column.dtype}, expected numbers; convert it with pd.to_numeric")
    numbers: Float1D = (
        column.to_numpy(dtype=np.float64, na_value=np.nan) if column.dtype != np.float64 else column.to_numpy()
    )
    return numbers


def _explain(index: pd.DatetimeIndex, price: Float1D, size: Float1D) -> NoReturn:
    """Say what is wrong with trades that are not sound, and where first."""
    back = np.append(False, index.asi8[1:] < index.asi8[:-1])
    faults = (
        (np.asarray(index.isna()), "a time is missing", "drop the rows: trades = trades[trades.index.notna()]"),
        (back, "the times go back", 'sort them, keeping the order of ties: trades.sort_index(kind="stable")'),
        (~(np.isfinite(price) & (price > 0.0)), "a price is not a number above zero", "drop or repair the rows"),
        (~(np.isfinite(size) & (size >= 0.0)), "a size is not a number of zero or above", "drop or repair the rows"),
    )
    for wrong, what, remedy in faults:
        rows = np.flatnonzero(wrong)
        if rows.size:
            row = int(rows[0])
            raise InputError(
                f"{what} in {rows.size} of {len(index)} trades, first at {stamp_text(index[row])} (row {row}):"
                f" price {price[row]:g}, size {size[row]:g}; {remedy}"
            )
    raise AssertionError("sound trades were called unsound")


def mid(quotes: pd.DataFrame, *, crossed: str = "raise") -> pd.DataFrame:
    """Return the middle between bid and ask, as prices that charts are made from.

    Parameters
    ----------
    quotes : DataFrame of shape (n_quotes, >= 2)
        Columns `bid` and `ask`; or bars of quotes, `bid_open` to `bid_close` and `ask_open` to `ask_close`.
    crossed : {"raise", "keep", "drop"}
        What to do about a bid above its ask, in a bar at the close: refuse it and say where, take the middle all the
        same, or leave the row out.

    Returns
    -------
    DataFrame
        For quotes one column `price`: trades without sizes. For bars of quotes `open high low close`; the middle of
        two highs stands for the high of the middle, which is not known.

    Raises
    ------
    InputError
        If the columns are missing, or a quote is crossed and `crossed` is "raise".

    Examples
    --------
    >>> stamps = pd.to_datetime(["2024-03-01 10:00:00", "2024-03-01 10:00:01"], utc=True)
    >>> mid(pd.DataFrame({"bid": [1.0, 1.5], "ask": [2.0, 2.0]}, index=stamps))["price"].tolist()
    [1.5, 1.75]
    """
    if crossed not in CROSSED:
        raise InputError(f"crossed is {crossed!r}; choose 'raise', 'keep' or 'drop'")
    if not isinstance(quotes, pd.DataFrame):
        raise InputError(f"quotes are a {type(quotes).__name__}, expected a DataFrame with the columns bid and ask")
    if {"bid", "ask"} <= set(quotes.columns):
        made, bid, ask = {"price": (quotes["bid"] + quotes["ask"]) / 2.0}, quotes["bid"], quotes["ask"]
    elif {f"{side}_{name}" for side in ("bid", "ask") for name in PRICES} <= set(quotes.columns):
        made = {name: (quotes[f"bid_{name}"] + quotes[f"ask_{name}"]) / 2.0 for name in PRICES}
        bid, ask = quotes["bid_close"], quotes["ask_close"]
    else:
        raise InputError(
            f"quotes have the columns {', '.join(map(str, quotes.columns))}; expected bid and ask,"
            " or bid_open to bid_close and ask_open to ask_close"
        )
    wrong = bid.to_numpy() > ask.to_numpy()
    if wrong.any() and crossed == "raise":
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"{int(wrong.sum())} of {len(quotes)} quotes are crossed, first at {stamp_text(quotes.index[row])} (row"
            f" {row}): bid {bid.iloc[row]:g} above ask {ask.iloc[row]:g}; choose crossed='drop' or crossed='keep'"
        )
    prices = pd.DataFrame(made, index=quotes.index)
    return prices[~wrong] if crossed == "drop" else prices
