"""Laws that hold for every indicator: the stream equals the batch, no look-ahead, gaps, bounds, scale, shift."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy import indicators

NAMES = [name for name in indicators.names() if indicators.lookup(name).stream]
THROUGH_GAPS = {"momentum", "roc", "true_range", "session_vwap"}
MOVES = (0.0, 0.0, 0.0, 0.01, -0.01, 0.03, -0.02, 1 / 3, -0.25)

Columns = dict[str, Any]


def to_bars(draws: bytes) -> Columns:
    """Return bars with awkward digits, ties, flat stretches and gaps; four bytes make a bar."""
    n = len(draws) // 4
    moves, reaches, units, gaps = (draws[k * n : (k + 1) * n] for k in range(4))
    close = 0.1 * np.cumprod([1.0 + MOVES[move % 9] for move in moves])
    high = close * (1.0 + np.array([reach % 3 for reach in reaches]) / 70.0)
    low = close * (1.0 - np.array([reach // 3 % 3 for reach in reaches]) / 90.0)
    volume = np.array([unit % 4 * 1.1 for unit in units])
    session = np.cumsum([unit > 230 for unit in units]).astype(np.float64)
    columns = {"high": high, "low": low, "close": close, "volume": volume}
    for i, gap in enumerate(gaps):  # in one column at a time, missing in one way or another
        if gap > 248:
            columns[list(columns)[gap % 4]][i] = math.nan if gap % 8 else math.inf
    return {**columns, "open": close, "session": session, "x": columns["close"]}


bars_with_gaps = st.binary(min_size=4, max_size=4 * 60).map(to_bars)
whole_bars = st.binary(min_size=4, max_size=4 * 60).map(lambda draws: to_bars(bytes(byte % 248 for byte in draws)))


def draw_parameters(data: st.DataObject, name: str) -> dict[str, float]:
    return {
        info.name: data.draw(st.integers(1, 9) if info.type is int else st.sampled_from([0.0, 0.02, 1 / 3, 2.0]))
        for info in indicators.lookup(name).parameters
    }


def compute(name: str, bars: Columns, parameters: dict[str, float]) -> Any:
    spec = indicators.lookup(name)
    return spec.compute(*(bars[column] for column in spec.inputs), **parameters)


def stream(name: str, bars: Columns, parameters: dict[str, float]) -> list[float]:
    fed = indicators.stream(name, **parameters)
    if indicators.lookup(name).inputs == ("x",):
        return [fed.update(value) for value in bars["x"]]
    rows = zip(*bars.values(), strict=True)
    return [fed.update(dict(zip(bars, map(float, row), strict=True))) for row in rows]


@pytest.mark.parametrize("name", NAMES)
@given(bars=bars_with_gaps, data=st.data())
def test_the_stream_gives_the_numbers_of_the_batch_bit_for_bit(name: str, bars: Columns, data: st.DataObject) -> None:
    parameters = draw_parameters(data, name)
    np.testing.assert_array_equal(stream(name, bars, parameters), compute(name, bars, parameters))


@pytest.mark.parametrize("name", NAMES)
def test_long_streams_and_long_windows_give_the_numbers_of_the_batch_too(name: str) -> None:
    rng = np.random.default_rng(5)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, 1_200)))
    close[300:380] = close[300]
    reach = np.abs(rng.normal(0.0, 0.01, close.size))
    bars = {"high": close * (1.0 + reach), "low": close * (1.0 - reach), "close": close, "open": close, "x": close}
    bars |= {"volume": rng.random(close.size) * 1e6, "session": np.floor(np.arange(close.size) / 78.0)}
    longer = {"window": 97, "conversion": 60, "base": 97, "slow": 97, "fast": 31}
    parameters = {info.name: longer.get(info.name, info.default) for info in indicators.lookup(name).parameters}
    np.testing.assert_array_equal(stream(name, bars, parameters), compute(name, bars, parameters))


@pytest.mark.parametrize("name", NAMES)
@given(bars=bars_with_gaps, data=st.data())
def test_later_bars_never_change_an_earlier_value(name: str, bars: Columns, data: st.DataObject) -> None:
    parameters = draw_parameters(data, name)
    cut = data.draw(st.integers(1, bars["close"].size))
    early = compute(name, {column: values[:cut] for column, values in bars.items()}, parameters)
    np.testing.assert_array_equal(early, compute(name, bars, parameters)[:cut])


@pytest.mark.parametrize("name", [name for name in NAMES if name not in THROUGH_GAPS])
@given(bars=bars_with_gaps, data=st.data())
def test_each_stretch_without_gaps_is_computed_by_itself(name: str, bars: Columns, data: st.DataObject) -> None:
    parameters = draw_parameters(data, name)
    inputs = [bars[column] for column in indicators.lookup(name).inputs]
    finite = np.logical_and.reduce([np.isfinite(values) for values in inputs])
    expected = np.full(finite.size, np.nan)
    begin = 0
    while begin < finite.size:
        end = begin + 1
        while end < finite.size and finite[end] == finite[begin]:
            end += 1
        if finite[begin]:
            piece = {column: values[begin:end] for column, values in bars.items()}
            expected[begin:end] = compute(name, piece, parameters)
        begin = end
    np.testing.assert_array_equal(compute(name, bars, parameters), expected)


@pytest.mark.parametrize("name", sorted(THROUGH_GAPS))
@given(bars=bars_with_gaps, data=st.data())
def test_what_goes_through_gaps_gives_nothing_infinite_from_missing_prices(
    name: str, bars: Columns, data: st.DataObject
) -> None:
    bars = {column: np.where(np.isfinite(values), values, np.nan) for column, values in bars.items()}
    assert not np.isinf(compute(name, bars, draw_parameters(data, name))).any()


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        *[(name, 0.0, 100.0) for name in ("rsi", "mfi", "adx", "plus_di", "minus_di", "stochastic_k", "stochastic_d")],
        ("williams_r", -100.0, 0.0),
        ("atr", 0.0, math.inf),
        ("true_range", 0.0, math.inf),
        ("stdev", 0.0, math.inf),
    ],
)
@given(bars=whole_bars, data=st.data())
def test_values_stay_within_their_bounds(
    name: str, low: float, high: float, bars: Columns, data: st.DataObject
) -> None:
    values = compute(name, bars, draw_parameters(data, name))
    known = values[~np.isnan(values)]
    rounding = 1e-12 * high if name == "stochastic_d" else 0.0  # the mean of a mean
    assert (known >= low).all()
    assert (known <= high + rounding).all()


OF_PRICE = [name for name in NAMES if indicators.lookup(name).unit in {"same", "price"}]
OF_NO_UNIT = [name for name in NAMES if indicators.lookup(name).unit in {"index", "ratio"}]


def scaled(bars: Columns, factor: float) -> Columns:
    return {column: values * (1.0 if column in {"volume", "session"} else factor) for column, values in bars.items()}


@pytest.mark.parametrize("name", OF_PRICE)
@given(bars=whole_bars, data=st.data())
def test_prices_twice_as_high_give_values_twice_as_high(name: str, bars: Columns, data: st.DataObject) -> None:
    parameters = draw_parameters(data, name)  # by powers of two, so that no rounding hides anything
    expected = 4.0 * compute(name, bars, parameters)
    np.testing.assert_array_equal(compute(name, scaled(bars, 4.0), parameters), expected)


@pytest.mark.parametrize("name", OF_NO_UNIT)
@given(bars=whole_bars, data=st.data())
def test_prices_in_another_currency_leave_indices_alone(name: str, bars: Columns, data: st.DataObject) -> None:
    parameters = draw_parameters(data, name)
    expected = compute(name, bars, parameters)
    np.testing.assert_array_equal(compute(name, scaled(bars, 2.0**-40), parameters), expected)


@pytest.mark.parametrize("name", ["sma", "ema", "wma", "bollinger_upper", "highest", "lowest"])
@given(bars=whole_bars, data=st.data(), shift=st.sampled_from([-7.0, 0.5, 1000.0]))
def test_a_shift_of_the_price_shifts_averages_and_channels(
    name: str, bars: Columns, data: st.DataObject, shift: float
) -> None:
    parameters = draw_parameters(data, name)
    moved = compute(name, {**bars, "x": bars["x"] + shift}, parameters)
    np.testing.assert_allclose(
        moved, compute(name, bars, parameters) + shift, rtol=0.0, atol=1e-12 * (1000.0 + abs(shift))
    )


@pytest.mark.parametrize("name", ["stdev", "momentum", "macd"])
@given(bars=whole_bars, data=st.data())
def test_a_shift_of_the_price_leaves_differences_alone(name: str, bars: Columns, data: st.DataObject) -> None:
    parameters = draw_parameters(data, name)
    coarse = np.round(bars["x"] * 1024.0) / 1024.0  # so that the shift itself is exact
    moved = compute(name, {**bars, "x": coarse + 4096.0}, parameters)
    np.testing.assert_allclose(moved, compute(name, {**bars, "x": coarse}, parameters), rtol=1e-9, atol=1e-9)


@given(bars=whole_bars, window=st.integers(1, 9))
def test_channels_enclose_the_price_and_averages_lie_within_them(bars: Columns, window: int) -> None:
    x = bars["x"]
    top, bottom = indicators.highest(x, window)[window - 1 :], indicators.lowest(x, window)[window - 1 :]
    assert ((bottom <= x[window - 1 :]) & (x[window - 1 :] <= top)).all()
    for average in (indicators.sma(x, window), indicators.wma(x, window)):
        assert (average[window - 1 :] >= bottom * (1.0 - 1e-15)).all()
        assert (average[window - 1 :] <= top * (1.0 + 1e-15)).all()


@given(bars=whole_bars, window=st.integers(1, 9))
def test_positive_and_negative_stochastic_add_up(bars: Columns, window: int) -> None:
    """%K - %R = 100 wherever the window has a range."""
    high, low, close = bars["high"], bars["low"], bars["close"]
    k = indicators.stochastic(high, low, close, window, smoothing=1).k
    r = indicators.williams_r(high, low, close, window)
    ranged = indicators.highest(high, window) > indicators.lowest(low, window)
    np.testing.assert_allclose((k - r)[ranged], 100.0, rtol=1e-12)
