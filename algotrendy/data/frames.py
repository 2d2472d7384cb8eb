"""Bars from a frame of any library, and the one way that every reader goes: columns, times, numbers, order, check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.data.columns import FLAGS, Choices, Found, find_columns, listed
from algotrendy.data.numbers import to_numbers
from algotrendy.data.times import Times, joined, to_times
from algotrendy.domain.bars import COLUMNS, check_bars
from algotrendy.domain.provenance import provenance, with_provenance
from algotrendy.domain.types import Bool1D
from algotrendy.errors import InputError

__all__ = ["as_bars", "bars_of_table"]


def as_bars(
    frame: Any,
    *,
    time: str | Sequence[str] | None = None,
    open: str | None = None,
    high: str | None = None,
    low: str | None = None,
    close: str | None = None,
    volume: str | float | None = None,
    symbol: str | None = None,
    date_format: str | None = None,
    tz: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    check: bool = True,
) -> pd.DataFrame:
    """Return bars from a frame of pandas, Polars, Arrow, or any library that speaks Arrow.

    Columns are recognised by their usual names in any case (`Open`, `o`, `Adj Close`, `Timestamp`, ...). What could be
    meant in two ways is not guessed: the error names the keyword that settles it.

    Parameters
    ----------
    frame : pandas, Polars or pyarrow table, shape (n_bars, n_columns)
        One instrument, or several with a column `symbol` and the keyword.
    time : str or two str, optional
        The column of times; or one of dates and one of times of day. A pandas index of times is used as it is.
    open, high, low, close : str, optional
        The columns of prices. An adjusted close is taken only if named here.
    volume : str or float, optional
        The column of volume; a number such as 0.0 fills a column with it. Bars may have none.
    symbol : str, optional
        Which instrument to take, where the frame holds several.
    date_format : str, optional
        How dates are written, as for `datetime.strptime`, where day and month could be swapped.
    tz : str, optional
        The zone of times of day that carry none, such as "UTC" or "America/New_York".
    decimal, thousands : str, optional
        How numbers are written where they are text: found out from all of them.
    check : bool
        Whether to check the bars; False returns them as they are, to be mended and checked by the caller.

    Returns
    -------
    DataFrame of shape (n_bars, 4 or 5)
        Columns `open high low close` and `volume` where there is one, float64; the index `time` holds session dates
        without a zone if every time is midnight where it was written, else UTC. Newest-first rows are turned round.
        `provenance(bars)` tells what was done.

    Raises
    ------
    InputError
        If a column, a time or a number cannot be understood without guessing, or the bars are not sound.

    Examples
    --------
    >>> table = pd.DataFrame({"Date": ["2024-03-05", "2024-03-04"], "O": [1, 2], "H": [3, 3], "L": [1, 1], "C": [2, 2]})
    >>> as_bars(table)["open"].tolist()
    [2.0, 1.0]
    """
    choices = Choices(
        time=time, open=open, high=high, low=low, close=close, volume=volume, symbol=symbol,
        date_format=date_format, tz=tz, decimal=decimal, thousands=thousands,
    )  # fmt: skip
    table = _as_pandas(frame)
    known = provenance(table)
    facts = known or {"source": f"a {type(frame).__module__.partition('.')[0]} frame"}
    bars = bars_of_table(table, choices, facts)
    if check:
        check_bars(bars)
    return bars


def bars_of_table(table: pd.DataFrame, choices: Choices, facts: Mapping[str, Any]) -> pd.DataFrame:
    """Return bars, not yet checked, from a table with columns of any names; `facts` begin their provenance."""
    notes = [str(note) for note in facts.get("notes", [])]
    table, timed = _with_plain_index(table)
    table, chosen = _one_symbol(table, choices.symbol)
    if not len(table):
        raise InputError("there are no rows")
    found = find_columns([str(name) for name in table.columns], choices, has_time_index=timed)
    table = table.set_axis([str(name) for name in table.columns], axis=1)
    times = _times(table, found, choices)
    used = {column: table[column] for column in found.fields.values()}
    by_column = to_numbers(used, choices.decimal, choices.thousands)
    numbers = {name: by_column[column] for name, column in found.fields.items()}
    if isinstance(choices.volume, int | float):
        numbers["volume"] = np.full(len(table), float(choices.volume))
        notes.append(f"volume is {choices.volume:g} in every bar because the caller said so.")
    bars = pd.DataFrame(
        np.vstack([numbers[name] for name in COLUMNS if name in numbers]).T,
        index=times.stamps.rename("time"),
        columns=[name for name in COLUMNS if name in numbers],
    )
    for flag in FLAGS:
        if flag in table.columns:
            bars[flag] = _truths(table[flag])
    bars, turned = _oldest_first(bars)
    notes += [*found.notes, *turned]
    return with_provenance(bars, {**facts, **_account(table, bars, found, times, notes), **chosen})


def _truths(column: pd.Series[Any]) -> Bool1D:
    if column.dtype == np.bool_:
        return column.to_numpy()
    return np.array([str(value).lower() in ("true", "1", "1.0") for value in column], dtype=bool)


def _account(
    table: pd.DataFrame, bars: pd.DataFrame, found: Found, times: Times, notes: Sequence[str]
) -> dict[str, Any]:
    """Return what the provenance tells of the reading."""
    used = {*found.fields.values(), *found.times, *FLAGS}
    renamed = {name: column for name, column in found.fields.items() if name != column}
    return {
        **({"columns": renamed} if renamed else {}),
        **({"left_aside": left} if (left := [str(name) for name in table.columns if name not in used]) else {}),
        "times": times.note,
        "first": str(bars.index[0]),
        "last": str(bars.index[-1]),
        "rows": len(bars),
        "notes": list(dict.fromkeys(notes)),
    }


def _times(table: pd.DataFrame, found: Found, choices: Choices) -> Times:
    if not found.times:
        return to_times(table.index, "the index", date_format=choices.date_format, tz=choices.tz)
    if len(found.times) > 2:
        raise InputError(f"time= names {len(found.times)} columns, expected one, or a date and a time of day")
    columns = [table[name] for name in found.times]
    column = columns[0] if len(columns) == 1 else joined(columns[0], columns[1])
    return to_times(column, " and ".join(map(repr, found.times)), date_format=choices.date_format, tz=choices.tz)


def _with_plain_index(table: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Return the table, named index levels turned into columns, and whether its index holds the times."""
    index = table.index
    if isinstance(index, pd.PeriodIndex):
        return table.set_axis(index.to_timestamp(), axis=0), True
    if isinstance(index, pd.DatetimeIndex):
        return table, True
    if index.dtype == object and len(index) and hasattr(index[0], "year"):
        return table, True
    if any(name is not None for name in index.names):
        return table.reset_index(), False
    return table, False


