"""The typed tree of an expression: frozen nodes that are equal when they mean the same, wherever they stand.

The parser spells everything out in a few kinds of node, so that whatever comes after it has little to know:
`a < b` is `b > a`, `a <= b` is `not (a > b)`, `a or b` is `not (not a and not b)`, `a == b` is neither above the other,
`-x` is `x * -1`. So the entry `a > b` and the exit `a <= b` hold the same comparison, and it is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Literal, TypeAlias

from algotrendy.indicators.registry import IndicatorSpec

Kind: TypeAlias = Literal["number", "condition"]


@dataclass(frozen=True)
class Node:
    """A part of an expression.

    Attributes
    ----------
    column : int
        Where it starts in the text, counted from 0. Not part of equality.
    """

    column: int = field(default=0, compare=False, kw_only=True)

    @property
    def kind(self) -> Kind:
        """Whether it gives numbers or truth."""
        return "number"

    @property
    def children(self) -> tuple[Node, ...]:
        """The parts it is made of."""
        return ()

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Names of the parameters that occur in it."""
        return frozenset().union(*(child.parameters for child in self.children))

    @cached_property
    def is_series(self) -> bool:
        """Whether it changes from bar to bar; if not, its parameters alone decide it."""
        return any(child.is_series for child in self.children)

    @cached_property
    def form(self) -> str:
        """How it is built, with `$` in the place of each parameter: two calls of one form share their series."""
        own = [getattr(self, each.name) for each in fields(self) if each.compare]
        words = [repr(value) for value in own if isinstance(value, str | float)]
        return f"{type(self).__name__}({', '.join([*words, *(child.form for child in self.children)])})"

    @cached_property
    def holes(self) -> tuple[str, ...]:
        """The parameters in the places of `$`, from left to right."""
        return tuple(name for child in self.children for name in child.holes)

    @cached_property
    def depth(self) -> int:
        """Levels of nesting, 1 for a name or a number."""
        return 1 + max((child.depth for child in self.children), default=0)


@dataclass(frozen=True)
class Number(Node):
    """A literal."""

    value: float


@dataclass(frozen=True)
class Text(Node):
    """A text in quotes; only `tf` takes one."""

    value: str


