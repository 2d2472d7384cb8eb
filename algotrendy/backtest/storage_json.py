"""A result as one strict JSON file: the header, and every array as a list.

NaN in an array is null, infinities are the texts "inf" and "-inf".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.storage import check_schema, header, json_content, rebuilt
from algotrendy.domain.types import AnyArray
from algotrendy.errors import DataError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.result import BacktestResult


def encode(result: BacktestResult) -> bytes:
    """Return the file's content."""
    content = header(result) | {
        "bars": _bars_to_plain(result.bars),
        "equity_values": array_to_plain(result.equity_values),
        "units_values": array_to_plain(result.units_values),
        "marks": None if result.marks is None else array_to_plain(result.marks),
        "order_columns": {name: array_to_plain(values) for name, values in result.order_columns.items()},
        "trade_columns": {name: array_to_plain(values) for name, values in result.trade_columns.items()},
    }
    return json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()


def decode(source: Path) -> BacktestResult:
    """Read a file.

    Raises
    ------
    DataError
        If it is cut off, changed, or not a result.
    """
    content = check_schema(json_content(source), source)
    try:
        arrays: dict[str, Any] = {
            "bars": _bars_from_plain(content["bars"]),
            "equity_values": array_from_plain(content["equity_values"]),
            "marks": None if content["marks"] is None else array_from_plain(content["marks"]),
            "order_columns": {name: array_from_plain(value) for name, value in content["order_columns"].items()},
            "trade_columns": {name: array_from_plain(value) for name, value in content["trade_columns"].items()},
        }
        return rebuilt(content, source, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{source.name} is damaged ({error!r}); run the backtest again and save it") from error


def array_to_plain(values: AnyArray) -> dict[str, Any]:
    """Return an array of numbers, truths or texts as its type and a list.

    Examples
    --------
    >>> array_to_plain(np.array([1.5, np.nan, np.inf]))
    {'dtype': 'float64', 'values': [1.5, None, 'inf']}
    """
    items = values.tolist()
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        items = [item if abs(item) < np.inf else (None if math.isnan(item) else str(item)) for item in items]
    if values.dtype.kind not in "fiub" and not all(isinstance(item, str) for item in items):
        raise InputError(f"an array of {values.dtype} cannot be saved as .json; save it as .parquet")
    return {"dtype": "str" if values.dtype.kind not in "fiub" else values.dtype.name, "values": items}


def array_from_plain(content: Mapping[str, Any]) -> AnyArray:
    """Return the array that `array_to_plain` was given; texts as an array of objects."""
    dtype, items = content["dtype"], content["values"]
    if dtype == "str":
        return np.array(items, dtype=object)
    if np.dtype(dtype).kind == "f" and any(item is None or isinstance(item, str) for item in items):
        items = [np.nan if item is None else float(item) for item in items]
    return np.array(items, dtype=dtype)


def _bars_to_plain(bars: pd.DataFrame) -> dict[str, Any]:
    import pandas as pd

    index = pd.DatetimeIndex(bars.index)
    stamps = stamps_facts(index) | {"values": index.asi8.tolist()}
    columns = []
    for name, column in bars.items():
        plain = array_to_plain(column.to_numpy())
        columns.append(
            {"name": str(name), **plain, "dtype": plain["dtype"] if plain["dtype"] != "str" else str(column.dtype)}
        )
    return {"index": stamps, "columns": columns}


def _bars_from_plain(content: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    stamps = content["index"]
    index = stamps_index(np.array(stamps["values"], dtype=np.int64), stamps)
    columns = {}
    for column in content["columns"]:
        is_text = column["dtype"] in ("str", "object", "string")
        values = array_from_plain(column if not is_text else {**column, "dtype": "str"})
        columns[column["name"]] = pd.Series(values, index=index, dtype=column["dtype"])
    return pd.DataFrame(columns, index=index)


def stamps_facts(index: pd.DatetimeIndex) -> dict[str, Any]:
    """Return what an index is beside its stamps: unit, time zone, name and frequency."""
    zone = None if index.tz is None else str(index.tz)
    return {"unit": index.unit, "tz": zone, "name": index.name, "freq": index.freqstr}


def stamps_index(values: AnyArray, stamps: Mapping[str, Any]) -> pd.DatetimeIndex:
    """Return the index of integer stamps with its unit, time zone, name and frequency."""
    import pandas as pd

    moments = pd.DatetimeIndex(values.astype(f"datetime64[{stamps['unit']}]"))
    index = moments if stamps["tz"] is None else moments.tz_localize("UTC").tz_convert(stamps["tz"])
    return pd.DatetimeIndex(index, name=stamps["name"], freq=stamps["freq"])
