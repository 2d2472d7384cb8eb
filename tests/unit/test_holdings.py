"""Money, fills, positions, cash and portfolios: exact, checked at the door, and the same after a pickle."""

from __future__ import annotations

import datetime
import pickle
from decimal import Decimal, Inexact
from typing import Any

import pytest

from algotrendy.domain.cash import CashEntry, CashLedger
from algotrendy.domain.fill import Fill
from algotrendy.domain.money import Rates, as_decimal, exactly, share
from algotrendy.domain.portfolio import Portfolio
from algotrendy.domain.position import Position
from algotrendy.errors import InputError

NOON = datetime.datetime(2024, 1, 2, 12, tzinfo=datetime.UTC)


def fill(side: str, quantity: Any, price: Any, **others: Any) -> Fill:
    return Fill(**{
        "execution_id": "f1", "instrument": "ACME", "side": side, "quantity": quantity, "price": price,
        "filled_at": NOON, **others,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "expected a number"),
        ("ten", "expected a number"),
        (float("nan"), "finite"),
        (float("inf"), "finite"),
        (10**18, "less than 10"),
        ("0.1234567890123456789", "more than 18 decimals"),
    ],
)
def test_a_number_that_is_none_is_refused(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_decimal(value, "price")


def test_zeros_at_the_end_of_a_number_are_no_decimals_too_many() -> None:
    assert as_decimal("1.50000000000000000000", "price") == Decimal("1.5")


def test_exact_functions_raise_rather_than_round() -> None:
    with pytest.raises(Inexact):
        exactly(lambda: Decimal(1) / Decimal(3))()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side": "LONG"}, "BUY or SELL"),
        ({"quantity": 0}, "quantity of fill f1 is 0"),
        ({"quantity": -5}, "positive"),
        ({"price": "NaN"}, "finite"),
        ({"multiplier": 0}, "positive"),
        ({"filled_at": datetime.datetime(2024, 1, 2)}, "no time zone"),
    ],
)
def test_a_fill_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fill(**{"side": "BUY", "quantity": 1, "price": 1, **changes})


@pytest.mark.parametrize(
    ("fills", "expected"),
    [
        ([("BUY", 40, "10.00"), ("BUY", 60, "10.50")], (100, "10.30", 0)),
        ([("BUY", 100, 10), ("SELL", 30, 12)], (70, 10, 60)),
        ([("BUY", 100, 10), ("SELL", 100, 9)], (0, None, -100)),
        ([("BUY", 100, 10), ("SELL", 150, 12)], (-50, 12, 200)),
        ([("SELL", 50, 12), ("BUY", 20, 11)], (-30, 12, 20)),
        ([("SELL", 50, 12), ("BUY", 80, 13)], (30, 13, -50)),
        ([("BUY", 1, "-37.63")], (1, "-37.63", 0)),
    ],
)
def test_a_position_is_a_signed_quantity_at_average_cost(
    fills: list[tuple[str, Any, Any]], expected: tuple[Any, Any, Any]
) -> None:
    position = Position(instrument="ACME")
    for one in fills:
        position = position.with_fill(fill(*one))
    quantity, average, realised = expected
    assert position.quantity == quantity
    assert position.average_cost == (None if average is None else Decimal(average))
    assert position.realised == realised


def test_a_reduction_that_cannot_be_divided_loses_nothing() -> None:
    position = Position.of("ACME", 3, 0).with_fill(fill("BUY", 4, "2.50"))
    sold = position.with_fill(fill("SELL", 3, 1))
    assert sold.realised + sold.unrealised(Decimal(1)) == Decimal(7) - 10
    assert share(Decimal(10), Decimal(3), Decimal(7)) == Decimal("4.285714285714285714")


def test_positions_refuse_what_is_not_theirs() -> None:
    with pytest.raises(InputError, match="in EUR x 1"):
        Position(instrument="ACME").with_fill(fill("BUY", 1, 1, currency="EUR"))
    with pytest.raises(InputError, match="a cost of 5 but a quantity of 0"):
        Position(instrument="ACME", cost=5)  # type: ignore[arg-type]


def test_futures_count_with_their_multiplier() -> None:
    position = Position(instrument="ES", multiplier=Decimal(50))
    position = position.with_fill(fill("BUY", 2, "4700.25", instrument="ES", multiplier=50))
    assert position.average_cost == Decimal("4700.25")
    assert position.unrealised(Decimal(4701)) == Decimal("75")


def test_a_split_keeps_the_cost() -> None:
    position = Position.of("ACME", 100, 90).with_split(3, 1)
    assert (position.quantity, position.average_cost) == (300, 30)
    with pytest.raises(InputError, match="whole number"):
        position.with_split(0, 1)
    with pytest.raises(InputError, match="whole number"):
        position.with_split(1.5, 1)  # type: ignore[arg-type]


