"""Named sets of limits to begin with. The numbers are conventions of this library, not advice."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from algotrendy.errors import InputError
from algotrendy.risk.limits.limit import Limit, LimitKind

__all__ = ["PROFILES", "RiskProfile", "profile"]


class RiskProfile(StrEnum):
    """How much a portfolio may risk."""

    CONSERVATIVE = "conservative"
    MODERATE = "moderate"
    AGGRESSIVE = "aggressive"


_K = LimitKind
_THREE: tuple[tuple[LimitKind, tuple[str, str, str]], ...] = (
    (_K.CONCENTRATION, ("0.10", "0.20", "0.40")),
    (_K.SECTOR, ("0.30", "0.50", "1.00")),
    (_K.GROSS_LEVERAGE, ("1.00", "1.50", "3.00")),
    (_K.NET_LEVERAGE, ("1.00", "1.20", "2.00")),
    (_K.ORDER_SIZE, ("0.05", "0.10", "0.25")),
    (_K.TURNOVER, ("0.50", "1.00", "4.00")),
    (_K.PRICE_COLLAR, ("0.03", "0.05", "0.10")),
    (_K.DAILY_LOSS, ("0.02", "0.03", "0.06")),
    (_K.DRAWDOWN, ("0.10", "0.20", "0.35")),
)
_ORDERS_PER_MINUTE = (30, 60, 300)


def _made(place: int) -> tuple[Limit, ...]:
    limits = [Limit(kind=kind, limit=values[place]) for kind, values in _THREE]  # type: ignore[arg-type] # made Decimal
    limits.append(Limit(kind=_K.ORDER_RATE, limit=_ORDERS_PER_MINUTE[place], seconds=60.0))  # type: ignore[arg-type]
    if place == 0:
        limits += [Limit(kind=_K.LONG_ONLY), Limit(kind=_K.BORROWING)]
    return tuple(limits)


PROFILES: Mapping[RiskProfile, tuple[Limit, ...]] = {name: _made(place) for place, name in enumerate(RiskProfile)}
"""The limits of each profile: they need of the book equity, the day's first and the highest equity, and the orders of
the last minute; `conservative` allows neither shorts nor borrowed cash."""


def profile(name: str) -> tuple[Limit, ...]:
    """Return the limits of a profile.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> [str(limit.limit) for limit in profile("moderate") if limit.kind == "daily_loss"]
    ['0.03']
    """
    try:
        return PROFILES[RiskProfile(name)]
    except ValueError:
        raise InputError(f"there is no risk profile {name!r}; expected one of {', '.join(RiskProfile)}") from None
