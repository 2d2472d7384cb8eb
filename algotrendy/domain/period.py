"""Periods: how far back a history goes, as text: `5d 6mo 1y max ytd`."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from algotrendy.errors import InputError

__all__ = ["EARLIEST", "period_start"]

EARLIEST = pd.Timestamp("1900-01-01", tz="UTC")
"""Where `max` begins: before any history that a provider has."""

_GRAMMAR = re.compile(r"(\d+)\s*(d|wk|mo|y)")


def period_start(period: str, end: pd.Timestamp) -> pd.Timestamp:
    """Return the first instant of the period that ends at `end`.

    Parameters
    ----------
    period : str
        A number of days, weeks, months or years (`5d 2wk 6mo 1y`), `ytd` from the first of January, or `max`.
    end : Timestamp
        In UTC. Months are calendar months: one month before 31 March is the last of February.

    Raises
    ------
    InputError
        If the text is none of these, or reaches back before 1900.

    Examples
    --------
    >>> end = pd.Timestamp("2024-03-31 15:00", tz="UTC")
    >>> str(period_start("1mo", end).date()), str(period_start("ytd", end).date())
    ('2024-02-29', '2024-01-01')
    """
    text = period.strip().lower() if isinstance(period, str) else ""
    if text == "max":
        return EARLIEST
    if text == "ytd":
        return end.normalize().replace(month=1, day=1)
    match = _GRAMMAR.fullmatch(text)
    if match is None or int(match[1]) < 1:
        raise InputError(f"{period!r} is not a period; expected such as 5d 2wk 6mo 1y ytd max")
    count, unit = int(match[1]), match[2]
    back: dict[str, Any] = {{"d": "days", "wk": "weeks", "mo": "months", "y": "years"}[unit]: count}
    try:
        start = end - pd.DateOffset(**back)
    except (OverflowError, ValueError, pd.errors.OutOfBoundsDatetime) as e:
        raise InputError(f"the period {period!r} reaches back before 1900; use max for all there is") from e
    if start < EARLIEST:
        raise InputError(f"the period {period!r} reaches back before 1900; use max for all there is")
    return start
