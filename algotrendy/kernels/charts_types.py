"""What the chart kernels take and give: events, rules, states and rows. Needs no Numba.

A chart kernel reads events, oldest first, changes the state that it is handed, and writes a row for each bar that an
event completes. It stops before an event whose rows would not fit, and returns how many rows it wrote and how many
events it took. One event at a time or all at once: the operations are the same, so the rows are too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-9
"""Share of a brick, box or threshold by which a price or a sum may miss a level and still reach it."""

# Rows of `Rows.numbers` and of `Rows.whole`; what a style adds comes after these.
OPEN, HIGH, LOW, CLOSE, VOLUME, EXTRA_NUMBERS = 0, 1, 2, 3, 4, 5
OPENED, CLOSED, EVENT, DIRECTION, EXTRA_WHOLE = 0, 1, 2, 3, 4

# What is counted, in `ActivityRule.what` and `FlowRule.what`.
TICKS, UNITS, VALUE = 0, 1, 2


class Events(NamedTuple):
    """Trades or bars, oldest first: arrays of shape (n_events,), read-only and contiguous.

    `start` and `end` are int64 stamps; for a trade they are the same array, and so are its four prices.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]


class Rows(NamedTuple):
    """Room for completed bars, one per column of each array.

    `numbers` (float64): open, high, low, close, volume, extras. `whole` (int64): opened, closed (stamps), event,
    direction, extras.
    """

    numbers: NDArray[np.float64]
    whole: NDArray[np.int64]


class RenkoRule(NamedTuple):
    """Brick `size`, in price; bricks of a `reversal`, 1 or 2; whether high and low show the wicks."""

    size: float
    reversal: int
    wicks: bool


class RangeRule(NamedTuple):
    """Range `size`, in price; whether a jump is filled with `phantom` bars."""

    size: float
    phantom: bool


class LineBreakRule(NamedTuple):
    """Opens and closes of the last lines, shape (2, n_lines): line k stands in column k % n_lines."""

    lines: NDArray[np.float64]


class KagiRule(NamedTuple):
    """Reversal: an `amount` in price, or if that is zero a `share` of the extreme."""

    amount: float
    share: float


class PointFigureRule(NamedTuple):
    """Box `size`, in price; boxes of a `reversal`."""

    size: float
    reversal: int


class ActivityRule(NamedTuple):
    """What is counted (`TICKS`, `UNITS`, `VALUE`), up to what `target`, and whether events are `split` at it."""

    what: int
    target: float
    split: bool


class FlowRule(NamedTuple):
    """Imbalance or runs of `what`; see `docs/explanation/charts.md` for the names."""

    what: int
    runs: bool
    first_ticks: int
    bar_weight: float
    tick_weight: float
    least_ticks: int
    most_ticks: int
    floor: float


class Periods(NamedTuple):
    """The period of each event: its start and end (int64 stamps), and whether the event completes it (0 or 1)."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    complete: NDArray[np.int64]


def _record(numbers: str, whole: str = "") -> np.dtype[Any]:
    """Return the type of a state: the row that is being made, and what the style itself has to remember.

    `open high low last volume` are the row's prices and volume so far, `opened` is when it began, `events` how many
    events it holds, and `n_events` how many there were in all.
    """
    numbers, whole = "open high low last volume " + numbers, "opened events n_events " + whole
    return np.dtype([(name, "f8") for name in numbers.split()] + [(name, "i8") for name in whole.split()])


STATES: dict[str, np.dtype[Any]] = {
    "renko": _record("origin", "level direction"),
    "range": _record("base up down", "step is_open"),
    "line_break": _record("top bottom", "n_lines"),
    "kagi": _record("extreme shoulder waist", "extreme_at direction thickness"),
    "point_figure": _record("", "first extreme extreme_at direction"),
    "heikin_ashi": _record("close"),
    "activity": _record("total"),
    "flow": _record("before buys sells mean_buy mean_sell expected threshold", "sign"),
    "time": _record("", "period period_end"),
}


def new_state(kernel: str) -> NDArray[Any]:
    """Return the state of a kernel before its first event: one record, no price seen."""
    state = np.zeros(1, STATES[kernel])
    state["high"], state["low"] = -np.inf, np.inf
    return state


def empty_rows(n_numbers: int, n_whole: int, capacity: int) -> Rows:
    """Return room for `capacity` rows; memory is touched only where rows are written."""
    return Rows(np.empty((n_numbers, capacity)), np.empty((n_whole, capacity), np.int64))
