"""Monte Carlo: the laws of each method, the figures that are drawn from the paths, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp, norm

import algotrendy as at
from algotrendy.backtest.estimates import mean_of, quantile_of, share_of
from algotrendy.backtest.monte_carlo import monte_carlo
from algotrendy.backtest.resampling import block_length, fit_garch
from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError

SERIES = ("bootstrap", "stationary", "circular", "garch")


@pytest.fixture(scope="module")
def result() -> Any:
    return at.backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=900, seed=3), commission=0.0005)


@pytest.fixture(scope="module")
def returns() -> Float1D:
    rng = np.random.default_rng(11)
    shocks, found = rng.standard_t(6, 1500) * 0.01, np.zeros(1500)
    for k in range(1, 1500):
        found[k] = 0.0004 + 0.2 * found[k - 1] + shocks[k] * (1.0 + 20.0 * abs(shocks[k - 1]))
    return found


# --- laws ---


def test_the_bootstrap_has_the_mean_and_variance_of_theory(returns: Float1D) -> None:
    logs, horizon, n = np.log1p(returns), 100, 200_000
    found = np.log(monte_carlo(returns, horizon=horizon, paths=n, seed=4).terminal_wealth)
    spread = np.sqrt(horizon * logs.var())
    assert abs(found.mean() - horizon * logs.mean()) < 4.5 * spread / np.sqrt(n)
    assert found.var() == pytest.approx(spread**2, rel=4.5 * np.sqrt(2.0 / n))


@pytest.mark.parametrize("method", ["stationary", "circular"])
def test_blocks_keep_the_mean_and_change_the_variance(returns: Float1D, method: str) -> None:
    logs, horizon, n = np.log1p(returns), 100, 100_000
    found = np.log(monte_carlo(returns, method=method, block=20, horizon=horizon, paths=n, seed=5).terminal_wealth)
    assert abs(found.mean() - horizon * logs.mean()) < 4.5 * found.std() / np.sqrt(n)
    assert found.var() > 1.2 * horizon * logs.var()  # neighbours move together, which independent draws lose


@pytest.mark.parametrize("method", ["stationary", "circular"])
def test_block_bootstraps_agree_with_arch(returns: Float1D, method: str) -> None:
    """An independent implementation: `arch.bootstrap` draws paths of the length of the data."""
    from arch.bootstrap import CircularBlockBootstrap, StationaryBootstrap

    data, block, n = np.convolve(returns[:304], np.ones(5) / 3.0, mode="valid"), 12, 4_000
    kind = StationaryBootstrap if method == "stationary" else CircularBlockBootstrap
    theirs = np.empty((n, 2))
    for k, (drawn, _) in enumerate(kind(block, data, seed=1).bootstrap(n)):
        wealth = np.concatenate(([1.0], np.cumprod(1.0 + drawn[0])))
        theirs[k] = wealth[-1], np.max(1.0 - wealth / np.maximum.accumulate(wealth))
    theirs = theirs.round(10)  # a fall inside one block comes often, and must not differ by how it was rounded
    ours = monte_carlo(data, method=method, block=block, horizon=300, paths=n, seed=2)
    assert ks_2samp(ours.terminal_wealth, theirs[:, 0]).pvalue > 0.01
    assert ks_2samp(ours.max_drawdown.round(10), theirs[:, 1]).pvalue > 0.01
    wrong = monte_carlo(data, method=method, block=1, horizon=300, paths=n, seed=2)
    assert ks_2samp(wrong.terminal_wealth, theirs[:, 0]).pvalue < 1e-4  # the check would see another block length


def test_a_shuffle_keeps_the_end_and_moves_the_drawdown(result: Any) -> None:
    found = monte_carlo(result, method="trade_shuffle", paths=400, seed=1)
    closed = 1.0 + result.trade_columns["pnl"].sum() / result.cash
    np.testing.assert_allclose(found.terminal_wealth, closed, rtol=1e-12)
    assert found.horizon == result.metrics["n_trades"]
    assert found.observed["terminal_wealth"] == pytest.approx(closed)
    assert np.unique(found.max_drawdown).size > 300


def test_every_order_of_a_shuffle_is_equally_likely() -> None:
    found = monte_carlo([0.1, -0.2, 0.3], method="trade_shuffle", horizon=2, paths=60_000, seed=8)
    _, counts = np.unique(found.terminal_wealth.round(9), return_counts=True)
    assert counts.size == 3  # which of the three is left out
    assert (abs(counts - 20_000) < 4.5 * np.sqrt(60_000 * 2 / 9)).all()


def test_garch_paths_begin_at_the_volatility_of_the_end(returns: Float1D) -> None:
    calm = np.concatenate((returns, np.full(40, returns.mean())))
    fit = fit_garch(calm)
    found = monte_carlo(calm, method="garch", horizon=1, paths=50_000, seed=3)
    steps = found.terminal_wealth - 1.0
    assert steps.std() == pytest.approx(np.sqrt(fit.next_variance), rel=0.02)
    assert steps.std() < 0.9 * calm.std()
    assert steps.mean() == pytest.approx(calm.mean(), abs=4.5 * steps.std() / np.sqrt(50_000))


def test_a_fit_finds_the_rule_that_the_data_was_made_by() -> None:
    rng, variance = np.random.default_rng(2), 1e-4
    made = np.empty(20_000)
    for k in range(made.size):
        made[k] = np.sqrt(variance) * rng.standard_normal()
        variance = 2e-6 + 0.08 * made[k] ** 2 + 0.90 * variance
    fit = fit_garch(made)
    assert (fit.news, fit.memory) == pytest.approx((0.08, 0.90), abs=0.03)
    assert fit.constant == pytest.approx(2e-6, rel=0.4)


# --- nothing depends on how it is computed ---


@pytest.mark.parametrize("method", ["trade_shuffle", *SERIES])
def test_one_worker_finds_what_three_find(
    result: Any, returns: Float1D, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = returns if method == "garch" else result
    one = monte_carlo(given, method=method, paths=900, seed=6, workers=1)
    monkeypatch.setattr("algotrendy.backtest.monte_carlo.paths._STEPS_PER_CHUNK", 4_000)
    three = monte_carlo(given, method=method, paths=900, seed=6, workers=3)
    for name in ("terminal_wealth", "max_drawdown", "ruined"):
        assert np.array_equal(getattr(one, name), getattr(three, name))
    pd.testing.assert_frame_equal(one.fan, three.fan)
    assert np.array_equal(monte_carlo(given, method=method, paths=50, seed=6).max_drawdown, one.max_drawdown[:50])
    assert not np.array_equal(monte_carlo(given, method=method, paths=50, seed=7).max_drawdown, one.max_drawdown[:50])


def test_the_fan_ends_with_the_terminal_wealth(result: Any) -> None:
    found = monte_carlo(result, method="stationary", paths=700, confidence=0.9)
    assert found.fan.shape == (253, 5)
    assert (found.fan.iloc[0] == 1.0).all()
    expected = np.quantile(found.terminal_wealth, [0.05, 0.25, 0.5, 0.75, 0.95])
    np.testing.assert_allclose(found.fan.iloc[-1], expected, rtol=1e-12)
    assert (np.diff(found.fan.to_numpy(), axis=1) >= 0.0).all()


def test_interrupting_returns_the_paths_that_are_done() -> None:
    script = textwrap.dedent("""
        import os, signal, threading
        import numpy as np
        from algotrendy.backtest.monte_carlo import monte_carlo, paths
        returns = np.random.default_rng(1).normal(0.0, 0.01, 500)
        monte_carlo(returns, paths=10)
        paths._STEPS_PER_CHUNK = 40_000
        class Count:
            calls = 0
        run = paths.PathMaker.run
        def counting(self, chunk):
            Count.calls += 1
            if Count.calls == 20:
                os.kill(os.getpid(), signal.SIGINT)
            return run(self, chunk)
        paths.PathMaker.run = counting
        found = monte_carlo(returns, paths=100_000, workers=1)
        assert not found.complete
        assert 0 < len(found) < 100_000, len(found)
        assert found.fan.shape == (253, 5)
        print("done", "stopped before its end" in found.summary())
    """)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "done True", ran.stderr


# --- parameters near the chosen ones ---


def test_jitter_is_the_backtests_of_the_parameters_that_were_drawn(result: Any) -> None:
    found = monte_carlo(result, method="parameter_jitter", paths=300, spread=0.3, where="fast < slow", seed=2)
    assert found.settings["vary"] == ("fast", "slow")
    wealth = set()
    for fast in range(4, 7):
        for slow in range(14, 27):
            again = at.backtest(at.strategies.sma_cross(fast, slow), result.bars, commission=0.0005)
            wealth.add(round(again.metrics["final_equity"] / again.cash, 9))
    drawn = set(found.terminal_wealth.round(9).tolist())
    assert drawn <= wealth
    assert len(drawn) > 30
    np.testing.assert_allclose(found.fan.iloc[-1], np.quantile(found.terminal_wealth, found.levels), rtol=1e-9)
    again = monte_carlo(
        result, method="parameter_jitter", paths=300, spread=0.3, where="fast < slow", seed=2, workers=1
    )
    assert np.array_equal(found.terminal_wealth, again.terminal_wealth)


def test_jitter_counts_ruin_bar_by_bar(result: Any) -> None:
    found = monte_carlo(result, method="parameter_jitter", paths=100, ruin=0.05)
    lowest = np.concatenate(list(found.curves())).min(axis=0)
    assert np.array_equal(found.ruined, lowest <= 0.95)
    assert found.ruined.any()


def momentum(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
    up = bars["close"] > bars["close"].shift(params["window"])
    return at.Signals(entries=up, exits=~up)


def contrary(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
    up = bars["close"] > bars["close"].shift(params["window"])
    return at.Signals(entries=~up, exits=up)


def test_jitter_runs_python_functions_that_are_given_again(result: Any) -> None:
    run = at.backtest(momentum, result.bars, params={"window": 20}, units="whole", commission=at.Fees(fixed=1.0))
    from algotrendy.strategy import PythonStrategy

    with pytest.raises(InputError, match="give strategy="):
        monte_carlo(run, method="parameter_jitter")
    strategy = PythonStrategy(momentum, {"window": 20})
    found = monte_carlo(run, method="parameter_jitter", strategy=strategy, paths=40, workers=2)
    assert found.settings["distinct_parameters"] == 9  # 16 to 24
    assert run.metrics["final_equity"] / run.cash in found.terminal_wealth
    with pytest.raises(InputError, match="is it the strategy of this result"):
        monte_carlo(run, method="parameter_jitter", strategy=PythonStrategy(contrary, {"window": 20}), paths=40)


# --- estimates and how they are shown ---


def test_intervals_cover_what_they_say() -> None:
    rng = np.random.default_rng(5)
    hits = np.zeros(3)
    for _ in range(2_000):
        values = np.sort(rng.normal(size=200))
        estimates = (mean_of(values, 0.9), quantile_of(values, 0.75, 0.9), share_of(int((values < -1).sum()), 200, 0.9))
        truths = (0.0, norm.ppf(0.75), norm.cdf(-1))
        hits += [each.low <= truth <= each.high for each, truth in zip(estimates, truths, strict=True)]
    assert (abs(hits / 2_000 - 0.9) < 0.03).all()


def test_wilsons_interval_is_the_published_one() -> None:
    """Agresti and Coull (1998), The American Statistician 52(2), and R's `prop.test(15, 20, correct=FALSE)`."""
    found = share_of(15, 20, 0.95)
    assert (found.low, found.high) == pytest.approx((0.5312982, 0.8881378), abs=1e-6)


