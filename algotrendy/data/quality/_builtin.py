"""The checks of the house, in the order in which they run."""

from __future__ import annotations

from algotrendy.data.quality import registry
from algotrendy.data.quality.cells import CONTRADICTIONS, NO_PRICES
from algotrendy.data.quality.dividends import DIVIDENDS
from algotrendy.data.quality.ends import MIXED, UNFINISHED
from algotrendy.data.quality.gaps import GAPS
from algotrendy.data.quality.hours import CLOSED, EARLY, SHIFTS
from algotrendy.data.quality.jumps import RESTARTS, SPLITS
from algotrendy.data.quality.levels import UNITS
from algotrendy.data.quality.order import ORDER, ZONE
from algotrendy.data.quality.quotes import QUOTES
from algotrendy.data.quality.still import STILL
from algotrendy.data.quality.ticks import TICKS
from algotrendy.data.quality.volume import VOLUME

HOUSE = (
    ORDER, ZONE, NO_PRICES, CONTRADICTIONS, VOLUME, QUOTES, UNITS, SPLITS, RESTARTS, TICKS, STILL, DIVIDENDS, GAPS,
    SHIFTS, CLOSED, EARLY, MIXED, UNFINISHED,
)  # fmt: skip


def load() -> None:
    """Put the checks of the house before those of others, once."""
    if not registry.loaded:
        theirs = dict(registry.CHECKS)
        registry.CHECKS.clear()
        registry.CHECKS.update({check.name: check for check in HOUSE} | theirs)
        registry.loaded = True
