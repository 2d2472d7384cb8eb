"""What stores demand of bars, how the columns of several writes come together, and frames built from plain arrays.

A store keeps three things per series: rows, coverage, and a `Layout`: the unit of the stamps and the columns with
their kinds. A later write may bring finer stamps or more columns; the layout then grows and never shrinks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.data.series import SeriesKey, Span
from algotrendy.domain.bars import COLUMNS, check_bars
from algotrendy.domain.types import AnyArray, Int1D
from algotrendy.errors import DataError, InputError

__all__ = ["Layout", "Part", "assemble", "bound", "no_bars", "part_of", "storable", "within"]

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_UNITS = tuple(PER_SECOND)
_NUMBERS = frozenset({"float64", "float32", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"})
_INT64 = np.iinfo(np.int64)
_TEXT = pd.Series(["text"]).dtype  # `str` on pandas 3, `object` before


def within(bars: pd.DataFrame, span: Span) -> pd.DataFrame:
    """Return the bars that start in a span: what `write` takes beside it.

    Examples
    --------
    >>> index = pd.DatetimeIndex(["2024-03-01", "2024-03-04"], name="time")
    >>> len(within(pd.DataFrame({"close": [1.0, 2.0]}, index=index), Span.of("2024-03-01", "2024-03-04")))
    1
    """
    index = pd.DatetimeIndex(bars.index)
    return bars.iloc[_slice(index.asi8, index.unit, span)]


def no_bars(key: SeriesKey) -> pd.DataFrame:
    """Return a frame without rows in the form of the key's bars: to say that a span is known and empty.

    Examples
    --------
    >>> no_bars(SeriesKey(source="x", instrument="stock:XNAS:AAPL", interval="1d")).shape
    (0, 5)
    """
    return assemble([], Layout.usual(), key.interval.is_intraday)


def storable(key: SeriesKey, bars: pd.DataFrame, covered: Span) -> pd.DataFrame:
    """Return bars as they are stored: checked, prices and volume float64, the index named `time`.

    Raises
    ------
    InputError
        If they are not sound, do not suit the key, lie outside `covered`, or hold a column that cannot be stored.
    """
    check_bars(bars, min_bars=0)
    index = pd.DatetimeIndex(bars.index)
    if key.interval.is_intraday and index.tz is None:
        raise InputError(
            f"bars of {key.interval} have times without a zone, expected UTC: bars = bars.tz_localize('UTC')"
        )
    if not key.interval.is_intraday and index.tz is not None:
        raise InputError(
            f"bars of {key.interval} have times in UTC, expected dates without a zone: bars = bars.tz_localize(None)"
        )
    inside = _slice(index.asi8, index.unit, covered)
    outside = len(index) - (inside.stop - inside.start)
    if outside:
        first = index[0] if inside.start else index[inside.stop]
        raise InputError(
            f"{outside} of {len(index)} bars start outside covered={covered}, such as {first}; leave them out:"
            " bars = within(bars, covered), or cover them"
        )
    frame = bars.copy(deep=False)
    frame.index = index.rename("time")
    for name in COLUMNS:
        if name in frame.columns and frame[name].dtype != np.float64:
            frame[name] = frame[name].astype(np.float64)
    Layout.of(frame)
    return frame


def bound(stamp: pd.Timestamp, unit: str) -> int:
    """Return the first whole count of `unit` since 1970 that does not lie before an instant.

    Examples
    --------
    >>> bound(pd.Timestamp("1970-01-01 00:00:01.5", tz="UTC"), "s")
    2
    """
    own = int(stamp.asm8.astype(np.int64))
    ceiling = -(-own * PER_SECOND[unit] // PER_SECOND[stamp.unit])
    return min(max(ceiling, int(_INT64.min) + 1), int(_INT64.max))


def _slice(times: Int1D, unit: str, span: Span | None) -> slice:
    """Return which of ascending stamps lie in a span."""
    if span is None:
        return slice(0, len(times))
    low, high = np.searchsorted(times, [bound(span.start, unit), bound(span.end, unit)])
    return slice(int(low), int(high))


# --- columns ---


@dataclass(frozen=True, slots=True)
class Layout:
    """The unit of a series' stamps, and its columns with their kinds.

    Attributes
    ----------
    unit : str
        `s`, `ms`, `us` or `ns`.
    columns : tuple of (name, kind)
        A kind is the name of a NumPy number type, `bool`, `text`, or `datetime64[unit]` with `, UTC` or without.
    """

    unit: str
    columns: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, bars: pd.DataFrame) -> Layout:
        """Return the layout of a frame.

        Raises
        ------
        InputError
            If a column has a name or a type that cannot be stored.
        """
        names = list(bars.columns)
        strange = [name for name in names if not isinstance(name, str) or name == "time" or names.count(name) > 1]
        if strange:
            raise InputError(f"column {strange[0]!r} cannot be stored; expected texts, each once, none of them 'time'")
        kinds = {name: _kind(name, bars[name]) for name in names}
        ordered = [name for name in COLUMNS if name in kinds] + [name for name in names if name not in COLUMNS]
        return cls(pd.DatetimeIndex(bars.index).unit, tuple((name, kinds[name]) for name in ordered))

    @classmethod
    def usual(cls) -> Layout:
        """Return the layout of prices and volume alone, for a series that has had no rows yet."""
        return cls("us", tuple((name, "float64") for name in COLUMNS))

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> Layout:
        """Rebuild what `plain` gave."""
        return cls(str(content["unit"]), tuple((str(name), str(kind)) for name, kind in content["columns"]))

    def plain(self) -> dict[str, Any]:
        """Return values that JSON can hold."""
        return {"unit": self.unit, "columns": [list(column) for column in self.columns]}

    @property
    def extras(self) -> tuple[tuple[str, str], ...]:
        """The columns that are neither prices nor volume."""
        return tuple(column for column in self.columns if column[0] not in COLUMNS)

    def joined(self, other: Layout) -> Layout:
        """Return the layout that holds the rows of both.

        Raises
        ------
        InputError
            If a column holds values of two sorts, such as numbers here and texts there.
        """
        if self == other:
            return self
        mine, theirs = dict(self.columns), dict(other.columns)
        names = [name for name in COLUMNS if name in mine or name in theirs]
        names += [name for name in {**mine, **theirs} if name not in COLUMNS]
        kinds = tuple((name, _joined_kind(name, mine.get(name), theirs.get(name))) for name in names)
        return Layout(max(self.unit, other.unit, key=_UNITS.index), kinds)


def _kind(name: str, column: pd.Series[Any]) -> str:
    dtype: Any = column.dtype
    if isinstance(dtype, np.dtype) and (dtype.name in _NUMBERS or dtype.kind in "bM"):
        return str(dtype.name)
    if isinstance(dtype, pd.DatetimeTZDtype) and str(dtype.tz) == "UTC":
        return str(dtype)
    if pd.api.types.infer_dtype(column, skipna=True) in ("string", "empty"):
        return "text"
    raise InputError(
        f"column {name!r} holds {dtype}, which stores do not keep; expected numbers, flags, texts, or times in UTC or"
        " without a zone"
    )


def _joined_kind(name: str, mine: str | None, theirs: str | None) -> str:
    if mine == theirs and mine is not None:
        return mine
    if mine is None or theirs is None:  # rows without the column: whole numbers have no way to say so
        known = str(mine or theirs)
        return "float64" if known in _NUMBERS and "int" in known else known
    if mine in _NUMBERS and theirs in _NUMBERS:
        return str(np.promote_types(mine, theirs).name)
    if mine.startswith("datetime64") and theirs.startswith("datetime64") and (", UTC" in mine) == (", UTC" in theirs):
        return max(mine, theirs, key=lambda kind: _UNITS.index(unit_of(kind)))
    raise InputError(
        f"column {name!r} holds {theirs}, but the stored rows hold {mine}; bring it to one type, or delete the series"
        " and write it anew"
    )


def unit_of(kind: str) -> str:
    """Return the unit of a kind of times."""
    return kind.removeprefix("datetime64[").rstrip("]").split(",")[0]


# --- rows ---


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a series as plain arrays.

    Attributes
    ----------
    times : int64 array of shape (n_rows,)
        Ascending, in `unit` since 1970.
    arrays : mapping of name to array of shape (n_rows,)
        Texts are objects, times `datetime64` without a zone.
    """

    times: Int1D
    unit: str
    arrays: Mapping[str, AnyArray]

    def cut(self, rows: slice) -> Part:
        """Return some of the rows, without a copy."""
        return Part(self.times[rows], self.unit, {name: values[rows] for name, values in self.arrays.items()})

    def inside(self, span: Span | None) -> Part:
        """Return the rows in a span, without a copy."""
        return self if span is None else self.cut(_slice(self.times, self.unit, span))

    def outside(self, span: Span) -> tuple[Part, Part]:
        """Return the rows before a span and those after it, without a copy."""
        rows = _slice(self.times, self.unit, span)
        return self.cut(slice(0, rows.start)), self.cut(slice(rows.stop, len(self.times)))


