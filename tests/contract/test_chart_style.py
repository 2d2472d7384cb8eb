"""What every chart style must do, those of third parties too: the shared suite of all specifications."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy import charts

REQUIRED: dict[str, dict[str, Any]] = {
    "time": {"rule": "5m"},
    "tick": {"size": 7},
    "volume": {"size": 300},
    "dollar": {"size": 3e4},
    "imbalance": {"expected_ticks": 20},
    "runs": {"expected_ticks": 20},
    "renko": {"size": 0.5},
    "range": {"size": 0.5},
    "kagi": {"reversal": 0.5},
    "point_figure": {"box": 0.5},
}
"""Values for parameters without a default, or whose default wants a longer history."""

BUILTIN = (
    *("time", "heikin_ashi", "renko", "range", "point_figure", "kagi", "line_break"),
    *("tick", "volume", "dollar", "imbalance", "runs"),
)
COMMON = ["open", "high", "low", "close", "volume", "opened_at", "closed_at", "direction", "event"]


def bars() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    close = np.round(100 + np.cumsum(rng.normal(0, 0.3, 400)), 2)
    open = np.concatenate((close[:1], close[:-1]))
    index = pd.date_range("2024-03-01", periods=400, freq="min", tz="UTC", name="time")
    high, low = np.maximum(open, close) + 0.1, np.minimum(open, close) - 0.1
    volume = rng.integers(0, 100, 400).astype(float)
    return pd.DataFrame({"open": open, "high": high, "low": low, "close": close, "volume": volume}, index=index)


@pytest.fixture(params=BUILTIN)
def spec(request: pytest.FixtureRequest) -> charts.ChartSpec:
    return charts.STYLES[request.param]


@pytest.fixture
def params(spec: charts.ChartSpec) -> dict[str, Any]:
    return REQUIRED.get(spec.name, {})


def test_the_specification_says_what_it_is(spec: charts.ChartSpec) -> None:
    assert spec.description.endswith(".")
    assert spec.takes in ("bars", "trades or bars")
    assert all(parameter.description for parameter in spec.parameters)
    assert len({parameter.name for parameter in spec.parameters}) == len(spec.parameters)


def test_rows_have_the_columns_of_all_charts_and_those_it_names(spec: charts.ChartSpec, params: dict[str, Any]) -> None:
    rows = spec.batch(bars(), partial=False, interval="1m", calendar=None, **params)
    assert len(rows) > 5
    assert rows.index.name == spec.index
    assert rows.index.tolist() == list(range(len(rows)))
    assert list(rows.columns) == [*COMMON, *spec.columns, "synthetic"]
    assert (rows["synthetic"] == spec.synthetic).all()
    assert str(rows["closed_at"].dt.tz) == "UTC"


def test_closed_at_is_when_the_event_was_known_or_the_clock_before(
    spec: charts.ChartSpec, params: dict[str, Any]
) -> None:
    data = bars()
    rows = spec.batch(data, partial=False, interval="1m", calendar=None, **params)
    known = (data.index + pd.Timedelta("1min"))[rows["event"]]
    assert (rows["closed_at"].array <= known).all()
    if spec.name != "time":
        assert (rows["closed_at"].array == known).all()


def test_no_row_shows_early_and_none_is_taken_back(spec: charts.ChartSpec, params: dict[str, Any]) -> None:
    data = bars()
    whole = spec.batch(data, partial=False, interval="1m", calendar=None, **params)
    for cut in (2, 50, 199, 399):
        part = spec.batch(data.iloc[:cut], partial=False, interval="1m", calendar=None, **params)
        assert len(part) == (whole["event"] < cut).sum()
        pd.testing.assert_frame_equal(part, whole.iloc[: len(part)], check_exact=True)


def test_the_stream_gives_the_rows_of_the_batch(spec: charts.ChartSpec, params: dict[str, Any]) -> None:
    data = bars()
    stream = spec.stream(interval="1m", calendar=None, **params)
    rows = [row for bar in data.reset_index().to_dict("records") for row in stream.update(bar)]
    whole = spec.batch(data, partial=False, interval="1m", calendar=None, **params).reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.DataFrame(rows), whole, check_dtype=False, check_exact=True)


def test_the_data_is_left_as_it_was(spec: charts.ChartSpec, params: dict[str, Any]) -> None:
    data, copy = bars(), bars()
    rows = spec.batch(data, partial=True, interval="1m", calendar=None, **params)
    rows.loc[:, "close"] = -1.0
    pd.testing.assert_frame_equal(data, copy)
