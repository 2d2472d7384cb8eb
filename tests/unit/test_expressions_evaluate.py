"""Expressions over bars: indicators, scales, higher timeframes, missing columns, users' functions."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from algotrendy.domain.bars import BarArrays
from algotrendy.domain.calendar import SESSIONS
from algotrendy.domain.interval import Interval
from algotrendy.errors import InputError
from algotrendy.expressions import Catalogue, Context, Name, evaluate, evaluate_condition, parse
from algotrendy.indicators import bollinger, indicator, lookup, macd, names, registry, rsi, sma

DAYS = pd.bdate_range("2024-01-01", periods=300)
CONTEXT = Context(DAYS, Interval.parse("1d"), SESSIONS, {"periods_per_year": 252.0})


def random_bars(n: int = 300, seed: int = 7) -> BarArrays:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, n)))
    first = close * np.exp(rng.normal(0.0, 0.002, n))
    high, low = np.maximum(first, close) * 1.001, np.minimum(first, close) * 0.999
    return BarArrays(first, high, low, close, rng.integers(1, 1000, n).astype(float))


BARS = random_bars()


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    return np.array_equal(found, expected, equal_nan=True)


@pytest.fixture(autouse=True)
def users_indicators_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_USER", dict(registry._USER))


def test_indicators_are_those_of_the_library() -> None:
    assert same(evaluate(parse("sma(close, 20)"), BARS), sma(BARS.close, 20))
    assert same(evaluate(parse("rsi(close, n)", parameters=("n",)), BARS, {"n": 14}), rsi(BARS.close, 14))
    lines = macd(BARS.close)
    assert same(evaluate(parse("macd_histogram(close)"), BARS), lines.histogram)
    bands = bollinger(BARS.close, 20, 2.0)
    assert same(evaluate(parse("bollinger_upper(close, 20, 2)"), BARS), bands.upper)


def test_an_indicator_takes_any_numeric_expression() -> None:
    typical = (BARS.high + BARS.low + BARS.close) / 3.0
    assert same(evaluate(parse("sma((high + low + close) / 3, 5)"), BARS), sma(typical, 5))


@pytest.mark.parametrize("name", names())
def test_every_indicator_can_be_called_with_its_defaults_and_is_never_infinite(name: str) -> None:
    spec = lookup(name)
    series = [part for part in spec.inputs if part not in (*BARS._fields, "session")]
    if any(info.default is None for info in spec.parameters):
        given = ["close"] * len(series) + [str(info.default or 5) for info in spec.parameters]
    else:
        given = ["close"] * len(series)
    text = f"{name}({', '.join(given)})"
    flat = np.full(300, 5.0)
    holes = BARS.volume * (np.arange(300) % 7 > 2)
    for bars in (BARS, BarArrays(flat, flat, flat, flat, flat), BARS._replace(volume=holes)):
        assert not np.isinf(evaluate(parse(text), bars, {}, CONTEXT)).any()
        comparison = evaluate_condition(parse(f"{text} > {text}"), bars, {}, CONTEXT)
        assert not comparison.true.any(), "nothing is above itself"
    if series:
        assert not np.isinf(evaluate(parse(text.replace("close", "volume")), BARS._replace(volume=holes))).any()


def test_outputs_of_one_indicator_are_computed_together() -> None:
    calls = []

    @indicator(name="counted_of_test")
    def counted(x, window=3):  # type: ignore[no-untyped-def]
        calls.append(window)
        return x * window

    text = "counted_of_test(close, a) > 1 and counted_of_test(close, b) > 2 and prev(counted_of_test(close, 3), 1) > 3"
    evaluate_condition(parse(text, parameters=("a", "b")), BARS, {"a": 3, "b": 3})
    assert calls == [3]


def test_a_users_indicator_defined_anew_is_evaluated_anew() -> None:
    for level in (1.0, 3.0):
        indicator(lambda x, level=level: np.full(x.size, level), name="level_of_test")
        assert evaluate_condition(parse("level_of_test(close) > 2"), BARS).true.all() == (level > 2.0)


def test_a_users_indicator_may_divide_by_zero_and_that_is_unknown() -> None:
    @indicator(name="inverse_of_test")
    def inverse(x):  # type: ignore[no-untyped-def]
        with np.errstate(divide="ignore"):
            return 1.0 / (x - x)

    assert np.isnan(evaluate(parse("inverse_of_test(close)"), BARS)).all()


def test_a_division_by_zero_is_unknown_and_stays_so() -> None:
    truth = evaluate_condition(parse("1 / (1 / (close - close)) < 1"), BARS)
    assert not truth.known.any()
    assert not evaluate_condition(parse("close > 1 / (n - 3)", parameters=("n",)), BARS, {"n": 3}).known.any()


def test_averages_that_are_equal_but_for_rounding_are_equal() -> None:
    """A permutation of the same prices has the same average, in whatever order it is summed."""
    prices = np.tile([100.1, 100.7, 99.9, 100.3], 50)
    bars = BarArrays(prices, prices, prices, prices, prices)
    for text in (
        "sma(close, 4) > sma(close, 8)",
        "sma(close, 4) - sma(close, 8) > 0",
        "sma(close, 4) / sma(close, 8) > 1",
        "sma(close, 4) != sma(close, 8)",
        "sma(close - open, 4) > 0",
        "prev(sma(close, 4), 3) > sma(close, 12)",
        "crosses_above(sma(close, 4), sma(close, 8))",
    ):
        truth = evaluate_condition(parse(text), bars)
        assert truth.known[20:].all(), text
        assert not truth.true.any(), text


def test_a_crossing_needs_two_known_bars() -> None:
    line = np.array([math.nan, 2.0, 1.0, 2.0, 2.0, math.nan, 2.0])
    level = np.full(7, 1.0)
    bars = BarArrays(level, line, level, level, level)
    truth = evaluate_condition(parse("crosses_above(high, open)"), bars)
    assert truth.true.tolist() == [False, False, False, True, False, False, False]
    assert truth.known.tolist() == [False, False, True, True, True, False, False]
    below = evaluate_condition(parse("crosses_below(open, high)"), bars)
    assert below.true.tolist() == truth.true.tolist()


def test_functions_of_numbers_are_those_of_mathematics() -> None:
    for text, expected in (
        ("sqrt(close)", np.sqrt(BARS.close)),
        ("log(close)", np.log(BARS.close)),
        ("exp(close / 100)", np.exp(BARS.close / 100)),
        ("abs(open - close)", np.abs(BARS.open - BARS.close)),
        ("min(open, close, 100)", np.minimum(np.minimum(BARS.open, BARS.close), 100)),
        ("-close", -BARS.close),
        ("2", np.full(300, 2.0)),
    ):
        assert same(evaluate(parse(text), BARS), expected), text
    assert np.isnan(evaluate(parse("log(close - close)"), BARS)).all()
    assert np.isnan(evaluate(parse("sqrt(0 - close)"), BARS)).all()


def test_ties_survive_roots_and_logarithms() -> None:
    a, b = np.array([0.1 + 0.2]), np.array([0.3])
    bars = BarArrays(open=b, high=a, low=b, close=a, volume=a)
    for text in (
        "log(high) > log(open)",
        "log(high) - log(open) > 0",
        "log(high / open) > 0",
        "sqrt(high) > sqrt(open)",
        "sqrt(abs(high - open)) > 0",
        "exp(high) > exp(open)",
        "exp(high - open) > 1",
    ):
        assert evaluate_condition(parse(text), bars).known[0], text
        assert not evaluate_condition(parse(text), bars).true[0], text


def test_the_scale_of_an_index_is_a_hundred_and_that_of_a_difference_the_price() -> None:
    rising = np.arange(1.0, 40.0)
    bars = BarArrays(rising, rising, rising, rising, rising)
    assert not evaluate_condition(parse("rsi(close, 14) < 100"), bars).true.any()
    flat = np.full(60, 1e6 / 3.0)
    still = BarArrays(flat, flat, flat, flat, flat)
    assert not evaluate_condition(parse("macd(close) != 0"), still).true.any()
    assert not evaluate_condition(parse("momentum(close, 5) != 0"), still).true.any()


# --- bars and context ---


def test_volume_that_is_missing_is_said_to_be() -> None:
    bars = BARS._replace(volume=np.zeros(300))
    for text in ("volume > 1", "obv() > 1", "sma(volume, 5) > 1"):
        with pytest.raises(InputError, match="uses volume, but the bars have none"):
            evaluate_condition(parse(text), bars)


def test_constants_inside_tf_are_those_of_the_longer_bars() -> None:
    yearly = evaluate(parse('tf("1wk", periods_per_year + close * 0)'), BARS, {}, CONTEXT)
    assert yearly[-1] == pytest.approx(52, abs=1)
    assert evaluate(parse("periods_per_year + close * 0"), BARS, {}, CONTEXT)[-1] == 252.0


def test_a_column_that_the_bars_lack_is_named() -> None:
    catalogue = Catalogue([Name("bid")])
    with pytest.raises(InputError, match="the bars have no 'bid'; there are: open, high"):
        evaluate(parse("bid", catalogue=catalogue), BARS)


def test_constants_come_from_the_context() -> None:
    expression = parse("stdev(close / prev(close, 1) - 1, 20) * sqrt(periods_per_year)")
    assert np.isfinite(evaluate(expression, BARS, {}, CONTEXT)[20:]).all()
    with pytest.raises(InputError, match="periods_per_year is not known here"):
        evaluate(expression, BARS)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "parameter 'n' has no value"),
        ({"n": "20"}, "parameter 'n' is '20'; expected a finite number"),
        ({"n": True}, "parameter 'n' is True"),
        ({"n": math.nan}, "parameter 'n' is nan"),
        ({"n": 2.5}, r"`window` is 2.5; expected a whole number of at least 1 \(given by n=2.5\)"),
        ({"n": 0}, r"`window` is 0; expected .* \(given by n=0\)"),
    ],
)
def test_a_parameter_that_does_not_fit_its_place_is_named(params: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate_condition(parse("sma(close, n) > 1", parameters=("n",)), BARS, params)


@pytest.mark.parametrize("text", ["prev(close, n) > 1", "prev(close > 1, n)"])
@pytest.mark.parametrize("value", [-1, 0.5])
def test_prev_never_looks_ahead_whatever_its_parameter(text: str, value: float) -> None:
    with pytest.raises(InputError, match="prev looks back"):
        evaluate_condition(parse(text, parameters=("n",)), BARS, {"n": value})


def test_a_number_is_no_condition_and_a_condition_no_number() -> None:
    with pytest.raises(InputError, match="is a condition; its truth comes from evaluate_condition"):
        evaluate(parse("close > 1"), BARS)
    with pytest.raises(InputError, match="is a number, expected a condition"):
        evaluate_condition(parse("close"), BARS)


# --- higher timeframes ---


def weeks_known(n: int) -> list[int]:
    """Newest complete week at each of `n` bars that begin on a Monday, Friday being a week's last session."""
    return [i // 5 - (0 if i % 5 == 4 else 1) for i in range(n)]


def test_a_week_is_seen_from_its_last_session_on() -> None:
    found = evaluate(parse('tf("1wk", close)'), BARS, {}, CONTEXT)
    fridays = BARS.close[4::5]
    expected = [math.nan if week < 0 else fridays[week] for week in weeks_known(300)]
    assert same(found, np.array(expected))


def test_without_a_calendar_a_week_is_seen_from_the_next_one_on() -> None:
    found = evaluate(parse('tf("1wk", close)'), BARS, {}, Context(DAYS))
    expected = [math.nan if i < 5 else BARS.close[i // 5 * 5 - 1] for i in range(300)]
    assert same(found, np.array(expected))


def test_prev_inside_tf_counts_weeks_and_outside_bars() -> None:
    inside = evaluate(parse('tf("1wk", prev(close, 1))'), BARS, {}, CONTEXT)
    outside = evaluate(parse('prev(tf("1wk", close), 1)'), BARS, {}, CONTEXT)
    weekly = evaluate(parse('tf("1wk", close)'), BARS, {}, CONTEXT)
    assert same(inside[9:], weekly[4:-5])
    assert same(outside[1:], weekly[:-1])


def test_indicators_and_conditions_are_computed_on_the_weeks() -> None:
    fridays = BARS.close[4::5]
    average = sma(fridays, 4)
    known = np.array(weeks_known(300))
    found = evaluate_condition(parse('tf("1wk", close > sma(close, 4))'), BARS, {}, CONTEXT)
    weekly = np.where(known >= 3, fridays[known] > average[known], False)
    assert np.array_equal(found.true, weekly)
    assert np.array_equal(found.known, known >= 3)
    inverse = evaluate_condition(parse('not tf("1wk", close > sma(close, 4))'), BARS, {}, CONTEXT)
    assert np.array_equal(inverse.true, (known >= 3) & ~weekly)


def test_ties_are_ties_in_a_higher_timeframe_too() -> None:
    prices = np.tile([100.1, 100.7, 99.9, 100.3, 100.5], 60)
    bars = BarArrays(prices, prices, prices, prices, prices)
    for text in ('tf("1wk", sma(close, 4) - sma(close, 8)) > 0', 'tf("1wk", sma(close, 4) > sma(close, 8))'):
        truth = evaluate_condition(parse(text), bars, {}, CONTEXT)
        assert truth.known[60:].all(), text
        assert not truth.true.any(), text


@pytest.mark.parametrize("calendar", [None, SESSIONS])
@pytest.mark.parametrize(
    "text",
    [
        'tf("1wk", close > prev(close, 1)) and close > tf("1wk", sma(close, 2))',
        'crosses_above(close, tf("1wk", sma(close, 3)))',
        'tf("1mo", tf("1mo", close) > sma(close, 2)) or prev(tf("1wk", rsi(close, 3)) > 50, 2)',
    ],
)
def test_bars_added_later_never_change_what_a_higher_timeframe_said(text: str, calendar: object) -> None:
    context = Context(DAYS, Interval.parse("1d"), calendar)  # type: ignore[arg-type]
    whole = evaluate_condition(parse(text), BARS, {}, context)
    assert whole.true.any()
    for kept in range(1, 120):
        early = BarArrays(*(column[:kept] for column in BARS))
        inner = Context(DAYS[:kept], context.interval, context.calendar)
        truth = evaluate_condition(parse(text), early, {}, inner)
        assert np.array_equal(truth.true, whole.true[:kept]), kept
        assert np.array_equal(truth.known, whole.known[:kept]), kept


def test_a_finer_timeframe_than_the_bars_is_refused() -> None:
    with pytest.raises(InputError, match="1h"):
        evaluate(parse('tf("1h", close)'), BARS, {}, CONTEXT)


def test_tf_without_times_says_what_is_missing() -> None:
    with pytest.raises(InputError, match=r"tf\('1wk', ...\) needs the times of the bars"):
        evaluate(parse('tf("1wk", close)'), BARS)


def test_a_session_average_starts_anew_each_session() -> None:
    hours = pd.date_range("2024-01-01", periods=300, freq="h", tz="UTC")
    found = evaluate(parse("session_vwap()"), BARS, {}, Context(hours, Interval.parse("1h")))
    typical = (BARS.high + BARS.low + BARS.close) / 3.0
    assert found[24] == pytest.approx(typical[24])
    assert found[26] == pytest.approx(np.average(typical[24:27], weights=BARS.volume[24:27]))
