"""The collaborator of the portfolio service that keeps portfolios: settings, trades, cash, holdings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from algotrendy.domain.cash import CashEntry, CashKind
from algotrendy.domain.corporate_action import CorporateAction
from algotrendy.domain.fill import Fill
from algotrendy.domain.money import Rates, as_decimal
from algotrendy.errors import InputError
from algotrendy.services.portfolio.models import (
    ActionIn,
    CashIn,
    FillIn,
    HoldingOut,
    PortfolioConfig,
    PortfolioOut,
    PortfolioUpdate,
)
from algotrendy.storage.accounts import AccountStore
from algotrendy.storage.booking import Trade, named_lots
from algotrendy.storage.portfolios import PortfolioStore
from algotrendy.storage.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from algotrendy.domain.portfolio import Holdings, Portfolio
    from algotrendy.storage.database import Database

__all__ = ["PortfolioManager"]


class PortfolioManager:
    """Keeps portfolios in a database.

    Parameters
    ----------
    database : Database
        Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.portfolios, self.accounts = PortfolioStore(database), AccountStore(database)

    def create(self, config: PortfolioConfig) -> PortfolioOut:
        """Make a portfolio and pay its capital in, in one transaction."""
        with UnitOfWork(self._database) as work:
            made = PortfolioStore(work).create(
                name=config.name, initial_capital=config.initial_capital, currency=config.currency,
                risk_profile=str(config.risk_profile), strategies=config.strategies, lot_method=config.lot_method,
                time_zone=config.time_zone, user_id=config.user_id, opened_at=config.opened_at,
            )  # fmt: skip
            if config.initial_capital:
                capital = CashEntry(
                    at=made.opened_at, amount=config.initial_capital, currency=config.currency, kind=CashKind.DEPOSIT,
                    reference="initial capital",
                )  # fmt: skip
                AccountStore(work).record_cash(made.id, capital)
            work.commit()
        return self.out(made.id)

    def update(self, portfolio_id: str, asked: PortfolioUpdate) -> PortfolioOut:
        """Change settings."""
        changes = asked.model_dump(mode="json", exclude_none=True, exclude={"expected_version"})
        self.portfolios.update(portfolio_id, changes, expected_version=asked.expected_version)
        return self.out(portfolio_id)

    def delete(self, portfolio_id: str) -> PortfolioOut | None:
        """Delete a portfolio, or archive it and return it."""
        return None if self.portfolios.delete(portfolio_id) is None else self.out(portfolio_id)

    def record_fills(self, portfolio_id: str, fills: Sequence[FillIn]) -> int:
        """Record executions, and return how many were new."""
        return self.accounts.record(portfolio_id, [_trade(fill) for fill in fills])

    def record_cash(self, portfolio_id: str, asked: CashIn) -> bool:
        """Record a movement of cash, and return whether it was new."""
        amount = as_decimal(asked.amount, f"the amount of a {asked.kind}", "not zero")
        if asked.kind.is_external and amount < 0:
            raise InputError(f"the amount of a {asked.kind} is {amount}, expected one above 0")
        entry = CashEntry(
            at=asked.at or datetime.now(UTC),
            amount=-amount if asked.kind is CashKind.WITHDRAWAL else amount,
            currency=asked.currency or self.portfolios.get(portfolio_id).currency,
            kind=asked.kind,
            reference=asked.reference,
        )
        return self.accounts.record_cash(portfolio_id, entry, key=asked.key)

    def record_action(self, portfolio_id: str, asked: ActionIn) -> bool:
        """Record a corporate action, and return whether it was new."""
        facts = asked.model_dump(exclude={"symbol"})
        return self.accounts.record_action(portfolio_id, CorporateAction(instrument=asked.symbol, **facts))

    def value(self, portfolio_id: str, prices: Mapping[str, Decimal], rates: Rates | None) -> PortfolioOut:
        """Value a portfolio and keep what it is worth."""
        holdings = self.accounts.portfolio(portfolio_id).holdings(prices, rates)
        self.accounts.value(portfolio_id, prices, holdings.value, datetime.now(UTC))
        return self.out(portfolio_id, prices, rates)

    def held(self, portfolio_id: str) -> dict[str, str]:
        """Return what is held, with the asset class of each."""
        kinds = self.accounts.asset_types(portfolio_id)
        positions = self.accounts.portfolio(portfolio_id).positions
        return {name: kinds[name] for name, position in positions.items() if position.quantity}

    def began_at(self, portfolio_id: str) -> datetime:
        """Return when the first thing happened in a portfolio; when it was opened, if nothing did."""
        trades = [trade.fill.filled_at for trade in self.accounts.trades(portfolio_id)]
        cash = [entry.at for entry in self.accounts.portfolio(portfolio_id).cash.entries]
        return min(trades + cash, default=self.portfolios.get(portfolio_id).opened_at)

    def out(
        self, portfolio_id: str, prices: Mapping[str, Any] | None = None, rates: Rates | None = None
    ) -> PortfolioOut:
        """Return a portfolio with its holdings, at prices that are given or those of the last valuation."""
        stored, account = self.portfolios.get(portfolio_id), self.accounts.portfolio(portfolio_id)
        known = self.accounts.last_prices(portfolio_id) if prices is None else prices
        holdings = _valued(account, known, rates)
        kinds, ids = self.accounts.asset_types(portfolio_id), self.accounts.positions(portfolio_id)
        return PortfolioOut(
            portfolio_id=stored.id, name=stored.name, status=stored.status, version=stored.version,
            initial_capital=stored.initial_capital, currency=stored.currency, risk_profile=stored.risk_profile,
            strategies=stored.strategies, lot_method=stored.lot_method,
            cash={name: amount for name, amount in account.cash.balances.items() if amount},
            value=None if holdings is None else holdings.value, valued_at=stored.valued_at,
            holdings=_holdings_out(account, kinds, ids, holdings), created_at=stored.created_at,
            updated_at=stored.updated_at,
        )  # fmt: skip


