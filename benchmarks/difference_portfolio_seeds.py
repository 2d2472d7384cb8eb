"""Runs of several instruments, and of stateful strategies, in which one thing was changed on purpose.

As `difference_seeds.py`, for accounts that share their cash: signals that compete for places, target weights, and
strategies that are asked bar by bar (of one instrument too). `python benchmarks/difference_portfolio_seeds.py 8 1000`
prints the table of the how-to page.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

import algotrendy as at
from algotrendy.backtest.difference import DifferenceReport, explain_difference, ledger_of, portfolio_ledger_of
from algotrendy.domain.actions import Actions
from algotrendy.strategy import BarStrategy

SMALLEST = 1e-7
"""A change that moves less of the equity than this is drawn again: there is nothing to be named."""
SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
PRICES = ["open", "high", "low", "close"]


class Bracket(BarStrategy):
    """Buys what closed above its average, with a stop and a target; `skip` leaves out that entry and what is near."""

    window = 20
    share = 0.3
    stop = 0.04
    target = 0.08
    skip = -1

    def start(self, ctx: Any) -> None:
        self.averages = {view.symbol: view.indicator("sma", self.window) for view in ctx}
        self.entries, self.quiet = 0, {}

    def on_bar(self, ctx: Any) -> None:
        for view in ctx:
            average = self.averages[view.symbol]
            if not view.has_bar or not average.value > 0.0 or view.orders or view.position():
                continue
            if ctx.number < self.quiet.get(view.symbol, 0):
                continue
            close = view.bar.close
            if close > average.value and view.past("close", 2)[0] <= average.previous:
                self.entries += 1
                if self.entries - 1 == self.skip:
                    self.quiet[view.symbol] = ctx.number + 10
                    continue
                ends = {"stop_price": close * (1 - self.stop), "target_price": close * (1 + self.target)}
                view.buy(size=self.share, **ends)


@dataclass
class Plan:
    """One backtest before it is run: bars by symbol (or of one instrument), what decides, options."""

    form: str
    bars: Any
    strategy: Any
    options: dict[str, Any]

    def run(self) -> Any:
        """Run it."""
        if self.form == "weights":
            return at.backtest(self.bars, weights=self.strategy, **self.options)
        if isinstance(self.strategy, at.Signals):
            given = {name: value for name, value in vars(self.strategy).items() if value is not None}
            return at.backtest(self.bars, **given, **self.options)
        return at.backtest(self.strategy, self.bars, **self.options)

    def changed(self, **options: Any) -> Plan:
        """Return it with other options."""
        return replace(self, options=self.options | options)

    def with_bars(self, change: Callable[[str, pd.DataFrame], pd.DataFrame]) -> Plan:
        """Return it on other bars."""
        if self.form == "one":
            return replace(self, bars=change(SYMBOLS[0], self.bars))
        return replace(self, bars={symbol: change(symbol, frame) for symbol, frame in self.bars.items()})


@dataclass(frozen=True)
class Seeded:
    """A run, the other account as a run (or None) and as a list, and the part that was changed."""

    change: str
    part: str
    form: str
    run: Any
    other: Any
    orders: pd.DataFrame
    bars: Any
    cash: float
    final_equity: float
    strategy: Any


Change = Callable[[Plan, np.random.Generator], Plan | None]
CHANGES: dict[str, tuple[str, tuple[str, ...], Change]] = {}
LISTS: dict[str, tuple[str, Callable[[Any, pd.DataFrame, np.random.Generator], pd.DataFrame | None]]] = {}
FORMS = ("signals", "weights", "stateful", "one")
"""Signals with ranking, target weights, a stateful strategy on several instruments, and one on one instrument."""


def _change(name: str, part: str, *forms: str) -> Callable[[Change], Change]:
    def keep(change: Change) -> Change:
        CHANGES[name] = (part, forms or FORMS, change)
        return change

    return keep


# --- what is run ---


def base(form: str, rng: np.random.Generator) -> Plan:
    """Return a backtest drawn at random: made-up daily bars of a few instruments, what decides, costs."""
    n, count = int(rng.integers(250, 500)), 1 if form == "one" else int(rng.integers(3, 6))
    seeds = rng.integers(2**31, size=count).tolist()
    bars = {symbol: at.synthetic(n=n, seed=seed, gaps=0.3) for symbol, seed in zip(SYMBOLS, seeds, strict=False)}
    options: dict[str, Any] = {
        "commission": float(rng.choice([0.0, 0.0005, 0.001])),
        "slippage": float(rng.choice([0.0, 0.0002, 0.001])),
        "cash": float(rng.choice([10_000.0, 100_000.0])),
    }
    if form == "weights":
        days = next(iter(bars.values())).index[:: int(rng.integers(15, 40))]
        raw = rng.dirichlet(np.ones(count + 1), len(days))[:, :count]
        return Plan(form, bars, pd.DataFrame(raw, index=days, columns=list(bars)), options)
    if form in ("stateful", "one"):
        share = 0.9 if form == "one" else 0.9 / count
        strategy = Bracket(window=int(rng.integers(8, 25)), share=share)
        return Plan(form, bars[SYMBOLS[0]] if form == "one" else bars, strategy, options)
    fast = int(rng.integers(3, 12))
    strategies = [
        at.strategies.sma_cross(fast, fast + int(rng.integers(5, 25))),
        at.strategies.ema_cross(fast, fast + int(rng.integers(5, 25))),
        at.strategies.macd_long_short(),
    ]
    levels: list[dict[str, float]] = [{}, {}, {"stop": 0.04}, {"trail": 0.06}, {"stop": 0.04, "target": 0.07}]
    chosen = strategies[int(rng.integers(3))].with_params(**levels[int(rng.integers(5))])
    options["max_positions"] = int(rng.integers(2, count + 1))
    options["rank"] = "momentum(close, 10)" if rng.random() < 0.5 else None
    return Plan(form, bars, chosen, options)


# --- conventions and costs ---


@_change("commission rate", "fees")
def _rate(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(commission=plan.options["commission"] + 10 ** rng.uniform(-4.5, -2.3))


@_change("commission of one instrument", "fees", "signals", "weights", "stateful")
def _one_rate(plan: Plan, rng: np.random.Generator) -> Plan:
    own = dict.fromkeys(plan.bars, plan.options["commission"])
    return plan.changed(commission=own | {SYMBOLS[1]: plan.options["commission"] + 10 ** rng.uniform(-3.5, -2.3)})


@_change("commission per order", "fees")
def _per_order(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(commission=at.Fees(fixed=plan.options["cash"] * 10 ** rng.uniform(-5, -3.5)))


@_change("slippage", "fill price")
def _slippage(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(slippage=plan.options["slippage"] + 10 ** rng.uniform(-4.5, -2.3))


@_change("same close, not next open", "timing", "signals", "weights", "one")
def _same_close(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(fill="same_close")


@_change("next close, not next open", "fill price", "signals", "weights")
def _next_close(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(fill="next_close")


@_change("whole lots", "sizing")
def _lots(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(units="whole", lot_size=float(rng.choice([1.0, 5.0])))


@_change("initial cash", "initial cash")
def _cash(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(cash=plan.options["cash"] * float(rng.choice([0.5, 0.99, 1.01, 2.0])))


@_change("share of equity", "sizing", "signals", "stateful", "one")
def _share(plan: Plan, rng: np.random.Generator) -> Plan:
    if isinstance(plan.strategy, Bracket):
        return replace(plan, strategy=plan.strategy.with_params(share=plan.strategy.share * rng.uniform(0.4, 0.95)))
    size = float(rng.uniform(0.4, 0.95)) / plan.options["max_positions"]
    return replace(plan, strategy=plan.strategy.with_params(size=size))


@_change("one weight", "sizing", "weights")
def _weight(plan: Plan, rng: np.random.Generator) -> Plan:
    weights = plan.strategy.copy()
    weights[SYMBOLS[0]] *= float(rng.uniform(0.5, 0.9))
    return replace(plan, strategy=weights)


@_change("borrow", "borrow", "signals")
def _borrow(plan: Plan, rng: np.random.Generator) -> Plan | None:
    if plan.strategy.short_entry is None:
        return None
    return plan.changed(borrow=float(rng.uniform(0.01, 0.1)))


@_change("interest", "financing", "weights")
def _interest(plan: Plan, rng: np.random.Generator) -> Plan:
    return plan.changed(financing=float(rng.uniform(0.01, 0.1)))


@_change("dividends", "actions", "signals", "weights")
def _dividends(plan: Plan, rng: np.random.Generator) -> Plan:
    frame = plan.bars[SYMBOLS[0]]
    dates = frame.index[rng.choice(np.arange(30, len(frame)), 4, replace=False)].strftime("%Y-%m-%d")
    paid = {date: float(frame["close"].mean() * rng.uniform(0.002, 0.01)) for date in sorted(dates)}
    return plan.changed(actions={SYMBOLS[0]: Actions.of(dividends=paid)})


# --- bars ---


@_change("one price row", "data")
def _row(plan: Plan, rng: np.random.Generator) -> Plan:
    factor, which = float(rng.choice([0.9, 0.97, 1.03, 1.1])), SYMBOLS[0]

    def change(symbol: str, frame: pd.DataFrame) -> pd.DataFrame:
        if symbol != which:
            return frame
        frame = frame.copy()
        frame.iloc[len(frame) // 2, :4] *= factor
        return frame

    return plan.with_bars(change)


@_change("one ends earlier", "data")
def _shorter(plan: Plan, rng: np.random.Generator) -> Plan:
    left = int(rng.integers(1, 60))
    return plan.with_bars(lambda symbol, frame: frame.iloc[:-left] if symbol == SYMBOLS[0] else frame)


@_change("all begin later", "first bar", "signals", "stateful", "one")
def _later(plan: Plan, rng: np.random.Generator) -> Plan:
    cut = int(rng.integers(10, 100))
    return plan.with_bars(lambda _, frame: frame.iloc[cut:])


@_change("an instrument is not there", "data", "signals", "stateful")
def _absent(plan: Plan, rng: np.random.Generator) -> Plan:
    return replace(plan, bars={symbol: frame for symbol, frame in plan.bars.items() if symbol != SYMBOLS[0]})


# --- decisions ---


def signals_of(plan: Plan) -> dict[str, pd.DataFrame]:
    """Return the decisions of a plan's strategy as frames of bool, by symbol."""
    found: dict[str, dict[str, Any]] = {name: {} for name in ("entries", "exits", "short_entries", "short_exits")}
    index = next(iter(plan.bars.values())).index
    for symbol, frame in plan.bars.items():
        from algotrendy.backtest.setting import prepare
        from algotrendy.strategy.inputs import resolve

        setting = prepare(frame)
        words = resolve(plan.strategy, setting.bars, setting.arrays, None, setting.context).words
        bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little")[:, : len(frame)]
        for name, row in zip(found, bits, strict=True):
            found[name][symbol] = row.astype(bool)
    return {name: pd.DataFrame(columns, index=index) for name, columns in found.items()}


