"""The house for notebooks and scripts: the same functions, with this session's settings filled in.

One `Workspace` holds the settings of the session; `configure` replaces it. Nothing else is global.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from algotrendy.backtest import sweep as _sweep
from algotrendy.config import Settings
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.sweep import SweepResult
    from algotrendy.strategy import PythonStrategy, Strategy, StrategyTemplate

__all__ = ["Workspace", "configure", "optimize", "workspace"]


@dataclass(frozen=True)
class Workspace:
    """What a session of research works with.

    Attributes
    ----------
    settings : Settings
        Workers and progress bars.
    """

    settings: Settings = field(default_factory=Settings)


class _Session:
    """Holds the one workspace; made on first use."""

    current: Workspace | None = None


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
        Fields of `algotrendy.config.Settings`: `workers`, `progress`.

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
    known = Settings.model_fields
    for name in settings:
        if name not in known:
            raise InputError(f"there is no setting {name!r}; the settings are {', '.join(sorted(known))}")
    try:
        changed = Settings(**{**workspace().settings.model_dump(), **settings})
    except ValueError as error:
        raise InputError(f"a setting has a value that is not allowed: {error}") from error
    _Session.current = Workspace(settings=changed)
    return _Session.current


def optimize(
    strategy: Strategy | StrategyTemplate | PythonStrategy | Callable[..., Any],
    bars: pd.DataFrame,
    grid: Mapping[str, Iterable[int | float]],
    **options: Any,
) -> SweepResult:
    """Backtest every combination of parameters: `algotrendy.backtest.sweep.optimize` with this session's settings.

    `workers` and `progress` come from the workspace unless given.

    Examples
    --------
    >>> import algotrendy as at
    >>> sweep = optimize(at.strategies.sma_cross(), at.synthetic(n=300, seed=1), {"fast": [5, 10], "slow": [20, 40]})
    >>> len(sweep.table)
    4
    """
    settings = workspace().settings
    chosen = {"workers": settings.workers, "progress": settings.progress, **options}
    return _sweep.optimize(strategy, bars, grid, **chosen)


optimize.__doc__ = _sweep.optimize.__doc__  # users ask this one for help; the parameters stand there once
