"""Who says which strategies are tried: the port, and the systematic proposer that is used unless another is given."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from algotrendy.backtest.discovery.grammar import (
    FILTERS,
    GUARDS,
    RULES,
    Filter,
    Guard,
    Rule,
    combinations,
    composed,
)
from algotrendy.backtest.discovery.limits import SearchLimits

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.strategy import Strategy

__all__ = ["Brief", "Proposer", "SystematicProposer", "Tried"]


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A strategy of an earlier round, and how it did on the search bars.

    Attributes
    ----------
    strategy : Strategy
        With its values.
    merit : float
        The lowest annual Sharpe ratio over the parts of the search bars; NaN if it never traded.
    n_trades : int
        Closed trades.
    max_drawdown : float
        As a positive fraction.
    """

    strategy: Strategy
    merit: float
    n_trades: int
    max_drawdown: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Brief:
    """What a proposer is told. It never sees the bars on which its strategies will be judged.

    Attributes
    ----------
    bars : DataFrame, or dict of str to DataFrame
        The search bars: a copy, oldest first; of several instruments by symbol.
    limits : SearchLimits
        What a strategy has to meet.
    n_candidates : int
        How many strategies are wanted, at most.
    seed : int
        What chance comes from.
    round : int
        From 0.
    tried : tuple of Tried
        Those of earlier rounds, the best first.
    hints : mapping
        What the caller said besides: asset class, taste for risk, time horizon, ...
    """

    bars: pd.DataFrame | dict[str, pd.DataFrame]
    limits: SearchLimits
    n_candidates: int
    seed: int
    round: int = 0
    tried: tuple[Tried, ...] = ()
    hints: Mapping[str, Any] = field(default_factory=dict)


class Proposer(Protocol):
    """Proposes strategies; the search counts, tries and judges them.

    A proposer is called in one thread, once for each round. It may take its time and ask the outside world. What it
    returns beyond `n_candidates` is not looked at; what breaks the limits, or comes twice, is left out and counted.
    """

    name: str

    def propose(self, brief: Brief) -> Iterable[Strategy]:
        """Return strategies that are text, with the values of their parameters."""
        ...


class SystematicProposer:
    """Goes through rules, filters, guards and the values of their parameters.

    If there are more combinations than are wanted, every form of strategy gets its share: one set of values for each,
    then a second one, and so on, forms with fewer parts first. Which sets come first is drawn by the seed.

    Parameters
    ----------
    rules, filters, guards : sequences
        In place of the library's own.

    Examples
    --------
    >>> import algotrendy as at
    >>> brief = Brief(bars=at.synthetic(n=300, seed=1), limits=SearchLimits(), n_candidates=50, seed=1)
    >>> found = SystematicProposer().propose(brief)
    >>> len(found), len(set(found)), found[0].name
    (50, 50, 'close against sma')
    """

    name = "systematic"

    def __init__(
        self,
        rules: Sequence[Rule] = RULES,
        filters: Sequence[Filter] = FILTERS,
        guards: Sequence[Guard] = GUARDS,
    ) -> None:
        self._rules, self._filters, self._guards = tuple(rules), tuple(filters), tuple(guards)

    def propose(self, brief: Brief) -> list[Strategy]:
        """Return strategies; in later rounds those that come next in the same order."""
        chance = np.random.default_rng(brief.seed)
        queues = [_versions(strategy, _shuffled(parts, chance)) for strategy, parts in self._forms(brief)]
        turns = itertools.chain.from_iterable(itertools.zip_longest(*queues))
        begin = brief.round * brief.n_candidates
        found = (strategy for strategy in turns if strategy is not None)
        return list(itertools.islice(found, begin, begin + brief.n_candidates))

    def _forms(self, brief: Brief) -> list[tuple[Strategy, tuple[Rule, Filter, Guard]]]:
        """Return the forms that the limits allow, those with fewer parts first."""
        from algotrendy.backtest.discovery.limits import complexity

        frames = brief.bars.values() if isinstance(brief.bars, dict) else [brief.bars]
        volume = all("volume" in bars.columns and bool((bars["volume"] > 0.0).all()) for bars in frames)
        rules = [rule for rule in self._rules if volume or not rule.uses_volume]
        found = []
        parts = itertools.product(rules, self._filters, self._guards, brief.limits.directions)
        for rule, filter_, guard, side in parts:
            strategy = composed(rule, side, filter_, guard)
            if strategy is not None and brief.limits.refusal(strategy) is None:
                found.append((strategy, (rule, filter_, guard)))
        return sorted(found, key=lambda each: complexity(each[0]))


def _shuffled(parts: tuple[Rule, Filter, Guard], chance: np.random.Generator) -> list[dict[str, float]]:
    every = list(combinations(*parts))
    return [every[place] for place in chance.permutation(len(every)).tolist()]


def _versions(strategy: Strategy, values: Iterable[Mapping[str, float]]) -> Iterator[Strategy]:
    return (strategy.with_params(**each) for each in values)