def _as_signals(plan: Plan, frames: dict[str, pd.DataFrame]) -> Plan:
    levels = {name: getattr(plan.strategy, name) for name in ("stop", "target", "trail", "size")}
    return replace(plan, strategy=at.Signals(**frames, **levels))


@_change("signals of one instrument a bar late", "timing", "signals")
def _late(plan: Plan, rng: np.random.Generator) -> Plan:
    frames = signals_of(plan)
    for frame in frames.values():
        frame[SYMBOLS[0]] = np.concatenate(([False], frame[SYMBOLS[0]].to_numpy()[:-1]))
    return _as_signals(plan, frames)


@_change("a trade dropped", "missed trades", "signals", "stateful", "one")
def _dropped(plan: Plan, rng: np.random.Generator) -> Plan | None:
    run = plan.run()
    trades = run.trade_columns
    if not len(trades["pnl"]):
        return None
    if isinstance(plan.strategy, Bracket):
        return replace(plan, strategy=plan.strategy.with_params(skip=int(rng.integers(len(trades["pnl"])))))
    which = int(rng.integers(len(trades["pnl"])))
    symbol = run.symbols[int(trades["instrument"][which])]
    first, last = int(trades["entry_at"][which]) - 1, int(trades["exit_at"][which])
    frames = signals_of(plan)
    for name in ("entries", "short_entries"):
        frames[name].iloc[first:last, frames[name].columns.get_loc(symbol)] = False
    return _as_signals(plan, frames)


