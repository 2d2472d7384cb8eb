"""What local providers share: they have what they have, so only that is covered."""

from __future__ import annotations

import pandas as pd

from algotrendy.data.providers.port import Fetched
from algotrendy.data.series import Adjusted, BarsRequest, Span
from algotrendy.domain.calendar import known_at
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.interval import infer_interval
from algotrendy.domain.provenance import provenance
from algotrendy.errors import DataError, InputError

EVERY_ADJUSTMENT: frozenset[Adjusted] = frozenset({"raw", "splits", "all"})


def answered(bars: pd.DataFrame, request: BarsRequest, source: str, instrument: Instrument) -> Fetched:
    """Return the part of sound bars that was asked for; covered is what lies between the first and the end of the last.

    Raises
    ------
    InputError
        If the bars are of another interval.
    DataError
        If there are none in the span.
    """
    if len(bars) > 1:
        found = infer_interval(pd.DatetimeIndex(bars.index))
        if found != request.interval:
            raise InputError(
                f"{source} holds bars of {found} for {request.symbol}, asked for are bars of {request.interval}; longer"
                " bars come from algotrendy.domain.resample.resample_bars"
            )
    index = pd.DatetimeIndex(bars.index)
    times = index.tz_localize("UTC") if index.tz is None else index
    inside = bars[(times >= request.span.start) & (times < request.span.end)]
    if not len(inside):
        raise DataError(
            f"{source} has bars of {request.symbol} from {index[0]} to {index[-1]}, none from {request.span.start} to"
            f" {request.span.end}"
        )
    end = known_at(index[-1:], request.interval)[0]
    covered = Span(max(request.span.start, times[0]), min(request.span.end, end))
    if "volume" not in inside.columns:
        inside = inside.assign(volume=0.0)
    if request.partial:
        inside = inside.assign(is_partial=False)
    notes = tuple(str(note) for note in provenance(bars).get("notes", []))
    return Fetched(bars=inside, instrument=instrument, source=source, covered=covered, notes=notes)
