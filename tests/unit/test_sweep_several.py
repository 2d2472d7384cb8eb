"""A sweep over several strategies in one account gives, row for row and bit for bit, what `backtest` gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.portfolio import sweep_several
from algotrendy.backtest.sweep import optimize
from algotrendy.backtest.sweep.mix import StrategyMix
from algotrendy.backtest.trials import MemoryTrialLedger
from algotrendy.domain.actions import Actions
from algotrendy.errors import ExpressionError, InputError
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import BarStrategy, PythonStrategy, Signals

BARS = {symbol: at.synthetic(n=300, seed=k).assign(volume=3000.0) for k, symbol in enumerate("ABC")}
TREND, MEAN = at.strategies.sma_cross(5, 20), at.strategies.rsi_reversion()
BOTH: dict[str, Any] = {"trend": (TREND, 0.6), "mean": (MEAN, 0.3)}
OPTIONS: dict[str, Any] = {"max_positions": 2, "rank": {"mean": "-rsi(close, window)"}, "slippage": 0.0005}
DAY = BARS["A"].index
EXTRAS: dict[str, Any] = {
    "actions": {"A": Actions.of(splits={DAY[100]: 2.0}, dividends={DAY[50]: 0.5})},
    "participation": 0.1,
    "margin": (0.5, 0.3),
    "financing": 0.05,
    "max_leverage": 2.0,
}
GRID = {"trend.fast": [3, 8], "trend.allocation": [0.2, 0.7], "mean.stop": [0.03, 0.2], "mean.window": [7, 14]}


class Dip(BarStrategy):
    """Buys below the average of a few closes, and sells above it."""

    window = 10
    share = 0.3

    def start(self, ctx: Any) -> None:
        self.average = {view.symbol: ctx[view.symbol].indicator("sma", self.window) for view in ctx}

    def on_bar(self, ctx: Any) -> None:
        for view in ctx:
            if not view.bar or not np.isfinite(self.average[view.symbol].value):
                continue
            if not view.position() and view.bar.close < self.average[view.symbol].value * 0.99:
                view.buy(size=self.share, stop_price=view.bar.close * 0.9)
            elif view.position() and view.bar.close > self.average[view.symbol].value:
                view.close()


def by_close(bars: pd.DataFrame, params: Any) -> Signals:
    """A Python function."""
    up = bars["close"] > bars["close"].shift(int(params["lag"]))
    return Signals(entries=up, exits=~up)


def with_values(given: dict[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set the parameters by hand, as a user of `backtest` does."""
    costs = {name: value for name, value in values.items() if "." not in name}
    made = {}
    for name, (strategy, share) in given.items():
        own = {key.split(".")[1]: value for key, value in values.items() if key.startswith(f"{name}.")}
        own_share = own.pop("allocation", share)
        made[name] = (strategy.with_params(**own) if own else strategy, own_share)
    return made, costs


def assert_equals_single_runs(given: dict[str, Any], grid: Any, bars: Any = BARS, **options: Any) -> pd.DataFrame:
    sweep = optimize(given, bars, grid, progress=False, **options)
    for row in sweep.table.index:
        made, costs = with_values(given, sweep.params_of(row))
        expected = at.backtest(made, bars, **{**options, **costs})
        found = sweep.table.loc[row, list(METRICS)].to_numpy(dtype=np.float64)
        np.testing.assert_array_equal(found, [expected.metrics[name] for name in METRICS], str(sweep.params_of(row)))
    again, result = sweep.run(row), expected
    np.testing.assert_array_equal(again.equity_values, result.equity_values)
    return sweep.table


@pytest.mark.parametrize("rebalance", [None, "1mo"])
@pytest.mark.parametrize("extras", [{}, EXTRAS], ids=["plain", "extras"])
def test_each_row_equals_its_own_backtest_bit_for_bit(rebalance: Any, extras: dict[str, Any]) -> None:
    table = assert_equals_single_runs(BOTH, GRID, rebalance=rebalance, **OPTIONS, **extras)
    assert len(table) == 16
    assert table["sharpe_ratio"].nunique() == 16