def part_of(bars: pd.DataFrame) -> Part:
    """Return the rows of a frame that `storable` has returned."""
    index = pd.DatetimeIndex(bars.index)
    return Part(index.asi8, index.unit, {str(name): _plain(bars[name]) for name in bars.columns})


def _plain(column: pd.Series[Any]) -> AnyArray:
    if isinstance(column.dtype, np.dtype) and column.dtype != object:
        return column.to_numpy()
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return pd.DatetimeIndex(column).asi8.view(f"M8[{column.dtype.unit}]")
    texts = column.astype(object)
    return texts.where(texts.notna(), None).to_numpy(dtype=object)


def assemble(parts: Sequence[Part], layout: Layout, intraday: bool) -> pd.DataFrame:
    """Return the frame of some parts, oldest first: prices and volume in one block of memory of its own.

    Raises
    ------
    DataError
        If a time does not fit into the layout's unit.
    """
    counts = [len(part.times) for part in parts]
    n_rows = sum(counts)
    base = [name for name, _ in layout.columns if name in COLUMNS]
    block = np.empty((len(base), n_rows))
    start = 0
    for part, count in zip(parts, counts, strict=True):
        for row, name in enumerate(base):
            block[row, start : start + count] = part.arrays.get(name, np.nan)
        start += count
    frame = pd.DataFrame(block.T, index=_index(parts, layout.unit, intraday), columns=base, copy=False)
    for name, kind in layout.extras:
        frame[name] = _column(parts, name, kind)
    return frame


