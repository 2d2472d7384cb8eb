"""Attribution: published examples, effects that add up on a thousand random accounts, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.errors import InputError
from algotrendy.portfolio import (
    Attribution,
    account_periods,
    attribute_account,
    brinson,
    carino_factors,
    contribution,
    factor_attribution,
)

MARKETS = ["UK", "Japan", "US"]


def _series(*values: float, labels: Any = MARKETS) -> pd.Series:
    return pd.Series(values, index=labels, dtype=float)


BACON = (
    _series(0.40, 0.30, 0.30),
    _series(0.20, -0.05, 0.06),
    _series(0.40, 0.20, 0.40),
    _series(0.10, -0.04, 0.08),
)
"""Bacon, C. (2008), Practical Portfolio Performance Measurement and Attribution, 2nd ed., chapter 5: UK, Japanese and
US equities; the portfolio returned 8.3 %, the benchmark 6.4 %."""


# --- published ---


@pytest.mark.parametrize(
    ("method", "allocation"), [("brinson_fachler", [0.0, -0.0104, -0.0016]), ("bhb", [0.0, -0.0040, -0.0080])]
)
def test_bacons_example(method: Any, allocation: list[float]) -> None:
    found = brinson(*BACON, method=method)
    assert found.returns == pytest.approx([0.083], abs=1e-15)
    assert found.benchmark_returns == pytest.approx([0.064], abs=1e-15)
    assert found.linked["allocation"].to_numpy() == pytest.approx(allocation, abs=1e-15)
    assert found.linked["selection"].to_numpy() == pytest.approx([0.040, -0.002, -0.008], abs=1e-15)
    assert found.linked["interaction"].to_numpy() == pytest.approx([0.0, -0.001, 0.002], abs=1e-15)
    assert found.total.to_numpy() == pytest.approx([-0.012, 0.030, 0.001], abs=1e-15)
    assert abs(found.residual) < 1e-15
    without = brinson(*BACON, method=method, interaction=False)
    assert without.total.to_numpy() == pytest.approx([-0.012, 0.031], abs=1e-15)


def test_periods_are_linked_as_carino_says() -> None:
    """Written out from the paper: each period's effects times k_t / k."""
    returns, benchmark = np.array([0.05, -0.02, 0.11]), np.array([0.04, 0.01, 0.11])
    k = [
        1 / (1 + r) if r == b else (math.log(1 + r) - math.log(1 + b)) / (r - b)
        for r, b in zip(returns, benchmark, strict=True)
    ]
    whole, whole_benchmark = np.prod(1 + returns) - 1, np.prod(1 + benchmark) - 1
    k_whole = (math.log(1 + whole) - math.log(1 + whole_benchmark)) / (whole - whole_benchmark)
    assert carino_factors(returns, benchmark) == pytest.approx(np.array(k) / k_whole, rel=1e-12)
    assert carino_factors([0.03]) == pytest.approx([1.0], abs=1e-15)


@given(rows=st.lists(st.tuples(st.floats(-0.9, 3.0), st.floats(-0.9, 3.0)), min_size=1, max_size=20))
def test_linked_excess_is_the_whole_spans(rows: list[tuple[float, float]]) -> None:
    returns, benchmark = np.array(rows).T
    excess = np.prod(1 + returns) - np.prod(1 + benchmark)
    size = np.prod(1 + returns) + np.prod(1 + benchmark) + np.abs(carino_factors(returns, benchmark)).max()
    assert abs(carino_factors(returns, benchmark) @ (returns - benchmark) - excess) <= 1e-10 * size


def test_currencies_are_taken_apart() -> None:
    """One market: the local return is 10 % against 8 %, its currency gains 5 %."""
    found = brinson(
        pd.Series({"EU": 0.6, "cash": 0.4}), pd.Series({"EU": 1.10 * 1.05 - 1, "cash": 0.0}),
        pd.Series({"EU": 0.5, "cash": 0.5}), pd.Series({"EU": 1.08 * 1.05 - 1, "cash": 0.0}),
        currency_returns=pd.Series({"EU": 0.05, "cash": 0.0}), method="bhb",
    )  # fmt: skip
    assert found.total.to_dict() == pytest.approx(
        {
            "allocation": 0.1 * 0.08, "selection": 0.5 * 0.02, "interaction": 0.1 * 0.02,
            "currency": 0.6 * 1.10 * 0.05 - 0.5 * 1.08 * 0.05,
        },
        abs=1e-15,
    )  # fmt: skip


# --- a thousand accounts ---


