"""What happened in a portfolio, and what it holds: trades, cash, positions and lots, changed together or not at all.

Trades and movements of cash are the record; they are only added to. Positions, lots and balances follow from it and
are kept beside it, so that a question needs no replay. ADR 0076 says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from algotrendy.domain.cash import CashEntry, CashKind, CashLedger
from algotrendy.domain.corporate_action import CorporateAction
from algotrendy.domain.money import exactly
from algotrendy.domain.portfolio import Portfolio
from algotrendy.domain.position import Position
from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.portfolio.lots import LotBook
from algotrendy.storage.account_rows import (
    action_of,
    action_values,
    book_rows,
    cash_entry,
    fill_of,
    lots_of,
    position_of,
    position_values,
    trade_values,
)
from algotrendy.storage.booking import Booked, Trade, booked, with_trade
from algotrendy.storage.ids import PREFIXES, new_id
from algotrendy.storage.portfolios import StoredPortfolio, locked_portfolio
from algotrendy.storage.records import checked_text, insert_new

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.storage.database import Transactions

__all__ = ["AccountStore"]


class AccountStore:
    """Trades, cash, positions and lots of portfolios in SQLite or PostgreSQL, exact to the last digit.

    All who write to a portfolio take turns: its row is locked until the transaction ends.

    Parameters
    ----------
    transactions : Database or UnitOfWork
        A database: each call is a transaction of its own. A unit of work: it happens together with the rest.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC
    >>> from algotrendy.domain.fill import Fill
    >>> from algotrendy.storage import Database, PortfolioStore
    >>> fill = Fill(execution_id="f1", instrument="ACME", side="BUY", quantity=40, price="10.50", commission=1,
    ...             filled_at=datetime(2024, 1, 2, 15, tzinfo=UTC))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database(f"sqlite:///{folder}/house.db")
    ...     made = PortfolioStore(database).create(name="Growth", initial_capital=Decimal(1000))
    ...     store = AccountStore(database)
    ...     print(store.record(made.id, [Trade(fill=fill)]), store.record(made.id, [Trade(fill=fill)]))
    ...     print(dict(store.portfolio(made.id).cash.balances))
    ...     database.close()
    1 0
    {'USD': Decimal('-421.00')}
    """

    def __init__(self, transactions: Transactions) -> None:
        from algotrendy.storage import tables

        self._transactions, self._t = transactions, tables

    # --- what happens ---

    def record(self, portfolio_id: str, trades: Iterable[Trade]) -> int:
        """Add trades to the record, with their cash, positions and lots, in one transaction.

        A trade that is known by its execution id is left out, so a stream may repeat itself. Trades may come late: the
        position and the lots are those of the order in which they were executed.

        Parameters
        ----------
        portfolio_id : str
            Whose they are.
        trades : iterable of Trade
            Any number.

        Returns
        -------
        int
            How many were new.

        Raises
        ------
        Conflict
            If another trade has the execution id, or the portfolio is archived.
        InputError
            If one is in another currency or with another multiplier than the position.
        NotFound
            If there is no such portfolio.
        """
        n_new = 0
        with self._transactions.transaction() as connection:
            found = locked_portfolio(connection, self._t.portfolios, portfolio_id)
            number = found.last_number
            for trade in trades:
                if self._is_known(connection, portfolio_id, trade):
                    continue
                number, n_new = self._insert(connection, found, trade, number + 1), n_new + 1
            if n_new:
                self._touch(connection, portfolio_id, number)
        return n_new

    def record_cash(self, portfolio_id: str, entry: CashEntry, *, key: str | None = None) -> bool:
        """Add a movement of cash to the record.

        Parameters
        ----------
        portfolio_id : str
            Whose it is.
        entry : CashEntry
            Deposit, withdrawal, dividend, interest, fee, tax or conversion.
        key : str, optional
            Under the same key it is the same movement, and counts once.

        Returns
        -------
        bool
            Whether it was new.

        Raises
        ------
        Conflict
            If another movement has the key, or the portfolio is archived.
        """
        if entry.kind in (CashKind.TRADE, CashKind.COMMISSION):
            raise InputError(f"cash of the kind {entry.kind} comes with a trade; record the trade")
        with self._transactions.transaction() as connection:
            found = locked_portfolio(connection, self._t.portfolios, portfolio_id)
            t = self._t.cash_entries
            if key is not None:
                checked_text("key", key, 255)
                same = (t.c.portfolio_id == portfolio_id) & (t.c.idempotency_key == key)
                row = connection.execute(t.select().where(same)).one_or_none()
                if row is not None:
                    known = cash_entry(row)
                    if (known.amount, known.currency, known.kind) != (entry.amount, entry.currency, entry.kind):
                        raise Conflict(
                            f"under {key!r} there is a {known.kind} of {known.amount} {known.currency} already, found"
                            f" a {entry.kind} of {entry.amount} {entry.currency}; give the new one a key of its own"
                        )
                    return False
            number = found.last_number + 1
            self._add_cash(connection, portfolio_id, number, entry, key)
            self._touch(connection, portfolio_id, number)
        return True

    def record_action(self, portfolio_id: str, action: CorporateAction) -> bool:
        """Add a corporate action to the record: the position, the lots and the cash are those that follow from it.

        It may come late, and trades before it may come later: the instrument is then worked out again, and cash that
        was paid too little or too much under it is booked as a movement of its own.

        Parameters
        ----------
        portfolio_id : str
            Whose it is.
        action : CorporateAction
            Of an instrument that is held, or not yet known to be.

        Returns
        -------
        bool
            Whether it was new.

        Raises
        ------
        Conflict
            If another action has the id, or the portfolio is archived.
        InputError
            If it becomes effective later than now, or leaves a lot without units.
        NotFound
            If there is no such portfolio.
        """
        with self._transactions.transaction() as connection:
            found = locked_portfolio(connection, self._t.portfolios, portfolio_id)
            if self._is_known_action(connection, portfolio_id, action):
                return False
            now = self._transactions.now(connection)
            if action.effective_at > now:
                raise InputError(
                    f"the action {action.action_id} becomes effective at {action.effective_at}, now it is {now}; record"
                    " it then: positions are those of now"
                )
            checked_text("action_id", action.action_id, 255)
            checked_text("symbol", action.instrument, 50)
            number = found.last_number + 1
            values = action_values(action) | {"portfolio_id": portfolio_id, "number": number, "recorded_at": now}
            connection.execute(self._t.corporate_actions.insert().values(values))
            p = self._t.positions
            here = (p.c.portfolio_id == portfolio_id) & (p.c.symbol == action.instrument)
            if connection.execute(p.select().where(here)).one_or_none() is not None:
                after, number = self._replayed(connection, found, action.instrument, number)
                prices = {"current_price": None, "unrealized_pnl": None, "updated_at": now}
                connection.execute(p.update().where(here).values(position_values(after.position) | prices))
                self._write_book(connection, portfolio_id, action.instrument, after.book)
            self._touch(connection, portfolio_id, number)
        return True

    def value(self, portfolio_id: str, prices: Mapping[str, Decimal], value: Decimal, at: datetime) -> None:
        """Keep what a portfolio was worth, unless a later valuation is there.

        Parameters
        ----------
        portfolio_id : str
            Which one.
        prices : mapping of str to Decimal
            Of what it holds.
        value : Decimal
            Of the whole, in its currency.
        at : datetime
            When.
        """
        with self._transactions.transaction() as connection:
            t, p = self._t.portfolios, self._t.positions
            is_newer = (t.c.id == portfolio_id) & (t.c.valued_at.is_(None) | (t.c.valued_at <= at))
            kept = connection.execute(t.update().where(is_newer).values(current_value=value, valued_at=at)).rowcount
            if not kept:
                return
            for row in connection.execute(p.select().where(p.c.portfolio_id == portfolio_id)).all():
                if row.symbol in prices:
                    price = prices[row.symbol]
                    values = {"current_price": price, "unrealized_pnl": position_of(row).unrealised(price)}
                    connection.execute(p.update().where(p.c.id == row.id).values(values))

    # --- what it says ---

    def portfolio(self, portfolio_id: str) -> Portfolio:
        """Return positions and cash as one object of the domain, as of one moment.

        Raises
        ------
        NotFound
            If there is none.
        """
        with self._transactions.transaction(writes=False) as connection:
            t = self._t.portfolios
            row = connection.execute(t.select().where(t.c.id == portfolio_id)).one_or_none()
            if row is None:
                raise NotFound(f"there is no portfolio {portfolio_id}")
            positions = [position_of(one) for one in self._rows(connection, self._t.positions, portfolio_id, "symbol")]
            entries = [cash_entry(one) for one in self._cash_rows(connection, portfolio_id)]
        return Portfolio(
            base_currency=row.currency,
            positions={one.instrument: one for one in positions},
            cash=CashLedger(tuple(entries)),
        )

    def balances(self, portfolio_id: str) -> dict[str, Decimal]:
        """Return cash by currency."""
        with self._transactions.transaction(writes=False) as connection:
            rows = self._rows(connection, self._t.cash_balances, portfolio_id, "currency")
        return {row.currency: row.amount for row in rows}

    def asset_types(self, portfolio_id: str) -> dict[str, str]:
        """Return what kind of thing each instrument is that is or was held."""
        with self._transactions.transaction(writes=False) as connection:
            rows = self._rows(connection, self._t.positions, portfolio_id, "symbol")
        return {row.symbol: row.asset_type for row in rows}

    def position_of(self, position_id: str) -> tuple[str, str]:
        """Return the portfolio and the symbol of a position, `pos_…`.

        Raises
        ------
        NotFound
            If there is none.
        """
        p = self._t.positions
        with self._transactions.transaction(writes=False) as connection:
            row = connection.execute(p.select().where(p.c.id == position_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no position {position_id}")
        return row.portfolio_id, row.symbol

    def positions(self, portfolio_id: str) -> dict[str, str]:
        """Return the identities of positions, `pos_…`, by symbol."""
        with self._transactions.transaction(writes=False) as connection:
            rows = self._rows(connection, self._t.positions, portfolio_id, "symbol")
        return {row.symbol: row.id for row in rows}

    def last_prices(self, portfolio_id: str) -> dict[str, Decimal]:
        """Return the prices of the last valuation, of what was not traded since."""
        with self._transactions.transaction(writes=False) as connection:
            rows = self._rows(connection, self._t.positions, portfolio_id, "symbol")
        return {row.symbol: row.current_price for row in rows if row.current_price is not None}

    def lots(self, portfolio_id: str) -> LotBook:
        """Return the lots that are held and all that was closed, without wash sales; see `lot_book`."""
        with self._transactions.transaction(writes=False) as connection:
            t = self._t.portfolios
            row = connection.execute(t.select().where(t.c.id == portfolio_id)).one_or_none()
            if row is None:
                raise NotFound(f"there is no portfolio {portfolio_id}")
            held = self._rows(connection, self._t.lots, portfolio_id, "symbol", "place")
            closed = self._rows(connection, self._t.lot_disposals, portfolio_id, "symbol", "place")
        return lots_of(row.lot_method, row.time_zone, held, closed)

    def trades(self, portfolio_id: str, *, client_order_ids: Iterable[str] | None = None) -> list[Trade]:
        """Return the trades in the order in which they were executed."""
        t = self._t.trades
        query = t.select().where(t.c.portfolio_id == portfolio_id).order_by(t.c.executed_at, t.c.number)
        if client_order_ids is not None:
            query = query.where(t.c.client_order_id.in_(list(client_order_ids)))
        with self._transactions.transaction(writes=False) as connection:
            return [_trade(row) for row in connection.execute(query).all()]

    def actions(self, portfolio_id: str) -> list[CorporateAction]:
        """Return the corporate actions in the order in which they became effective."""
        with self._transactions.transaction(writes=False) as connection:
            return [action_of(row) for row in self._action_rows(connection, portfolio_id)]

    # --- statements ---

    def _rows(self, connection: sa.Connection, table: sa.Table, portfolio_id: str, *order: str) -> list[Any]:
        query = table.select().where(table.c.portfolio_id == portfolio_id).order_by(*(table.c[name] for name in order))
        return list(connection.execute(query).all())

    def _cash_rows(self, connection: sa.Connection, portfolio_id: str) -> list[Any]:
        t = self._t.cash_entries
        query = t.select().where(t.c.portfolio_id == portfolio_id).order_by(t.c.number, t.c.kind.desc())
        return list(connection.execute(query).all())

    def _is_known(self, connection: sa.Connection, portfolio_id: str, trade: Trade) -> bool:
        t, fill = self._t.trades, trade.fill
        same = (t.c.portfolio_id == portfolio_id) & (t.c.execution_id == fill.execution_id)
        row = connection.execute(t.select().where(same)).one_or_none()
        if row is None:
            return False
        known = fill_of(row)
        facts = ("instrument", "side", "quantity", "price", "commission", "currency", "multiplier")
        differing = [name for name in facts if getattr(known, name) != getattr(fill, name)]
        if differing:
            name = differing[0]
            raise Conflict(
                f"the execution {fill.execution_id} is recorded with the {name} {getattr(known, name)}, found"
                f" {getattr(fill, name)}; undo it with a trade the other way, under an id of its own"
            )
        return True

    def _is_known_action(self, connection: sa.Connection, portfolio_id: str, action: CorporateAction) -> bool:
        t = self._t.corporate_actions
        same = (t.c.portfolio_id == portfolio_id) & (t.c.action_id == action.action_id)
        row = connection.execute(t.select().where(same)).one_or_none()
        if row is None:
            return False
        known = action_of(row)
        for name in ("instrument", "kind", "effective_at", "new", "old", "cash_in_lieu", "amount", "currency"):
            if getattr(known, name) != getattr(action, name):
                raise Conflict(
                    f"the action {action.action_id} is recorded with the {name} {getattr(known, name)}, found"
                    f" {getattr(action, name)}; give another action an id of its own"
                )
        return True

    def _action_rows(self, connection: sa.Connection, portfolio_id: str, symbol: str | None = None) -> list[Any]:
        t = self._t.corporate_actions
        query = t.select().where(t.c.portfolio_id == portfolio_id).order_by(t.c.effective_at, t.c.number)
        return list(connection.execute(query if symbol is None else query.where(t.c.symbol == symbol)).all())

    def _insert(self, connection: sa.Connection, found: StoredPortfolio, trade: Trade, number: int) -> int:
        """Write a trade under a number, and return the last number that was needed for it."""
        now = self._transactions.now(connection)
        fill = trade.fill
        checked_text("symbol", fill.instrument, 50)
        checked_text("execution_id", fill.execution_id, 255)
        values = trade_values(fill, strategy=trade.strategy, lots=trade.lots)
        values |= {"id": new_id(PREFIXES["trades"]), "portfolio_id": found.id, "number": number, "recorded_at": now}
        connection.execute(self._t.trades.insert().values(values))
        for amount, kind in ((fill.gross, CashKind.TRADE), (-fill.commission, CashKind.COMMISSION)):
            if amount or kind is CashKind.TRADE:
                entry = CashEntry(
                    at=fill.filled_at, amount=amount, currency=fill.currency, kind=kind, reference=fill.execution_id
                )
                self._add_cash(connection, found.id, number, entry, None)
        return self._hold(connection, found, trade, number)

    def _hold(self, connection: sa.Connection, found: StoredPortfolio, trade: Trade, number: int) -> int:
        """Bring position and lots of the trade's instrument up to date; return the last number."""
        fill, p = trade.fill, self._t.positions
        here = (p.c.portfolio_id == found.id) & (p.c.symbol == fill.instrument)
        row = connection.execute(p.select().where(here)).one_or_none()
        is_late = row is not None and row.last_fill_at > fill.filled_at
        if is_late or self._has_action_after(connection, found.id, fill.instrument, fill.filled_at):
            after, number = self._replayed(connection, found, fill.instrument, number)
            position, book, last = after.position, after.book, after.last_fill_at
        else:
            before = Position(instrument=fill.instrument, currency=fill.currency, multiplier=fill.multiplier)
            position = (before if row is None else position_of(row)).with_fill(fill)
            book = with_trade(self._book(connection, found, fill.instrument), trade)
            last = fill.filled_at
        now = self._transactions.now(connection)
        values = position_values(position) | {"last_fill_at": last, "updated_at": now}
        values |= {"current_price": None, "unrealized_pnl": None}
        if row is None:
            values |= {"id": new_id(PREFIXES["positions"]), "portfolio_id": found.id, "created_at": now}
            connection.execute(p.insert().values(values | {"asset_type": trade.asset_type}))
        else:
            connection.execute(p.update().where(here).values(values))
        self._write_book(connection, found.id, fill.instrument, book)
        return number

    def _has_action_after(self, connection: sa.Connection, portfolio_id: str, symbol: str, at: datetime) -> bool:
        t = self._t.corporate_actions
        here = (t.c.portfolio_id == portfolio_id) & (t.c.symbol == symbol) & (t.c.effective_at > at)
        return connection.execute(t.select().where(here).limit(1)).first() is not None

    def _book(self, connection: sa.Connection, found: StoredPortfolio, symbol: str) -> LotBook:
        """Return the lots of one instrument, without what was closed before."""
        t = self._t.lots
        here = (t.c.portfolio_id == found.id) & (t.c.symbol == symbol)
        rows = connection.execute(t.select().where(here).order_by(t.c.place)).all()
        return lots_of(found.lot_method, found.time_zone, rows, [])

    def _replayed(
        self, connection: sa.Connection, found: StoredPortfolio, symbol: str, number: int
    ) -> tuple[Booked, int]:
        """Return an instrument from all its trades and actions in the order of time, and the last number.

        What actions pay now and did not pay before becomes movements of cash, each under a number of its own.
        """
        t, d, a = self._t.trades, self._t.lot_disposals, self._t.corporate_actions
        here = (t.c.portfolio_id == found.id) & (t.c.symbol == symbol)
        rows = connection.execute(t.select().where(here).order_by(t.c.executed_at, t.c.number)).all()
        actions = self._action_rows(connection, found.id, symbol)
        after = booked(
            [_trade(row) for row in rows], [action_of(row) for row in actions], method=found.lot_method,
            time_zone=found.time_zone,
        )  # fmt: skip
        for row in actions:
            action, before = action_of(row), after.before.get(row.action_id)
            pays = Decimal(0) if before is None else action.cash(before)
            if pays != row.cash:
                number += 1
                entry = action.entry(_sum(pays, -row.cash), before or after.position)
                self._add_cash(connection, found.id, number, entry, None)
                same = (a.c.portfolio_id == found.id) & (a.c.action_id == row.action_id)
                connection.execute(a.update().where(same).values(cash=pays))
        connection.execute(d.delete().where((d.c.portfolio_id == found.id) & (d.c.symbol == symbol)))
        return after, number

    def _write_book(self, connection: sa.Connection, portfolio_id: str, symbol: str, book: LotBook) -> None:
        """Write the lots of an instrument, and what was closed now behind what was closed before."""
        import sqlalchemy as sa

        t, d = self._t.lots, self._t.lot_disposals
        connection.execute(t.delete().where((t.c.portfolio_id == portfolio_id) & (t.c.symbol == symbol)))
        here = (d.c.portfolio_id == portfolio_id) & (d.c.symbol == symbol)
        n_before = connection.execute(sa.select(sa.func.count()).select_from(d).where(here)).scalar_one()
        held, closed = book_rows(book, symbol, n_before)
        for table, rows in ((t, held), (d, closed)):
            if rows:
                connection.execute(table.insert(), [row | {"portfolio_id": portfolio_id} for row in rows])

    def _add_cash(
        self, connection: sa.Connection, portfolio_id: str, number: int, entry: CashEntry, key: str | None
    ) -> None:
        t, b = self._t.cash_entries, self._t.cash_balances
        values = {
            "portfolio_id": portfolio_id, "number": number, "kind": entry.kind, "at": entry.at, "amount": entry.amount,
            "currency": checked_text("currency", entry.currency, 10), "idempotency_key": key,
            "reference": checked_text("reference", entry.reference, 255, may_be_empty=True),
        }  # fmt: skip
        connection.execute(t.insert().values(values))
        here = (b.c.portfolio_id == portfolio_id) & (b.c.currency == entry.currency)
        row = connection.execute(b.select().where(here)).one_or_none()
        amount = _sum(Decimal(0) if row is None else row.amount, entry.amount)
        new = insert_new(connection, b).values(portfolio_id=portfolio_id, currency=entry.currency, amount=amount)
        connection.execute(
            new.on_conflict_do_update(index_elements=["portfolio_id", "currency"], set_={"amount": amount})
        )

    def _touch(self, connection: sa.Connection, portfolio_id: str, number: int) -> None:
        t = self._t.portfolios
        values = {"last_number": number, "updated_at": self._transactions.now(connection)}
        connection.execute(t.update().where(t.c.id == portfolio_id).values(values))


@exactly
def _sum(first: Decimal, second: Decimal) -> Decimal:
    return first + second


def _trade(row: Any) -> Trade:
    lots = None if row.lots is None else {name: Decimal(quantity) for name, quantity in row.lots.items()}
    return Trade(fill=fill_of(row), strategy=row.strategy, lots=lots)
