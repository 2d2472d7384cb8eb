"""Faults put into clean bars at random: what was done, where, and by which kinds of issue it counts as found.

The table of `quality_table.py` and a bounded test draw from here. A fault is a function of bars and a random generator;
it returns new bars and a `Fault`, or None where these bars cannot carry it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

PRICES = ["open", "high", "low", "close"]


@dataclass(frozen=True)
class Fault:
    """The kinds that count as finding it, and the stretch in which one of them must lie."""

    kinds: frozenset[str]
    first: pd.Timestamp
    last: pd.Timestamp


Injected = tuple[pd.DataFrame, Fault] | None
Injector = Callable[[pd.DataFrame, np.random.Generator], Injected]
FAULTS: dict[str, Injector] = {}


def fault(name: str) -> Callable[[Injector], Injector]:
    """Register an injector under the name that the table shows."""

    def register(function: Injector) -> Injector:
        FAULTS[name] = function
        return function

    return register


def found(report: object, fault: Fault) -> bool:
    """Whether an issue of one of the kinds touches the stretch."""
    issues = [issue for issue in report.issues if issue.kind in fault.kinds]  # type: ignore[attr-defined]
    return any(pd.isna(i.first) or (i.first <= fault.last and i.last >= fault.first) for i in issues)


def _place(bars: pd.DataFrame, rng: np.random.Generator, edge: int = 30) -> int:
    return int(rng.integers(edge, len(bars) - edge))


def _fault(kinds: str, bars: pd.DataFrame, first: int, last: int | None = None) -> Fault:
    last = first if last is None else last
    return Fault(frozenset(kinds.split()), bars.index[first], bars.index[min(last, len(bars) - 1)])


def _scale(bars: pd.DataFrame, place: int) -> float:
    """Return the usual size of a move around a bar: what the sizes of bad ticks are counted in."""
    moves = np.diff(np.log(bars["close"].to_numpy()[max(place - 60, 0) : place + 60]))
    return float(max(np.quantile(np.abs(moves), 0.75) / 1.15, 1e-5))


def _traded(bars: pd.DataFrame) -> bool:
    return bool((bars["volume"] > 0).mean() > 0.9)


def _daily(bars: pd.DataFrame) -> bool:
    return bool(pd.DatetimeIndex(bars.index).is_normalized)


# --- rows ---


@fault("row twice, word for word")
def same_row(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    place = _place(bars, rng)
    order = np.sort(np.append(np.arange(len(bars)), place))
    return bars.iloc[order], _fault("duplicate", bars, place)


@fault("row twice, other prices")
def other_row(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    place = _place(bars, rng)
    broken = bars.iloc[np.sort(np.append(np.arange(len(bars)), place))].copy()
    broken.iloc[place + 1, :4] *= 1.0 + 0.001 * rng.standard_normal()
    return broken, _fault("duplicate", bars, place)


@fault("rows out of order")
def swapped_rows(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    place = _place(bars, rng)
    order = np.arange(len(bars))
    other = place + int(rng.integers(1, 10))
    order[[place, other]] = order[[other, place]]
    return bars.iloc[order], _fault("unsorted", bars, place, other)


@fault("price missing (NaN)")
def no_price(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    broken, place = bars.copy(), _place(bars, rng)
    broken.iloc[place, int(rng.integers(4))] = np.nan
    return broken, _fault("missing_price", bars, place)


@fault("price zero or negative")
def zero_price(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    broken, place = bars.copy(), _place(bars, rng)
    broken.iloc[place, int(rng.integers(4))] = float(rng.choice([0.0, -1.0]))
    return broken, _fault("not_positive", bars, place)


@fault("close outside [low, high]")
def contradiction(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    broken, place = bars.copy(), _place(bars, rng)
    broken.iloc[place, 3] = broken.iloc[place, 1] * (1.0 + rng.uniform(0.1, 3.0) * _scale(bars, place))
    return broken, _fault("contradiction", bars, place)


@fault("high and low swapped")
def swapped_high_low(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    broken, place = bars.copy(), _place(bars, rng)
    if broken["high"].iloc[place] == broken["low"].iloc[place]:
        return None
    broken.iloc[place, [1, 2]] = broken.iloc[place, [2, 1]].to_numpy()
    return broken, _fault("contradiction", bars, place)


# --- volume ---


@fault("volume negative or NaN")
def bad_volume(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    broken, place = bars.copy(), _place(bars, rng)
    if not _traded(bars):
        return None
    broken.iloc[place, 4] = float(rng.choice([np.nan, -100.0]))
    return broken, _fault("bad_volume", bars, place)


@fault("volume zero, 1 to 5 bars")
def zero_volume(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    broken, place = bars.copy(), _place(bars, rng)
    if not _traded(bars):
        return None
    end = place + int(rng.integers(1, 6))
    broken.iloc[place:end, 4] = 0.0
    return broken, _fault("zero_volume", bars, place, end - 1)


@fault("volume x1000, daily")
def volume_unit(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    broken, place = bars.copy(), _place(bars, rng)
    if not _traded(bars) or not _daily(bars):
        return None
    broken.iloc[place, 4] *= 1000.0
    return broken, _fault("volume_unit", bars, place)


# --- gaps ---


def _without(length_of: Callable[[np.random.Generator], int]) -> Injector:
    def injector(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
        place, length = _place(bars, rng, 60), length_of(rng)
        kept = np.ones(len(bars), dtype=bool)
        kept[place : place + length] = False
        return bars[kept], _fault("gap", bars, place, place + length - 1)

    return injector


fault("1 bar missing")(_without(lambda rng: 1))
fault("3 to 30 bars missing")(_without(lambda rng: int(rng.integers(3, 31))))


@fault("hole of half a year, then another instrument")
def restart(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    if not _daily(bars) or len(bars) < 500:
        return None
    place = _place(bars, rng, 150)
    broken = bars.copy()
    broken.iloc[place + 120 :, :4] *= float(np.exp(rng.choice([-1, 1]) * rng.uniform(0.7, 4.0)))
    broken.iloc[place + 120 :, 4] *= float(np.exp(rng.normal(0.0, 2.0)))
    kept = np.ones(len(bars), dtype=bool)
    kept[place : place + 120] = False
    return broken[kept], _fault("restart", bars, place, place + 120)


# --- ticks ---


def _tick(column: str, low: float, high: float) -> Injector:
    def injector(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
        broken, place = bars.copy(), _place(bars, rng)
        away = rng.uniform(low, high) * _scale(bars, place)
        up = bool(rng.integers(2)) if column in ("open", "close", "bar") else column == "high"
        factor = np.exp(away if up else -away)
        row = broken.iloc[place, :4].to_numpy(copy=True)
        if column == "bar":
            row *= factor
        elif column in ("open", "close"):
            row[PRICES.index(column)] *= factor
            row[1], row[2] = max(row), min(row)
        else:
            row[PRICES.index(column)] = (max if up else min)(row[0], row[3]) * factor
        broken.iloc[place, :4] = row
        return broken, _fault("outlier", bars, place)

    return injector


for _low, _high in ((5, 10), (10, 20), (20, 60)):
    fault(f"bad close or open, {_low} to {_high} moves")(
        lambda bars, rng, low=_low, high=_high: _tick(str(rng.choice(["open", "close"])), low, high)(bars, rng)
    )
    fault(f"bad high or low, {_low} to {_high} moves")(
        lambda bars, rng, low=_low, high=_high: _tick(str(rng.choice(["high", "low"])), low, high)(bars, rng)
    )
fault("whole bar off, 20 to 60 moves")(_tick("bar", 20, 60))


# --- levels ---


@fault("1 bar x100 or x0.01")
def unit_bar(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    return _unit(bars, rng, 1)


@fault("2 to 40 bars x100 or x0.01")
def unit_block(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    return _unit(bars, rng, int(rng.integers(2, 41)))


def _unit(bars: pd.DataFrame, rng: np.random.Generator, length: int) -> Injected:
    broken, place = bars.copy(), _place(bars, rng, 60)
    broken.iloc[place : place + length, :4] *= float(rng.choice([100.0, 0.01]))
    return broken, _fault("unit", bars, place, place + length - 1)


@fault("all bars before x100 or x0.01")
def unit_before(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    broken, place = bars.copy(), _place(bars, rng, 60)
    broken.iloc[:place, :4] *= float(rng.choice([100.0, 0.01]))
    return broken, _fault("unit", bars, 0, place)


@fault("1 price of a bar x100 or x0.01")
def unit_cell(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    broken, place = bars.copy(), _place(bars, rng)
    broken.iloc[place, int(rng.integers(4))] *= float(rng.choice([100.0, 0.01]))
    return broken, _fault("unit", bars, place)


def _split(ratios: tuple[float, ...], *, with_volume: bool = True) -> Injector:
    def injector(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
        place = _place(bars, rng, 60)
        if bars.index[place].normalize() == bars.index[place - 1].normalize():  # between two sessions
            same = pd.DatetimeIndex(bars.index).normalize()
            starts = np.flatnonzero(same[1:] != same[:-1]) + 1
            starts = starts[(starts > 60) & (starts < len(bars) - 60)]
            if not starts.size:
                return None
            place = int(rng.choice(starts))
        broken, ratio = bars.copy(), float(rng.choice(ratios))
        broken.iloc[:place, :4] *= ratio
        if with_volume:
            broken.iloc[:place, 4] /= ratio
        return broken, _fault("split", bars, place)

    return injector


fault("split 2, 3, 4, 5, 7 or 10 for 1")(_split((2.0, 3.0, 4.0, 5.0, 7.0, 10.0)))
fault("split 1 for 2, 4, 5, 8, 10 or 20")(_split((0.5, 0.25, 0.2, 0.125, 0.1, 0.05)))
fault("split 3 for 2 or 4 for 3")(_split((1.5, 4.0 / 3.0)))
fault("split, volume adjusted already")(_split((2.0, 3.0, 4.0, 0.1), with_volume=False))


@fault("1 to 20 bars not adjusted for a split")
def split_block(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    if not _traded(bars):
        return None
    broken, place = bars.copy(), _place(bars, rng, 60)
    length, ratio = int(rng.integers(1, 21)), float(rng.choice([2.0, 3.0, 4.0, 5.0, 0.1, 0.2]))
    broken.iloc[place : place + length, :4] *= ratio
    broken.iloc[place : place + length, 4] /= ratio
    return broken, _fault("split", bars, place, place + length - 1)


@fault("dividend not in the adjusted close")
def dividend(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    if not _daily(bars):
        return None
    broken, adjusted = bars.copy(), bars["close"].to_numpy(copy=True)
    places = np.arange(40, len(bars) - 40, 63)
    missed = int(rng.choice(places))
    broken["dividends"] = 0.0
    for place in places:
        paid = rng.uniform(0.003, 0.015) * bars["close"].iloc[place - 1]
        broken.iloc[place, broken.columns.get_loc("dividends")] = paid
        if place != missed:
            adjusted[:place] *= 1.0 - paid / bars["close"].iloc[place - 1]
    broken["adj_close"] = adjusted
    return broken, _fault("dividend_adjustment", bars, missed)


# --- standing still ---


@fault("8 to 30 bars frozen")
def frozen(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    broken, place = bars.copy(), _place(bars, rng, 60)
    end = place + int(rng.integers(8, 31))
    broken.iloc[place:end, :4] = bars["close"].iloc[place - 1]
    return broken, _fault("frozen", bars, place, end - 1)


@fault("1 to 3 bars repeated")
def repeated(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    broken, place = bars.copy(), _place(bars, rng)
    end = place + int(rng.integers(1, 4))
    if bars["high"].iloc[place - 1] == bars["low"].iloc[place - 1]:
        return None
    for row in range(place, end):
        broken.iloc[row, :5] = bars.iloc[place - 1, :5].to_numpy()
    return broken, _fault("repeated", bars, place, end - 1)


# --- clocks ---


@fault("1 to 5 sessions shifted by 1 to 3 hours")
def shifted(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    index = pd.DatetimeIndex(bars.index)
    days = index.normalize()
    sessions = days.unique()
    if (
        _daily(bars)
        or len(sessions) < 20
        or (days.value_counts().median() * (index[1] - index[0])).total_seconds() > 72_000
    ):
        return None
    first = int(rng.integers(5, len(sessions) - 10))
    chosen = sessions[first : first + int(rng.integers(1, 6))]
    hours = int(rng.integers(1, 4)) * int(rng.choice([-1, 1]))
    moved = index.where(~days.isin(chosen), index + pd.Timedelta(hours=hours))
    broken = bars.set_axis(moved)
    return broken, Fault(frozenset({"time_shift"}), chosen[0] - pd.Timedelta("1D"), chosen[-1] + pd.Timedelta("2D"))


@fault("a bar on a Saturday")
def saturday(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    index = pd.DatetimeIndex(bars.index)
    fridays = np.flatnonzero(index.day_of_week == 4)
    fridays = fridays[(fridays > 5) & (fridays < len(bars) - 5)]
    if not _daily(bars) or (index.day_of_week >= 5).any() or not fridays.size:
        return None
    place = int(rng.choice(fridays))
    extra = bars.iloc[[place]].set_axis(index[[place]] + pd.Timedelta("1D"))
    broken = pd.concat([bars, extra]).sort_index()
    return broken, Fault(frozenset({"weekend"}), extra.index[0], extra.index[0])


@fault("another frequency for 10 to 30 bars")
def mixed(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    count, each = int(rng.integers(10, 31)), 5
    if len(bars) < count * each + 120:
        return None
    place = _place(bars, rng, 1)
    place = min(place, len(bars) - count * each - 60)
    kept = np.ones(len(bars), dtype=bool)
    stretch = np.arange(place, place + count * each)
    kept[stretch[stretch % each != place % each]] = False
    return bars[kept], _fault("mixed_interval gap", bars, place, place + count * each)


@fault("last bar unfinished")
def unfinished(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    if not _traded(bars) or not _daily(bars):
        return None
    broken = bars.copy()
    broken.iloc[-1, 4] *= rng.uniform(0.0, 0.03)
    return broken, _fault("unfinished", bars, len(bars) - 1)


@fault("1 to 20 quotes crossed")
def crossed(bars: pd.DataFrame, rng: np.random.Generator) -> Injected:
    broken, place = bars.copy(), _place(bars, rng)
    half = bars["close"] * 0.1 * _scale(bars, place)
    broken["bid_close"], broken["ask_close"] = bars["close"] - half, bars["close"] + half
    end = place + int(rng.integers(1, 21))
    columns = [broken.columns.get_loc(name) for name in ("bid_close", "ask_close")]
    broken.iloc[place:end, columns] = broken.iloc[place:end, columns[::-1]].to_numpy()
    return broken, _fault("crossed_quotes", bars, place, end - 1)


# --- what is no fault ---


def crash(bars: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """Return bars in which the market falls over night by a fifth to two thirds, on much volume, and stays there.

    The size is drawn without regard to ratios: it is the control for splits.
    """
    broken, place = bars.copy(), _place(bars, rng, 60)
    broken.iloc[place:, :4] *= float(np.exp(-rng.uniform(0.22, 1.1)))
    broken.iloc[place, 4] *= float(np.exp(rng.normal(2.3, 0.6)))
    open, close = broken.iloc[place, [0, 3]]
    wide = 2.0 * _scale(bars, place)
    broken.iloc[place, 1] = max(open, close) * np.exp(abs(rng.normal(0.0, wide)) + 0.5 * wide)
    broken.iloc[place, 2] = min(open, close) * np.exp(-abs(rng.normal(0.0, wide)) - 0.5 * wide)
    return broken, place
