"""Laws of rebalancing: a plan keeps to its terms, tells the truth about itself, and optima are optima."""

from __future__ import annotations

import datetime
import itertools
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from algotrendy.domain.fill import Fill
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.portfolio import Portfolio
from algotrendy.portfolio import (
    Band,
    CostAware,
    FillAtPlan,
    LotBook,
    TaxOptimization,
    TaxRules,
    Threshold,
    TradingCost,
    UsWashSale,
    execute,
    plan_rebalance,
    whole_shares,
)

NOON = datetime.datetime(2024, 3, 15, 12, tzinfo=datetime.UTC)
NAMES = ["A", "B", "C", "D"]


def _covariance(seed: int) -> pd.DataFrame:
    factors = np.random.default_rng(seed).normal(size=(6, 4)) * 0.2
    return pd.DataFrame(factors.T @ factors / 6 + 0.002 * np.eye(4), NAMES, NAMES)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    prices = {name: draw(st.decimals("1", "300", places=2)) for name in NAMES}
    held = {name: draw(st.integers(0, 60)) for name in NAMES}
    parts = np.array([draw(st.integers(0, 10)) for _ in NAMES], dtype=float)
    full = draw(st.sampled_from([1.0, 0.9, 0.5]))
    targets = parts / parts.sum() * full if parts.sum() else parts
    return {
        "prices": prices,
        "held": held,
        "cash": draw(st.decimals("100", "20000", places=2)),
        "targets": dict(zip(NAMES, targets, strict=True)),
        "method": draw(
            st.sampled_from(
                [
                    "full",
                    "cash_flow",
                    Band(Decimal("0.05"), to="edge"),
                    Band(Decimal("0.03")),
                    Threshold(),
                    CostAware(_covariance(3), risk_aversion=20.0),
                ]
            )
        ),
        "lot": draw(st.sampled_from([Decimal(1), Decimal(10), Decimal("0.001")])),
        "cost": draw(
            st.sampled_from([None, TradingCost(rate=Decimal("0.003"), per_order=Decimal(2), per_unit=Decimal("0.01"))])
        ),
        "minimum_trade": draw(st.sampled_from([0, 250])),
        "turnover_max": draw(st.sampled_from([None, Decimal("0.1")])),
    }


@given(case=cases())
def test_a_plan_keeps_to_its_terms_and_tells_the_truth(case: dict[str, Any]) -> None:
    held = Portfolio().with_cash(case["cash"], "USD", kind="deposit", at=NOON)
    for name, units in case["held"].items():
        if units:
            held = held.with_fill(
                Fill(execution_id=name, instrument=name, side="BUY", quantity=units, price=0, filled_at=NOON)  # type: ignore[arg-type]
            )
    instruments = {
        name: Instrument(asset_class="stock", venue="X", symbol=name, lot_size=case["lot"])  # type: ignore[arg-type]
        for name in NAMES
    }
    plan = plan_rebalance(
        held, case["prices"], case["targets"], at=NOON, method=case["method"], instruments=instruments,
        cost=case["cost"], minimum_trade=case["minimum_trade"], turnover_max=case["turnover_max"],
    )  # fmt: skip
    before = held.holdings(case["prices"])
    for order in plan.orders:
        units = Decimal(case["held"][order.instrument])
        assert order.quantity % case["lot"] == 0 or order.quantity == units
        assert order.value >= case["minimum_trade"]
        assert order.side == "BUY" or order.quantity <= units, "nothing is sold short"
    assert case["turnover_max"] is None or plan.turnover <= case["turnover_max"]
    cash_target = 1 - sum(plan.weights_target.values())
    if any(order.side == "BUY" for order in plan.orders):
        assert plan.cash_after >= cash_target * (plan.value - plan.expected_cost) - Decimal("1e-9")
    after = held
    for fill in execute(plan, FillAtPlan(at=NOON)).fills:
        after = after.with_fill(fill)
    holdings = after.holdings(case["prices"])
    assert abs(holdings.cash_value - plan.cash_after) < Decimal("1e-12")
    assert abs(holdings.value - (before.value - plan.expected_cost)) < Decimal("1e-12")
    for name, weight in plan.weights_after.items():
        assert abs(holdings.weights.get(name, Decimal(0)) - weight) < Decimal("1e-12")
    traded = {order.instrument for order in plan.orders}
    assert set(plan.left_alone) == set(plan.weights_target) - traded, "what is not traded has a reason"
    if case["method"] == "full" and not case["minimum_trade"] and case["turnover_max"] is None and not case["cost"]:
        for name, weight in plan.weights_after.items():
            away = abs(weight - plan.weights_target[name]) * plan.value
            assert away <= 2 * case["lot"] * case["prices"][name] + sum(
                case["lot"] * price for price in case["prices"].values()
            )


