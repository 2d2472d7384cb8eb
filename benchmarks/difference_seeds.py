"""Runs in which one thing, or two, was changed on purpose, and which part of the difference that is.

`explain_difference` has to name that part as the largest cause. The bounded test of the test suite draws from here, and
`python benchmarks/difference_seeds.py 8 1000` prints the table that the how-to page shows: per change, how many of 8
seeds from 1000 on were named, run against run, run against a bare list of orders (time, side, quantity, price,
commission), and two accounts of which nothing can be run again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

import algotrendy as at
from algotrendy.backtest.difference import DifferenceReport, explain_difference, ledger_of
from algotrendy.backtest.setting import prepare
from algotrendy.strategy.inputs import resolve

SMALLEST = 1e-7
"""A change that moves less of the equity than this is drawn again: there is nothing to be named."""


@dataclass
class Plan:
    """One backtest before it is run: bars, what decides, options."""

    bars: pd.DataFrame
    strategy: Any
    options: dict[str, Any]
    signals: dict[str, Any] = field(default_factory=dict)

    def run(self) -> at.BacktestResult:
        """Run it."""
        if self.signals:
            levels = {name: getattr(self.strategy, name) for name in ("stop", "target", "trail", "size")}
            return at.backtest(self.bars, **self.signals, **levels, **self.options)
        return at.backtest(self.strategy, self.bars, **self.options)

    def changed(self, **options: Any) -> Plan:
        """Return it with other options."""
        return replace(self, options=self.options | options)


@dataclass(frozen=True)
class Seeded:
    """A run, the other account as a run (or None) and as a list, and the part that was changed."""

    change: str
    part: str
    run: at.BacktestResult
    other: at.BacktestResult | None
    orders: pd.DataFrame
    bars: pd.DataFrame
    cash: float
    final_equity: float


Change = Callable[[Plan, np.random.Generator], Plan | None]
CHANGES: dict[str, tuple[str, Change]] = {}
LISTS: dict[str, tuple[str, Callable[[Plan, at.BacktestResult, np.random.Generator], pd.DataFrame | None]]] = {}


def _change(name: str, part: str) -> Callable[[Change], Change]:
    def keep(change: Change) -> Change:
        CHANGES[name] = (part, change)
        return change

    return keep


# --- what is run ---


def base(rng: np.random.Generator) -> Plan:
    """Return a backtest drawn at random: made-up daily bars, a strategy of the library, costs."""
    model = str(rng.choice(["random_walk", "garch", "jumps"]))
    bars = at.synthetic(n=int(rng.integers(300, 900)), seed=int(rng.integers(2**31)), model=model, gaps=0.3)
    fast = int(rng.integers(3, 15))
    strategy = [
        at.strategies.sma_cross(fast, fast + int(rng.integers(5, 30))),
        at.strategies.ema_cross(fast, fast + int(rng.integers(5, 30))),
        at.strategies.bollinger_reversion(int(rng.integers(10, 30)), 1.5),
        at.strategies.macd_long_short(),
        at.strategies.rsi_reversion(int(rng.integers(5, 15)), 35.0, 60.0),
    ][int(rng.integers(5))]
    levels = [{}, {}, {"stop": 0.03}, {"trail": 0.05}, {"stop": 0.04, "target": 0.06}][int(rng.integers(5))]
    strategy = strategy.with_params(**levels)
    options = {
        "commission": float(rng.choice([0.0, 0.0005, 0.001])),
        "slippage": float(rng.choice([0.0, 0.0002, 0.001])),
        "cash": float(rng.choice([10_000.0, 100_000.0])),
    }
    return Plan(bars, strategy, options)


def signals_of(plan: Plan) -> dict[str, np.ndarray]:
    """Return the decisions of a plan's strategy as arrays of bool."""
    setting = prepare(plan.bars, **plan.options)
    words = resolve(plan.strategy, setting.bars, setting.arrays, None, setting.context).words
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little")[:, : len(plan.bars)]
    names = ("entries", "exits", "short_entries", "short_exits")
    return {name: row.astype(bool) for name, row in zip(names, bits, strict=True)}


# --- conventions and costs ---


