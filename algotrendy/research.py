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

from algotrendy.backtest import run as _run
from algotrendy.backtest import sweep as _sweep
from algotrendy.backtest.trials import MemoryTrialLedger, TrialLedger, TrialRecord, trial_of_result
from algotrendy.config import Settings
from algotrendy.errors import AlgotrendyError, DataError, InputError
from algotrendy.home import research_home

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.result import BacktestResult
    from algotrendy.backtest.sweep import SweepResult
    from algotrendy.data.loader import BarLoader
    from algotrendy.data.requests import Time
    from algotrendy.strategy import PythonStrategy, Strategy, StrategyTemplate

__all__ = ["Workspace", "backtest", "configure", "ledger_address", "load", "optimize", "trial_ledger", "workspace"]


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


def ledger_address(place: bool | str = True) -> str:
    """Return the address of the database of a ledger.

    Parameters
    ----------
    place : bool or str
        The setting `ledger`: an address, or the path of a file; True: `ledger.db` in the research folder, or beside the
        caches where there is none.

    Examples
    --------
    >>> ledger_address("notes/trials.db")
    'sqlite:///notes/trials.db'
    """
    if isinstance(place, str):
        return place if "://" in place else f"sqlite:///{Path(place).expanduser()}"
    return f"sqlite:///{research_home() / 'ledger.db'}"


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


def backtest(*args: Any, **options: Any) -> BacktestResult:
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
    result = _run.backtest(*args, **options)
    ledger = trial_ledger()
    if ledger is not None:
        _count(ledger, lambda: trial_of_result(result))
    return result


def optimize(
    strategy: Strategy | StrategyTemplate | PythonStrategy | Callable[..., Any],
    bars: pd.DataFrame,
    grid: Mapping[str, Iterable[int | float]],
    **options: Any,
) -> SweepResult:
    """Backtest every combination of parameters: `algotrendy.backtest.sweep.optimize` with this session's settings.

    `workers` and `progress` come from the workspace unless given; what was tried is counted in its trial ledger.

    Examples
    --------
    >>> import algotrendy as at
    >>> sweep = optimize(at.strategies.sma_cross(), at.synthetic(n=300, seed=1), {"fast": [5, 10], "slow": [20, 40]})
    >>> len(sweep.table)
    4
    """
    settings = workspace().settings
    chosen = {"workers": settings.workers, "progress": settings.progress, **options}
    sweep = _sweep.optimize(strategy, bars, grid, **chosen)
    ledger = trial_ledger()
    if ledger is None:
        return sweep
    sweep = replace(sweep, ledger=ledger)
    if len(sweep.table):
        _count(ledger, sweep.trial)
    return sweep


backtest.__doc__ = _run.backtest.__doc__
optimize.__doc__ = _sweep.optimize.__doc__  # users ask these for help; the parameters stand there once
