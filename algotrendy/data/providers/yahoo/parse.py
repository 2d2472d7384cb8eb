"""Yahoo's chart answer to rows and actions: pure, tested on recorded answers.

Yahoo's prices are adjusted for splits up to today, its dividends as well; `Adj Close` for dividends too. While a
market is open, and often after, the last row is the newest price with its own stamp: it is no bar of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.data.providers.answer import local_dates, rows_of, same_symbol
from algotrendy.data.providers.venues import instrument_at
from algotrendy.data.providers.yahoo.errors import NAME, error_of
from algotrendy.domain.actions import Actions
from algotrendy.domain.bars import PRICES
from algotrendy.domain.instrument import AssetClass, Instrument
from algotrendy.domain.interval import Interval
from algotrendy.errors import BadAnswer

KINDS = {
    "EQUITY": AssetClass.STOCK, "ETF": AssetClass.ETF, "MUTUALFUND": AssetClass.ETF, "INDEX": AssetClass.INDEX,
    "CRYPTOCURRENCY": AssetClass.CRYPTO, "CURRENCY": AssetClass.FOREX, "FUTURE": AssetClass.FUTURES,
    "OPTION": AssetClass.OPTION,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart answer: rows adjusted for splits with a column `adjusted_close`, and the events in its range.

    `actions.dividends` are adjusted for splits, as Yahoo gives them.
    """

    rows: pd.DataFrame
    instrument: Instrument
    actions: Actions


def parse_chart(payload: Any, *, symbol: str, canonical: str, interval: Interval) -> Chart:
    """Return what a chart answer holds.

    Raises
    ------
    DataError
        If the answer says that there is no such series.
    BadAnswer
        If it is of another symbol, another interval, or of no known form.
    """
    try:
        chart = payload["chart"]
        if chart.get("error"):
            raise error_of(404 if chart["error"].get("code") == "Not Found" else 422, payload, symbol)
        result = chart["result"][0]
        meta = result["meta"]
        same_symbol(NAME, symbol, meta["symbol"])
        _same_interval(interval, meta.get("dataGranularity"))
        stamps = pd.to_datetime(np.array(result.get("timestamp") or [], dtype=np.int64), unit="s", utc=True)
        zone = str(meta["exchangeTimezoneName"])
        rows = _rows(result, stamps, zone, interval)
        rows = _without_newest_price(rows, stamps, meta, interval)
        kind = KINDS.get(str(meta.get("instrumentType")), AssetClass.STOCK)
        instrument = instrument_at(
            kind, str(meta.get("exchangeName") or ""), canonical, str(meta.get("currency") or "USD")
        )
        return Chart(rows, instrument, _actions(result.get("events") or {}, zone))
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as e:
        raise BadAnswer(NAME, f"the answer for {symbol} has another form than a chart ({type(e).__name__}: {e})") from e


def chosen_prices(chart: Chart, adjusted: str) -> pd.DataFrame:
    """Return rows adjusted for splits, or for dividends as well.

    Examples
    --------
    >>> days = pd.to_datetime(["2024-03-04"])
    >>> rows = rows_of(days, {"open": [8.0], "high": [10.0], "low": [8.0], "close": [10.0], "volume": [1],
    ...                       "adjusted_close": [5.0]})
    >>> chart = Chart(rows, Instrument.of("stock:XNAS:A"), Actions.of())
    >>> chosen_prices(chart, "all")[["open", "close"]].values.tolist()
    [[4.0, 5.0]]
    """
    rows = chart.rows.drop(columns="adjusted_close")
    if adjusted != "all":
        return rows
    factor = chart.rows["adjusted_close"] / chart.rows["close"]
    for name in PRICES:
        rows[name] = chart.rows[name] * factor
    rows["close"] = chart.rows["adjusted_close"]
    return rows


def as_paid(actions: Actions) -> Actions:
    """Return actions with dividends as they were paid, from those that Yahoo adjusted for later splits.

    Examples
    --------
    >>> as_paid(Actions.of(splits={"2020-08-31": 4.0}, dividends={"2020-08-07": 0.205})).dividends.tolist()
    [0.82]
    """
    later = np.append(np.cumprod(actions.splits.to_numpy()[::-1])[::-1], 1.0)
    ratio = later[actions.splits.index.searchsorted(actions.dividends.index, side="right")]
    return Actions(actions.splits, actions.dividends * ratio)


def split_inside(rows: pd.DataFrame, actions: Actions, interval: Interval) -> tuple[str, ...]:
    """Return a note on longer bars that hold a split: their raw prices are in shares as they were when they began."""
    if interval.unit not in ("wk", "mo") or not len(rows):
        return ()
    begun = pd.DatetimeIndex(rows.index)
    first, last = begun[0], begun[-1] + pd.Timedelta(days=interval.count * (7 if interval.unit == "wk" else 31))
    dates = [date for date in actions.splits.index if first < date <= last and date not in begun]
    return tuple(
        f"The bar that holds the split of {date.date()} is in shares as they were before it." for date in dates
    )


def _rows(result: Any, stamps: pd.DatetimeIndex, zone: str, interval: Interval) -> pd.DataFrame:
    quote = (
        result["indicators"]["quote"][0]
        if len(stamps)
        else {name: [] for name in ("open", "high", "low", "close", "volume")}
    )
    adjusted = (result["indicators"].get("adjclose") or [{}])[0].get("adjclose") if len(stamps) else []
    columns = {name: quote[name] for name in ("open", "high", "low", "close", "volume")}
    columns["adjusted_close"] = adjusted if adjusted is not None else [None] * len(stamps)
    if {len(values) for values in columns.values()} != {len(stamps)}:
        raise ValueError("its columns are of different lengths")
    index = stamps if interval.is_intraday else local_dates(stamps, zone, interval)
    return rows_of(index, columns)


def _without_newest_price(rows: pd.DataFrame, stamps: pd.DatetimeIndex, meta: Any, interval: Interval) -> pd.DataFrame:
    if len(rows) < 2 or int(stamps[-1].timestamp()) != int(meta.get("regularMarketTime") or 0):
        return rows
    if interval.is_intraday or rows.index[-1] == rows.index[-2]:
        return rows.iloc[:-1]
    return rows


def _actions(events: Any, zone: str) -> Actions:
    splits = {_date(one["date"], zone): one["numerator"] / one["denominator"] for one in _listed(events, "splits")}
    dividends = [(_date(one["date"], zone), one["amount"]) for one in _listed(events, "dividends")]
    paid = pd.Series([amount for _, amount in dividends], index=[date for date, _ in dividends], dtype=np.float64)
    return Actions.of(splits, paid)


def _listed(events: Any, name: str) -> list[Any]:
    return list((events.get(name) or {}).values())


def _date(seconds: int, zone: str) -> pd.Timestamp:
    stamp = pd.DatetimeIndex([pd.Timestamp(int(seconds), unit="s", tz="UTC")])
    date: pd.Timestamp = local_dates(stamp, zone, Interval(1, "d"))[0]
    return date


def _same_interval(interval: Interval, answered: object) -> None:
    if answered is not None and Interval.parse(str(answered)) != interval:
        raise BadAnswer(NAME, f"was asked for bars of {interval} and answered with bars of {answered}")
