"""Constraints as linear rows with names, so that what binds, and what cannot hold together, can be told by name.

The variables are the weights first, then, where they are needed, a size for each weight (gross exposure) and a size for
each trade (turnover, costs).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.portfolio.optimise.constraints import Constraints
from algotrendy.portfolio.optimise.estimates import Estimates
from algotrendy.portfolio.optimise.quadratic import Quadratic, Solution, solve

__all__ = ["Model", "Row", "model_of"]

_SLACK = 1e-8


class Row(NamedTuple):
    """A linear row ``coefficients'x <= bound``, or ``=``; rows without a name define the auxiliary variables."""

    name: str
    coefficients: Float1D
    bound: float


@dataclass(frozen=True, eq=False)
class Model:
    """Linear constraints on weights.

    Attributes
    ----------
    names : list
        Of the assets.
    equal, below : tuple of Row
        Rows that hold exactly, and rows that are at most their bound.
    lower, upper : array of shape (n_variables,)
        Bounds; of the auxiliary variables 0 and none.
    charge : array of shape (n_variables,)
        What a unit of each variable costs a year; only trades do.
    """

    names: list[Any]
    equal: tuple[Row, ...]
    below: tuple[Row, ...]
    lower: Float1D
    upper: Float1D
    charge: Float1D

    @property
    def n(self) -> int:
        """Number of assets."""
        return len(self.names)

    @property
    def size(self) -> int:
        """Number of variables."""
        return len(self.lower)

    def padded(self, of_weights: Float1D) -> Float1D:
        """Return a vector over the assets as one over all variables."""
        return np.concatenate([of_weights, np.zeros(self.size - self.n)])

    def curved(self, covariance: Float2D) -> Float2D:
        """Return a matrix over the assets as one over all variables."""
        if self.size == self.n:
            return covariance
        whole = np.zeros((self.size, self.size))
        whole[: self.n, : self.n] = covariance
        return whole

    def with_row(self, row: Row) -> Model:
        """Return the model with one inequality more."""
        return replace(self, below=(*self.below, row))

    def quadratic(self, P: Float2D, q: Float1D) -> Quadratic:
        """Return the programme with this objective over all variables."""
        return Quadratic(
            P=P, q=q, A=_matrix(self.equal, self.size), b=_right(self.equal), G=_matrix(self.below, self.size),
            h=_right(self.below), lower=self.lower, upper=self.upper,
        )  # fmt: skip

    def minimise(self, P: Float2D, q: Float1D, start: Solution | None = None) -> Solution:
        """Return the optimum of a quadratic objective.

        Raises
        ------
        InputError
            If no weights meet all constraints; it names those that cannot hold together.
        """
        self.check_sum()
        found = solve(self.quadratic(P, q), start)
        if not found.is_optimal:
            self.check_feasible()
        return found

    def best_corner(self, q: Float1D) -> Float1D | None:
        """Return the variables with the least ``q'x``; None if it falls without end.

        Raises
        ------
        InputError
            If no weights meet all constraints.
        """
        from scipy.optimize import linprog

        found = linprog(
            q, A_ub=_matrix(self.below, self.size), b_ub=_right(self.below), A_eq=_matrix(self.equal, self.size),
            b_eq=_right(self.equal), bounds=np.column_stack([self.lower, self.upper]), method="highs",
        )  # fmt: skip
        if found.x is None:
            self.check_feasible()
            return None
        return np.asarray(found.x, dtype=np.float64)

    def check_sum(self) -> None:
        """Refuse bounds whose sums cannot reach the budget: by far the most common contradiction, told at once."""
        for sign, rows in ((1, (*self.equal, *self.below)), (-1, self.equal)):
            for row in rows:
                if not row.name.startswith(("budget", "group")):
                    continue
                least = float(_times(np.maximum(sign * row.coefficients, 0.0), self.lower).sum())
                least += float(_times(np.minimum(sign * row.coefficients, 0.0), self.upper).sum())
                if least > sign * row.bound + 1e-9 * max(1.0, abs(row.bound)):
                    is_most = sign < 0 or " >= " in row.name
                    raise InputError(
                        f"no weights meet all constraints: {row.name!r} cannot hold, as the bounds of the weights make "
                        f"its sum {-least if is_most else least:g} at the {'most' if is_most else 'least'}; loosen one "
                        "of them"
                    )

    def check_feasible(self) -> None:
        """Refuse constraints that cannot hold together, and name them.

        The least sum of violations is sought; the rows that have a price there are those that stand against each other.
        """
        conflict = _conflict(self)
        if conflict:
            shown = "; ".join(conflict[:6]) + (f"; and {len(conflict) - 6} more" if len(conflict) > 6 else "")
            raise InputError(
                f"no weights meet all constraints: these cannot hold together: {shown}; loosen one of them"
            )

    def binding(self, x: Float1D) -> tuple[str, ...]:
        """Return the names of the inequalities that are met with nothing to spare."""
        found = [row.name for row in self.below if row.name and row.bound - row.coefficients @ x <= _SLACK]
        for k, name in enumerate(self.names):
            if self.lower[k] == self.upper[k]:
                continue
            if x[k] - self.lower[k] <= _SLACK:
                found.append(f"{name} >= {self.lower[k]:g}")
            elif self.upper[k] - x[k] <= _SLACK:
                found.append(f"{name} <= {self.upper[k]:g}")
        return tuple(found)

    def missed(self, x: Float1D) -> float:
        """Return the largest violation of a constraint."""
        worst = [0.0, float((self.lower - x).max()), float((x - self.upper).max())]
        worst += [abs(float(row.coefficients @ x) - row.bound) for row in self.equal]
        worst += [float(row.coefficients @ x) - row.bound for row in self.below]
        return max(worst)


