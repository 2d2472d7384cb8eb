"""Rebalancing: from weights that are held to weights that are wanted, as a plan first, then through a port.

`plan_rebalance` sends nothing; `execute` carries a plan out. `methods` decides what is traded, `sizing` what can be
traded, `taxes` which lots and what tax can wait; `whole_shares` divides money into shares.
"""

from __future__ import annotations

from algotrendy.portfolio.rebalance.allocation import WholeShares, whole_shares
from algotrendy.portfolio.rebalance.cost_aware import CostAware
from algotrendy.portfolio.rebalance.costs import TradingCost
from algotrendy.portfolio.rebalance.execution import (
    FillAtPlan,
    OrderOutcome,
    OrderRoute,
    OrderState,
    RebalanceRun,
    RunStatus,
    execute,
)
from algotrendy.portfolio.rebalance.methods import (
    Band,
    Calendar,
    CashFlow,
    Drift,
    FullRebalance,
    RebalanceMethod,
    Threshold,
    Wanted,
    method_of,
)
from algotrendy.portfolio.rebalance.plan import PlannedOrder, RebalancePlan
from algotrendy.portfolio.rebalance.planning import plan_rebalance
from algotrendy.portfolio.rebalance.targets import check_targets
from algotrendy.portfolio.rebalance.taxes import TaxOptimization

__all__ = [
    "Band",
    "Calendar",
    "CashFlow",
    "CostAware",
    "Drift",
    "FillAtPlan",
    "FullRebalance",
    "OrderOutcome",
    "OrderRoute",
    "OrderState",
    "PlannedOrder",
    "RebalanceMethod",
    "RebalancePlan",
    "RebalanceRun",
    "RunStatus",
    "TaxOptimization",
    "Threshold",
    "TradingCost",
    "Wanted",
    "WholeShares",
    "check_targets",
    "execute",
    "method_of",
    "plan_rebalance",
    "whole_shares",
]
