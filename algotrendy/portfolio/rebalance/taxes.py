"""Tax in rebalancing: which lots a sale closes, losses that are harvested, gains that are deferred. Not tax advice.

Starting from the trades of the method, single steps are tried in the order of the tax that they save per unit of value:
leave out a purchase that would take back a loss, sell more where units are at a loss, sell less where they are at a
gain. A step is taken as far as the tracking error against the targets stays within its bound.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.fill import Fill, Side
from algotrendy.domain.money import as_decimal, quotient, rounded
from algotrendy.domain.types import Float2D
from algotrendy.errors import InputError
from algotrendy.portfolio.lot import Closing, Lot, LotMethod, choose_lots, pooled, tax_per_unit
from algotrendy.portfolio.lots import LotBook
from algotrendy.portfolio.rebalance.cost_aware import covariance_of
from algotrendy.portfolio.rebalance.methods import Drift
from algotrendy.portfolio.rebalance.sizing import Asset, Sizes, Terms, cut_to_cash, noted
from algotrendy.portfolio.tax import TaxRules
from algotrendy.portfolio.tax_rows import TaxSummary, tax_summary

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TaxOptimization", "TaxOutcome", "TaxView", "optimized"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaxOptimization:
    """What a plan has to know to look at tax.

    Attributes
    ----------
    book : LotBook
        The lots of all that is held, in the base currency, with the wash rule that applies.
    rules : TaxRules
        The rates.
    covariance : DataFrame or None
        Of the instruments' returns per year. None: lots are chosen, nothing is harvested or deferred.
    tracking_error_max : float
        Bound on the tracking error per year that harvesting and deferring may lead to. Where the method's own trades
        are already further away, they may not increase it.
    minimum_loss : Decimal
        Smallest loss of an instrument's units, in money, that is worth harvesting.
    substitutes : mapping of str to str
        What is bought with the proceeds of a harvest: an instrument that is not substantially identical. It needs a
        price, and a place in the covariance; give it the target 0 if it has none.
    method : LotMethod
        Which lots a sale closes.
    """

    book: LotBook
    rules: TaxRules
    covariance: pd.DataFrame | None = None
    tracking_error_max: float = 0.01
    minimum_loss: Decimal = Decimal(0)
    substitutes: Mapping[str, str] = field(default_factory=dict)
    method: LotMethod = LotMethod.MINIMUM_TAX

    def __post_init__(self) -> None:
        object.__setattr__(self, "minimum_loss", as_decimal(self.minimum_loss, "minimum_loss", "not negative"))
        object.__setattr__(self, "method", LotMethod(self.method))
        if not (np.isfinite(self.tracking_error_max) and self.tracking_error_max >= 0):
            raise InputError(f"tracking_error_max is {self.tracking_error_max}, expected a fraction >= 0")
        if self.method is LotMethod.SPECIFIC:
            raise InputError('a plan chooses lots by a method; "specific" names them for a single fill')


@dataclass(frozen=True, slots=True)
class TaxOutcome:
    """What trades realise: gains and losses, the change of the year's tax, and what must not be bought back."""

    realised: TaxSummary
    tax: Decimal
    no_purchase_until: Mapping[str, datetime.date]


