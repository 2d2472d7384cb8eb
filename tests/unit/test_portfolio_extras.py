"""Actions, margins, interest, volume caps, ticks and finer bars through `backtest`: figures by hand, and laws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.backtest.portfolio.extras import Margin
from algotrendy.backtest.run import backtest
from algotrendy.domain.actions import Actions, Factors, adjust
from algotrendy.domain.instrument import Instrument
from algotrendy.errors import InputError
from algotrendy.strategy import Strategy, library

DAYS = pd.bdate_range("2024-01-01", periods=6)


def flat(*prices: float, volume: float = 1000.0, days: pd.DatetimeIndex = DAYS) -> pd.DataFrame:
    """Bars that open and close at one price each."""
    values = np.array(prices, dtype=float)
    columns = dict.fromkeys(("open", "high", "low", "close"), values)
    return pd.DataFrame(columns, index=days[: len(prices)]).assign(volume=volume)


def ohlc(*rows: tuple[float, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["open", "high", "low", "close"], index=DAYS[: len(rows)]).assign(volume=1000.0)


HALVED = flat(10, 10, 10, 5, 5, 5)
ONES = flat(1, 1, 1, 1, 1, 1)
SPLIT = {"A": Actions.of(splits={DAYS[3]: 2.0})}
ALWAYS = Strategy(entry="close > 0", exit="close < 0")


def random_bars(n: int = 300, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0002, 0.01, n)))
    open_ = np.concatenate(([100.0], close[:-1])) * (1.0 + rng.normal(0.0, 0.002, n))
    high, low = np.maximum(open_, close) * 1.002, np.minimum(open_, close) * 0.998
    columns = {"open": open_, "high": high, "low": low, "close": close, "volume": 1e4}
    return pd.DataFrame(columns, index=pd.bdate_range("2020-01-01", periods=n))


# --- actions ---


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_split_changes_the_units_and_nobodys_equity(sign: float) -> None:
    result = backtest({"A": HALVED, "B": ONES}, weights={"A": 0.5 * sign}, actions=SPLIT, cash=1000.0)
    assert result.equity.tolist() == [1000.0] * 6
    assert result.positions["A"].tolist() == [0.0, 50.0 * sign, 50.0 * sign, 100.0 * sign, 100.0 * sign, 100.0 * sign]
    assert result.orders["reason"].tolist() == ["rebalance", "split"]
    assert result.metrics["n_orders"] == 1


def test_a_dividend_is_paid_to_longs_and_charged_to_shorts() -> None:
    actions = {name: Actions.of(dividends={DAYS[3]: 2.0}) for name in "AB"}
    falls = {name: flat(10, 10, 10, 8, 8, 8) for name in "AB"}
    weights = pd.DataFrame({"A": [0.5, 0.0], "B": [-0.2, 0.0]}, index=DAYS[[0, 3]])
    result = backtest(falls, weights=weights, actions=actions, cash=1000.0)
    assert result.equity.tolist() == [1000.0] * 6
    assert result.dividends[["symbol", "units", "amount"]].values.tolist() == [["A", 50.0, 100.0], ["B", -20.0, -40.0]]
    assert result.trades["pnl"].tolist() == [0.0, 0.0]
    assert result.trades["dividends"].tolist() == [100.0, -40.0]
    assert result.metrics["dividends_received"] == 60.0
    assert result.contributions["pnl"].tolist() == [0.0, 0.0]


def test_what_is_bought_on_the_ex_date_gets_no_dividend() -> None:
    result = backtest(
        {"A": HALVED}, weights={"A": 1.0}, actions={"A": Actions.of(dividends={DAYS[1]: 1.0})}, cash=1000.0
    )
    assert result.dividends.empty
    assert result.cash_series.iloc[1] == 0.0


def test_a_fraction_of_a_share_is_settled_in_cash_at_the_open() -> None:
    bars = {"A": flat(30, 30, 30, 20, 20, 20)}
    result = backtest(
        bars,
        weights={"A": 0.9},
        actions={"A": Actions.of(splits={DAYS[3]: 1.5})},
        cash=1000.0,
        units="whole",
        slippage=0.01,
        commission=0.01,
    )
    orders = result.orders
    assert orders["reason"].tolist() == ["rebalance", "split"]  # 30 shares become 45
    odd = backtest(
        bars, weights={"A": 0.9}, actions={"A": Actions.of(splits={DAYS[3]: 1.55})}, cash=1000.0, units="whole"
    ).orders
    assert odd["reason"].tolist() == ["rebalance", "split", "fraction"]  # 46.5
    assert odd["units"].tolist() == pytest.approx([30.0, 16.5, 0.5])
    assert odd["price"].tolist() == [30.0, 0.0, 20.0]
    assert odd["commission"].tolist() == [0.0, 0.0, 0.0]


def test_dividends_reinvested_at_the_open_grow_as_the_adjusted_prices_do() -> None:
    """The usual adjusted series reinvests at the last close less the dividend; where that is the open, both are one."""
    rng = np.random.default_rng(4)
    bars = random_bars()
    splits = {bars.index[80]: 2.0, bars.index[200]: 0.5}
    dividends = {bars.index[k]: float(d) for k, d in zip((40, 80, 150, 260), rng.uniform(0.5, 3.0, 4), strict=True)}
    actions = Actions.of(splits=splits, dividends=dividends)
    for date in sorted({*splits, *dividends}):
        row = bars.index.get_loc(date)
        wanted = bars["close"].iloc[row - 1] / splits.get(date, 1.0) - dividends.get(date, 0.0)
        names = ["open", "high", "low", "close"]
        bars.iloc[row:, :4] = (bars[names].iloc[row:] * (wanted / bars["open"].iloc[row])).to_numpy()
    adjusted = adjust(bars, actions)["close"]
    result = backtest({"A": bars, "B": random_bars(seed=2)}, weights={"A": 1.0}, rebalance=1, actions={"A": actions})
    growth = result.equity.iloc[1:] / result.equity.iloc[1]
    assert growth.tolist() == pytest.approx((adjusted.iloc[1:] / adjusted.iloc[1]).tolist(), rel=1e-9)
    assert result.metrics["final_equity"] > 0


def test_signals_are_those_of_adjusted_prices_and_fills_are_raw() -> None:
    bars, other = random_bars(), random_bars(seed=2)
    actions = Actions.of(splits={bars.index[150]: 4.0}, dividends={bars.index[100]: 5.0, bars.index[220]: 1.5})
    raw = bars.copy()
    factors = adjust(bars, actions)["close"] / bars["close"]
    for name in ("open", "high", "low", "close"):
        raw[name] = bars[name] / factors  # what would have been traded, had these been the adjusted prices
    raw_actions = Actions.of(
        splits=actions.splits,
        dividends={
            date: paid * raw["close"].shift(1)[date] / bars["close"].shift(1)[date]
            for date, paid in actions.dividends.items()
        },
    )
    seen = adjust(raw, raw_actions)
    options: dict[str, Any] = {"stop": 0.03, "trail": 0.05, "max_positions": 2}
    first = backtest(library.sma_cross(5, 20), {"A": raw, "B": other}, actions={"A": raw_actions}, **options)
    second = backtest(library.sma_cross(5, 20), {"A": seen, "B": other}, **options)
    mine = first.orders[first.orders["reason"] != "split"]
    for name in ("decided_at", "filled_at", "symbol", "reason"):
        assert mine[name].tolist() == second.orders[name].tolist(), name
    of_a = mine["symbol"] == "A"
    ratio = mine["price"][of_a].to_numpy() / second.orders["price"][of_a.to_numpy()].to_numpy()
    assert ratio.max() > 3.9


def test_later_actions_change_nothing_of_what_was_done_before() -> None:
    bars = {"A": random_bars(), "B": random_bars(seed=2)}
    dates = bars["A"].index
    early, late = Actions.of(splits={dates[50]: 2.0}), Actions.of(splits={dates[50]: 2.0, dates[250]: 3.0})
    strategy = Strategy(entry="close > 100", exit="close < 90")
    first, second = (backtest(strategy, bars, actions={"A": each}) for each in (early, late))
    assert first.equity.iloc[:250].tolist() == second.equity.iloc[:250].tolist()


@pytest.mark.shared
def test_apple_held_through_its_actions_is_worth_what_adjusted_prices_say(shared: Path) -> None:
    """Raw prices and factors by QuantConnect; an independent loop over shares, and the vendor's adjusted series."""
    raw = pd.read_csv(shared / "data" / "us_equity_daily_raw.csv.gz", parse_dates=["date"])
    bars = raw[(raw["symbol"] == "AAPL") & (raw["date"] >= "2005-01-03")].set_index("date").drop(columns="symbol")
    table = pd.read_csv(shared / "data" / "us_equity_factors.csv.gz")
    rows = table[table["symbol"] == "AAPL"].sort_values("date")
    factors = Factors.of_rows(rows[["date", "price_factor", "split_factor", "reference_price"]].itertuples(index=False))
    actions = factors.actions()
    result = backtest({"AAPL": bars}, weights={"AAPL": 1.0}, rebalance=1, actions={"AAPL": factors}, cash=1e6)
    shares, worth = 1e6 / bars["open"].iloc[1], [1e6]
    at = [bars.index.searchsorted(date) for date in actions.splits.index]
    splits = dict(zip(at, actions.splits, strict=True))
    at = [bars.index.searchsorted(date) for date in actions.dividends.index]
    dividends = dict(zip(at, actions.dividends, strict=True))
    for row in range(1, len(bars)):
        if row > 1:
            shares *= splits.get(row, 1.0)
            shares += shares * dividends.get(row, 0.0) / bars["open"].iloc[row]
        worth.append(shares * bars["close"].iloc[row])
    assert result.equity.tolist() == pytest.approx(worth, rel=1e-9)
    adjusted = adjust(bars, factors)["close"]
    growth = (result.equity.iloc[1:] / result.equity.iloc[1]) / (adjusted.iloc[1:] / adjusted.iloc[1])
    assert growth.tolist() == pytest.approx([1.0] * len(growth), rel=5e-3)  # reinvested at another price of the day
    assert result.positions["AAPL"].iloc[-1] / result.positions["AAPL"].iloc[1] > 2 * 7 * 4


