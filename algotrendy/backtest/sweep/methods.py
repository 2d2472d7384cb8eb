"""How combinations are searched, and what they are ranked by: the names, and the other names they go by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from algotrendy.backtest.sweep.result import check_metric
from algotrendy.errors import InputError

METHODS = ("grid", "random", "bayesian")

_METHODS_TOO = {
    "grid_search": "grid",
    "exhaustive": "grid",
    "random_search": "random",
    "bayes": "bayesian",
    "bayesian_optimization": "bayesian",
    "bayesian_search": "bayesian",
    "optuna": "bayesian",
    "tpe": "bayesian",
}
_METRICS_TOO = {
    "sharpe": "sharpe_ratio",
    "max_sharpe": "sharpe_ratio",
    "sortino": "sortino_ratio",
    "max_sortino": "sortino_ratio",
    "calmar": "calmar_ratio",
    "max_calmar": "calmar_ratio",
    "max_return": "total_return",
    "return": "total_return",
    "max_annual_return": "annual_return",
    "min_drawdown": "max_drawdown",
    "drawdown": "max_drawdown",
    "min_volatility": "volatility",
    "max_profit_factor": "profit_factor",
    "max_win_rate": "win_rate",
}


def as_method(name: Any) -> str:
    """Return the method that a name means: `grid`, `random` or `bayesian`, or another name of one.

    Raises
    ------
    InputError
        If it means none.

    Examples
    --------
    >>> as_method("grid_search"), as_method("bayesian")
    ('grid', 'bayesian')
    """
    found = _METHODS_TOO.get(name, name) if isinstance(name, str) else name
    if found in METHODS:
        return str(found)
    raise InputError(f"method is {name!r}; choose one of {', '.join(map(repr, METHODS))}")


def as_metric(name: str) -> str:
    """Return the metric that a name means: one of a result's metrics, or an objective such as `max_sharpe`.

    Raises
    ------
    InputError
        If it means none; the nearest is proposed.

    Examples
    --------
    >>> as_metric("max_sharpe"), as_metric("n_trades")
    ('sharpe_ratio', 'n_trades')
    """
    return check_metric(_METRICS_TOO.get(name, name) if isinstance(name, str) else name)


def as_objectives(metric: str | Sequence[str]) -> tuple[str, ...]:
    """Return the metrics that are asked for, one or several.

    Raises
    ------
    InputError
        If one is not a metric, one comes twice, or there is none.

    Examples
    --------
    >>> as_objectives(["sharpe_ratio", "max_drawdown"])
    ('sharpe_ratio', 'max_drawdown')
    """
    names = tuple(as_metric(name) for name in ((metric,) if isinstance(metric, str) else metric))
    if not names or len(set(names)) < len(names):
        raise InputError(f"metric is {metric!r}; give the name of one metric, or a list of different ones")
    return names
