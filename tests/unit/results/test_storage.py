"""A saved result is read back equal, and a file that is not one is refused with a remedy."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.backtest import storage
from algotrendy.backtest.result import BacktestResult
from algotrendy.errors import DataError, InputError

Make = Callable[..., BacktestResult]
SUFFIXES = pytest.mark.parametrize("suffix", [".json", ".parquet"])


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, NaN equal to NaN, types included."""
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        return same(one.attrs, other.attrs)
    return type(one) is type(other) and (one == other or (pd.isna(one) and pd.isna(other)))


def assert_equal(one: BacktestResult, other: BacktestResult) -> None:
    for field in fields(BacktestResult):
        if field.name != "written_with":
            assert same(getattr(one, field.name), getattr(other, field.name)), field.name
    assert one.input_hash == other.input_hash
    assert dict(one.versions) == dict(other.versions)


@SUFFIXES
def test_a_saved_result_is_read_back_equal(made: BacktestResult, tmp_path: Path, suffix: str) -> None:
    path = made.save(tmp_path / f"result{suffix}")
    assert_equal(made, BacktestResult.load(str(path)))


@SUFFIXES
@pytest.mark.parametrize(
    "index_options",
    [
        {"freq": "min", "tz": "UTC"},
        {"freq": "h", "tz": "America/New_York", "name": "time"},
        {"freq": "D", "unit": "s"},
        {"freq": "W-FRI", "unit": "us"},
    ],
    ids=lambda options: options["freq"],
)
def test_stamps_keep_zone_unit_name_and_frequency(
    make: Make, make_walk: Callable[..., pd.DataFrame], tmp_path: Path, suffix: str, index_options: dict[str, Any]
) -> None:
    result = make(bars=make_walk(120, 3, **index_options), held=7)
    assert_equal(result, BacktestResult.load(result.save(tmp_path / f"r{suffix}")))


@SUFFIXES
def test_odd_values_survive(
    make: Make, make_walk: Callable[..., pd.DataFrame], made: BacktestResult, tmp_path: Path, suffix: str
) -> None:
    bars = make_walk(50, 3)
    bars["note"] = [f"day {i} <&>" for i in range(50)]
    bars["is_stale"] = [i % 2 == 0 for i in range(50)]
    bars["volume"] = np.where(np.arange(50) == 3, np.nan, 1.0)
    odd = {"nan": float("nan"), "inf": float("-inf"), "at": pd.Timestamp("2020-01-01 10:00", tz="Asia/Tokyo")}
    result = make(
        bars=bars,
        held=7,
        metrics=dict(made.metrics) | odd,
        assumptions=dict(made.assumptions) | {"commission": {"$rate": 0.1}, "steps": [1, {"a": None}]},
        ruined_at=pd.Timestamp("2015-02-03"),
        marks=np.array([0, 10, 49]),
        warnings=("ünïcode \u2028 \\ \"quotes\"",),
        pending=None,
    )  # fmt: skip
    assert_equal(result, BacktestResult.load(result.save(tmp_path / f"r{suffix}")))


@SUFFIXES
@pytest.mark.parametrize("n_bars", [1, 2, 10])
def test_results_without_orders_survive(make: Make, tmp_path: Path, suffix: str, n_bars: int) -> None:
    result = make(n_bars, held=50)
    assert_equal(result, BacktestResult.load(result.save(tmp_path / f"r{suffix}")))


@SUFFIXES
def test_a_loaded_result_saves_to_the_same_bytes(made: BacktestResult, tmp_path: Path, suffix: str) -> None:
    first = made.save(tmp_path / f"first{suffix}")
    second = BacktestResult.load(first).save(tmp_path / f"second{suffix}")
    assert first.read_bytes() == second.read_bytes()


def test_a_json_file_is_strict_and_names_its_schema_and_versions(made: BacktestResult, tmp_path: Path) -> None:
    text = made.save(tmp_path / "r.json").read_text(encoding="utf-8")
    content = json.loads(text, parse_constant=lambda token: pytest.fail(f"{token} is not JSON"))
    assert content["schema"] == "algotrendy.backtest/1"
    assert set(content["versions"]) == {"python", "algotrendy", "numpy", "pandas", "numba"}
    assert content["input_hash"] == made.input_hash