def test_a_result_can_be_looked_at(result: Any) -> None:
    found = monte_carlo(result, method="trade_shuffle", paths=200, ruin=0.1)
    text = found.summary()
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "Ruin, probability" in text
    assert len(found.plot().data) == 7
    assert "the data" in str(found.plot().layout.annotations)
    assert "<table" in found._repr_html_()
    assert "trade_shuffle" in repr(found)
    assert list(found.table.columns) == ["value", "low", "high"]
    assert found.ruin_probability.value == found.ruined.mean()
    assert ((found.table["low"] <= found.table["value"]) & (found.table["value"] <= found.table["high"])).all()


def test_a_result_of_a_backtest_has_the_door(result: Any) -> None:
    assert result.monte_carlo(paths=20, method="circular", block=5).settings["block"] == 5.0


def test_trades_can_be_handed_in_as_a_frame(result: Any) -> None:
    from_frame = monte_carlo(result.trades, cash=result.cash, method="trade_shuffle", paths=64)
    assert np.array_equal(from_frame.max_drawdown, monte_carlo(result, method="trade_shuffle", paths=64).max_drawdown)
    assert monte_carlo(result.trades, cash=result.cash, paths=10).horizon == len(result.trades)


def test_the_default_block_length_covers_spells_of_volatility(returns: Float1D) -> None:
    from arch.bootstrap import optimal_block_length

    by_mean = float(optimal_block_length(returns)["stationary"].iloc[0])
    by_squares = float(optimal_block_length((returns - returns.mean()) ** 2)["stationary"].iloc[0])
    assert block_length(returns) == pytest.approx(max(by_mean, by_squares))
    assert monte_carlo(returns, method="stationary", paths=5).settings["block"] == pytest.approx(block_length(returns))
    assert block_length(returns, "circular") == np.ceil(block_length(returns, "circular"))


