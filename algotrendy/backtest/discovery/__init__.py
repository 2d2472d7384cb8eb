"""Discovery: a search for strategies that is judged on bars that the search has not seen.

`discover(bars)` is the call. `proposer` says which strategies are tried, `grammar` what they are made of, `limits`
which are allowed, `judge` tries them, `result` is what comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.backtest.discovery.grammar import FILTERS, GUARDS, RULES, Filter, Guard, Rule
    from algotrendy.backtest.discovery.limits import SearchLimits, complexity, direction
    from algotrendy.backtest.discovery.proposer import Brief, Proposer, SystematicProposer, Tried
    from algotrendy.backtest.discovery.result import DiscoveryResult
    from algotrendy.backtest.discovery.run import discover

_HOME_OF = {
    "Brief": ".proposer",
    "DiscoveryResult": ".result",
    "FILTERS": ".grammar",
    "Filter": ".grammar",
    "GUARDS": ".grammar",
    "Guard": ".grammar",
    "Proposer": ".proposer",
    "RULES": ".grammar",
    "Rule": ".grammar",
    "SearchLimits": ".limits",
    "SystematicProposer": ".proposer",
    "Tried": ".proposer",
    "complexity": ".limits",
    "direction": ".limits",
    "discover": ".run",
}

__all__ = [
    "FILTERS",
    "GUARDS",
    "RULES",
    "Brief",
    "DiscoveryResult",
    "Filter",
    "Guard",
    "Proposer",
    "Rule",
    "SearchLimits",
    "SystematicProposer",
    "Tried",
    "complexity",
    "direction",
    "discover",
]

__getattr__ = lazy_names(__name__, _HOME_OF)
