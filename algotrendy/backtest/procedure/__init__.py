"""Test the procedure, not the winner: how often the whole search finds as good a result where there is nothing to find.

`run.procedure_test` is the call; `null` makes bars without an edge out of the real ones; `result` is what comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.backtest.procedure.result import ProcedureTest
    from algotrendy.backtest.procedure.run import procedure_test

_HOME_OF = {"ProcedureTest": ".result", "procedure_test": ".run"}

__all__ = ["ProcedureTest", "procedure_test"]

__getattr__ = lazy_names(__name__, _HOME_OF)
