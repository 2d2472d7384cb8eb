"""Strategies that are classes of the installed program: registered under a name, stored by name and parameters."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.run import backtest
from algotrendy.backtest.sweep import optimize
from algotrendy.backtest.walk_forward import walk_forward
from algotrendy.compute import wait_for
from algotrendy.config import Settings
from algotrendy.errors import ConfigError, InputError
from algotrendy.services import Platform
from algotrendy.services.definitions import registry, strategy_of
from algotrendy.storage import new_id
from algotrendy.strategy import BarStrategy
from tests.contract.databases import KINDS, Place, place_for
from tests.contract.house import Counting, House, made

COSTS: dict[str, Any] = {"commission": 0.0005, "slippage": 0.0001}
MARKET = {"symbol": "MADE", "interval": "1d", "source": "here", "asset_class": "stock"}


class Dip(BarStrategy):
    """Buys below the average, sells above it."""

    window = at.ParameterSpec("window", "int", min_value=5, max_value=50, default=20)
    drop = 0.02

    def start(self, ctx: Any) -> None:
        self.average = ctx.indicator("sma", self.window)

    def on_bar(self, ctx: Any) -> None:
        if not ctx.position() and ctx.bar.close < self.average.value * (1 - self.drop):
            ctx.buy(size=1.0, stop_price=ctx.bar.close * 0.9)
        elif ctx.position() and ctx.bar.close > self.average.value:
            ctx.close()


class Halves(BarStrategy):
    size = 0.3

    def on_bar(self, ctx: Any) -> None:
        for symbol in ("MADE", "OTHER"):
            if ctx[symbol].n_bars == 10:
                ctx[symbol].buy(size=self.size)


class Idle(BarStrategy):
    pass


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


def test_a_registered_class_is_stored_versioned_and_run_by_workers(house: House) -> None:
    stored = wait_for(
        house.engine.create_strategy({
            "name": "Dip", "asset_class": "stock", "symbol": "MADE",
            "definition": {"registered": "dip", "params": {"drop": 0.01}},
        })
    )  # fmt: skip
    assert stored.definition == {"registered": "dip", "params": {"window": 20, "drop": 0.01}}
    changed = wait_for(house.engine.update_strategy(stored.strategy_id, {"parameters": {"window": 10}}))
    assert (changed.version, changed.parameters) == (2, {"window": 10, "drop": 0.01})
    first = wait_for(house.backtesting.start_backtest({"strategy_id": stored.strategy_id}))
    old = wait_for(house.backtesting.start_backtest({"strategy_id": stored.strategy_id, "strategy_version": 1}))
    house.work()
    for answer, params in ((first, {"window": 10, "drop": 0.01}), (old, {"window": 20, "drop": 0.01})):
        found = wait_for(house.backtesting.get_results(answer.backtest_id))
        by_hand = backtest(Dip(**params), made("MADE"), **COSTS)
        assert found.metrics["final_equity"] == by_hand.metrics["final_equity"]
        assert found.definition["params"] == params
    again = wait_for(house.backtesting.start_backtest({"strategy_id": stored.strategy_id}))
    assert again.cached
    assert Counting.runs == 2
    kept = wait_for(house.backtesting.run_backtest(Dip(window=10, drop=0.01), MARKET))
    assert kept.metrics["n_trades"] > 0
    assert Counting.runs == 2, "the same class with the same values"


def test_it_is_optimised_walked_and_run_on_several_symbols(local: House) -> None:
    named = {"registered": "dip", "params": {"drop": 0.01}}
    grid = {"parameters": {"window": [5, 10]}}
    best = wait_for(local.backtesting.run_optimization(named, {**MARKET, **grid}))
    by_hand = optimize(Dip(drop=0.01), made("MADE"), {"window": [5, 10]}, workers=1, **COSTS)
    assert best.parameters == by_hand.best_params
    assert isinstance(best.strategy, Dip)
    walk = wait_for(
        local.backtesting.run_walk_forward(named, {**MARKET, **grid, "training_window": 150, "testing_window": 100})
    )
    walked = walk_forward(
        Dip(drop=0.01), made("MADE"), {"window": [5, 10]}, training=150, testing=100, workers=1, **COSTS
    )
    assert walk.equity.equals(walked.equity)
    several = {**MARKET, "symbol": None, "symbols": ["MADE", "OTHER"]}
    both = wait_for(local.backtesting.run_backtest(Halves(), several))
    two = {name: made(name) for name in ("MADE", "OTHER")}
    assert both.equity.equals(backtest(Halves(), two, **COSTS).equity)
    assert both.metrics["n_orders"] == 2
    given = {"halves": (Halves(), 0.5), "trend": (at.strategies.sma_cross(5, 20), 0.4)}
    mixed = wait_for(local.backtesting.run_backtest(given, several))
    assert mixed.equity.equals(backtest(given, two, **COSTS).equity)


def test_what_is_not_registered_here_is_refused_with_what_to_do(local: House, tmp_path: Path) -> None:
    for definition, message in (
        ({"registered": "dipp"}, "did you mean 'dip'.*register it with Platform.local"),
        ({"registered": "dip", "params": {"dropp": 1}}, "no parameter 'dropp'; did you mean 'drop'"),
        ({"registered": "dip", "params": {"window": 99}}, "from 5 to 50"),
        ({"registered": "dip", "params": {"window": {"type": "int", "min_value": 1, "max_value": 9}}}, "belong into"),
        ({"registered": "os.system"}, "there is no registered strategy 'os.system'"),
    ):
        for attempt in (
            local.engine.create_strategy({"name": "x", "asset_class": "stock", "definition": definition}),
            local.backtesting.start_backtest({"strategy": definition, **MARKET}),
        ):
            with pytest.raises(InputError, match=message):
                wait_for(attempt)
    made_here = wait_for(local.backtesting.prepared("backtest", Dip(), parsed_config()))
    with pytest.raises(InputError, match="register it under a name"):
        wait_for(local.backtesting.submit(made_here))
    stored = wait_for(
        local.engine.create_strategy(
            {"name": "Dip", "asset_class": "stock", "definition": {"registered": "dip"}, "symbol": "MADE"}
        )
    )
    elsewhere = House(Place(f"sqlite:///{tmp_path}/house.db"), tmp_path)
    with pytest.raises(InputError, match="none is registered here"):
        wait_for(elsewhere.backtesting.start_backtest({"strategy_id": stored.strategy_id}))
    with pytest.raises(InputError, match="none is registered here"):
        wait_for(
            elsewhere.engine.deploy_strategy(stored.strategy_id, {"portfolio_id": new_id("port"), "allocation": 1})
        )
    asked = wait_for(local.backtesting.start_backtest({"strategy_id": stored.strategy_id}))
    elsewhere.work()
    status = wait_for(local.backtesting.get_status(asked.backtest_id))
    assert status.status == "failed"
    assert "none is registered here" in str(status.error)
    elsewhere.close()


def parsed_config() -> Any:
    from algotrendy.services import BacktestConfig

    return BacktestConfig(**MARKET)


def test_what_is_registered_can_be_listed_and_validated(local: House) -> None:
    (shown,) = wait_for(local.engine.list_registered())
    assert (shown.name, shown.title, shown.definition["registered"]) == ("dip", "Dip", "dip")
    assert shown.parameters["window"]["max_value"] == 50
    answer = wait_for(local.engine.validate_strategy({"registered": "dip"}))
    assert answer.is_valid
    assert "check_lookahead" in answer.warnings[0]
    assert answer.parameters["drop"] == {"name": "drop", "value": 0.02}


def test_a_registry_takes_strategies_of_packages_and_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = [EntryPoint("package_dip", f"{__name__}:Dip", "algotrendy.strategies")]
    monkeypatch.setattr("algotrendy.services.definitions.entry_points", lambda group: offered)
    known = registry({"mine": at.strategies.buy_and_hold()})
    assert set(known) == {"package_dip", "mine"}
    assert isinstance(strategy_of({"registered": "package_dip"}, None, known), Dip)
    with pytest.raises(ConfigError, match="Idle, which has no on_bar"):
        registry({"idle": Idle})
    with pytest.raises(ConfigError, match="registered as a str"):
        registry({"text": "close > 1"})
    offered.append(EntryPoint("package_dip", f"{__name__}:Idle", "algotrendy.strategies"))
    with pytest.raises(ConfigError, match="two installed packages register"):
        registry()
    assert registry({"package_dip": Dip})["package_dip"] is Dip


def test_a_platform_knows_what_it_was_given(tmp_path: Path) -> None:
    settings = Settings(source="synthetic", ledger=False, workers=1)
    platform = Platform.local(settings=settings, home=tmp_path, registered={"dip": Dip})
    try:
        platform.start_workers(threads=1)
        asked = {"strategy": {"registered": "dip"}, "symbol": "garch-7", "start_date": "2019-01-01",
                 "end_date": "2021-01-01", "wait": 60}  # fmt: skip
        assert wait_for(platform.backtesting.start_backtest(asked)).status == "completed"
    finally:
        wait_for(platform.close())


def test_the_source_of_a_class_is_part_of_what_ran(local: House) -> None:
    class Other(Dip):
        def on_bar(self, ctx: Any) -> None:
            if not ctx.position():
                ctx.buy()

    frames: list[pd.DataFrame] = []
    for kind in (Dip, Other, Dip):
        result: Any = wait_for(local.backtesting.run_backtest(kind(), MARKET))
        frames.append(result.trades)
    assert Counting.runs == 2
    assert frames[0].equals(frames[2])
