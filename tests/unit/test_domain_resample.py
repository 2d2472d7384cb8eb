"""Longer bars: known small cases, periods on calendars, what is complete when, and what does not fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algotrendy.domain.bars import check_bars
from algotrendy.domain.calendar import ALWAYS_OPEN, SESSIONS, Calendar, exchange
from algotrendy.domain.resample import resample_bars
from algotrendy.errors import InputError


def bars_at(index: pd.DatetimeIndex) -> pd.DataFrame:
    close = 100.0 + np.arange(len(index)) % 7
    table = {"open": close - 0.5, "high": close + 1.0, "low": close - 1.0, "close": close, "volume": 10.0}
    return pd.DataFrame(table, index=index)


def days(*texts: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(list(texts))


def test_hours_are_made_of_minutes() -> None:
    bars = bars_at(pd.date_range("2024-03-04 14:30", periods=100, freq="min", tz="UTC"))
    hourly, last, known = resample_bars(bars, "1h")
    assert hourly.index.tolist() == [pd.Timestamp(f"2024-03-04 {hour}:00", tz="UTC") for hour in (14, 15, 16)]
    assert last.tolist() == [29, 89, 99]
    assert hourly["open"].tolist() == bars["open"].iloc[[0, 30, 90]].tolist()
    assert hourly["close"].tolist() == bars["close"].iloc[[29, 89, 99]].tolist()
    assert hourly["high"].tolist() == [bars["high"].iloc[a:b].max() for a, b in ((0, 30), (30, 90), (90, 100))]
    assert hourly["low"].tolist() == [bars["low"].iloc[a:b].min() for a, b in ((0, 30), (30, 90), (90, 100))]
    assert hourly["volume"].tolist() == [300.0, 600.0, 100.0]
    assert known.tolist() == [-1] * 29 + [0] * 60 + [1] * 11
    check_bars(hourly)


def test_a_period_whose_last_minute_is_absent_is_known_at_the_next_bar() -> None:
    index = pd.DatetimeIndex(["2024-03-04 14:57", "2024-03-04 14:58", "2024-03-04 15:01", "2024-03-04 15:02"], tz="UTC")
    assert resample_bars(bars_at(index), "1h", interval="1m").known.tolist() == [-1, -1, 0, 0]


def test_hours_that_do_not_divide_the_day_begin_anew_at_midnight() -> None:
    bars = bars_at(pd.date_range("2024-03-04", periods=30, freq="h", tz="UTC"))
    assert resample_bars(bars, "7h").bars.index.hour.tolist() == [0, 7, 14, 21, 0]


def test_days_are_made_of_hours_and_carry_dates() -> None:
    bars = bars_at(pd.date_range("2024-03-04 22:00", periods=30, freq="h", tz="UTC"))
    daily, last, known = resample_bars(bars, "1d")
    assert daily.index.equals(days("2024-03-04", "2024-03-05", "2024-03-06"))
    assert daily.index.name == "time"
    assert last.tolist() == [1, 25, 29]
    assert known.tolist() == [-1, *[0] * 24, *[1] * 5]


def test_an_exchange_day_includes_its_evening() -> None:
    index = pd.DatetimeIndex(["2024-01-05 14:30", "2024-01-06 00:30", "2024-01-08 14:30"], tz="UTC")
    daily, last, known = resample_bars(bars_at(index), "1d", interval="1m", calendar=exchange("XNYS"))
    assert daily.index.equals(days("2024-01-05", "2024-01-08"))
    assert last.tolist() == [1, 2]
    assert known.tolist() == [-1, -1, 0]


WEEK = pd.bdate_range("2024-03-04", periods=11)  # two weeks and a Monday


def test_without_a_calendar_a_week_is_known_at_the_first_bar_of_the_next() -> None:
    weekly, last, known = resample_bars(bars_at(WEEK), "1wk")
    assert weekly.index.equals(days("2024-03-04", "2024-03-11", "2024-03-18"))
    assert last.tolist() == [4, 9, 10]
    assert known.tolist() == [-1] * 5 + [0] * 5 + [1]


def test_on_weekdays_a_week_is_known_at_its_friday() -> None:
    assert resample_bars(bars_at(WEEK), "1wk", calendar=SESSIONS).known.tolist() == [-1] * 4 + [0] * 5 + [1] * 2


def test_on_an_exchange_a_week_is_known_at_its_last_session() -> None:
    index = days("2024-03-25", "2024-03-26", "2024-03-27", "2024-03-28", "2024-04-01")  # Good Friday is closed
    assert resample_bars(bars_at(index), "1wk", calendar=exchange("XNYS")).known.tolist() == [-1, -1, -1, 0, 0]
    assert resample_bars(bars_at(index), "1wk", calendar=SESSIONS).known.tolist() == [-1, -1, -1, -1, 0]


def test_a_market_that_never_closes_knows_its_week_at_the_end_of_sunday() -> None:
    bars = bars_at(pd.date_range("2024-03-04", periods=8))
    for calendar in (None, ALWAYS_OPEN):
        assert resample_bars(bars, "1wk", calendar=calendar).known.tolist() == [-1] * 6 + [0, 0]


def test_a_bar_on_a_holiday_never_reopens_a_week_that_was_complete() -> None:
    index = days("2024-03-27", "2024-03-28", "2024-03-29", "2024-04-01")  # a bar on Good Friday
    found = resample_bars(bars_at(index), "1wk", calendar=exchange("XNYS"))
    assert found.last.tolist() == [1, 3]
    assert found.known.tolist() == [-1, 0, 0, 0]


def test_a_bar_on_a_closed_thursday_leaves_its_week_open_until_friday() -> None:
    index = days("2024-11-27", "2024-11-28", "2024-11-29", "2024-12-02")  # a bar on Thanksgiving
    assert resample_bars(bars_at(index), "1wk", calendar=exchange("XNYS")).known.tolist() == [-1, -1, 0, 0]


def test_months_begin_on_the_first() -> None:
    monthly, last, known = resample_bars(bars_at(pd.bdate_range("2024-02-26", "2024-04-02")), "1mo", calendar=SESSIONS)
    assert monthly.index.equals(days("2024-02-01", "2024-03-01", "2024-04-01"))
    assert last.tolist() == [3, 24, 26]
    assert known.tolist() == [-1] * 3 + [0] * 21 + [1] * 3


@pytest.mark.parametrize(
    ("rule", "first"),
    [("3mo", "2024-01-01"), ("2wk", "2024-03-04"), ("5d", "2024-03-03"), ("2d", "2024-03-04"), ("12mo", "2024-01-01")],
)
def test_several_periods_at_once_are_counted_from_1970(rule: str, first: str) -> None:
    assert str(resample_bars(bars_at(pd.bdate_range("2024-03-05", periods=9)), rule).bars.index[0].date()) == first


def test_quarters_are_made_of_months() -> None:
    bars = bars_at(pd.date_range("2024-01-01", periods=7, freq="MS"))
    assert resample_bars(bars, "3mo").known.tolist() == [-1, -1, 0, 0, 0, 1, 1]


def test_daily_bars_in_utc_become_dated_weeks() -> None:
    weekly = resample_bars(bars_at(WEEK.tz_localize("UTC")), "1wk", calendar=exchange("XNYS"))
    assert weekly.bars.index.equals(days("2024-03-04", "2024-03-11", "2024-03-18"))
    assert weekly.known.tolist() == [-1] * 4 + [0] * 5 + [1] * 2


def test_the_same_length_gives_the_same_bars_known_at_once() -> None:
    bars = bars_at(WEEK)
    daily, last, known = resample_bars(bars, "1d")
    assert daily.to_numpy().tolist() == bars.to_numpy().tolist()
    assert last.tolist() == known.tolist() == list(range(11))


def test_one_bar_makes_one_unfinished_bar() -> None:
    found = resample_bars(bars_at(WEEK[:1]), "1wk", interval="1d")
    assert found.known.tolist() == [-1]
    assert len(found.bars) == 1


def test_bars_without_volume_get_zeros() -> None:
    assert resample_bars(bars_at(WEEK).drop(columns="volume"), "1wk").bars["volume"].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("interval", "rule"),
    [
        ("1d", "1h"),
        ("1h", "90m"),
        ("1wk", "1mo"),
        ("1mo", "1wk"),
        ("2d", "1wk"),
        ("1wk", "10d"),
        ("1mo", "1d"),
        ("5m", "1m"),
    ],
)
def test_a_rule_that_does_not_hold_whole_bars_is_refused(interval: str, rule: str) -> None:
    with pytest.raises(InputError, match="whole ones must fit"):
        resample_bars(bars_at(WEEK), rule, interval=interval)


def test_overlapping_bars_are_refused_with_the_place() -> None:
    index = pd.date_range("2024-03-04 14:00", periods=4, freq="h", tz="UTC").insert(
        2, pd.Timestamp("2024-03-04 15:30", tz="UTC")
    )
    with pytest.raises(InputError, match=r"overlap in 2 places, first at 2024-03-04 15:30:00\+00:00 \(row 2\)"):
        resample_bars(bars_at(index), "1d", interval="1h")


def test_bars_that_are_not_sound_are_refused() -> None:
    bars = bars_at(WEEK)
    bars.iloc[3, 3] = np.nan
    with pytest.raises(InputError, match="close is NaN"):
        resample_bars(bars, "1wk")


@pytest.mark.parametrize("calendar", [None, SESSIONS, exchange("XNYS")])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_of_the_index_does_not_matter(unit: str, calendar: Calendar | None) -> None:
    bars = bars_at(WEEK)
    expected = resample_bars(bars, "1wk", calendar=calendar)
    found = resample_bars(bars.set_axis(WEEK.as_unit(unit)), "1wk", calendar=calendar)
    assert found.bars.to_numpy().tolist() == expected.bars.to_numpy().tolist()
    assert found.known.tolist() == expected.known.tolist()
    minutes = bars_at(pd.date_range("2024-03-04", periods=50, freq="min", tz="UTC").as_unit(unit))
    assert resample_bars(minutes, "15m").last.tolist() == [14, 29, 44, 49]
