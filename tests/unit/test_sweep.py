"""A sweep gives, row for row, what single backtests give; with any number of workers; and stops with what is done."""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.setting import prepare
from algotrendy.backtest.sweep import series as sweep_series
from algotrendy.backtest.sweep.declarative import DeclarativeSweep
from algotrendy.backtest.sweep.grid import make_grid
from algotrendy.errors import ExpressionError, InputError
from algotrendy.kernels.statistics_names import METRICS

COSTS = {"commission": 0.0005, "slippage": 0.0002}


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return at.synthetic(n=700, seed=5)


def cross(**levels: Any) -> at.Strategy:
    return at.Strategy(
        entry="sma(close, fast) > sma(close, slow)",
        exit="sma(close, fast) <= sma(close, slow)",
        fast=5,
        slow=20,
        **levels,
    )


def both_ways() -> at.Strategy:
    return at.Strategy(
        entry="crosses_above(close, sma(close, slow) * (1 + band)) and rsi(close, n) < 70",
        exit="close < sma(close, slow)",
        short_entry="close < prev(lowest(low, n), 1) and not (rsi(close, n) < low_rsi)",
        short_exit="close > sma(close, n)",
        stop="reach * atr(n) / close",
        size="share",
        slow=20, band=0.01, n=10, low_rsi=20, reach=2.0, share=0.5,
    )  # fmt: skip


def assert_equals_single_runs(strategy: Any, bars: pd.DataFrame, grid: dict[str, Any], **options: Any) -> None:
    sweep = at.optimize(strategy, bars, grid, **options)
    assert len(sweep.table) == len(list(itertools.product(*grid.values())))
    for row in sweep.table.index:
        metrics = sweep.run(row).metrics
        found = [sweep.table.at[row, name] for name in METRICS]
        expected = [metrics[name] for name in METRICS]
        np.testing.assert_allclose(found, expected, rtol=1e-9, err_msg=str(sweep.params_of(row)))


def test_each_row_equals_its_own_backtest(bars: pd.DataFrame) -> None:
    assert_equals_single_runs(cross(), bars, {"fast": [3, 5, 8], "slow": [10, 20]}, **COSTS)


@pytest.mark.parametrize("fill", ["next_open", "same_close", "next_close"])
def test_levels_and_costs_are_swept(bars: pd.DataFrame, fill: str) -> None:
    grid = {
        "stop": [0.02, 0.1],
        "fast": [3, 5],
        "size": [0.5, 1.0],
        "slippage": [0.0, 0.001],
        "commission": [0.0, 0.002],
    }
    assert_equals_single_runs(cross(trail=0.08, target=0.3), bars, grid, fill=fill)


def test_shorts_with_borrow_are_swept(bars: pd.DataFrame) -> None:
    assert_equals_single_runs(both_ways(), bars, {"borrow": [0.0, 0.05], "n": [5, 10], "low_rsi": [20, 30]}, **COSTS)


def test_levels_given_as_expressions_are_swept(bars: pd.DataFrame) -> None:
    grid = {"reach": [1.0, 3.0], "n": [5, 14], "share": [0.3, 1.0], "band": [0.0, 0.02]}
    assert_equals_single_runs(both_ways(), bars, grid, **COSTS)


def test_higher_timeframes_are_swept(bars: pd.DataFrame) -> None:
    weekly = at.Strategy(entry='close > tf("1wk", sma(close, n))', exit='close < tf("1wk", sma(close, n))', n=5)
    assert_equals_single_runs(weekly, bars, {"n": [3, 5, 9]})


@pytest.mark.parametrize(
    ("condition", "grid"),
    [
        ("close > bollinger_upper(close, n, width)", {"n": [5, 20], "width": [0.5, 1, 2]}),
        ("close < keltner_lower(n, width, 10)", {"n": [5, 20], "width": [0.5, 1.5]}),
        ("macd(close, n, slow, 9) > macd_signal(close, n, slow, 9)", {"n": [3, 5], "slow": [10, 26]}),
        ("momentum(close, n) > 0 and roc(close, n) < rsi(close, slow)", {"n": [3, 5], "slow": [10, 26]}),
        ("supertrend_direction(n, width) > 0", {"n": [5, 10], "width": [1.5, 3]}),
        ("sma(sma(close, n), slow) > ema(high - low, n)", {"n": [3, 5], "slow": [10, 26]}),
    ],
)
def test_all_kinds_of_series_are_swept(bars: pd.DataFrame, condition: str, grid: dict[str, Any]) -> None:
    strategy = at.Strategy(entry=condition, exit=f"not ({condition})", **{name: grid[name][0] for name in grid})
    assert_equals_single_runs(strategy, bars, grid)


