"""The arithmetic of the kernels, one bar at a time, in plain Python: the same operations in the same order.

Each class takes the parameters of its indicator by keyword; `step` takes one number per input and returns the output,
or a tuple of outputs, NaN in the warm-up. Nothing here sees a missing value, but for the classes marked `through_gaps`.
"""

from __future__ import annotations

import math
from collections import deque

NAN = math.nan


class Sma:
    """Mirror of `kernels.indicators_average.sma`."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._block: list[float] = []
        self._tail = [0.0] * window
        self._reference = self._total = 0.0
        self._warm = 1 - window

    def step(self, x: float) -> float:
        window, block = self._window, self._block
        if not block or len(block) == window:
            self._reference, self._total = x, 0.0
            total = 0.0
            for k in range(1, len(block)):
                total += block[-k] - x
                self._tail[window - 1 - k] = total
            block.clear()
        self._total += x - self._reference
        mean = self._reference + (self._tail[len(block)] + self._total) / window
        block.append(x)
        self._warm += 1
        return mean if self._warm > 0 else NAN


class Ema:
    """Mirror of `kernels.indicators_average.ema`."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._weight = 2.0 / (window + 1.0)
        self._keep = 1.0 - self._weight
        self._average = 0.0
        self._count = 0

    def step(self, x: float) -> float:
        self._count += 1
        if self._count > self._window:
            self._average = self._average * self._keep + x * self._weight
            return self._average
        self._average += x
        if self._count < self._window:
            return NAN
        self._average /= self._window
        return self._average


class Wilder:
    """Wilder's average, seeded with the mean of the first `window` values."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._weight = 1.0 / window
        self._keep = 1.0 - self._weight
        self._average = 0.0
        self._count = 0

    def step(self, x: float) -> float:
        self._count += 1
        if self._count > self._window:
            self._average = self._average * self._keep + x * self._weight
            return self._average
        self._average += x
        if self._count < self._window:
            return NAN
        self._average /= self._window
        return self._average


class Wma:
    """Mirror of `kernels.indicators_average.wma`."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._share = 1.0 / (0.5 * window * (window + 1.0))
        self._block: list[float] = []
        self._tail = [0.0] * window
        self._reference = self._level = self._faded = 0.0
        self._warm = 1 - window

    def step(self, x: float) -> float:
        window, block = self._window, self._block
        if not block or len(block) == window:
            self._reference = x
            level = total = 0.0
            for k in range(1, len(block)):
                level += block[-k] - x
                total += level
                self._tail[window - 1 - k] = total
            block.clear()
            self._level = self._faded = 0.0
        self._faded += self._level
        self._level += x - self._reference
        inside = window * self._level - self._faded
        mean = self._reference + (self._tail[len(block)] + inside) * self._share
        block.append(x)
        self._warm += 1
        return mean if self._warm > 0 else NAN


class Moments:
    """Sums of distances and of squared distances from a member of the window, as in `stdev` and `bollinger`."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._share = 1.0 / window
        self._block: list[float] = []
        self._tail = [0.0] * window
        self._tail_squares = [0.0] * window
        self._reference = self._total = self._squares = 0.0
        self._warm = 1 - window

    def step(self, x: float) -> tuple[float, float]:
        """Return mean and standard deviation."""
        window, block = self._window, self._block
        if not block or len(block) == window:
            self._reference = x
            total = squares = 0.0
            for k in range(1, len(block)):
                distance = block[-k] - x
                total += distance
                squares += distance * distance
                self._tail[window - 1 - k] = total
                self._tail_squares[window - 1 - k] = squares
            block.clear()
            self._total = self._squares = 0.0
        j = len(block)
        distance = x - self._reference
        self._total += distance
        self._squares += distance * distance
        block.append(x)
        self._warm += 1
        if self._warm <= 0:
            return NAN, NAN
        total = self._tail[j] + self._total
        mean = total * self._share
        variance = (self._tail_squares[j] + self._squares) * self._share - mean * mean
        return self._reference + total / window, math.sqrt(max(variance, 0.0))


class Stdev:
    """Mirror of `kernels.indicators_volatility.stdev`."""

    def __init__(self, window: int) -> None:
        self._moments = Moments(window)

    def step(self, x: float) -> float:
        return self._moments.step(x)[1]


class Bollinger:
    """Mirror of the Bollinger bands."""

    def __init__(self, window: int, deviations: float) -> None:
        self._moments = Moments(window)
        self._deviations = deviations

    def step(self, x: float) -> tuple[float, float, float]:
        centre, deviation = self._moments.step(x)
        width = self._deviations * deviation
        return centre + width, centre, centre - width


class Highest:
    """The largest of the last `window` values."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._candidates: deque[tuple[int, float]] = deque()  # falling values, each the largest of those after it
        self._count = 0

    def step(self, x: float) -> float:
        candidates = self._candidates
        while candidates and candidates[-1][1] <= x:
            candidates.pop()
        candidates.append((self._count, x))
        self._count += 1
        if candidates[0][0] < self._count - self._window:
            candidates.popleft()
        return candidates[0][1] if self._count >= self._window else NAN


