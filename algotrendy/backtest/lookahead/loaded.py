"""Data that a function loads while it runs: what the loaders of pandas, NumPy and this package give it is changed.

A function that reads a file of all bars sees the future whatever it is handed. Which loaders it calls is read off the
names in its code; each is replaced while the function runs by one that changes the later rows of what it loads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.backtest.lookahead.captured import altered

__all__ = ["changed_loads", "loaders_named"]

_LOADERS = {
    "pandas": (
        *("read_csv", "read_table", "read_parquet", "read_pickle", "read_feather", "read_json", "read_excel"),
        *("read_hdf", "read_sql", "read_sql_query", "read_sql_table", "read_fwf"),
    ),
    "numpy": ("load", "loadtxt", "genfromtxt"),
    "algotrendy": ("load", "read_csv", "read_parquet", "sample"),
    "algotrendy.data": ("read_csv", "read_parquet", "sample"),
}


def loaders_named(names: Set[str]) -> list[tuple[str, str]]:
    """Return the loaders whose names occur in the code of a function, as pairs of module and name.

    Examples
    --------
    >>> loaders_named({"read_excel", "close"})
    [('pandas', 'read_excel')]
    """
    return [(module, name) for module, known in _LOADERS.items() for name in known if name in names]


@contextmanager
def changed_loads(
    loader: tuple[str, str], index: pd.DatetimeIndex, cut: int, rng: np.random.Generator
) -> Iterator[list[int]]:
    """Replace a loader by one that changes the rows after a cut; yields the numbers of rows of what it gave.

    Parameters
    ----------
    loader : tuple of str
        Module and name.
    index : DatetimeIndex
        Of the bars.
    cut : int
        Rows of this bar and of later ones are changed.
    rng : Generator
        For the other values.
    """
    module = import_module(loader[0])
    original: Callable[..., Any] = getattr(module, loader[1])
    given: list[int] = []

    def changed(*args: Any, **options: Any) -> Any:
        made = original(*args, **options)
        if not isinstance(made, pd.DataFrame | pd.Series | np.ndarray):
            return made
        other = altered(made, index, cut, rng, drop=False)
        if other is not None:
            given.append(len(made))
        return made if other is None else other

    setattr(module, loader[1], changed)
    try:
        yield given
    finally:
        setattr(module, loader[1], original)
