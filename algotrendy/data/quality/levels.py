"""Prices on another level by a power of ten: cents for dollars, a quotation in thousands, a decimal point slipped.

The prices are read as one chain open, high, low, close, open, ... Between two neighbours of it no market moves by a
factor of a hundred, so each such step is a change of level, and the sum of the steps is the level that a price is on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from algotrendy.data.quality.issue import Issue, Remedy, listed, number, plural
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.scale import local_scale
from algotrendy.data.quality.stamps import runs
from algotrendy.data.quality.steps import HOLE, steps_of
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.bars import PRICES
from algotrendy.domain.types import Bool1D, Float1D, Float2D, Int1D

_LEAST = 2
"""The smallest power of ten that counts: a step of ten alone may be a split or a crash."""
_ROOM, _WIDE_ROOM = 0.13, 0.35
"""A step counts if its size is a power of ten to within this, in powers of ten: a third of the price; from a thousand
on, where no other explanation is near, more than half of it."""
_SPREADS = 6.0
"""... and to within so many of the usual moves there, where these are smaller."""
_LIVE_END = 5
"""A last stretch of fewer bars is taken for a fault at the live end, not for the level that holds from now on."""


class Levels(NamedTuple):
    """Log prices of the clean series without the levels, and the power of ten that each price is off by."""

    log_prices: Float2D
    """Shape (n, 4): open, high, low, close."""
    powers: Int1D
    """Shape (n, 4); 0 where the price is on the level that holds."""
    changes: int
    """How many changes of level there are."""


def levels_of(subject: Subject) -> Levels:
    """Return the levels of the clean series; worked out once."""
    if "levels" not in subject.memo:
        subject.memo["levels"] = _levels(subject)
    found: Levels = subject.memo["levels"]
    return found


def _levels(subject: Subject) -> Levels:
    logs = np.empty((subject.n, 4), order="F")  # each column contiguous: they are mostly read one by one
    for place, name in enumerate(PRICES):
        np.log(getattr(subject, name), out=logs[:, place])
    powers = np.zeros(logs.shape, dtype=np.int64)
    if subject.n < 2 or not _any_far(logs):
        return Levels(logs, powers, 0)
    chain = logs.ravel()
    steps = np.diff(chain) / np.log(10.0)
    places = np.flatnonzero(np.abs(steps) > _LEAST - _ROOM)
    if not places.size:
        return Levels(logs, powers, 0)
    whole = np.rint(steps[places])
    usual = _usual_moves(logs) / np.log(10.0)
    widest = np.where(np.abs(whole) > _LEAST, _WIDE_ROOM, _ROOM)
    room = np.clip(_SPREADS * usual[(places + 1) // 4], 0.05, widest)
    counts = (np.abs(whole) >= _LEAST) & (np.abs(steps[places] - whole) <= room)
    counts &= steps_of(subject)[(places + 1) // 4] < HOLE  # after so long a silence it may be another instrument
    places, whole = places[counts], whole[counts].astype(np.int64)
    if not places.size:
        return Levels(logs, powers, 0)
    level = np.zeros(chain.size, dtype=np.int64)
    level[places + 1] = whole
    level = np.cumsum(level)
    powers = (level - _level_that_holds(level, places)).reshape(logs.shape)
    return Levels(logs - powers * np.log(10.0), powers, places.size)


def _any_far(logs: Float2D) -> bool:
    """Whether any two neighbours of the chain are so far apart that a power of ten may lie between them."""
    open, high, low, close = logs.T
    far = (_LEAST - _ROOM) * np.log(10.0)
    inside = (high - open, low - high, close - low)
    return any(bool((np.abs(step) > far).any()) for step in (*inside, open[1:] - close[:-1]))


def _usual_moves(logs: Float2D) -> Float1D:
    """Return the scale of close-to-close moves, steps by powers of ten left out."""
    moves = np.diff(logs[:, 3], prepend=logs[0, 3])
    moves = moves - np.log(10.0) * np.where(np.abs(moves) > 3.0, np.rint(moves / np.log(10.0)), 0.0)
    return local_scale(moves)


def _level_that_holds(level: Int1D, places: Int1D) -> int:
    """Return the level to bring all prices to: after one change the newer, else the one that most prices are on."""
    if places.size == 1 and level.size - (places[0] + 1) >= 4 * _LIVE_END:
        return int(level[-1])
    values, counts = np.unique(level, return_counts=True)
    return int(values[counts.argmax()])


def levelled(subject: Subject, place: int) -> Float1D:
    """Return open, high, low and close of a bar of the clean series, on the level that holds."""
    powers = levels_of(subject).powers[place]
    prices = np.array([getattr(subject, name)[place] for name in PRICES])
    return prices * np.where(powers == 0, 1.0, 10.0 ** -powers.astype(float))


# --- issues ---


def find_units(subject: Subject) -> Iterator[Issue]:
    """Find prices that are off by a power of ten of a hundred or more."""
    levels = levels_of(subject)
    if not levels.changes:
        return
    off = levels.powers != 0
    whole = off.all(axis=1) & (levels.powers == levels.powers[:, :1]).all(axis=1)
    for power in np.unique(levels.powers[whole, 0]):
        starts, lengths = runs(whole & (levels.powers[:, 0] == power))
        for start, length in zip(starts, lengths, strict=True):
            yield _whole_bars(subject, levels, int(start), int(length))
    for row in np.flatnonzero(off.any(axis=1) & ~whole):
        yield _single_prices(subject, levels, int(row))


def _whole_bars(subject: Subject, levels: Levels, start: int, length: int) -> Issue:
    end = start + length
    power = int(levels.powers[start, 0])
    rows = subject.rows[start:end]
    enclosed = start > 0 and end < subject.n
    traded, as_split = _volume_says(subject, start, end, power)
    known = split_of(subject, -power * np.log(10.0), 0.02)
    kind = "split" if as_split or known else "unit"
    sure = known is not None or (enclosed and not as_split)
    edge = start if start > 0 else end
    inside, outside = (edge, edge - 1) if start > 0 else (end - 1, end)
    evidence = (
        f"{plural(length, 'bar')} at {10.0**power:g} times the level of the rest"
        f" (close {number(subject.close[inside])} against {number(subject.close[outside])})"
        + ("; the price comes back by the same factor" if enclosed else "")
        + traded
        + (f"; the corporate actions list a split of {number(known)}" if known else "")
    )
    columns = scaled_columns(subject, rows, power)
    if "dividends" in subject.columns and (subject.columns["dividends"][rows] > 0.0).any():
        columns = (*columns, "dividends")  # they are in the unit of the prices of their row
    factors = [
        10.0 ** (power if name == "volume" else -power) for name in (*columns, *(["volume"] * (kind == "split")))
    ]
    names = (*columns, *(["volume"] * (kind == "split")))
    return Issue(
        kind=kind,
        severity="error",
        certainty="definite" if sure else "suspected",
        score=1.0 if sure else 0.9,
        evidence=evidence,
        proposal=f"multiply {listed(columns)} by {10.0**-power:g}"
        + (f" and volume by {10.0**power:g}" if kind == "split" else ""),
        columns=names,
        measures={"factor": 10.0**power, "bars": float(length)},
        remedy=Remedy(action="scale", rows=rows, seen=subject.seen, columns=names, values=np.array([factors])),
        **subject.span(rows),
    )


def split_of(subject: Subject, move: float, room: float) -> float | None:
    """Return the ratio of a split in the actions by which prices would move so, or back; None if there is none.

    `move` is a log; the move of prices at a split of 4 for 1 is -log 4.
    """
    ratios = subject.splits.values
    if not ratios.size:
        return None
    away = np.minimum(np.abs(move + np.log(ratios)), np.abs(move - np.log(ratios)))
    nearest = int(away.argmin())
    return float(ratios[nearest]) if away[nearest] <= room else None


def _volume_says(subject: Subject, start: int, end: int, power: int) -> tuple[str, bool]:
    """Return what the volume tells, and whether it moved by the inverse, as it does where shares were split."""
    volume = subject.volume
    inside = volume[start:end][:20]
    outside = np.concatenate((volume[max(start - 10, 0) : start], volume[end : end + 10]))
    if not (inside > 0).any() or not (outside > 0).any():
        return "", False
    ratio = float(np.median(inside[inside > 0]) / np.median(outside[outside > 0]))
    as_split = abs(np.log10(ratio) + power) < 0.3 * abs(power)
    return f"; volume is {number(ratio, 3)} times that around it", as_split


def scaled_columns(subject: Subject, rows: Int1D, power: int) -> tuple[str, ...]:
    """Return the price columns to scale: the adjusted close too where it is on the level of the close."""
    if "adj_close" not in subject.columns:
        return PRICES
    adjusted, close = subject.columns["adj_close"], subject.columns["close"]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log10(np.abs(adjusted) / close)
    here, usual = float(np.nanmedian(ratio[rows])), float(np.nanmedian(ratio))
    return (*PRICES, "adj_close") if abs(here - usual) < 0.5 * abs(power) else PRICES


def _single_prices(subject: Subject, levels: Levels, row: int) -> Issue:
    powers = levels.powers[row]
    bad: Bool1D = powers != 0
    names = tuple(name for name, is_bad in zip(PRICES, bad, strict=True) if is_bad)
    open, high, low, close = np.array([getattr(subject, name)[row] for name in PRICES]) * 10.0 ** -powers.astype(float)
    values = np.array([open, max(open, high, low, close), min(open, high, low, close), close])
    rows = subject.rows[[row]]
    columns: tuple[str, ...] = PRICES
    if bad[3] and "adj_close" in subject.columns and len(scaled_columns(subject, rows, int(powers[3]))) > 4:
        columns = (*PRICES, "adj_close")
        values = np.append(values, subject.columns["adj_close"][rows[0]] * 10.0 ** -float(powers[3]))
    shown = ", ".join(f"{name} {number(getattr(subject, name)[row])}" for name in PRICES)
    power = int(powers[bad][0])
    return Issue(
        kind="unit",
        severity="error",
        certainty="definite",
        score=1.0,
        evidence=f"{listed(names)} at {10.0**power:g} times the level of the other prices of the bar ({shown})",
        proposal=f"multiply {listed(names)} by {10.0**-power:g} and let [low, high] hold the bar",
        columns=names,
        measures={"factor": 10.0**power},
        remedy=Remedy(action="set", rows=rows, seen=subject.seen, columns=columns, values=values[None, :]),
        **subject.span(rows),
    )


UNITS = Check("units", {"unit": "prices off by a hundred, a thousand or more: another unit of currency"}, find_units)
