"""The capacity curve: nothing changes without impact, and more money earns less with it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.capacity import square_root_impact
from algotrendy.errors import InputError

RUNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "long": (at.strategies.sma_cross(5, 20), {"commission": 0.001, "slippage": 0.0005}),
    "both sides": (at.strategies.macd_long_short(), {}),
    "stops": (at.strategies.sma_cross(5, 20), {"stop": 0.03, "target": 0.05, "fill": "next_close"}),
    "a part of the equity": (at.strategies.sma_cross(5, 20), {"size": 0.5}),
    "fixed units": (at.strategies.sma_cross(5, 20), {"size": at.FixedUnits(100)}),
}


def run(name: str) -> at.BacktestResult:
    strategy, options = RUNS[name]
    return at.backtest(strategy, at.synthetic(n=600, seed=3), **options)


@pytest.mark.parametrize("name", RUNS)
def test_without_impact_and_limits_any_capital_earns_what_the_run_did(name: str) -> None:
    result = run(name)
    table = result.capacity([result.cash, 10 * result.cash], impact=0.0, participation=None).table
    for metric in ("total_return", "sharpe_ratio", "max_drawdown", "volatility"):
        assert table[metric].tolist() == pytest.approx([float(result.metrics[metric])] * 2, rel=1e-9)
    assert table["filled_share"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", RUNS)
def test_more_money_earns_less_and_very_little_earns_what_the_run_did(name: str) -> None:
    result = run(name)
    table = result.capacity([1e-3, 1e4, 1e5, 1e6, 1e7, 1e8], participation=None).table
    returns = table["total_return"].to_numpy()
    assert (np.diff(returns) < 0.0).all()
    assert returns[0] == pytest.approx(float(result.metrics["total_return"]), abs=1e-4)
    assert (np.diff(table["impact_paid"]) > 0.0).all()


def test_one_trade_by_hand() -> None:
    """One order for a hundredth of the usual volume, with a volatility that is known: a tenth of it is paid."""
    n = 60
    moves = np.where(np.arange(n) % 2 == 0, 0.02, -0.02)
    close = 100.0 * np.exp(np.cumsum(moves))
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close))
    frame["volume"] = 10_000.0
    frame.index = pd.date_range("2024-01-01", periods=n)
    entry, exit_ = np.arange(n) == 40, np.arange(n) == 50
    result = at.backtest(frame, entries=entry, exits=exit_, size=at.FixedUnits(100))
    volatility = frame["close"].pct_change().iloc[21:41].std()  # the twenty bars before the fill on bar 41
    paid = close[41] * (1.0 + square_root_impact(1.0, float(volatility), 0.01))
    sold_at = frame["close"].pct_change().iloc[31:51].std()
    units = 100 * close[41] / paid  # the same share of the equity at a dearer price
    got = close[51] * (1.0 - square_root_impact(1.0, float(sold_at), units / 10_000))
    table = result.capacity([result.cash], participation=None).table
    share = (table["final_equity"].iloc[0] - result.cash) / units
    assert share == pytest.approx(got - paid, rel=1e-3)  # the units themselves move the price a little less
    assert table["largest_share"].iloc[0] == pytest.approx(0.01, rel=0.01)


def test_the_square_root_law_as_it_is_told() -> None:
    """Tóth et al. (2011): an order of 1 % of the daily volume costs a tenth of the daily volatility."""
    assert square_root_impact(1.0, 0.02, 0.01) == pytest.approx(0.1 * 0.02)
    assert square_root_impact(1.0, 0.02, 0.04) == pytest.approx(2.0 * square_root_impact(1.0, 0.02, 0.01))


def test_a_limit_on_volume_fills_less_and_works_exits_over_several_bars() -> None:
    result = run("long")
    volume = float(result.bars["volume"].median())
    capital = 10 * 0.1 * volume * float(result.bars["close"].mean())
    limited = result.capacity([capital], impact=0.0, participation=0.1).table
    free = result.capacity([capital], impact=0.0, participation=None).table
    assert limited["filled_share"].iloc[0] < 0.5
    assert limited["volatility"].iloc[0] < 0.5 * free["volatility"].iloc[0]
    assert math.isfinite(limited["sharpe_ratio"].iloc[0])


def test_the_picture_has_both_curves() -> None:
    figure = run("long").capacity([1e5, 1e6, 1e7]).plot()
    assert [trace.name for trace in figure.data] == ["Annual return", "Sharpe ratio"]
    assert figure.layout.xaxis.type == "log"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"capital": []}, "give a list of amounts"),
        ({"capital": "1e6"}, "give a list of amounts"),
        ({"capital": [0.0]}, "above zero"),
        ({"capital": [1e6], "impact": -1.0}, "coefficient of zero or more"),
        ({"capital": [1e6], "participation": 10.0}, "a share of the volume"),
    ],
)
def test_numbers_that_are_not_allowed_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run("long").capacity(**arguments)


def test_bars_without_volume_are_refused() -> None:
    frame = at.synthetic(n=100, seed=1)
    with pytest.raises(InputError, match="have no volume"):
        at.backtest(at.strategies.sma_cross(5, 20), frame.drop(columns="volume")).capacity([1e6])
    with pytest.raises(InputError, match="zero throughout"):
        at.backtest(at.strategies.sma_cross(5, 20), frame.assign(volume=0.0)).capacity([1e6])
