"""From a vendor's rows to an answer: order, range, what is finished, and whether the bars are sound.

The rules, the same for every vendor. Rows are put in order of time. Of several rows with one stamp the last delivered
holds; where they differ, a note says so. Rows just outside the asked span are cut, since vendors count its ends
differently; rows far outside mean that something else was answered. A row without a price is left out with a note.
Bars that are not finished are cut, or marked `is_partial` where they were asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.data.providers.port import Fetched
from algotrendy.data.series import BarsRequest, Span
from algotrendy.domain.actions import Actions
from algotrendy.domain.bars import COLUMNS, PRICES, check_bars
from algotrendy.domain.calendar import ALWAYS_OPEN, SESSIONS, SUNDAY_OPEN, Calendar, exchange, known_at
from algotrendy.domain.faults import stamp_text
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.interval import Interval
from algotrendy.domain.provenance import with_provenance
from algotrendy.domain.types import AnyArray
from algotrendy.errors import BadAnswer, InputError

__all__ = [
    "Answer",
    "finish",
    "has_sessions",
    "local_dates",
    "rows_of",
    "same_symbol",
    "trades_of",
    "trades_within",
]

_DAY = pd.Timedelta(days=1)
_DAILY = Interval(1, "d")
_LATE_HOUR = 22
_MONDAY_AFTER_SUNDAY = 6
_LOOKED_BACK = {"d": 15, "wk": 15, "mo": 70}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a vendor answered, parsed and not yet judged.

    Attributes
    ----------
    rows : DataFrame
        Columns `open high low close volume` and perhaps more, indexed by UTC start or by session date, in the order of
        delivery; see `rows_of`.
    instrument : Instrument
    actions : Actions or None
    notes : tuple of str
    settles : Timedelta
        How long after its end a bar may still change at this vendor.
    now : Timestamp
        The moment of the answer.
    known_from : Timestamp or None
        Where the answer begins to tell, if that may be later than was asked: some vendors serve their newest bars
        alone.
    """

    rows: pd.DataFrame
    instrument: Instrument
    now: pd.Timestamp
    known_from: pd.Timestamp | None = None
    actions: Actions | None = None
    notes: tuple[str, ...] = ()
    settles: pd.Timedelta = field(default=pd.Timedelta(0))


def finish(answer: Answer, request: BarsRequest, source: str, *, check: bool = True) -> Fetched:
    """Return what is handed on of an answer.

    Parameters
    ----------
    answer : Answer
    request : BarsRequest
        What was asked.
    source : str
        The provider's name.
    check : bool
        Whether bars that contradict themselves are refused.

    Raises
    ------
    BadAnswer
        If rows lie far outside the span, or the bars are not sound.
    """
    notes = list(answer.notes)
    bars = _in_order(answer.rows, notes)
    bars = _in_span(bars, request, source)
    bars = _with_prices(bars, notes, source)
    until = final_until(request.interval, answer.now, answer.settles, _calendar_of(answer.instrument, request.interval))
    covered = _covered(request.span, answer.known_from, until)
    final = _instants(bars) < until
    bars = bars.assign(is_partial=~final) if request.partial else bars[final]
    if check and len(bars):
        _check(bars, source, request)
    facts = {
        "name": answer.instrument.symbol, "source": source, "instrument": answer.instrument.id,
        "interval": str(request.interval), "adjusted": request.adjusted, "fetched_at": str(answer.now), "notes": notes,
    }  # fmt: skip
    told = with_provenance(bars, facts)
    return Fetched(
        bars=told,
        instrument=answer.instrument,
        source=source,
        covered=covered,
        actions=answer.actions,
        notes=tuple(notes),
    )


def rows_of(index: pd.DatetimeIndex, columns: dict[str, Any]) -> pd.DataFrame:
    """Return rows from a vendor's columns: numbers as float64, what is no number as NaN."""
    block = np.array([_numbers(values) for values in columns.values()], dtype=np.float64).reshape(len(columns), -1)
    return pd.DataFrame(block.T, index=index.as_unit("ns").rename("time"), columns=list(columns))


