"""What runs: from the definition of a strategy, as it is stored, to a strategy. Code is never among it.

Six forms: a strategy in the language of conditions, a template, a strategy of the library by name, a class or function
of the installed program that was registered under a name, target weights, several of these in one account.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, TypeAlias

from algotrendy.errors import ConfigError, InputError
from algotrendy.services.compositions import OF_ONE, Allocations, Composition, TargetWeights
from algotrendy.strategy import BarStrategy, PythonStrategy, Strategy, StrategyTemplate
from algotrendy.strategy.library import LIBRARY
from algotrendy.strategy.parameter import nearest, spec_from_dict
from algotrendy.strategy.strategy import SCHEMA
from algotrendy.strategy.template import SCHEMA as TEMPLATE_SCHEMA

__all__ = [
    "Registered",
    "Runnable",
    "can_be_rebuilt",
    "installed",
    "normal_definition",
    "registry",
    "strategy_of",
    "with_stored",
]

Runnable: TypeAlias = Strategy | PythonStrategy | BarStrategy | Composition
Registered: TypeAlias = Mapping[str, Any]
"""Names of strategies of the installed program: subclasses of BarStrategy, functions `(bars, params)`, strategies."""

GROUP = "algotrendy.strategies"
_RESERVED = "market"


def installed() -> dict[str, Any]:
    """Return the strategies that installed packages offer under the entry points `algotrendy.strategies`, by name.

    Examples
    --------
    >>> isinstance(installed(), dict)
    True
    """
    return {found.name: found.load() for found in entry_points(group=GROUP)}


def registry(given: Registered | None = None) -> dict[str, Any]:
    """Return what definitions may name: what installed packages offer, and what is given, which comes first.

    Raises
    ------
    ConfigError
        If something is registered that is no strategy, or two packages offer one name.

    Examples
    --------
    >>> registry({"mine": "close > 1"})
    Traceback (most recent call last):
        ...
    algotrendy.errors.ConfigError: 'mine' is registered as a str; register a subclass of BarStrategy, ...
    """
    names = [found.name for found in entry_points(group=GROUP)]
    for name in {name for name in names if names.count(name) > 1} - set(given or {}):
        raise ConfigError(
            f"two installed packages register a strategy {name!r}; uninstall one, or register it yourself"
        )
    known = {**installed(), **(given or {})}
    for name, made in known.items():
        is_class = inspect.isclass(made)
        if is_class and issubclass(made, BarStrategy) and made.on_bar is BarStrategy.on_bar:
            raise ConfigError(f"{name!r} is registered as {made.__name__}, which has no on_bar(self, ctx); write one")
        if not (callable(made) or isinstance(made, Strategy | StrategyTemplate | PythonStrategy | BarStrategy)):
            raise ConfigError(
                f"{name!r} is registered as a {type(made).__name__}; register a subclass of BarStrategy, a function"
                " (bars, params) -> signals, or a strategy"
            )
    return known


def strategy_of(
    definition: Mapping[str, Any] | None,
    parameters: Mapping[str, Any] | None = None,
    registered: Registered | None = None,
) -> Runnable:
    """Return the strategy that a definition means.

    Parameters
    ----------
    definition : mapping
        The JSON form of a `Strategy` or a `StrategyTemplate`, with or without its schema; `{"library": name}`;
        `{"registered": name}`. The last two may have `params`. `{"weights": {symbol: fraction}}`, or by date;
        `{"strategies": {name: {"definition": ..., "share": 0.6}}}`. These two may have `rebalance`.
    parameters : mapping, optional
        Values of parameters, or their specifications as mappings, in place of its own.
    registered : mapping, optional
        What `{"registered": name}` may name.

    Raises
    ------
    InputError
        If it is none of these, or the strategy cannot be.
    ExpressionError
        If a text is not a condition; the message points at the place.

    Examples
    --------
    >>> strategy_of({"entry": "close > sma(close, n)", "params": {"n": 20}}, {"n": 50}).parameters["n"]
    50
    >>> strategy_of({"library": "sma_cross", "params": {"fast": 10}}).parameters["fast"]
    10
    """
    if definition is None:
        raise InputError("the strategy has no definition, so nothing runs: code is kept for people to read only")
    if not isinstance(definition, Mapping):
        raise InputError(f"the definition is a {type(definition).__name__}; expected an object")
    if "code" in definition:
        raise InputError("the definition has code, which is never executed; write conditions, or register a class")
    if "weights" in definition or "strategies" in definition:
        composed = _composed(definition, registered or {})
        return composed.with_params(**parameters) if parameters else composed
    found, given = _found(dict(definition), registered or {})
    values = {**given, **(parameters or {})}
    if not isinstance(found, Strategy | PythonStrategy | BarStrategy):  # a function takes what it is given
        return PythonStrategy(found, values, name=str(definition["registered"]))
    return _with(found, values)


def normal_definition(
    definition: Mapping[str, Any] | None,
    parameters: Mapping[str, Any] | None = None,
    registered: Registered | None = None,
) -> dict[str, Any]:
    """Return a definition as it is stored: the text in full with its parameters, or the name of a registered strategy.

    Parameters, errors
        As in `strategy_of`.

    Examples
    --------
    >>> normal_definition({"entry": "close > 1"})["schema"]
    'algotrendy.strategy/1'
    """
    made = strategy_of(definition, parameters, registered)
    if isinstance(made, Strategy | Composition):
        return made.to_dict()
    assert definition is not None
    return {"registered": definition["registered"], "params": dict(made.parameters)}


def with_stored(definition: Any, stored: Callable[[str, int | None], Any]) -> Any:
    """Return a definition of several strategies with those that are named by their identity in full.

    Parameters
    ----------
    definition : mapping
        As in `strategy_of`; one of several strategies may be `{"strategy_id": ..., "share": 0.4}`, in the newest
        version or in `strategy_version`. Anything else is returned as it is.
    stored : callable
        Takes an identity and a version, and returns the stored strategy.

    Raises
    ------
    NotFound
        If there is no such strategy.
    """
    if not isinstance(definition, Mapping) or not isinstance(definition.get("strategies"), Mapping):
        return definition

    def whole(item: Any) -> Any:
        if not isinstance(item, Mapping) or item.get("strategy_id") is None or item.get("definition") is not None:
            return item
        kept = stored(item["strategy_id"], item.get("strategy_version"))
        return {**item, "definition": kept.definition, "strategy_version": kept.version}

    return {**definition, "strategies": {name: whole(item) for name, item in definition["strategies"].items()}}


def can_be_rebuilt(definition: Mapping[str, Any]) -> bool:
    """Return whether another process can make the strategy of a definition: a function of this one it cannot.

    Examples
    --------
    >>> can_be_rebuilt({"library": "sma_cross"}), can_be_rebuilt({"kind": "python", "function": "__main__.mine"})
    (True, False)
    """
    several = definition.get("strategies")
    if isinstance(several, Mapping):
        return all(can_be_rebuilt(item["definition"]) for item in several.values())
    return "kind" not in definition


def _composed(definition: Mapping[str, Any], registered: Registered) -> Composition:
    """Return target weights, or several strategies."""
    if "weights" in definition:
        return TargetWeights.of(definition)
    given = definition["strategies"]
    if not isinstance(given, Mapping) or not given:
        raise InputError(f'strategies is {given!r}; give {{name: {{"definition": ..., "share": 0.6}}}}')
    made = {}
    for name, item in given.items():
        if not isinstance(item, Mapping) or item.get("definition") is None or not set(item) <= set(OF_ONE):
            raise InputError(
                f"{name!r} of the strategies has {sorted(item) if isinstance(item, Mapping) else item!r}; give it a"
                " definition, or the strategy_id of a stored one, and its share of the capital"
            )
        one = strategy_of(item["definition"], None, registered)
        made[name] = (one, normal_definition(item["definition"], None, registered))
    return Allocations.of(definition, made)


def _found(definition: dict[str, Any], registered: Registered) -> tuple[Any, dict[str, Any]]:
    """Return the strategy, or the function that is one, and the values that the definition gives beside it."""
    for kind, known in (("library", LIBRARY), ("registered", registered)):
        if kind in definition:
            return _named(definition, kind, known)
    is_template = definition.get("schema") == TEMPLATE_SCHEMA or "entry_conditions" in definition
    if is_template:
        text = json.dumps({**definition, "schema": definition.get("schema", TEMPLATE_SCHEMA)})
        return StrategyTemplate.from_json(text).to_strategy(), {}
    return Strategy.from_json(json.dumps({**definition, "schema": definition.get("schema", SCHEMA)})), {}


def _named(definition: Mapping[str, Any], kind: str, known: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    name = definition[kind]
    for field in definition:
        if field not in (kind, "params"):
            raise InputError(f"unknown field {field!r} beside {kind!r}; only params may stand there")
    if name not in known:
        raise InputError(f"there is no {kind} strategy {name!r}{_remedy(str(name), kind, known)}")
    made = known[name]
    if isinstance(made, StrategyTemplate):
        made = made.to_strategy()
    makes = kind == "library" or isinstance(made, type)
    return made() if makes else made, dict(definition.get("params") or {})


def _remedy(name: str, kind: str, known: Mapping[str, Any]) -> str:
    if kind == "library":
        return nearest(name, known)
    how = f'register it with Platform.local(registered={{"{name}": ...}}), or as an entry point {GROUP!r}'
    return f"{nearest(name, known)}; {how}" if known else f"; none is registered here: {how}"


def _with(strategy: Runnable, given: Mapping[str, Any]) -> Runnable:
    """Return a strategy with other values and specifications."""
    specs = {name: spec_from_dict(name, value) for name, value in given.items() if isinstance(value, Mapping)}
    values = {name: value for name, value in given.items() if not isinstance(value, Mapping)}
    if _RESERVED in given:
        raise InputError(f"{_RESERVED!r} says what a strategy runs on; call the parameter something else")
    if specs:
        strategy = _specified(strategy, specs)
    return strategy.with_params(**values) if values else strategy


def _specified(strategy: Runnable, specs: Mapping[str, Any]) -> Runnable:
    if not isinstance(strategy, Strategy):
        raise InputError(f"specifications of {', '.join(specs)} belong into the registered class")
    content = strategy.to_dict()
    for name, spec in specs.items():
        if name not in content["params"]:
            raise InputError(f"there is no parameter {name!r}{nearest(name, content['params'])}")
        content["specs"][name] = spec.to_dict()
        if spec.default is not None:
            content["params"][name] = spec.default
        elif content["specs"][name]["default"] is None:
            content["specs"][name]["default"] = content["params"][name]
    return Strategy.from_json(json.dumps(content))
