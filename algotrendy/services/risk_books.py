"""What the risk facade looks at: portfolios from wherever they are kept, and how their instruments moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import pandas as pd

from algotrendy.domain.cash import CashEntry, CashKind
from algotrendy.domain.portfolio import Holdings, Portfolio
from algotrendy.errors import InputError, NotFound
from algotrendy.risk.limits.book import BookView, Exposure, decimal_of
from algotrendy.risk.limits.estimates import ParametricRisk
from algotrendy.risk.limits.limit import Limit, LimitKind

if TYPE_CHECKING:
    from algotrendy.services.market_data import MarketDataService

__all__ = ["AnyPortfolio", "Closes", "MarketDataCloses", "PortfolioSource", "RiskBooks", "Seen"]

KnownPortfolio: TypeAlias = BookView | Holdings | Portfolio
AnyPortfolio: TypeAlias = str | KnownPortfolio
"""A portfolio, or its identity (`port_…`) where a source knows it."""

_ESTIMATED = (LimitKind.VALUE_AT_RISK, LimitKind.EXPECTED_SHORTFALL)


class PortfolioSource(Protocol):
    """Knows portfolios by their identity."""

    async def portfolio(self, portfolio_id: str) -> KnownPortfolio:
        """Return a portfolio as it is now: a view of limits, holdings at prices, or positions and cash.

        Raises
        ------
        NotFound
            If there is none.
        """
        ...

    async def history(self, portfolio_id: str) -> pd.Series:
        """Return what a portfolio was worth, by day in UTC; empty if it is new, or nobody worked it out yet.

        The last value is what it was worth on that day. Those before are scaled so that what the owner brought or took
        since is left out: each value times the returns after it is the last one.
        """
        ...

    async def position(self, position_id: str) -> tuple[str, str]:
        """Return the portfolio and the symbol of a position.

        Raises
        ------
        NotFound
            If there is none.
        """
        ...


class Closes(Protocol):
    """Knows what instruments cost."""

    async def closes(self, symbols: Sequence[str]) -> pd.DataFrame:
        """Return daily closes, one column for each symbol that is known, in the currency of the instrument."""
        ...


class MarketDataCloses:
    """Closes of the market data service.

    Parameters
    ----------
    service : MarketDataService
        Which loads the bars.
    period : str
        How far back: `2y`, `max`.
    **options
        `source`, `asset_type`, `adjusted`: those of `get_batch`.
    """

    def __init__(self, service: MarketDataService, period: str = "2y", **options: Any) -> None:
        self._service, self._period, self._options = service, period, options

    async def closes(self, symbols: Sequence[str]) -> pd.DataFrame:
        """Return daily closes, one column for each symbol that could be loaded."""
        wanted = list(dict.fromkeys(symbols))
        if not wanted:
            return pd.DataFrame()
        loaded = await self._service.get_batch(wanted, self._period, "1d", **self._options)
        return pd.DataFrame({symbol: _by_day(loaded[symbol]["close"]) for symbol in wanted if symbol in loaded})


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A portfolio as the facade looks at it.

    Attributes
    ----------
    id : str
        `port_…`; of an object that came without one, an empty text.
    book : BookView
        As it is now.
    history : Series or None
        What it was worth by day; None: nobody said.
    """

    id: str
    book: BookView
    history: pd.Series | None


