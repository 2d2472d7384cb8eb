"""Numbers and choices of a call, checked once with the same words everywhere."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from algotrendy.errors import InputError

__all__ = ["choice", "hurdle", "level", "number", "positive", "share", "whole"]


def number(name: str, value: Any) -> float:
    """Return a finite or infinite number, but no truth and no text.

    Examples
    --------
    >>> number("threshold", 1)
    1.0
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InputError(f"{name} is {value!r}; use a number")
    return float(value)


def positive(name: str, value: Any) -> float:
    """Return a finite number above zero."""
    found = number(name, value)
    if not 0.0 < found < math.inf:
        raise InputError(f"{name} is {value!r}; use a number above zero, such as 252")
    return found


def whole(name: str, value: Any, least: int = 0) -> int:
    """Return a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(f"{name} is {value!r}; use a whole number of at least {least}")
    return int(value)


def share(name: str, value: Any, example: float) -> float:
    """Return a number strictly between 0 and 1."""
    found = number(name, value)
    if not 0.0 < found < 1.0:
        raise InputError(f"{name} is {value!r}; use a number between 0 and 1, such as {example}")
    return found


def level(value: Any) -> float:
    """Return the probability of the tail that a confidence level leaves: 0.95 gives 0.05, without noise of rounding."""
    return round(1.0 - share("confidence_level", value, 0.95), 15)


def choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Return a name that is among those allowed."""
    names = list(allowed)
    if value not in names:
        raise InputError(f"{name} is {value!r}; choose one of: {', '.join(names)}")
    return str(value)


def hurdle(risk_free_rate: Any, periods_per_year: float) -> float:
    """Return the risk-free return of one period, compounded to the annual one.

    Examples
    --------
    >>> round(hurdle(0.1025, 2.0), 12)
    0.05
    """
    rate = number("risk_free_rate", risk_free_rate)
    if not -1.0 < rate < math.inf:
        raise InputError(f"risk_free_rate is {risk_free_rate!r}; it is an annual fraction, so 3 % is 0.03")
    return float((1.0 + rate) ** (1.0 / periods_per_year) - 1.0)
