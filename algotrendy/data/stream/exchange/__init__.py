"""Live trades and quotes of Binance and any other crypto exchange that ccxt.pro watches."""

from algotrendy.data.stream.exchange.config import ExchangeStreamSettings
from algotrendy.data.stream.exchange.stream import ExchangeStream

__all__ = ["ExchangeStream", "ExchangeStreamSettings"]
