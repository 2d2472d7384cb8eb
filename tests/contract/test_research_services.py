"""The strategy engine and the backtesting service on real databases: requests, jobs, results, versions, deployments."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import algotrendy as at
from algotrendy.compute import wait_for
from algotrendy.config import Settings
from algotrendy.errors import ConfigError, Conflict, DataError, InputError, NotFound
from algotrendy.services import (
    AIStrategyDiscovery,
    BacktestBody,
    BacktestConfig,
    Platform,
    StrategyDeployer,
    StrategyEngineService,
)
from algotrendy.storage import DeploymentStore, new_id
from tests.contract.databases import KINDS, Place, place_for
from tests.contract.house import Counting, House

MARKET = {"symbol": "MADE", "interval": "1d", "source": "here", "asset_class": "stock"}
CROSS = {
    "name": "Cross",
    "asset_class": "stock",
    "definition": {"library": "sma_cross"},
    "parameters": {"fast": {"type": "int", "min_value": 4, "max_value": 8, "default": 5}, "slow": 20},
    "symbol": "MADE",
}


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    made = House(place_for(request, request.param), tmp_path)
    yield made
    made.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[House]:
    made = House(Place(f"sqlite:///{tmp_path}/house.db"), tmp_path, registered={"monday": monday})
    yield made
    made.close()


def monday(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    day = params.get("day", 0)
    return {"entries": bars.index.day_of_week == day, "exits": bars.index.day_of_week != day}


# --- runs through the queue ---


def test_a_request_becomes_a_job_a_result_and_then_an_answer_at_once(house: House) -> None:
    made = wait_for(house.engine.create_strategy(CROSS))
    request = {"strategy_id": made.strategy_id, "commission": 0.001}
    first = wait_for(house.backtesting.start_backtest(request))
    assert (first.status, first.cached, first.result) == ("queued", False, None)
    assert first.backtest_id.removeprefix("bt_") == str(first.job_id).removeprefix("job_")
    with pytest.raises(Conflict, match="is queued, so it has no result"):
        wait_for(house.backtesting.get_results(first.backtest_id))
    assert wait_for(house.backtesting.start_backtest(request)).job_id == first.job_id
    house.work()
    status = wait_for(house.backtesting.get_status(first.backtest_id))
    assert (status.status, status.progress, status.error) == ("completed", 1.0, None)
    results = wait_for(house.backtesting.get_results(first.backtest_id))
    by_hand = at.backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=420, seed=5), commission=0.001, slippage=1e-4)
    assert results.metrics["sharpe_ratio"] == pytest.approx(by_hand.metrics["sharpe_ratio"], rel=1e-12)
    assert results.metrics["final_equity"] == by_hand.metrics["final_equity"]
    assert (results.strategy_id, results.strategy_version) == (made.strategy_id, 1)
    assert len(results.result["trades"]) == by_hand.metrics["n_trades"]
    json.dumps(results.model_dump(mode="json"), allow_nan=False)
    again = wait_for(house.backtesting.start_backtest(request))
    assert (again.status, again.cached, again.backtest_id) == ("completed", True, first.backtest_id)
    assert again.result is not None
    assert Counting.runs == 1
    assert len(house.ledger.records()) == 1


def test_the_engines_paths_are_the_same_runs(house: House) -> None:
    made = wait_for(house.engine.create_strategy(CROSS))
    first = wait_for(house.engine.start_backtest(made.strategy_id, BacktestBody(initial_capital=50_000)))
    house.work()
    other = wait_for(house.backtesting.start_backtest({"strategy_id": made.strategy_id, "cash": 50_000}))
    assert other.backtest_id == first.backtest_id
    assert other.cached
    found = wait_for(house.engine.get_backtest_results(first.backtest_id))
    assert found.assumptions["cash"] == 50_000
    listed = wait_for(house.backtesting.list_results(strategy_id=made.strategy_id))
    assert [each.kind for each in listed.items] == ["backtest"]


def test_optimisations_walks_and_simulations_go_the_same_way(house: House) -> None:
    made = wait_for(house.engine.create_strategy(CROSS))
    asked = {"strategy_id": made.strategy_id, "parameters": ["fast"]}
    sweep = wait_for(house.backtesting.start_optimization({**asked, "method": "grid_search", "metric": "sharpe_ratio"}))
    alias = wait_for(
        house.engine.start_optimization(
            made.strategy_id, {"parameters": ["fast"], "optimization_method": "grid_search", "objective": "max_sharpe"}
        )
    )
    assert alias.optimization_id == sweep.optimization_id
    walk = wait_for(house.backtesting.start_walk_forward({**asked, "training_window": 100, "testing_window": 50}))
    paths = wait_for(
        house.backtesting.start_monte_carlo({"strategy_id": made.strategy_id, "num_simulations": 200, "seed": 4})
    )
    assert [each.split("_")[0] for each in (sweep.optimization_id, walk.walk_forward_id, paths.simulation_id)] == [
        "opt", "wf", "mc",
    ]  # fmt: skip
    house.work()
    counted = {(each.kind, each.n_trials) for each in house.ledger.records()}
    assert counted == {("sweep", 5), ("walk_forward", 6 * 5), ("backtest", 1)}, "the paths are of a backtest"
    best = wait_for(house.backtesting.get_results(sweep.optimization_id))
    bars = at.synthetic(n=420, seed=5)
    costs: dict[str, Any] = {"commission": 0.0005, "slippage": 0.0001}
    by_hand = at.optimize(at.strategies.sma_cross(5, 20), bars, {"fast": range(4, 9)}, workers=1, **costs)
    assert best.metrics["best_params"] == by_hand.best_params
    assert len(best.result["rows"]) == 5
    assert 0.0 < best.metrics["overfitting"]["p_value"] <= 1.0
    walked = wait_for(house.backtesting.get_results(walk.walk_forward_id))
    by_hand_walk = at.walk_forward(
        at.strategies.sma_cross(5, 20), bars, {"fast": range(4, 9)}, training=100, testing=50, workers=1, **costs
    )
    assert walked.metrics["total_return"] == pytest.approx(by_hand_walk.metrics["total_return"], rel=1e-12)
    assert len(walked.result["windows"]) == len(by_hand_walk) == 6
    drawn = wait_for(house.backtesting.get_results(paths.simulation_id))
    simulated = at.backtest(at.strategies.sma_cross(5, 20), bars, **costs).monte_carlo(paths=200, seed=4)
    assert drawn.metrics["terminal_wealth mean"] == simulated.table.loc[("terminal_wealth", "mean"), "value"]
    side = wait_for(house.backtesting.start_backtest({"strategy_id": made.strategy_id}))
    house.work()
    table = wait_for(
        house.backtesting.compare(
            {"backtest_ids": [side.backtest_id, walk.walk_forward_id], "metrics": ["sharpe_ratio", "total_return"]}
        )
    )
    assert set(table.metrics) == {side.backtest_id, walk.walk_forward_id}
    assert table.warnings
    with pytest.raises(InputError, match="no account to compare"):
        wait_for(house.backtesting.compare({"backtest_ids": [side.backtest_id, sweep.optimization_id]}))


def test_a_discovery_is_a_job_with_findings(house: House) -> None:
    body = {"criteria": {"asset_class": "stock", "risk_level": "moderate", "time_horizon": "short_term"}}
    asked = {**body, "symbol": "MADE", "n_candidates": 25, "finalists": 3, "constraints": {"min_trades": 3}}
    started = wait_for(house.engine.start_discovery(asked))
    assert (started.status, started.strategies) == ("queued", [])
    assert started.discovery_id.startswith("disc_")
    house.work()
    status = wait_for(house.engine.get_discovery_status(started.discovery_id))
    assert (status.status, status.progress) == ("completed", 1.0)
    assert status.result is not None
    assert status.result["n_trials"] == 25
    assert status.verdict == status.result["verdict"]
    here = wait_for(house.engine.discover_strategies({k: v for k, v in asked.items() if k != "wait"}))
    assert [each.to_dict() for each in here] == [row["strategy"] for row in status.strategies]
    assert [record.kind for record in house.ledger.records()] == ["discovery"]
    with pytest.raises(ConfigError, match="no proposer 'ai_agent' is set up"):
        wait_for(house.engine.start_discovery({**asked, "discovery_method": "ai_agent"}))


def test_what_fails_says_why_and_may_be_asked_for_again(local: House) -> None:
    made = wait_for(local.engine.create_strategy(CROSS))
    local.backtester.breaks = True
    asked = wait_for(local.backtesting.start_backtest({"strategy_id": made.strategy_id}))
    for _ in range(3):
        lease = local.queue.lease(["backtest"], worker="test")
        if lease is not None:
            lease.fail("RuntimeError: it broke", for_good=True)
    status = wait_for(local.backtesting.get_status(asked.backtest_id))
    assert (status.status, status.error) == ("failed", "RuntimeError: it broke")
    with pytest.raises(Conflict, match="is failed, so it has no result: RuntimeError: it broke"):
        wait_for(local.backtesting.get_results(asked.backtest_id))
    local.backtester.breaks = False
    again = wait_for(local.backtesting.start_backtest({"strategy_id": made.strategy_id}))
    assert again.backtest_id != asked.backtest_id
    local.work()
    assert wait_for(local.backtesting.get_status(again.backtest_id)).status == "completed"


def test_a_run_can_be_cancelled_before_and_while_it_runs(local: House) -> None:
    made = wait_for(local.engine.create_strategy(CROSS))
    waiting = wait_for(local.backtesting.start_backtest({"strategy_id": made.strategy_id}))
    assert wait_for(local.backtesting.cancel(waiting.backtest_id)).status == "cancelled"
    asked = {"strategy_id": made.strategy_id, "parameters": ["fast"], "training_window": 60, "testing_window": 2}
    running = wait_for(local.backtesting.start_walk_forward(asked))
    lease = local.queue.lease(["walk_forward"], worker="test")
    assert lease is not None
    wait_for(local.backtesting.cancel(running.walk_forward_id))
    lease.renew()
    from algotrendy.errors import JobStopped
    from algotrendy.jobs import JobContext

    with pytest.raises(JobStopped, match="cancelled"):
        local.backtesting.handlers["walk_forward"](JobContext(lease, lambda: False))
    lease.cancel()
    assert wait_for(local.backtesting.get_status(running.walk_forward_id)).status == "cancelled"
    with pytest.raises(NotFound):
        wait_for(local.backtesting.cancel("bt_" + "0" * 32))


def test_waiting_is_bounded(local: House) -> None:
    made = wait_for(local.engine.create_strategy(CROSS))
    begun = time.monotonic()
    answer = wait_for(local.backtesting.start_backtest({"strategy_id": made.strategy_id, "wait": 0.05}))
    assert answer.status == "queued"
    assert time.monotonic() - begun < 20.0


def done(file: Path) -> int:
    """Return how many records of finished work are in a checkpoint."""
    return file.read_bytes().count(b'"tried":')


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9: Windows has none")
def test_a_search_whose_worker_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    settings = Settings(source="synthetic", ledger=False, workers=1)
    platform = Platform.local(settings=settings, home=tmp_path)
    asked = {
        "symbol": "garch-7", "start_date": "2019-01-01", "end_date": "2023-01-01", "n_candidates": 250, "finalists": 3,
        "constraints": {"directions": ["long", "short", "both"]},
    }  # fmt: skip
    try:
        started = wait_for(platform.strategies.start_discovery(asked))
        platform.start_workers(threads=0, processes=1, lease_seconds=2.0)
        first = platform.workers.process_ids
        ends = time.monotonic() + 120.0
        while not any(done(file) >= 10 for file in (tmp_path / "checkpoints").glob("*.ckpt")):
            assert time.monotonic() < ends, "it never got going"
            time.sleep(0.005)
        os.kill(first[0], signal.SIGKILL)
        (kept,) = (tmp_path / "checkpoints").glob("*.ckpt")
        kept_records = done(kept)
        job = platform.strategies._backtesting._queue.get(str(started.job_id))
        assert not job.is_finished, "it was done before it was killed"
        platform.start_workers(threads=1)
        status = wait_for(platform.strategies.get_discovery_status(started.discovery_id))
        while status.status not in ("completed", "failed"):
            assert time.monotonic() < ends
            time.sleep(0.05)
            status = wait_for(platform.strategies.get_discovery_status(started.discovery_id))
        assert status.status == "completed", status.error
        assert 10 <= kept_records < 250
        assert platform.strategies._backtesting._queue.get(str(started.job_id)).attempts == 2
        assert not kept.exists()
        assert status.result is not None
        assert status.result["n_trials"] == 250
    finally:
        wait_for(platform.close())
    assert platform.workers.count == 0


# --- runs here and now ---


def test_a_run_here_is_kept_and_found_again(house: House) -> None:
    config = BacktestConfig(**MARKET)
    first = wait_for(house.backtesting.run_backtest(at.strategies.sma_cross(5, 20), config))
    second = wait_for(
        house.engine.backtest_strategy({"library": "sma_cross", "params": {"fast": 5, "slow": 20}}, MARKET)
    )
    assert Counting.runs == 1
    assert second.input_hash == first.input_hash
    assert second.equity.equals(first.equity)
    (kept,) = wait_for(house.backtesting.list_results(kind="backtest")).items
    run_id = kept.id
    assert wait_for(house.backtesting.get_status(run_id)).status == "completed"
    walk_config = {**MARKET, "parameters": {"fast": [4, 6]}, "training_window": 100, "testing_window": 100}
    walk = wait_for(house.backtesting.run_walk_forward(at.strategies.sma_cross(5, 20), walk_config))
    again = wait_for(house.backtesting.run_walk_forward(at.strategies.sma_cross(5, 20), walk_config))
    pd.testing.assert_frame_equal(again.windows, walk.windows)
    assert again.equity.equals(walk.equity)
    assert str(again) == str(walk)
    best = wait_for(
        house.engine.optimize_strategy(at.strategies.sma_cross(5, 20), {**MARKET, "parameters": {"fast": [4, 6]}})
    )
    known = wait_for(
        house.engine.optimize_strategy(at.strategies.sma_cross(5, 20), {**MARKET, "parameters": {"fast": [4, 6]}})
    )
    assert (best.cached, known.cached) == (False, True)
    pd.testing.assert_frame_equal(known.table, best.table)
    assert known.strategy.parameters["fast"] == best.parameters["fast"]
    paths = wait_for(house.backtesting.run_monte_carlo(at.strategies.sma_cross(5, 20), {**MARKET, "paths": 50}))
    assert len(paths) == 50
    wait_for(house.backtesting.run_monte_carlo(at.strategies.sma_cross(5, 20), {**MARKET, "paths": 50}))
    assert len(wait_for(house.backtesting.list_results(kind="monte_carlo")).items) == 1


def test_dates_and_costs_make_another_run_and_words_about_the_market_do_not(local: House) -> None:
    cross = at.strategies.sma_cross(5, 20)
    for change in ({}, {"source": "there"}, {"start_date": "2000-06-01"}, {"commission": {"per_unit": 0.01}}):
        wait_for(local.backtesting.run_backtest(cross, {**MARKET, **change}))
    assert Counting.runs == 3
    assert local.bars.asked[-2]["start_date"] == "2000-06-01"


def test_a_function_runs_here_and_in_the_queue_only_under_a_name(local: House) -> None:
    here = wait_for(local.backtesting.run_backtest(monday, MARKET))
    assert here.metrics["n_trades"] > 10
    named = {"strategy": {"registered": "monday", "params": {"day": 0}}, **MARKET}
    started = wait_for(local.backtesting.start_backtest(named))
    local.work()
    found = wait_for(local.backtesting.get_results(started.backtest_id))
    assert found.metrics["n_trades"] == here.metrics["n_trades"]
    assert found.definition == {"registered": "monday", "params": {"day": 0}}
    run = wait_for(local.backtesting.prepared("backtest", monday, BacktestConfig(**MARKET)))
    with pytest.raises(InputError, match="register it under a name"):
        wait_for(local.backtesting.submit(run))


def test_another_search_may_be_handed_in(local: House) -> None:
    class Adviser:
        name = "adviser"

        def propose(self, brief: Any) -> list[at.Strategy]:
            return [at.Strategy("close > sma(close, n)", "close < sma(close, n)", n=n) for n in (10, 20)]

    engine = StrategyEngineService(
        AIStrategyDiscovery({"ai_agent": Adviser()}), backtesting=local.backtesting, strategies=local.strategies,
        deployments=DeploymentStore(local.database), results=local.results, settings=Settings(),
    )  # fmt: skip
    asked = {**MARKET, "discovery_method": "ai_agent", "constraints": {"min_trades": 0}}
    assert len(wait_for(engine.discover_strategies(asked))) <= 2
    (kept,) = wait_for(local.backtesting.list_results(kind="discovery")).items
    assert kept.metrics["n_trials"] == 2


# --- strategies ---


def test_strategies_have_versions(house: House) -> None:
    made = wait_for(house.engine.create_strategy(CROSS))
    assert (made.version, made.parameters, made.symbol) == (1, {"fast": 5, "slow": 20}, "MADE")
    assert made.definition is not None
    assert made.definition["specs"]["fast"]["max_value"] == 8
    changed = wait_for(house.engine.update_strategy(made.strategy_id, {"parameters": {"fast": 7}, "interval": "1h"}))
    assert (changed.version, changed.parameters["fast"], changed.symbol, changed.interval) == (2, 7, "MADE", "1h")
    with pytest.raises(Conflict, match="read it again"):
        wait_for(house.engine.update_strategy(made.strategy_id, {"name": "Late", "expected_version": 1}))
    with pytest.raises(InputError, match="from 4 to 8"):
        wait_for(house.engine.update_strategy(made.strategy_id, {"parameters": {"fast": 9}}))
    assert wait_for(house.engine.get_strategy(made.strategy_id, 1)).parameters["fast"] == 5
    versions = wait_for(house.engine.list_versions(made.strategy_id))
    assert [each.parameters["fast"] for each in versions] == [5, 7]
    page = wait_for(house.engine.list_strategies(asset_class="stock", limit=1))
    assert [each.strategy_id for each in page.items] == [made.strategy_id]
    old = wait_for(house.backtesting.start_backtest({"strategy_id": made.strategy_id, "strategy_version": 1}))
    house.work()
    assert wait_for(house.backtesting.get_results(old.backtest_id)).strategy_version == 1


def test_a_strategy_that_something_refers_to_is_archived_not_deleted(house: House) -> None:
    free = wait_for(house.engine.create_strategy(CROSS))
    assert wait_for(house.engine.delete_strategy(free.strategy_id))["deleted"]
    with pytest.raises(NotFound):
        wait_for(house.engine.get_strategy(free.strategy_id))
    used = wait_for(house.engine.create_strategy(CROSS))
    wait_for(house.backtesting.run_backtest(used.strategy_id, {}))
    told = wait_for(house.engine.delete_strategy(used.strategy_id))
    assert (told["deleted"], told["archived"]) == (False, True)
    assert wait_for(house.engine.get_strategy(used.strategy_id)).status == "archived"


def test_code_is_kept_and_never_executed(local: House, tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    code = f"open({str(trap)!r}, 'w')"
    made = wait_for(local.engine.create_strategy({"name": "Note", "asset_class": "stock", "code": code}))
    assert made.code == code
    for attempt in (
        local.backtesting.run_backtest(made.strategy_id, MARKET),
        local.engine.deploy_strategy(made.strategy_id, {"portfolio_id": new_id("port"), "allocation": 0.1}),
    ):
        with pytest.raises(InputError, match="code is kept for people to read only"):
            wait_for(attempt)
    with pytest.raises(InputError, match="never executed"):
        wait_for(local.engine.create_strategy({**CROSS, "definition": {"code": code}}))
    answer = wait_for(local.engine.validate_strategy({**CROSS, "code": code}))
    assert answer.is_valid
    assert "never executed" in answer.warnings[0]
    assert not trap.exists()


def test_validation_says_what_is_wrong_and_where(local: House) -> None:
    good = wait_for(local.engine.validate_strategy({"entry": "close > sma(close, n)", "params": {"n": 20}}))
    assert (good.is_valid, good.complexity, good.lookback, good.direction) == (True, 1, 19, "long")
    assert good.warnings == ["nothing closes the position: it is bought once and kept"]
    for wrong, message in (
        ({"entry": "clsoe > 1"}, "did you mean 'close'"),
        ({"library": "sma_crss"}, "did you mean 'sma_cross'"),
        ({"registered": "nobody"}, "did you mean 'monday'|there are: monday"),
        ({"library": "sma_cross", "params": {"fsat": 3}}, "did you mean 'fast'"),
        ({"library": "sma_cross", "entry": "true"}, "unknown field 'entry'"),
        ({"name": "x", "asset_class": "stokc"}, "asset_class"),
    ):
        answer = wait_for(local.engine.validate_strategy(wrong))
        assert not answer.is_valid
        assert pytest.importorskip("re").search(message, answer.errors[0]), answer.errors
    assert wait_for(local.engine.validate_strategy({"registered": "monday"})).is_valid
    templates = {each.name: each for each in wait_for(local.engine.list_templates())}
    assert len(templates) == 12
    assert wait_for(local.engine.validate_strategy(templates["sma_cross"].definition)).is_valid


def test_requests_that_cannot_be_are_refused_at_once(local: House) -> None:
    start = local.backtesting.start_backtest
    for request, kind, message in (
        ({}, InputError, "say which strategy"),
        ({"strategy_id": new_id("strat"), "symbol": "MADE"}, NotFound, "there is no strategy"),
        ({"strategy": {"library": "sma_cross"}}, InputError, "which symbol"),
        ({"strategy": {"library": "sma_cross"}, "symbol": "NOPE"}, DataError, "there is no NOPE"),
        ({"strategy": {"library": "sma_cross"}, "symbol": "MADE", "commision": 0.1}, InputError, "commision"),
    ):
        with pytest.raises(kind, match=message):
            wait_for(start(request))
    with pytest.raises(InputError, match="is no run"):
        wait_for(local.backtesting.get_status("job_1"))
    with pytest.raises(NotFound):
        wait_for(local.backtesting.get_results("bt_" + "0" * 32))
    assert local.queue.list().items == ()


# --- deployments ---


def test_deployments_are_on_paper_share_a_portfolio_and_end(house: House) -> None:
    made = wait_for(house.engine.create_strategy(CROSS))
    portfolio = new_id("port")
    body = {"portfolio_id": portfolio, "allocation": 0.6, "risk_limits": {"max_drawdown": 0.1}}
    first = wait_for(house.engine.deploy_strategy(made.strategy_id, body))
    assert (first.mode, first.status, first.strategy_version) == ("paper", "created", 1)
    with pytest.raises(Conflict, match=r"0\.6 of .* is allocated"):
        wait_for(house.engine.deploy_strategy(made.strategy_id, body))
    wait_for(house.engine.deploy_strategy(made.strategy_id, {**body, "portfolio_id": new_id("port")}))
    with pytest.raises(Conflict, match="stop that deployment first"):
        wait_for(house.engine.delete_strategy(made.strategy_id))
    stopped = wait_for(house.engine.stop_deployment(first.deployment_id, "enough"))
    assert (stopped.status, stopped.message) == ("stopped", "enough")
    assert wait_for(house.engine.get_deployment(first.deployment_id)).stopped_at is not None
    with pytest.raises(Conflict):
        wait_for(house.engine.stop_deployment(first.deployment_id))
    second = wait_for(house.engine.deploy_strategy(made.strategy_id, body))
    page = wait_for(house.engine.list_deployments(portfolio_id=portfolio))
    assert [each.deployment_id for each in page.items] == [second.deployment_id, first.deployment_id]


def test_a_deployment_pauses_and_goes_on_where_it_was(house: House) -> None:
    made = wait_for(house.engine.create_strategy(CROSS))
    store = DeploymentStore(house.database)
    body = {"portfolio_id": new_id("port"), "allocation": 0.6}
    first = wait_for(house.engine.deploy_strategy(made.strategy_id, body))
    paused = wait_for(house.engine.pause_deployment(first.deployment_id, "holidays"))
    assert (paused.status, paused.message, paused.stopped_at) == ("paused", "holidays", None)
    with pytest.raises(Conflict, match="is allocated"):  # it keeps its share
        wait_for(house.engine.deploy_strategy(made.strategy_id, body))
    with pytest.raises(Conflict, match="stop that deployment first"):
        wait_for(house.engine.delete_strategy(made.strategy_id))
    with pytest.raises(Conflict, match="cannot become paused"):
        wait_for(house.engine.pause_deployment(first.deployment_id))
    assert wait_for(house.engine.resume_deployment(first.deployment_id)).status == "created", "it never ran"
    with pytest.raises(Conflict, match="is created; only a paused one"):
        wait_for(house.engine.resume_deployment(first.deployment_id))
    begun = store.move(first.deployment_id, "running").started_at
    wait_for(house.engine.pause_deployment(first.deployment_id))
    again = wait_for(house.engine.resume_deployment(first.deployment_id))
    assert (again.status, again.started_at) == ("running", begun)
    with pytest.raises(Conflict):
        store.move(wait_for(house.engine.pause_deployment(first.deployment_id)).deployment_id, "created")
    listed = wait_for(house.engine.list_deployments(status="paused"))
    assert [each.deployment_id for each in listed.items] == [first.deployment_id]
    assert wait_for(house.engine.stop_deployment(first.deployment_id)).status == "stopped"
    with pytest.raises(Conflict):
        wait_for(house.engine.pause_deployment(first.deployment_id))


@pytest.mark.parametrize(("mode", "live"), [("paper", False), ("paper", True), ("live", False)])
def test_live_needs_two_settings_that_agree(mode: Any, live: bool, local: House) -> None:
    made = wait_for(local.engine.create_strategy(CROSS))
    stored, store = local.strategies.get(made.strategy_id), DeploymentStore(local.database)
    from algotrendy.services import DeployRequest

    asked = DeployRequest(portfolio_id=new_id("port"), allocation=0.5, mode="live")
    with pytest.raises(ConfigError, match="live trading is off"):
        StrategyDeployer(store, Settings(trading_mode=mode, live_trading=live)).deploy(stored, asked)
    agreed = StrategyDeployer(store, Settings(trading_mode="live", live_trading=True)).deploy(stored, asked)
    assert agreed.mode == "live"


def test_odd_deployments_are_refused(local: House) -> None:
    made = wait_for(local.engine.create_strategy(CROSS))
    good = {"portfolio_id": new_id("port"), "allocation": 0.2}
    for change, message in (
        ({"allocation": 1.5}, "allocation"),
        ({"portfolio_id": "mine"}, "expected an identity"),
        ({"risk_limits": {"max_drawdown": -1}}, "risk limit 'max_drawdown' is -1"),
    ):
        with pytest.raises(InputError, match=message):
            wait_for(local.engine.deploy_strategy(made.strategy_id, {**good, **change}))
    wait_for(local.engine.update_strategy(made.strategy_id, {"status": "archived"}))
    with pytest.raises(Conflict, match="archived"):
        wait_for(local.engine.deploy_strategy(made.strategy_id, good))


def test_of_two_who_want_the_same_rest_of_a_portfolio_one_gets_it(house: House) -> None:
    from concurrent.futures import ThreadPoolExecutor

    made = wait_for(house.engine.create_strategy(CROSS))
    body = {"portfolio_id": new_id("port"), "allocation": 0.3}

    def deploy(_: int) -> str:
        try:
            return str(wait_for(house.engine.deploy_strategy(made.strategy_id, body)).status)
        except Conflict:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(deploy, range(8))) == ["created"] * 3 + ["refused"] * 5
