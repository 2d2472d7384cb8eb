"""Optimal portfolios against closed forms, published examples, and independent solvers and libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize
from scipy.cluster import hierarchy

from algotrendy.portfolio.optimise import (
    Constraints,
    Estimates,
    View,
    black_litterman,
    efficient_frontier,
    equilibrium_returns,
    hierarchical_risk_parity,
    inverse_volatility,
    max_diversification,
    max_sharpe,
    mean_variance,
    min_cvar,
    min_variance,
    risk_parity,
    skfolio_names,
    skfolio_portfolio,
)

FREE = Constraints(lower=-np.inf, upper=np.inf)


def market(n: int = 8, periods: int = 300, seed: int = 0, **options: Any) -> Estimates:
    rng = np.random.default_rng(seed)
    common = rng.normal(0.0004, 0.008, (periods, 1))
    own = rng.normal(0.0, 1.0, (periods, n)) * np.linspace(0.004, 0.02, n)
    returns = common * np.linspace(0.5, 1.5, n)[rng.permutation(n)] + own + rng.uniform(0.0, 0.001, n)
    frame = pd.DataFrame(
        returns, columns=[f"A{k}" for k in range(n)], index=pd.bdate_range("2020-01-01", periods=periods)
    )
    return Estimates.from_returns(frame, **options)


# --- closed forms ---


def test_two_assets_of_least_variance() -> None:
    a, b, rho = 0.2, 0.3, 0.25
    cov = pd.DataFrame([[a * a, rho * a * b], [rho * a * b, b * b]], index=["A", "B"], columns=["A", "B"])
    first = (b * b - rho * a * b) / (a * a + b * b - 2 * rho * a * b)
    np.testing.assert_allclose(min_variance(Estimates(cov)).weights, [first, 1 - first], rtol=1e-12)
    # Equal shares of the risk of two assets do not depend on their correlation.
    np.testing.assert_allclose(risk_parity(Estimates(cov)).weights, [b / (a + b), a / (a + b)], rtol=1e-10)


def test_without_bounds_the_answers_are_those_of_linear_algebra() -> None:
    assets = market(risk_free_rate=0.02)
    inverse, ones = np.linalg.inv(assets.matrix()), np.ones(8)
    excess = assets.expected() - 0.02
    np.testing.assert_allclose(
        min_variance(assets, constraints=FREE).weights, inverse @ ones / (ones @ inverse @ ones), rtol=1e-8
    )
    tangency = inverse @ excess / (ones @ inverse @ excess)
    found = max_sharpe(assets, constraints=FREE)
    np.testing.assert_allclose(found.weights, tangency, rtol=1e-8)
    assert found.value == pytest.approx(np.sqrt(excess @ inverse @ excess), rel=1e-10)
    assert found.sharpe_ratio == pytest.approx(found.value, rel=1e-12)
    any_sum = Constraints(lower=-np.inf, upper=np.inf, budget=(-np.inf, np.inf))
    np.testing.assert_allclose(
        mean_variance(assets, risk_aversion=3.0, constraints=any_sum).weights, inverse @ excess / 3.0, rtol=1e-8
    )
    volatilities = np.sqrt(np.diag(assets.matrix()))
    diversified = inverse @ volatilities
    np.testing.assert_allclose(
        max_diversification(assets, constraints=FREE).weights, diversified / diversified.sum(), rtol=1e-8
    )


def test_equal_correlations_make_risk_parity_inverse_volatility() -> None:
    own = np.array([0.1, 0.2, 0.4, 0.25])
    cov = pd.DataFrame(np.outer(own, own) * (0.3 + 0.7 * np.eye(4)), index=list("ABCD"), columns=list("ABCD"))
    np.testing.assert_allclose(
        risk_parity(Estimates(cov)).weights, inverse_volatility(Estimates(cov)).weights, rtol=1e-10
    )
    # Without correlation the weights go with the root of the budget over the volatility.
    budgets, alone = (
        np.array([0.4, 0.3, 0.2, 0.1]),
        pd.DataFrame(np.diag(own**2), index=list("ABCD"), columns=list("ABCD")),
    )
    roots = np.sqrt(budgets) / own
    found = risk_parity(Estimates(alone), risk_budgets=dict(zip("ABCD", budgets, strict=True)))
    np.testing.assert_allclose(found.weights, roots / roots.sum(), rtol=1e-10)


# --- He, G. and Litterman, R. (1999). The intuition behind Black-Litterman model portfolios. Goldman Sachs. ---

COUNTRIES = ["Australia", "Canada", "France", "Germany", "Japan", "UK", "USA"]
CORRELATIONS = np.array(  # Table 1
    [
        [1.000, 0.488, 0.478, 0.515, 0.439, 0.512, 0.491],
        [0.488, 1.000, 0.664, 0.655, 0.310, 0.608, 0.779],
        [0.478, 0.664, 1.000, 0.861, 0.355, 0.783, 0.668],
        [0.515, 0.655, 0.861, 1.000, 0.354, 0.777, 0.653],
        [0.439, 0.310, 0.355, 0.354, 1.000, 0.405, 0.306],
        [0.512, 0.608, 0.783, 0.777, 0.405, 1.000, 0.652],
        [0.491, 0.779, 0.668, 0.653, 0.306, 0.652, 1.000],
    ]
)
VOLATILITIES = np.array([0.160, 0.203, 0.248, 0.271, 0.210, 0.200, 0.187])  # Table 2, with the two below
CAPITALISATION = dict(zip(COUNTRIES, [0.016, 0.022, 0.052, 0.055, 0.116, 0.124, 0.615], strict=True))
EQUILIBRIUM = [3.9, 6.9, 8.4, 9.0, 4.3, 6.8, 7.6]
GERMANY = View(assets={"Germany": 1.0, "France": -0.295, "UK": -0.705}, value=0.05)
"""View 1. Table 4 prints its uncertainty over tau, 0.021, which is what a confidence of a half is."""


def seven(rate: float = 0.0) -> Estimates:
    cov = CORRELATIONS * np.outer(VOLATILITIES, VOLATILITIES)
    return Estimates(pd.DataFrame(cov, index=COUNTRIES, columns=COUNTRIES), risk_free_rate=rate)


def test_the_equilibrium_of_he_and_litterman() -> None:
    found = equilibrium_returns(seven().covariance, CAPITALISATION)
    np.testing.assert_allclose(found * 100, EQUILIBRIUM, atol=0.0501)


def test_a_view_on_germany_as_in_table_4() -> None:
    view = np.array([GERMANY.assets.get(name, 0.0) for name in COUNTRIES])
    assert view @ seven().matrix() @ view == pytest.approx(0.021, abs=5e-4)
    posterior = black_litterman(seven(), [GERMANY], market_weights=CAPITALISATION)
    assert posterior.expected_returns is not None
    np.testing.assert_allclose(posterior.expected_returns * 100, [4.3, 7.6, 9.3, 11.0, 4.5, 7.0, 8.1], atol=0.0501)
    best = np.linalg.solve(2.5 * posterior.matrix(), posterior.expected())
    # Weights of the paper's view are printed with three digits, so that France may be off by one in the last.
    np.testing.assert_allclose(best * 100, [1.5, 2.1, -4.0, 35.4, 11.0, -9.5, 58.6], atol=0.06)
    # The table's last column: what the view moves, the market being held at 1 / (1 + tau).
    moved = best - np.array(list(CAPITALISATION.values())) / 1.05
    np.testing.assert_allclose(moved * 100, [0.0, 0.0, -8.9, 30.2, 0.0, -21.3, 0.0], atol=0.06)
    free = Constraints(lower=-np.inf, upper=np.inf, budget=(-np.inf, np.inf))
    np.testing.assert_allclose(mean_variance(posterior, constraints=free).weights, best, atol=1e-9)


def test_views_by_the_plain_formula_of_black_and_litterman() -> None:
    views = [GERMANY, View(assets={"Canada": 1, "USA": -1}, value=0.03, confidence=0.8),
             View(assets={"Japan": 1}, value=0.09, variance=0.002)]  # fmt: skip
    assets, tau, rate = seven(0.02), 0.05, 0.02
    posterior = black_litterman(assets, views, market_weights=CAPITALISATION, tau=tau)
    P = np.array([[view.assets.get(name, 0.0) for name in COUNTRIES] for view in views])
    prior = 2.5 * assets.matrix() @ np.array(list(CAPITALISATION.values()))
    spread = tau * assets.matrix()
    omega = np.diag([P[0] @ spread @ P[0], P[1] @ spread @ P[1] * 0.25, 0.002])
    precision = np.linalg.inv(spread) + P.T @ np.linalg.inv(omega) @ P
    Q = np.array([0.05, 0.03, 0.09 - rate])
    means = np.linalg.solve(precision, np.linalg.solve(spread, prior) + P.T @ np.linalg.solve(omega, Q))
    np.testing.assert_allclose(posterior.expected(), means + rate, rtol=1e-9)
    np.testing.assert_allclose(posterior.matrix(), assets.matrix() + np.linalg.inv(precision), rtol=1e-8)


def test_certain_views_come_true_and_views_without_confidence_are_not_heard() -> None:
    sure = View(assets=GERMANY.assets, value=0.05, confidence=1.0)
    found = black_litterman(seven(), [sure], market_weights=CAPITALISATION).expected_returns
    assert found is not None
    assert found["Germany"] - 0.295 * found["France"] - 0.705 * found["UK"] == pytest.approx(0.05, rel=1e-10)
    deaf = black_litterman(seven(), [View(assets={"USA": 1}, value=0.5, confidence=0.0)], market_weights=CAPITALISATION)
    np.testing.assert_allclose(deaf.expected(), equilibrium_returns(seven().covariance, CAPITALISATION), rtol=1e-12)


# --- López de Prado, M. (2016). Building diversified portfolios that outperform out of sample. JPM 42(4), 59-69. ---


def plain_hrp(cov: Any) -> Any:
    """The three stages of the paper, written from its text."""
    own = np.sqrt(np.diag(cov))
    distance = np.sqrt((1.0 - cov / np.outer(own, own)).clip(0.0) / 2.0)
    n = len(cov)
    between = [np.sqrt(((distance[:, i] - distance[:, j]) ** 2).sum()) for i in range(n) for j in range(i + 1, n)]
    tree = hierarchy.to_tree(hierarchy.linkage(np.array(between), "single"))

    def leaves(node: Any) -> list[int]:
        return [node.id] if node.is_leaf() else leaves(node.left) + leaves(node.right)

    def variance(items: list[int]) -> float:
        block = cov[np.ix_(items, items)]
        w = (1 / np.diag(block)) / (1 / np.diag(block)).sum()
        return float(w @ block @ w)

    weights = np.ones(n)

    def divide(items: list[int]) -> None:
        if len(items) > 1:
            left, right = items[: len(items) // 2], items[len(items) // 2 :]
            alpha = 1 - variance(left) / (variance(left) + variance(right))
            weights[left] *= alpha
            weights[right] *= 1 - alpha
            divide(left)
            divide(right)

    divide(leaves(tree))
    return weights


@pytest.mark.parametrize("seed", range(5))
def test_hierarchical_risk_parity_is_the_paper_s(seed: int) -> None:
    assets = market(10, seed=seed)
    np.testing.assert_allclose(hierarchical_risk_parity(assets).weights, plain_hrp(assets.matrix()), rtol=1e-10)


# --- an independent solver: SLSQP of scipy, on problems with everything in them ---

GROUPS = {f"A{k}": "even" if k % 2 == 0 else "odd" for k in range(8)}
CASES = {
    "bounds": Constraints(lower=0.03, upper=0.3),
    "groups": Constraints(groups=GROUPS, group_bounds={"even": (None, 0.35), "odd": (0.2, None)}),
    "short": Constraints(lower=-0.3, upper=0.5, gross_max=1.5),
    "cash": Constraints(budget=(0.4, 0.8), upper=0.25),
    "turnover": Constraints(held=dict.fromkeys(GROUPS, 0.125), turnover_max=0.2),
    "costs": Constraints(held={"A0": 0.5, "A7": 0.5}, costs=0.02),
    "return": Constraints(return_min=0.12),
}


def slsqp(assets: Estimates, limits: Constraints, objective: Any) -> float:
    """Return the least objective that SLSQP finds from several starts, trades and sizes split by sign."""
    n, names, held = 8, assets.names, limits.held_weights(assets.names)
    lower, upper = limits.bounds(names)
    low, high = limits.budget_range
    charge = limits.cost_rates(names)

    def weights(z: Any) -> Any:
        return held + z[:n] - z[n:]

    rules: list[Any] = [
        {"type": "ineq", "fun": lambda z: weights(z) - lower},
        {"type": "ineq", "fun": lambda z: upper - weights(z)},
        {"type": "ineq", "fun": lambda z: high - weights(z).sum()},
        {"type": "ineq", "fun": lambda z: weights(z).sum() - low},
    ]
    for group, (least, most) in limits.group_bounds.items():
        members = np.array([limits.groups[name] == group for name in names])
        if most is not None:
            rules.append({"type": "ineq", "fun": lambda z, m=members, most=most: most - weights(z)[m].sum()})
        if least is not None:
            rules.append({"type": "ineq", "fun": lambda z, m=members, least=least: weights(z)[m].sum() - least})
    if limits.gross_max is not None:  # nothing is held there, so purchases and sales are the long and the short side
        rules.append({"type": "ineq", "fun": lambda z: limits.gross_max - z.sum()})
    if limits.turnover_max is not None:
        rules.append({"type": "ineq", "fun": lambda z: limits.turnover_max - z.sum() / 2})
    if limits.return_min is not None:
        rules.append({"type": "ineq", "fun": lambda z: weights(z) @ assets.expected() - limits.return_min})
    best = np.inf
    for seed in range(4):
        start = np.random.default_rng(seed).uniform(0, 0.2, 2 * n)
        found = optimize.minimize(
            lambda z: objective(weights(z), (z[:n] + z[n:]) @ charge), start, method="SLSQP", constraints=rules,
            bounds=[(0, 4)] * (2 * n), options={"maxiter": 500, "ftol": 1e-13},
        )  # fmt: skip
        # It may stop for want of a better step; what it reached counts where it keeps all rules.
        if max([0.0, *(-np.min(rule["fun"](found.x)) for rule in rules)]) < 1e-9:
            best = min(best, float(found.fun))
    return best


@pytest.mark.parametrize("name", CASES)
def test_no_other_solver_finds_better_weights(name: str) -> None:
    limits, assets = CASES[name], market(risk_free_rate=0.01)
    cov, excess = assets.matrix(), assets.expected() - 0.01
    least = min_variance(assets, constraints=limits)
    assert least.value**2 == pytest.approx(slsqp(assets, limits, lambda w, cost: w @ cov @ w), rel=1e-5)
    best = mean_variance(assets, risk_aversion=4.0, constraints=limits)
    other = slsqp(assets, limits, lambda w, cost: 2.0 * w @ cov @ w - w @ excess + cost)
    assert best.value - 0.01 == pytest.approx(-other, rel=1e-6)
    ratio = max_sharpe(assets, constraints=limits)
    other = slsqp(assets, limits, lambda w, cost: (cost - w @ excess) / np.sqrt(w @ cov @ w))
    assert ratio.value == pytest.approx(-other, rel=1e-5)
    assert max(one.kkt_residual for one in (least, best, ratio)) < 1e-9


# --- independent libraries ---


@pytest.fixture(scope="module")
def measures() -> Any:
    skfolio = pytest.importorskip("skfolio", reason="extra: skfolio is not installed")
    return skfolio.RiskMeasure


@pytest.mark.filterwarnings("ignore:.hierarchical_clustering_estimator. is deprecated:FutureWarning")
def test_skfolio_agrees(measures: Any) -> None:
    optimization = pytest.importorskip("skfolio.optimization", reason="extra: skfolio is not installed")
    cluster = pytest.importorskip("skfolio.cluster", reason="extra: skfolio is not installed")
    assets = market(periods=400)
    returns = assets.returns
    assert returns is not None
    goal = optimization.ObjectiveFunction
    groups, upper = {name: [group] for name, group in GROUPS.items()}, 0.4
    limits = Constraints(groups=GROUPS, group_bounds={"even": (None, 0.35)}, upper=upper)
    asked = {"groups": groups, "linear_constraints": ["even <= 0.35"], "max_weights": upper}
    variance, tree = {"risk_measure": measures.VARIANCE}, cluster.LinkageMethod.SINGLE
    single = {"hierarchical_clustering_estimator": cluster.HierarchicalClustering(linkage_method=tree)}
    ratio = {"objective_function": goal.MAXIMIZE_RATIO, **asked}
    pairs: list[tuple[Any, str, dict[str, Any], float]] = [
        (min_variance(assets), "MeanRisk", variance, 5e-4),
        (min_variance(assets, constraints=limits), "MeanRisk", variance | asked, 5e-4),
        (max_sharpe(assets, constraints=limits), "MeanRisk", ratio, 5e-4),
        (min_cvar(assets), "MeanRisk", {"risk_measure": measures.CVAR}, 5e-4),
        (risk_parity(assets), "RiskBudgeting", variance, 5e-4),
        (max_diversification(assets), "MaximumDiversification", {}, 5e-4),
        (inverse_volatility(assets), "InverseVolatility", {}, 1e-10),
        (
            hierarchical_risk_parity(assets, distance="pairs", optimal_order=True),
            "HierarchicalRiskParity",
            single,
            1e-10,
        ),
    ]
    for ours, name, options, tolerance in pairs:
        theirs = skfolio_portfolio(name, returns, **options)
        np.testing.assert_allclose(ours.weights, theirs.weights, atol=tolerance, err_msg=ours.objective)
        if ours.objective == "min_variance":
            assert ours.volatility <= theirs.volatility * (1 + 1e-9)
    assert {"MeanRisk", "NestedClustersOptimization"} <= set(skfolio_names())


def test_cvxpy_agrees_on_a_book_with_everything_in_it() -> None:
    cp = pytest.importorskip("cvxpy", reason="extra: cvxpy is not installed")
    assets, held = market(risk_free_rate=0.01), np.full(8, 0.125)
    limits = Constraints(
        lower=-0.2, upper=0.5, budget=(0.7, 1.0), gross_max=1.4, held=dict(zip(assets.names, held, strict=True)),
        turnover_max=0.6, costs=0.01, groups=GROUPS, group_bounds={"even": (0.1, 0.4)}, return_min=0.05,
    )  # fmt: skip
    even = np.array([GROUPS[name] == "even" for name in assets.names], dtype=float)
    w = cp.Variable(8)
    excess = assets.expected() - 0.01
    gain = excess @ w - 0.01 * cp.norm1(w - held)
    rules = [w >= -0.2, w <= 0.5, cp.sum(w) >= 0.7, cp.sum(w) <= 1.0, cp.norm1(w) <= 1.4, cp.norm1(w - held) <= 1.2,
             even @ w >= 0.1, even @ w <= 0.4, gain + 0.01 >= 0.05]  # fmt: skip
    problem = cp.Problem(cp.Maximize(gain - 2.0 * cp.quad_form(w, cp.psd_wrap(assets.matrix()))), rules)
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    ours = mean_variance(assets, risk_aversion=4.0, constraints=limits)
    assert ours.value - 0.01 == pytest.approx(float(problem.value), rel=1e-8)
    np.testing.assert_allclose(ours.weights, w.value, atol=1e-5)


def test_the_frontier_is_the_hyperbola_of_merton() -> None:
    """Merton, R. (1972). An analytic derivation of the efficient portfolio frontier. JFQA 7(4), 1851-1872."""
    assets = market()
    wide = Constraints(lower=-50.0, upper=50.0)
    inverse, ones, mu = np.linalg.inv(assets.matrix()), np.ones(8), assets.expected()
    a, b, c = ones @ inverse @ mu, mu @ inverse @ mu, ones @ inverse @ ones
    points = efficient_frontier(assets, n_points=200, constraints=wide).points.iloc[:3]
    r = points["expected_return"]
    np.testing.assert_allclose(points["volatility"] ** 2, (c * r**2 - 2 * a * r + b) / (b * c - a * a), rtol=1e-7)
