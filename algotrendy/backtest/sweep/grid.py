"""The combinations of a sweep: which values each parameter takes, and which combinations are wanted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from algotrendy.errors import InputError

Value = int | float
Where = str | Callable[[Mapping[str, Any]], Any] | None

_COMBINATIONS_MAX = 50_000_000


@dataclass(frozen=True, eq=False)
class Grid:
    """All wanted combinations of parameter values, the last name varying fastest.

    Attributes
    ----------
    names : tuple of str
        What is varied.
    values : tuple of tuples
        The values of each name, in the order given.
    index : int32 array of shape (n_combinations, n_names)
        Position in `values` of each name's value.
    """

    names: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...]
    index: npt.NDArray[np.int32]
    _columns: dict[str, npt.NDArray[Any]] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.index)

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return the values of `name`, one per combination."""
        if name not in self._columns:
            k = self.names.index(name)
            self._columns[name] = np.asarray(self.values[k])[self.index[:, k]]
        return self._columns[name]

    def combination(self, row: int) -> dict[str, Value]:
        """Return one combination as a dictionary."""
        return {
            name: values[i] for name, values, i in zip(self.names, self.values, self.index[row].tolist(), strict=True)
        }


def make_grid(grid: Mapping[str, Iterable[Value]], keep: Callable[[Grid], npt.NDArray[np.bool_]] | None = None) -> Grid:
    """Return all combinations of the values in `grid` that `keep` lets through.

    Parameters
    ----------
    grid : mapping of str to iterable of numbers
        Values to try for each name: `{"fast": range(5, 51), "stop": [0.02, 0.05]}`.
    keep : callable, optional
        Takes the whole grid, returns one bool per combination.

    Raises
    ------
    InputError
        If there is nothing to vary, a name has no values, a value is no finite number or comes twice, the number of
        combinations is beyond reason, or none is kept.

    Examples
    --------
    >>> len(make_grid({"fast": range(3), "slow": range(4)}))
    12
    """
    if not isinstance(grid, Mapping) or not grid:
        raise InputError(f'the grid is {grid!r}; expected at least one name with values, like {{"fast": range(5, 51)}}')
    values = tuple(checked_values(name, given) for name, given in grid.items())
    total = int(np.prod([len(v) for v in values], dtype=object))
    if total > _COMBINATIONS_MAX:
        raise InputError(
            f"the grid has {total:,} combinations, more than {_COMBINATIONS_MAX:,}; widen the steps or vary fewer names"
        )
    axes = np.indices([len(v) for v in values], dtype=np.int32).reshape(len(values), -1)
    every = Grid(tuple(grid), values, np.ascontiguousarray(axes.T))
    if keep is None:
        return every
    kept = Grid(every.names, every.values, every.index[keep(every)])
    if not len(kept):
        raise InputError(f"`where` keeps none of the {total:,} combinations; relax it or widen the grid")
    return kept


def checked_values(name: str, given: Any) -> tuple[Value, ...]:
    """Return the values of one name as plain numbers.

    Raises
    ------
    InputError
        If they are not several finite numbers, each once.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InputError(f"grid[{name!r}] is {given!r}; expected several numbers, like range(5, 51) or [0.02, 0.05]")
    values = tuple(value.item() if isinstance(value, np.generic) else value for value in given)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"grid[{name!r}] has {value!r}; expected finite numbers")
    if not values:
        raise InputError(f"grid[{name!r}] is empty; give at least one value")
    if len(set(values)) < len(values):
        twice = next(value for i, value in enumerate(values) if value in values[:i])
        raise InputError(f"grid[{name!r}] has {twice!r} more than once; give each value once")
    return values
