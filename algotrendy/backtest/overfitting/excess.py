"""What all tests against a benchmark start from: the returns of each strategy above it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from algotrendy.domain.types import Float2D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.inputs import as_return_matrix, names_of

__all__ = ["Excess", "excess_of"]

PERIODS_MIN = 20
_STILL = 1e-12


class Excess(NamedTuple):
    """Returns above the benchmark of those strategies whose excess moves, and the names of all.

    `values` has the shape (n_periods, n_moving); `moving` are the places of its columns among all strategies.
    """

    values: Float2D
    moving: np.ndarray[Any, Any]
    names: tuple[Any, ...]

    @property
    def is_known(self) -> bool:
        """Whether there is no NaN among the values."""
        return not bool(np.isnan(self.values).any())


def excess_of(returns: Any, benchmark: Any, nan_policy: NanPolicy) -> Excess:
    """Return the returns of each strategy above the benchmark.

    Parameters
    ----------
    returns : array-like of shape (n_periods, n_strategies)
        Simple returns per period, as fractions.
    benchmark : float, or array-like of shape (n_periods,)
        A return per period, or one for each period. A Series must have the index of the returns.
    nan_policy : {"raise", "omit", "propagate"}
        What to do about NaN, in returns or benchmark.

    Raises
    ------
    InputError
        If shapes do not fit, there are fewer than 20 periods, or no strategy moves against the benchmark.
    """
    names = names_of(returns, np.shape(returns)[1] if np.ndim(returns) == 2 else 0)
    index, other = getattr(returns, "index", None), getattr(benchmark, "index", None)
    if index is not None and other is not None and not callable(other) and not index.equals(other):
        raise InputError("the index of the benchmark is not that of the returns; align them: benchmark.reindex(...)")
    base = np.asarray(benchmark, dtype=np.float64)
    matrix = as_return_matrix(returns, "propagate", min_periods=PERIODS_MIN)
    if base.ndim and base.shape != (len(matrix),):
        raise InputError(
            f"the benchmark has the shape {base.shape}; use one return, or one for each of the {len(matrix)} periods"
        )
    if nan_policy not in ("raise", "omit", "propagate"):
        raise InputError(f'nan_policy is {nan_policy!r}; choose "raise", "omit" or "propagate"')
    both = matrix - (base[:, None] if base.ndim else base)
    missing = np.isnan(both).any(axis=1)
    if missing.any():
        if nan_policy == "propagate":
            return Excess(both, np.arange(both.shape[1]), names)
        if nan_policy == "raise":
            as_return_matrix(returns, "raise")  # says where, if it is in the returns
            raise InputError(f"{int(np.isnan(base).sum())} returns of the benchmark are NaN; fill or drop them")
        both = both[~missing]
        if len(both) < PERIODS_MIN:
            raise InputError(f"{len(both)} periods are left without NaN, this needs at least {PERIODS_MIN}")
    moving = np.flatnonzero(np.std(both, axis=0) > _STILL)
    if not moving.size:
        raise InputError("no strategy's returns move against the benchmark; there is nothing to test")
    return Excess(np.ascontiguousarray(both[:, moving]), moving, names)
