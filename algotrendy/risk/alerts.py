"""Alerts: a rule says which measure may not cross which level, an alert is one time that it did.

A rule is written once and may be kept with the settings of notifications; alerts come and go, and name their rule.
"""

from __future__ import annotations

import itertools
import logging
import math
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeAlias

from algotrendy.errors import Conflict, InputError, NotFound

__all__ = [
    "ACKNOWLEDGED",
    "BREACHED",
    "NEXT_ALERT_STATUS",
    "RESOLVED",
    "Alert",
    "AlertManager",
    "AlertRule",
    "AlertStatus",
    "AlertStore",
    "KeptAlerts",
    "MemoryAlerts",
    "Publish",
    "Severity",
]

BREACHED = "risk.threshold.breached"
ACKNOWLEDGED = "risk.alert.acknowledged"
RESOLVED = "risk.alert.resolved"

Publish: TypeAlias = Callable[[str, Mapping[str, Any]], object]
"""Tells whoever wants to know: a type of event and its data; `InProcessBus.send` does."""

_log = logging.getLogger("algotrendy.risk")
_UNPUBLISHED_MAX = 1_000
_TIE = 1e-12


class Severity(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertStatus(StrEnum):
    """Where an alert stands."""

    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


S = AlertStatus
NEXT_ALERT_STATUS: Mapping[AlertStatus, frozenset[AlertStatus]] = {
    S.ACTIVE: frozenset({S.ACKNOWLEDGED, S.RESOLVED}),
    S.ACKNOWLEDGED: frozenset({S.RESOLVED}),
    S.RESOLVED: frozenset(),
}
"""What each status may become."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """Which measure may not cross which level.

    Attributes
    ----------
    id : str
        Nothing else has it.
    measure : str
        Such as `drawdown`, `gross_leverage`, `value_at_risk`.
    level : float
        In the unit of the measure. At the level itself nothing is wrong.
    direction : {"above", "below"}
        On which side of it something is.
    hysteresis : float
        How far the measure has to be back behind the level before the alert is resolved, >= 0: without it a measure
        that trembles around its level raises one alert after the other.
    cooldown_seconds : float
        For how long after one alert no other is raised for the same rule and portfolio, >= 0.
    severity : Severity
        How bad it is.
    portfolio_ids : frozenset of str
        The portfolios that it covers; empty: all.
    """

    id: str
    measure: str
    level: float
    direction: Literal["above", "below"] = "above"
    hysteresis: float = 0.0
    cooldown_seconds: float = 0.0
    severity: Severity = Severity.WARNING
    portfolio_ids: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        put = object.__setattr__
        if not self.id or not self.measure:
            raise InputError(f"a rule needs an id and a measure; found {self.id!r} and {self.measure!r}")
        if self.direction not in ("above", "below"):
            raise InputError(f'direction of {self.id} is {self.direction!r}; expected "above" or "below"')
        covered: Any = self.portfolio_ids
        if isinstance(covered, str):
            raise InputError(f"portfolio_ids of {self.id} is the text {covered!r}; give a list")
        for name in ("level", "hysteresis", "cooldown_seconds"):
            value = float(getattr(self, name))
            if not math.isfinite(value) or (name != "level" and value < 0):
                raise InputError(f"{name} of {self.id} is {value}; expected a finite number, not a negative distance")
            put(self, name, value)
        try:
            put(self, "severity", Severity(self.severity))
        except ValueError:
            raise InputError(f"severity of {self.id} is {self.severity!r}; expected {', '.join(Severity)}") from None
        put(self, "portfolio_ids", frozenset(covered))

    def is_broken(self, value: float) -> bool:
        """Return whether a value lies on the wrong side of the level.

        Examples
        --------
        >>> AlertRule(id="r", measure="drawdown", level=0.1).is_broken(0.1)
        False
        """
        return self._beyond(value) > self._tie

    def is_back(self, value: float) -> bool:
        """Return whether a value is far enough behind the level that an alert is over."""
        return self._beyond(value) <= self._tie - self.hysteresis

    def _beyond(self, value: float) -> float:
        """Return how far a value lies on the wrong side of the level."""
        return value - self.level if self.direction == "above" else self.level - value

    @property
    def _tie(self) -> float:
        """What may be noise of rounding: at the level itself nothing is wrong."""
        return _TIE * max(abs(self.level), self.hysteresis)

    def worse(self, first: float, second: float) -> float:
        """Return the worse of two values."""
        return max(first, second) if self.direction == "above" else min(first, second)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One time that a measure crossed the level of a rule.

    Attributes
    ----------
    id : str
        `alert_…`.
    rule_id, portfolio_id, measure : str
        Which rule, on which portfolio, about what.
    value, worst : float
        The measure when the alert was raised, and the worst it has been since.
    level : float
        Of the rule at that time.
    severity : Severity
        How bad it is.
    status : AlertStatus
        active, acknowledged (somebody has seen it) or resolved (the measure is back).
    raised_at, acknowledged_at, resolved_at : datetime or None
        UTC.
    acknowledged_by : str or None
        Who has seen it.
    """

    id: str
    rule_id: str
    portfolio_id: str
    measure: str
    value: float
    worst: float
    level: float
    severity: Severity
    status: AlertStatus
    raised_at: datetime
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    acknowledged_by: str | None = None

    @property
    def message(self) -> str:
        """One sentence for a person."""
        return f"{self.measure} of {self.portfolio_id} reached {self.worst:.6g}, the level is {self.level:.6g}"


@dataclass(frozen=True, slots=True)
class KeptAlerts:
    """What a store keeps of one portfolio, as a change is decided.

    Attributes
    ----------
    open : mapping of str to Alert
        Those that are not resolved, by rule.
    raised_at : mapping of str to datetime
        When each rule raised its last alert, open or over.
    """

    open: Mapping[str, Alert]
    raised_at: Mapping[str, datetime]


class AlertStore(Protocol):
    """Keeps alerts; every method is atomic, whoever else calls at the same time."""

    def change(self, portfolio_id: str, decide: Callable[[KeptAlerts], Iterable[Alert]]) -> tuple[Alert, ...]:
        """Keep the alerts that `decide` makes of what is kept, new or changed, and return them.

        Nobody else changes the alerts of the portfolio meanwhile; if it raises, nothing is changed.
        """
        ...

    def get(self, alert_id: str) -> Alert:
        """Return an alert.

        Raises
        ------
        NotFound
            If there is none.
        """
        ...

    def open(self, portfolio_id: str | None = None) -> tuple[Alert, ...]:
        """Return the alerts that are not resolved, of one portfolio or of all, the oldest first."""
        ...

    def resolved(self, portfolio_id: str | None = None) -> tuple[Alert, ...]:
        """Return the alerts that are over, of one portfolio or of all, in the order in which they were resolved."""
        ...


class MemoryAlerts:
    """Alerts in this process; meets `AlertStore`. May be shared by threads.

    Parameters
    ----------
    history : int
        How many alerts that are over are remembered.

    Examples
    --------
    >>> MemoryAlerts().open()
    ()
    """

    def __init__(self, *, history: int = 10_000) -> None:
        self._lock = threading.RLock()
        self._open: dict[str, dict[str, Alert]] = {}
        self._raised_at: dict[str, dict[str, datetime]] = {}
        self._over: deque[Alert] = deque(maxlen=history)

    def change(self, portfolio_id: str, decide: Callable[[KeptAlerts], Iterable[Alert]]) -> tuple[Alert, ...]:
        """Keep the alerts that `decide` makes of what is kept, new or changed, and return them."""
        with self._lock:
            now = self._open.setdefault(portfolio_id, {})
            raised = self._raised_at.setdefault(portfolio_id, {})
            made = tuple(decide(KeptAlerts(dict(now), dict(raised))))
            for one in made:
                raised[one.rule_id] = max(one.raised_at, raised.get(one.rule_id, one.raised_at))
                if one.status is S.RESOLVED:
                    now.pop(one.rule_id, None)
                    self._over.append(one)
                else:
                    now[one.rule_id] = one
            return made

    def get(self, alert_id: str) -> Alert:
        """Return an alert; `NotFound` if there is none, or it was over long ago."""
        with self._lock:
            for one in itertools.chain(*(kept.values() for kept in self._open.values()), self._over):
                if one.id == alert_id:
                    return one
        raise NotFound(f"there is no alert {alert_id}, or it was over long ago")

    def open(self, portfolio_id: str | None = None) -> tuple[Alert, ...]:
        """Return the alerts that are not resolved, of one portfolio or of all, the oldest first."""
        with self._lock:
            found = [
                one for place, kept in self._open.items() if portfolio_id in (None, place) for one in kept.values()
            ]
        return tuple(sorted(found, key=lambda one: (one.raised_at, one.id)))

    def resolved(self, portfolio_id: str | None = None) -> tuple[Alert, ...]:
        """Return the alerts that are over, of one portfolio or of all, in the order in which they were resolved."""
        with self._lock:
            return tuple(one for one in self._over if portfolio_id in (None, one.portfolio_id))


class AlertManager:
    """Raises alerts where measures cross the levels of rules, and resolves them when they are back. Thread-safe.

    A measure that is NaN, or is not told, neither raises nor resolves anything.

    Parameters
    ----------
    rules : iterable of AlertRule
        No two with the same id.
    publish : callable, optional
        Is told of each alert that is raised (`risk.threshold.breached`), acknowledged or resolved. If it raises, the
        alert stands, and it is told again with the next observation.
    clock : callable, optional
        Gives the time, aware of its zone. Default: the machine's.
    store : AlertStore, optional
        Keeps the alerts. Default: this process alone remembers them. Alerts that are open in the store stay open.

    Examples
    --------
    >>> rule = AlertRule(id="deep", measure="drawdown", level=0.10, hysteresis=0.02, severity="critical")
    >>> manager = AlertManager([rule], publish=lambda event_type, data: print(event_type, data["value"]))
    >>> _ = manager.observe("port_1", {"drawdown": 0.12})
    risk.threshold.breached 0.12
    >>> _ = manager.observe("port_1", {"drawdown": 0.09})  # not far enough back
    >>> manager.active("port_1")[0].worst
    0.12
    """

    def __init__(
        self,
        rules: Iterable[AlertRule] = (),
        *,
        publish: Publish | None = None,
        clock: Callable[[], datetime] | None = None,
        store: AlertStore | None = None,
    ) -> None:
        self._publish, self._clock = publish, clock or _now
        self._store: AlertStore = MemoryAlerts() if store is None else store
        self._lock, self._publishing = threading.Lock(), threading.Lock()
        self._base, self._numbers = secrets.token_hex(8), itertools.count()
        self._unpublished: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_UNPUBLISHED_MAX)
        self._rules = _checked(rules)

    @property
    def rules(self) -> tuple[AlertRule, ...]:
        """The rules."""
        return self._rules

    def set_rules(self, rules: Iterable[AlertRule]) -> None:
        """Watch these rules from now on; alerts of a rule that this manager watches no more are resolved.

        Raises
        ------
        InputError
            If two have the same id.
        """
        found = _checked(rules)
        with self._lock:
            gone = {rule.id for rule in self._rules} - {rule.id for rule in found}
            self._rules = found
            now = self._clock()
            open_ = self._store.open() if gone else ()
            for portfolio_id in sorted({one.portfolio_id for one in open_ if one.rule_id in gone}):
                self._change(
                    portfolio_id, lambda kept: [_over(one, now) for one in kept.open.values() if one.rule_id in gone]
                )
        self._tell()

    def observe(
        self, portfolio_id: str, measures: Mapping[str, float], at: datetime | None = None
    ) -> tuple[Alert, ...]:
        """Take what was measured, and return the alerts that were raised or resolved by it.

        Parameters
        ----------
        portfolio_id : str
            Of which portfolio.
        measures : mapping of str to float
            By name; those that no rule names are not looked at.
        at : datetime, optional
            When it was measured, aware of its zone. None: now.
        """
        moment = self._clock() if at is None else at
        if moment.tzinfo is None:
            raise InputError(f"{moment.isoformat()} has no time zone; give it one: .replace(tzinfo=UTC)")
        rules = [rule for rule in self._rules if not rule.portfolio_ids or portfolio_id in rule.portfolio_ids]
        seen = [(rule, value) for rule in rules if not math.isnan(value := float(measures.get(rule.measure, math.nan)))]
        if not seen:
            return ()
        with self._lock:
            found = self._change(portfolio_id, lambda kept: self._decided(kept, portfolio_id, seen, moment))
        self._tell()
        return found

    def acknowledge(self, alert_id: str, by: str | None = None) -> Alert:
        """Note that somebody has seen an alert, and return it; it stays until its measure is back.

        Raises
        ------
        NotFound
            If there is none.
        Conflict
            If it was acknowledged before, or is resolved.
        """
        with self._lock:
            now = self._clock()
            (found,) = self._change(
                self._store.get(alert_id).portfolio_id, lambda kept: [self._seen(kept, alert_id, now, by)]
            )
        self._tell()
        return found

    def get(self, alert_id: str) -> Alert:
        """Return an alert.

        Raises
        ------
        NotFound
            If there is none, or it was over long ago.
        """
        return self._store.get(alert_id)

    def active(self, portfolio_id: str | None = None) -> tuple[Alert, ...]:
        """Return the alerts that are not resolved, of one portfolio or of all, the oldest first."""
        return self._store.open(portfolio_id)

    def resolved(self, portfolio_id: str | None = None) -> tuple[Alert, ...]:
        """Return the alerts that are over, of one portfolio or of all, the oldest first."""
        return self._store.resolved(portfolio_id)

    # --- under the lock ---

    def _change(self, portfolio_id: str, decide: Callable[[KeptAlerts], Iterable[Alert]]) -> tuple[Alert, ...]:
        """Let the store keep what is decided; return, and note to be told, what is more than a worse value."""
        told: list[tuple[Alert, tuple[str, dict[str, Any]]]] = []

        def and_told(kept: KeptAlerts) -> list[Alert]:
            made = list(decide(kept))
            pairs = [(one, _event(kept.open.get(one.rule_id), one)) for one in made]
            told[:] = [(one, event) for one, event in pairs if event is not None]
            return made

        self._store.change(portfolio_id, and_told)
        self._unpublished.extend(event for _, event in told)
        return tuple(one for one, _ in told)

    def _decided(
        self, kept: KeptAlerts, portfolio_id: str, seen: Iterable[tuple[AlertRule, float]], at: datetime
    ) -> list[Alert]:
        made = []
        for rule, value in seen:
            now, last = kept.open.get(rule.id), kept.raised_at.get(rule.id)
            if now is not None:
                worst = rule.worse(now.worst, value)
                if rule.is_back(value):
                    made.append(_over(now, at))
                elif worst != now.worst:
                    made.append(replace(now, worst=worst))
            elif rule.is_broken(value) and (last is None or at >= last + timedelta(seconds=rule.cooldown_seconds)):
                made.append(
                    Alert(
                        id=f"alert_{self._base}{next(self._numbers):016x}",
                        rule_id=rule.id,
                        portfolio_id=portfolio_id,
                        measure=rule.measure,
                        value=value,
                        worst=value,
                        level=rule.level,
                        severity=rule.severity,
                        status=S.ACTIVE,
                        raised_at=at,
                    )
                )
        return made

    def _seen(self, kept: KeptAlerts, alert_id: str, at: datetime, by: str | None) -> Alert:
        found = next((one for one in kept.open.values() if one.id == alert_id), None) or self._store.get(alert_id)
        if S.ACKNOWLEDGED not in NEXT_ALERT_STATUS[found.status]:
            raise Conflict(f"{alert_id} is {found.status}; it cannot be acknowledged")
        return replace(found, status=S.ACKNOWLEDGED, acknowledged_at=at, acknowledged_by=by)

    def _tell(self) -> None:
        """Publish what happened, in its order; what cannot be told waits for the next time."""
        if self._publish is None:
            self._unpublished.clear()
            return
        with self._publishing:
            while self._unpublished:
                event_type, data = self._unpublished[0]
                try:
                    self._publish(event_type, data)
                except Exception as e:  # noqa: BLE001 - see BROAD_EXCEPTS in the layout tests
                    _log.error("%s of %s could not be told: %s", event_type, data["alert_id"], e, exc_info=e)
                    return
                self._unpublished.popleft()


def _checked(rules: Iterable[AlertRule]) -> tuple[AlertRule, ...]:
    found = tuple(rules)
    ids = [rule.id for rule in found]
    if len(set(ids)) < len(ids):
        raise InputError(f"two rules have the same id; found {', '.join(ids)}")
    return found


def _over(alert: Alert, at: datetime) -> Alert:
    return replace(alert, status=S.RESOLVED, resolved_at=at)


def _event(before: Alert | None, after: Alert) -> tuple[str, dict[str, Any]] | None:
    """Return what is told of a change; None where only the worst value moved."""
    if before is not None and before.status is after.status:
        return None
    about = {"portfolio_id": after.portfolio_id, "alert_id": after.id, "rule_id": after.rule_id}
    if after.status is S.ACTIVE:
        names = ("measure", "value", "level", "raised_at")
        return BREACHED, {**about, "severity": str(after.severity), **{name: getattr(after, name) for name in names}}
    if after.status is S.ACKNOWLEDGED:
        return ACKNOWLEDGED, {**about, "at": after.acknowledged_at, "by": after.acknowledged_by}
    return RESOLVED, {**about, "at": after.resolved_at, "by": None}


def _now() -> datetime:
    return datetime.now(UTC)
