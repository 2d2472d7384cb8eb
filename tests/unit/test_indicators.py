"""Indicators: kinds of input, bad input, gaps, digits, flat prices, streams, names."""

from __future__ import annotations

import math
import pickle
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from algotrendy import indicators
from algotrendy.errors import InputError
from algotrendy.kernels import indicators_momentum

CLOSE = np.array([10.0, 11.0, 12.0, 11.0, 13.0, 12.0, 14.0, 15.0])
HIGH, LOW, VOLUME = CLOSE + 1.0, CLOSE - 1.0, np.full(8, 100.0)
INDEX = pd.date_range("2024-03-04 22:00", periods=8, freq="1h", tz="UTC")


# --- kinds of input ---


def test_a_series_gives_a_series_with_the_same_index() -> None:
    result = indicators.sma(pd.Series(CLOSE, index=INDEX), 3)
    assert result.index is INDEX
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result.to_numpy(), indicators.sma(CLOSE, 3))


def test_several_outputs_are_a_named_tuple_of_the_kind_of_the_input() -> None:
    bands = indicators.bollinger(pd.Series(CLOSE, index=INDEX), 3)
    assert bands._fields == ("upper", "middle", "lower")
    assert all(isinstance(band, pd.Series) and band.index is INDEX for band in bands)
    upper, middle, lower = indicators.bollinger(CLOSE, 3)
    assert isinstance(upper, np.ndarray)
    assert (upper[2:] > middle[2:]).all()
    assert (middle[2:] > lower[2:]).all()


@pytest.mark.parametrize("values", [CLOSE.astype(np.float32), CLOSE.astype(int), list(CLOSE), np.repeat(CLOSE, 2)[::2]])
def test_other_numbers_and_strides_are_taken_as_float64(values: Any) -> None:
    np.testing.assert_allclose(indicators.ema(values, 3), indicators.ema(CLOSE, 3), rtol=1e-6)


def test_pandas_nullable_numbers_are_taken_with_their_gaps() -> None:
    nullable = pd.Series([1.0, None, 3.0, 5.0], dtype="Float64")
    assert indicators.sma(nullable, 2).tolist()[3] == 4.0


def test_inputs_are_left_as_they_are() -> None:
    before = CLOSE.copy()
    for name in indicators.names():
        spec = indicators.lookup(name)
        if spec.stream:
            columns = {"high": HIGH, "low": LOW, "volume": VOLUME, "session": VOLUME}
            spec.compute(*(columns.get(column, CLOSE) for column in spec.inputs), **dict.fromkeys(_required(spec), 2))
    np.testing.assert_array_equal(CLOSE, before)


def _required(spec: indicators.IndicatorSpec) -> list[str]:
    return [info.name for info in spec.parameters if info.default is None]


def test_read_only_and_writable_inputs_share_one_compiled_kernel() -> None:
    read_only = CLOSE.copy()
    read_only.flags.writeable = False
    indicators.rsi(read_only, 3)
    indicators.rsi(CLOSE, 3)
    indicators.stochastic(HIGH, LOW, read_only, 3)
    indicators.stochastic(HIGH, LOW, CLOSE, 3)
    assert len(indicators_momentum.rsi.signatures) == 1
    assert len(indicators_momentum.stochastic.signatures) == 1


# --- bad input ---


@pytest.mark.parametrize("window", [0, -3, 2.5, True, "20", None, math.nan, math.inf])
def test_a_window_that_is_not_a_whole_number_of_at_least_one_is_refused(window: Any) -> None:
    with pytest.raises(InputError, match=r"`window` is .*(whole number of at least 1|missing)"):
        indicators.sma(CLOSE, window)


def test_a_window_may_be_a_whole_float_or_a_numpy_integer() -> None:
    for window in (3.0, np.int64(3), np.float64(3.0)):
        np.testing.assert_array_equal(indicators.sma(CLOSE, window), indicators.sma(CLOSE, 3))


