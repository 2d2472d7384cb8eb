"""Bars: a DataFrame indexed by time with the columns `open high low close volume`, oldest first, stamps unique.

`check_bars` refuses anything else and says what, where and the remedy; `bar_arrays` hands the columns to kernels.
Daily bars carry their session date without a zone; intraday bars carry the UTC instant at which they start.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, cast

import numpy as np
import pandas as pd

from algotrendy.domain.faults import check_none_missing, explain
from algotrendy.domain.types import AnyArray, Float1D, Int1D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.kernels.bars import BarArrays, bars_are_sound

__all__ = [
    "COLUMNS",
    "PRICES",
    "BarArrays",
    "FurtherColumns",
    "bar_arrays",
    "check_bars",
    "checked_arrays",
    "columns_between",
    "frame_of",
    "index_times",
]

COLUMNS = ("open", "high", "low", "close", "volume")
PRICES = COLUMNS[:4]

_FLOAT64 = np.dtype(np.float64)
_ROWS_OF_ONE_BLOCK = 50_000  # above, a frame that is not one block would be copied whole
_UTC_NAMES = frozenset({"UTC", "Etc/UTC", "tzutc()", "UTC+00:00"})
_NAN_POLICIES = ("raise", "omit", "propagate")


def check_bars(bars: pd.DataFrame, *, nan_policy: NanPolicy = "raise", min_bars: int = 1) -> None:
    """Return quietly if `bars` are sound, else raise an error that names the place and the remedy.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, >= 4)
        Columns `open high low close` and, if there is one, `volume`; other columns are not looked at.
    nan_policy : {"raise", "omit", "propagate"}
        "raise" refuses NaN. With the other two a row that holds a NaN passes: the caller leaves it out or carries it.
    min_bars : int
        The least number of bars that the caller can use.

    Raises
    ------
    InputError
        If `bars` is not a DataFrame, is empty or too short; if a column is missing, doubled or not numeric; if the
        index holds no times, mixed time zones, a zone other than UTC, or intraday times without a zone; if stamps are
        missing, unsorted or duplicated; if a price is NaN, infinite, zero or negative; if high < low, or open or close
        lie outside [low, high] by more than 1e-9 of the price; if volume is NaN, infinite or negative.

    Examples
    --------
    >>> row = {"open": 1.0, "high": 1.0, "low": 2.0, "close": 1.0}
    >>> bars = pd.DataFrame(row, index=pd.to_datetime(["2024-03-01"]))
    >>> check_bars(bars)
    Traceback (most recent call last):
        ...
    algotrendy.errors.InputError: high is below low in 1 of 1 bars, first at 2024-03-01 (row 0): high 1.0, low 2.0; ...
    """
    checked_arrays(bars, nan_policy=nan_policy, min_bars=min_bars)


def checked_arrays(bars: pd.DataFrame, *, nan_policy: NanPolicy = "raise", min_bars: int = 1) -> BarArrays:
    """Check `bars` as `check_bars` does and return their columns: one step where both are wanted.

    Examples
    --------
    >>> stamps = pd.to_datetime(["2024-03-01", "2024-03-04"])
    >>> bars = pd.DataFrame({"open": [1.0, 2.0], "high": 3.0, "low": 1.0, "close": [2.0, 3.0]}, index=stamps)
    >>> checked_arrays(bars).close
    array([2., 3.])
    """
    if nan_policy not in _NAN_POLICIES:
        raise InputError(f'nan_policy is {nan_policy!r}; choose "raise", "omit" or "propagate"')
    arrays = bar_arrays(bars)
    index = bars.index
    if len(index) < min_bars:
        _refuse_short(index, min_bars)
    times = _index_times(index)
    if not bars_are_sound(times, arrays):
        explain(cast(pd.DatetimeIndex, index), arrays, nan_is_fault=nan_policy == "raise")
    return arrays


def bar_arrays(bars: pd.DataFrame) -> BarArrays:
    """Return the columns of `bars` as contiguous float64 arrays, without a copy where their memory allows.

    Raises
    ------
    InputError
        If `bars` is not a DataFrame, or a column is missing, doubled or not numeric.

    Examples
    --------
    >>> stamps = pd.to_datetime(["2024-03-01", "2024-03-04"])
    >>> bars = pd.DataFrame({"open": [1, 2], "high": 3, "low": 1, "close": [2, 3]}, index=stamps)
    >>> bar_arrays(bars).volume
    array([0., 0.])
    """
    if not isinstance(bars, pd.DataFrame):
        _refuse_type(bars)
    if isinstance(bars.columns, pd.MultiIndex):
        raise InputError(
            f"the columns have {bars.columns.nlevels} levels (several symbols?), expected {' '.join(COLUMNS)};"
            ' select one symbol: bars = bars.xs("AAPL", axis=1, level=1)'
        )
    places = _places(bars.columns)
    if len(bars) <= _ROWS_OF_ONE_BLOCK and all(kind == _FLOAT64 for kind in bars.dtypes.to_numpy()):
        block = bars.to_numpy()
        columns = [_plain(block[:, place]) for place in places]
    else:
        columns = [_plain(_as_float(bars[name], name)) for name in COLUMNS[: len(places)]]
    if len(columns) == len(PRICES):
        columns.append(np.zeros(len(bars)))
    return BarArrays(*columns)


def frame_of(index: pd.DatetimeIndex, arrays: BarArrays) -> pd.DataFrame:
    """Return bars as a DataFrame whose columns lie in one block, each contiguous; the index is named `time`.

    Examples
    --------
    >>> one = np.array([1.0])
    >>> list(frame_of(pd.DatetimeIndex(["2024-03-01"]), BarArrays(one, one, one, one, one)).columns)
    ['open', 'high', 'low', 'close', 'volume']
    """
    block = np.ascontiguousarray(np.vstack(arrays), dtype=np.float64)
    return pd.DataFrame(block.T, index=index.rename("time"), columns=list(COLUMNS))


class FurtherColumns(Mapping[str, AnyArray]):
    """The columns of bars besides `open high low close volume`, as arrays, each taken out when it is asked for.

    Numbers come as float64 with NaN where one is missing, everything else as it is.

    Examples
    --------
    >>> one = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "pe": [15], "sector": ["tech"]}
    >>> further = FurtherColumns(pd.DataFrame(one, index=pd.to_datetime(["2024-03-01"])))
    >>> list(further), further["pe"]
    (['pe', 'sector'], array([15.]))
    """

    def __init__(self, bars: pd.DataFrame) -> None:
        self._bars = bars
        self._names = tuple(name for name in bars.columns if isinstance(name, str) and name not in COLUMNS)

    def __getitem__(self, name: str) -> AnyArray:
        if name not in self._names:
            raise KeyError(name)
        column: Any = self._bars[name]
        if getattr(column, "ndim", 1) != 1:
            raise InputError(f"there are several columns named {name!r} in the bars; keep one of them")
        is_number = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype)
        found: AnyArray = column.to_numpy(dtype=np.float64, na_value=np.nan) if is_number else np.asarray(column)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def between(self, begin: int, end: int) -> FurtherColumns:
        """Return the same columns of the bars from `begin` to before `end`."""
        return FurtherColumns(self._bars.iloc[begin:end])


def columns_between(columns: Mapping[str, AnyArray], begin: int, end: int) -> Mapping[str, AnyArray]:
    """Return further columns of the bars from `begin` to before `end`.

    Examples
    --------
    >>> columns_between({"pe": np.array([15.0, 16.0, 17.0])}, 1, 3)
    {'pe': array([16., 17.])}
    """
    if isinstance(columns, FurtherColumns):
        return columns.between(begin, end)
    return {name: values[begin:end] for name, values in columns.items()}


def index_times(index: pd.DatetimeIndex) -> Int1D:
    """Return the stamps as contiguous int64 in the index's own unit (see `index.unit`), as kernels take them.

    Examples
    --------
    >>> index_times(pd.DatetimeIndex(["1970-01-02"]).as_unit("s"))
    array([86400])
    """
    times: Int1D = _plain(index.asi8)
    return times


def _plain(array: AnyArray) -> Any:
    """Return `array` contiguous and not marked read-only: pandas 3 marks its views, and a kernel has one signature."""
    array = np.ascontiguousarray(array)
    if not array.flags.writeable:
        array = array.view()
        try:
            array.flags.writeable = True
        except ValueError:  # the memory itself is read-only, such as a mapped file
            array = array.copy()
    return array


def _places(columns: pd.Index) -> list[int]:
    places = []
    for name in COLUMNS:
        try:
            place = columns.get_loc(name)
        except KeyError:
            if name == "volume":
                continue
            _refuse_missing(name, columns)
        if not isinstance(place, int):
            raise InputError(
                f"there are {list(columns).count(name)} columns named {name!r}, expected one;"
                f" drop the others: bars = bars.loc[:, ~bars.columns.duplicated()]"
            )
        places.append(place)
    return places


def _as_float(column: pd.Series[Any], name: str) -> Float1D:
    if column.dtype == _FLOAT64:
        return column.to_numpy()
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_complex_dtype(column.dtype):
        raise InputError(
            f"column {name!r} holds {column.dtype}, expected numbers;"
            f' convert it: bars["{name}"] = pd.to_numeric(bars["{name}"])'
        )
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _index_times(index: pd.Index) -> Int1D:
    """Return the stamps of a sound index in its own unit; refuse any other."""
    if not isinstance(index, pd.DatetimeIndex):
        _refuse_index(index)
    zone = index.tz
    if zone is None:
        if not index.is_normalized:
            check_none_missing(index)
            raise InputError(
                f"the bars are intraday (first time of day at {_first_intraday(index)}) but their times have no zone;"
                ' say which it is: bars = bars.tz_localize("UTC"), or for another zone, say New York,'
                ' bars = bars.tz_localize("America/New_York").tz_convert("UTC")'
            )
    elif str(zone) not in _UTC_NAMES:
        daily = index.is_normalized
        remedy = "bars = bars.tz_localize(None)" if daily else 'bars = bars.tz_convert("UTC")'
        kept = "daily bars carry their session date without a zone" if daily else "intraday bars are kept in UTC"
        raise InputError(f"the times are in zone {zone}; {kept}: {remedy}")
    return index_times(index)


def _first_intraday(index: pd.DatetimeIndex) -> pd.Timestamp:
    stamp: pd.Timestamp = index[np.flatnonzero(index != index.normalize())[0]]
    return stamp


def _refuse_type(bars: object) -> NoReturn:
    kind = type(bars)
    raise InputError(
        f"bars are {kind.__module__}.{kind.__qualname__}, expected a pandas DataFrame with a time index and columns"
        f" {' '.join(COLUMNS)}; for Polars, Arrow or other column names use algotrendy.data.as_bars(frame)"
    )


def _refuse_missing(name: str, columns: pd.Index) -> NoReturn:
    found = [str(column) for column in columns]
    by_lower = {column.lower(): column for column in found}
    near = difflib.get_close_matches(name, list(by_lower), n=1, cutoff=0.6)
    if near:
        hint = f'rename it: bars = bars.rename(columns={{"{by_lower[near[0]]}": "{name}"}})'
    else:
        hint = "algotrendy.data.as_bars(frame, ...) takes other names"
    raise InputError(f"bars have no column {name!r}; found: {', '.join(found) or 'none'}; {hint}")


def _refuse_short(index: pd.Index, min_bars: int) -> NoReturn:
    if not len(index):
        raise InputError("bars are empty: 0 rows; check the file or the dates that were asked for")
    raise InputError(f"bars have {len(index)} row(s), this needs at least {min_bars}; load a longer history")


def _refuse_index(index: pd.Index) -> NoReturn:
    kind = f"{type(index).__name__} of {index.dtype}"
    if isinstance(index, pd.PeriodIndex):
        raise InputError(f"the index is a {kind}, expected times; convert it: bars.index = bars.index.to_timestamp()")
    if isinstance(index, pd.MultiIndex):
        raise InputError(
            f"the index has {index.nlevels} levels, expected times alone; select one symbol first:"
            ' bars = bars.xs("AAPL", level="symbol")'
        )
    stamps = [value for value in index if hasattr(value, "utcoffset")]
    zones = {str(value.tzinfo) for value in stamps}
    if len(zones) > 1:
        raise InputError(
            f"the times mix {len(zones)} time zones or offsets ({', '.join(sorted(zones)[:4])});"
            " bring them to one: bars.index = pd.to_datetime(bars.index, utc=True)"
        )
    raise InputError(
        f"the index is a {kind}, expected times; convert it: bars.index = pd.to_datetime(bars.index),"
        ' or set the column that holds the times: bars = bars.set_index("time")'
    )
