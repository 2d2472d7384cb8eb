"""Instruments have one name each; panels hold several without filling anything in."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from algotrendy.domain.bars import COLUMNS, bar_arrays
from algotrendy.domain.calendar import ALWAYS_OPEN, SESSIONS
from algotrendy.domain.instrument import AssetClass, DatedTicker, Instrument
from algotrendy.domain.panel import Panel
from algotrendy.errors import InputError


def bars_at(index: pd.DatetimeIndex, level: float = 100.0) -> pd.DataFrame:
    close = level + np.arange(float(len(index)))
    return pd.DataFrame(
        {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": 5.0}, index=index
    )


DAYS = pd.bdate_range("2024-03-04", periods=6)
APPLE = Instrument(asset_class=AssetClass.STOCK, venue="XNAS", symbol="AAPL")


# --- instruments ---


def test_an_instrument_is_named_by_class_venue_and_symbol() -> None:
    assert APPLE.id == "stock:XNAS:AAPL"
    assert Instrument.of("stock:XNAS:AAPL") == APPLE
    assert Instrument(asset_class="crypto", venue="BINANCE", symbol="BTCUSDT").asset_class is AssetClass.CRYPTO  # type: ignore[arg-type]  # text is taken


def test_the_asset_classes_are_the_seven() -> None:
    assert [str(one) for one in AssetClass] == ["stock", "etf", "crypto", "futures", "forex", "option", "index"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"asset_class": "share"}, "'share' is not an asset class"),
        ({"venue": ""}, "venue ''"),
        ({"symbol": "A B"}, "symbol 'A B'"),
        ({"symbol": "A:B"}, "without spaces or colons"),
        ({"tick_size": Decimal(0)}, "tick_size of stock:XNAS:AAPL is 0"),
        ({"lot_size": Decimal(-1)}, "lot_size"),
        ({"multiplier": Decimal("NaN")}, "multiplier"),
    ],
)
def test_an_instrument_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    facts = {"asset_class": "stock", "venue": "XNAS", "symbol": "AAPL", **change}
    with pytest.raises(InputError, match=message):
        Instrument(**facts)  # type: ignore[arg-type]  # the mistakes under test


@pytest.mark.parametrize("text", ["AAPL", "stock:AAPL", "share:XNAS:AAPL", "stock:X:A:B"])
def test_an_id_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Instrument.of(text)


def test_tickers_are_dated() -> None:
    map_ = (DatedTicker("FB", datetime.date(2022, 6, 8)), DatedTicker("META"))
    meta = Instrument(asset_class=AssetClass.STOCK, venue="XNAS", symbol="META", ticker_map=map_)
    assert [meta.ticker_at(datetime.date(2022, 6, day)) for day in (8, 9)] == ["FB", "META"]
    assert APPLE.ticker_at(datetime.date(2022, 6, 8)) == "AAPL"


# --- panels ---


def test_one_instrument_is_a_panel_of_one_column_without_a_copy() -> None:
    bars = bars_at(DAYS)
    panel = Panel.of(bars, name=APPLE)
    assert panel.instruments == (APPLE,)
    assert panel.symbols == ("AAPL",)
    assert panel.index.equals(DAYS)
    assert len(panel) == 6
    assert panel.valid.all()
    assert panel.calendars == (SESSIONS,)
    for one, other in zip(panel.column(0), bar_arrays(bars), strict=True):
        assert one.tolist() == other.tolist()
        assert one.flags.c_contiguous
    assert np.shares_memory(panel.column(0).close, panel.fields["close"])


def test_several_instruments_are_aligned_and_nothing_is_filled_in() -> None:
    panel = Panel.of({"A": bars_at(DAYS[:4]), "B": bars_at(DAYS[2:], 50.0)})
    assert panel.index.equals(DAYS)
    assert panel.valid.tolist() == [[True, False]] * 2 + [[True, True]] * 2 + [[False, True]] * 2
    close = panel.column(1).close
    assert np.isnan(close[:2]).all()
    assert close[2:].tolist() == [50.0, 51.0, 52.0, 53.0]
    assert panel.column(0).volume.tolist() == [5.0] * 4 + [0.0] * 2


def test_columns_are_contiguous_and_share_memory_with_the_fields() -> None:
    panel = Panel.of({"A": bars_at(DAYS), "B": bars_at(DAYS), "C": bars_at(DAYS)})
    for j in range(3):
        for name, column in zip(COLUMNS, panel.column(j), strict=True):
            assert column.flags.c_contiguous
            assert np.shares_memory(column, panel.fields[name])


def test_wide_and_long_frames_give_the_same_panel_as_a_mapping() -> None:
    mapping = {"A": bars_at(DAYS[:4]), "B": bars_at(DAYS[2:], 50.0)}
    expected = Panel.of(mapping)
    wide = pd.concat(mapping, axis=1).swaplevel(axis=1)
    long = pd.concat([bars.assign(symbol=symbol) for symbol, bars in mapping.items()])
    for panel in (Panel.of(wide), Panel.of(long)):
        assert panel.symbols == expected.symbols
        assert panel.index.equals(expected.index)
        assert panel.valid.tolist() == expected.valid.tolist()
        for name in COLUMNS:
            np.testing.assert_array_equal(panel.fields[name], expected.fields[name])


def test_each_instrument_has_its_calendar() -> None:
    coin = bars_at(pd.date_range("2024-03-01", periods=30))
    panel = Panel.of({"A": bars_at(DAYS), "BTC": coin})
    assert [calendar.name for calendar in panel.calendars] == ["sessions", "24/7"]
    assert Panel.of({"A": bars_at(DAYS), "B": bars_at(DAYS)}, calendars=ALWAYS_OPEN).calendars == (ALWAYS_OPEN,) * 2
    assert Panel.of({"A": bars_at(DAYS), "BTC": coin}, calendars={"A": ALWAYS_OPEN}).calendars == (ALWAYS_OPEN,) * 2
    assert Panel.of({"A": bars_at(DAYS), "BTC": coin}, calendars=[SESSIONS, SESSIONS]).calendars == (SESSIONS,) * 2


def test_what_makes_no_panel_is_refused() -> None:
    bad = bars_at(DAYS)
    bad.iloc[2, 3] = -1.0
    with pytest.raises(InputError, match=r"^B: close is zero or negative"):
        Panel.of({"A": bars_at(DAYS), "B": bad})
    with pytest.raises(InputError, match="empty"):
        Panel.of({})
    with pytest.raises(InputError, match="not of list"):
        Panel.of([bars_at(DAYS)])  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(InputError, match=r"some bars carry dates \(A\)"):
        Panel.of({"A": bars_at(DAYS), "B": bars_at(DAYS.tz_localize("UTC"))})
    with pytest.raises(InputError, match="swaplevel"):
        Panel.of(pd.concat({"A": bars_at(DAYS)}, axis=1))
    with pytest.raises(InputError, match="1 calendars for 2 instruments"):
        Panel.of({"A": bars_at(DAYS), "B": bars_at(DAYS)}, calendars=[SESSIONS])
