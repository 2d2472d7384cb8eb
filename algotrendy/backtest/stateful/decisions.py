"""What a stateful strategy decides at each bar, as columns: what a check for look-ahead compares.

Of several instruments those end that end in the bars as they are, where their last bar is there. Bars that were left
out make no end: no bar before it knows of an end, and a cut inside a hole would look like one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from algotrendy.backtest.portfolio.market import account_of, account_of_one
from algotrendy.backtest.setting import prepare
from algotrendy.backtest.stateful.loop import run_bars
from algotrendy.backtest.stateful.run import further_columns
from algotrendy.domain.bars import PRICES, BarArrays
from algotrendy.domain.panel import Panel
from algotrendy.domain.types import Float1D

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.stateful.orders import Order
    from algotrendy.domain.calendar import Calendar
    from algotrendy.domain.panel import Name
    from algotrendy.strategy import BarStrategy

__all__ = ["Decisions", "PanelDecisions"]

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
        low, high = bars[list(PRICES)].min(axis=1), bars[list(PRICES)].max(axis=1)
        setting = prepare(bars.assign(low=low, high=high))  # one column alone may have been changed
        arrays = BarArrays(*(bars[name].to_numpy(dtype=np.float64) if name in bars else old
                             for name, old in setting.arrays._asdict().items()))  # fmt: skip
        done = run_bars(
            self.strategy, account_of_one(replace(setting, bars=bars, arrays=arrays)), columns=further_columns(bars)
        )
        return _by_bar(done.orders, len(bars))


class PanelDecisions:
    """Runs a copy of a strategy on several instruments, and gives its decisions in each as one row per stamp.

    Parameters
    ----------
    strategy : BarStrategy
        What decides.
    panel : Panel
        The bars as they are: which instruments end, and the calendars of all.
    """

    def __init__(self, strategy: BarStrategy, panel: Panel) -> None:
        self.strategy = strategy
        self.calendars: dict[Name, Calendar] = dict(zip(panel.instruments, panel.calendars, strict=True))
        last = [int(np.flatnonzero(panel.valid[:, j])[-1]) for j in range(len(panel.instruments))]
        self.ends = {
            name: (panel.index[row], int(panel.valid[:, j].sum()))
            for j, (name, row) in enumerate(zip(panel.instruments, last, strict=True))
            if row < len(panel.index) - 1
        }
        """The last stamp, and the number of bars, of each instrument that ends."""

    def __call__(self, frames: Mapping[Name, pd.DataFrame]) -> dict[str, Float1D]:
        """Return the columns of `Decisions` for each instrument, as "KO.units", on the union of the stamps."""
        account = account_of(Panel.of(frames, calendars=self.calendars))
        is_end = [self._is_end(name, frame) for name, frame in frames.items()]
        ends = np.array([row for row in account.market.ends.tolist() if is_end[row[1]]], np.int64).reshape(-1, 2)
        vars(account)["market"] = account.market._replace(ends=ends)
        placed: dict[int, list[Order]] = {}
        for order in run_bars(self.strategy, account).orders:
            placed.setdefault(order.place, []).append(order)
        return {
            f"{symbol}.{name}": values
            for j, symbol in enumerate(account.panel.symbols)
            for name, values in _by_bar(placed.get(j, []), account.n_bars).items()
        }

    def _is_end(self, name: Name, frame: pd.DataFrame) -> bool:
        """Tell whether bars end where those of an instrument that ends do, whatever they begin with or are dated."""
        if name not in self.ends:
            return False
        stamp, n_bars = self.ends[name]
        return len(frame) >= n_bars or bool(frame.index[-1] == stamp)


def _by_bar(orders: Sequence[Order], n_bars: int) -> dict[str, Float1D]:
    decided = {name: np.zeros(n_bars) for name in _COLUMNS}
    for order in orders:
        at = order.placed_at
        decided["orders"][at] += 1.0
        decided["units"][at] += order.units if order.units is not None and np.isfinite(order.units) else 0.0
        decided["size"][at] += order.size or 0.0
        decided["price"][at] += (order.limit_price or 0.0) + (order.stop_price or 0.0)
        if order.ended_at is not None:
            decided["cancelled"][order.ended_at] += 1.0
    return decided
