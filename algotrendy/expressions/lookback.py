"""How many bars pass before an expression is first known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from algotrendy.expressions.binding import bound_arguments, bound_lag
from algotrendy.expressions.catalogue import Catalogue
from algotrendy.expressions.nodes import Column, Crossing, Indicator, Lag, Node, Timeframe

if TYPE_CHECKING:
    from algotrendy.domain.interval import Interval

_MONTH_SECONDS = 31 * 86_400


def bars_before_first(node: Node, values: Mapping[str, float], catalogue: Catalogue, interval: str = "1d") -> int:
    """Return the number of bars before the first known value of `node`.

    Parameters
    ----------
    node : Node
        The tree.
    values : mapping of str to float
        Parameters and constants.
    catalogue : Catalogue
        Says the lookback of columns.
    interval : str
        Length of the bars. For `tf` the result is an upper bound.

    Raises
    ------
    InputError
        If a parameter is missing or not one that its place allows.
    """
    if isinstance(node, Column):
        return catalogue[node.name].lookback
    if isinstance(node, Timeframe):
        return _longer_bars(node.rule, interval) * (bars_before_first(node.operand, values, catalogue, node.rule) + 1)
    own = 0
    if isinstance(node, Indicator):
        own = node.spec.lookback(bound_arguments(node, values))
    elif isinstance(node, Lag):
        own = bound_lag(node, values)
    elif isinstance(node, Crossing):
        own = 1
    inner = (bars_before_first(child, values, catalogue, interval) for child in node.children if child.is_series)
    return own + max(inner, default=0)


def _longer_bars(rule: str, interval: str) -> int:
    """Return the most bars of `interval` that one bar of `rule` can hold."""
    from algotrendy.domain.interval import Interval

    longer, shorter = Interval.parse(rule), Interval.parse(interval)
    return max(1, math.ceil(_seconds(longer) / _seconds(shorter)))


def _seconds(interval: Interval) -> int:
    return interval.seconds or interval.count * _MONTH_SECONDS
