"""Charts of trades that nobody has looked at yet: a block of them is checked, then charted while it is in the cache.

Checking all of them first takes as long as reading them from memory, and the chart then reads them again. Block by
block, the memory fetches the next trades while the chart works on these.
"""

from __future__ import annotations

from typing import Any

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL, part
from algotrendy.kernels.charts_activity import whole_events
from algotrendy.kernels.charts_bricks import range_bars, renko
from algotrendy.kernels.charts_rows import sound_after
from algotrendy.kernels.charts_types import ActivityRule, Events, RangeRule, RenkoRule, Rows

BLOCK = 256
UNSOUND = -1


@part
def _by_blocks(kernel: Any, events: Events, before: int, task: tuple[Any, Any, Rows]) -> tuple[int, int]:
    """Run a chart kernel block by block; return rows and trades taken, `UNSOUND` of these where a trade is not sound.

    `task` is the kernel's rule, state and rows.
    """
    rule, state, rows = task
    times, price, size = events.start, events.close, events.volume
    numbers, whole = rows
    n = 0
    for begin in range(0, price.size, BLOCK):
        if n == whole.shape[1]:
            return n, begin
        end = min(begin + BLOCK, price.size)
        t, p, v = times[begin:end], price[begin:end], size[begin:end]
        if not sound_after(t, p, v, before):
            return n, UNSOUND
        before = times[end - 1]
        made, taken = kernel(Events(t, t, p, p, p, p, v), rule, state, Rows(numbers[:, n:], whole[:, n:]))
        n += made
        if taken < end - begin:
            return n, begin + taken
    return n, price.size


@jit(**KERNEL)
def checked_renko(events: Events, before: int, rule: RenkoRule, state: Any, rows: Rows) -> tuple[int, int]:
    """Check trades after one at `before` and write their bricks."""
    return _by_blocks(renko, events, before, (rule, state, rows))  # type: ignore[no-any-return]


@jit(**KERNEL)
def checked_range_bars(events: Events, before: int, rule: RangeRule, state: Any, rows: Rows) -> tuple[int, int]:
    """Check trades after one at `before` and write their range bars."""
    return _by_blocks(range_bars, events, before, (rule, state, rows))  # type: ignore[no-any-return]


@jit(**KERNEL)
def checked_whole_events(events: Events, before: int, rule: ActivityRule, state: Any, rows: Rows) -> tuple[int, int]:
    """Check trades after one at `before` and write their bars of activity."""
    return _by_blocks(whole_events, events, before, (rule, state, rows))  # type: ignore[no-any-return]
