"""Bars and charts built as ticks come are those made of the same ticks afterwards, however the ticks come."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy import charts
from algotrendy.data.stream import LiveBar, Quote, Tick, live_bars, live_chart
from algotrendy.domain.bars import check_bars
from algotrendy.errors import InputError

START = pd.Timestamp("2024-03-01 14:29:30", tz="UTC").value
MS = 1_000_000
SECOND = 1_000 * MS

SIZES = st.sampled_from([0.0, 1.0, 100.0, 0.1, 0.3, 1e-8])
INTERVALS = ("1s", "3s", "1m", "7m", "7h", "1d", "1wk")


# --- ticks, and the manners in which they come ---


@st.composite
def tapes(draw: st.DrawFn, gap_ms_max: int = 40_000, sizes: st.SearchStrategy[float] = SIZES) -> dict[str, list[Tick]]:
    """One to three symbols, each with its ticks in the order of time; stamps may be equal."""
    one = st.tuples(st.integers(0, gap_ms_max), st.integers(-8, 8), sizes)
    tape = {}
    for symbol in "ABC"[: draw(st.integers(1, 3))]:
        time, price = START, 100.0
        ticks = []
        for gap, step, size in draw(st.lists(one, min_size=1, max_size=60)):
            time, price = time + gap * MS, max(1.0, price + step * 0.25)
            ticks.append(Tick(symbol, time, price, size))
        tape[symbol] = ticks
    return tape


@st.composite
def lots_of(draw: st.DrawFn, ticks: Sequence[Tick]) -> list[list[Tick]]:
    """The same ticks, cut into lots of any size, empty ones included."""
    cuts = sorted(draw(st.lists(st.integers(0, len(ticks)), max_size=12)))
    edges = [0, *cuts, len(ticks)]
    return [list(ticks[start:end]) for start, end in itertools.pairwise(edges)]


@st.composite
def mixed(draw: st.DrawFn, tape: dict[str, list[Tick]]) -> list[list[Tick]]:
    """The ticks of all symbols, mixed in any way that keeps each symbol's order, and cut into lots."""
    turns = draw(st.permutations([symbol for symbol, ticks in tape.items() for _ in ticks]))
    rest = {symbol: iter(ticks) for symbol, ticks in tape.items()}
    return draw(lots_of([next(rest[symbol]) for symbol in turns]))


@st.composite
def delayed(draw: st.DrawFn, tape: dict[str, list[Tick]], delay_ms_max: int) -> list[list[Tick]]:
    """The ticks in the order in which they arrive, each up to so many milliseconds late, and cut into lots."""
    ticks = [tick for ticks in tape.values() for tick in ticks]
    delays = draw(st.lists(st.integers(0, delay_ms_max), min_size=len(ticks), max_size=len(ticks)))
    order = sorted(range(len(ticks)), key=lambda n: ticks[n].time + delays[n] * MS)
    return draw(lots_of([ticks[n] for n in order]))


def frame(ticks: Sequence[Tick]) -> pd.DataFrame:
    index = pd.DatetimeIndex([tick.time for tick in ticks]).as_unit("ns").tz_localize("UTC")
    return pd.DataFrame({"price": [tick.price for tick in ticks], "size": [tick.size for tick in ticks]}, index=index)


