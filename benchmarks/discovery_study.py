"""How often a discovery cries skill where there is none, and how often it finds what was planted.

Noise: blocks of the daily NASDAQ in another order, whose mean return is zero. Planted: days that lean against the day
before (an autocorrelation of -0.3), and trends that turn about every eighty days. Each path is searched by `discover`,
and the first finalist is called more than luck if its p-value is at most 5 %.

    python benchmarks/discovery_study.py

prints one row for each market in percent of the paths: by the verdict; by the same returns after the search, read as if
only that one finalist had been looked at (some finalist beyond 95 %); by the best Sharpe ratio on the search bars, read
as if it had been the only try.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import ndtr

from algotrendy import sample
from algotrendy.backtest.discovery import DiscoveryResult, SearchLimits, discover
from algotrendy.backtest.procedure.null import null_bars
from algotrendy.domain.bars import checked_arrays

N_BARS, LEVEL, PER_YEAR = 2000, 0.05, 252
SIDES = {"long": ("long",), "all": ("long", "short", "both")}


def noise(number: int) -> pd.DataFrame:
    """Return blocks of real bars in another order, whose simple returns have the mean zero.

    Null bars have no drift in their logarithms; then a simple return is above zero by half the variance, and being
    long does beat cash. So each close is taken down by that much more.
    """
    bars = sample("NASDAQ").iloc[:N_BARS]
    null = null_bars(checked_arrays(bars), "block", seed=1)
    path = pd.DataFrame(null.path(number)._asdict(), index=bars.index)
    prices = ["open", "high", "low", "close"]
    path[prices] = path[prices].to_numpy() / null.moves[3].mean() ** np.arange(N_BARS)[:, None]
    return path


def against_the_day_before(number: int) -> pd.DataFrame:
    """Return bars whose returns have an autocorrelation of -0.3."""
    shocks = np.random.default_rng([2, number]).normal(0.0, 0.01, N_BARS)
    returns = np.zeros(N_BARS)
    for day in range(1, N_BARS):
        returns[day] = -0.3 * returns[day - 1] + shocks[day]
    return bars_of(returns, number)


def trends(number: int) -> pd.DataFrame:
    """Return bars that move up or down by 0.2 % a day, and turn about every eighty days."""
    rng = np.random.default_rng([3, number])
    signs = np.cumprod(np.where(rng.random(N_BARS) < 1.0 / 80.0, -1.0, 1.0))
    return bars_of(0.002 * signs + rng.normal(0.0, 0.01, N_BARS), number)


def bars_of(returns: np.ndarray, number: int) -> pd.DataFrame:
    """Return bars that open where the last one closed."""
    rng = np.random.default_rng([4, number])
    close = 100.0 * np.cumprod(1.0 + returns)
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    reach = np.abs(rng.normal(0.0, 0.002, (2, len(close))))
    prices = {"open": opened, "high": high * (1.0 + reach[0]), "low": low * (1.0 - reach[1]), "close": close}
    return pd.DataFrame({**prices, "volume": 1e6}, index=pd.bdate_range("2010-01-04", periods=len(close)))


def naive(found: DiscoveryResult) -> tuple[bool, bool]:
    """Return what two careless readers say: of the finalists one by one, and of the best of the search."""
    single = found.table["skill"].to_numpy(dtype=float) ** (1.0 / found.effective_trials)
    best = found.searched["sharpe_ratio"].max() * math.sqrt(found.split.n_search / PER_YEAR)
    return bool((single > 1.0 - LEVEL).any()), bool(ndtr(best) > 1.0 - LEVEL)


def shares(make: Callable[[int], pd.DataFrame], sides: str, paths: int) -> np.ndarray:
    """Return the shares of the paths by each of the three readings."""
    limits = SearchLimits(directions=SIDES[sides])
    said = []
    for number in range(paths):
        found = discover(
            make(number), n_candidates=200, limits=limits, seed=number, n_resamples=499, workers=1, progress=False
        )
        said.append((found.is_more_than_luck, *naive(found)))
    return np.mean(said, axis=0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, default=500, help="of noise; a fifth as many of the others")
    paths = parser.parse_args().paths
    print("| market | sides | paths | verdict | finalists one by one | best of the search |")
    print("|---|---|---:|---:|---:|---:|")
    for make, share in ((noise, 1), (against_the_day_before, 5), (trends, 5)):
        for sides in SIDES:
            began = time.process_time()
            row = shares(make, sides, paths // share)
            name = make.__name__.replace("_", " ")
            cells = " | ".join(f"{100 * value:.1f}" for value in row)
            seconds = (time.process_time() - began) / (paths // share)
            print(f"| {name} | {sides} | {paths // share} | {cells} | <!-- {seconds:.2f} s a path -->", flush=True)


if __name__ == "__main__":
    main()
