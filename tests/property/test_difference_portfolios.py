"""Of several instruments and of stateful strategies: the parts add up, and what was changed on purpose is named."""

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

from algotrendy.backtest.difference import Action, Fill, Ledger, PortfolioLedger, decompose
from algotrendy.backtest.difference.moments import Marks
from algotrendy.backtest.difference.path import reported

ROOT = Path(__file__).resolve().parents[2]
SEEDS_EACH = 1


@pytest.fixture(scope="module")
def seeds() -> ModuleType:
    path = ROOT / "benchmarks" / "difference_portfolio_seeds.py"
    spec = importlib.util.spec_from_file_location("difference_portfolio_seeds", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["difference_portfolio_seeds"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn(seeds: ModuleType) -> list[Any]:
    return [seeds.draw(kind, form, seed) for kind, form in seeds.KINDS for seed in range(SEEDS_EACH)]


@pytest.mark.parametrize("mode", ["run", "list", "ledger"])
def test_at_least_95_percent_of_changes_are_named_and_all_add_up(
    seeds: ModuleType, drawn: list[Any], mode: str
) -> None:
    usable = [one for one in drawn if seeds.usable(one, mode)]
    assert len(usable) >= 50
    reports = [(one, seeds.explained(one, mode)) for one in usable]
    assert max(seeds.missed(report) for _, report in reports) <= 1e-9
    for _, report in reports:
        if len(report.by_symbol.columns):
            sums = report.by_symbol.sum(axis=1).to_numpy()
            assert sums == pytest.approx([part.amount for part in report.parts], abs=1e-9 * report.start)
    wrong = [
        (one.change, one.form, one.part, report.largest.name)
        for one, report in reports
        if report.largest.name != one.part
    ]
    assert len(wrong) <= 0.05 * len(usable), wrong


def _member(rng: np.random.Generator, frame: pd.DataFrame, name: str) -> Ledger:
    """Return one instrument that is traded at random: in and out, in parts, round, split, with dividends."""
    held, fills, actions = 0.0, [], []
    for row in sorted(set(rng.integers(0, len(frame), int(rng.integers(0, 14))).tolist())):
        if rng.random() < 0.15:
            ratio = float(rng.choice([1.0, 2.0, 0.5]))
            actions.append(Action(at=frame.index[row], ratio=ratio, paid=float(rng.random() * 0.2)))
            held *= ratio
        units = float(rng.choice([-held, -held / 2, -2 * held, 1.0, -1.0, rng.normal()]))
        if units == 0.0:
            continue
        price = float(
            frame[str(rng.choice(["open", "close"]))].iloc[row] * (1.0 + rng.choice([0.0, rng.normal() / 99]))
        )
        fee = float(rng.choice([0.0, 1.0, 0.001 * abs(units) * price, rng.random()]))
        borrow = float(rng.choice([0.0, rng.random()])) if held < 0.0 < units else 0.0
        fills.append(Fill(filled_at=frame.index[row], units=units, price=price, commission=fee, borrow=borrow))
        held = 0.0 if abs(held + units) < 1e-12 else held + units
    return Ledger(name=name, cash=0.0, fills=tuple(fills), bars=frame, actions=tuple(actions))


def _account(seed: int, name: str, frames: dict[str, pd.DataFrame]) -> PortfolioLedger:
    rng = np.random.default_rng(seed)
    members = {symbol: _member(rng, frame, name) for symbol, frame in frames.items()}
    cash, paid = float(rng.choice([1000.0, 500.0])), float(rng.choice([0.0, rng.random()]))
    return PortfolioLedger(name=name, cash=cash, members=members, financing=paid)


def _frames(seed: int) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    found = {}
    for symbol in "ABC":
        close = 10.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, 40)))
        frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close)).assign(open=close * 1.003)
        frame.index = pd.date_range("2024-01-01", periods=40)
        found[symbol] = frame[rng.random(40) < (1.0 if symbol == "A" else 0.8)]
    return found


