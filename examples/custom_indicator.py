"""An indicator of your own, used by name in a condition and swept like any other."""

import numpy as np

import algotrendy as at


@at.indicator
def midpoint(x, window: int):
    """Return the middle between the highest and the lowest of the last `window` values."""
    windows = np.lib.stride_tricks.sliding_window_view(x, window)
    middle = (windows.max(axis=1) + windows.min(axis=1)) / 2
    return np.concatenate([np.full(window - 1, np.nan), middle])


bars = at.sample("NASDAQ")
strategy = at.Strategy(entry="close > midpoint(close, n)", exit="close < midpoint(close, n)", n=60)
print(at.backtest(strategy, bars, commission=0.0005).summary())

sweep = at.optimize(strategy, bars, {"n": range(20, 200, 10)}, commission=0.0005)
print(sweep.top(5))
