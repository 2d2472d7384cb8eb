"""The limits and the trading state of each portfolio, and the one question they answer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from algotrendy.risk.limits.book import BookView, ProposedOrder, TradingState
from algotrendy.risk.limits.evaluate import LimitCheckResult, LimitSet, check_order
from algotrendy.risk.limits.figures import WhatIf, what_if
from algotrendy.risk.limits.limit import Limit
from algotrendy.risk.limits.profiles import profile

__all__ = ["LimitManager"]


class LimitManager:
    """Holds limits by portfolio and checks orders against them. May be shared by threads.

    A check alone does not keep two orders from using the same room: whoever sends orders reserves them,
    see `algotrendy.risk.reservations`.

    Parameters
    ----------
    default : str or iterable of Limit
        The limits of a portfolio that has none of its own: the name of a profile, or limits.

    Examples
    --------
    >>> from algotrendy.risk.limits import Exposure
    >>> manager = LimitManager("moderate")
    >>> manager.set_limits("port_1", [{"kind": "concentration", "limit": "0.25"}])
    >>> book = BookView(equity=1000, exposures=[Exposure(symbol="A", price=10)])
    >>> order = ProposedOrder(symbol="A", side="BUY", quantity=30)
    >>> manager.check_order(order, book, "port_1").suggested_quantity
    Decimal('25')
    >>> manager.set_state("port_1", "halted")
    >>> print(manager.check_order(order, book, "port_1").denied[0].message)
    trading_state: the portfolio is halted: nothing may be sent
    """

    def __init__(self, default: str | Iterable[Limit | Mapping[str, Any]] = "moderate") -> None:
        self._default = _set(default)
        self._lock = threading.Lock()
        self._limits: dict[str, LimitSet] = {}
        self._states: dict[str, TradingState] = {}

    def limits(self, portfolio_id: str) -> LimitSet:
        """Return the limits of a portfolio."""
        with self._lock:
            return self._limits.get(portfolio_id, self._default)

    def set_limits(self, portfolio_id: str, limits: str | Iterable[Limit | Mapping[str, Any]]) -> None:
        """Give a portfolio limits in place of those it has: the name of a profile, limits, or what JSON says of them.

        Raises
        ------
        InputError
            If one is no limit; then nothing changes.
        """
        found = _set(limits)
        with self._lock:
            self._limits[portfolio_id] = found

    def state(self, portfolio_id: str) -> TradingState:
        """Return what a portfolio may send."""
        with self._lock:
            return self._states.get(portfolio_id, TradingState.ACTIVE)

    def set_state(self, portfolio_id: str, state: str) -> None:
        """Say what a portfolio may send: active, reducing or halted."""
        wanted = TradingState(state) if state in tuple(TradingState) else BookView(equity=0, state=state).state  # type: ignore[arg-type]
        with self._lock:
            self._states[portfolio_id] = wanted

    def check_order(self, order: ProposedOrder, book: BookView, portfolio_id: str) -> LimitCheckResult:
        """Say whether a portfolio may send an order; see `check_order` for what that means.

        The stricter of the state that is kept here and that of the book counts.
        """
        return check_order(order, self._as_it_stands(book, portfolio_id), self.limits(portfolio_id))

    check_position_limits = check_order
    check_order_risk = check_order

    def what_if(self, orders: ProposedOrder | Iterable[ProposedOrder], book: BookView, portfolio_id: str) -> WhatIf:
        """Try orders on a book under the limits of a portfolio; nothing is reserved and nothing sent."""
        return what_if(orders, self._as_it_stands(book, portfolio_id), self.limits(portfolio_id))

    def _as_it_stands(self, book: BookView, portfolio_id: str) -> BookView:
        order = list(TradingState)
        state = max(self.state(portfolio_id), book.state, key=order.index)
        return book if state is book.state else replace(book, state=state)


def _set(limits: str | Iterable[Limit | Mapping[str, Any]]) -> LimitSet:
    return LimitSet(profile(limits) if isinstance(limits, str) else limits)
