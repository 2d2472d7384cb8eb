"""Splits and dividends inside the bars of an account: what happens at which bar, and the prices that signals see.

Signals see prices adjusted **forwards**: the first bar is raw, and each action multiplies what comes after it, so no
price that was seen ever changes. It is the usual adjusted series times one number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.portfolio.named import check_symbol
from algotrendy.domain.actions import Actions, Factors
from algotrendy.domain.calendar import Calendar, utc_stamps
from algotrendy.domain.types import AnyArray, Float1D, Int1D
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.domain.interval import Interval
    from algotrendy.domain.panel import Panel

__all__ = ["Happening", "actions_text", "happenings_of"]


@dataclass(frozen=True, eq=False)
class Happening:
    """What happens to the units of one instrument; shape (n_events,) each, by bar.

    Attributes
    ----------
    bars : int64 array
        Bars of the panel, at whose start it happens.
    ratio, paid : float64 array
        New units for an old one, and cash per old unit.
    level_factor : float64 array
        What prices before are multiplied with to be comparable: (1 - paid / last close) / ratio.
    scale, volume_scale : float64 array of shape (n_own_bars,)
        What raw prices and volumes are multiplied with for what signals see.
    """

    bars: Int1D
    ratio: Float1D
    paid: Float1D
    level_factor: Float1D
    scale: Float1D
    volume_scale: Float1D


def happenings_of(
    actions: Any, panel: Panel, rows: tuple[Int1D, ...], length: tuple[Interval, Calendar | None]
) -> tuple[Happening | None, ...]:
    """Return what happens to each instrument; None where nothing does inside its bars.

    Parameters
    ----------
    actions : mapping of str to Actions or Factors, optional
        By symbol.
    panel : Panel
        Raw bars.
    rows : tuple of int64 array
        The own bars of each instrument.
    length : tuple of Interval and Calendar or None
        How long a bar lasts, and what says to which session an intraday bar belongs.

    Raises
    ------
    InputError
        If it is something else, bars last longer than a day, or a dividend is as large as the close before it.
    """
    if actions is None:
        return (None,) * len(rows)
    if isinstance(actions, Actions | Factors) and len(rows) == 1:
        actions = {panel.symbols[0]: actions}
    if not isinstance(actions, Mapping):
        raise InputError(
            f"actions is a {type(actions).__name__}; give a mapping from symbol to at.Actions or Factors, such as"
            ' {"AAPL": Actions.of(splits={"2020-08-31": 4.0})}'
        )
    interval, calendar = length
    if not interval.is_intraday and str(interval) != "1d":
        raise InputError(
            f"actions need bars of a day or shorter, since prices jump inside longer ones; found {interval}"
        )
    found: list[Happening | None] = [None] * len(rows)
    for symbol, each in actions.items():
        check_symbol("actions", symbol, panel.symbols)
        known = each.actions() if isinstance(each, Factors) else each
        if not isinstance(known, Actions):
            raise InputError(f"the actions of {symbol} are a {type(each).__name__}; give Actions or Factors")
        j = panel.symbols.index(symbol)
        dates = _sessions(panel.index[rows[j]], calendar)
        found[j] = _happening(symbol, known, (dates, panel.fields["close"][rows[j], j]), rows[j])
    return tuple(found)


def _sessions(index: pd.DatetimeIndex, calendar: Calendar | None) -> AnyArray:
    if index.tz is not None and calendar is not None:
        return calendar.session_of(index)
    dates: AnyArray = utc_stamps(index).astype("datetime64[D]")
    return dates


def _happening(symbol: str, actions: Actions, own: tuple[AnyArray, Float1D], rows: Int1D) -> Happening | None:
    dates, closes = own
    events = actions.splits.index.union(actions.dividends.index)
    at: dict[int, list[float]] = {}
    for ex_date in events:
        row = int(np.searchsorted(dates, np.datetime64(ex_date, "D")))
        if not 0 < row < len(dates):
            continue  # nothing can be held before the first bar, and nothing is left after the last
        change = at.setdefault(row, [1.0, 0.0])
        change[0] *= float(actions.splits.get(ex_date, 1.0))
        change[1] += float(actions.dividends.get(ex_date, 0.0)) * change[0]
        if change[1] >= closes[row - 1]:
            raise InputError(
                f"the dividend of {symbol} on {ex_date.date()} is {change[1]:g} per share held before and the close"
                f" before it {closes[row - 1]:g}: are the bars raw, as actions need them?"
            )
    if not at:
        return None
    where = np.array(sorted(at))
    ratio, paid = np.array([at[row] for row in sorted(at)]).T
    factor = (1.0 - paid / closes[where - 1]) / ratio
    scale, volume_scale = np.ones(len(dates)), np.ones(len(dates))
    scale[where], volume_scale[where] = 1.0 / factor, 1.0 / ratio
    seen: list[Any] = [np.cumprod(scale), np.cumprod(volume_scale)]
    return Happening(rows[where], ratio, paid, factor, seen[0], seen[1])


def actions_text(happenings: tuple[Happening | None, ...]) -> str:
    """Return what happens in words.

    Examples
    --------
    >>> actions_text((None,))
    'none inside the bars; signals see adjusted prices, fills are raw'
    """
    known = [each for each in happenings if each is not None]
    splits = sum(int((each.ratio != 1.0).sum()) for each in known)
    dividends = sum(int((each.paid > 0.0).sum()) for each in known)
    said = f"{splits:,} splits and {dividends:,} dividends" if known else "none"
    return f"{said} inside the bars; signals see adjusted prices, fills are raw"
