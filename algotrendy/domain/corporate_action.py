"""Corporate actions as they are booked: a split or a cash dividend of one instrument, exactly.

`actions` adjusts series of prices by the same events; this is what they do to somebody who holds the instrument.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from algotrendy.domain.cash import CashEntry, CashKind
from algotrendy.domain.fill import Fill, Side
from algotrendy.domain.money import Sign, as_decimal, exactly
from algotrendy.errors import InputError

if TYPE_CHECKING:
    from algotrendy.domain.position import Position

__all__ = ["ActionKind", "CorporateAction"]


class ActionKind(StrEnum):
    """What a company did."""

    SPLIT = "split"
    """More units for the old ones, or fewer. A stock dividend of 5 % is a split of 21 new for 20 old."""
    CASH_DIVIDEND = "cash_dividend"
    """Cash for each unit that is held; whoever is short pays it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorporateAction:
    """A split or a cash dividend.

    Fills before `effective_at` are in old units and have the dividend; those at it or later have not.

    Attributes
    ----------
    action_id : str
        Its name, by which it counts once.
    instrument : str
        As in the fills.
    kind : ActionKind
        "split" or "cash_dividend".
    effective_at : datetime
        When trading without it begins, with a time zone: the open of the ex-date.
    new, old : int
        So many units for so many; a split alone has them.
    cash_in_lieu : Decimal or None
        What is paid for a new unit where the split leaves a fraction of one: the fraction is sold at this price. None:
        fractions are held.
    amount : Decimal
        Of a dividend, per unit, before tax, > 0.
    currency : str or None
        In which a dividend is paid; None: that of the position.

    Raises
    ------
    InputError
        If a number or the time is not as said above.

    Examples
    --------
    >>> from algotrendy.domain.position import Position
    >>> open_ = datetime.datetime(2020, 8, 31, 13, 30, tzinfo=datetime.UTC)
    >>> split = CorporateAction(
    ...     action_id="AAPL 2020", instrument="AAPL", kind="split", effective_at=open_, new=4, old=1)
    >>> after = Position.of("AAPL", 10, 400).with_action(split)
    >>> after.quantity, after.average_cost, after.cost
    (Decimal('40'), Decimal('100'), Decimal('4000'))
    """

    action_id: str
    instrument: str
    kind: ActionKind
    effective_at: datetime.datetime
    new: int = 1
    old: int = 1
    cash_in_lieu: Decimal | None = None
    amount: Decimal = Decimal(0)
    currency: str | None = None

    def __post_init__(self) -> None:
        what = f"of the action {self.action_id}"
        try:
            object.__setattr__(self, "kind", ActionKind(self.kind))
        except ValueError as error:
            raise InputError(f"the kind {what} is {self.kind!r}; expected one of {', '.join(ActionKind)}") from error
        if self.effective_at.utcoffset() is None:
            raise InputError(f"effective_at {what} is {self.effective_at}: it has no time zone; expected one, as UTC")
        for name, units in (("new", self.new), ("old", self.old)):
            if isinstance(units, bool) or not isinstance(units, int) or units <= 0:
                raise InputError(f"{name} {what} is {units!r}, expected a whole number above 0: 4 new for 1 old")
        if self.is_split == (self.new == self.old):
            raise InputError(f"the {self.kind} {self.action_id} gives {self.new} units for {self.old}; expected "
                             f"{'another number: 4 new for 1 old' if self.is_split else 'none: 1 for 1'}")  # fmt: skip
        sign: Sign = "not negative" if self.is_split else "positive"
        object.__setattr__(self, "amount", as_decimal(self.amount, f"the amount {what}", sign))
        if self.is_split and self.amount:
            raise InputError(f"the split {self.action_id} pays {self.amount}; record the dividend as an action apart")
        if self.is_split and self.currency is not None:
            raise InputError(f"the split {self.action_id} has the currency {self.currency}; its position has one")
        if self.cash_in_lieu is not None:
            if not self.is_split:
                raise InputError(f"the dividend {self.action_id} has cash in lieu; a split alone leaves fractions")
            price = as_decimal(self.cash_in_lieu, f"the cash in lieu {what}", "positive")
            object.__setattr__(self, "cash_in_lieu", price)

    @property
    def is_split(self) -> bool:
        """Whether it changes units; otherwise it pays."""
        return self.kind is ActionKind.SPLIT

    def entry(self, amount: Decimal, before: Position) -> CashEntry:
        """Return the movement of cash that books an amount which it pays to whoever had a position before it.

        A dividend refers to the instrument, cash in lieu to the fill of `fraction_sold`.
        """
        return CashEntry(
            at=self.effective_at, amount=amount, currency=self.currency or before.currency,
            kind=CashKind.TRADE if self.is_split else CashKind.DIVIDEND,
            reference=f"{self.action_id}:lieu" if self.is_split else self.instrument,
        )  # fmt: skip

    @exactly
    def fraction_sold(self, after: Position) -> Fill | None:
        """Return the closing fill of the fraction of a unit that a split leaves in a position; None: there is none.

        Parameters
        ----------
        after : Position
            After the split.
        """
        if self.cash_in_lieu is None:
            return None
        fraction = abs(after.quantity) - int(abs(after.quantity))
        if not fraction:
            return None
        return Fill(
            execution_id=f"{self.action_id}:lieu", instrument=self.instrument, quantity=fraction,
            side=Side.SELL if after.quantity > 0 else Side.BUY, price=self.cash_in_lieu, filled_at=self.effective_at,
            currency=after.currency, multiplier=after.multiplier,
        )  # fmt: skip

    @exactly
    def cash(self, before: Position) -> Decimal:
        """Return what it pays to whoever had a position before it: the dividend, or the cash in lieu; below 0: owed.

        Examples
        --------
        >>> from algotrendy.domain.position import Position
        >>> paid = CorporateAction(action_id="d", instrument="A", kind="cash_dividend", amount="0.22",
        ...                        effective_at=datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC))
        >>> paid.cash(Position.of("A", -100, 50))
        Decimal('-22.00')
        """
        if not self.is_split:
            return before.quantity * self.amount
        fill = self.fraction_sold(before.with_split(self.new, self.old))
        return Decimal(0) if fill is None else fill.gross
