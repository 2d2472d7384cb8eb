"""The portfolio service on SQLite and PostgreSQL: money, rebalancing that is killed, performance, reports, restarts."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.compute import wait_for
from algotrendy.config import Settings
from algotrendy.errors import Conflict, DataError, InputError, NotFound, OutcomeUnknown, VenueUnavailable
from algotrendy.events import InProcessBus
from algotrendy.jobs import JobQueue, Worker
from algotrendy.portfolio.rebalance import FillAtPlan
from algotrendy.risk.limits import BookView, Exposure, LimitCheckResult, LimitManager, ProposedOrder
from algotrendy.services import (
    MarketPrices,
    Platform,
    PortfolioConfig,
    PortfolioService,
    RebalanceRequest,
    ReportRequest,
    StoredPortfolios,
)
from algotrendy.storage import Database, new_id
from tests.contract.databases import KINDS, Place, opened, place_for
from tests.contract.rebalance_worker import Account, service

ROOT = Path(__file__).resolve().parents[2]
OPENED = datetime(2024, 1, 2, 9, tzinfo=UTC)
DAYS = pd.bdate_range("2024-01-02", periods=60, tz="UTC")


def closes() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    steps = rng.normal(0.001, 0.01, (len(DAYS), 3))
    return pd.DataFrame(np.round(100 * np.exp(steps.cumsum(0)), 2), DAYS, ["A", "B", "SPY"])


@pytest.fixture(params=KINDS, scope="module")
def place(request: pytest.FixtureRequest) -> Place:
    return place_for(request, request.param)


@pytest.fixture(scope="module")
def database(place: Place) -> Iterator[Database]:
    with opened(place, durability="process") as made:
        yield made


def work(database: Database, made: Any) -> None:
    Worker(JobQueue(database), made.handlers).run(until_idle=True)


def growth(made: Any, **more: Any) -> str:
    config = {"name": "Growth", "initial_capital": 100_000, "opened_at": OPENED, **more}
    return wait_for(made.create_portfolio(config)).portfolio_id


def fill(number: int, side: str, quantity: Any, price: Any, symbol: str = "A", day: int = 0, **more: Any) -> dict:
    at = DAYS[day].to_pydatetime().replace(hour=15)
    facts = {"execution_id": f"f{number}", "symbol": symbol, "side": side, "quantity": quantity, "price": price}
    return {**facts, "filled_at": at, **more}


def traded(made: Any) -> str:
    """Return a portfolio with a history: two strategies, a sale, a dividend, a fee and a deposit."""
    portfolio_id, prices = growth(made), closes()
    fills = [
        fill(1, "BUY", 300, prices["A"].iloc[0], strategy="trend", commission=3),
        fill(2, "BUY", 200, prices["B"].iloc[5], "B", 5, strategy="mean", commission=2),
        fill(3, "SELL", 100, prices["A"].iloc[20] - 1, "A", 20, strategy="trend", commission=1),
        fill(4, "BUY", 50, prices["A"].iloc[30], "A", 30, strategy="mean"),
    ]
    assert wait_for(made.record_fills(portfolio_id, fills)) == 4
    assert wait_for(made.record_fills(portfolio_id, fills)) == 0
    cash = [("dividend", 150, "A", 12), ("fee", -40, "", 25), ("deposit", 20_000, "", 40), ("withdrawal", 500, "", 41)]
    for kind, amount, reference, day in cash:
        movement = {"kind": kind, "amount": amount, "reference": reference, "at": DAYS[day].to_pydatetime()}
        assert wait_for(made.record_cash(portfolio_id, {**movement, "key": f"{kind} {day}"}))
    return portfolio_id


# --- payloads and portfolios ---


def test_the_bodies_of_the_specification_are_understood() -> None:
    config = {
        "name": "Growth Portfolio",
        "initial_capital": 100000,
        "strategies": ["momentum"],
        "risk_profile": "moderate",
    }
    assert PortfolioConfig.model_validate(config).initial_capital == 100_000
    body = {
        "target_allocations": {"AAPL": 0.3, "GOOGL": 0.2},
        "rebalance_method": "full_rebalance",
        "tax_optimization": True,
    }
    assert RebalanceRequest.model_validate(body).target_allocations["AAPL"] == Decimal("0.3")
    report = {"report_type": "monthly_performance", "format": "pdf", "recipients": ["user@example.com"]}
    assert ReportRequest.model_validate(report).recipients == ["user@example.com"]
    with pytest.raises(ValueError, match="Extra inputs"):
        PortfolioConfig.model_validate({**config, "leverage": 2})


def test_a_portfolio_holds_what_was_recorded_after_a_restart_too(place: Place) -> None:
    with opened(place) as first:
        made = service(first, closes=closes())
        user_id = new_id("usr")
        portfolio_id = growth(made, strategies=["trend"], user_id=user_id)
        wait_for(made.record_fills(portfolio_id, [fill(1, "BUY", "0.1", "33.333333333333", commission="0.01")]))
        wait_for(made.deposit(portfolio_id, "0.1", key="d"))
        assert not wait_for(made.deposit(portfolio_id, "0.1", key="d"))
        with pytest.raises(InputError, match="expected one above 0"):
            wait_for(made.withdraw(portfolio_id, -5))
    with opened(place) as second:
        made = service(second, closes=closes())
        found = wait_for(made.get_portfolio(portfolio_id))
        assert (found.value, found.holdings[0].price) == (None, None), "it was never valued"
        spent = Decimal("0.1") * Decimal("33.333333333333") + Decimal("0.01")
        assert found.cash == {"USD": Decimal("100000.1") - spent}
        assert found.holdings[0].average_cost == Decimal("33.333333333333")
        valued = wait_for(made.value_portfolio(portfolio_id, {"A": 40}))
        assert valued.value == found.cash["USD"] + 4 == wait_for(made.holdings(portfolio_id)).value
        with pytest.raises(InputError, match="no recent price of A; give prices="):
            wait_for(made.value_portfolio(portfolio_id))
        today = pd.Timestamp.now(tz="UTC").normalize()
        fresh = service(second, closes=pd.DataFrame({"A": [41.5, np.nan]}, [today - pd.Timedelta(days=2), today]))
        assert wait_for(fresh.value_portfolio(portfolio_id)).holdings[0].price == Decimal("41.5")
        changed = wait_for(made.update_portfolio(portfolio_id, {"risk_profile": "aggressive", "expected_version": 1}))
        assert (changed.risk_profile, changed.version, changed.strategies) == ("aggressive", 2, ["trend"])
        with pytest.raises(InputError, match="currency"):
            wait_for(made.update_portfolio(portfolio_id, {"currency": "EUR"}))
        assert [one.id for one in wait_for(made.list_portfolios(user_id=user_id)).items] == [portfolio_id]
        assert wait_for(made.delete_portfolio(portfolio_id)).status == "archived"
        with pytest.raises(NotFound):
            wait_for(made.get_portfolio("port_" + "0" * 32))


# --- rebalancing ---


def test_a_plan_is_kept_and_carried_out_once(database: Database) -> None:
    bus, heard = InProcessBus(), []
    bus.subscribe("portfolio.*", heard.append)
    made = service(database, bus=bus)
    portfolio_id = growth(made)
    options = {"prices": {"A": 10, "B": 20}, "asset_types": {"B": "crypto"}}
    plan = wait_for(made.rebalance_portfolio(portfolio_id, {"A": "0.3", "B": "0.2"}, **options))
    assert (plan.status, plan.progress, [order.state for order in plan.orders]) == ("planned", 0.0, ["waiting"] * 2)
    assert wait_for(made.rebalance_status(portfolio_id)) == plan
    queued = wait_for(made.execute_rebalance(plan.rebalance_id))
    assert queued.status == "queued"
    other = wait_for(made.rebalance_portfolio(portfolio_id, {"A": "0.1"}, prices={"A": 10}))
    with pytest.raises(Conflict, match="wait until it is over"):
        wait_for(made.execute_rebalance(other.rebalance_id))
    work(database, made)
    done = wait_for(made.rebalance_status(portfolio_id, plan.rebalance_id))
    assert (done.status, done.progress) == ("completed", 1.0)
    assert wait_for(bus.drain())
    wait_for(bus.close())
    assert [(event.key, event.data["method"]) for event in heard] == [(portfolio_id, "full_rebalance")]
    held = {one.symbol: one.quantity for one in wait_for(made.get_portfolio(portfolio_id)).holdings}
    assert held == {"A": 3000, "B": 1000}
    assert made.portfolio_manager.held(portfolio_id) == {"A": "stock", "B": "crypto"}
    with pytest.raises(Conflict, match="2 trade"):
        wait_for(made.execute_rebalance(other.rebalance_id))
    with pytest.raises(Conflict, match="is completed; make a new plan"):
        wait_for(made.execute_rebalance(plan.rebalance_id))


def test_tax_chooses_the_lots_that_are_closed(database: Database) -> None:
    made = service(database)
    portfolio_id = growth(made)
    prices = {"A": 100}
    fills = [fill(n, "BUY", 100, price, day=n) for n, price in ((1, 60), (2, 120), (3, 90))]
    wait_for(made.record_fills(portfolio_id, fills))
    options = {"tax_optimization": True, "dry_run": False, "prices": prices}
    wait_for(made.rebalance_portfolio(portfolio_id, {"A": "0.1"}, **options))
    work(database, made)
    done = wait_for(made.rebalance_status(portfolio_id))
    assert done.status == "completed"
    assert "f2" in done.orders[0].lots
    book = made.portfolio_manager.accounts.lots(portfolio_id)
    closed = {row.lot.lot_id: row.lot.quantity for row in book.disposals}
    assert closed == dict(done.orders[0].lots)


class Moody:
    """Executes the first order, and then is not there until it is told to be."""

    def __init__(self) -> None:
        self.placed: list[str] = []
        self.is_up = False

    def place(self, order: Any) -> Any:
        if self.placed and not self.is_up:
            raise VenueUnavailable("moody", "not now")
        self.placed.append(order.client_order_id)
        return FillAtPlan().place(order)

    def find(self, client_order_id: str) -> Any:
        return None  # it refused before it kept anything


def test_a_venue_that_is_down_stops_a_plan_which_goes_on_later(database: Database) -> None:
    venue = Moody()
    made = service(database, venue)
    portfolio_id = growth(made)
    targets = dict.fromkeys("ABC", "0.2")
    options = {"dry_run": False, "prices": dict.fromkeys("ABC", 10)}
    wait_for(made.rebalance_portfolio(portfolio_id, targets, **options))
    queue = JobQueue(database)
    with pytest.raises(VenueUnavailable, match=r"stopped: .*not now"):
        made.rebalancer.work(_Context(wait_for(made.rebalance_status(portfolio_id)).rebalance_id))
    stopped = wait_for(made.rebalance_status(portfolio_id))
    assert (stopped.status, round(stopped.progress, 3)) == ("stopped", 0.333)
    venue.is_up = True
    again = wait_for(made.execute_rebalance(stopped.rebalance_id))
    assert again.job_id == stopped.job_id
    work(database, made)
    assert queue.get(again.job_id).status == "completed"
    assert wait_for(made.rebalance_status(portfolio_id)).status == "completed"
    assert len(venue.placed) == len(set(venue.placed)) == 3


class Forgetful:
    """Executes an order and does not answer; asked about it, it knows, when it is there."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Any] = {}
        self.is_up = False

    def place(self, order: Any) -> Any:
        self.outcomes[order.client_order_id] = FillAtPlan().place(order)
        raise OutcomeUnknown("forgetful", "no answer")

    def find(self, client_order_id: str) -> Any:
        if not self.is_up:
            raise VenueUnavailable("forgetful", "not now")
        return self.outcomes.get(client_order_id)


