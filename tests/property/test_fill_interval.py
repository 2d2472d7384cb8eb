"""The best and the worst run over all paths, against every path and every combination of outcomes tried out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.fill_paths import (
    Walk,
    _after_exits,
    _before_exits,
    _choices,
    _leave,
    extreme_walk,
    outcomes,
    stated_outcome,
    stated_walk,
)
from algotrendy.backtest.reference import Account, Bars, Options, Signals, simulate
from algotrendy.backtest.reference_paths import Held, outcomes_by_paths
from algotrendy.errors import InputError

GRID = 3


@st.composite
def bar_and_levels(draw: st.DrawFn) -> tuple[tuple[float, float, float, float], Held]:
    """Prices on ticks, so that touches and ties are frequent; mirrored ones are negative."""
    low = draw(st.integers(80, 100))
    high = low + draw(st.integers(0, 20))
    open_, close = draw(st.integers(low, high)), draw(st.integers(low, high))
    stop = draw(st.one_of(st.just(-math.inf), st.integers(75, 105).map(float)))
    target = draw(st.one_of(st.just(math.inf), st.integers(95, 125).map(float)))
    keep = draw(st.sampled_from([math.nan, 0.9, 0.95, 0.98]))
    best = float(draw(st.integers(85, 120)))
    bar: tuple[float, float, float, float] = (float(open_), float(high), float(low), float(close))
    if draw(st.booleans()):
        return bar, Held(stop, target, best, keep)
    mirrored = -bar[0], -bar[2], -bar[1], -bar[3]
    return mirrored, Held(
        -target if math.isfinite(target) else -math.inf,
        -stop if math.isfinite(stop) else math.inf,
        -best,
        math.nan if math.isnan(keep) else 2.0 - keep,
    )


@given(case=bar_and_levels())
@settings(max_examples=6 * settings().max_examples)
def test_outcomes_are_those_of_all_paths(case: tuple[tuple[float, float, float, float], Held]) -> None:
    bar, held = case
    tried = outcomes_by_paths(bar, held, grid=GRID)
    found = outcomes(bar, held)
    assert (None in tried) == (None in found)
    prices = [touch.price for touch in found if touch is not None]
    seen = [touch.price for touch in tried if touch is not None]
    assert bool(prices) == bool(seen)
    if prices:
        assert max(prices) == pytest.approx(max(seen))
        assert min(prices) == pytest.approx(min(seen))
    if math.isnan(held.keep):  # without a trailing stop there is nothing between
        assert sorted(prices) == pytest.approx(sorted(set(seen)))


@given(case=bar_and_levels())
def test_without_a_trailing_stop_the_stated_outcome_is_one_of_them(
    case: tuple[tuple[float, float, float, float], Held],
) -> None:
    bar, held = case[0], case[1]._replace(keep=math.nan)
    assert stated_outcome(bar, held) in outcomes(bar, held)


# --- whole runs ---


def small_case(seed: int, *, lot: float = 0.0, n: int = 14) -> tuple[Bars, Signals, Options]:
    """Return few wild bars with levels near them, so that many are ambiguous."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, n)))
    open_ = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0.0, 0.004, n))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0.0, 0.02, n)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0.0, 0.02, n)))
    sides = [(rng.random(n) < chance).tolist() for chance in (0.5, 0.15, 0.3, 0.15)]
    levels = [[float(rng.choice([math.nan, size]))] * n for size in (0.02, 0.025, 0.03)]
    options = Options(
        cash=1000.0 if lot else 100_000.0,
        fill=str(rng.choice(["next_open", "next_close", "same_close"])),
        rate=float(rng.choice([0.0, 0.001])),
        fixed=float(rng.choice([0.0, 0.5])),
        slippage=float(rng.choice([0.0, 0.0005])),
        borrow=float(rng.choice([0.0, 0.1])),
        lot_size=lot,
    )
    bars = Bars(open_.tolist(), high.tolist(), low.tolist(), close.tolist())
    return bars, Signals(*sides, *levels, [1.0] * n), options


def all_ends(bars: Bars, signals: Signals, options: Options) -> list[float]:
    """Return the final equity of every combination of outcomes."""
    walks = [Walk(Account(bars, signals, options))]
    for i in range(len(bars.close)):
        following = []
        for walk in walks:
            situation = _before_exits(walk, i)
            choices: list[Any] = [None] if situation is None else _choices(*situation)
            for outcome in choices:
                each = walk.divided()
                if situation is not None:
                    _leave(each, i, outcome, situation[1])
                _after_exits(each, i)
                following.append(each)
        walks = following
    return [walk.equity[-1] for walk in walks]


