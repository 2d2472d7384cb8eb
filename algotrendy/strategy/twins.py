"""The twelve strategies of the library once more, as plain Python functions `(bars, params) -> Signals`.

Each says in ordinary pandas and NumPy what its text says in the expression language, without using that language or the
indicators of this package: as an explanation, as an example of a Python strategy, and as a test, for both forms give
identical orders. Daily bars are assumed where a year or a week comes in.

Two numbers that differ by less than 1e-12 of what went into them are equal: an exact tie of two averages must not be
decided by the rounding of the last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from algotrendy.strategy.signals import Signals

if TYPE_CHECKING:
    import pandas as pd

Float1D = NDArray[np.float64]
Bool1D = NDArray[np.bool_]
Twin = Callable[["pd.DataFrame", Mapping[str, Any]], Signals]

TIE = 1e-12
SESSIONS_PER_YEAR = 252
NEVER = np.nan


# --- the twelve -------------------------------------------------------------------------------------------------------


def sma_cross(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    """Long while the fast simple average is above the slow one."""
    close = _column(bars, "close")
    fast, slow = _average(close, params["fast"]), _average(close, params["slow"])
    return Signals(entries=_above(fast, slow), exits=_not_above(fast, slow))


def ema_cross(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    """Long while the fast exponential average is above the slow one."""
    close = _column(bars, "close")
    fast, slow = _exponential(close, params["fast"]), _exponential(close, params["slow"])
    return Signals(entries=_above(fast, slow), exits=_not_above(fast, slow))


def rsi_reversion(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    """Buy when oversold, sell when overbought."""
    strength = _relative_strength(_column(bars, "close"), params["window"])
    oversold = np.full(len(bars), float(params["oversold"]))
    overbought = np.full(len(bars), float(params["overbought"]))
    scale = np.full(len(bars), 100.0)
    return Signals(entries=_above(oversold, strength, scale), exits=_above(strength, overbought, scale))


def bollinger_breakout(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    """Buy above the upper band, sell below the middle."""
    close = _column(bars, "close")
    middle, spread = _average(close, params["window"]), _deviation(close, params["window"])
    return Signals(entries=_above(close, middle + params["width"] * spread), exits=_above(middle, close))


def bollinger_reversion(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    """Buy below the lower band, sell back at the middle."""
    close = _column(bars, "close")
    middle, spread = _average(close, params["window"]), _deviation(close, params["window"])
    return Signals(entries=_above(middle - params["width"] * spread, close), exits=_not_above(middle, close))


def macd_cross(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    """Buy when the line crosses above its signal line, sell when it crosses below."""
    close = _column(bars, "close")
    line, signal = _convergence(close, params["fast"], params["slow"], params["signal"])
    above, below = _above(line, signal, close), _above(signal, line, close)
    not_above, not_below = _not_above(line, signal, close), _not_above(signal, line, close)
    return Signals(entries=above & _lagged(not_above), exits=below & _lagged(not_below))


def donchian_turtle(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    """Trade new extremes both ways, with a trailing stop of a few average true ranges."""
    high, low, close = (_column(bars, name) for name in ("high", "low", "close"))
    top, bottom = _before(_highest(high, params["entry_window"])), _before(_lowest(low, params["entry_window"]))
    near_top, near_bottom = _before(_highest(high, params["exit_window"])), _before(_lowest(low, params["exit_window"]))
    return Signals(
        entries=_above(close, top),
        exits=_above(near_bottom, close),
        short_entries=_above(bottom, close),
        short_exits=_above(close, near_top),
        trail=params["trail_atr"] * _true_range_average(high, low, close, 20) / close,
    )


def supertrend_follow(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    """Long while the supertrend points up."""
    high, low, close = (_column(bars, name) for name in ("high", "low", "close"))
    direction = _supertrend_direction(high, low, close, params["window"], params["multiplier"])
    return Signals(entries=direction == 1.0, exits=direction == -1.0)


def momentum_volatility(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    """Long while the price is above that of a year ago, sized by the volatility of the last bars."""
    close = _column(bars, "close")
    past = np.full(len(close), np.nan)
    past[params["window"] :] = close[: -params["window"]]
    returns = np.full(len(close), np.nan)
    returns[1:] = close[1:] / close[:-1] - 1.0
    volatility = _deviation(returns, params["risk_window"], ddof=1) * np.sqrt(SESSIONS_PER_YEAR)
    with np.errstate(divide="ignore"):
        size = params["risk"] / volatility
    return Signals(
        entries=_above(close, past), exits=_not_above(close, past), size=np.where(size < np.inf, size, NEVER)
    )


def macd_long_short(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    """Long while the line is above its signal line, short while it is below."""
    close = _column(bars, "close")
    line, signal = _convergence(close, params["fast"], params["slow"], params["signal"])
    return Signals(entries=_above(line, signal, close), short_entries=_above(signal, line, close))


def weekly_trend(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    """Long above the daily average while the last complete week closed above the weekly average."""
    close = _column(bars, "close")
    average = _average(close, params["window"])
    weekly, weekly_average = _weekly(bars, params["weeks"])
    return Signals(
        entries=_above(close, average) & _above(weekly, weekly_average),
        exits=_above(average, close) | _above(weekly_average, weekly),
    )


def buy_and_hold(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    """Buy at once and keep it."""
    return Signals(entries=np.ones(len(bars), dtype=bool))


TWINS: Mapping[str, Twin] = MappingProxyType(
    {
        twin.__name__: twin
        for twin in (
            sma_cross,
            ema_cross,
            rsi_reversion,
            bollinger_breakout,
            bollinger_reversion,
            macd_cross,
            donchian_turtle,
            supertrend_follow,
            momentum_volatility,
            macd_long_short,
            weekly_trend,
            buy_and_hold,
        )
    }
)
"""The twins by the names that the library has."""


# --- decisions --------------------------------------------------------------------------------------------------------


def _above(a: Float1D, b: Float1D, scale: Float1D | None = None) -> Bool1D:
    """True where a > b by more than a tie; False where either is unknown."""
    magnitude = np.maximum(np.abs(a), np.abs(b)) if scale is None else scale
    return a > b + TIE * magnitude


def _not_above(a: Float1D, b: Float1D, scale: Float1D | None = None) -> Bool1D:
    """True where both are known and a > b does not hold."""
    return ~np.isnan(a) & ~np.isnan(b) & ~_above(a, b, scale)


def _lagged(condition: Bool1D) -> Bool1D:
    return np.concatenate(([False], condition[:-1]))


# --- the indicators they need, from their definitions -----------------------------------------------------------------


def _column(bars: pd.DataFrame, name: str) -> Float1D:
    return bars[name].to_numpy(dtype=np.float64)


def _before(values: Float1D) -> Float1D:
    return np.concatenate(([np.nan], values[:-1]))


def _per_window(values: Float1D, window: int, measure: Callable[[NDArray[Any]], NDArray[Any]]) -> Float1D:
    """Apply `measure` to each window of consecutive values; NaN before the first whole one."""
    result = np.full(len(values), np.nan)
    if len(values) >= window:
        result[window - 1 :] = measure(sliding_window_view(values, window))
    return result


def _average(values: Float1D, window: int) -> Float1D:
    return _per_window(values, window, lambda rows: rows.mean(axis=1))


def _deviation(values: Float1D, window: int, ddof: int = 0) -> Float1D:
    return _per_window(values, window, lambda rows: rows.std(axis=1, ddof=ddof))


def _highest(values: Float1D, window: int) -> Float1D:
    return _per_window(values, window, lambda rows: rows.max(axis=1))


def _lowest(values: Float1D, window: int) -> Float1D:
    return _per_window(values, window, lambda rows: rows.min(axis=1))


def _smoothed(values: Float1D, start: int, window: int, weight: float) -> Float1D:
    """Start with the plain mean of the `window` values up to `start`, then move towards each value by `weight`."""
    result = np.full(len(values), np.nan)
    if start >= len(values):
        return result
    level = result[start] = values[start - window + 1 : start + 1].mean()
    for i in range(start + 1, len(values)):
        level += weight * (values[i] - level)
        result[i] = level
    return result


def _exponential(values: Float1D, window: int) -> Float1D:
    return _smoothed(values, window - 1, window, 2.0 / (window + 1))


def _convergence(close: Float1D, fast: int, slow: int, signal: int) -> tuple[Float1D, Float1D]:
    """MACD line and signal line; both averages begin where the longer one can, as TA-Lib has it."""
    start = max(fast, slow) - 1
    line = _smoothed(close, start, fast, 2.0 / (fast + 1)) - _smoothed(close, start, slow, 2.0 / (slow + 1))
    return line, _smoothed(line, start + signal - 1, signal, 2.0 / (signal + 1))


def _relative_strength(close: Float1D, window: int) -> Float1D:
    """Wilder's index; 0 where nothing moved, as TA-Lib has it."""
    change = np.diff(close, prepend=np.nan)
    gain = _smoothed(np.maximum(change, 0.0), window, window, 1.0 / window)
    loss = _smoothed(np.maximum(-change, 0.0), window, window, 1.0 / window)
    moved = gain + loss
    return np.where(moved == 0.0, 0.0, 100.0 * gain / np.where(moved == 0.0, 1.0, moved))


