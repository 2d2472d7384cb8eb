"""Target weights: what they may be, and what is left for cash."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from algotrendy.domain.money import as_decimal, rounded
from algotrendy.errors import InputError

__all__ = ["check_targets"]

SUM_TOLERANCE = Decimal("1e-9")
"""Weights that come from floats may sum to this much more than 1."""


def check_targets(
    targets: Mapping[str, Any], *, allow_leverage: bool = False, allow_short: bool = False
) -> dict[str, Decimal]:
    """Return target weights as Decimal.

    Parameters
    ----------
    targets : mapping of str to number
        Instrument to its fraction of the portfolio. What they leave to 1 is cash.
    allow_leverage : bool
        Whether the sizes of all weights may sum to more than 1; the portfolio then borrows.
    allow_short : bool
        Whether a weight may be below 0.

    Returns
    -------
    dict of str to Decimal
        The same weights.

    Raises
    ------
    InputError
        If a weight is no finite number, below 0, or their sizes sum to more than 1, unless allowed.

    Examples
    --------
    >>> check_targets({"SPY": 0.6, "TLT": 0.3})
    {'SPY': Decimal('0.6'), 'TLT': Decimal('0.3')}
    """
    found = {name: _weight(name, weight) for name, weight in targets.items()}
    below = [name for name, weight in found.items() if weight < 0]
    if below and not allow_short:
        raise InputError(f"the weight of {below[0]} is {found[below[0]]}, below 0; allow_short=True permits it")
    total = sum((abs(weight) for weight in found.values()), Decimal(0))
    if total > 1 + SUM_TOLERANCE and not allow_leverage:
        raise InputError(
            f"target weights sum to {total}, above 1; give fractions (60 % is 0.6) that leave the rest to cash, "
            "or allow_leverage=True"
        )
    return found


def _weight(name: str, weight: Any) -> Decimal:
    if isinstance(weight, float) and math.isfinite(weight):
        weight = rounded(Decimal(str(float(weight))))  # a float may have more decimals than a Decimal of ours
    return as_decimal(weight, f"the weight of {name}")
