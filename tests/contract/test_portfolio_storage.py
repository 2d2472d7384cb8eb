"""What is kept of a portfolio is what its fills make in memory, to the last digit, on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algotrendy.domain.cash import CashEntry, CashKind
from algotrendy.domain.corporate_action import CorporateAction
from algotrendy.domain.fill import Fill
from algotrendy.domain.portfolio import Portfolio
from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.portfolio import LotBook
from algotrendy.storage import (
    AccountStore,
    Database,
    DeploymentStore,
    PortfolioStore,
    StrategyStore,
    Trade,
    lot_book,
    new_id,
)
from tests.contract.databases import KINDS, opened, place_for

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(params=KINDS, scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with opened(place_for(request, request.param), durability="process") as made:
        yield made


def port(database: Database, **more: Any) -> str:
    return PortfolioStore(database).create(name="P", initial_capital=Decimal(1000), **more).id


def fill(number: int, side: Any, quantity: Any, price: Any, *, symbol: str = "A", day: int = 0, **more: Any) -> Fill:
    at = NOON + timedelta(days=day)
    return Fill(
        execution_id=f"f{number}", instrument=symbol, side=side, quantity=quantity, price=price, filled_at=at, **more
    )


def made_fills(seed: int, n: int) -> list[Fill]:
    """Return fills of three instruments, in the order of time, some at the same moment."""
    rng = random.Random(seed)
    day, found = 0, []
    for number in range(n):
        day += rng.randrange(3)
        places = rng.choice([0, 2, 8, 18])
        found.append(
            fill(
                number, rng.choice(["BUY", "SELL"]), Decimal(rng.randrange(1, 10**6)).scaleb(-rng.choice([0, 3, 9])),
                Decimal(rng.randrange(1, 10**9)).scaleb(-places), symbol=rng.choice("ABC"), day=day,
                commission=Decimal(rng.randrange(0, 500)).scaleb(-2),
            )
        )  # fmt: skip
    return found


def made_actions(seed: int, n: int, last: Fill) -> list[CorporateAction]:
    """Return splits, with and without cash in lieu, and dividends, at distinct moments, some at that of a fill."""
    rng, found = random.Random(seed), []
    for number in range(n):
        hours = rng.choice([0, 5]) + number / 60 if number else 0
        at = NOON + timedelta(days=rng.randrange((last.filled_at - NOON).days + 2), hours=hours)
        facts: dict[str, Any] = {"action_id": f"c{number}", "instrument": rng.choice("ABC"), "effective_at": at}
        if rng.random() < 0.4:
            amount = Decimal(rng.randrange(1, 10**6)).scaleb(-rng.choice([2, 4, 9]))
            found.append(CorporateAction(kind="cash_dividend", amount=amount, **facts))  # type: ignore[arg-type]
        else:
            new, old = rng.choice([(2, 1), (3, 2), (1, 3), (7, 1), (21, 20), (1, 10)])
            price = rng.choice([None, Decimal("12.34")])
            found.append(CorporateAction(kind="split", new=new, old=old, cash_in_lieu=price, **facts))  # type: ignore[arg-type]
    return found


def in_memory(fills: list[Fill], method: str, actions: list[CorporateAction]) -> tuple[Portfolio, LotBook]:
    """Return the account of fills that are in order: an action comes before the fills of its moment."""
    portfolio, book = Portfolio(), LotBook(method=method)  # type: ignore[arg-type]
    waiting = sorted(actions, key=lambda one: one.effective_at)
    for one in fills:
        while waiting and waiting[0].effective_at <= one.filled_at:
            action = waiting.pop(0)
            portfolio, book = portfolio.with_action(action), book.with_action(action)
        portfolio, book = portfolio.with_fill(one), book.with_fill(one)
    for action in waiting:
        portfolio, book = portfolio.with_action(action), book.with_action(action)
    return portfolio, book


def check_equal(
    store: AccountStore, portfolio_id: str, fills: list[Fill], method: str, actions: list[CorporateAction] | None = None
) -> None:
    portfolio, book = in_memory(fills, method, actions or [])
    kept, lots = store.portfolio(portfolio_id), store.lots(portfolio_id)
    assert dict(kept.positions) == dict(portfolio.positions)
    assert store.balances(portfolio_id) == dict(portfolio.cash.balances) == dict(kept.cash.balances)
    for symbol in "ABC":
        assert lots.lots.get(symbol, ()) == book.lots.get(symbol, ())
        of_symbol = [[row for row in one.disposals if row.lot.instrument == symbol] for one in (lots, book)]
        assert of_symbol[0] == of_symbol[1]


@pytest.fixture(scope="module")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("fills")
    database = Database(f"sqlite:///{folder}/house.db", durability="process")
    yield database
    database.close()


@settings(deadline=None, max_examples=1000 if settings.default.max_examples >= 200 else 25)
@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12), method=st.sampled_from(["fifo", "lifo", "hifo", "average"])
)
def test_what_is_kept_is_what_the_fills_make_in_memory(one_file: Database, seed: int, n: int, method: str) -> None:
    """Fills come in any order, some of them twice; the account is that of the order in which they were executed."""
    fills = made_fills(seed, n)
    store, portfolio_id = AccountStore(one_file), port(one_file, lot_method=method)
    rng = random.Random(seed + 1)
    # fills of one moment keep their order: nothing but their arrival says which was first
    arrival = sorted(fills, key=lambda one: (rng.random() < 0.3, one.filled_at, int(one.execution_id[1:])))
    sequence = {one.execution_id: place for place, one in enumerate(arrival)}
    for one in arrival:
        store.record(portfolio_id, [Trade(fill=one)] * rng.choice([1, 2]))
    executed = sorted(fills, key=lambda one: (one.filled_at, sequence[one.execution_id]))
    check_equal(store, portfolio_id, executed, method)


@settings(deadline=None, max_examples=1000 if settings.default.max_examples >= 200 else 25)
@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12), n_actions=st.integers(1, 5),
    method=st.sampled_from(["fifo", "lifo", "hifo", "average"]),
)  # fmt: skip
def test_splits_and_dividends_among_fills_are_kept_as_in_memory(
    one_file: Database, seed: int, n: int, n_actions: int, method: str
) -> None:
    """Fills and actions come in any order, some twice; lots, positions and cash are those of the order of time."""
    fills = made_fills(seed, n)
    actions = made_actions(seed, n_actions, fills[-1])
    store, portfolio_id, rng = AccountStore(one_file), port(one_file, lot_method=method), random.Random(seed + 1)
    arrival: list[Fill | CorporateAction] = [*fills, *actions]
    rng.shuffle(arrival)
    for one in arrival:
        for _ in range(rng.choice([1, 2])):
            if isinstance(one, Fill):
                store.record(portfolio_id, [Trade(fill=one)])
            else:
                store.record_action(portfolio_id, one)
    sequence = {one.execution_id: place for place, one in enumerate(arrival) if isinstance(one, Fill)}
    executed = sorted(fills, key=lambda one: (one.filled_at, sequence[one.execution_id]))
    check_equal(store, portfolio_id, executed, method, actions)
    for name, position in store.portfolio(portfolio_id).positions.items():
        assert store.lots(portfolio_id).quantity(name) == position.quantity
    book = lot_book(store.trades(portfolio_id), actions=store.actions(portfolio_id), method=method)
    assert {name: lots for name, lots in book.lots.items() if lots} == dict(store.lots(portfolio_id).lots)


def test_a_split_is_booked_once_and_its_fraction_is_paid(database: Database) -> None:
    store, portfolio_id = AccountStore(database), port(database)
    store.record(portfolio_id, [Trade(fill=fill(1, "BUY", 15, 30)), Trade(fill=fill(2, "BUY", 10, 45, day=1))])
    split = CorporateAction(
        action_id="1:2", instrument="A", kind="split", new=1, old=2, cash_in_lieu=Decimal(80),  # type: ignore[arg-type]
        effective_at=NOON + timedelta(days=2),
    )  # fmt: skip
    assert [store.record_action(portfolio_id, split) for _ in range(2)] == [True, False]
    with pytest.raises(Conflict, match="1:2 is recorded with the new 1, found 3"):
        store.record_action(portfolio_id, replace(split, new=3))
    # 25 units for 900 become 12.5 for 900; the half unit goes for 40: its cost is 36 on average, 30 of the first lot
    held = store.portfolio(portfolio_id)
    assert (held.positions["A"].quantity, held.positions["A"].cost, held.positions["A"].realised) == (12, 864, 4)
    assert held.positions["A"].average_cost == 72
    assert store.balances(portfolio_id) == {"USD": Decimal(-900 + 40)}
    lots = store.lots(portfolio_id)
    assert [(lot.quantity, lot.cost) for lot in lots.lots["A"]] == [(7, 420), (5, 450)]
    assert [(row.lot.quantity, row.lot.cost, row.cash) for row in lots.disposals] == [(Decimal("0.5"), 30, 40)]
    # a purchase of one unit before it, told late: 13 units, no fraction, and the 40 were never paid
    store.record(portfolio_id, [Trade(fill=fill(3, "BUY", 1, 10, day=1))])
    assert store.portfolio(portfolio_id).positions["A"].quantity == 13
    assert store.balances(portfolio_id) == {"USD": Decimal(-910)}
    assert not store.lots(portfolio_id).disposals


def test_a_dividend_is_for_those_who_held_before_it(database: Database) -> None:
    store, portfolio_id = AccountStore(database), port(database)
    paid = CorporateAction(
        action_id="d", instrument="A", kind="cash_dividend", amount=Decimal("0.25"), effective_at=NOON  # type: ignore[arg-type]
    )  # fmt: skip
    assert store.record_action(portfolio_id, paid), "before anything is held"
    store.record(portfolio_id, [Trade(fill=fill(1, "BUY", 100, 1))])  # at the moment of the action: without it
    assert store.balances(portfolio_id) == {"USD": Decimal(-100)}
    store.record(portfolio_id, [Trade(fill=fill(2, "BUY", 40, 1, day=-1)), Trade(fill=fill(3, "BUY", 8, 1, day=-2))])
    entries = store.portfolio(portfolio_id).cash.entries
    dividends = [(one.amount, one.reference, one.at) for one in entries if one.kind is CashKind.DIVIDEND]
    assert dividends == [(10, "A", NOON), (2, "A", NOON)]
    later = replace(paid, action_id="e", effective_at=datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(InputError, match="record it then"):
        store.record_action(portfolio_id, later)
    with pytest.raises(NotFound):
        store.record_action(new_id("port"), paid)


def test_both_databases_keep_every_digit(database: Database) -> None:
    fills = made_fills(7, 40)
    store, portfolio_id = AccountStore(database), port(database, lot_method="average")
    late = [one for one in fills if int(one.execution_id[1:]) % 3 == 0]
    in_time = [one for one in fills if one not in late]
    assert store.record(portfolio_id, [Trade(fill=one) for one in in_time]) == len(in_time)
    assert store.record(portfolio_id, [Trade(fill=one) for one in late + in_time]) == len(late)
    arrival = {one.execution_id: place for place, one in enumerate(in_time + late)}
    check_equal(store, portfolio_id, sorted(fills, key=lambda o: (o.filled_at, arrival[o.execution_id])), "average")


def test_two_writers_at_once_lose_nothing(database: Database) -> None:
    portfolio_id = port(database)
    n_writers, n_each = 4, 12
    start = threading.Barrier(n_writers)

    def write(writer: int) -> None:
        store = AccountStore(database)
        start.wait()
        for number in range(n_each):
            own = fill(writer * 100 + number, "BUY", 1, "10.01", commission="0.1")
            shared = fill(9000 + number, "BUY", 2, 20)  # all of them were told of it
            store.record(portfolio_id, [Trade(fill=own), Trade(fill=shared)])
            deposit = CashEntry(at=NOON, amount=Decimal(5), currency="USD", kind=CashKind.DEPOSIT)
            store.record_cash(portfolio_id, deposit, key=f"{writer}/{number}")

    with ThreadPoolExecutor(n_writers) as pool:
        list(pool.map(write, range(n_writers)))
    store = AccountStore(database)
    own, shared = n_writers * n_each, n_each
    held = store.portfolio(portfolio_id)
    assert held.positions["A"].quantity == own + 2 * shared == store.lots(portfolio_id).quantity("A")
    assert held.positions["A"].cost == own * Decimal("10.01") + 40 * shared
    cash = own * Decimal(5) - own * Decimal("10.11") - 40 * shared
    assert store.balances(portfolio_id)["USD"] == cash == held.cash.balances["USD"]
    assert PortfolioStore(database).get(portfolio_id).last_number == own + shared + own


def test_an_execution_counts_once_and_cannot_change(database: Database) -> None:
    store, portfolio_id = AccountStore(database), port(database)
    trade = Trade(fill=fill(1, "BUY", 10, 5))
    assert [store.record(portfolio_id, [trade]) for _ in range(2)] == [1, 0]
    with pytest.raises(Conflict, match=r"f1 is recorded with the quantity 10, found 11; undo it"):
        store.record(portfolio_id, [Trade(fill=fill(2, "BUY", 1, 1)), Trade(fill=fill(1, "BUY", 11, 5))])
    assert store.portfolio(portfolio_id).positions["A"].quantity == 10, "the other one of the call was undone with it"
    with pytest.raises(InputError, match="EUR"):
        store.record(portfolio_id, [Trade(fill=fill(3, "BUY", 1, 1, currency="EUR"))])
    with pytest.raises(NotFound, match="there is no portfolio"):
        store.record(new_id("port"), [trade])


def test_cash_counts_once_under_its_key(database: Database) -> None:
    store, portfolio_id = AccountStore(database), port(database)
    deposit = CashEntry(at=NOON, amount=Decimal("0.1"), currency="USD", kind=CashKind.DEPOSIT)
    assert [store.record_cash(portfolio_id, deposit, key="d1") for _ in range(2)] == [True, False]
    with pytest.raises(Conflict, match=r"there is a deposit of 0\.1 USD already, found a deposit of 2 USD"):
        store.record_cash(
            portfolio_id, CashEntry(at=NOON, amount=Decimal(2), currency="USD", kind=CashKind.DEPOSIT), key="d1"
        )
    with pytest.raises(InputError, match="comes with a trade"):
        store.record_cash(portfolio_id, CashEntry(at=NOON, amount=Decimal(2), currency="USD", kind=CashKind.TRADE))
    assert store.balances(portfolio_id) == {"USD": Decimal("0.1")}


def test_named_lots_are_closed_and_late_fills_cannot_break_them(database: Database) -> None:
    store, portfolio_id = AccountStore(database), port(database)
    store.record(portfolio_id, [Trade(fill=fill(n, "BUY", 10, 5 + n, day=n)) for n in (1, 2, 3)])
    sale = fill(4, "SELL", 15, 9, day=8)
    store.record(portfolio_id, [Trade(fill=sale, lots={"f3": Decimal(10), "f2": Decimal(5)})])
    held = {lot.lot_id: lot.quantity for lot in store.lots(portfolio_id).lots["A"]}
    assert held == {"f1": 10, "f2": 5}
    store.record(portfolio_id, [Trade(fill=fill(5, "SELL", 12, 9, day=5))])  # before the sale, and it takes from f2
    book = store.lots(portfolio_id)
    assert book.quantity("A") == store.portfolio(portfolio_id).positions["A"].quantity == 3
    assert [row.disposal_id for row in book.disposals] == ["f5:f1", "f5:f2", "f4:f2", "f4:f3"]


def test_settings_have_versions_and_history_is_archived(database: Database) -> None:
    store, accounts = PortfolioStore(database), AccountStore(database)
    user = new_id("usr")
    fresh, used = port(database, user_id=user), port(database, user_id=user)
    assert store.update(used, {"name": "Other"}, expected_version=1).version == 2
    with pytest.raises(Conflict, match="has version 2, the change was made from 1"):
        store.update(used, {"name": "Mine"}, expected_version=1)
    with pytest.raises(InputError, match="currency cannot be changed"):
        store.update(used, {"currency": "EUR"})
    accounts.record(used, [Trade(fill=fill(n, "BUY", 1, 1)) for n in (1, 2)])
    strategy = StrategyStore(database).create(name="Cross", asset_class="stock").id
    deployments = DeploymentStore(database)
    deployed = deployments.create(strategy, used, allocation="0.5")
    with pytest.raises(Conflict, match="1 deployment"):
        store.delete(used)
    deployments.move(deployed.id, "stopped")
    archived = store.delete(used)
    assert archived is not None
    assert archived.status == "archived"
    with pytest.raises(Conflict, match="archived"):
        accounts.record(used, [Trade(fill=fill(9, "BUY", 1, 1))])
    assert store.delete(fresh) is None
    with pytest.raises(NotFound):
        store.get(fresh)
    assert [one.id for one in store.list(user_id=user).items] == [used]
    assert store.list(status="active", user_id=user).items == ()
