"""The ledger of trials: every run, sweep and walk-forward on the same data, counted honestly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.trials import TrialRecord, TrialTotal
from algotrendy.errors import InputError
from algotrendy.home import ledger_address
from algotrendy.storage.database import Database
from algotrendy.storage.records import checked_text, insert_new

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["SqlTrialLedger"]

_KINDS = ("backtest", "sweep", "walk_forward", "procedure_test", "discovery")
_LOCK_SECONDS = 10.0  # nobody waits a minute for a line in a ledger
_NUMBERS = ("sharpe_mean", "sharpe_variance", "best_sharpe")


class SqlTrialLedger:
    """A ledger in a database; meets `TrialLedger`, and any number of processes may use one at the same time.

    A record is kept when `record` returns: the end of the process, by kill -9 too, loses none. The last few may be lost
    with the power, since the disk is not waited for; the file stays sound.

    Parameters
    ----------
    database : Database or str, optional
        Where the records are: an address, or a database that others use, too. By default the file `ledger.db` in
        the research folder, or beside the caches where there is none.

    Raises
    ------
    InputError
        If the address is none.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC, datetime
    >>> def run(definition: str, n: int, mean: float, best: float) -> TrialRecord:
    ...     return TrialRecord(
    ...         kind="sweep", data_hash="5f0c", definition_hash=definition, label=definition, n_trials=n,
    ...         effective_trials=n / 4, sharpe_mean=mean, sharpe_variance=0.01, best_sharpe=best,
    ...         at=datetime(2026, 1, 5, tzinfo=UTC),
    ...     )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ledger = SqlTrialLedger(f"sqlite:///{folder}/ledger.db")
    ...     ledger.record(run("cross", 100, 0.02, 0.09))
    ...     ledger.record(run("breakout", 60, 0.03, 0.07))
    ...     ledger.record(run("cross", 100, 0.02, 0.09))
    ...     total = ledger.total("5f0c")
    ...     print(total.n_records, total.n_trials, total.effective_trials, total.best_sharpe, ledger.forget())
    ...     ledger.close()
    2 160 40.0 0.09 2
    """

    def __init__(self, database: Database | str | None = None) -> None:
        from algotrendy.storage.tables import trials

        if not isinstance(database, Database):
            url = ledger_address() if database is None else database
            database = Database(url, durability="process", connections=2, lock_seconds=_LOCK_SECONDS)
        self._database, self._table = database, trials
        self._upsert: Any = None

    def record(self, trial: TrialRecord) -> None:
        """Remember a run. The same definition on the same data adds nothing, unless it got further than before.

        Of two records of one definition the one with more trials is kept: a sweep that was broken off and then
        finished counts once, in full.

        Raises
        ------
        InputError
            If a number is out of its range.
        VenueUnavailable
            If the database cannot be written; nothing was recorded.
        """
        values = _row(trial)
        with self._database.transaction() as connection:
            if self._upsert is None:
                self._upsert = self._make_upsert(connection)
            connection.execute(self._upsert, values)

    def total(self, data_hash: str) -> TrialTotal:
        """Return what was tried on these data so far; zeros and NaN if nothing was.

        The variance of all trials together is that inside the records plus that between their means: with n trials,
        mean m and variance v in each record, N and M of all together, (sum of (n - 1) v + n (m - M)^2) / (N - 1).
        Records whose mean or variance is not known are left out of it.
        """
        import sqlalchemy as sa

        c, total = self._table.c, sa.func.sum
        is_known = c.sharpe_mean.is_not(None) & ((c.n_trials == 1) | c.sharpe_variance.is_not(None))
        counts = sa.select(sa.func.count(), total(c.n_trials), total(c.effective_trials), sa.func.max(c.best_sharpe))
        means = sa.select(total(c.n_trials), total(c.n_trials * c.sharpe_mean)).where(is_known)
        with self._database.transaction(writes=False) as connection:
            here = c.data_hash == data_hash
            n_records, n_trials, effective, best = connection.execute(counts.where(here)).one()
            n_known, weighted = connection.execute(means.where(here)).one()
            variance = None
            if n_known is not None and n_known > 1:
                apart = c.sharpe_mean - weighted / float(n_known)
                inside = sa.case((c.n_trials == 1, 0.0), else_=(c.n_trials - 1) * c.sharpe_variance)
                squares = sa.select(total(inside + c.n_trials * apart * apart)).where(is_known & here)
                variance = connection.execute(squares).scalar_one() / float(n_known - 1)
        return TrialTotal(
            data_hash=data_hash,
            n_records=n_records,
            n_trials=int(n_trials or 0),
            effective_trials=float(effective or 0.0),
            sharpe_variance=math.nan if variance is None else variance,
            best_sharpe=math.nan if best is None else best,
        )

    def records(self, data_hash: str | None = None) -> list[TrialRecord]:
        """Return what is remembered of these data, or of all, the oldest first."""
        query = self._table.select()
        if data_hash is not None:
            query = query.where(self._table.c.data_hash == data_hash)
        query = query.order_by(self._table.c.at, self._table.c.data_hash, self._table.c.definition_hash)
        with self._database.transaction(writes=False) as connection:
            return [_record(row) for row in connection.execute(query).all()]

    def forget(self, data_hash: str | None = None) -> int:
        """Forget what is remembered of these data, or of all, and return how many records that were."""
        delete = self._table.delete()
        if data_hash is not None:
            delete = delete.where(self._table.c.data_hash == data_hash)
        with self._database.transaction() as connection:
            return connection.execute(delete).rowcount

    def close(self) -> None:
        """Close the connections; the ledger opens new ones if it is used again."""
        self._database.close()

    def _make_upsert(self, connection: Any) -> Any:
        t = self._table
        insert = insert_new(connection, t)
        keys = {"data_hash", "definition_hash"}
        changes = {column.name: insert.excluded[column.name] for column in t.c if column.name not in keys}
        got_further = insert.excluded.n_trials > t.c.n_trials
        return insert.on_conflict_do_update(index_elements=sorted(keys), set_=changes, where=got_further)


def _row(trial: TrialRecord) -> dict[str, Any]:
    if trial.kind not in _KINDS:
        raise InputError(f"kind={trial.kind!r} is unknown; expected one of {', '.join(_KINDS)}")
    if trial.sharpe_variance < 0:
        raise InputError(f"sharpe_variance={trial.sharpe_variance} is negative; a variance is not")
    return {
        "data_hash": checked_text("data_hash", trial.data_hash, 128),
        "definition_hash": checked_text("definition_hash", trial.definition_hash, 128),
        "kind": trial.kind,
        "label": checked_text("label", trial.label, may_be_empty=True),
        "n_trials": int(trial.n_trials),
        "effective_trials": float(min(trial.effective_trials, trial.n_trials)),
        "at": trial.at,
        **{name: _or_null(getattr(trial, name)) for name in _NUMBERS},
    }


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _record(row: Any) -> TrialRecord:
    numbers = {name: math.nan if getattr(row, name) is None else getattr(row, name) for name in _NUMBERS}
    at: datetime = row.at
    return TrialRecord(
        kind=row.kind,
        data_hash=row.data_hash,
        definition_hash=row.definition_hash,
        label=row.label,
        n_trials=row.n_trials,
        effective_trials=row.effective_trials,
        at=at,
        **numbers,
    )
