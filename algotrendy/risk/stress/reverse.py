"""The question turned round: not what a shock costs, but which is the smallest that costs so much.

Small means plausible: by Mahalanobis distance, the number of standard deviations along the shock's own direction, so
that what usually moves together is small together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.risk.limits.limit import Limit, LimitKind
from algotrendy.risk.stress.book import StressBook
from algotrendy.risk.stress.measures import measured
from algotrendy.risk.stress.monte_carlo import root_of

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

__all__ = ["ReverseStress", "reverse_stress"]

_RANDOM_STARTS = 8
_STARTS_MAX = 16
_FARTHEST = 50.0
"""Standard deviations beyond which no shock is looked for."""
_STEPS = 2_000


@dataclass(frozen=True, kw_only=True)
class ReverseStress:
    """The smallest shock that does it.

    Attributes
    ----------
    shock : mapping of str to float
        The return of each instrument.
    value, target : float
        What is measured after the shock, and what had to be reached: a loss as a fraction of equity, or the limit.
    loss : float
        The loss of the shock as a fraction of equity.
    distance : float or None
        Mahalanobis distance of the shock, in standard deviations; None without a covariance.
    factor : str or None
        The factor that was shocked; None: all instruments on their own.
    factor_return : float or None
        Its return.
    is_closed_form : bool
        Whether it was computed by formula; else it was searched for.
    """

    shock: Mapping[str, float]
    value: float
    target: float
    loss: float
    distance: float | None
    factor: str | None
    factor_return: float | None
    is_closed_form: bool

    @property
    def probability(self) -> float | None:
        """The chance that a normal day is as bad in this direction or worse; None without a covariance."""
        return None if self.distance is None else NormalDist().cdf(-self.distance)


@dataclass(frozen=True)
class _Target:
    """What has to be reached: `value` of a shock at least `level`."""

    book: StressBook
    kind: LimitKind
    level: float

    def value(self, returns: Float1D) -> float:
        return measured(self.kind, self.book, returns)

    @property
    def loss(self) -> float | None:
        """The loss in the book's currency that has to be reached; None if it is about something else."""
        if self.kind is LimitKind.DAILY_LOSS:
            return self.level * self.book.equity
        if self.kind is LimitKind.DRAWDOWN:
            peak = max(self.book.peak_equity or 0.0, self.book.equity)
            return self.book.equity - (1.0 - self.level) * peak
        return None


def reverse_stress(
    book: StressBook, *, loss: float | None = None, limit: Limit | None = None, factor: str | None = None, seed: int = 0
) -> ReverseStress:
    """Find the smallest shock that loses so much, or that brings a figure of the book to its limit.

    For a linear book with values v, covariance S and a loss X the smallest shock by Mahalanobis distance is
    -X S v / (v' S v), at the distance X / sqrt(v' S v) [1]_. Where a formula does not do (a book that is repriced, a
    limit on leverage or concentration, a price that would fall below zero) it is searched for from many starts.

    Parameters
    ----------
    book : StressBook
        With a covariance, or with betas of the factor.
    loss : float, optional
        A fraction of equity, > 0. Either this or `limit`.
    limit : Limit, optional
        Of the kind daily_loss, drawdown, gross_leverage, net_leverage or concentration.
    factor : str, optional
        Shock this factor alone, the instruments following by their betas: the smallest return of it, at most 1 in size.
    seed : int
        Of the random starts of a search.

    Returns
    -------
    ReverseStress
        The shock and how far away it is.

    Raises
    ------
    InputError
        If no shock in reach does it, it is so without a shock, or the book does not know enough.

    References
    ----------
    .. [1] Breuer, T., Jandacka, M., Rheinberger, K. and Summer, M. (2009). How to find plausible, severe, and useful
       stress scenarios. International Journal of Central Banking, 5(3), 205-224.

    Examples
    --------
    >>> import pandas as pd
    >>> covariance = pd.DataFrame([[4e-4, 2e-4], [2e-4, 4e-4]], index=["A", "B"], columns=["A", "B"])
    >>> book = StressBook(values={"A": 50_000.0, "B": 50_000.0}, equity=100_000.0, covariance=covariance)
    >>> found = reverse_stress(book, loss=0.05)
    >>> {symbol: round(value, 6) for symbol, value in found.shock.items()}, round(found.distance, 4)
    ({'A': -0.05, 'B': -0.05}, 2.8868)
    """
    target = _target(book, loss, limit)
    now = target.value(np.zeros(len(book.symbols)))
    if now >= target.level:
        raise InputError(f"{target.kind} is {now:.6g} without a shock, at or above {target.level:.6g} already")
    if factor is not None:
        return _by_factor(target, factor)
    return _by_distance(target, seed)


