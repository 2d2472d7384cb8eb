"""Target weights: from a frame of weights at chosen dates to the run of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.portfolio.ledger import Ledger, full_ledger
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.stamps import first_at_or_after, stamps_of
from algotrendy.domain.calendar import first_of_period
from algotrendy.domain.interval import Interval
from algotrendy.domain.types import Bool1D, Bool2D, Float2D, Int1D
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import Fills, empty_fills
from algotrendy.strategy.parameter import is_number, nearest

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.kernels.portfolio_weights import Targets

__all__ = ["decisions", "run_weights", "target_rows"]

SLACK = 1e-9
"""So much may weights exceed the leverage: the rounding of a division."""


def run_weights(
    account: Account,
    weights: Any,
    *,
    rebalance: str | int | None = None,
    tolerance: float = 0.0,
    members: Bool2D | None = None,
) -> Ledger:
    """Hold target weights; the options are those of `backtest`.

    Raises
    ------
    InputError
        If the weights are not a frame of numbers by time and symbol, exceed the leverage, or an option is not allowed.
    """
    from algotrendy.kernels.portfolio_weights import Targets, walk_weights

    if not is_number(tolerance) or not 0.0 <= tolerance < 1.0:
        raise InputError(f"tolerance is {tolerance!r}; use a fraction of the equity from 0 to 1, such as 0.02")
    values, row_at = target_rows(account, weights)
    row_at = decisions(account, row_at, rebalance)
    if members is not None:
        values, row_at = only_members(values, row_at, members)
    targets = Targets(values, row_at)
    if account.extras is not None:
        return _run_full(account, targets, float(tolerance))
    fills = empty_fills(_capacity(targets, account.n_instruments))
    curve = np.empty((3, account.n_bars))
    n_fills, ruined_at = walk_weights(account.venue(fills, account.market, tolerance=tolerance), targets, curve)
    done = Fills(fills.places[:n_fills].copy(), fills.money[:n_fills].copy())
    return Ledger(account, done, curve, None if ruined_at < 0 else int(ruined_at))


def _run_full(account: Account, targets: Targets, tolerance: float) -> Ledger:
    """Hold target weights in an account with extras."""
    from algotrendy.kernels.portfolio_weights_full import ROOM_PER_BAR, walk_weights_full

    def walk(fills: Fills, curve: Float2D, unfilled: Float2D) -> tuple[int, int]:
        venue = account.venue(fills, account.market, tolerance=tolerance)
        found: tuple[int, int] = walk_weights_full(venue, targets, account.kernel_extras, curve, unfilled)
        return found

    return full_ledger(account, walk, _capacity(targets, account.n_instruments) + ROOM_PER_BAR * account.n_instruments)


def _capacity(targets: Targets, n: int) -> int:
    """Return the fills that there can be: two for each weight that is decided, an end and ruin."""
    per_row = np.count_nonzero(~np.isnan(targets.weights), axis=1)
    return int(2 * per_row[targets.row_at[targets.row_at >= 0]].sum()) + 2 * n


def target_rows(account: Account, weights: Any) -> tuple[Float2D, Int1D]:
    """Return the weights as (row, instrument), and the row that is decided at each bar, or -1.

    Raises
    ------
    InputError
        If they are not a frame of numbers by time and symbol, or exceed the leverage.
    """
    frame = _as_frame(weights, account)
    values = _numbers(frame, account.panel.symbols)
    _check_sums(values, frame, account.options.max_leverage)
    at = first_at_or_after(account.panel.index, stamps_of(frame.index, account.panel.index, "weights"))
    row_at = np.full(account.n_bars, -1, dtype=np.int64)
    for row, bar in enumerate(at.tolist()):
        if bar == account.n_bars:
            break
        if row_at[bar] >= 0:  # the later row holds, but for what it leaves alone
            values[row] = np.where(np.isnan(values[row]), values[row_at[bar]], values[row])
        row_at[bar] = row
    if (row_at < 0).all():
        raise InputError(
            f"all {len(frame)} rows of weights lie after the last bar, {account.panel.index[-1]}; nothing would be done"
        )
    return values, row_at


def only_members(values: Float2D, row_at: Int1D, members: Bool2D) -> tuple[Float2D, Int1D]:
    """Return one row of weights for each decision, in which those that are no members at it have the weight 0."""
    bars = np.flatnonzero(row_at >= 0)
    rows = np.where(members[bars], values[row_at[bars]], 0.0)
    own = np.full(len(row_at), -1, dtype=np.int64)
    own[bars] = np.arange(len(bars))
    return rows, own


def _as_frame(weights: Any, account: Account) -> pd.DataFrame:
    """Return weights as a frame by time and symbol: a Series is one instrument's, a mapping is one row at the start."""
    import pandas as pd

    symbols = account.panel.symbols
    if isinstance(weights, pd.Series) and len(symbols) == 1:
        weights = weights.to_frame(symbols[0])
    if isinstance(weights, dict):
        weights = pd.DataFrame([weights], index=account.panel.index[:1])
    if not isinstance(weights, pd.DataFrame):
        raise InputError(
            f"weights is a {type(weights).__name__}; give a frame with one row per date and one column per symbol, or"
            " a mapping from symbol to weight, which is decided at the first bar"
        )
    if not len(weights):
        raise InputError("weights has no row; give at least one date")
    if len(symbols) == 1 and symbols[0] == "" and len(weights.columns) == 1:
        weights = weights.set_axis([""], axis=1)
    for name in weights.columns:
        if name not in symbols:
            raise InputError(f"weights has a column {name!r}, which has no bars{nearest(str(name), symbols)}")
    ordered: pd.DataFrame = weights.sort_index(kind="stable")
    return ordered


