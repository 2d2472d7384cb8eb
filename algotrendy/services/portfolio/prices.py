"""Where portfolios take their prices from: closes by day."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from algotrendy.data.series import Adjusted
from algotrendy.errors import DataError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.services.runs import BarSource

__all__ = ["GivenPrices", "MarketPrices", "PriceSource"]

_AT_ONCE = 8


class PriceSource(Protocol):
    """Closing prices by day."""

    async def closes(
        self, symbols: Mapping[str, str], start: datetime | None = None, *, adjusted: Adjusted | None = "raw"
    ) -> pd.DataFrame:
        """Return closes in each symbol's own currency: a row for each day (midnight UTC), a column for each symbol.

        Parameters
        ----------
        symbols : mapping of str to str
            Symbol to asset class; "" where it is not known.
        start : datetime, optional
            The first day; None: all there is.
        adjusted : {"raw", "splits", "all"} or None
            "raw": as they were traded, which is what a position is worth. None: for all that the source knows, splits
            and dividends, which is what a benchmark returns.

        Raises
        ------
        DataError
            If there are none of a symbol.
        """
        ...


class MarketPrices:
    """Closes of the market data service.

    Parameters
    ----------
    bars : BarSource
        Where bars come from.
    """

    def __init__(self, bars: BarSource) -> None:
        self._bars = bars

    async def closes(
        self, symbols: Mapping[str, str], start: datetime | None = None, *, adjusted: Adjusted | None = "raw"
    ) -> pd.DataFrame:
        """Return closes by day; see `PriceSource`."""
        import pandas as pd

        room = asyncio.Semaphore(_AT_ONCE)

        async def one(symbol: str, asset_class: str) -> pd.Series[float]:
            # a week more: the first day may be one on which this market was closed
            first = None if start is None else (start - timedelta(days=7)).date().isoformat()
            kind = asset_class or None
            market = {
                "symbol": symbol,
                "asset_class": kind,
                "start_date": first,
                "interval": "1d",
                "adjusted": adjusted,
            }
            async with room:
                bars = await self._bars.bars(market)
            return bars["close"].rename(symbol)

        found = await asyncio.gather(*(one(symbol, kind) for symbol, kind in symbols.items()))
        if not found:
            return pd.DataFrame(index=pd.DatetimeIndex([], tz="UTC"))
        return by_day(pd.concat([daily(series) for series in found], axis=1), start)


class GivenPrices:
    """Closes that are handed in.

    Parameters
    ----------
    closes : DataFrame
        A row for each day, a column for each symbol.

    Examples
    --------
    >>> import pandas as pd
    >>> from algotrendy.compute import wait_for
    >>> given = GivenPrices(pd.DataFrame({"A": [10.0, 11.0]}, index=pd.date_range("2024-01-02", periods=2)))
    >>> wait_for(given.closes({"A": "stock"}))["A"].tolist()
    [10.0, 11.0]
    """

    def __init__(self, closes: pd.DataFrame) -> None:
        self._closes = closes

    async def closes(
        self, symbols: Mapping[str, str], start: datetime | None = None, *, adjusted: Adjusted | None = "raw"
    ) -> pd.DataFrame:
        """Return closes by day, as they were given; see `PriceSource`."""
        missing = sorted(set(symbols) - set(self._closes.columns))
        if missing:
            raise DataError(f"there are no prices of {', '.join(missing)}; known: {', '.join(self._closes.columns)}")
        return by_day(daily(self._closes[list(symbols)]), start)


def daily(prices: pd.DataFrame | pd.Series[float]) -> pd.DataFrame | pd.Series[float]:
    """Return prices by day at midnight UTC; of several in one day the last."""
    import pandas as pd

    if not isinstance(prices.index, pd.DatetimeIndex):
        raise InputError(f"prices are labelled by {prices.index.dtype}; make the index a DatetimeIndex")
    index = prices.index if prices.index.tz is not None else prices.index.tz_localize("UTC")
    days = index.normalize().tz_localize(None).tz_localize("UTC")
    found = prices.set_axis(days, axis=0)
    return found[~days.duplicated(keep="last")]


def by_day(prices: pd.DataFrame | pd.Series[float], start: datetime | None) -> pd.DataFrame:
    """Return prices from a day on; where a market was closed, the price before."""
    import pandas as pd

    frame = pd.DataFrame(prices).sort_index().ffill()
    return frame if start is None else frame[frame.index >= pd.Timestamp(start).tz_convert("UTC").normalize()]
