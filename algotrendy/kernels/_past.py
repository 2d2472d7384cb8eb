"""Columns up to a row, as views: what a compiled decision may look at."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

__all__ = ["first_rows", "newest"]


def _first_rows(typing_context: Any, columns: Any, n: Any) -> Any:
    """Return a named tuple of arrays, each cut after its first `n` values."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        cut = []
        for k, array_type in enumerate(kind.types):
            old = _array(context, builder, array_type, builder.extract_value(arguments[0], k))
            new: Any = make_array(array_type)(context, builder)  # type: ignore[no-untyped-call]  # Numba has no types here
            strides: Any = cgutils.unpack_tuple(builder, old.strides, 1)  # type: ignore[no-untyped-call]  # as above
            populate_array(  # type: ignore[no-untyped-call]  # as above
                new, data=old.data, shape=[arguments[1]], strides=strides, itemsize=old.itemsize, meminfo=None
            )
            cut.append(new._getvalue())
        return context.make_tuple(builder, kind, cut)

    return columns(columns, types.int64), generate


def _newest(typing_context: Any, columns: Any, row: Any) -> Any:
    """Return a named tuple of the values of some columns at a row."""
    result: Any = types.NamedUniTuple(types.float64, len(columns.types), columns.instance_class)  # type: ignore[no-untyped-call]  # as above

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        values = []
        for k, array_type in enumerate(kind.types):
            array = _array(context, builder, array_type, builder.extract_value(arguments[0], k))
            values.append(builder.load(builder.gep(array.data, [arguments[1]])))
        return context.make_tuple(builder, signature.return_type, values)

    return result(columns, types.int64), generate


def _array(context: Any, builder: Any, array_type: Any, value: Any) -> Any:
    return make_array(array_type)(context, builder, value)  # type: ignore[no-untyped-call]  # as above


first_rows: Any = intrinsic(_first_rows)
newest: Any = intrinsic(_newest)
