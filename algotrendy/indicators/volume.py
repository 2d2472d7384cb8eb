"""Indicators that weigh prices with volume: OBV, MFI, VWAP over a window and over a session.

TA-Lib's conventions (https://ta-lib.org, functions OBV and MFI) hold, to rounding; `mfi` says where it differs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from algotrendy.domain.types import AnyArray, Float1D
from algotrendy.errors import InputError
from algotrendy.indicators import _streams_bars as streams
from algotrendy.indicators._batch import Batch, Inputs, Parameters, Values, apply, direct, on_bars
from algotrendy.indicators._parameters import spec, window
from algotrendy.kernels import indicators_volume as kernels

_BARS = ("high", "low", "close", "volume")


def _session_vwap(inputs: Inputs, _parameters: Parameters, out: AnyArray) -> bool:
    *bars, session = inputs
    return bool(kernels.session_vwap(tuple(bars), session, out))


_OBV = Batch("obv", (), lambda _p: 0, direct(kernels.obv))
_MFI = Batch("mfi", (window(14),), lambda p: int(p["window"]), on_bars(kernels.mfi))
_VWAP = Batch("vwap", (window(),), lambda p: int(p["window"]) - 1, on_bars(kernels.vwap))
_SESSION_VWAP = Batch("session_vwap", (), lambda _p: 0, _session_vwap, through_gaps=True)

SPECS = (
    spec(
        _OBV,
        inputs=("close", "volume"),
        unit="volume",
        scale="value",
        description="On-balance volume.",
        stream=streams.Obv,
    ),
    spec(_MFI, inputs=_BARS, unit="index", scale="100", description="Money flow index, 0 to 100.", stream=streams.Mfi),
    spec(
        _VWAP,
        inputs=_BARS,
        unit="price",
        scale="value",
        description="Volume-weighted average price of a window.",
        stream=streams.Vwap,
    ),
    spec(
        _SESSION_VWAP,
        inputs=(*_BARS, "session"),
        unit="price",
        scale="value",
        description="Volume-weighted average price since the start of the session.",
        stream=streams.SessionVwap,
    ),
)


def obv(close: Values, volume: Values) -> Values:
    """Return on-balance volume: the running sum of volume, added on a rise of the close, taken away on a fall [1]_.

    Seed: the first bar's volume, as in TA-Lib. Lookback: 0. Flat: unchanged. After a missing value the sum starts
    afresh from that bar's volume. Exact for whole volumes up to 2**53 in all.

    Parameters
    ----------
    close, volume : Series or array of shape (n_bars,)
        Prices and units traded, oldest first.

    Returns
    -------
    Series or array of shape (n_bars,)
        Units traded, of either sign. Only its changes mean something.

    Raises
    ------
    InputError
        If the inputs are not one-dimensional numbers of one length.

    References
    ----------
    .. [1] Granville, J. (1963). Granville's New Key to Stock Market Profits. Prentice-Hall.

    Examples
    --------
    >>> import numpy as np
    >>> obv(np.array([10.0, 11.0, 11.0, 9.0]), np.array([100.0, 50.0, 70.0, 30.0])).tolist()
    [100.0, 150.0, 150.0, 120.0]
    """
    return apply(_OBV, close, volume)


def mfi(high: Values, low: Values, close: Values, volume: Values, window: int = 14) -> Values:
    """Return the money flow index: the share of money that flowed on a rise of the typical price, in percent [1]_.

    Typical price p = (high + low + close) / 3; money flow = p x volume, counted as positive if p rose, negative if it
    fell, not at all if it did not change. Lookback: `window`, as the first bar has no change. 0 if no money flowed.
    (Before its version 0.8, TA-Lib also gives 0 if less than 1.0 flowed in all, which depends on the unit of volume.)
    A window that touches a missing value gives NaN.

    Parameters
    ----------
    high, low, close, volume : Series or array of shape (n_bars,)
        Prices and units traded, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        0 to 100; NaN in the warm-up.

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, or the inputs are not one-dimensional numbers of one length.

    References
    ----------
    .. [1] Quong, G. and Soudack, A. (1989). Volume-Weighted RSI: Money Flow. Technical Analysis of Stocks &
       Commodities, 7(3).

    Examples
    --------
    >>> import numpy as np
    >>> price, volume = np.array([10.0, 11.0, 10.0]), np.array([5.0, 10.0, 11.0])
    >>> mfi(price, price, price, volume, 2).tolist()
    [nan, nan, 50.0]
    """
    return apply(_MFI, high, low, close, volume, window=window)


def vwap(high: Values, low: Values, close: Values, volume: Values, window: int) -> Values:
    """Return the volume-weighted average of the typical price over the last `window` bars [1]_.

    Typical price: (high + low + close) / 3. Lookback: `window` - 1. Flat: exactly the price. NaN where nothing was
    traded in the window; a window that touches a missing value gives NaN.

    Parameters
    ----------
    high, low, close, volume : Series or array of shape (n_bars,)
        Prices and units traded, oldest first.
    window : int
        At least 1.

    Returns
    -------
    Series or array of shape (n_bars,)
        In the unit of the price; NaN in the warm-up.

    Raises
    ------
    InputError
        If `window` is not a whole number of at least 1, or the inputs are not one-dimensional numbers of one length.

    References
    ----------
    .. [1] Berkowitz, S., Logue, D. and Noser, E. (1988). The Total Cost of Transactions on the NYSE. Journal of
       Finance, 43(1), 97-112.

    Examples
    --------
    >>> import numpy as np
    >>> price, volume = np.array([10.0, 20.0, 30.0]), np.array([1.0, 3.0, 1.0])
    >>> vwap(price, price, price, volume, 2).tolist()
    [nan, 17.5, 22.5]
    """
    return apply(_VWAP, high, low, close, volume, window=window)


def session_vwap(
    high: Values, low: Values, close: Values, volume: Values, *, sessions: AnyArray | None = None, calendar: Any = None
) -> Values:
    """Return the volume-weighted average of the typical price since the first bar of the session.

    Typical price: (high + low + close) / 3. Lookback: 0. Flat: exactly the price. NaN until something was traded in the
    session, and from a missing value to the end of its session.

    Parameters
    ----------
    high, low, close, volume : Series or array of shape (n_bars,)
        Prices and units traded, oldest first; Series with a DatetimeIndex unless `sessions` are given.
    sessions : array of shape (n_bars,), optional
        Label of each bar's session, whole numbers or dates: a new label starts a new session.
    calendar : Calendar, optional
        Says which session a bar belongs to; by default it is inferred from the index (`domain.calendar`).

    Returns
    -------
    Series or array of shape (n_bars,)
        In the unit of the price.

    Raises
    ------
    InputError
        If there are neither `sessions` nor a DatetimeIndex, or the inputs are not one-dimensional numbers of one
        length.

    Examples
    --------
    >>> import numpy as np
    >>> price, volume = np.array([10.0, 20.0, 30.0]), np.array([1.0, 3.0, 1.0])
    >>> session_vwap(price, price, price, volume, sessions=np.array([1, 1, 2])).tolist()
    [10.0, 17.5, 30.0]
    """
    labels: Any = session_labels(_sessions(close, calendar) if sessions is None else sessions)
    results: Values = apply(_SESSION_VWAP, high, low, close, volume, labels)
    return results


def session_labels(sessions: AnyArray) -> Float1D:
    """Return session labels, whole numbers or dates, as the float64 that the indicator takes.

    Examples
    --------
    >>> import numpy as np
    >>> session_labels(np.array(["1970-01-02", "1970-01-05"], dtype="datetime64[D]")).tolist()
    [1.0, 4.0]
    """
    labels = np.asarray(sessions)
    if labels.dtype.kind == "M":
        labels = labels.astype("datetime64[D]").astype(np.int64)
    return labels.astype(np.float64)


def _sessions(close: Any, calendar: Any) -> AnyArray:
    import pandas as pd

    from algotrendy.domain.calendar import infer_calendar

    index = close.index if isinstance(close, pd.Series) else None
    if not isinstance(index, pd.DatetimeIndex):
        raise InputError("session_vwap: give `sessions`, one label per bar, or Series with a DatetimeIndex")
    labels: AnyArray = (calendar or infer_calendar(index)).session_of(index)
    return labels
