"""Backtests: the engine and its slow reference, results, sweeps, reports. Call the room itself to run one.

`at.backtest(...)` is `algotrendy.backtest.run.backtest`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from algotrendy.backtest.costs import Fees
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.result import BacktestResult
    from algotrendy.backtest.run import backtest
    from algotrendy.backtest.sweep import SweepResult, optimize

_HOME_OF = {
    "BacktestResult": "result",
    "Fees": "costs",
    "PortfolioResult": "portfolio.result",
    "SweepResult": "sweep",
    "optimize": "sweep",
}

__all__ = ["BacktestResult", "Fees", "PortfolioResult", "SweepResult", "backtest", "optimize"]


def __getattr__(name: str) -> Any:
    if name == "backtest":
        return import_module("algotrendy.backtest.run").backtest
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'algotrendy.backtest' has no attribute {name!r}")
    value = getattr(import_module(f"algotrendy.backtest.{home}"), name)
    globals()[name] = value
    return value


class _Room(ModuleType):
    """A module that can be called.

    Importing any file of this folder binds the folder's name in the package, where `at.backtest` must stay a call.
    """

    def __call__(self, *args: Any, **options: Any) -> BacktestResult | PortfolioResult:
        result: BacktestResult | PortfolioResult = import_module("algotrendy.backtest.run").backtest(*args, **options)
        return result


sys.modules[__name__].__class__ = _Room
