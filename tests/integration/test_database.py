"""What is particular to the database: making and moving its tables, its errors, its connections."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from algotrendy.errors import (
    AccessRefused,
    AlgotrendyError,
    ConfigError,
    InputError,
    MissingExtraError,
    OutcomeUnknown,
    VenueUnavailable,
)
from algotrendy.storage import Database, JobStore, StrategyStore, UnitOfWork, default_url, upgrade
from algotrendy.storage.schema import HEAD, VERSION_TABLE, steps_config, version_of
from algotrendy.storage.tables import metadata
from tests.contract.databases import KINDS, Place, opened, place_for


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Place:
    return place_for(request, request.param)


def described(connection: sa.Connection) -> dict[str, Any]:
    """Return what the database says of our tables."""
    look = sa.inspect(connection)
    return {
        name: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"], c["default"], c.get("comment"))
                for c in look.get_columns(name)
            ],
            "key": look.get_pk_constraint(name),
            "foreign": sorted(look.get_foreign_keys(name), key=str),
            "unique": look.get_unique_constraints(name),
            "indexes": look.get_indexes(name),
        }
        for name in [*sorted(metadata.tables), VERSION_TABLE]
    }


def step_to(database: Database, revision: str) -> None:
    """Make the tables of a revision by alembic's steps alone."""
    from alembic import command

    with database.connection(writes=True) as connection:
        if database.schema:
            connection.execute(sa.schema.CreateSchema(database.schema, if_not_exists=True))
        config = steps_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        database.commit(connection)


# --- tables ---


def test_steps_and_tables_make_the_same_database(request: pytest.FixtureRequest, place: Place, tmp_path: Path) -> None:
    with opened(place) as made:
        made.prepare()
        with made.connection(writes=False) as connection:
            at_once = described(connection)
            assert version_of(connection) == HEAD
    other = Place(place.url, place.schema + "_b") if place.schema else Place(f"sqlite:///{tmp_path}/steps.db")
    with opened(other) as stepped:
        step_to(stepped, "head")
        try:
            with stepped.connection(writes=False) as connection:
                step_by_step = described(connection)
                assert version_of(connection) == HEAD
        finally:
            if place.schema:
                with stepped.connection(writes=True) as connection:
                    connection.execute(sa.schema.DropSchema(other.schema, cascade=True))
                    stepped.commit(connection)
    text = str(step_by_step).replace(other.schema, place.schema) if place.schema else str(step_by_step)
    assert text == str(at_once)


def test_the_newest_step_is_the_version_that_we_write() -> None:
    from alembic.script import ScriptDirectory

    steps = ScriptDirectory.from_config(steps_config())
    assert steps.get_heads() == [HEAD]
    assert [step.revision for step in steps.walk_revisions()][::-1] == ["0001", "0002", "0003", "0004", "0005"]


def test_older_tables_are_brought_up_to_date_and_keep_their_rows(place: Place) -> None:
    with opened(place) as old:
        step_to(old, "0001")
        row = {"id": "strat_" + "0" * 31 + "1", "version": 1, "name": "Cross", "description": ""}
        now = datetime(2026, 1, 5, tzinfo=UTC)
        table = metadata.tables["strategies"]
        with old.connection(writes=True) as connection:
            values = {"asset_class": "stock", "status": "draft", "parameters": {}, "created_at": now, "updated_at": now}
            connection.execute(table.insert().values(row | values))
            old.commit(connection)
    if place.schema:
        with opened(place) as refusing, pytest.raises(ConfigError, match=r"are of version 0001.*storage\.upgrade"):
            refusing.prepare()
    assert upgrade(place.url, schema=place.schema or None) == HEAD
    assert upgrade(place.url, schema=place.schema or None) == HEAD
    with opened(place) as now_new:
        assert [one.name for one in StrategyStore(now_new).list().items] == ["Cross"]
        with now_new.connection(writes=False) as connection:
            assert version_of(connection) == HEAD
            assert sa.inspect(connection).has_table("trials")


def test_a_fresh_database_needs_no_alembic_and_an_older_one_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(Place(f"sqlite:///{tmp_path}/old.db")) as old:
        step_to(old, "0001")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "alembic" else find(name))
    monkeypatch.setitem(sys.modules, "alembic", None)
    with opened(Place(f"sqlite:///{tmp_path}/new.db")) as fresh:
        StrategyStore(fresh).create(name="Cross", asset_class="stock")
    with (
        opened(Place(f"sqlite:///{tmp_path}/old.db")) as old,
        pytest.raises(MissingExtraError, match=r"needs alembic.*algotrendy\[storage\]"),
    ):
        old.prepare()


