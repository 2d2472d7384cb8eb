"""`check_quality`: lay the bars out, ask every check, and put what they found into a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from algotrendy.data.quality.calendars import calendar_of
from algotrendy.data.quality.issue import Issue, plural
from algotrendy.data.quality.jumps import jump_table
from algotrendy.data.quality.registry import checks
from algotrendy.data.quality.report import QualityReport, ordered
from algotrendy.data.quality.score import score_of
from algotrendy.data.quality.stamps import NAT, dates_of
from algotrendy.data.quality.subject import NO_EVENTS, Events, Subject, known_stamps, layout, read_frame
from algotrendy.data.series import as_instant
from algotrendy.domain.calendar import Calendar
from algotrendy.domain.interval import Interval
from algotrendy.errors import InputError


class ActionsLike(Protocol):
    """Corporate actions: two Series indexed by ex-date."""

    @property
    def splits(self) -> pd.Series[Any]:
        """New shares per old one: 4.0 for 4:1."""

    @property
    def dividends(self) -> pd.Series[Any]:
        """Currency per share, as paid."""


def check_quality(
    bars: pd.DataFrame,
    *,
    interval: str | Interval | None = None,
    calendar: Calendar | str | None = None,
    actions: ActionsLike | None = None,
    quotes: pd.DataFrame | None = None,
    adjusted: Literal["raw", "splits", "all"] | None = None,
    now: pd.Timestamp | None = None,
) -> QualityReport:
    """Look for faults in bars, and say of each where it is, what shows it, how sure that is and what would mend it.

    Nothing is changed. Bars that `check_bars` refuses are welcome: unsorted, doubled, with NaN, in any zone.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, >= 4)
        Columns `open high low close`, in any case of letters; `volume`, `adj_close`, `dividends`, `stock_splits`,
        `is_partial`, `bid_close`, `ask_close`, ... are used where there are any. Where there are only bid and ask
        columns, their middle is checked.
    interval : str, optional
        How long a bar lasts; read off the stamps where it is not given.
    calendar : Calendar or str, optional
        `"XNYS"`, `"24/7"`, `"24/5"`, ... Where it is not given, an exchange whose holidays fit the bars is looked for,
        else a plain calendar is read off the stamps, and short gaps are not judged.
    actions : object with Series `splits` and `dividends`, optional
        By ex-date: new shares per old one, and currency per share. Where it is not given, the columns `stock_splits`
        and `dividends` are taken, if there are any.
    quotes : DataFrame, optional
        Bid and ask in columns `bid ask` or `bid_open ... ask_close`, if the bars have none.
    adjusted : {"raw", "splits", "all"}, optional
        What the prices are said to be. With "raw" a split that the actions list is expected to show, and is reported
        where it does not; else every split that shows is reported.
    now : Timestamp, optional
        The moment of the check: a last bar that is complete only after it is reported as unfinished.

    Returns
    -------
    QualityReport
        With `score`, `issues`, `checked`, `jumps`, `table`, `summary()`, `plot()`, `to_dict()`, `to_json()`.

    Raises
    ------
    InputError
        If `bars` is no DataFrame with times and the four prices, or an argument cannot be read.

    Notes
    -----
    The thresholds and what they are argued from stand in :doc:`/explanation/data-quality`.

    Examples
    --------
    >>> from algotrendy.data import synthetic
    >>> bars = synthetic(500, seed=3)
    >>> bars.iloc[200, :4] *= 100.0
    >>> report = check_quality(bars)
    >>> [(issue.kind, issue.certainty, issue.where) for issue in report.issues]
    [('unit', 'definite', '2000-10-09')]
    """
    subject = lay_out(
        bars, interval=interval, calendar=calendar, actions=actions, quotes=quotes, adjusted=adjusted, now=now
    )
    issues: list[Issue] = []
    checked: dict[str, str] = {}
    for name, check in checks().items():
        found = check.find(subject)
        if isinstance(found, str):
            checked[name] = f"not checked: {found}"
            continue
        mine = list(found)
        issues += mine
        checked[name] = plural(len(mine), "issue") if mine else "nothing found"
    closes = pd.Series(subject.close, index=subject.index[subject.rows], name="close")
    return QualityReport(
        score=score_of(issues),
        issues=ordered(issues),
        checked=checked,
        n_bars=len(bars),
        interval=str(subject.interval or "unknown"),
        calendar=subject.calendar.name,
        jumps=jump_table(subject),
        closes=closes,
    )


def lay_out(
    bars: pd.DataFrame,
    *,
    interval: str | Interval | None = None,
    calendar: Calendar | str | None = None,
    actions: ActionsLike | None = None,
    quotes: pd.DataFrame | None = None,
    adjusted: str | None = None,
    now: pd.Timestamp | None = None,
) -> Subject:
    """Return the bars as the checks are handed them; arguments as in `check_quality`."""
    index, names, columns = read_frame(bars)
    if adjusted not in (None, "raw", "splits", "all"):
        raise InputError(f"adjusted is {adjusted!r}; choose raw, splits or all, or leave it out")
    stamps, found, zone = layout(index, Interval.parse(interval) if interval is not None else None)
    known = known_stamps(stamps)
    daily = found is not None and not found.is_intraday
    dates = dates_of(known, zone if daily else None)
    times = dates.astype("datetime64[ns]") if daily else known.view("M8[ns]")
    inferred, is_known = calendar_of(calendar, pd.DatetimeIndex(times), dates)
    has_events = "stock_splits" in columns or "dividends" in columns
    listed_dates = dates_of(np.where(stamps == NAT, 0, stamps), zone if daily else None) if has_events else None
    return Subject(
        frame=bars,
        index=index,
        names=names,
        columns=columns,
        stamps=stamps,
        interval=found,
        calendar=inferred,
        calendar_known=is_known,
        calendar_given=is_known and calendar is not None,
        splits=_events(getattr(actions, "splits", None), "splits", columns.get("stock_splits"), listed_dates),
        dividends=_events(getattr(actions, "dividends", None), "dividends", columns.get("dividends"), listed_dates),
        has_actions=actions is not None or "stock_splits" in columns,
        quotes=quotes,
        adjusted=adjusted,
        now=None if now is None else as_instant(now, "now"),
        zone=zone,
    )


def _events(given: Any, name: str, column: Any, dates: Any) -> Events:
    """Return the actions that were given, else those that a column of the frame holds on its rows."""
    if given is None:
        if column is None:
            return NO_EVENTS
        rows = np.flatnonzero(np.isfinite(column) & (column > 0.0) & (column != (1.0 if name == "splits" else 0.0)))
        order = np.argsort(dates[rows], kind="stable")
        return Events(dates[rows][order], column[rows][order])
    series = pd.Series(given).sort_index()
    if not len(series):
        return NO_EVENTS
    if not isinstance(series.index, pd.DatetimeIndex):
        series.index = pd.to_datetime(series.index)
    index: Any = series.index
    naive = index.tz_localize(None) if index.tz is not None else index
    values = series.to_numpy(dtype=np.float64)
    if not (np.isfinite(values) & (values > 0.0)).all():
        raise InputError(f"actions.{name} holds {values[~(values > 0.0)][:1]}, expected positive numbers")
    return Events(naive.to_numpy().astype("datetime64[D]"), values)


def known_kinds() -> Mapping[str, str]:
    """Return every kind of issue that the checks report, with a line on what it is."""
    return {kind: text for check in checks().values() for kind, text in check.kinds.items()}
