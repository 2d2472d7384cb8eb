"""Risk measures equal slow definitions written here in plain Python, and obey laws that need no reference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from algotrendy import risk
from algotrendy.risk.columns import columns_of

LEVELS = st.sampled_from([0.5, 0.75, 0.9, 0.95, 0.99])
TAILS = ("drawdown_at_risk", "conditional_drawdown_at_risk", "value_at_risk", "expected_shortfall", "tail_ratio")
PLAIN = (
    "total_return", "omega_ratio", "gain_to_pain_ratio", "max_drawdown", "average_drawdown", "pain_index", "ulcer_index"
)  # fmt: skip
RULES = ["linear", "lower", "higher", "nearest", "midpoint", "hazen", "weibull", "median_unbiased", "inverted_cdf"]


def series(least: int = 2, most: int = 120, low: float = -0.3) -> Any:
    """Return returns with ties among them: multiples of a half per cent, or any."""
    coarse = st.integers(int(low * 200), 40).map(lambda k: k / 200.0)
    one = st.one_of(coarse, st.floats(low, 0.3, allow_subnormal=False).map(lambda x: x if abs(x) > 1e-9 else 0.0))
    return st.integers(least, most).flatmap(lambda n: arrays(np.float64, n, elements=one))


def drawdown_by_definition(returns: Any) -> list[float]:
    """Return the loss from the best time to have bought to the end of each period."""
    worst = []
    for end in range(1, len(returns) + 1):
        best = 0.0
        for begin in range(end):
            wealth = 1.0
            for r in returns[begin:end]:
                wealth *= 1.0 + r
            best = max(best, 1.0 - wealth)
        worst.append(best)
    return worst


@given(returns=series(1, 25, low=-1.0))
def test_drawdown_is_the_loss_of_the_unluckiest_buyer(returns: Any) -> None:
    expected = drawdown_by_definition(returns)
    assert risk.drawdown_series(returns).tolist() == pytest.approx(expected, abs=2e-12)
    assert risk.max_drawdown(returns) == pytest.approx(max(expected), abs=2e-12)
    assert risk.pain_index(returns) == pytest.approx(sum(expected) / len(expected), abs=2e-12)
    assert risk.ulcer_index(returns) == pytest.approx(
        math.sqrt(sum(d * d for d in expected) / len(expected)), abs=2e-12
    )


@given(seed=st.integers(0, 10_000), n=st.integers(1_000, 6_000), scale=st.sampled_from([1e-6, 0.01, 0.2, 0.9]))
def test_the_fast_drawdown_is_the_plain_one(seed: int, n: int, scale: float) -> None:
    returns = np.random.default_rng(seed).uniform(-scale, scale, n)
    wealth = np.cumprod(1.0 + returns.astype(np.longdouble))
    plain = float((1.0 - wealth / np.maximum.accumulate(np.maximum(wealth, 1.0))).max())
    assert risk.max_drawdown(returns) == pytest.approx(plain, rel=1e-11)
    assert risk.max_drawdown(returns) == pytest.approx(risk.drawdown_series(returns).max(), rel=1e-11)


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -1.5])
@pytest.mark.parametrize("at", [0, 700, 1_999, 2_004])
def test_the_fast_drawdown_sees_what_is_not_a_return(spoilt: float, at: int) -> None:
    returns = np.zeros(2_005)
    returns[at] = spoilt
    with pytest.raises(ValueError, match=r"NaN|infinite|below -1"):
        risk.max_drawdown(returns)


@pytest.mark.parametrize("growth", [9.0, -0.9])
def test_the_fast_drawdown_survives_wealth_beyond_all_numbers(growth: float) -> None:
    returns = np.full(2_000, growth)
    returns[1_000:1_003] = -0.5
    assert risk.max_drawdown(returns) == pytest.approx(0.875 if growth > 0 else 1.0, rel=1e-12)


def test_a_million_periods_do_not_drift() -> None:
    returns = np.full(1_000_000, 0.001)
    returns[1::2] = -0.001  # each pair loses a millionth
    expected = -math.expm1(500_000 * math.log1p(-1e-6))
    # The first period is a new peak.
    assert risk.max_drawdown(returns) == pytest.approx(1.0 - (1.0 - expected) / 1.001, rel=1e-14)


@given(returns=series(1, 60), level=LEVELS)
def test_expected_shortfall_is_the_least_value_of_rockafellar_and_uryasev(returns: Any, level: float) -> None:
    losses = -returns

    def objective(v: float) -> float:
        return float(v + np.maximum(losses - v, 0.0).mean() / (1.0 - level))

    least = min(objective(v) for v in losses)  # convex and straight between the losses
    found = risk.tail_risk(returns, level)
    assert found.expected_shortfall == pytest.approx(least, abs=1e-12)
    assert found.expected_shortfall >= found.value_at_risk - 1e-15


@given(returns=series(1, 60), level=LEVELS, rule=st.sampled_from(RULES))
def test_value_at_risk_is_a_quantile_by_any_rule(returns: Any, level: float, rule: Any) -> None:
    expected = -np.quantile(returns, round(1.0 - level, 15), method=rule)
    assert risk.value_at_risk(returns, level, quantile=rule) == pytest.approx(expected, abs=1e-14)


@given(
    returns=series(1, 90), window=st.integers(1, 40), level=LEVELS, rule=st.sampled_from(["linear", "lower", "higher"])
)
def test_each_rolling_figure_is_that_of_its_window(returns: Any, window: int, level: float, rule: str) -> None:
    tails = risk.rolling_tail_risk(returns, window, level, quantile=rule)
    falls = risk.rolling_max_drawdown(returns, window)
    assert tails.iloc[: window - 1].isna().all(axis=None)
    for end in range(window, len(returns) + 1):
        piece = returns[end - window : end]
        found = tails.iloc[end - 1]
        assert found["value_at_risk"] == pytest.approx(risk.value_at_risk(piece, level, quantile=rule), abs=1e-14)
        assert found["expected_shortfall"] == pytest.approx(risk.expected_shortfall(piece, level), abs=1e-14)
        assert falls.iloc[end - 1] == pytest.approx(risk.max_drawdown(piece), abs=2e-12)


@given(
    seed=st.integers(0, 10_000),
    window=st.integers(60, 260),
    level=st.sampled_from([0.5, 0.9, 0.95, 0.99]),
    kind=st.sampled_from(["one value", "few values", "any", "rising", "falling", "in spells"]),
)
def test_a_rolling_tail_keeps_order_whatever_comes(seed: int, window: int, level: float, kind: str) -> None:
    rng, n = np.random.default_rng(seed), 900
    returns = {
        "one value": lambda: np.full(n, -0.01),
        "few values": lambda: rng.integers(-2, 3, n) / 100.0,
        "any": lambda: rng.normal(0.0, 0.01, n),
        "rising": lambda: np.linspace(-0.5, 0.5, n),
        "falling": lambda: np.linspace(0.5, -0.5, n),
        "in spells": lambda: np.clip(rng.normal(0.0, 0.01, n) * np.repeat(rng.choice([0.1, 3.0], n // 50), 50), -1, 1),
    }[kind]()
    found = risk.rolling_tail_risk(returns, window, level)
    windows = np.lib.stride_tricks.sliding_window_view(returns, window)
    expected = -np.quantile(windows, round(1.0 - level, 15), axis=1)
    assert found["value_at_risk"].to_numpy()[window - 1 :] == pytest.approx(expected, abs=1e-14)
    mass = window * round(1.0 - level, 15)
    ordered, whole = np.sort(windows, axis=1), int(mass)
    beyond = ordered[:, :whole].sum(axis=1) + (mass - whole) * ordered[:, whole]
    assert found["expected_shortfall"].to_numpy()[window - 1 :] == pytest.approx(-beyond / mass, abs=1e-14)


@given(returns=series(3, 60), window=st.integers(2, 30), seed=st.integers(0, 1000))
def test_each_rolling_ratio_is_that_of_its_window(returns: Any, window: int, seed: int) -> None:
    market = np.random.default_rng(seed).normal(0.0, 0.01, len(returns))
    options: dict[str, Any] = {"periods_per_year": 252, "risk_free_rate": 0.02}
    sharpe, sortino = (f(returns, window, **options) for f in (risk.rolling_sharpe_ratio, risk.rolling_sortino_ratio))
    beta, spread = risk.rolling_beta(returns, market, window), risk.rolling_volatility(returns, window)
    for end in range(window, len(returns) + 1):
        piece, other = returns[end - window : end], market[end - window : end]
        one = spread.iloc[end - 1]
        assert one == pytest.approx(risk.volatility(piece), rel=1e-7, abs=1e-9)
        assert beta.iloc[end - 1] == pytest.approx(risk.beta(piece, other), rel=1e-6, abs=1e-6)
        if one > 1e-6:
            assert sharpe.iloc[end - 1] == pytest.approx(risk.sharpe_ratio(piece, **options), rel=1e-6, abs=1e-6)
            assert sortino.iloc[end - 1] == pytest.approx(
                risk.sortino_ratio(piece, **options), rel=1e-6, abs=1e-6, nan_ok=True
            )


@given(
    seed=st.integers(0, 10_000),
    level=LEVELS,
    measure=st.sampled_from(["expected_shortfall", "value_at_risk", "volatility"]),
)
def test_components_add_up_to_the_risk_of_the_book(seed: int, level: float, measure: Any) -> None:
    rng = np.random.default_rng(seed)
    returns = pd.DataFrame(rng.normal(0.0, 0.02, (40, 4)), columns=list("ABCD"))
    weights = pd.Series(rng.normal(0.3, 0.5, 4), list("ABCD"))
    book = returns.to_numpy() @ weights.to_numpy()
    for method in ("historical", "parametric"):
        table = risk.risk_contributions(returns, weights, measure=measure, method=method, confidence_level=level)
        alone = getattr(risk, measure)
        whole = alone(book) if measure == "volatility" else alone(book, level, method=method)
        assert table["component"].sum() == pytest.approx(whole, abs=1e-12)
        for name in "ABCD":
            out = weights.where(weights.index != name, 0.0)
            change = risk.incremental_risk(
                returns, out, {name: weights[name]}, measure=measure, confidence_level=level,
                **({} if measure == "volatility" else {"method": method}),
            )  # fmt: skip
            assert table.loc[name, "incremental"] == pytest.approx(change, abs=1e-12)


@given(seed=st.integers(0, 10_000))
def test_marginal_risk_is_the_slope_of_the_risk(seed: int) -> None:
    rng = np.random.default_rng(seed)
    returns, weights = rng.normal(0.0005, 0.02, (60, 3)), rng.normal(0.3, 0.5, 3)
    step = 1e-7 * np.eye(3)
    for measure, method in (
        ("volatility", "historical"),
        ("value_at_risk", "parametric"),
        ("expected_shortfall", "historical"),
    ):
        table = risk.risk_contributions(returns, weights, measure=measure, method=method)
        options = {} if measure == "volatility" else {"method": method}
        slope = [risk.incremental_risk(returns, weights - s, 2.0 * s, measure=measure, **options) / 2e-7 for s in step]
        assert table["marginal"].tolist() == pytest.approx(slope, abs=1e-6)


@given(returns=series(2, 60), times=st.sampled_from([0.5, 2.0]))
def test_risk_grows_with_the_size_of_the_position(returns: Any, times: float) -> None:
    for method in ("historical", "parametric", "age_weighted", "ewma"):
        one = risk.tail_risk(returns, 0.9, method=method)
        other = risk.tail_risk(times * returns, 0.9, method=method)
        assert tuple(other) == pytest.approx(tuple(times * each for each in one), rel=1e-9, abs=1e-12)


@given(returns=series(2, 60))
def test_the_table_of_drawdowns_is_the_curve_in_short(returns: Any) -> None:
    lost, table = risk.drawdown_series(returns).to_numpy(), risk.drawdown_table(returns)
    assert table["drawdown"].is_monotonic_decreasing
    covered = np.zeros(len(lost), dtype=bool)
    for row in table.itertuples():
        first = 0 if row.peak is pd.NA else row.peak + 1
        end = len(lost) if row.recovery is pd.NA else row.recovery
        assert lost[first:end].min() > 0.0
        assert lost[first:end].max() == lost[row.valley] == row.drawdown
        assert row.recovery is pd.NA or lost[row.recovery] == 0.0
        assert row.n_periods == (end if row.recovery is not pd.NA else len(lost) - 1) - first + 1
        covered[first:end] = True
    assert (lost[~covered] == 0.0).all()
    assert risk.average_drawdown(returns) == pytest.approx(table["drawdown"].mean() if len(table) else 0.0)


@given(returns=series(3, 80), seed=st.integers(0, 1000))
def test_the_table_of_measures_is_what_the_functions_say(returns: Any, seed: int) -> None:
    market = np.random.default_rng(seed).normal(0.0, 0.01, len(returns))
    rates: dict[str, Any] = {"periods_per_year": 52, "risk_free_rate": 0.03}
    per_year = {"periods_per_year": 52}
    free = 1.03 ** (1 / 52) - 1.0
    table = risk.metrics(returns, benchmark=market, confidence_level=0.9, **rates)
    options: dict[str, dict[str, Any]] = {
        "annual_return": per_year, "calmar_ratio": per_year, "volatility": per_year, "sharpe_ratio": rates,
        "sortino_ratio": rates, "kelly_fraction": rates, "martin_ratio": rates, "pain_ratio": rates,
        "downside_deviation": {**per_year, "target": free},
        **{name: {"confidence_level": 0.9} for name in TAILS},
        **{name: {} for name in PLAIN},
    }  # fmt: skip
    for name, given_options in options.items():
        expected = getattr(risk, name)(returns, **given_options)
        assert table[name] == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), name
    against: dict[str, dict[str, Any]] = {
        "beta": {}, "correlation": {}, "alpha": rates, "treynor_ratio": rates, "tracking_error": per_year,
        "information_ratio": per_year, "up_capture": {}, "down_capture": {},
    }  # fmt: skip
    for name, given_options in against.items():
        expected = getattr(risk, name)(returns, market, **given_options)
        assert table[name] == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), name


@given(seed=st.integers(0, 10_000), n=st.integers(2, 30), k=st.integers(1, 8))
def test_covariances_have_no_negative_eigenvalue(seed: int, n: int, k: int) -> None:
    returns = np.random.default_rng(seed).normal(0.0, 0.02, (n, k))
    for method in ("sample", "ewma", "ledoit_wolf", "oas"):
        matrix = risk.covariance(returns, method=method).to_numpy()
        assert (matrix == matrix.T).all()
        assert np.linalg.eigvalsh(matrix)[0] >= -1e-15
        if method in ("ledoit_wolf", "oas"):
            assert np.trace(matrix) == pytest.approx(np.trace(np.cov(returns, rowvar=False, ddof=0).reshape(k, k)))


@given(seed=st.integers(0, 10_000))
def test_a_frame_is_its_columns_one_by_one(seed: int) -> None:
    frame = pd.DataFrame(np.random.default_rng(seed).normal(0.0, 0.02, (30, 2)), columns=["A", "B"])
    market = frame["A"].rename("market")
    for measure in (risk.value_at_risk, risk.max_drawdown, risk.sharpe_ratio, risk.omega_ratio, risk.kelly_fraction):
        found = measure(frame)
        assert isinstance(found, pd.Series)
        assert found.to_dict() == {name: measure(column) for name, column in columns_of(frame)}
    assert risk.beta(frame, market).to_dict() == {name: risk.beta(frame[name], market) for name in frame}
    assert risk.drawdown_series(frame)["B"].tolist() == risk.drawdown_series(frame["B"]).tolist()
    assert risk.rolling_volatility(frame, 5)["B"].equals(risk.rolling_volatility(frame["B"], 5))


def by_hand(returns: list[float], market: list[float], per_year: int, rate: float) -> dict[str, float]:
    """Return ratios in plain arithmetic, term by term, as their papers write them."""
    n, free = len(returns), (1.0 + rate) ** (1.0 / per_year) - 1.0
    mean, market_mean = sum(returns) / n, sum(market) / n
    variance = sum((r - mean) ** 2 for r in returns) / (n - 1)
    downside = math.sqrt(sum(min(r - free, 0.0) ** 2 for r in returns) / n)
    wealth = [1.0]
    for r in returns:
        wealth.append(wealth[-1] * (1.0 + r))
    annual = wealth[-1] ** (per_year / n) - 1.0
    lost = [1.0 - wealth[i] / max(wealth[: i + 1]) for i in range(1, n + 1)]
    gains, losses = sum(r for r in returns if r > 0.0), -sum(r for r in returns if r < 0.0)
    beta = sum((r - mean) * (m - market_mean) for r, m in zip(returns, market, strict=True))
    beta /= sum((m - market_mean) ** 2 for m in market)
    active = [r - m for r, m in zip(returns, market, strict=True)]
    active_mean = sum(active) / n
    error = math.sqrt(sum((a - active_mean) ** 2 for a in active) / (n - 1))
    up = [(r, m) for r, m in zip(returns, market, strict=True) if m > 0.0]
    caught = [math.prod(1.0 + pair[k] for pair in up) ** (1.0 / len(up)) - 1.0 for k in (0, 1)]
    return {
        "total_return": wealth[-1] - 1.0,
        "annual_return": annual,
        "volatility": math.sqrt(variance * per_year),
        "sharpe_ratio": (mean - free) / math.sqrt(variance) * math.sqrt(per_year),
        "sortino_ratio": (mean - free) / downside * math.sqrt(per_year),
        "omega_ratio": gains / losses,
        "gain_to_pain_ratio": (gains - losses) / losses,
        "kelly_fraction": (mean - free) / variance,
        "calmar_ratio": annual / max(lost),
        "martin_ratio": (annual - rate) / math.sqrt(sum(d * d for d in lost) / n),
        "pain_ratio": (annual - rate) / (sum(lost) / n),
        "beta": beta,
        "alpha": (mean - free - beta * (market_mean - free)) * per_year,
        "treynor_ratio": (mean - free) * per_year / beta,
        "tracking_error": error * math.sqrt(per_year),
        "information_ratio": active_mean / error * math.sqrt(per_year),
        "up_capture": caught[0] / caught[1],
    }


@given(seed=st.integers(0, 10_000), n=st.integers(20, 60))
def test_ratios_are_what_their_papers_write(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    market = rng.normal(0.001, 0.02, n)
    returns = 0.7 * market + rng.normal(0.0, 0.01, n)
    found = risk.metrics(returns, benchmark=market, periods_per_year=52, risk_free_rate=0.03)
    expected = by_hand(returns.tolist(), market.tolist(), 52, 0.03)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name