def model_of(estimates: Estimates, constraints: Constraints) -> Model:
    """Return the constraints of these assets as rows.

    Examples
    --------
    >>> import pandas as pd
    >>> market = Estimates(pd.DataFrame([[0.04, 0.0], [0.0, 0.01]], index=["A", "B"], columns=["A", "B"]))
    >>> model = model_of(market, Constraints(gross_max=1.5, lower=-1.0))
    >>> [row.name for row in (*model.equal, *model.below) if row.name], model.size
    (['budget = 1', 'gross <= 1.5'], 4)
    """
    names = estimates.names
    lower, upper = constraints.bounds(names)
    n, held, costs = len(names), constraints.held_weights(names), constraints.cost_rates(names)
    sizes = n if constraints.gross_max is not None and (lower < 0.0).any() else 0
    trades = n if constraints.turnover_max is not None or costs.any() else 0
    size = n + sizes + trades
    charge = np.zeros(size)
    charge[n + sizes :] = costs[:trades]
    equal, below = _sums(constraints, names, size)
    if constraints.gross_max is not None:
        gross = _over(size, slice(n, n + sizes) if sizes else slice(0, n))
        below.append(Row(f"gross <= {constraints.gross_max:g}", gross, constraints.gross_max))
    if constraints.turnover_max is not None:
        turnover = _over(size, slice(n + sizes, size), 0.5)
        below.append(Row(f"turnover <= {constraints.turnover_max:g}", turnover, constraints.turnover_max))
    if sizes:
        below += _size_rows(size, n, n, np.zeros(n))
    if trades:
        below += _size_rows(size, n, n + sizes, held)
    if constraints.return_min is not None:
        below.append(return_row(estimates, charge, constraints.return_min))
    high = constraints.budget_range[1]
    if (lower >= 0.0).all():  # an upper bound that the budget keeps anyway is no wall
        upper = np.where((upper >= high) & (lower < upper), np.inf, upper)
    no_end = np.full(size - n, np.inf)
    return Model(
        names, tuple(equal), tuple(below), np.concatenate([lower, np.zeros(size - n)]),
        np.concatenate([upper, no_end]), charge,
    )  # fmt: skip


def return_row(estimates: Estimates, charge: Float1D, least: float) -> Row:
    """Return the row of a least expected return: cash earns the risk-free rate, trading costs."""
    excess = np.zeros(len(charge))
    excess[: len(estimates.names)] = estimates.expected() - estimates.risk_free_rate
    return Row(f"return >= {least:g}", charge - excess, estimates.risk_free_rate - least)


def homogeneous(model: Model, numerator: Float1D) -> tuple[Model, Float1D]:
    """Return the model of weights times a scale, at which ``numerator'x = 1``, and what gives the scale of its result.

    A ratio that does not depend on the scale is at its best where its denominator is least for a given numerator [1]_.
    A fixed sum of weights gives the scale; else it is one variable more.

    .. [1] Schaible, S. (1974). Parameter-free convex equivalent and dual programs of fractional programming problems.
       Zeitschrift für Operations Research, 18, 187-196.
    """
    budget = next((row for row in model.equal if row.name.startswith("budget") and row.bound != 0.0), None)
    size = model.size + (0 if budget is not None else 1)
    scale = np.zeros(size)
    if budget is None:
        scale[-1] = 1.0
    else:
        scale[: model.size] = budget.coefficients / budget.bound

    def scaled(row: Row) -> Row:
        return Row(row.name, np.append(row.coefficients, 0.0)[:size] - row.bound * scale, 0.0)

    def unit(place: int, sign: float, bound: float) -> Row:
        coefficients = np.zeros(size)
        coefficients[place] = sign
        return Row(f"bound of {model.names[place]}", coefficients - sign * bound * scale, 0.0)

    lower, upper = np.full(size, -np.inf), np.full(size, np.inf)
    lower[: model.size][model.lower == 0.0] = 0.0
    upper[: model.size][model.upper == 0.0] = 0.0
    pinned = (model.lower == model.upper)[: model.n]
    below = [scaled(row) for row in model.below]
    for sign, bounds in ((-1.0, model.lower), (1.0, model.upper)):
        walls = np.isfinite(bounds[: model.n]) & (bounds[: model.n] != 0.0) & ~pinned
        below += [unit(int(k), sign, float(bounds[k])) for k in np.flatnonzero(walls)]
    if budget is None:
        lower[-1] = 0.0
    elif not (model.lower[: model.n] >= 0.0).all() or budget.bound < 0.0:
        below.append(Row("scale", -scale, 0.0))
    equal = [scaled(row) for row in model.equal if row is not budget]
    equal += [unit(int(k), 1.0, float(model.upper[k])) for k in np.flatnonzero(pinned) if model.upper[k] != 0.0]
    equal.append(Row("numerator", np.append(numerator, 0.0)[:size], 1.0))
    charge = np.append(model.charge, 0.0)[:size]
    return Model(model.names, tuple(equal), tuple(below), lower, upper, charge), scale


