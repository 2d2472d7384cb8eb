"""Jumps that stay: splits told from crashes, and tickers that were given to something else.

Each large gap between two bars is asked which of three explains it best: a split that was not adjusted for, the
market, or another instrument under the same name. The evidence is weighed by Bayes' rule, each piece with a law that
is broad enough not to decide alone:

- how near the gap is to a simple ratio, in usual moves (Student's t, so that a miss of a few is not impossible);
- turnover in money: a split leaves it as it was, news multiplies it, another instrument has another altogether;
- the range of the bar: a split leaves it as it was, news widens it.

A gap that comes back within three bars is none of this. Corporate actions decide where there are any: a split that is
listed near by with that ratio makes it definite.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from algotrendy.data.quality.blocks import LEAST_JUMP, Gaps, blocks_of, gaps_of
from algotrendy.data.quality.issue import Issue, Remedy, listed, number, plural
from algotrendy.data.quality.levels import levels_of
from algotrendy.data.quality.ratios import nearest_ratio, ratio_text, ratios
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.scale import student, usual_before
from algotrendy.data.quality.stamps import distinct, firsts_of
from algotrendy.data.quality.steps import HOLE, steps_of
from algotrendy.data.quality.subject import Subject
from algotrendy.data.quality.ticks import ticks_of
from algotrendy.domain.bars import PRICES
from algotrendy.domain.faults import stamp_text
from algotrendy.domain.types import Bool1D, Float1D, Float2D, Int1D

CLASSES = ("split", "market", "other")
_PRIOR = np.array([0.29, 0.70, 0.01])
"""Before any evidence: where prices are raw a third of the gaps of 15 % are splits; another instrument is rare."""
_TAIL = 3.0
"""Gaps of the market beyond the least that counts: a density that falls with the fourth power, as returns do."""
_TURNOVER = {"split": (0.2, 0.6), "market": (1.6, 0.9), "other": (0.0, 3.0)}
"""Log of turnover over the usual: centre and spread. Factors of 1.2, 5 and anything."""
_RANGE = {"split": (0.1, 0.4), "market": (1.1, 0.7), "other": (0.0, 1.2)}
"""Log of the bar's range over the usual: factors of 1.1, 3 and anything."""
_SILENT = 0.3
"""The share of splits at which the volume is adjusted already although the price is not."""
_NEAR_EX_DATE = 5
_DOUBT_WITHOUT_LISTING = 0.1
"""Odds of a split that the corporate actions of that time do not list."""
_SETTLED = 0.5
_FAR, _OTHER_PRICE, _OTHER_VOLUME = 4.0, 4.0, 20.0
"""After a long silence: a move of so many usual ones for that time, a price four times another, or twenty times the
volume tell of another instrument; a silence alone may be a halt, or a part of the file that is missing."""


class Jump(NamedTuple):
    """One large gap that stays, and what it is taken for."""

    place: int
    move: float
    ratio: float
    chances: tuple[float, float, float]
    turnover: float
    width: float
    listed: float | None
    verdict: str


def jumps_of(subject: Subject) -> list[Jump]:
    """Return the jumps that were examined, oldest first; worked out once."""
    if "jumps" not in subject.memo:
        subject.memo["jumps"] = list(_jumps(subject, gaps_of(subject)))
    found: list[Jump] = subject.memo["jumps"]
    return found


def _jumps(subject: Subject, gaps: Gaps) -> Iterator[Jump]:
    places = gaps.places[~_comes_back(subject, gaps)]
    inside = np.zeros(subject.n + 1, dtype=bool)
    for block in blocks_of(subject):
        inside[block.start : block.end + 1] = True
    places = places[~inside[places] & (steps_of(subject)[places] < HOLE) & ~_bad_tick(subject, places)]
    if not places.size:
        return
    turnover, width = _turnover(subject, places), _width(subject, places)
    if not subject.is_daily:  # the first bar of a day is wider and trades more than the last ones of the day before
        opening = subject.dates[places] != subject.dates[places - 1]
        turnover[opening], width[opening] = _of_whole_days(subject, places[opening])
    width[gaps.inside[places]] = np.nan  # the range holds the jump itself
    likelihoods = _likelihoods(gaps.moves[places], gaps.scale[places], turnover, width)
    for row, place in enumerate(places):
        move = float(gaps.moves[place])
        ratio, _ = nearest_ratio(move)
        known = _listed_near(subject, int(place), move, float(gaps.scale[place]))
        odds = _PRIOR * likelihoods[row]
        if subject.has_actions and known is None:
            odds = odds * np.array([_DOUBT_WITHOUT_LISTING, 1.0, 1.0])
        chances = np.array([1.0, 0.0, 0.0]) if known else odds / odds.sum()
        verdict = CLASSES[int(chances.argmax())] if chances.max() >= _SETTLED else "market"
        yield Jump(
            int(place), move, known or ratio, tuple(chances.tolist()), float(turnover[row]), float(width[row]), known,
            verdict,
        )  # fmt: skip


