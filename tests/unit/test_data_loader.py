"""Loading bars through a store: nothing is fetched twice, nothing wrong is kept, failures are told by symbol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from algotrendy.compute import wait_for
from algotrendy.data.known_symbols import KnownSymbols, Meant
from algotrendy.data.loader import BarLoader
from algotrendy.data.providers.port import Capabilities, Fetched
from algotrendy.data.series import BarsRequest, Span
from algotrendy.data.store.parquet import ParquetStore
from algotrendy.domain.instrument import AssetClass, Instrument
from algotrendy.errors import DataError, InputError, VenueUnavailable

NOW = pd.Timestamp("2024-06-14 15:00", tz="UTC")
DATES = pd.bdate_range("2020-01-01", "2024-12-31")


class Exchange:
    """A provider over a table in memory that notes what it was asked for."""

    name = "table"
    capabilities = Capabilities(
        intervals=None, asset_classes=frozenset({AssetClass.STOCK}), adjusted=frozenset({"raw", "splits"})
    )

    def __init__(self) -> None:
        close = 100.0 + np.arange(len(DATES)) * 0.1
        columns = {"open": close, "high": close + 1.0, "low": close - 1.0, "close": close, "volume": 10.0}
        self.table = pd.DataFrame(columns, index=DATES.rename("time"))
        self.now, self.asked, self.is_down, self.serves_as = NOW, [], False, self.name
        self.instrument_of: Callable[[BarsRequest], str] = lambda request: f"stock:XNAS:{request.symbol}"

    asked: list[tuple[str, Span]]

    async def bars(self, request: BarsRequest) -> Fetched:
        if self.is_down:
            raise VenueUnavailable(self.name, "is down")
        if request.symbol == "NONE":
            raise DataError("table has no NONE")
        self.asked.append((request.symbol, request.span))
        start, end = (stamp.tz_localize(None) for stamp in (request.span.start, request.span.end))
        today = self.now.tz_localize(None).normalize()
        bars = self.table[(self.table.index >= start) & (self.table.index < end) & (self.table.index <= today)]
        unfinished = bars.index == today
        bars = bars.assign(is_partial=unfinished) if request.partial else bars[~unfinished]
        last = min(request.span.end, self.now.normalize())
        covered = Span(request.span.start, last) if last > request.span.start else None
        return Fetched(
            bars=bars, instrument=Instrument.of(self.instrument_of(request)), source=self.serves_as, covered=covered
        )

    async def close(self) -> None:
        return None


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def loader(exchange: Exchange, tmp_path: Path) -> BarLoader:
    return BarLoader(
        lambda name: exchange,
        ParquetStore(tmp_path / "bars"),
        known=KnownSymbols(tmp_path / "symbols.json"),
        clock=lambda: exchange.now,
    )


def ask(start: str, end: str, symbol: str = "AAPL", **changes: object) -> BarsRequest:
    request = BarsRequest(symbol=symbol, interval="1d", span=Span.of(start, end))  # type: ignore[arg-type]
    return replace(request, **changes)  # type: ignore[arg-type]


def test_what_is_stored_is_not_fetched_again(loader: BarLoader, exchange: Exchange) -> None:
    first = wait_for(loader.load(ask("2023-01-01", "2024-01-01"), "table"))
    again = wait_for(loader.load(ask("2023-03-01", "2023-06-01"), "table"))
    assert (first.served_from, again.served_from) == ("provider", "store")
    assert len(exchange.asked) == 1
    expected = exchange.table["2023-03-01":"2023-05-31"]
    pd.testing.assert_frame_equal(again.bars, expected, check_freq=False, check_index_type=False)


def test_only_the_missing_ranges_are_fetched(loader: BarLoader, exchange: Exchange) -> None:
    wait_for(loader.load(ask("2022-01-01", "2022-07-01"), "table"))
    wait_for(loader.load(ask("2023-01-01", "2023-07-01"), "table"))
    loaded = wait_for(loader.load(ask("2021-01-01", "2024-01-01"), "table"))
    assert [span for _, span in exchange.asked[2:]] == [
        Span.of("2021-01-01", "2022-01-01"),
        Span.of("2022-07-01", "2023-01-01"),
        Span.of("2023-07-01", "2024-01-01"),
    ]
    assert len(loaded.bars) == len(exchange.table["2021-01-01":"2023-12-31"])


def test_a_new_process_finds_what_another_has_stored(loader: BarLoader, exchange: Exchange, tmp_path: Path) -> None:
    wait_for(loader.load(ask("2023-01-01", "2024-01-01"), "table"))
    other = BarLoader(
        lambda name: exchange, ParquetStore(tmp_path / "bars"), known=KnownSymbols(tmp_path / "symbols.json"),
        clock=lambda: NOW,
    )  # fmt: skip
    assert wait_for(other.load(ask("2023-01-01", "2024-01-01"), "table")).served_from == "store"


def test_an_unfinished_bar_is_marked_and_never_stored(loader: BarLoader, exchange: Exchange) -> None:
    today = str(NOW.date())
    with_it = wait_for(loader.load(ask("2024-06-01", "2025-01-01", partial=True), "table")).bars
    assert with_it["is_partial"].tolist() == [False] * (len(with_it) - 1) + [True]
    assert str(with_it.index[-1].date()) == today
    without = wait_for(loader.load(ask("2024-06-01", "2025-01-01"), "table")).bars
    assert str(without.index[-1].date()) < today
    exchange.now = NOW + pd.Timedelta(days=3)
    later = wait_for(loader.load(ask("2024-06-01", "2025-01-01"), "table")).bars
    assert str(later.index[-1].date()) == today


def test_a_split_since_makes_the_whole_adjusted_series_be_fetched_anew(loader: BarLoader, exchange: Exchange) -> None:
    wait_for(loader.load(ask("2022-01-01", "2023-01-01", adjusted="splits"), "table"))
    exchange.table[["open", "high", "low", "close"]] /= 2.0  # two shares for one: the vendor restates the past
    loaded = wait_for(loader.load(ask("2022-01-01", "2024-01-01", adjusted="splits"), "table"))
    np.testing.assert_allclose(loaded.bars["close"], exchange.table.loc["2022-01-01":"2023-12-31", "close"])


def test_an_adjusted_series_that_did_not_change_is_only_extended(loader: BarLoader, exchange: Exchange) -> None:
    wait_for(loader.load(ask("2022-01-01", "2023-01-01", adjusted="splits"), "table"))
    wait_for(loader.load(ask("2022-01-01", "2024-01-01", adjusted="splits"), "table"))
    probe, missing = (span for _, span in exchange.asked[1:])
    assert probe.end - probe.start < pd.Timedelta(days=10)
    assert missing == Span.of("2023-01-01", "2024-01-01")


def test_a_symbol_that_changes_its_meaning_is_refused(loader: BarLoader, exchange: Exchange) -> None:
    exchange.instrument_of = lambda request: (
        "stock:XNAS:OLD" if request.span.start < pd.Timestamp("2022-01-01", tz="UTC") else "stock:XNAS:NEW"
    )
    wait_for(loader.load(ask("2022-06-01", "2023-01-01", "FB"), "table"))
    with pytest.raises(InputError, match=r"FB meant stock:XNAS:NEW and stock:XNAS:OLD .* by its id"):
        wait_for(loader.load(ask("2021-01-01", "2023-01-01", "FB"), "table"))
    old = wait_for(loader.load(ask("2021-01-01", "2021-06-01", "FB"), "table"))
    assert old.key.instrument == "stock:XNAS:OLD"
    assert wait_for(loader.load(ask("2022-06-01", "2023-01-01", "FB"), "table")).key.instrument == "stock:XNAS:NEW"


def test_a_provider_that_is_down_stores_nothing_and_says_so(loader: BarLoader, exchange: Exchange) -> None:
    wait_for(loader.load(ask("2022-01-01", "2023-01-01"), "table"))
    exchange.is_down = True
    with pytest.raises(VenueUnavailable, match="table: is down"):
        wait_for(loader.load(ask("2022-01-01", "2024-01-01"), "table"))
    assert wait_for(loader.load(ask("2022-01-01", "2023-01-01"), "table")).served_from == "store"


def test_failures_are_told_by_symbol(loader: BarLoader) -> None:
    done: list[str] = []
    requests = [ask("2023-01-01", "2024-01-01", name) for name in ("A", "NONE", "B")]
    found, failures = wait_for(loader.load_many(requests, "table", done=done.append))
    assert sorted(found) == ["A", "B"]
    assert str(failures["NONE"]) == "table has no NONE"
    assert sorted(done) == ["A", "B", "NONE"]


def test_the_future_and_what_a_provider_cannot_serve_are_refused(loader: BarLoader) -> None:
    with pytest.raises(InputError, match="lies in the future"):
        wait_for(loader.load(ask("2030-01-01", "2031-01-01"), "table"))
    with pytest.raises(InputError, match="no prices adjusted='all', but raw, splits"):
        wait_for(loader.load(ask("2022-01-01", "2023-01-01", adjusted="all"), "table"))
    with pytest.raises(DataError, match="has no bars of AAPL between 2022-01-01 and 2022-01-02"):
        wait_for(loader.load(ask("2022-01-01", "2022-01-02"), "table"))


def test_refresh_fetches_everything_anew(loader: BarLoader, exchange: Exchange) -> None:
    wait_for(loader.load(ask("2022-01-01", "2023-01-01"), "table"))
    exchange.table["close"] += 0.5
    loaded = wait_for(loader.load(ask("2022-01-01", "2023-01-01"), "table", refresh=True))
    assert loaded.bars["close"].iloc[0] == exchange.table.loc["2022-01-03", "close"]


def test_a_caller_who_changes_bars_changes_nothing_but_those(loader: BarLoader) -> None:
    mine = wait_for(loader.load(ask("2022-01-01", "2023-01-01"), "table")).bars
    before = mine.copy()
    mine.iloc[:, :] = 0.0
    again = wait_for(loader.load(ask("2022-01-01", "2023-01-01"), "table")).bars
    pd.testing.assert_frame_equal(again, before)


def test_symbols_that_meant_two_things_in_a_span_are_not_known(tmp_path: Path) -> None:
    known = KnownSymbols(tmp_path / "symbols.json")
    old, new = Meant("t", "stock:XNAS:OLD"), Meant("t", "stock:XNAS:NEW")
    known.remember("t", ask("2000-01-01", "2005-01-01", "FB"), old)
    known.remember("t", ask("2012-06-01", "2020-01-01", "FB"), new)
    assert known.find("t", ask("2004-01-01", "2013-01-01", "FB")) is None
    assert KnownSymbols(tmp_path / "symbols.json").find("t", ask("2013-01-01", "2014-01-01", "FB")) == new
    assert known.find("t", ask("2006-01-01", "2007-01-01", "FB")) is None
    (tmp_path / "symbols.json").write_text("no JSON")
    assert KnownSymbols(tmp_path / "symbols.json").find("t", ask("2013-01-01", "2014-01-01", "FB")) is None


def test_parts_that_two_sources_served_are_never_joined(loader: BarLoader, exchange: Exchange) -> None:
    wait_for(loader.load(ask("2022-01-01", "2023-01-01"), "table"))
    exchange.serves_as = "other"  # the first of a list of providers is down: the second serves, with its own prices
    exchange.table[["open", "high", "low", "close"]] *= 1.5
    loaded = wait_for(loader.load(ask("2022-01-01", "2024-01-01"), "table"))
    assert loaded.key.source == "other"
    np.testing.assert_allclose(loaded.bars["close"], exchange.table.loc["2022-01-01":"2023-12-31", "close"])
    again = wait_for(loader.load(ask("2022-01-01", "2024-01-01"), "table"))
    assert (again.key.source, again.served_from) == ("other", "store"), "kept under its own name"


def test_a_source_that_serves_all_anew_need_not_be_the_one_before(loader: BarLoader, exchange: Exchange) -> None:
    wait_for(loader.load(ask("2022-01-01", "2023-01-01"), "table"))
    exchange.serves_as = "other"
    loaded = wait_for(loader.load(ask("2022-01-01", "2023-01-01"), "table", refresh=True))
    assert (loaded.key.source, len(exchange.asked)) == ("other", 2)
