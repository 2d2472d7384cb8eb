"""A strategy as a Python function: signals from anything that you can compute."""

import pandas as pd

import algotrendy as at


def quiet_breakout(bars: pd.DataFrame, params: dict[str, float]) -> at.Signals:
    """Buy a new high after a quiet month; leave at a new low."""
    window = int(params["window"])
    quiet = bars["close"].pct_change().rolling(20).std() < params["calm"]
    above = bars["close"] > bars["high"].rolling(window).max().shift(1)
    below = bars["close"] < bars["low"].rolling(window).min().shift(1)
    return at.Signals(entries=above & quiet, exits=below)


if __name__ == "__main__":  # a sweep of a Python function runs in processes, which import this file
    bars = at.sample("NASDAQ")
    result = at.backtest(quiet_breakout, bars, params={"window": 50, "calm": 0.015}, commission=0.0005)
    print(result.summary())

    # The same, with signals handed in as arrays.
    average = bars["close"].rolling(200).mean()
    arrays = at.backtest(bars, entries=bars["close"] > average, exits=bars["close"] < average, commission=0.0005)
    print(f"Above the average of 200 days: Sharpe {arrays.metrics['sharpe_ratio']:.2f}")
