"""Carrying a plan out through a port: sales first, purchases as far as the cash came in, and a status throughout."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from algotrendy.domain.fill import Fill, Side
from algotrendy.domain.money import quotient, rounded
from algotrendy.errors import Conflict, InputError, OutcomeUnknown, VenueUnavailable
from algotrendy.portfolio.rebalance.plan import PlannedOrder, RebalancePlan

__all__ = ["FillAtPlan", "OrderOutcome", "OrderRoute", "OrderState", "RebalanceRun", "RunStatus", "execute"]


class OrderState(StrEnum):
    """What became of one order."""

    WAITING = "waiting"
    FILLED = "filled"
    PARTIAL = "partial"
    """Filled in part, and over."""
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    """It may have happened. It is not sent again; whoever looked it up hands the outcome in."""
    SKIPPED = "skipped"
    """Not sent: the cash for it did not come in."""


class RunStatus(StrEnum):
    """What became of a plan."""

    RUNNING = "running"
    COMPLETED = "completed"
    """Every order was filled whole."""
    INCOMPLETE = "incomplete"
    """Every order is over, some not filled whole."""
    STOPPED = "stopped"
    """The venue is down or an outcome is unknown: the rest waits, and `execute(..., resume=run)` goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOutcome:
    """What a route tells of an order that is over.

    Attributes
    ----------
    state : OrderState
        "filled", "partial", "rejected" or "unknown".
    fills : tuple of Fill
        Its executions.
    message : str
        What the venue said.
    """

    state: OrderState
    fills: tuple[Fill, ...] = ()
    message: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", OrderState(self.state))


