"""The conditions of a strategy, compiled once: what has to be known of the bars, and a program for the kernel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.domain.bars import BarArrays
from algotrendy.domain.types import Bool1D, Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.expressions.assemble import COPY, Assembly, Leaf, Operand, Register, Rows
from algotrendy.expressions.bulk import checked_arguments
from algotrendy.expressions.catalogue import BARS, Catalogue
from algotrendy.expressions.context import NO_CONTEXT, Context
from algotrendy.expressions.expression import Expression
from algotrendy.expressions.functions import check_lag
from algotrendy.expressions.nodes import Arithmetic, Node, negated
from algotrendy.expressions.parts import parts_of
from algotrendy.expressions.scalars import Values, column_of, scalar
from algotrendy.expressions.series import Cache, Evaluator

if TYPE_CHECKING:
    from algotrendy.kernels.conditions import Program, Scratch

_BLOCK_OF_ONE_RUN = 8192
"""Bars per block when steps are taken from Python: long enough that Python's own time does not count."""


class SignalPlan:
    """Some conditions, compiled together, so that what they share is computed once.

    Parameters
    ----------
    conditions : sequence of (Expression or None)
        None is never true.
    varying : collection of str
        Parameters that a sweep will vary. Arithmetic that most of its combinations share is then computed once, as a
        leaf: what depends on none of them, or on no more of them than a leaf inside it. Results do not depend on it.

    Attributes
    ----------
    leaves : tuple of Leaf
        The series that the program is handed, in this order. `leaf.parameters` says what each depends on.
    scalars : tuple of Node
        The numbers that the program is handed, in this order.
    parameters : frozenset of str
        All parameters of the conditions.

    Raises
    ------
    InputError
        If one of them is a number, or they do not use the same catalogue.

    Examples
    --------
    >>> from algotrendy.expressions import parse
    >>> entry, exit = (parse(f"sma(close, n) {sign} sma(close, m)", parameters=["n", "m"]) for sign in (">", "<="))
    >>> plan = SignalPlan([entry, exit])
    >>> [leaf.parameters for leaf in plan.leaves], len(plan.program.steps)
    ([('n',), ('m',)], 1)
    """

    def __init__(self, conditions: Sequence[Expression | None], *, varying: Collection[str] = ()) -> None:
        self.conditions = tuple(conditions)
        self.varying = frozenset(varying)
        given = [condition for condition in self.conditions if condition is not None]
        for condition in given:
            if condition.kind != "condition":
                raise InputError(f"{condition.text!r} is a number, expected a condition; compare it, as in `x > 0`")
        if len({condition.catalogue for condition in given}) > 1:
            raise InputError("the conditions of a plan use different catalogues; read them with the same one")
        self.catalogue: Catalogue = given[0].catalogue if given else BARS
        self.parameters = frozenset().union(*(condition.parameters for condition in given))
        self._assembly = Assembly(self.catalogue, _hoisting(self.varying), _splitting(self.varying))
        self._rows = [None if each is None else self._assembly.condition(each.root) for each in self.conditions]
        self.leaves = tuple(self._assembly.leaves)
        self.scalars = tuple(self._assembly.scalars)

    def __reduce__(self) -> tuple[Callable[..., SignalPlan], tuple[Any, ...]]:
        return _plan_again, (self.conditions, self.varying)

    @cached_property
    def program(self) -> Program:
        """The program of `kernels.conditions`, independent of parameters and bars."""
        from algotrendy.kernels.conditions import Program

        steps, logic = self._layout.steps, self._layout.logic
        constants = [self._assembly.scalars[node] for node in self._assembly.constants]
        return Program(
            np.array(steps, dtype=np.int64).reshape(-1, 6),
            np.array(logic, dtype=np.int64).reshape(-1, 8),
            np.array(constants, dtype=np.int64),
        )

    @cached_property
    def _layout(self) -> _Layout:
        return _Layout(self._assembly, self._rows)

    def scratch(self, n_bars: int, block: int | None = None) -> Scratch:
        """Return memory for one evaluation at a time over `n_bars` bars.

        Parameters
        ----------
        n_bars : int
            Number of bars.
        block : int, optional
            Bars per block, a multiple of 64; the default suits many evaluations by a compiled caller.
        """
        from algotrendy.kernels.conditions import BLOCK, Scratch

        n_words = -(-n_bars // 64)
        n_registers = self._layout.n_registers
        if n_registers == 0:  # nothing is passed between steps: one block
            block = 64 * max(n_words, 1)
        registers = np.zeros((n_registers, block or BLOCK))
        operands = np.zeros(len(self.leaves) + n_registers, dtype=np.int64)
        operands[len(self.leaves) :] = registers.ctypes.data + registers.strides[0] * np.arange(n_registers)
        words = np.zeros((self._layout.n_rows, n_words), dtype=np.uint64)
        return Scratch(n_bars, words.ctypes.data, operands, np.zeros(5, dtype=np.int64), registers, words)

    def leaf_series(self, leaf: Leaf, evaluator: Evaluator, n_bars: int) -> Float1D:
        """Return the values of a leaf: contiguous float64 of shape (n_bars,), NaN where unknown."""
        numbers = evaluator.numbers(leaf.node)
        series: Any = numbers.magnitude if leaf.is_scale else numbers.value
        if np.ndim(series) == 0:
            return np.full(n_bars, float(series))
        return np.ascontiguousarray(series, dtype=np.float64)  # the same array, if it is one: leaves may share it

    def scalar_table(self, values: Values, size: int = 1) -> Float2D:
        """Return the scalars of `size` combinations.

        Parameters
        ----------
        values : mapping
            Parameters and constants by name: numbers, or columns of shape (size,).
        size : int
            Number of combinations.

        Returns
        -------
        float64 array of shape (size, n_scalars)

        Raises
        ------
        InputError
            If a value is missing, or a `prev` looks back a number of bars that is not whole or is negative.
        """
        table = np.empty((size, len(self.scalars)))
        for k, node in enumerate(self.scalars):
            table[:, k] = column_of(scalar(node, values), size)
        for k in self._layout.lags:
            for count in np.unique(table[:, k]).tolist():
                check_lag(count)
        return table

    def check_parts(self, values: Values, size: int) -> None:
        """Refuse values that an indicator computed from its parts does not allow: no part may see all of them.

        Parameters
        ----------
        values, size
            As for `scalar_table`.

        Raises
        ------
        InputError
            If there is one.
        """
        for node in self._assembly.split:
            checked_arguments(node, values, size)

    def run(
        self,
        bars: BarArrays,
        params: Mapping[str, float],
        context: Context = NO_CONTEXT,
        *,
        cache: Cache | None = None,
    ) -> NDArray[np.uint64]:
        """Evaluate the conditions for one set of parameters.

        Parameters
        ----------
        bars : BarArrays
            Checked columns.
        params : mapping of str to float
            Values of the parameters; others than those used may be in it.
        context : Context
            Times, interval, calendar, constants.
        cache : dict, optional
            Keeps series for the next call on the same bars and context.

        Returns
        -------
        uint64 array of shape (n_conditions, ceil(n_bars / 64))
            Bit i % 64 of word i // 64 says that the condition is true at bar i; unknown and false are 0.

        Raises
        ------
        InputError
            If a parameter is missing or not allowed where it stands.
        """
        from algotrendy.kernels.conditions import evaluate_conditions

        n_bars = bars.close.size
        evaluator = Evaluator(bars, params, context, catalogue=self.catalogue, cache=cache)
        series = [self.leaf_series(leaf, evaluator, n_bars) for leaf in self.leaves]
        addresses = np.array([each.ctypes.data for each in series], dtype=np.int64)
        self.check_parts(evaluator.values, 1)
        scalars = self.scalar_table(evaluator.values)[0]
        scratch = self.scratch(n_bars, _BLOCK_OF_ONE_RUN)
        interpreted: Any = evaluate_conditions
        interpreted.py_func(self.program, addresses, np.arange(len(series)), scalars, scratch)
        return scratch.words[: len(self.conditions)]


class _Layout:
    """The numbers of the program: leaves, then constant registers, then the others, each used again when free."""

    def __init__(self, assembly: Assembly, results: Sequence[Rows | None]) -> None:
        self._leaves, self._constants = assembly.leaves, assembly.constants
        self._places: dict[Register, int] = {}
        self.n_registers = len(assembly.constants)
        self.lags = tuple({step[4] for step in assembly.logic if step[4] >= 0})
        self._row_of, copies = _place_rows(assembly.n_rows, results)
        self.n_rows = max([len(results) - 1, *self._row_of]) + 1
        self.steps = self._place_steps(assembly)
        self.logic = [
            (code, *self._rows(rows), *self._rows(left), *self._rows(right), max(index, 0))
            for code, rows, left, right, index in assembly.logic
        ] + [(COPY, row, row, source, source, source, source, 0) for row, source in copies]

    def _rows(self, rows: Rows) -> tuple[int, int]:
        return self._row_of[rows[0]], self._row_of[rows[1]]

    def _place_steps(self, assembly: Assembly) -> list[tuple[int, ...]]:
        last_use = {part: k for k, (_, _, operands) in enumerate(assembly.steps) for part in operands}
        free: list[int] = []
        steps = []
        for k, (code, result, operands) in enumerate(assembly.steps):
            numbers = [self._operand(part) for part in operands]
            if isinstance(result, Register):
                self._places[result] = free.pop() if free else self._new_register()
                steps.append((code, self._operand(result), 0, *numbers, 0))
            else:
                steps.append((code, *self._rows(result), *numbers))
            # Only now: a result on top of its own operand would not be computed with vector instructions.
            free += [self._places[part] for part in set(operands) if isinstance(part, Register) and last_use[part] == k]
        return steps

    def _new_register(self) -> int:
        self.n_registers += 1
        return self.n_registers - 1

    def _operand(self, operand: Operand) -> int:
        if isinstance(operand, Leaf):
            return self._leaves[operand]
        place = self._places[operand] if isinstance(operand, Register) else self._constants[operand]
        return len(self._leaves) + place


def _place_rows(n_rows: int, results: Sequence[Rows | None]) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the place of each row, results first, and (to, from) of results that stand in the place of another."""
    placed: dict[int, int] = {}
    copies = []
    for k, rows in enumerate(results):
        if rows is None:
            continue
        if rows[0] in placed:
            copies.append((k, placed[rows[0]]))
        else:
            placed[rows[0]] = k
    behind = iter(range(len(results), len(results) + n_rows))
    return [placed[row] if row in placed else next(behind) for row in range(n_rows)], copies


def _hoisting(varying: frozenset[str]) -> Callable[[Node], bool]:
    """Return what says whether arithmetic is better done once for many combinations than in each of them.

    It is where there are fewer values of it than combinations, and no more than of a leaf that it is made of, so that
    it takes no more memory than the leaves do.
    """

    def is_leaf(node: Node) -> bool:
        own = node.parameters & varying
        if not varying or own == varying:
            return False
        return not own or any(own <= inner.parameters for inner in _series_inside(node))

    return is_leaf


def _splitting(varying: frozenset[str]) -> Callable[[Node], Node | None]:
    """Return what gives the parts of an indicator, where that saves series.

    It does where a part of a sum depends on fewer varying parameters than the whole. Where there is no sum, the parts
    are another indicator that writes less, or one of a series that many combinations share.
    """

    def parts(node: Node) -> Node | None:
        found = parts_of(node) if varying & node.parameters else None
        if found is None or not isinstance(found, Arithmetic):
            return found
        own = node.parameters & varying
        return found if any(part.parameters & varying < own for part in _series_inside(found)) else None

    return parts


def _series_inside(node: Node) -> list[Node]:
    if isinstance(node, Arithmetic):
        return _series_inside(node.left) + _series_inside(node.right)
    return [node] if node.is_series else []


def truth_of(
    node: Node,
    bars: BarArrays,
    params: Mapping[str, float],
    context: Context,
    *,
    catalogue: Catalogue = BARS,
    cache: Cache | None = None,
) -> tuple[Bool1D, Bool1D]:
    """Return where a condition is true, and where it is known."""
    words = _both_sides(node, catalogue).run(bars, params, context, cache=cache)
    n_bars = bars.close.size
    true, false = (_bits(row, n_bars) for row in words)
    return true, true | false


@lru_cache(maxsize=128)
def _both_sides(node: Node, catalogue: Catalogue) -> SignalPlan:
    sides = (node, negated(node))
    return SignalPlan([Expression("", side, side.parameters, catalogue) for side in sides])


def _bits(row: NDArray[np.uint64], n_bars: int) -> Bool1D:
    octets = row.astype("<u8", copy=False).view(np.uint8)
    return np.unpackbits(octets, count=n_bars, bitorder="little").view(np.bool_)


def _plan_again(conditions: Sequence[Expression | None], varying: frozenset[str]) -> SignalPlan:
    return SignalPlan(conditions, varying=varying)
