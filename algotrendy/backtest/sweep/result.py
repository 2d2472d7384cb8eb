"""What a sweep found: one row per combination, the best ones, a heat map, and any row's full backtest on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from algotrendy.backtest.definitions import METRIC_INFO
from algotrendy.backtest.sweep.pareto import LOWER_IS_BETTER, front, gains
from algotrendy.errors import InputError
from algotrendy.kernels.statistics_names import METRICS

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from algotrendy.backtest.result import BacktestResult
    from algotrendy.backtest.sweep.constraints import Constraints

SHOWN = ("total_return", "max_drawdown", "n_trades")
"""Metrics that `top` shows beside the parameters and the metric that was asked for."""

Rule = Literal["min", "max"]

_HEATMAP_CELLS_MAX = 400


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
    """

    table: pd.DataFrame
    parameters: tuple[str, ...]
    metric: str
    complete: bool
    runner: Callable[[Mapping[str, Any]], BacktestResult] = field(repr=False)
    objectives: tuple[str, ...] = ()
    constraints: Constraints | None = None
    note: str = ""

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
        >>> sweep.pareto().index[0] == sweep.top(1).index[0]
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

    @property
    def _state(self) -> str:
        """How it ended, and how many rows may be the best, if there is something to say."""
        parts = [] if self.complete else ["stopped before its end"]
        parts += [self.note] if self.note else []
        if self.constraints is not None:
            parts.append(f"{len(self.feasible):,} of them meet {self.constraints.text!r}")
        return "".join(f", {part}" for part in parts)

    def __str__(self) -> str:
        return f"{len(self):,} combinations of {', '.join(self.parameters)}{self._state}; best first:\n{self.top(10)}"

    def _repr_html_(self) -> str:
        head = f"{len(self):,} combinations of {', '.join(self.parameters)}{self._state}; best by {self.metric} first"
        table: str = self.top(10).to_html()
        return f"<p>{escape(head)}</p>{table}"


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
