"""Results in files: one versioned schema, written as strict JSON or as Parquet, and read back equal.

A file is written beside its place and moved there when it is whole, so a reader never meets half of one. The hash of
the inputs is stored and checked again on reading.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.plain import from_plain, to_plain
from algotrendy.domain.provenance import PROVENANCE_KEY
from algotrendy.errors import DataError, InputError
from algotrendy.home import write_whole

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.result import BacktestResult

SCHEMA_NAME = "algotrendy.backtest"
SCHEMA_VERSION = 1
SCHEMA = f"{SCHEMA_NAME}/{SCHEMA_VERSION}"
PORTFOLIO_SCHEMA_NAME = "algotrendy.portfolio"
"""Results of several instruments: `portfolio/storage.py`."""

_READ_BY = {SCHEMA_NAME: "at.BacktestResult.load", PORTFOLIO_SCHEMA_NAME: "at.backtest.PortfolioResult.load"}

_SUFFIXES = (".json", ".parquet")
_MEANING = ("metrics", "strategy", "params", "assumptions", "pending", "ruined_at", "warnings")


def save(result: BacktestResult, path: str | Path) -> Path:
    """Write a result to a `.json` or `.parquet` file, whole or not at all, and return the path."""
    from algotrendy.backtest import storage_json, storage_parquet

    target, suffix = target_and_suffix(path)
    writers = {".json": storage_json.encode, ".parquet": storage_parquet.encode}
    _refuse_odd_columns(result.bars)
    return write_whole(target, writers[suffix](result))


def target_and_suffix(path: str | Path) -> tuple[Path, str]:
    """Return where a result is written, and its suffix.

    Raises
    ------
    InputError
        If the suffix is neither `.json` nor `.parquet`.
    """
    target = Path(path).expanduser()
    if target.suffix.lower() not in _SUFFIXES:
        raise InputError(
            f"a result is saved as .json or .parquet, found {target.name!r}; choose one of the two suffixes"
        )
    return target, target.suffix.lower()


def source_and_suffix(path: str | Path) -> tuple[Path, str]:
    """Return the file that a result is read from, and its suffix.

    Raises
    ------
    DataError
        If there is no such file, or its suffix is neither `.json` nor `.parquet`.
    """
    source = Path(path).expanduser()
    if source.suffix.lower() not in _SUFFIXES:
        raise DataError(f"{source.name!r} is neither .json nor .parquet; give the file that save() wrote")
    if not source.is_file():
        raise DataError(f"there is no file {source}; check the path")
    return source, source.suffix.lower()


def json_content(source: Path) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    DataError
        If it is cut off or not JSON.
    """
    try:
        return json.loads(source.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(
            f"{source.name} is cut off or not JSON ({error}); run the backtest again and save it"
        ) from error


def parquet_table(source: Path, key: bytes) -> tuple[Any, Any]:
    """Return the table of a Parquet file, and the header that its metadata holds under `key`, or None.

    Raises
    ------
    DataError
        If it is cut off, not Parquet, or its header is not JSON.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(source)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{source.name} is cut off or not Parquet ({error}); run the backtest again and save it"
        ) from error
    metadata = table.schema.metadata or {}
    found = next((metadata[each.encode()] for each in _READ_BY if each.encode() in metadata), None)
    try:
        return table, None if found is None else json.loads(metadata.get(key, found))
    except ValueError as error:
        raise DataError(f"{source.name} is damaged ({error!r}); run the backtest again and save it") from error


def load(path: str | Path) -> BacktestResult:
    """Read a result that `save` wrote, and check that its inputs are the ones that were hashed."""
    from algotrendy.backtest import storage_json, storage_parquet

    source, suffix = source_and_suffix(path)
    readers: dict[str, Callable[[Path], BacktestResult]] = {
        ".json": storage_json.decode,
        ".parquet": storage_parquet.decode,
    }
    return readers[suffix](source)


def _refuse_odd_columns(bars: pd.DataFrame) -> None:
    """Refuse columns of the bars that are not numbers, truths, moments or texts under a text as name.

    Raises
    ------
    InputError
        If there is one.
    """
    for name, column in bars.items():
        if not isinstance(name, str):
            raise InputError(f"the bars have a column named {name!r}; rename it to a text to save the result")
        if column.dtype.kind not in "fiubM" and not all(isinstance(item, str) for item in column.tolist()):
            raise InputError(f"the bars' column {name!r} holds neither numbers nor texts; drop it to save the result")


# --- what both formats share ---


def header(result: BacktestResult) -> dict[str, Any]:
    """Return everything of a result but its arrays and bars, in plain JSON types."""
    meaning = {name: to_plain(getattr(result, name)) for name in _MEANING}
    return {
        "schema": SCHEMA,
        "versions": dict(result.versions),
        "input_hash": result.input_hash,
        **meaning,
        "provenance": to_plain(result.bars.attrs.get(PROVENANCE_KEY)),
        "requests": requests_to_plain(result.requests),
    }


def requests_to_plain(requests: pd.DataFrame | None) -> list[dict[str, Any]] | None:
    """Return the frame of explicit orders in plain JSON types, column by column."""
    if requests is None:
        return None
    return [
        {"name": str(name), "dtype": str(column.dtype), "values": to_plain(_items(column))}
        for name, column in requests.items()
    ]


def _items(column: pd.Series[Any]) -> list[Any]:
    items: list[Any] = column.tolist()
    if column.dtype.name != "Int64":
        return items
    return [None if gone else item for item, gone in zip(items, column.isna().tolist(), strict=True)]


def requests_from_plain(columns: Any) -> pd.DataFrame | None:
    """Return the frame that `requests_to_plain` was given."""
    import pandas as pd

    if columns is None:
        return None
    return pd.DataFrame({each["name"]: pd.Series(from_plain(each["values"]), dtype=each["dtype"]) for each in columns})


def check_schema(content: Any, source: Path, expected: str = SCHEMA_NAME) -> dict[str, Any]:
    """Return the header of a file if it has the expected schema and this version can read it.

    Raises
    ------
    DataError
        If it is not the header of a result, or of a newer schema.
    """
    schema = content.get("schema") if isinstance(content, dict) else None
    name, _, number = schema.partition("/") if isinstance(schema, str) else ("", "", "")
    if name in _READ_BY and name != expected:
        raise DataError(f"{source.name} holds the schema {schema}; read it with {_READ_BY[name]}(path)")
    current = f"{expected}/{SCHEMA_VERSION}"
    if name != expected or not number.isdigit():
        raise DataError(
            f"{source.name} is not a backtest result (schema {schema!r}, expected {current!r}); "
            "give a file that save() wrote"
        )
    if int(number) > SCHEMA_VERSION:
        raise DataError(
            f"{source.name} has the schema {schema}, and this algotrendy reads up to {current}; "
            "update algotrendy (pip install -U algotrendy) to read it"
        )
    header_found: dict[str, Any] = content
    return header_found


def rebuilt(content: Mapping[str, Any], source: Path, arrays: Mapping[str, Any]) -> BacktestResult:
    """Return the result of a header and its arrays, if its inputs are the ones that were hashed.

    Raises
    ------
    DataError
        If they are not.
    """
    from algotrendy.backtest.result import BacktestResult

    meaning = {name: from_plain(content[name]) for name in _MEANING}
    provenance = from_plain(content["provenance"])
    if provenance is not None:
        arrays["bars"].attrs[PROVENANCE_KEY] = provenance
    meaning["warnings"] = tuple(meaning["warnings"])
    requests = requests_from_plain(content.get("requests"))  # files of before have none
    result = BacktestResult(**arrays, **meaning, written_with=content["versions"], requests=requests)
    if result.input_hash != content["input_hash"]:
        raise DataError(
            f"{source.name} was changed after it was written (its input hash differs); run the backtest again"
        )
    return result


def input_hash(result: BacktestResult) -> str:
    """Return the SHA-256 over bars, strategy, parameters and assumptions, as hexadecimal text."""
    digest = hashlib.sha256()
    update_with_bars(digest, result.bars, sorted(result.bars.columns, key=str))
    inputs = {name: to_plain(getattr(result, name)) for name in ("strategy", "params", "assumptions")}
    digest.update(json.dumps(inputs, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())
    return digest.hexdigest()


def bars_hash(bars: pd.DataFrame) -> str:
    """Return the SHA-256 over the stamps and columns of bars, as hexadecimal text; see `input_hash`."""
    digest = hashlib.sha256()
    update_with_bars(digest, bars, sorted(bars.columns, key=str))
    return digest.hexdigest()


def update_with_bars(digest: Any, bars: pd.DataFrame, names: Sequence[Any]) -> None:
    """Feed the stamps of bars and the named columns to a hash of `hashlib`.

    Stamps count in microseconds, so that it does not matter in which unit pandas keeps them.
    """
    import pandas as pd

    index = pd.DatetimeIndex(bars.index)
    digest.update(f"{index.tz}|{len(index)}".encode())
    digest.update(np.ascontiguousarray(index.as_unit("us").asi8, dtype="<i8"))
    plain = pd.DataFrame(bars)  # without attrs, which pandas copies deeply for each column that is looked at
    for name in names:
        values = plain[name].to_numpy()
        digest.update(f"|{name}|".encode())
        if values.dtype.kind in "fiub":
            digest.update(np.ascontiguousarray(values, dtype="<f8"))
        else:
            digest.update("\0".join(map(str, values.tolist())).encode())


@lru_cache(maxsize=1)
def _versions() -> tuple[tuple[str, str], ...]:
    found = [("python", platform.python_version())]
    for package in ("algotrendy", "numpy", "pandas", "numba"):
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            found.append((package, "unknown"))
    return tuple(found)


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that numbers depend on."""
    return dict(_versions())
