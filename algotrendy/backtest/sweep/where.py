"""Which combinations of a grid are wanted: a condition on the parameters, as text or as a function."""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.sweep.grid import Grid, Where
from algotrendy.errors import InputError

_named: Any = namedtuple
Keep = Callable[[Grid], npt.NDArray[np.bool_]]


def keeper(where: Where, fixed: Mapping[str, float]) -> Keep | None:
    """Return what tells the wanted combinations of a grid, or None if all are.

    Parameters
    ----------
    where : str, callable or None
        A condition such as `"fast < slow"`; or a function of a mapping from name to the column of its values, which
        returns one bool per combination.
    fixed : mapping of str to float
        The strategy's other parameters, which a text may use too.

    Raises
    ------
    InputError
        If `where` is neither, or the function does not return one bool per combination.
    ExpressionError
        If the text is not a condition on the parameters.
    """
    if where is None:
        return None
    if isinstance(where, str):
        return lambda grid: _by_text(where, grid, fixed)
    if callable(where):
        return lambda grid: _by_function(where, grid)
    raise InputError(f'`where` is {where!r}; expected a condition such as "fast < slow", or a function')


def _by_text(text: str, grid: Grid, fixed: Mapping[str, float]) -> npt.NDArray[np.bool_]:
    from algotrendy.expressions import evaluate_condition, parse
    from algotrendy.expressions.catalogue import Catalogue, Name

    # A combination is to this condition what a bar is to others: each name has a column of values.
    others = {name: value for name, value in fixed.items() if name not in grid.names}
    known = _plain_names([*grid.names, *others])
    readable = _with_plain_names(text, known)
    catalogue = Catalogue([Name(known[name]) for name in grid.names])
    values = {known[name]: value for name, value in others.items()}
    condition = parse(readable, parameters=values, catalogue=catalogue)
    if condition.kind != "condition":
        raise InputError(f'`where` is {text!r}, which is a number; expected a condition such as "fast < slow"')
    columns: Any = _named("columns", [*(known[name] for name in grid.names), "close"])
    table = [np.ascontiguousarray(grid.column(name), dtype=np.float64) for name in grid.names]
    return evaluate_condition(condition, columns(*table, np.ones(len(grid))), values).true


def _plain_names(names: Sequence[str]) -> dict[str, str]:
    """Return names that an expression may hold: `trend_fast` for `trend.fast`, of the same length where it is free."""
    found: dict[str, str] = {}
    for name in names:
        plain = name if name.isidentifier() else "p" * (not name[:1].isalpha()) + re.sub(r"\W", "_", name, flags=re.A)
        while plain != name and (plain in names or plain in found.values()):
            plain += "_"
        found[name] = plain
    return found


def _with_plain_names(text: str, known: Mapping[str, str]) -> str:
    """Return a condition with the names of the parameters of several strategies as one word each."""
    changed = sorted((name for name, plain in known.items() if name != plain), key=len, reverse=True)
    if not changed:
        return text
    words = "|".join(map(re.escape, changed))
    return re.sub(rf"(?<![\w.])(?:{words})(?![\w.])", lambda found: known[found[0]], text)


def _by_function(function: Callable[[Mapping[str, Any]], Any], grid: Grid) -> npt.NDArray[np.bool_]:
    kept = np.asarray(function({name: grid.column(name) for name in grid.names}))
    if kept.shape != (len(grid),) or kept.dtype != np.bool_:
        raise InputError(
            f"`where` returned {kept.dtype} of shape {kept.shape}; expected one bool for each of the {len(grid):,} "
            'combinations, as in lambda p: p["fast"] < p["slow"]'
        )
    return kept
