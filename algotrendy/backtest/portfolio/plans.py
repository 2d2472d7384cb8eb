"""What several strategies in one account want: of each its name, its share, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from algotrendy.backtest.arguments import Runnable
from algotrendy.backtest.portfolio.signals import Decided

if TYPE_CHECKING:
    from algotrendy.backtest.stateful.loop import Turn
    from algotrendy.kernels.portfolio_signals import Wishes
    from algotrendy.strategy import BarStrategy

__all__ = ["AnyPlan", "Plan", "StatefulPlan"]


@dataclass(frozen=True, eq=False)
class Plan:
    """One strategy of several: its name and share, and what it wants on all instruments.

    Attributes
    ----------
    name : str
    strategy : Strategy, PythonStrategy or Signals
    share : float
        Of the capital, a fraction above zero.
    decided : Decided
    wishes : Wishes
    places : int
        How many positions it may hold at once.
    """

    name: str
    strategy: Runnable
    share: float
    decided: Decided
    wishes: Wishes
    places: int


@dataclass(frozen=True, eq=False)
class StatefulPlan:
    """One strategy of several that is asked bar by bar.

    Attributes
    ----------
    name : str
    strategy : BarStrategy
    share : float
        Of the capital, a fraction above zero.
    turns : tuple of Turn
        Copies of it with other values, and the bars at which each decides; empty: it decides at all bars.
    """

    name: str
    strategy: BarStrategy
    share: float
    turns: tuple[Turn, ...] = ()


AnyPlan: TypeAlias = Plan | StatefulPlan
