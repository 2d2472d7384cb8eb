"""Finer bars say in what order orders were reached inside a bar: figures by hand, and laws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.orders import run_orders
from algotrendy.backtest.stateful.loop import run_bars
from algotrendy.kernels.portfolio_types import Extras
from algotrendy.strategy import BarStrategy
from tests.property import test_orders_full_account as own
from tests.property import test_portfolio_equals_reference as many
from tests.property import test_portfolio_full_account as full
from tests.property import test_stateful as stateful

FEW = max(settings().max_examples // 2, 1)
DAYS = pd.bdate_range("2024-01-01", periods=4)
Row = tuple[float, float, float, float]


def days(*rows: Row) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["open", "high", "low", "close"], index=DAYS[: len(rows)], dtype=float)


def hours(day: int, *rows: Row, first: int = 0) -> pd.DataFrame:
    stamps = pd.date_range(DAYS[day], periods=24, freq="1h", tz="UTC")[first : first + len(rows)]
    return pd.DataFrame(rows, columns=["open", "high", "low", "close"], index=stamps, dtype=float)


WIDE = days((10, 10, 10, 10), (10, 12, 8, 10), (10, 10, 10, 10))
UP_FIRST = hours(1, (10, 12, 10, 11), (11, 11, 9.4, 9.6), (9.6, 11, 9.5, 10), (10, 10, 8, 10))
BRACKET = [
    {"time": DAYS[0], "symbol": "A", "quantity": 5, "type": "limit", "limit_price": 9.5, "id": 1},
    {"time": DAYS[0], "symbol": "A", "parent": 1, "type": "stop", "stop_price": 9.0, "group": 1, "reduce_only": True},
    {"time": DAYS[0], "symbol": "A", "parent": 1, "type": "limit", "limit_price": 10.5, "group": 1},
]


def filled(result: Any) -> list[tuple[str, float]]:
    return list(zip(result.orders["reason"], result.orders["price"], strict=True))


def test_a_bracket_is_left_where_the_finer_bars_came_first() -> None:
    """The bar alone says: bought at 9.5, then stopped; by the hour the target was reached before the stop."""
    coarse = at.backtest({"A": WIDE}, orders=BRACKET)
    finer = at.backtest({"A": WIDE}, orders=BRACKET, fine_bars={"A": UP_FIRST})
    assert filled(coarse) == [("limit", 9.5), ("stop", 9.0)]
    assert filled(finer) == [("limit", 9.5), ("limit", 10.5)]
    assert finer.requests["status"].tolist() == ["filled", "cancelled", "filled"]


class Bracketed(BarStrategy):
    """Places the bracket of above."""

    def on_bar(self, ctx: Any) -> None:
        if ctx.number == 0:
            for view in ctx:
                view.buy(5, limit_price=9.5, stop_price=9.0, target_price=10.5)


def test_a_stateful_strategy_is_told_what_the_finer_bars_say() -> None:
    finer = at.backtest(Bracketed(), {"A": WIDE}, fine_bars={"A": UP_FIRST})
    assert filled(at.backtest(Bracketed(), {"A": WIDE})) == [("limit", 9.5), ("stop", 9.0)]
    assert filled(finer) == [("limit", 9.5), ("limit", 10.5)]
    two = at.backtest(Bracketed(), {"A": WIDE, "B": WIDE}, fine_bars={"B": UP_FIRST})
    assert filled(two) == [("limit", 9.5), ("stop", 9.0), ("limit", 9.5), ("limit", 10.5)]


def test_a_gap_between_finer_bars_fills_at_the_finer_open() -> None:
    gap = hours(1, (10, 12, 10, 11), (9, 9, 8, 9))
    stop = [{"time": DAYS[0], "symbol": "A", "quantity": -5, "type": "stop", "stop_price": 9.5}]
    assert filled(at.backtest({"A": WIDE}, orders=stop)) == [("stop", 9.5)]
    assert filled(at.backtest({"A": WIDE}, orders=stop, fine_bars={"A": gap})) == [("stop", 9.0)]


@pytest.mark.parametrize(("first_of_a", "winner"), [(2, "B"), (0, "A")])
def test_of_two_instruments_the_one_that_is_reached_first_takes_the_cash(first_of_a: int, winner: str) -> None:
    """By rows A comes first; there is room for one of them."""
    falls = hours(1, (10, 10, 9, 9), first=first_of_a), hours(1, (10, 10, 9, 9), first=1)
    orders = [
        {"time": DAYS[0], "symbol": name, "quantity": 9, "type": "limit", "limit_price": 9.5} for name in ("A", "B")
    ]
    fine = dict(zip("AB", (_from_open(each) for each in falls), strict=True))
    result = at.backtest({"A": WIDE, "B": WIDE}, orders=orders, fine_bars=fine, cash=100.0)
    assert result.orders["symbol"].tolist() == [winner]
    assert sorted(result.requests["status"]) == ["filled", "refused"]


def _from_open(fall: pd.DataFrame) -> pd.DataFrame:
    """A quiet hour, so that the interval can be read off the stamps, and the fall."""
    quiet = fall.set_axis(fall.index + pd.Timedelta(hours=1)) * 0 + 10.0
    return pd.concat([fall, quiet])


def test_a_bar_without_finer_ones_comes_first_as_a_whole() -> None:
    orders = [
        {"time": DAYS[0], "symbol": name, "quantity": 9, "type": "limit", "limit_price": 9.5} for name in ("B", "A")
    ]
    fine = {"B": hours(1, (10, 10, 10, 10), (10, 10, 9, 9))}
    result = at.backtest({"A": WIDE, "B": WIDE}, orders=orders, fine_bars=fine, cash=100.0)
    assert result.orders["symbol"].tolist() == ["A"]


# --- laws ---


def as_fine(account: Account, kernel: Extras, chosen: Any) -> Extras:
    """Return extras in which chosen bars have one finer bar: themselves."""
    market = account.market
    places = np.zeros((account.n_bars, account.n_instruments, 2), np.int64)
    steps = [[0.0] * 5]
    for bar, j in np.argwhere(market.valid):
        if chosen[bar, j]:
            places[bar, j] = len(steps), 1
            prices = (market.at_open, market.high, market.low, market.mark)
            steps.append([*(float(each[bar, j]) for each in prices), 0.0])
    return kernel._replace(fine=np.array(steps), fine_at=places)


@given(case=full.cases, which=full.kinds, share=st.sampled_from([0.5, 1.0]), bar_by_bar=st.booleans())
@settings(max_examples=FEW)
def test_bars_as_their_own_finer_bars_change_nothing(
    case: Any, which: full.Kinds, share: float, bar_by_bar: bool
) -> None:
    account = many.account_for(case)
    kernel = full.random_extras(account, replace(which, fine=False), np.random.default_rng(case.seed + 9))
    chosen = np.random.default_rng(case.seed).random((account.n_bars, account.n_instruments)) <= share
    runs = []
    for each in (kernel, as_fine(account, kernel, chosen)):
        made = full.with_extras(account, each)
        made.__dict__["sessions"] = np.arange(case.n_bars) // 3
        if bar_by_bar:
            wild = stateful.Wild(seed=case.seed, lively=1.5, step=case.step, lot=case.lot_size or 1.0)
            done = run_bars(wild, made)
            runs.append((done.ledger, done.requests))
        else:
            runs.append(run_orders(made, own.orders_of(case, account, 40)))
    (one, first), (two, second) = runs
    np.testing.assert_array_equal(one.fills.places, two.fills.places)
    np.testing.assert_array_equal(one.fills.money, two.fills.money)
    np.testing.assert_array_equal(one.curve, two.curve)
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_the_bars_themselves_may_be_given_as_finer_bars(zone: str | None) -> None:
    bars = {"A": at.synthetic(n=60, seed=1, volatility=0.5), "B": at.synthetic(n=60, seed=2, volatility=0.5)}
    if zone is not None:
        bars = {name: frame.set_axis(frame.index.tz_localize(zone)) for name, frame in bars.items()}
    rows = [
        {"time": bars["A"].index[3 * k], "symbol": name, "quantity": side * 10.0, "type": kind, f"{kind}_price": price}
        for k, (name, side, kind) in enumerate([("A", 1, "limit"), ("B", 1, "stop"), ("A", -1, "stop")])
        for price in bars[name]["close"].iloc[[3 * k]]
    ]
    plain, finer = at.backtest(bars, orders=rows), at.backtest(bars, orders=rows, fine_bars=bars)
    assert plain.equity_values.tolist() == finer.equity_values.tolist()
    pd.testing.assert_frame_equal(plain.orders, finer.orders)
    assert len(plain.orders) > 1
