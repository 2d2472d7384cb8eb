"""The overfitting statistics against independent programs: RiskLabAI's CSCV, arch's SPA, reality check and StepM."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import SPA, RealityCheck, StepM

from algotrendy.backtest.overfitting import probability_of_backtest_overfitting, romano_wolf, superiority
from algotrendy.backtest.overfitting.resampling import Blocks
from algotrendy.backtest.overfitting.superiority import long_run_deviation, reality_check, spa_test


def waves(n: int, k: int, drift: float) -> Any:
    t, j = np.arange(n)[:, None], np.arange(k)[None]
    return 0.01 * np.sin(1.7 * t + j * j) + 0.004 * np.cos(0.37 * t * (j + 1)) + drift * j


@pytest.mark.parametrize(
    ("shape", "n_splits", "drift", "expected"),
    [
        ((120, 7), 6, 0.0003, (0.05, 1.382600818389586, 0.516588258397301)),
        ((160, 12), 8, 0.0003, (0.0, 2.181654052348683, 0.4363960857479871)),
        ((240, 20), 10, 0.0003, (0.0, 2.9957322735539895, 0.0)),
        ((120, 7), 6, 0.0, (0.8, -1.074098634037229, 1.33141976301125)),
        ((160, 12), 8, 0.0, (0.9285714285714286, -1.9203637649633878, 0.8550828546493638)),
    ],
)
def test_cscv_gives_what_risklabai_gives(shape: Any, n_splits: int, drift: float, expected: Any) -> None:
    """Probability, mean and deviation of the logits by `RiskLabAI` 2.0.1, probability_of_backtest_overfitting."""
    found = probability_of_backtest_overfitting(waves(*shape, drift), n_splits=n_splits)
    assert (found.probability, found.logits.mean(), found.logits.std()) == pytest.approx(expected, abs=1e-9)


def excess(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    common = rng.standard_t(4, (300, 1))
    returns = 0.01 * (0.6 * common + 0.8 * rng.standard_normal((300, 12)) * np.linspace(0.5, 2.0, 12))
    return returns + np.linspace(-0.003, 0.0012, 12)


def same_resamples(test: Any, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Make our tests draw the very resamples that a test of arch drew: each period is a block of its own."""
    rows = [test.bootstrap.update_indices() for _ in range(count)]
    blocks = Blocks(np.array(rows, dtype=np.int32), np.ones((count, 300), dtype=np.int32))
    monkeypatch.setattr(superiority, "stationary_blocks", lambda *_: blocks)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_spa_gives_what_arch_gives_on_the_same_resamples(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """arch leaves the means undivided whatever its `studentize` says, so it is given divided ones."""
    values = excess(seed)
    scaled = values / long_run_deviation(values, 10)
    theirs = SPA(np.zeros(300), -scaled, block_size=10, reps=499, seed=seed)
    theirs.compute()
    again = SPA(np.zeros(300), -scaled, block_size=10, reps=499, seed=seed)
    same_resamples(again, monkeypatch, 499)
    ours = spa_test(values, block_length=10, n_resamples=499)
    found = [ours.p_lower, ours.p_consistent, ours.p_upper]  # (1 + count) / (1 + n) here, count / n there
    assert found == pytest.approx((1 + 499 * theirs.pvalues.to_numpy()) / 500, abs=1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_reality_check_gives_what_arch_gives_on_the_same_resamples(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = excess(seed)
    theirs = RealityCheck(np.zeros(300), -values, block_size=10, reps=499, seed=seed)
    theirs.compute()
    again = RealityCheck(np.zeros(300), -values, block_size=10, reps=499, seed=seed)
    same_resamples(again, monkeypatch, 499)
    ours = reality_check(values, block_length=10, n_resamples=499)
    assert ours.p_value == pytest.approx((1 + 499 * theirs.pvalues["upper"]) / 500, abs=1e-9)


def test_the_long_run_deviation_is_that_of_arch() -> None:
    values = excess(4)
    theirs = SPA(np.zeros(300), -values, block_size=10, reps=99, seed=0)
    theirs._compute_variance()
    assert long_run_deviation(values, 10) == pytest.approx(np.sqrt(theirs._loss_diff_var), rel=1e-9)


def test_the_step_down_finds_the_strategies_that_arch_finds() -> None:
    values = pd.DataFrame(excess(5), columns=[f"s{k}" for k in range(12)])
    values[["s2", "s9", "s11"]] += 0.006
    theirs = StepM(np.zeros(300), -values / values.std(), size=0.05, block_size=10, reps=999, seed=5)
    theirs.compute()
    assert sorted(romano_wolf(values, block_length=10).superior()) == sorted(theirs.superior_models)


def test_independent_strategies_are_adjusted_as_sidak_does() -> None:
    """1 - (1 - p) ** n, exact for independent normal scores."""
    from scipy.special import ndtr

    returns = 0.01 * np.random.default_rng(6).standard_normal((4000, 30))
    found = romano_wolf(returns, block_length=1, n_resamples=4999)
    best = np.nanmax(found.statistics)
    assert found.p_value == pytest.approx(1 - ndtr(best) ** 30, abs=0.03)
