"""Data providers: one Protocol, a folder for each vendor, and what they share.

`get(name, **settings)` returns a provider, `names()` lists them. `port` says what a provider is; `FallbackProvider`
asks several in order, `IdentifyingProvider` resolves tickers by date. Every request of every vendor goes through
`http`: patience, budget, pages, cassettes.
"""

from algotrendy.data.providers.fallback import FallbackProvider
from algotrendy.data.providers.identity import IdentifyingProvider
from algotrendy.data.providers.port import (
    ActionsSource,
    Capabilities,
    Fetched,
    Provider,
    TradesRequest,
    TradesSource,
)
from algotrendy.data.providers.registry import get, names

__all__ = [
    "ActionsSource",
    "Capabilities",
    "FallbackProvider",
    "Fetched",
    "IdentifyingProvider",
    "Provider",
    "TradesRequest",
    "TradesSource",
    "get",
    "names",
]
