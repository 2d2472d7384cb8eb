"""The house for notebooks and scripts: the same functions, with this session's settings filled in.

One `Workspace` holds the settings of the session; `configure` replaces it. Nothing else is global.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algotrendy.backtest import monte_carlo as _monte_carlo
from algotrendy.backtest import procedure as _procedure
from algotrendy.backtest import run as _run
from algotrendy.backtest import sweep as _sweep
from algotrendy.backtest import walk_forward as _walk
from algotrendy.backtest.trials import MemoryTrialLedger, TrialLedger, TrialRecord, trial_of_result, trial_of_walk
from algotrendy.compute import executor_of
from algotrendy.config import Settings
from algotrendy.errors import AlgotrendyError, DataError, InputError
from algotrendy.home import ledger_address

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from algotrendy.backtest.discovery import DiscoveryResult
    from algotrendy.backtest.monte_carlo import MonteCarloResult
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.procedure import ProcedureTest
    from algotrendy.backtest.result import BacktestResult
    from algotrendy.backtest.sweep import SweepResult
    from algotrendy.backtest.sweep.space import Given
    from algotrendy.backtest.verification import Verification
    from algotrendy.backtest.walk_forward import WalkForwardResult
    from algotrendy.data.loader import BarLoader
    from algotrendy.data.requests import Time
    from algotrendy.strategy import BarStrategy, PythonStrategy, Strategy, StrategyTemplate

__all__ = [
    "Workspace",
    "backtest",
    "configure",
    "discover",
    "load",
    "monte_carlo",
    "optimize",
    "procedure_test",
    "trial_ledger",
    "verify",
    "walk_forward",
    "workspace",
]


@dataclass(frozen=True)
class Workspace:
    """What a session of research works with.

    Attributes
    ----------
    settings : Settings
        Workers, progress bars, where bars come from and where they are kept.
    ledger : TrialLedger, optional
        Counts trials in place of the ledger that the settings name.
    """

    settings: Settings = field(default_factory=Settings)
    ledger: TrialLedger | None = None


class _Session:
    """Holds the one workspace, the loader of its bars and its trial ledger; each made on first use."""

    current: Workspace | None = None
    loader: BarLoader | None = None
    ledger: TrialLedger | None = None


def workspace() -> Workspace:
    """Return the workspace of this session.

    Examples
    --------
    >>> workspace().settings.workers is None or workspace().settings.workers >= 1
    True
    """
    if _Session.current is None:
        _Session.current = Workspace()
    return _Session.current


def configure(**settings: Any) -> Workspace:
    """Replace settings of this session; what is not named keeps its value.

    Parameters
    ----------
    **settings
        Fields of `algotrendy.config.Settings`: `workers`, `progress`, `source`, `store_url`, `ledger`, ...
        `ledger=False` stops counting trials; a ledger of your own may be given instead of a place.

    Returns
    -------
    Workspace
        The new workspace.

    Raises
    ------
    InputError
        If a setting is unknown or its value is not allowed.

    Examples
    --------
    >>> before = workspace().settings.workers
    >>> configure(workers=1).settings.workers
    1
    >>> configure(workers=before).settings.workers == before
    True
    """
    before, own = workspace(), settings.get("ledger")
    if hasattr(own, "record"):
        settings.pop("ledger")
    ledger = own if hasattr(own, "record") else before.ledger if own is None else None
    known = Settings.model_fields
    for name in settings:
        if name not in known:
            raise InputError(f"there is no setting {name!r}; the settings are {', '.join(sorted(known))}")
    try:
        changed = Settings(**{**before.settings.model_dump(), **settings})
    except ValueError as error:
        raise InputError(f"a setting has a value that is not allowed: {error}") from error
    if changed.store_url != before.settings.store_url:
        _Session.loader = None
    if own is not None:
        _Session.ledger = None
    _Session.current = Workspace(settings=changed, ledger=ledger)
    return _Session.current


def load(
    symbols: str | Sequence[str],
    *,
    source: str | None = None,
    start: Time | None = None,
    end: Time | None = None,
    period: str | None = None,
    interval: str = "1d",
    adjusted: str | None = None,
    asset_class: str = "stock",
    partial: bool = False,
    refresh: bool = False,
) -> Any:
    """Load bars of one symbol or of several from a data provider, through a store on this machine.

    What was loaded before is not fetched again: only the missing part is. Change `source` to ask another provider.

    Parameters
    ----------
    symbols : str or sequence of str
        A ticker, a pair such as `BTC/USDT`, or an instrument id such as `stock:XNAS:AAPL`; or several.
    source : str, optional
        Name of a provider: `yahoo`, `polygon`, `alpaca`, `binance`, `files`, `sample`, `synthetic`, ...;
        `yahoo+polygon` asks the second where the first cannot serve. That of the settings (`yahoo`) by default.
    start, end : str, date or Timestamp, optional
        The first instant that is in, and the first that is not; without a zone in UTC. No end: now.
    period : str, optional
        How far back instead of a start: `5d 2wk 6mo 1y ytd max`. One year if neither is given.
    interval : str
        Length of a bar: `1m 5m 1h 1d 1wk 1mo`.
    adjusted : {"raw", "splits", "all"}, optional
        As traded, adjusted for splits, or for splits and dividends. By default the last that the provider has.
    asset_class : str
        `stock etf crypto futures forex option index`.
    partial : bool
        Whether the bar that is not over yet comes too, marked by a column `is_partial`.
    refresh : bool
        Fetch everything anew.

    Returns
    -------
    DataFrame, or Loaded for several symbols
        Sound bars, oldest first, yours to change; `provenance(bars)` tells where they come from. Several symbols give a
        mapping from symbol to bars; those that failed stand in its `failures`, and a warning says so.

    Raises
    ------
    InputError
        If an argument is not one, or the provider cannot serve it.
    ConfigError
        If a key or an optional package is missing.
    DataError
        If there is no such series, or no bars in the span; for several symbols, if none could be loaded.
    VenueError
        If the provider failed.

    Examples
    --------
    >>> bars = load("NASDAQ", source="sample", start="2010-01-01", end="2011-01-01", asset_class="index")
    >>> len(bars), str(bars.index[0].date())
    (252, '2010-01-04')
    """
    from algotrendy.compute import progress_for, wait_for
    from algotrendy.data.loader import Loaded
    from algotrendy.data.requests import adjusted_of, requests_for, span_of

    loader, settings = _loader(), workspace().settings
    source = settings.source if source is None else source
    names = [symbols] if isinstance(symbols, str) else list(symbols)
    span = span_of(start, end, period, loader.now())
    way = adjusted_of(adjusted, loader.provider(source).capabilities)
    requests = requests_for(names, span, interval=interval, adjusted=way, asset_class=asset_class, partial=partial)
    if isinstance(symbols, str):
        return wait_for(loader.load(requests[0], source, refresh=refresh)).bars
    with progress_for(f"Loading from {source}", len(requests), show=settings.progress) as progress:
        found, failures = wait_for(
            loader.load_many(requests, source, refresh=refresh, done=lambda symbol: progress.advance(1))
        )
    if failures:
        _tell(found, failures, source)
    return Loaded({symbol: each.bars for symbol, each in found.items()}, failures)


def _loader() -> BarLoader:
    if _Session.loader is None:
        from algotrendy.data.local import local_loader

        _Session.loader = local_loader(workspace().settings)
    return _Session.loader


def _tell(found: Mapping[str, object], failures: Mapping[str, Exception], source: str) -> None:
    """Warn of symbols that could not be loaded; raise where none could."""
    reasons = "; ".join(f"{symbol}: {why}" for symbol, why in failures.items())
    if not found:
        raise DataError(f"{source} served none of the {len(failures)} symbols: {reasons}")
    warnings.warn(f"{len(failures)} of {len(failures) + len(found)} symbols were not loaded: {reasons}", stacklevel=3)


def trial_ledger() -> TrialLedger | None:
    """Return the ledger that counts this session's trials, opened on first use; None if it is switched off.

    A ledger that cannot be opened never keeps a backtest from running: then trials are counted until the process ends.

    Examples
    --------
    >>> before = configure(ledger=MemoryTrialLedger())
    >>> trial_ledger().records()
    []
    >>> configure(ledger=False).settings.ledger
    False
    """
    session = workspace()
    if session.ledger is not None:
        return session.ledger
    if session.settings.ledger is False:
        return None
    if _Session.ledger is None:
        try:
            _Session.ledger = _stored_ledger(session.settings.ledger)
        except (AlgotrendyError, ImportError, OSError) as error:
            warnings.warn(
                f"trials are counted in this session only: the ledger cannot be opened ({error})", stacklevel=3
            )
            _Session.ledger = MemoryTrialLedger()
    return _Session.ledger


def _stored_ledger(place: bool | str) -> TrialLedger:
    """Open the ledger at a path or an address."""
    address = ledger_address(place)
    if address.startswith("sqlite:///"):
        Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    ledger: TrialLedger = import_module("algotrendy.storage.ledger").SqlTrialLedger(address)
    return ledger


def _count(ledger: TrialLedger, trial: Callable[[], TrialRecord]) -> None:
    """Record a trial; what was computed is not lost where that fails."""
    try:
        ledger.record(trial())
    except (AlgotrendyError, OSError) as error:
        warnings.warn(f"this trial was not counted: {error}", stacklevel=4)


def backtest(*args: Any, **options: Any) -> BacktestResult | PortfolioResult:
    """Run a strategy over bars and count it: `algotrendy.backtest.run.backtest` with this session's trial ledger.

    Examples
    --------
    >>> import algotrendy as at
    >>> before = configure(ledger=MemoryTrialLedger())
    >>> result = backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=300, seed=1))
    >>> len(trial_ledger().records())
    1
    >>> configure(ledger=False).settings.ledger
    False
    """
    result: BacktestResult | PortfolioResult = _run.backtest(*args, **options)
    ledger = trial_ledger()
    if ledger is not None:
        _count(ledger, lambda: trial_of_result(result, _bars_of(*args, **options)))
    return result


def _bars_of(strategy: Any, bars: Any = None, **_: Any) -> Any:
    """Return the bars among the arguments of `backtest`: they come first where there is no strategy."""
    return strategy if bars is None else bars


def optimize(
    strategy: Strategy | StrategyTemplate | PythonStrategy | BarStrategy | Callable[..., Any] | Mapping[str, Any],
    bars: Any,
    grid: Given = None,
    **options: Any,
) -> SweepResult:
    """Backtest combinations of parameters: `algotrendy.backtest.sweep.optimize` with this session's settings.

    `workers` and `progress` come from the workspace unless given; what was tried is counted in its trial ledger.

    Examples
    --------
    >>> import algotrendy as at
    >>> sweep = optimize(at.strategies.sma_cross(), at.synthetic(n=300, seed=1), {"fast": [5, 10], "slow": [20, 40]})
    >>> len(sweep.table)
    4
    """
    sweep = _sweep.optimize(strategy, bars, grid, **_with_settings(options))
    ledger = trial_ledger()
    if ledger is None:
        return sweep
    sweep = replace(sweep, ledger=ledger)
    if len(sweep.table):
        _count(ledger, sweep.trial)
    return sweep


def walk_forward(
    strategy: Strategy | StrategyTemplate | PythonStrategy | BarStrategy | Callable[..., Any] | Mapping[str, Any],
    bars: Any,
    grid: Given = None,
    **options: Any,
) -> WalkForwardResult:
    """Optimise and test window after window: `backtest.walk_forward.walk_forward` with this session's settings.

    `workers` and `progress` come from the workspace unless given; the walk is counted in its trial ledger.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars, grid = at.synthetic(n=400, seed=1), {"fast": [5, 10], "slow": [20, 40]}
    >>> len(walk_forward(at.strategies.sma_cross(), bars, grid, training=200, testing=50))
    4
    """
    walk = _walk.walk_forward(strategy, bars, grid, **_with_settings(options))
    ledger = trial_ledger()
    if ledger is not None and walk.out_of_sample is not None:
        _count(ledger, lambda: trial_of_walk(walk, bars))
    return walk


def procedure_test(
    strategy: Strategy | StrategyTemplate | PythonStrategy | BarStrategy | Callable[..., Any],
    bars: pd.DataFrame,
    grid: Mapping[str, Iterable[int | float]],
    **options: Any,
) -> ProcedureTest:
    """Test a whole optimisation: `algotrendy.backtest.procedure.procedure_test` with this session's settings.

    Its search on the data is counted in the trial ledger; the same sweep before or after it adds nothing.
    """
    test = _procedure.procedure_test(strategy, bars, grid, **_with_settings(options))
    ledger = trial_ledger()
    if ledger is not None:
        _count(ledger, test.trial)
    return test


def monte_carlo(source: Any, **options: Any) -> MonteCarloResult:
    """Draw paths: `algotrendy.backtest.monte_carlo.monte_carlo` with this session's settings.

    No trial is counted: paths are drawn of a result that was counted. Parameter jitter runs neighbours of its
    parameters, but shows them together and names none, so nothing can be chosen by it.
    """
    return _monte_carlo.monte_carlo(source, **_with_settings(options))


def discover(bars: Any, **options: Any) -> DiscoveryResult:
    """Search for strategies: `algotrendy.backtest.discovery.discover` with this session's settings, and count it.

    Examples
    --------
    >>> import algotrendy as at
    >>> before = configure(ledger=MemoryTrialLedger())
    >>> found = discover(at.synthetic(n=600, seed=1), n_candidates=20)
    >>> trial_ledger().records()[0].n_trials
    20
    >>> configure(ledger=False).settings.ledger
    False
    """
    from algotrendy.backtest import discovery as _discovery

    found = _discovery.discover(bars, **_with_settings(options))
    ledger = trial_ledger()
    if ledger is None:
        return found
    found = replace(found, ledger=ledger)
    if found.n_trials:
        _count(ledger, found.trial)
    return found


def _with_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    settings = workspace().settings
    chosen = executor_of(settings)
    where = {} if chosen is None else {"executor": chosen}
    return {"workers": settings.workers, "progress": settings.progress, **where, **options}


def verify(
    file: str | Path,
    bars: Any = None,
    *,
    strategy: Any = None,
    chart: Any = None,
    fine_bars: Mapping[str, pd.DataFrame] | None = None,
) -> Verification:
    """Run the backtest of a passport again, and say whether the same comes out, or where not.

    Parameters
    ----------
    file : str or Path
        That `BacktestResult.passport` or `PortfolioResult.passport` wrote.
    bars : DataFrame, mapping or Panel, optional
        The bars, of several instruments as `backtest` takes them; needed unless they were samples or synthetic ones,
        which are made again.
    strategy : callable, BarStrategy, Signals or mapping, optional
        The Python function, the stateful strategy or its class, or the signals, that decided; of several strategies
        those that are not texts, by name. Code is never taken from the file.
    chart : Chart, str, mapping or DataFrame, optional
        The chart that the conditions were read on, if it was one.
    fine_bars : mapping of str to DataFrame, optional
        Finer bars by symbol, where the run had some.

    Returns
    -------
    Verification
        True if all is equal, bit for bit with the same versions of the libraries, else to 1e-9; printed, it says what
        differs first and at which bar.

    Raises
    ------
    DataError
        If the file is no passport, or was changed after it was written; the message names the section.
    InputError
        If bars, function or chart are needed and not handed in.

    Examples
    --------
    >>> import algotrendy as at, tempfile
    >>> result = at.backtest(at.strategies.sma_cross(5, 20), at.sample("NASDAQ"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bool(verify(result.passport(f"{folder}/passport.json")))
    True
    """
    from algotrendy.backtest.verification import verify_passport
    from algotrendy.data.recipes import bars_of

    return verify_passport(file, bars, strategy=strategy, chart=chart, fine_bars=fine_bars, fetch=bars_of)


# Users ask these for help; the parameters stand in one place.
backtest.__doc__ = _run.backtest.__doc__
optimize.__doc__ = _sweep.optimize.__doc__
procedure_test.__doc__ = _procedure.procedure_test.__doc__
monte_carlo.__doc__ = _monte_carlo.monte_carlo.__doc__
walk_forward.__doc__ = _walk.walk_forward.__doc__