def plain_bars(ticks: Sequence[Tick], seconds: int) -> list[tuple[Any, ...]]:
    """Bars by their definition, of ticks in the order of time: for periods that fit into a day."""
    made: dict[int, list[Tick]] = {}
    for tick in ticks:
        day = tick.time // (86_400 * SECOND) * 86_400 * SECOND
        made.setdefault(day + (tick.time - day) // (seconds * SECOND) * seconds * SECOND, []).append(tick)
    bars = []
    for start, inside in made.items():
        prices = [tick.price for tick in inside]
        volume = 0.0
        for tick in inside:
            volume += tick.size
        bars.append((start, prices[0], max(prices), min(prices), prices[-1], volume, len(inside)))
    return bars


def values(bar: LiveBar) -> tuple[Any, ...]:
    return bar.opened_at, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.ticks


# --- time bars ---


@given(data=st.data(), rule=st.sampled_from(["1s", "3s", "1m", "7m", "7h"]))
def test_bars_of_any_lots_and_mixture_are_those_of_the_definition_bit_for_bit(data: st.DataObject, rule: str) -> None:
    tape = data.draw(tapes(gap_ms_max=600_000 if rule == "7h" else 40_000))
    builder = live_bars(rule)
    done = [bar for lot in data.draw(mixed(tape)) for bar in builder.update(lot)]
    seconds = builder.interval.seconds or 0
    for symbol, ticks in tape.items():
        expected = plain_bars(ticks, seconds)
        assert [values(bar) for bar in done if bar.symbol == symbol] == expected[:-1]
        assert [values(bar) for bar in builder.partial() if bar.symbol == symbol] == expected[-1:]
    assert (builder.late, builder.dropped) == (0, 0)


@pytest.mark.parametrize("calendar", [None, "XNYS", "sessions"])
@pytest.mark.parametrize("rule", INTERVALS)
def test_bars_are_those_of_the_chart_of_time_with_and_without_a_calendar(rule: str, calendar: str | None) -> None:
    rng = np.random.default_rng(5)
    gaps = rng.integers(0, 40_000_000 if rule in ("1d", "1wk", "7h") else 30_000, 400) * MS
    times = START + np.cumsum(gaps)
    prices = 100.0 + np.cumsum(rng.integers(-3, 4, 400)) * 0.25
    ticks = [Tick("A", int(t), float(p), float(s)) for t, p, s in zip(times, prices, rng.random(400), strict=True)]
    builder = live_bars(rule, calendar=calendar)
    done = [bar for tick in ticks for bar in builder.update(tick)]
    batch = charts.time(frame(ticks), rule, calendar=calendar)
    assert len(done) == len(batch) > 3
    for name in ("open", "high", "low", "close", "volume", "ticks"):
        assert [getattr(bar, name) for bar in done] == batch[name].tolist(), name
    for name in ("opened_at", "closed_at"):
        assert [getattr(bar, name) for bar in done] == batch[name].dt.as_unit("ns").astype("int64").tolist(), name
    bars = builder.frame(done)
    check_bars(bars)
    assert (bars.index.tz is not None) == (rule not in ("1d", "1wk"))


@given(data=st.data(), lateness_ms=st.integers(1, 5_000))
def test_ticks_out_of_order_within_the_lateness_give_the_same_bars(data: st.DataObject, lateness_ms: int) -> None:
    tape = data.draw(tapes(gap_ms_max=3_000, sizes=st.sampled_from([1.0, 2.0, 100.0])))
    lots = data.draw(delayed(tape, lateness_ms))
    builder = live_bars("2s", lateness=lateness_ms / 1_000)
    done = [bar for lot in lots for bar in builder.update(lot)]
    done += builder.advance(pd.Timestamp("2030-01-01", tz="UTC"))
    for symbol in tape:
        arrived = sorted((tick for lot in lots for tick in lot if tick.symbol == symbol), key=lambda tick: tick.time)
        assert [values(bar) for bar in done if bar.symbol == symbol] == plain_bars(arrived, 2)
    assert builder.dropped == 0
    assert builder.partial() == []


@given(data=st.data())
def test_what_comes_too_late_is_left_out_and_counted_and_no_finished_bar_changes(data: st.DataObject) -> None:
    """With lateness zero: what finds its bar open counts, what does not is as if it had never come."""
    tape = data.draw(tapes(gap_ms_max=1_500, sizes=st.sampled_from([1.0, 2.0])))
    lots = data.draw(delayed(tape, 4_000))
    builder = live_bars("2s")
    done = [bar for lot in lots for bar in builder.update(lot)] + builder.advance(1 << 62)
    newest: dict[str, int] = {}
    kept: dict[str, list[Tick]] = {symbol: [] for symbol in tape}
    late = dropped = 0
    for tick in (tick for lot in lots for tick in lot):
        before = newest.get(tick.symbol, -1)
        if tick.time // (2 * SECOND) * 2 * SECOND + 2 * SECOND <= before:
            dropped += 1
            continue
        late += tick.time < before
        newest[tick.symbol] = max(before, tick.time)
        kept[tick.symbol].append(tick)
    for symbol, ticks in kept.items():
        in_order = sorted(ticks, key=lambda tick: tick.time)
        assert [values(bar) for bar in done if bar.symbol == symbol] == plain_bars(in_order, 2)
        starts = [bar.opened_at for bar in done if bar.symbol == symbol]
        assert starts == sorted(set(starts)), "each bar once, in order"
    assert (builder.late, builder.dropped) == (late, dropped)


@given(data=st.data())
def test_a_clock_that_goes_on_between_the_lots_changes_no_bar_only_when_it_is_known(data: st.DataObject) -> None:
    tape = data.draw(tapes(gap_ms_max=3_000))
    ticks = sorted((tick for ticks in tape.values() for tick in ticks), key=lambda tick: tick.time)
    builder = live_bars("2s", lateness="1s")
    done: list[LiveBar] = []
    for tick in ticks:
        done += builder.advance(tick.time + data.draw(st.integers(0, 1_000)) * MS)  # the message was on its way so long
        done += builder.update(tick)
    done += builder.advance(1 << 62)
    for symbol, own in tape.items():
        assert [values(bar) for bar in done if bar.symbol == symbol] == plain_bars(own, 2)
    assert builder.dropped == 0


def test_the_clock_completes_the_bar_of_a_symbol_that_falls_silent() -> None:
    builder = live_bars("1m", lateness="2s")
    builder.update([Tick("A", 10 * SECOND, 1.0, 1.0), Tick("B", 11 * SECOND, 2.0, 1.0)])
    assert builder.advance(61 * SECOND) == []
    assert [bar.symbol for bar in builder.advance(62 * SECOND)] == ["A", "B"]
    assert builder.advance(62 * SECOND) == []
    builder.update(Tick("A", 59 * SECOND, 9.0, 1.0))
    assert builder.dropped == 1
    builder.update(Tick("C", 59 * SECOND, 9.0, 1.0))
    assert builder.dropped == 2, "of a new symbol, too, that minute is over"


def test_quotes_are_left_out_and_frames_are_of_one_symbol() -> None:
    builder = live_bars("1s")
    assert builder.update(Quote("A", 0, 1.0, 2.0)) == []
    done = builder.update([Tick(name, at * SECOND, 1.0, 1.0) for at in (0, 1) for name in "AB"])
    with pytest.raises(InputError, match="these are bars of A, B"):
        builder.frame(done)
    assert builder.frame([]).shape == (0, 6)


@pytest.mark.parametrize("lateness", [-1, "soon", None, math.nan, True])
def test_a_lateness_that_is_no_time_is_refused(lateness: Any) -> None:
    with pytest.raises(InputError, match="lateness is"):
        live_bars("1m", lateness=lateness)


# --- charts ---

STYLES: dict[str, dict[str, Any]] = {
    "time": {"rule": "1m"},
    "renko": {"size": 0.5},
    "range": {"size": 0.75},
    "line_break": {"lines": 3},
    "kagi": {"reversal": 0.75},
    "point_figure": {"box": 0.25, "reversal": 2},
    "tick": {"size": 5},
    "volume": {"size": 150.0, "split": True},
    "dollar": {"size": 20_000.0},
    "imbalance": {"expected_ticks": 6},
    "runs": {"expected_ticks": 6, "of": "volume"},
}


def test_no_style_is_forgotten() -> None:
    assert {*STYLES, "heikin_ashi"} == set(charts.STYLES)


def assert_same(rows: list[dict[str, Any]], symbol: str, batch: pd.DataFrame) -> None:
    own = [{name: value for name, value in row.items() if name != "symbol"} for row in rows if row["symbol"] == symbol]
    assert len(own) == len(batch)
    if own:
        made = pd.DataFrame(own, index=batch.index)
        assert list(made.columns) == list(batch.columns)
        for name in batch.columns:
            np.testing.assert_array_equal(made[name].to_numpy(), batch[name].to_numpy(), name)


@pytest.mark.parametrize("style", STYLES)
@given(data=st.data())
def test_rows_of_any_lots_and_mixture_are_those_of_the_batch(style: str, data: st.DataObject) -> None:
    tape = data.draw(tapes())
    builder = live_chart(style, **STYLES[style])
    rows = [row for lot in data.draw(mixed(tape)) for row in builder.update(lot)]
    for symbol, ticks in tape.items():
        assert_same(rows, symbol, charts.chart(frame(ticks), style, **STYLES[style]))
    assert (builder.late, builder.dropped) == (0, 0)


@pytest.mark.parametrize("style", ["renko", "volume", "imbalance"])
@given(data=st.data())
def test_rows_of_ticks_out_of_order_are_those_of_the_ticks_in_order(style: str, data: st.DataObject) -> None:
    tape = data.draw(tapes(gap_ms_max=3_000))
    lots = data.draw(delayed(tape, 2_000))
    builder = live_chart(style, lateness="2s", **STYLES[style])
    rows = [row for lot in lots for row in builder.update(lot)]
    rows += builder.advance(pd.Timestamp("2030-01-01", tz="UTC"))
    for symbol in tape:
        arrived = sorted((tick for lot in lots for tick in lot if tick.symbol == symbol), key=lambda tick: tick.time)
        assert_same(rows, symbol, charts.chart(frame(arrived), style, **STYLES[style]))
    assert builder.dropped == 0
    builder.update(Tick("A", START, 1.0, 1.0))
    assert builder.dropped == 1


@pytest.mark.parametrize("style", ["heikin_ashi", "renko", "line_break"])
@given(data=st.data())
def test_rows_of_bars_of_ticks_are_those_of_the_batch_of_those_bars(style: str, data: st.DataObject) -> None:
    tape = data.draw(tapes(sizes=st.sampled_from([1.0, 2.0])))
    params = STYLES.get(style, {})
    builder = live_chart(style, interval="1m", **params)
    rows = [row for lot in data.draw(mixed(tape)) for row in builder.update(lot)]
    rows += builder.advance(1 << 62)
    bars = live_bars("1m")
    for symbol, ticks in tape.items():
        done = bars.frame(bar for bar in (*bars.update(ticks), *bars.advance(1 << 62)) if bar.symbol == symbol)
        bars = live_bars("1m")
        assert_same(rows, symbol, charts.chart(done, style, interval="1m", **params))


def test_many_ticks_at_once_give_the_same_rows_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    times = START + np.cumsum(rng.integers(0, 500, 3_000)) * MS
    prices = 100.0 + np.cumsum(rng.integers(-2, 3, 3_000)) * 0.25
    ticks = [Tick("A", int(t), float(p), 1.0) for t, p in zip(times, prices, strict=True)]
    for style, params in STYLES.items():
        one, many = live_chart(style, **params), live_chart(style, **params)
        singly = [row for tick in ticks[:300] for row in one.update(tick)] + one.update(ticks[300:])
        assert_same(singly, "A", pd.DataFrame(many.update(ticks)).drop(columns="symbol"))
        shown = [{**row, "symbol": ""} for row in many.partial()]
        assert shown == [{**row, "symbol": ""} for row in one.partial()]


def test_heikin_ashi_of_trades_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match="heikin-ashi smooths bars"):
        live_chart("heikin_ashi").update(Tick("A", 0, 1.0, 1.0))


