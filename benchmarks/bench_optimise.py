"""What a portfolio optimisation takes: our solvers against the same problem in skfolio.

Run as `python benchmarks/bench_optimise.py`, with skfolio installed. Both are given the same returns and are asked in
turn; times are the least of several runs. The weights are compared, so that two different problems cannot be timed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from algotrendy.portfolio.optimise import (
    Constraints,
    Estimates,
    hierarchical_risk_parity,
    max_sharpe,
    min_cvar,
    min_variance,
    risk_parity,
)

SIZES = {50: 504, 500: 1008}
"""Number of assets, and days of returns."""


class Row(NamedTuple):
    """One line of the table; milliseconds."""

    title: str
    ours: float
    theirs: float
    difference: float

    @property
    def ratio(self) -> float:
        """How many times as long skfolio takes."""
        return self.theirs / self.ours


def returns_of(n: int, periods: int) -> pd.DataFrame:
    """Daily returns of shares: a market, ten sectors, and each its own."""
    rng = np.random.default_rng(0)
    market = rng.normal(0.0003, 0.009, (periods, 1)) * rng.uniform(0.6, 1.4, n)
    sectors = rng.normal(0.0, 0.006, (periods, 10))[:, np.arange(n) % 10]
    own = rng.normal(0.0, 1.0, (periods, n)) * rng.uniform(0.006, 0.02, n) + rng.normal(0.0002, 0.0002, n)
    return pd.DataFrame(
        market + sectors + own,
        columns=[f"S{k:03d}" for k in range(n)],
        index=pd.bdate_range("2020-01-01", periods=periods),
    )


def pairs(returns: pd.DataFrame) -> list[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    """Return the same problem twice: ours and skfolio's, estimates included."""
    from skfolio import RiskMeasure
    from skfolio.optimization import HierarchicalRiskParity, MeanRisk, ObjectiveFunction, RiskBudgeting

    sectors = {name: f"sector {k % 10}" for k, name in enumerate(returns.columns)}
    limits = Constraints(upper=0.1, groups=sectors, group_bounds={f"sector {k}": (None, 0.15) for k in range(10)})
    asked: dict[str, Any] = {
        "max_weights": 0.1, "groups": {name: [sector.replace(" ", "")] for name, sector in sectors.items()},
        "linear_constraints": [f"sector{k} <= 0.15" for k in range(10)],
    }  # fmt: skip
    variance = {"risk_measure": RiskMeasure.VARIANCE}
    ratio = ObjectiveFunction.MAXIMIZE_RATIO
    tree = {"linkage": "ward", "distance": "pairs", "optimal_order": True}

    def fitted(kind: Any, **options: Any) -> Callable[[], Any]:
        return lambda: kind(**options).fit(returns).weights_

    def found(optimiser: Callable[..., Any], **options: Any) -> Callable[[], Any]:
        return lambda: optimiser(Estimates.from_returns(returns), **options).weights.to_numpy()

    return [
        ("least variance, long only", found(min_variance), fitted(MeanRisk, **variance)),
        ("least variance, bounds and sectors", found(min_variance, constraints=limits),
         fitted(MeanRisk, **variance, **asked)),
        ("largest Sharpe ratio, bounds and sectors", found(max_sharpe, constraints=limits),
         fitted(MeanRisk, objective_function=ratio, **variance, **asked)),
        ("risk parity", found(risk_parity), fitted(RiskBudgeting, **variance)),
        ("hierarchical risk parity", found(hierarchical_risk_parity, **tree), fitted(HierarchicalRiskParity)),
        ("least expected shortfall", found(min_cvar), fitted(MeanRisk, risk_measure=RiskMeasure.CVAR)),
    ]  # fmt: skip


def least(ours: Callable[[], Any], theirs: Callable[[], Any], seconds: float) -> tuple[float, float]:
    """Return the least time of each, in milliseconds, asked in turn."""
    times: list[list[float]] = [[], []]
    end = time.perf_counter() + seconds
    while len(times[1]) < 2 or time.perf_counter() < end:
        for place, call in enumerate((ours, theirs)):
            start = time.perf_counter()
            call()
            times[place].append(time.perf_counter() - start)
    return min(times[0]) * 1e3, min(times[1]) * 1e3


def rows(seconds: float) -> list[Row]:
    """Time every pair at every size."""
    out = []
    for n, periods in SIZES.items():
        for title, ours, theirs in pairs(returns_of(n, periods)):
            difference = float(np.abs(ours() - theirs()).max())
            out.append(Row(f"{title}, {n} assets", *least(ours, theirs, seconds), difference))
    return out


def as_shared(row: Row) -> dict[str, Any]:
    """Return a row as `compare.py` reads it."""
    note = f"weights differ by {row.difference:.1e}"
    return {"title": row.title, "unit": "ms", "ours": row.ours, "peers": {"skfolio": row.theirs}, "note": note}


def main() -> None:
    """Print the table, or with `--json` the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each pair is asked, at least")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = rows(chosen.seconds)
    if chosen.json:
        print(json.dumps([as_shared(row) for row in found]))
        return
    for row in found:
        print(
            f"{row.title:55} {row.ours:9.2f} ms, skfolio {row.theirs:9.1f} ms, {row.ratio:6.1f} times, "
            f"weights differ by {row.difference:.1e}"
        )


if __name__ == "__main__":
    main()
