"""The fill interval of several strategies in one account: the sum of theirs, and no path that bars allow is outside."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.portfolio.fill_interval_several import SeveralFillInterval
from algotrendy.strategy import BarStrategy

FEW = settings().max_examples // 5
DAYS = pd.date_range("2020-01-06", periods=40)


def bars_of(rng: np.random.Generator, n: int) -> dict[str, pd.DataFrame]:
    found = {}
    for name in "ABC"[:n]:
        close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, len(DAYS))))
        open_ = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0.0, 0.005, len(DAYS)))
        high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0.0, 0.02, len(DAYS))))
        low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0.0, 0.02, len(DAYS))))
        found[name] = pd.DataFrame({"open": open_, "high": high, "low": low, "close": close}, index=DAYS)
    return found


def one_truth(bars: dict[str, pd.DataFrame], rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Finer bars that go each day to the high and then to the low, or the other way, and to the close."""
    found = {}
    for name, frame in bars.items():
        rows = []
        for day, bar in frame.iterrows():
            up = rng.random() < 0.5
            points = [bar["open"], *((bar["high"], bar["low"]) if up else (bar["low"], bar["high"])), bar["close"]]
            for k, (first, last) in enumerate(pairwise(points)):
                at_ = day.tz_localize("UTC") + pd.Timedelta(hours=8 * k)
                rows.append((at_, first, max(first, last), min(first, last), last))
        table = pd.DataFrame(rows, columns=["time", "open", "high", "low", "close"])
        found[name] = table.set_index("time")
    return found


def strategies_of(rng: np.random.Generator) -> dict[str, Any]:
    def one(kind: str) -> at.Strategy:
        stop, target = float(rng.choice([0.01, 0.02, 0.04])), float(rng.choice([0.01, 0.02, 0.04]))
        rises, falls = "close > prev(close, n)", "close < prev(close, n)"
        sides = {"entry": rises, "exit": falls} if kind == "long" else {"short_entry": falls, "short_exit": rises}
        return at.Strategy(**sides, stop=stop, target=target, n=int(rng.integers(1, 4)))

    return {"long": (one("long"), 0.5), "short": (one("short"), 0.3), "more": (one("long"), 0.1)}


@given(seed=st.integers(0, 2**32 - 1), n=st.sampled_from([1, 2]), fill=st.sampled_from(["next_open", "same_close"]))
@settings(max_examples=FEW)
def test_no_truth_that_bars_allow_lies_outside(seed: int, n: int, fill: str) -> None:
    rng = np.random.default_rng(seed)
    bars, given_ = bars_of(rng, n), strategies_of(rng)
    options: dict[str, Any] = {"commission": 0.001, "fill": fill, "max_positions": 1}
    result = at.backtest(given_, bars, **options)
    found = result.fill_interval()
    assert isinstance(found, SeveralFillInterval)
    assert found.stated.final_equity == pytest.approx(result.metrics["final_equity"], rel=1e-12)
    assert all(sleeve.is_exact for sleeve in found.sleeves.values())
    slack = 1e-9 * result.metrics["final_equity"]
    for _ in range(4):
        truth = at.backtest(given_, bars, fine_bars=one_truth(bars, rng), **options)
        assert found.worst.final_equity - slack <= truth.metrics["final_equity"] <= found.best.final_equity + slack
        for name, sleeve in found.sleeves.items():
            final = truth.sleeves[name].metrics["final_equity"]
            assert sleeve.worst.final_equity - slack <= final <= sleeve.best.final_equity + slack


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=FEW)
def test_it_is_the_sum_of_the_strategies_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bars, given_ = bars_of(rng, 2), strategies_of(rng)
    result = at.backtest(given_, bars, max_positions={"long": 1, "short": 2}, rank={"long": "-close"})
    found = result.fill_interval()
    alone = {
        name: at.backtest(
            strategy, bars, cash=100_000.0 * share,
            max_positions={"long": 1, "short": 2}.get(name), rank={"long": "-close"}.get(name),
        ).fill_interval()
        for name, (strategy, share) in given_.items()
    }  # fmt: skip
    for name, sleeve in found.sleeves.items():
        for run in ("best", "stated", "worst"):
            own, other = getattr(sleeve, run), getattr(alone[name], run)
            np.testing.assert_array_equal(own.equity_values, other.equity_values)
        assert (sleeve.is_exact, sleeve.ambiguous_trades) == (alone[name].is_exact, alone[name].ambiguous_trades)
    reserve = result.reserve_values
    assert reserve is not None
    for run in ("best", "worst"):
        total = sum(getattr(each, run).equity_values for each in alone.values()) + reserve
        np.testing.assert_allclose(getattr(found, run).equity_values, total, rtol=1e-13)
    assert found.n_positions == sum(each.n_positions for each in alone.values())
    assert len(found.stated.orders) == len(result.orders)


