"""What a store of bars is: the port that Parquet files, SQLite and PostgreSQL meet alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from algotrendy.data.series import SeriesKey, Span

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BarStore"]


class BarStore(Protocol):
    """Keeps bars of many series, and for each the spans of time for which it knows all there is.

    Several processes may use one store at the same time. Each call happens whole or not at all, whatever else runs and
    whenever a process dies: rows and coverage change together. Frames that come back are the caller's own.
    """

    async def read(self, key: SeriesKey, span: Span | None = None) -> pd.DataFrame | None:
        """Return the stored bars that start in `span`, or all of them; None if nothing is known of the series.

        Bars of a span that no write has covered are absent, so ask `coverage` what is missing. The columns are those
        of all writes together: where a row was written without one, a number is NaN, a flag False, a text missing.
        """

    async def read_many(self, keys: Iterable[SeriesKey], span: Span | None = None) -> dict[SeriesKey, pd.DataFrame]:
        """Return what `read` returns for each key, in the order of the keys; unknown series are left out."""

    async def write(self, key: SeriesKey, bars: pd.DataFrame, covered: Span) -> None:
        """Make `bars` all that is known inside `covered`: rows stored there before and absent from `bars` are gone.

        Raises
        ------
        InputError
            If the bars are not sound, do not suit the key's interval, or start outside `covered`. Nothing is stored.
        VenueUnavailable
            If the store is locked or cannot be reached. Nothing is stored; the same call can be made again.
        """

    async def coverage(self, key: SeriesKey) -> tuple[Span, ...]:
        """Return the spans that are known, oldest first, apart from each other; empty if there is nothing."""

    async def keys(self) -> list[SeriesKey]:
        """Return the keys of all series of which something is known, sorted by path."""

    async def delete(self, key: SeriesKey) -> None:
        """Forget a series, rows and coverage; one that is not there is no error."""

    async def close(self) -> None:
        """Let go of connections; the store opens them anew if it is used again."""
