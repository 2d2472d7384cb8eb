"""Bars in a database: a table, or any query, through SQLAlchemy."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from typing import Any

import pandas as pd
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from algotrendy.data.frames import as_bars
from algotrendy.data.providers.local.common import answered
from algotrendy.data.providers.port import Capabilities, Fetched
from algotrendy.data.providers.symbols import Symbol
from algotrendy.data.series import Adjusted, BarsRequest
from algotrendy.domain.instrument import AssetClass, Instrument
from algotrendy.errors import ConfigError, DataError, MissingExtraError, VenueUnavailable

NAME = "sql"
_DRIVERS = {"postgresql": "postgresql+asyncpg"}  # the one that the extra brings


class SqlSettings(BaseSettings):
    """Settings of `SqlProvider`.

    Examples
    --------
    >>> SqlSettings(url="postgresql://me:s3cret@db/prices", table="bars").url
    SecretStr('**********')
    """

    model_config = SettingsConfigDict(
        env_prefix="ALGOTRENDY_SQL_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    url: SecretStr = Field(description="The database as SQLAlchemy names it; may hold a password.")
    table: str | None = Field(default=None, description="The table, `schema.table` if it has one.")
    query: str | None = Field(
        default=None, description="A query instead, with the parameters :symbol, :start and :end (UTC, end out)."
    )
    time: str = Field(default="time", description="The column of times: dates, or instants in UTC.")
    symbol: str | None = Field(
        default="symbol", description="The column of symbols; None: the table has one instrument."
    )
    adjusted: Adjusted = Field(default="raw", description="How the prices are adjusted.")
    venue: str = Field(default="SQL", description="The market that the instruments get.")
    columns: dict[str, str] = Field(
        default_factory=dict, description="Further arguments of `as_bars`, such as close=..."
    )


class SqlProvider:
    """Bars from a table or a query.

    Parameters
    ----------
    settings : SqlSettings

    Raises
    ------
    ConfigError
        If neither a table nor a query is named, or both are.
    """

    name = NAME

    def __init__(self, settings: SqlSettings) -> None:
        if (settings.table is None) == (settings.query is None):
            raise ConfigError("the sql provider reads a table or a query: set one of table=... and query=...")
        self._settings = settings
        self.capabilities = Capabilities(
            intervals=None,
            asset_classes=frozenset(AssetClass),
            adjusted=frozenset({settings.adjusted}),
            dated_tickers=True,
            local=True,
        )

    async def bars(self, request: BarsRequest) -> Fetched:
        """Return bars; see `Provider.bars`."""
        self.capabilities.require(request, NAME)
        symbol = Symbol.of(request.symbol, request.asset_class)
        frame = await self._read(lambda connection: self._rows(connection, symbol.canonical, request))
        if not len(frame):
            raise DataError(
                f"{self._settings.table or 'the query'} has no rows of {symbol.canonical!r} from {request.span.start}"
                f" to {request.span.end}"
            )
        chosen = {name: column for name, column in self._settings.columns.items() if column in frame.columns}
        if self._settings.symbol in frame.columns:
            frame = frame.drop(columns=str(self._settings.symbol))
        bars = as_bars(frame, **{"time": self._settings.time, "tz": "UTC", **chosen})  # type: ignore[arg-type]
        instrument = Instrument(asset_class=request.asset_class, venue=self._settings.venue, symbol=symbol.canonical)
        return answered(bars, request, NAME, instrument)

    async def close(self) -> None:
        """Nothing is held: a connection is opened for each call."""

    def _rows(self, connection: Any, symbol: str, request: BarsRequest) -> pd.DataFrame:
        import sqlalchemy as sa

        settings = self._settings
        start, end = request.span.start.ceil("us").to_pydatetime(), request.span.end.ceil("us").to_pydatetime()
        if settings.query is not None:
            query: Any = sa.text(settings.query)
            wanted = {"symbol": symbol, "start": start, "end": end}
            query = query.bindparams(
                **{name: value for name, value in wanted.items() if name in query.compile().params}
            )
        else:
            table = self._table(connection)
            moment = table.c[settings.time]
            query = (
                sa.select(table)
                .where(moment >= _as(moment.type, start), moment < _as(moment.type, end))
                .order_by(moment)
            )
            if settings.symbol is not None:
                query = query.where(table.c[settings.symbol] == symbol)
        result = connection.execute(query)
        return pd.DataFrame(result.fetchall(), columns=list(result.keys()))

    def _table(self, connection: Any) -> Any:
        import sqlalchemy as sa

        settings = self._settings
        schema, _, name = str(settings.table).rpartition(".")
        try:
            table = sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=connection)
        except sa.exc.NoSuchTableError as e:
            raise ConfigError(f"the database has no table {settings.table!r}") from e
        for column in (settings.time, settings.symbol):
            if column is not None and column not in table.c:
                raise ConfigError(
                    f"the table {settings.table} has no column {column!r}, but {', '.join(table.c.keys())}; say which:"
                    " time=..., symbol=..."
                )
        return table

    async def _read(self, work: Callable[[Any], pd.DataFrame]) -> pd.DataFrame:
        import sqlalchemy as sa

        try:
            url = sa.make_url(self._settings.url.get_secret_value())
        except sa.exc.ArgumentError as e:
            raise ConfigError("the url of the sql provider cannot be read; expected such as sqlite:///prices.db") from e
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        try:
            reading = _asynchronously if url.get_dialect().is_async else _in_thread
            return await reading(url, work)
        except ImportError as e:
            raise MissingExtraError(e.name or "greenlet", "storage") from e
        except OSError as e:
            raise VenueUnavailable(NAME, f"the database cannot be reached: {type(e).__name__}") from e
        except sa.exc.DBAPIError as e:
            if e.statement is None or e.connection_invalidated or "locked" in str(e.orig):
                raise VenueUnavailable(NAME, f"the database cannot be reached: {e.orig}") from e
            raise DataError(f"the database refuses the query: {e.orig}") from e
        except sa.exc.SQLAlchemyError as e:
            raise DataError(f"the database cannot be read so: {e}") from e


async def _asynchronously(url: Any, work: Callable[[Any], pd.DataFrame]) -> pd.DataFrame:
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


async def _in_thread(url: Any, work: Callable[[Any], pd.DataFrame]) -> pd.DataFrame:
    import sqlalchemy as sa

    def read() -> pd.DataFrame:
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            return work(connection)

    return await asyncio.to_thread(read)


def _as(kind: Any, moment: datetime.datetime) -> Any:
    """Return a moment in UTC as a column of this type holds it."""
    import sqlalchemy as sa

    if isinstance(kind, sa.DateTime):
        return moment if kind.timezone else moment.replace(tzinfo=None)
    if isinstance(kind, sa.Date):
        whole = moment.date()
        return whole if moment.time() == datetime.time(0) else whole + datetime.timedelta(days=1)
    return (
        moment.replace(tzinfo=None).isoformat(sep=" ")
        if moment.time() != datetime.time(0)
        else moment.date().isoformat()
    )
