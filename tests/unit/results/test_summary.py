"""The summary fits a terminal and hides nothing that a reader has to know."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from algotrendy.backtest.definitions import METRIC_INFO, written
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.wording import commission_text

Make = Callable[..., BacktestResult]


def test_every_line_fits_80_columns(make: Make) -> None:
    long_words = ("a warning that goes on " * 20, "x" * 200)
    strategy = {"name": "A name that is far too long for a line of a terminal " * 3, "entry": "close > 1 and " * 30}
    text = make(warnings=long_words, strategy=strategy).summary()
    assert max(len(line) for line in text.splitlines()) <= 80


def test_it_shows_metrics_costs_assumptions_data_and_warnings(made: BacktestResult) -> None:
    text = made.summary()
    for title in ("Performance", "Risk", "Trades", "Costs", "Strategy", "Assumptions", "Data", "Warnings"):
        assert f"\n{title}\n" in text
    assert "buy and hold" in text
    assert "252 periods per year" in text
    assert "next open: a decision is filled at the open of the next" in text
    assert "0.1 % of the value" in text
    assert "seeded random walk" in text
    assert "85 % of the bars before 2005" in text
    assert "the last decision (go long) is pending" in text
    assert made.input_hash[:40] in text


def test_it_shows_every_metric_with_the_value_of_the_mapping(made: BacktestResult) -> None:
    lines = made.summary().splitlines()
    for name, info in METRIC_INFO.items():
        if info.group in ("Performance", "Risk", "Trades", "Costs"):
            value = written(made.metrics[name], info.kind)
            assert any(line.startswith(f"  {info.label}") and value in line for line in lines), name


def test_a_ruined_account_is_the_first_warning(make: Make) -> None:
    result = make(ruined_at=pd.Timestamp("2016-03-01"), warnings=("something else",))
    text = result.summary()
    assert text.index("ruined at 2016-03-01") < text.index("something else")


def test_a_result_without_warnings_says_nothing_of_them(make: Make) -> None:
    assert "Warnings" not in make(pending=None, warnings=()).summary()


def test_bars_without_provenance_are_summarised_too(make: Make, make_walk: Callable[..., pd.DataFrame]) -> None:
    bars = make_walk(60, 1)
    bars.attrs.clear()
    assert "60 bars" in make(bars=bars).summary()


def test_a_metric_of_ones_own_is_shown(make: Make, made: BacktestResult) -> None:
    assert "my metric" in make(metrics=dict(made.metrics) | {"my_metric": 1.5}).summary()


def test_the_notebook_table_is_escaped_and_loads_nothing(make: Make) -> None:
    html = make(strategy={"name": "<script>alert(1)</script>"})._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "http" not in html
    assert "<polyline" in html
    assert len(html) < 10_000


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (float("nan"), "money", "n/a"),
        (pd.NaT, "moment", "n/a"),
        (float("inf"), "ratio", "inf"),
        (-1234567.891, "money", "-1,234,567.89"),
        (-0.0001, "money", "0.00"),
        (-0.05, "change", "-5.0 %"),
        (np.float64(12.0), "share", "1,200.0 %"),
        (12345, "count", "12,345"),
        (252.0, "number", "252"),
        (pd.Timestamp("2020-01-02 09:30:15", tz="America/New_York"), "moment", "2020-01-02 09:30:15 EST"),
    ],
)  # fmt: skip
def test_values_are_written_as_a_reader_expects(value: object, kind: str, text: str) -> None:
    assert written(value, kind) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("commission", "text"),
    [
        (0.0, "none"),
        (None, "none"),
        (0.0005, "0.05 % of the value"),
        ({"per_unit": 0.005, "minimum": 1.0}, "0.005 per unit, at least 1"),
        ({"rate": 0.001, "fixed": 2.0}, "0.1 % of the value, 2 per fill"),
    ],
)
def test_a_commission_is_put_in_words(commission: object, text: str) -> None:
    assert commission_text(commission) == text
