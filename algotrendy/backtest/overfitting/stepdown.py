"""Which of many strategies beat a benchmark: Romano and Wolf's step-down, which allows for how they move together."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from algotrendy.backtest.overfitting.excess import Excess, excess_of
from algotrendy.backtest.overfitting.resampling import Seed, check_resampling, resampled_sums, stationary_blocks
from algotrendy.domain.types import Float1D, Float2D, NanPolicy
from algotrendy.errors import InputError

__all__ = ["RomanoWolfResult", "romano_wolf"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RomanoWolfResult:
    """What the step-down found.

    Attributes
    ----------
    names : tuple of length n_strategies
        Names of the strategies.
    statistics : array of shape (n_strategies,)
        Mean return above the benchmark / its standard error; not divided where `studentized` is false. NaN for a
        strategy that does not move against the benchmark.
    p_values : array of shape (n_strategies,)
        Adjusted: to call all strategies with a value of at most 0.05 better than the benchmark is wrong about any of
        them with a probability of 5 %. NaN where the statistic is.
    studentized : bool
        Whether means are measured in their standard errors.
    n_periods, n_resamples : int
        What was tested, and by how many resamples.
    block_length : float
        Mean length of their blocks, in periods.
    """

    names: tuple[Any, ...] = field(repr=False)
    statistics: Float1D = field(repr=False)
    p_values: Float1D = field(repr=False)
    studentized: bool
    n_periods: int
    n_resamples: int
    block_length: float

    @property
    def p_value(self) -> float:
        """The smallest of them: that of the best strategy."""
        known = self.p_values[~np.isnan(self.p_values)]
        return float(known.min()) if known.size else math.nan

    @property
    def best(self) -> Any:
        """Name of the strategy with the largest statistic."""
        return None if np.isnan(self.statistics).all() else self.names[int(np.nanargmax(self.statistics))]

    def superior(self, level: float = 0.05) -> list[Any]:
        """Return the names of the strategies that beat the benchmark, the best first.

        Raises
        ------
        InputError
            If `level` is not between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise InputError(f"level is {level!r}; use a probability such as 0.05")
        order = np.argsort(-self.statistics, kind="stable")
        return [self.names[k] for k in order if self.p_values[k] <= level]

    def __str__(self) -> str:
        order = np.argsort(-self.statistics, kind="stable")[:5]
        found = len(self.superior()) if not np.isnan(self.p_value) else 0
        lines = [
            f"Romano-Wolf: {found:,} of {len(self.names):,} strategies beat the benchmark at 5 % "
            f"({self.n_periods:,} periods, {self.n_resamples:,} resamples in blocks of {self.block_length:.3g})"
        ]
        what = "t" if self.studentized else "mean x root n"
        lines += [f"  {self.names[k]}: p = {self.p_values[k]:.4f}, {what} = {self.statistics[k]:.4g}" for k in order]
        return "\n".join(lines)


def romano_wolf(
    returns: Any,
    benchmark: Any = 0.0,
    *,
    studentized: bool = True,
    block_length: float | None = None,
    n_resamples: int = 1999,
    seed: Seed = 0,
    nan_policy: NanPolicy = "raise",
) -> RomanoWolfResult:
    """Return for each strategy a p-value that allows for all the others that were tried (Romano and Wolf [1]_ [2]_).

    The resamples keep how the strategies move together, so neighbours in a grid are not punished as independent tries
    would be. Strategies found better are taken out, and the rest is judged by what is left.

    Parameters
    ----------
    returns, benchmark, block_length, n_resamples, seed, nan_policy
        As in `reality_check`.
    studentized : bool
        Measure means in their standard errors, taken anew in each resample. Without, wild strategies hide calm ones.

    Returns
    -------
    RomanoWolfResult

    Raises
    ------
    InputError
        If returns are not a matrix of finite fractions, the benchmark does not fit, or an option is out of its range.

    References
    ----------
    .. [1] Romano, J. and Wolf, M. (2005). Stepwise multiple testing as formalized data snooping. Econometrica, 73(4).
    .. [2] Romano, J. and Wolf, M. (2016). Efficient computation of adjusted p-values for resampling-based stepdown
       multiple testing. Statistics and Probability Letters, 113, 38-40.

    Examples
    --------
    >>> returns = np.random.default_rng(1).normal(0.0, 0.01, (500, 20))
    >>> returns[:, [3, 7]] += 0.002
    >>> romano_wolf(returns).superior()
    [7, 3]
    """
    excess = excess_of(returns, benchmark, nan_policy)
    n_periods = len(excess.values)
    n_resamples, length = check_resampling(n_resamples, block_length, n_periods)
    statistics, p_values = np.full(len(excess.names), np.nan), np.full(len(excess.names), np.nan)
    if excess.is_known:
        found, drawn = _drawn(excess, stationary_blocks(n_periods, n_resamples, length, seed), studentized)
        statistics[excess.moving] = found
        p_values[excess.moving] = step_down(found, drawn)
    return RomanoWolfResult(
        names=excess.names,
        statistics=statistics,
        p_values=p_values,
        studentized=bool(studentized),
        n_periods=n_periods,
        n_resamples=n_resamples,
        block_length=length,
    )


def _drawn(excess: Excess, blocks: Any, studentized: bool) -> tuple[Float1D, Float2D]:
    """Return the statistic of each strategy, and those of each resample with the means taken off."""
    values, n = excess.values, len(excess.values)
    means = values.mean(axis=0)
    centred = values - means
    drawn = resampled_sums(centred, blocks) / math.sqrt(n)
    found: Float1D = math.sqrt(n) * means
    if not studentized:
        return found, drawn
    squares = centred * centred
    usual = squares.mean(axis=0)
    spread = usual + resampled_sums(squares - usual, blocks) / n - drawn * drawn / n
    np.sqrt(np.maximum(spread, 1e-4 * usual), out=spread)
    return found / np.sqrt(usual), drawn / spread


def step_down(statistics: Float1D, drawn: Float2D) -> Float1D:
    """Return adjusted p-values.

    Parameters
    ----------
    statistics : array of shape (n_strategies,)
        Found on the data.
    drawn : array of shape (n_resamples, n_strategies)
        Of resamples in which no strategy is better than the benchmark.

    Returns
    -------
    array of shape (n_strategies,)

    Examples
    --------
    >>> step_down(np.array([2.0, 1.0]), np.array([[0.5, 1.5], [0.0, 0.0], [-1.0, 0.2]])).tolist()
    [0.25, 0.5]
    """
    order = np.argsort(-statistics, kind="stable")
    p_values = np.empty(len(order))
    largest = np.full(len(drawn), -np.inf)
    raw = np.empty(len(order))
    for step in range(len(order) - 1, -1, -1):  # from the worst: each step adds one strategy to those that are left
        np.maximum(largest, drawn[:, order[step]], out=largest)
        raw[step] = (1.0 + np.count_nonzero(largest >= statistics[order[step]])) / (len(drawn) + 1.0)
    p_values[order] = np.maximum.accumulate(raw)
    return p_values