def test_a_negative_factor_is_refused() -> None:
    with pytest.raises(InputError, match=r"`deviations` is -1.0; expected a number of at least 0"):
        indicators.bollinger(CLOSE, 3, -1.0)


def test_a_window_longer_than_the_data_gives_nothing() -> None:
    for name in indicators.names():
        spec = indicators.lookup(name)
        if spec.stream and any(info.name == "window" for info in spec.parameters):
            columns = {"high": HIGH, "low": LOW, "volume": VOLUME}
            for window in (9, 10**12):
                result = spec.compute(*(columns.get(column, CLOSE) for column in spec.inputs), window=window)
                assert np.isnan(result).all(), name


def test_no_data_gives_no_data() -> None:
    empty = np.array([])
    assert indicators.sma(empty, 3).size == 0
    assert indicators.macd(empty).signal.size == 0
    assert indicators.obv(empty, empty).size == 0
    assert indicators.sar(empty, empty).size == 0
    assert indicators.session_vwap(empty, empty, empty, empty, sessions=empty).size == 0


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.ones((2, 2)), r"shape \(2, 2\)"),
        (np.array(["a"]), "expected one-dimensional numbers"),
        (np.array([True, False]), "found ndarray of bool"),
        (5.0, r"found float of float64 with shape \(\)"),
    ],
)
def test_what_is_not_a_series_of_numbers_is_refused(values: Any, found: str) -> None:
    with pytest.raises(InputError, match=found):
        indicators.sma(values, 2)


def test_inputs_must_agree_in_length_and_in_index() -> None:
    with pytest.raises(InputError, match=r"atr: inputs of different lengths \[8, 7, 8\]"):
        indicators.atr(HIGH, LOW[1:], CLOSE, 2)
    here, there = pd.Series(HIGH, index=INDEX), pd.Series(LOW, index=INDEX + pd.Timedelta("1h"))
    with pytest.raises(InputError, match="different indexes; align them first"):
        indicators.donchian(here, there, 2)


# --- gaps ---


def test_leading_gaps_shift_the_warm_up() -> None:
    late = np.concatenate([[np.nan, np.nan], CLOSE])
    for function in (indicators.sma, indicators.ema, indicators.rsi, indicators.stdev):
        np.testing.assert_array_equal(function(late, 3)[2:], function(CLOSE, 3))
        assert np.isnan(function(late, 3)[:2]).all()


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_after_a_gap_everything_starts_afresh(missing: float) -> None:
    broken = np.concatenate([CLOSE, [missing], CLOSE])
    for function in (indicators.sma, indicators.wma, indicators.ema, indicators.rsi, indicators.highest):
        expected = function(CLOSE, 3)
        np.testing.assert_array_equal(function(broken, 3), np.concatenate([expected, [np.nan], expected]))


def test_momentum_misses_only_what_a_gap_touches() -> None:
    broken = CLOSE.copy()
    broken[3] = np.nan
    assert np.flatnonzero(np.isnan(indicators.momentum(broken, 2))).tolist() == [0, 1, 3, 5]
    assert np.flatnonzero(np.isnan(indicators.roc(broken, 2))).tolist() == [0, 1, 3, 5]


@pytest.mark.parametrize(("column", "bars"), [("high", [0, 3]), ("low", [0, 3]), ("close", [0, 4])])
def test_true_range_misses_only_what_a_gap_touches(column: str, bars: list[int]) -> None:
    columns = {"high": HIGH.copy(), "low": LOW.copy(), "close": CLOSE.copy()}
    columns[column][3] = np.nan
    assert np.flatnonzero(np.isnan(indicators.true_range(**columns))).tolist() == bars


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 16, 17, 64, 65, 256, 257, 512, 513, 1000])
@pytest.mark.parametrize("size", [1, 4, 5, 1023, 1025, 2700])
def test_extremes_are_those_of_each_window_wherever_passes_and_chunks_meet(window: int, size: int) -> None:
    rng = np.random.default_rng(size * 10_000 + window)
    whole = rng.normal(size=size)
    broken = whole.copy()
    broken[rng.integers(size)] = np.nan
    for x in (whole, broken):
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, (window - 1, 0), constant_values=np.nan), window)
        np.testing.assert_array_equal(indicators.highest(x, window), windows.max(axis=1))
        np.testing.assert_array_equal(indicators.lowest(x, window), windows.min(axis=1))


