"""Lots: sums are exact whatever happens, and every method does what a count unit by unit does."""

from __future__ import annotations

import datetime
import itertools
import pickle
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.domain.fill import Fill
from algotrendy.domain.money import exactly
from algotrendy.domain.position import Position
from algotrendy.errors import InputError
from algotrendy.portfolio import LotBook, TaxRules, UsWashSale, tax_report, tax_summary

START = datetime.datetime(2022, 1, 3, 15, tzinfo=datetime.UTC)
RULES = TaxRules(short_term_rate=Decimal("0.37"), long_term_rate=Decimal("0.15"))
METHODS = ("fifo", "lifo", "hifo", "average", "minimum_tax")


def fill(number: int, day: int, side: str, quantity: Any, price: Any, commission: Any = 0) -> Fill:
    return Fill(
        execution_id=f"f{number}", instrument="X", side=side, quantity=quantity, price=price,  # type: ignore[arg-type]
        commission=commission, filled_at=START + datetime.timedelta(days=day),
    )  # fmt: skip


def _decimals(low: str, high: str, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(min_value=Decimal(low), max_value=Decimal(high), places=places)


MESSY = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(["BUY", "SELL", "SPLIT"]),
        _decimals("0.00000001", "1000", 8),
        _decimals("0.01", "500", 4),
        _decimals("-1", "5", 2),
    ),
    min_size=1,
    max_size=14,
)


@given(steps=MESSY, method=st.sampled_from(METHODS), has_wash=st.booleans(), price=_decimals("0.01", "500", 4))
def test_lots_add_up_to_the_position_and_gains_to_the_total(
    steps: list[tuple[int, str, Decimal, Decimal, Decimal]], method: str, has_wash: bool, price: Decimal
) -> None:
    book = LotBook(method=method, rules=RULES, wash=UsWashSale() if has_wash else None)  # type: ignore[arg-type]
    position, cash, day = Position(instrument="X"), Decimal(0), 0
    for number, (wait, what, quantity, at, commission) in enumerate(steps):
        day += wait
        if what == "SPLIT":
            new, old = number % 3 + 1, number % 2 + 1
            book, position = book.with_split("X", new, old), position.with_split(new, old)
            continue
        one = fill(number, day, what, quantity, at, commission)
        book, position = book.with_fill(one), position.with_fill(one)
        cash = exactly(lambda cash=cash, one=one: cash + one.cash)()
    assert book.quantity("X") == position.quantity
    total = exactly(lambda: cash + position.quantity * price)()
    assert exactly(lambda: book.realised() + book.unrealised({"X": price}))() == total
    assert exactly(lambda: position.realised + position.unrealised(price) - position.commission)() == total
    disallowed = exactly(lambda: sum((row.disallowed for row in book.disposals), Decimal(0)))()
    assert disallowed >= 0
    assert all(row.disallowed <= max(-row.gain, Decimal(0)) for row in book.disposals)
    assert len(tax_report(book.disposals, RULES)) == len(book.disposals)
    assert pickle.loads(pickle.dumps(book)) == book


# --- unit by unit ---


@dataclass
class Unit:
    """One share, in the plainest account: its sign, what it cost, when, and whether it is a replacement already."""

    order: int
    lot: int
    sign: int
    cost: Fraction
    opened: int
    since: int
    is_used: bool = False


@dataclass
class LostUnit:
    """One share that was closed at a loss, and has no replacement yet."""

    sign: int
    loss: Fraction
    day: int
    held: int


