"""Options of an account by symbol; where there is one instrument they need none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from algotrendy.errors import InputError
from algotrendy.strategy.parameter import nearest

__all__ = ["by_symbol", "check_symbol"]


def by_symbol(name: str, value: Any, symbols: Sequence[str]) -> dict[str, Any]:
    """Return an option for each symbol that has it; what is no mapping is for all.

    Raises
    ------
    InputError
        If it names an unknown symbol.

    Examples
    --------
    >>> by_symbol("participation", 0.1, ("A", "B")), by_symbol("participation", {"B": 0.2}, ("A", "B"))
    ({'A': 0.1, 'B': 0.1}, {'B': 0.2})
    """
    if not isinstance(value, Mapping):
        return dict.fromkeys(symbols, value)
    for symbol in value:
        check_symbol(name, symbol, symbols)
    return dict(value)


def check_symbol(name: str, symbol: Any, symbols: Sequence[str]) -> None:
    """Refuse an option for a symbol that has no bars.

    Raises
    ------
    InputError
        If it has none; one frame of bars has no symbol at all.
    """
    if tuple(symbols) == ("",) and symbol != "":
        raise InputError(
            f"{name} names {symbol!r}, and the bars are one frame without a symbol; give {name} without one, or the"
            f" bars as {{{symbol!r}: bars}}"
        )
    if symbol not in symbols:
        raise InputError(f"{name} names {symbol!r}, which has no bars{nearest(str(symbol), symbols)}")
