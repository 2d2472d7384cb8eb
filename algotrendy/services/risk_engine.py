"""The risk of portfolios as one facade: measures, limits, orders before they are sent, stress, alerts, monitoring."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.risk.alerts import AlertManager
from algotrendy.risk.calculator import RiskCalculator
from algotrendy.risk.limits.book import ProposedOrder
from algotrendy.risk.limits.evaluate import LimitCheckResult
from algotrendy.risk.limits.limit import Limit, LimitKind, limits_from
from algotrendy.risk.limits.manager import LimitManager
from algotrendy.risk.limits.profiles import PROFILES
from algotrendy.risk.monitor import RiskMonitor
from algotrendy.risk.reservations import MemoryReservations, ReservationResult, ReservationStore
from algotrendy.risk.stress.book import StressBook
from algotrendy.risk.stress.reverse import ReverseStress
from algotrendy.risk.stress.scenarios import StressScenario
from algotrendy.risk.stress.tester import StressTester, StressTestResult
from algotrendy.services.models_risk import (
    AlertOut,
    LimitsIn,
    LimitsOut,
    PositionRisk,
    PreTradeAnswer,
    PreTradeRequest,
    ReservationOut,
    RiskMetrics,
    RiskOrderIn,
    StressTestAnswer,
    StressTestRequest,
    TradingStateIn,
    TradingStateOut,
    WhatIfAnswer,
)
from algotrendy.services.models_runs import parsed
from algotrendy.services.risk_asking import closed_if_it_fails, order_of, rules_of
from algotrendy.services.risk_books import AnyPortfolio, Closes, PortfolioSource, RiskBooks, Seen
from algotrendy.services.risk_figures import portfolio_metrics, position_metrics, profit_returns

if TYPE_CHECKING:
    from algotrendy.events import InProcessBus
    from algotrendy.risk.var_backtest import VarBacktest

__all__ = ["RiskEngineService"]

_log = logging.getLogger("algotrendy.risk")
_ATTEMPTS = 5


class RiskEngineService:
    """Measures portfolios, keeps them within limits, stresses and watches them.

    Every method takes a portfolio (`Portfolio`, `Holdings` or a `BookView`) or, where a source knows it, its identity.
    What is kept of a portfolio goes by its identity: of an object give `portfolio_id=`.

    Parameters
    ----------
    risk_calculator : RiskCalculator, optional
        With the conventions of all measures.
    limit_manager : LimitManager, optional
        With the limits and states. Default: kept in this process.
    stress_tester : StressTester, optional
    alert_manager : AlertManager, optional
        Default: kept in this process, told to the bus.
    reservations : ReservationStore, optional
        Default: kept in this process.
    source : PortfolioSource, optional
        Knows portfolios by their identity; None: only objects are taken.
    closes : Closes, optional
        Knows what instruments cost; None: books have to come with prices, and VaR is of a portfolio's own past.
    benchmark : str, optional
        The symbol that betas are against.
    bus : InProcessBus, optional
        Told of alerts by the default `alert_manager`.
    clock : callable, optional
        Gives the time, aware of its zone.

    Examples
    --------
    >>> from algotrendy.compute import wait_for
    >>> from algotrendy.risk.limits import BookView, Exposure
    >>> service = RiskEngineService()
    >>> book = BookView(equity=1000, exposures=[Exposure(symbol="A", quantity=50, price=10)])
    >>> tested = wait_for(service.run_stress_test(book, [{"name": "market_crash", "returns": -0.2}]))
    >>> round(tested["market_crash"].loss, 4)
    0.1
    """

    def __init__(
        self,
        *,
        risk_calculator: RiskCalculator | None = None,
        limit_manager: LimitManager | None = None,
        stress_tester: StressTester | None = None,
        alert_manager: AlertManager | None = None,
        reservations: ReservationStore | None = None,
        source: PortfolioSource | None = None,
        closes: Closes | None = None,
        benchmark: str | None = None,
        bus: InProcessBus | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.risk_calculator = risk_calculator or RiskCalculator()
        self.limit_manager = limit_manager or LimitManager()
        self.stress_tester = stress_tester or StressTester()
        self.alert_manager = alert_manager or AlertManager(publish=None if bus is None else bus.send, clock=clock)
        self.reservations: ReservationStore = reservations or MemoryReservations(clock=clock)
        self.monitor = RiskMonitor(self.alert_manager)
        self._books = RiskBooks(source, closes, clock=clock)
        self._benchmark = benchmark
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._rules = threading.Lock()

    # --- measures ---

    async def calculate_portfolio_risk(
        self,
        portfolio: AnyPortfolio,
        *,
        history: pd.Series | None = None,
        benchmark: str | pd.Series | None = None,
        method: str = "historical",
    ) -> RiskMetrics:
        """Return VaR, expected shortfall, drawdown, ratios, beta and leverage of a portfolio.

        VaR, shortfall and volatility are of today's positions on past returns of their instruments, so they are of the
        risk that is there now; where those are not known, of the portfolio's own past. Drawdown and ratios are of its
        past. What cannot be known is None, and `notes` says why.

        Parameters
        ----------
        portfolio : str or portfolio
            What to measure.
        history : Series, optional
            What it was worth by day, deposits left out; in place of what the source says.
        benchmark : str or Series, optional
            What beta is against: a symbol, or its returns by day.
        method : str
            Of the tail: historical, parametric, student_t, cornish_fisher, ewma, filtered_historical, monte_carlo, ...

        Raises
        ------
        NotFound
            If nobody knows the identity.
        InputError
            If the equity is not positive, or the method is unknown.
        """
        seen = await self._books.see(portfolio, history=history)
        named = self._benchmark if benchmark is None else benchmark
        symbols = [row.symbol for row in seen.book.exposures if row.quantity]
        returns = await self._books.returns(symbols)
        market = await self._returns_of(named) if isinstance(named, str) else named
        return await asyncio.to_thread(
            portfolio_metrics, seen, returns, self.risk_calculator, method=method, benchmark=market
        )

    async def calculate_position_risk(
        self, position: AnyPortfolio, symbol: str | None = None, *, portfolio_id: str = ""
    ) -> PositionRisk:
        """Return the risk of one position, alone and within its portfolio.

        Parameters
        ----------
        position : str or portfolio
            The identity of a position; or a portfolio, and the symbol.
        symbol : str, optional
            Which one of the portfolio.

        Raises
        ------
        NotFound
            If nobody knows the identity.
        InputError
            If the portfolio has no such position, or its equity is not positive.
        """
        if symbol is None:
            if not isinstance(position, str):
                raise InputError("a portfolio has many positions; say which: symbol=")
            position, symbol = await self._books.place_of(position)
        seen = await self._books.see(position, portfolio_id=portfolio_id)
        held = [row.symbol for row in seen.book.exposures if row.quantity]
        returns = await self._books.returns([*held, symbol])
        return await asyncio.to_thread(position_metrics, seen, symbol, returns, self.risk_calculator)

    async def backtest_var(
        self,
        portfolio: AnyPortfolio,
        method: Any = "historical",
        window: int = 250,
        *,
        history: pd.Series | None = None,
        **options: Any,
    ) -> VarBacktest:
        """Forecast the VaR of each day of today's positions from the days before it, and test the forecasts."""
        seen = await self._books.see(portfolio, history=history)
        returns = await self._books.returns([row.symbol for row in seen.book.exposures if row.quantity])
        moves = profit_returns(seen, returns)
        return await asyncio.to_thread(self.risk_calculator.backtest_var, moves, method, window, **options)

    # --- orders before they are sent ---

    async def check_position_limits(
        self,
        order: ProposedOrder | RiskOrderIn | Mapping[str, Any],
        portfolio: AnyPortfolio,
        *,
        portfolio_id: str = "",
        history: pd.Series | None = None,
    ) -> LimitCheckResult:
        """Say whether a portfolio may send an order; what is reserved counts as open orders. Nothing is taken.

        Parameters
        ----------
        order : ProposedOrder or mapping
            What is to be sent.
        portfolio : str or portfolio
            Who would send it.
        portfolio_id : str
            Of a portfolio that came as an object: whose limits and reservations count.
        history : Series, optional
            What it was worth by day, for limits on the loss of the day and on the drawdown; empty: it is new.

        Returns
        -------
        LimitCheckResult
            Not approved either if anything fails while the portfolio is looked at.

        Raises
        ------
        NotFound, InputError
            If there is no such portfolio, or the order is none.
        """
        asked = order_of(order)

        async def check() -> LimitCheckResult:
            seen = await self._ready(portfolio, asked, portfolio_id, history)
            held = await asyncio.to_thread(self.reservations.reserved, seen.id) if seen.id else ()
            book = seen.book.with_pending(one.order.resized(one.remaining) for one in held)
            return await asyncio.to_thread(self.limit_manager.check_order, asked, book, seen.id)

        checked: LimitCheckResult = await closed_if_it_fails(check)
        return checked

    async def pre_trade_check(self, request: PreTradeRequest | Mapping[str, Any]) -> PreTradeAnswer:
        """Answer `POST /risk/pre-trade-check`, or the event of a new order; with `reserve` the room is taken, too."""
        asked = parsed(PreTradeRequest, request if isinstance(request, PreTradeRequest) else dict(request))
        order = asked.order.to_order()
        if not asked.reserve:
            return PreTradeAnswer.of(await self.check_position_limits(order, asked.portfolio_id))
        made = await self.reserve_order(order, asked.portfolio_id, seconds=asked.reserve_seconds)
        return PreTradeAnswer.of_reservation(made)

    check_order_risk = pre_trade_check

    async def reserve_order(
        self,
        order: ProposedOrder | RiskOrderIn | Mapping[str, Any],
        portfolio: AnyPortfolio,
        *,
        portfolio_id: str = "",
        history: pd.Series | None = None,
        seconds: float | None = None,
    ) -> ReservationResult:
        """Check an order and take its room in one step, so that no two orders ever use the same.

        A change of limits or of the state that comes meanwhile counts: what was approved under the old ones is given
        back and looked at again.

        Parameters
        ----------
        seconds : float, optional
            After how long the room is free again by itself. None: never.

        Raises
        ------
        NotFound, InputError
            If there is no such portfolio, or the order is none.
        Conflict
            If another order was reserved under the same `client_order_id`, or this one was and is over; or if limits
            change faster than they can be read.
        """
        asked = order_of(order)

        async def reserve() -> ReservationResult:
            seen = await self._ready(portfolio, asked, portfolio_id, history)
            if not seen.id:
                raise InputError("room is reserved for an identity; give portfolio_id= with the portfolio")
            return await asyncio.to_thread(self._reserve, asked, seen, seconds)

        made = await closed_if_it_fails(reserve)
        return made if isinstance(made, ReservationResult) else ReservationResult(None, made)

    async def release_reservation(self, reservation_id: str) -> ReservationOut:
        """Give the room back: the order was not sent, was cancelled or rejected. Again: nothing happens."""
        return ReservationOut.of(await asyncio.to_thread(self.reservations.release, reservation_id))

    async def commit_reservation(self, reservation_id: str, quantity: Decimal | None = None) -> ReservationOut:
        """End a reservation because the book has the order now; a part of the quantity leaves the rest reserved."""
        return ReservationOut.of(await asyncio.to_thread(self.reservations.commit, reservation_id, quantity))

    async def list_reservations(self, portfolio_id: str) -> list[ReservationOut]:
        """Return what a portfolio has reserved, the oldest first."""
        return [ReservationOut.of(one) for one in await asyncio.to_thread(self.reservations.reserved, portfolio_id)]

    async def what_if(
        self,
        orders: Iterable[ProposedOrder | Mapping[str, Any]],
        portfolio: AnyPortfolio,
        *,
        portfolio_id: str = "",
        history: pd.Series | None = None,
    ) -> WhatIfAnswer:
        """Try orders one after the other on a portfolio; nothing is reserved and nothing sent."""
        asked = [order_of(one) for one in orders]
        seen = await self._ready(portfolio, asked, portfolio_id, history)
        return WhatIfAnswer.of(await asyncio.to_thread(self.limit_manager.what_if, asked, seen.book, seen.id))

    # --- stress ---

    async def run_stress_test(
        self,
        portfolio: AnyPortfolio,
        scenarios: Iterable[StressScenario | Mapping[str, Any]],
        *,
        portfolio_id: str = "",
        **book: Any,
    ) -> StressTestResult:
        """Return what each scenario would cost, and which limits of the portfolio it would break.

        A limit on the drawdown is looked at where the highest equity is known.

        Parameters
        ----------
        scenarios : iterable
            Scenarios, or what JSON says of them.
        **book
            Attributes of the `StressBook` that nobody else knows: `betas`, `covariance`, `history`, ...

        Raises
        ------
        InputError
            If the portfolio has no position, or a scenario needs what is not known of it.
        """
        seen, stressed = await self._stress_book(portfolio, portfolio_id, book)
        return await asyncio.to_thread(
            lambda: self.stress_tester.run(stressed, scenarios, self._stressed_limits(seen.id, stressed))
        )

    async def stress_test(self, request: StressTestRequest | Mapping[str, Any]) -> StressTestAnswer:
        """Answer `POST /risk/stress-test`."""
        asked = parsed(StressTestRequest, request if isinstance(request, StressTestRequest) else dict(request))
        return StressTestAnswer.of(asked.portfolio_id, await self.run_stress_test(asked.portfolio_id, asked.scenarios))

    async def reverse_stress(
        self,
        portfolio: AnyPortfolio,
        *,
        loss: float | None = None,
        limit: Limit | Mapping[str, Any] | None = None,
        factor: str | None = None,
        **book: Any,
    ) -> ReverseStress:
        """Return the smallest plausible shock that loses so much of the equity, or breaks a limit.

        Parameters
        ----------
        loss : float, optional
            As a positive fraction of equity.
        limit : Limit or mapping, optional
            In place of a loss.
        factor : str, optional
            Shock this factor alone.
        """
        _, stressed = await self._stress_book(portfolio, "", book)
        wanted = None if limit is None else limits_from([limit])[0]
        return await asyncio.to_thread(self.stress_tester.reverse, stressed, loss=loss, limit=wanted, factor=factor)

    # --- limits and states ---

    async def get_limits(self, portfolio_id: str) -> LimitsOut:
        """Return the limits of a portfolio and their version."""
        return LimitsOut.of(await asyncio.to_thread(self.limit_manager.limits_record, portfolio_id))

    async def update_limits(self, portfolio_id: str, limits: LimitsIn | Mapping[str, Any]) -> LimitsOut:
        """Put limits in place of those that a portfolio has, as a new version.

        Raises
        ------
        InputError
            If one is no limit; then nothing changes.
        Conflict
            If `version` is given and somebody has changed them since.
        """
        asked = parsed(LimitsIn, limits if isinstance(limits, LimitsIn) else dict(limits))
        record = await asyncio.to_thread(
            self.limit_manager.set_limits, portfolio_id, asked.wanted, by=asked.updated_by,
            expected_version=asked.version,
        )  # fmt: skip
        return LimitsOut.of(record)

    async def limits_history(self, portfolio_id: str) -> list[LimitsOut]:
        """Return all versions of the limits of a portfolio, the oldest first."""
        return list(map(LimitsOut.of, await asyncio.to_thread(self.limit_manager.limits_history, portfolio_id)))

    async def risk_profiles(self) -> dict[str, list[dict[str, Any]]]:
        """Return the named sets of limits."""
        return {str(name): [limit.as_dict() for limit in limits] for name, limits in PROFILES.items()}

    async def get_trading_state(self, portfolio_id: str) -> TradingStateOut:
        """Return what a portfolio may send, since when and why."""
        return TradingStateOut.of(await asyncio.to_thread(self.limit_manager.state_record, portfolio_id))

    async def set_trading_state(self, portfolio_id: str, state: TradingStateIn | Mapping[str, Any]) -> TradingStateOut:
        """Say what a portfolio may send: ACTIVE, REDUCING (what closes) or HALTED, with a reason.

        Raises
        ------
        InputError
            If there is no such state, or no reason.
        Conflict
            If `version` is given and somebody has changed it since.
        """
        asked = parsed(TradingStateIn, state if isinstance(state, TradingStateIn) else dict(state))
        record = await asyncio.to_thread(
            self.limit_manager.set_state, portfolio_id, asked.state, reason=asked.reason, by=asked.set_by,
            expected_version=asked.version,
        )  # fmt: skip
        return TradingStateOut.of(record)

    async def trading_state_history(self, portfolio_id: str) -> list[TradingStateOut]:
        """Return who said what of a portfolio's state, when and why, the oldest first."""
        return list(map(TradingStateOut.of, await asyncio.to_thread(self.limit_manager.state_history, portfolio_id)))

    # --- alerts and monitoring ---

    async def list_alerts(self, portfolio_id: str, *, resolved: bool = False) -> list[AlertOut]:
        """Return the alerts of a portfolio that are not over, the oldest first; or those that are."""
        manager = self.alert_manager
        return list(
            map(AlertOut.of, await asyncio.to_thread(manager.resolved if resolved else manager.active, portfolio_id))
        )

    async def acknowledge_alert(self, alert_id: str, by: str | None = None) -> AlertOut:
        """Note that somebody has seen an alert; it stays until its measure is back.

        Raises
        ------
        NotFound
            If there is none.
        Conflict
            If it was acknowledged before, or is over.
        """
        return AlertOut.of(await asyncio.to_thread(self.alert_manager.acknowledge, alert_id, by))

    async def observe(
        self, portfolio: AnyPortfolio, *, portfolio_id: str = "", history: pd.Series | None = None
    ) -> list[AlertOut]:
        """Measure a portfolio once, and return the alerts that were raised or are over by it."""
        seen = await self._ready(portfolio, (), portfolio_id, history)
        if not seen.id:
            raise InputError("alerts go by an identity; give portfolio_id= with the portfolio")
        return list(map(AlertOut.of, await asyncio.to_thread(self._observe, seen)))

    async def start_monitor(self, portfolio_id: str, *, every_seconds: float = 60.0) -> None:
        """Measure a portfolio again and again, on this event loop, until `stop_monitor`; it is measured once before.

        Each limit of the portfolio that a book can be measured for is watched by a rule of its own. A measurement that
        fails is logged, and the next one comes.

        Raises
        ------
        InputError
            If the wait is not positive.
        Conflict
            If it is watched already.
        NotFound
            If there is no such portfolio.
        """
        if not every_seconds > 0:
            raise InputError(f"every_seconds is {every_seconds}; expected more than 0")
        if portfolio_id in self._watches and not self._watches[portfolio_id].done():
            raise Conflict(f"{portfolio_id} is watched already; stop that first")
        await asyncio.to_thread(self._follow_limits, portfolio_id)
        await self.observe(portfolio_id)
        self._watches[portfolio_id] = asyncio.create_task(self._watch(portfolio_id, every_seconds))

    async def stop_monitor(self, portfolio_id: str) -> None:
        """Watch a portfolio no more; its alerts stay.

        Raises
        ------
        NotFound
            If it is not watched.
        """
        task = self._watches.pop(portfolio_id, None)
        if task is None:
            raise NotFound(f"{portfolio_id} is not watched")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """Watch nothing any more."""
        for portfolio_id in list(self._watches):
            await self.stop_monitor(portfolio_id)

    # --- behind them ---

    async def _ready(
        self,
        portfolio: AnyPortfolio,
        orders: ProposedOrder | Iterable[ProposedOrder],
        portfolio_id: str,
        history: pd.Series | None,
    ) -> Seen:
        """Return a portfolio with all that its limits will ask for."""
        asked = [orders] if isinstance(orders, ProposedOrder) else list(orders)
        seen = await self._books.see(
            portfolio, history=history, portfolio_id=portfolio_id, symbols=[one.symbol for one in asked]
        )
        limits = await asyncio.to_thread(self.limit_manager.limits, seen.id)
        book = await self._books.with_estimates(seen.book, limits)
        return Seen(id=seen.id, book=book, history=seen.history)

    def _reserve(self, order: ProposedOrder, seen: Seen, seconds: float | None) -> ReservationResult:
        manager = self.limit_manager
        for _ in range(_ATTEMPTS):
            before = self._standing(seen.id)
            book, limits = manager.as_it_stands(seen.book, seen.id), manager.limits(seen.id)
            made = self.reservations.reserve(seen.id, order, book=book, limits=limits, seconds=seconds)
            if made.reservation is None or made.check is None or self._standing(seen.id) == before:
                return made
            self.reservations.release(made.reservation.id)
        raise Conflict(f"the limits of {seen.id} changed {_ATTEMPTS} times while an order was looked at; try again")

    def _standing(self, portfolio_id: str) -> tuple[int, int]:
        """Return the versions of limits and state that count now."""
        manager = self.limit_manager
        return manager.limits_record(portfolio_id).version, manager.state_record(portfolio_id).version

    async def _returns_of(self, symbol: str) -> pd.Series | None:
        returns = await self._books.returns([symbol])
        return returns[symbol] if symbol in returns.columns else None

    async def _stress_book(
        self, portfolio: AnyPortfolio, portfolio_id: str, more: Mapping[str, Any]
    ) -> tuple[Seen, StressBook]:
        seen = await self._books.see(portfolio, portfolio_id=portfolio_id)
        held = [row.symbol for row in seen.book.exposures if row.quantity]
        options = dict(more)
        if held and not {"covariance", "history"} <= set(options):
            returns = await self._books.returns(held)
            if len(returns) > 1:
                options = {"covariance": returns.cov(), "history": returns, **options}
        return seen, StressBook.of(seen.book, **options)

    def _stressed_limits(self, portfolio_id: str, book: StressBook) -> list[Limit]:
        """Return the limits that a book knows enough for: a drawdown is measured from the highest equity."""
        skipped = () if book.peak_equity is not None else (LimitKind.DRAWDOWN,)
        if book.reprice is not None:  # which says its profit, not what each position is worth
            skipped = (*skipped, LimitKind.GROSS_LEVERAGE, LimitKind.NET_LEVERAGE, LimitKind.CONCENTRATION)
        return [limit for limit in self.limit_manager.limits(portfolio_id) if limit.kind not in skipped]

    def _observe(self, seen: Seen) -> Any:
        book, better = seen.book, dict[str, float]()
        for name, start in (("drawdown", book.peak_equity), ("daily_loss", book.day_open_equity)):
            if start is not None and start > 0:  # these know what the owner brought; the monitor sees equity alone
                better[name] = 1.0 - float(book.equity / start)
        return self.monitor.update(seen.id, book=book, at=self._books.now(), measures=better)

    def _follow_limits(self, portfolio_id: str) -> None:
        """Watch the limits that a portfolio has now."""
        own = rules_of(portfolio_id, self.limit_manager.limits(portfolio_id))
        with self._rules:
            known = self.alert_manager.rules
            others = [rule for rule in known if not rule.id.startswith(f"{portfolio_id}/")]
            if (*others, *own) != known:
                self.alert_manager.set_rules([*others, *own])

    async def _watch(self, portfolio_id: str, every_seconds: float) -> None:
        while True:
            await asyncio.sleep(every_seconds)
            try:
                await asyncio.to_thread(self._follow_limits, portfolio_id)
                await self.observe(portfolio_id)
            except Exception as e:  # noqa: BLE001 - see BROAD_EXCEPTS in the layout tests
                _log.error("%s could not be measured: %s", portfolio_id, e, exc_info=e)
