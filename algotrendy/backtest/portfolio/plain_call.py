"""The arguments of `backtest` in plain JSON types and back: frames, costs, actions, margins and strategies of text.

What can come back is a closed list of kinds, so nothing that is read is ever run. Of a Python function, or the class of
a stateful strategy, the description alone is written; whoever reads it hands the code in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.plain import from_plain, to_plain
from algotrendy.backtest.portfolio.extras import ContractMargin, Margin
from algotrendy.backtest.repeat import strategy_of
from algotrendy.backtest.storage_json import array_from_plain, array_to_plain, stamps_facts, stamps_index
from algotrendy.domain.actions import Actions, Factors
from algotrendy.domain.instrument import DatedTicker, Instrument
from algotrendy.domain.interval import Interval
from algotrendy.domain.types import AnyArray
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy, FixedUnits, PythonStrategy, Signals, Strategy, VolatilityTarget

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["argument_from_plain", "argument_to_plain"]

_DATACLASSES: dict[str, Callable[..., Any]] = {
    kind.__name__: kind
    for kind in (
        *(Actions, ContractMargin, DatedTicker, Factors, Fees, FixedUnits, Instrument, Margin, Signals),
        VolatilityTarget,
    )
}
"""Kinds that are their fields."""


def argument_to_plain(value: Any) -> Any:
    """Return an argument of `backtest` in types that strict JSON knows.

    Parameters
    ----------
    value : any
        Numbers, texts, moments, frames, series, arrays, costs, margins, actions, signals, strategies, calendars, and
        mappings and sequences of them.

    Raises
    ------
    InputError
        If there is something else in it.

    Examples
    --------
    >>> argument_to_plain({"A": (0.5, 0.25)})
    {'A': {'$tuple': [0.5, 0.25]}}
    >>> argument_to_plain(Fees(rate=0.001))["$kind"]
    'Fees'
    """
    import pandas as pd

    match value:
        case pd.DataFrame():
            return {"$frame": {"index": _index(value.index), "columns": [_column(*pair) for pair in value.items()]}}
        case pd.Series():
            return {"$series": {"index": _index(value.index), **_column(value.name, value)}}
        case np.ndarray():
            return {"$array": {"shape": list(value.shape), **_values(value.ravel())}}
        case Strategy() | PythonStrategy() | BarStrategy():
            return {"$strategy": to_plain(value.to_dict())}
        case Interval() | str():
            return str(value)
        case tuple():
            return {"$tuple": [argument_to_plain(item) for item in value]}
        case list() | pd.Index():
            return [argument_to_plain(item) for item in value]
        case Mapping():
            if all(isinstance(key, str) and not key.startswith("$") for key in value):
                return {key: argument_to_plain(item) for key, item in value.items()}
            return {"$pairs": [[argument_to_plain(key), argument_to_plain(item)] for key, item in value.items()]}
    return _scalar(value)


def argument_from_plain(value: Any) -> Any:
    """Return what `argument_to_plain` was given.

    Raises
    ------
    InputError
        If it names a kind that is not known, or a strategy that is code.

    Examples
    --------
    >>> argument_from_plain(argument_to_plain({"A": (0.5, Fees(rate=0.001))}))
    {'A': (0.5, Fees(rate=0.001, per_unit=0.0, fixed=0.0, minimum=0.0))}
    """
    import pandas as pd

    if isinstance(value, list):
        return [argument_from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"$frame": {"index": index, "columns": columns}}:
            stamps = _index_from(index)
            names = [argument_from_plain(each["name"]) for each in columns]
            found = pd.DataFrame({k: _column_from(each, stamps) for k, each in enumerate(columns)}, index=stamps)
            return found.set_axis(pd.Index(names, dtype=object), axis=1)
        case {"$series": {"index": index, **column}}:
            return _column_from(column, _index_from(index)).rename(argument_from_plain(column["name"]))
        case {"$array": {"shape": shape, **values}}:
            return _values_from(values).reshape(shape)
        case {"$strategy": described}:
            return strategy_of(from_plain(described))
        case {"$tuple": items}:
            return tuple(argument_from_plain(item) for item in items)
        case {"$pairs": pairs}:
            return {argument_from_plain(key): argument_from_plain(item) for key, item in pairs}
        case {"$kind": kind, **parts}:
            return _of_kind(kind, {name: argument_from_plain(part) for name, part in parts.items()})
        case {"$float": _} | {"$moment": _}:
            return from_plain(value)
    return {key: argument_from_plain(item) for key, item in value.items()}


# --- what is neither a table nor a container ---


def _scalar(value: Any) -> Any:
    import pandas as pd

    kind = type(value).__name__
    if kind in _DATACLASSES and isinstance(value, _DATACLASSES[kind]):  # type: ignore[arg-type]  # they are classes
        return {"$kind": kind} | {part.name: argument_to_plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Decimal):
        return {"$kind": "Decimal", "text": str(value)}
    if isinstance(value, date | np.datetime64) and not isinstance(value, pd.Timestamp):
        return to_plain(pd.Timestamp(value))
    if value is pd.NA:
        return None
    if callable(getattr(value, "next_session", None)):
        return {"$kind": "Calendar", "name": _known_calendar(value)}
    return to_plain(value)


def _known_calendar(calendar: Any) -> str:
    """Return the name of a calendar by which every place finds it.

    Raises
    ------
    InputError
        If it is not found by its name.
    """
    from algotrendy.domain.calendar import as_calendar

    name = str(calendar.name)
    if as_calendar(name) != calendar:
        raise InputError(
            f"the calendar {name!r} is your own, which is not found by its name elsewhere; use a known one"
        )
    return name


def _of_kind(kind: str, parts: Mapping[str, Any]) -> Any:
    """Return a value of a known kind.

    Raises
    ------
    InputError
        If the kind is not known.
    """
    if kind == "Decimal":
        return Decimal(parts["text"])
    if kind == "Calendar":
        from algotrendy.domain.calendar import as_calendar

        return as_calendar(parts["name"])
    if kind not in _DATACLASSES:
        raise InputError(f"there is a {kind!r} in it, which this algotrendy does not know; update algotrendy")
    if kind == "DatedTicker" and parts["until"] is not None:
        return DatedTicker(parts["ticker"], parts["until"].date())
    return _DATACLASSES[kind](**parts)


# --- tables ---


def _index(index: pd.Index[Any]) -> dict[str, Any]:
    import pandas as pd

    if isinstance(index, pd.DatetimeIndex) and not index.hasnans:
        return {"stamps": index.asi8.tolist(), **stamps_facts(index)}
    return {"name": argument_to_plain(index.name), **_values(index.to_numpy(), index.tolist())}


def _index_from(content: Mapping[str, Any]) -> pd.Index[Any]:
    import pandas as pd

    if "stamps" in content:
        return stamps_index(np.array(content["stamps"], dtype=np.int64), content)
    return pd.Index(_values_from(content), name=argument_from_plain(content["name"]))


def _column(name: Any, column: pd.Series[Any]) -> dict[str, Any]:
    """Return a column; one of numbers that may be missing is one of floats, other extension types are their items."""
    if column.dtype.kind in "iuf" and not isinstance(column.dtype, np.dtype):
        column = column.astype(np.float64)
    return {"name": argument_to_plain(name), **_values(column.to_numpy(), column.tolist())}


def _column_from(content: Mapping[Any, Any], index: pd.Index[Any]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(_values_from(content), index=index)


def _values(values: AnyArray, items: list[Any] | None = None) -> dict[str, Any]:
    """Return numbers and truths with their type, anything else item by item."""
    if values.dtype.kind in "fiub":
        return array_to_plain(values)
    listed = values.tolist() if items is None else items
    return {"dtype": "items", "values": [argument_to_plain(item) for item in listed]}


def _values_from(content: Mapping[Any, Any]) -> AnyArray:
    if content["dtype"] != "items":
        return array_from_plain(content)
    found = np.empty(len(content["values"]), dtype=object)
    found[:] = [argument_from_plain(item) for item in content["values"]]
    return found
