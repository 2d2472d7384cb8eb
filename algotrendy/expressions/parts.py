"""Indicators that are arithmetic of simpler ones: a Bollinger band is an average plus some deviations.

Computed from its parts a band has the same numbers to the last bit. It is worth it in a sweep: the average and the
deviation of one window then serve all widths.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from algotrendy.errors import InputError
from algotrendy.expressions.catalogue import BARS, Catalogue, Name
from algotrendy.expressions.nodes import Arithmetic, Column, Indicator, Node, Number, Parameter
from algotrendy.indicators.registry import lookup


def parts_of(node: Node) -> Node | None:
    """Return what an indicator is made of, or None if it is not made of simpler ones.

    Examples
    --------
    >>> from algotrendy.expressions import parse
    >>> middle = parse("bollinger_middle(close, n, 2)", parameters=("n",)).root
    >>> parts_of(middle) == parse("sma(close, n)", parameters=("n",)).root
    True
    """
    if not isinstance(node, Indicator) or not node.spec.made_of:
        return None
    spec, template = node.spec, _template(node.name)
    is_same = isinstance(template, Indicator) and template.name == node.name
    if is_same and len(node.arguments) <= len(template.children) - len(node.inputs):
        return None  # it has no argument that could be left away
    given = dict(zip((info.name for info in spec.parameters), node.arguments, strict=False))
    for info in spec.parameters:
        if info.default is not None:
            given.setdefault(info.name, Number(float(info.default)))
    series = [name for name in spec.inputs if name not in BARS]
    return _filled(template, {**given, **dict(zip(series, node.inputs, strict=True))})


@lru_cache(maxsize=64)
def _template(name: str) -> Node:
    """Return what a built-in indicator is made of, as a tree in which its parameters and series stand by name."""
    from algotrendy.expressions.expression import parse

    spec = lookup(name)
    names = Catalogue([*BARS.values(), *(Name(series) for series in spec.inputs if series not in BARS)])
    return parse(spec.made_of, parameters=[info.name for info in spec.parameters], catalogue=names).root


def _filled(node: Node, given: Mapping[str, Node]) -> Node:
    """Return the template with what was given in the places of its names."""
    if isinstance(node, Parameter | Column):
        return given.get(node.name, node)
    if isinstance(node, Arithmetic):
        return Arithmetic(node.operator, _filled(node.left, given), _filled(node.right, given))
    if isinstance(node, Indicator):
        inputs = tuple(_filled(child, given) for child in node.inputs)
        arguments = tuple(_filled(child, given) for child in node.arguments)
        return Indicator(node.name, inputs, arguments, node.spec)
    if isinstance(node, Number):
        return node
    raise InputError(f"an indicator is made of {type(node).__name__}; it may be made of numbers and indicators only")
