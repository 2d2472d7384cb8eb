"""Frames of pandas, Polars and Arrow become the same bars; Parquet keeps them and where they come from."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from algotrendy.data import as_bars, provenance, read_parquet, sample, synthetic, write_parquet
from algotrendy.domain.bars import check_bars
from algotrendy.errors import DataError, InputError

polars = pytest.importorskip("polars")

DAYS = pd.bdate_range("2024-03-04", periods=5)
MINUTES = pd.date_range("2024-03-04 14:30", periods=5, freq="min", tz="UTC")


def table_at(times: Any, name: str = "Date") -> pd.DataFrame:
    close = np.arange(2.0, 7.0)
    columns = {
        name: times,
        "Open": close,
        "High": close + 1,
        "Low": close - 1,
        "Close": close,
        "Volume": [1, 2, 3, 4, 5],
    }
    return pd.DataFrame(columns)


def expected_at(index: pd.DatetimeIndex) -> pd.DataFrame:
    close = np.arange(2.0, 7.0)
    return pd.DataFrame(
        {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": np.arange(1.0, 6.0)},
        index=index.as_unit("ns").rename("time"),
    )


def check_same(bars: pd.DataFrame, index: pd.DatetimeIndex) -> None:
    check_bars(bars)
    pd.testing.assert_frame_equal(bars, expected_at(index), check_freq=False)


@pytest.mark.parametrize("index", [DAYS, MINUTES], ids=["dates", "instants"])
def test_every_library_gives_the_same_bars(index: pd.DatetimeIndex) -> None:
    table = table_at(index)
    for frame in (table, polars.from_pandas(table), pa.Table.from_pandas(table), pa.RecordBatch.from_pandas(table)):
        check_same(as_bars(frame), index)
    check_same(as_bars(table.set_index("Date")), index)


def test_dates_without_a_time_of_day_are_taken_from_every_library() -> None:
    dates = [stamp.date() for stamp in DAYS]
    check_same(as_bars(polars.DataFrame({name: table_at(dates)[name].tolist() for name in table_at(dates)})), DAYS)
    check_same(as_bars(pa.table({name: table_at(dates)[name].tolist() for name in table_at(dates)})), DAYS)
    check_same(as_bars(table_at(dates)), DAYS)
    assert isinstance(dates[0], datetime.date)


def test_a_lazy_frame_is_to_be_collected_first() -> None:
    with pytest.raises(InputError, match="collect it first"):
        as_bars(polars.from_pandas(table_at(DAYS)).lazy())


@pytest.mark.parametrize("thing", [None, 5, [1, 2], {"open": [1.0]}, np.ones((3, 5)), "prices.csv"])
def test_what_is_no_frame_is_refused(thing: object) -> None:
    with pytest.raises(InputError, match="no frame of pandas, Polars or Arrow"):
        as_bars(thing)


def test_any_unit_and_zone_of_a_pandas_index_is_taken() -> None:
    for unit in ("s", "ms", "us", "ns"):
        check_same(as_bars(table_at(MINUTES).set_index("Date").tz_convert("Asia/Tokyo")), MINUTES)
        check_same(as_bars(table_at(DAYS.as_unit(unit))), DAYS)
        check_same(as_bars(table_at(DAYS.tz_localize("America/New_York").as_unit(unit))), DAYS)
        check_same(as_bars(table_at(DAYS.tz_localize("UTC").as_unit(unit)).set_index("Date")), DAYS)


def test_periods_texts_mixed_offsets_and_index_levels_are_taken() -> None:
    check_same(as_bars(table_at(DAYS).drop(columns="Date").set_axis(DAYS.to_period("D"))), DAYS)
    check_same(as_bars(table_at(DAYS.strftime("%Y-%m-%d")).set_index("Date")), DAYS)
    check_same(as_bars(table_at(DAYS).assign(symbol="A").set_index(["symbol", "Date"])), DAYS)
    offsets = ["-05:00", "-05:00", "+01:00", "+00:00", "-05:00"]
    mixed = [
        pd.Timestamp(str(stamp.tz_convert(f"UTC{offset}"))) for stamp, offset in zip(MINUTES, offsets, strict=True)
    ]
    check_same(as_bars(table_at(pd.Series(mixed, dtype=object))), MINUTES)
    check_same(as_bars(table_at(DAYS).drop(columns="Date").set_axis(pd.Index(mixed, dtype=object))), MINUTES)


def test_naive_times_of_day_are_asked_about() -> None:
    table = table_at(MINUTES.tz_localize(None))
    with pytest.raises(InputError, match='tz="UTC"'):
        as_bars(table)
    check_same(as_bars(table, tz="UTC"), MINUTES)


def test_columns_by_field_and_symbol_give_one_instrument() -> None:
    one, other = table_at(DAYS).set_index("Date"), table_at(DAYS).set_index("Date") * 2
    both = pd.concat({"A": one, "B": other}, axis=1)
    for frame in (both, both.swaplevel(axis=1)):
        with pytest.raises(InputError, match=r"hold 2 instruments \(A, B\); say which: symbol='A'"):
            as_bars(frame)
        check_same(as_bars(frame, symbol="A"), DAYS)
        with pytest.raises(InputError, match="symbol='X' is not in the columns"):
            as_bars(frame, symbol="X")
    bars = as_bars(pd.concat({"A": one}, axis=1))
    check_same(bars, DAYS)
    assert provenance(bars)["symbol"] == "A"


def test_text_numbers_are_read_and_what_is_none_is_refused() -> None:
    table = table_at(DAYS)
    check_same(
        as_bars(table.assign(Open=[f"{value:.2f}".replace(".", ",") for value in table["Open"]], High=table["High"])),
        DAYS,
    )
    with pytest.raises(InputError, match=r"column 'Open' holds 'x' in row 0"):
        as_bars(table.assign(Open=["x", *table["Open"].astype(str)[1:]]))
    with pytest.raises(InputError, match="holds bool"):
        as_bars(table.assign(Open=True))


def test_bars_that_are_not_sound_are_refused_unless_asked_for() -> None:
    table = table_at(DAYS)
    table.loc[2, "High"] = 1.0
    with pytest.raises(InputError, match="high is below low"):
        as_bars(table)
    assert as_bars(table, check=False)["high"].iloc[2] == 1.0
    with pytest.raises(InputError, match="there are no rows"):
        as_bars(table.iloc[:0])


def test_bars_pass_through_unchanged_with_their_provenance() -> None:
    bars = sample("NASDAQ")
    again = as_bars(bars)
    pd.testing.assert_frame_equal(again, bars, check_exact=True)
    assert provenance(again)["kind"] == provenance(bars)["kind"]
    assert provenance(again)["notes"] == provenance(bars)["notes"]


def test_the_frame_that_was_given_is_left_alone() -> None:
    table = table_at(DAYS).iloc[::-1]
    before = table.copy()
    as_bars(table, volume="Volume")
    pd.testing.assert_frame_equal(table, before)
    assert table.attrs == {}


# --- Parquet ---


@pytest.mark.parametrize(
    "bars",
    [sample("SP500"), synthetic(300, seed=1, interval="1m"), synthetic(40, seed=2).drop(columns="is_synthetic")],
    ids=["daily", "intraday", "synthetic"],
)
def test_parquet_gives_bars_and_provenance_back(tmp_path: Path, bars: pd.DataFrame) -> None:
    path = tmp_path / "bars.parquet"
    write_parquet(bars, path)
    again = read_parquet(path)
    pd.testing.assert_frame_equal(again, bars, check_exact=True, check_freq=False)
    for key in ("name", "source", "kind"):
        assert provenance(again)[key] == provenance(bars)[key]


def test_parquet_of_other_libraries_is_read(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    polars.from_pandas(table_at(MINUTES, "timestamp")).write_parquet(path)
    bars = read_parquet(path)
    check_same(bars, MINUTES)
    assert (provenance(bars)["name"], provenance(bars)["source"]) == ("prices", "file prices.parquet")
    pyarrow.parquet.write_table(pa.Table.from_pandas(table_at(DAYS)), path)
    check_same(read_parquet(path), DAYS)


def test_parquet_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    with pytest.raises(DataError, match="there is no file"):
        read_parquet(path)
    path.write_text("not parquet")
    with pytest.raises(DataError, match="cannot be read as a Parquet file"):
        read_parquet(path)
    table_at(DAYS).drop(columns="Close").to_parquet(path)
    with pytest.raises(InputError, match=r"^bars\.parquet: there is no column 'close'"):
        read_parquet(path)
    with pytest.raises(InputError, match="newest first"):
        write_parquet(sample("NASDAQ").iloc[::-1], path)
