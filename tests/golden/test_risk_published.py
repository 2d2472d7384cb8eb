"""Published figures of risk measures and of their tests; each says where it stands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from algotrendy.errors import InputError
from algotrendy.risk import (
    TailFit,
    acerbi_szekely_test,
    basel_traffic_light,
    christoffersen_test,
    cornish_fisher_domain,
    kelly_fraction,
    kupiec_region,
    kupiec_test,
    value_at_risk,
)
from algotrendy.risk.distributions import cornish_fisher_tail, normal_tail, student_tail
from algotrendy.risk.var_backtest import _simulated

KUPIEC = {
    0.99: ((None, 6), (2, 10), (5, 16)),
    0.975: ((3, 11), (7, 20), (16, 35)),
    0.95: ((7, 20), (17, 35), (38, 64)),
    0.925: ((12, 27), (28, 50), (60, 91)),
    0.90: ((17, 35), (39, 64), (82, 119)),
}
"""Non-rejection regions of a test at 5 % for 255, 510 and 1000 periods: table 2 of Kupiec (1995), Journal of
Derivatives 3(2), where "2 < N < 12" stands for 3 to 11. It gives 255 periods at 99 % as "N < 7", though the ratio of no
exception at all, 5.13, is above the limit of 3.84: the lower end of that cell is not compared."""


@pytest.mark.parametrize("confidence_level", KUPIEC)
def test_the_regions_of_kupiec(confidence_level: float) -> None:
    for n, (low, high) in zip((255, 510, 1000), KUPIEC[confidence_level], strict=True):
        found = kupiec_region(n, confidence_level)
        assert found[1] == high
        assert low is None or found[0] == low


def test_the_days_of_jp_morgan_in_1998() -> None:
    """Jorion, Value at risk, third edition, chapter 6: 20 exceptions in 252 days at 95 %, 6 after another one."""
    came = np.zeros(253, dtype=bool)
    start = 1
    for length in (2, 2, 2, 2, 2, 2, *[1] * 8):  # fourteen runs, in which six exceptions follow one
        came[start : start + length] = True
        start += length + 3
    test = christoffersen_test(came, 0.95)
    assert test.transitions == (218, 14, 14, 6)
    assert kupiec_test(20, 252, 0.95).statistic == pytest.approx(3.91, abs=5e-3)
    assert test.independence.statistic == pytest.approx(9.53, abs=5e-3)
    assert test.conditional_coverage.statistic == pytest.approx(13.44, abs=1e-2)
    assert test.independence.is_rejected(0.01)


BASEL = [
    (0, 8.11, "green", 0.00), (1, 28.58, "green", 0.00), (2, 54.32, "green", 0.00), (3, 75.81, "green", 0.00),
    (4, 89.22, "green", 0.00), (5, 95.88, "yellow", 0.40), (6, 98.63, "yellow", 0.50), (7, 99.60, "yellow", 0.65),
    (8, 99.89, "yellow", 0.75), (9, 99.97, "yellow", 0.85), (10, 99.99, "red", 1.00),
]  # fmt: skip
"""Exceptions, cumulative probability in per cent, zone and increase: table 2 of the Basel framework (1996)."""


@pytest.mark.parametrize(("n", "per_cent", "zone", "add_on"), BASEL)
def test_the_traffic_light_of_basel(n: int, per_cent: float, zone: str, add_on: float) -> None:
    light = basel_traffic_light(n)
    assert (light.zone, light.multiplier_add_on) == (zone, add_on)
    assert 100.0 * light.cumulative_probability == pytest.approx(per_cent, abs=6e-3)


def test_the_domain_of_cornish_and_fisher() -> None:
    """Maillard (2012): at no skewness kurtosis from 0 to 8; none beyond a skewness of 6 (sqrt(2) - 1) = 2.4853."""
    assert cornish_fisher_domain(0.0) == (0.0, 8.0)
    edge = 6.0 * (math.sqrt(2.0) - 1.0)
    assert cornish_fisher_domain(edge - 1e-9) == pytest.approx((4.0 * (1.0 + 11.0 * (edge / 6.0) ** 2),) * 2, abs=1e-3)
    assert all(math.isnan(each) for each in cornish_fisher_domain(-edge - 1e-9))


@pytest.mark.parametrize("skewness", [-2.0, -1.0, 0.0, 0.5])
def test_quantiles_of_cornish_and_fisher_are_in_order_inside_the_domain_alone(skewness: float) -> None:
    low, high = cornish_fisher_domain(skewness)
    z = np.linspace(-60.0, 60.0, 40_001)
    for kurtosis, is_inside in ((low + 0.01, True), (high - 0.01, True), (low - 0.01, False), (high + 0.01, False)):
        moved = z + (z**2 - 1) * skewness / 6 + (z**3 - 3 * z) * kurtosis / 24 - (2 * z**3 - 5 * z) * skewness**2 / 36
        assert bool((np.diff(moved) > 0.0).all()) == is_inside


def test_expected_shortfall_is_the_mean_of_the_quantiles_of_the_tail() -> None:
    """Acerbi and Tasche (2002): the integral of the quantile over the tail, whatever the distribution."""
    s, k, p = -0.5, 1.5, 0.025

    def bent(u: float) -> float:
        z = stats.norm.ppf(u)
        return float(z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36)

    cases: list[tuple[Any, Any]] = [
        (cornish_fisher_tail((0.0, 1.0, s, k), p), bent),
        (normal_tail(0.0, 1.0, p), stats.norm.ppf),
        (student_tail(0.0, 1.0, 3.0, p), lambda u: stats.t.ppf(u, 3.0)),
    ]
    for found, quantile in cases:
        assert found.value_at_risk == pytest.approx(-quantile(p), rel=1e-12)
        assert found.expected_shortfall == pytest.approx(-integrate.quad(quantile, 0.0, p)[0] / p, rel=1e-7)


def test_the_example_of_mcneil_frey_and_embrechts() -> None:
    """Quantitative risk management, example 2.16: 20 % a year, 250 days, 10,000 invested; normal and t(4)."""
    daily = 0.2 / math.sqrt(250.0)
    normal = [normal_tail(0.0, daily, 1.0 - level) for level in (0.90, 0.95, 0.975, 0.99, 0.995)]
    student = [
        student_tail(0.0, daily * math.sqrt(0.5), 4.0, 1.0 - level) for level in (0.90, 0.95, 0.975, 0.99, 0.995)
    ]
    assert [10_000 * each.value_at_risk for each in normal] == pytest.approx(
        [162.1, 208.1, 247.9, 294.3, 325.8], abs=0.06
    )
    assert [10_000 * each.value_at_risk for each in student] == pytest.approx(
        [137.1, 190.7, 248.3, 335.1, 411.8], abs=0.06
    )
    assert [10_000 * each.expected_shortfall for each in normal] == pytest.approx(
        [222.0, 260.9, 295.7, 337.1, 365.8], abs=0.06
    )


def test_the_tail_of_mcneil_frey_and_embrechts() -> None:
    """Their equations 5.18 and 5.19, by integration of the survival function that they come from."""
    fit = TailFit(threshold=0.02, shape=0.3, scale=0.008, n_periods=2000, n_exceedances=100, log_likelihood=0.0)
    loss = fit.value_at_risk(0.99)
    beyond = stats.genpareto(0.3, loc=0.02, scale=0.008)
    assert 0.05 * beyond.sf(loss) == pytest.approx(0.01, rel=1e-12)
    mean = loss + integrate.quad(beyond.sf, loss, np.inf)[0] / beyond.sf(loss)
    assert fit.expected_shortfall(0.99) == pytest.approx(mean, rel=1e-9)
    with pytest.raises(InputError, match="below the threshold"):
        fit.value_at_risk(0.90)


def test_the_weights_of_boudoukh_richardson_and_whitelaw() -> None:
    """Their table (1998): the six lowest of 100 returns by age, decay 0.98, with their cumulative weights."""
    lowest = {3: -0.0330, 2: -0.0290, 65: -0.0270, 45: -0.0250, 5: -0.0240, 30: -0.0230}
    returns = np.full(100, 0.001)
    for age, value in lowest.items():
        returns[100 - age] = value
    reached = [0.0221, 0.0447, 0.0511, 0.0605, 0.0818, 0.0947]
    losses = [0.0330, 0.0290, 0.0270, 0.0250, 0.0240, 0.0230]
    for k, weight in enumerate(reached):
        beyond = [*losses[1:], -0.001][k]
        for moved, expected in ((-2e-4, losses[k]), (2e-4, beyond)):
            assert value_at_risk(returns, 1.0 - weight - moved, method="age_weighted") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("freedom", "at_5", "at_bottom"), [(None, -0.70, -1.8), (100.0, -0.70, -1.8), (3.0, -0.82, -4.4)]
)
def test_the_critical_values_of_acerbi_and_szekely(freedom: float | None, at_5: float, at_bottom: float) -> None:
    """Backtesting expected shortfall (2014), table of Z2: 250 days at 97.5 %, significance 5 % and 0.01 %."""
    drawn = np.concatenate([_simulated(250, 0.025, freedom, seed)[1] for seed in range(10)])
    assert np.quantile(drawn, 0.05) == pytest.approx(at_5, abs=0.03)
    assert np.quantile(drawn, 0.0001) == pytest.approx(at_bottom, rel=0.25)


def test_losses_as_large_as_said_are_accepted_and_larger_ones_are_not() -> None:
    returns = np.random.default_rng(5).normal(0.0, 0.01, 2000)
    said = normal_tail(0.0, 0.01, 0.025)
    one = np.ones(2000)
    right = acerbi_szekely_test(returns, said.value_at_risk * one, said.expected_shortfall * one)
    wrong = acerbi_szekely_test(1.3 * returns, said.value_at_risk * one, said.expected_shortfall * one)
    assert right.p_value_z2 > 0.05
    assert wrong.z2 < -0.5
    assert wrong.p_value_z1 < 0.01
    assert wrong.p_value_z2 < 0.001


def test_kelly_of_a_coin() -> None:
    """Kelly (1956): the share 2 p - 1 of an even bet. Thorp (2006): mean over variance, of small returns."""
    assert kelly_fraction([1.0] * 53 + [-1.0] * 47, method="growth") == pytest.approx(0.06, abs=1e-9)
    assert kelly_fraction([1.0] * 53 + [-1.0] * 47, method="win_loss") == pytest.approx(0.06, abs=1e-9)
    small = np.random.default_rng(1).normal(0.0003, 0.01, 20_000)
    plain, growth = (kelly_fraction(small, method=method) for method in ("mean_variance", "growth"))
    assert plain == pytest.approx(growth, rel=0.02)