def test_a_plan_that_stopped_is_cancelled_and_what_was_sent_stays(database: Database) -> None:
    venue = Moody()
    made = service(database, venue)
    portfolio_id = growth(made)
    options = {"dry_run": False, "prices": dict.fromkeys("ABC", 10)}
    plan = wait_for(made.rebalance_portfolio(portfolio_id, dict.fromkeys("ABC", "0.2"), **options))
    with pytest.raises(VenueUnavailable):
        made.rebalancer.work(_Context(plan.rebalance_id))
    other = wait_for(made.rebalance_portfolio(portfolio_id, {"A": "0.1"}, prices={"A": 10}))
    with pytest.raises(Conflict, match="is stopped; wait until it is over"):
        wait_for(made.execute_rebalance(other.rebalance_id))
    cancelled = wait_for(made.cancel_rebalance(plan.rebalance_id))
    assert cancelled.status == "cancelled"
    assert [order.state for order in cancelled.orders] == ["filled", "skipped", "waiting"]
    assert cancelled.orders[1].message == "it never arrived"
    held = {one.symbol: one.quantity for one in wait_for(made.get_portfolio(portfolio_id)).holdings}
    assert held == {cancelled.orders[0].symbol: 2000}
    venue.is_up = True
    work(database, made)  # the job that would have gone on finds nothing to do
    assert len(venue.placed) == 1
    with pytest.raises(Conflict, match="is cancelled; make a new plan"):
        wait_for(made.execute_rebalance(plan.rebalance_id))
    wait_for(made.execute_rebalance(other.rebalance_id))
    with pytest.raises(NotFound):
        wait_for(made.cancel_rebalance("reb_" + "0" * 32))
    work(database, made)
    assert wait_for(made.rebalance_status(portfolio_id, other.rebalance_id)).status == "completed"
    with pytest.raises(Conflict, match="is completed: there is nothing to cancel"):
        wait_for(made.cancel_rebalance(other.rebalance_id))
    assert wait_for(made.cancel_rebalance(plan.rebalance_id)).status == "cancelled", "twice is once"


