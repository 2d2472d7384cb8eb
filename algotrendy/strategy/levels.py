"""Stop, target, trailing stop and size of a strategy: a number, a text, or a named rule.

Stop, target and trail are distances from the entry price, size is a share of the equity; all four are fractions, so
0.05 is 5 %. A text is an expression of the bars and the parameters, taken from the bar on which the entry is decided.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from algotrendy.errors import InputError
from algotrendy.strategy.parameter import LEVELS, is_number, nearest, plain_number

if TYPE_CHECKING:
    from algotrendy.expressions import Expression

FRACTION, FIXED_UNITS = 0, 1
PERCENT_FROM = 1.0


@dataclass(frozen=True)
class FixedUnits:
    """Trade the same number of units each time, if the money is there.

    Parameters
    ----------
    units : float or str
        Units (shares, coins, contracts) of one position, above zero; or an expression of parameters and bars.

    Examples
    --------
    >>> FixedUnits(100)
    FixedUnits(units=100)
    """

    units: float | str

    def __post_init__(self) -> None:
        _check_amount("FixedUnits(units)", self.units)

    @property
    def text(self) -> str:
        """The expression of the number of units."""
        return str(self.units)


@dataclass(frozen=True)
class VolatilityTarget:
    """Size a position so that it should swing by `annual` a year.

    The size is the fraction `annual / (std(returns over window, ddof=1) x sqrt(periods per year of the bars))`, taken
    at the bar on which the entry is decided, and at most `fraction_max` (and the `max_leverage` of the backtest).

    Parameters
    ----------
    annual : float or str
        Volatility wanted, as an annual fraction: 0.15 is 15 %. A text names a parameter.
    window : int or str
        Number of one-bar returns the volatility is measured on, at least 2. A text names a parameter.
    fraction_max : float or str, optional
        Largest fraction of the equity.

    Examples
    --------
    >>> VolatilityTarget(annual=0.15, window=20).text
    '0.15 / (stdev(close / prev(close, 1) - 1, 20) * sqrt(20 / (20 - 1) * periods_per_year))'
    """

    annual: float | str
    window: int | str = 20
    fraction_max: float | str | None = None

    def __post_init__(self) -> None:
        _check_amount("VolatilityTarget(annual)", self.annual)
        _check_amount("VolatilityTarget(window)", self.window)
        if is_number(self.window) and (float(self.window) < 2 or float(self.window) != int(self.window)):
            raise InputError(f"VolatilityTarget(window) is {self.window!r}; use a whole number of bars, at least 2")
        if is_number(self.annual) and float(self.annual) >= PERCENT_FROM:
            hint = _as_percent(float(self.annual))
            raise InputError(f"VolatilityTarget(annual) is {self.annual!r}, an annual volatility of {hint}")
        if self.fraction_max is not None:
            _check_amount("VolatilityTarget(fraction_max)", self.fraction_max)

    @property
    def text(self) -> str:
        """The expression of the fraction; `stdev` divides by the window, so the factor makes it ddof=1."""
        window = str(self.window)
        spread = f"stdev(close / prev(close, 1) - 1, {window})"
        size = f"{self.annual} / ({spread} * sqrt({window} / ({window} - 1) * periods_per_year))"
        return size if self.fraction_max is None else f"min({self.fraction_max}, {size})"


Level = float | str | None
Size = float | str | FixedUnits | VolatilityTarget | None


def _check_amount(name: str, value: Any) -> None:
    if isinstance(value, str):
        return
    if not is_number(value) or not (math.isfinite(value) and value > 0):
        raise InputError(f"{name} is {value!r}; use a number above zero, or a text that names a parameter")


def _as_percent(value: float) -> str:
    return f"{value * 100:g} %; levels are fractions: for {value:g} % write {value / 100:g}"


def check_level(name: str, value: Any) -> Any:
    """Return one of stop, target, trail, size as a float, a text, a rule or None.

    Raises
    ------
    InputError
        If the value is negative, not finite, or no number, text or rule.
    """
    if value is None:
        return None
    rules = (FixedUnits, VolatilityTarget)
    if isinstance(value, rules):
        if name == "size":
            return value
        raise InputError(f"{name} is {value!r}, which is a size; write size={value!r}")
    if isinstance(value, str):
        return value
    if not is_number(value):
        extra = ", FixedUnits(...) or VolatilityTarget(...)" if name == "size" else ""
        raise InputError(f"{name} is {value!r}; use a fraction such as 0.05, an expression{extra}, or None")
    if not math.isfinite(value):
        raise InputError(f"{name} is {value!r}; use a finite fraction such as 0.05, or None for none")
    if value < 0:
        raise InputError(f"{name} is {value:g}; it is a distance, so write it without a sign: {name}={-value:g}")
    if name == "size" and value == 0:
        raise InputError(
            "size is 0, so nothing would ever be traded; use a fraction above zero, such as 1.0 for all-in"
        )
    return plain_number(value)


def check_percent(levels: Mapping[str, Any], *, goes_long: bool) -> None:
    """Refuse a stop or trail that a long position can never reach, which is a percentage written as a fraction.

    Raises
    ------
    InputError
        If stop or trail is 1 or more and the strategy goes long.
    """
    for name in ("stop", "trail"):
        value = levels.get(name)
        if goes_long and is_number(value) and value >= PERCENT_FROM:
            raise InputError(f"{name}={value:g} is a distance of {_as_percent(value)}")


def level_text(value: Any) -> str | None:
    """Return the expression of a level, or None if it is a plain number or none at all."""
    if isinstance(value, FixedUnits):
        return value.text if isinstance(value.units, str) else None
    if isinstance(value, VolatilityTarget):
        return value.text
    return value if isinstance(value, str) else None


def level_number(value: Any) -> float:
    """Return the number of a level that has no text: NaN for none."""
    if isinstance(value, FixedUnits):
        return float(value.units)
    return math.nan if value is None else float(value)


def parse_levels(
    levels: Mapping[str, Any], parameters: Collection[str], columns: Collection[str] = ()
) -> dict[str, Expression]:
    """Parse those of the levels that are text; `columns` are further columns of the bars that they may use.

    Raises
    ------
    ExpressionError
        If a text is not an expression, or is a condition where a number is wanted.
    """
    from algotrendy.strategy.texts import parse_text

    texts = {name: level_text(levels.get(name)) for name in LEVELS}
    return {
        name: parse_text(name, text, "number", parameters, columns) for name, text in texts.items() if text is not None
    }


def level_to_json(value: Any) -> Any:
    """Return a level as a plain JSON value."""
    if isinstance(value, FixedUnits):
        return {"fixed_units": value.units}
    if isinstance(value, VolatilityTarget):
        return {
            "volatility_target": {"annual": value.annual, "window": value.window, "fraction_max": value.fraction_max}
        }
    return value


def level_from_json(value: Any) -> Any:
    """Return the level that `level_to_json` wrote.

    Raises
    ------
    InputError
        If an object is not one of the known rules.
    """
    if not isinstance(value, dict):
        return value
    if set(value) == {"fixed_units"}:
        return FixedUnits(value["fixed_units"])
    if set(value) == {"volatility_target"} and isinstance(value["volatility_target"], dict):
        fields = value["volatility_target"]
        unknown = set(fields) - {"annual", "window", "fraction_max"}
        if not unknown:
            return VolatilityTarget(**fields)
    name = next(iter(value), "")
    raise InputError(f"unknown sizing rule {name!r}{nearest(name, ('fixed_units', 'volatility_target'))}")
