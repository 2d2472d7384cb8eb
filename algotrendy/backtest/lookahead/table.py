"""What a function gave back, brought to one form: columns of values, and the bar at whose end each row was known.

Two tables made from bars with the same beginning are compared over that beginning, column by column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.domain.types import AnyArray, Bool1D, Int1D
from algotrendy.errors import InputError
from algotrendy.strategy.parameter import LEVELS
from algotrendy.strategy.signals import SIDES, Signals

__all__ = ["Table", "as_table", "differences", "typical_sizes", "unlike"]

CLOSED_AT = ("closed_at", "known_at")
"""Columns of a frame that say when each row was known, for rows that are not one per bar."""

MISSING = "<missing>"


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one or more columns.

    Attributes
    ----------
    bar : int64 array of shape (n_rows,)
        The row of the bars at whose end each row is known, ascending; -1: before the first.
    columns : dict of str to array of shape (n_rows,)
        float64 with NaN for missing, or texts in an object array.
    keys : array of shape (n_rows,) or None
        What tells a row from others, where rows are not one per bar: stamps, or numbers of rows.
    """

    bar: Int1D
    columns: dict[str, AnyArray]
    keys: AnyArray | None = None

    def value(self, column: str, bar: int) -> Any:
        """Return the newest value of a column that is known at the end of a bar; None if there is none."""
        row = int(np.searchsorted(self.bar, bar, side="right")) - 1
        if row < 0 or column not in self.columns or (self.keys is not None and self.bar[row] != bar):
            return None
        value = self.columns[column][row]
        return value.item() if isinstance(value, np.generic) else value


def as_table(raw: Any, index: pd.Index, calendar: pd.Index | None = None) -> Table:
    """Return what a function gave for bars with this index as a table.

    Parameters
    ----------
    raw : Signals, Series, DataFrame, array, mapping or tuple of them
        One value per bar; or rows with stamps of their own as index, or with a column `closed_at`.
    index : Index of shape (n_bars,)
        Of the bars.
    calendar : Index, optional
        Of more bars, where rows with stamps find theirs: a stamp after the last bar is that of a later bar.

    Raises
    ------
    InputError
        If it is none of these.
    """
    if isinstance(raw, pd.DataFrame) and any(name in raw.columns for name in CLOSED_AT):
        return _events(raw, index if calendar is None else calendar)
    if isinstance(raw, pd.DataFrame | pd.Series) and not _is_one_per_bar(raw, index):
        return _stamped(raw, index if calendar is None else calendar)
    found: dict[str, AnyArray] = {}
    for name, values in _named(raw):
        found[_free_name(name, found)] = _per_bar(name, values, index)
    if not found:
        raise InputError("the function gave no column; return one value per bar, or several columns of them")
    return Table(np.arange(len(index), dtype=np.int64), found)


def differences(
    base: Table, other: Table, below: int, sizes: Mapping[str, float], tolerance: float, *, known_only: bool = False
) -> dict[str, Int1D]:
    """Return for each column the bars before `below` at which two tables differ; columns without any are left out.

    Parameters
    ----------
    base, other : Table
        Made from bars whose first `below` rows are the same.
    below : int
        Number of bars that are compared.
    sizes : mapping of str to float
        Typical size of the values of each column: differences are measured against it.
    tolerance : float
        Largest difference that counts as rounding, relative to the larger of the values and the typical size.
    known_only : bool
        Leave out rows at which the base says nothing (NaN).
    """
    other = _same_names(base, other)
    left, right = _aligned(base, other, below)
    found: dict[str, Int1D] = {}
    for name in {**left.columns, **right.columns}:
        a, b = left.columns.get(name), right.columns.get(name)
        differs = unlike(a, b, sizes.get(name, 0.0), tolerance)
        if known_only and a is not None:
            differs = differs & ((a != MISSING) if a.dtype == object else ~np.isnan(a))
        if differs.any():
            found[name] = np.unique(left.bar[differs])
    return found


def typical_sizes(table: Table) -> dict[str, float]:
    """Return the median of the absolute values of each column that are not zero; 0 where there are none."""
    sizes = {}
    for name, values in table.columns.items():
        known = np.abs(values[np.isfinite(values) & (values != 0.0)]) if values.dtype != object else np.zeros(0)
        sizes[name] = float(np.median(known)) if known.size else 0.0
    return sizes


# --- from what was given to columns -----------------------------------------------------------------------------------


