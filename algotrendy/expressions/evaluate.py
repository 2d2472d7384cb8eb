"""`evaluate` and `evaluate_condition`: one expression over all bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from algotrendy.domain.bars import BarArrays
from algotrendy.domain.types import Bool1D, Float1D
from algotrendy.errors import InputError
from algotrendy.expressions.context import NO_CONTEXT, Context
from algotrendy.expressions.expression import Expression
from algotrendy.expressions.plan import truth_of
from algotrendy.expressions.series import Cache, Evaluator

_NO_PARAMETERS: Mapping[str, float] = {}


class Truth(NamedTuple):
    """Where a condition is true and where it is known: arrays of bool of shape (n_bars,). Unknown is never true."""

    true: Bool1D
    known: Bool1D


def evaluate(
    expression: Expression,
    bars: BarArrays,
    params: Mapping[str, float] = _NO_PARAMETERS,
    context: Context = NO_CONTEXT,
    *,
    cache: Cache | None = None,
) -> Float1D:
    """Return the numbers of an expression.

    Parameters
    ----------
    expression : Expression
        Of kind "number".
    bars : BarArrays
        Checked columns, oldest first.
    params : mapping of str to float
        Values of the parameters.
    context : Context
        Times, interval, calendar, constants.
    cache : dict, optional
        Keeps series for the next call on the same bars and context, with these or other parameters.

    Returns
    -------
    float64 array of shape (n_bars,)
        NaN where unknown; the same number throughout if the expression uses no bars.

    Raises
    ------
    InputError
        If the expression is a condition, or a parameter is missing or not allowed where it stands.

    Examples
    --------
    >>> from algotrendy.expressions import parse
    >>> prices = np.array([1.0, 2.0, 4.0])
    >>> bars = BarArrays(prices, prices, prices, prices, prices)
    >>> evaluate(parse("close / prev(close, 1) - 1"), bars).tolist()
    [nan, 1.0, 1.0]
    """
    if expression.kind != "number":
        raise InputError(f"{expression.text!r} is a condition; its truth comes from evaluate_condition")
    evaluator = Evaluator(bars, params, context, catalogue=expression.catalogue, cache=cache)
    value = evaluator.numbers(expression.root).value
    return np.array(np.broadcast_to(value, bars.close.shape), dtype=np.float64)


def evaluate_condition(
    expression: Expression,
    bars: BarArrays,
    params: Mapping[str, float] = _NO_PARAMETERS,
    context: Context = NO_CONTEXT,
    *,
    cache: Cache | None = None,
) -> Truth:
    """Return where a condition is true, and where it is known.

    Parameters
    ----------
    expression : Expression
        Of kind "condition".
    bars, params, context, cache
        As for `evaluate`.

    Raises
    ------
    InputError
        If the expression is a number, or a parameter is missing or not allowed where it stands.

    Examples
    --------
    >>> from algotrendy.expressions import parse
    >>> prices = np.array([1.0, 2.0, 4.0])
    >>> bars = BarArrays(prices, prices, prices, prices, prices)
    >>> truth = evaluate_condition(parse("close > prev(close, 1)"), bars)
    >>> truth.true.tolist(), truth.known.tolist()
    ([False, True, True], [False, True, True])
    """
    if expression.kind != "condition":
        raise InputError(f"{expression.text!r} is a number, expected a condition; compare it, as in `x > 0`")
    true, known = truth_of(expression.root, bars, params, context, catalogue=expression.catalogue, cache=cache)
    return Truth(true, known)
