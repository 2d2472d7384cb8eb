"""Channels: highest and lowest values, Donchian, Keltner.

TA-Lib has the first two (https://ta-lib.org, functions MAX and MIN), and the values are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, NamedTuple

from algotrendy.indicators import _streams as streams
from algotrendy.indicators import _streams_bars as bar_streams
from algotrendy.indicators._batch import (
    Batch,
    Values,
    apply,
    apply_all,
    direct,
    on_bars,
)
from algotrendy.indicators._parameters import factor, member, spec, window
from algotrendy.indicators.registry import IndicatorSpec
from algotrendy.kernels import indicators_channel as kernels

_HIGHEST = Batch("highest", (window(),), lambda p: int(p["window"]) - 1, direct(kernels.highest))
_LOWEST = Batch("lowest", (window(),), lambda p: int(p["window"]) - 1, direct(kernels.lowest))
_DONCHIAN_UPPER = Batch("donchian_upper", (window(20),), _HIGHEST.lookback, direct(kernels.highest))
_DONCHIAN_LOWER = Batch("donchian_lower", (window(20),), _HIGHEST.lookback, direct(kernels.lowest))
_DONCHIAN = Batch("donchian", (window(20),), _HIGHEST.lookback, direct(kernels.donchian), ("upper", "middle", "lower"))
_KELTNER = Batch(
    "keltner",
    (window(20), factor("multiplier", 2.0), window(10, "atr_window")),
    lambda p: int(min(p["window"] - 1, p["atr_window"])),
    on_bars(kernels.keltner),
    ("upper", "middle", "lower"),
)


def _keltner_band_lookback(parameters: Mapping[str, float]) -> int:
    return int(max(parameters["window"] - 1, parameters["atr_window"]))


def _price_spec(batch: Batch, inputs: tuple[str, ...], description: str, stream: Any) -> IndicatorSpec:
    return spec(batch, inputs=inputs, unit="price", scale="value", description=description, stream=stream)


_KELTNER_SPEC = _price_spec(_KELTNER, ("high", "low", "close"), "Keltner channel.", bar_streams.Keltner)

SPECS = (
    spec(_HIGHEST, unit="same", scale="value", description="Largest value of a window.", stream=streams.Highest),
    spec(_LOWEST, unit="same", scale="value", description="Smallest value of a window.", stream=streams.Lowest),
    _price_spec(_DONCHIAN_UPPER, ("high",), "Upper Donchian channel: highest high.", streams.Highest),
    _price_spec(_DONCHIAN_LOWER, ("low",), "Lower Donchian channel: lowest low.", streams.Lowest),
    member(
        _KELTNER_SPEC,
        "keltner_upper",
        0,
        _keltner_band_lookback,
        description="Upper Keltner band.",
    ),
    member(
        _KELTNER_SPEC,
        "keltner_middle",
        1,
        lambda p: int(p["window"]) - 1,
        description="Middle of the Keltner channel.",
    ),
    member(
        _KELTNER_SPEC,
        "keltner_lower",
        2,
        _keltner_band_lookback,
        description="Lower Keltner band.",
    ),
)


class Channel(NamedTuple, Generic[Values]):
    """What `donchian` and `keltner` return."""

    upper: Values
    middle: Values
    lower: Values


def highest(x: Values, window: int) -> Values:
    """Return the largest of the last `window` values, this bar's included.

    Lookback: `window` - 1. Flat: the price. A window that touches a missing value gives NaN.

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
    >>> highest(np.array([1.0, 3.0, 2.0, 1.0]), 2).tolist()
    [nan, 3.0, 3.0, 2.0]
    """
    return apply(_HIGHEST, x, window=window)


def lowest(x: Values, window: int) -> Values:
    """Return the smallest of the last `window` values, this bar's included.

    Lookback: `window` - 1. Flat: the price. A window that touches a missing value gives NaN.

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
    >>> lowest(np.array([1.0, 3.0, 2.0, 1.0]), 2).tolist()
    [nan, 1.0, 2.0, 1.0]
    """
    return apply(_LOWEST, x, window=window)


def donchian(high: Values, low: Values, window: int = 20) -> Channel[Values]:
    """Return the Donchian channel: highest high, lowest low, and the middle between them.

    This bar is included, so the close cannot lie outside: a breakout compares with the channel of the bar before,
    in an expression `close > prev(donchian_upper(20), 1)`. Lookback: `window` - 1. Flat: the price.

    Parameters
    ----------
    high, low : Series or array of shape (n_bars,)
        Prices, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Channel
        `upper`, `middle`, `lower`, each of shape (n_bars,), in the unit of the price; NaN in the warm-up.

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, or the inputs are not one-dimensional numbers of one length.

    Examples
    --------
    >>> import numpy as np
    >>> donchian(np.array([3.0, 5.0]), np.array([1.0, 2.0]), 2).middle.tolist()
    [nan, 3.0]
    """
    return Channel(*apply_all(_DONCHIAN, high, low, window=window))


def keltner(
    high: Values, low: Values, close: Values, window: int = 20, *, multiplier: float = 2.0, atr_window: int = 10
) -> Channel[Values]:
    """Return the Keltner channel in its modern form: exponential average plus and minus average true ranges [1]_.

    Seeds are those of `ema` and `atr`. Lookback: `window` - 1 for the middle, max(`window` - 1, `atr_window`) for the
    bands. Flat: the price, to rounding. After a missing value it starts afresh.

    Parameters
    ----------
    high, low, close : Series or array of shape (n_bars,)
        Prices, oldest first.
    window, atr_window : int
        Of the exponential average of closes and of the average true range, at least 1.
    multiplier : float
        Half the width in average true ranges, 0 or more.

    Returns
    -------
    Channel
        `upper`, `middle`, `lower`, each of shape (n_bars,), in the unit of the price; NaN in the warm-up.

    Raises
    ------
    InputError
        If a window is not a whole number of at least 1, `multiplier` is negative, or the inputs are not one-dimensional
        numbers of one length.

    References
    ----------
    .. [1] Keltner, C. W. (1960). How to Make Money in Commodities. Keltner Statistical Service. The exponential average
       and the true range are Linda Raschke's: https://chartschool.stockcharts.com, "Keltner Channels".

    Examples
    --------
    >>> import numpy as np
    >>> price = np.array([10.0, 11.0, 12.0])
    >>> keltner(price, price, price, 2, multiplier=2, atr_window=1).upper.tolist()
    [nan, 12.5, 13.5]
    """
    results = apply_all(_KELTNER, high, low, close, window=window, multiplier=multiplier, atr_window=atr_window)
    return Channel(*results)
