"""How a value at risk is estimated: one frozen description, used by every function that needs one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.risk.checks import choice, level, positive, share, whole
from algotrendy.risk.distributions import (
    STILL,
    TAILS,
    StudentFit,
    TailRisk,
    cornish_fisher_tail,
    empirical_tail,
    normal_tail,
    student_fit,
    student_tail,
    tail_place,
)
from algotrendy.risk.tails import TailFit, fit_losses
from algotrendy.risk.volatilities import GarchEstimate, ewma_variances, garch_estimate

__all__ = ["FITTED", "METHODS", "TailMethod", "TailModel"]

TailMethod: TypeAlias = Literal[
    "age_weighted", "cornish_fisher", "evt", "ewma", "filtered_historical", "garch", "historical", "monte_carlo",
    "parametric", "student_t",
]  # fmt: skip

_USES: Mapping[str, frozenset[str]] = {
    "age_weighted": frozenset({"decay"}),
    "cornish_fisher": frozenset({"ddof"}),
    "evt": frozenset({"threshold"}),
    "ewma": frozenset({"decay"}),
    "filtered_historical": frozenset({"decay", "filter", "n_paths", "quantile", "seed", "tail"}),
    "garch": frozenset({"distribution"}),
    "historical": frozenset({"quantile", "tail"}),
    "monte_carlo": frozenset({"ddof", "degrees_of_freedom", "distribution", "n_paths", "quantile", "seed", "tail"}),
    "parametric": frozenset({"ddof", "mean"}),
    "student_t": frozenset({"ddof", "degrees_of_freedom"}),
}
"""The options that each method reads; one that it does not read is refused, so that none is passed in vain."""

METHODS: tuple[str, ...] = tuple(_USES)

_CARRIES = frozenset({"cornish_fisher", "evt", "ewma", "filtered_historical", "garch", "monte_carlo", "parametric"})
"""Methods whose model itself says what happens over several periods."""

_CONDITIONAL = frozenset({"ewma", "filtered_historical", "garch", "monte_carlo"})
"""Methods that walk period by period: for them overlapping returns are not a sample."""


@dataclass(frozen=True, kw_only=True)
class TailModel:
    """A method with its options; `value_at_risk` says what each of them means.

    Examples
    --------
    >>> TailModel(method="parametric").tail(np.array([-0.01, 0.01])).value_at_risk.__round__(4)
    0.0233
    """

    confidence_level: float = 0.95
    method: str = "historical"
    horizon: int = 1
    scaling: str | None = None
    quantile: str | None = None
    tail_mean: str | None = None
    ddof: int | None = None
    mean: str | None = None
    decay: float | None = None
    degrees_of_freedom: float | None = None
    threshold: float | None = None
    distribution: str | None = None
    filter: str | None = None
    n_paths: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is out of its range, and options that the method does not read."""
        level(self.confidence_level)
        choice("method", self.method, METHODS)
        whole("horizon", self.horizon, 1)
        for name in ("quantile", "ddof", "mean", "decay", "degrees_of_freedom", "threshold", "distribution", "filter",
                     "n_paths", "seed"):  # fmt: skip
            self._check_use(name, getattr(self, name))
        self._check_use("tail", self.tail_mean)
        if self.tail_mean is not None:
            choice("tail", self.tail_mean, TAILS)
        if self.quantile is not None:
            tail_place(2, self.probability, self.quantile)
        if self.mean is not None:
            choice("mean", self.mean, ("sample", "zero"))
        if self.decay is not None:
            share("decay", self.decay, 0.94)
        if self.filter is not None:
            choice("filter", self.filter, ("ewma", "garch"))
        if self.degrees_of_freedom is not None and positive("degrees_of_freedom", self.degrees_of_freedom) <= 2.0:
            raise InputError(f"degrees_of_freedom is {self.degrees_of_freedom!r}; above 2 the variance is finite")
        if self.scaling is not None:
            self._check_scaling(choice("scaling", self.scaling, ("model", "overlapping", "root_time")))
        if self.distribution is not None:
            names = ("normal", "student_t") if self.method == "garch" else ("bootstrap", "normal", "student_t")
            choice("distribution", self.distribution, names)

    def _check_use(self, name: str, value: Any) -> None:
        if value is not None and name not in _USES[self.method]:
            users = ", ".join(method for method in METHODS if name in _USES[method])
            raise InputError(f"the method {self.method!r} does not use {name}; these do: {users}")

    def _check_scaling(self, scaling: str) -> None:
        if scaling == "model" and self.method not in _CARRIES:
            raise InputError(
                f"{self.method!r} has no model of several periods; use scaling='root_time' or 'overlapping'"
            )
        if scaling == "overlapping" and self.method in _CONDITIONAL:
            raise InputError(f"{self.method!r} walks period by period; use scaling='model' or 'root_time'")

    @property
    def probability(self) -> float:
        """Of the tail: 0.05 for the level 0.95."""
        return level(self.confidence_level)

    @property
    def how_scaled(self) -> str:
        """`scaling`, or what the method does by itself."""
        return self.scaling or ("model" if self.method in _CARRIES else "root_time")

    def tail(self, returns: Float1D, fit: Any = None) -> TailRisk:
        """Return value at risk and expected shortfall of returns (an array without NaN), as losses."""
        how, horizon = self.how_scaled, self.horizon if self.how_scaled == "model" else 1
        sample = self._sample(returns)
        found = _ESTIMATORS[self.method](self, sample, horizon, self._fitted(sample) if fit is None else fit)
        factor = math.sqrt(self.horizon) if how == "root_time" else 1.0
        return TailRisk(0.0 + factor * found.value_at_risk, 0.0 + factor * found.expected_shortfall)

    def fit(self, returns: Float1D) -> Any:
        """Return what the method searches for in returns, to give to `tail` for others; None if it does not search."""
        return self._fitted(self._sample(returns))

    def _sample(self, returns: Float1D) -> Float1D:
        return overlapping(returns, self.horizon) if self.how_scaled == "overlapping" else returns

    def _fitted(self, sample: Float1D) -> Any:
        fitter = _FITTERS.get(self.method)
        return None if fitter is None else fitter(self, sample)

    def seen(self, returns: Float1D) -> TailRisk:
        """Return the tail of a sample by the rules for quantile and mean."""
        return empirical_tail(
            returns, self.probability, quantile=self.quantile or "linear", tail=self.tail_mean or TAILS[0]
        )

    def moments(self, returns: Float1D) -> tuple[float, float]:
        """Return mean and standard deviation."""
        ddof = 1 if self.ddof is None else self.ddof
        if returns.size <= ddof:
            raise InputError(f"there is {returns.size} period of returns, this needs at least {ddof + 1}")
        centre = 0.0 if self.mean == "zero" else float(np.mean(returns))
        gap = returns - centre
        return centre, math.sqrt(float(gap @ gap) / (returns.size - (0 if self.mean == "zero" else ddof)))


