"""Convex quadratic programmes with bounds and few linear rows, solved exactly: minimise ``x'Px/2 + q'x``.

Two ways, chosen by `solve`. Pivoting guesses which bounds bind, solves the linear system that is left, and corrects the
guess for all variables at once; with a positive definite matrix it is at the optimum after a handful of systems, most
of them small [1]_. Where it does not settle, an interior point method [2]_ finds out what binds, and pivoting finishes
from there, so that weights at their bounds are there exactly.

.. [1] Kunisch, K. and Rendl, F. (2003). An infeasible active set method for quadratic problems with simple bounds. SIAM
   Journal on Optimization, 14(1), 35-52.
.. [2] Mehrotra, S. (1992). On the implementation of a primal-dual interior point method. SIAM Journal on Optimization,
   2(4), 575-601.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from algotrendy.domain.types import Bool1D, Float1D, Float2D, Int1D

__all__ = ["Quadratic", "Solution", "solve"]

TOLERANCE = 1e-9
"""Residual, relative to the scale of the problem, up to which a solution counts as the optimum."""

_PIVOTS_MAX, _POINTS_MAX = 40, 60
_EXACT = 1e-11

_Step: TypeAlias = Callable[[Float1D, Float1D], tuple[Float1D, Float1D]]
_Residuals: TypeAlias = tuple[Float1D, Float1D, Float1D]


@dataclass(frozen=True, slots=True, eq=False)
class Quadratic:
    """Minimise ``x'Px/2 + q'x`` where ``Ax = b``, ``Gx <= h`` and ``lower <= x <= upper``.

    Attributes
    ----------
    P : array of shape (n, n)
        Symmetric, positive semidefinite.
    q, lower, upper : array of shape (n,)
        Bounds may be infinite.
    A, G : array of shape (n_rows, n)
        Linear rows; there may be none.
    b, h : array of shape (n_rows,)
        Their right sides.
    """

    P: Float2D
    q: Float1D
    A: Float2D
    b: Float1D
    G: Float2D
    h: Float1D
    lower: Float1D
    upper: Float1D


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """The optimum with the prices of what binds.

    Attributes
    ----------
    x : array of shape (n,)
        Variables.
    y, rows : array
        Prices of ``Ax = b`` and, >= 0, of ``Gx <= h``.
    bounds : array of shape (n,)
        Slope of the objective less the rows' part: > 0 at a lower bound, < 0 at an upper one, 0 between.
    residual : float
        Largest violation of the Kuhn-Tucker conditions, the objective scaled to a slope of about 1.
    is_optimal : bool
        Whether the residual is within `TOLERANCE`.
    """

    x: Float1D
    y: Float1D
    rows: Float1D
    bounds: Float1D
    residual: float

    @property
    def is_optimal(self) -> bool:
        """Whether the conditions of an optimum hold within `TOLERANCE`."""
        return self.residual <= TOLERANCE


def solve(problem: Quadratic, start: Solution | None = None) -> Solution:
    """Return the optimum, or, where there is none, the best point found, whose residual tells so.

    Parameters
    ----------
    problem : Quadratic
        Convex.
    start : Solution, optional
        Of a problem alike: its bounds that bind are the first guess.

    Examples
    --------
    >>> none = np.zeros((0, 2))
    >>> found = solve(Quadratic(P=np.diag([1.0, 3.0]), q=np.zeros(2), A=np.ones((1, 2)), b=np.ones(1), G=none,
    ...                         h=np.zeros(0), lower=np.zeros(2), upper=np.ones(2)))
    >>> found.x, found.is_optimal
    (array([0.75, 0.25]), True)
    """
    fixed = problem.lower == problem.upper
    if fixed.any():
        return _with_fixed(problem, fixed, start)
    scale = float(max(np.abs(np.diag(problem.P)).max(initial=0.0), np.abs(problem.q).max(initial=0.0))) or 1.0
    scaled = replace(problem, P=problem.P / scale, q=problem.q / scale)
    guess = _first_guess(scaled, start)
    found = _pivoted(scaled, *guess)
    if found is None or not found.is_optimal:
        inner = _interior(scaled)
        polished = _pivoted(scaled, *_guess_of(scaled, inner), is_definite=False)
        choices = [one for one in (found, polished, inner) if one is not None]
        found = min(choices, key=lambda one: one.residual)
    return replace(found, y=found.y * scale, rows=found.rows * scale, bounds=found.bounds * scale)


def _with_fixed(problem: Quadratic, fixed: Bool1D, start: Solution | None) -> Solution:
    """Solve for what can move; what cannot is taken to the right sides."""
    moving, value = ~fixed, np.where(fixed, problem.lower, 0.0)
    smaller = Quadratic(
        P=problem.P[np.ix_(moving, moving)], q=(problem.q + problem.P @ value)[moving],
        A=problem.A[:, moving], b=problem.b - problem.A @ value,
        G=problem.G[:, moving], h=problem.h - problem.G @ value,
        lower=problem.lower[moving], upper=problem.upper[moving],
    )  # fmt: skip
    hint = None if start is None else replace(start, x=start.x[moving], bounds=start.bounds[moving])
    if moving.any():
        found = solve(smaller, hint)
    else:
        missed = np.concatenate([np.abs(smaller.b), np.maximum(-smaller.h, 0.0), [0.0]])
        none, y, rows = np.zeros(0), np.zeros(len(smaller.b)), np.zeros(len(smaller.h))
        found = Solution(x=none, y=y, rows=rows, bounds=none, residual=float(missed.max()))
    x = value.copy()
    x[moving] = found.x
    slope = problem.P @ x + problem.q + problem.A.T @ found.y + problem.G.T @ found.rows
    slope[moving] = found.bounds
    return replace(found, x=x, bounds=slope)


# --- pivoting ---


def _first_guess(problem: Quadratic, start: Solution | None) -> tuple[Int1D, Bool1D]:
    side = np.zeros(len(problem.q), dtype=np.int64)
    if start is None:
        return side, np.zeros(len(problem.h), dtype=bool)
    side[start.bounds > 0.0] = -1
    side[start.bounds < 0.0] = 1
    side[(side < 0) & ~np.isfinite(problem.lower)] = 0
    side[(side > 0) & ~np.isfinite(problem.upper)] = 0
    return side, start.rows > 0.0


def _guess_of(problem: Quadratic, inner: Solution) -> tuple[Int1D, Bool1D]:
    """Return what binds at an interior point: where the price is larger than the room that is left."""
    side = np.zeros(len(problem.q), dtype=np.int64)
    side[inner.bounds > inner.x - problem.lower] = -1
    side[-inner.bounds > problem.upper - inner.x] = 1
    return side, inner.rows > problem.h - problem.G @ inner.x


def _pivoted(problem: Quadratic, side: Int1D, on: Bool1D, *, is_definite: bool = True) -> Solution | None:
    """Correct a guess of what binds until nothing is wrong with it; None if that does not settle."""
    best: Solution | None = None
    seen: set[bytes] = set()
    for _ in range(_PIVOTS_MAX):
        key = side.tobytes() + on.tobytes()
        if key in seen:
            break
        seen.add(key)
        found = _at(problem, side, on, is_definite)
        if found is None:
            break
        if best is None or found.residual < best.residual:
            best = found
        slack = problem.h - problem.G @ found.x
        turned = np.where(
            side == 0,
            np.where(found.x < problem.lower - _EXACT, -1, np.where(found.x > problem.upper + _EXACT, 1, 0)),
            np.where(side * found.bounds > _EXACT, 0, side),
        )
        switched = np.where(on, found.rows >= -_EXACT, slack < -_EXACT)
        if np.array_equal(turned, side) and np.array_equal(switched, on):
            return found
        side, on = turned.astype(np.int64), switched
    return best


def _at(problem: Quadratic, side: Int1D, on: Bool1D, is_definite: bool) -> Solution | None:
    """Return the optimum if exactly these bounds and rows bind."""
    free = side == 0
    x = np.where(side < 0, problem.lower, np.where(side > 0, problem.upper, 0.0))
    R = np.concatenate([problem.A, problem.G[on]])
    right = np.concatenate([problem.b, problem.h[on]]) - R @ x
    slope = problem.q + problem.P @ x
    solved = _saddle(problem.P[np.ix_(free, free)], R[:, free], -slope[free], right, is_definite)
    if solved is None:
        return None
    x[free], prices = solved
    m = len(problem.b)
    rows = np.zeros(len(problem.h))
    rows[on] = prices[m:]
    return _judged(problem, x, prices[:m], rows)


def _saddle(P: Float2D, R: Float2D, left: Float1D, right: Float1D, is_definite: bool) -> tuple[Float1D, Float1D] | None:
    """Solve ``Px + R'y = left``, ``Rx = right``."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_triangular

    if is_definite:
        if len(right) > len(left):
            return None
        try:
            factor = cho_factor(P, lower=True, check_finite=False)
            if len(left) and np.diag(factor[0]).min() ** 2 < 1e-12:
                return None
            half = solve_triangular(factor[0], R.T, lower=True, check_finite=False)
            known = solve_triangular(factor[0], left, lower=True, check_finite=False)
            y = np.zeros(0) if not len(right) else cho_solve(cho_factor(half.T @ half), half.T @ known - right)
        except LinAlgError:
            return None
        return solve_triangular(factor[0], known - half @ y, lower=True, trans="T", check_finite=False), y
    n, m = len(left), len(right)
    whole = np.block([[P, R.T], [R, np.zeros((m, m))]])
    found = np.linalg.lstsq(whole, np.concatenate([left, right]), rcond=1e-13)[0]
    return found[:n], found[n:]


