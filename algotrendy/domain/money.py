"""Exact arithmetic of money: Decimal numbers that are checked at the door, sums and products without rounding, rates.

Quantities, prices and rates have at most 18 decimals and lie below 10^18, so sums and products of a few of them can be
kept whole. Inside a function marked `exactly` an operation that would round raises instead. Where something must be
divided, `share` rounds to 18 decimals and the caller keeps the rest, so that parts always add up to the whole.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)
from types import MappingProxyType
from typing import Any, Literal, ParamSpec, TypeVar

from algotrendy.errors import InputError

__all__ = ["Rates", "Sign", "as_decimal", "exactly", "quotient", "rounded", "share"]

P = ParamSpec("P")
T = TypeVar("T")

Sign = Literal["any", "positive", "not negative", "not zero"]

DECIMALS_MAX = 18
_STEP = Decimal(1).scaleb(-DECIMALS_MAX)
_LIMIT = Decimal(10) ** 18

_EXACT = Context(prec=250, Emin=-999_999, Emax=999_999, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
_WIDE = Context(prec=250, Emin=-999_999, Emax=999_999, rounding=ROUND_HALF_EVEN)
_SHOWN = Context(prec=28, rounding=ROUND_HALF_EVEN)


def exactly(function: Callable[P, T]) -> Callable[P, T]:
    """Make every Decimal operation inside a function exact: one that would round raises `decimal.Inexact`.

    Parameters
    ----------
    function : callable
        Adds, subtracts and multiplies. It divides by `share` or `quotient` alone.

    Returns
    -------
    callable
        The same function.

    Examples
    --------
    >>> tiny, large = Decimal("0.000000000000000001"), Decimal("99999999999999999.5")
    >>> large + tiny == large, exactly(lambda: large + tiny)() == large
    (True, False)
    """

    @functools.wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        with localcontext(_EXACT):
            return function(*args, **kwargs)

    return inside


def as_decimal(value: Any, what: str, sign: Sign = "any") -> Decimal:
    """Return a quantity, a price, a rate or an amount as a Decimal.

    Parameters
    ----------
    value : Decimal, int, str or float
        A float means the shortest number that it is written as: 0.1 is one tenth.
    what : str
        Its name in messages.
    sign : {"any", "positive", "not negative", "not zero"}
        Which values are accepted.

    Returns
    -------
    Decimal
        The same number.

    Raises
    ------
    InputError
        If it is no finite number, has the wrong sign, more than 18 decimals, or is 10^18 or more.

    Examples
    --------
    >>> as_decimal(0.1, "price", "positive")
    Decimal('0.1')
    """
    if isinstance(value, bool):
        raise InputError(f"{what} is {value!r}, expected a number")
    try:
        found = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation as error:
        raise InputError(f"{what} is {value!r}, expected a number") from error
    if not found.is_finite():
        raise InputError(f"{what} is {found}, expected a finite number")
    wrong = {
        "any": False,
        "positive": found <= 0,
        "not negative": found < 0,
        "not zero": found == 0,
    }[sign]
    if wrong:
        raise InputError(f"{what} is {found}, expected a number that is {sign}")
    if abs(found) >= _LIMIT:
        raise InputError(f"{what} is {found}, expected less than 10^18")
    if rounded(found) != found:
        raise InputError(f"{what} is {found}: it has more than {DECIMALS_MAX} decimals; round it first")
    return rounded(found)


def share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return amount x part / whole, rounded to 18 decimals; all of the amount where the part is the whole.

    Parameters
    ----------
    amount, part, whole : Decimal
        What is shared, and the fraction part / whole of it. The caller keeps ``amount - share``, so nothing is lost.

    Returns
    -------
    Decimal
        The part's share.

    Examples
    --------
    >>> first = share(Decimal(10), Decimal(1), Decimal(3))
    >>> first, Decimal(10) - first
    (Decimal('3.333333333333333333'), Decimal('6.666666666666666667'))
    """
    if part == whole:
        return amount
    return rounded(_WIDE.divide(_WIDE.multiply(amount, part), whole))


def rounded(value: Decimal) -> Decimal:
    """Return a number with at most 18 decimals, half to even.

    Examples
    --------
    >>> rounded(Decimal("1.23")), rounded(Decimal("1.2345678901234567895"))
    (Decimal('1.23'), Decimal('1.234567890123456790'))
    """
    exponent = value.as_tuple().exponent
    return value.quantize(_STEP, context=_WIDE) if isinstance(exponent, int) and exponent < -DECIMALS_MAX else value


def quotient(amount: Decimal, whole: Decimal) -> Decimal:
    """Return amount / whole with 28 digits, to be shown or compared; never to be added up.

    Examples
    --------
    >>> quotient(Decimal(1030), Decimal(100))
    Decimal('10.3')
    """
    return _SHOWN.divide(amount, whole)


@dataclass(frozen=True, slots=True)
class Rates:
    """What one unit of each currency is worth in the base currency.

    Attributes
    ----------
    base : str
        The currency that everything is told in.
    per_unit : mapping of str to Decimal
        Currency to its price in the base currency, > 0: {"EUR": "1.08"} with the base USD. The base itself is 1.

    Examples
    --------
    >>> rates = Rates("USD", {"EUR": "1.08"})
    >>> rates.to_base(Decimal(100), "EUR")
    Decimal('108.00')
    """

    base: str
    per_unit: Mapping[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = {name: as_decimal(rate, f"the rate of {name}", "positive") for name, rate in self.per_unit.items()}
        if found.get(self.base, Decimal(1)) != 1:
            raise InputError(f"the rate of the base currency {self.base} is {found[self.base]}, expected 1")
        object.__setattr__(self, "per_unit", MappingProxyType({**found, self.base: Decimal(1)}))

    def of(self, currency: str) -> Decimal:
        """Return what one unit of a currency is worth in the base currency.

        Raises
        ------
        InputError
            If there is no rate for it.
        """
        if currency not in self.per_unit:
            known = ", ".join(sorted(self.per_unit))
            raise InputError(f"there is no rate from {currency} to {self.base}; known: {known}")
        return self.per_unit[currency]

    def to_base(self, amount: Decimal, currency: str) -> Decimal:
        """Return an amount of a currency in the base currency, exactly."""
        return _EXACT.multiply(amount, self.of(currency))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Rates, (self.base, dict(self.per_unit)))
