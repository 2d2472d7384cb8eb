"""How the scale of a number is carried through arithmetic, so that equal numbers stay equal in every spelling.

`a > b` is decided with a tolerance of 1e-12 of the largest operand that went into it. So each number carries a scale,
the magnitude of those operands. Where the scale is the number's own magnitude, it is not kept (`None`): the number is
*plain*. A plain left operand adds nothing to the tolerance: where it matters, it is as large as the right one.

The rules stand here once, for whoever adds and multiplies: arrays of numbers, or instructions for the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from algotrendy.expressions.nodes import Operator

T = TypeVar("T")

Step: TypeAlias = Callable[[Operator, T, T], T]
"""Takes one step of arithmetic."""


@dataclass(frozen=True)
class Measured(Generic[T]):
    """A number and its scale.

    Attributes
    ----------
    value : T
        The number.
    scale : T or None
        Its magnitude is the scale (the sign is not looked at); None: that of the value.
    """

    value: T
    scale: T | None = None

    @property
    def magnitude(self) -> T:
        """Something whose magnitude is the scale."""
        return self.value if self.scale is None else self.scale


def combine(operator: Operator, left: Measured[T], right: Measured[T], step: Step[T]) -> Measured[T]:
    """Return `left operator right` with its scale.

    A sum is as coarse as its coarser part; a product or quotient is so in proportion.
    """
    value = step(operator, left.value, right.value)
    if operator in {"+", "-"}:
        return Measured(value, step("bigger", left.magnitude, right.magnitude))
    if left.scale is None and right.scale is None:
        return Measured(value)
    if operator == "*":
        return Measured(value, _of_product(left, right, step))
    if operator == "/":
        return Measured(value, _of_quotient(left, right, step))
    return Measured(value, step("bigger", left.magnitude, right.magnitude))


def _of_product(left: Measured[T], right: Measured[T], step: Step[T]) -> T:
    """Return |left| * scale of right, or the other way round, whichever is larger."""
    if right.scale is None:
        return step("*", left.magnitude, right.value)
    if left.scale is None:
        return step("*", right.scale, left.value)
    return step("bigger", step("*", left.scale, right.value), step("*", right.scale, left.value))


def _of_quotient(left: Measured[T], right: Measured[T], step: Step[T]) -> T:
    """Return scale of left / |right|, or |left| * scale of right / right**2, whichever is larger."""
    first = step("/", left.magnitude, right.value)
    if right.scale is None:
        return first
    second = step("/", step("*", left.value, right.scale), step("*", right.value, right.value))
    return second if left.scale is None else step("bigger", first, second)


def tolerance_scale(left: Measured[T], right: Measured[T], step: Step[T]) -> T:
    """Return the scale against which `left > right` is decided."""
    return right.magnitude if left.scale is None else step("bigger", left.scale, right.magnitude)
