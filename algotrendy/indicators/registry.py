"""The names that an expression may call, and what is known about each of them.

A name stands for one series: `macd_signal` and `macd_histogram` are names of their own. Names that come out of one
computation share a `group`, so whoever evaluates an expression can compute the group once and pick the output.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np

from algotrendy.domain.types import Bool1D, Float1D
from algotrendy.errors import InputError

BAR_COLUMNS = ("open", "high", "low", "close", "volume")
"""Inputs with these names are taken from the bars; so is `session`, the label of the bar's trading session."""

RESERVED = frozenset(
    {
        *BAR_COLUMNS,
        *("session", "periods_per_year", "and", "or", "not", "true", "false"),
        *("crosses_above", "crosses_below", "prev", "abs", "min", "max", "sqrt", "log", "exp", "tf", "rank", "symbol"),
        *("zscore", "demean", "quantile", "top", "bottom", "by", "pct"),
    }
)
"""Words of the expression language that no indicator may take."""

Lookback: TypeAlias = Callable[[Mapping[str, float]], int]


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """One parameter of an indicator: its name, its type and its bounds.

    Attributes
    ----------
    name : str
        As in the signature of the function.
    type : {int, float}
        An int takes whole numbers only (20 and 20.0, not 20.5).
    default : float or None
        None: the parameter must be given.
    minimum : float or None
        Smallest value allowed.
    keeps_whole : bool
        For a float of a user's function without a type: hand over 20 as the int it was written as.
    """

    name: str
    type: type[int] | type[float] = int
    default: float | None = None
    minimum: float | None = None
    keeps_whole: bool = False

    def check(self, value: object, owner: str) -> int | float:
        """Return `value` as the parameter's type.

        Raises
        ------
        InputError
            If it is not a finite number of that type, or too small.
        """
        if type(value) is int and self.type is int and (self.minimum is None or value >= self.minimum):
            return value  # nearly always, and ten times faster than asking what kind of number it is
        number = math.nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
        whole = number.is_integer()
        fits = whole if self.type is int else math.isfinite(number)
        if not fits or (self.minimum is not None and number < self.minimum):
            expected = "a whole number" if self.type is int else "a number"
            if self.minimum is not None:
                expected += f" of at least {self.minimum}"
            raise InputError(f"{owner}: `{self.name}` is {value!r}; expected {expected}")
        if self.type is int or (self.keeps_whole and whole):
            return int(value) if isinstance(value, Integral) else int(number)
        return number

    def allows(self, column: Float1D) -> Bool1D:
        """Return of many numbers at once whether `check` lets them pass."""
        fits = np.isfinite(column)
        if self.type is int:
            fits &= np.floor(column) == column
        if self.minimum is not None:
            fits &= column >= self.minimum
        return fits


def bind(owner: str, parameters: Sequence[ParameterInfo], values: Mapping[str, object]) -> dict[str, int | float]:
    """Return checked values of all `parameters`, in their order, defaults filled in.

    Raises
    ------
    InputError
        If a value is missing, unknown, of the wrong type or out of bounds.
    """
    bound = {}
    for info in parameters:
        value = values.get(info.name, info.default)
        if value is None:
            _refuse_unknown(owner, parameters, values)
            raise InputError(f"{owner}: `{info.name}` is missing; it takes: {_listed(parameters)}")
        bound[info.name] = info.check(value, owner)
    if any(name not in bound for name in values):
        _refuse_unknown(owner, parameters, values)
    return bound


def _refuse_unknown(owner: str, parameters: Sequence[ParameterInfo], values: Mapping[str, object]) -> None:
    known = [info.name for info in parameters]
    for name in values:
        if name not in known:
            raise InputError(f"{owner} has no parameter {name!r}; it takes: {_listed(parameters)}")


def _listed(parameters: Sequence[ParameterInfo]) -> str:
    return ", ".join(info.name for info in parameters) or "none"


