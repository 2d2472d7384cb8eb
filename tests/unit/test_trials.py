"""The trial ledger: what counts, what counts once, what the session records, and how it is switched off."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.run import backtest
from algotrendy.backtest.trials import MemoryTrialLedger, TrialRecord, data_hash, total_of, trial_of_result
from algotrendy.config import Settings
from algotrendy.domain.panel import Panel
from algotrendy.errors import DataError, InputError
from algotrendy.home import research_home
from algotrendy.research import Workspace, trial_ledger, workspace
from algotrendy.strategy import BarStrategy

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def record(**changes: Any) -> TrialRecord:
    fields = {
        "kind": "sweep", "data_hash": "d", "definition_hash": "one", "label": "cross", "n_trials": 100,
        "effective_trials": 10.0, "sharpe_mean": 0.01, "sharpe_variance": 0.0004, "best_sharpe": 0.06, "at": NOW,
    }  # fmt: skip
    return TrialRecord(**{**fields, **changes})


@pytest.fixture
def bars() -> pd.DataFrame:
    return at.synthetic(n=300, seed=2)


@pytest.fixture
def ledger() -> Iterator[MemoryTrialLedger]:
    found = MemoryTrialLedger()
    at.configure(ledger=found)
    yield found
    at.configure(ledger=False)


# --- records and totals ---


def test_the_same_thing_again_adds_nothing() -> None:
    ledger = MemoryTrialLedger()
    ledger.record(record())
    ledger.record(record(at=NOW + timedelta(days=1), label="another name"))
    assert [each.label for each in ledger.records()] == ["cross"]


def test_a_sweep_that_was_stopped_is_replaced_by_the_whole_one_and_not_the_other_way() -> None:
    ledger = MemoryTrialLedger()
    for n_trials in (40, 100, 60):
        ledger.record(record(n_trials=n_trials, effective_trials=5.0))
    assert ledger.total("d").n_trials == 100


def test_records_are_kept_apart_by_data_and_can_be_forgotten() -> None:
    ledger = MemoryTrialLedger()
    ledger.record(record(at=NOW + timedelta(hours=1)))
    ledger.record(record(definition_hash="two"))
    ledger.record(record(data_hash="other"))
    assert [each.definition_hash for each in ledger.records("d")] == ["two", "one"]
    assert (ledger.total("d").n_records, ledger.total("other").n_records, ledger.total("none").n_records) == (2, 1, 0)
    assert (ledger.forget("d"), ledger.forget(), ledger.forget()) == (2, 1, 0)


def test_the_variance_of_all_trials_is_that_of_their_ratios_together() -> None:
    rng = np.random.default_rng(1)
    runs = [rng.normal(mean, 0.02, size) for mean, size in ((0.0, 30), (0.05, 10), (0.02, 1))]
    records = [
        record(definition_hash=str(k), n_trials=len(run), effective_trials=1.0, sharpe_mean=run.mean(),
               sharpe_variance=run.var(ddof=1) if len(run) > 1 else math.nan, best_sharpe=run.max())
        for k, run in enumerate(runs)
    ]  # fmt: skip
    total = total_of("d", [*records, record(definition_hash="?", sharpe_mean=math.nan, best_sharpe=math.nan)])
    assert total.sharpe_variance == pytest.approx(np.concatenate(runs).var(ddof=1), rel=1e-12)
    assert total.best_sharpe == max(run.max() for run in runs)
    assert (total.n_trials, total.effective_trials) == (141, 13.0)


def test_nothing_tried_is_a_total_too() -> None:
    total = total_of("d", [])
    assert (total.n_trials, total.effective_trials) == (0, 0.0)
    assert math.isnan(total.sharpe_variance)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_trials": 0}, "0 trials, 10 of them effective"),
        ({"effective_trials": 101.0}, "100 trials, 101 of them effective"),
        ({"effective_trials": 0.5}, "100 trials, 0.5 of them effective"),
        ({"at": datetime(2026, 1, 2)}, "has no zone"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        record(**changes)


# --- what is the same data, and the same trial ---


def test_data_are_their_stamps_and_prices(bars: pd.DataFrame) -> None:
    known = data_hash(bars)
    assert data_hash(bars.copy()) == known
    assert data_hash(bars.assign(mine=1.0)) == known
    assert data_hash(bars.set_axis(bars.index.as_unit("s"))) == known  # type: ignore[attr-defined]
    assert data_hash(bars.iloc[1:]) != known
    assert data_hash(bars.assign(close=bars["close"] * (1 + 1e-12))) != known
    assert data_hash(bars.assign(high=bars["high"] * 1.01, volume=1.0)) == known, "repaired bars are the same market"


def test_a_trial_is_its_definition_not_its_name(bars: pd.DataFrame) -> None:
    text = {"entry": "close > sma(close, n)", "exit": "close < sma(close, n)", "n": 10}

    def tried(**changes: Any) -> str:
        options = {key: changes.pop(key) for key in ("commission",) if key in changes}
        return trial_of_result(backtest(at.Strategy(**{**text, **changes}), bars, **options)).definition_hash

    assert tried(name="mine") == tried(name="yours")
    assert len({tried(), tried(n=11), tried(stop=0.05), tried(commission=0.001)}) == 4


def test_functions_and_signals_are_told_apart_by_what_they_did(bars: pd.DataFrame) -> None:
    up = bars["close"] > bars["close"].shift(1)

    def tried(entries: Any) -> str:
        def follow(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
            return {"entries": entries, "exits": ~entries}

        function = trial_of_result(backtest(follow, bars)).definition_hash
        arrays = trial_of_result(backtest(bars, entries=entries, exits=~entries)).definition_hash
        return function + arrays

    later = up.shift(1, fill_value=False)
    assert tried(up) == tried(up)
    assert tried(up)[:64] != tried(later)[:64]
    assert tried(up)[64:] != tried(later)[64:]


# --- the session ---


def test_backtests_and_sweeps_of_the_session_are_counted(bars: pd.DataFrame, ledger: MemoryTrialLedger) -> None:
    at.backtest(at.strategies.sma_cross(5, 20), bars)
    at.backtest(at.strategies.sma_cross(5, 20), bars)
    at.backtest(at.strategies.sma_cross(6, 20), bars)
    sweep = at.optimize(at.strategies.sma_cross(), bars, {"fast": [3, 5, 8], "slow": [20, 30]})
    at.optimize(at.strategies.sma_cross(), bars, {"fast": [3, 5, 8], "slow": [20, 30]}, metric="total_return")
    kinds = [(each.kind, each.n_trials) for each in ledger.records(data_hash(bars))]
    assert kinds == [("backtest", 1), ("backtest", 1), ("sweep", 6)]
    assert sweep.ledger is ledger
    found = ledger.records()[-1]
    ratios = sweep.table["sharpe_ratio"] / math.sqrt(sweep.periods_per_year)
    assert found.sharpe_mean == pytest.approx(ratios.mean())
    assert found.sharpe_variance == pytest.approx(ratios.var())
    assert found.best_sharpe == pytest.approx(ratios.max())
    assert 1.0 <= found.effective_trials <= 6.0
    assert found.label == "SMA cross: fast 3 to 8, slow 20 to 30"


GRID = {"fast": [3, 5, 8], "slow": [20, 30]}
CROSS = at.strategies.sma_cross(5, 20)


def walked(bars: pd.DataFrame, **changes: Any) -> Any:
    options = {"training": 100, "testing": 50, "workers": 1, "progress": False}
    return at.walk_forward(CROSS, bars, GRID, **{**options, **changes})


def test_a_walk_counts_all_that_it_tried_as_one_independent_trial(
    bars: pd.DataFrame, ledger: MemoryTrialLedger
) -> None:
    walk = walked(bars)
    walked(bars, metric="total_return", training=120)
    walked(bars)
    first, second = ledger.records(data_hash(bars))
    assert (first.kind, first.n_trials, first.effective_trials) == ("walk_forward", 4 * 6, 1.0)
    assert second.n_trials == 3 * 6
    ratio = walk.metrics["sharpe_ratio"] / math.sqrt(walk.metrics["periods_per_year"])
    assert first.best_sharpe == pytest.approx(ratio)
    assert first.label == "SMA cross: fast, slow in 4 windows"
    total = ledger.total(data_hash(bars))
    assert (total.n_trials, total.effective_trials) == (42, 2.0)
    assert math.isnan(total.sharpe_variance)


def test_a_test_of_the_procedure_is_the_sweep_that_it_tests(bars: pd.DataFrame, ledger: MemoryTrialLedger) -> None:
    test = at.procedure_test(CROSS, bars, GRID, paths=9, commission=0.001)
    (found,) = ledger.records(data_hash(bars))
    assert (found.kind, found.n_trials) == ("procedure_test", 6)
    sweep = at.optimize(CROSS, bars, GRID, commission=0.001)
    assert ledger.records() == [found], "the same combinations on the same bars"
    pd.testing.assert_frame_equal(test.data.table, sweep.table)
    assert sweep.trial().effective_trials == found.effective_trials
    assert sweep.trial().sharpe_variance == found.sharpe_variance

    def momentum(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
        rising = bars["close"].diff(params["window"]) > 0
        return {"entries": rising, "exits": ~rising}

    at.procedure_test(momentum, bars, {"window": [3, 8]}, params={"window": 3}, paths=2, workers=1)
    assert [(each.kind, each.n_trials) for each in ledger.records()[1:]] == [("procedure_test", 2)]


def test_accounts_of_several_instruments_count_by_their_bars(bars: pd.DataFrame, ledger: MemoryTrialLedger) -> None:
    other = at.synthetic(n=300, seed=3)
    two = {"A": bars, "B": other}
    at.backtest(two, weights={"A": 0.5, "B": 0.5})
    at.backtest(two, weights={"A": 0.6, "B": 0.4})
    at.backtest(two, orders=[{"time": bars.index[3], "symbol": "A", "quantity": 5}])
    at.backtest(CROSS, {"B": other, "A": bars}, max_positions=1)
    at.backtest({"trend": (CROSS, 0.5), "idle": (at.strategies.buy_and_hold(), 0.5)}, two)
    at.optimize(CROSS, two, {"fast": [3, 5]}, workers=1)
    at.optimize(CROSS, Panel.of(two), {"fast": [3, 5]}, workers=1)
    kinds = [(each.kind, each.n_trials, each.label) for each in ledger.records(data_hash(two))]
    assert kinds == [
        ("backtest", 1, "target weights()"), ("backtest", 1, "target weights()"), ("backtest", 1, "explicit orders()"),
        ("backtest", 1, "SMA cross(fast=5, slow=20)"), ("backtest", 1, "several strategies()"),
        ("sweep", 2, "SMA cross: fast 3 to 5"),
    ]  # fmt: skip
    assert len(ledger.records()) == 6
    long = pd.concat([frame.assign(symbol=name) for name, frame in two.items()])
    assert data_hash(long) == data_hash(Panel.of(two)) == data_hash(two)
    assert data_hash({"A": bars, "B": other.assign(close=other["close"] * 1.01)}) != data_hash(two)
    assert data_hash({"A": bars}) == data_hash(bars), "one instrument, whatever it came in"


def test_one_instrument_counts_under_its_bars_on_every_route(bars: pd.DataFrame, ledger: MemoryTrialLedger) -> None:
    class Once(BarStrategy):
        def on_bar(self, ctx: Any) -> None:
            if ctx.n_bars == 20:
                ctx.buy()

    at.backtest(bars, orders=[{"time": bars.index[3], "symbol": "", "quantity": 5}])
    at.backtest(bars=bars, strategy=Once())
    at.backtest(bars, weights=pd.Series([0.5], index=bars.index[:1]))
    assert [each.kind for each in ledger.records(data_hash(bars))] == ["backtest"] * 3
    result = backtest(bars, weights=pd.Series([0.5], index=bars.index[:1]))
    with pytest.raises(InputError, match="does not hold its bars"):
        trial_of_result(result)


def test_what_runs_the_same_thing_again_counts_nothing(
    bars: pd.DataFrame, ledger: MemoryTrialLedger, tmp_path: Path
) -> None:
    from algotrendy import research
    from algotrendy.backtest.capacity import capacity
    from algotrendy.backtest.fill_interval import fill_interval

    strategy = at.Strategy(entry="close > sma(close, n)", exit="close < sma(close, n)", n=10, stop=0.02)
    result = at.backtest(strategy, bars)
    sweep = at.optimize(strategy, bars, {"n": [5, 10]})
    before = ledger.records()
    sweep.run(0)
    sweep.overfitting(n_resamples=99)
    for method in ("bootstrap", "parameter_jitter"):
        result.monte_carlo(method=method, paths=5)
        research.monte_carlo(result, method=method, paths=5)
    fill_interval(result)
    capacity(result, [1e5, 1e6])
    at.check_lookahead(strategy, bars)
    at.explain_difference(result, backtest(strategy, bars, commission=0.001))
    at.verify(result.passport(tmp_path / "passport.json"), bars)
    assert ledger.records() == before


def test_a_run_that_fails_is_no_trial(bars: pd.DataFrame, ledger: MemoryTrialLedger) -> None:
    with pytest.raises(InputError):
        at.backtest(at.strategies.sma_cross(5, 20), bars, commission=5.0)
    assert ledger.records() == []


def test_what_is_run_below_the_session_is_not_counted(bars: pd.DataFrame, ledger: MemoryTrialLedger) -> None:
    backtest(at.strategies.sma_cross(5, 20), bars)
    sweep = at.backtest.sweep.optimize(at.strategies.sma_cross(), bars, {"fast": [3, 5]})  # type: ignore[attr-defined]
    sweep.run(0)
    assert ledger.records() == []
    assert sweep.ledger is None


def test_one_line_switches_it_off(bars: pd.DataFrame, ledger: MemoryTrialLedger) -> None:
    at.configure(ledger=False)
    at.backtest(at.strategies.sma_cross(5, 20), bars)
    assert at.optimize(at.strategies.sma_cross(), bars, {"fast": [3, 5]}).ledger is None
    assert trial_ledger() is None
    assert ledger.records() == []


def test_other_settings_leave_the_ledger_as_it_is(ledger: MemoryTrialLedger) -> None:
    before = workspace().settings.progress
    at.configure(progress=False)
    assert trial_ledger() is ledger
    at.configure(progress=before)


@pytest.mark.parametrize(
    ("text", "expected"), [("off", False), ("ON", True), ("0", False), ("notes.db", "notes.db"), ("a://b", "a://b")]
)
def test_the_environment_says_where(text: str, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOTRENDY_LEDGER", text)
    assert Settings().ledger == expected


def test_it_is_on_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALGOTRENDY_LEDGER", raising=False)
    assert Settings().ledger is True
    assert Workspace().ledger is None


def test_a_research_folder_keeps_its_own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOTRENDY_HOME", str(tmp_path / "home"))
    deep = tmp_path / "project" / "notebooks"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert research_home() == tmp_path / "home"
    (tmp_path / "project" / ".algotrendy").mkdir()
    assert research_home() == tmp_path / "project" / ".algotrendy"


class Stored(MemoryTrialLedger):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address


class Room:
    SqlTrialLedger = Stored


def test_the_ledger_is_opened_on_first_use_at_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("algotrendy.research.import_module", lambda name: Room)
    try:
        for place, address in (
            (tmp_path / "new" / "trials.db", f"sqlite:///{tmp_path / 'new' / 'trials.db'}"),
            ("postgresql://somewhere/db", "postgresql://somewhere/db"),
        ):
            at.configure(ledger=place)
            found: Any = trial_ledger()
            assert found.address == address
            assert trial_ledger() is found
        (tmp_path / ".algotrendy").mkdir()
        monkeypatch.chdir(tmp_path)
        at.configure(ledger=True)
        found = trial_ledger()
        assert found.address == f"sqlite:///{tmp_path / '.algotrendy' / 'ledger.db'}"
    finally:
        at.configure(ledger=False)


def test_a_ledger_that_cannot_be_opened_stops_no_research(bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise OSError("the disk is full")

    monkeypatch.setattr("algotrendy.research.import_module", broken)
    try:
        at.configure(ledger="sqlite:///nowhere.db")
        with pytest.warns(UserWarning, match="in this session only.*the disk is full"):
            at.backtest(at.strategies.sma_cross(5, 20), bars)
        found = trial_ledger()
        assert found is not None
        assert len(found.records()) == 1
    finally:
        at.configure(ledger=False)


def test_a_trial_that_cannot_be_written_loses_no_result(bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    class Locked(MemoryTrialLedger):
        def record(self, trial: TrialRecord) -> None:
            raise DataError("the ledger is locked")

    at.configure(ledger=Locked())
    try:
        with pytest.warns(UserWarning, match="this trial was not counted: the ledger is locked"):
            sweep = at.optimize(at.strategies.sma_cross(), bars, {"fast": [3, 5]})
        assert len(sweep) == 2
    finally:
        at.configure(ledger=False)


def test_records_can_be_made_anew_from_their_fields() -> None:
    assert replace(record(), n_trials=200).n_trials == 200


def test_the_first_backtest_with_the_ledger_off_loads_no_settings() -> None:
    code = (
        "import sys, algotrendy as at; at.backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=200, seed=1));"
        "print('pydantic' in sys.modules or 'algotrendy.research' in sys.modules)"
    )
    environment = {**os.environ, "ALGOTRENDY_LEDGER": "off"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
