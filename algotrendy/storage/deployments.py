"""Deployments: which version of a strategy trades which share of a portfolio, on paper unless said otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.storage.ids import PREFIXES, new_id
from algotrendy.storage.records import Page, checked_text, page_of, record_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.storage.database import Transactions

__all__ = [
    "NEXT_DEPLOYMENT_STATUS",
    "OPEN_DEPLOYMENTS",
    "Deployment",
    "DeploymentStatus",
    "DeploymentStore",
    "TradingMode",
]


class TradingMode(StrEnum):
    """Whether orders are real."""

    PAPER = "paper"
    LIVE = "live"


class DeploymentStatus(StrEnum):
    """Where a deployment stands."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FAILED = "failed"


S = DeploymentStatus
NEXT_DEPLOYMENT_STATUS: Mapping[DeploymentStatus, frozenset[DeploymentStatus]] = {
    S.CREATED: frozenset({S.RUNNING, S.PAUSED, S.STOPPED, S.FAILED}),
    S.RUNNING: frozenset({S.PAUSED, S.STOPPED, S.FAILED}),
    S.PAUSED: frozenset({S.CREATED, S.RUNNING, S.STOPPED, S.FAILED}),
    S.STOPPED: frozenset(),
    S.FAILED: frozenset(),
}
"""What each status may become; who wants to trade again after a stop makes a new deployment."""

OPEN_DEPLOYMENTS = (S.CREATED, S.RUNNING, S.PAUSED)
"""Those that have not ended: each keeps its share of the portfolio."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One strategy at work in one portfolio.

    Attributes
    ----------
    id : str
        `dep_…`.
    strategy_id, strategy_version : str, int
        What trades: exactly this version, whatever becomes of the strategy.
    portfolio_id : str
        `port_…`.
    mode : TradingMode
        paper or live.
    allocation : Decimal
        Share of the portfolio's equity, in (0, 1].
    risk_limits : mapping
        Limits by name.
    status : DeploymentStatus
        created, running, paused, stopped or failed.
    message : str or None
        Why it was paused, stopped or failed.
    created_at, started_at, stopped_at : datetime or None
        UTC; `started_at` is when it ran first.
    """

    id: str
    strategy_id: str
    strategy_version: int
    portfolio_id: str
    mode: TradingMode
    allocation: Decimal
    risk_limits: Mapping[str, Any]
    status: DeploymentStatus
    message: str | None
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None


