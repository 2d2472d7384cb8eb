"""Sweeps of strategies that are Python functions: one backtest after the other, over processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.run import run_strategy
from algotrendy.backtest.setting import Setting, prepare
from algotrendy.backtest.stateful.run import stateful_metrics
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import BarStrategy

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.arguments import AnyStrategy

_PER_CHUNK = 8
"""Combinations of one chunk: few, because a Python function may take long."""

COSTS = ("commission", "slippage", "borrow")
"""What a sweep can vary besides the parameters and levels of a strategy."""


@dataclass(frozen=True)
class PythonSweep:
    """Backtests combinations of one strategy one by one; it travels to other processes as it is.

    Attributes
    ----------
    strategy : PythonStrategy, BarStrategy or Strategy
        What is swept: a Python function, what is asked bar by bar, or a text strategy on a chart.
    bars : DataFrame
        Checked bars.
    options : mapping
        Keywords of `backtest`.
    """

    strategy: AnyStrategy
    bars: pd.DataFrame
    options: Mapping[str, Any]

    def __call__(self, combinations: list[dict[str, Any]]) -> npt.NDArray[np.float64]:
        """Return the metrics of each combination, one row each."""
        settings: dict[tuple[Any, ...], Setting] = {}
        rows = []
        for combination in combinations:
            costs, values = split_costs(combination)
            key = tuple(costs.values())
            if key not in settings:
                settings[key] = prepare(self.bars, **{**self.options, **costs})
            metrics = _metrics(self.strategy.with_params(**values), settings[key])
            rows.append([float(metrics[name]) for name in METRICS])
        return np.array(rows)


def _metrics(strategy: AnyStrategy, setting: Setting) -> Mapping[str, Any]:
    if isinstance(strategy, BarStrategy):  # without the frames of a result
        return stateful_metrics(strategy, setting)
    return run_strategy(strategy, setting).metrics


def split_costs(combination: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the costs of a combination, and what belongs to the strategy.

    Examples
    --------
    >>> split_costs({"fast": 5, "commission": 0.001})
    ({'commission': 0.001}, {'fast': 5})
    """
    costs = {name: value for name, value in combination.items() if name in COSTS}
    return costs, {name: value for name, value in combination.items() if name not in COSTS}


def python_chunks(combinations: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Cut combinations into chunks of a few.

    Examples
    --------
    >>> [len(chunk) for chunk in python_chunks([{"n": n} for n in range(20)])]
    [8, 8, 4]
    """
    return [combinations[i : i + _PER_CHUNK] for i in range(0, len(combinations), _PER_CHUNK)]
