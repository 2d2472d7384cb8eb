"""Several strategies in one account through the services: optimised, simulated, stored with other values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.monte_carlo import monte_carlo
from algotrendy.backtest.run import backtest
from algotrendy.backtest.sweep import optimize
from algotrendy.backtest.walk_forward import walk_forward
from algotrendy.compute import wait_for
from algotrendy.errors import InputError
from algotrendy.services import Allocations, VectorizedBacktester
from algotrendy.strategy import BarStrategy
from tests.contract.databases import KINDS, Place, place_for
from tests.contract.house import Counting, House, made

SYMBOLS = ["MADE", "OTHER", "THIRD"]
BARS = {symbol: made(symbol) for symbol in SYMBOLS}
COSTS: dict[str, Any] = {"commission": 0.0005, "slippage": 0.0001}
MARKET = {"symbols": SYMBOLS, "interval": "1d", "source": "here", "asset_class": "stock"}
CROSS, MEAN = at.strategies.sma_cross(5, 20), at.strategies.rsi_reversion()
PAIR = {"trend": (CROSS, 0.6), "mean": (MEAN, 0.3)}
GRID = {"trend.fast": [4, 8], "trend.allocation": [0.3, 0.7], "mean.allocation": [0.3, 0.7]}
WHOLE = "trend.allocation + mean.allocation == 1"
SEVERAL = {
    "strategies": {
        "trend": {"definition": CROSS.to_dict(), "share": 0.6},
        "mean": {"definition": {"library": "rsi_reversion"}, "share": 0.3},
    },
    "rebalance": "1mo",
}


class Dip(BarStrategy):
    """Buys what fell below its average."""

    window = 10

    def start(self, ctx: Any) -> None:
        self.average = {view.symbol: view.indicator("sma", self.window) for view in ctx}

    def on_bar(self, ctx: Any) -> None:
        for view in ctx:
            if view.bar.close < self.average[view.symbol].value and not view.position():
                view.buy(size=0.3)
            elif view.position():
                view.close()


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    built = House(place_for(request, request.param), tmp_path, registered={"dip": Dip})
    yield built
    built.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[House]:
    built = House(Place(f"sqlite:///{tmp_path}/house.db"), tmp_path, registered={"dip": Dip})
    yield built
    built.close()


def test_an_optimisation_of_several_strategies_is_that_of_the_library(house: House) -> None:
    stored = wait_for(house.engine.create_strategy({"name": "Both", "asset_class": "stock", "definition": SEVERAL}))
    asked = {"strategy_id": stored.strategy_id, **MARKET, "parameters": GRID, "where": WHOLE, "max_positions": 2}
    started = wait_for(house.backtesting.start_optimization(asked))
    house.work()
    found = wait_for(house.backtesting.get_results(started.optimization_id))
    by_hand = optimize(PAIR, BARS, GRID, where=WHOLE, rebalance="1mo", max_positions=2, workers=1, **COSTS)
    assert found.metrics["best_params"] == by_hand.best_params
    assert found.metrics["best_value"] == by_hand.table["sharpe_ratio"].max()
    assert found.metrics["n_combinations"] == len(by_hand.table) == 4
    assert {row["trend.allocation"] + row["mean.allocation"] for row in found.result["rows"]} == {1.0}
    assert [(record.kind, record.n_trials) for record in house.ledger.records()] == [("sweep", 4)]
    again = wait_for(house.backtesting.start_optimization(asked))
    assert (again.cached, again.status) == (True, "completed")


def test_the_best_of_them_runs_and_is_simulated_like_any_other(local: House) -> None:
    settings = {**MARKET, "parameters": GRID, "max_positions": {"trend": 2}}
    best = wait_for(local.backtesting.run_optimization(PAIR, settings))
    by_hand = optimize(PAIR, BARS, GRID, max_positions={"trend": 2}, workers=1, **COSTS)
    pd.testing.assert_frame_equal(best.table, by_hand.table)
    assert isinstance(best.strategy, Allocations)
    assert {name: best.strategy.parameters[name] for name in GRID} == best.parameters == by_hand.best_params
    told = best.strategy.to_dict()["strategies"]["trend"]
    assert told["share"] == best.parameters["trend.allocation"]
    assert told["definition"] == CROSS.with_params(fast=best.parameters["trend.fast"]).to_dict()
    run = wait_for(local.backtesting.run_backtest(best.strategy.to_dict(), {**MARKET, "max_positions": {"trend": 2}}))
    assert run.metrics["sharpe_ratio"] == best.value
    for method, source, more in (
        ("bootstrap", "returns", {"horizon": 252}),
        ("trade_shuffle", "trades", {"cash": run.cash}),
    ):
        asked = {**MARKET, "max_positions": {"trend": 2}, "method": method, "paths": 40, "seed": 3}
        paths = wait_for(local.backtesting.run_monte_carlo(best.strategy.to_dict(), asked))
        drawn = monte_carlo(getattr(run, source), method=method, paths=40, seed=3, workers=1, **more)
        assert paths.terminal_wealth.tolist() == drawn.terminal_wealth.tolist()
    assert Counting.runs == 1, "the backtest that was simulated is the one that was kept"


def test_a_walk_of_several_strategies_is_that_of_the_library(local: House) -> None:
    asked = {"strategy": SEVERAL, **MARKET, "parameters": GRID, "where": WHOLE, "training_window": 200,
             "testing_window": 100, "max_positions": {"trend": 2}}  # fmt: skip
    started = wait_for(local.backtesting.start_walk_forward(asked))
    local.work()
    found = wait_for(local.backtesting.get_results(started.walk_forward_id))
    by_hand = walk_forward(
        PAIR, BARS, GRID, where=WHOLE, rebalance="1mo", training=200, testing=100, max_positions={"trend": 2},
        workers=1, **COSTS,
    )  # fmt: skip
    assert [row["trend.allocation"] for row in found.result["windows"]] == by_hand.windows["trend.allocation"].tolist()
    assert found.metrics["final_equity"] == by_hand.metrics["final_equity"]
    settings = {name: value for name, value in asked.items() if name != "strategy"}
    again = wait_for(local.backtesting.run_walk_forward(SEVERAL, settings))
    pd.testing.assert_series_equal(again.equity, by_hand.equity)
    assert set(again.stability.index) == set(GRID)
    assert [(record.kind, record.n_trials) for record in local.ledger.records()] == [("walk_forward", 8)]


def test_values_stand_in_place_of_its_own_and_are_stored(local: House) -> None:
    changed = {"trend": (CROSS.with_params(fast=8), 0.5), "mean": (MEAN, 0.3)}
    by_hand = backtest(changed, BARS, rebalance="1mo", **COSTS)
    values = {"trend.fast": 8, "trend.allocation": 0.5}
    here = wait_for(local.backtesting.run_backtest(SEVERAL, {**MARKET, "params": values}))
    assert here.equity.equals(by_hand.equity)
    plain = wait_for(local.backtesting.run_backtest(PAIR, {**MARKET, "params": values}))
    assert plain.equity.equals(backtest(changed, BARS, **COSTS).equity)
    checked = wait_for(local.engine.validate_strategy(SEVERAL))
    assert checked.parameters["trend.fast"]["value"] == 5
    assert checked.parameters["mean.allocation"] == {"name": "mean.allocation", "value": 0.3}
    stored = wait_for(local.engine.create_strategy({"name": "B", "asset_class": "stock", "definition": SEVERAL}))
    later = wait_for(local.engine.update_strategy(stored.strategy_id, {"parameters": values}))
    assert later.version == 2
    again = wait_for(local.backtesting.run_backtest(stored.strategy_id, MARKET))
    assert again.equity.equals(by_hand.equity)


def test_a_registered_class_is_one_of_them(local: House) -> None:
    several = {"strategies": {
        "dip": {"definition": {"registered": "dip"}, "share": 0.5},
        "trend": {"definition": CROSS.to_dict(), "share": 0.5},
    }}  # fmt: skip
    grid = {"dip.window": [5, 15], "trend.fast": [4, 8]}
    started = wait_for(local.backtesting.start_optimization({"strategy": several, **MARKET, "parameters": grid}))
    local.work()
    found = wait_for(local.backtesting.get_results(started.optimization_id))
    by_hand = optimize({"dip": (Dip(), 0.5), "trend": (CROSS, 0.5)}, BARS, grid, workers=1, **COSTS)
    assert found.metrics["best_params"] == by_hand.best_params
    assert found.metrics["best_value"] == by_hand.table["sharpe_ratio"].max()
    best = wait_for(local.backtesting.run_optimization(several, {**MARKET, "parameters": grid}))
    assert best.cached
    told = best.strategy.to_dict()["strategies"]["dip"]["definition"]
    assert told == {"registered": "dip", "params": {"window": by_hand.best_params["dip.window"]}}


def test_an_optimisation_of_several_keeps_its_progress_in_a_file(
    local: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, seen = VectorizedBacktester.sweep, []

    def watched(self: Any, *args: Any, **options: Any) -> Any:
        found = plain(self, *args, **options)
        seen.append(options["checkpoint"].stat().st_size)
        return found

    monkeypatch.setattr(VectorizedBacktester, "sweep", watched)
    started = wait_for(local.backtesting.start_optimization({"strategy": SEVERAL, **MARKET, "parameters": GRID}))
    local.work()
    assert wait_for(local.backtesting.get_status(started.optimization_id)).status == "completed"
    assert seen[0] > 0
    assert not list((tmp_path / "checkpoints").iterdir()), "it is done"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameters": {"fast": [4]}}, "it does not say of which strategy; write strategy.parameter"),
        ({"parameters": {"trned.fast": [4]}}, "there is no strategy 'trned'"),
        ({"parameters": {"trend.allocation": [0.9]}}, "sum to 1.2 or more"),
        ({"params": {"fast": 4}}, "it does not say of which strategy"),
        ({"params": {"trend.allocation": 0.9}}, "sum to"),
        ({"symbols": None, "symbol": "MADE"}, "for several symbols; give symbols"),
    ],
)
def test_what_is_no_parameter_of_several_is_refused(local: House, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        wait_for(local.backtesting.run_optimization(SEVERAL, {**MARKET, "parameters": GRID, **change}))
