"""Short hashes of what results depend on, so that a checkpoint of something else is recognised."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.arguments import AnyStrategy
from algotrendy.backtest.plain import to_plain
from algotrendy.backtest.storage import bars_hash, library_versions
from algotrendy.strategy import BarStrategy, PythonStrategy

if TYPE_CHECKING:
    import pandas as pd


def fingerprint(value: Any) -> str:
    """Return the hash of a value of plain types, the same in every process.

    Examples
    --------
    >>> fingerprint({"a": 1, "b": [2.5]}) == fingerprint({"b": [2.5], "a": 1})
    True
    """
    text = json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def bars_fingerprint(bars: pd.DataFrame) -> str:
    """Return the hash of the stamps and all columns of bars; in which unit the stamps are kept does not matter."""
    return bars_hash(bars)[:16]


def strategy_fingerprint(strategy: AnyStrategy) -> str:
    """Return the hash of a strategy with its values: of its texts, or of the source of its function or class.

    What a Python function calls, and what it finds in its surroundings, does not go into it.
    """
    described: dict[str, Any] = dict(strategy.to_dict())
    if isinstance(strategy, PythonStrategy):
        described["source"] = source_of(strategy.function)
    if isinstance(strategy, BarStrategy):
        described["source"] = [source_of(kind) for kind in type(strategy).__mro__ if issubclass(kind, BarStrategy)]
    return fingerprint(described)


def options_fingerprint(assumptions: Mapping[str, Any]) -> str:
    """Return the hash of conventions and costs, and of the version that computes with them."""
    return fingerprint({**assumptions, "version": library_versions()["algotrendy"]})


def source_of(function: Any) -> str:
    """Return the source of a function, of what a partial wraps with its arguments, or of an object's class."""
    inner = getattr(function, "func", function)
    named = inner if inspect.isroutine(inner) or inspect.isclass(inner) else type(inner)
    bound = [repr(getattr(function, name, None)) for name in ("args", "keywords")]
    try:
        return "".join([inspect.getsource(named), *bound])
    except (OSError, TypeError):  # typed into a console, or compiled
        code = getattr(inner, "__code__", None)
        return "".join(["" if code is None else code.co_code.hex() + repr(code.co_names), *bound])
