"""A passport: one file that says what a backtest was made of and what came out, so that another place can run it again.

Here stands that of one instrument, and what such a file is; `portfolio/passport.py` has what differs for several.

It holds no code. A strategy of texts is its own definition; a Python function, or the class of a stateful strategy, is
named, with the hash of its source, and has to be handed in again. Every section has a checksum, and all together have
one.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.plain import to_plain
from algotrendy.backtest.storage import bars_hash, requests_to_plain
from algotrendy.backtest.storage_json import array_to_plain
from algotrendy.domain.provenance import provenance
from algotrendy.domain.types import AnyArray, Float1D
from algotrendy.errors import DataError, InputError
from algotrendy.home import write_whole

if TYPE_CHECKING:
    from algotrendy.backtest.result import BacktestResult

__all__ = ["PORTFOLIO_SCHEMA", "SCHEMA", "read_passport", "write_passport"]

SCHEMA_NAME = "algotrendy.passport"
SCHEMA_VERSION = 1
SCHEMA = f"{SCHEMA_NAME}/{SCHEMA_VERSION}"
PORTFOLIO_SCHEMA_NAME = "algotrendy.portfolio_passport"
PORTFOLIO_SCHEMA = f"{PORTFOLIO_SCHEMA_NAME}/{SCHEMA_VERSION}"
SECTIONS = (
    "assumptions", "data", "definition", "fill_interval", "lookahead", "params", "results", "schema", "trials",
    "versions", "warnings",
)  # fmt: skip
_SECTIONS_OF = {SCHEMA_NAME: frozenset(SECTIONS), PORTFOLIO_SCHEMA_NAME: frozenset({*SECTIONS, "call"})}
CHECKPOINTS = 200
"""So many values of the equity are kept beside its hash, to say where a run parts from the stored one."""


def write_passport(
    result: BacktestResult,
    path: str | Path,
    *,
    strategy: Callable[..., Any] | None = None,
    trials: Any = None,
    lookahead: Any = None,
    fill_interval: Any = None,
) -> Path:
    """Write the passport of a result, whole or not at all; `BacktestResult.passport` calls it.

    Raises
    ------
    InputError
        If the Python function or class that decided cannot be found by its name, or a section holds more than plain
        values.
    """
    sections = {
        "schema": SCHEMA,
        "versions": dict(result.versions),
        "data": _data(result),
        "definition": to_plain(result.strategy) | _function_facts(result.strategy, strategy),
        "params": to_plain(result.params),
        "assumptions": to_plain(result.assumptions),
        "results": results_of(result),
        "warnings": list(result.warnings),
        **told_sections(trials=trials, lookahead=lookahead, fill_interval=fill_interval),
    }
    return write_sections(path, sections)


def write_sections(path: str | Path, sections: Mapping[str, Any]) -> Path:
    """Write the sections of a passport with their checksums, whole or not at all; return the path."""
    return write_whole(Path(path).expanduser(), encoded({**sections, "checksums": checksums_of(sections)}))


def told_sections(**told: Any) -> dict[str, Any]:
    """Return the sections that are only told in plain values: `trials`, `lookahead`, `fill_interval`.

    Raises
    ------
    InputError
        If one holds more than plain values.
    """
    return {name: _plain_section(name, value) for name, value in told.items()}


def results_of(result: BacktestResult) -> dict[str, Any]:
    """Return what came out of a run in plain values: metrics, orders, hashes of the curves, how it ended.

    Of a stateful strategy also what it asked for.
    """
    asked = {} if result.requests is None else {"requests": requests_to_plain(result.requests)}
    return {
        "metrics": to_plain(dict(result.metrics)),
        "orders": {name: array_to_plain(values) for name, values in result.order_columns.items()},
        "orders_hash": columns_hash(result.order_columns),
        "trades_hash": columns_hash(result.trade_columns),
        "equity_hash": array_hash(result.equity_values),
        "units_hash": array_hash(result.units_values),
        "equity_at": checkpoints(result.equity_values),
        "pending": result.pending,
        "ruined_at": to_plain(result.ruined_at),
        "input_hash": result.input_hash,
        **asked,
    }


def read_passport(path: str | Path) -> dict[str, Any]:
    """Return the sections of a passport, if not a byte of it was changed.

    Raises
    ------
    DataError
        If there is no such file, it is no passport, of a newer schema, or was changed; the message names the section.

    Examples
    --------
    >>> import algotrendy as at, tempfile
    >>> result = at.backtest(at.strategies.buy_and_hold(), at.synthetic(n=20, seed=1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = write_passport(result, Path(folder) / "passport.json")
    ...     read_passport(file)["data"]["rows"]
    20
    """
    source = Path(path).expanduser()
    if not source.is_file():
        raise DataError(f"there is no file {source}; check the path")
    raw = source.read_bytes()
    try:
        content = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{source.name} is cut off, changed or not JSON ({error}); ask for the passport again"
        ) from error
    _check_schema(content, source)
    sections = {name: value for name, value in content.items() if name != "checksums"}
    _check_sections(sections, content.get("checksums"), source)
    if encoded(content) != raw:
        raise DataError(f"{source.name} is not byte for byte as it was written, though its values are; it was edited")
    return sections


def encoded(content: Mapping[str, Any]) -> bytes:
    """Return the one way in which some content is written."""
    return (json.dumps(content, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def checksums_of(sections: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of every section, and under "all" that of everything."""
    each = {name: hashlib.sha256(encoded({name: value})).hexdigest() for name, value in sections.items()}
    return each | {"all": hashlib.sha256(encoded(sections)).hexdigest()}


def source_hash(function: Callable[..., Any]) -> str | None:
    """Return the SHA-256 of the source of a function, or of the class of an object; None if it cannot be read."""
    inner = inspect.unwrap(getattr(function, "func", function))
    if not inspect.isroutine(inner) and not inspect.isclass(inner):
        inner = type(inner)
    try:
        text = inspect.getsource(inner)
    except (OSError, TypeError):  # typed at a prompt, or written in C
        return None
    return hashlib.sha256(inspect.cleandoc(text).encode()).hexdigest()


# --- what is written ---


def _data(result: BacktestResult) -> dict[str, Any]:
    index = result.bars.index
    return {
        "hash": bars_hash(result.bars),
        "rows": len(index),
        "first": to_plain(index[0]),
        "last": to_plain(index[-1]),
        "columns": [str(name) for name in result.bars.columns],
        "provenance": to_plain(provenance(result.bars)),
    }


_WORDS = {"python": "function", "stateful": "class"}


def _function_facts(described: Mapping[str, Any], strategy: Callable[..., Any] | None) -> dict[str, Any]:
    """Return the hash of the source of what decided, found by its name among what is imported already."""
    if described.get("kind") not in ("python", "stateful"):
        return {}
    function = getattr(strategy, "function", strategy)
    if function is None:
        function = _imported(str(described["function"]))
    if function is None:
        raise InputError(
            f"the {_WORDS[described['kind']]} {described['function']} is not found by that name, so nobody could find"
            " it elsewhere; define it at the top of a module, or hand it in: passport(path, strategy=...)"
        )
    return {"source_hash": source_hash(function)}


def _imported(place: str) -> Any:
    """Return what a dotted name means, if its module is imported; nothing is imported for it."""
    parts = place.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:cut]))
        for name in parts[cut:]:
            found = getattr(found, name, None)
        if found is not None:
            return found
    return None