# --- ticks and finer bars ---


@pytest.mark.parametrize(("tick", "price"), [(None, 9.5), (0.04, 9.48), ({"A": 1.0}, 9.0)])
def test_a_stop_is_rounded_to_the_tick_against_the_trader(tick: Any, price: float) -> None:
    bars = ohlc((10, 10, 10, 10), (10, 10, 10, 10), (10, 10, 9, 9), (9, 9, 9, 9))
    result = backtest(ALWAYS, {"A": bars}, stop=0.05, tick_size=tick)
    assert result.orders["price"].iloc[1] == pytest.approx(price)


def test_a_short_position_is_bought_back_for_the_next_tick_above() -> None:
    bars = ohlc((10, 10, 10, 10), (10, 10, 10, 10), (10, 11, 10, 11), (11, 11, 11, 11))
    instrument = Instrument(asset_class="futures", venue="X", symbol="A", tick_size="0.25", multiplier=5)  # type: ignore[arg-type]
    short = Strategy(entry="close < 0", exit="close < 0", short_entry="close > 0", short_exit="close < 0")
    result = backtest(short, {instrument: bars}, stop=0.04, tick_size="instrument")
    assert result.orders["price"].iloc[1] == pytest.approx(10.5)


def test_finer_bars_say_what_was_reached_first() -> None:
    days = DAYS[:4]
    bars = ohlc((10, 10, 10, 10), (10, 10, 10, 10), (10, 12, 8, 10), (10, 10, 10, 10))
    stamps = pd.date_range(days[2], periods=3, freq="8h", tz="UTC")
    rising = pd.DataFrame({"open": [10, 12, 9], "high": [12, 12, 10], "low": [10, 9, 8], "close": [12, 9, 10]}, stamps)
    options: dict[str, Any] = {"stop": 0.1, "target": 0.1}
    assert backtest(ALWAYS, {"A": bars}, **options).orders["reason"].iloc[1] == "stop"
    found = backtest(ALWAYS, {"A": bars}, fine_bars={"A": rising.astype(float)}, **options)
    assert found.orders["reason"].iloc[1] == "target"
    assert found.assumptions["fine_bars"] == "1 bars are walked in finer steps"


