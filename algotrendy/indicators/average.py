"""Moving averages: simple, exponential, weighted.

TA-Lib's conventions (https://ta-lib.org, functions SMA, EMA, WMA) hold, to rounding. TA-Lib keeps a running sum from
which it takes the oldest value away, so its error grows with the series; here sums are made of block sums, which do
not drift.
"""

from __future__ import annotations

import numpy as np

from algotrendy.domain.types import AnyArray
from algotrendy.indicators import _streams as streams
from algotrendy.indicators._batch import Batch, Inputs, Parameters, Values, apply, direct
from algotrendy.indicators._parameters import spec, window
from algotrendy.kernels import indicators_average as kernels


def _sma(inputs: Inputs, parameters: Parameters, out: AnyArray) -> bool:
    (x,), (window,) = inputs, parameters
    return bool(kernels.sma(x, window, out, np.zeros((2, window + 1))))


_SMA = Batch("sma", (window(),), lambda p: int(p["window"]) - 1, _sma)
_EMA = Batch("ema", (window(),), lambda p: int(p["window"]) - 1, direct(kernels.ema), many="indicators_many.ema")
_WMA = Batch("wma", (window(),), lambda p: int(p["window"]) - 1, direct(kernels.wma))

SPECS = (
    spec(_SMA, unit="same", scale="value", description="Simple moving average.", stream=streams.Sma),
    spec(_EMA, unit="same", scale="value", description="Exponential moving average.", stream=streams.Ema),
    spec(_WMA, unit="same", scale="value", description="Linearly weighted moving average.", stream=streams.Wma),
)


def sma(x: Values, window: int) -> Values:
    """Return the simple moving average: the mean of the last `window` values.

    Lookback: `window` - 1. A flat window gives exactly its price. A window that touches a missing value gives NaN.

    Parameters
    ----------
    x : Series or array of shape (n_bars,)
        Any numbers, oldest first.
    window : int
        Number of values, at least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        In the unit of `x`; NaN in the warm-up, everywhere if `window` exceeds the length.

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, or `x` is not one-dimensional numbers.

    Examples
    --------
    >>> import numpy as np
    >>> sma(np.array([1.0, 2.0, 3.0, 4.0]), 3).tolist()
    [nan, nan, 2.0, 3.0]
    """
    return apply(_SMA, x, window=window)


def ema(x: Values, window: int) -> Values:
    """Return the exponential moving average with weight 2 / (`window` + 1) on the newest value.

    Seed: the mean of the first `window` values, at bar `window` - 1, which is also the lookback. A flat price gives
    that price, to rounding. After a missing value the average starts afresh with a new seed.

    Parameters
    ----------
    x : Series or array of shape (n_bars,)
        Any numbers, oldest first.
    window : int
        At least 1; the weights' mean age is (`window` - 1) / 2 bars, as in a simple average.

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
    >>> ema(np.array([1.0, 2.0, 3.0, 6.0]), 3).tolist()
    [nan, nan, 2.0, 4.0]
    """
    return apply(_EMA, x, window=window)


def wma(x: Values, window: int) -> Values:
    """Return the linearly weighted moving average: weights 1, 2, ..., `window`, the newest value weighing most.

    Lookback: `window` - 1. A flat window gives exactly its price. A window that touches a missing value gives NaN.

    Parameters
    ----------
    x : Series or array of shape (n_bars,)
        Any numbers, oldest first.
    window : int
        Number of values, at least 1.

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
    >>> wma(np.array([1.0, 2.0, 4.0]), 2).round(4).tolist()
    [nan, 1.6667, 3.3333]
    """
    return apply(_WMA, x, window=window)
