"""Seeded trades that no market made, to try streams with: nothing to download, no key."""

from __future__ import annotations

import numpy as np
import pandas as pd

from algotrendy.data.series import as_instant
from algotrendy.errors import InputError

__all__ = ["sample_trades"]


def sample_trades(
    n: int = 10_000,
    *,
    seed: int | np.random.Generator = 0,
    start: object = "2024-03-01 14:30",
    per_second: float = 100.0,
    start_price: float = 100.0,
    cent: float = 0.01,
) -> pd.DataFrame:
    """Return `n` seeded trades: exponential waits in whole milliseconds, a price that steps by cents, round sizes.

    Parameters
    ----------
    n : int
        Number of trades, at least 1.
    seed : int or numpy Generator
        The same seed gives the same trades.
    start : date or time
        Of the first wait; UTC unless it says otherwise.
    per_second : float
        Mean number of trades in a second; some share their time, as real ones do.
    start_price, cent : float
        Price before the first trade, and the step of the grid that prices lie on. The price does not fall below one
        step.

    Returns
    -------
    DataFrame of shape (n, 2)
        Index `time` (UTC, ascending, with ties), columns `price` and `size`.

    Raises
    ------
    InputError
        If a number is not above zero.

    Examples
    --------
    >>> trades = sample_trades(5, seed=1)
    >>> trades.shape, bool(trades.index.is_monotonic_increasing)
    ((5, 2), True)
    """
    for name, value in {"n": n, "per_second": per_second, "start_price": start_price, "cent": cent}.items():
        if not value > 0:
            raise InputError(f"{name} is {value!r}; expected a number above zero")
    rng = np.random.default_rng(seed)
    milliseconds = np.floor(np.cumsum(rng.exponential(1_000.0 / per_second, n))).astype(np.int64)
    times = as_instant(start, "start").as_unit("ns").value + milliseconds * 1_000_000
    steps = rng.choice([-1, 0, 0, 1], n).cumsum() + round(start_price / cent)
    price = np.maximum(steps, 1) * cent
    size = 100.0 * rng.geometric(0.4, n)
    index = pd.DatetimeIndex(times.view("M8[ns]"), name="time").tz_localize("UTC")
    return pd.DataFrame({"price": np.round(price, 10), "size": size}, index=index)
