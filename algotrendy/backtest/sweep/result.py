"""What a sweep found: one row per combination, the best ones, a heat map, and any row's full backtest on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import pandas as pd

from algotrendy.backtest.definitions import METRIC_INFO
from algotrendy.backtest.sweep.pareto import LOWER_IS_BETTER, front, gains
from algotrendy.errors import InputError
from algotrendy.kernels.statistics_names import METRICS

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from algotrendy.backtest.result import BacktestResult
    from algotrendy.backtest.sweep.assess import OverfittingReport
    from algotrendy.backtest.sweep.constraints import Constraints
    from algotrendy.backtest.trials import TrialLedger, TrialRecord

SHOWN = ("total_return", "max_drawdown", "n_trades")
"""Metrics that `top` shows beside the parameters and the metric that was asked for."""

Rule = Literal["min", "max"]

_HEATMAP_CELLS_MAX = 400

SAMPLE, SAMPLE_OF_PYTHON = 500, 100
"""So many rows are looked at for overfitting, unless more are asked for; Python functions are slow to run again."""

SAMPLE_OF_LEDGER = 64
"""So many rows tell the ledger how alike the rows of a sweep are: a few milliseconds."""

_SHARE_OF_LEDGER = 50
"""Of the rows of a Python function one in so many is run again for the ledger, that is 2 % of the sweep's time."""

_SAMPLE_OF_LEDGER_MIN = 8


class Runner(Protocol):
    """Runs rows of a sweep again."""

    def __call__(self, combination: Mapping[str, Any]) -> BacktestResult:
        """Return the full backtest of one combination."""
        ...

    @property
    def is_fast(self) -> bool:
        """Whether many rows can be run again in compiled code."""
        ...

    @property
    def data_hash(self) -> str:
        """Hash of the content of the bars that were swept."""
        ...

    @property
    def assumptions(self) -> Mapping[str, Any]:
        """Conventions and costs, as in `BacktestResult.assumptions`."""
        ...

    @property
    def definition(self) -> Mapping[str, Any]:
        """The JSON form of the strategy."""
        ...

    def returns(self, combinations: Mapping[str, Any]) -> tuple[pd.Index, Any]:
        """Return the stamps of the valuation marks, and the returns of combinations, shape (n_marks, n)."""
        ...

    def held(self) -> Any:
        """Return the returns of buying and holding at the same costs, shape (n_marks,)."""
        ...


