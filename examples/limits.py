"""Limits on a portfolio: check an order, see why it is denied, try what would happen, reserve room."""

from algotrendy.risk.limits import BookView, Exposure, LimitManager, ProposedOrder, what_if
from algotrendy.risk.reservations import MemoryReservations

book = BookView(
    equity=100_000, cash=60_000, day_open_equity=101_000, peak_equity=110_000,
    exposures=[
        Exposure(symbol="AAPL", quantity=100, price=200, sector="tech"),
        Exposure(symbol="XOM", quantity=200, price=100, sector="energy"),
        Exposure(symbol="MSFT", price=400, sector="tech"),  # none is held, but it may be traded
    ],
)  # fmt: skip

manager = LimitManager("aggressive")  # the limits of portfolios that have none of their own
manager.set_limits(
    "port_1",
    [
        {"kind": "concentration", "limit": "0.25"},
        {"kind": "sector", "limit": "0.35"},
        {"kind": "gross_leverage", "limit": "1.0"},
        {"kind": "price_collar", "limit": "0.05", "binds_closing": True},
        {"kind": "daily_loss", "limit": "0.03"},
    ],
)

order = ProposedOrder(symbol="MSFT", side="BUY", quantity=50)
result = manager.check_order(order, book, "port_1")
print("approved:", result.approved, "| suggested:", result.suggested_quantity)
print(result.message)

tried = what_if(order.resized(result.suggested_quantity), book)
print("gross leverage:", tried.before.gross_leverage, "->", tried.after.gross_leverage)

# Two orders at once: each fits alone, both do not. Reserving takes the room before anything is sent.
store, limits = MemoryReservations(), manager.limits("port_1")
for name in ("first", "second"):
    wish = ProposedOrder(symbol="MSFT", side="BUY", quantity=30, client_order_id=name)
    answer = store.reserve("port_1", wish, book=book, limits=limits, seconds=30)
    print(name, "reserved" if answer.reservation else f"denied, {answer.check.suggested_quantity} would fit")

# After bad news: nothing new, but positions may be closed.
manager.set_state("port_1", "reducing")
print("sell:", manager.check_order(ProposedOrder(symbol="AAPL", side="SELL", quantity=100), book, "port_1").approved)
print("buy:", manager.check_order(order, book, "port_1").message)
