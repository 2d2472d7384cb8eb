"""Series of one expression for many sets of parameters: what they share is looked up, checked and computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from algotrendy.domain.types import AnyArray, Float1D, Int1D
from algotrendy.expressions.binding import bound_arguments
from algotrendy.expressions.nodes import Arithmetic, Indicator, Node
from algotrendy.expressions.parts import parts_of
from algotrendy.expressions.scalars import Values, calculate, column_of, scalar
from algotrendy.expressions.series import Cache, Evaluator
from algotrendy.indicators._batch import Batch
from algotrendy.indicators._many import Rows, has_kernel, in_lanes, one_by_one
from algotrendy.indicators.registry import ParameterInfo

_ROWS_AT_ONCE = 64
"""Series on which NumPy does one step of arithmetic: few, so that what is passed between steps stays small."""


@dataclass(frozen=True)
class Bulk:
    """Computes series for many sets of parameters, to the last bit as one by one.

    Parameters
    ----------
    evaluator : Evaluator
        With the values of the parameters that do not vary.
    columns : mapping of str to array of shape (size,)
        Values of the parameters that vary.
    size : int
        Number of sets.
    cache : dict
        Keeps what is computed, so that what is asked for next finds it.
    lanes : bool
        Use kernels for many sets, where they exist. They have to be loaded, which takes longer than a few series.
    """

    evaluator: Evaluator
    columns: Mapping[str, Any]
    size: int
    cache: Cache
    lanes: bool = True

    def rows(self, node: Node) -> Rows | None:
        """Return the series of a number for each set of parameters.

        Parameters
        ----------
        node : Node
            A number that changes from bar to bar.

        Returns
        -------
        Rows or None
            None if something else than arithmetic and built-in indicators depends on a parameter that varies: then it
            has to be done one by one.

        Raises
        ------
        InputError
            If a value is not one that its place allows.
        """
        varying = [name for name in self.columns if name in node.parameters]
        if not varying:
            series = np.ascontiguousarray(self.evaluator.numbers(node).value, dtype=np.float64)
            return Rows(series[np.newaxis], np.zeros(self.size, dtype=np.int64))
        if len(varying) == len(self.columns):
            return self._found(node)
        first, place = distinct([self.columns[name] for name in varying])
        columns = {name: self.columns[name][first] for name in varying}
        found = Bulk(self.evaluator, columns, len(first), self.cache, self.lanes)._found(node)
        return None if found is None else Rows(found.block, found.rows[place])

    def _found(self, node: Node) -> Rows | None:
        """Return the series of a number that depends on every parameter that varies, from the cache if it is there."""
        key = ("rows", node.form, *map(self._name, node.holes))
        if key not in self.cache:
            self.cache[key] = self._compute(node)
        found: Rows | None = self.cache[key]
        return found

    def _name(self, parameter: str) -> Any:
        """Return what tells the values of a parameter from others."""
        column = self.columns.get(parameter)
        return self.evaluator.values.get(parameter) if column is None else (column.dtype.char, column.tobytes())

    def _compute(self, node: Node) -> Rows | None:
        if isinstance(node, Arithmetic):
            return self._arithmetic(node)
        if not isinstance(node, Indicator) or not isinstance(node.spec.function, Batch):
            return None
        parts = parts_of(node)
        if parts is None:
            return self._indicator(node, node.spec.function)
        checked_arguments(node, self._values, self.size)
        return self.rows(parts)

    @cached_property
    def _values(self) -> Values:
        return {**self.evaluator.values, **self.columns}

    def _arithmetic(self, node: Arithmetic) -> Rows | None:
        left, right = self._operand(node.left), self._operand(node.right)
        if left is None or right is None:
            return None
        out = np.empty((self.size, max(left.block.shape[1], right.block.shape[1])))
        for begin in range(0, self.size, _ROWS_AT_ONCE):
            here = slice(begin, begin + _ROWS_AT_ONCE)
            out[here] = calculate(node.operator, left.block[left.rows[here]], right.block[right.rows[here]])
        return Rows(out, np.arange(self.size))

    def _operand(self, node: Node) -> Rows | None:
        """Return a number; one that does not change from bar to bar as rows of one bar."""
        if node.is_series:
            return self.rows(node)
        column = column_of(scalar(node, self._values), self.size)
        return Rows(column[:, np.newaxis], np.arange(self.size))

    def _indicator(self, node: Indicator, batch: Batch) -> Rows | None:
        inputs = self._inputs(node)
        if inputs is None:
            return None
        given = checked_arguments(node, self._values, self.size)
        parameters = np.empty((len(batch.parameters), self.size))
        for k, info in enumerate(batch.parameters):
            parameters[k] = given[k] if k < len(given) else info.default
        output = node.spec.output
        if self.lanes and has_kernel(batch, output):
            block = in_lanes(batch, inputs, parameters, output)
        elif output is None:
            block = one_by_one(batch, inputs, parameters)
        else:
            key = ("outputs", batch.name, *(child.form for child in node.children), *map(self._name, node.holes))
            if key not in self.cache:
                self.cache[key] = one_by_one(batch, inputs, parameters)
            block = self.cache[key][:, output]
        return Rows(block, np.arange(self.size))

    def _inputs(self, node: Indicator) -> list[Rows] | None:
        children = iter(node.inputs)
        inputs = []
        for name in node.spec.inputs:
            array = self.evaluator.from_bars(name)
            if array is None:
                rows = self.rows(next(children))
            else:
                rows = Rows(array[np.newaxis], np.zeros(self.size, dtype=np.int64))
            if rows is None:
                return None
            inputs.append(rows)
        return inputs


def checked_arguments(node: Indicator, values: Values, size: int) -> list[Float1D]:
    """Return a column of each argument that the text gives.

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


def _checked(node: Indicator, k: int, values: Values, size: int) -> Float1D:
    info: ParameterInfo = node.spec.parameters[k]
    column = column_of(scalar(node.arguments[k], values), size)
    for at in np.flatnonzero(~info.allows(column))[:1].tolist():
        one = {name: given if np.ndim(given) == 0 else given[at].item() for name, given in values.items()}
        bound_arguments(node, one)  # says where the value came from
    return column


def distinct(columns: Sequence[AnyArray]) -> tuple[Int1D, Int1D]:
    """Return where each different row of some columns stands first, and which of these each row is.

    Examples
    --------
    >>> [each.tolist() for each in distinct([np.array([2, 1, 2, 2]), np.array([5, 5, 5, 7])])]
    [[1, 0, 3], [1, 0, 1, 2]]
    """
    size = len(columns[0])
    if len(columns) == 1 and (columns[0][1:] > columns[0][:-1]).all():
        return np.arange(size), np.arange(size)
    order = np.lexsort(columns[::-1])
    is_new = np.zeros(size, dtype=np.bool_)
    is_new[0] = True
    for column in columns:
        values = column[order]
        is_new[1:] |= values[1:] != values[:-1]
    place = np.empty(size, dtype=np.int64)
    place[order] = is_new.cumsum() - 1
    return order[is_new], place