def _index(parts: Sequence[Part], unit: str, intraday: bool) -> pd.DatetimeIndex:
    times = [_in_unit(part.times.view(f"M8[{part.unit}]"), unit) for part in parts]
    joined = np.concatenate(times) if times else np.empty(0, dtype=f"M8[{unit}]")
    index = pd.DatetimeIndex(joined, name="time")
    return index.tz_localize("UTC") if intraday else index


def _in_unit(stamps: AnyArray, unit: str) -> AnyArray:
    cast: AnyArray = stamps.astype(f"M8[{unit}]")
    if stamps.size and (cast[[0, -1]] != stamps[[0, -1]]).any():
        raise DataError(f"times from {stamps[0]} to {stamps[-1]} do not fit into counts of {unit}")
    return cast


def _column(parts: Sequence[Part], name: str, kind: str) -> Any:
    values = [part.arrays[name] if name in part.arrays else _absent(kind, len(part.times)) for part in parts]
    if kind == "text":
        return pd.Series(np.concatenate(values) if values else [], dtype=_TEXT).array
    if not kind.startswith("datetime64"):
        return np.concatenate(values).astype(kind) if values else np.empty(0, dtype=kind)
    unit = unit_of(kind)
    times = np.concatenate([array.astype(f"M8[{unit}]") for array in values]) if values else np.empty(0, f"M8[{unit}]")
    index = pd.DatetimeIndex(times)
    return index.tz_localize("UTC") if kind.endswith(", UTC]") else index


def _absent(kind: str, count: int) -> AnyArray:
    """Return what stands for a column that rows were written without."""
    if kind == "bool":
        return np.zeros(count, dtype=bool)
    if kind == "text":
        return np.full(count, None, dtype=object)
    if kind.startswith("datetime64"):
        return np.full(count, "NaT", dtype=f"M8[{unit_of(kind)}]")
    return np.full(count, np.nan)
