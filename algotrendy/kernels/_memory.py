"""Arrays by their address, so that a kernel can take any number of them without copying them into one.

Whoever hands an address to a kernel keeps the array alive and contiguous until the kernel is done.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic


def _pointer_to(number_type: Any) -> Any:
    pointer_type: Any = types.CPointer(number_type)  # type: ignore[no-untyped-call]  # Numba has no types here

    @intrinsic
    def pointer(typing_context: Any, address: Any) -> Any:
        """Return the int64 `address` as something that can be indexed like an array, without bounds."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return pointer_type(types.int64), generate

    return pointer


doubles_at = _pointer_to(types.float64)
words_at = _pointer_to(types.uint64)