# --- digits ---


def test_averages_do_not_drift_over_a_million_bars() -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate([1e9 + rng.normal(0.0, 1e7, 900_000), 1e-3 * (1.0 + rng.random(100_000))])
    average = indicators.sma(x, 20)
    for i in (19, 500_000, 899_999, 900_010, 900_019, 900_020, 950_000, 999_999):
        assert average[i] == pytest.approx(math.fsum(x[i - 19 : i + 1]) / 20, rel=1e-12), i


@pytest.mark.parametrize("window", [2, 20, 250])
@pytest.mark.parametrize(("level", "move"), [(1e6, 1e-3), (1e9, 1e-5), (-1e6, 1e-3), (1e-8, 1e-9)])
def test_standard_deviations_keep_their_digits_at_any_level(window: int, level: float, move: float) -> None:
    x = level + move * np.random.default_rng(4).normal(size=2_000)
    exact = (np.lib.stride_tricks.sliding_window_view(x, window) - level).astype(np.longdouble)
    expected = exact.std(axis=1).astype(np.float64)
    np.testing.assert_allclose(indicators.stdev(x, window)[window - 1 :], expected, rtol=1e-9)


def test_a_flat_window_after_a_storm_has_no_deviation_and_its_price_as_mean() -> None:
    x = np.concatenate([1e6 * np.random.default_rng(5).random(33), np.full(67, 100.1)])
    bands = indicators.bollinger(x, 20)
    assert (indicators.stdev(x, 20)[52:] == 0.0).all()
    assert all((band[52:] == 100.1).all() for band in bands)
    assert (indicators.wma(x, 20)[52:] == 100.1).all()
    assert (indicators.cci(x, x, x, 20)[52:] == 0.0).all()
    assert indicators.vwap(x, x, x, np.full(100, 3.3), 20)[52:] == pytest.approx(100.1)


# --- flat prices and idle markets: the values that the docstrings state ---


def test_a_price_that_never_moved_has_the_stated_values() -> None:
    flat, volume = np.full(60, 0.1), np.ones(60)
    bars = {"high": flat, "low": flat, "close": flat, "volume": volume, "session": volume}
    stated = {
        "rsi": 0.0, "mfi": 0.0, "adx": 0.0, "plus_di": 0.0, "minus_di": 0.0, "cci": 0.0, "williams_r": 0.0,
        "stochastic_k": 0.0, "stochastic_d": 0.0, "atr": 0.0, "true_range": 0.0, "stdev": 0.0, "roc": 0.0,
        "momentum": 0.0, "obv": 1.0, "supertrend_direction": -1.0,
    }  # fmt: skip
    for name in indicators.names():
        spec = indicators.lookup(name)
        if spec.stream is None:
            continue
        parameters = dict.fromkeys(_required(spec), 5)
        last = spec.compute(*(bars.get(column, flat) for column in spec.inputs), **parameters)[-1]
        expected = 0.0 if name.startswith("macd") else stated.get(name, 0.1)
        assert last == pytest.approx(expected, rel=1e-14, abs=1e-15), name


def test_rsi_stays_where_it_was_in_a_flat_stretch() -> None:
    x = np.concatenate([CLOSE, np.full(50, CLOSE[-1])])
    assert indicators.rsi(x, 3)[-1] == pytest.approx(indicators.rsi(x, 3)[7], rel=1e-12)


def test_no_volume_means_no_average_price_and_no_money_flow() -> None:
    idle = np.zeros(8)
    assert np.isnan(indicators.vwap(HIGH, LOW, CLOSE, idle, 3)).all()
    assert np.isnan(indicators.session_vwap(HIGH, LOW, CLOSE, idle, sessions=np.zeros(8))).all()
    assert (indicators.mfi(HIGH, LOW, CLOSE, idle, 3)[3:] == 0.0).all()


