"""The functions that look at other instruments: one among all at a moment, and another one by its symbol.

An expression is evaluated on the bars of one instrument. Here are the calls that leave it: a cross-section compares a
number with that of all instruments of the universe at the same moment; `symbol` reads another instrument's bars.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from algotrendy.expressions.nodes import (
    And,
    Arithmetic,
    Column,
    Crossing,
    Function,
    Greater,
    Indicator,
    Lag,
    Node,
    Not,
    Other,
    Section,
    SectionName,
    Text,
    Timeframe,
)
from algotrendy.expressions.scalars import literal_value
from algotrendy.indicators.registry import BAR_COLUMNS

if TYPE_CHECKING:
    from algotrendy.expressions.functions import Build, Call

__all__ = ["CROSS_USAGES", "looks_aside", "on_own_bars", "section_builder", "symbol_call"]

CROSS_USAGES = {
    "rank": "rank(x), rank(x, pct=true) or rank(x, by=sector)",
    "zscore": "zscore(x) or zscore(x, by=sector)",
    "demean": "demean(x) or demean(x, by=sector)",
    "quantile": "quantile(x, 0.8) or quantile(x, 0.8, by=sector)",
    "top": "top(x, 10) or top(x, 10, by=sector)",
    "bottom": "bottom(x, 10) or bottom(x, 10, by=sector)",
}
"""How each cross-section is written."""


def section_builder(name: str) -> Build:
    """Return what makes the node of a cross-section."""

    def build(call: Call, usage: str) -> Node:
        operand = call.require(0, "number", usage)
        if not operand.is_series:
            raise call.refused(f"{name} expects a series here, such as close, found a single number: {usage}", 0)
        by = call.named["by"].text if "by" in call.named else ""

        def section(kind: SectionName, *arguments: Node) -> Section:
            return Section(kind, operand, arguments, by, call.text, column=call.column)

        if name == "quantile":
            return section("quantile", _share(call, usage))
        if name == "top":
            return Greater(_count(call, usage), section("above"), column=call.column)
        if name == "bottom":
            return Greater(_count(call, usage), section("below"), column=call.column)
        if name == "zscore":
            return section("zscore")
        if name == "demean":
            return section("demean")
        is_share = "pct" in call.named and call.named["pct"].text == "true"
        return section("share" if is_share else "rank")

    return build


def _scalar(call: Call, usage: str) -> Node:
    argument = call.require(1, "number", usage)
    if argument.is_series:
        raise call.refused(
            f"the second argument of {call.name} is one number or parameter, found a series; write {usage}", 1
        )
    return argument


def _share(call: Call, usage: str) -> Node:
    argument = _scalar(call, usage)
    value = literal_value(argument)
    if value is not None and not 0.0 <= value <= 1.0:
        raise call.refused(f"quantile is asked for {value:g}; a share from 0 to 1: 80 % is 0.8", 1)
    return argument


def _count(call: Call, usage: str) -> Node:
    argument = _scalar(call, usage)
    value = literal_value(argument)
    if value is not None and (math.isnan(value) or value < 1.0 or value != int(value)):
        raise call.refused(f"{call.name} is asked for {value:g} instruments; a whole number of at least 1", 1)
    return argument


# --- another instrument -----------------------------------------------------------------------------------------------


def symbol_call(call: Call, usage: str) -> Node:
    """Return the node of `symbol("SPY").close` or `symbol("SPY", x)`; the parser makes the first the second."""
    symbol, operand = call.arguments
    if not isinstance(symbol, Text):
        raise call.refused(f"the first argument of symbol is a symbol in quotes; write {usage}", 0)
    if not symbol.value:
        raise call.refused(f"the symbol is empty; write {usage}", 0)
    if isinstance(operand, Text):
        raise call.refused(f"the second argument of symbol is an expression without quotes; write {usage}", 1)
    if not operand.is_series:
        raise call.refused(f"symbol expects a series or a condition of series, such as close; write {usage}", 1)
    return Other(symbol.value, operand, call.text, column=call.column)


def on_own_bars(node: Node) -> Node:
    """Return what looks at other bars so that it looks at those of the instrument that its series belong to.

    `sma(symbol("SPY").close, 200)` is `symbol("SPY", sma(close, 200))`: an average of SPY's bars. What is made of two
    instruments stays on the bars of the one that is asked about.

    Examples
    --------
    >>> from algotrendy.expressions import parse
    >>> parse('sma(symbol("SPY").close, 200)').root == parse('symbol("SPY", sma(close, 200))').root
    True
    """
    found = {(part.symbol, part.source) for part in _series(node) if isinstance(part, Other)}
    if len(found) != 1 or not all(isinstance(part, Other) for part in _series(node)):
        return node
    (symbol, source) = found.pop()
    return Other(symbol, _without_symbol(node), source, column=node.column)


def _series(node: Node) -> list[Node]:
    """Return the parts that bring bars into a node: columns, sections, other instruments, indicators of bars."""
    if isinstance(node, Column | Section | Other):
        return [node]
    own: list[Node] = []
    if isinstance(node, Indicator) and any(name in BAR_COLUMNS or name == "session" for name in node.spec.inputs):
        own = [node]
    return [*own, *(part for child in node.children for part in _series(child))]


def _without_symbol(node: Node) -> Node:
    """Return the node on the bars of the instrument itself."""
    if isinstance(node, Other):
        return node.operand
    if isinstance(node, Indicator):
        return replace(node, inputs=tuple(_without_symbol(each) for each in node.inputs))
    if isinstance(node, Arithmetic | Greater | And):
        return replace(node, left=_without_symbol(node.left), right=_without_symbol(node.right))
    if isinstance(node, Function | Not | Lag | Timeframe):
        return replace(node, operand=_without_symbol(node.operand))
    if isinstance(node, Crossing):
        comparison = _without_symbol(node.comparison)
        assert isinstance(comparison, Greater)
        return replace(node, comparison=comparison)
    return node


def looks_aside(node: Node) -> bool:
    """Return whether a cross-section or another instrument comes into a node.

    Examples
    --------
    >>> looks_aside(Column("close")), looks_aside(Section("rank", Column("close")))
    (False, True)
    """
    return isinstance(node, Section | Other) or any(looks_aside(child) for child in node.children)
