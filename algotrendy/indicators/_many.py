"""One indicator for many sets of parameters: eight at a time where there is a kernel for that, else one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from typing import NamedTuple

import numpy as np

from algotrendy.domain.types import AnyArray, Float1D, Float2D, Int1D
from algotrendy.indicators._batch import Batch, read_only

_SETS_MIN = 3
"""Eight lanes take as long as two or three sets one by one."""


class Rows(NamedTuple):
    """A series for each of some sets of parameters: row `rows[k]` of `block` is that of set k.

    The rows of the block lie evenly apart, each contiguous float64.
    """

    block: Float2D
    rows: Int1D

    @property
    def addresses(self) -> Int1D:
        """Where the series of each set lies; whoever uses it keeps the block."""
        start: int = self.block.__array_interface__["data"][0]  # `block.ctypes.data` says the same ten times slower
        return self.block.strides[0] * self.rows + start

    def series(self, k: int) -> Float1D:
        """Return the series of set k, not to be written to."""
        return read_only(self.block[self.rows[k]])


def has_kernel(batch: Batch, output: int | None) -> bool:
    """Return whether a kernel computes this output for many sets at once."""
    return bool(batch.many) and (output or 0) in batch.many_outputs


def in_lanes(batch: Batch, inputs: Sequence[Rows], parameters: Float2D, output: int | None) -> Float2D:
    """Return one output for each set of parameters, from the kernel for many sets; see `has_kernel`.

    Parameters
    ----------
    batch : Batch
        The indicator.
    inputs : sequence of Rows
        Its series.
    parameters : float64 array of shape (n_parameters, n_sets)
        Checked values of all parameters, in their order.
    output : int or None
        Which output, None if there is one only.

    Returns
    -------
    float64 array of shape (n_sets, n_bars)
        To the last bit what `one_by_one` gives.
    """
    from algotrendy.kernels._desk import new_desk

    if parameters.shape[1] < _SETS_MIN:
        whole = one_by_one(batch, inputs, parameters)
        return whole if output is None else whole[:, output]
    desk = new_desk(np.array([each.addresses for each in inputs]), parameters, inputs[0].block.shape[1])
    _kernel(batch.many)(desk, output or 0)
    out, sound = desk.out, desk.sound
    if not sound.all():  # something is missing in the middle
        left = np.flatnonzero(~sound)
        rest = one_by_one(batch, [Rows(each.block, each.rows[left]) for each in inputs], parameters[:, left])
        out[left] = rest if output is None else rest[:, output]
    return out


def one_by_one(batch: Batch, inputs: Sequence[Rows], parameters: Float2D) -> AnyArray:
    """Return all outputs for each set of parameters.

    Parameters
    ----------
    batch, inputs, parameters
        As for `in_lanes`.

    Returns
    -------
    float64 array of shape (n_sets, n_bars), or (n_sets, n_outputs, n_bars) if the indicator has several outputs
    """
    n_sets, n_bars = parameters.shape[1], inputs[0].block.shape[1]
    out = np.empty((n_sets, len(batch.outputs), n_bars) if batch.outputs else (n_sets, n_bars))
    for k, values in enumerate(parameters.T.tolist()):
        bound = {info.name: info.type(value) for info, value in zip(batch.parameters, values, strict=True)}
        batch.fill([each.series(k) for each in inputs], bound, out[k])
    return out


@lru_cache(maxsize=64)
def _kernel(path: str) -> Callable[..., None]:
    """Return a kernel by its place; imported now, so that a single backtest does not wait for it."""
    module, name = path.split(".")
    kernel: Callable[..., None] = getattr(import_module(f"algotrendy.kernels.{module}"), name)
    return kernel
