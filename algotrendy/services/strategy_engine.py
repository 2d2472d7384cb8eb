"""Strategies as they are kept, tested, searched for and put to work, as one facade."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.discovery.limits import complexity, direction
from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.services.backtesting import BacktestingService, Submitted
from algotrendy.services.choosing import AnyStrategy
from algotrendy.services.compositions import Composition
from algotrendy.services.definitions import Registered, normal_definition, registry, strategy_of, with_stored
from algotrendy.services.deployer import StrategyDeployer
from algotrendy.services.models_account import BacktestConfig
from algotrendy.services.models_runs import (
    BacktestAnswer,
    BacktestBody,
    BacktestRequest,
    OptimizationAnswer,
    OptimizationBody,
    OptimizationConfig,
    OptimizationRequest,
    ResultsAnswer,
    parsed,
)
from algotrendy.services.models_strategies import (
    DeploymentOut,
    DeployRequest,
    DiscoveryAnswer,
    DiscoveryRequest,
    DiscoveryStatus,
    StrategyDiscoveryConfig,
    StrategyIn,
    StrategyOut,
    StrategyUpdate,
    TemplateOut,
    ValidationAnswer,
)
from algotrendy.storage.deployments import OPEN_DEPLOYMENTS
from algotrendy.storage.records import Page
from algotrendy.storage.strategies import StrategyStatus
from algotrendy.strategy import Strategy
from algotrendy.strategy.library import LIBRARY

if TYPE_CHECKING:
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.result import BacktestResult
    from algotrendy.config import Settings
    from algotrendy.services.analysis import AIStrategyDiscovery
    from algotrendy.services.documents import OptimizedStrategy
    from algotrendy.storage.deployments import DeploymentStore
    from algotrendy.storage.results import ResultStore
    from algotrendy.storage.strategies import StoredStrategy, StrategyStore

__all__ = ["AdvancedBacktester", "StrategyEngineService", "StrategyOptimizer"]

_MARKET = ("symbol", "symbols", "interval", "source")


class AdvancedBacktester:
    """Backtests for the strategy engine: the same runs, jobs and results as the backtesting service's.

    Parameters
    ----------
    service : BacktestingService
        Which computes them.
    """

    def __init__(self, service: BacktestingService) -> None:
        self._service = service

    async def run(
        self, strategy: AnyStrategy, config: BacktestConfig | Mapping[str, Any]
    ) -> BacktestResult | PortfolioResult:
        """Return the backtest of a strategy, computed here and now."""
        return await self._service.run_backtest(strategy, config)

    async def start(self, request: BacktestRequest | Mapping[str, Any]) -> BacktestAnswer:
        """Put a backtest into the queue."""
        return await self._service.start_backtest(request)

    async def results(self, run_id: str) -> ResultsAnswer:
        """Return everything that came of a run."""
        return await self._service.get_results(run_id)


class StrategyOptimizer:
    """Optimisations for the strategy engine: the same runs, jobs and results as the backtesting service's.

    Parameters
    ----------
    service : BacktestingService
        Which computes them.
    """

    def __init__(self, service: BacktestingService) -> None:
        self._service = service

    async def run(self, strategy: AnyStrategy, config: OptimizationConfig | Mapping[str, Any]) -> OptimizedStrategy:
        """Return the strategy with its best parameters, computed here and now."""
        return await self._service.run_optimization(strategy, config)

    async def start(self, request: OptimizationRequest | Mapping[str, Any]) -> OptimizationAnswer:
        """Put an optimisation into the queue."""
        return await self._service.start_optimization(request)


class StrategyEngineService:
    """Strategies with versions, the library, validation, discovery, backtests, optimisation and deployments.

    Parameters
    ----------
    strategy_discovery : AIStrategyDiscovery, optional
        Searches; by default that of the backtesting service, whose workers search for `start_discovery`.
    backtester : AdvancedBacktester, optional
        Backtests; by default through the backtesting service.
    optimizer : StrategyOptimizer, optional
        Optimises; by default through the backtesting service.
    deployer : StrategyDeployer
        Puts strategies to work.
    backtesting : BacktestingService
        One store of jobs and results for all of them.
    strategies : StrategyStore
        Stored strategies.
    deployments : DeploymentStore
        Their deployments.
    results : ResultStore
        Results that refer to strategies.
    registered : mapping, optional
        Strategies of the installed program that a definition may name; by default those of installed packages.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from algotrendy.compute import wait_for
    >>> from algotrendy.config import Settings
    >>> from algotrendy.services import Platform
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     platform = Platform.local(settings=Settings(ledger=False), home=Path(folder))
    ...     engine = platform.strategies
    ...     made = wait_for(engine.create_strategy({
    ...         "name": "Above its average", "asset_class": "index",
    ...         "definition": {"entry": "close > sma(close, n)", "exit": "close < sma(close, n)", "params": {"n": 50}},
    ...     }))
    ...     changed = wait_for(engine.update_strategy(made.strategy_id, {"status": "active"}))
    ...     wait_for(platform.close())
    >>> made.version, changed.version, changed.status
    (1, 2, <StrategyStatus.ACTIVE: 'active'>)
    """

    def __init__(
        self,
        strategy_discovery: AIStrategyDiscovery | None = None,
        backtester: AdvancedBacktester | None = None,
        optimizer: StrategyOptimizer | None = None,
        deployer: StrategyDeployer | None = None,
        *,
        backtesting: BacktestingService,
        strategies: StrategyStore,
        deployments: DeploymentStore,
        results: ResultStore,
        settings: Settings,
        registered: Registered | None = None,
    ) -> None:
        self.strategy_discovery = strategy_discovery or backtesting.strategy_discovery
        self._backtesting = backtesting.with_discovery(self.strategy_discovery)
        self.backtester = backtester or AdvancedBacktester(backtesting)
        self.optimizer = optimizer or StrategyOptimizer(backtesting)
        self.deployer = deployer or StrategyDeployer(deployments, settings)
        self._strategies, self._deployments, self._results = strategies, deployments, results
        self._registered = registry() if registered is None else registered

    # --- strategies ---

    async def create_strategy(self, strategy: StrategyIn | Mapping[str, Any]) -> StrategyOut:
        """Keep a new strategy; its definition is read first, so a mistake shows at once.

        Raises
        ------
        InputError
            If the strategy is none: the message says what is wrong, and where.
        """
        given = parsed(StrategyIn, _plain(strategy))
        content = given.model_dump(exclude={*_MARKET, "parameters", "definition"})
        market = {name: getattr(given, name) for name in _MARKET}
        definition = await self._whole(given.definition)
        if definition is not None:
            definition = normal_definition(definition, given.parameters, self._registered)
        elif given.parameters and not given.code:
            raise InputError("there are parameters and no definition that could use them; give one, or leave them out")
        stored = await asyncio.to_thread(
            self._strategies.create,
            definition=definition,
            parameters=_parameters(definition, given.parameters, market),
            **content,
        )
        return StrategyOut.of(stored)

    async def get_strategy(self, strategy_id: str, version: int | None = None) -> StrategyOut:
        """Return a strategy, as it is or as it was in a version; NotFound if there is none."""
        return StrategyOut.of(await asyncio.to_thread(self._strategies.get, strategy_id, version))

    async def list_strategies(
        self,
        *,
        status: str | None = None,
        asset_class: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[StrategyOut]:
        """Return strategies in their newest versions, newest strategies first, a page at a time."""
        page = await asyncio.to_thread(
            self._strategies.list, status=status, asset_class=asset_class, cursor=cursor, limit=limit
        )
        return Page(tuple(map(StrategyOut.of, page.items)), page.next_cursor)

    async def list_versions(self, strategy_id: str) -> list[StrategyOut]:
        """Return every version of a strategy, the oldest first; NotFound if there is none."""
        return [StrategyOut.of(each) for each in await asyncio.to_thread(self._strategies.history, strategy_id)]

    async def update_strategy(self, strategy_id: str, update: StrategyUpdate | Mapping[str, Any]) -> StrategyOut:
        """Change a strategy and return its new version; results and deployments keep the one that they were made of.

        Raises
        ------
        Conflict
            If somebody else was faster.
        InputError
            If what comes of it is no strategy, or nothing is to be changed.
        NotFound
            If there is none.
        """
        given = parsed(StrategyUpdate, _plain(update))
        changes = given.model_dump(exclude_unset=True, exclude={"expected_version"})
        if not changes:
            raise InputError("nothing is to be changed; name at least one field")
        return StrategyOut.of(await asyncio.to_thread(self._updated, strategy_id, changes, given.expected_version))

    async def delete_strategy(self, strategy_id: str) -> dict[str, Any]:
        """Delete a strategy; one that results or deployments refer to is archived instead.

        Returns
        -------
        dict
            `strategy_id`, `deleted` and `archived`: which of the two happened.

        Raises
        ------
        NotFound
            If there is none.
        Conflict
            If a deployment of it has not ended: stop it first.
        """
        return await asyncio.to_thread(self._deleted, strategy_id)

    async def validate_strategy(self, strategy: StrategyIn | Mapping[str, Any]) -> ValidationAnswer:
        """Return whether a strategy can run, and what is wrong with it; nothing is kept.

        Takes a whole strategy, or only a definition.
        """
        given = _plain(strategy)
        try:
            if isinstance(given, StrategyIn):
                given = given.model_copy(update={"definition": await self._whole(given.definition)})
            elif isinstance(given, Mapping) and "definition" in given:
                given = {**given, "definition": await self._whole(given["definition"])}
            return self._validated(await self._whole(given))
        except (InputError, NotFound) as error:
            return ValidationAnswer(is_valid=False, errors=[str(error)])

    async def list_registered(self) -> list[TemplateOut]:
        """Return the strategies of the installed program that a definition may name, with their parameters."""
        return [self._registered_one(name) for name in self._registered]

    async def list_templates(self) -> list[TemplateOut]:
        """Return the strategies of the library, with their texts and the ranges of their parameters."""
        return [_template(name) for name in LIBRARY]

    # --- tests of strategies ---

    async def backtest_strategy(
        self, strategy: AnyStrategy, config: BacktestConfig | Mapping[str, Any]
    ) -> BacktestResult | PortfolioResult:
        """Return the backtest of a strategy, as `BacktestingService.run_backtest`."""
        return await self.backtester.run(strategy, config)

    async def start_backtest(self, strategy_id: str, request: BacktestBody | Mapping[str, Any]) -> BacktestAnswer:
        """Put a backtest into the queue: the body of `POST /strategies/{strategy_id}/backtest`."""
        return await self.backtester.start({**_body(request), "strategy_id": strategy_id})

    async def get_backtest_results(self, backtest_id: str) -> ResultsAnswer:
        """Return everything that came of a backtest, as `BacktestingService.get_results`."""
        return await self.backtester.results(backtest_id)

    async def optimize_strategy(
        self, strategy: AnyStrategy, optimization_config: OptimizationConfig | Mapping[str, Any]
    ) -> OptimizedStrategy:
        """Return the strategy with its best parameters, as `BacktestingService.run_optimization`."""
        return await self.optimizer.run(strategy, optimization_config)

    async def start_optimization(
        self, strategy_id: str, request: OptimizationBody | Mapping[str, Any]
    ) -> OptimizationAnswer:
        """Put an optimisation into the queue: the body of `POST /strategies/{strategy_id}/optimize`."""
        return await self.optimizer.start({**_body(request), "strategy_id": strategy_id})

    # --- discovery ---

    async def discover_strategies(self, config: StrategyDiscoveryConfig | Mapping[str, Any]) -> list[Strategy]:
        """Search here and now, and return the finalists, best first; `start_discovery` says what they are worth, too.

        Raises
        ------
        InputError, DataError, VenueError
            As `discover` and `at.load`.
        ConfigError
            If no proposer of that method is set up.
        """
        asked = parsed(StrategyDiscoveryConfig, _plain(config))
        run = await self._backtesting.prepared("discovery", None, asked)
        found = await self._backtesting.finished(run)
        return [strategy_of(row["strategy"]) for row in found["finalists"]]  # type: ignore[misc]  # all are text

    async def start_discovery(self, request: DiscoveryRequest | Mapping[str, Any]) -> DiscoveryAnswer:
        """Put a search into the queue: the body of `POST /strategies/discover`; `strategies` is empty while it runs."""
        asked = parsed(DiscoveryRequest, _plain(request))
        self.strategy_discovery.proposer(asked.discovery_method)  # refused here, not in the worker
        config = StrategyDiscoveryConfig.model_validate(asked.model_dump(exclude={"wait"}))
        run = await self._backtesting.prepared("discovery", None, config)
        done = await self._backtesting.submit(run, asked.wait)
        return DiscoveryAnswer(**await self._discovery(done))

    async def get_discovery_status(self, discovery_id: str) -> DiscoveryStatus:
        """Return how far a search is, and what it found once it is done; NotFound if there is none."""
        done = await self._backtesting.submitted(discovery_id)
        status = await self._backtesting.get_status(discovery_id)
        content = await self._discovery(done)
        result = None if done.stored is None else (await self._backtesting.get_results(done.run_id)).result
        shown = {name: getattr(status, name) for name in ("progress", "eta", "eta_seconds")}
        return DiscoveryStatus(**{**content, "discovery_id": discovery_id, "result": result, **shown})

    # --- deployments ---

    async def deploy_strategy(self, strategy_id: str, request: DeployRequest | Mapping[str, Any]) -> DeploymentOut:
        """Put the present version of a strategy to work in a portfolio: on paper unless it says live.

        Raises
        ------
        NotFound, ConfigError, Conflict, InputError
            As `StrategyDeployer.deploy`.
        """
        asked = parsed(DeployRequest, _plain(request))
        stored = await asyncio.to_thread(self._strategies.get, strategy_id)
        strategy_of(stored.definition, None, self._registered)  # what cannot run cannot be put to work
        return DeploymentOut.of(await asyncio.to_thread(self.deployer.deploy, stored, asked))

    async def get_deployment(self, deployment_id: str) -> DeploymentOut:
        """Return a deployment; NotFound if there is none."""
        return DeploymentOut.of(await asyncio.to_thread(self._deployments.get, deployment_id))

    async def list_deployments(
        self,
        *,
        strategy_id: str | None = None,
        portfolio_id: str | None = None,
        status: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[DeploymentOut]:
        """Return deployments, the newest first, a page at a time."""
        chosen = {"strategy_id": strategy_id, "portfolio_id": portfolio_id, "status": status}
        page = await asyncio.to_thread(self._deployments.list, **chosen, cursor=cursor, limit=limit)
        return Page(tuple(map(DeploymentOut.of, page.items)), page.next_cursor)

    async def stop_deployment(self, deployment_id: str, reason: str = "stopped on request") -> DeploymentOut:
        """End a deployment; Conflict if it has ended already."""
        return DeploymentOut.of(await asyncio.to_thread(self.deployer.stop, deployment_id, reason))

    async def pause_deployment(self, deployment_id: str, reason: str = "paused on request") -> DeploymentOut:
        """Let a deployment place no orders until it is resumed; Conflict if it has ended."""
        return DeploymentOut.of(await asyncio.to_thread(self.deployer.pause, deployment_id, reason))

    async def resume_deployment(self, deployment_id: str, reason: str = "resumed on request") -> DeploymentOut:
        """Let a paused deployment go on; Conflict if it is not paused."""
        return DeploymentOut.of(await asyncio.to_thread(self.deployer.resume, deployment_id, reason))

    # --- helpers ---

    async def _whole(self, definition: Any) -> Any:
        """Return a definition with the stored strategies that it names in full."""
        return await asyncio.to_thread(with_stored, definition, self._strategies.get)

    def _registered_one(self, name: str) -> TemplateOut:
        definition = normal_definition({"registered": name}, None, self._registered)
        made: Any = strategy_of(definition, None, self._registered)
        return TemplateOut(
            name=name,
            title=made.name or type(made).__name__,
            description=made.description or "",
            parameters=_shown(made),
            definition=definition,
        )

    def _updated(self, strategy_id: str, changes: dict[str, Any], expected_version: int | None) -> StoredStrategy:
        before, changed = self._strategies.get(strategy_id), set(changes)
        old = dict(before.parameters)
        market = {**old.pop("market", {}), **{name: changes.pop(name) for name in _MARKET if name in changes}}
        if "symbol" in changed and market.get("symbol") is not None:
            market.pop("symbols", None)
        elif "symbols" in changed:
            market.pop("symbol", None)
        given = changes.pop("parameters", None)
        if "definition" in changes or given is not None:
            wanted = with_stored(changes.get("definition", before.definition), self._strategies.get)
            changes["definition"] = None if wanted is None else normal_definition(wanted, given or {}, self._registered)
        definition = changes.get("definition", before.definition)
        kept = old if given is None else given
        changes["parameters"] = _parameters(definition, kept, market)
        version = before.version if expected_version is None else expected_version
        return self._strategies.update(strategy_id, expected_version=version, **changes)

    def _deleted(self, strategy_id: str) -> dict[str, Any]:
        stored = self._strategies.get(strategy_id)
        active = [
            each
            for status in OPEN_DEPLOYMENTS
            for each in self._deployments.list(strategy_id=strategy_id, status=status, limit=1).items
        ]
        if active:
            raise Conflict(f"{strategy_id} is at work in {active[0].id}; stop that deployment first")
        deployed = self._deployments.list(strategy_id=strategy_id, limit=1).items
        refers = bool(deployed) or bool(self._results.list(strategy_id=strategy_id, limit=1).items)
        if not refers:
            self._strategies.delete(strategy_id)
        elif stored.status is not StrategyStatus.ARCHIVED:
            self._strategies.update(strategy_id, expected_version=stored.version, status=StrategyStatus.ARCHIVED)
        return {"strategy_id": strategy_id, "deleted": not refers, "archived": refers}

    def _validated(self, given: Any) -> ValidationAnswer:
        if isinstance(given, StrategyIn):
            definition, parameters, code = given.definition, given.parameters, given.code
        elif isinstance(given, Mapping) and "asset_class" in given and "entry_conditions" not in given:
            return self._validated(parsed(StrategyIn, dict(given)))
        else:
            definition, parameters, code = given, {}, None
        made = strategy_of(definition, parameters, self._registered)
        warnings = ["the code is kept for people to read and never executed"] if code else []
        shown = _shown(made)
        if isinstance(made, Composition):
            return ValidationAnswer(is_valid=True, warnings=warnings, parameters=shown)
        if not isinstance(made, Strategy):
            warnings.append("a registered strategy is Python: check_lookahead says whether it looks ahead")
            return ValidationAnswer(is_valid=True, warnings=warnings, parameters=shown)
        if made.exit is None and made.short_entry is None and made.stop is None and made.trail is None:
            warnings.append("nothing closes the position: it is bought once and kept")
        return ValidationAnswer(
            is_valid=True,
            warnings=warnings,
            parameters=shown,
            complexity=complexity(made),
            lookback=made.lookback,
            direction=direction(made),
        )

    async def _discovery(self, done: Submitted) -> dict[str, Any]:
        """Return what every answer about a search says."""
        content: dict[str, Any] = {"discovery_id": done.run_id, "cached": done.cached}
        if done.stored is None:
            assert done.job is not None
            return {**content, "job_id": done.job.id, "status": str(done.job.status), "error": done.job.error}
        result = (await self._backtesting.get_results(done.run_id)).result
        job_id = done.stored.job_id if done.job is None else done.job.id
        return {
            **content,
            "job_id": job_id,
            "status": "completed",
            "strategies": result["finalists"],
            "verdict": result["verdict"],
        }


def _plain(given: Any) -> Any:
    return dict(given) if isinstance(given, Mapping) else given


def _body(request: Any) -> dict[str, Any]:
    """Return a body as plain values; a model gives what was set in it."""
    if isinstance(request, Mapping):
        return dict(request)
    if hasattr(request, "model_dump"):
        content: dict[str, Any] = request.model_dump(exclude_unset=True)
        return content
    raise InputError(f"the request is a {type(request).__name__}; expected an object")


def _parameters(
    definition: Mapping[str, Any] | None, given: Mapping[str, Any], market: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what is kept as parameters: values by name, and what runs are made on."""
    values = dict(definition.get("params", {})) if definition is not None else dict(given)
    known = {name: value for name, value in market.items() if value is not None}
    return {**values, "market": known} if known else values


def _shown(strategy: Any) -> dict[str, Any]:
    """Return the parameters of a strategy: specifications where there are some, else the values."""
    specs = getattr(strategy, "specs", {})
    return {
        name: {**specs[name].to_dict(), "value": value} if name in specs else {"name": name, "value": value}
        for name, value in strategy.parameters.items()
    }


def _template(name: str) -> TemplateOut:
    made = LIBRARY[name]()
    return TemplateOut(
        name=name,
        title=made.name or name,
        description=made.description or "",
        parameters=_shown(made),
        definition=made.to_dict(),
    )
