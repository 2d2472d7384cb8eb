"""Laws of longer bars: nothing is lost, nothing is seen early, and bars added later change nothing that was known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.domain.bars import frame_of
from algotrendy.domain.calendar import ALWAYS_OPEN, SESSIONS, SUNDAY_OPEN, Calendar, exchange, known_at
from algotrendy.domain.resample import Resampled, resample_bars
from algotrendy.kernels.bars import BarArrays

CALENDARS = st.sampled_from([None, ALWAYS_OPEN, SESSIONS, SUNDAY_OPEN, exchange("XNYS"), exchange("CMES")])


def bars_at(index: pd.DatetimeIndex, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = np.round(100.0 + rng.normal(0, 5, len(index)), 2)
    open = np.round(100.0 + rng.normal(0, 5, len(index)), 2)
    spread = rng.integers(0, 3, len(index)) / 10
    volume = rng.integers(0, 100, len(index)).astype(float)
    return frame_of(
        index, BarArrays(open, np.maximum(open, close) + spread, np.minimum(open, close) - spread, close, volume)
    )


@st.composite
def daily_bars(draw: st.DrawFn) -> pd.DataFrame:
    days = draw(st.lists(st.integers(0, 120), min_size=2, max_size=60, unique=True))
    index = pd.DatetimeIndex(np.datetime64("2023-12-20") + np.sort(days))
    if draw(st.booleans()):
        index = index.tz_localize("UTC")
    return bars_at(index, draw(st.integers(0, 99)))


@st.composite
def intraday_bars(draw: st.DrawFn) -> pd.DataFrame:
    quarters = draw(st.lists(st.integers(0, 96 * 12), min_size=2, max_size=80, unique=True))
    stamps = np.datetime64("2024-03-25") + (np.sort(quarters) * 15).astype("timedelta64[m]")
    return bars_at(pd.DatetimeIndex(stamps).tz_localize("UTC"), draw(st.integers(0, 99)))


def check_laws(bars: pd.DataFrame, run: Callable[[pd.DataFrame], Resampled], cut: int) -> None:
    whole, part = run(bars), run(bars.iloc[:cut])
    check_nothing_is_lost(bars, whole)
    check_nothing_is_seen_early(whole)
    # Bars added later change no `known`, and no long bar that it ever points at.
    assert part.known.tolist() == whole.known[:cut].tolist()
    complete = int(part.known.max()) + 1
    pd.testing.assert_frame_equal(part.bars.iloc[:complete], whole.bars.iloc[:complete], check_exact=True)
    assert part.last[:complete].tolist() == whole.last[:complete].tolist()
    assert part.bars.index.equals(whole.bars.index[: len(part.bars)])


def check_nothing_is_lost(bars: pd.DataFrame, found: Resampled) -> None:
    begin = 0
    for row, last in zip(found.bars.itertuples(), found.last, strict=True):
        mine = bars.iloc[begin : last + 1]
        assert (row.open, row.close) == (mine["open"].iloc[0], mine["close"].iloc[-1])
        assert (row.high, row.low, row.volume) == (mine["high"].max(), mine["low"].min(), mine["volume"].sum())
        begin = last + 1
    assert begin == len(bars)
    assert found.bars.index.is_monotonic_increasing
    assert found.bars.index.is_unique


def check_nothing_is_seen_early(found: Resampled) -> None:
    known = found.known
    assert (np.diff(known) >= 0).all()
    for i, row in enumerate(known):
        assert row == -1 or found.last[row] <= i
        # Known as soon as it may be: once a bar of the next period is there, the one before must be known.
        assert row + 1 >= np.searchsorted(found.last, i)


@given(
    bars=daily_bars(),
    rule=st.sampled_from(["1d", "2d", "1wk", "2wk", "1mo", "3mo"]),
    calendar=CALENDARS,
    data=st.data(),
)
def test_daily_bars_keep_the_laws(
    bars: pd.DataFrame, rule: str, calendar: Calendar | None, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(bars)))
    check_laws(bars, lambda some: resample_bars(some, rule, interval="1d", calendar=calendar), cut)


@given(
    bars=intraday_bars(),
    rule=st.sampled_from(["15m", "1h", "4h", "5h", "1d", "1wk", "1mo"]),
    calendar=CALENDARS,
    data=st.data(),
)
def test_intraday_bars_keep_the_laws(
    bars: pd.DataFrame, rule: str, calendar: Calendar | None, data: st.DataObject
) -> None:
    if "5h" in rule and calendar is not None:
        calendar = None
    cut = data.draw(st.integers(1, len(bars)))
    check_laws(bars, lambda some: resample_bars(some, rule, interval="15m", calendar=calendar), cut)


@given(bars=intraday_bars(), rule=st.sampled_from(["1h", "4h", "1d"]))
def test_a_long_bar_is_never_known_before_its_period_is_over(bars: pd.DataFrame, rule: str) -> None:
    found = resample_bars(bars, rule, interval="15m")
    ends = known_at(pd.DatetimeIndex(found.bars.index), rule)
    moments = known_at(pd.DatetimeIndex(bars.index), "15m")
    for row, moment in zip(found.known, moments, strict=True):
        assert row == -1 or ends[row] <= moment


@pytest.mark.parametrize("rule", ["1wk", "1mo"])
def test_long_bars_equal_those_of_pandas(rule: str) -> None:
    bars = bars_at(pd.bdate_range("2020-01-01", periods=500), 3)
    frequency = {"1wk": "W-SUN", "1mo": "MS"}[rule]
    label = "left" if rule == "1mo" else "right"
    expected = bars.resample(frequency, label=label, closed="right" if rule == "1wk" else "left").agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    assert resample_bars(bars, rule).bars.to_numpy().tolist() == expected.to_numpy().tolist()
