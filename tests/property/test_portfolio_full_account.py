"""Accounts with actions, margins, volume caps, ticks and finer bars: the kernels equal the plain reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from algotrendy.backtest.portfolio import reference_extras, reference_signals
from algotrendy.backtest.portfolio.extras import AccountExtras
from algotrendy.backtest.portfolio.happenings import Happening
from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.signals import Decided, on_union, run_signals, wishes_of
from algotrendy.backtest.portfolio.weights import run_weights
from algotrendy.kernels.portfolio_types import CASH, EQUITY, INTEREST, REASONS, Extras, Levels
from algotrendy.strategy.signals import signal_words
from tests.property import test_portfolio_equals_reference as many

MANY = settings().max_examples


@dataclass(frozen=True)
class Kinds:
    """Which extras an account has."""

    actions: bool = False
    margins: bool = False
    interest: bool = False
    caps: bool = False
    ticks: bool = False
    fine: bool = False


ALL = Kinds(True, True, True, True, True, True)
kinds = st.one_of(st.builds(Kinds, *[st.booleans()] * 6), st.just(ALL))
cases = many.cases.map(lambda case: replace(case, n=min(case.n, 5), n_bars=min(case.n_bars, 65)))


def none_of(account: Account) -> Extras:
    n = account.n_instruments
    return Extras(
        events=np.zeros((0, 2), np.int64),
        changes=np.zeros((0, 3)),
        initial=np.zeros((2, n)),
        maintenance=np.zeros((2, n)),
        interest=np.zeros(account.n_bars),
        caps=np.full((1, 1), np.inf),
        tick=np.zeros(n),
        fine=np.zeros((1, 5)),
        fine_at=np.zeros((1, 1, 2), np.int64),
    )


def random_extras(account: Account, which: Kinds, rng: np.random.Generator) -> Extras:
    n, n_bars, market = account.n_instruments, account.n_bars, account.market
    made = none_of(account)._asdict()
    if which.actions:
        rows = [(bar, j) for j, own in enumerate(account.rows) for bar in own[1:] if rng.random() < 0.15]
        events = np.array(sorted(rows), dtype=np.int64).reshape(-1, 2)
        ratio = rng.choice([1.0, 1.0, 2.0, 0.5, 1.5, 0.1], len(events))
        before = market.mark[events[:, 0] - 1, events[:, 1]]
        paid = before * rng.choice([0.0, 0.01, 0.1], len(events))
        made["events"], made["changes"] = events, np.column_stack([ratio, paid, (1.0 - paid / before) / ratio])
    if which.margins:
        of_contracts = np.array([rng.random(n) < 0.3])
        rates = rng.choice([0.0, 0.3, 0.5, 1.0], n) * np.where(of_contracts, 100.0, 1.0)
        made["initial"] = rates * np.vstack([~of_contracts, of_contracts])
        made["maintenance"] = made["initial"] * rng.choice([0.5, 0.95, 1.0], n)
    if which.interest:
        made["interest"] = rng.choice([0.0, 0.001, 0.02], n_bars) * (np.arange(n_bars) > 0)
    if which.caps:
        made["caps"] = rng.choice([0.0, 3.0, 25.0, 333.3, np.inf], (n_bars, n))
    if which.ticks:
        made["tick"] = rng.choice([0.0, 0.05, 1.0], n)
    if which.fine:
        made["fine"], made["fine_at"] = random_steps(account, rng)
    return Extras(**made)


def random_steps(account: Account, rng: np.random.Generator) -> tuple[Any, Any]:
    """Zero to three steps inside each bar, the first from its open, at some of five moments."""
    market, steps = account.market, [[0.0] * 5]
    places = np.zeros((account.n_bars, account.n_instruments, 2), np.int64)
    for bar, j in np.argwhere(market.valid):
        count = int(rng.integers(0, 4))
        places[bar, j] = len(steps), count
        turns = np.sort(rng.permutation(5)[:count])
        for k in range(count):
            low, opening, high = np.sort(np.round(rng.uniform(market.low[bar, j], market.high[bar, j], 3), 1))
            if k == 0:
                opening = market.at_open[bar, j]
            high, low = max(high, opening), min(low, opening)
            steps.append([opening, high, low, rng.choice([low, high]), float(turns[k])])
    return np.array(steps), places


def with_extras(account: Account, kernel: Extras) -> Account:
    happenings: list[Any] = [None] * account.n_instruments
    for j in np.unique(kernel.events[:, 1]).tolist():
        own = kernel.events[:, 1] == j
        none = np.ones(len(account.rows[j]))
        happenings[j] = Happening(kernel.events[own, 0], *kernel.changes[own].T, none, none)
    return replace(account, extras=AccountExtras(kernel, tuple(happenings), len(kernel.caps) > 1, {}))


def reference_extras_of(account: Account, kernel: Extras) -> list[reference_extras.Extra]:
    found = []
    for j in range(account.n_instruments):
        own = kernel.events[:, 1] == j
        steps = {}
        if len(kernel.fine_at) > 1:
            for bar in account.rows[j].tolist():
                first, count = kernel.fine_at[bar, j]
                if count:
                    steps[bar] = [reference_extras.Step(*step) for step in kernel.fine[first : first + count].tolist()]
        found.append(
            reference_extras.Extra(
                actions={
                    int(bar): tuple(change)
                    for bar, change in zip(kernel.events[own, 0], kernel.changes[own].tolist(), strict=True)
                },
                initial=float(kernel.initial[0, j]),
                maintenance=float(kernel.maintenance[0, j]),
                initial_each=float(kernel.initial[1, j]),
                maintenance_each=float(kernel.maintenance[1, j]),
                caps=kernel.caps[:, j].tolist() if len(kernel.caps) > 1 else None,
                tick=float(kernel.tick[j]),
                fine=steps,
            )
        )
    return found


def assert_same(found: Ledger, expected: reference_extras.FullRun) -> None:
    run, orders = expected.run, found.order_columns
    assert [REASONS[k] for k in orders["reason"]] == [fill.reason for fill in run.fills]
    for name in ("decided_at", "filled_at", "instrument"):
        assert orders[name].tolist() == [getattr(fill, name) for fill in run.fills], name
    for name in ("units", "price", "commission", "slippage"):
        assert orders[name].tolist() == many.money([getattr(fill, name) for fill in run.fills]), name
    assert found.ruined_at == run.ruined_at
    assert found.curve[EQUITY].tolist() == many.money(run.equity)
    assert found.curve[CASH].tolist() == many.money(run.cash)
    trades = found.trade_columns
    assert (trades["units"] * trades["side"]).tolist() == many.money([trade.units for trade in run.trades])
    assert trades["entry_at"].tolist() == [trade.entry_at for trade in run.trades]
    assert trades["entry_price"].tolist() == many.money([trade.entry_price for trade in run.trades])
    assert trades["pnl"].tolist() == many.money([trade.profit for trade in run.trades])
    held = trades["borrow"] - trades.get("dividends", 0.0)
    assert held.tolist() == many.money([trade.borrow for trade in run.trades])
    assert found.curve[INTEREST].sum() == many.money(expected.interest_paid)
    missed = found.unfilled_columns
    places = list(zip(missed["bar"].tolist(), missed["instrument"].tolist(), strict=True))
    told = {place: units for place, units in expected.unfilled.items() if abs(units) > 1e-9}
    own = {place: units for place, units in zip(places, missed["units"].tolist(), strict=True) if abs(units) > 1e-9}
    assert own.keys() == told.keys()
    assert [own[place] for place in sorted(own)] == many.money([told[place] for place in sorted(told)])


def given_of(account: Account, kernel: Extras) -> tuple[Any, Any, Any]:
    return many.reference_terms(account), reference_extras_of(account, kernel), kernel.interest.tolist()


def both_weights(case: Any, which: Kinds, tolerance: float = 0.0) -> tuple[Ledger, reference_extras.FullRun]:
    account = many.account_for(case)
    kernel = random_extras(account, which, np.random.default_rng(case.seed + 9))
    weights = many.targets_of(case, np.random.default_rng(case.seed + 1))
    by_bar = {
        account.panel.index.get_loc(stamp): row.tolist()
        for stamp, row in zip(weights.index, weights.to_numpy(), strict=True)
    }
    options = many.reference_options(account, tolerance=tolerance)
    expected = reference_extras.simulate_weights_full(
        many.reference_bars(account), by_bar, given_of(account, kernel), options
    )
    return run_weights(with_extras(account, kernel), weights, tolerance=tolerance), expected


def said_to(case: Any, account: Account, lively: float, names: frozenset[str]) -> tuple[Any, Decided, Any]:
    said = many.said_of(case, np.random.default_rng(case.seed + 2), lively, names)
    own = [signal_words([side[rows, j] for side in said.conditions]) for j, rows in enumerate(account.rows)]
    words = on_union(account, own)
    rank = said.rank if said.rank.size > 1 else np.zeros((1, 1))
    decided = Decided(words, Levels(**said.levels), int(said.fixed_units))
    return said, decided, wishes_of(account, words, rank, None)


def both_signals(
    case: Any, which: Kinds, lively: float, names: frozenset[str], places: int
) -> tuple[Ledger, reference_extras.FullRun]:
    account = many.account_for(case)
    kernel = random_extras(account, which, np.random.default_rng(case.seed + 9))
    said, decided, wishes = said_to(case, account, lively, names)
    signals = []
    for j in range(case.n):
        sides = [[bool(x) for x in side[:, j]] for side in said.conditions]
        ranks = said.rank[:, j].tolist() if said.rank.size > 1 else [0.0] * case.n_bars
        levels = (said.levels[name][:, j].tolist() for name in Levels._fields)
        signals.append(reference_signals.Signals(*sides, *levels, ranks))
    options = many.reference_options(account, max_positions=places, fixed_units=said.fixed_units)
    expected = reference_extras.simulate_signals_full(
        many.reference_bars(account), signals, given_of(account, kernel), options
    )
    return run_signals(with_extras(account, kernel), decided, wishes, places), expected


EVERYTHING = many.Case(seed=3, n=5, n_bars=65, gaps="holes", shorts=True, max_leverage=3.0, step=0.2, borrow=5.0)


@given(case=cases, which=kinds, tolerance=st.sampled_from([0.0, 0.0, 0.05]))
@settings(max_examples=MANY)
@example(case=EVERYTHING, which=ALL, tolerance=0.0)
def test_weights_give_the_orders_of_the_reference(case: Any, which: Kinds, tolerance: float) -> None:
    assert_same(*both_weights(case, which, tolerance))


@given(
    case=cases,
    which=kinds,
    lively=st.sampled_from([0.03, 0.3, 0.7]),
    names=st.frozensets(st.sampled_from(["stop", "target", "trail"])),
    places=st.sampled_from([1, 2, 10]),
)
@settings(max_examples=MANY)
@example(case=EVERYTHING, which=ALL, lively=0.3, names=frozenset({"stop", "trail"}), places=10)
def test_signals_give_the_orders_of_the_reference(
    case: Any, which: Kinds, lively: float, names: frozenset[str], places: int
) -> None:
    assert_same(*both_signals(case, which, lively, names, min(places, case.n)))


@given(case=many.cases, route=st.sampled_from(["weights", "signals"]))
@settings(max_examples=MANY)
def test_without_an_extra_the_full_account_is_the_plain_one(case: Any, route: str) -> None:
    account = many.account_for(case)
    full = with_extras(account, none_of(account))
    if route == "weights":
        weights = many.targets_of(case, np.random.default_rng(case.seed + 1))
        first, second = run_weights(account, weights), run_weights(full, weights)
    else:
        _, decided, wishes = said_to(case, account, 0.3, frozenset({"stop", "target"}))
        first, second = (run_signals(each, decided, wishes, min(3, case.n)) for each in (account, full))
    np.testing.assert_array_equal(first.fills.places, second.fills.places)
    assert second.fills.money.ravel().tolist() == many.money(first.fills.money.ravel().tolist())
    assert second.curve[EQUITY].tolist() == many.money(first.curve[EQUITY].tolist())


@given(case=cases, which=kinds, route=st.sampled_from(["weights", "signals"]))
@settings(max_examples=MANY)
def test_cash_and_positions_are_the_equity_at_every_bar(case: Any, which: Kinds, route: str) -> None:
    found = both_weights(case, which)[0] if route == "weights" else both_signals(case, which, 0.3, frozenset(), 3)[0]
    orders, account = found.order_columns, found.account
    assume(found.ruined_at is None)
    units = np.zeros((account.n_bars, account.n_instruments))
    np.add.at(units, (orders["filled_at"], orders["instrument"]), orders["units"])
    worth = (np.cumsum(units, axis=0) * account.market.mark).sum(axis=1)
    assert found.curve[EQUITY].tolist() == many.money((found.curve[CASH] + worth).tolist())
    paid = np.bincount(orders["filled_at"], orders["units"] * orders["price"] + orders["commission"], account.n_bars)
    dividends = np.bincount(found.dividends["paid_at"], found.dividends["amount"], account.n_bars)
    borrow = found.borrow.sum()
    left = many.CASH_0 - paid.sum() + dividends.sum() - borrow - found.curve[INTEREST].sum()
    assert found.curve[CASH, -1] == many.money(left, 1e7)
