"""Ichimoku: the lines at the bars that compute them, and where a chart draws them."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple

import numpy as np

from algotrendy.domain.types import AnyArray
from algotrendy.indicators import _streams as streams
from algotrendy.indicators import _streams_bars as bar_streams
from algotrendy.indicators._batch import Batch, Inputs, Parameters, Values, apply, apply_all, direct, on_bars
from algotrendy.indicators._parameters import spec, window
from algotrendy.indicators.registry import IndicatorSpec, ParameterInfo
from algotrendy.kernels.indicators_channel import ichimoku as kernel
from algotrendy.kernels.indicators_channel import midpoint


def _span_a(inputs: Inputs, parameters: Parameters, out: AnyArray) -> bool:
    conversion, base = parameters
    slower = np.empty(out.size)
    if not (midpoint(*inputs, conversion, out) and midpoint(*inputs, base, slower)):
        return False
    out += slower
    out /= 2.0
    return True


def _shift(inputs: Inputs, parameters: Parameters, out: AnyArray) -> bool:
    """Move a series by some bars, to the right if positive."""
    (x,), (bars,) = inputs, parameters
    out[:] = np.nan
    if bars > 0:
        out[bars:] = x[:-bars]
    else:
        out[:bars] = x[-bars:]
    return True


def _line(batch: Batch, description: str, stream: Any) -> IndicatorSpec:
    return spec(batch, inputs=("high", "low"), unit="price", scale="value", description=description, stream=stream)


_CONVERSION = Batch("ichimoku_conversion", (window(9),), lambda p: int(p["window"]) - 1, direct(midpoint))
_BASE = Batch("ichimoku_base", (window(26),), lambda p: int(p["window"]) - 1, direct(midpoint))
_SPAN_B = Batch("ichimoku_span_b", (window(52),), lambda p: int(p["window"]) - 1, direct(midpoint))
_SPAN_A = Batch(
    "ichimoku_span_a",
    (window(9, "conversion"), window(26, "base")),
    lambda p: int(max(p["conversion"], p["base"])) - 1,
    _span_a,
)
_ICHIMOKU = Batch(
    "ichimoku",
    (window(9, "conversion"), window(26, "base"), window(52, "span")),
    lambda p: int(min(p["conversion"], p["base"], p["span"])) - 1,
    on_bars(kernel),
    ("conversion", "base", "span_a", "span_b"),
)
_SHIFTED = Batch("shift", (ParameterInfo("bars"),), lambda _p: 0, _shift, through_gaps=True)

SPECS = (
    _line(_CONVERSION, "Ichimoku conversion line.", streams.Midpoint),
    _line(_BASE, "Ichimoku base line.", streams.Midpoint),
    _line(_SPAN_A, "Ichimoku span A, at the bar that computes it.", bar_streams.SpanA),
    _line(_SPAN_B, "Ichimoku span B, at the bar that computes it.", streams.Midpoint),
)


class Ichimoku(NamedTuple, Generic[Values]):
    """What `ichimoku` returns."""

    conversion: Values
    base: Values
    span_a: Values
    span_b: Values


class PlottedIchimoku(NamedTuple, Generic[Values]):
    """What `ichimoku_plotted` returns: for a chart, not for a decision."""

    conversion: Values
    base: Values
    span_a: Values
    span_b: Values
    lagging: Values


def ichimoku(high: Values, low: Values, *, conversion: int = 9, base: int = 26, span: int = 52) -> Ichimoku[Values]:
    """Return the Ichimoku lines at the bars that compute them [1]_.

    A line is half way between the highest high and the lowest low of its window; span A is the mean of conversion and
    base line. Charts draw the spans 26 bars later: at bar *i* a chart shows `prev(span, 26)`, see `ichimoku_plotted`.
    Lookback: the longest window that takes part, less 1. Flat: the price. A window that touches a missing value gives
    NaN.

    Parameters
    ----------
    high, low : Series or array of shape (n_bars,)
        Prices, oldest first.
    conversion, base, span : int
        Windows of the conversion line, the base line and span B, at least 1.

    Returns
    -------
    Ichimoku
        `conversion`, `base`, `span_a`, `span_b`, each of shape (n_bars,), in the unit of the price.

    Raises
    ------
    InputError
        If a window is not a whole number of at least 1, or the inputs are not one-dimensional numbers of one length.

    References
    ----------
    .. [1] Elliott, N. (2007). Ichimoku Charts: An Introduction to Ichimoku Kinko Clouds. Harriman House.

    Examples
    --------
    >>> import numpy as np
    >>> high, low = np.array([2.0, 4.0, 8.0]), np.array([1.0, 2.0, 4.0])
    >>> ichimoku(high, low, conversion=1, base=2, span=3).span_a.tolist()
    [nan, 2.75, 5.5]
    """
    return Ichimoku(*apply_all(_ICHIMOKU, high, low, conversion=conversion, base=base, span=span))


def ichimoku_plotted(
    high: Values,
    low: Values,
    close: Values,
    *,
    conversion: int = 9,
    base: int = 26,
    span: int = 52,
    displacement: int = 26,
) -> PlottedIchimoku[Values]:
    """Return the Ichimoku lines where a chart draws them. **The lagging line looks ahead: never decide with it.**

    Spans A and B are moved `displacement` bars to the right: what stands at bar *i* was known at bar
    *i* - `displacement`. (The part of the cloud beyond the last bar is not returned.) The lagging line is the close
    moved `displacement` bars to the left: what stands at bar *i* is known only `displacement` bars later, the last
    ones are NaN. So this function is for charts; expressions do not know it.

    Parameters
    ----------
    high, low, close : Series or array of shape (n_bars,)
        Prices, oldest first.
    conversion, base, span : int
        As in `ichimoku`.
    displacement : int
        Bars between computing and drawing, at least 1. Vendors who count the current bar use 25 for the same picture.

    Returns
    -------
    PlottedIchimoku
        `conversion`, `base`, `span_a`, `span_b`, `lagging`, each of shape (n_bars,), in the unit of the price.

    Raises
    ------
    InputError
        If a number of bars is not a whole number of at least 1, or the inputs are not one-dimensional numbers of one
        length.

    Examples
    --------
    >>> import numpy as np
    >>> high, low = np.array([2.0, 4.0, 8.0]), np.array([1.0, 2.0, 4.0])
    >>> plotted = ichimoku_plotted(high, low, low, conversion=1, base=2, span=3, displacement=1)
    >>> plotted.span_a.tolist(), plotted.lagging.tolist()
    ([nan, nan, 2.75], [2.0, 4.0, nan])
    """
    bars = int(window(name="displacement").check(displacement, "ichimoku_plotted"))
    lines = ichimoku(high, low, conversion=conversion, base=base, span=span)
    return PlottedIchimoku(
        lines.conversion,
        lines.base,
        apply(_SHIFTED, lines.span_a, bars=bars),
        apply(_SHIFTED, lines.span_b, bars=bars),
        apply(_SHIFTED, close, bars=-bars),
    )
