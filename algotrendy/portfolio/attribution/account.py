"""Attribution of an account: from what was held and traded to allocation, selection, currency, timing and cost.

The return of a period splits without a rest: what the holdings at its start would have earned untouched, in their own
currencies and through them; what trades within the period earned until its end (timing); and what trading cost. The
first part is set against the benchmark. Flows from outside come at the start of their period.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.portfolio.attribution.result import Attribution
from algotrendy.portfolio.attribution.segments import BrinsonMethod, BrinsonSides, brinson_effects
from algotrendy.portfolio.attribution.tables import as_table, check_weights, values_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AccountPeriods", "account_periods", "attribute_account"]

CASH = "cash"


@dataclass(frozen=True, slots=True, eq=False)
class AccountPeriods:
    """An account by period, as fractions of what it had at work at the period's start (value and flow).

    Attributes
    ----------
    weights : DataFrame of shape (n_periods, n_assets)
        At the start.
    local, currency : DataFrame
        What the holdings of the start earned at prices in their own currency, income with it, and through currencies.
    timing : DataFrame
        What trades earned from their price to the end of the period.
    cost : DataFrame
        What trades cost, below 0.
    returns : Series
        Of the whole account; the sum of the four.
    values : Series
        Value at the end of each period, in the base currency.
    """

    weights: pd.DataFrame
    local: pd.DataFrame
    currency: pd.DataFrame
    timing: pd.DataFrame
    cost: pd.DataFrame
    returns: pd.Series[float]
    values: pd.Series[float]


def account_periods(
    quantities: pd.DataFrame,
    prices: pd.DataFrame,
    trades: pd.DataFrame | None = None,
    *,
    cash: float = 0.0,
    flows: pd.Series[float] | None = None,
    rates: pd.DataFrame | None = None,
    income: pd.DataFrame | None = None,
) -> AccountPeriods:
    """Return an account by period: weights, and what holdings, currencies, timing and costs brought.

    Parameters
    ----------
    quantities : DataFrame of shape (n_periods + 1, n_assets)
        Units held at the end of each date, signed; the first row is the start. A column may be an asset, or a pair
        (strategy, asset).
    prices : DataFrame, of the same labels
        At the end of each date, in the asset's currency, times its multiplier; above 0.
    trades : DataFrame, optional
        Columns period (a label of the rows), asset (a label of the columns), quantity (signed) and price; and cost
        (base currency, >= 0) and rate (of the currency, by default that of the period's end) where known. They have
        to explain every change of quantity.
    cash : float
        At the start, in the base currency.
    flows : Series, optional
        What the owner brings or takes, by period, at its start.
    rates : DataFrame, optional
        Of each asset's currency to the base currency at the end of each date; 1 by default.
    income : DataFrame, optional
        Dividends and interest of each asset in each period, in the base currency; the first row does not count.

    Returns
    -------
    AccountPeriods
        Parts that add up to the account's return.

    Raises
    ------
    InputError
        If labels differ, prices are not above 0, trades do not explain the quantities, or a period begins with
        nothing or less.

    Examples
    --------
    >>> import pandas as pd
    >>> quantities = pd.DataFrame({"A": [10.0, 15.0]})
    >>> prices = pd.DataFrame({"A": [100.0, 110.0]})
    >>> trades = pd.DataFrame({"period": [1], "asset": ["A"], "quantity": [5.0], "price": [108.0], "cost": [1.0]})
    >>> found = account_periods(quantities, prices, trades, cash=1000.0)
    >>> found.returns.round(6).tolist(), found.timing["A"].round(6).tolist()
    ([0.0545], [0.005])
    """
    import pandas as pd

    like = as_table(quantities, "the quantities")
    if len(like) < 2:
        raise InputError(f"there are {len(like)} dates; an account needs a start and an end")
    q = values_of(quantities, like, "the quantities")
    p = values_of(prices, like, "the prices")
    x = np.ones_like(p) if rates is None else values_of(rates, like, "the rates")
    for what, numbers in (("price", p), ("rate", x)):
        if (numbers <= 0).any():
            row, column = np.argwhere(numbers <= 0)[0]
            raise InputError(f"the {what} of {like.columns[column]} at {like.index[row]} is {numbers[row, column]:g}, "
                             "expected above 0")  # fmt: skip
    earned = np.zeros_like(p) if income is None else values_of(income, like, "the income")
    traded = _trades(trades, like, p, x)
    _check_quantities(q, traded.units, like)
    moved = _flows(flows, like)
    values, base = _values(q * p * x, traded, moved, earned[1:], cash)
    wrong = np.flatnonzero(base <= 0)
    if wrong.size:
        raise InputError(f"the period {like.index[wrong[0] + 1]} begins with {base[wrong[0]]:g}; it has no return")
    parts = {
        "weights": q[:-1] * p[:-1] * x[:-1],
        "local": q[:-1] * (p[1:] - p[:-1]) * x[:-1] + earned[1:],
        "currency": q[:-1] * p[1:] * (x[1:] - x[:-1]),
        "timing": traded.units * p[1:] * x[1:] - traded.paid,
        "cost": -traded.cost,
    }
    ends = like.index[1:]
    frames = {name: pd.DataFrame(part / base[:, None], ends, like.columns) for name, part in parts.items()}
    return AccountPeriods(
        weights=frames["weights"],
        local=frames["local"],
        currency=frames["currency"],
        timing=frames["timing"],
        cost=frames["cost"],
        returns=pd.Series((values[1:] - base) / base, index=ends, name="return"),
        values=pd.Series(values[1:], index=ends, name="value"),
    )


def attribute_account(
    account: AccountPeriods,
    *,
    benchmark_weights: pd.DataFrame | None = None,
    benchmark_returns: pd.DataFrame | None = None,
    benchmark_currency_returns: pd.DataFrame | None = None,
    groups: Mapping[Any, Any] | Callable[[Any], Any] | None = None,
    method: BrinsonMethod = "brinson_fachler",
) -> Attribution:
    """Return effects that add up to an account's return, or to its excess over a benchmark.

    Parameters
    ----------
    account : AccountPeriods
        From `account_periods`.
    benchmark_weights, benchmark_returns : DataFrame of shape (n_periods, n_segments), optional
        Of the benchmark, at the start of each period and in the base currency; the weights sum to 1. Where a
        weight is 0 a return may be missing: the asset's own is taken, so nothing is called selection.
    benchmark_currency_returns : DataFrame, optional
        Of the segments' currencies in the base currency; 0 by default.
    groups : mapping or callable, optional
        Asset to segment of the benchmark; by default each asset is a segment. Cash of the account is "cash".
    method : {"brinson_fachler", "bhb"}
        As in `brinson`.

    Returns
    -------
    Attribution
        Without a benchmark the effects "holdings", "currency", "timing" and "cost" by asset; with one "allocation",
        "selection", "interaction", "currency", "timing" and "cost" by segment.

    Raises
    ------
    InputError
        If periods differ, or the benchmark's weights do not sum to 1.

    Examples
    --------
    >>> import pandas as pd
    >>> quantities, prices = pd.DataFrame({"A": [10.0, 15.0]}), pd.DataFrame({"A": [100.0, 110.0]})
    >>> trades = pd.DataFrame({"period": [1], "asset": ["A"], "quantity": [5.0], "price": [108.0], "cost": [1.0]})
    >>> found = attribute_account(account_periods(quantities, prices, trades, cash=1000.0))
    >>> found.total.round(6).to_dict()
    {'holdings': 0.05, 'currency': 0.0, 'timing': 0.005, 'cost': -0.0005}
    """
    if benchmark_weights is None or benchmark_returns is None:
        if benchmark_weights is not None or benchmark_returns is not None:
            raise InputError("a benchmark needs weights and returns; one of them is missing")
        alone = {
            "holdings": account.local,
            "currency": account.currency,
            "timing": account.timing,
            "cost": account.cost,
        }
        return _attribution(account, {name: part.to_numpy() for name, part in alone.items()}, account.weights.columns)
    like, belongs = _segments(account.weights, as_table(benchmark_weights, "the benchmark's weights"), groups)
    w = account.weights.to_numpy() @ belongs
    w[:, list(like.columns).index(CASH)] += 1.0 - w.sum(axis=1)
    v = _aligned(benchmark_weights, like, "the benchmark's weights", is_weight=True)
    check_weights(v, like, "the benchmark's weights")
    b = _aligned(benchmark_returns, like, "the benchmark's returns", held=v)
    d = np.zeros_like(v)
    if benchmark_currency_returns is not None:
        d = np.nan_to_num(_aligned(benchmark_currency_returns, like, "the benchmark's currency returns", held=v))
    parts = (account.local, account.currency, account.timing, account.cost)
    own = [part.to_numpy() @ belongs for part in parts]
    # What the benchmark does not hold and has no return for is measured by its own: it is no selection.
    itself = np.divide(own[0], w, out=np.zeros_like(w), where=w != 0.0)
    local = np.where(np.isnan(b), itself, (1.0 + b) / (1.0 + d) - 1.0)
    b = np.nan_to_num(b)
    sides = BrinsonSides(
        weights=w,
        contributions=own[0],
        benchmark_weights=v,
        benchmark_returns=local,
        currency=own[1],
        benchmark_currency=v * (b - local),
    )
    effects = {**brinson_effects(sides, method), "timing": own[2], "cost": own[3]}
    return _attribution(account, effects, like.columns, (v * b).sum(axis=1))


def _attribution(
    account: AccountPeriods, effects: dict[str, Float2D], segments: Any, benchmark: Float1D | None = None
) -> Attribution:
    return Attribution(
        effects=np.stack(list(effects.values()), axis=2),
        names=tuple(effects),
        segments=tuple(segments),
        periods=account.returns.index,
        returns=np.asarray(account.returns, dtype=np.float64),
        benchmark_returns=np.zeros(len(account.returns)) if benchmark is None else benchmark,
    )


@dataclass(frozen=True, slots=True)
class _Traded:
    """Units, money paid for them and costs by period and asset, without the first date."""

    units: Float2D
    paid: Float2D
    cost: Float2D


def _trades(trades: pd.DataFrame | None, like: pd.DataFrame, prices: Float2D, rates: Float2D) -> _Traded:
    shape = (len(like), like.shape[1])
    import pandas as pd

    units, paid, cost = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    if trades is not None and len(trades):
        missing = {"period", "asset", "quantity", "price"} - set(trades.columns)
        if missing:
            raise InputError(f"the trades lack the column {sorted(missing)[0]}")
        rows = like.index.get_indexer(pd.Index(trades["period"]))
        places = {asset: place for place, asset in enumerate(like.columns)}
        unknown = [asset for asset in trades["asset"] if asset not in places]
        if unknown:
            raise InputError(f"a trade is of {unknown[0]!r}, which is no column of the quantities")
        columns = np.array([places[asset] for asset in trades["asset"]])
        if (rows < 1).any():
            raise InputError(f"a trade of {trades['period'].iloc[int(np.argmax(rows < 1))]} lies in no period")
        quantity, price = (trades[name].to_numpy(dtype=np.float64) for name in ("quantity", "price"))
        rate = trades["rate"].to_numpy(dtype=np.float64) if "rate" in trades else rates[rows, columns]
        spent = trades["cost"].to_numpy(dtype=np.float64) if "cost" in trades else np.zeros(len(trades))
        if not np.isfinite([quantity, price, rate, spent]).all():
            raise InputError("a trade has a quantity, price, rate or cost that is not finite")
        for table, numbers in ((units, quantity), (paid, quantity * price * rate), (cost, spent)):
            np.add.at(table, (rows, columns), numbers)
    return _Traded(units[1:], paid[1:], cost[1:])


def _check_quantities(quantities: Float2D, traded: Float2D, like: pd.DataFrame) -> None:
    gap = np.diff(quantities, axis=0) - traded
    wrong = np.abs(gap) > 1e-9 * np.maximum(np.abs(quantities).max(axis=0), 1.0)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"the quantity of {like.columns[column]} changed by {np.diff(quantities, axis=0)[row, column]:g} in "
            f"{like.index[row + 1]}, its trades sum to {traded[row, column]:g}; enter splits as adjusted quantities "
            "and prices"
        )


def _flows(flows: pd.Series[float] | None, like: pd.DataFrame) -> Float1D:
    if flows is None:
        return np.zeros(len(like) - 1)
    odd = flows.index.difference(like.index[1:])
    if len(odd):
        raise InputError(f"the flow of {odd[0]} lies in no period")
    found = flows.groupby(level=0).sum().reindex(like.index[1:]).fillna(0.0)
    return np.asarray(found, dtype=np.float64)


def _values(held: Float2D, traded: _Traded, flows: Float1D, income: Float2D, cash: float) -> tuple[Float1D, Float1D]:
    """Return the account's value at each date, and what each period has at work at its start."""
    change = flows - traded.paid.sum(axis=1) - traded.cost.sum(axis=1) + income.sum(axis=1)
    values = held.sum(axis=1) + cash + np.concatenate(([0.0], np.cumsum(change)))
    return values, values[:-1] + flows


def _segments(
    weights: pd.DataFrame, benchmark: pd.DataFrame, groups: Mapping[Any, Any] | Callable[[Any], Any] | None
) -> tuple[pd.DataFrame, Float2D]:
    """Return an empty table by period and segment, and which asset (row) belongs to which segment (column)."""
    import pandas as pd

    def label(asset: Any) -> Any:
        if groups is None:
            return asset
        return groups.get(asset, asset) if isinstance(groups, Mapping) else groups(asset)

    named = [label(asset) for asset in weights.columns]
    columns = list(dict.fromkeys([*named, CASH, *benchmark.columns]))
    belongs = np.array([[name == column for column in columns] for name in named], dtype=np.float64)
    return pd.DataFrame(0.0, weights.index, pd.Index(columns, tupleize_cols=False)), belongs


def _aligned(
    table: Any, like: pd.DataFrame, what: str, *, held: Float2D | None = None, is_weight: bool = False
) -> Float2D:
    """Return a benchmark's table on the union of segments: weights that are missing are 0, returns NaN."""
    found = as_table(table, what)
    extra = found.columns.difference(like.columns)
    if len(extra):
        raise InputError(f"{what} have the segment {extra[0]}, the benchmark's weights have not")
    wide = found.reindex(columns=like.columns, fill_value=0.0 if is_weight else np.nan)
    return values_of(wide, like, what, blank=None if held is None else held == 0.0)
