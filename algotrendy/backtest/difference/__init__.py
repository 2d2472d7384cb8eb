"""Why two accounts did not end with the same equity: another run, another library, a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.backtest.difference.explain import explain_difference
    from algotrendy.backtest.difference.ledger import Action, Fill, Ledger, PortfolioLedger
    from algotrendy.backtest.difference.path import Part, decompose
    from algotrendy.backtest.difference.portfolios import portfolio_ledger_of
    from algotrendy.backtest.difference.report import DifferenceReport
    from algotrendy.backtest.difference.runs import ledger_of

_HOMES = {
    "Action": ".ledger",
    "DifferenceReport": ".report",
    "Fill": ".ledger",
    "Ledger": ".ledger",
    "Part": ".path",
    "PortfolioLedger": ".ledger",
    "decompose": ".path",
    "explain_difference": ".explain",
    "ledger_of": ".runs",
    "portfolio_ledger_of": ".portfolios",
}

__all__ = [
    "Action",
    "DifferenceReport",
    "Fill",
    "Ledger",
    "Part",
    "PortfolioLedger",
    "decompose",
    "explain_difference",
    "ledger_of",
    "portfolio_ledger_of",
]

__getattr__ = lazy_names(__name__, _HOMES)
