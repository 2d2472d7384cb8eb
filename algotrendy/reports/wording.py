"""How values are written for a reader, and how a spreadsheet shows the same values as numbers."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

__all__ = ["MISSING", "Kind", "is_missing", "moment_text", "written", "zero_without_sign"]

Kind: TypeAlias = Literal["money", "change", "share", "points", "ratio", "count", "moment", "number"]

MISSING = "n/a"
"""How a number that is not defined is written."""


def written(value: Any, kind: Kind) -> str:
    """Return a value as a reader should see it.

    Parameters
    ----------
    value : float, int, Decimal, Timestamp or None
        Shares and changes as fractions. NaN, NaT and None are written "n/a".
    kind : str
        "money" (two decimals), "change" (percent with its sign), "share" (percent), "points" (percent, the sign of
        percent left to the caption), "ratio" (two decimals), "count" (whole), "moment" (a date, with the time where
        there is one), "number" (as short as possible).

    Examples
    --------
    >>> written(0.1234, "change"), written(0.1234, "share"), written(1234.5, "money"), written(float("nan"), "ratio")
    ('+12.3 %', '12.3 %', '1,234.50', 'n/a')
    """
    if is_missing(value):
        return MISSING
    if kind == "moment":
        return moment_text(value)
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    match kind:
        case "money" | "ratio":
            return zero_without_sign(f"{value:,.2f}")
        case "change":
            return zero_without_sign(f"{value:+,.1%}".replace("%", " %"))
        case "share":
            return f"{value:,.1%}".replace("%", " %")
        case "points":
            return zero_without_sign(f"{100 * value:.1f}")
        case "count":
            return f"{int(value):,}"
    return str(value) if isinstance(value, str) else f"{value:,g}"


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN or NaT.

    Examples
    --------
    >>> is_missing(float("nan")), is_missing(0.0)
    (True, False)
    """
    import pandas as pd

    return bool(pd.isna(value))


def zero_without_sign(text: str) -> str:
    """Return a number as text, without its sign if it was rounded to zero.

    Examples
    --------
    >>> zero_without_sign("-0.0 %"), zero_without_sign("-0.1 %")
    ('0.0 %', '-0.1 %')
    """
    return text if text.strip("+-0., %") else text.lstrip("+-")


def moment_text(moment: Any) -> str:
    """Return a moment as its date, followed by the time and the zone unless it is midnight.

    Examples
    --------
    >>> import pandas as pd
    >>> moment_text(pd.Timestamp("2020-01-31")), moment_text(pd.Timestamp("2020-01-31 15:30", tz="UTC"))
    ('2020-01-31', '2020-01-31 15:30 UTC')
    """
    if not hasattr(moment, "hour") or moment.hour == moment.minute == moment.second == 0:
        return str(moment.strftime("%Y-%m-%d"))
    clock = "%H:%M:%S" if moment.second else "%H:%M"
    return str(moment.strftime(f"%Y-%m-%d {clock} %Z")).strip()