def _sums(constraints: Constraints, names: list[Any], size: int) -> tuple[list[Row], list[Row]]:
    """Return the rows of the budget and the groups."""
    n = len(names)
    equal: list[Row] = []
    below: list[Row] = []
    ranges: list[tuple[str, Float1D, float | None, float | None]] = [
        ("budget", _over(size, slice(0, n)), *constraints.budget_range)
    ]
    known = set(names)
    unknown = [name for name in constraints.groups if name not in known]
    if unknown:
        raise InputError(f"groups names {unknown[0]!r}, which is not among the assets {names[:5]}")
    for group, (low, high) in constraints.group_bounds.items():
        members = np.array([constraints.groups.get(name) == group for name in names])
        ranges.append((f"group {group}", np.concatenate([members, np.zeros(size - n)]).astype(np.float64), low, high))
    for name, coefficients, low, high in ranges:
        if low is not None and low == high:
            equal.append(Row(f"{name} = {low:g}", coefficients, low))
            continue
        if high is not None and np.isfinite(high):
            below.append(Row(f"{name} <= {high:g}", coefficients, high))
        if low is not None and np.isfinite(low):
            below.append(Row(f"{name} >= {low:g}", -coefficients, -low))
    return equal, below


def _size_rows(size: int, n: int, begin: int, centre: Float1D) -> list[Row]:
    """Return the rows that make a variable at least the distance of a weight from its centre."""
    rows = []
    for k in range(n):
        for sign in (1.0, -1.0):
            coefficients = np.zeros(size)
            coefficients[k], coefficients[begin + k] = sign, -1.0
            rows.append(Row("", coefficients, sign * float(centre[k])))
    return rows


def _over(size: int, places: slice, value: float = 1.0) -> Float1D:
    out = np.zeros(size)
    out[places] = value
    return out


def _times(factors: Float1D, bounds: Float1D) -> Float1D:
    """Return products where 0 times infinity is 0."""
    return np.multiply(factors, bounds, out=np.zeros(len(factors)), where=factors != 0.0)


def _matrix(rows: tuple[Row, ...], size: int) -> Float2D:
    return np.array([row.coefficients for row in rows]).reshape(len(rows), size)


def _right(rows: tuple[Row, ...]) -> Float1D:
    return np.array([row.bound for row in rows], dtype=np.float64)


def _conflict(model: Model) -> list[str]:
    """Return the names of constraints that cannot hold together; empty if all can."""
    from scipy.optimize import linprog

    rows = [(row.name, row.coefficients, row.bound) for row in model.below]
    for row in model.equal:
        rows += [(row.name, row.coefficients, row.bound), (row.name, -row.coefficients, -row.bound)]
    for k, name in enumerate(model.names):
        for sign, word, bounds in ((-1.0, ">=", model.lower), (1.0, "<=", model.upper)):
            if np.isfinite(bounds[k]):
                unit = _over(model.size, slice(k, k + 1), sign)
                rows.append((f"{name} {word} {bounds[k]:g}", unit, sign * float(bounds[k])))
    if not rows:
        return []
    soft = np.array([bool(name) for name, _, _ in rows])
    give = -np.eye(len(rows))[:, soft]
    free = [(None, None) if k < model.n else (0.0, None) for k in range(model.size)]
    found = linprog(
        np.concatenate([np.zeros(model.size), np.ones(int(soft.sum()))]),
        A_ub=np.hstack([np.array([row[1] for row in rows]), give]), b_ub=np.array([row[2] for row in rows]),
        bounds=free + [(0.0, None)] * int(soft.sum()), method="highs",
    )  # fmt: skip
    if found.x is None or found.fun <= 1e-9:
        return []
    prices = np.abs(found.ineqlin.marginals)
    return list(dict.fromkeys(name for (name, _, _), price in zip(rows, prices, strict=True) if name and price > 1e-9))