@dataclass(frozen=True, slots=True)
class _Step:
    """A change of one instrument's trade by `direction` x up to `size` units, and what it saves per unit of value.

    `of_sales`: it starts from what is sold, and a purchase of the same instrument is dropped.
    """

    name: str
    direction: int
    size: Decimal
    saves: Decimal
    note: str
    of_sales: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxView:
    """The lots and the plan's facts, seen together."""

    options: TaxOptimization
    assets: Mapping[str, Asset]
    terms: Terms
    drift: Drift
    at: datetime.datetime

    @classmethod
    def of(
        cls,
        options: TaxOptimization,
        assets: Mapping[str, Asset],
        terms: Terms,
        drift: Drift,
        at: datetime.datetime,
    ) -> TaxView:
        """Return the view, once the lots are known to be those of what is held.

        Raises
        ------
        InputError
            If lots and positions differ, or a substitute is not among the instruments.
        """
        for name, asset in assets.items():
            if options.book.quantity(name) != asset.quantity:
                raise InputError(
                    f"the book has lots of {options.book.quantity(name)} {name}, the portfolio holds {asset.quantity}"
                )
        unknown = [other for name, other in options.substitutes.items() if name in assets and other not in assets]
        if unknown:
            raise InputError(f"the substitute {unknown[0]} is no target; give it a price and the target 0")
        return cls(options=options, assets=assets, terms=terms, drift=drift, at=at)

    @property
    def covariance(self) -> pd.DataFrame | None:
        """The covariance that came with the options."""
        return self.options.covariance

    @property
    def day(self) -> datetime.date:
        """The day of the plan, as the book counts days."""
        from zoneinfo import ZoneInfo

        return self.at.astimezone(ZoneInfo(self.options.book.time_zone)).date()

    def price(self, name: str) -> Decimal:
        """Return the price of an instrument in the base currency."""
        return rounded(self.assets[name].price * self.assets[name].rate)

    def closing(self, name: str, quantity: Decimal) -> list[tuple[Lot, Decimal]]:
        """Return the lots that a trade of a signed quantity closes."""
        held = self.assets[name].quantity
        if held * quantity >= 0:
            return []
        size = min(abs(quantity), abs(held))
        closing = Closing(
            quantity=size, price=self.price(name), on=self.day, method=self.options.method, rules=self.options.rules
        )
        lots = self.options.book.lots[name]
        return choose_lots(pooled(lots) if self.options.method is LotMethod.AVERAGE else lots, closing)

    def lots_of(self, name: str, quantity: Decimal) -> dict[str, Decimal]:
        """Return lot ids and quantities that a trade closes."""
        return {lot.lot_id: taken for lot, taken in self.closing(name, quantity)}

    def after(self, quantities: Mapping[str, Decimal]) -> LotBook:
        """Return the book after trades at the plan's prices, sales first."""
        book = replace(self.options.book, rules=self.options.rules)
        sales_first = sorted(quantities, key=lambda name: quantities[name] > 0)
        for name in sales_first:
            quantity, asset = quantities[name], self.assets[name]
            value = abs(quantity) * asset.unit_value
            fill = Fill(
                execution_id=f"plan:{name}",
                instrument=name,
                side=Side.BUY if quantity > 0 else Side.SELL,
                quantity=abs(quantity),
                price=self.price(name),
                commission=rounded(self.terms.cost.of(name, quantity=abs(quantity), value=value)),
                currency=book.lots[name][0].currency if book.lots.get(name) else asset.currency,
                multiplier=asset.multiplier,
                filled_at=self.at,
            )
            book = book.with_fill(fill, method=self.options.method)
        return book

    def outcome(self, sizes: Sizes) -> TaxOutcome:
        """Return what the trades of a plan realise."""
        book, rules = self.options.book, self.options.rules
        after = self.after(sizes.quantities)
        year = self.day.year
        taxes = [tax_summary(one.disposals, rules, year=year).tax for one in (book, after)]
        until = {
            name: day
            for name in sizes.quantities
            if (day := after.washed_until(name, self.day)) is not None and sizes.quantities[name] < 0
        }
        return TaxOutcome(tax_summary(after.disposals[len(book.disposals) :], rules), taxes[1] - taxes[0], until)


def optimized(sizes: Sizes, view: TaxView) -> Sizes:
    """Return trades with less tax, within the bound on the tracking error."""
    if view.covariance is None:
        return sizes
    names = list(view.drift.targets)
    matrix = covariance_of(view.covariance, names)
    start = _tracking_error(sizes.quantities, view, matrix)
    bound = max(view.options.tracking_error_max, start) + 1e-12
    for step in _avoided_purchases(sizes, view) + _harvests_and_deferrals(sizes, view):
        sizes = _taken(sizes, step, view, lambda found: _tracking_error(found, view, matrix) <= bound)
    return sizes


def _tracking_error(quantities: Mapping[str, Decimal], view: TaxView, matrix: Float2D) -> float:
    away = np.array(
        [
            float((asset.quantity + quantities.get(name, Decimal(0))) * asset.unit_value / view.terms.value - target)
            for (name, target), asset in zip(
                view.drift.targets.items(), (view.assets[name] for name in view.drift.targets), strict=True
            )
        ]
    )
    return float(np.sqrt(max(away @ matrix @ away, 0.0)))


def _avoided_purchases(sizes: Sizes, view: TaxView) -> list[_Step]:
    """Return steps that leave out purchases which would take back a loss."""
    found = []
    for name, quantity in sizes.quantities.items():
        until = view.options.book.washed_until(name, view.day) if quantity > 0 else None
        if until is not None:
            note = f"not bought: a loss would be taken back until {until}"
            found.append(_Step(name, -1, quantity, Decimal(1), note, of_sales=False))
    return found


