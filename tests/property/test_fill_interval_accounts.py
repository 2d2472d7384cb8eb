"""Orders in accounts with extras: the best and the worst run, against every path and every combination of outcomes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.fill_search import stated_way
from algotrendy.backtest.portfolio.again import account_again, arguments_of
from algotrendy.backtest.portfolio.paths_desk import FullPathDesk
from algotrendy.backtest.portfolio.paths_orders import OrdersWay, fates, orders_way
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
        touch(desk, path[0], tick, is_open=True)
        for start, end in pairwise(path):
            step = 1.0 if end >= start else -1.0
            price = start
            while price != end:
                price += step
                touch(desk, price, tick)
    return desk


def touch(desk: FullPathDesk, price: float, tick: float, *, is_open: bool = False) -> None:
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
                desk.fill(k, 1, at_level if price == rests and not is_open else price, "inside")
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


# --- finer bars that are whole ---


class OnPaths(OrdersWay):
    """A run on paths alone: the stated rule may be on none."""

    def outcomes(self, i: int, j: int) -> list[Any]:
        return list(fates(self.desk, i, j))

    def divided(self) -> OnPaths:
        other = OnPaths(self.desk.copied(), only_equal=self.only_equal)
        other.equity = list(self.equity)
        return other


def whole_bars(seed: int, n: int, *, straight: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Finer bars that each open where the one before closed, and the bars of three of them; straight ones only rise or
    only fall."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.012, 3 * n)))
    open_ = np.concatenate(([100.0], close[:-1]))
    reach = 0.0 if straight else 0.01
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0.0, reach, 3 * n)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0.0, reach, 3 * n)))
    stamps = pd.date_range("2024-01-01", periods=3 * n, freq="8h", tz="UTC")
    fine = pd.DataFrame({"open": open_, "high": high, "low": low, "close": close}, index=stamps)
    rules: dict[str, Any] = {"open": "first", "high": "max", "low": "min", "close": "last"}
    return fine, fine.resample("1D").agg(rules)


@settings(max_examples=FEW)
@given(seed=st.integers(0, 2**16))
def test_paths_of_whole_finer_bars_are_paths_of_the_bars(seed: int) -> None:
    fine, bars = whole_bars(seed, 4, straight=False)
    orders = orders_for({"A": bars}, seed)
    ends = []
    for options in ({}, {"fine_bars": {"A": fine}}):
        arguments = arguments_of(run({"A": bars}, orders=orders, max_leverage=9.0, **options))
        account, _ = account_again(arguments)
        desk = orders_way(account, orders).desk
        ends.append(plain.ends(OnPaths(desk, only_equal=False), 4))
    (coarse, finer) = ends
    assert min(coarse) - 1e-6 <= min(finer)
    assert max(finer) <= max(coarse) + 1e-6


@settings(max_examples=4 * FEW)
@given(seed=st.integers(0, 2**16))
def test_fills_on_finer_bars_lie_within_the_interval_of_the_bars(seed: int) -> None:
    """Of one bracket the stated rule takes a path that goes straight through finer bars that only rise or only fall.

    The target of a bracket that is entered at a stop is tested from the next finer bar on, which may open beyond it.
    """
    fine, bars = whole_bars(seed, 6, straight=True)
    orders = orders_for({"A": bars}, seed).iloc[:3]
    assume(orders["type"].iloc[0] != "stop")
    found = run({"A": bars}, orders=orders, max_leverage=9.0).fill_interval(keep=plain.ALL)
    finer = run({"A": bars}, orders=orders, max_leverage=9.0, fine_bars={"A": fine})
    assert found.is_exact
    assert found.worst.final_equity - 1e-6 <= float(finer.equity_values[-1]) <= found.best.final_equity + 1e-6
    again = finer.fill_interval(keep=plain.ALL)
    assert found.worst.final_equity - 1e-6 <= again.worst.final_equity
    assert again.best.final_equity <= found.best.final_equity + 1e-6


# --- instrument by instrument ---


def several_orders(seed: int, n: int, scale: float = 1.0) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    bars = {name: plain.wild(seed + 7 * k, n) for k, name in enumerate("ABC")}
    orders = orders_for(bars, seed)
    return bars, orders.assign(quantity=orders["quantity"] * scale)


@settings(max_examples=FEW)
@given(seed=st.integers(0, 2**16), fees=st.sampled_from([0.0, 5.0]), borrow=st.sampled_from([0.0, 0.5]))
def test_where_nothing_is_refused_the_extremes_of_the_instruments_add_up(seed: int, fees: float, borrow: float) -> None:
    bars, orders = several_orders(seed, 4, 0.1)
    options = {"commission": at.Fees(rate=0.001, fixed=fees), "borrow": borrow, "max_leverage": 2.0}
    result = run({name: bars[name] for name in "AB"}, orders=orders[orders["symbol"] != "C"], **options)
    arguments = arguments_of(result)
    account, _ = account_again(arguments)
    every = plain.ends(orders_way(account, arguments["orders"]), 4)
    stated = float(result.equity_values[-1])
    found = result.fill_interval(keep=1)
    assert found.kind == "exact"
    assert found.best.final_equity == pytest.approx(max(*every, stated), rel=1e-9)
    assert found.worst.final_equity == pytest.approx(min(*every, stated), rel=1e-9)
    for end in (found.best, found.worst):
        paid = sum(fill.units * fill.price + fill.commission for fill in end.orders)
        held = {j: sum(fill.units for fill in end.orders if fill.instrument == j) for j in (0, 1)}
        worth = sum(units * float(bars["AB"[j]]["close"].iloc[-1]) for j, units in held.items())
        if not borrow:
            assert end.final_equity == pytest.approx(100_000.0 - paid + worth, rel=1e-9)


@settings(max_examples=FEW)
@given(seed=st.integers(0, 2**16), leverage=st.sampled_from([0.3, 0.6, 1.0]))
@example(seed=59093, leverage=0.3)  # an order fits once the position in the other instrument has been left
def test_where_orders_may_be_refused_no_run_leaves_the_bound(seed: int, leverage: float) -> None:
    bars, orders = several_orders(seed, 4)
    result = run({name: bars[name] for name in "AB"}, orders=orders[orders["symbol"] != "C"], max_leverage=leverage)
    arguments = arguments_of(result)
    account, _ = account_again(arguments)
    every = plain.ends(orders_way(account, arguments["orders"]), 4)
    found = result.fill_interval(keep=1)
    assert found.outer is not None
    assert found.outer[0] - 1e-6 <= min(every)
    assert max(every) <= found.outer[1] + 1e-6
    assert found.outer[0] <= found.worst.final_equity <= found.best.final_equity <= found.outer[1]


def test_an_interval_says_what_it_is() -> None:
    bars, orders = several_orders(3, 12)
    exact = run(bars, orders=orders, max_leverage=20.0).fill_interval(keep=2)
    assert (exact.kind, exact.outer) == ("exact", (exact.worst.final_equity, exact.best.final_equity))
    bounded = run(bars, orders=orders, max_leverage=0.6).fill_interval(keep=2)
    assert bounded.kind == "bounded"
    assert "nothing lies outside" in bounded.summary()
    search = run(plain.Dip(), bars).fill_interval(keep=1)
    assert (search.kind, search.outer, search.to_dict()["outer"]) == ("search", None, None)
    assert "more than could be followed" in search.summary()


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
