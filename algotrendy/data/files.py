"""Bars in CSV and Parquet files: what was written comes back bit for bit, what is foreign is understood or asked."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from algotrendy.data.columns import FLAGS, Choices, Found, find_columns, listed
from algotrendy.data.frames import bars_of_table
from algotrendy.data.numbers import EXACT_FLOATS, PLAIN, clean, find_style, looks_like_thousands
from algotrendy.domain.bars import check_bars
from algotrendy.domain.provenance import provenance
from algotrendy.errors import DataError, InputError

__all__ = ["read_csv", "read_parquet", "write_csv", "write_parquet"]

_SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_ROWS_LOOKED_AT = 1_000
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def read_csv(
    path: str | PathLike[str],
    *,
    time: str | Sequence[str] | None = None,
    open: str | None = None,
    high: str | None = None,
    low: str | None = None,
    close: str | None = None,
    volume: str | float | None = None,
    symbol: str | None = None,
    date_format: str | None = None,
    tz: str | None = None,
    sep: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    names: Sequence[str] | None = None,
    skip_rows: int = 0,
    encoding: str = "utf-8-sig",
    check: bool = True,
) -> pd.DataFrame:
    """Return bars from a CSV file; what could be read in two ways is asked about, not guessed.

    Parameters
    ----------
    path : path
        A local file; `.gz`, `.bz2` and `.xz` are unpacked.
    time, open, high, low, close, volume, symbol, date_format, tz, check
        As for `as_bars`.
    sep : str, optional
        What stands between the columns: found out among comma, semicolon, tab and `|`.
    decimal, thousands : str, optional
        How numbers are written: found out from the whole file.
    names : sequence of str, optional
        The columns in order, for a file without a line of names.
    skip_rows : int
        Lines to leave out at the beginning.
    encoding : str
        The file's text encoding.

    Returns
    -------
    DataFrame of shape (n_bars, 4 or 5)
        As `as_bars`.

    Raises
    ------
    InputError
        If something in the file may be read in two ways or makes no sound bars; the message names the file.
    DataError
        If the file is not there or is no table.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "prices.csv"
    >>> _ = path.write_text("Datum;Open;High;Low;Close\\n13.03.2024;1,5;2,0;1,0;1,75\\n", encoding="utf-8")
    >>> read_csv(path, time="Datum")["close"].tolist()
    [1.75]
    >>> folder.cleanup()
    """
    choices = Choices(
        time=time, open=open, high=high, low=low, close=close, volume=volume, symbol=symbol,
        date_format=date_format, tz=tz, decimal=decimal, thousands=thousands,
    )  # fmt: skip
    path = _existing(path)
    text = _text_of(path, encoding)
    try:
        table, told = _table_of(text, choices, sep, names, skip_rows)
        bars = bars_of_table(table, choices, {"name": _stem(path), "source": f"file {path.name}", **told})
    except InputError as e:
        raise InputError(f"{path.name}: {e}") from e
    return _checked(bars, path, "read_csv") if check else bars


def read_parquet(
    path: str | PathLike[str],
    *,
    time: str | Sequence[str] | None = None,
    open: str | None = None,
    high: str | None = None,
    low: str | None = None,
    close: str | None = None,
    volume: str | float | None = None,
    symbol: str | None = None,
    date_format: str | None = None,
    tz: str | None = None,
    check: bool = True,
) -> pd.DataFrame:
    """Return bars from a Parquet file; what could be read in two ways is asked about, not guessed.

    Parameters
    ----------
    path : path
        A local file.
    time, open, high, low, close, volume, symbol, date_format, tz, check
        As for `as_bars`.

    Returns
    -------
    DataFrame of shape (n_bars, 4 or 5)
        As `as_bars`; provenance that `write_parquet` kept comes back with them.

    Raises
    ------
    InputError
        If something in the file may be read in two ways or makes no sound bars; the message names the file.
    DataError
        If the file is not there or is no Parquet file.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "prices.parquet"
    >>> table = pd.DataFrame({"Date": ["2024-03-01"], "Open": [1], "High": [2], "Low": [1], "Close": [2]})
    >>> table.to_parquet(path)
    >>> read_parquet(path)["close"].tolist()
    [2.0]
    >>> folder.cleanup()
    """
    choices = Choices(
        time=time, open=open, high=high, low=low, close=close, volume=volume, symbol=symbol,
        date_format=date_format, tz=tz,
    )  # fmt: skip
    path = _existing(path)
    try:
        table = pd.read_parquet(path, engine="pyarrow")
    except (OSError, ValueError) as e:
        raise DataError(f"{path.name} cannot be read as a Parquet file: {e}") from e
    facts = {"name": _stem(path), **provenance(table)}
    facts.setdefault("source", f"file {path.name}")
    try:
        bars = bars_of_table(table, choices, facts)
    except InputError as e:
        raise InputError(f"{path.name}: {e}") from e
    return _checked(bars, path, "read_parquet") if check else bars


def write_csv(bars: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write bars to a CSV file that `read_csv` reads back with the same numbers.

    Times are written as ISO, prices with as many digits as it takes. Provenance does not fit into a CSV file. Daily
    bars in UTC come back with dates.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, >= 4)
        Sound bars.
    path : path
        Where to; `.gz`, `.bz2` and `.xz` are packed.

    Raises
    ------
    InputError
        If the bars are not sound.
    """
    check_bars(bars)
    bars.rename_axis(index="time").to_csv(path, encoding="utf-8", lineterminator="\n")