def test_cancelling_looks_up_what_may_have_been_sent(database: Database) -> None:
    venue = Forgetful()
    made = service(database, venue)
    portfolio_id = growth(made)
    options = {"dry_run": False, "prices": {"A": 10}}
    plan = wait_for(made.rebalance_portfolio(portfolio_id, {"A": "0.2"}, **options)).rebalance_id
    with pytest.raises(VenueUnavailable):
        made.rebalancer.work(_Context(plan))
    with pytest.raises(VenueUnavailable, match="not now"):
        wait_for(made.cancel_rebalance(plan))
    assert wait_for(made.rebalance_status(portfolio_id)).status == "stopped"
    left = wait_for(made.cancel_rebalance(plan, leave_unknown=True))
    assert (left.status, left.orders[0].state) == ("cancelled", "sending")
    venue.is_up = True
    found = wait_for(made.cancel_rebalance(plan))
    assert (found.status, found.orders[0].state) == ("cancelled", "filled")
    assert wait_for(made.get_portfolio(portfolio_id)).holdings[0].quantity == 2000


class Limits:
    """The limits of portfolios, on what they hold now at prices that are given."""

    def __init__(self, prices: dict[str, int]) -> None:
        self.manager, self.prices = LimitManager([{"kind": "concentration", "limit": "0.35"}]), prices
        self.accounts: Any = None

    async def check_position_limits(self, order: ProposedOrder, portfolio: str) -> LimitCheckResult:
        held = self.accounts.portfolio(portfolio)
        value = held.holdings(self.prices).value
        units = {name: Decimal(0) for name in self.prices} | {k: one.quantity for k, one in held.positions.items()}
        rows = [Exposure(symbol=name, quantity=n, price=self.prices[name]) for name, n in units.items()]
        return self.manager.check_order(order, BookView(equity=value, exposures=rows), portfolio)


