"""Limits, trading states and alerts keep their promises in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.risk.alerts import AlertManager, AlertRule, AlertStore, MemoryAlerts
from algotrendy.risk.limits import Limit, LimitManager, LimitStore, MemoryLimits
from algotrendy.storage import SqlAlerts, SqlLimits, UnitOfWork, new_id
from tests.contract.databases import KINDS, opened, place_for
from tests.contract.job_tools import Clock

PORT = new_id("port")
RULE = AlertRule(id="deep", measure="drawdown", level=0.1, hysteresis=0.02, cooldown_seconds=60, severity="critical")


class Made:
    """One kind of stores, and the clock they go by."""

    def __init__(self, limits: LimitStore, alerts: AlertStore, clock: Clock) -> None:
        self.limits, self.alerts, self.clock = limits, alerts, clock

    def manager(self, *rules: AlertRule, **more: Any) -> AlertManager:
        return AlertManager(rules or [RULE], store=self.alerts, clock=self.clock, **more)


@pytest.fixture(params=["memory", *KINDS])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    clock = Clock()
    with ExitStack() as stack:
        if request.param == "memory":
            yield Made(MemoryLimits(clock=clock), MemoryAlerts(), clock)
        else:
            database = stack.enter_context(opened(place_for(request, request.param), clock=clock))
            yield Made(SqlLimits(database), SqlAlerts(database), clock)


# --- limits ---


def test_limits_come_back_exact_with_their_version(made: Made) -> None:
    manager = LimitManager("moderate", store=made.limits)
    usual = manager.limits_record(PORT)
    assert (usual.version, usual.profile, usual.updated_at) == (0, "moderate", None)
    wanted = [
        {"kind": "gross_leverage", "limit": "1.0000000000000000000000001"},
        {"kind": "order_rate", "limit": 60, "seconds": 60.0},
        {"kind": "restricted", "symbols": ["B", "A"], "name": "not these", "binds_closing": True},
    ]
    record = manager.set_limits(PORT, wanted, by="ann", expected_version=0)
    assert (record.version, record.updated_by, record.updated_at) == (1, "ann", made.clock.now)
    again = LimitManager("aggressive", store=made.limits).limits_record(PORT)
    assert again == record
    assert again.limits == tuple(map(Limit.from_dict, wanted))
    assert again.limits[0].limit == Decimal("1.0000000000000000000000001")
    assert manager.limits_record(new_id("port")).version == 0, "another portfolio"


def test_who_changes_what_somebody_else_changed_is_told(made: Made) -> None:
    manager = LimitManager(store=made.limits)
    manager.set_limits(PORT, "conservative", expected_version=0)
    with pytest.raises(Conflict, match="of version 1, not 0"):
        manager.set_limits(PORT, [], expected_version=0)
    made.clock.move(5)
    assert manager.set_limits(PORT, "aggressive").version == 2, "who expects nothing writes over it"
    assert [(one.version, one.profile) for one in manager.limits_history(PORT)] == [
        (1, "conservative"), (2, "aggressive"),
    ]  # fmt: skip
    with pytest.raises(InputError, match="no risk profile"):
        manager.set_limits(PORT, "reckless")
    assert manager.limits_record(PORT).version == 2


def test_of_many_that_expect_one_version_exactly_one_changes_it(made: Made) -> None:
    manager, won = LimitManager(store=made.limits), []

    def change(place: int) -> None:
        try:
            manager.set_limits(PORT, [{"kind": "drawdown", "limit": f"0.{place + 1}"}], expected_version=0)
        except Conflict:
            return
        won.append(place)

    threads = [threading.Thread(target=change, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert [one.version for one in manager.limits_history(PORT)] == [1]
    assert manager.limits_record(PORT).limits[0].limit == Decimal(f"0.{won[0] + 1}")


def test_states_have_a_reason_and_a_history(made: Made) -> None:
    manager = LimitManager(store=made.limits)
    assert (manager.state(PORT), manager.state_record(PORT).version) == ("active", 0)
    manager.set_state(PORT, "halted", reason="the feed is broken", by="ann", expected_version=0)
    with pytest.raises(Conflict, match="of version 1, not 0"):
        manager.set_state(PORT, "active", expected_version=0)
    made.clock.move(60)
    manager.set_state(PORT, "reducing", reason="the feed is back", by="bob")
    assert LimitManager(store=made.limits).state(PORT) == "reducing"
    assert [(one.version, one.state, one.reason, one.set_by) for one in manager.state_history(PORT)] == [
        (1, "halted", "the feed is broken", "ann"), (2, "reducing", "the feed is back", "bob"),
    ]  # fmt: skip
    first, second = manager.state_history(PORT)
    assert first.set_at is not None
    assert second.set_at == first.set_at + timedelta(seconds=60)


# --- alerts ---


def test_an_alert_goes_on_where_another_manager_left_it(made: Made) -> None:
    told: list[str] = []

    def publish(event_type: str, _: Any) -> None:
        told.append(event_type)

    (raised,) = made.manager(publish=publish).observe(PORT, {"drawdown": 0.15})
    other = made.manager(publish=publish)
    assert other.active(PORT) == (raised,)
    assert other.observe(PORT, {"drawdown": 0.30}) == (), "it is open already"
    assert other.active(PORT)[0].worst == 0.30
    assert other.active(new_id("port")) == ()
    seen = other.acknowledge(raised.id, by="ann")
    assert (seen.status, seen.acknowledged_by, seen.worst) == ("acknowledged", "ann", 0.30)
    with pytest.raises(Conflict, match="is acknowledged"):
        made.manager().acknowledge(raised.id)
    made.clock.move(10)
    (over,) = made.manager(publish=publish).observe(PORT, {"drawdown": 0.0})
    assert (over.status, over.id, over.resolved_at) == ("resolved", raised.id, made.clock.now)
    assert made.alerts.get(raised.id) == over
    assert made.alerts.resolved(PORT) == (over,)
    assert made.alerts.open() == ()
    assert told == ["risk.threshold.breached", "risk.alert.acknowledged", "risk.alert.resolved"]
    with pytest.raises(Conflict, match="is resolved"):
        made.manager().acknowledge(raised.id)
    assert made.manager().observe(PORT, {"drawdown": 0.2}) == (), "the cooldown is remembered, too"
    made.clock.move(60)
    assert len(made.manager().observe(PORT, {"drawdown": 0.2})) == 1
    with pytest.raises(NotFound, match="there is no alert"):
        made.alerts.get(new_id("alert"))


def test_many_managers_raise_one_alert(made: Made) -> None:
    raised: list[Any] = []
    managers = [made.manager() for _ in range(6)]
    threads = [
        threading.Thread(target=lambda one=one: raised.extend(one.observe(PORT, {"drawdown": 0.2}))) for one in managers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(raised) == 1
    assert made.alerts.open(PORT) == tuple(raised)


def test_a_change_that_fails_changes_nothing(made: Made) -> None:
    (raised,) = made.manager().observe(PORT, {"drawdown": 0.2})

    def fails(_: Any) -> list[Any]:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        made.alerts.change(PORT, fails)
    assert made.alerts.open() == (raised,)


def test_alerts_of_a_rule_that_is_gone_are_over(made: Made) -> None:
    manager = made.manager(RULE, AlertRule(id="big", measure="gross_leverage", level=1))
    manager.observe(PORT, {"drawdown": 0.2, "gross_leverage": float("inf")})
    assert {one.rule_id: one.value for one in manager.active()} == {"deep": 0.2, "big": float("inf")}
    manager.set_rules([RULE])
    assert [one.rule_id for one in manager.active()] == ["deep"]
    assert [one.rule_id for one in manager.resolved(PORT)] == ["big"]


def test_limits_and_alerts_change_in_one_unit_of_work_or_not_at_all(request: pytest.FixtureRequest) -> None:
    with opened(place_for(request, "sqlite")) as database:
        with UnitOfWork(database) as work:
            LimitManager(store=SqlLimits(work)).set_state(PORT, "halted")
            AlertManager([RULE], store=SqlAlerts(work)).observe(PORT, {"drawdown": 0.2})
        assert SqlLimits(database).state(PORT) is None
        assert SqlAlerts(database).open() == ()
        with UnitOfWork(database) as work:
            LimitManager(store=SqlLimits(work)).set_state(PORT, "halted")
            work.commit()
        assert SqlLimits(database).state(PORT).state == "halted"  # type: ignore[union-attr]
