"""Windows, weights and Pareto fronts against independent libraries: scikit-learn, skfolio and Optuna."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.sweep.pareto import front
from algotrendy.backtest.walk_forward import cut_windows, walk_forward_weights


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize(("training", "testing", "gap", "n_windows"), [(60, 20, 0, 5), (50, 7, 3, 9), (252, 21, 5, 4)])
def test_windows_are_those_of_scikit_learn(
    training: int, testing: int, gap: int, n_windows: int, anchored: bool
) -> None:
    selection = pytest.importorskip("sklearn.model_selection", reason="extra: scikit-learn is not installed")
    n_bars = training + gap + testing * n_windows
    splitter = selection.TimeSeriesSplit(
        n_splits=n_windows, max_train_size=None if anchored else training, test_size=testing, gap=gap
    )
    expected = [
        (train[0], train[-1] + 1, test[0], test[-1] + 1) for train, test in splitter.split(np.zeros((n_bars, 1)))
    ]
    windows = cut_windows(n_bars, training=training, testing=testing, gap=gap, anchored=anchored)
    assert [(w.train_begin, w.train_end, w.test_begin, w.test_end) for w in windows] == expected


@pytest.mark.parametrize("purged", [0, 4])
def test_weights_are_those_of_skfolios_own_walk(purged: int) -> None:
    optimization = pytest.importorskip("skfolio.optimization", reason="extra: skfolio is not installed")
    from skfolio.model_selection import WalkForward, cross_val_predict

    prices = pd.DataFrame({name: at.synthetic(n=200, seed=k)["close"] for k, name in enumerate("ABC")})
    returns = prices.pct_change().iloc[1:]
    walk = WalkForward(test_size=20, train_size=60, purged_size=purged)
    predicted = cross_val_predict(optimization.MeanRisk(), returns, cv=walk)
    expected = np.array([portfolio.weights for portfolio in predicted.portfolios])
    # Sixty returns are between sixty-one prices.
    weights = walk_forward_weights(optimization.MeanRisk(), prices, training=61, testing=20, gap=purged)
    assert weights.index.tolist() == [
        prices.index[prices.index.get_loc(p.X.index[0]) - 1] for p in predicted.portfolios
    ]
    np.testing.assert_allclose(weights, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("n_metrics", [1, 2, 3])
def test_the_front_is_that_of_optuna(n_metrics: int) -> None:
    optuna = pytest.importorskip("optuna", reason="extra: optuna is not installed")
    points = np.random.default_rng(n_metrics).integers(0, 12, (120, n_metrics)).astype(float)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["maximize"] * n_metrics)
    study.add_trials([optuna.trial.create_trial(values=list(point)) for point in points])
    assert np.flatnonzero(front(points)).tolist() == sorted(trial.number for trial in study.best_trials)
