"""The risk facade: measures against plain arithmetic, limits that hold under many callers, and what outlives it."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.compute import wait_for
from algotrendy.config import Settings
from algotrendy.domain.fill import Fill
from algotrendy.domain.portfolio import Portfolio
from algotrendy.errors import Conflict, InputError, NotFound, VenueUnavailable
from algotrendy.events import InProcessBus
from algotrendy.risk.alerts import AlertManager
from algotrendy.risk.limits import BookView, Exposure, LimitManager
from algotrendy.risk.reservations import MemoryReservations
from algotrendy.services import Platform, RiskEngineService
from algotrendy.services.models_risk import PreTradeRequest
from algotrendy.storage import SqlAlerts, SqlLimits, SqlReservations, new_id
from tests.contract.databases import KINDS, opened, place_for

PORT, OTHER, POSITION = new_id("port"), new_id("port"), new_id("pos")
NOW = datetime(2024, 3, 1, 15, tzinfo=UTC)
DAYS = pd.bdate_range("2023-01-02", "2024-02-29")
SPECIFIED = [
    {"name": "market_crash", "returns": -0.2}, {"name": "volatility_spike", "volatility_multiplier": 2.0},
]  # fmt: skip


def moves() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    market = rng.normal(0.0003, 0.01, len(DAYS))
    own = rng.normal(0.0, 0.006, (len(DAYS), 2))
    table = {"A": 1.2 * market + own[:, 0], "B": 0.7 * market + own[:, 1], "M": market}
    return pd.DataFrame(table, index=DAYS)


MOVES = moves()
CLOSES = 100.0 * (1.0 + MOVES).cumprod()
BOOK = BookView(
    equity=100_000,
    cash=50_000,
    exposures=[Exposure(symbol="A", quantity=600, price=100), Exposure(symbol="B", quantity=-100, price=100)],
)
HISTORY = 90_000.0 * (1.0 + 0.5 * MOVES["A"] - 0.1 * MOVES["B"]).cumprod()


class Prices:
    """Closes of a table."""

    async def closes(self, symbols: Any) -> pd.DataFrame:
        return CLOSES[[symbol for symbol in symbols if symbol in CLOSES.columns]]


class Books:
    """Portfolios in a mapping."""

    def __init__(self) -> None:
        self.books: dict[str, Any] = {PORT: BOOK}
        self.pasts: dict[str, pd.Series] = {PORT: HISTORY}
        self.error: Exception | None = None

    async def portfolio(self, portfolio_id: str) -> Any:
        if self.error is not None:
            raise self.error
        if portfolio_id not in self.books:
            raise NotFound(f"there is no portfolio {portfolio_id}")
        return self.books[portfolio_id]

    async def history(self, portfolio_id: str) -> pd.Series:
        return self.pasts.get(portfolio_id, pd.Series(dtype=float))

    async def position(self, position_id: str) -> tuple[str, str]:
        if position_id != POSITION:
            raise NotFound(f"there is no position {position_id}")
        return PORT, "A"


def service(**more: Any) -> RiskEngineService:
    options: dict[str, Any] = {"source": Books(), "closes": Prices(), "benchmark": "M", "clock": lambda: NOW}
    return RiskEngineService(**{**options, **more})


@pytest.fixture(params=["memory", *KINDS])
def kept(request: pytest.FixtureRequest) -> Iterator[RiskEngineService]:
    """Yield a facade whose limits, alerts and reservations are kept in one of the three places."""
    with ExitStack() as stack:
        if request.param == "memory":
            yield service()
        else:
            database = stack.enter_context(opened(place_for(request, request.param), durability="process"))
            yield service(
                limit_manager=LimitManager(store=SqlLimits(database)),
                alert_manager=AlertManager(store=SqlAlerts(database), clock=lambda: NOW),
                reservations=SqlReservations(database),
            )


# --- measures ---


def test_measures_are_those_of_plain_arithmetic() -> None:
    found = wait_for(service().calculate_portfolio_risk(PORT))
    table = CLOSES.to_numpy()
    returns = table[1:] / table[:-1] - 1.0
    profit = 0.6 * returns[:, 0] - 0.1 * returns[:, 1]
    assert found.var_95 == pytest.approx(-np.quantile(profit, 0.05), rel=1e-9)
    assert found.var_99 == pytest.approx(-np.quantile(profit, 0.01), rel=1e-9)
    market = returns[:, 2]
    assert found.beta == pytest.approx(np.cov(profit, market)[0, 1] / np.var(market, ddof=1), rel=1e-9)
    assert found.volatility == pytest.approx(profit.std(ddof=1) * math.sqrt(252), rel=1e-9)
    values = HISTORY.to_numpy()
    past = values[1:] / values[:-1] - 1.0
    assert found.max_drawdown == pytest.approx((1 - values / np.maximum.accumulate(values)).max(), rel=1e-9)
    assert found.sharpe_ratio == pytest.approx(past.mean() / past.std(ddof=1) * math.sqrt(252), rel=1e-9)
    peak = max(values.max(), 100_000.0)
    assert found.current_drawdown == pytest.approx(1 - 100_000.0 / peak, rel=1e-9)
    assert (found.basis, found.n_returns, found.notes) == ("holdings", len(DAYS) - 1, [])
    assert (found.gross_leverage, found.net_leverage, found.concentration, found.largest) == (0.7, 0.5, 0.6, "A")
    assert found.expected_shortfall is not None
    assert found.var_95 is not None
    assert found.expected_shortfall > found.var_95
    assert set(found.model_dump(mode="json")) >= {
        "var_95", "expected_shortfall", "max_drawdown", "sharpe_ratio", "beta",
    }  # fmt: skip


def test_a_domain_portfolio_is_valued_at_the_last_closes() -> None:
    held = Portfolio(base_currency="USD").with_cash(10_000, "USD", kind="deposit", at=NOW - timedelta(days=3))
    fill = Fill(execution_id="f1", instrument="A", side="BUY", quantity=20, price=90, filled_at=NOW)
    held = held.with_fill(fill)
    found = wait_for(service().calculate_portfolio_risk(held, history=pd.Series(dtype=float)))
    last = Decimal(str(float(CLOSES["A"].iloc[-1])))
    assert found.equity == Decimal(10_000) - 1800 + 20 * last
    assert found.sharpe_ratio is None
    assert "0 value(s)" in found.notes[0]


def test_risks_of_positions_add_up_to_that_of_the_portfolio() -> None:
    asked = service()
    parts = [wait_for(asked.calculate_position_risk(PORT, symbol)) for symbol in ("A", "B")]
    whole = wait_for(asked.calculate_portfolio_risk(PORT))
    assert sum(part.component_var or 0.0 for part in parts) == pytest.approx(whole.var_95, rel=1e-9)
    assert parts[1].weight == -0.1
    assert parts[1].share is not None
    assert parts[1].share < 0, "the short one is a hedge"
    assert wait_for(asked.calculate_position_risk(POSITION)) == parts[0]
    with pytest.raises(InputError, match="no row of Z"):
        wait_for(asked.calculate_position_risk(PORT, "Z"))
    with pytest.raises(NotFound, match="no position"):
        wait_for(asked.calculate_position_risk(new_id("pos")))


@pytest.mark.parametrize(
    ("book", "history", "basis", "said"),
    [
        (BookView(equity=1000, cash=1000), None, "cash", "nobody said"),
        (BookView(equity=1000, cash=1000), HISTORY, "cash", ""),
        (replace(BOOK, exposures=(Exposure(symbol="Z", quantity=1, price=10),)), None, "none", "returns of Z are not"),
        (replace(BOOK, exposures=(Exposure(symbol="Z", quantity=1, price=10),)), HISTORY, "history", "returns of Z"),
        (BOOK, HISTORY.iloc[:1], "holdings", "its past has 1 value"),
        (BOOK, HISTORY * 0.0, "holdings", "worth nothing or less"),
    ],
)
def test_what_cannot_be_measured_is_blank_and_says_why(book: Any, history: Any, basis: str, said: str) -> None:
    found = wait_for(service().calculate_portfolio_risk(book, history=history))
    assert found.basis == basis
    assert said in " ".join(found.notes)
    if basis == "cash":
        assert (found.var_95, found.expected_shortfall, found.beta) == (0.0, 0.0, 0.0)
    if basis == "none":
        assert (found.var_95, found.volatility) == (None, None)
    if basis == "history":
        past = HISTORY.pct_change().dropna()
        assert found.var_95 == pytest.approx(-np.quantile(past, 0.05), rel=1e-9)


def test_a_wrong_question_is_told_what_is_wrong_with_it() -> None:
    alone = RiskEngineService()
    with pytest.raises(NotFound, match="give the portfolio itself"):
        wait_for(alone.calculate_portfolio_risk(PORT))
    with pytest.raises(NotFound, match="no portfolio"):
        wait_for(service().calculate_portfolio_risk(OTHER))
    with pytest.raises(InputError, match="expected an id"):
        wait_for(alone.calculate_portfolio_risk({"A": 1}))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="equity of the book is 0"):
        wait_for(alone.calculate_portfolio_risk(BookView(equity=0)))
    with pytest.raises(InputError, match="no position"):
        wait_for(alone.run_stress_test(BookView(equity=10), SPECIFIED))
    with pytest.raises(InputError, match="no returns to look at"):
        wait_for(alone.backtest_var(BOOK))


# --- stress ---


def test_the_specified_scenarios_are_answered() -> None:
    answer = wait_for(service().stress_test({"portfolio_id": PORT, "scenarios": SPECIFIED}))
    crash, spike = answer.results
    assert crash["loss"] == pytest.approx(0.2 * 0.5)
    covariance = CLOSES.pct_change().iloc[1:][["A", "B"]].cov().to_numpy()
    w = np.array([0.6, -0.1])
    assert spike["loss"] == pytest.approx(2 * 1.6448536269514722 * math.sqrt(w @ covariance @ w), rel=1e-9)
    assert answer.worst == "market_crash"
    assert crash["breached"] == ("concentration", "daily_loss")
    with pytest.raises(InputError, match="scenarios"):
        wait_for(service().stress_test({"portfolio_id": PORT, "scenarios": []}))


def test_a_limit_on_the_drawdown_needs_the_highest_equity() -> None:
    scenarios = [{"name": "crash", "returns": -0.5}]
    limits = LimitManager([{"kind": "drawdown", "limit": "0.2"}])
    for book, breached in ((BOOK, ()), (replace(BOOK, peak_equity=120_000), ("drawdown",))):
        found = wait_for(service(limit_manager=limits).run_stress_test(book, scenarios))
        assert found["crash"].breached == breached


def test_reverse_stress_loses_what_was_asked_for() -> None:
    found = wait_for(service().reverse_stress(PORT, loss=0.1))
    assert found.loss == pytest.approx(0.1, abs=1e-6)
    covariance = CLOSES.pct_change().iloc[1:][["A", "B"]].cov().to_numpy()
    w = np.array([0.6, -0.1])
    assert found.distance == pytest.approx(0.1 / math.sqrt(w @ covariance @ w), rel=1e-6)


def test_the_var_of_todays_positions_is_tested_on_their_past() -> None:
    found = wait_for(service().backtest_var(PORT, window=100))
    assert found.n_periods == len(DAYS) - 1 - 100
    profit = CLOSES.pct_change().iloc[1:] @ pd.Series({"A": 0.6, "B": -0.1, "M": 0.0})
    assert found.table["return"].to_numpy() == pytest.approx(profit.iloc[100:].to_numpy())


# --- limits ---


def test_limits_are_put_with_the_version_that_was_read(kept: RiskEngineService) -> None:
    before = wait_for(kept.get_limits(PORT))
    assert (before.version, before.profile) == (0, "moderate")
    body = {"limits": [{"kind": "concentration", "limit": "0.25"}], "version": 0, "updated_by": "ann"}
    after = wait_for(kept.update_limits(PORT, body))
    assert (after.version, after.limits, after.updated_by) == (1, [{"kind": "concentration", "limit": "0.25"}], "ann")
    with pytest.raises(Conflict, match="of version 1, not 0"):
        wait_for(kept.update_limits(PORT, body))
    assert wait_for(kept.update_limits(PORT, {"profile": "conservative", "version": 1})).version == 2
    assert [one.version for one in wait_for(kept.limits_history(PORT))] == [1, 2]
    for wrong in ({}, {"profile": "moderate", "limits": []}, {"limits": [{"kind": "luck"}]}, {"profile": "reckless"}):
        with pytest.raises(InputError):
            wait_for(kept.update_limits(PORT, wrong))
    assert wait_for(kept.get_limits(PORT)).version == 2


def test_an_order_is_checked_under_the_limits_of_its_portfolio(kept: RiskEngineService) -> None:
    wait_for(kept.update_limits(PORT, {"limits": [{"kind": "concentration", "limit": "0.7"}]}))
    order = {"symbol": "A", "side": "buy", "quantity": "200", "order_type": "MARKET"}
    asked = {"portfolio_id": PORT, "order": order}
    denied = wait_for(kept.pre_trade_check(asked))
    assert (denied.approved, denied.suggested_quantity) == (False, 100)
    assert [check.name for check in denied.checks if not check.passed] == ["concentration"]
    held = wait_for(kept.reserve_order({**order, "quantity": 60}, PORT, seconds=600))
    assert held.reservation is not None
    assert wait_for(kept.pre_trade_check(asked)).suggested_quantity == 40, "what is reserved counts"
    assert wait_for(kept.release_reservation(held.reservation.id)).status == "released"
    assert wait_for(kept.pre_trade_check(asked)).suggested_quantity == 100
    flat = {"portfolio_id": PORT, "order_id": "ord_1", **order}
    assert wait_for(kept.check_order_risk(flat)) == wait_for(kept.pre_trade_check(PreTradeRequest(**asked)))
    unheld = {"symbol": "M", "side": "BUY", "quantity": 10}
    assert wait_for(kept.check_position_limits(unheld, PORT)).approved, "its price comes from market data"
    unknown = wait_for(kept.check_position_limits({**unheld, "symbol": "Z"}, PORT))
    assert not unknown.approved
    assert "no row of Z" in unknown.message


def test_an_object_without_an_identity_goes_by_the_usual_limits(kept: RiskEngineService) -> None:
    order = {"symbol": "B", "side": "BUY", "quantity": 10}
    blind = wait_for(kept.check_position_limits(order, BOOK))
    assert not blind.approved, "nobody knows what was lost today"
    assert wait_for(kept.check_position_limits(order, BOOK, history=pd.Series(dtype=float))).approved
    with pytest.raises(InputError, match="portfolio_id="):
        wait_for(kept.reserve_order(order, BOOK))


def test_the_loss_of_the_day_counts_what_was_brought_today() -> None:
    """100 brought before, worth 80 since yesterday; 80 more today, and 16 of the 160 are lost: 10 %, not a gain."""
    early = datetime(2024, 2, 1, tzinfo=UTC)
    held = Portfolio(base_currency="USD").with_cash(80, "USD", kind="deposit", at=early)
    held = held.with_cash(80, "USD", kind="deposit", at=NOW).with_cash(-16, "USD", kind="fee", at=NOW)
    source = Books()
    source.books[PORT], source.pasts[PORT] = held, pd.Series([100.0, 80.0], index=DAYS[-2:])
    limits = [{"kind": "daily_loss", "limit": "0.09"}, {"kind": "drawdown", "limit": "0.27"}]
    asked = service(source=source, limit_manager=LimitManager(limits))
    order = {"symbol": "A", "side": "BUY", "quantity": 1}
    denied = wait_for(asked.check_position_limits(order, PORT)).denied
    assert [(check.name, float(check.value)) for check in denied] == [
        ("daily_loss", pytest.approx(0.1)), ("drawdown", pytest.approx(1 - 144 / 200)),
    ]  # fmt: skip
    source.pasts[PORT] = pd.Series(dtype=float)
    blind = wait_for(asked.check_position_limits(order, PORT))
    assert [check.name for check in blind.denied] == ["daily_loss", "drawdown"], "it is older than today, so not new"


def test_a_halt_stops_orders_and_says_why(kept: RiskEngineService) -> None:
    order = {"symbol": "B", "side": "SELL", "quantity": 10}
    closing = {**order, "side": "BUY"}
    assert wait_for(kept.get_trading_state(PORT)).version == 0
    wait_for(kept.set_trading_state(PORT, {"state": "REDUCING", "reason": "too much risk", "set_by": "ann"}))
    assert not wait_for(kept.check_position_limits(order, PORT)).approved
    assert wait_for(kept.reserve_order(closing, PORT)).approved
    wait_for(kept.set_trading_state(PORT, {"state": "halted", "reason": "the feed is broken", "version": 1}))
    assert not wait_for(kept.reserve_order(closing, PORT)).approved
    with pytest.raises(Conflict):
        wait_for(kept.set_trading_state(PORT, {"state": "active", "reason": "again", "version": 1}))
    with pytest.raises(InputError, match="reason"):
        wait_for(kept.set_trading_state(PORT, {"state": "active"}))
    story = wait_for(kept.trading_state_history(PORT))
    assert [(one.state, one.reason, one.set_by) for one in story] == [
        ("reducing", "too much risk", "ann"), ("halted", "the feed is broken", None),
    ]  # fmt: skip


def test_what_cannot_be_looked_at_is_denied() -> None:
    source = Books()
    asked = service(source=source)
    source.error = VenueUnavailable("books", "the wire is cut")
    order = {"symbol": "A", "side": "BUY", "quantity": 1}
    for answer in (
        wait_for(asked.check_position_limits(order, PORT)),
        wait_for(asked.reserve_order(order, PORT)).check,
        wait_for(asked.pre_trade_check({"portfolio_id": PORT, "order": order, "reserve": True})),
    ):
        assert answer is not None
        assert not answer.approved
        assert "the wire is cut" in answer.checks[0].message
    source.error = KeyError("a bug")
    assert not wait_for(asked.check_position_limits(order, PORT)).approved
    assert wait_for(asked.list_reservations(PORT)) == []


def test_a_halt_that_comes_between_the_look_and_the_reservation_counts() -> None:
    asked = service(limit_manager=LimitManager([]))
    store, reserve = asked.reservations, asked.reservations.reserve

    def and_halt(*given: Any, **more: Any) -> Any:
        made = reserve(*given, **more)
        asked.limit_manager.set_state(PORT, "halted", reason="meanwhile")
        store.reserve = reserve  # type: ignore[method-assign]
        return made

    store.reserve = and_halt  # type: ignore[method-assign]
    answer = wait_for(asked.reserve_order({"symbol": "A", "side": "BUY", "quantity": 1}, PORT))
    assert not answer.approved
    assert store.reserved(PORT) == ()


def test_limits_on_var_are_asked_of_the_returns() -> None:
    asked = service(limit_manager=LimitManager([{"kind": "value_at_risk", "limit": "0.012"}]))
    order = {"symbol": "A", "side": "BUY", "quantity": 2_000}
    answer = wait_for(asked.check_position_limits(order, PORT))
    assert not answer.approved
    quantity = float(answer.suggested_quantity) + 600.0
    covariance = CLOSES.pct_change().iloc[1:][["A", "B"]].cov().to_numpy()

    def var(units: float) -> float:
        w = np.array([units / 1000, -0.1])
        return 1.6448536269514722 * math.sqrt(float(w @ covariance @ w))

    assert var(quantity) <= 0.012 < var(quantity + 1)


def test_orders_are_tried_without_being_sent() -> None:
    asked = service(limit_manager=LimitManager([{"kind": "concentration", "limit": "0.65"}]))
    orders = [{"symbol": "A", "side": "BUY", "quantity": n} for n in (40, 40)]
    tried = wait_for(asked.what_if(orders, PORT))
    assert [check.approved for check in tried.checks] == [True, False]
    assert (tried.before["concentration"], tried.after["concentration"]) == (Decimal("0.6"), Decimal("0.64"))
    assert wait_for(asked.list_reservations(PORT)) == []
    assert set(wait_for(asked.risk_profiles())) == {"conservative", "moderate", "aggressive"}


# --- many at once ---


def test_tasks_and_threads_never_use_the_same_room(kept: RiskEngineService) -> None:
    wait_for(kept.update_limits(PORT, {"limits": [{"kind": "concentration", "limit": "0.8"}]}))
    n = 500 if isinstance(kept.reservations, MemoryReservations) else 60
    order = {"symbol": "A", "side": "BUY", "quantity": 7}

    async def all_at_once() -> list[Any]:
        return list(await asyncio.gather(*(kept.reserve_order(order, PORT) for _ in range(n))))

    answers: list[Any] = []
    others = [threading.Thread(target=lambda: answers.extend(asyncio.run(some(kept, order)))) for _ in range(4)]
    for thread in others:
        thread.start()
    answers.extend(wait_for(all_at_once()))
    for thread in others:
        thread.join()
    assert len(answers) == n + 4 * 5
    approved = [one.reservation.id for one in answers if one.approved]
    assert len(set(approved)) == len(approved) == 200 // 7, "room for 200 units, in orders of seven"
    assert {one.reservation_id for one in wait_for(kept.list_reservations(PORT))} == set(approved)


async def some(asked: RiskEngineService, order: dict[str, Any]) -> list[Any]:
    return [await asked.reserve_order(order, PORT) for _ in range(5)]


# --- alerts ---


def test_a_breach_is_told_on_the_bus_and_acknowledged_once() -> None:
    bus, heard, source = InProcessBus(), [], Books()
    bus.subscribe("risk.*.*", heard.append)
    asked = service(source=source, bus=bus, limit_manager=LimitManager([{"kind": "gross_leverage", "limit": "0.65"}]))

    async def story() -> list[Any]:
        await asked.start_monitor(PORT, every_seconds=0.01)
        with pytest.raises(Conflict, match="watched already"):
            await asked.start_monitor(PORT)
        (alert,) = await asked.list_alerts(PORT)
        seen = await asked.acknowledge_alert(alert.alert_id, by="ann")
        source.error = VenueUnavailable("books", "the wire is cut")
        await asyncio.sleep(0.05)
        source.error = None
        source.books[PORT] = replace(BOOK, exposures=())
        for _ in range(500):
            if not await asked.list_alerts(PORT):
                break
            await asyncio.sleep(0.01)
        await asked.stop_monitor(PORT)
        with pytest.raises(NotFound, match="not watched"):
            await asked.stop_monitor(PORT)
        await bus.drain()
        return [alert, seen, *await asked.list_alerts(PORT, resolved=True)]

    alert, seen, over = wait_for(story())
    wait_for(bus.close())
    assert (alert.measure, alert.value, alert.level, alert.severity) == ("gross_leverage", 0.7, 0.65, "critical")
    assert (seen.status, seen.acknowledged_by, over.status) == ("acknowledged", "ann", "resolved")
    assert [str(event.event_type) for event in heard] == [
        "risk.threshold.breached", "risk.alert.acknowledged", "risk.alert.resolved",
    ]  # fmt: skip
    assert heard[0].data["alert_id"] == alert.alert_id


def test_losses_that_are_watched_are_those_that_orders_are_checked_for() -> None:
    source = Books()
    source.pasts[PORT] = pd.Series([125_000.0, 104_000.0], index=DAYS[-2:])
    asked = service(source=source)

    async def story() -> Any:
        await asked.start_monitor(PORT)
        await asked.close()
        return asked.monitor.measures(PORT)

    found = wait_for(story())
    assert found["drawdown"] == pytest.approx(0.2)
    assert found["daily_loss"] == pytest.approx(1 - 100 / 104)
    assert {alert.measure for alert in wait_for(asked.list_alerts(PORT))} == {"concentration", "daily_loss"}


def test_the_watch_follows_limits_that_change() -> None:
    asked = service(limit_manager=LimitManager([]))

    async def story() -> list[Any]:
        await asked.start_monitor(PORT, every_seconds=0.01)
        assert await asked.list_alerts(PORT) == []
        await asked.update_limits(PORT, {"limits": [{"kind": "concentration", "limit": "0.5"}]})
        found: list[Any] = []
        for _ in range(500):
            found = await asked.list_alerts(PORT)
            if found:
                break
            await asyncio.sleep(0.01)
        await asked.close()
        return found

    (alert,) = wait_for(story())
    assert (alert.rule_id, alert.value) == (f"{PORT}/concentration", 0.6)


def test_limits_states_alerts_and_reservations_outlive_the_platform(tmp_path: Path) -> None:
    settings = Settings(source="sample", ledger=False)
    book = BookView(equity=10_000, cash=0, exposures=[Exposure(symbol="NASDAQ", quantity=2, price=5_000)])
    order = {"symbol": "NASDAQ", "side": "SELL", "quantity": 1}

    class One:
        async def portfolio(self, _: str) -> Any:
            return book

        async def history(self, _: str) -> pd.Series:
            return pd.Series(dtype=float)

        async def position(self, _: str) -> tuple[str, str]:
            return PORT, "NASDAQ"

    async def first() -> tuple[Any, Any]:
        platform = Platform.local(settings=settings, home=tmp_path, portfolios=One())
        limits = await platform.risk.update_limits(PORT, {"limits": [{"kind": "concentration", "limit": "0.5"}]})
        await platform.risk.start_monitor(PORT)
        (alert,) = await platform.risk.list_alerts(PORT)
        assert (await platform.risk.reserve_order(order, PORT)).approved
        await platform.risk.set_trading_state(PORT, {"state": "halted", "reason": "the night"})
        await platform.close()
        return limits, alert

    async def second() -> tuple[Any, ...]:
        platform = Platform.local(settings=settings, home=tmp_path, portfolios=One())
        risk = platform.risk
        found = (
            await risk.get_limits(PORT), (await risk.list_alerts(PORT))[0], await risk.get_trading_state(PORT),
            await risk.list_reservations(PORT), await risk.calculate_portfolio_risk(PORT),
            (await risk.reserve_order(order, PORT)).approved,
        )  # fmt: skip
        await platform.close()
        return found

    limits, alert = wait_for(first())
    again, still, state, held, risk, approved = wait_for(second())
    assert (again, still) == (limits, alert)
    assert (state.state, state.reason) == ("halted", "the night")
    assert len(held) == 1
    assert (approved, risk.basis, risk.n_returns) == (False, "holdings", 5030)
    assert risk.beta is not None
    assert 0.8 < risk.beta < 1.6, "of the NASDAQ against the S&P 500"
