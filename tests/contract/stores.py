"""The stores that the contract is kept by, and what tests of them share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from algotrendy.compute import wait_for
from algotrendy.data.series import SeriesKey, Span
from algotrendy.data.store import BarStore, ParquetStore, Sizes, SqlStore

KINDS = ["parquet", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]

DAILY = SeriesKey(source="sample", instrument="stock:XNAS:AAPL", interval="1d")
MINUTES = SeriesKey(source="sample", instrument="crypto:BINANCE:BTC/USDT", interval="1m")


@dataclass(frozen=True)
class Place:
    """Where a store lies: another process opens the same one by its kind and its address."""

    kind: str
    address: str
    schema: str = ""
    few_rows: bool = False

    def open(self) -> BarStore:
        """Open the store; with `few_rows` its files are split and joined after a few rows."""
        if self.kind == "parquet":
            return ParquetStore(self.address, sizes=Sizes(small=8, largest=40) if self.few_rows else None)
        return SqlStore(self.address, schema=self.schema or None)


@contextmanager
def place_of(request: pytest.FixtureRequest, kind: str, *, few_rows: bool = False) -> Iterator[Place]:
    """Give a place of a test's own."""
    if kind == "postgres":
        address, schema = request.getfixturevalue("postgres_schema")
        yield Place(kind, address, schema)
    else:
        folder: Path = request.getfixturevalue("tmp_path")
        yield Place(kind, str(folder / "store") if kind == "parquet" else f"sqlite:///{folder}/bars.db", "", few_rows)


@contextmanager
def opened(place: Place) -> Iterator[BarStore]:
    """Open a store and close it."""
    store = place.open()
    yield store
    wait_for(store.close())


def bars_at(stamps: pd.DatetimeIndex, price: np.ndarray | float) -> pd.DataFrame:
    """Return sound bars whose close is `price`."""
    close = np.broadcast_to(np.asarray(price, dtype=np.float64), len(stamps))
    columns = {"open": close, "high": close * 1.25, "low": close * 0.75, "close": close, "volume": close * 8.0}
    return pd.DataFrame(columns, index=stamps.rename("time"))


def days(count: int, start: str = "2024-01-01") -> pd.DatetimeIndex:
    """Return calendar days."""
    return pd.date_range(start, periods=count, freq="D", unit="us", name="time")


def minutes(count: int, start: str = "2024-01-01") -> pd.DatetimeIndex:
    """Return minutes in UTC."""
    return pd.date_range(start, periods=count, freq="min", unit="us", tz="UTC", name="time")


def whole(bars: pd.DataFrame, step: str) -> Span:
    """Return the span from the first bar to the end of the last."""
    return Span.of(bars.index[0], bars.index[-1] + pd.Timedelta(step))


def assert_same(found: pd.DataFrame | None, expected: pd.DataFrame) -> None:
    """Check that two frames hold the same values, types and times."""
    assert found is not None
    pd.testing.assert_frame_equal(found, expected, check_freq=False, check_exact=True)
