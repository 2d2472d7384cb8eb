"""Trend: directional movement (ADX, +DI, -DI), parabolic SAR, supertrend.

TA-Lib's conventions (https://ta-lib.org, functions ADX, PLUS_DI, MINUS_DI, SAR) hold, to rounding, for windows of at
least 2. Before its version 0.8, TA-Lib takes magnitudes below 1e-14 for zero; here only zero is zero.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from algotrendy.domain.types import AnyArray
from algotrendy.indicators import _streams_bars as streams
from algotrendy.indicators._batch import Batch, Inputs, Parameters, Values, apply, apply_all, direct
from algotrendy.indicators._parameters import factor, member, spec, window
from algotrendy.kernels import indicators_trend as kernels
from algotrendy.kernels.indicators_volatility import atr

_BARS = ("high", "low", "close")


def _supertrend(inputs: Inputs, parameters: Parameters, out: AnyArray) -> bool:
    high, low, close = inputs
    window, multiplier = parameters
    if not atr(high, low, close, window, out[0]):
        return False
    kernels.supertrend(high, low, close, multiplier, out)
    return True


_DIRECTIONAL = Batch(
    "directional_movement",
    (window(14),),
    lambda p: int(p["window"]),
    direct(kernels.directional),
    ("adx", "plus_di", "minus_di"),
    many="indicators_many_bars.directional",
    many_outputs=(0, 1, 2),
)
_SAR = Batch("sar", (factor("acceleration", 0.02), factor("maximum", 0.2)), lambda _p: 1, direct(kernels.sar))
_SUPERTREND = Batch(
    "supertrend",
    (window(10), factor("multiplier", 3.0)),
    lambda p: int(p["window"]),
    _supertrend,
    ("line", "direction"),
    many="indicators_many_bars.supertrend",
    many_outputs=(0, 1),
)

_DIRECTIONAL_SPEC = spec(
    _DIRECTIONAL,
    inputs=_BARS,
    unit="index",
    scale="100",
    description="Directional movement.",
    stream=streams.Directional,
)
_SUPERTREND_SPEC = spec(
    _SUPERTREND,
    inputs=_BARS,
    unit="price",
    scale="value",
    description="Supertrend.",
    stream=streams.Supertrend,
)

SPECS = (
    member(
        _DIRECTIONAL_SPEC,
        "adx",
        0,
        lambda p: 2 * int(p["window"]) - 1,
        description="Average directional index, 0 to 100.",
    ),
    member(_DIRECTIONAL_SPEC, "plus_di", 1, _DIRECTIONAL.lookback, description="Plus directional indicator."),
    member(_DIRECTIONAL_SPEC, "minus_di", 2, _DIRECTIONAL.lookback, description="Minus directional indicator."),
    spec(
        _SAR,
        inputs=("high", "low"),
        unit="price",
        scale="value",
        description="Parabolic stop and reverse.",
        stream=streams.Sar,
    ),
    member(_SUPERTREND_SPEC, "supertrend", 0, _SUPERTREND.lookback, description="Supertrend line."),
    member(
        _SUPERTREND_SPEC,
        "supertrend_direction",
        1,
        _SUPERTREND.lookback,
        unit="ratio",
        scale="1",
        description="Supertrend's direction: 1 up, -1 down.",
    ),
)


class DirectionalMovement(NamedTuple, Generic[Values]):
    """What `directional_movement` returns."""

    adx: Values
    plus_di: Values
    minus_di: Values


class Supertrend(NamedTuple, Generic[Values]):
    """What `supertrend` returns."""

    line: Values
    direction: Values


def directional_movement(high: Values, low: Values, close: Values, window: int = 14) -> DirectionalMovement[Values]:
    """Return Wilder's directional movement: ADX, +DI and -DI [1]_.

    Upward and downward movement and true range are summed over the first `window` - 1 bars after the first; from then
    on the sum is smoothed, S x (1 - 1 / `window`) + new. +DI and -DI are the movements' shares of the range. ADX is
    Wilder's average of 100 x abs(+DI - -DI) / (+DI + -DI), seeded with the mean of its first `window` values; a bar
    at which both are 0 counts as 0 in the seed and leaves the average as it is afterwards: TA-Lib's convention.
    Lookback: `window` for the DI, 2 x `window` - 1 for ADX. Flat: 0. After a missing value it starts afresh. With a
    window of 1, TA-Lib gives the DI as fractions; here they are percentages as everywhere.

    Parameters
    ----------
    high, low, close : Series or array of shape (n_bars,)
        Prices, oldest first.
    window : int
        At least 1.

    Returns
    -------
    DirectionalMovement
        `adx`, `plus_di`, `minus_di`, each of shape (n_bars,), 0 to 100; NaN in the warm-up.

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
    >>> high, low = np.array([2.0, 3.0, 5.0, 6.0]), np.array([1.0, 2.0, 3.0, 5.0])
    >>> directional_movement(high, low, (high + low) / 2.0, 2).plus_di.round(4).tolist()
    [nan, nan, 76.9231, 62.069]
    """
    return DirectionalMovement(*apply_all(_DIRECTIONAL, high, low, close, window=window))


def adx(high: Values, low: Values, close: Values, window: int = 14) -> Values:
    """Return the average directional index alone; see `directional_movement`.

    Parameters
    ----------
    high, low, close : Series or array of shape (n_bars,)
        Prices, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        0 (no trend) to 100; NaN for the first 2 x `window` - 1 bars.

    Examples
    --------
    >>> import numpy as np
    >>> high, low = np.array([2.0, 3.0, 5.0, 6.0]), np.array([1.0, 2.0, 3.0, 5.0])
    >>> adx(high, low, (high + low) / 2.0, 2).tolist()
    [nan, nan, nan, 100.0]
    """
    return directional_movement(high, low, close, window).adx


def plus_di(high: Values, low: Values, close: Values, window: int = 14) -> Values:
    """Return the plus directional indicator alone; see `directional_movement`.

    Parameters
    ----------
    high, low, close : Series or array of shape (n_bars,)
        Prices, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        0 to 100; NaN for the first `window` bars.

    Examples
    --------
    >>> import numpy as np
    >>> high, low = np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0])
    >>> plus_di(high, low, high, 2).tolist()
    [nan, nan, 100.0]
    """
    return directional_movement(high, low, close, window).plus_di


def minus_di(high: Values, low: Values, close: Values, window: int = 14) -> Values:
    """Return the minus directional indicator alone; see `directional_movement`.

    Parameters
    ----------
    high, low, close : Series or array of shape (n_bars,)
        Prices, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        0 to 100; NaN for the first `window` bars.

    Examples
    --------
    >>> import numpy as np
    >>> high, low = np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0])
    >>> minus_di(high, low, high, 2).tolist()
    [nan, nan, 0.0]
    """
    return directional_movement(high, low, close, window).minus_di


def sar(high: Values, low: Values, acceleration: float = 0.02, maximum: float = 0.2) -> Values:
    """Return Wilder's parabolic stop and reverse [1]_.

    Seed: at the second bar, short if the low fell by more than the high rose, else long; the stop starts at the first
    bar's opposite extreme: TA-Lib's convention. The stop moves by a factor times its distance to the best price of
    the trend; the factor starts at `acceleration`, grows by it at each new best price, up to `maximum`, and the stop
    never enters the last two bars. A bar that touches the stop reverses it. Lookback: 1. Flat: the price. After a
    missing value it starts afresh.

    Parameters
    ----------
    high, low : Series or array of shape (n_bars,)
        Prices, oldest first.
    acceleration, maximum : float
        0 or more; an acceleration above the maximum counts as the maximum.

    Returns
    -------
    Series or array of shape (n_bars,)
        In the unit of the price: below the bar in an upward trend, above it in a downward one; NaN at the first bar.

    Raises
    ------
    InputError
        If a factor is negative or not finite, or the inputs are not one-dimensional numbers of one length.

    References
    ----------
    .. [1] Wilder, J. W. (1978). New Concepts in Technical Trading Systems. Trend Research.

    Examples
    --------
    >>> import numpy as np
    >>> sar(np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0])).round(4).tolist()
    [nan, 1.0, 1.04]
    """
    return apply(_SAR, high, low, acceleration=acceleration, maximum=maximum)


def supertrend(
    high: Values, low: Values, close: Values, window: int = 10, multiplier: float = 3.0
) -> Supertrend[Values]:
    """Return the supertrend line and its direction [1]_.

    Bands lie `multiplier` average true ranges (`atr`, Wilder's) above and below (high + low) / 2. The upper one only
    falls while the previous close was not above it, the lower one only rises while it was not below it. The trend
    turns up when the close is above the upper band, down when it is below the lower one; the line is the lower band in
    an upward trend, else the upper one. Seed: down at the first known bar. Lookback: `window`. Flat: the price, down.
    After a missing value it starts afresh. Some vendors give the direction the opposite sign.

    Parameters
    ----------
    high, low, close : Series or array of shape (n_bars,)
        Prices, oldest first.
    window : int
        Of the average true range, at least 1.
    multiplier : float
        0 or more.

    Returns
    -------
    Supertrend
        `line` in the unit of the price and `direction`, 1.0 up and -1.0 down, each of shape (n_bars,).

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, `multiplier` is negative, or the inputs are not one-dimensional
        numbers of one length.

    References
    ----------
    .. [1] Seban, O. (2008). Tout le monde merite d'etre riche. Maxima. As in TradingView's `ta.supertrend`,
       https://www.tradingview.com/pine-script-reference/v5/#fun_ta.supertrend

    Examples
    --------
    >>> import numpy as np
    >>> price = np.array([10.0, 11.0, 14.0, 20.0])
    >>> supertrend(price, price, price, window=1, multiplier=1).direction.tolist()
    [nan, -1.0, 1.0, 1.0]
    """
    return Supertrend(*apply_all(_SUPERTREND, high, low, close, window=window, multiplier=multiplier))
