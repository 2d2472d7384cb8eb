"""Which instrument a ticker meant when: exchanges give a ticker to another company, and companies change theirs.

A ticker with a date names one instrument, a ticker alone does not. So a range that is asked for by ticker must lie
within one holding of it; the whole life of an instrument is asked for by its id.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import pandas as pd

from algotrendy.domain.instrument import AssetClass, DatedTicker, Instrument
from algotrendy.errors import DataError, InputError

__all__ = ["Held", "TickerMap"]

OnChange: TypeAlias = Literal["refuse", "cut"]

_ONE_DAY = datetime.timedelta(days=1)
_STILL = datetime.date(2050, 12, 31)  # how the map files write "to this day"
_VENUES = {"Q": "XNAS", "N": "XNYS", "P": "ARCX", "A": "XASE", "Z": "BATS"}


@dataclass(frozen=True, slots=True)
class Held:
    """A stretch of dates, both ends in, over which an instrument had a ticker.

    Attributes
    ----------
    instrument : Instrument
    ticker : str
    first : date
    last : date or None
        None: to this day.
    """

    instrument: Instrument
    ticker: str
    first: datetime.date
    last: datetime.date | None

    def __str__(self) -> str:
        return f"{self.instrument.id} from {self.first} {'on' if self.last is None else f'to {self.last}'}"

    def within(self, first: datetime.date, last: datetime.date) -> Held | None:
        """Return the part of it that lies between two dates, both in; None if there is none."""
        begin, end = max(self.first, first), last if self.last is None else min(self.last, last)
        return Held(self.instrument, self.ticker, begin, end) if begin <= end else None


class TickerMap:
    """Resolves tickers by date.

    Parameters
    ----------
    holdings : iterable of Held
        Which instrument had which ticker when.

    Raises
    ------
    InputError
        If two instruments hold one ticker on the same date.

    Examples
    --------
    >>> rows = pd.DataFrame({"permanent_symbol": ["WM", "WM", "WM"], "ticker": ["WMI", "WMI", "WM"], "exchange": "N",
    ...                      "until_date": ["1998-07-17", "2009-08-04", "2050-12-31"]})
    >>> tickers = TickerMap.of(rows)
    >>> tickers.resolve("WMI", datetime.date(2005, 1, 3)).id
    'stock:XNYS:WM'
    >>> tickers.resolve("WM", datetime.date(2005, 1, 3))
    Traceback (most recent call last):
        ...
    algotrendy.errors.DataError: nothing known here had the ticker WM on 2005-01-03; it is that of ...
    """

    def __init__(self, holdings: Iterable[Held]) -> None:
        self._by_ticker: dict[str, list[Held]] = {}
        self._by_id: dict[str, list[Held]] = {}
        for held in sorted(holdings, key=lambda held: held.first):
            before = self._by_ticker.setdefault(held.ticker, [])
            if before and (before[-1].last is None or before[-1].last >= held.first):
                raise InputError(
                    f"two instruments hold the ticker {held.ticker} on {held.first}: {before[-1]} and {held}"
                )
            before.append(held)
            self._by_id.setdefault(held.instrument.id, []).append(held)

    @classmethod
    def of(
        cls,
        rows: pd.DataFrame,
        *,
        venues: Mapping[str, str] | None = None,
        asset_class: AssetClass | str = AssetClass.STOCK,
        calendar: str = "XNYS",
    ) -> TickerMap:
        """Return a map from rows in the form of the Lean map files.

        Parameters
        ----------
        rows : DataFrame
            Columns `permanent_symbol`, `until_date`, `ticker`, `exchange`: the ticker was valid up to and including
            `until_date`; the first row of an instrument is its first trading day. 2050-12-31 means to this day.
        venues : mapping of str to str, optional
            Market codes for the letters in `exchange`; the usual ones of the United States are known.
        asset_class : AssetClass or str
        calendar : str
            The class and the calendar of all instruments in the map.

        Raises
        ------
        InputError
            If a column is missing, an exchange is unknown, or two instruments hold one ticker on the same date.
        """
        missing = [
            name for name in ("permanent_symbol", "until_date", "ticker", "exchange") if name not in rows.columns
        ]
        if missing:
            raise InputError(
                f"the ticker map lacks the column {missing[0]!r}; found: {', '.join(map(str, rows.columns))}"
            )
        known = {**_VENUES, **(venues or {})}
        holdings: list[Held] = []
        for symbol, own in rows.groupby("permanent_symbol", sort=False):
            common = {"asset_class": AssetClass(asset_class), "calendar": calendar}
            holdings += _holdings(str(symbol), own, known, common)
        return cls(holdings)

    def resolve(self, ticker: str, on: datetime.date) -> Instrument:
        """Return the instrument that had this ticker on a date.

        Raises
        ------
        DataError
            If none is known that had: the message says whose it was at other times.
        """
        for held in self._holdings_of(ticker):
            if held.within(on, on):
                return held.instrument
        raise DataError(
            f"nothing known here had the ticker {ticker} on {on}; it is that of"
            f" {'; '.join(map(str, self._holdings_of(ticker)))}: ask for those dates, or for the instrument by its id"
        )

    def instrument(self, instrument_id: str) -> Instrument:
        """Return the instrument with this id, its tickers included.

        Raises
        ------
        DataError
            If the map does not know it.
        """
        return self._life(instrument_id)[0].instrument

    def held(self, ticker: str, first: datetime.date, last: datetime.date, *, on_change: OnChange = "refuse") -> Held:
        """Return the one holding of a ticker that a range of dates lies in.

        Parameters
        ----------
        ticker : str
            Such as `FB`.
        first, last : date
            The range, both ends in.
        on_change : {"refuse", "cut"}
            What to do about a range that reaches beyond one holding: refuse it, or cut it to the newest holding in it
            (compare the answer's dates with those asked for).

        Raises
        ------
        DataError
            If nothing known had the ticker in the range.
        InputError
            If the range reaches beyond one holding and `on_change` is "refuse"; if the start is after the end.
        """
        if first > last:
            raise InputError(f"the first date {first} lies after the last {last}")
        if on_change not in ("refuse", "cut"):
            raise InputError(f'on_change is {on_change!r}; choose "refuse" or "cut"')
        holdings = self._holdings_of(ticker)
        parts = [part for held in holdings if (part := held.within(first, last))]
        if not parts:
            raise DataError(
                f"nothing known here had the ticker {ticker} from {first} to {last}; it is that of"
                f" {'; '.join(map(str, holdings))}"
            )
        newest = parts[-1]
        if (newest.first, newest.last) != (first, last) and on_change == "refuse":
            raise InputError(
                f"from {first} to {last} the ticker {ticker} did not always mean the same: it is that of"
                f" {'; '.join(map(str, parts))}; ask for dates within one of these, or for the instrument by its id,"
                f" such as {newest.instrument.id}"
            )
        return newest

    def segments(self, instrument_id: str, first: datetime.date, last: datetime.date) -> tuple[Held, ...]:
        """Return the tickers that an instrument had between two dates, both in, oldest first.

        Raises
        ------
        DataError
            If the map does not know the instrument, or it was not traded in the range.
        """
        life = self._life(instrument_id)
        parts = tuple(part for held in life if (part := held.within(first, last)))
        if not parts:
            raise DataError(
                f"{instrument_id} was not traded from {first} to {last}; known is {life[0].first} and later"
            )
        return parts

    def _holdings_of(self, ticker: str) -> list[Held]:
        if ticker not in self._by_ticker:
            near = difflib.get_close_matches(ticker, self._by_ticker, n=3, cutoff=0.6)
            hint = f"; near: {', '.join(near)}" if near else ""
            raise DataError(f"the ticker map knows no ticker {ticker!r}{hint}")
        return self._by_ticker[ticker]

    def _life(self, instrument_id: str) -> list[Held]:
        if instrument_id not in self._by_id:
            near = difflib.get_close_matches(instrument_id, self._by_id, n=3, cutoff=0.6)
            hint = f"; near: {', '.join(near)}" if near else ""
            raise DataError(f"the ticker map knows no instrument {instrument_id!r}{hint}")
        return self._by_id[instrument_id]


def _holdings(symbol: str, rows: pd.DataFrame, venues: Mapping[str, str], common: Mapping[str, Any]) -> list[Held]:
    dates = [pd.Timestamp(date).date() for date in rows["until_date"]]
    if dates != sorted(dates):
        raise InputError(f"the rows of {symbol} in the ticker map are not in the order of their dates")
    letter = str(rows["exchange"].iloc[-1])
    if letter not in venues:
        raise InputError(
            f"the ticker map names the exchange {letter!r}; say which market it is: venues={{{letter!r}: ...}}"
        )
    spans: list[tuple[str, datetime.date, datetime.date]] = []
    begins = dates[0]
    for ticker, until in zip(rows["ticker"].astype(str), dates, strict=True):
        if spans and spans[-1][0] == ticker:
            spans[-1] = (ticker, spans[-1][1], until)
        else:
            spans.append((ticker, begins, until))
        begins = until + _ONE_DAY
    tickers = tuple(DatedTicker(ticker, None if until >= _STILL else until) for ticker, _, until in spans)
    instrument = Instrument(venue=venues[letter], symbol=symbol, ticker_map=tickers, **common)
    return [Held(instrument, ticker, first, None if until >= _STILL else until) for ticker, first, until in spans]
