"""What a compiled decision is handed: a type of its own, so that its methods are those of no other named tuple."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, make_attribute_wrapper, models, register_model

__all__ = ["FIELDS", "MomentType", "moment"]

FIELDS = ("number", "bar", "past", "params", "memory", "position", "cash", "equity", "book")
"""`algotrendy.strategy.CompiledStrategy` says what they are; `book` is the address of the table of all orders."""


class MomentType(types.Type):
    """A moment whose fields have these types."""

    def __init__(self, kinds: tuple[Any, ...]) -> None:
        self.fields = tuple(zip(FIELDS, kinds, strict=True))
        super().__init__(name=f"Moment{kinds}")

    @property
    def key(self) -> Any:
        """What tells it from others: its name says nothing of the names in its bar; Numba keeps one type per key."""
        return self.fields


@register_model(MomentType)
class _MomentModel(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, list(kind.fields))  # type: ignore[no-untyped-call]  # Numba has no types here


for _name in FIELDS:
    make_attribute_wrapper(MomentType, _name, _name)


def _moment(  # noqa: PLR0917 - one for each field
    typing_context: Any, number: Any, bar: Any, past: Any, params: Any, memory: Any, position: Any, cash: Any,
    equity: Any, book: Any,
) -> Any:  # fmt: skip
    """Return a moment of these fields."""
    kinds = (number, bar, past, params, memory, position, cash, equity, book)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made: Any = cgutils.create_struct_proxy(signature.return_type)(context, builder)  # type: ignore[no-untyped-call]  # as above
        for name, value in zip(FIELDS, arguments, strict=True):
            setattr(made, name, value)
        return made._getvalue()

    return MomentType(kinds)(*kinds), generate


moment: Any = intrinsic(_moment)
