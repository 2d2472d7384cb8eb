"""Numbers that do not change from bar to bar: literals, parameters, constants, and arithmetic on them.

A scalar may be one number or a column of them, one per combination of a sweep; the arithmetic is the same. Scalars are
exact: their scale is their own magnitude, and a sum that is zero but for the rounding of its parts is zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.expressions.nodes import Arithmetic, Constant, Function, Node, Number, Operator, Parameter

TIE = 1e-12
"""Numbers this close, relative to the largest that went into them, are equal."""

Values: TypeAlias = Mapping[str, Any]
"""Parameters and constants by name: numbers, or columns of numbers of one length."""


def finite(numbers: Any) -> Any:
    """Return `numbers` with NaN, which is unknown, in the place of infinities."""
    return np.where(np.isfinite(numbers), numbers, np.nan)


def greatest(left: Any, right: Any) -> Any:
    """Return the maximum; unknown if either is. The kernel's twin."""
    return np.where((left > right) | np.isnan(left), left, right)


def bigger(left: Any, right: Any) -> Any:
    """Return the larger magnitude; unknown if either is."""
    return greatest(np.abs(left), np.abs(right))


def calculate(operator: Operator, left: Any, right: Any) -> Any:
    """Return one step of arithmetic on numbers or arrays; what is not finite is unknown.

    Examples
    --------
    >>> float(calculate("/", 1.0, 4.0)), float(calculate("/", 1.0, 0.0))
    (0.25, nan)
    """
    with np.errstate(all="ignore"):
        if operator == "+":
            return finite(np.add(left, right))
        if operator == "-":
            return finite(np.subtract(left, right))
        if operator == "*":
            return finite(np.multiply(left, right))
        if operator == "/":
            return finite(np.divide(left, right))
        if operator == "bigger":
            return bigger(left, right)
        if operator == "max":
            return greatest(left, right)
        return -greatest(np.negative(left), np.negative(right))


def apply_function(name: str, operand: Any) -> Any:
    """Return `sqrt`, `log` or `exp` of numbers or arrays; what is not finite is unknown."""
    with np.errstate(all="ignore"):
        return finite({"sqrt": np.sqrt, "log": np.log, "exp": np.exp}[name](operand))


def scalar(node: Node, values: Values) -> Any:
    """Return the value of a node that does not change from bar to bar.

    Parameters
    ----------
    node : Node
        With `is_series` false.
    values : mapping
        Parameters and constants by name.

    Returns
    -------
    float or ndarray of float64
        NaN where it is not defined, such as a division by zero.

    Raises
    ------
    InputError
        If a parameter or constant has no value, or one that is no number.
    """
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Parameter | Constant):
        return _value(node, values)
    if isinstance(node, Function):
        return apply_function(node.name, scalar(node.operand, values))
    assert isinstance(node, Arithmetic)
    left, right = scalar(node.left, values), scalar(node.right, values)
    result = calculate(node.operator, left, right)
    if node.operator in {"+", "-"}:
        return np.where(np.abs(result) <= TIE * bigger(left, right), 0.0, result)
    return result


def _value(node: Parameter | Constant, values: Values) -> Any:
    value = values.get(node.name)
    if value is None and isinstance(node, Constant):
        raise InputError(f"{node.name} is not known here; hand it in: Context(constants={{{node.name!r}: ...}})")
    if value is None:
        raise InputError(f"parameter {node.name!r} has no value; give it one: {node.name}=...")
    if isinstance(value, np.ndarray):
        return finite(value.astype(np.float64))
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real) or not math.isfinite(value):
        raise InputError(f"{type(node).__name__.lower()} {node.name!r} is {value!r}; expected a finite number")
    return float(value)


def as_written(value: float) -> int | float:
    """Return 20.0 as 20: what messages show, and what is handed to users' functions."""
    return int(value) if value.is_integer() else value


def literal_value(node: Node) -> float | None:
    """Return the value of a node of literals alone, None if anything else occurs in it.

    Examples
    --------
    >>> literal_value(Arithmetic("*", Number(2.0), Number(10.0)))
    20.0
    >>> literal_value(Parameter("fast")) is None
    True
    """
    if node.is_series or node.kind != "number" or not _is_literal(node):
        return None
    return float(scalar(node, {}))


def _is_literal(node: Node) -> bool:
    if isinstance(node, Parameter | Constant):
        return False
    return all(_is_literal(child) for child in node.children)


def column_of(value: Any, size: int) -> Float1D:
    """Return a number or column as a column of `size` numbers."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (size,))
