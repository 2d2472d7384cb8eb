"""Single machine instructions that Numba has no name for."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _trailing_zeros(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


def _round_down(typing_context: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        floor = builder.module.declare_intrinsic("llvm.floor", [ir.DoubleType()])
        return builder.call(floor, arguments)

    return types.float64(types.float64), generate


trailing_zeros: Any = intrinsic(_trailing_zeros)
"""Return the position of the lowest set bit of a uint64 that is not zero."""

round_down: Any = intrinsic(_round_down)
"""Return the largest whole number up to a float64, as a float64: no integer is too small for it, NaN stays NaN."""
