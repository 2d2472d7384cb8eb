"""What a discovered strategy may be: how deep it may fall, how often it has to trade, how many parts it may have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from algotrendy.errors import InputError
from algotrendy.strategy.parameter import LEVELS, is_number, nearest

if TYPE_CHECKING:
    from algotrendy.expressions.nodes import Node
    from algotrendy.strategy import Strategy

__all__ = ["DIRECTIONS", "SearchLimits", "complexity", "direction"]

DIRECTIONS = ("long", "short", "both")


@dataclass(frozen=True, kw_only=True)
class SearchLimits:
    """What a strategy has to meet on the search bars to be looked at further.

    Attributes
    ----------
    max_drawdown : float
        Largest loss from the running peak, as a positive fraction: 0.3 is 30 %.
    min_trades : int
        Closed trades, at least.
    complexity_max : int
        Parts that it may have; see `complexity`.
    directions : sequence of {"long", "short", "both"}
        Which sides it may take: only long, only short, or long and short in turn.

    Raises
    ------
    InputError
        If a limit is out of its range.

    Examples
    --------
    >>> SearchLimits(max_drawdown=0.3, directions=("long", "both")).directions
    ('long', 'both')
    """

    max_drawdown: float = 0.5
    min_trades: int = 10
    complexity_max: int = 6
    directions: Sequence[str] = ("long",)

    def __post_init__(self) -> None:
        chosen = (self.directions,) if isinstance(self.directions, str) else tuple(self.directions)
        for name in chosen:
            if name not in DIRECTIONS:
                raise InputError(f"directions has {name!r}{nearest(name, DIRECTIONS)}")
        if not chosen:
            raise InputError("directions is empty; choose some of 'long', 'short', 'both'")
        object.__setattr__(self, "directions", tuple(dict.fromkeys(chosen)))
        if not is_number(self.max_drawdown) or not 0.0 < self.max_drawdown <= 1.0:
            raise InputError(f"max_drawdown is {self.max_drawdown!r}; it is a fraction in (0, 1]: 30 % is 0.3")
        for name, least in (("min_trades", 0), ("complexity_max", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} is {value!r}; expected a whole number of at least {least}")

    def refusal(self, strategy: Strategy) -> str | None:
        """Return why a strategy may not be tried, in a few words; None if it may.

        Examples
        --------
        >>> from algotrendy.strategy import Strategy
        >>> SearchLimits().refusal(Strategy(short_entry="close < sma(close, 20)"))
        'it is short'
        """
        side = direction(strategy)
        if side not in self.directions:
            return f"it is {side}"
        if complexity(strategy) > self.complexity_max:
            return "it has too many parts"
        return None


def direction(strategy: Strategy) -> str:
    """Return which sides a strategy takes: "long", "short" or "both".

    Examples
    --------
    >>> from algotrendy.strategy import Strategy
    >>> direction(Strategy(entry="close > sma(close, 20)"))
    'long'
    """
    if strategy.entry is None:
        return "short"
    return "long" if strategy.short_entry is None else "both"


def complexity(strategy: Strategy) -> int:
    """Return how many parts a strategy has: the different indicators that it asks, and the levels that it sets.

    An indicator with other inputs or other parameters is another one; one that is asked twice counts once. A price that
    is compared with nothing but numbers is no part.

    Examples
    --------
    >>> from algotrendy.strategy import Strategy
    >>> cross = Strategy("sma(close, fast) > sma(close, slow)", "sma(close, fast) <= sma(close, slow)", fast=5, slow=20)
    >>> complexity(cross), complexity(Strategy("close > sma(close, 20)", stop=0.05))
    (2, 2)
    """
    parts = (*strategy.conditions, *strategy.level_expressions.values())
    asked = {found for part in parts if part is not None for found in _indicators(part.root)}
    return len(asked) + sum(getattr(strategy, name) is not None for name in LEVELS)


def _indicators(node: Node) -> Iterator[Node]:
    from algotrendy.expressions.nodes import Indicator

    if isinstance(node, Indicator):
        yield node
    for child in node.children:
        yield from _indicators(child)
