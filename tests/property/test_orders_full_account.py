"""Explicit orders in accounts with actions, margins, interest, caps and ticks: the kernel equals the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from algotrendy.backtest.portfolio import reference_orders, reference_orders_full
from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.orders import COLUMNS, KINDS, requests_of, run_orders
from algotrendy.backtest.stateful.loop import run_bars
from algotrendy.kernels.portfolio_orders import OF_PARENT, SHARE
from algotrendy.kernels.portfolio_types import CASH, EQUITY
from tests.property import test_portfolio_equals_reference as many
from tests.property import test_portfolio_full_account as full
from tests.property import test_stateful as stateful
from tests.property.test_stateful import Wild

MANY = settings().max_examples
ROUNDED = many.Case(seed=125990, n=2, n_bars=40, gaps="holes", step=0.2)  # after a split 2 x 1.5 is above a cap of 3
EVERYTHING = many.Case(seed=3, n=3, n_bars=65, gaps="holes", max_leverage=3.0, step=0.2, borrow=5.0)


def orders_of(case: Any, account: Account, count: int) -> pd.DataFrame:
    """Orders of every kind, with amounts of every kind, parents and groups."""
    rng, rows = np.random.default_rng(case.seed + 3), []
    for k in range(count):
        kind, lot = str(rng.choice(["market", "limit", "stop"])), case.lot_size or 1.0
        price = float(np.round(100.0 * np.exp(rng.normal(0.0, 3 * case.step)), 1))
        parent = float(rng.integers(0, k)) if k and rng.random() < 0.5 else np.nan
        amount = str(rng.choice(["units", "share", "close", "parent"]))
        if amount == "parent" and np.isnan(parent):
            amount = "units"
        side = float(rng.choice([-1, 1]))
        units = side * float(rng.integers(1, 30) * lot) if amount == "units" else side * np.inf
        rows.append(
            {
                "time": account.panel.index[rng.integers(0, case.n_bars)],
                "symbol": f"S{rng.integers(0, case.n)}",
                "quantity": units if amount in ("units", "close") else np.nan,
                "size": side * float(rng.choice([0.1, 0.5])) if amount == "share" else np.nan,
                "reduce_only": amount == "close" or (amount != "share" and bool(rng.random() < 0.4)),
                "type": kind,
                "limit_price": price if kind == "limit" else np.nan,
                "stop_price": price if kind == "stop" else np.nan,
                "time_in_force": str(rng.choice(["DAY", "GTC"])),
                "id": k,
                "parent": parent,
                "group": float(rng.integers(0, 4)) if rng.random() < 0.4 else np.nan,
            }
        )
    return pd.DataFrame(rows)


def requests_for(account: Account, frame: pd.DataFrame) -> list[reference_orders.Request]:
    """The orders of a frame in its order, as the reference takes them."""
    names, own = {number: name for name, number in KINDS.items()}, requests_of(account, frame)
    return [
        reference_orders.Request(
            placed_at=int(own.placed_at[k]),
            instrument=int(own.instrument[k]),
            units=float(own.units[k]),
            kind=names[int(own.kind[k])],
            price=float(own.price[k]),
            is_day=bool(own.is_day[k]),
            parent=None if own.parent[k] < 0 else int(own.parent[k]),
            group=None if own.group[k] < 0 else int(own.group[k]),
            measure={SHARE: "share", OF_PARENT: "parent"}.get(int(own.measure[k]), "units"),
            reduces=bool(own.reduces[k]),
        )
        for k in range(len(frame))
    ]


def account_of(case: Any, which: full.Kinds) -> tuple[Account, Any]:
    account = many.account_for(case)
    kernel = full.random_extras(account, which, np.random.default_rng(case.seed + 9))
    made = full.with_extras(account, kernel)
    made.__dict__["sessions"] = np.arange(case.n_bars) // 3
    return made, kernel


def both(case: Any, which: full.Kinds, count: int) -> tuple[Ledger, pd.DataFrame, Any, Any]:
    account, kernel = account_of(case, which)
    frame = orders_of(case, account, count).sort_values("time", kind="stable").reset_index(drop=True)
    found, requests = run_orders(account, frame)
    expected, ends = reference_orders_full.simulate_orders_full(
        many.reference_bars(account),
        requests_for(account, frame),
        account.sessions.tolist(),
        full.given_of(account, kernel),
        many.reference_options(account),
    )
    return found, requests, expected, ends


@given(case=full.cases, which=full.kinds, count=st.sampled_from([1, 5, 40]))
@settings(max_examples=MANY)
@example(case=EVERYTHING, which=full.ALL, count=40)
def test_orders_are_worked_as_by_the_reference(case: Any, which: full.Kinds, count: int) -> None:
    found, requests, expected, ends = both(case, which, count)
    assert requests["status"].tolist() == [each.status for each in ends]
    assert requests["filled"].tolist() == many.money([each.filled for each in ends])
    full.assert_same(found, expected)


@given(case=many.cases, count=st.sampled_from([1, 30]))
@settings(max_examples=MANY // 2)
def test_without_an_extra_orders_are_worked_as_in_the_plain_account(case: Any, count: int) -> None:
    account = many.account_for(case)
    frame = orders_of(case, account, count)
    first, plain = run_orders(account, frame)
    second, requests = run_orders(full.with_extras(account, full.none_of(account)), frame)
    np.testing.assert_array_equal(first.fills.places, second.fills.places)
    assert second.fills.money.ravel().tolist() == many.money(first.fills.money.ravel().tolist())
    assert second.curve[EQUITY].tolist() == many.money(first.curve[EQUITY].tolist())
    assert requests["status"].tolist() == plain["status"].tolist()


@given(case=full.cases, which=full.kinds)
@settings(max_examples=MANY // 2)
def test_cash_and_positions_are_the_equity_and_no_bar_is_filled_beyond_its_volume(case: Any, which: full.Kinds) -> None:
    account, kernel = account_of(case, which)
    found, _ = run_orders(account, orders_of(case, account, 40))
    assume(found.ruined_at is None)
    orders = found.order_columns
    units = np.zeros((account.n_bars, account.n_instruments))
    np.add.at(units, (orders["filled_at"], orders["instrument"]), orders["units"])
    worth = (np.cumsum(units, axis=0) * account.market.mark).sum(axis=1)
    assert found.curve[EQUITY].tolist() == many.money((found.curve[CASH] + worth).tolist())
    if which.caps:
        free = np.isin(orders["reason"], [7, 11, 12])  # delisting, split, fraction
        used = np.zeros((account.n_bars, account.n_instruments))
        place = (orders["filled_at"][~free], orders["instrument"][~free])
        np.add.at(used, place, np.abs(orders["units"][~free]))
        assert (used <= kernel.caps * (1.0 + 1e-12)).all()


def wild_account(case: Any, which: full.Kinds) -> tuple[Any, Account, Any]:
    account, kernel = account_of(case, which)
    own = Wild(seed=case.seed, lively=1.5, changes=1, step=case.step, lot=case.lot_size or 1.0)
    return run_bars(own, account), account, kernel


@given(case=stateful.cases, which=full.kinds)
@settings(max_examples=MANY)
@example(case=EVERYTHING, which=full.ALL)
@example(case=ROUNDED, which=full.ALL)
def test_what_is_ordered_bar_by_bar_is_worked_as_by_the_reference(case: Any, which: full.Kinds) -> None:
    done, account, kernel = wild_account(case, which)
    log = {number: (seen, did) for number, seen, did in done.strategy.log}

    def decide(i: int, desk: reference_orders.Desk) -> list[reference_orders.Action]:
        if i not in log:
            return []
        seen, did = log[i]
        prices = desk.account.prices(i, "close")
        assert seen["cash"] == many.money(desk.account.cash)
        assert seen["equity"] == many.money(desk.account.equity(prices))
        assert seen["units"] == many.money([position.units for position in desk.account.positions], 1.0)
        assert seen["open"] == [k for k, state in enumerate(desk.state) if state.status in ("placed", "working")]
        return stateful._actions(did)

    expected, ends = reference_orders_full.simulate_decisions_full(
        many.reference_bars(account),
        decide,
        account.sessions.tolist(),
        full.given_of(account, kernel),
        many.reference_options(account),
    )
    assert done.requests["status"].tolist() == [each.status for each in ends]
    assert done.requests["filled"].tolist() == many.money([each.filled for each in ends])
    full.assert_same(done.ledger, expected)


@given(case=stateful.cases, which=full.kinds)
@settings(max_examples=MANY // 2)
@example(case=many.Case(seed=260, n=2, n_bars=30, fill="next_close"), which=full.Kinds(actions=True))
def test_orders_given_at_once_are_filled_as_they_were_bar_by_bar(case: Any, which: full.Kinds) -> None:
    account, _ = account_of(case, which)
    own = Wild(seed=case.seed, lively=1.5, changes=0, step=case.step, lot=case.lot_size or 1.0)
    done = run_bars(own, account)
    assume(len(done.orders))
    again, requests = run_orders(account, done.requests[[name for name in COLUMNS if name in done.requests]])
    np.testing.assert_array_equal(again.fills.places, done.ledger.fills.places)
    np.testing.assert_array_equal(again.fills.money, done.ledger.fills.money)
    np.testing.assert_array_equal(again.curve, done.ledger.curve)
    assert requests["status"].tolist() == done.requests["status"].tolist()
    assert requests["filled"].tolist() == done.requests["filled"].tolist()