def test_costs_are_swept_and_replace_what_was_given() -> None:
    grid = {"commission": [0.0, 0.002], "slippage": [0.0, 0.001], "borrow": [0.0, 0.1], "trend.fast": [3, 8]}
    shorts = at.strategies.macd_long_short()
    given = {"trend": (TREND, 0.5), "shorts": (shorts, 0.5)}
    table = assert_equals_single_runs(given, grid, commission=at.Fees(per_unit=0.01, fixed=1.0, minimum=2.0))
    assert (table["borrow_paid"] > 0).any()


def test_one_instrument_functions_signals_and_stateful_strategies_take_part() -> None:
    bars = BARS["A"]
    up = bars["close"] > bars["close"].shift(1)
    given = {
        "function": (PythonStrategy(by_close, {"lag": 2}), 0.3),
        "arrays": (Signals(entries=up, exits=~up), 0.3),
        "dip": (Dip(), 0.3),
    }
    grid = {"function.lag": [1, 3], "arrays.allocation": [0.1, 0.3], "dip.window": [5, 15], "commission": [0.0, 0.001]}
    assert len(assert_equals_single_runs(given, grid, bars)) == 16


def test_cross_sections_members_and_what_does_not_vary() -> None:
    ranked = at.Strategy(entry="rank(momentum(close, n)) > 1.5", exit="rank(momentum(close, n)) < 1.2", n=10)
    given = {"ranked": (ranked, 0.5), "mean": (MEAN, 0.5)}
    members = {"A": (DAY[0], DAY[200]), "B": (DAY[20], None), "C": (None, None)}
    assert_equals_single_runs(given, {"ranked.n": [5, 20]}, members=members, rank="momentum(close, 20)")


def test_a_strategy_is_run_once_for_its_own_values(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Any] = []
    whole = sweep_several.run_alone
    monkeypatch.setattr(
        sweep_several, "run_alone", lambda account, plan: runs.append(plan.name) or whole(account, plan)
    )
    grid = {"trend.fast": range(3, 43), "mean.window": range(5, 35)}
    sweep = optimize(BOTH, BARS["A"], grid, workers=1, progress=False)
    assert len(sweep.table) == 1200
    assert (runs.count("trend"), runs.count("mean")) == (40, 30)
    runs.clear()
    spans = {"trend.fast": (3, 60)}
    found = optimize(
        BOTH, BARS["A"], spans, method="random", n_trials=50, patience=50, seed=1, workers=1, progress=False
    )
    assert (runs.count("trend"), runs.count("mean")) == (len(found.table), 1)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_the_table_does_not_hang_on_where_it_is_computed(executor: str) -> None:
    given = {**BOTH, "dip": (Dip(), 0.1)}
    grid = {"trend.fast": range(3, 9), "mean.window": [7, 14], "dip.window": [5, 10]}
    expected = optimize(given, BARS, grid, workers=1, executor="threads", progress=False).table
    found = optimize(given, BARS, grid, workers=2, executor=executor, progress=False).table
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


# --- what is chosen from ----------------------------------------------------------------------------------------------


def test_shares_that_sum_to_more_than_one_are_left_out_and_told() -> None:
    shares = [0.2, 0.5, 0.8]
    sweep = optimize(BOTH, BARS, {"trend.allocation": shares, "mean.allocation": shares}, progress=False)
    kept = sweep.table[["trend.allocation", "mean.allocation"]]
    assert len(kept) == 6
    assert (kept.sum(axis=1) <= 1.0 + 1e-9).all()
    assert sweep.note.startswith("3 combinations were left out: their shares")
    with pytest.raises(InputError, match=r"sum to 1\.1 or more"):
        optimize(BOTH, BARS, {"trend.allocation": [0.8, 0.9]}, progress=False)


