"""Volatility: true range, its average, standard deviation, Bollinger bands.

TA-Lib's conventions (https://ta-lib.org, functions TRANGE, ATR, STDDEV, BBANDS) hold, to rounding. Its averages are
running sums, whose error grows with the series, and before its version 0.8 the variance is the mean square less the
squared mean, which loses all digits where prices are large against their moves (1,000,000 +- 0.001). Here distances
from a member of the window are squared: a flat window gives exactly 0 and prices may lie anywhere.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

import numpy as np

from algotrendy.domain.types import AnyArray
from algotrendy.indicators import _streams as streams
from algotrendy.indicators import _streams_bars as bar_streams
from algotrendy.indicators._batch import Batch, Inputs, Parameters, Values, apply, apply_all, direct
from algotrendy.indicators._parameters import factor, member, spec, window
from algotrendy.kernels import indicators_volatility as kernels
from algotrendy.kernels.indicators_average import mean

_BARS = ("high", "low", "close")


def _bollinger(inputs: Inputs, parameters: Parameters, out: AnyArray) -> bool:
    (x,) = inputs
    window, deviations = parameters
    upper, middle, lower = out
    if not (mean(x, window, middle) and kernels.stdev(x, window, upper)):
        return False
    upper *= deviations
    np.subtract(middle, upper, out=lower)
    upper += middle
    return True


_TRUE_RANGE = Batch("true_range", (), lambda _p: 1, direct(kernels.true_range), through_gaps=True)
_ATR = Batch("atr", (window(14),), lambda p: int(p["window"]), direct(kernels.atr), many="indicators_many_bars.atr")
_STDEV = Batch("stdev", (window(),), lambda p: int(p["window"]) - 1, direct(kernels.stdev))
_BOLLINGER = Batch(
    "bollinger",
    (window(20), factor("deviations", 2.0)),
    lambda p: int(p["window"]) - 1,
    _bollinger,
    ("upper", "middle", "lower"),
)

_BOLLINGER_SPEC = spec(_BOLLINGER, unit="same", scale="value", description="Bollinger bands.", stream=streams.Bollinger)

SPECS = (
    spec(
        _TRUE_RANGE,
        inputs=_BARS,
        unit="price",
        scale="price",
        description="True range.",
        stream=bar_streams.TrueRange,
    ),
    spec(_ATR, inputs=_BARS, unit="price", scale="price", description="Average true range.", stream=bar_streams.Atr),
    spec(_STDEV, unit="same", scale="input", description="Population standard deviation.", stream=streams.Stdev),
    member(
        _BOLLINGER_SPEC,
        "bollinger_upper",
        0,
        _BOLLINGER.lookback,
        description="Upper Bollinger band.",
        made_of="sma(x, window) + stdev(x, window) * deviations",
    ),
    member(
        _BOLLINGER_SPEC,
        "bollinger_middle",
        1,
        _BOLLINGER.lookback,
        description="Middle Bollinger band.",
        made_of="sma(x, window)",
    ),
    member(
        _BOLLINGER_SPEC,
        "bollinger_lower",
        2,
        _BOLLINGER.lookback,
        description="Lower Bollinger band.",
        made_of="sma(x, window) - stdev(x, window) * deviations",
    ),
)


class Bollinger(NamedTuple, Generic[Values]):
    """What `bollinger` returns."""

    upper: Values
    middle: Values
    lower: Values


def true_range(high: Values, low: Values, close: Values) -> Values:
    """Return the true range: the largest of high - low and the distances of both from the previous close [1]_.

    Lookback: 1, as the first bar has no previous close. Flat: 0. A missing high or low makes NaN at its own bar, a
    missing close at the next bar.

    Parameters
    ----------
    high, low, close : Series or array of shape (n_bars,)
        Prices, oldest first.

    Returns
    -------
    Series or array of shape (n_bars,)
        In the unit of the price, 0 or more; NaN at the first bar.

    Raises
    ------
    InputError
        If the inputs are not one-dimensional numbers of one length.

    References
    ----------
    .. [1] Wilder, J. W. (1978). New Concepts in Technical Trading Systems. Trend Research.

    Examples
    --------
    >>> import numpy as np
    >>> true_range(np.array([3.0, 4.0, 9.0]), np.array([1.0, 3.0, 8.0]), np.array([2.0, 4.0, 8.0])).tolist()
    [nan, 2.0, 5.0]
    """
    return apply(_TRUE_RANGE, high, low, close)


def atr(high: Values, low: Values, close: Values, window: int = 14) -> Values:
    """Return the average true range in Wilder's average, weight 1 / `window` [1]_.

    Seed: the mean of the first `window` true ranges, which start at the second bar. Lookback: `window`. Flat: 0. After
    a missing value it starts afresh.

    Parameters
    ----------
    high, low, close : Series or array of shape (n_bars,)
        Prices, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        In the unit of the price, 0 or more; NaN in the warm-up.

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, or the inputs are not one-dimensional numbers of one length.

    References
    ----------
    .. [1] Wilder, J. W. (1978). New Concepts in Technical Trading Systems. Trend Research.

    Examples
    --------
    >>> import numpy as np
    >>> high, low, close = np.array([3.0, 4.0, 9.0]), np.array([1.0, 3.0, 8.0]), np.array([2.0, 4.0, 8.0])
    >>> atr(high, low, close, 2).tolist()
    [nan, nan, 3.5]
    """
    return apply(_ATR, high, low, close, window=window)


def stdev(x: Values, window: int) -> Values:
    """Return the population standard deviation (ddof = 0) of the last `window` values.

    Lookback: `window` - 1. A flat window gives exactly 0. The relative error is of the order of `window` roundings,
    wherever the values lie. A window that touches a missing value gives NaN.

    Parameters
    ----------
    x : Series or array of shape (n_bars,)
        Prices or any numbers, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        In the unit of `x`, 0 or more; NaN in the warm-up.

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, or `x` is not one-dimensional numbers.

    Examples
    --------
    >>> import numpy as np
    >>> stdev(np.array([1.0, 3.0, 3.0]), 2).tolist()
    [nan, 1.0, 0.0]
    """
    return apply(_STDEV, x, window=window)


def bollinger(x: Values, window: int = 20, deviations: float = 2.0) -> Bollinger[Values]:
    """Return Bollinger bands: the simple average plus and minus some population standard deviations [1]_.

    Lookback: `window` - 1. A flat window gives its price three times. A window that touches a missing value gives NaN.

    Parameters
    ----------
    x : Series or array of shape (n_bars,)
        Prices or any numbers, oldest first.
    window : int
        At least 1.
    deviations : float
        Half the width of the bands in standard deviations, 0 or more.

    Returns
    -------
    Bollinger
        `upper`, `middle`, `lower`, each of shape (n_bars,), in the unit of `x`; NaN in the warm-up.

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, `deviations` is negative, or `x` is not one-dimensional
        numbers.

    References
    ----------
    .. [1] Bollinger, J. (2001). Bollinger on Bollinger Bands. McGraw-Hill.

    Examples
    --------
    >>> import numpy as np
    >>> bands = bollinger(np.array([1.0, 3.0, 3.0]), window=2, deviations=2)
    >>> bands.upper.tolist(), bands.lower.tolist()
    ([nan, 4.0, 3.0], [nan, 0.0, 3.0])
    """
    return Bollinger(*apply_all(_BOLLINGER, x, window=window, deviations=deviations))
