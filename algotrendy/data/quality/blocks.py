"""Stretches of bars that lie off by the ratio of a split: rows that an adjustment missed, or met twice.

Such a stretch is entered by a gap and left by the opposite one. If the ratio is that of a split in the corporate
actions, it is definite; else the ratio must be a simple one and the volume must have moved by its inverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from algotrendy.data.quality.issue import Issue, Remedy, listed, number, plural
from algotrendy.data.quality.levels import levels_of, scaled_columns, split_of
from algotrendy.data.quality.ratios import nearest_ratio, ratio_text
from algotrendy.data.quality.scale import local_scale
from algotrendy.data.quality.steps import HOLE, steps_of
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.types import Bool1D, Float1D, Int1D

LEAST_JUMP = float(np.log(1.15))
"""Smaller gaps are news: splits of less than 6 for 5 are told from them by corporate actions alone."""
GAP_FAR = 6.0
"""A gap counts from so many usual moves on."""
_LISTED_FAR = 3.0
"""... where the ratio must be a listed one as well."""
_LARGE_DIVIDEND = 0.05
_LONGEST = 260
_PAIRED = 400


class Block(NamedTuple):
    """Bars [start, end) of the clean series whose prices are `factor` times what they should be."""

    start: int
    end: int
    factor: float
    """New shares per old one of the split that explains it, or its inverse."""
    listed: float | None
    """The ratio in the corporate actions."""
    volume: float
    """Volume inside over that outside; NaN if there is none."""


class Gaps(NamedTuple):
    """The large gaps between bars."""

    places: Int1D
    moves: Float1D
    """Log of open over previous close, one for each bar; what a large dividend explains is taken off."""
    scale: Float1D
    """The usual size of close-to-close moves at each bar, longer waits counted."""
    inside: Bool1D
    """Where the move is that from close to close, because the bar opens at the close before."""


def gaps_of(subject: Subject) -> Gaps:
    """Return the gaps that are large enough to ask what they are; worked out once."""
    if "gaps" not in subject.memo:
        logs = levels_of(subject).log_prices
        subject.memo["gaps"] = _gaps(subject, logs[:, 0], logs[:, 3] + _dividend_moves(subject), logs[:, 3])
    found: Gaps = subject.memo["gaps"]
    return found


def _dividend_moves(subject: Subject) -> Float1D:
    """Return for each close what the dividend of the next bar takes from it, as a log; only large dividends count."""
    taken = np.zeros(subject.n)
    for date, dividend in zip(*subject.dividends, strict=True):
        place = int(np.searchsorted(subject.dates, date, side="right" if _is_long(subject) else "left"))
        place -= int(_is_long(subject))
        if 0 < place < subject.n:
            share = dividend / subject.close[place - 1]
            if _LARGE_DIVIDEND < share < 0.9 and subject.open[place] < subject.close[place - 1] * (1.0 - share / 2.0):
                taken[place - 1] = np.log1p(-share)
    return taken


def _is_long(subject: Subject) -> bool:
    return subject.interval is not None and subject.interval.unit in ("wk", "mo")


def _gaps(subject: Subject, open: Float1D, left: Float1D, close: Float1D, far: float = GAP_FAR) -> Gaps:
    """Return the gaps from what is left of each close to the next open."""
    gap = np.append(0.0, open[1:] - left[:-1])
    move = np.append(0.0, np.diff(close))
    inside = _opens_at_the_close(subject, gap, move)
    gap = np.where(inside, move, gap)
    scale = local_scale(move) * np.sqrt(steps_of(subject))
    places = np.flatnonzero(np.abs(gap) > np.maximum(LEAST_JUMP, far * scale))
    return Gaps(places, gap, scale, inside)


def _opens_at_the_close(subject: Subject, gap: Float1D, move: Float1D) -> Bool1D:
    """Return which bars open at the close before, so that a jump between two sessions lies inside the bar.

    In some histories all opens are copies; and the first print of a day may be the official close of the day before.
    """
    inside: Bool1D = np.abs(gap) < 1e-9
    if not subject.is_daily and subject.n > 1:
        first = np.append(False, subject.dates[1:] != subject.dates[:-1])
        inside |= first & (np.abs(gap) < 0.2 * np.abs(move))
    return inside


def blocks_of(subject: Subject) -> list[Block]:
    """Return the stretches that are off by a ratio; worked out once."""
    if "blocks" not in subject.memo:
        found = list(_blocks(subject, gaps_of(subject), listed_only=False))
        found += [block for block in _adjusted_blocks(subject) if not any(_overlap(block, other) for other in found)]
        subject.memo["blocks"] = found
    blocks: list[Block] = subject.memo["blocks"]
    return blocks


def _overlap(one: Block, other: Block) -> bool:
    return one.start < other.end and other.start < one.end


def _adjusted_blocks(subject: Subject) -> Iterator[Block]:
    """Look at the adjusted close too: a large dividend on the day of a split hides the jump from the close."""
    if "adj_close" not in subject.columns or not subject.splits.values.size:
        return
    adjusted = subject.clean("adj_close")
    if not (adjusted > 0.0).all():
        return
    levels = levels_of(subject)
    if levels.changes:
        return
    close = np.log(adjusted)
    open = levels.log_prices[:, 0] - levels.log_prices[:, 3] + close
    yield from _blocks(subject, _gaps(subject, open, close, close, _LISTED_FAR), listed_only=True)


def _blocks(subject: Subject, gaps: Gaps, *, listed_only: bool) -> Iterator[Block]:
    places = gaps.places[:_PAIRED]
    steps = steps_of(subject)
    until = 0
    for one, start in enumerate(places):
        if start < until or steps[start] >= HOLE:
            continue
        for end in places[one + 1 :]:
            if end - start > _LONGEST or steps[end] >= HOLE:
                break
            block = _block(subject, gaps, int(start), int(end), listed_only=listed_only)
            if block is not None:
                until = block.end
                yield block
                break


def _block(subject: Subject, gaps: Gaps, start: int, end: int, *, listed_only: bool) -> Block | None:
    into, out = float(gaps.moves[start]), float(gaps.moves[end])
    size = (abs(into) + abs(out)) / 2.0
    scale = float(max(gaps.scale[start], gaps.scale[end]))
    if into * out > 0.0 or abs(into + out) > min(0.5 * size, max(0.1, 4.0 * scale * np.sqrt(end - start + 1.0))):
        return None
    move = (into - out) / 2.0
    room = min(max(0.02, 3.0 * scale), 0.4 * size)
    volume = _volume_ratio(subject, start, end)
    ratio = split_of(subject, move, room)
    if ratio is not None:
        return Block(start, end, _towards(move, ratio), ratio, volume)
    if listed_only or np.isnan(volume):
        return None
    simple, away = nearest_ratio(move)
    # Halfway between no change and the inverse of the ratio: nearer to the inverse than to none.
    inverse = abs(np.log(volume) + move) < 0.5 * size
    if away > min(room, 0.1 * size) or not inverse:
        return None
    return Block(start, end, 1.0 / simple, None, volume)


def _towards(move: float, ratio: float) -> float:
    """Return the factor that prices are off by: the ratio or its inverse, whichever way they moved."""
    return ratio if (ratio > 1.0) == (move > 0.0) else 1.0 / ratio


def _volume_ratio(subject: Subject, start: int, end: int) -> float:
    volume = subject.volume
    inside = volume[start:end]
    outside = np.concatenate((volume[max(start - 10, 0) : start], volume[end : end + 10]))
    inside, outside = inside[inside > 0.0], outside[outside > 0.0]
    if not inside.size or not outside.size:
        return float("nan")
    return float(np.median(inside) / np.median(outside))


# --- issues ---


def find_blocks(subject: Subject) -> Iterator[Issue]:
    """Find stretches of bars that are off by the ratio of a split."""
    for block in blocks_of(subject):
        yield _issue(subject, block)


def _issue(subject: Subject, block: Block) -> Issue:
    rows = subject.rows[block.start : block.end]
    columns = scaled_columns(subject, rows, 1)
    traded = subject.has_volume
    names = (*columns, "volume") if traded else columns
    factors = [block.factor if name == "volume" else 1.0 / block.factor for name in names]
    known = f"the corporate actions list a split of {number(block.listed)}" if block.listed else ""
    simple = "" if block.listed else f"{ratio_text(1.0 / block.factor)} is a simple ratio"
    volume = "" if np.isnan(block.volume) else f"; volume is {number(block.volume, 3)} times that around it"
    return Issue(
        kind="split",
        severity="error",
        certainty="definite" if block.listed else "suspected",
        score=1.0 if block.listed else 0.85,
        evidence=f"{plural(rows.size, 'bar')} at {number(block.factor)} times the level before and after;"
        f" {known or simple}{volume}",
        proposal=f"multiply {listed(columns)} by {number(1.0 / block.factor)}"
        + (f" and volume by {number(block.factor)}" if traded else ""),
        columns=names,
        measures={"factor": block.factor, "volume_ratio": block.volume, "bars": float(rows.size)},
        remedy=Remedy(action="scale", rows=rows, seen=subject.seen, columns=names, values=np.array([factors])),
        **subject.span(rows),
    )
