"""How candidates are tried: many at once on the search bars, and the chosen few on the bars after them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.curves import buy_and_hold, returns_between
from algotrendy.backtest.run import check_size, run_strategy
from algotrendy.backtest.setting import Setting, prepare
from algotrendy.backtest.sweep.declarative import DeclarativeSweep
from algotrendy.backtest.sweep.grid import Grid
from algotrendy.backtest.walk_forward.account import measured, traded
from algotrendy.backtest.walk_forward.window import Decided, signal_bits
from algotrendy.backtest.walk_forward.windows import Window
from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import Strategy, resolve
from algotrendy.strategy.parameter import CONDITIONS, LEVELS

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.engine import Options

__all__ = ["Family", "SearchJudge", "Tested", "families_of", "held_returns", "sharpe_by_part", "tested"]

_FAMILY_MAX = 64
"""So many sets of values are tried together: a few hundredths of a second, so that progress moves."""

_STILL = 1e-12


@dataclass(frozen=True)
class Family:
    """Strategies of the same text that differ in their numbers.

    Attributes
    ----------
    strategy : Strategy
        The first of them.
    combinations : tuple of mappings
        The numbers of each; empty mappings where the text has none.
    places : tuple of int
        Where each stands among all candidates.
    """

    strategy: Strategy
    combinations: tuple[Mapping[str, float], ...]
    places: tuple[int, ...]

    @property
    def grid(self) -> Grid:
        """The numbers as a grid of exactly these combinations."""
        names = tuple(self.combinations[0])
        columns = [np.array([each[name] for each in self.combinations], dtype=np.float64) for name in names]
        unique = [np.unique(column, return_inverse=True) for column in columns]
        given = [{float(each[name]): each[name] for each in self.combinations} for name in names]
        values = tuple(
            tuple(kept[value] for value in known.tolist()) for kept, (known, _) in zip(given, unique, strict=True)
        )
        index = np.column_stack([places.astype(np.int32) for _, places in unique])
        return Grid(names, values, np.ascontiguousarray(index))


def families_of(candidates: Sequence[Strategy], first: int = 0) -> list[Family]:
    """Return candidates grouped by their texts, each group in pieces of bounded size.

    Parameters
    ----------
    candidates : sequence of Strategy
        In their order.
    first : int
        The place of the first of them.

    Examples
    --------
    >>> from algotrendy.strategy import Strategy
    >>> one = Strategy("close > sma(close, n)", n=20)
    >>> [family.places for family in families_of([one, Strategy("close < 1"), one.with_params(n=50)])]
    [(0, 2), (1,)]
    """
    groups: dict[str, list[int]] = {}
    for place, strategy in enumerate(candidates):
        groups.setdefault(_text(strategy), []).append(place)
    found = []
    for places in groups.values():
        for begin in range(0, len(places), _FAMILY_MAX):
            piece = places[begin : begin + _FAMILY_MAX]
            numbers = tuple(dict(candidates[place].parameters) for place in piece)
            found.append(Family(candidates[piece[0]], numbers, tuple(first + place for place in piece)))
    return found


def _text(strategy: Strategy) -> str:
    content = strategy.to_dict()
    parts = [content[name] for name in (*CONDITIONS, *LEVELS)]
    return json.dumps([parts, sorted(strategy.parameters)], sort_keys=True)


@dataclass(frozen=True, eq=False)
class SearchJudge:
    """Tries families on the search bars; it travels to other processes and machines as it is.

    Attributes
    ----------
    bars : DataFrame
        The search bars, and nothing but these.
    options : mapping
        Keywords of `backtest`, interval and periods per year among them.
    parts : int
        In how many pieces the search bars are cut for the merit.
    """

    bars: pd.DataFrame
    options: Mapping[str, Any]
    parts: int

    @cached_property
    def setting(self) -> Setting:
        """The search bars and their surroundings, prepared once in each process."""
        return prepare(self.bars, **self.options)

    def __call__(self, family: Family) -> Float2D:
        """Return one row for each member: its metrics in the order of `METRICS`, then its Sharpe ratio by part.

        A member that cannot be run has a row of NaN.
        """
        width = len(METRICS) + self.parts
        try:
            for values in family.combinations:
                check_size(family.strategy.with_params(**values), self.setting.options.max_leverage)
            metrics, returns = self._run(family)
        except InputError:
            return np.full((len(family.places), width), np.nan)
        return np.hstack([metrics, self._by_part(returns)])

    def returns(self, family: Family) -> Float2D:
        """Return the returns of each member between valuation marks, shape (n_marks, n_members)."""
        return self._run(family)[1]

    def _run(self, family: Family) -> tuple[Float2D, Float2D]:
        if not family.combinations[0]:
            result = run_strategy(family.strategy, self.setting)
            row = np.array([[result.metrics[name] for name in METRICS]], dtype=np.float64)
            return row, np.array([result.returns.to_numpy()], dtype=np.float64).T
        sweep = DeclarativeSweep(family.strategy, family.grid, self.setting)
        metrics = np.empty((len(family.places), len(METRICS)))
        columns: list[Any] = [None] * len(family.places)
        for chunk in sweep.chunks(1):
            metrics[chunk.places] = sweep.run(chunk)
            for place, equity in zip(chunk.places.tolist(), sweep.curves(chunk), strict=True):
                columns[place] = returns_between(equity, self.setting.options.cash)
        return metrics, np.array(columns, dtype=np.float64).T

    def _by_part(self, returns: Float2D) -> Float2D:
        return sharpe_by_part(returns, self.setting.options, self.parts)


def sharpe_by_part(returns: Float2D, options: Options, parts: int) -> Float2D:
    """Return the annual Sharpe ratio of each column in each of so many pieces of time, shape (n_columns, parts)."""
    pieces = np.array_split(returns - options.hurdle, parts)
    return np.column_stack([_sharpe(piece, options.periods_per_year) for piece in pieces])


def _sharpe(excess: Float2D, periods_per_year: float) -> Float1D:
    """Return the annual Sharpe ratio of each column; zero where nothing moved."""
    spread = excess.std(axis=0, ddof=1)
    moves = spread > _STILL
    found: Float1D = np.zeros(excess.shape[1])
    found[moves] = excess.mean(axis=0)[moves] / spread[moves] * math.sqrt(periods_per_year)
    return found


@dataclass(frozen=True, eq=False)
class Tested:
    """What came of a strategy on the bars after the search.

    Attributes
    ----------
    metrics : mapping of str to float
        By the definitions of `BacktestResult.metrics`.
    returns : array of shape (n_marks,)
        Simple returns between valuation marks, as fractions.
    index : DatetimeIndex
        Their stamps.
    """

    metrics: Mapping[str, float]
    returns: Float1D
    index: Any


def tested(strategy: Strategy, setting: Setting, begin: int) -> Tested:
    """Return what came of a strategy from a bar on: its indicators are warm, its account begins flat and ends flat.

    Parameters
    ----------
    strategy : Strategy
        With its values.
    setting : Setting
        All bars.
    begin : int
        The first bar that it may hold a position on.
    """
    n = len(setting.arrays.close)
    inputs = resolve(strategy, setting.bars, setting.arrays, None, setting.context)
    signals = signal_bits(inputs.words, n)[:, begin - 1 :]
    levels = np.empty((len(LEVELS), n - begin + 1))
    for k, name in enumerate(LEVELS):
        given = getattr(inputs, name)
        levels[k] = given[begin - 1 :] if given.size > 1 else given[0]
    window = Window(0, 0, begin, begin, n)
    nothing = np.full(len(METRICS), np.nan)
    decided = Decided(window, {}, nothing, 1, np.ascontiguousarray(signals), levels, inputs.size_kind)
    account = traded(decided, setting)
    metrics, _, marks = measured(account, setting)
    returns = returns_between(account.equity[marks], account.cash)
    return Tested(metrics, returns, setting.bars.index[account.positions[marks]])


def held_returns(setting: Setting, begin: int) -> Float1D:
    """Return what buying and holding from a bar on returns between the same valuation marks, at the same costs."""
    equity = buy_and_hold(setting.bars.iloc[begin:], setting.assumptions)
    marks = setting.options.marks
    if marks is None:
        return returns_between(equity, setting.options.cash)
    own = np.union1d(marks[marks >= begin] - begin, [len(equity) - 1])
    return returns_between(equity[own], setting.options.cash)