def test_where_reads_the_names_of_several_strategies() -> None:
    grid = {"trend.fast": [3, 8, 12], "trend.slow": [10, 20], "mean.allocation": [0.1, 0.4]}
    text = "trend.fast < trend.slow and trend.allocation + mean.allocation == 1"
    sweep = optimize(BOTH, BARS, grid, where=text, progress=False)
    assert sweep.table[list(sweep.parameters)].to_numpy().tolist() == [
        [3, 10, 0.4], [3, 20, 0.4], [8, 10, 0.4], [8, 20, 0.4], [12, 20, 0.4]
    ]  # fmt: skip
    with pytest.raises(ExpressionError):
        optimize(BOTH, BARS, grid, where="trend.fsat < 3", progress=False)
    odd = {"a b": (TREND, 0.5), "a_b": (TREND, 0.5)}
    sweep = optimize(odd, BARS, {"a b.fast": [3, 8], "a_b.fast": [3, 8]}, where="a b.fast < a_b.fast", progress=False)
    assert sweep.table.iloc[:, :2].to_numpy().tolist() == [[3, 8]]


def test_random_and_bayesian_search_metrics_constraints_and_the_front() -> None:
    spans = {"trend.fast": (3, 12), "trend.allocation": (0.1, 0.9), "mean.window": [7, 14]}
    given: dict[str, Any] = {"n_trials": 24, "seed": 3, "progress": False}
    drawn = optimize(BOTH, BARS, spans, method="random", metric=["sharpe_ratio", "max_drawdown"], **given)
    assert len(drawn.table) == 24
    assert (drawn.table["trend.allocation"] <= 0.7).all()
    front = drawn.pareto()
    assert 1 <= len(front) < 24
    assert front.index[0] == drawn.best_row
    pytest.importorskip("optuna")
    limits = "n_trades >= 5 and max_drawdown < 0.5"
    asked = optimize(BOTH, BARS, spans, method="bayesian", constraints=limits, **given)
    again = optimize(BOTH, BARS, spans, method="bayesian", constraints=limits, **given)
    pd.testing.assert_frame_equal(asked.table, again.table, check_exact=True)
    assert asked.best.metrics["sharpe_ratio"] == asked.table["sharpe_ratio"].max()
    by_specs = optimize({"trend": (TREND, 0.5)}, BARS, method="random", n_trials=3, seed=1, progress=False)
    assert by_specs.parameters == ("trend.fast", "trend.slow")


def test_a_checkpoint_goes_on_and_refuses_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = {"trend.fast": range(3, 40), "mean.window": [7, 14]}
    given: dict[str, Any] = {"checkpoint": tmp_path / "run", "workers": 1, "progress": False}
    whole = optimize(BOTH, BARS, grid, progress=False, workers=1).table
    real, runs = sweep_several.run_alone, []

    def stops(account: Any, plan: Any) -> Any:
        runs.append(plan)
        if len(runs) == 30:
            raise KeyboardInterrupt
        return real(account, plan)

    monkeypatch.setattr(sweep_several, "run_alone", stops)
    part = optimize(BOTH, BARS, grid, **given)
    assert not part.complete
    assert 0 < len(part.table) < len(whole)
    monkeypatch.setattr(sweep_several, "run_alone", real)
    pd.testing.assert_frame_equal(optimize(BOTH, BARS, grid, **given).table, whole, check_exact=True)
    other = {"trend": (TREND, 0.5), "mean": (MEAN, 0.3)}
    changed = {**BARS, "C": BARS["C"].assign(high=BARS["C"]["high"] * 1.01)}
    for call in (
        lambda: optimize(other, BARS, grid, **given),
        lambda: optimize(BOTH, changed, grid, **given),
        lambda: optimize(BOTH, BARS, grid, rebalance="1mo", **given),
        lambda: optimize(BOTH, BARS, grid, commission=at.Fees(fixed=1.0), **given),
    ):
        with pytest.raises(InputError, match="checkpoint"):
            call()


