"""What trading is expected to cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from algotrendy.domain.money import as_decimal, exactly

__all__ = ["TradingCost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingCost:
    """Expected cost of an order: a fraction of its value, an amount per order, an amount per unit.

    Attributes
    ----------
    rate : Decimal
        Commission and half the spread as a fraction of the value: 0.0005 is 5 basis points.
    rates : mapping of str to Decimal
        Other rates for single instruments.
    per_order : Decimal
        In the base currency.
    per_unit : Decimal
        In the base currency, such as 0.005 a share.

    Examples
    --------
    >>> TradingCost(rate="0.0005", per_order=1).of("SPY", quantity=Decimal(10), value=Decimal(5000))
    Decimal('3.5000')
    """

    rate: Decimal = Decimal(0)
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    per_order: Decimal = Decimal(0)
    per_unit: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        for name in ("rate", "per_order", "per_unit"):
            object.__setattr__(self, name, as_decimal(getattr(self, name), f"{name} of the cost", "not negative"))
        rates = {name: as_decimal(rate, f"the cost of {name}", "not negative") for name, rate in self.rates.items()}
        object.__setattr__(self, "rates", rates)

    def rate_of(self, instrument: str) -> Decimal:
        """Return the fraction of an instrument."""
        return self.rates.get(instrument, self.rate)

    @exactly
    def of(self, instrument: str, *, quantity: Decimal, value: Decimal) -> Decimal:
        """Return the cost of an order of `quantity` units that are worth `value` in the base currency, both >= 0."""
        if not quantity:
            return Decimal(0)
        return self.rate_of(instrument) * value + self.per_order + self.per_unit * quantity
