"""What a run leaves behind: fills, the cash it began with and the prices it saw. Knows no engine and no result.

`Ledger` is the account of one instrument, `PortfolioLedger` that of several, which share its cash.

A backtest, a trade list of another library, paper trading and a broker's statement all give a `Ledger`; what is done
with two of them is the same for all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from algotrendy.backtest.costs import Fees
from algotrendy.domain.types import Float1D, Int1D
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Action", "Fill", "Ledger", "PortfolioLedger", "as_portfolio", "stamps_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution.

    Parameters
    ----------
    filled_at : Timestamp
        When; anything inside a bar is taken as that bar.
    units : float
        Bought if positive, sold if negative.
    price : float
        Paid or received per unit, slippage included.
    commission : float
        Paid for this fill, in currency; a rebate is negative.
    decided_at : Timestamp, optional
        The bar that the decision was taken on.
    quoted : float, optional
        The price without slippage. None: worked out from the bars.
    borrow : float
        Fee for borrowed units that is settled with this fill, in currency.
    reason : str
        Such as "entry", "stop".
    """

    filled_at: pd.Timestamp
    units: float
    price: float
    commission: float = 0.0
    decided_at: pd.Timestamp | None = None
    quoted: float | None = None
    borrow: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A split, a dividend, or both, at the start of a bar.

    Parameters
    ----------
    at : Timestamp
        The bar at whose start it happens.
    ratio : float
        New units for an old one.
    paid : float
        Cash per old unit: received by who holds it, charged to who is short.
    """

    at: pd.Timestamp
    ratio: float = 1.0
    paid: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Ledger:
    """All fills of one account in one instrument, and what it is valued by.

    Parameters
    ----------
    name : str
        How it is called in sentences, such as "the broker".
    cash : float
        Cash before the first fill, in currency.
    fills : sequence of Fill
        In the order of execution.
    bars : DataFrame of shape (n_bars, >= 4)
        The bars it traded on; an open position is valued at the last close.
    final_equity : float, optional
        What it says it ended with, in currency. None: what follows from the fills.
    fees : Fees, optional
        The schedule of its commissions, if known. None: read off the fills.
    fraction, lot_size : float, optional
        Share of the equity that an entry uses and what units are rounded down to (0.0: not), if known.
    open_borrow : float
        Borrow paid so far for the position that is open at the end, in currency.
    ties : array of int
        Stamps (nanoseconds) of bars on which a decision stood at an exact tie.
    actions : sequence of Action
        Splits and dividends, by time. Units of fills are those of their day.

    Raises
    ------
    InputError
        If a number is not finite or a price not above zero, or a fill lies outside the bars.
    """

    name: str
    cash: float
    fills: tuple[Fill, ...]
    bars: pd.DataFrame
    final_equity: float | None = None
    fees: Fees | None = None
    fraction: float | None = None
    lot_size: float = 0.0
    open_borrow: float = 0.0
    ties: Int1D = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    actions: tuple[Action, ...] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.cash):
            raise InputError(f"the cash of {self.name} is {self.cash!r}; give what it began with, in currency")
        if not len(self.bars):
            raise InputError(f"{self.name} has no bars; hand in the bars that it traded on as bars=")
        first, last = self.bars.index[0], self.bars.index[-1]
        gaps = np.diff(self.stamps)
        longest = int(gaps.max()) if gaps.size else 0
        for number, fill in enumerate(self.fills):
            self._check(fill, number)
            after = int((fill.filled_at - last).value) > longest
            if fill.filled_at < first or after:
                where = f"after the last bar ({last})" if after else f"before the first bar ({first})"
                raise InputError(
                    f"fill {number} of {self.name} is of {fill.filled_at}, {where}; hand in the bars that it traded on "
                    "as bars="
                )

    def _check(self, fill: Fill, number: int) -> None:
        numbers = (fill.units, fill.price, fill.commission, fill.borrow)
        if not all(math.isfinite(value) for value in numbers) or fill.price <= 0.0 or fill.units == 0.0:
            raise InputError(
                f"fill {number} of {self.name} ({fill.filled_at}) has units {fill.units!r}, price {fill.price!r}, "
                f"commission {fill.commission!r}; a fill has units, a price above zero and finite costs"
            )

    @property
    def stamps(self) -> Int1D:
        """Starts of the bars in nanoseconds, ascending."""
        return stamps_of(self.bars)

    @property
    def last_price(self) -> float:
        """The last close."""
        return float(self.bars["close"].iloc[-1])

    def prices(self, name: str) -> Float1D:
        """Return a column of the bars as float64."""
        return self.bars[name].to_numpy(dtype=np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class PortfolioLedger:
    """All fills of one account in several instruments.

    Parameters
    ----------
    name : str
        How it is called in sentences, such as "the broker".
    cash : float
        Cash before the first fill, in currency.
    members : mapping of str to Ledger
        By symbol, in the order in which fills of one moment are made. Prices are in currency per unit: times the
        multiplier, where there is one. Their own `cash` and `final_equity` do not count.
    final_equity : float, optional
        What it says it ended with, in currency. None: what follows from the fills.
    financing : float
        Interest on borrowed cash that it has paid, in currency.
    multipliers : mapping of str to float
        What a unit is worth at a price of 1, by symbol, where that is not 1: a list of another account has prices as
        they are quoted.

    Raises
    ------
    InputError
        If the cash or the interest is not finite, or there is no instrument.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2024-01-01", periods=2)
    >>> bars = pd.DataFrame({name: [10.0, 11.0] for name in ("open", "high", "low", "close")}, index=days)
    >>> bought = (Fill(filled_at=days[0], units=5.0, price=10.0),)
    >>> one = Ledger(name="A", cash=100.0, fills=bought, bars=bars)
    >>> PortfolioLedger(name="mine", cash=100.0, members={"A": one, "B": one}).cash
    100.0
    """

    name: str
    cash: float
    members: Mapping[str, Ledger]
    final_equity: float | None = None
    financing: float = 0.0
    multipliers: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("members", "multipliers"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        if not self.members:
            raise InputError(f"{self.name} has no instrument; give a ledger for each symbol as members=")
        if not math.isfinite(self.cash) or not math.isfinite(self.financing):
            raise InputError(
                f"{self.name} began with {self.cash!r} and paid {self.financing!r} of interest; give finite numbers, "
                "in currency"
            )


def as_portfolio(ledger: Ledger | PortfolioLedger) -> PortfolioLedger:
    """Return a ledger as that of an account with one instrument; one of several as it is.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2024-01-01", periods=2)
    >>> bars = pd.DataFrame({name: [10.0, 11.0] for name in ("open", "high", "low", "close")}, index=days)
    >>> list(as_portfolio(Ledger(name="mine", cash=100.0, fills=(), bars=bars)).members)
    ['']
    """
    if isinstance(ledger, PortfolioLedger):
        return ledger
    return PortfolioLedger(name=ledger.name, cash=ledger.cash, members={"": ledger}, final_equity=ledger.final_equity)


def stamps_of(bars: pd.DataFrame) -> Int1D:
    """Return the stamps of bars as nanoseconds in UTC; stamps without a zone as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> stamps_of(pd.DataFrame(index=pd.DatetimeIndex(["1970-01-02"])))
    array([86400000000000])
    """
    import pandas as pd

    stamps: Int1D = pd.DatetimeIndex(bars.index).as_unit("ns").asi8
    return stamps
