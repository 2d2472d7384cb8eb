"""Runs of a stateful strategy, with what else may have happened to its orders inside bars.

Where a run divides, the strategy divides with it: each copy goes on from what was filled on its own way. It is lived
through in plain Python, on the desk of the reference, since a kernel cannot be copied in the middle of a run.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from algotrendy.backtest.portfolio.market import Account, Own
from algotrendy.backtest.portfolio.paths_desk import ALIVE, FullPathDesk, PathDesk, desk_of
from algotrendy.backtest.portfolio.paths_orders import OrdersWay
from algotrendy.backtest.portfolio.reference_orders import Action, Request
from algotrendy.backtest.stateful.context import context_of
from algotrendy.backtest.stateful.full import Adjusted
from algotrendy.backtest.stateful.orders import AccountState, Order
from algotrendy.domain.bars import COLUMNS
from algotrendy.domain.types import AnyArray
from algotrendy.strategy.bar_context import Fill
from algotrendy.strategy.bar_strategy import BarStrategy

__all__ = ["StatefulWay", "stateful_way"]


class _Tape:
    """What all copies read: the bars of each instrument as tuples, their sessions, and the stamps."""

    def __init__(self, account: Account, columns: dict[str, AnyArray]) -> None:
        self.account, self.index = account, account.panel.index
        self.multipliers = account.multipliers.tolist()
        self.bars = [_bars(own, columns) for own in account.settings]
        scales = [None if own.happening is None else own.happening.scale.tolist() for own in account.settings]
        self.scales = [
            {} if scale is None else dict(zip(own.rows.tolist(), scale, strict=True))
            for own, scale in zip(account.settings, scales, strict=True)
        ]
        """What raw prices are multiplied with for what is seen, by bar; empty where nothing happens."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _Tape:
        return self


def _bars(own: Own, columns: dict[str, AnyArray]) -> dict[int, tuple[tuple[float, ...], float]]:
    """Return the values and the session of each own bar, by its number."""
    arrays = [np.asarray(each, dtype=np.float64).tolist() for each in (*own.arrays, *columns.values())]
    interval = own.context.interval
    daily = interval is not None and not interval.is_intraday
    sessions = range(len(own.rows)) if daily else own.context.sessions().tolist()
    values = zip(*arrays, strict=True)
    return {t: (bar, float(session)) for t, bar, session in zip(own.rows.tolist(), values, sessions, strict=True)}


class _Mind:
    """The strategy and all that it has seen: what is copied where a run divides."""

    def __init__(self, strategy: BarStrategy, account: Account, columns: dict[str, AnyArray]) -> None:
        options = account.options
        self.strategy = strategy.fresh()
        self.state = AccountState(options.cash, options.cash, options.max_leverage)
        terms = [
            {"lot_size": float(lot), "multiplier": float(multiplier)}
            for lot, multiplier in zip(account.terms.lot_size, account.multipliers, strict=True)
        ]
        self.ctx, self.views = context_of(self.state, account.panel.symbols, (*COLUMNS, *columns), terms)
        self.known: dict[int, Order] = {}
        self.told = 0
        self.adjusted: Adjusted | None = None
        if account.extras is not None and account.extras.has_actions:
            self.adjusted = Adjusted(account)
            for view, holding in zip(self.views, self.adjusted.holdings, strict=True):
                view._holding = holding

    def hear(self, tape: _Tape, desk: PathDesk, t: int) -> None:
        """Bring what the strategy sees up to date: orders and fills, bars and indicators, the account."""
        state, account = self.state, desk.account
        state.number, state.time = t, tape.index[t]
        adjusted = self.adjusted
        before = tuple(state.open.values()) if adjusted is not None and adjusted.is_due(t) else ()
        for number, order in self.known.items():
            if order.status in ALIVE:
                order.status = desk.state[number].status
                if isinstance(desk, FullPathDesk) and order.status in ALIVE:
                    standing = desk.state[number]
                    if standing.is_sized or standing.filled != 0.0:
                        order.rest = standing.wanted
        self._hear_fills(tape, desk, before)
        if adjusted is not None:
            adjusted.follow(t, before)
        self.known = {number: order for number, order in self.known.items() if order.status in ALIVE}
        for number in [number for number, order in state.open.items() if order.status not in ALIVE]:
            del state.open[number]
        state.cash, state.equity = account.cash, account.equity(account.prices(t, "close"))
        for view, bars, scales in zip(self.views, tape.bars, tape.scales, strict=True):
            if t in bars:
                view._scale = scales.get(t, 1.0)
                view._take_bar(*bars[t])

    def _hear_fills(self, tape: _Tape, desk: PathDesk, before: tuple[Order, ...]) -> None:
        adjusted = self.adjusted
        found: dict[int, tuple[list[Fill], list[int]]] = {j: ([], []) for j in range(len(self.views))}
        for number in range(self.told, len(desk.account.fills)):
            done = desk.account.fills[number]
            order = self.known.get(desk.filler.get(number, -1))
            price = done.price / tape.multipliers[done.instrument]
            if adjusted is not None:
                adjusted.follow(done.filled_at, before)
                holding = adjusted.holdings[done.instrument]
                if holding is not None:
                    holding.take(done.filled_at, done.units, price, done.reason)
                    price *= adjusted.scale_at(done.instrument, done.filled_at)
            symbol = self.views[done.instrument].symbol
            fill = Fill(tape.index[done.filled_at], symbol, done.units, price, done.commission, done.reason, order)
            if order is not None:
                total = order.filled_units + done.units
                paid = 0.0 if order.filled_units == 0.0 else order.filled_units * order.fill_price
                order.fill_price, order.filled_units = (paid + done.units * price) / total, total
            found[done.instrument][0].append(fill)
            found[done.instrument][1].append(done.filled_at)
        self.told = len(desk.account.fills)
        for j, (fills, bars) in found.items():
            self.views[j]._take_fills(fills, bars)

    def resized(self, desk: PathDesk, n_made: int) -> None:
        """Learn that open orders have new sizes, and that the account has made orders of its own."""
        self.state.n_orders += n_made
        for number, order in self.state.open.items():
            if order.units is not None and desk.state[number].status in ALIVE:
                order.units = desk.state[number].wanted

    def divided(self) -> _Mind:
        """Return a copy that shares nothing but what never changes."""
        memo: dict[int, Any] = {}
        if self.adjusted is not None:
            memo[id(self.adjusted.account)] = self.adjusted.account
            memo[id(self.adjusted._events)] = self.adjusted._events
        for view in self.views:
            for reading in view._readings:
                stream: Any = reading._update.__self__  # type: ignore[attr-defined]  # the method of a stream
                memo |= {id(reading._spec): reading._spec, id(stream._spec): stream._spec}
        return copy.deepcopy(self, memo)

    def decide(self, t: int) -> list[Action]:
        """Ask the strategy, and return what it does."""
        strategy, state, ctx = self.strategy, self.state, self.ctx
        handed: Any = ctx
        strategy.observe(handed)
        state.may_trade = True
        strategy.on_bar(handed)
        state.may_trade = False
        actions, replaced = [], -1
        for what, order in state.actions:
            if what == "replace":
                replaced = order.id
            elif what == "cancel":
                actions.append(Action("cancel", order.id))
            else:
                self.known[order.id] = order
                actions.append(Action("place" if replaced < 0 else "replace", replaced, _request(order)))
                replaced = -1
        state.actions.clear()
        return actions


