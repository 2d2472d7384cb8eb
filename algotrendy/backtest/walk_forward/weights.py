"""Weights by an estimator of scikit-learn's kind (of skfolio, say), refitted window after window on past prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from algotrendy.backtest.walk_forward.windows import Window, cut_windows
from algotrendy.compute import Cancel, Executor, map_work, progress_for
from algotrendy.compute.progress import Show
from algotrendy.errors import InputError
from algotrendy.portfolio.optimise.window import PriceTable, WeightEstimator, check_estimator

__all__ = ["WeightEstimator", "walk_forward_weights"]


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
        Is copied for each window, and not changed. Windows are fitted apart: one whose constraints look at what is held
        goes into `rolling_weights`.
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
        gives no finite weight for each symbol, or asks what is held.

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
    table = PriceTable(prices)
    check_estimator(estimator)
    if getattr(estimator, "asks_for_holdings", False):
        raise InputError("windows are fitted apart and know no holdings; use rolling_weights, or leave held out")
    windows = cut_windows(len(prices), training=training, testing=testing, step=step, anchored=anchored, gap=gap)
    fit = _Fit(estimator, table)
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


@dataclass(frozen=True)
class _Fit:
    """Fits a copy of the estimator to one window."""

    estimator: WeightEstimator
    prices: PriceTable

    def __call__(self, window: Window) -> npt.NDArray[np.float64]:
        return self.prices.fitted(self.estimator, window.train_begin, window.train_end)
