"""`backtest`: its three forms, its options, and what it says to a call that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.run import backtest
from algotrendy.errors import ExpressionError, InputError
from algotrendy.indicators import indicator
from algotrendy.strategy import FixedUnits, ParameterSpec, PythonStrategy, Signals, Strategy, StrategyTemplate, library


def make_bars(n: int = 300, seed: int = 1, start: str = "2020-01-01") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, n)))
    open_ = np.concatenate(([100.0], close[:-1])) * (1.0 + rng.normal(0.0, 0.002, n))
    high, low = np.maximum(open_, close) * 1.002, np.minimum(open_, close) * 0.998
    columns = {"open": open_, "high": high, "low": low, "close": close, "volume": 1000.0}
    return pd.DataFrame(columns, index=pd.bdate_range(start, periods=n))


BARS = make_bars()
CROSS = library.sma_cross(5, 20)
FAST, SLOW = BARS["close"].rolling(5).mean(), BARS["close"].rolling(20).mean()
ABOVE, BELOW = FAST > SLOW, FAST <= SLOW


def cross(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    fast, slow = (bars["close"].rolling(params[name]).mean() for name in ("fast", "slow"))
    return Signals(entries=fast > slow, exits=fast <= slow)


def same_orders(left: BacktestResult, right: BacktestResult) -> None:
    pd.testing.assert_frame_equal(left.orders, right.orders)
    np.testing.assert_array_equal(left.equity_values, right.equity_values)


# --- the forms ---


@pytest.mark.parametrize(
    "run",
    [
        lambda: backtest(cross, BARS, params={"fast": 5, "slow": 20}),
        lambda: backtest(PythonStrategy(cross, {"fast": 1, "slow": 20}), BARS, params={"fast": 5}),
        lambda: backtest(BARS, entries=ABOVE, exits=BELOW),
        lambda: backtest(BARS, entries=ABOVE.to_numpy(), exits=BELOW.tolist()),
        lambda: backtest(BARS, entries=ABOVE.to_frame("A"), exits=BELOW.astype("boolean")),
        lambda: backtest(lambda bars, params: {"entries": ABOVE, "exits": BELOW}, BARS),
        lambda: backtest(lambda bars, params: pd.DataFrame({"entries": ABOVE, "exits": BELOW}), BARS),
        lambda: backtest(lambda bars, params: (ABOVE, BELOW), BARS),
    ],
    ids=["function", "wrapped", "series", "arrays", "frame", "mapping", "returned-frame", "tuple"],
)
def test_all_forms_of_one_strategy_give_the_same_orders(run: Any) -> None:
    result = run()
    assert result.metrics["n_trades"] > 3
    same_orders(result, backtest(CROSS, BARS))


def test_a_template_is_taken_with_its_defaults_or_with_params() -> None:
    spec = ParameterSpec("fast", "int", 2, 50, default=5)
    template = StrategyTemplate(
        "cross", "", "stock", {"fast": spec}, [], ["sma(close, fast) > sma(close, 20)"],
        ["sma(close, fast) <= sma(close, 20)"], {},
    )  # fmt: skip
    same_orders(backtest(template, BARS), backtest(CROSS, BARS))
    same_orders(backtest(template, BARS, params={"fast": 8}), backtest(library.sma_cross(8, 20), BARS))


def test_params_and_levels_in_the_call_stand_in_for_those_of_the_strategy() -> None:
    result = backtest(CROSS, BARS, params={"fast": 8}, stop=0.03, size=0.5)
    assert dict(result.params) == {"fast": 8, "slow": 20}
    same_orders(result, backtest(CROSS.with_params(fast=8, stop=0.03, size=0.5), BARS))
    assert "stop" in set(result.orders["reason"])


@pytest.mark.parametrize("stop", [0.03, "0.03", "3 * 0.01", np.full(len(BARS), 0.03), pd.Series(0.03, BARS.index)])
def test_levels_beside_signals_are_numbers_texts_or_arrays(stop: Any) -> None:
    same_orders(backtest(BARS, entries=ABOVE, exits=BELOW, stop=stop), backtest(CROSS, BARS, stop=0.03))


def test_a_python_strategy_takes_levels_and_may_return_its_own() -> None:
    def sized(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
        return Signals(entries=ABOVE, exits=BELOW, size=np.full(len(bars), 0.25), stop="risk")

    strategy = PythonStrategy(sized, {"risk": 0.03, "label": "quarter"}, stop=0.5, trail="risk * 2")
    same_orders(backtest(strategy, BARS), backtest(CROSS, BARS, size=0.25, stop=0.03, trail=0.06))
    assert dict(backtest(strategy, BARS).params) == {"risk": 0.03}


def test_fixed_units_are_units_in_every_form() -> None:
    for result in (
        backtest(CROSS, BARS, size=FixedUnits(7)),
        backtest(cross, BARS, params={"fast": 5, "slow": 20}, size=FixedUnits(7)),
        backtest(BARS, entries=ABOVE, exits=BELOW, size=FixedUnits(7)),
    ):
        assert set(result.orders["units"]) == {7.0}


def test_short_signals_trade_short() -> None:
    result = backtest(BARS, entries=ABOVE, short_entries=BELOW)
    assert set(result.trades["side"]) == {"long", "short"}
    assert result.exposure.min() < 0 < result.exposure.max()


def test_a_custom_indicator_can_be_used_in_a_strategy() -> None:
    @indicator
    def distance_from_mean(x: Any, window: int = 10) -> Any:
        means = pd.Series(x).rolling(window).mean().to_numpy()
        return x / means - 1.0

    strategy = Strategy("distance_from_mean(close, n) > 0", "distance_from_mean(close, n) < 0", n=20)
    mean = BARS["close"].rolling(20).mean()
    same_orders(backtest(strategy, BARS), backtest(BARS, entries=BARS["close"] > mean, exits=BARS["close"] < mean))


def test_a_function_gets_its_own_bars() -> None:
    before = BARS.copy()

    def spoil(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
        bars["close"] = 1.0
        bars.iloc[:, 0] = 2.0
        return Signals(entries=np.ones(len(bars), dtype=bool))

    backtest(spoil, BARS)
    pd.testing.assert_frame_equal(BARS, before)


def test_a_function_that_raises_is_not_hidden() -> None:
    with pytest.raises(KeyError, match="fast"):
        backtest(cross, BARS)


# --- what comes out ---


def test_the_result_says_what_it_was_made_of() -> None:
    result = backtest(CROSS, BARS, commission=0.001, slippage=0.0005, units="whole", lot_size=10, risk_free_rate=0.02)
    assert result.assumptions["commission"] == 0.001
    assert result.assumptions["units"] == "whole lots of 10"
    assert (result.assumptions["interval"], result.assumptions["calendar"]) == ("1d", "sessions")
    assert Strategy.from_json(__import__("json").dumps(dict(result.strategy))) == CROSS
    assert result.metrics["n_bars"] == 300
    assert result.metrics["periods_per_year"] == 252.0
    assert (result.metrics["start"], result.metrics["end"]) == (BARS.index[0], BARS.index[-1])
    assert result.metrics["max_drawdown_start"] < result.metrics["max_drawdown_valley"]
    assert set(result.orders["units"] % 10) == {0.0}
    assert result.equity.index.equals(BARS.index)


def test_a_schedule_of_fees_is_shown_whole() -> None:
    fees = Fees(per_unit=0.005, minimum=1.0)
    result = backtest(CROSS, BARS, commission=fees)
    assert result.assumptions["commission"] == {"rate": 0.0, "per_unit": 0.005, "minimum": 1.0}
    assert result.metrics["commission_paid"] >= result.metrics["n_orders"]


def test_signals_are_described_as_arrays() -> None:
    result = backtest(BARS, entries=ABOVE, exits=BELOW, stop=np.full(len(BARS), 0.1), size=0.5)
    assert result.strategy["kind"] == "arrays"
    assert result.strategy["given"] == ["entries", "exits"]
    assert (result.strategy["stop"], result.strategy["size"]) == ("one per bar", 0.5)
    python = backtest(cross, BARS, params={"fast": 5, "slow": 20})
    assert python.strategy["kind"] == "python"
    assert python.strategy["function"].endswith("cross")


def test_the_summary_of_every_form_can_be_printed() -> None:
    for result in (
        backtest(CROSS, BARS),
        backtest(cross, BARS, params={"fast": 5, "slow": 20}),
        backtest(BARS, entries=ABOVE, exits=BELOW),
    ):
        assert "Sharpe ratio" in result.summary()


def test_calendar_interval_and_periods_can_be_said() -> None:
    assert backtest(CROSS, BARS, calendar="24/7").metrics["periods_per_year"] == 365.0
    assert backtest(CROSS, BARS, periods_per_year=260).metrics["periods_per_year"] == 260.0
    weekly = make_bars().set_axis(pd.date_range("2020-01-06", periods=300, freq="7D"))
    assert backtest(CROSS, weekly).metrics["periods_per_year"] == 52.0
    assert backtest(CROSS, weekly, interval="1wk").assumptions["interval"] == "1wk"


@pytest.mark.parametrize(("calendar", "weekday"), [(None, 0), ("sessions", 4), ("XNYS", 4)])
def test_a_week_is_known_on_friday_only_if_the_calendar_is_said(calendar: str | None, weekday: int) -> None:
    result = backtest(Strategy('tf("1wk", close) > 0'), BARS, fill="same_close", calendar=calendar)
    assert result.orders["decided_at"].iloc[0].weekday() == weekday


def test_intraday_bars_are_annualised_by_the_session() -> None:
    index = pd.date_range("2024-01-01", periods=300, freq="h", tz="UTC")
    result = backtest(CROSS, make_bars().set_axis(index))
    assert result.metrics["periods_per_year"] == 365.0
    assert len(result.returns) == 13
    assert result.metrics["volatility"] == pytest.approx(result.returns.std() * 365**0.5)


def test_a_volatility_target_annualises_with_the_bars_of_a_year() -> None:
    from algotrendy.strategy import VolatilityTarget

    index = pd.date_range("2024-01-01", periods=300, freq="h", tz="UTC")
    result = backtest(Strategy("close > 0", size=VolatilityTarget(0.2, 20)), make_bars().set_axis(index))
    entry = result.orders.iloc[0]
    returns = BARS["close"].pct_change().to_numpy()[1:21]
    expected = 0.2 / (returns.std(ddof=1) * np.sqrt(365 * 24))
    assert entry["units"] * entry["price"] / 100_000 == pytest.approx(expected)


def test_the_engine_tells_of_decisions_that_could_not_be_filled() -> None:
    last = np.zeros(len(BARS), dtype=bool)
    last[-1] = True
    result = backtest(BARS, entries=last)
    assert result.pending == "long"
    assert result.metrics["n_orders"] == 0


# --- warnings ---


def stale_bars() -> pd.DataFrame:
    bars = make_bars()
    bars["open"] = bars["close"].shift(1).fillna(bars["open"])
    bars["high"] = bars[["open", "high", "close"]].max(axis=1)
    bars["low"] = bars[["open", "low", "close"]].min(axis=1)
    return bars


def test_fills_at_stale_opens_are_warned_of_and_only_where_they_matter() -> None:
    bars = stale_bars()
    warnings = backtest(CROSS, bars).warnings
    assert len(warnings) == 1
    assert "the open equals the previous close" in warnings[0]
    assert "compare fill='next_close'" in warnings[0]
    assert backtest(CROSS, bars, fill="next_close").warnings == ()
    assert backtest(CROSS, BARS).warnings == ()


def test_a_run_without_orders_says_why() -> None:
    assert "looks back 299 bars and there are only 300" in backtest(library.sma_cross(5, 300), BARS).warnings[0]
    assert "no entry was ever true" in backtest(Strategy("close < 0"), BARS).warnings[0]


def test_numbers_that_look_like_percentages_are_warned_of() -> None:
    assert (
        "commission=0.1 is 10 % of the value of each fill; 0.1 % would be 0.001"
        in backtest(CROSS, BARS, commission=0.1).warnings
    )
    assert "target=5 is a gain of 500 %; 5 % would be 0.05" in backtest(CROSS, BARS, target=5).warnings


# --- calls that are wrong ---


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: backtest(BARS, CROSS), r"bars come second and the strategy first; use at.backtest\(strategy, bars\)"),
        (lambda: backtest(CROSS), r"there are no bars.*at.sample\('NASDAQ'\)"),
        (lambda: backtest(BARS), "there are bars but no strategy and no signals"),
        (lambda: backtest(BARS, BARS), r"the strategy is a frame; use at.backtest\(strategy, bars\)"),
        (lambda: backtest(CROSS, BARS, entries=ABOVE), "entries is given beside a strategy"),
        (lambda: backtest(BARS, exits=ABOVE), "nothing opens a position"),
        (lambda: backtest(BARS, entries=ABOVE, params={"fast": 1}), "params belong to a strategy"),
        (lambda: backtest("sma_cross", BARS), r"use at.strategies.sma_cross\(\)"),
        (lambda: backtest("close > 1", BARS), r"use at.Strategy\(entry='close > 1', exit=...\)"),
        (lambda: backtest(library.sma_cross, BARS), r"use at.strategies.sma_cross\(\)"),
        (lambda: backtest(Strategy, BARS), r"the strategy is the class Strategy; make one: Strategy\(...\)"),
        (lambda: backtest(5, BARS), "the strategy is a int; give an at.Strategy"),
        (lambda: backtest(lambda bars: None, BARS), r"must take two arguments: \(bars, params\)"),
        (lambda: backtest(lambda bars, params: None, BARS), "the strategy '<lambda>' gave a NoneType"),
        (lambda: backtest(CROSS, BARS, params={"fats": 3}), "no parameter 'fats'; did you mean 'fast'"),
        (lambda: backtest(CROSS, BARS, params={"fast": 0}), "a whole number from 1 to"),
        (lambda: backtest(CROSS, BARS, params={"stop": 0.1}, stop=0.2), "stop is given twice"),
        (lambda: backtest(CROSS, BARS, stop=np.full(len(BARS), 0.1)), "stop is array.*use a fraction"),
    ],
)
def test_a_call_that_is_wrong_is_answered_with_the_right_one(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"(?s){message}"):
        call()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fill": "nextopen"}, "did you mean 'next_open'"),
        ({"fill": "open"}, "choose one of|did you mean"),
        ({"cash": 0}, "cash is 0"),
        ({"cash": -5.0}, "cash is -5.0"),
        ({"cash": "100"}, "cash is '100'"),
        ({"cash": float("nan")}, "cash is nan"),
        ({"commission": -0.001}, "commission is -0.001"),
        ({"commission": 0.6}, "commission is 0.6, which is 60 % of each fill.*0.6 % is 0.006"),
        ({"commission": "0.1%"}, "use a fraction such as 0.0005"),
        ({"commission": float("nan")}, "commission is nan"),
        ({"slippage": 1}, "slippage is 1, which is 100 % of each fill"),
        ({"slippage": -1}, "slippage is -1"),
        ({"borrow": 15}, "borrow is 15, which is 1500 % a year; it is a fraction: 15 % is 0.15"),
        ({"risk_free_rate": 3}, "risk_free_rate is 3, which is 300 % a year.*3 % is 0.03"),
        ({"units": "shares"}, "choose 'fractional' or 'whole'"),
        ({"lot_size": 100}, "add units='whole'"),
        ({"units": "whole", "lot_size": 0}, "lot_size is 0"),
        ({"max_leverage": 0}, "max_leverage is 0"),
        ({"periods_per_year": 0}, "periods_per_year is 0"),
        ({"periods_per_year": "daily"}, "use a number above zero, such as 252"),
        ({"interval": "daily"}, "'daily' is not an interval"),
        ({"calendar": 252}, "calendar is 252"),
        ({"stop": 5}, "for 5 % write 0.05"),
        ({"stop": -0.05}, "without a sign: stop=0.05"),
        ({"size": 50}, "size=50 is 50 times the equity.*size=at.FixedUnits.50.*for 50 % write 0.5"),
        ({"size": float("nan")}, "size is nan"),
    ],
)
def test_an_option_out_of_range_is_refused_with_the_remedy(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"(?s){message}"):
        backtest(CROSS, BARS, **options)


def test_an_unknown_option_is_an_ordinary_python_error() -> None:
    with pytest.raises(TypeError, match="comission"):
        backtest(CROSS, BARS, comission=0.001)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda bars: bars.iloc[:0], "empty|0 bars|no bars"),
        (lambda bars: bars.iloc[:1], "needs at least 2"),
        (lambda bars: bars.drop(columns="close"), "close"),
        (lambda bars: bars.iloc[::-1], "sort_index"),
        (lambda bars: bars.iloc[[0, 1, 1, 2]], "duplicated"),
        (lambda bars: bars.assign(close=np.nan), "NaN"),
        (lambda bars: bars.assign(low=0.0), "zero or negative"),
        (lambda bars: bars.assign(high=bars["low"] * 0.9), "high is below low"),
        (lambda bars: bars.reset_index(drop=True), "to_datetime"),
        (lambda bars: bars["close"], "DataFrame"),
    ],
)
def test_bars_that_are_not_sound_are_refused(change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        backtest(CROSS, change(BARS))


def test_bars_and_signals_that_are_misaligned_are_refused_at_the_first_difference() -> None:
    with pytest.raises(InputError, match=r"the first difference is row 0, '2020-01-02 00:00:00' against '2020-01-01"):
        backtest(BARS, entries=ABOVE.iloc[1:], exits=BELOW.iloc[1:])


def test_an_expression_that_is_none_is_refused_at_its_column() -> None:
    with pytest.raises(ExpressionError, match="clsoe"):
        backtest(BARS, entries=ABOVE, stop="0.1 * clsoe")
    with pytest.raises(ExpressionError):
        backtest(CROSS, BARS, stop="close >")


def test_two_bars_are_enough() -> None:
    assert backtest(Strategy("true"), BARS.iloc[:2]).metrics["n_orders"] == 1


@pytest.mark.parametrize("fill", ["next_open", "same_close", "next_close"])
def test_many_bars_take_another_route_to_the_same_result(fill: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from algotrendy.backtest import engine
    from algotrendy.data import synthetic

    bars, strategy = synthetic(n=2_000, seed=3), library.sma_cross(5, 20)
    few = backtest(strategy, bars, commission=0.001, fill=fill)
    monkeypatch.setattr(engine, "_PLAIN_BARS_MAX", 0)
    many = backtest(strategy, bars, commission=0.001, fill=fill)
    assert len(few.orders) > 20
    pd.testing.assert_frame_equal(few.orders, many.orders, check_exact=True)
    pd.testing.assert_series_equal(few.equity, many.equity, check_exact=True)
    numbers = {name: value for name, value in few.metrics.items() if isinstance(value, float)}
    assert numbers == pytest.approx({name: many.metrics[name] for name in numbers}, rel=1e-9, nan_ok=True)
