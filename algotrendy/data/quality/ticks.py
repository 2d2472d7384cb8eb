"""Bad ticks: a price that jumps away and is back at once, far outside of what is usual around it.

Size is counted in the local scale of moves, so that a cluster of volatility is met by its own measure. What counts as
far grows with the series' own tail: four times what one bar in a hundred shows. On daily bars of liquid stocks and
indices an open or close that comes back is rarely 3.5 scales away, a high or low rarely 9: 6 and 10 leave room.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from algotrendy.data.quality.issue import Issue, Remedy, listed, number
from algotrendy.data.quality.levels import levelled, levels_of
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.scale import local_scale, smallest_step
from algotrendy.data.quality.steps import slots_of
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.bars import PRICES
from algotrendy.domain.types import Bool1D, Float1D, Int1D
from algotrendy.kernels.quality import spikes

PRICE_FAR, WICK_FAR = 6.0, 10.0
"""How many scales an open or close that comes back must be away at least; a high or low beyond open and close."""
_TAIL = 4.0
_LONGEST_WAIT = 25
"""A move over a longer time may be larger by its root; at most five times, so that a night does not excuse all."""
_BACK = 0.35
"""The way back must equal the way out to within this share of the shorter."""
_LEAST_MOVE, _LEAST_TICKS = 0.0002, 3.0
"""Smaller spikes, as fractions and in ticks of the price, are the tick size at work."""
_TOLD_MAX = 200
"""So many are told one by one, those that are farthest away; the rest in one issue."""


class Ticks(NamedTuple):
    """How far away each price of each bar is, in scales; 0 where it is not taken for a bad tick."""

    open: Float1D
    close: Float1D
    bar: Float1D
    high: Float1D
    low: Float1D

    @property
    def any(self) -> Bool1D:
        """The bars with a bad tick."""
        found: Bool1D = np.logical_or.reduce([size > 0.0 for size in self])
        return found


def ticks_of(subject: Subject) -> Ticks:
    """Return the bad ticks of the clean series; worked out once."""
    if "ticks" not in subject.memo:
        subject.memo["ticks"] = _ticks(subject)
    found: Ticks = subject.memo["ticks"]
    return found


def _ticks(subject: Subject) -> Ticks:
    if subject.n < 5:
        return Ticks(*np.zeros((5, subject.n)))
    prices = tuple(levels_of(subject).log_prices.T)
    scale = local_scale(np.diff(prices[3], prepend=prices[3][0]))
    least = np.maximum(_LEAST_MOVE, _LEAST_TICKS * smallest_step(subject.close) / subject.close)
    waits = np.sqrt(np.minimum(slots_of(subject), _LONGEST_WAIT).astype(np.float64))
    opens, closes, bars, highs, lows = spikes(prices, scale, waits, least, _BACK)
    body = _far(opens, PRICE_FAR), _far(closes, PRICE_FAR), _far(bars, PRICE_FAR)
    return Ticks(*body, _far(highs, WICK_FAR), _far(lows, WICK_FAR))


def _far(sizes: Float1D, least: float) -> Float1D:
    """Return the sizes that are far outside of the series' own, the others as 0."""
    if not sizes.max() > least:
        return np.zeros(sizes.size)
    place = int(0.99 * (sizes.size - 1))
    far = max(least, _TAIL * float(np.partition(sizes, place)[place]))
    return np.where(sizes > far, sizes, 0.0)


# --- issues ---


def find_outliers(subject: Subject) -> Iterator[Issue]:
    """Find bad ticks, apart from those that another check explains."""
    from algotrendy.data.quality.blocks import blocks_of

    ticks = ticks_of(subject)
    explained = np.zeros(subject.n, dtype=bool)
    for block in blocks_of(subject):
        explained[block.start : block.end] = True
    sizes = np.max(np.vstack(ticks), axis=0)
    places = np.flatnonzero((sizes > 0.0) & ~explained)
    order = np.argsort(-sizes[places], kind="stable")
    told, rest = np.sort(places[order[:_TOLD_MAX]]), np.sort(places[order[_TOLD_MAX:]])
    for place in told:
        yield _outlier(subject, ticks, int(place))
    if rest.size:
        yield _others(subject, rest, float(sizes[rest].min()))


def _outlier(subject: Subject, ticks: Ticks, place: int) -> Issue:
    size = max(float(column[place]) for column in ticks)
    names = tuple(name for name in PRICES if getattr(ticks, name)[place] > 0.0)
    whole = ticks.bar[place] > 0.0
    before = subject.close[place - 1] if place else float("nan")
    after = subject.open[place + 1] if place + 1 < subject.n else float("nan")
    shown = ", ".join(f"{name} {number(getattr(subject, name)[place])}" for name in PRICES)
    rows = subject.rows[[place]]
    what = "the whole bar" if whole else listed(names)
    evidence = (
        f"{what} {number(size, 3)} usual moves away and back: close before {number(before)}, then {shown},"
        f" open after {number(after)}"
    )
    columns, values = _mended(subject, names, place)
    remedy = Remedy(action="drop", rows=rows, seen=subject.seen)
    if not whole:
        remedy = Remedy(action="set", rows=rows, seen=subject.seen, columns=columns, values=values[None, :])
    return Issue(
        kind="outlier",
        severity="warning",
        certainty="suspected",
        score=_sure(size, whole=whole or "open" in names or "close" in names),
        evidence=evidence,
        proposal="leave the bar out"
        if whole
        else "; ".join(f"set {name} to {number(value)}" for name, value in zip(columns, values, strict=True)),
        columns=PRICES if whole else names,
        measures={"scales": size},
        remedy=remedy,
        **subject.span(rows),
    )


def _sure(size: float, *, whole: bool) -> float:
    """Return how sure a spike of so many scales is: one half at the least that counts, nine tenths at five times."""
    return min(0.99, 1.0 - 0.5 * (PRICE_FAR if whole else WICK_FAR) / size)


def _mended(subject: Subject, names: tuple[str, ...], place: int) -> tuple[tuple[str, ...], Float1D]:
    """Return the columns to change and their values: each bad price at the nearest one that its neighbours span."""
    open, high, low, close = levelled(subject, place)
    new_open, new_close = open, close
    if "open" in names:
        before = levelled(subject, place - 1)[3]
        new_open = float(np.clip(open, *sorted((before, close))))
    if "close" in names:
        after = levelled(subject, place + 1)[0]
        new_close = float(np.clip(close, *sorted((new_open, after))))
    bad_top = "high" in names or max(open, close) > max(new_open, new_close)
    bad_bottom = "low" in names or min(open, close) < min(new_open, new_close)
    new_high = max(new_open, new_close) if bad_top else high
    new_low = min(new_open, new_close) if bad_bottom else low
    pairs = zip(PRICES, (open, high, low, close), (new_open, new_high, new_low, new_close), strict=True)
    changed = {name: new for name, old, new in pairs if new != old}
    return tuple(changed), np.array(list(changed.values()))


def _others(subject: Subject, places: Int1D, least: float) -> Issue:
    return Issue(
        kind="outlier",
        severity="warning",
        certainty="suspected",
        score=0.5,
        evidence=f"{places.size:,} more bars with prices at least {number(least, 3)} usual moves away and back",
        proposal="by hand: so many may be the habit of the series",
        columns=PRICES,
        **subject.span(subject.rows[places]),
    )


TICKS = Check("outliers", {"outlier": "a price that jumps away and is back at once"}, find_outliers)
