"""Performance: published examples, and what is said where there is no return."""

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
    align_benchmark,
    cumulative_return,
    internal_rates,
    irr,
    modified_dietz,
    money_weighted_return,
    monthly_table,
    performance_rows,
    period_returns,
    time_weighted_return,
    xirr,
)

DAYS = pd.date_range("2024-01-01", periods=6)


def series(*values: float, index: Any = None) -> pd.Series:
    return pd.Series(values, index=DAYS[: len(values)] if index is None else index, dtype=float)


# --- published ---


def test_bacons_example_of_one_month() -> None:
    """Bacon, C. (2008), Practical Portfolio Performance Measurement and Attribution, 2nd ed., chapter 3: 74.2 on
    December 31, 67.0 when 37.1 came in on January 14, 104.4 on January 31."""
    index = pd.to_datetime(["2023-12-31", "2024-01-14", "2024-01-31"])
    values, flow = series(74.2, 67.0 + 37.1, 104.4, index=index), series(37.1, index=index[1:2])
    assert time_weighted_return(values, flow) == pytest.approx(67.0 / 74.2 * 104.4 / 104.1 - 1, abs=1e-15)
    assert round(time_weighted_return(values, flow) * 100, 2) == -9.44
    dietz = modified_dietz(74.2, 104.4, flow, start="2023-12-31", end="2024-01-31")
    assert dietz == pytest.approx(-6.9 / (74.2 + 37.1 * 17 / 31), abs=1e-15)
    at_start = modified_dietz(74.2, 104.4, flow, start="2023-12-31", end="2024-01-31", flow_timing="start")
    assert at_start == pytest.approx(-6.9 / (74.2 + 37.1 * 18 / 31), abs=1e-15)


@pytest.mark.parametrize(
    ("amounts", "expected", "places"),
    [
        # Microsoft, IRR function: after five years 8.7 %, after four -2.1 %
        ([-70_000, 12_000, 15_000, 18_000, 21_000, 26_000], 0.087, 3),
        ([-70_000, 12_000, 15_000, 18_000, 21_000], -0.021, 3),
        # numpy-financial, docstring and tests of irr
        ([-100, 39, 59, 55, 20], 0.28095, 5),
        ([-100, 0, 0, 74], -0.0955, 4),
        ([-100, 100, 0, -7], -0.0833, 5),
        ([-100, 100, 0, 7], 0.06206, 5),
        ([-5, 10.5, 1, -8, 1], 0.0886, 4),
        ([-150_000, 15_000, 25_000, 35_000, 45_000, 60_000], 0.0524, 4),
    ],
)
def test_published_internal_rates(amounts: list[float], expected: float, places: int) -> None:
    assert round(irr(amounts, several="nearest_zero"), places) == expected


def test_the_example_of_excels_xirr() -> None:
    dates = ["2008-01-01", "2008-03-01", "2008-10-30", "2009-02-15", "2009-04-01"]
    rate = xirr([-10_000, 2_750, 4_250, 3_250, 2_750], dates)
    assert rate == pytest.approx(0.373362535, abs=2e-9)


# --- against another way ---


@given(amounts=st.lists(st.integers(-50, 50), min_size=2, max_size=9).filter(any))
def test_all_rates_are_the_roots_of_the_polynomial(amounts: list[int]) -> None:
    """With whole periods the rates are the positive real roots of a polynomial, which numpy finds by eigenvalues."""
    found = internal_rates(
        amounts, [pd.Timestamp("2020-01-01") + pd.Timedelta(days=365 * i) for i in range(len(amounts))]
    )
    roots = np.roots(np.trim_zeros(np.array(amounts, dtype=float))[::-1])
    near = roots[np.abs(roots.imag) < 1e-9].real
    simple = [root for root in near if root > 1e-9 and np.sum(np.abs(roots - root) < 1e-3) == 1]
    expected = sorted(1 / root - 1 for root in simple)
    for rate in expected:
        assert min(abs(rate - one) / (1 + abs(rate)) for one in found) < 1e-8
    for rate in found:
        worth = sum(amount * (1 + rate) ** -place for place, amount in enumerate(amounts))
        size = sum(abs(amount) * (1 + rate) ** -place for place, amount in enumerate(amounts))
        assert abs(worth) <= 1e-9 * size
    if len(simple) == len([root for root in near if root > 1e-9]) and np.sum(np.abs(roots.imag) < 1e-3) == len(near):
        assert len(found) == len(expected)


@given(
    returns=st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=8),
    flows=st.lists(st.floats(-20, 100), min_size=8, max_size=8),
    timing=st.sampled_from(["start", "end"]),
)
def test_flows_do_not_move_the_time_weighted_return(returns: list[float], flows: list[float], timing: Any) -> None:
    values, moved = [1000.0], []
    for rate, flow in zip(returns, flows, strict=False):
        start = values[-1] + (flow if timing == "start" else 0.0)
        values.append(start * (1 + rate) + (flow if timing == "end" else 0.0))
        moved.append(flow)
    index = pd.date_range("2024-01-01", periods=len(values))
    found = time_weighted_return(pd.Series(values, index), pd.Series(moved, index[1:]), flow_timing=timing)
    assert found == pytest.approx(math.prod(1 + rate for rate in returns) - 1, abs=1e-9)


