"""The one suite that every provider passes: recorded answers served by a real server on this machine.

Each vendor has a kit: how to make its provider, what its server answers, and how that answer is spoiled. What a vendor
sent once stands in the shared folder; the rest of an answer is built in the form that its own document describes.
"""

from __future__ import annotations

import asyncio
import copy
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from algotrendy.compute import wait_for
from algotrendy.data import read_csv
from algotrendy.data.providers.alpaca import AlpacaProvider, AlpacaSettings
from algotrendy.data.providers.ccxt import CcxtProvider, CcxtSettings
from algotrendy.data.providers.polygon import PolygonProvider, PolygonSettings
from algotrendy.data.providers.port import Fetched, Provider
from algotrendy.data.providers.yahoo import YahooProvider, YahooSettings
from algotrendy.data.series import BarsRequest, Span
from algotrendy.domain.bars import COLUMNS, check_bars
from algotrendy.errors import AccessRefused, BadAnswer, DataError, InputError, RateLimited, VenueUnavailable

pytestmark = pytest.mark.shared

SECRET = "s3cret-k3y"
LATER = pd.Timestamp("2024-06-03 12:00", tz="UTC")
"""The moment at which tests take place unless they say another: after all recorded bars."""


@dataclass(frozen=True)
class Kit:
    """A vendor."""

    name: str
    payload: Any
    request: BarsRequest
    dates: list[str]
    closes: list[float]
    instrument: str
    make: Callable[..., Provider]
    is_bars: Callable[[Any], bool]
    aside: Callable[[Any], Any]
    rows: Callable[[Any], list[Any]]
    stamp: str | int
    high: str | int
    wrong: Callable[[Any], Any]
    pages: Callable[[Any, Any], list[Any]] | None = None
    empty_is_known: bool = False
    unknown: tuple[int, Any] = (404, {"message": "not found"})
    settings: dict[str, Any] = field(default_factory=dict)

    def provider(self, url: str, *, clock: pd.Timestamp = LATER, **settings: Any) -> Provider:
        chosen = {"base_url": url, "attempts": 2, "timeout_seconds": 5, "deadline_seconds": 30, **self.settings}
        return self.make(clock=lambda: clock, **{**chosen, **settings})

    def serve(self, vendor: Any, reply: Any, *answers: Any) -> None:
        """Answer requests for bars with these one after the other, the last for ever; all others as usual."""
        left = [answer if isinstance(answer, reply) else reply(answer) for answer in answers or (self.payload,)]

        def answer(request: Any) -> Any:
            if not self.is_bars(request):
                found = self.aside(request)
                return found if isinstance(found, reply) else reply(found)
            return left.pop(0) if len(left) > 1 else left[0]

        vendor.answer = answer

    def changed(self, change: Callable[[list[Any]], None]) -> Any:
        """Return the payload with its list of rows changed in place."""
        payload = copy.deepcopy(self.payload)
        change(self.rows(payload))
        return payload


def _polygon(data: Path) -> Kit:
    payload = json.loads((data / "massive_aggs_AAPL_1d.json").read_text())
    document = json.loads((data.parents[1] / "contracts" / "massive" / "rest.json").read_text())
    answer = document["paths"]["/v3/reference/tickers/{ticker}"]["get"]["responses"]["200"]["content"][
        "application/json"
    ]
    return Kit(
        name="polygon",
        payload=payload,
        request=BarsRequest(symbol="AAPL", interval="1d", span=Span.of("2005-04-01", "2005-04-05"), adjusted="splits"),
        dates=["2005-04-01", "2005-04-04"],
        closes=[1.4604, 1.4675],
        instrument="stock:XNAS:AAPL",
        make=lambda clock, **chosen: PolygonProvider(PolygonSettings(**chosen), clock=clock),
        is_bars=lambda request: "/aggs/" in request.path,
        aside=lambda request: answer["example"],
        rows=lambda payload: payload["results"],
        stamp="t",
        high="h",
        wrong=lambda payload: {**payload, "ticker": "MSFT"},
        pages=lambda payload, url: [
            {
                **payload,
                "results": payload["results"][:1],
                "next_url": "https://api.polygon.io/v2/aggs/next?cursor=abc",
            },
            {**payload, "results": payload["results"][1:]},
        ],
        empty_is_known=True,
        unknown=(404, {"status": "NOT_FOUND", "message": "Ticker not found."}),
        settings={"api_key": SECRET, "requests_per_minute": 100_000},
    )