def _plain_section(name: str, value: Any) -> Any:
    if value is None:
        return None
    given = value.to_dict() if hasattr(value, "to_dict") else value
    try:
        return json.loads(json.dumps(to_plain(given), allow_nan=False))
    except InputError as error:
        raise InputError(f"{name}= holds what a file cannot: {error}") from error


def checkpoints(equity: Float1D) -> list[list[float]]:
    """Return some bars, evenly over all, with the equity at their ends."""
    places = np.unique(np.linspace(0, len(equity) - 1, min(CHECKPOINTS, len(equity))).astype(np.int64))
    return [[int(place), float(equity[place])] for place in places]


def columns_hash(columns: Mapping[str, AnyArray]) -> str:
    """Return the SHA-256 over the columns of a table, whatever their order."""
    digest = hashlib.sha256()
    for name in sorted(columns):
        digest.update(f"|{name}|{array_hash(columns[name])}".encode())
    return digest.hexdigest()


def array_hash(values: AnyArray) -> str:
    """Return the SHA-256 over numbers as float64."""
    return hashlib.sha256(np.ascontiguousarray(values, dtype="<f8").tobytes()).hexdigest()


# --- what is read ---


def _check_schema(content: Any, source: Path) -> None:
    schema = content.get("schema") if isinstance(content, dict) else None
    name, _, number = schema.partition("/") if isinstance(schema, str) else ("", "", "")
    if name not in _SECTIONS_OF or not number.isdecimal():
        raise DataError(
            f"{source.name} is not a passport (schema {schema!r}, expected {SCHEMA!r} or {PORTFOLIO_SCHEMA!r})"
        )
    if int(number) > SCHEMA_VERSION:
        raise DataError(
            f"{source.name} has the schema {schema}, and this algotrendy reads up to {name}/{SCHEMA_VERSION}; "
            "update algotrendy (pip install -U algotrendy) to read it"
        )


def _check_sections(sections: Mapping[str, Any], stored: Any, source: Path) -> None:
    expected_names = _SECTIONS_OF[sections["schema"].partition("/")[0]]
    if set(sections) != expected_names:
        odd = sorted(set(sections) ^ expected_names)
        raise DataError(f"{source.name} was changed after it was written: {', '.join(odd)} is missing or was added")
    expected = checksums_of(sections)
    if not isinstance(stored, dict) or set(stored) != set(expected):
        raise DataError(f"{source.name} was changed after it was written: its checksums are not those of a passport")
    wrong = [name for name in expected if stored[name] != expected[name] and name != "all"]
    if wrong:
        raise DataError(
            f"{source.name} was changed after it was written: the checksum of {', '.join(sorted(wrong))} does not fit"
        )
    if stored["all"] != expected["all"]:
        raise DataError(f"{source.name} was changed after it was written: the checksum of all sections does not fit")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
