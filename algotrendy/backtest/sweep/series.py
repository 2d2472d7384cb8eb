"""The series that the combinations of a sweep need: each is computed once, however many combinations share it.

A series is told by its node (an indicator, say) and the values of the parameters that it depends on. If all of them fit
into `BYTES_MAX` they are computed before the sweep and shared by all its chunks; otherwise each chunk computes its own,
so that memory does not grow with the number of combinations.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.sweep.grid import Grid

if TYPE_CHECKING:
    from algotrendy.backtest.setting import Setting
    from algotrendy.domain.bars import BarArrays
    from algotrendy.expressions import Context, Expression, SignalPlan
    from algotrendy.expressions.assemble import Leaf
    from algotrendy.expressions.bulk import Bulk
    from algotrendy.indicators._many import Rows
    from algotrendy.strategy import Strategy

Float1D = npt.NDArray[np.float64]
Int1D = npt.NDArray[np.int64]

BYTES_MAX = 48 * 2**20
"""So much memory the shared series may take; a chunk's own series take at most half of it per worker."""

_CODES_MAX = 2**62

_NUMBERS_MIN = 1_000_000
"""So many numbers have to be computed before kernels for many sets of parameters save more time than loading takes."""


def grid_codes(grid: Grid, names: Collection[str]) -> Int1D:
    """Return one whole number per combination, equal where the values of `names` are equal.

    Examples
    --------
    >>> from algotrendy.backtest.sweep.grid import make_grid
    >>> grid_codes(make_grid({"a": [1, 2], "b": [5, 6, 7]}), ["b"]).tolist()
    [0, 1, 2, 0, 1, 2]
    """
    code, bound = np.zeros(len(grid), dtype=np.int64), 1
    for k, name in enumerate(grid.names):
        if name in names:
            if bound * len(grid.values[k]) > _CODES_MAX:  # many names of many values, as a search has
                code = np.unique(code, return_inverse=True)[1].astype(np.int64)
                bound = len(grid)
            bound *= len(grid.values[k])
            code *= len(grid.values[k])
            code += grid.index[:, k]
    return code


class Bound(NamedTuple):
    """The series of some combinations, their addresses, and which of them each source of each combination takes.

    `series` are single ones and blocks of them. `rows` has the shape (n_combinations, n_sources). Whoever uses the
    addresses keeps the series.
    """

    series: list[npt.NDArray[np.float64]]
    addresses: Int1D
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """One leaf of the program, or one level given as an expression; `codes` tell its series apart."""

    part: Leaf | Expression
    codes: Int1D


class Surroundings(Protocol):
    """What series are computed of: a `Setting`, or one instrument of an account."""

    @property
    def arrays(self) -> BarArrays: ...
    @property
    def context(self) -> Context: ...


