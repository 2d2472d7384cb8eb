"""The paths of explicit orders, instrument by instrument.

Orders for so many units do the same in an account of their own as in one that they share, as long as none is refused
and nobody is ruined. Then the extremes of the instruments add up, however many there are. Where an order may be
refused, "it was" and "it was not" are both followed: what adds up then is a bound that no run leaves.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from algotrendy.backtest.fill_search import extreme_way
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.paths_desk import Ledger, PathDesk, desk_of
from algotrendy.backtest.portfolio.paths_orders import OrdersWay, requests_in
from algotrendy.backtest.portfolio.reference_orders import Request
from algotrendy.domain.types import Float1D

__all__ = ["Apart", "taken_apart"]

WAYS_MAX = 512
"""So many runs of one instrument are followed at most; where there are more, nothing is said."""
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Apart:
    """What the instruments come to.

    Attributes
    ----------
    worst, best : array of shape (n_bars,)
        The sums of their worst and of their best runs.
    fills : tuple of two lists
        What was filled in them.
    is_exact : bool
        Whether these are runs; else no run ends outside of them.
    """

    worst: Float1D
    best: Float1D
    fills: tuple[list[Any], list[Any]]
    is_exact: bool


class LoneWay(OrdersWay):
    """One run of the orders of one instrument; with `may_refuse` each order that opens is also refused."""

    may_refuse = False

    def exposed(self, i: int) -> Sequence[int]:
        """See `Way`; an order that is placed now counts as an instrument of its own."""
        found = list(super().exposed(i))
        if self.may_refuse and self.desk.account.ruined_at is None:
            n = len(self.desk.account.bars)
            found += [n + k for k in self.desk.by_bar.get(i, ()) if not self.desk.requests[k].reduces]
        return found

    def outcomes(self, i: int, j: int) -> list[PathDesk]:
        """See `Way`."""
        k = j - len(self.desk.account.bars)
        if k < 0:
            return super().outcomes(i, j)
        refused = self.desk.copied()
        refused.doomed = self.desk.doomed | {k}
        return [self.desk, refused]

    def divided(self) -> LoneWay:
        """See `Way`."""
        other = LoneWay(self.desk.copied(), only_equal=self.only_equal)
        other.equity, other.may_refuse = list(self.equity), self.may_refuse
        return other

    def place(self) -> Hashable:
        """See `Way`."""
        return super().place(), self.desk.doomed.intersection(self.desk.alive)


def taken_apart(account: Account, orders: Any) -> Apart | None:
    """Return the sums of the extremes of the instruments, or None where they say nothing.

    Parameters
    ----------
    account : Account
    orders : DataFrame
        As given to `backtest`.

    Returns
    -------
    Apart or None
        None if instruments hang together (shares of the equity, margins, interest, brackets across them), if an account
        may be ruined, or if there are too many runs of one.
    """
    requests = requests_in(account, orders)
    if not _is_separable(account, requests):
        return None
    return _summed(account, requests, may_refuse=False) or _summed(account, requests, may_refuse=True)


def _is_separable(account: Account, requests: Sequence[Request]) -> bool:
    extras = account.extras
    if extras is not None:
        kernel = extras.kernel
        if kernel.initial.any() or kernel.maintenance.any() or kernel.interest.any():
            return False
    groups: dict[int, set[int]] = {}
    for each in requests:
        if each.measure == "share" or (each.parent is not None and requests[each.parent].instrument != each.instrument):
            return False
        if each.group is not None:
            groups.setdefault(each.group, set()).add(each.instrument)
    return all(len(instruments) == 1 for instruments in groups.values())


def _summed(account: Account, requests: list[Request], *, may_refuse: bool) -> Apart | None:
    """Return the sums; with `may_refuse` a bound, else only if nothing can be refused."""
    if may_refuse and account.extras is not None and account.extras.is_capped:
        return None  # there an order may be refused after it was filled in part
    cash, n_bars = account.options.cash, account.n_bars
    sums, ledgers = np.full((2, n_bars), cash), list[Ledger]()
    fills: tuple[list[Any], list[Any]] = ([], [])
    for j in sorted({each.instrument for each in requests}):
        for row, sign in enumerate((-1.0, 1.0)):
            desk = desk_of(account, _own(requests, j))
            desk.ledger = ledger = Ledger(n_bars)
            start = LoneWay(desk, only_equal=False)
            start.may_refuse = may_refuse
            found = extreme_way(start, n_bars, sign=sign, keep=WAYS_MAX)
            if not found.is_exact or ledger.was_ruined:
                return None
            sums[row] += np.array(found.way.equity) - cash
            fills[row].extend(found.way.desk.account.fills)  # type: ignore[attr-defined]  # it is a `LoneWay`
            if sign < 0.0:
                ledgers.append(ledger)
    if not _is_safe(ledgers, cash) or not (may_refuse or _fits(ledgers, account)):
        return None
    in_time = tuple(sorted(each, key=lambda fill: fill.filled_at) for each in fills)
    return Apart(sums[0], sums[1], (in_time[0], in_time[1]), not may_refuse)


def _own(requests: Sequence[Request], j: int) -> list[Request]:
    """Return the orders of one instrument, with parents by their new places."""
    rows = [k for k, each in enumerate(requests) if each.instrument == j]
    place = {k: number for number, k in enumerate(rows)}
    parents = [requests[k].parent for k in rows]
    return [
        replace(requests[k], parent=None if parent is None else place[parent])
        for k, parent in zip(rows, parents, strict=True)
    ]


def _is_safe(ledgers: Sequence[Ledger], cash: float) -> bool:
    """Tell whether there is something left at every bar, whatever happened to each instrument."""
    equity = cash + np.sum([each.least for each in ledgers], axis=0)
    gross = np.sum([each.gross for each in ledgers], axis=0)
    return bool((equity > ROUNDING * np.maximum(gross, cash)).all())


def _fits(ledgers: Sequence[Ledger], account: Account) -> bool:
    """Tell whether every order fits, whatever happened to the other instruments."""
    leverage, cash = account.options.max_leverage, account.options.cash
    least = np.sum([each.least for each in ledgers], axis=0)
    gross = np.sum([each.gross for each in ledgers], axis=0)
    return all(
        bool((each.need <= leverage * (cash + least - each.least) - (gross - each.gross)).all()) for each in ledgers
    )