class RiskBooks:
    """Turns portfolios into books, with what limits need to know of their past.

    Parameters
    ----------
    source : PortfolioSource, optional
        Knows identities; None: only objects are taken.
    closes : Closes, optional
        Prices of what has none; None: a portfolio has to come with prices.
    clock : callable, optional
        Gives the time, aware of its zone. Default: the machine's.
    """

    def __init__(
        self,
        source: PortfolioSource | None = None,
        closes: Closes | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.source, self._closes, self.now = source, closes, clock or _now

    async def see(
        self,
        portfolio: AnyPortfolio,
        *,
        history: pd.Series | None = None,
        portfolio_id: str = "",
        symbols: Iterable[str] = (),
    ) -> Seen:
        """Return a portfolio as it is now.

        Parameters
        ----------
        portfolio : str or portfolio
            What to look at.
        history : Series, optional
            What it was worth by day, in place of what the source says; an empty one says that it is new.
        portfolio_id : str
            Of a portfolio that came as an object.
        symbols : iterable of str
            Instruments that the book has to have a row of, such as that of an order; without a price there is none.

        Raises
        ------
        NotFound
            If nobody knows the identity.
        InputError
            If it is no portfolio, or a price is missing.
        """
        was_said = history is not None
        if isinstance(portfolio, str):
            source = self._known_source(portfolio)
            portfolio_id, found = portfolio, await source.portfolio(portfolio)
            history = await source.history(portfolio_id) if history is None else history
        else:
            found = portfolio
        book = await self._book(found)
        wanted = [symbol for symbol in symbols if all(row.symbol != symbol for row in book.exposures)]
        for symbol, price in (await self._prices(wanted)).items():
            book = book.with_row(Exposure(symbol=symbol, price=price))
        now = self.now()
        entries = found.cash.entries if isinstance(found, Portfolio) else ()
        past: dict[str, Any] = {}
        if history is not None and (len(history) or was_said or not _is_older(entries, now.date())):
            past = _past(history, book, now.date(), lambda since: _brought(entries, since, found))
        missing: dict[str, Any] = {name: value for name, value in past.items() if getattr(book, name) is None}
        return Seen(id=portfolio_id, book=replace(book, as_of=book.as_of or now, **missing), history=history)

    async def place_of(self, position_id: str) -> tuple[str, str]:
        """Return the portfolio and the symbol of a position."""
        return await self._known_source(position_id).position(position_id)

    async def returns(self, symbols: Iterable[str]) -> pd.DataFrame:
        """Return daily returns of the instruments that are known, on the days that all of them have."""
        if self._closes is None:
            return pd.DataFrame()
        closes = await self._closes.closes(list(dict.fromkeys(symbols)))
        return closes.dropna().pct_change().iloc[1:] if len(closes.columns) else closes

    async def with_estimates(self, book: BookView, limits: Iterable[Limit]) -> BookView:
        """Return a book that can be asked for its VaR, if a limit will ask and the returns are known."""
        if book.estimates is not None or book.equity <= 0 or not any(one.kind in _ESTIMATED for one in limits):
            return book
        names = [row.symbol for row in book.exposures]
        returns = await self.returns(names)
        if len(returns) < 2 or set(names) - set(returns.columns):
            return book  # what cannot be estimated is denied by the limit that asks
        values = {row.symbol: float(row.value) for row in book.exposures}
        estimates = ParametricRisk(values, returns[names].cov(), names, equity=float(book.equity))
        return replace(book, estimates=estimates)

    def _known_source(self, identity: str) -> PortfolioSource:
        if self.source is None:
            raise NotFound(f"nobody here knows {identity!r}: give the portfolio itself, or RiskEngineService a source=")
        return self.source

    async def _book(self, portfolio: Any) -> BookView:
        if isinstance(portfolio, BookView):
            return portfolio
        if isinstance(portfolio, Holdings):
            return _book_of(portfolio)
        if isinstance(portfolio, Portfolio):
            held = [name for name, position in portfolio.positions.items() if position.quantity]
            holdings = portfolio.holdings(await self._prices(held))
            today = self.now().date()
            traded = (one for one in portfolio.cash.entries if one.kind is CashKind.TRADE and one.at.date() == today)
            value = sum((abs(holdings.rates.to_base(one.amount, one.currency)) for one in traded), Decimal(0))
            return replace(_book_of(holdings), traded_value=value)
        raise InputError(
            f"the portfolio is a {type(portfolio).__name__}; expected an id, a Portfolio, Holdings or a BookView"
        )

    async def _prices(self, symbols: Sequence[str]) -> dict[str, Decimal]:
        """Return the last closes of those that have one."""
        if self._closes is None or not symbols:
            return {}
        closes = await self._closes.closes(symbols)
        last = {symbol: closes[symbol].dropna() for symbol in closes.columns}
        return {symbol: decimal_of(symbol, float(one.iloc[-1])) for symbol, one in last.items() if len(one)}


def _book_of(holdings: Holdings) -> BookView:
    rows = [
        Exposure(
            symbol=name, quantity=row.position.quantity, price=row.price, multiplier=row.position.multiplier,
            rate=row.rate,
        )
        for name, row in holdings.rows.items()
    ]  # fmt: skip
    return BookView(equity=holdings.value, cash=holdings.cash_value, exposures=tuple(rows))


def _past(history: pd.Series, book: BookView, today: date, brought: Callable[[date], Decimal]) -> dict[str, Decimal]:
    """Return the highest equity and the one that the day began with, what the owner brought since counted in.

    A portfolio without a past begins now.
    """
    if not isinstance(history, pd.Series) or history.isna().any():
        raise InputError("history has to be a Series of values by day, without gaps; drop what is not known")
    if not len(history):
        return {"peak_equity": book.equity, "day_open_equity": book.equity}
    if not isinstance(history.index, pd.DatetimeIndex):
        raise InputError(f"history has an index of {history.index.dtype}; expected days: pd.to_datetime(...)")
    days = [moment.date() for moment in history.index]
    values = {day: decimal_of("history", float(value)) for day, value in zip(days, history, strict=True)}
    before = [day for day in values if day < today]
    last = max(before) if before else min(values)
    day_open, peak = values[last], max(values.values())
    capital = day_open + brought(last)
    if day_open > 0 and capital > 0:
        day_open, peak = capital, peak * capital / day_open
    return {"peak_equity": max(peak, book.equity), "day_open_equity": day_open}


def _is_older(entries: Iterable[CashEntry], today: date) -> bool:
    """Return whether cash moved before today, so that a portfolio has a past even if nobody tells it."""
    return any(entry.at.astimezone(UTC).date() < today for entry in entries)


def _brought(entries: Iterable[CashEntry], since: date, portfolio: KnownPortfolio) -> Decimal:
    """Return what the owner brought, less what was taken, after a day; cash of another currency is not known here."""
    base = getattr(portfolio, "base_currency", "")
    return sum(
        (
            entry.amount
            for entry in entries
            if entry.kind.is_external and entry.currency == base and entry.at.astimezone(UTC).date() > since
        ),
        Decimal(0),
    )


def _by_day(series: pd.Series) -> pd.Series:
    index = pd.DatetimeIndex(series.index)
    days = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    return pd.Series(series.to_numpy(), index=days.normalize())


def _now() -> datetime:
    return datetime.now(UTC)