@_change("all ties otherwise", "ties", "signals")
def _ties(plan: Plan, rng: np.random.Generator) -> Plan:
    lag = int(plan.strategy.parameters["n"])
    return replace(plan, strategy=at.Strategy(entry="close >= prev(close, n)", exit="close < prev(close, n)", n=lag))


def _on_ticks(plan: Plan, rng: np.random.Generator) -> Plan:
    bars = {symbol: frame.assign(**(frame[PRICES] * 2.0).round() / 2.0) for symbol, frame in plan.bars.items()}
    lag = int(rng.integers(2, 12))
    strategy = at.Strategy(entry="close > prev(close, n)", exit="close < prev(close, n)", n=lag)
    options = plan.options | {"max_positions": len(bars), "rank": None}
    return replace(plan, bars=bars, strategy=strategy, options=options)


# --- lists in which the account itself was kept otherwise ---


def bare(result: Any) -> pd.DataFrame:
    """Return the orders of a run as a broker would list them."""
    orders = result.orders[result.orders["reason"] != "split"]
    columns = {
        "time": orders["filled_at"],
        **({"symbol": orders["symbol"]} if "symbol" in orders else {}),
        "side": orders["side"].str.lower(),
        "quantity": orders["units"],
        "price": orders["price"],
        "commission": orders["commission"],
    }
    if result.metrics["borrow_paid"]:
        own = ledger_of(result) if isinstance(result, at.BacktestResult) else portfolio_ledger_of(result)
        members = own.members.values() if hasattr(own, "members") else [own]
        paid = {(fill.filled_at, fill.units): fill.borrow for member in members for fill in member.fills}
        sign = np.where(columns["side"] == "buy", 1.0, -1.0)
        keys = zip(columns["time"], sign * columns["quantity"], strict=True)
        columns["financing"] = [paid[key] for key in keys]
    return pd.DataFrame(columns).reset_index(drop=True)


