"""Short hashes of what results depend on, so that a checkpoint of something else is recognised."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.arguments import AnyStrategy
from algotrendy.backtest.plain import to_plain
from algotrendy.backtest.storage import bars_hash, library_versions
from algotrendy.strategy import BarStrategy, PythonStrategy, Signals

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


def mix_fingerprint(given: Any) -> str:
    """Return the hash of one strategy, or of several with their shares."""
    if not isinstance(given, Mapping):
        return strategy_fingerprint(given)
    told = {
        name: [content_fingerprint(one) if isinstance(one, Signals) else strategy_fingerprint(one), share]
        for name, (one, share) in given.items()
    }
    return fingerprint(list(told.items()))


def panel_fingerprint(bars: Any) -> str:
    """Return the hash of the bars of several instruments, in their order: it decides ties."""
    from algotrendy.backtest.portfolio.market import as_panel
    from algotrendy.domain.calendar import utc_stamps

    panel = as_panel(bars)
    digest = hashlib.sha256(repr([str(name) for name in panel.instruments]).encode())
    digest.update(utc_stamps(panel.index).astype("datetime64[us]").tobytes())
    further = [dict(columns) for columns in panel.further]
    digest.update(content_fingerprint([panel.fields, panel.valid, further]).encode())
    return digest.hexdigest()[:16]


def content_fingerprint(value: Any) -> str:
    """Return the hash of an option of `backtest`, whatever it is: numbers, texts, frames, fees, actions, functions.

    Examples
    --------
    >>> content_fingerprint({"a": np.ones(3)}) == content_fingerprint({"a": np.ones(3)})
    True
    >>> content_fingerprint([1.0]) == content_fingerprint([2.0])
    False
    """
    digest = hashlib.sha256()
    _update(digest, value)
    return digest.hexdigest()[:16]


def _update(digest: Any, value: Any) -> None:
    """Add a value to a hash, part by part."""
    import pandas as pd

    digest.update(f"|{type(value).__name__}:".encode())
    if isinstance(value, Mapping):
        for key, each in value.items():
            digest.update(repr(key).encode())
            _update(digest, each)
    elif isinstance(value, list | tuple):
        for each in value:
            _update(digest, each)
    elif isinstance(value, pd.DataFrame | pd.Series | pd.Index):
        labels = list(value.columns) if isinstance(value, pd.DataFrame) else getattr(value, "name", None)
        digest.update(repr(labels).encode() + pd.util.hash_pandas_object(value).to_numpy().tobytes())
    elif isinstance(value, np.ndarray) and value.dtype.kind == "O":
        _update(digest, value.tolist())
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            _update(digest, getattr(value, each.name))
    elif callable(value):
        digest.update(source_of(value).encode())
    elif getattr(type(value), "__repr__", None) is object.__repr__:  # an address
        _update(digest, vars(value))
    else:
        digest.update(repr(value).encode())


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
