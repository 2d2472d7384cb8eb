"""What the kernels of an account with several instruments take and give. Needs no Numba.

Arrays of prices have the shape (n_bars, n_instruments), in C order: a bar is contiguous.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Why an order was filled (`Fills.places[:, REASON]`): the first six are those of one instrument.
ENTRY, EXIT, STOP, TRAIL, TARGET, RUIN, REBALANCE, DELISTING, MARKET, LIMIT, STOP_ORDER, SPLIT, FRACTION, MARGIN = (
    range(14)
)
REASONS = (
    "entry",
    "exit",
    "stop",
    "trail",
    "target",
    "ruin",
    "rebalance",
    "delisting",
    "market",
    "limit",
    "stop",
    "split",
    "fraction",
    "margin",
)

# Columns of `Fills.places` and of `Fills.money`.
DECIDED_AT, FILLED_AT, INSTRUMENT, REASON = 0, 1, 2, 3
UNITS, BASE_PRICE = 0, 1

# Rows of a curve; the last one is there in an account with extras alone.
EQUITY, CASH, GROSS, INTEREST = 0, 1, 2, 3

ROUNDING = 1e-12
"""A difference worth this share of the equity is rounding, and is not traded."""

NO_ROOM = 1e-9
"""A room of this share of the equity is none."""


STEP = ("open", "high", "low", "close", "turn")
"""Columns of finer bars. `turn` numbers the stamps that the finer bars of all instruments have inside one bar."""


class PanelMarket(NamedTuple):
    """Prices of all instruments on the union of their stamps.

    Where an instrument has no bar, open, high and low are NaN; `at_open` and `mark` hold its last close (0.0 before its
    first bar), and `held` that plus the borrow that a unit held short has cost so far.
    """

    high: NDArray[np.float64]
    low: NDArray[np.float64]
    at_open: NDArray[np.float64]
    """The open; the last close where there is no bar."""
    mark: NDArray[np.float64]
    """The close; the last one where there is no bar."""
    held: NDArray[np.float64]
    """`mark` plus all borrow per unit up to and including the bar. Without borrow it is the same array."""
    valid: NDArray[np.bool_]
    ends: NDArray[np.int64]
    """Shape (n_ends, 2): last bar and number of each instrument that ends before the panel, in order."""


class PanelTerms(NamedTuple):
    """What trading costs, one value per instrument. `lot_size` 0 means fractional units; `borrow` is per own bar."""

    rate: NDArray[np.float64]
    per_unit: NDArray[np.float64]
    fixed: NDArray[np.float64]
    minimum: NDArray[np.float64]
    slippage: NDArray[np.float64]
    lot_size: NDArray[np.float64]
    borrow: NDArray[np.float64]
    delisting_return: NDArray[np.float64]


class AccountRules(NamedTuple):
    """The conventions of an account."""

    fill: int
    cash: float
    max_leverage: float
    tolerance: float
    size_kind: int
    max_positions: int


class Extras(NamedTuple):
    """What an account has besides prices and costs: corporate actions, margins, interest, volume caps, finer bars."""

    events: NDArray[np.int64]
    """Shape (n_events, 2): bar and instrument of what happens to its units, by bar, then instrument."""
    changes: NDArray[np.float64]
    """Shape (n_events, 3): new units for an old one, cash paid per old unit, and what levels are multiplied with."""
    initial: NDArray[np.float64]
    maintenance: NDArray[np.float64]
    """Margins, shape (2, n_instruments): as fractions of the value of a position, and in currency per unit of it."""
    interest: NDArray[np.float64]
    """Shape (n_bars,): what a unit of currency that was owed since the bar before costs at this bar."""
    caps: NDArray[np.float64]
    """Shape (n_bars, n_instruments): units that may be filled at a bar; (1, 1) where there is no limit."""
    tick: NDArray[np.float64]
    """Steps of price per instrument, 0.0 for none."""
    fine: NDArray[np.float64]
    """Shape (n_fine, 5): finer bars, with the columns of `STEP`."""
    fine_at: NDArray[np.int64]
    """Shape (n_bars, n_instruments, 2): the first finer bar of a bar, and how many; (1, 1, 2) where there are none."""


class Fills(NamedTuple):
    """One row per fill, in the order of filling.

    `places` (int32, four columns): decided_at, filled_at, instrument, reason. `money` (float64, two columns): units
    (negative for a sale) and the price before slippage; what was paid follows from them.
    """

    places: NDArray[np.int32]
    money: NDArray[np.float64]


class Levels(NamedTuple):
    """Distances and size by decision bar and instrument; either axis has the length 1 where all are the same."""

    stop: NDArray[np.float64]
    target: NDArray[np.float64]
    trail: NDArray[np.float64]
    size: NDArray[np.float64]


class Venue(NamedTuple):
    """Everything that trading needs besides the state of the account."""

    market: PanelMarket
    terms: PanelTerms
    rules: AccountRules
    fills: Fills


def empty_fills(capacity: int) -> Fills:
    """Return room for `capacity` fills; memory is touched only where fills are written."""
    return Fills(np.empty((capacity, 4), np.int32), np.empty((capacity, 2), np.float64))
