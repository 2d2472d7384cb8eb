"""Alpaca's market data, through alpaca-py: bars, trades and corporate actions of the United States, and crypto."""

from algotrendy.data.providers.alpaca.config import AlpacaSettings
from algotrendy.data.providers.alpaca.provider import AlpacaProvider

__all__ = ["AlpacaProvider", "AlpacaSettings"]
