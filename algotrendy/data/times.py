"""Times as files write them: ISO, day or month first, epoch numbers. Doubt is asked about.

The answer is what bars carry: session dates without a zone if every time is midnight where it was written, else UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import tzinfo
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from algotrendy.domain.types import AnyArray
from algotrendy.errors import InputError

_CLOCK = r"(?:[T ]+(?P<clock>\d{1,2}:?\d{2}(?::?\d{2}(?:[.,]\d{1,9})?)?)\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?"
_ZONE = r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
_YEAR_FIRST = re.compile(r"(?P<y>\d{4})(?P<s>[-/.]?)(?P<m>\d{2})(?P=s)(?P<d>\d{2})" + _CLOCK + _ZONE)
_YEAR_LAST = re.compile(r"(?P<a>\d{1,2})(?P<s>[-/.])(?P<b>\d{1,2})(?P=s)(?P<y>\d{4}|\d{2})" + _CLOCK + _ZONE)
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?")
_NAMED_MONTH = ("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%Y-%b-%d")

# Numbers between 1990 and 2100 lie far apart in these units, so none can be taken for another.
_SPAN = (631_152_000, 4_102_444_800)
_EPOCHS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class Times(NamedTuple):
    """The index of bars, and a sentence on how the times were read."""

    stamps: pd.DatetimeIndex
    note: str


def to_times(column: pd.Series[Any] | pd.Index, name: str, *, date_format: str | None, tz: str | None) -> Times:
    """Return the index that bars carry: dates without a zone, or UTC.

    Parameters
    ----------
    column : Series or Index of shape (n_bars,)
        Times, texts or epoch numbers.
    name : str
        What messages call it.
    date_format : str, optional
        As for `datetime.strptime`, for texts that may be read in two ways.
    tz : str, optional
        The zone of times that carry none; for others, the zone in which midnight makes a date.

    Raises
    ------
    InputError
        If the times may be read in two ways, or a time of day has no zone: the message names the keyword.

    Examples
    --------
    >>> to_times(pd.Series(["13/03/2024", "14/03/2024"]), "Date", date_format=None, tz=None).stamps.strftime("%d %b")
    Index(['13 Mar', '14 Mar'], dtype=...)
    """
    values = pd.Series(column).reset_index(drop=True)
    missing = np.flatnonzero(values.isna() | (values.astype(str).str.strip() == "" if _is_text(values) else False))
    if missing.size:
        raise InputError(f"{missing.size} of {len(values)} times in {name} are missing, first in row {missing[0]}")
    if isinstance(values.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_dtype(values.dtype):
        return _placed(pd.DatetimeIndex(values), name, tz, "")
    if date_format is not None:
        return _placed(*_with_format(values.astype(str).str.strip(), name, date_format), tz, f" as {date_format}")
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        return _from_numbers(values, name, tz)
    return _from_objects(values, name, tz)


def _is_text(values: pd.Series[Any]) -> bool:
    return pd.api.types.is_string_dtype(values.dtype) or values.dtype == object


def _from_objects(values: pd.Series[Any], name: str, tz: str | None) -> Times:
    first = values.iloc[0]
    if not isinstance(first, str):
        if not hasattr(first, "year"):
            raise InputError(f"{name} holds {type(first).__name__} ({first!r}), expected times; set time=")
        values = values.map(lambda value: value.isoformat() if hasattr(value, "isoformat") else str(value))
    texts = values.astype(str).str.strip()
    if (
        _NUMBER.fullmatch(texts.iloc[0])
        and texts.str.fullmatch(_NUMBER).all()
        and not texts.str.fullmatch(_YEAR_FIRST).all()
    ):
        return _from_numbers(pd.to_numeric(texts), name, tz)
    return _from_texts(texts, name, tz)


# --- numbers ---


def _from_numbers(values: pd.Series[Any], name: str, tz: str | None) -> Times:
    low, high = float(values.min()), float(values.max())
    if low >= 19000101 and high <= 21001231:
        return _from_texts(values.astype(np.int64).astype(str), name, tz)
    for unit, per_second in _EPOCHS.items():
        if _SPAN[0] * per_second <= low and high <= _SPAN[1] * per_second:
            whole = pd.api.types.is_integer_dtype(values.dtype)
            stamps = values.astype(np.int64).to_numpy() if whole else np.round(values.to_numpy(dtype=np.float64) * 1e6)
            scale = unit if whole else {"s": "us", "ms": "ns"}.get(unit)
            if scale is None:
                break
            index = pd.DatetimeIndex(stamps.astype(np.int64).view(f"M8[{scale}]")).tz_localize("UTC")
            return _placed(index, name, tz, f" as epoch {unit}")
    raise InputError(
        f"{name} holds numbers from {low:.17g} to {high:.17g}, which are no epoch seconds, milliseconds, microseconds"
        " or nanoseconds of the years 1990 to 2100; convert them: pd.to_datetime(numbers, unit=..., origin=...)"
    )


# --- texts ---


def _with_format(texts: pd.Series[Any], name: str, date_format: str) -> tuple[pd.DatetimeIndex, str]:
    try:
        parsed = pd.to_datetime(texts, format=date_format, utc="%z" in date_format or "%Z" in date_format)
    except ValueError as e:
        row = next((i for i, text in enumerate(texts) if not _fits(text, date_format)), 0)
        raise InputError(
            f"{name} holds {texts.iloc[row]!r} in row {row}, which is not written as date_format={date_format!r}"
        ) from e
    return pd.DatetimeIndex(parsed), name


def _fits(text: str, date_format: str) -> bool:
    try:
        pd.to_datetime(text, format=date_format)
    except ValueError:
        return False
    return True


def _from_texts(texts: pd.Series[Any], name: str, tz: str | None) -> Times:
    plain = _plain_iso(texts)
    if plain is not None:
        return _placed(plain, name, tz, "")
    for pattern, order in ((_YEAR_FIRST, _year_first), (_YEAR_LAST, _year_last)):
        parts = texts.str.extract(pattern)
        fits = texts.str.fullmatch(pattern.pattern).astype(bool)
        if fits.all():
            return _from_parts(parts, order(parts, texts, name), name, tz)
        if fits.any():
            row = int(np.flatnonzero(~fits)[0])
            good = texts[fits].iloc[0]
            raise InputError(
                f"the times in {name} are written in two ways: {good!r}, but {texts.iloc[row]!r} in row {row};"
                " mend the file, or read it yourself and hand the frame to as_bars"
            )
    return _from_named_months(texts, name, tz)


def _plain_iso(texts: pd.Series[Any]) -> pd.DatetimeIndex | None:
    """Return the times if all are plain ISO, all with `Z` or all without any zone: the usual case, read fast."""
    found = _YEAR_FIRST.fullmatch(texts.iloc[0])
    if found is None or found["zone"] not in (None, "Z", "+00:00") or found["half"] or texts.str.len().min() < 8:
        return None
    utc = found["zone"] is not None
    if utc and not texts.str.endswith(found["zone"]).all():
        return None
    try:
        return pd.DatetimeIndex(pd.to_datetime(texts, format="ISO8601", utc=utc))
    except ValueError:  # some are written otherwise: the slow way says which
        return None


def _from_named_months(texts: pd.Series[Any], name: str, tz: str | None) -> Times:
    for date_format in _NAMED_MONTH:
        if all(_fits(text, date_format) for text in texts.iloc[:3]):
            return _placed(*_with_format(texts, name, date_format), tz, f" as {date_format}")
    raise InputError(
        f"the times in {name}, such as {texts.iloc[0]!r}, are written in no way known here; say how:"
        ' date_format="%d.%m.%y %H:%M" (as for datetime.strptime)'
    )


def _year_first(parts: pd.DataFrame, texts: pd.Series[Any], name: str) -> tuple[str, str, str]:
    return "y", "m", "d"


def _year_last(parts: pd.DataFrame, texts: pd.Series[Any], name: str) -> tuple[str, str, str]:
    """Return which part is the year, the month and the day; ask where the texts do not tell."""
    sign = str(parts["s"].iloc[0])
    if (parts["y"].str.len() == 2).any():
        raise InputError(
            f"{texts.iloc[0]!r} in {name} has a year of two digits, so day, month and year cannot be told apart; say"
            f' how it is written: date_format="%d{sign}%m{sign}%y" or "%m{sign}%d{sign}%y" or "%y{sign}%m{sign}%d"'
        )
    a, b = parts["a"].astype(np.int64).to_numpy(), parts["b"].astype(np.int64).to_numpy()
    day_first, month_first = bool((a > 12).any()), bool((b > 12).any())
    if day_first and month_first:
        one, other = texts.iloc[int(np.flatnonzero(a > 12)[0])], texts.iloc[int(np.flatnonzero(b > 12)[0])]
        raise InputError(f"{name} mixes day first ({one!r}) and month first ({other!r}); mend the file")
    if not day_first and not month_first:
        example = texts.iloc[int(np.argmax(a != b))]
        raise InputError(
            f"{example!r} in {name} may be day or month first, and no row tells; say which:"
            f' date_format="%d{sign}%m{sign}%Y{_clock_format(parts)}" (day first) or'
            f' "%m{sign}%d{sign}%Y{_clock_format(parts)}" (month first)'
        )
    return ("y", "b", "a") if day_first else ("y", "a", "b")


def _clock_format(parts: pd.DataFrame) -> str:
    clock = parts["clock"].iloc[0]
    if not isinstance(clock, str):
        return ""
    return " %H:%M:%S" if clock.count(":") == 2 else " %H:%M"


def _from_parts(parts: pd.DataFrame, order: tuple[str, str, str], name: str, tz: str | None) -> Times:
    year, month, day = (parts[part].str.zfill(2) for part in order)
    clock = parts["clock"].fillna("").map(_plain_clock) if parts["clock"].notna().any() else None
    text = year + "-" + month + "-" + day
    if clock is not None:
        if parts["half"].notna().any():
            text = text + " " + clock + " " + parts["half"].str.replace(".", "").str.upper()
        else:
            text = text + "T" + clock
    zones = parts["zone"]
    if zones.notna().any() and zones.isna().any():
        row = int(np.flatnonzero(zones.isna())[0])
        raise InputError(f"some times in {name} carry an offset and others do not, first in row {row}; mend the file")
    style: Any = "ISO8601" if clock is None or parts["half"].isna().all() else "%Y-%m-%d %I:%M:%S %p"
    try:
        local = pd.DatetimeIndex(pd.to_datetime(text, format=style))
    except ValueError as e:
        raise InputError(f"{name} holds a time that does not exist: {str(e).splitlines()[0]}") from e
    if zones.isna().all():
        return _placed(local, name, tz, "")
    instants = (local - pd.TimedeltaIndex(zones.map(_offset))).tz_localize("UTC")
    if local.is_normalized and tz is None:
        return Times(local.as_unit("ns"), f"dates of {name}, each the local date at its own offset")
    return _placed(instants, name, tz, "")


def _plain_clock(clock: str) -> str:
    """Write `93000`, `9:30` and nothing alike: 09:30:00, 00:00:00."""
    if not clock:
        return "00:00:00"
    whole, dot, fraction = clock.replace(",", ".").partition(".")
    if ":" not in whole:
        whole = whole.zfill(6 if len(whole) > 4 else 4)
        whole = ":".join(whole[i : i + 2] for i in range(0, len(whole), 2))
    pieces = [piece.zfill(2) for piece in whole.split(":")]
    return ":".join([*pieces, "00"][:3]) + dot + fraction


def _offset(zone: str) -> pd.Timedelta:
    if zone in ("Z", "UTC", "GMT"):
        return pd.Timedelta(0)
    digits = zone[1:].replace(":", "").ljust(4, "0")
    ahead = pd.Timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -ahead if zone[0] == "-" else ahead


# --- where they are placed ---


def _placed(index: pd.DatetimeIndex, name: str, tz: str | None, how: str) -> Times:
    """Return dates for times that are all midnight where they were written, else UTC."""
    local = index
    if index.tz is not None and tz is not None:
        local = _zone_checked(index.tz_convert, tz)
    if local.is_normalized:
        return Times(local.tz_localize(None).as_unit("ns"), f"dates of {name}{how}")
    if index.tz is not None:
        return Times(index.tz_convert("UTC").as_unit("ns"), f"UTC, from {name}{how}")
    if tz is None:
        row = int(np.flatnonzero(index != index.normalize())[0])
        raise InputError(
            f"{name} has times of day ({index[row]} in row {row}) but no zone; say which one they are in:"
            ' tz="UTC", tz="America/New_York", ...'
        )
    return Times(_localized(index, tz).tz_convert("UTC").as_unit("ns"), f"UTC, from {name}{how} in {tz}")


def _localized(index: pd.DatetimeIndex, tz: str) -> pd.DatetimeIndex:
    doubtful = _zone_checked(lambda zone: index.tz_localize(zone, ambiguous="NaT", nonexistent="NaT"), tz)
    rows = np.flatnonzero(doubtful.isna())
    if rows.size:
        raise InputError(
            f"{index[rows[0]]} (row {rows[0]}) does not exist or occurs twice in {tz}, where the clocks change;"
            f" {rows.size} such times: the zone may be wrong, or give the times in UTC"
        )
    return doubtful


def _zone_checked(place: Callable[[str | tzinfo], pd.DatetimeIndex], tz: str) -> pd.DatetimeIndex:
    try:
        return place(tz)
    except (KeyError, ValueError, TypeError) as e:  # what each library of zones raises for an unknown name
        raise InputError(f"tz={tz!r} is not a time zone; expected such as UTC or America/New_York") from e


def joined(date: AnyArray | pd.Series[Any], clock: AnyArray | pd.Series[Any]) -> pd.Series[Any]:
    """Return texts of a column of dates and one of times of day put together."""
    return pd.Series(date).astype(str).str.strip() + " " + pd.Series(clock).astype(str).str.strip()
