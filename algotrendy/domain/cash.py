"""The cash ledger: every movement of cash, in its own currency, and the balances that follow."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from algotrendy.domain.money import exactly
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CashEntry", "CashKind", "CashLedger"]


class CashKind(StrEnum):
    """Why cash moved. Deposits and withdrawals are external: they are no performance."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    TRADE = "trade"
    COMMISSION = "commission"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    FEE = "fee"
    TAX = "tax"
    CONVERSION = "conversion"

    @property
    def is_external(self) -> bool:
        """True for what the owner brings or takes away."""
        return self in (CashKind.DEPOSIT, CashKind.WITHDRAWAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class CashEntry:
    """One movement of cash.

    Attributes
    ----------
    at : datetime
        With a time zone.
    amount : Decimal
        Above 0: cash came in.
    currency : str
        Of the amount.
    kind : CashKind
        Why it moved; a text such as "deposit" is turned into one.
    reference : str
        What it belongs to: an execution id, an instrument.

    Raises
    ------
    InputError
        If the amount is no finite number, a deposit is below 0 or a withdrawal above, or the time has no zone.
    """

    at: datetime.datetime
    amount: Decimal
    currency: str
    kind: CashKind
    reference: str = ""

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "kind", CashKind(self.kind))
        except ValueError as error:
            raise InputError(f"{self.kind!r} is no kind of cash; expected one of {', '.join(CashKind)}") from error
        if not isinstance(self.amount, Decimal) or not self.amount.is_finite():
            raise InputError(f"the amount of a {self.kind} is {self.amount!r}, expected a finite Decimal")
        if (self.kind is CashKind.DEPOSIT and self.amount < 0) or (
            self.kind is CashKind.WITHDRAWAL and self.amount > 0
        ):
            raise InputError(f"a {self.kind} of {self.amount}: deposits are above 0, withdrawals below")
        if self.at.utcoffset() is None:
            raise InputError(f"a {self.kind} at {self.at} has no time zone; expected one, such as UTC")


@dataclass(frozen=True, slots=True)
class CashLedger:
    """All movements of cash in the order in which they were entered.

    Attributes
    ----------
    entries : tuple of CashEntry
        Oldest first.
    balances : mapping of str to Decimal
        Currency to what there is of it, exactly the sum of its entries; below 0 is owed.

    Examples
    --------
    >>> noon = datetime.datetime(2024, 1, 2, 12, tzinfo=datetime.UTC)
    >>> ledger = CashLedger().with_entries([CashEntry(at=noon, amount=Decimal(500), currency="EUR", kind="deposit")])
    >>> dict(ledger.balances)
    {'EUR': Decimal('500')}
    """

    entries: tuple[CashEntry, ...] = ()
    balances: Mapping[str, Decimal] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "balances", _summed({}, self.entries))

    def with_entries(self, entries: Iterable[CashEntry]) -> CashLedger:
        """Return the ledger with further entries at its end."""
        added = tuple(entries)
        after = object.__new__(CashLedger)  # the balances so far are known: a ledger grows in steps of its additions
        object.__setattr__(after, "entries", self.entries + added)
        object.__setattr__(after, "balances", _summed(self.balances, added))
        return after

    def __reduce__(self) -> tuple[Any, ...]:
        return (CashLedger, (self.entries,))

    def frame(self) -> pd.DataFrame:
        """Return the entries as a frame with the columns at, amount, currency, kind, reference."""
        import pandas as pd

        names = ("at", "amount", "currency", "kind", "reference")
        rows = [[entry.at, entry.amount, entry.currency, str(entry.kind), entry.reference] for entry in self.entries]
        return pd.DataFrame(rows, columns=pd.Index(names))


@exactly
def _summed(balances: Mapping[str, Decimal], entries: Iterable[CashEntry]) -> Mapping[str, Decimal]:
    found = dict(balances)
    for entry in entries:
        found[entry.currency] = found.get(entry.currency, Decimal(0)) + entry.amount
    return MappingProxyType(found)
