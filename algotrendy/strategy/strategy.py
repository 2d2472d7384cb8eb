"""A trading strategy as text: conditions, levels and parameters in one value, to be compared, stored and swept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from algotrendy.errors import InputError
from algotrendy.strategy.levels import (
    Level,
    Size,
    check_level,
    check_percent,
    level_from_json,
    level_to_json,
    parse_levels,
)
from algotrendy.strategy.parameter import (
    CONDITIONS,
    LEVELS,
    ParameterSpec,
    check_name,
    check_number,
    checked_columns,
    nearest,
    replaced,
    spec_from_dict,
    split_params,
)
from algotrendy.strategy.texts import parse_text

if TYPE_CHECKING:
    from algotrendy.expressions import Expression, SignalPlan

SCHEMA = "algotrendy.strategy/1"
_FIELDS = (*CONDITIONS, *LEVELS, "name", "description")
_SHOWN = (*CONDITIONS, "columns", *LEVELS, "name", "description")


@dataclass(frozen=True)
class _Parsed:
    """The conditions, parsed once and shared by all values of the parameters."""

    conditions: tuple[Expression | None, ...]

    @cached_property
    def plan(self) -> SignalPlan:
        from algotrendy.expressions import SignalPlan

        return SignalPlan(self.conditions)


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Strategy:
    """When to be long, short or flat, how far the stops are and how large the position is.

    Conditions are texts in the expression language; they are read here, so a mistake shows at once. Keyword parameters
    are the numbers that the texts use; they, and `stop`, `target`, `trail` and `size`, can be swept.

    Parameters
    ----------
    entry, exit : str, optional
        Conditions that open and close a long position. They are levels: a condition that stays true keeps asking.
    short_entry, short_exit : str, optional
        The same for a short position. At least one of `entry` and `short_entry` is needed.
    stop, target, trail : float or str, optional
        Distances from the entry's fill price as fractions, without sign: 0.05 is 5 %. A text is an expression taken
        from the decision bar, such as '2 * atr(14) / close'. None, or zero: none.
    size : float, str, FixedUnits or VolatilityTarget, optional
        Share of the equity as a fraction; None is all-in.
    columns : sequence of str
        Further columns of the bars that the texts use by name, such as `pe`; `sector` at `by=sector`.
    params : mapping of str to float or ParameterSpec, optional
        Parameters, the same as the keywords. A spec brings its default and its bounds.
    name, description : str, optional
        For people to read.
    **parameters : float or ParameterSpec
        The numbers that the texts use, by name.

    Raises
    ------
    ExpressionError
        If a text is not an expression, or uses a name that is neither a parameter nor known; the nearest is proposed.
    InputError
        If nothing opens a position, a parameter's name is taken, a parameter is used nowhere, or a number is not
        allowed.

    Examples
    --------
    >>> cross = Strategy(entry="sma(close, fast) > sma(close, slow)", exit="sma(close, fast) <= sma(close, slow)",
    ...                  fast=20, slow=50)
    >>> cross.with_params(fast=10, stop=0.05)
    Strategy(entry='sma(close, fast) > sma(close, slow)', exit='sma(close, fast) <= sma(close, slow)', stop=0.05,
             fast=10, slow=50)
    >>> Strategy.from_json(cross.to_json()) == cross
    True
    """

    entry: str | None
    exit: str | None
    short_entry: str | None
    short_exit: str | None
    stop: Level
    target: Level
    trail: Level
    size: Size
    name: str | None
    description: str | None
    columns: tuple[str, ...]
    parameters: Mapping[str, int | float]
    specs: Mapping[str, ParameterSpec]
    _parsed: _Parsed
    level_expressions: Mapping[str, Expression]

    def __init__(
        self,
        entry: str | None = None,
        exit: str | None = None,
        *,
        short_entry: str | None = None,
        short_exit: str | None = None,
        stop: Level = None,
        target: Level = None,
        trail: Level = None,
        size: Size = None,
        columns: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        description: str | None = None,
        **parameters: Any,
    ) -> None:
        further = checked_columns(columns)
        values, specs = _checked_params(params, parameters)
        texts = (entry, exit, short_entry, short_exit)
        levels = {"stop": stop, "target": target, "trail": trail, "size": size}
        levels = {key: check_level(key, value) for key, value in levels.items()}
        check_sides(dict(zip(CONDITIONS, texts, strict=True)))
        check_percent(levels, goes_long=entry is not None)
        parsed = tuple(
            None if text is None else parse_text(key, text, "condition", values, further)
            for key, text in zip(CONDITIONS, texts, strict=True)
        )
        expressions = parse_levels(levels, values, further)
        _refuse_unused(values, (*parsed, *expressions.values()))
        fields: dict[str, Any] = {**dict(zip(CONDITIONS, texts, strict=True)), **levels, "columns": further}
        fields |= {"name": name, "description": description}
        self._fill(fields, values, specs, _Parsed(parsed), expressions)
        _ = self.lookback  # binds the parameters: a window of 0 or 2.5 shows here

    def _fill(
        self,
        fields: Mapping[str, Any],
        values: Mapping[str, Any],
        specs: Mapping[str, ParameterSpec],
        parsed: _Parsed,
        expressions: Mapping[str, Expression],
    ) -> None:
        made = {
            "parameters": MappingProxyType(dict(values)),
            "specs": MappingProxyType(dict(specs)),
            "_parsed": parsed,
            "level_expressions": MappingProxyType(dict(expressions)),
        }
        for key, value in (dict(fields) | made).items():
            object.__setattr__(self, key, value)

    @property
    def plan(self) -> SignalPlan:
        """The conditions compiled for the kernels: made on first use, shared by all values of the parameters."""
        return self._parsed.plan

    @property
    def conditions(self) -> tuple[Expression | None, ...]:
        """Entry, exit, short entry and short exit, parsed."""
        return self._parsed.conditions

    @property
    def lookback(self) -> int:
        """Number of bars before every part of the strategy is known, with these parameters."""
        parts = (*self.conditions, *self.level_expressions.values())
        return max((part.lookback(self.parameters) for part in parts if part is not None), default=0)

    def with_params(self, **values: Any) -> Strategy:
        """Return the same strategy with other numbers.

        Parameters
        ----------
        **values
            Parameters by name, and any of `stop`, `target`, `trail`, `size`. A parameter that only a replaced level
            used goes with it.

        Raises
        ------
        InputError
            If there is no such parameter (the nearest is proposed), or a value is outside its spec.
        """
        levels = {key: check_level(key, value) for key, value in values.items() if key in LEVELS}
        given = {key: value for key, value in values.items() if key not in LEVELS}
        parameters = replaced(self.parameters, given, self.specs)
        specs = dict(self.specs)
        expressions = dict(self.level_expressions)
        fields = {key: getattr(self, key) for key in _SHOWN} | levels
        if levels:
            check_percent(levels, goes_long=self.entry is not None)
            kept = {key: part for key, part in expressions.items() if key not in levels}
            expressions = kept | parse_levels(levels, parameters, self.columns)
            used = _used((*self.conditions, *expressions.values()))
            parameters = {key: value for key, value in parameters.items() if key in used or key in given}
            specs = {key: spec for key, spec in specs.items() if key in parameters}
            _refuse_unused(parameters, (*self.conditions, *expressions.values()))
        result = object.__new__(Strategy)
        result._fill(fields, parameters, specs, self._parsed, expressions)
        _ = result.lookback
        return result

    def to_json(self) -> str:
        """Return the strategy as JSON text with its schema version.

        See Also
        --------
        from_json : the way back, equal to the original.
        """
        return json.dumps(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what `to_json` writes, as plain values."""
        fields = {key: getattr(self, key) for key in _FIELDS}
        for key in LEVELS:
            fields[key] = level_to_json(fields[key])
        specs = {key: spec.to_dict() for key, spec in self.specs.items()}
        if self.columns:
            fields["columns"] = list(self.columns)
        return {"schema": SCHEMA, **fields, "params": dict(self.parameters), "specs": specs}

    @classmethod
    def from_json(cls, text: str) -> Strategy:
        """Return the strategy that `to_json` wrote.

        Raises
        ------
        InputError
            If the text is not JSON, of another schema, or not a strategy; everything is checked as in a new strategy.
        """
        content = read_json(text, SCHEMA, {*_SHOWN, "params", "specs"})
        specs = {key: spec_from_dict(key, fields) for key, fields in _mapping(content, "specs").items()}
        values = _mapping(content, "params")
        for key in LEVELS:
            content[key] = level_from_json(content.get(key))
        params = {key: specs.get(key, value) for key, value in values.items()}
        return cls(**content, params=params).with_params(**{key: values[key] for key in specs if key in values})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Strategy) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        fields = tuple(getattr(self, key) for key in _SHOWN)
        return (*fields, frozenset(self.parameters.items()), frozenset(self.specs.items()))

    def __repr__(self) -> str:
        fields = {key: getattr(self, key) for key in _SHOWN}
        shown = {key: value for key, value in fields.items() if value not in (None, ())} | dict(self.parameters)
        return f"Strategy({', '.join(f'{key}={value!r}' for key, value in shown.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Strategy.from_json, (self.to_json(),))


