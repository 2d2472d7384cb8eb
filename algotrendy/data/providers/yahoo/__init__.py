"""Yahoo Finance, through the access that yfinance keeps open: bars, splits and dividends of most of the world."""

from algotrendy.data.providers.yahoo.config import YahooSettings
from algotrendy.data.providers.yahoo.provider import YahooProvider

__all__ = ["YahooProvider", "YahooSettings"]
