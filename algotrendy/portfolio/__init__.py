"""The portfolio office: tax lots, rebalancing, performance and attribution of what somebody holds.

Not to be confused with `algotrendy.backtest.portfolio`, which simulates several instruments in one account: this room
knows no strategy and no bars. Its facts are those of `domain.portfolio`: fills, positions, cash. Names are loaded when
first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.portfolio.lot import Closing, Disposal, Lot, LotMethod, choose_lots
    from algotrendy.portfolio.lots import LotBook
    from algotrendy.portfolio.tax import TaxRules, UsWashSale, WashRule
    from algotrendy.portfolio.tax_report import TaxSummary, tax_report, tax_summary

_HOME_OF = {
    "Closing": ".lot",
    "Disposal": ".lot",
    "Lot": ".lot",
    "LotBook": ".lots",
    "LotMethod": ".lot",
    "TaxRules": ".tax",
    "TaxSummary": ".tax_report",
    "UsWashSale": ".tax",
    "WashRule": ".tax",
    "choose_lots": ".lot",
    "tax_report": ".tax_report",
    "tax_summary": ".tax_report",
}

__all__ = [
    "Closing",
    "Disposal",
    "Lot",
    "LotBook",
    "LotMethod",
    "TaxRules",
    "TaxSummary",
    "UsWashSale",
    "WashRule",
    "choose_lots",
    "tax_report",
    "tax_summary",
]

__getattr__ = lazy_names(__name__, _HOME_OF)
