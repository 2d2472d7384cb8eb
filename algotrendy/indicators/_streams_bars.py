"""More of the arithmetic of the kernels, one bar at a time: indicators that need highs, lows or volume.

The rules of `_streams` hold: parameters by keyword, `step` takes one number per input.
"""

from __future__ import annotations

import math

from algotrendy.indicators._streams import NAN, Ema, Midpoint, Wilder, typical_price


class TrueRange:
    """Mirror of `kernels.indicators_volatility.true_range`."""

    through_gaps = True

    def __init__(self) -> None:
        self._before = NAN

    def step(self, high: float, low: float, close: float) -> float:
        before, self._before = self._before, close
        if not math.isfinite(high + low + before):
            return NAN
        return max(high, before) - min(low, before)


class Atr:
    """Mirror of `kernels.indicators_volatility.atr`."""

    def __init__(self, window: int) -> None:
        self._range, self._average = TrueRange(), Wilder(window)

    def step(self, high: float, low: float, close: float) -> float:
        reach = self._range.step(high, low, close)
        return NAN if math.isnan(reach) else self._average.step(reach)


class Keltner:
    """Mirror of the Keltner channel."""

    def __init__(self, window: int, multiplier: float, atr_window: int) -> None:
        self._middle, self._range, self._multiplier = Ema(window), Atr(atr_window), multiplier

    def step(self, high: float, low: float, close: float) -> tuple[float, float, float]:
        middle, width = self._middle.step(close), self._multiplier * self._range.step(high, low, close)
        return middle + width, middle, middle - width


class Directional:
    """Mirror of `kernels.indicators_trend.directional`."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._weight = 1.0 / window
        self._keep = 1.0 - self._weight
        self._up = self._down = self._reach = self._average = 0.0
        self._before: tuple[float, float, float] | None = None
        self._count = 0

    def step(self, high: float, low: float, close: float) -> tuple[float, float, float]:
        before, self._before = self._before, (high, low, close)
        if before is None:
            return NAN, NAN, NAN
        self._count += 1
        rise, fall = high - before[0], before[1] - low
        decay = self._keep if self._count >= self._window else 1.0
        self._up = self._up * decay + (rise if rise > fall and rise > 0.0 else 0.0)
        self._down = self._down * decay + (fall if fall > rise and fall > 0.0 else 0.0)
        self._reach = self._reach * decay + (max(high, before[2]) - min(low, before[2]))
        if self._count < self._window:
            return NAN, NAN, NAN
        moved = self._up + self._down
        plus = 100.0 * (self._up / self._reach) if self._reach > 0.0 else 0.0
        minus = 100.0 * (self._down / self._reach) if self._reach > 0.0 else 0.0
        index = 100.0 * (abs(self._up - self._down) / moved) if moved > 0.0 else 0.0
        return self._adx(index, moved), plus, minus

    def _adx(self, index: float, moved: float) -> float:
        last_seed = 2 * self._window - 1
        if self._count > last_seed:
            if moved > 0.0:
                self._average = self._average * self._keep + index * self._weight
            return self._average
        self._average += index
        if self._count < last_seed:
            return NAN
        self._average /= self._window
        return self._average


class Sar:
    """Mirror of `kernels.indicators_trend.sar`."""

    def __init__(self, acceleration: float, maximum: float) -> None:
        self._step, self._maximum = min(acceleration, maximum), maximum
        self._is_long = False
        self._level = self._extreme = self._factor = 0.0
        self._before: tuple[float, float] | None = None
        self._started = False

    def step(self, high: float, low: float) -> float:
        before, self._before = self._before, (high, low)
        if before is None:
            return NAN
        old_high, old_low = before
        if not self._started:
            rise, fall = high - old_high, old_low - low
            self._is_long = not (fall > 0.0 and fall > rise)
            self._level = old_low if self._is_long else old_high
            self._extreme = high if self._is_long else low
            self._factor, self._started = self._step, True
            old_high, old_low = high, low
        return self._advance(high, low, old_high, old_low)

    def _advance(self, top: float, bottom: float, old_high: float, old_low: float) -> float:
        if bottom <= self._level if self._is_long else top >= self._level:
            self._is_long = not self._is_long
            extreme = self._extreme
            self._level = min(extreme, old_low, bottom) if self._is_long else max(extreme, old_high, top)
            self._extreme = top if self._is_long else bottom
            self._factor = self._step
        elif top > self._extreme if self._is_long else bottom < self._extreme:
            self._extreme = top if self._is_long else bottom
            self._factor = min(self._factor + self._step, self._maximum)
        level = self._level
        following = level + self._factor * (self._extreme - level)
        self._level = min(following, old_low, bottom) if self._is_long else max(following, old_high, top)
        return level


class Supertrend:
    """Mirror of `kernels.indicators_trend.supertrend`."""

    def __init__(self, window: int, multiplier: float) -> None:
        self._range, self._multiplier = Atr(window), multiplier
        self._ceiling = self._floor = self._trend = 0.0
        self._before = NAN

    def step(self, high: float, low: float, close: float) -> tuple[float, float]:
        before, self._before = self._before, close
        middle, width = (high + low) / 2.0, self._multiplier * self._range.step(high, low, close)
        upper, lower = middle + width, middle - width
        if math.isnan(upper):
            return NAN, NAN
        if self._trend == 0.0:
            self._ceiling, self._floor, self._trend = upper, lower, -1.0
        else:
            self._ceiling = upper if upper < self._ceiling or before > self._ceiling else self._ceiling
            self._floor = lower if lower > self._floor or before < self._floor else self._floor
            if self._trend < 0.0 and close > self._ceiling:
                self._trend = 1.0
            elif self._trend > 0.0 and close < self._floor:
                self._trend = -1.0
        return self._floor if self._trend > 0.0 else self._ceiling, self._trend


class SpanA:
    """Mirror of Ichimoku's leading span A: the mean of two midpoints."""

    def __init__(self, conversion: int, base: int) -> None:
        self._conversion, self._base = Midpoint(conversion), Midpoint(base)

    def step(self, high: float, low: float) -> float:
        return (self._conversion.step(high, low) + self._base.step(high, low)) / 2.0


