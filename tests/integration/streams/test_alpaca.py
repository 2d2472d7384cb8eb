"""Alpaca's stream against a venue on this machine that speaks its protocol, and that the vendor's client accepts."""

from __future__ import annotations

import asyncio
import threading
from http import HTTPStatus
from typing import Any

import msgpack
import pytest

from algotrendy.data.stream import AlpacaStream, Backoff, Quote, StreamHub, StreamState, Tick
from algotrendy.data.stream.alpaca import AlpacaStreamSettings
from algotrendy.errors import AccessRefused, ConfigError

pytestmark = pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")

QUICK = Backoff(first_seconds=0.02, most_seconds=0.05)


def _source(venue: Any, **settings: Any) -> AlpacaStream:
    keys = {"api_key": venue.KEY, "secret_key": venue.SECRET, "answer_seconds": 3.0}
    return AlpacaStream(AlpacaStreamSettings(**keys | {"stream_url": venue.url, "base_url": venue.rest} | settings))


def _hub(venue: Any, *, states: list[Any] | None = None, **options: Any) -> StreamHub:
    settings = options.pop("settings", {})
    note = None if states is None else states.append
    return StreamHub(_source(venue, **settings), **{"backoff": QUICK, "on_state": note, **options})


def test_the_vendors_own_client_understands_this_venue(alpaca: Any, run: Any, until: Any) -> None:
    from alpaca.data.live import StockDataStream

    async def main() -> None:
        async with alpaca:
            client = StockDataStream(alpaca.KEY, alpaca.SECRET, url_override=f"{alpaca.url}/v2/iex")
            heard: list[Any] = []

            async def on_trade(trade: Any) -> None:
                heard.append(trade)

            client.subscribe_trades(on_trade, "AAPL")
            thread = threading.Thread(target=client.run)
            thread.start()
            await until(lambda: alpaca.hears("AAPL"))
            await alpaca.trade("AAPL", 187.25, 30)
            await until(lambda: heard != [])
            await asyncio.to_thread(client.stop)
            await asyncio.to_thread(thread.join, 10.0)
            assert (heard[0].symbol, heard[0].price, heard[0].size, heard[0].id) == ("AAPL", 187.25, 30.0, 1)

    run(main())


def test_the_vendors_own_client_reads_past_trades_from_this_venue(alpaca: Any, run: Any) -> None:
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.requests import StockTradesRequest

    async def main() -> None:
        async with alpaca:
            for price in range(100, 107):
                await alpaca.trade("AAPL", float(price))
            client = StockHistoricalDataClient(alpaca.KEY, alpaca.SECRET, url_override=alpaca.rest)
            found: Any = await asyncio.to_thread(
                client.get_stock_trades,
                StockTradesRequest(symbol_or_symbols="AAPL", start="2020-01-01", end="2099-01-01"),
            )
            assert [trade.price for trade in found["AAPL"]] == [float(price) for price in range(100, 107)]

    run(main())


def test_trades_and_quotes_arrive_as_they_were_sent_to_the_nanosecond(alpaca: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        events: list[Any] = []
        async with alpaca, _hub(alpaca) as hub:
            name = await hub.subscribe(["AAPL", "SPY"], events.append, fields=["price", "bid"])
            at = await alpaca.trade("AAPL", 187.25, 30)
            await alpaca.quote("SPY", 500.0, 500.25)
            await alpaca.trade("MSFT", 1.0)
            await until(lambda: len(events) == 2)
            assert events[0] == Tick("AAPL", at, 187.25, 30.0, "V:1")
            assert isinstance(events[1], Quote)
            assert events[1][:1] + events[1][2:] == ("SPY", 500.0, 500.25, 1.0, 2.0)
            found = hub.statistics(name)
            assert (found.received, found.delivered, found.dropped, found.late) == (2, 2, 0, 0)
            assert found.freshness is not None
            assert 0.0 < found.freshness.seconds_max < 1.0

    run(main())


def test_crypto_has_an_address_and_symbols_of_its_own(alpaca: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        events: list[Any] = []
        async with alpaca, _hub(alpaca, settings={"asset_class": "crypto"}) as hub:
            await hub.subscribe("BTC/USD", events.append)
            assert alpaca.connections[0].request.path == "/v1beta3/crypto/us"
            await alpaca.trade("BTC/USD", 61_000.5, 0.25)
            await until(lambda: len(events) == 1)
            assert events[0].size == 0.25

    run(main())


def test_a_wrong_key_is_refused_at_once_without_a_secret_in_the_message(alpaca: Any, run: Any) -> None:
    async def main() -> None:
        states: list[Any] = []
        async with alpaca, _hub(alpaca, states=states, settings={"secret_key": "wrong-secret"}) as hub:
            with pytest.raises(AccessRefused, match=r"auth failed \(code 402\); check the keys") as caught:
                await hub.subscribe("AAPL", print)
            assert "wrong-secret" not in str(caught.value)
            assert hub.subscriptions == ()
            assert hub.state is StreamState.IDLE
            await asyncio.sleep(0.2)
            assert alpaca.connected == 1, "a refused key is not tried again"

    run(main())


def test_without_a_key_the_message_says_which_setting(alpaca: Any, run: Any) -> None:
    async def main() -> None:
        async with alpaca, _hub(alpaca, settings={"api_key": None}) as hub:
            with pytest.raises(ConfigError, match="ALGOTRENDY_ALPACA_API_KEY"):
                await hub.subscribe("AAPL", print)

    run(main())


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN])
def test_a_refused_handshake_is_a_refused_key(alpaca: Any, run: Any, status: HTTPStatus) -> None:
    async def main() -> None:
        alpaca.refuse = (status, {})
        async with alpaca, _hub(alpaca) as hub:
            with pytest.raises(AccessRefused, match=f"status {status.value}"):
                await hub.subscribe("AAPL", print)

    run(main())