def _judged(problem: Quadratic, x: Float1D, y: Float1D, rows: Float1D) -> Solution:
    """Return a point with its prices, and by how much it misses the conditions of an optimum."""
    slope = problem.P @ x + problem.q + problem.A.T @ y + problem.G.T @ rows
    below, above, slack = x - problem.lower, problem.upper - x, problem.h - problem.G @ x
    # A slope is in order as far as there is a bound in its way: its price times the room left is what is missed.
    missed = np.concatenate(
        [
            np.abs(problem.A @ x - problem.b), -np.minimum(slack, 0.0), -np.minimum(below, 0.0),
            -np.minimum(above, 0.0), -np.minimum(rows, 0.0),
            np.minimum(np.maximum(rows, 0.0), np.maximum(slack, 0.0)),
            np.minimum(np.maximum(slope, 0.0), np.maximum(below, 0.0)),
            np.minimum(np.maximum(-slope, 0.0), np.maximum(above, 0.0)), [0.0],
        ]
    )  # fmt: skip
    residual = float(missed.max()) if np.isfinite(missed).all() else np.inf
    return Solution(x=x, y=y, rows=rows, bounds=slope, residual=residual)


# --- interior point ---


class _Walls:
    """All inequalities as one: ``Cx <= d`` of rows, finite lower bounds and finite upper bounds."""

    def __init__(self, problem: Quadratic) -> None:
        self.G, self.n = problem.G, len(problem.q)
        self.low, self.high = np.flatnonzero(np.isfinite(problem.lower)), np.flatnonzero(np.isfinite(problem.upper))
        self.d = np.concatenate([problem.h, -problem.lower[self.low], problem.upper[self.high]])
        self.m = len(problem.h)
        self.k = self.m + len(self.low)

    def times(self, x: Float1D) -> Float1D:
        """Return ``Cx``."""
        return np.concatenate([self.G @ x, -x[self.low], x[self.high]])

    def turned(self, z: Float1D) -> Float1D:
        """Return ``C'z``."""
        out = self.G.T @ z[: self.m]
        out[self.low] -= z[self.m : self.k]
        out[self.high] += z[self.k :]
        return np.asarray(out)

    def curved(self, P: Float2D, weight: Float1D) -> Float2D:
        """Return ``P + C' diag(weight) C``."""
        out = P + (self.G.T * weight[: self.m]) @ self.G
        out[self.low, self.low] += weight[self.m : self.k]
        out[self.high, self.high] += weight[self.k :]
        return np.asarray(out)


