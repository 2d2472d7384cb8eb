"""Walk-forward: it is what a plain loop over slices gives, sees nothing of what it may not see, and survives kills."""

from __future__ import annotations

import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.reference import Options
from algotrendy.backtest.reference_metrics import Order, Trade, metrics_of
from algotrendy.backtest.walk_forward import WalkForwardResult, cut_windows, walk_forward
from algotrendy.compute import Cancel
from algotrendy.errors import InputError
from algotrendy.kernels.statistics_names import METRICS

GRID = {"fast": [3, 5, 10], "slow": [15, 30]}
CUT = {"training": 120, "testing": 40}
COSTS = {"commission": 0.001, "slippage": 0.0005}


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return at.synthetic(n=420, seed=11)


def both_ways(**levels: Any) -> at.Strategy:
    return at.Strategy(
        entry="sma(close, fast) > sma(close, slow)",
        exit="sma(close, fast) <= sma(close, slow)",
        short_entry="sma(close, fast) < sma(close, slow)",
        short_exit="sma(close, fast) >= sma(close, slow)",
        fast=5,
        slow=20,
        **levels,
    )


def cross_arrays(close: pd.Series, fast: int, slow: int) -> dict[str, np.ndarray]:
    """Return the four signals of `both_ways` by pandas alone."""
    spread = (close.rolling(fast).mean() - close.rolling(slow).mean()).to_numpy()
    above, below = spread > 1e-9, spread < -1e-9
    known = ~np.isnan(spread)
    return {"entries": above, "exits": known & ~above, "short_entries": below, "short_exits": known & ~below}


def plainly(bars: pd.DataFrame, fill: str = "next_open", step: int = 40, **costs: float) -> pd.DataFrame:
    """Walk forward by hand: optimise a slice, backtest the next one, close it at cost, join the returns."""
    rows, end = [], CUT["training"]
    early = 0 if fill == "same_close" else 1
    while end + CUT["testing"] <= len(bars):
        train = bars.iloc[end - CUT["training"] : end]
        best = at.optimize(both_ways(), train, GRID, fill=fill, periods_per_year=252, **costs).best_params
        signals = cross_arrays(bars["close"], **best)
        last = end + CUT["testing"]
        if fill != "next_open":  # nothing is opened at the close at which all is closed
            signals["entries"][last - 1 - early] = signals["short_entries"][last - 1 - early] = False
        part = {name: values[end - early : last] for name, values in signals.items()}
        run = at.backtest(bars.iloc[end - early : last], fill=fill, periods_per_year=252, **part, **costs)
        equity, units = run.equity.to_numpy(), run.units_values[-1]
        close = bars["close"].iloc[last - 1]
        price = close * (1 - np.sign(units) * costs.get("slippage", 0.0))
        final = equity[-1] + units * (price - close) - abs(units) * price * costs.get("commission", 0.0)
        equity = np.append(equity[early:-1], final)
        rows.append({**best, "test_start": bars.index[end], "returns": equity / np.append(100_000.0, equity[:-1]) - 1})
        end += step
    return pd.DataFrame(rows)


@pytest.mark.parametrize("fill", ["next_open", "next_close", "same_close"])
@pytest.mark.parametrize("costs", [{}, COSTS])
def test_it_is_what_a_plain_loop_gives(bars: pd.DataFrame, fill: str, costs: dict[str, float]) -> None:
    plain = plainly(bars, fill, **costs)
    walk = walk_forward(both_ways(), bars, GRID, **CUT, fill=fill, **costs)
    assert len(plain) == 7
    for name in ("fast", "slow", "test_start"):
        assert walk.windows[name].tolist() == plain[name].tolist()
    np.testing.assert_allclose(walk.returns, np.concatenate(plain["returns"].tolist()), rtol=1e-9, atol=1e-12)
    assert walk.equity.index.equals(bars.index[120:400])
    np.testing.assert_allclose(walk.equity, 100_000 * np.cumprod(1 + walk.returns), rtol=1e-9)


