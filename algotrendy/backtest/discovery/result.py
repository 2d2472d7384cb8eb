"""What a discovery found: strategies ranked by bars that the search had not seen, and what chance makes of that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.definitions import moment_text
from algotrendy.backtest.trials import TrialRecord, definition_hash, nameless

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.result import BacktestResult
    from algotrendy.backtest.trials import TrialLedger
    from algotrendy.strategy import Strategy

__all__ = ["DiscoveryResult", "Split"]

LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class Split:
    """Which bars were searched and which judged; ends are the stamps of the last bars.

    Attributes
    ----------
    search_start, search_end : Timestamp
        The bars on which candidates were compared.
    test_start, test_end : Timestamp
        The bars on which the finalists were judged.
    gap : int
        Bars between the two that nobody saw.
    n_search, n_test : int
        How many bars each has.
    """

    search_start: pd.Timestamp
    search_end: pd.Timestamp
    test_start: pd.Timestamp
    test_end: pd.Timestamp
    gap: int
    n_search: int
    n_test: int

    def __str__(self) -> str:
        return (
            f"searched {moment_text(self.search_start)} to {moment_text(self.search_end)} ({self.n_search:,} bars), "
            f"judged {moment_text(self.test_start)} to {moment_text(self.test_end)} ({self.n_test:,} bars, "
            f"{self.gap:,} between)"
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DiscoveryResult:
    """The outcome of `discover`.

    Attributes
    ----------
    table : DataFrame of shape (n_finalists, n_columns)
        The finalists, best first, by `rank` from 1: `name`, `direction`, `complexity`, `merit` (lowest annual Sharpe
        ratio over the parts of the search bars), `sharpe_ratio`, `skill`, `p_value`, `deflated`, `total_return`,
        `max_drawdown`, `n_trades`: all but the first four of the bars after the search.
    strategies : tuple of Strategy
        The finalists in the same order.
    searched : DataFrame of shape (n_trials, n_columns)
        Everything that was tried, in the order of trying: `name`, `merit`, `is_allowed`, and the metrics on the search
        bars.
    split : Split
        Which bars were searched, and which judged.
    n_trials : int
        Different strategies that were tried on the search bars.
    n_refused : mapping of str to int
        Why others that were proposed were not tried, and how many of each.
    effective_trials : float
        How many independent strategies the finalists are worth, by how alike their returns after the search are.
    effective_search : float
        The same of everything that was tried on the search bars.
    p_value : float
        The verdict: chance that luck alone makes the best of such finalists look as good as the first row does, by
        Romano-Wolf on the bars after the search. NaN without a finalist that traded.
    p_value_hold : float
        The same against buying and holding those bars.
    assumptions : mapping
        Conventions and costs, as in `BacktestResult.assumptions`.
    data_hash : str
        Hash of all bars, under which the trial ledger counts.
    seed : int
        Of the search.
    complete : bool
        False if the search was stopped before its end.
    ledger : TrialLedger, optional
        Where what is tried on the same bars is counted.
    """

    table: pd.DataFrame
    strategies: tuple[Strategy, ...]
    searched: pd.DataFrame
    split: Split
    n_trials: int
    n_refused: Mapping[str, int]
    effective_trials: float
    effective_search: float
    p_value: float
    p_value_hold: float
    assumptions: Mapping[str, Any]
    data_hash: str
    seed: int
    complete: bool
    candidates: tuple[Strategy, ...] = field(default=(), repr=False)
    bars: Any = field(default=None, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    ledger: TrialLedger | None = field(default=None, repr=False)

    @property
    def best(self) -> Strategy | None:
        """The first of the finalists; None if nothing was worth a second look."""
        return self.strategies[0] if self.strategies else None

    @property
    def p_value_ledger(self) -> float:
        """`p_value` after everything else that the ledger knows was tried on these bars; NaN without a ledger.

        An upper bound: other runs may resemble this one.
        """
        if self.ledger is None or math.isnan(self.p_value):
            return math.nan
        own = self.definition_hash
        records = self.ledger.records(self.data_hash)
        others = sum(each.effective_trials for each in records if each.definition_hash != own)
        return float(1.0 - (1.0 - self.p_value) ** ((self.effective_trials + others) / self.effective_trials))

    @property
    def is_more_than_luck(self) -> bool:
        """Whether the verdict, and that after the ledger if there is one, is at most 5 %."""
        return self.p_value <= LEVEL and not self.p_value_ledger > LEVEL

    @property
    def verdict(self) -> str:
        """The verdict in one sentence."""
        if not self.strategies:
            return f"Nothing among {self.n_trials:,} strategies was worth a look at the bars after the search."
        if math.isnan(self.p_value):
            return "No finalist traded on the bars after the search."
        p, by = self.p_value, ""
        if self.p_value_ledger > p:
            p, by = self.p_value_ledger, " after all that was tried on these bars"
        if self.is_more_than_luck:
            return f"More than luck at 5 %{by}: p = {p:.4f}."
        return f"Luck explains the best of {len(self.strategies):,} finalists{by}: p = {p:.4f}."

    def run(self, rank: int = 1) -> BacktestResult | PortfolioResult:
        """Return the backtest of a finalist over all bars, those of the search included.

        Parameters
        ----------
        rank : int
            From 1.

        Raises
        ------
        InputError
            If there is no such rank.
        """
        from algotrendy.backtest.run import backtest
        from algotrendy.errors import InputError

        if rank not in self.table.index or self.bars is None:
            raise InputError(f"there is no finalist {rank!r}; there are {len(self.strategies)}, counted from 1")
        run: Any = backtest
        found: BacktestResult | PortfolioResult = run(self.strategies[rank - 1], self.bars, **self.options)
        return found

    @property
    def definition_hash(self) -> str:
        """Hash of what was tried: every candidate, the split, conventions and costs."""
        tried = [nameless(strategy.to_dict()) for strategy in self.candidates]
        cut = [self.split.n_search, self.split.gap, self.split.n_test]
        return definition_hash({"discovery": tried, "split": cut, "assumptions": dict(self.assumptions)})

    def trial(self) -> TrialRecord:
        """Return the record of this search for a trial ledger.

        Raises
        ------
        InputError
            If nothing was tried.
        """
        per_year = float(self.assumptions["periods_per_year"])
        ratios = self.searched["sharpe_ratio"].to_numpy(dtype=np.float64) / math.sqrt(per_year)
        known = ratios[~np.isnan(ratios)]
        return TrialRecord(
            kind="discovery",
            data_hash=self.data_hash,
            definition_hash=self.definition_hash,
            label=f"discovery of {self.n_trials:,} strategies, seed {self.seed}",
            n_trials=self.n_trials,
            effective_trials=self.effective_search,
            sharpe_mean=float(known.mean()) if known.size else math.nan,
            sharpe_variance=float(known.var(ddof=1)) if known.size > 1 else math.nan,
            best_sharpe=float(known.max()) if known.size else math.nan,
            at=datetime.now(UTC),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the findings in plain values that JSON can hold, NaN as None; strategies in their JSON form."""
        rows = self.table.to_dict("records")
        finalists = [
            {"rank": rank, **{str(name): _plain(value) for name, value in row.items()}, "strategy": strategy.to_dict()}
            for rank, (row, strategy) in enumerate(zip(rows, self.strategies, strict=True), start=1)
        ]
        split = {
            name: _plain(getattr(self.split, name))
            for name in ("search_start", "search_end", "test_start", "test_end", "gap", "n_search", "n_test")
        }
        numbers = (
            "n_trials", "effective_trials", "effective_search", "p_value", "p_value_hold", "p_value_ledger", "seed",
            "complete", "is_more_than_luck", "verdict",
        )  # fmt: skip
        return {
            **{name: _plain(getattr(self, name)) for name in numbers},
            "n_refused": dict(self.n_refused),
            "split": split,
            "assumptions": {name: _plain(value) for name, value in self.assumptions.items()},
            "finalists": finalists,
        }

    def summary(self) -> str:
        """Return the findings as plain text: the verdict, the split, the finalists."""
        lines = [self.verdict, str(self.split), self._counts]
        if len(self.table):
            lines += ["", self.table.to_string(float_format="{:.3f}".format)]
        return "\n".join(lines)

    @property
    def _counts(self) -> str:
        refused = sum(self.n_refused.values())
        state = "" if self.complete else ", stopped before its end"
        return (
            f"{self.n_trials:,} strategies tried{state} (worth {self.effective_search:,.1f} independent ones), "
            f"{refused:,} refused, {len(self.strategies):,} finalists (worth {self.effective_trials:,.1f})"
        )

    def __len__(self) -> int:
        return len(self.strategies)

    def __repr__(self) -> str:
        return f"DiscoveryResult({self.n_trials:,} tried, {len(self)} finalists, p_value={self.p_value:.4f})"

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        head = "".join(f"<p>{escape(text)}</p>" for text in (self.verdict, str(self.split), self._counts))
        table: str = self.table.to_html(float_format="{:.3f}".format) if len(self.table) else ""
        return head + table


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