@given(rate=st.floats(-0.6, 2.0), flows=st.lists(st.tuples(st.integers(1, 900), st.floats(-30, 200)), max_size=6))
def test_money_that_grows_at_one_rate_has_that_money_weighted_return(
    rate: float, flows: list[tuple[int, float]]
) -> None:
    start = pd.Timestamp("2022-01-01")
    balance, day = 1000.0, 0
    ordered = sorted(flows)
    for when, amount in ordered:
        balance = balance * (1 + rate) ** ((when - day) / 365) + amount
        day = when
    end = balance * (1 + rate) ** ((1000 - day) / 365)
    values = pd.Series([1000.0, end], index=[start, start + pd.Timedelta(days=1000)])
    moved = pd.Series(
        [a for _, a in ordered], index=[start + pd.Timedelta(days=when) for when, _ in ordered], dtype=float
    )
    if end > 1.0:
        found = money_weighted_return(values, moved, several="nearest_zero")
        rates = internal_rates([-1000.0, *(-moved), end], [start, *moved.index, values.index[1]])
        assert min(abs(rate - one) for one in rates) < 1e-7
        assert found in rates


def test_two_rates_are_named_and_a_touching_one_counts_once() -> None:
    dates = ["2021-01-01", "2022-01-01", "2023-01-01"]
    with pytest.raises(InputError, match=r"2 rates solve this: 0\.1, 0\.2"):
        xirr([-100, 230, -132], dates)
    assert xirr([-100, 230, -132], dates, several="nearest_zero") == pytest.approx(0.1, abs=1e-9)
    assert internal_rates([-100, 220, -121], dates) == pytest.approx((0.1,), abs=1e-6)
    assert internal_rates([-100, 210, -121], dates) == ()


def test_many_changes_of_sign_are_solved_too() -> None:
    flows = np.where(np.arange(120) % 2, 1.02, -1.0) * (1 + np.arange(120) * 0.001)
    rates = internal_rates([*flows, 30.0], pd.date_range("2014-01-01", periods=121, freq="MS"))
    assert rates
    years = (pd.date_range("2014-01-01", periods=121, freq="MS") - pd.Timestamp("2014-01-01")).days.to_numpy() / 365
    for rate in rates:
        assert abs(np.sum(np.array([*flows, 30.0]) * (1 + rate) ** -years)) < 1e-6 * np.sum((1 + rate) ** -years)


