"""Where libraries of risk disagree, and which of our options gives the figure of each.

One `Convention` is one row of the table in `docs/explanation/risk-conventions.md`. Its proofs are pairs: a figure that
a library reports of the NASDAQ sample against the S&P 500, and the call of ours, with the option that the row names,
that gives the same number. `cross_check.py risk` asks the libraries; a golden test reads what they said last time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from cross_risk import PER_PERIOD, RATE, REQUIRED

import algotrendy as at
from algotrendy import risk

Theirs = str | Callable[[pd.Series, pd.Series], Any]
Ours = Callable[[pd.Series, pd.Series], Any]
YEAR: Mapping[str, Any] = {"periods_per_year": 252}
DAYS: Mapping[str, Any] = {"periods_per_year": 365}
RETURN: Mapping[str, Any] = {"sign": "return"}


@dataclass(frozen=True)
class Convention:
    """A row of the table.

    Attributes
    ----------
    measure, elsewhere : str
        As the page has them; a row of the page without one here fails the test, and one here without a row too.
    proofs : mapping
        From a figure of a library ("empyrical alpha"), or a call of one that is installed with ours, to our call.
    """

    measure: str
    elsewhere: str
    proofs: Mapping[Theirs, Ours]


def sample() -> pd.DataFrame:
    """Return twenty years of days of the NASDAQ (fund) and the S&P 500 (market)."""
    closes = {"fund": at.sample("NASDAQ")["close"], "market": at.sample("SP500")["close"]}
    return pd.concat({name: close.pct_change() for name, close in closes.items()}, axis=1).dropna()


def skfolio(name: str, *arguments: Any, **options: Any) -> Callable[[pd.Series, pd.Series], Any]:
    """Return the call of a measure of skfolio."""

    def call(fund: pd.Series, _: pd.Series) -> Any:
        from skfolio import measures

        return getattr(measures, name)(fund.to_numpy(), *arguments, **options)

    return call


def of_depths(name: str, *arguments: Any, compounded: bool) -> Callable[[pd.Series, pd.Series], Any]:
    """Return the call of a measure of skfolio on its drawdowns."""

    def call(fund: pd.Series, _: pd.Series) -> Any:
        from skfolio import measures

        depths = measures.get_drawdowns(fund.to_numpy(), compounded=compounded)
        return getattr(measures, name)(depths, *arguments)

    return call


def calendar(fund: pd.Series) -> float:
    """Return the periods a year if a year is 365.25 days, counted from the day before the first return."""
    days = (fund.index[-1] - fund.index[0]).days + 1
    return float(len(fund) / (days / 365.25))


def penalty(fund: pd.Series) -> float:
    """Return what quantstats divides a smart ratio by: the first autocorrelation, as if it faded by powers."""
    n, size = len(fund), abs(np.corrcoef(fund[:-1], fund[1:])[0, 1])
    return math.sqrt(1.0 + 2.0 * sum((n - k) / n * size**k for k in range(1, n)))


def of_sklearn(name: str) -> Callable[[pd.Series, pd.Series], Any]:
    """Return the call of a shrunk covariance of scikit-learn."""

    def call(fund: pd.Series, market: pd.Series) -> Any:
        from sklearn import covariance

        return getattr(covariance, name)().fit(np.column_stack([fund, market])).covariance_

    return call


def shrunk(method: Any) -> Ours:
    """Return our call of the same."""
    return lambda fund, market: risk.covariance(np.column_stack([fund, market]), method=method).to_numpy()


def last_years(fund: pd.Series) -> pd.Series:
    """Return the returns of the last 36 months."""
    return fund[fund.index > fund.index[-1] - pd.DateOffset(months=36)]


CONVENTIONS: tuple[Convention, ...] = (
    Convention(
        "value at risk, sign",
        "empyrical, quantstats, vectorbt: -0.02",
        {
            "empyrical value_at_risk": lambda x, m: risk.value_at_risk(x, **RETURN),
            "vectorbt value_at_risk()": lambda x, m: risk.value_at_risk(x, **RETURN),
        },
    ),
    Convention(
        "value at risk, quantile",
        "skfolio, riskfolio: a return that was seen",
        {skfolio("value_at_risk", 0.95): lambda x, m: risk.value_at_risk(x, quantile="inverted_cdf")},
    ),
    Convention(
        "value at risk, method",
        "quantstats: normal, under the plain name",
        {"quantstats value_at_risk": lambda x, m: risk.value_at_risk(x, method="parametric", **RETURN)},
    ),
    Convention(
        "value at risk, method",
        "PerformanceAnalytics: Cornish-Fisher, moments of the population",
        {(lambda x, m: cornish_fisher_by_hand(x)): lambda x, m: risk.value_at_risk(x, method="cornish_fisher", ddof=0)},
    ),
    Convention(
        "expected shortfall",
        "empyrical, vectorbt: mean of the int((n - 1)(1 - level)) + 1 lowest",
        {
            name: lambda x, m: risk.expected_shortfall(x, quantile="lower", tail="at_or_beyond", **RETURN)
            for name in ("empyrical conditional_value_at_risk", "vectorbt cond_value_at_risk()")
        },
    ),
    Convention(
        "expected shortfall",
        "quantstats: of a normal distribution, under the plain name",
        {"quantstats expected_shortfall": lambda x, m: risk.expected_shortfall(x, method="parametric", **RETURN)},
    ),
    Convention(
        "expected shortfall",
        "quantstats, `method='historical'`: mean at or below the linear quantile",
        {
            "quantstats cvar(method='historical')": lambda x, m: risk.expected_shortfall(
                x, tail="at_or_beyond", **RETURN
            )
        },
    ),
    Convention(
        "drawdown, sign",
        "empyrical, quantstats, vectorbt, ffn: -0.25",
        {
            name: lambda x, m: risk.max_drawdown(x, **RETURN)
            for name in ("empyrical max_drawdown", "quantstats max_drawdown", "vectorbt max_drawdown()")
        }
        | {"ffn calc_max_drawdown": lambda x, m: risk.max_drawdown(x, **RETURN)},
    ),
    Convention(
        "drawdown, first period",
        "an equity curve that starts after it: it does not",
        {
            (lambda x, m: np.max(1.0 - (1.0 + x.iloc[:3]).cumprod() / (1.0 + x.iloc[:3]).cumprod().cummax())): (
                lambda x, m: risk.max_drawdown_of_equity((1.0 + x.iloc[:3]).cumprod())
            ),
            "empyrical max_drawdown of a first loss": lambda x, m: risk.max_drawdown([-0.5, 0.1, 0.1], **RETURN),
        },
    ),
    Convention(
        "drawdown",
        "skfolio: sums of returns by default",
        {
            of_depths("max_drawdown", compounded=False): lambda x, m: risk.max_drawdown(x, compound=False),
            of_depths("cdar", 0.95, compounded=False): lambda x, m: risk.conditional_drawdown_at_risk(
                x, compound=False
            ),
            of_depths("ulcer_index", compounded=False): lambda x, m: risk.ulcer_index(x, compound=False),
        },
    ),
    Convention(
        "average drawdown",
        "skfolio: of all periods",
        {of_depths("average_drawdown", compounded=True): lambda x, m: risk.average_drawdown(x, of="periods")},
    ),
    Convention(
        "ulcer index",
        "quantstats: by n - 1",
        {"quantstats ulcer_index": lambda x, m: risk.ulcer_index(x, ddof=1)},
    ),
    Convention(
        "Martin ratio",
        "quantstats: total return over it",
        {
            "quantstats ulcer_performance_index": lambda x, m: risk.total_return(x) / risk.ulcer_index(x, ddof=1),
        },
    ),
    Convention(
        "annual return",
        "ffn, bt: by calendar days, 365.25 a year",
        {
            "ffn calc_cagr": lambda x, m: risk.annual_return(x, periods_per_year=calendar(x)),
            "ffn calc_calmar_ratio": lambda x, m: risk.calmar_ratio(x, periods_per_year=calendar(x)),
        },
    ),
    Convention(
        "annualised",
        "vectorbt: 365 days a year unless told",
        {
            "vectorbt annualized()": lambda x, m: risk.annual_return(x, **DAYS),
            "vectorbt annualized_volatility()": lambda x, m: risk.volatility(x, **DAYS),
            "vectorbt sharpe_ratio()": lambda x, m: risk.sharpe_ratio(x, **DAYS),
            "vectorbt sortino_ratio()": lambda x, m: risk.sortino_ratio(x, **DAYS),
            "vectorbt calmar_ratio()": lambda x, m: risk.calmar_ratio(x, **DAYS),
            "vectorbt downside_risk()": lambda x, m: risk.downside_deviation(x, **DAYS),
        },
    ),
    Convention(
        "volatility, Sharpe ratio",
        "numpy: ddof 0",
        {
            (lambda x, m: np.std(x.to_numpy())): lambda x, m: risk.volatility(x, ddof=0),
            skfolio("standard_deviation", biased=True): lambda x, m: risk.volatility(x, ddof=0),
            (lambda x, m: x.mean() / np.std(x.to_numpy())): lambda x, m: risk.sharpe_ratio(x, ddof=0),
        },
    ),
    Convention(
        "Sharpe ratio, risk-free rate",
        "empyrical: of a period",
        {
            "empyrical sharpe_ratio(risk_free=0.0001)": lambda x, m: risk.sharpe_ratio(
                x, risk_free_rate=(1.0 + PER_PERIOD) ** 252 - 1.0, **YEAR
            )
        },
    ),
    Convention(
        "Sharpe ratio, autocorrelation",
        "quantstats `smart_sharpe`: the size of the first one, as if it faded by powers",
        {"quantstats smart_sharpe": lambda x, m: risk.sharpe_ratio(x, **YEAR) / penalty(x)},
    ),
    Convention(
        "probabilistic Sharpe ratio",
        "quantstats: skewness and kurtosis corrected for n",
        {
            "quantstats probabilistic_sharpe_ratio": lambda x, m: risk.SharpeEstimate(
                n_periods=len(x), sharpe_ratio=risk.sharpe_ratio(x), skewness=x.skew(), kurtosis=x.kurt() + 3.0
            ).probability_above(0.0)
        },
    ),
    Convention(
        "downside deviation, Sortino ratio",
        "some: over the periods below the target",
        {
            (lambda x, m: math.sqrt((x[x < 0.0] ** 2).mean())): lambda x, m: risk.downside_deviation(x, count="below"),
            (lambda x, m: x.mean() / math.sqrt((x[x < 0.0] ** 2).mean())): lambda x, m: risk.sortino_ratio(
                x, count="below"
            ),
        },
    ),
    Convention(
        "downside deviation",
        "skfolio: below the mean, by n - 1",
        {skfolio("semi_deviation"): lambda x, m: risk.downside_deviation(x, target=x.mean(), ddof=1)},
    ),
    Convention(
        "Sortino ratio",
        "empyrical: target of a period",
        {
            "empyrical sortino_ratio(required_return=0.0001)": lambda x, m: risk.sortino_ratio(
                x, target=PER_PERIOD, **YEAR
            )
        },
    ),
    Convention(
        "Sortino ratio",
        "quantstats `adjusted_sortino`: over the root of 2, to stand beside a Sharpe ratio",
        {"quantstats adjusted_sortino": lambda x, m: risk.sortino_ratio(x, **YEAR) / math.sqrt(2.0)},
    ),
    Convention(
        "Omega ratio",
        "empyrical, quantstats: target of a year",
        {
            name: lambda x, m: risk.omega_ratio(x, target=(1.0 + REQUIRED) ** (1.0 / 252) - 1.0)
            for name in ("empyrical omega_ratio(required_return=0.05)", "quantstats omega(required_return=0.05)")
        },
    ),
    Convention(
        "information ratio",
        "empyrical, quantstats, ffn, vectorbt: per period",
        {
            name: lambda x, m: risk.information_ratio(x, m)
            for name in (
                "empyrical excess_sharpe",
                "quantstats information_ratio",
                "ffn calc_information_ratio",
                "vectorbt information_ratio()",
            )
        },
    ),
    Convention(
        "alpha",
        "empyrical, vectorbt: compounded",
        {
            name: lambda x, m: risk.alpha(x, m, compound=True, **YEAR)
            for name in ("empyrical alpha", "vectorbt alpha(), year_freq='252 days'")
        },
    ),
    Convention(
        "downside and upside beta",
        "empyrical: the market below and above 0",
        {
            "empyrical down_alpha_beta": lambda x, m: risk.beta(x, m, method="downside", threshold=0.0),
            "empyrical up_alpha_beta": lambda x, m: risk.beta(x, m, method="upside", threshold=0.0),
        },
    ),
    Convention(
        "beta of Bloomberg",
        "a third + two thirds of it",
        {(lambda x, m: (1.0 + 2.0 * np.polyfit(m, x, 1)[0]) / 3.0): lambda x, m: risk.beta(x, m, method="bloomberg")},
    ),
    Convention(
        "Treynor ratio",
        "quantstats: total return over beta",
        {"quantstats treynor_ratio": lambda x, m: risk.total_return(x) / risk.beta(x, m)},
    ),
    Convention(
        "capture",
        "empyrical, vectorbt: compounded to a year; Morningstar: months",
        {
            "empyrical up_capture": lambda x, m: risk.up_capture(x, m, **YEAR),
            "empyrical down_capture": lambda x, m: risk.down_capture(x, m, **YEAR),
            "empyrical up_down_capture": lambda x, m: risk.capture_ratio(x, m, **YEAR),
            "vectorbt up_capture(), year_freq='252 days'": lambda x, m: risk.up_capture(x, m, **YEAR),
            "vectorbt down_capture(), year_freq='252 days'": lambda x, m: risk.down_capture(x, m, **YEAR),
        },
    ),
    Convention(
        "Kelly",
        "quantstats: W - (1 - W) / payoff ratio",
        {"quantstats kelly_criterion": lambda x, m: risk.kelly_fraction(x, method="win_loss")},
    ),
    Convention(
        "covariance",
        "scikit-learn, skfolio: shrunk ones start from ddof 0",
        {of_sklearn("LedoitWolf"): shrunk("ledoit_wolf"), of_sklearn("OAS"): shrunk("oas")},
    ),
    Convention(
        "skewness, kurtosis",
        "pandas, quantstats: corrected for n",
        {"quantstats skew": lambda x, m: x.skew(), "quantstats kurtosis": lambda x, m: x.kurt()},
    ),
    Convention(
        "kurtosis",
        "skfolio: not in excess",
        {skfolio("kurtosis"): lambda x, m: risk.metrics(x, **YEAR)["excess_kurtosis"] + 3.0},
    ),
    Convention(
        "Calmar ratio",
        "Young: the last 36 months",
        {
            (lambda x, m: young_by_hand(x)): lambda x, m: risk.calmar_ratio(last_years(x), **YEAR),
        },
    ),
)

EQUAL: Mapping[str, Ours] = {
    "empyrical annual_return": lambda x, m: risk.annual_return(x, **YEAR),
    "empyrical annual_volatility": lambda x, m: risk.volatility(x, **YEAR),
    "empyrical sharpe_ratio": lambda x, m: risk.sharpe_ratio(x, **YEAR),
    "empyrical sortino_ratio": lambda x, m: risk.sortino_ratio(x, **YEAR),
    "empyrical downside_risk": lambda x, m: risk.downside_deviation(x, **YEAR),
    "empyrical calmar_ratio": lambda x, m: risk.calmar_ratio(x, **YEAR),
    "empyrical omega_ratio": lambda x, m: risk.omega_ratio(x),
    "empyrical tail_ratio": lambda x, m: risk.tail_ratio(x),
    "empyrical beta": lambda x, m: risk.beta(x, m),
    "quantstats cagr": lambda x, m: risk.annual_return(x, **YEAR),
    "quantstats volatility": lambda x, m: risk.volatility(x, **YEAR),
    "quantstats sharpe": lambda x, m: risk.sharpe_ratio(x, **YEAR),
    "quantstats sharpe(rf=0.02)": lambda x, m: risk.sharpe_ratio(x, risk_free_rate=RATE, **YEAR),
    "quantstats sortino": lambda x, m: risk.sortino_ratio(x, **YEAR),
    "quantstats calmar": lambda x, m: risk.calmar_ratio(x, **YEAR),
    "quantstats omega": lambda x, m: risk.omega_ratio(x),
    "quantstats tail_ratio": lambda x, m: risk.tail_ratio(x),
    "quantstats gain_to_pain_ratio": lambda x, m: risk.gain_to_pain_ratio(x),
    "quantstats greeks beta": lambda x, m: risk.beta(x, m),
    "quantstats greeks alpha": lambda x, m: risk.alpha(x, m, **YEAR),
    "quantstats r_squared": lambda x, m: risk.correlation(x, m) ** 2,
    "ffn calc_sharpe(rf=0.02)": lambda x, m: risk.sharpe_ratio(x, risk_free_rate=RATE, **YEAR),
    "ffn calc_sortino_ratio": lambda x, m: risk.sortino_ratio(x, **YEAR),
    "vectorbt sharpe_ratio(), year_freq='252 days'": lambda x, m: risk.sharpe_ratio(x, **YEAR),
    "vectorbt omega_ratio()": lambda x, m: risk.omega_ratio(x),
    "vectorbt tail_ratio()": lambda x, m: risk.tail_ratio(x),
    "vectorbt beta()": lambda x, m: risk.beta(x, m),
}
"""Figures that are ours without an option."""


def cornish_fisher_by_hand(x: pd.Series) -> float:
    """Return the modified value at risk of Zangari, as PerformanceAnalytics documents it."""
    from scipy import stats

    z, s, k = stats.norm.ppf(0.05), stats.skew(x), stats.kurtosis(x)
    bent = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
    return float(-(x.mean() + bent * x.std(ddof=0)))


def young_by_hand(x: pd.Series) -> float:
    """Return the ratio of the last 36 months, written out."""
    wealth = np.append(1.0, (1.0 + last_years(x)).cumprod())
    depth = (1.0 - wealth / np.maximum.accumulate(wealth)).max()
    return float((wealth[-1] ** (252 / (len(wealth) - 1)) - 1.0) / depth)


def unlike(theirs: Mapping[str, Mapping[str, float]], worst: float = 1e-9) -> list[str]:
    """Return what does not hold: figures that differ from ours, and figures of a library that nothing here explains."""
    fund, market = (sample()[name] for name in ("fund", "market"))
    said = {f"{library} {name}": value for library, all_ in theirs.items() for name, value in all_.items()}
    pairs: list[tuple[Theirs, Ours]] = [*EQUAL.items()]
    for convention in CONVENTIONS:
        pairs += convention.proofs.items()
    wrong = [f"{name}: nothing explains it" for name in said.keys() - {figure for figure, _ in pairs}]
    for figure, ours in pairs:
        expected = said.get(figure, math.nan) if isinstance(figure, str) else figure(fund, market)
        found = ours(fund, market)
        if not np.allclose(found, expected, rtol=worst, atol=worst):
            wrong.append(f"{figure}: {expected}, ours {found}")
    return wrong
