"""What an expression may ask about the bars besides their columns: when they are, how long, on which calendar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from algotrendy.domain.bars import BarArrays
from algotrendy.domain.types import AnyArray, Float1D
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.domain.calendar import Calendar
    from algotrendy.domain.interval import Interval
    from algotrendy.expressions.nodes import Other, Section
    from algotrendy.expressions.ties import Measured


class Peers(Protocol):
    """All instruments, as one of them sees them: what cross-sections and `symbol` ask."""

    def section(self, node: Section, values: Mapping[str, Any]) -> Measured[Any]:
        """Return a cross-section at the bars of the instrument."""

    def other(self, node: Other, values: Mapping[str, Any]) -> Measured[Any]:
        """Return a number (a condition as 1, 0 and NaN) of another instrument at the bars of this one."""


@dataclass(frozen=True, eq=False)
class Context:
    """The surroundings of bars.

    Attributes
    ----------
    index : DatetimeIndex or None
        Start of each bar; `tf` and session-anchored indicators need it.
    interval : Interval or None
        Length of the bars; None: read off the index.
    calendar : Calendar or None
        None: read off the index.
    constants : mapping of str to float
        Scalars of the catalogue, such as `periods_per_year`.
    columns : mapping of str to array of shape (n_bars,)
        Further columns of the bars; looked up when an expression names one.
    peers : Peers, optional
        The other instruments; None: there are none, so nothing can be compared with them.
    """

    index: pd.DatetimeIndex | None = None
    interval: Interval | None = None
    calendar: Calendar | None = None
    constants: Mapping[str, float] = field(default_factory=dict)
    columns: Mapping[str, AnyArray] = field(default_factory=dict)
    peers: Peers | None = None

    def column(self, name: str, n_bars: int) -> Float1D:
        """Return a further column of the bars as float64, shape (n_bars,); NaN, and infinity, is unknown.

        Raises
        ------
        InputError
            If the bars have no such column, or it does not hold one number per bar.
        """
        series = self.labels(name, n_bars)
        if series.dtype.kind not in "iufb":
            raise InputError(
                f"the column {name!r} of the bars holds {series.dtype} values, which are no numbers; it can stand at"
                f" by={name}, or convert it with pd.to_numeric"
            )
        found: Float1D = np.ascontiguousarray(series, dtype=np.float64)
        return found if np.isfinite(found).all() else np.where(np.isfinite(found), found, np.nan)

    def labels(self, name: str, n_bars: int) -> AnyArray:
        """Return a further column of the bars as it is: the values of `by=`.

        Raises
        ------
        InputError
            If the bars have no such column.
        """
        if name not in self.columns:
            raise InputError(f"the bars have no {name!r}; there are: {', '.join((*BarArrays._fields, *self.columns))}")
        series = np.asarray(self.columns[name])
        if series.shape != (n_bars,):
            raise InputError(f"the column {name!r} has the shape {series.shape}; one value per bar: ({n_bars},)")
        return series

    def times(self, purpose: str) -> pd.DatetimeIndex:
        """Return the index.

        Raises
        ------
        InputError
            If there is none.
        """
        if self.index is None:
            raise InputError(f"{purpose} needs the times of the bars; hand them in: Context(index=bars.index)")
        return self.index

    def sessions(self) -> Float1D:
        """Return a label of the trading session of each bar: equal within a session, shape (n_bars,)."""
        from algotrendy.domain.calendar import infer_calendar

        index = self.times("an indicator of trading sessions")
        calendar = self.calendar or infer_calendar(index)
        return calendar.session_of(index).astype("datetime64[D]").astype(np.int64).astype(np.float64)


NO_CONTEXT = Context()
"""For expressions that ask nothing."""
