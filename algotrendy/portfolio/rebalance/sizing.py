"""From wanted weights to quantities that can be traded: whole lots, small trades left out, never more than the cash.

The order of the steps is the order of `sized`: wanted values less the expected cost, the cap on turnover, whole lots
(towards zero), the smallest trade, and last what the cash allows, which cuts all purchases alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from algotrendy.domain.money import quotient
from algotrendy.errors import InputError
from algotrendy.portfolio.rebalance.costs import TradingCost

__all__ = ["Asset", "Sizes", "Terms", "cut_to_cash", "noted", "sized"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """What has to be known of an instrument to trade it.

    Attributes
    ----------
    quantity : Decimal
        Held, signed.
    price : Decimal
        In its own currency.
    currency : str
        Of the price.
    multiplier : Decimal
        The value of one unit at a price of 1.
    rate : Decimal
        Of its currency to the base currency.
    lot_size : Decimal
        The step of quantities.
    """

    quantity: Decimal
    price: Decimal
    currency: str
    multiplier: Decimal
    rate: Decimal
    lot_size: Decimal

    @property
    def unit_value(self) -> Decimal:
        """What one unit is worth in the base currency."""
        return self.price * self.multiplier * self.rate

    @property
    def value(self) -> Decimal:
        """What is held is worth, in the base currency."""
        return self.quantity * self.unit_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What trades have to keep to.

    Attributes
    ----------
    value : Decimal
        Of the whole portfolio, in the base currency.
    cash : Decimal
        Of it, in the base currency.
    cash_target : Decimal
        Fraction that purchases may not touch; below 0: so much may be borrowed.
    cost : TradingCost
        What trading costs.
    minimum_trade : Decimal
        Smaller trades are left out; in the base currency.
    turnover_max : Decimal or None
        Largest (purchases + sales) / 2 as a fraction of the portfolio.
    """

    value: Decimal
    cash: Decimal
    cash_target: Decimal
    cost: TradingCost
    minimum_trade: Decimal = Decimal(0)
    turnover_max: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """Signed quantities to trade, and what was changed on the way.

    Attributes
    ----------
    quantities : mapping of str to Decimal
        Above 0 to buy, below to sell; without zeros.
    notes : mapping of str to str
        Why a quantity is not what was wanted.
    dropped : mapping of str to str
        Why nothing is left of it.
    """

    quantities: Mapping[str, Decimal]
    notes: Mapping[str, str]
    dropped: Mapping[str, str]


def sized(weights: Mapping[str, Decimal], assets: Mapping[str, Asset], terms: Terms) -> Sizes:
    """Return what to trade so that the instruments get these weights."""
    raw = _raw(weights, assets, terms, Decimal(0))
    for _ in range(20):
        # What trading costs is not there to be invested: wanted values are fractions of what is left.
        spent = _costs(raw, assets, terms)
        after = _raw(weights, assets, terms, spent)
        is_settled = abs(_costs(after, assets, terms) - spent) * 10**9 <= abs(terms.value)
        raw = after
        if is_settled:
            break
    notes: dict[str, str] = {}
    raw = _capped(raw, assets, terms, notes)
    lots = {name: _in_lots(quantity, assets[name]) for name, quantity in raw.items()}
    dropped = {name: "less than one lot" for name, quantity in lots.items() if raw[name] and not quantity}
    dropped |= {name: "nothing to trade" for name, quantity in raw.items() if not quantity}
    sizes = Sizes({name: quantity for name, quantity in lots.items() if quantity}, notes, dropped)
    return cut_to_cash(_without_small(sizes, assets, terms), assets, terms)


