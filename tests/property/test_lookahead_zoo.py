"""Known leaks are found and named, clean functions raise no alarm: see docs/explanation/look-ahead.md."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algotrendy.backtest.lookahead import check_lookahead
from algotrendy.backtest.lookahead.worlds import CHANGES, World, Worlds
from algotrendy.domain.bars import check_bars
from tests.zoo import lookahead_clean, lookahead_leaks

DAILY = lookahead_leaks.daily(600)
INTRADAY = lookahead_leaks.intraday(600)
lookahead_leaks.register_indicators()
LEAKS = lookahead_leaks.leaks(DAILY)
CLEAN = lookahead_clean.clean(DAILY)
DOUBTFUL = lookahead_leaks.doubtful(DAILY)


def _checked(case: Any, **more: Any) -> Any:
    options = dict(case.options)
    bars = (INTRADAY if options.pop("intraday", False) else DAILY).copy()
    bars.attrs = options.pop("attrs", {})
    return check_lookahead(case.subject, bars, **options, **more)


def test_the_zoo_is_large() -> None:
    assert len(LEAKS) >= 60
    assert len(CLEAN) >= 50


@pytest.mark.parametrize("name", LEAKS)
def test_a_known_leak_is_found_and_its_input_named(name: str) -> None:
    report = _checked(LEAKS[name])
    assert report.verdict == "leak"
    assert not report.is_clean
    named = {each for leak in report.leaks for each in leak.inputs}
    assert any(each.startswith(wanted) for each in named for wanted in LEAKS[name].through), named
    assert report.cost["runs"] <= 230


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_function_raises_no_alarm(name: str) -> None:
    report = _checked(CLEAN[name], cuts=30)
    assert report.is_clean, report.summary()
    assert report.leaks == ()
    assert "proved" not in report.verdict


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_does_not_compute_from_its_bars_is_not_called_clean(name: str) -> None:
    assert not check_lookahead(DOUBTFUL[name], DAILY.copy(), cuts=30).is_clean


# --- leaks and clean functions that nobody chose ----------------------------------------------------------------------


@given(
    seed=st.integers(0, 10_000),
    column=st.sampled_from(["open", "high", "low", "close", "volume", "other"]),
    ahead=st.integers(1, 12),
    memory=st.integers(1, 30),
    rate=st.sampled_from([0.03, 0.2, 1.0]),
)
@settings(max_examples=8)
def test_a_leak_of_any_column_reach_and_rate_is_found(
    seed: int, column: str, ahead: int, memory: int, rate: float
) -> None:
    leaking = np.random.default_rng(seed).random(5_000) < rate

    def feature(bars: pd.DataFrame) -> pd.Series:
        own = bars[column].rolling(memory).mean()
        return own.where(~leaking[: len(bars)], bars[column].shift(-ahead))

    report = check_lookahead(feature, DAILY, seed=seed)
    assert report.verdict == "leak"
    assert report.leaks[0].inputs == (column,)
    assert report.leaks[0].horizon == ahead


@given(seed=st.integers(0, 10_000), memory=st.integers(1, 60), lag=st.integers(0, 30))
@settings(max_examples=5)
def test_any_feature_of_the_past_is_clean(seed: int, memory: int, lag: int) -> None:
    def feature(bars: pd.DataFrame) -> pd.DataFrame:
        base = bars["close"].rolling(memory).mean().shift(lag)
        chance = np.random.default_rng(seed).normal(size=len(bars))
        return pd.DataFrame({"mean": base, "above": bars["close"] > base, "noisy": base + chance})

    assert check_lookahead(feature, DAILY, seed=seed, cuts=40).is_clean


# --- the worlds -------------------------------------------------------------------------------------------------------


@given(
    change=st.sampled_from(sorted(CHANGES)),
    cut=st.integers(2, 299),
    seed=st.integers(0, 50),
    at_open=st.booleans(),
    intraday=st.booleans(),
)
def test_other_bars_are_sound_and_begin_as_the_true_ones(
    change: str, cut: int, seed: int, at_open: bool, intraday: bool
) -> None:
    bars = (INTRADAY if intraday else DAILY).iloc[:300]
    worlds = Worlds(bars, seed, at_open=at_open)
    teeth = tuple(range(cut, 300, 40))
    made = worlds.frame(World(change, cut, seed, teeth=teeth if change == "teeth" else ()))
    check_bars(made)
    if change == "dates":
        assert (made.index != bars.index).all()
        assert (made.index.day_of_week == bars.index.day_of_week).all()
        return
    kept = cut - at_open
    pd.testing.assert_frame_equal(made.iloc[:kept], bars.iloc[:kept], check_freq=False)
    if at_open and change not in ("later", "shorter", "longer", "gap", "no attrs"):
        assert made["open"].iloc[cut - 1] == bars["open"].iloc[cut - 1]


@given(change=st.sampled_from(["up", "down", "shuffled", "wild", "flat", "reversed"]), cut=st.integers(1, 290))
def test_every_later_bar_is_another(change: str, cut: int) -> None:
    bars = DAILY.iloc[:300]
    made = Worlds(bars, 1).frame(World(change, cut))
    assert (made["close"].iloc[cut:] != bars["close"].iloc[cut:]).mean() > 0.95
    assert (made["volume"].iloc[cut:] != bars["volume"].iloc[cut:]).mean() > 0.9 or cut > 280
