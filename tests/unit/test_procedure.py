"""A test of a procedure: each null path is a real sweep, nothing depends on the workers, and p-values are uniform."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

import algotrendy as at
from algotrendy.backtest.procedure import ProcedureTest, procedure_test
from algotrendy.backtest.procedure.null import null_bars
from algotrendy.backtest.setting import prepare
from algotrendy.backtest.sweep import series as sweep_series
from algotrendy.backtest.sweep.declarative import DeclarativeSweep
from algotrendy.backtest.sweep.grid import make_grid
from algotrendy.errors import InputError

GRID = {"fast": [3, 5, 8], "slow": [15, 30]}
COSTS = {"commission": 0.0005, "slippage": 0.0002}


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return at.synthetic(n=500, seed=5)


@pytest.fixture(scope="module")
def uniform() -> Any:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "procedure_uniform.py"
    spec = importlib.util.spec_from_file_location("procedure_uniform", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def frame_of(bars: pd.DataFrame, path: Any) -> pd.DataFrame:
    return pd.DataFrame(path._asdict(), index=bars.index)


# --- each path is a sweep ---


@pytest.mark.parametrize("null", ["block", "sign", "garch"])
def test_the_best_of_a_path_is_that_of_a_sweep_of_its_bars(bars: pd.DataFrame, null: str) -> None:
    strategy = at.strategies.sma_cross()
    test = procedure_test(strategy, bars, GRID, paths=5, null=null, seed=3, where="fast < slow", **COSTS)
    made = null_bars(prepare(bars).arrays, null, seed=3)
    for number, best in enumerate(test.null_best):
        sweep = at.optimize(strategy, frame_of(bars, made.path(number)), GRID, where="fast < slow", **COSTS)
        assert best == sweep.table["sharpe_ratio"].max()
    sweep = at.optimize(strategy, bars, GRID, where="fast < slow", **COSTS)
    assert test.best == sweep.table["sharpe_ratio"].max()
    assert test.best_params == sweep.best_params


def test_of_a_loss_less_is_better(bars: pd.DataFrame) -> None:
    strategy = at.strategies.sma_cross()
    test = procedure_test(strategy, bars, GRID, paths=9, metric="max_drawdown", seed=1, block=3)
    made = null_bars(prepare(bars).arrays, "block", seed=1, block=3)
    expected = [at.optimize(strategy, frame_of(bars, made.path(k)), GRID).table["max_drawdown"].min() for k in range(9)]
    assert test.null_best.tolist() == expected
    assert test.best == at.optimize(strategy, bars, GRID).table["max_drawdown"].min()
    assert test.n_matched == sum(value <= test.best for value in expected)
    assert test.p_value == (1 + test.n_matched) / 10


def momentum(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
    up = bars["close"] > bars["close"].shift(params["window"])
    return at.Signals(entries=up, exits=~up)


def test_python_functions_are_tested_as_texts_are(bars: pd.DataFrame) -> None:
    text = at.Strategy(entry="close > prev(close, window)", exit="close <= prev(close, window)", window=5)
    grid = {"window": [5, 10, 20]}
    by_text = procedure_test(text, bars, grid, paths=7, seed=2, commission=0.001)
    by_function = procedure_test(
        momentum, bars, grid, params={"window": 5}, paths=7, seed=2, commission=0.001, workers=2
    )
    np.testing.assert_allclose(by_function.null_best, by_text.null_best, rtol=1e-9)
    assert by_function.best == pytest.approx(by_text.best)


def test_a_chart_is_made_anew_of_the_null_bars(bars: pd.DataFrame) -> None:
    grid, strategy = {"fast": [3, 5], "slow": [15]}, at.strategies.sma_cross()
    test = procedure_test(strategy, bars, grid, paths=2, null="sign", chart="heikin_ashi", workers=1)
    made = null_bars(prepare(bars).arrays, "sign", seed=0)
    sweep = at.optimize(strategy, frame_of(bars, made.path(1)), grid, chart="heikin_ashi", workers=1)
    assert test.null_best[1] == sweep.table["sharpe_ratio"].max()


def test_a_sweep_over_other_bars_is_a_new_one(bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = at.Strategy(
        entry='close > tf("1wk", sma(close, n)) and rsi(close, n) < 90', exit="close < sma(close, slow)",
        short_entry="close < lowest(prev(low, 1), n)", short_exit="close > sma(close, slow)",
        stop="2 * atr(n) / close", n=5, slow=20,
    )  # fmt: skip
    grid = make_grid({"n": [4, 5, 9], "slow": [10, 20, 30], "borrow": [0.0, 0.05]})
    other = at.synthetic(n=500, seed=6).set_axis(bars.index)
    for bytes_max in (sweep_series.BYTES_MAX, 10_000):
        monkeypatch.setattr(sweep_series, "BYTES_MAX", bytes_max)
        monkeypatch.setattr("algotrendy.backtest.sweep.declarative.BYTES_MAX", bytes_max)
        first = DeclarativeSweep(strategy, grid, prepare(bars))
        fresh = DeclarativeSweep(strategy, grid, prepare(other))
        chunks = first.chunks(1)
        before = [first.run(chunk) for chunk in chunks]
        moved = first.over(prepare(other).arrays)
        for chunk in chunks:
            np.testing.assert_array_equal(moved.run(chunk), fresh.run(chunk))
        for chunk, rows in zip(chunks, before, strict=True):
            np.testing.assert_array_equal(first.run(chunk), rows)  # the first is as it was


# --- nothing depends on how it is computed ---


@pytest.mark.parametrize("null", ["block", "sign", "garch"])
def test_one_worker_finds_what_three_find(bars: pd.DataFrame, null: str) -> None:
    options: dict[str, Any] = {"null": null, "seed": 4}
    one = procedure_test(at.strategies.sma_cross(), bars, GRID, paths=24, workers=1, **options)
    three = procedure_test(at.strategies.sma_cross(), bars, GRID, paths=24, workers=3, **options)
    assert np.array_equal(one.null_best, three.null_best)
    few = procedure_test(at.strategies.sma_cross(), bars, GRID, paths=9, **options)
    assert np.array_equal(few.null_best, one.null_best[:9])
    other = procedure_test(at.strategies.sma_cross(), bars, GRID, paths=9, null=null, seed=5)
    assert not np.array_equal(few.null_best, other.null_best)


def test_interrupting_returns_the_paths_that_are_done() -> None:
    script = textwrap.dedent("""
        import os, signal
        import algotrendy as at
        from algotrendy.backtest.procedure import procedure_test
        from algotrendy.backtest.procedure.null import NullBars
        path = NullBars.path
        def stopping(self, number):
            if number == 30:
                os.kill(os.getpid(), signal.SIGINT)
            return path(self, number)
        NullBars.path = stopping
        bars, grid = at.synthetic(n=300, seed=1), {"fast": [3, 5], "slow": [20]}
        test = procedure_test(at.strategies.sma_cross(), bars, grid, paths=100_000, workers=1)
        assert not test.complete and "stopped" in test.summary()
        print(len(test))
    """)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "30", ran.stderr


# --- p-values ---


@pytest.mark.parametrize("row", ["normal-block", "normal-sign", "garch-garch"])
def test_p_values_are_uniform_where_there_is_nothing_to_find(uniform: Any, row: str) -> None:
    found = uniform.p_values(row, 80, 19)
    assert kstest(uniform.smoothed(found, 19), "uniform").pvalue > 0.05


def test_the_check_of_uniformity_sees_a_null_that_does_not_fit(uniform: Any) -> None:
    found = uniform.p_values("drift-block", 60, 19)
    assert kstest(uniform.smoothed(found, 19), "uniform").pvalue < 1e-3


def test_measuring_the_winner_by_one_rule_alone_is_not_uniform(uniform: Any) -> None:
    """The mistake that the test is there to avoid: the best of six against the luck of one."""
    found = []
    for number in range(60):
        rng = np.random.default_rng([7, number])
        bars = uniform.bars_of(uniform.normal(rng), rng)
        strategy = uniform.strategy(short=True)
        whole = procedure_test(strategy, bars, uniform.GRID, paths=1, seed=number, workers=1)
        winner = {name: [value] for name, value in whole.best_params.items()}
        found.append(procedure_test(strategy, bars, winner, paths=19, seed=number, workers=1).p_value)
    assert np.mean(found) < 0.4
    assert kstest(uniform.smoothed(np.array(found), 19), "uniform").pvalue < 0.01


def test_an_edge_is_found() -> None:
    rng = np.random.default_rng(1)
    move = np.zeros(1500)
    for k in range(1, 1500):
        move[k] = 0.5 * move[k - 1] + rng.normal(0.0, 0.008)
    close = 100.0 * np.exp(np.cumsum(move))
    columns = {"open": np.concatenate(([100.0], close[:-1])), "close": close}
    bars = pd.DataFrame(columns, index=pd.bdate_range("2015-01-01", periods=1500))
    bars["high"], bars["low"] = bars.max(axis=1), bars.min(axis=1)
    text = at.Strategy(entry="close > prev(close, window)", exit="close <= prev(close, window)", window=1)
    grid = {"window": [1, 2, 3, 5]}
    assert procedure_test(text, bars, grid, paths=99, null="sign").p_value == 0.01
    assert procedure_test(text, bars, grid, paths=99, block=1).p_value == 0.01
    assert procedure_test(text, bars, grid, paths=99, block=300).p_value > 0.2  # long blocks carry the edge along


def test_p_counts_the_data_as_one_of_the_paths() -> None:
    def made(metric: str, best: float, others: list[float]) -> ProcedureTest:
        return ProcedureTest(metric, best, {"n": 1}, np.array(others), 3, "block", {}, False, 0, True)

    assert made("sharpe_ratio", 1.0, [0.5, 1.0, 2.0, np.nan]).p_value == 3 / 5
    assert made("sharpe_ratio", 3.0, [0.5, 1.0, 2.0]).p_value == 1 / 4
    assert made("max_drawdown", 0.2, [0.1, 0.2, 0.3]).p_value == 3 / 4
    low, high = made("sharpe_ratio", 1.0, [0.5, 1.0, 2.0, np.nan]).p_interval
    assert (low, high) == pytest.approx((0.0676, 0.9324), abs=1e-4)  # Clopper and Pearson for 2 of 4


# --- how it is shown, and what is refused ---


def test_a_test_can_be_looked_at(bars: pd.DataFrame) -> None:
    test = procedure_test(at.strategies.sma_cross(), bars, GRID, paths=19, keep_drift=True)
    text = test.summary()
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "best of 6 combinations" in text
    assert "with its drift" in text
    assert test.plot().layout.shapes[0].x0 == test.best
    assert "<table" in test._repr_html_()
    assert "p_value=" in repr(test)
    assert test.table.at["the data", "value"] == test.best
    assert test.table.at["q0.5", "value"] == pytest.approx(np.median(test.null_best))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"null": "blok"}, "did you mean 'block'"),
        ({"paths": 0}, "paths is 0"),
        ({"paths": 10.0}, "paths is 10.0"),
        ({"seed": -1}, "seed is -1"),
        ({"block": 0.5}, "from 1 to the 499"),
        ({"null": "sign", "block": 5}, "block= means nothing to the null 'sign'"),
        ({"metric": "sharpe_ration"}, "did you mean 'sharpe_ratio'"),
        ({"where": "fast > 100"}, "keeps none"),
        ({"chart": pd.DataFrame({"close": [1.0]})}, "chart"),
        ({"entry": 1}, "unexpected keyword"),
    ],
)
def test_what_makes_no_sense_is_refused(bars: pd.DataFrame, options: dict[str, Any], message: str) -> None:
    with pytest.raises((InputError, TypeError), match=message):
        procedure_test(at.strategies.sma_cross(), bars, GRID, **options)


def test_a_search_that_never_trades_has_no_best(bars: pd.DataFrame) -> None:
    never = at.Strategy(entry="close > level", exit="close < 0", level=1e9)
    with pytest.raises(InputError, match="no combination has a win_rate on the data"):
        procedure_test(never, bars, {"level": [1e9, 2e9]}, paths=3, metric="win_rate")


def test_bars_that_never_move_are_refused(bars: pd.DataFrame) -> None:
    still = bars.assign(open=5.0, high=5.0, low=5.0, close=5.0)
    with pytest.raises(InputError, match="never move"):
        procedure_test(at.strategies.sma_cross(), still, GRID, paths=3)


def test_processes_find_what_threads_find(bars: pd.DataFrame) -> None:
    options: dict[str, Any] = {"paths": 20, "seed": 4, "workers": 2, "progress": False}
    here, there = (
        procedure_test(at.strategies.sma_cross(), bars, GRID, executor=where, **options)
        for where in ("threads", "processes")
    )
    assert np.array_equal(here.null_best, there.null_best)
    told: list[int] = []
    procedure_test(at.strategies.sma_cross(), bars, GRID, **{**options, "progress": lambda now: told.append(now.done)})
    assert told[-1] == 20