def _random_account(rng: np.random.Generator) -> dict[str, Any]:
    """Return an account of two strategies in several currencies, with shorts, trades at other prices, and flows."""
    n_assets, n_periods = int(rng.integers(1, 6)), int(rng.integers(1, 7))
    names = [(f"s{i % 2}", f"a{i}") for i in range(n_assets)]
    columns = pd.MultiIndex.from_tuples(names)
    rows = pd.date_range("2024-01-31", periods=n_periods + 1, freq="ME")
    levels = rng.uniform(20, 200, (n_periods + 1, n_assets))
    rates = pd.DataFrame(rng.uniform(0.7, 1.4, (n_periods + 1, n_assets)), rows, columns)
    quantities = np.zeros((n_periods + 1, n_assets))
    quantities[0] = rng.integers(-5, 40, n_assets)
    trades = []
    for period in range(1, n_periods + 1):
        quantities[period] = quantities[period - 1]
        for _ in range(int(rng.integers(0, 4))):
            asset, units = int(rng.integers(n_assets)), float(rng.integers(-5, 6))
            price = levels[period, asset] * rng.uniform(0.9, 1.1)
            trades.append((rows[period], names[asset], units, price, rng.uniform(0, 20), rng.uniform(0.7, 1.4)))
            quantities[period, asset] += units
    return {
        "quantities": pd.DataFrame(quantities, rows, columns),
        "prices": pd.DataFrame(levels, rows, columns),
        "rates": rates,
        "trades": pd.DataFrame(trades, columns=["period", "asset", "quantity", "price", "cost", "rate"]),
        "cash": 60_000.0,
        "flows": pd.Series(rng.uniform(-500, 2000, n_periods), rows[1:]),
        "income": pd.DataFrame(rng.uniform(0, 20, (n_periods + 1, n_assets)), rows, columns),
    }


def _plain_returns(account: dict[str, Any]) -> list[float]:
    """Count the account's money, period by period, as a bookkeeper would."""
    cash, found = account["cash"], []
    quantities, prices, rates, income = (
        account[name].to_numpy() for name in ("quantities", "prices", "rates", "income")
    )
    trades = account["trades"].to_dict("records")
    worth = cash + sum(quantities[0] * prices[0] * rates[0])
    for place, (period, flow) in enumerate(account["flows"].items(), start=1):
        cash += flow
        at_work = worth + flow
        for trade in trades:
            if trade["period"] == period:
                cash -= trade["quantity"] * trade["price"] * trade["rate"] + trade["cost"]
        cash += sum(income[place])
        worth = cash + sum(quantities[place] * prices[place] * rates[place])
        found.append(worth / at_work - 1)
    return found


def test_effects_of_a_thousand_random_accounts_add_up() -> None:
    rng = np.random.default_rng(20240131)
    for number in range(1000):
        made = _random_account(rng)
        account = account_periods(
            made["quantities"], made["prices"], made["trades"], cash=made["cash"], flows=made["flows"],
            rates=made["rates"], income=made["income"],
        )  # fmt: skip
        plain = _plain_returns(made)
        assert account.returns.to_numpy() == pytest.approx(plain, abs=1e-12)
        segments = ["s0", "s1", "other"]
        index = account.returns.index
        v = rng.dirichlet(np.ones(3), len(index))
        found = attribute_account(
            account,
            benchmark_weights=pd.DataFrame(v, index, segments),
            benchmark_returns=pd.DataFrame(rng.uniform(-0.2, 0.3, v.shape), index, segments),
            benchmark_currency_returns=pd.DataFrame(rng.uniform(-0.1, 0.1, v.shape), index, segments),
            groups=lambda asset: asset[0],
            method="bhb" if number % 2 else "brinson_fachler",
        )
        assert found.returns == pytest.approx(plain, abs=1e-12)
        sums = found.effects.sum(axis=(1, 2))
        assert np.abs(sums - (found.returns - found.benchmark_returns)).max() <= 1e-10
        assert abs(found.residual) <= 1e-10
        alone = attribute_account(account)
        assert abs(alone.residual) <= 1e-10
        assert np.abs(alone.by(0).effects.sum(axis=1) - alone.effects.sum(axis=1)).max() <= 1e-12


# --- parts ---


def _two_periods() -> Attribution:
    weights = pd.DataFrame([[0.6, 0.4], [0.5, 0.5]], columns=["A", "B"])
    return contribution(weights, pd.DataFrame([[0.1, 0.0], [0.0, 0.1]], columns=["A", "B"]))


