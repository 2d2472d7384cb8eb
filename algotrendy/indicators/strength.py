"""Momentum: relative strength index, MACD, rate of change, plain change.

TA-Lib's conventions (https://ta-lib.org, functions RSI, MACD, ROC, MOM) hold, to rounding; each docstring says where a
result differs. Before its version 0.8, TA-Lib takes magnitudes below 1e-14 for zero; here only zero is zero, so that
prices of 1e-8 a coin are treated like any others.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from algotrendy.indicators import _streams as streams
from algotrendy.indicators._batch import Batch, Values, apply, apply_all, direct
from algotrendy.indicators._parameters import member, spec, window
from algotrendy.kernels import indicators_momentum as kernels

_RSI = Batch("rsi", (window(14),), lambda p: int(p["window"]), direct(kernels.rsi), many="indicators_many.rsi")
_ROC = Batch("roc", (window(),), lambda p: int(p["window"]), direct(kernels.roc), through_gaps=True)
_MOMENTUM = Batch("momentum", (window(),), lambda p: int(p["window"]), direct(kernels.momentum), through_gaps=True)
_MACD = Batch(
    "macd",
    (window(12, "fast"), window(26, "slow"), window(9, "signal")),
    lambda p: int(max(p["fast"], p["slow"])) - 1,
    direct(kernels.macd),
    ("macd", "signal", "histogram"),
    many="indicators_many.macd",
)

_MACD_SPEC = spec(_MACD, unit="same", scale="input", description="MACD and its signal line.", stream=streams.Macd)

SPECS = (
    spec(_RSI, unit="index", scale="100", description="Relative strength index, 0 to 100.", stream=streams.Rsi),
    spec(_ROC, unit="ratio", scale="100", description="Rate of change in percent.", stream=streams.Roc),
    spec(_MOMENTUM, unit="same", scale="input", description="Change over a window.", stream=streams.Momentum),
    member(
        _MACD_SPEC,
        "macd",
        0,
        _MACD.lookback,
        description="MACD line: fast less slow exponential average.",
        made_of="macd(x, fast, slow)",
    ),
    member(
        _MACD_SPEC,
        "macd_signal",
        1,
        lambda p: _MACD.lookback(p) + int(p["signal"]) - 1,
        description="Exponential average of the MACD line.",
        made_of="ema(macd(x, fast, slow), signal)",
    ),
    member(
        _MACD_SPEC,
        "macd_histogram",
        2,
        lambda p: _MACD.lookback(p) + int(p["signal"]) - 1,
        description="MACD line less its signal.",
        made_of="macd(x, fast, slow) - ema(macd(x, fast, slow), signal)",
    ),
)


class Macd(NamedTuple, Generic[Values]):
    """What `macd` returns."""

    macd: Values
    signal: Values
    histogram: Values


def rsi(x: Values, window: int = 14) -> Values:
    """Return Wilder's relative strength index: 100 x average gain / (average gain + average loss) [1]_.

    Seed: the means of the first `window` gains and losses; then Wilder's average, weight 1 / `window`. Lookback:
    `window`. While the price has never moved it is 0, as in TA-Lib; in a flat stretch after a move it stays where it
    was. After a missing value it starts afresh.

    Parameters
    ----------
    x : Series or array of shape (n_bars,)
        Prices or any numbers, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        0 (only losses) to 100 (only gains); NaN in the warm-up.

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, or `x` is not one-dimensional numbers.

    References
    ----------
    .. [1] Wilder, J. W. (1978). New Concepts in Technical Trading Systems. Trend Research.

    Examples
    --------
    >>> import numpy as np
    >>> rsi(np.array([10.0, 11.0, 10.0, 12.0]), 2).tolist()
    [nan, nan, 50.0, 83.33333333333334]
    """
    return apply(_RSI, x, window=window)


def roc(x: Values, window: int) -> Values:
    """Return the rate of change over `window` bars, in percent.

    Lookback: `window`. Flat: 0. Where the earlier value is 0 it is 0, as in TA-Lib. A missing value makes NaN at its
    own bar and `window` bars later, nowhere else.

    Parameters
    ----------
    x : Series or array of shape (n_bars,)
        Prices or any numbers, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        Percent: 5.0 is +5 %; NaN in the warm-up.

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, or `x` is not one-dimensional numbers.

    Examples
    --------
    >>> import numpy as np
    >>> roc(np.array([100.0, 101.0, 125.0]), 2).tolist()
    [nan, nan, 25.0]
    """
    return apply(_ROC, x, window=window)


def momentum(x: Values, window: int) -> Values:
    """Return the change over `window` bars.

    Lookback: `window`. Flat: 0. A missing value makes NaN at its own bar and `window` bars later, nowhere else.

    Parameters
    ----------
    x : Series or array of shape (n_bars,)
        Prices or any numbers, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        In the unit of `x`; NaN in the warm-up.

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, or `x` is not one-dimensional numbers.

    Examples
    --------
    >>> import numpy as np
    >>> momentum(np.array([100.0, 101.0, 125.0]), 1).tolist()
    [nan, 1.0, 24.0]
    """
    return apply(_MOMENTUM, x, window=window)


def macd(x: Values, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd[Values]:
    """Return moving average convergence divergence: line, signal and histogram [1]_.

    The line is the fast less the slow exponential average, both seeded at the bar at which the longer one is known
    (so the fast one is seeded with the mean of the last `fast` values before it: TA-Lib's convention). The signal is
    the line's exponential average, seeded with the mean of its first `signal` values. Lookback: max(fast, slow) - 1
    for the line, `signal` - 1 more for the others; TA-Lib holds the line back that long too. Flat: 0, to rounding.
    With `fast` > `slow` the line changes its sign (TA-Lib swaps the two). After a missing value it starts afresh.

    Parameters
    ----------
    x : Series or array of shape (n_bars,)
        Prices or any numbers, oldest first.
    fast, slow, signal : int
        Windows of the averages, at least 1.

    Returns
    -------
    Macd
        `macd`, `signal`, `histogram` (line less signal), each of shape (n_bars,), in the unit of `x`.

    Raises
    ------
    InputError
        If a window is not a whole number of at least 1, or `x` is not one-dimensional numbers.

    References
    ----------
    .. [1] Appel, G. (2005). Technical Analysis: Power Tools for Active Investors. FT Press.

    Examples
    --------
    >>> import numpy as np
    >>> line, signal, histogram = macd(np.array([1.0, 2.0, 4.0, 8.0]), fast=1, slow=2, signal=2)
    >>> line.round(4).tolist()
    [nan, 0.5, 0.8333, 1.6111]
    >>> histogram.round(4).tolist()
    [nan, nan, 0.1667, 0.3148]
    """
    return Macd(*apply_all(_MACD, x, fast=fast, slow=slow, signal=signal))
