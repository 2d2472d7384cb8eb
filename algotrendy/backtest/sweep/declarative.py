"""Sweeps of strategies that are text: one kernel call per chunk of combinations."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.setting import keep_freed_memory
from algotrendy.backtest.sweep.grid import Grid
from algotrendy.backtest.sweep.series import BYTES_MAX, Bound, SeriesShelf, Source, grid_codes
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy.inputs import ALL_IN
from algotrendy.strategy.levels import FIXED_UNITS, FRACTION, FixedUnits, level_number
from algotrendy.strategy.parameter import LEVELS

if TYPE_CHECKING:
    from algotrendy.backtest.setting import Setting
    from algotrendy.domain.bars import BarArrays
    from algotrendy.kernels.orders_types import Market
    from algotrendy.kernels.sweep import Combinations, Stage
    from algotrendy.strategy import Strategy

Float2D = npt.NDArray[np.float64]
Int1D = npt.NDArray[np.int64]

_WORK_PER_CHUNK = 4_000_000
"""Bars times combinations of one chunk: some ten milliseconds, so that progress moves and Ctrl-C is obeyed."""

_EVERY_BAR = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Chunk:
    """Combinations that one kernel call runs: places in the grid, all of one borrow rate."""

    places: Int1D
    borrow: float


class DeclarativeSweep:
    """Runs chunks of combinations of one text strategy over one instrument.

    Parameters
    ----------
    strategy : Strategy
        What is swept.
    grid : Grid
        The combinations: parameters, levels and costs.
    setting : Setting
        The bars and their surroundings, conventions and costs; those costs that the grid varies are replaced.
    """

    def __init__(self, strategy: Strategy, grid: Grid, setting: Setting) -> None:
        from algotrendy.expressions import SignalPlan

        arrays, context, options = setting.arrays, setting.context, setting.options
        self._strategy, self._grid, self._arrays, self._options = strategy, grid, arrays, options
        self._setting = setting
        self._fixed = {**strategy.parameters, **context.constants}
        self._plan = SignalPlan(strategy.conditions, varying=set(grid.names) & set(strategy.parameters))
        everything = np.arange(len(grid))
        self._plan.check_parts(self._values(everything), len(grid))
        self._level_source: dict[str, int] = {}
        self._shelf = SeriesShelf(self._sources(), grid, self._plan, strategy, setting)
        if not self._shelf.is_shared:  # each chunk takes and frees its own series
            keep_freed_memory()
        self._markets = self._markets_of(arrays)

    def over(self, arrays: BarArrays) -> DeclarativeSweep:
        """Return the same sweep over other bars, as many of them and at the same times.

        The conditions stay compiled, so that a sweep of few combinations starts in a fraction of a millisecond. Chunks
        of one serve the other.

        Parameters
        ----------
        arrays : BarArrays
            Sound bars; nothing is checked.
        """
        other = copy(self)
        other._arrays, other._setting = arrays, replace(self._setting, arrays=arrays)
        other._shelf = self._shelf.over(other._setting)
        other._markets = self._markets_of(arrays)
        return other

    def chunks(self, workers: int) -> list[Chunk]:
        """Cut the combinations into chunks; those that share their conditions stand together."""
        signal = grid_codes(self._grid, sorted(self._plan.parameters))
        borrow = grid_codes(self._grid, ["borrow"])
        order = np.lexsort((signal, borrow))
        size = max(1, _WORK_PER_CHUNK // len(self._arrays.close))
        if not self._shelf.is_shared:
            size = min(size, self._shelf.combinations_max(BYTES_MAX // (2 * workers)))
        rates = self._column("borrow", self._options.borrow)
        pieces = []
        for rate in self._borrows():
            places = order[rates[order] == rate]
            pieces += [Chunk(places[i : i + size], rate) for i in range(0, len(places), size)]
        return pieces

    def run(self, chunk: Chunk) -> Float2D:
        """Return the metrics of the chunk's combinations, one row each."""
        from algotrendy.kernels.sweep import run_combinations

        bound = self._shelf.bind(
            chunk.places
        )  # it and the numbers live until the kernel, which takes addresses, is done
        stage, combinations, _numbers = self._prepared(chunk, bound)
        out = np.empty((len(chunk.places), len(METRICS)))
        run_combinations(stage, combinations, out)
        return out

    def curves(self, chunk: Chunk) -> Float2D:
        """Return the equity at the valuation marks of the chunk's combinations, one row each."""
        from algotrendy.kernels.sweep_curves import run_curves

        bound = self._shelf.bind(chunk.places)
        stage, combinations, _numbers = self._prepared(chunk, bound)
        marks = _EVERY_BAR if self._options.marks is None else self._options.marks
        n_bars = len(self._arrays.close)
        out = np.empty((len(chunk.places), len(marks) or n_bars))
        run_curves(stage, combinations, marks, np.empty(n_bars), out)
        return out

    def _prepared(self, chunk: Chunk, bound: Bound) -> tuple[Stage, Combinations, Float2D]:
        """Return what kernels take, and the numbers whose addresses stand in it."""
        from algotrendy.kernels.orders_types import empty_orders, orders_max
        from algotrendy.kernels.sweep import Combinations, Stage

        numbers = self._level_numbers(chunk.places)
        combinations = Combinations(
            rows=np.ascontiguousarray(bound.rows[:, : len(self._plan.leaves)]),
            scalars=self._scalars(chunk.places),
            levels=self._level_addresses(numbers, bound),
            lengths=np.array([self._length(name) for name in LEVELS], dtype=np.int64),
            costs=self._costs(chunk.places),
        )
        n_bars = len(self._arrays.close)
        stage = Stage(
            program=self._plan.program,
            addresses=bound.addresses,
            scratch=self._plan.scratch(n_bars),
            market=self._markets[chunk.borrow],
            rules=self._options.rules(self._size_kind()),
            orders=empty_orders(orders_max(n_bars)),
        )
        return stage, combinations, numbers

    def _markets_of(self, arrays: BarArrays) -> dict[float, Market]:
        own = self._options
        rates = [(borrow, own if borrow == own.borrow else own.replaced(borrow=borrow)) for borrow in self._borrows()]
        return {borrow: options.market(arrays) for borrow, options in rates}

    def _borrows(self) -> list[float]:
        return sorted(set(self._column("borrow", self._options.borrow).tolist()))

    def _column(self, name: str, fixed: float) -> npt.NDArray[np.float64]:
        if name in self._grid.names:
            return self._grid.column(name).astype(np.float64)
        return np.full(len(self._grid), fixed)

    def _sources(self) -> list[Source]:
        """The leaves of the program, then those levels that are a series."""
        sources = [Source(leaf, grid_codes(self._grid, leaf.parameters)) for leaf in self._plan.leaves]
        for name, expression in self._strategy.level_expressions.items():
            if name not in self._grid.names and expression.uses_bars:
                self._level_source[name] = len(sources)
                sources.append(Source(expression, grid_codes(self._grid, sorted(expression.parameters))))
        return sources

    def _values(self, places: Int1D) -> Mapping[str, Any]:
        varied = {name: self._grid.column(name)[places].astype(np.float64) for name in self._grid.names}
        return {**self._fixed, **varied}

    def _scalars(self, places: Int1D) -> Float2D:
        return np.ascontiguousarray(self._plan.scalar_table(self._values(places), len(places)))

    def _level_numbers(self, places: Int1D) -> Float2D:
        """Return stop, target, trail and size of each combination where they are single numbers."""
        from algotrendy.expressions.scalars import column_of, scalar

        table = np.empty((len(places), len(LEVELS)))
        values = self._values(places)
        for k, name in enumerate(LEVELS):
            given, expression = getattr(self._strategy, name), self._strategy.level_expressions.get(name)
            if name in self._grid.names:
                table[:, k] = values[name]
            elif name in self._level_source:
                table[:, k] = np.nan
            elif expression is not None:
                table[:, k] = column_of(scalar(expression.root, values), len(places))
            else:
                table[:, k] = ALL_IN if name == "size" and given is None else level_number(given)
        return table

    def _level_addresses(self, numbers: Float2D, bound: Bound) -> npt.NDArray[np.int64]:
        at = numbers.ctypes.data + 8 * np.arange(numbers.size, dtype=np.int64).reshape(numbers.shape)
        for name, source in self._level_source.items():
            at[:, LEVELS.index(name)] = bound.addresses[bound.rows[:, source]]
        return at

    def _length(self, name: str) -> int:
        return len(self._arrays.close) if name in self._level_source else 1

    def _costs(self, places: Int1D) -> Float2D:
        rate = self._column("commission", self._options.fees.rate)[places]
        slippage = self._column("slippage", self._options.slippage)[places]
        return np.column_stack([rate, slippage])

    def _size_kind(self) -> int:
        fixed = isinstance(self._strategy.size, FixedUnits) and "size" not in self._grid.names
        return FIXED_UNITS if fixed else FRACTION
