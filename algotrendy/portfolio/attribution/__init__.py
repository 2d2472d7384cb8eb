"""Attribution: where a return came from, in effects that add up to it.

`brinson` sets a portfolio against a benchmark by segment; `contribution` and `factor_attribution` say what each asset,
strategy or factor brought; `account_periods` and `attribute_account` begin with what was held and traded, and take
currency, timing and cost apart. Several periods are linked by Carino's factors.
"""

from __future__ import annotations

from algotrendy.portfolio.attribution.account import AccountPeriods, account_periods, attribute_account
from algotrendy.portfolio.attribution.parts import contribution, factor_attribution
from algotrendy.portfolio.attribution.result import Attribution, carino_factors
from algotrendy.portfolio.attribution.segments import brinson

__all__ = [
    "AccountPeriods",
    "Attribution",
    "account_periods",
    "attribute_account",
    "brinson",
    "carino_factors",
    "contribution",
    "factor_attribution",
]
