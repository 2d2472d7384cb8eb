"""What names a series, and which spans of time are known."""

from __future__ import annotations

import asyncio
import threading

import pytest

from algotrendy.compute import wait_for
from algotrendy.data.series import BarsRequest, SeriesKey, Span, merged
from algotrendy.errors import InputError


def test_what_is_missing_lies_between_what_is_covered() -> None:
    whole = Span.of("2024-01-01", "2024-12-31")
    covered = [
        Span.of("2023-01-01", "2024-02-01"),
        Span.of("2024-03-01", "2024-04-01"),
        Span.of("2024-12-01", "2025-02-01"),
    ]
    assert whole.missing_in(covered) == [Span.of("2024-02-01", "2024-03-01"), Span.of("2024-04-01", "2024-12-01")]
    assert whole.missing_in([whole]) == []
    assert whole.missing_in([]) == [whole]


def test_spans_that_touch_become_one() -> None:
    spans = [
        Span.of("2024-02-01", "2024-03-01"),
        Span.of("2024-01-01", "2024-02-01"),
        Span.of("2024-05-01", "2024-06-01"),
    ]
    assert merged(spans) == (Span.of("2024-01-01", "2024-03-01"), Span.of("2024-05-01", "2024-06-01"))


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(InputError, match="does not lie before"):
        Span.of("2024-02-01", "2024-01-01")


def test_no_two_keys_share_a_path() -> None:
    symbols = ["BTC/USDT", "BTC-USDT", "BTC%2FUSDT", "BRK/B", "BRK.B", "BRKB", "..", "a b".replace(" ", "")]
    paths = {SeriesKey(source="x", instrument=f"crypto:BINANCE:{symbol}", interval="1m").path for symbol in symbols}
    assert len(paths) == len(symbols)
    assert all(".." not in path for path in paths)


def test_a_key_refuses_a_bare_ticker_and_an_unknown_adjustment() -> None:
    with pytest.raises(InputError, match="not an instrument id"):
        SeriesKey(source="yahoo", instrument="AAPL", interval="1d")
    with pytest.raises(InputError, match="choose raw, splits or all"):
        SeriesKey(source="yahoo", instrument="stock:XNAS:AAPL", interval="1d", adjusted="yes")  # type: ignore[arg-type]


def test_a_request_without_a_symbol_is_refused() -> None:
    with pytest.raises(InputError, match="is not a symbol"):
        BarsRequest(symbol="", interval="1d", span=Span.of("2024-01-01", "2024-02-01"))


def test_asynchronous_work_is_done_in_the_background_also_inside_a_running_loop() -> None:
    async def name() -> str:
        return threading.current_thread().name

    async def outside() -> str:
        return wait_for(name())

    assert wait_for(name()) == "algotrendy-background"
    assert asyncio.new_event_loop().run_until_complete(outside()) == "algotrendy-background"


def test_waiting_for_oneself_is_refused_and_errors_come_through() -> None:
    async def inner() -> int:
        return 1

    async def waits() -> int:
        return wait_for(inner())

    async def fails() -> None:
        raise KeyError("lost")

    with pytest.raises(InputError, match="await the async form"):
        wait_for(waits())
    with pytest.raises(KeyError, match="lost"):
        wait_for(fails())
