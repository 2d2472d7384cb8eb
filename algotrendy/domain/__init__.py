"""The ground floor: what a bar, an interval, a calendar, an instrument and a panel are.

`bars` checks bars and hands out their columns, `faults` says in words what is wrong with them; `interval`, `calendar`
and `exchange` know when a bar is known and how many make a year; `resample` builds longer bars without seeing the
future; `stale` finds opens that are copies; `provenance` says where bars come from; `instrument` and `panel` hold
several series at once; `tickers` knows which instrument a ticker meant when; `actions` holds splits and dividends and
adjusts by them, `corporate_action` books one; `money` is exact arithmetic, `fill`, `position`, `cash` and `portfolio`
say what is held; `types` names arrays. Each name is imported from its own module; this page stays light.
"""

from __future__ import annotations

__all__ = [
    "actions",
    "bars",
    "calendar",
    "cash",
    "corporate_action",
    "exchange",
    "faults",
    "fill",
    "instrument",
    "interval",
    "money",
    "panel",
    "portfolio",
    "position",
    "provenance",
    "resample",
    "stale",
    "tickers",
    "types",
]
