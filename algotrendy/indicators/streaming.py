"""Indicators fed bar by bar, with exactly the numbers of the batch functions, bit for bit.

For live trading and for event-driven code. Each update takes the time of some Python operations, a few microseconds,
whatever the length of the history; only `cci` looks at its whole window each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from algotrendy.errors import InputError
from algotrendy.indicators.registry import BAR_COLUMNS, IndicatorSpec, lookup

COLUMNS = (*BAR_COLUMNS, "session")


class Stream:
    """One indicator that is fed bar by bar; made by `stream`.

    A value that is not finite is missing: the result is NaN, and the indicator starts afresh. (One that the batch
    functions carry through gaps, such as `momentum`, is carried through here.)
    """

    def __init__(self, spec: IndicatorSpec, parameters: Mapping[str, float]) -> None:
        if spec.stream is None:
            raise InputError(f"{spec.name!r} is a function of arrays; only built-in indicators have a streaming form")
        self._spec = spec
        self._parameters = spec.bind(parameters)
        self._make: Callable[..., Any] = spec.stream
        self._state: Any = self._make(**self._parameters)
        self._is_fresh = True

    def update(self, bar: Any) -> float:
        """Take the next bar, or the next number, and return the indicator's value at it.

        Parameters
        ----------
        bar : float, mapping or object
            A number for an indicator of any series, such as `sma`. Otherwise a mapping or an object with the columns
            that the indicator takes: a dict, a row of a frame, a named tuple. `session_vwap` also wants `session`, a
            number that is new with each session.

        Returns
        -------
        float
            NaN in the warm-up.

        Raises
        ------
        InputError
            If the bar lacks a column, or is not a number where one is needed.
        """
        return self.update_all(bar)[self._spec.output or 0]

    def update_all(self, bar: Any) -> tuple[float, ...]:
        """Take the next bar and return all outputs computed together, in the order of `IndicatorSpec.outputs`."""
        values = [_number(bar, column, self._spec.name) for column in self._spec.inputs]
        if not getattr(self._make, "through_gaps", False) and not all(map(math.isfinite, values)):
            if not self._is_fresh:
                self._state, self._is_fresh = self._make(**self._parameters), True
            return (math.nan,) * max(len(self._spec.outputs), 1)
        self._is_fresh = False
        result = self._state.step(*values)
        return result if isinstance(result, tuple) else (result,)


def stream(name: str, **parameters: float) -> Stream:
    """Return the streaming form of a built-in indicator.

    Parameters
    ----------
    name : str
        As in an expression, e.g. "sma", "macd_signal", "atr".
    **parameters : float
        By their names, e.g. window=20; those with a default may be left out.

    Returns
    -------
    Stream
        Fresh, before its first bar.

    Raises
    ------
    InputError
        If there is no such indicator, it is a user's function, or a parameter is wrong.

    Examples
    --------
    >>> average = stream("sma", window=2)
    >>> [average.update(price) for price in (1.0, 3.0, 5.0)]
    [nan, 2.0, 4.0]
    >>> ranges = stream("true_range")
    >>> [ranges.update({"high": 3.0, "low": 1.0, "close": close}) for close in (2.0, 2.5)]
    [nan, 2.0]
    """
    return Stream(lookup(name), parameters)


def _number(bar: Any, column: str, name: str) -> float:
    """Return one column of the bar, or the bar itself for a column that bars do not have."""
    if column not in COLUMNS:
        value = bar
    elif isinstance(bar, Mapping):
        value = bar.get(column)
    else:
        value = getattr(bar, column, None)  # a named tuple, a dataclass, a row of a frame
    if not isinstance(value, Real):
        found = type(bar).__name__ if column in COLUMNS else repr(value)
        wanted = f"a bar with `{column}`" if column in COLUMNS else "a number"
        raise InputError(f"{name}: expected {wanted}, found {found}")
    return float(value)