def test_too_many_connections_are_tried_again_after_the_time_that_the_venue_asks_for(
    alpaca: Any, run: Any, until: Any
) -> None:
    async def main() -> None:
        states: list[Any] = []
        alpaca.refuse = (HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": "1"})
        async with alpaca, _hub(alpaca, states=states) as hub:
            await hub.subscribe("AAPL", print)
            assert hub.state is StreamState.RECONNECTING
            assert "next attempt in 1.00 s" in states[-1].reason
            alpaca.refuse = None
            await until(lambda: hub.state is StreamState.LIVE)

    run(main())


def test_a_dropped_connection_comes_back_and_nothing_is_missing_or_twice(alpaca: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        states: list[Any] = []
        async with alpaca, _hub(alpaca, states=states) as hub:
            name = await hub.subscribe("AAPL", ticks.append)
            for price in range(100, 110):
                await alpaca.trade("AAPL", float(price))
            await until(lambda: len(ticks) == 10)
            alpaca.drop()
            await until(lambda: not alpaca.connections)
            for price in range(110, 120):  # nobody hears these
                await alpaca.trade("AAPL", float(price))
            await until(lambda: hub.state is StreamState.LIVE and alpaca.hears("AAPL"))
            for price in range(120, 130):
                await alpaca.trade("AAPL", float(price))
            await until(lambda: len(ticks) >= 30)
            await asyncio.sleep(0.1)
            assert [tick.price for tick in ticks] == [float(price) for price in range(100, 130)]
            assert [tick.id for tick in ticks] == [f"V:{number}" for number in range(1, 31)]
            assert {tick.price for tick in ticks if tick.backfilled} >= {float(price) for price in range(110, 120)}
            found = hub.statistics(name)
            assert (found.reconnects, found.backfill_failures, found.dropped) == (1, 0, 0)
            assert found.backfilled == sum(tick.backfilled for tick in ticks) >= 10
            assert [str(change.state) for change in states][:4] == ["connecting", "live", "reconnecting", "live"]
            assert len(alpaca.requests) > 2, "the answer had several pages"

    run(main())


def test_a_connection_that_says_nothing_is_given_up_and_made_anew(alpaca: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        states: list[Any] = []
        async with alpaca, _hub(alpaca, states=states, heartbeat_seconds=0.3) as hub:
            await hub.subscribe("AAPL", ticks.append)
            await alpaca.trade("AAPL", 100.0)
            alpaca.is_mute = True
            await alpaca.trade("AAPL", 101.0)
            await until(lambda: alpaca.connected >= 2)
            alpaca.is_mute = False
            await until(lambda: [tick.price for tick in ticks] == [100.0, 101.0])
            assert "silent for 0.3 seconds" in next(each.reason for each in states if each.state == "reconnecting")
            assert ticks[1].backfilled

    run(main())


def test_what_cannot_be_read_is_counted_and_reported_and_the_rest_arrives(alpaca: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        states: list[Any] = []
        async with alpaca, _hub(alpaca, states=states) as hub:
            name = await hub.subscribe("AAPL", ticks.append)
            await alpaca.trade("AAPL", 100.0)
            await alpaca.say(b"\xc1 no msgpack")
            await alpaca.say(msgpack.packb({"T": "t"}))
            await alpaca.say(msgpack.packb([{"T": "t", "S": "AAPL", "i": 9, "p": "much", "s": 1, "t": None}]))
            await alpaca.say(msgpack.packb([{"T": "t", "S": "AAPL", "i": 9, "p": -1.0, "s": 1, "t": None}]))
            await alpaca.say(msgpack.packb([{"T": "c", "S": "AAPL"}, {"T": "of another world"}]))
            await alpaca.say("[{'no json'}]")
            await alpaca.trade("AAPL", 101.0)
            await until(lambda: len(ticks) == 2)
            assert hub.statistics(name).malformed == 5
            assert hub.statistics(name).reconnects == 0
            assert any("malformed (1 so far)" in change.reason for change in states)

    run(main())


def test_subscribers_share_one_connection_and_one_subscription_per_symbol(alpaca: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        first: list[Tick] = []
        second: list[Tick] = []
        async with alpaca, _hub(alpaca) as hub:
            one = await hub.subscribe("AAPL", first.append)
            two = await hub.subscribe(["AAPL", "SPY"], second.append)
            assert [each["trades"] for each in alpaca.heard] == [["AAPL"], ["SPY"]]
            await alpaca.trade("AAPL", 100.0)
            await alpaca.trade("SPY", 500.0)
            await until(lambda: len(first) == 1 and len(second) == 2)
            await hub.cancel(one)
            assert len(alpaca.heard) == 2, "the other one still wants the symbol"
            await alpaca.trade("AAPL", 101.0)
            await until(lambda: len(second) == 3)
            await hub.cancel(two)
            assert hub.state is StreamState.IDLE
            await until(lambda: not alpaca.connections)
            three = await hub.subscribe("SPY", first.append)
            await alpaca.trade("SPY", 501.0)
            await until(lambda: len(first) == 2)
            assert hub.subscriptions == (three,)
            assert alpaca.connected == 2

    run(main())


def test_a_symbol_too_many_is_refused_to_its_subscriber_alone(alpaca: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        alpaca.symbols_max = 1
        async with alpaca, _hub(alpaca) as hub:
            one = await hub.subscribe("AAPL", ticks.append)
            with pytest.raises(AccessRefused, match="symbol limit exceeded"):
                await hub.subscribe("SPY", print)
            assert hub.subscriptions == (one,)
            await alpaca.trade("AAPL", 100.0)
            await until(lambda: len(ticks) == 1)
            assert hub.statistics(one).reconnects == 0

    run(main())


def test_a_second_connection_waits_until_the_first_is_gone(alpaca: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        async with alpaca, _hub(alpaca) as holder, _hub(alpaca) as hub:
            one = await holder.subscribe("AAPL", print)
            await hub.subscribe("AAPL", print)
            assert hub.state is StreamState.RECONNECTING
            await holder.cancel(one)
            await until(lambda: hub.state is StreamState.LIVE)

    run(main())


@pytest.mark.parametrize("status", [HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.FORBIDDEN])
def test_a_gap_that_cannot_be_filled_is_counted_and_the_stream_goes_on(
    alpaca: Any, run: Any, until: Any, status: HTTPStatus
) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        states: list[Any] = []
        alpaca.answer_with = (status, '{"message": "no"}')
        async with alpaca, _hub(alpaca, states=states) as hub:
            name = await hub.subscribe("AAPL", ticks.append)
            await alpaca.trade("AAPL", 100.0)
            await until(lambda: len(ticks) == 1)
            alpaca.drop()
            await until(lambda: not alpaca.connections)
            await alpaca.trade("AAPL", 101.0)
            await until(lambda: hub.state is StreamState.LIVE and alpaca.hears("AAPL"))
            await alpaca.trade("AAPL", 102.0)
            await until(lambda: len(ticks) == 2)
            assert [tick.price for tick in ticks] == [100.0, 102.0]
            assert hub.statistics(name).backfill_failures == 1
            assert any("could not be filled" in change.reason for change in states)

    run(main())


def test_a_venue_that_is_down_is_waited_for(alpaca: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        ticks: list[Tick] = []
        async with alpaca:
            pass  # it has a port now, and is gone
        hub = _hub(alpaca)
        await hub.subscribe("AAPL", ticks.append)
        assert hub.state is StreamState.RECONNECTING
        await until(lambda: hub.statistics().reconnects >= 2)
        alpaca.is_mute = True
        await alpaca.trade("AAPL", 99.0)  # after the subscription, before the first connection
        alpaca.is_mute = False
        async with alpaca:
            await until(lambda: alpaca.hears("AAPL"))
            await alpaca.trade("AAPL", 100.0)
            await until(lambda: len(ticks) == 2)
            assert [tick.price for tick in ticks] == [99.0, 100.0]
            await hub.close()
        assert hub.state is StreamState.CLOSED

    run(main())


def test_something_else_that_answers_is_no_stream(alpaca: Any, run: Any) -> None:
    async def main() -> None:
        states: list[Any] = []
        async with alpaca, _hub(alpaca, states=states, settings={"stream_url": "ws://"}) as hub:
            with pytest.raises(ConfigError, match="not the address of a WebSocket"):
                await hub.subscribe("AAPL", print)

    run(main())