def _interior(problem: Quadratic) -> Solution:
    """Walk through the inside towards the optimum; the best point met is returned."""
    walls = _Walls(problem)
    x, y = np.zeros(walls.n), np.zeros(len(problem.b))
    s = np.maximum(walls.d - walls.times(x), 1.0)
    z = np.ones(len(s))
    best = _judged(problem, x, y, z[: walls.m])
    for _ in range(_POINTS_MAX):
        dual = problem.P @ x + problem.q + problem.A.T @ y + walls.turned(z)
        primal, room = problem.A @ x - problem.b, walls.times(x) + s - walls.d
        gap = float(s @ z) / max(len(s), 1)
        here = _judged(problem, x, y, z[: walls.m])
        best = here if here.residual < best.residual else best
        if best.residual < 1e-12 or (gap < 1e-14 and here.residual > 10.0 * best.residual):
            break
        step = _step_solver(problem, walls, z / s)
        if step is None:
            break
        dx, dy, ds, dz = _direction(walls, step, (dual, primal, room), s * z, (s, z))
        full = min(_reach(s, ds), _reach(z, dz))
        after = float((s + full * ds) @ (z + full * dz)) / max(len(s), 1)
        aim = gap * (after / gap) ** 3 if gap > 0.0 else 0.0
        dx, dy, ds, dz = _direction(walls, step, (dual, primal, room), s * z + ds * dz - aim, (s, z))
        full = min(1.0, 0.995 * min(_reach(s, ds), _reach(z, dz)))
        x, y, s, z = x + full * dx, y + full * dy, s + full * ds, z + full * dz
        if not (np.isfinite(x).all() and np.isfinite(z).all()) or max(np.abs(x).max(), z.max(initial=0.0)) > 1e12:
            break  # prices without end: nothing is feasible
    return best