def test_the_metrics_of_a_window_are_those_of_its_returns(bars: pd.DataFrame) -> None:
    walk = walk_forward(both_ways(), bars, GRID, **CUT, **COSTS)
    for k, row in walk.windows.iterrows():
        returns = walk.returns.loc[row["test_start"] : row["test_end"]]
        assert len(returns) == 40
        assert row["out_of_sample"] == pytest.approx(returns.mean() / returns.std() * np.sqrt(252), rel=1e-9)
        assert row["total_return"] == pytest.approx((1 + returns).prod() - 1, rel=1e-9)
        train = bars.loc[row["train_start"] : row["train_end"]]
        sweep = at.optimize(both_ways(), train, GRID, **COSTS)
        assert len(train) == 120
        assert row["in_sample"] == sweep.table["sharpe_ratio"].max()
        np.testing.assert_array_equal(walk.in_sample[k], sweep.table.loc[sweep.top(1).index[0], list(METRICS)])


def test_the_metrics_of_the_whole_are_those_of_a_backtest(bars: pd.DataFrame) -> None:
    """With one combination and one window the walk is a backtest of the testing bars with a warm start."""
    grid = {"fast": [5], "slow": [20]}
    walk = walk_forward(both_ways(), bars, grid, training=120, testing=300, carry=True, **COSTS)
    signals = {name: values[119:420] for name, values in cross_arrays(bars["close"], 5, 20).items()}
    run = at.backtest(bars.iloc[119:420], periods_per_year=252, **signals, **COSTS)
    np.testing.assert_allclose(walk.equity, run.equity[1:], rtol=1e-9)
    for name in ("final_equity", "max_drawdown", "n_orders", "n_trades", "win_rate", "profit_factor", "costs_paid"):
        assert walk.metrics[name] == pytest.approx(run.metrics[name], rel=1e-9), name
    returns = run.returns[1:]
    assert walk.metrics["sharpe_ratio"] == pytest.approx(returns.mean() / returns.std() * np.sqrt(252), rel=1e-9)
    assert walk.metrics["n_bars"] == 300
    assert walk.metrics["max_drawdown_valley"] == run.metrics["max_drawdown_valley"]
    assert walk.metrics["max_drawdown_start"] == run.metrics["max_drawdown_start"]


def test_carry_is_one_account_whose_parameters_change(bars: pd.DataFrame) -> None:
    walk = walk_forward(both_ways(stop=0.03), bars, GRID, **CUT, carry=True, borrow=0.02, **COSTS)
    spliced: dict[str, list[np.ndarray]] = {}
    for k, row in walk.windows.iterrows():
        begin = 120 + 40 * int(k) - 1
        for name, values in cross_arrays(bars["close"], int(row["fast"]), int(row["slow"])).items():
            spliced.setdefault(name, []).append(values[begin : begin + 40])
    last = cross_arrays(bars["close"], int(walk.windows["fast"].iloc[-1]), int(walk.windows["slow"].iloc[-1]))
    signals = {name: np.append(np.concatenate(parts), last[name][399]) for name, parts in spliced.items()}
    run = at.backtest(bars.iloc[119:400], stop=0.03, periods_per_year=252, borrow=0.02, **signals, **COSTS)
    np.testing.assert_allclose(walk.equity, run.equity[1:], rtol=1e-9)
    assert walk.metrics["n_trades"] == run.metrics["n_trades"]
    assert walk.metrics["borrow_paid"] == pytest.approx(run.metrics["borrow_paid"], rel=1e-9)
    assert (1 + walk.windows["total_return"]).prod() == pytest.approx(1 + walk.metrics["total_return"], rel=1e-9)


