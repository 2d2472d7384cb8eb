"""The fast engine gives the orders of the plain reference exactly, and its money to 1e-9, on every convention."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from algotrendy.backtest import engine, reference
from algotrendy.backtest.costs import Fees
from algotrendy.backtest.engine import Options, Run, run
from algotrendy.backtest.engine_metrics import metrics_of
from algotrendy.kernels.bars import BarArrays
from algotrendy.kernels.orders import walk
from algotrendy.kernels.orders_types import REASONS, Exits, Orders, empty_orders, orders_max
from algotrendy.kernels.statistics import statistics
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy.inputs import RunInputs

LEVELS = ("stop", "target", "trail")
REL = 1e-9


@dataclass(frozen=True)
class Case:
    """One backtest: conventions that Hypothesis chooses, and a seed for bars, signals and levels."""

    seed: int = 0
    n: int = 60
    fill: str = "next_open"
    direction: str = "both"
    levels: frozenset[str] = frozenset()
    per_bar: bool = False
    lively: float = 0.3
    reach: float = 1.0
    step: float = 0.02
    gaps: bool = True
    ticks: bool = True
    fees: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    slippage: float = 0.0
    borrow: float = 0.0
    lot_size: float = 0.0
    max_leverage: float = 1.0
    size: float = 1.0
    fixed_units: bool = False
    risk_free_rate: float = 0.0
    session: int = 1


cases = st.builds(
    Case,
    seed=st.integers(0, 2**32 - 1),
    n=st.sampled_from([1, 2, 3, 15, 16, 17, 63, 64, 65, 100, 150, 300]),
    fill=st.sampled_from(["next_open", "same_close", "next_close"]),
    direction=st.sampled_from(["long", "short", "both"]),
    levels=st.frozensets(st.sampled_from(LEVELS)),
    per_bar=st.booleans(),
    lively=st.sampled_from([0.01, 0.03, 0.3, 0.7]),
    reach=st.sampled_from([1.0, 5.0]),
    step=st.sampled_from([0.005, 0.02, 0.1, 0.4]),
    gaps=st.booleans(),
    ticks=st.booleans(),
    fees=st.sampled_from(
        [
            (0.0, 0.0, 0.0, 0.0),
            (0.001, 0.0, 0.0, 0.0),
            (0.0, 0.01, 0.0, 1.0),
            (0.002, 0.01, 1.0, 0.0),
            (0.0, 0.0, 0.0, 20.0),
        ]
    ),
    slippage=st.sampled_from([0.0, 0.001, 0.03]),
    borrow=st.sampled_from([0.0, 0.02, 5.0]),
    lot_size=st.sampled_from([0.0, 1.0, 0.25]),
    max_leverage=st.sampled_from([1.0, 0.5, 3.0]),
    size=st.sampled_from([1.0, 0.3, 2.5]),
    fixed_units=st.booleans(),
    risk_free_rate=st.sampled_from([0.0, 0.05, -0.01]),
    session=st.sampled_from([1, 7]),
)


def bars_of(case: Case, rng: np.random.Generator) -> BarArrays:
    """Random bars; with `ticks` prices lie on a coarse grid, so that touches and ties are common."""
    n = case.n
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, case.step, n)))
    gap = rng.normal(0.0, case.step, n) if case.gaps else np.zeros(n)
    open_ = np.concatenate(([100.0], close[:-1])) * np.exp(gap)
    high = np.maximum(open_, close) * (1.0 + np.abs(rng.normal(0.0, case.step, n)) * (rng.random(n) < 0.8))
    low = np.minimum(open_, close) / (1.0 + np.abs(rng.normal(0.0, case.step, n)) * (rng.random(n) < 0.8))
    columns = [open_, high, low, close]
    if case.ticks:
        columns = [np.maximum(np.round(column), 1.0) for column in columns]
    return BarArrays(*columns, np.ones(n))


def conditions_of(case: Case, rng: np.random.Generator) -> list[list[bool | None]]:
    """Four conditions, true as often as `lively` says; some bars are unknown."""
    rows = []
    for k in range(4):
        alive = case.direction == "both" or (case.direction == "long") == (k < 2)
        draw = rng.random(case.n)
        rows.append([None if x > 0.9 else bool(alive and x < case.lively) for x in draw])
    return rows


def level_of(case: Case, scale: float, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
    """One number, or one per bar with NaN, zeros and negative numbers among them."""
    if not case.per_bar:
        return np.array([scale * rng.choice([0.5, 1.0, 2.0])])
    values = scale * rng.choice([0.3, 1.0, 2.0, 0.0, -1.0, np.nan], case.n, p=[0.25, 0.25, 0.2, 0.1, 0.1, 0.1])
    return np.ascontiguousarray(values)


def words_of(rows: list[list[bool | None]]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Pack conditions: a bit is set where a condition is true."""
    n = len(rows[0])
    mask = np.zeros((4, -(-n // 64) * 64), dtype=bool)
    mask[:, :n] = [[value is True for value in row] for row in rows]
    return np.packbits(mask, axis=1, bitorder="little").view(np.uint64)


class Both:
    """One case, run by the reference and by the engine."""

    def __init__(self, case: Case) -> None:
        rng = np.random.default_rng(case.seed)
        self.case, self.bars = case, bars_of(case, rng)
        self.conditions = conditions_of(case, rng)
        none = np.array([np.nan])
        step = case.step * case.reach
        scale = {"stop": 1.5 * step, "target": 2.0 * step, "trail": 2.0 * step}
        levels = {name: level_of(case, scale[name], rng) if name in case.levels else none for name in LEVELS}
        size = level_of(case, 700.0 if case.fixed_units else case.size, rng)
        self.inputs = RunInputs(words_of(self.conditions), **levels, size=size, size_kind=int(case.fixed_units))
        marks = np.unique(np.append(np.arange(case.session - 1, case.n, case.session), case.n - 1))
        self.options = Options(
            fill=case.fill,
            fees=Fees(*case.fees),
            slippage=case.slippage,
            borrow=case.borrow,
            lot_size=case.lot_size,
            max_leverage=case.max_leverage,
            risk_free_rate=case.risk_free_rate,
            bars_per_year=252.0 * case.session,
            marks=None if case.session == 1 else marks,
        )

    def engine(self) -> Run:
        return run(self.bars, self.inputs, self.options)

    def reference(self, n: int | None = None) -> reference.ReferenceRun:
        n = self.case.n if n is None else n
        options, fees = self.options, self.options.fees
        bars = reference.Bars(*(column[:n].tolist() for column in self.bars[:4]))
        values = [np.broadcast_to(getattr(self.inputs, name), self.case.n)[:n].tolist() for name in (*LEVELS, "size")]
        signals = reference.Signals(*(row[:n] for row in self.conditions), *values)
        return reference.simulate(
            bars,
            signals,
            reference.Options(
                cash=options.cash,
                fill=options.fill,
                rate=fees.rate,
                per_unit=fees.per_unit,
                fixed=fees.fixed,
                minimum=fees.minimum,
                slippage=options.slippage,
                borrow=options.borrow,
                lot_size=options.lot_size,
                max_leverage=options.max_leverage,
                fixed_units=self.case.fixed_units,
                periods_per_year=options.periods_per_year,
                bars_per_year=options.bars_per_year,
                risk_free_rate=options.risk_free_rate,
                marks=None if options.marks is None else options.marks.tolist(),
            ),
        )

    def full_engine(self) -> tuple[dict[str, float], np.ndarray[Any, Any]]:
        """Metrics and equity by the kernels that can do everything, also where simpler ones would do."""
        market = self.options.market(self.bars)
        orders, equity, ends, measured = engine._simulate(self.inputs, market, self.options)
        done = Orders(orders.bars[: ends[0]], orders.money[: ends[0]])
        return metrics_of(done, market, self.options, equity, measured)[0], equity

    def sweep_metrics(self) -> tuple[dict[str, float], tuple[int, int, int]]:
        """The metrics as a sweep takes them: from orders alone."""
        market, rules = self.options.market(self.bars), self.options.rules(self.inputs.size_kind)
        exits = Exits(self.inputs.stop, self.inputs.target, self.inputs.trail, self.inputs.size)
        orders, out = empty_orders(orders_max(self.case.n)), np.full(len(METRICS), -7.0)
        ends = walk(self.inputs.words, market, rules, exits, orders)
        statistics(market, rules, orders, ends[0], out)
        return dict(zip(METRICS, out.tolist(), strict=True)), ends


def money(value: Any) -> Any:
    return pytest.approx(value, rel=REL, abs=REL * 100_000.0, nan_ok=True)


def assert_same_metrics(found: dict[str, float], expected: dict[str, float]) -> None:
    """Ratios of a spread or a drawdown inherit its rounding: a return is known to some 1e-15.

    Borrow is a difference of running sums: where prices have fallen a millionfold since, ten digits are left of it.
    """
    assert list(found) == list(expected)
    spread = expected["volatility"] / math.sqrt(252.0)
    for name, value in expected.items():
        slack = REL if expected["borrow_paid"] == 0.0 else 10.0 * REL
        if name in ("sharpe_ratio", "sortino_ratio"):
            slack += 1e-13 / max(spread if spread > 0 else 0.0, 1e-12)
        if name == "calmar_ratio":
            slack += 1e-13 / max(expected["max_drawdown"], 1e-12)
        scale = 100_000.0 if name.endswith(("paid", "equity")) or name == "expectancy" else 1.0
        assert found[name] == pytest.approx(value, rel=slack, abs=REL * scale, nan_ok=True), name


def assert_same_orders(found: Run, expected: reference.ReferenceRun) -> None:
    columns = found.order_columns
    assert [REASONS[k] for k in columns["reason"]] == [order.reason for order in expected.orders]
    for name in ("decided_at", "filled_at"):
        assert columns[name].tolist() == [getattr(order, name) for order in expected.orders]
    for name in ("units", "price", "commission", "slippage"):
        assert columns[name].tolist() == money([getattr(order, name) for order in expected.orders])
    assert np.sign(columns["units"]).tolist() == [math.copysign(1.0, order.units) for order in expected.orders]


@given(case=cases)
@settings(max_examples=8 * settings().max_examples)
@example(case=Case(seed=1, n=150, fill="next_close", levels=frozenset(LEVELS), max_leverage=3.0, size=2.5, step=0.4))
@example(
    case=Case(seed=2, n=150, fill="same_close", direction="short", borrow=5.0, step=0.4, max_leverage=3.0, size=2.5)
)
def test_orders_equity_and_metrics_are_those_of_the_reference(case: Case) -> None:
    both = Both(case)
    found, expected = both.engine(), both.reference()
    assert_same_orders(found, expected)
    assert (found.pending, found.ruined_at) == (expected.pending, expected.ruined_at)
    assert found.equity.tolist() == money(expected.equity)
    assert found.units.tolist() == money(expected.units)
    assert_same_metrics(found.metrics, expected.metrics)
    metrics, equity = both.full_engine()
    assert equity.tolist() == money(expected.equity)
    assert_same_metrics(metrics, expected.metrics)
    metrics, ends = both.sweep_metrics()
    assert_same_metrics(metrics, expected.metrics)
    assert ends[2] == (-1 if expected.ruined_at is None else expected.ruined_at)


@given(case=cases, share=st.floats(0.0, 1.0))
@settings(max_examples=2 * settings().max_examples)
def test_later_bars_never_change_what_was_done_before(case: Case, share: float) -> None:
    both = Both(case)
    n = max(1, round(share * case.n))
    bars = BarArrays(*(np.ascontiguousarray(column[:n]) for column in both.bars))
    per_bar = {name: getattr(both.inputs, name) for name in (*LEVELS, "size")}
    cut = {name: values[:n].copy() if values.size > 1 else values for name, values in per_bar.items()}
    words = words_of([row[:n] for row in both.conditions])
    whole, part = both.engine(), run(bars, both.inputs._replace(words=words, **cut), both.options.replaced(marks=None))
    assert part.equity.tolist() == whole.equity[:n].tolist()
    count = len(part.orders.bars)
    for name, column in part.order_columns.items():
        assert column.tolist() == whole.order_columns[name][:count].tolist()
    assert (whole.order_columns["filled_at"][count:] >= n).all()


@given(case=cases)
def test_cash_and_position_add_up_to_equity(case: Case) -> None:
    both = Both(case)
    found = both.engine()
    orders = found.order_columns
    cash, paid = both.options.cash, 0.0
    for i, close in enumerate(both.bars.close):
        if i and found.units[i - 1] < 0:
            paid -= found.units[i - 1] * both.bars.close[i - 1] * case.borrow / both.options.bars_per_year
        here = orders["filled_at"] == i
        cash -= float((orders["units"] * orders["price"] + orders["commission"])[here].sum())
        assert found.equity[i] == money(cash - paid + found.units[i] * close)
    assert found.metrics["borrow_paid"] == money(paid)


@given(case=cases)
def test_trades_pair_the_orders_and_their_profits_add_up(case: Case) -> None:
    found = Both(case).engine()
    orders, trades = found.order_columns, found.trade_columns
    n = len(trades["pnl"])
    assert n == found.metrics["n_trades"] == len(orders["units"]) // 2
    assert orders["filled_at"][0 : 2 * n : 2].tolist() == trades["entry_at"].tolist()
    assert orders["filled_at"][1 : 2 * n : 2].tolist() == trades["exit_at"].tolist()
    assert (orders["units"][0 : 2 * n : 2] + orders["units"][1 : 2 * n : 2] == 0.0).all()
    if n and not np.any(found.units[-1:]):
        assert found.equity[-1] == money(100_000.0 + trades["pnl"].sum())


@given(case=cases)
def test_drawdown_bars_are_the_peak_the_valley_and_the_recovery(case: Case) -> None:
    found = Both(case).engine()
    start, valley, end = found.max_drawdown_at
    if start is None or valley is None:
        assert found.metrics["max_drawdown"] == 0.0
        return
    curve = np.concatenate(([100_000.0], found.equity))
    peak = curve[: valley + 2].max()
    assert curve[start + 1] == pytest.approx(peak, rel=1e-12)
    assert 1.0 - curve[valley + 1] / peak == pytest.approx(found.metrics["max_drawdown"], abs=1e-12)
    after = np.flatnonzero(found.equity[valley:] >= peak * (1.0 - 1e-12))
    assert end == (valley + after[0] if after.size else None)
