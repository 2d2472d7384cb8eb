"""Real trade lists of vectorbt 1.2.0 and backtesting.py 0.6 are explained to the last cent.

`benchmarks/peer_trades.py` wrote the tables and the final equities that the libraries report, by their own code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.difference import DifferenceReport, explain_difference

FOLDER = Path(__file__).resolve().parent / "trades"
CENT = 0.005


def explained(name: str, **options: Any) -> DifferenceReport:
    run = at.backtest(at.strategies.sma_cross(20, 50), at.sample("NASDAQ"), **options)
    final = json.loads((FOLDER / "final.json").read_text(encoding="utf-8"))[name]
    report = explain_difference(run, pd.read_csv(FOLDER / f"{name}.csv"), final_equity=final)
    assert report.end == final
    assert abs(report.rest) < CENT
    assert sum(part.amount for part in report.parts) == pytest.approx(report.gap, rel=1e-9)
    return report


def parts(report: DifferenceReport) -> set[str]:
    return {part.name for part in report.parts if abs(part.amount) >= CENT}


def test_vectorbt_trades_at_the_close_of_the_signal_differ_by_timing_alone() -> None:
    assert parts(explained("vectorbt_trades")) == {"timing"}


def test_vectorbt_trades_are_ours_where_the_convention_is() -> None:
    report = explained("vectorbt_trades", fill="same_close")
    assert parts(report) == set()
    assert abs(report.gap) < 1e-6


def test_vectorbt_orders_differ_by_fees_and_slippage() -> None:
    report = explained("vectorbt_orders")
    assert parts(report) == {"fees", "fill price"}
    assert report.largest.name == "fees"
    assert parts(explained("vectorbt_orders", commission=0.001, slippage=0.0005)) == set()


def test_backtesting_trades_differ_by_whole_units() -> None:
    assert parts(explained("backtesting_trades", commission=0.001)) == {"sizing"}


def test_backtesting_trades_against_a_run_without_costs_add_the_fees() -> None:
    report = explained("backtesting_trades")
    assert parts(report) == {"fees", "sizing"}
    assert report.largest.name == "fees"
