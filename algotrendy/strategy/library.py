"""Twelve known strategies, each in a few words of the expression language.

They are starting points and test cases, not advice. `algotrendy.strategy.twins` holds the same twelve as plain Python.

Examples
--------
>>> sma_cross(fast=10).parameters["fast"]
10
>>> sorted(LIBRARY)[:3]
['bollinger_breakout', 'bollinger_reversion', 'buy_and_hold']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from algotrendy.strategy.levels import VolatilityTarget
from algotrendy.strategy.parameter import ParameterSpec
from algotrendy.strategy.strategy import Strategy

WINDOW_MAX = 1000


def _window(name: str, default: int, smallest: int = 2) -> ParameterSpec:
    return ParameterSpec(name, "int", min_value=smallest, max_value=WINDOW_MAX, default=default)


def _number(name: str, default: float, low: float, high: float) -> ParameterSpec:
    return ParameterSpec(name, "float", min_value=low, max_value=high, default=default)


def _strategy(name: str, description: str, specs: tuple[ParameterSpec, ...], **fields: Any) -> Strategy:
    params = {spec.name: spec for spec in specs}
    return Strategy(name=name, description=description, params=params, **fields)


def sma_cross(fast: int = 20, slow: int = 50) -> Strategy:
    """Long while the fast simple moving average is above the slow one.

    Parameters
    ----------
    fast, slow : int
        Windows in bars.

    References
    ----------
    .. [1] Brock, W., Lakonishok, J. and LeBaron, B. (1992). Simple technical trading rules and the stochastic
       properties of stock returns. Journal of Finance, 47(5), 1731-1764.
    """
    return _strategy(
        "SMA cross",
        "Long while the fast simple moving average is above the slow one.",
        (_window("fast", fast, 1), _window("slow", slow, 1)),
        entry="sma(close, fast) > sma(close, slow)",
        exit="sma(close, fast) <= sma(close, slow)",
    )


def ema_cross(fast: int = 12, slow: int = 26) -> Strategy:
    """Long while the fast exponential moving average is above the slow one.

    Parameters
    ----------
    fast, slow : int
        Windows in bars; the weight of the newest close is 2 / (window + 1).

    References
    ----------
    .. [1] Murphy, J. J. (1999). Technical analysis of the financial markets, chapter 9. New York Institute of Finance.
    """
    return _strategy(
        "EMA cross",
        "Long while the fast exponential moving average is above the slow one.",
        (_window("fast", fast, 1), _window("slow", slow, 1)),
        entry="ema(close, fast) > ema(close, slow)",
        exit="ema(close, fast) <= ema(close, slow)",
    )


def rsi_reversion(window: int = 14, oversold: float = 30.0, overbought: float = 70.0) -> Strategy:
    """Buy when the relative strength index says oversold, sell when it says overbought.

    Parameters
    ----------
    window : int
        Window of the index in bars.
    oversold, overbought : float
        Levels of the index, 0 to 100.

    References
    ----------
    .. [1] Wilder, J. W. (1978). New concepts in technical trading systems, section VI. Trend Research.
    """
    return _strategy(
        "RSI reversion",
        "Buys below the oversold level of the relative strength index, sells above the overbought level.",
        (_window("window", window), _number("oversold", oversold, 0, 100), _number("overbought", overbought, 0, 100)),
        entry="rsi(close, window) < oversold",
        exit="rsi(close, window) > overbought",
    )


def bollinger_breakout(window: int = 20, width: float = 2.0) -> Strategy:
    """Buy a close above the upper band, sell a close below the middle.

    Parameters
    ----------
    window : int
        Window of the bands in bars.
    width : float
        Distance of the bands from the middle in standard deviations.

    References
    ----------
    .. [1] Bollinger, J. (2001). Bollinger on Bollinger bands (method I, volatility breakout). McGraw-Hill.
    """
    return _strategy(
        "Bollinger breakout",
        "Buys a close above the upper band, sells a close below the middle.",
        (_window("window", window), _number("width", width, 0.1, 10)),
        entry="close > bollinger_upper(close, window, width)",
        exit="close < bollinger_middle(close, window, width)",
    )


def bollinger_reversion(window: int = 20, width: float = 2.0) -> Strategy:
    """Buy a close below the lower band, sell when the close is back at the middle.

    Parameters
    ----------
    window : int
        Window of the bands in bars.
    width : float
        Distance of the bands from the middle in standard deviations.

    References
    ----------
    .. [1] Bollinger, J. (2001). Bollinger on Bollinger bands (method III, reversals). McGraw-Hill.
    """
    return _strategy(
        "Bollinger reversion",
        "Buys a close below the lower band, sells when the close is back at the middle.",
        (_window("window", window), _number("width", width, 0.1, 10)),
        entry="close < bollinger_lower(close, window, width)",
        exit="close >= bollinger_middle(close, window, width)",
    )


def macd_cross(fast: int = 12, slow: int = 26, signal: int = 9) -> Strategy:
    """Buy when the MACD line crosses above its signal line, sell when it crosses below.

    Parameters
    ----------
    fast, slow, signal : int
        Windows in bars of the two averages and of the signal line.

    References
    ----------
    .. [1] Appel, G. (2005). Technical analysis: power tools for active investors, chapter 8. FT Prentice Hall.
    """
    line, signal_line = "macd(close, fast, slow, signal)", "macd_signal(close, fast, slow, signal)"
    return _strategy(
        "MACD cross",
        "Buys when the MACD line crosses above its signal line, sells when it crosses below.",
        (_window("fast", fast), _window("slow", slow), _window("signal", signal)),
        entry=f"crosses_above({line}, {signal_line})",
        exit=f"crosses_below({line}, {signal_line})",
    )


def donchian_turtle(entry_window: int = 20, exit_window: int = 10, trail_atr: float = 2.0) -> Strategy:
    """Buy a new high, sell short a new low, leave at the opposite extreme of fewer bars or at a trailing stop.

    Parameters
    ----------
    entry_window, exit_window : int
        Bars that a new extreme has to beat; the present bar is not among them.
    trail_atr : float
        Distance of the trailing stop in average true ranges (over 20 bars) of the decision bar.

    References
    ----------
    .. [1] Faith, C. (2003). The original turtle trading rules. Their stop of two average true ranges was fixed; here it
       trails.
    """
    return _strategy(
        "Donchian turtle",
        "Trades breakouts of a channel both ways, with a trailing stop of a few average true ranges.",
        (
            _window("entry_window", entry_window, 1),
            _window("exit_window", exit_window, 1),
            _number("trail_atr", trail_atr, 0.1, 20),
        ),
        entry="close > prev(highest(high, entry_window), 1)",
        exit="close < prev(lowest(low, exit_window), 1)",
        short_entry="close < prev(lowest(low, entry_window), 1)",
        short_exit="close > prev(highest(high, exit_window), 1)",
        trail="trail_atr * atr(20) / close",
    )


def supertrend_follow(window: int = 10, multiplier: float = 3.0) -> Strategy:
    """Long while the supertrend points up.

    Parameters
    ----------
    window : int
        Window of the average true range in bars.
    multiplier : float
        Distance of the bands in average true ranges.

    References
    ----------
    .. [1] Seban, O. (2008). Tout le monde mérite d'être riche. Maxima.
    """
    return _strategy(
        "Supertrend",
        "Long while the supertrend points up.",
        (_window("window", window, 1), _number("multiplier", multiplier, 0.1, 20)),
        entry="supertrend_direction(window, multiplier) > 0",
        exit="supertrend_direction(window, multiplier) < 0",
    )


def momentum_volatility(window: int = 252, risk: float = 0.15, risk_window: int = 20) -> Strategy:
    """Long while the price is above that of a year ago, sized so that the position should swing by `risk` a year.

    Parameters
    ----------
    window : int
        Bars over which the change is measured.
    risk : float
        Volatility wanted, as an annual fraction.
    risk_window : int
        One-bar returns on which the volatility is measured.

    References
    ----------
    .. [1] Moskowitz, T. J., Ooi, Y. H. and Pedersen, L. H. (2012). Time series momentum. Journal of Financial
       Economics, 104(2), 228-250.
    """
    return _strategy(
        "Momentum with volatility target",
        "Long while the price is above its past value, sized by the volatility of the last bars.",
        (_window("window", window, 1), _number("risk", risk, 0.001, 0.999), _window("risk_window", risk_window)),
        entry="roc(close, window) > 0",
        exit="roc(close, window) <= 0",
        size=VolatilityTarget(annual="risk", window="risk_window"),
    )


def macd_long_short(fast: int = 12, slow: int = 26, signal: int = 9) -> Strategy:
    """Long while the MACD line is above its signal line, short while it is below.

    Parameters
    ----------
    fast, slow, signal : int
        Windows in bars of the two averages and of the signal line.

    References
    ----------
    .. [1] Appel, G. (2005). Technical analysis: power tools for active investors, chapter 8. FT Prentice Hall.
    """
    line, signal_line = "macd(close, fast, slow, signal)", "macd_signal(close, fast, slow, signal)"
    return _strategy(
        "MACD long and short",
        "Long while the MACD line is above its signal line, short while it is below.",
        (_window("fast", fast), _window("slow", slow), _window("signal", signal)),
        entry=f"{line} > {signal_line}",
        short_entry=f"{line} < {signal_line}",
    )


def weekly_trend(window: int = 20, weeks: int = 20) -> Strategy:
    """Long above the daily average, while the last complete week closed above the weekly average.

    Parameters
    ----------
    window : int
        Window of the average of the bars.
    weeks : int
        Window of the weekly average, in weeks; an unfinished week is never looked at.

    References
    ----------
    .. [1] Elder, A. (1993). Trading for a living, chapter 43 (triple screen). Wiley. The trend of the next longer time
       frame decides which way to trade.
    """
    weekly, average = 'tf("1wk", close)', 'tf("1wk", sma(close, weeks))'
    return _strategy(
        "Weekly trend",
        "Long above the daily average while the last complete week closed above the weekly average.",
        (_window("window", window, 1), _window("weeks", weeks, 1)),
        entry=f"close > sma(close, window) and {weekly} > {average}",
        exit=f"close < sma(close, window) or {weekly} < {average}",
    )


def buy_and_hold() -> Strategy:
    """Buy at once and keep it: what any other strategy has to beat."""
    return _strategy("Buy and hold", "Buys at once and keeps it.", (), entry="true")


LIBRARY: Mapping[str, Callable[..., Strategy]] = MappingProxyType(
    {
        make.__name__: make
        for make in (
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
"""The twelve by name."""