def _alpaca(data: Path) -> Kit:
    first = json.loads((data / "alpaca_stock_get_bars_0.json").read_text())
    last = json.loads((data / "alpaca_stock_get_bars_single_empty_response_0.json").read_text())
    return Kit(
        name="alpaca",
        payload={**first, "next_page_token": None},
        request=BarsRequest(symbol="AAPL", interval="1d", span=Span.of("2022-02-01", "2022-02-03")),
        dates=["2022-02-01", "2022-02-02"],
        closes=[174.61, 175.84],
        instrument="stock:US:AAPL",
        make=lambda clock, **chosen: AlpacaProvider(AlpacaSettings(**chosen), clock=clock),
        is_bars=lambda request: request.path == "/v2/stocks/bars",
        aside=lambda request: {},
        rows=lambda payload: payload["bars"]["AAPL"],
        stamp="t",
        high="h",
        wrong=lambda payload: {**payload, "bars": {"MSFT": payload["bars"]["AAPL"]}},
        pages=lambda payload, url: [first, last],
        unknown=(400, {"message": "invalid symbol: XXXXX"}),
        settings={"api_key": "the-id", "secret_key": SECRET, "requests_per_minute": 100_000},
    )


def _yahoo(data: Path) -> Kit:
    payload = json.loads((data / "yahoo_chart_AAPL_1d.json").read_text())
    return Kit(
        name="yahoo",
        payload=_yahoo_rows(payload, data),
        request=BarsRequest(symbol="AAPL", interval="1d", span=Span.of("2020-01-01", "2020-01-04"), adjusted="splits"),
        dates=["2020-01-02", "2020-01-03"],
        closes=[75.0875015258789, 74.3575],
        instrument="stock:XNAS:AAPL",
        make=lambda clock, **chosen: YahooProvider(YahooSettings(**chosen), clock=clock),
        is_bars=lambda request: "/chart/" in request.path,
        aside=lambda request: {},
        rows=lambda payload: payload["rows"],
        stamp=0,
        high=2,
        wrong=lambda payload: {**payload, "symbol": "MSFT"},
        empty_is_known=True,
        unknown=(
            404,
            {
                "chart": {
                    "result": None,
                    "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"},
                }
            },
        ),
        settings={"requests_per_minute": 100_000},
    )


def _yahoo_rows(payload: Any, data: Path) -> Any:
    """Return the recorded answer as rows, which are easier to spoil; `_yahoo_chart` makes a chart of them again.

    The recorded answer has one day; the next is taken from the daily prices of another vendor, before the 4:1 split.
    """
    result = payload["chart"]["result"][0]
    quote = result["indicators"]["quote"][0]
    rows = [[stamp, *(quote[name][i] for name in COLUMNS)] for i, stamp in enumerate(result["timestamp"])]
    next_day = read_csv(data.parent / "us_equity_daily_raw.csv.gz", symbol="AAPL").loc["2020-01-03"]
    rows.append([1578061800, *(float(next_day[name]) / 4 for name in COLUMNS[:4]), int(next_day["volume"]) * 4])
    return {"rows": rows, "symbol": "AAPL", "meta": result["meta"]}


def _yahoo_chart(told: Any) -> Any:
    rows = told["rows"]
    columns = list(zip(*rows, strict=True)) if rows else [[]] * 6
    quote = {name: list(columns[place]) for place, name in enumerate(COLUMNS, start=1)}
    result = {
        "meta": {**told["meta"], "symbol": told["symbol"]},
        "indicators": {"quote": [quote if rows else {}], "adjclose": [{"adjclose": quote["close"]}] if rows else []},
        **({"timestamp": list(columns[0])} if rows else {}),
    }
    return {"chart": {"result": [result], "error": None}}


