"""Discovery on several instruments with one account: the search and the verdict of one, which is the case n = 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy import research
from algotrendy.backtest.discovery import DiscoveryResult, discover
from algotrendy.backtest.trials import MemoryTrialLedger
from algotrendy.errors import InputError

SEARCH: dict[str, Any] = {"n_candidates": 24, "seed": 1, "n_resamples": 99, "workers": 1, "progress": False}
COSTS = {"commission": 0.0005, "slippage": 0.0002}


@pytest.fixture(scope="module")
def three() -> dict[str, pd.DataFrame]:
    return {name: at.synthetic(n=500, seed=k).iloc[10 * k :] for k, name in enumerate("ABC")}


@pytest.fixture(scope="module")
def found(three: dict[str, pd.DataFrame]) -> DiscoveryResult:
    return discover(three, **SEARCH, **COSTS, max_positions=2)


def test_one_instrument_in_a_mapping_is_the_search_on_one() -> None:
    bars, more = at.synthetic(n=900, seed=1), {**SEARCH, **COSTS, "n_candidates": 60}
    one, panel = discover(bars, **more), discover({"A": bars}, **more)
    assert len(one.strategies) > 0
    assert [each.to_dict() for each in one.strategies] == [each.to_dict() for each in panel.strategies]
    assert (one.p_value, one.data_hash) == (panel.p_value, panel.data_hash)
    assert panel.p_value_hold == pytest.approx(one.p_value_hold)
    for name in ("merit", "sharpe_ratio", "total_return", "max_drawdown", "n_trades"):
        np.testing.assert_allclose(panel.table[name], one.table[name], rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(panel.searched["total_return"], one.searched["total_return"], rtol=1e-9)


def test_what_is_searched_is_the_backtest_of_all_instruments(
    three: dict[str, pd.DataFrame], found: DiscoveryResult
) -> None:
    end = found.split.search_end
    search = {name: one.loc[:end] for name, one in three.items()}
    for place in (0, 7, 23):
        run = at.backtest(found.candidates[place], search, **COSTS, max_positions=2)
        row = found.searched.iloc[place]
        assert row["total_return"] == pytest.approx(run.metrics["total_return"], rel=1e-9, abs=1e-12)
        excess = np.array_split(run.returns.to_numpy(), 2)
        ratios = [part.mean() / part.std(ddof=1) * np.sqrt(252) if part.std() > 1e-12 else 0.0 for part in excess]
        assert row["merit"] == pytest.approx(min(ratios), rel=1e-9, abs=1e-12)
    assert found.run().symbols == ("A", "B", "C")


def test_what_comes_after_the_search_changes_nothing_that_the_search_did(
    three: dict[str, pd.DataFrame], found: DiscoveryResult, tmp_path: Path
) -> None:
    later = found.split.search_end
    other = {}
    for name, one in three.items():
        scale = np.exp(np.random.default_rng(5).normal(0, 0.1, len(one))) * (one.index > later) + (one.index <= later)
        other[name] = one.assign(**{field: one[field] * scale for field in ("open", "high", "low", "close")})
    file = tmp_path / "found"
    again = discover(other, **SEARCH, **COSTS, max_positions=2, checkpoint=file)
    pd.testing.assert_frame_equal(again.searched, found.searched, check_exact=True)
    kept = discover(other, **SEARCH, **COSTS, max_positions=2, checkpoint=file)
    assert kept.p_value == again.p_value
    with pytest.raises(InputError):
        discover(three, **SEARCH, **COSTS, max_positions=2, checkpoint=file)


def test_a_search_on_several_is_counted_and_told(three: dict[str, pd.DataFrame]) -> None:
    ledger = MemoryTrialLedger()
    at.configure(ledger=ledger)
    try:
        found = research.discover(three, **SEARCH, **COSTS)
    finally:
        at.configure(ledger=False)
    (record,) = ledger.records()
    assert (record.kind, record.n_trials) == ("discovery", 24)
    assert found.assumptions["instruments"] == 3
    assert found.to_dict()["n_trials"] == 24
    with pytest.raises(InputError, match="weights= is not for a walk"):
        discover(three, **SEARCH, weights={"A": 1.0})