def _named(raw: Any) -> Iterator[tuple[str, Any]]:
    """Yield the columns of what was given, with names."""
    if isinstance(raw, Signals):
        yield from ((name, getattr(raw, name)) for name in (*SIDES, *LEVELS) if _is_known(getattr(raw, name)))
    elif isinstance(raw, pd.DataFrame):
        yield from ((str(name), raw.iloc[:, k]) for k, name in enumerate(raw.columns))
    elif isinstance(raw, pd.Series):
        yield str(raw.name or "output"), raw
    elif isinstance(raw, Mapping):
        yield from ((str(name), values) for name, values in raw.items() if _is_known(values))
    elif isinstance(raw, tuple):
        names = SIDES if len(raw) in (2, 4) else [f"output {k}" for k in range(len(raw))]
        yield from ((name, values) for name, values in zip(names, raw, strict=False) if _is_known(values))
    elif hasattr(raw, "to_dict") and hasattr(raw, "columns"):  # a frame of another library
        yield from ((str(name), list(values)) for name, values in raw.to_dict(as_series=False).items())
    else:
        values = np.asarray(raw)
        if values.ndim == 2:
            yield from ((f"column {k}", values[:, k]) for k in range(values.shape[1]))
        elif values.ndim == 1:
            yield "output", values
        else:
            raise InputError(
                f"the function gave a {type(raw).__name__}; return one value per bar: a Series, an array, a frame,"
                " a mapping of them, or at.Signals"
            )


def _is_known(values: Any) -> bool:
    return values is not None and not isinstance(values, str)


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    return name if name not in taken else _free_name(f"{name}'", taken)


def _is_one_per_bar(given: pd.DataFrame | pd.Series[Any], index: pd.Index) -> bool:
    return len(given) == len(index) and (not isinstance(given.index, pd.DatetimeIndex) or given.index.equals(index))


def _per_bar(name: str, values: Any, index: pd.Index) -> AnyArray:
    if np.ndim(values) == 0:
        return np.broadcast_to(_plain(np.array([values]))[:1], (len(index),))
    if isinstance(values, pd.Series) and isinstance(values.index, pd.DatetimeIndex) and len(values) != len(index):
        values = values.reindex(index)
    plain = _plain(values)
    if plain.ndim != 1 or len(plain) != len(index):
        raise InputError(
            f"the function gave {len(plain)} values of {name!r} for {len(index)} bars; return one value per bar, NaN"
            " where there is none, or a Series with stamps"
        )
    return plain


def _stamped(raw: pd.DataFrame | pd.Series[Any], index: pd.Index) -> Table:
    """Return rows with stamps of their own: each is known at the last bar that starts at or before its stamp."""
    ordered = raw.sort_index(kind="stable")
    own = ordered.index
    if not isinstance(own, pd.DatetimeIndex) or not isinstance(index, pd.DatetimeIndex):
        raise InputError(
            f"the function gave {len(raw)} rows for {len(index)} bars, and their index holds no times; return one value"
            " per bar, or rows with a time as index or in a column `closed_at`"
        )
    stamps = _stamps(own)
    bar = _bar_of(stamps, index)
    columns = {name: _plain(values) for name, values in _named(ordered)}
    return Table(bar, columns, stamps)


def _events(raw: pd.DataFrame, index: pd.Index) -> Table:
    """Return the rows of a chart: numbered, and known at their `event`, or at the bar in which `closed_at` lies."""
    name = next(name for name in CLOSED_AT if name in raw.columns)
    if "event" in raw.columns:
        bar = raw["event"].to_numpy(dtype=np.int64)
    else:
        bar = _bar_of(_stamps(pd.DatetimeIndex(raw[name])), pd.DatetimeIndex(index))
    columns = {label: _plain(values) for label, values in _named(raw)}
    return Table(np.maximum.accumulate(bar) if bar.size else bar, columns, np.arange(len(raw), dtype=np.int64))


def _bar_of(stamps: Int1D, index: pd.DatetimeIndex) -> Int1D:
    """Return the last bar that starts at or before each stamp; a stamp after the last start belongs to a later bar."""
    starts = _stamps(index)
    bar = np.searchsorted(starts, stamps, side="right").astype(np.int64) - 1
    bar[stamps > starts[-1]] = len(starts)
    return bar


def _stamps(index: pd.DatetimeIndex) -> Int1D:
    stamps = index.tz_convert("UTC").tz_localize(None) if index.tz is not None else index
    result: Int1D = stamps.as_unit("ns").asi8
    return result


