"""Estimators of weights, and the windows of past prices that they are fitted to."""

from __future__ import annotations

import copy
from typing import Any, Protocol

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError

__all__ = ["PriceTable", "WeightEstimator", "check_estimator"]

_RETURNS_MIN = 2


class WeightEstimator(Protocol):
    """What can be fitted to returns and then has weights: `skfolio.optimization.MeanRisk()`, or a class of your own.

    `fit(X)` is given the simple returns of the training bars, one column per symbol, oldest first, and leaves one
    weight per column in `weights_`, as fractions of the equity. Anything that `copy.deepcopy` can copy will do.
    """

    weights_: Any

    def fit(self, X: pd.DataFrame) -> Any:
        """Learn from the returns of the training bars."""


def check_estimator(estimator: Any) -> None:
    """Refuse what has no `fit(X)`.

    Examples
    --------
    >>> from algotrendy.portfolio.optimise import WeightOptimiser
    >>> check_estimator(WeightOptimiser("min_variance"))
    """
    if not callable(getattr(estimator, "fit", None)):
        raise InputError(
            f"the estimator is a {type(estimator).__name__} without fit(X); give an object that has fit(X) and then "
            "weights_, such as WeightOptimiser() or skfolio.optimization.MeanRisk()"
        )


class PriceTable:
    """Closes of several symbols, checked once: NaN where there is none.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=3, tz="UTC")
    >>> PriceTable(pd.DataFrame({"A": [1.0, 2.0, 1.0], "B": [np.nan, 1.0, 1.0]}, index=days)).returns(0, 3)
                                 A
    2024-01-02 00:00:00+00:00  1.0
    2024-01-03 00:00:00+00:00 -0.5
    """

    def __init__(self, prices: Any) -> None:
        self.values = _checked(prices)
        self.index = pd.DatetimeIndex(prices.index)
        self.symbols = list(prices.columns)

    def returns(self, begin: int, end: int) -> pd.DataFrame:
        """Return the simple returns of bars `begin` to `end` (exclusive) of the symbols with all prices there.

        Raises
        ------
        InputError
            If no symbol has a price on all of these bars, or there are fewer than three.
        """
        rows = self.values[begin:end]
        known = ~np.isnan(rows).any(axis=0)
        if not known.any() or len(rows) <= _RETURNS_MIN:
            raise InputError(
                f"no symbol has a price on all of the {len(rows)} training bars from {self.span(begin, end)}, or there "
                "are too few; begin later, or make training another length"
            )
        columns = pd.Index([self.symbols[k] for k in np.flatnonzero(known)])
        return pd.DataFrame(
            rows[1:, known] / rows[:-1, known] - 1.0, index=self.index[begin + 1 : end], columns=columns
        )

    def fitted(self, estimator: WeightEstimator, begin: int, end: int, **options: Any) -> Float1D:
        """Return the weights of all symbols by a copy of the estimator, 0 for those without all prices.

        Raises
        ------
        InputError
            If the estimator gives no finite weight for each symbol; as `returns`.
        """
        returns = self.returns(begin, end)
        fresh = copy.deepcopy(estimator)
        fresh.fit(returns, **options)
        given = np.asarray(getattr(fresh, "weights_", np.nan), dtype=np.float64)
        if given.shape != (returns.shape[1],) or not np.isfinite(given).all():
            raise InputError(
                f"{type(fresh).__name__} left weights_ of shape {given.shape} after the window from "
                f"{self.span(begin, end)}; expected one finite weight for each of the {returns.shape[1]} symbols"
            )
        weights = np.zeros(len(self.symbols))
        weights[[self.symbols.index(name) for name in returns.columns]] = given
        return weights

    def span(self, begin: int, end: int) -> str:
        """Return the first and the last time of some bars, for a message."""
        return f"{self.index[begin]} to {self.index[min(end, len(self.index)) - 1]}"


def _checked(prices: Any) -> Float2D:
    """Return the prices as numbers, NaN where there is none."""
    if not isinstance(prices, pd.DataFrame) or not isinstance(prices.index, pd.DatetimeIndex):
        raise InputError(
            f"prices is a {type(prices).__name__}; give a DataFrame of closes, one column per symbol, indexed by time: "
            'pd.DataFrame({"A": bars_a["close"], "B": bars_b["close"]})'
        )
    if not prices.index.is_monotonic_increasing or not prices.index.is_unique:
        raise InputError("prices must be in ascending order of time, each time once; sort them with sort_index()")
    if not prices.columns.is_unique or not len(prices.columns):
        raise InputError("prices must have one column per symbol, each symbol once")
    table = prices.to_numpy(dtype=np.float64)
    wrong = np.argwhere(~(np.isnan(table) | ((table > 0.0) & np.isfinite(table))))
    if len(wrong):
        row, column = wrong[0]
        raise InputError(
            f"the price of {prices.columns[column]!r} at {prices.index[row]} is {table[row, column]:g}; prices are "
            "above zero, NaN where there is none"
        )
    return table