class Obv:
    """Mirror of `kernels.indicators_volume.obv`."""

    def __init__(self) -> None:
        self._before, self._total = -math.inf, 0.0

    def step(self, close: float, volume: float) -> float:
        sign = float(close > self._before) - float(close < self._before)
        self._total += sign * volume
        self._before = close
        return self._total


class _TwoSums:
    """Two sums over a window, each the tail of one block and the head of the next, as the kernels add them."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._block: list[tuple[float, float]] = []
        self._tail = [(0.0, 0.0)] * window
        self._head = (0.0, 0.0)

    def starts_block(self) -> bool:
        return not self._block or len(self._block) == self._window

    def start_block(self, earlier: list[tuple[float, float]]) -> None:
        """Take the terms of the block before, oldest first, as they count from now on."""
        first = second = 0.0
        for k in range(1, len(earlier)):
            first += earlier[-k][0]
            second += earlier[-k][1]
            self._tail[self._window - 1 - k] = (first, second)
        self._block.clear()
        self._head = (0.0, 0.0)

    def add(self, first: float, second: float) -> tuple[float, float]:
        tail = self._tail[len(self._block)]
        self._block.append((first, second))
        self._head = (self._head[0] + first, self._head[1] + second)
        return tail[0] + self._head[0], tail[1] + self._head[1]

    @property
    def terms(self) -> list[tuple[float, float]]:
        return self._block


class Mfi:
    """Mirror of `kernels.indicators_volume.mfi`."""

    def __init__(self, window: int) -> None:
        self._sums = _TwoSums(window)
        self._before = NAN
        self._warm = -window

    def step(self, high: float, low: float, close: float, volume: float) -> float:
        typical = typical_price(high, low, close)
        before, self._before = self._before, typical
        self._warm += 1
        if math.isnan(before):
            return NAN
        if self._sums.starts_block():
            self._sums.start_block(self._sums.terms)
        change, flow = typical - before, typical * volume
        gained, lost = self._sums.add(flow if change > 0.0 else 0.0, flow if change < 0.0 else 0.0)
        moved = gained + lost
        if self._warm <= 0:
            return NAN
        return 100.0 * (gained / moved) if moved > 0.0 else 0.0


class Vwap:
    """Mirror of `kernels.indicators_volume.vwap`."""

    def __init__(self, window: int) -> None:
        self._sums = _TwoSums(window)
        self._bars: list[tuple[float, float]] = []
        self._reference = 0.0
        self._warm = 1 - window

    def step(self, high: float, low: float, close: float, volume: float) -> float:
        typical = typical_price(high, low, close)
        if self._sums.starts_block():
            self._reference = typical
            self._sums.start_block([((price - typical) * units, units) for price, units in self._bars])
            self._bars.clear()
        self._bars.append((typical, volume))
        paid, traded = self._sums.add((typical - self._reference) * volume, volume)
        self._warm += 1
        return self._reference + paid / traded if self._warm > 0 and traded > 0.0 else NAN


class SessionVwap:
    """Mirror of `kernels.indicators_volume.session_vwap`."""

    through_gaps = True

    def __init__(self) -> None:
        self._session = NAN
        self._reference = self._paid = self._units = 0.0

    def step(self, high: float, low: float, close: float, volume: float, session: float) -> float:
        typical = typical_price(high, low, close)
        if session != self._session:
            self._session, self._reference, self._paid, self._units = session, typical, 0.0, 0.0
        self._paid += (typical - self._reference) * volume
        self._units += volume
        return self._reference + self._paid / self._units if self._units > 0.0 else NAN
