"""What a fresh process costs: an import, and the first backtest with cold and warm caches of compiled code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

IMPORT = "import time; start = time.perf_counter(); import {name}; print(time.perf_counter() - start)"

FIRST = {
    "algotrendy": """
import algotrendy as at
bars = at.sample("NASDAQ")
strategy = at.Strategy(entry="sma(close, 20) > sma(close, 50)", exit="sma(close, 20) <= sma(close, 50)")
result = at.backtest(strategy, bars, cash=100_000, commission=0.0005)
print(dict(result.metrics)["sharpe_ratio"])
""",
    "raptorbt": """
import sys, numpy, raptorbt
columns = dict(numpy.load(sys.argv[1] + "/bars/daily.npz"))
fast, slow = raptorbt.sma(columns["close"], 20), raptorbt.sma(columns["close"], 50)
config = raptorbt.BacktestConfig(initial_capital=100_000, fees=0.0005, fill_timing="next_bar_open")
result = raptorbt.run_single_backtest(**columns, entries=fast > slow, exits=fast <= slow, config=config)
print(result.metrics.sharpe_ratio)
""",
    "vectorbt": """
import sys, numpy, pandas, vectorbt as vbt
columns = numpy.load(sys.argv[1] + "/bars/daily.npz")
close = pandas.Series(columns["close"], index=pandas.to_datetime(columns["timestamps"]))
fast, slow = vbt.MA.run(close, 20), vbt.MA.run(close, 50)
above, below = fast.ma_above(slow), fast.ma_below(slow)
portfolio = vbt.Portfolio.from_signals(close, above, below, init_cash=100_000, fees=0.0005, freq="1D")
print(portfolio.sharpe_ratio(), portfolio.max_drawdown(), portfolio.trades.count())
""",
}
"""The same job in a script of its own, as a newcomer would write it."""


def run_file(path: Path, core: int, *arguments: str) -> str:
    """Run a Python file on one core and return what it printed."""
    return _run([str(path), *arguments], core, {})[1]


def peer_figures(environment: str, script: str, *arguments: str, core: int | None = None) -> dict[str, Any]:
    """Run a script of peers in an environment of theirs under `out`, and return the JSON that it prints.

    Nothing where that environment could not be made: then the peers' figures are missing from the table.
    """
    folder = HERE / "out" / environment
    if not (folder / ".stamp").exists():
        return {}
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(folder / "bin" / "python"), "-W", "ignore", str(HERE / script), *arguments]
    process = subprocess.Popen(command, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    printed, complaints = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(complaints)
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def _run(arguments: list[str], core: int, environment: dict[str, str]) -> tuple[float, str]:
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.sched_setaffinity(process.pid, {core})
    printed, complaints = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(complaints)
    return time.perf_counter() - start, printed


def import_seconds(core: int, names: tuple[str, ...], rounds: int = 7) -> dict[str, float]:
    """Return the best time of `import name` for each name, asked in turn."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name in names:
            seconds = float(_run(["-c", IMPORT.format(name=name)], core, {})[1])
            best[name] = min(seconds, best.get(name, seconds))
    return best


def first_backtest_seconds(core: int, out: Path, rounds: int = 3) -> dict[str, dict[str, float]]:
    """Return, for each side, the wall time of a whole process: caches empty, and again with them filled."""
    best: dict[str, dict[str, float]] = {name: {"cold": float("inf"), "warm": float("inf")} for name in FIRST}
    for _ in range(rounds):
        for name, code in FIRST.items():
            with tempfile.TemporaryDirectory() as folder:
                caches = {"ALGOTRENDY_HOME": folder, "NUMBA_CACHE_DIR": f"{folder}/numba"}
                for state in ("cold", "warm"):
                    seconds, _ = _run(["-c", code, str(out)], core, caches)
                    best[name][state] = min(seconds, best[name][state])
    return best
