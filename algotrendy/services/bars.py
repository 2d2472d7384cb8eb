"""Where runs take their bars from: the market data service, as any other caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.services.market_data import MarketDataService

__all__ = ["MarketDataBars"]


class MarketDataBars:
    """Bars of the market data service.

    Parameters
    ----------
    service : MarketDataService
        Which loads them.
    """

    def __init__(self, service: MarketDataService) -> None:
        self._service = service

    async def bars(self, market: Mapping[str, Any]) -> pd.DataFrame:
        """Return bars of a symbol; without a start all that the source has.

        `adjusted` of the market is "raw", "splits" or "all"; without one it is the most thorough of the source.

        Raises
        ------
        InputError
            If no symbol is named.
        DataError, VenueError
            As `at.load`.
        """
        symbol = market.get("symbol")
        if not symbol:
            raise InputError("nothing says which symbol to run on; give symbol=, or store one with the strategy")
        start, end = market.get("start_date"), market.get("end_date")
        options: dict[str, Any] = {"start": start, "end": end, "indicators": False}
        for name, word in (("source", "source"), ("asset_type", "asset_class"), ("adjusted", "adjusted")):
            if market.get(word):
                options[name] = market[word]
        return await self._service.get_historical_data(
            symbol, None if start else "max", market.get("interval") or "1d", **options
        )
