"""Plotly figures as strict JSON: no NaN tokens, arrays packed, the same bytes for the same figure."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.errors import InputError

_PACKED = {"f": "<f8", "i": "<i4", "u": "<u4"}
_INT32 = np.iinfo(np.int32)


def figure_json(figure: Any) -> str:
    r"""Return a figure as JSON that may stand inside a `<script>` element.

    Parameters
    ----------
    figure : mapping or plotly Figure
        With `data` and `layout`.

    Returns
    -------
    str
        Strict JSON. Number arrays are packed as Plotly's typed arrays (base64); NaN and infinite numbers outside of
        arrays become null; `<` is written as `\u003c`, so that no text can close the element.

    Raises
    ------
    InputError
        If `figure` is not a figure, or holds something that JSON cannot say.

    Examples
    --------
    >>> figure_json({"data": [{"y": [1.0, float("nan")]}], "layout": {"title": {"text": "<b>"}}})
    '{"data":[{"y":[1.0,null]}],"layout":{"title":{"text":"\\u003cb>"}}}'
    """
    content = figure.to_plotly_json() if hasattr(figure, "to_plotly_json") else figure
    if not isinstance(content, Mapping) or "data" not in content:
        raise InputError(
            f"a chart needs a plotly Figure or a mapping with 'data' and 'layout', found {type(figure).__name__}"
        )
    layout = {key: value for key, value in content.get("layout", {}).items() if key != "template"}
    plain = _plain({"data": content["data"], "layout": layout})
    text = json.dumps(plain, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _plain(value: Any) -> Any:
    """Return a value in the types that JSON knows."""
    match value:
        case None | bool() | str():
            return str(value) if isinstance(value, np.str_) else value
        case np.ndarray():
            return _array(value)
        case np.generic():
            return _plain(value.item()) if not isinstance(value, np.datetime64) else str(value)
        case int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date():
            text = value.isoformat()
            return None if text == "NaT" else text
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case Sequence() | set() | frozenset():
            return [_plain(item) for item in value]
    if hasattr(value, "to_numpy"):
        return _array(value.to_numpy())
    if hasattr(value, "to_plotly_json"):
        return _plain(value.to_plotly_json())
    raise InputError(f"a chart cannot hold a {type(value).__name__}; give numbers, text, dates or arrays of them")


def _array(values: NDArray[Any]) -> Any:
    """Return an array as Plotly's typed array where it is one of numbers, else as a list."""
    kind = values.dtype.kind
    if kind == "M":
        return np.datetime_as_string(values).tolist()
    if kind in "iu" and values.size and (values.min() < _INT32.min or values.max() > _INT32.max):
        kind = "f"  # Plotly has no 64-bit integers
    if kind not in _PACKED:
        return [_plain(item) for item in values.tolist()]
    packed = np.ascontiguousarray(values, dtype=_PACKED[kind])
    typed = {"dtype": packed.dtype.str[1:], "bdata": b64encode(packed.tobytes()).decode("ascii")}
    return typed if values.ndim == 1 else typed | {"shape": ", ".join(str(length) for length in values.shape)}