def _target(book: StressBook, loss: float | None, limit: Limit | None) -> _Target:
    if (loss is None) == (limit is None):
        raise InputError("give either loss= or limit=, the one thing that the shock has to do")
    if limit is not None:
        return _Target(book, limit.kind, float(limit.limit))
    assert loss is not None
    if not (np.isfinite(loss) and loss > 0):
        raise InputError(f"loss is {loss}; expected a fraction of equity above 0, such as 0.1")
    return _Target(book, LimitKind.DAILY_LOSS, float(loss))


# --- all instruments ---


def _by_distance(target: _Target, seed: int) -> ReverseStress:
    book, matrix = target.book, target.book.matrix
    root = root_of(matrix)
    if target.loss is not None and book.reprice is None:
        slope = matrix @ book.exposures
        variance = float(book.exposures @ slope)
        if not variance > 0.0:
            raise InputError("the book has no variance, so no shock of these instruments changes its equity")
        shock = -target.loss * slope / variance
        if float(shock.min()) >= -1.0:
            return _found(target, shock, distance=target.loss / variance**0.5, is_closed_form=True)
    z = _searched(target, root, seed)
    return _found(target, np.maximum(root @ z, -1.0), distance=float(np.linalg.norm(z)), is_closed_form=False)


def _searched(target: _Target, root: Float2D, seed: int) -> Float1D:
    """Return the shortest z whose shock, root @ z, reaches the target."""
    scale = max(abs(target.level), 1e-12)

    def missing(z: Float1D) -> float:
        value = target.value(np.maximum(root @ z, -1.0))
        return (min(value, 1e6) - target.level) / scale

    best: Float1D | None = None
    starts = sorted(_starts(root, missing, seed), key=lambda start: float(start @ start))
    for start in starts[:_STARTS_MAX]:
        z = _improved(start, root, missing)
        if z is not None and (best is None or z @ z < best @ best):
            best = z
    if best is None:
        raise InputError(
            f"no shock within {_FARTHEST:g} standard deviations brings {target.kind} to {target.level:.6g}; "
            "the book is hedged against it, or does not hold enough"
        )
    return best


def _starts(root: Float2D, missing: Callable[[Float1D], float], seed: int) -> Iterator[Float1D]:
    """Yield points that reach the target: along the gradient, each direction of the root, and some at random."""
    k = root.shape[1]
    step = 1e-4
    gradient = np.array([(missing(step * unit) - missing(-step * unit)) / (2.0 * step) for unit in np.eye(k)])
    directions = [gradient, -gradient, *np.eye(k), *-np.eye(k)]
    directions += list(np.random.default_rng(seed).standard_normal((_RANDOM_STARTS, k)))
    for direction in directions:
        length = float(np.linalg.norm(direction))
        if not (np.isfinite(length) and length > 0.0):
            continue
        unit = direction / length
        lengths = np.geomspace(0.01, _FARTHEST, 60)
        reached = next((one for one in lengths if missing(one * unit) >= 0.0), None)
        if reached is not None:
            yield reached * unit


