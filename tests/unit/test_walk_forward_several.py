"""Walk-forward over several instruments: what a plain loop over slices gives, in one account that sees no future."""

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
from algotrendy.backtest.trials import MemoryTrialLedger
from algotrendy.backtest.walk_forward import walk_forward
from algotrendy.compute import Cancel
from algotrendy.domain.actions import Actions
from algotrendy.domain.panel import Panel
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy, PythonStrategy

GRID = {"fast": [3, 8], "slow": [15, 30]}
CUT = {"training": 100, "testing": 40}
COSTS = {"commission": 0.001, "slippage": 0.0005}
HERE = {"workers": 1, "progress": False}


def both_ways(**levels: Any) -> at.Strategy:
    return at.Strategy(
        entry="sma(close, fast) > sma(close, slow)",
        exit="sma(close, fast) <= sma(close, slow)",
        short_entry="sma(close, fast) < sma(close, slow)",
        short_exit="sma(close, fast) >= sma(close, slow)",
        fast=3,
        slow=15,
        **levels,
    )


@pytest.fixture(scope="module")
def three() -> dict[str, pd.DataFrame]:
    """Three instruments; the last comes in late."""
    return {
        name: at.synthetic(n=300, seed=k).iloc[begin:] for name, k, begin in (("A", 1, 0), ("B", 2, 0), ("C", 3, 150))
    }


# --- one instrument is the case n = 1 ---


@pytest.mark.parametrize("carry", [False, True])
@pytest.mark.parametrize("fill", ["next_open", "next_close", "same_close"])
def test_one_instrument_in_a_mapping_is_the_walk_of_one_bit_for_bit(fill: str, carry: bool) -> None:
    bars = at.synthetic(n=260, seed=11)
    for strategy, step in ((both_ways(), 40), (both_ways(stop=0.03, trail=0.05), 20)):
        options = {**CUT, **COSTS, "step": step, "borrow": 0.02, "fill": fill, "carry": carry, **HERE}
        one = walk_forward(strategy, bars, GRID, **options)
        panel = walk_forward(strategy, {"A": bars}, GRID, **options)
        pd.testing.assert_series_equal(one.equity, panel.equity, check_exact=True, check_freq=False)
        for name in ("fast", "slow", "train_start", "test_end", "n_tried", "total_return", "n_trades"):
            assert one.windows[name].equals(panel.windows[name]), name
        for name in ("units", "price", "filled_at", "decided_at", "commission", "slippage"):
            ours, theirs = one.out_of_sample.order_columns[name], panel.out_of_sample.order_columns[name]
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
        for name, value in one.metrics.items():
            if isinstance(value, float):
                assert panel.metrics[name] == pytest.approx(value, rel=1e-11, nan_ok=True), name
        assert one.metrics["max_drawdown_valley"] == panel.metrics["max_drawdown_valley"]


# --- a plain walk, written down ---


def signals_of(bars: dict[str, pd.DataFrame], fast: int, slow: int) -> dict[str, pd.DataFrame]:
    """Return long signals of each instrument by pandas alone, by time and symbol."""
    spread = {name: one["close"].rolling(fast).mean() - one["close"].rolling(slow).mean() for name, one in bars.items()}
    table = pd.DataFrame(spread)
    return {"entries": table > 1e-9, "exits": table.notna() & ~(table > 1e-9)}


def long_only(**levels: Any) -> at.Strategy:
    return at.Strategy(
        "sma(close, fast) > sma(close, slow)", "sma(close, fast) <= sma(close, slow)", fast=3, slow=15, **levels
    )