@_change("commission rate", "fees")
def _rate(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(commission=plan.options["commission"] + 10 ** rng.uniform(-4.5, -2.3))


@_change("commission per order", "fees")
def _per_order(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(commission=at.Fees(fixed=plan.options["cash"] * 10 ** rng.uniform(-5, -3)))


@_change("slippage", "fill price")
def _slippage(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(slippage=plan.options["slippage"] + 10 ** rng.uniform(-4.5, -2.3))


@_change("same close, not next open", "timing")
def _same_close(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(fill="same_close")


@_change("next close, not next open", "fill price")
def _next_close(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(fill="next_close")


@_change("whole lots", "sizing")
def _lots(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(units="whole", lot_size=float(rng.choice([1.0, 5.0, 10.0])))


@_change("share of equity", "sizing")
def _fraction(plan: Plan, rng: np.random.Generator) -> Plan:
    return replace(plan, strategy=plan.strategy.with_params(size=float(rng.uniform(0.3, 0.99))))


@_change("fixed units", "sizing")
def _units(plan: Plan, rng: np.random.Generator) -> Plan:
    most = plan.options["cash"] / float(plan.bars["close"].max())
    return replace(plan, strategy=plan.strategy.with_params(size=at.FixedUnits(float(rng.uniform(0.1, 0.6) * most))))


@_change("initial cash", "initial cash")
def _cash(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(cash=plan.options["cash"] * float(rng.choice([0.5, 0.99, 1.01, 2.0])))


@_change("borrow", "borrow")
def _borrow(plan: Plan, rng: np.random.Generator) -> Plan | None:
    if plan.strategy.short_entry is None:
        return None
    return plan.changed(borrow=float(rng.uniform(0.005, 0.1)))


# --- bars ---


@_change("one price row", "data")
def _row(plan: Plan, rng: np.random.Generator) -> Plan:
    bars = plan.bars.copy()
    row = int(rng.integers(30, len(bars) - 10))
    bars.iloc[row, :4] *= float(rng.choice([0.9, 0.97, 1.03, 1.1]))
    return replace(plan, bars=bars)


@_change("ends earlier", "data")
def _shorter(plan: Plan, rng: np.random.Generator) -> Plan:
    return replace(plan, bars=plan.bars.iloc[: -int(rng.integers(1, 60))])


@_change("begins later", "first bar")
def _later(plan: Plan, rng: np.random.Generator) -> Plan:
    return replace(plan, bars=plan.bars.iloc[int(rng.integers(1, 120)) :])


# --- decisions ---


@_change("signals one bar late", "timing")
def _shifted(plan: Plan, rng: np.random.Generator) -> Plan:
    late = {name: np.concatenate(([False], values[:-1])) for name, values in signals_of(plan).items()}
    return replace(plan, signals=late)


@_change("a trade dropped", "missed trades")
def _dropped(plan: Plan, rng: np.random.Generator) -> Plan | None:
    trades, signals = plan.run().trade_columns, signals_of(plan)
    if not len(trades["pnl"]):
        return None
    which = int(rng.integers(len(trades["pnl"])))
    first, last = int(trades["entry_at"][which]) - 1, int(trades["exit_at"][which])
    for name in ("entries", "short_entries"):
        signals[name][first:last] = False
    return replace(plan, signals=signals)


@_change("a trade added", "missed trades")
def _added(plan: Plan, rng: np.random.Generator) -> Plan | None:
    if plan.strategy.short_entry is not None:
        return None
    signals, flat = signals_of(plan), plan.run().units_values == 0.0
    places = [i for i in range(5, len(flat) - 12) if flat[i - 2 : i + 10].all()]
    if not places:
        return None
    at_bar, held = int(rng.choice(places)), int(rng.integers(2, 7))
    signals["entries"][at_bar], signals["exits"][at_bar : at_bar + held] = True, False
    signals["exits"][at_bar + held] = True
    return replace(plan, signals=signals)


def _on_ticks(plan: Plan, rng: np.random.Generator) -> Plan:
    prices = ["open", "high", "low", "close"]
    bars = plan.bars.copy()
    bars[prices] = (bars[prices] * 2.0).round() / 2.0
    lag = int(rng.integers(2, 12))
    strategy = at.Strategy(entry="close > prev(close, n)", exit="close < prev(close, n)", n=lag)
    return replace(plan, bars=bars, strategy=strategy)


def _tie(plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Decide one tie otherwise: go in at it, or go out."""
    signals, close = signals_of(plan), plan.bars["close"].to_numpy()
    lag = int(plan.strategy.parameters["n"])
    ties = np.flatnonzero(close[lag:] == close[:-lag]) + lag
    if not ties.size:
        return None
    bar = int(rng.choice(ties))
    signals["entries" if rng.random() < 0.5 else "exits"][bar] = True
    return replace(plan, signals=signals)


def _all_ties(plan: Plan, rng: np.random.Generator) -> Plan:
    lag = int(plan.strategy.parameters["n"])
    return replace(plan, strategy=at.Strategy(entry="close >= prev(close, n)", exit="close < prev(close, n)", n=lag))


# --- lists in which the account itself was kept otherwise ---


def _bare(result: at.BacktestResult) -> pd.DataFrame:
    """Return the orders of a run as a broker would list them."""
    orders = result.orders
    columns = {
        "time": orders["filled_at"],
        "side": orders["side"].str.lower(),
        "quantity": orders["units"],
        "price": orders["price"],
        "commission": orders["commission"],
    }
    if result.metrics["borrow_paid"]:
        columns["financing"] = np.zeros(len(orders))
        columns["financing"][orders["reason"] != "entry"] = result.trades["borrow"]
    return pd.DataFrame(columns)


def _forced(plan: Plan, result: at.BacktestResult, rng: np.random.Generator) -> pd.DataFrame | None:
    units = float(result.units_values[-1])
    if units == 0.0:
        return None
    price = float(result.bars["close"].iloc[-1])
    cost = abs(units) * price * 10 ** rng.uniform(-4, -2.5)
    side = "sell" if units > 0.0 else "buy"
    last = {"time": result.bars.index[-1], "side": side, "quantity": abs(units), "price": price, "commission": cost}
    return pd.concat([_bare(result), pd.DataFrame([last])], ignore_index=True)


def _rounded(plan: Plan, result: at.BacktestResult, rng: np.random.Generator) -> pd.DataFrame:
    tick = float(rng.choice([0.05, 0.25, 1.0]))
    orders = _bare(result)
    return orders.assign(price=(orders["price"] / tick).round() * tick)


def _gap_rule(plan: Plan, result: at.BacktestResult, rng: np.random.Generator) -> pd.DataFrame | None:
    """Fill stops at their level although the bar opened beyond it."""
    columns = result.order_columns
    orders = _bare(result)
    entry = 0.0
    for row, reason in enumerate(columns["reason"].tolist()):
        if reason == 0:
            entry = float(columns["price"][row])
        elif reason == 2:
            level = entry * (1.0 - 0.03 * np.sign(-columns["units"][row]))
            orders.loc[row, "price"] = level * (1.0 + np.sign(columns["units"][row]) * plan.options["slippage"])
    return orders


LISTS["forced exit"] = ("forced exit", _forced)
LISTS["prices rounded"] = ("fill price", _rounded)
LISTS["stops at their level through gaps"] = ("fill price", _gap_rule)
TIES: dict[str, Change] = {"one tie otherwise": _tie, "all ties otherwise": _all_ties}
KINDS = (*CHANGES, *TIES, *LISTS)


# --- drawing ---


def draw(change: str, seed: int) -> Seeded:
    """Return one changed run of a kind; the same seed gives the same."""
    rng = np.random.default_rng([seed, sorted(KINDS).index(change)])
    while True:
        found = _drawn(change, rng)
        if found is not None:
            return found


def _drawn(change: str, rng: np.random.Generator) -> Seeded | None:
    plan = base(rng)
    if change in LISTS:
        part, make = LISTS[change]
        if make is _gap_rule:
            plan = replace(plan, strategy=plan.strategy.with_params(stop=0.03, trail=None, target=None))
        result = plan.run()
        orders = make(plan, result, rng)
        if orders is None or not len(orders):
            return None
        cash, final = result.cash, _worth(orders, result)
        seeded = Seeded(change, part, result, None, orders, result.bars, cash, final)
    else:
        if change in TIES:
            plan = _on_ticks(plan, rng)
        part, alter = ("ties", TIES[change]) if change in TIES else CHANGES[change]
        altered = alter(plan, rng)
        if altered is None:
            return None
        seeded = _of_runs(change, part, plan.run(), altered.run())
    apart = abs(seeded.final_equity - seeded.run.metrics["final_equity"])
    return seeded if apart > SMALLEST * seeded.run.cash else None


def _of_runs(change: str, part: str, run: at.BacktestResult, other: at.BacktestResult) -> Seeded:
    unbilled = float(other.metrics["borrow_paid"]) - float(other.trade_columns["borrow"].sum())
    final = float(other.metrics["final_equity"]) + unbilled  # a list shows borrow when the position is closed
    return Seeded(change, part, run, other, _bare(other), other.bars, other.cash, final)


def _worth(orders: pd.DataFrame, result: at.BacktestResult) -> float:
    units = np.where(orders["side"] == "buy", 1.0, -1.0) * orders["quantity"]
    cash = result.cash - float((units * orders["price"] + orders["commission"]).sum())
    borrow = float(result.trade_columns["borrow"].sum())
    held = float(units.sum())
    return cash + (0.0 if abs(held) < 1e-9 else held) * float(result.bars["close"].iloc[-1]) - borrow


def draw_two(seed: int) -> Seeded:
    """Return a run with two changes, of which one alone moves at least three times as much as the other alone."""
    rng = np.random.default_rng([seed, 99])
    simple = [name for name in CHANGES if CHANGES[name][1] not in (_shifted, _dropped, _added)]
    while True:
        plan = base(rng)
        one, two = (str(name) for name in rng.choice(simple, 2, replace=False))
        first = CHANGES[one][1](plan, rng)
        if first is None or CHANGES[one][0] == CHANGES[two][0]:
            continue
        second = CHANGES[two][1](plan, rng)
        if second is None or {one, two} == {"same close, not next open", "next close, not next open"}:
            continue
        final = float(plan.run().metrics["final_equity"])
        moved = [abs(float(each.run().metrics["final_equity"]) - final) for each in (first, second)]
        if max(moved) < 3.0 * min(moved) or max(moved) < SMALLEST * plan.options["cash"]:
            continue
        both = _both(plan, first, second)
        name = one if moved[0] > moved[1] else two
        return _of_runs(f"{one} + {two}", CHANGES[name][0], plan.run(), both.run())


def _both(plan: Plan, one: Plan, two: Plan) -> Plan:
    options = plan.options | _difference(plan.options, one.options) | _difference(plan.options, two.options)
    strategy = one.strategy if one.strategy != plan.strategy else two.strategy
    if one.bars is plan.bars or two.bars is plan.bars:
        bars = two.bars if one.bars is plan.bars else one.bars
    else:
        shorter, other = sorted((one.bars, two.bars), key=len)
        bars = other.loc[other.index.intersection(shorter.index)]
    return Plan(bars, strategy, options)


def _difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in new.items() if old.get(name) != value}


# --- naming ---

MODES = ("run", "list", "ledger")
"""Against a run, against a bare list of orders, and two bare ledgers of which nothing can be run again."""


def explained(seeded: Seeded, mode: str) -> DifferenceReport:
    """Explain a changed run in one of the modes."""
    if mode == "run":
        return explain_difference(seeded.run, seeded.other)
    options = {"bars": seeded.bars, "cash": seeded.cash, "final_equity": seeded.final_equity}
    first = seeded.run if mode == "list" else ledger_of(seeded.run)
    return explain_difference(first, seeded.orders, **options)


def missed(report: DifferenceReport) -> float:
    """Return how far the parts miss the gap, or the rest if that is more, as a share of the equity."""
    apart = max(abs(sum(part.amount for part in report.parts) - report.gap), abs(report.rest))
    return apart / max(abs(report.start), abs(report.end))


def _rows(count: int, first: int) -> Iterator[tuple[str, str, list[Seeded]]]:
    for name in KINDS:
        found = [draw(name, first + seed) for seed in range(count)]
        yield name, found[0].part, found
    yield "two at once, 3 : 1 or more", "the larger", [draw_two(first + seed) for seed in range(3 * count)]


def main(count: int, first: int) -> None:
    """Print the table for so many seeds of each kind, from a first one on."""
    sys.stdout.write("| what was changed | part | run, run | run, list | ledger, list |\n|---|---|---|---|---|\n")
    total = {mode: [0, 0] for mode in MODES}
    worst = 0.0
    for name, part, found in _rows(count, first):
        cells = []
        for mode in MODES:
            usable = [one for one in found if mode != "run" or one.other is not None]
            reports = [(one.part, explained(one, mode)) for one in usable]
            right = sum(truth == report.largest.name for truth, report in reports)
            worst = max([worst, *(missed(report) for _, report in reports)])
            total[mode][0] += right
            total[mode][1] += len(usable)
            wrong = sorted({report.largest.name for truth, report in reports if report.largest.name != truth})
            else_ = f" (else {', '.join(wrong)})" if wrong else ""
            cells.append(f"{right} of {len(usable)}{else_}" if usable else "-")
        sys.stdout.write(f"| {name} | {part} | {' | '.join(cells)} |\n")
    cells = [f"{right} of {count} ({right / count:.1%})" for right, count in total.values()]
    sys.stdout.write(f"| **all** | | {' | '.join(cells)} |\nlargest miss or rest: {worst:.1e} of the equity\n")


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:3]]
    main(*given, *(5, 0)[len(given) :])
