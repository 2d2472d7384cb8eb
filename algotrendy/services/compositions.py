"""What runs besides one strategy, in one account: target weights, or several strategies with their shares.

Both are stored as definitions, as a strategy is: `{"weights": ...}` and `{"strategies": ...}`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, Self

from algotrendy.backtest.arguments import strategies_of
from algotrendy.backtest.sweep.mix import StrategyMix
from algotrendy.errors import InputError
from algotrendy.strategy import Signals
from algotrendy.strategy.parameter import is_number

__all__ = ["Allocations", "Composition", "TargetWeights", "arguments_of"]

_OF_WEIGHTS = ("weights", "rebalance", "tolerance", "name", "description")
_OF_SEVERAL = ("strategies", "rebalance", "name", "description")
OF_ONE = ("definition", "share", "strategy_id", "strategy_version")
"""What may be said of one strategy of several."""


@dataclass(frozen=True, kw_only=True)
class Composition(ABC):
    """What target weights and several strategies have in common.

    Attributes
    ----------
    rebalance : str, int or None
        When it is decided again: "1mo", or every so many bars; None: never.
    name, description : str or None
        For people to read.
    """

    rebalance: str | int | None = None
    name: str | None = None
    description: str | None = None

    @property
    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """What may be varied, with its values."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the definition, as it is stored."""

    @abstractmethod
    def with_params(self, **values: Any) -> Self:
        """Return the same with other values of parameters."""

    def _said(self) -> dict[str, Any]:
        return {
            key: getattr(self, key) for key in ("rebalance", "name", "description") if getattr(self, key) is not None
        }


