"""Overfitting statistics equal their plain references, and obey laws that need no reference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.backtest.overfitting import (
    probability_of_backtest_overfitting,
    reality_check,
    reference,
    romano_wolf,
    spa_test,
)
from algotrendy.backtest.overfitting.resampling import default_block_length, resampled_sums, stationary_blocks
from algotrendy.backtest.overfitting.superiority import long_run_deviation

N_RESAMPLES = 99


@st.composite
def matrices(draw: st.DrawFn, n_max: int = 60, k_max: int = 6) -> Any:
    """Return returns of some strategies: correlated, some twins, with some skill."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n, k = draw(st.integers(24, n_max)), draw(st.integers(1, k_max))
    returns = 0.01 * (rng.standard_normal((n, 1)) + rng.standard_normal((n, k))) + 0.003 * rng.standard_normal(k)
    if draw(st.booleans()):
        returns = np.hstack([returns, returns[:, :1]])
    return returns


def resamples(n: int, length: float, seed: int) -> list[Any]:
    blocks = stationary_blocks(n, N_RESAMPLES, length, seed)
    return [reference.periods_of(s, b, n) for s, b in zip(blocks.starts, blocks.lengths, strict=True)]


@given(matrices(), st.floats(1.0, 15.0), st.integers(0, 99))
def test_resampled_sums_are_sums_over_the_resampled_periods(returns: Any, length: float, seed: int) -> None:
    n = len(returns)
    found = resampled_sums(returns, stationary_blocks(n, N_RESAMPLES, length, seed))
    expected = [returns[periods].sum(axis=0) for periods in resamples(n, length, seed)]
    assert found == pytest.approx(np.array(expected), abs=1e-12)


@given(matrices(n_max=40, k_max=4), st.floats(1.0, 10.0), st.integers(0, 99))
def test_spa_and_reality_check_equal_their_references(returns: Any, length: float, seed: int) -> None:
    drawn = resamples(len(returns), length, seed)
    options: dict[str, Any] = {"block_length": length, "n_resamples": N_RESAMPLES, "seed": seed}
    found = spa_test(returns, **options)
    expected = reference.spa(returns, drawn, length)
    # A resample that ties with the data is decided by rounding: at most one of 99 here.
    assert (found.p_lower, found.p_consistent, found.p_upper) == pytest.approx(expected, abs=0.0101)
    assert reality_check(returns, **options).p_value == pytest.approx(
        reference.reality_check(returns, drawn), abs=0.0101
    )
    assert found.p_lower <= found.p_consistent <= found.p_upper


@pytest.mark.parametrize("studentized", [True, False])
@given(returns=matrices(n_max=40, k_max=4), length=st.floats(1.0, 10.0), seed=st.integers(0, 99))
def test_the_step_down_equals_its_reference(returns: Any, length: float, seed: int, studentized: bool) -> None:
    found = romano_wolf(returns, studentized=studentized, block_length=length, n_resamples=N_RESAMPLES, seed=seed)
    drawn = resamples(len(returns), length, seed)
    expected = reference.romano_wolf(returns, drawn, studentized=studentized)
    assert found.p_values == pytest.approx(expected, abs=0.0101)
    order = np.argsort(-found.statistics, kind="stable")
    assert np.all(np.diff(found.p_values[order]) >= 0.0)


@given(matrices(), st.sampled_from([2, 4, 6]))
def test_cscv_equals_its_reference(returns: Any, n_splits: int) -> None:
    if returns.shape[1] < 2:
        returns = np.hstack([returns, -returns])
    found = probability_of_backtest_overfitting(returns, n_splits=n_splits)
    expected = reference.cscv(returns, n_splits)
    assert found.in_sample == pytest.approx([row[1] for row in expected], rel=1e-9, abs=1e-12)
    apart = len(np.unique(returns, axis=1).T) == returns.shape[1]
    if apart:  # twins differ by rounding
        rank = np.array([row[3] for row in expected])
        assert found.logits == pytest.approx(np.log(rank / (returns.shape[1] + 1 - rank)), abs=1e-12)
        assert found.chosen.tolist() == [row[0] for row in expected]


@given(matrices(), st.floats(1.0, 20.0))
def test_the_long_run_deviation_equals_its_definition(returns: Any, length: float) -> None:
    expected = [reference.long_run_deviation(column, length) for column in returns.T]
    assert long_run_deviation(returns, length) == pytest.approx(expected, rel=1e-9)


@given(matrices(), st.integers(0, 99))
def test_order_of_the_strategies_and_scale_do_not_matter(returns: Any, seed: int) -> None:
    options: dict[str, Any] = {"n_resamples": N_RESAMPLES, "seed": seed}
    found = romano_wolf(returns, **options)
    backwards = romano_wolf(returns[:, ::-1], **options)
    assert backwards.p_values[::-1] == pytest.approx(found.p_values, abs=0.0101)
    scaled = romano_wolf(returns * np.linspace(0.5, 2.0, returns.shape[1]), **options)
    assert scaled.p_values == pytest.approx(found.p_values, abs=0.0101)


@given(matrices(), st.integers(0, 99))
def test_a_benchmark_is_the_same_as_excess_returns(returns: Any, seed: int) -> None:
    benchmark = 0.5 * returns[:, 0] + 0.001
    one = spa_test(returns, benchmark, n_resamples=N_RESAMPLES, seed=seed)
    other = spa_test(returns - benchmark[:, None], n_resamples=N_RESAMPLES, seed=seed)
    assert one.p_value == pytest.approx(other.p_value, abs=0.0101)


@given(st.integers(20, 5000), st.floats(1.0, 50.0), st.integers(0, 99))
def test_blocks_fill_each_resample_exactly_and_have_their_mean_length(n: int, length: float, seed: int) -> None:
    blocks = stationary_blocks(n, 99, length, seed)
    assert (blocks.lengths.sum(axis=1) == n).all()
    assert (blocks.lengths >= 0).all()
    assert ((blocks.starts >= 0) & (blocks.starts < n)).all()
    if n >= 1000:
        whole = n / np.count_nonzero(blocks.lengths, axis=1).mean()  # the last is cut short
        assert whole == pytest.approx(length, rel=0.25)


def test_the_default_length_grows_as_the_cube_root() -> None:
    assert default_block_length(8000) == pytest.approx(20.0)
    assert math.isclose(default_block_length(1), 1.0)
