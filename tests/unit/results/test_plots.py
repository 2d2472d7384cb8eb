"""Figures of a result: valid, small for a million bars, true to the curves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import pytest

from algotrendy.backtest import plots
from algotrendy.backtest.result import BacktestResult
from algotrendy.reports.figure_json import figure_json
from algotrendy.reports.thinning import POINTS_MAX

Make = Callable[..., BacktestResult]
FIGURES = [plots.equity_figure, plots.drawdown_figure, plots.trades_figure, plots.distribution_figure]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda function: function.__name__)
@pytest.mark.parametrize("n_bars", [1, 2, 30, 500])
def test_plotly_accepts_every_figure(make: Make, figure: Callable[[BacktestResult], plots.Figure], n_bars: int) -> None:
    drawn = figure(make(n_bars))
    assert len(go.Figure(drawn).data) == len(drawn["data"])


@pytest.mark.parametrize("figure", FIGURES, ids=lambda function: function.__name__)
def test_a_figure_is_the_same_for_the_same_result(make: Make, figure: Callable[[BacktestResult], plots.Figure]) -> None:
    assert figure_json(figure(make())) == figure_json(figure(make()))


def test_short_curves_are_drawn_whole(made: BacktestResult) -> None:
    held, own = plots.equity_figure(made)["data"]
    assert own["y"].tolist() == made.equity_values.tolist()
    assert own["x"][0] == "2015-01-01"
    assert held["y"][-1] == made.buy_and_hold.iloc[-1]


def test_a_long_result_is_drawn_small_and_keeps_its_extremes(make: Make, make_walk: Callable[..., object]) -> None:
    result = make(bars=make_walk(100_000, 7, freq="min", tz="UTC"), held=13)
    figure = result.plot()
    assert len(figure.to_json()) < 5_000_000
    own = next(trace for trace in figure.data if trace.name == "Strategy")
    assert len(own.y) <= POINTS_MAX
    assert min(own.y) == result.equity_values.min()
    assert max(own.y) == result.equity_values.max()
    assert own.y[-1] == result.equity_values[-1]
    segments = sum(len(trace.x) // 3 for trace in figure.data if trace.name in ("Winning trade", "Losing trade"))
    assert segments == plots.TRADES_MAX


def test_of_many_trades_the_largest_are_drawn_with_their_fills(make: Make) -> None:
    result = make(40_000, held=13)
    profits = np.abs(result.trade_columns["pnl"])
    drawn = plots.drawn_trades(result)
    assert len(profits) > len(drawn) == plots.TRADES_MAX
    assert profits[drawn].min() >= np.delete(profits, drawn).max()
    traces = {trace["name"]: trace for trace in plots.trades_figure(result)["data"]}
    assert len(traces["Buy"]["x"]) - plots.TRADES_MAX in (0, 1)  # one more, if a position is still open
    assert len(traces["Sell"]["x"]) == plots.TRADES_MAX


def test_markers_say_why_an_order_was_filled(make: Make) -> None:
    traces = {trace["name"]: trace for trace in plots.trades_figure(make(side=-1))["data"]}
    assert traces["Sell"]["text"][0].endswith("(entry)")
    assert traces["Buy"]["text"][0].endswith("(exit)")


def test_wins_and_losses_are_told_apart(made: BacktestResult) -> None:
    traces = {trace["name"]: trace for trace in plots.trades_figure(made)["data"]}
    wins = int((made.trades["pnl"] > 0).sum())
    assert len(traces["Winning trade"]["x"]) == 3 * wins
    assert len(traces["Losing trade"]["x"]) == 3 * (len(made.trades) - wins)


def test_the_distribution_counts_every_return_once_and_mixes_no_signs(made: BacktestResult) -> None:
    bars = plots.distribution_figure(made)["data"][0]
    returns = plots.moving_returns(made)
    assert bars["y"].sum() == len(returns)
    assert bars["y"][bars["x"] > 0].sum() == (returns > 0).sum()


def test_intraday_stamps_are_wall_time_of_their_zone(make: Make, make_walk: Callable[..., object]) -> None:
    bars = make_walk(5, 1, start="2020-01-02 09:30", freq="min", tz="America/New_York")
    texts = plots.stamp_texts(make(bars=bars), np.array([0, 4]))
    assert texts == ["2020-01-02T09:30:00", "2020-01-02T09:34:00"]
