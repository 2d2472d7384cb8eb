"""How far a Sharpe ratio can be believed: its error, and what many trials do to it.

The Sharpe ratio is mean / std(ddof=1) of the excess returns over all periods, flat ones included, times the root of
`periods_per_year`. Its error comes from the returns' own skewness and kurtosis, not from a normal distribution; with
`lags` also from their autocorrelation. All ratios that go in and come out are annualised with the same
`periods_per_year`; 1 (the default of the functions here) means per period.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from algotrendy.domain.types import Float1D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import hurdle, number, positive, whole
from algotrendy.risk.inputs import as_returns

__all__ = [
    "SharpeEstimate",
    "deflated_sharpe_ratio",
    "expected_maximum_sharpe",
    "minimum_track_record_length",
    "probabilistic_sharpe_ratio",
    "sharpe_estimate",
    "sharpe_ratio",
]

Lags = int | Literal["auto"]

_ROUNDING = 1e-12
"""A standard deviation up to here is the noise of arithmetic: the returns did not move."""

_EULER = 0.5772156649015329


@dataclass(frozen=True, kw_only=True)
class SharpeEstimate:
    """A Sharpe ratio and what its error depends on.

    Attributes
    ----------
    n_periods : int
        Periods it was estimated from.
    sharpe_ratio : float
        Per period; NaN if the returns did not move.
    skewness : float
        Third standardised moment of the returns; 0 for a normal distribution.
    kurtosis : float
        Fourth standardised moment, not in excess; 3 for a normal distribution.
    autocorrelation : float
        Of the returns with those one period before. Above zero the plain error is too small: see `lags`.
    periods_per_year : float
        What `annual` is annualised with.
    inflation : float
        Variance of the estimate with the autocorrelation up to `lags`, as a multiple of the plain one.
    lags : int
        How many lags of autocorrelation `inflation` counts; 0: none, and it is 1.

    Examples
    --------
    A published case (Bailey and López de Prado 2012): 24 months, Sharpe 0.458 a month, skewed and fat-tailed.

    >>> fund = SharpeEstimate(n_periods=24, sharpe_ratio=0.458, skewness=-2.448, kurtosis=10.164)
    >>> round(fund.probability_above(0.0), 3)
    0.913
    """

    n_periods: int
    sharpe_ratio: float
    skewness: float = 0.0
    kurtosis: float = 3.0
    autocorrelation: float = math.nan
    periods_per_year: float = 1.0
    inflation: float = 1.0
    lags: int = 0

    @property
    def annual(self) -> float:
        """The ratio times the root of `periods_per_year`."""
        return self.sharpe_ratio * math.sqrt(self.periods_per_year)

    @property
    def variance_per_period(self) -> float:
        """Variance of the estimate times (n_periods - 1), per period: 1 for normal returns of Sharpe ratio zero."""
        ratio = self.sharpe_ratio
        plain = 1.0 - self.skewness * ratio + (self.kurtosis - 1.0) / 4.0 * ratio * ratio
        return max(plain, 0.0) * self.inflation

    @property
    def standard_error(self) -> float:
        """Standard error of `annual`."""
        return math.sqrt(self.variance_per_period / (self.n_periods - 1.0) * self.periods_per_year)

    def probability_above(self, benchmark: float) -> float:
        """Return the probability that the true ratio lies above `benchmark` (annualised as `annual` is)."""
        from scipy.special import ndtr

        if math.isnan(self.sharpe_ratio):
            return math.nan
        error, distance = self.standard_error, self.annual - benchmark
        if error <= 0.0:
            return 1.0 if distance > 0.0 else 0.5 if distance == 0.0 else 0.0
        return float(ndtr(distance / error))

    def periods_needed(self, benchmark: float, confidence: float) -> float:
        """Return the periods after which the same figures would be above `benchmark` with this confidence."""
        from scipy.special import ndtri

        if math.isnan(self.sharpe_ratio):
            return math.nan
        distance = self.sharpe_ratio - benchmark / math.sqrt(self.periods_per_year)
        if distance <= 0.0:
            return math.inf
        return float(1.0 + self.variance_per_period * (ndtri(confidence) / distance) ** 2)


def sharpe_estimate(
    returns: Any,
    *,
    risk_free_rate: float = 0.0,
    periods_per_year: float = 1.0,
    lags: Lags = 0,
    nan_policy: NanPolicy = "raise",
) -> SharpeEstimate:
    """Return the Sharpe ratio of returns together with everything its error depends on.

    Parameters
    ----------
    returns : array-like of shape (n_periods,), n_periods >= 2
        Simple returns per period, as fractions, oldest first.
    risk_free_rate : float
        Per year as a fraction (per period if `periods_per_year` is 1), taken off the returns.
    periods_per_year : float
        What ratios are annualised with: 252 for days of an exchange.
    lags : int or "auto"
        Lags of autocorrelation that the error counts, by the Newey-West weights on the influence of each return on the
        ratio [1]_; "auto": 4 (n/100)^(2/9). 0, the default, is the error of independent returns [2]_.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return an estimate that is NaN.

    Returns
    -------
    SharpeEstimate
        Its `sharpe_ratio` is NaN if the returns did not move.

    Raises
    ------
    InputError
        If returns are not finite fractions of at least -1, there are fewer than two, or an option is out of its range.

    References
    ----------
    .. [1] Lo, A. (2002). The statistics of Sharpe ratios. Financial Analysts Journal, 58(4), 36-52.
    .. [2] Opdyke, J. D. (2007). Comparing Sharpe ratios: so where are the p-values? Journal of Asset Management, 8(5).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> estimate = sharpe_estimate(rng.normal(0.0004, 0.01, 2520), periods_per_year=252)
    >>> round(estimate.annual, 2), round(estimate.standard_error, 2)
    (0.46, 0.32)
    """
    values = as_returns(returns, nan_policy)
    per_year = positive("periods_per_year", periods_per_year)
    count = _lags(lags, len(values))
    excess = values - hurdle(risk_free_rate, per_year)
    mean, n = float(np.mean(excess)), len(excess)
    centred = excess - mean
    squares = centred * centred
    variance = float(np.mean(squares))
    deviation = math.sqrt(variance * n / (n - 1.0)) if not math.isnan(variance) else math.nan
    if not deviation > _ROUNDING:
        return SharpeEstimate(
            n_periods=n, sharpe_ratio=math.nan, skewness=math.nan, kurtosis=math.nan, periods_per_year=per_year
        )
    z = centred / math.sqrt(variance)
    return SharpeEstimate(
        n_periods=n,
        sharpe_ratio=mean / deviation,
        skewness=float(np.mean(z**3)),
        kurtosis=float(np.mean(z**4)),
        autocorrelation=float(np.dot(z[1:], z[:-1]) / n),
        periods_per_year=per_year,
        inflation=_inflation(z, mean / math.sqrt(variance), count),
        lags=count,
    )


def sharpe_ratio(
    returns: Any,
    *,
    risk_free_rate: float = 0.0,
    periods_per_year: float = 1.0,
    ddof: int = 1,
    autocorrelation_lags: int | None = None,
    nan_policy: NanPolicy = "raise",
) -> Any:
    """Return mean / std(ddof=1) of the excess returns times the root of `periods_per_year`.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    risk_free_rate : float
        Per year as a fraction (per period if `periods_per_year` is 1), taken off the returns.
    periods_per_year : float
        What the ratio is annualised with: 252 for days of an exchange.
    ddof : int
        Degrees of freedom taken off the number of periods in the standard deviation.
    autocorrelation_lags : int, optional
        Annualise with Lo's factor, which counts autocorrelations up to so many lags, instead of the root [1]_; then
        `periods_per_year` is a whole number.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        NaN if the returns did not move; of a frame, one for each column.

    References
    ----------
    .. [1] Lo, A. (2002). The statistics of Sharpe ratios. Financial Analysts Journal, 58(4), 36-52.

    Examples
    --------
    >>> round(sharpe_ratio([0.01, 0.03]), 6)
    1.414214
    """
    from algotrendy.risk.columns import by_column
    from algotrendy.risk.ratios import autocorrelation_factor

    off, per_year = whole("ddof", ddof), positive("periods_per_year", periods_per_year)
    if autocorrelation_lags is not None and per_year != int(per_year):
        raise InputError(f"periods_per_year is {periods_per_year!r}; counting autocorrelation it is a whole number")

    def measure(values: Float1D) -> float:
        if values.size <= off:
            raise InputError(f"there are {values.size} periods of returns, with ddof={off} this needs {off + 1}")
        found = sharpe_estimate(values, risk_free_rate=risk_free_rate, periods_per_year=per_year)
        corrected = math.sqrt((values.size - off) / (values.size - 1.0))
        if autocorrelation_lags is None:
            return found.annual * corrected
        factor: Any = autocorrelation_factor(values, int(per_year), lags=autocorrelation_lags)
        return found.sharpe_ratio * float(factor) * corrected

    return by_column(returns, measure, nan_policy, min_periods=2)


def probabilistic_sharpe_ratio(
    returns: Any,
    benchmark: float = 0.0,
    *,
    risk_free_rate: float = 0.0,
    periods_per_year: float = 1.0,
    lags: Lags = 0,
    nan_policy: NanPolicy = "raise",
) -> Any:
    """Return the probability that the true Sharpe ratio is above a benchmark, for one strategy that was not chosen.

    The estimate is taken as normal with the error that the returns' skewness and kurtosis give it [1]_. For a strategy
    that was picked from several, see `deflated_sharpe_ratio`.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    risk_free_rate, periods_per_year, lags, nan_policy
        As in `sharpe_estimate`.
    benchmark : float
        A Sharpe ratio, annualised with `periods_per_year`.

    Returns
    -------
    float or Series
        In [0, 1]; NaN if the returns did not move.

    Raises
    ------
    InputError
        As `sharpe_estimate`.

    References
    ----------
    .. [1] Bailey, D. and López de Prado, M. (2012). The Sharpe ratio efficient frontier. Journal of Risk, 15(2), 3-44.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> round(probabilistic_sharpe_ratio(rng.normal(0.0004, 0.01, 2520)), 3)
    0.925
    """
    from algotrendy.risk.columns import by_column

    options: dict[str, Any] = {"risk_free_rate": risk_free_rate, "periods_per_year": periods_per_year, "lags": lags}
    return by_column(
        returns, lambda x: sharpe_estimate(x, **options).probability_above(benchmark), nan_policy, min_periods=2
    )


def expected_maximum_sharpe(n_trials: float, variance: float) -> float:
    """Return the Sharpe ratio that the best of several trials without any skill is expected to have [1]_.

    Parameters
    ----------
    n_trials : float
        Number of independent trials, at least 1; an effective number need not be whole.
    variance : float
        Variance of the trials' Sharpe ratios, in the square of their unit: per period or annual. Not negative.

    Returns
    -------
    float
        In the unit of the root of `variance`; 0.0 for one trial.

    Raises
    ------
    InputError
        If a number is out of its range.

    References
    ----------
    .. [1] Bailey, D. and López de Prado, M. (2014). The deflated Sharpe ratio. Journal of Portfolio Management, 40(5),
       94-107: equation 1 with mean zero.

    Examples
    --------
    A hundred trials whose annual ratios have the variance 1/2:

    >>> round(expected_maximum_sharpe(100, 0.5 / 250), 4)
    0.1132
    """
    from scipy.special import ndtri

    count = number("n_trials", n_trials)
    spread = number("variance", variance)
    if not count >= 1.0:
        raise InputError(f"n_trials is {n_trials!r}; at least one trial was made")
    if not spread >= 0.0:
        raise InputError(f"variance is {variance!r}; a variance is not negative")
    if count == 1.0:
        return 0.0
    quantile = (1.0 - _EULER) * ndtri(1.0 - 1.0 / count) + _EULER * ndtri(1.0 - 1.0 / (count * math.e))
    return float(math.sqrt(spread) * max(quantile, 0.0))


def deflated_sharpe_ratio(
    returns: Any,
    n_trials: float,
    trial_sharpe_variance: float,
    *,
    risk_free_rate: float = 0.0,
    periods_per_year: float = 1.0,
    lags: Lags = 0,
    nan_policy: NanPolicy = "raise",
) -> Any:
    """Return the probability that the true Sharpe ratio of the best of several trials is above that of lucky trials.

    It is the probabilistic Sharpe ratio against the ratio that the best of `n_trials` without skill is expected to have
    [1]_. A value above 0.95 is not a test at 5 %: over independent trials it is far stricter; the page on overfitting
    has the figures.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period of the chosen trial, as fractions, oldest first; of a frame each column is judged as
        the best of so many trials.
    risk_free_rate, periods_per_year, lags, nan_policy
        As in `sharpe_estimate`.
    n_trials : float
        Number of trials, raw or effective, at least 1.
    trial_sharpe_variance : float
        Variance of the trials' Sharpe ratios, annualised with `periods_per_year`.

    Returns
    -------
    float or Series
        In [0, 1]; NaN if the returns did not move.

    Raises
    ------
    InputError
        As `sharpe_estimate` and `expected_maximum_sharpe`.

    References
    ----------
    .. [1] Bailey, D. and López de Prado, M. (2014). The deflated Sharpe ratio. Journal of Portfolio Management, 40(5).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> round(deflated_sharpe_ratio(rng.normal(0.0004, 0.01, 2520), 20, 1 / 2520), 3)
    0.323
    """
    from algotrendy.risk.columns import by_column

    threshold = expected_maximum_sharpe(n_trials, trial_sharpe_variance)
    options: dict[str, Any] = {"risk_free_rate": risk_free_rate, "periods_per_year": periods_per_year, "lags": lags}
    return by_column(
        returns, lambda x: sharpe_estimate(x, **options).probability_above(threshold), nan_policy, min_periods=2
    )


def minimum_track_record_length(
    returns: Any,
    benchmark: float = 0.0,
    *,
    confidence: float = 0.95,
    risk_free_rate: float = 0.0,
    periods_per_year: float = 1.0,
    lags: Lags = 0,
    nan_policy: NanPolicy = "raise",
) -> Any:
    """Return how many periods like these it takes to trust that the Sharpe ratio is above a benchmark [1]_.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    risk_free_rate, periods_per_year, lags, nan_policy
        As in `sharpe_estimate`.
    benchmark : float
        A Sharpe ratio, annualised with `periods_per_year`.
    confidence : float
        In (0.5, 1).

    Returns
    -------
    float or Series
        Number of periods (not years); infinite if the ratio is not above the benchmark; NaN if the returns did not
        move.

    Raises
    ------
    InputError
        As `sharpe_estimate`, or if `confidence` is out of its range.

    References
    ----------
    .. [1] Bailey, D. and López de Prado, M. (2012). The Sharpe ratio efficient frontier. Journal of Risk, 15(2), 3-44.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> round(minimum_track_record_length(rng.normal(0.0004, 0.01, 2520)))
    3286
    """
    from algotrendy.risk.columns import by_column

    if not 0.5 < number("confidence", confidence) < 1.0:
        raise InputError(f"confidence is {confidence!r}; use a probability between 0.5 and 1, such as 0.95")
    options: dict[str, Any] = {"risk_free_rate": risk_free_rate, "periods_per_year": periods_per_year, "lags": lags}
    return by_column(
        returns,
        lambda x: sharpe_estimate(x, **options).periods_needed(benchmark, confidence),
        nan_policy,
        min_periods=2,
    )


def _inflation(z: Float1D, ratio: float, lags: int) -> float:
    """Return the long-run variance of the returns' influence on the ratio, as a multiple of its plain variance."""
    if lags == 0:
        return 1.0
    influence = z - ratio / 2.0 * (z * z - 1.0)
    plain = float(np.dot(influence, influence))
    if not plain > 0.0:
        return 1.0
    total = plain
    for lag in range(1, lags + 1):
        total += 2.0 * (1.0 - lag / (lags + 1.0)) * float(np.dot(influence[lag:], influence[:-lag]))
    return total / plain


def _lags(lags: Any, n: int) -> int:
    if lags == "auto":
        return min(int(4.0 * (n / 100.0) ** (2.0 / 9.0)), n - 1)
    if isinstance(lags, bool) or not isinstance(lags, (int, np.integer)) or not 0 <= lags < n:
        raise InputError(f'lags is {lags!r}; use "auto", or a whole number from 0 to {n - 1}')
    return int(lags)
