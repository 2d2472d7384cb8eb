"""Stateful strategies: asked bar by bar they get what the plain reference gives, and what the other forms give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.portfolio import reference_orders
from algotrendy.backtest.portfolio.orders import COLUMNS, run_orders
from algotrendy.backtest.run import backtest
from algotrendy.backtest.stateful.loop import StatefulRun, run_bars
from algotrendy.domain.panel import Panel
from algotrendy.indicators import lookup, names
from algotrendy.indicators.registry import BAR_COLUMNS, is_builtin
from algotrendy.kernels.portfolio_types import CASH, EQUITY
from algotrendy.strategy import BarStrategy
from tests.property import test_portfolio_equals_reference as many

FILLS = ["next_open", "same_close", "next_close"]


cases = st.builds(
    many.Case,
    seed=st.integers(0, 2**32 - 1),
    n=st.sampled_from([1, 2, 3]),
    n_bars=st.sampled_from([5, 40, 65]),
    gaps=st.sampled_from(["none", "calendars", "holes", "ends"]),
    fill=st.sampled_from(FILLS),
    step=st.sampled_from([0.01, 0.03, 0.2]),
    fees=st.sampled_from([(0.0, 0.0, 0.0, 0.0), (0.001, 0.0, 0.0, 0.0), (0.0, 0.01, 1.0, 0.0), (0.0, 0.0, 0.0, 20.0)]),
    slippage=st.sampled_from([0.0, 0.001]),
    borrow=st.sampled_from([0.0, 5.0]),
    lot_size=st.sampled_from([0.0, 10.0]),
    max_leverage=st.sampled_from([1.0, 0.5, 3.0]),
    delisting_return=st.sampled_from([0.0, -0.3]),
)


class Wild(BarStrategy):
    """Does whatever can be done, by chance that depends on its seed and on the bar alone; keeps what it saw and did."""

    seed = 0
    lively = 1.0
    changes = 1
    step = 0.03
    lot = 1.0

    def start(self, ctx: Any) -> None:
        self.mine: list[Any] = []
        self.log: list[tuple[int, dict[str, Any], list[Any]]] = []

    def on_bar(self, ctx: Any) -> None:
        rng = np.random.default_rng([self.seed, ctx.number])
        views = list(ctx)
        positions = [one.position() for one in views]
        seen = {
            "cash": ctx.cash,
            "equity": ctx.equity,
            "units": [position.units for position in positions],
            "price": [position.price for position in positions],
            "open": [order.id for order in ctx.orders],
            "status": [order.status for order in self.mine],
        }
        for _ in range(rng.poisson(self.lively)):
            one = views[rng.integers(len(views))]
            if one.n_bars:
                self._act(one, rng)
        self.log.append((ctx.number, seen, [_snapshot(what, order) for what, order in ctx._account.actions]))

    def _act(self, one: Any, rng: np.random.Generator) -> None:
        what = rng.integers(9 if self.changes else 7)
        price = float(np.round(one.bar.close * np.exp(rng.normal(0.0, 2.0 * self.step)), 1)) + 0.1
        units, side = float(rng.integers(1, 40) * self.lot), float(rng.choice([-1.0, 1.0]))
        kind = str(rng.choice(["market", "limit", "stop"]))
        time = str(rng.choice(["DAY", "GTC"]))
        own = {"type": kind, **({f"{kind}_price": price} if kind != "market" else {}), "time_in_force": time}
        enter = one.buy if side > 0.0 else one.sell
        parent = self.mine[rng.integers(len(self.mine))] if self.mine else None
        if what == 0:
            self._keep(one.order(side * units, **own))
        elif what == 1:
            self._keep(one.order(size=side * float(rng.choice([0.1, 0.5])), **own))
        elif what == 2:
            spread = one.bar.close * (1.0 + side * 2.0 * self.step)
            amount = {"size": 0.4} if rng.random() < 0.5 else {"units": units}
            self._keep(enter(**amount, target_price=spread, stop_price=2.0 * one.bar.close - spread))
        elif what == 3:
            self._keep(one.close(**{f"{kind}_price": price} if kind != "market" else {}))
        elif what == 4:
            self._keep(one.order(side * units, **own, group=int(rng.integers(2))))
        elif what == 5 and parent is not None:
            self._keep(one.order(side * units, **own, parent=parent, reduce_only=bool(rng.random() < 0.5)))
        elif what == 6 and parent is not None:
            self._keep(one.order(None, **own, parent=parent, reduce_only=True))
        elif what == 7 and parent is not None:
            one.cancel(parent)
        elif what == 8 and parent is not None:
            name = f"{parent.type}_price"
            self._keep(one.replace(parent, **({name: price} if parent.type != "market" else {"units": units})))

    def _keep(self, order: Any) -> None:
        for each in (order, getattr(order, "stop", None), getattr(order, "target", None)):
            if each is not None and each not in self.mine:
                self.mine.append(each)


def _snapshot(what: str, order: Any) -> tuple[str, int, reference_orders.Request]:
    """What was done, as the reference takes it: parents may be put in other places later on."""
    measure = "share" if order.size is not None else "units" if order.units is not None else "parent"
    units = order.size if order.size is not None else order.units
    request = reference_orders.Request(
        placed_at=order.placed_at,
        instrument=order.place,
        units=order.sign * np.inf if units is None else units,
        kind=order.type,
        price=order.limit_price or order.stop_price or 0.0,
        is_day=order.time_in_force == "DAY",
        parent=None if order.parent is None else order.parent.id,
        group=order.group,
        measure=measure,
        reduces=order.reduce_only,
    )
    return what, order.id, request


def _actions(done: list[tuple[str, int, reference_orders.Request]]) -> list[reference_orders.Action]:
    actions, replaced = [], -1
    for what, number, request in done:
        if what == "replace":
            replaced = number
        elif what == "cancel":
            actions.append(reference_orders.Action("cancel", number))
        else:
            actions.append(reference_orders.Action("place" if replaced < 0 else "replace", replaced, request))
            replaced = -1
    return actions


def wild_run(case: Any, *, changes: bool = True, panel: Panel | None = None) -> StatefulRun:
    account = many.account_for(case, panel)
    account.__dict__["sessions"] = np.arange(account.n_bars) // 3
    wild = Wild(seed=case.seed, lively=1.5, changes=int(changes), step=case.step, lot=case.lot_size or 1.0)
    return run_bars(wild, account)


@given(case=cases)
def test_what_is_ordered_bar_by_bar_is_worked_as_by_the_reference(case: Any) -> None:
    done = wild_run(case)
    account, log = done.ledger.account, {number: (seen, did) for number, seen, did in done.strategy.log}  # type: ignore[attr-defined]

    def decide(i: int, desk: reference_orders.Desk) -> list[reference_orders.Action]:
        if i not in log:
            return []
        seen, did = log[i]
        prices = desk.account.prices(i, "close")
        assert seen["cash"] == many.money(desk.account.cash)
        assert seen["equity"] == many.money(desk.account.equity(prices))
        assert seen["units"] == many.money([position.units for position in desk.account.positions], 1.0)
        assert seen["price"] == many.money(
            [position.price if position.units else np.nan for position in desk.account.positions], 1.0
        )
        assert seen["open"] == [k for k, state in enumerate(desk.state) if state.status in ("placed", "working")]
        return _actions(did)

    expected, ends = reference_orders.simulate_decisions(
        many.reference_bars(account),
        decide,
        account.sessions.tolist(),
        many.reference_terms(account),
        many.reference_options(account),
    )
    assert done.requests["status"].tolist() == ends
    many.assert_same(done.ledger, expected)


@given(case=cases)
def test_orders_given_at_once_are_filled_as_they_were_bar_by_bar(case: Any) -> None:
    done = wild_run(case, changes=False)
    assume(len(done.orders))
    frame = done.requests[[name for name in COLUMNS if name in done.requests]]
    again, requests = run_orders(done.ledger.account, frame)
    np.testing.assert_array_equal(again.fills.places, done.ledger.fills.places)
    np.testing.assert_array_equal(again.fills.money, done.ledger.fills.money)
    np.testing.assert_array_equal(again.curve, done.ledger.curve)
    assert requests["status"].tolist() == done.requests["status"].tolist()


@given(case=cases, share=st.floats(0.2, 1.0))
def test_later_bars_change_nothing_that_was_seen_or_done_before(case: Any, share: float) -> None:
    assume(case.gaps in ("none", "calendars"))
    whole = wild_run(case)
    valid = whole.ledger.account.market.valid
    n = max(4, round(share * case.n_bars))
    while n > 4 and not valid[n - 1].all():  # a cut inside a gap would take the gap for an end
        n -= 1
    assume(valid[n - 1].all() and (valid[:n].sum(axis=0) >= 2).all())
    frames = {
        symbol: whole.ledger.account.settings[j].bars[whole.ledger.account.rows[j] < n]
        for j, symbol in enumerate(whole.ledger.account.panel.symbols)
    }
    part = wild_run(case, panel=Panel.of(frames))
    np.testing.assert_array_equal(part.ledger.curve, whole.ledger.curve[:, :n])
    count = len(part.ledger.fills.places)
    np.testing.assert_array_equal(part.ledger.fills.places, whole.ledger.fills.places[:count])
    assert repr(part.strategy.log) == repr(whole.strategy.log[: len(part.strategy.log)])  # type: ignore[attr-defined]


@given(case=cases)
def test_cash_and_positions_add_up_to_equity_at_every_bar(case: Any) -> None:
    ledger = wild_run(case).ledger
    orders, mark = ledger.order_columns, ledger.account.market.mark
    units = np.zeros(mark.shape)
    np.add.at(units, (orders["filled_at"], orders["instrument"]), orders["units"])
    worth = np.cumsum(units, axis=0) * mark
    scale = 100_000.0 + np.abs(worth).sum(axis=1)
    assert (np.abs(ledger.curve[EQUITY] - ledger.curve[CASH] - worth.sum(axis=1)) <= 1e-9 * scale).all()


class Twin(BarStrategy):
    """The crossing of two averages, all-in, of the library, if wanted on both sides."""

    fast = 3
    slow = 8
    both = 0

    def start(self, ctx: Any) -> None:
        self.averages = [(one.symbol, one.indicator("sma", self.fast), one.indicator("sma", self.slow)) for one in ctx]

    def on_bar(self, ctx: Any) -> None:
        for symbol, fast, slow in self.averages:
            one = ctx[symbol]
            if not one.has_bar:
                continue
            side, share = one.position().side, 1.0 / len(ctx)
            if fast.value > slow.value and side != "long":
                one.buy(size=share)
            elif self.both and fast.value < slow.value and side != "short":
                one.sell(size=share)
            elif not self.both and fast.value <= slow.value and side == "long":
                one.close()


@given(
    seed=st.integers(0, 1000),
    fill=st.sampled_from(FILLS),
    costs=st.sampled_from(
        [{}, {"commission": 0.002, "slippage": 0.001, "borrow": 0.05}, {"commission": at.Fees(minimum=5.0)}]
    ),
    both=st.booleans(),
    whole=st.booleans(),
)
@settings(max_examples=30)
def test_a_twin_of_a_strategy_of_texts_is_that_strategy(
    seed: int, fill: str, costs: dict[str, Any], both: bool, whole: bool
) -> None:
    bars = at.synthetic(n=150, seed=seed)
    short = {"short_entry": "sma(close, 3) < sma(close, 8)", "short_exit": "sma(close, 3) >= sma(close, 8)"}
    text = at.Strategy("sma(close, 3) > sma(close, 8)", "sma(close, 3) <= sma(close, 8)", **(short if both else {}))
    options = {"fill": fill, "units": "whole" if whole else "fractional", **costs}
    expected, found = backtest(text, bars, **options), backtest(Twin(both=int(both)), bars, **options)
    np.testing.assert_allclose(found.equity_values, expected.equity_values, rtol=1e-9)
    for name in ("decided_at", "filled_at"):
        np.testing.assert_array_equal(found.order_columns[name], expected.order_columns[name])
    for name in ("units", "price", "commission", "slippage"):
        np.testing.assert_allclose(found.order_columns[name], expected.order_columns[name], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.units_values, expected.units_values, rtol=1e-9)
    for name, value in expected.metrics.items():
        if isinstance(value, float):
            assert found.metrics[name] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), name


# --- readings ---


class Listener(BarStrategy):
    """Asks for every built-in indicator, of the first instrument at once and of the others some bars later."""

    late = 7

    def start(self, ctx: Any) -> None:
        self.kept = {one.symbol: self._ask(one) for one in list(ctx)[:1]}

    def on_bar(self, ctx: Any) -> None:
        if ctx.number == self.late:
            self.kept |= {one.symbol: self._ask(one) for one in list(ctx)[1:]}

    def _ask(self, one: Any) -> dict[str, Any]:
        found = {}
        for name in names():
            spec = lookup(name)
            if is_builtin(spec):
                found[name] = one.indicator(name, **_parameters(spec))
        return found


def _parameters(spec: Any) -> dict[str, float]:
    return {info.name: 3 + k for k, info in enumerate(spec.parameters) if info.default is None}


@pytest.mark.parametrize("interval", ["1d", "1h"])
def test_indicators_bar_by_bar_are_those_of_the_batch_to_the_last_bit(interval: str) -> None:
    frames = {"A": at.synthetic(n=90, seed=1, interval=interval), "B": at.synthetic(n=90, seed=2, interval=interval)}
    frames["B"] = frames["B"].drop(frames["B"].index[[3, 20, 21, 50]])
    account = many.account_of(Panel.of(frames))
    kept = run_bars(Listener(), account).strategy.kept  # type: ignore[attr-defined]
    for own, symbol in zip(account.settings, frames, strict=True):
        columns = own.arrays._asdict() | {"session": own.context.sessions()}
        assert len(kept[symbol]) > 30
        for name, reading in kept[symbol].items():
            spec = lookup(name)
            series = [columns[each if each in (*BAR_COLUMNS, "session") else "close"] for each in spec.inputs]
            expected = spec.compute(*series, **spec.bind(_parameters(spec)))
            np.testing.assert_array_equal(reading.past(), expected, err_msg=name)
            np.testing.assert_array_equal(reading.value, expected[-1])


# --- sweeps and walks ---


GRID = {"fast": [2, 4], "slow": [8, 12]}


@pytest.mark.parametrize("count", [1, 2])
def test_rows_of_a_sweep_are_single_runs_whatever_the_number_of_workers(count: int) -> None:
    bars: Any = at.synthetic(n=120, seed=1)
    if count == 2:
        bars = {"A": bars, "B": at.synthetic(n=120, seed=2)}
    tables = [
        at.optimize(Twin(), bars, GRID, workers=workers, progress=False, commission=0.001).table for workers in (1, 2)
    ]
    pd.testing.assert_frame_equal(*tables)
    for row in tables[0].to_dict("records"):
        single = backtest(Twin(fast=row["fast"], slow=row["slow"]), bars, commission=0.001).metrics
        for name in ("final_equity", "sharpe_ratio", "max_drawdown", "n_trades"):
            assert row[name] == single[name]


@pytest.mark.parametrize("fill", FILLS)
def test_a_walk_is_that_of_its_twin_of_texts(fill: str) -> None:
    bars = at.synthetic(n=260, seed=3)
    options = {"training": 100, "testing": 40, "step": 30, "workers": 1, "progress": False, "fill": fill}
    costs = {"commission": 0.001, "slippage": 0.001}
    walk = at.walk_forward(Twin(), bars, GRID, **options, **costs)
    expected = at.walk_forward(at.strategies.sma_cross(), bars, GRID, **options, **costs)
    np.testing.assert_allclose(walk.equity, expected.equity, rtol=1e-9)
    pd.testing.assert_frame_equal(walk.windows, expected.windows, rtol=1e-9, check_dtype=False)
    for name, value in expected.metrics.items():
        if isinstance(value, float):
            assert walk.metrics[name] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), name


class Fixed(BarStrategy):
    """Trades fixed numbers of units, so that what a window does depends on the cash it began with."""

    amount = 100
    every = 7

    def start(self, ctx: Any) -> None:
        self.heard = 0

    def observe(self, ctx: Any) -> None:
        self.heard += 1
        assert self.heard == ctx.number + 1

    def on_bar(self, ctx: Any) -> None:
        if ctx.number % self.every == 0 and not ctx.position():
            ctx.buy(units=self.amount, stop_price=ctx.bar.close * 0.97)
        elif ctx.number % self.every == 3:
            ctx.close()


def test_windows_of_a_walk_are_separate_runs() -> None:
    bars = at.synthetic(n=300, seed=5)
    options = {"training": 100, "testing": 50, "progress": False}
    walk = at.walk_forward(
        Fixed(), bars, {"amount": [50, 100], "every": [5, 7]}, workers=2, commission=0.001, **options
    )
    worth = 100_000.0
    for row in walk.windows.to_dict("records"):
        first, last = bars.index.get_loc(row["test_start"]), bars.index.get_loc(row["test_end"])
        chosen = Fixed(amount=row["amount"], every=row["every"])
        account = many.account_of(Panel.of(bars.iloc[: last + 1]), commission=0.001)
        ledger = run_bars(chosen, account, asked=(first - 1, last)).ledger
        equity = ledger.curve[EQUITY, first:].copy()
        held = float(np.sum(ledger.order_columns["units"]))
        equity[-1] -= 0.001 * abs(held) * float(bars["close"].iloc[last])
        expected = worth * equity / 100_000.0
        np.testing.assert_allclose(walk.equity[bars.index[first : last + 1]], expected, rtol=1e-12)
        assert row["total_return"] == pytest.approx(equity[-1] / 100_000.0 - 1.0, abs=1e-12)
        worth = expected[-1]
    np.testing.assert_allclose(walk.out_of_sample.cash, 100_000.0)
    orders, held = walk.out_of_sample.order_columns, walk.out_of_sample.units_values
    assert held[-1] == 0.0
    spent = np.sum(orders["units"] * orders["price"] + orders["commission"])
    assert walk.equity.iloc[-1] == pytest.approx(100_000.0 - spent, rel=1e-9)


def test_a_walk_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    bars = at.synthetic(n=300, seed=5)
    options: dict[str, Any] = {"training": 100, "testing": 50, "progress": False, "workers": 1}
    file = tmp_path / "walk.journal"
    first = at.walk_forward(Fixed(), bars, {"every": [5, 7]}, checkpoint=file, **options)
    again = at.walk_forward(Fixed(), bars, {"every": [5, 7]}, checkpoint=file, **options)
    pd.testing.assert_series_equal(first.equity, again.equity)
    pd.testing.assert_frame_equal(first.out_of_sample.trades, again.out_of_sample.trades)
