"""Rows on their way into a database and out of it: stamps as microseconds, further columns as one JSON text per row."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from algotrendy.data.store.rows import PER_SECOND, Layout, Part, unit_of
from algotrendy.domain.bars import COLUMNS
from algotrendy.domain.types import AnyArray, Int1D
from algotrendy.errors import InputError


def micros_of(part: Part) -> Int1D:
    """Return stamps as microseconds since 1970.

    Raises
    ------
    InputError
        If one is finer than that.
    """
    per = PER_SECOND[part.unit]
    if per <= 10**6:
        return part.times * (10**6 // per)
    whole, rest = np.divmod(part.times, per // 10**6)
    if rest.any():
        place = int(np.flatnonzero(rest)[0])
        raise InputError(
            f"row {place} is stamped {part.times[place : place + 1].view('M8[ns]')[0]}; a database keeps microseconds:"
            " round the times, or keep the series in a ParquetStore"
        )
    return whole


def stamps_in(counts: Int1D, unit: str) -> Int1D:
    """Return microseconds since 1970 in another unit."""
    per = PER_SECOND[unit]
    return counts * (per // 10**6) if per > 10**6 else counts // (10**6 // per)


def base_of(part: Part, name: str) -> AnyArray:
    """Return prices or volume; NaN where the rows have none."""
    return part.arrays[name] if name in part.arrays else np.full(len(part.times), np.nan)


def extra_texts(part: Part) -> list[str] | None:
    """Return the columns beyond prices and volume as one JSON object per row; None if there are none."""
    names = [name for name in part.arrays if name not in COLUMNS]
    if not names:
        return None
    columns = [_plain_values(part.arrays[name]) for name in names]
    return [json.dumps(dict(zip(names, row, strict=True)), separators=(",", ":")) for row in zip(*columns, strict=True)]


def _plain_values(values: AnyArray) -> list[Any]:
    if values.dtype.kind == "M":
        return [None if text == "NaT" else text for text in np.datetime_as_string(values).tolist()]
    if values.dtype.kind == "f":
        return [_plain_float(value) for value in values.tolist()]
    return list(values.tolist())


def _plain_float(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def extra_arrays(texts: Sequence[str | None], layout: Layout) -> dict[str, AnyArray]:
    """Return the columns that `extra_texts` wrote; what a row was written without is filled as in `Layout`."""
    rows = [json.loads(text) if text else {} for text in texts]
    return {name: _array([row.get(name, _ABSENT) for row in rows], kind) for name, kind in layout.extras}


_ABSENT = object()


def _array(values: list[Any], kind: str) -> AnyArray:
    if kind == "text":
        return np.array([None if value is _ABSENT else value for value in values] + [None], dtype=object)[:-1]
    if kind == "bool":
        return np.array([value is True for value in values], dtype=bool)
    if kind.startswith("datetime64"):
        texts = ["NaT" if value is _ABSENT or value is None else value for value in values]
        return np.array(texts, dtype=f"M8[{unit_of(kind)}]")
    if kind.startswith("float"):
        return np.array([np.nan if value is _ABSENT or value is None else float(value) for value in values], dtype=kind)
    return np.array(values, dtype=kind)


def batches(n_rows: int, size: int) -> Iterator[slice]:
    """Yield rows in portions."""
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))