def _improved(start: Float1D, root: Float2D, missing: Callable[[Float1D], float]) -> Float1D | None:
    """Return the shortest point near a start that reaches the target and lets no price fall below zero."""
    from scipy.optimize import minimize

    constraints = [
        {"type": "ineq", "fun": missing},
        {"type": "ineq", "fun": lambda z: root @ z + 1.0, "jac": lambda z: root},
    ]
    z = start
    for _ in range(3):  # again from where it ended: the steps of the first are scaled by a far start
        answer: OptimizeResult = minimize(
            lambda x: 0.5 * float(x @ x), z, jac=lambda x: x, method="SLSQP", constraints=constraints,
            options={"maxiter": 500, "ftol": 1e-14},
        )  # fmt: skip
        if not np.isfinite(answer.x).all():
            break
        z = answer.x
    pulled = _pulled_back(z, missing)
    return pulled if pulled is not None else _pulled_back(start, missing)


def _pulled_back(z: Float1D, missing: Callable[[Float1D], float]) -> Float1D | None:
    """Return the first point on the way from no shock to z, or a little beyond, that reaches the target."""
    from scipy.optimize import brentq

    ends = np.concatenate((np.linspace(0.0, 1.0, 41), [1.0 + 1e-7, 1.0 + 1e-5, 1.0 + 1e-3]))
    for low, high in itertools.pairwise(ends):
        if missing(high * z) >= 0.0:
            share = (
                high if missing(low * z) >= 0.0 else brentq(lambda x: missing(x * z), low, high, xtol=1e-15, rtol=1e-15)
            )
            return float(share) * z
    return None


# --- one factor ---


def _by_factor(target: _Target, factor: str) -> ReverseStress:
    book = target.book
    loadings = book.loadings(factor)

    def shock(move: float) -> Float1D:
        found: Float1D = np.maximum(loadings * move, -1.0)
        return found

    if target.loss is not None and book.reprice is None:
        slope = float(book.exposures @ loadings)
        move = -target.loss / slope if slope else np.inf
        if abs(move) <= 1.0 and float((loadings * move).min()) >= -1.0:
            return _found(target, loadings * move, factor=factor, factor_return=move, is_closed_form=True)
    crossings = [found for side in (-1.0, 1.0) if (found := _crossing(target, shock, side)) is not None]
    if not crossings:
        raise InputError(f"no return of {factor} between -1 and 1 brings {target.kind} to {target.level:.6g}")
    move = min(crossings, key=abs)
    return _found(target, shock(move), factor=factor, factor_return=move, is_closed_form=False)


def _crossing(target: _Target, shock: Callable[[float], Float1D], side: float) -> float | None:
    """Return the smallest move on one side that reaches the target."""
    from scipy.optimize import brentq

    def missing(size: float) -> float:
        return min(target.value(shock(side * size)), 1e6) - target.level

    sizes = np.linspace(0.0, 1.0, _STEPS + 1)
    for low, high in itertools.pairwise(sizes):
        if missing(high) >= 0.0:
            return side * float(brentq(missing, low, high, xtol=1e-15, rtol=1e-14))
    return None


def _found(
    target: _Target,
    shock: Float1D,
    *,
    is_closed_form: bool,
    distance: float | None = None,
    factor: str | None = None,
    factor_return: float | None = None,
) -> ReverseStress:
    book = target.book
    return ReverseStress(
        shock=dict(zip(book.symbols, shock.tolist(), strict=True)), value=target.value(shock), target=target.level,
        loss=-book.profit(shock) / book.equity, distance=_distance(book, shock) if distance is None else distance,
        factor=factor, factor_return=factor_return, is_closed_form=is_closed_form,
    )  # fmt: skip


def _distance(book: StressBook, shock: Float1D) -> float | None:
    """Return how far a shock is; None without a covariance, or if the covariance says that it cannot be."""
    if book.covariance is None:
        return None
    root: Any = root_of(book.matrix)
    z, *_ = np.linalg.lstsq(root, shock, rcond=None)
    return float(np.linalg.norm(z)) if np.allclose(root @ z, shock, atol=1e-9) else None
