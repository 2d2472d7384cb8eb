"""The VaR and ES of a book with one position changed, fast enough to ask before every order.

Two ways: by a covariance matrix, where a change costs a few multiplications, and by scenarios, where it costs one pass
over them. Anything else that meets `RiskEstimates` does as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.risk.distributions import TailRisk, empirical_tail, normal_tail
from algotrendy.risk.inputs import check_dates

__all__ = ["ParametricRisk", "RiskEstimates", "ScenarioRisk"]


class RiskEstimates(Protocol):
    """Tells the VaR and ES of a book, as positive fractions of its equity, after the value of a position changes."""

    def value_at_risk(self, symbol: str, change: float) -> float:
        """Return the VaR after the position in `symbol` grew by `change` in the book's currency."""
        ...

    def expected_shortfall(self, symbol: str, change: float) -> float:
        """Return the ES after that change."""
        ...

    def moved(self, symbol: str, change: float) -> RiskEstimates:
        """Return the estimates of the book after that change; these stay as they are."""
        ...


class ParametricRisk:
    """VaR and ES of normal returns: a multiple of the standard deviation of the book's profit.

    The mean is taken as zero. With s the standard deviation of the profit as a fraction of equity and z the normal
    quantile of the confidence level c: VaR = z s, ES = phi(z) / (1 - c) s [1]_.

    Parameters
    ----------
    values : mapping of str to float
        What each position is worth in the book's currency; negative is short. Others of the matrix are zero.
    covariance : array-like of shape (n, n)
        Of returns per period of the horizon, symmetric, no eigenvalue below zero.
    symbols : sequence of str
        The n instruments of the matrix.
    equity : float
        In the same currency, > 0.
    confidence_level : float
        In (0.5, 1).

    References
    ----------
    .. [1] McNeil, A., Frey, R. and Embrechts, P. (2015). Quantitative Risk Management. Examples 2.11 and 2.14.

    Examples
    --------
    >>> risk = ParametricRisk({"A": 50_000.0}, [[0.0004]], ["A"], equity=100_000.0, confidence_level=0.95)
    >>> round(risk.value_at_risk("A", 0.0), 6), round(risk.expected_shortfall("A", 50_000.0), 6)
    (0.016449, 0.041254)
    """

    def __init__(
        self,
        values: Mapping[str, float],
        covariance: Any,
        symbols: Sequence[str],
        *,
        equity: float,
        confidence_level: float = 0.95,
    ) -> None:
        matrix = np.ascontiguousarray(covariance, dtype=np.float64)
        n = len(symbols)
        if matrix.shape != (n, n) or not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
            raise InputError(f"covariance has the shape {matrix.shape}; expected a finite symmetric one of ({n}, {n})")
        if n and float(np.linalg.eigvalsh(matrix)[0]) < -1e-10 * max(float(np.trace(matrix)), 1e-300):
            raise InputError("covariance has an eigenvalue below zero, so some book would have a negative variance")
        _check(equity, confidence_level)
        self._place = {symbol: i for i, symbol in enumerate(symbols)}
        _known(values, self._place)
        self._matrix, self._equity = matrix, equity
        held = np.array([float(values.get(symbol, 0.0)) for symbol in symbols])
        unit = normal_tail(0.0, 1.0, 1.0 - confidence_level)
        self._to_var, self._to_es = unit.value_at_risk / equity, unit.expected_shortfall / equity
        self._slope: Float1D = matrix @ held
        self._variance = float(held @ self._slope)

    def standard_deviation(self, symbol: str, change: float) -> float:
        """Return the standard deviation of the profit in the book's currency after that change."""
        variance = self._variance_after(self._place[symbol], change)
        return math.sqrt(variance) if variance > 0.0 else 0.0

    def _variance_after(self, i: int, change: float) -> float:
        slope, own = float(self._slope[i]), float(self._matrix[i, i])
        return self._variance + change * (2.0 * slope + change * own)

    def value_at_risk(self, symbol: str, change: float) -> float:
        """Return the VaR, as a fraction of equity, after that change."""
        return self._to_var * self.standard_deviation(symbol, change)

    def expected_shortfall(self, symbol: str, change: float) -> float:
        """Return the ES, as a fraction of equity, after that change."""
        return self._to_es * self.standard_deviation(symbol, change)

    def moved(self, symbol: str, change: float) -> ParametricRisk:
        """Return the estimates of the book after that change."""
        made = object.__new__(ParametricRisk)
        made.__dict__.update(self.__dict__)
        i = self._place[symbol]
        made._variance = self._variance_after(i, change)
        made._slope = self._slope + change * self._matrix[i]
        return made


