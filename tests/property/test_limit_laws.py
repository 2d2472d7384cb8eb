"""Limits: equal to the plain evaluator, monotone in the quantity; closing orders are never denied."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.risk.limits import (
    BookView,
    Exposure,
    Limit,
    LimitKind,
    ParametricRisk,
    ProposedOrder,
    ScenarioRisk,
    check_order,
    reference,
)
from algotrendy.risk.limits.totals import BookTotals

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
SYMBOLS = ("A", "B", "C")
ESTIMATED = ("value_at_risk", "expected_shortfall")

quantities = st.integers(-60, 60).map(Decimal)
pending = st.sampled_from([0, 0, 0, 5, 20, 70]).map(Decimal)


@st.composite
def rows(draw: Any, symbol: str) -> Exposure:
    return Exposure(
        symbol=symbol,
        quantity=draw(quantities),
        price=draw(st.sampled_from(["1", "7.3", "10", "33.33"])),
        multiplier=draw(st.sampled_from(["1", "5"])),
        rate=draw(st.sampled_from(["1", "1.25"])),
        lot_size=draw(st.sampled_from(["1", "5", "0.5"])),
        sector=draw(st.sampled_from([None, "tech", "energy"])),
        beta=draw(st.sampled_from(["1", "-0.5", "1.7", "0"])),
        volume=1000,
        pending_buys=draw(pending),
        pending_sells=draw(pending),
    )


@st.composite
def books(draw: Any) -> BookView:
    exposures = [draw(rows(symbol)) for symbol in SYMBOLS]
    equity = draw(st.sampled_from([1000, 3000, 700, 0, -50]))
    values = {row.symbol: float(row.value) for row in exposures}
    rng = np.random.default_rng(draw(st.integers(0, 5)))
    returns = rng.normal(0.0, 0.02, (30, 3))
    if draw(st.booleans()):
        estimates: Any = ParametricRisk(values, np.cov(returns.T), SYMBOLS, equity=1000.0)
    else:
        estimates = ScenarioRisk(values, returns, SYMBOLS, equity=1000.0, confidence_level=0.9)
    return BookView(
        equity=equity, exposures=exposures, cash=draw(st.sampled_from([0, 500, 2000])), day_open_equity=1050,
        peak_equity=1200, traded_value=draw(st.sampled_from([0, 400])), as_of=NOW,
        orders_at=[NOW - timedelta(seconds=n) for n in (90, 60, 30, 1)],
        state=draw(st.sampled_from(["active", "active", "active", "reducing", "halted"])), estimates=estimates,
    )  # fmt: skip


@st.composite
def limit_of(draw: Any, kinds: Any = tuple(LimitKind)) -> Limit:
    kind = draw(st.sampled_from(kinds))
    most: dict[str, list[Any]] = {
        "position": [0, 20, 50], "position_value": [100, 500], "order_quantity": [5, 30], "order_value": [50, 400],
        "order_rate": [2, 4], "value_at_risk": [0.01, 0.05], "expected_shortfall": [0.02, 0.06],
        "participation": ["0.005", "0.03"], "price_collar": ["0.01", "0.2"], "daily_loss": ["0.04", "0.06"],
        "drawdown": ["0.1", "0.2"],
    }  # fmt: skip
    options: dict[str, Any] = {}
    if kind not in ("long_only", "restricted"):
        options["limit"] = draw(st.sampled_from(most.get(kind, ["0.1", "0.5", "1.5", "0"])))
    if kind == "order_rate":
        options["seconds"] = draw(st.sampled_from([30, 60]))
    if kind == "restricted" or draw(st.integers(0, 4)) == 0:
        options["symbols"] = draw(st.sampled_from([["A"], ["B", "C"]]))
    if draw(st.integers(0, 6)) == 0:
        options["sectors"] = ["tech"]
    return Limit(kind=kind, binds_closing=draw(st.integers(0, 9)) == 0, **options)


orders = st.builds(
    ProposedOrder,
    symbol=st.sampled_from(SYMBOLS),
    side=st.sampled_from(["BUY", "SELL"]),
    quantity=st.one_of(st.integers(1, 120), st.sampled_from(["0.25", "7.5"])),
    limit_price=st.sampled_from([None, None, "1", "8", "40"]),
)
some_limits = st.lists(limit_of(), max_size=6, unique_by=lambda limit: limit.kind)


@given(order=orders, book=books(), limits=some_limits)
def test_the_evaluator_equals_the_plain_one(order: ProposedOrder, book: BookView, limits: list[Limit]) -> None:
    result = check_order(order, book, limits)
    assert result.approved == reference.approves(order, book, limits)
    assert result.approved == all(check.passed for check in result.checks)
    by_name = {limit.name: limit for limit in limits}
    for check in result.checks[1:]:
        expected = reference.measured(order, book, by_name[check.name])
        assert (
            abs(float(check.value) - float(expected)) <= 1e-12 * (1 + abs(float(expected))) or check.value == expected
        )


@given(order=orders, book=books(), limits=some_limits)
def test_the_suggestion_is_approved_and_the_next_lot_is_not(
    order: ProposedOrder, book: BookView, limits: list[Limit]
) -> None:
    if isinstance(book.estimates, ScenarioRisk):  # quantiles are not convex: see the next test
        limits = [limit for limit in limits if limit.kind not in ESTIMATED]
    result = check_order(order, book, limits)
    suggested = result.suggested_quantity
    assert suggested == reference.most_approved(order, book, limits)
    assert (suggested == order.quantity) == result.approved
    lot = book.row(order.symbol).lot_size
    if suggested:
        assert check_order(order.resized(suggested), book, limits).approved
    if not result.approved and suggested + lot < order.quantity:
        assert not check_order(order.resized(suggested + lot), book, limits).approved


@given(order=orders, book=books(), limits=some_limits)
def test_a_suggestion_is_approved_whatever_the_estimates(
    order: ProposedOrder, book: BookView, limits: list[Limit]
) -> None:
    suggested = check_order(order, book, limits).suggested_quantity
    assert not suggested or check_order(order.resized(suggested), book, limits).approved


@given(order=orders, book=books(), limits=some_limits, part=st.integers(1, 99))
def test_less_of_an_approved_order_is_approved(
    order: ProposedOrder, book: BookView, limits: list[Limit], part: int
) -> None:
    if isinstance(book.estimates, ScenarioRisk):
        limits = [limit for limit in limits if limit.kind != "value_at_risk"]
    if check_order(order, book, limits).approved:
        assert check_order(order.resized(order.quantity * part / 100), book, limits).approved


@given(book=books(), limits=st.lists(limit_of(), unique_by=lambda limit: limit.kind), symbol=st.sampled_from(SYMBOLS))
def test_an_order_that_only_closes_is_denied_by_no_limit(book: BookView, limits: list[Limit], symbol: str) -> None:
    row = book.row(symbol)
    is_long = row.quantity > 0
    room = abs(row.quantity) - (row.pending_sells if is_long else row.pending_buys)
    if room <= 0 or book.state == "halted":
        return
    order = ProposedOrder(symbol=symbol, side="SELL" if is_long else "BUY", quantity=room)
    lenient = [limit for limit in limits if not limit.binds_closing]
    assert check_order(order, book, lenient).approved
    assert reference.closes(order, book)


@given(book=books(), waiting=st.lists(orders, max_size=8), gone=st.sets(st.integers(0, 7)))
def test_totals_that_follow_orders_equal_those_made_anew(
    book: BookView, waiting: list[ProposedOrder], gone: set[int]
) -> None:
    totals = BookTotals(book)
    for order in waiting:
        totals.begin(order, NOW)
    for place in gone & set(range(len(waiting))):
        totals.cease(waiting[place])
    left = [order for place, order in enumerate(waiting) if place not in gone]
    anew = BookTotals(book.with_pending(left))
    for name in ("gross", "net_low", "net_high", "beta_low", "beta_high", "unknown_betas"):
        assert getattr(totals, name) == getattr(anew, name), name
    assert {name: value for name, value in totals.sectors.items() if value} == {
        name: value for name, value in anew.sectors.items() if value
    }
    dearer = sum(
        (totals.rows[o.symbol].order_value(o) - o.quantity * totals.rows[o.symbol].unit for o in left), Decimal()
    )
    assert totals.traded_value == anew.traded_value + dearer
    assert len(totals.orders_at) == len(book.orders_at) + len(waiting)
