"""The ratios in which shares are split by custom: n for 1, 1 for n, and a few fractions of small numbers."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from algotrendy.domain.types import Float1D

_WHOLE = (*range(2, 11), 12, 15, 16, 20, 25, 30, 40, 50, 60, 75, 80)
_FRACTIONS = ((3, 2), (5, 2), (4, 3), (5, 3), (5, 4))


class Ratios(NamedTuple):
    """Ratios of new shares to old ones, and how much each is expected: 1 / (new x old), scaled to a sum of 1.

    Three tenths of that weight lie on 2:1, 1:2, 3:1 and 1:3. It is a rule of thumb: simple numbers are likelier.
    """

    new: Float1D
    old: Float1D
    log: Float1D
    weight: Float1D


@cache
def ratios() -> Ratios:
    """Return the ratios that are considered; 100 and more are looked for as powers of ten."""
    pairs = {(n, 1) for n in _WHOLE} | {(1, n) for n in _WHOLE}
    # 8:3 and 7:4 are no custom anywhere, and 6:5, 7:6, ... would be met by every other gap of news.
    pairs |= {*_FRACTIONS, *((b, a) for a, b in _FRACTIONS)}
    new, old = np.array(sorted(pairs), dtype=float).T
    weight = 1.0 / (new * old)
    return Ratios(new, old, np.log(new / old), weight / weight.sum())


def nearest_ratio(move: float) -> tuple[float, float]:
    """Return the ratio of a split at which log prices would move so, and how far the move is from it.

    Examples
    --------
    >>> nearest_ratio(-0.70)
    (2.0, 0.00685...)
    """
    table = ratios()
    away = np.abs(move + table.log)
    place = int(away.argmin())
    return float(table.new[place] / table.old[place]), float(away[place])


def ratio_text(ratio: float) -> str:
    """Return a ratio as it is said.

    Examples
    --------
    >>> ratio_text(2.0), ratio_text(1.5), ratio_text(0.1), ratio_text(0.76)
    ('2:1', '3:2', '1:10', '0.76')
    """
    for old in (1, 2, 3, 4, 5):
        if abs(ratio * old - round(ratio * old)) < 1e-6 and round(ratio * old) > 0:
            return f"{round(ratio * old)}:{old}"
    if abs(1.0 / ratio - round(1.0 / ratio)) < 1e-6:
        return f"1:{round(1.0 / ratio)}"
    return f"{ratio:.6g}"
