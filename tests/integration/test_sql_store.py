"""What is particular to the SQL store: its tables, its errors, and what it does where TimescaleDB is installed."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from algotrendy.compute import wait_for
from algotrendy.data.series import Span
from algotrendy.data.store import SqlStore
from algotrendy.data.store.timescale import IS_INSTALLED, ROLLUPS, rollup_query, timescale_statements
from algotrendy.errors import AccessRefused, ConfigError, DataError, InputError, MissingExtraError, VenueUnavailable
from tests.contract.stores import DAILY, MINUTES, assert_same, bars_at, days, minutes, whole

BARS = bars_at(days(3), [1.0, 2.0, 3.0])
COVERED = whole(BARS, "1D")


async def rows_of(address: str, query: str) -> list[Any]:
    import asyncpg

    connection = await asyncpg.connect(address)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


# --- addresses ---


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("bars.db", "is not the address of a database"),
        ("mysql://me:hush@host/bars", "a database of kind 'mysql'"),
        ("sqlite://", "in memory, which would vanish"),
        ("sqlite:///:memory:", "in memory, which would vanish"),
    ],
)
def test_an_address_that_cannot_serve_is_refused_without_repeating_it(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        SqlStore(url)
    assert "hush" not in str(caught.value)


def test_a_schema_is_for_postgresql(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SQLite has none"):
        SqlStore(f"sqlite:///{tmp_path}/bars.db", schema="mine")


@pytest.mark.parametrize("package", ["asyncpg", "greenlet"])
def test_a_missing_driver_gives_the_command(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(MissingExtraError, match=rf"needs {package}.*pip install 'algotrendy\[storage\]'"):
        SqlStore("postgresql://host/bars")


def test_a_server_that_is_not_there_is_unavailable_and_the_password_stays_secret() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = SqlStore(f"postgresql://me:hush@127.0.0.1:{port}/bars")
    with pytest.raises(VenueUnavailable, match=rf"postgresql: 127\.0\.0\.1:{port}/bars cannot be reached") as caught:
        wait_for(store.read(DAILY))
    assert "hush" not in str(caught.value)


@pytest.mark.postgres
def test_a_database_that_is_not_there_is_a_wrong_setting(postgres_schema: tuple[str, str]) -> None:
    address, _ = postgres_schema
    store = SqlStore(address.rsplit("/", 1)[0] + "/no_such_database")
    with pytest.raises(ConfigError, match=r"there is no database .*/no_such_database"):
        wait_for(store.read(DAILY))


@pytest.mark.postgres
def test_a_role_without_rights_is_refused(postgres_schema: tuple[str, str]) -> None:
    address, schema = postgres_schema
    store = SqlStore(address, schema=schema)
    wait_for(store.write(DAILY, BARS, COVERED))
    role = f"{schema}_reader"
    wait_for(rows_of(address, f"CREATE ROLE {role} LOGIN"))
    try:
        wait_for(rows_of(address, f"GRANT USAGE ON SCHEMA {schema} TO {role}"))
        host = address.rsplit("@", 1)[-1]
        other = SqlStore(f"postgresql://{role}@{host}", schema=schema)
        with pytest.raises(AccessRefused, match="permission denied"):
            wait_for(other.read(DAILY))
        wait_for(rows_of(address, f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"))
        assert_same(wait_for(other.read(DAILY)), BARS)
        with pytest.raises(AccessRefused, match="permission denied"):
            wait_for(other.write(DAILY, BARS, COVERED))
        wait_for(other.close())
    finally:
        wait_for(store.close())
        wait_for(rows_of(address, f"DROP OWNED BY {role}"))
        wait_for(rows_of(address, f"DROP ROLE {role}"))


def test_a_file_that_is_no_database_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "bars.db").write_text("no database at all " * 100, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bars\.db is no database of SQLite"):
        wait_for(SqlStore(f"sqlite:///{tmp_path}/bars.db").read(DAILY))


def test_a_database_that_another_holds_is_unavailable_and_can_be_tried_again(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/bars.db", lock_seconds=0.2)
    wait_for(store.write(DAILY, BARS[:1], whole(BARS[:1], "1D")))
    other = sqlite3.connect(tmp_path / "bars.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(VenueUnavailable, match=r"bars\.db: .*locked"):
        wait_for(store.write(DAILY, BARS, COVERED))
    assert_same(wait_for(store.read(DAILY)), BARS[:1])  # reading goes on beside a writer
    other.execute("COMMIT")
    other.close()
    wait_for(store.write(DAILY, BARS, COVERED))
    assert_same(wait_for(store.read(DAILY)), BARS)


@pytest.mark.postgres
def test_a_writer_or_a_reader_that_waits_too_long_says_so_and_can_try_again(postgres_schema: tuple[str, str]) -> None:
    address, schema = postgres_schema
    holder = SqlStore(address, schema=schema)
    store = SqlStore(address, schema=schema, connections=1, lock_seconds=0.3)
    wait_for(store.write(DAILY, BARS, COVERED))

    async def held_up() -> None:
        async with holder._transaction(writes=True) as connection:
            await holder._lock(connection, DAILY.path)
            with pytest.raises(VenueUnavailable, match=r"has been writing the series for 0\.3 s; try again"):
                await store.write(DAILY, BARS, COVERED)
            assert_same(await store.read(DAILY), BARS)  # reading takes no lock
        async with store._transaction(writes=False):
            with pytest.raises(VenueUnavailable, match=r"all 1 connections to .* were busy for 0\.3 s"):
                await store.read(DAILY)

    wait_for(held_up())
    wait_for(store.write(DAILY, BARS, COVERED))
    for one in (store, holder):
        wait_for(one.close())


@pytest.mark.postgres
def test_a_write_that_is_cancelled_does_not_happen(postgres_schema: tuple[str, str]) -> None:
    address, schema = postgres_schema
    store = SqlStore(address, schema=schema)
    wait_for(store.write(DAILY, BARS, COVERED))
    many = bars_at(minutes(200_000), 1.0)

    async def cancelled() -> None:
        work = asyncio.create_task(store.write(MINUTES, many, whole(many, "1min")))
        await asyncio.sleep(0.3)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    wait_for(cancelled())
    assert wait_for(store.read(MINUTES)) is None
    assert_same(wait_for(store.read(DAILY)), BARS)
    wait_for(store.close())


@pytest.mark.postgres
def test_connections_that_the_server_ended_are_opened_anew(postgres_schema: tuple[str, str]) -> None:
    address, schema = postgres_schema
    store = SqlStore(address, schema=schema)
    wait_for(store.write(DAILY, BARS, COVERED))

    async def own_connection() -> int:
        async with store._transaction(writes=False) as connection:
            return int(await connection.scalar(sa.text("SELECT pg_backend_pid()")))

    number = wait_for(own_connection())
    assert wait_for(rows_of(address, f"SELECT pg_terminate_backend({number}) AS ended"))[0]["ended"]
    assert_same(wait_for(store.read(DAILY)), BARS)
    wait_for(store.close())


# --- tables ---


@pytest.mark.postgres
def test_the_table_can_be_queried_by_what_the_key_says(postgres_schema: tuple[str, str]) -> None:
    address, schema = postgres_schema
    store = SqlStore(address, schema=schema)
    wait_for(store.write(MINUTES, bars_at(minutes(2), 7.0).assign(is_partial=[False, True]), Span.of("2024", "2025")))
    (row, _) = wait_for(rows_of(address, f"SELECT * FROM {schema}.market_data WHERE interval = '1m' ORDER BY time"))
    assert dict(row) == {
        "symbol": "BTC/USDT", "venue": "BINANCE", "asset_type": "crypto", "source": "sample", "interval": "1m",
        "chart_style": "time", "adjusted": "raw", "time": pd.Timestamp("2024-01-01", tz="UTC").to_pydatetime(),
        "open": 7.0, "high": 8.75, "low": 5.25, "close": 7.0, "volume": 56.0, "extra": '{"is_partial": false}',
    }  # fmt: skip
    key = wait_for(
        rows_of(
            address,
            "SELECT string_agg(a.attname, ' ' ORDER BY array_position(i.indkey, a.attnum)) AS names FROM pg_index i"
            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)"
            f" WHERE i.indrelid = '{schema}.market_data'::regclass AND i.indisprimary",
        )
    )
    assert key[0]["names"] == "symbol venue asset_type source interval chart_style adjusted time"
    wait_for(store.close())


@pytest.mark.postgres
def test_many_stores_may_make_the_tables_at_the_same_time(postgres_schema: tuple[str, str]) -> None:
    address, schema = postgres_schema
    stores = [SqlStore(address, schema=schema, connections=1) for _ in range(8)]

    async def all_at_once() -> None:
        await asyncio.gather(*(store.write(DAILY, BARS, COVERED) for store in stores))
        await asyncio.gather(*(store.close() for store in stores))

    wait_for(all_at_once())
    assert_same(wait_for(stores[0].read(DAILY)), BARS)
    wait_for(stores[0].close())


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_stamps_finer_than_microseconds_are_refused(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url, schema = f"sqlite:///{tmp_path}/bars.db", None
    if kind == "postgres":
        url, schema = request.getfixturevalue("postgres_schema")
    store = SqlStore(url, schema=schema)
    index = pd.DatetimeIndex(["2024-01-01 00:00:00.000001", "2024-01-01 00:00:00.000001001"], tz="UTC")
    with pytest.raises(InputError, match=r"row 1 is stamped 2024-01-01T00:00:00\.000001001; a database keeps micro"):
        wait_for(store.write(MINUTES, bars_at(index, 1.0), Span.of("2024-01-01", "2024-01-02")))
    assert wait_for(store.read(MINUTES)) is None
    wait_for(store.close())


def test_a_text_that_someone_put_among_the_numbers_is_told(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/bars.db")
    wait_for(store.write(DAILY, BARS, COVERED))
    with sqlite3.connect(tmp_path / "bars.db") as other:
        other.execute("UPDATE market_data SET close = 'dear' WHERE close = 2.0")
    other.close()
    with pytest.raises(DataError, match="a row of sample/stock/1d/raw/XNAS~AAPL in market_data holds no number"):
        wait_for(store.read(DAILY))


def test_tables_of_a_newer_version_are_left_as_they_are(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/bars.db")
    wait_for(store.write(DAILY, BARS, COVERED))
    with sqlite3.connect(tmp_path / "bars.db") as other:
        other.execute("UPDATE market_coverage SET version = 2")
    other.close()
    for call in (store.read(DAILY), store.write(DAILY, BARS, COVERED)):
        with pytest.raises(DataError, match="version 2 of the table's format, this algotrendy reads up to 1"):
            wait_for(call)


# --- TimescaleDB: the statements; the extension itself runs on none of the machines that these tests know ---


def test_the_statements_make_a_hypertable_then_compress_it_then_roll_minutes_up() -> None:
    hypertable, compress, policy, *views = timescale_statements("my schema")
    assert hypertable.startswith("""SELECT create_hypertable('"my schema".market_data', by_range('time',""")
    assert "compress_segmentby = 'symbol, venue, asset_type, source, interval, chart_style, adjusted'" in compress
    assert policy.startswith("""SELECT add_compression_policy('"my schema".market_data',""")
    assert len(views) == 2 * len(ROLLUPS)
    assert all("IF NOT EXISTS" in text or "if_not_exists => TRUE" in text for text in (hypertable, policy, *views))
    assert not any("1 day" in width for width in ROLLUPS.values())


@pytest.mark.postgres
def test_a_database_without_the_extension_is_plain_postgresql(postgres_schema: tuple[str, str]) -> None:
    address, schema = postgres_schema
    if wait_for(rows_of(address, IS_INSTALLED)):
        pytest.skip("postgres: this server has TimescaleDB installed; the test is for one without")
    store = SqlStore(address, schema=schema)
    assert store.timescale is None
    wait_for(store.write(DAILY, BARS, COVERED))
    assert store.timescale is None
    wait_for(store.close())


@pytest.mark.postgres
def test_the_roll_up_query_gives_the_bars_that_pandas_resamples(postgres_schema: tuple[str, str]) -> None:
    """Run on plain PostgreSQL, with `time_bucket`, `first` and `last` made from what it has."""
    address, schema = postgres_schema
    store = SqlStore(address, schema=schema)
    rng = np.random.default_rng(2)
    bars = bars_at(minutes(500), rng.uniform(50.0, 60.0, 500)).iloc[rng.permutation(500)[:400]].sort_index()
    wait_for(store.write(MINUTES, bars, Span.of("2024-01-01", "2024-01-02")))
    wait_for(store.close())
    stand_ins = f"""
        SET search_path = {schema};
        CREATE FUNCTION time_bucket(width interval, at timestamptz) RETURNS timestamptz IMMUTABLE LANGUAGE sql
            AS $$ SELECT date_bin(width, at, '2000-01-03 00:00+00') $$;
        CREATE TYPE dated AS (value double precision, at timestamptz);
        CREATE FUNCTION earlier(kept dated, value double precision, at timestamptz) RETURNS dated LANGUAGE sql
            AS $$ SELECT CASE WHEN kept IS NULL OR at < kept.at THEN ROW(value, at)::dated ELSE kept END $$;
        CREATE FUNCTION later(kept dated, value double precision, at timestamptz) RETURNS dated LANGUAGE sql
            AS $$ SELECT CASE WHEN kept IS NULL OR at > kept.at THEN ROW(value, at)::dated ELSE kept END $$;
        CREATE FUNCTION value_of(kept dated) RETURNS double precision LANGUAGE sql AS $$ SELECT kept.value $$;
        CREATE AGGREGATE first(double precision, timestamptz) (SFUNC = earlier, STYPE = dated, FINALFUNC = value_of);
        CREATE AGGREGATE last(double precision, timestamptz) (SFUNC = later, STYPE = dated, FINALFUNC = value_of);
    """

    async def rolled_up() -> list[Any]:
        import asyncpg

        connection = await asyncpg.connect(address)
        try:
            await connection.execute(stand_ins)
            return list(await connection.fetch(f"{rollup_query('1 hour', schema)} ORDER BY bucket"))
        finally:
            await connection.close()

    found = pd.DataFrame([dict(row) for row in wait_for(rolled_up())]).set_index("bucket")
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    expected = bars.resample("1h").agg(rules)
    assert found["symbol"].unique().tolist() == ["BTC/USDT"]
    pd.testing.assert_frame_equal(
        found[list(rules)], expected, check_names=False, check_freq=False, check_index_type=False
    )
