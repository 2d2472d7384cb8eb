"""What an optimiser is told: expected returns and covariances per year, and the returns they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.risk.checks import choice, number, positive
from algotrendy.risk.covariances import CovarianceMethod, check_covariance, covariance
from algotrendy.risk.inputs import as_return_matrix, names_of

__all__ = ["Estimates", "estimates_of"]

Expected: TypeAlias = Literal["mean"] | Mapping[str, float] | pd.Series | None


@dataclass(frozen=True, eq=False)
class Estimates:
    """Expected returns and covariances of several assets, per year.

    Attributes
    ----------
    covariance : DataFrame of shape (n_assets, n_assets)
        Of simple returns per year, as fractions squared; symmetric, without negative eigenvalue. Its names are the
        assets', each once.
    expected_returns : Series of shape (n_assets,), optional
        Simple returns per year, as fractions: 0.08 is 8 %. A mapping will do. Without them, what needs none still works
        and the expected return of a portfolio is NaN.
    returns : DataFrame of shape (n_periods, n_assets), optional
        Simple returns per period, the scenarios of `min_cvar`; no other objective reads them.
    risk_free_rate : float
        Per year, a fraction; what cash earns.

    Raises
    ------
    InputError
        If it is no covariance (not square, not symmetric, not finite, a negative eigenvalue), names are not unique, or
        do not match.

    Examples
    --------
    >>> market = Estimates(pd.DataFrame([[0.04, 0.0], [0.0, 0.01]], index=["A", "B"], columns=["A", "B"]),
    ...                    expected_returns={"A": 0.08, "B": 0.03})
    >>> market.names, market.volatilities.tolist()
    (['A', 'B'], [0.2, 0.1])
    """

    covariance: pd.DataFrame
    expected_returns: pd.Series | None = None
    returns: pd.DataFrame | None = None
    risk_free_rate: float = 0.0

    def __post_init__(self) -> None:
        frame = self.covariance
        if not isinstance(frame, pd.DataFrame):
            raise InputError(f"the covariance is a {type(frame).__name__}; give a DataFrame with the assets' names")
        names = list(frame.columns)
        if not names or len(set(names)) < len(names):
            twice = sorted({str(name) for name in names if names.count(name) > 1})
            raise InputError(f"each asset needs one name of its own: {', '.join(twice) or 'there is no asset'}")
        if list(frame.index) != names:
            raise InputError("the rows and columns of the covariance are not the same assets in the same order")
        check_covariance(frame.to_numpy(dtype=np.float64), names)
        if self.expected_returns is not None:
            object.__setattr__(self, "expected_returns", series_of(self.expected_returns, names, "expected return"))
        if self.returns is not None and list(self.returns.columns) != names:
            raise InputError("the columns of the returns are not the assets of the covariance, in the same order")
        number("risk_free_rate", self.risk_free_rate)

    @classmethod
    def from_returns(
        cls,
        returns: pd.DataFrame,
        *,
        covariance_method: CovarianceMethod = "sample",
        expected_returns: Expected = "mean",
        risk_free_rate: float = 0.0,
        periods_per_year: float = 252.0,
        nan_policy: Literal["raise", "omit"] = "raise",
        **options: Any,
    ) -> Estimates:
        """Estimate from returns per period.

        Parameters
        ----------
        returns : DataFrame of shape (n_periods, n_assets)
            Simple returns per period, as fractions, oldest first.
        covariance_method : {"sample", "ewma", "ledoit_wolf", "oas"}
            As in `risk.covariance`; with fewer periods than about twice the assets a shrunk one.
        expected_returns : "mean", mapping, Series or None
            The arithmetic mean times `periods_per_year`, or your own per year, or none.
        risk_free_rate : float
            Per year.
        periods_per_year : float
            Makes the mean and the covariance annual.
        nan_policy : {"raise", "omit"}
            Refuse NaN and say where, or leave out the periods in which any asset has one.
        **options
            `ddof` and `decay` of `risk.covariance`.

        Examples
        --------
        >>> returns = pd.DataFrame({"A": [0.01, 0.03], "B": [0.0, -0.02]})
        >>> Estimates.from_returns(returns, periods_per_year=1).expected_returns.round(12).to_dict()
        {'A': 0.02, 'B': -0.01}
        """
        choice("nan_policy", nan_policy, ("raise", "omit"))
        values = as_return_matrix(returns, nan_policy, min_periods=2)
        names = list(names_of(returns, values.shape[1]))
        frame = pd.DataFrame(values, columns=pd.Index(names))
        if len(values) == len(returns) and isinstance(returns, pd.DataFrame):
            frame.index = returns.index
        matrix = covariance(frame, method=covariance_method, periods_per_year=periods_per_year, **options)
        expected: Any = expected_returns
        if isinstance(expected, str):
            choice("expected_returns", expected, ("mean",))
            expected = pd.Series(values.mean(axis=0) * positive("periods_per_year", periods_per_year), index=names)
        return cls(matrix, expected, frame, risk_free_rate)

    @property
    def names(self) -> list[Any]:
        """Names of the assets."""
        return list(self.covariance.columns)

    @property
    def volatilities(self) -> pd.Series:
        """Standard deviation of each asset per year."""
        return pd.Series(np.sqrt(np.diag(self.covariance.to_numpy(dtype=np.float64))), index=self.covariance.index)

    def matrix(self) -> Float2D:
        """Return the covariance as an array."""
        return self.covariance.to_numpy(dtype=np.float64)

    def expected(self) -> Float1D:
        """Return the expected returns as an array.

        Raises
        ------
        InputError
            If there are none.
        """
        if self.expected_returns is None:
            raise InputError("this needs expected returns; give Estimates(covariance, expected_returns=...)")
        return self.expected_returns.to_numpy(dtype=np.float64)


def estimates_of(given: Any) -> Estimates:
    """Return estimates as they are, or the plain ones of a frame of daily returns (sample covariance, mean).

    Examples
    --------
    >>> estimates_of(pd.DataFrame({"A": [0.01, 0.03], "B": [0.0, -0.02]})).names
    ['A', 'B']
    """
    if isinstance(given, Estimates):
        return given
    if isinstance(given, pd.DataFrame):
        return Estimates.from_returns(given)
    raise InputError(
        f"the assets are given as a {type(given).__name__}; give Estimates, or a DataFrame of daily returns with one "
        "column per asset"
    )


def series_of(given: Any, names: list[Any], what: str) -> pd.Series:
    """Return a finite number for each asset, in the order of the assets.

    Examples
    --------
    >>> series_of({"B": 2, "A": 1}, ["A", "B"], "weight").to_dict()
    {'A': 1.0, 'B': 2.0}
    """
    if hasattr(given, "keys"):
        found, known = dict(given.items()), set(names)
        missing, unknown = [n for n in names if n not in found], [n for n in found if n not in known]
        if missing or unknown:
            raise InputError(f"there is no {what} for {missing[:3]}, and no asset for {unknown[:3]}")
        given = [found[name] for name in names]
    values = np.asarray(given, dtype=np.float64)
    if values.shape != (len(names),):
        raise InputError(f"there are {values.size} numbers for {what}, expected one for each of {len(names)} assets")
    if not np.isfinite(values).all():
        raise InputError(f"the {what} of {names[int(np.flatnonzero(~np.isfinite(values))[0])]!r} is not finite")
    return pd.Series(values, index=pd.Index(names))


def moving_volatilities(estimates: Estimates, what: str) -> Float1D:
    """Return the volatilities, all above zero.

    Raises
    ------
    InputError
        If an asset does not move at all.
    """
    found = estimates.volatilities.to_numpy(dtype=np.float64)
    still = [name for name, each in zip(estimates.names, found, strict=True) if not each > 1e-12 * found.max()]
    if still:
        raise InputError(
            f"{still[0]!r} has no variance, so {what} says nothing about it; leave it out or hold it as cash"
        )
    return found
