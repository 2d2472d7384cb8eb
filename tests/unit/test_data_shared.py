"""Real files of several vendors are read as their owners describe them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from algotrendy.data import provenance, read_csv, read_parquet
from algotrendy.domain.calendar import infer_calendar
from algotrendy.domain.interval import infer_interval
from algotrendy.domain.resample import resample_bars
from algotrendy.errors import InputError

pytestmark = pytest.mark.shared


@pytest.mark.parametrize(
    ("name", "rows", "first", "last", "interval", "calendar"),
    [
        ("aapl_minute_split_week.csv.gz", 2303, "2014-06-05 08:15+00:00", "2014-06-09", "1m", "sessions"),
        ("btc_perp_minute.csv.gz", 45031, "2021-12-31 23:01+00:00", "2022-02-01", "1m", "24/7"),
        ("btcusd_daily_coinbase.csv.gz", 1318, "2014-12-01", "2018-08-13", "1d", "24/7"),
        ("btcusd_minute_coinbase.csv.gz", 12423, "2016-10-07 00:00+00:00", "2018-04", "1m", "sessions"),
        ("spy_hour_raw.csv.gz", 21496, "2009-01-02 14:00+00:00", "2021", "1h", "sessions"),
        ("spy_minute_trade.csv.gz", 5786, "2013-10-04 08:06+00:00", "2023-08-03", "1m", "sessions"),
        ("spy_second_trade.parquet", 116820, "2013-10-07 08:00+00:00", "2014-06-05", "1s", "sessions"),
    ],
)
def test_bars_of_real_files_are_sound_and_understood(
    shared: Path, name: str, rows: int, first: str, last: str, interval: str, calendar: str
) -> None:
    path = shared / "data" / name
    bars = read_parquet(path) if path.suffix == ".parquet" else read_csv(path)
    assert len(bars) == rows
    assert bars.index[0] == pd.Timestamp(first)
    assert str(bars.index[-1]).startswith(last)
    assert str(infer_interval(pd.DatetimeIndex(bars.index))) == interval
    assert infer_calendar(pd.DatetimeIndex(bars.index)).name == calendar
    assert provenance(bars)["source"] == f"file {name}"


@pytest.mark.parametrize("side", ["bid", "ask"])
@pytest.mark.parametrize(
    ("name", "rows", "interval"),
    [
        ("eurusd_daily_quote_oanda", 3738, "1d"),
        ("eurusd_minute_quote_oanda", 18184, "1m"),
        ("gbpusd_minute_quote_fxcm", 30117, "1m"),
    ],
)
def test_quotes_are_asked_about_and_read_as_told(shared: Path, name: str, rows: int, interval: str, side: str) -> None:
    path = shared / "data" / f"{name}.csv.gz"
    with pytest.raises(InputError, match="open='bid_open', high='bid_high', low='bid_low', close='bid_close'"):
        read_csv(path)
    prices = {column: f"{side}_{column}" for column in ("open", "high", "low", "close")}
    bars = read_csv(path, **prices)
    assert len(bars) == rows
    assert str(infer_interval(pd.DatetimeIndex(bars.index))) == interval
    assert infer_calendar(pd.DatetimeIndex(bars.index)).name in ("24/5", "sessions")


@pytest.mark.parametrize(("symbol", "rows"), [("AAPL", 5849), ("SPY", 5849), ("WMI", None)])
def test_one_symbol_of_a_long_file_is_read(shared: Path, symbol: str, rows: int | None) -> None:
    path = shared / "data" / "us_equity_daily_raw.csv.gz"
    with pytest.raises(InputError, match="names 11 instruments"):
        read_csv(path)
    bars = read_csv(path, symbol=symbol)
    raw = pd.read_csv(path, keep_default_na=False)
    mine = raw[raw["symbol"] == symbol]
    assert len(bars) == len(mine) == (rows or len(mine))
    assert bars["close"].tolist() == mine["close"].astype(float).tolist()


def test_two_contracts_in_one_file_are_refused(shared: Path) -> None:
    with pytest.raises(InputError, match="not sorted"):
        read_csv(shared / "data" / "es_futures_minute.csv.gz")


def test_ticks_are_no_bars(shared: Path) -> None:
    with pytest.raises(InputError, match="there are no columns"):
        read_parquet(shared / "data" / "bac_trades.parquet")


def test_downloads_of_yahoo_are_read_with_their_local_dates(shared: Path) -> None:
    folder = shared / "data" / "quality"
    bars = read_csv(folder / "4063-T-1d-bad-stock-split.csv")
    assert str(bars.index[-1]) == "2023-04-14 00:00:00"  # midnight in Tokyo, the day before in UTC
    notes = provenance(bars)["notes"]
    assert "The rows came newest first and were turned round." in notes
    assert "close is 'Close'; the adjusted 'Adj Close' is left aside." in notes
    hourly = read_csv(folder / "ASAI-L-1h-bad-unit.csv")
    assert str(hourly.index[0]) == "2024-10-21 09:00:00+00:00"
    assert str(infer_interval(pd.DatetimeIndex(hourly.index))) == "1h"
    weekly = read_csv(folder / "AV-L-1wk-bad-stock-split.csv")
    assert str(infer_interval(pd.DatetimeIndex(weekly.index))) == "1wk"


def test_an_open_outside_its_range_is_found_in_a_real_download(shared: Path) -> None:
    with pytest.raises(InputError, match=r"open lies outside \[low, high\] in 4 of 29 bars, first at 2023-05-02"):
        read_csv(shared / "data" / "quality" / "SSW-JO-1d-100x-error.csv")


def test_minutes_of_a_real_day_make_its_hours(shared: Path) -> None:
    bars = read_csv(shared / "data" / "btc_perp_minute.csv.gz")
    hourly = resample_bars(bars, "1h")
    expected = bars.resample("1h").agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
    assert hourly.bars.index.equals(expected.index)
    for column in ("open", "high", "low", "close"):
        assert hourly.bars[column].tolist() == expected[column].tolist()
    assert hourly.bars["volume"].to_numpy() == pytest.approx(expected["volume"].to_numpy(), rel=1e-12)