@dataclass(frozen=True, eq=False)
class SweepResult:
    """The outcome of `optimize`.

    Attributes
    ----------
    table : DataFrame of shape (n_combinations, n_parameters + n_metrics)
        One row per combination in the order of the grid: its parameters, then every metric. Units as in
        `BacktestResult.metrics`. After Ctrl-C: the combinations that were done.
    parameters : tuple of str
        The names that were varied: the first columns of the table.
    metric : str
        What `top` and `best` rank by.
    complete : bool
        False if the sweep was stopped before its end.
    objectives : tuple of str
        All metrics that were asked for; the first is `metric`.
    constraints : Constraints, optional
        What a combination has to meet to be ranked. All combinations are in the table.
    note : str
        How a search ended, where it is worth a word.
    ledger : TrialLedger, optional
        Where what is tried on the same bars is counted.
    """

    table: pd.DataFrame
    parameters: tuple[str, ...]
    metric: str
    complete: bool
    runner: Runner = field(repr=False)
    objectives: tuple[str, ...] = ()
    constraints: Constraints | None = None
    note: str = ""
    ledger: TrialLedger | None = field(default=None, repr=False)

    @cached_property
    def feasible(self) -> pd.DataFrame:
        """The rows of the table that meet the constraints."""
        return self.table if self.constraints is None else self.table[self.constraints.met(self.table)]

    @cached_property
    def _ranked(self) -> pd.DataFrame:
        """The rows from best to worst; ties stay in the order of the grid, rows without the metric come last."""
        rising = self.metric in LOWER_IS_BETTER
        return self.feasible.sort_values(self.metric, ascending=rising, kind="stable", na_position="last")

    def top(self, n: int = 10) -> pd.DataFrame:
        """Return the `n` best rows, best first: parameters, the metric, and a few more metrics.

        All metrics of a row are in `table`, under the same label.

        Raises
        ------
        InputError
            If `n` is not a whole number of at least 1.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise InputError(f"n is {n!r}; expected a whole number of rows, at least 1")
        metrics = [self.metric, *(name for name in SHOWN if name != self.metric)]
        return self._ranked.loc[:, [*self.parameters, *metrics]].head(n)

    def pareto(self, *metrics: str) -> pd.DataFrame:
        """Return the rows that no other row beats in all of several metrics, the best by the first of them on top.

        A row is beaten by one that is at least as good in every metric and better in one. Rows that miss a constraint
        or lack a metric are left out.

        Parameters
        ----------
        *metrics : str
            Names of metrics; those that were asked for by default.

        Returns
        -------
        DataFrame
            Parameters and these metrics, under the labels of `table`.

        Raises
        ------
        InputError
            If a name is no metric.

        Examples
        --------
        >>> import algotrendy as at
        >>> bars, grid = at.synthetic(n=300, seed=1), {"fast": [5, 10], "slow": [20, 40]}
        >>> sweep = at.optimize(at.strategies.sma_cross(), bars, grid, metric=["sharpe_ratio", "max_drawdown"])
        >>> bool(sweep.pareto().index[0] == sweep.top(1).index[0])
        True
        """
        names = [check_metric(name) for name in metrics or self.objectives or (self.metric,)]
        points = gains(self.feasible[names].to_numpy(dtype=np.float64), names)
        rows = self.feasible.loc[front(points), [*self.parameters, *names]]
        return rows.sort_values(names[0], ascending=names[0] in LOWER_IS_BETTER, kind="stable")

    @cached_property
    def best_row(self) -> int | None:
        """The label of the best row, of equal ones the first; None if no row that may be the best has the metric."""
        points = gains(self.feasible[[self.metric]].to_numpy(dtype=np.float64), [self.metric])[:, 0]
        if np.isnan(points).all():
            return None
        return int(self.feasible.index[int(np.nanargmax(points))])

    @property
    def best_params(self) -> dict[str, Any]:
        """The parameters of the best row.

        Raises
        ------
        InputError
            If the metric is defined for no row (nothing ever traded, say).
        """
        if len(self.table) and not len(self.feasible) and self.constraints is not None:
            raise InputError(
                f"none of the {len(self.table):,} combinations meets the constraints {self.constraints.text!r}; relax "
                "them, or widen the grid"
            )
        row = self.best_row
        if row is None:
            raise InputError(
                f"no combination has a {self.metric}: nothing was traded, or nothing was done; "
                "look at the table's n_orders, and widen the grid"
            )
        return self.params_of(row)

    def params_of(self, row: int) -> dict[str, Any]:
        """Return the parameters of the row with this label.

        Raises
        ------
        InputError
            If there is no such row.
        """
        if row not in self.table.index:
            raise InputError(f"there is no row {row!r}; the table has labels 0 to {len(self.table) - 1}")
        at = self.table.index.get_loc(row)
        return {name: self.table[name].to_numpy()[at].item() for name in self.parameters}

    def run(self, row: int | None = None) -> BacktestResult:
        """Return the full backtest of one row: its curves, orders and trades. None: the best row.

        Orders are the same as in the sweep; the metrics agree to rounding (1e-9), because sums run in another order.

        Examples
        --------
        >>> import algotrendy as at
        >>> bars = at.synthetic(n=300, seed=1)
        >>> sweep = at.optimize(at.strategies.sma_cross(), bars, {"fast": [5, 10], "slow": [20, 40]})
        >>> result = sweep.run()
        >>> bool(abs(result.metrics["sharpe_ratio"] - sweep.table["sharpe_ratio"].max()) < 1e-9)
        True
        """
        return self.runner(self.best_params if row is None else self.params_of(row))

    @property
    def best(self) -> BacktestResult:
        """The full backtest of the best row."""
        return self.run()

    def returns(self, *, sample: int | None = None, seed: int = 0) -> pd.DataFrame:
        """Return the returns of all rows, or of some drawn at random, between valuation marks.

        Parameters
        ----------
        sample : int, optional
            How many rows at most, the best among them; all by default (8 bytes per bar and row).
        seed : int
            Of the draw.

        Returns
        -------
        DataFrame of shape (n_marks, n_rows)
            Simple returns as fractions; the columns are labels of `table`.

        Examples
        --------
        >>> import algotrendy as at
        >>> bars = at.synthetic(n=300, seed=1)
        >>> sweep = at.optimize(at.strategies.sma_cross(), bars, {"fast": [5, 10], "slow": [20, 40]})
        >>> sweep.returns().shape
        (300, 4)
        """
        from algotrendy.backtest.sweep.assess import sampled_rows

        if sample is not None and (isinstance(sample, bool) or not isinstance(sample, int) or sample < 2):
            raise InputError(f"sample is {sample!r}; use a whole number of rows, at least 2, or None for all")
        ranked = self._ranked[self.metric]
        best = None if not len(ranked) or pd.isna(ranked.iloc[0]) else self.table.index.get_loc(ranked.index[0])
        rows = sampled_rows(len(self.table), sample, seed, always=best if isinstance(best, int) else None)
        combinations = {name: self.table[name].to_numpy()[rows] for name in self.parameters}
        index, values = self.runner.returns(combinations)
        return pd.DataFrame(values, index=index, columns=self.table.index[rows], copy=False)

    def overfitting(
        self,
        *,
        benchmark: Any = "cash",
        sample: int | Literal["auto"] | None = "auto",
        n_splits: int = 16,
        n_resamples: int = 999,
        seed: int = 0,
    ) -> OverfittingReport:
        """Return what the best row is worth, after all that was tried to find it.

        Deflated and probabilistic Sharpe ratio, probability of backtest overfitting, SPA and Romano-Wolf, minimum track
        record, and the totals of the trial ledger. The verdict is `p_value`; the page on overfitting says why.

        Parameters
        ----------
        benchmark : {"cash", "hold"}, float or array-like of shape (n_marks,)
            What a row has to beat to be called better: the risk-free rate, buying and holding the same bars, or returns
            of your own. A strategy that is long in a rising market beats cash without any skill of timing.
        sample : int or "auto", optional
            Rows to test, drawn at random, the best among them: 500 by default, 100 of a Python function. None: all.
        n_splits : int
            Blocks of the cross-validation, even, up to 20.
        n_resamples : int
            Resamples of the tests, at least 99.
        seed : int
            Of the sample and the resamples; equal seeds give equal reports.

        Returns
        -------
        OverfittingReport
            `print` it.

        Raises
        ------
        InputError
            If there is one row, nothing was traded, or the history is too short.

        Examples
        --------
        >>> import algotrendy as at
        >>> bars = at.synthetic(n=300, seed=1)
        >>> sweep = at.optimize(at.strategies.sma_cross(), bars, {"fast": [5, 10], "slow": [20, 40]})
        >>> report = sweep.overfitting(n_splits=8)
        >>> report.n_trials, 0.0 < report.p_value < 1.0
        (4, True)
        """
        from algotrendy.backtest.sweep.assess import assess

        if sample == "auto":
            sample = SAMPLE if self.runner.is_fast else SAMPLE_OF_PYTHON
        if not len(self.table) or pd.isna(self._ranked[self.metric].iloc[0]):
            raise InputError(f"no combination has a {self.metric}: nothing was traded; widen the grid")
        options = {"benchmark": benchmark, "n_splits": n_splits, "n_resamples": n_resamples, "seed": seed}
        returns = self.returns(sample=sample, seed=seed)
        return assess(self, returns, self._ranked.index[0], **options)

    @property
    def periods_per_year(self) -> float:
        """What its ratios are annualised with."""
        return float(self.runner.assumptions["periods_per_year"])

    @property
    def risk_free_rate(self) -> float:
        """Annual, as a fraction, taken off the returns in its ratios."""
        return float(self.runner.assumptions.get("risk_free_rate") or 0.0)

    @property
    def data_hash(self) -> str:
        """Hash of the bars that were swept, under which the trial ledger counts."""
        return self.runner.data_hash

    def trial(self) -> TrialRecord:
        """Return the record of this sweep for a trial ledger.

        The effective number of trials comes from a small sample of rows; of a Python function with few rows all count.
        """
        from algotrendy.backtest.sweep.assess import trial_of_sweep

        size = SAMPLE_OF_LEDGER
        if not self.runner.is_fast:
            size = min(size, len(self.table) // _SHARE_OF_LEDGER)
        return trial_of_sweep(self, size if size >= _SAMPLE_OF_LEDGER_MIN else 0)

    def heatmap(self, x: str | None = None, y: str | None = None, *, metric: str | None = None) -> go.Figure:
        """Return the metric over two parameters as colours.

        Where other parameters vary too, a cell shows the best of them. With one parameter the figure is a line.

        Parameters
        ----------
        x, y : str, optional
            Parameters of the axes; by default the last two that take more than one value, the earlier one upwards.
        metric : str, optional
            Another metric than the one that was asked for.

        Raises
        ------
        InputError
            If a name is not a parameter, or not a metric.
        """
        import plotly.graph_objects as go

        metric = check_metric(metric or self.metric)
        varied = [name for name in self.parameters if self.table[name].nunique() > 1] or list(self.parameters)
        x = self._axis(x) if x else varied[-1] if y != varied[-1] else varied[0]
        y = self._axis(y) if y else next((name for name in reversed(varied) if name != x), None)
        rule: Rule = "min" if metric in LOWER_IS_BETTER else "max"
        label = METRIC_INFO[metric].label
        layout = {"xaxis": {"title": {"text": x}}, "margin": {"t": 30}}
        if y is None:
            line = self.table.groupby(x)[metric].agg(rule)
            trace: dict[str, Any] = {
                "type": "scatter", "mode": "lines+markers", "x": line.index.tolist(), "y": _plain(line.to_numpy()),
            }  # fmt: skip
            return go.Figure({"data": [trace], "layout": layout | {"yaxis": {"title": {"text": label}}}})
        cells = self.table.pivot_table(index=y, columns=x, values=metric, aggfunc=rule, dropna=False)
        cells = _thin(_thin(cells, rule).T, rule).T
        trace = {
            "type": "heatmap",
            "x": cells.columns.tolist(),
            "y": cells.index.tolist(),
            "z": [_plain(row) for row in cells.to_numpy()],
            "colorscale": "Viridis",
            "reversescale": rule == "min",
            "colorbar": {"title": {"text": label}},
            "hovertemplate": f"{x} %{{x}}<br>{y} %{{y}}<br>{label} %{{z:.3f}}<extra></extra>",
        }
        return go.Figure({"data": [trace], "layout": layout | {"yaxis": {"title": {"text": y}}}})

    def _axis(self, name: str) -> str:
        if name not in self.parameters:
            raise InputError(f"{name!r} was not varied; the parameters are {', '.join(self.parameters)}")
        return name

    def __len__(self) -> int:
        return len(self.table)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "ledger": None}  # a ledger belongs to its session and does not travel

    @property
    def _state(self) -> str:
        """How it ended, and how many rows may be the best, if there is something to say."""
        parts = [] if self.complete else ["stopped before its end"]
        parts += [self.note] if self.note else []
        if self.constraints is not None:
            parts.append(f"{len(self.feasible):,} of them meet {self.constraints.text!r}")
        return "".join(f", {part}" for part in parts)

    def __str__(self) -> str:
        head = f"{len(self):,} combinations of {', '.join(self.parameters)}{self._state}; best first:"
        return f"{head}\n{self.top(10)}\n{self._warning}"

    def _repr_html_(self) -> str:
        head = f"{len(self):,} combinations of {', '.join(self.parameters)}{self._state}; best by {self.metric} first"
        table: str = self.top(10).to_html()
        return f"<p>{escape(head)}</p>{table}<p>{escape(self._warning)}</p>"

    @property
    def _warning(self) -> str:
        return f"The best of {len(self):,} tries looks better than it is: overfitting() says by how much."


def check_metric(metric: str) -> str:
    """Return the name of a metric that a sweep computes.

    Raises
    ------
    InputError
        If there is no such metric; the nearest name is proposed.
    """
    if metric in METRICS:
        return metric
    import difflib

    near = difflib.get_close_matches(str(metric), METRICS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the metrics are {', '.join(METRICS)}"
    raise InputError(f"there is no metric {metric!r}; {hint}")


def _plain(values: np.ndarray[Any, Any]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _thin(cells: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Keep a heat map readable: neighbouring rows share one where there are too many, the best of them showing."""
    step = -(-len(cells) // _HEATMAP_CELLS_MAX)
    if step == 1:
        return cells
    groups = np.arange(len(cells)) // step
    thinned = cells.groupby(groups).agg(rule)
    thinned.index = cells.index[::step]
    return thinned
