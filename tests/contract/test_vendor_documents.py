"""What our providers ask is what the vendors' own documents describe: paths, names and values of parameters."""

from __future__ import annotations

import contextlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest

from algotrendy.compute import wait_for
from algotrendy.data.providers import TradesRequest, get
from algotrendy.data.series import BarsRequest, Span
from algotrendy.errors import AlgotrendyError

pytestmark = pytest.mark.shared

SPAN = Span.of("2024-01-02", "2024-03-01")
INTERVALS = ("1m", "5m", "30m", "1h", "1d", "1wk", "1mo")


@cache
def _document(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    import yaml

    return yaml.load(text, yaml.CSafeLoader)


def _resolved(document: Any, part: Any) -> Any:
    while isinstance(part, dict) and "$ref" in part:
        found = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def _operation(document: Any, path: str) -> dict[str, Any]:
    """Return the described operation of a path, the most literal one where several fit."""
    fitting = [
        template
        for template in document["paths"]
        if re.fullmatch(re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(template)), path.replace("%2F", "/"))
    ]
    assert fitting, f"the document describes no {path}"
    template = min(fitting, key=lambda one: one.count("{"))
    described = document["paths"][template]
    parameters = [*described.get("parameters", []), *described["get"].get("parameters", [])]
    return {one["name"]: one for one in (_resolved(document, part) for part in parameters)}


def _check(document: Any, request: Any) -> None:
    parameters = _operation(document, request.path)
    for name, text in request.params.items():
        assert name in parameters, f"{request.path} knows no parameter {name}, but {sorted(parameters)}"
        schema = _inlined(document, parameters[name].get("schema", {}))
        fits = [_fits(value, schema) for value in _readings(text)]
        assert any(fits), f"{name}={text} of {request.path} does not fit {schema}"
    required = {name for name, one in parameters.items() if one.get("required") and one["in"] == "query"}
    assert required <= set(request.params), f"{request.path} wants {required - set(request.params)}"


def _readings(text: str) -> list[Any]:
    """Return what a parameter may stand for: a text, a number, a truth value."""
    found: list[Any] = [text]
    if re.fullmatch(r"-?\d+", text):
        found.append(int(text))
    if text in ("true", "false"):
        found.append(text == "true")
    return found