def test_contributions_sum_to_the_return_and_over_groups() -> None:
    found = _two_periods()
    assert found.total["contribution"] == pytest.approx(1.06 * 1.05 - 1, abs=1e-15)
    assert found.by({"A": "all", "B": "all"}).linked["contribution"].to_numpy() == pytest.approx([0.113], abs=1e-15)
    assert found.by(lambda name: name.lower()).segments == ("a", "b")
    assert found.by({"A": "B"}).segments == ("B",)
    assert list(found.frame().index) == ["A", "B", "total"]
    assert found.of("contribution").to_numpy() == pytest.approx(np.array([[0.06, 0.0], [0.0, 0.05]]))


def test_factors_leave_what_is_specific() -> None:
    rng = np.random.default_rng(1)
    factors = pd.DataFrame(rng.normal(0, 0.02, (12, 3)), columns=["market", "size", "value"])
    returns, benchmark = (pd.Series(rng.normal(0, 0.03, 12)) for _ in range(2))
    loadings = pd.DataFrame(rng.normal(1, 0.3, (12, 3)), columns=factors.columns)
    of_benchmark = pd.Series({"value": 0.0, "market": 1.0, "size": 0.1})
    found = factor_attribution(
        returns, factors, loadings, benchmark_returns=benchmark, benchmark_exposures=of_benchmark
    )
    assert found.segments == ("market", "size", "value", "specific")
    active = loadings.to_numpy() - [1.0, 0.1, 0.0]
    assert found.of("factor")["size"].to_numpy() == pytest.approx(active[:, 1] * factors["size"])
    assert found.total["factor"] == pytest.approx(np.prod(1 + returns) - np.prod(1 + benchmark), abs=1e-13)


def test_an_account_shows_timing_cost_and_currency() -> None:
    quantities = pd.DataFrame({"A": [10.0, 0.0]})
    trades = pd.DataFrame({"period": [1], "asset": ["A"], "quantity": [-10.0], "price": [120.0], "cost": [4.0]})
    account = account_periods(
        quantities, pd.DataFrame({"A": [100.0, 110.0]}), trades, rates=pd.DataFrame({"A": [1.0, 1.1]})
    )
    found = attribute_account(account).total
    assert found.to_dict() == pytest.approx(
        {"holdings": 0.10, "currency": 0.11, "timing": 10 * 10 * 1.1 / 1000, "cost": -0.004}
    )
    assert account.values.to_list() == pytest.approx([10 * 120 * 1.1 - 4])


def test_what_the_benchmark_does_not_hold_is_no_selection() -> None:
    account = account_periods(pd.DataFrame({"X": [5.0, 5.0]}), pd.DataFrame({"X": [100.0, 120.0]}), cash=500.0)
    index = account.returns.index
    found = attribute_account(
        account,
        benchmark_weights=pd.DataFrame({"Y": [1.0]}, index),
        benchmark_returns=pd.DataFrame({"Y": [0.04]}, index),
    )
    assert found.linked.loc["X", "allocation"] == pytest.approx(0.5 * (0.2 - 0.04))
    assert found.linked.loc["cash", "allocation"] == pytest.approx(-0.5 * 0.04)
    assert found.total["selection"] == found.total["interaction"] == 0.0
    same = brinson(
        _series(1, 0, labels=["X", "Y"]), _series(0.1, math.nan, labels=["X", "Y"]),
        _series(0, 1, labels=["X", "Y"]), _series(math.nan, 0.05, labels=["X", "Y"]),
    )  # fmt: skip
    assert same.total["selection"] == 0.0
    assert abs(same.residual) < 1e-15


# --- degenerate ---


def _account(**changes: Any) -> Any:
    given: dict[str, Any] = {
        "quantities": pd.DataFrame({"A": [10.0, 10.0]}), "prices": pd.DataFrame({"A": [1.0, 2.0]}), **changes
    }  # fmt: skip
    return account_periods(given.pop("quantities"), given.pop("prices"), given.pop("trades", None), **given)


