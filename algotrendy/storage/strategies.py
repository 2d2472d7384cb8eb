"""Strategies that are kept, with every version they had.

Code is kept for people to read and never executed: what runs is `definition`, in the language of conditions, or a
class of the installed program.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from algotrendy.domain.instrument import AssetClass
from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.storage.ids import PREFIXES, new_id
from algotrendy.storage.records import Page, checked_text, page_of, record_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.storage.database import Transactions

__all__ = ["StoredStrategy", "StrategyStatus", "StrategyStore"]


class StrategyStatus(StrEnum):
    """How far a strategy has come; every change is allowed."""

    DRAFT = "draft"
    ACTIVE = "active"
    ARCHIVED = "archived"


@dataclass(frozen=True, kw_only=True)
class StoredStrategy:
    """A strategy as it is kept, in one of its versions.

    Attributes
    ----------
    id : str
        `strat_…`.
    version : int
        1, 2, ...; grows with every change.
    name, description : str
        For people; the name has at most 255 characters and need not be unique.
    asset_class : AssetClass
        What it trades.
    status : StrategyStatus
        draft, active or archived.
    parameters : mapping
        Values or specifications of parameters, by name.
    definition : mapping or None
        The strategy in the language of conditions, as `Strategy.to_json` writes it.
    code : str or None
        Source text for people to read; never executed.
    created_by : str or None
        `usr_…`.
    created_at, updated_at : datetime
        UTC; `updated_at` is when this version was written.
    """

    id: str
    version: int
    name: str
    description: str
    asset_class: AssetClass
    status: StrategyStatus
    parameters: Mapping[str, Any]
    definition: Mapping[str, Any] | None
    code: str | None
    created_by: str | None
    created_at: datetime
    updated_at: datetime


_CONTENT = ("name", "description", "asset_class", "status", "parameters", "definition", "code")


class StrategyStore:
    """Strategies and their versions.

    Parameters
    ----------
    transactions : Database or UnitOfWork
        A database: each call is a transaction of its own. A unit of work: they happen together.

    Examples
    --------
    >>> import tempfile
    >>> from algotrendy.storage import Database
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database(f"sqlite:///{folder}/house.db")
    ...     store = StrategyStore(database)
    ...     made = store.create(name="Cross", asset_class="stock", parameters={"fast": 10})
    ...     changed = store.update(made.id, expected_version=1, parameters={"fast": 12}, status="active")
    ...     print(changed.version, [past.parameters["fast"] for past in store.history(made.id)])
    ...     database.close()
    2 [10, 12]
    """

    def __init__(self, transactions: Transactions) -> None:
        from algotrendy.storage import tables

        self._transactions = transactions
        self._table, self._versions = tables.strategies, tables.strategy_versions

    def create(
        self,
        *,
        name: str,
        asset_class: str,
        description: str = "",
        parameters: Mapping[str, Any] | None = None,
        definition: Mapping[str, Any] | None = None,
        code: str | None = None,
        created_by: str | None = None,
        status: str = StrategyStatus.DRAFT,
    ) -> StoredStrategy:
        """Keep a new strategy, as version 1; see `StoredStrategy` for what the arguments mean.

        Raises
        ------
        InputError
            If the name is empty or too long, or the asset class or the status is unknown.
        """
        content = _checked({
            "name": name, "description": description, "asset_class": asset_class, "status": status,
            "parameters": {} if parameters is None else parameters, "definition": definition, "code": code,
        })  # fmt: skip
        with self._transactions.transaction() as connection:
            now = self._transactions.now(connection)
            made = StoredStrategy(
                id=new_id(PREFIXES["strategies"]),
                version=1,
                created_by=created_by,
                created_at=now,
                updated_at=now,
                **content,
            )
            connection.execute(self._table.insert().values(_row(made)))
            connection.execute(self._versions.insert().values(_version_row(made)))
        return made

    def get(self, strategy_id: str, version: int | None = None) -> StoredStrategy:
        """Return a strategy, as it is or as it was in a version.

        Raises
        ------
        NotFound
            If there is none, or it has no such version.
        """
        with self._transactions.transaction(writes=False) as connection:
            newest = self._newest(connection, strategy_id)
            if version is None or version == newest.version:
                return newest
            query = self._versions.select().where(
                self._versions.c.strategy_id == strategy_id, self._versions.c.version == version
            )
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"{strategy_id} has no version {version}; the newest is {newest.version}")
        return _past(newest, row)

    def update(self, strategy_id: str, *, expected_version: int, **changes: Any) -> StoredStrategy:
        """Change a strategy and return its new version, unless somebody changed it meanwhile.

        Parameters
        ----------
        strategy_id : str
            Which one.
        expected_version : int
            The version that the change was made from.
        **changes
            New values of `name`, `description`, `asset_class`, `status`, `parameters`, `definition`, `code`.

        Raises
        ------
        Conflict
            If the strategy has another version by now: read it again.
        NotFound
            If there is none.
        InputError
            If a change is unknown or its value is not allowed.
        """
        unknown = sorted(set(changes) - set(_CONTENT))
        if unknown or not changes:
            raise InputError(f"found {unknown or 'no change'}; what can be changed is {', '.join(_CONTENT)}")
        content = _checked(changes)
        with self._transactions.transaction() as connection:
            before = self._newest(connection, strategy_id)
            now = self._transactions.now(connection)
            after = replace(before, version=expected_version + 1, updated_at=now, **content)
            here = (self._table.c.id == strategy_id) & (self._table.c.version == expected_version)
            done = connection.execute(self._table.update().where(here).values(_row(after)))
            if done.rowcount != 1:
                raise Conflict(
                    f"{strategy_id} is in version {self._newest(connection, strategy_id).version}, the change was made"
                    f" from version {expected_version}; read it again"
                )
            connection.execute(self._versions.insert().values(_version_row(after)))
        return after

    def list(
        self,
        *,
        status: str | None = None,
        asset_class: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[StoredStrategy]:
        """Return strategies in their newest versions, newest strategies first, a page at a time."""
        query = self._table.select()
        for name, value in _checked({"status": status, "asset_class": asset_class}, skip_none=True).items():
            query = query.where(self._table.c[name] == value)
        with self._transactions.transaction(writes=False) as connection:
            return page_of(connection, query, _strategy, key=self._table.c.id, cursor=cursor, limit=limit)

    def history(self, strategy_id: str) -> builtins.list[StoredStrategy]:
        """Return every version, the oldest first and the present one last.

        Raises
        ------
        NotFound
            If there is no such strategy.
        """
        query = self._versions.select().where(self._versions.c.strategy_id == strategy_id)
        with self._transactions.transaction(writes=False) as connection:
            newest = self._newest(connection, strategy_id)
            rows = connection.execute(query.order_by(self._versions.c.version)).all()
        return [_past(newest, row) for row in rows]

    def delete(self, strategy_id: str) -> None:
        """Forget a strategy and its versions; results of backtests stay.

        Raises
        ------
        NotFound
            If there is none.
        Conflict
            If it was ever deployed: the record of trading refers to it. Archive it instead.
        """
        import sqlalchemy as sa

        from algotrendy.storage.tables import deployments

        with self._transactions.transaction() as connection:
            deployed = sa.select(sa.func.count()).where(deployments.c.strategy_id == strategy_id)
            if count := connection.execute(deployed).scalar_one():
                raise Conflict(f"{strategy_id} has {count} deployment(s) that refer to it; archive it instead")
            if connection.execute(self._table.delete().where(self._table.c.id == strategy_id)).rowcount != 1:
                raise NotFound(f"there is no strategy {strategy_id}")

    def _newest(self, connection: sa.Connection, strategy_id: str) -> StoredStrategy:
        row = connection.execute(self._table.select().where(self._table.c.id == strategy_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no strategy {strategy_id}")
        return _strategy(row)


def _checked(content: Mapping[str, Any], *, skip_none: bool = False) -> dict[str, Any]:
    """Return values in the types of `StoredStrategy`; refuse those that it cannot have."""
    checked: dict[str, Any] = {}
    for name, value in content.items():
        if value is None and (skip_none or name in ("definition", "code")):
            if not skip_none:
                checked[name] = None
            continue
        match name:
            case "name":
                checked[name] = checked_text(name, value, 255)
            case "description" | "code":
                checked[name] = checked_text(name, value, may_be_empty=True)
            case "asset_class":
                checked[name] = _one_of(AssetClass, name, value)
            case "status":
                checked[name] = _one_of(StrategyStatus, name, value)
            case _:
                if not isinstance(value, Mapping):
                    raise InputError(f"{name} is a {type(value).__name__}; expected a mapping")
                checked[name] = dict(value)
    return checked


def _one_of(kind: type[StrEnum], name: str, value: str) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        raise InputError(f"{name}={value!r} is unknown; expected one of {', '.join(kind)}") from None


def _row(strategy: StoredStrategy) -> dict[str, Any]:
    return {name: getattr(strategy, name) for name in StoredStrategy.__dataclass_fields__}


def _version_row(strategy: StoredStrategy) -> dict[str, Any]:
    content = {name: getattr(strategy, name) for name in _CONTENT}
    return {"strategy_id": strategy.id, "version": strategy.version, "created_at": strategy.updated_at, **content}


def _strategy(row: Any) -> StoredStrategy:
    found = record_of(StoredStrategy, row)
    return replace(found, asset_class=AssetClass(found.asset_class), status=StrategyStatus(found.status))


def _past(newest: StoredStrategy, row: Any) -> StoredStrategy:
    content = {name: getattr(row, name) for name in _CONTENT}
    content |= {"asset_class": AssetClass(row.asset_class), "status": StrategyStatus(row.status)}
    return replace(newest, version=row.version, updated_at=row.created_at, **content)
