"""A hundred passports reproduce, and whatever is altered in one is refused."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.passport import checksums_of, encoded, read_passport
from algotrendy.backtest.verification import verify_passport
from algotrendy.errors import AlgotrendyError, DataError
from algotrendy.research import verify
from tests.property.leaves import leaves, with_leaf

PASSPORTS = 100


def rising(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
    """Go long while the close is above that of some bars ago."""
    up = bars["close"] > bars["close"].shift(int(params["n"]))
    return {"entries": up, "exits": ~up}


def drawn(seed: int) -> tuple[at.BacktestResult, Any]:
    """Return a small backtest drawn at random, and what has to be handed in again."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(80, 160))
    bars = [
        lambda: at.sample("NASDAQ").iloc[seed * 7 : seed * 7 + n],
        lambda: at.sample("SP500").iloc[2000 + seed : 2000 + seed + n],
        lambda: at.synthetic(n=n, seed=seed, model=str(rng.choice(["random_walk", "garch", "jumps"]))),
        lambda: at.synthetic(n=n, seed=seed, interval="1h", calendar="24/7"),
    ][int(rng.integers(4))]()
    fast, slow = int(rng.integers(2, 8)), int(rng.integers(9, 20))
    strategy = [
        at.strategies.sma_cross(fast, slow),
        at.strategies.rsi_reversion(fast + 2, 40.0, 60.0),
        at.strategies.donchian_turtle(slow, fast),
        at.strategies.macd_long_short(fast, slow, 3),
        at.Strategy(entry="close > prev(close, n)", exit="close < prev(close, n)", n=fast, size=at.FixedUnits(3)),
        rising,
    ][int(rng.integers(6))]
    options: dict[str, Any] = {
        "fill": str(rng.choice(["next_open", "next_close", "same_close"])),
        "commission": [0.0, 0.001, at.Fees(per_unit=0.01, minimum=1.0)][int(rng.integers(3))],
        "slippage": float(rng.choice([0.0, rng.uniform(0.0, 0.002)])),
        "borrow": float(rng.choice([0.0, 0.03])),
        "cash": float(rng.uniform(1e4, 1e6)),
        "risk_free_rate": float(rng.choice([0.0, 0.02])),
    }
    if rng.random() < 0.3:
        options |= {"units": "whole", "lot_size": float(rng.choice([1.0, 0.0123456789]))}
    if rng.random() < 0.3:
        options |= {"stop": 0.05, "trail": 0.08}
    if strategy is rising:
        options["params"] = {"n": fast}
    return at.backtest(strategy, bars, **options), strategy if strategy is rising else None


def test_a_hundred_passports_reproduce(tmp_path: Path) -> None:
    failed = []
    for seed in range(PASSPORTS):
        result, strategy = drawn(seed)
        file = result.passport(tmp_path / f"{seed}.json", strategy=strategy)
        found = verify(file, strategy=strategy)
        if not found or found.tolerance != 0.0:
            failed.append((seed, str(found)))
    assert failed == []


# --- alterations ---


@pytest.fixture(scope="module")
def passport(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bars = at.synthetic(n=60, seed=5)
    result = at.backtest(at.strategies.sma_cross(3, 8), bars, commission=0.001)
    facts = {"trials": {"raw": 12, "effective": 4.5}, "lookahead": {"verdict": "no leak found"}}
    return result.passport(tmp_path_factory.mktemp("passport") / "p.json", **facts)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("altered") / "altered.json"


@given(data=st.data())
@settings(max_examples=2 * settings().max_examples)
def test_any_leaf_that_is_altered_is_refused_and_its_section_named(
    passport: Path, scratch: Path, data: st.DataObject
) -> None:
    content = json.loads(passport.read_text(encoding="utf-8"))
    path = data.draw(st.sampled_from(list(leaves(content))))
    scratch.write_bytes(encoded(with_leaf(content, path)))
    with pytest.raises(DataError) as refused:
        verify_passport(scratch)
    assert str(path[1] if path[0] == "checksums" else path[0]) in str(refused.value)


@given(data=st.data())
@settings(max_examples=2 * settings().max_examples)
def test_any_byte_that_is_altered_is_refused(passport: Path, scratch: Path, data: st.DataObject) -> None:
    raw = bytearray(passport.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255).filter(lambda value: value != raw[place]))
    scratch.write_bytes(bytes(raw))
    with pytest.raises(DataError):
        verify_passport(scratch)


@given(data=st.data())
def test_a_passport_that_is_cut_off_or_longer_is_refused(passport: Path, scratch: Path, data: st.DataObject) -> None:
    raw = passport.read_bytes()
    cut = data.draw(st.integers(0, len(raw) - 1))
    scratch.write_bytes(data.draw(st.sampled_from([raw[:cut], raw + b" ", raw + raw[:cut] + b"x"])))
    with pytest.raises(DataError):
        verify_passport(scratch)


@given(data=st.data())
@settings(max_examples=2 * settings().max_examples)
def test_new_checksums_do_not_help_what_running_again_shows(passport: Path, scratch: Path, data: st.DataObject) -> None:
    """Whoever alters a passport can make its checksums anew; the run then says what does not fit."""
    sections = read_passport(passport)
    proved = ("assumptions", "definition", "params", "results")
    paths = [path for path in leaves(sections) if path[0] in proved] + [("data", "hash")]
    altered = with_leaf(sections, data.draw(st.sampled_from(paths)))
    scratch.write_bytes(encoded(altered | {"checksums": checksums_of(altered)}))
    try:
        found = verify_passport(scratch, at.synthetic(n=60, seed=5))
    except AlgotrendyError:
        return
    assert not found
    assert "Not equal" in str(found)


@given(data=st.data())
def test_whatever_is_altered_with_new_checksums_no_error_is_unexpected(
    passport: Path, scratch: Path, data: st.DataObject
) -> None:
    sections = read_passport(passport)
    path = data.draw(st.sampled_from([path for path in leaves(sections) if path[0] != "results"]))
    altered = copy.deepcopy(sections)
    inner: Any = altered
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = data.draw(st.sampled_from([None, "", "x", -1, [], {}, {"$moment": "x"}, 1e-300, True]))
    scratch.write_bytes(encoded(altered | {"checksums": checksums_of(altered)}))
    with contextlib.suppress(AlgotrendyError):
        verify(scratch)
