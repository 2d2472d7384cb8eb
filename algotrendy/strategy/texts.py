"""The step from the text of a strategy to an expression, with what a strategy asks of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from algotrendy.errors import ExpressionError, InputError

if TYPE_CHECKING:
    from algotrendy.expressions import Expression

_HINTS = {
    "condition": "compare it with something, as in 'close > sma(close, 20)'",
    "number": "a level is a fraction such as '2 * atr(14) / close'",
}


def parse_text(
    name: str, text: Any, kind: str, parameters: Collection[str], columns: Collection[str] = ()
) -> Expression:
    """Parse one field of a strategy.

    Parameters
    ----------
    name : str
        The field, for the message: 'entry', 'stop'.
    text : str
        What it says.
    kind : {'condition', 'number'}
        What it has to give.
    parameters : collection of str
        The names that it may use.
    columns : collection of str
        Further columns of the bars that it may use.

    Raises
    ------
    InputError
        If `text` is not a text.
    ExpressionError
        If it is not an expression of that kind.
    """
    from algotrendy.expressions import BARS, parse

    if not isinstance(text, str):
        raise InputError(f"{name} is {text!r} ({type(text).__name__}); write it as text, as in {_example(name, text)}")
    expression = parse(text, parameters=tuple(parameters), catalogue=BARS.with_columns(columns))
    if expression.kind != kind:
        other = "a number" if kind == "condition" else "a condition"
        raise ExpressionError(f"{name} must be a {kind}, but this is {other}; {_HINTS[kind]}", text, 0)
    return expression


def _example(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"{name}='{str(value).lower()}'"
    if hasattr(value, "__len__"):
        return f"{name}='close > sma(close, 20)'; ready-made signals go in at.backtest(bars, entries=..., exits=...)"
    return f"{name}='close > sma(close, 20)'"
