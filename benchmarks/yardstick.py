"""How much slower this machine is than the one that the budgets were set on, told by the peers alone.

The budgets are times that were measured beside the peers on one machine. A machine that is half as fast takes twice as
long for all of it, ours and theirs, so a time is judged twice: as it stands, and against the budget times the factor
that the peers took longer in the same run. Nothing of ours enters the factor.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

SINGLE = "one backtest, 5,031 daily bars, every metric"
MILLION = "one backtest, 1,000,000 bars"
SWEEP = "sweep, 10,011 pairs x 5,031 bars"
BOOTSTRAP = "bootstrap Monte Carlo, 100,000 x 252 (budget: a tenth of numpy)"
RENKO = "chart renko, a million trades"

WHERE_BUDGETS_WERE_SET: Mapping[tuple[str, str], float] = {
    (SINGLE, "raptorbt"): 0.24,
    (SINGLE, "vectorbt"): 19.0,
    (MILLION, "raptorbt"): 66.0,
    (SWEEP, "raptorbt"): 2_500.0,
    (SWEEP, "vectorbt"): 29_000.0,
    (BOOTSTRAP, "numpy"): 363.0,
    (RENKO, "mplfinance"): 1_468.0,
    (RENKO, "stocktrends"): 124_855.0,
}
"""A peer's figure for a row of the table, in the row's unit; the middle, where a range was noted."""


class Speed(NamedTuple):
    """How much longer the peers took here, and in how many of their figures that was seen."""

    factor: float
    n_figures: int


def speed(measured: Iterable[tuple[str, Mapping[str, float | None]]]) -> Speed:
    """Return the geometric mean of how many times longer the peers took; `measured` holds a title and its peers each.

    A figure that was left out is left out; with none the factor is 1.
    """
    found = dict(measured)
    ratios = []
    for (title, peer), before in WHERE_BUDGETS_WERE_SET.items():
        now = found.get(title, {}).get(peer)
        if now is not None:
            ratios.append(now / before)
    if not ratios:
        return Speed(1.0, 0)
    return Speed(math.exp(math.fsum(map(math.log, ratios)) / len(ratios)), len(ratios))