def _bad_tick(subject: Subject, places: Int1D) -> Bool1D:
    """Return which gaps are the way into a bad open or bar, or the way out of a bad close or bar."""
    ticks = ticks_of(subject)
    before = np.maximum(places - 1, 0)
    found: Bool1D = (
        (ticks.open[places] > 0) | (ticks.bar[places] > 0) | (ticks.bar[before] > 0) | (ticks.close[before] > 0)
    )
    return found


def _comes_back(subject: Subject, gaps: Gaps) -> Bool1D:
    """Return which gaps are made good by two thirds within the bar itself or the three after it, or undo such a one."""
    close = levels_of(subject).log_prices[:, 3]
    places = gaps.places
    before = close[np.maximum(places - 1, 0)]
    back = np.zeros(places.size, dtype=bool)
    for later in range(4):
        after = close[np.minimum(places + later, close.size - 1)]
        back |= np.abs(after - before) < np.abs(gaps.moves[places]) / 3.0
        earlier = close[np.maximum(places - 2 - later, 0)]
        now = close[places]
        back |= (places - 2 - later >= 0) & (np.abs(now - earlier) < np.abs(gaps.moves[places]) / 3.0)
    return back


def _of_whole_days(subject: Subject, places: Int1D) -> tuple[Float1D, Float1D]:
    """Return what `_turnover` and `_width` do, for the days that begin at these places and those before them."""
    logs = levels_of(subject).log_prices
    firsts = firsts_of(subject.dates)
    money = np.add.reduceat(subject.volume * np.exp(logs[:, 3]), firsts)
    range_ = np.maximum.reduceat(logs[:, 1], firsts) - np.minimum.reduceat(logs[:, 2], firsts)
    days = np.searchsorted(firsts, places)
    found = []
    for whole in (money, range_):
        values = np.where(whole > 0.0, whole, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(np.log(values[days] / usual_before(values, days, 20)))
    return found[0], found[1]


def _turnover(subject: Subject, places: Int1D) -> Float1D:
    """Return the log of turnover in money over the median of the 20 bars before; NaN without volume."""
    money = np.where(subject.volume > 0.0, subject.volume, np.nan) * np.exp(levels_of(subject).log_prices[:, 3])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(money[places] / usual_before(money, places, 20))


def _width(subject: Subject, places: Int1D) -> Float1D:
    """Return the log of high over low, in that of the usual bar before; NaN where bars have no range."""
    logs = levels_of(subject).log_prices
    range_ = np.where(logs[:, 1] > logs[:, 2], logs[:, 1] - logs[:, 2], np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(range_[places] / usual_before(range_, places, 20))


def _likelihoods(moves: Float1D, scale: Float1D, turnover: Float1D, width: Float1D) -> Float2D:
    """Return the likelihood of each gap under each of the three explanations, shape (n, 3)."""
    table = ratios()
    spread = np.hypot(scale, 0.004)[:, None]
    split = (table.weight * student((moves[:, None] + table.log) / spread) / spread).sum(axis=1)
    market = 0.5 * _TAIL * LEAST_JUMP**_TAIL / np.abs(moves) ** (_TAIL + 1.0)
    other = np.full(moves.size, 1.0 / (2.0 * np.log(1_000.0)))
    found = np.column_stack((split, market, other))
    for column, name in enumerate(CLASSES):
        centre, breadth = _RANGE[name]
        found[:, column] *= np.where(np.isnan(width), 1.0, student((width - centre) / breadth) / breadth)
        centre, breadth = _TURNOVER[name]
        law = student((turnover - centre) / breadth) / breadth
        if name == "split":
            law = (1.0 - _SILENT) * law + _SILENT * student((turnover - moves - centre) / breadth) / breadth
        found[:, column] *= np.where(np.isnan(turnover), 1.0, law)
    return found


def _listed_near(subject: Subject, place: int, move: float, scale: float) -> float | None:
    """Return the ratio of a split that the actions list within a few bars, if prices moved by it."""
    dates, values = subject.splits
    if not dates.size:
        return None
    first = subject.dates[max(place - _NEAR_EX_DATE, 0)]
    last = subject.dates[min(place + _NEAR_EX_DATE, subject.n - 1)]
    room = max(0.03, 4.0 * scale)
    for date, ratio in zip(dates, values, strict=True):
        if first <= date <= last and abs(move + np.log(ratio)) <= min(room, 0.5 * abs(np.log(ratio))):
            return float(ratio)
    return None


# --- issues ---


def find_splits(subject: Subject) -> Iterator[Issue]:
    """Find splits that prices were not adjusted for, and said ones that raw prices do not show."""
    from algotrendy.data.quality.blocks import find_blocks

    yield from find_blocks(subject)
    for jump in jumps_of(subject):
        if jump.verdict == "split" and not (subject.adjusted == "raw" and jump.listed):
            yield _split(subject, jump)
    if subject.adjusted == "raw":
        yield from _not_in_raw(subject)


def _split(subject: Subject, jump: Jump) -> Issue:
    place, ratio = jump.place, jump.ratio
    rows = subject.rows[[place]]
    columns = _columns_on_that_level(subject, place, jump.move)
    names, factors = [*columns], [1.0 / ratio] * len(columns)
    if subject.has_volume and not _volume_is_adjusted(subject, jump):
        names, factors = [*names, "volume"], [*factors, ratio]
    sure, inside = jump.listed is not None, bool(gaps_of(subject).inside[place])
    first = f"close {number(subject.close[place])}" if inside else f"open {number(subject.open[place])}"
    said = [
        f"{first} after close {number(subject.close[place - 1])}:"
        f" {number(np.exp(-jump.move), 4)} to 1, {'listed as' if sure else 'near'} {ratio_text(ratio)}",
        _said_of(jump),
        "and it does not come back",
    ]
    return Issue(
        kind="split",
        severity="error",
        certainty="definite" if sure else "suspected",
        score=1.0 if sure else jump.chances[0],
        evidence="; ".join(part for part in said if part),
        proposal=f"multiply {listed(columns)} of the {plural(place, 'bar')} before by {number(1.0 / ratio)}"
        + (f" and their volume by {number(ratio)}" if "volume" in names else ""),
        columns=tuple(names),
        measures={
            "ratio": ratio, "move": jump.move, "turnover": float(np.exp(jump.turnover)),
            "range": float(np.exp(jump.width)), "chance_of_market": jump.chances[1],
        },
        remedy=_scaled_before(subject, jump, tuple(names), factors),
        **subject.span(rows),
    )  # fmt: skip


def _scaled_before(subject: Subject, jump: Jump, names: tuple[str, ...], factors: list[float]) -> Remedy:
    """Return the remedy for all bars before a jump, and for prices of its own bar that are on the old level."""
    place = jump.place
    values = np.tile(factors, (place + 1, 1))
    old, new = np.log(subject.close[place - 1]), np.log(subject.close[place])
    for column, name in enumerate(names):
        price = np.log(getattr(subject, name)[place]) if name in PRICES else new
        if abs(price - new) <= abs(price - old):
            values[place, column] = 1.0
    rows = subject.rows[: place + 1] if (values[place] != 1.0).any() else subject.rows[:place]
    order = np.argsort(rows)
    return Remedy(action="scale", rows=rows[order], seen=subject.seen, columns=names, values=values[order])


def _said_of(jump: Jump) -> str:
    parts = []
    if np.isfinite(jump.turnover):
        parts.append(f"turnover {number(np.exp(jump.turnover), 3)} times the usual")
    if np.isfinite(jump.width):
        parts.append(f"range {number(np.exp(jump.width), 3)} times the usual")
    return ", ".join(parts)


def _volume_is_adjusted(subject: Subject, jump: Jump) -> bool:
    """Whether the shares traded do not change with the ratio: medians of some weeks before and after are compared."""
    bars_a_day = max(subject.n // max(distinct(subject.dates).size, 1), 1)
    reach = 20 if bars_a_day == 1 else 5 * bars_a_day
    before = subject.volume[max(jump.place - reach, 0) : jump.place]
    after = subject.volume[jump.place : jump.place + reach]
    before, after = before[before > 0.0], after[after > 0.0]
    if not before.size or not after.size:
        return False
    change = float(np.log(np.median(after) / np.median(before)))
    return abs(change) < abs(change - float(np.log(jump.ratio)))


def _columns_on_that_level(subject: Subject, place: int, move: float) -> tuple[str, ...]:
    """Return the prices, and the adjusted close if it jumps there too."""
    if "adj_close" not in subject.columns:
        return PRICES
    adjusted = subject.clean("adj_close")
    with np.errstate(divide="ignore", invalid="ignore"):
        own = float(np.log(adjusted[place] / adjusted[place - 1]))
    return (*PRICES, "adj_close") if abs(own - move) < abs(own) else PRICES


def _not_in_raw(subject: Subject) -> Iterator[Issue]:
    jumped = {jump.listed for jump in jumps_of(subject) if jump.listed}
    for date, ratio in zip(*subject.splits, strict=True):
        if not subject.n or not subject.dates[0] < date <= subject.dates[-1] or ratio in jumped:
            continue
        place = int(np.searchsorted(subject.dates, date))
        move = float(gaps_of(subject).moves[place])
        if abs(np.log(ratio)) < 6.0 * gaps_of(subject).scale[place] or abs(move) > 0.5 * abs(np.log(ratio)):
            continue
        yield Issue(
            kind="split",
            severity="error",
            certainty="definite",
            score=1.0,
            evidence=f"the actions list a split of {ratio_text(float(ratio))} on {date}, but the open is"
            f" {number(np.exp(move), 4)} times the close before: these prices are not raw there",
            proposal="by hand: they are adjusted already; say adjusted='splits'",
            measures={"ratio": float(ratio), "move": move},
            **subject.span(subject.rows[[place]]),
        )


def find_restarts(subject: Subject) -> Iterator[Issue]:
    """Find places where the series may go on as another instrument."""
    steps, gaps = steps_of(subject), gaps_of(subject)
    silent = set(np.flatnonzero(steps >= HOLE).tolist())
    others = {jump.place: jump for jump in jumps_of(subject) if jump.verdict == "other"}
    bars_a_session = max(subject.n / max(distinct(subject.dates).size, 1), 1.0)
    for place in sorted(silent | set(others)):
        move = float(gaps.moves[place])
        far = abs(move) / max(float(gaps.scale[place]) * np.sqrt(bars_a_session), 1e-12)
        volume, said_of_volume = _volume_before_and_after(subject, place)
        strange = far > _FAR or abs(move) > np.log(_OTHER_PRICE) or abs(np.log(volume)) > np.log(_OTHER_VOLUME)
        by_silence = 0.0 if place not in silent else 0.95 if strange else 0.6
        score = max(by_silence, others[place].chances[2] if place in others else 0.0)
        rows = subject.rows[[place]]
        before = subject.at(subject.times[place - 1])
        said = [f"no bar for {plural(int(steps[place]) - 1, 'session')} since {stamp_text(before)}"] * (place in silent)
        said.append(
            f"close {number(subject.close[place - 1])} before, open {number(subject.open[place])} after"
            f" ({number(np.exp(move), 4)} times, {number(far, 3)} usual moves for that time)"
        )
        said.append(said_of_volume)
        yield Issue(
            kind="restart",
            severity="error" if score > 0.6 else "warning",
            certainty="suspected",
            score=float(score),
            evidence="; ".join(part for part in said if part),
            proposal="by hand: find out what carried the name at each time; keep one part,"
            f' such as bars.loc["{stamp_text(subject.stamp(int(rows[0])))}":]',
            measures={"ratio": float(np.exp(move)), "silent_sessions": float(steps[place] - 1), "volume_ratio": volume},
            **subject.span(rows),
        )


def _volume_before_and_after(subject: Subject, place: int) -> tuple[float, str]:
    before, after = subject.volume[max(place - 20, 0) : place], subject.volume[place : place + 20]
    before, after = before[before > 0.0], after[after > 0.0]
    if not before.size or not after.size:
        return 1.0, ""
    ratio = float(np.median(after) / np.median(before))
    return ratio, f"median volume {number(np.median(before))} before, {number(np.median(after))} after"


def jump_table(subject: Subject) -> pd.DataFrame:
    """Return what was examined as a table: one row a jump, with the chances of each explanation."""
    found = jumps_of(subject)
    columns = {
        "ratio": [float(np.exp(-jump.move)) for jump in found],
        "nearest": [ratio_text(jump.ratio) for jump in found],
        "turnover": [float(np.exp(jump.turnover)) for jump in found],
        "range": [float(np.exp(jump.width)) for jump in found],
        "listed": [jump.listed is not None for jump in found],
        **{f"chance_{name}": [jump.chances[place] for jump in found] for place, name in enumerate(CLASSES)},
        "verdict": [jump.verdict for jump in found],
    }
    stamps = [subject.at(subject.times[jump.place]) for jump in found]
    return pd.DataFrame(columns, index=pd.DatetimeIndex(stamps, name="time"))


SPLITS = Check("splits", {"split": "prices that were not adjusted for a split"}, find_splits)
RESTARTS = Check("restarts", {"restart": "the series may go on as another instrument"}, find_restarts)
