"""The specification's `RiskCalculator`: the measures of this room with one set of conventions, named once."""

from __future__ import annotations

from typing import Any, get_args

import pandas as pd

from algotrendy.domain.types import NanPolicy
from algotrendy.risk.checks import choice, hurdle, positive
from algotrendy.risk.columns import Sign
from algotrendy.risk.contributions import risk_contributions
from algotrendy.risk.covariances import covariance
from algotrendy.risk.drawdown import max_drawdown_of_equity
from algotrendy.risk.ratios import annual_return, calmar_ratio, omega_ratio, sortino_ratio
from algotrendy.risk.relative import BetaMethod, alpha, beta, information_ratio, tracking_error
from algotrendy.risk.sharpe import sharpe_ratio
from algotrendy.risk.table import metrics
from algotrendy.risk.tail_measures import expected_shortfall, value_at_risk
from algotrendy.risk.tail_model import TailMethod
from algotrendy.risk.var_backtest import VarBacktest, backtest_var
from algotrendy.risk.volatilities import volatility

__all__ = ["RiskCalculator"]


class RiskCalculator:
    """Risk measures with the same conventions in every call.

    A number of one series is a float, of a frame a Series with one number for each column.

    Parameters
    ----------
    periods_per_year : float
        What ratios, volatilities and returns are annualised with; 252 for days of an exchange.
    risk_free_rate : float
        Per year as a fraction.
    sign : {"loss", "return"}
        Value at risk, expected shortfall and drawdown of 2 % are 0.02, or -0.02.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Raises
    ------
    InputError
        If one of them is out of its range.

    Examples
    --------
    >>> calculator = RiskCalculator()
    >>> calculator.calculate_var(pd.Series([-0.04, -0.02, 0.0, 0.01, 0.02]), 0.75)
    0.02
    >>> calculator.calculate_max_drawdown(pd.Series([100.0, 125.0, 100.0]))
    0.2
    """

    def __init__(
        self,
        *,
        periods_per_year: float = 252.0,
        risk_free_rate: float = 0.0,
        sign: Sign = "loss",
        nan_policy: NanPolicy = "raise",
    ) -> None:
        self.periods_per_year = positive("periods_per_year", periods_per_year)
        hurdle(risk_free_rate, self.periods_per_year)
        choice("sign", sign, get_args(Sign))
        choice("nan_policy", nan_policy, get_args(NanPolicy))
        self.risk_free_rate, self.sign, self.nan_policy = risk_free_rate, sign, nan_policy

    @property
    def _excess(self) -> dict[str, Any]:
        return {**self._annual, "risk_free_rate": self.risk_free_rate}

    @property
    def _annual(self) -> dict[str, Any]:
        return {"periods_per_year": self.periods_per_year, "nan_policy": self.nan_policy}

    def calculate_var(
        self, returns: Any, confidence_level: float = 0.95, method: TailMethod = "historical", **options: Any
    ) -> float | pd.Series:
        """Return the value at risk of one period, or of `horizon` of them, with the options of `value_at_risk`."""
        return value_at_risk(
            returns, confidence_level, method=method, sign=self.sign, nan_policy=self.nan_policy, **options
        )

    def calculate_expected_shortfall(
        self, returns: Any, confidence_level: float = 0.95, method: TailMethod = "historical", **options: Any
    ) -> float | pd.Series:
        """Return the mean loss beyond the value at risk, as `expected_shortfall`."""
        return expected_shortfall(
            returns, confidence_level, method=method, sign=self.sign, nan_policy=self.nan_policy, **options
        )

    def calculate_beta(
        self, portfolio_returns: Any, market_returns: Any, method: BetaMethod = "ols", **options: Any
    ) -> float | pd.Series:
        """Return how much a portfolio moves with a market, as `beta`."""
        return beta(portfolio_returns, market_returns, method=method, nan_policy=self.nan_policy, **options)

    def calculate_max_drawdown(self, portfolio_values: Any) -> float | pd.Series:
        """Return the largest loss from a peak of *values* of an account; of returns see `max_drawdown`."""
        return max_drawdown_of_equity(portfolio_values, sign=self.sign, nan_policy=self.nan_policy)

    def calculate_alpha(self, portfolio_returns: Any, market_returns: Any, **options: Any) -> float | pd.Series:
        """Return Jensen's alpha per year, as `alpha`."""
        return alpha(portfolio_returns, market_returns, **self._excess, **options)

    def calculate_annual_return(self, returns: Any) -> float | pd.Series:
        """Return the compounded return per year, as `annual_return`."""
        return annual_return(returns, **self._annual)

    def calculate_calmar_ratio(self, returns: Any) -> float | pd.Series:
        """Return the annual return over the largest drawdown, as `calmar_ratio`."""
        return calmar_ratio(returns, **self._annual)

    def calculate_covariance(self, returns: Any, **options: Any) -> pd.DataFrame:
        """Return the annual covariance matrix, as `covariance`."""
        return covariance(returns, **self._annual, **options)

    def calculate_information_ratio(self, portfolio_returns: Any, benchmark_returns: Any) -> float | pd.Series:
        """Return the mean of the difference over its standard deviation, as `information_ratio`."""
        return information_ratio(portfolio_returns, benchmark_returns, **self._annual)

    def calculate_metrics(
        self, returns: Any, benchmark_returns: Any = None, **options: Any
    ) -> pd.Series | pd.DataFrame:
        """Return the whole table of measures, losses positive whatever `sign` says, as `metrics`."""
        return metrics(returns, benchmark=benchmark_returns, **self._excess, **options)

    def calculate_omega_ratio(self, returns: Any, target: float = 0.0) -> float | pd.Series:
        """Return gains over losses about a target per period, as `omega_ratio`."""
        return omega_ratio(returns, target=target, nan_policy=self.nan_policy)

    def calculate_risk_contributions(self, returns: Any, weights: Any, **options: Any) -> pd.DataFrame:
        """Return what each position adds to the risk of a book, as `risk_contributions`."""
        return risk_contributions(returns, weights, nan_policy=self.nan_policy, **options)

    def calculate_sharpe_ratio(self, returns: Any) -> float | pd.Series:
        """Return the annual Sharpe ratio, as `sharpe_ratio`."""
        return sharpe_ratio(returns, **self._excess)  # type: ignore[no-any-return]  # a float or a Series

    def calculate_sortino_ratio(self, returns: Any) -> float | pd.Series:
        """Return the annual Sortino ratio, as `sortino_ratio`."""
        return sortino_ratio(returns, **self._excess)

    def calculate_tracking_error(self, portfolio_returns: Any, benchmark_returns: Any) -> float | pd.Series:
        """Return the annual standard deviation of the difference, as `tracking_error`."""
        return tracking_error(portfolio_returns, benchmark_returns, **self._annual)

    def calculate_volatility(self, returns: Any) -> float | pd.Series:
        """Return the annual standard deviation, as `volatility`."""
        return volatility(returns, **self._annual)

    def backtest_var(
        self, returns: Any, method: TailMethod = "historical", window: int = 250, **options: Any
    ) -> VarBacktest:
        """Forecast the value at risk of every period from those before it and test the forecasts, as `backtest_var`."""
        return backtest_var(returns, method, window, nan_policy=self.nan_policy, **options)