@dataclass(frozen=True, kw_only=True)
class TargetWeights(Composition):
    """Target weights that are held, in place of a strategy.

    Attributes
    ----------
    weights : mapping
        Symbol to fraction of the equity, decided at the first bar; or date to such a mapping, where None leaves alone.
    tolerance : float
        Leave alone what is so near to its target, as a fraction of the equity.

    Examples
    --------
    >>> TargetWeights.of({"weights": {"A": 0.6, "B": 0.4}, "rebalance": "1mo"}).to_dict()
    {'weights': {'A': 0.6, 'B': 0.4}, 'rebalance': '1mo'}
    """

    weights: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 0.0

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> TargetWeights:
        """Return the weights that a definition means.

        Raises
        ------
        InputError
            If a field is unknown, or the weights are not numbers by symbol, or by date and symbol.
        """
        _refuse_unknown(definition, _OF_WEIGHTS, "weights")
        given = definition["weights"]
        if not isinstance(given, Mapping) or not given:
            raise InputError(f"weights is {given!r}; give symbol: fraction, or date: {{symbol: fraction}}")
        by_date = all(isinstance(row, Mapping) for row in given.values())
        for row in given.values() if by_date else (given,):
            for symbol, weight in row.items():
                if not (is_number(weight) or (by_date and weight is None)):
                    raise InputError(f"the weight of {symbol!r} is {weight!r}; give a fraction of the equity: 0.05")
        made = cls(**{name: definition[name] for name in _OF_WEIGHTS if definition.get(name) is not None})
        if by_date:
            made.frame()  # a date that is none shows at once
        return made

    @property
    def parameters(self) -> dict[str, Any]:
        """None."""
        return {}

    def with_params(self, **values: Any) -> NoReturn:
        """Refuse parameters.

        Raises
        ------
        InputError
            Always: there are none.
        """
        raise InputError(
            f"target weights have no parameters of their own, found {', '.join(values)}; give them to a strategy: a"
            " sweep and `params` are for strategies"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the definition."""
        tolerance = {"tolerance": self.tolerance} if self.tolerance else {}
        return {"weights": {key: _plain(row) for key, row in self.weights.items()}, **tolerance, **self._said()}

    def frame(self) -> Any:
        """Return the weights as `backtest` takes them: a mapping, or a frame with one row per date."""
        import pandas as pd

        if not all(isinstance(row, Mapping) for row in self.weights.values()):
            return dict(self.weights)
        try:
            dates = pd.DatetimeIndex(list(self.weights))
        except ValueError as error:
            raise InputError(f"a date of the weights is none ({error}); write it as 2024-01-31") from error
        rows = pd.DataFrame.from_records([dict(row) for row in self.weights.values()]).astype(float)
        return rows.set_index(dates)


@dataclass(frozen=True, kw_only=True)
class Allocations(Composition):
    """Several strategies in one account, each with its share of the capital.

    Attributes
    ----------
    strategies : mapping of str to (strategy, float)
        By name; the shares are fractions that sum to 1 at most.
    told : mapping of str to mapping
        How each is stored: its definition, its share, and the stored strategy that it was.

    Examples
    --------
    >>> import algotrendy as at
    >>> trend, hold = at.strategies.sma_cross(), at.strategies.buy_and_hold()
    >>> both = Allocations.given({"trend": (trend, 0.6), "hold": (hold, 0.4)})
    >>> both.with_params(**{"trend.fast": 5, "hold.allocation": 0.2}).parameters
    {'trend.fast': 5, 'trend.slow': 50, 'trend.allocation': 0.6, 'hold.allocation': 0.2}
    """

    strategies: Mapping[str, tuple[Any, float]] = field(default_factory=dict)
    told: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, definition: Mapping[str, Any], made: Mapping[str, tuple[Any, Mapping[str, Any]]]) -> Allocations:
        """Return what a definition means.

        Parameters
        ----------
        definition : mapping
            `{"strategies": {name: {"definition": ..., "share": 0.6}}}`.
        made : mapping of str to (strategy, mapping)
            Each strategy of it, and its definition in full.

        Raises
        ------
        InputError
            If only some have a share, the shares sum to more than 1, or one is a composition.
        """
        _refuse_unknown(definition, _OF_SEVERAL, "strategies")
        given = definition["strategies"]
        for name, (strategy, _) in made.items():
            if isinstance(strategy, Composition):
                raise InputError(f"{name!r} is a composition itself; give each of its strategies a share here")
        shares = {name: item.get("share") for name, item in given.items()}
        pairs = {name: one if shares[name] is None else (one, shares[name]) for name, (one, _) in made.items()}
        found = strategies_of(pairs)
        told = {
            name: {
                "definition": dict(made[name][1]),
                "share": share,
                **{key: given[name][key] for key in OF_ONE[2:] if given[name].get(key) is not None},
            }
            for name, (_, share) in found.items()
        }
        said = {key: definition[key] for key in _OF_SEVERAL[1:] if definition.get(key) is not None}
        return cls(strategies=found, told=told, **said)

    @classmethod
    def given(cls, strategies: Mapping[str, Any], *, rebalance: str | int | None = None) -> Allocations:
        """Return what `backtest` takes for several strategies: name to strategy, or to (strategy, share).

        Raises
        ------
        InputError
            As `of`; and if one is ready-made signals, which belong to the bars that they were made of.
        """
        found = strategies_of(strategies)
        told = {}
        for name, (strategy, share) in found.items():
            if isinstance(strategy, Signals):
                raise InputError(f"{name!r} is ready-made signals; services run strategies: use at.backtest for it")
            told[name] = {"definition": strategy.to_dict(), "share": share}
        return cls(strategies=found, told=told, rebalance=rebalance)

    @property
    def parameters(self) -> dict[str, Any]:
        """Those of each strategy, and its share of the capital: `trend.fast`, `trend.allocation`."""
        return StrategyMix(self.strategies).parameters

    @property
    def specs(self) -> dict[str, Any]:
        """What is known of the parameters that have a `ParameterSpec`."""
        return StrategyMix(self.strategies).specs

    def with_params(self, **values: Any) -> Allocations:
        """Return the same strategies with other values, of their shares as well: `**{"trend.fast": 5}`.

        Raises
        ------
        InputError
            If there is no such parameter, a value is not allowed, or the shares sum to more than 1.
        """
        parts = StrategyMix(self.strategies).with_params(**values).parts
        told = {}
        for name, (strategy, share) in parts.items():
            definition = self.told[name]["definition"]
            if strategy is not self.strategies[name][0]:
                definition = _told_again(definition, strategy)
            told[name] = {**self.told[name], "definition": definition, "share": share}
        return replace(self, strategies=parts, told=told)

    def to_dict(self) -> dict[str, Any]:
        """Return the definition."""
        return {"strategies": {name: dict(each) for name, each in self.told.items()}, **self._said()}


def arguments_of(strategy: Any, bars: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments and keywords with which `backtest` runs a strategy, weights, or several strategies.

    Examples
    --------
    >>> arguments_of(TargetWeights(weights={"A": 1.0}), "bars")
    (('bars',), {'weights': {'A': 1.0}, 'rebalance': None, 'tolerance': 0.0})
    """
    if isinstance(strategy, TargetWeights):
        told = {"rebalance": strategy.rebalance, "tolerance": strategy.tolerance}
        return (bars,), {"weights": strategy.frame(), **told}
    if isinstance(strategy, Allocations):
        return (dict(strategy.strategies), bars), {"rebalance": strategy.rebalance}
    return (strategy, bars), {}


def _told_again(definition: Mapping[str, Any], strategy: Any) -> dict[str, Any]:
    """Return the definition of a strategy with other values: of a registered one its name and these values."""
    if "registered" in definition:
        return {**definition, "params": dict(strategy.parameters)}
    told: dict[str, Any] = strategy.to_dict()
    return told


def _refuse_unknown(definition: Mapping[str, Any], known: tuple[str, ...], kind: str) -> None:
    for name in definition:
        if name not in known:
            raise InputError(f"unknown field {name!r} beside {kind!r}; there may stand {', '.join(known[1:])}")


def _plain(row: Any) -> Any:
    return dict(row) if isinstance(row, Mapping) else row
