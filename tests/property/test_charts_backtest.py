"""Backtests on a chart: the engine equals the plain reference, fills are real, and nothing is seen early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import algotrendy as at
from algotrendy import charts
from algotrendy.backtest import engine, reference
from algotrendy.backtest.charted import on_bars
from algotrendy.kernels.bars import BarArrays
from algotrendy.kernels.orders_types import REASONS
from algotrendy.strategy.inputs import RunInputs
from algotrendy.strategy.signals import signal_words

LEVELS = ("stop", "target", "trail", "size")


@dataclass(frozen=True)
class Case:
    """A random account on random rows: `crowd` rows come to a bar on average."""

    seed: int
    n_bars: int
    crowd: float
    fill: str
    lively: float
    levels: frozenset[str]


cases = st.builds(
    Case,
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.integers(2, 80),
    crowd=st.sampled_from([0.3, 1.0, 4.0]),
    fill=st.sampled_from(["next_open", "next_close", "same_close"]),
    lively=st.sampled_from([0.1, 0.4, 0.8]),
    levels=st.frozensets(st.sampled_from(LEVELS)),
)


def bars_of(case: Case) -> BarArrays:
    rng = np.random.default_rng(case.seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, case.n_bars)))
    open = np.concatenate((close[:1], close[:-1])) * (1.0 + rng.normal(0.0, 0.005, case.n_bars))
    high, low = np.maximum(open, close) * 1.01, np.minimum(open, close) * 0.99
    return BarArrays(open, high, low, close, np.ones(case.n_bars))


@given(case=cases)
def test_the_engine_on_rows_equals_the_reference_on_rows(case: Case) -> None:
    rng = np.random.default_rng(case.seed + 1)
    n_rows = max(2, rng.poisson(case.crowd * case.n_bars))
    bar_of = np.sort(rng.integers(-1, case.n_bars + 1, n_rows))
    conditions = [rng.random(n_rows) < case.lively for _ in range(4)]
    levels: dict[str, Any] = {name: np.full(n_rows, np.nan) for name in LEVELS[:3]} | {"size": np.ones(n_rows)}
    for name in case.levels:
        levels[name] = np.round(rng.uniform(0.01, 0.9 if name == "size" else 0.06, n_rows), 3)
    bars, options = bars_of(case), engine.Options(fill=case.fill, slippage=0.001)
    inputs = on_bars(RunInputs(signal_words(list(conditions)), **levels, size_kind=0), bar_of, case.n_bars)
    done = engine.run(bars, inputs, options)
    lists = [each.tolist() for each in conditions]
    expected = reference.simulate(
        reference.Bars(*(column.tolist() for column in bars[:4])),
        reference.Signals(*lists, **{name: levels[name].tolist() for name in LEVELS}, known_at=bar_of.tolist()),
        reference.Options(fill=case.fill, slippage=0.001),
    )
    columns = done.order_columns
    found = list(
        zip(columns["decided_at"].tolist(), columns["filled_at"].tolist(), columns["reason"].tolist(), strict=True)
    )
    assert found == [(each.decided_at, each.filled_at, REASONS.index(each.reason)) for each in expected.orders]
    assert columns["units"].tolist() == pytest.approx([each.units for each in expected.orders], rel=1e-9)
    assert done.equity.tolist() == pytest.approx(expected.equity, rel=1e-9)
    assert done.pending == expected.pending


STRATEGY = at.Strategy(
    entry="close > sma(close, 3)",
    exit="close < prev(close, 2)",
    short_entry="close < sma(close, 4)",
    stop=0.03,
    trail=0.05,
)
CHARTS = st.sampled_from(
    [
        charts.Chart("renko", size="0.7%"),
        charts.Chart("renko", size="0.2%", reversal_bricks=1),
        charts.Chart("renko", size="atr(5)"),
        charts.Chart("range", size="1%", phantom=True),
        charts.Chart("heikin_ashi"),
        charts.Chart("line_break"),
        charts.Chart("kagi", reversal="1.5%"),
        charts.Chart("point_figure", box="0.4%", method="high_low"),
        charts.Chart("tick", size=3),
        charts.Chart("volume", size=2e6),
        charts.Chart("runs", expected_ticks=5),
        charts.Chart("time", rule="1wk"),
    ]
)


@given(
    seed=st.integers(0, 10**6),
    chart=CHARTS,
    cut=st.integers(30, 119),
    fill=st.sampled_from(["next_open", "same_close", "next_close"]),
)
def test_bars_added_later_change_no_order(seed: int, chart: charts.Chart, cut: int, fill: str) -> None:
    bars = at.synthetic(n=120, seed=seed)
    whole = at.backtest(STRATEGY, bars, chart=chart, fill=fill, interval="1d")
    part = at.backtest(STRATEGY, bars.iloc[:cut], chart=chart, fill=fill, interval="1d")
    kept = whole.order_columns["filled_at"] < cut
    for name, values in part.order_columns.items():
        assert values.tolist() == whole.order_columns[name][kept].tolist()
    assert part.equity_values.tolist() == whole.equity_values[:cut].tolist()


@given(seed=st.integers(0, 10**6), chart=CHARTS)
def test_orders_fill_at_prices_of_the_bars_after_the_row_was_known(seed: int, chart: charts.Chart) -> None:
    bars = at.synthetic(n=120, seed=seed)
    result = at.backtest(STRATEGY, bars, chart=chart)
    columns = result.order_columns
    known = set(chart.rows(bars)["event"].tolist())
    by_signal = np.isin(columns["reason"], [REASONS.index("entry"), REASONS.index("exit")])
    decided, filled = columns["decided_at"][by_signal], columns["filled_at"][by_signal]
    assert set(decided.tolist()) <= known
    assert (filled == decided + 1).all()
    assert columns["price"][by_signal].tolist() == bars["open"].to_numpy()[filled].tolist()


@given(seed=st.integers(0, 10**6), fill=st.sampled_from(["next_open", "same_close", "next_close"]))
def test_rows_made_of_trades_fill_only_after_they_closed(seed: int, fill: str) -> None:
    rng = np.random.default_rng(seed)
    stamps = pd.DatetimeIndex((1_709_287_200_000 + np.cumsum(rng.integers(0, 40_000, 400))).view("M8[ms]")).tz_localize(
        "UTC"
    )
    trades = pd.DataFrame({"price": np.round(50.0 + np.cumsum(rng.normal(0, 0.1, 400)), 2), "size": 1.0}, index=stamps)
    rows = charts.tick(trades, 7)
    bars = charts.by_time(charts.time(trades, "1m"), "opened_at")
    result = at.backtest(STRATEGY, bars, chart=rows, fill=fill, interval="1m")
    ends, starts = bars["closed_at"], bars["opened_at"]
    by_signal = np.isin(result.order_columns["reason"], [REASONS.index("entry"), REASONS.index("exit")])
    for decided, filled in zip(
        result.order_columns["decided_at"][by_signal], result.order_columns["filled_at"][by_signal], strict=True
    ):
        moment = starts.iloc[filled] if fill == "next_open" else ends.iloc[filled]
        known = rows.loc[rows["closed_at"] <= ends.iloc[decided], "closed_at"]
        assert len(known), "a decision needs a row"
        assert known.iloc[-1] <= moment
    assert len(result.orders) > 0
