"""Rebalancing that outlives a process: plans are kept, and an order is written down before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import TypeAdapter

from algotrendy.compute import wait_for
from algotrendy.domain.money import Rates
from algotrendy.errors import InputError, OrderDenied, VenueUnavailable
from algotrendy.events import EventType
from algotrendy.portfolio.rebalance import (
    FillAtPlan,
    OrderOutcome,
    OrderState,
    PlannedOrder,
    RebalancePlan,
    RebalanceRun,
    RunStatus,
    TaxOptimization,
    TradingCost,
    execute,
    plan_rebalance,
)
from algotrendy.portfolio.tax import TaxRules, UsWashSale
from algotrendy.risk.limits import ProposedOrder
from algotrendy.services.portfolio.models import RebalanceAnswer, RebalanceOrderOut, RebalanceRequest
from algotrendy.storage.accounts import AccountStore
from algotrendy.storage.booking import Trade, lot_book, named_lots

if TYPE_CHECKING:
    from algotrendy.events import EventBus
    from algotrendy.jobs import JobContext
    from algotrendy.risk.limits import LimitCheckResult
    from algotrendy.storage.portfolios import StoredPortfolio
    from algotrendy.storage.rebalances import RebalanceStore, StoredOrder, StoredRebalance

__all__ = ["LimitChecker", "OrderExecutor", "PaperExecutor", "PortfolioRebalancer"]

_PLAN: TypeAdapter[RebalancePlan] = TypeAdapter(RebalancePlan)
_OPEN = ("sending", OrderState.UNKNOWN)


class OrderExecutor(Protocol):
    """Who executes the orders of a plan: an `OrderRoute` that can also be asked what it knows."""

    def place(self, order: PlannedOrder) -> OrderOutcome:
        """Place an order, wait until it is over, and tell its outcome.

        The same `client_order_id` again must not trade twice. `VenueUnavailable` says that nothing happened,
        `OutcomeUnknown` that it may have.
        """
        ...

    def find(self, client_order_id: str) -> OrderOutcome | None:
        """Return what became of an order that may have been placed; None if it certainly never arrived.

        Raises `VenueUnavailable` if it cannot be told now.
        """
        ...


class LimitChecker(Protocol):
    """Who says whether a portfolio may send an order: `RiskEngineService` is one."""

    async def check_position_limits(self, order: ProposedOrder, portfolio: str) -> LimitCheckResult:
        """Return what the limits of a portfolio, `port_…`, say about an order at the market; nothing is taken."""
        ...


class PaperExecutor:
    """Fills every order whole at the price and the cost of its plan, or at prices that are given.

    Parameters
    ----------
    prices : mapping of str to number, optional
        By symbol, in its own currency.

    Examples
    --------
    >>> PaperExecutor().find("anything") is None
    True
    """

    def __init__(self, prices: Mapping[str, Any] | None = None) -> None:
        self._prices = dict(prices or {})

    def place(self, order: PlannedOrder) -> OrderOutcome:
        """Fill an order; its execution has an id made of the order's, so that it is recorded once."""
        from dataclasses import replace

        price = self._prices.get(order.instrument)
        return FillAtPlan().place(order if price is None else replace(order, price=Decimal(str(price))))

    def find(self, client_order_id: str) -> OrderOutcome | None:
        """Return None: what was not recorded did not happen, on paper."""
        return None