def cut_to_cash(sizes: Sizes, assets: Mapping[str, Asset], terms: Terms) -> Sizes:
    """Return the trades with all purchases cut alike, so that the cash target is kept after all costs."""
    for _ in range(100):
        lacking = -_spare(sizes.quantities, assets, terms)
        bought = {name: quantity for name, quantity in sizes.quantities.items() if quantity > 0}
        if lacking <= 0 or not bought:
            return sizes
        spent = sum((_value(name, quantity, assets) for name, quantity in bought.items()), Decimal(0))
        spent += _costs(bought, assets, terms)
        kept = max(quotient(spent - lacking, spent), Decimal(0))
        cut = {name: _in_lots(quantity * kept, assets[name]) for name, quantity in bought.items()}
        if cut == bought:  # less than a lot is lacking: the largest purchase gives one up
            largest = max(bought, key=lambda name: _value(name, bought[name], assets))
            cut[largest] -= min(assets[largest].lot_size, bought[largest])
        quantities = {**sizes.quantities, **cut}
        notes = dict(sizes.notes)
        for name in cut:
            notes[name] = noted(notes, name, "purchases are cut to the cash that there is")
        dropped = {**sizes.dropped, **{name: "no cash for it" for name, quantity in cut.items() if not quantity}}
        left = {name: quantity for name, quantity in quantities.items() if quantity}
        sizes = _without_small(Sizes(left, notes, dropped), assets, terms)
    return sizes


def noted(notes: Mapping[str, str], name: str, text: str) -> str:
    """Return what is noted of an instrument with something added, once."""
    parts = notes[name].split("; ") if name in notes else []
    return "; ".join(dict.fromkeys([*parts, text]))


def _raw(
    weights: Mapping[str, Decimal], assets: Mapping[str, Asset], terms: Terms, spent: Decimal
) -> dict[str, Decimal]:
    found = {}
    for name, weight in weights.items():
        asset = assets[name]
        if asset.unit_value <= 0:
            raise InputError(f"{name} is worth {asset.unit_value} a unit; only what is above 0 can be given a weight")
        whole = quotient(weight * (terms.value - spent), asset.unit_value)
        found[name] = -asset.quantity if weight == 0 else whole - asset.quantity
    return found


def _value(name: str, quantity: Decimal, assets: Mapping[str, Asset]) -> Decimal:
    return abs(quantity) * assets[name].unit_value


def _costs(quantities: Mapping[str, Decimal], assets: Mapping[str, Asset], terms: Terms) -> Decimal:
    return sum(
        (
            terms.cost.of(name, quantity=abs(quantity), value=_value(name, quantity, assets))
            for name, quantity in quantities.items()
        ),
        Decimal(0),
    )


def _spare(quantities: Mapping[str, Decimal], assets: Mapping[str, Asset], terms: Terms) -> Decimal:
    """Return the cash above its target after these trades."""
    costs = _costs(quantities, assets, terms)
    traded = sum((quantity * assets[name].unit_value for name, quantity in quantities.items()), Decimal(0))
    return terms.cash - traded - costs - terms.cash_target * (terms.value - costs)


def _capped(
    raw: dict[str, Decimal], assets: Mapping[str, Asset], terms: Terms, notes: dict[str, str]
) -> dict[str, Decimal]:
    turnover = sum((_value(name, quantity, assets) for name, quantity in raw.items()), Decimal(0)) / 2
    if terms.turnover_max is None or turnover <= terms.turnover_max * terms.value:
        return raw
    kept = quotient(terms.turnover_max * terms.value, turnover)
    for name in raw:
        notes[name] = noted(notes, name, f"all trades are cut to a turnover of {terms.turnover_max}")
    return {name: quantity * kept for name, quantity in raw.items()}


def _in_lots(quantity: Decimal, asset: Asset) -> Decimal:
    """Round towards zero to whole lots; a position that is closed whole is closed whatever its size."""
    if quantity == -asset.quantity:
        return quantity
    lots = quotient(quantity, asset.lot_size).quantize(Decimal("1e-9")).to_integral_value(rounding=ROUND_DOWN)
    return lots * asset.lot_size


def _without_small(sizes: Sizes, assets: Mapping[str, Asset], terms: Terms) -> Sizes:
    small = [name for name, one in sizes.quantities.items() if _value(name, one, assets) < terms.minimum_trade]
    why = f"less than the smallest trade, {terms.minimum_trade}"
    return Sizes(
        {name: quantity for name, quantity in sizes.quantities.items() if name not in small},
        {name: note for name, note in sizes.notes.items() if name not in small},
        {**sizes.dropped, **dict.fromkeys(small, why)},
    )
