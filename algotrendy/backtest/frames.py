"""The tables of a result as DataFrames: orders, trades, drawdown periods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.curves import worst_drawdowns
from algotrendy.backtest.result import REASONS
from algotrendy.domain.types import AnyArray, Int1D

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.result import BacktestResult


def orders_frame(result: BacktestResult) -> pd.DataFrame:
    """Return one row per fill, oldest first; `units` are positive and `side` says which way."""
    import pandas as pd

    columns = result.order_columns
    return pd.DataFrame(
        {
            "decided_at": _stamps(result, columns["decided_at"]),
            "filled_at": _stamps(result, columns["filled_at"]),
            "side": _words(("SELL", "BUY"), columns["units"] > 0.0),
            "units": np.abs(columns["units"]),
            "price": columns["price"].copy(),
            "commission": columns["commission"].copy(),
            "slippage": columns["slippage"].copy(),
            "reason": _words(REASONS, columns["reason"]),
        }
    )


def trades_frame(result: BacktestResult) -> pd.DataFrame:
    """Return one row per closed round trip, oldest first; `reason` is that of the exit."""
    import pandas as pd

    columns = result.trade_columns
    return pd.DataFrame(
        {
            "entry_at": _stamps(result, columns["entry_at"]),
            "exit_at": _stamps(result, columns["exit_at"]),
            "side": _words(("short", "long"), columns["side"] > 0),
            "units": columns["units"].copy(),
            "entry_price": columns["entry_price"].copy(),
            "exit_price": columns["exit_price"].copy(),
            "pnl": columns["pnl"].copy(),
            "return": columns["return_"].copy(),
            "commission": columns["commission"].copy(),
            "borrow": columns["borrow"].copy(),
            "bars_held": np.asarray(columns["exit_at"] - columns["entry_at"], dtype=np.int64),
            "reason": _words(REASONS, columns["reason"]),
        }
    )


def drawdowns_frame(result: BacktestResult, count: int = 10) -> pd.DataFrame:
    """Return the deepest stretches below a peak, deepest first.

    `start` is the last bar at the peak (the first bar, if the initial cash was never exceeded), `end` the first bar
    back at it, `n_bars` the bars from one to the other, or to the end of the data.
    """
    import pandas as pd

    periods = worst_drawdowns(result.equity_values, result.cash, count)
    last = len(result.equity_values) - 1
    ends = np.array([-1 if period.end is None else period.end for period in periods], dtype=np.int64)
    return pd.DataFrame(
        {
            "start": _stamps(result, np.array([max(period.start, 0) for period in periods], dtype=np.int64)),
            "valley": _stamps(result, np.array([period.valley for period in periods], dtype=np.int64)),
            "end": _stamps(result, ends),
            "depth": np.array([period.depth for period in periods], dtype=np.float64),
            "n_bars": np.array(
                [(last if period.end is None else period.end) - period.start for period in periods], dtype=np.int64
            ),
        }
    )


def _stamps(result: BacktestResult, positions: Int1D) -> pd.DatetimeIndex:
    return stamps_taken(result.bars.index, positions)


def stamps_taken(index: Any, positions: Int1D) -> pd.DatetimeIndex:
    """Return the stamps of bar positions; NaT where the position is negative: the bar before the first."""
    import pandas as pd

    taken: pd.DatetimeIndex = pd.DatetimeIndex(index).take(positions, allow_fill=True, fill_value=pd.NaT)  # type: ignore[arg-type]
    return taken


def _words(words: tuple[str, ...], codes: AnyArray) -> AnyArray:
    return np.array(words, dtype=object)[codes.astype(np.int64)]