def _oldest_first(bars: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    index = bars.index
    if len(index) > 1 and index.is_monotonic_decreasing and index.is_unique:
        return bars.iloc[::-1].copy(), ["The rows came newest first and were turned round."]
    return bars, []


def _one_symbol(table: pd.DataFrame, symbol: str | None) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the rows or columns of one instrument, and its symbol where the table names it."""
    if isinstance(table.columns, pd.MultiIndex):
        return _one_of_columns(table, symbol)
    column = next((name for name in table.columns if str(name).lower() in ("symbol", "ticker")), None)
    if column is None:
        if symbol is not None:
            raise InputError(f"symbol={symbol!r}: there is no column 'symbol'; there are {listed(list(table.columns))}")
        return table, {}
    symbols = table[column].astype(str)
    names = symbols.unique().tolist()
    if symbol is None and len(names) > 1:
        raise InputError(
            f"column {column!r} names {len(names)} instruments ({', '.join(names[:6])}); say which: symbol={names[0]!r}"
        )
    if symbol is not None and symbol not in names:
        raise InputError(f"symbol={symbol!r} is not in column {column!r}; there are {listed(names[:20])}")
    chosen = symbol if symbol is not None else names[0] if names else ""
    return table[symbols == chosen].drop(columns=column), {"symbol": chosen}


def _one_of_columns(table: pd.DataFrame, symbol: str | None) -> tuple[pd.DataFrame, dict[str, str]]:
    """Take one instrument out of (field, symbol) or (symbol, field) columns."""
    columns = table.columns
    levels = [list(dict.fromkeys(str(name) for name in columns.get_level_values(i))) for i in range(columns.nlevels)]
    fields = [i for i, names in enumerate(levels) if {"open", "high", "low"} <= {name.lower() for name in names}]
    if columns.nlevels != 2 or len(fields) != 1:
        raise InputError(
            f"the columns have {columns.nlevels} levels, expected (field, symbol); select one symbol first"
        )
    level = 1 - fields[0]
    if symbol is None and len(levels[level]) > 1:
        raise InputError(
            f"the columns hold {len(levels[level])} instruments ({', '.join(levels[level][:6])}); say which:"
            f" symbol={levels[level][0]!r}"
        )
    chosen = symbol if symbol is not None else levels[level][0]
    if chosen not in levels[level]:
        raise InputError(f"symbol={symbol!r} is not in the columns; there are {listed(levels[level][:20])}")
    mine = columns.get_level_values(level).astype(str) == chosen
    return table.loc[:, mine].droplevel(level, axis=1), {"symbol": chosen}


def _as_pandas(frame: Any) -> pd.DataFrame:
    if isinstance(frame, pd.DataFrame):
        return frame
    if hasattr(frame, "__arrow_c_stream__"):
        import pyarrow

        table: pd.DataFrame = pyarrow.table(frame).to_pandas()
        return table
    if hasattr(frame, "to_pandas"):
        converted = frame.to_pandas()
        if isinstance(converted, pd.DataFrame):
            return converted
    hint = "; collect it first: frame.collect()" if hasattr(frame, "collect") else ""
    kind = type(frame)
    raise InputError(
        f"a {kind.__module__}.{kind.__qualname__} is no frame of pandas, Polars or Arrow{hint}; a mapping of columns"
        " can be turned into one: pd.DataFrame(columns)"
    )
