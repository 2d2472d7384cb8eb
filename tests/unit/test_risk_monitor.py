"""Alerts and the streaming monitor: levels, hysteresis, cooldown, acknowledging, and who is told."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.compute import wait_for
from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.events import EventType, InProcessBus
from algotrendy.risk import alerts as room
from algotrendy.risk.alerts import AlertManager, AlertRule
from algotrendy.risk.limits import BookView, Exposure, ParametricRisk
from algotrendy.risk.monitor import RiskMonitor

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def rule(**more: Any) -> AlertRule:
    return AlertRule(**{"id": "deep", "measure": "drawdown", "level": 0.10, **more})


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def run(manager: AlertManager, values: list[float], step: float = 1.0) -> list[str]:
    """Observe values and return what happened at each: one of raised, resolved, nothing."""
    found = []
    for place, value in enumerate(values):
        changed = manager.observe("port_1", {"drawdown": value}, at(place * step))
        found.append({"active": "raised", "resolved": "resolved"}[changed[0].status] if changed else "")
    return found


def test_an_alert_is_raised_above_the_level_and_resolved_below_the_hysteresis() -> None:
    manager = AlertManager([rule(hysteresis=0.02)])
    assert run(manager, [0.05, 0.10, 0.11, 0.15, 0.09, 0.081, 0.08, 0.11]) == [
        "", "", "raised", "", "", "", "resolved", "raised",
    ]  # fmt: skip
    first = manager.resolved()[0]
    assert (first.rule_id, first.value, first.worst, first.level) == ("deep", 0.11, 0.15, 0.10)
    assert (first.raised_at, first.resolved_at) == (at(2), at(6))
    assert "reached 0.15, the level is 0.1" in first.message


def test_below_is_the_same_the_other_way_round() -> None:
    manager = AlertManager([rule(direction="below", hysteresis=0.02)])
    assert run(manager, [0.10, 0.09, 0.05, 0.11, 0.12]) == ["", "raised", "", "", "resolved"]
    assert manager.resolved()[0].worst == 0.05


def test_during_the_cooldown_nothing_new_is_raised_and_afterwards_it_is() -> None:
    manager = AlertManager([rule(cooldown_seconds=4)])
    assert run(manager, [0.2, 0.0, 0.2, 0.2, 0.2, 0.0]) == ["raised", "resolved", "", "", "raised", "resolved"]


def test_what_is_unknown_changes_nothing() -> None:
    manager = AlertManager([rule()])
    assert run(manager, [math.nan, 0.2, math.nan, math.inf, 0.0]) == ["", "raised", "", "", "resolved"]
    manager.observe("port_1", {"another": 9.0}, at(9))
    assert manager.active() == ()


def test_an_alert_is_acknowledged_once_and_stays_until_it_is_over() -> None:
    manager = AlertManager([rule()])
    run(manager, [0.2])
    alert = manager.active("port_1")[0]
    seen = manager.acknowledge(alert.id, by="Ada")
    assert (seen.status, seen.acknowledged_by) == ("acknowledged", "Ada")
    assert manager.active() == (seen,)
    assert manager.get(alert.id) == seen
    with pytest.raises(Conflict, match="is acknowledged"):
        manager.acknowledge(alert.id)
    run(manager, [0.3, 0.0])
    with pytest.raises(Conflict, match="is resolved"):
        manager.acknowledge(alert.id)
    assert (manager.get(alert.id).worst, manager.get(alert.id).acknowledged_by) == (0.3, "Ada")
    with pytest.raises(NotFound, match="there is no alert"):
        manager.acknowledge("alert_0")


def test_rules_cover_portfolios_and_may_change() -> None:
    manager = AlertManager([rule(portfolio_ids=["port_1"]), rule(id="other", measure="beta", level=1)])
    assert manager.observe("port_2", {"drawdown": 0.5}, START) == ()
    assert len(manager.observe("port_1", {"drawdown": 0.5, "beta": 2.0}, START)) == 2
    manager.set_rules([rule(portfolio_ids=["port_1"])])
    assert [one.rule_id for one in manager.active("port_1")] == ["deep"]
    assert [one.rule_id for one in manager.resolved("port_1")] == ["other"]
    with pytest.raises(InputError, match="the same id"):
        manager.set_rules([rule(), rule()])


@given(
    values=st.lists(st.floats(0, 0.3), max_size=60), hysteresis=st.sampled_from([0.0, 0.02, 0.05]),
    cooldown=st.sampled_from([0.0, 3.0, 10.0]),
)  # fmt: skip
def test_alerts_alternate_and_keep_their_distance(values: list[float], hysteresis: float, cooldown: float) -> None:
    manager = AlertManager([rule(hysteresis=hysteresis, cooldown_seconds=cooldown)])
    found = run(manager, values)
    is_open, last = False, -math.inf
    for place, (value, what) in enumerate(zip(values, found, strict=True)):
        if is_open:
            expected = "resolved" if value <= 0.10 - hysteresis + 1e-13 else ""
        else:
            expected = "raised" if value > 0.10 + 1e-13 and place - last >= cooldown else ""
        assert what == expected
        if what:
            is_open, last = what == "raised", place if what == "raised" else last


# --- who is told ---


def test_the_events_are_those_of_the_catalogue_and_reach_the_bus() -> None:
    assert (room.BREACHED, room.ACKNOWLEDGED, room.RESOLVED) == (
        EventType.RISK_THRESHOLD_BREACHED, EventType.ALERT_ACKNOWLEDGED, EventType.ALERT_RESOLVED,
    )  # fmt: skip
    bus, heard = InProcessBus(), []
    bus.subscribe("risk.#", heard.append)
    manager = AlertManager([rule(severity="critical")], publish=bus.send)
    run(manager, [0.2])
    manager.acknowledge(manager.active()[0].id, by="Ada")
    run(manager, [0.0])
    assert wait_for(bus.drain())
    assert [event.event_type for event in heard] == [room.BREACHED, room.ACKNOWLEDGED, room.RESOLVED]
    breach = heard[0].payload
    assert (breach.rule_id, breach.value, breach.severity, breach.raised_at) == ("deep", 0.2, "critical", START)
    assert {event.payload.alert_id for event in heard} == {manager.resolved()[0].id}
    assert heard[0].key == "port_1"
    wait_for(bus.close())


def test_what_could_not_be_told_is_told_the_next_time_in_order() -> None:
    told: list[str] = []
    is_down = [True]

    def publish(event_type: str, data: Any) -> None:
        if is_down[0]:
            raise OSError("no bus")
        told.append(event_type)

    manager = AlertManager([rule()], publish=publish)
    assert run(manager, [0.2, 0.0]) == ["raised", "resolved"]
    assert told == []
    is_down[0] = False
    run(manager, [0.05])
    assert told == [room.BREACHED, room.RESOLVED]


def test_many_threads_raise_one_alert() -> None:
    told: list[str] = []
    manager = AlertManager([rule()], publish=lambda event_type, _: told.append(event_type))
    threads = [
        threading.Thread(target=lambda: [manager.observe("port_1", {"drawdown": 0.2}) for _ in range(50)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [room.BREACHED]
    assert len(manager.active()) == 1


# --- the monitor ---


def test_the_equity_is_followed_without_its_series() -> None:
    monitor = RiskMonitor(AlertManager([rule()]))
    rng = np.random.default_rng(0)
    equity = 100 * np.cumprod(1 + rng.normal(0, 0.02, 300))
    hours = [START + timedelta(hours=h) for h in range(300)]
    n_alerts = 0
    for place, (value, moment) in enumerate(zip(equity, hours, strict=True)):
        n_alerts += sum(one.status == "active" for one in monitor.update("port_1", equity=float(value), at=moment))
        found = monitor.measures("port_1")
        assert found["drawdown"] == pytest.approx(1 - value / equity[: place + 1].max())
        before = [e for e, h in zip(equity[:place], hours[:place], strict=True) if h.date() < moment.date()]
        assert found["daily_loss"] == pytest.approx(1 - value / (before[-1] if before else equity[0]))
    drawdowns = 1 - equity / np.maximum.accumulate(equity)
    starts = (drawdowns > 0.1) & ~np.concatenate(([False], drawdowns[:-1] > 0.1))
    assert n_alerts == starts.sum() > 0


def test_what_was_before_the_monitor_counts() -> None:
    monitor = RiskMonitor(AlertManager())
    monitor.start("port_1", peak_equity=200.0, last_equity=120.0, at=START - timedelta(days=1))
    monitor.update("port_1", equity=100.0, at=START)
    assert monitor.measures("port_1")["drawdown"] == 0.5
    assert monitor.measures("port_1")["daily_loss"] == pytest.approx(1 / 6)
    assert monitor.measures("nobody") == {}


class Broken:
    def value_at_risk(self, symbol: str, change: float) -> float:
        raise OSError("no returns")

    def expected_shortfall(self, symbol: str, change: float) -> float:
        return 0.1


def test_a_book_is_measured_and_blindness_is_told() -> None:
    rows = [Exposure(symbol="A", quantity=6, price=10, beta=2), Exposure(symbol="B", quantity=-2, price=10, beta=1)]
    risk = ParametricRisk({"A": 60.0, "B": -20.0}, [[4e-4, 0.0], [0.0, 4e-4]], ["A", "B"], equity=100.0)
    book = BookView(equity=100, exposures=rows, estimates=risk)
    blind = rule(id="blind", measure="unmeasured", level=0)
    monitor = RiskMonitor(AlertManager([blind, rule(id="big", measure="gross_leverage", level=0.7)]))
    assert [one.rule_id for one in monitor.update("port_1", book=book, at=START)] == ["big"]
    found = monitor.measures("port_1")
    assert {name: found[name] for name in ("gross_leverage", "net_leverage", "concentration", "beta")} == {
        "gross_leverage": 0.8, "net_leverage": 0.4, "concentration": 0.6, "beta": 1.0,
    }  # fmt: skip
    assert found["value_at_risk"] == pytest.approx(1.644854 * 0.02 * math.sqrt(60**2 + 20**2) / 100, rel=1e-6)
    changed = monitor.update("port_1", book=replace(book, estimates=Broken()), equity=200.0, at=at(1))
    assert {(one.rule_id, one.status) for one in changed} == {("blind", "active"), ("big", "resolved")}
    unknown = replace(book, exposures=(rows[0], replace(rows[1], beta=None)))
    monitor.update("port_1", book=unknown, at=at(2))
    assert math.isnan(monitor.measures("port_1")["beta"])
    assert monitor.measures("port_1")["unmeasured"] == 1
    monitor.update("port_1", book=replace(book, equity=book.equity * 0), at=at(3))
    assert monitor.measures("port_1")["gross_leverage"] == math.inf
    assert monitor.update("port_1", measures={"mine": 1.0}, at=at(4)) == ()
    assert monitor.measures("port_1")["mine"] == 1.0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: rule(id=""), "needs an id"),
        (lambda: rule(direction="over"), '"above" or "below"'),
        (lambda: rule(level=math.nan), "finite number"),
        (lambda: rule(hysteresis=-1), "negative distance"),
        (lambda: rule(severity="bad"), "info, warning, critical"),
        (lambda: rule(portfolio_ids="port_1"), "give a list"),
        (lambda: AlertManager().observe("p", {}, datetime(2026, 1, 5)), "no time zone"),
        (lambda: RiskMonitor(AlertManager()).update("p", at=START), "nothing to take"),
        (lambda: RiskMonitor(AlertManager()).update("p", equity=1.0, at=datetime(2026, 1, 5)), "no time zone"),
        (lambda: RiskMonitor(AlertManager()).update("p", equity=math.nan, at=START), "finite"),
        (
            lambda: RiskMonitor(AlertManager()).start("p", peak_equity=1.0, last_equity=2.0, at=START),
            "at least as high",
        ),
    ],
)
def test_what_is_wrong_is_told(call: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()
