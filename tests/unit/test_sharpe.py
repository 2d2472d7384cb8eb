"""Sharpe ratios: their definition, their error against what repeating the experiment gives, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from algotrendy.errors import InputError
from algotrendy.risk import (
    deflated_sharpe_ratio,
    effective_trials,
    expected_maximum_sharpe,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
    sharpe_estimate,
    sharpe_ratio,
)

RETURNS = np.random.default_rng(3).standard_t(5, 600) * 0.01 + 0.0005


def test_the_ratio_is_that_of_the_conventions() -> None:
    hurdle = 1.03 ** (1 / 252) - 1
    expected = (RETURNS - hurdle).mean() / RETURNS.std(ddof=1) * math.sqrt(252)
    assert sharpe_ratio(RETURNS, risk_free_rate=0.03, periods_per_year=252) == pytest.approx(expected, rel=1e-12)


def test_moments_are_those_of_scipy() -> None:
    found = sharpe_estimate(RETURNS)
    assert found.skewness == pytest.approx(stats.skew(RETURNS), rel=1e-12)
    assert found.kurtosis == pytest.approx(stats.kurtosis(RETURNS, fisher=False), rel=1e-12)
    assert found.autocorrelation == pytest.approx(np.corrcoef(RETURNS[1:], RETURNS[:-1])[0, 1], abs=5e-3)


def test_annualising_scales_ratio_and_error_alike_and_moves_no_probability() -> None:
    one, other = sharpe_estimate(RETURNS), sharpe_estimate(RETURNS, periods_per_year=252)
    assert other.annual == pytest.approx(one.annual * math.sqrt(252), rel=1e-12)
    assert other.standard_error == pytest.approx(one.standard_error * math.sqrt(252), rel=1e-12)
    assert other.probability_above(0.5) == pytest.approx(one.probability_above(0.5 / math.sqrt(252)), rel=1e-12)


def skewed(rng: np.random.Generator, shape: tuple[int, int]) -> Any:
    return 0.05 * (0.3 + (rng.gamma(2.0, 1.0, shape) - 2.0) / math.sqrt(2.0))


def persistent(rng: np.random.Generator, shape: tuple[int, int]) -> Any:
    drawn = rng.standard_normal((shape[0], shape[1] + 50))
    for i in range(1, drawn.shape[1]):
        drawn[:, i] += 0.4 * drawn[:, i - 1]
    return 0.05 * (0.1 + drawn[:, 50:])


@pytest.mark.parametrize(("draw", "lags"), [(skewed, 0), (persistent, 12)])
def test_the_error_is_the_spread_of_repeated_estimates(draw: Callable[..., Any], lags: int) -> None:
    sample = draw(np.random.default_rng(1), (600, 500))
    estimates = [sharpe_estimate(row, lags=lags) for row in sample]
    spread = np.std([each.sharpe_ratio for each in estimates], ddof=1)
    assert np.mean([each.standard_error for each in estimates]) == pytest.approx(spread, rel=0.12)


def test_autocorrelation_is_not_in_the_plain_error_but_is_stated() -> None:
    row = persistent(np.random.default_rng(1), (1, 4000))[0]
    plain, counted = sharpe_estimate(row), sharpe_estimate(row, lags="auto")
    assert plain.autocorrelation == pytest.approx(0.4, abs=0.05)
    assert counted.standard_error > 1.3 * plain.standard_error
    assert (plain.lags, counted.lags) == (0, 9)


def test_the_minimum_track_record_is_where_the_probability_crosses() -> None:
    estimate = sharpe_estimate(RETURNS)
    needed = minimum_track_record_length(RETURNS, 0.01, confidence=0.9)
    assert needed == estimate.periods_needed(0.01, 0.9)
    longer = type(estimate)(**{**vars(estimate), "n_periods": math.ceil(needed)})
    shorter = type(estimate)(**{**vars(estimate), "n_periods": math.floor(needed)})
    assert shorter.probability_above(0.01) < 0.9 <= longer.probability_above(0.01)


def test_no_record_is_long_enough_for_a_ratio_below_the_benchmark() -> None:
    assert minimum_track_record_length(RETURNS, 1.0) == math.inf


def test_one_trial_deflates_nothing() -> None:
    assert deflated_sharpe_ratio(RETURNS, 1, 0.5) == probabilistic_sharpe_ratio(RETURNS)
    assert expected_maximum_sharpe(1.2, 1.0) == 0.0


def test_more_trials_deflate_more() -> None:
    found = [deflated_sharpe_ratio(RETURNS, n, 1 / 600) for n in (1, 2, 10, 100, 1e6)]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("flat", [np.zeros(50), np.full(50, 0.01)])
def test_returns_that_do_not_move_have_no_ratio(flat: Any) -> None:
    assert math.isnan(sharpe_ratio(flat))
    assert math.isnan(probabilistic_sharpe_ratio(flat))
    assert math.isnan(minimum_track_record_length(flat))


def test_nan_is_refused_with_its_place_left_out_or_carried() -> None:
    stamps = pd.date_range("2024-01-01", periods=600)
    series = pd.Series(RETURNS.copy(), index=stamps)
    series.iloc[7] = np.nan
    with pytest.raises(InputError, match=r"1 of 600 returns are NaN, first at 2024-01-08.*row 7"):
        sharpe_ratio(series)
    assert sharpe_ratio(series, nan_policy="omit") == sharpe_ratio(np.delete(RETURNS, 7))
    assert math.isnan(sharpe_ratio(series, nan_policy="propagate"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sharpe_ratio([0.01]), "1 periods of returns, this needs at least 2"),
        (lambda: sharpe_estimate([[0.01, 0.02]]), r"shape \(1, 2\), expected one series"),
        (lambda: sharpe_ratio(["a", "b"]), "not numbers"),
        (lambda: sharpe_ratio([0.1, math.inf]), "infinite"),
        (lambda: sharpe_ratio([5.0, -3.0]), "below -1"),
        (lambda: sharpe_ratio(RETURNS, nan_policy="drop"), "nan_policy is 'drop'"),  # type: ignore[arg-type]
        (lambda: sharpe_ratio(RETURNS, periods_per_year=0), "periods_per_year is 0"),
        (lambda: sharpe_ratio(RETURNS, risk_free_rate=-2.0), "risk_free_rate is -2.0"),
        (lambda: sharpe_estimate(RETURNS, lags=600), "lags is 600"),
        (lambda: expected_maximum_sharpe(0, 1.0), "n_trials is 0"),
        (lambda: expected_maximum_sharpe(2, -1.0), "variance is -1.0"),
        (lambda: expected_maximum_sharpe("2", 1.0), "n_trials is '2'"),  # type: ignore[arg-type]
        (lambda: minimum_track_record_length(RETURNS, confidence=0.4), "confidence is 0.4"),
        (lambda: effective_trials(RETURNS), r"expected \(n_periods, n_strategies\)"),
        (lambda: effective_trials(np.full((5, 3), 0.1), n_trials=2), "n_trials is 2"),
        (lambda: effective_trials(np.full((5, 3), 0.1), level=0.5), "level is 0.5"),
    ],
)
def test_what_cannot_be_right_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


# --- effective trials ---


def family(correlation: Any, n: int = 1500) -> Any:
    root = np.linalg.cholesky(correlation + 1e-12 * np.eye(len(correlation)))
    return 0.01 * np.random.default_rng(2).standard_normal((n, len(correlation))) @ root.T


def test_independent_trials_count_each() -> None:
    assert effective_trials(family(np.eye(40))) == pytest.approx(40, rel=0.1)


@pytest.mark.parametrize("rho", [0.5, 0.9, 0.99])
def test_the_number_makes_the_chance_of_luck_equal(rho: float) -> None:
    correlation = rho + (1 - rho) * np.eye(30)
    scores = np.random.default_rng(9).multivariate_normal(np.zeros(30), correlation, 200_000).max(axis=1)
    true = math.log(0.95) / stats.norm.logcdf(np.quantile(scores, 0.95))
    assert effective_trials(family(correlation)) == pytest.approx(true, rel=0.2)


def test_twins_and_columns_that_stand_still_add_nothing() -> None:
    apart = family(np.eye(5))
    assert effective_trials(np.hstack([apart, apart, np.zeros_like(apart)])) == pytest.approx(
        effective_trials(apart), rel=0.1
    )
    assert effective_trials(np.zeros((30, 4))) == 1.0


def test_a_sample_is_carried_on_to_all_trials() -> None:
    independent = family(np.eye(64))
    assert effective_trials(independent, n_trials=1000) == pytest.approx(1000, rel=0.25)
    i = np.arange(300)
    smooth = family(np.exp(-(((i[:, None] - i) / 60.0) ** 2)))
    few = np.sort(np.random.default_rng(5).choice(300, 60, replace=False))
    assert effective_trials(smooth[:, few], n_trials=300) == pytest.approx(effective_trials(smooth), rel=0.35)


def test_order_scale_and_seed_do_not_matter_much() -> None:
    returns = family(0.5 + 0.5 * np.eye(20))
    found = effective_trials(returns)
    assert effective_trials(returns[:, ::-1] * 3.0) == pytest.approx(found, rel=0.25)
    assert effective_trials(returns) == found
    assert effective_trials(returns, seed=1) == pytest.approx(found, rel=0.25)


def test_an_unknown_return_makes_the_number_unknown_when_asked_to() -> None:
    returns = family(np.eye(3))
    returns[4, 1] = np.nan
    assert math.isnan(effective_trials(returns, nan_policy="propagate"))
    assert effective_trials(returns, nan_policy="omit") == effective_trials(np.delete(returns, 4, axis=0))
