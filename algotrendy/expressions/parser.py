"""From tokens to the typed tree: a Pratt parser that checks types as it goes, so errors point at the right column."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NoReturn

from algotrendy.errors import ExpressionError
from algotrendy.expressions.catalogue import Catalogue
from algotrendy.expressions.functions import BUILTINS, Call, build_call, indicator_usage
from algotrendy.expressions.lexer import ASSIGNMENT, ATTRIBUTE, NAMED_ARGUMENTS, Token, tokens_of
from algotrendy.expressions.names import nearest_name
from algotrendy.expressions.nodes import (
    And,
    Arithmetic,
    Column,
    Constant,
    Greater,
    Kind,
    Node,
    Not,
    Number,
    Operator,
    Parameter,
    Text,
    either,
    negated,
)
from algotrendy.indicators import registry

NESTING_MAX = 40
"""Brackets, calls and signs inside each other."""

DEPTH_MAX = 120
"""Levels of the tree, a chain of `+` or `and` included."""

_ARITHMETIC: dict[str, Operator] = {"+": "+", "-": "-", "*": "*", "/": "/"}
_COMPARISONS = (">", "<", ">=", "<=", "==", "!=")
_POWER = {"or": 1, "and": 2, "not": 3, **dict.fromkeys(_COMPARISONS, 4), "+": 5, "-": 5, "*": 6, "/": 6}
_SIGN_POWER = 7


class Parser:
    """Reads one text.

    Parameters
    ----------
    text : str
        On one line; see `parse`, which calls this.
    parameters : collection of str
        Names whose value comes later.
    catalogue : Catalogue
        The other names.
    """

    def __init__(self, text: str, parameters: Collection[str], catalogue: Catalogue) -> None:
        self._text, self._parameters, self._catalogue = text, parameters, catalogue
        self._tokens = tokens_of(text)
        self._position = 0
        self._nesting = 0

    def whole(self) -> Node:
        """Return the tree of the whole text."""
        if self._peek().kind == "end":
            raise ExpressionError("the expression is empty; write one such as close > sma(close, 20)", self._text, 0)
        node = self._expression(0)
        if self._peek().kind != "end":
            self._refuse_rest()
        return self._not_text(node)

    def _peek(self) -> Token:
        return self._tokens[self._position]

    def _take(self) -> Token:
        token = self._tokens[self._position]
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def _error(self, message: str, column: int) -> ExpressionError:
        return ExpressionError(message, self._text, column)

    def _expression(self, power: int) -> Node:
        self._nesting += 1
        if self._nesting > NESTING_MAX:
            raise self._error(f"nested more than {NESTING_MAX} levels deep; split the expression", self._peek().column)
        left = self._prefix()
        while _POWER.get(self._peek().text, 0) > power and self._peek().kind in {"symbol", "word"}:
            if self._peek().text == "not":
                self._refuse_rest()
            left = self._checked(self._infix(left, self._take()))
        self._nesting -= 1
        return self._checked(left)

    def _checked(self, node: Node) -> Node:
        if node.depth > DEPTH_MAX:
            raise self._error(f"a chain of more than {DEPTH_MAX} parts; split the expression", node.column)
        return node

    def _prefix(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return self._number(token)
        if token.kind == "text":
            return Text(token.text[1:-1], column=token.column)
        if token.kind == "name":
            return self._call(token) if self._peek().text == "(" else self._name(token)
        if token.text in {"true", "false"}:
            truth = Greater(Number(1.0), Number(0.0), column=token.column)
            return truth if token.text == "true" else Not(truth, column=token.column)
        if token.text == "not":
            return negated(self._typed(self._expression(_POWER["not"]), "condition", "`not`"))
        if token.text in {"-", "+"}:
            return self._signed(token)
        if token.text == "(":
            inside = self._not_text(self._expression(0))
            self._expect(")", token)
            return inside
        raise self._error(f"expected a number, a name or a bracket, found {token}", token.column)

    def _number(self, token: Token) -> Node:
        value = float(token.text.replace("_", ""))
        if math.isinf(value):
            raise self._error(f"{token.text[:20]} is too large for a number", token.column)
        return Number(value, column=token.column)

    def _signed(self, sign: Token) -> Node:
        operand = self._typed(self._expression(_SIGN_POWER), "number", f"`{sign.text}`")
        if sign.text == "+":
            return operand
        if isinstance(operand, Number):
            return Number(-operand.value, column=sign.column)
        return Arithmetic("*", operand, Number(-1.0), column=sign.column)

    def _infix(self, left: Node, operator: Token) -> Node:
        right = self._expression(_POWER[operator.text])
        wanted: Kind = "condition" if operator.text in {"and", "or"} else "number"
        label = f"`{operator.text}`"
        left, right = self._typed(left, wanted, label), self._typed(right, wanted, label)
        if operator.text == "and":
            return And(left, right, column=left.column)
        if operator.text == "or":
            return either(left, right, left.column)
        if operator.text in _ARITHMETIC:
            return Arithmetic(_ARITHMETIC[operator.text], left, right, column=left.column)
        if self._peek().text in _COMPARISONS and self._peek().kind == "symbol":
            raise self._error("comparisons cannot be chained; write `a < b and b < c`", self._peek().column)
        return _comparison(operator.text, left, right)

    def _typed(self, node: Node, kind: Kind, owner: str) -> Node:
        node = self._not_text(node)
        if node.kind == kind:
            return node
        if kind == "condition":
            raise self._error(f"{owner} takes conditions, found a number; compare it, as in `x > 0`", node.column)
        raise self._error(f"{owner} takes numbers, found a condition, which is true or false", node.column)

    def _not_text(self, node: Node) -> Node:
        if isinstance(node, Text):
            raise self._error('a text in quotes has its place only in tf("1wk", ...) and symbol("SPY")', node.column)
        return node

    def _expect(self, symbol: str, opened: Token) -> None:
        if self._peek().text == symbol and self._peek().kind == "symbol":
            self._take()
        elif self._peek().kind == "end":
            raise self._error(f"the bracket {opened.text!r} that opens here is never closed", opened.column)
        else:
            self._refuse_rest()

    def _refuse_rest(self) -> NoReturn:
        token = self._peek()
        before = self._tokens[self._position - 1]
        if token.text == ")":
            raise self._error("this bracket was never opened", token.column)
        if token.text.lower() in {"and", "or", "not"} and token.kind == "name":
            raise self._error(f"write `{token.text.lower()}` in small letters", token.column)
        if token.kind == "symbol" and token.text in {"=", "."}:
            raise self._error(ASSIGNMENT if token.text == "=" else ATTRIBUTE, token.column)
        if token.text == ",":
            raise self._error("a comma has its place only between the arguments of a call", token.column)
        raise self._error(f"expected an operator after {before}, found {token}", token.column)

    def _call(self, name: Token) -> Node:
        if name.text not in BUILTINS and name.text not in registry.names():
            self._refuse_name(name, called=True)
        opened = self._take()
        arguments: list[Node] = []
        named: dict[str, Token] = {}
        if self._peek().text != ")" or self._peek().kind != "symbol":
            self._argument(arguments, named)
            while self._peek().text == ",":
                self._take()
                self._argument(arguments, named)
        self._expect(")", opened)
        if name.text == "symbol" and len(arguments) == 1 and not named:
            arguments.append(self._attribute(name))
        node = build_call(Call(name.text, tuple(arguments), name.column, self._text, named))
        self._require_columns(node, name)
        return node

    def _argument(self, arguments: list[Node], named: dict[str, Token]) -> None:
        """Read one argument of a call: by position, or by name as in `by=sector`."""
        name = self._peek()
        following = self._tokens[min(self._position + 1, len(self._tokens) - 1)]
        if name.text not in NAMED_ARGUMENTS or following.text != "=":
            if named:
                raise self._error("arguments by position come before those by name", name.column)
            arguments.append(self._expression(0))
            return
        self._take()
        self._take()
        if name.text in named:
            raise self._error(f"{name.text} is given twice; give it once", name.column)
        value = self._take()
        if name.text == "by":
            self._check_label(value)
        elif value.text not in {"true", "false"}:
            raise self._error(f"{name.text} is true or false, found {value}", value.column)
        named[name.text] = value

    def _check_label(self, value: Token) -> None:
        entry = self._catalogue.get(value.text)
        if value.kind == "name" and entry is None and value.text not in self._parameters:
            self._refuse_name(value, called=False)
        if value.kind != "name" or entry is None or entry.type != "series" or value.text in registry.BAR_COLUMNS:
            raise self._error(f"by= names a further column of the bars, such as by=sector; found {value}", value.column)

    def _attribute(self, name: Token) -> Node:
        """Read what stands behind `symbol("SPY")`: a dot and a column."""
        usage = BUILTINS["symbol"].usage
        if self._peek().text != ".":
            raise self._error(f"symbol is one instrument, and one of its columns is needed; write {usage}", name.column)
        self._take()
        token = self._take()
        entry = self._catalogue.get(token.text) if token.kind == "name" else None
        if token.kind == "name" and entry is None and self._peek().text != "(":
            self._refuse_name(token, called=False)
        if entry is None or entry.type != "series" or self._peek().text == "(":
            said = f"expected a column of the instrument behind the dot, found {token}"
            raise self._error(f'{said}; write {usage}, or symbol("SPY", atr(14)) for more than a column', token.column)
        return Column(token.text, column=token.column)

    def _require_columns(self, node: Node, name: Token) -> None:
        """Refuse an indicator of bars where the catalogue has no bars."""
        if name.text in BUILTINS:
            return
        spec = registry.lookup(name.text)
        missing = [column for column in spec.inputs if column in registry.BAR_COLUMNS and column not in self._catalogue]
        if missing:
            known = ", ".join(self._catalogue)
            raise self._error(f"{name.text} needs {', '.join(missing)}; there are only: {known}", node.column)

    def _name(self, token: Token) -> Node:
        if token.text in self._parameters:
            return Parameter(token.text, column=token.column)
        entry = self._catalogue.get(token.text)
        if entry is None:
            self._refuse_name(token, called=False)
        return (Column if entry.type == "series" else Constant)(token.text, column=token.column)

    def _refuse_name(self, token: Token, *, called: bool) -> NoReturn:
        name = token.text
        if called and (name in self._parameters or name in self._catalogue):
            what = "a parameter" if name in self._parameters else "a name"
            raise self._error(f"{name!r} is {what}, not a function; write it without the bracket", token.column)
        if not called and name in BUILTINS:
            raise self._error(f"{name!r} is a function; write {BUILTINS[name].usage}", token.column)
        if not called and name in registry.names():
            raise self._error(f"{name!r} is a function; write {indicator_usage(registry.lookup(name))}", token.column)
        if name.lower() in _POWER or name.lower() in {"true", "false"}:
            raise self._error(f"write `{name.lower()}` in small letters", token.column)
        functions = (*BUILTINS, *registry.names())
        if called:
            listed = (*BUILTINS, "indicators such as sma, ema, rsi, atr")
            raise self._error(f"unknown function {name!r}{nearest_name(name, functions, listed)}", token.column)
        known = (*self._parameters, *self._catalogue, *functions)
        hint = nearest_name(name, known, (*self._catalogue, *sorted(self._parameters)))
        if "did you mean" not in hint:
            hint += f"; a parameter gets its value in the call: {name}=20"
            hint += f", a further column of the bars is named in it: columns=[{name!r}]"
        raise self._error(f"unknown name {name!r}{hint}", token.column)


def _comparison(operator: str, left: Node, right: Node) -> Node:
    column = left.column
    above, below = Greater(left, right, column=column), Greater(right, left, column=column)
    if operator == ">":
        return above
    if operator == "<":
        return below
    if operator == ">=":
        return Not(below, column=column)
    if operator == "<=":
        return Not(above, column=column)
    same = And(Not(above, column=column), Not(below, column=column), column=column)
    return same if operator == "==" else Not(same, column=column)