def _numbers(values: Sequence[Any]) -> AnyArray:
    """Return numbers, or texts of numbers, as float64; NaN for what is neither."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        return pd.to_numeric(pd.Series(list(values), dtype=object), errors="coerce").to_numpy(dtype=np.float64)


def trades_of(times: pd.DatetimeIndex, price: Sequence[Any], size: Sequence[Any]) -> pd.DataFrame:
    """Return trades from a vendor's columns, in the order of delivery."""
    numbers = {"price": np.array(price, dtype=np.float64), "size": np.array(size, dtype=np.float64)}
    return pd.DataFrame(numbers, index=times.as_unit("ns").rename("time"))


def trades_within(pages: Sequence[pd.DataFrame], span: Span) -> pd.DataFrame:
    """Return the trades of all pages that were made in a span, in order of time; equal times keep their order."""
    trades = pd.concat([page for page in pages if len(page)] or list(pages[:1])).sort_index(kind="stable")
    return trades[(trades.index >= span.start) & (trades.index < span.end)]


def local_dates(instants: pd.DatetimeIndex, zone: str, interval: Interval) -> pd.DatetimeIndex:
    """Return the session dates of UTC stamps of daily and longer bars.

    A stamp in the last two hours of a local day is that of the next day, shifted by a change of clocks. Weeks are
    stamped by their Monday (a vendor's Sunday begins the week that follows), months by their first day.

    Examples
    --------
    >>> stamps = pd.to_datetime([1112331600000, 1112587200000], unit="ms", utc=True)  # before and after clocks change
    >>> [str(date.date()) for date in local_dates(stamps, "America/New_York", Interval.parse("1d"))]
    ['2005-04-01', '2005-04-04']
    """
    local = instants.tz_convert(zone).tz_localize(None)
    dates = pd.DatetimeIndex(np.where(local.hour >= _LATE_HOUR, local.normalize() + _DAY, local.normalize()))
    if interval.unit == "wk":
        weekday = dates.day_of_week
        shift = np.where(weekday == _MONDAY_AFTER_SUNDAY, 1, -weekday)
        return dates + pd.to_timedelta(shift, unit="D")
    if interval.unit == "mo":
        return dates.to_period("M").to_timestamp()
    return dates


def same_symbol(source: str, asked: str, answered: object) -> None:
    """Refuse an answer for another symbol than was asked for.

    Raises
    ------
    BadAnswer
        With both symbols.
    """
    if str(answered).upper() != asked.upper():
        raise BadAnswer(source, f"was asked for {asked} and answered for {answered}; nothing of it is used")


def final_until(
    interval: Interval, now: pd.Timestamp, settles: pd.Timedelta, calendar: Calendar | None
) -> pd.Timestamp:
    """Return the instant before which every bar that starts is finished and settled.

    Examples
    --------
    >>> final_until(Interval.parse("1d"), pd.Timestamp("2024-03-05 12:00", tz="UTC"), pd.Timedelta(0), None)
    Timestamp('2024-03-05 00:00:00+0000', tz='UTC')
    """
    if interval.is_intraday:
        return (now - settles - pd.Timedelta(seconds=interval.seconds or 0)).ceil("s")
    back = _LOOKED_BACK[interval.unit] + interval.count * {"d": 1, "wk": 7, "mo": 31}[interval.unit]
    starts = pd.date_range(now.tz_localize(None).normalize() - pd.Timedelta(days=back), periods=back + 2)
    if interval.unit == "wk":
        starts = starts[starts.day_of_week == 0]
    if interval.unit == "mo":
        starts = starts[starts.day == 1]
    open_ones = starts[known_at(starts, interval, calendar) + settles > now]
    return pd.Timestamp(open_ones[0]).tz_localize("UTC")


