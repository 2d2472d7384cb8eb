"""Values of a result in plain JSON types and back, without loss: NaN, infinities, moments and keys that are not text.

What JSON cannot say is written as an object with one key that begins with `$`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, Literal

import numpy as np

from algotrendy.errors import InputError


def to_plain(value: Any) -> Any:
    """Return a value in types that strict JSON knows.

    Parameters
    ----------
    value : any
        None, bool, int, float, text, Timestamp, and mappings, sequences and dataclasses of them. A tuple comes back
        as a list, a dataclass as a dict.

    Raises
    ------
    InputError
        If there is something else in it.

    Examples
    --------
    >>> to_plain({"a": float("nan"), "b": (1, 2.5)})
    {'a': {'$float': 'nan'}, 'b': [1, 2.5]}
    """
    match value:
        case None | bool() | str():
            return value
        case np.generic():
            return to_plain(value.item())
        case int():
            return value
        case float():
            return value if math.isfinite(value) else {"$float": str(value)}
        case Mapping():
            if all(isinstance(key, str) and not key.startswith("$") for key in value):
                return {key: to_plain(item) for key, item in value.items()}
            return {"$pairs": [[to_plain(key), to_plain(item)] for key, item in value.items()]}
        case list() | tuple():
            return [to_plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return to_plain(asdict(value))
    return _moment(value)


def from_plain(value: Any) -> Any:
    """Return what `to_plain` was given.

    Examples
    --------
    >>> from_plain({"a": {"$float": "inf"}})
    {'a': inf}
    """
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"$float": text}:
            return float(text)
        case {"$moment": text, **options}:
            return _moment_from(text, **options)
        case {"$pairs": pairs}:
            return {from_plain(key): from_plain(item) for key, item in pairs}
    return {key: from_plain(item) for key, item in value.items()}


def _moment(value: Any) -> dict[str, Any]:
    import pandas as pd

    if value is pd.NaT:
        return {"$moment": "NaT"}
    if not isinstance(value, pd.Timestamp):
        raise InputError(
            f"a result cannot be saved with a {type(value).__name__} in it ({value!r}); use numbers or text"
        )
    naive = value if value.tz is None else value.tz_convert("UTC").tz_localize(None)
    zone = {} if value.tz is None else {"tz": str(value.tz)}
    return {"$moment": naive.isoformat(), "unit": value.unit, **zone}


def _moment_from(text: str, unit: Literal["s", "ms", "us", "ns"] = "ns", tz: str | None = None) -> Any:
    import pandas as pd

    if text == "NaT":
        return pd.NaT
    moment = pd.Timestamp(text).as_unit(unit)
    return moment if tz is None else moment.tz_localize("UTC").tz_convert(tz)
