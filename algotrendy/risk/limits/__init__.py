"""Limits on orders and books: limits as data, and the one evaluator that risk and trading ask.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.risk.limits.book import BookView, Exposure, ProposedOrder, TradingState
    from algotrendy.risk.limits.estimates import ParametricRisk, RiskEstimates, ScenarioRisk
    from algotrendy.risk.limits.evaluate import LimitCheck, LimitCheckResult, LimitSet, check_order
    from algotrendy.risk.limits.figures import BookFigures, WhatIf, figures_of, what_if
    from algotrendy.risk.limits.limit import Limit, LimitKind, limits_from
    from algotrendy.risk.limits.manager import LimitManager
    from algotrendy.risk.limits.profiles import PROFILES, RiskProfile, profile
    from algotrendy.risk.limits.records import LimitsRecord, LimitStore, MemoryLimits, StateRecord

_HOME_OF = {
    "BookFigures": ".figures",
    "BookView": ".book",
    "Exposure": ".book",
    "Limit": ".limit",
    "LimitCheck": ".evaluate",
    "LimitCheckResult": ".evaluate",
    "LimitKind": ".limit",
    "LimitManager": ".manager",
    "LimitSet": ".evaluate",
    "LimitStore": ".records",
    "LimitsRecord": ".records",
    "MemoryLimits": ".records",
    "StateRecord": ".records",
    "PROFILES": ".profiles",
    "ParametricRisk": ".estimates",
    "ProposedOrder": ".book",
    "RiskEstimates": ".estimates",
    "RiskProfile": ".profiles",
    "ScenarioRisk": ".estimates",
    "TradingState": ".book",
    "WhatIf": ".figures",
    "check_order": ".evaluate",
    "figures_of": ".figures",
    "limits_from": ".limit",
    "profile": ".profiles",
    "what_if": ".figures",
}

__all__ = [
    "PROFILES",
    "BookFigures",
    "BookView",
    "Exposure",
    "Limit",
    "LimitCheck",
    "LimitCheckResult",
    "LimitKind",
    "LimitManager",
    "LimitSet",
    "LimitStore",
    "LimitsRecord",
    "MemoryLimits",
    "ParametricRisk",
    "ProposedOrder",
    "RiskEstimates",
    "RiskProfile",
    "ScenarioRisk",
    "StateRecord",
    "TradingState",
    "WhatIf",
    "check_order",
    "figures_of",
    "limits_from",
    "profile",
    "what_if",
]

__getattr__ = lazy_names(__name__, _HOME_OF)
