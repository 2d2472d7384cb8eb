"""Strategies: as text, as a Python function, as arrays of signals, as a template; and a library of known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.strategy.inputs import RunInputs, resolve
    from algotrendy.strategy.levels import FixedUnits, VolatilityTarget
    from algotrendy.strategy.parameter import ParameterSpec
    from algotrendy.strategy.python_strategy import PythonStrategy
    from algotrendy.strategy.signals import Signals
    from algotrendy.strategy.strategy import Strategy
    from algotrendy.strategy.template import StrategyTemplate

_HOME_OF = {
    "FixedUnits": ".levels",
    "ParameterSpec": ".parameter",
    "PythonStrategy": ".python_strategy",
    "RunInputs": ".inputs",
    "Signals": ".signals",
    "Strategy": ".strategy",
    "StrategyTemplate": ".template",
    "VolatilityTarget": ".levels",
    "resolve": ".inputs",
}

__all__ = [
    "FixedUnits",
    "ParameterSpec",
    "PythonStrategy",
    "RunInputs",
    "Signals",
    "Strategy",
    "StrategyTemplate",
    "VolatilityTarget",
    "resolve",
]

__getattr__ = lazy_names(__name__, _HOME_OF)
