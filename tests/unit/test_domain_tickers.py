"""A ticker and a date name one instrument: reuse and renaming in the real ticker map."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from algotrendy.domain.instrument import Instrument
from algotrendy.domain.tickers import Held, TickerMap
from algotrendy.errors import DataError, InputError


@pytest.fixture(scope="module")
def tickers(shared: Path) -> TickerMap:
    return TickerMap.of(pd.read_csv(shared / "data" / "us_equity_ticker_map.csv.gz"))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("ticker", "on", "expected"),
    [
        ("WM", date(2009, 8, 5), "stock:XNYS:WM"),
        ("WMI", date(2009, 8, 4), "stock:XNYS:WM"),
        ("UW", date(1998, 7, 16), "stock:XNYS:WM"),
        ("GOOG", date(2014, 4, 2), "stock:XNAS:GOOGL"),
        ("GOOG", date(2014, 4, 3), "stock:XNAS:GOOG"),
        ("GOOCV", date(2014, 4, 1), "stock:XNAS:GOOG"),
        ("QQQQ", date(2004, 12, 1), "stock:XNAS:QQQ"),
        ("QQQ", date(2011, 3, 23), "stock:XNAS:QQQ"),
        ("FB", date(2012, 5, 18), "stock:XNAS:FB"),
        ("NB", date(1998, 9, 30), "stock:XNYS:BAC"),
    ],
)
def test_one_ticker_at_two_dates_is_two_instruments(tickers: TickerMap, ticker: str, on: date, expected: str) -> None:
    assert tickers.resolve(ticker, on).id == expected


@pytest.mark.shared
@pytest.mark.parametrize(
    ("ticker", "on"), [("FB", date(2001, 1, 2)), ("WM", date(2007, 1, 3)), ("BAC", date(1998, 9, 30))]
)
def test_a_ticker_is_nobodys_before_its_holder_had_it(tickers: TickerMap, ticker: str, on: date) -> None:
    with pytest.raises(DataError, match=f"nothing known here had the ticker {ticker} on {on}"):
        tickers.resolve(ticker, on)


@pytest.mark.shared
def test_a_range_across_a_change_is_refused_with_its_dates(tickers: TickerMap) -> None:
    with pytest.raises(
        InputError, match=r"GOOGL from 2010-01-04 to 2014-04-02; stock:XNAS:GOOG from 2014-04-03 to 2020"
    ):
        tickers.held("GOOG", date(2010, 1, 4), date(2020, 1, 2))
    with pytest.raises(InputError, match="stock:XNYS:WM from 2009-08-05 to 2015-01-02"):
        tickers.held("WM", date(2005, 1, 3), date(2015, 1, 2))


@pytest.mark.shared
def test_a_range_across_a_change_is_cut_to_the_newest_holder_on_demand(tickers: TickerMap) -> None:
    held = tickers.held("FB", date(1999, 9, 29), date(2021, 3, 31), on_change="cut")
    assert (held.instrument.id, held.first, held.last) == ("stock:XNAS:FB", date(2012, 5, 18), date(2021, 3, 31))
    held = tickers.held("GOOG", date(2010, 1, 4), date(2020, 1, 2), on_change="cut")
    assert (held.instrument.id, held.first) == ("stock:XNAS:GOOG", date(2014, 4, 3))


@pytest.mark.shared
def test_an_instrument_has_its_whole_life_under_all_its_tickers(tickers: TickerMap) -> None:
    life = tickers.segments("stock:XNYS:WM", date(1998, 1, 1), date(2021, 3, 31))
    assert [(part.ticker, str(part.first), str(part.last)) for part in life] == [
        ("UW", "1998-01-02", "1998-07-16"),
        ("WMI", "1998-07-17", "2009-08-04"),
        ("WM", "2009-08-05", "2021-03-31"),
    ]
    assert tickers.instrument("stock:XNYS:WM").ticker_at(date(2005, 1, 3)) == "WMI"
    with pytest.raises(DataError, match="was not traded"):
        tickers.segments("stock:XNAS:FB", date(1999, 1, 4), date(2003, 1, 2))


def test_two_holders_at_once_are_refused() -> None:
    one, other = (Instrument.of(f"stock:XNYS:{symbol}") for symbol in ("A", "B"))
    with pytest.raises(InputError, match="two instruments hold the ticker T on 2020-01-02"):
        TickerMap([Held(one, "T", date(2019, 1, 2), None), Held(other, "T", date(2020, 1, 2), None)])


def test_unknown_tickers_ids_columns_and_exchanges_are_told() -> None:
    rows = pd.DataFrame(
        {"permanent_symbol": ["AB"], "until_date": ["2050-12-31"], "ticker": ["ABCD"], "exchange": ["N"]}
    )
    tickers = TickerMap.of(rows.assign(until_date="2050-12-31"))
    with pytest.raises(DataError, match="no ticker 'ABCE'; near: ABCD"):
        tickers.resolve("ABCE", date(2050, 12, 31))
    with pytest.raises(DataError, match="no instrument 'stock:XNYS:AC'; near: stock:XNYS:AB"):
        tickers.instrument("stock:XNYS:AC")
    with pytest.raises(InputError, match="lacks the column 'until_date'"):
        TickerMap.of(rows.drop(columns="until_date"))
    with pytest.raises(InputError, match="names the exchange '@'"):
        TickerMap.of(rows.assign(exchange="@"))
    with pytest.raises(InputError, match="lies after"):
        tickers.held("ABCD", date(2050, 12, 31), date(2020, 1, 1))