def write_parquet(bars: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write bars to a Parquet file (zstd), provenance included.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, >= 4)
        Sound bars.
    path : path
        Where to.

    Raises
    ------
    InputError
        If the bars are not sound.
    """
    check_bars(bars)
    bars.rename_axis(index="time").to_parquet(path, engine="pyarrow", compression="zstd")


def _existing(path: str | PathLike[str]) -> Path:
    if "://" in str(path):
        raise InputError(f"{path} is an address; bars are read from local files: download it first")
    if not Path(path).is_file():
        raise DataError(f"there is no file {path}")
    return Path(path)


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]


def _checked(bars: pd.DataFrame, path: Path, reader: str) -> pd.DataFrame:
    try:
        check_bars(bars)
    except InputError as e:
        raise InputError(f"{path.name}: {e} (to mend the bars, read them with check=False first: {reader}(...))") from e
    return bars


def _text_of(path: Path, encoding: str) -> str:
    opener = _OPENERS.get(path.suffix.lower(), Path.open)
    try:
        with opener(path, "rb") as stream:
            content: bytes = stream.read()
        return content.decode(encoding)
    except (OSError, EOFError, lzma.LZMAError) as e:
        raise DataError(f"{path.name} cannot be read: {e}") from e
    except UnicodeDecodeError as e:
        raise DataError(
            f'{path.name} is not {encoding} text (byte {e.start}); say which it is, such as encoding="latin-1"'
        ) from e


def _table_of(
    text: str, choices: Choices, sep: str | None, names: Sequence[str] | None, skip_rows: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the columns that bars need, numbers as numbers where they are written plainly, and what to tell of it."""
    lines = text.splitlines()
    while skip_rows < len(lines) and not lines[skip_rows].strip():
        skip_rows += 1
    head = lines[skip_rows : skip_rows + _ROWS_LOOKED_AT + 1]
    if not head:
        raise InputError("there are no rows")
    sep = sep or _separator(head[0], names)
    rows = [row for row in csv.reader(head, delimiter=sep) if row]
    header = list(names) if names is not None else _unique([cell.strip() for cell in rows.pop(0)])
    if len(header) == 1:
        raise InputError(
            f"the first line {head[0][:60]!r} makes one column; if names come later, skip_rows=1; if something else"
            " stands between the columns, sep='...'"
        )
    _check_width(lines, skip_rows, header, sep)
    symbol = [name for name in header if name.lower() in ("symbol", "ticker")]
    found = find_columns([name for name in header if name not in symbol], choices)
    used = [*found.times, *found.fields.values(), *symbol, *(flag for flag in FLAGS if flag in header)]
    plain = _is_plain(rows, header, found, choices, sep)
    skipped = skip_rows + (names is None)
    as_text = [*found.times, *symbol] if plain else used
    table = _parsed(text, header, used, sep=sep, skip_rows=skipped, as_text=as_text)
    if plain and not all(pd.api.types.is_numeric_dtype(table[name]) for name in found.fields.values()):
        table = _parsed(text, header, used, sep=sep, skip_rows=skipped, as_text=used)
    left = [name for name in header if name not in used]
    return table, {**({"left_aside": left} if left else {}), "notes": found.notes}


