"""The limits and the trading state of each portfolio, and the one question they answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from algotrendy.risk.limits.book import BookView, ProposedOrder, TradingState
from algotrendy.risk.limits.evaluate import LimitCheckResult, LimitSet, check_order
from algotrendy.risk.limits.figures import WhatIf, what_if
from algotrendy.risk.limits.limit import Limit
from algotrendy.risk.limits.profiles import profile
from algotrendy.risk.limits.records import LimitsRecord, LimitStore, MemoryLimits, StateRecord

__all__ = ["LimitManager"]


class LimitManager:
    """Holds limits by portfolio and checks orders against them. May be shared by threads.

    A check alone does not keep two orders from using the same room: whoever sends orders reserves them,
    see `algotrendy.risk.reservations`. A portfolio without an identity (an empty text) is active and has the usual
    limits.

    Parameters
    ----------
    default : str or iterable of Limit
        The limits of a portfolio that has none of its own: the name of a profile, or limits.
    store : LimitStore, optional
        Keeps limits and states. Default: this process alone remembers them.

    Examples
    --------
    >>> from algotrendy.risk.limits import Exposure
    >>> manager = LimitManager("moderate")
    >>> manager.set_limits("port_1", [{"kind": "concentration", "limit": "0.25"}]).version
    1
    >>> book = BookView(equity=1000, exposures=[Exposure(symbol="A", price=10)])
    >>> order = ProposedOrder(symbol="A", side="BUY", quantity=30)
    >>> manager.check_order(order, book, "port_1").suggested_quantity
    Decimal('25')
    >>> manager.set_state("port_1", "halted", reason="the feed is broken").version
    1
    >>> print(manager.check_order(order, book, "port_1").denied[0].message)
    trading_state: the portfolio is halted: nothing may be sent
    """

    def __init__(
        self,
        default: str | Iterable[Limit | Mapping[str, Any]] = "moderate",
        *,
        store: LimitStore | None = None,
    ) -> None:
        self._default, self._default_profile = _set(default), default if isinstance(default, str) else None
        self._store: LimitStore = MemoryLimits() if store is None else store
        self._ready: dict[str, tuple[int, LimitSet]] = {}

    def limits(self, portfolio_id: str) -> LimitSet:
        """Return the limits of a portfolio."""
        return self._made_ready(self._store.limits(portfolio_id) if portfolio_id else None)

    def limits_record(self, portfolio_id: str) -> LimitsRecord:
        """Return the limits of a portfolio with their version, 0 if it has none of its own."""
        found = self._store.limits(portfolio_id) if portfolio_id else None
        if found is not None:
            return found
        usual = tuple(self._default)
        return LimitsRecord(portfolio_id=portfolio_id, version=0, limits=usual, profile=self._default_profile)

    def limits_history(self, portfolio_id: str) -> tuple[LimitsRecord, ...]:
        """Return all versions of the limits of a portfolio, the oldest first."""
        return self._store.limits_history(portfolio_id)

    def set_limits(
        self,
        portfolio_id: str,
        limits: str | Iterable[Limit | Mapping[str, Any]],
        *,
        by: str | None = None,
        expected_version: int | None = None,
    ) -> LimitsRecord:
        """Give a portfolio limits in place of those it has: the name of a profile, limits, or what JSON says of them.

        Parameters
        ----------
        by : str, optional
            Who does it.
        expected_version : int, optional
            The version that was read before; None: whatever it is.

        Raises
        ------
        InputError
            If one is no limit; then nothing changes.
        Conflict
            If the limits have another version by now.
        """
        named = str(limits) if isinstance(limits, str) else None
        found = _set(limits).limits
        return self._store.put_limits(portfolio_id, found, profile=named, by=by, expected_version=expected_version)

    def state(self, portfolio_id: str) -> TradingState:
        """Return what a portfolio may send."""
        return self.state_record(portfolio_id).state

    def state_record(self, portfolio_id: str) -> StateRecord:
        """Return what a portfolio may send, since when and why; version 0 if that was never set."""
        found = self._store.state(portfolio_id) if portfolio_id else None
        return StateRecord(portfolio_id=portfolio_id, version=0, state=TradingState.ACTIVE) if found is None else found

    def state_history(self, portfolio_id: str) -> tuple[StateRecord, ...]:
        """Return all versions of the state of a portfolio, the oldest first."""
        return self._store.state_history(portfolio_id)

    def set_state(
        self,
        portfolio_id: str,
        state: str,
        *,
        reason: str = "",
        by: str | None = None,
        expected_version: int | None = None,
    ) -> StateRecord:
        """Say what a portfolio may send: active, reducing or halted; why, and who says so.

        Raises
        ------
        InputError
            If there is no such state.
        Conflict
            If the state has another version by now.
        """
        wanted = TradingState(state) if state in tuple(TradingState) else BookView(equity=0, state=state).state  # type: ignore[arg-type]
        return self._store.put_state(portfolio_id, wanted, reason=reason, by=by, expected_version=expected_version)

    def check_order(self, order: ProposedOrder, book: BookView, portfolio_id: str) -> LimitCheckResult:
        """Say whether a portfolio may send an order; see `check_order` for what that means.

        The stricter of the state that is kept here and that of the book counts.
        """
        return check_order(order, self.as_it_stands(book, portfolio_id), self.limits(portfolio_id))

    check_position_limits = check_order
    check_order_risk = check_order

    def what_if(self, orders: ProposedOrder | Iterable[ProposedOrder], book: BookView, portfolio_id: str) -> WhatIf:
        """Try orders on a book under the limits of a portfolio; nothing is reserved and nothing sent."""
        return what_if(orders, self.as_it_stands(book, portfolio_id), self.limits(portfolio_id))

    def as_it_stands(self, book: BookView, portfolio_id: str) -> BookView:
        """Return a book with the stricter of its state and the one that is kept here."""
        order = list(TradingState)
        state = max(self.state(portfolio_id), book.state, key=order.index)
        return book if state is book.state else replace(book, state=state)

    def _made_ready(self, found: LimitsRecord | None) -> LimitSet:
        """Return limits ready to be checked, made once for each version."""
        if found is None:
            return self._default
        known = self._ready.get(found.portfolio_id)
        if known is None or known[0] != found.version:
            known = self._ready[found.portfolio_id] = (found.version, LimitSet(found.limits))
        return known[1]


def _set(limits: str | Iterable[Limit | Mapping[str, Any]]) -> LimitSet:
    return LimitSet(profile(limits) if isinstance(limits, str) else limits)
