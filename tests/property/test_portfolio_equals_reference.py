"""Several instruments in one account: the kernels give the orders of the plain reference, and its money to 1e-9."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.portfolio import reference, reference_orders, reference_signals
from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import Account, account_of
from algotrendy.backtest.portfolio.orders import run_orders
from algotrendy.backtest.portfolio.signals import Decided, on_union, run_signals, wishes_of
from algotrendy.backtest.portfolio.weights import run_weights
from algotrendy.domain.panel import Panel
from algotrendy.kernels.portfolio_types import CASH, EQUITY, REASONS, Levels
from algotrendy.strategy.signals import signal_words

REL = 1e-9
MANY = 2 * settings().max_examples
CASH_0 = 100_000.0


@dataclass(frozen=True)
class Case:
    """One panel and its conventions, by what Hypothesis chooses, and a seed for the rest."""

    seed: int = 0
    n: int = 3
    n_bars: int = 40
    gaps: str = "none"
    fill: str = "next_open"
    step: float = 0.03
    ticks: bool = True
    fees: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    slippage: float = 0.0
    borrow: float = 0.0
    lot_size: float = 0.0
    max_leverage: float = 1.0
    delisting_return: float = 0.0
    shorts: bool = False


cases = st.builds(
    Case,
    seed=st.integers(0, 2**32 - 1),
    n=st.sampled_from([1, 2, 3, 5, 66]),
    n_bars=st.sampled_from([2, 5, 40, 65, 130]),
    gaps=st.sampled_from(["none", "calendars", "holes", "ends"]),
    fill=st.sampled_from(["next_open", "same_close", "next_close"]),
    step=st.sampled_from([0.01, 0.03, 0.2]),
    ticks=st.booleans(),
    fees=st.sampled_from(
        [
            (0.0, 0.0, 0.0, 0.0),
            (0.001, 0.0, 0.0, 0.0),
            (0.0, 0.01, 0.0, 1.0),
            (0.002, 0.0, 1.0, 0.0),
            (0.0, 0.0, 0.0, 20.0),
        ]
    ),
    slippage=st.sampled_from([0.0, 0.001, 0.03]),
    borrow=st.sampled_from([0.0, 0.02, 5.0]),
    lot_size=st.sampled_from([0.0, 1.0, 10.0]),
    max_leverage=st.sampled_from([1.0, 0.5, 3.0]),
    delisting_return=st.sampled_from([0.0, -0.3, -1.0]),
    shorts=st.booleans(),
)


def columns_of(case: Case, rng: np.random.Generator) -> list[np.ndarray[Any, Any]]:
    """Open, high, low, close of one instrument; with `ticks` on a coarse grid, so that touches and ties are common."""
    n = case.n_bars
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, case.step, n)))
    open_ = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0.0, case.step, n))
    high = np.maximum(open_, close) * (1.0 + np.abs(rng.normal(0.0, case.step, n)) * (rng.random(n) < 0.8))
    low = np.minimum(open_, close) / (1.0 + np.abs(rng.normal(0.0, case.step, n)) * (rng.random(n) < 0.8))
    columns = [open_, high, low, close]
    return [np.maximum(np.round(column), 1.0) for column in columns] if case.ticks else columns


def bars_there(case: Case, j: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Whether instrument j has a bar; the first instrument has all, and everyone has two."""
    there = np.ones(case.n_bars, dtype=bool)
    if j and case.gaps == "calendars":
        there = (np.arange(case.n_bars) + j) % 7 < 5
    elif j and case.gaps == "holes":
        there = rng.random(case.n_bars) < 0.7
    elif j and case.gaps == "ends":
        there[: rng.integers(0, case.n_bars)] = j % 2 == 0
        there[rng.integers(2, case.n_bars + 1) :] = False
    if there.sum() < 2:
        there[:2] = True
    return there


def panel_of(case: Case) -> Panel:
    rng = np.random.default_rng(case.seed)
    days = pd.date_range("2020-01-06", periods=case.n_bars)
    frames = {}
    for j in range(case.n):
        columns = dict(zip(("open", "high", "low", "close"), columns_of(case, rng), strict=True))
        frames[f"S{j}"] = pd.DataFrame(columns, index=days)[bars_there(case, j, rng)]
    return Panel.of(frames)


def account_for(case: Case, panel: Panel | None = None, cash: float = CASH_0) -> Account:
    panel = panel_of(case) if panel is None else panel
    options: dict[str, Any] = {"lot_size": case.lot_size, "units": "whole"} if case.lot_size else {}
    fees = {symbol: Fees(*case.fees) for symbol in panel.symbols[::2]}  # every second one costs nothing
    return account_of(
        panel,
        cash=cash,
        commission=fees,
        slippage=dict.fromkeys(panel.symbols, case.slippage),
        borrow=case.borrow,
        fill=case.fill,
        max_leverage=case.max_leverage,
        delisting_return=case.delisting_return,
        calendar="24/7",
        **options,
    )


