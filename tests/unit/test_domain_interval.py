"""Intervals: the grammar, one spelling for one length, and what the stamps of bars show."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algotrendy.domain.interval import Interval, infer_interval
from algotrendy.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds", "intraday"),
    [
        ("1s", 1, True),
        ("5m", 300, True),
        ("1h", 3600, True),
        ("1d", 86_400, False),
        ("1wk", 604_800, False),
        ("2d", 172_800, False),
    ],
)
def test_the_grammar_is_read_and_written_back(text: str, seconds: int, intraday: bool) -> None:
    interval = Interval.parse(text)
    assert (str(interval), interval.seconds, interval.is_intraday) == (text, seconds, intraday)


def test_months_have_no_length_in_seconds() -> None:
    assert Interval.parse("3mo").seconds is None
    assert not Interval.parse("1mo").is_intraday


@pytest.mark.parametrize(
    ("text", "same"),
    [("60s", "1m"), ("60m", "1h"), ("3600s", "1h"), ("24h", "1d"), ("48h", "2d"), ("90m", "90m"), ("7d", "7d")],
)
def test_one_length_has_one_spelling(text: str, same: str) -> None:
    assert str(Interval.parse(text)) == same
    assert Interval.parse(text) == Interval.parse(same)


@pytest.mark.parametrize("text", ["", "m", "5", "0m", "-1d", "1 week", "1M", "1min", "1y", "1.5h", "5mm", None, 5])
def test_what_is_no_interval_is_refused_with_the_grammar(text: object) -> None:
    with pytest.raises(InputError, match="1s 5m 1h 1d 1wk 1mo"):
        Interval.parse(text)  # type: ignore[arg-type]  # the mistake under test


def test_an_interval_is_taken_as_it_is() -> None:
    interval = Interval(5, "m")
    assert Interval.parse(interval) is interval


def drop(index: pd.DatetimeIndex, share: float) -> pd.DatetimeIndex:
    kept = np.random.default_rng(5).random(len(index)) > share
    kept[0] = True
    return index[kept]


CASES = {
    "seconds": (pd.date_range("2024-03-01 14:30", periods=50, freq="s", tz="UTC"), "1s"),
    "minutes": (pd.date_range("2024-03-01 14:30", periods=50, freq="5min", tz="UTC"), "5m"),
    "seconds with most absent": (drop(pd.date_range("2024-03-01", periods=3000, freq="s", tz="UTC"), 0.6), "1s"),
    "minutes with some absent": (drop(pd.date_range("2024-03-01", periods=3000, freq="min", tz="UTC"), 0.3), "1m"),
    "weekdays": (pd.bdate_range("2024-03-01", periods=30), "1d"),
    "weekdays with holidays": (drop(pd.bdate_range("2024-03-01", periods=300), 0.1), "1d"),
    "friday and monday": (pd.DatetimeIndex(["2024-03-01", "2024-03-04"]), "1d"),
    "all days": (pd.date_range("2024-03-01", periods=30, tz="UTC"), "1d"),
    "all days with holes": (drop(pd.date_range("2014-12-01", periods=300), 0.2), "1d"),
    "weeks": (pd.date_range("2024-03-01", periods=30, freq="W-MON"), "1wk"),
    "months": (pd.date_range("2024-03-01", periods=30, freq="MS"), "1mo"),
    "first sessions of months": (pd.date_range("2024-01-01", periods=30, freq="BMS"), "1mo"),
    "quarters": (pd.date_range("2024-01-01", periods=12, freq="QS"), "3mo"),
    "years": (pd.date_range("2004-01-01", periods=12, freq="YS"), "12mo"),
    "new york midnights in utc": (
        pd.date_range("2024-01-01", periods=300, tz="America/New_York").tz_convert("UTC"),
        "1d",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_interval_is_read_off_the_stamps(case: str) -> None:
    index, expected = CASES[case]
    assert str(infer_interval(index)) == expected


def test_seven_hourly_bars_a_day_are_hourly() -> None:
    days = pd.bdate_range("2024-03-04", periods=20)
    stamps = [day + pd.Timedelta(hours=14 + hour) for day in days for hour in range(7)]
    assert str(infer_interval(pd.DatetimeIndex(stamps, tz="UTC"))) == "1h"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_of_the_index_does_not_matter(unit: str) -> None:
    assert str(infer_interval(pd.date_range("2024-03-01", periods=9, freq="15min", tz="UTC").as_unit(unit))) == "15m"


def test_bars_added_later_do_not_change_the_interval() -> None:
    index = pd.date_range("2024-03-01", periods=1001, freq="min", tz="UTC")
    later = pd.date_range("2024-04-01", periods=9000, freq="h", tz="UTC")
    assert infer_interval(index) == infer_interval(index.append(later)) == Interval(1, "m")


@pytest.mark.parametrize("n", [0, 1])
def test_one_bar_shows_no_interval(n: int) -> None:
    with pytest.raises(InputError, match="interval="):
        infer_interval(pd.bdate_range("2024-03-01", periods=n))


def test_irregular_stamps_are_asked_about() -> None:
    gaps = np.random.default_rng(1).uniform(0.01, 500.0, 400)
    index = pd.DatetimeIndex(pd.Timestamp("2024-03-01", tz="UTC") + pd.to_timedelta(np.cumsum(gaps), unit="s"))
    with pytest.raises(InputError, match='interval="1m"'):
        infer_interval(index)
