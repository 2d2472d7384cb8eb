"""Parameters of a strategy: what a value may be, and which names are taken.

A parameter is a number with a name that the text of a strategy uses. A `ParameterSpec` states its bounds, so that a
value outside them is refused wherever it comes from: a call, a file or a sweep.
"""

from __future__ import annotations

import difflib
import keyword
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from algotrendy.errors import InputError

CONDITIONS = ("entry", "exit", "short_entry", "short_exit")
LEVELS = ("stop", "target", "trail", "size")
TEXTS = ("params", "name", "description")
OPTIONS = (
    *("cash", "commission", "slippage", "borrow", "fill", "units", "lot_size", "max_leverage"),
    *("calendar", "interval", "periods_per_year", "risk_free_rate"),
)
BARS_NAMES = ("open", "high", "low", "close", "volume")
WORDS = ("and", "or", "not", "true", "false")
TYPES = ("int", "float", "choice")


@dataclass(frozen=True)
class ParameterSpec:
    """What one parameter of a strategy may be.

    Parameters
    ----------
    name : str
        As it is written in the text of the strategy.
    type : {'int', 'float', 'choice'}
        A whole number, any number, or one of `choices`.
    min_value, max_value : float, optional
        Bounds, both included.
    choices : sequence, optional
        The values a 'choice' may take.
    default : optional
        The value when none is given.

    Raises
    ------
    InputError
        If the type is unknown, the bounds are the wrong way round, choices are missing or out of place, or the default
        is not a value that the rest allows.

    Examples
    --------
    >>> fast = ParameterSpec("fast", "int", min_value=2, max_value=200, default=20)
    >>> fast.check(50)
    50
    >>> fast.check(500)
    Traceback (most recent call last):
        ...
    algotrendy.errors.InputError: parameter 'fast' is 500; it must be a whole number from 2 to 200
    """

    name: str
    type: str
    min_value: float | None = None
    max_value: float | None = None
    choices: Sequence[Any] | None = None
    default: Any = None

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise InputError(f"parameter {self.name!r} has the type {self.type!r}; use one of {', '.join(TYPES)}")
        if self.type == "choice" and (not self.choices or isinstance(self.choices, str)):
            raise InputError(f"parameter {self.name!r} is a choice without choices; give choices=[...]")
        if self.type != "choice" and self.choices is not None:
            raise InputError(f"parameter {self.name!r} has choices; only the type 'choice' takes them")
        if self.choices is not None:
            object.__setattr__(self, "choices", tuple(self.choices))
        for bound in (self.min_value, self.max_value):
            if bound is not None and not _is_finite(bound):
                raise InputError(f"parameter {self.name!r} has the bound {bound!r}; a bound is a finite number or None")
        if self.min_value is not None and self.max_value is not None and self.min_value > self.max_value:
            raise InputError(f"parameter {self.name!r} has min_value={self.min_value} above max_value={self.max_value}")
        if self.default is not None:
            object.__setattr__(self, "default", self.check(self.default))

    def check(self, value: Any) -> Any:
        """Return `value` as an int, a float or one of the choices.

        Raises
        ------
        InputError
            If the value is not one that this parameter may take; the message names the bounds.
        """
        if self.type == "choice":
            return self._chosen(value)
        if not _is_finite(value):
            raise InputError(f"parameter {self.name!r} is {value!r}; it must be {self.allowed}")
        number = plain_number(value)
        below = self.min_value is not None and number < self.min_value
        above = self.max_value is not None and number > self.max_value
        if below or above or (self.type == "int" and number != int(number)):
            raise InputError(f"parameter {self.name!r} is {number}; it must be {self.allowed}")
        return int(number) if self.type == "int" else number

    @property
    def allowed(self) -> str:
        """The values it may take, in words."""
        if self.choices is not None:
            return f"one of {', '.join(repr(choice) for choice in self.choices)}"
        kind = "a whole number" if self.type == "int" else "a number"
        if self.min_value is not None and self.max_value is not None:
            return f"{kind} from {self.min_value} to {self.max_value}"
        if self.min_value is not None:
            return f"{kind} from {self.min_value} up"
        return f"{kind} up to {self.max_value}" if self.max_value is not None else kind

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values, choices as a list."""
        return {
            "name": self.name,
            "type": self.type,
            "min_value": self.min_value,
            "max_value": self.max_value,
            "choices": None if self.choices is None else list(self.choices),
            "default": self.default,
        }

    def _chosen(self, value: Any) -> Any:
        for choice in self.choices or ():
            if isinstance(choice, bool) == isinstance(value, bool) and choice == value:
                return choice
        raise InputError(f"parameter {self.name!r} is {value!r}; it must be {self.allowed}")


_PLAIN = (float, int)
"""Looked at first: a grid has thousands of values, and the abstract `Real` is thirty times slower to ask for."""


def plain_number(value: Any) -> int | float:
    """Return a finite number of any kind (NumPy's too) as a Python int or float."""
    if type(value) in _PLAIN:
        return value  # type: ignore[no-any-return]  # it is one of the two already
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def is_number(value: Any) -> TypeGuard[float]:
    """Tell whether `value` is a real number; a bool is none."""
    return type(value) in _PLAIN or (isinstance(value, numbers.Real) and not isinstance(value, bool))


def _is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)


