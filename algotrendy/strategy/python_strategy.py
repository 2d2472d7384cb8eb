"""A strategy that is a Python function of the bars.

The function sees all bars at once, so nothing but its author keeps it from looking ahead; a text strategy cannot.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from algotrendy.errors import InputError
from algotrendy.strategy.levels import Level, Size, check_level, level_to_json, parse_levels
from algotrendy.strategy.parameter import (
    LEVELS,
    OPTIONS,
    ParameterSpec,
    checked_columns,
    is_number,
    plain_number,
    replaced,
    split_params,
)
from algotrendy.strategy.signals import Signals

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.expressions import Expression

_FIELDS = (*LEVELS, "columns", "name", "description")


@dataclass(frozen=True, init=False, eq=False)
class PythonStrategy:
    """A function `(bars, params) -> signals` with its parameters and levels.

    `at.backtest(function, bars, params=...)` makes one; make it yourself to give it stops, a size or specs.

    Parameters
    ----------
    function : callable
        Takes the bars (a copy: changing them changes nothing outside) and the parameters as a dict; returns `Signals`,
        a mapping or frame with the same names, or a tuple (entries, exits).
    params : mapping, optional
        Parameters of any kind, or `ParameterSpec`.
    stop, target, trail, size : optional
        As in `Strategy`; a text may use those parameters that are numbers. What the function returns comes first.
    columns : sequence of str
        Further columns of the bars that those texts use by name, such as `pe`; the function sees all columns anyway.
    name, description : str, optional
        For people to read; the name of the function by default.

    Raises
    ------
    InputError
        If the function cannot be called with bars and parameters, or a level or a parameter is not allowed.

    Examples
    --------
    >>> def monday(bars, params):
    ...     return {"entries": bars.index.weekday == params["day"], "exits": bars.index.weekday != params["day"]}
    >>> PythonStrategy(monday, params={"day": 0}, stop=0.05)
    PythonStrategy(monday, stop=0.05, day=0)
    """

    function: Callable[[pd.DataFrame, dict[str, Any]], Any]
    stop: Level
    target: Level
    trail: Level
    size: Size
    columns: tuple[str, ...]
    name: str
    description: str | None
    parameters: Mapping[str, Any]
    specs: Mapping[str, ParameterSpec]
    level_expressions: Mapping[str, Expression]

    def __init__(
        self,
        function: Callable[[pd.DataFrame, dict[str, Any]], Any],
        params: Mapping[str, Any] | None = None,
        *,
        stop: Level = None,
        target: Level = None,
        trail: Level = None,
        size: Size = None,
        columns: Sequence[str] = (),
        name: str | None = None,
        description: str | None = None,
    ) -> None:
        _check_callable(function)
        values, specs = split_params(params or {})
        for key in values:
            if key in LEVELS or key in OPTIONS:
                raise InputError(f"parameter {key!r} collides with a level or an option of a backtest; rename it")
        levels = {"stop": stop, "target": target, "trail": trail, "size": size}
        levels = {key: check_level(key, value) for key, value in levels.items()}
        fields: dict[str, Any] = {"columns": checked_columns(columns)}
        fields |= {"name": name or function_name(function), "description": description}
        self._fill(function, levels | fields, values, specs)

    def _fill(
        self,
        function: Callable[..., Any],
        fields: Mapping[str, Any],
        values: Mapping[str, Any],
        specs: Mapping[str, ParameterSpec],
    ) -> None:
        numeric = [key for key, value in values.items() if is_number(value)]
        made = {
            "function": function,
            "parameters": MappingProxyType(dict(values)),
            "specs": MappingProxyType(dict(specs)),
            "level_expressions": MappingProxyType(parse_levels(fields, numeric, fields["columns"])),
        }
        for key, value in (dict(fields) | made).items():
            object.__setattr__(self, key, value)

    @property
    def numbers(self) -> dict[str, int | float]:
        """The parameters that are numbers: those a level's text may use."""
        return {key: plain_number(value) for key, value in self.parameters.items() if is_number(value)}

    def signals(self, bars: pd.DataFrame, params: Mapping[str, Any] | None = None) -> Signals:
        """Call the function on a copy of the bars.

        Raises
        ------
        InputError
            If it returns something that is not signals. What the function itself raises is passed on.
        """
        given = self.function(_own_copy(bars), dict(self.parameters if params is None else params))
        return Signals.of(given, f"the strategy {self.name!r}")

    def with_params(self, **values: Any) -> PythonStrategy:
        """Return the same strategy with other parameters or levels.

        Raises
        ------
        InputError
            If there is no such parameter (the nearest is proposed), or a value is outside its spec.
        """
        levels = {key: check_level(key, value) for key, value in values.items() if key in LEVELS}
        given = {key: value for key, value in values.items() if key not in LEVELS}
        parameters = replaced(self.parameters, given, self.specs, numeric=False)
        result = object.__new__(PythonStrategy)
        fields = {key: getattr(self, key) for key in _FIELDS} | levels
        result._fill(self.function, fields, parameters, self.specs)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return a description in plain values: it says which function ran, but does not bring it back."""
        inner = getattr(self.function, "func", self.function)
        place = f"{getattr(inner, '__module__', '')}.{getattr(inner, '__qualname__', function_name(inner))}"
        levels = {key: level_to_json(getattr(self, key)) for key in LEVELS}
        plain = (str, int, float, bool, type(None))
        params = {key: value if isinstance(value, plain) else repr(value) for key, value in self.parameters.items()}
        fields = {"kind": "python", "name": self.name, "description": self.description, "function": place.lstrip(".")}
        further = {"columns": list(self.columns)} if self.columns else {}
        return {**fields, **levels, **further, "params": params}

    def _key(self) -> tuple[Any, ...]:
        params = tuple(sorted((key, repr(value)) for key, value in self.parameters.items()))
        return (self.function, *(getattr(self, key) for key in _FIELDS), params)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PythonStrategy) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        shown = {key: getattr(self, key) for key in LEVELS if getattr(self, key) is not None} | dict(self.parameters)
        return f"PythonStrategy({', '.join([self.name, *(f'{key}={value!r}' for key, value in shown.items())])})"

    def __reduce__(self) -> tuple[Any, ...]:
        params = {key: self.specs.get(key, value) for key, value in self.parameters.items()}
        fields = {key: getattr(self, key) for key in _FIELDS}
        return (_rebuilt, (self.function, params, fields, dict(self.parameters)))


def _rebuilt(
    function: Callable[..., Any], params: dict[str, Any], fields: dict[str, Any], values: dict[str, Any]
) -> PythonStrategy:
    return PythonStrategy(function, params, **fields).with_params(**values)


def function_name(function: Callable[..., Any]) -> str:
    """Return the name of a function, of what a partial wraps, or of an object's class."""
    inner = getattr(function, "func", function)
    return str(getattr(inner, "__name__", type(inner).__name__))


def _own_copy(bars: pd.DataFrame) -> pd.DataFrame:
    """Return bars that a function may change: pandas 3 copies on write, pandas 2 has to copy now."""
    import pandas as pd

    return bars.copy(deep=int(pd.__version__.split(".")[0]) < 3)


def _check_callable(function: Any) -> None:
    if not callable(function):
        raise InputError(f"the strategy is a {type(function).__name__}; give a function (bars, params) -> signals")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C: it says nothing about itself
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise InputError(
            f"the strategy {function_name(function)}{signature} must take two arguments: (bars, params)"
        ) from error
