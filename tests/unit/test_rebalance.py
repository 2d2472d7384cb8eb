"""Rebalancing: what each method trades, what is refused, and how a plan is carried out."""

from __future__ import annotations

import datetime
import pickle
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.domain.fill import Fill
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.money import Rates
from algotrendy.domain.portfolio import Portfolio
from algotrendy.errors import Conflict, InputError, OutcomeUnknown, VenueUnavailable
from algotrendy.portfolio import (
    Band,
    Calendar,
    CostAware,
    FillAtPlan,
    LotBook,
    OrderOutcome,
    PlannedOrder,
    RebalancePlan,
    TaxOptimization,
    TaxRules,
    Threshold,
    TradingCost,
    UsWashSale,
    execute,
    plan_rebalance,
    whole_shares,
)

NOON = datetime.datetime(2024, 3, 15, 12, tzinfo=datetime.UTC)
PRICES = {"A": 10, "B": 20, "C": 50}
RULES = TaxRules(short_term_rate=Decimal("0.4"), long_term_rate=Decimal("0.2"))


def fill(name: str, side: str, quantity: Any, price: Any, at: datetime.datetime = NOON, **others: Any) -> Fill:
    return Fill(
        execution_id=f"{name}-{at:%y%m%d}-{side}", instrument=name, side=side, quantity=quantity, price=price,  # type: ignore[arg-type]
        filled_at=at, **others,
    )  # fmt: skip


def portfolio(cash: Any = 1000, **held: Any) -> Portfolio:
    """Return a portfolio with units of A, B, C at the prices above and some cash."""
    total = sum(Decimal(units) * PRICES[name] for name, units in held.items()) + Decimal(cash)
    found = Portfolio().with_cash(total, "USD", kind="deposit", at=NOON)
    for name, units in held.items():
        found = found.with_fill(fill(name, "BUY", units, PRICES[name]))
    return found


def plan(held: Portfolio, targets: dict[str, Any], **options: Any) -> RebalancePlan:
    return plan_rebalance(held, options.pop("prices", PRICES), targets, at=options.pop("at", NOON), **options)


def traded(found: RebalancePlan) -> dict[str, int]:
    return {order.instrument: int(order.quantity) * order.side.sign for order in found.orders}


# --- methods ---

# 10,000 in all: A 60 %, B 20 %, C 10 %, cash 10 %
HELD: dict[str, Any] = {"A": 600, "B": 100, "C": 20}


@pytest.mark.parametrize(
    ("method", "targets", "expected"),
    [
        ("full_rebalance", {"A": 0.5, "B": 0.3, "C": 0.1}, {"A": -100, "B": 50}),
        ("full", {"A": 0.5, "B": 0.5}, {"A": -100, "C": -20, "B": 150}),
        (Threshold("0.10"), {"A": 0.5, "B": 0.3, "C": 0.1}, {}),  # type: ignore[arg-type]
        (Threshold("0.09"), {"A": 0.5, "B": 0.3, "C": 0.1}, {"A": -100, "B": 50}),  # type: ignore[arg-type]
        (Threshold("0.5", relative=True), {"A": 0.7, "B": 0.15, "C": 0.05}, {"A": 100, "B": -25, "C": -10}),  # type: ignore[arg-type]
        ("band_to_target", {"A": 0.5, "B": 0.22, "C": 0.1}, {"A": -100}),
        ("band_to_edge", {"A": 0.5, "B": 0.26, "C": 0.1}, {"A": -50, "B": 5}),
        (Band(width="0.1", to="edge"), {"A": 0.45, "C": 0.1}, {"A": -50, "B": -100}),  # type: ignore[arg-type]
        ("cash_flow", {"A": 0.6, "B": 0.28, "C": 0.12}, {"B": 40, "C": 4}),
        ("cash_flow", {"A": 0.4, "B": 0.3, "C": 0.3}, {"C": 20}),
        ("cash_flow", {"A": 0.4, "B": 0.32, "C": 0.28}, {"C": 16, "B": 10}),
        ("cash_flow", {"A": 0.5, "B": 0.1, "C": 0.1}, {"A": -100, "B": -50}),
        (Calendar("1mo", last=datetime.date(2024, 3, 1)), {"A": 0.5}, {}),
        (Calendar("1mo", last=datetime.date(2024, 2, 29)), {"A": 0.6, "B": 0.2}, {"C": -20}),
        (Calendar("1wk", last=datetime.date(2024, 3, 11)), {"A": 0.5}, {}),
        (Calendar("3mo", last=datetime.date(2023, 12, 31)), {"A": 0.6, "B": 0.2}, {"C": -20}),
        (Calendar("1y", last=datetime.date(2024, 1, 1)), {"A": 0.5}, {}),
        (Calendar("1y"), {"A": 0.6, "B": 0.2}, {"C": -20}),
    ],
)
def test_a_method_trades_what_it_says(method: Any, targets: dict[str, Any], expected: dict[str, int]) -> None:
    assert traded(plan(portfolio(**HELD), targets, method=method)) == expected


