"""Value at risk and expected shortfall: what is lost at a level of confidence, and on average beyond it.

Both are positive fractions where money is lost: 0.02 means that 2 % or more is lost in one period of twenty (at 0.95).
They are negative where even the bad cases gain. Ten methods share one set of options; a method refuses an option that
it does not read. The page on conventions says where other libraries differ and which options reproduce them.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, NanPolicy
from algotrendy.risk.columns import Sign, by_column, signed
from algotrendy.risk.distributions import TailRisk
from algotrendy.risk.inputs import as_returns
from algotrendy.risk.tail_model import TailMethod, TailModel

__all__ = ["expected_shortfall", "tail_risk", "value_at_risk"]

_PERIODS_MIN = 1


def value_at_risk(
    returns: Any,
    confidence_level: float = 0.95,
    *,
    method: TailMethod = "historical",
    horizon: int = 1,
    sign: Sign = "loss",
    nan_policy: NanPolicy = "raise",
    **options: Any,
) -> float | pd.Series:
    """Return the loss that is not exceeded with a given confidence.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    confidence_level : float
        In (0, 1): at 0.95 one period of twenty is worse.
    method : str
        - "historical": the quantile of the returns as they were.
        - "parametric": a normal distribution with their mean and standard deviation.
        - "student_t": Student's t distribution, fitted by maximum likelihood.
        - "cornish_fisher": normal quantiles bent by skewness and kurtosis [1]_; warns outside its domain [2]_.
        - "ewma": normal about zero, with exponentially weighted volatility (RiskMetrics).
        - "garch": a GARCH(1,1), as it stands after the last period.
        - "filtered_historical": the shocks that were seen, at the volatility of now [3]_.
        - "evt": peaks over a threshold, a generalised Pareto tail [4]_.
        - "monte_carlo": simulated periods, compounded.
        - "age_weighted": as they were, older ones weighing less [5]_.
    horizon : int
        Periods over which the loss is counted.
    sign : {"loss", "return"}
        A loss of 2 % is 0.02, or -0.02.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.
    **options
        - scaling : {"model", "root_time", "overlapping"}. How `horizon` is reached: as the model says (the default
          where it says something: parametric, cornish_fisher, ewma, garch, filtered_historical, monte_carlo, evt), by
          the root of time (the default elsewhere), or from returns compounded over overlapping stretches.
        - quantile : str, "linear". Rule of `numpy.quantile` (historical, filtered_historical, monte_carlo), applied to
          the returns at 1 - `confidence_level`.
        - tail : str, "rockafellar_uryasev". See `expected_shortfall`.
        - ddof : int, 1. Of the standard deviation (parametric, cornish_fisher, student_t, monte_carlo).
        - mean : {"sample", "zero"}. parametric.
        - decay : float, 0.94 (ewma, filtered_historical), 0.98 (age_weighted).
        - degrees_of_freedom : float, above 2. Not fitted: the t distribution with the mean and standard deviation of
          the returns (student_t, monte_carlo).
        - threshold : float, 0.9. Share of losses below the threshold (evt).
        - distribution : "normal" or "student_t" (garch), also "bootstrap" (monte_carlo).
        - filter : {"garch", "ewma"}. Of filtered_historical.
        - n_paths : int, 100,000; seed : int, 0. monte_carlo, and filtered_historical beyond one period.

    Returns
    -------
    float or Series
        A fraction; of a frame, one for each column. Methods with a normal or other unbounded distribution can pass 1.

    Raises
    ------
    InputError
        If returns are not finite fractions of at least -1, are too few for the method, or an option is out of its range
        or not of this method.

    References
    ----------
    .. [1] Zangari, P. (1996). A VaR methodology for portfolios that include options. RiskMetrics Monitor, first
       quarter.
    .. [2] Maillard, D. (2012). A user's guide to the Cornish Fisher expansion. SSRN 1997178.
    .. [3] Barone-Adesi, G., Giannopoulos, K. and Vosper, L. (1999). VaR without correlations for portfolios of
       derivative securities. Journal of Futures Markets, 19(5), 583-602.
    .. [4] McNeil, A., Frey, R. and Embrechts, P. (2015). Quantitative risk management, revised edition, Princeton.
    .. [5] Boudoukh, J., Richardson, M. and Whitelaw, R. (1998). The best of both worlds. Risk, 11(5), 64-67.

    Examples
    --------
    >>> returns = [-0.04, -0.02, 0.0, 0.01, 0.02]
    >>> value_at_risk(returns, 0.75)
    0.02
    >>> round(value_at_risk(returns, 0.95, method="parametric"), 6)
    0.045613
    >>> value_at_risk(pd.DataFrame({"A": returns, "B": [0.0] * 5}), 0.75)
    A    0.02
    B    0.00
    dtype: float64
    """
    return _either(returns, _model(confidence_level, method, horizon, options), 0, sign, nan_policy)


def expected_shortfall(
    returns: Any,
    confidence_level: float = 0.95,
    *,
    method: TailMethod = "historical",
    horizon: int = 1,
    sign: Sign = "loss",
    nan_policy: NanPolicy = "raise",
    **options: Any,
) -> float | pd.Series:
    """Return the mean loss of the worst periods, those that a given confidence leaves out.

    It is never below the value at risk. Of returns as they were it is the mean of the worst n x (1 - level), the last
    of them in part [1]_: the tail is as heavy as the level says, whatever n is.

    Parameters
    ----------
    returns, confidence_level, method, horizon, sign, nan_policy, **options
        As in `value_at_risk`. The option `tail` chooses the mean for methods that have a sample (historical,
        filtered_historical, monte_carlo): "rockafellar_uryasev" (the default), "at_or_beyond" (all returns at the value
        at risk or worse), or "beyond" (worse only; NaN if there is none). The other methods have a closed form.

    Returns
    -------
    float or Series
        A fraction, positive for a loss; of a frame, one for each column. Infinite where the tail has no mean.

    Raises
    ------
    InputError
        As `value_at_risk`.

    References
    ----------
    .. [1] Rockafellar, R. and Uryasev, S. (2002). Conditional value-at-risk for general loss distributions. Journal of
       Banking and Finance, 26(7), 1443-1471.

    Examples
    --------
    >>> returns = [-0.04, -0.02, 0.0, 0.01, 0.02]
    >>> expected_shortfall(returns, 0.75), round(expected_shortfall(returns, 0.6), 6)
    (0.036, 0.03)
    """
    return _either(returns, _model(confidence_level, method, horizon, options), 1, sign, nan_policy)


def tail_risk(
    returns: Any,
    confidence_level: float = 0.95,
    *,
    method: TailMethod = "historical",
    horizon: int = 1,
    sign: Sign = "loss",
    nan_policy: NanPolicy = "raise",
    **options: Any,
) -> TailRisk:
    """Return value at risk and expected shortfall of one series together: a model is fitted once for both.

    Parameters
    ----------
    returns : array-like of shape (n_periods,)
        Simple returns per period, as fractions, oldest first.
    confidence_level, method, horizon, sign, nan_policy, **options
        As in `value_at_risk`.

    Returns
    -------
    TailRisk
        `value_at_risk` and `expected_shortfall`, both NaN if a NaN was propagated.

    Examples
    --------
    >>> tail_risk([-0.04, -0.02, 0.0, 0.01, 0.02], 0.75)
    TailRisk(value_at_risk=0.02, expected_shortfall=0.036)
    """
    model = _model(confidence_level, method, horizon, options)
    values = as_returns(returns, nan_policy, min_periods=_PERIODS_MIN)
    if np.isnan(values).any():
        return TailRisk(math.nan, math.nan)
    found = model.tail(values)
    return TailRisk(*(float(signed(loss, sign)) for loss in found))


def tail_model(confidence_level: float = 0.95, **options: Any) -> TailModel:
    """Return the description of a method by the names that `value_at_risk` takes."""
    if "tail" in options:
        options["tail_mean"] = options.pop("tail")
    known = set(TailModel.__dataclass_fields__)
    unknown = sorted(set(options) - known)
    if unknown:
        raise TypeError(
            f"unexpected option {unknown[0]!r}; there are: {', '.join(sorted(known - {'confidence_level'}))}"
        )
    return TailModel(confidence_level=confidence_level, **options)


def _model(confidence_level: float, method: str, horizon: int, options: dict[str, Any]) -> TailModel:
    return tail_model(confidence_level, method=method, horizon=horizon, **options)


def _either(
    returns: Any, model: TailModel, which: Literal[0, 1], sign: Sign, nan_policy: NanPolicy
) -> float | pd.Series:
    def measure(values: Float1D) -> float:
        return model.tail(values)[which]

    found = by_column(returns, measure, nan_policy, min_periods=_PERIODS_MIN)
    return signed(found, sign)  # type: ignore[no-any-return]  # as it came