@given(seed=st.integers(0, 2**32 - 1))
def test_best_and_worst_are_the_extremes_of_all_combinations(seed: int) -> None:
    case = small_case(seed)
    ends = all_ends(*case)
    best, worst = (extreme_walk(*case, sign=sign).equity[-1] for sign in (1.0, -1.0))
    assert best == pytest.approx(max(ends), rel=1e-9)
    assert worst == pytest.approx(min(ends), rel=1e-9)
    assert worst - 1e-6 <= stated_walk(*case).equity[-1] <= best + 1e-6


@given(seed=st.integers(0, 2**32 - 1))
def test_with_whole_lots_the_interval_holds_the_stated_run_and_is_never_too_wide(seed: int) -> None:
    case = small_case(seed, lot=1.0)
    ends = all_ends(*case)
    best, worst = (extreme_walk(*case, sign=sign).equity[-1] for sign in (1.0, -1.0))
    assert min(ends) - 1e-6 <= worst <= stated_walk(*case).equity[-1] <= best <= max(ends) + 1e-6


@given(seed=st.integers(0, 2**32 - 1))
def test_the_stated_walk_is_the_reference(seed: int) -> None:
    case = small_case(seed, n=60)
    run, walk = simulate(*case), stated_walk(*case)
    assert walk.equity == pytest.approx(run.equity, rel=1e-12)
    assert walk.orders == run.orders


# --- through the result ---


def test_a_result_gives_its_interval() -> None:
    bars = at.synthetic(n=600, seed=11, volatility=0.6)
    result = at.backtest(at.strategies.sma_cross(5, 20), bars, stop=0.02, target=0.03, commission=0.0005)
    found = result.fill_interval()
    assert found.stated.final_equity == pytest.approx(float(result.metrics["final_equity"]), rel=1e-12)
    assert found.worst.final_equity < found.best.final_equity
    assert 0 < found.ambiguous_trades <= found.n_positions
    assert found.table.loc["sharpe_ratio", "stated"] == pytest.approx(float(result.metrics["sharpe_ratio"]))
    assert found.is_exact
    assert "depend on them" in str(found)
    assert set(found.to_dict()) == {"worst", "stated", "best", "ambiguous_trades", "n_positions", "is_exact", "outer"}


def test_without_levels_nothing_depends_on_the_path() -> None:
    result = at.backtest(at.strategies.macd_long_short(), at.synthetic(n=300, seed=1))
    found = result.fill_interval()
    assert found.ambiguous_share == 0.0
    assert found.worst.final_equity == found.stated.final_equity == found.best.final_equity
    assert "no trade depends" in found.summary()


def test_signals_and_charts_are_handed_in_again() -> None:
    bars = at.synthetic(n=300, seed=1, volatility=0.5)
    up = bars["close"] > bars["close"].shift(1)
    result = at.backtest(bars, entries=up, exits=~up, stop=0.01, target=0.01)
    with pytest.raises(InputError, match="not stored"):
        result.fill_interval()
    assert result.fill_interval(strategy=at.Signals(up, ~up, stop=0.01, target=0.01)).ambiguous_trades > 0
    with pytest.raises(InputError, match="when it is run again"):
        result.fill_interval(strategy=at.Signals(up, ~up, stop=0.02))
    drawn = at.backtest(at.Strategy(entry="close > open", exit="close < open"), bars, chart="heikin_ashi", stop=0.01)
    assert drawn.fill_interval(chart="heikin_ashi").stated.final_equity == drawn.equity_values[-1]


def test_finer_bars_lie_within_the_interval_of_the_coarse_ones() -> None:
    """What a walk on the finer bars gives, with levels that are hit in their order, is one of the paths."""
    for seed in range(10):
        fine = at.synthetic(n=24 * 60, seed=seed, interval="1h", calendar="24/7", volatility=0.6)
        days = fine.groupby(fine.index.normalize())
        coarse = pd.DataFrame(
            {
                "open": days["open"].first(),
                "high": days["high"].max(),
                "low": days["low"].min(),
                "close": days["close"].last(),
            }
        )
        entry = np.zeros(len(coarse), dtype=bool)
        entry[5] = True
        found = at.backtest(coarse, entries=entry, stop=0.02, target=0.025)
        interval = found.fill_interval(strategy=at.Signals(entry, stop=0.02, target=0.025))
        hourly = np.zeros(len(fine), dtype=bool)
        hourly[np.flatnonzero(fine.index.normalize() == coarse.index[5])[-1]] = True
        true = at.backtest(fine, entries=hourly, stop=0.02, target=0.025).equity_values[-1]
        assert interval.worst.final_equity * (1 - 0.01) <= true <= interval.best.final_equity * (1 + 0.01)
