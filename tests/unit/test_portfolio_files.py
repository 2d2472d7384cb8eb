"""Results of several instruments are saved and read back equal; damaged and foreign files are refused."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.run import backtest
from algotrendy.domain.actions import Actions
from algotrendy.errors import DataError, InputError
from algotrendy.strategy import BarStrategy, library


def bars_of(seed: int, n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, n)))
    columns = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1e4}
    return pd.DataFrame(columns, index=pd.bdate_range("2024-01-01", periods=n))


BARS = {"A": bars_of(1), "B": bars_of(2)[5:], "ümlaut .x": bars_of(3)}
DAYS = BARS["A"].index


def by_weights() -> PortfolioResult:
    actions = {"A": Actions.of(splits={DAYS[20]: 2.0}, dividends={DAYS[30]: 0.5})}
    options: dict[str, Any] = {"actions": actions, "participation": 0.001, "margin": (0.5, 0.2), "financing": 0.05}
    return backtest(BARS, weights={"A": 0.5, "B": 0.3}, rebalance="1mo", **options)


def by_orders() -> PortfolioResult:
    orders = [
        {"time": DAYS[3], "symbol": "A", "quantity": 5, "id": "in"},
        {"time": DAYS[4], "symbol": "B", "quantity": 2, "type": "limit", "limit_price": 1.0, "parent": "in"},
    ]
    return backtest(BARS, orders=orders)


def by_signals() -> PortfolioResult:
    return backtest(library.sma_cross(3, 9), BARS, max_positions=2, rank="momentum(close, 5)", stop=0.05)


def intraday() -> PortfolioResult:
    stamps = pd.date_range("2024-03-01", periods=60, freq="h", tz="UTC")
    return backtest({name: bars_of(k).set_axis(stamps) for k, name in enumerate("AB")}, weights={"A": 0.5})


def by_several() -> PortfolioResult:
    parts = {"fast": (library.sma_cross(3, 9), 0.6), "slow": (library.sma_cross(5, 20), 0.3)}
    return backtest(parts, BARS, rebalance="1mo")


class Bracketed(BarStrategy):
    """Buys with a bracket again and again, and moves the stop once."""

    def on_bar(self, ctx: Any) -> None:
        for one in ctx:
            if one.has_bar and not one.position() and not one.orders:
                close = one.bar.close
                entry = one.buy(size=0.2, stop_price=close * 0.98, target_price=close * 1.03)
                one.replace(entry.stop, stop_price=close * 0.985)


def asked() -> PortfolioResult:
    return backtest(Bracketed(), BARS)


MADE = [by_weights, by_orders, by_signals, intraday, by_several, asked]


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
@pytest.mark.parametrize("made", MADE, ids=lambda made: made.__name__)
def test_a_result_is_read_back_equal(tmp_path: Path, made: Any, suffix: str) -> None:
    result = made()
    loaded = PortfolioResult.load(result.save(tmp_path / f"run{suffix}"))
    for field in fields(PortfolioResult):
        mine, other = getattr(result, field.name), getattr(loaded, field.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(other, mine, err_msg=field.name)
        elif field.name.endswith("_columns") and mine is not None:
            assert list(other) == list(mine)
            for name in mine:
                np.testing.assert_array_equal(other[name], mine[name], err_msg=name)
                assert other[name].dtype == mine[name].dtype, name
    pd.testing.assert_index_equal(loaded.index, result.index)
    for name in ("orders", "trades", "positions", "weights", "dividends", "unfilled", "contributions"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(result, name), check_exact=True)
    if result.requests is not None:
        pd.testing.assert_frame_equal(loaded.requests, result.requests, check_exact=True)
    assert loaded.symbols == result.symbols
    assert loaded.warnings == result.warnings
    assert loaded.summary() == result.summary()
    assert loaded.versions == result.versions


def test_a_changed_or_cut_file_is_refused(tmp_path: Path) -> None:
    path = by_weights().save(tmp_path / "run.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["equity_values"]["values"][10] += 0.01
    (tmp_path / "changed.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="was changed after it was written"):
        PortfolioResult.load(tmp_path / "changed.json")
    del content["order_columns"]
    (tmp_path / "less.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="is damaged"):
        PortfolioResult.load(tmp_path / "less.json")
    for name in ("run.json", "run.parquet"):
        whole = by_weights().save(tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError, match="is cut off"):
            PortfolioResult.load(tmp_path / name)


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_files_of_another_kind_say_what_reads_them(tmp_path: Path, suffix: str) -> None:
    several, one = by_signals(), backtest(library.sma_cross(3, 9), BARS["A"])
    with pytest.raises(DataError, match=r"read it with at\.backtest\.PortfolioResult\.load"):
        BacktestResult.load(several.save(tmp_path / f"several{suffix}"))
    with pytest.raises(DataError, match=r"read it with at\.BacktestResult\.load"):
        PortfolioResult.load(one.save(tmp_path / f"one{suffix}"))
    with pytest.raises(InputError, match=r"saved as \.json or \.parquet"):
        several.save(tmp_path / "run.csv")
    with pytest.raises(DataError, match="there is no file"):
        PortfolioResult.load(tmp_path / "none.json")