class DeploymentStore:
    """The record of deployments; it starts and stops nothing by itself.

    Parameters
    ----------
    transactions : Database or UnitOfWork
        A database: each call is a transaction of its own. A unit of work: they happen together.

    Examples
    --------
    >>> import tempfile
    >>> from algotrendy.storage import Database, StrategyStore, new_id
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database(f"sqlite:///{folder}/house.db")
    ...     strategy = StrategyStore(database).create(name="Cross", asset_class="stock")
    ...     store = DeploymentStore(database)
    ...     made = store.create(strategy.id, new_id("port"), allocation="0.2")
    ...     running = store.move(made.id, "running")
    ...     print(running.mode, running.allocation, store.move(made.id, "stopped", "end of the test").message)
    ...     database.close()
    paper 0.2 end of the test
    """

    def __init__(self, transactions: Transactions) -> None:
        from algotrendy.storage import tables

        self._transactions = transactions
        self._table, self._strategies = tables.deployments, tables.strategies

    def create(
        self,
        strategy_id: str,
        portfolio_id: str,
        *,
        allocation: Decimal | str | float,
        risk_limits: Mapping[str, Any] | None = None,
        mode: str = TradingMode.PAPER,
        most: Decimal | None = None,
    ) -> Deployment:
        """Keep a new deployment of the present version of a strategy; see `Deployment` for the arguments.

        Parameters
        ----------
        most : Decimal, optional
            What all deployments of one portfolio that are neither stopped nor failed, of the same mode, may have
            together; of two that try at once one is refused. None: they may overlap.

        Raises
        ------
        NotFound
            If there is no such strategy.
        Conflict
            If there is not so much left of the portfolio.
        InputError
            If the allocation is not in (0, 1] or has more than ten decimals, or the mode is unknown.
        """
        share, chosen = _share(allocation), _mode(mode)
        with self._transactions.transaction() as connection:
            query = self._strategies.select().where(self._strategies.c.id == strategy_id)
            strategy = connection.execute(query).one_or_none()
            if strategy is None:
                raise NotFound(f"there is no strategy {strategy_id}")
            if most is not None:
                self._check_room(connection, portfolio_id, chosen, most - share)
            made = Deployment(
                id=new_id(PREFIXES["deployments"]),
                strategy_id=strategy_id,
                strategy_version=strategy.version,
                portfolio_id=portfolio_id,
                mode=chosen,
                allocation=share,
                risk_limits={} if risk_limits is None else dict(risk_limits),
                status=DeploymentStatus.CREATED,
                message=None,
                created_at=self._transactions.now(connection),
                started_at=None,
                stopped_at=None,
            )
            values = {name: getattr(made, name) for name in Deployment.__dataclass_fields__}
            connection.execute(self._table.insert().values(values))
        return made

    def _check_room(self, connection: sa.Connection, portfolio_id: str, mode: TradingMode, room: Decimal) -> None:
        """Refuse a share where others have taken more than `room`; nobody else looks until this transaction ends."""
        import sqlalchemy as sa

        if connection.dialect.name == "postgresql":  # on SQLite writers take turns anyway
            connection.execute(
                sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": portfolio_id}
            )
        here = (self._table.c.portfolio_id == portfolio_id) & (self._table.c.mode == mode)
        active = self._table.c.status.in_(OPEN_DEPLOYMENTS)
        taken = connection.execute(sa.select(self._table.c.allocation).where(here & active)).scalars().all()
        total = sum(taken, Decimal(0))
        if total > room:
            raise Conflict(
                f"{total} of {portfolio_id} is allocated to {len(taken)} other deployment(s), so there is no room for "
                "this one; stop one of them, or ask for less"
            )

    def get(self, deployment_id: str) -> Deployment:
        """Return a deployment.

        Raises
        ------
        NotFound
            If there is none.
        """
        with self._transactions.transaction(writes=False) as connection:
            return self._found(connection, deployment_id)

    def list(
        self,
        *,
        strategy_id: str | None = None,
        portfolio_id: str | None = None,
        status: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Deployment]:
        """Return deployments, the newest first, a page at a time."""
        chosen = {"strategy_id": strategy_id, "portfolio_id": portfolio_id}
        query = self._table.select()
        if status is not None:
            query = query.where(self._table.c.status == _status(status))
        for name, value in chosen.items():
            if value is not None:
                query = query.where(self._table.c[name] == value)
        with self._transactions.transaction(writes=False) as connection:
            return page_of(connection, query, _deployment, key=self._table.c.id, cursor=cursor, limit=limit)

    def move(self, deployment_id: str, status: str, message: str | None = None) -> Deployment:
        """Give a deployment another status, and return it; of two that try at once, one fails.

        Parameters
        ----------
        deployment_id : str
            Which one.
        status : str
            running, paused, stopped or failed; created, for one that is paused and never ran.
        message : str, optional
            Why; kept with the deployment until the next message.

        Raises
        ------
        Conflict
            If `NEXT_DEPLOYMENT_STATUS` does not allow it.
        NotFound
            If there is none.
        """
        wanted = _status(status)
        allowed = [before for before, after in NEXT_DEPLOYMENT_STATUS.items() if wanted in after]
        values: dict[str, Any] = {"status": wanted}
        if message is not None:
            values["message"] = checked_text("message", message)
        with self._transactions.transaction() as connection:
            values |= self._stamp(wanted, self._transactions.now(connection))
            here = (self._table.c.id == deployment_id) & self._table.c.status.in_(allowed)
            if wanted is S.CREATED:  # what ran is never as if it had not
                here &= self._table.c.started_at.is_(None)
            moved = connection.execute(self._table.update().where(here).values(values)).rowcount
            found = self._found(connection, deployment_id)
            if moved != 1:
                raise Conflict(f"{deployment_id} is {found.status}; it cannot become {wanted}")
        return found

    def _stamp(self, wanted: DeploymentStatus, now: datetime) -> dict[str, Any]:
        """Return what is written down about when: the first start, the end."""
        import sqlalchemy as sa

        if wanted is S.RUNNING:
            column = self._table.c.started_at
            return {"started_at": sa.func.coalesce(column, sa.literal(now, column.type))}
        return {"stopped_at": now} if wanted in (S.STOPPED, S.FAILED) else {}

    def _found(self, connection: sa.Connection, deployment_id: str) -> Deployment:
        row = connection.execute(self._table.select().where(self._table.c.id == deployment_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no deployment {deployment_id}")
        return _deployment(row)


def _share(allocation: Decimal | str | float) -> Decimal:
    try:
        share = Decimal(str(allocation))
    except InvalidOperation:
        raise InputError(f"allocation={allocation!r} is no number; expected a share in (0, 1]") from None
    if not (share.is_finite() and 0 < share <= 1):
        raise InputError(f"allocation={allocation} is out of range; expected a share of the portfolio in (0, 1]")
    return share


def _mode(mode: str) -> TradingMode:
    try:
        return TradingMode(mode)
    except ValueError:
        raise InputError(f"mode={mode!r} is unknown; expected paper or live") from None


def _status(status: str) -> DeploymentStatus:
    try:
        return DeploymentStatus(status)
    except ValueError:
        raise InputError(f"status={status!r} is unknown; expected one of {', '.join(DeploymentStatus)}") from None


def _deployment(row: Any) -> Deployment:
    found = record_of(Deployment, row)
    return replace(found, mode=TradingMode(found.mode), status=DeploymentStatus(found.status))
