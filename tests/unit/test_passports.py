"""Passports: what they hold, what they refuse, what `verify` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest import storage, verification
from algotrendy.backtest.passport import SCHEMA, read_passport
from algotrendy.errors import DataError, InputError
from algotrendy.research import verify


def falling(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
    """Buy what fell."""
    down = bars["close"] < bars["close"].shift(1)
    return {"entries": down, "exits": ~down}


def falling_otherwise(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
    """Buy what fell by two bars."""
    down = bars["close"] < bars["close"].shift(2)
    return {"entries": down, "exits": ~down}


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return at.synthetic(n=120, seed=8)


def test_it_says_what_it_was_made_of(bars: pd.DataFrame, tmp_path: Path) -> None:
    result = at.backtest(at.strategies.sma_cross(3, 8), bars, commission=0.001)
    content = json.loads(result.passport(tmp_path / "p.json", trials={"raw": 3}).read_text(encoding="utf-8"))
    assert content["schema"] == SCHEMA
    assert content["data"]["rows"] == 120
    assert content["results"]["metrics"]["final_equity"] == result.metrics["final_equity"]
    assert content["results"]["input_hash"] == result.input_hash
    assert content["trials"] == {"raw": 3}
    assert set(content["versions"]) >= {"python", "algotrendy", "numpy", "pandas", "numba"}


def test_other_bars_are_named_before_what_follows_from_them(bars: pd.DataFrame, tmp_path: Path) -> None:
    file = at.backtest(at.strategies.sma_cross(3, 8), bars).passport(tmp_path / "p.json")
    changed = bars.copy()
    changed.iloc[50, 3] *= 1.0001
    found = verify(file, changed)
    assert not found
    assert [each.field for each in found.mismatches] == ["data.hash"]
    shorter = verify(file, bars.iloc[:-1])
    assert [each.field for each in shorter.mismatches] == ["data.rows", "data.last", "data.hash"]


def test_the_first_order_that_differs_is_named_with_its_bar(bars: pd.DataFrame, tmp_path: Path) -> None:
    result = at.backtest(falling, bars)
    file = result.passport(tmp_path / "p.json", strategy=falling)
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["definition"]["function"].endswith("falling")
    assert "def " not in file.read_text(encoding="utf-8")
    found = verify(file, strategy=falling_otherwise)
    assert [each.field for each in found.mismatches] == ["definition.source_hash"]
    assert found.result is None
    with pytest.raises(InputError, match="no code is taken from a file"):
        verify(file)
    assert verify(file, strategy=falling)


def test_a_change_in_the_engine_is_named_by_its_first_order(
    bars: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = at.backtest(at.strategies.sma_cross(3, 8), bars).passport(tmp_path / "p.json")
    original = verification.repeat
    monkeypatch.setattr(verification, "repeat", lambda result, **options: original(result, slippage=0.001, **options))
    found = verify(file)
    fields = [each.field for each in found.mismatches]
    assert fields[:2] == ["assumptions.slippage", "results.orders.units[0]"]
    assert found.mismatches[1].at.startswith("2000-")


def test_other_versions_are_compared_with_a_tolerance_and_said(
    bars: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = at.backtest(at.strategies.sma_cross(3, 8), bars).passport(tmp_path / "p.json")
    assert "bit for bit" in str(verify(file))
    here = storage.library_versions()
    monkeypatch.setattr(verification, "library_versions", lambda: here | {"numpy": "9.9"})
    found = verify(file)
    assert found
    assert found.tolerance == 1e-9
    assert "numpy 9.9 instead of" in str(found)


def test_signals_are_handed_in_again(bars: pd.DataFrame, tmp_path: Path) -> None:
    up = bars["close"] > bars["close"].shift(1)
    file = at.backtest(bars, entries=up, exits=~up, stop=0.03).passport(tmp_path / "p.json")
    assert verify(file, strategy=at.Signals(up, ~up, stop=0.03))
    with pytest.raises(InputError, match="signals that were handed in"):
        verify(file)


def test_a_chart_is_handed_in_again(bars: pd.DataFrame, tmp_path: Path) -> None:
    strategy = at.Strategy(entry="close > open", exit="close < open")
    file = at.backtest(strategy, bars, chart="heikin_ashi").passport(tmp_path / "p.json")
    assert verify(file, chart="heikin_ashi")
    with pytest.raises(InputError, match="hand it in again as chart="):
        verify(file)


def test_bars_of_nobody_are_asked_for(bars: pd.DataFrame, tmp_path: Path) -> None:
    own = bars.copy()
    own.attrs = {}
    file = at.backtest(at.strategies.sma_cross(3, 8), own).passport(tmp_path / "p.json")
    with pytest.raises(InputError, match="cannot be made again"):
        verify(file)
    assert verify(file, own)


def test_a_local_function_has_to_be_handed_in(bars: pd.DataFrame, tmp_path: Path) -> None:
    def local(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
        return falling(bars, params)

    result = at.backtest(local, bars)
    with pytest.raises(InputError, match="not found by that name"):
        result.passport(tmp_path / "p.json")
    assert verify(result.passport(tmp_path / "p.json", strategy=local), strategy=local)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[]", "is not a passport"),
        ('{"schema": "algotrendy.passport/2"}', "update algotrendy"),
        ('{"schema": "algotrendy.passport/1"}', "is missing or was added"),
        ('{"schema": NaN}', "NaN is not JSON"),
    ],
)
def test_what_is_no_passport_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "p.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_passport(file)


def test_a_file_that_is_not_there_and_a_section_that_is_not_plain(bars: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        verify(tmp_path / "none.json")
    with pytest.raises(InputError, match="trials= holds what a file cannot"):
        at.backtest(at.strategies.sma_cross(3, 8), bars).passport(tmp_path / "p.json", trials={"a": object()})


def test_the_fill_interval_goes_into_a_section_that_is_told_not_run(bars: pd.DataFrame, tmp_path: Path) -> None:
    result = at.backtest(at.strategies.sma_cross(3, 8), bars, stop=0.01, target=0.01)
    file = result.passport(tmp_path / "p.json", fill_interval=result.fill_interval())
    content = read_passport(file)["fill_interval"]
    assert content["worst"]["final_equity"] <= content["stated"]["final_equity"] <= content["best"]["final_equity"]
    found = verify(file)
    assert found
    assert found.unchecked == ("fill_interval",)
    assert "Not run again: fill_interval" in str(found)


def test_a_lot_of_many_digits_comes_back(bars: pd.DataFrame, tmp_path: Path) -> None:
    result = at.backtest(at.strategies.sma_cross(3, 8), bars, units="whole", lot_size=0.123456789)
    assert result.assumptions["units"] == "whole lots of 0.123456789"
    assert verify(result.passport(tmp_path / "p.json"))
