"""What is resampled: the returns of a result per period, or its trades, as factors of wealth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.result import BacktestResult

SHUFFLE = "trade_shuffle"


@dataclass(frozen=True, eq=False)
class Source:
    """A series of factors by which wealth grew.

    Attributes
    ----------
    growth : array of shape (n,)
        1 + return of each step, oldest first; never negative.
    unit : {'period', 'trade'}
        What a step is.
    """

    growth: Float1D
    unit: str

    @property
    def terminal_wealth(self) -> float:
        """What came of 1 over the whole series."""
        return float(np.prod(self.growth))

    @property
    def max_drawdown(self) -> float:
        """Largest loss from the running peak over the whole series, as a positive fraction."""
        wealth = np.concatenate(([1.0], np.cumprod(self.growth)))
        return float(np.max(1.0 - wealth / np.maximum.accumulate(wealth)))


def source_of(given: Any, method: str, cash: float | None) -> Source:
    """Return the steps to resample.

    Parameters
    ----------
    given : BacktestResult, Series, array or DataFrame
        A result: its trades for the method "trade_shuffle", else its returns between valuation marks. A series: simple
        returns, per trade or per period. A frame of trades with a column `pnl`, in currency.
    method : str
        As in `monte_carlo`.
    cash : float, optional
        Initial cash of a frame of trades.

    Raises
    ------
    InputError
        If it is none of these, or a return is missing, not finite, or below -1.
    """
    from algotrendy.backtest.result import BacktestResult

    if isinstance(given, BacktestResult):
        if cash is not None:
            raise InputError("cash is given beside a result, which has its own; leave it out")
        return _trades_of(given) if method == SHUFFLE else _checked(given.returns.to_numpy(), "period")
    if hasattr(given, "columns"):
        return _from_trades(given, cash)
    if cash is not None:
        raise InputError("cash is given beside returns, which are fractions already; leave it out")
    return _checked(given, "trade" if method == SHUFFLE else "period")


def _trades_of(result: BacktestResult) -> Source:
    return _growth_of_trades(np.asarray(result.trade_columns["pnl"], dtype=np.float64), result.cash)


def _from_trades(frame: pd.DataFrame, cash: float | None) -> Source:
    if "pnl" not in frame.columns:
        found = ", ".join(map(str, frame.columns))
        raise InputError(
            f"the frame has no column 'pnl' (found: {found or 'none'}); give a result, the simple returns of one "
            "account as a Series, or trades with their profit in `pnl`, as in `result.trades`"
        )
    if cash is None:
        raise InputError("trades in currency say nothing without the account: give cash=100_000 or what it began with")
    if not cash > 0.0:
        raise InputError(f"cash is {cash!r}; use an amount above zero")
    return _growth_of_trades(frame["pnl"].to_numpy(dtype=np.float64), float(cash))


def _growth_of_trades(profits: Float1D, cash: float) -> Source:
    """Return what each trade made of the account, closed trades one after the other."""
    if not profits.size:
        raise InputError("there are no closed trades to resample; use method='bootstrap' on the returns")
    if not np.isfinite(profits).all():
        raise InputError(
            f"{np.count_nonzero(~np.isfinite(profits))} of {profits.size} trades have no profit; drop them"
        )
    before = cash + np.concatenate(([0.0], np.cumsum(profits)[:-1]))
    if (before <= 0.0).any():
        broke = int(np.argmax(before <= 0.0))
        raise InputError(
            f"nothing was left of the cash of {cash:,g} after {broke} trades; there is nothing to resample"
        )
    return Source(np.maximum(1.0 + profits / before, 0.0), "trade")


def _checked(given: Any, unit: str) -> Source:
    try:
        returns = np.ascontiguousarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the first argument is a {type(given).__name__}; give a result of a backtest, simple returns, or trades"
        ) from error
    if returns.ndim != 1 or returns.size < 2:
        raise InputError(f"the returns have the shape {returns.shape}; expected one series of at least 2")
    bad = ~np.isfinite(returns)
    if bad.any():
        raise InputError(
            f"{np.count_nonzero(bad)} of {returns.size:,} returns are missing or not finite, the first at place "
            f"{int(np.argmax(bad))}; drop them: returns.dropna()"
        )
    if returns.min() < -1.0:
        raise InputError(
            f"a return is {returns.min():g}, a loss of more than everything; expected simple returns as fractions "
            "(0.01 is 1 %), not prices, percentages or profits in currency"
        )
    return Source(1.0 + returns, unit)
