"""Several symbols in one account through the services: kept, found again, compared, on every database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.discovery import SearchLimits, discover
from algotrendy.backtest.run import backtest
from algotrendy.backtest.sweep import optimize
from algotrendy.backtest.walk_forward import walk_forward
from algotrendy.compute import wait_for
from algotrendy.errors import DataError, InputError, NotFound
from algotrendy.services import BacktestConfig, StrategyIn
from algotrendy.storage import new_id
from tests.contract.databases import KINDS, Place, place_for
from tests.contract.house import Counting, House, made

SYMBOLS = ["MADE", "OTHER", "THIRD"]
BARS = {symbol: made(symbol) for symbol in SYMBOLS}
COSTS: dict[str, Any] = {"commission": 0.0005, "slippage": 0.0001}
MARKET = {"symbols": SYMBOLS, "interval": "1d", "source": "here", "asset_class": "stock"}
CROSS = at.strategies.sma_cross(5, 20)
BALANCED = {"weights": {"MADE": 0.5, "OTHER": 0.3}, "rebalance": "1mo", "tolerance": 0.01}


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    built = House(place_for(request, request.param), tmp_path)
    yield built
    built.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[House]:
    built = House(Place(f"sqlite:///{tmp_path}/house.db"), tmp_path)
    yield built
    built.close()


def test_a_strategy_on_several_symbols_is_one_account_kept_and_found_again(house: House) -> None:
    stored = wait_for(
        house.engine.create_strategy({
            "name": "Cross", "asset_class": "stock", "definition": CROSS.to_dict(), "symbols": SYMBOLS,
        })
    )  # fmt: skip
    assert (stored.symbol, stored.symbols) == (None, SYMBOLS)
    settings = {"max_positions": 2, "rank": "momentum(close, 20)", "slippage": {"MADE": 0.001, "OTHER": 0.0}}
    asked = {"strategy_id": stored.strategy_id, **settings}
    first = wait_for(house.backtesting.start_backtest(asked))
    house.work()
    by_hand = backtest(CROSS, BARS, max_positions=2, rank=settings["rank"], commission=0.0005,
                       slippage={"MADE": 0.001, "OTHER": 0.0})  # fmt: skip
    found = wait_for(house.backtesting.get_results(first.backtest_id))
    assert found.metrics["final_equity"] == by_hand.metrics["final_equity"]
    assert found.result["symbols"] == SYMBOLS
    assert found.result["contributions"]["OTHER"]["n_orders"] == by_hand.contributions.loc["OTHER", "n_orders"]
    assert len(found.result["trades"]) == by_hand.metrics["n_trades"]
    assert len(found.result["exposure"]["net"]) == len(found.result["equity"]["time"]) == len(by_hand.index)
    json.dumps(found.model_dump(mode="json"), allow_nan=False)
    again = wait_for(house.backtesting.run_backtest(stored.strategy_id, BacktestConfig(**settings)))
    assert Counting.runs == 1, "it was there"
    assert isinstance(again, at.backtest.PortfolioResult)  # type: ignore[attr-defined]
    assert again.equity.equals(by_hand.equity)
    assert again.trades.equals(by_hand.trades)
    assert [record.n_trials for record in house.ledger.records()] == [1]
    one = wait_for(house.backtesting.run_backtest(stored.strategy_id, {"symbol": "MADE"}))
    assert isinstance(one, at.BacktestResult)
    (kept,) = wait_for(house.backtesting.list_results(kind="backtest", limit=1)).items
    side = wait_for(house.backtesting.compare({"backtest_ids": [first.backtest_id, kept.id]}))
    assert side.metrics[first.backtest_id]["total_return"] is not None
    assert side.differences["instruments"] == {first.backtest_id: ", ".join(SYMBOLS), kept.id: ""}


def test_target_weights_are_stored_as_a_strategy_is(house: House) -> None:
    stored = wait_for(
        house.engine.create_strategy({
            "name": "Balanced", "asset_class": "stock", "definition": BALANCED, "symbols": SYMBOLS[:2],
        })
    )  # fmt: skip
    assert stored.definition == BALANCED
    first = wait_for(house.backtesting.start_backtest({"strategy_id": stored.strategy_id}))
    house.work()
    two = {symbol: BARS[symbol] for symbol in SYMBOLS[:2]}
    by_hand = backtest(two, weights=BALANCED["weights"], rebalance="1mo", tolerance=0.01, **COSTS)
    found = wait_for(house.backtesting.get_results(first.backtest_id))
    assert found.metrics["final_equity"] == by_hand.metrics["final_equity"]
    assert found.assumptions["rebalance"] == "1mo"
    changed = wait_for(
        house.engine.update_strategy(stored.strategy_id, {"definition": {**BALANCED, "rebalance": None}})
    )
    assert (changed.version, changed.definition) == (2, {k: v for k, v in BALANCED.items() if k != "rebalance"})
    dated = {"weights": {"2000-02-01": {"MADE": 0.5, "OTHER": None}, "2000-06-01": {"OTHER": 0.4}}}
    rows = pd.DataFrame({"MADE": [0.5, float("nan")], "OTHER": [float("nan"), 0.4]},
                        index=pd.DatetimeIndex(["2000-02-01", "2000-06-01"]))  # fmt: skip
    run = wait_for(house.backtesting.run_backtest(dated, {**MARKET, "symbols": SYMBOLS[:2]}))
    assert run.equity.equals(backtest(two, weights=rows, **COSTS).equity)


def test_several_strategies_share_one_account(house: House) -> None:
    stored = wait_for(
        house.engine.create_strategy({"name": "Trend", "asset_class": "stock", "definition": CROSS.to_dict()})
    )
    wait_for(house.engine.update_strategy(stored.strategy_id, {"parameters": {"fast": 8}}))
    several = {
        "strategies": {
            "trend": {"strategy_id": stored.strategy_id, "strategy_version": 1, "share": 0.6},
            "mean": {"definition": {"library": "rsi_reversion"}, "share": 0.3},
        },
        "rebalance": "1mo",
    }
    kept = wait_for(house.engine.create_strategy({"name": "Both", "asset_class": "stock", "definition": several}))
    assert kept.definition is not None
    assert kept.definition["strategies"]["trend"]["definition"] == CROSS.to_dict(), "in full, so that it stays"
    assert kept.definition["strategies"]["trend"]["strategy_version"] == 1
    asked = {**MARKET, "max_positions": {"trend": 2, "mean": 1}}
    first = wait_for(house.backtesting.start_backtest({"strategy_id": kept.strategy_id, **asked}))
    house.work()
    pair = {"trend": (CROSS, 0.6), "mean": (at.strategies.rsi_reversion(), 0.3)}
    by_hand = backtest(pair, BARS, rebalance="1mo", max_positions={"trend": 2, "mean": 1}, **COSTS)
    found = wait_for(house.backtesting.get_results(first.backtest_id))
    assert found.metrics["final_equity"] == by_hand.metrics["final_equity"]
    assert found.result["strategies"]["mean"]["share"] == 0.3
    assert (
        found.result["strategies"]["trend"]["metrics"]["final_equity"]
        == (by_hand.sleeves["trend"].metrics["final_equity"])
    )
    here = wait_for(house.backtesting.run_backtest(pair, asked))
    assert here.equity.equals(backtest(pair, BARS, max_positions={"trend": 2, "mean": 1}, **COSTS).equity)
    assert set(here.sleeves) == {"trend", "mean"}


def test_optimisations_and_simulations_take_several_symbols(house: House) -> None:
    asked = {"strategy": CROSS.to_dict(), **MARKET, "parameters": {"fast": [4, 6, 8]}, "max_positions": 1}
    sweep = wait_for(house.backtesting.start_optimization(asked))
    house.work()
    best = wait_for(house.backtesting.get_results(sweep.optimization_id))
    by_hand = optimize(CROSS, BARS, {"fast": [4, 6, 8]}, max_positions=1, workers=1, **COSTS)
    assert best.metrics["best_params"] == by_hand.best_params
    assert best.metrics["best_value"] == by_hand.table["sharpe_ratio"].max()
    assert [(record.kind, record.n_trials) for record in house.ledger.records()] == [("sweep", 3)]
    for method, source in (("bootstrap", "returns"), ("trade_shuffle", "trades")):
        paths = wait_for(house.backtesting.run_monte_carlo(CROSS, {**MARKET, "method": method, "paths": 40, "seed": 3}))
        result = backtest(CROSS, BARS, **COSTS)
        more = {"cash": result.cash} if method == "trade_shuffle" else {"horizon": 252}
        drawn = at.backtest.monte_carlo.monte_carlo(  # type: ignore[attr-defined]
            getattr(result, source), method=method, paths=40, seed=3, workers=1, **more
        )
        assert paths.terminal_wealth.tolist() == drawn.terminal_wealth.tolist()


def test_a_walk_over_several_symbols_is_one_account_kept_and_found_again(house: House) -> None:
    cut = {"training_window": 100, "testing_window": 60}
    asked = {"strategy": CROSS.to_dict(), **MARKET, **cut, "parameters": {"fast": [4, 8]}, "max_positions": 2}
    started = wait_for(house.backtesting.start_walk_forward(asked))
    house.work()
    by_hand = walk_forward(CROSS, BARS, {"fast": [4, 8]}, training=100, testing=60, max_positions=2, workers=1, **COSTS)
    found = wait_for(house.backtesting.get_results(started.walk_forward_id))
    assert found.metrics["final_equity"] == by_hand.metrics["final_equity"]
    assert [row["fast"] for row in found.result["windows"]] == by_hand.windows["fast"].tolist()
    assert found.result["out_of_sample"]["symbols"] == SYMBOLS
    json.dumps(found.model_dump(mode="json"), allow_nan=False)
    own = {name: value for name, value in asked.items() if name != "strategy"}
    again = wait_for(house.backtesting.run_walk_forward(CROSS, own))
    assert again.equity.equals(by_hand.equity)
    assert again.windows[["fast", "n_tried"]].equals(by_hand.windows[["fast", "n_tried"]])
    assert again.out_of_sample.contributions.equals(by_hand.out_of_sample.contributions)
    (record,) = house.ledger.records()
    assert (record.kind, record.n_trials) == ("walk_forward", 2 * len(by_hand))


def test_a_discovery_on_several_symbols_is_one_account_kept_and_found_again(house: House) -> None:
    asked = {**MARKET, "n_candidates": 12, "seed": 1, "max_positions": 2, "constraints": {"min_trades": 2}}
    started = wait_for(house.engine.start_discovery(asked))
    house.work()
    status = wait_for(house.engine.get_discovery_status(started.discovery_id))
    assert status.result is not None
    by_hand = discover(
        BARS, n_candidates=12, seed=1, max_positions=2, limits=SearchLimits(min_trades=2), workers=1, **COSTS
    )
    assert (status.status, status.result["n_trials"]) == ("completed", by_hand.n_trials)
    assert status.verdict == by_hand.verdict
    assert [each["strategy"] for each in status.strategies] == [each.to_dict() for each in by_hand.strategies]
    here = wait_for(house.engine.discover_strategies(asked))
    assert len(here) == len(by_hand.strategies)
    assert [record.kind for record in house.ledger.records()] == ["discovery"], "it was there"


def test_the_order_of_the_symbols_and_their_prices_make_the_run(local: House) -> None:
    for change in ({}, {"source": "there"}, {"symbols": SYMBOLS[::-1]}, {"start_date": "2000-06-01"}):
        wait_for(local.backtesting.run_backtest(CROSS, {**MARKET, **change}))
    assert Counting.runs == 3
    assert [each["symbol"] for each in local.bars.asked[:3]] == SYMBOLS
    assert all("symbols" not in each for each in local.bars.asked)


@pytest.mark.parametrize(
    ("strategy", "change", "message"),
    [
        (CROSS, {"symbols": ["MADE", "NOPE"]}, "there is no NOPE"),
        (CROSS, {"symbols": ["NADA", "NOPE"]}, "2 of 2 symbols have no bars: NADA: there is no NADA; NOPE"),
        (CROSS, {"symbols": ["MADE", "MADE"]}, "'MADE' stands twice"),
        (CROSS, {"symbol": "MADE"}, "give one of the two"),
        (CROSS, {"symbols": None, "symbol": "MADE", "max_positions": 2}, "max_positions as given belongs to"),
        (CROSS, {"symbols": None, "symbol": "MADE", "slippage": {"MADE": 0.1}}, "slippage as given belongs to"),
        (CROSS, {"members": {"MADE": "always"}}, "the membership of MADE"),
        (BALANCED, {"symbols": None, "symbol": "MADE"}, "for several symbols; give symbols"),
        (BALANCED, {"symbols": ["OTHER", "THIRD"]}, "'MADE', which has no bars"),
        ({"weights": {"MADE": "half"}}, {}, "the weight of 'MADE' is 'half'"),
        ({"weights": {"soon": {"MADE": 0.5}}}, {}, "a date of the weights is none"),
        ({"weights": {"MADE": 0.5}, "stop": 0.1}, {}, "unknown field 'stop' beside 'weights'"),
        ({"strategies": {"a": {"share": 0.5}}}, {}, "'a' of the strategies has"),
        ({"strategies": {"a": {"definition": BALANCED, "share": 0.5}}}, {}, "is a composition itself"),
        ({"strategies": {"a": {"definition": CROSS.to_dict(), "share": 60}}}, {}, "are they percentages"),
        ({"strategies": {"a": {"definition": {"entry": "clsoe > 1"}}}}, {}, "did you mean 'close'"),
    ],
)
def test_what_does_not_go_together_is_refused(local: House, strategy: Any, change: Any, message: str) -> None:
    with pytest.raises((InputError, DataError), match=message):
        wait_for(local.backtesting.run_backtest(strategy, {**MARKET, **change}))


def test_what_is_for_one_symbol_or_one_strategy_says_so(local: House) -> None:
    walk = {**MARKET, "parameters": {"fast": [4, 6]}}
    with pytest.raises(InputError, match="have no parameters to optimise"):
        wait_for(local.backtesting.run_walk_forward(BALANCED, walk))
    with pytest.raises(InputError, match="parameter jitter runs one symbol"):
        wait_for(local.backtesting.run_monte_carlo(CROSS, {**MARKET, "method": "parameter_jitter"}))
    with pytest.raises(InputError, match="have no parameters to optimise"):
        wait_for(local.backtesting.run_optimization(BALANCED, {**MARKET, "parameters": {"fast": [4]}}))
    with pytest.raises(InputError, match="no parameters of their own, found fast"):
        wait_for(local.backtesting.run_backtest(BALANCED, {**MARKET, "params": {"fast": 4}}))
    with pytest.raises(NotFound):
        wait_for(local.backtesting.run_backtest({"strategies": {"a": {"strategy_id": new_id("strat")}}}, MARKET))


def test_validation_and_changes_know_symbols_and_compositions(local: House) -> None:
    good = wait_for(local.engine.validate_strategy(BALANCED))
    assert (good.is_valid, good.warnings, good.parameters) == (True, [], {})
    missing = {"strategies": {"a": {"strategy_id": new_id("strat")}}}
    assert not wait_for(local.engine.validate_strategy(missing)).is_valid
    both = {"name": "Both", "asset_class": "stock", "definition": missing}
    assert "there is no strategy" in wait_for(local.engine.validate_strategy(both)).errors[0]
    assert "there is no strategy" in wait_for(local.engine.validate_strategy(StrategyIn(**both))).errors[0]
    stored = wait_for(
        local.engine.create_strategy(
            {"name": "C", "asset_class": "stock", "definition": CROSS.to_dict(), "symbol": "MADE"}
        )
    )
    several = wait_for(local.engine.update_strategy(stored.strategy_id, {"symbols": SYMBOLS}))
    assert (several.symbol, several.symbols) == (None, SYMBOLS)
    back = wait_for(local.engine.update_strategy(stored.strategy_id, {"symbol": "OTHER"}))
    assert (back.symbol, back.symbols) == ("OTHER", None)
    with pytest.raises(InputError, match="give one of the two"):
        wait_for(local.engine.update_strategy(stored.strategy_id, {"symbol": "MADE", "symbols": SYMBOLS}))
