"""The table of returns by calendar month and year that reports show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.reports.document import Cell, Column, Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MONTHS", "months_table"]

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def months_table(frame: pd.DataFrame) -> Table:
    """Return what `risk.months.monthly_returns` gives as a table of a report, in percent; strong months are coloured.

    Examples
    --------
    >>> import pandas as pd
    >>> from algotrendy.risk.months import monthly_returns
    >>> stamps = pd.DatetimeIndex(["2020-11-30", "2020-12-31"])
    >>> table = months_table(monthly_returns(np.array([1.1, 1.21]), stamps, 1.0))
    >>> [getattr(cell, "text", cell) for cell in table.rows[0]]
    ['2020', '', '', '', '', '', '', '', '', '', '', '10.0', '10.0', '21.0']
    """
    months, years = frame[list(range(1, 13))].to_numpy(), frame["year"].to_numpy()
    strongest, strongest_year = _scale(months, 0.95), _scale(years, 1.0)

    def cell(value: float, scale: float) -> Cell | str:
        if np.isnan(value):
            return ""
        return Cell.of(float(value), "points", heat=float(np.clip(value / scale, -1.0, 1.0)))

    rows = [
        [str(year), *(cell(value, strongest) for value in months[place]), cell(years[place], strongest_year)]
        for place, year in enumerate(frame.index)
    ]
    year = Column("Year", "right", formula="{PRODUCT(1+[Jan]:[Dec])-1}")
    columns = [Column("Year"), *(Column(name, "right") for name in MONTHS), year]
    return Table(columns, rows, "Return per month and year, in percent")


def _scale(values: Float1D, quantile: float) -> float:
    """Return the return that has the full colour."""
    known = np.abs(values[np.isfinite(values)])
    return (float(np.quantile(known, quantile)) if known.size else 0.0) or 1.0