# --- margin and interest ---


def test_a_margin_call_cuts_all_positions_at_the_next_open() -> None:
    """2,000 held on 1,000; at 7 the equity is 400 and 420 are needed, so 400 / 700 of the units may be kept."""
    bars = {"A": flat(10, 10, 7, 7, 7, 7), "B": ONES}
    result = backtest(bars, weights={"A": 2.0}, cash=1000.0, max_leverage=2.0, margin=(0.5, 0.3))
    assert result.orders["reason"].tolist() == ["rebalance", "margin"]
    assert result.orders["filled_at"].tolist() == [DAYS[1], DAYS[3]]
    assert result.positions["A"].iloc[-1] == pytest.approx(200 * 400 / 700)
    assert any("maintenance margin" in text for text in result.warnings)


def test_the_initial_margin_limits_what_is_opened() -> None:
    bars = {"A": flat(10, 10, 10), "B": flat(1, 1, 1)}
    result = backtest(bars, weights={"A": 2.0}, cash=1000.0, max_leverage=2.0, margin={"A": Margin(0.8, 0.4)})
    assert result.positions["A"].iloc[-1] == pytest.approx(1000 / 0.8 / 10)


def test_borrowed_cash_costs_interest_by_calendar_days() -> None:
    days = pd.DatetimeIndex(["2024-01-04", "2024-01-05", "2024-01-08"])
    bars = {"A": flat(10, 10, 10, days=days), "B": flat(1, 1, 1, days=days)}
    result = backtest(bars, weights={"A": 2.0}, cash=1000.0, max_leverage=2.0, financing=0.0365)
    assert result.cash_series.tolist() == pytest.approx([1000.0, -1000.0, -1000.3])  # three days over the weekend
    assert result.metrics["financing_paid"] == pytest.approx(0.3)
    assert result.metrics["costs_paid"] == pytest.approx(0.3)