def _binance(data: Path) -> Kit:
    first = _binance_example(data.parents[1] / "contracts" / "binance" / "spot_api.yaml")
    second = [first[0] + 604_800_000, "0.0158", "0.0170", "0.0150", "0.0162", "1000.5", *first[6:]]
    markets = {
        "timezone": "UTC", "serverTime": 1592882214236, "rateLimits": [], "exchangeFilters": [],
        "symbols": [_binance_market("BTC", "USDT"), _binance_market("ETH", "USDT")],
    }  # fmt: skip
    return Kit(
        name="binance",
        payload=[first, second],
        request=BarsRequest(
            symbol="BTC-USDT", interval="1wk", span=Span.of("2017-07-03", "2017-07-17"), asset_class="crypto"
        ),
        dates=["2017-07-03", "2017-07-10"],
        closes=[0.01577100, 0.0162],
        instrument="crypto:BINANCE:BTC/USDT",
        make=lambda clock, **chosen: CcxtProvider(CcxtSettings(**chosen), clock=clock),
        is_bars=lambda request: request.path == "/api/v3/klines",
        aside=lambda request: markets,
        rows=lambda payload: payload,
        stamp=0,
        high=2,
        wrong=lambda payload: None,
        pages=lambda payload, url: [payload[:1], payload[1:]],
        unknown=(400, {"code": -1121, "msg": "Invalid symbol."}),
        settings={"exchange": "binance"},
    )


@cache
def _binance_example(path: Path) -> list[Any]:
    import yaml

    document = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    answer = document["paths"]["/api/v3/klines"]["get"]["responses"]["200"]["content"]["application/json"]
    example: list[Any] = answer["schema"]["items"]["example"]
    return example


def _binance_market(base: str, quote: str) -> dict[str, Any]:
    return {
        "symbol": base + quote, "status": "TRADING", "baseAsset": base, "baseAssetPrecision": 8, "quoteAsset": quote,
        "quotePrecision": 8, "quoteAssetPrecision": 8, "orderTypes": ["LIMIT", "MARKET"], "icebergAllowed": True,
        "isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "permissions": ["SPOT"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.0", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.0", "stepSize": "0.00001000"},
        ],
    }  # fmt: skip


KITS = {"polygon": _polygon, "alpaca": _alpaca, "yahoo": _yahoo, "binance": _binance}


@pytest.fixture(params=KITS)
def kit(request: pytest.FixtureRequest, shared: Path, tmp_path: Path) -> Kit:
    if request.param == "yahoo":
        import yfinance

        yfinance.set_tz_cache_location(str(tmp_path))  # where it keeps cookies
    made = KITS[request.param](shared / "data" / "contract")
    if request.param == "yahoo":
        original = made.serve

        def serve(vendor: Any, reply: Any, *answers: Any) -> None:
            charts = [
                _yahoo_chart(one) if isinstance(one, dict) and "rows" in one else one
                for one in answers or (made.payload,)
            ]
            original(vendor, reply, *charts)

        object.__setattr__(made, "serve", serve)
    return made


def _ask(provider: Provider, request: BarsRequest) -> Fetched:
    try:
        return wait_for(provider.bars(request))
    finally:
        wait_for(provider.close())


def _asked_for_bars(kit: Kit, vendor: Any) -> int:
    return sum(1 for request in vendor.received if kit.is_bars(request))


# --- what is right ---


def test_a_recorded_answer_becomes_bars(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply)
    fetched = _ask(kit.provider(vendor.url), kit.request)
    assert [str(date.date()) for date in fetched.bars.index] == kit.dates
    assert fetched.bars["close"].tolist() == kit.closes
    assert fetched.bars.index.name == "time"
    assert fetched.instrument.id == kit.instrument
    assert (fetched.source, fetched.covered) == (kit.name, kit.request.span)
    assert "is_partial" not in fetched.bars.columns
    check_bars(fetched.bars)


def test_pages_are_read_to_the_end(kit: Kit, vendor: Any, reply: Any) -> None:
    if kit.pages is None:
        assert kit.name == "yahoo", "answers in one page"
        return
    kit.serve(vendor, reply, *kit.pages(kit.payload, vendor.url))
    fetched = _ask(kit.provider(vendor.url, **({"page_size": 1} if kit.name == "binance" else {})), kit.request)
    assert fetched.bars["close"].tolist() == kit.closes
    assert _asked_for_bars(kit, vendor) == 2


def test_rows_out_of_order_and_twice_are_put_right_with_a_note(kit: Kit, vendor: Any, reply: Any) -> None:
    def spoil(rows: list[Any]) -> None:
        rows[:] = [rows[1], rows[0], copy.deepcopy(rows[0]), rows[1]]
        first = rows[2]
        first[kit.high] = float(first[kit.high]) * 1.5 if not isinstance(first[kit.high], str) else "0.9"

    kit.serve(vendor, reply, kit.changed(spoil))
    fetched = _ask(kit.provider(vendor.url), kit.request)
    assert [str(date.date()) for date in fetched.bars.index] == kit.dates
    assert fetched.bars["close"].tolist() == kit.closes
    assert any("1 bars came more than once with different numbers" in note for note in fetched.notes)


