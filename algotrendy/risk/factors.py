"""What returns owe to factors, with errors that allow for volatility in spells and for autocorrelation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, Float2D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import choice, hurdle, positive, whole
from algotrendy.risk.columns import Align, together
from algotrendy.risk.distributions import STILL
from algotrendy.risk.inputs import as_returns

__all__ = ["FactorExposures", "factor_exposures"]


@dataclass(frozen=True, kw_only=True)
class FactorExposures:
    """A regression of returns on factors.

    Attributes
    ----------
    table : DataFrame
        By `alpha` (per period) and the factors: `coefficient`, `standard_error`, `t_statistic`, `p_value` (two-sided,
        normal).
    covariance : DataFrame
        Of the coefficients.
    r_squared, adjusted_r_squared : float
        Share of the variance that the factors explain; NaN if the returns do not move.
    residual_volatility : float
        Standard deviation of what is left per period, with the degrees of freedom of the regression.
    n_periods, lags : int
        Periods used, and lags of autocorrelation in the errors.
    periods_per_year : float
        What `annual_alpha` is annualised with.
    """

    table: pd.DataFrame
    covariance: pd.DataFrame = field(repr=False)
    r_squared: float
    adjusted_r_squared: float
    residual_volatility: float
    n_periods: int
    lags: int
    periods_per_year: float

    @property
    def annual_alpha(self) -> float:
        """Alpha of one period times `periods_per_year`."""
        return float(self.table["coefficient"].to_numpy()[0]) * self.periods_per_year


def factor_exposures(
    returns: Any,
    factors: Any,
    *,
    lags: int | Literal["auto"] = "auto",
    risk_free_rate: float = 0.0,
    periods_per_year: float = 1.0,
    small_sample: bool = True,
    align: Align = "exact",
    nan_policy: NanPolicy = "raise",
) -> FactorExposures:
    """Return how much returns move with each of several factors, all others held still.

    Parameters
    ----------
    returns : array-like of shape (n_periods,)
        Simple returns per period, as fractions, oldest first.
    factors : array-like of shape (n_periods,) or (n_periods, n_factors)
        Returns of the factors for the same periods, in excess of cash or long-short.
    lags : int or "auto"
        Lags of autocorrelation that the errors count, by the weights of Newey and West [1]_; "auto": 4 (n/100)^(2/9).
        0: errors for unequal variances alone.
    risk_free_rate : float
        Per year as a fraction, taken off the returns; factors are taken as they are.
    periods_per_year : float
        252 for days of an exchange.
    small_sample : bool
        Multiply the covariance of the coefficients by n / (n - k).
    align : {"exact", "inner"}
        Returns and factors with dates have the same, or only those they share count.
    nan_policy : {"raise", "omit"}
        Refuse NaN and say where, or leave out the periods in which any is NaN.

    Returns
    -------
    FactorExposures

    Raises
    ------
    InputError
        If there are no more periods than coefficients, one factor follows from the others (or does not move), or the
        series do not match.

    References
    ----------
    .. [1] Newey, W. and West, K. (1987). A simple, positive semi-definite, heteroskedasticity and autocorrelation
       consistent covariance matrix. Econometrica, 55(3), 703-708.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> factors = pd.DataFrame(rng.normal(0.0, 0.01, (500, 2)), columns=["market", "value"])
    >>> found = factor_exposures(0.9 * factors["market"] - 0.3 * factors["value"], factors)
    >>> found.table.loc[["market", "value"], "coefficient"].round(6).tolist()
    [0.9, -0.3]
    """
    if nan_policy == "propagate":
        raise InputError('a regression has no answer for NaN; use nan_policy="raise" or "omit"')
    per_year = positive("periods_per_year", periods_per_year)
    y, x, names = _matched(returns, factors, nan_policy, align)
    n, k = x.shape[0], x.shape[1] + 1
    if n <= k:
        raise InputError(f"there are {n} periods for {k} coefficients, alpha among them; give more periods")
    count = min(int(4.0 * (n / 100.0) ** (2.0 / 9.0)), n - 1) if lags == "auto" else whole("lags", lags)
    if count >= n:
        raise InputError(f"lags is {lags!r}; there are only {n} periods")
    y = y - hurdle(risk_free_rate, per_year)
    design = np.column_stack((np.ones(n), x))
    bread = _inverse(design, names)
    coefficient = bread @ (design.T @ y)
    residual = y - design @ coefficient
    coefficient = coefficient + bread @ (design.T @ residual)  # one step of refinement
    residual = y - design @ coefficient
    spread = bread @ _meat(design * residual[:, None], count) @ bread * (n / (n - k) if small_sample else 1.0)
    return _exposures((coefficient, spread, residual), y, ["alpha", *names], count, per_year)


def _exposures(
    fitted: tuple[Float1D, Float2D, Float1D], y: Float1D, labels: list[Any], lags: int, periods_per_year: float
) -> FactorExposures:
    from scipy.special import ndtr

    coefficient, spread, residual = fitted
    n, k = y.size, coefficient.size
    error = np.sqrt(np.maximum(np.diag(spread), 0.0))
    t = np.divide(coefficient, error, out=np.full(k, np.nan), where=error > 0.0)
    left, whole_sum = float(residual @ residual), float((y - y.mean()) @ (y - y.mean()))
    explained = 1.0 - left / whole_sum if whole_sum > STILL * STILL * n else math.nan
    table = {"coefficient": coefficient, "standard_error": error, "t_statistic": t, "p_value": 2.0 * ndtr(-np.abs(t))}
    return FactorExposures(
        table=pd.DataFrame(table, index=pd.Index(labels)),
        covariance=pd.DataFrame(spread, index=labels, columns=labels),
        r_squared=explained,
        adjusted_r_squared=1.0 - (1.0 - explained) * (n - 1.0) / (n - k),
        residual_volatility=math.sqrt(left / (n - k)),
        n_periods=n,
        lags=lags,
        periods_per_year=periods_per_year,
    )


def _matched(returns: Any, factors: Any, nan_policy: NanPolicy, align: Align) -> tuple[Float1D, Float2D, list[Any]]:
    """Return returns and factors of the same periods, and the names of the factors."""
    choice("align", align, ("exact", "inner"))
    if np.ndim(factors) == 1:
        name = getattr(factors, "name", None)
        table = pd.DataFrame({name if name is not None else "factor": factors})
    elif isinstance(factors, pd.DataFrame):
        table = factors
    else:
        table = pd.DataFrame(np.asarray(factors)).rename(columns=lambda j: f"factor_{j}")
    if not table.shape[1]:
        raise InputError("there are no factors; give one column for each")
    if not isinstance(returns, pd.Series) or not isinstance(factors, (pd.Series, pd.DataFrame)):
        table = table.reset_index(drop=True)
        returns = pd.Series(as_returns(returns, "propagate", min_periods=0))
        if len(returns) != len(table):
            raise InputError(
                f"there are {len(returns)} returns and {len(table)} of the factors; give both for the same"
            )
    if nan_policy == "omit":
        returns, table = returns[returns.notna()], table[table.notna().all(axis=1)]
        align = "inner"
    columns = []
    for j in range(table.shape[1]):
        y, column = together(returns, table.iloc[:, j], nan_policy, align=align, what=f"factor {table.columns[j]!r}")
        columns.append(column)
    return y, np.column_stack(columns), list(table.columns)


def _inverse(design: Float2D, names: list[Any]) -> Float2D:
    """Return the inverse of X'X, each column scaled to length 1 on the way."""
    lengths = np.sqrt(np.sum(design * design, axis=0))
    still = [names[j] for j in range(len(names)) if not np.std(design[:, j + 1]) > STILL]
    if still:
        raise InputError(f"the factor {still[0]!r} does not move, so nothing can be said of it; leave it out")
    scaled = design / lengths
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    if not values[0] > 1e-12:
        raise InputError("one of the factors follows from the others, so their exposures cannot be told apart")
    return np.asarray((vectors / values) @ vectors.T / np.outer(lengths, lengths))


def _meat(influence: Float2D, lags: int) -> Float2D:
    """Return the long-run covariance of the influence of the periods, times their number."""
    total = influence.T @ influence
    for lag in range(1, lags + 1):
        crossed = influence[lag:].T @ influence[:-lag]
        total = total + (1.0 - lag / (lags + 1.0)) * (crossed + crossed.T)
    return np.asarray(total)