def plainly(bars: dict[str, pd.DataFrame], ranks: pd.DataFrame) -> pd.DataFrame:
    """Optimise a slice, backtest the next one, close everything at cost, join the returns."""
    index, rows, end = bars["A"].index, [], CUT["training"]
    options = {"max_positions": 2, "rank": ranks, **COSTS}
    while end + CUT["testing"] <= len(index):
        first, last = end - CUT["training"], end + CUT["testing"]
        train = {name: one.loc[index[first] : index[end - 1]] for name, one in bars.items()}
        there = {name: one for name, one in train.items() if len(one) >= 2}
        best = at.optimize(long_only(), there, GRID, **options, **HERE).best_params
        said = signals_of({name: one.loc[: index[last - 1]] for name, one in bars.items()}, **best)
        test = {name: one.loc[index[end - 1] : index[last - 1]] for name, one in bars.items()}
        test = {name: one for name, one in test.items() if len(one) >= 2}
        part = {name: table[list(test)].loc[index[end - 1] : index[last - 1]] for name, table in said.items()}
        run = at.backtest(test, **part, **options)
        equity, final = run.equity.to_numpy().copy(), run.equity.iloc[-1]
        for name, units in run.positions.iloc[-1].items():
            close = bars[name]["close"].loc[index[last - 1]]
            price = close * (1 - np.sign(units) * COSTS["slippage"])
            final += units * (price - close) - abs(units) * price * COSTS["commission"]
        equity = np.append(equity[1:-1], final)
        rows.append({**best, "returns": equity / np.append(100_000.0, equity[:-1]) - 1})
        end += CUT["testing"]
    return pd.DataFrame(rows)


def test_it_is_what_a_plain_loop_over_slices_gives(three: dict[str, pd.DataFrame]) -> None:
    ranks = pd.DataFrame({name: one["close"].pct_change(20) for name, one in three.items()})
    plain = plainly(three, ranks)
    walk = walk_forward(long_only(), three, GRID, **CUT, max_positions=2, rank=ranks, **COSTS, **HERE)
    assert len(plain) == 5
    assert isinstance(walk.out_of_sample, PortfolioResult)
    for name in ("fast", "slow"):
        assert walk.windows[name].tolist() == plain[name].tolist()
    np.testing.assert_allclose(walk.returns, np.concatenate(plain["returns"].tolist()), rtol=1e-9, atol=1e-12)
    assert set(walk.out_of_sample.orders["symbol"]) == {"A", "B", "C"}
    text = walk_forward(long_only(), three, GRID, **CUT, max_positions=2, rank="roc(close, 20)", **COSTS, **HERE)
    assert text.equity.equals(walk.equity)


def test_carry_is_one_account_whose_parameters_change(three: dict[str, pd.DataFrame]) -> None:
    walk = walk_forward(long_only(), three, GRID, **CUT, carry=True, max_positions=2, **COSTS, **HERE)
    index, pieces = three["A"].index, []
    for k, row in walk.windows.iterrows():
        begin = 99 + 40 * int(k)
        said = signals_of(three, int(row["fast"]), int(row["slow"]))
        pieces.append({name: table.iloc[begin : begin + 40] for name, table in said.items()})
    spliced = {name: pd.concat([piece[name] for piece in pieces]) for name in ("entries", "exits")}
    test = {name: one.loc[index[99] :] for name, one in three.items()}
    run = at.backtest(test, **{name: table.reindex(index[99:], fill_value=False) for name, table in spliced.items()},
                      max_positions=2, **COSTS)  # fmt: skip
    np.testing.assert_allclose(walk.equity, run.equity.iloc[1:], rtol=1e-12)
    grown = (1 + walk.windows["total_return"]).prod()
    assert walk.equity.iloc[-1] == pytest.approx(100_000 * grown, rel=1e-9)


# --- laws ---


@settings(max_examples=4)
@given(
    seed=st.integers(0, 50), carry=st.booleans(), testing=st.integers(15, 60), places=st.integers(1, 3),
    noise=st.integers(1, 10_000),
)  # fmt: skip
def test_an_account_that_adds_up_and_does_not_see_the_future(
    seed: int, carry: bool, testing: int, places: int, noise: int
) -> None:
    bars = {name: at.synthetic(n=220, seed=3 * seed + k).iloc[30 * k :] for k, name in enumerate("ABC")}
    options = {"training": 90, "testing": testing, "carry": carry, "max_positions": places, "borrow": 0.01}
    options |= {**COSTS, **HERE, "rank": "rank(roc(close, 10))"}
    walk = walk_forward(both_ways(stop=0.04), bars, GRID, **options)
    joined = walk.out_of_sample
    prices = pd.DataFrame(joined.last_prices, index=joined.index, columns=list(joined.symbols))
    held = (joined.positions * prices).sum(axis=1)
    np.testing.assert_allclose(joined.cash_series + held, walk.equity, rtol=1e-9)
    product = (1 + walk.windows["total_return"]).prod()
    assert walk.equity.iloc[-1] == pytest.approx(100_000 * product, rel=1e-9)
    cut, rng = 90 + testing, np.random.default_rng(noise)  # the first window, and all behind it made noise
    later = bars["A"].index[cut]
    other = {}
    for name, one in bars.items():
        scale = np.exp(rng.normal(0, 0.1, len(one))) * (one.index >= later) + (one.index < later)
        other[name] = one.assign(**{field: one[field] * scale for field in ("open", "high", "low", "close")})
    again = walk_forward(both_ways(stop=0.04), other, GRID, **options)
    choice = ["fast", "slow", "in_sample"]
    assert again.windows.loc[0, choice].equals(walk.windows.loc[0, choice])
    assert again.equity.iloc[:testing].equals(walk.equity.iloc[:testing])


