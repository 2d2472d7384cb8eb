"""Faults injected at random into clean bars are found, and clean bars give no alarm: a part of the table in docs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.data import sample, synthetic
from algotrendy.data.quality import check_quality

TRIALS = 10
FLOORS = {
    "bad close or open, 5 to 10 moves": 0.0,
    "bad high or low, 5 to 10 moves": 0.0,
    "bad high or low, 10 to 20 moves": 0.3,
    "split 3 for 2 or 4 for 3": 0.6,
}
"""What is found less often than nine times in ten: small spikes are told from the market by nothing but their size."""

FAULTS = (
    "row twice, word for word", "row twice, other prices", "rows out of order", "price missing (NaN)",
    "price zero or negative", "close outside [low, high]", "high and low swapped", "volume negative or NaN",
    "volume zero, 1 to 5 bars", "volume x1000, daily", "1 bar missing", "3 to 30 bars missing",
    "hole of half a year, then another instrument",
    "bad close or open, 5 to 10 moves", "bad high or low, 5 to 10 moves",
    "bad close or open, 10 to 20 moves", "bad high or low, 10 to 20 moves", "bad close or open, 20 to 60 moves",
    "bad high or low, 20 to 60 moves", "whole bar off, 20 to 60 moves", "1 bar x100 or x0.01",
    "2 to 40 bars x100 or x0.01", "all bars before x100 or x0.01", "1 price of a bar x100 or x0.01",
    "split 2, 3, 4, 5, 7 or 10 for 1", "split 1 for 2, 4, 5, 8, 10 or 20", "split 3 for 2 or 4 for 3",
    "split, volume adjusted already", "1 to 20 bars not adjusted for a split", "dividend not in the adjusted close",
    "8 to 30 bars frozen", "1 to 3 bars repeated", "1 to 5 sessions shifted by 1 to 3 hours", "a bar on a Saturday",
    "another frequency for 10 to 30 bars", "last bar unfinished", "1 to 20 quotes crossed",
)  # fmt: skip


@pytest.fixture(scope="module")
def clean() -> list[tuple[str, pd.DataFrame]]:
    """Return clean series with the calendar that their user would name."""
    made = [
        ("sessions", synthetic(1_200, seed=21, model="garch")),
        ("sessions", synthetic(1_950, seed=22, interval="5m")),
    ]
    real = [("XNYS", sample("NASDAQ").iloc[1_000:2_200]), ("XNYS", sample("SP500").iloc[2_000:3_200])]
    return [(calendar, bars[["open", "high", "low", "close", "volume"]]) for calendar, bars in (*made, *real)]


def test_every_fault_of_the_benchmark_is_tried(injection: Any) -> None:
    assert set(FAULTS) == set(injection.FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_injected_faults_are_found(injection: Any, clean: list[tuple[str, pd.DataFrame]], name: str) -> None:
    rng = np.random.default_rng([7, *name.encode()])
    hits = tries = 0
    for trial in range(TRIALS):
        calendar, bars = clean[trial % len(clean)]
        injected = injection.FAULTS[name](bars, rng)
        if injected is None:
            continue
        tries += 1
        hits += injection.found(check_quality(injected[0], calendar=calendar), injected[1])
    assert tries > 0
    assert hits >= FLOORS.get(name, 0.9) * tries - 1, f"{hits} of {tries}"


def test_clean_bars_give_hardly_an_alarm(clean: list[tuple[str, pd.DataFrame]]) -> None:
    alarms = [issue for calendar, bars in clean for issue in check_quality(bars, calendar=calendar).issues]
    assert len(alarms) <= 1, [str(issue) for issue in alarms]


def test_most_crashes_are_not_taken_for_splits(injection: Any, clean: list[tuple[str, pd.DataFrame]]) -> None:
    rng = np.random.default_rng(8)
    wrong = 0
    for trial in range(40):
        calendar, bars = clean[(0, 2, 3)[trial % 3]]
        broken, place = injection.crash(bars, rng)
        found = check_quality(broken, calendar=calendar).of("split")
        wrong += any(issue.first == broken.index[place] for issue in found)
    assert wrong <= 8
