"""Scenarios: what might happen, each kind a shape of its own, made from JSON by its `kind`, or by what it says."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np

from algotrendy.errors import InputError

__all__ = [
    "SCENARIOS",
    "AssetShock",
    "CorrelationToOne",
    "FactorShock",
    "HistoricalWindow",
    "LiquidityDays",
    "StressScenario",
    "UniformReturn",
    "VolatilityMultiplier",
    "scenario_from",
]


@dataclass(frozen=True, kw_only=True)
class UniformReturn:
    """Every instrument returns the same: `returns` of -0.2 is a fall by a fifth.

    Examples
    --------
    >>> UniformReturn(name="market_crash", returns=-0.2).kind
    'uniform_return'
    """

    kind: ClassVar[str] = "uniform_return"
    name: str
    returns: float

    def __post_init__(self) -> None:
        _check_return(self.name, "returns", self.returns)


@dataclass(frozen=True, kw_only=True)
class AssetShock:
    """Each instrument returns what `shocks` says; those that it leaves out return `others`."""

    kind: ClassVar[str] = "asset_shock"
    name: str
    shocks: Mapping[str, float]
    others: float = 0.0

    def __post_init__(self) -> None:
        for symbol, value in {**self.shocks, "others": self.others}.items():
            _check_return(self.name, symbol, value)


@dataclass(frozen=True, kw_only=True)
class FactorShock:
    """Factors return what `shocks` says; an instrument follows by its betas: the sum of beta times return."""

    kind: ClassVar[str] = "factor_shock"
    name: str
    shocks: Mapping[str, float]

    def __post_init__(self) -> None:
        if not self.shocks:
            raise InputError(f"scenario {self.name!r} shocks no factor; give shocks={{'market': -0.1}}")
        for factor, value in self.shocks.items():
            _check_finite(self.name, factor, value)


@dataclass(frozen=True, kw_only=True)
class VolatilityMultiplier:
    """The volatility of every instrument is `volatility_multiplier` times what it is; correlations stay."""

    kind: ClassVar[str] = "volatility_multiplier"
    name: str
    volatility_multiplier: float

    def __post_init__(self) -> None:
        _check_finite(self.name, "volatility_multiplier", self.volatility_multiplier)
        if self.volatility_multiplier < 0:
            raise InputError(f"volatility_multiplier of {self.name!r} is negative; 2.0 doubles the volatility")


@dataclass(frozen=True, kw_only=True)
class CorrelationToOne:
    """Correlations go `strength` of the way to one (1.0: all the way).

    `hedges_fail` turns the sign for shorts, so that what was a hedge loses, too: with a strength of 1 the volatility of
    the book is then the sum of those of its positions.
    """

    kind: ClassVar[str] = "correlation_to_one"
    name: str
    strength: float = 1.0
    hedges_fail: bool = False

    def __post_init__(self) -> None:
        _check_finite(self.name, "strength", self.strength)
        if not 0 <= self.strength <= 1:
            raise InputError(f"strength of {self.name!r} is {self.strength}; expected a share of the way, 0 to 1")


@dataclass(frozen=True, kw_only=True)
class HistoricalWindow:
    """The closes of `end` against those of `start`, today's positions held throughout.

    An instrument without a history of its own takes the returns of another column times a beta:
    `proxies={"NEW": ("SPX", 1.3)}`.
    """

    kind: ClassVar[str] = "historical_window"
    name: str
    start: datetime.date
    end: datetime.date
    proxies: Mapping[str, tuple[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place in ("start", "end"):
            object.__setattr__(self, place, _date(self.name, place, getattr(self, place)))
        if not self.start < self.end:
            raise InputError(f"scenario {self.name!r} begins on {self.start} and ends on {self.end}; it has to last")
        object.__setattr__(self, "proxies", {symbol: (of, float(beta)) for symbol, (of, beta) in self.proxies.items()})


@dataclass(frozen=True, kw_only=True)
class LiquidityDays:
    """Everything has to be sold, no more a day than `participation` of the usual volume times `volume_multiplier`.

    What is left at a day's beginning bears the risk of that day; the days are independent.
    """

    kind: ClassVar[str] = "liquidity_days"
    name: str
    participation: float = 0.1
    volume_multiplier: float = 1.0

    def __post_init__(self) -> None:
        for place in ("participation", "volume_multiplier"):
            value = getattr(self, place)
            _check_finite(self.name, place, value)
            if value <= 0:
                raise InputError(f"{place} of {self.name!r} is {value}; expected more than 0")
        if self.participation > 1:
            raise InputError(
                f"participation of {self.name!r} is {self.participation}; nobody sells more than is traded"
            )


StressScenario: TypeAlias = (
    UniformReturn
    | AssetShock
    | FactorShock
    | VolatilityMultiplier
    | CorrelationToOne
    | HistoricalWindow
    | LiquidityDays
)

SCENARIOS: Mapping[str, Callable[..., StressScenario]] = {
    "uniform_return": UniformReturn,
    "asset_shock": AssetShock,
    "factor_shock": FactorShock,
    "volatility_multiplier": VolatilityMultiplier,
    "correlation_to_one": CorrelationToOne,
    "historical_window": HistoricalWindow,
    "liquidity_days": LiquidityDays,
}
"""Each kind of scenario by its tag."""

_SAYS = {"returns": "uniform_return", "volatility_multiplier": "volatility_multiplier"}
"""What a scenario without a tag says, and the kind that it is then: the two of the specification."""


def scenario_from(data: StressScenario | Mapping[str, Any]) -> StressScenario:
    """Return the scenario that a mapping describes.

    Parameters
    ----------
    data : mapping
        `kind` and the fields of that kind. Without a kind, `returns` or `volatility_multiplier` says which it is.

    Raises
    ------
    InputError
        If it is none, or a field is missing, unknown or out of its range.

    Examples
    --------
    >>> scenario_from({"name": "market_crash", "returns": -0.2})
    UniformReturn(name='market_crash', returns=-0.2)
    >>> scenario_from({"name": "volatility_spike", "volatility_multiplier": 2.0}).kind
    'volatility_multiplier'
    """
    if not isinstance(data, Mapping):
        if type(data) in SCENARIOS.values():
            return data
        raise InputError(f"{data!r} is no scenario; expected one of {', '.join(SCENARIOS)}, or what JSON says of it")
    given = dict(data)
    kind = given.pop("kind", None) or next((kind for key, kind in _SAYS.items() if key in given), None)
    if kind is None or kind not in SCENARIOS:
        raise InputError(f"a scenario has the kind {kind!r}; expected one of {', '.join(SCENARIOS)}")
    shape: Any = SCENARIOS[kind]
    known = {one.name for one in fields(shape)}
    if set(given) - known or "name" not in given:
        wanted = ", ".join(one.name for one in fields(shape))
        raise InputError(f"a scenario of the kind {kind} has the fields {wanted}; found {', '.join(sorted(given))}")
    try:
        made: StressScenario = shape(**given)
    except TypeError as e:
        raise InputError(f"scenario {given['name']!r} of the kind {kind} is not whole: {e}") from e
    return made


def _check_finite(name: str, field_name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise InputError(f"{field_name} of scenario {name!r} is {value!r}; expected a finite number")


def _check_return(name: str, field_name: str, value: Any) -> None:
    _check_finite(name, field_name, value)
    if value < -1:
        raise InputError(f"{field_name} of scenario {name!r} is {value}; a price cannot lose more than -1, all of it")


def _date(name: str, field_name: str, value: Any) -> datetime.date:
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError:
        raise InputError(
            f"{field_name} of scenario {name!r} is {value!r}; expected a date such as 2008-09-12"
        ) from None