def _valued(account: Portfolio, prices: Mapping[str, Any], rates: Rates | None) -> Holdings | None:
    """Return what an account is worth; None where a price or a rate is missing."""
    known = rates or Rates(account.base_currency)
    currencies = {name for name, amount in account.cash.balances.items() if amount}
    held = {name: one for name, one in account.positions.items() if one.quantity}
    currencies |= {one.currency for one in held.values()}
    if set(held) - set(prices) or currencies - set(known.per_unit):
        return None
    return account.holdings(prices, known)


def _holdings_out(
    account: Portfolio, kinds: Mapping[str, str], ids: Mapping[str, str], holdings: Holdings | None
) -> list[HoldingOut]:
    weights = holdings.weights if holdings is not None and holdings.value > 0 else {}
    found = []
    for name, position in account.positions.items():
        if not position.quantity:
            continue
        row = None if holdings is None else holdings.rows[name]
        found.append(
            HoldingOut(
                position_id=ids[name], symbol=name, quantity=position.quantity, average_cost=position.average_cost,
                currency=position.currency, asset_type=kinds[name], realised=position.realised,
                price=None if row is None else row.price, value=None if row is None else row.value,
                weight=weights.get(name), unrealised=None if row is None else row.unrealised,
            )
        )  # fmt: skip
    return found


def _trade(asked: FillIn) -> Trade:
    fill = Fill(
        execution_id=asked.execution_id, instrument=asked.symbol, side=asked.side, quantity=asked.quantity,  # type: ignore[arg-type]  # a text is turned into one
        price=asked.price, filled_at=asked.filled_at, commission=asked.commission, currency=asked.currency,
        multiplier=asked.multiplier, client_order_id=asked.client_order_id,
    )  # fmt: skip
    lots = None if asked.lots is None else named_lots(asked.lots)
    return Trade(fill=fill, strategy=asked.strategy, asset_type=str(asked.asset_type), lots=lots)
