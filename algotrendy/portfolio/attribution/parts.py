"""Contributions: what each asset, strategy or factor brought of a return, linked over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.errors import InputError
from algotrendy.portfolio.attribution.result import Attribution
from algotrendy.portfolio.attribution.tables import as_table, values_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["contribution", "factor_attribution"]


def contribution(weights: Any, returns: Any) -> Attribution:
    """Return what each segment brought of the portfolio's return: weight times return, linked over the periods.

    Parameters
    ----------
    weights : DataFrame of shape (n_periods, n_segments), or Series of one period
        At the start of each period, as fractions; what they leave to 1 earned nothing.
    returns : DataFrame or Series, of the same labels
        Simple returns per period, as fractions; NaN is allowed where the weight is 0.

    Returns
    -------
    Attribution
        The effect "contribution". `found.by(strategy_of)` sums it over strategies, sectors or what else there is.

    Raises
    ------
    InputError
        If labels differ or numbers are not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> weights = pd.DataFrame({"A": [0.6, 0.5], "B": [0.4, 0.5]})
    >>> returns = pd.DataFrame({"A": [0.10, 0.00], "B": [0.00, 0.10]})
    >>> found = contribution(weights, returns)
    >>> found.linked["contribution"].round(6).tolist(), round(found.excess_return, 6)
    ([0.061502, 0.051498], 0.113)
    """
    like = as_table(weights, "the weights")
    w = values_of(weights, like, "the weights")
    r = np.nan_to_num(values_of(returns, like, "the returns", blank=w == 0.0))
    brought = w * r
    return Attribution(
        effects=brought[:, :, None],
        names=("contribution",),
        segments=tuple(like.columns),
        periods=like.index,
        returns=brought.sum(axis=1),
        benchmark_returns=np.zeros(len(like)),
    )


def factor_attribution(
    returns: pd.Series[float],
    factor_returns: pd.DataFrame,
    exposures: pd.DataFrame | pd.Series[float],
    *,
    benchmark_returns: pd.Series[float] | None = None,
    benchmark_exposures: pd.DataFrame | pd.Series[float] | None = None,
) -> Attribution:
    """Return what each factor brought of a return, or of the excess over a benchmark: exposure times factor return.

    Parameters
    ----------
    returns : Series of shape (n_periods,)
        Of the portfolio, simple, as fractions.
    factor_returns : DataFrame of shape (n_periods, n_factors)
        Of the factors, of the same periods.
    exposures : DataFrame of shape (n_periods, n_factors), or Series of shape (n_factors,)
        At the start of each period, or the same in all.
    benchmark_returns : Series, optional
        Of the benchmark.
    benchmark_exposures : DataFrame or Series, optional
        Of the benchmark; needs its returns. Without them the benchmark has none.

    Returns
    -------
    Attribution
        The effect "factor" by factor, and a last segment "specific" with what no factor explains.

    Raises
    ------
    InputError
        If labels differ, numbers are not finite, or a factor is called "specific".

    Examples
    --------
    >>> import pandas as pd
    >>> factors = pd.DataFrame({"market": [0.02, -0.01], "value": [0.01, 0.01]})
    >>> found = factor_attribution(pd.Series([0.03, 0.0]), factors, pd.Series({"market": 1.0, "value": 0.5}))
    >>> found.of("factor").round(4).to_numpy().tolist()
    [[0.02, 0.005, 0.005], [-0.01, 0.005, 0.005]]
    """
    like = as_table(factor_returns, "the factor returns")
    if "specific" in like.columns:
        raise InputError('a factor is called "specific", which names what no factor explains; rename it')
    f = values_of(factor_returns, like, "the factor returns")
    total = _column(returns, like, "the returns")
    benchmark = np.zeros(len(like)) if benchmark_returns is None else _column(benchmark_returns, like, "the benchmark")
    active = _exposures(exposures, like, "the exposures")
    if benchmark_exposures is not None:
        if benchmark_returns is None:
            raise InputError("the benchmark's exposures are given without its returns")
        active = active - _exposures(benchmark_exposures, like, "the benchmark's exposures")
    brought = active * f
    specific = (total - benchmark) - brought.sum(axis=1)
    return Attribution(
        effects=np.column_stack([brought, specific])[:, :, None],
        names=("factor",),
        segments=(*like.columns, "specific"),
        periods=like.index,
        returns=total,
        benchmark_returns=benchmark,
    )


def _column(series: pd.Series[float], like: pd.DataFrame, what: str) -> Any:
    import pandas as pd

    return values_of(series.to_frame("all"), pd.DataFrame(0.0, like.index, ["all"]), what)[:, 0]


def _exposures(table: Any, like: pd.DataFrame, what: str) -> Any:
    import pandas as pd

    if isinstance(table, pd.Series):
        table = pd.DataFrame([table] * len(like), index=like.index)
    return values_of(table, like, what)
