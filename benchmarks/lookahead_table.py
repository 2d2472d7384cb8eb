"""The zoo of look-ahead and what finding it costs: the tables of docs/explanation/look-ahead.md.

Run `python benchmarks/lookahead_table.py [bars] [leaks] [clean]`; it takes some minutes. It checks every known leak
and every clean function of `tests/zoo` on the NASDAQ sample (intraday ones on synthetic bars) with the default options,
on one core.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small fits are slowed down by threads that wait for each other

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from algotrendy.backtest.lookahead import LookaheadReport, check_lookahead
from algotrendy.data import sample
from tests.zoo import lookahead_clean, lookahead_leaks

COLUMNS = ["open", "high", "low", "close", "volume"]


def zoo_bars(n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return daily bars with the closes of two more stocks, and intraday bars."""
    daily = sample("NASDAQ")[COLUMNS].iloc[-n:].copy()
    others = lookahead_leaks.daily(len(daily))
    daily["other"], daily["third"] = others["other"].to_numpy(), others["third"].to_numpy()
    return daily, lookahead_leaks.intraday(len(daily))


def checked(case: Any, daily: pd.DataFrame, intraday: pd.DataFrame) -> LookaheadReport:
    """Check one case with the default options."""
    options = dict(case.options)
    bars = (intraday if options.pop("intraday", False) else daily).copy()
    bars.attrs = options.pop("attrs", {})
    return check_lookahead(case.subject, bars, progress=False, **options)


def reach(report: LookaheadReport) -> str:
    """Return how far ahead a leak reaches, in words."""
    if any(leak.whole_future for leak in report.leaks):
        return "all"
    horizons = [leak.horizon for leak in report.leaks if leak.horizon]
    return str(max(horizons)) if horizons else "-"


def leak_row(name: str, report: LookaheadReport, through: tuple[str, ...]) -> tuple[str, bool]:
    """Return the line of a leak, and whether it was found and its input named."""
    named = list(dict.fromkeys(each for leak in report.leaks for each in leak.inputs))
    found = report.verdict == "leak" and any(each.startswith(wanted) for each in named for wanted in through)
    inputs = ", ".join(named[:3]) or "-"
    cost = f"{report.cost['runs']:.0f} | {report.cost['seconds']:.1f}"
    return f"| {name} | {report.verdict} | {inputs} | {reach(report)} | {cost} |", found


def print_leaks(daily: pd.DataFrame, intraday: pd.DataFrame) -> None:
    """Print the table of known leaks, line by line."""
    cases = lookahead_leaks.leaks(daily)
    print(f"{len(daily):,} bars\n\n| leak | verdict | through | bars ahead | runs | seconds |\n" + "|---" * 6 + "|")
    found = 0
    for name, case in cases.items():
        line, is_found = leak_row(name, checked(case, daily, intraday), case.through)
        found += is_found
        print(line, flush=True)
    print(f"\n{found} of {len(cases)} leaks found and their input named.\n")


def print_clean(daily: pd.DataFrame, intraday: pd.DataFrame) -> None:
    """Print the table of clean functions, line by line."""
    cases = lookahead_clean.clean(daily)
    print(f"{len(daily):,} bars\n\n| clean | verdict | bars tested | runs | seconds |\n" + "|---" * 5 + "|")
    quiet = 0
    for name, case in cases.items():
        report = checked(case, daily, intraday)
        quiet += report.is_clean
        tested = f"{report.detection.n_tested:,}" if report.detection else "-"
        cost = f"{report.cost['runs']:.0f} | {report.cost['seconds']:.1f}"
        print(f"| {name} | {report.verdict} | {tested} | {cost} |", flush=True)
    print(f"\n{quiet} of {len(cases)} clean functions passed without an alarm.")


def main() -> None:
    words = sys.argv[1:]
    tables = {"leaks": print_leaks, "clean": print_clean}
    bars = next((int(word) for word in words if word.isdigit()), 5_031)
    lookahead_leaks.register_indicators()
    for name in [word for word in words if word in tables] or tables:
        tables[name](*zoo_bars(bars))


if __name__ == "__main__":
    main()
