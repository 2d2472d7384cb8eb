"""The facades of algotrendy: what a server, a command line or another application calls, asynchronous.

Each facade is handed its collaborators; `bootstrap` alone chooses concrete ones. Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from algotrendy.services.bootstrap import Platform
    from algotrendy.services.market_data import MarketDataService
    from algotrendy.services.models import MarketData, TechnicalIndicators

__all__ = ["MarketData", "MarketDataService", "Platform", "TechnicalIndicators"]

_HOMES = {
    "MarketData": "algotrendy.services.models",
    "MarketDataService": "algotrendy.services.market_data",
    "Platform": "algotrendy.services.bootstrap",
    "TechnicalIndicators": "algotrendy.services.models",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
