"""What resampling has to know of a series: how long its blocks should be, and how its volatility moves.

Both are estimated by the `arch` library. Monte Carlo and the procedure test share them.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError

__all__ = ["GarchFit", "block_length", "fit_garch"]

_BLOCK_VALUES_MIN = 16
_GARCH_VALUES_MIN = 100
_STARTS = ((0.1, 0.05, 0.85), (0.5, 0.05, 0.45))
"""Constant, news and memory to begin a fit with, where the usual start leads nowhere."""


def block_length(returns: Float1D, kind: str = "stationary", *, squares: bool = True) -> float:
    """Return the (mean) length of the blocks in which a series is best resampled.

    The rule of Politis and White [1]_ is for the mean of a series. Drawdowns depend on spells of volatility as well, so
    it is asked about the returns and about their squares, and the longer answer counts, from 1 to a third of the
    series.

    Parameters
    ----------
    returns : array of shape (n,)
        Returns per period, oldest first.
    kind : {'stationary', 'circular'}
        Blocks of random length, of which this is the mean; or blocks of one length, then it is a whole number.
    squares : bool
        False: ask about the returns alone.

    Raises
    ------
    InputError
        If there are fewer than 16 returns.

    References
    ----------
    .. [1] Politis, D. and White, H. (2004). Automatic block-length selection for the dependent bootstrap. Econometric
       Reviews, 23(1), 53-70; corrected by Patton, Politis and White (2009).

    Examples
    --------
    >>> block_length(np.random.default_rng(1).normal(size=500)) < 5
    True
    """
    if returns.size < _BLOCK_VALUES_MIN:
        raise InputError(
            f"{returns.size} returns are too few to choose a block length by; give block=, or at least "
            f"{_BLOCK_VALUES_MIN} returns"
        )
    from arch.bootstrap import optimal_block_length

    found = [1.0]
    for series in (returns, (returns - returns.mean()) ** 2)[: 2 if squares else 1]:
        if np.ptp(series) > 0.0:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found.append(float(optimal_block_length(series)[kind].iloc[0]))
    best = min(max(length for length in found if math.isfinite(length)), returns.size / 3.0)
    return float(math.ceil(best)) if kind == "circular" else best


@dataclass(frozen=True, eq=False)
class GarchFit:
    """A GARCH(1,1) with the shocks that were seen: the variance moves by the rule, shocks are drawn anew.

    Attributes
    ----------
    mean : float
        Mean of the series.
    constant, news, memory : float
        The variance of the next step is constant + news x shock**2 + memory x variance.
    shocks : array of shape (n,)
        (value - mean) / volatility of each step, of mean 0 and variance 1.
    volatility : array of shape (n,)
        Standard deviation of each step, given those before.
    centre, spread : float
        What was taken off the shocks and what they were divided by to have that mean and variance.
    next_variance : float
        Of the step after the last.
    """

    mean: float
    constant: float
    news: float
    memory: float
    shocks: Float1D
    volatility: Float1D
    centre: float
    spread: float
    next_variance: float


def fit_garch(values: Float1D) -> GarchFit:
    """Fit a GARCH(1,1) about the mean of a series, by normal quasi-likelihood.

    Parameters
    ----------
    values : array of shape (n,), n >= 100
        Returns per period, simple or logarithmic, oldest first.

    Raises
    ------
    InputError
        If there are too few, they never move, or the fit does not converge.

    Examples
    --------
    >>> fit = fit_garch(np.random.default_rng(1).normal(0.001, 0.01, 500))
    >>> bool(abs(fit.shocks.mean()) < 1e-12), round(float(fit.shocks.std()), 6)
    (True, 1.0)
    """
    if values.size < _GARCH_VALUES_MIN:
        raise InputError(f"{values.size} returns are too few to fit a GARCH by; give at least {_GARCH_VALUES_MIN}")
    mean = float(values.mean())
    unit = float(values.std())
    if not unit > 1e-12:
        raise InputError("the returns never move, so there is no volatility to fit; use method='bootstrap'")
    fitted = _fitted((values - mean) / unit)
    omega, news, memory = (float(number) for number in fitted.params)
    volatility = np.asarray(fitted.conditional_volatility, dtype=np.float64) * unit
    raw = (values - mean) / volatility
    centre, spread = float(raw.mean()), float(raw.std())
    constant = omega * unit * unit
    return GarchFit(
        mean=mean,
        constant=constant,
        news=news,
        memory=memory,
        shocks=(raw - centre) / spread,
        volatility=volatility,
        centre=centre,
        spread=spread,
        next_variance=constant + news * float(values[-1] - mean) ** 2 + memory * float(volatility[-1]) ** 2,
    )


def _fitted(values: Float1D) -> Any:
    """Return the fit of values of mean 0 and variance 1; where it is flat, another start may find the top."""
    from arch import arch_model

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model: Any = arch_model(values, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
        for start in (None, *_STARTS):
            found = model.fit(
                disp="off", show_warning=False, starting_values=None if start is None else np.array(start)
            )
            if found.convergence_flag == 0 and found.params.iloc[0] > 0.0:
                return found
    raise InputError("the fit of a GARCH(1,1) did not converge on these returns; resample them in blocks instead")