def _worth(account: PortfolioLedger) -> float:
    """Add up an account by hand: cash as it comes and goes, units with their splits, the last closes."""
    total = account.cash - account.financing
    for member in account.members.values():
        held = 0.0
        events: list[tuple[Any, int, Any]] = [(each.at, 0, each) for each in member.actions]
        events += [(each.filled_at, 1, each) for each in member.fills]
        for _, kind, each in sorted(events, key=lambda event: event[:2]):
            if kind == 0:
                total += held * each.paid
                held *= each.ratio
            else:
                total -= each.units * each.price + each.commission + each.borrow
                held = 0.0 if abs(held + each.units) < 1e-9 else held + each.units
        total += held * float(member.bars["close"].iloc[-1])
    return total


@given(one=st.integers(0, 2**32 - 1), two=st.integers(0, 2**32 - 1), other=st.sampled_from(["same", "bars", "fewer"]))
def test_parts_of_any_two_accounts_add_up_without_a_rest(one: int, two: int, other: str) -> None:
    frames = _frames(one ^ two)
    theirs = dict(frames)
    if other == "bars":
        theirs = {symbol: frame.iloc[3:-2] * 1.01 for symbol, frame in frames.items()}
    elif other == "fewer":
        del theirs["B"]
    first, second = _account(one, "one", frames), _account(two, "two", theirs)
    parts = decompose(first, second)
    scale = max(1000.0, *(abs(part.amount) for part in parts))
    assert reported(first) == pytest.approx(_worth(first), abs=1e-9 * scale)
    assert sum(part.amount for part in parts) == pytest.approx(_worth(second) - _worth(first), abs=1e-9 * scale)
    assert parts[-1].amount == pytest.approx(0.0, abs=1e-9 * scale)
    assert all(abs(part.amount) <= 1e-9 * scale for part in decompose(first, first))
    cash = {part.name: part.amount - sum(part.by_symbol.values()) for part in parts}
    assert cash.pop("initial cash") == pytest.approx(second.cash - first.cash, abs=1e-9 * scale)
    assert cash.pop("financing") == pytest.approx(first.financing - second.financing, abs=1e-9 * scale)
    assert all(abs(amount) <= 1e-9 * scale for amount in cash.values())


@given(seed=st.integers(0, 2**32 - 1))
def test_one_instrument_in_an_account_of_several_is_as_alone(seed: int) -> None:
    frame = _frames(seed)["A"]
    rng = np.random.default_rng(seed)
    alone = [_member(rng, frame, name) for name in ("one", "two")]
    alone = [Ledger(name=each.name, cash=1000.0, fills=each.fills, bars=frame) for each in alone]
    idle = Ledger(name="idle", cash=0.0, fills=(), bars=frame)
    beside = [PortfolioLedger(name=each.name, cash=1000.0, members={"A": each, "B": idle}) for each in alone]
    for part, expected in zip(decompose(beside[0], beside[1]), decompose(alone[0], alone[1]), strict=True):
        assert part.amount == pytest.approx(expected.amount, abs=1e-9 * 1000.0)
        assert part.fills == expected.fills


def test_marks_carry_the_last_close_on_and_know_nothing_later() -> None:
    days = pd.date_range("2024-01-01", periods=3)
    frame = pd.DataFrame({name: [1.0, 2.0, 4.0] for name in ("open", "high", "low", "close")}, index=days)
    marks = Marks(
        [Ledger(name=name, cash=0.0, fills=(), bars=bars) for name, bars in (("A", frame * 10), ("B", frame[1:2]))]
    )
    seen = [marks.at((day.value, rank)).tolist() for day in days for rank in (0, 2)]
    assert seen == [[10.0, 0.0], [10.0, 0.0], [20.0, 2.0], [20.0, 2.0], [40.0, 2.0], [40.0, 2.0]]
