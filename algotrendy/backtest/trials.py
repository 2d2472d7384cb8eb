"""The trial ledger: how many things were tried on the same data, kept so that the best of them is judged by it.

Here are the record, the port, and a ledger in memory. A room above keeps records on disk and hands its ledger in.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.result import BacktestResult

__all__ = [
    "MemoryTrialLedger",
    "TrialLedger",
    "TrialRecord",
    "TrialTotal",
    "data_hash",
    "data_hash_of",
    "definition_hash",
    "total_of",
    "trial_of_result",
]


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One thing that was tried on some data: a backtest, or a sweep of many.

    Attributes
    ----------
    kind : str
        "backtest", "sweep", "walk_forward", "procedure_test" or "discovery".
    data_hash : str
        Hash of the content of the bars; see `data_hash`.
    definition_hash : str
        Hash of strategy definition, grid and assumptions: the same thing run again adds nothing.
    label : str
        For people: strategy name and grid in words.
    n_trials : int
        How many combinations were tried, at least 1.
    effective_trials : float
        How many independent ones they are worth, from 1 to `n_trials`.
    sharpe_mean, sharpe_variance : float
        Of the Sharpe ratios per period (not annualised) of all trials; NaN if unknown. The variance has n - 1 as
        divisor and is NaN for a single trial.
    best_sharpe : float
        The highest of them; NaN if unknown.
    at : datetime
        When, in UTC.

    Raises
    ------
    InputError
        If the numbers of trials contradict each other, or `at` has no time zone.

    Examples
    --------
    >>> record = TrialRecord(kind="sweep", data_hash="d", definition_hash="s", label="cross", n_trials=100,
    ...                      effective_trials=7.5, sharpe_mean=0.01, sharpe_variance=0.0004, best_sharpe=0.06,
    ...                      at=datetime(2026, 1, 2, tzinfo=UTC))
    >>> record.n_trials
    100
    """

    kind: str
    data_hash: str
    definition_hash: str
    label: str
    n_trials: int
    effective_trials: float
    sharpe_mean: float
    sharpe_variance: float
    best_sharpe: float
    at: datetime

    def __post_init__(self) -> None:
        if not (self.n_trials >= 1 and 1.0 <= self.effective_trials <= self.n_trials):
            raise InputError(
                f"{self.n_trials} trials, {self.effective_trials:g} of them effective; expected at least one trial, "
                "and between one and all of them effective"
            )
        if self.at.tzinfo is None:
            raise InputError("the time of a trial has no zone; use datetime.now(UTC)")


@dataclass(frozen=True, kw_only=True)
class TrialTotal:
    """Everything that was tried on one set of bars.

    Attributes
    ----------
    data_hash : str
        Hash of the content of the bars.
    n_records, n_trials : int
        Different runs, and the combinations that they tried.
    effective_trials : float
        Sum of those of the runs: an upper bound, because runs may resemble each other.
    sharpe_variance : float
        Of the Sharpe ratios per period of all trials of all runs, NaN if unknown.
    best_sharpe : float
        The highest of them per period, NaN if unknown.
    """

    data_hash: str
    n_records: int
    n_trials: int
    effective_trials: float
    sharpe_variance: float
    best_sharpe: float


class TrialLedger(Protocol):
    """Counts what was tried. Recording the same definition on the same data again adds nothing."""

    def record(self, trial: TrialRecord) -> None:
        """Keep a record; of two with the same data and definition, the one that counts more trials."""
        ...

    def total(self, data_hash: str) -> TrialTotal:
        """Return what was tried on these bars; `total_of` adds it up."""
        ...

    def records(self, data_hash: str | None = None) -> list[TrialRecord]:
        """Return the records on these bars, or all of them, oldest first."""
        ...

    def forget(self, data_hash: str | None = None) -> int:
        """Remove the records on these bars, or all of them, and return how many there were."""
        ...


