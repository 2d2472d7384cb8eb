"""From what a caller names as a strategy to what runs, and what it runs on unless the request says otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from algotrendy.backtest.arguments import are_strategies, as_strategy
from algotrendy.services.compositions import Allocations
from algotrendy.services.definitions import Registered, Runnable, normal_definition, strategy_of, with_stored
from algotrendy.services.models_account import MARKET
from algotrendy.services.runs import Run

if TYPE_CHECKING:
    from algotrendy.services.models_account import BacktestConfig
    from algotrendy.storage.strategies import StrategyStore

__all__ = ["AnyStrategy", "Chooser", "Chosen"]

AnyStrategy: TypeAlias = Any
"""A strategy, a template, a function, the identity of a stored strategy, a definition, or several strategies."""

_SYMBOLS = ("symbol", "symbols")


@dataclass(frozen=True)
class Chosen:
    """A run without bars, and what it is to run on."""

    run: Run
    market: Mapping[str, Any]


class Chooser:
    """Finds what is to run.

    Parameters
    ----------
    strategies : StrategyStore
        Stored strategies.
    registered : mapping
        Strategies of the installed program that a definition may name.
    """

    def __init__(self, strategies: StrategyStore, registered: Registered) -> None:
        self._strategies, self._registered = strategies, registered

    async def chosen(self, strategy: AnyStrategy, config: BacktestConfig, version: int | None = None) -> Chosen:
        """Return the run of a strategy; None for a discovery.

        Raises
        ------
        InputError, NotFound
            If it is no strategy, or there is none of this identity.
        """
        known = {name: getattr(config, name) for name in MARKET}
        if strategy is None:
            return Chosen(_run(config, None, {}), known)
        if isinstance(strategy, str):
            return await asyncio.to_thread(self._stored, strategy, config, version, known)
        if are_strategies(strategy):
            several = Allocations.given(strategy)
            if config.params:
                several = several.with_params(**config.params)
            return Chosen(_run(config, several, several.to_dict()), known)
        if isinstance(strategy, Mapping):
            whole = await asyncio.to_thread(with_stored, strategy, self._strategies.get)
            definition = normal_definition(whole, None, self._registered)
            return Chosen(_run(config, strategy_of(definition, config.params, self._registered), definition), known)
        made = as_strategy(strategy, config.params or None)
        return Chosen(_run(config, made, made.to_dict()), known)

    def _stored(
        self, strategy_id: str, config: BacktestConfig, version: int | None, known: Mapping[str, Any]
    ) -> Chosen:
        stored = self._strategies.get(strategy_id, version)
        own = {name: value for name, value in stored.parameters.items() if name != "market"}
        definition = normal_definition(stored.definition, own, self._registered)
        market = {"asset_class": stored.asset_class, **stored.parameters.get("market", {})}
        if any(known[name] is not None for name in _SYMBOLS):  # one in place of several, or the other way
            market = {name: value for name, value in market.items() if name not in _SYMBOLS}
        merged = {name: market.get(name) if known[name] is None else known[name] for name in MARKET}
        run = _run(config, strategy_of(definition, config.params, self._registered), definition)
        return Chosen(replace(run, strategy_id=stored.id, strategy_version=stored.version), merged)


def _run(config: BacktestConfig, strategy: Runnable | None, definition: Mapping[str, Any]) -> Run:
    return Run(kind="backtest", config=config, bars=None, strategy=strategy, definition=definition)
