"""Library strategies against TA-Lib: the same rules on its indicators give the same orders on real index history.

Source: TA-Lib 0.6 (https://ta-lib.org), an independent implementation in C. Rules without an exact tie on these bars
need no tolerance, so they are written here as plain comparisons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.backtest.run import backtest
from algotrendy.data import sample
from algotrendy.strategy import library

talib = pytest.importorskip("talib", reason="peer: TA-Lib is not installed")

BARS = sample("NASDAQ")
OPEN, HIGH, LOW, CLOSE = (
    np.ascontiguousarray(BARS[name], dtype=np.float64) for name in ("open", "high", "low", "close")
)


def known(*series: Any) -> Any:
    return ~np.isnan(np.sum(series, axis=0))


def previous(series: Any) -> Any:
    return np.concatenate(([np.nan], series[:-1]))


def averages(average: Callable[..., Any], fast: int, slow: int) -> dict[str, Any]:
    quick, steady = average(CLOSE, fast), average(CLOSE, slow)
    return {"entries": quick > steady, "exits": known(quick, steady) & ~(quick > steady)}


def strength() -> dict[str, Any]:
    index = talib.RSI(CLOSE, 14)
    return {"entries": index < 30.0, "exits": index > 70.0}


def bands(breakout: bool) -> dict[str, Any]:
    upper, middle, lower = talib.BBANDS(CLOSE, 20, 2.0, 2.0)
    if breakout:
        return {"entries": upper < CLOSE, "exits": middle > CLOSE}
    return {"entries": lower > CLOSE, "exits": middle <= CLOSE}


def convergence(crossing: bool) -> dict[str, Any]:
    line, signal, _ = talib.MACD(CLOSE, 12, 26, 9)
    above, below = line > signal, line < signal
    if not crossing:
        return {"entries": above, "short_entries": below}
    before = previous(line - signal)
    return {"entries": above & (before <= 0.0), "exits": below & (before >= 0.0)}


def turtle() -> dict[str, Any]:
    top, bottom = previous(talib.MAX(HIGH, 20)), previous(talib.MIN(LOW, 20))
    near_top, near_bottom = previous(talib.MAX(HIGH, 10)), previous(talib.MIN(LOW, 10))
    return {
        "entries": top < CLOSE,
        "exits": near_bottom > CLOSE,
        "short_entries": bottom > CLOSE,
        "short_exits": near_top < CLOSE,
        "trail": 2.0 * talib.ATR(HIGH, LOW, CLOSE, 20) / CLOSE,
    }


def momentum() -> dict[str, Any]:
    change = talib.ROC(CLOSE, 252)
    spread = talib.STDDEV(np.concatenate(([0.0], CLOSE[1:] / CLOSE[:-1] - 1.0)), 20) * np.sqrt(20 / 19 * 252)
    return {"entries": change > 0.0, "exits": change <= 0.0, "size": 0.15 / spread}


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "sma_cross": lambda: averages(talib.SMA, 20, 50),
    "ema_cross": lambda: averages(talib.EMA, 12, 26),
    "rsi_reversion": strength,
    "bollinger_breakout": lambda: bands(True),
    "bollinger_reversion": lambda: bands(False),
    "macd_cross": lambda: convergence(True),
    "macd_long_short": lambda: convergence(False),
    "donchian_turtle": turtle,
    "momentum_volatility": momentum,
}


@pytest.mark.parametrize("name", CASES)
def test_the_rules_on_talib_give_the_same_orders(name: str) -> None:
    ours = backtest(getattr(library, name)(), BARS, commission=0.0005).orders
    theirs = backtest(BARS, **CASES[name](), commission=0.0005).orders
    assert len(ours) > 10
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-7)
