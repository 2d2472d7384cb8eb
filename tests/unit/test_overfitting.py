"""Overfitting statistics: what they say on clear cases, NaN, benchmarks, and what they refuse."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.backtest.overfitting import (
    probability_of_backtest_overfitting,
    reality_check,
    romano_wolf,
    spa_test,
)
from algotrendy.errors import InputError

TESTS: list[Callable[..., Any]] = [reality_check, spa_test, romano_wolf]


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    columns = [f"s{k}" for k in range(8)]
    returns = pd.DataFrame(0.01 * rng.standard_normal((800, 8)), columns=columns)
    returns.index = pd.date_range("2020-01-01", periods=800)
    return returns


@pytest.mark.parametrize("test", TESTS)
def test_noise_is_called_luck_and_skill_is_found_by_name(test: Callable[..., Any], frame: pd.DataFrame) -> None:
    assert test(frame).p_value > 0.05
    frame["s3"] += 0.002
    found = test(frame)
    assert found.p_value < 0.01
    assert found.best == "s3"
    assert "s3" in str(found)


def test_only_strategies_with_skill_are_superior(frame: pd.DataFrame) -> None:
    frame[["s1", "s6"]] += [0.003, 0.002]
    found = romano_wolf(frame)
    assert found.superior() == ["s1", "s6"]
    assert romano_wolf(frame, studentized=False).superior() == ["s1", "s6"]


def test_poor_strategies_do_not_weaken_the_consistent_test(frame: pd.DataFrame) -> None:
    good = frame[["s0"]] + 0.0008
    poor = pd.DataFrame(np.tile(frame.to_numpy(), (1, 20)) - 0.02).set_index(frame.index).add_prefix("poor")
    both = pd.concat([good, poor], axis=1)
    alone, among = spa_test(good), spa_test(both)
    assert among.p_consistent == pytest.approx(alone.p_consistent, abs=0.02)
    assert among.p_upper > 5 * alone.p_upper


def test_a_wild_strategy_hides_a_calm_one_from_the_reality_check_only(frame: pd.DataFrame) -> None:
    frame["s2"] = 0.1 * frame["s2"] + 0.0002
    frame["s5"] = 5.0 * (frame["s5"] - frame["s5"].mean())
    assert reality_check(frame).p_value > 0.1
    assert spa_test(frame).p_value < 0.01


@pytest.mark.parametrize("test", TESTS)
def test_what_beats_cash_need_not_beat_a_benchmark(test: Callable[..., Any], frame: pd.DataFrame) -> None:
    up = frame + 0.002
    assert test(up).p_value < 0.01
    assert test(up, pd.Series(0.002, index=frame.index)).p_value == pytest.approx(test(frame).p_value, abs=0.01)
    assert test(up, 0.002).p_value == pytest.approx(test(frame).p_value, abs=0.01)


@pytest.mark.parametrize("test", TESTS)
def test_equal_seeds_give_equal_results(test: Callable[..., Any], frame: pd.DataFrame) -> None:
    assert test(frame, seed=4).p_value == test(frame, seed=4).p_value
    assert test(frame, seed=np.random.default_rng(4)).p_value == test(frame, seed=4).p_value


@pytest.mark.parametrize("test", [*TESTS, probability_of_backtest_overfitting])
def test_nan_is_refused_left_out_or_carried(test: Callable[..., Any], frame: pd.DataFrame) -> None:
    whole = test(frame.drop(frame.index[5]))
    frame.iloc[5, 2] = np.nan
    with pytest.raises(InputError, match="1 of 6400 returns are NaN, first at 2020-01-06"):
        test(frame)
    name = "probability" if test is probability_of_backtest_overfitting else "p_value"
    assert getattr(test(frame, nan_policy="omit"), name) == getattr(whole, name)
    assert math.isnan(getattr(test(frame, nan_policy="propagate"), name))


def test_nan_in_the_benchmark_is_refused_too(frame: pd.DataFrame) -> None:
    benchmark = np.zeros(800)
    benchmark[3] = np.nan
    with pytest.raises(InputError, match="1 returns of the benchmark are NaN"):
        spa_test(frame, benchmark)
    assert spa_test(frame, benchmark, nan_policy="omit").n_periods == 799


def test_a_strategy_that_stands_still_is_left_out(frame: pd.DataFrame) -> None:
    frame["s4"] = 0.0
    found = romano_wolf(frame)
    assert math.isnan(found.p_values[4])
    assert not np.isnan(np.delete(found.p_values, 4)).any()


def test_the_best_of_one_half_that_loses_in_the_other_is_overfit() -> None:
    rng = np.random.default_rng(1)
    noise = 0.001 * rng.standard_normal((400, 10))
    turns = np.where(np.arange(400) // 25 % 2, 1.0, -1.0)[:, None] * np.linspace(-0.004, 0.004, 10)
    found = probability_of_backtest_overfitting(noise + turns)
    assert found.probability > 0.7
    assert found.slope < 0.0
    assert len(found.logits) == math.comb(16, 8)


def test_choosing_by_lot_is_even_on_average() -> None:
    rng = np.random.default_rng(2)
    found = [
        probability_of_backtest_overfitting(0.01 * rng.standard_normal((240, 10)), n_splits=8).probability
        for _ in range(60)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: probability_of_backtest_overfitting(f, n_splits=7), "n_splits is 7; use an even number"),
        (lambda f: probability_of_backtest_overfitting(f, n_splits=22), "n_splits is 22"),
        (lambda f: probability_of_backtest_overfitting(f.iloc[:20]), "20 periods of returns, this needs at least 32"),
        (lambda f: probability_of_backtest_overfitting(f[["s0"]]), "1 strategies, expected at least 2"),
        (lambda f: spa_test(f["s0"]), r"shape \(800,\), expected \(n_periods, n_strategies\)"),
        (lambda f: spa_test(f, n_resamples=10), "n_resamples is 10; use a whole number of at least 99"),
        (lambda f: spa_test(f, block_length=0.5), "block_length is 0.5"),
        (lambda f: spa_test(f, np.zeros(3)), r"benchmark has the shape \(3,\)"),
        (lambda f: spa_test(f, pd.Series(0.0, index=range(800))), "index of the benchmark is not that of the returns"),
        (lambda f: romano_wolf(f * 0.0), "no strategy's returns move"),
        (lambda f: romano_wolf(f.iloc[:10]), "10 periods of returns, this needs at least 20"),
        (lambda f: romano_wolf(f, nan_policy="skip"), "nan_policy is 'skip'"),
        (lambda f: romano_wolf(f).superior(0.0), "level is 0.0"),
    ],
)
def test_what_cannot_be_right_is_refused(call: Callable[[Any], object], message: str, frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=message):
        call(frame)


def test_the_study_judges_by_the_functions_that_users_call() -> None:
    place = Path(__file__).resolve().parents[2] / "benchmarks" / "overfitting_study.py"
    spec = importlib.util.spec_from_file_location("overfitting_study", place)
    assert spec is not None
    assert spec.loader is not None
    study: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    rng = np.random.default_rng(5)
    options: dict[str, Any] = {"n_resamples": 199, "seed": 7}
    for kind in ("normal", "garch", "t(4)"):
        returns = next(study.families(kind, 0.9, 0.8, rng, 1))
        found = study.verdicts(returns, 199, 7)
        assert found["Romano-Wolf"] == romano_wolf(returns, **options).p_value
        assert found["reality check"] == reality_check(returns, **options).p_value
        assert found["SPA"] == spa_test(returns, **options).p_value
