"""What names a stored series, what a request for bars says, and which spans of time are known: plain values.

Times are UTC instants; a daily bar stands at midnight UTC of its session date, so that one rule serves all intervals.
Spans are half-open: the start is in, the end is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

import pandas as pd

from algotrendy.domain.instrument import AssetClass
from algotrendy.domain.interval import Interval
from algotrendy.errors import InputError

Adjusted: TypeAlias = Literal["raw", "splits", "all"]
"""raw: as traded. splits: for splits alone. all: for splits and dividends."""


def as_instant(time: object, name: str = "time") -> pd.Timestamp:
    """Return a date or time as a UTC instant; without a zone it is taken as UTC.

    Raises
    ------
    InputError
        If it is no time.

    Examples
    --------
    >>> as_instant("2024-03-01")
    Timestamp('2024-03-01 00:00:00+0000', tz='UTC')
    """
    try:
        stamp = pd.Timestamp(time)  # type: ignore[arg-type]
    except (TypeError, ValueError) as e:
        raise InputError(f"{name}={time!r} is not a time; expected such as '2024-03-01' or a datetime") from e
    if pd.isna(stamp):
        raise InputError(f"{name} is missing (NaT); expected such as '2024-03-01' or a datetime")
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


def as_asset_class(text: AssetClass | str) -> AssetClass:
    """Return the asset class that a text names.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> as_asset_class("crypto")
    <AssetClass.CRYPTO: 'crypto'>
    """
    try:
        return AssetClass(text)
    except ValueError as e:
        raise InputError(f"{text!r} is not an asset class; expected one of {', '.join(AssetClass)}") from e


def utc_now() -> pd.Timestamp:
    """Return the present instant.

    Examples
    --------
    >>> str(utc_now().tz)
    'UTC'
    """
    return pd.Timestamp.now("UTC")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of time, `start` in and `end` out, both UTC instants.

    Examples
    --------
    >>> Span.of("2024-01-01", "2024-02-01").missing_in([Span.of("2024-01-10", "2024-01-20")])
    [Span(2024-01-01, 2024-01-10), Span(2024-01-20, 2024-02-01)]
    """

    start: pd.Timestamp
    end: pd.Timestamp

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise InputError(f"the start {self.start} does not lie before the end {self.end}")

    @classmethod
    def of(cls, start: object, end: object) -> Span:
        """Return the span between two dates or times."""
        return cls(as_instant(start, "start"), as_instant(end, "end"))

    def missing_in(self, covered: Iterable[Span]) -> list[Span]:
        """Return the parts of this span that none of the covered ones holds, oldest first."""
        missing, at = [], self.start
        for span in sorted(covered):
            if span.end <= at or span.start >= self.end:
                continue
            if span.start > at:
                missing.append(Span(at, span.start))
            at = max(at, span.end)
        if at < self.end:
            missing.append(Span(at, self.end))
        return missing

    def __repr__(self) -> str:
        return f"Span({_short(self.start)}, {_short(self.end)})"


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the same time as few spans, oldest first: those that touch or overlap become one.

    Examples
    --------
    >>> merged([Span.of("2024-02-01", "2024-03-01"), Span.of("2024-01-01", "2024-02-01")])
    (Span(2024-01-01, 2024-03-01),)
    """
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return tuple(joined)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesKey:
    """Names one series of bars; two that differ in any field are never mixed.

    Attributes
    ----------
    source : str
        The provider that serves it, such as `yahoo`.
    instrument : str
        `Instrument.id`, class:venue:symbol; never a bare ticker, which exchanges give to another company later.
    interval : Interval
        A text is turned into one.
    adjusted : {"raw", "splits", "all"}
    chart_style : str
        `time` for plain bars.

    Examples
    --------
    >>> SeriesKey(source="yahoo", instrument="stock:XNAS:AAPL", interval="1d").path
    'yahoo/stock/1d/raw/XNAS~AAPL'
    """

    source: str
    instrument: str
    interval: Interval
    adjusted: Adjusted = "raw"
    chart_style: str = "time"

    def __post_init__(self) -> None:
        object.__setattr__(self, "interval", Interval.parse(self.interval))
        if self.adjusted not in get_args(Adjusted):
            raise InputError(f"adjusted is {self.adjusted!r}; choose raw, splits or all")
        if len(self.instrument.split(":")) != 3:
            raise InputError(f"{self.instrument!r} is not an instrument id; expected such as stock:XNAS:AAPL")

    @property
    def asset_class(self) -> AssetClass:
        """The kind of instrument, read off its id."""
        return AssetClass(self.instrument.split(":")[0])

    @property
    def symbol(self) -> str:
        """The symbol, read off the instrument's id."""
        return self.instrument.split(":")[2]

    @property
    def path(self) -> str:
        """A relative path that is unique to the key and safe on every file system."""
        kind, venue, symbol = self.instrument.split(":")
        style = "" if self.chart_style == "time" else f"@{_safe(self.chart_style)}"
        return f"{_safe(self.source)}/{kind}/{self.interval}/{self.adjusted}/{_safe(venue)}~{_safe(symbol)}{style}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsRequest:
    """What bars are wanted of one instrument.

    Attributes
    ----------
    symbol : str
        As the caller wrote it: a ticker, `BTC/USDT`, or an instrument id.
    interval : Interval
        A text is turned into one.
    span : Span
        The bars that start in it.
    adjusted : {"raw", "splits", "all"}
    asset_class : AssetClass
        A text is turned into one.
    partial : bool
        Whether bars that are not finished yet are wanted too, marked by a column `is_partial`.
    """

    symbol: str
    interval: Interval
    span: Span
    adjusted: Adjusted = "raw"
    asset_class: AssetClass = field(default=AssetClass.STOCK)
    partial: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "interval", Interval.parse(self.interval))
        if not self.symbol or self.symbol != self.symbol.strip():
            raise InputError(f"symbol {self.symbol!r} is not a symbol; expected such as AAPL or BTC/USDT")
        if self.adjusted not in get_args(Adjusted):
            raise InputError(f"adjusted is {self.adjusted!r}; choose raw, splits or all")
        object.__setattr__(self, "asset_class", as_asset_class(self.asset_class))


def _short(stamp: pd.Timestamp) -> str:
    return str(stamp.date()) if stamp == stamp.normalize() else stamp.strftime("%Y-%m-%dT%H:%M:%SZ")


def _safe(text: str) -> str:
    """Return text as part of a file name: what is not an ASCII letter, a digit, `_` or `-` as %XX."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else f"%{ord(c):02X}" for c in text)
