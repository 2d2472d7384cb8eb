"""Each kind of fault is found where it was put, with evidence, and clean bars give no alarm."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.data import sample, synthetic
from algotrendy.data.quality import check_quality, checks, known_kinds
from algotrendy.errors import InputError


def only(report: Any, kind: str) -> Any:
    assert set(report.kinds) == {kind}, report.summary()
    (issue,) = report.issues
    return issue


@pytest.mark.parametrize("model", ["random_walk", "garch", "jumps"])
@pytest.mark.parametrize(("interval", "calendar"), [("1d", "sessions"), ("1h", "24/7"), ("5m", "sessions")])
def test_clean_bars_give_no_issue(model: Any, interval: str, calendar: Any) -> None:
    bars = synthetic(4_000, seed=5, model=model, interval=interval, calendar=calendar)
    report = check_quality(bars)
    assert report.issues == (), report.summary()
    assert report.score == 100.0
    assert not report
    assert set(report.checked) == set(checks())


def test_the_frame_is_not_changed(daily: pd.DataFrame) -> None:
    broken = pd.concat([daily.iloc[::-1], daily.iloc[:3]])
    broken.iloc[5, 0] = np.nan
    before = broken.copy()
    check_quality(broken)
    pd.testing.assert_frame_equal(broken, before)


def test_rows_newest_first_are_one_issue(daily: pd.DataFrame) -> None:
    issue = only(check_quality(daily.iloc[::-1]), "unsorted")
    assert "newest first" in issue.evidence
    assert issue.certainty == "definite"


def test_of_two_rows_with_one_stamp_that_with_more_volume_stays(daily: pd.DataFrame) -> None:
    early = daily.iloc[[100]].copy()
    early["close"] = early["open"]
    early["volume"] = 1.0
    broken = pd.concat([daily.iloc[:100], daily.iloc[[100]], early, daily.iloc[101:]])
    issue = only(check_quality(broken), "duplicate")
    assert issue.rows.tolist() == [101]
    assert issue.severity == "error"
    assert "close" in issue.evidence


def test_a_missing_stamp_is_told(daily: pd.DataFrame) -> None:
    index = daily.index.to_series()
    index.iloc[50] = pd.NaT
    broken = daily.set_axis(pd.DatetimeIndex(index))
    kinds = check_quality(broken).kinds
    assert kinds["missing_time"] == 1


@pytest.mark.parametrize(
    ("value", "kind"),
    [(np.nan, "missing_price"), (np.inf, "infinite_price"), (0.0, "not_positive"), (-3.0, "not_positive")],
)
def test_prices_that_are_none(daily: pd.DataFrame, value: float, kind: str) -> None:
    daily.iloc[77, 2] = value
    issue = only(check_quality(daily), kind)
    assert issue.first == daily.index[77]
    assert issue.columns == ("low",)


def test_a_contradiction_says_by_how_much(daily: pd.DataFrame) -> None:
    daily.iloc[40, 0] = daily.iloc[40, 1] * 1.004
    issue = only(check_quality(daily), "contradiction")
    assert issue.severity == "warning"
    assert issue.measures["largest"] == pytest.approx(0.004, rel=0.05)


def test_swapped_high_and_low_are_known_as_such(daily: pd.DataFrame) -> None:
    daily.iloc[40, [1, 2]] = daily.iloc[40, [2, 1]].to_numpy()
    assert only(check_quality(daily), "contradiction").proposal == "swap high and low"


def test_a_holiday_is_no_gap_where_the_calendar_is_known() -> None:
    bars = sample("NASDAQ").loc["2012":"2014"]  # type: ignore[misc]
    assert check_quality(bars, calendar="XNYS").of("gap") == ()
    missing = bars.drop(bars.index[100])
    (issue,) = check_quality(missing, calendar="XNYS").of("gap")
    assert issue.certainty == "definite"
    assert issue.missing.tolist() == [bars.index[100]]


def test_the_exchange_is_found_by_its_holidays() -> None:
    bars = sample("SP500").loc["2012":"2014"]  # type: ignore[misc]
    report = check_quality(bars.drop(bars.index[100]))
    assert report.calendar == "XNYS"
    (issue,) = report.of("gap")
    assert issue.certainty == "suspected"


def test_early_closes_of_the_exchange_are_no_gap_and_a_cut_session_is() -> None:
    sessions = pd.DatetimeIndex(["2019-07-02", "2019-07-03", "2019-07-05", "2019-07-08", "2019-07-09", "2019-07-10"])
    stamps = [
        pd.date_range(
            f"{day.date()} 13:30", f"{day.date()} {'16:55' if day.day == 3 else '19:55'}", freq="5min", tz="UTC"
        )
        for day in sessions
    ]
    index = stamps[0].append(stamps[1:])
    close = pd.Series(100.0 * np.exp(np.random.default_rng(1).normal(0, 0.001, len(index)).cumsum()), index=index)
    bars = pd.DataFrame({"open": close, "high": close * 1.001, "low": close * 0.999, "close": close, "volume": 5.0})
    assert check_quality(bars, calendar="XNYS").of("gap") == ()
    cut = bars[(index < "2019-07-08 18:00+00:00") | (index >= "2019-07-09")]
    (issue,) = check_quality(cut, calendar="XNYS").of("gap")
    assert (str(issue.first), str(issue.last)) == ("2019-07-08 18:00:00+00:00", "2019-07-08 19:55:00+00:00")


def test_minutes_without_trades_are_the_habit_of_thin_trading_and_a_long_hole_is_not() -> None:
    bars = synthetic(12_000, seed=3, interval="1m", calendar="24/7")
    thin = bars[np.random.default_rng(4).random(len(bars)) < 0.6]
    assert check_quality(thin).of("gap") == ()
    holed = thin[(thin.index < thin.index[3_000]) | (thin.index > thin.index[3_000] + pd.Timedelta("3h"))]
    (issue,) = check_quality(holed).of("gap")
    assert issue.first > thin.index[2_990]
    assert 150 < issue.count < 185


def test_a_break_at_the_same_time_of_every_day_is_the_markets(minutes: pd.DataFrame) -> None:
    clock = minutes.index.hour * 60 + minutes.index.minute
    lunch = minutes[(clock < 17 * 60) | (clock >= 18 * 60)]
    assert check_quality(lunch).issues == ()


def test_a_bad_tick_is_measured_in_the_volatility_around_it() -> None:
    bars = synthetic(3_000, seed=8, model="garch", alpha=0.2, beta=0.79).drop(columns="is_synthetic")
    moves = np.log(bars["close"]).diff().abs().rolling(40, center=True).mean()
    wild, calm = int(moves.argmax()), int(moves.iloc[100:-100].argmin()) + 100
    for place, expected in ((calm, 1), (wild, 0)):
        broken = bars.copy()
        row = broken.iloc[place, :4].to_numpy(copy=True)
        row[3] *= 1.0 + 25.0 * float(moves.iloc[calm])
        row[1] = max(row)
        broken.iloc[place, :4] = row
        assert len(check_quality(broken).of("outlier")) == expected


def crash_or_split(bars: pd.DataFrame, *, shares: float, wide: float) -> pd.DataFrame:
    """Halve prices from bar 300 on, with so many times the shares traded and so many times the range on that day."""
    made = bars.copy()
    made.iloc[300:, :4] /= 2.0
    made.iloc[300, 4] *= shares
    middle = np.sqrt(made.iloc[300, 1] * made.iloc[300, 2])
    made.iloc[300, 1] = max(middle * (made.iloc[300, 1] / middle) ** wide, made.iloc[300, [0, 3]].max())
    made.iloc[300, 2] = min(middle * (made.iloc[300, 2] / middle) ** wide, made.iloc[300, [0, 3]].min())
    return made


def test_a_split_is_told_from_a_crash_by_turnover_and_range(daily: pd.DataFrame) -> None:
    split = check_quality(crash_or_split(daily, shares=2.0, wide=1.0))
    issue = only(split, "split")
    assert issue.certainty == "suspected"
    assert issue.score > 0.95
    assert issue.first == daily.index[300]
    assert issue.measures["ratio"] == 2.0
    crash = check_quality(crash_or_split(daily, shares=40.0, wide=5.0))
    assert crash.issues == ()
    assert crash.jumps["verdict"].tolist() == ["market"]


def test_a_split_is_definite_only_with_corporate_actions(daily: pd.DataFrame) -> None:
    made = crash_or_split(daily, shares=2.0, wide=1.0)
    listed = SimpleNamespace(
        splits=pd.Series([2.0], index=[daily.index[300]]), dividends=pd.Series(dtype=float, index=pd.DatetimeIndex([]))
    )
    assert only(check_quality(made, actions=listed), "split").certainty == "definite"
    assert check_quality(made, actions=listed, adjusted="raw").issues == ()
    issue = only(check_quality(daily, actions=listed, adjusted="raw"), "split")
    assert "not raw" in issue.evidence
    none = SimpleNamespace(splits=listed.dividends, dividends=listed.dividends)
    with_none, without = (
        check_quality(made, **options).jumps["chance_split"].iloc[0] for options in ({"actions": none}, {})
    )
    assert with_none < without


@pytest.mark.parametrize("factor", [100.0, 0.01, 1_000.0])
def test_a_block_in_another_unit_is_enclosed_by_two_steps(daily: pd.DataFrame, factor: float) -> None:
    daily.iloc[200:230, :4] *= factor
    issue = only(check_quality(daily), "unit")
    assert (issue.first, issue.last, issue.count) == (daily.index[200], daily.index[229], 30)
    assert issue.certainty == "definite"


def test_after_one_change_of_unit_the_newer_level_holds_unless_it_is_only_the_live_end(daily: pd.DataFrame) -> None:
    older = daily.copy()
    older.iloc[:500, :4] *= 100.0
    assert only(check_quality(older), "unit").count == 500
    live = daily.copy()
    live.iloc[-2:, :4] *= 100.0
    assert only(check_quality(live), "unit").count == 2


def test_a_silence_of_half_a_year_before_other_prices_is_a_restart(daily: pd.DataFrame) -> None:
    daily.iloc[400:, :4] *= 6.0
    report = check_quality(pd.concat([daily.iloc[:200], daily.iloc[400:]]))
    (issue,) = report.of("restart")
    assert issue.first == daily.index[400]
    assert issue.score == 0.95
    (gap,) = report.of("gap")
    assert gap.count == 198, "of 200 weekdays two are Christmas and New Year"


def test_a_dividend_that_the_adjusted_close_does_not_show(daily: pd.DataFrame) -> None:
    close = daily["close"].to_numpy()
    adjusted = close.copy()
    paid = 0.01 * close[299]
    daily["dividends"] = 0.0
    daily.iloc[300, -1] = paid
    daily["adj_close"] = adjusted
    issue = only(check_quality(daily), "dividend_adjustment")
    assert issue.first == daily.index[300]
    adjusted[:300] *= 1.0 - paid / close[299]
    daily["adj_close"] = adjusted
    assert check_quality(daily).issues == ()


def test_a_dividend_in_cents_beside_prices_in_dollars(daily: pd.DataFrame) -> None:
    close = daily["close"].to_numpy()
    adjusted = close.copy()
    adjusted[:300] *= 0.995
    daily["Dividends"] = 0.0
    daily.iloc[300, -1] = 0.5 * close[299]
    daily["Adj Close"] = adjusted
    issue = only(check_quality(daily), "dividend")
    assert "a hundredth of it fits" in issue.evidence


def test_crossed_quotes_are_counted_by_field(daily: pd.DataFrame) -> None:
    quotes = pd.DataFrame({"bid": daily["close"] - 0.01, "ask": daily["close"] + 0.01})
    quotes.iloc[10:13, 0] += 0.05
    issue = only(check_quality(daily, quotes=quotes), "crossed_quotes")
    assert issue.count == 3
    assert issue.measures["largest"] == pytest.approx(0.03)
    assert check_quality(daily).checked["quotes"].startswith("not checked: no quotes")


def test_frozen_prices_against_the_habit_of_the_series(daily: pd.DataFrame) -> None:
    frozen = daily.copy()
    frozen.iloc[100:112, :4] = daily["close"].iloc[99]
    issue = only(check_quality(frozen), "frozen")
    assert (issue.first, issue.count) == (daily.index[100], 12)
    thin = daily.copy()
    still = np.random.default_rng(2).random(len(daily)) < 0.7
    close = thin["close"].where(~still).ffill().bfill()
    thin[["open", "high", "low", "close"]] = np.column_stack([close] * 4)
    assert check_quality(thin).of("frozen") == ()


def test_copies_of_a_bar_are_told_and_chance_repeats_are_not(daily: pd.DataFrame) -> None:
    daily.iloc[50] = daily.iloc[49]
    assert only(check_quality(daily), "repeated").first == daily.index[50]
    rng = np.random.default_rng(6)
    index = pd.date_range("2024-03-04", periods=20_000, freq="min", tz="UTC")
    low = 100.0 + 0.25 * (rng.random(len(index)) < 0.02).cumsum()
    bars = pd.DataFrame({"open": low, "high": low + 0.25, "low": low, "close": low + 0.25}, index=index)
    bars["volume"] = rng.integers(1, 60, len(index)).astype(float)
    assert check_quality(bars).of("repeated") == ()


def test_volume_that_cannot_be_and_volume_that_is_none(daily: pd.DataFrame) -> None:
    daily.iloc[30, 4] = -5.0
    daily.iloc[31, 4] = np.nan
    daily.iloc[60:62, 4] = 0.0
    report = check_quality(daily)
    assert report.of("bad_volume")[0].count == 2
    assert report.of("zero_volume")[0].measures["longest_run"] == 2.0
    assert check_quality(daily.assign(volume=0.0)).checked["volume"] == "not checked: no volume: every bar has none"


def test_a_session_that_slipped_by_hours_is_told_and_daylight_saving_is_not() -> None:
    days = pd.bdate_range("2024-02-20", "2024-04-19").drop("2024-03-29")  # Good Friday
    parts = [pd.date_range(f"{day.date()} 09:30", periods=26, freq="15min") for day in days]
    local = parts[0].append(parts[1:])
    index = local.tz_localize("America/New_York").tz_convert("UTC")
    close = pd.Series(100.0 * np.exp(np.random.default_rng(1).normal(0, 0.001, len(index)).cumsum()), index=index)
    bars = pd.DataFrame({"open": close, "high": close * 1.001, "low": close * 0.999, "close": close})
    assert check_quality(bars).issues == ()
    slipped = bars.set_axis(index.where(~local.normalize().isin(days[20:23]), index + pd.Timedelta("1h")))
    issue = only(check_quality(slipped), "time_shift")
    assert issue.measures["hours"] == 1.0
    assert issue.first == slipped.index[20 * 26]
    winter = bars.set_axis((local + pd.Timedelta("5h")).tz_localize("UTC"))  # as if there were no summer time
    (issue,) = check_quality(winter, calendar="XNYS").of("time_shift")
    assert issue.measures["hours"] == 1.0
    assert (issue.first, issue.last) == (winter.index[14 * 26], winter.index[-1])
    whole = bars.set_axis(local.tz_localize("UTC"))  # local times under the label of UTC
    (issue,) = check_quality(whole, calendar="XNYS").of("time_shift")
    assert -issue.measures["hours"] in (4.0, 5.0)


def test_dates_of_another_zone_lie_a_day_early(daily: pd.DataFrame) -> None:
    issue = check_quality(daily.set_axis(daily.index - pd.Timedelta("1D"))).of("time_shift")[0]
    assert "Sunday" in issue.evidence
    assert issue.remedy is None, "some markets trade from Sunday to Thursday"
    late = check_quality(daily.set_axis(daily.index + pd.Timedelta("1D"))).of("time_shift")[0]
    assert late.remedy is not None, "none trades from Tuesday to Saturday"


def test_zone_aware_daily_bars_are_understood(daily: pd.DataFrame) -> None:
    for zone in ("America/New_York", "Asia/Tokyo"):
        local = daily.set_axis(daily.index.tz_localize(zone))
        for bars in (local, local.tz_convert("UTC")):
            issue = only(check_quality(bars), "time_zone")
            assert issue.remedy is not None
            assert issue.remedy.action == "to_dates"


def test_intraday_stamps_without_a_zone_are_asked_about(minutes: pd.DataFrame) -> None:
    issue = only(check_quality(minutes.tz_localize(None)), "time_zone")
    assert issue.proposal.startswith("by hand")


def test_texts_and_mixed_offsets_are_read_as_times(daily: pd.DataFrame) -> None:
    texts = daily.set_axis(pd.Index([str(stamp.date()) for stamp in daily.index], dtype=object))
    assert check_quality(texts).issues == ()
    offsets = [f"{stamp.date()} 00:00:00{'+02:00' if 4 <= stamp.month <= 9 else '+01:00'}" for stamp in daily.index]
    assert check_quality(daily.set_axis(pd.Index(offsets))).interval == "1d"


def test_a_saturday_in_a_series_of_weekdays(daily: pd.DataFrame) -> None:
    friday = int(np.flatnonzero(daily.index.day_of_week == 4)[20])
    extra = daily.iloc[[friday]].set_axis(daily.index[[friday]] + pd.Timedelta("1D"))
    (issue,) = check_quality(pd.concat([daily, extra]).sort_index()).of("weekend")
    assert issue.first == extra.index[0]


def test_monthly_rows_before_daily_ones(daily: pd.DataFrame) -> None:
    kept = np.r_[np.arange(0, 200, 21), np.arange(200, 600)]
    report = check_quality(daily.iloc[kept])
    (issue,) = report.of("mixed_interval")
    assert issue.first == daily.index[0]
    assert report.interval == "1d"


def test_stamps_off_the_grid(minutes: pd.DataFrame) -> None:
    index = minutes.index.to_series()
    index.iloc[500] += pd.Timedelta("97s")
    assert only(check_quality(minutes.set_axis(pd.DatetimeIndex(index))), "off_grid").rows.tolist() == [500]


def test_the_last_bar_is_unfinished_by_mark_by_the_clock_or_by_its_looks(daily: pd.DataFrame) -> None:
    marked = daily.assign(is_partial=[False] * 599 + [True])
    assert only(check_quality(marked), "unfinished").certainty == "definite"
    noon = daily.index[-1] + pd.Timedelta("12h")
    assert only(check_quality(daily, now=noon), "unfinished").certainty == "definite"
    assert check_quality(daily, now=noon + pd.Timedelta("12h")).issues == ()
    daily.iloc[-1, 4] *= 0.01
    assert only(check_quality(daily), "unfinished").certainty == "suspected"


def test_only_quotes_are_checked_by_their_middle(daily: pd.DataFrame) -> None:
    quotes = pd.DataFrame(
        {
            f"{side}_{name}": daily[name] + away
            for side, away in (("bid", -0.01), ("ask", 0.01))
            for name in daily.columns[:4]
        }
    )
    quotes.iloc[100, :] *= 100.0
    assert only(check_quality(quotes), "unit").first == daily.index[100]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10])
def test_a_few_bars_are_looked_at_without_complaint(daily: pd.DataFrame, n: int) -> None:
    report = check_quality(daily.iloc[:n])
    assert report.issues == ()
    assert report.n_bars == n


@pytest.mark.parametrize(
    ("bars", "options", "message"),
    [
        ([1, 2], {}, "expected a pandas DataFrame"),
        (pd.DataFrame({"close": [1.0]}, index=pd.DatetimeIndex(["2024-01-02"])), {}, "no column 'open'"),
        (pd.DataFrame({"open": [1.0], "high": 1.0, "low": 1.0, "close": 1.0}), {}, "expected times"),
        (None, {"adjusted": "maybe"}, "choose raw, splits or all"),
        (None, {"interval": "5x"}, "is not an interval"),
        (None, {"calendar": "XXXX"}, "no exchange calendar"),
        (None, {"actions": SimpleNamespace(splits=pd.Series([0.0], index=["2024-01-02"]))}, "expected positive"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_remedy(
    daily: pd.DataFrame, bars: Any, options: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_quality(daily if bars is None else bars, **options)


def test_every_kind_is_listed_with_a_line_on_what_it_is() -> None:
    assert all(text and text[0].islower() for text in known_kinds().values())
    assert {"gap", "duplicate", "split", "unit", "outlier", "restart", "time_shift"} <= set(known_kinds())
