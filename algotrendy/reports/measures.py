"""What the measures of `algotrendy.risk` are called in a report, how they are written, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass

from algotrendy.reports.wording import Kind

__all__ = ["MEASURES", "Measure"]


@dataclass(frozen=True)
class Measure:
    """The label, the way of writing and the definition of one row of `risk.metrics`."""

    label: str
    kind: Kind
    definition: str


MEASURES: dict[str, Measure] = {
    "n_periods": Measure("Periods", "count", "Number of returns."),
    "total_return": Measure("Total return", "change", "Compounded over all periods."),
    "annual_return": Measure("Annual return", "change", "Compounded, per year."),
    "volatility": Measure("Volatility", "share", "Standard deviation (ddof 1) x sqrt(P), per year."),
    "downside_deviation": Measure("Downside deviation", "share", "Root mean square of losses x sqrt(P), per year."),
    "sharpe_ratio": Measure("Sharpe ratio", "ratio", "Mean / standard deviation of excess returns x sqrt(P)."),
    "sortino_ratio": Measure("Sortino ratio", "ratio", "Mean excess return / downside deviation."),
    "calmar_ratio": Measure("Calmar ratio", "ratio", "Annual return / maximum drawdown."),
    "omega_ratio": Measure("Omega ratio", "ratio", "Sum of gains / sum of losses."),
    "gain_to_pain_ratio": Measure("Gain to pain", "ratio", "Sum of returns / sum of losses."),
    "win_rate": Measure("Periods with a gain", "share", "Share of the periods above zero."),
    "best_return": Measure("Best period", "change", "The highest return."),
    "worst_return": Measure("Worst period", "change", "The lowest return."),
    "skewness": Measure("Skewness", "ratio", "Below zero: the long tail is that of losses."),
    "excess_kurtosis": Measure("Excess kurtosis", "ratio", "Above zero: tails are fatter than normal ones."),
    "autocorrelation": Measure("Autocorrelation", "ratio", "Of each return with the one before."),
    "kelly_fraction": Measure("Kelly fraction", "ratio", "Mean excess return / variance: leverage of fastest growth."),
    "value_at_risk": Measure(
        "Value at risk", "share", "Loss of a period that few periods exceed, at the stated level."
    ),
    "expected_shortfall": Measure("Expected shortfall", "share", "Mean loss of the periods beyond the value at risk."),
    "tail_ratio": Measure("Tail ratio", "ratio", "Size of the upper tail / value at risk."),
    "max_drawdown": Measure("Maximum drawdown", "share", "Largest loss from a peak; the start is a peak."),
    "max_drawdown_periods": Measure("Its length", "count", "Periods from its peak to its recovery, or to the end."),
    "longest_drawdown_periods": Measure("Longest drawdown", "count", "Periods below a peak."),
    "current_drawdown": Measure("Current drawdown", "share", "Loss from the peak at the end."),
    "average_drawdown": Measure("Average drawdown", "share", "Mean depth of the drawdowns."),
    "pain_index": Measure("Pain index", "share", "Mean loss from the peak over all periods."),
    "ulcer_index": Measure("Ulcer index", "share", "Root mean square loss from the peak."),
    "conditional_drawdown_at_risk": Measure("Conditional drawdown at risk", "share", "Mean of the deepest losses."),
    "martin_ratio": Measure("Martin ratio", "ratio", "Annual excess return / ulcer index."),
    "pain_ratio": Measure("Pain ratio", "ratio", "Annual excess return / pain index."),
    "beta": Measure("Beta", "ratio", "Slope of the returns on those of the benchmark."),
    "alpha": Measure("Alpha", "change", "Mean excess return that beta does not explain, per year."),
    "correlation": Measure("Correlation", "ratio", "With the returns of the benchmark."),
    "tracking_error": Measure("Tracking error", "share", "Standard deviation of the difference, per year."),
    "information_ratio": Measure("Information ratio", "ratio", "Mean difference / its standard deviation x sqrt(P)."),
    "treynor_ratio": Measure("Treynor ratio", "ratio", "Annual excess return / beta."),
    "up_capture": Measure("Up capture", "share", "Return of the periods in which the benchmark rises / its own there."),
    "down_capture": Measure("Down capture", "share", "The same where the benchmark falls."),
}
