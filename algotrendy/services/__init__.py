"""The facades of algotrendy: what a server, a command line or another application calls, asynchronous.

Each facade is handed its collaborators; `bootstrap` alone chooses concrete ones. Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.services.bootstrap import Platform
    from algotrendy.services.market_data import MarketDataService
    from algotrendy.services.models import MarketData, TechnicalIndicators

__all__ = ["MarketData", "MarketDataService", "Platform", "TechnicalIndicators"]

_HOMES = {
    "MarketData": ".models",
    "MarketDataService": ".market_data",
    "Platform": ".bootstrap",
    "TechnicalIndicators": ".models",
}

__getattr__ = lazy_names(__name__, _HOMES)
