"""Any of the hundred exchanges that ccxt knows: bars and trades of spot markets."""

from algotrendy.data.providers.ccxt.config import CcxtSettings
from algotrendy.data.providers.ccxt.provider import CcxtProvider

__all__ = ["CcxtProvider", "CcxtSettings"]
