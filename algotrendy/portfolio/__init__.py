"""The portfolio office: tax lots, rebalancing, performance and attribution of what somebody holds.

Not to be confused with `algotrendy.backtest.portfolio`, which simulates several instruments in one account: this room
knows no strategy and no bars. Its facts are those of `domain.portfolio`: fills, positions, cash. Names are loaded when
first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.portfolio.attribution import (
        AccountPeriods,
        Attribution,
        account_periods,
        attribute_account,
        brinson,
        carino_factors,
        contribution,
        factor_attribution,
    )
    from algotrendy.portfolio.lot import Closing, Disposal, Lot, LotMethod, choose_lots
    from algotrendy.portfolio.lots import LotBook
    from algotrendy.portfolio.money_weighted import internal_rates, irr, money_weighted_return, xirr
    from algotrendy.portfolio.performance import (
        Aligned,
        align_benchmark,
        cumulative_return,
        modified_dietz,
        monthly_table,
        performance_rows,
        period_returns,
        time_weighted_return,
    )
    from algotrendy.portfolio.rebalance import (
        Band,
        Calendar,
        CashFlow,
        CostAware,
        FillAtPlan,
        FullRebalance,
        OrderOutcome,
        OrderRoute,
        PlannedOrder,
        RebalancePlan,
        RebalanceRun,
        TaxOptimization,
        Threshold,
        TradingCost,
        WholeShares,
        execute,
        plan_rebalance,
        whole_shares,
    )
    from algotrendy.portfolio.tax import TaxRules, UsWashSale, WashRule
    from algotrendy.portfolio.tax_rows import TaxSummary, tax_report, tax_summary

_HOME_OF = {
    "AccountPeriods": ".attribution",
    "Aligned": ".performance",
    "Attribution": ".attribution",
    "Band": ".rebalance",
    "Calendar": ".rebalance",
    "CashFlow": ".rebalance",
    "Closing": ".lot",
    "CostAware": ".rebalance",
    "Disposal": ".lot",
    "FillAtPlan": ".rebalance",
    "FullRebalance": ".rebalance",
    "Lot": ".lot",
    "LotBook": ".lots",
    "LotMethod": ".lot",
    "OrderOutcome": ".rebalance",
    "OrderRoute": ".rebalance",
    "PlannedOrder": ".rebalance",
    "RebalancePlan": ".rebalance",
    "RebalanceRun": ".rebalance",
    "TaxOptimization": ".rebalance",
    "TaxRules": ".tax",
    "TaxSummary": ".tax_rows",
    "Threshold": ".rebalance",
    "TradingCost": ".rebalance",
    "UsWashSale": ".tax",
    "WashRule": ".tax",
    "WholeShares": ".rebalance",
    "account_periods": ".attribution",
    "align_benchmark": ".performance",
    "attribute_account": ".attribution",
    "brinson": ".attribution",
    "carino_factors": ".attribution",
    "choose_lots": ".lot",
    "contribution": ".attribution",
    "cumulative_return": ".performance",
    "execute": ".rebalance",
    "factor_attribution": ".attribution",
    "internal_rates": ".money_weighted",
    "irr": ".money_weighted",
    "modified_dietz": ".performance",
    "money_weighted_return": ".money_weighted",
    "monthly_table": ".performance",
    "performance_rows": ".performance",
    "period_returns": ".performance",
    "plan_rebalance": ".rebalance",
    "tax_report": ".tax_rows",
    "tax_summary": ".tax_rows",
    "time_weighted_return": ".performance",
    "whole_shares": ".rebalance",
    "xirr": ".money_weighted",
}

__all__ = [
    "AccountPeriods",
    "Aligned",
    "Attribution",
    "Band",
    "Calendar",
    "CashFlow",
    "Closing",
    "CostAware",
    "Disposal",
    "FillAtPlan",
    "FullRebalance",
    "Lot",
    "LotBook",
    "LotMethod",
    "OrderOutcome",
    "OrderRoute",
    "PlannedOrder",
    "RebalancePlan",
    "RebalanceRun",
    "TaxOptimization",
    "TaxRules",
    "TaxSummary",
    "Threshold",
    "TradingCost",
    "UsWashSale",
    "WashRule",
    "WholeShares",
    "account_periods",
    "align_benchmark",
    "attribute_account",
    "brinson",
    "carino_factors",
    "choose_lots",
    "contribution",
    "cumulative_return",
    "execute",
    "factor_attribution",
    "internal_rates",
    "irr",
    "modified_dietz",
    "money_weighted_return",
    "monthly_table",
    "performance_rows",
    "period_returns",
    "plan_rebalance",
    "tax_report",
    "tax_summary",
    "time_weighted_return",
    "whole_shares",
    "xirr",
]

__getattr__ = lazy_names(__name__, _HOME_OF)