class SeriesShelf:
    """Computes the series of a sweep, and keeps them where all chunks can share them.

    Parameters
    ----------
    sources : list of Source
        What has to be computed, for each of the values that the grid gives its parameters.
    grid : Grid
        The combinations.
    plan : SignalPlan
        Knows the leaves.
    strategy, setting
        Values of the parameters that are not varied, and the bars.
    """

    def __init__(
        self, sources: Sequence[Source], grid: Grid, plan: SignalPlan, strategy: Strategy, setting: Surroundings
    ) -> None:
        self.sources, self._grid, self._plan, self._setting = sources, grid, plan, setting
        self._fixed = dict(strategy.parameters)
        self.n_bars = len(setting.arrays.close)
        self._shared: Bound | None = None
        self._counts = sorted(len(np.unique(source.codes)) for source in sources)
        n_numbers = sum(self._counts) * self.n_bars
        self._in_lanes = n_numbers >= _NUMBERS_MIN
        self._picks: list[tuple[Int1D, Int1D]] = []
        if 8 * n_numbers <= BYTES_MAX:
            self._picks = self._distinct(np.arange(len(grid)))
            self._shared = self._bound(np.arange(len(grid)), self._picks)

    def over(self, setting: Setting) -> SeriesShelf:
        """Return the same series of other bars, as many of them: what does not depend on the bars is kept."""
        other = copy(self)
        other._setting = setting
        if self.is_shared:
            other._shared = other._bound(np.arange(len(self._grid)), self._picks)
        return other

    @property
    def is_shared(self) -> bool:
        """Whether all series were computed at once."""
        return self._shared is not None

    def combinations_max(self, n_bytes: int) -> int:
        """Return how many combinations' own series surely fit into so much memory; a series may serve several."""
        left = n_bytes // (8 * self.n_bars)
        for k, count in enumerate(self._counts):
            share = left // (len(self._counts) - k)
            if count >= share:  # each combination may need another one, of this source and of the sources to come
                return max(1, share)
            left -= count
        return len(self._grid)

    def bind(self, places: Int1D) -> Bound:
        """Return the series that these combinations of the grid use, computed here unless they are shared."""
        if self._shared is None:
            return self._bound(places, self._distinct(places))
        return Bound(self._shared.series, self._shared.addresses, self._shared.rows[places])

    def _distinct(self, places: Int1D) -> list[tuple[Int1D, Int1D]]:
        """Return of each source where each of its series is first needed, and which series each combination takes."""
        from algotrendy.expressions.bulk import distinct

        return [distinct([source.codes[places]]) for source in self.sources]

    def _bound(self, places: Int1D, picks: Sequence[tuple[Int1D, Int1D]]) -> Bound:
        from algotrendy.expressions.bulk import Bulk
        from algotrendy.expressions.series import Evaluator

        series: list[npt.NDArray[np.float64]] = []
        addresses: list[Int1D] = []
        rows = np.empty((len(places), len(self.sources)), dtype=np.int64)
        cache: dict[Any, Any] = {}
        catalogue = self._plan.catalogue
        evaluator = Evaluator(
            self._setting.arrays, self._fixed, self._setting.context, catalogue=catalogue, cache=cache
        )
        n_series = 0
        for k, (source, (first, inverse)) in enumerate(zip(self.sources, picks, strict=True)):
            rows[:, k] = inverse + n_series
            n_series += len(first)
            chosen = places[first]
            columns = {
                name: self._grid.column(name)[chosen] for name in self._grid.names if name in source.part.parameters
            }
            found = _rows(source.part, Bulk(evaluator, columns, len(chosen), cache, self._in_lanes))
            if found is None:
                each = [self._compute(source.part, self._grid.combination(int(place)), cache) for place in chosen]
                series += each
                addresses.append(np.array([one.__array_interface__["data"][0] for one in each], dtype=np.int64))
            else:
                series.append(found.block)
                addresses.append(found.addresses)
        return Bound(series, np.concatenate([*addresses, np.empty(0, dtype=np.int64)]), rows)

    def _compute(self, part: Leaf | Expression, combination: dict[str, Any], cache: dict[Any, Any]) -> Float1D:
        from algotrendy.expressions import Expression
        from algotrendy.expressions.series import Evaluator

        values, catalogue = {**self._fixed, **combination}, self._plan.catalogue
        evaluator = Evaluator(self._setting.arrays, values, self._setting.context, catalogue=catalogue, cache=cache)
        if isinstance(part, Expression):
            number = evaluator.numbers(part.root).value
            return np.ascontiguousarray(np.broadcast_to(number, (self.n_bars,)), dtype=np.float64)
        return self._plan.leaf_series(part, evaluator, self.n_bars)


def _rows(part: Leaf | Expression, bulk: Bulk) -> Rows | None:
    """Return the series of all sets of parameters at once, or None where that is not possible."""
    from algotrendy.expressions import Expression

    if isinstance(part, Expression):
        return bulk.rows(part.root) if part.root.is_series else None
    return None if part.is_scale or part.node.kind != "number" else bulk.rows(part.node)