@pytest.mark.parametrize("window", [40, 8])
def test_of_a_carried_window_the_time_in_market_counts_what_it_began_with(bars: pd.DataFrame, window: int) -> None:
    """Some windows begin with the exit of what they inherit; some of the short ones hold it throughout."""
    cut = {"training": 120, "testing": window}
    walk = walk_forward(at.strategies.sma_cross(), bars, GRID, **cut, carry=True, metric="time_in_market", **COSTS)
    tested = walk.out_of_sample
    assert tested is not None
    held = np.flatnonzero(tested.units_values != 0)
    counts = np.bincount(held // window, minlength=len(walk.windows))
    assert walk.windows["out_of_sample"].tolist() == (counts / window).tolist()
    assert tested.metrics["time_in_market"] == len(held) / len(tested.units_values)
    inherits = tested.units_values[window - 1 :: window][: len(counts) - 1] != 0
    assert (inherits & (counts[1:] < window)).any()  # it is left in the middle
    assert (inherits & (counts[1:] == window)).any() == (window == 8)  # it is held throughout


def test_each_window_ends_flat_and_its_costs_are_counted(bars: pd.DataFrame) -> None:
    walk = walk_forward(both_ways(), bars, GRID, **CUT, **COSTS, borrow=0.05)
    tested = walk.out_of_sample
    assert tested is not None
    assert (tested.units_values[39::40] == 0).all()
    assert tested.metrics["n_orders"] == 2 * tested.metrics["n_trades"]
    assert tested.trades["pnl"].sum() == pytest.approx(tested.metrics["final_equity"] - 100_000, rel=1e-9)
    assert tested.trades["commission"].sum() == pytest.approx(tested.metrics["commission_paid"], rel=1e-9)
    assert tested.trades["borrow"].sum() == pytest.approx(tested.metrics["borrow_paid"], rel=1e-9)


@pytest.mark.parametrize("carry", [False, True])
@pytest.mark.parametrize("interval", ["1d", "1h"])
@pytest.mark.parametrize("seed", [1, 2])
def test_all_metrics_are_those_of_the_slow_reference(carry: bool, interval: str, seed: int) -> None:
    bars = at.synthetic(n=500, seed=seed, interval=interval)
    walk = walk_forward(
        both_ways(stop=0.05),
        bars,
        GRID,
        training=150,
        testing=45,
        carry=carry,
        borrow=0.04,
        risk_free_rate=0.02,
        **COSTS,
    )
    tested = walk.out_of_sample
    assert tested is not None
    marks = tested.valuation_marks.tolist()
    assert marks[-1] == len(tested.bars) - 1
    assert (interval == "1d") == (len(marks) == len(tested.bars))
    order, trade = tested.order_columns, tested.trade_columns
    orders = [
        Order(*row, "")
        for row in zip(
            *(order[name].tolist() for name in ("decided_at", "filled_at", "units", "price", "commission", "slippage")),
            strict=True,
        )
    ]
    names = ("entry_at", "exit_at", "units", "entry_price", "exit_price", "commission", "borrow", "pnl")
    trades = [Trade(*row, "") for row in zip(*(trade[name].tolist() for name in names), strict=True)]
    options = Options(
        cash=100_000.0, risk_free_rate=0.02, periods_per_year=float(walk.metrics["periods_per_year"]), marks=marks
    )
    expected = metrics_of(
        tested.equity_values.tolist(), tested.units_values.tolist(), orders, trades,
        borrow_paid=float(walk.metrics["borrow_paid"]), options=options,
    )  # fmt: skip
    assert walk.metrics["n_trades"] > 5
    assert walk.metrics["borrow_paid"] > 0
    for name in METRICS:
        assert walk.metrics[name] == pytest.approx(expected[name], rel=1e-9, nan_ok=True), name


def changed(bars: pd.DataFrame, begin: int, end: int) -> pd.DataFrame:
    other = bars.copy()
    scale = np.exp(np.random.default_rng(3).normal(0, 0.1, end - begin))
    for name in ("open", "high", "low", "close"):
        other.iloc[begin:end, other.columns.get_loc(name)] *= scale
    return other


@pytest.mark.parametrize("gap", [0, 7])
def test_training_sees_its_own_bars_alone(bars: pd.DataFrame, gap: int) -> None:
    walk = walk_forward(both_ways(), bars, GRID, **CUT, gap=gap, **COSTS)
    k = 3
    begin, end = 40 * k, 40 * k + 120
    for other in (changed(bars, 0, begin), changed(bars, end, len(bars))):
        again = walk_forward(both_ways(), other, GRID, **CUT, gap=gap, **COSTS)
        columns = ["fast", "slow", "in_sample", "n_tried"]
        assert again.windows.loc[k, columns].equals(walk.windows.loc[k, columns])
        np.testing.assert_array_equal(again.in_sample[k], walk.in_sample[k])


def test_testing_sees_nothing_behind_itself(bars: pd.DataFrame) -> None:
    walk = walk_forward(both_ways(), bars, GRID, **CUT, **COSTS)
    again = walk_forward(both_ways(), changed(bars, 280, 420), GRID, **CUT, **COSTS)
    pd.testing.assert_series_equal(walk.equity[:160], again.equity[:160], check_exact=True)


def test_an_anchored_walk_trains_from_the_first_bar(bars: pd.DataFrame) -> None:
    walk = walk_forward(both_ways(), bars, GRID, **CUT, anchored=True)
    assert set(walk.windows["train_start"]) == {bars.index[0]}
    row = walk.windows.iloc[-1]
    sweep = at.optimize(both_ways(), bars.loc[: row["train_end"]], GRID)
    assert sweep.best_params == {"fast": row["fast"], "slow": row["slow"]}


def test_overlapping_windows_hand_over_as_soon_as_the_next_begins(bars: pd.DataFrame) -> None:
    walk = walk_forward(both_ways(), bars, GRID, training=120, testing=40, step=20)
    assert walk.equity.index.equals(bars.index[120:420])
    plain = plainly(bars, step=20)
    # No cost, so a position closed early is worth what it was at that close.
    joined = np.concatenate([returns[:20] for returns in plain["returns"][:-1]] + [plain["returns"].iloc[-1]])
    np.testing.assert_allclose(walk.returns, joined, rtol=1e-9, atol=1e-12)
    whole = plain["returns"].map(lambda returns: np.prod(1 + returns) - 1)
    np.testing.assert_allclose(walk.windows["total_return"], whole, rtol=1e-9)


def test_bars_between_windows_are_not_traded(bars: pd.DataFrame) -> None:
    walk = walk_forward(both_ways(), bars, GRID, training=120, testing=30, step=60)
    plain = plainly(bars, step=60)
    assert len(walk.equity) == 30 * len(walk.windows)
    np.testing.assert_allclose(walk.returns[:30], plain["returns"].iloc[0][:30], rtol=1e-9, atol=1e-12)
    with pytest.raises(InputError, match="step at most testing"):
        walk_forward(both_ways(), bars, GRID, training=120, testing=30, step=60, carry=True)


@given(
    n_bars=st.integers(10, 400), training=st.integers(2, 60), testing=st.integers(1, 30), step=st.integers(1, 40),
    gap=st.integers(0, 10), anchored=st.booleans(),
)  # fmt: skip
def test_windows_keep_their_distances(
    n_bars: int, training: int, testing: int, step: int, gap: int, anchored: bool
) -> None:
    if n_bars < training + gap + testing:
        with pytest.raises(InputError, match="one window takes"):
            cut_windows(n_bars, training=training, testing=testing, step=step, gap=gap, anchored=anchored)
        return
    windows = cut_windows(n_bars, training=training, testing=testing, step=step, gap=gap, anchored=anchored)
    for k, window in enumerate(windows):
        assert window.test_end - window.test_begin == testing
        assert window.test_begin - window.train_end == gap
        assert window.train_end == training + k * step
        assert window.train_begin == (0 if anchored else k * step)
        assert window.test_end <= n_bars
    assert windows[-1].test_end + step > n_bars


def momentum(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    rising = bars["close"].pct_change(params["window"]) > 0
    return {"entries": rising, "exits": ~rising}


@pytest.mark.parametrize("strategy", [both_ways(), momentum])
def test_where_it_is_computed_changes_nothing(bars: pd.DataFrame, strategy: Any) -> None:
    grid: Any = {"window": [3, 8]} if strategy is momentum else GRID
    params = {"window": 3} if strategy is momentum else None
    walks = [
        walk_forward(strategy, bars, grid, params=params, **CUT, **COSTS, executor=where, workers=workers)
        for where, workers in (("threads", 1), ("threads", 3), ("processes", 2))
    ]
    for walk in walks[1:]:
        pd.testing.assert_frame_equal(walks[0].windows, walk.windows, check_exact=True)
        pd.testing.assert_series_equal(walks[0].equity, walk.equity, check_exact=True)


@pytest.mark.parametrize("method", ["random", "bayesian"])
def test_windows_may_search_by_chance(bars: pd.DataFrame, method: str) -> None:
    if method == "bayesian":
        pytest.importorskip("optuna", reason="extra: optuna is not installed")
    search = {"method": method, "n_trials": 8, "seed": 3}
    spans = {"fast": (2, 12), "slow": (13, 40)}
    one, two = (walk_forward(both_ways(), bars, spans, **CUT, **search, workers=n) for n in (1, 2))
    pd.testing.assert_frame_equal(one.windows, two.windows, check_exact=True)
    assert one.windows["fast"].between(2, 12).all()
    few = walk_forward(both_ways(), bars, {"fast": [3, 9], "slow": iter([15, 30])}, **CUT, **search, workers=1)
    assert set(few.windows["fast"]) <= {3, 9}  # two values stay two values on their way to a window
    with pytest.raises(InputError, match="seed=1"):
        walk_forward(both_ways(), bars, spans, **CUT, method=method)


def test_a_window_that_can_choose_nothing_stays_flat(bars: pd.DataFrame) -> None:
    limits = "n_trades >= 1000"
    for carry in (False, True):
        walk = walk_forward(both_ways(), bars, GRID, **CUT, constraints=limits, carry=carry)
        assert walk.windows["fast"].isna().all()
        assert (walk.equity == 100_000).all()
        assert np.isnan(walk.efficiency)
        assert "n/a" in walk.summary()


def test_a_flat_window_closes_what_it_inherits(bars: pd.DataFrame) -> None:
    sweep = [at.optimize(both_ways(), bars.iloc[40 * k : 40 * k + 120], GRID).table["n_trades"].max() for k in range(7)]
    limits = f"n_trades >= {int(np.median(sweep))}"
    walk = walk_forward(both_ways(), bars, GRID, **CUT, constraints=limits, carry=True)
    flat = walk.windows["fast"].isna()
    assert 0 < flat.sum() < 7
    for _, row in walk.windows[flat].iterrows():
        assert walk.out_of_sample is not None
        at_bars = walk.out_of_sample.bars.index.slice_indexer(row["test_start"], row["test_end"])
        assert (walk.out_of_sample.units_values[at_bars] == 0).all()


@pytest.mark.parametrize("carry", [False, True])
def test_after_ruin_nothing_is_traded(carry: bool) -> None:
    bars = at.synthetic(n=420, seed=11, volatility=0.9)
    walk = walk_forward(both_ways(size=15.0), bars, GRID, **CUT, max_leverage=15.0, carry=carry)
    tested = walk.out_of_sample
    assert tested is not None
    assert tested.ruined_at is not None
    after = walk.equity.loc[tested.ruined_at :]
    assert after.nunique() == 1
    assert after.iloc[0] <= 0
    assert (tested.orders["filled_at"] <= tested.ruined_at).all()
    assert walk.metrics["annual_return"] == -1
    assert walk.returns.loc[tested.ruined_at :].iloc[1:].eq(0).all()


def test_an_intraday_walk_shows_itself() -> None:
    walk = walk_forward(both_ways(), at.synthetic(n=500, seed=1, interval="1h"), GRID, training=150, testing=45)
    edges = walk.plot().to_dict()["layout"]["shapes"]
    assert len(edges) == 4
    assert "7 windows" in walk.summary()


def test_charts_are_read_by_a_walk(bars: pd.DataFrame) -> None:
    up = at.Strategy(entry="close > prev(close, n)", exit="close < prev(close, n)", n=1)
    walk = walk_forward(up, bars, {"n": [1, 2]}, **CUT, chart="heikin_ashi", workers=1)
    assert walk.metrics["n_trades"] > 0
    from algotrendy.charts import Chart

    with pytest.raises(InputError, match="looking ahead"):
        walk_forward(up, bars, {"n": [1, 2]}, **CUT, chart=Chart.of("heikin_ashi").rows(bars))


def test_efficiency_and_stability_are_what_they_say(bars: pd.DataFrame) -> None:
    walk = walk_forward(both_ways(), bars, GRID, **CUT, carry=True)
    promised = [
        at.optimize(both_ways(), bars.iloc[40 * k : 40 * k + 120], GRID).best.metrics["annual_return"] for k in range(7)
    ]
    assert walk.efficiency == pytest.approx(walk.metrics["annual_return"] / np.mean(promised), rel=1e-9)
    moves = walk.windows["fast"].diff().dropna().abs()
    found = walk.stability.loc["fast"]
    assert (found["n_changes"], found["mean_move"]) == ((moves > 0).sum(), pytest.approx(moves.mean()))
    assert found["n_values"] == walk.windows["fast"].nunique()
    assert found["move_share"] == pytest.approx(moves.mean() / np.ptp(walk.windows["fast"]))


def test_a_walk_shows_itself(bars: pd.DataFrame, tmp_path: Path) -> None:
    walk = walk_forward(both_ways(), bars, GRID, **CUT)
    assert "7 windows, 20 bars at the end not tested" in walk.summary()
    assert "<table" in walk._repr_html_()
    assert len(walk.plot().to_dict()["data"]) == 5
    assert walk.out_of_sample is not None
    again = at.BacktestResult.load(walk.out_of_sample.save(tmp_path / "walk.json"))
    assert again.metrics == walk.metrics or again.metrics["final_equity"] == walk.metrics["final_equity"]
    assert pickle.loads(pickle.dumps(walk)).windows.equals(walk.windows)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": 1}, "training"),
        ({"testing": 0}, "testing"),
        ({"gap": -1}, "gap"),
        ({"step": 0}, "step"),
        ({"anchored": "yes"}, "anchored"),
        ({"training": 500}, "one window takes 540"),
        ({"grid": {"commission": [0.0, 0.1]}}, "a cost is not chosen"),
        ({"metric": "sharp_ratio"}, "sharpe_ratio"),
        ({"n_trials": 5}, "a grid is tried whole"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(bars: pd.DataFrame, changes: dict[str, Any], message: str) -> None:
    given = {"grid": GRID, **CUT, **changes}
    with pytest.raises(InputError, match=message):
        walk_forward(both_ways(), bars, given.pop("grid"), **given)


# --- stopped, killed, begun again ---


def test_a_token_stops_a_walk(bars: pd.DataFrame) -> None:
    cancel = Cancel()
    walk = walk_forward(
        both_ways(), bars, GRID, **CUT, workers=1, cancel=cancel,
        progress=lambda now: cancel.cancel() if now.done == 3 else None,
    )  # fmt: skip
    assert not walk.complete
    assert (len(walk.windows), walk.n_windows) == (3, 7)
    whole = walk_forward(both_ways(), bars, GRID, **CUT)
    pd.testing.assert_frame_equal(walk.windows, whole.windows[:3], check_exact=True)
    pd.testing.assert_series_equal(walk.equity, whole.equity[:120], check_exact=True)


def test_a_walk_stopped_before_its_first_window_says_so(bars: pd.DataFrame) -> None:
    cancel = Cancel()
    cancel.cancel()
    walk = walk_forward(both_ways(), bars, GRID, **CUT, cancel=cancel)
    assert "no window was finished" in walk.summary()
    assert len(walk.equity) == len(walk.windows) == 0
    assert walk.metrics == {}
    assert isinstance(walk, WalkForwardResult)


SCRIPT = """
import os, pathlib, signal, sys, time
import algotrendy as at
from algotrendy.backtest.walk_forward import walk_forward, window

folder = pathlib.Path(sys.argv[1])
trained = window.Worker._trained

def slowly(self, each):
    time.sleep(float(sys.argv[2]))
    with (folder / "trained").open("a") as file:
        file.write(f"{each.number}\\n")
    if sys.argv[3] == "interrupt" and each.number == 4:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
    return trained(self, each)

window.Worker._trained = slowly
(folder / "begun").touch()
walk = walk_forward(
    at.strategies.sma_cross(), at.synthetic(n=420, seed=11), {"fast": [3, 5, 10], "slow": [15, 30]},
    training=120, testing=15, checkpoint=folder / "walk", workers=1, commission=0.001, progress=False,
)
walk.windows.to_pickle(folder / f"windows-{sys.argv[3]}.pkl")
walk.equity.to_pickle(folder / f"equity-{sys.argv[3]}.pkl")
print(walk.complete, len(walk.windows))
"""


def script(folder: Path, seconds: float, name: str) -> subprocess.Popen[str]:
    (folder / "begun").unlink(missing_ok=True)
    command = [sys.executable, "-c", SCRIPT, str(folder), str(seconds), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_walk_killed_again_and_again_gives_the_identical_result(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    assert script(whole, 0.0, "end").communicate(timeout=120)[0].split() == ["True", "20"]
    rng, kills = random.Random(5), 0
    for _ in range(5):
        run = script(tmp_path, 0.06, "end")
        end = time.monotonic() + 60
        while not (tmp_path / "begun").exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.05, 0.35))
        run.kill()
        kills += run.wait(timeout=60) == -signal.SIGKILL
        run.communicate()
        if (tmp_path / "equity-end.pkl").exists():
            break
    out, error = script(tmp_path, 0.0, "end").communicate(timeout=120)
    assert out.split() == ["True", "20"], error
    assert kills >= 1
    for name in ("windows", "equity"):
        expected, found = (pd.read_pickle(folder / f"{name}-end.pkl") for folder in (whole, tmp_path))
        assert expected.equals(found)
    # What was in the file was not computed again: a window is trained twice only if a kill came amid it.
    trained = (tmp_path / "trained").read_text().split()
    assert len(trained) <= 20 + kills


@pytest.mark.slow
def test_ctrl_c_returns_the_finished_windows_and_the_file_goes_on(tmp_path: Path) -> None:
    out, error = script(tmp_path, 0.0, "interrupt").communicate(timeout=120)
    assert out.split() == ["False", "4"], error
    out, error = script(tmp_path, 0.0, "end").communicate(timeout=120)
    assert out.split() == ["True", "20"], error
    first, whole = (pd.read_pickle(tmp_path / f"windows-{name}.pkl") for name in ("interrupt", "end"))
    assert first.equals(whole[:4])


def test_a_checkpoint_of_something_else_is_refused(bars: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "walk"
    walk = walk_forward(both_ways(), bars, GRID, **CUT, checkpoint=path)
    again = walk_forward(both_ways(), bars, GRID, **CUT, checkpoint=path)
    pd.testing.assert_frame_equal(walk.windows, again.windows, check_exact=True)
    pd.testing.assert_series_equal(walk.equity, again.equity, check_exact=True)
    for part, call in {
        "strategy": lambda: walk_forward(both_ways(stop=0.1), bars, GRID, **CUT, checkpoint=path),
        "bars": lambda: walk_forward(both_ways(), changed(bars, 0, 5), GRID, **CUT, checkpoint=path),
        "grid": lambda: walk_forward(both_ways(), bars, {**GRID, "fast": [3, 5]}, **CUT, checkpoint=path),
        "windows": lambda: walk_forward(both_ways(), bars, GRID, training=120, testing=41, checkpoint=path),
        "options": lambda: walk_forward(both_ways(), bars, GRID, **CUT, commission=0.001, checkpoint=path),
        "search": lambda: walk_forward(both_ways(), bars, GRID, **CUT, metric="total_return", checkpoint=path),
    }.items():
        with pytest.raises(InputError, match=f"another walk-forward: {part} differs"):
            call()


@settings(max_examples=10)
@given(seed=st.integers(0, 10_000), training=st.integers(40, 90), testing=st.integers(5, 40), fast=st.integers(2, 6))
def test_a_walk_holds_its_laws(seed: int, training: int, testing: int, fast: int) -> None:
    bars = at.synthetic(n=240, seed=seed)
    grid = {"fast": [fast, fast + 3], "slow": [12, 20]}
    for carry in (False, True):
        walk = walk_forward(
            both_ways(), bars, grid, training=training, testing=testing, carry=carry, **COSTS, workers=1
        )
        tested = walk.out_of_sample
        assert tested is not None
        assert len(walk.equity) == testing * len(walk.windows)
        if carry:  # cash moves with a fill alone
            cash = tested.equity_values - tested.units_values * tested.bars["close"].to_numpy()
            still = np.setdiff1d(np.arange(1, len(cash)), tested.order_columns["filled_at"])
            np.testing.assert_allclose(cash[still], cash[still - 1], rtol=1e-9, atol=1e-4)
        growth = np.cumprod(1 + walk.returns.to_numpy())[-1]
        assert growth * 100_000 == pytest.approx(walk.metrics["final_equity"], rel=1e-9)
