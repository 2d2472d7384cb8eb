"""Every indicator equals a slow, plain definition, on series with ties, flat stretches and gaps.

The definitions are written from the sources that the docstrings name, window by window and bar by bar, over one
stretch of bars without missing values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy import indicators

NAN = math.nan
Column = list[float]


STEPS, REACHES, UNITS = (-3, -1, -1, 0, 0, 0, 1, 1, 2), (0, 0, 1, 2), (0.0, 0.0, 1.0, 2.0, 7.5)


def to_bars(draws: bytes) -> dict[str, Column]:
    """Return bars on a coarse grid of prices, so that ties and flat windows are common; four bytes make a bar."""
    n = len(draws) // 4
    steps, ups, downs, units = (draws[k * n : (k + 1) * n] for k in range(4))
    close, price = [], 5.0
    for step in steps:
        price = max(price + STEPS[step % 9] / 4.0, 0.25)
        close.append(price)
    high = [price + REACHES[up % 4] / 4.0 for price, up in zip(close, ups, strict=True)]
    low = [price - REACHES[down % 4] / 16.0 for price, down in zip(close, downs, strict=True)]
    volume = [UNITS[unit % 5] for unit in units]
    return {"high": high, "low": low, "close": close, "volume": volume, "x": close}


stretches = st.binary(min_size=4, max_size=4 * 50).map(to_bars)


def windows(x: Column, n: int) -> list[Column | None]:
    return [x[i - n + 1 : i + 1] if i >= n - 1 else None for i in range(len(x))]


def over(x: Column, n: int, measure: Callable[[Column], float]) -> Column:
    return [NAN if window is None else measure(window) for window in windows(x, n)]


def mean(x: Column) -> float:
    return math.fsum(x) / len(x)


def deviation(x: Column) -> float:
    centre = mean(x)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in x) / len(x))


def smoothed(x: Column, n: int, weight: float) -> Column:
    """An average with memory over the known tail of `x`, seeded with the mean of its first n values."""
    out, known = [], []
    for value in x:
        if math.isnan(value):
            out.append(NAN)
            continue
        known.append(value)
        if len(known) < n:
            out.append(NAN)
        elif len(known) == n:
            out.append(mean(known))
        else:
            out.append(out[-1] + weight * (value - out[-1]))
    return out


def ema(x: Column, n: int) -> Column:
    return smoothed(x, n, 2.0 / (n + 1.0))


def wilder(x: Column, n: int) -> Column:
    return smoothed(x, n, 1.0 / n)


def changes(x: Column) -> Column:
    return [NAN, *(later - earlier for earlier, later in pairwise(x))]


def rsi(x: Column, n: int) -> Column:
    gains = wilder([change if math.isnan(change) else max(change, 0.0) for change in changes(x)], n)
    losses = wilder([change if math.isnan(change) else max(-change, 0.0) for change in changes(x)], n)
    return [
        gain if math.isnan(gain) else (100.0 * gain / (gain + loss) if gain + loss else 0.0)
        for gain, loss in zip(gains, losses, strict=True)
    ]


def macd(x: Column, fast: int, slow: int, signal: int) -> tuple[Column, Column, Column]:
    longest = max(fast, slow)
    quick, slack = (ema([NAN] * (longest - n) + x[longest - n :], n)[: len(x)] for n in (fast, slow))
    line = [a - b for a, b in zip(quick, slack, strict=True)]
    trigger = ema(line, signal)
    return line, trigger, [a - b for a, b in zip(line, trigger, strict=True)]


def true_range(high: Column, low: Column, close: Column) -> Column:
    before = [NAN, *close[:-1]]
    return [
        NAN if math.isnan(b) else max(h - lo, abs(h - b), abs(lo - b))
        for h, lo, b in zip(high, low, before, strict=True)
    ]


def atr(high: Column, low: Column, close: Column, n: int) -> Column:
    return wilder(true_range(high, low, close), n)


def directional(high: Column, low: Column, close: Column, n: int) -> tuple[Column, Column, Column]:
    """Wilder's sums, started over n - 1 bars and smoothed from the next one on."""
    up, down, reach = 0.0, 0.0, 0.0
    adx, plus, minus, indices = [NAN], [NAN], [NAN], []
    ranges = true_range(high, low, close)
    for i in range(1, len(close)):
        rise, fall = high[i] - high[i - 1], low[i - 1] - low[i]
        fade = 1.0 if i < n else 1.0 - 1.0 / n
        up = up * fade + (rise if rise > max(fall, 0.0) else 0.0)
        down = down * fade + (fall if fall > max(rise, 0.0) else 0.0)
        reach = reach * fade + ranges[i]
        if i < n:
            plus.append(NAN), minus.append(NAN), adx.append(NAN)
            continue
        plus.append(100.0 * up / reach if reach else 0.0)
        minus.append(100.0 * down / reach if reach else 0.0)
        moves = up + down > 0.0
        indices.append(100.0 * abs(up - down) / (up + down) if moves else 0.0)
        if len(indices) < n:
            adx.append(NAN)
        elif len(indices) == n:
            adx.append(mean(indices))
        else:
            adx.append(adx[-1] + (indices[-1] - adx[-1]) / n if moves else adx[-1])
    return adx, plus, minus


