"""The trial ledger: how many things were tried on the same data, kept so that the best of them is judged by it.

Here are the record, the port, and a ledger in memory. A room above keeps records on disk and hands its ledger in.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.result import BacktestResult
    from algotrendy.backtest.walk_forward.result import WalkForwardResult

__all__ = [
    "MemoryTrialLedger",
    "TrialLedger",
    "TrialRecord",
    "TrialTotal",
    "data_hash",
    "definition_hash",
    "total_of",
    "trial_of_result",
    "trial_of_walk",
]


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One thing that was tried on some data: a backtest, or a sweep, a walk, a search of many.

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


def data_hash(bars: Any) -> str:
    """Return the hash of the stamps and closes of bars, as hexadecimal text.

    It says which stretch of which market was tried on: bars with an indicator added, or with a high repaired, are the
    same data; other rows are other data. Of several instruments the symbols go into it as well; in which container they
    are, and in which order, does not matter.

    Parameters
    ----------
    bars : DataFrame, mapping or Panel
        As `backtest` takes them.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars, other = at.synthetic(n=50, seed=1), at.synthetic(n=50, seed=2)
    >>> data_hash(bars) == data_hash(bars.assign(mine=1.0))
    True
    >>> data_hash({"A": bars, "B": other}) == data_hash({"B": other, "A": bars})
    True
    """
    from algotrendy.backtest.arguments import are_several
    from algotrendy.backtest.storage import update_with_bars

    digest = hashlib.sha256()
    own = dict(_frames_of(bars)) if are_several(bars) else {"": bars}
    for symbol, frame in sorted(own.items()):
        digest.update(f"|{symbol}|".encode() if len(own) > 1 else b"")  # one instrument, whatever it came in
        update_with_bars(digest, frame, ["close"])
    return digest.hexdigest()


def _frames_of(bars: Any) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the symbol and the bars of each of several instruments."""
    if isinstance(bars, Mapping):
        yield from ((str(getattr(name, "symbol", name)), frame) for name, frame in bars.items())
        return
    import pandas as pd

    from algotrendy.backtest.portfolio.market import as_panel

    panel = as_panel(bars)
    for j, symbol in enumerate(panel.symbols):
        rows = panel.valid[:, j]
        yield symbol, pd.DataFrame(panel.column(j)._asdict(), index=panel.index)[rows]


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


_LABELS = {"several": "several strategies", "weights": "target weights", "orders": "explicit orders"}


def trial_of_result(result: BacktestResult | PortfolioResult, bars: Any = None) -> TrialRecord:
    """Return the record of a single backtest.

    What a Python function does, which signals, weights or orders were given, and what further columns of the bars hold
    is told by the fills: they go into the hash.

    Parameters
    ----------
    result : BacktestResult or PortfolioResult
        What came of it.
    bars : DataFrame, mapping or Panel, optional
        What it ran on; a result of several instruments does not hold its bars.

    Raises
    ------
    InputError
        If the bars are needed and not given.

    Examples
    --------
    >>> import algotrendy as at
    >>> trial_of_result(at.backtest(at.strategies.sma_cross(), at.synthetic(n=300, seed=1))).n_trials
    1
    """
    known = getattr(result, "bars", None) if bars is None else bars
    if known is None:
        raise InputError("a result of several instruments does not hold its bars; give them: trial_of_result(r, bars)")
    values = ", ".join(f"{name}={value:g}" for name, value in result.params.items())
    name = str(result.strategy.get("name") or _LABELS.get(str(result.strategy.get("kind")), "signals"))
    sharpe = _sharpe_of(result)
    return TrialRecord(
        kind="backtest",
        data_hash=data_hash(known),
        definition_hash=definition_hash(_meaning_of(result), *_fills_of(result)),
        label=f"{name}({values})",
        n_trials=1,
        effective_trials=1.0,
        sharpe_mean=sharpe,
        sharpe_variance=math.nan,
        best_sharpe=sharpe,
        at=datetime.now(UTC),
    )


def trial_of_walk(walk: WalkForwardResult, bars: Any) -> TrialRecord:
    """Return the record of a walk-forward.

    All combinations of all training windows were tried. But each was chosen on bars before those it was judged on, so
    nothing was chosen by what the joined account shows: it is one independent trial. ADR 0055 says more.

    Parameters
    ----------
    walk : WalkForwardResult
        At least one window of it was finished.
    bars : DataFrame
        All bars, those of the training windows too.

    Raises
    ------
    InputError
        If no window was finished.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars, grid = at.synthetic(n=400, seed=1), {"fast": [5, 10], "slow": [20, 40]}
    >>> walk = at.walk_forward(at.strategies.sma_cross(), bars, grid, training=200, testing=50)
    >>> record = trial_of_walk(walk, bars)
    >>> record.n_trials, record.effective_trials
    (16, 1.0)
    """
    joined, windows = walk.out_of_sample, walk.windows
    if joined is None:
        raise InputError("no window was finished, so there is nothing to record")
    edges = [windows[name].astype(str).tolist() for name in ("train_start", "train_end", "test_start", "test_end")]
    chosen = [windows[name].to_numpy() for name in ("n_tried", *walk.parameters)]
    meaning = {**_meaning_of(joined), "walk": edges, "names": list(walk.parameters)}
    name = joined.strategy.get("name") or "strategy"
    sharpe = _sharpe_of(joined)
    return TrialRecord(
        kind="walk_forward",
        data_hash=data_hash(bars),
        definition_hash=definition_hash(meaning, *chosen, *_fills_of(joined)),
        label=f"{name}: {', '.join(walk.parameters)} in {len(windows):,} windows",
        n_trials=max(int(windows["n_tried"].sum()), 1),
        effective_trials=1.0,
        sharpe_mean=math.nan,  # of what was tried in training nothing is known here
        sharpe_variance=math.nan,
        best_sharpe=sharpe,
        at=datetime.now(UTC),
    )


def _meaning_of(result: BacktestResult | PortfolioResult) -> dict[str, Any]:
    return {"strategy": nameless(result.strategy), "params": result.params, "assumptions": result.assumptions}


def _fills_of(result: BacktestResult | PortfolioResult) -> tuple[Any, ...]:
    """Return the fills, where the definition does not tell everything that led to them."""
    is_told = "kind" not in result.strategy and not result.strategy.get("columns")
    return () if is_told else (result.order_columns["filled_at"], result.order_columns["units"])


def _sharpe_of(result: BacktestResult | PortfolioResult) -> float:
    """Return the Sharpe ratio per period."""
    return float(result.metrics["sharpe_ratio"]) / math.sqrt(float(result.metrics["periods_per_year"]))
