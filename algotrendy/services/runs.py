"""Runs: what is to be computed, who computes it, and where it is kept. The facades and the workers share this.

A run is known by the hash of its strategy, its bars and its assumptions: the same again is the same result. Its
identity is that of its job and of its result alike, under the prefix of its kind.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from algotrendy.backtest.fingerprint import strategy_fingerprint
from algotrendy.backtest.plain import to_plain
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.storage import bars_hash, library_versions
from algotrendy.backtest.trials import TrialLedger, nameless, trial_of_result, trial_of_walk
from algotrendy.compute import Executor, wait_for
from algotrendy.errors import (
    AlgotrendyError,
    CheckpointInUse,
    Conflict,
    DataError,
    InputError,
    NotFound,
    VenueUnavailable,
)
from algotrendy.services.analysis import (
    AIStrategyDiscovery,
    MonteCarloSimulator,
    VectorizedBacktester,
    WalkForwardAnalyzer,
)
from algotrendy.services.compositions import Allocations, Composition, TargetWeights
from algotrendy.services.definitions import Registered, Runnable, strategy_of
from algotrendy.services.documents import (
    backtest_bytes,
    backtest_of,
    simulation_bytes,
    sweep_bytes,
    walk_bytes,
)
from algotrendy.services.models_account import MARKET, BacktestConfig
from algotrendy.services.models_runs import MonteCarloConfig, OptimizationConfig, WalkForwardConfig
from algotrendy.services.models_strategies import StrategyDiscoveryConfig
from algotrendy.storage.ids import PREFIXES, id_of, uuid_of
from algotrendy.strategy import BarStrategy, PythonStrategy, Strategy

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.sweep import SweepResult
    from algotrendy.compute.progress import Show
    from algotrendy.jobs import JobContext
    from algotrendy.storage.results import ResultStore, StoredResult

__all__ = ["KINDS", "BarSource", "Run", "Runs", "Tools", "id_as", "kind_and_uuid"]

KINDS: Mapping[str, tuple[str, type[BacktestConfig]]] = {
    "backtest": ("bt", BacktestConfig),
    "walk_forward": ("wf", WalkForwardConfig),
    "monte_carlo": ("mc", MonteCarloConfig),
    "sweep": ("opt", OptimizationConfig),
    "discovery": ("disc", StrategyDiscoveryConfig),
}
"""Kinds of runs: the prefix of their identities, and what says how to run one."""


_AT_ONCE = 8
"""So many symbols are asked for at the same time."""


class BarSource(Protocol):
    """Where runs take their bars from."""

    async def bars(self, market: Mapping[str, Any]) -> pd.DataFrame:
        """Return sound bars of one symbol, oldest first.

        `market` has the fields of `Market` without `symbols`, each a text or None. Of several symbols each is asked for
        by itself.
        """
        ...


def id_as(kind: str, identity: str) -> str:
    """Return an identity of any prefix as that of a kind of run.

    Examples
    --------
    >>> id_as("sweep", "job_000000000000000000000000000000ff")
    'opt_000000000000000000000000000000ff'
    """
    found, _, _ = str(identity).partition("_")
    return id_of(KINDS[kind][0] if kind in KINDS else kind, uuid_of(found, identity))


def kind_and_uuid(run_id: str) -> tuple[str, str]:
    """Return the kind of a run, and the identity of its result.

    Raises
    ------
    InputError
        If it is no identity of a run.

    Examples
    --------
    >>> kind_and_uuid("opt_000000000000000000000000000000ff")
    ('sweep', 'bt_000000000000000000000000000000ff')
    """
    prefix = str(run_id).partition("_")[0]
    for kind, (own, _) in KINDS.items():
        if own == prefix:
            return kind, id_of(PREFIXES["backtest_results"], uuid_of(own, run_id))
    names = ", ".join(f"{own}_…" for own, _ in KINDS.values())
    raise InputError(f"{run_id!r} is no run; its identity begins with one of {names}")


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Who computes what; each may be replaced.

    Attributes
    ----------
    backtester, walk_forward, monte_carlo, strategy_discovery
        The collaborators of `algotrendy.services.analysis`, or others with the same methods.
    registered : mapping
        Strategies of the installed program that a definition may name.
    ledger : TrialLedger, optional
        Counts what was tried.
    checkpoints : Path, optional
        The folder in which long runs keep what is done; None: a killed run begins anew.
    workers : int, optional
        Cores of one run; None: all.
    executor : Executor, optional
        Where runs are computed: threads, processes, a Ray cluster; None: where it is usual for the strategy.
    """

    backtester: VectorizedBacktester = field(default_factory=VectorizedBacktester)
    walk_forward: WalkForwardAnalyzer = field(default_factory=WalkForwardAnalyzer)
    monte_carlo: MonteCarloSimulator = field(default_factory=MonteCarloSimulator)
    strategy_discovery: AIStrategyDiscovery = field(default_factory=AIStrategyDiscovery)
    registered: Registered = field(default_factory=dict)
    ledger: TrialLedger | None = None
    checkpoints: Path | None = None
    workers: int | None = None
    executor: Executor | None = None

    @property
    def where(self) -> dict[str, Any]:
        """The keywords of the library about where to compute."""
        chosen = {} if self.executor is None else {"executor": self.executor}
        return {"workers": self.workers, **chosen}


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One run, with everything that goes into it.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    config : BacktestConfig
        How to run.
    bars : DataFrame, or mapping of str to DataFrame
        On what; None before they are loaded.
    strategy : Strategy, PythonStrategy, BarStrategy, Composition or None
        What; None for a discovery.
    definition : mapping
        The strategy as it is stored with the result.
    strategy_id, strategy_version : str, int or None
        The stored strategy, if it is one.
    """

    kind: str
    config: BacktestConfig
    bars: Any
    strategy: Runnable | None
    definition: Mapping[str, Any]
    strategy_id: str | None = None
    strategy_version: int | None = None

    @property
    def is_of_several(self) -> bool:
        """Whether it is about several symbols in one account."""
        return self.config.symbols is not None

    def check(self) -> None:
        """Refuse what cannot be run, before bars are loaded.

        Raises
        ------
        InputError
            If no symbol is named, or settings, strategy and symbols do not go together.
        """
        config, composed = self.config, isinstance(self.strategy, Composition)
        if config.symbol is None and config.symbols is None:
            raise InputError(
                "nothing says which symbol to run on; give symbol=, or symbols=[...], or store them with the strategy"
            )
        if not self.is_of_several:
            if composed:
                raise InputError("target weights and several strategies are for several symbols; give symbols=[...]")
            if config.for_several:
                raise InputError(
                    f"{config.for_several[0]} as given belongs to an account of several symbols; give symbols=[...], or"
                    " leave it out"
                )
        if self.is_of_several and isinstance(config, MonteCarloConfig) and config.method == "parameter_jitter":
            raise InputError("parameter jitter runs one symbol again; give symbol=, or sweep the parameters instead")
        if isinstance(self.strategy, TargetWeights) and self.kind in ("sweep", "walk_forward"):
            raise InputError("target weights have no parameters to optimise; give a strategy, or several")

    @property
    def content_hash(self) -> str:
        """Hash of strategy, bars and assumptions, and of the version that computes with them."""
        content = self.config.model_dump(mode="json", exclude=set(MARKET))
        meaning = {
            "kind": self.kind,
            "strategy": _meaning(self.strategy, self.kind),
            "config": to_plain(content),
            "bars": _bars_meaning(self.bars),
            "version": library_versions()["algotrendy"],
        }
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()


def _meaning(strategy: Runnable | None, kind: str) -> Any:
    """Return what a strategy comes to: names do not count, and ranges only where something is chosen from them."""
    if isinstance(strategy, Strategy):
        content = nameless(strategy.to_dict())
        specs = content.pop("specs")
        if kind in ("sweep", "walk_forward"):
            content["ranges"] = {name: {**spec, "default": None} for name, spec in specs.items()}
        return content
    if isinstance(strategy, Allocations):
        each = {name: [_meaning(one, kind), share] for name, (one, share) in strategy.strategies.items()}
        return {"strategies": each, "rebalance": strategy.rebalance}
    if isinstance(strategy, Composition):
        return nameless(strategy.to_dict())
    return None if strategy is None else strategy_fingerprint(strategy)


def _bars_meaning(bars: Any) -> Any:
    """Return the hash of bars; of several symbols those of each, in the order of the symbols, which decides ties."""
    return [[name, bars_hash(each)] for name, each in bars.items()] if isinstance(bars, dict) else bars_hash(bars)


class Runs:
    """Computes runs and keeps what comes of them.

    Parameters
    ----------
    tools : Tools
        Who computes.
    results : ResultStore
        Where results are kept.
    bars : BarSource
        Where bars come from.
    """

    def __init__(self, tools: Tools, results: ResultStore, bars: BarSource) -> None:
        self.tools, self.results, self.source = tools, results, bars

    @property
    def handlers(self) -> dict[str, Callable[[JobContext], Any]]:
        """What a worker does with each kind of job."""
        return dict.fromkeys(KINDS, self.work)

    def found(self, run: Run) -> StoredResult | None:
        """Return the result of the same inputs, if there is one."""
        return self.results.find(run.content_hash, run.kind)

    def work(self, context: JobContext) -> dict[str, Any]:
        """Do a job: load the bars again, look whether the result is there, else compute and keep it.

        Its progress is written down, a cancellation heard, and what a killed attempt had finished is not done again.
        """
        run = self.run_of(context)
        own = id_of(PREFIXES["backtest_results"], uuid_of(PREFIXES["jobs"], context.job_id))
        known = self.found(run)
        if known is not None:
            return {"result_id": known.id, "cached": known.id != own}

        def tell(now: Any) -> None:
            context.raise_if_cancelled()
            context.progress(now.done, max(now.total, now.done, 1))

        kept = self.compute(run, progress=tell, result_id=own, job_id=context.job_id)
        return {"result_id": kept.id, "cached": False}

    def run_of(self, context: JobContext) -> Run:
        """Return the run that a job asks for."""
        payload = context.payload
        config = KINDS[context.kind][1].model_validate(payload["config"])
        definition = payload["definition"]
        strategy = None
        if context.kind != "discovery":
            strategy = strategy_of(definition, config.params, self.tools.registered)
        return Run(
            kind=context.kind,
            config=config,
            bars=wait_for(self.loaded(config)),
            strategy=strategy,
            definition=definition or {},
            strategy_id=payload.get("strategy_id"),
            strategy_version=payload.get("strategy_version"),
        )

    async def loaded(self, config: BacktestConfig) -> Any:
        """Return the bars that a run is about: a frame, or of several symbols a mapping from symbol to frame.

        Raises
        ------
        DataError, InputError, VenueError
            If those of one symbol cannot be had: an account without it would be another one.
        """
        market = config.market
        symbols = market.pop("symbols")
        if symbols is None:
            return await self.source.bars(market)
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(symbol: str) -> pd.DataFrame:
            async with turn:
                return await self.source.bars({**market, "symbol": symbol})

        found = await asyncio.gather(*map(one, symbols), return_exceptions=True)
        failures = {name: each for name, each in zip(symbols, found, strict=True) if isinstance(each, BaseException)}
        for error in failures.values():
            if len(failures) == 1 or not isinstance(error, DataError):
                raise error
        if failures:
            reasons = "; ".join(f"{name}: {error}" for name, error in failures.items())
            raise DataError(f"{len(failures)} of {len(symbols)} symbols have no bars: {reasons}")
        return dict(zip(symbols, found, strict=True))

    def compute(
        self, run: Run, *, progress: Show = False, result_id: str | None = None, job_id: str | None = None
    ) -> StoredResult:
        """Compute a run here and now, keep its result and count it."""
        return self.computed(run, progress=progress, result_id=result_id, job_id=job_id)[1]

    def computed(
        self, run: Run, *, progress: Show = False, result_id: str | None = None, job_id: str | None = None
    ) -> tuple[Any, StoredResult]:
        """As `compute`; return what was computed as well."""
        make = {
            "backtest": self._backtest, "walk_forward": self._walk, "monte_carlo": self._simulation,
            "sweep": self._sweep, "discovery": self._discovery,
        }[run.kind]  # fmt: skip
        found, metrics, assumptions, document, trial = make(run, progress)
        self._count(trial)
        kept = self._keep(run, metrics, assumptions, document, result_id=result_id, job_id=job_id)
        self._forget(run)
        return found, kept

    def drawn(self, run: Run) -> Any:
        """Return the paths of a simulation: drawn anew, and kept only if what they say is not kept already."""
        return self.computed(run)[0] if self.found(run) is None else self._simulation(run, False)[0]

    # --- one method for each kind: found, metrics, assumptions, document, trial ---

    def _backtest(self, run: Run, progress: Show) -> tuple[Any, ...]:
        result = self._result(run)
        return (
            result, result.metrics, result.assumptions, backtest_bytes(result),
            lambda: trial_of_result(result, run.bars),
        )  # fmt: skip

    def _walk(self, run: Run, progress: Show) -> tuple[Any, ...]:
        config = run.config
        assert isinstance(config, WalkForwardConfig)
        walk = self._resumable(
            run,
            self.tools.walk_forward.run,
            run.strategy,
            run.bars,
            config.grid,
            **config.windows,
            **config.search,
            **config.options,
            **self.tools.where,
            progress=progress,
        )
        assumptions = {} if walk.out_of_sample is None else walk.out_of_sample.assumptions
        trial = None if walk.out_of_sample is None else lambda: trial_of_walk(walk, run.bars)
        return walk, walk.metrics, assumptions, walk_bytes(walk), trial

    def _simulation(self, run: Run, progress: Show) -> tuple[Any, ...]:
        config = run.config
        assert isinstance(config, MonteCarloConfig)
        result = self._result(run)
        options = {**config.simulation, **self.tools.where, "progress": progress}
        if config.method == "parameter_jitter" and isinstance(run.strategy, PythonStrategy | BarStrategy):
            options["strategy"] = run.strategy
        source, more = _resampled(result, config.method)
        found = self.tools.monte_carlo.run(source, **options, **more)
        rows: list[tuple[str, str]] = found.table.index.tolist()
        values = found.table["value"].tolist()
        metrics = {f"{figure} {name}": value for (figure, name), value in zip(rows, values, strict=True)}
        assumptions = {**result.assumptions, **config.simulation}
        return found, metrics, assumptions, simulation_bytes(found), lambda: trial_of_result(result, run.bars)

    def _sweep(self, run: Run, progress: Show) -> tuple[Any, ...]:
        config = run.config
        assert isinstance(config, OptimizationConfig)
        sweep = self._resumable(
            run,
            self.tools.backtester.sweep,
            run.strategy,
            run.bars,
            config.grid,
            **config.search,
            **config.options,
            **self.tools.where,
            progress=progress,
        )
        metrics = {
            "best_params": sweep.best_params, "metric": sweep.metric, "best_value": _best_value(sweep),
            "n_combinations": len(sweep.table), "overfitting": _overfitting(sweep),
        }  # fmt: skip
        return sweep, metrics, sweep.runner.assumptions, sweep_bytes(sweep), sweep.trial

    def _discovery(self, run: Run, progress: Show) -> tuple[Any, ...]:
        config = run.config
        assert isinstance(config, StrategyDiscoveryConfig)
        found = self._resumable(
            run,
            self.tools.strategy_discovery.run,
            run.bars,
            method=config.discovery_method,
            **config.discovery,
            **config.options,
            **self.tools.where,
            progress=progress,
        )
        names = ("n_trials", "effective_trials", "p_value", "p_value_hold", "verdict")
        metrics = {name: getattr(found, name) for name in names}
        return found, metrics, found.assumptions, json.dumps(found.to_dict(), allow_nan=False).encode(), found.trial

    def _result(self, run: Run) -> BacktestResult | PortfolioResult:
        """Return the backtest of a run: the stored one if it is there."""
        plain = BacktestConfig.model_validate(run.config.model_dump(include=set(BacktestConfig.model_fields)))
        single = Run(
            kind="backtest", config=plain, bars=run.bars, strategy=run.strategy, definition=run.definition,
            strategy_id=run.strategy_id, strategy_version=run.strategy_version,
        )  # fmt: skip
        known = self.found(single)
        document = None if known is None else self.results.document(known.id)
        if document is not None:
            return backtest_of(document)
        assert run.strategy is not None
        return self.tools.backtester.run(run.strategy, run.bars, **plain.options)

    # --- keeping ---

    def _keep(
        self, run: Run, metrics: Any, assumptions: Any, document: bytes, *, result_id: str | None, job_id: str | None
    ) -> StoredResult:
        content: dict[str, Any] = {
            "kind": run.kind, "content_hash": run.content_hash, "definition": to_plain(dict(run.definition)),
            "assumptions": dict(assumptions), "metrics": dict(metrics), "document": document, "job_id": job_id,
        }  # fmt: skip
        try:
            return self.results.put(
                result_id=result_id, strategy_id=run.strategy_id, strategy_version=run.strategy_version, **content
            )
        except Conflict:
            if result_id is not None and (known := self._known(result_id)) is not None:
                return known  # an attempt that was killed after it had kept it
            return self.results.put(result_id=result_id, **content)  # the strategy was deleted meanwhile

    def _known(self, result_id: str) -> StoredResult | None:
        try:
            return self.results.get(result_id)
        except NotFound:
            return None

    def _count(self, trial: Callable[[], Any] | None) -> None:
        """Record a trial; what was computed is not lost where that fails."""
        if self.tools.ledger is None or trial is None:
            return
        try:
            self.tools.ledger.record(trial())
        except (AlgotrendyError, OSError):
            import logging

            logging.getLogger("algotrendy.services").warning("a trial was not counted", exc_info=True)

    # --- going on after a kill ---

    def _checkpoint(self, run: Run) -> Path | None:
        if self.tools.checkpoints is None:
            return None
        return self.tools.checkpoints / f"{run.kind}-{run.content_hash[:32]}.ckpt"

    def _resumable(self, run: Run, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call what keeps its progress in a file; somebody else who writes to that file is waited for."""
        path = self._checkpoint(run)
        if path is None:
            return function(*args, **options)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return function(*args, checkpoint=path, **options)
        except CheckpointInUse as error:
            raise VenueUnavailable("checkpoints", f"{error}; this one is tried again later") from error

    def _forget(self, run: Run) -> None:
        """Remove the file of a run that is done."""
        path = self._checkpoint(run)
        if path is not None:
            path.unlink(missing_ok=True)


def _resampled(result: BacktestResult | PortfolioResult, method: str) -> tuple[Any, dict[str, Any]]:
    """Return what a simulation draws from, and further keywords; of several symbols the account's returns or trades."""
    if isinstance(result, BacktestResult) or method == "parameter_jitter":
        return result, {}
    return (result.trades, {"cash": result.cash}) if method == "trade_shuffle" else (result.returns, {})


def _best_value(sweep: SweepResult) -> float:
    row = sweep.best_row
    return float("nan") if row is None else float(sweep.table[sweep.metric].loc[row])


def _overfitting(sweep: SweepResult) -> dict[str, Any]:
    """Return what the best row is worth after all that was tried; empty where that cannot be told."""
    try:
        report = sweep.overfitting()
    except InputError:
        return {}
    names = ("p_value", "p_value_hold", "deflated_effective", "n_trials", "effective_trials", "verdict")
    return {**{name: getattr(report, name) for name in names}, "pbo": report.pbo.probability}