class MemoryTrialLedger:
    """A ledger that lasts as long as the process.

    Examples
    --------
    >>> ledger = MemoryTrialLedger()
    >>> ledger.total("nothing was tried on this").n_trials
    0
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], TrialRecord] = {}
        self._lock = threading.Lock()

    def record(self, trial: TrialRecord) -> None:
        """Keep a record; of two with the same data and definition, the one that counts more trials."""
        key = (trial.data_hash, trial.definition_hash)
        with self._lock:
            before = self._kept.get(key)
            if before is None or before.n_trials < trial.n_trials:
                self._kept[key] = trial

    def total(self, data_hash: str) -> TrialTotal:
        """Return what was tried on these bars."""
        return total_of(data_hash, self.records(data_hash))

    def records(self, data_hash: str | None = None) -> list[TrialRecord]:
        """Return the records on these bars, or all of them, oldest first."""
        with self._lock:
            found = [each for each in self._kept.values() if data_hash in (None, each.data_hash)]
        return sorted(found, key=lambda each: each.at)

    def forget(self, data_hash: str | None = None) -> int:
        """Remove the records on these bars, or all of them, and return how many there were."""
        with self._lock:
            gone = [key for key in self._kept if data_hash in (None, key[0])]
            for key in gone:
                del self._kept[key]
        return len(gone)


def total_of(data_hash: str, records: Iterable[TrialRecord]) -> TrialTotal:
    """Add up records on the same bars.

    The variance is that of all trials together, with n - 1 as divisor: that inside the runs and that between their
    means. Runs of which it is not known do not count for it.

    Parameters
    ----------
    data_hash : str
        Of the bars that all records are about.
    records : iterable of TrialRecord
        Each definition once.

    Examples
    --------
    >>> total_of("d", []).effective_trials
    0.0
    """
    kept = list(records)
    known = [each for each in kept if not math.isnan(each.sharpe_mean)]
    known = [each for each in known if each.n_trials == 1 or not math.isnan(each.sharpe_variance)]
    count = sum(each.n_trials for each in known)
    variance = math.nan
    if count > 1:
        mean = sum(each.n_trials * each.sharpe_mean for each in known) / count
        inside = sum((each.n_trials - 1) * each.sharpe_variance for each in known if each.n_trials > 1)
        between = sum(each.n_trials * (each.sharpe_mean - mean) ** 2 for each in known)
        variance = (inside + between) / (count - 1)
    return TrialTotal(
        data_hash=data_hash,
        n_records=len(kept),
        n_trials=sum(each.n_trials for each in kept),
        effective_trials=float(sum(each.effective_trials for each in kept)),
        sharpe_variance=variance,
        best_sharpe=max((each.best_sharpe for each in kept if not math.isnan(each.best_sharpe)), default=math.nan),
    )


def data_hash(bars: pd.DataFrame) -> str:
    """Return the hash of the stamps and of `open high low close volume`, as hexadecimal text.

    Other columns do not go into it: bars with an indicator added are the same data. Other rows are other data.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = at.synthetic(n=50, seed=1)
    >>> data_hash(bars) == data_hash(bars.assign(mine=1.0))
    True
    """
    from algotrendy.backtest.storage import update_with_bars
    from algotrendy.domain.bars import COLUMNS

    digest = hashlib.sha256()
    update_with_bars(digest, bars, [name for name in COLUMNS if name in bars.columns])
    return digest.hexdigest()


def definition_hash(meaning: Mapping[str, Any], *arrays: Any) -> str:
    """Return the hash of what was tried, as hexadecimal text.

    Parameters
    ----------
    meaning : mapping
        Strategy, grid and assumptions in plain values.
    *arrays : array-like of numbers
        What plain values do not tell: the orders that signals or a Python function led to, say.

    Examples
    --------
    >>> definition_hash({"a": 1, "b": 2}) == definition_hash({"b": 2, "a": 1})
    True
    """
    from algotrendy.backtest.plain import to_plain

    plain = to_plain(dict(meaning))
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())
    for array in arrays:
        values = np.ascontiguousarray(array, dtype="<f8")
        digest.update(f"|{values.shape}|".encode() + values.tobytes())
    return digest.hexdigest()


def nameless(strategy: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON form of a strategy without what is for people: under another name it is the same trial.

    Examples
    --------
    >>> nameless({"name": "mine", "entry": "close > 1"})
    {'entry': 'close > 1'}
    """
    return {key: value for key, value in strategy.items() if key not in ("name", "description")}


def data_hash_of(result: BacktestResult | PortfolioResult) -> str:
    """Return the hash of what a backtest ran on: of several instruments, their names, stamps and last closes."""
    from algotrendy.backtest.result import BacktestResult

    if isinstance(result, BacktestResult):
        return data_hash(result.bars)
    digest = hashlib.sha256("\0".join(map(str, result.symbols)).encode())
    digest.update(np.ascontiguousarray(result.index.asi8, dtype="<i8").tobytes())
    digest.update(np.ascontiguousarray(result.last_prices, dtype="<f8").tobytes())
    return digest.hexdigest()


_LABELS = {"several": "several strategies"}


def trial_of_result(result: BacktestResult | PortfolioResult) -> TrialRecord:
    """Return the record of a single backtest.

    What a Python function does, which signals were given, and what further columns of the bars hold is told by the
    orders: they go into the hash.

    Examples
    --------
    >>> import algotrendy as at
    >>> trial_of_result(at.backtest(at.strategies.sma_cross(), at.synthetic(n=300, seed=1))).n_trials
    1
    """
    is_told = "kind" not in result.strategy and not result.strategy.get("columns")
    orders = () if is_told else (result.order_columns["filled_at"], result.order_columns["units"])
    meaning = {"strategy": nameless(result.strategy), "params": result.params, "assumptions": result.assumptions}
    sharpe = float(result.metrics["sharpe_ratio"]) / math.sqrt(float(result.metrics["periods_per_year"]))
    values = ", ".join(f"{name}={value:g}" for name, value in result.params.items())
    name = str(result.strategy.get("name") or _LABELS.get(str(result.strategy.get("kind")), "signals"))
    return TrialRecord(
        kind="backtest",
        data_hash=data_hash_of(result),
        definition_hash=definition_hash(meaning, *orders),
        label=f"{name}({values})",
        n_trials=1,
        effective_trials=1.0,
        sharpe_mean=sharpe,
        sharpe_variance=math.nan,
        best_sharpe=sharpe,
        at=datetime.now(UTC),
    )