def _trade(**changes: Any) -> pd.DataFrame:
    return pd.DataFrame([{"period": 1, "asset": "A", "quantity": 0.0, "price": 1.0, **changes}])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: brinson(_series(0.5, 0.3, 0.1), *BACON[1:]), "sum to 0.9, expected 1"),
        (lambda: brinson(BACON[0], BACON[1], _series(1, 1, 1), BACON[3]), "the benchmark's weights of 0 sum to 3"),
        (lambda: brinson(*BACON, method="carhart"), "method is 'carhart'"),  # type: ignore[arg-type]
        (lambda: brinson(BACON[0], _series(0.1, math.nan, 0), *BACON[2:]), "first that of Japan"),
        (lambda: brinson(BACON[0], _series(0.1, math.inf, 0), *BACON[2:]), "not finite"),
        (lambda: brinson(BACON[0], _series(0.1, labels=["UK"]), *BACON[2:]), "segment Japan is missing"),
        (lambda: brinson(pd.Series(dtype=float), *BACON[1:]), "are empty"),
        (lambda: brinson([1.0], *BACON[1:]), "expected a DataFrame"),
        (lambda: brinson(_series(0.4, 0.6, labels=["UK", "UK"]), *BACON[1:]), "UK more than once"),
        (lambda: brinson(*BACON, currency_returns=_series(-1, 0, 0)), "worth nothing"),
        (lambda: brinson(*BACON, benchmark_currency_returns=BACON[3]), "the portfolio's are not"),
        (lambda: carino_factors([]), "at least one period"),
        (lambda: carino_factors([0.1, -1.0]), "return of period 1"),
        (lambda: carino_factors([0.1], [-1.0]), "benchmark return of period 0"),
        (lambda: carino_factors([math.nan]), "not finite"),
        (lambda: contribution(_series(1, 0, 0), _series(-1, 0, 0)).linked, "end the span before"),
        (lambda: _two_periods().of("luck"), "no effect 'luck'"),
        (lambda: factor_attribution(pd.Series([0.1]), pd.DataFrame({"specific": [0.1]}), pd.Series({"specific": 1.0})),
         "rename it"),
        (lambda: factor_attribution(pd.Series([0.1, 0.2]), pd.DataFrame({"m": [0.1]}), pd.Series({"m": 1.0})),
         "period 1 stands there alone"),
        (lambda: factor_attribution(pd.Series([0.1]), pd.DataFrame({"m": [0.1]}), pd.Series({"m": 1.0}),
                                    benchmark_exposures=pd.Series({"m": 1.0})), "without its returns"),
        (lambda: _account(quantities=pd.DataFrame({"A": [1.0]})), "a start and an end"),
        (lambda: _account(prices=pd.DataFrame({"A": [1.0, 0.0]})), "the price of A at 1 is 0"),
        (lambda: _account(prices=pd.DataFrame({"A": [1.0, math.nan]})), "not finite"),
        (lambda: _account(rates=pd.DataFrame({"A": [-1.0, 1.0]})), "the rate of A at 0"),
        (lambda: _account(quantities=pd.DataFrame({"A": [1.0, 2.0]})), "its trades sum to 0"),
        (lambda: _account(trades=_trade(asset="B")), "no column of the quantities"),
        (lambda: _account(trades=_trade(period=0)), "lies in no period"),
        (lambda: _account(trades=_trade(price=math.nan)), "not finite"),
        (lambda: _account(trades=_trade().drop(columns="price")), "lack the column price"),
        (lambda: _account(flows=pd.Series([1.0], index=[7])), "flow of 7 lies in no period"),
        (lambda: _account(cash=-10.0), "begins with 0"),
        (lambda: attribute_account(_account(), benchmark_weights=pd.DataFrame({"A": [1.0]}, [1])),
         "one of them is missing"),
        (lambda: attribute_account(_account(), benchmark_weights=pd.DataFrame({"A": [0.5]}, [1]),
                                   benchmark_returns=pd.DataFrame({"A": [0.5]}, [1])), "sum to 0.5"),
        (lambda: attribute_account(_account(), benchmark_weights=pd.DataFrame({"A": [1.0]}, [2]),
                                   benchmark_returns=pd.DataFrame({"A": [0.5]}, [1])), "period 1 is missing"),
        (lambda: attribute_account(_account(), benchmark_weights=pd.DataFrame({"A": [1.0]}, [1]),
                                   benchmark_returns=pd.DataFrame({"B": [0.5]}, [1])), "have the segment B"),
    ],
)  # fmt: skip
def test_what_cannot_be_attributed_is_refused(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_nothing_held_and_nothing_moved_are_zero() -> None:
    idle = _account(quantities=pd.DataFrame({"A": [0.0, 0.0]}), cash=100.0)
    assert attribute_account(idle).total.to_dict() == {"holdings": 0.0, "currency": 0.0, "timing": 0.0, "cost": 0.0}
    nothing = brinson(
        _series(1, 0, labels=["A", "B"]), _series(0.1, math.nan, labels=["A", "B"]),
        _series(1, 0, labels=["A", "B"]), _series(0.1, math.nan, labels=["A", "B"]),
    )  # fmt: skip
    assert nothing.total.sum() == 0.0
