"""Tax as arithmetic on what the user says the law is: rates and terms come in, nothing here is tax advice.

`TaxRules` has the two rates and when a gain is long-term. A `WashRule` says which purchases keep a loss from being
deducted: `UsWashSale` is the 30-day rule of the United States; other countries' rules are classes of one's own.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from algotrendy.domain.money import as_decimal
from algotrendy.errors import InputError

__all__ = ["TaxRules", "UsWashSale", "WashRule"]

_ONE_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRules:
    """The rates of tax on gains, and when the lower one applies. Both are inputs; this is not tax advice.

    Attributes
    ----------
    short_term_rate, long_term_rate : Decimal
        Fractions in [0, 1): 0.37 is 37 %.
    long_term_years : int
        A gain is long-term after more than so many years. The day after the purchase is the first day held, the day
        of the sale the last: bought on February 6, sold on February 6 of the next year is short-term, on February 7
        long-term [1]_.

    References
    ----------
    .. [1] IRS Publication 550, Investment Income and Expenses, "Holding Period".

    Examples
    --------
    >>> rules = TaxRules(short_term_rate="0.37", long_term_rate="0.20")
    >>> bought = datetime.date(2019, 2, 6)
    >>> [rules.is_long_term(bought, datetime.date(2020, 2, day)) for day in (6, 7)]
    [False, True]
    """

    short_term_rate: Decimal
    long_term_rate: Decimal
    long_term_years: int = 1

    def __post_init__(self) -> None:
        for name in ("short_term_rate", "long_term_rate"):
            rate = as_decimal(getattr(self, name), name, "not negative")
            if rate >= 1:
                raise InputError(f"{name} is {rate}, expected a fraction below 1: 0.37 is 37 %")
            object.__setattr__(self, name, rate)
        if self.long_term_years < 0:
            raise InputError(f"long_term_years is {self.long_term_years}, expected 0 or more")

    def is_long_term(self, held_since: datetime.date, closed_on: datetime.date) -> bool:
        """Return whether what was bought on one day and sold on the other was held long enough."""
        first = held_since + _ONE_DAY
        year = first.year + self.long_term_years
        try:
            anniversary = first.replace(year=year)
        except ValueError:  # February 29 in a year that has none
            anniversary = datetime.date(year, 3, 1)
        return closed_on >= anniversary

    def rate(self, is_long_term: bool) -> Decimal:
        """Return the rate of a term."""
        return self.long_term_rate if is_long_term else self.short_term_rate


class WashRule(Protocol):
    """Which purchases take over a loss, so that it cannot be deducted now."""

    @property
    def keeps_holding_period(self) -> bool:
        """Whether the replacement is counted as held for as long as what was sold."""
        ...

    def covers(self, sold_on: datetime.date, acquired_on: datetime.date) -> bool:
        """Return whether units that were acquired on one day replace those that were sold at a loss on the other."""
        ...


@dataclass(frozen=True, slots=True)
class UsWashSale:
    """The wash sale rule of the United States: 30 days before or after the sale [1]_ [2]_.

    Attributes
    ----------
    days : int
        Length of the window on either side.

    Notes
    -----
    A `LotBook` applies it to the same instrument and direction. Losses are matched in the order of the sales, and
    replacements in the order of the purchases, each unit once. The rest of a lot of which a part was sold is no
    replacement of that part [3]_. Bought before the sale, only what is still held can be one. What the law calls
    substantially identical in other instruments, options or other accounts is not known here.

    References
    ----------
    .. [1] 26 U.S. Code § 1091.
    .. [2] IRS Publication 550, Investment Income and Expenses, "Wash Sales".
    .. [3] Revenue Ruling 56-602.

    Examples
    --------
    >>> sold = datetime.date(2020, 1, 4)
    >>> [UsWashSale().covers(sold, sold + datetime.timedelta(days=days)) for days in (-31, -30, 0, 30, 31)]
    [False, True, True, True, False]
    """

    days: int = 30

    @property
    def keeps_holding_period(self) -> bool:
        """True: the replacement's holding period includes that of what was sold."""
        return True

    def covers(self, sold_on: datetime.date, acquired_on: datetime.date) -> bool:
        """Return whether the days are at most `days` apart."""
        return abs((acquired_on - sold_on).days) <= self.days