def test_a_step_that_fails_leaves_the_tables_as_they_were(place: Place) -> None:
    with opened(place) as old:
        step_to(old, "0001")
        with old.connection(writes=True) as connection:
            connection.execute(sa.text("CREATE TABLE trials (x INTEGER)"))  # in the way of step 0002
            old.commit(connection)
    with pytest.raises(AlgotrendyError):
        upgrade(place.url, schema=place.schema or None)
    with opened(place) as old, old.connection(writes=False) as connection:
        assert version_of(connection) == "0001"


def test_tables_of_a_newer_version_or_another_program_are_left_alone(place: Place) -> None:
    with opened(place) as database:
        database.prepare()
        with database.connection(writes=True) as connection:
            connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
            database.commit(connection)
    with (
        opened(place) as database,
        pytest.raises(ConfigError, match="are of version 9999, this algotrendy knows up to"),
    ):
        database.prepare()
    with opened(place) as database:
        with database.connection(writes=True) as connection:
            connection.execute(sa.text(f"DROP TABLE {VERSION_TABLE}"))
            database.commit(connection)
        with pytest.raises(
            ConfigError, match=r"tables of another program under our names \(backtest_results, cash_balances, "
        ):
            database.prepare()


def test_many_may_make_the_tables_at_the_same_time(place: Place) -> None:
    databases = [place.open() for _ in range(6)]
    start = threading.Barrier(len(databases))

    def use(database: Database) -> None:
        start.wait()
        StrategyStore(database).create(name="Cross", asset_class="stock")

    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(use, databases))
    assert len(StrategyStore(databases[0]).list().items) == len(databases)
    for database in databases:
        database.close()


# --- addresses and arguments ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"url": "house.db"}, "is not the address of a database"),
        ({"url": "mysql://me:hush@host/house"}, "a database of kind 'mysql'"),
        ({"url": "sqlite://"}, "in memory, which would vanish"),
        ({"url": "sqlite:///a.db", "schema": "mine"}, "SQLite has none"),
        ({"url": "sqlite:///a.db", "durability": "hope"}, "durability='hope' is unknown"),
        ({"url": "sqlite:///a.db", "connections": 0}, "connections=0"),
    ],
)
def test_arguments_that_cannot_serve_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Database(**arguments)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("schema", ["Mine", "a b", "a;drop", "1a", ""])
def test_a_schema_has_a_plain_name(schema: str) -> None:
    pytest.importorskip("psycopg", reason="extra: psycopg is not installed")
    with pytest.raises(InputError, match="is no plain name"):
        Database("postgresql://me@host/house", schema=schema)


def test_a_missing_driver_gives_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "psycopg" else find(name))
    with pytest.raises(MissingExtraError, match=r"needs psycopg.*pip install 'algotrendy\[storage\]'"):
        Database("postgresql://me@host/house")


def test_the_default_lies_in_the_folder_for_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOTRENDY_HOME", str(tmp_path / "new" / "home"))
    database = Database()
    assert list(tmp_path.iterdir()) == []
    StrategyStore(database).create(name="Cross", asset_class="stock")
    database.close()
    assert default_url() == f"sqlite:///{tmp_path}/new/home/algotrendy.db"
    assert (tmp_path / "new" / "home" / "algotrendy.db").is_file()


# --- errors ---


def test_a_server_that_is_not_there_is_unavailable_and_the_password_stays_secret() -> None:
    pytest.importorskip("psycopg", reason="extra: psycopg is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(VenueUnavailable, match=rf"127\.0\.0\.1:{port}/house") as caught:
        StrategyStore(Database(f"postgresql://me:hush@127.0.0.1:{port}/house")).list()
    assert "hush" not in str(caught.value)


@pytest.mark.postgres
def test_a_database_or_a_role_that_is_not_there_is_told(postgres_schema: tuple[str, str]) -> None:
    url = sa.make_url(postgres_schema[0])
    with pytest.raises(ConfigError, match=r"there is no database .*/no_such_database"):
        Database(url.set(database="no_such_database").render_as_string(hide_password=False)).prepare()
    with pytest.raises(AccessRefused, match="refuses"):
        Database(url.set(username="no_such_role").render_as_string(hide_password=False)).prepare()


def test_a_file_that_is_no_database_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "house.db").write_text("dear diary, " * 100)
    with pytest.raises(ConfigError, match=r"house\.db is no database of SQLite"):
        Database(f"sqlite:///{tmp_path}/house.db").prepare()


def test_a_folder_that_cannot_be_made_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"the folder of house\.db cannot be made .*; name another file"):
        Database(f"sqlite:///{tmp_path}/file/house.db").prepare()


