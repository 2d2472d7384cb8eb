"""From the trees of some conditions to one program for the kernel: equal parts are computed once.

What varies from bar to bar and is no arithmetic becomes a leaf: a column, an indicator, `prev` of a number, `tf`, a
root or logarithm. Leaves are handed to the kernel as series; what depends on parameters alone as scalars; the kernel
does the arithmetic between them, the comparisons and the logic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from algotrendy.expressions.catalogue import Catalogue
from algotrendy.expressions.nodes import (
    And,
    Arithmetic,
    Crossing,
    Greater,
    Indicator,
    Lag,
    Node,
    Not,
    Number,
    Operator,
    Timeframe,
)
from algotrendy.expressions.scalars import literal_value
from algotrendy.expressions.series import has_own_scale, scale_node
from algotrendy.expressions.ties import Measured, combine, tolerance_scale

CODES: dict[str, int] = {"+": 1, "-": 2, "*": 3, "/": 4, "bigger": 5, "min": 6, "max": 7}
"""Codes of `kernels.conditions`; a test holds them equal. The kernels are not imported to read an expression."""

COMPARE = 0
AND, LAG, CROSS, COPY = range(4)


@dataclass(frozen=True)
class Leaf:
    """A series that the kernel is handed.

    Attributes
    ----------
    node : Node
        What it is; a condition inside `tf` counts as 1 and 0.
    is_scale : bool
        Whether it is the magnitude of the node's ties instead of the node's value.
    """

    node: Node
    is_scale: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that it depends on, in alphabetical order."""
        return tuple(sorted(self.node.parameters))


@dataclass(frozen=True)
class Register:
    """Holds what a step computed; numbered in the order of the steps."""

    number: int


Operand: TypeAlias = Leaf | Register | Node
"""A node stands for a scalar."""

Rows: TypeAlias = tuple[int, int]
"""Where a condition is true and where it is false. Rows of results come first; -1 - k is scratch, resolved later."""

_NEVER: Rows = (0, 0)


@dataclass
class Assembly:
    """Collects the parts of a program while the conditions are walked through."""

    catalogue: Catalogue
    is_leaf: Callable[[Node], bool]
    parts: Callable[[Node], Node | None]
    leaves: dict[Leaf, int] = field(default_factory=dict)
    scalars: dict[Node, int] = field(default_factory=dict)
    constants: dict[Node, int] = field(default_factory=dict)
    steps: list[tuple[int, Register | Rows, tuple[Operand, ...]]] = field(default_factory=list)
    logic: list[tuple[int, Rows, Rows, Rows, int]] = field(default_factory=list)
    split: list[Indicator] = field(default_factory=list)
    """Indicators that are computed from their parts."""
    n_rows: int = 0
    _numbers: dict[Node, Measured[Operand]] = field(default_factory=dict)
    _computed: dict[tuple[Operator, Operand, Operand], Register] = field(default_factory=dict)
    _conditions: dict[Node, Rows] = field(default_factory=dict)

    def condition(self, node: Node) -> Rows:
        """Return the rows of a condition, adding what computes them."""
        if isinstance(node, Not):
            true, false = self.condition(node.operand)
            return false, true
        found = self._conditions.get(node)
        if found is None:
            found = self._conditions[node] = self._add_condition(node)
        return found

    def scalar(self, node: Node) -> int:
        """Return the place of a scalar among those that the kernel is handed."""
        return self.scalars.setdefault(node, len(self.scalars))

    def _add_condition(self, node: Node) -> Rows:
        if isinstance(node, Greater):
            return self._compare(self.number(node.left), self.number(node.right))
        if isinstance(node, Timeframe):
            truth: Operand = self._leaf(Leaf(node))
            return self._compare(Measured(truth), Measured(Number(0.5)))
        left = self.condition(node.children[0])
        if isinstance(node, And):
            return self._logic(AND, left, self.condition(node.right), -1)
        if isinstance(node, Crossing):
            return self._logic(CROSS, left, _NEVER, -1)
        assert isinstance(node, Lag)
        return self._logic(LAG, left, _NEVER, self.scalar(node.count))

    def _new_rows(self) -> Rows:
        self.n_rows += 2
        return self.n_rows - 2, self.n_rows - 1

    def _logic(self, code: int, left: Rows, right: Rows, scalar: int) -> Rows:
        rows = self._new_rows()
        self.logic.append((code, rows, left, right, scalar))
        return rows

    def _compare(self, left: Measured[Operand], right: Measured[Operand]) -> Rows:
        rows = self._new_rows()
        scale = tolerance_scale(left, right, self._coarser)
        operands = tuple(self._constant(part) for part in (left.value, right.value, scale))
        self.steps.append((COMPARE, rows, operands))
        return rows

    def number(self, node: Node) -> Measured[Operand]:
        """Return the operand that holds a number, adding what computes it."""
        found = self._numbers.get(node)
        if found is None:
            found = self._numbers[node] = self._add_number(node)
        return found

    def _add_number(self, node: Node) -> Measured[Operand]:
        if not node.is_series:
            return Measured(_folded(node))
        if isinstance(node, Arithmetic) and not self.is_leaf(node):
            return combine(node.operator, self.number(node.left), self.number(node.right), self._step)
        parts = self.parts(node)
        if parts is not None and isinstance(node, Indicator):
            self.split.append(node)
        value = self._leaf(Leaf(node)) if parts is None else self.number(parts).value
        own = has_own_scale(node, self.catalogue)
        if own is False:
            return Measured(value)
        if own is not True:
            return Measured(value, Number(float(own)))
        return Measured(value, self._leaf(Leaf(scale_node(node, self.catalogue) or node, is_scale=True)))

    def _leaf(self, leaf: Leaf) -> Leaf:
        self.leaves.setdefault(leaf, len(self.leaves))
        return leaf

    def _constant(self, operand: Operand) -> Operand:
        """Note that a scalar has to stand in a register."""
        if isinstance(operand, Node):
            self.constants.setdefault(operand, len(self.constants))
            self.scalar(operand)
        return operand

    def _step(self, operator: Operator, left: Operand, right: Operand) -> Operand:
        """Return where the result of one step of arithmetic is held."""
        if isinstance(left, Node) and isinstance(right, Node):
            return _folded(Arithmetic(operator, left, right))
        key = (operator, left, right)
        if key not in self._computed:
            self._computed[key] = register = Register(len(self._computed))
            self.steps.append((CODES[operator], register, (self._constant(left), self._constant(right))))
        return self._computed[key]

    def _coarser(self, operator: Operator, left: Operand, right: Operand) -> Operand:
        """Return the larger of two scales; of a scale only the magnitude counts, so often there is nothing to do."""
        if left == right or (isinstance(right, Node) and literal_value(right) == 0.0):
            return left
        return self._step(operator, left, right)


def _folded(scalar: Node) -> Node:
    """Return what literals amount to; what is not defined (1 / 0) is left to be computed."""
    value = literal_value(scalar)
    return scalar if value is None or math.isnan(value) else Number(value)
