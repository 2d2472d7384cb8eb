"""Portfolios as one facade: what they hold, what happens in them, rebalancing, performance, reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from algotrendy.compute import wait_for
from algotrendy.domain.money import Rates, as_decimal
from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.services.models_runs import parsed
from algotrendy.services.portfolio.manager import PortfolioManager
from algotrendy.services.portfolio.models import (
    ActionIn,
    AttributionAnswer,
    CashIn,
    FillIn,
    PerformanceAnswer,
    PortfolioConfig,
    PortfolioOut,
    PortfolioUpdate,
    RebalanceAnswer,
    RebalanceRequest,
    ReportAnswer,
    ReportRequest,
)
from algotrendy.services.portfolio.rebalancing import latest
from algotrendy.storage.records import Page

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.jobs import Job, JobContext, JobQueue
    from algotrendy.services.portfolio.analysis import PerformanceAnalyzer, ReportGenerator
    from algotrendy.services.portfolio.prices import PriceSource
    from algotrendy.services.portfolio.rebalancing import PortfolioRebalancer
    from algotrendy.storage.portfolios import StoredPortfolio
    from algotrendy.storage.reports import StoredReport

__all__ = ["PortfolioService"]

REBALANCE, REPORT = "portfolio_rebalance", "portfolio_report"
_FRESH = timedelta(days=10)
"""An older close is no price of today: orders are not planned at it."""


class PortfolioService:
    """Keep portfolios, bring them to target weights, and say how they did.

    Everything that was answered is kept: a restart loses nothing. Rebalancing and reports are jobs of the queue; a
    worker does them, see `Platform.start_workers`.

    Parameters
    ----------
    portfolio_manager : PortfolioManager
        Settings, trades, cash, holdings.
    rebalancer : PortfolioRebalancer
        Plans, and carrying them out.
    performance_analyzer : PerformanceAnalyzer
        Days, measures, attribution.
    report_generator : ReportGenerator
        Documents.
    prices : PriceSource
        Where closes come from.
    queue : JobQueue
        Where jobs are put.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from algotrendy.config import Settings
    >>> from algotrendy.services import Platform
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     platform = Platform.local(settings=Settings(source="sample", ledger=False), home=Path(folder))
    ...     made = wait_for(platform.portfolio.create_portfolio({"name": "Growth", "initial_capital": 100000}))
    ...     plan = wait_for(platform.portfolio.rebalance_portfolio(
    ...         made.portfolio_id, {"AAPL": "0.3", "GOOGL": "0.2"}, prices={"AAPL": 200, "GOOGL": 150}))
    ...     print(made.value, [(order.symbol, str(order.quantity)) for order in plan.orders])
    ...     wait_for(platform.close())
    100000 [('AAPL', '150'), ('GOOGL', '133')]
    """

    def __init__(
        self,
        portfolio_manager: PortfolioManager,
        rebalancer: PortfolioRebalancer,
        performance_analyzer: PerformanceAnalyzer,
        report_generator: ReportGenerator,
        *,
        prices: PriceSource,
        queue: JobQueue,
    ) -> None:
        self.portfolio_manager, self.rebalancer = portfolio_manager, rebalancer
        self.performance_analyzer, self.report_generator = performance_analyzer, report_generator
        self._prices, self._queue = prices, queue

    # --- portfolios ---

    async def create_portfolio(self, config: PortfolioConfig | Mapping[str, Any]) -> PortfolioOut:
        """Make a portfolio, with its initial capital as the first deposit: the body of `POST /portfolio`.

        Raises
        ------
        InputError
            If the request is none.
        """
        return await asyncio.to_thread(self.portfolio_manager.create, parsed(PortfolioConfig, _given(config)))

    async def get_portfolio(
        self,
        portfolio_id: str,
        *,
        prices: Mapping[str, Any] | None = None,
        rates: Rates | None = None,
    ) -> PortfolioOut:
        """Return a portfolio with its holdings.

        Parameters
        ----------
        portfolio_id : str
            `port_…`.
        prices : mapping of str to number, optional
            Of what it holds, each in its own currency. None: those of the last valuation.
        rates : Rates, optional
            Of other currencies to the portfolio's; without one that is needed there is no total.

        Raises
        ------
        NotFound
            If there is none.
        """
        return await asyncio.to_thread(self.portfolio_manager.out, portfolio_id, prices, rates)

    async def holdings(self, portfolio_id: str, **options: Any) -> PortfolioOut:
        """Return the same as `get_portfolio`: one question, several views of its answer."""
        return await self.get_portfolio(portfolio_id, **options)

    async def list_portfolios(
        self, *, status: str | None = None, user_id: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[StoredPortfolio]:
        """Return the settings of portfolios, the newest first, a page at a time."""
        store = self.portfolio_manager.portfolios
        return await asyncio.to_thread(store.list, status=status, user_id=user_id, cursor=cursor, limit=limit)

    async def update_portfolio(self, portfolio_id: str, changes: PortfolioUpdate | Mapping[str, Any]) -> PortfolioOut:
        """Change settings; what is left out stays as it is, what is unknown is refused.

        Raises
        ------
        Conflict
            If `expected_version` is given and somebody was faster.
        InputError, NotFound
            If something else is to be changed, or there is no such portfolio.
        """
        asked = parsed(PortfolioUpdate, _given(changes))
        return await asyncio.to_thread(self.portfolio_manager.update, portfolio_id, asked)

    async def delete_portfolio(self, portfolio_id: str) -> PortfolioOut | None:
        """Delete a portfolio in which nothing happened; archive any other and return it.

        Raises
        ------
        Conflict
            If a strategy is deployed in it, or it is archived already.
        """
        return await asyncio.to_thread(self.portfolio_manager.delete, portfolio_id)

    # --- what happens ---

    async def record_fills(self, portfolio_id: str, fills: Iterable[FillIn | Mapping[str, Any]]) -> int:
        """Record executions, all or none, each once by its execution id; return how many were new.

        Raises
        ------
        Conflict
            If another execution has the id, or the portfolio is archived.
        InputError, NotFound
            If a fill is none, or there is no such portfolio.
        """
        asked = [parsed(FillIn, _given(fill)) for fill in fills]
        return await asyncio.to_thread(self.portfolio_manager.record_fills, portfolio_id, asked)

    async def deposit(self, portfolio_id: str, amount: Any, **facts: Any) -> bool:
        """Pay in; `facts` are those of `CashIn`. Returns whether it was new, under its `key`."""
        return await self.record_cash(portfolio_id, {"kind": "deposit", "amount": amount, **facts})

    async def withdraw(self, portfolio_id: str, amount: Any, **facts: Any) -> bool:
        """Take out an amount above 0; `facts` are those of `CashIn`. Returns whether it was new, under its `key`."""
        return await self.record_cash(portfolio_id, {"kind": "withdrawal", "amount": amount, **facts})

    async def record_cash(self, portfolio_id: str, movement: CashIn | Mapping[str, Any]) -> bool:
        """Record a movement of cash, once by its key.

        Raises
        ------
        Conflict
            If another movement has the key, or the portfolio is archived.
        """
        asked = parsed(CashIn, _given(movement))
        return await asyncio.to_thread(self.portfolio_manager.record_cash, portfolio_id, asked)

    async def record_action(self, portfolio_id: str, action: ActionIn | Mapping[str, Any]) -> bool:
        """Record a split or a cash dividend, once by its id; return whether it was new.

        Quantity, average cost and lots change, or the dividend is paid for what was held before. Trades that come
        late are taken into account: what was paid too much or too little is booked as a movement of its own.

        Raises
        ------
        Conflict
            If another action has the id, or the portfolio is archived.
        InputError, NotFound
            If it is none or becomes effective later than now, or there is no such portfolio.
        """
        asked = parsed(ActionIn, _given(action))
        return await asyncio.to_thread(self.portfolio_manager.record_action, portfolio_id, asked)

    async def value_portfolio(
        self, portfolio_id: str, prices: Mapping[str, Any] | None = None, *, rates: Rates | None = None
    ) -> PortfolioOut:
        """Value a portfolio now, and keep what it is worth.

        Parameters
        ----------
        portfolio_id : str
            Which one.
        prices : mapping of str to number, optional
            Of what it holds; None: the last closes of the market data, of the last ten days.
        rates : Rates, optional
            Of other currencies to the portfolio's.

        Raises
        ------
        DataError, InputError
            If there is no price or no rate of something that it holds.
        """
        found = await self._prices_of(portfolio_id, (), prices, {})
        return await asyncio.to_thread(self.portfolio_manager.value, portfolio_id, found, rates)

    # --- rebalancing ---

    async def rebalance_portfolio(
        self,
        portfolio_id: str,
        target_allocations: Mapping[str, Any],
        method: str = "full_rebalance",
        *,
        tax_optimization: bool = False,
        dry_run: bool = True,
        rates: Rates | None = None,
        **options: Any,
    ) -> RebalanceAnswer:
        """Plan to bring a portfolio to target weights, and carry it out unless it is a dry run.

        Parameters
        ----------
        portfolio_id : str
            Which one.
        target_allocations : mapping of str to number
            Fractions of the portfolio; what is missing to 1 stays cash.
        method : str
            The `rebalance_method` of the request.
        tax_optimization, dry_run, **options
            As in `RebalanceRequest`.
        rates : Rates, optional
            Of other currencies to the portfolio's.

        Returns
        -------
        RebalanceAnswer
            The plan, which is kept: `execute_rebalance` carries it out later.

        Raises
        ------
        InputError
            As `portfolio.plan_rebalance`.
        Conflict
            As `execute_rebalance`.
        """
        body = {
            "target_allocations": dict(target_allocations), "rebalance_method": method,
            "tax_optimization": tax_optimization, "dry_run": dry_run, **options,
        }  # fmt: skip
        return await self.start_rebalance(portfolio_id, body, rates=rates)

    async def start_rebalance(
        self, portfolio_id: str, request: RebalanceRequest | Mapping[str, Any], *, rates: Rates | None = None
    ) -> RebalanceAnswer:
        """Do the same for the body of `POST /portfolio/{portfolio_id}/rebalance`."""
        asked = parsed(RebalanceRequest, _given(request))
        stored = await self._stored(portfolio_id)  # before prices: what happens meanwhile makes the plan stale
        prices = await self._prices_of(portfolio_id, asked.target_allocations, asked.prices, asked.asset_types)
        plan = await asyncio.to_thread(self.rebalancer.plan, stored, asked, prices, rates)
        if not asked.dry_run:
            return await self.execute_rebalance(plan.id)
        return await asyncio.to_thread(self.rebalancer.answer, plan.id)

    async def execute_rebalance(self, rebalance_id: str, *, wait: bool | float = False) -> RebalanceAnswer:
        """Put carrying out a plan into the queue; one that stopped goes on where it was.

        Parameters
        ----------
        rebalance_id : str
            `reb_…`.
        wait : bool or float
            Whether to wait until the job is over, or for so many seconds at most.

        Raises
        ------
        Conflict
            If something happened in the portfolio since it was planned, another plan is under way, or it is over.
        NotFound
            If there is none.
        """
        await asyncio.to_thread(self.rebalancer.rebalances.begin, rebalance_id)
        job = await asyncio.to_thread(self._enqueued, REBALANCE, {"rebalance_id": rebalance_id}, rebalance_id)
        await asyncio.to_thread(self.rebalancer.rebalances.set_job, rebalance_id, job.id)
        if wait is not False:
            await self._queue.wait(job.id, None if wait is True else float(wait))
        return await asyncio.to_thread(self.rebalancer.answer, rebalance_id)

    async def cancel_rebalance(self, rebalance_id: str, *, leave_unknown: bool = False) -> RebalanceAnswer:
        """Give up a plan that stopped or did not begin, so that another may; orders that were sent stay recorded.

        Parameters
        ----------
        rebalance_id : str
            `reb_…`.
        leave_unknown : bool
            Whether to cancel even if it cannot be told now what became of an order that may have been sent. Cancel
            again later to have its fills recorded.

        Raises
        ------
        Conflict
            If it is under way, or over.
        VenueUnavailable
            If it cannot be told what became of an order.
        NotFound
            If there is none.
        """
        return await asyncio.to_thread(self.rebalancer.cancel, rebalance_id, leave_unknown=leave_unknown)

    async def rebalance_status(self, portfolio_id: str, rebalance_id: str | None = None) -> RebalanceAnswer:
        """Return how far a plan is; without an id the last one of the portfolio.

        Raises
        ------
        NotFound
            If there is none.
        """
        if rebalance_id is None:
            page = await asyncio.to_thread(self.rebalancer.rebalances.list, portfolio_id, limit=1)
            if not page.items:
                raise NotFound(f"{portfolio_id} has no rebalancing; plan one with rebalance_portfolio")
            rebalance_id = page.items[0].id
        found = await asyncio.to_thread(self.rebalancer.answer, rebalance_id)
        if found.portfolio_id != portfolio_id:
            raise NotFound(f"{portfolio_id} has no rebalancing {rebalance_id}")
        return found

    # --- performance ---

    async def calculate_performance(
        self,
        portfolio_id: str,
        period: str = "1y",
        benchmark: str | None = None,
        *,
        rates: Rates | pd.DataFrame | None = None,
    ) -> PerformanceAnswer:
        """Value every day at its closes, keep the rows, and return measures and charts of a period.

        Parameters
        ----------
        portfolio_id : str
            Which one.
        period : str
            "5d", "6mo", "1y", "ytd" or "max", up to the last day with closes.
        benchmark : str, optional
            A symbol.
        rates : Rates or DataFrame, optional
            Of other currencies to the portfolio's: one for all days, or a row for each day and a column for each
            currency, which is what makes the effect of currencies visible.

        Raises
        ------
        DataError
            If there are no closes or rates of something that was held.
        InputError
            If the account has several currencies and there are no rates.
        """
        stored = await self._stored(portfolio_id)
        closes, base = await self._closes(stored, benchmark)
        await asyncio.to_thread(self.performance_analyzer.update, stored, closes, rates)
        return await asyncio.to_thread(self.performance_analyzer.answer, portfolio_id, period, benchmark, base)

    async def performance_metrics(
        self, portfolio_id: str, start: datetime | None = None, end: datetime | None = None
    ) -> pd.DataFrame:
        """Return the rows that are kept, by day: see `PerformanceStore.rows`."""
        store = self.performance_analyzer.performance
        return await asyncio.to_thread(store.rows, portfolio_id, start, end)

    async def attribution(
        self, portfolio_id: str, period: str = "max", *, rates: Rates | pd.DataFrame | None = None
    ) -> AttributionAnswer:
        """Return where the return of a period came from, by strategy and by asset; `rates` as in performance."""
        stored = await self._stored(portfolio_id)
        closes, _ = await self._closes(stored, None)
        return await asyncio.to_thread(self.performance_analyzer.attribution, stored, period, closes, rates)

    # --- reports ---

    async def generate_report(
        self, portfolio_id: str, report_type: str = "monthly_performance", format: str = "pdf", **options: Any
    ) -> ReportAnswer:
        """Ask for a report; `options` are the rest of `ReportRequest`, `wait` among them as in `start_report`."""
        wait = options.pop("wait", False)
        return await self.start_report(
            portfolio_id, {"report_type": report_type, "format": format, **options}, wait=wait
        )

    async def start_report(
        self, portfolio_id: str, request: ReportRequest | Mapping[str, Any], *, wait: bool | float = False
    ) -> ReportAnswer:
        """Put a report into the queue: the body of `POST /portfolio/{portfolio_id}/report`.

        Raises
        ------
        InputError, NotFound
            If the request is none, or there is no such portfolio.
        """
        asked = parsed(ReportRequest, _given(request))
        stored = await self._stored(portfolio_id)
        report = await asyncio.to_thread(self.report_generator.ask, stored, asked)
        job = await asyncio.to_thread(self._enqueued, REPORT, {"report_id": report.id}, report.id)
        await asyncio.to_thread(self.report_generator.reports.set_job, report.id, job.id)
        if wait is not False:
            await self._queue.wait(job.id, None if wait is True else float(wait))
        return await self.report(report.id)

    async def report(self, report_id: str) -> ReportAnswer:
        """Return where a report stands; `download` is where its content can be had once it is there.

        Raises
        ------
        NotFound
            If there is none.
        """
        found = await asyncio.to_thread(self.report_generator.reports.get, report_id)
        job = None if found.job_id is None else await asyncio.to_thread(self._queue.get, found.job_id)
        return _report_out(found, job)

    async def report_content(self, report_id: str) -> bytes:
        """Return the bytes of a report.

        Raises
        ------
        Conflict
            If it is not there yet, or could not be made; the message says which.
        """
        content = await asyncio.to_thread(self.report_generator.reports.content, report_id)
        if content is None:
            found = await self.report(report_id)
            raise Conflict(f"{report_id} is {found.status}, so it has no content{': ' if found.error else ''}"
                           f"{found.error or ''}")  # fmt: skip
        return content

    async def list_reports(
        self, portfolio_id: str, *, cursor: str | None = None, limit: int = 50
    ) -> Page[StoredReport]:
        """Return the reports on a portfolio, the newest first, a page at a time."""
        store = self.report_generator.reports
        return await asyncio.to_thread(store.list, portfolio_id, cursor=cursor, limit=limit)

    # --- workers ---

    @property
    def handlers(self) -> dict[str, Callable[[JobContext], Any]]:
        """What a worker needs to do the jobs of this service; see `algotrendy.jobs.Worker`."""
        return {REBALANCE: self.rebalancer.work, REPORT: self._make_report}

    def _make_report(self, context: JobContext) -> dict[str, Any]:
        generator = self.report_generator
        report = generator.reports.get(context.payload["report_id"])
        stored = self.portfolio_manager.portfolios.get(report.portfolio_id)
        asked = generator.request_of(report)
        closes, base = None, None
        if asked.report_type != "tax":
            closes, base = wait_for(self._closes(stored, asked.benchmark))
        context.raise_if_cancelled()
        made = generator.make(stored, report, closes, base)  # type: ignore[arg-type]  # a tax report reads no closes
        return {"report_id": made.id, "delivery": made.delivery}

    def _enqueued(self, kind: str, payload: dict[str, Any], base: str) -> Job:
        """Return the job under a key: the one that is there, or a new one where that is over."""
        key = base
        while True:
            job = self._queue.enqueue(kind, payload, key=key)
            if not job.is_finished:
                return job
            key = f"{base}:{job.id}"

    # --- prices ---

    async def _stored(self, portfolio_id: str) -> StoredPortfolio:
        return await asyncio.to_thread(self.portfolio_manager.portfolios.get, portfolio_id)

    async def _prices_of(
        self,
        portfolio_id: str,
        wanted: Iterable[str],
        given: Mapping[str, Any] | None,
        kinds: Mapping[str, str],
    ) -> dict[str, Decimal]:
        """Return a price for all that is held or wanted."""
        if given is not None:
            return {name: as_decimal(price, f"the price of {name}") for name, price in given.items()}
        held = await asyncio.to_thread(self.portfolio_manager.held, portfolio_id)
        symbols = {**dict.fromkeys(wanted, ""), **kinds, **held}
        if not symbols:
            return {}
        return latest(await self._prices.closes(symbols, datetime.now(UTC) - _FRESH))

    async def _closes(
        self, stored: StoredPortfolio, benchmark: str | None
    ) -> tuple[pd.DataFrame, pd.Series[float] | None]:
        """Return closes of all that was ever held, and those of a benchmark."""
        import pandas as pd

        symbols = await asyncio.to_thread(self.portfolio_manager.accounts.asset_types, stored.id)
        if not symbols and benchmark is None:
            raise InputError(f"{stored.id} never held anything, so there are no days to value; record a trade first")
        start = await asyncio.to_thread(self.portfolio_manager.began_at, stored.id)
        closes = await self._prices.closes(symbols, start) if symbols else None
        if benchmark is None:
            return pd.DataFrame(closes), None
        kinds = {benchmark: symbols.get(benchmark, "")}
        base = (await self._prices.closes(kinds, start, adjusted=None))[benchmark].dropna()
        return pd.DataFrame(index=base.index) if closes is None else closes, base


def _given(request: Any) -> Any:
    return dict(request) if isinstance(request, Mapping) else request


def _report_out(found: StoredReport, job: Job | None) -> ReportAnswer:
    is_there = found.finished_at is not None
    status = "completed" if is_there else "queued" if job is None else str(job.status)
    return ReportAnswer(
        report_id=found.id, portfolio_id=found.portfolio_id, report_type=found.report_type, format=found.format,
        status=status, recipients=found.recipients, delivery=found.delivery,
        download=f"/api/v1/portfolio/reports/{found.id}?content=true" if is_there else None,
        error=None if job is None else job.error, created_at=found.created_at, finished_at=found.finished_at,
    )  # fmt: skip
