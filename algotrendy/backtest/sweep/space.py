"""What a search may choose from: values, whole numbers or any numbers between two bounds, for each name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.sweep.grid import Grid, Value, checked_values
from algotrendy.errors import InputError
from algotrendy.strategy.parameter import ParameterSpec, is_number, nearest, plain_number

if TYPE_CHECKING:
    from algotrendy.backtest.arguments import AnyStrategy
    from algotrendy.backtest.sweep.mix import StrategyMix

Given: TypeAlias = Mapping[str, Any] | Sequence[str] | None


@dataclass(frozen=True)
class Span:
    """All numbers from `low` to `high`, both included: whole ones, or any; evenly, or evenly in their logarithm."""

    low: Value
    high: Value
    whole: bool
    log: bool = False

    def __len__(self) -> int:
        return int(self.high) - int(self.low) + 1

    def draw(self, rng: np.random.Generator, n: int) -> list[Value]:
        """Return `n` numbers by chance."""
        if self.whole and not self.log:
            return list(rng.integers(int(self.low), int(self.high), n, endpoint=True).tolist())
        if not self.log:
            return list(rng.uniform(self.low, self.high, n).tolist())
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        drawn = np.exp(rng.uniform(math.log(low), math.log(high), n))
        if self.whole:
            return list(np.clip(np.rint(drawn), self.low, self.high).astype(np.int64).tolist())
        return list(np.clip(drawn, self.low, self.high).tolist())


Axis: TypeAlias = tuple[Value, ...] | Span
Space: TypeAlias = dict[str, Axis]


def make_space(given: Given, strategy: AnyStrategy | StrategyMix, *, spans: bool) -> Space:
    """Return what may be chosen for each name.

    Parameters
    ----------
    given : mapping, sequence of str, or None
        For each name: values (`range(5, 51)`, `[0.02, 0.05]`), a `ParameterSpec`, or, where spans are meant, a tuple
        `(low, high)` or `(low, high, "log")`. Names alone, or nothing: by the specs of the strategy's parameters.
    strategy : Strategy, PythonStrategy, BarStrategy or StrategyMix
        Knows the specs.
    spans : bool
        Whether a tuple of two numbers is a span (random and Bayesian search), not two values (grid).

    Raises
    ------
    InputError
        If something is none of these, or a name has no spec with bounds.

    Examples
    --------
    >>> import algotrendy as at
    >>> make_space({"fast": (5, 20)}, at.strategies.sma_cross(), spans=True)
    {'fast': Span(low=5, high=20, whole=True, log=False)}
    """
    specs = strategy.specs
    if given is None:
        given = [name for name, spec in specs.items() if _is_bounded(spec)]
    if isinstance(given, str):
        raise InputError(f"the grid is the text {given!r}; give names with values, or a list of names: [{given!r}]")
    if not isinstance(given, Mapping):
        missing = [name for name in given if name not in specs]
        if missing:
            raise InputError(f"{missing[0]!r} is no parameter with a spec{nearest(missing[0], specs)}")
        given = {name: specs[name] for name in given}
    if not given:
        raise InputError(
            'nothing is varied: give names with values, like {"fast": range(5, 51)}, or a strategy whose parameters '
            "have specs with bounds"
        )
    return {name: _axis(name, axis, spans=spans) for name, axis in given.items()}


def _is_bounded(spec: ParameterSpec) -> bool:
    return spec.choices is not None or (spec.min_value is not None and spec.max_value is not None)


def _axis(name: str, given: Any, *, spans: bool) -> Axis:
    if isinstance(given, Span) and spans:
        return given
    if isinstance(given, ParameterSpec):
        return _of_spec(name, given, spans=spans)
    if spans and isinstance(given, tuple) and _is_span(given):
        return _span(name, given)
    return checked_values(name, given)


def _of_spec(name: str, spec: ParameterSpec, *, spans: bool) -> Axis:
    if spec.choices is not None:
        return checked_values(name, spec.choices)
    if spec.min_value is None or spec.max_value is None:
        raise InputError(f"the spec of {name!r} has no bounds on both sides; give them, or values to try")
    if spec.type == "int":
        low, high = math.ceil(spec.min_value), math.floor(spec.max_value)
        return Span(low, high, whole=True) if spans else checked_values(name, range(low, high + 1))
    if not spans:
        raise InputError(
            f"{name!r} may be any number from {spec.min_value:g} to {spec.max_value:g}, which is no grid; give values "
            "to try, or method='random' or 'bayesian'"
        )
    return Span(float(spec.min_value), float(spec.max_value), whole=False)


def _is_span(given: tuple[Any, ...]) -> bool:
    return len(given) in (2, 3) and all(map(is_number, given[:2])) and (len(given) == 2 or isinstance(given[2], str))


def _span(name: str, given: tuple[Any, ...]) -> Span:
    low, high, log = plain_number(given[0]), plain_number(given[1]), len(given) == 3
    if log and given[2] != "log":
        raise InputError(f'grid[{name!r}] is {given!r}; expected (low, high) or (low, high, "log")')
    if not (math.isfinite(low) and math.isfinite(high)) or low >= high:
        raise InputError(f"grid[{name!r}] is {given!r}; expected (low, high) with low below high, both finite")
    if log and low <= 0:
        raise InputError(f"grid[{name!r}] is {given!r}; a logarithm needs a low bound above zero")
    whole = isinstance(low, int) and isinstance(high, int)
    return Span(low, high, whole, log)


def grid_of(names: Sequence[str], columns: Sequence[Sequence[Value]]) -> Grid:
    """Return combinations that are given one by one as a grid: the values of each name once, and where each stands.

    Examples
    --------
    >>> grid_of(["a", "b"], [[3, 1, 3], [0.5, 0.5, 0.1]]).combination(2)
    {'a': 3, 'b': 0.1}
    """
    values: list[tuple[Value, ...]] = []
    index: list[npt.NDArray[np.int32]] = []
    for column in columns:
        each = tuple(sorted(set(column)))
        place = {value: i for i, value in enumerate(each)}
        values.append(each)
        index.append(np.array([place[value] for value in column], dtype=np.int32))
    return Grid(tuple(names), tuple(values), np.ascontiguousarray(np.column_stack(index)))


def size_of(space: Space) -> float:
    """Return how many combinations there are; infinite where a span has any numbers.

    Examples
    --------
    >>> size_of({"a": (1, 2, 3), "b": Span(5, 9, whole=True)})
    15.0
    """
    return math.prod(
        math.inf if isinstance(axis, Span) and not axis.whole else float(len(axis)) for axis in space.values()
    )


def listed(axis: Axis) -> Iterable[Value]:
    """Return the values of an axis that has finitely many."""
    return range(int(axis.low), int(axis.high) + 1) if isinstance(axis, Span) else axis
