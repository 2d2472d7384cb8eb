"""Making a plan: weights, sizes, tax, and the plan's words."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.fill import Side
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.money import Rates, as_decimal, quotient
from algotrendy.domain.portfolio import Holdings, Portfolio
from algotrendy.errors import InputError
from algotrendy.portfolio.rebalance.cost_aware import covariance_of
from algotrendy.portfolio.rebalance.costs import TradingCost
from algotrendy.portfolio.rebalance.methods import Drift, RebalanceMethod, Wanted, method_of
from algotrendy.portfolio.rebalance.plan import PlannedOrder, RebalancePlan
from algotrendy.portfolio.rebalance.sizing import Asset, Sizes, Terms, sized
from algotrendy.portfolio.rebalance.targets import check_targets
from algotrendy.portfolio.rebalance.taxes import TaxOptimization, TaxView, optimized

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["plan_rebalance"]


def plan_rebalance(
    portfolio: Portfolio,
    prices: Mapping[str, Any],
    targets: Mapping[str, Any],
    *,
    at: datetime.datetime,
    method: str | RebalanceMethod = "full_rebalance",
    rates: Rates | None = None,
    instruments: Mapping[str, Instrument] | Iterable[Instrument] = (),
    cost: TradingCost | None = None,
    minimum_trade: Any = 0,
    turnover_max: Any = None,
    allow_leverage: bool = False,
    allow_short: bool = False,
    tax_optimization: TaxOptimization | None = None,
    covariance: pd.DataFrame | None = None,
) -> RebalancePlan:
    """Return what would be traded to bring a portfolio towards target weights. Nothing is sent.

    Parameters
    ----------
    portfolio : Portfolio
        What is held.
    prices : mapping of str to number
        Of all that is held or a target, each in its own currency.
    targets : mapping of str to number
        Fractions of the portfolio. Less than 1 in all leaves cash; more is an error unless `allow_leverage`. What is
        held and has no target has the target 0.
    at : datetime
        For which moment, with a time zone.
    method : str or RebalanceMethod
        "full_rebalance", "threshold", "band_to_target", "band_to_edge", "cash_flow", "calendar" with their usual
        settings, or a method such as `Band(0.02, to="edge")` or `CostAware(covariance)`.
    rates : Rates, optional
        To the base currency. Cash counts in the base currency, whatever currencies it is in; exchanging it is not
        part of a plan.
    instruments : mapping of str to Instrument, or iterable of Instrument
        Lot sizes, multipliers and currencies by the name that is used in `targets`, or under their ids. Without one an
        instrument trades in units, in the base currency or that of its position.
    cost : TradingCost, optional
        What trading is expected to cost; nothing by default.
    minimum_trade : number
        Smaller orders are left out; in the base currency.
    turnover_max : number, optional
        Largest (purchases + sales) / 2 as a fraction of the portfolio; all trades are cut alike to keep it.
    allow_leverage, allow_short : bool
        Whether weights may sum to more than 1, or be below 0.
    tax_optimization : TaxOptimization, optional
        Lots and rates: sales then choose lots by least tax, losses are harvested and gains deferred within a bound on
        the tracking error.
    covariance : DataFrame, optional
        Of the instruments' returns per year; the tracking error is then told.

    Returns
    -------
    RebalancePlan
        Orders with reasons, weights before and after, expected cost and tax. `execute` sends it.

    Raises
    ------
    InputError
        If targets, prices or other settings are not as said above, or the portfolio is worth nothing.

    Examples
    --------
    >>> noon = datetime.datetime(2024, 1, 2, 12, tzinfo=datetime.UTC)
    >>> portfolio = Portfolio().with_cash(10_000, "USD", kind="deposit", at=noon)
    >>> plan = plan_rebalance(portfolio, {"SPY": 470, "TLT": 97}, {"SPY": 0.6, "TLT": 0.3}, at=noon)
    >>> [(str(order.side), order.quantity, order.instrument) for order in plan.orders]
    [('BUY', Decimal('12'), 'SPY'), ('BUY', Decimal('30'), 'TLT')]
    >>> plan.cash_after
    Decimal('1450')
    """
    if at.utcoffset() is None:
        raise InputError(f"at is {at}: it has no time zone; expected one, such as UTC")
    wanted_weights = check_targets(targets, allow_leverage=allow_leverage, allow_short=allow_short)
    holdings = portfolio.holdings(prices, rates)
    names = list(dict.fromkeys([*wanted_weights, *holdings.rows]))
    assets = _assets(names, holdings, prices, _by_name(instruments))
    weights = holdings.weights
    trading = cost or TradingCost()
    drift = Drift(
        weights={name: weights.get(name, Decimal(0)) for name in names},
        targets={name: wanted_weights.get(name, Decimal(0)) for name in names},
        on=at.date(),
        cost_rates={name: trading.rate_of(name) for name in names},
    )
    terms = Terms(
        value=holdings.value,
        cash=holdings.cash_value,
        cash_target=drift.cash_target,
        cost=trading,
        minimum_trade=as_decimal(minimum_trade, "minimum_trade", "not negative"),
        turnover_max=None if turnover_max is None else as_decimal(turnover_max, "turnover_max", "not negative"),
    )
    chosen = method_of(method)
    wanted = chosen.wanted(drift)
    sizes = sized(wanted.weights, assets, terms)
    view = None
    if tax_optimization is not None:
        view = TaxView.of(tax_optimization, assets, terms, drift, at)
        sizes = optimized(sizes, view)
    making = _Making(holdings, assets, terms, drift, at)
    return making.plan(chosen.name, wanted, sizes, view, covariance if view is None else view.covariance)


@dataclass(frozen=True, slots=True)
class _Making:
    """What a plan is made from."""

    holdings: Holdings
    assets: Mapping[str, Asset]
    terms: Terms
    drift: Drift
    at: datetime.datetime

    def plan(
        self, method: str, wanted: Wanted, sizes: Sizes, view: TaxView | None, covariance: pd.DataFrame | None
    ) -> RebalancePlan:
        """Return the plan of these sizes."""
        plan_id = self._id(method, sizes)
        orders = self._orders(plan_id, wanted, sizes, view)
        cost = sum((order.cost for order in orders), Decimal(0))
        traded = sum((order.value for order in orders), Decimal(0))
        bought = sum((order.value * order.side.sign for order in orders), Decimal(0))
        after = self._weights_after(sizes, self.holdings.value - cost)
        ordered = {order.instrument for order in orders}
        left_alone = {**wanted.left_alone, **sizes.dropped}
        errors = [self._tracking_error(covariance, weights) for weights in (self.drift.weights, after)]
        outcome = None if view is None else view.outcome(sizes)
        return RebalancePlan(
            plan_id=plan_id,
            at=self.at,
            method=method,
            base_currency=self.holdings.base_currency,
            orders=orders,
            left_alone={name: why for name, why in left_alone.items() if name not in ordered},
            value=self.holdings.value,
            cash_before=self.holdings.cash_value,
            cash_after=self.holdings.cash_value - bought - cost,
            weights_before=self.drift.weights,
            weights_target=self.drift.targets,
            weights_after=after,
            expected_cost=cost,
            turnover=quotient(traded, 2 * self.holdings.value),
            realised=None if outcome is None else outcome.realised,
            expected_tax=None if outcome is None else outcome.tax,
            tracking_error_before=errors[0],
            tracking_error_after=errors[1],
            no_purchase_until={} if outcome is None else outcome.no_purchase_until,
        )

    def _orders(self, plan_id: str, wanted: Wanted, sizes: Sizes, view: TaxView | None) -> tuple[PlannedOrder, ...]:
        found = []
        sales_first = sorted(sizes.quantities, key=lambda name: sizes.quantities[name] > 0)
        for number, name in enumerate(sales_first, start=1):
            quantity, asset = sizes.quantities[name], self.assets[name]
            size, side = abs(quantity), Side.BUY if quantity > 0 else Side.SELL
            value = size * asset.unit_value
            reasons = [reason for reason in (wanted.reasons.get(name), sizes.notes.get(name)) if reason]
            found.append(
                PlannedOrder(
                    client_order_id=f"{plan_id}-{number}",
                    instrument=name,
                    side=side,
                    quantity=size,
                    price=asset.price,
                    currency=asset.currency,
                    multiplier=asset.multiplier,
                    rate=asset.rate,
                    value=value,
                    cost=self.terms.cost.of(name, quantity=size, value=value),
                    lots={} if view is None else view.lots_of(name, quantity),
                    reasons=tuple(reasons),
                )
            )
        return tuple(found)

    def _weights_after(self, sizes: Sizes, value: Decimal) -> dict[str, Decimal]:
        found = {}
        for name, asset in self.assets.items():
            held = asset.quantity + sizes.quantities.get(name, Decimal(0))
            found[name] = quotient(held * asset.unit_value, value) if value > 0 else Decimal(0)
        return found

    def _tracking_error(self, covariance: pd.DataFrame | None, weights: Mapping[str, Decimal]) -> float | None:
        if covariance is None:
            return None
        names = list(self.drift.targets)
        matrix = covariance_of(covariance, names)
        away = np.array([float(weights[name] - self.drift.targets[name]) for name in names])
        return float(np.sqrt(max(away @ matrix @ away, 0.0)))

    def _id(self, method: str, sizes: Sizes) -> str:
        held = {name: (asset.quantity, asset.price, asset.rate) for name, asset in self.assets.items()}
        facts = (
            self.at.astimezone(datetime.UTC).isoformat(),
            method,
            self.holdings.base_currency,
            str(self.holdings.cash_value),
            sorted((name, *map(str, numbers)) for name, numbers in held.items()),
            sorted((name, str(target)) for name, target in self.drift.targets.items()),
            sorted((name, str(quantity)) for name, quantity in sizes.quantities.items()),
        )
        return "rb_" + hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _by_name(instruments: Mapping[str, Instrument] | Iterable[Instrument]) -> dict[str, Instrument]:
    if isinstance(instruments, Mapping):
        return dict(instruments)
    return {instrument.id: instrument for instrument in instruments}


def _assets(
    names: list[str], holdings: Holdings, prices: Mapping[str, Any], instruments: Mapping[str, Instrument]
) -> dict[str, Asset]:
    missing = [name for name in names if name not in prices]
    if missing:
        raise InputError(f"there is no price for {', '.join(missing)}; every target needs one")
    found = {}
    for name in names:
        row, known = holdings.rows.get(name), instruments.get(name)
        currency = known.currency if known else row.position.currency if row else holdings.base_currency
        multiplier = known.multiplier if known else row.position.multiplier if row else Decimal(1)
        if row is not None and (currency, multiplier) != (row.position.currency, row.position.multiplier):
            raise InputError(
                f"{name} is held in {row.position.currency} x {row.position.multiplier}, "
                f"its instrument says {currency} x {multiplier}"
            )
        found[name] = Asset(
            quantity=row.position.quantity if row else Decimal(0),
            price=as_decimal(prices[name], f"the price of {name}"),
            currency=currency,
            multiplier=multiplier,
            rate=holdings.rates.of(currency),
            lot_size=known.lot_size if known else Decimal(1),
        )
    return found
