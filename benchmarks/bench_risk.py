"""Risk measures against pandas, empyrical, quantstats and arch, on one core.

Run as `python benchmarks/bench_risk.py`. All go through the public functions and take turns; the fastest of several
runs counts, and that all find the same is checked first. empyrical and quantstats run in an environment of their own,
by `peer_risk.py`, where `make bench` has made it. pandas is given a tenth of the points for its rolling quantile; it
has no rolling mean of the tail. Processor time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from arch import arch_model
from fresh import peer_figures

from algotrendy import risk

POINTS, WINDOW, DAYS, FIT = 1_000_000, 252, 5_040, 1_000
Peers = Mapping[str, Mapping[str, Any]]
"""The figures of `peer_risk.py` for one row: of each library its time, and what it found."""
ROLLING_BUDGET_NS, DRAWDOWN_BUDGET_NS, TABLE_BUDGET_MS = 25.0, 1.5, 5.0


class Row(NamedTuple):
    """One line of the table; `peers` has the same figure of each library that has such a thing."""

    title: str
    unit: str
    ours: float
    budget: float | None
    peers: dict[str, float]
    note: str = ""


def race(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the least processor time of each call in seconds, the calls taking turns."""
    best = dict.fromkeys(calls, np.inf)
    for _ in range(rounds):
        for name, call in calls.items():
            begin = time.process_time()
            call()
            best[name] = min(best[name], time.process_time() - begin)
    return best


def random_returns(n: int) -> pd.Series:
    """Fat-tailed returns of days."""
    return pd.Series(np.random.default_rng(0).standard_t(5, n) * 0.008 + 0.0003)


def rolling_row(rounds: int, peers: Peers) -> Row:
    """Value at risk and expected shortfall of every window, in one pass."""
    returns = random_returns(POINTS)
    few = returns.iloc[: POINTS // 10]
    ours, theirs = risk.rolling_tail_risk(returns, WINDOW), -few.rolling(WINDOW).quantile(0.05)
    np.testing.assert_allclose(ours["value_at_risk"].iloc[: few.size], theirs, rtol=1e-9, atol=1e-15)
    check_tails(peers)
    found = race({"ours": lambda: risk.rolling_tail_risk(returns, WINDOW)}, rounds)
    pandas = race({"pandas": lambda: few.rolling(WINDOW).quantile(0.05)}, 2)["pandas"]
    title = f"rolling VaR + ES, window {WINDOW}, {POINTS:,} points"
    each = {"pandas": 1e9 * pandas / few.size, **{name: figure["time"] for name, figure in peers.items()}}
    note = "per point; pandas: VaR alone; empyrical and quantstats: their functions on each window"
    return Row(title, "ns", 1e9 * found["ours"] / POINTS, ROLLING_BUDGET_NS, each, note)


def check_tails(peers: Peers) -> None:
    """Check that the peers measured the same window: under their conventions ours finds their figures."""
    for name, figure in peers.items():
        last = figure["windows"] + WINDOW - 1
        window = random_returns(POINTS).iloc[last - WINDOW : last]
        method, quantile = ("historical", "lower") if name == "empyrical" else ("parametric", "linear")
        tail = risk.value_at_risk(window, method=method, sign="return")
        beyond = risk.expected_shortfall(window, quantile=quantile, tail="at_or_beyond", sign="return")
        np.testing.assert_allclose([tail, beyond], figure["found"], rtol=1e-9, err_msg=name)


def drawdown_row(rounds: int, peers: Peers) -> Row:
    """The largest drawdown of a million returns with dates, as all of them want them."""
    returns = random_returns(POINTS)
    returns.index = pd.date_range("2000-01-01", periods=POINTS, freq="min")

    def by_pandas() -> float:
        wealth = (1.0 + returns).cumprod()
        return float((1.0 - wealth / wealth.cummax().clip(lower=1.0)).max())

    lost = risk.max_drawdown(returns)
    np.testing.assert_allclose([by_pandas(), *(-figure["found"] for figure in peers.values())], lost, rtol=1e-9)
    calls: dict[str, Callable[[], Any]] = {"ours": lambda: risk.max_drawdown(returns), "pandas": by_pandas}
    found = {name: 1e9 * seconds / POINTS for name, seconds in race(calls, rounds).items()}
    found |= {name: figure["time"] for name, figure in peers.items()}
    title = f"max drawdown, {POINTS:,} points"
    return Row(title, "ns", found.pop("ours"), DRAWDOWN_BUDGET_NS, found, "per point")


def table_row(rounds: int, peers: Peers) -> Row:
    """Every measure of twenty years of days, against a market too."""
    returns = random_returns(DAYS)
    market = returns.sample(frac=1.0, random_state=0).set_axis(returns.index)

    def table() -> Any:
        return risk.metrics(returns, benchmark=market, periods_per_year=252)

    found = race({"ours": table}, 10 * rounds)
    each = {name: figure["time"] for name, figure in peers.items()}
    note = f"{len(table())} measures, those against a benchmark too"
    note += "".join(f"; {name}: {figure['found']} rows, without a benchmark" for name, figure in peers.items())
    return Row(f"table of risk measures, {DAYS:,} days", "ms", 1e3 * found["ours"], TABLE_BUDGET_MS, each, note)


def garch_row(rounds: int) -> Row:
    """One fit of a GARCH(1,1) to four years of days."""
    returns = random_returns(FIT).to_numpy()
    model = arch_model(100.0 * returns, rescale=False)

    def by_arch() -> Any:
        return model.fit(disp="off", show_warning=False)

    ours = risk.garch_estimate(returns).log_likelihood
    assert ours >= by_arch().loglikelihood + FIT * np.log(100.0) - 1e-3, "arch found more likely numbers"
    found = race({"ours": lambda: risk.garch_estimate(returns), "arch": by_arch}, rounds)
    return Row(f"GARCH(1,1) fitted to {FIT:,} days", "ms", 1e3 * found["ours"], None, {"arch": 1e3 * found["arch"]})


def measure(rounds: int = 5) -> list[Row]:
    """Return every row."""
    peers = peer_figures("venv-risk", "peer_risk.py", "rolling", "drawdown", "table")
    return [
        rolling_row(rounds, peers.get("rolling", {})),
        drawdown_row(rounds, peers.get("drawdown", {})),
        table_row(rounds, peers.get("table", {})),
        garch_row(rounds),
    ]


def main(arguments: Sequence[str]) -> None:
    """Print the table, or with `--json` the rows."""
    rows = measure()
    if "--json" in arguments:
        print(json.dumps([row._asdict() for row in rows]))
        return
    for row in rows:
        peers = "; ".join(f"{name} {figure:,.3g} ({figure / row.ours:,.0f}x)" for name, figure in row.peers.items())
        over = "" if row.budget is None else f"budget {row.budget:g}: {'ok' if row.ours <= row.budget else 'over'}"
        print(f"{row.title:56} {row.ours:8.3g} {row.unit:3} {over:16} {peers}  {row.note}".rstrip())


if __name__ == "__main__":
    main(sys.argv[1:])
