"""Covariance of several series: as seen, with recent periods weighing more, or shrunk towards a simple form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float2D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import choice, positive, share, whole
from algotrendy.risk.inputs import as_return_matrix, names_of

__all__ = ["CovarianceMethod", "covariance", "shrinkage"]

CovarianceMethod: TypeAlias = Literal["sample", "ewma", "ledoit_wolf", "oas"]

_METHODS = ("sample", "ewma", "ledoit_wolf", "oas")


def covariance(
    returns: Any,
    *,
    method: CovarianceMethod = "sample",
    ddof: int = 1,
    decay: float = 0.94,
    periods_per_year: float = 1.0,
    nan_policy: NanPolicy = "raise",
) -> pd.DataFrame:
    """Return the covariance matrix of several series of returns.

    Parameters
    ----------
    returns : array-like of shape (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    method : str
        - "sample": about the means.
        - "ewma": about zero, each period weighing `decay` times the next one, weights made to sum to 1 [1]_.
        - "ledoit_wolf": shrunk towards the mean variance times the identity [2]_.
        - "oas": the same, with the oracle approximating share, which is smaller for normal returns [3]_.
    ddof : int
        Of "sample". The shrunk ones start from the matrix with ddof 0, as their papers do.
    decay : float
        Of "ewma", in (0, 1).
    periods_per_year : float
        The matrix is multiplied by it.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave out the periods in which any series has one, or return NaN where a series has
        one.

    Returns
    -------
    DataFrame of shape (n_series, n_series)
        Symmetric, with no negative eigenvalue beyond rounding.

    Raises
    ------
    InputError
        If returns are not a table of finite fractions of at least -1, or an option is out of its range.

    References
    ----------
    .. [1] J.P. Morgan and Reuters (1996). RiskMetrics technical document, fourth edition.
    .. [2] Ledoit, O. and Wolf, M. (2004). A well-conditioned estimator for large-dimensional covariance matrices.
       Journal of Multivariate Analysis, 88(2), 365-411.
    .. [3] Chen, Y., Wiesel, A., Eldar, Y. and Hero, A. (2010). Shrinkage algorithms for MMSE covariance estimation.
       IEEE Transactions on Signal Processing, 58(10), 5016-5029.

    Examples
    --------
    >>> covariance(pd.DataFrame({"A": [0.01, 0.03], "B": [0.0, -0.02]})).round(6)
            A       B
    A  0.0002 -0.0002
    B -0.0002  0.0002
    """
    choice("method", method, _METHODS)
    off, scale = whole("ddof", ddof), positive("periods_per_year", periods_per_year)
    values = as_return_matrix(
        returns, nan_policy, min_periods=off + 1 if method == "sample" else 1 if method == "ewma" else 2
    )
    matrix = _estimate(values, method, off, share("decay", decay, 0.94))
    names = pd.Index(names_of(returns, values.shape[1]))
    return pd.DataFrame(matrix * scale, index=names, columns=names)


def shrinkage(
    returns: Any, *, method: Literal["ledoit_wolf", "oas"] = "ledoit_wolf", nan_policy: NanPolicy = "raise"
) -> float:
    """Return how far the sample covariance is moved towards the mean variance times the identity.

    Parameters
    ----------
    returns, nan_policy
        As in `covariance`.
    method : {"ledoit_wolf", "oas"}
        Whose rule.

    Returns
    -------
    float
        In [0, 1]: 0 leaves it as it is, 1 replaces it. NaN if a NaN was propagated.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> 0.0 < shrinkage(rng.normal(0.0, 0.01, (50, 10))) <= 1.0
    True
    """
    choice("method", method, _METHODS[2:])
    values = as_return_matrix(returns, nan_policy, min_periods=2)
    return _share_of(values, values - values.mean(axis=0), method)


def _estimate(values: Float2D, method: str, ddof: int, decay: float) -> Float2D:
    n = len(values)
    if method == "ewma":
        weights = decay ** np.arange(n - 1, -1, -1.0)
        weighted = values * (weights / weights.sum())[:, None]
        return _symmetric(weighted.T @ values)
    centred = values - values.mean(axis=0)
    if method == "sample":
        return _symmetric(centred.T @ centred / (n - ddof))
    sample = _symmetric(centred.T @ centred / n)
    moved = _share_of(values, centred, method)
    return np.asarray((1.0 - moved) * sample + moved * np.trace(sample) / len(sample) * np.eye(len(sample)))


def _symmetric(matrix: Float2D) -> Float2D:
    return np.asarray((matrix + matrix.T) / 2.0)


def _share_of(values: Float2D, centred: Float2D, method: str) -> float:
    """Return the share of the target."""
    n, p = values.shape
    if p == 1:
        return 0.0
    sample = centred.T @ centred / n
    mean = float(np.trace(sample)) / p
    squares = float(np.sum(sample * sample))
    # The distance of the sample from the target, in the norm of the papers: the sum of squares over p.
    distance = squares / p - mean * mean
    if np.isnan(values).any():
        return float("nan")
    if not distance > 0.0:
        return 0.0 if mean == 0.0 else 1.0
    if method == "oas":
        above = squares / (p * p) + mean * mean
        below = (n + 1.0) * (squares / (p * p) - mean * mean / p)
        return float(min(above / below, 1.0)) if below > 0.0 else 1.0
    # The error of the sample: the mean over the periods of the squared distance of x x' from it, over n.
    row_squares = np.sum(centred * centred, axis=1)
    error = (float(row_squares @ row_squares) / n - squares) / (n * p)
    return float(min(max(error, 0.0), distance) / distance)


def check_weights(weights: Any, names: Any) -> Any:
    """Return weights in the order of the columns, as floats.

    A mapping or a Series is read by name: each column has one, and there are no others. Weights may be negative and
    need not sum to 1; what is missing is cash.

    Examples
    --------
    >>> check_weights({"B": 0.4, "A": 0.6}, ["A", "B"])
    array([0.6, 0.4])
    """
    labels = list(names)
    if hasattr(weights, "keys"):
        given = dict(weights.items())
        missing, unknown = (
            [name for name in labels if name not in given],
            [name for name in given if name not in labels],
        )
        if missing or unknown:
            raise InputError(
                f"weights and columns do not match: no weight for {missing[:3]}, no column for {unknown[:3]}"
            )
        weights = [given[name] for name in labels]
    found = np.asarray(weights, dtype=np.float64)
    if found.shape != (len(labels),):
        raise InputError(f"weights have the shape {found.shape}, expected one for each of {len(labels)} columns")
    if not np.isfinite(found).all():
        raise InputError("a weight is not finite; weights are fractions of the equity, 0.0 for none")
    return found


def check_covariance(values: Float2D, names: Sequence[Any]) -> None:
    """Refuse what is no covariance of these assets.

    Parameters
    ----------
    values : array of shape (n_assets, n_assets)
        With at least one asset.
    names : sequence
        Of the assets, for the message.

    Raises
    ------
    InputError
        If a number is not finite, it is not symmetric to 1e-9 of the largest variance, a variance is below 0, or an
        eigenvalue is by more than that.

    Examples
    --------
    >>> check_covariance(np.array([[0.04, 0.0], [0.0, 0.01]]), ["A", "B"])
    """
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise InputError(f"the covariance of {names[row]!r} and {names[column]!r} is not finite")
    largest = float(np.abs(np.diag(values)).max())
    if np.abs(values - values.T).max() > 1e-9 * largest + 1e-300:
        raise InputError("the covariance is not symmetric")
    if (np.diag(values) < 0.0).any():
        raise InputError(f"the variance of {names[int(np.argmin(np.diag(values)))]!r} is below 0")
    try:  # much cheaper than the eigenvalues, which are asked only where it fails
        np.linalg.cholesky(values + 1e-9 * largest * np.eye(len(values)))
    except np.linalg.LinAlgError:
        lowest = float(np.linalg.eigvalsh(values)[0])
        if lowest < -1e-9 * largest:
            raise InputError(
                f"the covariance has a negative eigenvalue ({lowest:.3g}), so some mix would have a variance below 0; "
                'estimate it from periods that all assets share (nan_policy="omit"), or shrink it'
            ) from None
