"""Backtests, walks, simulations and optimisations as one facade: computed here, or by a worker through the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.fingerprint import fingerprint
from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.services.analysis import (
    AIStrategyDiscovery,
    MonteCarloSimulator,
    ResultAnalyzer,
    VectorizedBacktester,
    WalkForwardAnalyzer,
)
from algotrendy.services.choosing import AnyStrategy, Chooser
from algotrendy.services.definitions import Registered, can_be_rebuilt
from algotrendy.services.documents import OptimizedStrategy, answerable, backtest_of, table_of, walk_of
from algotrendy.services.models_account import BacktestConfig
from algotrendy.services.models_runs import (
    ASKED,
    BacktestAnswer,
    BacktestRequest,
    CompareRequest,
    ComparisonAnswer,
    MonteCarloAnswer,
    MonteCarloConfig,
    MonteCarloRequest,
    OptimizationAnswer,
    OptimizationConfig,
    OptimizationRequest,
    ResultsAnswer,
    StatusAnswer,
    WalkForwardAnswer,
    WalkForwardConfig,
    WalkForwardRequest,
    parsed,
)
from algotrendy.services.runs import KINDS, BarSource, Run, Runs, Tools, id_as, kind_and_uuid
from algotrendy.storage.ids import PREFIXES, id_of, uuid_of
from algotrendy.storage.jobs import JobStatus
from algotrendy.storage.records import Page

if TYPE_CHECKING:
    from algotrendy.backtest.monte_carlo import MonteCarloResult
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.result import BacktestResult
    from algotrendy.backtest.trials import TrialLedger
    from algotrendy.backtest.walk_forward import WalkForwardResult
    from algotrendy.compute import Executor
    from algotrendy.jobs import Job, JobContext, JobQueue
    from algotrendy.storage.results import ResultStore, StoredResult
    from algotrendy.storage.strategies import StrategyStore

__all__ = ["BacktestingService", "Submitted"]


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """What became of a run that was asked for: a stored result, or a job."""

    kind: str
    stored: StoredResult | None = None
    job: Job | None = None
    cached: bool = False

    @property
    def run_id(self) -> str:
        """The identity of the run."""
        known = self.stored or self.job
        assert known is not None
        return id_as(self.kind, known.id)


class BacktestingService:
    """Backtests, walk-forward, Monte Carlo, optimisation: results are kept, and the same again is not computed twice.

    `run_…` computes in a thread of this process and returns what the library returns. `start_…` takes a request from
    outside, puts a job into the queue and answers at once with its identity; a worker does it, see
    `Platform.start_workers`.

    Parameters
    ----------
    backtester : VectorizedBacktester, optional
        Backtests and sweeps.
    walk_forward : WalkForwardAnalyzer, optional
        Walks.
    monte_carlo : MonteCarloSimulator, optional
        Simulations.
    result_analyzer : ResultAnalyzer, optional
        Comparisons, and what of a result is answered.
    bars : BarSource
        Where bars come from.
    strategies : StrategyStore
        Stored strategies.
    results : ResultStore
        Where results are kept.
    queue : JobQueue
        Where jobs are put.
    strategy_discovery : AIStrategyDiscovery, optional
        Searches; here because workers of this service do them.
    registered : mapping, optional
        Strategies of the installed program that a definition may name.
    ledger : TrialLedger, optional
        Counts what was tried.
    checkpoints : Path, optional
        The folder in which long runs keep what is done.
    workers : int, optional
        Cores of one run; None: all.
    executor : Executor, optional
        Where runs are computed: threads, processes, or tasks of a Ray cluster; the numbers do not depend on it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from algotrendy import strategies
    >>> from algotrendy.compute import wait_for
    >>> from algotrendy.config import Settings
    >>> from algotrendy.services import BacktestConfig, Platform
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     platform = Platform.local(settings=Settings(source="sample", ledger=False), home=Path(folder))
    ...     config = BacktestConfig(symbol="NASDAQ", asset_class="index", start_date="2015-01-01")
    ...     result = wait_for(platform.backtesting.run_backtest(strategies.sma_cross(), config))
    ...     wait_for(platform.close())
    >>> result.metrics["n_bars"]
    1006
    """

    def __init__(
        self,
        backtester: VectorizedBacktester | None = None,
        walk_forward: WalkForwardAnalyzer | None = None,
        monte_carlo: MonteCarloSimulator | None = None,
        result_analyzer: ResultAnalyzer | None = None,
        *,
        bars: BarSource,
        strategies: StrategyStore,
        results: ResultStore,
        queue: JobQueue,
        strategy_discovery: AIStrategyDiscovery | None = None,
        registered: Registered | None = None,
        ledger: TrialLedger | None = None,
        checkpoints: Path | None = None,
        workers: int | None = None,
        executor: Executor | None = None,
    ) -> None:
        tools = Tools(
            backtester=backtester or VectorizedBacktester(),
            walk_forward=walk_forward or WalkForwardAnalyzer(),
            monte_carlo=monte_carlo or MonteCarloSimulator(),
            strategy_discovery=strategy_discovery or AIStrategyDiscovery(),
            registered=registered or {},
            ledger=ledger,
            checkpoints=checkpoints,
            workers=workers,
            executor=executor,
        )
        self.backtester, self.walk_forward, self.monte_carlo = tools.backtester, tools.walk_forward, tools.monte_carlo
        self.result_analyzer, self.strategy_discovery = result_analyzer or ResultAnalyzer(), tools.strategy_discovery
        self._runs = Runs(tools, results, bars)
        self._chooser = Chooser(strategies, tools.registered)
        self._results, self._queue = results, queue

    # --- computed here and now ---

    async def run_backtest(
        self, strategy: AnyStrategy, config: BacktestConfig | Mapping[str, Any]
    ) -> BacktestResult | PortfolioResult:
        """Return the backtest of a strategy; of several symbols that of one account.

        Parameters
        ----------
        strategy : Strategy, StrategyTemplate, PythonStrategy, BarStrategy, callable, str or mapping
            What decides; or the identity of a stored strategy, or a definition; or several strategies with their
            shares, `{"trend": (strategy, 0.6), "mean": (other, 0.4)}`.
        config : BacktestConfig
            How, and on what.

        Raises
        ------
        InputError, DataError, NotFound, VenueError
            As `at.backtest` and `at.load`; NotFound if there is no such stored strategy.
        """
        run = await self.prepared("backtest", strategy, parsed(BacktestConfig, _given(config)))
        result: BacktestResult | PortfolioResult = await asyncio.to_thread(self._found_or_computed, run, backtest_of)
        return result

    async def run_walk_forward(
        self, strategy: AnyStrategy, config: WalkForwardConfig | Mapping[str, Any]
    ) -> WalkForwardResult:
        """Return the walk of a strategy; `strategy` as in `run_backtest`."""
        run = await self.prepared("walk_forward", strategy, parsed(WalkForwardConfig, _given(config)))
        walk: WalkForwardResult = await asyncio.to_thread(self._found_or_computed, run, walk_of)
        return walk

    async def run_monte_carlo(
        self, strategy: AnyStrategy, config: MonteCarloConfig | Mapping[str, Any]
    ) -> MonteCarloResult:
        """Return paths of the backtest of a strategy; `strategy` as in `run_backtest`.

        The paths are drawn each time: they are not kept, what they say together is.
        """
        run = await self.prepared("monte_carlo", strategy, parsed(MonteCarloConfig, _given(config)))
        found: MonteCarloResult = await asyncio.to_thread(self._runs.drawn, run)
        return found

    async def run_optimization(
        self, strategy: AnyStrategy, config: OptimizationConfig | Mapping[str, Any]
    ) -> OptimizedStrategy:
        """Return the best of many sets of parameters; `strategy` as in `run_backtest`."""
        run = await self.prepared("sweep", strategy, parsed(OptimizationConfig, _given(config)))

        def optimized() -> OptimizedStrategy:
            known = self._runs.found(run)
            stored = known or self._runs.compute(run)
            return self._optimized(run, stored, cached=known is not None)

        return await asyncio.to_thread(optimized)

    # --- through the queue ---

    async def start_backtest(self, request: BacktestRequest | Mapping[str, Any]) -> BacktestAnswer:
        """Put a backtest into the queue, or answer with the result of the same one before.

        Parameters
        ----------
        request : BacktestRequest or mapping
            The body of `POST /backtest`. With `wait` the answer comes when it is done, or after so many seconds.

        Raises
        ------
        InputError, DataError, NotFound, VenueError
            If the request is none, there is no such strategy, or no such bars.
        """
        asked = parsed(BacktestRequest, _given(request))
        done = await self._started("backtest", asked, BacktestConfig)
        return BacktestAnswer(backtest_id=done.run_id, **await self._answer(done))

    async def start_walk_forward(self, request: WalkForwardRequest | Mapping[str, Any]) -> WalkForwardAnswer:
        """Put a walk into the queue: the body of `POST /backtest/walk-forward`; as `start_backtest`."""
        asked = parsed(WalkForwardRequest, _given(request))
        done = await self._started("walk_forward", asked, WalkForwardConfig)
        return WalkForwardAnswer(walk_forward_id=done.run_id, **await self._answer(done))

    async def start_monte_carlo(self, request: MonteCarloRequest | Mapping[str, Any]) -> MonteCarloAnswer:
        """Put a simulation into the queue: the body of `POST /backtest/monte-carlo`; as `start_backtest`."""
        asked = parsed(MonteCarloRequest, _given(request))
        done = await self._started("monte_carlo", asked, MonteCarloConfig)
        return MonteCarloAnswer(simulation_id=done.run_id, **await self._answer(done))

    async def start_optimization(self, request: OptimizationRequest | Mapping[str, Any]) -> OptimizationAnswer:
        """Put an optimisation into the queue: the body of `POST /backtest/optimize`; as `start_backtest`."""
        asked = parsed(OptimizationRequest, _given(request))
        done = await self._started("sweep", asked, OptimizationConfig)
        return OptimizationAnswer(optimization_id=done.run_id, **await self._answer(done))

    async def get_status(self, run_id: str) -> StatusAnswer:
        """Return where a run stands: its share done, and when it will be done.

        Raises
        ------
        NotFound
            If there is no such run.
        """
        kind, result_id = kind_and_uuid(run_id)
        job = await self._job(result_id)
        if job is not None:
            return _status(run_id, kind, job)
        stored = await asyncio.to_thread(self._results.get, result_id)
        return StatusAnswer(
            id=run_id, kind=kind, job_id=stored.job_id, status="completed", progress=1.0, finished_at=stored.created_at
        )

    async def get_results(self, run_id: str) -> ResultsAnswer:
        """Return everything that came of a run.

        Raises
        ------
        Conflict
            If it is not done, or failed, or was cancelled; the message says which.
        NotFound
            If there is no such run.
        """
        kind, result_id = kind_and_uuid(run_id)
        stored = await self._stored(run_id, result_id)
        return ResultsAnswer(
            id=id_as(kind, stored.id),
            kind=stored.kind,
            job_id=stored.job_id,
            strategy_id=stored.strategy_id,
            strategy_version=stored.strategy_version,
            definition=answerable(stored.definition),
            assumptions=answerable(stored.assumptions),
            metrics=answerable(stored.metrics),
            result=await self._details(stored),
            created_at=stored.created_at,
        )

    async def list_results(
        self,
        *,
        kind: str | None = None,
        strategy_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[StoredResult]:
        """Return what is known of results, the newest first, a page at a time."""
        if kind is not None and kind not in KINDS:
            raise InputError(f"kind is {kind!r}; expected one of {', '.join(KINDS)}")
        return await asyncio.to_thread(
            self._results.list, kind=kind, strategy_id=strategy_id, cursor=cursor, limit=limit
        )

    async def cancel(self, run_id: str) -> StatusAnswer:
        """Cancel a run: at once if nobody works on it, else its worker hears it within a second; what is done stays.

        Raises
        ------
        NotFound
            If there is no such run, or it was computed without a job.
        """
        kind, result_id = kind_and_uuid(run_id)
        job = await asyncio.to_thread(self._queue.cancel, _job_id(result_id))
        return _status(run_id, kind, job)

    async def compare(self, request: CompareRequest | Mapping[str, Any]) -> ComparisonAnswer:
        """Return several backtests, or the joined accounts of walks, side by side.

        Raises
        ------
        InputError
            If a run has no account, or a metric is unknown.
        """
        asked = parsed(CompareRequest, _given(request))
        results = {run_id: await self._account(run_id) for run_id in asked.backtest_ids}
        return await asyncio.to_thread(self._compared, results, asked.metrics)

    @property
    def handlers(self) -> dict[str, Callable[[JobContext], Any]]:
        """What a worker needs to do the jobs of this service; see `algotrendy.jobs.Worker`."""
        return self._runs.handlers

    # --- runs ---

    async def prepared(
        self, kind: str, strategy: AnyStrategy, config: BacktestConfig, version: int | None = None
    ) -> Run:
        """Return a run with its strategy read and its bars loaded; `strategy` None for a discovery."""
        found = await self._chooser.chosen(strategy, config, version)
        config = config.model_copy(update={name: value for name, value in found.market.items() if value is not None})
        run = replace(found.run, kind=kind, config=config)
        run.check()
        return replace(run, bars=await self._runs.loaded(config))

    async def finished(self, run: Run) -> dict[str, Any]:
        """Return what came of a run, in plain values: the stored result, or one that is computed here and now."""
        known = await asyncio.to_thread(self._runs.found, run)
        stored = await asyncio.to_thread(self._runs.compute, run) if known is None else known
        return await self._details(stored)

    def with_discovery(self, strategy_discovery: AIStrategyDiscovery) -> BacktestingService:
        """Return the same service with another search."""
        other = copy(self)
        other.strategy_discovery = strategy_discovery
        tools = replace(self._runs.tools, strategy_discovery=strategy_discovery)
        other._runs = Runs(tools, self._results, self._runs.source)
        return other

    async def submit(self, run: Run, wait: bool | float = False) -> Submitted:
        """Put a run into the queue unless its result is there; wait for it if that is wanted.

        Raises
        ------
        InputError
            If its strategy is a function or a class that another process could not find.
        """
        if not can_be_rebuilt(run.definition):
            raise InputError(
                "a function or a class cannot be put into the queue; register it under a name, or run it here with"
                " run_backtest"
            )
        stored = await asyncio.to_thread(self._runs.found, run)
        if stored is not None:
            return Submitted(kind=run.kind, stored=stored, cached=True)
        job = await asyncio.to_thread(self._enqueued, run)
        if wait is not False:
            job = await self._queue.wait(job.id, None if wait is True else float(wait))
        return await asyncio.to_thread(self._submitted, run.kind, job)

    async def submitted(self, run_id: str) -> Submitted:
        """Return what became of a run that was put into the queue before.

        Raises
        ------
        NotFound
            If there is no such run.
        """
        kind, result_id = kind_and_uuid(run_id)
        job = await self._job(result_id)
        if job is None:
            stored = await asyncio.to_thread(self._results.get, result_id)
            return Submitted(kind=kind, stored=stored)
        return await asyncio.to_thread(self._submitted, kind, job)

    async def _started(self, kind: str, asked: Any, model: type[BacktestConfig]) -> Submitted:
        config = model.model_validate(asked.model_dump(exclude=set(ASKED)))
        strategy = asked.strategy if asked.strategy_id is None else asked.strategy_id
        run = await self.prepared(kind, strategy, config, asked.strategy_version)
        return await self.submit(run, asked.wait)

    def _enqueued(self, run: Run) -> Job:
        """Return the job of a run: the one that is there, or a new one where that failed or was cancelled."""
        payload = {
            "config": run.config.model_dump(mode="json"),
            "definition": dict(run.definition),
            "strategy_id": run.strategy_id,
            "strategy_version": run.strategy_version,
        }
        base = f"{run.content_hash}:{fingerprint(payload)}"
        key = base
        while True:
            job = self._queue.enqueue(run.kind, payload, key=key)
            if not job.is_finished:
                return job
            key = f"{base}:{job.id}"

    def _submitted(self, kind: str, job: Job) -> Submitted:
        if job.status is not JobStatus.COMPLETED:
            return Submitted(kind=kind, job=job)
        stored = self._results.get(job.result["result_id"])
        return Submitted(kind=kind, job=job, stored=stored, cached=bool(job.result["cached"]))

    async def _answer(self, done: Submitted) -> dict[str, Any]:
        """Return what every answer to a request says."""
        if done.stored is None:
            assert done.job is not None
            return {"job_id": done.job.id, "status": str(done.job.status), "error": done.job.error}
        job_id = done.stored.job_id if done.job is None else done.job.id
        result = await self._details(done.stored)
        content = {"metrics": answerable(done.stored.metrics), **result}
        return {"job_id": job_id, "status": "completed", "cached": done.cached, "result": content}

    # --- strategies and results ---

    def _found_or_computed(self, run: Run, read: Callable[[bytes], Any]) -> Any:
        known = self._runs.found(run)
        document = None if known is None else self._results.document(known.id)
        return self._runs.computed(run)[0] if document is None else read(document)

    def _optimized(self, run: Run, stored: StoredResult, *, cached: bool) -> OptimizedStrategy:
        metrics, document = stored.metrics, self._results.document(stored.id)
        best = dict(metrics["best_params"])
        costs = ("commission", "slippage", "borrow")
        assert run.strategy is not None
        assert document is not None
        return OptimizedStrategy(
            strategy=run.strategy.with_params(**{name: best[name] for name in best if name not in costs}),
            parameters=best,
            metric=metrics["metric"],
            value=metrics["best_value"],
            table=table_of(document),
            overfitting=dict(metrics["overfitting"]),
            result_id=id_as("sweep", stored.id),
            cached=cached,
        )

    async def _job(self, result_id: str) -> Job | None:
        try:
            return await asyncio.to_thread(self._queue.get, _job_id(result_id))
        except NotFound:
            return None

    async def _stored(self, run_id: str, result_id: str) -> StoredResult:
        job = await self._job(result_id)
        if job is None or job.status is JobStatus.COMPLETED:
            own = result_id if job is None else job.result["result_id"]
            return await asyncio.to_thread(self._results.get, own)
        reason = f": {job.error}" if job.status is JobStatus.FAILED else ""
        hint = "" if job.is_finished else "; ask for its status, and again when it is completed"
        raise Conflict(f"{run_id} is {job.status}, so it has no result{reason}{hint}")

    async def _details(self, stored: StoredResult) -> dict[str, Any]:
        document = await asyncio.to_thread(self._results.document, stored.id)
        if document is None:
            return {}
        return await asyncio.to_thread(self.result_analyzer.details, stored.kind, document)

    async def _account(self, run_id: str) -> BacktestResult | PortfolioResult:
        kind, result_id = kind_and_uuid(run_id)
        stored = await self._stored(run_id, result_id)
        document = await asyncio.to_thread(self._results.document, stored.id)
        if document is None or kind not in ("backtest", "walk_forward"):
            raise InputError(f"{run_id} is a {kind}, which has no account to compare; give backtests or walks")
        if kind == "backtest":
            return await asyncio.to_thread(backtest_of, document)
        joined = (await asyncio.to_thread(walk_of, document)).out_of_sample
        if joined is None:
            raise InputError(f"{run_id} finished no window, so it has no account to compare")
        return joined

    def _compared(
        self, results: Mapping[str, BacktestResult | PortfolioResult], metrics: list[str] | None
    ) -> ComparisonAnswer:
        found = self.result_analyzer.compare(results, metrics)
        facts = found.differences
        return ComparisonAnswer(
            metrics=answerable(found.table.to_dict("index")),
            best=found.best,
            correlation=answerable(found.correlation.to_dict("index")),
            differences={str(fact): {str(run): str(value) for run, value in row.items()}
                         for fact, row in facts.to_dict("index").items()},
            warnings=list(found.warnings),
        )  # fmt: skip


def _given(request: Any) -> Any:
    return dict(request) if isinstance(request, Mapping) else request


def _job_id(result_id: str) -> str:
    return id_of(PREFIXES["jobs"], uuid_of(PREFIXES["backtest_results"], result_id))


def _status(run_id: str, kind: str, job: Job) -> StatusAnswer:
    done, total = job.progress_done, job.progress_total
    share = 1.0 if job.status is JobStatus.COMPLETED else None if not total or done is None else done / total
    eta = None if job.is_finished else job.expected_at
    left = None if eta is None else max((eta - datetime.now(UTC)).total_seconds(), 0.0)
    return StatusAnswer(
        id=run_id, kind=kind, job_id=job.id, status=str(job.status), progress=share, message=job.progress_message,  # type: ignore[arg-type]  # one of the five
        eta=eta, eta_seconds=left, error=job.error, created_at=job.created_at, started_at=job.started_at,
        finished_at=job.finished_at,
    )  # fmt: skip
