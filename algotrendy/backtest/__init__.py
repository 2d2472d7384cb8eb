"""Backtests: the engine and its slow reference, results, sweeps, reports. Call the room itself to run one.

`at.backtest(...)` is `algotrendy.backtest.run.backtest`, counted in the session's trial ledger; Monte Carlo is
`algotrendy.backtest.monte_carlo.monte_carlo`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from algotrendy.home import ledger_is_off

if TYPE_CHECKING:
    from algotrendy.backtest.costs import Fees
    from algotrendy.backtest.monte_carlo.result import MonteCarloResult
    from algotrendy.backtest.portfolio.extras import ContractMargin, Margin
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.procedure import ProcedureTest, procedure_test
    from algotrendy.backtest.result import BacktestResult
    from algotrendy.backtest.run import backtest
    from algotrendy.backtest.sweep import SweepResult, optimize
    from algotrendy.backtest.walk_forward import WalkForwardResult

_HOME_OF = {
    "BacktestResult": "result",
    "ContractMargin": "portfolio.extras",
    "Fees": "costs",
    "Margin": "portfolio.extras",
    "MonteCarloResult": "monte_carlo.result",
    "PortfolioResult": "portfolio.result",
    "ProcedureTest": "procedure",
    "SweepResult": "sweep",
    "WalkForwardResult": "walk_forward",
    "optimize": "sweep",
    "procedure_test": "procedure",
}

__all__ = [
    "BacktestResult",
    "ContractMargin",
    "Fees",
    "Margin",
    "MonteCarloResult",
    "PortfolioResult",
    "ProcedureTest",
    "SweepResult",
    "WalkForwardResult",
    "backtest",
    "optimize",
    "procedure_test",
]


def __getattr__(name: str) -> Any:
    if name == "backtest":
        return import_module("algotrendy.backtest.run").backtest
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'algotrendy.backtest' has no attribute {name!r}")
    value = getattr(import_module(f"algotrendy.backtest.{home}"), name)
    globals()[name] = value
    return value


def _nothing_to_count() -> bool:
    """Return whether the ledger is off and no session was begun; then settings need not be loaded."""
    return "algotrendy.research" not in sys.modules and ledger_is_off()


class _Room(ModuleType):
    """A module that can be called.

    Importing any file of this folder binds the folder's name in the package, where `at.backtest` must stay a call. It
    is the call of a user, so it goes to the room of the user's session; nothing in this folder calls it: ADR 0025.
    """

    def __call__(self, *args: Any, **options: Any) -> BacktestResult | PortfolioResult:
        session = "algotrendy.backtest.run" if _nothing_to_count() else "algotrendy.research"
        result: BacktestResult | PortfolioResult = import_module(session).backtest(*args, **options)
        return result


sys.modules[__name__].__class__ = _Room