def test_an_unfinished_bar_is_cut_and_not_covered(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply)
    during = pd.Timestamp(kit.dates[-1] + " 12:00", tz="UTC")
    fetched = _ask(kit.provider(vendor.url, clock=during), kit.request)
    assert [str(date.date()) for date in fetched.bars.index] == kit.dates[:-1]
    assert fetched.covered is not None
    assert fetched.covered.end == pd.Timestamp(kit.dates[-1], tz="UTC")


def test_an_unfinished_bar_comes_marked_when_asked_for(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply)
    during = pd.Timestamp(kit.dates[-1] + " 12:00", tz="UTC")
    fetched = _ask(kit.provider(vendor.url, clock=during), replace(kit.request, partial=True))
    assert fetched.bars["is_partial"].tolist() == [False, True]
    assert fetched.covered is not None
    assert fetched.covered.end == pd.Timestamp(kit.dates[-1], tz="UTC")


def test_nothing_is_covered_where_nothing_is_finished(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply)
    during = pd.Timestamp(kit.dates[0] + " 00:01", tz="UTC")
    fetched = _ask(
        kit.provider(vendor.url, clock=during), replace(kit.request, span=Span.of(kit.dates[0], kit.request.span.end))
    )
    assert len(fetched.bars) == 0
    assert fetched.covered is None


def test_what_was_recorded_is_played_without_the_vendor_and_without_the_key(
    kit: Kit, vendor: Any, reply: Any, tmp_path: Path
) -> None:
    kit.serve(vendor, reply)
    path = tmp_path / "tapes" / "one.jsonl"
    recorded = _ask(kit.provider(vendor.url, record=path), kit.request)
    vendor.close()
    assert SECRET not in path.read_text(encoding="utf-8")
    replayed = _ask(kit.provider("http://127.0.0.1:9", replay=path), kit.request)
    pd.testing.assert_frame_equal(replayed.bars, recorded.bars)
    assert (replayed.covered, replayed.instrument) == (recorded.covered, recorded.instrument)
    without = {name: value for name, value in kit.settings.items() if "key" not in name}
    again = kit.make(clock=lambda: LATER, **without, replay=path)
    assert _ask(again, kit.request).bars["close"].tolist() == kit.closes
    with pytest.raises(InputError, match="the file is there already"):
        kit.provider(vendor.url, record=path)


def test_many_calls_at_once_do_not_mix(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply)
    provider = kit.provider(vendor.url)

    async def many() -> list[Fetched]:
        return await asyncio.gather(*(provider.bars(kit.request) for _ in range(12)))

    for fetched in wait_for(many()):
        assert fetched.bars["close"].tolist() == kit.closes
    wait_for(provider.close())


def test_a_call_that_is_given_up_stops_asking(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply, reply({}, 503, {"Retry-After": "0.2"}))
    provider = kit.provider(vendor.url, attempts=1000)

    async def given_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(provider.bars(kit.request), 0.7)

    wait_for(given_up())
    time.sleep(0.4)
    asked = len(vendor.received)
    time.sleep(0.6)
    assert len(vendor.received) == asked


def test_a_clock_that_runs_ahead_finishes_no_bar(kit: Kit, vendor: Any, reply: Any) -> None:
    if kit.name != "polygon":
        return  # the clocks are compared in the one door; one vendor shows it to the end
    today = pd.Timestamp.now("UTC").normalize().tz_localize(None)
    later = int((today - pd.Timestamp(kit.dates[-1])).total_seconds() * 1000)

    def shift(rows: list[Any]) -> None:
        for row in rows:
            row[kit.stamp] += later

    kit.serve(vendor, reply, kit.changed(shift))
    span = Span(
        pd.Timestamp(today, tz="UTC") - pd.Timedelta(days=5), pd.Timestamp(today, tz="UTC") + pd.Timedelta(days=2)
    )
    ahead = pd.Timestamp.now("UTC") + pd.Timedelta(days=9)
    fetched = _ask(kit.provider(vendor.url, clock=ahead), replace(kit.request, span=span))
    assert fetched.bars.index.tolist() == [today - pd.Timedelta(days=3)]
    assert any("seconds ahead of that of polygon" in note for note in fetched.notes)
    assert fetched.covered is not None
    assert fetched.covered.end <= pd.Timestamp(today, tz="UTC")


