"""Published figures on the error of Sharpe ratios and what trials do to them.

PSR and MinTRL: Bailey, D. and López de Prado, M. (2012). The Sharpe ratio efficient frontier. Journal of Risk 15(2).
DSR: Bailey, D. and López de Prado, M. (2014). The deflated Sharpe ratio. Journal of Portfolio Management 40(5).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from algotrendy.risk import SharpeEstimate, expected_maximum_sharpe


@pytest.mark.parametrize(
    ("moments", "expected"),
    [({}, 0.982), ({"skewness": -2.448, "kurtosis": 10.164}, 0.913)],
    ids=["as if normal", "as it was"],
)
def test_probabilistic_sharpe_ratio_of_the_fund_of_2012(moments: dict[str, float], expected: float) -> None:
    fund = SharpeEstimate(n_periods=24, sharpe_ratio=0.458, **moments)
    assert fund.probability_above(0.0) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(
    ("per_year", "moments", "years"),
    [
        (252, {}, 2.73),
        (52, {}, 2.83),
        (12, {}, 3.24),
        (12, {"skewness": -0.72, "kurtosis": 5.78}, 4.99),
    ],
    ids=["daily", "weekly", "monthly", "monthly, hedge fund index"],
)
def test_minimum_track_record_of_sharpe_two_above_one(per_year: int, moments: dict[str, float], years: float) -> None:
    estimate = SharpeEstimate(
        n_periods=100, sharpe_ratio=2.0 / math.sqrt(per_year), periods_per_year=float(per_year), **moments
    )
    assert estimate.periods_needed(1.0, 0.95) / per_year == pytest.approx(years, abs=5e-3)


EXAMPLE = SharpeEstimate(
    n_periods=1250, sharpe_ratio=2.5 / math.sqrt(250), skewness=-3.0, kurtosis=10.0, periods_per_year=250.0
)
"""The numerical example of 2014: annual ratio 2.5 over five years of days, trials' annual ratios of variance 1/2."""


@pytest.mark.parametrize(("n_trials", "expected"), [(100, 0.9004), (46, 0.9505)])
def test_deflated_sharpe_ratio_of_the_example_of_2014(n_trials: int, expected: float) -> None:
    threshold = expected_maximum_sharpe(n_trials, 0.5)
    assert EXAMPLE.probability_above(threshold) == pytest.approx(expected, abs=5e-5)


def test_expected_maximum_of_the_example_of_2014() -> None:
    assert expected_maximum_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)


def test_normal_returns_would_have_allowed_88_trials() -> None:
    normal: dict[str, Any] = {**vars(EXAMPLE), "skewness": 0.0, "kurtosis": 3.0}
    found = SharpeEstimate(**normal).probability_above(expected_maximum_sharpe(88, 0.5))
    assert found == pytest.approx(0.9505, abs=5e-5)


@pytest.mark.parametrize("n", [5, 50, 500])
def test_the_expected_maximum_is_that_of_independent_normal_scores(n: int) -> None:
    drawn = np.random.default_rng(n).standard_normal((40_000, n)).max(axis=1).mean()
    assert expected_maximum_sharpe(n, 1.0) == pytest.approx(drawn, rel=0.03)
