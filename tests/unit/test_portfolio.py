"""`backtest` and `optimize` of several instruments: forms, figures worked out by hand, errors that help."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.run import backtest
from algotrendy.backtest.sweep import optimize
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.panel import Panel
from algotrendy.errors import InputError
from algotrendy.strategy import Strategy, library

DAYS = pd.bdate_range("2024-01-01", periods=6)


def flat(*prices: float, days: pd.DatetimeIndex = DAYS) -> pd.DataFrame:
    """Bars that open and close at one price each."""
    values = np.array(prices, dtype=float)
    return pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), values), index=days[: len(prices)])


TWO = {"A": flat(10, 10, 20, 20, 20, 20), "B": flat(50, 50, 50, 25, 25, 25)}


def random_bars(n: int = 300, seed: int = 1, start: str = "2020-01-01") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0002, 0.01, n)))
    open_ = np.concatenate(([100.0], close[:-1])) * (1.0 + rng.normal(0.0, 0.002, n))
    high, low = np.maximum(open_, close) * 1.002, np.minimum(open_, close) * 0.998
    columns = {"open": open_, "high": high, "low": low, "close": close}
    return pd.DataFrame(columns, index=pd.bdate_range(start, periods=n))


FIVE = {f"S{k}": random_bars(seed=k) for k in range(5)}


# --- target weights, by hand ---


def test_weights_buy_at_the_next_open_and_leave_the_rest_in_cash() -> None:
    result = backtest(TWO, weights={"A": 0.5, "B": 0.25}, cash=1000.0)
    assert result.positions.iloc[1].tolist() == [50.0, 5.0]
    assert result.cash_series.tolist() == [1000.0, 250.0, 250.0, 250.0, 250.0, 250.0]
    assert result.equity.tolist() == [1000.0, 1000.0, 1500.0, 1375.0, 1375.0, 1375.0]
    assert result.weights.iloc[-1].tolist() == pytest.approx([1000 / 1375, 125 / 1375])
    assert result.metrics["n_orders"] == 2
    assert result.metrics["n_trades"] == 0


def test_nan_leaves_alone_zero_closes_and_a_trade_is_at_average_cost() -> None:
    weights = pd.DataFrame({"A": [0.5, np.nan, 0.0], "B": [np.nan, 0.2, np.nan]}, index=DAYS[[0, 2, 3]])
    result = backtest(TWO, weights=weights, cash=1000.0)
    orders = result.orders
    assert orders["symbol"].tolist() == ["A", "B", "A"]
    assert orders["units"].tolist() == [50.0, 0.2 * 1500 / 25, 50.0]  # B is bought at 25, after its fall
    trade = result.trades.iloc[0]
    assert (trade["symbol"], trade["pnl"], trade["return"], trade["bars_held"]) == ("A", 500.0, 1.0, 3)


def test_purchases_are_scaled_by_one_factor_when_costs_do_not_fit() -> None:
    result = backtest(TWO, weights={"A": 0.5, "B": 0.5}, cash=1000.0, commission=0.25)
    assert result.orders["units"].tolist() == pytest.approx([40.0, 8.0])  # 800 of purchases and 200 of commission
    assert result.cash_series.iloc[1] == pytest.approx(0.0, abs=1e-9)


def test_a_schedule_brings_weights_back_and_a_tolerance_leaves_them() -> None:
    again = backtest(TWO, weights={"A": 0.5, "B": 0.5}, rebalance=2, cash=1000.0)
    assert again.metrics["n_orders"] == 4  # decided at bar 2, when A has doubled
    assert again.weights.iloc[3].tolist() == pytest.approx([0.5, 0.5])
    near = backtest(TWO, weights={"A": 0.5, "B": 0.5}, rebalance=2, tolerance=0.35, cash=1000.0)
    assert near.metrics["n_orders"] == 2


@pytest.mark.parametrize(("text", "count"), [("1wk", 5), ("1mo", 2), ("1d", 21)])
def test_a_schedule_of_periods_begins_with_their_first_bar(text: str, count: int) -> None:
    days = pd.bdate_range("2024-01-03", "2024-01-31").append(pd.bdate_range("2024-02-01", periods=1))
    rng = np.random.default_rng(1)
    bars = {name: flat(*rng.uniform(50, 100, len(days)), days=days) for name in "AB"}
    result = backtest(bars, weights={"A": 0.5, "B": 0.5}, rebalance=text, fill="same_close")
    assert result.orders["decided_at"].nunique() == {"1wk": count, "1mo": count, "1d": len(days)}[text]


def test_short_weights_pay_borrow_and_gain_when_prices_fall() -> None:
    result = backtest(TWO, weights={"B": -0.5}, cash=1000.0, borrow=0.252, periods_per_year=252)
    assert result.positions["B"].iloc[1] == -10.0
    assert result.metrics["borrow_paid"] == pytest.approx(0.001 * 10 * (50 + 50 + 25 + 25))
    assert result.equity.iloc[-1] == pytest.approx(1000 + 250 - 1.5)


def test_an_instrument_without_a_bar_waits_and_is_valued_at_its_last_close() -> None:
    stock = flat(10, 10, 20, days=DAYS[[0, 2, 3]])
    coin = flat(5, 5, 5, 5, 5, 5)
    result = backtest({"STOCK": stock, "COIN": coin}, weights={"STOCK": 0.5, "COIN": 0.5}, cash=1000.0)
    assert result.orders[["symbol", "filled_at"]].values.tolist() == [
        ["COIN", DAYS[1]],
        ["STOCK", DAYS[2]],
        ["STOCK", DAYS[4]],
    ]
    assert result.orders["reason"].tolist() == ["rebalance", "rebalance", "delisting"]
    assert result.equity.tolist() == [1000.0, 1000.0, 1000.0, 1500.0, 1500.0, 1500.0]
    assert any("ends before the panel" in text for text in result.warnings)


def test_a_delisting_may_lose_a_share() -> None:
    bars = {"GONE": flat(10, 10, 10), "STAYS": flat(1, 1, 1, 1, 1, 1)}
    result = backtest(bars, weights={"GONE": 1.0}, cash=1000.0, commission=0.0, delisting_return={"GONE": -0.3})
    assert result.equity.tolist() == [1000.0, 1000.0, 1000.0, 700.0, 700.0, 700.0]


def test_a_future_counts_with_its_multiplier() -> None:
    future = Instrument(asset_class="futures", venue="CME", symbol="ES", multiplier=50)  # type: ignore[arg-type]
    result = backtest({future: flat(10, 10, 11)}, weights={"ES": 1.0}, cash=1000.0)
    assert result.orders["units"].tolist() == [2.0]
    assert result.orders["price"].tolist() == [10.0]
    assert result.equity.iloc[-1] == pytest.approx(1100.0)
    assert result.contributions["open_pnl"].tolist() == pytest.approx([100.0])


# --- explicit orders, by hand ---


def ohlc(*rows: tuple[float, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["open", "high", "low", "close"], index=DAYS[: len(rows)])


BAR = ohlc((10, 10, 10, 10), (10, 12, 8, 11), (13, 14, 7, 9), (9, 9, 9, 9))


def test_a_limit_fills_at_the_open_if_that_is_better_and_a_stop_pays_slippage() -> None:
    orders = [
        {"time": DAYS[0], "symbol": "A", "quantity": 1, "type": "limit", "limit_price": 9.0},
        {"time": DAYS[1], "symbol": "A", "quantity": -1, "type": "limit", "limit_price": 12.5},
        {"time": DAYS[0], "symbol": "A", "quantity": 2, "type": "stop", "stop_price": 11.5},
    ]
    result = backtest({"A": BAR}, orders=orders, slippage=0.01)
    assert result.orders["price"].tolist() == pytest.approx([11.5 * 1.01, 9.0, 13.0])
    assert result.orders["reason"].tolist() == ["stop", "limit", "limit"]


def test_in_a_bracket_the_worse_side_counts_when_one_bar_touches_both() -> None:
    orders = [
        {"time": DAYS[0], "symbol": "A", "quantity": 1, "id": "in"},
        {
            "time": DAYS[0],
            "symbol": "A",
            "quantity": -1,
            "type": "stop",
            "stop_price": 8.5,
            "parent": "in",
            "group": "o",
        },
        {
            "time": DAYS[0],
            "symbol": "A",
            "quantity": -1,
            "type": "limit",
            "limit_price": 11.5,
            "parent": "in",
            "group": "o",
        },
    ]
    result = backtest({"A": BAR}, orders=orders)
    assert result.trades["exit_price"].tolist() == [8.5]
    assert result.requests is not None
    assert result.requests["status"].tolist() == ["filled", "filled", "cancelled"]


def test_a_child_of_an_entry_inside_the_bar_may_be_stopped_there_but_gains_only_later() -> None:
    orders = [
        {"time": DAYS[0], "symbol": "A", "quantity": 1, "type": "limit", "limit_price": 9.0, "id": "in"},
        {"time": DAYS[0], "symbol": "A", "quantity": -1, "type": "limit", "limit_price": 11.0, "parent": "in"},
    ]
    result = backtest({"A": BAR}, orders=orders)
    assert result.orders["price"].tolist() == [9.0, 13.0]
    orders[1] = {"time": DAYS[0], "symbol": "A", "quantity": -1, "type": "stop", "stop_price": 8.5, "parent": "in"}
    stopped = backtest({"A": BAR}, orders=orders)
    assert stopped.trades["bars_held"].tolist() == [0]


def test_what_does_not_fit_is_refused_and_a_day_order_ends_with_its_day() -> None:
    orders = pd.DataFrame(
        {
            "time": [DAYS[0], DAYS[0]],
            "symbol": ["A", "A"],
            "side": ["buy", "BUY"],
            "quantity": [1e6, 1.0],
            "type": ["market", "limit"],
            "limit_price": [np.nan, 7.5],
            "time_in_force": [None, "DAY"],
        }
    )
    result = backtest({"A": BAR}, orders=orders, cash=100.0)
    assert result.requests is not None
    assert result.requests["status"].tolist() == ["refused", "expired"]
    assert "1 of 2 orders were refused" in result.warnings[0]


# --- signals with ranking ---


def test_entries_compete_by_rank_and_share_the_equity() -> None:
    always = Strategy(entry="close > 0")
    bars = {name: flat(*np.full(6, price)) for name, price in (("LOW", 10.0), ("HIGH", 30.0), ("MID", 20.0))}
    result = backtest(always, bars, max_positions=2, rank="close", cash=1000.0)
    assert result.orders["symbol"].tolist() == ["HIGH", "MID"]
    assert result.weights.iloc[-1].tolist() == pytest.approx([0.0, 0.5, 0.5])
    plain = backtest(always, bars, max_positions=2)
    assert plain.orders["symbol"].tolist() == ["LOW", "HIGH"]


@pytest.mark.parametrize(
    "form",
    [
        lambda bars: bars,
        Panel.of,
        lambda bars: pd.concat([b.assign(symbol=s) for s, b in bars.items()]),
        lambda bars: pd.concat(bars, axis=1).swaplevel(axis=1),
    ],
    ids=["mapping", "panel", "long", "wide"],
)
def test_every_form_of_bars_gives_the_same(form: Any) -> None:
    cross = library.sma_cross(5, 20)
    expected = backtest(cross, FIVE, max_positions=2, rank="momentum(close, 10)")
    found = backtest(cross, form(FIVE), max_positions=2, rank="momentum(close, 10)")
    pd.testing.assert_series_equal(found.equity, expected.equity, check_freq=False)


def test_one_instrument_is_the_single_backtest() -> None:
    cross = library.macd_long_short()
    one, many = backtest(cross, FIVE["S1"], stop=0.05), backtest(cross, {"S1": FIVE["S1"]}, stop=0.05)
    assert isinstance(one, BacktestResult)
    assert isinstance(many, PortfolioResult)
    np.testing.assert_array_equal(one.equity_values, many.equity_values)
    assert list(one.metrics) == list(many.metrics)
    assert [v for v in one.metrics.values() if v == v] == [v for v in many.metrics.values() if v == v]


def test_signals_may_be_frames_and_functions() -> None:
    closes = pd.DataFrame({name: bars["close"] for name, bars in FIVE.items()})
    up = closes > closes.shift(5)
    frames = backtest(FIVE, entries=up, exits=~up, max_positions=2)
    function = backtest(
        lambda bars, params: {
            "entries": bars["close"] > bars["close"].shift(5),
            "exits": ~(bars["close"] > bars["close"].shift(5)),
        },
        FIVE,
        max_positions=2,
    )
    pd.testing.assert_frame_equal(frames.orders, function.orders)


def test_members_enter_only_while_they_are_and_leave_afterwards() -> None:
    always = Strategy(entry="close > 0")
    bars = {name: flat(10, 10, 10, 10, 10, 10) for name in "AB"}
    result = backtest(always, bars, members={"A": (DAYS[1], DAYS[2])}, max_positions=2)
    assert result.orders[["side", "decided_at"]].values.tolist() == [["BUY", DAYS[1]], ["SELL", DAYS[3]]]
    table = pd.DataFrame({"symbol": ["A"], "start": [DAYS[1]], "end": [DAYS[2]]})
    flags = pd.DataFrame({"A": [True, False]}, index=DAYS[[1, 3]])
    for members in (table, flags):
        again = backtest(always, bars, members=members, max_positions=2)
        pd.testing.assert_frame_equal(again.orders, result.orders)


def test_a_universe_without_members_is_warned_of() -> None:
    assert any("survivorship" in text for text in backtest(library.sma_cross(), FIVE).warnings)
    spans = dict.fromkeys(FIVE, (None, None))
    assert not any("survivorship" in text for text in backtest(library.sma_cross(), FIVE, members=spans).warnings)


# --- sweeps ---


@pytest.mark.parametrize("holes", [False, True])
def test_each_row_of_a_sweep_is_the_single_run(holes: bool) -> None:
    bars = {
        name: each[each.index.day_of_week != k] if holes and k else each for k, (name, each) in enumerate(FIVE.items())
    }
    grid = {"fast": [3, 5], "slow": [10, 20], "stop": [0.02, 0.1], "commission": [0.0, 0.001]}
    options = {"max_positions": 2, "rank": "momentum(close, fast)", "borrow": 0.01}
    sweep = optimize(library.sma_cross(), bars, grid, **options, workers=2, progress=False)
    assert len(sweep.table) == 16
    for row in (0, 5, 15):
        metrics = sweep.run(row).metrics
        for name in ("final_equity", "sharpe_ratio", "max_drawdown", "n_trades", "costs_paid"):
            assert sweep.table[name].iloc[row] == metrics[name], name


def test_a_sweep_varies_borrow_levels_and_python_functions() -> None:
    both = library.macd_long_short().with_params(trail="2 * atr(10) / close")
    sweep = optimize(both, FIVE, {"borrow": [0.0, 0.5], "fast": [8, 12]}, progress=False)
    assert sweep.table["borrow_paid"].tolist()[2:] > sweep.table["borrow_paid"].tolist()[:2]
    assert sweep.table["final_equity"].iloc[3] == sweep.run(3).metrics["final_equity"]

    def momentum(bars: pd.DataFrame, params: Any) -> Any:
        up = bars["close"] > bars["close"].shift(params["n"])
        return {"entries": up, "exits": ~up}

    rows = optimize(momentum, FIVE, {"n": [3, 9]}, params={"n": 3}, max_positions=1, progress=False)
    assert rows.table["final_equity"].nunique() == 2


# --- what a result can do ---


def test_contributions_add_up_to_the_change_of_the_account() -> None:
    result = backtest(
        library.macd_long_short(), FIVE, commission=Fees(rate=0.001, minimum=1.0), borrow=0.05, slippage=0.001
    )
    frame = result.contributions
    assert frame["pnl"].sum() + frame["open_pnl"].sum() == pytest.approx(result.equity.iloc[-1] - result.cash)
    assert frame["costs"].sum() == pytest.approx(result.metrics["costs_paid"])


def test_a_result_is_shown_drawn_reported_and_pickled(tmp_path: Path) -> None:
    result = backtest(library.sma_cross(5, 20), FIVE, max_positions=2, rank="close", commission={"S0": 0.001})
    text = result.summary()
    assert max(map(len, text.splitlines())) <= 80
    assert "Max positions         2" in text
    assert len(result.plot().data) == 5 + 5
    assert "SMA cross, 5 instruments" in result._repr_html_()
    page = result.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "What instruments earned" in page
    assert "survivorship" in page.lower()
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(again.trades, result.trades)
    assert repr(result).startswith("PortfolioResult(n_instruments=5, n_bars=300")
    assert result.exposure["gross"].max() <= 1.0 + 1e-9
    assert result.drawdown.max() == pytest.approx(result.metrics["max_drawdown"])
    assert result.monthly_returns.shape[1] == 13


def test_costs_by_symbol_are_those_of_the_symbol() -> None:
    result = backtest(TWO, weights={"A": 0.4, "B": 0.4}, commission={"A": 0.01}, cash=1000.0)
    assert result.orders["commission"].tolist() == [4.0, 0.0]
    whole = backtest(TWO, weights={"A": 0.43, "B": 0.43}, units="whole", lot_size={"A": 10.0, "B": 1.0}, cash=1000.0)
    assert whole.orders["units"].tolist() == [40.0, 8.0]


# --- errors ---


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: backtest(TWO), "weights=frame"),
        (lambda: backtest(TWO, weights={"A": 1.0}, orders=[{}]), "weights and orders"),
        (lambda: backtest(TWO, weights={"A": 1.0}, entries=[True]), "weights and entries"),
        (lambda: backtest(library.sma_cross(), TWO, weights={"A": 1.0}), "bars come first"),
        (lambda: backtest(library.sma_cross(), TWO, rebalance="1mo"), "rebalance belongs to"),
        (lambda: backtest(library.sma_cross(), TWO["A"], max_positions=2), "max_positions belongs to"),
        (lambda: backtest(library.sma_cross(), TWO, chart="renko"), "chart is for one instrument"),
        (lambda: backtest(TWO, weights={"A": 0.8, "B": 0.8}), "sum to 1.6 in magnitude, above max_leverage=1"),
        (lambda: backtest(TWO, weights={"A": 40.0}), "5 % is 0.05"),
        (lambda: backtest(TWO, weights={"C": 0.5}), "column 'C', which has no bars"),
        (lambda: backtest(TWO, weights=[0.5, 0.5]), "weights is a list"),
        (lambda: backtest(TWO, weights={"A": 1.0}, rebalance="often"), 'use "1d"'),
        (lambda: backtest(TWO, weights={"A": 1.0}, rebalance=0), "rebalance is 0"),
        (lambda: backtest(TWO, weights={"A": 1.0}, tolerance=5), "tolerance is 5"),
        (
            lambda: backtest(TWO, weights=pd.DataFrame({"A": [1.0]}, index=[pd.Timestamp("2030-01-01")])),
            "after the last bar",
        ),
        (lambda: backtest(TWO, weights={"A": 1.0}, delisting_return=-2), "delisting_return is -2"),
        (lambda: backtest(TWO, weights={"A": 1.0}, commission={"X": 0.1}), "names the symbol 'X'"),
        (lambda: backtest(TWO, weights={"A": 1.0}, cash={"A": 5.0}), "one for the whole account"),
        (lambda: backtest(library.sma_cross(), TWO, max_positions=0), "max_positions is 0"),
        (lambda: backtest(library.sma_cross(), TWO, rank=5), "rank is a int"),
        (lambda: backtest(TWO, entries=[True] * 6), "one array for 2 instruments"),
        (lambda: backtest(library.sma_cross(), TWO, members={"X": (None, None)}), "no instrument is ever a member"),
        (lambda: backtest(library.sma_cross(), TWO, members=5), "members is a int"),
        (lambda: backtest(TWO, orders=[]), "orders has no row"),
        (lambda: backtest(TWO, orders=[{"time": DAYS[0], "symbol": "A"}]), "no column 'quantity'"),
        (lambda: backtest(TWO, orders=[{"time": DAYS[0], "symbol": "C", "quantity": 1}]), "which has no bars"),
        (
            lambda: backtest(TWO, orders=[{"time": DAYS[0], "symbol": "A", "quantity": 1, "typ": "x"}]),
            "unknown column 'typ'",
        ),
        (
            lambda: backtest(TWO, orders=[{"time": DAYS[0], "symbol": "A", "quantity": 1, "type": "limit"}]),
            "limit_price",
        ),
        (lambda: backtest(TWO, orders=[{"time": DAYS[0], "symbol": "A", "quantity": 0}]), "units, not zero"),
        (
            lambda: backtest(TWO, orders=[{"time": DAYS[0], "symbol": "A", "quantity": 1, "parent": "x"}]),
            "id of no other",
        ),
        (lambda: backtest({"A": TWO["A"], "B": TWO["B"][:1]}, weights={"A": 1.0}), "B has 1 bars"),
    ],
)
def test_a_wrong_call_is_told_what_to_write(call: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        call()
    assert message in str(error.value)


def test_currencies_are_not_mixed() -> None:
    euro = Instrument(asset_class="stock", venue="XETR", symbol="SAP", currency="EUR")  # type: ignore[arg-type]
    dollar = Instrument(asset_class="stock", venue="XNAS", symbol="AAPL")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="EUR, USD"):
        backtest({euro: TWO["A"], dollar: TWO["B"]}, weights={"SAP": 0.5})
