"""Signals that are ready made: arrays of true and false, one value per bar, checked against the bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from algotrendy.errors import InputError
from algotrendy.strategy.parameter import LEVELS, checked_columns, nearest

if TYPE_CHECKING:
    import pandas as pd

SIDES = ("entries", "exits", "short_entries", "short_exits")


@dataclass(frozen=True, eq=False)
class Signals:
    """Four conditions per bar, and levels where they change from bar to bar.

    Parameters
    ----------
    entries, exits, short_entries, short_exits : array-like of bool of shape (n_bars,), optional
        True where the condition holds at the end of the bar. A Series must have the index of the bars. None and NaN in
        an object or nullable Series are unknown, which never trades. None: never.
    stop, target, trail, size : float, str or array-like of float of shape (n_bars,), optional
        As in a `Strategy`, or one fraction per bar, taken from the bar on which the entry is decided; NaN is none.
    columns : sequence of str
        Further columns of the bars that levels given as texts use by name, such as `pe`.

    Examples
    --------
    >>> import numpy as np
    >>> signals = Signals(entries=np.array([True, False, False]), exits=np.array([False, False, True]))
    >>> signal_words(signals.arrays(None, 3)).tolist()
    [[1], [4], [0], [0]]
    """

    entries: Any = None
    exits: Any = None
    short_entries: Any = None
    short_exits: Any = None
    stop: Any = None
    target: Any = None
    trail: Any = None
    size: Any = None
    columns: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", checked_columns(self.columns))

    @classmethod
    def of(cls, given: Any, source: str = "the strategy") -> Signals:
        """Return what a Python strategy gave back as `Signals`.

        Parameters
        ----------
        given : Signals, mapping, DataFrame or tuple
            A mapping or frame has the names of the fields; a tuple is (entries, exits) or all four.
        source : str
            Who gave it, for messages.

        Raises
        ------
        InputError
            If it is something else, or a name is not known.
        """
        if isinstance(given, Signals):
            return given
        if isinstance(given, tuple):
            if len(given) not in (2, 4):
                raise InputError(
                    f"{source} gave a tuple of {len(given)}; give (entries, exits), or all four of {SIDES}"
                )
            return cls(**dict(zip(SIDES, given, strict=False)))
        if isinstance(given, Mapping) or _is_frame(given):
            known = (*SIDES, *LEVELS)
            columns: dict[str, Any] = {str(name): given[name] for name in given}
            for name in columns:
                if name not in known:
                    raise InputError(f"{source} gave an unknown column {name!r}{nearest(name, known)}")
            return cls(**columns)
        kind = type(given).__name__
        raise InputError(
            f"{source} gave a {kind}; return at.Signals(entries=..., exits=...), a mapping or a frame with those names"
        )

    def with_columns(self, columns: Sequence[str]) -> Signals:
        """Return the same signals, whose texts may use these columns besides their own."""
        return replace(self, columns=tuple(dict.fromkeys((*self.columns, *columns)))) if columns else self

    def arrays(self, index: pd.Index | None, n_bars: int) -> list[NDArray[np.bool_] | None]:
        """Return the four conditions as arrays of bool, None where there is none.

        Parameters
        ----------
        index : Index or None
            Of the bars; every Series must have the same one.
        n_bars : int
            Number of bars.

        Raises
        ------
        InputError
            If there is no entry, an exit stands without its entry, a length or index differs, or values are not
            booleans.
        """
        if self.entries is None and self.short_entries is None:
            raise InputError(
                "nothing opens a position; give entries= for long positions, short_entries= for short ones"
            )
        for opening, closing in (("entries", "exits"), ("short_entries", "short_exits")):
            if getattr(self, opening) is None and getattr(self, closing) is not None:
                raise InputError(f"{closing} is given but nothing opens such a position; give {opening}= too")
        return [_booleans(name, getattr(self, name), index, n_bars) for name in SIDES]

    def levels(self, index: pd.Index | None, n_bars: int) -> dict[str, NDArray[np.float64]]:
        """Return those of stop, target, trail and size that are given, as float64 of length 1 or n_bars.

        Raises
        ------
        InputError
            If a value is negative or not a number, or a length or index differs.
        """
        given = {name: getattr(self, name) for name in LEVELS}
        return {name: level_array(name, value, index, n_bars) for name, value in given.items() if value is not None}


def signal_words(conditions: list[NDArray[np.bool_] | None]) -> NDArray[np.uint64]:
    """Return conditions as bits: bit i % 64 of word i // 64 of a row is the condition at bar i.

    Parameters
    ----------
    conditions : list of (ndarray of bool of shape (n_bars,) or None)
        None is a condition that never holds.

    Returns
    -------
    ndarray of uint64 of shape (n_conditions, ceil(n_bars / 64))
    """
    n_bars = next(len(condition) for condition in conditions if condition is not None)
    words = np.zeros((len(conditions), -(-n_bars // 64)), dtype="<u8")
    for row, condition in zip(words, conditions, strict=True):
        if condition is not None:
            packed = np.packbits(condition, bitorder="little")
            row.view(np.uint8)[: len(packed)] = packed
    return words.astype(np.uint64, copy=False)


def level_array(name: str, value: Any, index: pd.Index | None, n_bars: int) -> NDArray[np.float64]:
    """Return a level that is a number or an array as float64 of length 1 or n_bars.

    Raises
    ------
    InputError
        If it is not made of numbers, has a negative or infinite one, or does not fit the bars.
    """
    if np.ndim(value) == 0:
        from algotrendy.strategy.levels import check_level, level_number

        return np.array([level_number(check_level(name, value))])
    values = _aligned(name, value, index, n_bars)
    if values.dtype == bool or values.dtype.kind not in "iuf":
        raise InputError(f"{name} holds {values.dtype} values; give numbers, NaN for none")
    result = np.ascontiguousarray(values, dtype=np.float64)
    wrong = np.flatnonzero((result < 0) | np.isinf(result))
    if len(wrong):
        at = _place(int(wrong[0]), index)
        raise InputError(f"{name} is {result[wrong[0]]:g} at {at}; it is a distance: zero or above, NaN for none")
    return result


def _booleans(name: str, given: Any, index: pd.Index | None, n_bars: int) -> NDArray[np.bool_] | None:
    if given is None:
        return None
    values = _aligned(name, given, index, n_bars)
    if values.dtype == bool:
        return values
    if values.dtype != object:
        raise InputError(f"{name} holds {values.dtype} values; give booleans: `{name} > 0` or `{name}.astype(bool)`")
    result = np.zeros(n_bars, dtype=bool)
    for row, value in enumerate(values):
        if isinstance(value, bool | np.bool_):
            result[row] = value
        elif not _is_missing(value):
            raise InputError(f"{name} is {value!r} at {_place(row, index)}; give True, False, or None for unknown")
    return result


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _aligned(name: str, given: Any, index: pd.Index | None, n_bars: int) -> NDArray[Any]:
    """Return the values of one array or Series that fits the bars row by row."""
    if isinstance(given, str | bytes):
        raise InputError(f"{name} is the text {given!r}; give an array of booleans, or put a text in a Strategy")
    if _is_frame(given):
        if len(given.columns) != 1:
            raise InputError(
                f"{name} is a frame of {len(given.columns)} columns; give one column of it, for one instrument"
            )
        given = given.iloc[:, 0]
    own_index = getattr(given, "index", None)
    if index is not None and own_index is not None and not callable(own_index):
        _same_index(name, own_index, index)
        given = _series_values(given)
    values = np.asarray(given)
    if values.ndim != 1:
        raise InputError(f"{name} has the shape {values.shape}; one value per bar was expected: ({n_bars},)")
    if len(values) != n_bars:
        raise InputError(f"{name} has {len(values)} values, the bars have {n_bars} rows; give one value per bar")
    return values


def _series_values(series: Any) -> Any:
    """Return the values of a Series; nullable booleans become objects, so that the missing ones stay missing."""
    if series.dtype.kind == "b" and series.dtype != bool:
        return series.to_numpy(dtype=object)
    return series.to_numpy()


def _same_index(name: str, found: pd.Index, expected: pd.Index) -> None:
    if found is expected or found.equals(expected):
        return
    rows = min(len(found), len(expected))
    pairs = zip(found[:rows], expected[:rows], strict=True)
    row = next((row for row, (left, right) in enumerate(pairs) if not _same_label(left, right)), rows)
    if row == len(found) == len(expected):  # the same stamps in another unit
        return
    left = repr(str(found[row])) if row < len(found) else "nothing"
    right = repr(str(expected[row])) if row < len(expected) else "nothing"
    raise InputError(
        f"{name} has {len(found)} rows, the bars {len(expected)}, and they are not the same: the first difference is "
        f"row {row}, {left} against {right} of the bars; use {name}.reindex(bars.index) if that is what you mean"
    )


def _same_label(left: Any, right: Any) -> bool:
    try:
        return bool(left == right)
    except (TypeError, ValueError):
        return False


def _place(row: int, index: pd.Index | None) -> str:
    return f"row {row}" if index is None else f"{index[row]} (row {row})"


def _is_frame(value: Any) -> TypeGuard[pd.DataFrame]:
    return hasattr(value, "columns") and hasattr(value, "iloc")