def test_weights_below_one_leave_cash_and_above_one_are_an_error() -> None:
    found = plan(portfolio(**HELD), {"A": 0.4, "B": 0.2})
    assert found.cash_after == 4000
    with pytest.raises(InputError, match=r"sum to 1\.2, above 1"):
        plan(portfolio(**HELD), {"A": 0.7, "B": 0.5})
    borrowed = plan(portfolio(**HELD), {"A": 0.7, "B": 0.5}, allow_leverage=True)
    assert borrowed.cash_after == -2000
    assert plan(portfolio(**HELD), dict.fromkeys("ABC", 1 / 3)).cash_after >= 0
    thirds_of_floats = {"A": 0.1 + 0.2, "B": 0.7, "C": 0.0}
    assert plan(portfolio(**HELD), thirds_of_floats).cash_after >= 0, "a sum of 1 + 1e-17 is 1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": {"A": -0.1}}, "below 0"),
        ({"targets": {"A": float("nan")}}, "finite"),
        ({"targets": {"Z": 0.1}}, "no price for Z"),
        ({"prices": {"A": 10, "B": 20}}, "no price for C"),
        ({"prices": {**PRICES, "A": 0}}, "worth 0 a unit"),
        ({"method": "sometimes"}, "no method of rebalancing"),
        ({"at": datetime.datetime(2024, 1, 1)}, "no time zone"),
        ({"minimum_trade": -1}, "minimum_trade"),
        ({"turnover_max": "x"}, "turnover_max"),
        ({"held": Portfolio()}, "no weights"),
        ({"held": portfolio(0, A=1).with_cash(-20, "USD", kind="fee", at=NOON)}, "no weights"),
        ({"covariance": pd.DataFrame([[0.04]], ["A"], ["A"])}, "lacks B, C"),
        ({"covariance": pd.DataFrame(np.full((3, 3), np.nan), list("ABC"), list("ABC"))}, "not finite"),
        ({"covariance": pd.DataFrame(np.triu(np.ones((3, 3))), list("ABC"), list("ABC"))}, "not symmetric"),
        ({"covariance": pd.DataFrame(-np.eye(3), list("ABC"), list("ABC"))}, "variance of 'A' is below 0"),
        (
            {"covariance": pd.DataFrame(2 * np.ones((3, 3)) - np.eye(3), list("ABC"), list("ABC"))},
            "negative eigenvalue",
        ),
        ({"instruments": {"A": Instrument.of("stock:X:A"), "B": Instrument(asset_class="stock", venue="X", symbol="B",  # type: ignore[arg-type]
          currency="EUR")}, "rates": Rates("USD", {"EUR": Decimal(1)})}, "its instrument says EUR"),
    ],
)  # fmt: skip
def test_what_cannot_be_planned_is_refused(options: dict[str, Any], message: str) -> None:
    held, targets = options.pop("held", portfolio(**HELD)), options.pop("targets", {"A": 0.5})
    with pytest.raises(InputError, match=message):
        plan(held, targets, **options)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Band(to="middle"), "traded to"),  # type: ignore[arg-type]
        (lambda: Band("-1"), "width of a band"),  # type: ignore[arg-type]
        (lambda: Threshold("-1"), "limit of a threshold"),  # type: ignore[arg-type]
        (lambda: Calendar("1d"), "every is '1d'"),
        (lambda: TradingCost(rate="-1"), "rate of the cost"),  # type: ignore[arg-type]
        (lambda: TaxOptimization(book=LotBook(), rules=RULES, tracking_error_max=-1), "tracking_error_max"),
        (lambda: TaxOptimization(book=LotBook(), rules=RULES, method="specific"), "names them"),  # type: ignore[arg-type]
    ],
)
def test_settings_that_cannot_be_are_refused(build: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()


def test_nothing_to_do_is_a_plan_without_orders() -> None:
    found = plan(portfolio(**HELD), {"A": 0.6, "B": 0.2, "C": 0.1})
    assert (found.orders, found.turnover, execute(found, FillAtPlan()).progress) == ((), 0, 1.0)
    assert set(found.left_alone) == {"A", "B", "C"}


def test_lots_small_trades_and_turnover() -> None:
    lots = {"A": Instrument(asset_class="stock", venue="X", symbol="A", lot_size=Decimal(30))}  # type: ignore[arg-type]
    found = plan(portfolio(**HELD), {"A": 0.5, "B": 0.3, "C": 0.105}, instruments=lots, minimum_trade=60)
    assert traded(found) == {"A": -90, "B": 47}, "the sale brings less, and 9.5 % stays cash"
    assert "smallest trade" in found.left_alone["C"] or "one lot" in found.left_alone["C"]
    capped = plan(portfolio(**HELD), {"A": 0.5, "B": 0.3, "C": 0.1}, turnover_max=0.05)
    assert traded(capped) == {"A": -50, "B": 25}
    assert capped.turnover == Decimal("0.05")
    assert "turnover of 0.05" in capped.orders[0].reasons[-1]


def test_a_position_that_is_left_is_sold_whole_odd_lots_too() -> None:
    lots = {"A": Instrument(asset_class="stock", venue="X", symbol="A", lot_size=Decimal(100))}  # type: ignore[arg-type]
    assert traded(plan(portfolio(A=130, B=50), {"B": 0.3}, instruments=lots))["A"] == -130


def test_costs_are_paid_out_of_the_portfolio_not_out_of_thin_air() -> None:
    cost = TradingCost(rate=Decimal("0.01"), per_order=Decimal(5))
    found = plan(portfolio(10_000), {"A": 0.5, "B": 0.5}, cost=cost)
    assert found.cash_after >= 0
    assert traded(found) == {"A": 494, "B": 247}
    assert found.expected_cost == Decimal("108.8")
    assert found.summary().startswith("full_rebalance of 10000.00 USD at 2024-03-15: 2 orders")


def test_purchases_are_cut_to_the_cash() -> None:
    # B and C are just inside their bands, so nothing is sold for A
    found = plan(portfolio(500, A=250, B=215, C=55), {"A": 0.36, "B": 0.4, "C": 0.23}, method=Band(Decimal("0.06")))
    assert traded(found) == {"A": 39}, "1 % of 10,050 stays cash"
    assert "cut to the cash" in found.orders[0].reasons[-1]


def test_other_currencies_and_multipliers() -> None:
    future = Instrument(asset_class="futures", venue="EUREX", symbol="FX", multiplier=Decimal(25), currency="EUR")  # type: ignore[arg-type]
    found = plan(
        portfolio(100_000),
        {"F": 0.5},
        prices={"F": 40},
        instruments={"F": future},
        rates=Rates("USD", {"EUR": "1.1"}),  # type: ignore[dict-item]
    )
    order = found.orders[0]
    assert (order.quantity, order.value, order.currency) == (45, 49_500, "EUR")
    run = execute(found, FillAtPlan(at=NOON))
    after = portfolio(100_000).with_fill(run.fills[0])
    holdings = after.holdings({"F": 40}, Rates("USD", {"EUR": "1.1"}))  # type: ignore[dict-item]
    assert (holdings.value, holdings.cash_value) == (100_000, found.cash_after)


def test_the_same_call_gives_the_same_order_ids() -> None:
    first, again, other = (plan(portfolio(**HELD), {"A": a, "B": 0.3}) for a in (0.5, 0.5, 0.51))
    assert first == again
    assert first.plan_id != other.plan_id
    assert len({order.client_order_id for order in first.orders}) == len(first.orders)
    assert list(first.frame()["side"]) == ["SELL", "BUY", "SELL"]


# --- cost-aware ---


def test_one_instrument_is_traded_to_the_edge_of_its_region() -> None:
    """Closed form: |w - target| at the edge is cost / (risk aversion x variance)."""
    covariance = pd.DataFrame([[0.04]], ["A"], ["A"])
    cost = TradingCost(rate=Decimal("0.02"))
    fine = {"A": Instrument(asset_class="stock", venue="X", symbol="A", lot_size=Decimal("0.0001"))}  # type: ignore[arg-type]
    found = plan(
        portfolio(9000, A=100), {"A": 0.5}, method=CostAware(covariance, risk_aversion=5), cost=cost, instruments=fine
    )
    assert float(found.weights_after["A"]) == pytest.approx(0.5 - 0.02 / (5 * 0.04), abs=1e-5)
    near = plan(portfolio(5500, A=450), {"A": 0.5}, method=CostAware(covariance, risk_aversion=5), cost=cost)
    assert near.orders == ()


# --- tax ---


def _taxed(*lots: tuple[str, int, int, str], wash: bool = True) -> tuple[Portfolio, LotBook]:
    book = LotBook(wash=UsWashSale() if wash else None)
    held = Portfolio().with_cash(100_000, "USD", kind="deposit", at=NOON)
    for number, (name, units, price, day) in enumerate(sorted(lots, key=lambda lot: lot[3])):
        at = datetime.datetime.fromisoformat(day).replace(hour=15, tzinfo=datetime.UTC)
        one = Fill(
            execution_id=f"l{number}",
            instrument=name,
            side="BUY",
            quantity=units,
            price=price,
            filled_at=at,  # type: ignore[arg-type]
        )
        book, held = book.with_fill(one), held.with_fill(one)
    value = sum(units * price for _, units, price, _ in lots)
    return held.with_cash(
        Decimal(value - 100_000), "USD", kind="withdrawal", at=NOON
    ) if value < 100_000 else held, book


COVARIANCE = pd.DataFrame(
    np.array([[0.04, 0.03, 0.01], [0.03, 0.05, 0.01], [0.01, 0.01, 0.09]]), list("ABC"), list("ABC")
)


def test_a_sale_takes_the_lots_with_the_least_tax() -> None:
    held, book = _taxed(("A", 100, 5, "2020-01-01"), ("A", 100, 9, "2024-02-01"), ("A", 100, 12, "2022-01-01"))
    tax = TaxOptimization(book=book, rules=RULES)
    found = plan(held, {"A": 0.5}, tax_optimization=tax)
    (order,) = found.orders
    assert dict(order.lots) == {"l1": 100, "l2": order.quantity - 100}
    assert found.realised is not None
    assert (found.realised.long_term, found.realised.short_term) == (-200, order.quantity - 100)
    assert found.expected_tax == 0, "the loss covers the gain"


def test_losses_are_harvested_within_the_bound_and_into_a_substitute() -> None:
    held, book = _taxed(("A", 500, 15, "2023-01-01"), ("C", 100, 40, "2021-01-01"))
    targets = {"A": 0.5, "C": 0.5, "B": 0}
    no_harm = TaxOptimization(book=book, rules=RULES, covariance=COVARIANCE, tracking_error_max=0.0)
    assert plan(held, targets, tax_optimization=no_harm).orders == ()
    wide = TaxOptimization(
        book=book, rules=RULES, covariance=COVARIANCE, tracking_error_max=0.2, substitutes={"A": "B"}
    )
    found = plan(held, targets, tax_optimization=wide)
    assert traded(found) == {"A": -500, "B": 250}
    assert found.realised is not None
    assert found.realised.long_term == -2500
    assert found.no_purchase_until == {"A": datetime.date(2024, 4, 14)}
    tight = TaxOptimization(
        book=book, rules=RULES, covariance=COVARIANCE, tracking_error_max=0.01, substitutes={"A": "B"}
    )
    some = plan(held, targets, tax_optimization=tight)
    assert 0 < -traded(some)["A"] < 500
    assert some.tracking_error_after is not None
    assert 0.009 < some.tracking_error_after <= 0.01 + 1e-9


def test_a_gain_is_deferred_within_the_bound() -> None:
    held, book = _taxed(("A", 600, 2, "2024-01-10"), ("C", 100, 50, "2021-01-01"))
    targets = {"A": 0.5, "C": 0.5}
    without = plan(held, targets, tax_optimization=TaxOptimization(book=book, rules=RULES))
    assert traded(without)["A"] == -50
    tax = TaxOptimization(book=book, rules=RULES, covariance=COVARIANCE, tracking_error_max=0.05)
    found = plan(held, targets, tax_optimization=tax)
    assert found.orders == ()
    assert "kept for now" in found.left_alone["A"]


def test_what_was_sold_at_a_loss_is_not_bought_back() -> None:
    held, book = _taxed(("A", 300, 15, "2023-01-01"), ("B", 200, 20, "2023-01-01"))
    sale = fill("A", "SELL", 100, 10, NOON - datetime.timedelta(days=5))
    held, book = held.with_fill(sale), book.with_fill(sale)
    tax = TaxOptimization(book=book, rules=RULES, covariance=COVARIANCE, tracking_error_max=0.1, minimum_loss=10_000)  # type: ignore[arg-type]
    targets = {"A": 0.5, "B": 0.5}
    assert traded(plan(held, targets, tax_optimization=TaxOptimization(book=book, rules=RULES)))["A"] > 0
    found = plan(held, targets, tax_optimization=tax)
    assert "A" not in traded(found)
    assert "taken back until 2024-04-09" in found.left_alone["A"]


def test_a_loss_that_a_recent_purchase_would_take_over_is_not_harvested() -> None:
    held, book = _taxed(("A", 250, 15, "2023-01-01"), ("A", 250, 11, "2024-03-01"))
    tax = TaxOptimization(book=book, rules=RULES, covariance=COVARIANCE, tracking_error_max=1.0)
    found = plan(held, {"A": 1.0}, tax_optimization=tax)
    assert found.realised is not None
    assert found.realised.disallowed == 0


def test_a_book_of_other_holdings_is_refused() -> None:
    with pytest.raises(InputError, match="the book has lots of 0 A"):
        plan(portfolio(**HELD), {"A": 0.5}, tax_optimization=TaxOptimization(book=LotBook(), rules=RULES))
    held, book = _taxed(("A", 100, 10, "2023-01-01"))
    tax = TaxOptimization(book=book, rules=RULES, substitutes={"A": "Z"})
    with pytest.raises(InputError, match="substitute Z is no target"):
        plan(held, {"A": 0.5}, tax_optimization=tax)


# --- carrying it out ---


class Scripted:
    """A route that answers as told, and remembers what it was sent."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.sent = answers, []  # type: ignore[var-annotated]

    def place(self, order: PlannedOrder) -> OrderOutcome:
        self.sent.append(order.client_order_id)
        answer = self.answers.pop(order.instrument, None)
        if isinstance(answer, Exception):
            raise answer
        return answer or FillAtPlan(at=NOON).place(order)


def _three_orders() -> RebalancePlan:
    return plan(portfolio(0, A=600, B=100, C=40), {"A": 0.5, "B": 0.4, "C": 0.1})


def test_sales_go_first_and_a_run_says_how_far_it_is() -> None:
    steps: list[float] = []
    run = execute(_three_orders(), Scripted(), on_progress=lambda run: steps.append(run.progress))
    assert [str(order.side) for order in run.plan.orders] == ["SELL", "SELL", "BUY"]
    assert (str(run.status), steps) == ("completed", pytest.approx([1 / 3, 2 / 3, 1.0]))
    assert pickle.loads(pickle.dumps(run)) == run


def test_a_purchase_waits_for_its_cash() -> None:
    rejected = OrderOutcome(state="rejected", message="halted")  # type: ignore[arg-type]
    run = execute(_three_orders(), Scripted(A=rejected))
    assert [str(run.state_of(order)) for order in run.plan.orders] == ["rejected", "filled", "skipped"]
    assert str(run.status) == "incomplete"


def test_a_venue_that_is_down_stops_the_run_and_it_goes_on_later() -> None:
    found = _three_orders()
    first = Scripted(C=VenueUnavailable("paper", "down"))
    stopped = execute(found, first)
    assert (str(stopped.status), stopped.message, len(stopped.outcomes)) == ("stopped", "paper: down", 1)
    second = Scripted()
    run = execute(found, second, resume=stopped)
    assert str(run.status) == "completed"
    assert set(first.sent) & set(second.sent) == {stopped.plan.orders[1].client_order_id}
    with pytest.raises(InputError, match="the run is of the plan"):
        execute(plan(portfolio(), {"A": 0.5}), Scripted(), resume=stopped)


def test_an_unknown_outcome_is_never_sent_again() -> None:
    found = _three_orders()
    stopped = execute(found, Scripted(A=OutcomeUnknown("paper", "broke")))
    name = found.orders[0].client_order_id
    assert (str(stopped.status), stopped.progress) == ("stopped", 0.0)
    with pytest.raises(Conflict, match="look it up"):
        execute(found, Scripted(), resume=stopped)
    route = Scripted()
    run = execute(found, route, resume=stopped, settled={name: FillAtPlan(at=NOON).place(found.orders[0])})
    assert name not in route.sent
    assert str(run.status) == "completed"


# --- whole shares ---


@pytest.mark.parametrize(
    ("weights", "money", "message"),
    [
        ({"A": 0.6, "B": 0.6}, 100, "above 1"),
        ({"A": -0.1}, 100, "below 0"),
        ({"Z": 0.1}, 100, "no price for Z"),
        ({"A": 0.1}, -1, "the money"),
    ],
)
def test_whole_shares_refuse_what_cannot_be(weights: dict[str, Any], money: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        whole_shares(weights, PRICES, money)
    with pytest.raises(InputError, match="largest_remainder"):
        whole_shares({"A": 0.1}, PRICES, 1, method="best")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["largest_remainder", "exact"])
def test_no_money_and_no_weights_buy_nothing(method: Any) -> None:
    assert whole_shares({"A": 0.5}, PRICES, 0, method=method).quantities == {"A": 0}
    assert whole_shares({"A": 0}, PRICES, 100, method=method).quantities == {"A": 0}
    assert whole_shares({}, PRICES, 100, method=method).cash == 100