def test_two_strategies_on_one_path_have_bounds_and_say_so() -> None:
    """A bar that touches the stop of one and the target of the other: each may be better off, both cannot be."""
    days = pd.date_range("2024-01-01", periods=4)
    wide = pd.DataFrame(
        {"open": [10.0, 10.0, 10.0, 10.0], "high": [10.0, 10.0, 11.0, 10.0],
         "low": [10.0, 10.0, 9.0, 10.0], "close": [10.0, 10.0, 10.0, 10.0]}, index=days
    )  # fmt: skip
    long = at.Strategy(entry="close >= 10", exit="close > 100", stop=0.1, target=0.1)
    short = at.Strategy(short_entry="close >= 10", short_exit="close > 100", stop=0.1, target=0.1)
    bars = {"A": wide, "B": wide.assign(open=10.0, high=10.0, low=10.0, close=10.0)}
    found = at.backtest({"long": (long, 0.5), "short": (short, 0.5)}, bars, max_positions=1, rank="1").fill_interval()
    assert found.is_outer
    assert not found.is_exact
    assert all(sleeve.is_exact for sleeve in found.sleeves.values())
    assert found.best.final_equity > 100_000.0 > found.worst.final_equity
    assert "no run lies outside" in found.summary()
    assert found.to_dict()["is_outer"] is True
    apart = at.backtest({"long": (long, 0.5), "calm": (at.strategies.buy_and_hold(), 0.5)}, bars).fill_interval()
    assert apart.is_exact
    assert not apart.is_outer
    assert "no run lies outside" not in apart.summary()


class Bracket(BarStrategy):
    """Buys with both ends of a bracket whenever it holds nothing."""

    reach = 0.02

    def on_bar(self, ctx: Any) -> None:
        for view in ctx:
            if not view.position() and not view.orders:
                close = view.bar.close
                view.buy(size=0.4, stop_price=close * (1 - self.reach), target_price=close * (1 + self.reach))


def test_a_stateful_strategy_takes_part() -> None:
    bars = {name: frame[:20] for name, frame in bars_of(np.random.default_rng(5), 2).items()}
    given_ = {"bracket": (Bracket(), 0.6), "calm": (at.strategies.buy_and_hold(), 0.4)}
    found = at.backtest(given_, bars).fill_interval(keep=4)
    alone = at.backtest(Bracket(), bars, cash=60_000.0).fill_interval(keep=4)
    assert found.sleeves["bracket"].best.final_equity == alone.best.final_equity
    assert found.ambiguous_trades == alone.ambiguous_trades > 0
    assert found.worst.final_equity <= found.stated.final_equity < found.best.final_equity


@given(
    seed=st.integers(0, 2**32 - 1), every=st.sampled_from([3, 10]), fill=st.sampled_from(["next_open", "next_close"])
)
@settings(max_examples=FEW)
def test_where_shares_are_restored_no_truth_lies_outside_either(seed: int, every: int, fill: str) -> None:
    rng = np.random.default_rng(seed)
    bars = {name: frame[:24] for name, frame in bars_of(rng, 2).items()}
    given_ = dict(list(strategies_of(rng).items())[:2])
    options: dict[str, Any] = {"commission": 0.001, "fill": fill, "max_positions": 1, "rebalance": every}
    result = at.backtest(given_, bars, **options)
    found = result.fill_interval(keep=2000)
    assert found.stated.final_equity == pytest.approx(result.metrics["final_equity"], rel=1e-12)
    assert len(found.stated.orders) == len(result.orders)
    assert not found.sleeves
    slack = 1e-9 * result.metrics["final_equity"]
    for _ in range(4):
        truth = at.backtest(given_, bars, fine_bars=one_truth(bars, rng), **options)
        if found.is_followed:
            assert found.worst.final_equity - slack <= truth.metrics["final_equity"] <= found.best.final_equity + slack


