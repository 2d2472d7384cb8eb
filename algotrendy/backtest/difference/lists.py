"""Trades and orders of other libraries and of brokers as a ledger.

A list is known by its columns. What could be read in two ways is refused with what to rename: a wrong guess would be
explained as confidently as a right one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.difference.ledger import Fill, Ledger, PortfolioLedger
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ledger_from", "portfolio_ledger_from"]

Columns = dict[str, Any]

_TRADES_VECTORBT = {
    "size",
    "entry",
    "entry_price",
    "exit",
    "exit_price",
    "entry_fees",
    "exit_fees",
    "direction",
    "status",
}
_TRADES_BACKTESTING = {"size", "entryprice", "exitprice", "entrytime", "exittime"}
_VECTORBT_NAMES = {
    "entry timestamp": "entry",
    "entry index": "entry",
    "exit timestamp": "exit",
    "exit index": "exit",
    "avg entry price": "entry_price",
    "avg exit price": "exit_price",
    "entry fees": "entry_fees",
    "exit fees": "exit_fees",
}

ROLES: Mapping[str, tuple[str, ...]] = {
    "time": (
        "time", "timestamp", "date", "datetime", "filled_at", "filled at", "executed_at", "execution time", "index",
        "transaction_time", "date/time",
    ),
    "side": ("side", "action", "buy/sell", "buy_sell"),
    "quantity": ("quantity", "qty", "units", "shares", "size", "filled_qty", "contracts", "amount"),
    "price": ("price", "fill_price", "filled_avg_price", "avg_price", "average price", "t. price", "execution_price"),
    "commission": ("commission", "commissions", "fee", "fees", "comm/fee"),
    "borrow": ("borrow", "borrow_fee", "financing", "swap", "interest"),
}  # fmt: skip
"""What the columns of a list of executions are called. The first four are needed."""
SYMBOLS = ("symbol", "ticker", "instrument", "column", "security")
"""What the column is called that says which instrument a row is of."""

_OPTIONAL = ("commission", "borrow")
_BUY, _SELL = {"buy", "b", "bot", "bought"}, {"sell", "s", "sld", "sold"}


def ledger_from(
    given: Any,
    bars: pd.DataFrame,
    *,
    cash: float,
    given_cash: bool = False,
    final_equity: float | None = None,
) -> Ledger:
    """Return a list of trades or orders as a ledger.

    Parameters
    ----------
    given : DataFrame, Series or portfolio
        See `explain_difference`.
    bars : DataFrame
        That it was made on.
    cash : float
        What it began with, if it does not say so itself.
    given_cash : bool
        Whether `cash` was named by the caller; then it comes before what the list says.
    final_equity : float, optional
        What it ended with, if it does not say so itself.

    Raises
    ------
    InputError
        If it is not understood, or in two ways.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2024-01-01", periods=2)
    >>> bars = pd.DataFrame({name: [10.0, 11.0] for name in ("open", "high", "low", "close")}, index=days)
    >>> orders = pd.DataFrame({"time": days, "side": ["buy", "sell"], "quantity": 5, "price": [10.0, 11.0]})
    >>> [fill.units for fill in ledger_from(orders, bars, cash=100.0).fills]
    [5.0, -5.0]
    """
    frame, name, said = _opened(given)
    cash = cash if given_cash else said.get("cash", cash)
    final_equity = said.get("final_equity") if final_equity is None else final_equity
    columns = _columns(frame)
    _refuse_several(columns)
    fills, known = _fills(frame, bars)
    return Ledger(name=name or known, cash=float(cash), fills=tuple(fills), bars=bars, final_equity=final_equity)


def portfolio_ledger_from(
    given: Any,
    own: PortfolioLedger,
    *,
    cash: float,
    given_cash: bool = False,
    final_equity: float | None = None,
    bars: Any = None,
) -> PortfolioLedger:
    """Return a list of trades or orders in several instruments as a ledger.

    Splits, dividends and interest are not in such a list; those of the account that it is compared with are taken.

    Parameters
    ----------
    given : DataFrame, Series or portfolio
        With a column `symbol` (ticker, instrument, or vectorbt's `Column`).
    own : PortfolioLedger
        What it is compared with.
    cash, given_cash, final_equity
        As in `ledger_from`.
    bars : mapping of str to DataFrame, or Panel, optional
        That it was made on; those of `own` by default.

    Raises
    ------
    InputError
        If it is not understood, or names an instrument that has no bars.
    """
    frame, name, said = _opened(given)
    cash = cash if given_cash else said.get("cash", cash)
    final_equity = said.get("final_equity") if final_equity is None else final_equity
    column = next((each for each in frame.columns if str(each).strip().lower() in SYMBOLS), None)
    if column is None and len(own.members) > 1 and len(frame):
        raise InputError(
            f"the list has no column that says which instrument a row is of ({', '.join(SYMBOLS[:3])}); there are "
            f"{', '.join(own.members)}: add one"
        )
    frame = _with_sides(frame)
    only = next(iter(own.members))
    rows = [str(value) for value in frame[column]] if column is not None else [only] * len(frame)
    frames = {symbol: member.bars for symbol, member in own.members.items()} if bars is None else _frames(bars, own)
    for symbol in dict.fromkeys(rows):
        if symbol not in frames:
            raise InputError(
                f"the list has {symbol!r} in {column!r}, which has no bars; there are {', '.join(frames)}: rename it,"
                " or hand in its bars as bars="
            )
    members, of = {}, np.array(rows, dtype=object)
    for symbol, own_bars in frames.items():
        fills, known = _fills(frame[of == symbol], own_bars) if (of == symbol).any() else ([], name)
        name = name or known
        scale = own.multipliers.get(symbol, 1.0)
        if scale != 1.0:
            fills = [replace(fill, price=fill.price * scale) for fill in fills]
        actions = own.members[symbol].actions if symbol in own.members else ()
        members[symbol] = Ledger(name=name, cash=float(cash), fills=tuple(fills), bars=own_bars, actions=actions)
    name = name or "the list"
    members = {symbol: replace(member, name=f"{name}, {symbol}") for symbol, member in members.items()}
    return PortfolioLedger(
        name=name,
        cash=float(cash),
        members=members,
        final_equity=final_equity,
        financing=own.financing,
        multipliers=own.multipliers,
    )


def _frames(bars: Any, own: PortfolioLedger) -> dict[str, pd.DataFrame]:
    """Return bars by symbol, in currency per unit."""
    from algotrendy.backtest.difference.bars import times
    from algotrendy.backtest.portfolio.again import frames_of
    from algotrendy.backtest.portfolio.market import as_panel

    panel = as_panel(bars)
    found = zip(panel.symbols, frames_of(panel).values(), strict=True)
    return {symbol: times(frame, own.multipliers.get(symbol, 1.0)) for symbol, frame in found}


def _with_sides(frame: pd.DataFrame) -> pd.DataFrame:
    """Return executions with their sides: of one instrument alone there may be no sale that shows that signs count."""
    columns = _columns(frame)
    if _kind_of(columns) is not None or any(name in columns for name in ROLES["side"]) or not len(frame):
        return frame
    signs = _signs(columns, _roles(columns, has_time_index=hasattr(frame.index, "tz")))
    return frame.assign(side=["buy" if sign > 0.0 else "sell" for sign in signs])


def _kind_of(columns: Columns) -> str | None:
    """Return whose round trips a list holds, None for one of executions."""
    if {_VECTORBT_NAMES.get(key, key) for key in columns} >= _TRADES_VECTORBT:
        return "vectorbt"
    return "backtesting.py" if set(columns) >= _TRADES_BACKTESTING else None


def _columns(frame: pd.DataFrame) -> Columns:
    return {str(column).strip().lower(): frame[column].tolist() for column in frame.columns}


def _fills(frame: pd.DataFrame, bars: pd.DataFrame) -> tuple[list[Fill], str]:
    """Return the fills of one instrument in time, and whose list it looks like."""
    columns = _columns(frame)
    name = _kind_of(columns)
    if name == "vectorbt":
        fills = _of_trades({_VECTORBT_NAMES.get(key, key): values for key, values in columns.items()}, bars)
    elif name is not None:
        fills = _of_backtesting(columns, bars)
    else:
        fills = _of_executions(frame, columns, bars)
        name = "vectorbt" if "order id" in columns else "the list"
    return sorted(fills, key=lambda fill: fill.filled_at), name


def _opened(given: Any) -> tuple[pd.DataFrame, str, dict[str, float]]:
    """Return the frame in what was given, whose it is, and the cash and final equity that come with it."""
    import pandas as pd

    if isinstance(given, pd.Series) and "_trades" in given.index:
        curve = given["_equity_curve"]["Equity"]
        return given["_trades"], "backtesting.py", {"cash": float(curve.iloc[0]), "final_equity": float(curve.iloc[-1])}
    if hasattr(given, "orders") and hasattr(given, "init_cash") and callable(getattr(given, "final_value", None)):
        said = {"cash": float(given.init_cash), "final_equity": float(given.final_value())}
        return given.orders.records_readable, "vectorbt", said
    if isinstance(given, pd.DataFrame):  # bt's transactions are indexed by date and security
        return given.reset_index() if isinstance(given.index, pd.MultiIndex) else given, "", {}
    raise InputError(
        f"the other account is a {type(given).__name__}; give a BacktestResult, a Ledger, a frame of trades or orders, "
        "backtesting.py's stats or a vectorbt portfolio"
    )


def _refuse_several(columns: Columns) -> None:
    """Refuse a list of several instruments against the run of one."""
    for name in SYMBOLS:
        different = list(dict.fromkeys(columns.get(name, [])))
        if len(different) > 1:
            raise InputError(
                f"the list has {len(different)} values in {name!r} ({different[0]!r}, {different[1]!r}, ...); "
                "give the rows of one instrument, or compare it with a backtest of all of them"
            )


# --- lists of round trips ---


def _of_trades(columns: Columns, bars: pd.DataFrame) -> list[Fill]:
    """Return the fills of vectorbt's trades; an open trade has no exit yet."""
    entries, exits = _moments(columns["entry"], bars), _moments(columns["exit"], bars)
    fills = []
    for row, (size, direction, status) in enumerate(
        zip(columns["size"], columns["direction"], columns["status"], strict=True)
    ):
        sign = {"long": 1.0, "short": -1.0}.get(str(direction).lower())
        if sign is None:
            raise InputError(f"the direction of trade {row} is {direction!r}; it is Long or Short in vectorbt's trades")
        price, fee = columns["entry_price"][row], columns["entry_fees"][row]
        fills.append(Fill(filled_at=entries[row], units=sign * size, price=price, commission=fee, reason="entry"))
        if str(status).lower() != "open":
            price, fee = columns["exit_price"][row], columns["exit_fees"][row]
            fills.append(Fill(filled_at=exits[row], units=-sign * size, price=price, commission=fee, reason="exit"))
    return fills


def _of_backtesting(columns: Columns, bars: pd.DataFrame) -> list[Fill]:
    """Return the fills of backtesting.py's trades; a commission of both fills is shared by their values."""
    entries, exits = _moments(columns["entrytime"], bars), _moments(columns["exittime"], bars)
    paid = columns.get("commission", [0.0] * len(entries))
    fills = []
    for row, size in enumerate(columns["size"]):
        bought, sold = float(columns["entryprice"][row]), float(columns["exitprice"][row])
        share = bought / (bought + sold)
        fills += [
            Fill(filled_at=moment, units=units, price=price, commission=float(part * paid[row]), reason=reason)
            for moment, units, price, part, reason in (
                (entries[row], float(size), bought, share, "entry"),
                (exits[row], -float(size), sold, 1.0 - share, "exit"),
            )
        ]
    return fills


# --- lists of executions ---


def _of_executions(frame: pd.DataFrame, columns: Columns, bars: pd.DataFrame) -> list[Fill]:
    roles = _roles(columns, has_time_index=hasattr(frame.index, "tz"))
    moments = _moments(columns[roles["time"]] if "time" in roles else frame.index.tolist(), bars)
    signs = _signs(columns, roles)
    quantities = [float(value) for value in columns[roles["quantity"]]]
    commissions = [float(value) for value in columns[roles["commission"]]] if "commission" in roles else []
    borrow = [float(value) for value in columns[roles["borrow"]]] if "borrow" in roles else []
    for name, paid in (("commission", commissions), ("borrow", borrow)):
        _refuse_turned_sign(roles.get(name, ""), paid)
    decided = _moments(columns["decided_at"], bars) if "decided_at" in columns else [None] * len(moments)
    reasons = columns.get("reason", [""] * len(moments))
    return [
        Fill(
            filled_at=moments[row],
            decided_at=decided[row],
            units=signs[row] * abs(quantities[row]),
            price=float(columns[roles["price"]][row]),
            commission=commissions[row] if commissions else 0.0,
            borrow=borrow[row] if borrow else 0.0,
            reason=str(reasons[row]),
        )
        for row in range(len(moments))
    ]


def _roles(columns: Columns, *, has_time_index: bool) -> dict[str, str]:
    """Return which column is what.

    Raises
    ------
    InputError
        If one is missing, or two could be the same thing.
    """
    roles = {}
    for role, names in ROLES.items():
        found = [name for name in names if name in columns]
        if len(found) > 1:
            raise InputError(
                f"both {found[0]!r} and {found[1]!r} could be the {role}; drop one of them, or rename the right one "
                f"to {role!r} and the other to something else"
            )
        if found:
            roles[role] = found[0]
        elif role not in (*_OPTIONAL, "side") and not (role == "time" and has_time_index):
            have = ", ".join(map(repr, columns))
            raise InputError(f"no column is the {role} ({', '.join(names[:5])}, ...); there are {have}: rename one")
    return roles


def _signs(columns: Columns, roles: Mapping[str, str]) -> list[float]:
    """Return 1.0 for each buy and -1.0 for each sale."""
    quantities = [float(value) for value in columns[roles["quantity"]]]
    if "side" not in roles:
        if quantities and not any(value < 0.0 for value in quantities):
            raise InputError(
                "no column says which rows are sales (side, action), and no quantity is negative; add side with buy "
                "and sell"
            )
        return [math.copysign(1.0, value) for value in quantities]
    signs = []
    for row, word in enumerate(columns[roles["side"]]):
        said = str(getattr(word, "value", word)).strip().lower()
        if said not in _BUY | _SELL:
            raise InputError(f"the {roles['side']} of row {row} is {word!r}; write buy or sell")
        signs.append(1.0 if said in _BUY else -1.0)
        if quantities[row] < 0.0 < signs[row]:
            raise InputError(
                f"row {row} is a buy of {quantities[row]:g} units; drop the side, or write it without sign"
            )
    return signs


def _refuse_turned_sign(name: str, commissions: Sequence[float]) -> None:
    if commissions and min(commissions) < 0.0 and max(commissions) <= 0.0:
        raise InputError(
            f"{name} is negative on all rows that have one; here what was paid is positive and what was received is "
            f"negative: turn the sign with orders[{name!r}] = -orders[{name!r}]"
        )


def _moments(values: Sequence[Any], bars: pd.DataFrame) -> list[Any]:
    """Return times in the way of the bars: with their zone, or as dates if they have none.

    Raises
    ------
    InputError
        If one is not a time.
    """
    import pandas as pd

    try:
        texts = any(isinstance(value, str) for value in values)
        found = pd.DatetimeIndex(pd.to_datetime(list(values), format="ISO8601" if texts else None))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"the times of the list cannot be read ({error}); give timestamps such as 2024-03-01"
        ) from error
    zone = pd.DatetimeIndex(bars.index).tz
    if found.tz is not None and zone is None:
        found = found.tz_convert("UTC").tz_localize(None)
    elif found.tz is None and zone is not None and len(found):
        found = found.tz_localize(zone)
    if found.hasnans:
        raise InputError(f"row {int(np.flatnonzero(found.isna())[0])} of the list has no time; drop it, or fill it in")
    return list(found.as_unit("ns"))