def test_a_writer_waits_for_another_and_then_says_so(tmp_path: Path) -> None:
    place = Place(f"sqlite:///{tmp_path}/house.db")
    with opened(place, lock_seconds=0.2) as database:
        database.prepare()
        with UnitOfWork(database):
            other = place.open(lock_seconds=0.2)
            assert StrategyStore(other).list().items == (), "readers wait for nobody"
            with pytest.raises(VenueUnavailable, match=r"house\.db: .*locked"):
                StrategyStore(other).create(name="Cross", asset_class="stock")
            other.close()
        StrategyStore(database).create(name="Cross", asset_class="stock")


@pytest.mark.postgres
def test_a_row_that_another_holds_is_waited_for_and_then_said(postgres_schema: tuple[str, str]) -> None:
    with opened(Place(*postgres_schema), lock_seconds=0.2) as database:
        strategy = StrategyStore(database).create(name="Cross", asset_class="stock")
        with UnitOfWork(database) as work:
            StrategyStore(work).update(strategy.id, expected_version=1, name="mine")
            with pytest.raises(VenueUnavailable, match=r"another has been writing for 0\.2 s; try again"):
                StrategyStore(database).update(strategy.id, expected_version=1, name="yours")


@pytest.mark.postgres
def test_connections_that_are_all_in_use_are_waited_for_and_then_said(postgres_schema: tuple[str, str]) -> None:
    with opened(Place(*postgres_schema), connections=1, lock_seconds=0.2) as database:
        database.prepare()
        with (
            database.transaction(),
            pytest.raises(VenueUnavailable, match=r"all 1 connections to .* were busy for 0\.2 s"),
        ):
            StrategyStore(database).list()


@pytest.mark.postgres
def test_a_connection_that_breaks_before_the_commit_did_nothing_and_at_the_commit_nobody_knows(
    postgres_schema: tuple[str, str],
) -> None:
    place = Place(*postgres_schema)
    with opened(place) as database, opened(place) as killer:
        store = StrategyStore(database)
        store.create(name="first", asset_class="stock")

        def end(connection: sa.Connection, *, then_ask: bool = False) -> None:
            pid = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
            with killer.transaction() as other:
                other.execute(sa.select(sa.func.pg_terminate_backend(pid, 5_000)))
            if then_ask:
                connection.execute(sa.text("SELECT 1"))

        with pytest.raises(OutcomeUnknown, match="broke while committing"), database.transaction() as connection:
            end(connection)
        with pytest.raises(VenueUnavailable), database.transaction() as connection:
            end(connection, then_ask=True)
        assert len(store.list().items) == 1, "the next call opens a new connection"


# --- connections ---


def test_what_a_commit_survives_is_set_on_the_connection(place: Place) -> None:
    found = {}
    for durability in ("disk", "process"):
        with opened(place, durability=durability) as database, database.transaction(writes=False) as connection:
            setting = "SHOW synchronous_commit" if place.schema else "PRAGMA synchronous"
            found[durability] = connection.execute(sa.text(setting)).scalar_one()
    assert found == ({"disk": "on", "process": "off"} if place.schema else {"disk": 2, "process": 1})


def test_readers_of_sqlite_wait_for_nobody_and_keys_are_held(tmp_path: Path) -> None:
    place = Place(f"sqlite:///{tmp_path}/house.db")
    with opened(place) as database, database.transaction(writes=False) as connection:
        assert connection.execute(sa.text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(sa.text("PRAGMA foreign_keys")).scalar_one() == 1
    with sqlite3.connect(tmp_path / "house.db") as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_asynchronous_code_uses_it_through_threads(place: Place) -> None:
    async def many(store: JobStore) -> list[str]:
        made = await asyncio.gather(*(asyncio.to_thread(store.enqueue, "greet", {"n": n}) for n in range(20)))
        return [job.id for job in made]

    with opened(place, connections=3) as database:
        made = asyncio.new_event_loop()
        try:
            ids = made.run_until_complete(many(JobStore(database)))
        finally:
            made.close()
        assert sorted(job.id for job in JobStore(database).list().items) == sorted(ids)


FORKED = """
import os, sys
from algotrendy.storage import Database, StrategyStore
database = Database(sys.argv[1], schema=sys.argv[2] or None)
store = StrategyStore(database)
store.create(name="parent", asset_class="stock")
child = os.fork()
if child == 0:
    store.create(name="child", asset_class="stock")
    database.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
store.create(name="parent again", asset_class="stock")
sys.stdout.write(str(sorted(one.name for one in store.list().items)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="fork: Windows has none")
def test_a_forked_child_opens_connections_of_its_own(place: Place) -> None:
    command = [sys.executable, "-c", FORKED, place.url, place.schema]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=dict(os.environ))
    assert done.stderr == ""
    assert done.stdout == "['child', 'parent', 'parent again']"