class PortfolioRebalancer:
    """Makes plans from what is kept of a portfolio, and carries them out so that a crash does nothing twice.

    Before an order is sent, that it will be is committed; its fills are committed together with its outcome. Whoever
    goes on after a crash asks the executor what became of an order that may have been sent.

    Parameters
    ----------
    accounts : AccountStore
        What portfolios hold.
    rebalances : RebalanceStore
        Where plans are kept.
    executor : OrderExecutor, optional
        Who executes; on paper by default.
    bus : EventBus, optional
        Is told, at least once each, of orders (`trading.order.created`, `.filled`, `.partially_filled`, `.rejected`),
        of what limits said (`risk.check.completed`) and of each plan that is over (`portfolio.rebalanced`).
    limits : LimitChecker, optional
        Is asked before each order is sent. An order that it denies stops the plan.
    """

    def __init__(
        self,
        accounts: AccountStore,
        rebalances: RebalanceStore,
        executor: OrderExecutor | None = None,
        *,
        bus: EventBus | None = None,
        limits: LimitChecker | None = None,
    ) -> None:
        self.accounts, self.rebalances, self.limits, self._bus = accounts, rebalances, limits, bus
        self.executor: OrderExecutor = PaperExecutor() if executor is None else executor

    # --- plans ---

    def plan(
        self, stored: StoredPortfolio, request: RebalanceRequest, prices: Mapping[str, Any], rates: Rates | None = None
    ) -> StoredRebalance:
        """Make a plan and keep it; nothing is sent.

        Raises
        ------
        InputError
            As `plan_rebalance`.
        """
        tax = None
        if request.tax_optimization:
            wash = UsWashSale() if request.wash_sale else None
            trades = self.accounts.trades(stored.id)
            actions = self.accounts.actions(stored.id)
            facts = {"method": stored.lot_method, "time_zone": stored.time_zone}
            book = lot_book(trades, actions=actions, wash=wash, **facts)
            rules = TaxRules(short_term_rate=request.short_term_rate, long_term_rate=request.long_term_rate)
            tax = TaxOptimization(book=book, rules=rules)
        made = plan_rebalance(
            self.accounts.portfolio(stored.id),
            prices,
            request.target_allocations,
            at=datetime.now(UTC),
            method=request.rebalance_method,
            rates=rates,
            cost=TradingCost(rate=request.cost_rate),
            minimum_trade=request.minimum_trade,
            turnover_max=request.turnover_max,
            allow_leverage=request.allow_leverage,
            tax_optimization=tax,
        )
        plan = _PLAN.dump_python(made, mode="json")
        plan["asset_types"] = {name: str(kind) for name, kind in request.asset_types.items()}
        return self.rebalances.create(stored.id, plan, last_number=stored.last_number)

    # --- carrying out ---

    def work(self, context: JobContext) -> dict[str, Any]:
        """Do a job: carry a plan out from wherever it stands."""
        rebalance_id: str = context.payload["rebalance_id"]
        try:
            run = self.carry_out(rebalance_id, context)
        except OrderDenied as denied:  # it would be denied again: no reason to try until limits or plan are others
            return {"rebalance_id": rebalance_id, "status": "stopped", "message": str(denied)}
        if run.status is RunStatus.STOPPED:
            raise VenueUnavailable("executor", f"{rebalance_id} stopped: {run.message}; it goes on where it was")
        return {"rebalance_id": rebalance_id, "status": self.rebalances.get(rebalance_id).status}

    def carry_out(self, rebalance_id: str, context: JobContext) -> RebalanceRun:
        """Carry a plan out; what is over is not done again, and what was cancelled does not begin.

        Raises
        ------
        OrderDenied
            If limits deny an order; the plan is then stopped.
        VenueUnavailable
            If it cannot be told what became of an order that may have been sent.
        """
        stored = self.rebalances.start(rebalance_id)
        plan = plan_of(stored)
        if stored.status != "running":
            over = RunStatus.COMPLETED if stored.status == "completed" else RunStatus.INCOMPLETE
            return RebalanceRun(plan=plan, outcomes=self._outcomes(stored), status=over)
        route = _DurableRoute(self, stored, context)
        try:
            route.settle(plan)
        except VenueUnavailable as error:
            self.rebalances.move(rebalance_id, "stopped", str(error))
            raise
        resume = RebalanceRun(plan=plan, outcomes=self._outcomes(stored))
        try:
            run = execute(plan, route, resume=resume, on_progress=route.tell)
        except OrderDenied as denied:
            self.rebalances.move(rebalance_id, "stopped", str(denied))
            raise
        for name, outcome in run.outcomes.items():
            if outcome.state is OrderState.SKIPPED and name not in resume.outcomes:
                self.rebalances.over(rebalance_id, name, "skipped", message=outcome.message)
        if run.status is not RunStatus.STOPPED:
            done = {"portfolio_id": stored.portfolio_id, "method": plan.method, "turnover": plan.turnover}
            order_ids = [order.client_order_id for order in plan.orders]
            self.tell(EventType.PORTFOLIO_REBALANCED, {**done, "order_ids": order_ids})
        self.rebalances.move(rebalance_id, str(run.status), run.message)
        return run

    def cancel(self, rebalance_id: str, *, leave_unknown: bool = False) -> RebalanceAnswer:
        """Give a plan up that nobody carries out; what was sent stays recorded.

        Orders that may have been sent are looked up first, so that their fills are not lost.

        Parameters
        ----------
        rebalance_id : str
            Which one.
        leave_unknown : bool
            Cancel although the executor cannot be asked; such orders stay as they are, and asking again later with
            this method records what became of them.

        Raises
        ------
        Conflict
            If it is under way, or over.
        VenueUnavailable
            If it cannot be told what became of an order; the plan stays stopped.
        """
        stored = self.rebalances.cancel(rebalance_id)  # first: from here on no worker goes on with it
        try:
            _DurableRoute(self, stored, None).settle(plan_of(stored), is_over=True)
        except VenueUnavailable as error:
            if not leave_unknown:
                self.rebalances.move(rebalance_id, "stopped", str(error))
                raise
        return self.answer(rebalance_id)

    def tell(self, event_type: EventType, data: Mapping[str, Any]) -> None:
        """Tell the bus, if there is one."""
        if self._bus is not None:
            wait_for(self._bus.publish_event(event_type, data))

    def _outcomes(self, stored: StoredRebalance) -> dict[str, OrderOutcome]:
        """Return what became of the orders that are over."""
        orders = {name: one for name, one in self.rebalances.orders(stored.id).items() if one.state not in _OPEN}
        wanted = {execution: name for name, one in orders.items() for execution in one.execution_ids}
        fills: dict[str, list[Any]] = {}
        for trade in self.accounts.trades(stored.portfolio_id):
            name = wanted.get(trade.fill.execution_id)
            if name is not None:
                fills.setdefault(name, []).append(trade.fill)
        return {
            name: OrderOutcome(state=OrderState(one.state), fills=tuple(fills.get(name, ())), message=one.message)
            for name, one in orders.items()
        }

    # --- answers ---

    def answer(self, rebalance_id: str) -> RebalanceAnswer:
        """Return a plan and where it stands."""
        stored = self.rebalances.get(rebalance_id)
        plan, orders = plan_of(stored), self.rebalances.orders(rebalance_id)
        over = sum(one.state not in _OPEN for one in orders.values())
        return RebalanceAnswer(
            rebalance_id=stored.id, portfolio_id=stored.portfolio_id, status=stored.status, message=stored.message,
            progress=over / len(plan.orders) if plan.orders else 1.0, job_id=stored.job_id, method=plan.method,
            orders=[_order_out(order, orders.get(order.client_order_id)) for order in plan.orders],
            left_alone=dict(plan.left_alone), turnover=plan.turnover, expected_cost=plan.expected_cost,
            expected_tax=plan.expected_tax, weights_before=dict(plan.weights_before),
            weights_target=dict(plan.weights_target), weights_after=dict(plan.weights_after),
            created_at=stored.created_at, updated_at=stored.updated_at,
        )  # fmt: skip


