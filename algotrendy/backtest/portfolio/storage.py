"""Results of several instruments in files: the versioned schema of results, as strict JSON or as Parquet.

A file holds what the engine wrote, and a hash over all of it, which is checked on reading. In Parquet there is one row
per bar, with prices by symbol and with fills, trades, dividends and what was not filled as nested lists.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.plain import from_plain, to_plain
from algotrendy.backtest.storage import (
    PORTFOLIO_SCHEMA_NAME,
    SCHEMA_VERSION,
    check_schema,
    json_content,
    parquet_table,
    requests_from_plain,
    requests_to_plain,
    source_and_suffix,
    target_and_suffix,
)
from algotrendy.backtest.storage_json import array_from_plain, array_to_plain, stamps_facts, stamps_index
from algotrendy.backtest.storage_parquet import flat, nested
from algotrendy.errors import DataError
from algotrendy.home import write_whole

if TYPE_CHECKING:
    from algotrendy.backtest.portfolio.result import PortfolioResult

__all__ = ["load", "save"]

_MEANING = ("symbols", "metrics", "strategy", "params", "assumptions", "ruined_at", "warnings")
_CURVES = ("equity_values", "cash_values", "gross_values")
_OPTIONAL = ("growth_values", "transfer_values", "reserve_values")
_BY_INSTRUMENT = ("multipliers", "borrow_values")
_COLUMNS = {
    "order_columns": "filled_at",
    "trade_columns": "exit_at",
    "dividend_columns": "paid_at",
    "unfilled_columns": "bar",
}
"""Tables of a result, and the column that says at which bar a row belongs."""
_KEY = PORTFOLIO_SCHEMA_NAME.encode()
_PRICE = "price."


def save(result: PortfolioResult, path: str | Path) -> Path:
    """Write a result to a `.json` or `.parquet` file, whole or not at all, and return the path."""
    target, suffix = target_and_suffix(path)
    writers: dict[str, Callable[[PortfolioResult], bytes]] = {".json": _to_json, ".parquet": _to_parquet}
    return write_whole(target, writers[suffix](result))


def load(path: str | Path) -> PortfolioResult:
    """Read a result that `save` wrote, and check that nothing in it was changed."""
    source, suffix = source_and_suffix(path)
    readers: dict[str, Callable[[Path], PortfolioResult]] = {".json": _from_json, ".parquet": _from_parquet}
    return readers[suffix](source)


def content_hash(result: PortfolioResult) -> str:
    """Return the SHA-256 over everything that a result holds, as hexadecimal text."""
    import pandas as pd

    index = pd.DatetimeIndex(result.index)
    digest = hashlib.sha256(f"{index.tz}|{len(index)}".encode())
    digest.update(np.ascontiguousarray(index.as_unit("us").asi8, dtype="<i8").tobytes())
    arrays: dict[str, Any] = {
        name: getattr(result, name) for name in (*_CURVES, *_OPTIONAL, *_BY_INSTRUMENT, "last_prices", "marks")
    }
    for table in _COLUMNS:
        arrays |= {f"{table}.{name}": values for name, values in (getattr(result, table) or {}).items()}
    for name, values in sorted(arrays.items()):
        digest.update(f"|{name}|".encode())
        if values is not None:
            digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    plain = {name: to_plain(getattr(result, name)) for name in _MEANING} | {
        "requests": requests_to_plain(result.requests)
    }
    plain["sleeves"] = [[name, content_hash(each)] for name, each in result.sleeves.items()]
    digest.update(json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())
    return digest.hexdigest()


def _header(result: PortfolioResult) -> dict[str, Any]:
    return {
        "schema": f"{PORTFOLIO_SCHEMA_NAME}/{SCHEMA_VERSION}",
        "versions": dict(result.versions),
        "content_hash": content_hash(result),
        **{name: to_plain(getattr(result, name)) for name in _MEANING},
        **{name: array_to_plain(getattr(result, name)) for name in _BY_INSTRUMENT},
        **{
            name: None if getattr(result, name) is None else array_to_plain(getattr(result, name)) for name in _OPTIONAL
        },
        "sleeves": [[name, _content(each)] for name, each in result.sleeves.items()],
        "requests": requests_to_plain(result.requests),
        "index": stamps_facts(result.index),
    }


def _rebuilt(content: Mapping[str, Any], source: Path, arrays: Mapping[str, Any]) -> PortfolioResult:
    """Return the result of a header and its arrays, if they are the ones that were hashed.

    Raises
    ------
    DataError
        If they are not.
    """
    from algotrendy.backtest.portfolio.result import PortfolioResult

    meaning: dict[str, Any] = {name: from_plain(content[name]) for name in _MEANING}
    meaning |= {name: array_from_plain(content[name]) for name in _BY_INSTRUMENT}
    meaning["symbols"], meaning["warnings"] = tuple(meaning["symbols"]), tuple(meaning["warnings"])
    result = PortfolioResult(
        **arrays,
        **meaning,
        **{
            name: None if content[name] is None else array_from_plain(content[name])  # type: ignore[arg-type]
            for name in _OPTIONAL
        },
        sleeves={name: _from_content(each, source) for name, each in content["sleeves"]},
        requests=requests_from_plain(content["requests"]),
        written_with=content["versions"],
    )
    if content_hash(result) != content["content_hash"]:
        raise DataError(f"{source.name} was changed after it was written (its hash differs); run the backtest again")
    return result


# --- JSON ---


def _to_json(result: PortfolioResult) -> bytes:
    return json.dumps(_content(result), allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()


def _content(result: PortfolioResult) -> dict[str, Any]:
    """Return all of a result in plain JSON types."""
    tables = {
        table: None if columns is None else {name: array_to_plain(values) for name, values in columns.items()}
        for table, columns in ((table, getattr(result, table)) for table in _COLUMNS)
    }
    return _header(result) | {
        "stamps": result.index.asi8.tolist(),
        **{name: array_to_plain(getattr(result, name)) for name in _CURVES},
        "last_prices": [array_to_plain(column) for column in result.last_prices.T],
        "marks": None if result.marks is None else array_to_plain(result.marks),
        **tables,
    }


def _from_json(source: Path) -> PortfolioResult:
    return _from_content(json_content(source), source)


def _from_content(given: Any, source: Path) -> PortfolioResult:
    content = check_schema(given, source, PORTFOLIO_SCHEMA_NAME)
    try:
        arrays: dict[str, Any] = {
            "index": stamps_index(np.array(content["stamps"], dtype=np.int64), content["index"]),
            **{name: array_from_plain(content[name]) for name in _CURVES},
            "last_prices": np.column_stack([array_from_plain(column) for column in content["last_prices"]]),
            "marks": None if content["marks"] is None else array_from_plain(content["marks"]),
        }
        for table in _COLUMNS:
            columns = content[table]
            arrays[table] = (
                None if columns is None else {name: array_from_plain(value) for name, value in columns.items()}
            )
        return _rebuilt(content, source, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{source.name} is damaged ({error!r}); run the backtest again and save it") from error


# --- Parquet ---


def _to_parquet(result: PortfolioResult) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    n_bars = len(result.index)
    columns: dict[str, Any] = {
        "time": pa.array(result.index),
        "stamp": result.index.asi8,
        **{name.removesuffix("_values"): getattr(result, name) for name in _CURVES},
        "is_mark": np.isin(np.arange(n_bars), result.valuation_marks),
    }
    there = [table for table in _COLUMNS if getattr(result, table) is not None]
    for table in there:
        columns[table.removesuffix("_columns")] = nested(getattr(result, table), _COLUMNS[table], n_bars)
    for symbol, prices in zip(result.symbols, result.last_prices.T, strict=True):
        columns[f"{_PRICE}{symbol}"] = prices
    content = _header(result) | {"every_bar_is_mark": result.marks is None, "tables": there}
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(content, allow_nan=False).encode()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _from_parquet(source: Path) -> PortfolioResult:
    table, content = parquet_table(source, _KEY)
    content = check_schema(content, source, PORTFOLIO_SCHEMA_NAME)
    try:
        arrays: dict[str, Any] = {
            "index": stamps_index(table["stamp"].to_numpy(), content["index"]),
            **{name: table[name.removesuffix("_values")].to_numpy() for name in _CURVES},
            "last_prices": np.column_stack([table[_PRICE + symbol].to_numpy() for symbol in content["symbols"]]),
            "marks": None if content["every_bar_is_mark"] else np.flatnonzero(table["is_mark"].to_numpy()),
        }
        for name in content["tables"]:
            arrays[name] = flat(table[name.removesuffix("_columns")])
        return _rebuilt(content, source, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{source.name} is damaged ({error!r}); run the backtest again and save it") from error
