"""The figures of vectorbt, backtesting.py, bt, zipline and quantstats against ours: `make cross-check`.

    python benchmarks/cross_check.py                 every peer, each in an environment of its own
    python benchmarks/cross_check.py zipline bt      these two
    python benchmarks/cross_check.py risk            measures of risk of empyrical, quantstats, ffn and vectorbt
    python benchmarks/cross_check.py --write         and put the tables into docs/coming-from
    python benchmarks/cross_check.py --recorded      what the peers said last time, against this tree

`cross_peers.py` runs the strategy in the peer's words. Here it runs in ours, with the options that make the
conventions equal. Each figure of the peer is then one of two things: equal to ours, or equal to what its definition
gives on our account. Where neither holds to 1e-9 the check fails. What the final equity differs by under the
conventions of each is taken apart by `at.explain_difference`, whose parts must add up. What libraries of risk say of
two series of returns must be what the options named in `cross_conventions.py` give.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import cross_conventions
import cross_restate
import numpy as np
import pandas as pd

import algotrendy as at

HERE = Path(__file__).resolve().parent
FOLDER, PAGES = HERE / "out" / "cross", HERE.parent / "docs" / "coming-from"
GOLDEN = HERE.parent / "tests" / "golden" / "trades"
RISK = HERE.parent / "tests" / "golden" / "risk" / "libraries.json"
CASH, FEE, N, T = 100_000.0, 0.001, 8, 1_000
PEERS = ("vectorbt", "backtesting", "zipline", "quantstats", "bt", "vectorbt_weights", "risk")
PAGE_OF = {"vectorbt": "vectorbt", "backtesting": "backtesting-py", "zipline": "zipline", "quantstats": "quantstats"}
PAGE_OF |= {"bt": "index", "vectorbt_weights": "index"}
WORST = 1e-9

SAME, NEXT = {"fill": "same_close"}, {"fill": "next_close", "size": at.FixedUnits(10)}
EVENTS = at.Strategy(
    entry="crosses_above(sma(close, fast), sma(close, slow))",
    exit="crosses_below(sma(close, fast), sma(close, slow))",
    fast=20,
    slow=50,
)
EQUAL: dict[tuple[str, str], dict[str, Any]] = {
    ("vectorbt", "its way"): {**SAME, "commission": FEE},
    ("vectorbt", "next open"): {"commission": FEE},
    ("vectorbt", "stop, events"): {**SAME, "commission": FEE, "stop": 0.05, "strategy": EVENTS},
    ("vectorbt", "stop"): {**SAME, "commission": FEE, "stop": 0.05},
    ("backtesting", "its way"): {"units": "whole", "commission": FEE},
    ("backtesting", "fractional"): {"units": "whole", "lot_size": 1e-6, "commission": FEE},
    ("backtesting", "trade on close"): {**SAME, "units": "whole", "commission": FEE},
    ("zipline", "its way"): {"fill": "next_close", "units": "whole", "commission": FEE},
    ("zipline", "its default costs"): {"fill": "next_close", "units": "whole", "commission": at.Fees(per_unit=0.001)},
    ("zipline", "shares"): {**NEXT, "commission": FEE},
    ("zipline", "shares, per share"): {**NEXT, "commission": at.Fees(per_unit=0.05, minimum=1.0)},
    ("zipline", "shares, basis points"): {**NEXT, "commission": at.Fees(fixed=2.0), "slippage": 0.0005},
}
"""The options of our run whose conventions are nearest to those of a peer's run."""

FIGURE_HEAD = "| its run | figure | theirs | ours | difference | explanation |\n|---|---|--:|--:|--:|---|"
PAGE_HEAD = "| figure | theirs | ours | difference | explanation |\n|---|--:|--:|--:|---|"

ON_PAGE = {"vectorbt": "next open", "backtesting": "fractional", "zipline": "shares", "quantstats": "returns"}
"""The run whose figures stand in the page; those of the others are checked alike."""

UNEQUAL = {("vectorbt", "stop"), ("zipline", "its way"), ("zipline", "its default costs")}
"""Runs of which a convention has no equal here: their gap is explained, and their metrics are not compared."""


