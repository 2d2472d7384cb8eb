"""The ledger of trials keeps its promises on every database, among several processes, and on the command line."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from algotrendy.backtest.trials import TrialLedger, TrialRecord
from algotrendy.cli import main, show
from algotrendy.errors import InputError
from algotrendy.storage import Database, SqlTrialLedger
from tests.contract.databases import KINDS, Place, opened, place_for

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 1, 5, 12, 30, 0, 250_001, tzinfo=UTC)


def record(definition: str = "d1", data: str = "5f0c", n: int = 10, **changes: Any) -> TrialRecord:
    usual = {"effective_trials": n / 2 if n > 1 else 1.0, "sharpe_mean": 0.01, "sharpe_variance": 0.02, "at": AT}
    values = usual | {"best_sharpe": 0.05, "label": "sma_cross", "kind": "sweep"} | changes
    return TrialRecord(data_hash=data, definition_hash=definition, n_trials=n, **values)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Place:
    return place_for(request, request.param)


@pytest.fixture
def ledger(place: Place) -> Iterator[SqlTrialLedger]:
    with opened(place) as database:
        yield SqlTrialLedger(database)


def test_a_record_comes_back_as_it_was_kept(ledger: SqlTrialLedger) -> None:
    port: TrialLedger = ledger
    kept = record(label="größer 'x' fast=5:51")
    unknown = record(
        "d2", n=1, sharpe_mean=math.nan, sharpe_variance=math.nan, best_sharpe=math.nan, at=AT + timedelta(1)
    )
    port.record(unknown)
    port.record(kept)
    assert repr(port.records()) == repr([kept, unknown]), "the oldest first"
    assert port.records("5f0c")[0] == kept
    assert port.records("other") == []


def test_the_same_thing_again_adds_nothing_unless_it_got_further(ledger: SqlTrialLedger) -> None:
    ledger.record(record(n=40, best_sharpe=0.05))
    for n, best in ((40, 0.9), (39, 0.9)):
        ledger.record(record(n=n, best_sharpe=best))
        assert ledger.records() == [record(n=40, best_sharpe=0.05)]
    ledger.record(record(n=100, best_sharpe=0.07))
    assert ledger.records() == [record(n=100, best_sharpe=0.07)]
    ledger.record(record(data="91aa", n=7))
    assert [ledger.total(data).n_trials for data in ("5f0c", "91aa", "none")] == [100, 7, 0]


def test_a_total_adds_up_what_is_distinct(ledger: SqlTrialLedger) -> None:
    ledger.record(record("d1", n=100, effective_trials=20.0, best_sharpe=0.08))
    ledger.record(record("d2", n=50, effective_trials=5.5, best_sharpe=math.nan))
    ledger.record(record("d1", n=100, effective_trials=20.0))
    total = ledger.total("5f0c")
    assert (total.n_records, total.n_trials, total.effective_trials, total.best_sharpe) == (2, 150, 25.5, 0.08)
    nothing = ledger.total("none")
    assert (nothing.n_records, nothing.n_trials, nothing.effective_trials) == (0, 0, 0.0)
    assert math.isnan(nothing.best_sharpe)
    assert math.isnan(nothing.sharpe_variance)


def test_what_is_forgotten_is_gone(ledger: SqlTrialLedger) -> None:
    for data in ("a", "a", "b"):
        ledger.record(record(f"d{len(ledger.records())}", data))
    assert ledger.forget("a") == 2
    assert [one.data_hash for one in ledger.records()] == ["b"]
    assert ledger.forget() == 1
    assert ledger.forget() == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "luck"}, "kind='luck' is unknown; expected one of backtest, sweep"),
        ({"n_trials": 0}, "0 trials, 5 of them effective; expected at least one"),
        ({"effective_trials": 0.5}, r"10 trials, 0\.5 of them effective; expected"),
        ({"effective_trials": 11.0}, "11 of them effective"),
        ({"effective_trials": math.nan}, "nan of them effective"),
        ({"sharpe_variance": -1.0}, "is negative"),
        ({"data_hash": ""}, "is no text"),
        ({"definition_hash": "x" * 129}, "at most 128"),
        ({"at": datetime(2026, 1, 5)}, "has no zone"),
    ],
)
def test_a_record_that_cannot_be_is_refused(ledger: SqlTrialLedger, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ledger.record(replace(record(), **wrong))
    assert ledger.records() == []


# --- the variance of all trials together ---


@pytest.fixture(scope="module")
def shared_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlTrialLedger]:
    ledger = SqlTrialLedger(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.db")
    yield ledger
    ledger.close()


@given(
    groups=st.lists(st.lists(st.floats(-3, 3), min_size=1, max_size=6), min_size=1, max_size=6),
    unknown=st.booleans(),
)
def test_the_variance_of_a_total_is_that_of_all_trials_at_once(
    shared_ledger: SqlTrialLedger, groups: list[list[float]], unknown: bool
) -> None:
    shared_ledger.forget()
    for place, group in enumerate(groups):
        shared_ledger.record(grouped(f"d{place}", group))
    if unknown:
        shared_ledger.record(record("x", n=3, sharpe_mean=math.nan))
        shared_ledger.record(record("y", n=3, sharpe_variance=math.nan))
    assert_pooled(shared_ledger, groups)


def test_the_variance_of_a_total_is_the_same_on_every_database(ledger: SqlTrialLedger) -> None:
    groups = [[0.5], [0.1, 0.3, -0.2], [0.0, 0.7], [2.0]]
    for place, group in enumerate(groups):
        ledger.record(grouped(f"d{place}", group))
        assert_pooled(ledger, groups[: place + 1])


def grouped(definition: str, sharpes: list[float]) -> TrialRecord:
    """Return the record of trials with these Sharpe ratios."""
    variance = float(np.var(sharpes, ddof=1)) if len(sharpes) > 1 else math.nan
    return record(definition, n=len(sharpes), sharpe_mean=float(np.mean(sharpes)), sharpe_variance=variance)


def assert_pooled(ledger: SqlTrialLedger, groups: list[list[float]]) -> None:
    """Check the variance of a total against NumPy's of all trials in one list."""
    found, everything = ledger.total("5f0c").sharpe_variance, np.concatenate(groups)
    if len(everything) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(np.var(everything, ddof=1), rel=1e-9, abs=1e-12)


