"""Accounts of several instruments in windows: each closed at its end, then joined into one, and measured.

A leg is what one window did in an account of its own, or what all windows did in the one account that they share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.walk_forward.ground import Ground
from algotrendy.domain.types import AnyArray, Float1D, Float2D, Int1D
from algotrendy.kernels.orders_types import COMMISSION, SLIPPAGE, UNITS
from algotrendy.kernels.portfolio_types import CASH, EQUITY, EXIT, GROSS, INSTRUMENT, Fills
from algotrendy.kernels.statistics_names import METRICS

__all__ = ["Leg", "closed", "joined", "metrics_between"]

_SCALED = ("units", "commission", "borrow", "profit", "income", "owed")
"""What of round trips grows with the account."""


@dataclass(frozen=True, eq=False)
class Leg:
    """What was done at some bars.

    Attributes
    ----------
    ledger : Ledger
        Of an account that begins before them.
    columns : int64 array
        Which instruments of the whole its columns are.
    first : int
        The first of these bars in the account; they go on to its end.
    begin : int
        The same bar in the whole.
    """

    ledger: Ledger
    columns: Int1D
    first: int
    begin: int

    @property
    def n_bars(self) -> int:
        """How many bars."""
        return self.ledger.account.n_bars - self.first

    @property
    def positions(self) -> Int1D:
        """The bars in the whole."""
        return np.arange(self.begin, self.begin + self.n_bars, dtype=np.int64)


def closed(leg: Leg) -> Leg:
    """Return a leg whose positions are closed at its last bar: market orders at the last closes, at cost."""
    ledger, account = leg.ledger, leg.ledger.account
    if ledger.ruined_at is not None:
        return leg
    places, money, curve, last = ledger.fills.places, ledger.fills.money, ledger.curve.copy(), account.n_bars - 1
    held = np.zeros(account.n_instruments)
    for j, units in zip(places[:, INSTRUMENT].tolist(), money[:, UNITS].tolist(), strict=True):
        held[j] = 0.0 if units == -held[j] else held[j] + units
    cash, rows, paid = float(curve[EQUITY, -1]), [], []
    for j in np.flatnonzero(held).tolist():
        close, units, terms = float(account.columns.mark[j, last]), float(held[j]), account.terms
        price = close * (1.0 - np.sign(units) * float(terms.slippage[j]))
        cash += units * (price - close) - account.settings[j].options.fees.of(units, price)
        rows.append([last, last, j, EXIT])
        paid.append([-units, close])
    if not rows:
        return leg
    curve[EQUITY, -1], curve[CASH, -1], curve[GROSS, -1] = cash, cash, 0.0
    fills = Fills(np.vstack([places, np.array(rows, places.dtype)]), np.vstack([money, paid]))
    return replace(leg, ledger=replace(ledger, fills=fills, curve=curve))


def joined(legs: Sequence[Leg], ground: Ground) -> Ledger:
    """Return the ledger of legs one after the other: each begins with what the one before it ended with.

    Units and money of a leg are multiplied in proportion; after ruin nothing is traded.
    """
    whole, cash, begun, ruined_at = ground.whole, ground.whole.options.cash, 0, None
    n, pieces = whole.n_instruments, _Pieces([], [], [], [], [], [], [])
    for leg in legs:
        size = leg.n_bars
        if ruined_at is not None:
            pieces.curves.append(np.vstack([np.full((2, size), cash), np.zeros((len(leg.ledger.curve) - 2, size))]))
            pieces.unfilled.append(np.zeros((size, n)))
        else:
            factor = cash / whole.options.cash
            pieces.add(leg, factor, begun - leg.first, n)
            cash = float(pieces.curves[-1][EQUITY, -1])
            if leg.ledger.ruined_at is not None:
                ruined_at = begun + leg.ledger.ruined_at - leg.first
        begun += size
    account = ground.taken(np.concatenate([leg.positions for leg in legs]))
    is_capped = whole.extras is not None and whole.extras.is_capped
    ledger = Ledger(
        account,
        Fills(np.concatenate(pieces.places), np.concatenate(pieces.fills)),
        np.ascontiguousarray(np.hstack(pieces.curves)),
        ruined_at,
        unfilled=np.concatenate(pieces.unfilled) if is_capped else None,
    )
    return _told(ledger, np.concatenate(pieces.money), _in_one(pieces.trips), _stacked(pieces.dividends))


@dataclass(frozen=True, eq=False)
class _Pieces:
    """What legs did, in the columns of the whole and the bars of the joined account."""

    places: list[AnyArray]
    fills: list[Float2D]
    curves: list[Float2D]
    unfilled: list[Float2D]
    money: list[Float2D]
    trips: list[dict[str, AnyArray]]
    dividends: list[dict[str, AnyArray]]

    def add(self, leg: Leg, factor: float, shift: int, n_instruments: int) -> None:
        """Take a leg in, its money multiplied and its bars moved."""
        ledger, columns = leg.ledger, leg.columns
        places = ledger.fills.places.copy()
        places[:, :2] += shift
        places[:, INSTRUMENT] = columns[places[:, INSTRUMENT]]
        money, fills, trips = ledger.money.copy(), ledger.fills.money.copy(), dict(ledger.closed)
        money[:, (UNITS, COMMISSION, SLIPPAGE)] *= factor
        fills[:, UNITS] *= factor
        for name in _SCALED:
            trips[name] = trips[name] * factor
        owed = np.zeros(n_instruments)
        owed[columns] = trips["owed"]
        trips |= {"entry_at": trips["entry_at"] + shift, "owed": owed}
        paid = dict(ledger.dividends)
        paid |= {"paid_at": paid["paid_at"] + shift, "instrument": columns[paid["instrument"]]}
        paid |= {name: paid[name] * factor for name in ("units", "amount")}
        unfilled = np.zeros((leg.n_bars, n_instruments))
        if ledger.unfilled is not None:
            unfilled[:, columns] = ledger.unfilled[leg.first :] * factor
        self.places.append(places)
        self.fills.append(fills)
        self.curves.append(ledger.curve[:, leg.first :] * factor)
        self.unfilled.append(unfilled)
        self.money.append(money)
        self.trips.append(trips)
        self.dividends.append(paid)


def _in_one(trips: Sequence[Mapping[str, AnyArray]]) -> dict[str, AnyArray]:
    found = _stacked([{name: each[name] for name in each if name != "owed"} for each in trips])
    return {**found, "owed": np.sum([each["owed"] for each in trips], axis=0)}


def _stacked(tables: Sequence[Mapping[str, AnyArray]]) -> dict[str, AnyArray]:
    return {name: np.concatenate([each[name] for each in tables]) for name in tables[0]}


def _told(ledger: Ledger, money: Float2D, trips: dict[str, AnyArray], dividends: dict[str, AnyArray]) -> Ledger:
    """Return the ledger with what is known of it; it would be derived anew otherwise, across the joints."""
    vars(ledger).update(money=money, closed=trips, dividends=dividends)
    return ledger


def metrics_between(ledger: Ledger, ground: Ground, positions: Int1D, span: tuple[int, int]) -> Mapping[str, float]:
    """Return the metrics of the bars from the first to before the second of a span of a joined ledger.

    It begins with the equity before it. What a position that is open at its end owes belongs to no part.
    """
    begin, end = span
    cash = ledger.account.options.cash if begin == 0 else float(ledger.curve[EQUITY, begin - 1])
    if cash <= 0.0:  # ruined before: there is nothing to measure
        return dict.fromkeys(METRICS, np.nan)
    filled, paid_at = ledger.fills.places[:, 1], ledger.dividends["paid_at"]
    own, paid = (filled >= begin) & (filled < end), (paid_at >= begin) & (paid_at < end)
    places = ledger.fills.places[own].copy()
    places[:, :2] -= begin
    ruined_at = None
    if ledger.ruined_at is not None and ledger.ruined_at < end:
        ruined_at = max(ledger.ruined_at - begin, 0)
    unfilled = None if ledger.unfilled is None else ledger.unfilled[begin:end]
    part = Ledger(
        ground.taken(positions[begin:end], cash=cash),
        Fills(places, ledger.fills.money[own]),
        np.ascontiguousarray(ledger.curve[:, begin:end]),
        ruined_at,
        unfilled=unfilled,
    )
    trips = {name: values[own] for name, values in ledger.closed.items() if name != "owed"}
    nothing: Float1D = np.zeros(part.account.n_instruments)
    dividends = {name: values[paid] for name, values in ledger.dividends.items()}
    return _told(part, ledger.money[own], {**trips, "owed": nothing}, dividends).metrics()[0]