def check_sides(given: Mapping[str, Any]) -> None:
    """Refuse a strategy that opens no position, or closes a side it never opens.

    Raises
    ------
    InputError
        If there is neither `entry` nor `short_entry`, or an exit stands without its entry.
    """
    if given["entry"] is None and given["short_entry"] is None:
        raise InputError(
            "nothing opens a position; give entry= for long positions, short_entry= for short ones, or both"
        )
    for opening, closing in (("entry", "exit"), ("short_entry", "short_exit")):
        if given[opening] is None and given[closing] is not None:
            raise InputError(f"{closing} is given but nothing opens such a position; give {opening}= or drop {closing}")


def read_json(text: str, schema: str, allowed: Iterable[str]) -> dict[str, Any]:
    """Return the object in `text` without its schema, if it is of that schema and has no other fields.

    Raises
    ------
    InputError
        If it is not.
    """
    try:
        content = json.loads(text)
    except (TypeError, ValueError) as error:
        raise InputError(f"this is not JSON text: {error}") from error
    found = content.pop("schema", None) if isinstance(content, dict) else None
    if found != schema:
        raise InputError(f"this JSON has the schema {found!r}; {schema!r} was expected")
    known = sorted(allowed)
    for name in content:
        if name not in known:
            raise InputError(f"unknown field {name!r}{nearest(name, known)}")
    fields: dict[str, Any] = content
    return fields


