"""Several strategies with shares of one account, as one thing whose parameters have names like `trend.fast`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.arguments import ALLOCATION_SLACK, AnyStrategy, strategies_of
from algotrendy.backtest.run import described
from algotrendy.backtest.sweep.grid import Grid
from algotrendy.backtest.sweep.python import COSTS
from algotrendy.backtest.sweep.space import Space, Span
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy, Signals
from algotrendy.strategy.parameter import ParameterSpec, nearest

if TYPE_CHECKING:
    from algotrendy.backtest.sweep.where import Keep

__all__ = ["ALLOCATION", "StrategyMix", "WithinCapital"]

ALLOCATION = "allocation"
"""What the share of the capital is called among the parameters of a strategy: `trend.allocation`."""


@dataclass(frozen=True, eq=False)
class StrategyMix:
    """Several strategies, each with its share of the capital.

    Attributes
    ----------
    parts : mapping of str to (strategy, float)
        By name, with all values filled in; the shares are fractions of the capital.
    """

    parts: Mapping[str, tuple[AnyStrategy | Signals, float]]

    @classmethod
    def of(cls, given: Mapping[Any, Any], params: Mapping[str, Any] | None = None) -> StrategyMix:
        """Return the strategies of a call of `backtest`, with values such as `{"trend.fast": 10}` filled in.

        Raises
        ------
        InputError
            If they are not strategies with shares, or there is no such parameter.

        Examples
        --------
        >>> import algotrendy as at
        >>> mix = StrategyMix.of({"trend": (at.strategies.sma_cross(), 0.6)}, {"trend.fast": 10})
        >>> mix.parameters
        {'trend.fast': 10, 'trend.slow': 50, 'trend.allocation': 0.6}
        """
        mix = cls(strategies_of(given))
        return mix.with_params(**params) if params else mix

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of all strategies, and their shares of the capital."""
        found: dict[str, Any] = {}
        for name, (strategy, share) in self.parts.items():
            own = {} if isinstance(strategy, Signals) else dict(strategy.parameters)
            found |= {f"{name}.{key}": value for key, value in own.items()} | {f"{name}.{ALLOCATION}": share}
        return found

    @property
    def specs(self) -> dict[str, ParameterSpec]:
        """What is known of the parameters that have a `ParameterSpec`."""
        return {
            f"{name}.{key}": spec
            for name, (strategy, _) in self.parts.items()
            if not isinstance(strategy, Signals)
            for key, spec in strategy.specs.items()
        }

    @property
    def are_stateful(self) -> bool:
        """Whether one of them is asked bar by bar."""
        return any(isinstance(strategy, BarStrategy) for strategy, _ in self.parts.values())

    def split(self, name: str) -> tuple[str, str]:
        """Return the strategy and the parameter that a name such as `trend.fast` means.

        Raises
        ------
        InputError
            If there is no such strategy.
        """
        strategy, dot, key = name.rpartition(".")
        if strategy not in self.parts:
            known = self.parameters
            what = f"there is no strategy {strategy!r}" if dot else "it does not say of which strategy"
            raise InputError(
                f"{name!r} is no parameter: {what}; write strategy.parameter, such as"
                f" {next(iter(known))!r}{nearest(name, known)}"
            )
        own = self.parts[strategy][0]
        if key == ALLOCATION and not isinstance(own, Signals) and ALLOCATION in own.parameters:
            raise InputError(
                f"{strategy!r} has a parameter {ALLOCATION!r} of its own, which is also what its share of the capital"
                " is called here; give the parameter another name"
            )
        return strategy, key

    def of_each(self, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return values by strategy: `{"trend.fast": 5}` becomes `{"trend": {"fast": 5}}`; all strategies are there."""
        found: dict[str, dict[str, Any]] = {name: {} for name in self.parts}
        for name, value in values.items():
            strategy, key = self.split(name)
            found[strategy][key] = value
        return found

    def with_params(self, **values: Any) -> StrategyMix:
        """Return the same strategies with other values, of their shares as well.

        Raises
        ------
        InputError
            If there is no such parameter, a value is not allowed, or the shares sum to more than 1.
        """
        parts = dict(self.parts)
        for name, own in self.of_each(values).items():
            strategy, share = parts[name]
            share = float(own.pop(ALLOCATION, share))
            if own and isinstance(strategy, Signals):
                raise InputError(f"{name!r} is given as signals, which have no parameters; its {ALLOCATION} may vary")
            parts[name] = (strategy.with_params(**own) if own else strategy, share)  # type: ignore[union-attr]
        return StrategyMix(strategies_of(parts))

    def shares(self, columns: Mapping[str, Any]) -> Any:
        """Return what all shares sum to where some vary: one number, or one per value of the columns."""
        return sum(columns.get(f"{name}.{ALLOCATION}", share) for name, (_, share) in self.parts.items())

    def to_dict(self) -> dict[str, Any]:
        """Return a description in plain values."""
        return {
            "kind": "several",
            "name": " + ".join(self.parts),
            "strategies": {name: described(strategy) for name, (strategy, _) in self.parts.items()},
            "allocations": {name: share for name, (_, share) in self.parts.items()},
        }


class WithinCapital:
    """Tells the combinations that are wanted and whose shares of the capital sum to at most 1; counts the others.

    Parameters
    ----------
    mix : StrategyMix
        What is swept.
    space : mapping of str to values or Span
        What may be chosen.
    keep : callable or None
        Which combinations are wanted.

    Raises
    ------
    InputError
        If the shares of no combination sum to at most 1, or a name is no parameter.
    """

    def __init__(self, mix: StrategyMix, space: Space, keep: Keep | None) -> None:
        self._mix, self._keep, self._left_out = mix, keep, 0
        mix.of_each({name: None for name in space if name not in COSTS})
        least = mix.shares({name: axis.low if isinstance(axis, Span) else min(axis) for name, axis in space.items()})
        if least > 1.0 + ALLOCATION_SLACK:
            raise InputError(
                f"in every combination the shares of the strategies sum to {least:g} or more; at most 1 can be given"
                " away, and 40 % is 0.4"
            )

    def __call__(self, grid: Grid) -> npt.NDArray[np.bool_]:
        """Return one bool per combination."""
        total = self._mix.shares({name: grid.column(name) for name in grid.names})
        fits = np.broadcast_to(total <= 1.0 + ALLOCATION_SLACK, len(grid)).copy()
        wanted = np.ones(len(grid), dtype=bool) if self._keep is None else self._keep(grid)
        self._left_out += int(np.count_nonzero(wanted & ~fits))
        return np.asarray(fits & wanted, dtype=bool)

    @property
    def note(self) -> str:
        """What was left out, in words."""
        if not self._left_out:
            return ""
        return f"{self._left_out:,} combinations were left out: their shares of the capital sum to more than 1"
