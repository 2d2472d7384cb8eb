"""How new bars are, measured from the bars and a clock."""

from __future__ import annotations

import pandas as pd
import pytest

from algotrendy.data.freshness import measure_freshness
from algotrendy.errors import InputError

MINUTES = pd.DataFrame(
    {"close": [1.0, 2.0]}, index=pd.DatetimeIndex(["2024-03-01 14:30", "2024-03-01 14:31"], tz="UTC", name="time")
)
DAYS = pd.DataFrame({"close": [1.0]}, index=pd.DatetimeIndex(["2024-03-01"], name="time"))


def test_age_counts_from_the_end_of_the_last_bar() -> None:
    found = measure_freshness(
        MINUTES, interval="1m", source="yahoo", fetched_at="2024-03-01 14:33", now="2024-03-01 14:34:30"
    )
    assert found.newest == pd.Timestamp("2024-03-01 14:31", tz="UTC")
    assert found.age == pd.Timedelta("150s")
    assert found.fetched_at == pd.Timestamp("2024-03-01 14:33", tz="UTC")
    assert not found.stale


def test_a_bar_that_has_not_ended_is_as_new_as_its_fetching() -> None:
    found = measure_freshness(
        MINUTES, interval="1m", source="yahoo", fetched_at="2024-03-01 14:31:20", now="2024-03-01 14:31:50"
    )
    assert found.age == pd.Timedelta("30s")


def test_age_is_never_negative_when_clocks_differ() -> None:
    found = measure_freshness(MINUTES, interval="1m", source="x", fetched_at="2024-03-01 15:00", now="2024-03-01 14:30")
    assert found.age == pd.Timedelta(0)


@pytest.mark.parametrize(("limit", "stale"), [("36h", False), ("35h59min", True), (None, False)])
def test_daily_bars_are_known_at_the_end_of_their_day(limit: str | None, stale: bool) -> None:
    found = measure_freshness(
        DAYS, interval="1d", source="x", fetched_at=1_709_460_000.0, now="2024-03-03 12:00",
        limit=None if limit is None else pd.Timedelta(limit),
    )  # fmt: skip
    assert found.newest == pd.Timestamp("2024-03-01", tz="UTC")
    assert found.age == pd.Timedelta("36h")
    assert found.fetched_at == pd.Timestamp("2024-03-03 10:00", tz="UTC")
    assert found.stale is stale


def test_the_close_of_an_exchange_counts_where_it_is_known() -> None:
    from algotrendy.domain.calendar import exchange

    found = measure_freshness(
        DAYS, interval="1d", source="x", fetched_at="2024-03-03", now="2024-03-01 22:00", calendar=exchange("XNYS")
    )
    assert found.age == pd.Timedelta("1h")


def test_bars_that_are_not_there_are_stale_where_there_is_a_limit() -> None:
    facts = {"interval": "1d", "source": "x", "fetched_at": "2024-03-03", "now": "2024-03-03"}
    assert measure_freshness(DAYS.iloc[:0], **facts).age is None
    assert not measure_freshness(DAYS.iloc[:0], **facts).stale
    assert measure_freshness(DAYS.iloc[:0], **facts, limit=pd.Timedelta("1D")).stale


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(InputError, match="now='soon' is not a time"):
        measure_freshness(DAYS, interval="1d", source="x", fetched_at="2024-03-03", now="soon")
