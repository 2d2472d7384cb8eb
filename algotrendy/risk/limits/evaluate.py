"""The one evaluator of limits: whoever asks whether an order may be sent gets the answer here.

An order is looked at as one more open order, with all others at their worst. What cannot be evaluated is denied.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Any, NamedTuple

from algotrendy.risk.limits.book import BookView, ProposedOrder, TradingState
from algotrendy.risk.limits.limit import Limit, LimitKind, limits_from
from algotrendy.risk.limits.measures import KINDS, Trial
from algotrendy.risk.limits.totals import BookTotals

__all__ = ["LimitCheck", "LimitCheckResult", "LimitSet", "check_order", "check_totals"]

_ZERO = Decimal(0)
_INFINITE = Decimal("Infinity")
_UNKNOWN = Decimal("NaN")
_STATE = "trading_state"


class LimitCheck(NamedTuple):
    """What one limit says about an order.

    Attributes
    ----------
    name : str
        Of the limit.
    passed : bool
        Whether the order may go.
    value : Decimal or float
        What was measured, with the order in the book; NaN if it could not be.
    limit : Decimal or float
        The largest value allowed.
    note : str
        Why it passed or failed where the two numbers do not say it.
    unit : str
        Of the value and the limit.
    """

    name: str
    passed: bool
    value: Decimal | float
    limit: Decimal | float
    note: str = ""
    unit: str = ""

    @property
    def message(self) -> str:
        """One sentence for a person."""
        if self.note:
            return f"{self.name}: {self.note}"
        word = "within" if self.passed else "above"
        return f"{self.name} would be {_short(self.value)}, {word} the limit {_short(self.limit)} ({self.unit})"

    def as_dict(self) -> dict[str, Any]:
        """Return name, passed, value, limit and message, as JSON can say them."""
        return {
            "name": self.name, "passed": self.passed, "value": _plain(self.value), "limit": _plain(self.limit),
            "message": self.message,
        }  # fmt: skip


_ACTIVE = LimitCheck(_STATE, True, _ZERO, _ZERO, "the portfolio is active")


class LimitCheckResult:
    """What all limits say about an order.

    Attributes
    ----------
    approved : bool
        Whether every check passed.
    checks : tuple of LimitCheck
        The trading state first, then the limits that cover the order, in their order.
    suggested_quantity : Decimal
        The quantity of the order if it is approved; else the most that would be, in whole lots, 0 if none.
    """

    __slots__ = ("_made", "approved", "suggested_quantity")

    def __init__(self, approved: bool, suggested_quantity: Decimal, made: _Within | tuple[LimitCheck, ...]) -> None:
        self.approved, self.suggested_quantity, self._made = approved, suggested_quantity, made

    @property
    def checks(self) -> tuple[LimitCheck, ...]:
        """The trading state first, then the limits that cover the order, in their order."""
        if isinstance(self._made, _Within):  # made when somebody looks: most orders pass, and nobody does
            self._made = self._made.checks()
        return self._made

    @property
    def denied(self) -> tuple[LimitCheck, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def message(self) -> str:
        """Why it was denied; empty if it was not."""
        return "; ".join(check.message for check in self.denied)

    def as_dict(self) -> dict[str, Any]:
        """Return the answer as JSON can say it."""
        return {
            "approved": self.approved,
            "checks": [check.as_dict() for check in self.checks],
            "suggested_quantity": str(self.suggested_quantity),
        }

    def __repr__(self) -> str:
        suggested = f"suggested_quantity={self.suggested_quantity}"
        return f"LimitCheckResult(approved={self.approved}, {suggested}, message={self.message!r})"


class _Rule(NamedTuple):
    """A limit, and how its kind is measured."""

    measure: Any
    limit: Limit
    most: Any
    is_exposure: bool
    unit: str


class _Within(NamedTuple):
    """What was measured of an order that is within all its limits."""

    rules: tuple[_Rule, ...]
    values: list[Any]

    def checks(self) -> tuple[LimitCheck, ...]:
        """Return what each limit says."""
        pairs = zip(self.rules, self.values, strict=True)
        return (
            _ACTIVE, *(LimitCheck(rule.limit.name, True, value, rule.most, "", rule.unit) for rule, value in pairs),
        )  # fmt: skip


def _rule(limit: Limit) -> _Rule:
    kind = KINDS[limit.kind]
    most = float(limit.limit) if kind.is_float else limit.limit
    return _Rule(kind.measure, limit, most, kind.is_exposure, kind.unit)


class LimitSet:
    """Limits made ready to be checked often: iterate over it to get them back.

    Parameters
    ----------
    limits : iterable of Limit
        Limits, or what JSON says of them; no two of the same name.

    Examples
    --------
    >>> [limit.name for limit in LimitSet([{"kind": "drawdown", "limit": "0.2"}])]
    ['drawdown']
    """

    __slots__ = ("_by_place", "_has_places", "_rules", "limits")

    def __init__(self, limits: Iterable[Limit | Mapping[str, Any]]) -> None:
        self.limits = limits_from(limits)
        self._rules = tuple(map(_rule, self.limits))
        self._has_places = any(limit.symbols or limit.sectors for limit in self.limits)
        self._by_place: dict[tuple[str, str | None], tuple[_Rule, ...]] = {}

    def rules(self, symbol: str, sector: str | None) -> tuple[_Rule, ...]:
        """Return the limits that cover an instrument, ready to be measured."""
        if not self._has_places:
            return self._rules
        found = self._by_place.get((symbol, sector))
        if found is None:
            found = self._by_place[symbol, sector] = tuple(
                rule
                for rule in self._rules
                if (not rule.limit.symbols or symbol in rule.limit.symbols)
                and (not rule.limit.sectors or sector in rule.limit.sectors)
            )
        return found

    def __iter__(self) -> Iterator[Limit]:
        return iter(self.limits)

    def __len__(self) -> int:
        return len(self.limits)


def check_order(
    order: ProposedOrder, book: BookView, limits: LimitSet | Iterable[Limit | Mapping[str, Any]]
) -> LimitCheckResult:
    """Say whether an order may be sent.

    An order that only closes, counting the open orders on its side, is denied by no limit but those with
    `binds_closing`; nor is one that does not raise a value that is too high already. A check that cannot be evaluated
    (a price, a beta, an estimate is missing, or its function raised) has failed.

    Parameters
    ----------
    order : ProposedOrder
        What is to be sent.
    book : BookView
        The portfolio as it is, its open orders included, this one not.
    limits : LimitSet or iterable of Limit
        Those of the portfolio; a set is faster where many orders are checked.

    Returns
    -------
    LimitCheckResult
        approved, the checks one by one, and the quantity that would be approved.

    Examples
    --------
    >>> from algotrendy.risk.limits import BookView, Exposure, Limit, ProposedOrder
    >>> book = BookView(equity=100_000, exposures=[Exposure(symbol="AAPL", quantity=50, price=200)])
    >>> result = check_order(
    ...     ProposedOrder(symbol="AAPL", side="BUY", quantity=80), book, [Limit(kind="concentration", limit=0.2)]
    ... )
    >>> result.approved, result.suggested_quantity
    (False, Decimal('50'))
    >>> print(result.message)
    concentration would be 0.26, above the limit 0.2 (fraction of equity)
    """
    return check_totals(order, book.totals, limits if isinstance(limits, LimitSet) else LimitSet(limits))


def check_totals(order: ProposedOrder, totals: BookTotals, limits: LimitSet) -> LimitCheckResult:
    """Say whether an order may be sent, given the sums over the book.

    Examples
    --------
    >>> from algotrendy.risk.limits import BookView, Exposure
    >>> totals = BookView(equity=1000, exposures=[Exposure(symbol="A", price=10)]).totals
    >>> check_totals(ProposedOrder(symbol="A", side="BUY", quantity=1), totals, LimitSet([])).approved
    True
    """
    try:
        trial = Trial(order, totals, order.quantity)
        rules = limits.rules(order.symbol, trial.row.sector)
        values = _within(trial, rules) if totals.state is TradingState.ACTIVE else None
    except Exception as e:  # noqa: BLE001 - what cannot be evaluated is denied
        return LimitCheckResult(False, _ZERO, (LimitCheck("order", False, _UNKNOWN, _ZERO, _said(e)),))
    if values is not None:
        return LimitCheckResult(True, order.quantity, _Within(rules, values))
    checks = _checks(trial, rules)
    if all(check.passed for check in checks):
        return LimitCheckResult(True, order.quantity, checks)
    return LimitCheckResult(False, _most(trial, rules, checks), checks)


def _within(trial: Trial, rules: tuple[_Rule, ...]) -> list[Any] | None:
    """Return what each limit measures if all are kept; None if one is not, or cannot be evaluated."""
    values = []
    try:
        for measure, limit, most, _, _ in rules:
            value = measure(trial, limit)
            if not value <= most:  # NaN is not within
                return None
            values.append(value)
    except Exception:  # noqa: BLE001 - what cannot be evaluated is denied: by the one check that says why
        return None
    return values


def _checks(trial: Trial, rules: Iterable[_Rule]) -> tuple[LimitCheck, ...]:
    """Return what each limit says, with the reason where one is not kept."""
    return (_state_check(trial), *(_check(trial, rule) for rule in rules))


def _check(trial: Trial, rule: _Rule) -> LimitCheck:
    limit, most, unit = rule.limit, rule.most, rule.unit
    try:
        value = rule.measure(trial, limit)
        if value <= most:
            return LimitCheck(limit.name, True, value, most, "", unit)
        if trial.closes and not limit.binds_closing:
            return LimitCheck(limit.name, True, value, most, "the order only closes, so it is not denied", unit)
        if rule.is_exposure and value < _INFINITE:
            before = rule.measure(Trial(trial.order, trial.totals, _ZERO), limit)
            if value <= before:
                return LimitCheck(limit.name, True, value, most, "too high already, but not raised by the order", unit)
    except Exception as e:  # noqa: BLE001 - what cannot be evaluated is denied
        return LimitCheck(limit.name, False, _UNKNOWN, most, _said(e), unit)
    note = f"{trial.order.symbol} is on the restricted list" if limit.kind is LimitKind.RESTRICTED else ""
    return LimitCheck(limit.name, False, value, most, note, unit)


def _state_check(trial: Trial) -> LimitCheck:
    state = trial.totals.state
    if state is TradingState.ACTIVE:
        return _ACTIVE
    if state is TradingState.REDUCING and trial.closes:
        return LimitCheck(_STATE, True, _ZERO, _ZERO, "the portfolio is reducing, and the order closes")
    wanted = "only orders that close may be sent" if state is TradingState.REDUCING else "nothing may be sent"
    return LimitCheck(_STATE, False, Decimal(1), _ZERO, f"the portfolio is {state}: {wanted}")


def _most(trial: Trial, rules: tuple[_Rule, ...], checks: tuple[LimitCheck, ...]) -> Decimal:
    """Return the most whole lots that would be approved.

    Every measure is convex in the quantity, so what is allowed is an interval that begins at zero, and halving finds
    its end. An estimate of VaR by quantiles need not be convex; what is found is checked again as a whole.
    """
    order, totals, lot = trial.order, trial.totals, trial.row.lot_size
    failed = {check.name for check in checks if not check.passed}
    strict = [rule for rule in rules if rule.limit.name in failed]

    def passes(lots: int, some: Iterable[_Rule]) -> bool:
        return all(check.passed for check in _checks(Trial(order, totals, lot * lots), some))

    low, high = 0, int((order.quantity / lot).to_integral_value(ROUND_FLOOR))
    if lot * high == order.quantity:
        high -= 1  # the whole order was denied
    while low < high:
        middle = (low + high + 1) // 2
        if passes(middle, strict):
            low = middle
        else:
            high = middle - 1
    return lot * low if low > 0 and passes(low, rules) else _ZERO


def _said(error: Exception) -> str:
    return f"it could not be evaluated, so it is denied ({type(error).__name__}: {error})"


def _short(value: Decimal | float) -> str:
    return f"{value:.6g}"


def _plain(value: Decimal | float) -> str | float | None:
    """Return a decimal as a text, so that no digit is lost, and what could not be measured as nothing."""
    if math.isnan(value):
        return None
    return str(value) if isinstance(value, Decimal) else value
