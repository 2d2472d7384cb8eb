"""Optimisers of weights: what they take and refuse, what a result tells, target weights through time."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.walk_forward import walk_forward_weights
from algotrendy.errors import InputError, MissingExtraError
from algotrendy.portfolio.optimise import (
    OBJECTIVES,
    Allocation,
    Constraints,
    Estimates,
    View,
    WeightOptimiser,
    black_litterman,
    efficient_frontier,
    equal_weight,
    equilibrium_returns,
    hierarchical_risk_parity,
    inverse_volatility,
    max_diversification,
    max_sharpe,
    mean_variance,
    min_cvar,
    min_variance,
    risk_parity,
    rolling_weights,
    skfolio_estimator,
    skfolio_names,
    skfolio_portfolio,
)
from algotrendy.portfolio.optimise.quadratic import Quadratic, solve

NAMES = list("ABCDE")


def returns_of(n: int = 5, periods: int = 120, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = rng.normal(0.0008, 0.01, (periods, n)) * np.linspace(0.6, 1.6, n) + rng.normal(0.0, 0.006, (periods, 1))
    return pd.DataFrame(values, columns=NAMES[:n], index=pd.bdate_range("2022-01-03", periods=periods))


RETURNS = returns_of()


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    return pd.DataFrame({name: at.synthetic(n=260, seed=k)["close"] for k, name in enumerate("ABCD")})


# --- inputs ---


def test_estimates_are_annual_and_keep_their_returns() -> None:
    found = Estimates.from_returns(RETURNS, periods_per_year=252)
    np.testing.assert_allclose(found.matrix(), RETURNS.cov() * 252, rtol=1e-10)
    np.testing.assert_allclose(found.expected(), RETURNS.mean() * 252, rtol=1e-12)
    assert found.returns is not None
    assert found.returns.index.equals(RETURNS.index)
    for method in ("ewma", "ledoit_wolf", "oas"):
        other = Estimates.from_returns(RETURNS, covariance_method=method)  # type: ignore[arg-type]
        np.testing.assert_allclose(other.covariance, at_covariance(method), rtol=1e-12)


def at_covariance(method: Any) -> pd.DataFrame:
    from algotrendy.risk import covariance

    return covariance(RETURNS, method=method, periods_per_year=252)


def test_missing_returns_are_refused_or_left_out() -> None:
    holed = RETURNS.copy()
    holed.iloc[5, 2] = np.nan
    with pytest.raises(InputError, match=r"1 of 600 returns are NaN, first at 2022-01-10"):
        min_variance(holed)
    kept = min_variance(Estimates.from_returns(holed, nan_policy="omit"))
    other = min_variance(holed.drop(index=holed.index[5]))
    np.testing.assert_allclose(kept.weights, other.weights, rtol=1e-12)
    with pytest.raises(InputError, match="choose one of: raise, omit"):
        Estimates.from_returns(holed, nan_policy="propagate")  # type: ignore[arg-type]


COV = pd.DataFrame(np.diag([0.04, 0.01]), index=["A", "B"], columns=["A", "B"])


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (COV.to_numpy(), "is a ndarray"),
        (COV.set_axis(["A", "A"], axis=0).set_axis(["A", "A"], axis=1), "one name of its own: A"),
        (COV.iloc[::-1], "same assets in the same order"),
        (COV * np.nan, "'A' and 'A' is not finite"),
        (COV + np.array([[0, 0.001], [0, 0]]), "not symmetric"),
        (COV * np.array([[-1, 0], [0, 1]]), "variance of 'A' is below 0"),
        (COV + np.array([[0, 0.03], [0.03, 0]]), "negative eigenvalue"),
        (COV.iloc[:0, :0], "there is no asset"),
    ],
)
def test_what_is_no_covariance_is_refused(covariance: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Estimates(covariance)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: min_variance([1, 2]), "given as a list"),  # type: ignore[arg-type]
        (lambda: Estimates(COV, {"A": 0.1}), r"no expected return for \['B'\]"),
        (lambda: Estimates(COV, {"A": 0.1, "B": math.inf}), "of 'B' is not finite"),
        (lambda: Estimates(COV, returns=RETURNS), "columns of the returns"),
        (lambda: mean_variance(Estimates(COV)), "needs expected returns"),
        (lambda: max_sharpe(Estimates(COV)), "needs expected returns"),
        (lambda: min_cvar(Estimates(COV)), "needs returns, its scenarios"),
        (lambda: mean_variance(RETURNS, risk_aversion=0.0), "risk_aversion is 0.0"),
        (lambda: min_cvar(RETURNS, confidence_level=95), "between 0 and 1"),
        (lambda: hierarchical_risk_parity(RETURNS, linkage="near"), "linkage is 'near'"),  # type: ignore[arg-type]
        (lambda: risk_parity(RETURNS, risk_budgets=dict.fromkeys(NAMES, 0.0)), "risk budget of 'A' is 0"),
        (lambda: risk_parity(RETURNS, constraints=Constraints(lower=-0.1)), "long only"),
        (lambda: hierarchical_risk_parity(RETURNS, constraints=Constraints(lower=-0.1)), "long only"),
        (lambda: risk_parity(RETURNS, constraints=Constraints(upper={"B": 0.0})), "'B' may have no weight"),
        (lambda: risk_parity(RETURNS, constraints=Constraints(gross_max=1.0)), "not gross_max"),
        (lambda: risk_parity(RETURNS, constraints=Constraints(budget=(0.5, 1.0))), "one number above 0"),
        (lambda: efficient_frontier(RETURNS, n_points=1), "at least 2"),
        (lambda: efficient_frontier(RETURNS, constraints=Constraints(lower=-math.inf, upper=math.inf)), "without end"),
        (lambda: WeightOptimiser("best"), "objective is 'best'"),  # type: ignore[arg-type]
        (lambda: WeightOptimiser("equal_weight", constraints=Constraints()), "rule without constraints"),
        (lambda: View(assets={}, value=0.1), "about at least one asset"),
        (lambda: View(assets={"A": 1}, value=0.1, confidence=1.5), "between 0"),
        (lambda: View(assets={"A": 1}, value=0.1, variance=-1.0), "at least 0"),
        (lambda: black_litterman(Estimates(COV), []), "one of them"),
        (lambda: black_litterman(Estimates(COV), [View(assets={"Z": 1}, value=0.1)], prior={"A": 0, "B": 0}), "'Z'"),
        (lambda: equilibrium_returns(COV, {"A": 1.0}), r"no market weight for \['B'\]"),
    ],
)
def test_what_cannot_be_is_refused(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": (1.0, 0.5)}, "swap them"),
        ({"budget": (1.0, 0.5, 2.0)}, "a pair of its least and most"),
        ({"gross_max": -1.0}, "gross_max is -1.0"),
        ({"turnover_max": 0.1}, "held"),
        ({"costs": 0.01}, "held"),
        ({"group_bounds": {"tech": (0, 1)}}, "no asset is in the group 'tech'"),
        ({"groups": {"A": "t"}, "group_bounds": {"t": (0.5, 0.1)}}, "swap them"),
        ({"groups": {"Z": "t"}}, "groups names 'Z'"),
        ({"lower": 0.5, "upper": 0.1}, "weight of 'A' is at least 0.5"),
        ({"upper": {"Z": 0.1}}, "upper names 'Z'"),
        ({"upper": math.nan}, "upper is NaN"),
        ({"held": {}, "costs": -0.1}, "below 0 or not finite"),
        ({"held": {"A": math.inf}}, "held weight is not finite"),
        ({"held": [0.5, 0.5]}, "expected one for each of 5"),
    ],
)
def test_constraints_that_say_nothing_sound_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        min_variance(RETURNS, constraints=Constraints(**options))


GROUPS = {"A": "x", "B": "x", "C": "y", "D": "y", "E": "y"}


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (Constraints(upper=0.1), ["budget = 1", "0.5 at the most"]),
        (Constraints(lower={"A": 0.6, "B": 0.6}), ["budget = 1", "1.2 at the least"]),
        (Constraints(groups=GROUPS, group_bounds={"x": (0.5, None)}, upper={"A": 0.1, "B": 0.1}),
         ["group x >= 0.5", "0.2 at the most"]),
        (Constraints(groups=GROUPS, group_bounds={"x": (0.7, None), "y": (0.7, None)}),
         ["group x >= 0.7", "group y >= 0.7", "budget = 1"]),
        (Constraints(return_min=9.0), ["return >= 9", "budget = 1"]),
        (Constraints(held={"A": 1.0}, turnover_max=0.1, upper=0.5), ["turnover <= 0.1", "A <= 0.5"]),
        (Constraints(lower=-1.0, gross_max=0.5), ["gross <= 0.5", "budget = 1"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("optimiser", [min_variance, max_diversification, min_cvar, mean_variance, max_sharpe])
def test_constraints_that_cannot_hold_together_are_named(optimiser: Any, limits: Constraints, named: list[str]) -> None:
    with pytest.raises(InputError, match="no weights meet all constraints") as caught:
        optimiser(RETURNS, constraints=limits)
    assert [name for name in named if name not in str(caught.value)] == []


# --- degenerate assets ---


def test_one_asset_gets_everything() -> None:
    alone = RETURNS[["A"]].abs()
    for name, optimiser in OBJECTIVES.items():
        assert optimiser(alone).weights.to_dict() == {"A": pytest.approx(1.0, abs=1e-12)}, name
    assert efficient_frontier(alone, n_points=3).points["volatility"].std() < 1e-12


def test_fewer_periods_than_assets_are_no_obstacle_to_long_portfolios() -> None:
    few = returns_of(periods=4)
    for optimiser in (min_variance, mean_variance, risk_parity, hierarchical_risk_parity, min_cvar):
        found = optimiser(few)
        assert found.weights.sum() == pytest.approx(1.0, abs=1e-9)
        assert found.kkt_residual < 1e-8 or math.isnan(found.kkt_residual)


def test_the_same_asset_twice_shares_a_weight_in_any_way() -> None:
    twice = RETURNS[["A", "B"]].assign(C=RETURNS["A"])
    once = min_variance(RETURNS[["A", "B"]]).weights
    found = min_variance(twice).weights
    assert found["A"] + found["C"] == pytest.approx(once["A"], abs=1e-8)
    assert hierarchical_risk_parity(twice).weights.sum() == pytest.approx(1.0)


def test_an_asset_that_does_not_move() -> None:
    still = RETURNS.assign(E=0.0)
    assert min_variance(still).weights.round(9).to_dict() == dict.fromkeys("ABCD", 0.0) | {"E": 1.0}
    for optimiser in (risk_parity, max_diversification, inverse_volatility, hierarchical_risk_parity):
        with pytest.raises(InputError, match="'E' has no variance"):
            optimiser(still)
    with pytest.raises(InputError, match="without any variance"):
        max_sharpe(RETURNS.assign(E=0.001))
    nothing = RETURNS * 0.0
    assert min_variance(nothing).volatility == 0.0
    assert math.isnan(min_variance(nothing).sharpe_ratio)
    assert min_variance(nothing).contributions["share"].isna().all()


def test_a_sharpe_ratio_needs_something_to_earn() -> None:
    with pytest.raises(InputError, match="earn more than the risk-free rate"):
        max_sharpe(-RETURNS.abs())
    two = Estimates(COV, {"A": 0.02, "B": 0.02}, risk_free_rate=0.02)
    with pytest.raises(InputError, match="earn more than the risk-free rate"):
        max_sharpe(two)
    free = Constraints(lower=-math.inf, upper=math.inf)
    with pytest.raises(InputError, match="has no maximum"):
        max_sharpe(Estimates(COV, {"A": -0.05, "B": -0.02}), constraints=free)


def test_little_to_earn_within_tight_bounds_is_still_found() -> None:
    names = [f"A{k}" for k in range(12)]
    tight = Constraints(lower=-0.1, upper=0.0838, gross_max=1.14)
    returns = pd.DataFrame(np.random.default_rng(4).normal(0.0, 0.01, (40, 12)), columns=names)
    least = 1e-5 - returns.mean().mean()  # held alike, the assets earn next to nothing
    assets = Estimates.from_returns(returns + least)
    found = max_sharpe(assets, constraints=tight)
    assert found.status == "optimal"
    assert 0.0 < found.value < 0.5
    near = np.eye(12)  # no step between two assets within the bounds is better
    for one in near:
        for other in near:
            moved = found.weights.to_numpy() + 1e-5 * (one - other)
            if moved.max() <= 0.0838 + 1e-12:
                mean, spread = moved @ assets.expected(), math.sqrt(moved @ assets.matrix() @ moved)
                assert mean / spread <= found.value + 1e-9


def test_contradicting_views_that_are_certain_are_refused() -> None:
    views = [View(assets={"A": 1}, value=0.1, confidence=1.0), View(assets={"A": 2}, value=0.1, confidence=1.0)]
    with pytest.raises(InputError, match="contradict"):
        black_litterman(Estimates(COV), views, prior={"A": 0.05, "B": 0.02})
    prior = black_litterman(Estimates(COV), [], prior={"A": 0.05, "B": 0.02})
    assert prior.expected().tolist() == pytest.approx([0.05, 0.02])
    np.testing.assert_allclose(prior.matrix(), COV * 1.05)


# --- what constraints do ---


def test_a_budget_below_one_leaves_cash_that_earns_the_rate() -> None:
    assets = Estimates.from_returns(RETURNS, risk_free_rate=0.03)
    half = min_variance(assets, constraints=Constraints(budget=0.5))
    full = min_variance(assets)
    assert half.cash == pytest.approx(0.5)
    np.testing.assert_allclose(half.weights * 2, full.weights, atol=1e-12)
    assert half.expected_return == pytest.approx(0.5 * full.expected_return + 0.5 * 0.03)
    assert half.sharpe_ratio == pytest.approx(full.sharpe_ratio)


def test_costs_keep_what_is_not_worth_trading() -> None:
    best = mean_variance(RETURNS, risk_aversion=5.0)
    near = best.weights * 0.99 + 0.01 / 5
    dear = mean_variance(RETURNS, risk_aversion=5.0, constraints=Constraints(held=near, costs=0.5))
    np.testing.assert_allclose(dear.weights, near, atol=1e-10)
    assert (dear.cost, dear.turnover) == (pytest.approx(0.0, abs=1e-9), pytest.approx(0.0, abs=1e-9))
    cheap = mean_variance(RETURNS, risk_aversion=5.0, constraints=Constraints(held=near, costs=1e-9))
    np.testing.assert_allclose(cheap.weights, best.weights, atol=1e-5)


def test_turnover_and_gross_exposure_stay_within() -> None:
    held = {"A": 0.5, "B": 0.5}
    found = min_variance(RETURNS, constraints=Constraints(held=held, turnover_max=0.15, lower=-1.0, gross_max=1.2))
    moved = found.weights - pd.Series(held).reindex(NAMES, fill_value=0.0)
    assert moved.abs().sum() / 2 == pytest.approx(0.15, abs=1e-9)
    assert found.turnover == pytest.approx(0.15, abs=1e-9)
    assert found.weights.abs().sum() <= 1.2 + 1e-9
    assert "turnover <= 0.15" in found.binding


def test_what_binds_is_named() -> None:
    limits = Constraints(groups=GROUPS, group_bounds={"x": (None, 0.3)}, upper=0.4)
    found = min_variance(RETURNS, constraints=limits)
    assert "group x <= 0.3" in found.binding
    loose = min_variance(RETURNS, constraints=Constraints(upper=0.9, lower=-0.5))
    assert loose.binding == ()
    pinned = min_variance(RETURNS, constraints=Constraints(lower={"A": 0.2}, upper={"A": 0.2}))
    assert pinned.weights["A"] == 0.2
    assert max_diversification(RETURNS, constraints=Constraints(lower={"A": 0.2}, upper={"A": 0.2})).weights[
        "A"
    ] == pytest.approx(0.2, abs=1e-9)


# --- the result ---


def test_a_result_tells_what_it_is() -> None:
    found = max_sharpe(Estimates.from_returns(RETURNS, risk_free_rate=0.02))
    w, cov, mu = found.weights.to_numpy(), RETURNS.cov().to_numpy() * 252, RETURNS.mean().to_numpy() * 252
    assert found.expected_return == pytest.approx(w @ mu, rel=1e-9)
    assert found.volatility == pytest.approx(math.sqrt(w @ cov @ w), rel=1e-9)
    assert found.contributions["component"].sum() == pytest.approx(found.volatility, rel=1e-12)
    assert found.effective_assets == pytest.approx(1 / (w**2).sum(), rel=1e-9)
    assert found.diversification_ratio == pytest.approx(w @ np.sqrt(np.diag(cov)) / found.volatility, rel=1e-9)
    assert equal_weight(RETURNS).effective_assets == pytest.approx(5.0)
    assert list(found.frame().columns) == ["weight", "expected_return", "volatility", "risk_share"]
    assert "Sharpe ratio" in str(found)
    assert "<table" in found._repr_html_()
    assert "optimal" in repr(found)


def test_whole_shares_spend_no_more_than_the_capital() -> None:
    found = risk_parity(RETURNS)
    prices = dict(zip(NAMES, [31.0, 7.5, 120.0, 64.0, 15.0], strict=True))
    shares = found.whole_shares(prices, 10_000)
    assert shares.method == "exact"
    spent = sum(float(quantity) * prices[name] for name, quantity in shares.quantities.items())
    assert spent + float(shares.cash) == pytest.approx(10_000)
    rounded = found.whole_shares(prices, 10_000, method="largest_remainder")
    assert shares.distance <= rounded.distance
    short = min_variance(RETURNS, constraints=Constraints(lower={"E": -0.2}, upper={"E": -0.1}))
    with pytest.raises(InputError, match="below 0"):
        short.whole_shares(prices, 10_000)


def test_pictures_hold_what_they_say() -> None:
    found = min_variance(RETURNS)
    figure = found.plot()
    bars = {bar.name: dict(zip(bar.x, bar.y, strict=True)) for bar in figure.data}
    assert bars["Weight"] == pytest.approx(found.weights.to_dict())
    assert bars["Share of the volatility"] == pytest.approx(found.contributions["share"].to_dict())
    frontier = efficient_frontier(RETURNS, n_points=8)
    picture = frontier.plot()
    assert list(picture.data[0].x) == pytest.approx(frontier.points["volatility"].tolist())
    stacked = np.sum([layer.y for layer in picture.data[4:]], axis=0)
    np.testing.assert_allclose(stacked, 1.0, atol=1e-6)
    free = efficient_frontier(RETURNS, n_points=4, constraints=Constraints(lower=-0.5, gross_max=2.0)).plot()
    assert free.data[-1].stackgroup is None


def test_the_frontier_rises_and_bends() -> None:
    frontier = efficient_frontier(RETURNS, n_points=12)
    points = frontier.points
    assert (points["expected_return"].diff().dropna() > 0).all()
    slopes = points["volatility"].diff().dropna().to_numpy()
    assert (slopes > 0).all()
    assert (np.diff(slopes) > -1e-9).all()
    assert frontier.allocations[0].volatility == pytest.approx(min_variance(RETURNS).volatility)
    assert points["expected_return"].iloc[-1] == pytest.approx(RETURNS.mean().max() * 252, rel=1e-6)
    assert frontier.at_volatility(1.0) is frontier.allocations[-1]
    assert points["sharpe_ratio"].max() <= max_sharpe(RETURNS).value + 1e-12
    assert (len(frontier), len(frontier.weights)) == (12, 12)
    assert "12 portfolios" in repr(frontier)
    with pytest.raises(InputError, match="least volatility"):
        frontier.at_volatility(0.001)


def test_a_first_guess_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(40, 10))
    problem = Quadratic(
        P=root.T @ root, q=-rng.uniform(size=10), A=np.ones((1, 10)), b=np.ones(1), G=rng.normal(size=(2, 10)),
        h=np.array([0.05, 0.1]), lower=np.zeros(10), upper=np.ones(10),
    )  # fmt: skip
    cold = solve(problem)
    np.testing.assert_allclose(solve(problem, cold).x, cold.x, atol=1e-12)
    assert cold.is_optimal
    impossible = Quadratic(**{name: getattr(problem, name) for name in Quadratic.__slots__} | {"b": np.array([20.0])})
    assert not solve(impossible).is_optimal


# --- through time ---


@pytest.mark.parametrize("objective", [*OBJECTIVES, min_variance])
def test_optimisers_walk_forward(prices: pd.DataFrame, objective: Any) -> None:
    if objective in ("max_sharpe", "mean_variance"):
        prices = prices * np.exp(0.01 * np.arange(len(prices)))[:, None]  # something to earn in every window
    optimiser = WeightOptimiser(objective)
    weights = walk_forward_weights(optimiser, prices, training=100, testing=80)
    assert weights.shape == (2, 4)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-9)
    by_hand = WeightOptimiser(objective).fit(prices.iloc[:100].pct_change().iloc[1:])
    np.testing.assert_allclose(weights.iloc[0], by_hand.weights_, atol=1e-12)
    assert isinstance(by_hand.allocation_, Allocation)
    assert not hasattr(optimiser, "weights_")


@pytest.mark.parametrize("every", ["1mo", "1wk", 17])
def test_noise_in_the_future_changes_no_decision_of_the_past(prices: pd.DataFrame, every: str | int) -> None:
    limits = Constraints(held={}, turnover_max=0.2, costs=0.001)
    optimiser = WeightOptimiser("min_variance", constraints=limits)
    whole = rolling_weights(prices, optimiser, window=60, every=every)
    noisy = prices.copy()
    noisy.iloc[150:] *= np.random.default_rng(0).uniform(0.5, 2.0, (110, 4))
    other = rolling_weights(noisy, optimiser, window=60, every=every)
    cut = rolling_weights(prices.iloc[:150], optimiser, window=60, every=every)
    before = whole.index < prices.index[150]
    pd.testing.assert_frame_equal(whole[before], other[before], check_exact=True)
    pd.testing.assert_frame_equal(whole[before], cut, check_exact=True)
    assert not whole[~before].equals(other[~before])


def test_rolling_weights_keep_turnover_against_what_prices_made_of_them(prices: pd.DataFrame) -> None:
    limits = Constraints(held={}, turnover_max=0.05)
    weights = rolling_weights(prices, WeightOptimiser("min_variance", constraints=limits), window=60, every=20)
    for k in range(1, len(weights)):
        grown = weights.iloc[k - 1] * prices.loc[weights.index[k]] / prices.loc[weights.index[k - 1]]
        moved = weights.iloc[k] - grown / grown.sum()
        assert moved.abs().sum() / 2 <= 0.05 + 1e-9
    free = rolling_weights(prices, WeightOptimiser("min_variance"), window=60, every=20)
    assert free.diff().abs().sum(axis=1).max() > weights.diff().abs().sum(axis=1).max()


def test_decisions_are_at_the_first_bar_of_a_period(prices: pd.DataFrame) -> None:
    weights = rolling_weights(prices, WeightOptimiser("inverse_volatility"), window=60, every="1mo")
    months = prices.index.tz_localize(None).to_period("M")
    firsts = [k for k in range(60, len(prices)) if months[k] != months[k - 1]]
    assert list(weights.index) == [prices.index[59], *prices.index[firsts]]
    last = prices.iloc[firsts[-1] - 59 : firsts[-1] + 1].pct_change().iloc[1:]
    by_hand = WeightOptimiser("inverse_volatility").fit(last)
    np.testing.assert_allclose(weights.iloc[-1], by_hand.weights_, rtol=1e-12)


def test_a_symbol_that_comes_late_joins_when_its_window_is_full(prices: pd.DataFrame) -> None:
    late = prices.copy()
    late.iloc[:100, 1] = np.nan
    limits = Constraints(
        groups={"A": "x", "B": "y"}, group_bounds={"y": (0.0, 0.5)}, upper={"B": 0.3, "A": 0.9}, held={}
    )
    weights = rolling_weights(late, WeightOptimiser("risk_parity"), window=60, every=20)
    assert (weights["B"] > 0).tolist() == [time >= prices.index[159] for time in weights.index]
    bounded = rolling_weights(late, WeightOptimiser("min_variance", constraints=limits), window=60, every=20)
    assert bounded["B"].max() <= 0.3 + 1e-9


def test_rolling_weights_are_traded(prices: pd.DataFrame) -> None:
    bars = {name: at.synthetic(n=260, seed=k) for k, name in enumerate("ABCD")}
    weights = rolling_weights(prices, WeightOptimiser("risk_parity"), window=60)
    result = at.backtest(bars, weights=weights)
    orders = result.orders
    assert (orders["decided_at"].unique() == weights.index).all()
    first = orders[orders["decided_at"] == weights.index[0]].set_index("symbol")
    after = prices.index[prices.index.get_loc(weights.index[0]) + 1]
    assert (first["filled_at"] == after).all()
    opens = pd.Series({name: frame.loc[after, "open"] for name, frame in bars.items()})
    np.testing.assert_allclose(first["price"], opens[first.index], rtol=1e-12)
    np.testing.assert_allclose(first["units"] * first["price"] / 100_000, weights.iloc[0][first.index], rtol=1e-9)
    assert sorted(first.index) == list("ABCD")


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda p: p.iloc[:50], {}, "fewer than the window of 60"),
        (lambda p: p, {"window": 2}, "at least 3"),
        (lambda p: p, {"every": "5m"}, "shorter than a day"),
        (lambda p: p, {"every": 0}, "at least 1"),
        (lambda p: p.iloc[::-1], {}, "ascending order"),
        (lambda p: -p, {}, "above zero"),
        (lambda p: p * 0 + 1, {}, "at 2000-03-24.*has no variance"),
    ],
)
def test_what_cannot_be_rolled_is_refused(
    prices: pd.DataFrame, change: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        rolling_weights(change(prices), WeightOptimiser("risk_parity"), **{"window": 60, **options})
    with pytest.raises(InputError, match=r"without fit\(X\)"):
        rolling_weights(prices, "min_variance")  # type: ignore[arg-type]


def test_expected_returns_of_a_view_may_name_more_assets_than_are_fitted() -> None:
    views = dict(zip(NAMES, [0.1, 0.08, 0.06, 0.05, 0.04], strict=True))
    optimiser = WeightOptimiser("max_sharpe", expected_returns=views).fit(RETURNS[["A", "C"]])
    assert optimiser.allocation_.estimates.expected().tolist() == [0.1, 0.06]


# --- skfolio ---


def test_optimisers_of_skfolio_by_name(prices: pd.DataFrame) -> None:
    pytest.importorskip("skfolio", reason="extra: skfolio is not installed")
    found = skfolio_portfolio("MeanRisk", RETURNS, min_weights=0.1)
    assert found.weights.min() >= 0.1 - 1e-6
    assert found.objective == "skfolio MeanRisk"
    assert math.isnan(found.kkt_residual)
    weights = rolling_weights(prices, skfolio_estimator("HierarchicalRiskParity"), window=100, every=80)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-9)
    ready = skfolio_estimator("EqualWeighted")
    assert skfolio_portfolio(ready, RETURNS).weights.tolist() == pytest.approx([0.2] * 5)
    with pytest.raises(InputError, match="set up already"):
        skfolio_portfolio(ready, RETURNS, min_weights=0.1)
    with pytest.raises(InputError, match="no optimiser 'Best'"):
        skfolio_estimator("Best")
    with pytest.raises(InputError, match="refuses these options"):
        skfolio_estimator("MeanRisk", no_such_option=1)


def test_skfolio_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skfolio.optimization", None)
    with pytest.raises(MissingExtraError, match=r"algotrendy\[optimise\]"):
        skfolio_names()
