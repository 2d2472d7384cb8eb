"""Stale opens are read off the columns, where they matter and only there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algotrendy.domain.provenance import provenance, with_provenance
from algotrendy.domain.stale import stale_opens


def bars_at(index: pd.DatetimeIndex, stale: np.ndarray | bool) -> pd.DataFrame:
    close = 100.0 + np.random.default_rng(1).normal(0, 1, len(index)).cumsum() * 0.1
    open = np.where(stale, np.append(close[0], close[:-1]), close + 0.01)
    high, low = np.maximum(open, close) + 0.1, np.minimum(open, close) - 0.1
    return pd.DataFrame({"open": open, "high": high, "low": low, "close": close}, index=index)


TWO_YEARS = pd.bdate_range("2022-01-03", "2023-12-29")


def test_copied_opens_of_one_year_are_found_and_counted() -> None:
    found = stale_opens(bars_at(TWO_YEARS, TWO_YEARS.year == 2022))
    assert found
    assert found.years == (2022,)
    assert (found.count, found.of) == (259, 260)  # the very first bar has none before it
    assert found.share == pytest.approx(259 / 260)
    assert (found.first, found.last) == (pd.Timestamp("2022-01-04"), pd.Timestamp("2022-12-30"))
    assert str(found) == "the open equals the previous close in 259 of 260 bars of 2022"


def test_real_opens_are_not_stale() -> None:
    found = stale_opens(bars_at(TWO_YEARS, False))
    assert not found
    assert (found.count, found.share, found.years, found.first) == (0, 0.0, (), None)
    assert str(found) == "no stale opens"


def test_a_year_in_which_fewer_than_half_are_copies_is_not_stale() -> None:
    assert not stale_opens(bars_at(TWO_YEARS, np.arange(len(TWO_YEARS)) % 2 == 0))


def test_a_market_that_never_closes_opens_at_its_close_honestly() -> None:
    assert not stale_opens(bars_at(pd.date_range("2022-01-01", periods=400), True))


def test_intraday_bars_open_at_the_close_before_honestly() -> None:
    assert not stale_opens(bars_at(pd.date_range("2024-03-04 14:30", periods=300, freq="min", tz="UTC"), True))


def test_weeks_with_copied_opens_are_found() -> None:
    assert stale_opens(bars_at(pd.date_range("2022-01-03", periods=100, freq="W-MON"), True)).years == (2022, 2023)


def test_years_apart_are_told_apart() -> None:
    index = pd.bdate_range("2018-01-01", "2022-12-30")
    found = stale_opens(bars_at(index, np.isin(index.year, [2018, 2019, 2022])))
    assert str(found).endswith("bars of 2018-2019, 2022")


@pytest.mark.parametrize("n", [1, 19])
def test_a_few_bars_are_not_judged(n: int) -> None:
    assert not stale_opens(bars_at(pd.bdate_range("2024-03-04", periods=n), True))


def test_provenance_is_a_copy_and_replaces_what_was_known() -> None:
    bars = bars_at(TWO_YEARS, False)
    told = with_provenance(with_provenance(bars, {"name": "a", "old": 1}), {"name": "b"})
    provenance(told)["name"] = "changed"
    assert provenance(told) == {"name": "b"}
    assert provenance(bars) == {}


def test_attributes_that_are_not_ours_are_kept_and_not_taken_for_provenance() -> None:
    bars = bars_at(TWO_YEARS, False)
    bars.attrs["mine"] = 1
    bars.attrs["algotrendy"] = "text"
    assert provenance(bars) == {}
    assert with_provenance(bars, {"name": "b"}).attrs == {"mine": 1, "algotrendy": {"name": "b"}}