# --- degenerate ---


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: period_returns(series(1.0)), "at least 2"),
        (lambda: period_returns(series()), "at least 2"),
        (lambda: period_returns(series(1.0, math.nan)), "1 of 2 values are not finite"),
        (lambda: period_returns(series(math.nan, math.nan)), "2 of 2 values are not finite"),
        (lambda: period_returns([1.0, 2.0]), "expected a pandas Series"),  # type: ignore[arg-type]
        (lambda: period_returns(series(1, 2, index=DAYS[[0, 0]])), "more than once"),
        (lambda: period_returns(series(1, 2, index=DAYS[[1, 0]])), "do not ascend"),
        (lambda: period_returns(series(1, 2), series(1, index=DAYS[4:5])), "has no value with that label"),
        (lambda: period_returns(series(1, 2), flow_timing="noon"), "flow_timing"),  # type: ignore[arg-type]
        (lambda: period_returns(series(0.0, 10.0)), "began with 0"),
        (lambda: period_returns(series(-5.0, 10.0)), "began with -5"),
        (lambda: time_weighted_return(series(1, 2), periods_per_year=0), "periods_per_year"),
        (lambda: cumulative_return(series(-1.5)), "below -1"),
        (lambda: cumulative_return(series()), "at least 1"),
        (lambda: modified_dietz(1, 1, start="2024-01-02", end="2024-01-02"), "no day"),
        (lambda: modified_dietz(1, math.nan, start="2024-01-01", end="2024-01-02"), "finite"),
        (lambda: modified_dietz(0, 1, start="2024-01-01", end="2024-01-02"), "average capital"),
        (lambda: modified_dietz(1, 1, series(1), start="2024-01-01", end="2024-01-31"), "outside the span"),
        (lambda: monthly_table(series(0.1, index=[0])), "needs times"),
        (lambda: xirr([-1], ["2024-01-01"]), "at least 2"),
        (lambda: xirr([-1, 2], ["2024-01-01"]), "1 dates"),
        (lambda: xirr([1, 2], ["2024-01-01", "2025-01-01"]), "no rate"),
        (lambda: xirr([0, 0], ["2024-01-01", "2025-01-01"]), "all amounts are 0"),
        (lambda: xirr([-1, math.inf], ["2024-01-01", "2025-01-01"]), "not finite"),
        (lambda: xirr([-1, 1], ["2024-01-01", "2024-01-01"]), "no rate"),
        (lambda: xirr([-1, 100], ["2024-01-01", "2024-01-02"]), "too few for one"),
        (lambda: xirr([-1, 2], ["2024-01-01", None]), "a date is missing"),
        (lambda: xirr([-1, 2], ["2024-01-01", "2025-01-01"], several="first"), "several is"),  # type: ignore[arg-type]
        (lambda: money_weighted_return(series(1)), "a start and an end"),
        (lambda: money_weighted_return(series(1, 2), series(1)), "outside the span"),
        (lambda: money_weighted_return(series(100, 0)), "no rate"),
        (lambda: align_benchmark(series(0.1), series(0.1, index=DAYS[3:4])), "no label in common"),
        (lambda: align_benchmark(series(0.1, index=DAYS[:1].tz_localize("UTC")), series(0.1)), "one time zone"),
        (lambda: align_benchmark(series(0.1, index=[0]), series(0.1)), "one time zone"),
        (lambda: align_benchmark(series(0.1, 0.2, index=DAYS[[0, 0]]), series(0.1)), "more than once"),
        (lambda: align_benchmark(series(math.inf), series(0.1)), "infinity"),
        (lambda: align_benchmark(series(math.nan), series(0.1)), "no label in common"),
    ],
)
def test_what_has_no_return_is_refused(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize(
    ("values", "flows", "expected"),
    [
        ((0.0, 0.0), None, math.nan),
        ((100.0, 0.0), None, -1.0),
        ((100.0, 100.0), None, 0.0),
        ((0.0, 0.0, 50.0, 55.0), {2: 50.0}, 0.1),
        ((100.0, 110.0, 0.0, 0.0), {2: -110.0}, 0.1),
    ],
)
def test_returns_at_the_edge_are_stated(values: tuple[float, ...], flows: Any, expected: float) -> None:
    moved = None if flows is None else series(*flows.values(), index=DAYS[list(flows)])
    assert time_weighted_return(series(*values), moved) == pytest.approx(expected, nan_ok=True)


def test_a_total_loss_stays_one_in_every_table() -> None:
    lost = series(0.1, -1.0, 0.5)
    assert cumulative_return(lost) == -1.0
    table = monthly_table(lost)
    assert (table.loc[2024, 1], table.loc[2024, "year"]) == (-1.0, -1.0)
    later = monthly_table(
        pd.Series([0.1, -1.0, 0.5, 0.2], pd.to_datetime(["2022-12-30", "2023-02-01", "2023-03-01", "2025-01-02"]))
    )
    assert (later.loc[2022, 12], later.loc[2023, 2], later.loc[2023, "year"]) == (pytest.approx(0.1), -1.0, -1.0)
    assert np.isnan(later.loc[2023, [1, 3]]).all()
    assert np.isnan(later.loc[[2024, 2025]]).all(axis=None), "after that there is nothing to lose"
    assert performance_rows(series(100, 50, 0))["drawdown"].tolist() == [0.0, 0.5, 1.0]


def test_a_year_is_the_product_of_its_months() -> None:
    index = pd.bdate_range("2022-11-15", "2024-02-10", tz="UTC")
    returns = pd.Series(np.random.default_rng(1).normal(0, 0.01, len(index)), index)
    table = monthly_table(returns)
    assert list(table.index) == [2022, 2023, 2024]
    assert np.isnan(table.loc[2022, 10])
    for year in table.index:
        months = table.loc[year, list(range(1, 13))].dropna()
        assert (1 + months).prod() - 1 == pytest.approx(table.loc[year, "year"])
    assert (1 + table["year"]).prod() - 1 == pytest.approx(cumulative_return(returns))


def test_rows_to_store_hold_the_flow_and_the_benchmark() -> None:
    rows = performance_rows(series(100, 160, 144), series(50, index=DAYS[1:2]), benchmark=series(0.05, index=DAYS[1:2]))
    assert rows["flow"].tolist() == [0, 50, 0]
    assert rows["return"].round(6).tolist()[1:] == [0.1, -0.1]
    assert rows["cumulative_return"].round(6).tolist() == [0.0, 0.1, -0.01]
    assert rows["active_return"].round(6).tolist()[1] == 0.05
    assert np.isnan(rows["active_return"].iloc[2])


def test_an_annual_return_needs_no_whole_years() -> None:
    assert cumulative_return(series(0.1, 0.1), periods_per_year=1) == pytest.approx(0.1)
    assert time_weighted_return(series(100, 110), periods_per_year=12) == pytest.approx(1.1**12 - 1)
