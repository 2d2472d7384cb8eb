"""Numbers written as text: decimal points and commas, thousands, currency signs. Doubt is asked about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError


class Style(NamedTuple):
    """How numbers are written: the decimal sign, and the sign between thousands (empty: none)."""

    decimal: str
    thousands: str


PLAIN = Style(".", "")
STYLES = tuple(Style(decimal, sign) for sign in ("", ",", ".", " ", "'") for decimal in ".," if decimal != sign)

# From pandas 3.1 on reading is exact by itself, and the option is on its way out.
_PANDAS = tuple(int(part) for part in pd.__version__.split(".")[:2])
EXACT_FLOATS: dict[str, Any] = {} if _PANDAS >= (3, 1) else {"float_precision": "round_trip"}

_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2019": "'", "\u2212": "-"})
_CURRENCY = re.compile(r"^([+-]?)\s*[$€£¥]\s*")
_MISSING = frozenset({"", "-", "--", "null", "none", "nan", "na", "n/a", "#n/a", "<na>"})


def to_numbers(columns: Mapping[str, pd.Series[Any]], decimal: str | None, thousands: str | None) -> dict[str, Float1D]:
    """Return the columns as float64; where they are text, written in the one style that fits all of them.

    Raises
    ------
    InputError
        If a cell is no number (the message names its row and column), or two styles fit and give other numbers.

    Examples
    --------
    >>> to_numbers({"close": pd.Series(["1.234,50", "999,00"])}, None, None)["close"]
    array([1234.5,  999. ])
    """
    texts = {name: _cells(column) for name, column in columns.items() if not pd.api.types.is_numeric_dtype(column)}
    style = find_style([cell for cells in texts.values() for cell in cells], decimal, thousands, texts)
    numbers = {}
    for name, column in columns.items():
        if name in texts:
            numbers[name] = np.array([_number(cell, style) for cell in texts[name]], dtype=np.float64)
        elif pd.api.types.is_bool_dtype(column) or pd.api.types.is_complex_dtype(column):
            raise InputError(f"column {name!r} holds {column.dtype}, expected numbers")
        else:
            numbers[name] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def find_style(
    cells: list[str],
    decimal: str | None = None,
    thousands: str | None = None,
    columns: Mapping[str, list[str]] | None = None,
) -> Style:
    """Return the style in which every cell is a number.

    Raises
    ------
    InputError
        If no style fits, or several do and give other numbers.

    Examples
    --------
    >>> find_style(["1,234.50", "12"])
    Style(decimal='.', thousands=',')
    """
    written = [cell for cell in cells if cell]
    allowed = [
        style
        for style in STYLES
        if (decimal is None or style.decimal == decimal) and (thousands is None or style.thousands == thousands)
    ]
    fitting = []
    for style in allowed:
        pattern = _pattern(style)
        if all(pattern.fullmatch(cell) for cell in written):
            fitting.append(style)
    if not fitting:
        _refuse(columns or {"": cells}, allowed)
    if PLAIN in fitting:
        return PLAIN
    first = fitting[0]
    for other in fitting[1:]:
        for cell in written:
            if _number(cell, first) != _number(cell, other):
                raise InputError(
                    f"{cell!r} may mean {_number(cell, first):g} or {_number(cell, other):g}; say which sign is the"
                    f' decimal: decimal="{first.decimal}" or decimal="{other.decimal}"'
                )
    return first


def looks_like_thousands(cells: list[str]) -> bool:
    """Return whether every number with a point could as well be thousands: `12.345` and nothing like `12.3`."""
    pointed = [cell for cell in cells if "." in cell]
    return bool(pointed) and all(re.fullmatch(r"[+-]?[1-9]\d{0,2}(\.\d{3})+", cell) for cell in pointed)


def clean(cell: str) -> str:
    """Return a cell without spaces around it, with its currency sign taken off; empty if it stands for no value."""
    text = cell.translate(_SPACES).strip()
    return "" if text.lower() in _MISSING else _CURRENCY.sub(r"\1", text)


def _cells(column: pd.Series[Any]) -> list[str]:
    return [clean(cell) if isinstance(cell, str) else "" if pd.isna(cell) else str(cell) for cell in column.tolist()]


def _pattern(style: Style) -> re.Pattern[str]:
    decimal = re.escape(style.decimal)
    whole = rf"\d{{1,3}}(?:{re.escape(style.thousands)}\d{{3}})+|\d+" if style.thousands else r"\d+"
    return re.compile(rf"[+-]?(?:(?:{whole})(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?", re.I)


def _number(cell: str, style: Style) -> float:
    if not cell:
        return float("nan")
    text = cell.replace(style.thousands, "") if style.thousands else cell
    return float(text.replace(style.decimal, "."))


def _refuse(columns: Mapping[str, list[str]], allowed: list[Style]) -> None:
    if not allowed:
        raise InputError('decimal must be "." or ",", and thousands "", ",", ".", " " or "\'", and not the same')
    loosest = [_pattern(style) for style in allowed]
    for name, cells in columns.items():
        for row, cell in enumerate(cells):
            if cell and not any(pattern.fullmatch(cell) for pattern in loosest):
                raise InputError(f"column {name!r} holds {cell!r} in row {row}, which is not a number")
    raise InputError(
        "the numbers are written in two ways, such as 1,5 and 1.5; no one decimal sign fits all of them: mend the file,"
        " or read it yourself and hand the frame to as_bars"
    )