def stochastic(high: Column, low: Column, close: Column, n: int, smoothing: int, signal: int) -> tuple[Column, Column]:
    raw = []
    for highs, lows, price in zip(windows(high, n), windows(low, n), close, strict=True):
        if highs is None or lows is None:
            raw.append(NAN)
        else:
            reach = max(highs) - min(lows)
            raw.append(100.0 * (price - min(lows)) / reach if reach else 0.0)
    k = over(raw, smoothing, mean)
    return k, over(k, signal, mean)


def williams(high: Column, low: Column, close: Column, n: int) -> Column:
    out = []
    for highs, lows, price in zip(windows(high, n), windows(low, n), close, strict=True):
        if highs is None or lows is None:
            out.append(NAN)
        else:
            reach = max(highs) - min(lows)
            out.append(-100.0 * (max(highs) - price) / reach if reach else 0.0)
    return out


def typical(high: Column, low: Column, close: Column) -> Column:
    return [(h + lo + c) / 3.0 for h, lo, c in zip(high, low, close, strict=True)]


def cci(high: Column, low: Column, close: Column, n: int) -> Column:
    def index(prices: Column) -> float:
        if max(prices) == min(prices):
            return 0.0
        centre = mean(prices)
        return (prices[-1] - centre) / (0.015 * mean([abs(price - centre) for price in prices]))

    return over(typical(high, low, close), n, index)


def obv(close: Column, volume: Column) -> Column:
    out = [volume[0]]
    for i in range(1, len(close)):
        out.append(out[-1] + math.copysign(volume[i], close[i] - close[i - 1]) * (close[i] != close[i - 1]))
    return out


def mfi(high: Column, low: Column, close: Column, volume: Column, n: int) -> Column:
    prices = typical(high, low, close)
    flow = [price * units for price, units in zip(prices, volume, strict=True)]
    up = [NAN, *(flow[i] if prices[i] > prices[i - 1] else 0.0 for i in range(1, len(flow)))]
    down = [NAN, *(flow[i] if prices[i] < prices[i - 1] else 0.0 for i in range(1, len(flow)))]
    out = []
    for gained, lost in zip(over(up, n, sum), over(down, n, sum), strict=True):
        moved = gained + lost
        out.append(NAN if math.isnan(moved) else 100.0 * gained / moved if moved else 0.0)
    return out


