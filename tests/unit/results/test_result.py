"""A result hands out frames that say what the arrays say."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.backtest.curves import buy_and_hold, metrics_of_curve
from algotrendy.backtest.result import BacktestResult

Make = Callable[..., BacktestResult]


def test_equity_is_a_series_over_the_bars(made: BacktestResult) -> None:
    assert made.equity.index.equals(made.bars.index)
    assert made.equity.to_numpy().tolist() == made.equity_values.tolist()
    assert made.equity.name == "equity"
    assert made.equity is made.equity


def test_changing_a_series_changes_no_result(made: BacktestResult) -> None:
    before = made.equity_values[3]
    made.equity.iloc[3] = 0.0
    assert made.equity_values[3] == before


def test_returns_compound_from_the_initial_cash_to_the_final_equity(made: BacktestResult) -> None:
    assert (1.0 + made.returns).prod() == pytest.approx(made.equity_values[-1] / made.cash)


def test_returns_are_taken_between_valuation_marks(make: Make) -> None:
    marks = np.array([9, 19, 499])
    result = make(marks=marks)
    equity = result.equity_values
    assert result.returns.index.equals(result.bars.index[marks])
    expected = [equity[9] / result.cash - 1, equity[19] / equity[9] - 1, equity[499] / equity[19] - 1]
    assert result.returns.tolist() == pytest.approx(expected)


def test_returns_of_intraday_bars_are_taken_between_sessions(
    make: Make, make_walk: Callable[..., pd.DataFrame]
) -> None:
    bars = make_walk(72, 1, freq="h", tz="UTC")
    assumptions = dict(make().assumptions) | {"interval": "1h", "calendar": "24/7"}
    assert make(bars=bars, assumptions=assumptions).returns.index.tolist() == bars.index[[23, 47, 71]].tolist()


def test_drawdown_is_a_positive_fraction_that_peaks_at_the_metric(made: BacktestResult) -> None:
    assert made.drawdown.min() >= 0.0
    assert made.drawdown.max() == pytest.approx(made.metrics["max_drawdown"])


def test_exposure_is_the_share_of_equity_in_the_position(make: Make) -> None:
    short = make(side=-1)
    expected = short.units_values * short.bars["close"] / short.equity_values
    assert short.exposure.tolist() == pytest.approx(expected.tolist())
    assert short.exposure.min() < 0.0


def test_exposure_is_unknown_where_nothing_is_left(make: Make) -> None:
    equity = np.full(500, 100.0)
    equity[-1] = 0.0
    assert np.isnan(make(equity_values=equity).exposure.iloc[-1])


def test_orders_carry_stamps_sides_and_reasons(made: BacktestResult) -> None:
    orders = made.orders
    assert list(orders.columns) == [
        "decided_at", "filled_at", "side", "units", "price", "commission", "slippage", "reason",
    ]  # fmt: skip
    assert (orders["units"] > 0).all()
    assert orders["side"].tolist()[:3] == ["BUY", "SELL", "BUY"]
    assert orders["reason"].tolist()[:3] == ["entry", "exit", "entry"]
    assert orders["filled_at"].iloc[0] == made.bars.index[20]
    assert orders["decided_at"].iloc[0] == made.bars.index[19]
    assert orders["commission"].sum() == pytest.approx(made.metrics["commission_paid"])


def test_trades_carry_stamps_sides_and_returns(make: Make) -> None:
    trades = make(side=-1).trades
    assert set(trades["side"]) == {"short"}
    assert (trades["bars_held"] == 20).all()
    assert trades["return"].tolist() == pytest.approx(
        (trades["pnl"] / (trades["units"] * trades["entry_price"])).tolist()
    )
    assert (trades["exit_at"] > trades["entry_at"]).all()


def test_an_order_without_a_decision_bar_has_no_time_of_decision(make: Make, made: BacktestResult) -> None:
    columns = {key: values.copy() for key, values in made.order_columns.items()}
    columns["decided_at"][1] = -1
    assert pd.isna(make(order_columns=columns).orders["decided_at"].iloc[1])


def test_a_result_without_trades_has_empty_frames(make: Make) -> None:
    result = make(10, held=50)
    assert result.orders.empty
    assert result.trades.empty
    assert result.worst_drawdowns.empty
    assert "return" in result.trades.columns


def test_a_result_of_one_bar_can_be_looked_at(make: Make) -> None:
    result = make(1)
    assert result.summary()
    assert result._repr_html_()
    assert len(result.plot().data) > 0
    assert result.monthly_returns.shape == (1, 13)


def test_worst_drawdowns_name_their_bars(make: Make) -> None:
    equity = np.concatenate(([9_000.0, 10_500.0, 8_400.0, 10_500.0], np.full(496, 10_500.0)))
    equity[-1] = 10_000.0
    frame = make(equity_values=equity).worst_drawdowns
    index = make().bars.index
    assert frame["depth"].tolist() == pytest.approx([0.2, 0.1, 1 / 21])
    assert frame["start"].tolist() == [index[1], index[0], index[-2]]
    assert frame["valley"].tolist() == [index[2], index[0], index[-1]]
    assert frame["end"].tolist()[:2] == [index[3], index[1]]
    assert pd.isna(frame["end"].iloc[2])
    assert frame["n_bars"].tolist() == [2, 2, 1]


def test_mappings_are_read_only(made: BacktestResult) -> None:
    for mapping in (made.metrics, made.params, made.assumptions, made.strategy, made.order_columns):
        with pytest.raises(TypeError):
            mapping["new"] = 1.0  # type: ignore[index]


@pytest.mark.parametrize("copied", [lambda r: pickle.loads(pickle.dumps(r)), copy.copy, copy.deepcopy])
def test_a_result_can_be_pickled_and_copied(made: BacktestResult, copied: Callable[[Any], Any]) -> None:
    other = copied(made)
    assert dict(other.params) == dict(made.params)
    assert other.input_hash == made.input_hash
    assert other.equity.equals(made.equity)


def test_the_short_form_says_what_came_out(made: BacktestResult) -> None:
    assert repr(made).startswith("BacktestResult(n_bars=500, total_return=")


# --- buying and holding, by hand ---

BARS = pd.DataFrame({"open": [10.0, 20.0, 40.0], "close": [16.0, 25.0, 50.0]})


@pytest.mark.parametrize(
    ("assumptions", "expected"),
    [
        ({"fill": "next_open"}, [1000.0, 1250.0, 2500.0]),  # 1000 / 20 = 50 units
        ({"fill": "next_close"}, [1000.0, 1000.0, 2000.0]),  # 1000 / 25 = 40 units
        ({"fill": "same_close"}, [1000.0, 1562.5, 3125.0]),  # 1000 / 16 = 62.5 units
        ({"fill": "next_open", "commission": 0.25}, [1000.0, 1000.0, 2000.0]),  # 1000 / (20 * 1.25)
        ({"fill": "next_open", "slippage": 0.25}, [1000.0, 1000.0, 2000.0]),
        ({"fill": "next_open", "commission": {"per_unit": 5.0}}, [1000.0, 1000.0, 2000.0]),  # 1000 / (20 + 5)
        ({"fill": "next_open", "commission": {"fixed": 200.0}}, [1000.0, 1000.0, 2000.0]),  # (1000 - 200) / 20
        ({"fill": "next_open", "commission": {"rate": 0.01, "minimum": 200.0}}, [1000.0, 1000.0, 2000.0]),
        ({"fill": "next_open", "commission": {"fixed": 2000.0}}, [1000.0, 1000.0, 1000.0]),  # not enough cash to buy
    ],
)
def test_buying_and_holding_buys_at_the_first_possible_price(
    assumptions: dict[str, Any], expected: list[float]
) -> None:
    assert buy_and_hold(BARS, {"cash": 1000.0} | assumptions).tolist() == pytest.approx(expected)


def test_buying_and_holding_one_bar_buys_nothing_at_the_next_open() -> None:
    assert buy_and_hold(BARS.iloc[:1], {"cash": 1000.0, "fill": "next_open"}).tolist() == [1000.0]


def test_figures_of_a_curve_equal_their_definitions() -> None:
    equity = np.array([110.0, 99.0, 108.9])
    figures = metrics_of_curve(equity, np.arange(3), cash=100.0, periods_per_year=12.0, risk_free_rate=0.0)
    returns = np.array([0.1, -0.1, 0.1])
    assert figures.total_return == pytest.approx(0.089)
    assert figures.annual_return == pytest.approx(1.089**4 - 1)
    assert figures.volatility == pytest.approx(returns.std(ddof=1) * 12**0.5)
    assert figures.sharpe_ratio == pytest.approx(returns.mean() / returns.std(ddof=1) * 12**0.5)
    assert figures.max_drawdown == pytest.approx(0.1)


def test_a_curve_that_never_moved_has_no_sharpe_ratio() -> None:
    flat = metrics_of_curve(np.full(5, 100.0), np.arange(5), cash=100.0, periods_per_year=252.0, risk_free_rate=0.02)
    assert np.isnan(flat.sharpe_ratio)
    assert flat.max_drawdown == 0.0
