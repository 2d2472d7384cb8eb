"""What all chart kernels do with their rows, and one pass over trades: are they sound?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import part
from algotrendy.kernels.bars import LARGEST
from algotrendy.kernels.charts_types import (
    CLOSE,
    CLOSED,
    DIRECTION,
    EVENT,
    HIGH,
    LOW,
    OPEN,
    OPENED,
    VOLUME,
)


@part
def put(numbers: Any, whole: Any, n: int, prices: tuple[float, float, float, float, float]) -> None:
    """Write open, high, low, close and volume of row `n`."""
    numbers[OPEN, n] = prices[0]
    numbers[HIGH, n] = prices[1]
    numbers[LOW, n] = prices[2]
    numbers[CLOSE, n] = prices[3]
    numbers[VOLUME, n] = prices[4]
    whole[DIRECTION, n] = np.int64(prices[3] > prices[0]) - np.int64(prices[3] < prices[0])


@part
def stamp(whole: Any, n: int, opened: int, closed: int, event: int) -> None:
    """Write when row `n` began and was completed, and by which event."""
    whole[OPENED, n] = opened
    whole[CLOSED, n] = closed
    whole[EVENT, n] = event


@part
def leave(s: Any, events: Any, first: int, taken: int) -> None:
    """Keep in the state how far the open row has come: when it began, its events, the last price."""
    s.opened = events.start[first] if 0 <= first < taken else s.opened
    s.events = taken - first if first >= 0 else s.events + taken
    s.last = events.close[taken - 1] if taken > 0 else s.last
    s.n_events += taken


@jit
def trades_are_sound(times: NDArray[np.int64], price: NDArray[np.float64], size: NDArray[np.float64]) -> bool:
    """Return whether stamps never go back, prices are finite and positive, and sizes are finite and not negative.

    A NaN fails every comparison, so it makes the trades unsound; so does a missing stamp, the smallest integer.
    """
    return sound_after(times, price, size, np.int64(-9223372036854775807))  # type: ignore[no-any-return]


@part
def sound_after(times: Any, price: Any, size: Any, before: int) -> bool:
    """As `trades_are_sound`, for trades that come after one at `before`."""
    sound = True
    for i in range(times.size):  # no early exit and no branch: the loop vectorises
        sound &= (
            (times[i] >= before) & (price[i] > 0.0) & (price[i] <= LARGEST) & (size[i] >= 0.0) & (size[i] <= LARGEST)
        )
        before = times[i]
    return sound