# --- what goes wrong outside ---


def test_a_refusal_for_haste_is_waited_out(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply, reply({}, 429, {"Retry-After": "1"}), kit.payload)
    begun = time.monotonic()
    fetched = _ask(kit.provider(vendor.url), kit.request)
    assert time.monotonic() - begun > 0.95
    assert fetched.bars["close"].tolist() == kit.closes


def test_a_storm_of_refusals_ends_as_rate_limited(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply, reply({"message": "slow down"}, 429, {"Retry-After": "0"}))
    with pytest.raises(RateLimited) as told:
        _ask(kit.provider(vendor.url, attempts=3), kit.request)
    assert told.value.venue == kit.name
    assert told.value.retry_after_seconds == 0.0
    assert _asked_for_bars(kit, vendor) <= 3 * 2  # yfinance knocks twice


def test_a_wait_beyond_the_deadline_is_not_begun(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply, reply({}, 429, {"Retry-After": "3600"}))
    begun = time.monotonic()
    with pytest.raises(RateLimited, match="asks to wait 3600 seconds") as told:
        _ask(kit.provider(vendor.url), kit.request)
    assert told.value.retry_after_seconds == 3600.0
    assert time.monotonic() - begun < 10


def test_a_failure_of_the_server_is_tried_again(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply, reply({}, 503, {"Retry-After": "0"}), kit.payload)
    assert _ask(kit.provider(vendor.url), kit.request).bars["close"].tolist() == kit.closes
    kit.serve(vendor, reply, reply(drop=True), kit.payload)
    assert _ask(kit.provider(vendor.url), kit.request).bars["close"].tolist() == kit.closes


def test_a_server_that_keeps_failing_is_unavailable(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply, reply("<html><title>Bad gateway</title>", 502))
    with pytest.raises(VenueUnavailable, match="status 502 after 2 attempts"):
        _ask(kit.provider(vendor.url), kit.request)


def test_a_server_that_is_too_slow_is_unavailable(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply, reply(kit.payload, wait=1.5))
    with pytest.raises(VenueUnavailable, match="no answer"):
        _ask(kit.provider(vendor.url, timeout_seconds=0.3, attempts=1), kit.request)


