"""One account that makes the fills of a run with another capital, with impact and limits on volume.

What each line should hold is what it holds and what it still has to trade, its backlog. An entry beyond the limit is
given up; an exit beyond it goes to the backlog, which is worked at the closes of the following bars.
"""

from __future__ import annotations

import math

import numpy as np

from algotrendy.backtest.capacity_stage import Event, Stage
from algotrendy.backtest.difference.moments import RANKS
from algotrendy.backtest.difference.positions import SAME, Leg, Size, same
from algotrendy.backtest.difference.replay import FREE_OF_SLIPPAGE
from algotrendy.domain.types import Float1D, Float2D

__all__ = ["CapacityAccount", "sized", "square_root_impact"]

ROUNDS_MAX = 100
CONVERGED = 1e-13
_CLOSE = RANKS["close"]
_SETTLED = ("fraction",)
"""Reasons of fills that nobody trades: cash for a part of a unit."""


def square_root_impact(coefficient: float, volatility: float, share: float) -> float:
    """Return by what fraction an order moves the price: coefficient x volatility x sqrt(share) [1]_ [2]_.

    Parameters
    ----------
    coefficient : float
        About 1 in the markets that were measured.
    volatility : float
        Standard deviation of the returns of one bar, as a fraction.
    share : float
        Units of the order / units traded in one bar.

    References
    ----------
    .. [1] Almgren, R., Thum, C., Hauptmann, E. and Li, H. (2005). Direct estimation of equity market impact. Risk
       18(7), 58-62: the form, with an exponent of 3/5.
    .. [2] Tóth, B. et al. (2011). Anomalous price impact and the critical nature of liquidity in financial markets.
       Physical Review X 1, 021006: the square root, and a coefficient of order one.

    Examples
    --------
    One hundredth of the day's volume costs a tenth of the day's volatility:

    >>> square_root_impact(1.0, 0.02, 0.01)
    0.002
    """
    return coefficient * volatility * math.sqrt(share)