def by_units(steps: list[tuple[int, str, int, int]], method: str, has_wash: bool) -> tuple[Fraction, list[Unit]]:
    """Return the taxable gain in all and the units that are left, counted share by share."""
    units: list[Unit] = []
    lost: list[LostUnit] = []
    gain, day, order = Fraction(0), 0, itertools.count()

    def replace_loss(unit: Unit, loss: LostUnit) -> None:
        nonlocal gain
        gain += loss.loss
        unit.cost += loss.loss
        unit.since = unit.opened - loss.held
        unit.is_used = True
        lost.remove(loss)

    for number, (wait, side, quantity, price) in enumerate(steps):
        day += wait
        sign = 1 if side == "BUY" else -1
        against = [unit for unit in units if unit.sign == -sign]
        if method == "average" and against:
            mean = sum((unit.cost for unit in against), Fraction(0)) / len(against)
            for unit in against:
                unit.cost = mean
        keys = {
            "fifo": lambda unit: unit.order,
            "average": lambda unit: unit.order,
            "lifo": lambda unit: -unit.order,
            "hifo": lambda unit, price=price: (unit.sign * price - unit.cost, unit.order),
        }
        closed = sorted(against, key=keys[method])[:quantity]
        new_losses = []
        for unit in closed:
            units.remove(unit)
            result = unit.sign * price - unit.cost
            gain += result
            if result < 0:
                new_losses.append(LostUnit(unit.sign, -result, day, day - unit.since))
        if has_wash:
            sold = {unit.lot for unit in closed}
            for loss in new_losses:
                lost.append(loss)
                free = [
                    unit for unit in units
                    if unit.sign == loss.sign and not unit.is_used and unit.lot not in sold and day - unit.opened <= 30
                ]  # fmt: skip
                if free:
                    replace_loss(min(free, key=lambda unit: unit.order), loss)
        for _ in range(quantity - len(closed)):
            unit = Unit(next(order), number, sign, Fraction(sign * price), day, day)
            units.append(unit)
            open_losses = [loss for loss in lost if loss.sign == sign and day - loss.day <= 30]
            if has_wash and open_losses:
                replace_loss(unit, open_losses[0])
    return gain, units


WHOLE = st.lists(
    st.tuples(st.integers(0, 25), st.sampled_from(["BUY", "BUY", "SELL"]), st.integers(1, 6), st.integers(5, 15)),
    min_size=1,
    max_size=12,
)


@given(steps=WHOLE, method=st.sampled_from(["fifo", "lifo", "hifo", "average"]), has_wash=st.booleans())
def test_a_book_counts_as_units_do(steps: list[tuple[int, str, int, int]], method: str, has_wash: bool) -> None:
    has_wash = has_wash and method != "average"  # a pooled cost is no cost of a unit any more
    book, day = LotBook(method=method, wash=UsWashSale() if has_wash else None), 0  # type: ignore[arg-type]
    for number, (wait, side, quantity, price) in enumerate(steps):
        day += wait
        book = book.with_fill(fill(number, day, side, quantity, price))
    gain, units = by_units(steps, method, has_wash)
    close = Decimal("1e-12")
    assert abs(book.realised() - Decimal(gain.numerator) / gain.denominator) < close
    assert book.quantity("X") == sum(unit.sign for unit in units)
    cost = sum((unit.cost for unit in units), Fraction(0))
    assert abs(book.position("X").cost - Decimal(cost.numerator) / cost.denominator) < close
    if has_wash:
        sized = [(lot.held_since, int(abs(lot.quantity))) for lot in book.lots["X"]]
        held = sorted(since for since, size in sized for _ in range(size))
        assert held == sorted((START + datetime.timedelta(days=unit.since)).date() for unit in units)


@given(
    lots=st.lists(st.tuples(st.integers(0, 700), st.integers(1, 5), st.integers(5, 15)), min_size=1, max_size=5),
    share=st.floats(0.1, 1.0),
    side=st.sampled_from(["BUY", "SELL"]),
)
def test_minimum_tax_is_the_least_over_every_order_of_lots(
    lots: list[tuple[int, int, int]], share: float, side: str
) -> None:
    """The tax is linear in what is taken of each lot, so some order of whole lots is best: try them all."""
    book = LotBook(method="minimum_tax", rules=RULES)  # type: ignore[arg-type]
    for number, (day, quantity, price) in enumerate(sorted(lots)):
        book = book.with_fill(fill(number, day, side, quantity, price))
    other = "SELL" if side == "BUY" else "BUY"
    size = max(int(share * int(abs(book.quantity("X")))), 1)
    closing = fill(99, 720, other, size, 10)

    def linear(after: LotBook) -> Decimal:
        return sum((row.gain * RULES.rate(row.is_long_term(RULES)) for row in after.disposals), Decimal(0))

    least = []
    for order in itertools.permutations(book.lots["X"]):
        left, named = Decimal(size), {}
        for lot in order:
            if taken := min(left, abs(lot.quantity)):
                named[lot.lot_id] = taken
                left -= taken
        least.append(linear(book.with_fill(closing, lots=named)))
    assert linear(book.with_fill(closing)) == min(least)


# --- what is refused, and what is stated ---