def _portfolio() -> Portfolio:
    portfolio = Portfolio(base_currency="USD").with_cash(1000, "USD", kind="deposit", at=NOON)
    portfolio = portfolio.with_fill(fill("BUY", 10, "20.5", commission="0.35", currency="EUR"))
    return portfolio.with_fill(fill("SELL", 3, 100, instrument="XYZ", commission=1))


def test_values_of_a_portfolio_add_up_over_currencies() -> None:
    holdings = _portfolio().holdings({"ACME": 21, "XYZ": 90}, Rates("USD", {"EUR": "1.1"}))
    eur, usd = Decimal("-205.35"), Decimal(1299)
    assert dict(holdings.cash) == {"USD": usd, "EUR": eur}
    assert holdings.value == usd + eur * Decimal("1.1") + 210 * Decimal("1.1") - 270
    assert (holdings.gross, holdings.net) == (Decimal("501.0"), Decimal("-39.0"))
    assert float(sum(holdings.weights.values())) == pytest.approx(float(holdings.net / holdings.value))
    assert list(holdings.frame().index) == ["ACME", "XYZ"]


def test_the_value_changes_by_the_gains_alone() -> None:
    portfolio = _portfolio()
    rows = portfolio.positions.values()
    prices = {"ACME": Decimal(21), "XYZ": Decimal(90)}
    gains = sum(row.realised + row.unrealised(prices[row.instrument]) - row.commission for row in rows)
    assert portfolio.holdings(prices, Rates("USD", {"EUR": 1})).value == 1000 + gains


@pytest.mark.parametrize(
    ("prices", "rates", "message"),
    [
        ({"ACME": 1}, Rates("USD", {"EUR": Decimal(1)}), "no price for XYZ"),
        ({"ACME": 1, "XYZ": 1}, None, "no rate from EUR to USD"),
        ({"ACME": 1, "XYZ": 1}, Rates("EUR", {"USD": Decimal(1)}), "rates are to EUR"),
        ({"ACME": "NaN", "XYZ": 1}, Rates("USD", {"EUR": Decimal(1)}), "finite"),
    ],
)
def test_a_valuation_says_what_it_lacks(prices: dict[str, Any], rates: Rates | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _portfolio().holdings(prices, rates)


def test_an_empty_portfolio_is_worth_nothing_and_has_no_weights() -> None:
    holdings = Portfolio().holdings({})
    assert (holdings.value, holdings.gross, holdings.frame().empty) == (0, 0, True)
    with pytest.raises(InputError, match="no weights"):
        _ = holdings.weights


def test_a_ledger_is_the_sum_of_its_entries() -> None:
    portfolio = _portfolio()
    assert CashLedger(portfolio.cash.entries).balances == portfolio.cash.balances
    assert list(portfolio.cash.frame()["kind"]) == ["deposit", "trade", "commission", "trade", "commission"]
    assert [entry.amount for entry in portfolio.cash.entries if entry.kind.is_external] == [1000]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "gift"}, "no kind of cash"),
        ({"amount": 1.5}, "finite Decimal"),
        ({"amount": Decimal(-1)}, "deposits are above 0"),
        ({"amount": Decimal(1), "kind": "withdrawal"}, "withdrawals below"),
        ({"at": datetime.datetime(2024, 1, 2)}, "no time zone"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CashEntry(**{"at": NOON, "amount": Decimal(1), "currency": "USD", "kind": "deposit", **changes})


def test_rates_say_what_is_wrong_with_them() -> None:
    with pytest.raises(InputError, match="rate of EUR"):
        Rates("USD", {"EUR": Decimal(0)})
    with pytest.raises(InputError, match="expected 1"):
        Rates("USD", {"USD": Decimal(2)})


def test_a_portfolio_and_its_holdings_travel_between_processes() -> None:
    portfolio = _portfolio()
    holdings = portfolio.holdings({"ACME": 21, "XYZ": 90}, Rates("USD", {"EUR": "1.1"}))
    assert pickle.loads(pickle.dumps(portfolio)) == portfolio
    assert pickle.loads(pickle.dumps(holdings)) == holdings


def test_what_is_frozen_cannot_be_changed_from_outside() -> None:
    portfolio = _portfolio()
    with pytest.raises(TypeError):
        portfolio.positions["ACME"] = Position(instrument="ACME")  # type: ignore[index]
    with pytest.raises(TypeError):
        portfolio.cash.balances["USD"] = Decimal(0)  # type: ignore[index]
