"""The account as a stateful strategy sees it: one instrument, or several by their symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.stateful.orders import AccountState, Order
from algotrendy.backtest.stateful.view import InstrumentView
from algotrendy.errors import InputError
from algotrendy.strategy.bar_context import Fill
from algotrendy.strategy.parameter import nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Context", "context_of"]


class AccountReads:
    """What is read of an account, however many instruments it has."""

    _account: AccountState

    @property
    def time(self) -> pd.Timestamp:
        """Start of the bar that has just ended."""
        if self._account.time is None:
            raise InputError("there was no bar yet: in start() nothing is known; ask in on_bar or observe")
        return self._account.time

    @property
    def number(self) -> int:
        """Its number, the first bar being 0."""
        return self._account.number

    @property
    def cash(self) -> float:
        """In currency; below zero is borrowed."""
        return self._account.cash

    @property
    def equity(self) -> float:
        """Cash and all positions at their last closes, in currency."""
        return self._account.equity


class Context(AccountReads):
    """An account with several instruments; `algotrendy.strategy.BarContext` says what may be asked of it.

    Parameters
    ----------
    account : AccountState
        What the views share.
    views : sequence of InstrumentView
        One per instrument.
    """

    def __init__(self, account: AccountState, views: Sequence[InstrumentView]) -> None:
        self._account, self._views = account, {view.symbol: view for view in views}

    @property
    def symbols(self) -> tuple[str, ...]:
        """All instruments."""
        return tuple(self._views)

    @property
    def orders(self) -> tuple[Order, ...]:
        """All orders that are open, in the order of placing."""
        return tuple(self._account.open.values())

    @property
    def fills(self) -> tuple[Fill, ...]:
        """What was filled since the strategy was asked last, by instrument."""
        return tuple(fill for view in self._views.values() for fill in view.fills)

    def cancel(self, order: Order | None = None) -> int:
        """Cancel an order, or all open ones, with what waits for them; return how many were still open."""
        if order is None:
            return sum(view.cancel() for view in self._views.values() if view.orders)
        return self._view_of(order).cancel(order)

    def replace(self, order: Order, **changes: float) -> Order:
        """Put an order with another price or other units in the place of one that is open; return the new one."""
        return self._view_of(order).replace(order, **changes)

    def __getitem__(self, symbol: str) -> InstrumentView:
        try:
            return self._views[symbol]
        except KeyError:
            raise InputError(f"there is no instrument {symbol!r}{nearest(str(symbol), self._views)}") from None

    def __iter__(self) -> Iterator[InstrumentView]:
        return iter(self._views.values())

    def __len__(self) -> int:
        return len(self._views)

    def _view_of(self, order: Any) -> InstrumentView:
        views = list(self._views.values())
        return views[order.place] if isinstance(order, Order) else views[0]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # a copy asks for these before there is anything in it
            raise AttributeError(f"ctx has no {name!r}")
        if not hasattr(InstrumentView, name):
            raise AttributeError(f"ctx has no {name!r}{nearest(name, _names(self._views))}")
        first = next(iter(self._views))
        raise InputError(
            f"there are {len(self._views)} instruments ({', '.join(list(self._views)[:5])}); say which one:"
            f" ctx[{first!r}].{name}"
        )


class SingleContext(AccountReads, InstrumentView):
    """An account with one instrument, and that instrument: both in one."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The one instrument."""
        return (self._symbol,)

    def __getitem__(self, symbol: str) -> InstrumentView:
        if symbol != self._symbol:
            raise InputError(f"there is no instrument {symbol!r}; there is one, {self._symbol!r}: ctx is it")
        return self

    def __iter__(self) -> Iterator[InstrumentView]:
        return iter((self,))

    def __len__(self) -> int:
        return 1


def context_of(
    account: AccountState, symbols: Sequence[str], columns: Sequence[str], terms: Sequence[Mapping[str, float]]
) -> tuple[Context | SingleContext, list[InstrumentView]]:
    """Return what a strategy is handed, and the views of its instruments.

    Parameters
    ----------
    account : AccountState
        Shared by all.
    symbols : sequence of str
        One per instrument.
    columns : sequence of str
        What their bars hold.
    terms : sequence of mapping
        `lot_size` and `multiplier` of each.
    """
    if len(symbols) == 1:
        only = SingleContext(account, symbols[0], 0, columns, **terms[0])
        return only, [only]
    views = [
        InstrumentView(account, symbol, j, columns, **each)
        for j, (symbol, each) in enumerate(zip(symbols, terms, strict=True))
    ]
    return Context(account, views), views


def _names(views: Mapping[str, InstrumentView]) -> list[str]:
    own = [name for name in dir(Context) if not name.startswith("_")]
    return sorted({*own, *(name for name in dir(next(iter(views.values()))) if not name.startswith("_"))})
