"""How many injected faults are found, and how many alarms clean bars give: see docs/explanation/data-quality.md.

Run `python benchmarks/quality_table.py [trials]`; it takes some minutes. Each trial takes a window of a clean series at
random, puts one fault in at random and checks; all randomness comes from one seed. Real files are read from the folder
`shared` beside the project; without it only the samples and the synthetic bars are used.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent))

import quality_faults as injection

from algotrendy.data import read_csv, sample, synthetic
from algotrendy.data.quality import check_quality

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SEED = 20_260_901
ROWS = 1_500
COLUMNS = ["open", "high", "low", "close", "volume"]


class Source(NamedTuple):
    """Clean series of one type, and the calendar that its user would name."""

    name: str
    calendar: str
    series: list[pd.DataFrame]


def synthetic_sources() -> Iterator[Source]:
    daily = [synthetic(3_000, seed=seed, model=model) for seed in (1, 2) for model in ("garch", "jumps")]
    yield Source("synthetic daily", "sessions", [bars[COLUMNS] for bars in daily])
    minutes = [synthetic(6_000, seed=seed, model="garch", interval="5m") for seed in (3, 4)]
    yield Source("synthetic 5m sessions", "sessions", [bars[COLUMNS] for bars in minutes])
    yield Source("index daily", "XNYS", [sample("NASDAQ").iloc[1_000:], sample("SP500").iloc[1_900:]])


def shared_sources() -> Iterator[Source]:
    table = pd.read_csv(SHARED / "us_equity_daily_raw.csv.gz", keep_default_na=False, parse_dates=["date"])
    factors = pd.read_csv(SHARED / "us_equity_factors.csv.gz", keep_default_na=False, parse_dates=["date"])
    stocks = []
    for symbol in ("AAPL", "BAC", "IBM", "GOOGL", "SPY", "FB", "WM"):
        rows = table[table["symbol"] == symbol].set_index("date")[COLUMNS].astype(float)
        steps = factors[factors["symbol"] == symbol].sort_values("date")
        place = np.minimum(steps["date"].searchsorted(rows.index), len(steps) - 1)
        factor = steps["split_factor"].astype(float).to_numpy()[place]
        rows[COLUMNS[:4]] = rows[COLUMNS[:4]].mul(factor, axis=0)
        rows["volume"] = rows["volume"] / factor
        stocks.append(rows[rows.index >= ("2012-06-01" if symbol in ("FB", "WM") else "1998-01-01")])
    yield Source("stock daily (split-adjusted)", "XNYS", stocks)
    yield Source("ETF hourly", "XNYS", [read_csv(SHARED / "spy_hour_raw.csv.gz")[COLUMNS]])
    yield Source("crypto minute", "24/7", [read_csv(SHARED / "btc_perp_minute.csv.gz")[COLUMNS]])
    sides = {side: read_csv(SHARED / "gbpusd_minute_quote_fxcm.csv.gz", **_side(side)) for side in ("bid", "ask")}
    middle = (sides["bid"][COLUMNS[:4]] + sides["ask"][COLUMNS[:4]]) / 2.0
    yield Source("FX minute", "24/5", [middle.assign(volume=0.0)])


def _side(side: str) -> dict[str, Any]:
    return {name: f"{side}_{name}" for name in COLUMNS[:4]}


def window(source: Source, rng: np.random.Generator) -> pd.DataFrame:
    bars = source.series[int(rng.integers(len(source.series)))]
    start = int(rng.integers(0, max(len(bars) - ROWS, 1)))
    return bars.iloc[start : start + ROWS]


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share [Wilson 1927]."""
    if not of:
        return 0.0, 1.0
    z, share = 1.96, hits / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def recall(sources: list[Source], trials: int) -> dict[tuple[str, str], tuple[int, int]]:
    """Return for each fault and source how many were found, of how many."""
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for name, injector in injection.FAULTS.items():
        for source in sources:
            rng = np.random.default_rng([SEED, *name.encode(), *source.name.encode()])
            hits = of = 0
            for _ in range(trials):
                injected = injector(window(source, rng), rng)
                if injected is None:
                    continue
                of += 1
                hits += injection.found(check_quality(injected[0], calendar=source.calendar), injected[1])
            counts[name, source.name] = (hits, of)
    return counts


