"""Runs a compiled strategy: the columns that it reads are laid out, and one compiled walk goes over all bars."""

from __future__ import annotations

import keyword
import math
from collections import namedtuple
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.orders import KINDS
from algotrendy.backtest.stateful.blotter import Blotter, frame_of
from algotrendy.backtest.stateful.orders import AccountState, Order
from algotrendy.domain.bars import COLUMNS
from algotrendy.domain.types import AnyArray, Float1D
from algotrendy.errors import InputError
from algotrendy.strategy.compiled_strategy import CompiledStrategy

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.stateful.loop import StatefulRun

__all__ = ["run_compiled"]

_ROOM = 1_024
_KINDS = {number: name for name, number in KINDS.items()}


def run_compiled(
    strategy: CompiledStrategy, account: Account, asked: tuple[int, int], columns: Mapping[str, AnyArray]
) -> StatefulRun | None:
    """Run a compiled strategy over the bars of an account of one instrument.

    Parameters
    ----------
    strategy : CompiledStrategy
        Is not changed.
    account : Account
        Bars, conventions and costs.
    asked : tuple of int
        The first bar at which it decides, and the first at which it does not any more.
    columns : mapping of str to array
        Further columns of the bars.

    Returns
    -------
    StatefulRun or None
        None if it ordered what is not allowed: run in Python it says what.

    Raises
    ------
    InputError
        If a name is taken twice. Whatever else it raises is passed on, with a note that names the bar.
    """
    from algotrendy.kernels.portfolio_decided import FULL, PROBLEM, WRONG

    chosen = strategy.fresh()
    assert isinstance(chosen, CompiledStrategy)
    read = _columns_for(chosen, account, columns)
    room = max(_ROOM, account.n_bars // 4)
    while True:
        run = _Walked(chosen, account, room)
        run.walk(read, asked)
        if run.state[PROBLEM] != FULL:
            break
        room *= 8
    return None if run.state[PROBLEM] == WRONG else run.done()


class _Walked:
    """One run of a compiled walk, with room for so many orders."""

    def __init__(self, strategy: CompiledStrategy, account: Account, room: int) -> None:
        from algotrendy.kernels import portfolio_decided as decided

        self.strategy, self.account = strategy, account
        self.seen = AccountState(account.options.cash, account.options.cash, account.options.max_leverage)
        self.blotter = Blotter(account, self.seen, room)
        self.links = np.full((decided.N_LINKS, room), -1)
        self.numbers = np.full((decided.N_NUMBERS, room), np.nan)
        self.numbers[decided.FILLED_UNITS] = 0.0
        self.state = np.zeros(decided.N_STATE, np.int64)
        self.state[decided.ROOM] = room
        self.held = np.zeros(decided.N_HELD)
        self.held[decided.AVERAGE] = np.nan
        self.held[decided.MAX_LEVERAGE] = account.options.max_leverage
        self.held[decided.LOT_SIZE] = account.terms.lot_size[0]
        self.held[decided.MULTIPLIER] = account.multipliers[0]

    def walk(self, columns: Any, asked: tuple[int, int]) -> None:
        """Go over all bars."""
        from algotrendy.backtest.stateful.loop import Noted
        from algotrendy.kernels.portfolio_decided import BAR
        from algotrendy.kernels.portfolio_decided_walk import walk_of

        kind = type(self.strategy)
        run = walk_of(kind.decide, self.strategy.watches)
        params = _named(tuple(self.strategy.numbers) or ("none",))(
            *map(float, self.strategy.numbers.values() or (0.0,))
        )
        names = tuple(kind.memory) or ("none",)
        memory = np.zeros(1, np.dtype([(name, np.float64) for name in names]))
        for name, value in kind.memory.items():
            memory[name] = value
        arrays: tuple[AnyArray, ...] = (self.links, self.numbers, self.state, self.held, columns.close)
        table = [*self.blotter.table.tolist(), *(array.ctypes.data for array in arrays)]
        whole = np.array(table, dtype=np.int64)
        self.state[BAR] = -1
        with Noted(self.seen) as noted:
            noted.strategy = self.strategy
            try:
                run(whole.ctypes.data, (self.state, self.held), columns, (params, memory), asked)
            finally:
                number = int(self.state[BAR])
                if number >= 0:
                    self.seen.number, self.seen.time = number, self.account.panel.index[number]

    def done(self) -> StatefulRun:
        """Return what came of it."""
        from algotrendy.backtest.stateful.loop import StatefulRun

        return StatefulRun(self.blotter.ledger(), self.orders, self.frame, self.strategy)

    def frame(self) -> pd.DataFrame:
        """Return one row per order."""
        orders = self.orders()
        status = self.blotter.desk.status[: len(orders)].tolist()
        filled = [order.filled_units for order in orders], [order.fill_price for order in orders]
        return frame_of(self.account.panel.index, orders, status, [order.units for order in orders], filled)

    def orders(self) -> list[Order]:
        """Return all orders, as a strategy in Python would hold them."""
        from algotrendy.kernels import portfolio_decided as decided
        from algotrendy.kernels.portfolio_orders import STATUS

        n, requests = int(self.state[decided.N_ORDERS]), self.blotter.requests
        numbers = [[None if math.isnan(value) else value for value in row[:n].tolist()] for row in self.numbers]
        links = [[None if value < 0 else value for value in row[:n].tolist()] for row in self.links]
        kinds = [_KINDS[kind] for kind in requests.kind[:n].tolist()]
        price, made = numbers[decided.QUOTED], []
        symbol = self.account.panel.symbols[0]
        for k in range(n):
            fill_price = numbers[decided.FILL_PRICE][k]
            made.append(
                Order(
                    id=k,
                    symbol=symbol,
                    place=0,
                    type=kinds[k],
                    sign=float(self.numbers[decided.SIGN, k]),
                    units=numbers[decided.ASKED_UNITS][k],
                    size=numbers[decided.ASKED_SIZE][k],
                    limit_price=price[k] if kinds[k] == "limit" else None,
                    stop_price=price[k] if kinds[k] == "stop" else None,
                    time_in_force="DAY" if requests.is_day[k] else "GTC",
                    parent=None,
                    group=None if requests.group[k] < 0 else int(requests.group[k]),
                    reduce_only=bool(requests.reduces[k]),
                    placed_at=int(requests.placed_at[k]),
                    status=STATUS[self.blotter.desk.status[k]],
                    filled_units=float(self.numbers[decided.FILLED_UNITS, k]),
                    fill_price=float("nan") if fill_price is None else fill_price,
                    ended_at=links[decided.ENDED_AT][k],
                )
            )
        for order, parent, stop, target, successor in zip(
            made,
            *(links[row] for row in (decided.SHOWN_PARENT, decided.STOP_OF, decided.TARGET_OF, decided.SUCCESSOR)),
            strict=True,
        ):
            order.parent, order.stop, order.target = (None if k is None else made[k] for k in (parent, stop, target))
            if successor is not None:
                order.successor, made[successor].predecessor = made[successor], order
        return made


def _columns_for(strategy: CompiledStrategy, account: Account, further: Mapping[str, AnyArray]) -> Any:
    """Return what it reads as a named tuple of arrays that cannot be written to: columns, then indicators.

    Raises
    ------
    InputError
        If an indicator has the name of a column of the bars.
    """
    from algotrendy.expressions import evaluate

    own = account.settings[0]
    found: dict[str, AnyArray] = dict(zip(COLUMNS, own.arrays, strict=True))
    found |= {name: values for name, values in further.items() if name.isidentifier() and not keyword.iskeyword(name)}
    for name, parsed in strategy.expressions().items():
        if name in found:
            raise InputError(
                f"an indicator of {type(strategy).__name__} is called {name!r}, and so is a column of the bars"
            )
        found[name] = np.broadcast_to(
            evaluate(parsed, own.arrays, strategy.numbers, own.context), own.arrays.close.shape
        )
    names = tuple(name for name in found if not name.startswith("_"))
    return _named(names)(*(_for_reading(found[name]) for name in names))


def _for_reading(values: AnyArray) -> Float1D:
    made: Float1D = np.ascontiguousarray(values, dtype=np.float64).view()
    made.flags.writeable = False
    return made


@lru_cache(maxsize=256)
def _named(names: Sequence[str]) -> Any:
    """Return the one class of named tuples with these names: what is compiled for it is compiled once."""
    return namedtuple("Named", names)
