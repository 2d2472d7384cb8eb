"""An account by day: splits among the trades, and several currencies, against the plain way of reckoning by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.domain.cash import CashEntry, CashKind
from algotrendy.domain.corporate_action import CorporateAction
from algotrendy.domain.fill import Fill
from algotrendy.domain.money import Rates
from algotrendy.domain.portfolio import Portfolio
from algotrendy.errors import DataError, InputError
from algotrendy.services.portfolio.account_days import AccountDays, metric_rows
from algotrendy.storage import Trade

DAYS = pd.bdate_range("2024-01-02", periods=8, tz="UTC")
RAW = [100.0, 102.0, 103.0, 51.0, 52.0, 50.0, 49.0, 53.0]
"""As traded; two for one on the fourth day."""
RATES = pd.DataFrame({"EUR": [1.10, 1.12, 1.09, 1.08, 1.11, 1.13, 1.12, 1.15]}, DAYS)


def at(day: int, hour: int = 15) -> datetime:
    return DAYS[day].to_pydatetime().replace(hour=hour)


def trade(number: int, side: Any, quantity: Any, price: Any, day: int, symbol: str = "A", **more: Any) -> Trade:
    strategy = more.pop("strategy", None)
    made = Fill(
        execution_id=f"f{number}",
        instrument=symbol,
        side=side,
        quantity=quantity,
        price=price,
        filled_at=at(day),
        **more,
    )
    return Trade(fill=made, strategy=strategy)


def deposit(amount: int, day: int, currency: str = "USD") -> CashEntry:
    return CashEntry(at=at(day, 9), amount=Decimal(amount), currency=currency, kind=CashKind.DEPOSIT)


def account(trades: list[Trade], cash: list[CashEntry], actions: list[CorporateAction]) -> Portfolio:
    """Return what the domain makes of it, in the order of time."""
    portfolio = Portfolio()
    things: list[Any] = [*actions, *cash, *trades]
    for one in sorted(things, key=_time):
        if isinstance(one, CashEntry):
            portfolio = portfolio.with_cash(one.amount, one.currency, kind=one.kind, at=one.at)
        else:
            portfolio = portfolio.with_fill(one.fill) if isinstance(one, Trade) else portfolio.with_action(one)
    return portfolio


def _time(one: Any) -> datetime:
    return one.fill.filled_at if isinstance(one, Trade) else getattr(one, "at", None) or one.effective_at


def plain_values(
    trades: list[Trade], cash: list[CashEntry], actions: list[CorporateAction], closes: pd.DataFrame, rates: Any
) -> list[float]:
    """Return what the account was worth: for each day all that happened until then, at the closes of the day."""
    found = []
    for day in closes.index:
        end = day + pd.Timedelta(days=1)
        lists: list[list[Any]] = [[one for one in some if _time(one) < end] for some in (trades, cash, actions)]
        prices = {name: Decimal(repr(float(closes.at[day, name]))) for name in closes}
        found.append(float(account(*lists).holdings(prices, rates(day)).value))
    return found


SPLIT = CorporateAction(action_id="s", instrument="A", kind="split", new=2, old=1, effective_at=at(3, 14))  # type: ignore[arg-type]


def test_a_split_is_no_return() -> None:
    trades = [
        trade(1, "BUY", 10, 100, 0, strategy="x"), trade(2, "BUY", 5, 103, 2, strategy="y", commission=1),
        trade(3, "SELL", 8, 52, 4, strategy="x"),
    ]  # fmt: skip
    cash, closes = [deposit(5000, 0)], pd.DataFrame({"A": RAW}, DAYS)
    days = AccountDays.of(trades, account(trades, cash, [SPLIT]).cash.entries, closes, "USD", actions=[SPLIT])
    assert days.values.tolist() == pytest.approx(plain_values(trades, cash, [SPLIT], closes, lambda _: None), abs=1e-9)
    units = days.quantities.droplevel("strategy", axis=1)["A"].sum(axis=1)
    assert units.tolist() == [20, 20, 30, 30, 22, 22, 22, 22], "in units of today"
    found = days.attribution()
    growth = metric_rows(days)["cumulative_return"].iloc[-1]
    assert found.excess_return == pytest.approx(growth, abs=1e-12)
    assert abs(found.residual) < 1e-12


def test_cash_in_lieu_is_a_sale_of_each_strategy_by_its_share() -> None:
    lieu = CorporateAction(
        action_id="r", instrument="A", kind="split", new=1, old=4, cash_in_lieu=Decimal(410), effective_at=at(3, 14)  # type: ignore[arg-type]
    )  # fmt: skip
    closes = pd.DataFrame({"A": [100.0, 101, 102, 408, 404, 412, 420, 416]}, DAYS)
    trades = [trade(1, "BUY", 10, 100, 0, strategy="x"), trade(2, "BUY", 5, 102, 2, strategy="y")]
    cash = [deposit(5000, 0)]
    entries = account(trades, cash, [lieu]).cash.entries
    days = AccountDays.of(trades, entries, closes, "USD", actions=[lieu])
    assert days.values.tolist() == pytest.approx(plain_values(trades, cash, [lieu], closes, lambda _: None), abs=1e-9)
    last = days.quantities.iloc[-1]
    assert last[("x", "A")] == pytest.approx(2.0)  # 15 / 4 = 3.75; 3 are kept, two thirds of them by x
    assert last[("y", "A")] == pytest.approx(1.0)
    assert abs(days.attribution().residual) < 1e-12


def test_several_currencies_are_valued_at_the_rates_of_each_day() -> None:
    closes = pd.DataFrame({"A": RAW, "SAP": [120.0, 121, 119, 122, 125, 124, 126, 128]}, DAYS)
    trades = [
        trade(1, "BUY", 10, 100, 0), trade(2, "BUY", 20, 121, 1, "SAP", currency="EUR", commission=3),
        trade(3, "SELL", 5, 125, 4, "SAP", currency="EUR", commission=2),
    ]  # fmt: skip
    paid = CorporateAction(
        action_id="d", instrument="SAP", kind="cash_dividend", amount=Decimal("2.2"), effective_at=at(5, 8)  # type: ignore[arg-type]
    )  # fmt: skip
    cash, actions = [deposit(5000, 0), deposit(1000, 2, "EUR")], [SPLIT, paid]
    entries = account(trades, cash, actions).cash.entries
    days = AccountDays.of(trades, entries, closes, "USD", actions=actions, rates=RATES)

    def rates(day: Any) -> Rates:
        return Rates("USD", {"EUR": Decimal(repr(float(RATES.at[day, "EUR"])))})

    values = plain_values(trades, cash, actions, closes, rates)
    assert days.values.tolist() == pytest.approx(values, abs=1e-9)
    found, rows = days.attribution(), metric_rows(days)
    assert found.excess_return == pytest.approx(rows["cumulative_return"].iloc[-1], abs=1e-12)
    assert abs(found.residual) < 1e-12
    # the effect of currency by hand: what was held at a day's start, at the price of its end, times the rate's change
    x = RATES["EUR"].to_numpy()
    shares, euros = np.array([0, 20, 20, 20, 15, 15, 15, 15.0]), np.zeros(8)
    for place, amount in ((1, -20 * 121 - 3), (2, 1000), (4, 5 * 125 - 2), (5, 15 * 2.2)):
        euros[place:] += amount
    gain = (shares[:-1] * closes["SAP"].to_numpy()[1:] + euros[:-1]) * np.diff(x)
    flow = rows["flow"].to_numpy()[1:]
    assert flow[1] == pytest.approx(1000 * 1.09)
    by_day = gain / (np.array(values[:-1]) + flow)
    assert found.by_period["currency"].to_numpy() == pytest.approx(by_day, abs=1e-12)
    constant = AccountDays.of(trades, entries, closes, "USD", actions=actions, rates=Rates("USD", {"EUR": "1.1"}))
    assert np.abs(constant.attribution().of("currency").to_numpy()).max() == 0.0


def test_what_is_missing_is_said() -> None:
    closes = pd.DataFrame({"SAP": [120.0] * 8}, DAYS)
    trades = [trade(1, "BUY", 1, 120, 0, "SAP", currency="EUR")]

    def days(rates: Any) -> AccountDays:
        return AccountDays.of(trades, [], closes, "USD", rates=rates)

    with pytest.raises(InputError, match="has EUR, USD, so its days need rates"):
        days(None)
    with pytest.raises(InputError, match="no rate from EUR to USD; known: CHF"):
        days(pd.DataFrame({"CHF": [1.0]}, DAYS[:1]))
    with pytest.raises(InputError, match="rates are to EUR, the portfolio is in USD"):
        days(Rates("EUR", {"USD": "0.9"}))
    with pytest.raises(DataError, match="no rate of 2024-01-02 or before"):
        days(RATES.iloc[1:])
    with pytest.raises(InputError, match="0 or below"):
        days(RATES * 0)
    assert days(RATES.iloc[:1]).rates.iloc[-1, 0] == 1.10, "a day without a row has the rate before"


def test_an_action_says_what_is_wrong_with_it() -> None:
    facts: dict[str, Any] = {"action_id": "a", "instrument": "A", "effective_at": datetime(2024, 1, 2, tzinfo=UTC)}
    for wrong, message in (
        ({"kind": "merger"}, "expected one of split, cash_dividend"), ({"kind": "split"}, "gives 1 units for 1"),
        ({"kind": "split", "new": 2.0}, "a whole number"), ({"kind": "cash_dividend"}, "number that is positive"),
        ({"kind": "cash_dividend", "new": 2, "amount": 1}, "expected none"),
        ({"kind": "cash_dividend", "amount": 1, "cash_in_lieu": 1}, "a split alone leaves fractions"),
        ({"kind": "split", "new": 2, "amount": 1}, "as an action apart"),
        ({"kind": "split", "new": 2, "currency": "EUR"}, "has the currency EUR"),
        ({"kind": "split", "new": 2, "effective_at": datetime(2024, 1, 2)}, "no time zone"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            CorporateAction(**{**facts, **wrong})
