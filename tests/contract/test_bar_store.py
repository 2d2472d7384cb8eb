"""The one contract of all stores of bars: Parquet files, SQLite, PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.compute import wait_for
from algotrendy.data.series import SeriesKey, Span
from algotrendy.data.store import BarStore, no_bars, within
from algotrendy.errors import InputError
from tests.contract.stores import DAILY, KINDS, MINUTES, assert_same, bars_at, days, minutes, opened, place_of, whole


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[BarStore]:
    with place_of(request, request.param) as place, opened(place) as one:
        yield one


def write(store: BarStore, bars: pd.DataFrame, covered: Span | None = None, key: SeriesKey = DAILY) -> None:
    step = "1min" if key.interval.is_intraday else "1D"
    wait_for(store.write(key, bars, covered or whole(bars, step)))


def read(store: BarStore, span: Span | None = None, key: SeriesKey = DAILY) -> Any:
    return wait_for(store.read(key, span))


# --- what is written comes back ---


def test_what_was_never_written_is_none_and_not_covered(store: BarStore) -> None:
    assert read(store) is None
    assert wait_for(store.coverage(DAILY)) == ()
    assert wait_for(store.keys()) == []
    assert wait_for(store.read_many([DAILY, MINUTES])) == {}
    wait_for(store.delete(DAILY))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("key", [DAILY, MINUTES], ids=lambda key: str(key.interval))
def test_bars_come_back_bit_for_bit_in_the_unit_they_had(store: BarStore, key: SeriesKey, unit: str) -> None:
    index = (minutes(300) if key is MINUTES else days(300)).as_unit(unit)
    rng = np.random.default_rng(3)
    bars = bars_at(index, 10.0 ** rng.uniform(-9.0, 12.0, 300))
    write(store, bars, key=key)
    assert_same(read(store, key=key), bars)


@pytest.mark.shared
def test_real_bars_come_back_as_they_were(store: BarStore, shared: Any) -> None:
    bars = pd.read_csv(shared / "data" / "btcusd_minute_coinbase.csv.gz", parse_dates=["timestamp"], index_col=0)
    bars.index.name = "time"
    write(store, bars, key=MINUTES)
    assert_same(read(store, key=MINUTES), bars)


def test_a_span_gives_the_bars_that_start_in_it(store: BarStore) -> None:
    bars = bars_at(minutes(100), np.arange(1.0, 101.0))
    write(store, bars, key=MINUTES)
    span = Span.of(bars.index[10], bars.index[20])
    assert_same(read(store, span, MINUTES), bars.iloc[10:20])
    finer = Span.of(bars.index[10] + pd.Timedelta("1ns"), bars.index[20] + pd.Timedelta("1ns"))
    assert_same(read(store, finer, MINUTES), bars.iloc[11:21])
    assert_same(read(store, Span.of("2023-01-01", "2023-02-01"), MINUTES), bars.iloc[:0])


def test_columns_of_every_kind_are_kept(store: BarStore) -> None:
    bars = bars_at(days(4), [1.0, 2.0, 3.0, 4.0])
    bars["is_partial"] = [False, False, True, False]
    bars["trades"] = np.array([1, 2, 3, 2**62], dtype=np.int64)
    bars["share"] = np.array([0.1, np.nan, np.inf, -np.inf])
    bars["single"] = np.array([0.1, 0.2, 0.3, np.nan], dtype=np.float32)
    bars["small"] = np.array([1, 2, 3, 255], dtype=np.uint8)
    bars["venue"] = pd.Series(["XNAS", None, "Börse 'x' \\ %", ""], index=bars.index, dtype=pd.Series(["a"]).dtype)
    bars["closed_at"] = pd.DatetimeIndex(["2024-01-01 21:00:00.123456789", "NaT", "2024-01-03", "2024-01-04"], tz="UTC")
    bars["settled_on"] = pd.DatetimeIndex(["2024-01-03", "2024-01-04", "NaT", "2024-01-08"]).as_unit("s")
    write(store, bars)
    assert_same(read(store), bars)
    assert_same(read(store, Span.of("2024-01-02", "2024-01-03")), bars.iloc[1:2])


def test_bars_without_volume_come_back_without(store: BarStore) -> None:
    bars = bars_at(days(3), 5.0).drop(columns="volume")
    write(store, bars)
    assert_same(read(store), bars)


def test_whole_numbers_as_prices_come_back_as_floats(store: BarStore) -> None:
    bars = pd.DataFrame({"open": 2, "high": 2, "low": 2, "close": 2, "volume": 7}, index=days(2))
    write(store, bars)
    assert_same(read(store), bars.astype(float))


def test_a_caller_who_changes_frames_changes_nothing_in_the_store(store: BarStore) -> None:
    bars = bars_at(days(3), [1.0, 2.0, 3.0])
    kept = bars.copy()
    write(store, bars)
    bars.iloc[0, 0] = 99.0
    found = read(store)
    found.loc[found.index[1], "close"] = 77.0
    del found["volume"]
    assert_same(read(store), kept)


# --- later writes ---


def test_a_later_write_wins_inside_what_it_covers_and_vanished_rows_are_gone(store: BarStore) -> None:
    write(store, bars_at(days(10), 1.0))
    new = bars_at(days(2, "2024-01-04"), 2.0)
    wait_for(store.write(DAILY, new, Span.of("2024-01-03", "2024-01-08")))
    old = bars_at(days(10), 1.0)
    assert_same(read(store), pd.concat([old[:2], new, old[7:]]))
    assert wait_for(store.coverage(DAILY)) == (Span.of("2024-01-01", "2024-01-11"),)


def test_coverage_is_what_was_covered_not_what_has_rows(store: BarStore) -> None:
    write(store, bars_at(days(2), 1.0), Span.of("2023-12-30", "2024-01-05"))
    write(store, bars_at(days(1, "2024-02-01"), 1.0), Span.of("2024-02-01", "2024-02-03"))
    assert wait_for(store.coverage(DAILY)) == (
        Span.of("2023-12-30", "2024-01-05"),
        Span.of("2024-02-01", "2024-02-03"),
    )
    write(store, no_bars(DAILY), Span.of("2024-01-05", "2024-02-01"))
    assert wait_for(store.coverage(DAILY)) == (Span.of("2023-12-30", "2024-02-03"),)
    assert len(read(store)) == 3


@pytest.mark.parametrize("key", [DAILY, MINUTES], ids=lambda key: str(key.interval))
def test_a_span_known_to_be_empty_gives_a_frame_without_rows(store: BarStore, key: SeriesKey) -> None:
    span = Span.of("2024-01-01", "2024-02-01")
    write(store, no_bars(key), span, key)
    assert_same(read(store, key=key), no_bars(key))
    assert wait_for(store.coverage(key)) == (span,)
    bars = bars_at(minutes(3) if key is MINUTES else days(3), 1.0)
    bars["trades"] = 4
    write(store, bars, span, key)
    assert_same(read(store, key=key), bars)


def test_rows_can_all_vanish(store: BarStore) -> None:
    bars = bars_at(days(3), 1.0)
    write(store, bars)
    write(store, bars.iloc[:0], Span.of("2024-01-01", "2024-01-04"))
    assert_same(read(store), bars.iloc[:0])


def test_columns_of_several_writes_come_together(store: BarStore) -> None:
    first = bars_at(days(2), 1.0).drop(columns="volume").assign(trades=3, note="x")
    second = bars_at(days(2, "2024-01-03").as_unit("ns"), 2.0).assign(
        is_partial=True, closed_at=pd.Timestamp("2024-01-05", tz="UTC")
    )
    write(store, first)
    write(store, second)
    found = read(store)
    assert list(found.columns) == [
        "open", "high", "low", "close", "volume", "trades", "note", "is_partial", "closed_at",
    ]  # fmt: skip
    assert pd.DatetimeIndex(found.index).unit == "ns"
    assert found["volume"].isna().tolist() == [True, True, False, False]
    assert found["trades"].tolist()[:2] == [3.0, 3.0]
    assert found["trades"].isna().tolist() == [False, False, True, True]
    assert found["is_partial"].tolist() == [False, False, True, True]
    assert found["is_partial"].dtype == bool
    assert found["note"].isna().tolist() == [False, False, True, True]
    assert found["closed_at"].isna().tolist() == [True, True, False, False]


def test_numbers_where_texts_were_are_refused_and_nothing_changes(store: BarStore) -> None:
    bars = bars_at(days(2), 1.0).assign(note="x")
    write(store, bars)
    with pytest.raises(InputError, match="column 'note' holds int64, but the stored rows hold text"):
        write(store, bars.assign(note=1), Span.of("2024-01-01", "2024-03-01"))
    assert_same(read(store), bars)
    assert wait_for(store.coverage(DAILY)) == (Span.of("2024-01-01", "2024-01-03"),)


# --- series are apart ---


def test_series_that_differ_in_anything_are_kept_apart(store: BarStore) -> None:
    facts = {"source": "a", "instrument": "stock:XNAS:BRK", "interval": "1d", "adjusted": "raw", "chart_style": "time"}
    others = [
        {"source": "A"}, {"instrument": "stock:XNAS:brk"}, {"instrument": "stock:XNYS:BRK"},
        {"instrument": "etf:XNAS:BRK"}, {"instrument": "stock:XNAS:BRK/B"}, {"instrument": "stock:XNAS:BRK-B"},
        {"instrument": "stock:XNAS:BRK.B"}, {"instrument": "stock:XNAS:BRK%2FB"}, {"instrument": "stock:XNAS:.."},
        {"instrument": "stock:XNAS:O'B\\\"%s$1;--"}, {"instrument": "stock:XNAS:" + "X" * 400}, {"interval": "1wk"},
        {"adjusted": "all"}, {"chart_style": "renko"}, {"chart_style": "Renko"}, {"instrument": "stock:XNAS:Ω"},
    ]  # fmt: skip
    keys = [SeriesKey(**{**facts, **other}) for other in [{}, *others]]
    for number, key in enumerate(keys):
        write(store, bars_at(days(2), number + 1.0), key=key)
    assert wait_for(store.keys()) == sorted(keys, key=lambda key: key.path)
    for number, key in enumerate(keys):
        assert read(store, key=key)["close"].tolist() == [number + 1.0] * 2
    wait_for(store.delete(keys[3]))
    assert read(store, key=keys[3]) is None
    assert wait_for(store.coverage(keys[3])) == ()
    assert len(wait_for(store.keys())) == len(keys) - 1
    many = wait_for(store.read_many([*keys, keys[0]], Span.of("2024-01-02", "2024-01-03")))
    assert list(many) == [key for key in keys if key != keys[3]]
    assert all(len(frame) == 1 for frame in many.values())
    write(store, bars_at(days(1), 50.0), key=keys[3])
    assert len(read(store, key=keys[3])) == 1


# --- what is refused ---


@pytest.mark.parametrize(
    ("bars", "key", "message"),
    [
        (bars_at(days(3), 1.0)[::-1], DAILY, "ascend|order|sorted|before"),
        (bars_at(days(3), -1.0), DAILY, "-0.75|-1.25|negative|positive"),
        (bars_at(days(3).tz_localize("UTC"), 1.0), DAILY, "dates without a zone"),
        (bars_at(days(3), 1.0), MINUTES, "times without a zone"),
        (bars_at(days(3), 1.0).assign(time=1), DAILY, "column 'time' cannot be stored"),
        (bars_at(days(3), 1.0).assign(parts=[[1], [2], [3]]), DAILY, "column 'parts' holds object"),
        (bars_at(days(3), 1.0).assign(kind=pd.Categorical(["a", "b", "a"])), DAILY, "column 'kind' holds category"),
    ],
)
def test_bars_that_cannot_be_kept_are_refused(
    store: BarStore, bars: pd.DataFrame, key: SeriesKey, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write(store, bars, Span.of("2024-01-01", "2024-02-01"), key)
    assert read(store, key=key) is None


def test_bars_outside_what_is_covered_are_refused(store: BarStore) -> None:
    bars = bars_at(days(3), 1.0)
    covered = Span.of("2024-01-01", "2024-01-03")
    with pytest.raises(InputError, match=r"1 of 3 bars start outside covered=.*2024-01-03"):
        write(store, bars, covered)
    assert read(store) is None
    write(store, within(bars, covered), covered)
    assert len(read(store)) == 2


# --- many at once ---


def test_many_tasks_that_write_one_series_lose_nothing(store: BarStore) -> None:
    index = days(60)

    async def all_at_once() -> None:
        await asyncio.gather(
            *(store.write(DAILY, bars_at(index[i : i + 1], i + 1.0), Span.of(day, day + pd.Timedelta("1D")))
              for i, day in enumerate(index)),
            *(store.read(DAILY) for _ in range(20)),
        )  # fmt: skip

    wait_for(all_at_once())
    assert read(store)["close"].tolist() == [float(i) for i in range(1, 61)]
    assert wait_for(store.coverage(DAILY)) == (Span.of("2024-01-01", "2024-03-01"),)


def test_a_store_may_be_used_from_several_event_loops(store: BarStore) -> None:
    write(store, bars_at(days(3), 1.0))

    async def here() -> Any:
        return await store.read(DAILY)

    for _ in range(2):
        with asyncio.Runner() as runner:
            assert len(runner.run(here())) == 3
            runner.run(store.close())
    assert len(read(store)) == 3
