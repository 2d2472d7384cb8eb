"""Whatever is written to a store, in whatever order, it holds what a plain dictionary would."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from algotrendy.compute import wait_for
from algotrendy.data.series import SeriesKey, Span, merged
from algotrendy.data.store import BarStore, ParquetStore
from algotrendy.data.store.parquet_files import read_manifest
from tests.contract.stores import KINDS, assert_same, bars_at, opened, place_of

HORIZON = 120
START = pd.Timestamp("2024-01-01", tz="UTC")
numbers = itertools.count()


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[BarStore]:
    with place_of(request, request.param, few_rows=True) as place, opened(place) as one:
        yield one


def at(minute: int) -> pd.Timestamp:
    return START + pd.Timedelta(minutes=minute)


@dataclass
class Model:
    """The plain dictionary: minute -> (price, flag), and the set of minutes that are covered."""

    rows: dict[int, tuple[float, bool]] = field(default_factory=dict)
    covered: set[int] = field(default_factory=set)
    has_rows: bool = False
    has_flag: bool = False

    def write(self, low: int, high: int, rows: dict[int, float], flag: bool | None) -> None:
        kept = {minute: row for minute, row in self.rows.items() if not low <= minute < high}
        self.rows = kept | {minute: (price, bool(flag)) for minute, price in rows.items()}
        self.covered |= set(range(low, high))
        self.has_rows |= bool(rows)
        self.has_flag |= bool(rows) and flag is not None

    def frame(self, low: int = 0, high: int = HORIZON) -> pd.DataFrame:
        minutes = [minute for minute in sorted(self.rows) if low <= minute < high]
        index = pd.DatetimeIndex([at(minute) for minute in minutes], tz="UTC", name="time").as_unit("us")
        bars = bars_at(index, [self.rows[minute][0] for minute in minutes])
        flags = np.array([self.rows[minute][1] for minute in minutes], dtype=bool)
        return bars.assign(is_partial=flags) if self.has_flag else bars

    def spans(self) -> tuple[Span, ...]:
        return merged(Span(at(minute), at(minute + 1)) for minute in self.covered)


@st.composite
def writes(draw: st.DrawFn) -> tuple[int, int, dict[int, float], bool | None]:
    low = draw(st.integers(0, HORIZON - 1))
    high = draw(st.integers(low + 1, min(HORIZON, low + draw(st.sampled_from([3, 20, HORIZON])))))
    prices = st.floats(0.01, 1e9).map(lambda price: float(f"{price:.6g}"))
    rows = draw(st.dictionaries(st.integers(low, high - 1), prices, max_size=60))
    if draw(st.booleans()):  # every minute, so that files fill up
        rows = {minute: 1.0 + minute for minute in range(low, high)}
    return low, high, rows, draw(st.sampled_from([None, None, False, True]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    steps=st.lists(writes(), min_size=1, max_size=10),
    looks=st.lists(st.tuples(st.integers(0, 60), st.integers(61, HORIZON)), max_size=3),
)
def test_a_store_equals_a_dictionary(
    store: BarStore, steps: list[tuple[int, int, dict[int, float], bool | None]], looks: list[tuple[int, int]]
) -> None:
    key = SeriesKey(source="model", instrument=f"crypto:X:S{next(numbers)}", interval="1m")
    model = Model()
    for low, high, rows, flag in steps:
        model.write(low, high, rows, flag)
        index = pd.DatetimeIndex([at(minute) for minute in sorted(rows)], tz="UTC").as_unit("us")
        bars = bars_at(index, [rows[minute] for minute in sorted(rows)])
        if flag is not None:
            bars = bars.assign(is_partial=flag)
        wait_for(store.write(key, bars, Span(at(low), at(high))))
        assert_same(wait_for(store.read(key)), model.frame())
        assert wait_for(store.coverage(key)) == model.spans()
        if isinstance(store, ParquetStore):
            check_files(store, key)
    for low, high in looks:
        assert_same(wait_for(store.read(key, Span(at(low), at(high)))), model.frame(low, high))
    wait_for(store.delete(key))
    assert wait_for(store.read(key)) is None


def check_files(store: ParquetStore, key: SeriesKey) -> None:
    """Check that segments ascend, do not overlap, are not too large, and that nothing else lies beside them."""
    folder = store._series(key).folder
    manifest = read_manifest(folder)
    assert manifest is not None
    edges = [edge for segment in manifest.segments for edge in (segment.first, segment.last)]
    assert edges == sorted(edges)
    assert all(segment.rows <= 40 for segment in manifest.segments)
    named = {segment.file for segment in manifest.segments} | {"manifest.json"}
    assert {path.name for path in folder.iterdir()} == named
    assert all(left.rows + right.rows > 8 for left, right in itertools.pairwise(manifest.segments))
