"""Was a value at risk right? Forecasts from the past alone, and tests of how often and when they were exceeded.

An exception is a period whose loss is above the value at risk forecast for it. Kupiec asks whether there are as many as
the level says, Christoffersen whether they come alone, Basel's traffic light how surprising their number is, Acerbi and
Szekely whether the losses beyond are as large as the expected shortfall says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, Float2D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import level, positive, share, whole
from algotrendy.risk.columns import is_table
from algotrendy.risk.inputs import as_returns, check_dates
from algotrendy.risk.rolling import rolling_tail_risk
from algotrendy.risk.tail_measures import tail_model
from algotrendy.risk.tail_model import FITTED, TailModel

__all__ = [
    "AcerbiSzekelyTest",
    "ChristoffersenTest",
    "LikelihoodRatio",
    "TrafficLight",
    "VarBacktest",
    "acerbi_szekely_test",
    "backtest_var",
    "basel_traffic_light",
    "christoffersen_test",
    "kupiec_region",
    "kupiec_test",
]

_MULTIPLIERS = (0.0, 0.0, 0.0, 0.0, 0.0, 0.40, 0.50, 0.65, 0.75, 0.85, 1.00)
"""What Basel adds to the multiplier of 3 for 0 to 10 and more exceptions in 250 days at 99 %."""
_DRAWS = 20_000
_MANY = 1_000.0
"""From so many expected exceptions on their sum is taken as normal."""


@dataclass(frozen=True)
class LikelihoodRatio:
    """A likelihood ratio and the chance of a larger one if the forecasts are right.

    Attributes
    ----------
    statistic : float
        Twice the difference of the log-likelihoods; NaN if there is nothing to compare.
    p_value : float
        Of the chi-squared distribution.
    degrees_of_freedom : int
    """

    statistic: float
    p_value: float
    degrees_of_freedom: int

    def is_rejected(self, significance: float = 0.05) -> bool:
        """Return whether the forecasts are refused at this significance."""
        return self.p_value < significance


@dataclass(frozen=True, kw_only=True)
class ChristoffersenTest:
    """Do exceptions come alone?

    Attributes
    ----------
    independence : LikelihoodRatio
        An exception after an exception is as likely as after none.
    conditional_coverage : LikelihoodRatio
        That, and their number is right.
    transitions : tuple of int
        How often none followed none, one followed none, none followed one, one followed one.
    """

    independence: LikelihoodRatio
    conditional_coverage: LikelihoodRatio
    transitions: tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class TrafficLight:
    """Basel's verdict on a number of exceptions.

    Attributes
    ----------
    zone : {"green", "yellow", "red"}
        By the chance of so many exceptions or fewer if the forecasts are right: below 95 %, below 99.99 %, above.
    cumulative_probability : float
        That chance.
    multiplier_add_on : float or None
        What is added to the multiplier of 3 for 250 periods at 99 %; None for other numbers, of which Basel says
        nothing.
    """

    zone: Literal["green", "yellow", "red"]
    cumulative_probability: float
    multiplier_add_on: float | None


@dataclass(frozen=True, kw_only=True)
class AcerbiSzekelyTest:
    """Are losses beyond the value at risk as large as the expected shortfall?

    Attributes
    ----------
    z1, z2 : float
        Zero is expected; negative: more is lost than was said. `z1` looks at the size of the losses alone (NaN without
        an exception), `z2` at size and number together.
    p_value_z1, p_value_z2 : float
        Chance of one as low if the forecasts are right and the tail has the shape that was asked for.
    """

    z1: float
    z2: float
    p_value_z1: float
    p_value_z2: float


@dataclass(frozen=True, kw_only=True)
class VarBacktest:
    """Forecasts of value at risk and expected shortfall beside what came, and the verdicts on them.

    Attributes
    ----------
    table : DataFrame
        By period: `return`, `value_at_risk`, `expected_shortfall` (made from the `window` periods before it),
        `is_exception`.
    confidence_level, method, window
        What was asked for.
    n_periods, n_exceptions : int
        Forecasts, and how many were exceeded.
    kupiec : LikelihoodRatio
    christoffersen : ChristoffersenTest
    traffic_light : TrafficLight
    acerbi_szekely : AcerbiSzekelyTest or None
        None where an expected shortfall is not above zero, so that no ratio to it can be made.
    """

    table: pd.DataFrame = field(repr=False)
    confidence_level: float
    method: str
    window: int
    n_periods: int
    n_exceptions: int
    kupiec: LikelihoodRatio
    christoffersen: ChristoffersenTest
    traffic_light: TrafficLight
    acerbi_szekely: AcerbiSzekelyTest | None

    @property
    def expected_exceptions(self) -> float:
        """How many exceptions the level says."""
        return self.n_periods * level(self.confidence_level)


def kupiec_test(n_exceptions: int, n_periods: int, confidence_level: float = 0.95) -> LikelihoodRatio:
    """Return the proportion-of-failures test of Kupiec [1]_: are there as many exceptions as the level says?

    Parameters
    ----------
    n_exceptions, n_periods : int
        Losses above the value at risk, and periods in all.
    confidence_level : float
        Of the value at risk, in (0, 1).

    Returns
    -------
    LikelihoodRatio
        With one degree of freedom.

    References
    ----------
    .. [1] Kupiec, P. (1995). Techniques for verifying the accuracy of risk measurement models. Journal of Derivatives,
       3(2), 73-84.

    Examples
    --------
    >>> test = kupiec_test(11, 250, 0.99)
    >>> round(test.statistic, 2), test.is_rejected()
    (15.89, True)
    """
    n, x, p = whole("n_periods", n_periods, 1), whole("n_exceptions", n_exceptions), level(confidence_level)
    if x > n:
        raise InputError(f"n_exceptions is {x}, more than the {n} periods")
    return _ratio(_binary(x, n, p), _binary(x, n, x / n), 1)


def kupiec_region(n_periods: int, confidence_level: float = 0.95, *, significance: float = 0.05) -> tuple[int, int]:
    """Return the least and the largest number of exceptions that Kupiec's test does not reject.

    Parameters
    ----------
    n_periods : int
    confidence_level : float
        Of the value at risk.
    significance : float
        Of the test.

    Returns
    -------
    tuple of int
        Both are accepted.

    Examples
    --------
    Kupiec's table says 1 < N < 11 for 510 periods at 99 %:

    >>> kupiec_region(510, 0.99)
    (2, 10)
    """
    n, limit = whole("n_periods", n_periods, 1), share("significance", significance, 0.05)
    expected = n * level(confidence_level)
    low = high = round(expected)
    if kupiec_test(low, n, confidence_level).is_rejected(limit):
        low, high = (low + 1, high) if low < expected else (low, high - 1)
        return low, high
    while low > 0 and not kupiec_test(low - 1, n, confidence_level).is_rejected(limit):
        low -= 1
    while high < n and not kupiec_test(high + 1, n, confidence_level).is_rejected(limit):
        high += 1
    return low, high


def christoffersen_test(exceptions: Any, confidence_level: float = 0.95) -> ChristoffersenTest:
    """Return Christoffersen's tests: do exceptions come alone, and with that in the right number [1]_?

    All likelihoods are over the periods from the second on, whose predecessor is known, so that the ratio of
    conditional coverage is never negative. Kupiec's test alone counts the first period too.

    Parameters
    ----------
    exceptions : array-like of bool, shape (n_periods,)
        Whether the loss of each period was above its value at risk, oldest first.
    confidence_level : float
        Of the value at risk, in (0, 1).

    Returns
    -------
    ChristoffersenTest

    References
    ----------
    .. [1] Christoffersen, P. (1998). Evaluating interval forecasts. International Economic Review, 39(4), 841-862.

    Examples
    --------
    >>> came = [False] * 200
    >>> came[50:54] = [True] * 4
    >>> test = christoffersen_test(came, 0.99)
    >>> test.transitions, test.independence.is_rejected()
    ((194, 1, 1, 3), True)
    """
    p = level(confidence_level)
    check_dates(exceptions)
    hits = np.asarray(exceptions)
    if hits.ndim != 1 or hits.size < 2:
        raise InputError(f"exceptions have the shape {hits.shape}, expected one for each of two or more periods")
    if hits.dtype != np.bool_ and not np.isin(hits, (0, 1)).all():
        raise InputError("exceptions are true or false for each period")
    hits = hits.astype(np.bool_)
    before, after = hits[:-1], hits[1:]
    n01, n11 = int((after & ~before).sum()), int((after & before).sum())
    n10, n00 = int(before.sum()) - n11, int((~before).sum()) - n01
    ones, n = n01 + n11, hits.size - 1
    apart = _binary(n01, n00 + n01) + _binary(n11, n10 + n11)
    together = _binary(ones, n)
    return ChristoffersenTest(
        independence=_ratio(together, apart, 1),
        conditional_coverage=_ratio(_binary(ones, n, p), apart, 2),
        transitions=(n00, n01, n10, n11),
    )


def _binary(x: int, n: int, p: float | None = None) -> float:
    """Return the log-likelihood of x of n with probability p, by default that seen; 0 log 0 is 0."""
    from scipy.special import xlog1py, xlogy

    if n == 0:
        return 0.0
    chance = x / n if p is None else p
    return float(xlogy(x, chance) + xlog1py(n - x, -chance))


def _ratio(less: float, more: float, freedom: int) -> LikelihoodRatio:
    from scipy.special import chdtrc

    statistic = max(2.0 * (more - less), 0.0)
    return LikelihoodRatio(statistic, float(chdtrc(freedom, statistic)), freedom)


def basel_traffic_light(n_exceptions: int, n_periods: int = 250, confidence_level: float = 0.99) -> TrafficLight:
    """Return the zone of the Basel committee for a number of exceptions [1]_.

    Parameters
    ----------
    n_exceptions, n_periods : int
        Losses above the value at risk, and periods in all.
    confidence_level : float
        Of the value at risk, in (0, 1).

    Returns
    -------
    TrafficLight

    References
    ----------
    .. [1] Basel Committee on Banking Supervision (1996). Supervisory framework for the use of "backtesting" in
       conjunction with the internal models approach to market risk capital requirements: tables 1 and 2.

    Examples
    --------
    >>> light = basel_traffic_light(5)
    >>> light.zone, light.multiplier_add_on, round(light.cumulative_probability, 4)
    ('yellow', 0.4, 0.9588)
    """
    from scipy.special import bdtr

    n, x, p = whole("n_periods", n_periods, 1), whole("n_exceptions", n_exceptions), level(confidence_level)
    if x > n:
        raise InputError(f"n_exceptions is {x}, more than the {n} periods")
    chance = float(bdtr(x, n, p))
    is_theirs = n == 250 and p == 0.01
    return TrafficLight(
        zone="green" if chance < 0.95 else "yellow" if chance < 0.9999 else "red",
        cumulative_probability=chance,
        multiplier_add_on=_MULTIPLIERS[min(x, 10)] if is_theirs else None,
    )


def acerbi_szekely_test(
    returns: Any,
    value_at_risk: Any,
    expected_shortfall: Any,
    confidence_level: float = 0.975,
    *,
    degrees_of_freedom: float | None = None,
    seed: int = 0,
) -> AcerbiSzekelyTest:
    """Return the first two tests of Acerbi and Szekely for expected shortfall [1]_.

    Parameters
    ----------
    returns, value_at_risk, expected_shortfall : array-like of shape (n_periods,)
        What came, and the forecasts for those periods as losses; the expected shortfall above zero.
    confidence_level : float
        Of both forecasts, in (0, 1).
    degrees_of_freedom : float, optional
        p-values are simulated for tails of Student's t distribution about zero; by default of a normal one. The paper
        finds that those of `z2` hardly depend on it.
    seed : int
        Of the simulation; equal seeds give equal p-values.

    Returns
    -------
    AcerbiSzekelyTest

    References
    ----------
    .. [1] Acerbi, C. and Szekely, B. (2014). Backtesting expected shortfall. Risk, December.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> returns = rng.normal(0.0, 0.01, 1000)
    >>> test = acerbi_szekely_test(returns, np.full(1000, 0.0196), np.full(1000, 0.0234))
    >>> test.p_value_z2 > 0.05
    True
    """
    p = level(confidence_level)
    x = as_returns(returns, "raise", min_periods=1)
    var, es = (np.asarray(each, dtype=np.float64) for each in (value_at_risk, expected_shortfall))
    if not x.shape == var.shape == es.shape:
        raise InputError(
            f"returns have the shape {x.shape}, the forecasts {var.shape} and {es.shape}; give one for each"
        )
    if not (np.isfinite(var).all() and np.isfinite(es).all() and (es > 0.0).all()):
        raise InputError("forecasts are finite, and an expected shortfall is above zero, or no ratio to it can be made")
    hits = x + var < 0.0
    count, parts = int(hits.sum()), float((x[hits] / es[hits]).sum())
    z1 = parts / count + 1.0 if count else math.nan
    z2 = parts / (x.size * p) + 1.0
    freedom = None if degrees_of_freedom is None else positive("degrees_of_freedom", degrees_of_freedom)
    if freedom is not None and freedom <= 1.0:
        raise InputError(f"degrees_of_freedom is {degrees_of_freedom!r}; up to 1 there is no expected shortfall")
    drawn1, drawn2 = _simulated(x.size, p, freedom, whole("seed", seed))
    p1 = float(np.mean(drawn1[~np.isnan(drawn1)] <= z1)) if count else math.nan
    return AcerbiSzekelyTest(z1=z1, z2=z2, p_value_z1=p1, p_value_z2=float(np.mean(drawn2 <= z2)))


def _simulated(n: int, p: float, freedom: float | None, seed: int) -> tuple[Float1D, Float1D]:
    """Return Z1 and Z2 of forecasts that are right: exceptions by chance, losses beyond drawn from the tail."""
    from scipy.special import ndtri, stdtrit

    from algotrendy.risk.distributions import normal_tail, student_tail

    rng = np.random.default_rng(seed)
    counts = rng.binomial(n, p, _DRAWS)
    n_sizes = int(counts.sum()) if n * p <= _MANY else 10 * _DRAWS
    chances = p * (1.0 - rng.random(n_sizes))  # in (0, p]
    if freedom is None:
        sizes = ndtri(chances) / normal_tail(0.0, 1.0, p).expected_shortfall
    else:
        sizes = stdtrit(freedom, chances) / student_tail(0.0, 1.0, freedom, p).expected_shortfall
    if n * p <= _MANY:
        running, ends = np.concatenate(([0.0], np.cumsum(sizes))), np.cumsum(counts)
        sums = running[ends] - running[ends - counts]
    else:
        sums = np.sqrt(counts) * float(sizes.std()) * rng.standard_normal(_DRAWS) - counts  # the mean of a size is -1
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, sums / counts + 1.0, np.nan), sums / (n * p) + 1.0


def backtest_var(
    returns: Any,
    method: str = "historical",
    window: int = 250,
    *,
    confidence_level: float = 0.95,
    refit: int = 1,
    nan_policy: NanPolicy = "raise",
    **options: Any,
) -> VarBacktest:
    """Forecast value at risk and expected shortfall for every period from those before it, and test the forecasts.

    Parameters
    ----------
    returns : array-like of shape (n_periods,)
        Simple returns per period, as fractions, oldest first.
    method : str
        As in `value_at_risk`.
    window : int
        Periods before each forecast that it is made from; they never contain the period itself.
    confidence_level : float
        In (0, 1).
    refit : int
        What a method searches for (garch, filtered_historical, student_t, evt, monte_carlo) is searched for anew every
        so many periods. In between the forecasts go on with it: volatility follows each period.
    nan_policy : {"raise", "omit"}
        Refuse NaN and say where, or leave those periods out.
    **options
        Of `value_at_risk` for this method, for one period ahead.

    Returns
    -------
    VarBacktest

    Raises
    ------
    InputError
        If there are not at least two periods beyond the window, or the method cannot be fitted to one.

    Examples
    --------
    >>> returns = np.random.default_rng(1).normal(0.0, 0.01, 1250)
    >>> found = backtest_var(returns, "historical", 250, confidence_level=0.95)
    >>> found.n_periods, found.n_exceptions, found.kupiec.is_rejected()
    (1000, 54, False)
    """
    if is_table(returns):
        raise InputError("a backtest is of one series; choose one column")
    if nan_policy == "propagate":
        raise InputError('a backtest has no answer for NaN; use nan_policy="raise" or "omit"')
    if "horizon" in options:
        raise InputError("forecasts are for one period; leave out horizon, or give returns of longer periods")
    check_dates(returns)
    n, every = whole("window", window, 1), whole("refit", refit, 1)
    values = as_returns(returns, nan_policy, min_periods=n + 2)
    model = tail_model(confidence_level, method=method, **options)
    if every > 1 and method not in FITTED:
        raise InputError(f"the method {method!r} does not search for anything; refit is for {', '.join(FITTED)}")
    if method == "historical" and set(options) <= {"quantile"}:
        forecasts = rolling_tail_risk(values, n, confidence_level, **options).to_numpy()[n - 1 : -1]
    else:
        forecasts = _forecasts(model, values, n, every)
    return _judged(returns, values, forecasts, model)


def _forecasts(model: TailModel, values: Float1D, window: int, refit: int) -> Float2D:
    """Return the two losses that each window says of the period after it."""
    found, fit = np.empty((values.size - window, 2)), None
    for at in range(len(found)):
        past = values[at : at + window]
        if at % refit == 0:
            fit = model.fit(past)
        found[at] = model.tail(past, fit)
    return found


def _judged(returns: Any, values: Float1D, forecasts: Float2D, model: Any) -> VarBacktest:
    came, n = values[-len(forecasts) :], len(forecasts)
    var, es = forecasts[:, 0], forecasts[:, 1]
    hits = came + var < 0.0
    index = (
        returns.index[np.isfinite(np.asarray(returns, dtype=np.float64))] if isinstance(returns, pd.Series) else None
    )
    index = pd.RangeIndex(values.size)[-n:] if index is None else index[-n:]
    confidence, count = model.confidence_level, int(hits.sum())
    sound = bool(np.isfinite(es).all() and (es > 0.0).all())
    return VarBacktest(
        table=pd.DataFrame(
            {"return": came, "value_at_risk": var, "expected_shortfall": es, "is_exception": hits}, index=index
        ),
        confidence_level=confidence,
        method=model.method,
        window=values.size - n,
        n_periods=n,
        n_exceptions=count,
        kupiec=kupiec_test(count, n, confidence),
        christoffersen=christoffersen_test(hits, confidence),
        traffic_light=basel_traffic_light(count, n, confidence),
        acerbi_szekely=acerbi_szekely_test(came, var, es, confidence) if sound else None,
    )