class CapacityAccount:
    """Goes through the fills of a run once.

    Parameters
    ----------
    stage : Stage
        The fills and the bars.
    cash : float
        Initial cash, in currency.
    scale : float
        The cash over that of the run: what fixed units are multiplied with.
    impact : float
        Coefficient of the square root law.
    participation : float, optional
        Largest share of the volume of a bar.

    Attributes
    ----------
    impact_paid : float
        In currency.
    wanted, filled : float
        Units of all entries.
    largest_share : float
        Of a bar's mean volume that an order took.
    """

    def __init__(
        self, stage: Stage, cash: float, *, scale: float = 1.0, impact: float = 0.0, participation: float | None = None
    ) -> None:
        self.stage, self.cash, self.scale = stage, cash, scale
        self.impact, self.participation = impact, participation
        self.held = np.zeros(stage.close.shape[1])
        self.backlog: dict[int, float] = {}
        self.exits: dict[int, Leg] = {}
        self.impact_paid = self.filled = self.wanted = self.largest_share = 0.0
        self._room: dict[str, float] = {}

    def run(self) -> Float1D:
        """Return the equity at the end of each bar."""
        stage = self.stage
        held: Float2D = np.empty_like(stage.close)
        cash = np.empty(len(stage.close))
        owes, lends = bool(stage.interest.any()), bool(stage.borrow.any())
        for row in range(len(stage.close)):
            self._room = {}
            if row and (owes or lends):
                self._pay_for_what_is_borrowed(row)
            for event in stage.events.get(row, ()):
                self._happen(event, row)
            self._trade_the_bar(row)
            held[row], cash[row] = self.held, self.cash
        equity: Float1D = cash + (held * stage.close).sum(axis=1)
        return equity

    # --- what happens without an order ---

    def _pay_for_what_is_borrowed(self, row: int) -> None:
        """Pay interest on what was owed, and the fees of short positions on their last closes."""
        stage = self.stage
        short = np.where(stage.has_bar[row], np.minimum(self.held, 0.0), 0.0)
        self.cash += min(self.cash, 0.0) * float(stage.interest[row])
        self.cash += float((short * stage.close[row - 1] * stage.borrow).sum())

    def _happen(self, event: Event, row: int) -> None:
        j = event.line
        if event.ends:
            last = float(self.stage.close[row, j]) * (1.0 + float(self.stage.last_return[j]))
            self.cash += float(self.held[j]) * last
            self.held[j] = 0.0
            self.backlog.pop(j, None)
            return
        self.cash += float(self.held[j]) * event.paid
        self.held[j] *= event.ratio
        if j in self.backlog:
            self.backlog[j] *= event.ratio

    # --- orders ---

    def _trade_the_bar(self, row: int) -> None:
        moments = self.stage.moments.get(row, ())
        for rank, due in moments:
            if rank != _CLOSE:
                self._trade_at(row, rank, due)
        for j in list(self.backlog):  # where a line has no bar there is no volume, so nothing is traded
            self._work(row, j, float(self.stage.close[row, j]))
        for rank, due in moments:
            if rank == _CLOSE:
                self._trade_at(row, rank, due)

    def _trade_at(self, row: int, rank: int, due: list[tuple[int, list[Leg]]]) -> None:
        """Make the fills of one moment: what closes first; what opens is measured by the equity before any of it."""
        opening = []
        for j, legs in due:
            first = next((k for k, leg in enumerate(legs) if leg.opens), len(legs))
            for leg in legs[:first]:
                self._leave(row, j, leg)
            if first < len(legs):
                opening.append((j, legs[first:]))
        if not opening:
            return
        prices = self.stage.close[row] if rank == _CLOSE else self.stage.marks.open[row]
        values = prices * self.held
        total, before = float(values.sum()), self.cash
        for j, legs in opening:
            others = total - float(values[j]) + (before - self.cash)
            for leg in legs:
                if leg.opens:
                    self._enter(row, j, leg, others)
                else:
                    self._leave(row, j, leg)

    def _enter(self, row: int, j: int, leg: Leg, others: float) -> None:
        """Buy or sell short as much as was wanted and there is room for; what there is not is given up."""
        account = self.cash + float(self.held[j]) * leg.price + others
        if account <= 0.0:
            return
        size = leg.size._replace(value=leg.size.value * self.scale) if leg.size.kind == "units" else leg.size
        wanted = units = max(size.units(account, leg.price, leg.fee), 0.0)
        resting = leg.reason in FREE_OF_SLIPPAGE
        for _ in range(0 if resting else ROUNDS_MAX):  # impact makes the price dearer, which makes the units fewer
            price = leg.price * (1.0 + leg.side * self._moved(row, j, units))
            again = max(size.units(account, price, leg.fee), 0.0)
            if abs(again - units) <= CONVERGED * units:
                break
            units = again
        units = min(units, self._room_of(row, j))
        self.wanted, self.filled = self.wanted + wanted, self.filled + units
        self._trade(row, j, leg, leg.side * units, leg.price, moves=not resting)

    def _leave(self, row: int, j: int, leg: Leg) -> None:
        """Leave as much as there is room for; the rest is worked at the closes of the following bars."""
        before = self.backlog.get(j, 0.0)
        intended = float(self.held[j]) + before
        order = leg.side * leg.size.value * max(-leg.side * intended, 0.0)
        if order == 0.0:
            return
        self.backlog[j], self.exits[j] = before + order, leg
        if leg.reason in _SETTLED:
            self._room[self.stage.symbols[j]] = math.inf
        moves = leg.reason not in (*FREE_OF_SLIPPAGE, *_SETTLED) or before != 0.0
        self._work(row, j, leg.price, moves=moves)

    def _work(self, row: int, j: int, price: float, *, moves: bool = True) -> None:
        """Trade what there is room for of the backlog of a line."""
        left = self.backlog.pop(j)
        units = math.copysign(min(abs(left), self._room_of(row, j)), left)
        if units != left:
            self.backlog[j] = left - units
        self._trade(row, j, self.exits[j], units, price, moves=moves)

    def _trade(self, row: int, j: int, leg: Leg, signed: float, price: float, *, moves: bool) -> None:
        """Buy units, or sell them where they are below zero, at a price that they move."""
        if signed == 0.0:
            return
        units, side = abs(signed), math.copysign(1.0, signed)
        moved = self._moved(row, j, units) if moves else 0.0
        paid = price * (1.0 + side * moved)
        self.impact_paid += units * price * moved
        usual = float(self.stage.usual_volume[row, j])
        if usual > 0.0 and leg.reason not in _SETTLED:
            self.largest_share = max(self.largest_share, units / usual)
        self.cash -= signed * paid + leg.fee.charge(units, paid)
        held = float(self.held[j]) + signed
        self.held[j] = 0.0 if abs(held) <= SAME * units else held
        self._room[self.stage.symbols[j]] = self._room_of(row, j) - units

    def _room_of(self, row: int, j: int) -> float:
        """Return how many units of the volume of the bar may still be taken."""
        if self.participation is None:
            return math.inf
        symbol = self.stage.symbols[j]
        if symbol not in self._room:
            self._room[symbol] = self.participation * float(self.stage.volume[row, j])
        return max(self._room[symbol], 0.0)

    def _moved(self, row: int, j: int, units: float) -> float:
        volume = float(self.stage.usual_volume[row, j])
        if not self.impact or volume <= 0.0:
            return 0.0
        moved = square_root_impact(self.impact, float(self.stage.volatility[row, j]), units / volume)
        return min(moved, 0.99)  # nothing is sold for less than nothing


class _Stated(CapacityAccount):
    """Makes the fills as they were, and notes of each entry which share of this account it was."""

    def __init__(self, stage: Stage, cash: float) -> None:
        super().__init__(stage, cash)
        self.sizes: dict[int, Size] = {}

    def _enter(self, row: int, j: int, leg: Leg, others: float) -> None:
        account = self.cash + float(self.held[j]) * leg.price + others
        ledger = self.stage.positions[j].ledger
        self.sizes[id(leg)] = _size(leg, account, ledger.fraction, ledger.lot_size)
        self._trade(row, j, leg, leg.side * leg.units, leg.price, moves=False)


def _size(leg: Leg, account: float, fraction: float | None, lot: float) -> Size:
    """Return the size that the run declares if it gives these units, else the share of the account that does."""
    if account <= 0.0:
        return Size("units", leg.units)
    if fraction is not None:
        declared = Size("fraction", fraction, lot)
        if same(declared.units(account, leg.price, leg.fee), leg.units):
            return declared
    return Size("fraction", (leg.units * leg.price + leg.fee.charge(leg.units, leg.price)) / account)


def sized(stage: Stage, cash: float) -> Stage:
    """Return the stage with each entry as a share of the account that the run had then.

    Parameters
    ----------
    stage : Stage
    cash : float
        Initial cash of the run, in currency.
    """
    stated = _Stated(stage, cash)
    stated.run()
    return stage.with_sizes(stated.sizes)
