"""`backtest` for several instruments, for target weights and for explicit orders: one account, three routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.arguments import Runnable
from algotrendy.backtest.portfolio.cross_sections import instruments_of, with_peers
from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import Account, account_of, as_panel
from algotrendy.backtest.portfolio.members import members_of, survivorship_warning
from algotrendy.backtest.portfolio.orders import run_orders
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.portfolio.signals import decided_by, places_of, rank_of, run_signals, wishes_of
from algotrendy.backtest.portfolio.weights import run_weights
from algotrendy.backtest.run import check_size, described
from algotrendy.kernels.portfolio_types import CASH, EQUITY, GROSS, MARGIN
from algotrendy.strategy import Signals, Strategy
from algotrendy.strategy.parameter import is_number

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "backtest_orders",
    "backtest_signals",
    "backtest_weights",
    "metrics_of",
    "rank_text",
    "result_of",
    "survivors_of",
]


def backtest_weights(
    bars: Any,
    weights: Any,
    *,
    rebalance: str | int | None = None,
    tolerance: float = 0.0,
    members: Any = None,
    **options: Any,
) -> PortfolioResult:
    """Hold target weights; see `algotrendy.backtest`."""
    account = account_of(as_panel(bars), **options)
    inside = members_of(account, members)
    ledger = run_weights(account, weights, rebalance=rebalance, tolerance=tolerance, members=inside)
    told = {"rebalance": "at the given dates" if rebalance is None else rebalance, "tolerance": tolerance}
    found = () if len(ledger.fills.places) else ("nothing was traded: all weights are zero or lie after the last fill",)
    return result_of(ledger, {"kind": "weights"}, told=told, warnings=(*survivors_of(account, members), *found))


def backtest_orders(bars: Any, orders: Any, **options: Any) -> PortfolioResult:
    """Work explicit orders; see `algotrendy.backtest`."""
    account = account_of(as_panel(bars), **options)
    ledger, requests = run_orders(account, orders)
    refused = int((requests["status"] == "refused").sum())
    found: tuple[str, ...] = ()
    if refused:
        found = (
            f"{refused:,} of {len(requests):,} orders were refused: there was no room for them in the account; see"
            " result.requests, and raise cash or max_leverage, or lower the quantities",
        )
    return result_of(ledger, {"kind": "orders"}, warnings=found, requests=requests)


def backtest_signals(
    strategy: Runnable,
    bars: Any,
    *,
    max_positions: int | None = None,
    rank: Any = None,
    members: Any = None,
    **options: Any,
) -> PortfolioResult:
    """Run one strategy on all instruments, with one account; see `algotrendy.backtest`."""
    account = account_of(as_panel(bars), **options)
    check_size(strategy, account.options.max_leverage)
    params = {} if isinstance(strategy, Signals) else dict(strategy.parameters)
    places = places_of(max_positions, account.n_instruments)
    inside = members_of(account, members)
    columns = strategy.columns if isinstance(strategy, Strategy) else ()
    account = with_peers(account, instruments_of(account, inside, columns))
    decided = decided_by(account, strategy, places)
    wishes = wishes_of(account, decided.words, rank_of(account, rank, params), inside)
    ledger = run_signals(account, decided, wishes, places)
    told = {"max_positions": places, "rank": rank_text(rank)}
    numbers = {name: value for name, value in params.items() if is_number(value)}
    found = survivors_of(account, members)
    if not len(ledger.fills.places):
        found = (*found, "nothing was traded: no entry was ever true, or there was no size for it")
    return result_of(ledger, described(strategy), params=numbers, told=told, warnings=found)


def survivors_of(account: Account, members: Any) -> tuple[str, ...]:
    """Return the warning of a universe without dates of membership, if there is a reason for it."""
    return survivorship_warning(account) if members is None else ()


def rank_text(rank: Any) -> str:
    """Return in words what entries were ranked by."""
    if rank is None:
        return "none: by the order of instruments"
    return rank if isinstance(rank, str) else "a frame"


def result_of(
    ledger: Ledger,
    strategy: dict[str, Any],
    *,
    params: Mapping[str, float] | None = None,
    told: Mapping[str, Any] | None = None,
    warnings: tuple[str, ...] = (),
    requests: pd.DataFrame | None = None,
) -> PortfolioResult:
    """Return the result of a run: its curves, what it did, its metrics and assumptions."""
    account = ledger.account
    index, ruined_at, extras = account.panel.index, ledger.ruined_at, account.extras
    return PortfolioResult(
        index=index,
        symbols=account.panel.symbols,
        last_prices=account.columns.mark.T,
        equity_values=ledger.curve[EQUITY],
        cash_values=ledger.curve[CASH],
        gross_values=ledger.curve[GROSS],
        order_columns=ledger.order_columns,
        trade_columns=ledger.trade_columns,
        multipliers=account.multipliers,
        borrow_values=ledger.borrow,
        metrics=metrics_of(ledger),
        strategy=strategy,
        params=params or {},
        assumptions={**account.assumptions, **(told or {})},
        ruined_at=None if ruined_at is None else index[ruined_at],
        warnings=(*account.warnings, *warnings, *_shortfalls(ledger)),
        marks=account.options.marks,
        requests=requests,
        dividend_columns=ledger.dividends if extras is not None and extras.has_actions else None,
        unfilled_columns=ledger.unfilled_columns if extras is not None and extras.is_capped else None,
    )


def _shortfalls(ledger: Ledger) -> tuple[str, ...]:
    """Say what the volume did not allow, and whether a margin was called."""
    found = []
    missed = ledger.unfilled_columns["units"]
    if missed.size:
        found.append(
            f"the volume did not allow all that was wanted at {missed.size:,} bars of instruments; the rest was carried"
            " on: see result.unfilled"
        )
    calls = int(np.count_nonzero(ledger.fills.places[:, 3] == MARGIN))
    if calls:
        found.append(f"the equity fell below the maintenance margin: {calls:,} fills are margin calls")
    return tuple(found)


def metrics_of(ledger: Ledger) -> dict[str, Any]:
    """Return the metrics of a run, with the moments that they name as stamps."""
    import pandas as pd

    metrics, moments = ledger.metrics()
    index = ledger.account.panel.index
    start, valley, end = (pd.NaT if at is None else index[max(at, 0)] for at in moments)
    return {
        **metrics,
        "max_drawdown_start": start,
        "max_drawdown_valley": valley,
        "max_drawdown_end": end,
        "start": index[0],
        "end": index[-1],
        "n_bars": len(index),
        "periods_per_year": ledger.account.options.periods_per_year,
    }
