"""ccxt's unified answers to rows and trades: pure, tested on recorded answers.

Bars are lists of milliseconds at the start, open, high, low, close and volume in the base currency. Days are UTC days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.data.providers.answer import local_dates, rows_of, trades_of
from algotrendy.data.providers.venues import instrument_at
from algotrendy.domain.instrument import AssetClass, Instrument
from algotrendy.domain.interval import Interval
from algotrendy.errors import BadAnswer

_FIELDS = ("open", "high", "low", "close", "volume")
_DECIMAL_PLACES, _TICK_SIZE = 2, 4  # ccxt's ways to tell a precision


def parse_bars(listed: Sequence[Any], venue: str, interval: Interval) -> pd.DataFrame:
    """Return rows from ccxt's bars.

    Raises
    ------
    BadAnswer
        If they are of no known form.

    Examples
    --------
    >>> parse_bars([[1710327600000, 73243.33, 73402.47, 73241.5, 73370.65, 1.56]], "x", Interval.parse("1h")).index[0]
    Timestamp('2024-03-13 11:00:00+0000', tz='UTC')
    """
    try:
        stamps = pd.to_datetime(np.array([one[0] for one in listed], dtype=np.int64), unit="ms", utc=True)
        index = stamps if interval.is_intraday else local_dates(stamps, "UTC", interval)
        return rows_of(index, {name: [one[place] for one in listed] for place, name in enumerate(_FIELDS, start=1)})
    except (TypeError, IndexError, ValueError) as e:
        raise BadAnswer(venue, f"the bars have no known form ({type(e).__name__}: {e})") from e


def parse_trades(listed: Sequence[Any], venue: str) -> pd.DataFrame:
    """Return trades from ccxt's, in the order of delivery; see `TradesSource.trades`."""
    try:
        times = pd.to_datetime(np.array([one["timestamp"] for one in listed], dtype=np.int64), unit="ms", utc=True)
        return trades_of(pd.DatetimeIndex(times), [one["price"] for one in listed], [one["amount"] for one in listed])
    except (KeyError, TypeError, ValueError) as e:
        raise BadAnswer(venue, f"the trades have no known form ({type(e).__name__}: {e})") from e


def parse_instrument(market: Any, venue: str, precision_mode: int) -> Instrument:
    """Return the instrument that a ccxt market describes, with the exchange's steps of price and quantity."""
    found = instrument_at(AssetClass.CRYPTO, venue, market["symbol"], market["quote"])
    precision = market.get("precision") or {}
    price, amount = (_step(precision.get(name), precision_mode) for name in ("price", "amount"))
    return replace(found, tick_size=price or found.tick_size, lot_size=amount or found.lot_size)


def _step(value: Any, mode: int) -> Decimal | None:
    if value is None:
        return None
    if mode == _TICK_SIZE:
        return Decimal(str(value)) if value > 0 else None
    return Decimal(1).scaleb(-int(value)) if mode == _DECIMAL_PLACES else None
