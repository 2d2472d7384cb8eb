"""What empyrical, quantstats, ffn and vectorbt say of the risk of two series of returns; `cross_check.py risk` runs it.

`risk(FOLDER)` reads `FOLDER/risk_returns.csv` (the columns fund and market) in an environment that has these libraries.
Each figure is named by the call that gave it.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

RATE, REQUIRED, PER_PERIOD = 0.02, 0.05, 0.0001
"""A risk-free rate and a return that is required, per year; and a rate per period."""


def risk(folder: Path) -> dict[str, dict[str, float]]:
    """Return the figures of each library by their names."""
    table = pd.read_csv(folder / "risk_returns.csv", index_col=0, parse_dates=True)
    fund, market = table["fund"], table["market"]
    found = {
        "empyrical": of_empyrical(fund, market),
        "quantstats": of_quantstats(fund, market),
        "ffn": of_ffn(fund, market),
        "vectorbt": of_vectorbt(fund, market),
    }
    return {name: {figure: float(value) for figure, value in figures.items()} for name, figures in found.items()}


def of_empyrical(fund: pd.Series, market: pd.Series) -> dict[str, float]:
    """Its defaults, and what it can be told."""
    import empyrical as ep

    first = pd.Series([-0.5, 0.1, 0.1], fund.index[:3])
    return {
        "annual_return": ep.annual_return(fund),
        "annual_volatility": ep.annual_volatility(fund),
        "sharpe_ratio": ep.sharpe_ratio(fund),
        "sharpe_ratio(risk_free=0.0001)": ep.sharpe_ratio(fund, risk_free=PER_PERIOD),
        "sortino_ratio": ep.sortino_ratio(fund),
        "sortino_ratio(required_return=0.0001)": ep.sortino_ratio(fund, required_return=PER_PERIOD),
        "downside_risk": ep.downside_risk(fund),
        "calmar_ratio": ep.calmar_ratio(fund),
        "omega_ratio": ep.omega_ratio(fund),
        "omega_ratio(required_return=0.05)": ep.omega_ratio(fund, required_return=REQUIRED),
        "tail_ratio": ep.tail_ratio(fund),
        "value_at_risk": ep.value_at_risk(fund),
        "conditional_value_at_risk": ep.conditional_value_at_risk(fund),
        "max_drawdown": ep.max_drawdown(fund),
        "max_drawdown of a first loss": ep.max_drawdown(first),
        "beta": ep.beta(fund, market),
        "alpha": ep.alpha(fund, market),
        "down_alpha_beta": ep.down_alpha_beta(fund, market)[1],
        "up_alpha_beta": ep.up_alpha_beta(fund, market)[1],
        "excess_sharpe": ep.excess_sharpe(fund, market),
        "up_capture": ep.up_capture(fund, market),
        "down_capture": ep.down_capture(fund, market),
        "up_down_capture": ep.up_down_capture(fund, market),
    }


def of_quantstats(fund: pd.Series, market: pd.Series) -> dict[str, float]:
    """Its defaults, and what it can be told."""
    from quantstats import stats

    return {
        "cagr": stats.cagr(fund),
        "volatility": stats.volatility(fund),
        "sharpe": stats.sharpe(fund),
        "sharpe(rf=0.02)": stats.sharpe(fund, rf=RATE),
        "smart_sharpe": stats.smart_sharpe(fund),
        "sortino": stats.sortino(fund),
        "adjusted_sortino": stats.adjusted_sortino(fund),
        "calmar": stats.calmar(fund),
        "omega": stats.omega(fund),
        "omega(required_return=0.05)": stats.omega(fund, required_return=REQUIRED),
        "tail_ratio": stats.tail_ratio(fund),
        "gain_to_pain_ratio": stats.gain_to_pain_ratio(fund),
        "value_at_risk": stats.value_at_risk(fund),
        "expected_shortfall": stats.expected_shortfall(fund),
        "cvar(method='historical')": stats.cvar(fund, method="historical"),
        "max_drawdown": stats.max_drawdown(fund),
        "ulcer_index": stats.ulcer_index(fund),
        "ulcer_performance_index": stats.ulcer_performance_index(fund),
        "greeks beta": stats.greeks(fund, market)["beta"],
        "greeks alpha": stats.greeks(fund, market)["alpha"],
        "r_squared": stats.r_squared(fund, market),
        "information_ratio": stats.information_ratio(fund, market),
        "treynor_ratio": stats.treynor_ratio(fund, market),
        "skew": stats.skew(fund),
        "kurtosis": stats.kurtosis(fund),
        "kelly_criterion": stats.kelly_criterion(fund),
        "probabilistic_sharpe_ratio": stats.probabilistic_sharpe_ratio(fund),
    }


def of_ffn(fund: pd.Series, market: pd.Series) -> dict[str, float]:
    """Its figures of prices that start at 1 the day before the first return, and of the returns."""
    import ffn

    start = pd.Series([1.0], [fund.index[0] - pd.Timedelta(days=1)])
    prices = pd.concat([start, (1.0 + fund).cumprod()])
    return {
        "calc_cagr": ffn.calc_cagr(prices),
        "calc_max_drawdown": ffn.calc_max_drawdown(prices),
        "calc_calmar_ratio": ffn.calc_calmar_ratio(prices),
        "calc_sharpe(rf=0.02)": ffn.calc_sharpe(fund, rf=RATE, nperiods=252),
        "calc_sortino_ratio": ffn.calc_sortino_ratio(fund, nperiods=252),
        "calc_information_ratio": ffn.calc_information_ratio(fund, market),
    }


def of_vectorbt(fund: pd.Series, market: pd.Series) -> dict[str, float]:
    """Its figures of days; by default it takes a year for 365 of them."""
    import vectorbt  # noqa: F401  gives Series their accessor

    plain = fund.vbt.returns(freq="1D")
    told = fund.vbt.returns(freq="1D", year_freq="252 days")
    return {
        "sharpe_ratio()": plain.sharpe_ratio(),
        "sharpe_ratio(), year_freq='252 days'": told.sharpe_ratio(),
        "annualized()": plain.annualized(),
        "annualized_volatility()": plain.annualized_volatility(),
        "sortino_ratio()": plain.sortino_ratio(),
        "calmar_ratio()": plain.calmar_ratio(),
        "downside_risk()": plain.downside_risk(),
        "omega_ratio()": plain.omega_ratio(),
        "tail_ratio()": plain.tail_ratio(),
        "value_at_risk()": plain.value_at_risk(),
        "cond_value_at_risk()": plain.cond_value_at_risk(),
        "max_drawdown()": plain.max_drawdown(),
        "beta()": told.beta(market),
        "alpha(), year_freq='252 days'": told.alpha(market),
        "information_ratio()": told.information_ratio(market),
        "up_capture(), year_freq='252 days'": told.up_capture(market),
        "down_capture(), year_freq='252 days'": told.down_capture(market),
    }
