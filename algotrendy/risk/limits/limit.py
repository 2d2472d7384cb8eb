"""Limits as data: a kind, the largest value that is allowed, and what it covers. They travel as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from algotrendy.errors import InputError
from algotrendy.risk.limits.book import decimal_of

__all__ = ["Limit", "LimitKind", "limits_from"]


class LimitKind(StrEnum):
    """What a limit measures; `docs/reference/risk-limits` has the table with units."""

    POSITION = "position"
    POSITION_VALUE = "position_value"
    CONCENTRATION = "concentration"
    SECTOR = "sector"
    GROSS_LEVERAGE = "gross_leverage"
    NET_LEVERAGE = "net_leverage"
    BETA = "beta"
    VALUE_AT_RISK = "value_at_risk"
    EXPECTED_SHORTFALL = "expected_shortfall"
    BORROWING = "borrowing"
    LONG_ONLY = "long_only"
    ORDER_QUANTITY = "order_quantity"
    ORDER_VALUE = "order_value"
    ORDER_SIZE = "order_size"
    TURNOVER = "turnover"
    PARTICIPATION = "participation"
    PRICE_COLLAR = "price_collar"
    ORDER_RATE = "order_rate"
    RESTRICTED = "restricted"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"


_WITHOUT_VALUE = (LimitKind.LONG_ONLY, LimitKind.RESTRICTED)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The largest value of something.

    Attributes
    ----------
    kind : LimitKind
        What is measured. A text such as "gross_leverage" is turned into one.
    limit : Decimal
        The largest value allowed, >= 0, in the unit of the kind: leverage 1.5 is one and a half times the equity, a
        daily loss of 0.02 is 2 % of the equity at the day's beginning. `long_only` and `restricted` need none.
    symbols : frozenset of str
        The instruments that it covers; empty: all. For `restricted` the list itself.
    sectors : frozenset of str
        The sectors that it covers; empty: all.
    seconds : float or None
        The window of `order_rate`.
    name : str
        How it is called in a result. Default: the kind.
    binds_closing : bool
        Whether it also denies an order that only closes. By default no limit does; a collar on prices or a rate of
        orders may be meant to.

    Examples
    --------
    >>> Limit(kind="concentration", limit=0.2).limit
    Decimal('0.2')
    >>> Limit.from_dict({"kind": "order_rate", "limit": 60, "seconds": 60}).as_dict()
    {'kind': 'order_rate', 'limit': '60', 'seconds': 60.0}
    """

    kind: LimitKind
    limit: Decimal = Decimal(0)
    symbols: frozenset[str] = frozenset()
    sectors: frozenset[str] = frozenset()
    seconds: float | None = None
    name: str = ""
    binds_closing: bool = False

    def __post_init__(self) -> None:
        put = object.__setattr__
        try:
            put(self, "kind", LimitKind(self.kind))
        except ValueError:
            raise InputError(f"kind of a limit is {self.kind!r}; expected one of {', '.join(LimitKind)}") from None
        put(self, "limit", decimal_of(f"limit of {self.kind}", self.limit, least=Decimal(0)))
        for name in ("symbols", "sectors"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise InputError(f"{name} of {self.kind} is the text {value!r}; give a list: [{value!r}]")
            put(self, name, frozenset(value))
        put(self, "name", self.name or str(self.kind))
        if self.kind in _WITHOUT_VALUE and self.limit:
            raise InputError(f"{self.kind} needs no limit, found {self.limit}; leave it out")
        if (self.kind is LimitKind.ORDER_RATE) != (self.seconds is not None):
            raise InputError(f"{self.kind} with seconds={self.seconds}; order_rate needs seconds=, no other kind does")
        if self.seconds is not None:
            put(self, "seconds", float(decimal_of("seconds", self.seconds, above=Decimal(0))))
        if self.kind is LimitKind.RESTRICTED and not self.symbols:
            raise InputError("a restricted list needs symbols=, an empty one covers nothing")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Limit:
        """Return the limit that `as_dict` described.

        Raises
        ------
        InputError
            If a key is unknown or a value is out of its range.
        """
        unknown = sorted(set(data) - set(cls.__dataclass_fields__))
        if unknown or "kind" not in data:
            found = ", ".join(map(str, sorted(data)))
            raise InputError(
                f"a limit has the keys {', '.join(cls.__dataclass_fields__)}, at least kind; found {found}"
            )
        return cls(**data)

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can say; the limit is a text, so that no digit is lost."""
        shown: dict[str, Any] = {"kind": str(self.kind), "limit": str(self.limit)}
        if self.symbols:
            shown["symbols"] = sorted(self.symbols)
        if self.sectors:
            shown["sectors"] = sorted(self.sectors)
        if self.seconds is not None:
            shown["seconds"] = self.seconds
        if self.name != str(self.kind):
            shown["name"] = self.name
        if self.binds_closing:
            shown["binds_closing"] = True
        return shown


def limits_from(data: Iterable[Limit | Mapping[str, Any]]) -> tuple[Limit, ...]:
    """Return limits from limits or their descriptions.

    Raises
    ------
    InputError
        If one is none, or two have the same name: a result could not tell them apart.

    Examples
    --------
    >>> [limit.name for limit in limits_from([{"kind": "drawdown", "limit": "0.2"}, Limit(kind="long_only")])]
    ['drawdown', 'long_only']
    """
    found = tuple(one if isinstance(one, Limit) else Limit.from_dict(one) for one in data)
    names: set[str] = set()
    for limit in found:
        if limit.name in names:
            raise InputError(f"two limits are called {limit.name!r}; give one of them another name=")
        names.add(limit.name)
    return found
