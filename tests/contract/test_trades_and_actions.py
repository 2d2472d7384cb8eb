"""Single trades, corporate actions, cookies and chain data, on recorded answers from a real server."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from algotrendy.compute import wait_for
from algotrendy.data.providers import ActionsSource, Provider, TradesRequest, TradesSource, get
from algotrendy.data.providers.covalent import CovalentProvider
from algotrendy.data.series import BarsRequest, Span
from algotrendy.errors import AccessRefused, BadAnswer, ConfigError, DataError, InputError

FAST = {"requests_per_minute": 100_000, "attempts": 1}
TOKEN = "0x1f9840a85d5af5bf1d1762f925bdaddc4201f984"


@pytest.fixture
def recorded(shared: Path) -> Any:
    return lambda name: json.loads((shared / "data" / "contract" / name).read_text(encoding="utf-8"))


@pytest.mark.shared
def test_trades_of_polygon_come_page_by_page(recorded: Any, vendor: Any, reply: Any) -> None:
    payload = recorded("massive_trades_limit2.json")
    first, second = ({**payload, "results": [one]} for one in payload["results"])
    vendor.answers(reply({**first, "next_url": "https://api.polygon.io/v3/trades/AAPL?cursor=abc"}), reply(second))
    provider = get("polygon", base_url=vendor.url, api_key="k", **FAST)
    trades = wait_for(provider.trades(TradesRequest(symbol="AAPL", span=Span.of("2022-04-28", "2022-04-29"))))
    assert trades["price"].tolist() == [156.43, 157.43]
    assert (trades.index.name, list(trades.columns)) == ("time", ["price", "size"])
    assert vendor.received[1].params == {"cursor": "abc"}
    assert vendor.received[0].params["timestamp.gte"] == "1651104000000000000"


@pytest.mark.shared
def test_trades_of_alpaca_come_page_by_page(recorded: Any, vendor: Any, reply: Any) -> None:
    pages = [
        recorded("alpaca_stock_get_trades_0.json"),
        recorded("alpaca_stock_get_trades_multi_empty_response_0.json"),
    ]
    vendor.answers(*map(reply, pages))
    provider = get("alpaca", base_url=vendor.url, api_key="k", secret_key="s", **FAST)
    trades = wait_for(provider.trades(TradesRequest(symbol="AAPL", span=Span.of("2022-03-09", "2022-03-10"))))
    assert trades["size"].tolist() == [1.0, 2.0]
    assert vendor.received[1].params["page_token"] == pages[0]["next_page_token"]


def test_trades_of_an_exchange_that_share_a_moment_are_all_kept_once(vendor: Any, reply: Any) -> None:
    market = {
        "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "baseAssetPrecision": 8,
        "quotePrecision": 8, "isSpotTradingAllowed": True, "permissions": ["SPOT"], "filters": [],
    }  # fmt: skip
    start = pd.Timestamp("2024-01-02", tz="UTC").value // 1_000_000
    made = [
        {"a": n, "p": str(100 + n), "q": "0.5", "f": n, "l": n, "T": start + n // 3 * 1000, "m": True} for n in range(9)
    ]

    def answer(request: Any) -> Any:
        if request.path.endswith("exchangeInfo"):
            return reply({"symbols": [market], "rateLimits": [], "serverTime": 1})
        return reply([one for one in made if one["T"] >= int(request.params["startTime"])][:4])

    vendor.answer = answer
    provider = get("binance", base_url=vendor.url)
    span = Span.of("2024-01-02 00:00", "2024-01-02 00:10")
    trades = wait_for(provider.trades(TradesRequest(symbol="BTC-USDT", span=span, asset_class="crypto")))
    assert trades["price"].tolist() == [100.0 + n for n in range(9)]
    assert trades.index.is_monotonic_increasing


@pytest.mark.shared
def test_actions_of_polygon_are_put_together(recorded: Any, vendor: Any, reply: Any) -> None:
    vendor.answer = lambda request: reply(
        recorded("massive_splits.json" if request.path.endswith("splits") else "massive_dividends.json")
    )
    provider = get("polygon", base_url=vendor.url, api_key="k", **FAST)
    request = BarsRequest(symbol="CSSEN", interval="1d", span=Span.of("2024-01-01", "2026-01-01"))
    actions = wait_for(provider.actions(request))
    assert actions.splits.empty
    assert actions.dividends.loc["2025-06-12"] == 0.59375
    assert vendor.received[1].params["ex_dividend_date.lte"] == "2025-12-31"


@pytest.mark.shared
def test_actions_of_alpaca_are_put_together(recorded: Any, vendor: Any, reply: Any) -> None:
    pages = [recorded(f"alpaca_corpact_get_corporate_actions_{n}.json") for n in (0, 1)]
    vendor.answers(*map(reply, pages))
    provider = get("alpaca", base_url=vendor.url, api_key="k", secret_key="s", **FAST)
    request = BarsRequest(symbol="ZMTBY", interval="1d", span=Span.of("2023-01-01", "2025-01-01"))
    assert wait_for(provider.actions(request)).dividends.to_dict() == {pd.Timestamp("2024-08-07"): 0.086928}


@pytest.mark.shared
def test_yahoo_is_shown_the_cookie_and_the_crumb_that_it_gave(
    recorded: Any, vendor: Any, reply: Any, tmp_path: Path
) -> None:
    import yfinance

    yfinance.set_tz_cache_location(str(tmp_path))

    def answer(request: Any) -> Any:
        if request.path == "/":
            return reply("<html></html>", 404, {"Set-Cookie": "A3=biscuit; Domain=.yahoo.com; Path=/; Max-Age=9999"})
        if request.path.endswith("getcrumb"):
            return reply("cr/umb")
        return reply(recorded("yahoo_chart_AAPL_1d.json"))

    vendor.answer = answer
    tape = tmp_path / "tape.jsonl"
    provider = get("yahoo", base_url=vendor.url, record=tape, **FAST)
    request = BarsRequest(symbol="AAPL", interval="1d", span=Span.of("2020-01-01", "2020-01-03"), adjusted="splits")
    assert len(wait_for(provider.bars(request)).bars) == 1
    asked = vendor.received[-1]
    assert asked.params["crumb"] == "cr/umb"
    assert "A3=biscuit" in asked.headers["cookie"]
    assert "Chrome" in asked.headers["user-agent"]
    lines = tape.read_text(encoding="utf-8").splitlines()
    assert "biscuit" not in "".join(lines)
    assert "crumb=" not in json.loads(lines[-1])["request"]


@pytest.mark.shared
def test_rows_before_the_listing_are_anothers(recorded: Any, vendor: Any, reply: Any) -> None:
    payload = recorded("massive_aggs_AAPL_1d.json")
    details = {"ticker": "AAPL", "primary_exchange": "XNAS", "type": "CS", "list_date": "2005-04-04"}
    vendor.answer = lambda request: reply(payload if "/aggs/" in request.path else {"results": details})
    provider = get("polygon", base_url=vendor.url, api_key="k", **FAST)
    request = BarsRequest(symbol="AAPL", interval="1d", span=Span.of("2005-04-01", "2005-04-05"), adjusted="splits")
    fetched = wait_for(provider.bars(request))
    assert fetched.bars["close"].tolist() == [1.4675]
    assert fetched.notes == ("1 rows before stock:XNAS:AAPL was listed on 2005-04-04 are another's and left out.",)


@pytest.mark.shared
def test_a_ticker_that_is_gone_by_the_end_of_the_span_is_found_at_its_start(
    recorded: Any, vendor: Any, reply: Any
) -> None:
    payload = recorded("massive_aggs_AAPL_1d.json")

    def answer(request: Any) -> Any:
        if "/aggs/" in request.path:
            return reply(payload)
        gone = request.params["date"] > "2005-04-04"
        return reply({"message": "Ticker not found."}, 404) if gone else reply({"results": {"ticker": "AAPL"}})

    vendor.answer = answer
    provider = get("polygon", base_url=vendor.url, api_key="k", **FAST)
    request = BarsRequest(symbol="AAPL", interval="1d", span=Span.of("2005-04-01", "2005-04-09"), adjusted="splits")
    assert len(wait_for(provider.bars(request)).bars) == 2


def test_only_spot_markets_are_asked_for_where_an_exchange_lists_each_kind() -> None:
    from algotrendy.data.providers.ccxt.provider import CcxtProvider

    def kinds(name: str) -> Any:
        provider = get(name)
        assert isinstance(provider, CcxtProvider)
        return provider._exchange.options.get("fetchMarkets")

    assert kinds("binance")["types"] == ["spot"]
    assert kinds("bybit")["types"] == ["spot"]
    assert kinds("htx")["types"] == {"spot": True}
    assert kinds("coinbase") == "fetchMarketsV3"  # the name of a method, left alone


@pytest.mark.shared
def test_raw_prices_of_yahoo_are_as_they_were_traded(recorded: Any, vendor: Any, reply: Any, tmp_path: Path) -> None:
    import yfinance

    yfinance.set_tz_cache_location(str(tmp_path))
    payload = recorded("yahoo_chart_AAPL_1d.json")
    payload["chart"]["result"][0] |= recorded("yahoo_chart_events_shape.json")
    payload["chart"]["result"][0]["events"]["dividends"] = {"1": {"date": 1581085800, "amount": 0.1925}}
    vendor.answers(reply(payload))
    request = BarsRequest(symbol="aapl", interval="1d", span=Span.of("2020-01-01", "2020-01-03"))
    fetched = wait_for(get("yahoo", base_url=vendor.url, **FAST).bars(request))
    assert fetched.bars["close"].tolist() == [4 * 75.0875015258789]
    assert fetched.bars["volume"].tolist() == [135480400 / 4]
    assert fetched.instrument.id == "stock:XNAS:AAPL"
    assert fetched.actions is not None
    assert fetched.actions.splits.to_dict() == {pd.Timestamp("2021-07-20"): 4.0}
    assert fetched.actions.dividends.to_dict() == {pd.Timestamp("2020-02-07"): 0.77}  # as it was paid, before the split


@pytest.mark.shared
def test_minutes_of_yahoo_are_asked_for_in_parts_that_it_answers(
    recorded: Any, vendor: Any, reply: Any, tmp_path: Path
) -> None:
    import yfinance

    yfinance.set_tz_cache_location(str(tmp_path))
    meta = recorded("yahoo_chart_AAPL_1d.json")["chart"]["result"][0]["meta"]

    def answer(request: Any) -> Any:
        if "chart" not in request.path:
            return reply({}, 404)
        start = int(request.params["period1"]) // 60 * 60
        column = {name: [100.0] for name in ("open", "high", "low", "close", "volume")}
        told = {"meta": {**meta, "dataGranularity": request.params["interval"]}, "timestamp": [start]}
        return reply({"chart": {"result": [{**told, "indicators": {"quote": [column]}}], "error": None}})

    vendor.answer = answer
    request = BarsRequest(symbol="AAPL", interval="1m", span=Span.of("2024-05-01", "2024-05-20"), adjusted="splits")
    fetched = wait_for(get("yahoo", base_url=vendor.url, **FAST).bars(request))
    assert [str(stamp.date()) for stamp in fetched.bars.index] == ["2024-05-01", "2024-05-08", "2024-05-15"]
    spans = [
        (int(one.params["period1"]), int(one.params["period2"]))
        for one in vendor.received
        if one.params.get("interval") == "1m"
    ]
    assert max(end - start for start, end in spans) <= 7 * 86_400
    with pytest.raises(InputError, match='no bars of 5m with adjusted="all"'):
        wait_for(get("yahoo").bars(BarsRequest(symbol="A", interval="5m", span=request.span, adjusted="all")))


# --- chains ---


def _tokens(**changes: Any) -> Any:
    prices = [{"date": f"2024-01-0{n}", "price": float(n)} for n in (1, 2, 3)]
    token = {"contract_address": TOKEN, "contract_ticker_symbol": "UNI", "prices": prices, **changes}
    return {"data": [token], "error": False}


def test_prices_of_a_token_on_a_chain(vendor: Any, reply: Any) -> None:
    vendor.answers(reply(_tokens()))
    provider = get("goldrush", base_url=vendor.url, api_key="k", **FAST)
    assert isinstance(provider, CovalentProvider)
    prices = wait_for(provider.get_blockchain_data(1, TOKEN, "2024-01-01", "2024-01-02"))
    assert prices["price"].tolist() == [1.0, 2.0]
    asked = vendor.received[0]
    assert asked.path == f"/v1/pricing/historical_by_addresses_v2/1/USD/{TOKEN}/"
    assert asked.params == {"from": "2024-01-01", "to": "2024-01-02", "prices-at-asc": "true"}
    assert asked.headers["authorization"] == "Bearer k"
    with pytest.raises(InputError, match="covalent has no bars at all"):
        wait_for(
            provider.bars(
                BarsRequest(symbol="UNI", interval="1d", span=Span.of("2024-01-01", "2024-01-03"), asset_class="crypto")
            )
        )


def test_what_goes_wrong_with_a_chain_is_told(vendor: Any, reply: Any) -> None:
    provider = get("covalent", base_url=vendor.url, api_key="k", **FAST)

    def asked(*arguments: Any) -> Any:
        return wait_for(provider.get_blockchain_data(*arguments))

    with pytest.raises(InputError, match="lies after end_date"):
        asked(1, TOKEN, "2024-02-01", "2024-01-01")
    for wrong in ("", "0x12/../..", "a b"):
        with pytest.raises(InputError, match="is not an address"):
            asked(1, wrong, "2024-01-01", "2024-01-02")
    with pytest.raises(InputError, match="chain_id is -1"):
        asked(-1, TOKEN, "2024-01-01", "2024-01-02")
    vendor.answers(reply({"data": None, "error": True, "error_message": "Unauthorized", "error_code": 401}, 401))
    with pytest.raises(AccessRefused, match="Unauthorized"):
        asked(1, TOKEN, "2024-01-01", "2024-01-02")
    vendor.answers(reply(_tokens(prices=[])))
    with pytest.raises(DataError, match="has no prices"):
        asked(1, TOKEN, "2024-01-01", "2024-01-02")
    vendor.answers(reply(_tokens()))
    with pytest.raises(BadAnswer, match="was asked for 2020-01-01"):
        asked(1, TOKEN, "2020-01-01", "2020-02-01")


def test_balances_of_a_wallet(vendor: Any, reply: Any) -> None:
    item = {
        "contract_address": TOKEN,
        "contract_decimals": 18,
        "balance": "1500000000000000000",
        "quote_rate": 6.0,
        "quote": 9.0,
    }
    data = {"address": "0xabcd", "updated_at": "2024-10-08T23:34:58Z", "chain_id": 137, "items": [item]}
    vendor.answers(reply({"data": data, "error": False}))
    provider = get("covalent", base_url=vendor.url, api_key="k", **FAST)
    found = wait_for(provider.get_wallet_balances(137, "0xABCD"))
    assert (found["items"][0]["balance"], found["items"][0]["value"]) == (Decimal("1.5"), 9.0)
    assert vendor.received[0].path == "/v1/137/address/0xABCD/balances_v2/"


# --- what each provider claims ---


def test_a_provider_does_what_its_capabilities_say() -> None:
    made = [
        get("polygon", api_key="k"), get("alpaca", api_key="k", secret_key="s"), get("yahoo"), get("binance"),
        get("covalent", api_key="k"), get("sample"), get("synthetic"), get("files", path="."),
        get("sql", url="sqlite://", table="t"),
    ]  # fmt: skip
    for provider in made:
        assert isinstance(provider, Provider)
        assert isinstance(provider, TradesSource) == provider.capabilities.trades, provider.name
        assert isinstance(provider, ActionsSource) == provider.capabilities.actions, provider.name


@pytest.mark.parametrize(
    ("name", "variable"),
    [("polygon", "POLYGON_API_KEY"), ("alpaca", "APCA_API_KEY_ID"), ("covalent", "COVALENT_API_KEY")],
)
def test_a_missing_key_is_asked_for_by_name(name: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigError, match=f"{name} needs a key: set the environment variable .*{variable}"):
        get(name)
    monkeypatch.setenv(variable, "s3cret")
    if name == "alpaca":
        monkeypatch.setenv("APCA_API_SECRET_KEY", "s3cret")
    assert get(name).name == name
