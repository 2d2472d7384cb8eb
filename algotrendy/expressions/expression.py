"""`parse` and what it returns: an expression, read and type-checked, with no values yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from algotrendy.errors import ExpressionError, InputError
from algotrendy.expressions.catalogue import BARS, Catalogue
from algotrendy.expressions.lexer import KEYWORDS
from algotrendy.expressions.lookback import bars_before_first
from algotrendy.expressions.nodes import Indicator, Kind, Node
from algotrendy.expressions.parser import Parser
from algotrendy.indicators import registry

_SPACE = re.compile(r"\s")


@dataclass(frozen=True)
class Expression:
    """A number or a condition, read from text. Values of parameters and bars come later, see `evaluate`.

    Attributes
    ----------
    text : str
        As it was given.
    root : Node
        The typed tree.
    declared : frozenset of str
        Parameters that the text was allowed to use.
    catalogue : Catalogue
        The other names that it was allowed to use.

    Examples
    --------
    >>> cross = parse("sma(close, fast) > sma(close, slow)", parameters=("fast", "slow", "stop_loss"))
    >>> cross.kind, sorted(cross.parameters), cross.lookback({"fast": 20, "slow": 50})
    ('condition', ['fast', 'slow'], 49)
    """

    text: str
    root: Node
    declared: frozenset[str]
    catalogue: Catalogue

    @property
    def kind(self) -> Kind:
        """ "number" or "condition"."""
        return self.root.kind

    @property
    def parameters(self) -> frozenset[str]:
        """Names of the parameters that occur in the text."""
        return self.root.parameters

    @property
    def uses_bars(self) -> bool:
        """Whether the result changes from bar to bar; if not, the parameters alone decide it."""
        return self.root.is_series

    def lookback(self, params: Mapping[str, float] | None = None, *, interval: str = "1d") -> int:
        """Return the number of bars before the first known value.

        Parameters
        ----------
        params : mapping of str to float
            Values of the parameters.
        interval : str
            Length of the bars; only `tf` asks, and what it answers is an upper bound: months differ.

        Raises
        ------
        InputError
            If a parameter is missing, or is not one that its place allows (a window of 20.5).
        """
        return bars_before_first(self.root, params or {}, self.catalogue, interval)

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[Callable[..., Expression], tuple[Any, ...]]:
        return _parse_again, (self.text, self.declared, self.catalogue)


def parse(text: str, *, parameters: Collection[str] = (), catalogue: Catalogue = BARS) -> Expression:
    """Read a condition or a number.

    Parameters
    ----------
    text : str
        Such as `"sma(close, fast) > sma(close, slow)"`. Columns, parameters, numbers, `+ - * /`, comparisons,
        `and or not`, indicators, `crosses_above crosses_below prev abs min max sqrt log exp tf`.
    parameters : collection of str
        Names whose values come later.
    catalogue : Catalogue
        The other names that may be used; by default the columns of bars.

    Returns
    -------
    Expression
        Its `kind` says whether it is a condition or a number.

    Raises
    ------
    ExpressionError
        If the text is not an expression: the message points at the column and says what to write.
    InputError
        If `text` is not a text, or a parameter has the name of a column or a keyword.

    Examples
    --------
    >>> parse("clsoe > 100")
    Traceback (most recent call last):
        ...
    algotrendy.errors.ExpressionError: unknown name 'clsoe'; did you mean 'close'? (column 1)
      clsoe > 100
      ^
    """
    if not isinstance(text, str):
        raise InputError(f"an expression is a text such as 'close > sma(close, 20)', found {type(text).__name__}")
    if isinstance(parameters, str):
        raise InputError(f"parameters are {parameters!r}; give a collection of names: parameters=({parameters!r},)")
    allowed = frozenset(parameters)
    expression = _parse(text, allowed, catalogue)
    if all(registry.lookup(node.name) is node.spec for node in _indicators(expression.root)):
        return expression
    _parse.cache_clear()  # a user's indicator was defined anew under its old name
    return _parse(text, allowed, catalogue)


@lru_cache(maxsize=512)
def _parse(text: str, parameters: frozenset[str], catalogue: Catalogue) -> Expression:
    for name in sorted(parameters):
        if name in catalogue or name in KEYWORDS:
            what = "a name of the bars" if name in catalogue else "a word of the language"
            raise InputError(f"parameter {name!r} is {what} already; choose another name, such as '{name}_value'")
    one_line = _SPACE.sub(" ", text)  # a line break would move the pointer of a message
    try:
        root = Parser(one_line, parameters, catalogue).whole()
    except RecursionError as error:
        raise ExpressionError("nested too deep; split the expression", one_line[:60], 0) from error
    return Expression(text, root, parameters, catalogue)


def _parse_again(text: str, parameters: frozenset[str], catalogue: Catalogue) -> Expression:
    return parse(text, parameters=parameters, catalogue=catalogue)


def _indicators(node: Node) -> Iterator[Indicator]:
    if isinstance(node, Indicator):
        yield node
    for child in node.children:
        yield from _indicators(child)
