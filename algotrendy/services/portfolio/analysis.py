"""The collaborators of the portfolio service that answer: performance, attribution, reports."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from algotrendy.domain.period import period_start
from algotrendy.errors import AlgotrendyError, InputError
from algotrendy.portfolio.performance import align_benchmark
from algotrendy.portfolio.tax import TaxRules, UsWashSale
from algotrendy.portfolio.tax_rows import tax_report
from algotrendy.services.portfolio.account_days import AccountDays, metric_rows
from algotrendy.services.portfolio.models import AttributionAnswer, PerformanceAnswer, ReportRequest
from algotrendy.storage.accounts import AccountStore
from algotrendy.storage.booking import lot_book

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.domain.money import Rates
    from algotrendy.domain.portfolio import Portfolio
    from algotrendy.storage.performance import PerformanceStore
    from algotrendy.storage.portfolios import StoredPortfolio
    from algotrendy.storage.reports import ReportStore, StoredReport

__all__ = ["PerformanceAnalyzer", "ReportDelivery", "ReportGenerator", "StoredPortfolios"]

NOT_CONFIGURED = "not sent: no delivery configured"
NOBODY = "not sent: no recipients"


class StoredPortfolios:
    """Portfolios as others read them: what one holds, and what it was worth.

    Parameters
    ----------
    accounts : AccountStore
        What portfolios hold.
    performance : PerformanceStore
        What they were worth.
    """

    def __init__(self, accounts: AccountStore, performance: PerformanceStore) -> None:
        self._accounts, self._performance = accounts, performance

    async def portfolio(self, portfolio_id: str) -> Portfolio:
        """Return positions and cash.

        Raises
        ------
        NotFound
            If there is none.
        """
        return await asyncio.to_thread(self._accounts.portfolio, portfolio_id)

    async def history(self, portfolio_id: str) -> pd.Series[float]:
        """Return what a portfolio was worth on each day that is kept, by day in UTC, with the owner's flows left out.

        The last value is the true one; those before are scaled so that each times the returns after it is the last.
        Empty before performance was first worked out.
        """
        rows = await asyncio.to_thread(self._performance.rows, portfolio_id)
        growth = (1.0 + rows["cumulative_return"]).rename("value")
        if not len(rows):
            return growth
        # Where all was lost the last growth is zero and nothing leads back from it: the first day sets the scale.
        at = -1 if growth.iloc[-1] != 0.0 else 0
        scaled: pd.Series[float] = growth * (rows["total_value"].iloc[at] / growth.iloc[at])
        return scaled

    async def position(self, position_id: str) -> tuple[str, str]:
        """Return the portfolio and the symbol of a position, `pos_…`.

        Raises
        ------
        NotFound
            If there is none.
        """
        return await asyncio.to_thread(self._accounts.position_of, position_id)


class PerformanceAnalyzer:
    """Values an account day by day, keeps the rows, and says what they come to.

    Parameters
    ----------
    accounts : AccountStore
        What happened.
    performance : PerformanceStore
        Where the rows are kept.
    periods_per_year : float
        What is annualised with: 252 for days of an exchange, 365 for markets that never close.
    """

    def __init__(
        self, accounts: AccountStore, performance: PerformanceStore, *, periods_per_year: float = 252.0
    ) -> None:
        self.accounts, self.performance, self.periods_per_year = accounts, performance, periods_per_year

    def days(
        self, stored: StoredPortfolio, closes: pd.DataFrame, rates: Rates | pd.DataFrame | None = None
    ) -> AccountDays:
        """Return the account by day; see `AccountDays.of`."""
        cash, actions = self.accounts.portfolio(stored.id).cash.entries, self.accounts.actions(stored.id)
        trades = self.accounts.trades(stored.id)
        return AccountDays.of(trades, cash, closes, stored.currency, actions=actions, rates=rates)

    def update(
        self, stored: StoredPortfolio, closes: pd.DataFrame, rates: Rates | pd.DataFrame | None = None
    ) -> AccountDays:
        """Work all days out again and keep their rows; twice is once."""
        days = self.days(stored, closes, rates)
        self.performance.replace(stored.id, metric_rows(days, periods_per_year=self.periods_per_year))
        return days

    def returns(self, portfolio_id: str, period: str) -> tuple[pd.DataFrame, pd.Series[float]]:
        """Return the rows of a span, and the returns within it: the first row is where the span starts."""
        rows = self.performance.rows(portfolio_id)
        if len(rows):
            rows = rows[rows.index >= period_start(period, rows.index[-1])]
        return rows, rows["daily_return"].iloc[1:].rename("return")

    def answer(
        self, portfolio_id: str, period: str, benchmark: str | None, base: pd.Series[float] | None
    ) -> PerformanceAnswer:
        """Return measures and charts of a span.

        Parameters
        ----------
        portfolio_id, period : str
            Which one, and the span.
        benchmark : str or None
            Its symbol.
        base : Series or None
            Its closes.
        """
        rows, returns = self.returns(portfolio_id, period)
        notes: list[str] = []
        wealth = (1.0 + returns).cumprod()
        growth = [0.0, *(wealth - 1.0)] if len(rows) else []
        peak = wealth.cummax().clip(lower=1.0)
        charts: dict[str, list[Any]] = {
            "time": [at.isoformat() for at in rows.index],
            "value": rows["total_value"].tolist(),
            "cumulative_return": growth,
            "drawdown": [0.0, *(1.0 - wealth / peak)] if len(rows) else [],
        }
        compared = None
        if base is not None and len(returns):
            daily = _within(base, returns)
            both = align_benchmark(returns, daily)
            returns, compared = both.returns, both.benchmark
            notes.append(both.summary())
            curve = (1.0 + daily.reindex(rows.index[1:]).fillna(0.0)).cumprod() - 1.0
            charts["benchmark_return"] = [0.0, *curve]
        return PerformanceAnswer(
            portfolio_id=portfolio_id, period=period, benchmark=benchmark,
            start=None if rows.empty else rows.index[0].to_pydatetime(),
            end=None if rows.empty else rows.index[-1].to_pydatetime(),
            metrics=self._metrics(returns, compared, notes), charts=charts, notes=notes,
        )  # fmt: skip

    def _metrics(
        self, returns: pd.Series[float], base: pd.Series[float] | None, notes: list[str]
    ) -> dict[str, float | None]:
        from algotrendy.risk import metrics

        if len(returns) < 2:
            notes.append(f"{len(returns)} return(s) in the span: too few for measures")
            return {"total_return": float(np.prod(1.0 + returns.to_numpy()) - 1.0)} if len(returns) else {}
        found: Any = metrics(returns, benchmark=base, periods_per_year=self.periods_per_year)
        numbers = {str(name): float(value) for name, value in found.items()}
        return {name: value if math.isfinite(value) else None for name, value in numbers.items()}

    def attribution(
        self, stored: StoredPortfolio, period: str, closes: pd.DataFrame, rates: Rates | pd.DataFrame | None = None
    ) -> AttributionAnswer:
        """Return where the return of a span came from."""
        found = self._attributed(stored, period, closes, rates)
        return AttributionAnswer(
            portfolio_id=stored.id, period=period, total_return=found.excess_return, residual=found.residual,
            by_asset=_by(found.linked, 1), by_strategy=_by(found.linked, 0),
        )  # fmt: skip

    def attribution_rows(self, stored: StoredPortfolio, period: str, closes: pd.DataFrame) -> pd.DataFrame:
        """Return the effects of a span by asset, as a report reads them."""
        import pandas as pd

        rows = _by(self._attributed(stored, period, closes).linked, 1)
        return pd.DataFrame.from_dict(rows, orient="index").drop(columns="total").rename_axis("segment")

    def _attributed(
        self, stored: StoredPortfolio, period: str, closes: pd.DataFrame, rates: Rates | pd.DataFrame | None = None
    ) -> Any:
        days = self.update(stored, closes, rates)
        index = days.quantities.index
        return days.attribution(period_start(period, index[-1]))


class ReportDelivery(Protocol):
    """Who brings a report to its recipients: a mail server, a chat."""

    def send(self, report: StoredReport, content: bytes) -> None:
        """Send a report; the same `report.id` again is to be sent once. `VenueError` says that it was not."""
        ...


class ReportGenerator:
    """Makes reports and keeps them.

    Parameters
    ----------
    analyzer : PerformanceAnalyzer
        What they are about.
    reports : ReportStore
        Where they are kept.
    delivery : ReportDelivery, optional
        Who sends them; without one the report says so.
    """

    def __init__(
        self, analyzer: PerformanceAnalyzer, reports: ReportStore, delivery: ReportDelivery | None = None
    ) -> None:
        self.analyzer, self.reports, self.delivery = analyzer, reports, delivery

    def ask(self, stored: StoredPortfolio, request: ReportRequest) -> StoredReport:
        """Keep what is asked for."""
        waits = NOT_CONFIGURED if self.delivery is None else "not sent yet"
        options = request.model_dump(mode="json", exclude={"report_type", "format", "recipients"})
        return self.reports.create(
            stored.id, request.report_type, request.format, options=options, recipients=request.recipients,
            delivery=waits if request.recipients else NOBODY,
        )  # fmt: skip

    def request_of(self, report: StoredReport) -> ReportRequest:
        """Return what was asked for."""
        return ReportRequest(
            report_type=report.report_type, format=report.format, recipients=report.recipients, **report.options  # type: ignore[arg-type]
        )  # fmt: skip

    def make(
        self, stored: StoredPortfolio, report: StoredReport, closes: pd.DataFrame, base: pd.Series[float] | None
    ) -> StoredReport:
        """Render a report and keep it; one that is there is not made again."""
        if report.finished_at is None:
            content = self._content(stored, report, closes, base)
            report = self.reports.finish(report.id, content)
        if report.recipients and self.delivery is not None and report.delivery != "sent":
            content = self.reports.content(report.id) or b""
            try:
                self.delivery.send(report, content)
            except AlgotrendyError as error:
                self.reports.deliver(report.id, f"not sent: {error}")
                raise
            report = self.reports.deliver(report.id, "sent")
        return report

    def _content(
        self, stored: StoredPortfolio, report: StoredReport, closes: pd.DataFrame, base: pd.Series[float] | None
    ) -> bytes:
        from algotrendy.reports import PerformanceReport, render

        request = self.request_of(report)
        day = report.created_at.date()
        facts: dict[str, Any] = {"title": stored.name, "report_type": report.report_type, "date": day}
        if report.report_type == "tax":
            made = PerformanceReport(rows=self._tax_rows(stored, request), **facts)
        elif report.report_type == "attribution":
            made = PerformanceReport(rows=self.analyzer.attribution_rows(stored, request.period, closes), **facts)
        else:
            self.analyzer.update(stored, closes)
            _, returns = self.analyzer.returns(stored.id, request.period)
            if not len(returns):
                raise InputError(f"{stored.id} has no returns in the period {request.period} yet; ask again tomorrow")
            compared = None
            if base is not None:
                both = align_benchmark(returns, _within(base, returns))
                returns, compared = both.returns, both.benchmark
            year = self.analyzer.periods_per_year
            made = PerformanceReport(returns, compared, periods_per_year=year, **facts)
        return render(made.document, report.format, date=day, paper="a4")

    def _tax_rows(self, stored: StoredPortfolio, request: ReportRequest) -> pd.DataFrame:
        wash = UsWashSale() if request.wash_sale else None
        trades = self.analyzer.accounts.trades(stored.id)
        actions = self.analyzer.accounts.actions(stored.id)
        facts = {"method": stored.lot_method, "time_zone": stored.time_zone}
        book = lot_book(trades, actions=actions, wash=wash, **facts)
        rules = TaxRules(short_term_rate=request.short_term_rate, long_term_rate=request.long_term_rate)
        return tax_report(book.disposals, rules, year=request.year)


def _within(closes: pd.Series[float], returns: pd.Series[float]) -> pd.Series[float]:
    """Return the daily returns of closes in the span of other returns."""
    daily: pd.Series[float] = closes.pct_change().iloc[1:]
    within: pd.Series[float] = daily.loc[(daily.index >= returns.index[0]) & (daily.index <= returns.index[-1])]
    return within


def _by(linked: pd.DataFrame, place: int) -> dict[str, dict[str, float]]:
    """Return effects by the first or second part of their labels, with their sum, without those that are all 0."""
    labels = [str(label).split("\x1f")[place] for label in linked.index]
    summed = linked.groupby(labels).sum()
    summed["total"] = summed.sum(axis=1)
    kept = summed[summed.ne(0.0).any(axis=1)]
    return {str(name): {str(key): float(value) for key, value in row.items()} for name, row in kept.T.to_dict().items()}
