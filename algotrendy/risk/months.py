"""Returns by calendar month and year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from algotrendy.domain.types import Float1D

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["monthly_returns"]


def monthly_returns(equity: Float1D, index: pd.DatetimeIndex, cash: float) -> pd.DataFrame:
    """Return the change of equity over each calendar month and year, as fractions.

    It is what results, reports and `portfolio.monthly_table` show.

    Months and years are those of the stamps, in their own time zone. The first month starts from the initial cash.

    Returns
    -------
    DataFrame of shape (n_years, 13)
        One row per year; the columns 1 to 12 are months, `year` is the whole year. NaN where there is no bar, or where
        nothing was left to lose.

    Examples
    --------
    >>> import pandas as pd
    >>> stamps = pd.DatetimeIndex(["2020-11-30", "2020-12-31", "2021-01-29"])
    >>> monthly_returns(np.array([110.0, 121.0, 108.9]), stamps, 100.0)[[1, 11, 12, "year"]].round(4)
             1   11   12  year
    2020   NaN  0.1  0.1  0.21
    2021  -0.1  NaN  NaN -0.10
    """
    import pandas as pd

    year, month = np.asarray(index.year), np.asarray(index.month)
    years = np.arange(year[0], year[-1] + 1)
    table = np.full((len(years), 13), np.nan)
    for code, column in ((year * 12 + month, month - 1), (year, np.full(len(year), 12))):
        last = np.append(np.flatnonzero(np.diff(code)), len(code) - 1)
        before = np.concatenate(([cash], equity[last[:-1]]))
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.where(before > 0.0, equity[last] / before - 1.0, np.nan)
        table[year[last] - years[0], column[last]] = change
    return pd.DataFrame(table, index=years, columns=[*range(1, 13), "year"])