def overlapping(returns: Float1D, horizon: int) -> Float1D:
    """Return the compounded returns over each `horizon` periods that follow one another.

    Examples
    --------
    >>> overlapping(np.array([0.1, 0.1, 0.0]), 2).round(6)
    array([0.21, 0.1 ])
    """
    if returns.size < horizon:
        raise InputError(f"there are {returns.size} returns, fewer than the horizon of {horizon} periods")
    growth = np.lib.stride_tricks.sliding_window_view(1.0 + returns, horizon)
    return np.asarray(growth.prod(axis=1) - 1.0)


def _historical(model: TailModel, returns: Float1D, horizon: int, fit: None) -> TailRisk:
    return model.seen(returns)


def _parametric(model: TailModel, returns: Float1D, horizon: int, fit: None) -> TailRisk:
    mean, deviation = model.moments(returns)
    return normal_tail(mean * horizon, deviation * math.sqrt(horizon), model.probability)


def _student_t(model: TailModel, returns: Float1D, horizon: int, fit: StudentFit) -> TailRisk:
    return student_tail(fit.location, fit.scale, fit.degrees_of_freedom, model.probability)


def _fitted_student(model: TailModel, returns: Float1D) -> StudentFit:
    mean, deviation = model.moments(returns)
    if not deviation > STILL:
        return StudentFit(location=mean, scale=0.0, degrees_of_freedom=1e9)
    if model.degrees_of_freedom is not None:
        v = float(model.degrees_of_freedom)
        return StudentFit(location=mean, scale=deviation * math.sqrt((v - 2.0) / v), degrees_of_freedom=v)
    return student_fit(returns)


