"""The proof for strategies that are text: their tree holds nothing that could read a later bar.

The table of kinds of node is closed: a kind that is not in it is not proved, and is looked at by intervention.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from algotrendy.expressions import BARS, nodes
from algotrendy.expressions.binding import bound_lag
from algotrendy.indicators.registry import is_builtin

if TYPE_CHECKING:
    from algotrendy.expressions import Expression

__all__ = ["Proof", "prove"]

_SYMBOL = re.compile(r"""symbol\(\s*["'][^"']*["']\s*\)\s*\.\s*""")

REASONS: Mapping[type[nodes.Node], str] = {
    nodes.Number: "a literal is the same at every bar",
    nodes.Text: "the rule of tf is the same at every bar",
    nodes.Parameter: "a parameter is the same at every bar",
    nodes.Constant: "a constant of the instrument is the same at every bar",
    nodes.Column: "a column gives the value of the bar itself",
    nodes.Arithmetic: "arithmetic joins values of one bar",
    nodes.Function: "sqrt, log and exp are taken of the value of one bar",
    nodes.Section: "a cross-section compares what instruments are at bars of one and the same stamp",
    nodes.Other: "symbol reads another instrument at the bar of the same stamp, and nothing where it has none",
    nodes.Greater: "a comparison joins values of one bar",
    nodes.Not: "`not` is taken of the truth of one bar",
    nodes.And: "`and` joins the truth of one bar",
    nodes.Lag: "prev counts bars backwards: a count below zero is refused",
    nodes.Crossing: "crosses_above and crosses_below read this bar and the one before",
    nodes.Timeframe: "tf reads longer bars only once they are complete",
    nodes.Indicator: "a built-in indicator reads this bar and earlier ones",
}
"""Why a kind of node cannot read a later bar, given that its parts cannot."""

RESTS_ON: Mapping[type[nodes.Node], str] = {
    nodes.Indicator: "the law that later bars change no earlier value of a built-in indicator, held by "
    "tests/property/test_indicator_laws.py",
    nodes.Timeframe: "the law that a longer bar is not known before its period is over, held by "
    "tests/property/test_resample.py",
    nodes.Section: "the law that later bars change no earlier cross-section, held by "
    "tests/property/test_cross_section_laws.py, and bars of one stamp that end together",
    nodes.Other: "the law that later bars change nothing earlier that is read of another instrument, held by "
    "tests/property/test_cross_section_laws.py, and bars of one stamp that end together",
    nodes.Constant: "the calendar of the instrument, which is known in advance: periods_per_year follows from it",
}
_FURTHER = (
    "the column {}: that each row holds what was known when its bar ended, as a figure is on the day it is published, "
    "not on the last day of its quarter"
)
_EVALUATOR = "the law that later bars change no earlier truth, held by tests/property/test_conditions.py"
_BARS = "the bars: that each row, and each column of it, was known when its bar ended, as restated prices are not"


@dataclass(frozen=True)
class Proof:
    """What was found in the trees of a strategy.

    Attributes
    ----------
    steps : tuple of str
        One line per kind of node that occurs: why it cannot read a later bar.
    rests_on : tuple of str
        What the proof takes for granted.
    open : tuple of str
        What is not proved: empty if everything is.
    custom : mapping of str to Node
        Calls of Python indicators, by their text.
    columns : tuple of str
        What is taken for granted about further columns of the bars, one line each.
    """

    steps: tuple[str, ...]
    rests_on: tuple[str, ...]
    open: tuple[str, ...]
    custom: Mapping[str, nodes.Node]
    columns: tuple[str, ...] = ()


def prove(expressions: Mapping[str, Expression], values: Mapping[str, float]) -> Proof:
    """Walk the trees of some expressions.

    Parameters
    ----------
    expressions : mapping of str to Expression
        Conditions and levels by name.
    values : mapping of str to float
        Values of the parameters: they decide how far `prev` reaches back.

    Raises
    ------
    InputError
        If a `prev` counts forward with these values.
    """
    kinds: dict[type[nodes.Node], int] = {}
    not_proved: dict[str, None] = {}
    custom: dict[str, nodes.Node] = {}
    columns: dict[str, None] = {}
    for expression in expressions.values():
        for node in _walk(expression.root):
            kind = type(node)
            kinds[kind] = kinds.get(kind, 0) + 1
            if kind not in REASONS:
                not_proved[f"{kind.__name__} is no node that the proof knows"] = None
            elif isinstance(node, nodes.Lag):
                bound_lag(node, values)
            elif isinstance(node, nodes.Indicator) and not is_builtin(node.spec):
                not_proved[f"{node.name} is a Python function"] = None
                custom[_text_of(node, expression, custom)] = node
            elif isinstance(node, nodes.Column) and node.name not in BARS:
                columns[node.name] = None
            elif isinstance(node, nodes.Section) and node.by:
                columns[node.by] = None
    order = [kind for kind in REASONS if kind in kinds]
    steps = tuple(f"{REASONS[kind]} ({kinds[kind]} {kind.__name__})" for kind in order)
    given = tuple(_FURTHER.format(name) for name in columns)
    rests_on = (*(RESTS_ON[kind] for kind in order if kind in RESTS_ON), *given, _EVALUATOR, _BARS)
    return Proof(steps, rests_on, tuple(not_proved), custom, given)


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _text_of(node: nodes.Indicator, expression: Expression, taken: Mapping[str, nodes.Node]) -> str:
    """Return a name for a call: its text up to the closing bracket.

    `symbol` is left out: what stands in it is evaluated on that instrument, and the call is looked at on each.
    """
    text = expression.text[node.column :]
    depth = 0
    for k, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and depth == 0:
            text = text[: k + 1]
            break
    text = _SYMBOL.sub("", text)
    known = taken.get(text)
    return text if known is None or known == node else f"{text} of another expression"
