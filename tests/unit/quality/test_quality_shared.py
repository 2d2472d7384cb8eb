"""The oddities that the owners of real files describe are found where they say; repairs agree with accepted ones."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.data import read_csv
from algotrendy.data.quality import QualityReport, check_quality, repair

pytestmark = pytest.mark.shared

SYMBOLS = ("AAPL", "BAC", "EEM", "FB", "GOOG", "GOOGL", "IBM", "QQQ", "SPY", "WM", "WMI")


@pytest.fixture(scope="module")
def stocks(shared: Path) -> dict[str, pd.DataFrame]:
    table = pd.read_csv(shared / "data" / "us_equity_daily_raw.csv.gz", keep_default_na=False, parse_dates=["date"])
    columns = ["open", "high", "low", "close", "volume"]
    return {name: part.set_index("date")[columns].astype(float) for name, part in table.groupby("symbol")}


@pytest.fixture(scope="module")
def reports(stocks: dict[str, pd.DataFrame]) -> dict[str, QualityReport]:
    return {name: check_quality(stocks[name], calendar="XNYS") for name in SYMBOLS}


def dates(report: QualityReport, kind: str) -> list[str]:
    return [str(issue.first.date()) for issue in report.of(kind)]


def test_splits_of_raw_stocks_are_suspected_and_nothing_else_is(reports: dict[str, QualityReport]) -> None:
    found = {name: dates(report, "split") for name, report in reports.items() if report.of("split")}
    assert found == {
        "AAPL": ["2000-06-21", "2005-02-28", "2014-06-09", "2020-08-31"],
        "BAC": ["2004-08-30"],
        "EEM": ["2005-06-09", "2008-07-24"],
        "GOOG": ["2014-04-03"],
        "IBM": ["1999-05-27"],
        "QQQ": ["2000-03-20"],
        "WM": ["2001-05-16"],  # 3 for 2, of Washington Mutual
    }
    assert all(issue.certainty == "suspected" for report in reports.values() for issue in report.of("split"))


def test_the_crash_of_half_the_price_is_no_split_and_the_table_says_why(reports: dict[str, QualityReport]) -> None:
    row = reports["AAPL"].jumps.loc["2000-09-29"]
    assert row["ratio"] == pytest.approx(1.902, abs=0.001)
    assert row["verdict"] == "market"
    assert row["chance_split"] < 0.1
    assert row["turnover"] > 10
    assert "2000-09-29" not in [*dates(reports["AAPL"], "split"), *dates(reports["AAPL"], "outlier")]


def test_splits_are_definite_with_the_actions_of_the_factor_file(stocks: dict[str, pd.DataFrame], shared: Path) -> None:
    factors = pd.read_csv(shared / "data" / "us_equity_factors.csv.gz", keep_default_na=False, parse_dates=["date"])
    mine = factors[factors["symbol"] == "AAPL"].sort_values("date").reset_index(drop=True)
    steps = mine["split_factor"].astype(float).to_numpy()
    where = np.flatnonzero(steps[1:] / steps[:-1] > 1.01)
    index = stocks["AAPL"].index
    # A factor holds up to its date; the ex-day is the session after it.
    ex_days = [index[index.searchsorted(mine["date"][place], side="right")] for place in where]
    splits = pd.Series(np.rint(steps[where + 1] / steps[where]), index=pd.DatetimeIndex(ex_days))
    actions = SimpleNamespace(splits=splits, dividends=pd.Series(dtype=float, index=pd.DatetimeIndex([])))
    inside = splits[splits.index > index[0]]
    report = check_quality(stocks["AAPL"], calendar="XNYS", actions=actions)
    assert [(issue.first, issue.measures["ratio"]) for issue in report.of("split")] == list(inside.items())
    assert {issue.certainty for issue in report.of("split")} == {"definite"}
    assert check_quality(stocks["AAPL"], calendar="XNYS", actions=actions, adjusted="raw").of("split") == ()
    done = repair(stocks["AAPL"], report, kinds=["split"]).bars
    assert np.abs(np.log(done["close"]).diff()).max() < 0.75, "what is left is the crash of 2000-09-29"


@pytest.mark.parametrize(
    ("symbol", "date", "score"),
    [("FB", "2012-05-18", 0.95), ("WM", "2009-08-05", 0.95), ("EEM", "2003-04-11", 0.95), ("QQQ", "2011-03-23", 0.6)],
)
def test_reused_and_restarted_tickers(reports: dict[str, QualityReport], symbol: str, date: str, score: float) -> None:
    found = [issue for issue in reports[symbol].of("restart") if str(issue.first.date()) == date]
    assert [issue.score for issue in found] == [score]
    gaps = [issue for issue in reports[symbol].of("gap") if str(issue.last.date()) < date]
    assert max(issue.count for issue in gaps) > 60


def test_the_hole_of_qqq_is_measured(reports: dict[str, QualityReport]) -> None:
    (gap,) = reports["QQQ"].of("gap")
    assert (str(gap.first.date()), str(gap.last.date())) == ("2004-12-01", "2011-03-22")
    assert gap.certainty == "definite"


def test_bad_ticks_of_real_stocks_are_found_and_little_else(reports: dict[str, QualityReport]) -> None:
    assert "2002-12-23" in dates(reports["IBM"], "outlier")  # opens at twice the price
    assert "2000-12-18" in dates(reports["SPY"], "outlier")
    assert {"2007-12-18", "2008-09-30"} <= set(dates(reports["GOOG"], "outlier"))  # lows of 67.5 and 0.01
    counts = sum(len(report.of("outlier")) for report in reports.values())
    assert counts <= 40, "of 49,675 bars"


def test_the_first_bar_of_an_hourly_session_is_stamped_early(shared: Path) -> None:
    report = check_quality(read_csv(shared / "data" / "spy_hour_raw.csv.gz"))
    assert report.calendar == "XNYS"
    assert set(report.kinds) == {"early_stamp"}, "daylight saving and early closes are no fault"
    assert report.of("early_stamp")[0].measures["minutes"] == 30.0


def test_holes_of_a_market_that_never_closes(shared: Path) -> None:
    report = check_quality(read_csv(shared / "data" / "btcusd_daily_coinbase.csv.gz"))
    gaps = report.of("gap")
    assert [issue.count for issue in gaps] == [1, 1, 1, 1, 5, 20, 4, 1]
    assert {issue.certainty for issue in gaps} == {"definite"}
    assert (str(gaps[5].first.date()), str(gaps[5].last.date())) == ("2014-12-19", "2015-01-07")
    assert "2017-04-15" in dates(report, "outlier")  # a low of 0.06


def test_the_blocks_of_crypto_minutes_are_not_one_series(shared: Path) -> None:
    report = check_quality(read_csv(shared / "data" / "btcusd_minute_coinbase.csv.gz"), calendar="24/7")
    assert len(report.of("gap")) >= 3
    assert dates(report, "restart") == ["2017-09-03", "2017-12-17", "2018-04-04"]


def test_the_longest_clean_series_has_no_gap(shared: Path) -> None:
    report = check_quality(read_csv(shared / "data" / "btc_perp_minute.csv.gz"))
    assert set(report.kinds) <= {"outlier"}
    assert report.kinds["outlier"] <= 3


def test_minutes_without_trades_are_no_gap_before_and_after_the_session(shared: Path) -> None:
    report = check_quality(read_csv(shared / "data" / "spy_minute_trade.csv.gz"), calendar="XNYS")
    (gap,) = report.of("gap")
    assert gap.count > 2_000, "the years between the last two days, and no minute"
    assert "time_shift" not in report.kinds


def test_the_split_between_two_days_of_minutes(shared: Path) -> None:
    report = check_quality(read_csv(shared / "data" / "aapl_minute_split_week.csv.gz"), calendar="XNYS")
    (issue,) = report.of("split")
    assert str(issue.first.date()) == "2014-06-09"
    assert issue.measures["ratio"] == 7.0


def test_bars_without_volume_and_the_daily_break_of_a_future(shared: Path) -> None:
    table = pd.read_csv(shared / "data" / "es_futures_minute.csv.gz", parse_dates=["timestamp"])
    zero = 0
    for _, part in table.groupby("expiry"):
        bars = part.set_index("timestamp").drop(columns="expiry")
        report = check_quality(bars, interval="1m")
        zero += sum(issue.count for issue in report.of("zero_volume"))
        inside = [issue for issue in report.of("gap") if issue.last - issue.first < pd.Timedelta("2h")]
        assert inside == [], "breaks of a quarter of an hour and three quarters come every day"
    assert zero == 47


def test_crossed_quotes_are_counted(shared: Path) -> None:
    table = pd.read_csv(shared / "data" / "gbpusd_minute_quote_fxcm.csv.gz", parse_dates=["timestamp"])
    report = check_quality(table.set_index("timestamp"))
    assert {issue.columns[0]: issue.count for issue in report.of("crossed_quotes")} == {
        "bid_open": 347, "bid_high": 523, "bid_low": 254, "bid_close": 347,
    }  # fmt: skip
    assert set(report.kinds) == {"crossed_quotes"}


@pytest.mark.parametrize("name", ["eurusd_minute_quote_oanda", "eurusd_daily_quote_oanda"])
def test_quotes_that_are_not_crossed_are_not_told(shared: Path, name: str) -> None:
    table = pd.read_csv(shared / "data" / f"{name}.csv.gz")
    stamps = table.columns[0]
    assert "crossed_quotes" not in check_quality(table.set_index(pd.to_datetime(table[stamps]))).kinds


def test_sundays_of_a_currency(shared: Path) -> None:
    table = pd.read_csv(shared / "data" / "eurusd_daily_quote_oanda.csv.gz", parse_dates=["date"]).set_index("date")
    (issue,) = check_quality(table).of("weekend")
    assert issue.count == 620
    assert issue.certainty == "definite"
    done = repair(table, [issue])
    assert (done.bars.index.day_of_week == 6).sum() == 0
    assert check_quality(done.bars).of("weekend") == ()


def test_a_clean_quarter_of_hours_has_nothing_but_odd_prints_outside_the_session(shared: Path) -> None:
    path = shared / "data" / "quality" / "EA-15m-no-bad-divs.csv.gz"
    report = check_quality(pd.read_csv(path, index_col=0))
    assert set(report.kinds) <= {"outlier", "time_zone"}
    assert report.kinds["outlier"] <= 8
    assert all(issue.certainty == "suspected" for issue in report.of("outlier"))
    local = pd.DatetimeIndex([issue.first for issue in report.of("outlier")]).tz_convert("America/New_York")
    assert ((local.hour < 9) | (local.hour >= 16)).all(), "prints of a few shares, without volume in the file"


# --- repairs that others have accepted ---


def pair(folder: Path, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    return tuple(pd.read_csv(folder / f"{name}{end}.csv", index_col=0) for end in ("", "-fixed"))  # type: ignore[return-value]


def differing(done: pd.DataFrame, fixed: pd.DataFrame) -> dict[str, int]:
    """Return how many values differ by more than 1e-3, by column; rows are matched by their date or time."""
    wanted = fixed.set_axis(pd.to_datetime(fixed.index, utc=True))
    ours: Any = done.copy()
    index = pd.DatetimeIndex(pd.to_datetime(ours.index, utc=True))
    if pd.DatetimeIndex(index).is_normalized:
        wanted = wanted.set_axis(pd.to_datetime([text[:10] for text in fixed.index]).tz_localize("UTC"))
    ours.index = index
    both = ours.index.intersection(wanted.index)
    assert len(both) == len(ours)
    counts = {}
    for name in ("Open", "High", "Low", "Close", "Adj Close", "Volume", "Dividends"):
        one, other = (frame.loc[both, name].astype(float).to_numpy() for frame in (ours, wanted))
        counts[name] = int((~np.isclose(one, other, rtol=1e-3, atol=1e-6, equal_nan=True)).sum())
    return {name: count for name, count in counts.items() if count}


PAIRS = [
    ("data/quality", "4063-T-1d-bad-stock-split", {"split"}, {}),
    ("data/quality", "8TRA-DE-1d-missing-div-adjust", {"dividend_adjustment"}, {}),
    ("data/quality", "ALPHA-PA-1d-bad-stock-split", {"split"}, {}),
    ("data/quality", "ASAI-L-1h-bad-unit", {"unit"}, {}),
    ("data/quality", "AV-L-1wk-bad-stock-split", {"split"}, {}),
    ("data/quality", "CNE-L-1d-bad-stock-split", {"split"}, {}),
    ("data/quality", "SSW-JO-1d-100x-error", {"unit"}, {}),
    ("contracts/yfinance", "1398-HK-1d-bad-div", {"dividend_adjustment"}, {}),
    ("contracts/yfinance", "ADIG-L-1d-bad-div", {"dividend_adjustment"}, {}),
    ("contracts/yfinance", "KEN-TA-1d-bad-div", {"dividend", "dividend_adjustment"}, {}),
    ("contracts/yfinance", "PSH-L-1d-bad-div", {"dividend"}, {}),
    ("contracts/yfinance", "TEM-L-1d-bad-div", {"dividend", "dividend_adjustment"}, {}),
    ("contracts/yfinance", "VWILX-1d-cg-double-count", {"dividend_adjustment"}, {}),
    # The step at the dividend that is left stands for both: it is halved here, and left in the accepted repair.
    ("contracts/yfinance", "SAND-1d-bad-div", {"dividend", "dividend_adjustment"}, {"Adj Close": 510}),
    # The accepted repair leaves 110 bars in pence among the others in pounds.
    (
        "contracts/yfinance", "LSC-L-1d-bad-div", {"dividend", "dividend_adjustment", "unit"},
        {"Open": 110, "High": 110, "Low": 110, "Close": 110, "Adj Close": 110, "Dividends": 1},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("folder", "name", "kinds", "left"), PAIRS, ids=[case[1] for case in PAIRS])
def test_repairs_agree_with_those_that_were_accepted(
    shared: Path, folder: str, name: str, kinds: set[str], left: dict[str, int]
) -> None:
    broken, fixed = pair(shared / folder, name)
    report = check_quality(broken)
    assert kinds <= set(report.kinds), report.summary()
    done = repair(broken, report, kinds=[*kinds, "unsorted", "time_zone"])
    assert differing(done.bars, fixed) == left
    assert repair(done.bars, report, kinds=[*kinds, "unsorted", "time_zone"]).changes.empty
    assert repair(done.bars, check_quality(done.bars), kinds=[*kinds, "unsorted", "time_zone"]).changes.empty


def test_the_unit_of_currency_is_found_at_the_bar_where_it_changes(shared: Path) -> None:
    broken, _ = pair(shared / "data" / "quality", "SSW-JO-1d-100x-error")
    (issue,) = check_quality(broken).of("unit")
    assert (issue.count, issue.measures["factor"]) == (22, 100.0)
    broken, _ = pair(shared / "data" / "quality", "ASAI-L-1h-bad-unit")
    (issue,) = check_quality(broken).of("unit")
    assert str(issue.first) == "2024-10-24 15:00:00+00:00"
    assert issue.columns == ("low", "close")