def _numbers(frame: pd.DataFrame, symbols: tuple[str, ...]) -> Float2D:
    values = np.full((len(frame), len(symbols)), np.nan)
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind not in "iuf":
            raise InputError(f"the weights of {name} hold {column.dtype} values; give numbers, NaN to leave alone")
        values[:, symbols.index(name)] = column.to_numpy(dtype=np.float64)
    if np.isinf(values).any():
        row, j = np.argwhere(np.isinf(values))[0]
        raise InputError(f"the weight of {symbols[j]} at {frame.index[row]} is infinite; use a fraction of the equity")
    return values


def _check_sums(values: Float2D, frame: pd.DataFrame, max_leverage: float) -> None:
    total = np.nansum(np.abs(values), axis=1)
    row = int(total.argmax())
    if total[row] > max_leverage * (1.0 + SLACK) + SLACK:
        hint = "; are they percentages? 5 % is 0.05" if np.nanmax(np.abs(values[row])) > 1.0 else ""
        raise InputError(
            f"the weights at {frame.index[row]} sum to {total[row]:g} in magnitude, above max_leverage={max_leverage:g}"
            f"{hint}; make them sum to at most that, or raise max_leverage"
        )


def decisions(account: Account, row_at: Int1D, rebalance: str | int | None) -> Int1D:
    """Return the row decided at each bar, with those of the schedule added.

    Raises
    ------
    InputError
        If the schedule is neither an interval of days, weeks or months, nor a number of bars.
    """
    if rebalance is None:
        return row_at
    bars = np.arange(account.n_bars)
    decided = row_at >= 0
    latest = np.maximum.accumulate(np.where(decided, bars, -1))
    if isinstance(rebalance, str):
        again = _first_of_period(account.panel.index, rebalance)
    elif isinstance(rebalance, int) and not isinstance(rebalance, bool) and rebalance >= 1:
        again = (bars - latest) % rebalance == 0
    else:
        raise InputError(f'rebalance is {rebalance!r}; use "1wk", "1mo", a number of bars, or None')
    in_force = np.where(latest >= 0, row_at[np.maximum(latest, 0)], -1)
    return np.where(decided | (again & (latest >= 0)), in_force, -1)


def _first_of_period(index: pd.DatetimeIndex, text: str) -> Bool1D:
    try:
        interval = Interval.parse(text)
    except InputError as error:
        raise InputError(f'rebalance is {text!r}; use "1d", "1wk", "1mo", a number of bars, or None') from error
    if interval.is_intraday:
        raise InputError(f"rebalance is {text!r}, shorter than a day; give a number of bars")
    return first_of_period(index, text)
