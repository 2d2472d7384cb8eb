"""algotrendy: research, backtest and run trading strategies.

>>> import algotrendy as at
>>> bars = at.sample("NASDAQ")
>>> strategy = at.Strategy(entry="sma(close, fast) > sma(close, slow)", exit="sma(close, fast) <= sma(close, slow)",
...                        fast=20, slow=50)
>>> result = at.backtest(strategy, bars, cash=100_000, commission=0.0005, fill="next_open")
>>> result.metrics["n_trades"] > 0
True

Names are loaded on first use: importing the package loads neither pandas nor Numba, opens no socket, writes no file.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from algotrendy.backtest import BacktestResult, Fees, SweepResult
    from algotrendy.backtest.difference import explain_difference
    from algotrendy.backtest.lookahead import check_lookahead
    from algotrendy.backtest.run import backtest
    from algotrendy.data import as_bars, read_csv, read_parquet, sample, synthetic
    from algotrendy.indicators import indicator
    from algotrendy.research import configure, load, optimize, procedure_test, verify, walk_forward
    from algotrendy.strategy import (
        FixedUnits,
        ParameterSpec,
        Signals,
        Strategy,
        StrategyTemplate,
        VolatilityTarget,
    )
    from algotrendy.strategy import library as strategies

__version__ = "0.1.0"

_HOME_OF = {
    "BacktestResult": "backtest",
    "Fees": "backtest",
    "FixedUnits": "strategy",
    "ParameterSpec": "strategy",
    "Signals": "strategy",
    "Strategy": "strategy",
    "StrategyTemplate": "strategy",
    "SweepResult": "backtest",
    "VolatilityTarget": "strategy",
    "as_bars": "data",
    "backtest": "backtest",
    "check_lookahead": "backtest.lookahead",
    "configure": "research",
    "explain_difference": "backtest.difference",
    "indicator": "indicators",
    "load": "research",
    "optimize": "research",
    "procedure_test": "research",
    "read_csv": "data",
    "read_parquet": "data",
    "sample": "data",
    "strategies": "strategy.library",
    "synthetic": "data",
    "verify": "research",
    "walk_forward": "research",
}
"""Public name to the room it is loaded from."""

_ROOMS = {"backtest", "strategies"}
"""Names that are the module itself; `at.backtest` is a room that can be called."""

__all__ = [
    "BacktestResult",
    "Fees",
    "FixedUnits",
    "ParameterSpec",
    "Signals",
    "Strategy",
    "StrategyTemplate",
    "SweepResult",
    "VolatilityTarget",
    "as_bars",
    "backtest",
    "check_lookahead",
    "configure",
    "explain_difference",
    "indicator",
    "load",
    "optimize",
    "procedure_test",
    "read_csv",
    "read_parquet",
    "sample",
    "strategies",
    "synthetic",
    "verify",
    "walk_forward",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'algotrendy' has no attribute {name!r}")
    module = import_module(f"algotrendy.{home}")
    value = module if name in _ROOMS else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
