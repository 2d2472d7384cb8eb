"""Every chart style equals its plain reference, streams as it runs in one go, and never changes what it has shown."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from algotrendy import charts
from algotrendy.charts.feed import Feed, as_feed
from algotrendy.charts.reference import (
    Event,
    Row,
    heikin_ashi,
    kagi,
    line_break,
    point_figure,
    range_bars,
    renko,
    time_bars,
)
from algotrendy.charts.reference_activity import FlowOptions, activity_bars, flow_bars, split_bars
from algotrendy.domain.bars import frame_of
from algotrendy.kernels.bars import BarArrays

SIZES: tuple[Any, ...] = (0.5, 0.25, 1.0, 0.3, 2.0, ("percent", 1.0), ("atr", 3))


@dataclass(frozen=True)
class Case:
    """A style with its parameters, and a seed and a manner for the data."""

    style: str
    params: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    n: int = 60
    kind: str = "trades"
    jumpy: float = 0.1
    still: float = 0.3
    tick: float = 0.25


def _flow() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "of": st.sampled_from(["tick", "volume", "dollar"]),
            "expected_ticks": st.integers(2, 12),
            "span": st.sampled_from([1.0, 3.0, 20.0]),
            "tick_span": st.sampled_from([None, 1.0, 5.0]),
            "min_ticks": st.sampled_from([None, 1, 2]),
            "max_ticks": st.sampled_from([None, 12, 30]),
        }
    )


PARAMS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "renko": st.fixed_dictionaries(
        {
            "size": st.sampled_from(SIZES),
            "reversal_bricks": st.sampled_from([1, 2]),
            "anchor": st.sampled_from(["floor", "nearest", "first"]),
            "wicks": st.booleans(),
        }
    ),
    "range": st.fixed_dictionaries({"size": st.sampled_from(SIZES), "phantom": st.booleans()}),
    "line_break": st.fixed_dictionaries({"lines": st.integers(1, 5)}),
    "kagi": st.fixed_dictionaries({"reversal": st.sampled_from(SIZES)}),
    "point_figure": st.fixed_dictionaries(
        {
            "box": st.sampled_from(SIZES),
            "reversal": st.integers(1, 4),
            "method": st.sampled_from(["close", "high_low"]),
        }
    ),
    "tick": st.fixed_dictionaries({"size": st.integers(1, 9)}),
    "volume": st.fixed_dictionaries({"size": st.sampled_from([0.7, 3.0, 10.0, 45.0]), "split": st.booleans()}),
    "dollar": st.fixed_dictionaries({"size": st.sampled_from([37.0, 300.0, 5000.0]), "split": st.booleans()}),
    "imbalance": st.tuples(_flow(), st.sampled_from([0.5, 1.0, 2.0])).map(lambda both: both[0] | {"floor": both[1]}),
    "runs": _flow(),
    "heikin_ashi": st.just({}),
    "time": st.fixed_dictionaries({"rule": st.sampled_from(["2s", "1m", "7m", "1h"])}),
}
STYLES = tuple(PARAMS)


@st.composite
def cases(draw: st.DrawFn, styles: tuple[str, ...] = STYLES) -> Case:
    style = draw(st.sampled_from(styles))
    params = draw(PARAMS[style])
    needs_bars = style == "heikin_ashi" or any(
        isinstance(value, tuple) and value[0] == "atr" for value in params.values()
    )
    return Case(
        style,
        params,
        seed=draw(st.integers(0, 2**32 - 1)),
        n=draw(st.integers(2, 150)),
        kind="bars"
        if needs_bars
        else draw(st.sampled_from(["trades"] if params.get("rule") == "2s" else ["trades", "bars"])),
        jumpy=draw(st.sampled_from([0.0, 0.1, 0.6])),
        still=draw(st.sampled_from([0.0, 0.3, 0.9])),
        tick=draw(st.sampled_from([0.25, 0.1, 0.37, 1e-7])),
    )


def data_of(case: Case) -> pd.DataFrame:
    """Prices on a grid, with ties, jumps, gaps in time, repeated stamps and sizes of zero."""
    rng = np.random.default_rng(case.seed)
    n = case.n
    steps = rng.integers(-3, 4, n) * (rng.random(n) >= case.still)
    steps = steps + np.where(rng.random(n) < case.jumpy, rng.integers(-30, 31, n), 0)
    close = np.round(np.maximum(20.0 + 0.1 * np.cumsum(steps), 2.0) / case.tick) * case.tick
    volume = np.where(rng.random(n) < 0.2, 0.0, np.round(rng.exponential(5.0, n), 2))
    if case.kind == "trades":
        gaps = np.where(rng.random(n) < 0.3, 0, rng.integers(0, 90_000, n))
        index = pd.DatetimeIndex((1_709_287_200_000 + np.cumsum(gaps)).view("M8[ms]")).tz_localize("UTC")
        return pd.DataFrame({"price": close, "size": volume}, index=index)
    minutes = np.cumsum(np.where(rng.random(n) < 0.1, rng.integers(2, 200, n), 1))
    index = pd.DatetimeIndex((28_488_120 + minutes).astype("M8[m]").astype("M8[s]")).tz_localize("UTC")
    open = np.concatenate((close[:1], close[:-1])) + np.round(rng.normal(0.0, 0.1, n), 2)
    high = np.maximum(open, close) + np.round(rng.exponential(0.2, n), 2)
    low = np.maximum(np.minimum(open, close) - np.round(rng.exponential(0.2, n), 2), 0.5)
    return frame_of(index, BarArrays(np.maximum(open, low), high, low, close, volume))


def text_of(size: Any) -> Any:
    """Write a size as the public functions take it."""
    if isinstance(size, tuple):
        return f"{size[1]}%" if size[0] == "percent" else f"atr({size[1]})"
    return size


def call(case: Case) -> dict[str, Any]:
    params = {name: text_of(value) for name, value in case.params.items()}
    return params | ({"interval": "1m"} if case.kind == "bars" else {})


def rows_of(case: Case, data: pd.DataFrame, *, partial: bool = False) -> pd.DataFrame:
    return charts.chart(data, case.style, partial=partial, **call(case))


def events_of(feed: Feed) -> list[Event]:
    return [Event(*values) for values in zip(*(column.tolist() for column in feed.events), strict=True)]


def expected_rows(case: Case, data: pd.DataFrame) -> list[Row]:
    """Return the reference's rows, the partial one included."""
    events = events_of(as_feed(data, interval="1m" if case.kind == "bars" else None))
    given = dict(case.params)
    match case.style:
        case "time":
            return timed_rows(
                events, given["rule"], 60_000 if case.kind == "bars" else 0, 1000 if case.kind == "bars" else 1
            )
        case "renko":
            return renko(events, **given)
        case "range":
            return range_bars(events, **given)
        case "line_break":
            return line_break(events, **given)
        case "kagi":
            return kagi(events, **given)
        case "point_figure":
            return point_figure(events, **given)
        case "heikin_ashi":
            return heikin_ashi(events)
        case "imbalance" | "runs":
            return flow_bars(events, flow_options(given), runs=case.style == "runs")
    if given.get("split"):
        return split_bars(events, case.style, given["size"])
    return activity_bars(events, case.style, given["size"])


