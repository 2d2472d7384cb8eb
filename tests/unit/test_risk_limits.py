"""Limits one by one, with values computed by hand; what cannot be evaluated is denied."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from scipy import stats

from algotrendy.errors import InputError
from algotrendy.risk.limits import (
    BookView,
    Exposure,
    Limit,
    LimitKind,
    LimitManager,
    LimitSet,
    ParametricRisk,
    ProposedOrder,
    RiskProfile,
    ScenarioRisk,
    check_order,
    limits_from,
    profile,
    what_if,
)
from algotrendy.risk.limits.measures import KINDS

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
A = Exposure(
    symbol="A", quantity=100, price=10, sector="tech", beta="1.5", volume=10_000, pending_buys=20, pending_sells=30
)
B = Exposure(symbol="B", quantity=-40, price=5, multiplier=10, rate="0.5", sector="tech", beta="-1", volume=500)
BOOK = BookView(
    equity=10_000, exposures=[A, B], cash=5_000, day_open_equity=10_500, peak_equity=12_500, traded_value=1_000,
    orders_at=[NOW - timedelta(seconds=s) for s in (70, 50, 10)], as_of=NOW,
)  # fmt: skip
BUY = ProposedOrder(symbol="A", side="BUY", quantity=50, limit_price=11)
SELL = ProposedOrder(symbol="B", side="SELL", quantity=10)


def order(symbol: str = "A", side: Any = "BUY", quantity: Any = 50, price: Any = None) -> ProposedOrder:
    return ProposedOrder(symbol=symbol, side=side, quantity=quantity, limit_price=price)


@pytest.mark.parametrize(
    ("kind", "buy", "sell"),
    [
        ("position", "170", "50"),
        ("position_value", "1700", "1250"),  # a unit of B is worth 5 x 10 x 0.5 = 25
        ("concentration", "0.17", "0.125"),
        ("sector", "0.27", "0.245"),  # 1700 + 1000; 1200 + 1250
        ("gross_leverage", "0.27", "0.245"),
        ("net_leverage", "0.07", "0.055"),  # 1700 - 1000; lowest 700 - 1250
        ("beta", "0.355", "0.305"),  # highest 1.5 x 1700 + 1000; 1.5 x 1200 + 1250
        ("borrowing", "0", "0"),
        ("long_only", "0", "50"),
        ("order_quantity", "50", "10"),
        ("order_value", "550", "250"),
        ("order_size", "0.055", "0.025"),
        ("turnover", "0.205", "0.175"),  # 1000 of fills, 500 of open orders, and the order
        ("participation", "0.007", "0.02"),  # 20 wait
        ("price_collar", "0.1", "0"),
        ("daily_loss", "0.04761904761904761904761904762", "0.04761904761904761904761904762"),
        ("drawdown", "0.2", "0.2"),
    ],
)
def test_each_kind_measures_what_its_page_says(kind: str, buy: str, sell: str) -> None:
    limit = Limit(kind=kind) if kind == "long_only" else Limit(kind=kind, limit=10**9)  # type: ignore[arg-type]
    found = [check_order(one, BOOK, [limit]).checks[1].value for one in (BUY, SELL)]
    assert found == [Decimal(buy), Decimal(sell)]
    assert KINDS[LimitKind(kind)].unit


def test_borrowing_counts_open_buys_and_the_price_of_the_order() -> None:
    book = replace(BOOK, cash=Decimal(600))
    found = check_order(BUY, book, [Limit(kind="borrowing")])
    assert (found.approved, found.checks[1].value) == (False, Decimal("0.015"))  # 600 - 200 - 550
    assert found.suggested_quantity == 36  # (600 - 200) / 11, rounded down


def test_the_rate_counts_orders_inside_its_window() -> None:
    for seconds, count in ((5, 1), (50, 2), (60, 3), (100, 4)):
        found = check_order(BUY, BOOK, [Limit(kind="order_rate", limit=2, seconds=seconds)])
        assert (found.checks[1].value, found.approved) == (count, count <= 2)


def test_a_restricted_symbol_can_only_be_closed() -> None:
    limits = [Limit(kind="restricted", symbols=["A"])]
    denied = check_order(BUY, BOOK, limits)
    assert denied.message == "restricted: A is on the restricted list"
    assert check_order(order(side="SELL", quantity=70), BOOK, limits).approved
    assert check_order(order(side="SELL", quantity=71), BOOK, limits).suggested_quantity == 70
    assert check_order(SELL, BOOK, limits).approved


def test_a_limit_may_bind_closing_orders_where_it_says_so() -> None:
    cheap = order(side="SELL", quantity=10, price=1)
    assert check_order(cheap, BOOK, [Limit(kind="price_collar", limit="0.1")]).approved
    assert not check_order(cheap, BOOK, [Limit(kind="price_collar", limit="0.1", binds_closing=True)]).approved


def test_an_order_that_hedges_is_not_denied_because_the_value_is_too_high_already() -> None:
    book = BookView(equity=100, exposures=[Exposure(symbol="X", quantity=50, price=10), Exposure(symbol="Y", price=10)])
    assert check_order(order("Y", "SELL", 10), book, [Limit(kind="net_leverage", limit=1)]).approved
    assert not check_order(order("Y", "SELL", 10), book, [Limit(kind="gross_leverage", limit=1)]).approved
    parametric = ParametricRisk({"X": 500.0}, [[4e-4, 4e-4], [4e-4, 4e-4]], ["X", "Y"], equity=100.0)
    found = check_order(order("Y", "SELL", 10), replace(book, estimates=parametric), [Limit(kind="value_at_risk")])
    assert found.approved
    assert "not raised" in found.checks[1].message


def test_states() -> None:
    closing = order(side="SELL", quantity=70)
    for state, buys, closes in (("active", True, True), ("reducing", False, True), ("halted", False, False)):
        book = replace(BOOK, state=state)
        assert (check_order(BUY, book, []).approved, check_order(closing, book, []).approved) == (buys, closes)
    assert check_order(order(side="SELL", quantity=90), replace(BOOK, state="reducing"), []).suggested_quantity == 70


class Broken:
    def value_at_risk(self, symbol: str, change: float) -> float:
        raise ZeroDivisionError("no returns")

    def expected_shortfall(self, symbol: str, change: float) -> float:
        return float("nan")

    def moved(self, symbol: str, change: float) -> Broken:
        return self


@pytest.mark.parametrize(
    ("book", "limit", "said"),
    [
        (BOOK, {"kind": "value_at_risk", "limit": 1}, "give it estimates="),
        (replace(BOOK, estimates=Broken()), {"kind": "value_at_risk", "limit": 1}, "ZeroDivisionError: no returns"),
        (replace(BOOK, estimates=Broken()), {"kind": "expected_shortfall", "limit": 1}, "is NaN"),
        (replace(BOOK, cash=None), {"kind": "borrowing", "limit": 1}, "give it cash="),
        (replace(BOOK, as_of=None), {"kind": "order_rate", "limit": 9, "seconds": 1}, "give it as_of="),
        (replace(BOOK, peak_equity=None), {"kind": "drawdown", "limit": 1}, "peak_equity=None"),
        (BOOK.with_row(replace(B, beta=None)), {"kind": "beta", "limit": 9}, "the beta of B is not known"),
        (BOOK.with_row(replace(A, volume=None)), {"kind": "participation", "limit": 1}, "usual volume of A"),
    ],
)
def test_what_cannot_be_evaluated_is_denied(book: BookView, limit: dict[str, Any], said: str) -> None:
    found = check_order(BUY, book, [limit, {"kind": "order_quantity", "limit": 1000}])
    assert not found.approved
    assert found.suggested_quantity == 0
    assert said in found.message
    assert [check.passed for check in found.checks] == [True, False, True]
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["checks"][1]["value"] is None


def test_an_instrument_that_the_book_does_not_know_is_denied() -> None:
    found = check_order(order("Z"), BOOK, [Limit(kind="drawdown", limit=1)])
    assert (found.approved, found.suggested_quantity, [check.name for check in found.checks]) == (False, 0, ["order"])
    assert "add one with its price" in found.message


@pytest.mark.parametrize("equity", [0, -10])
def test_without_equity_only_closing_orders_pass(equity: int) -> None:
    book = replace(BOOK, equity=Decimal(equity))
    for kind in ("concentration", "gross_leverage", "order_size", "turnover"):
        limits = [Limit(kind=kind, limit=100)]
        assert not check_order(BUY, book, limits).approved
        assert check_order(order(side="SELL", quantity=70), book, limits).approved


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "leverage"}, "expected one of position, "),
        ({"limit": 1}, "at least kind"),
        ({"kind": "drawdown", "most": 1}, "found kind, most"),
        ({"kind": "drawdown", "limit": -1}, "expected at least 0"),
        ({"kind": "drawdown", "limit": "nan"}, "finite"),
        ({"kind": "order_rate", "limit": 1}, "needs seconds="),
        ({"kind": "drawdown", "limit": 1, "seconds": 5}, "no other kind does"),
        ({"kind": "restricted"}, "needs symbols="),
        ({"kind": "long_only", "limit": 1}, "needs no limit"),
        ({"kind": "position", "limit": 1, "symbols": "AAPL"}, r"\['AAPL'\]"),
    ],
)
def test_what_is_no_limit_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        limits_from([wrong])


def test_limits_travel_as_json_and_keep_their_digits() -> None:
    given = [
        {"kind": "concentration", "limit": "0.1000000000000000000001", "symbols": ["A", "B"], "name": "big ones"},
        {"kind": "price_collar", "limit": "0.05", "binds_closing": True},
        {"kind": "sector", "limit": "0.3", "sectors": ["energy"]},
    ]
    assert [limit.as_dict() for limit in limits_from(json.loads(json.dumps(given)))] == given
    with pytest.raises(InputError, match="two limits are called 'drawdown'"):
        LimitSet([{"kind": "drawdown", "limit": 1}, {"kind": "drawdown", "limit": 2}])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: order(quantity=0), "quantity is 0, expected more than 0"),
        (lambda: order(side="HOLD"), '"BUY" or "SELL"'),
        (lambda: order(quantity="many"), "expected a number"),
        (lambda: Exposure(symbol="A", price=0), "price of A is 0"),
        (lambda: Exposure(symbol="A", price=1, pending_buys=-1), "at least 0"),
        (lambda: BookView(equity=1, exposures=[A, A]), "two rows of A"),
        (lambda: BookView(equity=1, as_of=datetime(2026, 1, 5)), "no time zone"),
        (lambda: BookView(equity=float("inf")), "finite"),
        (lambda: BookView(equity=1, state="asleep"), "active, reducing, halted"),
        (lambda: profile("reckless"), "conservative, moderate, aggressive"),
        (lambda: LimitManager().set_state("port_1", "asleep"), "active, reducing, halted"),
    ],
)
def test_what_is_no_book_or_order_is_refused(make: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()


def test_profiles_are_ordered_and_can_be_evaluated() -> None:
    by_name = [{limit.name: limit.limit for limit in profile(name)} for name in RiskProfile]
    for tight, loose in itertools.pairwise(by_name):
        assert all(tight[name] < loose[name] for name in tight.keys() & loose.keys() if name != "long_only")
    for name in RiskProfile:
        assert all(check.value == check.value for check in check_order(BUY, BOOK, profile(name)).checks)


def test_a_manager_keeps_limits_and_states_by_portfolio() -> None:
    manager = LimitManager("aggressive")
    assert manager.check_order(BUY, BOOK, "one").approved
    manager.set_limits("one", "conservative")
    assert "long_only" in [limit.name for limit in manager.limits("one")]
    with pytest.raises(InputError):
        manager.set_limits("one", [{"kind": "nothing"}])
    assert len(manager.limits("one")) == len(profile("conservative"))
    assert [limit.name for limit in manager.limits("two")] == [limit.name for limit in profile("aggressive")]
    manager.set_state("two", "reducing")
    assert not manager.check_order_risk(BUY, BOOK, "two").approved
    manager.set_state("two", "active")
    assert not manager.check_position_limits(BUY, replace(BOOK, state="halted"), "two").approved
    assert not manager.what_if(BUY, replace(BOOK, state="halted"), "two").approved


def test_what_if_moves_cash_positions_and_estimates() -> None:
    values = {"A": 1000.0, "B": -1000.0}
    book = replace(BOOK, estimates=ParametricRisk(values, [[4e-4, 0.0], [0.0, 4e-4]], ["A", "B"], equity=10_000.0))
    tried = what_if([order(quantity=10), order("B", "BUY", 40)], book)
    assert tried.approved
    assert (tried.after.cash, tried.after.gross_leverage, tried.after.beta) == (3900, Decimal("0.11"), Decimal("0.165"))
    assert tried.book.traded_value == 2100
    assert tried.before.value_at_risk == pytest.approx(stats.norm.ppf(0.95) * 0.02 * np.sqrt(2) * 0.1)
    assert tried.after.value_at_risk == pytest.approx(stats.norm.ppf(0.95) * 0.02 * 0.11)
    assert tried.after.sectors == {"tech": Decimal("0.11")}


def test_parametric_estimates_are_those_of_the_normal_distribution() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(4, 4)) * 0.01
    covariance, values = root @ root.T, np.array([100.0, -50.0, 0.0, 20.0])
    names = list("ABCD")
    risk = ParametricRisk(dict(zip(names, values, strict=True)), covariance, names, equity=500.0, confidence_level=0.99)
    after = values + np.array([0.0, 0.0, 70.0, 0.0])
    spread = np.sqrt(after @ covariance @ after) / 500.0
    assert risk.value_at_risk("C", 70.0) == pytest.approx(stats.norm.ppf(0.99) * spread)
    tail = stats.norm.expect(lambda x: x, lb=stats.norm.ppf(0.99)) / 0.01
    assert risk.expected_shortfall("C", 70.0) == pytest.approx(tail * spread, rel=1e-6)
    assert risk.moved("C", 70.0).value_at_risk("A", 0.0) == pytest.approx(risk.value_at_risk("C", 70.0))


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_estimates_by_scenarios_are_the_quantile_and_the_minimum_of_rockafellar_and_uryasev(level: float) -> None:
    rng = np.random.default_rng(2)
    returns, values = rng.standard_t(4, size=(257, 3)) * 0.01, np.array([100.0, -50.0, 20.0])
    risk = ScenarioRisk(dict(zip("ABC", values, strict=True)), returns, "ABC", equity=200.0, confidence_level=level)
    losses = -(returns @ (values + np.array([0.0, 30.0, 0.0]))) / 200.0
    assert risk.value_at_risk("B", 30.0) == pytest.approx(np.quantile(losses, level))
    lowest = min(a + np.maximum(losses - a, 0.0).sum() / (len(losses) * (1.0 - level)) for a in losses)
    assert risk.expected_shortfall("B", 30.0) == pytest.approx(lowest)
    assert risk.moved("B", 30.0).expected_shortfall("A", 0.0) == pytest.approx(lowest)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ParametricRisk({}, [[1.0, 0.0]], ["A"], equity=1.0), "symmetric"),
        (lambda: ParametricRisk({}, [[1.0, 2.0], [2.0, 1.0]], ["A", "B"], equity=1.0), "eigenvalue below zero"),
        (lambda: ParametricRisk({"Z": 1.0}, [[1.0]], ["A"], equity=1.0), "Z is held"),
        (lambda: ParametricRisk({}, [[1.0]], ["A"], equity=0.0), "has to be positive"),
        (lambda: ScenarioRisk({}, [[0.1]], ["A"], equity=1.0), "n_scenarios >= 2"),
        (lambda: ScenarioRisk({"A": float("nan")}, [[0.1], [0.2]], ["A"], equity=1.0), "finite number"),
        (lambda: ScenarioRisk({}, [[0.1], [0.2]], ["A"], equity=1.0, confidence_level=5), "fraction in"),
    ],
)
def test_estimates_refuse_what_they_cannot_use(make: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()
