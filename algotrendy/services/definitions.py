"""What runs: from the definition of a strategy, as it is stored, to a strategy. Code is never among it.

Four forms: a strategy in the language of conditions, a template, a strategy of the library by name, a class or function
of the installed program that was registered under a name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, TypeAlias

from algotrendy.errors import InputError
from algotrendy.strategy import PythonStrategy, Strategy, StrategyTemplate
from algotrendy.strategy.library import LIBRARY
from algotrendy.strategy.parameter import nearest, spec_from_dict
from algotrendy.strategy.strategy import SCHEMA
from algotrendy.strategy.template import SCHEMA as TEMPLATE_SCHEMA

__all__ = ["Registered", "Runnable", "installed", "normal_definition", "strategy_of"]

Runnable: TypeAlias = Strategy | PythonStrategy
Registered: TypeAlias = Mapping[str, Any]
"""Names of strategies of the installed program: a PythonStrategy, a function `(bars, params)`, or what makes one."""

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
        `{"registered": name}`. The last two may have `params`.
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
    found, given = _found(dict(definition), registered or {})
    values = {**given, **(parameters or {})}
    if not isinstance(found, Strategy | PythonStrategy):  # a function takes what it is given
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
    if isinstance(made, Strategy):
        return made.to_dict()
    assert definition is not None
    return {"registered": definition["registered"], "params": dict(made.parameters)}


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
        hint = nearest(str(name), known) if known else "; none is registered here"
        raise InputError(f"there is no {kind} strategy {name!r}{hint}")
    made = known[name]
    makes = kind == "library" or isinstance(made, type)
    return made() if makes else made, dict(definition.get("params") or {})


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
