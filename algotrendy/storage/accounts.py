"""What happened in a portfolio, and what it holds: trades, cash, positions and lots, changed together or not at all.

Trades and movements of cash are the record; they are only added to. Positions, lots and balances follow from it and
are kept beside it, so that a question needs no replay. ADR 0076 says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from algotrendy.domain.cash import CashEntry, CashKind, CashLedger
from algotrendy.domain.fill import Fill
from algotrendy.domain.money import as_decimal, exactly
from algotrendy.domain.portfolio import Portfolio
from algotrendy.domain.position import Position
from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.portfolio.lots import LotBook
from algotrendy.portfolio.tax import WashRule
from algotrendy.storage.account_rows import (
    book_rows,
    cash_entry,
    fill_of,
    lots_of,
    position_of,
    position_values,
    trade_values,
)
from algotrendy.storage.ids import PREFIXES, new_id
from algotrendy.storage.portfolios import StoredPortfolio, locked_portfolio
from algotrendy.storage.records import checked_text, insert_new

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.storage.database import Transactions

__all__ = ["AccountStore", "Trade", "lot_book", "named_lots"]


@dataclass(frozen=True, kw_only=True)
class Trade:
    """A fill with what the portfolio knows of it.

    Attributes
    ----------
    fill : Fill
        What was executed.
    strategy : str or None
        Who wanted it.
    asset_type : str
        Of the instrument: "stock", "etf", "crypto", ...
    lots : mapping of str to Decimal or None
        The lots that a sale closes, by id, where it names them.
    """

    fill: Fill
    strategy: str | None = None
    asset_type: str = "stock"
    lots: Mapping[str, Decimal] | None = None


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
                number, n_new = number + 1, n_new + 1
                self._insert(connection, found, trade, number)
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

    def _insert(self, connection: sa.Connection, found: StoredPortfolio, trade: Trade, number: int) -> None:
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
        self._hold(connection, found, trade, now)

    def _hold(self, connection: sa.Connection, found: StoredPortfolio, trade: Trade, now: datetime) -> None:
        """Bring position and lots of the trade's instrument up to date."""
        fill, p = trade.fill, self._t.positions
        here = (p.c.portfolio_id == found.id) & (p.c.symbol == fill.instrument)
        row = connection.execute(p.select().where(here)).one_or_none()
        if row is not None and row.last_fill_at > fill.filled_at:
            position, book, last = self._replayed(connection, found, fill.instrument)
        else:
            before = Position(instrument=fill.instrument, currency=fill.currency, multiplier=fill.multiplier)
            position = (before if row is None else position_of(row)).with_fill(fill)
            book = _with_trade(self._book(connection, found, fill.instrument), trade)
            last = fill.filled_at
        values = position_values(position) | {"last_fill_at": last, "updated_at": now}
        values |= {"current_price": None, "unrealized_pnl": None}
        if row is None:
            values |= {"id": new_id(PREFIXES["positions"]), "portfolio_id": found.id, "created_at": now}
            connection.execute(p.insert().values(values | {"asset_type": trade.asset_type}))
        else:
            connection.execute(p.update().where(here).values(values))
        self._write_book(connection, found.id, fill.instrument, book)

    def _book(self, connection: sa.Connection, found: StoredPortfolio, symbol: str) -> LotBook:
        """Return the lots of one instrument, without what was closed before."""
        t = self._t.lots
        here = (t.c.portfolio_id == found.id) & (t.c.symbol == symbol)
        rows = connection.execute(t.select().where(here).order_by(t.c.place)).all()
        return lots_of(found.lot_method, found.time_zone, rows, [])

    def _replayed(
        self, connection: sa.Connection, found: StoredPortfolio, symbol: str
    ) -> tuple[Position, LotBook, datetime]:
        """Return position and lots of an instrument from all its trades, in the order of their execution."""
        t, d = self._t.trades, self._t.lot_disposals
        here = (t.c.portfolio_id == found.id) & (t.c.symbol == symbol)
        rows = connection.execute(t.select().where(here).order_by(t.c.executed_at, t.c.number)).all()
        trades = [_trade(row) for row in rows]
        first = trades[0].fill
        position = Position(instrument=symbol, currency=first.currency, multiplier=first.multiplier)
        for trade in trades:
            position = position.with_fill(trade.fill)
        book = lot_book(trades, method=found.lot_method, time_zone=found.time_zone)
        connection.execute(d.delete().where((d.c.portfolio_id == found.id) & (d.c.symbol == symbol)))
        return position, book, trades[-1].fill.filled_at

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


def lot_book(
    trades: Iterable[Trade], *, method: str = "fifo", time_zone: str = "UTC", wash: WashRule | None = None
) -> LotBook:
    """Return the lots that trades make, in the order in which they are given.

    Named lots are taken by the execution that opened them, whichever parts a wash sale has made of it. Where they are
    no longer held (an earlier sale came late), the method chooses: what was executed cannot be refused.

    Parameters
    ----------
    trades : iterable of Trade
        In the order of their execution.
    method, time_zone, wash
        As in `LotBook`.

    Examples
    --------
    >>> from datetime import UTC
    >>> fill = Fill(execution_id="f1", instrument="ACME", side="BUY", quantity=40, price=10,
    ...             filled_at=datetime(2024, 1, 2, 15, tzinfo=UTC))
    >>> lot_book([Trade(fill=fill)]).quantity("ACME")
    Decimal('40')
    """
    book = LotBook(method=method, time_zone=time_zone, wash=wash)  # type: ignore[arg-type]  # a text is turned into one
    for trade in trades:
        book = _with_trade(book, trade)
    return book


def _with_trade(book: LotBook, trade: Trade) -> LotBook:
    named = None if not trade.lots else _named(book, trade)
    return book.with_fill(trade.fill) if named is None else book.with_fill(trade.fill, lots=named)


@exactly
def _named(book: LotBook, trade: Trade) -> dict[str, Decimal] | None:
    """Return the lots that a trade names as they are in this book; None if they are not what it closes."""
    fill, wanted = trade.fill, dict(trade.lots or {})
    held = book.lots.get(fill.instrument, ())
    if not held or held[0].is_short != (fill.side.sign > 0):
        return None
    size = sum((abs(lot.quantity) for lot in held), Decimal(0))
    found: dict[str, Decimal] = {}
    for lot in held:
        opened_by = lot.opened_by
        taken = min(wanted.get(opened_by, Decimal(0)), abs(lot.quantity))
        if taken:
            found[lot.lot_id] = taken
            wanted[opened_by] -= taken
    is_whole = sum(found.values(), Decimal(0)) == min(size, fill.quantity) and not any(wanted.values())
    return found if is_whole else None


def named_lots(lots: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return lots by the execution that opened them: the parts that a wash sale made of one count as it.

    Examples
    --------
    >>> named_lots({"f1#w1": 10, "f1": 5})
    {'f1': Decimal('15')}
    """
    found: dict[str, Decimal] = {}
    for lot_id, quantity in lots.items():
        opened_by = lot_id.rsplit("#w", 1)[0]
        found[opened_by] = found.get(opened_by, Decimal(0)) + as_decimal(quantity, f"the quantity of {lot_id}")
    return found


@exactly
def _sum(first: Decimal, second: Decimal) -> Decimal:
    return first + second


def _trade(row: Any) -> Trade:
    lots = None if row.lots is None else {name: Decimal(quantity) for name, quantity in row.lots.items()}
    return Trade(fill=fill_of(row), strategy=row.strategy, lots=lots)
