"""What a function knows besides the bars that it is handed: data in its closure, globals, defaults, attributes, params.

A leak can come from outside: a function that looks up a frame of all bars sees the future whatever it is handed. So
data that it can reach is found, and changed in the place where it is held while the function runs.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import sysconfig
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from algotrendy.domain.types import AnyArray

__all__ = ["Captured", "Reached", "altered", "captured_by", "columns_of", "is_one_per_bar", "nowhere"]

_LEAST_ROWS = 16
_DEPTH_MAX = 6
_ITEMS_MAX = 400
_LIBRARIES = tuple(
    os.path.realpath(path) for path in {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
)
_PACKAGE = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))


@dataclass(frozen=True)
class Captured:
    """Something that a function can reach.

    Attributes
    ----------
    label : str
        How the function calls it: "global FULL", "self.full", "params['mean']".
    value : object
        What it is.
    put : callable
        Puts another value in its place.
    """

    label: str
    value: Any
    put: Callable[[Any], None] = field(repr=False)

    @property
    def is_data(self) -> bool:
        """Whether it has rows; else it is a single number."""
        return not isinstance(self.value, int | float | np.number)


class Reached(NamedTuple):
    """What a function can reach: data and numbers, and the names that its code and that of its helpers speak of."""

    found: list[Captured]
    names: set[str]


def captured_by(function: Any, params: Mapping[str, Any], attrs: Mapping[Any, Any]) -> Reached:
    """Return the data and the numbers that a function can reach without being handed them as bars.

    Parameters
    ----------
    function : callable
        The function, or an object that can be called.
    params : mapping
        What it is handed besides the bars; must be a dict if values are to be replaced.
    attrs : mapping
        Those of the bars.
    """
    finder = _Finder()
    finder.visit("", function, nowhere, 0)
    for label, holder in (("params", params), ("attrs", attrs)):
        for name, value in holder.items():
            finder.visit(f"{label}[{name!r}]", value, _setter(holder, name), 1)
    return Reached(finder.found, finder.names)


def nowhere(_value: Any) -> None:
    """Hold nothing: the place cannot be written to."""


def _setter(holder: Any, key: Any) -> Callable[[Any], None]:
    def put(value: Any) -> None:
        holder[key] = value

    return put


def _attribute(owner: Any, name: str) -> Callable[[Any], None]:
    def put(value: Any) -> None:
        object.__setattr__(owner, name, value)

    return put


def _cell(cell: types.CellType) -> Callable[[Any], None]:
    def put(value: Any) -> None:
        cell.cell_contents = value

    return put


def _argument(made: functools.partial[Any], place: int) -> Callable[[Any], None]:
    def put(value: Any) -> None:
        arguments = list(made.args)
        arguments[place] = value
        made.__setstate__((made.func, tuple(arguments), made.keywords, made.__dict__))  # type: ignore[attr-defined]

    return put


class _Finder:
    """Walks from a function to whatever it names."""

    def __init__(self) -> None:
        self.found: list[Captured] = []
        self.names: set[str] = set()
        self._seen: set[int] = set()

    def visit(self, label: str, value: Any, put: Callable[[Any], None], depth: int) -> None:
        if isinstance(value, bool | str | bytes | type(None)):
            return
        if isinstance(value, int | float | np.number):
            self.found.append(Captured(label, value, put))
            return
        if id(value) in self._seen or depth > _DEPTH_MAX or len(self._seen) > _ITEMS_MAX:
            return
        self._seen.add(id(value))
        if _has_rows(value):
            self.found.append(Captured(label, value, put))
        elif isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
            self.found += [Captured(f"{label}[{k}]", each, nowhere) for k, each in enumerate(value.ravel().tolist())]
        else:
            self._inside(label, value, depth + 1)

    def _inside(self, label: str, value: Any, depth: int) -> None:
        if isinstance(value, types.FunctionType):
            self._function(value, depth)
        elif isinstance(value, types.MethodType):
            self.visit(label, value.__self__, nowhere, depth)
            self.visit(label, value.__func__, nowhere, depth)
        elif isinstance(value, functools.partial):
            self.visit(label, value.func, nowhere, depth)
            for k, each in enumerate(value.args):
                self.visit(f"argument {k} of the partial", each, _argument(value, k), depth)
            for name, each in value.keywords.items():
                self.visit(f"{name} of the partial", each, _setter(value.keywords, name), depth)
        elif isinstance(value, Mapping):
            for name, each in list(value.items())[:_ITEMS_MAX]:
                self.visit(f"{label}[{name!r}]", each, _setter(value, name), depth)
        elif isinstance(value, list | tuple | set | frozenset):
            put = isinstance(value, list)
            for k, each in enumerate(list(value)[:64]):
                self.visit(f"{label}[{k}]", each, _setter(value, k) if put else nowhere, depth)
        elif not isinstance(value, types.ModuleType | type | types.BuiltinFunctionType):
            self._object(label, value, depth)

    def _object(self, label: str, value: Any, depth: int) -> None:
        owner = label or "self"
        for name, each in list(getattr(value, "__dict__", {}).items()):
            self.visit(f"{owner}.{name}", each, _attribute(value, name), depth)
        own = [kind for kind in type(value).__mro__ if kind is type(value) or not _is_library(_file_of(kind))]
        names = dict.fromkeys(name for kind in own for name in vars(kind) if not name.startswith("__"))
        for name in ("__call__", *names):
            method = getattr(type(value), name, None)
            if isinstance(method, types.FunctionType):
                self.visit(owner, method, nowhere, depth)

    def _function(self, function: types.FunctionType, depth: int) -> None:
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            self.visit("", wrapped, nowhere, depth)
        if _is_library(function.__code__.co_filename):
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            try:
                self.visit(f"closure {name}", cell.cell_contents, _cell(cell), depth)
            except ValueError:  # an empty cell: the name is not bound yet
                continue
        for k, each in enumerate(function.__defaults__ or ()):
            self.visit(f"default {k} of {function.__name__}", each, _default(function, k), depth)
        keywords = function.__kwdefaults__ or {}
        for name, each in keywords.items():
            self.visit(f"default of {name}", each, _setter(keywords, name), depth)
        for name, each in vars(function).items():
            self.visit(f"{function.__name__}.{name}", each, _attribute(function, name), depth)
        self._globals(function, depth)

    def _globals(self, function: types.FunctionType, depth: int) -> None:
        spoken = set(_names(function.__code__))
        self.names |= spoken
        for name in sorted(spoken & set(function.__globals__)):
            value = function.__globals__[name]
            if isinstance(value, types.ModuleType):
                if not _is_library(getattr(value, "__file__", None) or _LIBRARIES[0]):
                    for inner in sorted(spoken & set(vars(value))):
                        self.visit(f"{name}.{inner}", getattr(value, inner), _attribute(value, inner), depth)
            elif not isinstance(value, type) or not _is_library(_file_of(value)):
                self.visit(f"global {name}", value, _setter(function.__globals__, name), depth)


def _default(function: types.FunctionType, place: int) -> Callable[[Any], None]:
    def put(value: Any) -> None:
        defaults = list(function.__defaults__ or ())
        defaults[place] = value
        function.__defaults__ = tuple(defaults)

    return put


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _file_of(cls: type) -> str:
    module = sys.modules.get(cls.__module__)
    return getattr(module, "__file__", None) or _LIBRARIES[0]


def _is_library(path: str) -> bool:
    real = os.path.realpath(path)
    return real.startswith((*_LIBRARIES, _PACKAGE)) or "site-packages" in real


def _has_rows(value: Any) -> bool:
    if isinstance(value, pd.DataFrame | pd.Series):
        return len(value) >= 2
    if isinstance(value, np.ndarray):
        return value.ndim >= 1 and len(value) >= _LEAST_ROWS
    if isinstance(value, list | tuple):
        return len(value) >= _LEAST_ROWS and all(isinstance(each, int | float | np.number) for each in value)
    if isinstance(value, Mapping):
        first = next(iter(value), None)
        return len(value) >= _LEAST_ROWS and (hasattr(first, "year") or isinstance(first, np.datetime64))
    return False


# --- the same data with other later rows ------------------------------------------------------------------------------


def columns_of(value: Any, index: pd.DatetimeIndex) -> dict[str, AnyArray]:
    """Return the numeric columns of captured data that has a row for each bar, in the order of the bars."""
    n = len(index)
    if isinstance(value, pd.Series):
        value = value.to_frame(str(value.name or "values"))
    if isinstance(value, pd.DataFrame):
        if isinstance(value.index, pd.DatetimeIndex) and len(value) != n:
            try:
                value = value.reindex(index)
            except (TypeError, ValueError):
                return {}
        if len(value) != n:
            return {}
        numeric = value.select_dtypes(["number", "bool"])
        return {str(name): numeric[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in numeric.columns}
    if isinstance(value, Mapping):
        value = list(value.values())
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or len(array) != n or array.ndim > 2:
        return {}
    wide = array.reshape(n, -1).astype(np.float64)
    return {f"column {k}" if wide.shape[1] > 1 else "values": wide[:, k] for k in range(wide.shape[1])}


def is_one_per_bar(value: Any, index: pd.Index) -> bool:
    """Return whether captured data has a row for every bar, or for every bar of the span that it covers."""
    if abs(len(value) - len(index)) <= 2:
        return True
    times = _times_of(value)
    if times is None or not isinstance(index, pd.DatetimeIndex) or (times.tz is None) != (index.tz is None):
        return False
    inside = index[(index >= times.min()) & (index <= times.max())]
    return len(inside) > 0 and bool(inside.isin(times).mean() > 0.9)


def altered(value: Any, index: pd.DatetimeIndex, cut: int, rng: np.random.Generator, *, drop: bool) -> Any:
    """Return captured data as it would be if the bars after a cut had been others, or not there.

    Parameters
    ----------
    value : DataFrame, Series, array, list or mapping with times as keys
        What was captured.
    index : DatetimeIndex
        Of the bars.
    cut : int
        Rows of this bar and of later ones are changed.
    rng : Generator
        For the other values.
    drop : bool
        Leave later rows out, where rows have times; else change their values.

    Returns
    -------
    object or None
        None if it has no rows that can be told to be later.
    """
    later = _later_rows(value, index, cut)
    if later is None or not later.any():
        return None
    if isinstance(value, pd.DataFrame):
        if drop:
            return value.loc[~later]
        made = value.copy()
        for k in [k for k, dtype in enumerate(value.dtypes) if dtype.kind in "biuf"]:
            made.isetitem(k, _others(value.iloc[:, k], later, rng).array)
        return made
    if isinstance(value, pd.Series):
        return value.loc[~later] if drop else _others(value, later, rng)
    if isinstance(value, Mapping):
        names = list(value)
        kept = {name: value[name] for name, gone in zip(names, later, strict=True) if not gone}
        return kept if drop else {**value, **{n: _other(value[n], rng) for n, x in zip(names, later, strict=True) if x}}
    if drop:
        return None
    array = np.array(value)
    array[later] = np.array([_other(each, rng) for each in array[later].tolist()], dtype=array.dtype)
    return type(value)(array.tolist()) if isinstance(value, list | tuple) else array


def _later_rows(value: Any, index: pd.DatetimeIndex, cut: int) -> AnyArray | None:
    times = _times_of(value)
    if times is not None:
        try:
            return np.asarray(times > index[cut - 1])
        except TypeError:  # one has a zone, the other has none
            return np.asarray(times.tz_localize(None) > index[cut - 1].tz_localize(None))
    if isinstance(value, Mapping) or inspect.ismodule(value):
        return None
    if abs(len(value) - len(index)) > 2:
        return None
    return np.arange(len(value)) >= cut


def _times_of(value: Any) -> pd.DatetimeIndex | None:
    """Return the times of the rows: those of the index, of the keys, or of the first column that holds some."""
    if isinstance(value, Mapping):
        keys = pd.Index(list(value))
        return keys if isinstance(keys, pd.DatetimeIndex) else None
    if not isinstance(value, pd.DataFrame | pd.Series):
        return None
    if isinstance(value.index, pd.DatetimeIndex):
        return value.index
    if isinstance(value, pd.DataFrame):
        for name, dtype in value.dtypes.items():
            if dtype.kind == "M":
                return pd.DatetimeIndex(value[name])
            if dtype.kind not in "biufcm":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of texts that are no times
                    parsed = pd.to_datetime(value[name], errors="coerce")
                if parsed.dtype.kind == "M" and parsed.notna().mean() > 0.9:
                    return pd.DatetimeIndex(parsed)
    return None


def _others(series: pd.Series[Any], later: AnyArray, rng: np.random.Generator) -> pd.Series[Any]:
    made = series.copy()
    values = series.to_numpy()
    kind = series.dtype.kind
    if kind == "b":
        made = made.where(~later, ~series.astype(bool))
    elif kind in "iuf":
        factor = np.exp(rng.choice([-1.0, 1.0], len(series)) * rng.uniform(0.05, 0.5, len(series)))
        moved = np.where(values == 0, rng.normal(size=len(series)), values * factor)
        made = made.astype(np.float64).where(~later, moved)
    else:
        made = made.where(~later, pd.Series(values[rng.permutation(len(series))], index=series.index))
    return made


def _other(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value * float(np.exp(rng.choice([-1.0, 1.0]) * rng.uniform(0.05, 0.5))) or 1.0
    if isinstance(value, list):
        return [_other(each, rng) for each in value]
    return value
