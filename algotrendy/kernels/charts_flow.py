"""Imbalance and runs bars, written as `charts_types` says; defined in `docs/explanation/charts.md`."""

from __future__ import annotations

from typing import Any

import numpy as np

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL, part
from algotrendy.kernels.charts_rows import leave, put, stamp
from algotrendy.kernels.charts_types import EXTRA_NUMBERS, EXTRA_WHOLE, TICKS, TOLERANCE, UNITS, Events, FlowRule, Rows


@part
def next_threshold(rule: FlowRule, expected: float, mean_buy: float, mean_sell: float) -> float:
    """Return what the flow of the next bar has to reach."""
    if rule.runs:
        return expected * max(mean_buy, mean_sell)
    by_chance: float = rule.floor * np.sqrt(expected) * (mean_buy + mean_sell)
    threshold: float = max(expected * abs(mean_buy - mean_sell), by_chance)
    return threshold


@part
def signed_flow(runs: bool, buys: float, sells: float) -> float:
    """Return the imbalance, or the larger of the two sides, as a negative number if it is the sells."""
    if runs:
        return buys if buys >= sells else -sells
    return buys - sells


@jit(**KERNEL)
def flow(events: Events, rule: FlowRule, state: Any, rows: Rows) -> tuple[int, int]:
    """Write a bar when the signed flow is as large as expected of a bar; the first bar is the calibration."""
    start, end, opens, highs, lows, closes, traded = events
    numbers, whole = rows
    what, runs, weight = rule.what, rule.runs, rule.tick_weight
    s = state[0]
    high, low, volume, held = s.high, s.low, s.volume, s.events
    before, sign, buys, sells, threshold = s.before, s.sign, s.buys, s.sells, s.threshold
    mean_buy, mean_sell = s.mean_buy, s.mean_sell
    n, taken, first = 0, closes.size, -1 if held > 0 else 0
    for i in range(closes.size):
        p = closes[i]
        sign = 1 if p > before else -1 if p < before else sign
        before = p
        amount = 1.0 if what == TICKS else traded[i] if what == UNITS else traded[i] * p
        buy, sell = amount if sign > 0 else 0.0, amount if sign < 0 else 0.0
        buys, sells, volume, held = buys + buy, sells + sell, volume + traded[i], held + 1
        high, low = max(high, highs[i]), min(low, lows[i])
        calibrating = np.isnan(threshold)
        if not calibrating:
            mean_buy, mean_sell = mean_buy + weight * (buy - mean_buy), mean_sell + weight * (sell - mean_sell)
        size = signed_flow(runs, buys, sells)
        reached = held >= rule.least_ticks and threshold > 0.0 and abs(size) >= threshold - TOLERANCE * threshold
        if held >= rule.first_ticks if calibrating else reached or held >= rule.most_ticks:
            put(numbers, whole, n, (opens[first] if first >= 0 else s.open, high, low, p, volume))
            stamp(whole, n, start[first] if first >= 0 else s.opened, end[i], s.n_events + i)
            numbers[EXTRA_NUMBERS, n], numbers[EXTRA_NUMBERS + 1, n] = size, threshold
            whole[EXTRA_WHOLE, n], whole[EXTRA_WHOLE + 1, n] = held, not (calibrating or reached)
            n += 1
            if calibrating:
                s.expected, mean_buy, mean_sell = float(held), buys / held, sells / held
            else:
                s.expected += rule.bar_weight * (held - s.expected)
            threshold = next_threshold(rule, s.expected, mean_buy, mean_sell)
            high, low, volume, buys, sells, held, first = -np.inf, np.inf, 0.0, 0.0, 0.0, 0, i + 1
            if n == whole.shape[1]:
                taken = i + 1
                break
    s.high, s.low, s.volume = high, low, volume
    s.before, s.sign, s.buys, s.sells, s.threshold = before, sign, buys, sells, threshold
    s.mean_buy, s.mean_sell = mean_buy, mean_sell
    s.open = opens[first] if 0 <= first < taken else s.open
    leave(s, events, first, taken)
    return n, taken
