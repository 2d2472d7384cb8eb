"""Laws of optimal portfolios: nothing random is better, order and scale do not matter, optimality can be checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy import risk
from algotrendy.portfolio.optimise import (
    Allocation,
    Constraints,
    hierarchical_risk_parity,
    max_diversification,
    max_sharpe,
    mean_variance,
    min_cvar,
    min_variance,
    risk_parity,
)
from algotrendy.portfolio.optimise.quadratic import Quadratic, solve
from algotrendy.risk.contributions import risk_contributions, volatility_contributions


def frame(seed: int, n: int, periods: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    own = rng.normal(0.0, 1.0, (periods, n)) * rng.uniform(0.003, 0.03, n)
    return pd.DataFrame(
        own + rng.normal(0.001, 0.01, (periods, 1)) + rng.uniform(0.0, 0.002, n), columns=[f"A{k}" for k in range(n)]
    )


def values_of(found: Allocation, weights: Any, returns: pd.DataFrame) -> Any:
    """What an objective says of each row of weights, written again: less is better."""
    cov, mu = found.estimates.matrix(), found.estimates.expected()
    spread, mean = np.sqrt(np.einsum("ij,jk,ik->i", weights, cov, weights)), weights @ mu
    if found.objective == "min_cvar":  # 5 % of 60 periods
        return -np.sort(weights @ returns.to_numpy().T, axis=1)[:, :3].mean(axis=1)
    return {
        "min_variance": spread,
        "mean_variance": 1.25 * spread**2 - mean,
        "max_sharpe": -mean / spread,
        "max_diversification": -weights @ np.sqrt(np.diag(cov)) / spread,
    }[found.objective]


def random_weights(rng: Any, n: int, upper: float, count: int = 200) -> Any:
    """Random long weights with a sum of 1, none above a bound."""
    drawn = rng.dirichlet(np.full(n, rng.uniform(0.3, 3.0)), count)
    both = np.concatenate([drawn, drawn * 0.5 + 0.5 / n])
    return both[both.max(axis=1) <= upper]


@given(seed=st.integers(0, 10_000), n=st.integers(2, 9), bounded=st.booleans())
def test_no_random_weights_are_better(seed: int, n: int, bounded: bool) -> None:
    rng = np.random.default_rng(seed)
    returns = frame(seed, n)
    returns += rng.uniform(0.0005, 0.002, n) - returns.mean()  # something to earn for each
    upper = max(1.5 / n, 0.5) if bounded else 1.0
    others = random_weights(rng, n, upper)
    for optimiser in (min_variance, mean_variance, max_sharpe, max_diversification, min_cvar):
        found = optimiser(returns, constraints=Constraints(upper=upper))
        w = found.weights.to_numpy()
        assert found.status == "optimal"
        assert w.sum() == pytest.approx(1.0, abs=1e-9)
        assert w.min() >= -1e-12
        assert w.max() <= upper + 1e-9
        best = float(values_of(found, w[None, :], returns)[0])
        sign = -1.0 if optimiser in (mean_variance, max_sharpe, max_diversification) else 1.0
        assert found.value == pytest.approx(sign * best, rel=1e-9, abs=1e-12)
        assert best <= values_of(found, others, returns).min(initial=np.inf) + 1e-9


@given(seed=st.integers(0, 10_000), n=st.integers(1, 8), scale=st.floats(0.1, 3.0))
def test_neither_the_order_of_assets_nor_the_scale_of_returns_matters(seed: int, n: int, scale: float) -> None:
    returns, rng = frame(seed, n, 80), np.random.default_rng(seed)
    returns += rng.uniform(0.0005, 0.002, n) - returns.mean()  # something to earn for each
    order = rng.permutation(n)
    for optimiser in (min_variance, max_sharpe, max_diversification, risk_parity):
        one, other = optimiser(returns), optimiser(returns.iloc[:, order] * scale)
        np.testing.assert_allclose(other.weights[one.weights.index], one.weights, atol=1e-7)
    assert min_cvar(returns.iloc[:, order] * scale).value == pytest.approx(min_cvar(returns).value * scale, rel=1e-7)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 12), rows=st.integers(0, 3), rank=st.integers(1, 14))
def test_conditions_of_an_optimum_hold_also_for_singular_matrices(seed: int, n: int, rows: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(rank, n))
    inside = rng.uniform(0.1, 0.9, n)  # some point is feasible
    G = rng.normal(size=(rows, n))
    problem = Quadratic(
        P=root.T @ root, q=rng.normal(size=n), A=np.ones((1, n)), b=np.array([inside.sum()]), G=G,
        h=G @ inside + rng.uniform(0.0, 0.2, rows), lower=np.zeros(n), upper=np.ones(n),
    )  # fmt: skip
    found = solve(problem)
    x, size = found.x, max(np.abs(problem.P).max(), np.abs(problem.q).max())
    assert abs(x.sum() - inside.sum()) < 1e-8
    assert (G @ x <= problem.h + 1e-8).all()
    assert x.min() >= -1e-9
    assert x.max() <= 1.0 + 1e-9
    slope = problem.P @ x + problem.q + found.y[0] + G.T @ found.rows
    assert (found.rows >= -1e-8 * size).all()
    assert np.abs(found.rows * (problem.h - G @ x)).max(initial=0.0) < 1e-6 * size
    between = (x > 1e-6) & (x < 1.0 - 1e-6)
    assert np.abs(slope[between]).max(initial=0.0) < 1e-6 * size
    assert (slope[x <= 1e-6] > -1e-6 * size).all()
    assert (slope[x >= 1.0 - 1e-6] < 1e-6 * size).all()


@given(seed=st.integers(0, 10_000), n=st.integers(2, 10), tight=st.booleans())
def test_assets_carry_risk_in_proportion_to_their_budgets(seed: int, n: int, tight: bool) -> None:
    returns, rng = frame(seed, n), np.random.default_rng(seed)
    budgets = rng.uniform(0.2, 3.0, n)
    upper = 1.2 / n if tight else 1.0
    found = risk_parity(returns, risk_budgets=pd.Series(budgets, returns.columns), constraints=Constraints(upper=upper))
    weights, share = found.weights.to_numpy(), found.contributions["share"].to_numpy()
    assert weights.sum() == pytest.approx(1.0, abs=1e-9)
    assert weights.max() <= upper * (1 + 1e-9)
    free = weights < upper * (1 - 1e-7)
    ratio = share / budgets
    np.testing.assert_allclose(ratio[free], ratio[free].mean(), rtol=1e-6)
    if not free.all():  # what a bound holds down carries less than its due
        assert ratio[~free].max() <= ratio[free].mean() * (1 + 1e-6)


@given(seed=st.integers(0, 10_000), n=st.integers(2, 10))
def test_hierarchical_weights_stay_between_bounds(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    lower, upper = rng.uniform(0.0, 0.9 / n, n), rng.uniform(1.1 / n, 1.0, n)
    names = [f"A{k}" for k in range(n)]
    limits = Constraints(lower=dict(zip(names, lower, strict=True)), upper=dict(zip(names, upper, strict=True)))
    weights = hierarchical_risk_parity(frame(seed, n), constraints=limits).weights.to_numpy()
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (weights >= lower - 1e-12).all()
    assert (weights <= upper + 1e-12).all()


@given(seed=st.integers(0, 10_000), n=st.integers(1, 6))
def test_contributions_by_covariance_are_those_by_returns(seed: int, n: int) -> None:
    returns, weights = frame(seed, n), np.random.default_rng(seed).normal(size=n)
    by_returns = risk_contributions(returns, weights, measure="volatility")
    by_covariance = volatility_contributions(risk.covariance(returns), weights)
    pd.testing.assert_frame_equal(by_covariance, by_returns, rtol=1e-8, atol=1e-12)


def random_limits(rng: Any, names: list[str]) -> Constraints:
    """Constraints of every kind, around weights that keep all of them."""
    n = len(names)
    inside, held = rng.dirichlet(np.ones(n)) * rng.uniform(0.7, 1.0), rng.dirichlet(np.ones(n))
    groups = {name: "xyz"[k % 3] for k, name in enumerate(names)}
    sums = {g: sum(w for name, w in zip(names, inside, strict=True) if groups[name] == g) for g in set(groups.values())}
    return Constraints(
        lower=float(inside.min() - rng.uniform(0.0, 0.3)), upper=float(inside.max() + rng.uniform(0.0, 0.2)),
        budget=(float(inside.sum()) - 0.1, float(inside.sum())) if rng.random() < 0.5 else float(inside.sum()),
        groups=groups, group_bounds={g: (total - 0.05, total + 0.02) for g, total in sums.items()},
        gross_max=float(inside.sum() + rng.uniform(0.0, 0.2)), held=dict(zip(names, held, strict=True)),
        turnover_max=float(np.abs(inside - held).sum() / 2 + rng.uniform(0.0, 0.1)),
        costs=float(rng.uniform(0.0, 0.01)),
    )  # fmt: skip


@given(seed=st.integers(0, 10_000), n=st.integers(2, 9))
def test_weights_keep_constraints_of_every_kind(seed: int, n: int) -> None:
    returns, rng = frame(seed, n, 30), np.random.default_rng(seed)
    limits = random_limits(rng, list(returns.columns))
    (least, most), held = limits.budget_range, np.array(list(dict(limits.held or {}).values()))
    for optimiser in (min_variance, mean_variance, max_diversification):
        found = optimiser(returns, constraints=limits)
        w = found.weights
        assert found.status == "optimal"
        assert least - 1e-9 <= w.sum() <= most + 1e-9
        assert limits.lower - 1e-9 <= w.min() <= w.max() <= limits.upper + 1e-9
        assert w.abs().sum() <= limits.gross_max + 1e-9
        assert np.abs(w - held).sum() / 2 <= limits.turnover_max + 1e-9
        for group, (low, high) in limits.group_bounds.items():
            assert low - 1e-9 <= w[[name for name in w.index if limits.groups[name] == group]].sum() <= high + 1e-9