def test_limits_are_asked_before_each_order_and_a_denied_one_stops_the_plan(database: Database) -> None:
    bus, heard = InProcessBus(), []
    for pattern in ("trading.order.*", "risk.check.*", "portfolio.*"):
        bus.subscribe(pattern, heard.append)
    prices = {"A": 10, "B": 20}
    limits = Limits(prices)
    made = service(database, bus=bus, limits=limits)
    limits.accounts = made.portfolio_manager.accounts
    portfolio_id = growth(made)
    options = {"dry_run": False, "prices": prices}
    plan = wait_for(made.rebalance_portfolio(portfolio_id, {"A": "0.3", "B": "0.4"}, **options))
    work(database, made)
    stopped = wait_for(made.rebalance_status(portfolio_id))
    assert JobQueue(database).get(plan.job_id).status == "completed", "trying again would not help"
    states = {order.symbol: order.state for order in stopped.orders}
    assert (stopped.status, states["B"]) == ("stopped", "waiting")
    assert "deny BUY 2000 B: concentration would be 0.4, above the limit 0.35" in stopped.message
    limits.manager.set_limits(portfolio_id, [{"kind": "concentration", "limit": "0.5"}])
    wait_for(made.execute_rebalance(plan.rebalance_id))
    work(database, made)
    assert wait_for(made.rebalance_status(portfolio_id)).status == "completed"
    assert wait_for(bus.drain())
    of_b = [one.event_type for one in heard if one.data.get("order_id") in _ids(stopped, "B")]
    first, then = ["trading.order.created", "risk.check.completed"], "trading.order.rejected"
    assert sorted(of_b) == sorted([*first, then, *first, "trading.order.filled"])
    filled = next(one.data for one in heard if one.event_type == "trading.order.filled" and one.data["symbol"] == "B")
    assert (Decimal(filled["quantity"]), Decimal(filled["remaining_quantity"])) == (2000, 0)
    assert [one.event_type for one in heard].count("portfolio.rebalanced") == 1
    limits.manager.set_limits(portfolio_id, [{"kind": "concentration", "limit": "0.1"}])  # broken already
    limits.manager.set_state(portfolio_id, "reducing")
    wait_for(made.rebalance_portfolio(portfolio_id, {"A": "0.2", "B": "0"}, **options))
    work(database, made)
    assert wait_for(made.rebalance_status(portfolio_id)).status == "completed", "orders that close are not denied"
    wait_for(bus.close())