def _gone(result: Any, orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame | None:
    """Leave out all rows of one instrument."""
    symbols = orders["symbol"].unique()
    return None if len(symbols) < 2 else orders[orders["symbol"] != rng.choice(symbols)]


def _rounded(result: Any, orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    tick = float(rng.choice([0.05, 0.25]))
    return orders.assign(price=(orders["price"] / tick).round() * tick)


def _dear(result: Any, orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Charge more for one instrument."""
    more = orders["quantity"] * orders["price"] * 10 ** rng.uniform(-3.5, -2.5)
    return orders.assign(commission=orders["commission"] + more.where(orders["symbol"] == SYMBOLS[0], 0.0))


def _forced(result: Any, orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame | None:
    """Close all that is open at the last close, at a cost."""
    units = result.positions.iloc[-1]
    held = units[units.abs() > 0.0]
    if not len(held):
        return None
    prices = dict(zip(result.symbols, result.last_prices[-1].tolist(), strict=True))
    rows = [
        {
            "time": result.index[-1],
            "symbol": symbol,
            "side": "sell" if quantity > 0.0 else "buy",
            "quantity": abs(quantity),
            "price": prices[symbol],
            "commission": abs(quantity) * prices[symbol] * 10 ** rng.uniform(-4, -2.5),
        }
        for symbol, quantity in held.items()
    ]
    return pd.concat([orders, pd.DataFrame(rows)], ignore_index=True)


LISTS["one instrument left out"] = ("missed trades", _gone)
LISTS["prices rounded"] = ("fill price", _rounded)
LISTS["one instrument charged more"] = ("fees", _dear)
LISTS["forced exit"] = ("forced exit", _forced)
KINDS = tuple((name, form) for name, (_, forms, _) in CHANGES.items() for form in forms) + tuple(
    (name, form) for name in LISTS for form in ("signals", "weights", "stateful")
)
"""What is changed, in which form of a backtest."""


# --- drawing ---


def draw(change: str, form: str, seed: int) -> Seeded:
    """Return one changed run of a kind and a form; the same seed gives the same."""
    rng = np.random.default_rng([seed, sorted(KINDS).index((change, form))])
    while True:
        found = _drawn(change, form, rng)
        if found is not None:
            return found


def _drawn(change: str, form: str, rng: np.random.Generator) -> Seeded | None:
    plan = base(form, rng)
    if change in LISTS:
        part, make = LISTS[change]
        run = plan.run()
        if run.metrics["borrow_paid"] or not len(run.orders):
            return None
        orders = make(run, bare(run), rng)
        if orders is None:
            return None
        final = worth(orders, run)
        seeded = Seeded(change, part, form, run, None, orders, plan.bars, run.cash, final, plan.strategy)
    else:
        part, _, alter = CHANGES[change]
        if part == "ties":
            plan = _on_ticks(plan, rng)
        elif part == "financing":
            plan = replace(plan, strategy=plan.strategy * 1.8).changed(max_leverage=2.0)
        altered = alter(plan, rng)
        if altered is None:
            return None
        run, other = plan.run(), altered.run()
        paid = float(other.metrics["borrow_paid"]) - float(other.trade_columns["borrow"].sum())
        final = float(other.metrics["final_equity"]) + paid  # a list shows borrow when the position is closed
        seeded = Seeded(change, part, form, run, other, bare(other), altered.bars, other.cash, final, plan.strategy)
    apart = abs(seeded.final_equity - seeded.run.metrics["final_equity"])
    return seeded if apart > SMALLEST * seeded.run.cash else None


def worth(orders: pd.DataFrame, result: Any) -> float:
    """Return what a list of orders adds up to."""
    signed = np.where(orders["side"] == "buy", 1.0, -1.0) * orders["quantity"]
    cash = result.cash - float((signed * orders["price"] + orders["commission"]).sum())
    held = signed.groupby(orders["symbol"]).sum()
    prices = dict(zip(result.symbols, result.last_prices[-1].tolist(), strict=True))
    return cash + sum(units * prices[symbol] for symbol, units in held.items() if abs(units) > 1e-9)


# --- naming ---

MODES = ("run", "list", "ledger")
"""Against a run, against a bare list of orders, and two bare ledgers of which nothing can be run again."""


def explained(seeded: Seeded, mode: str) -> DifferenceReport:
    """Explain a changed run in one of the modes."""
    known = {"strategy": seeded.strategy} if seeded.form == "one" else {}
    if mode == "run":
        return explain_difference(seeded.run, seeded.other, **known)
    options = {"bars": seeded.bars, "cash": seeded.cash, "final_equity": seeded.final_equity}
    if mode == "list":
        return explain_difference(seeded.run, seeded.orders, **options, **known)
    own = ledger_of(seeded.run) if seeded.form == "one" else portfolio_ledger_of(seeded.run)
    return explain_difference(own, seeded.orders, **options)


def missed(report: DifferenceReport) -> float:
    """Return how far the parts miss the gap, or the rest if that is more, as a share of the equity."""
    apart = max(abs(sum(part.amount for part in report.parts) - report.gap), abs(report.rest))
    return apart / max(abs(report.start), abs(report.end))


def usable(seeded: Seeded, mode: str) -> bool:
    """Tell whether a mode can tell: a list says nothing of dividends and interest, and needs a row."""
    if mode == "run":
        return seeded.other is not None
    return seeded.part not in ("actions", "financing") and len(seeded.orders) > 0


def main(count: int, first: int) -> None:
    """Print the table for so many seeds of each kind, from a first one on."""
    sys.stdout.write("| what was changed | part | run, run | run, list | ledger, list |\n|---|---|---|---|---|\n")
    total, worst = {mode: [0, 0] for mode in MODES}, 0.0
    for name in dict.fromkeys(name for name, _ in KINDS):
        forms = [form for other, form in KINDS if other == name]
        found = [draw(name, form, first + seed) for form in forms for seed in range(count)]
        cells = []
        for mode in MODES:
            chosen = [one for one in found if usable(one, mode)]
            reports = [explained(one, mode) for one in chosen]
            right = sum(one.part == report.largest.name for one, report in zip(chosen, reports, strict=True))
            worst = max([worst, *map(missed, reports)])
            total[mode][0] += right
            total[mode][1] += len(chosen)
            wrong = sorted(
                {
                    f"{report.largest.name} in {one.form}"
                    for one, report in zip(chosen, reports, strict=True)
                    if report.largest.name != one.part
                }
            )
            else_ = f" (else {', '.join(wrong)})" if wrong else ""
            cells.append(f"{right} of {len(chosen)}{else_}" if chosen else "-")
        sys.stdout.write(f"| {name} | {found[0].part} | {' | '.join(cells)} |\n")
    cells = [f"{right} of {count} ({right / count:.1%})" for right, count in total.values()]
    sys.stdout.write(f"| **all** | | {' | '.join(cells)} |\nlargest miss: {worst:.1e} of the equity\n")


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:3]]
    main(*given, *(3, 0)[len(given) :])