def test_a_style_that_is_not_there_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="did you mean 'renko'"):
        live_chart("renco", size=1.0)


@pytest.mark.parametrize("style", STYLES)
def test_charts_of_real_trades_built_live_equal_the_batch(shared: Any, style: str) -> None:
    trades = pd.read_parquet(shared / "data" / "bac_trades.parquet").set_index("timestamp").iloc[:30_000]
    params = STYLES[style] | {"renko": {"size": 0.01}, "range": {"size": 0.02}, "kagi": {"reversal": 0.02}}.get(
        style, {}
    )
    params |= {"point_figure": {"box": 0.01}, "volume": {"size": 50_000}, "dollar": {"size": 500_000.0}}.get(style, {})
    times = trades.index.as_unit("ns").asi8.tolist()
    ticks = [Tick("BAC", *row) for row in zip(times, trades["price"].tolist(), trades["size"].tolist(), strict=True)]
    builder = live_chart(style, **params)
    edges = np.sort(np.random.default_rng(1).integers(0, len(ticks), 40)).tolist()
    rows: list[dict[str, Any]] = []
    for start, end in zip([0, *edges], [*edges, len(ticks)], strict=True):
        rows += builder.update(ticks[start:end])
    batch = charts.chart(trades[["price", "size"]], style, **params)
    assert len(batch) > 3
    assert_same(rows, "BAC", batch)
