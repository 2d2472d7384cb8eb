"""Every measure of one series of returns in one table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import hurdle, level, positive
from algotrendy.risk.columns import Align, columns_of, is_table, together
from algotrendy.risk.distributions import STILL, empirical_tail, normal_tail
from algotrendy.risk.drawdown import ROUNDING, drawdown_curve
from algotrendy.risk.inputs import as_returns, check_dates
from algotrendy.risk.ratios import annualised, compounded, quotient
from algotrendy.risk.relative import slope

__all__ = ["metrics"]


def metrics(
    returns: Any,
    *,
    benchmark: Any = None,
    periods_per_year: float,
    risk_free_rate: float = 0.0,
    confidence_level: float = 0.95,
    align: Align = "exact",
    nan_policy: NanPolicy = "raise",
) -> pd.Series | pd.DataFrame:
    """Return the table of measures of returns, by the conventions of this room.

    Each row is what the function of that name gives with the same options; the table computes what they share once.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first; at least two.
    benchmark : array-like of shape (n_periods,), optional
        Returns of a benchmark for the same periods; adds the rows from `beta` on.
    periods_per_year : float
        252 for days of an exchange, 365 for markets that never close.
    risk_free_rate : float
        Per year as a fraction.
    confidence_level : float
        Of value at risk, expected shortfall, drawdown at risk and tail ratio, above 0.5.
    align : {"exact", "inner"}
        Returns and benchmark have the same dates, or only those they share count - for the rows of the benchmark alone.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN in each row but the number of periods.

    Returns
    -------
    Series or DataFrame
        By the name of the measure; of a frame, a column for each of its columns. Fractions, losses positive; a measure
        that has no value (a ratio to a risk of zero) is NaN.

    Raises
    ------
    InputError
        If there are fewer than two returns, or they are not finite fractions of at least -1.

    Examples
    --------
    >>> table = metrics([0.01, -0.02, 0.03, 0.0], periods_per_year=252)
    >>> round(float(table["max_drawdown"]), 6), int(table["n_periods"]), int(table["max_drawdown_periods"])
    (0.02, 4, 2)
    """
    options = (positive("periods_per_year", periods_per_year), risk_free_rate, level(confidence_level))
    if not options[2] < 0.5:
        raise InputError(f"confidence_level is {confidence_level!r}; a tail begins above 0.5, use such as 0.95")

    def one(column: Any) -> pd.Series:
        values = as_returns(column, nan_policy, min_periods=2)
        found = _measures(values, options)
        if benchmark is not None:
            found |= _against(*together(column, benchmark, nan_policy, align=align), options)
        return pd.Series(found, dtype=np.float64, name=getattr(column, "name", None))

    if not is_table(returns):
        return one(returns)
    check_dates(returns)
    found = []
    for name, column in columns_of(returns):
        try:
            found.append(one(column))
        except InputError as error:
            raise InputError(f"column {name!r}: {error}") from error
    table: pd.DataFrame = pd.concat(found, axis=1)
    return table.set_axis(returns.columns if isinstance(returns, pd.DataFrame) else range(len(found)), axis=1)


def _measures(x: Float1D, options: tuple[float, float, float]) -> dict[str, float]:
    """Return the measures of one series; `options` are periods per year, risk-free rate and probability of the tail."""
    per_year, rate, p = options
    names = {"n_periods": float(x.size)}
    free, yearly, n = hurdle(rate, per_year), math.sqrt(per_year), x.size
    has_gap = bool(np.isnan(x).any())
    values = np.zeros(n) if has_gap else x
    mean = float(values.mean())
    d = values - mean
    squares = d * d
    deviation = math.sqrt(float(squares.sum()) / (n - 1.0))
    unit = math.sqrt(float(squares.mean()))
    excess, annual = mean - free, annualised(values, per_year)
    below = np.minimum(values - free, 0.0)
    downside = math.sqrt(float(below @ below) / n)
    losses, gains = float(-np.minimum(values, 0.0).sum()), float(np.maximum(values, 0.0).sum())
    names |= {
        "total_return": compounded(values),
        "annual_return": annual,
        "mean_return": mean,
        "volatility": deviation * yearly,
        "downside_deviation": downside * yearly,
        "skewness": float((squares @ d) / n) / unit**3 if unit > STILL else math.nan,
        "excess_kurtosis": float((squares @ squares) / n) / unit**4 - 3.0 if unit > STILL else math.nan,
        "autocorrelation": quotient(float(d[1:] @ d[:-1]), float(squares.sum())) if unit > STILL else math.nan,
        "best_return": float(values.max()),
        "worst_return": float(values.min()),
        "win_rate": float((values > 0.0).mean()),
        "sharpe_ratio": quotient(excess, deviation) * yearly,
        "sortino_ratio": quotient(excess, downside) * yearly,
        "omega_ratio": quotient(gains, losses),
        "gain_to_pain_ratio": quotient(gains - losses, losses),
        "kelly_fraction": excess / deviation**2 if deviation > STILL else math.nan,
        **_tail(values, mean, deviation, p),
        **_drawdowns(values, annual, rate, p),
    }
    return {name: math.nan if has_gap and name != "n_periods" else value for name, value in names.items()}


def _tail(x: Float1D, mean: float, deviation: float, p: float) -> dict[str, float]:
    seen, normal = empirical_tail(x, p), normal_tail(mean, deviation, p)
    upper = -empirical_tail(-x, p).value_at_risk
    return {
        "value_at_risk": seen.value_at_risk,
        "expected_shortfall": seen.expected_shortfall,
        "value_at_risk_parametric": normal.value_at_risk,
        "expected_shortfall_parametric": normal.expected_shortfall,
        "tail_ratio": quotient(abs(upper), abs(seen.value_at_risk)),
    }


def _drawdowns(x: Float1D, annual: float, rate: float, p: float) -> dict[str, float]:
    lost = drawdown_curve(x)
    worst, pain, ulcer = float(lost.max()), float(lost.mean()), math.sqrt(float(lost @ lost) / lost.size)
    under = np.concatenate(([False], lost > ROUNDING, [False]))
    edges = np.flatnonzero(under[1:] != under[:-1])
    first, after = edges[::2], edges[1::2]
    deepest = np.maximum.reduceat(np.append(lost, 0.0), first) if first.size else np.zeros(0)
    # From the peak before the first period below it to the one that is back at it, or the last one.
    lengths = np.where(after == lost.size, lost.size - 1, after) - first + 1
    tail = empirical_tail(-lost, p)
    return {
        "max_drawdown": worst,
        "max_drawdown_periods": float(lengths[int(deepest.argmax())]) if first.size else 0.0,
        "longest_drawdown_periods": float(lengths.max()) if first.size else 0.0,
        "current_drawdown": float(lost[-1]),
        "average_drawdown": float(deepest.mean()) if first.size else 0.0,
        "pain_index": pain,
        "ulcer_index": ulcer,
        "drawdown_at_risk": tail.value_at_risk,
        "conditional_drawdown_at_risk": tail.expected_shortfall,
        "calmar_ratio": quotient(annual, worst),
        "martin_ratio": quotient(annual - rate, ulcer),
        "pain_ratio": quotient(annual - rate, pain),
    }


def _against(x: Float1D, m: Float1D, options: tuple[float, float, float]) -> dict[str, float]:
    """Return the measures against a benchmark."""
    per_year, rate, _ = options
    names = (
        "beta", "alpha", "correlation", "tracking_error", "information_ratio", "treynor_ratio", "up_capture",
        "down_capture",
    )  # fmt: skip
    if x.size < 2 or np.isnan(x).any() or np.isnan(m).any():
        return dict.fromkeys(names, math.nan)
    free, yearly = hurdle(rate, per_year), math.sqrt(per_year)
    steep, active = slope(x, m), x - m
    error = float(np.std(active, ddof=1))
    a, b = x - x.mean(), m - m.mean()
    related = quotient(float(a @ b), math.sqrt(float(a @ a)) * math.sqrt(float(b @ b)))
    up, down = m > 0.0, m < 0.0
    excess = float(x.mean()) - free
    return {
        "beta": steep,
        "alpha": (excess - steep * (float(m.mean()) - free)) * per_year,
        "correlation": min(max(related, -1.0), 1.0) if not math.isnan(related) else related,
        "tracking_error": error * yearly,
        "information_ratio": quotient(float(active.mean()), error) * yearly,
        "treynor_ratio": excess * per_year / steep if abs(steep) > STILL else math.nan,
        "up_capture": annualised(x[up], 1.0) / annualised(m[up], 1.0) if up.any() else math.nan,
        "down_capture": annualised(x[down], 1.0) / annualised(m[down], 1.0) if down.any() else math.nan,
    }
