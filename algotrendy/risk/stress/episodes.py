"""Falls of the S&P 500 that people remember, with their dates and closes: a catalogue to choose windows from.

Source of dates and closes: daily closing levels of the index as published by S&P Dow Jones Indices, price return. Those
from 1999 to 2018 are checked against the sample `SP500` by a test.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from algotrendy.errors import InputError
from algotrendy.risk.stress.scenarios import HistoricalWindow

__all__ = ["EPISODES", "Episode", "episode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A dated fall.

    Attributes
    ----------
    name, title : str
        What it is called here, and by people.
    start, end : date
        The last close before the fall, and the close at its end.
    start_close, end_close : float
        Of the S&P 500, in points.
    """

    name: str
    title: str
    start: datetime.date
    end: datetime.date
    start_close: float
    end_close: float

    @property
    def index_return(self) -> float:
        """What the index returned, as a fraction, without dividends."""
        return self.end_close / self.start_close - 1.0

    def scenario(self, proxies: Mapping[str, tuple[str, float]] | None = None) -> HistoricalWindow:
        """Return the window of history, for a book with a history that reaches so far."""
        return HistoricalWindow(name=self.name, start=self.start, end=self.end, proxies=proxies or {})


def _day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


_FALLS = (
    ("black_monday_1987", "Black Monday, one day", "1987-10-16", "1987-10-19", 282.70, 224.84),
    ("crash_1987", "The crash of 1987, peak to trough", "1987-08-25", "1987-12-04", 336.77, 223.92),
    ("asia_1997", "Asian crisis, one day", "1997-10-24", "1997-10-27", 941.64, 876.99),
    ("russia_ltcm_1998", "Russian default and LTCM", "1998-07-17", "1998-08-31", 1186.75, 957.28),
    ("dot_com", "End of the dot-com boom", "2000-03-24", "2002-10-09", 1527.46, 776.76),
    ("september_2001", "September 2001", "2001-09-10", "2001-09-21", 1092.54, 965.80),
    ("financial_crisis", "Financial crisis, peak to trough", "2007-10-09", "2009-03-09", 1565.15, 676.53),
    ("lehman_2008", "Lehman Brothers and after", "2008-09-12", "2008-11-20", 1251.70, 752.44),
    ("flash_crash_2010", "Flash crash, close to close", "2010-05-05", "2010-05-06", 1165.87, 1128.15),
    ("downgrade_2011", "Downgrade of the United States", "2011-07-22", "2011-08-08", 1345.02, 1119.46),
    ("china_2015", "Devaluation in China", "2015-08-17", "2015-08-25", 2102.44, 1867.61),
    ("volatility_2018", "End of short volatility", "2018-01-26", "2018-02-08", 2872.87, 2581.00),
    ("autumn_2018", "Autumn of 2018", "2018-09-20", "2018-12-24", 2930.75, 2351.10),
    ("covid_2020", "Covid-19", "2020-02-19", "2020-03-23", 3386.15, 2237.40),
    ("inflation_2022", "Inflation and interest rates", "2022-01-03", "2022-10-12", 4796.56, 3577.03),
    ("tariffs_2025", "Tariffs", "2025-02-19", "2025-04-08", 6144.15, 4982.77),
)

EPISODES: Mapping[str, Episode] = {
    name: Episode(name=name, title=title, start=_day(start), end=_day(end), start_close=first, end_close=last)
    for name, title, start, end, first, last in _FALLS
}
"""The episodes by name, in order of time."""


def episode(name: str) -> Episode:
    """Return an episode.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> found = episode("covid_2020")
    >>> str(found.start), round(found.index_return, 4)
    ('2020-02-19', -0.3392)
    """
    if name not in EPISODES:
        raise InputError(f"there is no episode {name!r}; expected one of {', '.join(EPISODES)}")
    return EPISODES[name]
