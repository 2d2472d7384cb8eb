"""Metrics and equity from orders alone: flat stretches cost nothing, held ones a few operations per bar.

While a position is held, equity is `base + units x series`, where the series is the close, or for a short position the
close plus all borrow per unit so far. Sums run over the bars of each stretch directly; their order is left to the
compiler, so they agree with a plain sum to rounding (1e-12). Only the borrow of a stretch is a difference of running
sums: it is exact to rounding of the largest price that was ever summed, not of itself.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL, part
from algotrendy.kernels.orders_types import (
    BLOCK_SHIFT,
    ENTRY,
    HIGHEST_CLOSE,
    HIGHEST_HELD,
    LOWEST_CLOSE,
    LOWEST_HELD,
    Market,
    Orders,
    Rules,
)
from algotrendy.kernels.statistics_curve import ROUNDING, stretch
from algotrendy.kernels.statistics_names import METRICS

(
    FINAL_EQUITY,
    TOTAL_RETURN,
    ANNUAL_RETURN,
    VOLATILITY,
    SHARPE_RATIO,
    SORTINO_RATIO,
    MAX_DRAWDOWN,
    CALMAR_RATIO,
    N_ORDERS,
    N_TRADES,
    WIN_RATE,
    PROFIT_FACTOR,
    EXPECTANCY,
    TURNOVER,
    TIME_IN_MARKET,
    COMMISSION_PAID,
    SLIPPAGE_PAID,
    BORROW_PAID,
    COSTS_PAID,
) = range(len(METRICS))


@part
def deepest(line: tuple[float, float, int, int], market: Market, peak: float, worst: float) -> tuple[float, float]:
    """Return the running peak and the largest loss from it after the stretch `line` (units, base, first bar, end).

    Blocks of bars that cannot hold a larger loss are skipped.
    """
    units, base, bar, after = line
    if units == 0.0:
        return max(peak, base), (peak - base) / peak if peak - base > worst * peak else worst
    series, up, down = market.close, HIGHEST_CLOSE, LOWEST_CLOSE
    if units < 0.0:
        series, up, down = market.held, LOWEST_HELD, HIGHEST_HELD
    while bar < after:
        block = bar >> BLOCK_SHIFT
        end = (block + 1) << BLOCK_SHIFT
        whole = bar == block << BLOCK_SHIFT and end <= after
        end = end if end < after else after
        top, low = base + units * market.blocks[up, block], base + units * market.blocks[down, block]
        rises = top > peak
        top = top if rises else peak
        deeper = top - low > worst * top
        if whole and not (rises and deeper):
            worst = (top - low) / top if deeper else worst
            peak = top
        elif rises or deeper:
            piece = series[bar:end]
            for i in range(piece.size):
                equity = base + units * piece[i]
                peak = equity if equity > peak else peak
                if peak - equity > worst * peak:
                    worst = (peak - equity) / peak
        bar = end
    return peak, worst


@part
def finish(rules: Rules, n: int, out: NDArray[np.float64]) -> None:
    """Turn the sums that `statistics` and `ledger` left in `out` into metrics."""
    periods = rules.periods_per_year
    yearly = math.sqrt(periods)
    mean, downside, drawdown, n_trades = (
        out[SHARPE_RATIO],
        math.sqrt(out[SORTINO_RATIO] / n),
        out[MAX_DRAWDOWN],
        out[N_TRADES],
    )
    spread = math.sqrt(max(out[VOLATILITY], 0.0) / (n - 1.0))
    growth = out[FINAL_EQUITY] / rules.cash
    annual = growth ** (periods / n) - 1.0 if growth > 0.0 else -1.0
    drawdown = drawdown if drawdown > ROUNDING else 0.0
    profits, losses = out[PROFIT_FACTOR], out[EXPECTANCY]
    out[TOTAL_RETURN] = growth - 1.0
    out[ANNUAL_RETURN] = annual
    out[VOLATILITY] = spread * yearly
    out[SHARPE_RATIO] = mean / spread * yearly if spread > ROUNDING else np.nan
    out[SORTINO_RATIO] = mean / downside * yearly if downside > ROUNDING else np.nan
    out[MAX_DRAWDOWN] = drawdown
    out[CALMAR_RATIO] = annual / drawdown if drawdown > 0.0 else np.nan
    out[WIN_RATE] /= n_trades
    out[PROFIT_FACTOR] = profits / losses if profits > 0.0 or losses > 0.0 else np.nan
    out[EXPECTANCY] = (profits - losses) / n_trades
    out[TURNOVER] *= periods
    out[COSTS_PAID] = out[COMMISSION_PAID] + out[SLIPPAGE_PAID] + out[BORROW_PAID]


@part
def ledger(orders: Orders, n_orders: int, out: NDArray[np.float64]) -> None:
    """Add up orders in `out`: profits under PROFIT_FACTOR, losses under EXPECTANCY, notional under TURNOVER."""
    wins, profits, losses, notional, commission, slippage, borrow = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(n_orders):
        notional += abs(orders.money[k, 0]) * orders.money[k, 1]
        commission += orders.money[k, 2]
        slippage += orders.money[k, 3]
    for k in range(1, n_orders, 2):  # every second row closes a position; no branch, since wins come at random
        profit = orders.money[k, 6]
        borrow += orders.money[k, 5]
        wins += 1.0 if profit > 0.0 else 0.0
        profits += max(profit, 0.0)
        losses -= min(profit, 0.0)
    out[WIN_RATE], out[PROFIT_FACTOR], out[EXPECTANCY], out[TURNOVER] = wins, profits, losses, notional
    out[COMMISSION_PAID], out[SLIPPAGE_PAID], out[BORROW_PAID] = commission, slippage, borrow


@jit(**KERNEL)
def statistics(market: Market, rules: Rules, orders: Orders, n_orders: int, out: NDArray[np.float64]) -> None:
    """Write the metrics of one backtest into `out`, in the order of `METRICS`.

    Returns are summed about the first one that moved, so that no digits are lost in their squared deviations.
    """
    ledger(orders, n_orders, out)
    hurdle, n_bars = rules.hurdle, market.close.size
    idle = hurdle * hurdle if hurdle > 0.0 else 0.0
    before, peak, worst = rules.cash, rules.cash, 0.0
    done = market.mark_from[orders.bars[0, 1] if n_orders > 0 else n_bars]
    total, squares, downside, equity, held, n_trades = 0.0, 0.0, idle * done, before * done, 0, 0
    centre, still = 0.0, done
    for k in range(n_orders):
        bar, after = orders.bars[k, 1], orders.bars[k + 1, 1] if k + 1 < n_orders else n_bars
        units, base, marks = orders.money[k, 0], orders.money[k, 4], market.mark_close
        if orders.bars[k, 2] == ENTRY:
            held += after - bar
        else:
            units = 0.0
            n_trades += 1
        if units < 0.0:
            marks = market.mark_held
            carry = market.held[bar] - market.close[bar]
            base -= units * carry
            if after == n_bars:
                out[BORROW_PAID] += units * (carry - (market.held[n_bars - 1] - market.close[n_bars - 1]))
        if bar < after:
            peak, worst = deepest((units, base, bar, after), market, peak, worst)
        first, last = market.mark_from[bar], market.mark_from[after] - 1
        if first > last:
            continue
        value = base + units * marks[first]
        change = 0.0
        if before > 0.0:
            change = (value - before) / before
        if first == done:
            centre = change
        low = min(change - hurdle, 0.0)
        total += change - centre
        squares += (change - centre) * (change - centre)
        downside += low * low
        if units != 0.0:
            sums = stretch(marks, first, last, (base / units, centre, hurdle))
            before = base + units * marks[last]
            total += sums[0]
            squares += sums[1]
            downside += sums[2]
            equity += units * sums[3] + before
        else:
            before = value
            still += last - first
            downside += idle * (last - first)
            equity += value * (1 + last - first)
    out[FINAL_EQUITY], out[MAX_DRAWDOWN], out[N_ORDERS] = before, worst, n_orders
    n = market.mark_close.size
    total, squares = total - centre * still, squares + centre * centre * still
    out[SHARPE_RATIO] = centre + total / n - hurdle
    out[VOLATILITY], out[SORTINO_RATIO] = squares - total * total / n, downside
    out[N_TRADES], out[TIME_IN_MARKET] = n_trades, held / n_bars
    out[TURNOVER] = out[TURNOVER] / equity if equity > 0.0 else np.nan
    finish(rules, n, out)
