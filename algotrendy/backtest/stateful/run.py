"""`backtest` for stateful strategies: one instrument, or several in one account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.portfolio.market import account_of, account_of_one, as_panel
from algotrendy.backtest.portfolio.run import result_of
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.setting import Setting
from algotrendy.backtest.stateful.loop import StatefulRun, run_bars
from algotrendy.domain.bars import COLUMNS
from algotrendy.domain.types import AnyArray
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import EQUITY, MARKET

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.portfolio.ledger import Ledger
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.strategy import BarStrategy

__all__ = [
    "backtest_account",
    "backtest_stateful",
    "further_columns",
    "one_result",
    "order_warnings",
    "stateful_metrics",
]


def backtest_stateful(strategy: BarStrategy, setting: Setting) -> BacktestResult:
    """Run a stateful strategy on one instrument, on a setting that is already prepared.

    Raises
    ------
    InputError
        If the setting has a chart, or the strategy orders what is not allowed.
    """
    done = _run(strategy, setting)
    warnings = (*setting.warnings, *_stale_fills(setting, done), *order_warnings(done))
    return one_result(done.ledger, setting, strategy, requests=done.requests, warnings=warnings)


def stateful_metrics(strategy: BarStrategy, setting: Setting) -> Mapping[str, float]:
    """Return the metrics of a run on one instrument, and nothing else.

    Raises
    ------
    InputError
        As `backtest_stateful`.
    """
    return _run(strategy, setting).ledger.metrics()[0]


def _run(strategy: BarStrategy, setting: Setting) -> StatefulRun:
    if setting.chart is not None:
        raise InputError(
            "chart= is for conditions that are read on rows; a stateful strategy is asked at every bar: leave it out"
        )
    return run_bars(strategy, account_of_one(setting), columns=further_columns(setting.bars))


def backtest_account(strategy: BarStrategy, bars: Any, **options: Any) -> PortfolioResult:
    """Run a stateful strategy on several instruments with one account; see `algotrendy.backtest`."""
    done = run_bars(strategy, account_of(as_panel(bars), **options))
    return result_of(
        done.ledger, strategy.to_dict(), params=strategy.numbers, warnings=order_warnings(done), requests=done.requests
    )


def one_result(
    ledger: Ledger,
    setting: Setting,
    strategy: BarStrategy,
    *,
    requests: pd.DataFrame | None,
    warnings: tuple[str, ...],
    **changes: Any,
) -> BacktestResult:
    """Return the ledger of one instrument as the result of a backtest; `changes` replace what it is made of."""
    import pandas as pd

    index: Any = setting.bars.index
    metrics, moments = ledger.metrics()
    start, valley, end = (pd.NaT if at is None else index[max(at, 0)] for at in moments)
    fields: dict[str, Any] = {
        "bars": setting.bars,
        "equity_values": ledger.curve[EQUITY],
        "order_columns": _without_instrument(ledger.order_columns),
        "trade_columns": _without_instrument(ledger.trade_columns),
        "metrics": {
            **metrics,
            "max_drawdown_start": start,
            "max_drawdown_valley": valley,
            "max_drawdown_end": end,
            "start": index[0],
            "end": index[-1],
            "n_bars": len(index),
            "periods_per_year": setting.options.periods_per_year,
        },
        "strategy": strategy.to_dict(),
        "params": strategy.numbers,
        "assumptions": setting.assumptions,
        "ruined_at": None if ledger.ruined_at is None else index[ledger.ruined_at],
        "warnings": warnings,
        "marks": setting.options.marks,
        "requests": requests,
    }
    return BacktestResult(**fields | changes)


def further_columns(bars: pd.DataFrame) -> dict[str, AnyArray]:
    """Return the columns of bars that are numbers or truths and none of the usual ones."""
    return {
        str(name): bars[name].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in bars.columns
        if name not in COLUMNS and bars[name].dtype.kind in "fiub"
    }


def _without_instrument(columns: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    return {name: values for name, values in columns.items() if name != "instrument"}


def _stale_fills(setting: Setting, done: StatefulRun) -> list[str]:
    """Return a warning if market orders were filled at opens that nobody could trade."""
    from algotrendy.backtest.run import stale_fills

    if setting.options.fill != "next_open" or setting.options.marks is not None:
        return []
    columns = done.ledger.order_columns
    return stale_fills(setting, columns["filled_at"][columns["reason"] == MARKET])


def order_warnings(done: StatefulRun) -> tuple[str, ...]:
    """Return what a reader has to know of the orders."""
    requests = done.requests
    if not len(requests):
        return ("nothing was traded: the strategy placed no order",)
    refused = int((requests["status"] == "refused").sum())
    if not refused:
        return ()
    return (
        f"{refused:,} of {len(requests):,} orders were refused: there was no room for them in the account; see"
        " result.requests, and use size= (a share of the equity, scaled down to the room) instead of units",
    )
