"""Which column is which: known names are recognised, doubt is asked about."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field

from algotrendy.domain.bars import COLUMNS, PRICES
from algotrendy.errors import InputError

ALIASES: dict[str, tuple[str, ...]] = {
    "open": ("open", "o", "openprice", "priceopen"),
    "high": ("high", "h", "highprice", "pricehigh"),
    "low": ("low", "l", "lowprice", "pricelow"),
    "close": ("close", "c", "closeprice", "priceclose", "closelast"),
    "volume": ("volume", "vol", "v"),
}
"""Names as they are spelt in the wild, in small letters without spaces and signs; the first found wins."""

MOMENTS = (
    "timestamp",
    "datetime",
    "opentime",
    "starttime",
    "bartime",
    "gmttime",
    "localtime",
    "unix",
    "unixtime",
    "ts",
    "t",
)
ADJUSTED = ("adjclose", "adjustedclose", "closeadj", "closeadjusted", "adjustedcloseprice")
FLAGS = ("is_synthetic", "is_adjusted", "is_stale")
"""Columns of truth values that safety depends on: kept when bars are read, since attributes get lost in joins."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the caller has said; None is for what is to be found out."""

    time: str | Sequence[str] | None = None
    open: str | None = None
    high: str | None = None
    low: str | None = None
    close: str | None = None
    volume: str | float | None = None
    symbol: str | None = None
    date_format: str | None = None
    tz: str | None = None
    decimal: str | None = None
    thousands: str | None = None


@dataclass
class Found:
    """Which column of the table is which, what was left aside, and what to tell the reader of a report."""

    times: tuple[str, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def find_columns(names: Sequence[str], choices: Choices, *, has_time_index: bool = False) -> Found:
    """Return which column is which, by what the caller said and else by its name.

    Raises
    ------
    InputError
        If a column is missing or could be several: the message lists what is there and the keyword that settles it.

    Examples
    --------
    >>> find_columns(["Date", "Open", "High", "Low", "Close"], Choices()).fields["close"]
    'Close'
    """
    if all(_is_number_like(name) for name in names):
        raise InputError(
            f"the first line holds no names but values ({listed(names[:4])}, ...); name the columns in order:"
            f" names=['time', {', '.join(map(repr, COLUMNS))}]"
        )
    doubled = sorted({name for name in names if list(names).count(name) > 1})
    if doubled:
        raise InputError(f"several columns have the same name: {', '.join(map(repr, doubled))}; rename or drop them")
    found = Found()
    for column in PRICES:
        name = _chosen(column, names, choices) or _find_price(column, names, found)
        if name is not None:
            found.fields[column] = name
    missing = [column for column in PRICES if column not in found.fields]
    if missing:
        raise InputError(_missing_text(missing, names))
    volume = _find_volume(names, choices)
    if volume is not None:
        found.fields["volume"] = volume
    if choices.time is not None:
        given = (choices.time,) if isinstance(choices.time, str) else tuple(choices.time)
        found.times = tuple(_existing("time", name, names) for name in given)
    elif not has_time_index:
        found.times = _find_times(names)
    return found


def plain_name(name: str) -> str:
    """Return a name in small letters without spaces and signs, as the aliases are spelt.

    Examples
    --------
    >>> plain_name("<Adj. Close*>")
    'adjclose'
    """
    return "".join(letter for letter in str(name).lower() if letter.isalnum())


def listed(names: Sequence[str]) -> str:
    """Return the names as a message shows them."""
    return ", ".join(repr(str(name)) for name in names) if names else "none"


def _chosen(column: str, names: Sequence[str], choices: Choices) -> str | None:
    given = getattr(choices, column)
    return None if given is None else _existing(column, given, names)


def _existing(column: str, given: str, names: Sequence[str]) -> str:
    if given in names:
        return given
    near = difflib.get_close_matches(str(given), [str(name) for name in names], n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(f"{column}={given!r}: there is no such column; there are {listed(names)}{hint}")


def _matches(names: Sequence[str], aliases: Sequence[str]) -> list[str]:
    """Return the columns spelt like the first alias that any column is spelt like."""
    for alias in aliases:
        same = [name for name in names if plain_name(name) == alias]
        if same:
            return same
    return []


def _find_price(column: str, names: Sequence[str], found: Found) -> str | None:
    same = _matches(names, ALIASES[column])
    if len(same) > 1:
        raise InputError(f"{column} could be {listed(same)}; say which: {column}={same[0]!r}")
    adjusted = [name for name in names if plain_name(name) in ADJUSTED] if column == "close" else []
    if same:
        if adjusted:
            found.notes.append(f"close is {same[0]!r}; the adjusted {adjusted[0]!r} is left aside.")
        return same[0]
    if adjusted:
        raise InputError(
            f"there is no plain close, only {adjusted[0]!r}, which is changed by every later dividend and split;"
            f" if that is what you want, say so: close={adjusted[0]!r}; there are {listed(names)}"
        )
    return None


def _find_volume(names: Sequence[str], choices: Choices) -> str | None:
    if choices.volume is not None:
        return _existing("volume", choices.volume, names) if isinstance(choices.volume, str) else None
    same = _matches(names, ALIASES["volume"])
    if not same:
        same = [name for name in names if plain_name(name).startswith("volume")]
    same += [name for name in names if plain_name(name) in ("tickvol", "tickvolume")]
    if len(same) > 1:
        raise InputError(f"volume could be {listed(same)}; say which: volume={same[0]!r}, or volume=0.0 to go without")
    return same[0] if same else None


def _find_times(names: Sequence[str]) -> tuple[str, ...]:
    """Return the column of times, or a column of dates and one of times of day."""
    dates = _matches(names, ("date", "day"))
    clocks = _matches(names, ("time",))
    moments = [name for name in names if plain_name(name) in MOMENTS]
    if len(dates) == 1 and len(clocks) == 1 and not moments:
        return (dates[0], clocks[0])
    every = [*dates, *clocks, *moments]
    if len(every) > 1:
        raise InputError(f"the times could be in {listed(every)}; say which: time={every[0]!r}")
    if every:
        return (every[0],)
    if names and plain_name(names[0]) in ("", "unnamed0", "index"):
        return (names[0],)
    raise InputError(
        f"there is no column of times; there are {listed(names)}; say which it is: time='...',"
        " or time=('...', '...') for a date and a time of day"
    )


def _missing_text(missing: Sequence[str], names: Sequence[str]) -> str:
    keywords = ", ".join(f"{column}={_like(column, names)!r}" for column in missing)
    claim = "there is no column" if len(missing) == 1 else "there are no columns"
    return f"{claim} {listed(missing)}; found are {listed(names)}; say which is meant: {keywords}"


def _like(column: str, names: Sequence[str]) -> str:
    """Return the first name that could be meant, as an example in a message."""
    like = [name for name in names if column in plain_name(name) and plain_name(name) not in ADJUSTED]
    if not like and column == "close":
        like = [name for name in names if plain_name(name) in ("price", "last", "settle", "value")]
    return like[0] if like else "..."


def _is_number_like(name: str) -> bool:
    return bool(str(name)) and not any(letter.isalpha() for letter in str(name))
