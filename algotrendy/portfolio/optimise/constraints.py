"""What weights may be: bounds, groups, the sum, gross exposure, turnover and what trading costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.portfolio.optimise.estimates import series_of
from algotrendy.risk.checks import number

__all__ = ["Constraints"]

PerAsset: TypeAlias = float | Mapping[str, float] | pd.Series
"""One number for all assets, or one for some of them by name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Constraints:
    """What the weights of a portfolio may be; by default each between 0 and 1, and a sum of 1.

    Attributes
    ----------
    lower, upper : float, mapping or Series
        Bounds of each weight, as fractions of the equity; a mapping names some assets, the others keep 0 and 1. Below 0
        is short. Infinite is allowed.
    budget : float or pair of floats
        Sum of the weights, or its least and most; infinite leaves a side open. What is missing to 1 is cash.
    groups : mapping of str to str
        The group (a sector, say) of each asset that is in one.
    group_bounds : mapping of str to pair of floats
        Least and most of a group's sum; None leaves a side open.
    gross_max : float, optional
        Largest sum of the sizes of the weights, such as 1.6 for 130/30.
    held : mapping or Series, optional
        Weights now; assets that are not named are not held.
    turnover_max : float, optional
        Largest (purchases + sales) / 2 against `held`, as in `plan_rebalance`.
    costs : float, mapping or Series
        What trading costs, as a fraction of what is traded, against `held`. Counted once against a year's expected
        return, where an objective looks at returns.
    return_min : float, optional
        Least expected return of the portfolio per year, costs taken off.

    Examples
    --------
    >>> long_short = Constraints(lower=-0.2, upper=0.3, budget=1.0, gross_max=1.4)
    >>> sectors = Constraints(groups={"A": "tech", "B": "tech", "C": "oil"}, group_bounds={"tech": (None, 0.4)})
    >>> free = Constraints(lower=-math.inf, upper=math.inf)
    """

    lower: PerAsset = 0.0
    upper: PerAsset = 1.0
    budget: float | tuple[float, float] = 1.0
    groups: Mapping[str, str] = field(default_factory=dict)
    group_bounds: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    gross_max: float | None = None
    held: Mapping[str, float] | pd.Series | None = None
    turnover_max: float | None = None
    costs: PerAsset = 0.0
    return_min: float | None = None

    def __post_init__(self) -> None:
        _check_range("the budget", *self.budget_range)
        for name in ("gross_max", "turnover_max"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= number(name, value) < math.inf:
                raise InputError(f"{name} is {value!r}; use a number of at least 0, None for no limit")
        if self.return_min is not None and not math.isfinite(number("return_min", self.return_min)):
            raise InputError(f"return_min is {self.return_min!r}; use a return per year, None for no limit")
        if self.held is None and (self.turnover_max is not None or np.any(_values(self.costs) != 0.0)):
            raise InputError("turnover_max and costs are counted from what is held now; give held={...}, {} for cash")
        unknown = [name for name in self.group_bounds if name not in set(self.groups.values())]
        if unknown:
            raise InputError(f"no asset is in the group {unknown[0]!r}; groups= says which asset is in which")
        for name, pair in self.group_bounds.items():
            if len(pair) != 2:
                raise InputError(f"the bounds of group {name!r} are {pair!r}; use a pair of its least and most")
            low, high = (None if bound is None else _not_nan(f"group {name!r}", bound) for bound in pair)
            _check_range(f"the group {name!r}", -math.inf if low is None else low, math.inf if high is None else high)

    @property
    def budget_range(self) -> tuple[float, float]:
        """Least and most sum of the weights."""
        pair = self.budget if isinstance(self.budget, tuple | list) else (self.budget, self.budget)
        if len(pair) != 2:
            raise InputError(f"budget is {self.budget!r}; use the sum of the weights, or a pair of its least and most")
        return _not_nan("budget", pair[0]), _not_nan("budget", pair[1])

    def bounds(self, names: list[Any]) -> tuple[Float1D, Float1D]:
        """Return the lower and the upper bound of each asset.

        Examples
        --------
        >>> Constraints(upper={"B": 0.3}).bounds(["A", "B"])
        (array([0., 0.]), array([1. , 0.3]))
        """
        lower, upper = per_asset(self.lower, names, 0.0, "lower"), per_asset(self.upper, names, 1.0, "upper")
        for name, low, high in zip(names, lower, upper, strict=True):
            if low > high:
                raise InputError(f"the weight of {name!r} is at least {low:g} and at most {high:g}; swap them")
        return lower, upper

    def held_weights(self, names: list[Any]) -> Float1D:
        """Return the weight that is held of each asset."""
        held = {} if self.held is None else self.held
        if not hasattr(held, "keys"):
            return series_of(held, names, "held weight").to_numpy(dtype=np.float64)
        found = per_asset(held, names, 0.0, "held")
        if not np.isfinite(found).all():
            raise InputError("a held weight is not finite")
        return found

    def cost_rates(self, names: list[Any]) -> Float1D:
        """Return what trading each asset costs, as a fraction, >= 0."""
        found = per_asset(self.costs, names, 0.0, "costs")
        if (found < 0.0).any() or not np.isfinite(found).all():
            raise InputError("a cost is below 0 or not finite; costs are fractions, 5 basis points are 0.0005")
        return found

    def for_assets(self, names: Iterable[Any]) -> Constraints:
        """Return the same with only what concerns these assets: for a universe that changes."""
        kept = set(names)
        groups = {name: group for name, group in self.groups.items() if name in kept}
        return replace(
            self, lower=_only(self.lower, kept), upper=_only(self.upper, kept), costs=_only(self.costs, kept),
            held=None if self.held is None else _only(self.held, kept), groups=groups,
            group_bounds={name: pair for name, pair in self.group_bounds.items() if name in set(groups.values())},
        )  # fmt: skip


def per_asset(given: Any, names: list[Any], default: float, what: str) -> Float1D:
    """Return a number for each asset: one for all, or those named and a default for the others.

    Examples
    --------
    >>> per_asset({"B": 0.3}, ["A", "B"], 1.0, "upper")
    array([1. , 0.3])
    """
    if not hasattr(given, "keys"):
        return np.full(len(names), _not_nan(what, given))
    found, known = dict(given.items()), set(names)
    unknown = [name for name in found if name not in known]
    if unknown:
        raise InputError(f"{what} names {unknown[0]!r}, which is not among the assets {names[:5]}")
    return np.array([_not_nan(what, found.get(name, default)) for name in names], dtype=np.float64)


def _not_nan(what: str, given: Any) -> float:
    value = number(what, given)
    if math.isnan(value):
        raise InputError(f"{what} is NaN; use a number")
    return value


def _check_range(what: str, low: float, high: float) -> None:
    """Refuse a sum that is at least and at most what no sum can be."""
    if low > high:
        raise InputError(f"{what} is at least {low:g} and at most {high:g}; swap them")
    if low == math.inf:
        raise InputError(f"{what} is at least inf, which no sum is; use a finite number")
    if high == -math.inf:
        raise InputError(f"{what} is at most -inf, which no sum is; use a finite number")


def _values(given: Any) -> Float1D:
    return np.asarray(list(given.values) if isinstance(given, pd.Series) else
                      list(given.values()) if hasattr(given, "keys") else [given], dtype=np.float64)  # fmt: skip


def _only(given: Any, kept: set[Any]) -> Any:
    return {name: value for name, value in given.items() if name in kept} if hasattr(given, "keys") else given