def test_several_instruments_under_one_strategy_have_checkpoints_too(tmp_path: Path) -> None:
    grid = {"fast": [3, 5, 8]}
    whole = optimize(TREND, BARS, grid, progress=False).table
    for _ in range(2):
        kept = optimize(TREND, BARS, grid, checkpoint=tmp_path / "run", progress=False).table
        pd.testing.assert_frame_equal(kept, whole, check_exact=True)
    with pytest.raises(InputError, match="checkpoint"):
        optimize(TREND, BARS, grid, checkpoint=tmp_path / "run", rank="momentum(close, 5)", progress=False)


def test_what_was_tried_is_counted_and_judged() -> None:
    before = at.configure().ledger
    try:
        ledger = MemoryTrialLedger()
        at.configure(ledger=ledger)
        for _ in range(2):
            sweep = at.optimize(BOTH, BARS, {"trend.fast": range(3, 11)}, progress=False)
        at.optimize(BOTH, BARS, {"trend.fast": [3, 4]}, rebalance="1mo", progress=False)
        assert [(each.kind, each.n_trials) for each in ledger.records()] == [("sweep", 8), ("sweep", 2)]
        assert ledger.records()[0].label == "trend + mean: trend.fast 3 to 10"
        report = sweep.overfitting(n_splits=8, n_resamples=99, benchmark="hold")
        assert report.n_trials == 8
        assert 0.0 < report.p_value <= 1.0
        assert report.ledger is not None
        assert report.ledger.n_trials == 10
    finally:
        at.configure(ledger=False if before is None else before)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"fast": [3]}, r"'fast' is no parameter: it does not say of which strategy; write strategy.parameter"),
        ({"tend.fast": [3]}, r"there is no strategy 'tend'.*did you mean 'trend.fast'"),
        ({"trend.fsat": [3]}, r"of the strategy 'trend': the grid varies 'fsat'.*did you mean 'fast'"),
        ({"trend.allocation": [0.0, 0.1]}, r"grid\['trend.allocation'\] has 0.0; a fraction of the capital above zero"),
        ({"trend.allocation": [20, 40]}, r"sum to 20.3 or more"),
        ({"trend.stop": [5.0]}, r"of the strategy 'trend'"),
        ({"commission": [-1.0]}, r"commission"),
        ({}, r"nothing is varied"),
    ],
)
def test_a_wrong_grid_says_what_to_write(grid: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        optimize(BOTH, BARS, grid, progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stop": 0.1}, "stop is given beside several strategies"),
        ({"tolerance": 0.1}, "tolerance belongs to"),
        ({"chart": "renko"}, "chart is for one instrument"),
        ({"max_positions": {"men": 1}}, "names the strategy 'men'.*did you mean 'mean'"),
        ({"rebalance": "1h"}, "shorter than a day"),
    ],
)
def test_a_wrong_option_says_what_to_write(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        optimize(BOTH, BARS, {"trend.fast": [3, 5]}, progress=False, **options)


def test_a_mix_says_what_it_is_made_of() -> None:
    mix = StrategyMix.of(BOTH, {"trend.fast": 7, "mean.allocation": 0.1})
    assert mix.parameters["trend.fast"] == 7
    assert mix.parameters["mean.allocation"] == 0.1
    assert mix.to_dict()["allocations"] == {"trend": 0.6, "mean": 0.1}
    with pytest.raises(InputError, match=r"sum to 1\.5"):
        mix.with_params(**{"mean.allocation": 0.9})
    up = BARS["A"]["close"] > 100
    arrays = StrategyMix.of({"arrays": (Signals(entries=up, exits=~up), 0.5)})
    with pytest.raises(InputError, match="given as signals, which have no parameters"):
        arrays.with_params(**{"arrays.fast": 3})
    clash = at.Strategy(entry="close > allocation", exit="close < 1", allocation=3.0)
    with pytest.raises(InputError, match="a parameter 'allocation' of its own"):
        StrategyMix.of({"a": (clash, 0.5)}, {"a.allocation": 0.4})
