"""What each metric of a result is called, how it is written, and what it means. The summary and the report read it."""

from __future__ import annotations

from dataclasses import dataclass

from algotrendy.reports.wording import MISSING, Kind, is_missing, moment_text, written, zero_without_sign

__all__ = [
    "ACCOUNT_METRIC_INFO",
    "METRIC_INFO",
    "MISSING",
    "Kind",
    "MetricInfo",
    "describe",
    "is_missing",
    "moment_text",
    "written",
    "zero_without_sign",
]


@dataclass(frozen=True)
class MetricInfo:
    """The label, the way of writing, the group and the definition of one metric."""

    label: str
    kind: Kind
    group: str
    definition: str


METRIC_INFO: dict[str, MetricInfo] = {
    "final_equity": MetricInfo("Final equity", "money", "Performance", "Value of the account at the last bar."),
    "total_return": MetricInfo("Total return", "change", "Performance", "Final equity / initial cash - 1."),
    "annual_return": MetricInfo(
        "Annual return", "change", "Performance", "(Final equity / initial cash)^(P / n) - 1: compounded per year."
    ),
    "volatility": MetricInfo(
        "Volatility", "share", "Risk", "Standard deviation of returns (ddof 1) x sqrt(P): per year."
    ),
    "sharpe_ratio": MetricInfo(
        "Sharpe ratio", "ratio", "Risk", "Mean / standard deviation of excess returns x sqrt(P); flat periods included."
    ),
    "sortino_ratio": MetricInfo(
        "Sortino ratio", "ratio", "Risk", "Mean / root mean square of negative excess returns x sqrt(P)."
    ),
    "calmar_ratio": MetricInfo("Calmar ratio", "ratio", "Risk", "Annual return / maximum drawdown."),
    "max_drawdown": MetricInfo(
        "Maximum drawdown", "share", "Risk", "Largest loss of equity from its running peak; the initial cash is a peak."
    ),
    "max_drawdown_start": MetricInfo(
        "Drawdown from", "moment", "Risk", "Last bar at the peak before the largest loss."
    ),
    "max_drawdown_valley": MetricInfo(
        "Drawdown lowest", "moment", "Risk", "Bar at which the largest loss was reached."
    ),
    "max_drawdown_end": MetricInfo(
        "Drawdown recovered", "moment", "Risk", "First bar back at the peak; n/a if the data ends before that."
    ),
    "n_orders": MetricInfo("Orders", "count", "Trades", "Fills; a reversal counts as two."),
    "n_trades": MetricInfo("Trades", "count", "Trades", "Closed round trips; an open position is not one."),
    "win_rate": MetricInfo("Win rate", "share", "Trades", "Trades with a profit above zero / trades."),
    "profit_factor": MetricInfo("Profit factor", "ratio", "Trades", "Sum of profits / sum of losses."),
    "expectancy": MetricInfo("Expectancy", "money", "Trades", "Mean profit per trade, net of all costs."),
    "turnover": MetricInfo("Turnover per year", "ratio", "Trades", "Traded value / mean equity / years."),
    "time_in_market": MetricInfo("Time in market", "share", "Trades", "Share of bars that end with a position."),
    "commission_paid": MetricInfo("Commission paid", "money", "Costs", "Sum of the commissions of all fills."),
    "slippage_paid": MetricInfo(
        "Slippage paid", "money", "Costs", "Sum of what fills were worse than the price without slippage."
    ),
    "borrow_paid": MetricInfo(
        "Borrow paid", "money", "Costs", "Sum of the fees for borrowed units of short positions."
    ),
    "costs_paid": MetricInfo("Costs paid", "money", "Costs", "Commission + slippage + borrow."),
    "start": MetricInfo("First bar", "moment", "Data", "Stamp (start) of the first bar."),
    "end": MetricInfo("Last bar", "moment", "Data", "Stamp (start) of the last bar."),
    "n_bars": MetricInfo("Bars", "count", "Data", "Number of bars."),
    "periods_per_year": MetricInfo(
        "Periods per year (P)", "number", "Data", "Returns per year that ratios are annualised with; n is their number."
    ),
}

ACCOUNT_METRIC_INFO: dict[str, MetricInfo] = {
    **METRIC_INFO,
    "financing_paid": MetricInfo(
        "Financing paid", "money", "Costs", "Interest on cash below zero, which counts in the costs paid."
    ),
    "dividends_received": MetricInfo(
        "Dividends received", "money", "Costs", "Sum of dividends, less those that short positions were charged."
    ),
}
"""Those of one instrument, and those that an account of several may have besides."""


def describe(name: str) -> MetricInfo:
    """Return what is known of a metric; a metric without an entry is written as a plain number.

    Examples
    --------
    >>> describe("win_rate").label, describe("my_metric").label
    ('Win rate', 'my metric')
    """
    return ACCOUNT_METRIC_INFO.get(name) or MetricInfo(name.replace("_", " "), "number", "Other", "")
