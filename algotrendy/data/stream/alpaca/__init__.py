"""Live trades and quotes of Alpaca: stocks of the United States and crypto."""

from algotrendy.data.stream.alpaca.config import AlpacaStreamSettings
from algotrendy.data.stream.alpaca.stream import AlpacaStream

__all__ = ["AlpacaStream", "AlpacaStreamSettings"]
