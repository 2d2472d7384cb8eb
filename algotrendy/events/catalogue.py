"""The catalogue: every event of the house, the shape of its data, the version of that shape, and what it is about.

Amounts are decimals and travel as texts; times are aware and travel in ISO 8601. A changed shape is a new version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

__all__ = ["CATALOGUE", "CatalogueEntry", "EventType", "Payload"]


class EventType(StrEnum):
    """The names of events: whose they are, what they are about, what happened."""

    MARKET_DATA_RECEIVED = "market.data.received"
    ORDER_CREATED = "trading.order.created"
    ORDER_VALIDATED = "trading.order.validated"
    ORDER_SUBMITTED = "trading.order.submitted"
    ORDER_PARTIALLY_FILLED = "trading.order.partially_filled"
    ORDER_FILLED = "trading.order.filled"
    ORDER_CANCELLED = "trading.order.cancelled"
    ORDER_REJECTED = "trading.order.rejected"
    ORDER_EXPIRED = "trading.order.expired"
    POSITION_OPENED = "trading.position.opened"
    POSITION_UPDATED = "trading.position.updated"
    POSITION_CLOSED = "trading.position.closed"
    RECONCILIATION_COMPLETED = "trading.reconciliation.completed"
    SIGNAL_GENERATED = "strategy.signal.generated"
    DEPLOYMENT_CHANGED = "strategy.deployment.changed"
    RISK_CHECK_COMPLETED = "risk.check.completed"
    RISK_THRESHOLD_BREACHED = "risk.threshold.breached"
    ALERT_ACKNOWLEDGED = "risk.alert.acknowledged"
    ALERT_RESOLVED = "risk.alert.resolved"
    PORTFOLIO_REBALANCED = "portfolio.rebalanced"
    BACKTEST_JOB_PROGRESSED = "backtest.job.progressed"
    MODEL_JOB_PROGRESSED = "model.job.progressed"


class Payload(BaseModel):
    """The data of an event."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Side = Literal["BUY", "SELL"]


class MarketDataReceived(Payload):
    """A bar or a trade came from a provider."""

    symbol: str
    provider: str
    time: AwareDatetime
    interval: str | None = None
    price: Decimal
    volume: Decimal | None = None


class _OrderEvent(Payload):
    order_id: str
    portfolio_id: str
    symbol: str


class OrderCreated(_OrderEvent):
    """Somebody wants to trade."""

    side: Side
    quantity: Decimal
    order_type: str = "MARKET"
    time_in_force: str = "DAY"
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    client_order_id: str | None = None


class OrderValidated(_OrderEvent):
    """The order is within its limits."""

    reservation_id: str | None = None


class OrderSubmitted(_OrderEvent):
    """The broker has the order."""

    venue_order_id: str | None = None


class OrderFill(_OrderEvent):
    """A part of the order, or its last part, was filled."""

    side: Side
    execution_id: str
    quantity: Decimal
    price: Decimal
    commission: Decimal = Decimal(0)
    filled_quantity: Decimal
    remaining_quantity: Decimal
    filled_at: AwareDatetime


class OrderEnded(_OrderEvent):
    """The order was cancelled or rejected, or it expired."""

    reason: str = ""
    filled_quantity: Decimal = Decimal(0)


class PositionChanged(Payload):
    """A position was opened, changed or closed."""

    portfolio_id: str
    symbol: str
    quantity: Decimal
    average_price: Decimal | None = None
    realized_profit: Decimal = Decimal(0)


class ReconciliationCompleted(Payload):
    """Our record was compared with the broker's."""

    portfolio_id: str
    broker: str
    n_orders: int
    n_positions: int
    differences: tuple[str, ...] = ()


class SignalGenerated(Payload):
    """A strategy has decided."""

    strategy_id: str
    symbol: str
    signal: Literal["LONG", "SHORT", "FLAT"]
    time: AwareDatetime
    price: Decimal | None = None
    strength: float | None = None


class DeploymentChanged(Payload):
    """A deployment has another status."""

    deployment_id: str
    strategy_id: str
    portfolio_id: str
    status: str
    message: str | None = None