def test_restored_shares_with_extras_and_what_is_refused() -> None:
    rng = np.random.default_rng(1)
    bars = {name: frame[:24].assign(volume=5_000.0) for name, frame in bars_of(rng, 2).items()}
    given_ = strategies_of(np.random.default_rng(2))
    result = at.backtest(given_, bars, rebalance=5, participation=0.4, margin=(0.5, 0.3), tick_size=0.05)
    found = result.fill_interval()
    assert found.stated.final_equity == pytest.approx(result.metrics["final_equity"], rel=1e-12)
    assert found.worst.final_equity < found.best.final_equity
    never = at.backtest(given_, bars, rebalance=1000)
    assert never.fill_interval().sleeves


@given(
    seed=st.integers(0, 2**32 - 1),
    every=st.sampled_from([3, 10]),
    fill=st.sampled_from(["next_open", "next_close", "same_close"]),
    with_extras=st.booleans(),
)
@settings(max_examples=FEW)
def test_a_strategy_asked_bar_by_bar_is_followed_where_shares_are_restored(
    seed: int, every: int, fill: str, with_extras: bool
) -> None:
    rng = np.random.default_rng(seed)
    bars = {name: frame[:16].assign(volume=5_000.0) for name, frame in bars_of(rng, 1).items()}
    given_ = {"bracket": (Bracket(), 0.5), "long": (strategies_of(rng)["long"][0], 0.4)}
    options: dict[str, Any] = {"commission": 0.001, "fill": fill, "rebalance": every}
    if with_extras:
        options |= {"participation": 0.4, "tick_size": 0.05, "financing": 0.03}
    result = at.backtest(given_, bars, **options)
    found = result.fill_interval(keep=500)
    assert found.stated.final_equity == pytest.approx(result.metrics["final_equity"], rel=1e-12)
    assert len(found.stated.orders) == len(result.orders)
    assert found.worst.final_equity <= found.stated.final_equity <= found.best.final_equity
    slack = 1e-9 * result.metrics["final_equity"]
    for _ in range(4):
        truth = at.backtest(given_, bars, fine_bars=one_truth(bars, rng), **options)
        if found.is_followed:
            assert found.worst.final_equity - slack <= truth.metrics["final_equity"] <= found.best.final_equity + slack


def test_a_bracket_of_a_restored_share_is_a_search_with_both_ends() -> None:
    """One day goes 12, 8: the target of 10.5 first, or the stop of 9; then the share is restored and gone on with."""
    days = pd.bdate_range("2024-01-01", periods=5)
    rows = [(10, 10, 10, 10), (10, 12, 8, 10), (10, 10, 10, 10), (10, 10, 10, 10), (10, 10, 10, 10)]
    bars = {"A": pd.DataFrame(rows, columns=["open", "high", "low", "close"], index=days, dtype=float)}
    rests = (at.Strategy(entry="close < 0", exit="close < 0"), 0.5)
    given_ = {"bracket": (Placed(), 0.5), "rests": rests}
    found = at.backtest(given_, bars, rebalance=2, cash=1000.0).fill_interval()
    ends = [run.final_equity for run in (found.worst, found.stated, found.best)]
    assert ends == pytest.approx([1000.0 - 10 * 0.5, 1000.0 - 10 * 0.5, 1000.0 + 10 * 1.0])
    assert (found.is_outer, found.ambiguous_trades, found.n_positions) == (False, 1, 1)
    one = at.backtest({"all": (Placed(), 1.0)}, bars, rebalance=2, cash=1000.0).fill_interval()
    alone = at.backtest(Placed(), bars, cash=1000.0).fill_interval()
    assert (one.worst.final_equity, one.best.final_equity) == (alone.worst.final_equity, alone.best.final_equity)


class Placed(BarStrategy):
    """Places one bracket at the first bar."""

    def on_bar(self, ctx: Any) -> None:
        if ctx.number == 0:
            ctx["A"].buy(10, limit_price=9.5, stop_price=9.0, target_price=10.5)
