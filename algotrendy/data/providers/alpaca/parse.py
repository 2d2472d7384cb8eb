"""Alpaca's answers to rows, trades and actions: pure, tested on recorded answers.

Stamps are ISO texts at the start of a bar; a day starts at midnight in New York, also in the crypto bars.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from algotrendy.data.providers.alpaca.errors import NAME
from algotrendy.data.providers.answer import local_dates, rows_of, trades_of
from algotrendy.domain.actions import Actions
from algotrendy.domain.interval import Interval
from algotrendy.errors import BadAnswer

_FIELDS = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}


def parse_bars(payload: Any, symbol: str, interval: Interval) -> pd.DataFrame:
    """Return the rows of one symbol from bars by symbol.

    Raises
    ------
    BadAnswer
        If other symbols are in it, or it is of no known form.

    Examples
    --------
    >>> bar = {"t": "2022-02-01T05:00:00Z", "o": 174, "h": 174.84, "l": 172.31, "c": 174.61, "v": 85998033}
    >>> parse_bars({"AAPL": [bar]}, "AAPL", Interval.parse("1d")).index[0]
    Timestamp('2022-02-01 00:00:00')
    """
    try:
        own = _own(payload, symbol)
        stamps = _stamps([one["t"] for one in own])
        index = stamps if interval.is_intraday else local_dates(stamps, "America/New_York", interval)
        return rows_of(index, {name: [one.get(letter) for one in own] for name, letter in _FIELDS.items()})
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        raise BadAnswer(NAME, f"the bars of {symbol} have no known form ({type(e).__name__}: {e})") from e


def parse_trades(payload: Any, symbol: str) -> pd.DataFrame:
    """Return the trades of one symbol in the order of delivery; see `TradesSource.trades`."""
    try:
        own = _own(payload, symbol)
        return trades_of(_stamps([one["t"] for one in own]), [one["p"] for one in own], [one["s"] for one in own])
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        raise BadAnswer(NAME, f"the trades of {symbol} have no known form ({type(e).__name__}: {e})") from e


def parse_actions(payload: Any, symbol: str) -> tuple[Actions, tuple[str, ...]]:
    """Return splits and cash dividends of one symbol, and notes on actions that are neither.

    A stock dividend of rate 0.05 gives 1.05 shares for one, so it is a split.
    """
    splits: dict[str, float] = {}
    dividends: list[tuple[str, float]] = []
    notes: list[str] = []
    try:
        for kind, listed in payload.items():
            for one in listed:
                if symbol not in (one.get("symbol"), one.get("old_symbol"), one.get("source_symbol")):
                    continue
                if kind in ("forward_splits", "reverse_splits"):
                    splits[one["ex_date"]] = splits.get(one["ex_date"], 1.0) * one["new_rate"] / one["old_rate"]
                elif kind == "stock_dividends":
                    splits[one["ex_date"]] = splits.get(one["ex_date"], 1.0) * (1.0 + one["rate"])
                elif kind == "cash_dividends":
                    dividends.append((one["ex_date"], float(one["rate"])))
                else:
                    date = one.get("ex_date") or one.get("effective_date") or one.get("process_date")
                    notes.append(f"{kind.replace('_', ' ')} on {date} are not among the splits and dividends.")
    except (KeyError, TypeError, AttributeError) as e:
        raise BadAnswer(NAME, f"the actions of {symbol} have no known form ({type(e).__name__}: {e})") from e
    paid = pd.Series([rate for _, rate in dividends], index=[date for date, _ in dividends], dtype=np.float64)
    return Actions.of(splits, paid), tuple(notes)


def _own(payload: Any, symbol: str) -> list[Any]:
    others = [name for name in payload if name != symbol]
    if others:
        raise BadAnswer(NAME, f"was asked for {symbol} and answered for {', '.join(others)}; nothing of it is used")
    return list(payload.get(symbol) or [])


def _stamps(texts: list[str]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(texts, utc=True, format="ISO8601")).as_unit("ns")
