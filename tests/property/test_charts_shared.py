"""On real trades, quotes and bars every chart style equals its plain reference row for row."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from algotrendy import charts
from algotrendy.charts import reference
from algotrendy.charts.feed import as_feed
from algotrendy.charts.reference import Event, Row
from algotrendy.charts.reference_activity import FlowOptions, activity_bars, flow_bars, split_bars

pytestmark = pytest.mark.shared

STEP = {
    "bac_trades": 0.01,
    "gc_futures_trades": 0.5,
    "eurusd_quote_ticks_oanda": 0.0001,
    "spy_second_trade": 0.05,
    "btc_perp_minute": 50.0,
}
VOLUME = {"bac_trades": 2e5, "gc_futures_trades": 500.0, "spy_second_trade": 1e6, "btc_perp_minute": 2e7}
VALUE = {"bac_trades": 3e6, "gc_futures_trades": 6e5, "spy_second_trade": 2e8, "btc_perp_minute": 1e12}
"""Units, and units times price, of a bar."""
EVENTS_MAX = int(os.environ.get("ALGOTRENDY_CHART_EVENTS", "50000"))
"""Plain Python takes its time: so many events of each file, all of them where the variable says so."""
LENGTH = {"spy_second_trade": "1s", "btc_perp_minute": "1m"}


@cache
def data_of(folder: Path, name: str) -> pd.DataFrame:
    path = folder / f"{name}.parquet"
    frame = pd.read_parquet(path) if path.exists() else pd.read_csv(folder / f"{name}.csv.gz")
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True)
    frame = frame.set_index("timestamp")
    if "bid" in frame:
        return charts.mid(frame).iloc[:EVENTS_MAX]
    wanted = ["price", "size"] if "price" in frame else ["open", "high", "low", "close", "volume"]
    return frame[wanted].iloc[:EVENTS_MAX]


@cache
def events_of(folder: Path, name: str) -> list[Event]:
    feed = as_feed(data_of(folder, name), interval=LENGTH.get(name))
    return [Event(*values) for values in zip(*(column.tolist() for column in feed.events), strict=True)][:EVENTS_MAX]


def expected_rows(style: str, params: dict[str, Any], events: list[Event]) -> list[Row]:
    if style in ("imbalance", "runs"):
        options = FlowOptions(params["of"], 500, 20.0, 5000.0, 50, 5000, 1.0)
        return flow_bars(events, options, runs=style == "runs")
    if style in ("tick", "volume", "dollar"):
        make = split_bars if params.get("split") else activity_bars
        return make(events, style, params["size"])
    function = {"range": reference.range_bars}.get(style) or getattr(reference, style)
    return list(function(events, **params))


def cases_of(name: str) -> list[tuple[str, dict[str, Any]]]:
    step = STEP[name]
    cases: list[tuple[str, dict[str, Any]]] = [
        ("renko", {"size": step}),
        ("renko", {"size": 3 * step, "reversal_bricks": 1, "anchor": "nearest"}),
        ("range", {"size": 3 * step}),
        ("range", {"size": 2 * step, "phantom": True}),
        ("line_break", {}),
        ("kagi", {"reversal": 3 * step}),
        ("point_figure", {"box": step}),
        ("tick", {"size": 100}),
        ("imbalance", {"of": "tick", "expected_ticks": 500}),
        ("runs", {"of": "tick", "expected_ticks": 500}),
    ]
    if name != "eurusd_quote_ticks_oanda":
        cases += [
            ("volume", {"size": VOLUME[name]}),
            ("volume", {"size": VOLUME[name] / 7, "split": True}),
            ("dollar", {"size": VALUE[name]}),
            ("dollar", {"size": VALUE[name] / 7, "split": True}),
            ("imbalance", {"of": "volume", "expected_ticks": 500}),
            ("runs", {"of": "dollar", "expected_ticks": 500}),
        ]
    if name in LENGTH:
        cases += [("heikin_ashi", {}), ("point_figure", {"box": step, "method": "high_low"})]
    return cases


ALL = [pytest.param(name, *case, id=f"{name}-{case[0]}-{k}") for name in STEP for k, case in enumerate(cases_of(name))]


@pytest.mark.parametrize(("name", "style", "params"), ALL)
def test_real_data_gives_the_rows_of_the_reference(shared: Path, name: str, style: str, params: dict[str, Any]) -> None:
    data, events = data_of(shared / "data", name), events_of(shared / "data", name)
    expected = expected_rows(style, params, events)
    rows = charts.chart(data, style, partial=True, interval=LENGTH.get(name), **params)
    assert len(rows) == len(expected) > 10
    for column in expected[0]:
        found = rows[column]
        values = found.array.asi8 if isinstance(found.dtype, pd.DatetimeTZDtype) else found.to_numpy()
        wanted = [row[column] for row in expected]
        pairs = zip(values.tolist(), wanted, strict=True)
        wrong = [k for k, (a, b) in enumerate(pairs) if a != b and not (math.isnan(a) and math.isnan(b))]
        assert not wrong, f"{column} of {len(wrong)} rows, first row {wrong[0]}"
    sizes = data["size"] if "size" in data else data.get("volume")
    if sizes is not None:
        assert rows["volume"].sum() == pytest.approx(sizes.sum(), rel=1e-9)


def test_trades_with_sizes_of_zero_and_repeated_stamps_are_in(shared: Path) -> None:
    gold, bank = data_of(shared / "data", "gc_futures_trades"), data_of(shared / "data", "bac_trades")
    assert (gold["size"] == 0).sum() > 50
    assert bank.index.duplicated().sum() > 10_000


def test_the_real_trades_stream_as_they_run(shared: Path) -> None:
    trades = data_of(shared / "data", "gc_futures_trades").iloc[:4000]
    for style, params in (
        ("renko", {"size": 0.3}),
        ("volume", {"size": 40.0, "split": True}),
        ("runs", {"expected_ticks": 60}),
    ):
        stream = charts.stream(style, **params)
        pairs = zip(trades.index, trades["price"], trades["size"], strict=True)
        rows = [row for event in pairs for row in stream.update(event)]
        expected = charts.chart(trades, style, **params).reset_index(drop=True)
        pd.testing.assert_frame_equal(pd.DataFrame(rows), expected, check_dtype=False, check_exact=True)
        assert len(rows) > 10
