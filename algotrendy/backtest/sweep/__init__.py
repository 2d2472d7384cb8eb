"""Backtest every combination of parameters: the grid, the series that combinations share, the table that comes of it.

`run.optimize` is the call; `grid` and `where` say which combinations; `declarative` runs text strategies, one kernel
call per chunk, on the series that `series` keeps; `python` runs Python functions over processes; `result` is what comes
back.
"""

from __future__ import annotations

from algotrendy.backtest.sweep.result import SweepResult
from algotrendy.backtest.sweep.run import optimize

__all__ = ["SweepResult", "optimize"]