def check_number(name: str, value: Any) -> int | float:
    """Return the value of a parameter that has no spec: any finite number.

    Raises
    ------
    InputError
        If `value` is not a finite number.
    """
    if not _is_finite(value):
        hint = _text_hint(value) if isinstance(value, str) else ""
        raise InputError(f"parameter {name!r} is {value!r}; a parameter is a finite number or a ParameterSpec{hint}")
    return plain_number(value)


def _text_hint(text: str) -> str:
    try:
        return f"; take the quotes away: {float(text):g}"
    except ValueError:
        return "; conditions are written in entry=, exit=, short_entry=, short_exit="


def checked_columns(columns: Any) -> tuple[str, ...]:
    """Return the names of further columns of the bars.

    Raises
    ------
    InputError
        If they are something else than a list of texts.
    """
    if isinstance(columns, str) or not all(isinstance(name, str) for name in columns):
        raise InputError(f"columns is {columns!r}; give the names of further columns of the bars: columns=['pe']")
    return tuple(columns)


def check_name(name: Any, functions: Iterable[str] = ()) -> None:
    """Refuse a parameter name that already means something else.

    Parameters
    ----------
    name : str
        The name of a parameter.
    functions : iterable of str
        Names of the functions and indicators that an expression may call.

    Raises
    ------
    InputError
        If the name is not an identifier, or collides with a field of a strategy, an option of a backtest, a column of
        the bars, a word of the language or a function.
    """
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
        raise InputError(f"{name!r} cannot name a parameter; use letters, digits and underscores, as in 'fast_window'")
    taken = _meaning(name, functions)
    if taken:
        raise InputError(f"parameter {name!r} collides with {taken}; choose another name, such as '{name}_value'")


def _meaning(name: str, functions: Iterable[str]) -> str:
    if name in CONDITIONS or name in LEVELS:
        return f"the field {name!r} of a strategy (write {name}=... itself; stop, target, trail and size can be swept)"
    if name in TEXTS:
        return f"the field {name!r} of a strategy"
    if name in OPTIONS:
        return f"the option {name!r} of a backtest"
    if name in BARS_NAMES:
        return f"the column {name!r} of the bars"
    if name in WORDS or keyword.iskeyword(name):
        return f"the reserved word {name!r}"
    return f"the function {name!r} of the expression language" if name in functions else ""


def split_params(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, ParameterSpec]]:
    """Split parameters as a user gives them into values and specs.

    Raises
    ------
    InputError
        If a spec is filed under a name that is not its own, or has no default.
    """
    values: dict[str, Any] = {}
    specs: dict[str, ParameterSpec] = {}
    for name, value in given.items():
        if not isinstance(value, ParameterSpec):
            values[name] = value
            continue
        if value.name != name:
            raise InputError(f"parameter {name!r} has a spec for {value.name!r}; the two names must be the same")
        if value.default is None:
            raise InputError(
                f"parameter {name!r} has a spec without a default; give default=... so that it has a value"
            )
        values[name], specs[name] = value.default, value
    return values, specs


def replaced(
    old: Mapping[str, Any], new: Mapping[str, Any], specs: Mapping[str, ParameterSpec], *, numeric: bool = True
) -> dict[str, Any]:
    """Return `old` with the values in `new`, each checked against its spec.

    Raises
    ------
    InputError
        If a name is not a parameter (the nearest is proposed) or a value is not allowed.
    """
    result = dict(old)
    for name, value in new.items():
        if name not in old:
            raise InputError(f"there is no parameter {name!r}{nearest(name, (*old, *LEVELS))}")
        if name in specs:
            result[name] = specs[name].check(value)
        else:
            result[name] = check_number(name, value) if numeric else value
    return result


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Return the end of a message: the name that was probably meant, or all there are."""
    known = list(candidates)
    close = difflib.get_close_matches(str(name), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(known)}"


def spec_from_dict(name: str, given: Any) -> ParameterSpec:
    """Return the spec that `ParameterSpec.to_dict` wrote.

    Raises
    ------
    InputError
        If `given` is not a mapping of a spec's fields.
    """
    allowed = ("name", "type", "min_value", "max_value", "choices", "default")
    if not isinstance(given, Mapping) or "type" not in given:
        raise InputError(f"the spec of parameter {name!r} is {given!r}; it is an object with {', '.join(allowed)}")
    for field in given:
        if field not in allowed:
            raise InputError(f"the spec of parameter {name!r} has an unknown field {field!r}{nearest(field, allowed)}")
    return ParameterSpec(**{"name": name, **given})
