"""Draws paths of wealth in kernels: running figures of many paths, or the wealth of all paths at some steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from algotrendy.backtest.resampling import GarchFit
from algotrendy.domain.types import Float1D, Float2D

if TYPE_CHECKING:
    from algotrendy.kernels.path_statistics import Paths

_LANES = 8
"""Paths that a kernel takes at a time; the last ones of a piece are computed and thrown away."""

_STEPS_PER_CHUNK = 4_000_000
_CURVE_NUMBERS = 2_000_000
_NO_CURVES = np.empty((0, 0))


class Chunk(NamedTuple):
    """Paths that one kernel call draws."""

    first: int
    size: int


class Figures(NamedTuple):
    """What is known of each path, shape (n_paths,) each."""

    terminal_wealth: Float1D
    max_drawdown: Float1D
    lowest_wealth: Float1D


@dataclass(frozen=True, eq=False)
class PathMaker:
    """Draws paths by one method.

    Attributes
    ----------
    method : str
        `trade_shuffle bootstrap stationary circular garch`.
    table : array of shape (n,)
        Factors of wealth to draw from; for garch its shocks.
    seed, horizon : int
        Seed of all paths; steps of each.
    block : float
        Length of a block, for stationary and circular.
    garch : GarchFit, optional
        The rule of the variance.
    """

    method: str
    table: Float1D
    seed: int
    horizon: int
    block: float = 0.0
    garch: GarchFit | None = None

    def chunks(self, paths: int) -> list[Chunk]:
        """Cut the paths into pieces of some ten milliseconds; the figures of a path do not depend on it."""
        size = max(_LANES, _STEPS_PER_CHUNK // self.horizon // _LANES * _LANES)
        return [Chunk(first, min(size, paths - first)) for first in range(0, paths, size)]

    def run(self, chunk: Chunk) -> Figures:
        """Return the figures of the paths of a chunk."""
        state = self._begin(chunk.size)
        self._advance(state, chunk.first, (0, self.horizon), _NO_CURVES)
        n = chunk.size
        return Figures(state.wealth[:n], 1.0 - state.deepest[:n], state.lowest[:n])

    def curves(self, chunks: list[Chunk]) -> Iterator[Float2D]:
        """Yield the wealth of all paths after each step, some steps at a time: shape (n_steps, n_paths).

        The same paths as those of `run` are drawn again, so that they never had to be kept.
        """
        total = sum(chunk.size for chunk in chunks)
        states = [self._begin(chunk.size) for chunk in chunks]
        size = max(4, _CURVE_NUMBERS // total // 4 * 4)
        for begin in range(0, self.horizon, size):
            end = min(begin + size, self.horizon)
            block, column = np.empty((end - begin, total)), 0
            for chunk, state in zip(chunks, states, strict=True):
                piece = np.empty((end - begin, state.wealth.size))
                self._advance(state, chunk.first, (begin, end), piece)
                block[:, column : column + chunk.size] = piece[:, : chunk.size]
                column += chunk.size
            yield block

    def _begin(self, size: int) -> Paths:
        from algotrendy.kernels.path_statistics import Paths

        n = -(-size // _LANES) * _LANES
        variance = 0.0 if self.garch is None else self.garch.next_variance
        wealth, depth, deepest, lowest = np.ones((4, n))
        return Paths(wealth, depth, deepest, lowest, np.zeros(n, dtype=np.uint64), np.full(n, variance))

    def _advance(self, state: Paths, first: int, steps: tuple[int, int], curves: Float2D) -> None:
        from algotrendy.kernels import path_statistics as kernel

        span = kernel.Span(np.uint64(self.seed), first, *steps)
        if self.method == "bootstrap":
            kernel.independent_paths(self.table, span, state, curves)
        elif self.method == "trade_shuffle":
            kernel.shuffled_paths(self.table, span, state, np.empty(self.table.size, dtype=np.int64), curves)
        elif self.garch is not None:
            fit = self.garch
            rule = kernel.Variance(fit.mean, fit.constant, fit.news, fit.memory)
            kernel.garch_paths(self.table, rule, span, state, curves)
        else:
            random = self.method == "stationary"
            chance = round(2**32 / self.block) if random else 0
            blocks = kernel.Blocks(chance, 0 if random else round(self.block))
            kernel.block_paths(self.table, blocks, span, state, curves)
