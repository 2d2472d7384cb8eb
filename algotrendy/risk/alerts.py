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
from typing import Any, Literal, TypeAlias

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
    history : int
        How many alerts that are over are remembered.

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
        history: int = 10_000,
    ) -> None:
        self._publish, self._clock = publish, clock or _now
        self._lock, self._publishing = threading.Lock(), threading.Lock()
        self._base, self._numbers = secrets.token_hex(8), itertools.count()
        self._open: dict[tuple[str, str], Alert] = {}
        self._raised_at: dict[tuple[str, str], datetime] = {}
        self._over: deque[Alert] = deque(maxlen=history)
        self._unpublished: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_UNPUBLISHED_MAX)
        self._rules: tuple[AlertRule, ...] = ()
        self.set_rules(rules)

    @property
    def rules(self) -> tuple[AlertRule, ...]:
        """The rules."""
        return self._rules

    def set_rules(self, rules: Iterable[AlertRule]) -> None:
        """Watch these rules from now on; alerts of a rule that is gone are resolved.

        Raises
        ------
        InputError
            If two have the same id.
        """
        found = tuple(rules)
        ids = [rule.id for rule in found]
        if len(set(ids)) < len(ids):
            raise InputError(f"two rules have the same id; found {', '.join(ids)}")
        with self._lock:
            self._rules = found
            for place in [place for place in self._open if place[0] not in ids]:
                self._resolve(place, self._clock())
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
        changed = []
        with self._lock:
            for rule in self._rules:
                value = float(measures.get(rule.measure, math.nan))
                if math.isnan(value) or (rule.portfolio_ids and portfolio_id not in rule.portfolio_ids):
                    continue
                alert = self._observe(rule, portfolio_id, value, moment)
                if alert is not None:
                    changed.append(alert)
        self._tell()
        return tuple(changed)

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
            found = self._found(alert_id)
            if S.ACKNOWLEDGED not in NEXT_ALERT_STATUS[found.status]:
                raise Conflict(f"{alert_id} is {found.status}; it cannot be acknowledged")
            now = self._clock()
            found = replace(found, status=S.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by=by)
            self._open[found.rule_id, found.portfolio_id] = found
            self._unpublished.append((ACKNOWLEDGED, _change(found, now, by)))
        self._tell()
        return found

    def get(self, alert_id: str) -> Alert:
        """Return an alert.

        Raises
        ------
        NotFound
            If there is none, or it was over long ago.
        """
        with self._lock:
            return self._found(alert_id)

    def active(self, portfolio_id: str | None = None) -> tuple[Alert, ...]:
        """Return the alerts that are not resolved, of one portfolio or of all, the oldest first."""
        with self._lock:
            found = [one for one in self._open.values() if portfolio_id in (None, one.portfolio_id)]
        return tuple(sorted(found, key=lambda one: (one.raised_at, one.id)))

    def resolved(self, portfolio_id: str | None = None) -> tuple[Alert, ...]:
        """Return the alerts that are over, of one portfolio or of all, the oldest first."""
        with self._lock:
            return tuple(one for one in self._over if portfolio_id in (None, one.portfolio_id))

    # --- under the lock ---

    def _observe(self, rule: AlertRule, portfolio_id: str, value: float, at: datetime) -> Alert | None:
        place = (rule.id, portfolio_id)
        found = self._open.get(place)
        if found is not None:
            if rule.is_back(value):
                return self._resolve(place, at)
            self._open[place] = replace(found, worst=rule.worse(found.worst, value))
            return None
        if not rule.is_broken(value):
            return None
        last = self._raised_at.get(place)
        if last is not None and at < last + timedelta(seconds=rule.cooldown_seconds):
            return None
        made = Alert(
            id=f"alert_{self._base}{next(self._numbers):016x}", rule_id=rule.id, portfolio_id=portfolio_id,
            measure=rule.measure, value=value, worst=value, level=rule.level, severity=rule.severity,
            status=S.ACTIVE, raised_at=at,
        )  # fmt: skip
        self._open[place], self._raised_at[place] = made, at
        names = ("portfolio_id", "rule_id", "measure", "value", "level", "raised_at")
        data = {"alert_id": made.id, "severity": str(made.severity), **{name: getattr(made, name) for name in names}}
        self._unpublished.append((BREACHED, data))
        return made

    def _resolve(self, place: tuple[str, str], at: datetime) -> Alert:
        found = replace(self._open.pop(place), status=S.RESOLVED, resolved_at=at)
        self._over.append(found)
        self._unpublished.append((RESOLVED, _change(found, at, None)))
        return found

    def _found(self, alert_id: str) -> Alert:
        for one in itertools.chain(self._open.values(), self._over):
            if one.id == alert_id:
                return one
        raise NotFound(f"there is no alert {alert_id}, or it was over long ago")

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


def _change(alert: Alert, at: datetime, by: str | None) -> dict[str, Any]:
    return {
        "portfolio_id": alert.portfolio_id, "alert_id": alert.id, "rule_id": alert.rule_id, "at": at, "by": by,
    }  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC)
