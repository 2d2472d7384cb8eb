"""What an expression may ask about the bars besides their columns: when they are, how long, on which calendar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.domain.calendar import Calendar
    from algotrendy.domain.interval import Interval


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
    """

    index: pd.DatetimeIndex | None = None
    interval: Interval | None = None
    calendar: Calendar | None = None
    constants: Mapping[str, float] = field(default_factory=dict)

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
