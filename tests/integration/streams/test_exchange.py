"""Crypto exchanges through ccxt.pro as it is, against a venue on this machine that speaks Binance's protocol."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import pytest

from algotrendy.data.series import Span
from algotrendy.data.stream import Backoff, ExchangeStream, Quote, StreamHub, StreamState, Tick
from algotrendy.data.stream.exchange import ExchangeStreamSettings
from algotrendy.errors import InputError

QUICK = Backoff(first_seconds=0.02, most_seconds=0.05)


def _source(venue: Any, **settings: Any) -> ExchangeStream:
    hosts = {"stream_url": venue.url, "base_url": venue.rest, "answer_seconds": 3.0}
    return ExchangeStream(ExchangeStreamSettings(**hosts | settings))


def _hub(venue: Any, *, states: list[Any] | None = None, **options: Any) -> StreamHub:
    note = None if states is None else states.append
    return StreamHub(_source(venue), **{"backoff": QUICK, "on_state": note, **options})


def _listening(venue: Any, *streams: str) -> Any:
    """Return a claim: somebody listens to these streams, over whatever connections."""
    return lambda: set(streams) <= set().union(*venue.subscribed.values())


def test_trades_and_quotes_arrive_as_they_were_sent(binance: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        events: list[Any] = []
        async with binance, _hub(binance) as hub:
            name = await hub.subscribe(["BTC/USDT", "ETH/USDT"], events.append, fields=["price", "ask"])
            streams = [f"{base}usdt@{kind}" for base in ("btc", "eth") for kind in ("aggTrade", "bookTicker")]
            await until(_listening(binance, *streams))
            at = await binance.trade("BTCUSDT", "61000.50", "0.25")
            await binance.quote("ETHUSDT", "3000.10", "3000.20")
            await binance.trade("SOLUSDT", "1.0")
            await until(lambda: len(events) == 2)
            ticks = [event for event in events if isinstance(event, Tick)]
            quotes = [event for event in events if isinstance(event, Quote)]
            assert ticks == [Tick("BTC/USDT", at * 1_000_000, 61000.5, 0.25, "1")]
            assert (quotes[0].symbol, *quotes[0][2:]) == ("ETH/USDT", 3000.1, 3000.2, 1.5, 2.5)
            assert hub.statistics(name).delivered == 2

    run(main())


def test_a_burst_of_one_symbol_arrives_whole_and_in_order(binance: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        async with binance, _hub(binance) as hub:
            await hub.subscribe(["BTC/USDT", "ETH/USDT"], ticks.append)
            await until(_listening(binance, "btcusdt@aggTrade", "ethusdt@aggTrade"))
            for number in range(2_000):
                await binance.trade("BTCUSDT" if number % 3 else "ETHUSDT", f"{100 + number}")
            await until(lambda: len(ticks) == 2_000)
            for symbol in ("BTC/USDT", "ETH/USDT"):
                prices = [tick.price for tick in ticks if tick.symbol == symbol]
                assert prices == sorted(prices)
            assert sorted(int(tick.id) for tick in ticks) == list(range(1, 2_001))

    run(main())


def test_a_dropped_connection_comes_back_and_nothing_is_missing_or_twice(binance: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        states: list[Any] = []
        async with binance, _hub(binance, states=states) as hub:
            name = await hub.subscribe("BTC/USDT", ticks.append)
            await until(_listening(binance, "btcusdt@aggTrade"))
            for price in range(100, 110):
                await binance.trade("BTCUSDT", str(price))
            await until(lambda: len(ticks) == 10)
            binance.drop()
            await until(lambda: not binance.connections)
            for price in range(110, 120):  # nobody hears these
                await binance.trade("BTCUSDT", str(price))
            await until(_listening(binance, "btcusdt@aggTrade"))
            for price in range(120, 130):
                await binance.trade("BTCUSDT", str(price))
            await until(lambda: len(ticks) >= 30)
            await asyncio.sleep(0.1)
            assert [tick.id for tick in ticks] == [str(number) for number in range(1, 31)]
            found = hub.statistics(name)
            assert (found.reconnects, found.backfill_failures) == (1, 0)
            assert found.backfilled >= 10
            assert [str(change.state) for change in states][:4] == ["connecting", "live", "reconnecting", "live"]

    run(main())


def test_a_connection_that_says_nothing_is_given_up_and_made_anew(binance: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        async with binance, _hub(binance, heartbeat_seconds=2.0) as hub:
            await hub.subscribe("BTC/USDT", ticks.append)
            await until(_listening(binance, "btcusdt@aggTrade"))
            await binance.trade("BTCUSDT", "100")
            binance.is_mute = True
            await binance.trade("BTCUSDT", "101")
            await until(lambda: binance.connected >= 2)
            await until(lambda: [tick.price for tick in ticks] == [100.0, 101.0])

    run(main())


def test_what_cannot_be_read_is_counted_and_does_not_end_the_reading(binance: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        states: list[Any] = []
        async with binance, _hub(binance, states=states) as hub:
            name = await hub.subscribe("BTC/USDT", ticks.append)
            await until(_listening(binance, "btcusdt@aggTrade"))
            await binance.trade("BTCUSDT", "100")
            await binance.say('{"e": "aggTrade", "s": "BTCU')  # cut off
            await binance.say('{"e": "aggTrade", "s": "BTCUSDT", "a": 99}')  # without a price
            await binance.say('{"e": "aggTrade", "s": "BTCUSDT", "a": 98, "p": "much", "q": "1", "T": 1, "m": true}')
            await binance.trade("BTCUSDT", "101")
            await until(lambda: [tick.price for tick in ticks] == [100.0, 101.0])
            assert hub.statistics(name).malformed == 3
            assert hub.statistics(name).reconnects == 0
            assert any("malformed (1 so far)" in change.reason for change in states)

    run(main())


def test_a_symbol_that_nobody_wants_any_more_is_left_and_the_others_stay(binance: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        async with binance, _hub(binance) as hub:
            one = await hub.subscribe("BTC/USDT", print)
            await hub.subscribe("ETH/USDT", ticks.append)
            await until(_listening(binance, "btcusdt@aggTrade", "ethusdt@aggTrade"))
            await hub.cancel(one)
            await until(lambda: not _listening(binance, "btcusdt@aggTrade")())
            await binance.trade("ETHUSDT", "3000")
            await until(lambda: len(ticks) == 1)
            assert hub.statistics().reconnects == 0

    run(main())


def test_a_market_that_is_not_there_is_refused_with_the_nearest(binance: Any, run: Any) -> None:
    async def main() -> None:
        async with binance, _hub(binance) as hub:
            with pytest.raises(InputError, match=r"binance has no market 'BTC/USD'; near: BTC/USDT"):
                await hub.subscribe("BTC/USD", print)
            assert hub.state is StreamState.IDLE

    run(main())


def test_an_exchange_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="near: binance"):
        ExchangeStream(ExchangeStreamSettings(exchange="binanze"))


def test_a_venue_that_is_down_is_waited_for(binance: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        async with binance:
            pass  # it has a port now, and is gone
        hub = _hub(binance)
        await hub.subscribe("BTC/USDT", ticks.append)
        assert hub.state is StreamState.RECONNECTING
        async with binance:
            await until(_listening(binance, "btcusdt@aggTrade"))
            await binance.trade("BTCUSDT", "100")
            await until(lambda: len(ticks) == 1)
            await hub.close()

    run(main())


def test_past_trades_come_page_by_page_each_once(binance: Any, run: Any) -> None:
    async def main() -> None:
        async with binance:
            source = _source(binance)
            start = 1_709_251_200_000
            times = [start + 7 * n // 3 for n in range(2_500)]  # some share their millisecond
            for n, at in enumerate(times):
                binance.tape.append(
                    {"s": "BTCUSDT", "a": n, "p": "1.5", "q": "2", "f": n, "l": n, "T": at, "m": True, "M": True}
                )
            late = start + 5 * 3_600_000
            binance.tape.append(
                {"s": "BTCUSDT", "a": 9_999, "p": "1", "q": "2", "f": 1, "l": 1, "T": late, "m": True, "M": True}
            )
            found = await source.backfill("BTC/USDT", Span.of("2024-03-01", "2024-03-01 08:00"))
            assert [tick.id for tick in found] == [*(str(n) for n in range(2_500)), "9999"]
            assert found[-1].time == late * 1_000_000
            await source.close()

    run(main())


def test_a_gap_that_cannot_be_filled_is_counted(binance: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        async with binance, _hub(binance) as hub:
            name = await hub.subscribe("BTC/USDT", ticks.append)
            await until(_listening(binance, "btcusdt@aggTrade"))
            binance.answer_with = (HTTPStatus.SERVICE_UNAVAILABLE, "down")
            binance.drop()
            await until(lambda: not binance.connections)
            await until(_listening(binance, "btcusdt@aggTrade"))
            await binance.trade("BTCUSDT", "100")
            await until(lambda: len(ticks) == 1)
            assert hub.statistics(name).backfill_failures == 1

    run(main())
