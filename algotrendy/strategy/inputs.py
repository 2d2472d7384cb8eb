"""From a strategy and bars to what the engine runs on: four rows of bits and four arrays of levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.errors import InputError
from algotrendy.strategy.levels import FIXED_UNITS, FRACTION, FixedUnits, level_number, parse_levels
from algotrendy.strategy.parameter import LEVELS, is_number
from algotrendy.strategy.python_strategy import PythonStrategy
from algotrendy.strategy.signals import Signals, signal_words
from algotrendy.strategy.strategy import Strategy

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.domain.bars import BarArrays
    from algotrendy.expressions import Context, Expression

Float1D = NDArray[np.float64]
ALL_IN = 1.0


class RunInputs(NamedTuple):
    """What one run of the engine is made of.

    Attributes
    ----------
    words : uint64 array of shape (4, ceil(n_bars / 64))
        Entry, exit, short entry, short exit: bit i % 64 of word i // 64 says that the condition is true at bar i.
    stop, target, trail : float64 arrays of shape (1,) or (n_bars,)
        Fractions by decision bar; NaN, zero or below: none.
    size : float64 array of shape (1,) or (n_bars,)
        A fraction of the equity, or units, by decision bar; NaN, zero or below: no order.
    size_kind : int
        0: `size` is a fraction, 1: units.
    """

    words: NDArray[np.uint64]
    stop: Float1D
    target: Float1D
    trail: Float1D
    size: Float1D
    size_kind: int


def resolve(
    strategy: Strategy | PythonStrategy | Signals,
    bars: pd.DataFrame,
    arrays: BarArrays,
    params: Mapping[str, Any] | None,
    context: Context,
) -> RunInputs:
    """Evaluate a strategy on bars.

    Parameters
    ----------
    strategy : Strategy, PythonStrategy or Signals
        What decides.
    bars : DataFrame
        Checked bars; a Python strategy is given a copy, signals must have their index.
    arrays : BarArrays
        Their columns.
    params : mapping, optional
        Values of the parameters; those of the strategy by default.
    context : Context
        Times, calendar and constants for the expressions.

    Raises
    ------
    InputError
        If signals or levels do not fit the bars, or a parameter is not allowed where it stands.
    """
    n_bars = len(arrays.close)
    if isinstance(strategy, Strategy):
        values = strategy.parameters if params is None else params
        words = strategy.plan.run(arrays, values, context)
        return _with_levels(words, _levels(strategy, arrays, values, context), strategy.size)
    if isinstance(strategy, PythonStrategy):
        given = strategy.parameters if params is None else params
        signals = strategy.signals(bars, given)
        signals = signals.with_columns(strategy.columns)
        levels = _levels(strategy, arrays, given, context) | _own_levels(signals, bars.index, arrays, given, context)
        size = strategy.size if signals.size is None else signals.size
        return _with_levels(signal_words(signals.arrays(bars.index, n_bars)), levels, size)
    words = signal_words(strategy.arrays(bars.index, n_bars))
    return _with_levels(words, _own_levels(strategy, bars.index, arrays, params or {}, context), strategy.size)


def _with_levels(words: NDArray[np.uint64], levels: Mapping[str, Float1D], size: Any) -> RunInputs:
    none = np.array([np.nan])
    return RunInputs(
        words=words,
        stop=levels.get("stop", none),
        target=levels.get("target", none),
        trail=levels.get("trail", none),
        size=levels.get("size", np.array([ALL_IN])),
        size_kind=FIXED_UNITS if isinstance(size, FixedUnits) else FRACTION,
    )


def _levels(
    strategy: Strategy | PythonStrategy, arrays: BarArrays, params: Mapping[str, Any], context: Context
) -> dict[str, Float1D]:
    levels: dict[str, Float1D] = {}
    for name in LEVELS:
        expression = strategy.level_expressions.get(name)
        given = getattr(strategy, name)
        if expression is not None:
            levels[name] = level_values(expression, arrays, params, context)
        elif given is not None:
            levels[name] = np.array([level_number(given)])
    return levels


def _own_levels(
    signals: Signals, index: pd.Index, arrays: BarArrays, params: Mapping[str, Any], context: Context
) -> dict[str, Float1D]:
    """Return the levels that came with signals: numbers, arrays, texts or rules."""
    numeric = [key for key, value in params.items() if is_number(value)]
    expressions = parse_levels({name: getattr(signals, name) for name in LEVELS}, numeric, signals.columns)
    texts = {name: level_values(expression, arrays, params, context) for name, expression in expressions.items()}
    rest = Signals(**{name: getattr(signals, name) for name in LEVELS if name not in texts})
    return rest.levels(index, len(arrays.close)) | texts


def level_values(expression: Expression, arrays: BarArrays, params: Mapping[str, Any], context: Context) -> Float1D:
    """Return the numbers of a level: one per bar, or a single one if no bar comes into it.

    Raises
    ------
    InputError
        If a parameter is missing or not a number.
    """
    from algotrendy.expressions import evaluate

    for name in expression.parameters:
        if name not in params:
            raise InputError(f"the level {expression.text!r} needs the parameter {name!r}; give it a value")
    if not expression.uses_bars:
        arrays = type(arrays)(*(column[:1] for column in arrays))
    return evaluate(expression, arrays, params, context)
