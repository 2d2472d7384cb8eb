"""Dated membership: which instruments belong to the universe at which bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.stamps import stamps_of
from algotrendy.domain.types import Bool2D
from algotrendy.errors import InputError
from algotrendy.strategy.parameter import nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["members_of", "survivorship_warning"]

_ASKED_FROM = 5
"""Fewer instruments are a choice of the user's, not a universe."""


def members_of(account: Account, members: Any) -> Bool2D | None:
    """Return which instruments are members at each bar, or None if nobody said.

    Parameters
    ----------
    account : Account
        The instruments and bars.
    members : DataFrame or mapping, optional
        A frame of booleans by time and symbol, each row holding until the next one; a frame with the columns `symbol`,
        `start` and `end`; or a mapping from symbol to (start, end) or to a list of such. Both dates belong to it;
        None is open.

    Raises
    ------
    InputError
        If it is something else, or names an unknown symbol.
    """
    import pandas as pd

    if members is None:
        return None
    if isinstance(members, pd.DataFrame) and {"symbol", "start", "end"} <= set(members.columns):
        spans: dict[Any, list[Any]] = {}
        for row in members[["symbol", "start", "end"]].itertuples(index=False):
            spans.setdefault(row.symbol, []).append((row.start, row.end))
        return _from_spans(account, spans)
    if isinstance(members, pd.DataFrame):
        return _from_rows(account, members)
    if isinstance(members, Mapping):
        return _from_spans(account, members)
    raise InputError(
        f"members is a {type(members).__name__}; give a frame of booleans by time and symbol, a frame with symbol,"
        " start and end, or a mapping from symbol to (start, end)"
    )


def _from_spans(account: Account, spans: Mapping[Any, Any]) -> Bool2D:
    import pandas as pd

    symbols, index = account.panel.symbols, account.panel.index
    inside = np.zeros((account.n_bars, account.n_instruments), dtype=bool)
    for symbol, given in spans.items():
        if symbol not in symbols:
            continue  # a list of members names more than there are bars of
        listed = [given] if isinstance(given, tuple) else list(given)
        for each in listed:
            if not isinstance(each, tuple | list) or len(each) != 2:
                raise InputError(f"the membership of {symbol} is {each!r}; give (start, end), None for an open end")
            dates: list[Any] = [None if pd.isna(date) else stamps_of([date], index, "members")[0] for date in each]
            first, last = dates
            rows = slice(
                0 if first is None else int(index.searchsorted(first, side="left")),
                account.n_bars if last is None else int(index.searchsorted(_end_of(last), side="right")),
            )
            inside[rows, symbols.index(symbol)] = True
    if not inside.any():
        raise InputError("no instrument is ever a member; are the symbols of members those of the bars?")
    return inside


def _end_of(date: pd.Timestamp) -> pd.Timestamp:
    """Return the last moment of a date; a moment with a time is itself."""
    import pandas as pd

    return date + pd.Timedelta(days=1) - pd.Timedelta(1, "us") if date == date.normalize() else date


def _from_rows(account: Account, frame: pd.DataFrame) -> Bool2D:
    symbols, index = account.panel.symbols, account.panel.index
    for name in frame.columns:
        if name not in symbols:
            raise InputError(f"members has a column {name!r}, which has no bars{nearest(str(name), symbols)}")
        if frame[name].dtype.kind != "b":
            raise InputError(f"members of {name} holds {frame[name].dtype} values; give booleans")
    ordered = frame.sort_index(kind="stable")
    stamps = stamps_of(ordered.index, index, "members")
    row = np.asarray(stamps.searchsorted(index, side="right"), dtype=np.int64) - 1
    inside = np.zeros((account.n_bars, account.n_instruments), dtype=bool)
    for name in ordered.columns:
        values = ordered[name].to_numpy(dtype=bool)
        inside[:, symbols.index(name)] = np.where(row >= 0, values[np.maximum(row, 0)], False)
    return inside


def survivorship_warning(account: Account) -> tuple[str, ...]:
    """Return a warning if a universe has no dated membership."""
    n = account.n_instruments
    if n < _ASKED_FROM:
        return ()
    living = "" if len(account.columns.ends) else f" and all {n} instruments live to the last bar"
    return (
        f"survivorship: members= was not given{living}; if they were chosen by what is known today, the result is too"
        " good. Give the dated membership of the universe",
    )
