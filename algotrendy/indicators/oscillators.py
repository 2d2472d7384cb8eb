"""Oscillators of the close in the range of past bars: stochastic, Williams %R, commodity channel index.

TA-Lib's conventions (https://ta-lib.org, functions STOCH, STOCHF, WILLR, CCI) hold, to rounding; each docstring says
where a result differs.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from algotrendy.domain.types import AnyArray
from algotrendy.indicators import _streams as streams
from algotrendy.indicators._batch import Batch, Inputs, Parameters, Values, apply, apply_all, direct, on_bars
from algotrendy.indicators._parameters import member, spec, window
from algotrendy.kernels import indicators_momentum as kernels
from algotrendy.kernels.indicators_channel import place_in_channel

_BARS = ("high", "low", "close")


def _williams_r(inputs: Inputs, parameters: Parameters, out: AnyArray) -> bool:
    return bool(place_in_channel(tuple(inputs), *parameters, True, out))


_STOCHASTIC = Batch(
    "stochastic",
    (window(14), window(3, "smoothing"), window(3, "signal")),
    lambda p: int(p["window"] + p["smoothing"]) - 2,
    on_bars(kernels.stochastic),
    ("k", "d"),
)
_WILLIAMS_R = Batch("williams_r", (window(14),), lambda p: int(p["window"]) - 1, _williams_r)
_CCI = Batch("cci", (window(20),), lambda p: int(p["window"]) - 1, direct(kernels.cci))

_STOCHASTIC_SPEC = spec(
    _STOCHASTIC,
    inputs=_BARS,
    unit="index",
    scale="100",
    description="Stochastic oscillator.",
    stream=streams.Stochastic,
)

SPECS = (
    member(_STOCHASTIC_SPEC, "stochastic_k", 0, _STOCHASTIC.lookback, description="Stochastic %K, 0 to 100."),
    member(
        _STOCHASTIC_SPEC,
        "stochastic_d",
        1,
        lambda p: _STOCHASTIC.lookback(p) + int(p["signal"]) - 1,
        description="Stochastic %D, 0 to 100.",
    ),
    spec(
        _WILLIAMS_R,
        inputs=_BARS,
        unit="index",
        scale="100",
        description="Williams %R, -100 to 0.",
        stream=streams.WilliamsR,
    ),
    spec(_CCI, inputs=_BARS, unit="index", scale="100", description="Commodity channel index.", stream=streams.Cci),
)


class Stochastic(NamedTuple, Generic[Values]):
    """What `stochastic` returns."""

    k: Values
    d: Values


def stochastic(
    high: Values, low: Values, close: Values, window: int = 14, *, smoothing: int = 3, signal: int = 3
) -> Stochastic[Values]:
    """Return the stochastic oscillator: smoothed %K and its average %D [1]_.

    Raw %K is where the close lies between the lowest low and the highest high of the last `window` bars; %K is its
    simple average over `smoothing` bars (1: the fast stochastic), %D the average of %K over `signal` bars. Lookback:
    `window` + `smoothing` - 2 for %K, `signal` - 1 more for %D; TA-Lib holds %K back that long too. A window without
    any range counts as 0, as in TA-Lib. A window that touches a missing value gives NaN.

    Parameters
    ----------
    high, low, close : Series or array of shape (n_bars,)
        Prices, oldest first.
    window, smoothing, signal : int
        At least 1.

    Returns
    -------
    Stochastic
        `k` and `d`, each of shape (n_bars,), 0 to 100.

    Raises
    ------
    InputError
        If a window is not a whole number of at least 1, or the inputs are not one-dimensional numbers of one length.

    References
    ----------
    .. [1] Lane, G. C. (1984). Lane's Stochastics. Technical Analysis of Stocks & Commodities, 2(3).

    Examples
    --------
    >>> import numpy as np
    >>> high, low, close = np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 4.0])
    >>> stochastic(high, low, close, 2, smoothing=1, signal=2).k.round(4).tolist()
    [nan, 100.0, 66.6667]
    """
    results = apply_all(_STOCHASTIC, high, low, close, window=window, smoothing=smoothing, signal=signal)
    return Stochastic(*results)


def williams_r(high: Values, low: Values, close: Values, window: int = 14) -> Values:
    """Return Williams %R: how far the close lies below the highest high, in percent of the range [1]_.

    Lookback: `window` - 1. A window without any range counts as 0, as in TA-Lib. A window that touches a missing
    value gives NaN.

    Parameters
    ----------
    high, low, close : Series or array of shape (n_bars,)
        Prices, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        -100 (at the low) to 0 (at the high); NaN in the warm-up.

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, or the inputs are not one-dimensional numbers of one length.

    References
    ----------
    .. [1] Williams, L. R. (1973). How I Made One Million Dollars Last Year Trading Commodities. Conceptual Management.

    Examples
    --------
    >>> import numpy as np
    >>> williams_r(np.array([3.0, 5.0]), np.array([1.0, 2.0]), np.array([2.0, 4.0]), 2).tolist()
    [nan, -25.0]
    """
    return apply(_WILLIAMS_R, high, low, close, window=window)


def cci(high: Values, low: Values, close: Values, window: int = 20) -> Values:
    """Return the commodity channel index: (p - mean) / (0.015 x mean absolute deviation) of typical prices p [1]_.

    p = (high + low + close) / 3; mean and mean absolute deviation over the last `window` bars. Lookback: `window` - 1.
    A flat window gives 0. A window that touches a missing value gives NaN.

    Parameters
    ----------
    high, low, close : Series or array of shape (n_bars,)
        Prices, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        Unbounded, mostly within -200 and 200; NaN in the warm-up.

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, or the inputs are not one-dimensional numbers of one length.

    References
    ----------
    .. [1] Lambert, D. R. (1980). Commodity Channel Index: Tool for Trading Cyclic Trends. Commodities, 9(10).

    Examples
    --------
    >>> import numpy as np
    >>> price = np.array([1.0, 2.0, 6.0])
    >>> cci(price, price, price, 3).round(4).tolist()
    [nan, nan, 100.0]
    """
    return apply(_CCI, high, low, close, window=window)