def test_a_value_that_an_indicator_refuses_names_the_parameter(bars: pd.DataFrame) -> None:
    strategy = at.Strategy(entry="close > bollinger_upper(close, n, width)", exit="close < sma(close, n)", n=5, width=1)
    with pytest.raises(InputError, match="width=-1"):
        at.optimize(strategy, bars, {"n": [5, 6], "width": [1.0, -1.0]})


def test_a_value_is_checked_where_no_series_depends_on_it(bars: pd.DataFrame) -> None:
    strategy = at.Strategy(entry="macd(close, 12, 26, n) > 0", exit="macd(close, 12, 26, n) < 0", n=9)
    with pytest.raises(InputError, match=r"`signal` is 2\.5.*n=2\.5"):
        at.optimize(strategy, bars, {"n": [9, 2.5]})


def test_fixed_units_and_whole_units_are_swept(bars: pd.DataFrame) -> None:
    assert_equals_single_runs(cross(size=at.FixedUnits(100)), bars, {"fast": [3, 5]}, units="whole")


def test_one_and_two_workers_give_the_same_table(bars: pd.DataFrame) -> None:
    grid = {"fast": range(2, 30), "slow": range(10, 60), "stop": [0.02, 0.05]}
    one, two = (at.optimize(cross(), bars, grid, workers=workers, **COSTS).table for workers in (1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_a_sweep_too_large_to_share_its_series_gives_the_same_table(
    bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = {"fast": range(2, 12), "slow": range(10, 40)}
    shared = at.optimize(cross(), bars, grid).table
    monkeypatch.setattr(sweep_series, "BYTES_MAX", 100_000)
    monkeypatch.setattr("algotrendy.backtest.sweep.declarative.BYTES_MAX", 100_000)
    pd.testing.assert_frame_equal(shared, at.optimize(cross(), bars, grid).table, check_exact=True)


@pytest.mark.parametrize("bytes_max", [10_000_000, 100_000])
@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("ema_cross", {"fast": range(2, 12), "slow": range(20, 30)}),
        ("macd_cross", {"signal": range(3, 8), "fast": range(2, 6), "slow": [9, 26]}),
        ("macd_long_short", {"fast": range(2, 12), "slow": [20, 26], "signal": [9, 3, 5]}),
        ("supertrend_follow", {"window": range(2, 12), "multiplier": [0.5, 2.0, 3.0]}),
        ("rsi_reversion", {"window": range(2, 20), "oversold": [30, 40]}),
    ],
)
def test_kernels_for_many_sets_change_no_bit(
    bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, name: str, grid: dict[str, Any], bytes_max: int
) -> None:
    strategy = at.strategies.LIBRARY[name]()
    alone = at.optimize(strategy, bars, grid).table
    monkeypatch.setattr(sweep_series, "_NUMBERS_MIN", 0)
    monkeypatch.setattr(sweep_series, "BYTES_MAX", bytes_max)
    monkeypatch.setattr("algotrendy.backtest.sweep.declarative.BYTES_MAX", bytes_max)
    pd.testing.assert_frame_equal(alone, at.optimize(strategy, bars, grid).table, check_exact=True)


def test_a_chunk_takes_no_more_memory_than_it_may(bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_series, "BYTES_MAX", 0)
    grid = {"fast": range(2, 12), "slow": [26, 30], "signal": range(3, 13)}
    sweep = DeclarativeSweep(at.strategies.macd_cross(), make_grid(grid), prepare(bars))
    shelf = sweep._shelf
    for n_series in (1, 2, 30, 100, 10_000):
        size = shelf.combinations_max(n_series * 8 * len(bars))
        for begin in range(0, 200, size):
            taken = shelf.bind(np.arange(begin, min(begin + size, 200))).series
            assert sum(len(np.atleast_2d(block)) for block in taken) <= max(n_series, 3)


def momentum(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    rising = bars["close"].pct_change(params["window"]) > 0
    return {"entries": rising, "exits": ~rising}


def test_python_strategies_sweep_over_processes(bars: pd.DataFrame) -> None:
    grid = {"window": [5, 10, 20], "commission": [0.0, 0.001]}
    two = at.optimize(momentum, bars, grid, params={"window": 5}, workers=2)
    one = at.optimize(momentum, bars, grid, params={"window": 5}, workers=1)
    pd.testing.assert_frame_equal(one.table, two.table, check_exact=True)
    assert one.run(0).metrics["sharpe_ratio"] == one.table.at[0, "sharpe_ratio"]


def test_where_keeps_the_wanted_combinations(bars: pd.DataFrame) -> None:
    grid = {"fast": [5, 10, 20], "slow": [5, 10, 20]}
    by_text = at.optimize(cross(), bars, grid, where="fast < slow").table
    by_function = at.optimize(cross(), bars, grid, where=lambda p: p["fast"] < p["slow"]).table
    assert list(zip(by_text["fast"], by_text["slow"], strict=True)) == [(5, 10), (5, 20), (10, 20)]
    pd.testing.assert_frame_equal(by_text, by_function)


def test_where_may_use_parameters_that_are_not_varied(bars: pd.DataFrame) -> None:
    assert at.optimize(cross(), bars, {"fast": [5, 10, 30]}, where="fast * 2 <= slow").table["fast"].tolist() == [5, 10]


def test_the_best_row_comes_first_and_less_is_better_for_losses(bars: pd.DataFrame) -> None:
    grid = {"fast": range(2, 8), "slow": range(10, 20)}
    by_sharpe = at.optimize(cross(), bars, grid)
    assert by_sharpe.top(1)["sharpe_ratio"].item() == by_sharpe.table["sharpe_ratio"].max()
    by_loss = at.optimize(cross(), bars, grid, metric="max_drawdown")
    assert by_loss.best.metrics["max_drawdown"] == by_loss.table["max_drawdown"].min()


def test_the_table_keeps_types(bars: pd.DataFrame) -> None:
    table = at.optimize(cross(), bars, {"fast": [3], "stop": [0.1]}).table
    kinds = {name: table[name].dtype.kind for name in ("fast", "stop", "n_trades", "sharpe_ratio")}
    assert kinds == {"fast": "i", "stop": "f", "n_trades": "i", "sharpe_ratio": "f"}


def test_the_heat_map_shows_the_best_over_what_it_does_not_show(bars: pd.DataFrame) -> None:
    sweep = at.optimize(cross(), bars, {"fast": [3, 5], "slow": [10, 20, 30], "stop": [0.02, 0.05]})
    figure = sweep.heatmap("slow", "fast").to_dict()["data"][0]
    cell = sweep.table.query("fast == 3 and slow == 20")["sharpe_ratio"].max()
    assert figure["z"][0][1] == pytest.approx(cell)


def test_the_heat_map_of_one_parameter_is_a_line(bars: pd.DataFrame) -> None:
    assert at.optimize(cross(), bars, {"fast": [3, 5]}).heatmap().to_dict()["data"][0]["type"] == "scatter"


def test_a_sweep_shows_itself(bars: pd.DataFrame) -> None:
    sweep = at.optimize(cross(), bars, {"fast": [3, 5]})
    assert "2 combinations of fast" in str(sweep)
    assert "<table" in sweep._repr_html_()


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"fsat": [3]}, "did you mean 'fast'"),
        ({"stop": [5]}, "fractions"),
        ({"fast": [0]}, "fast"),
        ({"fast": [2.5]}, "fast"),
        ({"commission": [-0.1]}, "commission"),
    ],
)
def test_a_wrong_grid_says_what_is_wrong(bars: pd.DataFrame, grid: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        at.optimize(cross(), bars, grid)


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        ("fast < slwo", ExpressionError, "slow"),
        ("fast + slow", InputError, "condition"),
        ("fast < close", ExpressionError, "close"),
        (lambda p: True, InputError, "one bool for each"),
        (3, InputError, "where"),
    ],
)
def test_a_wrong_where_says_what_is_wrong(bars: pd.DataFrame, where: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        at.optimize(cross(), bars, {"fast": [3], "slow": [9]}, where=where)


def test_an_unknown_metric_proposes_the_nearest(bars: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="sharpe_ratio"):
        at.optimize(cross(), bars, {"fast": [3]}, metric="sharp_ratio")


def test_a_sweep_that_never_trades_has_no_best_row(bars: pd.DataFrame) -> None:
    never = at.Strategy(entry="close < n", n=0)
    with pytest.raises(InputError, match="nothing was traded"):
        at.optimize(never, bars, {"n": [-1, 0]}).best_params  # noqa: B018


def test_ctrl_c_returns_what_is_done() -> None:
    script = textwrap.dedent(
        """
        import os, signal
        import algotrendy as at
        from algotrendy.backtest.sweep.declarative import DeclarativeSweep

        run, started = DeclarativeSweep.run, []

        def run_and_interrupt(sweep, chunk):
            started.append(chunk)
            if len(started) == 4:
                os.kill(os.getpid(), signal.SIGINT)
            return run(sweep, chunk)

        DeclarativeSweep.run = run_and_interrupt
        grid = {"fast": range(2, 60), "slow": range(60, 160), "stop": [0.01, 0.02, 0.03]}
        sweep = at.optimize(at.strategies.sma_cross(), at.synthetic(n=3000, seed=1), grid)
        print(sweep.complete, 0 < len(sweep) < 10_000, len(sweep.top(3)))
        """
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert answer.stdout.split() == ["False", "True", "3"], answer.stderr