@dataclass(frozen=True)
class Parameter(Node):
    """A number whose value comes later, by name."""

    name: str

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Its own name."""
        return frozenset((self.name,))

    @cached_property
    def form(self) -> str:
        """A place to fill."""
        return "$"

    @cached_property
    def holes(self) -> tuple[str, ...]:
        """Its own name."""
        return (self.name,)


@dataclass(frozen=True)
class Constant(Node):
    """A scalar of the catalogue, such as `periods_per_year`."""

    name: str


@dataclass(frozen=True)
class Column(Node):
    """A series of the catalogue, such as `close`."""

    name: str

    @cached_property
    def is_series(self) -> bool:
        """Yes."""
        return True


@dataclass(frozen=True)
class Indicator(Node):
    """A call of an indicator: the series that the text hands it, and its parameters in order.

    The specification is the one that was known when the text was read: a user's may be replaced later.
    """

    name: str
    inputs: tuple[Node, ...]
    arguments: tuple[Node, ...]
    spec: IndicatorSpec = field(repr=False)

    @property
    def children(self) -> tuple[Node, ...]:
        """Series first, then parameters."""
        return self.inputs + self.arguments

    @cached_property
    def is_series(self) -> bool:
        """Yes."""
        return True


Operator: TypeAlias = Literal["+", "-", "*", "/", "min", "max", "bigger"]
"""`bigger(a, b)` is max(|a|, |b|). It cannot be written; scales of ties are made of it, and abs(x) is bigger(x, x)."""


@dataclass(frozen=True)
class Arithmetic(Node):
    """Two numbers and an operator."""

    operator: Operator
    left: Node
    right: Node

    @property
    def children(self) -> tuple[Node, ...]:
        """Left, right."""
        return (self.left, self.right)


@dataclass(frozen=True)
class Function(Node):
    """`sqrt`, `log` or `exp` of a number."""

    name: Literal["sqrt", "log", "exp"]
    operand: Node

    @property
    def children(self) -> tuple[Node, ...]:
        """The operand."""
        return (self.operand,)


@dataclass(frozen=True)
class Lag(Node):
    """`prev(operand, count)`: what the operand was, number or condition, `count` bars ago."""

    operand: Node
    count: Node

    @property
    def kind(self) -> Kind:
        """That of the operand."""
        return self.operand.kind

    @property
    def children(self) -> tuple[Node, ...]:
        """Operand, count."""
        return (self.operand, self.count)


@dataclass(frozen=True)
class Timeframe(Node):
    """`tf(rule, operand)`: the operand on longer bars, as far as they are complete."""

    rule: str
    operand: Node

    @property
    def kind(self) -> Kind:
        """That of the operand."""
        return self.operand.kind

    @property
    def children(self) -> tuple[Node, ...]:
        """The operand."""
        return (self.operand,)

    @cached_property
    def is_series(self) -> bool:
        """Yes: before the first long bar is complete, nothing is known."""
        return True


SectionName: TypeAlias = Literal["rank", "share", "above", "below", "quantile", "demean", "zscore"]
"""`share` is rank(x, pct=true); `above` and `below` count who stands there, which `top` and `bottom` compare."""


@dataclass(frozen=True)
class Section(Node):
    """A number of one instrument among those of all instruments at the same moment: `rank(x)`, `demean(x, by=sector)`.

    `by` is the column whose equal values make a group, "" for one group of all. `source` is the whole text, for
    messages.
    """

    name: SectionName
    operand: Node
    arguments: tuple[Node, ...] = ()
    by: str = ""
    source: str = field(default="", compare=False, repr=False)

    @property
    def children(self) -> tuple[Node, ...]:
        """The operand, then the level of a quantile."""
        return (self.operand, *self.arguments)

    @cached_property
    def is_series(self) -> bool:
        """Yes."""
        return True


@dataclass(frozen=True)
class Other(Node):
    """`symbol("SPY").close`, `symbol("SPY", x)`: the operand on the bars of another instrument, where it has a bar."""

    symbol: str
    operand: Node
    source: str = field(default="", compare=False, repr=False)

    @property
    def kind(self) -> Kind:
        """That of the operand."""
        return self.operand.kind

    @property
    def children(self) -> tuple[Node, ...]:
        """The operand."""
        return (self.operand,)

    @cached_property
    def is_series(self) -> bool:
        """Yes: where the other has no bar, nothing is known."""
        return True


@dataclass(frozen=True)
class Greater(Node):
    """`left > right`, beyond the tolerance of ties."""

    left: Node
    right: Node

    @property
    def kind(self) -> Kind:
        """A condition."""
        return "condition"

    @property
    def children(self) -> tuple[Node, ...]:
        """Left, right."""
        return (self.left, self.right)


@dataclass(frozen=True)
class Not(Node):
    """True where the operand is false; unknown stays unknown."""

    operand: Node

    @property
    def kind(self) -> Kind:
        """A condition."""
        return "condition"

    @property
    def children(self) -> tuple[Node, ...]:
        """The operand."""
        return (self.operand,)


@dataclass(frozen=True)
class And(Node):
    """True where both are true, false where one is false, else unknown."""

    left: Node
    right: Node

    @property
    def kind(self) -> Kind:
        """A condition."""
        return "condition"

    @property
    def children(self) -> tuple[Node, ...]:
        """Left, right."""
        return (self.left, self.right)


@dataclass(frozen=True)
class Crossing(Node):
    """True where the comparison is true now and was false at the bar before; unknown unless both are known."""

    comparison: Greater

    @property
    def kind(self) -> Kind:
        """A condition."""
        return "condition"

    @property
    def children(self) -> tuple[Node, ...]:
        """The comparison."""
        return (self.comparison,)


def negated(condition: Node) -> Node:
    """Return the opposite of a condition, without piling up `not`."""
    return condition.operand if isinstance(condition, Not) else Not(condition, column=condition.column)


def either(left: Node, right: Node, column: int) -> Node:
    """Return `left or right`."""
    return Not(And(negated(left), negated(right), column=column), column=column)
