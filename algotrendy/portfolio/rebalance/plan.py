"""A plan of rebalancing: what would be done, what it is expected to cost, and why. Nothing is sent."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from algotrendy.domain.fill import Side
from algotrendy.portfolio.tax_rows import TaxSummary  # not for types alone: stored plans are read by their annotations

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PlannedOrder", "RebalancePlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrder:
    """One order of a plan.

    Attributes
    ----------
    client_order_id : str
        Made once, from the plan: sending it again cannot trade twice.
    instrument : str
        What.
    side : Side
        Which way.
    quantity : Decimal
        In units, > 0.
    price : Decimal
        At which it was planned, in `currency`.
    currency : str
        Of the instrument.
    multiplier : Decimal
        The value of one unit at a price of 1.
    rate : Decimal
        Of its currency to the base currency.
    value, cost : Decimal
        Expected, in the base currency, >= 0.
    lots : mapping of str to Decimal
        Lot id to quantity: the lots that a sale closes, where tax was looked at; else empty.
    reasons : tuple of str
        Why, and why so much.
    """

    client_order_id: str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal
    currency: str
    multiplier: Decimal
    rate: Decimal
    value: Decimal
    cost: Decimal
    lots: Mapping[str, Decimal] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalancePlan:
    """Orders, and what they do to the portfolio if they are filled at the prices of the plan.

    Attributes
    ----------
    plan_id : str
        A hash of all that went in: the same call gives the same plan and the same order ids.
    at : datetime
        The moment for which it was made.
    method : str
        Name of the method.
    base_currency : str
        The currency of values, costs and tax.
    orders : tuple of PlannedOrder
        Sales first.
    left_alone : mapping of str to str
        Instruments that are not traded, and why.
    value : Decimal
        Of the portfolio before.
    cash_before, cash_after : Decimal
        In the base currency.
    weights_before, weights_target, weights_after : mapping of str to Decimal
        Fractions of the portfolio; what is missing to 1 is cash.
    expected_cost : Decimal
        Of all orders.
    turnover : Decimal
        (Purchases + sales) / 2 as a fraction of the portfolio.
    realised : TaxSummary or None
        Gains and losses that the orders realise; None where no lots were given.
    expected_tax : Decimal or None
        What the year's tax grows by, with what was realised before in that year; below 0: it shrinks.
    tracking_error_before, tracking_error_after : float or None
        Root of (w - target)' C (w - target), per year; None where no covariance was given.
    no_purchase_until : mapping of str to date
        Instruments sold at a loss that a purchase up to that day would take back.
    """

    plan_id: str
    at: datetime.datetime
    method: str
    base_currency: str
    orders: tuple[PlannedOrder, ...]
    left_alone: Mapping[str, str]
    value: Decimal
    cash_before: Decimal
    cash_after: Decimal
    weights_before: Mapping[str, Decimal]
    weights_target: Mapping[str, Decimal]
    weights_after: Mapping[str, Decimal]
    expected_cost: Decimal
    turnover: Decimal
    realised: TaxSummary | None = None
    expected_tax: Decimal | None = None
    tracking_error_before: float | None = None
    tracking_error_after: float | None = None
    no_purchase_until: Mapping[str, datetime.date] = field(default_factory=dict)

    def frame(self) -> pd.DataFrame:
        """Return one row for each instrument.

        Columns: side, quantity, price, value, cost (of the order, None without one), weight_before, weight_target,
        weight_after, reason.
        """
        import pandas as pd

        orders = {order.instrument: order for order in self.orders}
        rows = []
        for name in self.weights_target:
            order = orders.get(name)
            trade = (
                [None] * 5 if order is None else [str(order.side), order.quantity, order.price, order.value, order.cost]
            )
            reason = self.left_alone.get(name, "") if order is None else "; ".join(order.reasons)
            weights = [source[name] for source in (self.weights_before, self.weights_target, self.weights_after)]
            rows.append([*trade, *(round(float(weight), 6) for weight in weights), reason])
        names = (
            "side",
            "quantity",
            "price",
            "value",
            "cost",
            "weight_before",
            "weight_target",
            "weight_after",
            "reason",
        )
        index = pd.Index(list(self.weights_target), name="instrument", dtype=object)
        return pd.DataFrame(rows, index=index, columns=pd.Index(names), dtype=object)

    def summary(self) -> str:
        """Return the plan in a few lines."""
        lines = [
            f"{self.method} of {self.value:.2f} {self.base_currency} at {self.at:%Y-%m-%d}: {len(self.orders)} orders, "
            f"turnover {self.turnover:.2%}, expected cost {self.expected_cost:.2f}"
        ]
        if self.realised is not None and self.expected_tax is not None:
            lines.append(
                f"realises {self.realised.short_term:.2f} short-term and {self.realised.long_term:.2f} long-term; "
                f"the year's tax changes by {self.expected_tax:.2f}"
            )
        if self.tracking_error_before is not None and self.tracking_error_after is not None:
            lines.append(
                f"tracking error {self.tracking_error_before:.2%} before, {self.tracking_error_after:.2%} after"
            )
        lines += [
            f"  {order.side} {order.quantity} {order.instrument} at {order.price} ({'; '.join(order.reasons)})"
            for order in self.orders
        ]
        return "\n".join(lines)
