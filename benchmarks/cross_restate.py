"""What each figure of a peer is called here, and what its definition gives on our account.

A `Line` has three readings: theirs (a name), ours (the figure that answers the same question here), and restated: the
peer's definition, worked out in plain numpy on our equity and trades. Written from the sources of vectorbt 1.2.0
(`returns/nb.py`), backtesting.py 0.6.6 (`_stats.py`), empyrical-reloaded 0.7.1 and quantstats 0.0.86 (`stats.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from scipy.stats import kurtosis, norm, skew

Reading = Callable[[Any], float]
RISK_FREE = 0.02


@dataclass(frozen=True)
class Line:
    """One figure of a peer."""

    theirs: str
    ours: Reading
    restated: Reading
    why: str
    not_in: tuple[str, ...] = ()


def metric(name: str, factor: float = 1.0) -> Reading:
    return lambda result: factor * result.metrics[name]


def equity(result: Any) -> np.ndarray:
    return result.equity.to_numpy()


def returns(result: Any) -> np.ndarray:
    """From the initial cash on."""
    values = np.append(result.cash, equity(result))
    return values[1:] / values[:-1] - 1.0


def later(result: Any) -> np.ndarray:
    """As backtesting.py has them: from the first equity on, a commission at the close being booked a bar later."""
    values, orders = equity(result).copy(), result.orders
    at_close = orders[orders["decided_at"] == orders["filled_at"]]
    values[result.equity.index.get_indexer(at_close["filled_at"])] += at_close["commission"].to_numpy()
    return values[1:] / values[:-1] - 1.0


def sharpe(x: np.ndarray, periods: float) -> float:
    return float(x.mean() / x.std(ddof=1) * sqrt(periods))


def sortino(x: np.ndarray, periods: float) -> float:
    return float(x.mean() / np.sqrt(np.mean(np.minimum(x, 0.0) ** 2)) * sqrt(periods))


def annual(x: np.ndarray, periods: float) -> float:
    return float(np.prod(1.0 + x) ** (periods / len(x)) - 1.0)


def drawdown(x: np.ndarray) -> np.ndarray:
    wealth = np.append(1.0, np.cumprod(1.0 + x))
    return wealth / np.maximum.accumulate(wealth) - 1.0


def over_rf(x: np.ndarray) -> np.ndarray:
    return x - ((1.0 + RISK_FREE) ** (1.0 / 252.0) - 1.0)


def trade_returns(result: Any) -> np.ndarray:
    """Net profit over the price paid, as vectorbt has it."""
    return result.trades["return"].to_numpy()


def profits_over_losses(x: np.ndarray) -> float:
    return float(x[x > 0].sum() / -x[x < 0].sum())


def lognormal_volatility(result: Any) -> float:
    """Volatility of compounded returns (backtesting.py)."""
    x = later(result)
    growth = np.prod(1.0 + x) ** (1.0 / len(x))
    return float(np.sqrt((x.var(ddof=1) + growth**2) ** 252 - growth**504))


def calendar_growth(result: Any) -> float:
    """Return per year of 365.25 calendar days, from the first bar to the last."""
    years = (result.equity.index[-1] - result.equity.index[0]).days / 365.25
    values = equity(result)
    return float((values[-1] / values[0]) ** (1.0 / years) - 1.0)


def bars_touched(result: Any) -> float:
    """Share of bars from each entry to its exit, both counted."""
    held = np.zeros(len(result.equity), dtype=bool)
    place = result.equity.index.get_indexer
    trades = result.trades
    for start, stop in zip(place(trades["entry_at"]), place(trades["exit_at"]), strict=True):
        held[start : stop + 1] = True
    return float(held.mean())


def gaussian_var(x: np.ndarray) -> float:
    return float(norm.ppf(0.05, x.mean(), x.std(ddof=1)))


def gaussian_shortfall(x: np.ndarray) -> float:
    return float(x.mean() - x.std(ddof=1) * norm.pdf(norm.ppf(0.05)) / 0.05)


def historical_shortfall(x: np.ndarray) -> float:
    return float(x[x <= np.quantile(x, 0.05)].mean())


def rockafellar_uryasev(x: np.ndarray) -> float:
    """Mean of the worst 5 %, the observation at the edge counted in part."""
    losses, count = np.sort(x), 0.05 * len(x)
    whole = int(count)
    return float((losses[:whole].sum() + (count - whole) * losses[whole]) / count)


def probabilistic(x: np.ndarray) -> float:
    ratio = x.mean() / x.std(ddof=1)
    third, fourth = skew(x, bias=False), kurtosis(x, bias=False) + 3.0
    spread = np.sqrt((1 - third * ratio + (fourth - 1) / 4 * ratio**2) / (len(x) - 1))
    return float(norm.cdf(ratio / spread))


def kelly(x: np.ndarray) -> float:
    wins, losses = x[x > 0], x[x < 0]
    ratio, share = wins.mean() / -losses.mean(), len(wins) / (len(wins) + len(losses))
    return float((ratio * share - (1 - share)) / ratio)


def payoff(x: np.ndarray) -> float:
    return float(x[x > 0].mean() / -x[x < 0].mean())


def pnl_kelly(result: Any) -> float:
    return kelly(result.trades["pnl"].to_numpy())


def of(function: Callable[..., float], *arguments: float, scale: float = 1.0) -> Reading:
    return lambda result: scale * float(function(returns(result), *arguments))


def backtesting_ratio(result: Any) -> float:
    return annual(later(result), 252) / lognormal_volatility(result)


def backtesting_sortino(result: Any) -> float:
    x = later(result)
    return float(annual(x, 252) / (np.sqrt(np.mean(np.minimum(x, 0.0) ** 2)) * sqrt(252)))


def quality_number(result: Any) -> float:
    profit = result.trades["pnl"]
    return float(sqrt(len(profit)) * profit.mean() / profit.std())


EQUAL_WHY = "the same"
PERCENT = "the same, in percent"
SIGN = "the same, with a minus sign"
SIGN_PERCENT = "the same, in percent with a minus sign"
YEAR_365 = "a year of 365 bars unless `year_freq` says otherwise, for stocks too"


def same(theirs: str, name: str, factor: float = 1.0, why: str = EQUAL_WHY) -> Line:
    return Line(theirs, metric(name), metric(name, factor), why)


LINES: dict[str, list[Line]] = {
    "vectorbt": [
        same("final_value()", "final_equity"),
        same("Total Return [%]", "total_return", 100.0, PERCENT),
        same("Total Fees Paid", "commission_paid"),
        Line("sharpe_ratio()", metric("sharpe_ratio"), of(sharpe, 365), YEAR_365),
        same("sharpe_ratio(), year_freq='252 days'", "sharpe_ratio"),
        Line("sortino_ratio()", metric("sortino_ratio"), of(sortino, 365), YEAR_365),
        Line("annualized_return()", metric("annual_return"), of(annual, 365), YEAR_365),
        Line(
            "annualized_volatility()",
            metric("volatility"),
            lambda result: returns(result).std(ddof=1) * sqrt(365),
            YEAR_365,
        ),
        same("max_drawdown()", "max_drawdown", -1.0, SIGN),
        same("Max Drawdown [%]", "max_drawdown", 100.0, PERCENT),
        same("Win Rate [%]", "win_rate", 100.0, PERCENT),
        same("Profit Factor", "profit_factor"),
        same("Expectancy", "expectancy"),
        Line(
            "Best Trade [%]",
            lambda result: trade_returns(result).max(),
            lambda result: 100.0 * trade_returns(result).max(),
            PERCENT,
        ),
    ],
    "backtesting": [
        same("Equity Final [$]", "final_equity"),
        same("Return [%]", "total_return", 100.0, PERCENT),
        same("Commissions [$]", "commission_paid"),
        same("Max. Drawdown [%]", "max_drawdown", -100.0, SIGN_PERCENT),
        same("# Trades", "n_trades"),
        same("Win Rate [%]", "win_rate", 100.0, PERCENT),
        Line(
            "Return (Ann.) [%]",
            metric("annual_return"),
            lambda result: 100.0 * annual(later(result), 252),
            "begins at the first equity, so there is one return less; in percent",
        ),
        Line(
            "CAGR [%]",
            metric("annual_return"),
            lambda result: 100.0 * calendar_growth(result),
            "years of 365.25 calendar days instead of 252 sessions; in percent",
        ),
        Line(
            "Volatility (Ann.) [%]",
            metric("volatility"),
            lambda result: 100.0 * lognormal_volatility(result),
            "volatility of compounded returns, not std × √252; in percent",
        ),
        Line(
            "Sharpe Ratio",
            metric("sharpe_ratio"),
            backtesting_ratio,
            "compounded annual return over that volatility, not mean over std",
        ),
        Line(
            "Sortino Ratio",
            metric("sortino_ratio"),
            backtesting_sortino,
            "compounded annual return over the downside, not the mean",
        ),
        Line(
            "Calmar Ratio",
            metric("calmar_ratio"),
            lambda result: annual(later(result), 252) / result.metrics["max_drawdown"],
            "its annual return has one return less",
        ),
        Line(
            "Exposure Time [%]",
            metric("time_in_market"),
            lambda result: 100.0 * bars_touched(result),
            "the bar of the exit counts too; in percent",
        ),
        Line("SQN", quality_number, quality_number, "the same, from `result.trades`"),
        Line("Kelly Criterion", pnl_kelly, pnl_kelly, "the same, from `result.trades`"),
    ],
    "zipline": [
        same("portfolio_value", "final_equity"),
        same("algorithm_period_return", "total_return"),
        same("algo_volatility", "volatility"),
        same("sharpe", "sharpe_ratio"),
        same("sortino", "sortino_ratio"),
        same("max_drawdown", "max_drawdown", -1.0, SIGN),
    ],
    "quantstats": [
        same("comp", "total_return"),
        same("cagr", "annual_return"),
        same("volatility", "volatility"),
        same("sharpe", "sharpe_ratio"),
        Line(
            "sharpe(rf=0.02)",
            lambda result: sharpe(over_rf(returns(result)), 252),
            lambda result: sharpe(over_rf(returns(result)), 252),
            "the same as `at.backtest(..., risk_free_rate=0.02)`",
        ),
        same("sortino", "sortino_ratio"),
        Line(
            "sortino(rf=0.02)",
            lambda result: sortino(over_rf(returns(result)), 252),
            lambda result: sortino(over_rf(returns(result)), 252),
            "the same as `at.backtest(..., risk_free_rate=0.02)`",
        ),
        same("max_drawdown", "max_drawdown", -1.0, SIGN),
        same("calmar", "calmar_ratio"),
        Line(
            "win_rate",
            metric("win_rate"),
            lambda result: float((returns(result) > 0).sum() / (returns(result) != 0).sum()),
            "share of days that gained, among days that moved; ours is of trades",
        ),
        Line(
            "profit_factor",
            metric("profit_factor"),
            of(profits_over_losses),
            "gains over losses of days, as fractions; ours is of trades, in currency",
        ),
        Line(
            "payoff_ratio",
            lambda result: payoff(result.trades["pnl"].to_numpy()),
            of(payoff),
            "mean gain over mean loss of days; ours here is of trades",
        ),
        Line("kelly_criterion", pnl_kelly, of(kelly), "of days; ours here is of trades"),
        Line(
            "exposure",
            metric("time_in_market"),
            lambda result: ceil(100.0 * float((returns(result) != 0).mean())) / 100.0,
            "share of days whose return is not zero, rounded up to a percent",
        ),
        Line(
            "value_at_risk",
            lambda result: -float(np.quantile(returns(result), 0.05)),
            of(gaussian_var),
            "of a normal distribution, with a minus sign; the quantile of the days is ours",
        ),
        Line(
            "expected_shortfall",
            lambda result: -rockafellar_uryasev(returns(result)),
            of(gaussian_shortfall),
            "of a normal distribution by default: smaller than the mean of the worst 5 % of the days",
        ),
        Line(
            "cvar(method='historical')",
            lambda result: -rockafellar_uryasev(returns(result)),
            of(historical_shortfall),
            "mean of the days at or below the quantile; ours counts the day at the edge in part",
        ),
        Line(
            "probabilistic_ratio",
            of(probabilistic),
            of(probabilistic),
            "the same formula; ours says against how many trials (`sweep.overfitting()`)",
        ),
        Line(
            "recovery_factor",
            lambda result: result.metrics["total_return"] / result.metrics["max_drawdown"],
            lambda result: returns(result).sum() / -drawdown(returns(result)).min(),
            "takes the sum of returns for the total return; they compound",
        ),
        Line(
            "ulcer_index",
            lambda result: float(np.sqrt(np.mean(drawdown(returns(result))[1:] ** 2))),
            lambda result: float(np.sqrt((drawdown(returns(result))[1:] ** 2).sum() / (len(returns(result)) - 1))),
            "divides by n − 1; Martin's definition divides by n",
        ),
    ],
}
