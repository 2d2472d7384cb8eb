"""The port of data providers: what one can do, what it is asked, and what it answers.

A provider is asked for bars of one instrument and answers with sound bars, whose they are, and for which part of the
request the answer is final. It raises rather than answer something else: nothing of a bad answer is handed on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pandas as pd

from algotrendy.data.series import Adjusted, BarsRequest, Span, as_asset_class
from algotrendy.domain.actions import Actions
from algotrendy.domain.instrument import AssetClass, Instrument
from algotrendy.errors import InputError

__all__ = ["ActionsSource", "Capabilities", "Fetched", "Provider", "TradesRequest", "TradesSource"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do: data, so that a table can show it and a request can be refused before any I/O.

    Attributes
    ----------
    intervals : frozenset of str or None
        The lengths of its bars; None: any. Empty: it has no bars.
    asset_classes : frozenset of AssetClass
    adjusted : frozenset of {"raw", "splits", "all"}
    realtime : bool
        Whether the newest prices are those of this moment; else they are delayed.
    trades, actions : bool
        Whether it also serves single trades (`TradesSource`) and corporate actions (`ActionsSource`).
    longest_request : Timedelta or None
        The longest span that is answered; None: any. Where the vendor allows less in one of its requests, the provider
        makes several.
    dated_tickers : bool
        Whether history lies under the ticker of its time (else all of it lies under the newest ticker).
    needs_key : bool
    local : bool
        Whether its bars lie on this machine already, so that storing them again would be a copy.
    """

    intervals: frozenset[str] | None
    asset_classes: frozenset[AssetClass]
    adjusted: frozenset[Adjusted] = frozenset({"raw"})
    realtime: bool = False
    trades: bool = False
    actions: bool = False
    longest_request: pd.Timedelta | None = None
    dated_tickers: bool = False
    needs_key: bool = False
    local: bool = False

    def why_not(self, request: BarsRequest) -> str | None:
        """Return why a request cannot be served, in words; None if it can.

        Examples
        --------
        >>> daily = Capabilities(intervals=frozenset({"1d"}), asset_classes=frozenset({AssetClass.STOCK}))
        >>> daily.why_not(BarsRequest(symbol="A", interval="1h", span=Span.of("2024-01-01", "2024-02-01")))
        'no bars of 1h, but of 1d'
        """
        length = str(request.interval)
        if self.intervals is not None and length not in self.intervals:
            return f"no bars of {length}, but of {_listed(self.intervals)}" if self.intervals else "no bars at all"
        if request.asset_class not in self.asset_classes:
            return f"no {request.asset_class}, but {_listed(self.asset_classes)}"
        if request.adjusted not in self.adjusted:
            return f"no prices adjusted={request.adjusted!r}, but {_listed(self.adjusted)}"
        asked = request.span.end - request.span.start
        if self.longest_request is not None and asked > self.longest_request:
            return f"no {asked.days} days of {length} at once, but {self.longest_request.days}"
        return None

    def require(self, request: BarsRequest, name: str) -> None:
        """Refuse a request that the provider `name` cannot serve.

        Raises
        ------
        InputError
            With what there is instead.
        """
        reason = self.why_not(request)
        if reason is not None:
            raise InputError(f"{name} has {reason}: change the request, or ask another provider")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a provider answers.

    Attributes
    ----------
    bars : DataFrame of shape (n_bars, >= 5)
        Sound bars as `check_bars` demands, those that start in the asked span. May be empty where the instrument is
        known to exist and had no trades. With `partial` in the request there is a column `is_partial`.
    instrument : Instrument
        Whose they are; its id is a part of the key under which they are stored.
    source : str
        The provider that served them, such as `yahoo`; behind a list of providers the one that did.
    covered : Span or None
        The part of the request for which the answer is final: it ends before an unfinished bar. None: nothing is.
    actions : Actions or None
        Splits and dividends, where they came along: those of the span, or more.
    notes : tuple of str
        What a reader of a report should know, in sentences.
    """

    bars: pd.DataFrame
    instrument: Instrument
    source: str
    covered: Span | None
    actions: Actions | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TradesRequest:
    """What trades are wanted of one instrument.

    Attributes
    ----------
    symbol : str
        As the caller wrote it.
    span : Span
        The trades made in it.
    asset_class : AssetClass
    """

    symbol: str
    span: Span
    asset_class: AssetClass = AssetClass.STOCK

    def __post_init__(self) -> None:
        object.__setattr__(self, "asset_class", as_asset_class(self.asset_class))


@runtime_checkable
class Provider(Protocol):
    """A source of bars. Third parties write one, see the how-to page on data providers."""

    name: str
    capabilities: Capabilities

    async def bars(self, request: BarsRequest) -> Fetched:
        """Return the bars that were asked for.

        Raises
        ------
        InputError
            If the request is one that it cannot serve.
        ConfigError
            If a setting, a key or an extra is missing.
        DataError
            If it has no such series.
        VenueError
            If the outside world failed, or answered something else than was asked for.
        """

    async def close(self) -> None:
        """Give back what it holds; it is not used afterwards."""


@runtime_checkable
class TradesSource(Protocol):
    """A provider with the capability `trades`."""

    async def trades(self, request: TradesRequest) -> pd.DataFrame:
        """Return single trades: columns `price` and `size`, indexed by `time` (UTC).

        They are in the order in which they were made; several may share a time. Charts take them so.
        """


@runtime_checkable
class ActionsSource(Protocol):
    """A provider with the capability `actions`."""

    async def actions(self, request: BarsRequest) -> Actions:
        """Return the splits and dividends whose ex-dates lie in the span of a request."""


def _listed(values: frozenset[str] | frozenset[AssetClass] | frozenset[Adjusted]) -> str:
    return ", ".join(sorted(str(value) for value in values))
