"""Risk measures against independent libraries, on the index history that comes with a dependency.

scipy, statsmodels, arch, scikit-learn and skfolio are the witnesses; where two of them compute the same thing, both are
asked.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from arch import arch_model
from scipy import stats

import algotrendy as at
from algotrendy import risk
from algotrendy.risk.distributions import student_fit

skfolio = pytest.importorskip("skfolio.measures", reason="extra: skfolio is not installed")
covariances = pytest.importorskip("sklearn.covariance", reason="extra: scikit-learn is not installed")
moments = pytest.importorskip("skfolio.moments", reason="extra: skfolio is not installed")


def of(name: str) -> Any:
    return at.sample(name)["close"].pct_change().dropna()


SP500, NASDAQ = of("SP500"), of("NASDAQ")
BOTH = pd.concat({"SP500": SP500, "NASDAQ": NASDAQ}, axis=1).dropna()
MARKET, FUND = BOTH["SP500"], BOTH["NASDAQ"]


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_tails_as_they_were(level: float) -> None:
    x = SP500.to_numpy()
    assert risk.value_at_risk(SP500, level) == pytest.approx(-np.quantile(x, 1.0 - level), rel=1e-12)
    assert risk.value_at_risk(SP500, level) == pytest.approx(-SP500.quantile(1.0 - level), rel=1e-12)
    rule = "higher" if level == 0.9 else "inverted_cdf"  # at a whole number of returns skfolio takes the lesser loss
    stepped = risk.value_at_risk(SP500, level, quantile=rule)
    assert stepped == pytest.approx(skfolio.value_at_risk(x, level), rel=1e-12)
    assert risk.expected_shortfall(SP500, level) == pytest.approx(skfolio.cvar(x, level), rel=1e-12)


def test_age_weights_are_the_weighted_tail_of_skfolio() -> None:
    x = SP500.to_numpy()
    weights = 0.98 ** np.arange(x.size - 1, -1, -1.0)
    found = risk.tail_risk(SP500, 0.95, method="age_weighted")
    assert found.value_at_risk == pytest.approx(skfolio.value_at_risk(x, 0.95, weights / weights.sum()), rel=1e-12)
    assert found.expected_shortfall == pytest.approx(skfolio.cvar(x, 0.95, weights / weights.sum()), rel=1e-9)


def test_parametric_tails_are_those_of_scipy() -> None:
    mean, deviation = SP500.mean(), SP500.std()
    assert risk.value_at_risk(SP500, 0.99, method="parametric") == pytest.approx(
        -stats.norm.ppf(0.01, mean, deviation), rel=1e-12
    )
    freedom, location, scale = stats.t.fit(SP500.to_numpy())
    fit = student_fit(SP500.to_numpy())
    mine = stats.t.logpdf(SP500, fit.degrees_of_freedom, fit.location, fit.scale).sum()
    theirs = stats.t.logpdf(SP500, freedom, location, scale).sum()
    assert mine >= theirs - 1e-6
    assert fit.degrees_of_freedom == pytest.approx(freedom, rel=2e-3)
    expected = stats.t(fit.degrees_of_freedom, fit.location, fit.scale)
    found = risk.tail_risk(SP500, 0.99, method="student_t")
    assert found.value_at_risk == pytest.approx(-expected.ppf(0.01), rel=1e-9)
    below = expected.expect(lambda x: x, lb=-np.inf, ub=expected.ppf(0.01)) / 0.01
    assert found.expected_shortfall == pytest.approx(-below, rel=1e-3)


@pytest.mark.parametrize("threshold", [0.9, 0.97])
def test_the_pareto_tail_is_that_of_scipy(threshold: float) -> None:
    fit = risk.tail_fit(NASDAQ, threshold=threshold)
    losses = -NASDAQ.to_numpy()
    excesses = losses[losses > np.quantile(losses, threshold)] - np.quantile(losses, threshold)
    shape, _, scale = stats.genpareto.fit(excesses, floc=0.0)
    assert (fit.n_exceedances, fit.threshold) == (excesses.size, pytest.approx(np.quantile(losses, threshold)))
    assert fit.log_likelihood == pytest.approx(
        stats.genpareto.logpdf(excesses, fit.shape, 0.0, fit.scale).sum(), rel=1e-9
    )
    assert fit.log_likelihood >= stats.genpareto.logpdf(excesses, shape, 0.0, scale).sum() - 1e-6
    assert (fit.shape, fit.scale) == pytest.approx((shape, scale), rel=2e-3)
    survival = (
        excesses.size / losses.size * stats.genpareto.sf(fit.value_at_risk(0.995) - fit.threshold, shape, 0.0, scale)
    )
    assert survival == pytest.approx(0.005, rel=1e-3)


@pytest.mark.parametrize("distribution", ["normal", "student_t"])
@pytest.mark.parametrize("returns", [SP500, NASDAQ.iloc[:500], NASDAQ.iloc[-750:]], ids=["all", "1999", "last"])
def test_the_garch_is_that_of_arch(returns: Any, distribution: Any) -> None:
    fit = risk.garch_estimate(returns, distribution=distribution)
    model = arch_model(100.0 * returns.to_numpy(), dist="t" if distribution == "student_t" else "normal", rescale=False)
    start = [100.0 * fit.mean, 1e4 * fit.constant, fit.news, fit.memory]
    start += [] if fit.degrees_of_freedom is None else [fit.degrees_of_freedom]
    theirs = model.fit(disp="off", show_warning=False, tol=1e-12, options={"maxiter": 1000})
    shift = returns.size * math.log(100.0)
    # The same likelihood at the same numbers, and no greater one is found by arch.
    at_ours = model.fix(start).loglikelihood
    assert fit.log_likelihood == pytest.approx(at_ours + shift, rel=1e-6)
    assert fit.log_likelihood >= theirs.loglikelihood + shift - 0.02
    forecast = theirs.forecast(horizon=10, reindex=False).variance.to_numpy()[0] / 1e4
    assert fit.forecast(10) == pytest.approx(forecast, rel=2e-2)
    fixed = model.fix(start).forecast(horizon=10, reindex=False).variance.to_numpy()[0] / 1e4
    assert fit.forecast(10) == pytest.approx(fixed, rel=1e-4)


@pytest.mark.parametrize("shape", [(40, 12), (300, 6)])
def test_covariances_are_those_of_scikit_learn_and_skfolio(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    x = rng.standard_t(5, shape) @ rng.normal(size=(shape[1], shape[1])) * 0.01
    x = np.maximum(x, -0.9)
    lw, oas = covariances.LedoitWolf().fit(x), covariances.OAS().fit(x)
    assert risk.covariance(x, method="ledoit_wolf").to_numpy() == pytest.approx(lw.covariance_, rel=1e-10)
    assert risk.shrinkage(x) == pytest.approx(lw.shrinkage_, rel=1e-10)
    assert risk.covariance(x, method="oas").to_numpy() == pytest.approx(oas.covariance_, rel=1e-10)
    assert risk.shrinkage(x, method="oas") == pytest.approx(oas.shrinkage_, rel=1e-10)
    assert risk.covariance(x).to_numpy() == pytest.approx(np.cov(x, rowvar=False), rel=1e-10)
    assert risk.covariance(x).to_numpy() == pytest.approx(pd.DataFrame(x).cov().to_numpy(), rel=1e-10)
    assert risk.covariance(x, method="ledoit_wolf").to_numpy() == pytest.approx(
        moments.LedoitWolf().fit(x).covariance_, rel=1e-10
    )


@pytest.mark.parametrize("lags", [0, 5])
def test_errors_of_exposures_are_those_of_statsmodels(lags: int) -> None:
    factors = pd.DataFrame({"market": MARKET, "yesterday": MARKET.shift(1).fillna(0.0)})
    found = risk.factor_exposures(FUND, factors, lags=lags)
    theirs = sm.OLS(FUND, sm.add_constant(factors)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}
    )
    assert found.table["coefficient"].to_numpy() == pytest.approx(theirs.params.to_numpy(), rel=1e-9)
    assert found.table["standard_error"].to_numpy() == pytest.approx(theirs.bse.to_numpy(), rel=1e-9)
    assert found.table["p_value"].to_numpy() == pytest.approx(theirs.pvalues.to_numpy(), rel=1e-6, abs=1e-300)
    assert found.covariance.to_numpy() == pytest.approx(theirs.cov_params().to_numpy(), rel=1e-9)
    assert (found.r_squared, found.adjusted_r_squared) == pytest.approx(
        (theirs.rsquared, theirs.rsquared_adj), rel=1e-9
    )
    assert found.residual_volatility == pytest.approx(math.sqrt(theirs.scale), rel=1e-9)


def test_betas_are_those_of_scipy_and_statsmodels() -> None:
    line = stats.linregress(MARKET, FUND)
    assert risk.beta(FUND, MARKET) == pytest.approx(line.slope, rel=1e-10)
    assert risk.alpha(FUND, MARKET, periods_per_year=252) == pytest.approx(252 * line.intercept, rel=1e-8)
    assert risk.correlation(FUND, MARKET) == pytest.approx(line.rvalue, rel=1e-10)
    assert risk.correlation(FUND, MARKET) == pytest.approx(FUND.corr(MARKET), rel=1e-10)
    robust = sm.RLM(FUND, sm.add_constant(MARKET), M=sm.robust.norms.HuberT(1.345)).fit(tol=1e-13, maxiter=500)
    assert risk.beta(FUND, MARKET, method="robust") == pytest.approx(robust.params["SP500"], rel=1e-7)
    down = BOTH[MARKET.mean() > MARKET]
    assert risk.beta(FUND, MARKET, method="downside") == pytest.approx(
        stats.linregress(down["SP500"], down["NASDAQ"]).slope, rel=1e-10
    )


def test_drawdowns_are_those_of_skfolio() -> None:
    x = NASDAQ.to_numpy()
    lost = skfolio.get_drawdowns(x, compounded=True)
    assert risk.drawdown_series(NASDAQ, sign="return").to_numpy() == pytest.approx(lost, abs=1e-12)
    assert risk.max_drawdown(NASDAQ) == pytest.approx(skfolio.max_drawdown(lost), rel=1e-12)
    assert risk.average_drawdown(NASDAQ, of="periods") == pytest.approx(skfolio.average_drawdown(lost), rel=1e-12)
    assert risk.ulcer_index(NASDAQ) == pytest.approx(skfolio.ulcer_index(lost), rel=1e-12)
    assert risk.conditional_drawdown_at_risk(NASDAQ, 0.95) == pytest.approx(skfolio.cdar(lost, 0.95), rel=1e-9)
    bars = at.sample("NASDAQ")["close"]
    assert risk.max_drawdown_of_equity(bars) == pytest.approx((1.0 - bars / bars.cummax()).max(), rel=1e-12)


def test_moments_of_the_table_are_those_of_scipy_and_skfolio() -> None:
    table = risk.metrics(SP500, periods_per_year=252)
    x = SP500.to_numpy()
    assert table["skewness"] == pytest.approx(stats.skew(x), rel=1e-10)
    assert table["skewness"] == pytest.approx(skfolio.skew(x), rel=1e-10)
    assert table["excess_kurtosis"] == pytest.approx(stats.kurtosis(x), rel=1e-10)
    assert table["volatility"] == pytest.approx(SP500.std() * math.sqrt(252), rel=1e-12)
    assert table["autocorrelation"] == pytest.approx(sm.tsa.acf(x, nlags=1, fft=False)[1], rel=1e-10)
    lo = 12 / math.sqrt(12 + 2 * sum((12 - k) * rho for k, rho in enumerate(sm.tsa.acf(x, nlags=11, fft=False)) if k))
    assert risk.autocorrelation_factor(SP500, 12) == pytest.approx(lo, rel=1e-10)


def test_independence_of_exceptions_is_the_g_test_of_scipy() -> None:
    hits = (-risk.value_at_risk(SP500, 0.95) > SP500).to_numpy()
    test = risk.christoffersen_test(hits, 0.95)
    n00, n01, n10, n11 = test.transitions
    theirs = stats.chi2_contingency([[n00, n01], [n10, n11]], correction=False, lambda_="log-likelihood")
    assert test.independence.statistic == pytest.approx(theirs.statistic, rel=1e-9)
    assert test.independence.p_value == pytest.approx(theirs.pvalue, rel=1e-9)


def test_ewma_is_the_adjusted_mean_of_pandas() -> None:
    product = (MARKET * FUND).ewm(alpha=0.06, adjust=True).mean().iloc[-1]
    assert risk.covariance(BOTH, method="ewma").iloc[0, 1] == pytest.approx(product, rel=1e-10)
    expected = np.sqrt((SP500**2).ewm(alpha=0.06, adjust=True).mean())
    assert risk.ewma_volatility(SP500).to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-10)


def test_rolling_figures_are_those_of_pandas() -> None:
    window = SP500.rolling(60)
    assert risk.rolling_value_at_risk(SP500, 60).to_numpy() == pytest.approx(
        -window.quantile(0.05).to_numpy(), rel=1e-9, abs=1e-15, nan_ok=True
    )
    assert risk.rolling_volatility(SP500, 60).to_numpy() == pytest.approx(
        window.std().to_numpy(), rel=1e-8, nan_ok=True
    )
    joint = FUND.rolling(60).cov(MARKET) / MARKET.rolling(60).var()
    assert risk.rolling_beta(FUND, MARKET, 60).to_numpy() == pytest.approx(joint.to_numpy(), rel=1e-8, nan_ok=True)
    assert risk.rolling_correlation(FUND, MARKET, 60).to_numpy() == pytest.approx(
        FUND.rolling(60).corr(MARKET).to_numpy(), rel=1e-8, nan_ok=True
    )
