"""What five other libraries report of one strategy is what we report.

`benchmarks/cross_check.py --write` recorded what vectorbt 1.2.0, backtesting.py 0.6.6, bt 1.4.1, zipline-reloaded 3.2.1
and quantstats 0.0.86 said of the NASDAQ sample (`trades/peers.json`). Only what agrees without a change of definition
stands here, a percent sign and the sign of a drawdown apart; `make cross-check` compares the rest.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at

FOLDER = Path(__file__).resolve().parent / "trades"
PEERS = json.loads((FOLDER / "peers.json").read_text(encoding="utf-8"))
SHARES = {"fill": "next_close", "size": at.FixedUnits(10)}
RATIOS = {"sharpe": "sharpe_ratio", "sortino": "sortino_ratio"}
VECTORBT = {
    "final_value()": ("final_equity", 1),
    "Total Fees Paid": ("commission_paid", 1),
    "sharpe_ratio(), year_freq='252 days'": ("sharpe_ratio", 1),
    "max_drawdown()": ("max_drawdown", -1),
    "Win Rate [%]": ("win_rate", 100),
    "Profit Factor": ("profit_factor", 1),
    "Expectancy": ("expectancy", 1),
}
BACKTESTING = {
    "Equity Final [$]": ("final_equity", 1),
    "Commissions [$]": ("commission_paid", 1),
    "Max. Drawdown [%]": ("max_drawdown", -100),
    "# Trades": ("n_trades", 1),
    "Win Rate [%]": ("win_rate", 100),
}
ZIPLINE = {
    "portfolio_value": ("final_equity", 1),
    "algo_volatility": ("volatility", 1),
    "max_drawdown": ("max_drawdown", -1),
} | {theirs: (name, 1) for theirs, name in RATIOS.items()}
QUANTSTATS = {
    "comp": ("total_return", 1),
    "cagr": ("annual_return", 1),
    "volatility": ("volatility", 1),
    "calmar": ("calmar_ratio", 1),
    "max_drawdown": ("max_drawdown", -1),
} | {theirs: (name, 1) for theirs, name in RATIOS.items()}


@cache
def bars() -> pd.DataFrame:
    """The sample as zipline can store it."""
    return at.sample("NASDAQ").round(3)


@pytest.mark.parametrize(
    ("peer", "run", "names", "options"),
    [
        ("vectorbt", "its way", VECTORBT, {"fill": "same_close", "commission": 0.001}),
        ("vectorbt", "next open", VECTORBT, {"commission": 0.001}),
        ("backtesting", "its way", BACKTESTING, {"units": "whole", "commission": 0.001}),
        ("backtesting", "fractional", BACKTESTING, {"units": "whole", "lot_size": 1e-6, "commission": 0.001}),
        (
            "backtesting",
            "trade on close",
            BACKTESTING,
            {"units": "whole", "fill": "same_close", "commission": 0.001},
        ),
        ("zipline", "shares", ZIPLINE, {**SHARES, "commission": 0.001}),
        ("zipline", "shares, per share", ZIPLINE, {**SHARES, "commission": at.Fees(per_unit=0.05, minimum=1.0)}),
        ("zipline", "shares, basis points", ZIPLINE, {**SHARES, "commission": at.Fees(fixed=2.0), "slippage": 5e-4}),
        ("quantstats", "returns", QUANTSTATS, {"commission": 0.001}),
        (
            "quantstats",
            "returns",
            {"sharpe(rf=0.02)": ("sharpe_ratio", 1)},
            {"commission": 0.001, "risk_free_rate": 0.02},
        ),
        (
            "quantstats",
            "returns",
            {"sortino(rf=0.02)": ("sortino_ratio", 1)},
            {"commission": 0.001, "risk_free_rate": 0.02},
        ),
    ],
)
def test_figures_of_a_peer_are_ours(
    peer: str, run: str, names: dict[str, tuple[str, int]], options: dict[str, Any]
) -> None:
    result = at.backtest(at.strategies.sma_cross(20, 50), bars(), **options)
    said = PEERS[peer]["runs"][run]
    ours = {theirs: factor * result.metrics[name] for theirs, (name, factor) in names.items()}
    assert ours == pytest.approx({theirs: said[theirs] for theirs in names}, rel=1e-9)


def test_stops_of_vectorbt_are_ours_where_nothing_asks_again() -> None:
    strategy = at.Strategy(
        entry="crosses_above(sma(close, 20), sma(close, 50))", exit="crosses_below(sma(close, 20), sma(close, 50))"
    )
    result = at.backtest(strategy, bars(), fill="same_close", commission=0.001, stop=0.05)
    said = PEERS["vectorbt"]["runs"]["stop, events"]
    assert result.metrics["final_equity"] == pytest.approx(said["final_value()"], rel=1e-9)
    assert (result.orders["reason"] == "stop").sum() > 5


def test_shares_counted_at_the_decision_are_all_that_differs_from_zipline() -> None:
    run = at.backtest(at.strategies.sma_cross(20, 50), bars(), fill="next_close", units="whole", commission=0.001)
    final = PEERS["zipline"]["runs"]["its way"]["portfolio_value"]
    report = at.explain_difference(run, pd.read_csv(FOLDER / "zipline_executions.csv"), final_equity=final)
    assert {part.name for part in report.parts if abs(part.amount) >= 0.005} == {"sizing"}
    assert sum(part.amount for part in report.parts) == pytest.approx(report.gap, rel=1e-9)


@pytest.mark.parametrize("peer", ["bt", "vectorbt_weights"])
def test_equal_weights_without_costs_end_alike(peer: str) -> None:
    rng = np.random.default_rng(7)
    steps = rng.normal(0.0003, 0.01, (1_000, 1)) + rng.normal(0.0, 0.012, (1_000, 8))
    days = pd.bdate_range("2018-01-01", periods=1_000)
    prices = pd.DataFrame(50.0 * np.exp(np.cumsum(steps, axis=0)), days, [f"S{j}" for j in range(8)])
    table = {name: pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), prices[name])) for name in prices}
    weights = dict.fromkeys(prices, 0.125)
    run = at.backtest(table, weights=weights, rebalance="1mo", fill="same_close", cash=1_000_000.0)
    final = PEERS[peer]["runs"]["no costs"]["final value"]
    assert run.metrics["final_equity"] == pytest.approx(final, rel=1e-9)


@pytest.mark.parametrize("peer", ["bt", "vectorbt_weights"])
def test_a_fill_at_the_close_is_all_that_differs_from_a_peer_of_several_instruments(peer: str) -> None:
    rng = np.random.default_rng(7)
    steps = rng.normal(0.0003, 0.01, (1_000, 1)) + rng.normal(0.0, 0.012, (1_000, 8))
    days = pd.bdate_range("2018-01-01", periods=1_000)
    prices = pd.DataFrame(50.0 * np.exp(np.cumsum(steps, axis=0)), days, [f"S{j}" for j in range(8)])
    table = {name: pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), prices[name])) for name in prices}
    weights = dict.fromkeys(prices, 0.125)
    final = PEERS[peer]["runs"]["no costs"]["final value"]
    ours, later = (
        at.backtest(table, weights=weights, rebalance="1mo", fill=fill, cash=1_000_000.0)
        for fill in ("same_close", "next_open")
    )
    signed = np.where(ours.orders["side"] == "BUY", 1.0, -1.0) * ours.orders["units"]
    index = pd.MultiIndex.from_arrays([ours.orders["filled_at"], ours.orders["symbol"]], names=["Date", "Security"])
    listed = pd.DataFrame({"price": ours.orders["price"].to_numpy(), "quantity": np.array(signed)}, index=index)
    equal = at.explain_difference(ours, listed, final_equity=final)
    assert all(equal.is_nothing(part) for part in equal.parts)
    report = at.explain_difference(later, listed, final_equity=final)
    assert report.largest.name == "timing"
    assert report.by_symbol.sum(axis=1).loc["timing"] == pytest.approx(report.amount("timing"), rel=1e-9)
    assert abs(report.rest) <= 1e-9 * final
