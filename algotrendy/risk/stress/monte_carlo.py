"""Simulated days of a book under stressed volatilities, correlations and tails."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.risk.distributions import empirical_tail
from algotrendy.risk.stress.book import StressBook

__all__ = ["MonteCarloStress", "monte_carlo_stress", "root_of"]


@dataclass(frozen=True, kw_only=True)
class MonteCarloStress:
    """The losses of simulated days.

    Attributes
    ----------
    losses : ndarray of shape (n,)
        As fractions of equity, sorted, the largest last; negative is a gain.
    confidence_level : float
        Of the two figures that follow.
    value_at_risk, expected_shortfall : float
        The linear quantile of the losses, and the mean of the worst n x (1 - confidence_level) of them, the last in
        part (Rockafellar and Uryasev), as everywhere in the house.
    contributions : mapping of str to float or None
        What each position adds to the expected shortfall; they add up to it. None of a book that is repriced.
    """

    losses: Float1D
    confidence_level: float
    value_at_risk: float
    expected_shortfall: float
    contributions: Mapping[str, float] | None

    def probability(self, loss: float) -> float:
        """Return the share of days that lose at least so much, as a fraction of equity."""
        return float(np.mean(self.losses >= loss))


def monte_carlo_stress(
    book: StressBook,
    n: int = 100_000,
    *,
    seed: int = 0,
    confidence_level: float = 0.95,
    horizon_days: float = 1.0,
    volatility_multiplier: float = 1.0,
    correlation_strength: float = 0.0,
    degrees_of_freedom: float | None = None,
) -> MonteCarloStress:
    """Simulate what a book might lose.

    The returns have a mean of zero and the covariance of the book, its volatilities multiplied and its correlations
    moved towards one. With degrees of freedom they are of the multivariate Student distribution with that covariance:
    bad days come together and reach further.

    Parameters
    ----------
    book : StressBook
        With a covariance; one with `reprice` is repriced on every simulated day.
    n : int
        How many days; at least 100.
    seed : int
        The same seed gives the same days.
    confidence_level : float
        In (0.5, 1).
    horizon_days : float
        > 0; the volatility grows with its root.
    volatility_multiplier : float
        >= 0; 2.0 doubles the volatilities.
    correlation_strength : float
        The share of the way to correlations of one, 0 to 1.
    degrees_of_freedom : float, optional
        More than 2; small ones have fat tails. None: normal.

    Returns
    -------
    MonteCarloStress
        The losses and their figures.

    Raises
    ------
    InputError
        If an argument is out of its range, or the book has no covariance.

    Examples
    --------
    >>> import pandas as pd
    >>> covariance = pd.DataFrame([[4e-4]], index=["A"], columns=["A"])
    >>> book = StressBook(values={"A": 100.0}, equity=100.0, covariance=covariance)
    >>> round(monte_carlo_stress(book, 200_000, seed=1).value_at_risk, 3)  # 1.645 times 0.02
    0.033
    """
    if n < 100:
        raise InputError(f"n is {n}; expected at least 100 days to say anything of a tail")
    if not 0.5 < confidence_level < 1.0:
        raise InputError(f"confidence_level is {confidence_level}; expected a fraction in (0.5, 1), such as 0.95")
    if degrees_of_freedom is not None and not degrees_of_freedom > 2:
        raise InputError(f"degrees_of_freedom is {degrees_of_freedom}; a variance needs more than 2")
    if not 0 <= correlation_strength <= 1 or volatility_multiplier < 0 or not horizon_days > 0:
        raise InputError(
            f"correlation_strength={correlation_strength}, volatility_multiplier={volatility_multiplier},"
            f" horizon_days={horizon_days}; expected 0 to 1, at least 0, and more than 0"
        )
    spread = np.sqrt(np.diag(book.matrix))
    matrix = (1.0 - correlation_strength) * book.matrix + correlation_strength * np.outer(spread, spread)
    root = root_of(matrix) * (volatility_multiplier * math.sqrt(horizon_days))
    rng = np.random.default_rng(seed)
    returns = rng.standard_normal((n, root.shape[1])) @ root.T
    if degrees_of_freedom is not None:
        mixing = rng.chisquare(degrees_of_freedom, n) / (degrees_of_freedom - 2.0)
        returns /= np.sqrt(mixing)[:, None]
    return _result(book, np.maximum(returns, -1.0), confidence_level)


def _result(book: StressBook, returns: Float2D, confidence_level: float) -> MonteCarloStress:
    if book.reprice is None:
        losses = -(returns @ book.exposures) / book.equity
    else:
        losses = np.array([-book.profit(one) for one in returns]) / book.equity
    tail = empirical_tail(-losses, 1.0 - confidence_level)
    contributions: dict[str, Any] | None = None
    if book.reprice is None:
        order = np.argsort(-losses, kind="stable")
        mass = len(losses) * (1.0 - confidence_level)
        weights = np.clip(mass - np.arange(len(losses)), 0.0, 1.0) / mass  # the last of the tail counts in part
        shares = -(weights @ returns[order]) * book.exposures / book.equity
        contributions = dict(zip(book.symbols, shares.tolist(), strict=True))
    return MonteCarloStress(
        losses=np.sort(losses),
        confidence_level=confidence_level,
        value_at_risk=tail.value_at_risk,
        expected_shortfall=tail.expected_shortfall,
        contributions=contributions,
    )


def root_of(matrix: Float2D) -> Float2D:
    """Return a root R of a covariance, R R' = matrix, without the directions in which nothing moves.

    Examples
    --------
    >>> root_of(np.array([[4.0, 0.0], [0.0, 0.0]])).shape
    (2, 1)
    """
    values, vectors = np.linalg.eigh(matrix)
    kept = values > 1e-12 * max(float(values[-1]), 0.0)
    found: Float2D = vectors[:, kept] * np.sqrt(values[kept])
    return found
