"""Series of returns that are hardly any: what functions and reports answer to them is stated in the tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

NO_SERIES = ("empty", "all NaN", "mixed time zones", "duplicate dates")
"""Kinds that are no series by date of one number each."""


def kinds(n: int) -> dict[str, pd.Series]:
    """Return one series of each kind, `n` days long where it has a length."""
    days = pd.date_range("2024-01-01", periods=n, tz="UTC")
    noise = np.random.default_rng(4).normal(0.0, 0.01, n)
    rising = 0.001 + 0.0005 * np.sin(np.arange(n))
    falling = np.where(np.arange(n) < 40, rising, -rising)
    mixed = pd.Index([day.tz_convert("Asia/Tokyo") if i % 2 else day for i, day in enumerate(days)], dtype=object)
    return {
        "empty": pd.Series([], days[:0], dtype=float),
        "one row": pd.Series([-0.02], days[:1]),
        "all zero": pd.Series(np.zeros(n), days),
        "all NaN": pd.Series(np.full(n, np.nan), days),
        "no drawdown": pd.Series(rising, days),
        "open drawdown": pd.Series(falling, days),
        "mixed time zones": pd.Series(noise, mixed),
        "total loss": pd.Series(np.where(np.arange(n) == n // 2, -1.0, noise), days),
        "duplicate dates": pd.Series(noise, days.where(np.arange(n) != 8, days[7])),
    }
