"""Decisions that could have gone either way: both sides of a comparison equal, a level touched by the very extreme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from algotrendy.backtest.difference.ledger import Fill
from algotrendy.domain.bars import BarArrays
from algotrendy.domain.types import Bool1D
from algotrendy.expressions import Context

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.expressions.nodes import Node
    from algotrendy.strategy import Strategy

__all__ = ["condition_ties", "touch_ties"]

TIE = 1e-9
"""A comparison whose sides differ by less, relatively to the larger, could have gone either way."""
LEVELS = ("stop", "trail", "target", "limit")


def touch_ties(bars: pd.DataFrame, fills: Sequence[Fill]) -> Bool1D:
    """Return the bars at which a level was touched by nothing but the very extreme of the bar."""
    tied = np.zeros(len(bars), dtype=np.bool_)
    early = [fill for fill in fills if fill.reason in LEVELS]
    if not early:
        return tied
    at = bars.index.searchsorted([fill.filled_at for fill in early], side="right") - 1
    quoted = np.array([fill.price if fill.quoted is None else fill.quoted for fill in early])
    opens = bars["open"].to_numpy(dtype=np.float64)[at]
    extreme = np.zeros(len(at), dtype=np.bool_)
    for name in ("low", "high"):
        extreme |= np.abs(bars[name].to_numpy(dtype=np.float64)[at] - quoted) <= TIE * quoted
    tied[at[extreme & (np.abs(opens - quoted) > TIE * quoted)]] = True
    return tied


def condition_ties(strategy: Strategy, arrays: BarArrays, context: Context) -> Bool1D:
    """Return the bars at which the two sides of a comparison were equal, or as good as."""
    from algotrendy.expressions.nodes import Crossing, Greater
    from algotrendy.expressions.scalars import calculate
    from algotrendy.expressions.series import Evaluator
    from algotrendy.expressions.ties import tolerance_scale

    tied = np.zeros(len(arrays.close), dtype=np.bool_)
    for condition in strategy.conditions:
        if condition is None:
            continue
        evaluator = Evaluator(arrays, strategy.parameters, context, catalogue=condition.catalogue)
        for node in _comparisons(condition.root):
            comparison = node.comparison if isinstance(node, Crossing) else node
            assert isinstance(comparison, Greater)
            left, right = evaluator.numbers(comparison.left), evaluator.numbers(comparison.right)
            scale = np.abs(tolerance_scale(left, right, calculate))
            with np.errstate(invalid="ignore"):
                equal = np.broadcast_to(np.abs(left.value - right.value) <= TIE * scale, tied.shape)
            tied |= equal
            if isinstance(node, Crossing):
                tied[1:] |= equal[:-1]
    return tied


def _comparisons(node: Node) -> Iterator[Node]:
    """Yield the comparisons of a condition, those on longer bars left out: their ties have other stamps."""
    from algotrendy.expressions.nodes import Crossing, Greater, Timeframe

    if isinstance(node, Timeframe):
        return
    if isinstance(node, Greater | Crossing):
        yield node
        return
    for child in node.children:
        yield from _comparisons(child)