class _DurableRoute:
    """A route that writes down what it is about to do, and what came of it."""

    def __init__(self, rebalancer: PortfolioRebalancer, stored: StoredRebalance, context: JobContext | None) -> None:
        self._rebalancer, self._stored, self._context = rebalancer, stored, context
        held = rebalancer.accounts.asset_types(stored.portfolio_id)
        self._asset_types: dict[str, str] = {**stored.plan["asset_types"], **held}

    def place(self, order: PlannedOrder) -> OrderOutcome:
        """Send an order that certainly was not sent before, if the limits allow it."""
        if self._context is not None:
            self._context.raise_if_cancelled()
        about = self._about(order)
        created = {"side": str(order.side), "quantity": order.quantity, "client_order_id": order.client_order_id}
        self._rebalancer.tell(EventType.ORDER_CREATED, {**about, **created})
        self._check(order)
        self._rebalancer.rebalances.sending(self._stored.id, order.client_order_id)
        outcome = self._rebalancer.executor.place(order)
        self._keep(order, outcome)
        return outcome

    def _about(self, order: PlannedOrder) -> dict[str, Any]:
        portfolio_id = self._stored.portfolio_id
        return {"order_id": order.client_order_id, "portfolio_id": portfolio_id, "symbol": order.instrument}

    def _check(self, order: PlannedOrder) -> None:
        """Ask the limits; they let orders that only close pass, unless the portfolio is halted."""
        checker, portfolio_id = self._rebalancer.limits, self._stored.portfolio_id
        if checker is None:
            return
        asked = ProposedOrder(
            symbol=order.instrument, side=str(order.side), quantity=order.quantity,  # type: ignore[arg-type]  # a side is one of its two texts
            client_order_id=order.client_order_id,
        )  # fmt: skip
        found = wait_for(checker.check_position_limits(asked, portfolio_id))
        about = {"order_id": order.client_order_id, "portfolio_id": portfolio_id}
        self._rebalancer.tell(EventType.RISK_CHECK_COMPLETED, {**about, "risk_check": found.as_dict()})
        if found.approved:
            return
        self._rebalancer.tell(EventType.ORDER_REJECTED, {**self._about(order), "reason": found.message})
        raise OrderDenied(
            f"the limits of {portfolio_id} deny {order.side} {order.quantity} {order.instrument}: {found.message};"
            " change limits and execute again, or cancel the plan"
        )

    def settle(self, plan: RebalancePlan, *, is_over: bool = False) -> None:
        """Ask what became of each order that may have been sent before a crash, and keep the answer.

        One that never arrived is sent later, or left out if the plan is over.
        """
        begun = self._rebalancer.rebalances.orders(self._stored.id)
        for order in plan.orders:
            one = begun.get(order.client_order_id)
            if one is not None and one.state in _OPEN:
                found = self._rebalancer.executor.find(order.client_order_id)
                if found is not None:
                    self._keep(order, found)
                elif is_over:
                    self._keep(order, OrderOutcome(state=OrderState.SKIPPED, message="it never arrived"))

    def tell(self, run: RebalanceRun) -> None:
        """Say how far it is."""
        if self._context is not None:
            self._context.progress(len(run.outcomes), max(len(run.plan.orders), 1))

    def _keep(self, order: PlannedOrder, outcome: OrderOutcome) -> None:
        lots = named_lots(order.lots) if order.lots else None
        is_whole = len(outcome.fills) == 1 and outcome.fills[0].quantity == order.quantity
        trades = [
            Trade(
                fill=fill,
                strategy="rebalance",
                asset_type=self._asset_types.get(order.instrument, "stock"),
                lots=lots if is_whole else None,
            )
            for fill in outcome.fills
        ]
        self._rebalancer.rebalances.over(
            self._stored.id, order.client_order_id, str(outcome.state), message=outcome.message, trades=trades
        )
        self._tell_outcome(order, outcome)

    def _tell_outcome(self, order: PlannedOrder, outcome: OrderOutcome) -> None:
        filled = Decimal(0)
        for fill in outcome.fills:
            filled += fill.quantity
            facts = {
                "side": str(fill.side), "execution_id": fill.execution_id, "quantity": fill.quantity,
                "price": fill.price, "commission": fill.commission, "filled_quantity": filled,
                "remaining_quantity": order.quantity - filled, "filled_at": fill.filled_at,
            }  # fmt: skip
            is_whole = filled == order.quantity
            event = EventType.ORDER_FILLED if is_whole else EventType.ORDER_PARTIALLY_FILLED
            self._rebalancer.tell(event, {**self._about(order), **facts})
        if outcome.state is OrderState.REJECTED:
            self._rebalancer.tell(EventType.ORDER_REJECTED, {**self._about(order), "reason": outcome.message})


def plan_of(stored: StoredRebalance) -> RebalancePlan:
    """Return the plan that is kept."""
    return _PLAN.validate_python(stored.plan)


def latest(closes: Any) -> dict[str, Decimal]:
    """Return the last close of each symbol.

    Raises
    ------
    InputError
        If a symbol has none.
    """
    missing = [str(name) for name in closes.columns if not closes[name].notna().any()]
    if missing or not len(closes.columns):
        raise InputError(f"there is no recent price of {', '.join(missing) or 'anything'}; give prices=")
    return {str(name): Decimal(repr(float(closes[name].dropna().iloc[-1]))) for name in closes.columns}


def _order_out(order: PlannedOrder, kept: StoredOrder | None) -> RebalanceOrderOut:
    return RebalanceOrderOut(
        client_order_id=order.client_order_id, symbol=order.instrument, side=str(order.side), quantity=order.quantity,
        price=order.price, value=order.value, cost=order.cost, lots=dict(order.lots), reasons=list(order.reasons),
        state="waiting" if kept is None else kept.state, message="" if kept is None else kept.message,
    )  # fmt: skip
