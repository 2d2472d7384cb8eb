"""What can be called in an expression: the functions of the language, and indicators, which come from the registry."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Literal, TypeAlias

from algotrendy.errors import ExpressionError, InputError
from algotrendy.expressions.cross_functions import (
    CROSS_USAGES,
    looks_aside,
    on_own_bars,
    section_builder,
    symbol_call,
)
from algotrendy.expressions.lexer import Token
from algotrendy.expressions.nodes import (
    Arithmetic,
    Crossing,
    Function,
    Greater,
    Indicator,
    Kind,
    Lag,
    Node,
    Operator,
    Text,
    Timeframe,
)
from algotrendy.expressions.scalars import as_written, literal_value
from algotrendy.indicators import registry
from algotrendy.indicators.registry import BAR_COLUMNS, IndicatorSpec


@dataclass(frozen=True)
class Call:
    """A call as the parser found it.

    Attributes
    ----------
    name : str
        What is called.
    arguments : tuple of Node
        What it is called with, at least one column each.
    column : int
        Where the name starts.
    text : str
        The whole expression, for messages.
    named : mapping of str to Token
        Arguments that were given by name.
    """

    name: str
    arguments: tuple[Node, ...]
    column: int
    text: str
    named: Mapping[str, Token] = field(default_factory=dict)

    def refused(self, message: str, argument: int | None = None) -> ExpressionError:
        """Return an error that points at the call, or at one of its arguments."""
        column = self.column if argument is None else self.arguments[argument].column
        return ExpressionError(message, self.text, column)

    def require(self, argument: int, kind: Kind, usage: str) -> Node:
        """Return an argument if it is of that kind."""
        node = self.arguments[argument]
        if isinstance(node, Text):
            raise self.refused(f"{self.name} takes no text in quotes; write {usage}", argument)
        if node.kind != kind:
            hint = "a condition gives true or false" if kind == "number" else "compare the number, as in close > 100"
            raise self.refused(f"{self.name} expects a {kind} here, found a {node.kind}; {hint}: {usage}", argument)
        return node


Build: TypeAlias = Callable[[Call, str], Node]


@dataclass(frozen=True)
class Builtin:
    """A function of the language: how it is written, how many arguments it takes, which by name, and its node."""

    usage: str
    least: int
    most: int
    build: Build
    named: tuple[str, ...] = ()


def function_names() -> tuple[str, ...]:
    """Return all names that can be called in an expression, in alphabetical order.

    Examples
    --------
    >>> "crosses_above" in function_names(), "sma" in function_names()
    (True, True)
    """
    return tuple(sorted({*BUILTINS, *registry.names()}))


def build_call(call: Call) -> Node:
    """Return the node of a call.

    Raises
    ------
    ExpressionError
        If an argument is missing, too many or of the wrong type.
    """
    builtin = BUILTINS.get(call.name)
    for name, value in call.named.items():
        if builtin is None or name not in builtin.named:
            usage = indicator_usage(registry.lookup(call.name)) if builtin is None else builtin.usage
            raise ExpressionError(f"{call.name} takes no {name}=; write {usage}", call.text, value.column)
    if builtin is None:
        return _indicator(call, registry.lookup(call.name))
    count = len(call.arguments)
    if not builtin.least <= count <= builtin.most:
        wanted = str(builtin.least) if builtin.least == builtin.most else f"{builtin.least} or more"
        raise call.refused(f"{call.name} takes {wanted} {_plural(builtin.least)}, found {count}; write {builtin.usage}")
    return builtin.build(call, builtin.usage)


def indicator_usage(spec: IndicatorSpec) -> str:
    """Return how an indicator is written; what has no default stands by its name.

    Examples
    --------
    >>> indicator_usage(registry.lookup("rsi"))
    'rsi(close, 14)'
    """
    given = [info.name if info.default is None else f"{info.default:g}" for info in spec.parameters]
    return f"{spec.name}({', '.join(['close'] * len(_written_inputs(spec)) + given)})"


def _written_inputs(spec: IndicatorSpec) -> list[str]:
    return [name for name in spec.inputs if name not in BAR_COLUMNS and name != "session"]


def _plural(count: int) -> str:
    return "argument" if count == 1 else "arguments"


def _indicator(call: Call, spec: IndicatorSpec) -> Node:
    usage = indicator_usage(spec)
    series = _written_inputs(spec)
    required = len(series) + sum(info.default is None for info in spec.parameters)
    most = len(series) + len(spec.parameters)
    count = len(call.arguments)
    for k, argument in enumerate(call.arguments):
        call.require(k, "number", usage)
        if k < len(series) and not argument.is_series:
            raise call.refused(f"{spec.name} expects a series here, such as close, found a single number: {usage}", k)
        if k >= len(series) and argument.is_series:
            raise call.refused(_series_in_place_of_number(spec, k - len(series), usage), k)
    if not required <= count <= most:
        wanted = str(required) if required == most else f"{required} to {most}"
        raise call.refused(f"{spec.name} takes {wanted} {_plural(most)}, found {count}; write {usage}")
    for k, info in enumerate(spec.parameters[: count - len(series)], start=len(series)):
        value = literal_value(call.arguments[k])
        if value is not None:
            _check_literal(call, k, partial(info.check, as_written(value), spec.name))
    inputs, arguments = call.arguments[: len(series)], call.arguments[len(series) :]
    return on_own_bars(Indicator(spec.name, inputs, arguments, spec, column=call.column))


def _series_in_place_of_number(spec: IndicatorSpec, place: int, usage: str) -> str:
    if not _written_inputs(spec) and place == 0:
        taken = ", ".join(name for name in spec.inputs if name != "session")
        return f"{spec.name} takes {taken} from the bars by itself; write {usage}"
    name = spec.parameters[place].name if place < len(spec.parameters) else "an argument"
    return f"`{name}` of {spec.name} must be one number or parameter, found a series; write {usage}"


def _check_literal(call: Call, argument: int, check: Callable[[], object]) -> None:
    try:
        check()
    except InputError as error:
        raise call.refused(str(error), argument) from error


def _fold(operator: Operator) -> Build:
    def build(call: Call, usage: str) -> Node:
        numbers = [call.require(k, "number", usage) for k in range(len(call.arguments))]
        return reduce(lambda left, right: Arithmetic(operator, left, right, column=call.column), numbers)

    return build


def _absolute(call: Call, usage: str) -> Node:
    operand = call.require(0, "number", usage)
    return Arithmetic("bigger", operand, operand, column=call.column)


def _function(name: Literal["sqrt", "log", "exp"]) -> Build:
    def build(call: Call, usage: str) -> Node:
        return Function(name, call.require(0, "number", usage), column=call.column)

    return build


def _crosses_above(call: Call, usage: str) -> Node:
    left, right = call.require(0, "number", usage), call.require(1, "number", usage)
    return on_own_bars(Crossing(Greater(left, right, column=call.column), column=call.column))


def _crosses_below(call: Call, usage: str) -> Node:
    left, right = call.require(0, "number", usage), call.require(1, "number", usage)
    return on_own_bars(Crossing(Greater(right, left, column=call.column), column=call.column))


def _previous(call: Call, usage: str) -> Node:
    operand = call.arguments[0]
    if isinstance(operand, Text) or (operand.kind == "number" and not operand.is_series):
        raise call.refused(f"prev expects a series or a condition first, such as close; write {usage}", 0)
    count = call.require(1, "number", usage)
    if count.is_series:
        raise call.refused(f"the second argument of prev is one number of bars, found a series; write {usage}", 1)
    value = literal_value(count)
    if value is not None:
        _check_literal(call, 1, partial(check_lag, value))
    return on_own_bars(Lag(operand, count, column=call.column))


def check_lag(value: float) -> int:
    """Return the number of bars that `prev` looks back.

    Raises
    ------
    InputError
        If it is not a whole number of at least 0: below zero lies the future.
    """
    if value < 0:
        raise InputError(f"prev looks back {value:g} bars: that is the future, which cannot be known; use 0, 1, 2, ...")
    if not math.isfinite(value) or value != int(value):
        raise InputError(f"prev looks back {value:g} bars; expected a whole number: 0, 1, 2, ...")
    return int(value)


def _timeframe(call: Call, usage: str) -> Node:
    from algotrendy.domain.interval import Interval

    rule, operand = call.arguments
    if not isinstance(rule, Text):
        raise call.refused(f"the first argument of tf is an interval in quotes; write {usage}", 0)
    if isinstance(operand, Text):
        raise call.refused(f"the second argument of tf is an expression without quotes; write {usage}", 1)
    if operand.kind == "number" and not operand.is_series:
        raise call.refused(f"tf expects a series or a condition, found a single number; write {usage}", 1)
    try:
        interval = str(Interval.parse(rule.value))
    except InputError as error:
        raise call.refused(str(error), 0) from error
    node = on_own_bars(Timeframe(interval, operand, column=call.column))
    if isinstance(node, Timeframe) and looks_aside(operand):
        raise call.refused(
            'longer bars are those of one instrument; look at the others outside of tf: rank(tf("1wk", close)),'
            ' symbol("SPY", tf("1wk", close))',
            1,
        )
    return node


_MANY = 100
_SECTIONS: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("rank", 1, ("pct", "by")),
    ("zscore", 1, ("by",)),
    ("demean", 1, ("by",)),
    ("quantile", 2, ("by",)),
    ("top", 2, ("by",)),
    ("bottom", 2, ("by",)),
)

BUILTINS: dict[str, Builtin] = {
    "abs": Builtin("abs(x)", 1, 1, _absolute),
    "min": Builtin("min(a, b)", 2, _MANY, _fold("min")),
    "max": Builtin("max(a, b)", 2, _MANY, _fold("max")),
    "sqrt": Builtin("sqrt(x)", 1, 1, _function("sqrt")),
    "log": Builtin("log(x)", 1, 1, _function("log")),
    "exp": Builtin("exp(x)", 1, 1, _function("exp")),
    "prev": Builtin("prev(close, 1)", 2, 2, _previous),
    "crosses_above": Builtin("crosses_above(close, sma(close, 20))", 2, 2, _crosses_above),
    "crosses_below": Builtin("crosses_below(close, sma(close, 20))", 2, 2, _crosses_below),
    "tf": Builtin('tf("1wk", sma(close, 20))', 2, 2, _timeframe),
    **{
        name: Builtin(CROSS_USAGES[name], count, count, section_builder(name), named)
        for name, count, named in _SECTIONS
    },
    "symbol": Builtin('symbol("SPY").close', 2, 2, symbol_call),
}
"""The functions of the language itself. Everything else that can be called is an indicator."""
