"""Instruments: what is traded, named so that nothing else can be meant.

A ticker alone is not a name: exchanges give the same ticker to another company years later. The id is
`class:venue:symbol`, and the tickers that an instrument has had are kept with their dates.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from algotrendy.errors import InputError


class AssetClass(StrEnum):
    """The kinds of instrument."""

    STOCK = "stock"
    ETF = "etf"
    CRYPTO = "crypto"
    FUTURES = "futures"
    FOREX = "forex"
    OPTION = "option"
    INDEX = "index"


@dataclass(frozen=True, slots=True)
class DatedTicker:
    """A ticker and the last date on which it was this instrument's; None: it still is."""

    ticker: str
    until: datetime.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One thing that can be traded, or an index that can be watched.

    Attributes
    ----------
    asset_class : AssetClass
        A text such as "stock" is turned into one.
    venue : str
        Where it trades: a market code such as `XNAS`, or the name of a crypto venue.
    symbol : str
        Its symbol there, without spaces or colons.
    tick_size, lot_size : Decimal
        The steps of price (quote currency) and of quantity (units); always > 0. Numbers are turned into Decimal.
    multiplier : Decimal
        The value of one unit at a price of 1, such as 50 for an E-mini future; always > 0.
    currency : str
        What prices are quoted in.
    calendar : str
        `24/7`, `24/5`, `sessions` or a market code for `exchange`.
    ticker_map : tuple of DatedTicker
        The tickers it has had, oldest first.

    Examples
    --------
    >>> Instrument(asset_class="stock", venue="XNAS", symbol="AAPL").id
    'stock:XNAS:AAPL'
    """

    asset_class: AssetClass
    venue: str
    symbol: str
    tick_size: Decimal = Decimal("0.01")
    lot_size: Decimal = Decimal(1)
    multiplier: Decimal = Decimal(1)
    currency: str = "USD"
    calendar: str = "sessions"
    ticker_map: tuple[DatedTicker, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "asset_class", _asset_class(self.asset_class))
        for name in ("venue", "symbol"):
            text = getattr(self, name)
            if not text or ":" in text or text != "".join(text.split()):
                raise InputError(f"{name} {text!r} of an instrument must be text without spaces or colons")
        for name in ("tick_size", "lot_size", "multiplier"):
            value = Decimal(str(getattr(self, name)))
            if not (value.is_finite() and value > 0):
                raise InputError(f"{name} of {self.id} is {value}, expected a positive number")
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, instrument_id: str) -> Instrument:
        """Return an instrument with this id and the usual steps.

        Examples
        --------
        >>> Instrument.of("crypto:COINBASE:BTC-USD").symbol
        'BTC-USD'
        """
        parts = instrument_id.split(":")
        if len(parts) != 3:
            raise InputError(
                f"{instrument_id!r} is not an instrument id; expected class:venue:symbol, such as stock:XNAS:AAPL"
            )
        return cls(asset_class=_asset_class(parts[0]), venue=parts[1], symbol=parts[2])

    @property
    def id(self) -> str:
        """The name under which it is stored: `class:venue:symbol`."""
        return f"{self.asset_class}:{self.venue}:{self.symbol}"

    def ticker_at(self, date: datetime.date) -> str:
        """Return the ticker that it had on this date; its symbol where no map says otherwise.

        Examples
        --------
        >>> meta = Instrument(asset_class="stock", venue="XNAS", symbol="META",
        ...                   ticker_map=(DatedTicker("FB", datetime.date(2022, 6, 8)), DatedTicker("META")))
        >>> meta.ticker_at(datetime.date(2020, 1, 2))
        'FB'
        """
        for dated in self.ticker_map:
            if dated.until is None or date <= dated.until:
                return dated.ticker
        return self.symbol


def _asset_class(text: str) -> AssetClass:
    try:
        return AssetClass(text)
    except ValueError as e:
        raise InputError(f"{text!r} is not an asset class; expected one of {', '.join(AssetClass)}") from e
