"""The returns of chosen combinations, one column each: what statistics on overfitting are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.arguments import AnyStrategy
from algotrendy.backtest.curves import returns_between
from algotrendy.backtest.run import run_strategy
from algotrendy.backtest.setting import Setting, prepare
from algotrendy.backtest.sweep.declarative import DeclarativeSweep
from algotrendy.backtest.sweep.grid import Grid
from algotrendy.backtest.sweep.python import python_chunks, split_costs
from algotrendy.compute import map_work
from algotrendy.strategy import BarStrategy, PythonStrategy, Strategy

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["returns_of"]

Float2D = npt.NDArray[np.float64]


def returns_of(
    strategy: AnyStrategy,
    setting: Setting,
    options: Mapping[str, Any],
    combinations: Mapping[str, npt.NDArray[Any]],
    *,
    workers: int | None = 1,
) -> Float2D:
    """Return the returns of combinations between valuation marks, shape (n_marks, n_combinations).

    Parameters
    ----------
    strategy : Strategy or PythonStrategy
        What was swept.
    setting : Setting
        What `prepare` made of the bars and the options.
    options : mapping
        Keywords of `backtest`.
    combinations : mapping of str to array of shape (n_combinations,)
        Values of each name that was varied.
    workers : int, optional
        Cores to use.
    """
    if isinstance(strategy, Strategy) and setting.chart is None:
        sweep = DeclarativeSweep(strategy, _grid(combinations), setting)
        chunks = sweep.chunks(1)
        found = map_work(sweep.curves, chunks, workers=workers).results
        marks = setting.options.marks
        n_marks = len(setting.arrays.close) if marks is None else len(marks)
        returns = np.empty((sum(len(chunk.places) for chunk in chunks), n_marks))
        for chunk, rows in zip(chunks, found, strict=True):
            if rows is not None:
                returns[chunk.places] = _returns(rows, setting.options.cash)
        return returns.T
    given = options if setting.chart is None else {**options, "chart": setting.chart}
    runs = _PythonCurves(strategy, setting.bars, given)
    chunks_of = python_chunks([dict(zip(combinations, row, strict=True)) for row in _rows(combinations)])
    columns = map_work(runs, chunks_of, workers=workers, where="processes").results
    return np.concatenate([each for each in columns if each is not None]).T


def _returns(equity: Float2D, cash: float) -> Float2D:
    """Turn equity curves, one per row, into returns, in place; 0 once nothing is left to move."""
    left = float(equity.min()) > 0.0
    before = None if left else np.concatenate((np.full((len(equity), 1), cash), equity[:, :-1]), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        for row in equity:  # a row at a time: it stays in the cache
            row[1:] = row[1:] / row[:-1]
        equity[:, 0] /= cash
    equity -= 1.0
    return equity if before is None else np.where(before > 0.0, equity, 0.0)


def _grid(combinations: Mapping[str, npt.NDArray[Any]]) -> Grid:
    """Return the grid of exactly these combinations, in their order."""
    values, index = [], []
    for column in combinations.values():
        known, places = np.unique(column, return_inverse=True)
        values.append(tuple(known.tolist()))
        index.append(places.astype(np.int32))
    return Grid(tuple(combinations), tuple(values), np.ascontiguousarray(np.column_stack(index)))


def _rows(combinations: Mapping[str, npt.NDArray[Any]]) -> Sequence[tuple[Any, ...]]:
    return list(zip(*(column.tolist() for column in combinations.values()), strict=True))


@dataclass(frozen=True)
class _PythonCurves:
    """Backtests combinations one by one for their returns; it travels to other processes as it is."""

    strategy: PythonStrategy | BarStrategy | Strategy
    bars: pd.DataFrame
    options: Mapping[str, Any]

    def __call__(self, combinations: list[dict[str, Any]]) -> Float2D:
        settings: dict[tuple[Any, ...], Setting] = {}
        rows = []
        for combination in combinations:
            costs, values = split_costs(combination)
            key = tuple(costs.values())
            if key not in settings:
                settings[key] = prepare(self.bars, **{**self.options, **costs})
            result = run_strategy(self.strategy.with_params(**values), settings[key])
            rows.append(returns_between(result.equity_values[result.valuation_marks], result.cash))
        return np.array(rows)