def has_sessions(instrument: Instrument, span: Span) -> bool:
    """Return whether the instrument's calendar has a session in a span.

    Examples
    --------
    >>> good_friday = Span.of("2024-03-29", "2024-04-01")
    >>> has_sessions(Instrument(asset_class="stock", venue="XNAS", symbol="A", calendar="XNYS"), good_friday)
    False
    """
    calendar = _calendar_of(instrument, _DAILY) or ALWAYS_OPEN
    before = np.array([span.start.tz_localize(None).floor("D") - _DAY], dtype="datetime64[D]")
    return bool(pd.Timestamp(calendar.next_session(before)[0]) < span.end.tz_localize(None))


def _covered(span: Span, known_from: pd.Timestamp | None, until: pd.Timestamp) -> Span | None:
    start = span.start if known_from is None else max(span.start, known_from)
    end = min(span.end, until)
    return Span(start, end) if start < end else None


def _calendar_of(instrument: Instrument, interval: Interval) -> Calendar | None:
    """Return the calendar that says when a session is over; None where only midnight UTC is sure."""
    plain = {"24/7": ALWAYS_OPEN, "24/5": SUNDAY_OPEN, "sessions": SESSIONS}.get(instrument.calendar)
    if interval.is_intraday or plain is not None:
        return plain
    return exchange(instrument.calendar)


def _instants(bars: pd.DataFrame) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex(bars.index)
    return index.tz_localize("UTC") if index.tz is None else index


def _in_order(rows: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    index = pd.DatetimeIndex(rows.index)
    if index.is_monotonic_increasing and index.is_unique:
        return rows
    ordered = rows.sort_index(kind="stable")
    doubled = ordered.index.duplicated(keep="last")
    if doubled.any():
        differing = ordered[~ordered.reset_index().duplicated().to_numpy()].index
        twice = differing[differing.duplicated()].unique()
        if len(twice):
            notes.append(
                f"{len(twice)} bars came more than once with different numbers, first that of {stamp_text(twice[0])};"
                " the last delivered is kept."
            )
    return ordered[~doubled]


def _in_span(bars: pd.DataFrame, request: BarsRequest, source: str) -> pd.DataFrame:
    if not len(bars):
        return bars
    span, times = request.span, _instants(bars)
    slack = _DAY if request.interval.is_intraday else pd.Timedelta(days=5 + _days(request.interval))
    if times[0] < span.start - slack or times[-1] >= span.end + slack:
        raise BadAnswer(
            source,
            f"was asked for {request.symbol} from {span.start} to {span.end} and answered for {times[0]} to"
            f" {times[-1]}; nothing of it is used",
        )
    return bars[(times >= span.start) & (times < span.end)]


def _days(interval: Interval) -> int:
    return interval.count * {"d": 1, "wk": 7, "mo": 31}[interval.unit]


def _with_prices(bars: pd.DataFrame, notes: list[str], source: str) -> pd.DataFrame:
    """Leave out rows without a price; call a volume that is not told zero, and say so."""
    empty = bars[list(PRICES)].isna().any(axis=1)
    if len(bars) and empty.all():
        raise BadAnswer(source, f"none of the {len(bars)} rows of the answer has its prices; nothing of it is used")
    if empty.any():
        first = stamp_text(bars.index[int(np.argmax(empty.to_numpy()))])
        notes.append(f"{int(empty.sum())} rows without a price are left out, first that of {first}.")
        bars = bars[~empty]
    if bars["volume"].isna().any():
        notes.append(f"the volume of {int(bars['volume'].isna().sum())} bars is not told and stands as 0.")
        bars = bars.assign(volume=bars["volume"].fillna(0.0))
    return bars


def _check(bars: pd.DataFrame, source: str, request: BarsRequest) -> None:
    try:
        check_bars(bars[list(COLUMNS)])
    except InputError as e:
        raise BadAnswer(
            source,
            f"the bars of {request.symbol} are not sound: {e}; to look at them and repair them, set check=False of the"
            " provider",
        ) from e
