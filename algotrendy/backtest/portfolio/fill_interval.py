"""How much of a result of several instruments hangs on what happened inside bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from algotrendy.backtest.arguments import are_strategies
from algotrendy.backtest.curves import metrics_of_curve
from algotrendy.backtest.fill_interval import FillInterval, PathRun
from algotrendy.backtest.fill_search import Way, extreme_way, stated_way
from algotrendy.backtest.portfolio.again import account_again, arguments_of, strategy_in
from algotrendy.backtest.portfolio.paths_orders import OrdersWay, orders_way
from algotrendy.backtest.portfolio.paths_signals import SignalsWay, signals_way
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy

__all__ = ["interval_of_ways", "portfolio_fill_interval"]

SAME = 1e-9


def portfolio_fill_interval(result: Any, *, keep: int = 32, **given: Any) -> FillInterval:
    """Run a backtest of several instruments on good and on bad paths; `PortfolioResult.fill_interval` calls it.

    Raises
    ------
    InputError
        If the backtest cannot be run again, or does not come out as it was.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = {name: at.synthetic(n=200, seed=seed, volatility=0.5) for seed, name in enumerate("AB")}
    >>> result = at.backtest(at.strategies.sma_cross(5, 20), bars, stop=0.02, target=0.03)
    >>> found = portfolio_fill_interval(result)
    >>> found.worst.final_equity <= found.stated.final_equity <= found.best.final_equity
    True
    """
    if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
        raise InputError(f"keep is {keep!r}; it is how many runs are followed at once, a whole number of at least 1")
    arguments = arguments_of(result, given)
    if are_strategies(arguments["strategy"]):
        from algotrendy.backtest.portfolio.fill_interval_several import several_fill_interval

        return several_fill_interval(result, arguments, keep=keep)
    if arguments["weights"] is not None:
        return _certain(result)
    account, inside = account_again(arguments)
    decides = strategy_in(arguments)

    def start() -> Way:
        if arguments["orders"] is not None:
            return orders_way(account, arguments["orders"])
        if isinstance(decides, BarStrategy):
            from algotrendy.backtest.stateful.paths import stateful_way

            return stateful_way(decides, account, {})
        return signals_way(account, decides, inside, arguments)

    return interval_of_ways(result, start, len(result.index), keep)


def _certain(result: Any) -> FillInterval:
    """Return the interval of target weights: they are filled at opens and closes, which every path has in common."""
    columns = result.order_columns
    run = _path_run(result.equity_values, tuple(range(len(columns["units"]))), result)
    positions = _n_positions(zip(columns["instrument"].tolist(), columns["units"].tolist(), strict=True))
    return FillInterval(run, run, run, 0, positions, True)


def interval_of_ways(result: Any, start: Callable[[], Way], n_bars: int, keep: int) -> FillInterval:
    """Return the interval between the best and the worst run that are found.

    Parameters
    ----------
    result : BacktestResult or PortfolioResult
        What was run.
    start : callable
        Gives the run before its first bar.
    n_bars, keep : int
        Bars, and how many runs are followed at most.
    """
    stated = stated_way(start(), n_bars)
    final = float(result.equity_values[-1])
    if abs(stated.equity[-1] - final) > SAME * abs(result.cash):
        raise InputError(
            f"the backtest gives {stated.equity[-1]:,.2f} when it is run again, not {final:,.2f}; hand in what it was "
            "made of, and compare without options that explicit orders know nothing of here"
        )
    best = worst = stated
    exact = True
    if stated.doubtful or _any_doubt(stated):
        low, high = (extreme_way(start(), n_bars, sign=sign, keep=keep) for sign in (-1.0, 1.0))
        worst = min((low.way, stated), key=lambda way: way.equity[-1])
        best = max((high.way, stated), key=lambda way: way.equity[-1])
        exact = low.is_exact and high.is_exact and not (_doubts(low.way) | _doubts(high.way))
    runs = [_path_run(np.array(way.equity), tuple(_fills(way)), result) for way in (best, stated, worst)]
    fills = [(fill.instrument, fill.units) for fill in _fills(stated) if fill.reason != "split"]
    return FillInterval(runs[0], runs[1], runs[2], len(stated.doubtful), _n_positions(fills), exact)


def _fills(way: Way) -> list[Any]:
    if isinstance(way, SignalsWay):
        return way.competition.account.fills
    assert isinstance(way, OrdersWay)
    return way.desk.account.fills


def _doubts(way: Way) -> set[str]:
    return way.doubts if isinstance(way, OrdersWay) else set()


def _any_doubt(way: Way) -> bool:
    """Tell whether an order that the stated run never fills may have been filled on another path."""
    return isinstance(way, OrdersWay) and way.was_unsure


def _n_positions(fills: Any) -> int:
    """Return how often something was held where nothing was, or the other side."""
    held: dict[int, float] = {}
    count = 0
    for instrument, units in fills:
        before = held.get(instrument, 0.0)
        after = 0.0 if abs(before + units) <= SAME * abs(units) else before + units
        count += after != 0.0 and before * after <= 0.0
        held[instrument] = after
    return count


def _path_run(equity: Any, orders: tuple[Any, ...], result: Any) -> PathRun:
    figures = metrics_of_curve(
        equity,
        result.valuation_marks,
        cash=result.cash,
        periods_per_year=float(result.metrics["periods_per_year"]),
        risk_free_rate=float(result.assumptions.get("risk_free_rate") or 0.0),
    )
    return PathRun(equity, orders, figures)