def inputs() -> pd.DataFrame:
    """Write what all peers read, and return the bars: zipline stores prices to 0.001 and volume in 32 bits."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    bars = at.sample("NASDAQ").round(3)
    bars["volume"] = np.floor(bars["volume"] / 1000.0)
    bars.to_csv(FOLDER / "bars.csv", float_format="%.17g")
    cross_conventions.sample().to_csv(FOLDER / "risk_returns.csv", float_format="%.17g")
    weight_prices().to_csv(FOLDER / "prices.csv", float_format="%.17g")
    equity = np.append(CASH, at.backtest(at.strategies.sma_cross(20, 50), bars, commission=FEE).equity)
    returns = pd.Series(equity[1:] / equity[:-1] - 1.0, bars.index, name="return")
    returns.to_csv(FOLDER / "returns.csv", float_format="%.17g")
    return bars


def weight_prices() -> pd.DataFrame:
    """Return random prices with a seed, for the target weights."""
    rng = np.random.default_rng(7)
    steps = rng.normal(0.0003, 0.01, (T, 1)) + rng.normal(0.0, 0.012, (T, N))
    names = [f"S{j}" for j in range(N)]
    return pd.DataFrame(50.0 * np.exp(np.cumsum(steps, axis=0)), pd.bdate_range("2018-01-01", periods=T), names)


def interpreter(peer: str) -> Path:
    """Return the Python of an environment with the peer, made at the first call."""
    name = "zipline" if peer == "zipline" else "peers"
    folder, wanted = HERE / "out" / f"venv-{name}", HERE / f"requirements-{name}.txt"
    python, stamp = folder / "bin" / "python", folder / ".stamp"
    if not stamp.exists() or stamp.stat().st_mtime < wanted.stat().st_mtime:
        print(f"Making the environment of {name} ...", flush=True)
        venv.create(folder, with_pip=True, symlinks=True)
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([str(python), "-m", "pip", "install", *quiet, "--requirement", str(wanted)], check=True)
        stamp.touch()
    return python


def asked(peer: str, python: Path) -> dict[str, Any]:
    """Run the peer and return what it reports; keep it for `--recorded`."""
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), str(HERE / "cross_peers.py"), peer, str(FOLDER)],
        capture_output=True,
        text=True,
        check=False,
        env=clean,
    )
    if done.returncode:
        raise SystemExit(f"{peer} failed:\n{done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    (FOLDER / f"{peer}.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    return said


def ours(peer: str, run: str, bars: pd.DataFrame) -> Any:
    """Return our run under the peer's conventions."""
    options = dict(EQUAL[peer, run])
    strategy = options.pop("strategy", at.strategies.sma_cross(20, 50))
    return at.backtest(strategy, bars, cash=CASH, **options)


def agrees(a: float, b: float) -> bool:
    """Say whether two figures are equal to 1e-9, relatively, or absolutely below one."""
    return abs(a - b) <= WORST * max(1.0, abs(a), abs(b))


def figures(peer: str, run: str, said: dict[str, float], result: Any) -> tuple[list[str], int]:
    """Return the rows of one run's figures, and how many of them are not explained."""
    rows, failed = [], 0
    for line in cross_restate.LINES[peer]:
        if line.theirs not in said or run in line.not_in:
            continue
        theirs, own = said[line.theirs], line.ours(result)
        restated = line.restated(result)
        good = agrees(theirs, restated)
        failed += not good
        gap = "equal" if agrees(theirs, own) else number(theirs - own)
        why = line.why if good else f"NOT EXPLAINED: its definition gives {restated!r} on our account"
        rows.append(f"| {run} | `{line.theirs}` | {number(theirs)} | {number(own)} | {gap} | {why} |")
    return rows, failed


def parts(peer: str, run: str, final: float, bars: pd.DataFrame) -> tuple[list[str], int]:
    """Return the rows that take a gap in final equity apart: from our defaults, and from equal conventions."""
    fills = pd.read_csv(FOLDER / f"{peer} {run}.csv")
    default = at.backtest(at.strategies.sma_cross(20, 50), bars, cash=CASH, commission=FEE)
    rows, failed = [], 0
    for name, result in (("our defaults", default), ("nearest options", ours(peer, run, bars))):
        report = at.explain_difference(result, fills, final_equity=final)
        named = {part.name: part.amount for part in report.parts if abs(part.amount) >= 0.005}
        total = sum(part.amount for part in report.parts)
        equal_asked = name != "our defaults" and (peer, run) not in UNEQUAL
        failed += not agrees(total / CASH, report.gap / CASH) or abs(report.rest) > 1e-3
        failed += equal_asked and not agrees(final, report.start)
        told = ", ".join(f"{key} {value:+,.2f}" for key, value in named.items()) or "none: equal to 1e-9"
        rows.append(f"| {run} | {name} | {final:,.2f} | {report.start:,.2f} | {report.gap:+,.2f} | {told} |")
    return rows, failed


def number(value: float) -> str:
    """Return six significant digits; money with two decimals."""
    return f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.6g}"


def one_account(peer: str, said: dict[str, Any], bars: pd.DataFrame) -> tuple[str, int]:
    """Return the tables of a peer that trades one instrument, and the number of failures."""
    gaps = ["| its run | our run | theirs | ours | gap | parts |", "|---|---|--:|--:|--:|---|"]
    table = [*FIGURE_HEAD.split("\n")]
    final = {"vectorbt": "final_value()", "backtesting": "Equity Final [$]", "zipline": "portfolio_value"}[peer]
    failed = 0
    for run, values in said["runs"].items():
        rows, wrong = parts(peer, run, values[final], bars)
        gaps, failed = gaps + rows, failed + wrong
        if (peer, run) not in UNEQUAL:
            rows, wrong = figures(peer, run, values, ours(peer, run, bars))
            table, failed = table + rows, failed + wrong
    return "\n".join(["**Final equity, and what it differs by**", "", *gaps, "", "**Figures**", "", *table]), failed