# --- what is refused ---


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ([0.01, 0.02], {"method": "bootstrp"}, "did you mean 'bootstrap'"),
        ([0.01, float("nan"), 0.1], {}, "1 of 3 returns are missing"),
        ([100.0, -101.0], {}, "more than everything"),
        ([0.01], {}, "at least 2"),
        ("NASDAQ", {}, "is a str"),
        ([0.01, 0.02], {"paths": 0}, "paths is 0"),
        ([0.01, 0.02], {"horizon": 2.5}, "horizon is 2.5"),
        ([0.01, 0.02], {"ruin": 50}, "ruin is 50"),
        ([0.01, 0.02], {"confidence": 95}, "confidence is 95"),
        ([0.01, 0.02], {"seed": -1}, "seed is -1"),
        ([0.01, 0.02], {"block": 5}, "block= means nothing to the method 'bootstrap'"),
        ([0.01, 0.02], {"method": "circular", "block": 1.5}, "a whole number of steps from 1 to the 2"),
        ([0.01, 0.02], {"method": "stationary"}, "too few to choose a block length"),
        ([0.01, 0.02], {"method": "garch"}, "too few to fit"),
        ([0.001] * 200, {"method": "garch"}, "never move"),
        ([0.01, 0.0, -0.02] * 50, {"method": "garch"}, "33% of the returns are exactly zero"),
        ([0.01, 0.02], {"method": "trade_shuffle", "horizon": 3}, "only 2 trades"),
        ([0.01, 0.02], {"spread": 0.1}, "spread= means nothing"),
        ([0.01, 0.02], {"cash": 100.0}, "cash is given beside returns"),
        ([0.01, 0.02], {"method": "parameter_jitter"}, "needs the result of a backtest"),
        (pd.DataFrame({"close": [1.0]}), {}, "no column 'pnl'"),
        (pd.DataFrame({"pnl": [1.0]}), {}, "give cash="),
        (pd.DataFrame({"pnl": [-100.0, 1.0]}), {"cash": 50.0}, "nothing was left"),
        (pd.DataFrame({"pnl": [1.0]}), {"cash": -5.0}, "above zero"),
        (pd.DataFrame({"pnl": []}), {"cash": 50.0}, "no closed trades"),
    ],
)
def test_what_makes_no_sense_is_refused(source: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        monte_carlo(source, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spread": 1.5}, "spread is 1.5"),
        ({"vary": ["fst"]}, "did you mean 'fast'"),
        ({"where": "fast > slow"}, "`where` keeps 0"),
        ({"horizon": 10}, "horizon= means nothing"),
    ],
)
def test_jitter_refuses_what_makes_no_sense(result: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        monte_carlo(result, method="parameter_jitter", paths=10, **options)


@pytest.mark.parametrize("method", ["stationary", "parameter_jitter"])
def test_processes_draw_what_threads_draw(method: str) -> None:
    result = at.backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=300, seed=1))
    here, there = (
        monte_carlo(result, method=method, paths=40, seed=2, executor=where, workers=2)
        for where in ("threads", "processes")
    )
    assert np.array_equal(here.terminal_wealth, there.terminal_wealth)
    assert np.array_equal(here.ruined, there.ruined)
