"""From the words of a caller (symbols, dates or a period, an interval) to requests that a loader takes."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from algotrendy.data.series import Adjusted, BarsRequest, Span, as_instant
from algotrendy.domain.instrument import AssetClass
from algotrendy.domain.interval import Interval
from algotrendy.domain.period import period_start
from algotrendy.errors import InputError

if TYPE_CHECKING:
    from algotrendy.data.providers.port import Capabilities

__all__ = ["DEFAULT_PERIOD", "Time", "adjusted_of", "requests_for", "span_of"]

Time: TypeAlias = str | datetime.date | pd.Timestamp
DEFAULT_PERIOD = "1y"


def span_of(start: Time | None, end: Time | None, period: str | None, now: pd.Timestamp) -> Span:
    """Return the span that dates or a period mean.

    Parameters
    ----------
    start, end : str, date or Timestamp, optional
        The first instant that is in, and the first that is not; without a zone in UTC. No end: now.
    period : str, optional
        How far back from the end, such as `6mo`; one year if neither it nor a start is given.
    now : Timestamp
        The present UTC instant.

    Raises
    ------
    InputError
        If both a start and a period are given, or the start does not lie before the end.

    Examples
    --------
    >>> span_of("2023-01-01", "2024-01-01", None, pd.Timestamp("2024-06-01", tz="UTC"))
    Span(2023-01-01, 2024-01-01)
    """
    if start is not None and period is not None:
        raise InputError(f"start={start!r} and period={period!r} both say where to begin; give one of them")
    last = as_instant(now if end is None else end, "end")
    first = as_instant(start, "start") if start is not None else period_start(period or DEFAULT_PERIOD, last)
    if period != "max" and start is None:
        first = first.normalize()  # so that the same words mean the same bars all day long
    if first >= last:
        raise InputError(
            f"the start {first:%Y-%m-%d %H:%M} does not lie before the end {last:%Y-%m-%d %H:%M}; exchange them"
        )
    return Span(first, last)


def adjusted_of(adjusted: str | None, capabilities: Capabilities) -> Adjusted:
    """Return the adjustment that was asked for; without a wish the most thorough that the provider has.

    Raises
    ------
    InputError
        If there is no such adjustment.
    """
    ways: tuple[Adjusted, ...] = ("all", "splits", "raw")
    if adjusted is None:
        return next((way for way in ways if way in capabilities.adjusted), "raw")
    for way in ways:
        if adjusted == way:
            return way
    raise InputError(f"adjusted is {adjusted!r}; choose raw (as traded), splits, or all (splits and dividends)")


def requests_for(
    symbols: Iterable[str],
    span: Span,
    *,
    interval: str | Interval,
    adjusted: Adjusted,
    asset_class: str | AssetClass,
    partial: bool = False,
) -> list[BarsRequest]:
    """Return a request for each symbol.

    Raises
    ------
    InputError
        If there is no symbol, one comes twice or is no text, or another word is not one of the house.

    Examples
    --------
    >>> year = Span.of("2023-01-01", "2024-01-01")
    >>> [each.symbol for each in requests_for(["A", "B"], year, interval="1d", adjusted="raw", asset_class="stock")]
    ['A', 'B']
    """
    names = list(symbols)
    if not names:
        raise InputError("there is no symbol to load; give one, such as 'AAPL', or a list of them")
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"a symbol is {name!r}, expected text such as 'AAPL'")
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise InputError(f"symbols come more than once: {', '.join(twice)}; give each once")
    kind, length = _asset_class(asset_class), Interval.parse(interval)
    return [
        BarsRequest(symbol=name, interval=length, span=span, adjusted=adjusted, asset_class=kind, partial=partial)
        for name in names
    ]


def _asset_class(text: str | AssetClass) -> AssetClass:
    try:
        return AssetClass(text)
    except ValueError as e:
        raise InputError(f"{text!r} is not an asset class; expected one of {', '.join(AssetClass)}") from e
