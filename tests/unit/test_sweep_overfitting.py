"""The returns of a sweep's rows, and what its best row is worth."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.report import compose
from algotrendy.backtest.sweep import result as sweep_result
from algotrendy.backtest.trials import MemoryTrialLedger
from algotrendy.errors import InputError
from algotrendy.reports import KeyFigures, Notice

GRID = {"fast": [3, 5, 8, 13], "slow": [20, 30, 50]}


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return at.synthetic(n=600, seed=4)


def intraday() -> pd.DataFrame:
    found: pd.DataFrame = at.synthetic(n=900, seed=4)
    return found.set_axis(pd.date_range("2024-01-01", periods=900, freq="h", tz="UTC"))


def ruinous() -> pd.DataFrame:
    found: pd.DataFrame = at.synthetic(n=400, seed=4)
    found.loc[found.index[200] :, ["open", "high", "low", "close"]] *= 2.5
    return found


SHORT = at.Strategy(
    entry="close > sma(close, n)", exit="close < sma(close, n)", short_entry="close < sma(close, n)",
    short_exit="close > sma(close, n)", stop="2 * atr(14) / close", n=10,
)  # fmt: skip


def momentum(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
    up = bars["close"] > bars["close"].shift(params["n"])
    return up, ~up


@pytest.mark.parametrize("case", ["daily", "intraday", "ruin", "costs", "python", "chart"])
def test_each_column_is_the_returns_of_that_rows_backtest(case: str, bars: pd.DataFrame) -> None:
    grid: dict[str, Any] = {"n": [5, 9, 14]}
    strategy: Any = SHORT
    options: dict[str, Any] = {"commission": 0.001}
    if case == "intraday":
        bars = intraday()
    elif case == "ruin":
        bars = ruinous()
        strategy = at.Strategy(short_entry="close > n / 1000000", short_exit="close < 0.0001", n=5)
    elif case == "costs":
        grid |= {"borrow": [0.0, 0.1], "slippage": [0.0, 0.01], "stop": [0.02, 0.2]}
    elif case == "python":
        strategy = momentum
        options |= {"params": {"n": 5}}
    elif case == "chart":
        options |= {"chart": "heikin_ashi"}
    sweep = at.optimize(strategy, bars, grid, workers=1, **options)
    returns = sweep.returns()
    assert list(returns.columns) == list(sweep.table.index)
    for row in sweep.table.index:
        expected = sweep.run(row).returns
        pd.testing.assert_series_equal(returns[row], expected, check_names=False, rtol=1e-9, atol=1e-13)
    if case == "ruin":
        assert any(sweep.run(row).ruined_at is not None for row in sweep.table.index)


def test_a_sample_holds_the_best_row_and_depends_on_its_seed_alone(bars: pd.DataFrame) -> None:
    sweep = at.optimize(at.strategies.sma_cross(), bars, {"fast": range(2, 20), "slow": range(20, 60)})
    best = sweep.top(1).index[0]
    samples = [sweep.returns(sample=10, seed=seed) for seed in range(8)]
    assert all(best in each.columns and each.shape == (600, 10) for each in samples)
    assert list(samples[0].columns) == sorted(samples[0].columns)
    assert list(sweep.returns(sample=10, seed=3).columns) == list(samples[3].columns)
    assert len({tuple(each.columns) for each in samples}) > 1
    pd.testing.assert_frame_equal(samples[0], sweep.returns()[samples[0].columns])


def test_the_report_agrees_with_the_functions_it_is_made_of(bars: pd.DataFrame) -> None:
    from algotrendy.backtest.overfitting import probability_of_backtest_overfitting, romano_wolf, spa_test
    from algotrendy.risk import deflated_sharpe_ratio, effective_trials, probabilistic_sharpe_ratio

    sweep = at.optimize(at.strategies.sma_cross(), bars, GRID, risk_free_rate=0.02)
    found, returns = sweep.overfitting(n_resamples=499, seed=3), sweep.returns()
    best = sweep.top(1).index[0]
    hurdle = 1.02 ** (1 / 252) - 1
    by: Any = {"n_resamples": 499, "seed": 3}
    rate: Any = {"risk_free_rate": 0.02, "periods_per_year": 252}
    assert found.n_sampled == found.n_trials == 12
    assert found.estimate.annual == pytest.approx(sweep.table["sharpe_ratio"].max(), rel=1e-9)
    assert found.p_value == pytest.approx(romano_wolf(returns, hurdle, **by).p_values[best])
    assert found.spa.p_value == spa_test(returns, hurdle, **by).p_value
    assert found.effective_trials == effective_trials(returns)
    assert found.pbo.probability == probability_of_backtest_overfitting(returns - hurdle).probability
    assert found.probabilistic == pytest.approx(probabilistic_sharpe_ratio(returns[best], **rate))
    variance = sweep.table["sharpe_ratio"].var()
    assert found.deflated == pytest.approx(deflated_sharpe_ratio(returns[best], 12, variance, **rate))
    held = sweep.best.buy_and_hold.to_numpy()
    held = held / np.concatenate(([100_000.0], held[:-1])) - 1.0
    assert found.p_value_hold == pytest.approx(romano_wolf(returns, held, **by).p_values[best])
    assert sweep.overfitting(n_resamples=499, seed=3, benchmark="hold").p_value == pytest.approx(found.p_value_hold)
    assert sweep.overfitting(n_resamples=499, seed=3, benchmark=hurdle).p_value == pytest.approx(found.p_value)


def test_skill_is_told_from_luck() -> None:
    rng = np.random.default_rng(3)
    steps = np.where(rng.random(2000) < 0.5, 1.0, -1.0)
    for i in range(1, 2000):  # two days in three go on as the day before
        steps[i] = steps[i - 1] * (1.0 if rng.random() < 0.66 else -1.0)
    close = 100.0 * np.cumprod(1.0 + 0.01 * steps)
    index = pd.bdate_range("2015-01-01", periods=2000)
    trending = pd.DataFrame({"open": close, "high": close, "low": close, "close": close}, index=index)
    follow = at.Strategy(entry="close > prev(close, n)", exit="close < prev(close, n)", n=1)
    good = at.optimize(follow, trending, {"n": range(1, 30)}, fill="same_close").overfitting()
    assert good.p_value < 0.01
    assert good.is_more_than_luck
    assert "More than luck" in str(good)
    luck = at.optimize(follow, at.synthetic(n=2000, seed=8), {"n": range(1, 30)}, commission=0.001).overfitting()
    assert luck.p_value > 0.1
    assert "Luck explains the best of 29 tries" in str(luck)


def test_a_sampled_verdict_is_carried_on_to_all_rows() -> None:
    bars = at.sample("NASDAQ").iloc[-1500:]
    grid = {"fast": range(4, 60, 4), "slow": range(60, 200, 10)}
    sweep = at.optimize(at.strategies.sma_cross(), bars, grid)
    whole, some = sweep.overfitting(sample=None), sweep.overfitting(sample=60)
    assert (whole.n_sampled, some.n_sampled) == (196, 60)
    assert some.p_value == pytest.approx(whole.p_value, abs=0.12)
    assert some.p_value >= some.romano_wolf.p_value
    assert "on 60 of the 196 rows" in str(some)


def test_everything_tried_on_the_bars_weighs_on_the_verdict(bars: pd.DataFrame) -> None:
    at.configure(ledger=MemoryTrialLedger())
    try:
        sweep = at.optimize(at.strategies.sma_cross(), bars, GRID)
        alone = sweep.overfitting()
        assert alone.p_value_ledger == pytest.approx(alone.p_value)
        for fast in range(2, 12):
            at.backtest(at.strategies.sma_cross(fast, 25), bars)
        found = sweep.overfitting()
        assert found.ledger is not None
        assert (found.ledger.n_trials, found.ledger.n_records) == (22, 11)
        assert found.p_value == alone.p_value
        expected = 1 - (1 - found.p_value) ** ((found.effective_trials + 10) / found.effective_trials)
        assert found.p_value_ledger == pytest.approx(expected)
        assert "22, worth" in str(found)
    finally:
        at.configure(ledger=False)


def test_python_functions_are_run_again_sparingly(bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = at.optimize(momentum, bars, {"n": range(1, 41)}, params={"n": 1}, workers=1)
    assert not sweep.runner.is_fast
    assert sweep.trial().effective_trials == 40.0
    monkeypatch.setattr(sweep_result, "SAMPLE_OF_PYTHON", 12)
    assert sweep.overfitting(n_splits=4).n_sampled == 12


def test_a_row_that_lost_more_than_everything_is_judged_too() -> None:
    strategy = at.Strategy(
        entry="close > sma(close, n)", exit="close < sma(close, n)", short_entry="close < sma(close, n)",
        short_exit="close > sma(close, n)", n=5,
    )  # fmt: skip
    sweep = at.optimize(strategy, ruinous(), {"n": range(5, 30)}, risk_free_rate=0.02)
    assert sweep.returns().to_numpy().min() < -1.0
    assert 0.0 < sweep.overfitting().p_value <= 1.0
    assert 1.0 <= sweep.trial().effective_trials <= 25.0


def test_a_sweep_travels_without_its_ledger(bars: pd.DataFrame) -> None:
    at.configure(ledger=MemoryTrialLedger())
    try:
        sweep = at.optimize(at.strategies.sma_cross(), bars, GRID)
    finally:
        at.configure(ledger=False)
    copy = pickle.loads(pickle.dumps(sweep))
    assert copy.ledger is None
    assert copy.overfitting().p_value == sweep.overfitting().p_value


@pytest.mark.parametrize(
    ("grid", "options", "message"),
    [
        ({"fast": [5]}, {}, "one combination was tried"),
        (GRID, {"sample": 1}, "sample is 1"),
        (GRID, {"n_splits": 5}, "n_splits is 5"),
        (GRID, {"benchmark": "bonds"}, "benchmark is 'bonds'"),
        (GRID, {"n_resamples": 5}, "n_resamples is 5"),
    ],
)
def test_what_cannot_be_assessed_is_refused(grid: Any, options: Any, message: str, bars: pd.DataFrame) -> None:
    sweep = at.optimize(at.strategies.sma_cross(), bars, grid)
    with pytest.raises(InputError, match=message):
        sweep.overfitting(**options)


def test_a_sweep_that_never_traded_says_so(bars: pd.DataFrame) -> None:
    never = at.Strategy(entry="close > n", exit="close < 0.001", n=1e9)
    with pytest.raises(InputError, match="nothing was traded"):
        at.optimize(never, bars, {"n": [1e8, 1e9]}).overfitting()


def test_a_sweep_says_that_its_best_row_is_flattered(bars: pd.DataFrame) -> None:
    sweep = at.optimize(at.strategies.sma_cross(), bars, GRID)
    assert str(sweep).endswith("The best of 12 tries looks better than it is: overfitting() says by how much.")
    assert "overfitting()" in sweep._repr_html_()


def test_the_report_of_a_choice_has_a_section_on_luck(bars: pd.DataFrame) -> None:
    sweep = at.optimize(at.strategies.sma_cross(), bars, GRID)
    sections = {section.title: section for section in compose(sweep.best, sweep=sweep).sections}
    figures = next(block for block in sections["Skill or luck"].blocks if isinstance(block, KeyFigures))
    found = sweep.overfitting()
    assert figures.items[0].value == f"{100 * found.p_value:.1f} %"
    assert figures.items[1].value == f"{100 * found.p_value_hold:.1f} %"
    assert Notice(found.verdict, "info") in sections["Skill or luck"].blocks


def test_a_choice_that_cannot_be_judged_says_why_in_the_report(bars: pd.DataFrame) -> None:
    sweep = at.optimize(at.strategies.sma_cross(), bars, {"fast": [5]})
    section = {each.title: each for each in compose(sweep.best, sweep=sweep).sections}["Skill or luck"]
    notice = section.blocks[0]
    assert isinstance(notice, Notice)
    assert "one combination was tried" in notice.text
