"""Synthetic bars: the same seed gives the same bars, and each model keeps the law that its docstring states."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from algotrendy.data import provenance, synthetic
from algotrendy.domain.bars import check_bars
from algotrendy.domain.calendar import infer_calendar
from algotrendy.domain.interval import infer_interval
from algotrendy.domain.stale import stale_opens
from algotrendy.errors import InputError

MODELS = ("random_walk", "garch", "jumps")
MANY = 60_000


def log_returns(bars: pd.DataFrame) -> np.ndarray:
    return np.diff(np.log(bars["close"].to_numpy()))


def autocorrelation(values: np.ndarray, lag: int = 1) -> float:
    centred = values - values.mean()
    return float((centred[lag:] * centred[:-lag]).mean() / (centred**2).mean())


def kurtosis(values: np.ndarray) -> float:
    centred = values - values.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("interval", ["1d", "5m"])
@pytest.mark.parametrize("calendar", ["sessions", "24/7"])
def test_bars_are_sound_marked_and_on_their_calendar(model: str, interval: str, calendar: str) -> None:
    bars = synthetic(2_500, seed=1, model=model, interval=interval, calendar=calendar)
    check_bars(bars)
    assert list(bars.columns) == ["open", "high", "low", "close", "volume", "is_synthetic"]
    assert bars["is_synthetic"].all()
    index = pd.DatetimeIndex(bars.index)
    assert str(infer_interval(index)) == interval
    assert infer_calendar(index).name == calendar
    assert (index.tz is None) == (interval == "1d")


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_gives_the_same_bars_and_another_gives_others(model: str) -> None:
    pd.testing.assert_frame_equal(
        synthetic(500, seed=3, model=model), synthetic(500, seed=3, model=model), check_exact=True
    )
    assert not synthetic(500, seed=3, model=model).equals(synthetic(500, seed=4, model=model))
    again = synthetic(500, seed=np.random.default_rng(3), model=model)
    assert (again["close"] == synthetic(500, seed=3, model=model)["close"]).all()


@pytest.mark.parametrize("model", MODELS)
def test_asking_for_more_bars_does_not_change_the_first(model: str) -> None:
    few = synthetic(1_000, seed=5, model=model)
    assert few.equals(synthetic(2_000, seed=5, model=model).iloc[:1_000])


def test_a_long_series_is_the_same_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = synthetic(3_000, seed=6, model="garch")
    monkeypatch.setattr("algotrendy.data.generated._ROWS_AT_ONCE", 700)
    np.testing.assert_allclose(synthetic(3_000, seed=6, model="garch")["close"], whole["close"], rtol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_returns_have_the_volatility_that_was_asked_for(model: str) -> None:
    returns = log_returns(synthetic(MANY, seed=7, model=model, volatility=0.3, jumps_per_year=0.0))
    assert returns.std() * np.sqrt(252) == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("model", MODELS)
def test_the_expected_price_grows_by_the_drift(model: str) -> None:
    growth = np.exp(log_returns(synthetic(MANY, seed=8, model=model, drift=0.5, volatility=0.2)))
    standard_error = growth.std() / np.sqrt(growth.size)
    assert abs(growth.mean() - np.exp(0.5 / 252)) < 4 * standard_error


def test_returns_of_a_random_walk_are_normal_and_independent() -> None:
    returns = log_returns(synthetic(MANY, seed=9))
    assert kurtosis(returns) == pytest.approx(3.0, abs=0.1)
    assert abs(autocorrelation(returns)) < 4 / np.sqrt(MANY)
    assert abs(autocorrelation(returns**2)) < 4 / np.sqrt(MANY)


def test_squared_returns_of_garch_are_correlated_as_its_formula_says() -> None:
    alpha, beta = 0.1, 0.8
    returns = log_returns(synthetic(MANY, seed=10, model="garch", alpha=alpha, beta=beta, drift=0.0))
    assert abs(autocorrelation(returns)) < 0.03
    # Bollerslev (1986): the first autocorrelation of the squares, and the kurtosis.
    persistence = alpha + beta
    first = alpha * (1 - alpha * beta - beta**2) / (1 - 2 * alpha * beta - beta**2)
    squares = returns**2
    assert autocorrelation(squares, 1) == pytest.approx(first, abs=0.05)
    assert autocorrelation(squares, 5) == pytest.approx(first * persistence**4, abs=0.05)
    expected = 3 * (1 - persistence**2) / (1 - persistence**2 - 2 * alpha**2)
    assert kurtosis(returns) == pytest.approx(expected, rel=0.15)


def test_jumps_give_the_variance_and_the_kurtosis_of_their_formula() -> None:
    rate, mean, deviation, volatility = 12.0, -0.01, 0.03, 0.15
    bars = synthetic(
        MANY,
        seed=11,
        model="jumps",
        volatility=volatility,
        jumps_per_year=rate,
        jump_mean=mean,
        jump_deviation=deviation,
    )
    returns = log_returns(bars)
    per_bar = rate / 252
    variance = volatility**2 / 252 + per_bar * (mean**2 + deviation**2)
    fourth = per_bar * (mean**4 + 6 * mean**2 * deviation**2 + 3 * deviation**4)  # cumulant of a compound Poisson sum
    assert returns.var() == pytest.approx(variance, rel=0.05)
    assert kurtosis(returns) == pytest.approx(3 + fourth / variance**2, rel=0.15)


def test_without_gaps_the_open_is_the_previous_close_exactly() -> None:
    bars = synthetic(2_000, seed=12, gaps=0.0, interval="1h", calendar="24/7")
    assert (bars["open"].to_numpy()[1:] == bars["close"].to_numpy()[:-1]).all()


def test_gaps_take_their_share_of_the_variance() -> None:
    bars = synthetic(MANY, seed=13, gaps=0.4, volatility=0.2)
    gap = np.log(bars["open"].to_numpy()[1:] / bars["close"].to_numpy()[:-1])
    assert gap.var() == pytest.approx(0.4 * 0.2**2 / 252, rel=0.03)
    assert not stale_opens(bars)


def test_gaps_of_intraday_bars_lie_between_sessions() -> None:
    bars = synthetic(780, seed=14, interval="5m", gaps=0.5)
    gap = np.abs(np.log(bars["open"].to_numpy()[1:] / bars["close"].to_numpy()[:-1]))
    opens = np.diff(pd.DatetimeIndex(bars.index).normalize().asi8) > 0
    assert (gap[opens] > 1e-6).all()
    assert (gap[~opens] == 0.0).all()


def test_high_and_low_are_those_of_a_path() -> None:
    bars = synthetic(MANY // 6, seed=15, steps=64, gaps=0.0, drift=0.0)
    wide = np.log(bars["high"] / bars["low"]).mean()
    # Feller (1951): the expected range of a Brownian path is sqrt(8 / pi) deviations; fewer steps see a little less.
    assert wide == pytest.approx(np.sqrt(8 / np.pi) * 0.2 / np.sqrt(252), rel=0.12)
    assert wide < np.sqrt(8 / np.pi) * 0.2 / np.sqrt(252)


def test_volume_has_the_mean_that_was_asked_for() -> None:
    assert synthetic(MANY, seed=16, volume=500.0)["volume"].mean() == pytest.approx(500.0, rel=0.01)


def test_the_series_begins_at_the_price_and_date_that_were_asked_for() -> None:
    bars = synthetic(10, seed=17, start="2024-03-02", start_price=50.0, volatility=0.0, drift=0.0)
    assert str(bars.index[0].date()) == "2024-03-04"  # the 2nd was a Saturday
    assert bars["close"].to_numpy() == pytest.approx(50.0)


def test_the_provenance_names_the_model_its_numbers_and_the_seed() -> None:
    facts = provenance(synthetic(100, seed=18, model="garch"))
    assert facts["name"] == "synthetic garch"
    assert facts["seed"] == 18
    assert facts["parameters"]["alpha"] == 0.1
    assert "jumps_per_year" not in facts["parameters"]
    assert facts["tradable"] is False
    assert json.loads(json.dumps(facts)) == facts
    generator = np.random.default_rng(1)
    assert provenance(synthetic(100, seed=generator))["seed"] == "a generator handed in"


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"n": 0}, "n is 0"),
        ({"start_price": -1.0}, "start_price is -1"),
        ({"volatility": -0.1}, "volatility is -0.1"),
        ({"volatility": float("nan")}, "volatility is nan"),
        ({"alpha": 0.5, "beta": 0.5}, r"alpha \+ beta is 1"),
        ({"gaps": 1.0}, "gaps is 1.0"),
        ({"steps": 0}, "steps is 0"),
        ({"model": "arima"}, "model is 'arima'"),
        ({"calendar": "XNYS"}, "calendar is 'XNYS'"),
        ({"interval": "1wk"}, "bars of 1wk cannot be made"),
        ({"interval": "7m"}, "divides a day"),
        ({"start": "soon"}, "start='soon' is not a date"),
        ({"n": 100_000}, "end after 2262"),
    ],
)
def test_what_makes_no_sense_is_refused(choices: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        synthetic(**choices)  # type: ignore[arg-type]  # the mistakes under test
