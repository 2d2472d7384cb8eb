"""The language of conditions: text to a typed tree, never `eval`; trees to numbers and truth over bars.

`parse` reads a text, `evaluate` and `evaluate_condition` give its values over bars, `SignalPlan` compiles the
conditions of a strategy for single runs and sweeps alike.

>>> parse("close > sma(close, window)", parameters=("window",)).kind
'condition'
"""

from __future__ import annotations

from algotrendy.expressions.catalogue import BARS, Catalogue, Name
from algotrendy.expressions.context import Context
from algotrendy.expressions.evaluate import Truth, evaluate, evaluate_condition
from algotrendy.expressions.expression import Expression, parse
from algotrendy.expressions.functions import function_names
from algotrendy.expressions.plan import SignalPlan

__all__ = [
    "BARS",
    "Catalogue",
    "Context",
    "Expression",
    "Name",
    "SignalPlan",
    "Truth",
    "evaluate",
    "evaluate_condition",
    "function_names",
    "parse",
]