def test_money_flow_does_not_depend_on_the_unit_of_volume() -> None:
    rng = np.random.default_rng(6)
    x, volume = 100.0 + np.cumsum(rng.normal(size=60)), rng.random(60)
    np.testing.assert_allclose(
        indicators.mfi(x, x, x, 1e-9 * volume, 14), indicators.mfi(x, x, x, volume, 14), rtol=1e-12
    )


# --- sessions and Ichimoku ---


def test_session_vwap_starts_afresh_with_each_session_of_the_index() -> None:
    bars = [pd.Series(values, index=INDEX) for values in (HIGH, LOW, CLOSE, VOLUME)]
    result = indicators.session_vwap(*bars)  # two bars on Monday evening, then Tuesday, in UTC
    expected = [10.0, 10.5, 12.0, 11.5, 12.0, 12.0, 12.4, 77.0 / 6.0]
    np.testing.assert_allclose(result.to_numpy(), expected)
    by_label = indicators.session_vwap(HIGH, LOW, CLOSE, VOLUME, sessions=INDEX.tz_localize(None).to_numpy())
    np.testing.assert_array_equal(result.to_numpy(), by_label)


def test_session_vwap_is_unknown_from_a_gap_to_the_end_of_its_session() -> None:
    broken = CLOSE.copy()
    broken[1] = np.nan
    result = indicators.session_vwap(HIGH, LOW, broken, VOLUME, sessions=np.array([1, 1, 1, 2, 2, 2, 2, 2]))
    assert np.isnan(result).tolist() == [False, True, True, False, False, False, False, False]


def test_session_vwap_without_sessions_says_what_it_needs() -> None:
    with pytest.raises(InputError, match="give `sessions`, one label per bar, or Series with a DatetimeIndex"):
        indicators.session_vwap(HIGH, LOW, CLOSE, VOLUME)


def test_plotted_spans_are_the_computed_ones_moved_to_the_right() -> None:
    computed = indicators.ichimoku(HIGH, LOW, conversion=1, base=2, span=3)
    plotted = indicators.ichimoku_plotted(HIGH, LOW, CLOSE, conversion=1, base=2, span=3, displacement=2)
    np.testing.assert_array_equal(plotted.span_a[2:], computed.span_a[:-2])
    np.testing.assert_array_equal(plotted.span_b[2:], computed.span_b[:-2])
    assert np.isnan(plotted.span_a[:2]).all()
    np.testing.assert_array_equal(plotted.lagging, [*CLOSE[2:], np.nan, np.nan])
    with pytest.raises(InputError, match="`displacement` is 0"):
        indicators.ichimoku_plotted(HIGH, LOW, CLOSE, displacement=0)


def test_expressions_do_not_know_the_plotted_lines() -> None:
    assert not [name for name in indicators.names() if "plotted" in name or "lagging" in name]


def test_the_names_of_ichimoku_and_donchian_equal_their_functions() -> None:
    lines = indicators.ichimoku(HIGH, LOW, conversion=2, base=3, span=4)
    named = {
        "conversion": indicators.lookup("ichimoku_conversion").compute(HIGH, LOW, window=2),
        "base": indicators.lookup("ichimoku_base").compute(HIGH, LOW, window=3),
        "span_a": indicators.lookup("ichimoku_span_a").compute(HIGH, LOW, conversion=2, base=3),
        "span_b": indicators.lookup("ichimoku_span_b").compute(HIGH, LOW, window=4),
    }
    for field, values in named.items():
        np.testing.assert_array_equal(getattr(lines, field), values)
    channel = indicators.donchian(HIGH, LOW, 3)
    np.testing.assert_array_equal(channel.upper, indicators.lookup("donchian_upper").compute(HIGH, window=3))
    np.testing.assert_array_equal(channel.lower, indicators.lookup("donchian_lower").compute(LOW, window=3))


# --- streams ---


class Bar(NamedTuple):
    """A bar as user code may hold it."""

    high: float
    low: float
    close: float