def _harvests_and_deferrals(sizes: Sizes, view: TaxView) -> list[_Step]:
    """Return steps that sell more units at a loss or fewer at a gain, those that save most first."""
    steps = []
    for name, asset in view.assets.items():
        if asset.quantity <= 0:
            continue  # a short position's gains have no term of their own to wait for
        sold = max(-sizes.quantities.get(name, Decimal(0)), Decimal(0))
        closed = view.closing(name, -asset.quantity)
        at_loss = [(lot, size) for lot, size in closed if lot.gain_per_unit(view.price(name)) < 0]
        loss = -sum((lot.gain_per_unit(view.price(name)) * size for lot, size in at_loss), Decimal(0))
        place = Decimal(0)
        for lot, size in closed:
            first, last = place, place + size
            place = last
            tax = tax_per_unit(lot, view.price(name), view.day, view.options.rules)
            saves = quotient(abs(tax), asset.unit_value)
            if tax < 0 and last > sold and loss > view.options.minimum_loss:
                steps.append(_Step(name, -1, last - max(first, sold), saves, "units at a loss are sold"))
            elif tax > 0 and first < sold:
                steps.append(_Step(name, 1, min(last, sold) - first, saves, "units at a gain are kept for now"))
    return sorted(steps, key=lambda step: -step.saves)


def _taken(sizes: Sizes, step: _Step, view: TaxView, is_within: Callable[[Mapping[str, Decimal]], bool]) -> Sizes:
    """Return the trades with as much of a step as the bound allows; nothing of it where it would be of no use."""
    lot = view.assets[step.name].lot_size

    def changed(size: Decimal) -> Sizes | None:
        found = _changed(sizes, step, size, view)
        return found if found is not None and is_within(found.quantities) else None

    whole = changed(step.size)
    if whole is not None:
        return whole
    low, high = Decimal(0), quotient(step.size, lot).to_integral_value(rounding=ROUND_DOWN)
    best: Sizes | None = None
    while low < high:
        middle = ((low + high + 1) / 2).to_integral_value(rounding=ROUND_DOWN)
        found = changed(middle * lot)
        if found is None:
            high = middle - 1
        else:
            low, best = middle, found
    return sizes if best is None else best


def _changed(sizes: Sizes, step: _Step, size: Decimal, view: TaxView) -> Sizes | None:
    name = step.name
    planned = sizes.quantities.get(name, Decimal(0))
    quantity = min(planned, Decimal(0)) if step.of_sales else planned
    quantity += step.direction * size
    quantities: dict[str, Any] = {**sizes.quantities, name: quantity}
    is_harvest = step.direction < 0 and quantity < 0
    if step.of_sales and not _saves(name, quantity, planned, view, is_harvest):
        return None
    other = view.options.substitutes.get(name)
    notes = {**sizes.notes, name: noted(sizes.notes, name, step.note)}
    if is_harvest and other is not None:
        asset = view.assets[other]
        units = quotient(size * view.assets[name].unit_value, asset.unit_value * asset.lot_size)
        bought = units.to_integral_value(rounding=ROUND_DOWN) * asset.lot_size
        quantities[other] = quantities.get(other, Decimal(0)) + bought
        notes[other] = noted(notes, other, f"it stands in for {name}")
    dropped = {key: why for key, why in sizes.dropped.items() if key not in (name, other)}
    if not quantity:
        dropped[name] = step.note
    if abs(quantity) * view.assets[name].unit_value < view.terms.minimum_trade and quantity:
        return None
    left = {key: one for key, one in quantities.items() if one}
    return cut_to_cash(replace(sizes, quantities=left, notes=notes, dropped=dropped), view.assets, view.terms)


def _saves(name: str, quantity: Decimal, planned: Decimal, view: TaxView, is_harvest: bool) -> bool:
    """Return whether a changed trade has less tax than the planned one, wash sales counted.

    A harvest may not disallow more: it would only move loss into other lots.
    """
    tax, disallowed = _tax(name, min(quantity, Decimal(0)), view)
    before, disallowed_before = _tax(name, min(planned, Decimal(0)), view)
    return tax < before and not (is_harvest and disallowed > disallowed_before)


def _tax(name: str, sold: Decimal, view: TaxView) -> tuple[Decimal, Decimal]:
    """Return the tax on a sale, a loss counting as negative, and the loss that it disallows."""
    rules = view.options.rules
    rows = view.after({name: sold} if sold else {}).disposals[len(view.options.book.disposals) :]
    tax = sum((row.taxable_gain * rules.rate(row.is_long_term(rules)) for row in rows), Decimal(0))
    return tax, sum((row.disallowed for row in rows), Decimal(0))