@given(seed=st.integers(0, 2**32 - 1), aversion=st.sampled_from([1.0, 10.0, 100.0]))
def test_the_cost_aware_weights_are_a_minimum(seed: int, aversion: float) -> None:
    """No feasible point near or far has a lower objective: the problem is convex, so this is the optimum."""
    from algotrendy.portfolio.rebalance.methods import Drift

    rng = np.random.default_rng(seed)
    covariance = _covariance(seed % 1000)
    held, target = (rng.dirichlet(np.ones(5))[:4] for _ in range(2))
    costs = rng.uniform(0.0, 0.02, 4)
    texts = [
        {name: Decimal(str(round(x, 12))) for name, x in zip(NAMES, row, strict=True)} for row in (held, target, costs)
    ]
    drift = Drift(weights=texts[0], targets=texts[1], cost_rates=texts[2], on=NOON.date())
    wanted = CostAware(covariance, risk_aversion=aversion).wanted(drift)
    best = np.array([float(wanted.weights.get(name, texts[0][name])) for name in NAMES])
    limit = max(target.sum(), held.sum()) + 1e-9
    assert best.sum() <= limit
    assert best.min() >= 0

    def objective(weights: Any) -> float:
        away = weights - target
        return float(aversion / 2 * away @ covariance.to_numpy() @ away + costs @ np.abs(weights - held))

    least = objective(best)
    # An independent solver on purchases and sales apart, where the objective is smooth.
    solved = minimize(
        lambda moves: objective(held + moves[:4] - moves[4:]),
        np.concatenate([np.maximum(target - held, 0), np.maximum(held - target, 0)]),
        method="SLSQP",
        bounds=[(0, None)] * 4 + [(0, float(units)) for units in held],
        constraints={"type": "ineq", "fun": lambda moves: limit - (held + moves[:4] - moves[4:]).sum()},
        options={"ftol": 1e-12, "maxiter": 300},
    )
    assert least <= solved.fun + 1e-8
    others = [best + rng.normal(size=4) * size for size in (1e-4, 1e-2, 0.1) for _ in range(30)] + [held, target]
    assert all(objective(other) >= least - 1e-9 for other in others if other.sum() <= limit and other.min() >= 0)


@given(
    parts=st.lists(st.integers(0, 8), min_size=1, max_size=4),
    prices=st.lists(st.integers(3, 60), min_size=4, max_size=4),
    money=st.integers(0, 200),
    full=st.sampled_from([1.0, 0.8]),
)
def test_whole_shares_spend_no_more_and_exact_is_the_least_of_all(
    parts: list[int], prices: list[int], money: int, full: float
) -> None:
    total = sum(parts)
    weights = {name: part / total * full if total else 0.0 for name, part in zip(NAMES, parts, strict=False)}
    costs = dict(zip(NAMES, prices, strict=True))
    simple = whole_shares(weights, costs, money)
    exact = whole_shares(weights, costs, money, method="exact")
    names = list(weights)
    ranges = [range(money // costs[name] + 1) for name in names]
    least = min(
        sum(abs(count * costs[name] - weights[name] * money) for count, name in zip(counts, names, strict=True))
        for counts in itertools.product(*ranges)
        if sum(count * costs[name] for count, name in zip(counts, names, strict=True)) <= money
    )
    assert float(exact.distance) == pytest.approx(least, abs=1e-9)
    for found in (simple, exact):
        spent = sum(count * costs[name] for name, count in found.quantities.items())
        assert spent + found.cash == money
        assert found.cash >= 0
    assert exact.distance <= simple.distance
    for name, count in simple.quantities.items():
        assert abs(count - Decimal(weights[name]) * money / costs[name]) < 1 + Decimal("1e-9")


@given(seed=st.integers(0, 2**32 - 1), bound=st.sampled_from([0.0, 0.005, 0.02, 0.1]))
def test_tax_optimisation_saves_tax_within_its_bound(seed: int, bound: float) -> None:
    rng = np.random.default_rng(seed)
    rules = TaxRules(short_term_rate=Decimal("0.4"), long_term_rate=Decimal("0.2"))
    book = LotBook(wash=UsWashSale())
    held = Portfolio().with_cash(100_000, "USD", kind="deposit", at=NOON)
    days = sorted(int(day) for day in rng.integers(5, 900, 8))[::-1]
    for number, day in enumerate(days):
        one = Fill(
            execution_id=f"l{number}", instrument=NAMES[int(rng.integers(4))], side="BUY",  # type: ignore[arg-type]
            quantity=Decimal(int(rng.integers(10, 80))), price=Decimal(int(rng.integers(50, 150))),
            filled_at=NOON - datetime.timedelta(days=day),
        )  # fmt: skip
        book, held = book.with_fill(one), held.with_fill(one)
    prices = {name: Decimal(int(rng.integers(60, 140))) for name in NAMES}
    targets = dict(zip(NAMES, rng.dirichlet(np.ones(4)) * 0.8, strict=True))
    covariance = _covariance(seed % 1000)
    plain = plan_rebalance(
        held, prices, targets, at=NOON, covariance=covariance,
        tax_optimization=TaxOptimization(book=book, rules=rules),
    )  # fmt: skip
    found = plan_rebalance(
        held, prices, targets, at=NOON,
        tax_optimization=TaxOptimization(book=book, rules=rules, covariance=covariance, tracking_error_max=bound),
    )  # fmt: skip
    start = plan_rebalance(held, prices, targets, at=NOON, covariance=covariance).tracking_error_after
    assert found.tracking_error_after is not None
    assert start is not None
    assert found.tracking_error_after <= max(bound, start) + 1e-9
    assert found.cash_after >= -Decimal("1e-9")
    assert plain.realised is not None
    assert found.realised is not None

    def linear(summary: Any) -> Decimal:
        return summary.short_term * rules.short_term_rate + summary.long_term * rules.long_term_rate

    assert linear(found.realised) <= linear(plain.realised) + Decimal("1e-9")
    after = book
    for order in found.orders:
        after = after.with_fill(FillAtPlan(at=NOON).place(order).fills[0], lots=order.lots or None)
    rows = after.disposals[len(book.disposals) :]
    assert sum(row.taxable_gain for row in rows) == found.realised.short_term + found.realised.long_term
