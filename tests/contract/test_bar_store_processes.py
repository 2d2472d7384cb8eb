"""Several processes on one store, and processes that are killed while they write: nothing is lost, nothing is half."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from algotrendy.compute import wait_for
from algotrendy.data.series import Span, merged
from tests.contract.store_worker import block
from tests.contract.stores import KINDS, MINUTES, Place, assert_same, opened, place_of

ROOT = Path(__file__).resolve().parents[2]
KILLS = 6


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with place_of(request, request.param, few_rows=True) as one:
        yield one


def start(place: Place, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.contract.store_worker", place.kind, place.address, place.schema]
    return subprocess.Popen([*command, *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def after(writes: int) -> tuple[pd.DataFrame, tuple[Span, ...]]:
    """Return what a store holds after the first so many blocks."""
    rows: dict[pd.Timestamp, pd.Series] = {}
    spans = []
    for number in range(writes):
        bars, covered = block(number)
        rows = {time: row for time, row in rows.items() if not covered.start <= time < covered.end}
        rows |= {time: bars.iloc[i] for i, time in enumerate(bars.index)}
        spans.append(covered)
    frame = pd.DataFrame([rows[time] for time in sorted(rows)])
    frame.index = pd.DatetimeIndex(sorted(rows), name="time").as_unit("us")
    return frame, merged(spans)


def test_a_process_killed_while_it_writes_leaves_the_state_before_or_after_a_write(place: Place) -> None:
    chance = random.Random(11)
    done = 0
    for _ in range(KILLS):
        process = start(place, "append", done)
        assert process.stdout is not None
        told = [process.stdout.readline()]  # it is up and has written
        time.sleep(chance.uniform(0.0, 0.25))
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
        process.stdout.close()
        assert process.wait(timeout=30) == -signal.SIGKILL
        confirmed = int([line for line in told if line.endswith("\n")][-1]) + 1
        with opened(place) as store:
            found = wait_for(store.read(MINUTES))
            covered = wait_for(store.coverage(MINUTES))
        assert found is not None
        done = round(found["close"].iloc[-1])  # the price of the last write
        assert confirmed <= done <= confirmed + 1
        rows, spans = after(done)
        assert_same(found, rows)
        assert covered == spans


def test_three_processes_that_write_one_series_lose_nothing(place: Place) -> None:
    count, step = 40, 3
    processes = [start(place, "interleave", offset, step, count) for offset in range(step)]
    for process in processes:
        assert process.stdout is not None
        process.communicate(timeout=120)
        assert process.returncode == 0
    with opened(place) as store:
        found = wait_for(store.read(MINUTES))
        covered = wait_for(store.coverage(MINUTES))
    assert found is not None
    assert found["close"].tolist() == [1.0 + i for i in range(count * step)]
    assert covered == (Span.of("2024-01-01", "2024-01-01 02:00"),)


@pytest.mark.skipif(not hasattr(sys, "addaudithook") or sys.platform == "win32", reason="fork: Windows has none")
def test_a_kill_at_any_file_operation_leaves_the_state_before_or_after_the_write(tmp_path: Path) -> None:
    place = Place("parquet", str(tmp_path / "store"), "", few_rows=True)
    first = 12
    with opened(place) as store:
        for number in range(first):
            wait_for(store.write(MINUTES, *block(number)))
    process = start(place, "die_everywhere", first)
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    (before, (was,)), (then, (becomes,)) = after(first), after(first + 1)
    states = {
        f"{len(before)} {float(first)} {[str(was.end)]}": "before",
        f"{len(then)} {first + 1.0} {[str(becomes.end)]}": "after",
    }
    found = [(line[0], states[line[2:]]) for line in printed.splitlines()]
    assert [killed for killed, _ in found] == ["1"] * (len(found) - 1) + ["0"]
    assert len(found) > 8, "too few operations were seen for this test to mean anything"
    order = [state for _, state in found]
    assert order == sorted(order, reverse=True), "once written, always written"
    assert set(order) == {"before", "after"}
    with opened(place) as store:
        assert_same(wait_for(store.read(MINUTES)), then)
        wait_for(store.write(MINUTES, *block(first)))
    left = [path.name for path in (tmp_path / "store").rglob("*") if path.suffix == ".tmp"]
    assert left == []
