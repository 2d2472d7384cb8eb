"""Stress tests by hand, episodes against real closes, simulated days against formulas."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import algotrendy as at
from algotrendy.errors import InputError
from algotrendy.risk.limits import BookView, Exposure
from algotrendy.risk.stress import (
    EPISODES,
    AssetShock,
    CorrelationToOne,
    FactorShock,
    HistoricalWindow,
    LiquidityDays,
    StressBook,
    StressTester,
    UniformReturn,
    VolatilityMultiplier,
    episode,
    monte_carlo_stress,
    scenario_from,
)

Z = stats.norm.ppf(0.95)
NAMES = ["A", "B"]
MATRIX = np.array([[4e-4, 1e-4], [1e-4, 9e-4]])
COVARIANCE = pd.DataFrame(MATRIX, NAMES, NAMES)
VALUES = {"A": 60_000.0, "B": -20_000.0}
BOOK = StressBook(
    values=VALUES, equity=100_000.0, covariance=COVARIANCE, peak_equity=110_000.0,
    betas={"market": {"A": 1.2, "B": 0.8}, "rates": {"A": -3.0}}, traded_values={"A": 100_000.0, "B": 50_000.0},
)  # fmt: skip
TESTER = StressTester()


def only(scenario: Any, book: StressBook = BOOK, **more: Any) -> Any:
    return TESTER.run(book, [scenario], **more).results[0]


def test_the_two_scenarios_of_the_specification() -> None:
    given = [
        {"name": "market_crash", "returns": -0.2},
        {"name": "volatility_spike", "volatility_multiplier": 2.0},
    ]
    result = TESTER.run(BOOK, given)
    crash = result["market_crash"]
    assert (crash.kind, crash.profit, crash.loss, crash.equity) == ("uniform_return", -8000.0, 0.08, 92_000.0)
    assert crash.profits == {"A": -12_000.0, "B": 4000.0}
    spread = math.sqrt(60**2 * 4e-4 + 20**2 * 9e-4 - 2 * 60 * 20 * 1e-4) / 100
    spike = result["volatility_spike"]
    assert spike.value_at_risk_before == pytest.approx(Z * spread)
    assert spike.value_at_risk == spike.loss == pytest.approx(2 * Z * spread)
    assert result.worst is crash
    assert list(result.to_frame()["name"]) == ["market_crash", "volatility_spike"]
    with pytest.raises(KeyError):
        result["another"]


def test_shocks_of_instruments_and_factors() -> None:
    assert only(AssetShock(name="x", shocks={"A": -0.5}, others=0.1)).profit == pytest.approx(-32_000)
    found = only(FactorShock(name="x", shocks={"market": -0.1, "rates": 0.02}))
    assert found.profits == pytest.approx({"A": 60_000 * (-0.12 - 0.06), "B": -20_000 * -0.08})
    assert only(FactorShock(name="x", shocks={"market": -3.0})).profits["A"] == -60_000, "no price falls below zero"


def test_correlations_to_one() -> None:
    spread = np.array([60.0 * 0.02, -20.0 * 0.03]) / 100
    assert only(CorrelationToOne(name="x")).loss == pytest.approx(Z * abs(spread.sum()))
    assert only(CorrelationToOne(name="x", hedges_fail=True)).loss == pytest.approx(Z * np.abs(spread).sum())
    assert only(CorrelationToOne(name="x", strength=0.0)).loss == only(VolatilityMultiplier(
        name="y", volatility_multiplier=1.0)).loss  # fmt: skip


def test_selling_takes_days_and_bears_their_risk() -> None:
    found = only(LiquidityDays(name="x", participation=0.2))
    assert found.days == pytest.approx({"A": 3.0, "B": 2.0})
    left = [np.array([60.0, -20.0]), np.array([40.0, -10.0]), np.array([20.0, 0.0])]
    assert found.loss == pytest.approx(Z * math.sqrt(sum(one @ MATRIX @ one for one in left)) / 100)
    quick = only(LiquidityDays(name="x", participation=1.0, volume_multiplier=10.0))
    assert quick.loss == pytest.approx(quick.value_at_risk_before)
    with pytest.raises(InputError, match="would take 60000 days"):
        only(LiquidityDays(name="x", participation=0.1, volume_multiplier=1e-4))


def test_a_window_of_history_compounds_and_remembers_its_worst_close() -> None:
    days = pd.bdate_range("2020-01-01", periods=5)
    history = pd.DataFrame({"A": [0.5, -0.5, 0.1, 0.2, 9.0], "SPX": [0.0, -0.1, -0.1, 0.3, 9.0]}, days)
    book = StressBook(values=VALUES, equity=100_000.0, history=history)
    window = HistoricalWindow(name="x", start=days[0], end="2020-01-06", proxies={"B": ("SPX", 2.0)})  # type: ignore[arg-type]
    found = only(window, book)
    returns = {"A": 0.5 * 1.1 * 1.2 - 1, "B": 0.8 * 0.8 * 1.6 - 1}
    assert found.profits == pytest.approx({name: VALUES[name] * value for name, value in returns.items()})
    assert found.worst_loss == pytest.approx((0.5 * 60 - 0.2 * 20) / 100)
    for wrong, said in (
        ({"proxies": {}}, "no returns of B"),
        ({"end": "2030-01-01"}, "needs 2020-01-01 to 2030-01-01"),
        ({"proxies": {"B": ("SPY", 1.0)}}, "no returns of SPY"),
    ):
        with pytest.raises(InputError, match=said):
            only(HistoricalWindow(**{**vars(window), **wrong}), book)
    history.loc[days[1], "SPX"] = np.nan
    with pytest.raises(InputError, match="the returns of SPX have gaps"):
        only(window, book)


def test_limits_that_a_scenario_breaks_are_named() -> None:
    limits: list[Any] = [
        {"kind": "daily_loss", "limit": "0.05"}, {"kind": "drawdown", "limit": "0.16"},
        {"kind": "gross_leverage", "limit": "0.7"}, {"kind": "net_leverage", "limit": "0.35"},
        {"kind": "concentration", "limit": "0.6"}, {"kind": "value_at_risk", "limit": "0.03"},
        {"kind": "order_rate", "limit": 1, "seconds": 1},
    ]  # fmt: skip
    crash = only(UniformReturn(name="x", returns=-0.2), limits=limits)  # 48,000 and -16,000 of 92,000
    assert crash.breached == ("daily_loss", "drawdown")
    rise = only(AssetShock(name="x", shocks={"B": 1.0}), limits=limits)  # 60,000 and -40,000 of 80,000
    assert rise.breached == ("daily_loss", "drawdown", "gross_leverage", "concentration")
    spike = only(VolatilityMultiplier(name="x", volatility_multiplier=2.0), limits=limits)
    assert spike.breached == ("value_at_risk",)


def test_a_book_that_is_repriced() -> None:
    def short_put(returns: np.ndarray) -> float:
        return -100_000.0 * max(-0.1 - float(returns[0]), 0.0)

    book = StressBook(values={"A": 0.0}, equity=100_000.0, covariance=COVARIANCE, reprice=short_put)
    found = only(UniformReturn(name="x", returns=-0.3), book)
    assert (found.loss, found.profits) == (pytest.approx(0.2), None)
    assert only(UniformReturn(name="x", returns=-0.05), book).loss == 0
    with pytest.raises(InputError, match="use monte_carlo"):
        only(VolatilityMultiplier(name="x", volatility_multiplier=2.0), book)
    with pytest.raises(InputError, match="use the kinds daily_loss and drawdown"):
        only(UniformReturn(name="x", returns=-0.3), book, limits=[{"kind": "gross_leverage", "limit": 1}])
    simulated = TESTER.monte_carlo(book, 20_000, volatility_multiplier=5.0)  # normal with 10 % a day
    mean = stats.norm.expect(lambda x: 0.1 * (x - 1.0), lb=1.0)
    assert float(simulated.losses.mean()) == pytest.approx(mean, rel=0.05)
    assert simulated.contributions is None


def test_a_book_of_limits_becomes_one_of_stress() -> None:
    rows = [
        Exposure(symbol="A", quantity=10, price=20, multiplier=5, beta="1.5", volume=100, pending_buys=99),
        Exposure(symbol="B", price=3),
    ]
    book = StressBook.of(BookView(equity=5000, exposures=rows, peak_equity=6000), covariance=COVARIANCE)
    assert (book.values, book.traded_values, book.peak_equity) == ({"A": 1000.0}, {"A": 10_000.0}, 6000.0)
    assert book.matrix.tolist() == [[4e-4]]
    assert only(FactorShock(name="x", shocks={"market": -0.1}), book).profit == pytest.approx(-150)


# --- episodes ---


def test_episodes_have_the_closes_of_the_index() -> None:
    close = at.sample("SP500")["close"]
    close.index = [moment.date() for moment in close.index]
    checked = [one for one in EPISODES.values() if one.start >= close.index[0] and one.end <= close.index[-1]]
    assert len(checked) == 9
    for one in checked:
        assert (close[one.start], close[one.end]) == pytest.approx((one.start_close, one.end_close), abs=0.006)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("black_monday_1987", -0.2047), ("financial_crisis", -0.568), ("dot_com", -0.491), ("covid_2020", -0.339),
        ("inflation_2022", -0.254), ("crash_1987", -0.335),
    ],
)  # fmt: skip
def test_episodes_have_the_falls_that_are_quoted(name: str, published: float) -> None:
    """Of S&P Dow Jones Indices, table of bear markets of the S&P 500, to a tenth of a percent."""
    assert episode(name).index_return == pytest.approx(published, abs=6e-4)


def test_an_episode_runs_on_the_real_index() -> None:
    returns = at.sample("SP500")["close"].pct_change().dropna()
    book = StressBook(values={"SPX": 50_000.0}, equity=50_000.0, history=returns.to_frame("SPX"))
    found = only(episode("lehman_2008").scenario(), book)
    assert found.loss == pytest.approx(-episode("lehman_2008").index_return, abs=1e-5)
    assert list(EPISODES) == [one.name for one in sorted(EPISODES.values(), key=lambda one: (one.start.year, ""))]
    with pytest.raises(InputError, match="there is no episode 'tulips'"):
        episode("tulips")


# --- simulated days ---


def test_simulated_days_agree_with_the_formulas() -> None:
    spread = math.sqrt(float(BOOK.exposures @ MATRIX @ BOOK.exposures)) / 100_000
    for multiplier in (1.0, 2.0):
        found = monte_carlo_stress(BOOK, 200_000, seed=3, volatility_multiplier=multiplier)
        assert found.value_at_risk == pytest.approx(multiplier * Z * spread, rel=0.01)
        assert found.expected_shortfall == pytest.approx(multiplier * stats.norm.pdf(Z) / 0.05 * spread, rel=0.01)
        assert sum((found.contributions or {}).values()) == pytest.approx(found.expected_shortfall)
    assert found.probability(found.value_at_risk) == pytest.approx(0.05, abs=1e-3)
    fat = monte_carlo_stress(BOOK, 200_000, seed=3, degrees_of_freedom=4.0, confidence_level=0.99)
    expected = stats.t.ppf(0.99, 4) * math.sqrt(2 / 4) * spread
    assert fat.value_at_risk == pytest.approx(expected, rel=0.02)
    together = monte_carlo_stress(BOOK, 200_000, correlation_strength=1.0)
    assert together.value_at_risk == pytest.approx(Z * (60 * 0.02 - 20 * 0.03) / 100, rel=0.01)
    again = monte_carlo_stress(BOOK, 1000, seed=3)
    assert np.array_equal(again.losses, monte_carlo_stress(BOOK, 1000, seed=3).losses)


def test_the_tail_of_simulated_days_is_that_of_rockafellar_and_uryasev() -> None:
    found = monte_carlo_stress(BOOK, 110, seed=5, confidence_level=0.95)  # a tail of five days and a half
    worst = found.losses[::-1]
    assert found.expected_shortfall == pytest.approx((worst[:5].sum() + 0.5 * worst[5]) / 5.5)
    assert found.expected_shortfall >= found.value_at_risk
    assert sum((found.contributions or {}).values()) == pytest.approx(found.expected_shortfall)


# --- what is refused ---


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "x"}, "the kind None; expected one of uniform_return"),
        ({"kind": "uniform_return", "name": "x"}, "is not whole"),
        ({"kind": "uniform_return", "name": "x", "returns": -0.1, "y": 1}, "has the fields name, returns"),
        ({"name": "x", "returns": -1.5}, "cannot lose more than -1"),
        ({"name": "x", "returns": "much"}, "finite number"),
        ({"name": "x", "returns": float("nan")}, "finite number"),
        ({"name": "x", "volatility_multiplier": -1}, "is negative"),
        ({"kind": "correlation_to_one", "name": "x", "strength": 2}, "0 to 1"),
        ({"kind": "factor_shock", "name": "x", "shocks": {}}, "shocks no factor"),
        ({"kind": "historical_window", "name": "x", "start": "2020-01-02", "end": "2020-01-02"}, "it has to last"),
        ({"kind": "historical_window", "name": "x", "start": "soon", "end": "2020-01-02"}, "expected a date"),
        ({"kind": "liquidity_days", "name": "x", "participation": 0}, "more than 0"),
        ({"kind": "liquidity_days", "name": "x", "participation": 2}, "nobody sells more"),
        (3, "is no scenario"),
    ],
)
def test_what_is_no_scenario_is_refused(data: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        scenario_from(data)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: StressBook(values={}, equity=1.0), "no position"),
        (lambda: StressBook(values={"A": float("nan")}, equity=1.0), "is not finite"),
        (lambda: StressBook(values={"A": 1.0}, equity=0.0), "has to be positive"),
        (lambda: only(CorrelationToOne(name="x"), StressBook(values={"A": 1.0}, equity=1.0)), "no covariance"),
        (lambda: StressBook(values={"Z": 1.0}, equity=1.0, covariance=COVARIANCE).matrix, "covariance has no Z"),
        (lambda: StressBook(values={"A": 1.0}, equity=1.0, covariance=MATRIX).matrix, "says no symbols"),
        (
            lambda: StressBook(values=VALUES, equity=1.0, covariance=COVARIANCE * np.array([[1, 9], [9, 1]])).matrix,
            "below zero",
        ),
        (
            lambda: StressBook(values=VALUES, equity=1.0, covariance=COVARIANCE * np.array([[1, 9], [1, 1]])).matrix,
            "symmetric",
        ),
        (lambda: only(FactorShock(name="x", shocks={"oil": 1.0})), "knows market, rates"),
        (lambda: only(AssetShock(name="x", shocks={"Z": 0.1})), "the book holds A, B"),
        (lambda: only(LiquidityDays(name="x"), StressBook(values=VALUES, equity=1.0)), "traded_values="),
        (lambda: only(episode("covid_2020").scenario()), "give history="),
        (lambda: TESTER.run(BOOK, [UniformReturn(name="x", returns=0.1)] * 2), "the same name"),
        (lambda: StressTester(confidence_level=95), r"fraction in \(0.5, 1\)"),
        (lambda: StressTester(horizon_days=0), "more than 0"),
        (lambda: monte_carlo_stress(BOOK, 10), "at least 100"),
        (lambda: monte_carlo_stress(BOOK, degrees_of_freedom=2), "more than 2"),
        (lambda: monte_carlo_stress(BOOK, correlation_strength=3), "expected 0 to 1"),
    ],
)
def test_what_a_book_cannot_say_is_told(call: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()


def test_dates_of_a_window_may_be_dates_times_or_texts() -> None:
    day = datetime.date(2020, 1, 2)
    for given in (day, pd.Timestamp(day), "2020-01-02"):
        assert HistoricalWindow(name="x", start=given, end="2021-01-01").start == day  # type: ignore[arg-type]