class ScenarioRisk:
    """VaR and ES over scenarios, such as the returns of the last 500 days: historical simulation.

    VaR is the linear quantile of the losses; ES that of Rockafellar and Uryasev [1]_, so ES is never below VaR.

    Parameters
    ----------
    values : mapping of str to float
        What each position is worth in the book's currency; negative is short.
    returns : array-like of shape (n_scenarios, n)
        What each instrument would return in each scenario, as fractions; at least two scenarios.
    symbols : sequence of str
        The n instruments.
    equity : float
        In the same currency, > 0.
    confidence_level : float
        In (0.5, 1).

    References
    ----------
    .. [1] Rockafellar, R. T. and Uryasev, S. (2002). Conditional value-at-risk for general loss distributions. Journal
       of Banking and Finance, 26(7), 1443-1471.

    Examples
    --------
    >>> days = [[-0.05], [-0.02], [0.01], [0.03]]
    >>> risk = ScenarioRisk({"A": 100.0}, days, ["A"], equity=100.0, confidence_level=0.75)
    >>> round(risk.value_at_risk("A", 0.0), 4), round(risk.expected_shortfall("A", 0.0), 4)
    (0.0275, 0.05)
    """

    def __init__(
        self,
        values: Mapping[str, float],
        returns: Any,
        symbols: Sequence[str],
        *,
        equity: float,
        confidence_level: float = 0.95,
    ) -> None:
        check_dates(returns)
        table: Float2D = np.array(returns, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != len(symbols) or len(table) < 2 or not np.isfinite(table).all():
            raise InputError(
                f"returns have the shape {table.shape}; expected finite ones of (n_scenarios >= 2, {len(symbols)})"
            )
        _check(equity, confidence_level)
        self._place = {symbol: i for i, symbol in enumerate(symbols)}
        _known(values, self._place)
        self._columns = np.ascontiguousarray(table.T)
        self._equity, self._level = equity, confidence_level
        held = np.array([float(values.get(symbol, 0.0)) for symbol in symbols])
        self._profits: Float1D = table @ held

    def _tail(self, symbol: str, change: float) -> TailRisk:
        returns = (self._profits + change * self._columns[self._place[symbol]]) / self._equity
        return empirical_tail(returns, 1.0 - self._level)

    def value_at_risk(self, symbol: str, change: float) -> float:
        """Return the VaR, as a fraction of equity, after that change; a book that cannot lose has a negative one."""
        return self._tail(symbol, change).value_at_risk

    def expected_shortfall(self, symbol: str, change: float) -> float:
        """Return the ES, as a fraction of equity, after that change."""
        return self._tail(symbol, change).expected_shortfall

    def moved(self, symbol: str, change: float) -> ScenarioRisk:
        """Return the estimates of the book after that change."""
        made = object.__new__(ScenarioRisk)
        made.__dict__.update(self.__dict__)
        made._profits = self._profits + change * self._columns[self._place[symbol]]
        return made


def _check(equity: float, confidence_level: float) -> None:
    if not (math.isfinite(equity) and equity > 0.0):
        raise InputError(f"equity is {equity}; estimates are fractions of it, so it has to be positive")
    if not 0.5 < confidence_level < 1.0:
        raise InputError(f"confidence_level is {confidence_level}; expected a fraction in (0.5, 1), such as 0.95")


def _known(values: Mapping[str, float], place: Mapping[str, int]) -> None:
    unknown = sorted(set(values) - set(place))
    if unknown:
        raise InputError(f"{', '.join(unknown)} is held, but is not among the symbols; give its returns, too")
    for symbol, value in values.items():
        if not math.isfinite(value):
            raise InputError(f"the value of {symbol} is {value}; expected a finite number")
