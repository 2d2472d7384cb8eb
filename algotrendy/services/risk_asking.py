"""What the risk facade asks with: orders from outside, rules from limits, and an answer where nobody could look."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.risk.alerts import AlertRule, Severity
from algotrendy.risk.limits.book import ProposedOrder
from algotrendy.risk.limits.evaluate import LimitCheck, LimitCheckResult
from algotrendy.risk.limits.limit import Limit, LimitKind
from algotrendy.services.models_risk import RiskOrderIn
from algotrendy.services.models_runs import parsed

__all__ = ["closed_if_it_fails", "order_of", "rules_of"]

_log = logging.getLogger("algotrendy.risk")
_WATCHED = (
    LimitKind.GROSS_LEVERAGE, LimitKind.NET_LEVERAGE, LimitKind.CONCENTRATION, LimitKind.BETA, LimitKind.VALUE_AT_RISK,
    LimitKind.EXPECTED_SHORTFALL, LimitKind.DAILY_LOSS, LimitKind.DRAWDOWN,
)  # fmt: skip


def rules_of(portfolio_id: str, limits: Iterable[Limit]) -> list[AlertRule]:
    """Return a rule for each limit that a whole book can be measured for.

    Examples
    --------
    >>> rules = rules_of("port_1", [Limit(kind="drawdown", limit="0.2"), Limit(kind="order_size", limit="0.1")])
    >>> [(rule.id, rule.level) for rule in rules]
    [('port_1/drawdown', 0.2)]
    """
    return [
        AlertRule(
            id=f"{portfolio_id}/{limit.name}", measure=str(limit.kind), level=float(limit.limit),
            hysteresis=0.05 * float(limit.limit), severity=Severity.CRITICAL, portfolio_ids=frozenset({portfolio_id}),
        )
        for limit in limits
        if limit.kind in _WATCHED and not limit.symbols and not limit.sectors
    ]  # fmt: skip


def order_of(given: Any) -> ProposedOrder:
    """Return an order, whether it came as one, as a model or as plain values.

    Examples
    --------
    >>> order_of({"symbol": "A", "side": "sell", "quantity": 5}).side
    'SELL'
    """
    if isinstance(given, ProposedOrder):
        return given
    asked: RiskOrderIn = parsed(RiskOrderIn, dict(given) if isinstance(given, Mapping) else given)
    return asked.to_order()


async def closed_if_it_fails(look: Callable[[], Any]) -> Any:
    """Return what was found, or that the order is denied because nobody could look."""
    try:
        return await look()
    except (InputError, NotFound, Conflict):
        raise  # the call is wrong, and nothing is approved either
    except Exception as e:  # noqa: BLE001 - see BROAD_EXCEPTS in the layout tests
        _log.error("an order is denied, its portfolio could not be looked at: %s", e, exc_info=e)
        why = f"it could not be looked at, so it is denied ({type(e).__name__}: {e})"
        return LimitCheckResult(False, Decimal(0), (LimitCheck("portfolio", False, Decimal("NaN"), Decimal(0), why),))
