"""What a walk found: the windows, the joined out-of-sample account, and how stable the choices were."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from algotrendy.backtest.definitions import describe, moment_text, written
from algotrendy.kernels.statistics_names import METRICS

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.result import BacktestResult

_METRICS_SHOWN = (
    "total_return",
    "annual_return",
    "volatility",
    "sharpe_ratio",
    "max_drawdown",
    "n_trades",
    "costs_paid",
)


@dataclass(frozen=True, eq=False, repr=False)
class WalkForwardResult:
    """The outcome of `walk_forward`.

    Attributes
    ----------
    windows : DataFrame of shape (n_windows, n_columns)
        One row per window: `train_start`, `train_end`, `test_start`, `test_end` (stamps of the first and the last bar),
        `n_tried`, the chosen parameters (NaN: none could be chosen, and nothing was held), `in_sample` and
        `out_of_sample` (the metric that was asked for), then more metrics of the testing window. Without `carry` these
        are those of the whole testing window, otherwise of the bars until the next one takes over.
    out_of_sample : BacktestResult, PortfolioResult or None
        The joined account on the tested bars: curves, orders, trades and metrics by the definitions of a backtest;
        `plot()`, `report()` and `save()` as of any other. Of several instruments a `PortfolioResult`. None if no
        window was finished.
    parameters : tuple of str
        The names that were chosen.
    metric : str
        What they were chosen by.
    in_sample : array of shape (n_windows, n_metrics)
        All metrics of the choices on their training bars, in the order of `kernels.statistics_names.METRICS`.
    bars_unused : int
        Bars behind the last testing window, too few for another.
    n_windows : int
        How many windows there are; more than rows of `windows` if the walk was stopped.
    complete : bool
        False if it was stopped before its end.
    """

    windows: pd.DataFrame
    out_of_sample: BacktestResult | PortfolioResult | None
    parameters: tuple[str, ...]
    metric: str
    in_sample: npt.NDArray[np.float64]
    bars_unused: int
    n_windows: int
    complete: bool

    @property
    def equity(self) -> pd.Series[float]:
        """Value of the joined account at the end of each tested bar, in currency."""
        if self.out_of_sample is None:
            return pd.Series(np.empty(0), index=pd.DatetimeIndex([]), name="equity")
        return self.out_of_sample.equity

    @property
    def returns(self) -> pd.Series[float]:
        """Simple returns of the joined account between valuation marks, as fractions."""
        if self.out_of_sample is None:
            return self.equity.rename("returns")
        return self.out_of_sample.returns

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics of the joined account, by the definitions of `BacktestResult.metrics`; empty without a window."""
        return {} if self.out_of_sample is None else dict(self.out_of_sample.metrics)

    @cached_property
    def efficiency(self) -> float:
        """Annual return of the joined account / mean annual return of the choices on their training bars.

        Pardo's walk-forward efficiency: 1 keeps what the training promised, above 0.5 is usually called good, at or
        below 0 nothing is left. NaN where the training promised no gain.
        """
        promised = self.in_sample[:, METRICS.index("annual_return")]
        promised = promised[~np.isnan(promised)]
        if not promised.size or promised.mean() <= 0.0:
            return float("nan")
        return float(self.metrics["annual_return"]) / float(promised.mean())

    @cached_property
    def stability(self) -> pd.DataFrame:
        """How the choices moved, one row per parameter.

        `n_values` different values, `n_changes` from one window to the next, `share_changed` of the steps, `mean_move`
        of all steps (absolute, standing still included), `move_share` the same as a fraction of the span of values
        chosen, `lowest`, `median`, `highest`. Windows without a choice are left out.
        """
        rows = {name: _moves(self.windows[name].dropna().to_numpy(dtype=np.float64)) for name in self.parameters}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")

    def plot(self) -> go.Figure:
        """Return a Plotly figure: joined equity with the testing windows, both metrics per window, the parameters."""
        from algotrendy.backtest.walk_forward.figure import walk_figure

        return walk_figure(self)

    def summary(self) -> str:
        """Return the walk as plain text: the metrics of the joined account, the windows and the stability."""
        info = describe(self.metric)
        head = f"Walk-forward: {self._counts}, chosen by {info.label.lower()}"
        lines = [head, "=" * min(len(head), 80)]
        if self.out_of_sample is None:
            return "\n".join([*lines, "no window was finished"])
        index = self.out_of_sample.equity.index
        lines.append(f"tested from {moment_text(index[0])} to {moment_text(index[-1])}, {len(index):,} bars")
        lines += ["", "Out of sample", *(f"  {label:<24}{text:>16}" for label, text in self._figures)]
        shown = self.windows.drop(columns=["train_start", "train_end"])
        lines += ["", "Windows", shown.to_string(max_rows=24, float_format="{:.3f}".format)]
        lines += ["", "Parameters", self.stability.to_string(float_format="{:.3f}".format)]
        return "\n".join(lines)

    @property
    def _counts(self) -> str:
        n = len(self.windows)
        done = f"{n:,} windows" if self.complete else f"{n:,} of {self.n_windows:,} windows, stopped before its end"
        return f"{done}, {self.bars_unused:,} bars at the end not tested" if self.bars_unused else done

    @property
    def _figures(self) -> list[tuple[str, str]]:
        """Labels and texts of the figures of the whole walk."""
        rows = [(describe(name).label, written(self.metrics[name], describe(name).kind)) for name in _METRICS_SHOWN]
        gained = int((self.windows["total_return"] > 0.0).sum())
        rows.append(("Windows with a gain", f"{gained:,} of {len(self.windows):,}"))
        rows.append(("Walk-forward efficiency", written(self.efficiency, "ratio")))
        return rows

    def __len__(self) -> int:
        return len(self.windows)

    def __repr__(self) -> str:
        return f"WalkForwardResult({self._counts}, metric={self.metric!r})"

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        head = f"<p>Walk-forward: {escape(self._counts)}, chosen by {escape(self.metric)}</p>"
        if self.out_of_sample is None:
            return head
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(label)}</th><td>{escape(text)}</td></tr>"
            for label, text in self._figures
        )
        return f"{head}<table>{rows}</table>{self.windows.to_html(max_rows=12)}{self.stability.to_html()}"


def _moves(values: npt.NDArray[np.float64]) -> dict[str, float]:
    if not values.size:
        return dict.fromkeys(("n_values", "n_changes"), 0) | dict.fromkeys(
            ("share_changed", "mean_move", "move_share", "lowest", "median", "highest"), float("nan")
        )
    moves = np.abs(np.diff(values))
    mean = float(moves.mean()) if moves.size else float("nan")
    span = float(values.max() - values.min())
    return {
        "n_values": len(np.unique(values)),
        "n_changes": int(np.count_nonzero(moves)),
        "share_changed": float(np.count_nonzero(moves) / moves.size) if moves.size else float("nan"),
        "mean_move": mean,
        "move_share": mean / span if span > 0.0 else 0.0,
        "lowest": float(values.min()),
        "median": float(np.median(values)),
        "highest": float(values.max()),
    }
