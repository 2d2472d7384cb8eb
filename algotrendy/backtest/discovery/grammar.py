"""What the systematic search makes strategies of: rules, filters and guards, each with the values of its parameters.

A rule says when to be in and when to be out, a filter when not to get in, a guard where a losing position is closed.
Each is written for long positions and mirrored for short ones. The texts are the language of conditions, so nothing
that comes of them can look ahead.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from algotrendy.errors import InputError
from algotrendy.strategy import Strategy

__all__ = ["FILTERS", "GUARDS", "RULES", "Filter", "Guard", "Rule", "combinations", "composed"]

Axes = Mapping[str, tuple[float, ...]]
_NONE: Axes = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When to be in and when to be out.

    Attributes
    ----------
    name : str
        In a few words.
    entry, exit : str
        Conditions of a long position; an exit may be empty.
    short_entry, short_exit : str
        Their mirror image.
    axes : mapping of str to tuple of numbers
        The values that each parameter of the texts takes.
    where : str
        Which values go together: `"fast < slow"`, two names and a comparison; empty: all.
    uses_volume : bool
        Whether it needs bars with a volume.
    """

    name: str
    entry: str
    exit: str = ""
    short_entry: str = ""
    short_exit: str = ""
    axes: Axes = field(default_factory=lambda: _NONE, hash=False)
    where: str = ""
    uses_volume: bool = False

    def __post_init__(self) -> None:
        if self.where:
            words = self.where.split()
            if len(words) != 3 or words[1] != "<" or words[0] not in self.axes or words[2] not in self.axes:
                raise InputError(f"where is {self.where!r}; expected two names of axes, such as 'fast < slow'")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """When a position may be opened.

    Attributes
    ----------
    name : str
        In a few words; empty: no filter.
    long, short : str
        Conditions; empty: always.
    axes : mapping of str to tuple of numbers
        The values that each parameter of the texts takes.
    """

    name: str = ""
    long: str = ""
    short: str = ""
    axes: Axes = field(default_factory=lambda: _NONE, hash=False)


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Where a position is closed that goes wrong.

    Attributes
    ----------
    name : str
        In a few words; empty: no guard.
    levels : mapping of str to text or number
        `stop`, `target`, `trail`, as in `Strategy`.
    axes : mapping of str to tuple of numbers
        The values that each parameter of the texts takes.
    """

    name: str = ""
    levels: Mapping[str, Any] = field(default_factory=dict, hash=False)
    axes: Axes = field(default_factory=lambda: _NONE, hash=False)


def _cross(average: str) -> Rule:
    fast, slow = f"{average}(close, fast)", f"{average}(close, slow)"
    return Rule(
        name=f"{average} cross",
        entry=f"{fast} > {slow}",
        exit=f"{fast} <= {slow}",
        short_entry=f"{fast} < {slow}",
        short_exit=f"{fast} >= {slow}",
        axes={"fast": (5, 10, 20, 50), "slow": (20, 50, 100, 200)},
        where="fast < slow",
    )


def _above(average: str) -> Rule:
    line = f"{average}(close, window)"
    return Rule(
        name=f"close against {average}",
        entry=f"close > {line}",
        exit=f"close < {line}",
        short_entry=f"close < {line}",
        short_exit=f"close > {line}",
        axes={"window": (10, 20, 50, 100, 200)},
    )


def _extremes(oscillator: str, name: str, low: tuple[float, ...], middle: float, windows: tuple[float, ...]) -> Rule:
    """Return the rule that buys low and sells at the middle; levels are symmetric about it."""
    return Rule(
        name=f"{name} reversion",
        entry=f"{oscillator} < {middle} - reach",
        exit=f"{oscillator} > {middle}",
        short_entry=f"{oscillator} > {middle} + reach",
        short_exit=f"{oscillator} < {middle}",
        axes={"window": windows, "reach": low},
    )


def _bands(upper: str, middle: str, lower: str, name: str, widths: tuple[float, ...]) -> tuple[Rule, Rule]:
    axes: Axes = {"window": (10, 20, 50), "width": widths}
    breakout = Rule(
        name=f"{name} breakout",
        entry=f"close > {upper}",
        exit=f"close < {middle}",
        short_entry=f"close < {lower}",
        short_exit=f"close > {middle}",
        axes=axes,
    )
    reversion = Rule(
        name=f"{name} reversion",
        entry=f"close < {lower}",
        exit=f"close >= {middle}",
        short_entry=f"close > {upper}",
        short_exit=f"close <= {middle}",
        axes=axes,
    )
    return breakout, reversion


RULES: tuple[Rule, ...] = (
    *map(_cross, ("sma", "ema", "wma")),
    *map(_above, ("sma", "ema")),
    Rule(
        name="momentum",
        entry="roc(close, window) > 0",
        exit="roc(close, window) <= 0",
        short_entry="roc(close, window) < 0",
        short_exit="roc(close, window) >= 0",
        axes={"window": (5, 20, 60, 120, 250)},
    ),
    Rule(
        name="channel breakout",
        entry="close > prev(highest(high, window), 1)",
        exit="close < prev(lowest(low, leave), 1)",
        short_entry="close < prev(lowest(low, window), 1)",
        short_exit="close > prev(highest(high, leave), 1)",
        axes={"leave": (5, 10, 20), "window": (10, 20, 55, 100)},
        where="leave < window",
    ),
    Rule(
        name="MACD",
        entry="macd(close, fast, slow, 9) > macd_signal(close, fast, slow, 9)",
        exit="macd(close, fast, slow, 9) <= macd_signal(close, fast, slow, 9)",
        short_entry="macd(close, fast, slow, 9) < macd_signal(close, fast, slow, 9)",
        short_exit="macd(close, fast, slow, 9) >= macd_signal(close, fast, slow, 9)",
        axes={"fast": (6, 12, 24), "slow": (13, 26, 52)},
        where="fast < slow",
    ),
    Rule(
        name="supertrend",
        entry="supertrend_direction(window, multiplier) > 0",
        exit="supertrend_direction(window, multiplier) < 0",
        short_entry="supertrend_direction(window, multiplier) < 0",
        short_exit="supertrend_direction(window, multiplier) > 0",
        axes={"window": (7, 10, 20), "multiplier": (1.5, 2.0, 3.0)},
    ),
    Rule(
        name="directional movement",
        entry="plus_di(window) > minus_di(window)",
        exit="plus_di(window) <= minus_di(window)",
        short_entry="plus_di(window) < minus_di(window)",
        short_exit="plus_di(window) >= minus_di(window)",
        axes={"window": (7, 14, 28)},
    ),
    _extremes("rsi(close, window)", "RSI", (10, 20, 30), 50, (2, 5, 14)),
    _extremes("stochastic_k(window)", "stochastic", (20, 30, 40), 50, (5, 14)),
    _extremes("cci(window)", "CCI", (100, 150), 0, (10, 20)),
    *_bands(
        "bollinger_upper(close, window, width)", "bollinger_middle(close, window, width)",
        "bollinger_lower(close, window, width)", "Bollinger", (1.5, 2.0, 2.5),
    ),
    *_bands(
        "keltner_upper(window, width)", "keltner_middle(window)", "keltner_lower(window, width)", "Keltner", (1.5, 2.0),
    ),
    Rule(
        name="money flow reversion",
        entry="mfi(window) < 50 - reach",
        exit="mfi(window) > 50",
        short_entry="mfi(window) > 50 + reach",
        short_exit="mfi(window) < 50",
        axes={"window": (7, 14), "reach": (20, 30)},
        uses_volume=True,
    ),
)  # fmt: skip
"""The rules of the systematic search: crosses, trends, breakouts and reversions, each with several indicators."""

FILTERS: tuple[Filter, ...] = (
    Filter(),
    Filter(
        name="with the trend",
        long="close > sma(close, trend)",
        short="close < sma(close, trend)",
        axes={"trend": (100, 200)},
    ),
    Filter(
        name="in calm markets",
        long="stdev(roc(close, 1), 20) < stdev(roc(close, 1), 100)",
        short="stdev(roc(close, 1), 20) < stdev(roc(close, 1), 100)",
    ),
    Filter(
        name="in wild markets",
        long="stdev(roc(close, 1), 20) > stdev(roc(close, 1), 100)",
        short="stdev(roc(close, 1), 20) > stdev(roc(close, 1), 100)",
    ),
    Filter(name="in strong trends", long="adx(14) > strength", short="adx(14) > strength", axes={"strength": (20, 30)}),
)
"""The filters of the systematic search; the first is none."""

GUARDS: tuple[Guard, ...] = (
    Guard(),
    Guard(name="stop", levels={"stop": "stop_ranges * atr(14) / close"}, axes={"stop_ranges": (2.0, 4.0)}),
    Guard(name="trailing stop", levels={"trail": "trail_ranges * atr(14) / close"}, axes={"trail_ranges": (3.0, 5.0)}),
)
"""The guards of the systematic search; the first is none."""


@lru_cache(maxsize=4096)
def composed(rule: Rule, side: str, filter_: Filter, guard: Guard) -> Strategy | None:
    """Return a rule on one side or both, behind a filter and with a guard, with the first values of its parameters.

    Parameters
    ----------
    rule, filter_, guard
        What it is made of.
    side : {"long", "short", "both"}
        Which positions it opens.

    Returns
    -------
    Strategy or None
        None if the rule has no such side.

    Raises
    ------
    InputError
        If two of them use one name for two parameters.
    ExpressionError
        If a text is not a condition.

    Examples
    --------
    >>> composed(RULES[0], "long", FILTERS[1], GUARDS[0]).entry
    '(sma(close, fast) > sma(close, slow)) and (close > sma(close, trend))'
    """
    fields: dict[str, Any] = dict(guard.levels)
    if side != "short":
        fields |= {"entry": _both(rule.entry, filter_.long), "exit": rule.exit or None}
    if side != "long":
        if not rule.short_entry:
            return None
        fields |= {"short_entry": _both(rule.short_entry, filter_.short), "short_exit": rule.short_exit or None}
    names = [name for part in (rule, filter_, guard) for name in part.axes]
    if len(set(names)) < len(names):
        raise InputError(f"{rule.name!r}, {filter_.name!r} and {guard.name!r} share the name of a parameter: {names}")
    first = next(combinations(rule, filter_, guard))
    words = [rule.name, filter_.name, guard.name, "" if side == "long" else f"{side} sides" if side == "both" else side]
    return Strategy(name=", ".join(word for word in words if word), params=first, **fields)


def combinations(rule: Rule, filter_: Filter, guard: Guard) -> Iterator[dict[str, float]]:
    """Yield the values of all parameters, the last name varying fastest.

    Examples
    --------
    >>> list(combinations(RULES[9], FILTERS[0], GUARDS[0]))
    [{'window': 7}, {'window': 14}, {'window': 28}]
    """
    axes = {**rule.axes, **filter_.axes, **guard.axes}
    low, _, high = rule.where.split() if rule.where else ("", "", "")
    for values in itertools.product(*axes.values()):
        found = dict(zip(axes, values, strict=True))
        if not low or found[low] < found[high]:
            yield found


def _both(condition: str, other: str) -> str:
    return f"({condition}) and ({other})" if other else condition