def _plain(values: Any) -> AnyArray:
    """Return values as float64 with NaN for missing, or as texts."""
    if isinstance(values, pd.Series):
        kind = values.dtype.kind
        if kind == "M":
            return _times_as_numbers(pd.DatetimeIndex(values).tz_localize(None).to_numpy())
        if kind == "m":
            return _times_as_numbers(values.to_numpy())
        values = values.to_numpy(dtype=object) if isinstance(values.dtype, pd.CategoricalDtype) else values.to_numpy()
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array.dtype.kind in "Mm":
        return _times_as_numbers(array)
    if array.ndim != 1:
        return array.reshape(len(array), -1)[:, 0] if array.ndim else array
    missing = pd.isna(array)
    try:
        return np.where(missing, np.nan, np.where(missing, 0.0, array).astype(np.float64))
    except (TypeError, ValueError):
        return np.array([MISSING if gone else str(value) for value, gone in zip(array, missing, strict=True)], object)


def _times_as_numbers(array: AnyArray) -> AnyArray:
    numbers = array.astype(f"{array.dtype.kind}8[ns]").view(np.int64).astype(np.float64)
    return np.where(np.isnat(array), np.nan, numbers)


# --- two tables side by side ------------------------------------------------------------------------------------------


def _same_names(base: Table, other: Table) -> Table:
    """Return the other table with the name of the base, if both have one column: the name may depend on the data."""
    if len(base.columns) == len(other.columns) == 1 and base.columns.keys() != other.columns.keys():
        return Table(other.bar, dict(zip(base.columns, other.columns.values(), strict=True)), other.keys)
    return other


def _aligned(base: Table, other: Table, below: int) -> tuple[Table, Table]:
    """Return the rows of both that are known before a bar, the same row of one beside that of the other."""
    left, right = (_first(table, int(np.searchsorted(table.bar, below))) for table in (base, other))
    if left.keys is None or right.keys is None:
        rows = min(len(left.bar), len(right.bar))
        return _first(left, rows), _first(right, rows)
    if len(left.keys) == len(right.keys) and bool((left.keys == right.keys).all()):
        return left, right
    keys = np.union1d(left.keys, right.keys)
    places = [np.searchsorted(keys, own) for own in (left.keys, right.keys)]
    bar = np.full(len(keys), -1, dtype=np.int64)
    for table, place in ((right, places[1]), (left, places[0])):
        bar[place] = table.bar
    return _spread(left, places[0], keys, bar), _spread(right, places[1], keys, bar)


def _first(table: Table, rows: int) -> Table:
    columns = {name: values[:rows] for name, values in table.columns.items()}
    return Table(table.bar[:rows], columns, None if table.keys is None else table.keys[:rows])


def _spread(table: Table, place: Int1D, keys: AnyArray, bar: Int1D) -> Table:
    """Return the rows in the places of their keys; a row that is not there is marked in a column of its own."""
    there = np.zeros(len(keys))
    there[place] = 1.0
    columns: dict[str, AnyArray] = {"row exists": there}
    for name, values in table.columns.items():
        spread = np.full(len(keys), MISSING, object) if values.dtype == object else np.full(len(keys), np.nan)
        spread[place] = values
        columns[name] = spread
    return Table(bar, columns, keys)


def unlike(a: AnyArray | None, b: AnyArray | None, size: float, tolerance: float) -> Bool1D:
    """Return where two columns differ by more than rounding; a column that is not there counts as empty.

    Parameters
    ----------
    a, b : array of shape (n_rows,) or None
        Numbers or texts.
    size : float
        Typical size of the values.
    tolerance : float
        Relative difference that counts as rounding.
    """
    if a is None or b is None:
        values = a if a is not None else b
        assert values is not None
        filled = (values != MISSING) if values.dtype == object else ~(np.isnan(values) | (values == 0.0))
        return np.asarray(filled, dtype=np.bool_)
    if object in (a.dtype, b.dtype):
        return np.asarray(_texts(a) != _texts(b), dtype=np.bool_)
    differs: Bool1D = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if differs.any():
        with np.errstate(all="ignore"):
            room = tolerance * np.maximum(np.maximum(np.abs(a), np.abs(b)), size)
            differs &= ~(np.abs(a - b) <= np.where(np.isfinite(room), room, 0.0))
    return differs


def _texts(values: AnyArray) -> AnyArray:
    """Return a column as texts: one without any text in it was taken for numbers."""
    if values.dtype == object:
        return values
    return np.array([MISSING if np.isnan(value) else str(value) for value in values.tolist()], object)
