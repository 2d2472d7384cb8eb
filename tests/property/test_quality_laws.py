"""Laws of data quality: one more fault never raises the score, a repair is done once, nothing changes in silence."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.data import synthetic
from algotrendy.data.quality import Issue, check_quality, repair
from algotrendy.data.quality.score import score_of

ROOT = Path(__file__).resolve().parents[2]


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("quality_faults", ROOT / "benchmarks" / "quality_faults.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["quality_faults"] = module
    spec.loader.exec_module(module)
    return module


INJECTION = _load()
CELLS = [
    name for name in INJECTION.FAULTS if name not in ("dividend not in the adjusted close", "1 to 20 quotes crossed")
]
"""The faults that leave the columns as they are, so that another one can be put into the same bars."""

issues = st.builds(
    lambda kind, severity, score, count: Issue(
        kind=kind, severity=severity, certainty="suspected", score=score, first=pd.Timestamp(0), last=pd.Timestamp(0),
        count=count, evidence="", proposal="",
    ),
    st.sampled_from(["gap", "unit", "outlier"]),
    st.sampled_from(["error", "warning", "info"]),
    st.floats(0.01, 1.0),
    st.integers(0, 10_000),
)  # fmt: skip


@cache
def clean(seed: int, kind: str) -> pd.DataFrame:
    daily = kind == "daily"
    bars = synthetic(500 if daily else 25 * 78, seed=seed, model="garch", interval=kind if not daily else "1d")
    return bars.drop(columns="is_synthetic")


@given(found=st.lists(issues, max_size=8), more=issues)
def test_another_issue_never_raises_the_score(found: list[Issue], more: Issue) -> None:
    assert 0.0 <= score_of([*found, more]) <= score_of(found) <= 100.0


series = {"seed": st.integers(0, 5), "kind": st.sampled_from(["daily", "5m"]), "place": st.integers(0, 2**32 - 1)}


@given(names=st.lists(st.sampled_from(CELLS), min_size=1, max_size=2), **series)
def test_one_more_fault_never_raises_the_score_of_bars(seed: int, kind: str, names: list[str], place: int) -> None:
    """Each fault is put into a stretch of its own, so that none hides another."""
    bars, rng = clean(seed, kind), np.random.default_rng(place)
    half = len(bars) // 2
    parts = [bars.iloc[:half], bars.iloc[half:]]
    score = 100.0
    for number, name in enumerate(names):
        injected = INJECTION.FAULTS[name](parts[number], rng)
        if injected is None:
            continue
        parts[number] = injected[0]
        now = check_quality(pd.concat(parts), calendar="sessions").score
        assert now <= score + 1e-9, name
        score = now


@given(name=st.sampled_from(list(INJECTION.FAULTS)), **series)
def test_a_repair_is_done_once_and_its_changes_tell_all(seed: int, kind: str, name: str, place: int) -> None:
    injected = INJECTION.FAULTS[name](clean(seed, kind), np.random.default_rng(place))
    if injected is None:
        return
    broken = injected[0]
    before = broken.copy()
    report = check_quality(broken, calendar="sessions")
    done = repair(broken, report)
    pd.testing.assert_frame_equal(broken, before)
    again = repair(done.bars, report)
    assert again.changes.empty
    pd.testing.assert_frame_equal(again.bars, done.bars)
    assert repair(done.bars, check_quality(done.bars, calendar="sessions")).changes.empty
    told = set(done.changes["time"])
    if (
        broken.index.is_unique
        and not (done.changes["column"] == "(row)").any()
        and done.bars.index.isin(broken.index).all()
    ):
        kept = broken.loc[done.bars.index]
        changed = ~((kept == done.bars) | (kept.isna() & done.bars.isna())).all(axis=1)
        assert set(done.bars.index[changed]) | set(broken.index.difference(done.bars.index)) <= told