def _fits(value: Any, schema: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def _inlined(document: Any, schema: Any) -> Any:
    schema = _resolved(document, schema)
    if isinstance(schema, dict):
        return {name: _inlined(document, part) for name, part in schema.items() if name not in ("example", "default")}
    return [_inlined(document, part) for part in schema] if isinstance(schema, list) else schema


def _ask_everything(provider: Any, symbols: dict[str, str], *, adjusted: tuple[str, ...]) -> None:
    """Make every kind of request; the server has no answers, so each ends in an error of ours."""
    for kind, symbol in symbols.items():
        for interval in INTERVALS:
            for how in adjusted:
                request = BarsRequest(symbol=symbol, interval=interval, span=SPAN, asset_class=kind, adjusted=how)
                _tried(provider.bars(request))
        _tried(provider.trades(TradesRequest(symbol=symbol, span=SPAN, asset_class=kind)))
        if provider.capabilities.actions:
            _tried(provider.actions(BarsRequest(symbol=symbol, interval="1d", span=SPAN, asset_class=kind)))
    wait_for(provider.close())


def _tried(asking: Any) -> None:
    with contextlib.suppress(AlgotrendyError):
        wait_for(asking)


def test_what_polygon_is_asked_is_in_its_document(shared: Path, vendor: Any, reply: Any) -> None:
    document = _document(shared / "contracts" / "massive" / "rest.json")
    details = document["paths"]["/v3/reference/tickers/{ticker}"]["get"]["responses"]["200"]["content"][
        "application/json"
    ]

    def answer(request: Any) -> Any:
        ticker = request.path.rpartition("/")[2]
        described = {"results": {**details["example"]["results"], "ticker": ticker}}
        return reply(described if "/reference/tickers/" in request.path else {"results": []})

    vendor.answer = answer
    provider = get("polygon", base_url=vendor.url, api_key="k", requests_per_minute=100_000)
    _ask_everything(provider, {"stock": "BRK/B", "crypto": "BTC-USD", "forex": "EUR/USD"}, adjusted=("raw", "splits"))
    for request in vendor.received:
        _check(document, request)
        assert request.headers["authorization"] == "Bearer k"
    paths = {request.path for request in vendor.received}
    assert "/v2/aggs/ticker/BRK.B/range/1/week/2024-01-02/2024-02-29" in paths
    assert "/v2/aggs/ticker/X:BTCUSD/range/5/minute/1704153600000/1709251199999" in paths
    assert {"/v3/trades/BRK.B", "/v3/reference/splits", "/v3/reference/dividends"} <= paths


def test_what_alpaca_is_asked_is_in_its_document(shared: Path, vendor: Any, reply: Any) -> None:
    document = _document(shared / "contracts" / "alpaca" / "market-data-api.json")
    kinds = {"bars": "bars", "trades": "trades", "corporate-actions": "corporate_actions"}
    vendor.answer = lambda request: reply({kinds[request.path.rpartition("/")[2]]: {}, "next_page_token": None})
    provider = get("alpaca", base_url=vendor.url, api_key="k", secret_key="s", feed="iex", requests_per_minute=100_000)
    _ask_everything(provider, {"stock": "BRK/B", "crypto": "BTC-USD"}, adjusted=("raw", "splits", "all"))
    for request in vendor.received:
        _check(document, request)
        assert (request.headers["apca-api-key-id"], request.headers["apca-api-secret-key"]) == ("k", "s")
    asked = {(request.path, request.params["symbols"]) for request in vendor.received}
    assert {
        ("/v2/stocks/bars", "BRK.B"), ("/v2/stocks/trades", "BRK.B"), ("/v1/corporate-actions", "BRK.B"),
        ("/v1beta3/crypto/us/bars", "BTC/USD"), ("/v1beta3/crypto/us/trades", "BTC/USD"),
    } <= asked  # fmt: skip
    assert {request.params["adjustment"] for request in vendor.received if "adjustment" in request.params} == {
        "raw", "split", "all",
    }  # fmt: skip


def test_the_examples_of_alpacas_document_are_read(shared: Path, vendor: Any, reply: Any) -> None:
    document = _document(shared / "contracts" / "alpaca" / "market-data-api.json")

    def example(path: str) -> Any:
        content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        return next(iter(content["examples"].values()))["value"]

    vendor.answer = lambda request: reply({**example(request.path.replace("/us/", "/{loc}/")), "next_page_token": None})
    provider = get("alpaca", base_url=vendor.url, api_key="k", secret_key="s")
    bars = example("/v2/stocks/bars")["bars"]["AAPL"]
    first = pd.Timestamp(bars[0]["t"])
    request = BarsRequest(symbol="AAPL", interval="1m", span=Span(first, first + pd.Timedelta(hours=1)))
    assert wait_for(provider.bars(request)).bars["close"].tolist() == [float(bar["c"]) for bar in bars]
    trades = example("/v2/stocks/trades")["trades"]["AAPL"]
    first = pd.Timestamp(trades[0]["t"])
    asked = TradesRequest(symbol="AAPL", span=Span(first, first + pd.Timedelta(hours=1)))
    assert wait_for(provider.trades(asked))["price"].tolist() == [trade["p"] for trade in trades]
    wait_for(provider.close())


def test_what_binance_is_asked_is_in_its_document(shared: Path, vendor: Any, reply: Any) -> None:
    document = _document(shared / "contracts" / "binance" / "spot_api.yaml")
    market = {
        "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "baseAssetPrecision": 8, "quoteAsset": "USDT",
        "quoteAssetPrecision": 8, "orderTypes": ["LIMIT"], "icebergAllowed": True, "ocoAllowed": True,
        "isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "permissions": ["SPOT"],
        "filters": [{"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"}],
    }  # fmt: skip
    info = {"timezone": "UTC", "serverTime": 1, "rateLimits": [], "exchangeFilters": [], "symbols": [market]}
    described = document["paths"]["/api/v3/exchangeInfo"]["get"]["responses"]["200"]["content"]["application/json"]
    wanted = _inlined(document, described["schema"])["properties"]["symbols"]["items"]
    assert set(market) <= set(wanted["properties"]) | {"permissions"}
    vendor.answer = lambda request: reply(info if request.path.endswith("exchangeInfo") else [])
    provider = get("binance", base_url=vendor.url, deadline_seconds=20)
    provider._exchange.enableRateLimit = False
    one_hour = Span.of("2024-01-02 00:00", "2024-01-02 03:00")
    for interval in INTERVALS:
        _tried(provider.bars(BarsRequest(symbol="BTC/USDT", interval=interval, span=SPAN, asset_class="crypto")))
    _tried(provider.trades(TradesRequest(symbol="BTC/USDT", span=one_hour, asset_class="crypto")))
    wait_for(provider.close())
    for request in vendor.received:
        _check(document, request)
    asked = {(request.path, request.params.get("interval")) for request in vendor.received}
    assert {interval for path, interval in asked if path == "/api/v3/klines"} == {
        "1m",
        "5m",
        "30m",
        "1h",
        "1d",
        "1w",
        "1M",
    }
    assert ("/api/v3/aggTrades", None) in asked
