"""Files of the Parquet store that were cut off, changed, lost or locked: found, set aside, told, fetched again."""

from __future__ import annotations

import json
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from algotrendy.compute import wait_for
from algotrendy.data.series import Span
from algotrendy.data.store import ParquetStore, Sizes
from algotrendy.data.store.parquet_files import read_manifest, write_manifest
from algotrendy.errors import DataError, InputError, VenueUnavailable
from tests.contract.stores import DAILY, MINUTES, assert_same, bars_at, days, minutes, whole

BARS = bars_at(minutes(100), np.arange(1.0, 101.0))


@pytest.fixture
def store(tmp_path: Path) -> ParquetStore:
    """Return a store whose series of minutes lies in three files of 40, 40 and 20 bars."""
    one = ParquetStore(tmp_path / "store", sizes=Sizes(small=8, largest=40))
    for rows in (BARS[:40], BARS[40:80], BARS[80:]):
        wait_for(one.write(MINUTES, rows, whole(rows, "1min")))
    assert len(segments(one)) == 3
    return one


def folder(store: ParquetStore) -> Path:
    return store._series(MINUTES).folder


def segments(store: ParquetStore) -> list[Path]:
    manifest = read_manifest(folder(store))
    assert manifest is not None
    return [folder(store) / segment.file for segment in manifest.segments]


def set_aside(store: ParquetStore) -> list[str]:
    return sorted(path.name for path in (store._folder / ".damaged").rglob("*") if path.is_file())


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path, place: int = 50) -> None:
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 0x10
    path.write_bytes(bytes(content))


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = {
    "cut off": (cut_off, "bytes instead of"),
    "changed": (flip, "checksum is wrong"),
    "emptied": (empty, "0 bytes instead of"),
    "removed": (Path.unlink, "is missing"),
}


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_damaged_file_is_set_aside_and_its_time_is_not_covered_any_more(
    store: ParquetStore, which: int, how: str
) -> None:
    damage, told = DAMAGES[how]
    path = segments(store)[which]
    damage(path)
    with pytest.warns(UserWarning, match=rf"{path.name} of sample/crypto/.* is damaged: .*{told}.*fetched again"):
        found = wait_for(store.read(MINUTES))
    parts = [BARS[:40], BARS[40:80], BARS[80:]]
    assert_same(found, pd.concat(parts[:which] + parts[which + 1 :]))
    missing = whole(BARS, "1min").missing_in(wait_for(store.coverage(MINUTES)))
    lost = Span.of(parts[which].index[0], parts[which].index[-1])
    assert len(missing) == 1
    assert missing[0].start <= lost.start
    assert lost.end <= missing[0].end
    assert set_aside(store) == ([] if how == "removed" else [path.name])
    wait_for(store.write(MINUTES, BARS.loc[missing[0].start : missing[0].end - pd.Timedelta("1ns")], missing[0]))
    assert_same(wait_for(store.read(MINUTES)), BARS)
    assert wait_for(store.coverage(MINUTES)) == (whole(BARS, "1min"),)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_file_that_a_write_runs_into_is_set_aside_and_the_write_happens(
    store: ParquetStore, how: str
) -> None:
    path = segments(store)[1]
    DAMAGES[how][0](path)
    new = bars_at(BARS.index[70:90], 500.0)
    with pytest.warns(UserWarning, match="is damaged"):
        wait_for(store.write(MINUTES, new, whole(new, "1min")))
    assert_same(wait_for(store.read(MINUTES)), pd.concat([BARS[:40], new, BARS[90:]]))
    assert Span.of(BARS.index[41], BARS.index[69]).missing_in(wait_for(store.coverage(MINUTES)))


@pytest.mark.parametrize("how", ["cut off", "changed", "emptied"])
@pytest.mark.parametrize("call", ["read", "coverage", "write"])
def test_a_damaged_manifest_is_set_aside_with_all_files_of_the_series(store: ParquetStore, how: str, call: str) -> None:
    DAMAGES[how][0](folder(store) / "manifest.json")
    new = BARS[:5]
    calls = {
        "read": lambda: store.read(MINUTES),
        "coverage": lambda: store.coverage(MINUTES),
        "write": lambda: store.write(MINUTES, new, whole(new, "1min")),
    }
    with pytest.warns(UserWarning, match=r"manifest\.json of sample/crypto/.* is damaged: .*fetched again"):
        found = wait_for(calls[call]())
    assert found in (None, ())
    assert len(set_aside(store)) == 4
    wait_for(store.write(MINUTES, new, whole(new, "1min")))
    assert_same(wait_for(store.read(MINUTES)), new)


def test_a_damaged_manifest_does_not_hide_the_other_series(store: ParquetStore) -> None:
    daily = bars_at(days(3), 1.0)
    wait_for(store.write(DAILY, daily, whole(daily, "1D")))
    flip(folder(store) / "manifest.json")
    with pytest.warns(UserWarning, match="manifest of BINANCE~BTC%2FUSDT is damaged"):
        assert wait_for(store.keys()) == [DAILY]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=2 * settings().max_examples)
