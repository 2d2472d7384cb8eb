"""Risk: conventions by name, horizons, options that are refused, forecasts from the past alone, the calculator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from algotrendy import risk
from algotrendy.errors import InputError

RNG = np.random.default_rng(11)
DAYS = pd.bdate_range("2015-01-01", periods=1500)
MARKET = pd.Series(RNG.standard_t(5, 1500) * 0.008 + 0.0004, DAYS, name="market")
FUND = (0.8 * MARKET + RNG.normal(0.0, 0.004, 1500)).rename("fund")
X = FUND.to_numpy()


# --- the table of the page on conventions: the formula of each library written out, and the option that gives it ---


def empyrical_cvar() -> float:
    cutoff_index = int((len(X) - 1) * 0.05)
    return float(np.mean(np.partition(X, cutoff_index)[: cutoff_index + 1]))


def bacon_downside() -> float:
    return math.sqrt(sum(min(x, 0.0) ** 2 for x in X) / sum(x < 0.0 for x in X))


def cornish_fisher_of_performance_analytics() -> float:
    z, s, k = stats.norm.ppf(0.05), stats.skew(X), stats.kurtosis(X)
    bent = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
    return float(-X.mean() - bent * X.std())


def quantstats_kelly() -> float:
    wins, losses = X[X > 0], X[X < 0]
    payoff, rate = wins.mean() / -losses.mean(), wins.size / X[X != 0].size
    return float((payoff * rate - (1 - rate)) / payoff)


def wealth() -> Any:
    return np.cumprod(np.concatenate(([1.0], 1.0 + X)))


def fallen() -> Any:
    return wealth()[1:] / np.maximum.accumulate(wealth())[1:] - 1.0


def empyrical_capture() -> float:
    up = MARKET > 0
    grown = [np.prod(1.0 + series[up]) ** (252.0 / up.sum()) - 1.0 for series in (FUND, MARKET)]
    return float(grown[0] / grown[1])


CONVENTIONS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "empyrical value_at_risk": (lambda: risk.value_at_risk(X, sign="return"), lambda: np.percentile(X, 5.0)),
    "quantstats value_at_risk": (
        lambda: risk.value_at_risk(X, method="parametric", sign="return"),
        lambda: stats.norm.ppf(0.05, X.mean(), X.std(ddof=1)),
    ),
    "riskfolio value_at_risk": (
        lambda: risk.value_at_risk(X, quantile="inverted_cdf"),
        lambda: -np.sort(X)[math.ceil(0.05 * X.size) - 1],
    ),
    "PerformanceAnalytics VaR": (
        lambda: risk.value_at_risk(X, method="cornish_fisher", ddof=0),
        cornish_fisher_of_performance_analytics,
    ),
    "empyrical conditional_value_at_risk": (
        lambda: risk.expected_shortfall(X, quantile="lower", tail="at_or_beyond", sign="return"),
        empyrical_cvar,
    ),
    "quantstats cvar": (
        lambda: np.mean(X[-risk.value_at_risk(X, method="parametric") > X]),
        lambda: np.mean(X[stats.norm.ppf(0.05, X.mean(), X.std(ddof=1)) > X]),
    ),
    "skfolio average drawdown": (lambda: risk.average_drawdown(X, of="periods"), lambda: -fallen().mean()),
    "quantstats ulcer_index": (
        lambda: risk.ulcer_index(X, ddof=1),
        lambda: np.sqrt((fallen() ** 2).sum() / (X.size - 1)),
    ),
    "numpy deviation": (lambda: risk.volatility(X, ddof=0), X.std),
    "sharpe of population": (lambda: risk.sharpe_ratio(X, ddof=0), lambda: X.mean() / X.std()),
    "downside of losses": (lambda: risk.downside_deviation(X, count="below"), bacon_downside),
    "quantstats information_ratio": (
        lambda: risk.information_ratio(FUND, MARKET),
        lambda: (FUND - MARKET).mean() / (FUND - MARKET).std(),
    ),
    "empyrical alpha": (
        lambda: risk.alpha(FUND, MARKET, periods_per_year=252, compound=True),
        lambda: (1.0 + stats.linregress(MARKET, FUND).intercept) ** 252 - 1.0,
    ),
    "empyrical up_capture": (lambda: risk.up_capture(FUND, MARKET, periods_per_year=252), empyrical_capture),
    "quantstats kelly_criterion": (lambda: risk.kelly_fraction(X, method="win_loss"), quantstats_kelly),
    "Bloomberg beta": (
        lambda: risk.beta(FUND, MARKET, method="bloomberg"),
        lambda: 1 / 3 + 2 / 3 * stats.linregress(MARKET, FUND).slope,
    ),
    "equity that starts after the first return": (
        lambda: risk.max_drawdown_of_equity(wealth()[1:]),
        lambda: np.max(1.0 - wealth()[1:] / np.maximum.accumulate(wealth()[1:])),
    ),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_convention_of_another_library_has_a_name(name: str) -> None:
    ours, theirs = CONVENTIONS[name]
    assert ours() == pytest.approx(theirs(), rel=1e-9)


# --- horizons ---


@pytest.mark.parametrize("method", ["parametric", "cornish_fisher", "ewma"])
def test_a_horizon_by_cumulants(method: Any) -> None:
    h, p = 10, 0.01
    found = risk.tail_risk(X, 0.99, method=method, horizon=h)
    mean, deviation = X.mean() * h, X.std(ddof=1) * math.sqrt(h)
    z = stats.norm.ppf(p)
    if method == "ewma":
        weights = 0.94 ** np.arange(X.size)[::-1]
        mean, deviation = 0.0, math.sqrt(h * float(weights @ X**2 / weights.sum()))
    if method == "cornish_fisher":
        s, k = stats.skew(X) / math.sqrt(h), stats.kurtosis(X) / h
        z = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
    assert found.value_at_risk == pytest.approx(-mean - deviation * z, rel=1e-12)


@pytest.mark.parametrize("method", ["historical", "student_t", "age_weighted", "evt"])
def test_a_horizon_by_the_root_of_time(method: Any) -> None:
    one = risk.tail_risk(X, 0.95, method=method)
    ten = risk.tail_risk(X, 0.95, method=method, horizon=4, scaling="root_time")
    assert tuple(ten) == pytest.approx(tuple(2.0 * each for each in one), rel=1e-12)


def test_a_horizon_of_overlapping_returns() -> None:
    compounded = (1.0 + FUND).rolling(5).apply(np.prod, raw=True).dropna() - 1.0
    assert risk.value_at_risk(FUND, horizon=5, scaling="overlapping") == pytest.approx(
        risk.value_at_risk(compounded), rel=1e-12
    )
    with pytest.raises(InputError, match="fewer than the horizon of 10"):
        risk.value_at_risk(X[:9], horizon=10, scaling="overlapping")


def test_a_heavy_tail_grows_by_the_power_of_its_shape() -> None:
    shape = max(risk.tail_fit(X).shape, 0.0)
    assert risk.value_at_risk(X, 0.99, method="evt", horizon=10) == pytest.approx(
        10.0**shape * risk.value_at_risk(X, 0.99, method="evt"), rel=1e-12
    )


def test_garch_horizons_add_the_forecasts_and_simulation_agrees() -> None:
    fit = risk.garch_estimate(X)
    deviation = math.sqrt(sum(fit.forecast(10)))
    found = risk.value_at_risk(X, 0.99, method="garch", horizon=10)
    assert found == pytest.approx(-10 * fit.mean - stats.norm.ppf(0.01) * deviation, rel=1e-12)
    filtered = risk.value_at_risk(X, 0.95, method="filtered_historical", horizon=10)
    assert filtered == pytest.approx(-10 * fit.mean + 1.645 * deviation, rel=0.1)


@pytest.mark.parametrize("filter_", ["garch", "ewma"])
def test_a_filtered_tail_is_that_of_the_shocks_at_the_volatility_of_now(filter_: str) -> None:
    if filter_ == "garch":
        fit = risk.garch_estimate(X)
        moved = fit.mean + math.sqrt(fit.next_variance) * fit.shocks
    else:
        spread = risk.ewma_volatility(X).to_numpy()
        moved = X[1:] / spread[:-1] * spread[-1]
    found = risk.value_at_risk(X, 0.99, method="filtered_historical", filter=filter_)
    assert found == pytest.approx(-np.quantile(moved, 0.01), rel=1e-9)


@pytest.mark.parametrize("distribution", ["normal", "student_t", "bootstrap"])
def test_simulation_finds_what_the_closed_form_says(distribution: str) -> None:
    method = {"normal": "parametric", "student_t": "student_t", "bootstrap": "historical"}[distribution]
    expected: Any = risk.tail_risk(X, 0.95, method=method)
    found = risk.tail_risk(X, 0.95, method="monte_carlo", distribution=distribution)
    assert tuple(found) == pytest.approx(tuple(expected), rel=0.03)
    again = risk.tail_risk(X, 0.95, method="monte_carlo", distribution=distribution, seed=0)
    other = risk.tail_risk(X, 0.95, method="monte_carlo", distribution=distribution, seed=1)
    assert again == found != other


def test_a_given_number_of_degrees_of_freedom_keeps_mean_and_deviation() -> None:
    found = risk.value_at_risk(X, 0.99, method="student_t", degrees_of_freedom=4.0)
    scale = X.std(ddof=1) * math.sqrt(0.5)
    assert found == pytest.approx(-stats.t.ppf(0.01, 4.0, X.mean(), scale), rel=1e-12)


def test_cornish_fisher_warns_outside_its_domain_and_only_there() -> None:
    wild = np.concatenate([X, [-0.3, 0.25]])
    with pytest.warns(RuntimeWarning, match="outside the domain of the Cornish-Fisher expansion"):
        found = risk.tail_risk(wild, 0.99, method="cornish_fisher")
    assert found.expected_shortfall >= found.value_at_risk
    risk.value_at_risk(X, 0.99, method="cornish_fisher")  # a warning would be an error here


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: risk.value_at_risk(X, 95), "confidence_level is 95; use a number between 0 and 1"),
        (lambda: risk.value_at_risk(X, method="best"), "method is 'best'; choose one of: age_weighted"),
        (
            lambda: risk.value_at_risk(X, decay=0.9),
            "the method 'historical' does not use decay; these do: age_weighted",
        ),
        (lambda: risk.value_at_risk(X, method="evt", tail="beyond"), "'evt' does not use tail"),
        (lambda: risk.value_at_risk(X, quantile="third"), "quantile is 'third'; use a method of numpy.quantile"),
        (lambda: risk.expected_shortfall(X, tail="above"), "tail is 'above'; choose one of"),
        (lambda: risk.value_at_risk(X, sign="minus"), "sign is 'minus'; choose one of: loss, return"),
        (lambda: risk.value_at_risk(X, horizon=0), "horizon is 0; use a whole number of at least 1"),
        (lambda: risk.value_at_risk(X, horizon=5, scaling="model"), "'historical' has no model of several periods"),
        (lambda: risk.value_at_risk(X, method="garch", horizon=5, scaling="overlapping"), "walks period by period"),
        (lambda: risk.value_at_risk(X, method="evt", threshold=0.999), "lie above the threshold"),
        (lambda: risk.value_at_risk(X, 0.8, method="evt"), "reaches below the threshold"),
        (lambda: risk.value_at_risk(X, method="student_t", degrees_of_freedom=2.0), "above 2 the variance is finite"),
        (
            lambda: risk.value_at_risk(X, method="monte_carlo", degrees_of_freedom=4.0),
            "of the distribution .student_t. alone",
        ),
        (
            lambda: risk.value_at_risk(X, method="filtered_historical", decay=0.9),
            "the filter 'garch' does not use decay",
        ),
        (lambda: risk.value_at_risk(X, method="garch", distribution="bootstrap"), "choose one of: normal, student_t"),
        (lambda: risk.value_at_risk(np.append(np.zeros(100), X[:30]), method="student_t"), "so many returns are equal"),
        (lambda: risk.tail_fit(X, nan_policy="propagate"), "cannot be fitted to NaN"),
        (lambda: risk.garch_estimate(X[:49]), "needs at least 50"),
        (lambda: risk.tail_ratio(X, 0.4), "a tail begins above 0.5"),
        (lambda: risk.metrics(X, periods_per_year=0), "periods_per_year is 0; use a number above zero"),
        (lambda: risk.sharpe_ratio(X, periods_per_year=252.5, autocorrelation_lags=3), "is a whole number"),
        (lambda: risk.beta(FUND, MARKET, threshold=0.0), "the method 'ols' does not use threshold"),
        (lambda: risk.beta(FUND, pd.concat([MARKET, MARKET], axis=1)), "expected one series; choose one column"),
        (lambda: risk.risk_contributions(FUND.to_frame(), {"other": 1.0}), "no weight for .'fund'., no column for"),
        (lambda: risk.risk_contributions(FUND.to_frame(), [1.0, 2.0]), "expected one for each of 1 columns"),
        (lambda: risk.factor_exposures(FUND, MARKET.to_frame().assign(twice=2 * MARKET)), "follows from the others"),
        (lambda: risk.factor_exposures(FUND, MARKET * 0.0), "the factor 'market' does not move"),
        (lambda: risk.drawdown_table(FUND.to_frame()), "of one series; choose one column"),
        (lambda: risk.rolling_tail_risk(FUND.to_frame(), 5), "use rolling_value_at_risk"),
        (lambda: risk.rolling_beta(FUND, MARKET, 1), "window is 1; use a whole number of at least 2"),
        (lambda: risk.backtest_var(X, window=1499), "at least 1501"),
        (lambda: risk.backtest_var(X, horizon=5), "leave out horizon"),
        (
            lambda: risk.backtest_var(X, refit=5),
            "'historical' does not search for anything; refit is for evt, filtered",
        ),
        (lambda: risk.kupiec_test(5, 4), "more than the 4 periods"),
        (lambda: risk.christoffersen_test([0, 2]), "true or false"),
        (lambda: risk.acerbi_szekely_test(X, X, 0.0 * X), "an expected shortfall is above zero"),
        (lambda: risk.RiskCalculator(sign="minus"), "sign is 'minus'"),
    ],
)
def test_what_cannot_be_right_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_an_option_that_does_not_exist_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="unexpected option 'alpha'"):
        risk.value_at_risk(X, alpha=0.05)


# --- forecasts and their tests ---


@pytest.mark.parametrize("method", ["historical", "parametric", "age_weighted", "ewma"])
def test_a_forecast_knows_the_past_alone(method: Any) -> None:
    found = risk.backtest_var(FUND, method, 250, confidence_level=0.95)
    assert (found.n_periods, found.window) == (1250, 250)
    assert found.table.index.equals(FUND.index[250:])
    for at in (250, 777, 1499):
        said: Any = risk.tail_risk(X[at - 250 : at], 0.95, method=method)
        row = found.table.loc[FUND.index[at]]
        assert (row["value_at_risk"], row["expected_shortfall"]) == pytest.approx(tuple(said), rel=1e-9)
        assert row["is_exception"] == (X[at] < -said.value_at_risk)
    assert found.n_exceptions == found.table["is_exception"].sum()
    assert found.kupiec == risk.kupiec_test(found.n_exceptions, 1250, 0.95)
    assert found.traffic_light.multiplier_add_on is None
    changed = FUND.copy()
    changed.iloc[1000:] = 0.5
    other = risk.backtest_var(changed, method, 250, confidence_level=0.95)
    assert other.table["value_at_risk"].iloc[:751].equals(found.table["value_at_risk"].iloc[:751])


def test_what_is_searched_for_may_stand_for_several_periods() -> None:
    said = risk.backtest_var(FUND, "garch", 500, refit=250).table["value_at_risk"].to_numpy()
    assert said[[0, 250]].tolist() == [risk.value_at_risk(X[at : at + 500], method="garch") for at in (0, 250)]
    fit = risk.garch_estimate(X[:500]).over(X[249:749])
    assert said[249] == pytest.approx(-fit.mean + 1.6448536269514722 * math.sqrt(fit.next_variance), rel=1e-12)
    assert np.unique(said).size > 500  # one window of four finds no news worth following
    stands = risk.backtest_var(FUND, "evt", 500, refit=250).table["value_at_risk"]
    assert stands.nunique() == 4


def test_a_backtest_leaves_missing_periods_out() -> None:
    holed = FUND.copy()
    holed.iloc[[10, 700]] = np.nan
    found = risk.backtest_var(holed, nan_policy="omit")
    assert found.n_periods == 1248
    assert found.table.index.equals(holed.dropna().index[250:])


def test_right_forecasts_are_rejected_as_often_as_the_test_says() -> None:
    rng = np.random.default_rng(3)
    hits = rng.random((2000, 500)) < 0.05
    rejected = np.mean([risk.kupiec_test(int(row.sum()), 500, 0.95).is_rejected(0.05) for row in hits])
    independent = np.mean([risk.christoffersen_test(row, 0.95).independence.is_rejected(0.05) for row in hits])
    assert rejected == pytest.approx(0.05, abs=0.02)
    assert independent == pytest.approx(0.05, abs=0.03)


def test_coverage_without_exceptions_or_with_nothing_else() -> None:
    test = risk.christoffersen_test(np.zeros(100, dtype=bool), 0.99)
    assert (test.independence.statistic, test.independence.p_value) == (0.0, 1.0)
    assert test.conditional_coverage.statistic == pytest.approx(-2 * 99 * math.log(0.99))
    assert risk.kupiec_test(100, 100, 0.95).statistic == pytest.approx(-200 * math.log(0.05))


# --- the calculator of the specification ---


def test_the_calculator_says_what_the_functions_say() -> None:
    calculator = risk.RiskCalculator(periods_per_year=52, risk_free_rate=0.01, sign="return")
    rates: dict[str, Any] = {"periods_per_year": 52, "risk_free_rate": 0.01}
    per_year = {"periods_per_year": 52}
    equity = 100.0 * (1.0 + FUND).cumprod()
    assert calculator.calculate_var(FUND) == -risk.value_at_risk(FUND)
    assert calculator.calculate_var(FUND, 0.99, "parametric") == -risk.value_at_risk(FUND, 0.99, method="parametric")
    assert calculator.calculate_expected_shortfall(FUND, 0.9) == -risk.expected_shortfall(FUND, 0.9)
    assert calculator.calculate_beta(FUND, MARKET) == risk.beta(FUND, MARKET)
    assert calculator.calculate_max_drawdown(equity) == -risk.max_drawdown_of_equity(equity)
    assert calculator.calculate_alpha(FUND, MARKET) == risk.alpha(FUND, MARKET, **rates)
    assert calculator.calculate_annual_return(FUND) == risk.annual_return(FUND, **per_year)
    assert calculator.calculate_calmar_ratio(FUND) == risk.calmar_ratio(FUND, **per_year)
    assert calculator.calculate_information_ratio(FUND, MARKET) == risk.information_ratio(FUND, MARKET, **per_year)
    assert calculator.calculate_omega_ratio(FUND) == risk.omega_ratio(FUND)
    assert calculator.calculate_sharpe_ratio(FUND) == risk.sharpe_ratio(FUND, **rates)
    assert calculator.calculate_sortino_ratio(FUND) == risk.sortino_ratio(FUND, **rates)
    assert calculator.calculate_tracking_error(FUND, MARKET) == risk.tracking_error(FUND, MARKET, **per_year)
    assert calculator.calculate_volatility(FUND) == risk.volatility(FUND, **per_year)
    assert calculator.calculate_metrics(FUND, MARKET).equals(risk.metrics(FUND, benchmark=MARKET, **rates))
    both = pd.concat([FUND, MARKET], axis=1)
    assert calculator.calculate_covariance(both).equals(risk.covariance(both, **per_year))
    assert calculator.calculate_risk_contributions(both, [0.5, 0.5]).equals(risk.risk_contributions(both, [0.5, 0.5]))
    assert calculator.backtest_var(FUND).n_exceptions == risk.backtest_var(FUND).n_exceptions


def test_the_calculator_gives_one_number_for_each_column() -> None:
    both = pd.concat([FUND, MARKET], axis=1)
    found = risk.RiskCalculator().calculate_var(both)
    assert isinstance(found, pd.Series)
    assert found.to_dict() == {"fund": risk.value_at_risk(FUND), "market": risk.value_at_risk(MARKET)}


def test_a_sharpe_ratio_that_counts_autocorrelation() -> None:
    plain, counted = risk.sharpe_ratio(FUND, periods_per_year=252), risk.sharpe_ratio(
        FUND, periods_per_year=252, autocorrelation_lags=5
    )  # fmt: skip
    factor = risk.autocorrelation_factor(FUND, 252, lags=5)
    assert counted == pytest.approx(plain * factor / math.sqrt(252), rel=1e-12)


def test_growth_beyond_all_numbers_is_infinite() -> None:
    wild = np.append(np.full(400, 9.0), 0.5)
    assert risk.total_return(wild) == math.inf
    assert risk.annual_return(wild, periods_per_year=1000) == math.inf


def test_many_exceptions_are_summed_as_normal_with_the_same_chances() -> None:
    from algotrendy.risk import var_backtest

    few = var_backtest._simulated(19_999, 0.05, None, 0)[1]  # each loss is drawn
    many = var_backtest._simulated(20_100, 0.05, None, 0)[1]
    assert np.quantile(few, [0.01, 0.05, 0.5]) == pytest.approx(np.quantile(many, [0.01, 0.05, 0.5]), abs=2e-3)


def test_a_probable_sharpe_ratio_of_each_column() -> None:
    both = pd.concat([FUND, MARKET], axis=1)
    for measure in (risk.probabilistic_sharpe_ratio, risk.minimum_track_record_length):
        assert measure(both).to_dict() == {name: measure(both[name]) for name in both}


def test_a_return_below_a_total_loss_is_told_wherever_it_stands() -> None:
    lost = np.zeros(5_000)
    lost[1_000], lost[1_100] = -1.0, -1.5
    with pytest.raises(InputError, match="below -1"):
        risk.max_drawdown(lost)


def test_a_downside_is_divided_as_is_asked_for() -> None:
    returns = [0.02, -0.02, 0.04, -0.01]
    assert risk.downside_deviation(returns, ddof=1) == pytest.approx(math.sqrt(5e-4 / 3))
    assert risk.downside_deviation(returns, count="below", ddof=1) == pytest.approx(math.sqrt(5e-4))
    assert risk.sortino_ratio(returns, count="below") == pytest.approx(0.0075 / math.sqrt(2.5e-4))
    assert math.isnan(risk.sortino_ratio([0.02, -0.02, 0.04], count="below", ddof=1))
    assert risk.downside_deviation([0.02, 0.01], count="below", ddof=1) == 0.0
    with pytest.raises(InputError, match="there are 2 periods"):
        risk.downside_deviation([0.02, -0.01], ddof=2)
    with pytest.raises(InputError, match="count is 'some'"):
        risk.sortino_ratio(returns, count="some")  # type: ignore[arg-type]


def test_drawdowns_of_sums_are_parts_of_the_start() -> None:
    returns = [0.5, -0.75, 0.25, -1.0]
    assert risk.drawdown_series(returns, compound=False).tolist() == [0.0, 0.75, 0.5, 1.5]
    assert risk.max_drawdown(returns, compound=False, sign="return") == -1.5
    assert risk.average_drawdown([-0.1, 0.2, -0.3], compound=False) == pytest.approx(0.2)
    assert risk.pain_index(returns, compound=False) == risk.average_drawdown(returns, of="periods", compound=False)
    assert risk.pain_index(returns, compound=False) == pytest.approx(2.75 / 4)
    assert risk.drawdown_at_risk(returns, 0.5, compound=False, quantile="lower") == pytest.approx(0.75)


def test_a_frame_gives_a_number_or_a_curve_for_each_column() -> None:
    table = pd.DataFrame({"fund": FUND, "market": MARKET})
    for measure in (
        lambda x: risk.deflated_sharpe_ratio(x, 20, 0.1),
        risk.probabilistic_sharpe_ratio,
        risk.minimum_track_record_length,
        lambda x: risk.hill_tail_index(x, 50),
    ):
        found = measure(table)
        assert found.to_dict() == {name: measure(table[name]) for name in table}
    for curve in (
        lambda x: risk.rolling_beta(x, MARKET, 60),
        lambda x: risk.rolling_correlation(x, MARKET, 60),
        lambda x: risk.drawdown_of_equity(1.0 + abs(x)),
    ):
        found = curve(table)
        pd.testing.assert_frame_equal(found, pd.DataFrame({name: curve(table[name]) for name in table}))
        assert curve(table.to_numpy()).to_numpy() == pytest.approx(found.to_numpy(), nan_ok=True)
    with pytest.raises(InputError, match="the table has no columns"):
        risk.deflated_sharpe_ratio(table[[]], 20, 0.1)