def _held(**options: Any) -> LotBook:
    return LotBook(**options).with_fill(fill(1, 0, "BUY", 100, 10)).with_fill(fill(2, 5, "BUY", 50, 12))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LotBook(method="oldest"), "no method for lots"),
        (lambda: _held().with_fill(fill(3, 4, "SELL", 1, 1)), "order of time"),
        (lambda: _held(method="minimum_tax").with_fill(fill(3, 6, "SELL", 1, 1)), "needs tax rules"),
        (lambda: _held().with_fill(fill(3, 6, "SELL", 1, 1), lots={}), "needs lots"),
        (lambda: _held().with_fill(fill(3, 6, "SELL", 1, 1), lots={"f9": 1}), "there is no lot f9; held: f1, f2"),
        (lambda: _held().with_fill(fill(3, 6, "SELL", 60, 1), lots={"f2": 60}), "it has 50"),
        (lambda: _held().with_fill(fill(3, 6, "SELL", 60, 1), lots={"f2": 50}), "named lots have 50 units"),
        (lambda: _held().with_fill(fill(3, 6, "BUY", 60, 1), lots={"f2": 50}), "closes nothing"),
        (lambda: _held().with_fill(fill(2, 6, "BUY", 60, 1)), "same execution twice"),
        (lambda: _held().unrealised({}), "no price for X"),
        (lambda: TaxRules(short_term_rate=Decimal(37), long_term_rate=Decimal(0)), "fraction below 1"),
    ],
)
def test_what_cannot_be_is_refused(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_an_empty_book_says_nothing_and_costs_nothing() -> None:
    book = LotBook()
    assert (book.realised(), book.unrealised({}), book.quantity("X"), book.position("X").quantity) == (0, 0, 0, 0)
    assert book.frame().empty
    assert tax_summary(book.disposals, RULES).tax == 0


def test_specific_lots_are_closed_as_named() -> None:
    book = _held().with_fill(fill(3, 6, "SELL", 60, 11), lots={"f2": 50, "f1": 10})
    assert [(row.lot.lot_id, row.gain) for row in book.disposals] == [("f2", -50), ("f1", 10)]


def test_a_fill_through_zero_closes_and_opens_with_its_share_of_the_commission() -> None:
    book = LotBook().with_fill(fill(1, 0, "BUY", 100, 10)).with_fill(fill(2, 1, "SELL", 150, 11, commission=3))
    assert book.disposals[0].gain == 98
    (short,) = book.lots["X"]
    assert (short.quantity, short.cost, short.is_short) == (-50, -549, True)
    closed = book.with_fill(fill(3, 900, "BUY", 50, 9))
    row = tax_report(closed.disposals, RULES).iloc[-1]
    assert (row["proceeds"], row["cost"], row["gain"], row["term"]) == (549, 450, 99, "short")


def test_a_loss_waits_through_a_split_for_its_replacement() -> None:
    book = LotBook(wash=UsWashSale()).with_fill(fill(1, 0, "BUY", 100, 10)).with_fill(fill(2, 50, "SELL", 100, 8))
    assert book.washed_until("X", (START + datetime.timedelta(days=55)).date()) == datetime.date(2022, 3, 24)
    book = book.with_split("X", 2, 1).with_fill(fill(3, 60, "BUY", 100, 4))
    assert (book.disposals[0].disallowed, book.lots["X"][0].cost) == (100, 500)
    assert book.washed_until("X", (START + datetime.timedelta(days=90)).date()) is None


def test_a_loss_of_a_short_sale_is_washed_by_the_next_one() -> None:
    book = LotBook(wash=UsWashSale()).with_fill(fill(1, 0, "SELL", 10, 10)).with_fill(fill(2, 5, "BUY", 10, 12))
    book = book.with_fill(fill(3, 9, "SELL", 10, 11))
    assert book.disposals[0].taxable_gain == 0
    assert book.lots["X"][0].cost == -90
    assert book.with_fill(fill(4, 99, "BUY", 10, 9)).realised() == 0


def test_days_are_those_of_the_exchange() -> None:
    late = datetime.datetime(2023, 1, 1, 2, tzinfo=datetime.UTC)
    one = Fill(execution_id="a", instrument="X", side="BUY", quantity=1, price=1, filled_at=late)  # type: ignore[arg-type]
    assert LotBook(time_zone="America/New_York").with_fill(one).lots["X"][0].opened_on == datetime.date(2022, 12, 31)
