"""Technical indicators: functions of Series or arrays, and the names that expressions may call.

`sma(close, 20)` gives a Series for a Series, an array for an array. `stream("sma", window=20)` gives the same numbers
bar by bar. `@indicator` makes a function of your own callable in expressions; `lookup` and `names` say what there is.
Gaps: each stretch of bars without missing values is computed by itself, as if the data began there.
"""

from __future__ import annotations

from algotrendy.indicators import average as _average
from algotrendy.indicators import channel as _channel
from algotrendy.indicators import ichimoku_lines as _ichimoku
from algotrendy.indicators import oscillators as _oscillators
from algotrendy.indicators import strength as _strength
from algotrendy.indicators import trend as _trend
from algotrendy.indicators import volatility as _volatility
from algotrendy.indicators import volume as _volume
from algotrendy.indicators.average import ema, sma, wma
from algotrendy.indicators.channel import donchian, highest, keltner, lowest
from algotrendy.indicators.custom import indicator
from algotrendy.indicators.ichimoku_lines import ichimoku, ichimoku_plotted
from algotrendy.indicators.oscillators import cci, stochastic, williams_r
from algotrendy.indicators.registry import IndicatorSpec, ParameterInfo, lookup, names, register, register_builtin
from algotrendy.indicators.streaming import Stream, stream
from algotrendy.indicators.strength import macd, momentum, roc, rsi
from algotrendy.indicators.trend import adx, directional_movement, minus_di, plus_di, sar, supertrend
from algotrendy.indicators.volatility import atr, bollinger, stdev, true_range
from algotrendy.indicators.volume import mfi, obv, session_vwap, vwap

for _family in (_average, _strength, _oscillators, _volatility, _trend, _channel, _ichimoku, _volume):
    register_builtin(_family.SPECS)

__all__ = [
    "IndicatorSpec",
    "ParameterInfo",
    "Stream",
    "adx",
    "atr",
    "bollinger",
    "cci",
    "directional_movement",
    "donchian",
    "ema",
    "highest",
    "ichimoku",
    "ichimoku_plotted",
    "indicator",
    "keltner",
    "lookup",
    "lowest",
    "macd",
    "mfi",
    "minus_di",
    "momentum",
    "names",
    "obv",
    "plus_di",
    "register",
    "roc",
    "rsi",
    "sar",
    "session_vwap",
    "sma",
    "stdev",
    "stochastic",
    "stream",
    "supertrend",
    "true_range",
    "vwap",
    "williams_r",
    "wma",
]