def _true_range_average(high: Float1D, low: Float1D, close: Float1D, window: int) -> Float1D:
    """Wilder's average of the true range, which begins with the second bar."""
    before = _before(close)
    ranges = np.maximum(high, before) - np.minimum(low, before)
    return _smoothed(ranges, window, window, 1.0 / window)


def _supertrend_direction(high: Float1D, low: Float1D, close: Float1D, window: int, multiplier: float) -> Float1D:
    """1 up, -1 down. Each band only ever tightens until a close breaks it; the first known bar counts as down."""
    width = multiplier * _true_range_average(high, low, close, window)
    middle = (high + low) / 2.0
    direction = np.full(len(close), np.nan)
    upper, lower, trend = np.inf, -np.inf, -1.0
    for i in range(window, len(close)):
        first = i == window
        if first or middle[i] + width[i] < upper or close[i - 1] > upper:
            upper = middle[i] + width[i]
        if first or middle[i] - width[i] > lower or close[i - 1] < lower:
            lower = middle[i] - width[i]
        if not first:
            broken = close[i] > upper if trend < 0 else close[i] < lower
            trend = -trend if broken else trend
        direction[i] = trend
    return direction


def _weekly(bars: pd.DataFrame, weeks: int) -> tuple[Float1D, Float1D]:
    """The close of the last complete week and its average over weeks, at each bar.

    A week is from Monday to Sunday; it is complete from the first bar of a later week on.
    """
    close = _column(bars, "close")
    day = bars.index.to_numpy().astype("datetime64[D]").astype(np.int64)
    week = (day + 3) // 7  # 1970-01-01 was a Thursday
    is_last = np.append(week[1:] != week[:-1], True)
    weekly = close[is_last]
    average = _average(weekly, weeks)
    complete = np.concatenate(([0], np.cumsum(is_last)[:-1])) - 1  # the newest week that ended before this bar's
    known = complete >= 0
    return np.where(known, weekly[complete], np.nan), np.where(known, average[complete], np.nan)
