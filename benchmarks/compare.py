"""Run every row of the budget, ours and the peers' in turn, print the table and keep it as JSON.

Each side lives in a process of its own on one and the same core and is asked in turn, round after round; what counts is
the best time of each. Run it through `make bench`, which makes the environment.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fresh
from yardstick import Speed, speed

HERE = Path(__file__).resolve().parent
OUT = HERE / "out"
BARS = OUT / "bars"
NOISE = 0.05
"""Two equally fast loops measure differently by about this much."""
DAILY, PAIRS = 5_031, 10_011


@dataclass
class Row:
    """One line of the table.

    Attributes
    ----------
    ours, budget : float
        In `unit`; None where there is no budget.
    peers : dict
        The same figure of each peer, None where it was left out.
    """

    title: str
    unit: str
    ours: float
    budget: float | None = None
    peers: dict[str, float | None] = field(default_factory=dict)
    note: str = ""
    noise: float = 0.0
    """Share by which a budget that is itself a peer's measured time may be passed."""
    fixed: bool = False
    """The budget is the same on any machine: it was measured in this run, or is no matter of speed."""

    @property
    def verdict(self) -> str:
        """PASS, or how far over the budget."""
        if self.budget is None:
            return ""
        over = self.ours / self.budget
        return "PASS" if over <= 1.0 + self.noise else f"OVER x{over:.2f}"

    def share(self, factor: float) -> float | None:
        """Return the part of the budget that is used on a machine that takes `factor` times as long."""
        if self.budget is None:
            return None
        return self.ours / (self.budget * (1.0 if self.fixed else factor))

    def is_over(self, factor: float) -> bool:
        """Return whether the budget is broken on such a machine."""
        share = self.share(factor)
        return share is not None and share > 1.0 + self.noise


