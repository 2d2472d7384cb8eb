"""What a result says about a real run: buying and holding, drawdowns and files agree with the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.wording import hold_metrics

COSTS = [{}, {"commission": 0.001, "slippage": 0.0005}, {"commission": at.Fees(per_unit=0.01, fixed=1.0, minimum=5.0)}]


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return at.synthetic(400, seed=5)


def crossed(bars: pd.DataFrame, **options: Any) -> at.BacktestResult:
    return at.backtest(at.strategies.sma_cross(fast=5, slow=20), bars, **options)


@pytest.mark.parametrize("fill", ["next_open", "next_close", "same_close"])
@pytest.mark.parametrize("costs", COSTS, ids=["free", "fractions", "fees"])
def test_buying_and_holding_equals_the_strategy_that_does_it(
    bars: pd.DataFrame, fill: str, costs: dict[str, Any]
) -> None:
    options = {"fill": fill, "risk_free_rate": 0.02} | costs
    result = at.backtest(at.strategies.buy_and_hold(), bars, **options)
    assert result.buy_and_hold.tolist() == pytest.approx(result.equity.tolist(), rel=1e-12)
    figures = hold_metrics(result)
    for name in figures._fields:
        assert getattr(figures, name) == pytest.approx(result.metrics[name], rel=1e-9), name


def test_the_deepest_drawdown_is_the_one_of_the_metrics(bars: pd.DataFrame) -> None:
    result = crossed(bars)
    worst = result.worst_drawdowns.iloc[0]
    assert worst["depth"] == pytest.approx(result.metrics["max_drawdown"])
    assert worst["start"] == result.metrics["max_drawdown_start"]
    assert worst["valley"] == result.metrics["max_drawdown_valley"]
    assert worst["end"] is result.metrics["max_drawdown_end"] or worst["end"] == result.metrics["max_drawdown_end"]


def test_returns_give_the_sharpe_ratio_of_the_metrics_on_daily_and_intraday_bars(bars: pd.DataFrame) -> None:
    hourly = bars.set_axis(pd.date_range("2024-01-01", periods=len(bars), freq="h", tz="UTC"), axis=0)
    for frame in (bars, hourly):
        result = crossed(frame)
        returns, periods = result.returns.to_numpy(), float(result.metrics["periods_per_year"])
        expected = returns.mean() / returns.std(ddof=1) * periods**0.5
        assert result.metrics["sharpe_ratio"] == pytest.approx(expected)
    assert len(result.returns) < len(hourly) / 20


def test_orders_and_trades_add_up_to_the_metrics(bars: pd.DataFrame) -> None:
    result = crossed(bars, commission=0.001, slippage=0.001)
    assert len(result.orders) == result.metrics["n_orders"]
    assert len(result.trades) == result.metrics["n_trades"]
    assert result.orders["commission"].sum() == pytest.approx(result.metrics["commission_paid"])
    assert result.trades["pnl"].mean() == pytest.approx(result.metrics["expectancy"])
    assert (result.exposure != 0).mean() == pytest.approx(result.metrics["time_in_market"])


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
@pytest.mark.parametrize("commission", [0.001, at.Fees(rate=0.001, minimum=1.0)], ids=["rate", "fees"])
def test_a_run_is_read_back_from_its_file(
    bars: pd.DataFrame, tmp_path: Path, suffix: str, commission: float | at.Fees
) -> None:
    result = crossed(bars, commission=commission)
    loaded = at.BacktestResult.load(result.save(tmp_path / f"run{suffix}"))
    pd.testing.assert_frame_equal(loaded.trades, result.trades, check_exact=True)
    pd.testing.assert_frame_equal(loaded.orders, result.orders, check_exact=True)
    pd.testing.assert_series_equal(loaded.equity, result.equity, check_exact=True)
    pd.testing.assert_series_equal(loaded.returns, result.returns, check_exact=True)
    assert loaded.summary() == result.summary()
    again = at.backtest(at.strategies.sma_cross(fast=5, slow=20), loaded.bars, commission=commission)
    assert again.input_hash == result.input_hash


def test_signals_given_as_arrays_have_a_summary_a_file_and_a_report(bars: pd.DataFrame, tmp_path: Path) -> None:
    up = bars["close"] > bars["close"].shift(1)
    stops = np.full(len(bars), 0.05)
    result = at.backtest(bars, entries=up, exits=~up, stop=stops)
    assert "Backtest of given signals" in result.summary()
    assert at.BacktestResult.load(result.save(tmp_path / "run.json")).summary() == result.summary()
    assert "Backtest of given signals" in result.report(tmp_path / "run.html").read_text(encoding="utf-8")


def test_a_report_shows_a_real_sweep(bars: pd.DataFrame, tmp_path: Path) -> None:
    strategy = at.strategies.sma_cross()
    sweep = at.optimize(strategy, bars, {"fast": [3, 5, 8], "slow": [20, 30]}, workers=1)
    page = sweep.best.report(tmp_path / "sweep.html", sweep=sweep).read_text(encoding="utf-8")
    assert "Parameter sweep" in page
    assert "Best combinations" in page