@given(which=st.integers(0, 3), place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_no_flipped_bit_anywhere_goes_unseen(store: ParquetStore, which: int, place: int, bit: int) -> None:
    path = (*segments(store), folder(store) / "manifest.json")[which]
    sound = path.read_bytes()
    damaged = bytearray(sound)
    damaged[place % len(sound)] ^= 1 << bit
    kept = {one: one.read_bytes() for one in folder(store).iterdir()}
    path.write_bytes(bytes(damaged))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = wait_for(store.read(MINUTES))
    if path.name == "manifest.json" and json.loads(sound) == _json(bytes(damaged)):
        assert_same(found, BARS)  # a blank or the like: it means the same
    else:
        assert [str(one.message) for one in told if "is damaged" in str(one.message)]
        assert found is None or len(found) < len(BARS)
    folder(store).mkdir(exist_ok=True)
    for one, content in kept.items():
        one.write_bytes(content)


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return None


def test_what_a_dead_process_left_behind_counts_for_nothing_and_goes_with_the_next_write(store: ParquetStore) -> None:
    names = [folder(store) / "00000009-0badcafe.parquet", folder(store) / "manifest.json.0badcafe.tmp"]
    for path in names:
        path.write_bytes(b"half of some")
    assert_same(wait_for(store.read(MINUTES)), BARS)
    wait_for(store.write(MINUTES, BARS[:5], whole(BARS[:5], "1min")))
    assert not any(path.exists() for path in names)


def test_a_store_of_a_newer_version_is_left_as_it_is(store: ParquetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    from algotrendy.data.store import parquet_files

    manifest = read_manifest(folder(store))
    assert manifest is not None
    with monkeypatch.context() as later:
        later.setattr(parquet_files, "VERSION", 2)
        write_manifest(folder(store), manifest)
    for call in (store.read(MINUTES), store.coverage(MINUTES), store.write(MINUTES, BARS, whole(BARS, "1min"))):
        with pytest.raises(DataError, match="version 2 of the store's format, this algotrendy reads up to 1"):
            wait_for(call)
    assert len(segments_of_any_version(store)) == 3


def segments_of_any_version(store: ParquetStore) -> list[Path]:
    return list(folder(store).glob("*.parquet"))


def test_a_folder_that_was_renamed_is_not_taken_for_another_series(store: ParquetStore) -> None:
    other = store._series(DAILY).folder
    other.parent.mkdir(parents=True)
    folder(store).rename(other)
    with pytest.raises(DataError, match=r"holds sample/crypto/1m/raw/.*, expected sample/stock/1d/raw/XNAS~AAPL"):
        wait_for(store.read(DAILY))


def test_a_writer_that_waits_too_long_says_so_and_can_try_again(tmp_path: Path) -> None:
    store = ParquetStore(tmp_path, lock_seconds=0.2)
    with store._series(MINUTES).lock(), pytest.raises(VenueUnavailable, match=r"has been writing for 0\.2 s"):
        wait_for(store.write(MINUTES, BARS, whole(BARS, "1min")))
    wait_for(store.write(MINUTES, BARS, whole(BARS, "1min")))
    with store._series(MINUTES).lock():
        assert_same(wait_for(store.read(MINUTES)), BARS)  # reading takes no lock


def test_a_reader_beside_a_writer_always_sees_one_whole_write(tmp_path: Path) -> None:
    store = ParquetStore(tmp_path, sizes=Sizes(small=8, largest=40))
    wait_for(store.write(MINUTES, BARS.assign(close=BARS["open"]), whole(BARS, "1min")))
    stop = threading.Event()

    def rewrite() -> None:
        price = 1.0
        while not stop.is_set():
            price += 1.0
            store._write(MINUTES, bars_at(BARS.index, price), whole(BARS, "1min"))

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        end, seen = time.monotonic() + 1.5, set()
        while time.monotonic() < end:
            found = wait_for(store.read(MINUTES))
            assert found is not None
            assert len(found) == 100
            if found["close"].iloc[0] > 1.0:
                assert found["close"].nunique() == 1
            seen.add(found["close"].iloc[0])
        assert len(seen) > 3
    finally:
        stop.set()
        writer.join()


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bars").write_text("no folder", encoding="utf-8")
    with pytest.raises(InputError, match="bars is a file, expected a folder"):
        ParquetStore(tmp_path / "bars")


@pytest.mark.slow
def test_five_million_minutes_come_back_equal_and_take_a_day_more_cheaply(tmp_path: Path) -> None:
    store = ParquetStore(tmp_path)
    rng = np.random.default_rng(5)
    bars = bars_at(minutes(5_000_000, "2015-01-01"), np.exp(np.cumsum(rng.normal(0.0, 1e-4, 5_000_000))))
    wait_for(store.write(MINUTES, bars, whole(bars, "1min")))
    day = bars_at(minutes(1440, str(bars.index[-1] + pd.Timedelta("1min"))), 2.0)
    before = {path: path.stat().st_mtime_ns for path in folder(store).glob("*.parquet")}
    wait_for(store.write(MINUTES, day, whole(day, "1min")))
    after = {path: path.stat().st_mtime_ns for path in folder(store).glob("*.parquet")}
    assert before.items() <= after.items(), "a day more rewrites nothing of the years before"
    assert len(after) == 21
    found = wait_for(store.read(MINUTES))
    assert_same(found, pd.concat([bars, day]))
