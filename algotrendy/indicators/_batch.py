"""From kernels to functions of arrays and of Series: checks, gaps, results of the same kind as the input.

The rule for gaps: a value that is not finite is missing, and each stretch without missing values is computed by
itself, as if the data began there. So leading NaN shift the warm-up, a window that touches a gap gives NaN, and an
average with memory starts afresh after it. Where an indicator differs, its docstring says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np

from algotrendy.domain.types import AnyArray, Bool1D, Float1D
from algotrendy.errors import InputError
from algotrendy.indicators.registry import Lookback, ParameterInfo, bind

Values = TypeVar("Values")
"""A pandas Series or a NumPy array: the result is of the same kind, a Series with the same index."""

Inputs: TypeAlias = Sequence[Float1D]
Parameters: TypeAlias = Sequence[Any]
Compute: TypeAlias = Callable[[Inputs, Parameters, AnyArray], bool]
"""Takes inputs, parameters in order, and an array to fill; returns whether all it read was finite."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A function from arrays to one array, or to a tuple of them, over all stretches without missing values.

    Attributes
    ----------
    name : str
        For messages.
    parameters : tuple of ParameterInfo
        Taken by keyword; checked at each call.
    lookback : callable
        Parameters to the bars before the first value of the output that comes first.
    compute : callable
        Fills the outputs: a kernel made `direct`, or a function that combines several.
    outputs : tuple of str
        Names of the outputs; empty for a single one.
    through_gaps : bool
        Missing values are taken as they come.
    many : str
        Kernel for many sets of parameters at once, as `module.name`; see `_many`. Empty: there is none.
    many_outputs : tuple of int
        Outputs that `many` can write.
    """

    name: str
    parameters: tuple[ParameterInfo, ...]
    lookback: Lookback
    compute: Compute
    outputs: tuple[str, ...] = ()
    through_gaps: bool = False
    many: str = ""
    many_outputs: tuple[int, ...] = (0,)

    def __call__(self, *inputs: Float1D, **parameters: Any) -> Any:
        """Return the array, or the tuple of arrays."""
        bound = bind(self.name, self.parameters, parameters)
        arrays = [read_only(values) for values in inputs]
        size = arrays[0].size
        if any(values.size != size for values in arrays):
            raise InputError(f"{self.name}: inputs of different lengths {[values.size for values in arrays]}")
        # Allocated here, not by the kernel: NumPy asks for large pages, which makes a big result twice as fast to fill.
        out = np.empty((len(self.outputs), size) if self.outputs else size)
        self.fill(arrays, bound, out)
        return tuple(out) if self.outputs else out

    def fill(self, arrays: Sequence[Float1D], bound: Mapping[str, Any], out: AnyArray) -> None:
        """Write what a call returns, for inputs that are `read_only` and of one length, and checked parameters."""
        lookback = self.lookback(bound)
        if out.shape[-1] <= lookback:
            out[:] = np.nan
        elif not self.compute(arrays, tuple(bound.values()), out) and not self.through_gaps:
            self._by_stretches(arrays, tuple(bound.values()), lookback, out)

    def _by_stretches(self, arrays: Sequence[Float1D], parameters: Sequence[Any], lookback: int, out: AnyArray) -> None:
        """Fill `out` stretch by stretch, NaN elsewhere."""
        out[:] = np.nan
        for begin, end in finite_stretches(arrays):
            if end - begin > lookback:
                pieces = [values[begin:end] for values in arrays]
                stretch = np.empty(out[..., begin:end].shape)  # kernels want whole rows, one after the other
                self.compute(pieces, parameters, stretch)
                out[..., begin:end] = stretch


def direct(kernel: Callable[..., bool]) -> Compute:
    """Return a kernel that takes inputs, parameters and `out` one by one as a function of the three."""
    return lambda inputs, parameters, out: kernel(*inputs, *parameters, out)


def on_bars(kernel: Callable[..., bool]) -> Compute:
    """Return a kernel that takes all inputs as one tuple as a function of the three."""
    return lambda inputs, parameters, out: kernel(tuple(inputs), *parameters, out)


def read_only(values: AnyArray) -> Float1D:
    """Return contiguous float64 that cannot be written to: so kernels are compiled for one type of array only."""
    view = np.ascontiguousarray(values, dtype=np.float64).view()
    view.flags.writeable = False
    return view


def all_finite(arrays: Sequence[Float1D]) -> bool:
    """Return whether nothing is missing. A sum is a cheap witness; it may cry wolf on an overflow."""
    with np.errstate(all="ignore"):
        return all(bool(np.isfinite(values.sum())) for values in arrays)


def finite_stretches(arrays: Sequence[Float1D]) -> list[tuple[int, int]]:
    """Return begin and end of each stretch in which every array is finite."""
    finite: Bool1D = np.logical_and.reduce([np.isfinite(values) for values in arrays])
    edges = np.flatnonzero(np.diff(finite, prepend=False, append=False))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def apply(batch: Batch, *inputs: Values, **parameters: Any) -> Values:
    """Call an indicator of one output with Series or arrays; return the same kind."""
    arrays, index = _split(batch.name, inputs)
    return cast("Values", _like(batch(*arrays, **parameters), index))


def apply_all(batch: Batch, *inputs: Values, **parameters: Any) -> tuple[Values, ...]:
    """Call an indicator of several outputs with Series or arrays; return each of the same kind."""
    arrays, index = _split(batch.name, inputs)
    return tuple(_like(row, index) for row in batch(*arrays, **parameters))


def _split(name: str, inputs: Sequence[Any]) -> tuple[list[Float1D], Any]:
    """Return the numbers of each input, and the index that the Series among them share (None without any).

    Raises
    ------
    InputError
        If an input is not one-dimensional numbers, or two Series differ in their index.
    """
    import pandas as pd

    index = None
    for values in inputs:
        if isinstance(values, pd.Series):
            if index is not None and not (values.index is index or values.index.equals(index)):
                raise InputError(f"{name}: the series have different indexes; align them first")
            index = values.index
    return [as_floats(values, name) for values in inputs], index


def _like(result: Float1D, index: Any) -> Any:
    """Return the result as a Series where there is an index."""
    if index is None:
        return result
    import pandas as pd

    return pd.Series(result, index=index, copy=False)


def as_floats(values: Any, name: str) -> Float1D:
    """Return one-dimensional numbers as contiguous float64.

    Raises
    ------
    InputError
        If they are something else.
    """
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    if array.dtype == object and hasattr(values, "to_numpy"):  # pandas' nullable numbers
        array = values.to_numpy(dtype=np.float64, na_value=np.nan)
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise InputError(
            f"{name}: found {type(values).__name__} of {array.dtype} with shape {array.shape}; "
            "expected one-dimensional numbers, a Series or an array"
        )
    return np.ascontiguousarray(array, dtype=np.float64)
