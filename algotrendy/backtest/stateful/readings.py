"""Indicators of one instrument in streaming form, fed with each of its bars."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.indicators import IndicatorSpec, lookup, stream
from algotrendy.indicators.registry import BAR_COLUMNS

__all__ = ["Reading", "taken"]


class Reading:
    """One indicator and its values so far; `algotrendy.strategy.bar_context.Reading` says what may be asked of it."""

    __slots__ = ("_of", "_place", "_spec", "_update", "_values", "name", "takes_bars")

    def __init__(self, name: str, parameters: Mapping[str, float], of: str | Reading, columns: Sequence[str]) -> None:
        self._update: Callable[[Any], float] = stream(name, **parameters).update
        self._spec: IndicatorSpec = lookup(name)
        self.takes_bars = any(column in BAR_COLUMNS for column in self._spec.inputs)
        """Whether it takes columns of the bar, not one series."""
        self._of, self.name = of, name
        self._place = columns.index(of) if isinstance(of, str) else -1
        self._values = array("d")

    @property
    def value(self) -> float:
        """At the last bar; NaN in the warm-up."""
        return self._values[-1] if self._values else math.nan

    @property
    def previous(self) -> float:
        """At the bar before; NaN where there was none."""
        return self._values[-2] if len(self._values) > 1 else math.nan

    def past(self, n: int | None = None) -> Float1D:
        """Return the last `n` values, all by default, oldest first."""
        return taken(self._values, n)

    def __float__(self) -> float:
        return self.value

    def feed(self, values: tuple[float, ...], bar: Mapping[str, float]) -> None:
        """Take the next bar: its columns in order, and, for what takes bars, by name with `session`."""
        given: Any = bar
        if not self.takes_bars:
            given = values[self._place] if self._place >= 0 else self._of.value  # type: ignore[union-attr]  # a reading
        self._values.append(self._update(given))

    def feed_past(self, bars: Mapping[str, Any]) -> None:
        """Take all bars that there were, columns by name."""
        n = len(bars["close"])
        if not self.takes_bars:
            series = self._of.past() if isinstance(self._of, Reading) else bars[self._of]
            self._values.extend(self._update(float(value)) for value in series)
            return
        columns = {name: bars[name] for name in self._spec.inputs}
        for i in range(n):
            self._values.append(self._update({name: float(values[i]) for name, values in columns.items()}))

    def __repr__(self) -> str:
        return f"<{self.name}: {self.value:g}>"


def bound(name: str, given: tuple[float, ...], named: Mapping[str, float]) -> dict[str, float]:
    """Return the parameters of an indicator by name.

    Raises
    ------
    InputError
        If there are too many, or one is given twice.

    Examples
    --------
    >>> bound("sma", (20,), {})
    {'window': 20}
    """
    names = [info.name for info in lookup(name).parameters]
    if len(given) > len(names):
        raise InputError(f"{name} takes {len(names)} parameters ({', '.join(names) or 'none'}), {len(given)} are given")
    values = dict(zip(names, given, strict=False))
    for key, value in named.items():
        if key in values:
            raise InputError(f"{name}: {key!r} is given twice, by its place and by its name")
        values[key] = value
    return values


def taken(values: array[float], n: int | None) -> Float1D:
    """Return the last `n` numbers as an array of their own.

    Raises
    ------
    InputError
        If `n` is not a whole number of at least 1.
    """
    if n is None:
        return np.array(values, dtype=np.float64)
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise InputError(f"n is {n!r}; expected a whole number of values, at least 1, or None for all")
    return np.array(values[-int(n) :], dtype=np.float64)