def reference_bars(account: Account) -> list[reference.Bars]:
    panel = account.panel

    def column(name: str, j: int) -> list[float | None]:
        return [None if math.isnan(value) else float(value) for value in panel.fields[name][:, j]]

    return [
        reference.Bars(*(column(name, j) for name in ("open", "high", "low", "close")))
        for j in range(len(panel.symbols))
    ]


def reference_terms(account: Account) -> list[reference.Terms]:
    columns = account.terms._asdict()
    return [
        reference.Terms(**{name: float(values[j]) for name, values in columns.items()})
        for j in range(account.n_instruments)
    ]


def reference_options(account: Account, **more: Any) -> reference.Options:
    options = account.options
    return reference.Options(cash=options.cash, fill=options.fill, max_leverage=options.max_leverage, **more)


def money(value: Any, scale: float = CASH_0) -> Any:
    return pytest.approx(value, rel=REL, abs=REL * scale, nan_ok=True)


def assert_same(found: Ledger, expected: reference.ReferenceRun) -> None:
    orders = found.order_columns
    assert [REASONS[k] for k in orders["reason"]] == [fill.reason for fill in expected.fills]
    for name in ("decided_at", "filled_at", "instrument"):
        assert orders[name].tolist() == [getattr(fill, name) for fill in expected.fills], name
    for name in ("units", "price", "commission", "slippage"):
        assert orders[name].tolist() == money([getattr(fill, name) for fill in expected.fills]), name
    assert found.ruined_at == expected.ruined_at
    assert found.curve[EQUITY].tolist() == money(expected.equity)
    assert found.curve[CASH].tolist() == money(expected.cash)
    trades = found.trade_columns
    for name, own in (("entry_at", "entry_at"), ("exit_at", "exit_at"), ("instrument", "instrument")):
        assert trades[name].tolist() == [getattr(trade, own) for trade in expected.trades], name
    assert (trades["units"] * trades["side"]).tolist() == money([trade.units for trade in expected.trades])
    for name, own in (
        ("entry_price", "entry_price"),
        ("pnl", "profit"),
        ("commission", "commission"),
        ("borrow", "borrow"),
    ):
        assert trades[name].tolist() == money([getattr(trade, own) for trade in expected.trades]), name
    metrics, _ = found.metrics()
    assert metrics["borrow_paid"] == money(expected.borrow_paid)
    assert metrics["n_orders"] == len(expected.fills)


# --- target weights ---


