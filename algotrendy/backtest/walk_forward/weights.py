"""Weights by an estimator of scikit-learn's kind (of skfolio, say), refitted window after window on past prices."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from algotrendy.backtest.walk_forward.windows import Window, cut_windows
from algotrendy.compute import Cancel, Executor, map_work, progress_for
from algotrendy.compute.progress import Show
from algotrendy.errors import InputError

__all__ = ["WeightEstimator", "walk_forward_weights"]

_RETURNS_MIN = 2


class WeightEstimator(Protocol):
    """What can be fitted to returns and then has weights: `skfolio.optimization.MeanRisk()`, or a class of your own.

    `fit(X)` is given the simple returns of the training bars, one column per symbol, oldest first, and leaves one
    weight per column in `weights_`, as fractions of the equity. Anything that `copy.deepcopy` can copy will do.
    """

    weights_: Any

    def fit(self, X: pd.DataFrame) -> Any:
        """Learn from the returns of the training bars."""


def walk_forward_weights(
    estimator: WeightEstimator,
    prices: pd.DataFrame,
    *,
    training: int = 252,
    testing: int = 21,
    step: int | None = None,
    anchored: bool = False,
    gap: int = 0,
    executor: Executor | str | None = None,
    workers: int | None = None,
    progress: Show = None,
    cancel: Cancel | None = None,
) -> pd.DataFrame:
    """Refit an estimator on each training window, and return the weights that it gives for the testing window.

    The rows are decisions: a row stands at the last bar before its testing window, when all that it was fitted to is
    known, so `backtest(bars, weights=...)` fills it on the first testing bar. With `gap` (the purge of a purged fold)
    so many bars before that are left out of the training.

    Parameters
    ----------
    estimator : WeightEstimator
        Is copied for each window, and not changed.
    prices : DataFrame of shape (n_bars, n_symbols)
        Closes, adjusted for splits and dividends; indexed by time, oldest first. A symbol that lacks a price on any bar
        of a training window is not given to the estimator there, and its weight is 0.
    training, testing, step, anchored, gap
        As in `walk_forward`: bars.
    executor, workers, progress, cancel
        As in `walk_forward`; threads by default.

    Returns
    -------
    DataFrame of shape (n_windows, n_symbols)
        Weights as fractions of the equity, by the time of the decision. After Ctrl-C: those of the finished windows, up
        to the first that is not.

    Raises
    ------
    InputError
        If prices are not sound, not one window fits, a training window has no symbol with all prices, or the estimator
        gives no finite weight for each symbol.

    Examples
    --------
    >>> class InverseVolatility:
    ...     def fit(self, X):
    ...         inverse = 1 / X.std()
    ...         self.weights_ = (inverse / inverse.sum()).to_numpy()
    >>> import algotrendy as at
    >>> prices = pd.DataFrame({name: at.synthetic(n=100, seed=k)["close"] for k, name in enumerate("AB")})
    >>> weights = walk_forward_weights(InverseVolatility(), prices, training=60, testing=20)
    >>> weights.shape, weights.index[0] == prices.index[59], weights.sum(axis=1).round(6).tolist()
    ((2, 2), True, [1.0, 1.0])
    """
    table = _checked(prices)
    if not callable(getattr(estimator, "fit", None)):
        raise InputError(
            f"the estimator is a {type(estimator).__name__} without fit(X); give an object that has fit(X) and then "
            "weights_, such as skfolio.optimization.MeanRisk()"
        )
    windows = cut_windows(len(prices), training=training, testing=testing, step=step, anchored=anchored, gap=gap)
    fit = _Fit(estimator, pd.DatetimeIndex(prices.index), tuple(prices.columns), table)
    place = Executor.of(executor, workers=workers)
    with progress_for("weights", len(windows), show=progress) as bar:
        mapped = map_work(fit, windows, where=place, progress=bar, cancel=cancel)
    done = []
    for result in mapped.results:
        if result is None:
            break
        done.append(result)
    at = prices.index[[window.test_begin - 1 for window in windows[: len(done)]]]
    return pd.DataFrame(np.array(done).reshape(len(done), prices.shape[1]), index=at, columns=prices.columns)


def _checked(prices: Any) -> npt.NDArray[np.float64]:
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


@dataclass(frozen=True)
class _Fit:
    """Fits a copy of the estimator to one window."""

    estimator: WeightEstimator
    index: pd.DatetimeIndex
    symbols: tuple[Any, ...]
    prices: npt.NDArray[np.float64]

    def __call__(self, window: Window) -> npt.NDArray[np.float64]:
        rows = self.prices[window.train_begin : window.train_end]
        known = ~np.isnan(rows).any(axis=0)
        span = f"{self.index[window.train_begin]} to {self.index[window.train_end - 1]}"
        if not known.any() or len(rows) <= _RETURNS_MIN:
            raise InputError(
                f"no symbol has a price on all of the {len(rows)} training bars from {span}, or there are too few; "
                "begin later, or make training another length"
            )
        chosen = [self.symbols[k] for k in np.flatnonzero(known)]
        returns = pd.DataFrame(
            rows[1:, known] / rows[:-1, known] - 1.0,
            index=self.index[window.train_begin + 1 : window.train_end],
            columns=chosen,
        )
        estimator = copy.deepcopy(self.estimator)
        estimator.fit(returns)
        given = np.asarray(getattr(estimator, "weights_", np.nan), dtype=np.float64)
        if given.shape != (len(chosen),) or not np.isfinite(given).all():
            raise InputError(
                f"{type(estimator).__name__} left weights_ of shape {given.shape} after the window from {span}; "
                f"expected one finite weight for each of the {len(chosen)} symbols"
            )
        weights = np.zeros(len(self.symbols))
        weights[known] = given
        return weights
