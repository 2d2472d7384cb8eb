"""A portfolio: positions and cash in several currencies, and what they are worth in one.

Not to be confused with a backtest on several instruments (`backtest.portfolio`): this is what somebody holds.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from algotrendy.domain.cash import CashEntry, CashKind, CashLedger
from algotrendy.domain.fill import Fill
from algotrendy.domain.money import Rates, as_decimal, exactly, quotient
from algotrendy.domain.position import Position
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.domain.corporate_action import CorporateAction

__all__ = ["Holding", "Holdings", "Portfolio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One position at a price.

    Attributes
    ----------
    position : Position
        What is held.
    price : Decimal
        In the position's currency.
    rate : Decimal
        What one unit of that currency is worth in the base currency.
    value : Decimal
        In the base currency; below 0 for a short position.
    unrealised : Decimal
        Value less cost, in the base currency, both at `rate`.
    """

    position: Position
    price: Decimal
    rate: Decimal
    value: Decimal
    unrealised: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What a portfolio is worth at one moment: the one query under every view of it.

    Attributes
    ----------
    base_currency : str
        The currency of all values.
    rows : mapping of str to Holding
        By instrument, without those of which nothing is held.
    cash : mapping of str to Decimal
        Balances by currency, in that currency.
    cash_value : Decimal
        All cash in the base currency.
    value : Decimal
        Positions and cash in the base currency.
    rates : Rates
        What currencies were worth.
    """

    base_currency: str
    rows: Mapping[str, Holding]
    cash: Mapping[str, Decimal]
    cash_value: Decimal
    value: Decimal
    rates: Rates

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", MappingProxyType(dict(self.rows)))
        object.__setattr__(self, "cash", MappingProxyType(dict(self.cash)))

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            _holdings,
            (self.base_currency, dict(self.rows), dict(self.cash), self.cash_value, self.value, self.rates),
        )

    @property
    @exactly
    def gross(self) -> Decimal:
        """Sum of the sizes of all positions, long and short, in the base currency."""
        return sum((abs(row.value) for row in self.rows.values()), Decimal(0))

    @property
    @exactly
    def net(self) -> Decimal:
        """Long positions less short ones, in the base currency."""
        return sum((row.value for row in self.rows.values()), Decimal(0))

    @property
    def weights(self) -> dict[str, Decimal]:
        """Value of each position as a fraction of the whole, with 28 digits.

        Raises
        ------
        InputError
            If the portfolio is worth nothing or less: weights have no meaning then.
        """
        if self.value <= 0:
            raise InputError(f"the portfolio is worth {self.value} {self.base_currency}: it has no weights")
        return {name: quotient(row.value, self.value) for name, row in self.rows.items()}

    def frame(self) -> pd.DataFrame:
        """Return the positions as a frame by instrument.

        Columns: quantity, average_cost, price, currency, rate, value, weight, unrealised. Values are in the base
        currency; `weight` is None where the portfolio is worth nothing.
        """
        import pandas as pd

        weights: Mapping[str, Decimal] = self.weights if self.value > 0 else {}
        rows = [
            [
                row.position.quantity,
                row.position.average_cost,
                row.price,
                row.position.currency,
                row.rate,
                row.value,
                weights.get(name),
                row.unrealised,
            ]
            for name, row in self.rows.items()
        ]
        names = ("quantity", "average_cost", "price", "currency", "rate", "value", "weight", "unrealised")
        index = pd.Index(list(self.rows), name="instrument", dtype=object)
        return pd.DataFrame(rows, index=index, columns=pd.Index(names), dtype=object)


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """Positions and cash, changed by fills and by movements of cash alone.

    Attributes
    ----------
    base_currency : str
        The currency in which it is told what all is worth.
    positions : mapping of str to Position
        By instrument. One that was closed stays, flat, with what it realised.
    cash : CashLedger
        All movements of cash.

    Examples
    --------
    >>> noon = datetime.datetime(2024, 1, 2, 12, tzinfo=datetime.UTC)
    >>> portfolio = Portfolio(base_currency="USD").with_cash(10_000, "USD", kind="deposit", at=noon)
    >>> portfolio = portfolio.with_fill(Fill(execution_id="f1", instrument="SAP", side="BUY", quantity=20, price=120,
    ...                                      commission=5, currency="EUR", filled_at=noon))
    >>> dict(portfolio.cash.balances)
    {'USD': Decimal('10000'), 'EUR': Decimal('-2405')}
    >>> holdings = portfolio.holdings({"SAP": 125}, Rates("USD", {"EUR": "1.10"}))
    >>> holdings.value, holdings.cash_value, holdings.rows["SAP"].unrealised
    (Decimal('10104.50'), Decimal('7354.50'), Decimal('110.00'))
    """

    base_currency: str = "USD"
    positions: Mapping[str, Position] = field(default_factory=dict)
    cash: CashLedger = field(default_factory=CashLedger)

    def __post_init__(self) -> None:
        for name, position in self.positions.items():
            if position.instrument != name:
                raise InputError(f"the position under {name} is of {position.instrument}")
        object.__setattr__(self, "positions", MappingProxyType(dict(self.positions)))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_portfolio, (self.base_currency, dict(self.positions), self.cash.entries))

    def with_cash(
        self, amount: Any, currency: str, *, kind: CashKind | str, at: datetime.datetime, reference: str = ""
    ) -> Portfolio:
        """Return the portfolio after a movement of cash; an amount above 0 comes in."""
        value = as_decimal(amount, f"the amount of a {kind}")
        entry = CashEntry(at=at, amount=value, currency=currency, kind=CashKind(kind), reference=reference)
        return replace(self, cash=self.cash.with_entries([entry]))

    def with_fill(self, fill: Fill) -> Portfolio:
        """Return the portfolio after a fill: the position, and cash in the fill's currency, which may go below 0.

        The same execution twice is counted twice: whoever reads a stream that repeats itself keeps the ids.
        """
        position = self.positions.get(fill.instrument) or Position(
            instrument=fill.instrument, currency=fill.currency, multiplier=fill.multiplier
        )
        moves = [(fill.gross, CashKind.TRADE), (-fill.commission, CashKind.COMMISSION)]
        entries = [
            CashEntry(at=fill.filled_at, amount=amount, currency=fill.currency, kind=kind, reference=fill.execution_id)
            for amount, kind in moves
            if amount or kind is CashKind.TRADE
        ]
        positions = {**self.positions, fill.instrument: position.with_fill(fill)}
        return replace(self, positions=positions, cash=self.cash.with_entries(entries))

    def with_split(self, instrument: str, new: int, old: int) -> Portfolio:
        """Return the portfolio after a split of `new` units for each `old` ones."""
        if instrument not in self.positions:
            return self
        return replace(self, positions={**self.positions, instrument: self.positions[instrument].with_split(new, old)})

    def with_action(self, action: CorporateAction) -> Portfolio:
        """Return the portfolio after a corporate action: the position, and the cash that it pays."""
        before = self.positions.get(action.instrument)
        if before is None:
            return self
        after = replace(self, positions={**self.positions, action.instrument: before.with_action(action)})
        amount = action.cash(before)
        return replace(after, cash=self.cash.with_entries([action.entry(amount, before)])) if amount else after

    @exactly
    def holdings(self, prices: Mapping[str, Any], rates: Rates | None = None) -> Holdings:
        """Return what it is worth.

        Parameters
        ----------
        prices : mapping of str to number
            Instrument to price in its own currency; one for all that is held.
        rates : Rates, optional
            To the portfolio's base currency; needed where anything is in another one.

        Returns
        -------
        Holdings
            Values exact: positions and cash add up to `value` to the last digit.

        Raises
        ------
        InputError
            If a price or a rate is missing, or the rates are to another base.
        """
        known = rates or Rates(self.base_currency)
        if known.base != self.base_currency:
            raise InputError(f"the rates are to {known.base}, the portfolio's base currency is {self.base_currency}")
        held = {name: position for name, position in self.positions.items() if position.quantity}
        missing = sorted(set(held) - set(prices))
        if missing:
            raise InputError(f"there is no price for {', '.join(missing)}; every instrument that is held needs one")
        rows = {name: _holding(position, prices[name], known) for name, position in held.items()}
        cash = {currency: amount for currency, amount in self.cash.balances.items() if amount}
        cash_value = sum((known.to_base(amount, currency) for currency, amount in cash.items()), Decimal(0))
        return Holdings(
            base_currency=self.base_currency,
            rows=rows,
            cash=cash,
            cash_value=cash_value,
            value=sum((row.value for row in rows.values()), cash_value),
            rates=known,
        )


def _holding(position: Position, price: Any, rates: Rates) -> Holding:
    found = as_decimal(price, f"the price of {position.instrument}")
    return Holding(
        position=position,
        price=found,
        rate=rates.of(position.currency),
        value=rates.to_base(position.value(found), position.currency),
        unrealised=rates.to_base(position.unrealised(found), position.currency),
    )


def _portfolio(base_currency: str, positions: dict[str, Position], entries: tuple[CashEntry, ...]) -> Portfolio:
    return Portfolio(base_currency=base_currency, positions=positions, cash=CashLedger(entries))


def _holdings(base_currency: str, rows: dict[str, Holding], cash: dict[str, Decimal], *totals: Any) -> Holdings:
    cash_value, value, rates = totals
    return Holdings(base_currency=base_currency, rows=rows, cash=cash, cash_value=cash_value, value=value, rates=rates)
