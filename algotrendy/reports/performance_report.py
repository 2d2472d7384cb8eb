"""A report on a series of returns, or on rows that others worked out: performance, risk, both, taxes, attribution."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.types import Float1D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.home import write_whole
from algotrendy.reports import attribution_sections, tax_sections
from algotrendy.reports import performance_sections as sections
from algotrendy.reports.document import Document, Section
from algotrendy.reports.pdf import Paper
from algotrendy.reports.wording import moment_text
from algotrendy.reports.write import format_of, render

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REPORT_TYPES", "PerformanceReport", "ReportType"]


@dataclass(frozen=True)
class ReportType:
    """One kind of report.

    Attributes
    ----------
    name : str
        What callers say: "monthly_performance".
    sections : callable
        From the report to its sections.
    reads_returns : bool
        Whether it is made of returns; else of `rows`.
    """

    name: str
    sections: Callable[[PerformanceReport], list[Section]]
    reads_returns: bool = True


@dataclass(frozen=True, eq=False)
class PerformanceReport:
    """A report on returns: as a page, in print, as a workbook.

    Parameters
    ----------
    returns : Series of shape (n_periods,), optional
        Simple returns per period, as fractions (0.01 is +1 %), by date, oldest first. Not needed where
        the report is made of `rows`.
    benchmark : Series of shape (n_periods,), optional
        Returns of a benchmark for the same dates.
    title : str
        The headline.
    report_type : str
        "monthly_performance"; "risk"; "backtest" (both); "tax" and "attribution" (of `rows`). `REPORT_TYPES` has them.
    rows : DataFrame, optional
        For "tax": one row for each lot that was closed, as `portfolio.tax_report` returns them. For "attribution": one
        row per segment and one column per effect, as `Attribution.linked` of `portfolio.attribution` is.
    periods_per_year : float
        What is annualised with; it stands in the report. 252 for days of an exchange, 365 for markets that never close,
        12 for months.
    risk_free_rate : float
        Per year as a fraction.
    confidence_level : float
        Of value at risk and expected shortfall: at 0.95 one period of twenty is worse.
    nan_policy : {"raise", "omit"}
        Refuse NaN and say where, or leave those periods out and say how many.
    date : date or datetime, optional
        The day of the report, in print and in workbooks; the clock is never asked.
    paper : {"a4", "letter"}
        Size of the pages in print.

    Raises
    ------
    InputError
        If there are no returns, they have no dates, dates repeat, are not in order or are of several time zones, a
        return is missing, infinite or below -1, the benchmark has other dates, or the type of report is unknown.

    Notes
    -----
    Losses are positive fractions. Measures are those of `algotrendy.risk`. What cannot be said of a few returns is
    written "n/a" or said in a sentence.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2024-01-01", periods=4, freq="B")
    >>> report = PerformanceReport(pd.Series([0.01, -0.02, 0.03, 0.0], days), title="Fund")
    >>> [section.title for section in report.document.sections]
    ['At a glance', 'Growth', 'Months and years', 'Drawdown', 'Basis']
    """

    returns: pd.Series[float] | None = None
    benchmark: pd.Series[float] | None = None
    _: KW_ONLY
    title: str = "Performance"
    report_type: str = "monthly_performance"
    rows: pd.DataFrame | None = field(default=None, repr=False)
    periods_per_year: float = 252.0
    risk_free_rate: float = 0.0
    confidence_level: float = 0.95
    nan_policy: NanPolicy = "raise"
    date: date | None = None
    paper: Paper = "a4"

    def __post_init__(self) -> None:
        if self.report_type not in REPORT_TYPES:
            near = difflib.get_close_matches(str(self.report_type), REPORT_TYPES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose one of: {', '.join(REPORT_TYPES)}"
            raise InputError(f"there is no report of the type {self.report_type!r}; {hint}")
        if self.nan_policy not in ("raise", "omit"):
            raise InputError(f'nan_policy is {self.nan_policy!r}; a report takes "raise" or "omit"')
        if self._type.reads_returns:
            _ = self.series, self.measures  # what is wrong with the call is said here, not when it is drawn
        elif self.rows is None:
            raise InputError(f"a report of the type {self.report_type!r} is made of rows; give rows=")

    @classmethod
    def of_equity(cls, equity: pd.Series[float], **options: Any) -> PerformanceReport:
        """Return the report on values of an account; the first value is where it starts.

        Parameters
        ----------
        equity : Series of shape (n_dates,)
            In currency, above 0 but for a last value of 0; no money is paid in or out between.
        **options
            As in `PerformanceReport`, but for `returns`.

        Raises
        ------
        InputError
            As `PerformanceReport`; or if there are fewer than two values, or one before the last is not above 0.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-01", periods=3, freq="B")
        >>> PerformanceReport.of_equity(pd.Series([100.0, 101.0, 99.0], days)).series.round(4).tolist()
        [0.01, -0.0198]
        """
        import pandas as pd

        if not isinstance(equity, pd.Series) or len(equity) < 2:
            raise InputError("equity is a Series of at least two values by date")
        values = np.asarray(equity, dtype=np.float64)
        if not np.isfinite(values).all() or not (values[:-1] > 0.0).all() or values[-1] < 0.0:
            raise InputError("values of equity are finite and above 0; only the last may be 0")
        return cls(pd.Series(values[1:] / values[:-1] - 1.0, index=equity.index[1:]), **options)

    # --- what it is made of ---

    @property
    def _type(self) -> ReportType:
        return REPORT_TYPES[self.report_type]

    @cached_property
    def series(self) -> pd.Series[float]:
        """The returns, checked, without the missing ones that `nan_policy` leaves out."""
        import pandas as pd

        from algotrendy.risk.inputs import as_returns, check_dates

        if not isinstance(self.returns, pd.Series):
            raise InputError(f"returns are a {type(self.returns).__name__}; give a Series of simple returns by date")
        check_dates(self.returns)
        if not isinstance(self.returns.index, pd.DatetimeIndex):
            raise InputError(
                f"the returns are labelled by {self.returns.index.dtype}, a report needs dates; "
                "make the index a DatetimeIndex with pd.to_datetime"
            )
        if self.returns.index.hasnans:
            raise InputError("a return has no date (NaT); drop it or date it")
        if len(self.returns) and self.returns.isna().all():
            raise InputError(f"all {len(self.returns)} returns are NaN; there is nothing to report")
        values = as_returns(self.returns, self.nan_policy, min_periods=1)
        kept = self.returns.index[self.returns.notna()]
        return pd.Series(values, index=kept, name=self.returns.name)

    @cached_property
    def base(self) -> pd.Series[float] | None:
        """The returns of the benchmark on the dates of the returns."""
        import pandas as pd

        from algotrendy.risk.columns import together

        if self.benchmark is None:
            return None
        if not isinstance(self.benchmark, pd.Series):
            raise InputError(f"the benchmark is a {type(self.benchmark).__name__}; give a Series of returns by date")
        known = self.benchmark.dropna() if self.nan_policy == "omit" else self.benchmark
        _, values = together(self.series, known, "raise")
        return pd.Series(values, index=self.series.index, name=self.benchmark.name)

    @cached_property
    def measures(self) -> Mapping[str, float]:
        """The row of `risk.metrics` of the returns; of a single return what can be said of it."""
        return self._measured(self.series, self.base)

    @cached_property
    def base_measures(self) -> Mapping[str, float]:
        """The same of the benchmark; empty without one."""
        return {} if self.base is None else self._measured(self.base, None)

    def _measured(self, returns: pd.Series[float], base: pd.Series[float] | None) -> Mapping[str, float]:
        from algotrendy.risk import annual_return, max_drawdown, metrics, total_return

        if len(returns) < 2:
            annual = annual_return(returns, periods_per_year=self.periods_per_year)
            return {
                "total_return": float(np.asarray(total_return(returns))),
                "annual_return": float(np.asarray(annual)),
                "max_drawdown": float(np.asarray(max_drawdown(returns))),
            }
        return dict(
            metrics(
                returns,
                benchmark=base,
                periods_per_year=self.periods_per_year,
                risk_free_rate=self.risk_free_rate,
                confidence_level=self.confidence_level,
            )
        )

    @cached_property
    def wealth(self) -> Float1D:
        """Growth of 1, after each period."""
        return np.cumprod(1.0 + self.series.to_numpy())

    @property
    def document(self) -> Document:
        """The report as a document."""
        subtitle, footer = "", "Past results do not promise future ones."
        if self._type.reads_returns:
            index = self.series.index
            subtitle = f"{len(index):,} returns, {moment_text(index[0])} to {moment_text(index[-1])}"
        return Document(self.title, subtitle, self._type.sections(self), footer)

    # --- what it becomes ---

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as an interactive page that needs nothing else, and write it if there is a path."""
        page = self._made("html", path)
        return page.decode("utf-8")

    def to_pdf(self, path: str | Path | None = None) -> bytes:
        """Return the report in print, and write it if there is a path. Needs the extra `reports`."""
        return self._made("pdf", path)

    def to_excel(self, path: str | Path | None = None) -> bytes:
        """Return the report as a workbook, and write it if there is a path. Needs the extra `reports`."""
        return self._made("xlsx", path)

    def write(self, path: str | Path) -> Path:
        """Write the report to a `.html`, `.pdf` or `.xlsx` file, and return its path."""
        self._made(format_of(path), path)
        return Path(path).expanduser()

    def _made(self, format: str, path: str | Path | None) -> bytes:
        content = render(self.document, format, date=self.date, paper=self.paper)
        if path is not None:
            write_whole(Path(path).expanduser(), content)
        return content


REPORT_TYPES: dict[str, ReportType] = {
    one.name: one
    for one in (
        ReportType("monthly_performance", sections.monthly_performance),
        ReportType("risk", sections.risk),
        ReportType("backtest", sections.backtest),
        ReportType("tax", tax_sections.tax, reads_returns=False),
        ReportType("attribution", attribution_sections.attribution, reads_returns=False),
    )
}
"""The types of reports by name. A new one is a function from a report to its sections, and a line here."""
