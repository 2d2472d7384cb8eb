"""Functions that only kernels call: compiled into their callers, without a wrapper and a file of their own.

They allocate nothing and raise nothing; leaving out what serves that halves the time to compile them.
"""

from __future__ import annotations

from typing import Any

import numba

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "_nrt": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
part: Any = numba.njit(forceinline=True, **_OPTIONS)
"""Compiled into each place that calls it."""

called_part: Any = numba.njit(**_OPTIONS)
"""As `part`, but for the compiler to decide whether it is compiled into each place or called: for what is long."""

summing_part: Any = numba.njit(forceinline=True, fastmath={"reassoc", "contract"}, **_OPTIONS)
"""As `part`; the order and the fusing of additions is left to the compiler, so sums vectorise and agree to rounding."""

extremes_part: Any = numba.njit(forceinline=True, fastmath={"nnan", "nsz"}, **_OPTIONS)
"""As `part`, for numbers that are never NaN: the largest and the smallest of many are found in lanes."""

KERNEL: dict[str, Any] = {"error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}
"""Options of `jit` for a kernel that allocates nothing and raises nothing."""
