"""One indicator for many values of its parameters: what they share is looked up and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.expressions.binding import bound_arguments
from algotrendy.expressions.nodes import Indicator, Node
from algotrendy.expressions.scalars import Values, column_of, scalar
from algotrendy.expressions.series import Cache, Evaluator
from algotrendy.indicators._batch import Batch, read_only
from algotrendy.indicators.registry import ParameterInfo


def indicator_rows(node: Node, evaluator: Evaluator, columns: Mapping[str, Any], cache: Cache) -> list[Float1D] | None:
    """Return the series of an indicator for each set of parameters, the same as one by one.

    Parameters
    ----------
    node : Node
        Any node.
    evaluator : Evaluator
        With the values of the parameters that do not vary.
    columns : mapping of str to array of shape (size,)
        Values of the parameters that vary.
    cache : dict
        Keeps the outputs of a group, so that the next output of the same indicator finds them.

    Returns
    -------
    list of float64 arrays, or None
        None if the node is not a built-in indicator of series that stay the same: then it has to be done one by one.

    Raises
    ------
    InputError
        If a value is not one that its place allows.
    """
    if not isinstance(node, Indicator) or not isinstance(node.spec.function, Batch):
        return None
    if any(child.parameters & columns.keys() for child in node.inputs):
        return None
    size = len(next(iter(columns.values())))
    arrays = [read_only(series) for series in evaluator.inputs(node)[0]]
    spec, batch = node.spec, node.spec.function
    given = checked_arguments(node, {**evaluator.values, **columns}, size)
    names = [info.name for info in spec.parameters]
    defaults = [info.default for info in spec.parameters[len(given) :]]
    known: dict[tuple[float | None, ...], Any] = cache.setdefault(("rows", spec.group or spec.name, node.inputs), {})
    rows = []
    for arguments in zip(*given, strict=True):
        bound = (*arguments, *defaults)
        result = known.get(bound)
        if result is None:
            result = known[bound] = batch.of_checked(arrays, dict(zip(names, bound, strict=True)))
        rows.append(result if spec.output is None else result[spec.output])
    return rows


def checked_arguments(node: Indicator, values: Values, size: int) -> list[list[int | float]]:
    """Return a column of each argument that the text gives; each different value is checked once.

    Parameters
    ----------
    node : Indicator
        The call.
    values : mapping
        Parameters and constants by name: numbers, or columns of shape (size,).
    size : int
        Number of sets of parameters.

    Raises
    ------
    InputError
        If a value is not allowed; the message names the parameter of the strategy that it came from.
    """
    return [_checked(node, k, values, size) for k in range(len(node.arguments))]


def _checked(node: Indicator, k: int, values: Values, size: int) -> list[int | float]:
    info: ParameterInfo = node.spec.parameters[k]
    column = column_of(scalar(node.arguments[k], values), size)
    known: dict[float, int | float] = {}
    for value in np.unique(column).tolist():
        try:
            known[value] = info.check(value, node.name)
        except InputError:
            at = int(np.flatnonzero(np.isclose(column, value, rtol=0.0, atol=0.0, equal_nan=True))[0])
            one = {name: given if np.ndim(given) == 0 else given[at].item() for name, given in values.items()}
            bound_arguments(node, one)  # says where the value came from
            raise
    return [known[value] for value in column.tolist()]
