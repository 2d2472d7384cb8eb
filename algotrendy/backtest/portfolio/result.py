"""The result of a backtest over several instruments: plain arrays, frames built when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.definitions import describe, written
from algotrendy.backtest.frames import stamps_taken
from algotrendy.domain.types import AnyArray, Float1D, Float2D, Int1D
from algotrendy.kernels.portfolio_types import REASONS

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import pandas as pd
    import plotly.graph_objects as go

    from algotrendy.backtest.capacity import CapacityCurve
    from algotrendy.backtest.fill_interval import FillInterval
    from algotrendy.reports.pdf import Paper

__all__ = ["PortfolioResult"]

_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False, repr=False)
class PortfolioResult:
    """What one backtest over several instruments did, and what it was made of.

    `backtest()` returns it for several instruments, and for target weights and explicit orders. The arrays below are
    what the engine wrote; the frames (`equity`, `positions`, `orders`, ...) are built on first access.

    Parameters
    ----------
    index : DatetimeIndex of shape (n_bars,)
        The union of the stamps of all instruments.
    symbols : tuple of str
        One per instrument.
    last_prices : float64 array of shape (n_bars, n_instruments)
        The last close at the end of each bar, in currency per unit (multiplied, where there is a multiplier); 0.0
        before an instrument's first bar.
    equity_values, cash_values, gross_values : float64 array of shape (n_bars,)
        Value of the account, cash, and sum of the magnitudes of all positions, at the end of each bar, in currency.
    order_columns : mapping of str to array of shape (n_orders,)
        `decided_at`, `filled_at` (bar positions), `instrument` (position in `symbols`), `units` (signed), `price`,
        `commission`, `slippage` (currency), `reason` (position in `REASONS`). In the order of filling.
    trade_columns : mapping of str to array of shape (n_trades,)
        One per order that closed something: `instrument`, `entry_at`, `exit_at`, `side` (1 long, -1 short), `units`
        (positive), `entry_price` (the average), `exit_price`, `pnl` (currency, net), `return_` (fraction),
        `commission`, `borrow`, `dividends` (with `actions=`), `reason`.
    multipliers, borrow_values : float64 array of shape (n_instruments,)
        What a unit is worth at a price of 1, and the borrow that each instrument has cost, in currency.
    metrics : mapping of str to float, int or Timestamp
        Names and definitions are those of one instrument. Read-only.
    strategy : mapping
        What decided: the JSON form of a strategy, or `{"kind": "weights"}`, `{"kind": "orders"}`, `{"kind": "arrays"}`.
    params : mapping of str to float
        Values of the strategy's parameters.
    assumptions : mapping
        Conventions and costs. Read-only.
    ruined_at : Timestamp, optional
        The bar at which nothing was left.
    warnings : tuple of str
        What a reader has to know before believing the numbers.
    marks : array of int, optional
        Bar positions of the valuation marks between which returns are taken; None: every bar.
    requests : DataFrame, optional
        Explicit orders as given, by time, with how each ended: `filled`, `cancelled`, `expired`, `refused`, `working`
        or `placed`.
    sleeves : mapping of str to PortfolioResult
        Of several strategies in one account: what each did with its share. Empty for one.
    growth_values, transfer_values : float64 array of shape (n_bars,), optional
        Of one strategy of several whose shares were restored: its equity as if no cash had come or gone (returns,
        drawdown and metrics are taken from it), and the cash that came (above zero) or went at the end of each bar.
    reserve_values : float64 array of shape (n_bars,), optional
        Cash that belongs to no strategy, where allocations sum to less than 1.
    dividend_columns : mapping of str to array of shape (n_dividends,), optional
        With `actions=`: `paid_at` (bar), `instrument`, `units` held, `amount` (currency, below zero for a short one).
    unfilled_columns : mapping of str to array, optional
        With `participation=`: `bar`, `instrument` and the `units` (signed) that the volume of the bar did not allow.
    written_with : mapping of str to str, optional
        Versions of the libraries that computed it, if it was loaded from a file.
    arguments : mapping of str to object, optional
        What `backtest` was called with, by name, so that it can be run again: the bars, what decides, options. None for
        a result that was loaded from a file, or came from another process.

    See Also
    --------
    algotrendy.backtest : run one.
    """

    index: pd.DatetimeIndex
    symbols: tuple[str, ...]
    last_prices: Float2D
    equity_values: Float1D
    cash_values: Float1D
    gross_values: Float1D
    order_columns: Mapping[str, AnyArray]
    trade_columns: Mapping[str, AnyArray]
    multipliers: Float1D
    borrow_values: Float1D
    metrics: Mapping[str, float | int | pd.Timestamp]
    strategy: Mapping[str, Any]
    params: Mapping[str, float]
    assumptions: Mapping[str, Any]
    ruined_at: pd.Timestamp | None = None
    warnings: tuple[str, ...] = ()
    marks: Int1D | None = None
    requests: pd.DataFrame | None = None
    sleeves: Mapping[str, PortfolioResult] = field(default_factory=dict)
    growth_values: Float1D | None = None
    transfer_values: Float1D | None = None
    reserve_values: Float1D | None = None
    dividend_columns: Mapping[str, AnyArray] | None = None
    unfilled_columns: Mapping[str, AnyArray] | None = None
    written_with: Mapping[str, str] | None = None
    arguments: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in ("dividend_columns", "unfilled_columns", "arguments"):
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else MappingProxyType(given))
        for name in (*("order_columns", "trade_columns", "metrics", "strategy", "params", "assumptions", "sleeves"),):
            object.__setattr__(self, name, MappingProxyType(getattr(self, name)))

    # --- curves ---

    @property
    def cash(self) -> float:
        """Initial cash, in currency."""
        return float(self.assumptions["cash"])

    @cached_property
    def equity(self) -> pd.Series[float]:
        """Value of the account at the end of each bar, in currency."""
        return self._series(self.equity_values.copy(), "equity")

    @cached_property
    def cash_series(self) -> pd.Series[float]:
        """Cash at the end of each bar, in currency; below zero is borrowed."""
        return self._series(self.cash_values.copy(), "cash")

    @cached_property
    def valuation_marks(self) -> Int1D:
        """Bar positions between which returns are taken."""
        return np.arange(len(self.index), dtype=np.int64) if self.marks is None else self.marks

    @cached_property
    def returns(self) -> pd.Series[float]:
        """Simple returns between valuation marks, as fractions; the first starts from the initial cash."""
        from algotrendy.backtest.curves import returns_between

        marks = self.valuation_marks
        return self._series(returns_between(self._grown[marks], self.cash), "returns", marks)

    @cached_property
    def drawdown(self) -> pd.Series[float]:
        """Loss from the running peak at the end of each bar, as a positive fraction."""
        from algotrendy.backtest.curves import drawdown_of

        return self._series(drawdown_of(self._grown, self.cash), "drawdown")

    @cached_property
    def exposure(self) -> pd.DataFrame:
        """Value of all positions / equity at the end of each bar: `net` with signs, `gross` without."""
        import pandas as pd

        equity = np.where(self.equity_values > 0.0, self.equity_values, np.nan)
        net = (self.equity_values - self.cash_values) / equity
        return pd.DataFrame({"net": net, "gross": self.gross_values / equity}, index=self.index)

    @property
    def _grown(self) -> Float1D:
        return self.equity_values if self.growth_values is None else self.growth_values

    # --- several strategies ---

    @cached_property
    def sleeve_equity(self) -> pd.DataFrame:
        """Equity of each strategy at the end of each bar, and of the reserve, `cash`: the sum is the account's."""
        import pandas as pd

        columns = {name: sleeve.equity_values for name, sleeve in self.sleeves.items()}
        if self.reserve_values is not None:
            columns["cash"] = self.reserve_values
        return pd.DataFrame(columns, index=self.index)

    @cached_property
    def transfers(self) -> pd.DataFrame:
        """Cash that came to each strategy (below zero: went) when the shares were restored; one row per such bar."""
        import pandas as pd

        none = np.zeros(len(self.index))
        moved = {n: none if s.transfer_values is None else s.transfer_values for n, s in self.sleeves.items()}
        frame = pd.DataFrame(moved, index=self.index)
        return frame[(frame != 0.0).any(axis=1)]

    # --- frames by instrument ---

    @cached_property
    def positions(self) -> pd.DataFrame:
        """Units of each instrument held at the end of each bar, negative for a short position."""
        import pandas as pd

        return pd.DataFrame(self._units, index=self.index, columns=list(self.symbols))

    @cached_property
    def weights(self) -> pd.DataFrame:
        """Value of each position / equity at the end of each bar; NaN once nothing is left."""
        import pandas as pd

        equity = np.where(self.equity_values > 0.0, self.equity_values, np.nan)
        values = self._units * self.last_prices / equity[:, None]
        return pd.DataFrame(values, index=self.index, columns=list(self.symbols))

    @cached_property
    def orders(self) -> pd.DataFrame:
        """One row per fill: times, `symbol`, `side` (BUY, SELL), `units` (positive), `price`, costs, `reason`."""
        import pandas as pd

        columns = self.order_columns
        return pd.DataFrame(
            {
                "decided_at": stamps_taken(self.index, columns["decided_at"]),
                "filled_at": self.index.take(columns["filled_at"]),
                "symbol": self._symbols_at(columns["instrument"]),
                "side": np.where(columns["units"] > 0.0, "BUY", "SELL").astype(object),
                "units": np.abs(columns["units"]),
                "price": columns["price"].copy(),
                "commission": columns["commission"].copy(),
                "slippage": columns["slippage"].copy(),
                "reason": np.array(REASONS, dtype=object)[columns["reason"]],
                **self._strategy_column(columns),
            }
        )

    @cached_property
    def trades(self) -> pd.DataFrame:
        """One row per order that closed something, at the average entry price of the position."""
        import pandas as pd

        columns = self.trade_columns
        return pd.DataFrame(
            {
                "symbol": self._symbols_at(columns["instrument"]),
                "entry_at": self.index.take(columns["entry_at"]),
                "exit_at": self.index.take(columns["exit_at"]),
                "side": np.where(columns["side"] > 0, "long", "short").astype(object),
                "units": columns["units"].copy(),
                "entry_price": columns["entry_price"].copy(),
                "exit_price": columns["exit_price"].copy(),
                "pnl": columns["pnl"].copy(),
                "return": columns["return_"].copy(),
                "commission": columns["commission"].copy(),
                "borrow": columns["borrow"].copy(),
                **({"dividends": columns["dividends"].copy()} if "dividends" in columns else {}),
                "bars_held": columns["exit_at"] - columns["entry_at"],
                "reason": np.array(REASONS, dtype=object)[columns["reason"]],
                **self._strategy_column(columns),
            }
        )

    @cached_property
    def dividends(self) -> pd.DataFrame:
        """One row per dividend: `paid_at`, `symbol`, `units` held, `amount` in currency, below zero where charged."""
        import pandas as pd

        columns = self.dividend_columns or {"paid_at": _NONE, "instrument": _NONE, "units": _NONE, "amount": _NONE}
        return pd.DataFrame(
            {
                "paid_at": self.index.take(columns["paid_at"]),
                "symbol": self._symbols_at(columns["instrument"]),
                "units": columns["units"].astype(np.float64),
                "amount": columns["amount"].astype(np.float64),
            }
        )

    @cached_property
    def unfilled(self) -> pd.DataFrame:
        """What the volume did not allow: `time`, `symbol`, `units` that were wanted and not filled at that bar.

        Units are below zero for a sale. What is carried on stands at each bar at which it waits.
        """
        import pandas as pd

        columns = self.unfilled_columns or {"bar": _NONE, "instrument": _NONE, "units": _NONE}
        return pd.DataFrame(
            {
                "time": self.index.take(columns["bar"]),
                "symbol": self._symbols_at(columns["instrument"]),
                "units": columns["units"].astype(np.float64),
            }
        )

    @cached_property
    def contributions(self) -> pd.DataFrame:
        """What each instrument earned, in currency: `pnl` of closed trades, `open_pnl`, `costs`, and its `n_orders`."""
        from algotrendy.backtest.portfolio.views import contributions_of

        return contributions_of(self)

    @cached_property
    def monthly_returns(self) -> pd.DataFrame:
        """Change of equity per calendar month (columns 1 to 12) and `year`, as fractions; one row per year."""
        from algotrendy.risk.months import monthly_returns

        return monthly_returns(self._grown, self.index, self.cash)

    # --- files ---

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of Python and of the libraries that computed it."""
        from algotrendy.backtest.storage import library_versions

        return library_versions() if self.written_with is None else self.written_with

    def save(self, path: str | Path) -> Path:
        """Write the result to a `.json` or `.parquet` file, and return its path. `load` reads it back, equal.

        Raises
        ------
        InputError
            If the suffix is another one, the folder does not exist, or `requests` hold what no file can.
        """
        from algotrendy.backtest.portfolio.storage import save

        return save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> PortfolioResult:
        """Read a result that `save` wrote.

        Raises
        ------
        DataError
            If there is no such file, it is cut off, changed, not such a result, or written by a newer version.
        """
        from algotrendy.backtest.portfolio.storage import load

        return load(path)

    # --- what hangs on it ---

    def fill_interval(self, *, keep: int = 32, **given: Any) -> FillInterval:
        """Run it on the best and on the worst paths inside the bars that are found.

        Signals are left at stops, trails and targets, and explicit orders and those of a stateful strategy are filled
        at limits and stops, in an order that bars do not tell. Target weights are filled at opens and closes, so
        nothing of theirs hangs on a path.

        Instruments share the cash, so the better outcome of each need not be the best of all, and there are more
        combinations than can be followed. Where `is_exact` is true none lies outside. Where it is false, `worst` and
        `best` are runs that may have happened, and there may be some further out, up to `outer` where that is known:
        `kind` says which of these it is. Several strategies give a `SeveralFillInterval`, with `sleeves` as well.

        Parameters
        ----------
        keep : int
            So many runs are followed at once, at least 1; more is slower and never narrower where all of them fit.
        **given
            What `backtest` was called with, for a result that came from a file or another process.

        Returns
        -------
        FillInterval

        Raises
        ------
        InputError
            If it cannot be run again, does not come out as it was, or shares of a stateful strategy are restored.

        Examples
        --------
        >>> import algotrendy as at
        >>> bars = {name: at.synthetic(n=200, seed=seed, volatility=0.5) for seed, name in enumerate("AB")}
        >>> result = at.backtest(at.strategies.sma_cross(5, 20), bars, stop=0.02, target=0.03)
        >>> found = result.fill_interval()
        >>> found.worst.final_equity <= found.best.final_equity
        True
        """
        from algotrendy.backtest.portfolio.fill_interval import portfolio_fill_interval

        return portfolio_fill_interval(self, keep=keep, **given)

    def capacity(
        self, capital: Sequence[float], *, impact: float = 1.0, participation: float | None = 0.1, **given: Any
    ) -> CapacityCurve:
        """Return what this would have earned with more money, when its trades move prices and volume is limited.

        As for one instrument: every order moves its price against itself by impact x volatility x
        sqrt(units / mean volume), each instrument with its own, and takes no more than a share of the volume of its
        bar. All instruments share the cash: what opens is a share of what the whole account is worth then. Dividends,
        splits, interest, borrow and early ends are those of the run; margins are not called.

        Parameters
        ----------
        capital : sequence of float
            Initial amounts, in currency.
        impact : float
            Coefficient of the square root law, about 1; 0.0 is none.
        participation : float, optional
            Largest share of the volume of a bar, in (0, 1]. None: no limit.
        **given
            What `backtest` was called with, for a result that came from a file or another process.

        Returns
        -------
        CapacityCurve
            `.table`, one row per capital, and `.plot()`.

        Raises
        ------
        InputError
            If bars of an instrument that was traded have no volume, a number lies outside what it may be, or nobody
            knows what the result was made of.

        Examples
        --------
        >>> import algotrendy as at
        >>> bars = {"A": at.synthetic(n=300, seed=1), "B": at.synthetic(n=300, seed=2)}
        >>> result = at.backtest(bars, weights={"A": 0.6, "B": 0.4}, rebalance="1mo")
        >>> table = result.capacity([1e5, 1e8]).table
        >>> bool(table["total_return"].iloc[1] < table["total_return"].iloc[0])
        True
        """
        from algotrendy.backtest.capacity import capacity

        return capacity(self, capital, impact=impact, participation=participation, **given)

    def passport(
        self, path: str | Path, *, trials: Any = None, lookahead: Any = None, fill_interval: Any = None, **given: Any
    ) -> Path:
        """Write what another place needs to run this again and to see whether the same comes out; return the path.

        `at.verify(path)` does that. See the page on passports for what the file holds.

        Parameters
        ----------
        path : str or Path
            Of a JSON file; an existing one is replaced.
        trials, lookahead, fill_interval : mapping or object with `to_dict`, optional
            What is known about them, in plain values: how often was tried, what was looked for, `fill_interval()`.
        **given
            What `backtest` was called with, for a result that came from a file or another process.

        Raises
        ------
        InputError
            If nobody knows what it was made of, the bars were changed since, a value is not plain, or the folder does
            not exist.

        Examples
        --------
        >>> import algotrendy as at, tempfile
        >>> bars = {"A": at.synthetic(n=60, seed=1), "B": at.synthetic(n=60, seed=2)}
        >>> result = at.backtest(bars, weights={"A": 0.6, "B": 0.4}, rebalance="1mo", commission=0.001)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(at.verify(result.passport(f"{folder}/passport.json")))
        Equal bit for bit: the run gives what the passport says.
        """
        from algotrendy.backtest.portfolio.passport import write_portfolio_passport

        sections = {"trials": trials, "lookahead": lookahead, "fill_interval": fill_interval}
        return write_portfolio_passport(self, path, **sections, **given)

    # --- ways to look at it ---

    def summary(self) -> str:
        """Return the result as a table of plain text, at most 80 columns wide."""
        from algotrendy.backtest.portfolio.views import summary_text

        return summary_text(self)

    def plot(self) -> go.Figure:
        """Return a Plotly figure: equity, drawdown, exposure, and the weights of the largest positions."""
        from algotrendy.backtest.portfolio.views import overview_figure

        return overview_figure(self)

    def report(
        self, path: str | Path, title: str | None = None, *, date: date | None = None, paper: Paper = "a4"
    ) -> Path:
        """Write the result as one file, and return its path: an interactive page, print, or a workbook.

        Parameters
        ----------
        path : str or Path
            `.html` (whole in itself), `.pdf` or `.xlsx` (these two need the extra `reports`). An existing file is
            replaced.
        title : str, optional
            Default: what was done.
        date : date or datetime, optional
            The day of the report, in print and in workbooks.
        paper : {"a4", "letter"}
            Size of the pages in print.

        Raises
        ------
        InputError
            If the suffix is another one, or the folder of `path` does not exist.
        """
        from algotrendy.backtest.portfolio.report import write_report

        return write_report(self, path, title=title, date=date, paper=paper)

    def __repr__(self) -> str:
        shown = ("total_return", "sharpe_ratio", "max_drawdown", "n_trades")
        parts = [f"n_instruments={len(self.symbols):,}", f"n_bars={len(self.index):,}"]
        parts += [f"{name}={written(self.metrics[name], describe(name).kind)}" for name in shown]
        return f"PortfolioResult({', '.join(parts)})"

    def _repr_html_(self) -> str:
        from algotrendy.backtest.portfolio.views import summary_html

        return summary_html(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # What it was called with stays here: functions cannot be pickled, and bars are large.
        values = (None if field.name == "arguments" else getattr(self, field.name) for field in fields(self))
        return (PortfolioResult, tuple(dict(v) if isinstance(v, MappingProxyType) else v for v in values))

    @cached_property
    def _units(self) -> Float2D:
        """Running sums of the fills of each instrument, in their order; flat is exactly zero where a fill says so."""
        units = np.zeros((len(self.index), len(self.symbols)))
        held = np.zeros(len(self.symbols))
        columns = self.order_columns
        filled, instrument, traded = columns["filled_at"], columns["instrument"], columns["units"]
        edges = np.searchsorted(filled, np.arange(len(self.index) + 1))
        for bar in range(len(self.index)):
            start, end = edges[bar], edges[bar + 1]
            if start < end:
                np.add.at(held, instrument[start:end], traded[start:end])
            units[bar] = held
        return units

    def _strategy_column(self, columns: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Return the name of the strategy of each row, where there are several."""
        if "strategy" not in columns:
            return {}
        return {"strategy": np.array(list(self.sleeves), dtype=object)[columns["strategy"]]}

    def _symbols_at(self, instruments: Int1D) -> AnyArray:
        return np.array(self.symbols, dtype=object)[instruments]

    def _series(self, values: Float1D, name: str, positions: Int1D | None = None) -> pd.Series[float]:
        import pandas as pd

        index = self.index if positions is None else self.index.take(positions)
        return pd.Series(values, index=index, name=name)