def vwap(high: Column, low: Column, close: Column, volume: Column, n: int) -> Column:
    out = []
    for prices, units in zip(windows(typical(high, low, close), n), windows(volume, n), strict=True):
        if prices is None or units is None or not sum(units):
            out.append(NAN)
        else:
            out.append(math.fsum(p * u for p, u in zip(prices, units, strict=True)) / math.fsum(units))
    return out


def supertrend(high: Column, low: Column, close: Column, n: int, multiplier: float) -> tuple[Column, Column]:
    """TradingView's definition with the direction's sign the other way round: 1 up, -1 down."""
    line, direction = [], []
    upper = lower = NAN
    for i, reach in enumerate(atr(high, low, close, n)):
        if math.isnan(reach):
            line.append(NAN), direction.append(NAN)
            continue
        middle = (high[i] + low[i]) / 2.0
        raw_upper, raw_lower = middle + multiplier * reach, middle - multiplier * reach
        if math.isnan(upper):
            upper, lower, trend = raw_upper, raw_lower, -1.0
        else:
            lower = raw_lower if raw_lower > lower or close[i - 1] < lower else lower
            upper = raw_upper if raw_upper < upper or close[i - 1] > upper else upper
            was_down = direction[-1] < 0.0
            trend = 1.0 if close[i] > upper or (not was_down and close[i] >= lower) else -1.0
        direction.append(trend)
        line.append(lower if trend > 0.0 else upper)
    return line, direction


def midpoint(high: Column, low: Column, n: int) -> Column:
    return [(a + b) / 2.0 for a, b in zip(over(high, n, max), over(low, n, min), strict=True)]


def keltner(high: Column, low: Column, close: Column, n: int, multiplier: float, m: int) -> tuple[Column, ...]:
    middle, ranges = ema(close, n), atr(high, low, close, m)
    upper = [a + multiplier * b for a, b in zip(middle, ranges, strict=True)]
    return upper, middle, [a - multiplier * b for a, b in zip(middle, ranges, strict=True)]


def sar(high: Column, low: Column, step: float, largest: float) -> Column:
    """Wilder's rules: a stop for tomorrow, kept out of the last two bars, that reverses when touched."""
    out = [NAN]
    if len(high) < 2:
        return out
    step = min(step, largest)
    is_long = not (low[0] - low[1] > max(high[1] - high[0], 0.0))
    stop, best, factor = (low[0], high[1], step) if is_long else (high[0], low[1], step)
    for i in range(1, len(high)):
        recent = range(max(i - 1, 1), i + 1)
        if is_long and low[i] <= stop:
            is_long, stop, best, factor = False, max(best, *(high[k] for k in recent)), low[i], step
            out.append(stop)
        elif not is_long and high[i] >= stop:
            is_long, stop, best, factor = True, min(best, *(low[k] for k in recent)), high[i], step
            out.append(stop)
        else:
            out.append(stop)
            if (is_long and high[i] > best) or (not is_long and low[i] < best):
                best, factor = high[i] if is_long else low[i], min(factor + step, largest)
        stop = stop + factor * (best - stop)
        stop = min(stop, *(low[k] for k in recent)) if is_long else max(stop, *(high[k] for k in recent))
    return out


def weighted(x: Column) -> float:
    return math.fsum((k + 1) * value for k, value in enumerate(x)) / (len(x) * (len(x) + 1) / 2)


