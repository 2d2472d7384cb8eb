"""Covalent, now GoldRush: daily token prices and wallet balances of many chains."""

from algotrendy.data.providers.covalent.config import CovalentSettings
from algotrendy.data.providers.covalent.provider import CovalentProvider

__all__ = ["CovalentProvider", "CovalentSettings"]