def _reach(value: Float1D, change: Float1D) -> float:
    """Return how much of a change can be made before a value reaches zero, at most all of it."""
    falling = change < 0.0
    return float(min(1.0, np.min(-value[falling] / change[falling], initial=1.0)))


def _step_solver(problem: Quadratic, walls: _Walls, weight: Float1D) -> _Step | None:
    """Return a function that solves the system of one step, or None if it has no solution in numbers."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    H = walls.curved(problem.P, weight)
    H[np.diag_indices_from(H)] += 1e-14 * (1.0 + np.abs(np.diag(H)))
    try:
        factor = cho_factor(H, check_finite=False)
        across = cho_solve(factor, problem.A.T, check_finite=False)
        small = problem.A @ across
        small[np.diag_indices_from(small)] += 1e-15 * (1.0 + np.abs(np.diag(small)))
        inner = cho_factor(small, check_finite=False) if len(problem.b) else None
    except (LinAlgError, ValueError):
        return None

    def step(left: Float1D, right: Float1D) -> tuple[Float1D, Float1D]:
        plain = cho_solve(factor, left, check_finite=False)
        dy = np.zeros(0) if inner is None else cho_solve(inner, problem.A @ plain - right, check_finite=False)
        return plain - across @ dy, dy

    return step


def _direction(
    walls: _Walls, step: _Step, residuals: _Residuals, product: Float1D, sides: tuple[Float1D, Float1D]
) -> tuple[Float1D, Float1D, Float1D, Float1D]:
    """Return the change of x, y, the room left and its prices that takes the residuals to zero and `product` off."""
    (dual, primal, room), (s, z) = residuals, sides
    dx, dy = step(-dual - walls.turned((z * room - product) / s), -primal)
    ds = -room - walls.times(dx)
    return dx, dy, ds, -(product + z * ds) / s
