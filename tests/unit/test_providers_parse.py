"""Vendors' answers as they were recorded, parsed without any network."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.data import read_csv
from algotrendy.data.providers.alpaca import parse as alpaca
from algotrendy.data.providers.ccxt import parse as ccxt_parse
from algotrendy.data.providers.covalent import parse as covalent
from algotrendy.data.providers.polygon import parse as polygon
from algotrendy.data.providers.symbols import Symbol
from algotrendy.data.providers.yahoo import parse as yahoo
from algotrendy.domain.actions import Actions, undo_splits
from algotrendy.domain.instrument import AssetClass
from algotrendy.domain.interval import Interval
from algotrendy.errors import AccessRefused, BadAnswer, DataError, InputError

DAILY = Interval.parse("1d")


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Any:
    return lambda name: json.loads((shared / "data" / "contract" / name).read_text(encoding="utf-8"))


# --- Polygon ---


@pytest.mark.shared
def test_days_of_polygon_are_those_of_new_york_on_both_sides_of_a_change_of_clocks(recorded: Any) -> None:
    rows = polygon.parse_bars(recorded("massive_aggs_AAPL_1d.json"), "AAPL", AssetClass.STOCK, DAILY)
    assert [str(date.date()) for date in rows.index] == ["2005-04-01", "2005-04-04"]  # 05:00 and 04:00 UTC
    assert rows["volume"].tolist() == [642646396.0, 578172308.0]


@pytest.mark.shared
def test_actions_of_polygon_are_those_of_the_asked_ticker_alone(recorded: Any) -> None:
    splits = polygon.parse_splits(recorded("massive_splits.json"), "GOOGL")
    assert splits == {"2022-07-18": 20.0}
    assert polygon.parse_splits(recorded("massive_splits.json"), "BRW") == {"2022-05-20": 0.5}
    dividends = polygon.parse_dividends(recorded("massive_dividends.json"), "CSSEN")
    assert dividends[0] == ("2025-06-12", 0.59375)
    actions = polygon.actions_of(splits, dividends)
    assert actions.dividends.index.is_monotonic_increasing
    with pytest.raises(BadAnswer, match="no known form"):
        polygon.parse_splits({"results": [{"ticker": None}, 1]}, "GOOGL")


@pytest.mark.shared
def test_trades_of_polygon_keep_their_nanoseconds_and_their_order(recorded: Any) -> None:
    trades = polygon.parse_trades(recorded("massive_trades_limit2.json"), "AAPL")
    assert trades["price"].tolist() == [156.43, 157.43]
    assert trades["size"].tolist() == [10.0, 10.0]
    assert trades.index[0].value == 1651181822461979400


# --- Alpaca ---


@pytest.mark.shared
def test_bars_of_alpaca_newest_first_are_read(recorded: Any) -> None:
    rows = alpaca.parse_bars(recorded("alpaca_stock_get_bars_desc_0.json")["bars"], "TSLA", DAILY)
    assert [str(date.date()) for date in rows.index] == ["2023-09-27", "2023-09-26", "2023-09-25"]
    crypto = recorded("alpaca_crypto_get_crypto_bars_0.json")["bars"]
    assert alpaca.parse_bars({"BTC/USD": crypto["BTC/USD"]}, "BTC/USD", DAILY)["close"].tolist() == [162.95]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["alpaca_stock_multisymbol_get_bars_0.json", "alpaca_crypto_get_crypto_bars_0.json"])
def test_bars_of_several_symbols_answer_no_request_for_one(recorded: Any, name: str) -> None:
    with pytest.raises(BadAnswer, match="was asked for AAPL and answered for"):
        alpaca.parse_bars(recorded(name)["bars"], "AAPL", DAILY)


@pytest.mark.shared
def test_trades_of_alpaca_are_read(recorded: Any) -> None:
    trades = alpaca.parse_trades(recorded("alpaca_stock_get_trades_0.json")["trades"], "AAPL")
    assert trades.index.tolist() == [
        pd.Timestamp("2022-03-09T05:00:02.183Z"), pd.Timestamp("2022-03-09T05:00:16.91Z"),
    ]  # fmt: skip
    assert (trades["price"].tolist(), trades["size"].tolist()) == ([159.07, 159.07], [1.0, 2.0])
    assert (
        len(alpaca.parse_trades(recorded("alpaca_stock_get_trades_multi_empty_response_0.json")["trades"], "AAPL")) == 0
    )


@pytest.mark.shared
def test_actions_of_alpaca_are_told_apart(recorded: Any) -> None:
    payload = recorded("alpaca_corpact_get_corporate_actions_0.json")["corporate_actions"]
    reverse, _ = alpaca.parse_actions(payload, "MNTS")
    assert reverse.splits.to_dict() == {pd.Timestamp("2023-08-24"): 0.02}
    forward, _ = alpaca.parse_actions(payload, "SRE")
    assert forward.splits.tolist() == [2.0]
    in_shares, _ = alpaca.parse_actions(payload, "MSBC")
    assert in_shares.splits.tolist() == [1.05]
    cash, _ = alpaca.parse_actions(payload, "FCF")
    assert cash.dividends.to_dict() == {pd.Timestamp("2023-05-04"): 0.125}
    nothing, notes = alpaca.parse_actions(payload, "TPBAU")
    assert not nothing
    assert notes == ("unit splits on 2023-03-01 are not among the splits and dividends.",)


# --- ccxt ---


@pytest.mark.shared
def test_a_bar_of_an_exchange_is_read_as_ccxt_unifies_it(recorded: Any) -> None:
    case = recorded("ccxt_coinbaseexchange_fetchOHLCV.json")
    rows = ccxt_parse.parse_bars(case["parsedResponse"], "coinbase", Interval.parse("1h"))
    assert rows.index[0] == pd.Timestamp(case["httpResponse"][0][0], unit="s", tz="UTC")
    low, high, open_, close, volume = case["httpResponse"][0][1:]  # the exchange's own order
    assert rows.iloc[0].tolist() == [open_, high, low, close, volume]


def test_the_steps_of_a_market_are_exact() -> None:
    market = {"symbol": "BTC/USDT", "quote": "USDT", "precision": {"price": 0.01, "amount": 1e-05}}
    by_step = ccxt_parse.parse_instrument(market, "binance", 4)
    assert (by_step.tick_size, by_step.lot_size) == (Decimal("0.01"), Decimal("0.00001"))
    by_places = ccxt_parse.parse_instrument({**market, "precision": {"price": 2, "amount": 5}}, "x", 2)
    assert (by_places.tick_size, by_places.lot_size) == (Decimal("0.01"), Decimal("0.00001"))
    assert (by_step.id, by_step.calendar, by_step.currency) == ("crypto:BINANCE:BTC/USDT", "24/7", "USDT")


# --- Yahoo ---


def _chart(
    stamps: list[int],
    columns: dict[str, list[Any]],
    *,
    events: Any = None,
    adjusted: list[Any] | None = None,
    **meta: Any,
) -> Any:
    told = {
        "symbol": "AAPL", "currency": "USD", "exchangeName": "NMS", "instrumentType": "EQUITY",
        "exchangeTimezoneName": "America/New_York", "dataGranularity": "1d", **meta,
    }  # fmt: skip
    indicators: dict[str, Any] = {"quote": [columns], **({"adjclose": [{"adjclose": adjusted}]} if adjusted else {})}
    result = {"meta": told, "timestamp": stamps, "indicators": indicators, **({"events": events} if events else {})}
    return {"chart": {"result": [result], "error": None}}


def _parsed(payload: Any, interval: str = "1d") -> yahoo.Chart:
    return yahoo.parse_chart(payload, symbol="AAPL", canonical="AAPL", interval=Interval.parse(interval))


def _flat(n: int) -> dict[str, list[Any]]:
    return {name: [10.0 + i for i in range(n)] for name in ("open", "high", "low", "close", "volume")}


@pytest.mark.shared
def test_a_chart_of_yahoo_is_read(recorded: Any) -> None:
    chart = _parsed(recorded("yahoo_chart_AAPL_1d.json"))
    assert chart.rows.loc["2020-01-02"].tolist() == [
        74.05999755859375, 75.1500015258789, 73.79750061035156, 75.0875015258789, 135480400.0, 72.27154541015625,
    ]  # fmt: skip
    assert (chart.instrument.id, chart.instrument.calendar) == ("stock:XNAS:AAPL", "XNYS")
    prices = yahoo.chosen_prices(chart, "all")
    assert prices["close"].tolist() == [72.27154541015625]
    assert prices["open"].iloc[0] == pytest.approx(74.05999755859375 * 72.27154541015625 / 75.0875015258789)


@pytest.mark.shared
def test_the_events_of_yahoo_are_read(recorded: Any) -> None:
    payload = recorded("yahoo_chart_AAPL_1d.json")
    payload["chart"]["result"][0] |= recorded("yahoo_chart_events_shape.json")
    assert _parsed(payload).actions.splits.to_dict() == {pd.Timestamp("2021-07-20"): 4.0}


_SPLITS_OF_APPLE = (("2014-06-09", 7), ("2020-08-31", 4))


@pytest.mark.shared
def test_raw_prices_are_got_back_from_those_that_yahoo_adjusts(shared: Path) -> None:
    raw = read_csv(shared / "data" / "us_equity_daily_raw.csv.gz", symbol="AAPL").loc["2014-01-02":"2020-12-31"]
    ratio = np.where(raw.index < "2014-06-09", 28.0, np.where(raw.index < "2020-08-31", 4.0, 1.0))
    opens = raw.index.tz_localize("America/New_York") + pd.Timedelta(hours=9, minutes=30)
    stamps = [int(stamp.timestamp()) for stamp in opens]
    adjusted = {name: (raw[name] / ratio).tolist() for name in ("open", "high", "low", "close")}
    moments = [(int(pd.Timestamp(f"{day} 09:30", tz="America/New_York").timestamp()), n) for day, n in _SPLITS_OF_APPLE]
    splits = {str(moment): {"date": moment, "numerator": n, "denominator": 1} for moment, n in moments}
    chart = _parsed(_chart(stamps, {**adjusted, "volume": (raw["volume"] * ratio).tolist()}, events={"splits": splits}))
    assert chart.rows.index.equals(raw.index.rename("time"))
    back = undo_splits(yahoo.chosen_prices(chart, "raw"), chart.actions.splits)
    for name in ("open", "high", "low", "close", "volume"):
        assert back[name].to_numpy() == pytest.approx(raw[name].to_numpy(), rel=1e-14)


def test_dividends_of_yahoo_are_given_as_they_were_paid() -> None:
    adjusted = Actions.of(
        splits={"2014-06-09": 7.0, "2020-08-31": 4.0}, dividends={"2014-02-06": 0.108929, "2021-02-05": 0.205}
    )
    assert yahoo.as_paid(adjusted).dividends.tolist() == pytest.approx([3.05, 0.205], rel=1e-5)


@pytest.mark.parametrize(
    ("zone", "utc", "date"),
    [
        ("America/New_York", "2024-03-08 14:30", "2024-03-08"),
        ("America/New_York", "2024-03-11 13:30", "2024-03-11"),  # clocks have changed
        ("Asia/Tokyo", "2024-03-08 00:00", "2024-03-08"),
        ("Australia/Sydney", "2024-03-07 23:00", "2024-03-08"),
        ("Europe/London", "2024-03-31 23:00", "2024-04-01"),
        ("Europe/London", "2024-03-31 22:00", "2024-04-01"),  # an hour short of midnight
    ],
)
def test_a_stamp_of_an_exchange_becomes_its_session_date(zone: str, utc: str, date: str) -> None:
    stamp = int(pd.Timestamp(utc, tz="UTC").timestamp())
    chart = _parsed(_chart([stamp], _flat(1), exchangeTimezoneName=zone))
    assert str(chart.rows.index[0].date()) == date


@pytest.mark.shared
def test_hours_on_both_sides_of_a_change_of_clocks_are_instants(shared: Path) -> None:
    hours = read_csv(shared / "data" / "spy_hour_raw.csv.gz").loc["2019-03-07":"2019-03-13"]
    stamps = [int(stamp.timestamp()) for stamp in hours.index]
    columns = {name: hours[name].tolist() for name in hours.columns}
    rows = _parsed(_chart(stamps, columns, dataGranularity="1h"), "1h").rows
    assert rows.index.equals(hours.index.rename("time"))
    local = rows.index.tz_convert("America/New_York")
    assert set(local.hour) == set(range(9, 16))  # also in the week in which clocks change
    assert len(set(rows.index.hour)) == 8


def test_the_newest_price_is_no_bar() -> None:
    now = int(pd.Timestamp("2024-03-08 15:37:12", tz="UTC").timestamp())
    day = [int(pd.Timestamp("2024-03-08 14:30", tz="UTC").timestamp()), now]
    assert len(_parsed(_chart(day, _flat(2), regularMarketTime=now)).rows) == 1
    minutes = [now - now % 300 - 300, now - now % 300, now]
    assert len(_parsed(_chart(minutes, _flat(3), regularMarketTime=now, dataGranularity="5m"), "5m").rows) == 2
    alone = [now]
    assert len(_parsed(_chart(alone, _flat(1), regularMarketTime=now)).rows) == 1  # the day itself, stamped so


def test_a_split_inside_a_longer_bar_is_noted() -> None:
    weeks = pd.DataFrame({"close": [1.0, 1.0]}, index=pd.to_datetime(["2020-08-24", "2020-08-31"]))
    wednesday, monday = (Actions.of(splits={date: 4.0}) for date in ("2020-08-26", "2020-08-31"))
    week = Interval.parse("1wk")
    assert yahoo.split_inside(weeks, wednesday, week) == (
        "The bar that holds the split of 2020-08-26 is in shares as they were before it.",
    )
    assert yahoo.split_inside(weeks, monday, week) == ()
    assert yahoo.split_inside(weeks, wednesday, DAILY) == ()


def test_weeks_and_months_have_one_stamp() -> None:
    week = [int(pd.Timestamp("2024-03-11", tz="America/New_York").timestamp())]
    assert str(_parsed(_chart(week, _flat(1), dataGranularity="1wk"), "1wk").rows.index[0].date()) == "2024-03-11"
    month = [int(pd.Timestamp("2024-03-01", tz="America/New_York").timestamp())]
    assert str(_parsed(_chart(month, _flat(1), dataGranularity="1mo"), "1mo").rows.index[0].date()) == "2024-03-01"


def test_a_chart_of_another_length_symbol_or_form_is_refused() -> None:
    with pytest.raises(BadAnswer, match="asked for bars of 30m and answered with bars of 1h"):
        _parsed(_chart([1577975400], _flat(1), dataGranularity="1h"), "30m")
    with pytest.raises(BadAnswer, match="answered for MSFT"):
        _parsed(_chart([1577975400], _flat(1), symbol="MSFT"))
    with pytest.raises(BadAnswer, match="different lengths"):
        _parsed(_chart([1577975400, 1577975401], _flat(1)))
    for payload in ({}, [], None, {"chart": {"result": []}}, {"chart": {"result": [{"meta": {}}]}}):
        with pytest.raises(BadAnswer, match="another form than a chart"):
            _parsed(payload)
    told = {"chart": {"result": None, "error": {"code": "Not Found", "description": "No data found"}}}
    with pytest.raises(DataError, match="has no series 'AAPL': No data found"):
        _parsed(told)


# --- Covalent ---

TOKEN = "0x1f9840a85d5af5bf1d1762f925bdaddc4201f984"


def _prices(**changes: Any) -> Any:
    told = (("2024-01-03", 6.5), ("2024-01-01", 7.25), ("2024-01-02", None))
    token = {
        "contract_decimals": 18, "contract_name": "Uniswap", "contract_ticker_symbol": "UNI", "contract_address": TOKEN,
        "quote_currency": "USD",
        "prices": [{"date": date, "price": price} for date, price in told],
        **changes,
    }  # fmt: skip
    return {"data": [token], "error": False, "error_message": None, "error_code": None}


def test_prices_of_a_token_are_read_oldest_first() -> None:
    prices = covalent.parse_prices(_prices(), TOKEN.upper().replace("0X", "0x"), "UNI")
    assert prices["price"].tolist() == [7.25, 6.5]
    assert [str(date.date()) for date in prices.index] == ["2024-01-01", "2024-01-03"]
    assert prices.attrs["token"]["symbol"] == "UNI"


def test_other_answers_than_prices_are_refused() -> None:
    with pytest.raises(BadAnswer, match="answered for 0x0"):
        covalent.parse_prices(_prices(contract_address="0x0"), TOKEN, "UNI")
    with pytest.raises(BadAnswer, match="no known form"):
        covalent.parse_prices(_prices(prices=[{"date": "2024-01-01"}]), TOKEN, "UNI")
    with pytest.raises(BadAnswer, match="holds no data"):
        covalent.parse_prices({"data": None, "error": False}, TOKEN, "UNI")
    refused = {"data": None, "error": True, "error_message": "No key", "error_code": 401}
    with pytest.raises(AccessRefused, match="No key"):
        covalent.parse_prices(refused, TOKEN, "UNI")


def test_balances_are_exact() -> None:
    largest = 2**256 - 1
    items = [
        {"contract_address": "0xa", "contract_ticker_symbol": "DEV", "contract_name": "Dev", "contract_decimals": 18,
         "balance": "88335963638628211482", "quote_rate": 0, "quote": 0},
        {"contract_address": "0xb", "contract_decimals": 0, "balance": str(largest), "quote_rate": None, "quote": None},
    ]  # fmt: skip
    data = {"address": "0xw", "updated_at": "2024-10-08T23:34:58.401269473Z", "chain_id": 1, "items": items}
    found = covalent.parse_balances({"data": data, "error": False}, "0xW", "wallet")
    assert found["items"][0]["balance"] == Decimal("88.335963638628211482")
    assert found["items"][1]["balance"] == Decimal(largest)
    assert found["items"][1]["price"] is None
    assert found["updated_at"].tz is not None
    with pytest.raises(BadAnswer, match="cut off"):
        covalent.parse_balances({"data": {**data, "pagination": {"has_more": True}}}, "0xw", "wallet")
    with pytest.raises(BadAnswer, match="no known form"):
        covalent.parse_balances({"data": {**data, "items": [{**items[0], "balance": "much"}]}}, "0xw", "wallet")


# --- symbols ---


@pytest.mark.parametrize(
    ("text", "kind", "canonical"),
    [
        ("AAPL", "stock", "AAPL"),
        ("BRK/B", "stock", "BRK.B"),
        ("brk-b", "stock", "BRK.B"),
        ("BRK%2FB", "stock", "BRK.B"),
        ("RDS.A", "stock", "RDS.A"),
        ("VOD.LON", "stock", "VOD.LON"),
        ("BTC/USDT", "crypto", "BTC/USDT"),
        ("btc-usdt", "crypto", "BTC/USDT"),
        ("BTC%2FUSDT", "crypto", "BTC/USDT"),
        ("BTC_USDT", "crypto", "BTC/USDT"),
        ("BTCUSDT", "crypto", "BTCUSDT"),
        ("EUR/USD", "forex", "EUR/USD"),
        ("stock:XNYS:BRK.B", "stock", "BRK.B"),
        ("crypto:BINANCE:BTC/USDT", "crypto", "BTC/USDT"),
        ("^GSPC", "index", "^GSPC"),
    ],
)
def test_symbols_have_one_canonical_form(text: str, kind: str, canonical: str) -> None:
    assert Symbol.of(text, kind).canonical == canonical
    assert Symbol.of(canonical, kind).canonical == canonical


def test_what_is_no_symbol_or_no_pair_is_refused() -> None:
    with pytest.raises(InputError, match="is an id of stock, but asset_class is crypto"):
        Symbol.of("stock:XNAS:AAPL", "crypto")
    with pytest.raises(InputError, match="is not a symbol"):
        Symbol.of("A B")
    with pytest.raises(InputError, match="needs a pair"):
        Symbol.of("BTCUSD", "crypto").pair("alpaca")
    with pytest.raises(InputError, match="is not an asset class"):
        Symbol.of("AAPL", "stonk")
