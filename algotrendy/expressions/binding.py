"""From the arguments of a call to the values that an indicator or `prev` takes, checked."""

from __future__ import annotations

from algotrendy.errors import InputError
from algotrendy.expressions.functions import check_lag
from algotrendy.expressions.nodes import Indicator, Lag, Node
from algotrendy.expressions.scalars import Values, as_written, scalar


def bound_arguments(node: Indicator, values: Values) -> dict[str, int | float]:
    """Return the checked parameters of an indicator's call, defaults filled in.

    Raises
    ------
    InputError
        If one is missing or not allowed; the message names the parameter of the strategy that it came from.
    """
    given: dict[str, object] = {}
    for info, argument in zip(node.spec.parameters, node.arguments, strict=False):
        value = as_written(float(scalar(argument, values)))
        try:
            given[info.name] = info.check(value, node.name)
        except InputError as error:
            raise InputError(f"{error}{_source(argument, values)}") from error
    return node.spec.bind(given)


def bound_lag(node: Lag, values: Values) -> int:
    """Return the number of bars that a `prev` looks back.

    Raises
    ------
    InputError
        If it is negative, which would be the future, or no whole number.
    """
    try:
        return check_lag(float(scalar(node.count, values)))
    except InputError as error:
        raise InputError(f"{error}{_source(node.count, values)}") from error


def _source(argument: Node, values: Values) -> str:
    """Return the end of a message: which parameters an argument was made of."""
    names = sorted(argument.parameters)
    return f" (given by {', '.join(f'{name}={values[name]!r}' for name in names)})" if names else ""
