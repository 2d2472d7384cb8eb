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
    """One run of the orders of one instrument; those that `may_refuse` names are also refused."""

    may_refuse: frozenset[int] = frozenset()

    def exposed(self, i: int) -> Sequence[int]:
        """See `Way`; an order that is placed now counts as an instrument of its own."""
        found = list(super().exposed(i))
        if self.may_refuse and self.desk.account.ruined_at is None:
            n = len(self.desk.account.bars)
            found += [n + k for k in self.desk.by_bar.get(i, ()) if k in self.may_refuse]
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
    found = _summed(account, requests, frozenset())
    if found is None:
        return None
    if not _doubtful(found, account):
        return Apart(*found.curves, found.fills, is_exact=True)
    if account.extras is not None and account.extras.is_capped:
        return None  # there an order may be refused after it was filled in part
    loose = _summed(account, requests, frozenset(k for k, each in enumerate(requests) if not each.reduces))
    if loose is None:
        return None
    # No run leaves these, so what fits in all of them is never refused: without its refusal the bound is closer.
    close = _summed(account, requests, _doubtful(loose, account)) or loose
    return Apart(*close.curves, close.fills, is_exact=False)


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


@dataclass(frozen=True, eq=False)
class _Summed:
    """The sums of the worst and of the best runs; of each instrument its orders and what was seen of it."""

    curves: tuple[Float1D, Float1D]
    fills: tuple[list[Any], list[Any]]
    seen: list[tuple[list[int], Ledger]]


def _summed(account: Account, requests: list[Request], may_refuse: frozenset[int]) -> _Summed | None:
    """Return the sums of the extremes, orders that may be refused being both; None if that does not say it all."""
    cash, n_bars = account.options.cash, account.n_bars
    sums, seen = np.full((2, n_bars), cash), list[tuple[list[int], Ledger]]()
    fills: tuple[list[Any], list[Any]] = ([], [])
    for j in sorted({each.instrument for each in requests}):
        rows = [k for k, each in enumerate(requests) if each.instrument == j]
        for side, sign in enumerate((-1.0, 1.0)):
            desk = desk_of(account, _own(requests, rows))
            desk.ledger = ledger = Ledger(n_bars)
            start = LoneWay(desk, only_equal=False)
            start.may_refuse = frozenset(number for number, k in enumerate(rows) if k in may_refuse)
            found = extreme_way(start, n_bars, sign=sign, keep=WAYS_MAX)
            if not found.is_exact or ledger.was_ruined:
                return None
            sums[side] += np.array(found.way.equity) - cash
            fills[side].extend(found.way.desk.account.fills)  # type: ignore[attr-defined]  # it is a `LoneWay`
            if sign < 0.0:  # the poorest in each place: all that it might need is seen here
                seen.append((rows, ledger))
    least, gross = _totals(seen)
    if not (cash + least > ROUNDING * np.maximum(gross, cash)).all():
        return None  # it may be ruined
    in_time = [sorted(each, key=lambda fill: fill.filled_at) for each in fills]
    return _Summed((sums[0], sums[1]), (in_time[0], in_time[1]), seen)


def _own(requests: Sequence[Request], rows: Sequence[int]) -> list[Request]:
    """Return some orders, with parents by their new places."""
    place = {k: number for number, k in enumerate(rows)}
    parents = [requests[k].parent for k in rows]
    return [
        replace(requests[k], parent=None if parent is None else place[parent])
        for k, parent in zip(rows, parents, strict=True)
    ]


def _totals(seen: Sequence[tuple[list[int], Ledger]]) -> tuple[Float1D, Float1D]:
    """Return the smallest gain and the largest exposure of all instruments together."""
    least: Float1D = np.sum([ledger.least for _, ledger in seen], axis=0)
    gross: Float1D = np.sum([ledger.gross for _, ledger in seen], axis=0)
    return least, gross


def _doubtful(found: _Summed, account: Account) -> frozenset[int]:
    """Return the orders that may not fit, at the worst that may have happened to the other instruments."""
    leverage, cash = account.options.max_leverage, account.options.cash
    least, gross = _totals(found.seen)
    doubtful = set()
    for rows, ledger in found.seen:
        room = leverage * (cash + least - ledger.least) - (gross - ledger.gross)
        doubtful |= {rows[k] for (k, i), need in ledger.needs.items() if not need <= room[i]}
    return frozenset(doubtful)
