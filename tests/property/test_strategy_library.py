"""The twelve library strategies: equal to their plain twins, and blind to the future."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.run import backtest
from algotrendy.data import sample
from algotrendy.strategy import PythonStrategy, Strategy
from algotrendy.strategy.library import LIBRARY
from algotrendy.strategy.twins import TWINS

SHORT: dict[str, dict[str, Any]] = {
    "sma_cross": {"fast": 3, "slow": 8},
    "ema_cross": {"fast": 3, "slow": 8},
    "rsi_reversion": {"window": 5, "oversold": 40.0, "overbought": 60.0},
    "bollinger_breakout": {"window": 8, "width": 1.0},
    "bollinger_reversion": {"window": 8, "width": 1.0},
    "macd_cross": {"fast": 3, "slow": 6, "signal": 4},
    "donchian_turtle": {"entry_window": 8, "exit_window": 4, "trail_atr": 1.0},
    "supertrend_follow": {"window": 5, "multiplier": 1.5},
    "momentum_volatility": {"window": 10, "risk": 0.2, "risk_window": 5},
    "macd_long_short": {"fast": 3, "slow": 6, "signal": 4},
    "weekly_trend": {"window": 5, "weeks": 3},
    "buy_and_hold": {},
}
"""Parameters with which a hundred bars are enough for trades."""


def tick_bars(n: int, seed: int, tick: float) -> pd.DataFrame:
    """Prices on a grid: exact ties of prices, of averages and of extremes are common."""
    rng = np.random.default_rng(seed)
    close = np.maximum(np.round(50.0 / tick * np.exp(np.cumsum(rng.normal(0.0, 0.01, n)))), 4.0)
    open_ = np.maximum(np.roll(close, 1) + rng.integers(-1, 2, n), 3.0)
    high = np.maximum(open_, close) + rng.integers(0, 3, n)
    low = np.minimum(open_, close) - rng.integers(0, 3, n)
    columns = {"open": open_, "high": high, "low": low, "close": close}
    frame = pd.DataFrame(columns, index=pd.bdate_range("2018-01-02", periods=n)) * tick
    return frame.assign(volume=1000.0)


def twin_of(name: str, strategy: Strategy) -> PythonStrategy:
    return PythonStrategy(TWINS[name], dict(strategy.parameters))


def assert_same_orders(left: BacktestResult, right: BacktestResult) -> None:
    for column in ("decided_at", "filled_at", "reason"):
        np.testing.assert_array_equal(left.order_columns[column], right.order_columns[column])
    for column in ("units", "price"):
        np.testing.assert_allclose(left.order_columns[column], right.order_columns[column], rtol=1e-9)
    assert left.pending == right.pending


def test_every_strategy_of_the_library_has_a_twin() -> None:
    assert len(LIBRARY) == 12
    assert set(LIBRARY) == set(TWINS) == set(SHORT)


@pytest.mark.parametrize("name", LIBRARY)
def test_a_strategy_and_its_twin_give_identical_orders_on_index_history(name: str) -> None:
    bars, strategy = sample("NASDAQ"), LIBRARY[name]()
    result = backtest(strategy, bars, commission=0.0005)
    assert result.metrics["n_orders"] > (0 if name == "buy_and_hold" else 10)
    assert_same_orders(result, backtest(twin_of(name, strategy), bars, commission=0.0005))


@pytest.mark.parametrize("name", LIBRARY)
@given(seed=st.integers(0, 10_000), tick=st.sampled_from([0.01, 0.1, 0.7, 5.0]), n=st.integers(2, 250))
def test_a_strategy_and_its_twin_give_identical_orders_on_ties(name: str, seed: int, tick: float, n: int) -> None:
    bars, strategy = tick_bars(n, seed, tick), LIBRARY[name](**SHORT[name])
    assert_same_orders(backtest(strategy, bars), backtest(twin_of(name, strategy), bars))


@pytest.mark.parametrize("name", LIBRARY)
@given(seed=st.integers(0, 10_000), known=st.integers(10, 160), fill=st.sampled_from(["next_open", "next_close"]))
def test_bars_that_come_later_change_no_past_order_and_no_past_equity(
    name: str, seed: int, known: int, fill: str
) -> None:
    strategy = LIBRARY[name](**SHORT[name])
    bars = tick_bars(170, seed, 0.25)
    other = pd.concat([bars.iloc[:known], bars.iloc[known:] * 3.0])
    past = backtest(strategy, bars.iloc[:known], fill=fill, commission=0.001, borrow=0.02)
    for whole in (bars, other):
        later = backtest(strategy, whole, fill=fill, commission=0.001, borrow=0.02)
        np.testing.assert_array_equal(later.equity_values[:known], past.equity_values)
        done = later.order_columns["filled_at"] < known
        for column in ("decided_at", "filled_at", "units", "price", "commission", "reason"):
            np.testing.assert_array_equal(later.order_columns[column][done], past.order_columns[column])


@given(seed=st.integers(0, 10_000), known=st.integers(30, 400))
def test_higher_timeframes_on_intraday_bars_see_no_unfinished_bar(seed: int, known: int) -> None:
    bars = tick_bars(450, seed, 0.25).set_axis(pd.date_range("2024-01-01", periods=450, freq="h", tz="UTC"))
    strategy = Strategy(
        'close > tf("4h", sma(close, 3)) and tf("1d", close) > tf("1d", sma(close, 2))', 'close < tf("4h", close)'
    )
    past, later = backtest(strategy, bars.iloc[:known]), backtest(strategy, bars)
    np.testing.assert_array_equal(later.equity_values[:known], past.equity_values)


@given(seed=st.integers(0, 10_000))
def test_cash_and_position_make_the_equity_at_every_bar(seed: int) -> None:
    bars = tick_bars(200, seed, 0.25)
    result = backtest(LIBRARY["donchian_turtle"](**SHORT["donchian_turtle"]), bars, commission=0.001, slippage=0.0005)
    orders = result.order_columns
    cash = np.full(len(bars), result.cash)
    units = np.zeros(len(bars))
    for at, traded, price, fee in zip(
        orders["filled_at"], orders["units"], orders["price"], orders["commission"], strict=True
    ):
        cash[at:] -= traded * price + fee
        units[at:] += traded
    np.testing.assert_allclose(result.equity_values, cash + units * bars["close"].to_numpy(), rtol=1e-9)
    np.testing.assert_allclose(result.units_values, units, atol=1e-9)