def test_a_stream_takes_mappings_named_tuples_and_rows_of_a_frame() -> None:
    frame = pd.DataFrame({"high": HIGH, "low": LOW, "close": CLOSE}, index=INDEX)
    expected = indicators.atr(HIGH, LOW, CLOSE, 3)
    for bars in (
        [Bar(*row) for row in zip(HIGH, LOW, CLOSE, strict=True)],
        frame.to_dict("records"),
        [row for _, row in frame.iterrows()],
        list(frame.itertuples()),
    ):
        fed = indicators.stream("atr", window=3)
        np.testing.assert_array_equal([fed.update(bar) for bar in bars], expected)


def test_a_stream_gives_all_outputs_of_a_group_on_demand() -> None:
    fed = indicators.stream("bollinger_upper", window=2, deviations=2)
    assert all(math.isnan(value) for value in fed.update_all(1.0))
    assert fed.update_all(3.0) == (4.0, 2.0, 0.0)


def test_a_stream_survives_being_saved() -> None:
    fed = indicators.stream("macd_signal", fast=2, slow=3, signal=2)
    for price in CLOSE[:5]:
        fed.update(price)
    restored = pickle.loads(pickle.dumps(fed))
    assert [restored.update(price) for price in CLOSE[5:]] == [fed.update(price) for price in CLOSE[5:]]


@pytest.mark.parametrize(
    ("name", "bar", "message"),
    [
        ("sma", {"close": 1.0}, "sma: expected a number, found"),
        ("sma", None, "sma: expected a number, found None"),
        ("atr", {"high": 1.0, "low": 1.0}, "atr: expected a bar with `close`, found dict"),
        ("atr", 5.0, "atr: expected a bar with `high`, found float"),
    ],
)
def test_a_stream_says_what_its_bar_lacks(name: str, bar: Any, message: str) -> None:
    fed = indicators.stream(name, window=3)
    with pytest.raises(InputError, match=message):
        fed.update(bar)


# --- names ---


def test_the_registry_knows_the_names_of_the_language() -> None:
    expected = """
        sma ema wma rsi macd macd_signal macd_histogram bollinger_upper bollinger_middle bollinger_lower atr true_range
        adx plus_di minus_di stochastic_k stochastic_d cci obv mfi williams_r roc momentum stdev highest lowest
        donchian_upper donchian_lower keltner_upper keltner_middle keltner_lower vwap session_vwap sar supertrend
        supertrend_direction ichimoku_conversion ichimoku_base ichimoku_span_a ichimoku_span_b
    """
    assert {name for name in indicators.names() if indicators.lookup(name).stream} == set(expected.split())


def test_every_entry_says_what_the_language_needs_to_know() -> None:
    for name in indicators.names():
        spec = indicators.lookup(name)
        assert spec.name == name
        assert spec.inputs
        assert spec.group
        assert spec.description
        assert spec.unit in {"price", "index", "ratio", "volume", "same"}
        assert spec.scale in {"value", "input", "price"} or float(spec.scale) > 0.0


def test_an_unknown_name_gets_the_nearest_one_proposed() -> None:
    with pytest.raises(InputError, match="there is no indicator 'smaa'; did you mean 'sma'"):
        indicators.lookup("smaa")
    with pytest.raises(InputError, match="there is no indicator 'qqqqqq'; there are: adx, atr"):
        indicators.lookup("qqqqqq")


def test_an_unknown_or_missing_parameter_is_refused() -> None:
    spec = indicators.lookup("sma")
    with pytest.raises(InputError, match="sma has no parameter 'length'; it takes: window"):
        spec.bind({"length": 20})
    with pytest.raises(InputError, match="sma: `window` is missing"):
        spec.bind({})


def test_a_specification_travels_to_another_process_by_its_name() -> None:
    spec = indicators.lookup("macd_signal")
    assert pickle.loads(pickle.dumps(spec)) is spec


def test_every_public_function_is_exported_and_documented() -> None:
    for name in indicators.__all__:
        assert getattr(indicators, name).__doc__, name
