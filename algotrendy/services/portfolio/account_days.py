"""An account day by day: quantities, cash and flows from its record, valued at closes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.cash import CashKind
from algotrendy.domain.money import Rates
from algotrendy.domain.position import Position
from algotrendy.errors import DataError, InputError
from algotrendy.portfolio.attribution import account_periods, attribute_account
from algotrendy.portfolio.attribution.result import Attribution
from algotrendy.portfolio.performance import performance_rows
from algotrendy.services.portfolio.prices import by_day, daily
from algotrendy.storage.booking import Trade, in_order

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.domain.cash import CashEntry
    from algotrendy.domain.corporate_action import CorporateAction
    from algotrendy.domain.fill import Fill

__all__ = ["AccountDays", "metric_rows"]

UNASSIGNED = "unassigned"
OTHER = "fees and interest"


@dataclass(frozen=True, eq=False)
class AccountDays:
    """What an account held at the end of each day.

    Attributes
    ----------
    closes : DataFrame of shape (n_days, n_symbols)
        Of today's unit, each in its own currency, times the multiplier. Today's unit is that after all splits, so
        that a split changes neither a price nor a quantity.
    quantities : DataFrame
        Of the same days, in today's units; columns are pairs (strategy, symbol). What there is of a foreign currency
        is held as ("unassigned", "cash EUR").
    trades : DataFrame
        Columns period, asset, quantity, price, cost, as `account_periods` reads them; costs in the base currency.
    cash, flows : Series
        At the end of each day, of the base currency; what the owner brought or took on it, in the base currency.
    income : DataFrame
        Dividends by pair, all other cash under ("unassigned", "fees and interest"), in the base currency.
    rates : DataFrame
        What the currency of each pair is worth in the base currency at the end of each day.
    """

    closes: pd.DataFrame
    quantities: pd.DataFrame
    trades: pd.DataFrame
    cash: pd.Series[float]
    flows: pd.Series[float]
    income: pd.DataFrame
    rates: pd.DataFrame

    @classmethod
    def of(
        cls,
        trades: Sequence[Trade],
        cash: Sequence[CashEntry],
        closes: pd.DataFrame,
        currency: str,
        *,
        actions: Sequence[CorporateAction] = (),
        rates: Rates | pd.DataFrame | None = None,
    ) -> AccountDays:
        """Return the days of an account from its record.

        What happened on a day without a close counts on the next one; what came after the last close is not in yet.

        Parameters
        ----------
        trades, cash, actions
            What happened, each in the order of time.
        closes : DataFrame
            As they were traded, by day, each in its own currency.
        currency : str
            The base currency.
        rates : Rates or DataFrame, optional
            Of other currencies: one for all days, or a row for each day and a column for each currency. A day without
            a row has the rate before.

        Raises
        ------
        InputError
            If something is in another currency and there is no rate.
        DataError
            If there is no close or rate of a day on which something was held, or none at all.
        """
        import pandas as pd

        first = min([one.at for one in cash] + [one.fill.filled_at for one in trades], default=None)
        if first is None:
            raise DataError("nothing has happened in the portfolio yet; record a deposit")
        days = pd.DatetimeIndex(closes.index[closes.index >= pd.Timestamp(first).normalize()])
        if not len(days):
            raise DataError(f"there is no close since {first:%Y-%m-%d}, when the portfolio began; ask again tomorrow")
        currencies = {one.fill.instrument: one.fill.currency for one in trades}
        others = sorted(({one.currency for one in cash} | set(currencies.values())) - {currency})
        by_currency = daily_rates(rates, others, currency, days)
        pairs = [*sorted({(one.strategy or UNASSIGNED, one.fill.instrument) for one in trades}), (UNASSIGNED, OTHER)]
        pairs += [_cash_pair(name) for name in others]
        entered = _Entered.of(executions(trades, actions), cash, by_currency, currency, pairs)
        multipliers = {one.fill.instrument: float(one.fill.multiplier) for one in trades}
        units = {name: _units_later(actions, name, days) for name in multipliers}
        prices = pd.DataFrame(
            {name: closes[name].reindex(days) * (multipliers[name] / units[name]) for name in multipliers}, index=days
        )
        quantities = entered.changes.cumsum()
        _check_prices(prices, quantities)
        of_pair = {pair: currencies.get(pair[1], currency) for pair in pairs}
        of_pair |= {_cash_pair(name): name for name in others}
        by_pair = pd.DataFrame({pair: by_currency[of_pair[pair]] for pair in pairs}, index=days)
        return cls(
            closes=prices, quantities=quantities, trades=entered.trades, cash=entered.moved.cumsum(),
            flows=entered.flows, income=entered.income, rates=by_pair.set_axis(quantities.columns, axis=1),
        )  # fmt: skip

    @property
    def values(self) -> pd.Series[float]:
        """What the account was worth at the end of each day."""
        held = self.quantities * self._pair_prices() * self.rates
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
            rates=flat(self.rates),
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


@dataclass(frozen=True, eq=False)
class _Entered:
    """What was entered by day: changes of quantities by pair, trades, base cash, flows of the owner, income by pair."""

    changes: pd.DataFrame
    trades: pd.DataFrame
    moved: pd.Series[float]
    flows: pd.Series[float]
    income: pd.DataFrame

    @classmethod
    def of(
        cls,
        done: Sequence[Execution],
        cash: Sequence[CashEntry],
        rates: pd.DataFrame,
        currency: str,
        pairs: Sequence[tuple[str, str]],
    ) -> _Entered:
        """Return what executions and cash come to; foreign cash is bought and sold at the rate of its day."""
        import pandas as pd

        worth: Any = rates
        days, columns = rates.index, pd.MultiIndex.from_tuples(pairs, names=["strategy", "asset"])
        changes, income = pd.DataFrame(0.0, days, columns), pd.DataFrame(0.0, days, columns)
        flows, moved = pd.Series(0.0, days), pd.Series(0.0, days)
        rows = []
        for one in done:
            day = _day(days, one.at)
            if day is not None:
                changes.loc[day, one.pair] += one.units
                rows.append((day, one.pair, one.units, one.price, one.commission * worth.at[day, one.currency]))
        owner: dict[str, tuple[str, str]] = {pair[1]: pair for pair in pairs}
        for entry in cash:
            day = _day(days, entry.at)
            if day is None:
                continue
            amount = float(entry.amount)
            if entry.currency == currency:
                moved[day] += amount
            else:
                changes.loc[day, _cash_pair(entry.currency)] += amount
                rows.append((day, _cash_pair(entry.currency), amount, 1.0, 0.0))
            in_base = amount * worth.at[day, entry.currency]
            if entry.kind.is_external:
                flows[day] += in_base
            elif entry.kind not in (CashKind.TRADE, CashKind.COMMISSION):
                income.loc[day, owner.get(entry.reference, (UNASSIGNED, OTHER))] += in_base
        named = pd.DataFrame(rows, columns=pd.Index(["period", "asset", "quantity", "price", "cost"]))
        return cls(changes, named, moved, flows, income)


@dataclass(frozen=True, kw_only=True)
class Execution:
    """A trade in today's units, those after all splits.

    Attributes
    ----------
    at : datetime
    pair : (str, str)
        Strategy and symbol.
    units : float
        Signed.
    price : float
        Of today's unit, times the multiplier.
    commission : float
        In `currency`.
    currency : str
    """

    at: datetime
    pair: tuple[str, str]
    units: float
    price: float
    commission: float
    currency: str


def executions(trades: Sequence[Trade], actions: Sequence[CorporateAction]) -> list[Execution]:
    """Return trades in today's units, and what splits sold of fractions: of each strategy by its share."""
    later = {action.instrument: Fraction(1) for action in actions}
    for action in actions:
        later[action.instrument] *= Fraction(action.new, action.old)
    held: dict[str, Position] = {}
    shares: dict[str, dict[tuple[str, str], float]] = {}
    found: list[Execution] = []

    def enter(fill: Fill, pair: tuple[str, str], part: float) -> None:
        unit = float(later.get(fill.instrument, 1))
        units, price = float(fill.signed_quantity) * part * unit, float(fill.price) * float(fill.multiplier) / unit
        cost = float(fill.commission) * part
        found.append(
            Execution(at=fill.filled_at, pair=pair, units=units, price=price, commission=cost, currency=fill.currency)
        )
        of_pairs = shares.setdefault(fill.instrument, {})
        of_pairs[pair] = of_pairs.get(pair, 0.0) + units

    for one in in_order(trades, actions):
        if isinstance(one, Trade):
            fill = one.fill
            before = held.get(fill.instrument) or Position(
                instrument=fill.instrument, currency=fill.currency, multiplier=fill.multiplier
            )
            held[fill.instrument] = before.with_fill(fill)
            enter(fill, (one.strategy or UNASSIGNED, fill.instrument), 1.0)
            continue
        later[one.instrument] /= Fraction(one.new, one.old)
        if one.instrument not in held:
            continue
        position = held[one.instrument]
        sold = one.fraction_sold(position.with_split(one.new, one.old)) if one.is_split else None
        held[one.instrument] = position.with_action(one)
        if sold is not None:
            whole = dict(shares[one.instrument])
            for pair, units in whole.items():
                enter(sold, pair, units / sum(whole.values()))
    return found


