"""Every public function of returns on what is hardly a series: a clear error or a stated blank, never a wrong number.

`EXPECTED` says what each kind of input gives: an error whose message names it, or what the answer must be.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy import risk
from algotrendy.errors import InputError

YEAR = {"periods_per_year": 252}
WINDOW = 5
METHODS = [
    "historical", "parametric", "student_t", "cornish_fisher", "ewma", "garch", "filtered_historical", "evt",
    "monte_carlo", "age_weighted",
]  # fmt: skip

# One series in. `market` is the same series for functions of two.
OF_ONE: dict[str, Callable[..., Any]] = {
    **{f"value_at_risk, {method}": lambda x, method=method, **o: risk.value_at_risk(x, method=method, **o)
       for method in METHODS},
    **{f"expected_shortfall, {method}": lambda x, method=method, **o: risk.expected_shortfall(x, method=method, **o)
       for method in METHODS},
    "tail_risk": risk.tail_risk,
    "tail_fit": risk.tail_fit,
    "hill_tail_index": lambda x, **o: risk.hill_tail_index(x, 3, **o),
    "mean_excess": risk.mean_excess,
    "volatility": risk.volatility,
    "downside_deviation": risk.downside_deviation,
    "ewma_volatility": risk.ewma_volatility,
    "garch_estimate": risk.garch_estimate,
    "drawdown_series": risk.drawdown_series,
    "drawdown_table": risk.drawdown_table,
    "max_drawdown": risk.max_drawdown,
    "average_drawdown": risk.average_drawdown,
    "pain_index": risk.pain_index,
    "ulcer_index": risk.ulcer_index,
    "drawdown_at_risk": risk.drawdown_at_risk,
    "conditional_drawdown_at_risk": risk.conditional_drawdown_at_risk,
    "total_return": risk.total_return,
    "annual_return": lambda x, **o: risk.annual_return(x, **YEAR, **o),
    "sharpe_ratio": risk.sharpe_ratio,
    "sharpe_estimate": risk.sharpe_estimate,
    "probabilistic_sharpe_ratio": risk.probabilistic_sharpe_ratio,
    "deflated_sharpe_ratio": lambda x, **o: risk.deflated_sharpe_ratio(x, 10, 0.1, **o),
    "minimum_track_record_length": risk.minimum_track_record_length,
    "autocorrelation_factor": lambda x, **o: risk.autocorrelation_factor(x, 12, lags=1, **o),
    "sortino_ratio": risk.sortino_ratio,
    "calmar_ratio": lambda x, **o: risk.calmar_ratio(x, **YEAR, **o),
    "martin_ratio": lambda x, **o: risk.martin_ratio(x, **YEAR, **o),
    "pain_ratio": lambda x, **o: risk.pain_ratio(x, **YEAR, **o),
    "omega_ratio": risk.omega_ratio,
    "gain_to_pain_ratio": risk.gain_to_pain_ratio,
    "tail_ratio": risk.tail_ratio,
    "kelly_fraction": risk.kelly_fraction,
    "metrics": lambda x, **o: risk.metrics(x, **YEAR, **o),
    "rolling_tail_risk": lambda x, **o: risk.rolling_tail_risk(x, WINDOW, **o),
    "rolling_value_at_risk": lambda x, **o: risk.rolling_value_at_risk(x, WINDOW, **o),
    "rolling_expected_shortfall": lambda x, **o: risk.rolling_expected_shortfall(x, WINDOW, **o),
    "rolling_max_drawdown": lambda x, **o: risk.rolling_max_drawdown(x, WINDOW, **o),
    "rolling_volatility": lambda x, **o: risk.rolling_volatility(x, WINDOW, **o),
    "rolling_sharpe_ratio": lambda x, **o: risk.rolling_sharpe_ratio(x, WINDOW, **o),
    "rolling_sortino_ratio": lambda x, **o: risk.rolling_sortino_ratio(x, WINDOW, **o),
    "backtest_var": lambda x, **o: risk.backtest_var(x, window=20, **o),
}  # fmt: skip
OF_TWO: dict[str, Callable[..., Any]] = {
    **{f"beta, {m}": lambda x, y, m=m, **o: risk.beta(x, y, method=m, **o)
       for m in ("ols", "downside", "upside", "robust", "blume", "bloomberg")},
    "alpha": risk.alpha,
    "correlation": risk.correlation,
    "tracking_error": risk.tracking_error,
    "information_ratio": risk.information_ratio,
    "treynor_ratio": risk.treynor_ratio,
    "up_capture": risk.up_capture,
    "down_capture": risk.down_capture,
    "capture_ratio": risk.capture_ratio,
    "rolling_beta": lambda x, y, **o: risk.rolling_beta(x, y, WINDOW, **o),
    "rolling_correlation": lambda x, y, **o: risk.rolling_correlation(x, y, WINDOW, **o),
    "factor_exposures": risk.factor_exposures,
    "metrics against": lambda x, y, **o: risk.metrics(x, benchmark=y, **YEAR, **o),
}  # fmt: skip
OF_TABLE: dict[str, Callable[..., Any]] = {
    **{f"covariance, {m}": lambda x, m=m, **o: risk.covariance(x, method=m, **o)
       for m in ("sample", "ewma", "ledoit_wolf", "oas")},
    "shrinkage": risk.shrinkage,
    "risk_contributions": lambda x, **o: risk.risk_contributions(x, [0.5, 0.5], **o),
    "incremental_risk": lambda x, **o: risk.incremental_risk(x, [0.5, 0.5], [0.1, 0.0], **o),
    "effective_trials": risk.effective_trials,
}  # fmt: skip

NEED_MORE = "this needs|at least|fewer|too few|lie above|below the tail|give more periods"
STILL = "do not move|never move|lie above|are losses|does not move"

N = 120
NOISE = np.random.default_rng(4).normal(0.0, 0.01, N)
NOISE[[3, 50]] = -0.05, -0.06
DAYS = pd.date_range("2024-01-01", periods=N, tz="UTC")

INPUTS: dict[str, tuple[Any, str]] = {
    "empty": (pd.Series([], dtype=float), NEED_MORE),
    "one row": (pd.Series([-0.02], DAYS[:1]), NEED_MORE),
    "all zero": (pd.Series(np.zeros(N), DAYS), STILL),
    "all NaN": (pd.Series(np.full(N, np.nan), DAYS), "120 of 120 returns are NaN"),
    "one NaN": (
        pd.Series(np.where(np.arange(N) == 7, np.nan, NOISE), DAYS),
        "1 of 120 returns are NaN, first at 2024-01-08",
    ),
    "infinite": (pd.Series(np.where(np.arange(N) == 7, np.inf, NOISE), DAYS), "infinite"),
    "prices": (pd.Series(100.0 * np.cumprod(1.0 + NOISE), DAYS), "prices"),
    "below -1": (pd.Series(np.where(np.arange(N) == 7, -1.5, NOISE), DAYS), "below -1"),
    "text": (pd.Series(["a"] * N, DAYS), "not numbers|not made of numbers"),
    "duplicate dates": (pd.Series(NOISE, DAYS.where(np.arange(N) != 8, DAYS[7])), "more than once"),
    "not in order": (pd.Series(NOISE, DAYS[::-1]), "not in order"),
    "mixed time zones": (
        pd.Series(
            NOISE, pd.Index([d.tz_convert("Asia/Tokyo") if i % 2 else d for i, d in enumerate(DAYS)], dtype=object)
        ),
        "several time zones",
    ),
}
ALWAYS_AN_ERROR = (
    "empty", "all NaN", "one NaN", "infinite", "prices", "below -1", "text", "duplicate dates", "not in order",
    "mixed time zones",
)  # fmt: skip


def numbers(found: Any) -> np.ndarray[Any, Any]:
    """Return all numbers of an answer."""
    if isinstance(found, (pd.Series, pd.DataFrame)):
        table = found.select_dtypes("number") if isinstance(found, pd.DataFrame) else found.to_frame()
        return table.to_numpy(dtype=float, na_value=np.nan).ravel()
    if isinstance(found, tuple):
        return np.array(found, dtype=float)
    if hasattr(found, "__dataclass_fields__"):
        return np.array([value for value in vars(found).values() if isinstance(value, float)])
    return np.array([found], dtype=float)


def attempt(call: Callable[[], Any]) -> tuple[Any, str]:
    """Return the numbers of an answer, or what the error says."""
    try:
        return numbers(call()), ""
    except InputError as error:
        return None, str(error)


def calls() -> list[tuple[str, Callable[..., Any]]]:
    return [
        *OF_ONE.items(),
        *((name, lambda x, f=f, **o: f(x, x, **o)) for name, f in OF_TWO.items()),
        *((name, lambda x, f=f, **o: f(pd.DataFrame({"A": x, "B": x if x.dtype.kind == "O" else -0.5 * x}), **o))
          for name, f in OF_TABLE.items()),
    ]  # fmt: skip


CALLS = dict(calls())


def test_every_function_of_the_room_is_in_the_table() -> None:
    elsewhere = {
        "kupiec_test", "kupiec_region", "christoffersen_test", "basel_traffic_light", "acerbi_szekely_test",
        "cornish_fisher_domain", "expected_maximum_sharpe", "as_returns", "as_return_matrix", "max_drawdown_of_equity",
        "drawdown_of_equity", "volatility_contributions",
    }  # fmt: skip
    here = {name.partition(",")[0].partition(" ")[0] for name in CALLS}
    functions = {name for name in risk.__all__ if name[0].islower()}
    assert functions - elsewhere == here


@pytest.mark.parametrize("name", CALLS)
def test_what_cannot_be_returns_is_told(name: str) -> None:
    for kind in ALWAYS_AN_ERROR:
        given, message = INPUTS[kind]
        with pytest.raises(InputError, match=message.replace("120", r"\d+").replace("1 of", r"\d+ of")):
            CALLS[name](given)


GROWN = 0.98**252 - 1.0
ONE_ROW: dict[str, set[float]] = {
    "value_at_risk, ewma": {0.02 * 1.6448536269514722},
    "expected_shortfall, ewma": {0.02 * 2.062712807507426},
    "annual_return": {GROWN},
    "calmar_ratio": {GROWN / 0.02},
    "martin_ratio": {GROWN / 0.02},
    "pain_ratio": {GROWN / 0.02},
    "sortino_ratio": {-1.0},
    "gain_to_pain_ratio": {-1.0},
    "drawdown_table": {0.02, 1.0},
    "tail_ratio": {1.0},
    "up_capture": {1.0},
    "down_capture": {1.0},
    "covariance, ewma": {4e-4, -2e-4, 1e-4},
}
"""What some functions say of the one return -0.02; the others say 0.02, -0.02 or 0."""
ALL_ZERO: dict[str, set[float]] = {
    "risk_contributions": {0.0, 0.5},
    "effective_trials": {1.0},
    "metrics": {0.0, N},
    "metrics against": {0.0, N},
    "beta, blume": {0.343},
    "sharpe_estimate": {1.0},
    "backtest_var": {0.95},
}
"""What some functions say of returns of zero, where it is not 0."""


@pytest.mark.parametrize(
    ("kind", "answers", "usual"), [("one row", ONE_ROW, {0.0, 0.02, -0.02}), ("all zero", ALL_ZERO, {0.0})]
)
@pytest.mark.parametrize("name", CALLS)
def test_hardly_a_series_gives_an_error_or_an_answer_that_is_right(
    name: str, kind: str, answers: Any, usual: Any
) -> None:
    given, message = INPUTS[kind]
    found, refusal = attempt(lambda: CALLS[name](given))
    if refusal:
        assert re.search(message + "|" + NEED_MORE, refusal), refusal
        return
    allowed = answers.get(name, usual)
    known = found[~np.isnan(found)]
    assert all(any(math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-15) for y in allowed) for x in known), found


@pytest.mark.parametrize("name", CALLS)
def test_a_total_loss_is_counted_as_one(name: str) -> None:
    lost = pd.Series(np.where(np.arange(N) == N - 1, -1.0, NOISE), DAYS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # Cornish-Fisher outside its domain says so
        found = CALLS[name](lost)
    if name in ("max_drawdown",):
        assert found == 1.0
    if name in ("total_return", "annual_return"):
        assert found == -1.0
    if name.startswith("metrics"):
        assert (found["max_drawdown"], found["total_return"], found["annual_return"]) == (1.0, -1.0, -1.0)
        assert (found["current_drawdown"], found["worst_return"]) == (1.0, -1.0)


@pytest.mark.parametrize("name", CALLS)
def test_a_nan_is_left_out_or_carried_on_where_that_is_asked_for(name: str) -> None:
    given, whole = INPUTS["one NaN"][0], pd.Series(np.delete(NOISE, 7), DAYS.delete(7))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert numbers(CALLS[name](given, nan_policy="omit")) == pytest.approx(
            numbers(CALLS[name](whole)), rel=1e-10, abs=1e-15, nan_ok=True
        )
        found, refusal = attempt(lambda: CALLS[name](given, nan_policy="propagate"))
    if refusal:
        assert 'use nan_policy="raise" or "omit"' in refusal
        return
    assert np.isnan(found).any()
    if name.partition(",")[0] in ("value_at_risk", "expected_shortfall", "beta", "sharpe_ratio", "max_drawdown"):
        assert np.isnan(found).all()


UP = pd.Series(np.full(N, 0.001), DAYS)


def test_without_a_loss_there_is_no_drawdown_and_no_ratio_to_it() -> None:
    assert risk.max_drawdown(UP) == risk.ulcer_index(UP) == risk.average_drawdown(UP) == 0.0
    assert len(risk.drawdown_table(UP)) == 0
    for ratio in (risk.sortino_ratio, risk.omega_ratio, risk.gain_to_pain_ratio, risk.sharpe_ratio):
        assert math.isnan(ratio(UP))
    for ratio in (risk.calmar_ratio, risk.martin_ratio, risk.pain_ratio):
        assert math.isnan(ratio(UP, **YEAR))
    assert risk.value_at_risk(UP) == pytest.approx(-0.001)
    table = risk.metrics(UP, **YEAR)
    assert table[["max_drawdown", "max_drawdown_periods", "current_drawdown"]].tolist() == [0.0, 0.0, 0.0]


def test_an_open_drawdown_has_no_recovery() -> None:
    returns = pd.Series([0.1, -0.2, 0.5, -0.3, 0.1], DAYS[:5])
    table = risk.drawdown_table(returns)
    assert table["drawdown"].tolist() == pytest.approx([0.3, 0.2])
    assert table["peak"].tolist() == [DAYS[2], DAYS[0]]
    assert table["valley"].tolist() == [DAYS[3], DAYS[1]]
    assert table["recovery"].isna().tolist() == [True, False]
    assert table["recovery"].iloc[1] == DAYS[2]
    assert table["days"].tolist()[1] == 2
    assert table["days"].isna().tolist() == table["n_to_recovery"].isna().tolist() == [True, False]


def test_a_loss_from_the_first_period_on_has_no_peak_among_the_dates() -> None:
    table = risk.drawdown_table(pd.Series([-0.1, 0.2], DAYS[:2]))
    assert table["peak"].isna().tolist() == [True]
    assert table["recovery"].tolist() == [DAYS[1]]
    assert table["n_periods"].tolist() == [2]


@pytest.mark.parametrize("name", OF_TWO)
def test_two_series_that_do_not_belong_together_are_told(name: str) -> None:
    call, one = OF_TWO[name], pd.Series(NOISE, DAYS)
    with pytest.raises(InputError, match="time zone"):
        call(one, pd.Series(NOISE, DAYS.tz_localize(None)))
    with pytest.raises(InputError, match=r'1 of 120 periods .* align="inner"'):
        call(one, one.iloc[1:])
    with pytest.raises(InputError, match="share no date"):
        call(one, pd.Series(NOISE, DAYS + pd.Timedelta("5h")), align="inner")
    with pytest.raises(InputError, match="120 returns and 119"):
        call(NOISE, NOISE[1:])
    assert (
        numbers(call(one, one.iloc[1:] * 0.5, align="inner"))
        == pytest.approx(numbers(call(one.iloc[1:], one.iloc[1:] * 0.5)), nan_ok=True)
        or name == "metrics against"
    )
    elsewhere = pd.Series(0.5 * NOISE, DAYS.tz_convert("Asia/Tokyo"))
    assert numbers(call(one, elsewhere)) == pytest.approx(numbers(call(one, 0.5 * one)), nan_ok=True)


@pytest.mark.parametrize(
    ("equity", "message"),
    [
        ([], "0 values"),
        ([0.0, 1.0], "first value of the equity is 0"),
        ([1.0, -1.0], "not negative"),
        ([1.0, np.inf], "finite"),
        ([1.0, np.nan], "1 of 2 values are NaN"),
        (["a"], "not made of numbers"),
        (pd.Series([1.0, 2.0], DAYS[[0, 0]]), "more than once"),
        (pd.Series([1.0, 2.0], DAYS[[1, 0]]), "not in order"),
    ],
)
def test_equity_that_cannot_be_is_told(equity: Any, message: str) -> None:
    for call in (risk.max_drawdown_of_equity, risk.drawdown_of_equity):
        with pytest.raises(InputError, match=message):
            call(equity)


def test_equity_with_gaps_and_down_to_nothing() -> None:
    assert risk.max_drawdown_of_equity([1.0, np.nan, 0.5], nan_policy="omit") == 0.5
    assert math.isnan(risk.max_drawdown_of_equity([1.0, np.nan, 0.5], nan_policy="propagate"))
    assert risk.max_drawdown_of_equity([2.0]) == 0.0
    assert risk.max_drawdown_of_equity([1.0, 0.0, 1.0]) == 1.0
    assert risk.max_drawdown_of_equity(pd.DataFrame({"A": [1.0, 0.5], "B": [1.0, 2.0]})).tolist() == [0.5, 0.0]


def test_a_column_that_fails_is_named() -> None:
    frame = pd.DataFrame({"good": NOISE, "bad": np.where(np.arange(N) == 3, np.nan, NOISE)}, DAYS)
    for call in (risk.value_at_risk, risk.sortino_ratio, lambda x: risk.beta(x, x["good"])):
        with pytest.raises(InputError, match="column 'bad': 1 of 120"):
            call(frame)
