"""How much of a result of several instruments hangs on what happened inside bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from algotrendy.backtest.arguments import are_strategies
from algotrendy.backtest.curves import metrics_of_curve
from algotrendy.backtest.fill_interval import FillInterval, PathRun
from algotrendy.backtest.fill_search import Way, extreme_way, stated_way
from algotrendy.backtest.portfolio.again import account_again, arguments_of, strategy_in
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.paths_apart import Apart, taken_apart
from algotrendy.backtest.portfolio.paths_desk import CROSSED
from algotrendy.backtest.portfolio.paths_orders import OrdersWay, orders_way
from algotrendy.backtest.portfolio.paths_signals import SignalsWay, signals_way
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy

__all__ = ["any_doubt", "doubts_of", "fills_of", "interval_of_ways", "portfolio_fill_interval"]

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
    orders = arguments["orders"]
    if orders is not None:
        return _of_orders(result, account, orders, keep)

    def start() -> Way:
        if isinstance(decides, BarStrategy):
            from algotrendy.backtest.stateful.paths import stateful_way

            return stateful_way(decides, account, {})
        return signals_way(account, decides, inside, arguments)

    return interval_of_ways(result, start, len(result.index), keep)


def _of_orders(result: Any, account: Account, orders: Any, keep: int) -> FillInterval:
    """Return the interval of explicit orders: instrument by instrument, or by a search, or by one that merges less."""
    n_bars = len(result.index)
    stated = interval_of_ways(result, lambda: orders_way(account, orders), n_bars, 0)
    apart = None if stated.is_exact else taken_apart(account, orders)
    ends = None if apart is None else _runs_of(apart, result)
    if apart is not None and ends is not None and apart.is_exact:
        worst, *_, best = sorted((*ends, stated.stated), key=lambda run: run.final_equity)
        return replace(stated, worst=worst, best=best, is_exact=True)
    if stated.is_exact:
        return stated
    found, thinned = _searched(result, lambda: orders_way(account, orders), n_bars, keep)
    if not (found.is_exact or thinned):
        every = interval_of_ways(result, lambda: orders_way(account, orders, only_equal=True), n_bars, keep)
        found = every if every.is_exact else _wider(found, every)
    if found.is_exact or ends is None:
        return found
    outer = (
        min(ends[0].final_equity, found.worst.final_equity),
        max(ends[1].final_equity, found.best.final_equity),
    )
    return replace(found, outer=outer)


def _runs_of(apart: Apart, result: Any) -> tuple[PathRun, PathRun]:
    """Return the worst and the best sum of the instruments."""
    return (
        _path_run(apart.worst, tuple(apart.fills[0]), result),
        _path_run(apart.best, tuple(apart.fills[1]), result),
    )


def _wider(one: FillInterval, two: FillInterval) -> FillInterval:
    """Return the interval of two searches."""
    worst = min(one.worst, two.worst, key=lambda run: run.final_equity)
    return replace(one, worst=worst, best=max(one.best, two.best, key=lambda run: run.final_equity))


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
        Bars, and how many runs are followed at most; 0 looks at the stated run alone.
    """
    return _searched(result, start, n_bars, keep)[0]


def _searched(result: Any, start: Callable[[], Way], n_bars: int, keep: int) -> tuple[FillInterval, bool]:
    """Return the interval, and whether there were more runs than could be followed."""
    stated = stated_way(start(), n_bars)
    final = float(result.equity_values[-1])
    if abs(stated.equity[-1] - final) > SAME * abs(result.cash):
        raise InputError(
            f"the backtest gives {stated.equity[-1]:,.2f} when it is run again, not {final:,.2f}; hand in what it was "
            "made of"
        )
    best = worst = stated
    exact, thinned = True, False
    if not keep:
        exact = not (stated.doubtful or any_doubt(stated))
    elif stated.doubtful or any_doubt(stated):
        low, high = (extreme_way(start(), n_bars, sign=sign, keep=keep) for sign in (-1.0, 1.0))
        worst = min((low.way, stated), key=lambda way: way.equity[-1])
        best = max((high.way, stated), key=lambda way: way.equity[-1])
        thinned = not (low.is_exact and high.is_exact)
        exact = not (thinned or doubts_of(low.way) | doubts_of(high.way))
    runs = [_path_run(np.array(way.equity), tuple(fills_of(way)), result) for way in (best, stated, worst)]
    fills = [(fill.instrument, fill.units) for fill in fills_of(stated) if fill.reason != "split"]
    found = FillInterval(runs[0], runs[1], runs[2], len(stated.doubtful), _n_positions(fills), exact)
    return found, thinned


def fills_of(way: Way) -> list[Any]:
    """Return the fills of one run."""
    if isinstance(way, SignalsWay):
        return way.competition.account.fills
    assert isinstance(way, OrdersWay)
    return way.desk.account.fills


def doubts_of(way: Way) -> set[str]:
    """Return what makes the search of a run less than exact; see `OrdersWay.doubts`."""
    return way.doubts if isinstance(way, OrdersWay) else set()


def any_doubt(way: Way) -> bool:
    """Tell whether an order that the stated run never fills may have been filled on another path, or before others."""
    return isinstance(way, OrdersWay) and (way.was_unsure or CROSSED in way.desk.doubts)


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