def of_returns(said: dict[str, Any], bars: pd.DataFrame) -> tuple[str, int]:
    """Return quantstats' figures of our returns against those of our result."""
    result = at.backtest(at.strategies.sma_cross(20, 50), bars, cash=CASH, commission=FEE)
    table = [*FIGURE_HEAD.split("\n")]
    rows, failed = figures("quantstats", "returns", said["runs"]["returns"], result)
    return "\n".join([*table, *rows]), failed


def of_weights(peer: str, said: dict[str, Any]) -> tuple[str, int]:
    """Return equal weights each month: curves equal without costs; with costs, how far apart."""
    prices = pd.read_csv(FOLDER / "prices.csv", index_col=0, parse_dates=True)
    bars = {name: pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), prices[name])) for name in prices}
    weights = dict.fromkeys(prices, 1.0 / N)
    rows, failed = ["| costs | theirs | ours | largest gap of the curves | |", "|---|--:|--:|--:|---|"], 0
    who = {
        "bt": "bt takes each commission out of that instrument's own share",
        "vectorbt_weights": "vectorbt fills one after the other and cuts the last purchases where the cash ends",
    }[peer]
    for name, fee in (("no costs", 0.0), ("commission 0.1 %", FEE)):
        run = at.backtest(bars, weights=weights, rebalance="1mo", fill="same_close", commission=fee, cash=10 * CASH)
        prefix = "vectorbt weights" if peer == "vectorbt_weights" else "bt"
        theirs = pd.read_csv(FOLDER / f"{prefix} {name}.csv", index_col=0).iloc[:, 0].to_numpy()
        apart = float(np.abs(run.equity.to_numpy() / theirs - 1.0).max())
        failed += apart > (WORST if fee == 0.0 else 5e-4)
        why = "equal" if apart <= WORST else f"{who}; here all purchases are scaled by one factor"
        final = said["runs"][name]["final value"]
        rows.append(f"| {name} | {number(final)} | {number(run.metrics['final_equity'])} | {apart:.1e} | {why} |")
    return "\n".join(rows), failed


def of_risk(said: dict[str, Any]) -> tuple[str, int]:
    """Return what the measures of several libraries are, and those that no option of ours gives."""
    wrong = cross_conventions.unlike(said["runs"])
    n = sum(len(figures) for figures in said["runs"].values())
    return "\n".join([f"{n} figures, {len(wrong)} that nothing explains", *wrong]), len(wrong)


def write(peer: str, text: str) -> None:
    """Put a table between its marks in the page of the peer."""
    page, hidden = PAGES / f"{PAGE_OF[peer]}.md", f"| {ON_PAGE.get(peer)} | `"
    kept = [line for line in text.splitlines() if "` | " not in line or line.startswith(hidden)]
    text = "\n".join(line.replace(hidden, "| `") for line in kept).replace(FIGURE_HEAD, PAGE_HEAD)
    begin, end = f"<!-- figures of {peer}: written by benchmarks/cross_check.py -->", f"<!-- end of {peer} -->"
    before, rest = page.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def checked(peer: str, said: dict[str, Any], bars: pd.DataFrame) -> tuple[str, int]:
    """Return the text on one peer and the number of figures that are not explained."""
    if peer == "quantstats":
        text, failed = of_returns(said, bars)
    elif peer == "risk":
        text, failed = of_risk(said)
    elif peer in ("bt", "vectorbt_weights"):
        text, failed = of_weights(peer, said)
    else:
        text, failed = one_account(peer, said, bars)
    versions = ", ".join(f"{name} {value}" for name, value in said["versions"].items())
    return f"Recorded with {versions}.\n\n{text}", failed


def main() -> int:
    """Check the peers that were named; 1 if a figure is neither equal nor explained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--write", action="store_true", help="put the tables into the pages, and keep the figures")
    parser.add_argument("--recorded", action="store_true", help="do not run the peers again")
    parser.add_argument("--python", action="append", default=[], metavar="PEER=PATH", help="an interpreter with it")
    chosen = parser.parse_args()
    if unknown := set(chosen.peers) - set(PEERS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(PEERS)}")
    given = dict(pair.split("=", 1) for pair in chosen.python)
    bars, failures = inputs(), 0
    for peer in chosen.peers or PEERS:
        kept = FOLDER / f"{peer}.json"
        if chosen.recorded:
            said = json.loads(kept.read_text(encoding="utf-8"))
        else:
            said = asked(peer, Path(given[peer]) if peer in given else interpreter(peer))
        text, failed = checked(peer, said, bars)
        print(f"\n{peer}: {'every figure is equal or explained' if not failed else f'{failed} NOT EXPLAINED'}\n{text}")
        failures += failed
        if chosen.write and not failed and peer == "risk":
            RISK.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        elif chosen.write and not failed:
            write(peer, text)
            if peer == "zipline":
                shutil.copy(FOLDER / "zipline its way.csv", GOLDEN / "zipline_executions.csv")
            place = GOLDEN / "peers.json"
            known = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
            place.write_text(json.dumps(known | {peer: said}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
