"""An account day by day: quantities, cash and flows from its record, valued at closes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.cash import CashKind
from algotrendy.errors import DataError, InputError
from algotrendy.portfolio.attribution import account_periods, attribute_account
from algotrendy.portfolio.attribution.result import Attribution
from algotrendy.portfolio.performance import performance_rows

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.domain.cash import CashEntry
    from algotrendy.storage.booking import Trade

__all__ = ["AccountDays", "metric_rows"]

UNASSIGNED = "unassigned"
OTHER = "fees and interest"


@dataclass(frozen=True, eq=False)
class AccountDays:
    """What an account held at the end of each day.

    Attributes
    ----------
    closes : DataFrame of shape (n_days, n_symbols)
        In the portfolio's currency, times the multiplier.
    quantities : DataFrame
        Of the same days; columns are pairs (strategy, symbol).
    trades : DataFrame
        Columns period, asset, quantity, price, cost, as `account_periods` reads them.
    cash, flows : Series
        At the end of each day; what the owner brought or took on it.
    income : DataFrame
        Dividends by pair, all other cash under ("unassigned", "fees and interest").
    """

    closes: pd.DataFrame
    quantities: pd.DataFrame
    trades: pd.DataFrame
    cash: pd.Series[float]
    flows: pd.Series[float]
    income: pd.DataFrame

    @classmethod
    def of(cls, trades: Sequence[Trade], cash: Sequence[CashEntry], closes: pd.DataFrame, currency: str) -> AccountDays:
        """Return the days of an account from its record.

        What happened on a day without a close counts on the next one; what came after the last close is not in yet.

        Raises
        ------
        InputError
            If something is in another currency: closes alone do not say what it was worth.
        DataError
            If there is no close on a day on which something was held, or none at all.
        """
        import pandas as pd

        others = sorted({one.currency for one in cash} | {one.fill.currency for one in trades})
        if set(others) - {currency}:
            raise InputError(
                f"the account has {', '.join(others)}; days are valued in its currency {currency} alone, so keep a"
                " portfolio for each currency"
            )
        first = min([one.at for one in cash] + [one.fill.filled_at for one in trades], default=None)
        if first is None:
            raise DataError("nothing has happened in the portfolio yet; record a deposit")
        days = closes.index[closes.index >= pd.Timestamp(first).normalize()]
        if not len(days):
            raise DataError(f"there is no close since {first:%Y-%m-%d}, when the portfolio began; ask again tomorrow")
        named_pairs = {(one.strategy or UNASSIGNED, one.fill.instrument) for one in trades}
        pairs = [*sorted(named_pairs), (UNASSIGNED, OTHER)]
        columns = pd.MultiIndex.from_tuples(pairs, names=["strategy", "asset"])
        changes = pd.DataFrame(0.0, days, columns)
        income = pd.DataFrame(0.0, days, columns)
        rows = []
        for one in trades:
            day, pair = _day(days, one.fill.filled_at), (one.strategy or UNASSIGNED, one.fill.instrument)
            if day is None:
                continue
            units, factor = float(one.fill.signed_quantity), float(one.fill.multiplier)
            changes.loc[day, pair] += units
            rows.append((day, pair, units, float(one.fill.price) * factor, float(one.fill.commission)))
        owner: dict[str, tuple[str, str]] = {pair[1]: pair for pair in pairs}
        flows, moved = pd.Series(0.0, days), pd.Series(0.0, days)
        for entry in cash:
            day = _day(days, entry.at)
            if day is None:
                continue
            moved[day] += float(entry.amount)
            if entry.kind.is_external:
                flows[day] += float(entry.amount)
            elif entry.kind not in (CashKind.TRADE, CashKind.COMMISSION):
                income.loc[day, owner.get(entry.reference, (UNASSIGNED, OTHER))] += float(entry.amount)
        multipliers = {one.fill.instrument: float(one.fill.multiplier) for one in trades}
        prices = pd.DataFrame(
            {name: closes[name].reindex(days) * multipliers[name] for name in multipliers}, index=days
        )
        quantities = changes.cumsum()
        _check_prices(prices, quantities)
        named = pd.DataFrame(rows, columns=pd.Index(["period", "asset", "quantity", "price", "cost"]))
        return cls(prices, quantities, named, moved.cumsum(), flows, income)

    @property
    def values(self) -> pd.Series[float]:
        """What the account was worth at the end of each day."""
        held = self.quantities * self._pair_prices()
        return (held.sum(axis=1) + self.cash).rename("value")

    def attribution(self, start: Any = None) -> Attribution:
        """Return the effects "holdings", "currency", "timing" and "cost" by pair (strategy, asset) from a day on.

        Raises
        ------
        InputError
            If there are fewer than two days.
        """

        quantities = self.quantities if start is None else self.quantities[self.quantities.index >= start]
        if len(quantities) < 2:
            raise InputError(f"there are {len(quantities)} days in the span; attribution needs a start and an end")
        days = quantities.index
        # one label for each pair: `account_periods` looks labels up, and a pair would be taken for two levels
        names = ["\x1f".join(pair) for pair in quantities.columns.to_list()]

        def flat(table: pd.DataFrame) -> pd.DataFrame:
            return table.loc[days].set_axis(names, axis=1)

        trades = self.trades[self.trades["period"] > days[0]].copy()
        trades["asset"] = ["\x1f".join(pair) for pair in trades["asset"]]
        account = account_periods(
            flat(quantities), flat(self._pair_prices()), trades if len(trades) else None,
            cash=float(self.cash[days[0]]), flows=self.flows[days[1:]], income=flat(self.income),
        )  # fmt: skip
        return attribute_account(account)

    def _pair_prices(self) -> pd.DataFrame:
        """Return the price of each pair; 1 where none is known and nothing is held."""
        import pandas as pd

        prices = {
            pair: self.closes[pair[1]].fillna(1.0) if pair[1] in self.closes else pd.Series(1.0, self.closes.index)
            for pair in self.quantities.columns
        }
        return pd.DataFrame(prices, index=self.closes.index).set_axis(self.quantities.columns, axis=1)


def metric_rows(days: AccountDays, *, periods_per_year: float = 252.0) -> pd.DataFrame:
    """Return the rows of `performance_metrics`: value, flow, returns, drawdown, and Sharpe and volatility so far.

    Flows count at the start of their day. Sharpe ratio and volatility are per year, from the second return on.
    """
    import pandas as pd

    values = days.values
    if len(values) < 2:
        rows = pd.DataFrame({"value": values, "flow": days.flows, "return": np.nan}, index=values.index)
        rows["cumulative_return"], rows["drawdown"] = 0.0, 0.0
    else:
        rows = performance_rows(values, days.flows, flow_timing="start")
    returns = rows["return"]
    mean, deviation = returns.expanding().mean(), returns.expanding(min_periods=2).std(ddof=1)
    year = float(np.sqrt(periods_per_year))
    return pd.DataFrame(
        {
            "total_value": rows["value"],
            "flow": rows["flow"],
            "daily_return": returns,
            "cumulative_return": rows["cumulative_return"],
            "drawdown": rows["drawdown"],
            "max_drawdown": rows["drawdown"].cummax(),
            "sharpe_ratio": (mean / deviation.where(deviation > 0) * year).where(deviation > 0),
            "volatility": deviation * year,
        }
    )


def _day(days: pd.Index[Any], at: Any) -> Any:
    """Return the first day with a close that is not before a moment's own day; None: there is none yet."""
    import pandas as pd

    place = int(days.searchsorted(pd.Timestamp(at).tz_convert("UTC").normalize()))
    return days[place] if place < len(days) else None


def _check_prices(prices: pd.DataFrame, quantities: pd.DataFrame) -> None:
    for name in quantities.columns.get_level_values("asset").unique():
        if name not in prices:
            continue
        of_name = quantities.columns.get_level_values("asset") == name
        is_held = (quantities.to_numpy()[:, of_name] != 0.0).any(axis=1)
        missing = prices.index[is_held & prices[name].isna().to_numpy()]
        if len(missing):
            raise DataError(f"{name} was held on {missing[0]:%Y-%m-%d}, and there is no close of that day or before")
