"""The streaming monitor: equity and books come in as they change, measures follow, alerts are raised."""

from __future__ import annotations

import datetime
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from algotrendy.errors import InputError
from algotrendy.risk.alerts import Alert, AlertManager
from algotrendy.risk.limits.book import BookView
from algotrendy.risk.limits.figures import figures_of

__all__ = ["RiskMonitor"]

_LEVERAGES = ("gross_leverage", "net_leverage", "concentration")
_ESTIMATES = ("value_at_risk", "expected_shortfall")


class _Path:
    """What is remembered of one portfolio: no series, a few numbers."""

    __slots__ = ("day", "day_open", "equity", "measures", "peak")

    def __init__(self) -> None:
        self.equity: float | None = None
        self.peak = -math.inf
        self.day: datetime.date | None = None
        self.day_open = math.nan
        self.measures: dict[str, float] = {}


class RiskMonitor:
    """Measures portfolios as they change, and hands the measures to an `AlertManager`. May be shared by threads.

    The measures by name: `equity`, `drawdown` (from the highest equity seen), `daily_loss` (from the last equity of the
    day before), and of a book `gross_leverage`, `net_leverage`, `concentration`, `beta`, `value_at_risk`,
    `expected_shortfall`, as fractions of equity. What could not be measured is NaN, and `unmeasured` says how many
    those are: a rule on it above 0 tells when the monitor is blind.

    Parameters
    ----------
    alerts : AlertManager
        With the rules.
    day_of : callable, optional
        The trading day of a moment. Default: its date in UTC.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from algotrendy.risk.alerts import AlertRule
    >>> monitor = RiskMonitor(AlertManager([AlertRule(id="deep", measure="drawdown", level=0.1)]))
    >>> for hour, equity in ((9, 100.0), (10, 110.0), (11, 95.0)):
    ...     raised = monitor.update("port_1", equity=equity, at=datetime(2026, 1, 5, hour, tzinfo=UTC))
    >>> raised[0].rule_id, round(monitor.measures("port_1")["drawdown"], 4)
    ('deep', 0.1364)
    """

    def __init__(
        self, alerts: AlertManager, *, day_of: Callable[[datetime.datetime], datetime.date] | None = None
    ) -> None:
        self.alerts = alerts
        self._day_of = day_of or _utc_date
        self._lock = threading.Lock()
        self._paths: dict[str, _Path] = {}

    def start(self, portfolio_id: str, *, peak_equity: float, last_equity: float, at: datetime.datetime) -> None:
        """Tell what was before this monitor began: the highest equity, and the last one and its moment.

        Raises
        ------
        InputError
            If the peak is below the last equity, or one is not finite.
        """
        if not (math.isfinite(peak_equity) and math.isfinite(last_equity) and peak_equity >= last_equity):
            raise InputError(f"peak_equity={peak_equity} and last_equity={last_equity}; a peak is at least as high")
        with self._lock:
            path = self._paths[portfolio_id] = _Path()
            path.peak, path.equity, path.day, path.day_open = peak_equity, last_equity, self._day_of(at), last_equity

    def update(
        self,
        portfolio_id: str,
        *,
        at: datetime.datetime,
        equity: float | None = None,
        book: BookView | None = None,
        measures: Mapping[str, float] | None = None,
    ) -> tuple[Alert, ...]:
        """Take what is new, and return the alerts that were raised or resolved by it.

        Parameters
        ----------
        portfolio_id : str
            Of which portfolio.
        at : datetime
            The moment, aware of its zone.
        equity : float, optional
            In the portfolio's currency. None: that of the book.
        book : BookView, optional
            Its positions; without one only equity is measured anew.
        measures : mapping of str to float, optional
            Measures of your own, or better ones of the same names.

        Raises
        ------
        InputError
            If nothing is given, the equity is not finite, or the moment has no zone.
        """
        if equity is None and book is None and measures is None:
            raise InputError("there is nothing to take; give equity=, book= or measures=")
        if at.tzinfo is None:
            raise InputError(f"{at.isoformat()} has no time zone; give it one: .replace(tzinfo=UTC)")
        value = float(book.equity) if equity is None and book is not None else equity
        if value is not None and not math.isfinite(value):
            raise InputError(f"the equity of {portfolio_id} is {value}; expected a finite number")
        of_book = {} if book is None else _measures_of(book if equity is None else replace(book, equity=_exact(equity)))
        with self._lock:
            path = self._paths.setdefault(portfolio_id, _Path())
            found = {**path.measures, **of_book}
            if value is not None:
                found.update(self._of_equity(path, float(value), at))
            found.update(measures or {})
            found["unmeasured"] = float(sum(math.isnan(one) for one in found.values()))
            path.measures = found
            return self.alerts.observe(portfolio_id, found, at)

    def measures(self, portfolio_id: str) -> dict[str, float]:
        """Return what was measured last; empty if nothing was."""
        with self._lock:
            path = self._paths.get(portfolio_id)
            return {} if path is None else dict(path.measures)

    def _of_equity(self, path: _Path, equity: float, at: datetime.datetime) -> dict[str, float]:
        """Bring peak and day up to date, and return the measures that hang on the way of the equity."""
        day = self._day_of(at)
        if path.day is None or day > path.day:
            path.day, path.day_open = day, equity if path.equity is None else path.equity
        path.equity, path.peak = equity, max(path.peak, equity)
        return {
            "equity": equity,
            "drawdown": 1.0 - equity / path.peak if path.peak > 0 else math.nan,
            "daily_loss": 1.0 - equity / path.day_open if path.day_open > 0 else math.nan,
        }


def _measures_of(book: BookView) -> dict[str, float]:
    """Return the measures of a book; those that cannot be had are NaN, leverage without equity is infinite."""
    if book.equity <= 0:
        is_held = any(row.quantity for row in book.exposures)
        return dict.fromkeys(_LEVERAGES, math.inf if is_held else 0.0)
    plain = figures_of(replace(book, estimates=None))
    found = {name: float(getattr(plain, name)) for name in _LEVERAGES}
    if any(row.beta is not None for row in book.exposures):  # else nobody wants to know
        found["beta"] = math.nan if plain.beta is None else float(plain.beta)
    held = next((row.symbol for row in book.exposures if row.quantity), None)
    if book.estimates is not None:
        for name in _ESTIMATES:
            found[name] = 0.0 if held is None else _estimated(book.estimates, name, held)
    return found


def _estimated(estimates: Any, name: str, symbol: str) -> float:
    try:
        return float(getattr(estimates, name)(symbol, 0.0))
    except Exception:  # noqa: BLE001 - see BROAD_EXCEPTS in the layout tests
        return math.nan


def _exact(equity: float | None) -> Decimal:
    return Decimal(str(equity))


def _utc_date(at: datetime.datetime) -> datetime.date:
    return at.astimezone(datetime.UTC).date()