def targets_of(case: Case, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of random weights at some bars: NaN, zeros and, if wanted, short ones among them."""
    rows = np.flatnonzero(rng.random(case.n_bars) < rng.choice([0.1, 1.0]))
    rows = rows if rows.size else np.array([0])
    raw = rng.random((rows.size, case.n)) * np.where(rng.random((rows.size, case.n)) < 0.3, 0.0, 1.0)
    raw *= np.where(rng.random((rows.size, case.n)) < 0.4, -1.0, 1.0) if case.shorts else 1.0
    total = np.maximum(np.abs(raw).sum(axis=1, keepdims=True), 1e-9)
    weights = raw / total * case.max_leverage * rng.choice([0.6, 1.0])
    weights[rng.random(weights.shape) < 0.1] = np.nan
    days = pd.date_range("2020-01-06", periods=case.n_bars)
    return pd.DataFrame(weights, index=days[rows], columns=[f"S{j}" for j in range(case.n)])


def run_both_weights(case: Case, tolerance: float = 0.0) -> tuple[Ledger, reference.ReferenceRun]:
    account = account_for(case)
    weights = targets_of(case, np.random.default_rng(case.seed + 1))
    by_bar = {
        account.panel.index.get_loc(stamp): row.tolist()
        for stamp, row in zip(weights.index, weights.to_numpy(), strict=True)
    }
    expected = reference.simulate_weights(
        reference_bars(account), by_bar, reference_terms(account), reference_options(account, tolerance=tolerance)
    )
    return run_weights(account, weights, tolerance=tolerance), expected


@given(case=cases, tolerance=st.sampled_from([0.0, 0.0, 0.05]))
@settings(max_examples=MANY)
@example(case=Case(seed=3, shorts=True, max_leverage=3.0, step=0.2, n_bars=130, borrow=5.0), tolerance=0.0)
def test_weights_give_the_orders_of_the_reference(case: Case, tolerance: float) -> None:
    assert_same(*run_both_weights(case, tolerance))


# --- signals ---


@dataclass(frozen=True)
class Said:
    """What a strategy says: conditions and levels by bar of the union, NaN and None where it is unknown."""

    conditions: np.ndarray[Any, Any]
    levels: dict[str, np.ndarray[Any, Any]]
    rank: np.ndarray[Any, Any]
    fixed_units: bool


def said_of(case: Case, rng: np.random.Generator, lively: float, names: frozenset[str]) -> Said:
    shape = (case.n_bars, case.n)
    conditions = rng.random((4, *shape)) < lively
    if not case.shorts:
        conditions[2:] = False
    fixed = bool(rng.random() < 0.3)
    levels = {}
    for name, scale in (("stop", 2.0), ("target", 2.5), ("trail", 2.0)):
        used = name in names
        levels[name] = (
            rng.choice([0.5, 1.0, np.nan, 0.0], shape) * scale * case.step if used else np.full(shape, np.nan)
        )
    levels["size"] = rng.choice([0.1, 0.3, 1.0, 2.5, np.nan], shape) * (500.0 if fixed else 1.0)
    rank = np.round(rng.normal(size=shape), 1)
    rank[rng.random(shape) < 0.1] = np.nan
    return Said(conditions, levels, rank, fixed)


def run_both_signals(
    case: Case, lively: float, names: frozenset[str], places: int, ranked: bool
) -> tuple[Ledger, reference.ReferenceRun]:
    account = account_for(case)
    said = said_of(case, np.random.default_rng(case.seed + 2), lively, names)
    rank = said.rank if ranked else np.zeros((1, 1))
    if rank.size == 1:
        rank = np.zeros((1, 1))
    own = [signal_words([side[rows, j] for side in said.conditions]) for j, rows in enumerate(account.rows)]
    words = on_union(account, own)
    levels = Levels(**said.levels)
    decided = Decided(words, levels, int(said.fixed_units))
    found = run_signals(account, decided, wishes_of(account, words, rank, None), places)
    signals = []
    for j in range(case.n):
        sides = [[bool(x) for x in side[:, j]] for side in said.conditions]
        ranks = said.rank[:, j].tolist() if rank.size > 1 else [0.0] * case.n_bars
        signals.append(
            reference_signals.Signals(*sides, *(said.levels[name][:, j].tolist() for name in levels._fields), ranks)
        )
    options = reference_options(account, max_positions=places, fixed_units=said.fixed_units)
    return found, reference_signals.simulate_signals(
        reference_bars(account), signals, reference_terms(account), options
    )


@given(
    case=cases,
    lively=st.sampled_from([0.03, 0.3, 0.7]),
    names=st.frozensets(st.sampled_from(["stop", "target", "trail"])),
    places=st.sampled_from([1, 2, 10, 100]),
    ranked=st.booleans(),
)
@settings(max_examples=MANY)
@example(
    case=Case(seed=7, n=66, n_bars=130, gaps="holes", shorts=True, max_leverage=3.0, borrow=5.0, step=0.2),
    lively=0.3,
    names=frozenset({"stop", "trail"}),
    places=10,
    ranked=True,
)
def test_signals_give_the_orders_of_the_reference(
    case: Case, lively: float, names: frozenset[str], places: int, ranked: bool
) -> None:
    assert_same(*run_both_signals(case, lively, names, min(places, case.n), ranked))


# --- explicit orders ---


def orders_of(case: Case, account: Account, rng: np.random.Generator, count: int) -> pd.DataFrame:
    rows = []
    for k in range(count):
        kind = str(rng.choice(["market", "limit", "stop"]))
        lot = case.lot_size or 1.0
        price = float(np.round(100.0 * np.exp(rng.normal(0.0, 3 * case.step))))
        row = {
            "time": account.panel.index[rng.integers(0, case.n_bars)],
            "symbol": f"S{rng.integers(0, case.n)}",
            "quantity": float(rng.choice([-1, 1]) * rng.integers(1, 30) * lot),
            "type": kind,
            "limit_price": price if kind == "limit" else np.nan,
            "stop_price": price if kind == "stop" else np.nan,
            "time_in_force": str(rng.choice(["DAY", "GTC"])),
            "id": k,
            "parent": float(rng.integers(0, k)) if k and rng.random() < 0.4 else np.nan,
            "group": float(rng.integers(0, 4)) if rng.random() < 0.4 else np.nan,
        }
        rows.append(row)
    return pd.DataFrame(rows)


@given(case=cases, count=st.sampled_from([1, 5, 30]), session=st.sampled_from([1, 5]))
@settings(max_examples=MANY)
def test_explicit_orders_are_worked_as_by_the_reference(case: Case, count: int, session: int) -> None:
    account = account_for(case)
    account.__dict__["sessions"] = np.arange(case.n_bars) // session
    frame = orders_of(case, account, np.random.default_rng(case.seed + 3), count)
    found, requests = run_orders(account, frame)
    place = {int(each): row for row, each in enumerate(requests["id"])}
    wanted = [
        reference_orders.Request(
            placed_at=int(account.panel.index.get_loc(row.time)),
            instrument=int(row.symbol[1:]),
            units=row.quantity,
            kind=row.type,
            price=row.limit_price if row.type == "limit" else row.stop_price if row.type == "stop" else 0.0,
            is_day=row.time_in_force == "DAY",
            parent=None if math.isnan(row.parent) else place[int(row.parent)],
            group=None if math.isnan(row.group) else int(row.group),
        )
        for row in requests.itertuples()
    ]
    expected, ends = reference_orders.simulate_orders(
        reference_bars(account), wanted, account.sessions.tolist(), reference_terms(account), reference_options(account)
    )
    assert requests["status"].tolist() == ends
    assert_same(found, expected)