def _cornish_fisher(model: TailModel, returns: Float1D, horizon: int, fit: None) -> TailRisk:
    mean, deviation = model.moments(returns)
    if not deviation > STILL:
        return TailRisk(-mean * horizon, -mean * horizon)
    z = (returns - mean) / float(np.std(returns))
    skewness, excess = float(np.mean(z**3)), float(np.mean(z**4)) - 3.0
    moments = (mean * horizon, deviation * math.sqrt(horizon), skewness / math.sqrt(horizon), excess / horizon)
    return cornish_fisher_tail(moments, model.probability)


def _ewma(model: TailModel, returns: Float1D, horizon: int, fit: None) -> TailRisk:
    variance = float(ewma_variances(returns, model.decay or 0.94)[-1])
    return normal_tail(0.0, math.sqrt(variance * horizon), model.probability)


def _garch(model: TailModel, returns: Float1D, horizon: int, fit: GarchEstimate) -> TailRisk:
    fit = fit.over(returns)
    mean, deviation = fit.mean * horizon, math.sqrt(float(fit.forecast(horizon).sum()))
    v = fit.degrees_of_freedom
    if v is None:
        return normal_tail(mean, deviation, model.probability)
    return student_tail(mean, deviation * math.sqrt((v - 2.0) / v), v, model.probability)


def _fitted_garch(model: TailModel, returns: Float1D) -> GarchEstimate | None:
    if model.filter == "ewma":
        return None
    if model.method == "filtered_historical" and model.decay is not None:
        raise InputError("the filter 'garch' does not use decay; the filter 'ewma' does")
    return garch_estimate(returns, distribution="student_t" if model.distribution == "student_t" else "normal")


def _filtered_historical(model: TailModel, returns: Float1D, horizon: int, fit: GarchEstimate | None) -> TailRisk:
    """Draw the shocks that were seen, each in units of the volatility of its day, and let the volatility go on [1]_.

    References
    ----------
    .. [1] Barone-Adesi, G., Giannopoulos, K. and Vosper, L. (1999). VaR without correlations for portfolios of
       derivative securities. Journal of Futures Markets, 19(5), 583-602.
    """
    if fit is not None:
        fit = fit.over(returns)
        rule = (fit.mean, fit.constant, fit.news, fit.memory)
        shocks, variance = fit.shocks, fit.next_variance
    else:
        decay = model.decay or 0.94
        before = ewma_variances(returns, decay)
        known = before[:-1] > 0.0
        if not known.any():
            raise InputError("the returns do not move, so there is no volatility to filter by; use method='historical'")
        shocks, variance = returns[1:][known] / np.sqrt(before[:-1][known]), float(before[-1])
        rule = (0.0, 0.0, 1.0 - decay, decay)
    mean, constant, news, memory = rule
    if horizon == 1:
        return model.seen(np.maximum(mean + math.sqrt(variance) * shocks, -1.0))
    rng = np.random.default_rng(model.seed or 0)
    n = whole("n_paths", 100_000 if model.n_paths is None else model.n_paths, 1)
    wealth, variances = np.ones(n), np.full(n, variance)
    for _ in range(horizon):
        moves = np.sqrt(variances) * shocks[rng.integers(0, shocks.size, n)]
        wealth *= np.maximum(1.0 + mean + moves, 0.0)
        variances = constant + news * moves * moves + memory * variances
    return model.seen(wealth - 1.0)


