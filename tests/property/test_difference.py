"""The parts add up, and what was changed on purpose is named."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.backtest.difference import Fill, Ledger, decompose
from algotrendy.backtest.difference.path import reported

ROOT = Path(__file__).resolve().parents[2]
SEEDS_EACH = 3


@pytest.fixture(scope="module")
def seeds() -> ModuleType:
    spec = importlib.util.spec_from_file_location("difference_seeds", ROOT / "benchmarks" / "difference_seeds.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["difference_seeds"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn(seeds: ModuleType) -> list[Any]:
    one = [seeds.draw(kind, seed) for kind in seeds.KINDS for seed in range(SEEDS_EACH)]
    return one + [seeds.draw_two(seed) for seed in range(2 * SEEDS_EACH)]


@pytest.mark.parametrize("mode", ["run", "list", "ledger"])
def test_at_least_95_percent_of_changes_are_named_and_all_add_up(
    seeds: ModuleType, drawn: list[Any], mode: str
) -> None:
    usable = [one for one in drawn if mode != "run" or one.other is not None]
    assert len(usable) >= 50
    reports = [(one, seeds.explained(one, mode)) for one in usable]
    assert max(seeds.missed(report) for _, report in reports) <= 1e-9
    wrong = [(one.change, one.part, report.largest.name) for one, report in reports if report.largest.name != one.part]
    assert len(wrong) <= 0.05 * len(usable), wrong


def _account(seed: int, name: str, frame: pd.DataFrame) -> Ledger:
    """Return an account that trades at random: in and out, in parts, round, at odd prices and fees."""
    rng = np.random.default_rng(seed)
    held, fills = 0.0, []
    for row in np.sort(rng.integers(0, len(frame), int(rng.integers(0, 12)))).tolist():
        units = float(rng.choice([-held, -held / 2, -2 * held, 1.0, -1.0, rng.normal()]))
        if units == 0.0:
            continue
        price = float(frame["close"].iloc[row] * (1.0 + rng.choice([0.0, 0.0, rng.normal() * 0.01])))
        fee = float(rng.choice([0.0, 1.0, 0.001 * abs(units) * price, rng.random()]))
        borrow = float(rng.choice([0.0, rng.random()])) if held < 0.0 < units else 0.0
        fills.append(Fill(filled_at=frame.index[row], units=units, price=price, commission=fee, borrow=borrow))
        held += units
        held = 0.0 if abs(held) < 1e-12 else held
    return Ledger(name=name, cash=float(rng.choice([1000.0, 500.0])), fills=tuple(fills), bars=frame)


@given(one=st.integers(0, 2**32 - 1), two=st.integers(0, 2**32 - 1), other_bars=st.booleans())
def test_parts_of_any_two_accounts_add_up_without_a_rest(one: int, two: int, other_bars: bool) -> None:
    rng = np.random.default_rng(one ^ two)
    close = 10.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, 40)))
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close))
    frame.index = pd.date_range("2024-01-01", periods=40)
    changed = frame.iloc[3:-2] * 1.01 if other_bars else frame
    first, second = _account(one, "one", frame), _account(two, "two", changed)
    parts = decompose(first, second)
    gap = reported(second) - reported(first)
    scale = max(1000.0, *(abs(part.amount) for part in parts))
    assert sum(part.amount for part in parts) == pytest.approx(gap, abs=1e-9 * scale)
    assert parts[-1].amount == pytest.approx(0.0, abs=1e-9 * scale)
    assert all(abs(part.amount) <= 1e-9 * scale for part in decompose(first, first))


@given(one=st.integers(0, 2**32 - 1), two=st.integers(0, 2**32 - 1))
def test_the_way_back_has_the_opposite_gap(one: int, two: int) -> None:
    close = np.linspace(10.0, 12.0, 40)
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close))
    frame.index = pd.date_range("2024-01-01", periods=40)
    first, second = _account(one, "one", frame), _account(two, "two", frame)
    there, back = (sum(part.amount for part in decompose(*pair)) for pair in ((first, second), (second, first)))
    assert there == pytest.approx(-back, abs=1e-6)
