"""What a strategy on several instruments may look at besides its own bars: all instruments, and further columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from algotrendy.backtest.portfolio.market import Account
from algotrendy.domain.types import Bool2D
from algotrendy.expressions import BARS, Catalogue, Expression
from algotrendy.expressions.instruments import Instruments
from algotrendy.expressions.lexer import KEYWORDS
from algotrendy.expressions.nodes import Node, Other, Section

__all__ = ["instruments_of", "names_of", "sections_in", "with_peers"]


def names_of(account: Account, columns: Iterable[str] = ()) -> Catalogue:
    """Return what expressions may name: the columns of bars, those given, and the further columns of the bars.

    Columns whose names cannot stand in an expression are left out.
    """
    found = dict.fromkeys(columns)
    for further in account.panel.further:
        found.update(dict.fromkeys(further))
    usable = [name for name in found if name.isidentifier() and name.isascii() and name not in KEYWORDS]
    return BARS.with_columns(name for name in usable if name not in BARS)


def instruments_of(account: Account, members: Bool2D | None, columns: Iterable[str] = ()) -> Instruments:
    """Return the instruments of an account as expressions see them; `members` take part in cross-sections."""
    symbols, catalogue = account.panel.symbols, names_of(account, columns)
    return Instruments(symbols, account.settings, account.n_bars, members, catalogue=catalogue)


def with_peers(account: Account, instruments: Instruments) -> Account:
    """Return the account, its instruments knowing each other."""
    settings = tuple(replace(own, context=instruments.context(j)) for j, own in enumerate(account.settings))
    return replace(account, settings=settings)


def sections_in(expressions: Iterable[Expression | Node | None]) -> Iterator[Section | Other]:
    """Yield the parts of some expressions that look at several instruments, those inside others first."""
    for each in expressions:
        node = each.root if isinstance(each, Expression) else each
        if node is not None:
            yield from sections_in(node.children)
            if isinstance(node, Section | Other):
                yield node
