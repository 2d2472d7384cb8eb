"""`compare`: several results side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.compare import Comparison, compare
from algotrendy.errors import InputError


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return at.synthetic(n=400, seed=6)


@pytest.fixture(scope="module")
def pair(bars: pd.DataFrame) -> dict[str, at.BacktestResult]:
    return {
        "slow": at.backtest(at.strategies.sma_cross(10, 40), bars, commission=0.001),
        "fast": at.backtest(at.strategies.sma_cross(3, 9), bars),
    }


def test_the_table_has_the_metrics_that_were_asked_for(pair: dict[str, at.BacktestResult]) -> None:
    names = ["sharpe_ratio", "max_drawdown", "total_return"]
    found = compare(pair, metrics=names)
    assert list(found.table.columns) == names
    assert list(found.table.index) == ["slow", "fast"]
    assert found.table.loc["fast", "sharpe_ratio"] == pair["fast"].metrics["sharpe_ratio"]
    drawdowns = {name: float(result.metrics["max_drawdown"]) for name, result in pair.items()}
    assert found.best["max_drawdown"] == min(drawdowns, key=drawdowns.__getitem__)
    assert "n_trades" not in compare(pair).best
    assert "sharpe_ratio" in str(found)


def test_results_without_names_are_called_by_their_strategies(pair: dict[str, at.BacktestResult]) -> None:
    other = at.backtest(at.strategies.buy_and_hold(), pair["slow"].bars)
    assert list(compare([*pair.values(), other]).results) == ["SMA cross 1", "SMA cross 2", "Buy and hold"]


def test_correlation_is_of_the_returns_at_common_stamps(bars: pd.DataFrame, pair: dict[str, at.BacktestResult]) -> None:
    late = at.backtest(at.strategies.buy_and_hold(), bars.iloc[100:])
    found = compare({**pair, "late": late})
    common = pair["slow"].returns.index.intersection(late.returns.index)
    expected = np.corrcoef(pair["slow"].returns.loc[common], late.returns.loc[common])[0, 1]
    assert found.correlation.loc["slow", "late"] == pytest.approx(expected)
    assert found.correlation.loc["late", "late"] == pytest.approx(1.0)
    assert np.allclose(found.correlation, found.correlation.T)
    assert "do not cover the same span" in found.warnings[0]
    assert compare(pair).warnings == ()


def test_what_differs_is_listed_and_nothing_else(pair: dict[str, at.BacktestResult]) -> None:
    found = compare(pair).differences
    assert list(found.index) == ["commission", "parameter fast", "parameter slow"]
    assert found.loc["commission"].tolist() == ["0.001", "0"]


def test_runs_that_never_move_have_no_correlation(bars: pd.DataFrame) -> None:
    idle = at.backtest(bars, entries=np.zeros(len(bars), dtype=bool))
    found = compare({"idle": idle, "held": at.backtest(at.strategies.buy_and_hold(), bars)})
    assert np.isnan(found.correlation.loc["idle", "held"])


def test_charts_and_the_report(pair: dict[str, at.BacktestResult], tmp_path: Path) -> None:
    found = compare(pair)
    figure = found.plot()
    assert [trace.name for trace in figure.data] == ["slow", "fast"] * 2
    assert figure.data[0].y[0] == 1.0
    assert min(figure.data[2].y) >= 0.0
    page = found.report(tmp_path / "comparison.html").read_text(encoding="utf-8")
    for text in ("Correlation of returns", "Growth of 1", "Sharpe ratio", "slow", "fast"):
        assert text in page
    assert isinstance(found, Comparison)
    assert "<table" in found._repr_html_()


def test_what_cannot_be_compared_is_refused(pair: dict[str, at.BacktestResult]) -> None:
    with pytest.raises(InputError, match="there is 1 result"):
        compare([pair["slow"]])
    with pytest.raises(InputError, match="did you mean 'sharpe_ratio'"):
        compare(pair, metrics=["sharp_ratio"])
    with pytest.raises(InputError, match="give a list of names"):
        compare(pair, metrics="sharpe_ratio")
    with pytest.raises(InputError, match="takes results"):
        compare({"a": pair["slow"], "b": 3})  # type: ignore[dict-item]


def test_an_account_of_several_instruments_stands_beside_one_of_one(bars: pd.DataFrame, tmp_path: Path) -> None:
    two = {"A": bars, "B": at.synthetic(n=300, seed=9)}
    alone = at.backtest(at.strategies.sma_cross(5, 20), bars)
    both = at.backtest(two, weights={"A": 0.5, "B": 0.5})
    found = compare({"alone": alone, "both": both}, ["total_return", "max_drawdown"])
    assert found.table.loc["both", "total_return"] == both.metrics["total_return"]
    assert found.correlation.loc["alone", "both"] == pytest.approx(np.corrcoef(alone.returns, both.returns)[0, 1])
    assert found.differences.loc["instruments"].tolist() == ["", "A, B"]
    assert "both" in found.report(tmp_path / "side.html").read_text()