SECONDS = {"2s": 2, "1m": 60, "7m": 420, "1h": 3600}


def timed_rows(events: list[Event], rule: str, bar_ms: int, unit_ms: int) -> list[Row]:
    """Return the reference's time bars; a stamp is a number of `unit_ms` milliseconds."""
    day, length = 86_400_000, 1000 * SECONDS[rule]

    def period_of(stamp: int) -> tuple[int, int]:
        midnight = stamp * unit_ms // day * day
        begin = midnight + (stamp * unit_ms - midnight) // length * length
        return begin // unit_ms, min(begin + length, midnight + day) // unit_ms

    def completes(event: Event) -> bool:
        return bar_ms > 0 and period_of(event.end) != period_of(event.start)

    return time_bars(events, period_of, completes)


def flow_options(given: dict[str, Any]) -> FlowOptions:
    ticks = given["expected_ticks"]
    return FlowOptions(
        what=given["of"],
        expected_ticks=ticks,
        span=given["span"],
        tick_span=10 * ticks if given["tick_span"] is None else given["tick_span"],
        min_ticks=max(1, ticks // 10) if given["min_ticks"] is None else given["min_ticks"],
        max_ticks=10 * ticks if given["max_ticks"] is None else given["max_ticks"],
        floor=given.get("floor", 0.0),
    )


def plain(frame: pd.DataFrame) -> list[Row]:
    """Return the rows of a frame as the reference writes them; stamps as numbers in their own unit."""
    columns = {}
    for name in frame.columns:
        column = frame[name]
        columns[name] = column.array.asi8.tolist() if isinstance(column.dtype, pd.DatetimeTZDtype) else column.tolist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def same(left: Any, right: Any) -> bool:
    return left == right or (isinstance(left, float) and math.isnan(left) and math.isnan(right))


def check_equal(found: list[Row], expected: list[Row]) -> None:
    assert len(found) == len(expected)
    for k, (row, wanted) in enumerate(zip(found, expected, strict=True)):
        wrong = {name: (row[name], wanted[name]) for name in wanted if not same(row[name], wanted[name])}
        assert not wrong, f"row {k}: {wrong}"


@given(case=cases())
@example(Case("renko", {"size": 0.1}, n=150, jumpy=0.6, tick=0.1))
@example(Case("range", {"size": 0.1, "phantom": True}, n=150, jumpy=0.6, tick=0.1))
def test_every_style_equals_its_reference_row_for_row(case: Case) -> None:
    data = data_of(case)
    expected = expected_rows(case, data)
    found = plain(rows_of(case, data, partial=True))
    check_equal(found, [row | {"is_partial": row.get("is_partial", False)} for row in expected])
    check_equal(plain(rows_of(case, data)), [row for row in expected if "is_partial" not in row])


def fed_one_by_one(case: Case, data: pd.DataFrame) -> tuple[list[Row], Any]:
    stream = charts.stream(case.style, **call(case))
    rows: list[Row] = []
    for place, event in enumerate(data.rename_axis("time").reset_index().to_dict("records")):
        found = stream.update(event)
        assert all(row["event"] == place for row in found), "a row shows when its event comes, no sooner and no later"
        rows += found
    return rows, stream


@given(case=cases())
def test_a_stream_gives_the_rows_of_the_batch_bit_for_bit(case: Case) -> None:
    data = data_of(case)
    batch = rows_of(case, data, partial=True)
    rows, stream = fed_one_by_one(case, data)
    complete = batch[~batch["is_partial"]].drop(columns="is_partial")
    assert list(rows[0]) == list(complete.columns) if rows else True
    check_equal([dict(row) for row in complete.to_dict("records")], rows)
    partial = stream.partial()
    check_equal(batch[batch["is_partial"]].to_dict("records"), [] if partial is None else [partial])


@given(case=cases(), cut=st.floats(0.0, 1.0))
def test_rows_of_a_prefix_are_a_prefix_of_the_rows(case: Case, cut: float) -> None:
    data = data_of(case)
    part = data.iloc[: max(1, int(cut * len(data)))]
    whole, early = rows_of(case, data), rows_of(case, part)
    assert (whole["event"] < len(part)).sum() == len(early), "nothing shows before its event"
    pd.testing.assert_frame_equal(early, whole.iloc[: len(early)], check_exact=True)


@given(case=cases(), cut=st.floats(0.0, 1.0))
def test_a_history_and_then_single_events_give_the_rows_of_all(case: Case, cut: float) -> None:
    data = data_of(case)
    at = min(max(1, int(cut * len(data))), len(data) - 1)
    stream: Any = charts.stream(case.style, **call(case))
    first = stream.feed(data.iloc[:at]).to_dict("records")
    records = data.rename_axis("time").reset_index().to_dict("records")
    check_equal(
        [*first, *(row for event in records[at:] for row in stream.update(event))],
        rows_of(case, data).to_dict("records"),
    )


@given(case=cases())
def test_no_volume_is_lost_and_times_are_in_order(case: Case) -> None:
    data = data_of(case)
    rows = rows_of(case, data, partial=True)
    traded = data["size" if case.kind == "trades" else "volume"]
    if len(rows) and rows["event"].iloc[-1] == len(data) - 1:
        assert rows["volume"].sum() == pytest.approx(traded.sum(), rel=1e-9, abs=1e-9)
    assert rows["closed_at"].is_monotonic_increasing
    assert rows["opened_at"].is_monotonic_increasing
    assert (rows["opened_at"] <= rows["closed_at"]).all()
    assert rows["event"].is_monotonic_increasing
    assert (rows["low"] <= rows[["open", "close"]].min(axis=1)).all()
    assert (rows["high"] >= rows[["open", "close"]].max(axis=1)).all()


@given(case=cases(("imbalance", "runs")))
def test_thresholds_neither_explode_nor_collapse(case: Case) -> None:
    data = data_of(case)
    rows = rows_of(case, data)
    options = flow_options(case.params)
    later = rows.iloc[1:]
    assert later["ticks"].between(options.min_ticks, options.max_ticks).all()
    feed = as_feed(data, interval="1m" if case.kind == "bars" else None)
    weights = {
        "tick": np.ones(len(data)),
        "volume": feed.events.volume,
        "dollar": feed.events.volume * feed.events.close,
    }
    largest = weights[options.what].max()
    assert (later["threshold"] <= options.max_ticks * largest * max(1.0, options.floor) * (1 + 1e-12)).all()
    assert (later["threshold"] >= 0.0).all()


@given(seed=st.integers(0, 10**6), k=st.integers(1, 40), size=st.sampled_from([0.1, 0.3, 0.7, 1e-3]))
def test_levels_are_whole_multiples_of_the_size(seed: int, k: int, size: float) -> None:
    """A walk of whole bricks, up and down, lands on `k * size` to the last bit, however long it was."""
    rng = np.random.default_rng(seed)
    levels = 1000 + np.cumsum(rng.integers(-k, k + 1, 200))
    index = pd.date_range("2024-03-01", periods=levels.size, freq="s", tz="UTC")
    rows = charts.renko(pd.Series(levels * size, index=index), size)
    assert np.isin(rows["close"].to_numpy(), np.arange(1000 - 200 * k, 1000 + 200 * k) * size).all()
    assert (np.abs(np.rint(rows["close"] / size) - np.rint(rows["open"] / size)) == 1).all()
