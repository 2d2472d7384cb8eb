"""Dated futures: which contract is held when, the trades of each roll, and adjusted series for signals.

Nothing here is traded at a continuous price. Signals are found on an adjusted series; weights and orders name the real
contracts, so each roll is a sale and a purchase, with their costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.bars import PRICES, check_bars
from algotrendy.domain.calendar import Calendar, utc_stamps
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.types import AnyArray, Bool1D, Bool2D, Int1D
from algotrendy.errors import InputError

__all__ = ["FuturesChain", "RollBefore", "RollByCrossing"]

Name: TypeAlias = Instrument | str
By: TypeAlias = Literal["ratio", "difference"]

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class RollBefore:
    """Roll at the end of the first bar of the session that lies so many sessions before the expiry.

    Parameters
    ----------
    sessions : int
        0 is the session of the expiry. Without a calendar sessions are Monday to Friday.
    """

    sessions: int = 5

    def __post_init__(self) -> None:
        if isinstance(self.sessions, bool) or not isinstance(self.sessions, int) or self.sessions < 0:
            raise InputError(
                f"sessions is {self.sessions!r}; use a whole number of sessions before the expiry, such as 5"
            )


@dataclass(frozen=True, slots=True)
class RollByCrossing:
    """Roll once more is traded, or open, in the next contract, and at the latest some sessions before the expiry.

    Parameters
    ----------
    field : str
        The column that is compared: "volume", or another one that the bars have, such as "open_interest".
    bars : int
        So many bars in succession the next contract must be ahead.
    latest : int
        Sessions before the expiry at which a roll is made anyway.
    """

    field: str = "volume"
    bars: int = 1
    latest: int = 1

    def __post_init__(self) -> None:
        for name, least in (("bars", 1), ("latest", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} is {value!r}; use a whole number of at least {least}")


@dataclass(frozen=True, eq=False)
class FuturesChain:
    """Contracts of one future, and which of them is held when.

    Attributes
    ----------
    bars : dict of Instrument or str to DataFrame
        Bars of the contracts by expiry, as `backtest` takes them.
    index : DatetimeIndex of shape (n_bars,)
        The union of their stamps.
    rolls : DataFrame
        One row per roll: `decided_at` (the bar at whose end it is decided), `old`, `new`, and their closes at that
        bar, `old_close` and `new_close`.
    active : int64 array of shape (n_bars,)
        Which contract is held through each bar.
    after : int64 array of shape (n_bars,)
        Which contract is to be held from the end of each bar on.

    Examples
    --------
    >>> days = pd.bdate_range("2024-03-04", periods=4)
    >>> def bars(*closes):
    ...     return pd.DataFrame({name: closes for name in ("open", "high", "low", "close")}, days, dtype=float)
    >>> contracts = {"H4": bars(100, 101, 102, 103), "M4": bars(110, 111, 112, 113)}
    >>> chain = FuturesChain.of(contracts, {"H4": "2024-03-06", "M4": "2024-06-19"}, roll=RollBefore(1))
    >>> chain.rolls[["decided_at", "old", "new"]].values.tolist()
    [[Timestamp('2024-03-05 00:00:00'), 'H4', 'M4']]
    >>> chain.adjusted("difference")["close"].tolist()
    [110.0, 111.0, 112.0, 113.0]
    >>> chain.weights(1.0).values.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    bars: dict[Name, pd.DataFrame]
    index: pd.DatetimeIndex
    rolls: pd.DataFrame
    active: Int1D
    after: Int1D

    @classmethod
    def of(
        cls,
        contracts: Mapping[Name, pd.DataFrame],
        expiries: Mapping[str, Any],
        *,
        roll: RollBefore | RollByCrossing | None = None,
        calendar: Calendar | None = None,
    ) -> FuturesChain:
        """Return the chain of contracts under a rule.

        A roll is decided at the end of a bar with what is known by then, where both contracts have a bar.

        Parameters
        ----------
        contracts : mapping of Instrument or str to DataFrame
            Sound bars of each contract; all with the same interval.
        expiries : mapping of str to date
            The last trading date of each, by symbol.
        roll : RollBefore or RollByCrossing, optional
            Default: five sessions before the expiry.
        calendar : Calendar, optional
            Says which dates are sessions, and to which one an intraday bar belongs (without one: its UTC date).

        Raises
        ------
        InputError
            If an expiry is missing, two are equal, bars are not sound or lack a column, or a roll is due and the two
            contracts have no bar in common.
        """
        rule = RollBefore() if roll is None else roll
        if not isinstance(rule, RollBefore | RollByCrossing):
            raise InputError(f"roll is {roll!r}; use RollBefore(5) or RollByCrossing('volume')")
        dated = _dated(contracts, expiries)
        bars = {name: contracts[name] for name, _ in dated}
        index = _union(bars)
        sessions = _sessions(index, calendar)
        last = rule.sessions if isinstance(rule, RollBefore) else rule.latest
        due = [sessions >= _deadline(expiry, last, calendar) for _, expiry in dated]
        valid = np.column_stack([index.isin(frame.index) for frame in bars.values()])
        first = next((k for k, late in enumerate(due) if not late[0]), len(due) - 1)
        wanted = due if isinstance(rule, RollBefore) else _crossings(rule, bars, index, due)
        rows = _rolls(list(bars), (first, index), valid, wanted)
        after = np.full(len(index), first, dtype=np.int64)
        for bar, new in rows:
            after[bar:] = new
        active = np.concatenate(([first], after[:-1])).astype(np.int64)
        return cls(bars, index, _table(bars, index, rows), active, after)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of the contracts, by expiry."""
        return tuple(_symbol(name) for name in self.bars)

    def adjusted(self, by: By = "ratio") -> pd.DataFrame:
        """Return one series for signals: the bars of the contract held, the past adjusted at each roll.

        At a roll what lies before is multiplied with new close / old close, or the difference is added to it, so that
        the newest contract's prices stay as they were traded. Nothing is ever filled at these prices.

        Parameters
        ----------
        by : {'ratio', 'difference'}
            "ratio" keeps returns, "difference" keeps profits in points; its prices may fall below zero.

        Returns
        -------
        DataFrame
            `open high low close volume`, `contract` and `is_adjusted`, where the contract held has a bar.
        """
        if by not in ("ratio", "difference"):
            raise InputError(f"by is {by!r}; use 'ratio' or 'difference'")
        factor, shift = np.ones(len(self.index)), np.zeros(len(self.index))
        closes = self.rolls[["old_close", "new_close"]].to_numpy(dtype=np.float64)
        for until, (old, new) in zip(np.flatnonzero(self._rolls_at()) + 1, closes, strict=True):
            if by == "ratio":
                factor[:until] *= new / old
            else:
                shift[:until] += new - old
        pieces = []
        for k, (symbol, frame) in enumerate(zip(self.symbols, self.bars.values(), strict=True)):
            rows = np.flatnonzero((self.active == k) & self.index.isin(frame.index))
            own = frame.loc[self.index[rows]]
            columns = {name: own[name].to_numpy(dtype=np.float64) * factor[rows] + shift[rows] for name in PRICES}
            if "volume" in own.columns:
                columns["volume"] = own["volume"].to_numpy(dtype=np.float64)
            piece = pd.DataFrame(columns, index=self.index[rows])
            pieces.append(piece.assign(contract=symbol, is_adjusted=True))
        return pd.concat([piece for piece in pieces if len(piece)]).sort_index()

    def weights(self, target: float | pd.Series[float]) -> pd.DataFrame:
        """Return target weights in the contracts, for `backtest(chain.bars, weights=...)`.

        Parameters
        ----------
        target : float or Series
            Share of the equity, below 0 for short; a Series by the time of the decision.

        Returns
        -------
        DataFrame
            One row per decision and per roll: the target in the contract to be held from then on, 0 in all others.
        """
        wanted = self._by_bar(target)
        rows = np.flatnonzero(wanted.decided | self._rolls_at())
        table = np.zeros((len(rows), len(self.bars)))
        table[np.arange(len(rows)), self.after[rows]] = wanted.values[rows]
        return pd.DataFrame(table, index=self.index[rows], columns=list(self.symbols))

    def orders(self, units: float | pd.Series[float]) -> pd.DataFrame:
        """Return market orders in the contracts, for `backtest(chain.bars, orders=...)`.

        Parameters
        ----------
        units : float or Series
            Contracts to be held, below 0 for short; a Series by the time of the decision.

        Returns
        -------
        DataFrame
            `time`, `symbol`, `quantity` (signed): at a roll one order closes the old contract, one opens the new one.
            Sales come before purchases, so at the roll of a short position the account needs room for both.
        """
        wanted, rolled = self._by_bar(units), self._rolls_at()
        held: dict[int, float] = {}
        rows: list[dict[str, Any]] = []
        for bar in np.flatnonzero(wanted.decided | rolled).tolist():
            goal = {int(self.after[bar]): float(wanted.values[bar])}
            for k in sorted({*held, *goal}, key=lambda each: (each in goal, each)):
                change = goal.get(k, 0.0) - held.get(k, 0.0)
                if change:
                    rows.append({"time": self.index[bar], "symbol": self.symbols[k], "quantity": change})
            held = {k: each for k, each in goal.items() if each}
        return pd.DataFrame(rows, columns=["time", "symbol", "quantity"])

    def roll_trades(self, result: Any) -> pd.DataFrame:
        """Return what the rolls of a backtest traded, and their cost.

        Parameters
        ----------
        result : PortfolioResult
            Of `backtest` on these bars with these weights or orders.

        Returns
        -------
        DataFrame
            One row per roll: `decided_at`, `old`, `new`, `old_units`, `new_units` (signed), `old_price`, `new_price`
            (mean fill prices; NaN where nothing was filled), `commission`, `slippage` (currency). Fills of a change of
            the target at the same bar count with it.
        """
        orders = result.orders
        signed = orders["units"].where(orders["side"] == "BUY", -orders["units"])
        rows = []
        for roll in self.rolls.itertuples():
            at_roll = orders["decided_at"] == roll.decided_at
            row: dict[str, Any] = {"decided_at": roll.decided_at, "old": roll.old, "new": roll.new}
            for which in ("old", "new"):
                own = at_roll & (orders["symbol"] == getattr(roll, which))
                size = orders["units"][own].sum()
                row[f"{which}_units"] = float(signed[own].sum())
                value = (orders["units"][own] * orders["price"][own]).sum()
                row[f"{which}_price"] = float(value / size) if size else np.nan
            both = at_roll & orders["symbol"].isin([roll.old, roll.new])
            row |= {name: float(orders[name][both].sum()) for name in ("commission", "slippage")}
            rows.append(row)
        sides = [f"{which}_{what}" for what in ("units", "price") for which in ("old", "new")]
        return pd.DataFrame(rows, columns=["decided_at", "old", "new", *sides, "commission", "slippage"])

    def _rolls_at(self) -> Bool1D:
        return np.asarray(self.index.isin(self.rolls["decided_at"]), dtype=bool)

    def _by_bar(self, target: float | pd.Series[float]) -> _Wanted:
        """Return the target in force at each bar, and at which bars it is decided."""
        n = len(self.index)
        if not isinstance(target, pd.Series):
            target = pd.Series([float(target)], index=self.index[:1])
        ordered = target.sort_index(kind="stable")
        values = ordered.to_numpy(dtype=np.float64)
        if not np.isfinite(values).all():
            raise InputError(f"{int((~np.isfinite(values)).sum())} targets are not finite; give numbers, 0 for flat")
        bars = np.asarray(self.index.searchsorted(pd.DatetimeIndex(ordered.index)), dtype=np.int64)
        decided, in_force = np.zeros(n, dtype=bool), np.zeros(n)
        for bar, value in zip(bars.tolist(), values.tolist(), strict=True):
            if bar < n:
                decided[bar], in_force[bar:] = True, value
        return _Wanted(in_force, decided)


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    values: AnyArray
    decided: Bool1D


def _symbol(name: Name) -> str:
    return name.symbol if isinstance(name, Instrument) else name


def _dated(contracts: Mapping[Name, pd.DataFrame], expiries: Mapping[str, Any]) -> list[tuple[Name, AnyArray]]:
    """Return contracts with their expiries, the nearest first."""
    if not contracts:
        raise InputError("there are no contracts; give a mapping from contract to bars")
    found: list[tuple[Name, Any]] = []
    for name, frame in contracts.items():
        symbol = _symbol(name)
        if symbol not in expiries:
            raise InputError(f"expiries has no date for {symbol!r}; give the last trading date of each contract")
        check_bars(frame)
        found.append((name, pd.Timestamp(expiries[symbol]).tz_localize(None).to_datetime64().astype("datetime64[D]")))
    found.sort(key=lambda each: each[1])
    for (one, date), (other, later) in pairwise(found):
        if date == later:
            raise InputError(
                f"{_symbol(one)} and {_symbol(other)} both expire on {date}; contracts need dates that differ"
            )
    return found


def _union(bars: Mapping[Name, pd.DataFrame]) -> pd.DatetimeIndex:
    indexes = [pd.DatetimeIndex(frame.index) for frame in bars.values()]
    if len({index.tz is None for index in indexes}) > 1:
        raise InputError("some contracts carry dates and others UTC instants; bring them to one")
    joined = indexes[0]
    for index in indexes[1:]:
        joined = joined.union(index)
    return joined.rename("time")


def _sessions(index: pd.DatetimeIndex, calendar: Calendar | None) -> AnyArray:
    if index.tz is not None and calendar is not None:
        return calendar.session_of(index)
    dates: AnyArray = utc_stamps(index).astype("datetime64[D]")
    return dates


def _deadline(expiry: Any, sessions: int, calendar: Calendar | None) -> Any:
    """Return the session that lies so many sessions before the expiry."""
    if calendar is None:
        return np.busday_offset(expiry, -sessions, roll="backward")
    days: Any = np.arange(expiry - (2 * sessions + 15) * _DAY, expiry + _DAY)
    open_days = np.unique(calendar.next_session(days - _DAY))
    known = open_days[open_days <= expiry]
    return known[-1 - sessions]


def _crossings(
    rule: RollByCrossing, bars: Mapping[Name, pd.DataFrame], index: pd.DatetimeIndex, due: list[Bool1D]
) -> list[Bool1D]:
    """Return at which bars the next contract is ahead, or the roll is due anyway."""
    columns = []
    for name, frame in bars.items():
        if rule.field not in frame.columns:
            raise InputError(f"the bars of {_symbol(name)} have no column {rule.field!r}, which the roll is decided by")
        columns.append(frame[rule.field].reindex(index).fillna(0.0).to_numpy(dtype=np.float64))
    wanted = []
    for k, late in enumerate(due):
        if k + 1 == len(due):
            wanted.append(late)
            continue
        ahead = columns[k + 1] > columns[k]
        runs = np.arange(len(index)) - np.maximum.accumulate(np.where(ahead, -1, np.arange(len(index))))
        wanted.append(late | (ahead & (runs >= rule.bars)))
    return wanted


def _rolls(
    names: list[Name], start: tuple[int, pd.DatetimeIndex], valid: Bool2D, wanted: list[Bool1D]
) -> list[tuple[int, int]]:
    """Return bar and new contract of each roll."""
    first, index = start
    rows, begin = [], 0
    for k in range(first, len(names) - 1):
        both = valid[:, k] & valid[:, k + 1]
        asked = wanted[k][begin:]
        found = np.flatnonzero(asked & both[begin:])
        if not found.size:
            if asked.any():
                at = index[begin + int(asked.argmax())]
                raise InputError(
                    f"the roll from {_symbol(names[k])} to {_symbol(names[k + 1])} is due at {at}, and from there on no"
                    " bar has both; load more bars of the two, or roll earlier"
                )
            break
        bar = begin + int(found[0])
        rows.append((bar, k + 1))
        begin = bar + 1
    return rows


def _table(bars: Mapping[Name, pd.DataFrame], index: pd.DatetimeIndex, rows: list[tuple[int, int]]) -> pd.DataFrame:
    names = list(bars)
    columns: dict[str, list[Any]] = {name: [] for name in ("decided_at", "old", "new", "old_close", "new_close")}
    for bar, new in rows:
        old_name, new_name, stamp = names[new - 1], names[new], index[bar]
        closes: list[Any] = [bars[each].at[stamp, "close"] for each in (old_name, new_name)]
        for name, value in zip(columns, (stamp, _symbol(old_name), _symbol(new_name), *closes), strict=True):
            columns[name].append(value)
    return pd.DataFrame(columns).astype({"old_close": float, "new_close": float})
