"""How much history an output needs: where it differs if the bars begin later. This is no leak, but live it matters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from algotrendy.backtest.lookahead.subject import Failure, Subject
from algotrendy.backtest.lookahead.table import Table, unlike
from algotrendy.backtest.lookahead.worlds import Worlds
from algotrendy.domain.types import AnyArray

__all__ = ["WarmUp", "find_warm_up"]

_SHARES = (0.25, 0.5, 0.6)
_SETTLED = 0.9
"""An output that still differs after this share of the remaining bars does not settle."""


@dataclass(frozen=True)
class WarmUp:
    """How one output depends on where the bars begin.

    Attributes
    ----------
    output : str
        Its name.
    n_bars : int or None
        Bars of history after which it no longer differs by more than the tolerance; None: it never settles, because it
        depends on all bars before, on the number of the row, or on a state that began with the first bar.
    tolerance : float
        The largest relative difference that counts as none.
    """

    output: str
    n_bars: int | None
    tolerance: float


def find_warm_up(
    subject: Subject, worlds: Worlds, base: Table, sizes: dict[str, float], tolerance: float
) -> tuple[tuple[WarmUp, ...], int]:
    """Return the warm-up of each output, and how many runs it took.

    Parameters
    ----------
    subject : Subject
        What is run.
    worlds : Worlds
        The bars.
    base : Table
        Outputs for all bars; outputs whose rows are numbered, such as charts, are left out.
    sizes : dict
        Typical size of each output.
    tolerance : float
        Largest relative difference that counts as none.
    """
    if base.keys is not None:
        return (), 0
    needed: dict[str, int | None] = {}
    runs = 0
    for start in dict.fromkeys(int(worlds.n_bars * share) for share in _SHARES):
        if start < 1 or worlds.n_bars - start < 2:
            continue
        made = subject.run(worlds.since(start))
        runs += 1
        if isinstance(made, Failure) or made.keys is not None:
            continue
        for name, values in base.columns.items():
            if name in made.columns:
                bars = _settles(values[start:], made.columns[name], sizes.get(name, 0.0), tolerance)
                known = needed.get(name, 0)
                needed[name] = None if bars is None or known is None else max(bars, known)
    return tuple(WarmUp(name, bars, tolerance) for name, bars in needed.items()), runs


def _settles(full: AnyArray, late: AnyArray, size: float, tolerance: float) -> int | None:
    rows = min(len(full), len(late))
    differing = np.flatnonzero(unlike(full[:rows], late[:rows], size, tolerance))
    if not differing.size:
        return 0
    last = int(differing[-1]) + 1
    return None if last > _SETTLED * rows else last
