"""Arrays by their address, so that a kernel can take any number of them without copying them into one.

Whoever hands an address to a kernel keeps the array alive and contiguous until the kernel is done.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array


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


def _array_at(number_type: Any, ndim: int) -> Any:
    array_type: Any = types.Array(number_type, ndim, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, *shape = arguments
        array: Any = make_array(array_type)(context, builder)  # type: ignore[no-untyped-call]  # as above
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(number_type)))
        strides = [size] if ndim == 1 else [builder.mul(size, shape[1]), size]
        data = builder.inttoptr(address, array.data.type)
        populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)  # type: ignore[no-untyped-call]  # as above
        return array._getvalue()

    if ndim == 1:

        @intrinsic
        def row(typing_context: Any, address: Any, n: Any) -> Any:
            """Return the array of shape (n,) that lies at an address."""
            return array_type(types.int64, types.int64), generate

        return row

    @intrinsic
    def table(typing_context: Any, address: Any, n_rows: Any, n_columns: Any) -> Any:
        """Return the array of shape (n_rows, n_columns) in C order that lies at an address."""
        return array_type(types.int64, types.int64, types.int64), generate

    return table


doubles_in, whole_in, flags_in = (_array_at(kind, 1) for kind in (types.float64, types.int64, types.boolean))
table_in, whole_table_in, short_table_in, flag_table_in = (
    _array_at(kind, 2) for kind in (types.float64, types.int64, types.int32, types.boolean)
)