# --- volume ---


def test_a_weight_is_filled_over_several_bars_when_the_volume_is_small() -> None:
    bars = {"A": flat(10, 10, 10, 10, 10, 10, volume=200.0), "B": ONES}
    result = backtest(bars, weights={"A": 0.5}, cash=1000.0, participation=0.1)
    assert result.orders["units"].tolist() == [20.0, 20.0, 10.0]
    assert result.unfilled[["time", "units"]].values.tolist() == [[DAYS[1], 30.0], [DAYS[2], 10.0]]
    assert any("volume" in text for text in result.warnings)


def test_an_exit_goes_on_until_nothing_is_left() -> None:
    bars = ohlc((10, 10, 10, 10), (10, 10, 10, 10), (10, 10, 8, 8), (8, 8, 8, 8), (7, 7, 7, 7), (7, 7, 7, 7))
    bars["volume"] = [1000.0, 1000.0, 40.0, 40.0, 40.0, 40.0]
    result = backtest(
        Strategy(entry="close > 9", exit="close < 0"), {"A": bars}, cash=1000.0, stop=0.1, participation=1.0
    )
    assert result.orders["units"].tolist() == [100.0, 40.0, 40.0, 20.0]
    assert result.orders["price"].tolist() == [10.0, 9.0, 8.0, 7.0]
    assert result.orders["reason"].tolist() == ["entry", "stop", "stop", "stop"]
    assert result.positions["A"].iloc[-1] == 0.0


# --- errors ---


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"actions": {"C": Actions.of()}}, "actions names 'C'"),
        ({"actions": Actions.of()}, "give a mapping from symbol"),
        ({"actions": {"A": {"splits": 2}}}, "the actions of A are a dict"),
        ({"actions": {"A": Actions.of(dividends={DAYS[2]: 30.0})}}, "are the bars raw"),
        ({"margin": (0.2, 0.5)}, "above the initial one"),
        ({"margin": 0.5}, "give the initial and the maintenance margin"),
        ({"margin": {"C": (0.5, 0.2)}}, "margin names 'C'"),
        ({"financing": 5.0}, "5 % is 0.05"),
        ({"participation": 10.0}, "10 % is 0.1"),
        ({"participation": {"A": 0.1}, "weights": {"A": 1.0}, "bars": {"A": flat(1, 1, 1, volume=0.0)}}, "have none"),
        ({"tick_size": 0.01}, "tick_size belongs to"),
        ({"fine_bars": {}}, "fine_bars belongs to"),
    ],
)
def test_errors_say_what_to_write(options: dict[str, Any], text: str) -> None:
    chosen = {"weights": {"A": 0.5}, **options}
    bars = chosen.pop("bars", {"A": HALVED, "B": ONES})
    with pytest.raises(InputError, match=text):
        backtest(bars, **chosen)


@pytest.mark.parametrize(
    ("fine", "text"),
    [
        ([], "give a mapping from symbol"),
        ({"A": HALVED.set_axis(pd.date_range(DAYS[0], periods=6, freq="W-MON"))}, "give bars that are shorter"),
        ({"C": HALVED}, "fine_bars names 'C'"),
        ({"A": HALVED.set_axis(pd.date_range(DAYS[2], periods=6, freq="h", tz="UTC"))}, "reaches from"),
    ],
)
def test_finer_bars_must_lie_inside_their_bar(fine: Any, text: str) -> None:
    bars = {"A": flat(10, 10, 9, 5, 5, 5), "B": ONES}
    with pytest.raises(InputError, match=text):
        backtest(ALWAYS, bars, fine_bars=fine, stop=0.1)
