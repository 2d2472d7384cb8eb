"""How many independent trials some correlated ones are worth."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from algotrendy.domain.types import Float2D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.inputs import as_return_matrix

__all__ = ["effective_trials"]

_STILL = 1e-12
"""A standard deviation up to here is the noise of arithmetic: the strategy did not move."""

_DRAWS = 2_000
"""Each is used with both signs. They put the number within about 10 % of what infinitely many would give."""

_SAMPLE_MIN = 8
"""Fewer columns say nothing about how the number grows."""

_KEPT_MAX = 128
"""Of up to so many columns the draws are kept for the next call: a ledger asks with 64 each time."""

_JITTER = 1e-9
"""Added to the diagonal: equal columns make a correlation matrix singular."""


def effective_trials(
    returns: Any, *, n_trials: int | None = None, level: float = 0.05, seed: int = 0, nan_policy: NanPolicy = "raise"
) -> float:
    """Return how many independent trials are as good a chance of luck as these correlated ones.

    Neighbours in a grid hardly differ, so a thousand of them are not a thousand tries. The number is the one for which
    the best of so many independent normal scores goes beyond the same limit with the probability `level` as the best of
    scores that are correlated as the returns are; that limit is found by drawing such scores. Formulas on the
    eigenvalues [1]_ miss it by factors of three to ten in one family or another; the page on overfitting compares them.

    Parameters
    ----------
    returns : array-like of shape (n_periods, n_strategies)
        Simple returns per period, as fractions, one column per trial. Columns that do not move count for nothing.
    n_trials : int, optional
        How many trials there were, where the columns are a random sample of them. The number is then carried on to all
        of them as it grew from halves of the sample to the whole; never beyond `n_trials`.
    level : float
        Probability of luck at which the two are made equal, in (0, 0.5).
    seed : int
        Of the draws; equal seeds give equal numbers.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float
        Between 1 and the number of trials.

    Raises
    ------
    InputError
        If returns are not a matrix of finite fractions, or an option is out of its range.

    References
    ----------
    .. [1] Nyholt, D. (2004). A simple correction for multiple testing. American Journal of Human Genetics, 74(4),
       765-769: the idea of an effective number, and a formula for it that the page on overfitting measures.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> apart = rng.normal(0.0, 0.01, (1000, 4))
    >>> effective_trials(apart) > 3.5
    True
    >>> effective_trials(np.column_stack([apart[:, 0]] * 10))
    1.0
    """
    values = as_return_matrix(returns, nan_policy)
    n_given = values.shape[1]
    n_all = n_given if n_trials is None else n_trials
    if isinstance(n_all, bool) or not isinstance(n_all, (int, np.integer)) or n_all < n_given:
        raise InputError(f"n_trials is {n_trials!r}; it counts all trials, and there are {n_given} columns of them")
    if not 0.0 < level < 0.5:
        raise InputError(f"level is {level!r}; use a probability such as 0.05")
    if np.isnan(values).any():
        return math.nan
    correlation = _correlation(values)
    if len(correlation) <= 1:
        return 1.0
    scores = _scores(correlation, seed)
    found = _equivalent(scores, level)
    if n_all > n_given and len(scores) >= _SAMPLE_MIN:
        halves = [_equivalent(scores[part::2], level) for part in (0, 1)]
        growth = math.log(found / (sum(halves) / 2.0)) / math.log(2.0)
        found *= (n_all / n_given) ** min(max(growth, 0.0), 1.0)
    return min(max(found, 1.0), float(n_all))


def _correlation(values: Float2D) -> Float2D:
    """Return the correlation of the columns that move."""
    centred = values - values.mean(axis=0)
    products: Float2D = centred.T @ centred
    spread = np.sqrt(np.diag(products))
    moves = spread > _STILL * math.sqrt(len(values))
    if not moves.all():
        products, spread = products[np.ix_(moves, moves)], spread[moves]
    products /= spread
    products /= spread[:, None]
    return products


def _scores(correlation: Float2D, seed: int) -> Float2D:
    """Return normal scores with this correlation, shape (n_strategies, _DRAWS); each counts with both signs."""
    root = np.linalg.cholesky(correlation + _JITTER * np.eye(len(correlation)))
    drawn: Float2D = root @ (_kept_normals if len(root) <= _KEPT_MAX else _normals)(len(root), seed)
    return drawn


def _normals(n: int, seed: int) -> Float2D:
    return np.random.default_rng(seed).standard_normal((n, _DRAWS))


_kept_normals = lru_cache(maxsize=2)(_normals)


def _equivalent(scores: Float2D, level: float) -> float:
    """Return the number of independent scores of which the best is as often above the limit that these go beyond."""
    from scipy.special import log_ndtr

    best = np.concatenate([scores.max(axis=0), -scores.min(axis=0)])
    limit = float(np.quantile(best, 1.0 - level))
    return min(max(math.log1p(-level) / float(log_ndtr(limit)), 1.0), float(len(scores)))
