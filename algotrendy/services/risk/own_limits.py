"""The limits that somebody gave a portfolio, as rebalancing asks them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from algotrendy.risk.limits import LimitCheckResult, ProposedOrder, TradingState

if TYPE_CHECKING:
    from algotrendy.services.risk.engine import RiskEngineService

__all__ = ["OwnLimits"]


class OwnLimits:
    """Asks the limits of a portfolio if it was given some, or if it may not send everything.

    The usual limits of a profile are about single orders of a strategy: at most so much of the equity in one order, so
    many in a minute. Weights that the owner asks for break them as soon as a portfolio is filled or turned over, so a
    plan is held to what somebody decided for this portfolio alone. Meets `LimitChecker`.

    Parameters
    ----------
    risk : RiskEngineService
        Knows limits and states, and checks.
    """

    def __init__(self, risk: RiskEngineService) -> None:
        self._risk = risk

    async def check_position_limits(self, order: ProposedOrder, portfolio: str) -> LimitCheckResult:
        """Return what the limits of a portfolio, `port_…`, say about an order at the market."""
        manager = self._risk.limit_manager
        limits = await asyncio.to_thread(manager.limits_record, portfolio)
        state = await asyncio.to_thread(manager.state, portfolio)
        if limits.version == 0 and state is TradingState.ACTIVE:
            return LimitCheckResult(True, order.quantity, ())
        return await self._risk.check_position_limits(order, portfolio)
