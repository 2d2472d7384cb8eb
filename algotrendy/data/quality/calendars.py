"""Which calendar bars follow: the one that is given, a plain one read off the stamps, or an exchange that fits them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from algotrendy.data.quality.stamps import distinct
from algotrendy.domain.calendar import (
    ALWAYS_OPEN,
    SESSIONS,
    SUNDAY_OPEN,
    Calendar,
    as_calendar,
    exchange,
    infer_calendar,
)
from algotrendy.domain.types import Dates1D
from algotrendy.errors import DataError, InputError

CANDIDATES = ("XNYS", "XTSE", "XLON", "XETR", "XPAR", "XSWX", "XTKS", "XHKG", "XASX", "XSHG", "XBOM", "XJSE")
"""Exchanges whose holidays are tried where no calendar is given: the large ones, one for each set of holidays."""

_LEAST_SESSIONS = 120
_LEAST_HOLIDAYS = 4
_KEPT = 0.95
"""An exchange fits if the bars keep at least so many of its holidays ..."""
_HELD = 0.6
"""... and so many of its sessions; thin trading leaves many out."""
_SILENT = 20
"""Longer holes than so many days say nothing about holidays and are left out."""
_EXPLAINED = 0.5
"""... and its holidays are at least half of the weekdays without a bar, or hardly any session is missing."""


def calendar_of(given: Calendar | str | None, times: pd.DatetimeIndex, dates: Dates1D) -> tuple[Calendar, bool]:
    """Return the calendar, and whether its holidays can be relied on.

    Parameters
    ----------
    given : Calendar, str or None
        A text is a market code, `24/7`, `24/5` or `sessions`.
    times : DatetimeIndex
        Clean stamps, ascending.
    dates : array of datetime64[D]
        Their dates, ascending.
    """
    if isinstance(given, str):
        given = as_calendar(given)
    if given is not None:
        return given, given is not SESSIONS and given is not SUNDAY_OPEN
    found = infer_calendar(times)
    weekdays = np.bincount((dates.astype(np.int64) + 3) % 7, minlength=7)
    if found is ALWAYS_OPEN:
        if dates.size > 20 and (weekdays == 0).any():
            return SESSIONS, False  # dates that slipped by a day, not a market that is open on Saturdays
        return found, True
    fridays = float(np.mean((dates.astype(np.int64) + 3) % 7 == 4)) if dates.size else 1.0
    if found is SESSIONS or fridays < 0.02:  # some markets trade from Sunday to Thursday
        fitting = fitting_exchange(distinct(dates))
        if fitting is not None:
            return exchange(fitting), True
    return found, False


def fitting_exchange(dates: Dates1D) -> str | None:
    """Return the exchange whose holidays these dates keep best; None if there is none.

    Parameters
    ----------
    dates : array of datetime64[D]
        Dates with bars, ascending, each once.

    Examples
    --------
    >>> sessions = np.unique(exchange("XLON").next_session(np.arange("2020-01", "2022-01", dtype="datetime64[D]")))
    >>> fitting_exchange(sessions)
    'XLON'
    """
    if dates.size < _LEAST_SESSIONS:
        return None
    return _fitting(dates.astype(np.int64).tobytes())


@lru_cache(maxsize=64)
def _fitting(raw: bytes) -> str | None:
    dates = np.frombuffer(raw, dtype=np.int64).astype("datetime64[D]")
    # Two years show which exchange it may be; they are cheap to ask a dozen calendars about.
    tail = dates[dates >= dates[-1] - np.timedelta64(730, "D")]
    ranked = []
    for name in CANDIDATES:
        misfit = _misfit(name, tail if tail.size > 60 else dates)
        if misfit is not None:
            ranked.append((misfit, name))
        if misfit == 0.0:
            break
    for _, name in sorted(ranked)[:3]:
        if _misfit(name, dates) is not None:
            return name
    return None


def _misfit(name: str, dates: Dates1D) -> float | None:
    """Return how badly an exchange fits: the days it and the bars do not agree on; None if it cannot be it."""
    days = np.arange(dates[0], dates[-1] + 1)
    try:
        sessions = np.unique(exchange(name).next_session(days - 1))
    except (DataError, InputError):
        return None
    sessions = sessions[sessions <= dates[-1]]
    weekdays = days[np.is_busday(days)]
    silent = np.flatnonzero(np.diff(dates).astype(np.int64) > _SILENT)
    for start, end in zip(dates[silent], dates[silent + 1], strict=True):
        weekdays = weekdays[(weekdays <= start) | (weekdays >= end)]
        sessions = sessions[(sessions <= start) | (sessions >= end)]
    holidays = np.setdiff1d(weekdays, sessions)
    if holidays.size < _LEAST_HOLIDAYS:
        return None
    missing = np.setdiff1d(weekdays, dates)
    broken = np.intersect1d(holidays, dates).size
    skipped = np.setdiff1d(sessions, dates).size
    explained = np.intersect1d(missing, holidays).size
    if broken > (1.0 - _KEPT) * holidays.size or skipped > (1.0 - _HELD) * sessions.size:
        return None
    if explained < _EXPLAINED * missing.size and skipped > 0.02 * sessions.size and broken:
        return None
    return float(broken * 3 + skipped)
