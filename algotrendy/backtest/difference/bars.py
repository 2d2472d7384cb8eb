"""Bars of two runs brought to one start and compared, and which fill each fee for borrowed units is settled with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from algotrendy.backtest.definitions import moment_text
from algotrendy.domain.types import AnyArray, Float1D

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["borrow_of_fills", "from_same_start", "rows_text", "same_bars", "times"]


def from_same_start(bars: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return the bars as if they began where the others do; what they lack is taken from the others."""
    import pandas as pd

    start = other.index[0]
    if start >= bars.index[0]:
        later: pd.DataFrame = bars[bars.index >= start]
        return later
    longer: pd.DataFrame = pd.concat([other.loc[other.index < bars.index[0], list(bars.columns)], bars])
    return longer


def same_bars(bars: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Tell whether stamps and prices are the same to the last bit."""
    columns = ["open", "high", "low", "close", *(["volume"] if "volume" in bars and "volume" in other else [])]
    return bars.index.equals(other.index) and all(
        np.array_equal(bars[name].to_numpy(dtype=np.float64), other[name].to_numpy(dtype=np.float64))
        for name in columns
    )


def times(bars: pd.DataFrame, multiplier: float) -> pd.DataFrame:
    """Return bars with their prices multiplied: what a unit is worth."""
    if multiplier == 1.0:
        return bars
    return bars.assign(**{name: bars[name] * multiplier for name in ("open", "high", "low", "close")})


def rows_text(bars: pd.DataFrame, other: pd.DataFrame) -> str:
    """Say how many rows differ, and which is the first."""
    common = bars.index.intersection(other.index)
    names = ["open", "high", "low", "close"]
    changed = (bars.loc[common, names].to_numpy() != other.loc[common, names].to_numpy()).any(axis=1)
    if changed.any():
        return f"{int(changed.sum()):,} rows of the bars differ, the first {moment_text(common[changed][0])}"
    alone = bars.index.symmetric_difference(other.index)
    return (
        f"{len(alone):,} bars are in one of the two alone, the last {moment_text(alone[-1])}"
        if len(alone)
        else "volumes differ"
    )


def borrow_of_fills(orders: Mapping[str, AnyArray], trades: Mapping[str, AnyArray]) -> Float1D:
    """Return the borrow that is settled with each fill: that of the trade which it closed.

    Parameters
    ----------
    orders, trades : mapping of str to array
        The columns of a result.
    """
    used = [name for name in ("instrument", "strategy", "exit_at", "reason") if name in trades]
    closed: dict[tuple[int, ...], list[float]] = {}
    for k, paid in enumerate(trades["borrow"].tolist()):
        key = (*(int(trades[name][k]) for name in used), -1 if trades["side"][k] > 0 else 1)
        closed.setdefault(key, []).append(paid)
    found: Float1D = np.zeros(len(orders["units"]))
    for k, units in enumerate(orders["units"].tolist()):
        own = (int(orders["filled_at" if name == "exit_at" else name][k]) for name in used)
        waiting = closed.get((*own, 1 if units > 0.0 else -1))
        if waiting:  # of two fills that turn a position round the first one closes
            found[k] = waiting.pop(0)
    return found
