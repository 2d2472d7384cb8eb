"""Finer bars inside the bars of an account: in what order stops, targets and orders were reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.portfolio.named import check_symbol
from algotrendy.domain.bars import checked_arrays
from algotrendy.domain.calendar import infer_calendar, known_instants, utc_stamps
from algotrendy.domain.interval import infer_interval
from algotrendy.domain.types import AnyArray, Float2D, Int1D
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import STEP

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.portfolio.extras import Frame

__all__ = ["finer_steps"]

_OUTSIDE = 1e-9


def finer_steps(fine_bars: Any, frame: Frame) -> tuple[Float2D, AnyArray]:
    """Return finer bars, and which of them lie in each bar.

    Parameters
    ----------
    fine_bars : DataFrame, or mapping of str to DataFrame
        Finer bars by symbol, or those of the one instrument; instruments and bars without some are tested as a whole.
    frame : Frame
        The bars of the account.

    Returns
    -------
    steps : float64 array of shape (n_fine, 5)
        Open, high, low and close, times the multiplier; then which of the stamps inside its bar it has, counted over
        all instruments.
    places : int64 array of shape (n_bars, n_instruments, 2)
        The first step of a bar, and how many.

    Raises
    ------
    InputError
        If bars are longer than those of the account, not sound, or lie outside the bar that they are in.
    """
    panel = frame.panel
    if len(panel.symbols) == 1 and hasattr(fine_bars, "columns"):
        fine_bars = {panel.symbols[0]: fine_bars}
    if not isinstance(fine_bars, Mapping):
        raise InputError(f"fine_bars is a {type(fine_bars).__name__}; give a mapping from symbol to a frame of bars")
    places = np.zeros((len(panel.index), len(panel.symbols), 2), np.int64)
    steps, count = [np.zeros((1, len(STEP)))], 1
    bars_of_steps, stamps = [np.full(1, -1)], [np.zeros(1, "datetime64[ns]")]
    for symbol, bars in fine_bars.items():
        check_symbol("fine_bars", symbol, panel.symbols)
        j = panel.symbols.index(symbol)
        arrays = checked_arrays(bars)
        own, index = frame.rows[j], bars.index
        _check_finer(symbol, index, frame)
        row = _row_of(index, panel.index[own], frame)
        inside = np.flatnonzero(row >= 0)
        bar = own[row[inside]]
        high, low = arrays.high[inside], arrays.low[inside]
        _check_inside(symbol, (high, low), bar, (index[inside], frame, j))
        starts = np.flatnonzero(np.append(True, bar[1:] != bar[:-1])) if bar.size else bar
        places[bar[starts], j, 0] = count + starts
        places[bar[starts], j, 1] = np.diff(np.append(starts, bar.size))
        prices = np.column_stack([arrays.open[inside], high, low, arrays.close[inside]]) * frame.multipliers[j]
        steps.append(np.column_stack([prices, np.zeros(bar.size)]))
        bars_of_steps.append(bar)
        stamps.append(utc_stamps(index[inside]).astype("datetime64[ns]"))
        count += bar.size
    found = np.concatenate(steps)
    found[:, -1] = _turns(np.concatenate(bars_of_steps), np.concatenate(stamps))
    return found, places


def _turns(bar: Int1D, stamps: AnyArray) -> Int1D:
    """Return the place of each stamp among those of its bar; equal stamps have the same.

    Examples
    --------
    >>> _turns(np.array([0, 0, 0, 1]), np.array([5, 7, 5, 9], dtype="datetime64[ns]")).tolist()
    [0, 1, 0, 0]
    """
    order = np.lexsort((stamps, bar))
    ordered_bar, ordered = bar[order], stamps[order]
    is_first = np.append(True, ordered_bar[1:] != ordered_bar[:-1])
    is_new = is_first | np.append(True, ordered[1:] != ordered[:-1])
    number = np.cumsum(is_new)
    turns = np.empty(bar.size, np.int64)
    turns[order] = number - np.maximum.accumulate(np.where(is_first, number, 0))
    return turns


def _check_finer(symbol: str, index: pd.DatetimeIndex, frame: Frame) -> None:
    fine = infer_interval(index)
    if fine == frame.interval and (index.tz is None) == (frame.panel.index.tz is None):
        return  # bars that are as long say as much as the bars themselves
    if not fine.is_intraday or (frame.interval.is_intraday and (fine.seconds or 0) >= (frame.interval.seconds or 0)):
        raise InputError(
            f"the fine_bars of {symbol} last {fine} and the bars {frame.interval}; give bars that are shorter, such as"
            " those of a minute"
        )
    if index.tz is None:
        raise InputError(f"the fine_bars of {symbol} have no zone; say which they are: bars.tz_localize('UTC')")


def _row_of(index: pd.DatetimeIndex, own: pd.DatetimeIndex, frame: Frame) -> Int1D:
    """Return in which of its instrument's bars each finer one lies, -1 for none."""
    fine, coarse = utc_stamps(index), utc_stamps(own)
    if not frame.interval.is_intraday and own.tz is None and index.tz is not None:
        sessions = (frame.calendar or infer_calendar(index)).session_of(index)
        fine = np.asarray(sessions, dtype="datetime64[D]").astype(coarse.dtype)
    row = np.searchsorted(coarse, fine, side="right") - 1
    ends = known_instants(coarse, frame.interval, None)
    found: Int1D = np.where((row >= 0) & (fine < ends[np.maximum(row, 0)]), row, -1)
    return found


def _check_inside(
    symbol: str, extremes: tuple[AnyArray, AnyArray], bar: Int1D, where: tuple[pd.DatetimeIndex, Frame, int]
) -> None:
    (high, low), (stamps, frame, j) = extremes, where
    fields = frame.panel.fields
    outside = (high > fields["high"][bar, j] * (1.0 + _OUTSIDE)) | (low < fields["low"][bar, j] * (1.0 - _OUTSIDE))
    if outside.any():
        at = int(outside.argmax())
        raise InputError(
            f"the finer bar of {symbol} at {stamps[at]} reaches from {low[at]:g} to {high[at]:g}, its bar at"
            f" {frame.panel.index[bar[at]]} from {fields['low'][bar[at], j]:g} to {fields['high'][bar[at], j]:g}; both"
            " must be of the same prices (raw or adjusted) and hours"
        )