def _fitted_tail(model: TailModel, returns: Float1D) -> TailFit:
    return fit_losses(0.0 - returns, 0.9 if model.threshold is None else model.threshold)


def _evt(model: TailModel, returns: Float1D, horizon: int, fit: TailFit) -> TailRisk:
    found = fit.tail(model.probability)
    # A sum of heavy tails grows by the power of its shape (Danielsson and de Vries 2000).
    factor = float(horizon) ** max(fit.shape, 0.0)
    return TailRisk(factor * found.value_at_risk, factor * found.expected_shortfall)


def _fitted_draws(model: TailModel, returns: Float1D) -> StudentFit | None:
    if model.distribution == "student_t":
        return _fitted_student(model, returns)
    if model.degrees_of_freedom is not None:
        raise InputError("degrees_of_freedom are of the distribution 'student_t' alone")
    return None


def _monte_carlo(model: TailModel, returns: Float1D, horizon: int, fit: StudentFit | None) -> TailRisk:
    rng = np.random.default_rng(model.seed or 0)
    n = whole("n_paths", 100_000 if model.n_paths is None else model.n_paths, 1)
    if fit is None:
        (location, scale), freedom = model.moments(returns), 0.0
    else:
        location, scale, freedom = fit.location, fit.scale, fit.degrees_of_freedom
    draw: Callable[[], Float1D] = {
        "normal": lambda: location + scale * rng.standard_normal(n),
        "student_t": lambda: location + scale * rng.standard_t(freedom, n),
        "bootstrap": lambda: returns[rng.integers(0, returns.size, n)],
    }[model.distribution or "normal"]
    wealth = np.ones(n)
    for _ in range(horizon):
        wealth *= np.maximum(1.0 + draw(), 0.0)
    return model.seen(wealth - 1.0)


def _age_weighted(model: TailModel, returns: Float1D, horizon: int, fit: None) -> TailRisk:
    """Let older returns count less [1]_.

    The quantile is the least loss that is exceeded with a weight of at most the probability; the tail is all beyond it
    and that return in part.

    References
    ----------
    .. [1] Boudoukh, J., Richardson, M. and Whitelaw, R. (1998). The best of both worlds. Risk, 11(5), 64-67.
    """
    decay = model.decay or 0.98
    weights = decay ** np.arange(returns.size - 1, -1, -1.0)
    order = np.argsort(returns, kind="stable")
    ordered, reached = returns[order], np.cumsum(weights[order]) / weights.sum()
    at = min(int(np.searchsorted(reached, model.probability * (1.0 + 1e-12), side="right")), returns.size - 1)
    below = float(reached[at - 1]) if at else 0.0
    beyond = float(np.diff(reached[:at], prepend=0.0) @ ordered[:at]) + (model.probability - below) * float(ordered[at])
    return TailRisk(0.0 - float(ordered[at]), 0.0 - beyond / model.probability)


_FITTERS: Mapping[str, Callable[[TailModel, Float1D], Any]] = {
    "evt": _fitted_tail,
    "filtered_historical": _fitted_garch,
    "garch": _fitted_garch,
    "monte_carlo": _fitted_draws,
    "student_t": _fitted_student,
}
"""What is searched for in the returns, for methods that search."""

FITTED = tuple(_FITTERS)

_ESTIMATORS: Mapping[str, Callable[[TailModel, Float1D, int, Any], TailRisk]] = {
    "age_weighted": _age_weighted,
    "cornish_fisher": _cornish_fisher,
    "evt": _evt,
    "ewma": _ewma,
    "filtered_historical": _filtered_historical,
    "garch": _garch,
    "historical": _historical,
    "monte_carlo": _monte_carlo,
    "parametric": _parametric,
    "student_t": _student_t,
}
