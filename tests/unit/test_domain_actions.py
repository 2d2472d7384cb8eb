"""Splits and dividends: what they do to prices, and that vendor factors and ours agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from algotrendy.data import read_csv
from algotrendy.domain.actions import Actions, Factors, adjust, undo_splits
from algotrendy.domain.calendar import exchange
from algotrendy.errors import InputError


def _bars(closes: list[float], start: str = "2024-03-04") -> pd.DataFrame:
    close = pd.Series(closes, index=pd.bdate_range(start, periods=len(closes)), dtype=float)
    return pd.DataFrame({"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": 1000.0})


def _lean_factors(shared: Path, symbol: str) -> Factors:
    table = pd.read_csv(shared / "data" / "us_equity_factors.csv.gz")
    own = table[table["symbol"] == symbol]
    columns = ["date", "price_factor", "split_factor", "reference_price"]
    return Factors.of_rows(own[columns].itertuples(index=False, name=None))


def test_a_split_halves_the_past_and_doubles_its_volume() -> None:
    bars = _bars([100.0, 102.0, 51.0, 52.0])
    adjusted = adjust(bars, Actions.of(splits={"2024-03-06": 2.0}), "splits")
    assert adjusted["close"].tolist() == [50.0, 51.0, 51.0, 52.0]
    assert adjusted["volume"].tolist() == [2000.0, 2000.0, 1000.0, 1000.0]
    assert adjusted["is_adjusted"].all()
    assert "is_adjusted" not in bars.columns


def test_a_dividend_changes_prices_by_its_share_of_the_close_before_it() -> None:
    bars = _bars([100.0, 80.0, 79.0])
    actions = Actions.of(dividends={"2024-03-06": 2.0})
    assert adjust(bars, actions)["close"].tolist() == pytest.approx([97.5, 78.0, 79.0], rel=1e-15)
    assert adjust(bars, actions)["volume"].tolist() == [1000.0] * 3
    assert adjust(bars, actions, "splits")["close"].tolist() == [100.0, 80.0, 79.0]


def test_a_dividend_on_the_day_of_a_split_is_per_new_share() -> None:
    bars = _bars([100.0, 80.0, 20.0])
    adjusted = adjust(bars, Actions.of(splits={"2024-03-06": 4.0}, dividends={"2024-03-06": 1.0}))
    assert adjusted["close"].tolist() == pytest.approx([100 / 4 * 0.95, 80 / 4 * 0.95, 20.0])


def test_raw_prices_are_kept_beside_on_demand() -> None:
    bars = _bars([100.0, 51.0])
    adjusted = adjust(bars, Actions.of(splits={"2024-03-05": 2.0}), keep_raw=True)
    for name in ("open", "high", "low", "close", "volume"):
        assert adjusted[f"raw_{name}"].tolist() == bars[name].tolist()


def test_bars_are_not_adjusted_twice() -> None:
    actions = Actions.of(splits={"2024-03-05": 2.0})
    with pytest.raises(InputError, match="adjusted already"):
        adjust(adjust(_bars([100.0, 51.0]), actions), actions)


def test_splits_after_the_last_bar_count_and_a_later_dividend_is_asked_about() -> None:
    bars = _bars([100.0, 102.0])
    assert adjust(bars, Actions.of(splits={"2025-01-06": 2.0}))["close"].tolist() == [50.0, 51.0]
    late = Actions.of(dividends={"2025-01-06": 1.0})
    with pytest.raises(InputError, match=r'actions\.until\("2024-03-05"\)'):
        adjust(bars, late)
    assert adjust(bars, late.until("2024-03-05"))["close"].tolist() == [100.0, 102.0]


def test_actions_before_the_first_bar_change_nothing() -> None:
    bars = _bars([100.0, 102.0])
    actions = Actions.of(splits={"2020-01-06": 2.0}, dividends={"2020-01-06": 1.0, "2024-03-04": 5.0})
    assert adjust(bars, actions)["close"].tolist() == [100.0, 102.0]


@pytest.mark.parametrize("number", [0.0, -1.0, float("nan"), float("inf")])
def test_numbers_that_no_action_has_are_refused(number: float) -> None:
    with pytest.raises(InputError, match="the split of 2024-03-05 is"):
        Actions.of(splits={"2024-03-05": number})


def test_a_dividend_larger_than_the_price_is_refused() -> None:
    with pytest.raises(InputError, match="cannot pay more than its price"):
        adjust(_bars([1.0, 1.0, 1.0]).assign(low=0.5), Actions.of(dividends={"2024-03-05": 2.0}))


def test_factors_that_do_not_end_at_today_are_refused() -> None:
    with pytest.raises(InputError, match="expected 1, 1"):
        Factors.of_rows([("2024-03-05", 1.0, 0.5, 0.0)])


def test_dividends_of_one_date_are_summed_and_joined_actions_know_both() -> None:
    one = Actions.of(dividends=pd.Series([1.0, 0.5], index=["2024-03-05", "2024-03-05"]))
    assert one.dividends.tolist() == [1.5]
    both = one.joined(Actions.of(splits={"2024-03-06": 2.0}, dividends={"2024-03-05": 2.0}))
    assert (both.dividends.tolist(), both.splits.tolist()) == ([2.0], [2.0])


@pytest.mark.shared
def test_apple_by_its_factor_file_is_the_adjusted_series_of_another_vendor(shared: Path) -> None:
    """The tolerance is that of the README beside the data: log returns differ by 1.2e-5 in median, 0.0064 at most."""
    raw = read_csv(shared / "data" / "us_equity_daily_raw.csv.gz", symbol="AAPL")
    adjusted = adjust(raw, _lean_factors(shared, "AAPL"))
    other = pd.read_csv(shared / "data" / "sp500_20_adjclose.csv.gz", index_col=0, parse_dates=True)["AAPL"]
    both = pd.DataFrame({"ours": adjusted["close"], "other": other}).dropna()
    apart = np.log(both).diff().dropna().diff(axis=1)["other"].abs()
    assert len(both) == 2830
    assert apart.median() < 1.25e-5
    assert apart.max() < 0.00645
    unadjusted = np.log(pd.DataFrame({"raw": raw["close"], "other": other}).dropna()).diff().dropna().diff(axis=1)
    assert unadjusted["other"].abs().max() > 1.9  # the 7:1 split shows without factors


@pytest.mark.shared
@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "BAC", "SPY"])
def test_factors_give_actions_and_actions_give_the_same_factors(shared: Path, symbol: str) -> None:
    raw = read_csv(shared / "data" / "us_equity_daily_raw.csv.gz", symbol=symbol)
    lean = _lean_factors(shared, symbol)
    ours = Factors.of(lean.actions(exchange("XNYS")), raw["close"])
    for mine, theirs in zip(ours.at(raw.index), lean.at(raw.index), strict=True):
        assert mine == pytest.approx(theirs, rel=2e-3)
    assert ours.at(raw.index)[1] == pytest.approx(lean.at(raw.index)[1], rel=1e-4)


@pytest.mark.shared
def test_the_splits_of_apple_are_those_of_its_history(shared: Path) -> None:
    splits = _lean_factors(shared, "AAPL").actions(exchange("XNYS")).splits
    dates = ["2000-06-21", "2005-02-28", "2014-06-09", "2020-08-31"]  # as the README names them
    assert [str(date.date()) for date in splits.index] == dates
    assert splits.to_numpy() == pytest.approx([2.0, 2.0, 7.0, 4.0], rel=1e-4)


@pytest.mark.shared
def test_minutes_across_a_split_are_adjusted_by_their_session(shared: Path) -> None:
    raw = read_csv(shared / "data" / "aapl_minute_split_week.csv.gz")
    adjusted = adjust(raw, Actions.of(splits={"2014-06-09": 7.0}), calendar=exchange("XNYS"))
    before = raw.index < pd.Timestamp("2014-06-07", tz="UTC")
    assert adjusted["close"][before].to_numpy() == pytest.approx(raw["close"][before].to_numpy() / 7)
    assert adjusted["close"][~before].tolist() == raw["close"][~before].tolist()
    assert adjusted["close"].pct_change().abs().max() < 0.02
    back = undo_splits(adjusted, Actions.of(splits={"2014-06-09": 7.0}).splits, calendar=exchange("XNYS"))
    assert back["close"].to_numpy() == pytest.approx(raw["close"].to_numpy(), rel=1e-14)
    assert back["volume"].to_numpy() == pytest.approx(raw["volume"].to_numpy(), rel=1e-14)