def later(x: Column, n: int, measure: Callable[[float, float], float]) -> Column:
    return [NAN if i < n else measure(x[i], x[i - n]) for i in range(len(x))]


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "sma": lambda x, window: over(x, window, mean),
    "ema": ema,
    "wma": lambda x, window: over(x, window, weighted),
    "rsi": rsi,
    "macd": lambda x, fast, slow, signal: macd(x, fast, slow, signal)[0],
    "macd_signal": lambda x, fast, slow, signal: macd(x, fast, slow, signal)[1],
    "macd_histogram": lambda x, fast, slow, signal: macd(x, fast, slow, signal)[2],
    "bollinger_upper": lambda x, window, deviations: over(x, window, lambda w: mean(w) + deviations * deviation(w)),
    "bollinger_middle": lambda x, window, deviations: over(x, window, mean),
    "bollinger_lower": lambda x, window, deviations: over(x, window, lambda w: mean(w) - deviations * deviation(w)),
    "atr": atr,
    "true_range": true_range,
    "adx": lambda h, lo, c, window: directional(h, lo, c, window)[0],
    "plus_di": lambda h, lo, c, window: directional(h, lo, c, window)[1],
    "minus_di": lambda h, lo, c, window: directional(h, lo, c, window)[2],
    "stochastic_k": lambda h, lo, c, window, smoothing, signal: stochastic(h, lo, c, window, smoothing, signal)[0],
    "stochastic_d": lambda h, lo, c, window, smoothing, signal: stochastic(h, lo, c, window, smoothing, signal)[1],
    "cci": cci,
    "obv": obv,
    "mfi": mfi,
    "williams_r": williams,
    "roc": lambda x, window: later(x, window, lambda a, b: 100.0 * (a - b) / b),
    "momentum": lambda x, window: later(x, window, lambda a, b: a - b),
    "stdev": lambda x, window: over(x, window, deviation),
    "highest": lambda x, window: over(x, window, max),
    "lowest": lambda x, window: over(x, window, min),
    "donchian_upper": lambda h, window: over(h, window, max),
    "donchian_lower": lambda lo, window: over(lo, window, min),
    "keltner_upper": lambda h, lo, c, window, multiplier, atr_window: keltner(h, lo, c, window, multiplier, atr_window)[
        0
    ],
    "keltner_middle": lambda h, lo, c, window, multiplier, atr_window: ema(c, window),
    "keltner_lower": lambda h, lo, c, window, multiplier, atr_window: keltner(h, lo, c, window, multiplier, atr_window)[
        2
    ],
    "vwap": vwap,
    "sar": sar,
    "supertrend": lambda h, lo, c, window, multiplier: supertrend(h, lo, c, window, multiplier)[0],
    "supertrend_direction": lambda h, lo, c, window, multiplier: supertrend(h, lo, c, window, multiplier)[1],
    "ichimoku_conversion": midpoint,
    "ichimoku_base": midpoint,
    "ichimoku_span_b": midpoint,
    "ichimoku_span_a": lambda h, lo, conversion, base: [
        (a + b) / 2.0 for a, b in zip(midpoint(h, lo, conversion), midpoint(h, lo, base), strict=True)
    ],
}
ELSEWHERE = {"session_vwap"}  # needs session labels: tested with the gaps


def draw_parameters(data: st.DataObject, name: str) -> dict[str, float]:
    spec = indicators.lookup(name)
    return {
        info.name: data.draw(st.integers(1, 12) if info.type is int else st.sampled_from([0.0, 0.02, 0.5, 2.0]))
        for info in spec.parameters
    }


def test_every_built_in_indicator_has_a_definition() -> None:
    assert {*DEFINITIONS, *ELSEWHERE} == {name for name in indicators.names() if indicators.lookup(name).stream}


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
@given(bars=stretches, data=st.data())
def test_kernel_equals_its_definition(name: str, bars: dict[str, Column], data: st.DataObject) -> None:
    parameters = draw_parameters(data, name)
    spec = indicators.lookup(name)
    columns = [bars[column] for column in spec.inputs]
    found = spec.compute(*(np.array(column) for column in columns), **parameters)
    expected = DEFINITIONS[name](*columns, *parameters.values())
    tolerance = 1e-6 if name == "cci" else 1e-11  # a quotient of two small distances
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    known = np.flatnonzero(~np.isnan(found))
    if known.size:
        assert known[0] == spec.lookback(parameters) or name == "vwap"  # nothing traded yet
    elif name != "vwap":
        assert spec.lookback(parameters) >= found.size