def _mapping(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.pop(key, None) or {}
    if not isinstance(value, dict):
        raise InputError(f"{key} is {value!r}; an object was expected")
    return value


def _checked_params(
    params: Mapping[str, Any] | None, parameters: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, ParameterSpec]]:
    given = dict(params or {})
    for name in parameters:
        if name in given:
            raise InputError(f"parameter {name!r} is given twice, in params and as a keyword; give it once")
    values, specs = split_params(given | dict(parameters))
    functions = _function_names() if values else frozenset[str]()
    for name in values:
        check_name(name, functions)
        if name in specs:
            for choice in specs[name].choices or ():
                check_number(name, choice)
    return {name: check_number(name, value) for name, value in values.items()}, specs


def _function_names() -> frozenset[str]:
    from algotrendy.expressions import function_names

    return frozenset(function_names())


def _used(expressions: Iterable[Expression | None]) -> set[str]:
    return {name for part in expressions if part is not None for name in part.parameters}


def _refuse_unused(values: Mapping[str, Any], expressions: Iterable[Expression | None]) -> None:
    used = _used(expressions)
    for name in values:
        if name not in used:
            hint = nearest(name, (*CONDITIONS, *LEVELS, "name", "description", "params"))
            close = hint if "did you mean" in hint else "; take it away or use it in a condition or a level"
            raise InputError(f"parameter {name!r} is used nowhere in the strategy{close}")