class Side:
    """One worker process."""

    def __init__(self, script: str, core: int) -> None:
        self.name = script.removeprefix("peer_")
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / f"{script}.py"), str(BARS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        os.sched_setaffinity(self._process.pid, {core})

    def ask(self, task: str, repeat: int = 1, *, warm: bool = True) -> dict[str, Any]:
        """Time one task and return seconds, facts and memory."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"task": task, "repeat": repeat, "warm": warm}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} died in the task {task!r}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


@contextmanager
def sides(names: list[str], core: int) -> Iterator[dict[str, Side]]:
    """Start a process for each side and end them all."""
    started = {name: Side(name, core) for name in names}
    try:
        yield started
    finally:
        for side in started.values():
            side.close()


def in_turn(running: dict[str, Side], task: str, rounds: int, repeats: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Ask every side in turn, `rounds` times; return the best seconds and the facts of each."""
    best: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for name, side in running.items():
            answer = side.ask(task, repeats.get(name, 1))
            seconds = min(answer["seconds"])
            if name not in best or seconds < best[name]["best"]:
                best[name] = {**answer, "best": seconds}
    return best


def _peer_figures(best: dict[str, dict[str, Any]], scale: float) -> dict[str, float | None]:
    return {name.removeprefix("peer_"): found["best"] * scale for name, found in best.items() if name != "ours"}


def _same(ours: float, theirs: float) -> str:
    difference = abs(ours - theirs) / abs(theirs)
    return "the same equity to 1e-9" if difference < 1e-9 else f"equity differs by {difference:.1e}"


def single_rows(core: int, quick: bool) -> list[Row]:
    """One backtest of 5,031 daily bars and one of a million bars, through the public API."""
    with sides(["ours", "peer_raptorbt", "peer_vectorbt"], core) as running:
        one = in_turn(running, "one", 5, {"ours": 100, "peer_raptorbt": 100, "peer_vectorbt": 5})
        kernel = in_turn({"ours": running["ours"]}, "one_kernel", 5, {"ours": 200})
        facts = one["ours"]["facts"]
        agreement = "; ".join(
            (
                f"next open: {_same(facts['final_equity'], one['peer_raptorbt']['facts']['final_equity'])} as raptorbt",
                f"same close: {_same(facts['final_equity_same_close'], one['peer_vectorbt']['facts']['final_equity'])}"
                " as vectorbt",
            )
        )
        few = {name: side for name, side in running.items() if not (quick and name == "peer_vectorbt")}
        million = in_turn(few, "million", 1 if quick else 2, {"ours": 10, "peer_raptorbt": 3, "peer_vectorbt": 1})
    return [
        Row("one backtest, 5,031 daily bars: kernels alone", "ms", kernel["ours"]["best"] * 1e3, 0.1),
        Row(
            "one backtest, 5,031 daily bars, every metric",
            "ms",
            one["ours"]["best"] * 1e3,
            1.0,
            _peer_figures(one, 1e3),
            agreement,
        ),
        Row("one backtest, 1,000,000 bars", "ms", million["ours"]["best"] * 1e3, 15.0, _peer_figures(million, 1e3)),
    ]


def sweep_rows(core: int, quick: bool) -> list[Row]:
    """10,011 pairs of windows on 5,031 bars; time, and memory in a process that does nothing else."""
    names = ["ours", "peer_raptorbt", *([] if quick else ["peer_vectorbt"])]
    rows, memory = [], {}
    for name in names:
        with sides([name], core) as alone:
            alone[name].ask("sweep_small")  # loads and compiles whatever is loaded late
            answer = alone[name].ask("sweep", warm=False)
            memory[name] = answer["mib_peak"] - answer["mib_before"]
    repeats = {"ours": 5, "peer_raptorbt": 1, "peer_vectorbt": 1}
    with sides(names, core) as running:
        for task, title, budget in (
            ("sweep", "sweep, 10,011 pairs x 5,031 bars", 100.0),
            ("sweep_stop", "the same with a stop of 5 % and half the account", 150.0),
        ):
            best = in_turn(running, task, 1, repeats)
            again = in_turn({name: running[name] for name in names if name != "peer_vectorbt"}, task, 2, repeats)
            for name, found in again.items():
                best[name] = min(found, best[name], key=lambda answer: answer["best"])
            per = best["ours"]["best"] / (PAIRS * DAILY) * 1e9
            rows.append(
                Row(
                    title,
                    "ms",
                    best["ours"]["best"] * 1e3,
                    budget,
                    _peer_figures(best, 1e3),
                    f"{per:.2f} ns per bar and combination",
                )
            )
        volatility = in_turn({"ours": running["ours"]}, "sweep_volatility", 3, {"ours": 3})
    rows.append(
        Row(
            "the same with a stop, a trailing stop and volatility sizing", "ms", volatility["ours"]["best"] * 1e3, 150.0
        )
    )
    peers = {name.removeprefix("peer_"): memory[name] for name in names if name != "ours"}
    rows.append(Row("the sweep's memory above what was loaded before", "MiB", memory["ours"], 100.0, peers, fixed=True))
    return rows


def library_rows(core: int) -> list[Row]:
    """Twelve strategies of the library, each swept: nanoseconds per bar and combination."""
    with sides(["ours"], core) as running:
        figures = running["ours"].ask("library", warm=False)["facts"]
    mean = 1.0
    for figure in figures.values():
        mean *= figure ** (1 / len(figures))
    worst = max(figures, key=lambda name: figures[name])
    each = ", ".join(f"{name} {figure:.1f}" for name, figure in sorted(figures.items(), key=lambda item: item[1]))
    return [
        Row("12 library strategies swept, geometric mean", "ns", mean, 3.0, {}, f"per bar and combination; {each}"),
        Row(f"the slowest of the 12: {worst}", "ns", figures[worst], None),
    ]


def fresh_rows(core: int) -> list[Row]:
    """What a new process pays: the import, and the first backtest with cold and with warm kernel caches."""
    imports = fresh.import_seconds(core, ("numpy", "algotrendy", "raptorbt", "vectorbt"))
    first = fresh.first_backtest_seconds(core, OUT)
    peers: dict[str, float | None] = {name: imports[name] * 1e3 for name in ("numpy", "raptorbt", "vectorbt")}
    cold: dict[str, float | None] = {"vectorbt": first["vectorbt"]["cold"], "raptorbt": first["raptorbt"]["cold"]}
    warm: dict[str, float | None] = {"vectorbt": first["vectorbt"]["warm"], "raptorbt": first["raptorbt"]["warm"]}
    return [
        Row(
            "import algotrendy (budget: 1.2 x import numpy)",
            "ms",
            imports["algotrendy"] * 1e3,
            1.2e3 * imports["numpy"],
            peers,
            fixed=True,
        ),
        Row("first backtest in a fresh process, caches cold", "s", first["algotrendy"]["cold"], 3.0, cold),
        Row("first backtest in a fresh process, caches warm", "s", first["algotrendy"]["warm"], 1.0, warm),
    ]


def indicator_rows(core: int) -> list[Row]:
    """A million bars through each indicator, against TA-Lib: `bench_indicators.py` measures, this reads."""
    from bench_indicators import BUDGETS_NS, OVERHEAD_BUDGET_US

    found = json.loads(fresh.run_file(HERE / "bench_indicators.py", core, "--json"))
    rows = []
    for measured in found:
        peer = None if math.isnan(measured["peer_ns"]) else measured["peer_ns"]
        budget = BUDGETS_NS.get(measured["name"])
        row = Row(f"indicator {measured['name']}", "ns/bar", measured["ours_ns"], budget, {"TA-Lib": peer})
        if budget is None and peer is not None:
            row.budget, row.noise, row.fixed = peer, NOISE, True
        rows.append(row)
    slowest = max(found, key=lambda measured: measured["overhead_us"])
    title = f"largest fixed overhead of an indicator: {slowest['name']}"
    return [*rows, Row(title, "µs", slowest["overhead_us"], OVERHEAD_BUDGET_US)]


def rows_of(script: str, core: int, peer: str = "") -> list[Row]:
    """Run a script that measures by itself and return its rows; `peer` is what it measures beside ours.

    A row with several peers has them by name, under `peers`.
    """
    rows = []
    for found in json.loads(fresh.run_file(HERE / script, core, "--json")):
        theirs = found.get("peer", math.nan)
        peers: dict[str, float | None] = found.get("peers") or ({} if math.isnan(theirs) else {peer: theirs})
        rows.append(Row(found["title"], found["unit"], found["ours"], found.get("budget"), peers, found["note"]))
    return rows


def monte_carlo_rows(core: int) -> list[Row]:
    """Monte Carlo against NumPy, and the procedure test."""
    rows = rows_of("bench_monte_carlo.py", core, "numpy")
    for row in rows:
        row.fixed = bool(row.peers)  # then the budget is a part of the peer's time
    return rows


def limit_rows(core: int) -> list[Row]:
    """Checks before a trade, and reservations: `bench_risk_limits.py` measures, this reads."""
    rows = rows_of("bench_risk_limits.py", core)
    for row in rows:
        row.unit = row.unit.replace("us", "µs")
    return rows


def chart_rows(core: int) -> list[Row]:
    """A million trades through each chart style: `bench_charts.py` measures ours, `peer_charts.py` the peers."""
    from bench_charts import BUDGET_NS, FAST

    found = json.loads(fresh.run_file(HERE / "bench_charts.py", core, "--json"))
    peers = fresh.peer_figures("venv-charts", "peer_charts.py", core=core)
    rows = []
    for measured in found["rows"]:
        name, whole = measured["name"], measured["whole_ns"]
        theirs: dict[str, float | None] = {peer: figures["ns"] for peer, figures in peers.get(name, {}).items()}
        note = f"from arrays to rows alone: {measured['arrays_ns']:.2f}; {measured['n_rows']:,} rows"
        budget = BUDGET_NS if name in FAST else None
        rows.append(Row(f"chart {name}, a million trades", "ns", whole, budget, theirs, note))
    return [*rows, Row("one event of a renko stream", "µs", found["stream_us"])]


def stream_rows(core: int) -> list[Row]:
    """A replay of 10,000 ticks a second to four subscribers on one core: how old a tick is when it is handed over."""
    found = json.loads(fresh.run_file(HERE / "bench_stream.py", core, "5", "--json"))
    note = f"{found['subscribers']} subscribers, {found['delivered']:,} ticks handed over, {found['dropped']} dropped"
    return [
        Row(
            "stream at 10,000 ticks a second: age of a tick, p99",
            "ms",
            found["p99"] * 1e3,
            1000.0,
            {},
            note,
            fixed=True,
        )
    ]


def print_table(rows: list[Row], factor: float) -> None:
    """Print one line per row, the notes below it."""
    print(f"\n{'':62}{'ours':>8}{'':7}{'budget':>7}  {'':12}{'used':>6}  peers")
    for row in rows:
        budget = "" if row.budget is None else f"{row.budget:.3g}"
        peers = "; ".join(_peer(row, name, value) for name, value in row.peers.items() if value is not None)
        share = row.share(factor)
        here = "" if share is None else f"{share:.2f}"
        line = f"{row.title:62}{_figure(row.ours):>8} {row.unit:<6}{budget:>7}  {row.verdict:12}{here:>6}  {peers}"
        print(line.rstrip())
        if row.note:
            print(f"    {row.note}")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _peer(row: Row, name: str, value: float) -> str:
    return f"{name} {_figure(value)} ({_figure(value / row.ours)}x)"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def say_verdict(rows: list[Row], over: list[Row], here: Speed) -> None:
    """Say which budgets are broken, as they stand and at the speed of this machine."""
    standing = [row.title for row in rows if row.verdict.startswith("OVER")]
    print(f"over the budget as it stands: {', '.join(standing) or 'no row'}")
    print(
        f"here: by {here.n_figures} figures of the peers this machine takes {here.factor:.2f} times as long as the one"
        " that the budgets were set on; used: of the budget times that"
    )
    print(f"over the budget at this machine's speed: {', '.join(row.title for row in over) or 'no row'}")


def main() -> int:
    """Measure, print, save; the exit code says whether a budget was broken."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="leave out what vectorbt takes minutes for")
    options.add_argument(
        "--strict", action="store_true", help="end with 1 if a row is over its budget at this machine's speed"
    )
    options.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="the core to measure on")
    chosen = options.parse_args()
    BARS.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    subprocess.run([sys.executable, str(HERE / "ours.py"), "--write-bars", str(BARS)], check=True)
    rows = [
        *single_rows(chosen.core, chosen.quick),
        *sweep_rows(chosen.core, chosen.quick),
        *library_rows(chosen.core),
        *fresh_rows(chosen.core),
        *indicator_rows(chosen.core),
        *rows_of("bench_store.py", chosen.core, "pandas"),
        *monte_carlo_rows(chosen.core),
        *rows_of("bench_portfolio.py", chosen.core),
        *rows_of("bench_ledger.py", chosen.core),
        *rows_of("bench_risk.py", chosen.core),
        *limit_rows(chosen.core),
        *rows_of("bench_reports.py", chosen.core),
        *rows_of("bench_optimise.py", chosen.core),
        *chart_rows(chosen.core),
        *stream_rows(chosen.core),
    ]
    packages = ("algotrendy", "numpy", "pandas", "numba", "raptorbt", "vectorbt", "TA-Lib")
    machine = {"cpu": _cpu(), "python": platform.python_version(), **{name: version(name) for name in packages}}
    here = speed((row.title, row.peers) for row in rows)
    print_table(rows, here.factor)
    print(f"\n{_cpu()}, one core; " + ", ".join(f"{name} {value}" for name, value in machine.items() if name != "cpu"))
    print(
        f"measured in {time.perf_counter() - start:.0f} s; an x after a peer's figure: that many times ours;", end=" "
    )
    print(f"where TA-Lib's time is the budget, {NOISE:.0%} is taken for noise")
    over = [row for row in rows if row.is_over(here.factor)]
    say_verdict(rows, over, here)
    latest = {
        "machine": machine,
        "date": time.strftime("%Y-%m-%d"),
        "speed": here._asdict(),
        "rows": [asdict(row) | {"verdict": row.verdict, "share_here": row.share(here.factor)} for row in rows],
    }
    (OUT / "latest.json").write_text(json.dumps(latest, indent=1), encoding="utf-8")
    return 1 if over and chosen.strict else 0


if __name__ == "__main__":
    sys.exit(main())
