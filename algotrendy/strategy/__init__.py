"""Strategies: as text, as a Python function, as arrays, as an object asked bar by bar, as a template; and a library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.strategy.bar_context import BarContext, InstrumentContext, OpenPosition, PlacedOrder
    from algotrendy.strategy.bar_strategy import BarStrategy
    from algotrendy.strategy.compiled_strategy import CompiledStrategy
    from algotrendy.strategy.inputs import RunInputs, resolve
    from algotrendy.strategy.levels import FixedUnits, VolatilityTarget
    from algotrendy.strategy.parameter import ParameterSpec
    from algotrendy.strategy.python_strategy import PythonStrategy
    from algotrendy.strategy.signals import Signals
    from algotrendy.strategy.strategy import Strategy
    from algotrendy.strategy.template import StrategyTemplate

_HOME_OF = {
    "BarContext": ".bar_context",
    "BarStrategy": ".bar_strategy",
    "CompiledStrategy": ".compiled_strategy",
    "FixedUnits": ".levels",
    "InstrumentContext": ".bar_context",
    "OpenPosition": ".bar_context",
    "ParameterSpec": ".parameter",
    "PlacedOrder": ".bar_context",
    "PythonStrategy": ".python_strategy",
    "RunInputs": ".inputs",
    "Signals": ".signals",
    "Strategy": ".strategy",
    "StrategyTemplate": ".template",
    "VolatilityTarget": ".levels",
    "resolve": ".inputs",
}

__all__ = [
    "BarContext",
    "BarStrategy",
    "CompiledStrategy",
    "FixedUnits",
    "InstrumentContext",
    "OpenPosition",
    "ParameterSpec",
    "PlacedOrder",
    "PythonStrategy",
    "RunInputs",
    "Signals",
    "Strategy",
    "StrategyTemplate",
    "VolatilityTarget",
    "resolve",
]

__getattr__ = lazy_names(__name__, _HOME_OF)