def _ids(answer: Any, symbol: str) -> set[str]:
    return {order.client_order_id for order in answer.orders if order.symbol == symbol}


class _Context:
    """A job that is not in a queue."""

    def __init__(self, rebalance_id: str) -> None:
        self.payload = {"rebalance_id": rebalance_id}

    def raise_if_cancelled(self) -> None:
        """Nobody cancels it."""

    def progress(self, done: float, total: float) -> None:
        """Nobody asks."""


def started(place: Place, file: Path, milliseconds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.contract.rebalance_worker", place.url, place.schema, str(file)]
    return subprocess.Popen([*command, str(milliseconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9: Windows has none")
def test_a_process_that_is_killed_sends_no_order_twice(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "account.jsonl"
    with opened(place) as database:
        made = service(database)
        portfolio_id = growth(made)
        names = ["A", "B", "C", "D"]
        options = {"dry_run": False, "prices": dict.fromkeys(names, 10)}
        plan = wait_for(made.rebalance_portfolio(portfolio_id, dict.fromkeys(names, "0.2"), **options))
        process = started(place, file, 60_000)  # it was executed, and the answer will never be heard
        assert process.stdout is not None
        assert process.stdout.readline().strip() == plan.orders[0].client_order_id
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        process.stdout.close()
        status = wait_for(made.rebalance_status(portfolio_id))
        assert (status.status, status.orders[0].state) == ("running", "sending")
        assert wait_for(made.get_portfolio(portfolio_id)).holdings == []
        time.sleep(1.6)  # its lease ends
        heir = service(database, Account(file))
        work(database, heir)
        done = wait_for(heir.rebalance_status(portfolio_id))
        assert (done.status, done.progress) == ("completed", 1.0)
        placed = [line[0] for line in Account(file).lines()]
        assert placed == [order.client_order_id for order in plan.orders]
        held = {one.symbol: one.quantity for one in wait_for(heir.get_portfolio(portfolio_id)).holdings}
        assert held == dict.fromkeys(names, Decimal(2000))


# --- performance ---


def test_performance_is_that_of_the_record_and_is_kept(database: Database) -> None:
    made = service(database, closes=closes())
    portfolio_id = traded(made)
    found = wait_for(made.calculate_performance(portfolio_id, "max", "SPY"))
    rows = wait_for(made.performance_metrics(portfolio_id))
    prices = closes()
    # the plain way: units and cash of each day, by hand
    a = pd.Series(300.0, DAYS).where(DAYS[20] > DAYS, 200.0).where(DAYS[30] > DAYS, 250.0)
    b = pd.Series(200.0, DAYS).where(DAYS[5] <= DAYS, 0.0)
    cash = pd.Series(100_000.0, DAYS)
    p = prices
    for day, amount in (
        (0, -300 * p["A"].iloc[0] - 3), (5, -200 * p["B"].iloc[5] - 2), (20, 100 * (p["A"].iloc[20] - 1) - 1),
        (30, -50 * p["A"].iloc[30]), (12, 150), (25, -40), (40, 20_000), (41, -500),
    ):  # fmt: skip
        cash[DAYS[day] <= DAYS] += amount
    values = a * p["A"] + b * p["B"] + cash
    assert np.allclose(rows["total_value"], values, rtol=0, atol=1e-6)
    flow = pd.Series(0.0, DAYS)
    flow.iloc[[0, 40, 41]] = [100_000, 20_000, -500]
    assert rows["flow"].tolist() == flow.tolist()
    before = values.shift() + flow
    returns = (values / before - 1).iloc[1:]
    assert np.allclose(rows["daily_return"].iloc[1:], returns, rtol=0, atol=1e-12)
    assert found.metrics["total_return"] == pytest.approx((1 + returns).prod() - 1, abs=1e-12)
    assert found.metrics["sharpe_ratio"] == pytest.approx(returns.mean() / returns.std(ddof=1) * 252**0.5, rel=1e-9)
    assert rows["sharpe_ratio"].iloc[-1] == pytest.approx(found.metrics["sharpe_ratio"], rel=1e-9)
    assert found.metrics["max_drawdown"] == pytest.approx(rows["max_drawdown"].iloc[-1], rel=1e-12)
    assert found.charts["benchmark_return"][-1] == pytest.approx(p["SPY"].iloc[-1] / p["SPY"].iloc[0] - 1)
    assert {len(series) for series in found.charts.values()} == {60}
    assert "beta" in found.metrics
    wait_for(made.calculate_performance(portfolio_id, "1mo"))
    again = wait_for(made.performance_metrics(portfolio_id))
    pd.testing.assert_frame_equal(again, rows)
    month = wait_for(made.performance_metrics(portfolio_id, DAYS[10].to_pydatetime(), DAYS[19].to_pydatetime()))
    assert list(month.index) == list(DAYS[10:20])
    source = StoredPortfolios(made.portfolio_manager.accounts, made.performance_analyzer.performance)
    history = wait_for(source.history(portfolio_id))
    assert np.allclose(history.pct_change().iloc[1:], returns, rtol=0, atol=1e-12)
    assert history.iloc[-1] == pytest.approx(values.iloc[-1])
    assert wait_for(source.portfolio(portfolio_id)).positions["A"].quantity == 250
    held = wait_for(made.get_portfolio(portfolio_id)).holdings[0]
    assert wait_for(source.position(held.position_id)) == (portfolio_id, "A")


def test_attribution_by_strategy_and_by_asset_adds_up_to_the_return(database: Database) -> None:
    made = service(database, closes=closes())
    portfolio_id = traded(made)
    found = wait_for(made.attribution(portfolio_id))
    whole = wait_for(made.calculate_performance(portfolio_id, "max")).metrics["total_return"]
    assert found.total_return == pytest.approx(whole, abs=1e-12)
    for parts in (found.by_asset, found.by_strategy):
        assert sum(part["total"] for part in parts.values()) == pytest.approx(whole, abs=1e-10)
    assert set(found.by_asset) == {"A", "B", "fees and interest"}
    assert set(found.by_strategy) == {"trend", "mean", "unassigned"}
    assert abs(found.residual) < 1e-10


def test_splits_dividends_and_currencies_come_in_by_the_service(database: Database) -> None:
    prices = pd.DataFrame({"A": 100.0, "E": 50.0}, DAYS)
    prices.loc[DAYS[10] :, "A"] = 25.0  # four for one, and else nothing happens
    made = service(database, closes=prices)
    portfolio_id = growth(made)
    fills = [fill(1, "BUY", 100, 100), fill(2, "BUY", 10, 50, "E", currency="EUR")]
    wait_for(made.record_fills(portfolio_id, fills))
    opens = DAYS[10].to_pydatetime().replace(hour=14, minute=30)
    split = {"action_id": "s", "symbol": "A", "kind": "split", "new": 4, "effective_at": opens}
    assert [wait_for(made.record_action(portfolio_id, split)) for _ in range(2)] == [True, False]
    paid = {"action_id": "d", "symbol": "A", "kind": "cash_dividend", "amount": "0.25", "effective_at": DAYS[20]}
    wait_for(made.record_action(portfolio_id, {**paid, "effective_at": DAYS[20].to_pydatetime()}))
    with pytest.raises(InputError, match="kind"):
        wait_for(made.record_action(portfolio_id, {**split, "action_id": "x", "kind": "merger"}))
    rates = pd.DataFrame({"EUR": [1.0, 1.1]}, DAYS[[0, 30]])
    with pytest.raises(InputError, match="its days need rates"):
        wait_for(made.attribution(portfolio_id))
    found = wait_for(made.attribution(portfolio_id, rates=rates))
    whole = wait_for(made.calculate_performance(portfolio_id, "max", rates=rates)).metrics["total_return"]
    # 10,000 in A, 500 in E against a debt of 500 in EUR: rates do nothing in all, and 400 units bring 100
    assert found.total_return == pytest.approx(whole, abs=1e-12) == pytest.approx(100 / 100_000, abs=1e-12)
    assert found.by_asset["E"]["currency"] == pytest.approx(-found.by_asset["cash EUR"]["currency"], abs=1e-12)
    assert found.by_asset["E"]["currency"] == pytest.approx(50 / 100_100, rel=1e-2)
    assert wait_for(made.get_portfolio(portfolio_id)).holdings[0].average_cost == 25


def test_what_cannot_be_valued_says_why(database: Database) -> None:
    made = service(database, closes=closes())
    empty = growth(made)
    with pytest.raises(InputError, match="never held anything"):
        wait_for(made.calculate_performance(empty))
    wait_for(made.record_fills(empty, [fill(1, "BUY", 1, 1, "XYZ")]))
    with pytest.raises(DataError, match="no prices of XYZ"):
        wait_for(made.calculate_performance(empty))
    mixed = growth(made)
    wait_for(made.record_fills(mixed, [fill(1, "BUY", 1, 1, currency="EUR")]))
    with pytest.raises(InputError, match="EUR, USD"):
        wait_for(made.calculate_performance(mixed))


class Asked:
    """A source of bars that keeps what it was asked for."""

    def __init__(self) -> None:
        self.markets: list[Any] = []

    async def bars(self, market: Any) -> pd.DataFrame:
        self.markets.append(market)
        return closes()[["A"]].set_axis(["close"], axis=1)


def test_what_is_held_is_priced_as_traded_and_a_benchmark_with_dividends(database: Database) -> None:
    made, source = service(database, closes=closes()), Asked()
    made = PortfolioService(
        made.portfolio_manager, made.rebalancer, made.performance_analyzer, made.report_generator,
        prices=MarketPrices(source), queue=JobQueue(database),
    )  # fmt: skip
    portfolio_id = growth(made)
    wait_for(made.record_fills(portfolio_id, [fill(1, "BUY", 10, 100)]))
    wait_for(made.calculate_performance(portfolio_id, "max", "A"))
    assert [market["adjusted"] for market in source.markets] == ["raw", None]


# --- reports ---


def _is_pdf(content: bytes) -> bool:
    from pypdf import PdfReader

    return "Growth" in "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def _is_workbook(content: bytes) -> bool:
    from openpyxl import load_workbook

    return len(load_workbook(io.BytesIO(content)).sheetnames) > 0


@pytest.mark.parametrize(
    ("format", "is_sound"),
    [("pdf", _is_pdf), ("xlsx", _is_workbook), ("html", lambda content: b"Growth" in content)],
)
def test_a_report_comes_from_the_queue(database: Database, format: str, is_sound: Callable[[bytes], bool]) -> None:
    made = service(database, closes=closes())
    portfolio_id = traded(made)
    recipients = ["user@example.com"]
    asked = wait_for(made.generate_report(portfolio_id, format=format, recipients=recipients, benchmark="SPY"))
    assert (asked.status, asked.download) == ("queued", None)
    with pytest.raises(Conflict, match="is queued, so it has no content"):
        wait_for(made.report_content(asked.report_id))
    work(database, made)
    done = wait_for(made.report(asked.report_id))
    assert done.status == "completed"
    assert done.delivery == "not sent: no delivery configured"
    assert done.download is not None
    assert done.report_id.startswith("rep_")
    assert is_sound(wait_for(made.report_content(asked.report_id)))
    assert [one.id for one in wait_for(made.list_reports(portfolio_id)).items] == [asked.report_id]


class Box:
    """A delivery that fails once."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[str], int]] = []
        self.is_broken = True

    def send(self, report: Any, content: bytes) -> None:
        if self.is_broken:
            self.is_broken = False
            raise VenueUnavailable("mail", "no connection")
        self.sent.append((report.id, report.recipients, len(content)))


def test_tax_and_attribution_reports_are_made_and_sent(database: Database) -> None:
    box = Box()
    made = service(database, closes=closes(), delivery=box)
    portfolio_id = traded(made)
    ids = [wait_for(made.generate_report(portfolio_id, kind, "html")).report_id for kind in ("tax", "attribution")]
    mailed = wait_for(made.generate_report(portfolio_id, "risk", "html", recipients=["a@example.com"])).report_id
    deadline = time.monotonic() + 30
    while wait_for(made.report(mailed)).delivery != "sent":
        work(database, made)  # the first attempt to send fails, and the queue tries again after a while
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [wait_for(made.report(one)).status for one in ids] == ["completed", "completed"]
    assert wait_for(made.report(ids[0])).delivery == "not sent: no recipients"
    assert box.sent == [(mailed, ["a@example.com"], len(wait_for(made.report_content(mailed))))]
    fresh = growth(made)
    failed = wait_for(made.generate_report(fresh, "risk", "html")).report_id
    work(database, made)
    assert wait_for(made.report(failed)).status == "failed"
    with pytest.raises(Conflict, match=r"is failed, so it has no content: .*never held anything"):
        wait_for(made.report_content(failed))


# --- the platform ---


def test_a_platform_keeps_portfolios_of_sample_data_and_watches_their_risk(tmp_path: Path) -> None:
    platform = Platform.local(settings=Settings(source="sample", ledger=False), home=tmp_path)
    platform.start_workers()
    try:
        made = platform.portfolio
        opened_at = datetime(2018, 1, 2, tzinfo=UTC)
        portfolio_id = growth(made, opened_at=opened_at)
        bought = {"execution_id": "f1", "symbol": "SP500", "side": "BUY", "quantity": 10, "price": 2700}
        bought |= {"filled_at": datetime(2018, 1, 3, 20, tzinfo=UTC), "asset_type": "index"}
        wait_for(made.record_fills(portfolio_id, [bought]))
        found = wait_for(made.calculate_performance(portfolio_id, "6mo"))
        assert found.metrics["volatility"] > 0
        report = wait_for(made.generate_report(portfolio_id, format="html", wait=60))
        assert report.status == "completed", report.error
        order = {"symbol": "NASDAQ", "side": "BUY", "quantity": 2}
        assert wait_for(platform.risk.get_limits(portfolio_id)).profile == "moderate"
        wait_for(made.update_portfolio(portfolio_id, {"risk_profile": "conservative"}))
        careful = wait_for(platform.risk.get_limits(portfolio_id))
        assert (careful.profile, careful.version) == ("conservative", 0)
        short = wait_for(platform.risk.check_position_limits({**order, "side": "SELL"}, portfolio_id))
        assert not short.approved, "the profile allows no shorts"
        wait_for(platform.risk.update_limits(portfolio_id, {"limits": [{"kind": "concentration", "limit": "0.3"}]}))
        risk = wait_for(platform.risk.calculate_portfolio_risk(portfolio_id))
        assert 0.0 < risk.var_95 <= risk.expected_shortfall
        checked = wait_for(platform.risk.check_position_limits(order, portfolio_id))
        assert checked.approved
        much = wait_for(platform.risk.check_position_limits({**order, "quantity": 10}, portfolio_id))
        assert not much.approved, "10 of the NASDAQ are more than 30 % of 100,000"
        position = wait_for(made.get_portfolio(portfolio_id)).holdings[0].position_id
        assert wait_for(platform.risk.calculate_position_risk(position)).symbol == "SP500"
        prices = {"SP500": 2_500, "NASDAQ": 6_600}
        for target, status in (("0.25", "completed"), ("0.5", "stopped")):
            plan = wait_for(made.rebalance_portfolio(portfolio_id, {"NASDAQ": target, "SP500": "0.2"}, prices=prices))
            after = wait_for(made.execute_rebalance(plan.rebalance_id, wait=60))
            assert after.status == status, after.message
        assert "concentration" in after.message
    finally:
        wait_for(platform.close())
