"""Several instruments on one time axis: what the engine takes, one instrument being the case of one column.

Each field is an array of (time, instrument) in Fortran order, so the column of one instrument is contiguous and goes
to a kernel as it is. Where an instrument has no bar its prices are NaN, its volume 0 and `valid` is False: nothing is
filled in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.bars import COLUMNS, BarArrays, FurtherColumns, checked_arrays, columns_between
from algotrendy.domain.calendar import Calendar, infer_calendar
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.types import AnyArray, Bool2D, Float2D, Int1D
from algotrendy.errors import InputError

Name: TypeAlias = Instrument | str
"""An instrument, or a bare symbol where nothing more was said."""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Bars of several instruments on one time axis.

    Attributes
    ----------
    index : DatetimeIndex of shape (n_times,)
        All stamps at which any instrument has a bar, ascending.
    instruments : tuple of Instrument or str
        One per column; a bare symbol where nothing more was said.
    fields : mapping of str to float64 array of shape (n_times, n_instruments)
        `open high low close volume`, in Fortran order.
    valid : bool array of shape (n_times, n_instruments)
        Whether the instrument has a bar at that time.
    calendars : tuple of Calendar
        One per column.
    further : tuple of mapping of str to array
        The further columns of each instrument's bars, such as `pe` or `sector`, on its own bars.
    goes_on : tuple of bool
        Of a part: whether each instrument has bars behind it, so that it has not ended even if its last bars are
        missing. Empty for a whole panel.

    Examples
    --------
    >>> days = pd.bdate_range("2024-03-04", periods=3)
    >>> bars = pd.DataFrame({"open": 1.0, "high": 2.0, "low": 1.0, "close": [1.0, 2.0, 1.5]}, index=days)
    >>> panel = Panel.of({"A": bars, "B": bars[1:]})
    >>> panel.symbols, panel.valid.tolist()
    (('A', 'B'), [[True, False], [True, True], [True, True]])
    >>> panel.column(1).close
    array([nan, 2. , 1.5])
    """

    index: pd.DatetimeIndex
    instruments: tuple[Name, ...]
    fields: Mapping[str, Float2D]
    valid: Bool2D
    calendars: tuple[Calendar, ...]
    further: tuple[Mapping[str, AnyArray], ...] = ()
    goes_on: tuple[bool, ...] = ()

    @classmethod
    def of(
        cls,
        bars: pd.DataFrame | Mapping[Name, pd.DataFrame],
        *,
        name: Name = "",
        calendars: Sequence[Calendar] | Mapping[Name, Calendar] | Calendar | None = None,
    ) -> Panel:
        """Return the panel of one instrument's bars, or of several's.

        Parameters
        ----------
        bars : DataFrame, or mapping of symbol or Instrument to DataFrame
            Bars of one instrument; a mapping; a frame with (field, symbol) columns; or a long frame with a column
            `symbol` beside the fields.
        name : Instrument or str
            What the one instrument is, where `bars` are of one.
        calendars : Calendar, or one for each instrument, optional
            Read off the stamps if not given.

        Raises
        ------
        InputError
            If bars of an instrument are not sound (the message names it), or some have dates and others instants.
        """
        several = _by_name(bars, name)
        arrays = {key: _checked(key, frame) for key, frame in several.items()}
        indexes = [pd.DatetimeIndex(frame.index) for frame in several.values()]
        index = _joined(indexes, list(several))
        chosen = _calendars(calendars, tuple(several), indexes)
        further = tuple(FurtherColumns(frame) for frame in several.values())
        if len(several) == 1:
            only = next(iter(arrays.values()))
            fields = {field: column.reshape(-1, 1) for field, column in zip(COLUMNS, only, strict=True)}
            return cls(index, tuple(several), fields, np.ones((len(index), 1), dtype=bool), chosen, further)
        rows = [index.get_indexer(one) for one in indexes]
        shape = (len(index), len(rows))
        valid = np.zeros(shape, dtype=bool, order="F")
        fields = {field: np.full(shape, 0.0 if field == "volume" else np.nan, order="F") for field in COLUMNS}
        for j, (place, columns) in enumerate(zip(rows, arrays.values(), strict=True)):
            valid[place, j] = True
            for field, column in zip(COLUMNS, columns, strict=True):
                fields[field][place, j] = column
        return cls(index, tuple(several), fields, valid, chosen, further)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbol of each column."""
        return tuple(one.symbol if isinstance(one, Instrument) else one for one in self.instruments)

    def column(self, j: int) -> BarArrays:
        """Return the bars of instrument `j` as contiguous arrays of shape (n_times,), without a copy."""
        return BarArrays(*(self.fields[field][:, j] for field in COLUMNS))

    def part(self, begin: int, end: int, *, least: int = 1) -> tuple[Panel, Int1D]:
        """Return the bars from `begin` to before `end`, and which instruments are in it.

        Parameters
        ----------
        begin, end : int
            Places in the index.
        least : int
            An instrument with fewer bars of its own among them is left out.

        Raises
        ------
        InputError
            If none is left.

        Examples
        --------
        >>> days = pd.bdate_range("2024-03-04", periods=3)
        >>> bars = pd.DataFrame({"open": 1.0, "high": 2.0, "low": 1.0, "close": [1.0, 2.0, 1.5]}, index=days)
        >>> part, places = Panel.of({"A": bars, "B": bars[2:]}).part(0, 2)
        >>> part.symbols, places.tolist(), part.goes_on
        (('A',), [0], (True,))
        """
        rows = slice(begin, end)
        counts: Int1D = self.valid[rows].sum(axis=0)
        kept: Int1D = np.flatnonzero(counts >= max(least, 1))
        if not len(kept):
            raise InputError(
                f"no instrument has {least} bars from {self.index[begin]} to {self.index[end - 1]}; make it longer"
            )
        columns = kept.tolist()
        before: Int1D = self.valid[:begin].sum(axis=0)
        after = (self.valid[end:].sum(axis=0) > 0) | np.array(self.goes_on or (False,) * len(self.instruments))
        return Panel(
            self.index[rows],
            tuple(self.instruments[j] for j in columns),
            {name: np.asfortranarray(field[rows][:, kept]) for name, field in self.fields.items()},
            np.asfortranarray(self.valid[rows][:, kept]),
            tuple(self.calendars[j] for j in columns),
            tuple(columns_between(self.further[j], int(before[j]), int(before[j] + counts[j])) for j in columns)
            if self.further
            else (),
            tuple(bool(after[j]) for j in columns),
        ), kept

    def __len__(self) -> int:
        return len(self.index)


def _by_name(bars: object, name: Name) -> dict[Name, pd.DataFrame]:
    if isinstance(bars, Mapping):
        if not bars:
            raise InputError("there are no bars: the mapping of symbols to bars is empty")
        return dict(bars)
    if isinstance(bars, pd.DataFrame):
        if isinstance(bars.columns, pd.MultiIndex):
            return _from_wide(bars)
        if "symbol" in bars.columns:
            groups = bars.groupby("symbol", sort=False)
            return {str(symbol): group.drop(columns="symbol") for symbol, group in groups}
        return {name: bars}
    raise InputError(
        f"a panel is made of a DataFrame of bars or a mapping of symbols to such, not of {type(bars).__qualname__}"
    )


def _from_wide(bars: pd.DataFrame) -> dict[Name, pd.DataFrame]:
    """Split (field, symbol) columns; a row in which a symbol has nothing at all is no bar of it."""
    if bars.columns.nlevels != 2:
        raise InputError(f"the columns have {bars.columns.nlevels} levels, expected two: (field, symbol)")
    fields = {str(field) for field in bars.columns.get_level_values(0)}
    if not set(COLUMNS[:4]) <= fields:
        raise InputError(
            f"the upper level of the columns is {', '.join(sorted(fields))}, expected {' '.join(COLUMNS)};"
            " if the levels are the other way round: bars = bars.swaplevel(axis=1)"
        )
    symbol_of = bars.columns.get_level_values(1)
    return {
        str(symbol): bars.loc[:, symbol_of == symbol].droplevel(1, axis=1).dropna(how="all")
        for symbol in dict.fromkeys(symbol_of)
    }


def _checked(name: Name, frame: pd.DataFrame) -> BarArrays:
    try:
        return checked_arrays(frame)
    except InputError as e:
        label = name.id if isinstance(name, Instrument) else name
        if not label:
            raise
        raise InputError(f"{label}: {e}") from e


def _joined(indexes: list[pd.DatetimeIndex], names: list[Name]) -> pd.DatetimeIndex:
    zones = {index.tz is None for index in indexes}
    if len(zones) > 1:
        dated = [str(name) for name, index in zip(names, indexes, strict=True) if index.tz is None]
        raise InputError(
            f"some bars carry dates ({', '.join(dated[:5])}) and others UTC instants; bring them to one:"
            " bars = bars.tz_localize(None) turns daily bars stamped at midnight UTC into dates"
        )
    joined = indexes[0]
    for index in indexes[1:]:
        joined = joined.union(index)
    return joined.rename("time")


def _calendars(
    given: Sequence[Calendar] | Mapping[Name, Calendar] | Calendar | None,
    names: tuple[Name, ...],
    indexes: list[pd.DatetimeIndex],
) -> tuple[Calendar, ...]:
    if given is None:
        return tuple(infer_calendar(index) for index in indexes)
    if isinstance(given, Mapping):
        return tuple(
            given[name] if name in given else infer_calendar(index) for name, index in zip(names, indexes, strict=True)
        )
    if isinstance(given, Sequence):
        if len(given) != len(names):
            raise InputError(f"there are {len(given)} calendars for {len(names)} instruments; give one for each")
        return tuple(given)
    return (given,) * len(names)
