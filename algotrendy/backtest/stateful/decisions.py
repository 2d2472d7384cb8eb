"""What a stateful strategy decides at each bar, as columns: what a check for look-ahead compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from algotrendy.backtest.portfolio.market import account_of_one
from algotrendy.backtest.setting import prepare
from algotrendy.backtest.stateful.loop import run_bars
from algotrendy.backtest.stateful.run import further_columns
from algotrendy.domain.types import Float1D

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.strategy import BarStrategy

__all__ = ["Decisions"]

_COLUMNS = ("orders", "units", "size", "price", "cancelled")


class Decisions:
    """Runs a copy of a strategy on bars, and gives its decisions as one row per bar.

    Parameters
    ----------
    strategy : BarStrategy
        What decides. What it holds is read anew for each run.
    """

    def __init__(self, strategy: BarStrategy) -> None:
        self.strategy = strategy

    def __call__(self, bars: pd.DataFrame) -> dict[str, Float1D]:
        """Return at each bar how many orders were placed and cancelled, and sums of their units, sizes and prices.

        Examples
        --------
        >>> import algotrendy as at
        >>> from algotrendy.strategy import BarStrategy
        >>> class Once(BarStrategy):
        ...     def on_bar(self, ctx):
        ...         if ctx.number == 2:
        ...             ctx.buy(size=0.5, stop_price=1.0)
        >>> decided = Decisions(Once())(at.synthetic(n=20, seed=1))
        >>> decided["orders"][:4].tolist(), decided["size"][:4].tolist()
        ([0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.5, 0.0])
        """
        setting = prepare(bars)
        done = run_bars(self.strategy, account_of_one(setting), columns=further_columns(bars))
        decided = {name: np.zeros(len(bars)) for name in _COLUMNS}
        for order in done.orders:
            at = order.placed_at
            decided["orders"][at] += 1.0
            decided["units"][at] += order.units if order.units is not None and np.isfinite(order.units) else 0.0
            decided["size"][at] += order.size or 0.0
            decided["price"][at] += (order.limit_price or 0.0) + (order.stop_price or 0.0)
            if order.ended_at is not None:
                decided["cancelled"][order.ended_at] += 1.0
        return decided