def test_splits_in_raw_bars_change_nothing_that_adjusted_bars_show(three: dict[str, pd.DataFrame]) -> None:
    adjusted = {name: three[name] for name in "AB"}
    split = adjusted["A"].index[170]
    before = (adjusted["A"].index < split).astype(float)
    raw = adjusted["A"].assign(
        **{field: adjusted["A"][field] * (1.0 + before) for field in ("open", "high", "low", "close")}
    )
    for carry in (False, True):
        options = {**CUT, **COSTS, **HERE, "carry": carry}
        plain = walk_forward(long_only(), adjusted, GRID, **options)
        actions = {"A": Actions.of(splits={str(split.date()): 2.0})}
        with_split = walk_forward(long_only(), {**adjusted, "A": raw}, GRID, actions=actions, **options)
        assert with_split.windows[["fast", "slow"]].equals(plain.windows[["fast", "slow"]])
        np.testing.assert_allclose(with_split.equity, plain.equity, rtol=1e-9)


def test_an_instrument_that_only_pauses_has_not_ended_in_a_window(three: dict[str, pd.DataFrame]) -> None:
    """A delisting costs all; a gap at the end of a training or testing window costs nothing."""
    index = three["A"].index
    paused = three["B"].drop(index[[138, 139, 99]])
    options = {**CUT, **HERE, "delisting_return": -1.0}
    walk = walk_forward(long_only(), {"A": three["A"], "B": paused}, GRID, **options)
    plain = walk_forward(long_only(), {"A": three["A"], "B": paused}, GRID, **{**options, "delisting_return": 0.0})
    assert walk.equity.equals(plain.equity)
    over = {"A": three["A"], "B": three["B"].loc[: index[120]]}
    gone = walk_forward(at.Strategy("close > k", "close < 0", k=1), over, {"k": [1, 2]}, **options)
    reasons = set(gone.out_of_sample.orders["reason"])
    assert "delisting" in reasons
    assert gone.metrics["total_return"] < -0.4


@pytest.mark.parametrize("carry", [False, True])
def test_calendars_that_differ_make_one_account_that_adds_up(carry: bool) -> None:
    stock, daily = at.synthetic(n=160, seed=1), at.synthetic(n=220, seed=2)
    coin = daily.set_axis(pd.date_range(stock.index[0], periods=220, name="time"))
    options = {"training": 90, "testing": 23, "borrow": 0.03, "delisting_return": -0.5, "carry": carry, **COSTS}
    walk = walk_forward(both_ways(stop=0.05), {"S": stock, "C": coin}, GRID, **options, **HERE)
    joined = walk.out_of_sample
    prices = pd.DataFrame(joined.last_prices, index=joined.index, columns=list(joined.symbols))
    np.testing.assert_allclose(joined.cash_series + (joined.positions * prices).sum(axis=1), walk.equity, rtol=1e-9)
    assert walk.equity.iloc[-1] == pytest.approx(100_000 * (1 + walk.windows["total_return"]).prod(), rel=1e-9)
    assert set(joined.orders["symbol"]) == {"S", "C"}
    assert "delisting" not in set(joined.orders["reason"])
    assert joined.metrics["periods_per_year"] == 365


