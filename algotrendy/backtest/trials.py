"""How many things were tried on the same data: what a ledger of trials keeps, and the port behind which it lies.

The ledger itself lies on a floor above, in `algotrendy.storage`, and is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["TrialLedger", "TrialRecord", "TrialTotal"]


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One run, sweep or walk-forward, as the ledger remembers it.

    Sharpe ratios are per period, not annualised. NaN says that a number is not known.

    Attributes
    ----------
    kind : str
        "backtest", "sweep", "walk_forward", "procedure_test" or "discovery".
    data_hash : str
        Content hash of the bars.
    definition_hash : str
        Of the strategy's definition, the grid and the assumptions: the same thing run again adds nothing.
    label : str
        For people: the strategy's name and the grid in words.
    n_trials : int
        How many things were tried, counted one by one; at least 1.
    effective_trials : float
        How many independent trials that amounts to: neighbours in a grid are nearly one. From 1 to `n_trials`.
    sharpe_mean : float
        Mean of the trials' Sharpe ratios.
    sharpe_variance : float
        Variance of the trials' Sharpe ratios, with n - 1 as divisor; NaN for a single trial.
    best_sharpe : float
        The largest Sharpe ratio among the trials.
    at : datetime
        When it was run, UTC.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> record = TrialRecord(
    ...     kind="sweep", data_hash="5f0c", definition_hash="91aa", label="sma_cross fast=5:51 slow=20:201",
    ...     n_trials=7_000, effective_trials=38.5, sharpe_mean=0.012, sharpe_variance=0.0004, best_sharpe=0.061,
    ...     at=datetime(2026, 1, 5, tzinfo=UTC),
    ... )
    >>> record.n_trials
    7000
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


@dataclass(frozen=True, kw_only=True)
class TrialTotal:
    """Everything that was tried on the same data.

    Attributes
    ----------
    data_hash : str
        Content hash of the bars.
    n_records : int
        Distinct runs, sweeps and walk-forwards.
    n_trials : int
        Their trials, counted one by one.
    effective_trials : float
        The sum of their effective trials. An upper bound: what was tried in one run may resemble what was tried in
        another, and nothing here knows how much.
    sharpe_variance : float
        Variance of the Sharpe ratios of all trials together, from each record's mean and variance, weighted by
        its number of trials: the differences between the records' means count. NaN if it is not known.
    best_sharpe : float
        The largest Sharpe ratio of all, per period; NaN if none is known.

    Examples
    --------
    >>> TrialTotal(
    ...     data_hash="5f0c", n_records=2, n_trials=7_001, effective_trials=39.5, sharpe_variance=4e-4, best_sharpe=0.06
    ... ).n_trials
    7001
    """

    data_hash: str
    n_records: int
    n_trials: int
    effective_trials: float
    sharpe_variance: float
    best_sharpe: float


class TrialLedger(Protocol):
    """Remembers what was tried on which data."""

    def record(self, trial: TrialRecord) -> None:
        """Remember a run; the same definition on the same data again adds nothing."""
        ...

    def total(self, data_hash: str) -> TrialTotal:
        """Return what was tried on these data so far; zeros and NaN if nothing was."""
        ...

    def records(self, data_hash: str | None = None) -> list[TrialRecord]:
        """Return what is remembered of these data, or of all, the oldest first."""
        ...

    def forget(self, data_hash: str | None = None) -> int:
        """Forget what is remembered of these data, or of all, and return how many records that were."""
        ...
