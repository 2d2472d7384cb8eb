"""The result of one backtest: plain arrays, frames built when they are asked for, and every way to look at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.definitions import describe, written
from algotrendy.domain.types import AnyArray, Float1D, Int1D
from algotrendy.kernels.portfolio_types import REASONS

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import pandas as pd
    import plotly.graph_objects as go

    from algotrendy.backtest.capacity import CapacityCurve
    from algotrendy.backtest.fill_interval import FillInterval
    from algotrendy.backtest.monte_carlo import MonteCarloResult
    from algotrendy.backtest.report import SweepLike
    from algotrendy.reports.pdf import Paper


__all__ = ["REASONS", "BacktestResult"]


@dataclass(frozen=True, eq=False, repr=False)
class BacktestResult:
    """What one backtest did, and what it was made of.

    `backtest()` returns it. The arrays below are what the engine wrote; the frames (`equity`, `orders`, `trades`, ...)
    are built on first access.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, n_columns)
        The bars it ran on, with their provenance in `attrs["algotrendy"]`.
    equity_values : array of shape (n_bars,)
        Value of the account at the end of each bar, in currency.
    order_columns : mapping of str to array of shape (n_orders,)
        `decided_at`, `filled_at` (bar positions), `units` (signed), `price`, `commission`, `slippage` (currency),
        `reason` (position in `REASONS`). Ordered by `filled_at`.
    trade_columns : mapping of str to array of shape (n_trades,)
        `entry_at`, `exit_at` (bar positions), `side` (1 long, -1 short), `units` (positive), `entry_price`,
        `exit_price`, `pnl` (currency, net), `return_` (fraction), `commission`, `borrow` (currency), `reason` of the
        exit. Ordered by `exit_at`.
    metrics : mapping of str to float, int or Timestamp
        By the definitions of the semantics page; NaN where a metric is not defined. Read-only.
    strategy : mapping
        The JSON form of the strategy; `{"kind": "arrays"}` if signals were handed in as arrays.
    params : mapping of str to float
        Values of the parameters. Read-only.
    assumptions : mapping
        Fill convention, cash, costs, sizing, calendar, interval and what ratios are annualised with. Read-only.
    pending : str, optional
        A decision ("long", "short", "flat") that the data did not live to fill.
    ruined_at : Timestamp, optional
        The bar at which nothing was left.
    warnings : tuple of str
        What a reader has to know before believing the numbers.
    marks : array of int, optional
        Bar positions of the valuation marks between which returns are taken. None: those of the interval and calendar
        that `assumptions` name.
    written_with : mapping of str to str, optional
        Versions of the libraries that computed it, if it was loaded from a file.
    requests : DataFrame, optional
        The orders that a stateful strategy placed, with how each ended: the columns of `orders=`, and `status`,
        `filled` (signed units), `fill_price`, `replaced_by`.

    See Also
    --------
    algotrendy.backtest : run one.
    """

    bars: pd.DataFrame
    equity_values: Float1D
    order_columns: Mapping[str, AnyArray]
    trade_columns: Mapping[str, AnyArray]
    metrics: Mapping[str, float | int | pd.Timestamp]
    strategy: Mapping[str, Any]
    params: Mapping[str, float]
    assumptions: Mapping[str, Any]
    pending: str | None = None
    ruined_at: pd.Timestamp | None = None
    warnings: tuple[str, ...] = ()
    marks: Int1D | None = None
    written_with: Mapping[str, str] | None = None
    requests: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        for name in ("order_columns", "trade_columns", "metrics", "strategy", "params", "assumptions"):
            object.__setattr__(self, name, MappingProxyType(getattr(self, name)))

    # --- curves and frames, built on first access ---

    @cached_property
    def units_values(self) -> Float1D:
        """Units held at the end of each bar, shape (n_bars,); negative for a short position."""
        from algotrendy.backtest.engine_metrics import units_held

        return units_held(self.order_columns, len(self.equity_values))

    @cached_property
    def equity(self) -> pd.Series[float]:
        """Value of the account at the end of each bar, in currency."""
        return self._series(self.equity_values.copy(), "equity")

    @cached_property
    def returns(self) -> pd.Series[float]:
        """Simple returns between valuation marks, as fractions; the first starts from the initial cash.

        Marks are all bars, but the last bar of each session for intraday bars. Zero after ruin.
        """
        from algotrendy.backtest.curves import returns_between

        marks = self.valuation_marks
        return self._series(returns_between(self.equity_values[marks], self.cash), "returns", marks)

    @cached_property
    def drawdown(self) -> pd.Series[float]:
        """Loss from the running peak at the end of each bar, as a positive fraction."""
        from algotrendy.backtest.curves import drawdown_of

        return self._series(drawdown_of(self.equity_values, self.cash), "drawdown")

    @cached_property
    def exposure(self) -> pd.Series[float]:
        """Value of the position / equity at the end of each bar: 1 is all-in, negative is short; NaN without equity."""
        return self._series(self._exposure_values(), "exposure")

    @cached_property
    def orders(self) -> pd.DataFrame:
        """One row per fill: times, `side` (BUY, SELL), `units` (positive), `price`, costs, `reason`."""
        from algotrendy.backtest.frames import orders_frame

        return orders_frame(self)

    @cached_property
    def trades(self) -> pd.DataFrame:
        """One row per closed round trip: times, `side` (long, short), prices, `pnl`, `return`, costs, `reason`."""
        from algotrendy.backtest.frames import trades_frame

        return trades_frame(self)

    @cached_property
    def monthly_returns(self) -> pd.DataFrame:
        """Change of equity per calendar month (columns 1 to 12) and `year`, as fractions; one row per year."""
        from algotrendy.risk.months import monthly_returns

        return monthly_returns(self.equity_values, self.bars.index, self.cash)  # type: ignore[arg-type]  # stamps, checked

    @cached_property
    def worst_drawdowns(self) -> pd.DataFrame:
        """The ten deepest stretches below a peak: `start`, `valley`, `end` (NaT: not recovered), `depth`, `n_bars`."""
        from algotrendy.backtest.frames import drawdowns_frame

        return drawdowns_frame(self)

    @cached_property
    def buy_and_hold(self) -> pd.Series[float]:
        """Equity of buying at the first price that the fill convention allows, at the same costs, and holding."""
        from algotrendy.backtest.curves import buy_and_hold

        return self._series(buy_and_hold(self.bars, self.assumptions), "buy_and_hold")

    @property
    def cash(self) -> float:
        """Initial cash, in currency."""
        return float(self.assumptions["cash"])

    @cached_property
    def valuation_marks(self) -> Int1D:
        """Bar positions between which returns are taken."""
        if self.marks is not None:
            return self.marks
        from algotrendy.backtest.curves import marks_of

        return marks_of(self.bars.index, self.assumptions)  # type: ignore[arg-type]  # stamps, checked

    @cached_property
    def input_hash(self) -> str:
        """SHA-256 over bars, strategy, parameters and assumptions: equal inputs have equal hashes."""
        from algotrendy.backtest.storage import input_hash

        return input_hash(self)

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of Python, algotrendy, numpy, pandas and numba that computed this result."""
        from algotrendy.backtest.storage import library_versions

        return self.written_with if self.written_with is not None else library_versions()

    # --- ways to look at it, and to keep it ---

    def summary(self) -> str:
        """Return the result as a table of plain text, at most 80 columns wide."""
        from algotrendy.backtest.summary import summary_text

        return summary_text(self)

    def plot(self) -> go.Figure:
        """Return a Plotly figure: equity against buy and hold, drawdown, price with the trades, exposure.

        Long curves are thinned to a few thousand points that keep every extreme value.
        """
        from algotrendy.backtest.plots import overview_figure

        return overview_figure(self)

    def report(
        self,
        path: str | Path,
        sweep: SweepLike | None = None,
        title: str | None = None,
        *,
        date: date | None = None,
        paper: Paper = "a4",
    ) -> Path:
        """Write the result as one file, and return its path: an interactive page, print, or a workbook.

        Parameters
        ----------
        path : str or Path
            `.html` (whole in itself), `.pdf` or `.xlsx` (these two need the extra `reports`). An existing file is
            replaced.
        sweep : SweepResult, optional
            A sweep to show beside it, as a heat map and a table.
        title : str, optional
            Default: the name of the strategy.
        date : date or datetime, optional
            The day of the report, in print and in workbooks.
        paper : {"a4", "letter"}
            Size of the pages in print.

        Raises
        ------
        InputError
            If the suffix is another one, or the folder of `path` does not exist.
        """
        from algotrendy.backtest.report import write_report

        return write_report(self, path, sweep=sweep, title=title, date=date, paper=paper)

    def monte_carlo(self, **options: Any) -> MonteCarloResult:
        """Draw paths that this strategy could have taken; options as in `algotrendy.backtest.monte_carlo.monte_carlo`.

        Examples
        --------
        >>> import algotrendy as at
        >>> result = at.backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=500, seed=1))
        >>> len(result.monte_carlo(method="trade_shuffle", paths=200))
        200
        """
        from algotrendy.backtest.monte_carlo import monte_carlo

        return monte_carlo(self, **options)

    def save(self, path: str | Path) -> Path:
        """Write the result to a `.json` or `.parquet` file, and return its path. `load` reads it back, equal.

        Of the attributes of the bars only the provenance, `attrs["algotrendy"]`, is kept.

        Raises
        ------
        InputError
            If the suffix is another one, the folder does not exist, or a column cannot be kept in that format.
        """
        from algotrendy.backtest.storage import save

        return save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> BacktestResult:
        """Read a result that `save` wrote.

        Raises
        ------
        DataError
            If there is no such file, it is cut off, changed, not a result, or written by a newer version.
        """
        from algotrendy.backtest.storage import load

        return load(path)

    def fill_interval(self, *, strategy: Any = None, chart: Any = None, keep: int = 32) -> FillInterval:
        """Run this again on the best and on the worst paths that the bars allow, and return both beside it.

        Open, high, low and close do not say in which order prices came. Where that decides how a position is left (stop
        and target in one bar, a trailing stop within the bar), every outcome is followed, and the runs with the largest
        and the smallest final equity are kept.

        Parameters
        ----------
        strategy : callable, Signals or BarStrategy, optional
            The Python function, the signals, or the stateful strategy, that decided, if it was not one of texts. A
            stateful one divides with its runs: what it remembers is copied.
        chart : Chart, str, mapping or DataFrame, optional
            The chart that the conditions were read on, if it was one.
        keep : int
            So many runs of a stateful strategy are followed at once; where there were more, `is_exact` is false.

        Returns
        -------
        FillInterval
            `best`, `stated`, `worst`, `ambiguous_share`, `table`, `summary()`.

        Raises
        ------
        InputError
            If it cannot be run again with what is there.
        """
        from algotrendy.backtest.fill_interval import fill_interval

        return fill_interval(self, strategy=strategy, chart=chart, keep=keep)

    def capacity(
        self, capital: Sequence[float], *, impact: float = 1.0, participation: float | None = 0.1
    ) -> CapacityCurve:
        """Return what this would have earned with more money, when its trades move the price and volume is limited.

        Every order moves the price against itself by impact x volatility x sqrt(units / mean volume), both of the 20
        bars before the fill. An entry takes no more than a share of the volume of its bar, and gives up the rest; an
        exit leaves the rest at the closes of the following bars. Trades are those of this run, of a stateful strategy
        its fills: a stop is not moved by a dearer entry. Targets and limit orders rest, and move nothing.

        Parameters
        ----------
        capital : sequence of float
            Initial amounts, in currency.
        impact : float
            Coefficient of the square root law, about 1; 0.0 is none.
        participation : float, optional
            Largest share of the volume of a bar, in (0, 1]. None: no limit.

        Returns
        -------
        CapacityCurve
            `.table`, one row per capital, and `.plot()`.

        Raises
        ------
        InputError
            If the bars have no volume, or a number lies outside what it may be.
        """
        from algotrendy.backtest.capacity import capacity

        return capacity(self, capital, impact=impact, participation=participation)

    def passport(
        self,
        path: str | Path,
        *,
        strategy: Callable[..., Any] | None = None,
        trials: Any = None,
        lookahead: Any = None,
        fill_interval: Any = None,
    ) -> Path:
        """Write what another place needs to run this again and to see whether the same comes out; return the path.

        `at.verify(path)` does that. See the page on passports for what the file holds.

        Parameters
        ----------
        path : str or Path
            Of a JSON file; an existing one is replaced.
        strategy : callable, optional
            The Python function or the stateful strategy that decided, if it is not found by its name. Its name and the
            hash of its source are written, no code.
        trials, lookahead, fill_interval : mapping or object with `to_dict`, optional
            What is known about them, in plain values: how often was tried, what was looked for, `fill_interval()`.

        Raises
        ------
        InputError
            If the function is not found by its name, a section is not plain, or the folder does not exist.
        """
        from algotrendy.backtest.passport import write_passport

        sections = {"trials": trials, "lookahead": lookahead, "fill_interval": fill_interval}
        return write_passport(self, path, strategy=strategy, **sections)

    def __repr__(self) -> str:
        shown = ("total_return", "sharpe_ratio", "max_drawdown", "n_trades")
        parts = [f"n_bars={len(self.equity_values):,}"]
        parts += [
            f"{name}={written(self.metrics[name], describe(name).kind)}" for name in shown if name in self.metrics
        ]
        return f"BacktestResult({', '.join(parts)})"

    def _repr_html_(self) -> str:
        from algotrendy.backtest.summary import summary_html

        return summary_html(self)

    def __reduce__(self) -> tuple[Any, ...]:
        values = (getattr(self, field.name) for field in fields(self))
        return (BacktestResult, tuple(dict(v) if isinstance(v, MappingProxyType) else v for v in values))

    def _exposure_values(self) -> Float1D:
        close = self.bars["close"].to_numpy(dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.equity_values > 0.0, self.units_values * close / self.equity_values, np.nan)

    def _series(self, values: Float1D, name: str, positions: Int1D | None = None) -> pd.Series[float]:
        import pandas as pd

        index = self.bars.index if positions is None else self.bars.index.take(positions)
        return pd.Series(values, index=index, name=name)
