"""Find out whether a feature, a strategy or a chart knows what comes later."""

import pandas as pd

import algotrendy as at


def features(bars: pd.DataFrame) -> pd.DataFrame:
    """Return one feature that is honest and two that are not."""
    close = bars["close"]
    weekly = close.resample("W-MON", label="left", closed="left").last()  # stamped with its first day
    return pd.DataFrame(
        {
            "momentum": close / close.shift(20) - 1,
            "rank": close.rank(pct=True),
            "week": weekly.reindex(bars.index, method="ffill"),
        }
    )


bars = at.sample("NASDAQ")
report = at.check_lookahead(features, bars)
print(report.summary())
for leak in report.leaks:
    print(leak.output, leak.inputs, leak.horizon, leak.example.at)

print(at.check_lookahead(at.strategies.donchian_turtle(), bars).verdict)
