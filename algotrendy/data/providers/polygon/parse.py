"""Polygon's answers to rows, trades, actions and instruments: pure, tested on recorded answers.

Stamps are milliseconds since 1970 (trades: nanoseconds) at the start of a bar; a day of stocks starts at midnight in
New York, a day of crypto or currencies at midnight UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.data.providers.answer import local_dates, rows_of, same_symbol, trades_of
from algotrendy.data.providers.polygon.errors import NAME
from algotrendy.data.providers.symbols import Symbol
from algotrendy.data.providers.venues import instrument_at
from algotrendy.domain.actions import Actions
from algotrendy.domain.instrument import AssetClass, Instrument
from algotrendy.domain.interval import Interval
from algotrendy.errors import BadAnswer

_FIELDS = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
_UTC_DAYS = frozenset({AssetClass.CRYPTO, AssetClass.FOREX})
_KINDS = {"ETF": AssetClass.ETF, "ETN": AssetClass.ETF, "ETV": AssetClass.ETF, "FUND": AssetClass.ETF}


def vendor_symbol(symbol: Symbol) -> str:
    """Return a symbol as Polygon writes it.

    Examples
    --------
    >>> vendor_symbol(Symbol.of("BTC/USD", "crypto")), vendor_symbol(Symbol.of("BRK/B"))
    ('X:BTCUSD', 'BRK.B')
    """
    if symbol.asset_class is AssetClass.CRYPTO:
        return f"X:{symbol.joined('')}"
    if symbol.asset_class is AssetClass.FOREX:
        return f"C:{symbol.joined('')}"
    return symbol.joined(".")


def parse_bars(payload: Any, ticker: str, asset_class: AssetClass, interval: Interval) -> pd.DataFrame:
    """Return the rows of one page of aggregates.

    Raises
    ------
    BadAnswer
        If the page is of another ticker or of no known form.
    """
    try:
        if "ticker" in payload:
            same_symbol(NAME, ticker, payload["ticker"])
        results = payload.get("results") or []
        stamps = pd.to_datetime(np.array([one["t"] for one in results], dtype=np.int64), unit="ms", utc=True)
        zone = "UTC" if asset_class in _UTC_DAYS else "America/New_York"
        index = stamps if interval.is_intraday else local_dates(stamps, zone, interval)
        return rows_of(index, {name: [one.get(letter) for one in results] for name, letter in _FIELDS.items()})
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        raise BadAnswer(
            NAME, f"the answer for {ticker} has another form than aggregates ({type(e).__name__}: {e})"
        ) from e


def parse_trades(payload: Any, ticker: str) -> pd.DataFrame:
    """Return the trades of one page, in the order of delivery; see `TradesSource.trades`."""
    try:
        results = payload.get("results") or []
        times = [one["sip_timestamp"] if "sip_timestamp" in one else one["participant_timestamp"] for one in results]
        index = pd.DatetimeIndex(pd.to_datetime(np.array(times, dtype=np.int64), unit="ns", utc=True))
        return trades_of(index, [one["price"] for one in results], [one["size"] for one in results])
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        raise BadAnswer(NAME, f"the answer for {ticker} has another form than trades ({type(e).__name__}: {e})") from e


def parse_splits(payload: Any, ticker: str) -> dict[str, float]:
    """Return new shares for one old share by date, those of one ticker alone."""
    own = _own(payload, ticker)
    return {one["execution_date"]: one["split_to"] / one["split_from"] for one in own}


def parse_dividends(payload: Any, ticker: str) -> list[tuple[str, float]]:
    """Return ex-dates and cash amounts as paid, those of one ticker alone."""
    return [(one["ex_dividend_date"], float(one["cash_amount"])) for one in _own(payload, ticker)]


def actions_of(splits: dict[str, float], dividends: list[tuple[str, float]]) -> Actions:
    """Return actions from what the pages held."""
    paid = pd.Series([amount for _, amount in dividends], index=[date for date, _ in dividends], dtype=np.float64)
    return Actions.of(splits, paid)


@dataclass(frozen=True, slots=True)
class Details:
    """Whose a ticker is, and since when it has been listed, where that is told."""

    instrument: Instrument
    listed_on: pd.Timestamp | None


def parse_details(payload: Any, ticker: str, symbol: Symbol) -> Details:
    """Return what the details of a ticker say.

    Raises
    ------
    BadAnswer
        If they are of another ticker or of no known form.
    """
    try:
        details = payload["results"]
        same_symbol(NAME, ticker, details["ticker"])
        listed_on = pd.Timestamp(details["list_date"]) if details.get("list_date") else None
    except (KeyError, TypeError, ValueError) as e:
        raise BadAnswer(NAME, f"the details of {ticker} have no known form ({type(e).__name__}: {e})") from e
    kind = symbol.asset_class
    listed = kind in (AssetClass.STOCK, AssetClass.ETF)
    if listed:
        kind = _KINDS.get(str(details.get("type")), AssetClass.STOCK)
    currency = str(details.get("currency_symbol") or details.get("currency_name") or "USD").upper()
    name = str(details["ticker"]) if listed else symbol.canonical
    return Details(instrument_at(kind, str(details.get("primary_exchange") or "US"), name, currency), listed_on)


def since_listed(rows: pd.DataFrame, details: Details) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the rows since the listing, and a note on those before: they are of another holder of the ticker.

    Examples
    --------
    >>> rows = pd.DataFrame({"close": [3.0, 38.2]}, index=pd.to_datetime(["2001-01-02", "2012-05-18"]))
    >>> details = Details(Instrument.of("stock:XNAS:FB"), pd.Timestamp("2012-05-18"))
    >>> since_listed(rows, details)[0]["close"].tolist()
    [38.2]
    """
    index = pd.DatetimeIndex(rows.index)
    if details.listed_on is None:
        return rows, ()
    early = (index if index.tz is None else index.tz_localize(None)) < details.listed_on
    if not early.any():
        return rows, ()
    day = details.listed_on.date()
    note = f"{int(early.sum())} rows before {details.instrument.id} was listed on {day} are another's and left out."
    return rows[~early], (note,)


def _own(payload: Any, ticker: str) -> list[Any]:
    try:
        return [one for one in payload.get("results") or [] if one["ticker"] == ticker]
    except (KeyError, TypeError, AttributeError) as e:
        raise BadAnswer(NAME, f"the actions of {ticker} have no known form ({type(e).__name__}: {e})") from e