def test_only_members_are_entered(three: dict[str, pd.DataFrame]) -> None:
    index = three["A"].index
    members = {"A": (None, index[180]), "B": (index[160], None)}
    walk = walk_forward(long_only(), three, GRID, **CUT, members=members, **HERE)
    orders = walk.out_of_sample.orders
    bought = orders[orders["side"] == "BUY"]
    assert set(bought["symbol"]) == {"A", "B"}
    assert bought.loc[bought["symbol"] == "A", "decided_at"].max() <= index[180]
    assert bought.loc[bought["symbol"] == "B", "decided_at"].min() >= index[160]


def test_volume_caps_what_windows_buy(three: dict[str, pd.DataFrame]) -> None:
    options = {**CUT, **HERE, "margin": (1.0, 0.5), "participation": 0.001}
    walk = walk_forward(long_only(), three, GRID, cash=1e9, **options)
    joined = walk.out_of_sample
    assert len(joined.unfilled)
    assert joined.unfilled["time"].min() >= joined.index[0]
    entries = joined.orders[joined.orders["side"] == "BUY"]
    volume = pd.DataFrame({name: one["volume"] for name, one in three.items()})
    allowed = [0.001 * volume.loc[row.filled_at, row.symbol] for row in entries.itertuples()]
    first = entries["filled_at"] < joined.index[40]  # later windows are scaled to what is left
    assert (entries["units"][first] <= np.array(allowed)[first.to_numpy()] * (1 + 1e-9)).all()


# --- forms, places, files ---


class Holds(BarStrategy):
    """Holds each instrument while it is above its average, of all an equal part."""

    n = 10

    def start(self, ctx: Any) -> None:
        self.averages = [ctx[symbol].indicator("sma", self.n) for symbol in ctx.symbols]

    def on_bar(self, ctx: Any) -> None:
        for symbol, average in zip(ctx.symbols, self.averages, strict=True):
            one = ctx[symbol]
            if not one.has_bar:
                continue
            if one.bar.close > average.value and not one.position():
                one.buy(size=0.9 / len(self.averages))
            elif one.bar.close <= average.value and one.position():
                one.close()


@pytest.mark.parametrize("carry", [False, True])
def test_a_stateful_strategy_walks_over_one_as_over_one_of_several(carry: bool) -> None:
    bars, options = at.synthetic(n=240, seed=5), {**CUT, **COSTS, **HERE, "carry": carry}
    one = walk_forward(Holds(), bars, {"n": [5, 20]}, **options)
    panel = walk_forward(Holds(), {"A": bars}, {"n": [5, 20]}, **options)
    assert one.windows["n"].equals(panel.windows["n"])
    pd.testing.assert_series_equal(one.equity, panel.equity, check_exact=True, check_freq=False)
    assert one.metrics["n_trades"] == panel.metrics["n_trades"] > 0


@pytest.mark.parametrize("carry", [False, True])
def test_a_stateful_strategy_shares_one_account(three: dict[str, pd.DataFrame], carry: bool) -> None:
    walk = walk_forward(Holds(), three, {"n": [5, 20]}, **CUT, **COSTS, carry=carry, **HERE)
    product = (1 + walk.windows["total_return"]).prod()
    assert walk.equity.iloc[-1] == pytest.approx(100_000 * product, rel=1e-9)
    assert set(walk.out_of_sample.orders["symbol"]) == {"A", "B", "C"}
    assert (walk.out_of_sample.requests is not None) == carry
    if not carry:  # the first window by hand: warm averages, asked from the bar before it, closed at its end
        n = int(walk.windows["n"].iloc[0])
        asked, index = 99, three["A"].index
        test = {name: three[name].loc[: index[139]] for name in "AB"}
        run = at.backtest(Late(n=n, first=index[asked]), test, **COSTS)
        np.testing.assert_allclose(walk.equity.iloc[:39], run.equity.iloc[100:139], rtol=1e-9)


class Late(Holds):
    """Does nothing before a stamp."""

    def __init__(self, n: int, first: pd.Timestamp) -> None:
        super().__init__()
        self.n, self.first = n, first

    def on_bar(self, ctx: Any) -> None:
        if ctx.time >= self.first:
            super().on_bar(ctx)


