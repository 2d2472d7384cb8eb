"""What a sweep's best row is worth, after all that was tried to find it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.overfitting.cscv import PboResult, probability_of_backtest_overfitting
from algotrendy.backtest.overfitting.stepdown import RomanoWolfResult, romano_wolf
from algotrendy.backtest.overfitting.superiority import SpaResult, spa_test
from algotrendy.backtest.trials import TrialRecord, definition_hash, nameless
from algotrendy.errors import InputError
from algotrendy.risk.sharpe import SharpeEstimate, expected_maximum_sharpe, sharpe_estimate
from algotrendy.risk.trials import effective_trials

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.sweep.result import SweepResult
    from algotrendy.backtest.trials import TrialTotal

__all__ = ["OverfittingReport", "assess", "sampled_rows", "trial_of_sweep"]

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True, eq=False)
class OverfittingReport:
    """How much of a sweep's best row is skill, and how much the luck of having tried many.

    Attributes
    ----------
    parameters : dict
        Of the best row.
    p_value : float
        The verdict: probability that luck alone makes a row of such a sweep look as good as this one does. At most
        0.05: more than luck. That of Romano-Wolf on the sampled rows, carried on to all of them by the effective
        numbers of trials of both: 1 - (1 - p) ** (all / sampled).
    p_value_hold : float
        The same against buying and holding the bars at the same costs, mean return against mean return: at most 0.05,
        and there is more in it than being in the market. Lower risk gets no credit. NaN if no row differs from holding.
    estimate : SharpeEstimate
        Sharpe ratio of the best row, its error, skewness, kurtosis and autocorrelation.
    n_trials : int
        Combinations that were tried.
    effective_trials : float
        How many independent ones they are worth.
    n_sampled : int
        Combinations that the tests were made on: all, or a random sample that holds the best.
    benchmark : str
        What the two tests compare with: "cash", "hold" or "given".
    probabilistic : float
        Probability that the true Sharpe ratio is above zero, as if nothing else had been tried.
    deflated, deflated_effective : float
        Probability that it is above that of the best of so many lucky trials: of the raw number, of the effective one.
    trial_sharpe_variance : float
        Variance of the rows' Sharpe ratios per period, which the deflation goes by.
    track_record : float
        Periods like these that it takes to trust a Sharpe ratio above zero at 95 %, as if nothing else had been tried.
    pbo : PboResult
        Probability of backtest overfitting, by CSCV.
    spa, romano_wolf : SpaResult, RomanoWolfResult
        Tests of the rows against the benchmark.
    ledger : TrialTotal, optional
        Everything that was ever tried on these bars.
    deflated_ledger : float
        As `deflated_effective`, after all of them; NaN without a ledger.
    p_value_ledger : float
        `p_value` carried on to all of them in the same way; an upper bound, since runs may resemble each other. NaN
        without a ledger.
    """

    parameters: Mapping[str, Any]
    p_value: float
    p_value_hold: float
    estimate: SharpeEstimate
    n_trials: int
    effective_trials: float
    n_sampled: int
    benchmark: str
    probabilistic: float
    deflated: float
    deflated_effective: float
    trial_sharpe_variance: float
    track_record: float
    pbo: PboResult = field(repr=False)
    spa: SpaResult = field(repr=False)
    romano_wolf: RomanoWolfResult = field(repr=False)
    ledger: TrialTotal | None = None
    deflated_ledger: float = math.nan
    p_value_ledger: float = math.nan

    @property
    def track_record_years(self) -> float:
        """`track_record` in years."""
        return self.track_record / self.estimate.periods_per_year

    @property
    def is_more_than_luck(self) -> bool:
        """Whether the verdict, and that of the ledger if there is one, is at most 5 %."""
        return self.p_value <= 0.05 and not self.p_value_ledger > 0.05

    def rows(self) -> list[tuple[str, str, str]]:
        """Return label, value and meaning of each figure, the weightiest first."""
        estimate, sampled, carried = self.estimate, "", ""
        if self.n_sampled < self.n_trials:
            sampled = f" on {self.n_sampled:,} of the {self.n_trials:,} rows"
            carried = f"{sampled}, carried on to all"
        years = f"{self.track_record_years:.1f} years" if math.isfinite(self.track_record) else "never"
        than = {"cash": "better than cash", "hold": "better than buying and holding"}.get(
            self.benchmark, "better than the benchmark"
        )
        rows = [
            ("p-value of the best row", f"{self.p_value:.4f}",
             f"Romano-Wolf{carried}: chance that luck alone makes a row look this much {than}; skill up to 0.05"),
            ("p-value against holding", f"{self.p_value_hold:.4f}",
             "the same against buying and holding, return for return: in a rising market a long strategy beats cash "
             "without skill; lower risk gets no credit"),
            ("p-value of the SPA test", f"{self.spa.p_value:.4f}",
             f"Hansen{sampled}: the same for the sweep as a whole; rows clearly worse do not count"),
            ("Sharpe ratio", f"{estimate.annual:.2f} ± {estimate.standard_error:.2f}",
             f"a year, with its standard error by skewness {estimate.skewness:.2f}, kurtosis {estimate.kurtosis:.1f}, "
             f"as if returns were independent; their autocorrelation is {estimate.autocorrelation:+.2f}"),
            ("Trials", f"{self.n_trials:,}, worth {self.effective_trials:,.1f}",
             "combinations tried, and how many independent ones are as good a chance of luck"),
            ("Probabilistic Sharpe ratio", f"{self.probabilistic:.1%}".replace("%", " %"),
             "probability that the true ratio is above zero, as if nothing else had been tried"),
            ("Deflated Sharpe ratio", f"{self.deflated:.1%} / {self.deflated_effective:.1%}".replace("%", " %"),
             "probability that it is above the best of so many lucky trials: raw number / effective number"),
            ("Probability of overfitting", f"{self.pbo.probability:.1%}".replace("%", " %"),
             f"CSCV{sampled}: how often the best of one half of the history is below the middle in the other; by lot "
             "50 %"),
            ("Minimum track record", years,
             "of such returns to trust a ratio above zero at 95 %, if it were the only try"),
        ]  # fmt: skip
        if self.ledger is not None:
            rows.append(
                ("All trials on these bars", f"{self.ledger.n_trials:,}, worth {self.ledger.effective_trials:,.1f}",
                 f"by the trial ledger, {self.ledger.n_records:,} runs: with all of them the p-value is "
                 f"{self.p_value_ledger:.4f}, the deflated Sharpe ratio {100 * self.deflated_ledger:.1f} %")
            )  # fmt: skip
        return rows

    @property
    def verdict(self) -> str:
        """The verdict in one sentence."""
        p, by = self.p_value, ""
        if self.p_value_ledger > p:
            p, by = self.p_value_ledger, " after all that was tried on these bars"
        if self.is_more_than_luck:
            return f"More than luck at 5 %{by}: p = {p:.4f}."
        return f"Luck explains the best of {self.n_trials:,} tries{by}: p = {p:.4f}."

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value:g}" for name, value in self.parameters.items())
        lines = [f"{self.verdict} Best row: {values}"]
        lines += [f"  {label:<27} {value:<18} {meaning}" for label, value, meaning in self.rows()]
        return "\n".join(lines)


def sampled_rows(n_rows: int, sample: int | None, seed: int, *, always: int | None = None) -> np.ndarray[Any, Any]:
    """Return places of rows in ascending order: all, or `sample` of them at random, `always` among them.

    Examples
    --------
    >>> sampled_rows(5, None, 0).tolist()
    [0, 1, 2, 3, 4]
    >>> 7 in sampled_rows(1000, 10, 0, always=7)
    True
    """
    if sample is None or sample >= n_rows:
        return np.arange(n_rows)
    chosen = np.random.default_rng(seed).choice(n_rows, size=sample, replace=False, shuffle=False)
    if always is not None and always not in chosen:
        chosen[0] = always
    return np.sort(chosen)


def assess(
    sweep: SweepResult,
    returns: pd.DataFrame,
    best: int,
    *,
    benchmark: Any,
    n_splits: int,
    n_resamples: int,
    seed: int,
) -> OverfittingReport:
    """Return the report of a sweep; see `SweepResult.overfitting`.

    Parameters
    ----------
    sweep : SweepResult
        Its table gives the Sharpe ratios of all rows.
    returns : DataFrame of shape (n_periods, n_sampled)
        Of some rows, under their labels; the best among them.
    best : int
        Label of the best row.
    benchmark : {"cash", "hold"}, float or array-like of shape (n_periods,)
        What rows have to beat.
    n_splits, n_resamples, seed : int
        Of the tests.

    Raises
    ------
    InputError
        If there are too few rows or periods, or nothing moves.
    """
    if returns.shape[1] < 2:
        raise InputError("one combination was tried: nothing was chosen, so there is no overfitting to measure")
    returns = returns.clip(lower=-1.0)  # a ruined row may have lost more than everything
    per_year, risk_free_rate = sweep.periods_per_year, sweep.risk_free_rate
    hurdle = (1.0 + risk_free_rate) ** (1.0 / per_year) - 1.0
    against = _benchmark(sweep, benchmark, hurdle)
    estimate = sharpe_estimate(returns[best], risk_free_rate=risk_free_rate, periods_per_year=per_year)
    stepdown = romano_wolf(returns, against, n_resamples=n_resamples, seed=seed)
    n_trials = len(sweep.table)
    effective = effective_trials(returns, n_trials=n_trials)
    share = effective / effective_trials(returns)
    p_value = _carried(stepdown, best, share)
    try:
        held = romano_wolf(returns, sweep.runner.held(), n_resamples=n_resamples, seed=seed)
        p_hold = _carried(held, best, share)
    except InputError:  # no row differs from holding
        p_hold = math.nan
    ratios = sweep.table["sharpe_ratio"].to_numpy(dtype=np.float64) / math.sqrt(per_year)
    variance = float(np.nanvar(ratios, ddof=1)) if np.count_nonzero(~np.isnan(ratios)) > 1 else math.nan
    probability = estimate.probability_above(0.0)
    total, after_all = None, math.nan
    if sweep.ledger is not None:
        total = sweep.ledger.total(sweep.data_hash)
        own = sweep_hash(sweep)
        others = [each for each in sweep.ledger.records(sweep.data_hash) if each.definition_hash != own]
        after_all = effective + sum(each.effective_trials for each in others)
    return OverfittingReport(
        parameters=sweep.params_of(best),
        p_value=p_value,
        p_value_hold=p_hold,
        estimate=estimate,
        n_trials=n_trials,
        effective_trials=effective,
        n_sampled=returns.shape[1],
        benchmark=benchmark if isinstance(benchmark, str) else "given",
        probabilistic=probability,
        deflated=_deflated(estimate, n_trials, variance),
        deflated_effective=_deflated(estimate, effective, variance),
        trial_sharpe_variance=variance,
        track_record=estimate.periods_needed(0.0, CONFIDENCE),
        pbo=probability_of_backtest_overfitting((returns - hurdle).clip(lower=-1.0), n_splits=n_splits),
        spa=spa_test(returns, against, n_resamples=n_resamples, seed=seed),
        romano_wolf=stepdown,
        ledger=total,
        deflated_ledger=_deflated(estimate, after_all, total.sharpe_variance) if total else math.nan,
        p_value_ledger=1.0 - (1.0 - p_value) ** (after_all / effective),
    )


def _carried(stepdown: RomanoWolfResult, best: int, share: float) -> float:
    """Return the p-value of the best row after `share` times as many effective trials as were sampled."""
    sampled = float(stepdown.p_values[list(stepdown.names).index(best)])
    return float(1.0 - (1.0 - sampled) ** share)


def _benchmark(sweep: SweepResult, benchmark: Any, hurdle: float) -> Any:
    if not isinstance(benchmark, str):
        return benchmark
    if benchmark == "cash":
        return hurdle
    if benchmark == "hold":
        return sweep.runner.held()
    raise InputError(f"benchmark is {benchmark!r}; choose 'cash', 'hold' (buying and holding), or give returns")


def _deflated(estimate: SharpeEstimate, n_trials: float, variance: float) -> float:
    """Return the probability of a ratio above that of the best of lucky trials; `variance` is per period."""
    if math.isnan(variance):
        return math.nan
    return estimate.probability_above(expected_maximum_sharpe(n_trials, variance * estimate.periods_per_year))


def sweep_hash(sweep: SweepResult) -> str:
    """Return the hash of what a sweep tried: strategy, assumptions and combinations."""
    columns = columns_of(sweep)
    grid = [columns[name] for name in sweep.parameters]
    found = [columns["sharpe_ratio"]] if "kind" in sweep.runner.definition else []
    strategy, assumptions = nameless(sweep.runner.definition), sweep.runner.assumptions
    meaning = {"strategy": strategy, "assumptions": assumptions, "names": sweep.parameters}
    return definition_hash(meaning, *grid, *found)


def columns_of(sweep: SweepResult) -> dict[str, np.ndarray[Any, Any]]:
    """Return what was varied, and the Sharpe ratios, as arrays.

    Columns are taken by place: to look one up by name, pandas makes an index of the names first, a millisecond for each
    new table.
    """
    names = list(sweep.table.columns)
    return {name: sweep.table.iloc[:, names.index(name)].to_numpy() for name in (*sweep.parameters, "sharpe_ratio")}


def trial_of_sweep(sweep: SweepResult, sample: int) -> TrialRecord:
    """Return the record of a sweep for a trial ledger.

    Parameters
    ----------
    sweep : SweepResult
        At least one row of it was done.
    sample : int
        Rows by which the effective number of trials is found; 0: all trials count as independent.

    Raises
    ------
    InputError
        If no row was done.
    """
    columns, per_year, n_trials = columns_of(sweep), sweep.periods_per_year, len(sweep.table)
    if not n_trials:
        raise InputError("no combination was done, so there is nothing to record")
    effective = float(n_trials)
    if sample and n_trials > 1:
        rows = sampled_rows(n_trials, sample, 0)
        returns = sweep.runner.returns({name: columns[name][rows] for name in sweep.parameters})[1]
        if returns.min() < -1.0:  # a ruined row may have lost more than everything
            returns = np.maximum(returns, -1.0)
        effective = effective_trials(returns, n_trials=n_trials)
    ratios = columns["sharpe_ratio"].astype(np.float64) / math.sqrt(per_year)
    known = ratios[~np.isnan(ratios)]
    spans = [f"{name} {columns[name].min():g} to {columns[name].max():g}" for name in sweep.parameters]
    return TrialRecord(
        kind="sweep",
        data_hash=sweep.data_hash,
        definition_hash=sweep_hash(sweep),
        label=f"{sweep.runner.definition.get('name') or 'strategy'}: {', '.join(spans)}",
        n_trials=n_trials,
        effective_trials=effective,
        sharpe_mean=float(known.mean()) if known.size else math.nan,
        sharpe_variance=float(known.var(ddof=1)) if known.size > 1 else math.nan,
        best_sharpe=float(known.max()) if known.size else math.nan,
        at=datetime.now(UTC),
    )