# --- several processes ---

WRITER = """
import sys
from datetime import UTC, datetime
from algotrendy.backtest.trials import TrialRecord
from algotrendy.storage import Database, SqlTrialLedger
url, schema, name, count = sys.argv[1:]
ledger = SqlTrialLedger(Database(url, schema=schema or None, durability="process"))
for n in range(int(count)):
    ledger.record(TrialRecord(
        kind="backtest", data_hash="5f0c", definition_hash=f"{name} {n}", label="", n_trials=1, effective_trials=1.0,
        sharpe_mean=0.0, sharpe_variance=0.0, best_sharpe=0.0, at=datetime.now(UTC)))
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


def writer(place: Place, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, place.url, place.schema, name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_several_processes_record_at_the_same_time_and_lose_nothing(place: Place, ledger: SqlTrialLedger) -> None:
    processes = [writer(place, name, 40) for name in ("a", "b", "c")]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    assert ledger.total("5f0c").n_trials == 120


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9: Windows has none")
def test_a_process_that_is_killed_loses_nothing_that_it_recorded(place: Place, ledger: SqlTrialLedger) -> None:
    process = writer(place, "a", 1_000_000)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    told += process.stdout.readlines()
    process.stdout.close()
    assert process.wait(timeout=30) == -signal.SIGKILL
    confirmed = len([line for line in told if line.endswith("\n")])
    assert confirmed <= ledger.total("5f0c").n_trials <= confirmed + 1


def test_the_usual_ledger_is_a_small_file_that_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALGOTRENDY_HOME", str(tmp_path / "home"))
    ledger = SqlTrialLedger()
    assert list(tmp_path.iterdir()) == []
    ledger.record(record())
    with ledger._database.transaction(writes=False) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 1
    ledger.close()
    assert (tmp_path / "home" / "ledger.db").exists()
    assert ledger.total("5f0c").n_trials == 10, "it is opened again"
    ledger.close()
    assert (tmp_path / "home" / "ledger.db").stat().st_size < 300_000


# --- the command line ---


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return what runs `algotrendy ledger`, checks the exit code and gives what was printed."""
    monkeypatch.setenv("ALGOTRENDY_HOME", str(tmp_path))
    monkeypatch.setattr(show, "console", Console(highlight=False, soft_wrap=True, width=120))

    def call(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as end:
            main(["ledger", *arguments])
        printed = capsys.readouterr()
        assert end.value.code == code, printed.err
        return printed.out if code == 0 else printed.err

    return call


def test_the_command_line_shows_and_forgets(tmp_path: Path, run: Callable[..., str]) -> None:
    assert "Nothing was tried yet." in run()
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = SqlTrialLedger(url)
    ledger.record(record("d1", "5f0c" * 16, n=7_000, effective_trials=38.5, best_sharpe=0.061))
    ledger.record(record("d2", "5f0c" * 16, n=1, label="[b]rsi[/b]", kind="backtest", at=AT + timedelta(1)))
    ledger.record(record("d1", "5f91" * 16, best_sharpe=math.nan))
    table = run()
    (row,) = [line for line in table.splitlines() if "5f0c5f0c5f0c" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "5f0c5f0c5f0c", "2", "7,001", "39.5", "0.0610", "2026-01-06 backtest [b]rsi[/b]",
    ]  # fmt: skip
    rows = json.loads(run("--url", url, "--json"))
    assert [(one["n_records"], one["n_trials"], one["best_sharpe"]) for one in rows] == [
        (2, 7001, 0.061),
        (1, 10, None),
    ]
    assert rows[0]["data_hash"] == "5f0c" * 16
    runs = [line for line in run("show", "5f0c").splitlines() if "2026-01-" in line]
    assert [[cell.strip() for cell in line.strip("│").split("│")] for line in runs] == [
        ["2026-01-05 12:30", "sweep", "7,000", "38.5", "0.0610", "sma_cross"],
        ["2026-01-06 12:30", "backtest", "1", "1.0", "0.0500", "[b]rsi[/b]"],
    ]
    assert "no bars that were tried have" in run("show", "77", code=2)
    assert "say what to forget" in run("forget", code=2)
    assert "2 sets of bars have a hash that begins with '5f'" in run("forget", "5f", code=2)
    assert "no bars that were tried have" in run("forget", "77", code=2)
    assert "2 records forgotten" in run("forget", "5f0c")
    assert "1 record forgotten" in run("forget", "--all")
    assert ledger.records() == []
    ledger.close()


def test_a_ledger_may_lie_in_a_database_that_others_use(place: Place) -> None:
    with opened(place) as database:
        assert isinstance(database, Database)
        first, second = SqlTrialLedger(database), SqlTrialLedger(database)
        first.record(record())
        assert second.total("5f0c").n_trials == 10