def _parsed(
    text: str, header: list[str], used: list[str], *, sep: str, skip_rows: int, as_text: list[str]
) -> pd.DataFrame:
    try:
        table: pd.DataFrame = pd.read_csv(
            io.StringIO(text), sep=sep, header=None, names=header, usecols=used, skiprows=skip_rows, index_col=False,
            dtype=dict.fromkeys(as_text, str), skipinitialspace=True, engine="c", **EXACT_FLOATS,
        )  # fmt: skip
    except pd.errors.EmptyDataError as e:
        raise InputError("there are no rows") from e
    except ValueError as e:
        raise DataError(f"the file is no table of {len(header)} columns ({listed(header)}): {e}") from e
    return table


def _check_width(lines: list[str], skip_rows: int, header: list[str], sep: str) -> None:
    """Refuse a line with more values than columns: pandas would cut it, and with a decimal comma that makes prices."""
    for number, line in enumerate(lines[skip_rows:], start=skip_rows + 1):
        if line.count(sep) >= len(header):
            beyond = next(csv.reader([line], delimiter=sep))[len(header) :]
            if any(cell.strip() for cell in beyond):
                raise InputError(
                    f"line {number} holds {len(header) + len(beyond)} values for {len(header)} columns: {line[:80]!r};"
                    f" perhaps {_SEPARATORS.get(sep, repr(sep))} is also the decimal sign: mend the file"
                )


def _separator(line: str, names: Sequence[str] | None) -> str:
    counts = {sign: len(next(csv.reader([line], delimiter=sign))) for sign in _SEPARATORS}
    most = max(counts.values())
    best = [sign for sign, count in counts.items() if count == most]
    if names is not None:
        best = [sign for sign in counts if counts[sign] == len(names)] or best
    if len(best) > 1 and most > 1:
        raise InputError(
            f"{' and '.join(_SEPARATORS[sign] for sign in best)} divide {line[:60]!r} into as many columns; say which"
            f" it is: sep={best[0]!r}"
        )
    return best[0]


def _unique(header: list[str]) -> list[str]:
    """Return the names with empty ones numbered: pandas writes an unnamed index so."""
    return [name or ("" if place == 0 else f"unnamed {place}") for place, name in enumerate(header)]


def _is_plain(rows: list[list[str]], header: list[str], found: Found, choices: Choices, sep: str) -> bool:
    """Return whether the first rows write numbers with a point and nothing else; ask where it may divide thousands."""
    places = [header.index(name) for name in found.fields.values()]
    raw = [row[place].strip() for row in rows for place in places if place < len(row)]
    cells = [clean(cell) for cell in raw]
    try:
        style = find_style(cells, choices.decimal, choices.thousands)
    except InputError:  # told later, with the row and the column
        return False
    if style == PLAIN and sep == ";" and choices.decimal is None and looks_like_thousands(cells):
        example = next(cell for cell in cells if "." in cell)
        raise InputError(
            f"{example!r} between semicolons may be a number of three decimals or of thousands; say which:"
            ' decimal="." or decimal=","'
        )
    return style == PLAIN and all(cell == before or not cell for cell, before in zip(cells, raw, strict=True))
