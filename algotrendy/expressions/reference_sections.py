"""Cross-sections of one bar in plain Python: what `docs/reference/expressions.md` says, and what kernels must equal.

It is slow and obviously correct, and knows no kernel and no array library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

__all__ = ["section_of"]

TOLERANCE = 1e-12


def section_of(
    name: str,
    values: Sequence[float | None],
    scales: Sequence[float] | None = None,
    groups: Sequence[object] | None = None,
    share: float = 0.5,
) -> list[float | None]:
    """Return a cross-section of one bar: one number per instrument, None for who takes no part.

    Parameters
    ----------
    name : str
        "rank", "share", "above", "below", "quantile", "demean" or "zscore".
    values : sequence of float or None
        One per instrument; None takes no part.
    scales : sequence of float, optional
        The magnitudes against which ties are decided; those of the values by default.
    groups : sequence, optional
        The label of each instrument; None takes no part.
    share : float
        Of a quantile.

    Examples
    --------
    >>> section_of("rank", [3.0, None, 1.0, 3.0])
    [2.5, None, 1.0, 2.5]
    >>> section_of("demean", [3.0, 1.0, 5.0], groups=["a", "a", "b"])
    [1.0, -1.0, 0.0]
    """
    sizes = [abs(value or 0.0) for value in values] if scales is None else [abs(scale) for scale in scales]
    labels: Sequence[object] = [0] * len(values) if groups is None else groups
    found: list[float | None] = [None] * len(values)
    for label in {label for label in labels if label is not None}:
        inside = {j: value for j, value in enumerate(values) if labels[j] == label and value is not None}
        for j in inside:
            found[j] = _of_group(name, j, inside, sizes, share)
    return found


def _of_group(name: str, j: int, inside: dict[int, float], sizes: Sequence[float], share: float) -> float | None:
    count = len(inside)
    if name in ("demean", "zscore"):
        mean = sum(map(Fraction, inside.values())) / count
        away = float(Fraction(inside[j]) - mean)
        if name == "demean":
            return away
        spread = math.sqrt(sum((Fraction(value) - mean) ** 2 for value in inside.values()) / count)
        return None if spread <= TOLERANCE * max(sizes[k] for k in inside) else away / spread
    if name == "quantile":
        ordered = sorted(inside.values())
        at = share * (count - 1)
        low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
        return low + (high - low) * (at - math.floor(at))
    ties = _ties(inside, sizes)
    own = next(k for k, tie in enumerate(ties) if j in tie)
    below, above = sum(map(len, ties[:own])), sum(map(len, ties[own + 1 :]))
    middle = below + (len(ties[own]) + 1) / 2
    return {"rank": middle, "share": middle / count, "above": float(above), "below": float(below)}[name]


def _ties(inside: dict[int, float], sizes: Sequence[float]) -> list[list[int]]:
    """Return the instruments from the lowest to the highest, those that are tied together.

    Equal values are one step. A step belongs to the tie below it if it differs from the highest value there by 1e-12
    of the largest magnitude in both, or less.
    """
    ties: list[list[int]] = []
    for value in sorted(set(inside.values())):
        step = [j for j, other in inside.items() if other == value]
        if ties:
            gap = value - max(inside[j] for j in ties[-1])
            if gap <= TOLERANCE * max(sizes[j] for j in (*step, *ties[-1])):
                ties[-1] += step
                continue
        ties.append(step)
    return ties
