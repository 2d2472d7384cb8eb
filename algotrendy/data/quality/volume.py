"""Volume that cannot be, bars that traded nothing, and volumes in other units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from algotrendy.data.quality.issue import Issue, Remedy, number, plural
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.scale import local_scale, usual_around
from algotrendy.data.quality.stamps import longest_run
from algotrendy.data.quality.steps import HOLE, steps_of
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.faults import stamp_text

_HABIT = 0.2
"""Where more than a fifth of the bars trade nothing, that is how the series is, and no fault."""

_FACTOR = 100.0
"""Lots of a hundred, thousands: the smallest mistake in the unit of volume."""

_SPREADS = 8.0
"""How many of its own spreads the log volume must be away as well: thin series swing by factors of ten."""


def find_bad_volume(subject: Subject) -> Iterable[Issue] | str:
    """Find volumes that are missing, infinite or negative, bars without trades, and volumes in another unit."""
    if not (np.nan_to_num(subject.columns["volume"]) != 0.0).any():
        return "no volume: every bar has none"
    return [*_impossible(subject), *_zero(subject), *_other_unit(subject)]


def _impossible(subject: Subject) -> Iterator[Issue]:
    volume = subject.columns["volume"]
    with np.errstate(invalid="ignore"):
        rows = np.flatnonzero(~((volume >= 0.0) & (volume < np.inf)))
    if rows.size:
        kinds = {"missing": np.isnan(volume), "infinite": np.isinf(volume), "negative": volume < 0.0}
        said = ", ".join(f"{name} in {int(found.sum()):,}" for name, found in kinds.items() if found.any())
        yield Issue(
            kind="bad_volume",
            severity="warning",
            certainty="definite",
            score=1.0,
            evidence=f"volume {said} of {volume.size:,} bars, first {stamp_text(subject.stamp(int(rows[0])))}",
            proposal="set it to 0: nothing is known to have traded",
            columns=("volume",),
            remedy=Remedy(
                action="set", rows=rows, seen=subject.seen, columns=("volume",), values=np.zeros((rows.size, 1))
            ),
            **subject.span(rows),
        )


def _zero(subject: Subject) -> Iterator[Issue]:
    volume = subject.volume
    zero = volume == 0.0
    share = float(zero.mean()) if zero.size else 0.0
    if not 0.0 < share <= _HABIT:
        return
    places = np.flatnonzero(zero)
    moved = subject.high[places] > subject.low[places]
    moved |= (places > 0) & (subject.close[places] != subject.close[np.maximum(places - 1, 0)])
    longest = longest_run(zero)[1]
    yield Issue(
        kind="zero_volume",
        severity="info",
        certainty="suspected",
        score=0.5 + 0.5 * float(moved.mean()),
        evidence=f"{plural(places.size, 'bar')} of {zero.size:,} without volume, the longest run {longest};"
        f" in {int(moved.sum()):,} of them the price moved all the same",
        proposal="by hand: nothing traded at these prices, or the volume is missing",
        columns=("volume",),
        measures={"share": share, "longest_run": float(longest), "moved": float(moved.sum())},
        **subject.span(subject.rows[places]),
    )


def _other_unit(subject: Subject) -> Iterator[Issue]:
    """Find volumes a hundred times those around them, or a hundredth; opens and auctions of a day differ anyway."""
    volume = subject.volume
    if not subject.is_daily or subject.n < 30:
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        log_volume = np.where(volume > 0.0, np.log(volume), np.nan)
    filled = np.where(np.isfinite(log_volume), log_volume, np.nanmedian(log_volume))
    spread = np.maximum(local_scale(np.diff(filled, prepend=filled[0])), 0.1)
    rough = np.abs(np.diff(filled, prepend=filled[0])) > np.log(_FACTOR) / 2
    rough |= np.append(rough[1:], False)
    for start in np.flatnonzero(steps_of(subject) >= HOLE):
        rough[max(start - 10, 0) : start + 10] = False  # after so long a silence it may be another instrument
    rough[-1] = False  # that one may be unfinished
    places = np.flatnonzero(rough)
    away = filled[places] - usual_around(log_volume, places, 10)
    found = (np.abs(away) > np.log(_FACTOR / 1.5)) & (np.abs(away) > _SPREADS * spread[places])
    for place, apart in zip(places[found], away[found], strict=True):
        rows = subject.rows[[place]]
        yield Issue(
            kind="volume_unit",
            severity="warning",
            certainty="suspected",
            score=0.7,
            evidence=f"volume {number(volume[place])} is {number(np.exp(abs(apart)), 3)} times"
            f" {'that' if apart > 0 else 'less than that'} of the ten bars on either side",
            proposal="by hand: compare with another source",
            columns=("volume",),
            measures={"factor": float(np.exp(apart))},
            **subject.span(rows),
        )


VOLUME = Check(
    "volume",
    {
        "bad_volume": "volume that is NaN, infinite or negative",
        "zero_volume": "bars without volume in a series that trades",
        "volume_unit": "a volume a hundred times that of its neighbours, or a hundredth",
    },
    find_bad_volume,
)
