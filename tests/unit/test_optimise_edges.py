"""Optimisers where something has no answer: limits that say nothing, riskless mixes, utility without end, costs."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.walk_forward import walk_forward_weights
from algotrendy.errors import InputError
from algotrendy.portfolio.optimise import (
    Allocation,
    Constraints,
    Estimates,
    View,
    WeightOptimiser,
    black_litterman,
    efficient_frontier,
    max_diversification,
    max_sharpe,
    mean_variance,
    min_variance,
    risk_parity,
    rolling_weights,
)

NAMES = list("ABCDEFGH")
FREE = Constraints(lower=-math.inf, upper=math.inf)


def returns_of(n: int = 5, periods: int = 120, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = rng.normal(0.0008, 0.01, (periods, n)) * np.linspace(0.6, 1.6, n) + rng.normal(0.0, 0.006, (periods, 1))
    return pd.DataFrame(values, columns=NAMES[:n], index=pd.bdate_range("2022-01-03", periods=periods))


def frame_of(matrix: Any) -> pd.DataFrame:
    names = NAMES[: len(matrix)]
    return pd.DataFrame(np.array(matrix, dtype=float), names, names)


RETURNS = returns_of()
OPPOSITE = frame_of([[0.04, -0.02, 0.0], [-0.02, 0.01, 0.0], [0.0, 0.0, 0.09]])
"""The correlation of A and B is -1: a third of A and two thirds of B have no variance."""


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    return pd.DataFrame({name: at.synthetic(n=260, seed=k)["close"] for k, name in enumerate("ABCD")})


# --- limits that say nothing ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": math.nan}, "budget is NaN"),
        ({"budget": (math.nan, 1.0)}, "budget is NaN"),
        ({"budget": (0.5, math.nan)}, "budget is NaN"),
        ({"budget": math.inf}, "the budget is at least inf"),
        ({"budget": (-math.inf, -math.inf)}, "at most -inf"),
        ({"group_bounds": {"x": (None, math.nan)}}, "group 'x' is NaN"),
        ({"group_bounds": {"x": (math.nan, 0.5)}}, "group 'x' is NaN"),
        ({"group_bounds": {"x": (math.inf, None)}}, "the group 'x' is at least inf"),
        ({"group_bounds": {"x": (None, -math.inf)}}, "the group 'x' is at most -inf"),
        ({"group_bounds": {"x": (0.1, 0.2, 0.3)}}, "a pair of its least and most"),
        ({"return_min": math.nan}, "return_min is nan"),
        ({"return_min": math.inf}, "return_min is inf"),
        ({"return_min": "8 %"}, "return_min is '8 %'"),
        ({"gross_max": math.inf}, "gross_max is inf"),
        ({"gross_max": math.nan}, "gross_max is nan"),
        ({"held": {}, "turnover_max": math.inf}, "turnover_max is inf"),
    ],
)
def test_a_limit_that_is_no_number_is_refused_and_not_dropped(options: dict[str, Any], message: str) -> None:
    groups = {"A": "x", "B": "x"} if "group_bounds" in options else {}
    with pytest.raises(InputError, match=message):
        Constraints(groups=groups, **options)


def test_open_sides_stay_open() -> None:
    limits = Constraints(budget=(1.0, math.inf), groups={"A": "x"}, group_bounds={"x": (-math.inf, math.inf)})
    assert min_variance(RETURNS, constraints=limits).weights.sum() == pytest.approx(1.0, abs=1e-9)


# --- objectives of one's own ---


@pytest.mark.parametrize("settings", [{"constraints": Constraints(upper=0.4)}, {"options": {"risk_aversion": 2.0}}])
def test_an_objective_of_ones_own_takes_no_settings_that_it_would_not_see(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="takes Estimates alone"):
        WeightOptimiser(min_variance, **settings)


@pytest.mark.parametrize("objective", [min_variance, "inverse_volatility"])
def test_holdings_that_would_not_be_looked_at_are_refused(objective: Any) -> None:
    with pytest.raises(InputError, match="looks at no holdings"):
        WeightOptimiser(objective).fit(RETURNS, held=pd.Series(0.2, RETURNS.columns))


# --- optima that are none ---


@pytest.mark.parametrize("seed", range(6))
def test_utility_without_end_is_refused(seed: int) -> None:
    few = returns_of(5, 4, seed)  # four periods leave mixes of five assets without variance
    with pytest.raises(InputError, match="utility grows without end"):
        mean_variance(few, constraints=FREE)
    with pytest.raises(InputError, match="utility grows without end"):
        mean_variance(few, constraints=replace(FREE, budget=(-math.inf, math.inf)))
    bounded = mean_variance(few, constraints=Constraints(lower=-1.0, upper=1.0))
    assert bounded.status == "optimal"
    shrunk = Estimates.from_returns(few, covariance_method="ledoit_wolf")
    assert mean_variance(shrunk, constraints=FREE).status == "optimal"


def inaccurate(by: float) -> Any:
    def objective(estimates: Estimates) -> Allocation:
        even = pd.Series(0.2, estimates.covariance.index)
        return Allocation("mine", even, estimates, kkt_residual=by, status="inaccurate")

    return objective


def test_a_fit_does_not_pass_off_what_is_no_optimum() -> None:
    with pytest.raises(InputError, match=r"mine found no optimum: .* missed by 0\.36"):
        WeightOptimiser(inaccurate(0.36)).fit(RETURNS)
    with pytest.raises(InputError, match="missed by nan"):
        WeightOptimiser(inaccurate(math.nan)).fit(RETURNS)
    near = WeightOptimiser(inaccurate(1e-7)).fit(RETURNS)
    assert near.allocation_.status == "inaccurate"


@pytest.mark.parametrize("optimiser", [max_sharpe, max_diversification])
@pytest.mark.parametrize("limits", [FREE, Constraints(lower=-math.inf, upper=math.inf, budget=(0.5, 1.0))])
@pytest.mark.parametrize("seed", range(4))
def test_a_ratio_over_no_variance_is_told_as_such(optimiser: Any, limits: Constraints, seed: int) -> None:
    with pytest.raises(InputError, match="without any variance has a positive numerator"):
        optimiser(returns_of(8, 5, seed), constraints=limits)


def test_a_best_mix_that_is_short_on_balance_is_told_as_such() -> None:
    market = Estimates(frame_of([[0.04, 0.0], [0.0, 0.01]]), {"A": -0.05, "B": -0.02})
    with pytest.raises(InputError, match="short on balance"):
        max_sharpe(market, constraints=FREE)


# --- shares of risk ---


def strictly(call: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return call()


def test_risk_parity_with_all_assets_at_their_bounds() -> None:
    found = strictly(lambda: risk_parity(RETURNS, constraints=Constraints(upper=0.2)))
    np.testing.assert_allclose(found.weights, 0.2, rtol=1e-12)
    assert (found.kkt_residual, found.status) == (0.0, "optimal")
    pinned = Constraints(lower={"A": 0.3}, upper={"A": 0.3, "B": 0.7})
    two = strictly(lambda: risk_parity(RETURNS[["A", "B"]], constraints=pinned))
    np.testing.assert_allclose(two.weights, [0.3, 0.7], rtol=1e-12)


@pytest.mark.parametrize("names", ["AB", "ABC"])
@pytest.mark.parametrize("upper", [1.0, 0.7])
def test_risk_parity_of_a_riskless_mix_is_refused(names: str, upper: float) -> None:
    few = Estimates(OPPOSITE.loc[list(names), list(names)])
    with pytest.raises(InputError, match="has no variance, so shares of risk say nothing"):
        strictly(lambda: risk_parity(few, constraints=Constraints(upper=upper)))


def test_the_residual_of_risk_parity_is_the_largest_difference_of_shares() -> None:
    budgets = dict(zip("ABCDE", [0.1, 0.3, 0.2, 0.25, 0.15], strict=True))
    found = risk_parity(RETURNS, risk_budgets=budgets)
    missed = (found.contributions["share"] - pd.Series(budgets)).abs().max()
    assert found.kkt_residual == pytest.approx(missed, abs=1e-14)
    bounded = risk_parity(RETURNS, risk_budgets=budgets, constraints=Constraints(upper={"A": 0.05}))
    shares = bounded.contributions["share"].drop("A")
    due = pd.Series(budgets).drop("A")
    missed = (shares - due * shares.sum() / due.sum()).abs().max()
    assert bounded.kkt_residual == pytest.approx(missed, abs=1e-14)


# --- costs along the frontier ---


def test_a_frontier_with_costs_tells_what_is_left_after_them() -> None:
    rates = {"A": 0.0, "B": 0.02, "C": 0.05, "D": 0.01, "E": 0.08}
    limits = Constraints(held={"A": 1.0}, costs=rates)
    frontier = efficient_frontier(RETURNS, n_points=9, constraints=limits)
    points, weights = frontier.points, frontier.weights.to_numpy()
    held = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    cost = np.abs(weights - held) @ np.array(list(rates.values()))
    net = weights @ (RETURNS.mean().to_numpy() * 252) - cost
    np.testing.assert_allclose(points["cost"], cost, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(points["expected_return"], net, rtol=1e-9)
    np.testing.assert_allclose(points["sharpe_ratio"], net / points["volatility"], rtol=1e-9)
    steps = points["expected_return"].diff().dropna()
    assert (steps > 0).all()
    np.testing.assert_allclose(steps, steps.iloc[0], rtol=1e-4)  # equally spaced
    picture = frontier.plot()
    assert list(picture.data[0].y) == pytest.approx(points["expected_return"].tolist())
    best = next(trace for trace in picture.data if trace.name == "Best Sharpe ratio")
    assert list(best.y) == [pytest.approx(points["expected_return"][points["sharpe_ratio"].idxmax()])]
    assert f"{points['expected_return'].iloc[-1]:.2%}" in repr(frontier)


def test_a_frontier_without_variance_has_a_picture() -> None:
    market = Estimates(frame_of(np.zeros((2, 2))), {"A": 0.05, "B": 0.02})
    frontier = efficient_frontier(market, n_points=3)
    assert frontier.points["sharpe_ratio"].isna().all()
    names = [trace.name for trace in frontier.plot().data]
    assert "Best Sharpe ratio" not in names
    assert {"Efficient frontier", "Assets", "Least variance"} <= set(names)


# --- views ---


@pytest.mark.parametrize("confidence", [0.5, 1.0])
def test_a_view_of_what_has_no_variance_is_refused_by_name(confidence: float) -> None:
    market = Estimates(frame_of(np.diag([0.04, 0.0])))
    views = [View(assets={"A": 1}, value=0.05), View(assets={"B": 1}, value=0.1, confidence=confidence)]
    with pytest.raises(InputError, match=r"the view of 'B' .* no variance"):
        black_litterman(market, views, prior={"A": 0.05, "B": 0.02})
    hedged = [View(assets={"A": 1, "B": 2}, value=0.1)]
    with pytest.raises(InputError, match=r"the view of 'A', 'B' .* no variance"):
        black_litterman(Estimates(OPPOSITE), hedged, prior=dict.fromkeys("ABC", 0.05))


# --- through time ---


def test_a_held_symbol_that_ends_does_not_use_up_the_turnover(prices: pd.DataFrame) -> None:
    ends = prices.copy()
    ends.iloc[150:, 0] = np.nan
    limits = Constraints(held={}, turnover_max=0.02)
    weights = rolling_weights(ends, WeightOptimiser("min_variance", constraints=limits), window=60, every=20)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-9)
    last = np.flatnonzero(weights["A"].to_numpy() > 0)[-1]
    assert weights["A"].iloc[last] > 0.04, "too little is held of it to show anything"
    assert (weights["A"].iloc[last + 1 :] == 0).all()
    filled = ends.ffill()
    for k in range(1, len(weights)):
        grown = weights.iloc[k - 1] * filled.loc[weights.index[k]] / filled.loc[weights.index[k - 1]]
        held = grown / grown.sum()
        gone = held["A"] if k == last + 1 else 0.0
        moved = (weights.iloc[k] - held).abs()
        kept = moved.drop("A") if k == last + 1 else moved
        assert kept.sum() / 2 <= 0.02 + gone / 2 + 1e-9


def test_windows_that_know_no_holdings_refuse_an_optimiser_that_asks_for_them(prices: pd.DataFrame) -> None:
    asks = WeightOptimiser("min_variance", constraints=Constraints(held={}, turnover_max=0.1))
    with pytest.raises(InputError, match="know no holdings"):
        walk_forward_weights(asks, prices, training=60, testing=60)
