"""What limits a portfolio has and what it may send, version by version, and where that is kept.

Nothing is overwritten: every change is a new version, so the record tells who changed what, when and why.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from algotrendy.errors import Conflict
from algotrendy.risk.limits.book import TradingState
from algotrendy.risk.limits.limit import Limit

__all__ = ["LimitStore", "LimitsRecord", "MemoryLimits", "StateRecord", "check_version"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsRecord:
    """One version of the limits of a portfolio.

    Attributes
    ----------
    portfolio_id : str
        `port_…`.
    version : int
        1, 2, ...; 0 are the usual limits of a portfolio that was given none.
    limits : tuple of Limit
        What is checked.
    profile : str or None
        The risk profile that they were taken from.
    updated_by : str or None
        Who set them.
    updated_at : datetime or None
        UTC; None of version 0.
    """

    portfolio_id: str
    version: int
    limits: tuple[Limit, ...]
    profile: str | None = None
    updated_by: str | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRecord:
    """One version of what a portfolio may send.

    Attributes
    ----------
    portfolio_id : str
        `port_…`.
    version : int
        1, 2, ...; 0 of a portfolio whose state was never set.
    state : TradingState
        active, reducing or halted.
    reason : str
        Why.
    set_by : str or None
        Who set it.
    set_at : datetime or None
        UTC; None of version 0.
    """

    portfolio_id: str
    version: int
    state: TradingState
    reason: str = ""
    set_by: str | None = None
    set_at: datetime | None = None


class LimitStore(Protocol):
    """Keeps limits and trading states; every method is atomic, whoever else calls at the same time."""

    def limits(self, portfolio_id: str) -> LimitsRecord | None:
        """Return the newest limits of a portfolio; None if it was given none."""
        ...

    def put_limits(
        self,
        portfolio_id: str,
        limits: tuple[Limit, ...],
        *,
        profile: str | None = None,
        by: str | None = None,
        expected_version: int | None = None,
    ) -> LimitsRecord:
        """Keep limits as the next version.

        Raises
        ------
        Conflict
            If the newest version is not the expected one.
        """
        ...

    def limits_history(self, portfolio_id: str) -> tuple[LimitsRecord, ...]:
        """Return all versions of the limits, the oldest first."""
        ...

    def state(self, portfolio_id: str) -> StateRecord | None:
        """Return what a portfolio may send; None if that was never set."""
        ...

    def put_state(
        self,
        portfolio_id: str,
        state: TradingState,
        *,
        reason: str = "",
        by: str | None = None,
        expected_version: int | None = None,
    ) -> StateRecord:
        """Keep a state as the next version.

        Raises
        ------
        Conflict
            If the newest version is not the expected one.
        """
        ...

    def state_history(self, portfolio_id: str) -> tuple[StateRecord, ...]:
        """Return all versions of the state, the oldest first."""
        ...


class MemoryLimits:
    """Limits and states in this process; meets `LimitStore`. May be shared by threads.

    Parameters
    ----------
    clock : callable, optional
        Gives the time, aware of its zone. Default: the machine's.

    Examples
    --------
    >>> store = MemoryLimits()
    >>> store.put_limits("port_1", (Limit(kind="drawdown", limit="0.2"),), by="ann").version
    1
    >>> store.put_limits("port_1", (), expected_version=0)
    Traceback (most recent call last):
        ...
    algotrendy.errors.Conflict: the limits of port_1 are of version 1, not 0; read them again, then decide
    """

    def __init__(self, *, clock: Callable[[], datetime] | None = None) -> None:
        self._clock = clock or _now
        self._lock = threading.Lock()
        self._limits: dict[str, list[LimitsRecord]] = {}
        self._states: dict[str, list[StateRecord]] = {}

    def limits(self, portfolio_id: str) -> LimitsRecord | None:
        """Return the newest limits of a portfolio; None if it was given none."""
        with self._lock:
            kept = self._limits.get(portfolio_id)
            return kept[-1] if kept else None

    def put_limits(
        self,
        portfolio_id: str,
        limits: tuple[Limit, ...],
        *,
        profile: str | None = None,
        by: str | None = None,
        expected_version: int | None = None,
    ) -> LimitsRecord:
        """Keep limits as the next version; `Conflict` if the newest is not the expected one."""
        with self._lock:
            kept = self._limits.setdefault(portfolio_id, [])
            check_version(f"the limits of {portfolio_id}", len(kept), expected_version)
            made = LimitsRecord(
                portfolio_id=portfolio_id, version=len(kept) + 1, limits=limits, profile=profile,
                updated_by=by, updated_at=self._clock(),
            )  # fmt: skip
            kept.append(made)
            return made

    def limits_history(self, portfolio_id: str) -> tuple[LimitsRecord, ...]:
        """Return all versions of the limits, the oldest first."""
        with self._lock:
            return tuple(self._limits.get(portfolio_id, ()))

    def state(self, portfolio_id: str) -> StateRecord | None:
        """Return what a portfolio may send; None if that was never set."""
        with self._lock:
            kept = self._states.get(portfolio_id)
            return kept[-1] if kept else None

    def put_state(
        self,
        portfolio_id: str,
        state: TradingState,
        *,
        reason: str = "",
        by: str | None = None,
        expected_version: int | None = None,
    ) -> StateRecord:
        """Keep a state as the next version; `Conflict` if the newest is not the expected one."""
        with self._lock:
            kept = self._states.setdefault(portfolio_id, [])
            check_version(f"the states of {portfolio_id}", len(kept), expected_version)
            made = StateRecord(
                portfolio_id=portfolio_id, version=len(kept) + 1, state=state, reason=reason, set_by=by,
                set_at=self._clock(),
            )  # fmt: skip
            kept.append(made)
            return made

    def state_history(self, portfolio_id: str) -> tuple[StateRecord, ...]:
        """Return all versions of the state, the oldest first."""
        with self._lock:
            return tuple(self._states.get(portfolio_id, ()))


def check_version(what: str, found: int, expected: int | None) -> None:
    """Refuse a change to a version that somebody else has changed; None expects nothing.

    Examples
    --------
    >>> check_version("the limits of port_1", 3, 3)
    """
    if expected is not None and expected != found:
        raise Conflict(f"{what} are of version {found}, not {expected}; read them again, then decide")


def _now() -> datetime:
    return datetime.now(UTC)