def alarms(sources: list[Source]) -> dict[str, tuple[Counter[str], int]]:
    """Return the issues that clean series give, by kind, and how many bars there are."""
    counts = {}
    for source in sources:
        kinds: Counter[str] = Counter()
        for bars in source.series:
            kinds += check_quality(bars, calendar=source.calendar).kinds
        counts[source.name] = kinds, sum(len(bars) for bars in source.series)
    return counts


def elsewhere(sources: list[Source], trials: int) -> tuple[Counter[str], int]:
    """Return the alarms that a fault raises beside itself: issues elsewhere that the clean window did not have."""
    kinds: Counter[str] = Counter()
    checked = 0
    for name, injector in injection.FAULTS.items():
        for source in sources:
            rng = np.random.default_rng([SEED + 1, *name.encode(), *source.name.encode()])
            for _ in range(trials):
                bars = window(source, rng)
                injected = injector(bars, rng)
                if injected is None:
                    continue
                checked += 1
                first, last = (stamp + pd.Timedelta(days=days) for stamp, days in _ends(injected[1]))
                before = {(issue.kind, issue.first) for issue in check_quality(bars, calendar=source.calendar).issues}
                for issue in check_quality(injected[0], calendar=source.calendar).issues:
                    far = not pd.isna(issue.first) and (issue.first > last or issue.last < first)
                    kinds[issue.kind] += far and (issue.kind, issue.first) not in before
    return +kinds, checked


def _ends(fault: injection.Fault) -> tuple[tuple[pd.Timestamp, int], tuple[pd.Timestamp, int]]:
    """Return the stretch of a fault with four days on either side: what it does to its neighbours is its own."""
    return (fault.first, -4), (fault.last, 4)


def crashes(sources: list[Source], trials: int) -> dict[str, tuple[int, int]]:
    """Return how many made-up crashes are taken for splits."""
    counts = {}
    for source in sources:
        if "daily" not in source.name:
            continue
        rng = np.random.default_rng([SEED, *source.name.encode()])
        wrong = 0
        for _ in range(trials):
            broken, place = injection.crash(window(source, rng), rng)
            stamp = broken.index[place]
            wrong += any(i.first == stamp for i in check_quality(broken, calendar=source.calendar).of("split"))
        counts[source.name] = wrong, trials
    return counts


def main(trials: int) -> None:
    started = time.perf_counter()
    sources = [*synthetic_sources(), *(shared_sources() if SHARED.is_dir() else ())]
    names = [source.name for source in sources]
    print(f"### Found, of {trials} a cell\n\n| fault | {' | '.join(names)} | all, 95 % interval |")
    print(f"|---|{'---|' * (len(names) + 1)}")
    counts = recall(sources, trials)
    for fault in injection.FAULTS:
        cells = [counts[fault, name] for name in names]
        hits, of = (sum(cell[place] for cell in cells) for place in (0, 1))
        low, high = wilson(hits, of)
        shown = [f"{hit}/{n}" if n else "–" for hit, n in cells]
        print(f"| {fault} | {' | '.join(shown)} | {hits / max(of, 1):.1%} ({low:.1%} to {high:.1%}) |")
    print("\n### Crashes taken for splits\n")
    for name, (wrong, of) in crashes(sources, trials).items():
        low, high = wilson(wrong, of)
        print(f"- {name}: {wrong} of {of} ({low:.1%} to {high:.1%})")
    kinds, checked = elsewhere(sources, max(trials // 6, 1))
    said = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()) or "none"
    print(f"\n### Alarms beside the fault\n\n{kinds.total()} in {checked:,} windows with one fault each: {said}")
    print(
        "\n### Issues in the series as they are\n\n"
        "| series | bars | issues | per 10,000 bars | kinds |\n|---|---|---|---|---|"
    )
    for name, (kinds, bars) in alarms(sources).items():
        said = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()) or "none"
        print(f"| {name} | {bars:,} | {kinds.total()} | {10_000 * kinds.total() / bars:.1f} | {said} |")
    print(f"\n{time.perf_counter() - started:.0f} s, seed {SEED}", file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