def momentum(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    above = bars["close"] > bars["close"].rolling(params["n"]).mean()
    return {"entries": above, "exits": ~above}


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_where_it_is_computed_changes_nothing(three: dict[str, pd.DataFrame], executor: str) -> None:
    strategy = PythonStrategy(momentum, {"n": 10})
    text = at.Strategy("close > sma(close, n)", "not close > sma(close, n)", n=10)
    options = {**CUT, "max_positions": 2, "progress": False}
    plain = walk_forward(text, three, {"n": [5, 20]}, **options, workers=1)
    walk = walk_forward(strategy, three, {"n": [5, 20]}, **options, workers=2, executor=executor)
    assert walk.windows["n"].equals(plain.windows["n"])
    np.testing.assert_allclose(walk.equity, plain.equity, rtol=1e-12)


@pytest.mark.parametrize("strategy", [both_ways(stop=0.05), Holds()], ids=["text", "stateful"])
def test_a_stopped_walk_goes_on_from_its_file(three: dict[str, pd.DataFrame], strategy: Any, tmp_path: Path) -> None:
    grid = {"n": [5, 20]} if isinstance(strategy, Holds) else GRID
    options = {**CUT, **COSTS, "max_positions": 2, "rank": "roc(close, 20)"} if grid is GRID else {**CUT, **COSTS}
    whole = walk_forward(strategy, three, grid, **options, **HERE)
    file, cancel = tmp_path / "walk", Cancel()

    def stop(now: Any) -> None:
        if now.done >= 2:
            cancel.cancel()

    part = walk_forward(strategy, three, grid, **options, workers=1, progress=stop, cancel=cancel, checkpoint=file)
    assert not part.complete
    assert 0 < len(part) < 5
    assert part.equity.equals(whole.equity.iloc[: 40 * len(part)])
    again = walk_forward(strategy, three, grid, **options, **HERE, checkpoint=file)
    assert again.complete
    assert again.equity.equals(whole.equity)
    with pytest.raises(InputError):
        walk_forward(strategy, {**three, "A": three["B"]}, grid, **options, **HERE, checkpoint=file)


def test_a_panel_with_further_columns_is_walked(three: dict[str, pd.DataFrame]) -> None:
    spans = dict(zip("ABC", (5, 9, 7), strict=True))
    bars = {name: one.assign(score=one["close"].rolling(spans[name]).mean()) for name, one in three.items()}
    strategy = at.Strategy("zscore(score) > k", "zscore(score) < 0", k=0.5, columns=["score"])
    walk = walk_forward(strategy, Panel.of(bars), {"k": [0.2, 0.8]}, **CUT, **HERE)
    assert walk.equity.equals(walk_forward(strategy, bars, {"k": [0.2, 0.8]}, **CUT, **HERE).equity)
    assert walk.metrics["n_trades"] > 0


def test_it_is_counted_and_shows_itself(three: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    ledger = MemoryTrialLedger()
    before = at.configure(ledger=ledger)
    try:
        walk = at.walk_forward(both_ways(), three, GRID, **CUT, **COSTS, **HERE)
    finally:
        at.configure(ledger=False)
    (record,) = ledger.records()
    assert before.ledger is ledger
    assert record.kind == "walk_forward"
    assert (record.n_trials, record.effective_trials) == (20, 1.0)
    assert len(walk.plot().data) == 5
    assert "Out of sample" in walk.summary()
    assert walk.stability.index.tolist() == ["fast", "slow"]
    assert len(walk._repr_html_()) > 500
    joined = walk.out_of_sample
    assert PortfolioResult.load(joined.save(tmp_path / "walk.parquet")).equity.equals(joined.equity)
    assert joined.orders["decided_at"].iloc[0] is pd.NaT or joined.orders["decided_at"].iloc[0] >= joined.index[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": {"A": 1.0}}, "weights= is not for a walk"),
        ({"chart": "heikin_ashi"}, "chart= is not for a walk"),
        ({"max_positions": 0}, "max_positions is 0"),
        ({"commission": {"X": 0.1}}, "names the symbol 'X'"),
        ({"training": 290}, "bars"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(three: dict[str, pd.DataFrame], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        walk_forward(both_ways(), three, GRID, **{**CUT, **HERE, **options})
