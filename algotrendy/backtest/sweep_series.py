"""The series that the combinations of a sweep need: each is computed once, however many combinations share it.

A series is told by its node (an indicator, say) and the values of the parameters that it depends on. If all of them fit
into `BYTES_MAX` they are computed before the sweep and shared by all its chunks; otherwise each chunk computes its own,
so that memory does not grow with the number of combinations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.grid import Grid

if TYPE_CHECKING:
    from algotrendy.domain.bars import BarArrays
    from algotrendy.expressions import Context, Expression, SignalPlan
    from algotrendy.expressions.assemble import Leaf

Float1D = npt.NDArray[np.float64]
Int1D = npt.NDArray[np.int64]

BYTES_MAX = 48 * 2**20
"""So much memory the shared series may take; a chunk's own series take at most half of it per worker."""


def grid_codes(grid: Grid, names: Sequence[str]) -> Int1D:
    """Return one whole number per combination, equal where the values of `names` are equal.

    Examples
    --------
    >>> from algotrendy.backtest.grid import make_grid
    >>> grid_codes(make_grid({"a": [1, 2], "b": [5, 6, 7]}), ["b"]).tolist()
    [0, 1, 2, 0, 1, 2]
    """
    code = np.zeros(len(grid), dtype=np.int64)
    for k, name in enumerate(grid.names):
        if name in names:
            code *= len(grid.values[k])
            code += grid.index[:, k]
    return code


@dataclass(frozen=True)
class Source:
    """One leaf of the program, or one level given as an expression; `codes` tell its series apart."""

    part: Leaf | Expression
    codes: Int1D

    @property
    def n_series(self) -> int:
        """Number of different series among all combinations."""
        return len(np.unique(self.codes))


@dataclass
class SeriesShelf:
    """Computes the series of a sweep and keeps those that all chunks share."""

    plan: SignalPlan
    arrays: BarArrays
    context: Context
    grid: Grid
    fixed: dict[str, Any]
    sources: list[Source]
    shared: dict[tuple[int, int], Float1D] = field(default_factory=dict)

    @property
    def n_bars(self) -> int:
        """Number of bars."""
        return int(self.arrays.close.size)

    def share(self) -> bool:
        """Compute all series now if they fit, and say whether they did."""
        total = sum(source.n_series for source in self.sources)
        if total * self.n_bars * 8 > BYTES_MAX:
            return False
        cache: dict[Any, Any] = {}
        for k, source in enumerate(self.sources):
            for code, first in zip(*np.unique(source.codes, return_index=True), strict=True):
                self.shared[k, int(code)] = self._series(source, int(first), cache)
        return True

    def chunk_series(self, chunk: Int1D) -> tuple[list[Float1D], npt.NDArray[np.int64]]:
        """Return the series that the combinations of a chunk use, and which of them each source of each takes.

        Returns
        -------
        series : list of float64 arrays of shape (n_bars,)
        rows : int64 array of shape (len(chunk), n_sources)
        """
        series: list[Float1D] = []
        rows = np.empty((len(chunk), len(self.sources)), dtype=np.int64)
        cache: dict[Any, Any] = {}
        for k, source in enumerate(self.sources):
            codes, first, inverse = np.unique(source.codes[chunk], return_index=True, return_inverse=True)
            rows[:, k] = inverse + len(series)
            for code, place in zip(codes, first, strict=True):
                kept = self.shared.get((k, int(code)))
                series.append(self._series(source, int(chunk[place]), cache) if kept is None else kept)
        return series, rows

    def _series(self, source: Source, combination: int, cache: dict[Any, Any]) -> Float1D:
        from algotrendy.expressions import Expression
        from algotrendy.expressions.series import Evaluator

        values = {**self.fixed, **self.grid.combination(combination)}
        evaluator = Evaluator(self.arrays, values, self.context, cache=cache)
        if isinstance(source.part, Expression):
            number = evaluator.numbers(source.part.root).value
            return np.ascontiguousarray(np.broadcast_to(number, (self.n_bars,)), dtype=np.float64)
        return self.plan.leaf_series(source.part, evaluator, self.n_bars)