def test_nobody_listens(kit: Kit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(VenueUnavailable, match=r"no answer from 127\.0\.0\.1"):
        _ask(kit.provider(f"http://127.0.0.1:{port}"), kit.request)


@pytest.mark.parametrize("status", [401, 403])
def test_a_bad_key_is_said_and_not_shown(kit: Kit, vendor: Any, reply: Any, status: int) -> None:
    kit.serve(vendor, reply, reply({"message": "forbidden.", "code": -2015, "msg": "Invalid API-key."}, status))
    with pytest.raises(AccessRefused) as told:
        _ask(kit.provider(vendor.url), kit.request)
    assert SECRET not in str(told.value)
    assert SECRET not in repr(kit.provider(vendor.url))


def test_an_unknown_symbol_is_no_series(kit: Kit, vendor: Any, reply: Any) -> None:
    status, body = kit.unknown
    kit.serve(vendor, reply, reply(body, status))
    with pytest.raises(DataError, match=r"AAPL|BTC"):
        _ask(kit.provider(vendor.url), kit.request)


def test_json_that_is_cut_off_is_a_bad_answer(kit: Kit, vendor: Any, reply: Any) -> None:
    whole = json.dumps(_yahoo_chart(kit.payload) if kit.name == "yahoo" else kit.payload)
    kit.serve(vendor, reply, reply(whole[: len(whole) // 2]))
    with pytest.raises(BadAnswer, match="cut off"):
        _ask(kit.provider(vendor.url), kit.request)


def test_a_connection_that_is_cut_off_is_unavailable(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply, reply('{"results": [', cut=100))
    with pytest.raises(VenueUnavailable, match="no answer"):
        _ask(kit.provider(vendor.url), kit.request)


def test_a_web_page_is_a_bad_answer(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply, reply("<!doctype html><html><title>Please log in</title><body>...</body></html>"))
    with pytest.raises(BadAnswer, match=r"web page \('Please log in'\) instead of JSON"):
        _ask(kit.provider(vendor.url), kit.request)


@pytest.mark.parametrize("body", ["null", "42", '"text"', '{"unexpected": true}', "[[1]]"])
def test_json_of_another_form_is_a_bad_answer(kit: Kit, vendor: Any, reply: Any, body: str) -> None:
    kit.serve(vendor, reply, reply(body))
    provider = kit.provider(vendor.url)
    if kit.empty_is_known and body == '{"unexpected": true}' and kit.name == "polygon":
        assert len(_ask(provider, kit.request).bars) == 0  # where results are left out there are none
        return
    with pytest.raises((BadAnswer, DataError)):
        _ask(provider, kit.request)


def test_an_answer_without_rows(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply, kit.changed(lambda rows: rows.clear()))
    if kit.empty_is_known:
        fetched = _ask(kit.provider(vendor.url), kit.request)
        assert (len(fetched.bars), fetched.covered) == (0, kit.request.span)
        assert list(fetched.bars.columns[:5]) == ["open", "high", "low", "close", "volume"]
    else:  # no word on whether the symbol is unknown, the span too old, or nothing was traded
        with pytest.raises(DataError, match=f"{kit.name} has no bars of"):
            _ask(kit.provider(vendor.url), kit.request)


def test_an_answer_for_another_symbol_is_refused(kit: Kit, vendor: Any, reply: Any) -> None:
    wrong = kit.wrong(kit.payload)
    if wrong is None:
        assert kit.name == "binance", "its bars carry no symbol"
        return
    kit.serve(vendor, reply, wrong)
    with pytest.raises(BadAnswer, match="was asked for AAPL and answered for MSFT"):
        _ask(kit.provider(vendor.url), kit.request)


def test_an_answer_for_another_time_is_refused(kit: Kit, vendor: Any, reply: Any) -> None:
    def spoil(rows: list[Any]) -> None:
        for row in rows:
            stamp = row[kit.stamp]
            row[kit.stamp] = stamp.replace("2022", "2012") if isinstance(stamp, str) else stamp - stamp // 5

    kit.serve(vendor, reply, kit.changed(spoil))
    with pytest.raises(BadAnswer, match=r"was asked for|rows of the asked time"):
        _ask(kit.provider(vendor.url), kit.request)


def test_bars_that_contradict_themselves_are_refused_unless_wanted(kit: Kit, vendor: Any, reply: Any) -> None:
    def spoil(rows: list[Any]) -> None:
        rows[0][kit.high] = "0.0001" if isinstance(rows[0][kit.high], str) else 0.01

    kit.serve(vendor, reply, kit.changed(spoil))
    with pytest.raises(BadAnswer, match=r"not sound: high is below low in 1 of 2 bars.*check=False"):
        _ask(kit.provider(vendor.url), kit.request)
    kit.serve(vendor, reply, kit.changed(spoil))
    assert len(_ask(kit.provider(vendor.url, check=False), kit.request).bars) == 2


def test_pages_that_never_end_are_refused(kit: Kit, vendor: Any, reply: Any) -> None:
    if kit.pages is None or kit.name == "binance":
        return  # one page; and pages by time, which moves on
    first = kit.pages(kit.payload, vendor.url)[0]
    kit.serve(vendor, reply, first)
    with pytest.raises(BadAnswer, match="the pages go round"):
        _ask(kit.provider(vendor.url), kit.request)


def test_more_pages_than_allowed_are_refused(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply, *(kit.pages(kit.payload, vendor.url) if kit.pages else ()))
    with pytest.raises(BadAnswer, match="more than pages_max=1 pages"):
        _ask(kit.provider(vendor.url, pages_max=1), kit.request)


# --- what is wrong in the call ---


def test_what_a_provider_cannot_do_is_refused_before_any_request(kit: Kit, vendor: Any, reply: Any) -> None:
    kit.serve(vendor, reply)
    for change in ({"asset_class": "option"}, {"interval": "7s"}):
        if kit.name == "polygon" and "interval" in change:
            continue
        with pytest.raises(InputError, match=f"{kit.name} has no"):
            _ask(kit.provider(vendor.url), replace(kit.request, **change))
    with pytest.raises(InputError, match="does not lie before"):
        replace(kit.request, span=Span.of("2024-02-01", "2024-01-01"))
    assert vendor.received == []
