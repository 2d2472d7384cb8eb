"""Calendars: sessions, when bars are known, what makes a year, and the calendar that the stamps show."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from algotrendy.domain.calendar import (
    ALWAYS_OPEN,
    SESSIONS,
    SUNDAY_OPEN,
    Calendar,
    bars_per_year,
    exchange,
    infer_calendar,
    known_at,
    periods_per_year,
    valuation_marks,
)
from algotrendy.errors import DataError, InputError


def utc(*texts: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(list(texts), tz="UTC")


def dates(*texts: str) -> list[str]:
    return list(texts)


def sessions_of(calendar: Calendar, index: pd.DatetimeIndex) -> list[str]:
    return [str(date) for date in calendar.session_of(index)]


# --- sessions ---


def test_always_open_has_a_session_each_utc_day() -> None:
    index = utc("2024-03-01 00:00", "2024-03-01 23:59", "2024-03-02 00:00", "2024-03-05 12:00")
    assert sessions_of(ALWAYS_OPEN, index) == dates("2024-03-01", "2024-03-01", "2024-03-02", "2024-03-05")


def test_weekend_stamps_belong_to_monday_on_a_weekday_calendar() -> None:
    index = utc("2024-03-01 21:59", "2024-03-03 22:00", "2024-03-04 10:00")
    assert sessions_of(SUNDAY_OPEN, index) == dates("2024-03-01", "2024-03-04", "2024-03-04")


@pytest.mark.parametrize("calendar", [ALWAYS_OPEN, SESSIONS, exchange("XNYS")])
def test_no_stamps_have_no_sessions(calendar: Calendar) -> None:
    assert calendar.session_of(utc()).size == 0
    assert valuation_marks(utc(), "1m", calendar).size == 0


def test_an_exchange_keeps_its_evenings_and_mornings_with_the_local_day() -> None:
    index = utc("2024-01-05 14:30", "2024-01-06 00:59", "2024-01-08 09:00", "2024-01-08 14:30")  # Friday evening: 19:59
    assert sessions_of(exchange("XNYS"), index) == dates("2024-01-05", "2024-01-05", "2024-01-08", "2024-01-08")


def test_an_exchange_that_opens_the_evening_before_counts_from_then() -> None:
    index = utc("2024-01-05 22:59", "2024-01-07 23:00", "2024-01-08 22:59", "2024-01-08 23:00")  # Chicago: 17:00
    assert sessions_of(exchange("CMES"), index) == dates("2024-01-05", "2024-01-08", "2024-01-08", "2024-01-09")


def test_an_exchange_gives_a_holiday_to_the_next_session() -> None:
    index = pd.DatetimeIndex(["2024-03-28", "2024-03-29", "2024-04-01"])  # Good Friday
    assert sessions_of(exchange("XNYS"), index) == dates("2024-03-28", "2024-04-01", "2024-04-01")
    assert sessions_of(exchange("XNYS"), index.tz_localize("UTC")) == sessions_of(exchange("XNYS"), index)


def test_sessions_after_the_eleventh_of_september_resume_on_the_seventeenth() -> None:
    after = exchange("XNYS").next_session(np.array(["2001-09-10", "2001-09-11"], dtype="datetime64[D]"))
    assert [str(date) for date in after] == dates("2001-09-17", "2001-09-17")


def test_an_exchange_calendar_can_be_sent_to_another_process() -> None:
    calendar = exchange("XNYS")
    assert pickle.loads(pickle.dumps(calendar)) == calendar


def test_an_unknown_exchange_is_refused_with_near_names() -> None:
    with pytest.raises(InputError, match=r"no exchange calendar 'XNYX'.*XNYS"):
        exchange("XNYX").session_of(utc("2024-03-01"))


def test_an_exchange_calendar_that_does_not_reach_so_far_says_so() -> None:
    with pytest.raises(DataError, match="XTKS does not reach"):
        exchange("XTKS").session_of(utc("1990-03-01"))


def test_an_exchange_calendar_reaches_to_its_first_day() -> None:
    assert sessions_of(exchange("XTKS"), pd.DatetimeIndex(["1997-01-06"])) == dates("1997-01-06")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("calendar", [ALWAYS_OPEN, SESSIONS, exchange("XNYS")])
def test_the_unit_of_the_index_does_not_matter(calendar: Calendar, unit: str) -> None:
    index = utc("2024-01-05 14:30", "2024-01-08 14:30", "2024-01-09 14:30").as_unit(unit)
    assert sessions_of(calendar, index) == dates("2024-01-05", "2024-01-08", "2024-01-09")
    assert known_at(index, "5m", calendar)[0] == pd.Timestamp("2024-01-05 14:35", tz="UTC")


# --- known_at ---


def test_an_intraday_bar_is_known_at_its_start_plus_its_length() -> None:
    assert known_at(utc("2024-03-01 14:30"), "1h")[0] == pd.Timestamp("2024-03-01 15:30", tz="UTC")


@pytest.mark.parametrize(
    ("date", "interval", "expected"),
    [
        ("2024-03-01", "1d", "2024-03-02 00:00"),
        ("2024-03-04", "1wk", "2024-03-11 00:00"),
        ("2024-03-01", "1mo", "2024-04-01 00:00"),
        ("2024-01-02", "1mo", "2024-02-01 00:00"),  # stamped by its first session
        ("2024-02-15", "1mo", "2024-03-15 00:00"),  # a month of its own
        ("2024-01-01", "3mo", "2024-04-01 00:00"),
    ],
)
def test_without_hours_a_longer_bar_is_known_at_midnight_after_its_last_day(
    date: str, interval: str, expected: str
) -> None:
    assert known_at(pd.DatetimeIndex([date]), interval)[0] == pd.Timestamp(expected, tz="UTC")


def test_an_exchange_knows_the_close_of_each_day_half_days_included() -> None:
    index = pd.DatetimeIndex(["2024-01-05", "2024-07-03", "2024-07-05"])  # winter, a half day, summer
    expected = ["2024-01-05 21:00", "2024-07-03 17:00", "2024-07-05 20:00"]
    assert known_at(index, "1d", exchange("XNYS")).tolist() == [pd.Timestamp(text, tz="UTC") for text in expected]


def test_an_exchange_knows_a_week_at_the_close_of_its_last_session() -> None:
    known = known_at(pd.DatetimeIndex(["2024-03-25"]), "1wk", exchange("XNYS"))  # Thursday before Good Friday
    assert known[0] == pd.Timestamp("2024-03-28 20:00", tz="UTC")


def test_a_daily_bar_stamped_within_the_day_is_known_a_day_later() -> None:
    assert known_at(utc("2024-03-01 05:00"), "1d")[0] == pd.Timestamp("2024-03-02 05:00", tz="UTC")


# --- years and marks ---


@pytest.mark.parametrize(
    ("interval", "calendar", "periods", "bars"),
    [
        ("1d", SESSIONS, 252.0, 252.0),
        ("1d", ALWAYS_OPEN, 365.0, 365.0),
        ("2d", SESSIONS, 126.0, 126.0),
        ("1wk", ALWAYS_OPEN, 52.0, 52.0),
        ("1mo", SESSIONS, 12.0, 12.0),
        ("3mo", SESSIONS, 4.0, 4.0),
        ("1m", SESSIONS, 252.0, 252.0 * 390),
        ("1h", SESSIONS, 252.0, 252.0 * 7),
        ("1m", ALWAYS_OPEN, 365.0, 365.0 * 1440),
        ("1h", SUNDAY_OPEN, 252.0, 252.0 * 24),
        ("30m", exchange("XNYS"), 252.0, 252.0 * 13),
        ("1d", exchange("24/7"), 365.0, 365.0),
    ],
)
def test_a_year_has_so_many_periods_and_bars(interval: str, calendar: Calendar, periods: float, bars: float) -> None:
    assert periods_per_year(interval, calendar) == periods
    assert bars_per_year(interval, calendar) == bars


def test_daily_bars_are_all_valuation_marks() -> None:
    assert valuation_marks(pd.bdate_range("2024-03-01", periods=4), "1d", SESSIONS).tolist() == [0, 1, 2, 3]


def test_intraday_marks_are_the_last_bars_of_the_sessions() -> None:
    index = utc("2024-03-01 20:00", "2024-03-01 20:59", "2024-03-04 14:30", "2024-03-05 14:30", "2024-03-05 14:31")
    assert valuation_marks(index, "1m", SESSIONS).tolist() == [1, 2, 4]


@pytest.mark.parametrize("calendar", [ALWAYS_OPEN, SESSIONS, SUNDAY_OPEN, exchange("XNYS"), exchange("CMES")])
def test_marks_are_where_the_session_changes(calendar: Calendar) -> None:
    minutes = np.sort(np.random.default_rng(3).choice(60_000, 2_000, replace=False))
    index = pd.DatetimeIndex(np.datetime64("2024-01-03") + minutes.astype("timedelta64[m]")).tz_localize("UTC")
    session = calendar.session_of(index)
    expected = [i for i in range(len(index)) if i + 1 == len(index) or session[i + 1] != session[i]]
    assert valuation_marks(index, "1m", calendar).tolist() == expected
    assert (np.diff(session.astype(np.int64)) >= 0).all()


# --- inference ---


def minutes_between(hours: list[tuple[str, str]]) -> pd.DatetimeIndex:
    parts = [pd.date_range(begin, end, freq="15min", tz="UTC", inclusive="left") for begin, end in hours]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.append(part)
    return joined


NEW_YORK_EVENINGS = minutes_between(
    [(f"{day} 09:00", f"{day + pd.Timedelta(days=1)} 01:00") for day in pd.bdate_range("2024-01-01", periods=15)]
)
CURRENCIES = minutes_between(
    [
        (f"{sunday} 22:00", f"{sunday + pd.Timedelta(days=5)} 22:00")
        for sunday in pd.date_range("2024-01-07", periods=4, freq="W")
    ]
)


@pytest.mark.parametrize(
    ("index", "name"),
    [
        (pd.bdate_range("2024-01-01", periods=60), "sessions"),
        (pd.date_range("2024-01-01", periods=60), "24/7"),
        (pd.date_range("2024-01-01", periods=60).delete(range(10, 30)), "24/7"),
        (pd.date_range("2024-01-01", periods=2000, freq="h", tz="UTC"), "24/7"),
        (pd.bdate_range("2024-01-01", periods=60).union(pd.DatetimeIndex(["2024-01-20"])), "sessions"),  # one Saturday
        (NEW_YORK_EVENINGS, "sessions"),
        (CURRENCIES, "24/5"),
        (pd.date_range("2024-01-01", periods=12, freq="W-MON"), "sessions"),
        (pd.date_range("2024-01-01", periods=3), "sessions"),
        (pd.date_range("2024-01-01", periods=1), "sessions"),
        (pd.date_range("2024-01-01", periods=0), "sessions"),
    ],
    ids=[
        "weekdays",
        "all days",
        "all days with a hole",
        "all hours",
        "a Saturday",
        "evenings",
        "currencies",
        "weeks",
        "three",
        "one",
        "none",
    ],
)
def test_the_calendar_is_read_off_the_stamps(index: pd.DatetimeIndex, name: str) -> None:
    assert infer_calendar(index).name == name
