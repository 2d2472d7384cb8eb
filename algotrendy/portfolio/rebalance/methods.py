"""Methods of rebalancing: from the weights that are held to those that are wanted.

Each says which instruments are traded, to which weight, and why; the others are left alone. What can be afforded and
what is a whole lot is decided afterwards.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol

from algotrendy.domain.money import as_decimal, quotient
from algotrendy.errors import InputError

__all__ = [
    "Band",
    "Calendar",
    "CashFlow",
    "Drift",
    "FullRebalance",
    "RebalanceMethod",
    "Threshold",
    "Wanted",
    "method_of",
]


def _week(day: datetime.date) -> tuple[int, int]:
    return day.isocalendar()[:2]


_PERIODS: dict[str, Callable[[datetime.date], tuple[int, int]]] = {
    "1wk": _week,
    "1mo": lambda day: (day.year, day.month),
    "3mo": lambda day: (day.year, (day.month - 1) // 3),
    "1y": lambda day: (day.year, 0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What a method looks at.

    Attributes
    ----------
    weights, targets : mapping of str to Decimal
        What is held and what should be, as fractions, for the same instruments. What has no target has 0.
    on : date
        The day.
    cost_rates : mapping of str to Decimal
        Cost of trading each instrument, as a fraction of the value traded.
    """

    weights: Mapping[str, Decimal]
    targets: Mapping[str, Decimal]
    on: datetime.date
    cost_rates: Mapping[str, Decimal]

    @property
    def cash(self) -> Decimal:
        """Cash as a fraction."""
        return 1 - sum(self.weights.values(), Decimal(0))

    @property
    def cash_target(self) -> Decimal:
        """What the targets leave for cash; below 0 is borrowed."""
        return 1 - sum(self.targets.values(), Decimal(0))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a method wants.

    Attributes
    ----------
    weights : mapping of str to Decimal
        Of the instruments to be traded, as fractions of the portfolio.
    reasons : mapping of str to str
        Why, for each of them.
    left_alone : mapping of str to str
        Why not, for the others.
    """

    weights: Mapping[str, Decimal]
    reasons: Mapping[str, str]
    left_alone: Mapping[str, str]


class RebalanceMethod(Protocol):
    """A way to decide what is traded."""

    @property
    def name(self) -> str:
        """What a plan calls it."""
        ...

    def wanted(self, drift: Drift) -> Wanted:
        """Return which instruments are traded to which weights."""
        ...


@dataclass(frozen=True, slots=True)
class FullRebalance:
    """Everything to its target; what has no target is sold.

    Examples
    --------
    >>> drift = Drift(weights={"A": Decimal("0.7"), "B": Decimal("0.1")}, on=datetime.date(2024, 1, 2), cost_rates={},
    ...               targets={"A": Decimal("0.6"), "B": Decimal("0.1")})
    >>> FullRebalance().wanted(drift).weights
    {'A': Decimal('0.6')}
    """

    @property
    def name(self) -> str:
        """What a plan calls it."""
        return "full_rebalance"

    def wanted(self, drift: Drift) -> Wanted:
        """Return every target that is not held already."""
        moved = [name for name in drift.targets if drift.weights[name] != drift.targets[name]]
        return Wanted(
            {name: drift.targets[name] for name in moved},
            {name: to_target(drift, name) for name in moved},
            {name: "it has its target" for name in drift.targets if name not in moved},
        )


@dataclass(frozen=True, slots=True)
class Threshold:
    """Everything to its target as soon as one weight is further away than a limit; else nothing.

    Attributes
    ----------
    limit : Decimal
        Largest distance that is accepted: 0.05 is 5 % of the portfolio, or of the target where `relative`.
    relative : bool
        Whether the limit is a fraction of each target.
    """

    limit: Decimal = Decimal("0.05")
    relative: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "limit", as_decimal(self.limit, "the limit of a threshold", "not negative"))

    @property
    def name(self) -> str:
        """What a plan calls it."""
        return "threshold"

    def wanted(self, drift: Drift) -> Wanted:
        """Return all targets, or nothing."""
        if any(_is_outside(drift, name, self.limit, self.relative) for name in drift.targets):
            return FullRebalance().wanted(drift)
        why = f"no weight is more than {self.limit} from its target"
        return Wanted({}, {}, dict.fromkeys(drift.targets, why))


@dataclass(frozen=True, slots=True)
class Band:
    """Only what lies outside its band is traded: to the target, or to the nearest edge of the band.

    Attributes
    ----------
    width : Decimal
        Half the band: 0.05 accepts 5 % of the portfolio on either side, or of the target where `relative`.
    to : {"target", "edge"}
        Where to trade to. To the edge trades least.
    relative : bool
        Whether the width is a fraction of each target.
    """

    width: Decimal = Decimal("0.05")
    to: Literal["target", "edge"] = "target"
    relative: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", as_decimal(self.width, "the width of a band", "not negative"))
        if self.to not in ("target", "edge"):
            raise InputError(f'a band is traded to "target" or "edge", not to {self.to!r}')

    @property
    def name(self) -> str:
        """What a plan calls it."""
        return f"band_to_{self.to}"

    def wanted(self, drift: Drift) -> Wanted:
        """Return where those outside their band go."""
        moved = [name for name in drift.targets if _is_outside(drift, name, self.width, self.relative)]
        return Wanted(
            {name: self._goal(drift, name) for name in moved},
            {name: f"{to_target(drift, name)}, outside its band" for name in moved},
            {name: "it is inside its band" for name in drift.targets if name not in moved},
        )

    def _goal(self, drift: Drift, name: str) -> Decimal:
        target, reach = drift.targets[name], _reach(drift, name, self.width, self.relative)
        if self.to == "target" or target == 0:
            return target
        return target + reach if drift.weights[name] > target else target - reach


@dataclass(frozen=True, slots=True)
class CashFlow:
    """Only new money is used: cash above its target buys what is furthest below; missing cash is raised from the top.

    The gaps are filled like water: the largest first, until those that were filled are equal. Nothing is sold to buy
    something else.
    """

    @property
    def name(self) -> str:
        """What a plan calls it."""
        return "cash_flow"

    def wanted(self, drift: Drift) -> Wanted:
        """Return purchases from what cash is too much, or sales for what is too little."""
        money = drift.cash - drift.cash_target
        sign = 1 if money > 0 else -1
        gaps = {name: sign * (drift.targets[name] - drift.weights[name]) for name in drift.targets}
        filled = _poured({name: gap for name, gap in gaps.items() if gap > 0}, abs(money))
        verb = "new money fills the largest gaps" if sign > 0 else "cash is raised where most is too much"
        why = "no money is left for it" if sign > 0 else "enough cash is raised elsewhere"
        return Wanted(
            {name: drift.weights[name] + sign * amount for name, amount in filled.items()},
            dict.fromkeys(filled, verb),
            {name: why for name in drift.targets if name not in filled},
        )


@dataclass(frozen=True, slots=True)
class Calendar:
    """Once in each week, month, quarter or year, by another method; else nothing.

    Attributes
    ----------
    every : {"1wk", "1mo", "3mo", "1y"}
        ISO weeks, months, quarters or years of the calendar.
    last : date or None
        When it was done last; it is due as soon as the day lies in a later period. None: it is due.
    then : RebalanceMethod
        What is done when it is due.
    """

    every: str = "1mo"
    last: datetime.date | None = None
    then: RebalanceMethod = field(default_factory=FullRebalance)

    def __post_init__(self) -> None:
        if self.every not in _PERIODS:
            raise InputError(f"every is {self.every!r}; expected one of {', '.join(_PERIODS)}")

    @property
    def name(self) -> str:
        """What a plan calls it."""
        return "calendar"

    def wanted(self, drift: Drift) -> Wanted:
        """Return what the other method wants, or nothing."""
        period = _PERIODS[self.every]
        if self.last is None or period(drift.on) > period(self.last):
            return self.then.wanted(drift)
        return Wanted({}, {}, dict.fromkeys(drift.targets, f"done on {self.last}, not due again within {self.every}"))


METHODS: dict[str, RebalanceMethod] = {
    "full_rebalance": FullRebalance(),
    "threshold": Threshold(),
    "band_to_target": Band(),
    "band_to_edge": Band(to="edge"),
    "cash_flow": CashFlow(),
    "calendar": Calendar(),
}
"""Methods by name, with their usual settings; "full" and "band" are other names of the first and third."""


def method_of(method: str | RebalanceMethod) -> RebalanceMethod:
    """Return a method by its name, or the method itself.

    Raises
    ------
    InputError
        If there is no such method.

    Examples
    --------
    >>> method_of("band_to_edge")
    Band(width=Decimal('0.05'), to='edge', relative=False)
    """
    if not isinstance(method, str):
        return method
    name = {"full": "full_rebalance", "band": "band_to_target"}.get(method, method)
    if name not in METHODS:
        raise InputError(
            f"{method!r} is no method of rebalancing; expected one of "
            f"{', '.join(METHODS)}, or a method such as Band(...)"
        )
    return METHODS[name]


def to_target(drift: Drift, name: str) -> str:
    if drift.targets[name] == 0:
        return "it has no target"
    return f"it has {drift.weights[name]:.4f} and should have {drift.targets[name]:.4f}"


def _reach(drift: Drift, name: str, width: Decimal, relative: bool) -> Decimal:
    return width * abs(drift.targets[name]) if relative else width


def _is_outside(drift: Drift, name: str, width: Decimal, relative: bool) -> bool:
    distance = abs(drift.weights[name] - drift.targets[name])
    return distance > _reach(drift, name, width, relative)


def _poured(gaps: Mapping[str, Decimal], money: Decimal) -> dict[str, Decimal]:
    """Return how much goes to each gap, so that what is left of those that get something is equal."""
    order = sorted(gaps, key=lambda name: -gaps[name])
    level, filled = Decimal(0), order
    if money < sum(gaps.values(), Decimal(0)):
        total = Decimal(0)
        for count, name in enumerate(order, start=1):
            total += gaps[name]
            below = gaps[order[count]] if count < len(order) else Decimal(0)
            level, filled = quotient(total - money, Decimal(count)), order[:count]
            if level >= below:
                break
    return {name: gaps[name] - level for name in filled if gaps[name] > level}
