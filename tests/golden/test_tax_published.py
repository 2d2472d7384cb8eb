"""Worked examples of wash sales and holding periods, as the Internal Revenue Service published them.

P550: IRS Publication 550, Investment Income and Expenses, chapter 4, "Wash Sales" and "Holding Period" (the years of
its examples move from edition to edition). REG: 26 CFR 1.1091-1(h), examples (1) to (3).
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from algotrendy.domain.fill import Fill
from algotrendy.portfolio import LotBook, TaxRules, UsWashSale, tax_report, tax_summary

RULES = TaxRules(short_term_rate=Decimal("0.37"), long_term_rate=Decimal("0.20"))


def _book(*trades: tuple[str, str, int, Any], **options: Any) -> LotBook:
    """Return a book of trades: day, side, quantity, what was paid or received in all."""
    book = LotBook(wash=UsWashSale(), **options)
    for number, (day, side, quantity, amount) in enumerate(trades):
        book = book.with_fill(
            Fill(
                execution_id=f"t{number}",
                instrument="M",
                side=side,  # type: ignore[arg-type]
                quantity=Decimal(quantity),
                price=Decimal(amount) / quantity,
                filled_at=datetime.datetime.fromisoformat(day).replace(hour=15, tzinfo=datetime.UTC),
            )
        )
    return book


def _lots(book: LotBook) -> list[tuple[str, int, int]]:
    return [(lot.opened_on.isoformat(), int(lot.quantity), int(lot.cost)) for lot in book.lots["M"]]


def test_p550_a_loss_goes_into_the_basis_of_what_is_bought_back() -> None:
    book = _book(("2023-03-01", "BUY", 100, 1000), ("2023-06-01", "SELL", 100, 750), ("2023-06-20", "BUY", 100, 800))
    assert book.disposals[0].gain == -250
    assert book.disposals[0].taxable_gain == 0
    assert _lots(book) == [("2023-06-20", 100, 1050)]


def test_p550_less_bought_than_sold_and_reg_example_2() -> None:
    book = _book(
        ("2019-09-24", "BUY", 100, 5000),
        ("2019-12-21", "BUY", 50, 2750),
        ("2019-12-28", "BUY", 25, 1125),
        ("2020-01-04", "SELL", 100, 4000),
    )
    (row,) = book.disposals
    assert (row.gain, row.disallowed, row.taxable_gain) == (-1000, 750, -250)
    assert _lots(book) == [("2019-12-21", 50, 3250), ("2019-12-28", 25, 1375)]


def test_p550_more_bought_than_sold_and_reg_example_3() -> None:
    book = _book(
        ("2019-09-24", "BUY", 100, 5000),
        ("2020-02-03", "SELL", 100, 4000),
        *((f"2020-02-{day}", "BUY", 50, 2000) for day in (15, 16, 17, 18)),
    )
    (row,) = book.disposals
    assert (row.disallowed, row.taxable_gain) == (1000, 0)
    assert [cost for *_, cost in _lots(book)] == [2500, 2500, 2000, 2000]
    held = [(lot.opened_on - lot.held_since).days for lot in book.lots["M"]]
    assert held == [132, 132, 0, 0], "the first two take over the time for which the old shares were held"


def test_reg_example_1_bought_before_the_sale() -> None:
    book = _book(("1954-12-01", "BUY", 100, 10000), ("1954-12-15", "BUY", 100, 9000), ("1955-01-03", "SELL", 100, 9000))
    assert book.disposals[0].taxable_gain == 0
    assert _lots(book) == [("1954-12-15", 100, 10000)]


def test_revenue_ruling_56_602_the_rest_of_the_same_lot_is_no_replacement() -> None:
    book = _book(("2023-06-01", "BUY", 100, 1000), ("2023-06-10", "SELL", 60, 480))
    assert book.disposals[0].taxable_gain == -120


@pytest.mark.parametrize(
    ("bought", "sold", "is_long"),
    [
        ("2019-02-06", "2020-02-06", False),  # P550: exactly one year
        ("2019-02-06", "2020-02-07", True),  # P550: one year and a day
        ("2019-02-28", "2020-02-29", False),  # Revenue Ruling 66-7: the 13th month begins on March 1
        ("2019-02-28", "2020-03-01", True),
        ("2020-02-28", "2021-02-28", False),
        ("2020-02-28", "2021-03-01", True),
        ("2020-02-29", "2021-02-28", False),
        ("2020-02-29", "2021-03-01", True),
    ],
)
def test_more_than_a_year_is_counted_from_the_day_after_the_purchase(bought: str, sold: str, is_long: bool) -> None:
    assert RULES.is_long_term(datetime.date.fromisoformat(bought), datetime.date.fromisoformat(sold)) is is_long


def test_a_report_in_the_manner_of_form_8949() -> None:
    book = _book(("2019-09-24", "BUY", 100, 5000), ("2020-02-03", "SELL", 100, 4000), ("2020-02-15", "BUY", 50, 2000))
    report = tax_report(book.disposals, RULES, year=2020)
    row = report.iloc[0]
    assert (row["proceeds"], row["cost"], row["code"], row["adjustment"], row["gain"]) == (4000, 5000, "W", 500, -500)
    assert (row["term"], str(row["acquired"]), str(row["closed"])) == ("short", "2019-09-24", "2020-02-03")
    assert tax_report(book.disposals, RULES, year=2019).empty


@pytest.mark.parametrize(
    ("trades", "expected"),
    [
        # short-term gain 100, long-term gain 50
        ([("A", 100, False), ("B", 50, True)], ("47.00", 0)),
        # a short-term loss takes from the long-term gain
        ([("A", -30, False), ("B", 50, True)], ("4.00", 0)),
        ([("A", -80, False), ("B", 50, True)], ("0", 30)),
        ([("A", 80, False), ("B", -50, True)], ("11.10", 0)),
        ([("A", -10, False), ("B", -50, True)], ("0", 60)),
        ([], ("0", 0)),
    ],
)
def test_losses_of_one_term_are_set_against_gains_of_the_other(
    trades: list[tuple[str, int, bool]], expected: tuple[str, int]
) -> None:
    """The netting of Schedule D: short-term net, long-term net, then one against the other."""
    book = LotBook()
    opened = datetime.datetime(2022, 1, 3, 15, tzinfo=datetime.UTC)
    for name, _, _ in trades:
        book = book.with_fill(_trade(name, "BUY", 1000, opened))
    for name, gain, is_long in sorted(trades, key=lambda trade: trade[2]):
        days = datetime.timedelta(days=400 if is_long else 100)
        book = book.with_fill(_trade(name, "SELL", 1000 + gain, opened + days))
    summary = tax_summary(book.disposals, RULES)
    assert (summary.tax, summary.loss_left) == (Decimal(expected[0]), expected[1])


def _trade(name: str, side: str, price: int, at: datetime.datetime) -> Fill:
    return Fill(
        execution_id=name + side,
        instrument=name,
        side=side,
        quantity=Decimal(1),
        price=Decimal(price),
        filled_at=at,  # type: ignore[arg-type]
    )
