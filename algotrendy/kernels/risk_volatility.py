"""Volatility that moves: exponential weights, and the likelihood of a GARCH(1,1) with its slope."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL

Float1D: TypeAlias = NDArray[np.float64]


class GarchRule(NamedTuple):
    """What a GARCH(1,1) is made of."""

    mean: float
    constant: float
    news: float
    memory: float
    freedom: float
    """Degrees of freedom of its shocks; 0.0: they are normal."""
    before: float
    """Variance, and square of the shock, before the first period."""


@jit(**KERNEL)
def ewma_variance(values: Float1D, decay: float, out: Float1D) -> None:
    """Write the weighted mean of the squares up to each period; each period before weighs `decay` times as much."""
    squares, weight = 0.0, 0.0
    for i in range(values.size):
        squares = decay * squares + values[i] * values[i]
        weight = decay * weight + 1.0
        out[i] = squares / weight


@jit(**KERNEL)
def garch_score(values: Float1D, rule: GarchRule, variance: Float1D, slope: Float1D) -> float:
    """Write the variance of each period, given those before, and return the log-likelihood less its constants.

    `slope` takes its derivatives by mean, constant, news and memory, then for shocks of Student's distribution the two
    sums that its derivative by the degrees of freedom is made of. The constants left out are those that do not depend
    on the values.
    """
    news, memory, freedom = rule.news, rule.memory, rule.freedom
    now = rule.constant + (news + memory) * rule.before
    by_mean, by_constant, by_news, by_memory = 0.0, 1.0, rule.before, rule.before
    likelihood = 0.0
    slope[:] = 0.0
    for i in range(values.size):
        shock = values[i] - rule.mean
        square = shock * shock
        variance[i] = now
        if freedom > 0.0:
            q = square / (now * (freedom - 2.0))
            logarithm = math.log1p(q)
            likelihood -= 0.5 * math.log(now) + 0.5 * (freedom + 1.0) * logarithm
            pull = (freedom + 1.0) * q / (1.0 + q)
            through = 0.5 * (pull - 1.0) / now
            slope[0] += (freedom + 1.0) * shock / (now * (freedom - 2.0)) / (1.0 + q)
            slope[4] += logarithm
            slope[5] += q / (1.0 + q)
        else:
            likelihood -= 0.5 * (math.log(now) + square / now)
            through = 0.5 * (square / now - 1.0) / now
            slope[0] += shock / now
        slope[0] += through * by_mean
        slope[1] += through * by_constant
        slope[2] += through * by_news
        slope[3] += through * by_memory
        by_mean = memory * by_mean - 2.0 * news * shock
        by_constant = 1.0 + memory * by_constant
        by_news = square + memory * by_news
        by_memory = now + memory * by_memory
        now = rule.constant + news * square + memory * now
    return likelihood
