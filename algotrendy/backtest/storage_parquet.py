"""A result as one Parquet file: one row per bar, with the fills and the trades that ended in that bar as nested lists.

Any Parquet reader can use it (`select time, equity, fills`); the header is in the file's metadata.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.storage import check_schema, header, parquet_table, rebuilt
from algotrendy.backtest.storage_json import stamps_facts, stamps_index
from algotrendy.domain.types import AnyArray, Int1D
from algotrendy.errors import DataError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa

    from algotrendy.backtest.result import BacktestResult

_KEY = b"algotrendy.backtest"
_BAR = "bar."


def encode(result: BacktestResult) -> bytes:
    """Return the file's content."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    index = pd.DatetimeIndex(result.bars.index)
    n_bars = len(index)
    marks = np.arange(n_bars) if result.marks is None else result.marks
    columns: dict[str, Any] = {
        "time": pa.array(index),
        "stamp": index.asi8,
        "equity": result.equity_values,
        "units": result.units_values,
        "is_mark": np.isin(np.arange(n_bars), marks),
        "fills": nested(result.order_columns, "filled_at", n_bars),
        "trades": nested(result.trade_columns, "exit_at", n_bars),
    }
    dtypes = {}
    for name, column in result.bars.items():
        columns[f"{_BAR}{name}"] = pa.array(column, from_pandas=False)
        dtypes[str(name)] = str(column.dtype)
    content = header(result) | {
        "index": stamps_facts(index),
        "dtypes": dtypes,
        "every_bar_is_mark": result.marks is None,
    }
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(content, allow_nan=False).encode()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def decode(source: Path) -> BacktestResult:
    """Read a file.

    Raises
    ------
    DataError
        If it is cut off, changed, or not a result.
    """
    table, content = parquet_table(source, _KEY)
    content = check_schema(content, source)
    try:
        arrays: dict[str, Any] = {
            "bars": _bars(table, content),
            "equity_values": table["equity"].to_numpy(),
            "marks": None if content["every_bar_is_mark"] else np.flatnonzero(table["is_mark"].to_numpy()),
            "order_columns": flat(table["fills"]),
            "trade_columns": flat(table["trades"]),
        }
        return rebuilt(content, source, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{source.name} is damaged ({error!r}); run the backtest again and save it") from error


def _bars(table: pa.Table, content: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    index = stamps_index(table["stamp"].to_numpy(), content["index"])
    columns = {
        name: pd.Series(table[_BAR + name].to_pandas().to_numpy(), index=index, dtype=dtype)
        for name, dtype in content["dtypes"].items()
    }
    return pd.DataFrame(columns, index=index)


def nested(columns: Mapping[str, AnyArray], ended_at: str, n_bars: int) -> pa.Array:
    """Return rows as lists, one list per bar: the rows that ended in it."""
    import pyarrow as pa

    positions: Int1D = columns[ended_at]
    if np.any(np.diff(positions) < 0):
        raise InputError(f"the rows are not in the order of {ended_at!r}; a result keeps them oldest first")
    offsets = np.searchsorted(positions, np.arange(n_bars + 1)).astype(np.int32)
    rows = pa.StructArray.from_arrays([pa.array(values) for values in columns.values()], names=list(columns))
    return pa.ListArray.from_arrays(pa.array(offsets), rows)


def flat(lists: pa.ChunkedArray) -> dict[str, AnyArray]:
    """Return the columns that `nested` was given."""
    rows = lists.combine_chunks().flatten()
    names = [rows.type.field(k).name for k in range(rows.type.num_fields)]
    return {name: rows.field(k).to_numpy(zero_copy_only=False) for k, name in enumerate(names)}
