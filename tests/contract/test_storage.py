"""Strategies, deployments and results keep their promises on every database."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.storage import Database, DeploymentStore, JobStore, ResultStore, StrategyStore, UnitOfWork, new_id
from algotrendy.storage.deployments import NEXT_DEPLOYMENT_STATUS, DeploymentStatus
from tests.contract.databases import KINDS, opened, place_for

DEFINITION = {"entry": "sma(close, fast) > sma(close, slow)", "z": 1e16, "a": [-0.0, "ü\0"], "nan": math.nan}


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with opened(place_for(request, request.param)) as one:
        yield one


def drafted(database: Database, **changes: Any) -> Any:
    return StrategyStore(database).create(**{"name": "Cross", "asset_class": "stock", **changes})


# --- strategies ---


def test_a_strategy_comes_back_as_it_was_kept(database: Database) -> None:
    owner = new_id("usr")
    made = drafted(
        database,
        description="two averages",
        parameters={"fast": 10, "stop": 0.05},
        definition=DEFINITION,
        code="import os  # never run",
        created_by=owner,
    )
    found = StrategyStore(database).get(made.id)
    assert repr(found) == repr(made)  # NaN is not equal to itself
    assert list(found.definition) == list(DEFINITION)
    assert type(found.definition["z"]) is float
    assert math.copysign(1.0, found.definition["a"][0]) == -1.0
    assert found.created_at.tzinfo is UTC
    assert abs((datetime.now(UTC) - found.created_at).total_seconds()) < 60


def test_every_version_is_kept_and_can_be_read(database: Database) -> None:
    store = StrategyStore(database)
    made = drafted(database, parameters={"fast": 10})
    store.update(made.id, expected_version=1, parameters={"fast": 12}, status="active")
    last = store.update(made.id, expected_version=2, name="Crossing", definition=None)
    history = store.history(made.id)
    assert [(one.version, one.name, one.parameters["fast"], str(one.status)) for one in history] == [
        (1, "Cross", 10, "draft"),
        (2, "Cross", 12, "active"),
        (3, "Crossing", 12, "active"),
    ]
    assert history[-1] == store.get(made.id) == last
    assert store.get(made.id, version=1) == made
    with pytest.raises(NotFound, match="has no version 4; the newest is 3"):
        store.get(made.id, version=4)


def test_of_two_changes_from_one_version_the_second_is_refused(database: Database) -> None:
    store = StrategyStore(database)
    made = drafted(database)
    store.update(made.id, expected_version=1, name="mine")
    with pytest.raises(Conflict, match="is in version 2, the change was made from version 1; read it again"):
        store.update(made.id, expected_version=1, name="yours")
    assert store.get(made.id).name == "mine"
    assert len(store.history(made.id)) == 2


def test_of_many_threads_that_change_one_version_exactly_one_wins(database: Database) -> None:
    store = StrategyStore(database)
    made = drafted(database)
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def change(name: str) -> None:
        start.wait()
        try:
            outcomes.append(store.update(made.id, expected_version=1, name=name).name)
        except Conflict:
            outcomes.append("")

    threads = [threading.Thread(target=change, args=(f"by {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [name for name in outcomes if name]
    assert len(outcomes) == 6
    assert winners == [store.get(made.id).name]


def test_lists_are_read_a_page_at_a_time_and_new_rows_do_not_shift_them(database: Database) -> None:
    store = StrategyStore(database)
    made = [drafted(database, name=f"number {i}").id for i in range(5)]
    first = store.list(limit=2)
    drafted(database, name="later")
    second = store.list(limit=2, cursor=first.next_cursor)
    third = store.list(limit=2, cursor=second.next_cursor)
    assert [one.id for page in (first, second, third) for one in page.items] == made[::-1]
    assert third.next_cursor is None
    assert store.list(status="archived").items == ()
    assert len(store.list(asset_class="stock").items) == 6
    with pytest.raises(InputError, match="limit=0 is out of range; expected 1 to 1000"):
        store.list(limit=0)
    with pytest.raises(InputError, match=r"expected an identity such as strat_0+…, found 'job_1'"):
        store.list(cursor="job_1")


def test_a_strategy_is_deleted_with_its_versions_unless_it_was_deployed(database: Database) -> None:
    store = StrategyStore(database)
    gone, kept = drafted(database), drafted(database)
    result = ResultStore(database).put(kind="backtest", content_hash="1", strategy_id=gone.id, strategy_version=1)
    DeploymentStore(database).create(kept.id, new_id("port"), allocation=1)
    store.delete(gone.id)
    for call in (store.get, store.history, store.delete):
        with pytest.raises(NotFound, match=f"there is no strategy {gone.id}"):
            call(gone.id)
    with pytest.raises(Conflict, match=r"has 1 deployment\(s\) that refer to it; archive it instead"):
        store.delete(kept.id)
    assert ResultStore(database).get(result.id).strategy_id is None
    assert ResultStore(database).get(result.id).strategy_version == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": " "}, "is no text"),
        ({"name": "x" * 256}, "has 256 characters, at most 255 are kept"),
        ({"name": "a\0b"}, "has a NUL character at 1"),
        ({"asset_class": "house"}, "asset_class='house' is unknown; expected one of stock, etf"),
        ({"status": "live"}, "status='live' is unknown; expected one of draft, active, archived"),
        ({"parameters": [1]}, "parameters is a list; expected a mapping"),
        ({"parameters": {"fast": {1, 2}}}, "with a set in it"),
        ({"parameters": {"fast": "a\0b"}}, "NUL"),
        ({"created_by": "me"}, "expected an identity such as usr_"),
    ],
)
def test_what_cannot_be_kept_is_refused_on_every_database(
    database: Database, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        drafted(database, **wrong)
    assert StrategyStore(database).list().items == ()


def test_a_change_that_is_none_is_refused(database: Database) -> None:
    made = drafted(database)
    for changes in ({}, {"version": 7}):
        with pytest.raises(InputError, match="what can be changed is name, description"):
            StrategyStore(database).update(made.id, expected_version=1, **changes)


# --- deployments ---


def test_a_deployment_is_on_paper_and_of_the_version_of_its_day(database: Database) -> None:
    strategy = drafted(database)
    StrategyStore(database).update(strategy.id, expected_version=1, name="second")
    store = DeploymentStore(database)
    made = store.create(strategy.id, new_id("port"), allocation="0.2", risk_limits={"max_drawdown": 0.1})
    StrategyStore(database).update(strategy.id, expected_version=2, name="third")
    found = store.get(made.id)
    assert found == made
    assert (found.mode, found.allocation, found.strategy_version) == ("paper", Decimal("0.2"), 2)
    assert (found.started_at, found.stopped_at, found.status) == (None, None, "created")


@pytest.mark.parametrize("status", list(DeploymentStatus))
@pytest.mark.parametrize("before", list(DeploymentStatus))
def test_a_deployment_moves_as_the_table_says(database: Database, before: str, status: str) -> None:
    store = DeploymentStore(database)
    made = store.create(drafted(database).id, new_id("port"), allocation=1)
    if before == DeploymentStatus.STOPPED:
        store.move(made.id, "running")
    if before != DeploymentStatus.CREATED:
        made = store.move(made.id, before)
    if status in NEXT_DEPLOYMENT_STATUS[DeploymentStatus(before)]:
        moved = store.move(made.id, status, "because")
        assert (moved.status, moved.message) == (status, "because")
        assert (moved.started_at is not None) == ("running" in (before, status) or before == "stopped")
        assert (moved.stopped_at is not None) == (status in ("stopped", "failed"))
    else:
        with pytest.raises(Conflict, match=f"is {before}; it cannot become {status}"):
            store.move(made.id, status)
        assert store.get(made.id) == made


def test_deployments_are_listed_by_strategy_portfolio_and_status(database: Database) -> None:
    store = DeploymentStore(database)
    strategies, portfolios = [drafted(database).id for _ in range(2)], [new_id("port") for _ in range(2)]
    made = [store.create(one, other, allocation=0.5) for one in strategies for other in portfolios]
    store.move(made[3].id, "running")
    assert [one.id for one in store.list(strategy_id=strategies[0]).items] == [made[1].id, made[0].id]
    assert [one.id for one in store.list(portfolio_id=portfolios[0]).items] == [made[2].id, made[0].id]
    assert [one.id for one in store.list(status="running").items] == [made[3].id]


@pytest.mark.parametrize("allocation", ["0", "1.01", "-0.1", "nan", "much", "0.12345678901"])
def test_an_allocation_that_is_no_share_is_refused(database: Database, allocation: str) -> None:
    strategy = drafted(database)
    with pytest.raises(InputError):
        DeploymentStore(database).create(strategy.id, new_id("port"), allocation=allocation)


def test_who_is_not_there_is_said(database: Database) -> None:
    store = DeploymentStore(database)
    with pytest.raises(NotFound, match="there is no strategy"):
        store.create(new_id("strat"), new_id("port"), allocation=1)
    for call in (store.get, lambda one: store.move(one, "running")):
        with pytest.raises(NotFound, match="there is no deployment"):
            call(new_id("dep"))


# --- results ---


def test_a_result_is_found_by_what_went_into_it(database: Database) -> None:
    store = ResultStore(database)
    old = store.put(kind="backtest", content_hash="h1", metrics={"sharpe_ratio": math.nan, "n_trades": 3})
    new = store.put(
        kind="sweep",
        content_hash="h1",
        definition=DEFINITION,
        assumptions={"fill": "next_open"},
        document=b"\0\xff" * 9,
    )
    assert repr(store.find("h1")) == repr(new)
    assert repr(store.find("h1", "backtest")) == repr(old)
    assert store.find("h2") is None
    assert new.id.startswith("bt_")
    assert (store.document(new.id), new.document_size) == (b"\0\xff" * 9, 18)
    assert (store.document(old.id), old.document_size) == (None, None)


def test_results_are_listed_and_deleted(database: Database) -> None:
    store = ResultStore(database)
    strategy = drafted(database)
    job = JobStore(database).enqueue("backtest")
    mine = store.put(kind="backtest", content_hash="1", strategy_id=strategy.id, job_id=job.id, path="results/a.json")
    store.put(kind="sweep", content_hash="2")
    assert [one.id for one in store.list(strategy_id=strategy.id).items] == [mine.id]
    assert len(store.list(kind="sweep").items) == 1
    assert store.get(mine.id) == mine
    assert (mine.path, mine.job_id) == ("results/a.json", job.id)
    store.delete(mine.id)
    for call in (store.get, store.document, store.delete):
        with pytest.raises(NotFound, match=f"there is no result {mine.id}"):
            call(mine.id)


def test_a_result_of_a_strategy_that_is_not_there_is_refused(database: Database) -> None:
    with pytest.raises(Conflict, match="refuses the change"):
        ResultStore(database).put(kind="backtest", content_hash="1", strategy_id=new_id("strat"))
    with pytest.raises(InputError, match="give path= or document=, not both"):
        ResultStore(database).put(kind="backtest", content_hash="1", path="a", document=b"")


# --- units of work ---


def test_a_unit_of_work_happens_as_a_whole(database: Database) -> None:
    with UnitOfWork(database) as work:
        strategy = StrategyStore(work).create(name="Cross", asset_class="stock")
        job = JobStore(work).enqueue("backtest", {"strategy": strategy.id})
        assert StrategyStore(work).get(strategy.id) == strategy
        work.commit()
    assert StrategyStore(database).get(strategy.id) == strategy
    assert JobStore(database).get(job.id) == job


@pytest.mark.parametrize("how", ["without a commit", "an error"])
def test_a_unit_of_work_that_is_left_early_does_not_happen(database: Database, how: str) -> None:
    def leave() -> None:
        with UnitOfWork(database) as work:
            StrategyStore(work).create(name="Cross", asset_class="stock")
            JobStore(work).enqueue("backtest")
            if how == "an error":
                raise KeyError(how)

    if how == "an error":
        with pytest.raises(KeyError):
            leave()
    else:
        leave()
    assert StrategyStore(database).list().items == ()
    assert JobStore(database).list().items == ()


def test_a_unit_in_which_a_statement_failed_is_not_committed(database: Database) -> None:
    with UnitOfWork(database) as work:
        StrategyStore(work).create(name="Cross", asset_class="stock")
        with pytest.raises(Conflict, match="refuses the change"):
            ResultStore(work).put(kind="backtest", content_hash="1", strategy_id=new_id("strat"))
        with pytest.raises(InputError, match="a statement in this unit failed"):
            work.commit()
    assert StrategyStore(database).list().items == ()


def test_a_unit_goes_on_after_it_was_told_that_there_is_nothing(database: Database) -> None:
    with UnitOfWork(database) as work:
        with pytest.raises(NotFound):
            StrategyStore(work).get(new_id("strat"))
        StrategyStore(work).create(name="Cross", asset_class="stock")
        work.commit()
    assert len(StrategyStore(database).list().items) == 1


def test_a_unit_is_used_once_and_inside_its_block(database: Database) -> None:
    work = UnitOfWork(database)
    with pytest.raises(InputError, match="has not begun, or has ended"):
        StrategyStore(work).list()
    with work:
        work.commit()
        with pytest.raises(InputError, match="it cannot be committed"):
            work.commit()
    with pytest.raises(InputError, match="has begun already"), work:
        pass