class Lowest:
    """The smallest of the last `window` values."""

    def __init__(self, window: int) -> None:
        self._highest = Highest(window)

    def step(self, x: float) -> float:
        return -self._highest.step(-x)


class Midpoint:
    """Half way between the highest high and the lowest low."""

    def __init__(self, window: int) -> None:
        self._highest, self._lowest = Highest(window), Lowest(window)

    def step(self, high: float, low: float) -> float:
        return (self._highest.step(high) + self._lowest.step(low)) / 2.0


class Momentum:
    """Mirror of `kernels.indicators_momentum.momentum`."""

    through_gaps = True

    def __init__(self, window: int) -> None:
        self._past: deque[float] = deque(maxlen=window)

    def step(self, x: float) -> float:
        past = self._past
        change = x - past[0] if len(past) == past.maxlen else NAN
        past.append(x)
        return change


class Roc:
    """Mirror of `kernels.indicators_momentum.roc`."""

    through_gaps = True

    def __init__(self, window: int) -> None:
        self._past: deque[float] = deque(maxlen=window)

    def step(self, x: float) -> float:
        past = self._past
        before = past[0] if len(past) == past.maxlen else NAN
        past.append(x)
        return 0.0 * x if before == 0.0 else (x / before - 1.0) * 100.0


class Rsi:
    """Mirror of `kernels.indicators_momentum.rsi`."""

    def __init__(self, window: int) -> None:
        self._gain, self._loss = Wilder(window), Wilder(window)
        self._before = NAN

    def step(self, x: float) -> float:
        before, self._before = self._before, x
        if math.isnan(before):
            return NAN
        change = x - before
        gain = self._gain.step(max(change, 0.0))
        moved = gain + self._loss.step(max(-change, 0.0))
        if math.isnan(moved):
            return NAN
        return 100.0 * (gain / moved) if moved > 0.0 else 0.0


class Macd:
    """Mirror of `kernels.indicators_momentum.macd`."""

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        self._fast, self._slow, self._signal = Ema(fast), Ema(slow), Ema(signal)
        self._waits = slow - fast  # the shorter average is seeded at the bar of the longer one

    def step(self, x: float) -> tuple[float, float, float]:
        waits, quick, slack = self._waits, NAN, NAN
        if waits <= 0:
            quick = self._fast.step(x)
        if waits >= 0:
            slack = self._slow.step(x)
        self._waits += (waits < 0) - (waits > 0)
        line = quick - slack
        if math.isnan(line):
            return NAN, NAN, NAN
        trigger = self._signal.step(line)
        return line, trigger, line - trigger


class Stochastic:
    """Mirror of the stochastic oscillator: %K and %D."""

    def __init__(self, window: int, smoothing: int, signal: int) -> None:
        self._highest, self._lowest = Highest(window), Lowest(window)
        self._k, self._d = Sma(smoothing), Sma(signal)

    def step(self, high: float, low: float, close: float) -> tuple[float, float]:
        top, bottom = self._highest.step(high), self._lowest.step(low)
        if math.isnan(top):
            return NAN, NAN
        reach = top - bottom
        k = self._k.step(0.0 if reach == 0.0 else 100.0 * ((close - bottom) / reach))
        return k, NAN if math.isnan(k) else self._d.step(k)


class WilliamsR:
    """Mirror of Williams %R."""

    def __init__(self, window: int) -> None:
        self._highest, self._lowest = Highest(window), Lowest(window)

    def step(self, high: float, low: float, close: float) -> float:
        top = self._highest.step(high)
        reach = top - self._lowest.step(low)
        return 0.0 if reach == 0.0 else -100.0 * ((top - close) / reach)


def typical_price(high: float, low: float, close: float) -> float:
    """Return the mean of high, low and close."""
    return (high + low + close) / 3.0


class Cci:
    """Mirror of the commodity channel index."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._mean = Sma(window)
        self._past: deque[float] = deque(maxlen=window)

    def step(self, high: float, low: float, close: float) -> float:
        typical = typical_price(high, low, close)
        self._past.append(typical)
        mean = self._mean.step(typical)
        total = 0.0
        for value in self._past:
            total += abs(value - mean)
        spread = 0.015 * (total / self._window)
        return 0.0 if spread == 0.0 else (typical - mean) / spread
