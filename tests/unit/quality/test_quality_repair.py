"""Repairs do what issues propose, to the rows they were found in, write down every change, and do it once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.data.quality import check_quality, repair
from algotrendy.domain.bars import check_bars
from algotrendy.errors import InputError


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    return one.index.equals(other.index) and np.allclose(one.to_numpy(), other.to_numpy(), rtol=1e-12)


def test_everything_wrong_with_the_rows_is_mended_and_the_bars_pass_the_check(daily: pd.DataFrame) -> None:
    broken = pd.concat([daily, daily.iloc[[50]], daily.iloc[[70]] * 1.01]).iloc[::-1]
    broken.iloc[100, 3] = np.nan
    broken.iloc[200, 4] = -1.0
    before = broken.copy()
    done = repair(broken, check_quality(broken))
    check_bars(done.bars)
    pd.testing.assert_frame_equal(broken, before)
    assert set(done.changes["kind"]) == {"duplicate", "missing_price", "bad_volume", "unsorted"}
    assert len(done.bars) == len(daily) - 1
    assert (done.changes.loc[done.changes["column"] == "(bar)", "kind"].value_counts() == [2, 1]).all()


def test_a_change_has_its_time_its_values_and_its_reason(daily: pd.DataFrame) -> None:
    broken = daily.copy()
    broken.iloc[200, :4] *= 100.0
    done = repair(broken, check_quality(broken))
    assert same(done.bars, daily)
    assert done.changes["time"].unique().tolist() == [daily.index[200]]
    assert done.changes["column"].tolist() == ["open", "high", "low", "close"]
    assert np.allclose(done.changes["before"] / done.changes["after"], 100.0)
    assert done.changes["why"].str.contains("100 times the level").all()


def test_a_split_is_undone_with_its_volume(daily: pd.DataFrame) -> None:
    broken = daily.copy()
    broken.iloc[:300, :4] *= 4.0
    broken.iloc[:300, 4] /= 4.0
    done = repair(broken, check_quality(broken))
    assert same(done.bars, daily)
    assert len(done.changes) == 5 * 300


def test_two_splits_multiply(daily: pd.DataFrame) -> None:
    broken = daily.copy()
    for place, ratio in ((400, 2.0), (200, 3.0)):
        broken.iloc[:place, :4] *= ratio
        broken.iloc[:place, 4] /= ratio
    assert same(repair(broken, check_quality(broken)).bars, daily)


def test_volume_that_was_adjusted_already_is_left_alone(daily: pd.DataFrame) -> None:
    broken = daily.copy()
    broken.iloc[:300, :4] *= 4.0
    assert same(repair(broken, check_quality(broken)).bars, daily)


def test_a_second_repair_changes_nothing_with_the_old_report_or_a_new_one(daily: pd.DataFrame) -> None:
    broken = pd.concat([daily, daily.iloc[[20]]]).iloc[::-1]
    broken.iloc[:100, :4] *= 100.0
    broken.iloc[150, 1] *= 1.5
    broken.iloc[160, 3] = broken.iloc[160, 1] * 1.01
    report = check_quality(broken)
    once = repair(broken, report)
    assert len(once.changes)
    for found in (report, check_quality(once.bars)):
        again = repair(once.bars, found)
        assert again.changes.empty, again.summary()
        pd.testing.assert_frame_equal(again.bars, once.bars)


def test_kinds_and_certainty_choose_what_is_done(daily: pd.DataFrame) -> None:
    broken = daily.copy()
    broken.iloc[100, :4] *= 100.0
    broken.iloc[200, 1] *= 1.5
    report = check_quality(broken)
    assert set(repair(broken, report, kinds=["unit"]).changes["kind"]) == {"unit"}
    assert set(repair(broken, report, least_score=1.0).changes["kind"]) == {"unit"}
    assert set(repair(broken, report.of("outlier")).changes["kind"]) == {"outlier"}
    assert set(repair(broken, report.of("outlier")[0]).changes["kind"]) == {"outlier"}
    with pytest.raises(InputError, match="no kind 'units'"):
        repair(broken, report, kinds=["units"])


def test_kinds_one_after_the_other_come_to_the_same_as_all_at_once(daily: pd.DataFrame) -> None:
    broken = pd.concat([daily, daily.iloc[[20]]])
    broken.iloc[100, 1] *= 1.5
    broken.iloc[300, 3] = broken.iloc[300, 1] * 1.01
    report = check_quality(broken)
    steps = broken
    for kind in ("outlier", "duplicate", "contradiction", "unsorted"):
        steps = repair(steps, report, kinds=[kind]).bars
    pd.testing.assert_frame_equal(steps, repair(broken, report).bars)


def test_rows_that_belong_together_and_have_changed_in_part_are_refused(daily: pd.DataFrame) -> None:
    broken = daily.copy()
    broken.iloc[:300, :4] *= 100.0
    report = check_quality(broken)
    broken.iloc[5, 3] *= 1.001
    with pytest.raises(InputError, match=r"1 of 300 rows that belong together have changed"):
        repair(broken, report)


def test_rows_that_are_gone_do_not_hinder_the_others(daily: pd.DataFrame) -> None:
    broken = daily.copy()
    broken.iloc[:300, :4] *= 100.0
    report = check_quality(broken)
    assert same(repair(broken.iloc[100:], report).bars, daily.iloc[100:])


def test_a_bad_high_comes_down_to_the_body_and_a_bad_open_between_its_neighbours(daily: pd.DataFrame) -> None:
    broken = daily.copy()
    broken.iloc[100, 1] *= 1.6
    broken.iloc[200, 0] *= 2.0
    broken.iloc[200, 1] = broken.iloc[200, 0]
    done = repair(broken, check_quality(broken))
    assert done.bars.iloc[100]["high"] == daily.iloc[100][["open", "close"]].max()
    opened = done.bars.iloc[200]["open"]
    neighbours = sorted((daily.iloc[199]["close"], daily.iloc[200]["close"]))
    assert neighbours[0] <= opened <= neighbours[1]
    check_bars(done.bars)


def test_sundays_are_merged_into_mondays() -> None:
    index = pd.date_range("2024-01-01", periods=200)
    index = index[index.day_of_week != 5]
    rng = np.random.default_rng(3)
    close = 1.1 * np.exp(rng.normal(0, 0.004, len(index)).cumsum())
    bars = pd.DataFrame({"open": np.append(1.1, close[:-1]), "close": close, "volume": 10.0}, index=index)
    bars["high"], bars["low"] = bars[["open", "close"]].max(axis=1) * 1.001, bars[["open", "close"]].min(axis=1) * 0.999
    bars["bid_high"] = bars["high"] - 0.0001
    done = repair(bars, check_quality(bars))
    assert (done.bars.index.day_of_week < 5).all()
    sunday, monday = pd.Timestamp("2024-01-07"), pd.Timestamp("2024-01-08")
    merged = done.bars.loc[monday]
    assert merged["open"] == bars.loc[sunday, "open"]
    assert merged["high"] == bars.loc[[sunday, monday], "high"].max()
    assert merged["low"] == bars.loc[[sunday, monday], "low"].min()
    assert merged["close"] == bars.loc[monday, "close"]
    assert merged["volume"] == 20.0
    assert merged["bid_high"] == bars.loc[[sunday, monday], "bid_high"].max()
    assert repair(done.bars, check_quality(done.bars)).changes.empty


def test_shifted_sessions_go_back_to_their_hour(minutes: pd.DataFrame) -> None:
    days = pd.DatetimeIndex(minutes.index).normalize()
    chosen = days.isin(days.unique()[10:12])
    broken = minutes.set_axis(minutes.index.where(~chosen, minutes.index + pd.Timedelta("2h")))
    done = repair(broken, check_quality(broken))
    assert same(done.bars, minutes)
    assert set(done.changes["column"]) == {"(time)"}
    assert len(done.changes) == chosen.sum()


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "UTC"])
def test_midnights_of_a_zone_become_dates(daily: pd.DataFrame, zone: str) -> None:
    local = daily.set_axis(daily.index.tz_localize(zone))
    for broken in (local, local.tz_convert("UTC")):
        done = repair(broken, check_quality(broken))
        assert same(done.bars, daily)
        assert len(done.changes) == 1
        check_bars(done.bars)


def test_intraday_times_of_a_zone_become_utc(minutes: pd.DataFrame) -> None:
    broken = minutes.tz_convert("America/New_York")
    done = repair(broken, check_quality(broken))
    assert same(done.bars, minutes)
    check_bars(done.bars)


def test_names_and_types_of_columns_are_kept(daily: pd.DataFrame) -> None:
    broken = daily.rename(columns=str.capitalize).assign(Volume=lambda frame: frame["Volume"].round().astype("int64"))
    broken["note"] = "kept"
    broken.iloc[100, :4] *= 100.0
    done = repair(broken, check_quality(broken))
    assert list(done.bars.columns) == ["Open", "High", "Low", "Close", "Volume", "note"]
    assert done.bars["Volume"].dtype == np.int64
    assert done.bars.index.name == "time"


def test_a_listed_split_uses_the_listed_ratio(daily: pd.DataFrame) -> None:
    broken = daily.copy()
    broken.iloc[:300, :4] *= 0.47142857
    actions = SimpleNamespace(
        splits=pd.Series([0.47142857], index=[daily.index[300]]),
        dividends=pd.Series(dtype=float, index=pd.DatetimeIndex([])),
    )
    done = repair(broken, check_quality(broken, actions=actions))
    assert np.allclose(done.bars["close"], daily["close"])


def test_what_is_left_to_the_reader_is_not_touched(daily: pd.DataFrame) -> None:
    silent = pd.concat([daily.iloc[:200], daily.iloc[400:] * 5.0])
    report = check_quality(silent)
    assert {"gap", "restart"} <= set(report.kinds)
    done = repair(silent, [*report.of("gap"), *report.of("restart")])
    assert done.summary() == "nothing changed"
    pd.testing.assert_frame_equal(done.bars, silent)


def test_bad_input_is_refused(daily: pd.DataFrame) -> None:
    report = check_quality(daily)
    bad: Any = [1.0]
    with pytest.raises(InputError, match="expected a pandas DataFrame"):
        repair(bad, report)
