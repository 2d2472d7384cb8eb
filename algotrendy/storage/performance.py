"""The performance of portfolios by day."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from algotrendy.storage.records import insert_new

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.storage.database import Transactions

__all__ = ["PerformanceStore"]

_NUMBERS = ("daily_return", "cumulative_return", "drawdown", "max_drawdown", "sharpe_ratio", "volatility")
_MONEY = ("total_value", "flow")


class PerformanceStore:
    """Rows of `performance_metrics` in SQLite or PostgreSQL: one a day and portfolio, the same again is the same row.

    Parameters
    ----------
    transactions : Database or UnitOfWork
        Where the rows are.
    """

    def __init__(self, transactions: Transactions) -> None:
        from algotrendy.storage.tables import performance_metrics

        self._transactions, self._table = transactions, performance_metrics

    def replace(self, portfolio_id: str, rows: pd.DataFrame) -> int:
        """Keep the rows of a portfolio; those of other days that were kept before go.

        Parameters
        ----------
        portfolio_id : str
            Whose they are.
        rows : DataFrame
            By day, at midnight UTC; columns total_value, flow (in currency, kept with ten decimals), daily_return,
            cumulative_return, drawdown, max_drawdown, sharpe_ratio and volatility (fractions; NaN is unknown).

        Returns
        -------
        int
            How many rows there are.
        """
        t = self._table
        values = [_values(portfolio_id, at, row) for at, row in zip(rows.index, rows.to_dict("records"), strict=True)]
        with self._transactions.transaction() as connection:
            connection.execute(t.delete().where(t.c.portfolio_id == portfolio_id))
            if values:
                connection.execute(insert_new(connection, t), values)
        return len(values)

    def rows(self, portfolio_id: str, start: datetime | None = None, end: datetime | None = None) -> pd.DataFrame:
        """Return the rows of a span of days, oldest first, indexed by `time` in UTC.

        Parameters
        ----------
        portfolio_id : str
            Whose they are.
        start, end : datetime, optional
            First and last; both count.

        Returns
        -------
        DataFrame
            The columns of `replace`; money as floats, what is unknown as NaN.
        """
        import pandas as pd

        t = self._table
        query = t.select().where(t.c.portfolio_id == portfolio_id).order_by(t.c.time)
        if start is not None:
            query = query.where(t.c.time >= start)
        if end is not None:
            query = query.where(t.c.time <= end)
        with self._transactions.transaction(writes=False) as connection:
            found = connection.execute(query).all()
        names = [*_MONEY, *_NUMBERS]
        content = [[_float(getattr(row, name)) for name in names] for row in found]
        index = pd.DatetimeIndex([row.time for row in found], name="time", tz="UTC")
        return pd.DataFrame(content, index=index, columns=pd.Index(names), dtype="float64")


def _values(portfolio_id: str, at: Any, row: Mapping[Any, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {"portfolio_id": portfolio_id, "time": at.to_pydatetime()}
    for name in _MONEY:
        values[name] = round(Decimal(repr(float(row[name]))), 10)
    for name in _NUMBERS:
        number = float(row[name])
        values[name] = number if math.isfinite(number) else None
    return values


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)
