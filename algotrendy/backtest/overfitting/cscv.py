"""The probability of backtest overfitting: does the best of one half of the history stay good in the other?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.domain.types import Float1D, Int1D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.inputs import as_return_matrix, names_of

__all__ = ["PboResult", "probability_of_backtest_overfitting"]

_PERIODS_OF_A_BLOCK = 2
_SPLITS = (2, 20)


@dataclass(frozen=True, kw_only=True, eq=False)
class PboResult:
    """What combinatorially symmetric cross-validation found.

    Attributes
    ----------
    probability : float
        Share of the splits in which the strategy that was best in one half came out in the lower half of all strategies
        in the other: 0.5 is what choosing by lot gives; NaN if the returns hold one.
    logits : array of shape (n_combinations,)
        Of the relative rank in the other half: log(rank / (n_strategies + 1 - rank)); not above zero counts as overfit.
    in_sample, out_of_sample : array of shape (n_combinations,)
        Sharpe ratio per period of the chosen strategy, in the half that chose it and in the other.
    slope, intercept : float
        Of the line from the first to the second: a slope below zero says that the better it looks, the worse it gets.
    probability_of_loss : float
        Share of the splits in which the chosen strategy loses money in the other half.
    chosen : array of shape (n_combinations,)
        Place of the chosen strategy in `names`.
    n_splits, n_strategies, n_periods : int
        Blocks of the history, strategies, and periods.
    names : tuple
        Names of the strategies.

    Examples
    --------
    >>> returns = np.random.default_rng(1).normal(0.0, 0.01, (500, 20))
    >>> print(probability_of_backtest_overfitting(returns, n_splits=8))
    Probability of backtest overfitting: 5.7 % (70 splits of 8 blocks, 20 strategies, 500 periods)
      chosen strategy's Sharpe ratio per period, half that chose it / other half: 0.112 / 0.033
      it loses money in the other half in 10.0 % of the splits; slope -0.27
    """

    probability: float
    logits: Float1D = field(repr=False)
    in_sample: Float1D = field(repr=False)
    out_of_sample: Float1D = field(repr=False)
    slope: float
    intercept: float
    probability_of_loss: float
    chosen: Int1D = field(repr=False)
    n_splits: int
    n_strategies: int
    n_periods: int
    names: tuple[Any, ...] = field(repr=False)

    def __str__(self) -> str:
        within, without = float(np.mean(self.in_sample)), float(np.mean(self.out_of_sample))
        return (
            f"Probability of backtest overfitting: {100 * self.probability:.1f} % "
            f"({len(self.logits):,} splits of {self.n_splits} blocks, {self.n_strategies:,} strategies, "
            f"{self.n_periods:,} periods)\n"
            f"  chosen strategy's Sharpe ratio per period, half that chose it / other half: "
            f"{within:.3f} / {without:.3f}\n"
            f"  it loses money in the other half in {100 * self.probability_of_loss:.1f} % of the splits; "
            f"slope {self.slope:.2f}"
        )


def probability_of_backtest_overfitting(
    returns: Any, *, n_splits: int = 16, nan_policy: NanPolicy = "raise"
) -> PboResult:
    """Return how often the best strategy of one half of the history is a poor one in the other half.

    The history is cut into `n_splits` blocks; every choice of half of them picks the strategy with the highest Sharpe
    ratio, whose rank in the other half is then looked up (CSCV [1]_). It needs no benchmark and no null hypothesis. It
    judges the choice, not the strategy: with strategies that are all equally good it is near one half.

    Parameters
    ----------
    returns : array-like of shape (n_periods, n_strategies), n_strategies >= 2
        Simple returns per period, as fractions, one column per strategy that was tried.
    n_splits : int
        Blocks, even, from 2 to 20: 16 gives 12,870 splits.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave out the periods in which any strategy has one, or return NaN.

    Returns
    -------
    PboResult
        Ratios in which a strategy does not move are zero; equal strategies share the mean of their ranks.

    Raises
    ------
    InputError
        If returns are not a matrix of finite fractions, there are fewer than two strategies or two periods per block,
        or `n_splits` is not allowed.

    References
    ----------
    .. [1] Bailey, D., Borwein, J., López de Prado, M. and Zhu, Q. (2017). The probability of backtest overfitting.
       Journal of Computational Finance, 20(4), 39-69.

    Examples
    --------
    One strategy is truly better than nineteen others:

    >>> returns = np.random.default_rng(1).normal(0.0, 0.01, (1000, 20))
    >>> returns[:, 7] += 0.002
    >>> probability_of_backtest_overfitting(returns, n_splits=8).probability
    0.0
    """
    low, high = _SPLITS
    whole = isinstance(n_splits, (int, np.integer)) and not isinstance(n_splits, bool)
    if not whole or n_splits % 2 or not low <= n_splits <= high:
        raise InputError(f"n_splits is {n_splits!r}; use an even number from {low} to {high}, such as 16")
    values = as_return_matrix(returns, nan_policy, min_periods=_PERIODS_OF_A_BLOCK * n_splits, min_strategies=2)
    names = names_of(returns, values.shape[1])
    if np.isnan(values).any():
        return _unknown(values.shape, int(n_splits), names)
    chosen, found = _splits(values, int(n_splits))
    within, without, rank = found[:, 0], found[:, 1], found[:, 2]
    logits = np.log(rank / (values.shape[1] + 1.0 - rank))
    slope, intercept = _line(within, without)
    return PboResult(
        probability=float(np.mean(logits <= 0.0)),
        logits=logits,
        in_sample=within,
        out_of_sample=without,
        slope=slope,
        intercept=intercept,
        probability_of_loss=float(np.mean(without < 0.0)),
        chosen=chosen,
        n_splits=int(n_splits),
        n_strategies=values.shape[1],
        n_periods=len(values),
        names=names,
    )


def _splits(values: NDArray[np.float64], n_splits: int) -> tuple[Int1D, NDArray[np.float64]]:
    from algotrendy.kernels.cross_validation import symmetric_splits

    centre = values.mean(axis=0)  # squares about it keep their digits; the means are put back below
    pieces = np.array_split(values - centre, n_splits)
    counts = np.array([len(piece) for piece in pieces], dtype=np.float64)
    sums = np.array([piece.sum(axis=0) for piece in pieces])
    squares = np.array([(piece * piece).sum(axis=0) for piece in pieces])
    squares += centre * (2.0 * sums + counts[:, None] * centre)
    sums += counts[:, None] * centre
    halves = _halves(n_splits)
    chosen, found = np.empty(len(halves), dtype=np.int64), np.empty((len(halves), 3))
    symmetric_splits(np.stack([sums, squares]), counts, halves, chosen, found)
    return chosen, found


@lru_cache(maxsize=4)
def _halves(n_splits: int) -> Int1D:
    halves = np.array(list(combinations(range(n_splits), n_splits // 2)), dtype=np.int64)
    halves.flags.writeable = False
    return halves


def _line(x: Float1D, y: Float1D) -> tuple[float, float]:
    """Return slope and intercept of the least-squares line; NaN where x does not vary."""
    across = x - x.mean()
    spread = float(across @ across)
    if not spread > 0.0:
        return math.nan, math.nan
    slope = float(across @ y) / spread
    return slope, float(y.mean() - slope * x.mean())


def _unknown(shape: tuple[int, ...], n_splits: int, names: tuple[Any, ...]) -> PboResult:
    none, nan = np.empty(0), math.nan
    return PboResult(
        probability=nan, logits=none, in_sample=none, out_of_sample=none, slope=nan, intercept=nan,
        probability_of_loss=nan, chosen=np.empty(0, np.int64), n_splits=n_splits, n_strategies=shape[1],
        n_periods=shape[0], names=names,
    )  # fmt: skip