def daily_rates(
    rates: Rates | pd.DataFrame | None, others: Sequence[str], base: str, days: pd.DatetimeIndex
) -> pd.DataFrame:
    """Return what a unit of each currency is worth in the base currency at the end of each day; the base itself is 1.

    Raises
    ------
    InputError
        If a rate is missing, is not above 0, or the rates are to another currency.
    DataError
        If there is none of a day or before it.
    """
    import pandas as pd

    found = pd.DataFrame({base: 1.0}, index=days)
    if not others:
        return found
    if rates is None:
        raise InputError(
            f"the account has {', '.join([*others, base])}, so its days need rates; pass rates= with a row for each day"
            f" and a column for each of {', '.join(others)}: what a unit is worth in {base}"
        )
    if isinstance(rates, Rates):
        if rates.base != base:
            raise InputError(f"the rates are to {rates.base}, the portfolio is in {base}")
        return found.assign(**{name: float(rates.of(name)) for name in others})
    missing = [name for name in others if name not in rates]
    if missing:
        raise InputError(f"there is no rate from {', '.join(missing)} to {base}; known: {', '.join(map(str, rates))}")
    known = by_day(daily(rates[list(others)]), None).astype(float).reindex(days, method="ffill")
    empty = known.isna().any(axis=1)
    if empty.any():
        raise DataError(f"there is no rate of {days[empty.to_numpy()][0]:%Y-%m-%d} or before; give earlier ones")
    if (known <= 0).any(axis=None):
        raise InputError("a rate is 0 or below; expected what a unit of the currency is worth, above 0")
    return found.join(known)


def _units_later(actions: Sequence[CorporateAction], symbol: str, days: pd.DatetimeIndex) -> Any:
    """Return how many of today's units one unit of each day is: the product of the splits after it."""
    import pandas as pd

    units = np.ones(len(days))
    for one in actions:
        if one.instrument == symbol and one.is_split:
            day = pd.Timestamp(one.effective_at).tz_convert("UTC").normalize()
            units[days < day] *= one.new / one.old
    return units


def _cash_pair(currency: str) -> tuple[str, str]:
    return (UNASSIGNED, f"cash {currency}")


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