@dataclass(frozen=True, slots=True)
class IndicatorSpec:
    """What is known about one name.

    Attributes
    ----------
    name : str
        As written in an expression.
    inputs : tuple of str
        Names of the series the function takes. `open high low close volume session` come from the bars and are not
        written in an expression; any other name is an argument that may be any numeric expression.
    parameters : tuple of ParameterInfo
        In the order in which an expression gives them, after the series.
    unit : {"price", "index", "ratio", "volume", "same"}
        `index` is 0 to 100 or of that order, `same` is the unit of the input.
    scale : str
        The magnitude against which ties are decided. "value": that of the value itself (and of the argument's own
        scale, where it has one, as a difference has). "input": the magnitude of the argument, for results that can
        vanish while the argument is large. "price": the close. Otherwise a number as text, e.g. "100".
    lookback : callable
        Parameters to the number of bars before the first value.
    function : callable
        Float64 arrays and parameters (by keyword) to one array, or a tuple of arrays for a group of several outputs.
    description : str
        One line.
    group : str
        Names with the same group, inputs and parameters are outputs of one call of the same function.
    output : int or None
        Position in the tuple that the function returns; None where it returns the array itself.
    outputs : tuple of str
        Names of the outputs in that tuple; empty where the function returns the array itself.
    stream : callable or None
        Parameters to a fresh streaming form, see `algotrendy.indicators.stream`; None for functions of users.
    made_of : str
        The same numbers, to the last bit, as an expression of simpler indicators, the inputs and the parameters; or
        the indicator itself without the parameters that this output does not depend on. A sweep that varies a factor
        then computes the parts once. Empty: there is none.
    """

    name: str
    inputs: tuple[str, ...]
    parameters: tuple[ParameterInfo, ...]
    unit: str
    scale: str
    lookback: Lookback
    function: Callable[..., Any]
    description: str
    group: str = ""
    output: int | None = None
    outputs: tuple[str, ...] = ()
    stream: Callable[..., Any] | None = None
    made_of: str = ""

    def __reduce__(self) -> tuple[Callable[[str], IndicatorSpec], tuple[str]]:
        return lookup, (self.name,)  # another process finds it by its name: functions do not travel

    def bind(self, values: Mapping[str, object]) -> dict[str, int | float]:
        """Return checked values of all parameters, defaults filled in; see `bind`."""
        return bind(self.name, self.parameters, values)

    def compute(self, *inputs: Float1D, **parameters: float) -> Float1D:
        """Return this output for the given series."""
        result = self.function(*inputs, **parameters)
        series: Float1D = result if self.output is None else result[self.output]
        return series


_BUILTIN: dict[str, IndicatorSpec] = {}
_USER: dict[str, IndicatorSpec] = {}


def names() -> tuple[str, ...]:
    """Return all names that an expression may call, in alphabetical order."""
    return tuple(sorted({*_BUILTIN, *_USER}))


def lookup(name: str) -> IndicatorSpec:
    """Return what is known about `name`.

    Raises
    ------
    InputError
        If there is no such indicator; the nearest name is proposed.

    Examples
    --------
    >>> lookup("sma").lookback({"window": 20})
    19
    """
    spec = _BUILTIN.get(name) or _USER.get(name)
    if spec is None:
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(names())}"
        raise InputError(f"there is no indicator {name!r}{hint}")
    return spec


def register(spec: IndicatorSpec) -> None:
    """Make a user's indicator known to expressions; the same name again replaces it.

    Raises
    ------
    InputError
        If the name belongs to a built-in indicator or to the language, or is not a plain word.
    """
    builtin = {*_BUILTIN, *(known.group for known in _BUILTIN.values())}
    if spec.name in builtin or spec.name in RESERVED:
        owner = "a built-in indicator" if spec.name in builtin else "a word of the expression language"
        raise InputError(f"{spec.name!r} is {owner}; choose another name: indicator(name='my_{spec.name}')")
    if not (spec.name.isidentifier() and spec.name.isascii()):
        raise InputError(f"{spec.name!r} cannot be written in an expression; use letters, digits and underscores")
    _USER[spec.name] = spec


def is_builtin(spec: IndicatorSpec) -> bool:
    """Return whether an indicator is one of this package, not a user's.

    Examples
    --------
    >>> is_builtin(lookup("sma"))
    True
    """
    return _BUILTIN.get(spec.name) is spec


def register_builtin(specs: Sequence[IndicatorSpec]) -> None:
    """Make the indicators of this package known; their names cannot be replaced."""
    _BUILTIN.update({spec.name: spec for spec in specs})
