"""Walk-forward over several strategies in one account: what a plain loop over slices gives, and laws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.trials import trial_of_walk
from algotrendy.backtest.walk_forward import walk_forward
from algotrendy.compute import Cancel
from algotrendy.errors import InputError
from algotrendy.strategy import Signals
from tests.unit.test_walk_forward_several import Holds, both_ways, long_only, signals_of

CUT = {"training": 100, "testing": 40}
COSTS = {"commission": 0.001, "slippage": 0.0005}
HERE = {"workers": 1, "progress": False}
GRID = {"trend.fast": [3, 8], "slow.slow": [15, 30]}
PAIR = {"trend": (long_only(), 0.5), "slow": (long_only(), 0.3)}
FILLS = ["next_open", "next_close", "same_close"]


@pytest.fixture(scope="module")
def three() -> dict[str, pd.DataFrame]:
    """Three instruments; the last comes in late."""
    return {
        name: at.synthetic(n=300, seed=k).iloc[begin:] for name, k, begin in (("A", 1, 0), ("B", 2, 0), ("C", 3, 150))
    }


# --- one strategy with everything is the walk of that strategy ---


@pytest.mark.parametrize("carry", [False, True])
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("rebalance", [None, 7])
def test_one_strategy_with_everything_is_its_walk_bit_for_bit(
    three: dict[str, pd.DataFrame], fill: str, carry: bool, rebalance: int | None
) -> None:
    options: dict[str, Any] = {**CUT, **COSTS, "fill": fill, "carry": carry, "step": 30, "borrow": 0.02, **HERE}
    for strategy, grid in ((both_ways(stop=0.04), {"fast": [3, 8], "slow": [15, 30]}), (Holds(), {"n": [5, 20]})):
        more = {"max_positions": 2, "rank": "roc(close, 20)"} if "fast" in grid else {}
        plain = walk_forward(strategy, three, grid, **options, **more)
        mix = walk_forward({"all": (strategy, 1.0)}, three, {f"all.{name}": grid[name] for name in grid},
                           rebalance=rebalance, **options, **more)  # fmt: skip
        assert plain.metrics["n_trades"] > 5
        for name in grid:
            assert mix.windows[f"all.{name}"].tolist() == plain.windows[name].tolist()
        np.testing.assert_array_equal(mix.equity, plain.equity)
        pd.testing.assert_frame_equal(mix.out_of_sample.orders, plain.out_of_sample.orders)
        pd.testing.assert_frame_equal(mix.out_of_sample.trades, plain.out_of_sample.trades)
        for name in ("in_sample", "out_of_sample", "n_tried", "total_return", "n_trades"):
            np.testing.assert_allclose(mix.windows[name], plain.windows[name], rtol=1e-11)


# --- a plain walk, written down ---


def plainly(bars: dict[str, pd.DataFrame], grid: dict[str, Any], rebalance: Any) -> pd.DataFrame:
    """Optimise a slice, backtest the next one, close everything at cost, join the returns."""
    index, rows, end = bars["A"].index, [], CUT["training"]
    options = {"max_positions": {"trend": 2}, "rebalance": rebalance, **COSTS}
    while end + CUT["testing"] <= len(index):
        first, last = end - CUT["training"], end + CUT["testing"]
        train = {name: one.loc[index[first] : index[end - 1]] for name, one in bars.items()}
        there = {name: one for name, one in train.items() if len(one) >= 2}
        best = at.optimize(PAIR, there, grid, **options, **HERE).best_params
        known = {name: one.loc[: index[last - 1]] for name, one in bars.items()}
        test = {name: one.loc[index[end - 1] : index[last - 1]] for name, one in bars.items()}
        test = {name: one for name, one in test.items() if len(one) >= 2}
        parts = {}
        for name, (strategy, share) in PAIR.items():
            values = {key: best.get(f"{name}.{key}", strategy.parameters[key]) for key in ("fast", "slow")}
            said = signals_of(known, **values)
            part = {key: table[list(test)].loc[index[end - 1] : index[last - 1]] for key, table in said.items()}
            size = 1 / 2 if name == "trend" else 1 / 3  # places of the whole account
            parts[name] = (Signals(**part, size=size), best.get(f"{name}.allocation", share))
        run = at.backtest(parts, test, **options)
        equity, final = run.equity.to_numpy().copy(), run.equity.iloc[-1]
        for sleeve in run.sleeves.values():
            for name, units in sleeve.positions.iloc[-1].items():
                close = bars[name]["close"].loc[index[last - 1]]
                price = close * (1 - np.sign(units) * COSTS["slippage"])
                final += units * (price - close) - abs(units) * price * COSTS["commission"]
        equity = np.append(equity[1:-1], final)
        rows.append({**best, "returns": equity / np.append(100_000.0, equity[:-1]) - 1})
        end += CUT["testing"]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("rebalance", [None, 9, "1mo"])
def test_it_is_what_a_plain_loop_over_slices_gives(three: dict[str, pd.DataFrame], rebalance: Any) -> None:
    grid = {**GRID, "trend.allocation": [0.2, 0.6]}
    plain = plainly(three, grid, rebalance)
    walk = walk_forward(
        PAIR, three, grid, **CUT, max_positions={"trend": 2}, rebalance=rebalance, **COSTS, **HERE
    )  # fmt: skip
    assert len(plain) == 5
    assert isinstance(walk.out_of_sample, PortfolioResult)
    for name in grid:
        assert walk.windows[name].tolist() == plain[name].tolist()
    np.testing.assert_allclose(walk.returns, np.concatenate(plain["returns"].tolist()), rtol=1e-9, atol=1e-12)
    assert set(walk.out_of_sample.orders["symbol"]) == {"A", "B", "C"}
    assert ("rebalance" in set(walk.out_of_sample.orders["reason"])) == (rebalance is not None)


@pytest.mark.parametrize("carry", [False, True])
def test_strategies_that_do_not_know_of_each_other_are_their_own_walks(
    three: dict[str, pd.DataFrame], carry: bool
) -> None:
    """Nothing is chosen and nothing restored, so the account of each window is that of each strategy, added up."""
    given_ = {"text": (both_ways(), 0.5), "bars": (Holds(), 0.3)}
    options = {"training": 100, "testing": 200, "carry": carry, **COSTS, **HERE}
    both = walk_forward(given_, three, {"text.fast": [3]}, **options)
    text = walk_forward(both_ways(), three, {"fast": [3]}, cash=50_000.0, **options)
    bars = walk_forward(Holds(), three, {"n": [10]}, cash=30_000.0, **options)
    np.testing.assert_allclose(both.equity, text.equity + bars.equity + 20_000.0, rtol=1e-12)
    assert both.metrics["n_orders"] == text.metrics["n_orders"] + bars.metrics["n_orders"]


# --- laws ---


@settings(max_examples=4)
@given(
    seed=st.integers(0, 50), carry=st.booleans(), testing=st.integers(15, 60), rebalance=st.sampled_from([None, 6]),
    noise=st.integers(1, 10_000),
)  # fmt: skip
def test_an_account_that_adds_up_and_does_not_see_the_future(
    seed: int, carry: bool, testing: int, rebalance: int | None, noise: int
) -> None:
    bars = {name: at.synthetic(n=220, seed=3 * seed + k).iloc[30 * k :] for k, name in enumerate("ABC")}
    given_ = {"text": (both_ways(stop=0.04), 0.5), "bars": (Holds(), 0.4)}
    grid = {"text.fast": [3, 8], "bars.n": [5, 20]}
    options = {"training": 90, "testing": testing, "carry": carry, "borrow": 0.01, "rebalance": rebalance}
    options |= {**COSTS, **HERE, "rank": {"text": "rank(roc(close, 10))"}, "max_positions": {"text": 2}}
    walk = walk_forward(given_, bars, grid, **options)
    joined = walk.out_of_sample
    prices = pd.DataFrame(joined.last_prices, index=joined.index, columns=list(joined.symbols))
    np.testing.assert_allclose(joined.cash_series + (joined.positions * prices).sum(axis=1), walk.equity, rtol=1e-9)
    product = (1 + walk.windows["total_return"]).prod()
    assert walk.equity.iloc[-1] == pytest.approx(100_000 * product, rel=1e-9)
    cut, rng = 90 + testing, np.random.default_rng(noise)  # the first window, and all behind it made noise
    later = bars["A"].index[cut]
    other = {}
    for name, one in bars.items():
        scale = np.exp(rng.normal(0, 0.1, len(one))) * (one.index >= later) + (one.index < later)
        other[name] = one.assign(**{field: one[field] * scale for field in ("open", "high", "low", "close")})
    again = walk_forward(given_, other, grid, **options)
    choice = [*grid, "in_sample"]
    assert again.windows.loc[0, choice].equals(walk.windows.loc[0, choice])
    assert again.equity.iloc[:testing].equals(walk.equity.iloc[:testing])


# --- forms, places, files ---


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_where_it_is_computed_changes_nothing(three: dict[str, pd.DataFrame], executor: str) -> None:
    given_ = {"text": (both_ways(), 0.5), "bars": (Holds(), 0.5)}
    grid = {"text.fast": [3, 8], "bars.allocation": [0.2, 0.5]}
    plain = walk_forward(given_, three, grid, **CUT, **HERE)
    walk = walk_forward(given_, three, grid, **CUT, workers=2, executor=executor, progress=False)
    assert walk.windows.equals(plain.windows)
    assert walk.equity.equals(plain.equity)


def test_a_stopped_walk_goes_on_from_its_file(three: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    options: dict[str, Any] = {**CUT, **COSTS, "rebalance": "1mo"}
    whole = walk_forward(PAIR, three, GRID, **options, **HERE)
    file, cancel = tmp_path / "walk", Cancel()

    def stop(now: Any) -> None:
        if now.done >= 2:
            cancel.cancel()

    part = walk_forward(PAIR, three, GRID, **options, workers=1, progress=stop, cancel=cancel, checkpoint=file)
    assert 0 < len(part) < 5
    again = walk_forward(PAIR, three, GRID, **options, **HERE, checkpoint=file)
    assert again.equity.equals(whole.equity)
    for other in ({"rebalance": None}, {"max_positions": {"slow": 1}}):
        with pytest.raises(InputError):
            walk_forward(PAIR, three, GRID, **{**options, **other}, **HERE, checkpoint=file)
    with pytest.raises(InputError):
        walk_forward({**PAIR, "slow": (long_only(), 0.4)}, three, GRID, **options, **HERE, checkpoint=file)


def test_one_instrument_is_walked_and_shown(tmp_path: Path) -> None:
    bars = at.synthetic(n=260, seed=11)
    frame = walk_forward(PAIR, bars, GRID, **CUT, **COSTS, **HERE)
    panel = walk_forward(PAIR, {"A": bars}, GRID, **CUT, **COSTS, **HERE)
    np.testing.assert_array_equal(frame.equity, panel.equity)
    assert frame.parameters == ("trend.fast", "slow.slow")
    assert len(frame.plot().data) == 5
    assert "Out of sample" in frame.summary()
    joined = panel.out_of_sample
    assert joined.strategy["allocations"] == {"trend": 0.5, "slow": 0.3}
    assert PortfolioResult.load(joined.save(tmp_path / "walk.parquet")).equity.equals(joined.equity)
    trial = trial_of_walk(panel, {"A": bars})
    assert (trial.n_trials, trial.effective_trials) == (16, 1.0), "four windows of four"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"carry": True, "grid": {"trend.allocation": [0.2, 0.4]}}, "carry=True keeps one account"),
        ({"max_positions": {"trned": 2}}, "names the strategy 'trned'"),
        ({"max_positions": {"trend": 0}}, "max_positions is 0"),
        ({"rebalance": "soon"}, "rebalance is 'soon'"),
        ({"grid": {"fast": [3]}}, "it does not say of which strategy"),
        ({"weights": {"A": 1.0}}, "weights= is not for a walk"),
        ({"given": {"s": (Signals(entries=[True]), 1.0)}, "grid": {"s.allocation": [0.5]}}, "ready|given as signals"),
        ({"given": {"s": (Holds(), 1.0)}, "grid": {"s.n": [5]}, "rank": {"s": "close"}}, "a stateful strategy"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(three: dict[str, pd.DataFrame], change: dict[str, Any], message: str) -> None:
    own = dict(change)
    given_, grid = own.pop("given", PAIR), own.pop("grid", GRID)
    with pytest.raises(InputError, match=message):
        walk_forward(given_, three, grid, **{**CUT, **HERE, **own})