def test_a_parquet_file_has_one_row_per_bar_with_its_fills(made: BacktestResult, tmp_path: Path) -> None:
    frame = pd.read_parquet(made.save(tmp_path / "r.parquet"))
    assert len(frame) == len(made.bars)
    assert frame["equity"].tolist() == made.equity_values.tolist()
    assert frame["time"].tolist() == made.bars.index.tolist()
    counts = frame["fills"].map(len)
    assert counts.sum() == len(made.orders)
    assert counts[20] == 1
    assert frame["fills"][20][0]["price"] == made.orders["price"].iloc[0]


def test_the_hash_depends_on_every_input_and_on_nothing_else(make: Make, made: BacktestResult) -> None:
    bars = made.bars.copy()
    bars.iloc[7, 3] *= 1.0 + 1e-12
    changed = [
        replace(made, bars=bars),
        replace(made, bars=made.bars.tz_localize("UTC")),
        replace(made, strategy={"kind": "arrays"}),
        replace(made, params={"fast": 6, "slow": 20}),
        replace(made, assumptions=dict(made.assumptions) | {"cash": 1.0}),
    ]
    assert len({made.input_hash, *(result.input_hash for result in changed)}) == 6
    same_inputs = [make(), replace(made, pending=None), replace(made, bars=made.bars[::-1][::-1])]
    same_inputs.append(replace(made, bars=made.bars.set_axis(made.bars.index.as_unit("ms"), axis=0)))
    assert {result.input_hash for result in same_inputs} == {made.input_hash}


@SUFFIXES
def test_a_newer_schema_is_refused_with_a_remedy(
    made: BacktestResult, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "SCHEMA", "algotrendy.backtest/2")
    path = made.save(tmp_path / f"r{suffix}")
    monkeypatch.undo()
    with pytest.raises(DataError, match=r"algotrendy\.backtest/2.*update algotrendy"):
        BacktestResult.load(path)


@SUFFIXES
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_refused(made: BacktestResult, tmp_path: Path, suffix: str, share: float) -> None:
    path = made.save(tmp_path / f"r{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"cut off or not .*; run the backtest again"):
        BacktestResult.load(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"[1, 2]"),
        ("a.json", b"null"),
        ("a.json", b'{"schema": "other/1"}'),
        ("a.json", b'{"schema": "algotrendy.backtest/one"}'),
        ("a.json", b'{"schema": 3}'),
    ],
)
def test_a_foreign_json_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"a\.json is not a backtest result"):
        BacktestResult.load(tmp_path / name)


def test_a_foreign_parquet_file_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1.0]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet is not a backtest result"):
        BacktestResult.load(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.pop("bars"),
        lambda content: content.update(metrics=None, assumptions=None),
        lambda content: content["bars"]["index"].update(values=[1]),
        lambda content: content["equity_values"].update(dtype="nonsense"),
        lambda content: content.update(order_columns=[1]),
    ],
)
def test_a_damaged_json_file_is_refused(made: BacktestResult, tmp_path: Path, damage: Callable[[Any], Any]) -> None:
    path = made.save(tmp_path / "r.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    damage(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=r"damaged|was changed"):
        BacktestResult.load(path)


def test_inputs_changed_in_the_file_are_noticed(made: BacktestResult, tmp_path: Path) -> None:
    path = made.save(tmp_path / "r.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["assumptions"]["commission"] = 0.0
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="was changed after it was written"):
        BacktestResult.load(path)


def test_a_path_that_cannot_be_one_is_refused(made: BacktestResult, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"saved as \.json or \.parquet"):
        made.save(tmp_path / "r.csv")
    with pytest.raises(InputError, match="there is no folder"):
        made.save(tmp_path / "missing" / "r.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        made.save(tmp_path / "folder.json")
    with pytest.raises(DataError, match="there is no file"):
        BacktestResult.load(tmp_path / "r.json")
    with pytest.raises(DataError, match=r"neither \.json nor \.parquet"):
        BacktestResult.load(tmp_path / "r.csv")


def test_what_cannot_be_kept_is_refused_before_anything_is_written(
    make: Make, made: BacktestResult, tmp_path: Path
) -> None:
    path = made.save(tmp_path / "r.json")
    before = path.read_bytes()
    numbered = made.bars.rename(columns={"volume": 5})
    listed = made.bars.assign(lists=[[1]] * len(made.bars))
    for broken in (
        replace(made, strategy={"function": object()}),
        replace(made, bars=numbered),
        replace(made, bars=listed),
    ):
        with pytest.raises(InputError):
            broken.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(
    made: BacktestResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made.save(tmp_path / "r.json")
    before = path.read_bytes()

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        made.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]