class OrderRoute(Protocol):
    """Where orders go: a broker, a queue, a paper account."""

    def place(self, order: PlannedOrder) -> OrderOutcome:
        """Place an order, wait until it is over, and tell its outcome.

        The same `client_order_id` again must not trade twice. `VenueUnavailable` says that nothing happened,
        `OutcomeUnknown` that it may have.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceRun:
    """How far a plan has been carried out.

    Attributes
    ----------
    plan : RebalancePlan
        What is carried out.
    outcomes : mapping of str to OrderOutcome
        By client order id, of the orders that are over or unknown.
    status : RunStatus
        Of the whole.
    message : str
        Why it stopped.
    """

    plan: RebalancePlan
    outcomes: Mapping[str, OrderOutcome] = field(default_factory=dict)
    status: RunStatus = RunStatus.RUNNING
    message: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcomes", MappingProxyType(dict(self.outcomes)))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_run, (self.plan, dict(self.outcomes), self.status, self.message))

    @property
    def progress(self) -> float:
        """Orders that are over, as a fraction of all; 1 for a plan without orders."""
        over = [one for one in self.outcomes.values() if one.state is not OrderState.UNKNOWN]
        return len(over) / len(self.plan.orders) if self.plan.orders else 1.0

    @property
    def fills(self) -> tuple[Fill, ...]:
        """All executions, in the order of the plan."""
        return tuple(
            fill
            for order in self.plan.orders
            if order.client_order_id in self.outcomes
            for fill in self.outcomes[order.client_order_id].fills
        )

    def state_of(self, order: PlannedOrder) -> OrderState:
        """Return what became of an order so far."""
        found = self.outcomes.get(order.client_order_id)
        return OrderState.WAITING if found is None else found.state


def execute(
    plan: RebalancePlan,
    route: OrderRoute,
    *,
    resume: RebalanceRun | None = None,
    settled: Mapping[str, OrderOutcome] | None = None,
    on_progress: Callable[[RebalanceRun], None] | None = None,
) -> RebalanceRun:
    """Carry a plan out: its sales, then its purchases as far as there is cash for them.

    Parameters
    ----------
    plan : RebalancePlan
        What to do.
    route : OrderRoute
        Where orders go.
    resume : RebalanceRun, optional
        An earlier run of the same plan: what is over is not sent again.
    settled : mapping of str to OrderOutcome, optional
        Outcomes, by client order id, that were looked up since.
    on_progress : callable, optional
        Called with the run after each order.

    Returns
    -------
    RebalanceRun
        Its `status` says whether all was filled, some was not, or it stopped and can go on.

    Raises
    ------
    InputError
        If `resume` is a run of another plan.
    Conflict
        If an outcome is unknown and has not been looked up: sending on could trade on cash that is gone.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from algotrendy.domain.portfolio import Portfolio
    >>> from algotrendy.portfolio import plan_rebalance
    >>> noon = datetime(2024, 1, 2, 12, tzinfo=UTC)
    >>> portfolio = Portfolio().with_cash(10_000, "USD", kind="deposit", at=noon)
    >>> plan = plan_rebalance(portfolio, {"SPY": 470}, {"SPY": 0.6}, at=noon)
    >>> run = execute(plan, FillAtPlan())
    >>> str(run.status), run.progress, run.fills[0].quantity
    ('completed', 1.0, Decimal('12'))
    """
    if resume is not None and resume.plan.plan_id != plan.plan_id:
        raise InputError(f"the run is of the plan {resume.plan.plan_id}, not of {plan.plan_id}")
    outcomes = {**(resume.outcomes if resume is not None else {}), **(settled or {})}
    run = RebalanceRun(plan=plan, outcomes=outcomes)
    unknown = [name for name, outcome in outcomes.items() if outcome.state is OrderState.UNKNOWN]
    if unknown:
        raise Conflict(f"what became of {', '.join(unknown)} is unknown; look it up and pass settled={{id: outcome}}")
    for order in plan.orders:
        if order.client_order_id in run.outcomes:
            continue
        run = _sent(run, order, route)
        if on_progress is not None:
            on_progress(run)
        if run.status is RunStatus.STOPPED:
            return run
    states = {run.state_of(order) for order in plan.orders}
    status = RunStatus.COMPLETED if states <= {OrderState.FILLED} else RunStatus.INCOMPLETE
    return replace(run, status=status)


def _sent(run: RebalanceRun, order: PlannedOrder, route: OrderRoute) -> RebalanceRun:
    if order.side is Side.BUY and _cash(run) - order.value - order.cost < min(run.plan.cash_after, Decimal(0)):
        outcome = OrderOutcome(state=OrderState.SKIPPED, message="the sales before it did not bring the cash")
    else:
        try:
            outcome = route.place(order)
        except VenueUnavailable as error:
            return replace(run, status=RunStatus.STOPPED, message=str(error))
        except OutcomeUnknown as error:
            outcome = OrderOutcome(state=OrderState.UNKNOWN, message=str(error))
    after = replace(run, outcomes={**run.outcomes, order.client_order_id: outcome})
    if outcome.state is OrderState.UNKNOWN:
        return replace(after, status=RunStatus.STOPPED, message=outcome.message)
    return after


def _cash(run: RebalanceRun) -> Decimal:
    """Return the cash after what was filled, in the base currency at the rates of the plan."""
    cash = run.plan.cash_before
    for order in run.plan.orders:
        outcome = run.outcomes.get(order.client_order_id)
        for fill in outcome.fills if outcome is not None else ():
            cash += fill.cash * order.rate
    return cash


@dataclass(frozen=True, slots=True)
class FillAtPlan:
    """A route that fills everything at the prices and costs of the plan, as in a paper account.

    Attributes
    ----------
    at : datetime or None
        The time of the fills; None: when they are placed.
    """

    at: datetime.datetime | None = None

    def place(self, order: PlannedOrder) -> OrderOutcome:
        """Fill an order whole."""
        fill = Fill(
            execution_id=f"{order.client_order_id}:1",
            instrument=order.instrument,
            side=order.side,
            quantity=order.quantity,
            price=order.price,
            commission=rounded(quotient(order.cost, order.rate)),
            currency=order.currency,
            multiplier=order.multiplier,
            filled_at=self.at or datetime.datetime.now(datetime.UTC),
            client_order_id=order.client_order_id,
        )
        return OrderOutcome(state=OrderState.FILLED, fills=(fill,))


def _run(plan: RebalancePlan, outcomes: dict[str, OrderOutcome], status: RunStatus, message: str) -> RebalanceRun:
    return RebalanceRun(plan=plan, outcomes=outcomes, status=status, message=message)
