"""What a fill costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

from algotrendy.errors import InputError

__all__ = ["Fees", "as_fees"]


@dataclass(frozen=True)
class Fees:
    """The commission of one fill: `max(minimum, rate x notional + per_unit x units + fixed)`.

    Parameters
    ----------
    rate : float
        Share of the notional (units x price), as a fraction: 0.0005 is 5 basis points.
    per_unit : float
        Currency per unit (share, coin, contract) traded.
    fixed : float
        Currency per fill.
    minimum : float
        The least that a fill costs, in currency.

    Raises
    ------
    InputError
        If a number is negative, not finite, or `rate` is 1 or more.

    Examples
    --------
    Half a cent per share, at least one dollar:

    >>> fees = Fees(per_unit=0.005, minimum=1.0)
    >>> fees.of(units=100, price=50.0), fees.of(units=1_000, price=50.0)
    (1.0, 5.0)
    """

    rate: float = 0.0
    per_unit: float = 0.0
    fixed: float = 0.0
    minimum: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, as_cost(field.name, getattr(self, field.name)))
        if self.rate >= 1.0:
            raise InputError(f"rate is {self.rate:g}; it is a fraction of the notional, so 0.1 % is 0.001")

    def of(self, units: float, price: float) -> float:
        """Return the commission of a fill of `units` at `price`, in currency."""
        size = abs(units)
        return max(self.minimum, self.rate * (size * price) + self.per_unit * size + self.fixed)


def as_cost(name: str, value: Any) -> float:
    """Return a cost as a float.

    Raises
    ------
    InputError
        If it is not a number, negative, or not finite.

    Examples
    --------
    >>> as_cost("slippage", -0.001)
    Traceback (most recent call last):
        ...
    algotrendy.errors.InputError: slippage is -0.001; use a number of zero or more
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError(f"{name} is {value!r}; use a number of zero or more")
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise InputError(f"{name} is {value!r}; use a number of zero or more")
    return number


def as_fees(commission: float | Fees) -> Fees:
    """Return the fees that `commission` means: a plain number is the rate.

    Parameters
    ----------
    commission : float or Fees
        A fraction of the notional, or the whole schedule.

    Raises
    ------
    InputError
        If it is neither, or not allowed as a rate.

    Examples
    --------
    >>> as_fees(0.001)
    Fees(rate=0.001, per_unit=0.0, fixed=0.0, minimum=0.0)
    """
    if isinstance(commission, Fees):
        return commission
    rate = as_cost("commission", commission)
    if rate >= 1.0:
        raise InputError(f"commission is {rate:g}; it is a fraction of the notional, so 0.1 % is 0.001")
    return Fees(rate=rate)