def _request(order: Order) -> Request:
    measure = "share" if order.size is not None else "units" if order.units is not None else "parent"
    amount = order.size if order.size is not None else order.units
    price = order.limit_price if order.type == "limit" else order.stop_price
    return Request(
        placed_at=order.placed_at,
        instrument=order.place,
        units=order.sign * np.inf if amount is None else amount,
        kind=order.type,
        price=0.0 if price is None else price / order.scale,
        is_day=order.time_in_force == "DAY",
        parent=None if order.parent is None else order.parent.id,
        group=order.group,
        measure=measure,
        reduces=order.reduce_only,
    )


class StatefulWay(OrdersWay):
    """One run of a stateful strategy."""

    def __init__(self, desk: PathDesk, mind: _Mind, tape: _Tape) -> None:
        super().__init__(desk, only_equal=True)
        self.mind, self.tape = mind, tape

    def decide(self, i: int) -> None:
        """Let the strategy see the bar, and place what it orders."""
        self.mind.hear(self.tape, self.desk, i)
        for action in self.mind.decide(i):
            if action.request is not None:
                scale = self.tape.multipliers[action.request.instrument]
                priced = Request(**{**vars(action.request), "price": action.request.price * scale})
                self.desk.do(Action(action.what, action.order, priced), i)
                self.desk.add(len(self.desk.requests) - 1, i)
            else:
                self.desk.do(action, i)
        self.desk.place(i)

    def resize(self, i: int, factor: float) -> None:
        """Multiply what is held and ordered, at the end of a bar."""
        desk: Any = self.desk
        before = len(desk.requests)
        desk.resize(i, factor)
        self.mind.resized(desk, len(desk.requests) - before)

    def divided(self) -> StatefulWay:
        """See `Way`."""
        other = StatefulWay(self.desk.copied(), self.mind.divided(), self.tape)
        other.equity = list(self.equity)
        return other

    def is_certain(self, other: OrdersWay) -> bool:
        """See `Way`: nobody knows what a strategy makes of what it remembers."""
        return False


def stateful_way(
    strategy: BarStrategy, account: Account, columns: dict[str, AnyArray], *, is_resized: bool = False
) -> StatefulWay:
    """Return the run of a stateful strategy before its first bar; `is_resized`: its capital may change."""
    mind = _Mind(strategy, account, columns)
    started: Any = mind.ctx
    mind.strategy.start(started)
    return StatefulWay(desk_of(account, [], is_resized=is_resized), mind, _Tape(account, columns))
