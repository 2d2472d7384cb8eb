"""Orders in accounts with extras: the best and the worst run, against every path and every combination of outcomes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.fill_search import stated_way
from algotrendy.backtest.portfolio.again import account_again, arguments_of
from algotrendy.backtest.portfolio.paths_desk import FullPathDesk
from algotrendy.backtest.portfolio.paths_orders import fates, orders_way
from algotrendy.backtest.portfolio.reference import Bars, Options, Terms
from algotrendy.backtest.portfolio.reference_extras import Extra, FullAccount, Step
from algotrendy.backtest.portfolio.reference_orders import Request
from algotrendy.backtest.reference_paths import consistent_paths
from algotrendy.backtest.stateful.paths import stateful_way
from algotrendy.domain.actions import Actions
from algotrendy.strategy import BarStrategy
from tests.property import test_fill_interval_portfolios as plain

FEW = max(settings().max_examples // 4, 1)
KINDS = ("actions", "margin", "financing", "participation", "tick_size", "fine_bars")


# --- inside one bar ---


def by_path(steps: list[tuple[Step, list[float]]], desk: FullPathDesk, tick: float) -> FullPathDesk:
    """Walk a path in small steps, and fill what the price comes to; at a finer open what lies beyond it."""
    desk = desk.copied()
    for _, path in steps:
        touch(desk, path[0], tick)
        for start, end in pairwise(path):
            step = 1.0 if end >= start else -1.0
            price = start
            while price != end:
                price += step
                touch(desk, price, tick)
    return desk


def touch(desk: FullPathDesk, price: float, tick: float) -> None:
    again = True
    while again:
        again = False
        for k in desk.ready(1):
            request, state = desk.requests[k], desk.state[k]
            if request.kind == "market" or state.triggered:
                continue
            buys, level = request.units > 0, request.price
            on_tick = level if not tick else tick * (level // tick if buys else -(-level // tick))
            rests = on_tick if request.kind == "limit" else level
            if (price >= rests) if (request.kind == "stop") == buys else (price <= rests):
                stop = level if not tick else tick * (-(-level // tick) if buys else level // tick)
                at_level = stop if request.kind == "stop" else rests
                desk.fill(k, 1, at_level if price == rests else price, "inside")
                again = True
                break


steps_of_bars = st.lists(
    st.tuples(st.integers(92, 100), st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=2
)


@given(
    prices=steps_of_bars,
    orders=plain.requests,
    tick=st.sampled_from([0.0, 2.0, 3.0]),
    cap=st.sampled_from([None, 1.0, 2.0]),
)
def test_the_fates_of_orders_are_those_of_all_paths_through_all_finer_bars(
    prices: Any, orders: Any, tick: float, cap: float | None
) -> None:
    made = [
        Request(
            placed_at=0,
            instrument=0,
            units=units,
            kind=kind,
            price=price,
            parent=parent if parent is not None and parent < k else None,
            group=group,
            measure="parent" if parent is not None and parent < k and units == 2.0 else "units",
            reduces=parent is not None and parent < k,
        )
        for k, (kind, price, units, group, parent) in enumerate(orders)
    ]
    steps = []
    for k, (low, height, first, last) in enumerate(prices):
        own = (low + first % (height + 1), low + height, low, low + last % (height + 1))
        steps.append(Step(*map(float, own), turn=k))
    whole = Step(steps[0].open, max(s.high for s in steps), min(s.low for s in steps), steps[-1].close)
    bars = Bars(*([100.0, price] for price in whole[:4]))
    extra = Extra(tick=tick, caps=None if cap is None else [0.0, cap], fine={1: steps} if len(steps) > 1 else {})
    account = FullAccount([bars], [Terms()], Options(cash=1e6)).with_extras([extra], [0.0, 0.0])
    desk = FullPathDesk(account, made, [0, 1])
    desk.place(0)
    desk.begin(1)
    ways: list[list[tuple[Step, list[float]]]] = [[]]
    for step in steps:
        turns = [float(price) for price in range(int(step.low) + 1, int(step.high))]
        paths = list(consistent_paths((step.open, step.high, step.low, step.close), 0, turns))
        ways = [[*way, (step, path)] for way in ways for path in paths]
    expected = {by_path(way, desk, tick).fate() for way in ways[:3000]}
    found = {each.fate() for each in fates(desk, 1, 0)}
    assert expected <= found  # paths of more turns may come to more
    if len(made) == 1:
        assert found == expected


# --- whole runs ---


def case(seed: int, kinds: tuple[str, ...], n: int, names: str) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Bars made of finer ones, and options of an account."""
    fine = {name: plain.wild(seed + 7 * k, 3 * n) for k, name in enumerate(names)}
    stamps = pd.date_range("2024-01-01", periods=3 * n, freq="8h", tz="UTC")
    fine = {name: frame.set_axis(stamps).assign(volume=300.0) for name, frame in fine.items()}
    rules: dict[str, Any] = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    bars = {name: frame.resample("1D").agg(rules) for name, frame in fine.items()}
    day = str(stamps[3 * (n // 2)].date())
    chosen = {
        "actions": {"A": Actions.of(splits={day: 2.0}, dividends={day: 0.7})},
        "margin": (0.45, 0.4),
        "financing": 0.5,
        "participation": 0.15,
        "tick_size": 0.3,
        "fine_bars": fine,
    }
    return bars, {name: chosen[name] for name in kinds}


kinds = st.sets(st.sampled_from(KINDS), max_size=3).map(lambda found: tuple(sorted(found)))


@settings(max_examples=FEW)
@given(seed=st.integers(0, 2**16), kinds=kinds, fill=st.sampled_from(["next_open", "same_close", "next_close"]))
def test_of_orders_nothing_lies_outside_and_the_stated_run_is_the_backtest(
    seed: int, kinds: tuple[str, ...], fill: str
) -> None:
    n = 5
    bars, extras = case(seed, kinds, n, "A")
    result = run(bars, orders=orders_for(bars, seed), fill=fill, max_leverage=2.0, **extras)
    arguments = arguments_of(result)
    account, _ = account_again(arguments)
    way = stated_way(orders_way(account, arguments["orders"]), n)
    assert way.equity == pytest.approx(result.equity_values.tolist(), rel=1e-12)
    every = [*plain.ends(orders_way(account, arguments["orders"]), n), way.equity[-1]]
    found, narrow = result.fill_interval(keep=plain.ALL), result.fill_interval(keep=1)
    assert found.is_exact
    assert found.best.final_equity == pytest.approx(max(every), rel=1e-9)
    assert found.worst.final_equity == pytest.approx(min(every), rel=1e-9)
    assert found.worst.final_equity - 1e-9 <= narrow.worst.final_equity <= narrow.best.final_equity
    assert narrow.best.final_equity <= found.best.final_equity + 1e-9


@settings(max_examples=FEW)
@given(seed=st.integers(0, 2**16), kinds=kinds, fill=st.sampled_from(["next_open", "same_close"]))
def test_of_a_stateful_strategy_nothing_lies_outside(seed: int, kinds: tuple[str, ...], fill: str) -> None:
    n = 5
    bars, extras = case(seed, kinds, n, "A")
    result = run(plain.Dip(), bars, fill=fill, commission=0.001, **extras)
    account, _ = account_again(arguments_of(result))
    way = stated_way(stateful_way(plain.Dip(), account, {}), n)
    assert way.equity == pytest.approx(result.equity_values.tolist(), rel=1e-12)
    every = [*plain.ends(stateful_way(plain.Dip(), account, {}), n), way.equity[-1]]
    found = result.fill_interval(keep=plain.ALL)
    assert found.is_exact
    assert found.best.final_equity == pytest.approx(max(every), rel=1e-9)
    assert found.worst.final_equity == pytest.approx(min(every), rel=1e-9)


class Notes(BarStrategy):
    """Writes down all that it sees, with orders that are filled in parts and follow a split."""

    def start(self, ctx: Any) -> None:
        self.seen: list[Any] = []

    def on_bar(self, ctx: Any) -> None:
        for view in ctx:
            position, bar = view.position(), view.bar
            fills = [(fill.units, fill.price, fill.reason) for fill in view.fills]
            orders = [(each.id, each.status, each.units, each.rest, each.filled_units) for each in view.orders]
            self.seen += [ctx.cash, ctx.equity, position.units, position.price, position.profit, bar.close]
            self.seen += [number for fill in fills for number in fill[:2]]
            self.seen += [-1.0 if number is None else number for each in orders for number in (each[0], *each[2:])]
            if not position and not view.orders:
                view.buy(60, limit_price=bar.close * 0.999, stop_price=bar.close * 0.9, target_price=bar.close * 1.2)


@settings(max_examples=FEW)
@given(seed=st.integers(0, 2**16), kinds=kinds)
def test_on_the_stated_way_a_strategy_sees_what_it_sees_in_the_backtest(seed: int, kinds: tuple[str, ...]) -> None:
    from algotrendy.backtest.stateful.loop import run_bars

    bars, extras = case(seed, kinds, 12, "AB")
    result = run(Notes(), bars, max_leverage=3.0, **extras)
    account, _ = account_again(arguments_of(result))
    way: Any = stated_way(stateful_way(Notes(), account, {}), 12)
    seen: Any = run_bars(Notes(), account).strategy
    assert way.mind.strategy.seen == pytest.approx(seen.seen, rel=1e-9, abs=1e-9, nan_ok=True)


def orders_for(bars: dict[str, pd.DataFrame], seed: int) -> pd.DataFrame:
    """Entries of both kinds with brackets that are narrower than a bar."""
    rng, rows = np.random.default_rng(seed), []
    for name, frame in bars.items():
        for k, at_bar in enumerate(sorted(rng.choice(len(frame) - 1, 2, replace=False))):
            close, side = float(frame["close"].iloc[at_bar]), float(rng.choice([-1.0, 1.0]))
            kind = str(rng.choice(["limit", "stop", "market"]))
            entry = close * (1.0 + side * 0.004 * (1 if kind == "stop" else -1))
            number, time = f"{name}{k}", frame.index[at_bar]
            base = {"time": time, "symbol": name, "type": kind, "id": number}
            price = {} if kind == "market" else {f"{kind}_price": entry}
            rows.append(base | price | {"quantity": side * float(rng.integers(100, 500))})
            leg = {"time": time, "symbol": name, "parent": number, "group": number, "reduce_only": True}
            rows.append(leg | {"type": "stop", "stop_price": entry * (1.0 - side * 0.012)})
            rows.append(leg | {"type": "limit", "limit_price": entry * (1.0 + side * 0.012)})
    return pd.DataFrame(rows)


def run(*given: Any, **options: Any) -> Any:
    call: Any = at.backtest  # overloads do not see through mappings
    return call(*given, **options)