class RiskCheckCompleted(Payload):
    """The limits have answered: `risk_check` is `LimitCheckResult.as_dict()`."""

    order_id: str
    portfolio_id: str
    risk_check: Mapping[str, Any]


class RiskThresholdBreached(Payload):
    """A measure crossed the level of an alert rule."""

    portfolio_id: str
    alert_id: str
    rule_id: str
    measure: str
    value: float
    level: float
    severity: str
    raised_at: AwareDatetime


class AlertChanged(Payload):
    """An alert was acknowledged, or its measure is back."""

    portfolio_id: str
    alert_id: str
    rule_id: str
    at: AwareDatetime
    by: str | None = None


class PortfolioRebalanced(Payload):
    """The orders of a rebalancing were made."""

    portfolio_id: str
    method: str
    order_ids: tuple[str, ...] = ()
    turnover: Decimal | None = None


class JobProgressed(Payload):
    """A job in the queue got further, or ended."""

    job_id: str
    kind: str
    status: str
    done: float | None = None
    total: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """What is known of an event.

    Attributes
    ----------
    payload : type of Payload
        The shape of its data.
    key : tuple of str
        The fields that name what it is about; events of one key stay in order.
    version : int
        Of the shape.
    """

    payload: type[Payload]
    key: tuple[str, ...]
    version: int = 1

    def key_of(self, payload: Payload) -> str:
        """Return what an event is about, such as the identity of an order."""
        return "/".join(str(getattr(payload, name)) for name in self.key)


_ORDER, _POSITION = ("order_id",), ("portfolio_id", "symbol")
E = EventType
CATALOGUE: Mapping[EventType, CatalogueEntry] = {
    E.MARKET_DATA_RECEIVED: CatalogueEntry(MarketDataReceived, ("symbol",)),
    E.ORDER_CREATED: CatalogueEntry(OrderCreated, _ORDER),
    E.ORDER_VALIDATED: CatalogueEntry(OrderValidated, _ORDER),
    E.ORDER_SUBMITTED: CatalogueEntry(OrderSubmitted, _ORDER),
    E.ORDER_PARTIALLY_FILLED: CatalogueEntry(OrderFill, _ORDER),
    E.ORDER_FILLED: CatalogueEntry(OrderFill, _ORDER),
    E.ORDER_CANCELLED: CatalogueEntry(OrderEnded, _ORDER),
    E.ORDER_REJECTED: CatalogueEntry(OrderEnded, _ORDER),
    E.ORDER_EXPIRED: CatalogueEntry(OrderEnded, _ORDER),
    E.POSITION_OPENED: CatalogueEntry(PositionChanged, _POSITION),
    E.POSITION_UPDATED: CatalogueEntry(PositionChanged, _POSITION),
    E.POSITION_CLOSED: CatalogueEntry(PositionChanged, _POSITION),
    E.RECONCILIATION_COMPLETED: CatalogueEntry(ReconciliationCompleted, ("portfolio_id",)),
    E.SIGNAL_GENERATED: CatalogueEntry(SignalGenerated, ("strategy_id", "symbol")),
    E.DEPLOYMENT_CHANGED: CatalogueEntry(DeploymentChanged, ("deployment_id",)),
    E.RISK_CHECK_COMPLETED: CatalogueEntry(RiskCheckCompleted, _ORDER),
    E.RISK_THRESHOLD_BREACHED: CatalogueEntry(RiskThresholdBreached, ("portfolio_id",)),
    E.ALERT_ACKNOWLEDGED: CatalogueEntry(AlertChanged, ("portfolio_id",)),
    E.ALERT_RESOLVED: CatalogueEntry(AlertChanged, ("portfolio_id",)),
    E.PORTFOLIO_REBALANCED: CatalogueEntry(PortfolioRebalanced, ("portfolio_id",)),
    E.BACKTEST_JOB_PROGRESSED: CatalogueEntry(JobProgressed, ("job_id",)),
    E.MODEL_JOB_PROGRESSED: CatalogueEntry(JobProgressed, ("job_id",)),
}
"""Every event of the house."""
