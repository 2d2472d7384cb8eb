"""The venues of these tests answer as the vendors' own documents say."""

from __future__ import annotations

import json
from typing import Any

import pytest


def test_past_trades_of_the_alpaca_venue_have_the_fields_of_the_vendors_document(
    shared: Any, alpaca: Any, run: Any
) -> None:
    document = json.loads((shared / "contracts/alpaca/market-data-api.json").read_text(encoding="utf-8"))
    schema = document["components"]["schemas"]["stock_trade"]
    kinds = {"integer": int, "number": (int, float), "string": str, "array": list}

    async def main() -> None:
        async with alpaca:
            await alpaca.trade("AAPL", 178.26, 246)
            query = {"symbols": "AAPL", "start": "2020-01-01", "end": "2099-01-01"}
            answer = alpaca.answer("/v2/stocks/trades", query)
        trade = answer["trades"]["AAPL"][0]
        assert set(schema["required"]) <= set(trade) <= set(schema["properties"])
        for name, value in trade.items():
            kind = schema["properties"][name].get("type", "string")
            assert isinstance(value, kinds[kind]), name
        assert "/v2/stocks/trades" in document["paths"]

    run(main())


def test_past_trades_of_the_binance_venue_have_the_fields_of_the_vendors_document(
    shared: Any, binance: Any, run: Any
) -> None:
    yaml = pytest.importorskip("yaml")
    document = yaml.safe_load((shared / "contracts/binance/spot_api.yaml").read_text(encoding="utf-8"))
    schema = document["components"]["schemas"]["aggTrade"]

    async def main() -> None:
        async with binance:
            at = await binance.trade("BTCUSDT", "61000.50")
            query = {"symbol": "BTCUSDT", "startTime": str(at), "endTime": str(at), "limit": "10"}
            trade = binance.answer("/api/v3/aggTrades", query)[0]
        assert set(schema["required"]) == set(trade)
        assert (type(trade["p"]), type(trade["q"]), type(trade["a"])) == (str, str, int)
        assert "/api/v3/aggTrades" in document["paths"]

    run(main())
