"""The loop of a stateful backtest: a bar is lived through, the strategy is asked, what it ordered is placed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from algotrendy.backtest.definitions import moment_text
from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import Account, Own
from algotrendy.backtest.stateful.blotter import Blotter
from algotrendy.backtest.stateful.context import context_of
from algotrendy.backtest.stateful.full import Adjusted, FullBlotter
from algotrendy.backtest.stateful.orders import AccountState, Order
from algotrendy.backtest.stateful.view import InstrumentView
from algotrendy.domain.bars import COLUMNS
from algotrendy.domain.types import AnyArray
from algotrendy.kernels.orders_types import SAME_CLOSE
from algotrendy.kernels.portfolio_types import DELISTING, FRACTION, LIMIT, REASONS, SPLIT
from algotrendy.strategy.bar_context import Fill
from algotrendy.strategy.bar_strategy import BarStrategy
from algotrendy.strategy.compiled_strategy import CompiledStrategy

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.strategy.bar_context import BarContext

__all__ = ["Leaves", "Noted", "Session", "StatefulRun", "Turn", "run_bars", "run_in_turn"]


@dataclass(frozen=True, eq=False)
class StatefulRun:
    """What came of a run.

    Attributes
    ----------
    ledger : Ledger
        Fills, curve and what follows from them.
    made_orders : callable
        Gives all orders that were placed, with how each ended.
    frame : callable
        Gives the same as `requests`, made anew.
    strategy : BarStrategy
        The copy that was run, with the state that it ended in; of several the last.
    """

    ledger: Ledger
    made_orders: Callable[[], list[Order]]
    frame: Callable[[], pd.DataFrame]
    strategy: BarStrategy

    @cached_property
    def orders(self) -> list[Order]:
        """All orders, by number."""
        return self.made_orders()

    @cached_property
    def requests(self) -> pd.DataFrame:
        """One row per order."""
        return self.frame()


def run_bars(
    strategy: BarStrategy,
    account: Account,
    *,
    asked: tuple[int, int] | None = None,
    columns: dict[str, AnyArray] | None = None,
) -> StatefulRun:
    """Run a copy of a strategy over the bars of an account.

    Parameters
    ----------
    strategy : BarStrategy
        Is not changed.
    account : Account
        Bars, conventions and costs.
    asked : tuple of int, optional
        The first bar at which it decides, and the first at which it does not any more; those before the first only warm
        it up. All bars by default.
    columns : dict of str to float64 array of shape (n_bars,), optional
        Further columns of the bars of the one instrument.

    Raises
    ------
    InputError
        If it orders what is not allowed. Whatever else its methods raise is passed on, with a note that names the bar.
    """
    turn = Turn(strategy, *((0, account.n_bars) if asked is None else asked))
    if isinstance(strategy, CompiledStrategy) and account.n_instruments == 1 and account.extras is None:
        from algotrendy.backtest.stateful.compiled import run_compiled

        done = run_compiled(strategy, account, (turn.begin, turn.end), columns or {})
        if done is not None:
            return done
    return run_in_turn([turn], account, columns or {})


class Turn(NamedTuple):
    """The bars at which a strategy decides, up to but not with `end`; those before warm it up."""

    strategy: BarStrategy
    begin: int
    end: int


class Leaves(BarStrategy):
    """Cancels what is open and leaves whatever is held: what decides where nothing was chosen."""

    def on_bar(self, ctx: BarContext) -> None:
        """Cancel and leave."""
        ctx.cancel()
        ctx.close()


def run_in_turn(turns: Sequence[Turn], account: Account, columns: dict[str, AnyArray]) -> StatefulRun:
    """Run copies of strategies one after the other in one account; each takes it over as the one before left it.

    Parameters
    ----------
    turns : sequence of Turn
        Without bars between them.
    account : Account
        Bars, conventions and costs.
    columns : dict of str to array
        Further columns of the bars.

    Raises
    ------
    InputError
        As `run_bars`.
    """
    return Session(turns, account, columns).run()


class Session:
    """One run: copies of what decides, what they see, and the orders as the kernel reads them."""

    def __init__(self, turns: Sequence[Turn], account: Account, columns: dict[str, AnyArray]) -> None:
        options = account.options
        self.turns, self.account = [turn._replace(strategy=turn.strategy.fresh()) for turn in turns], account
        self.state = AccountState(options.cash, options.cash, options.max_leverage)
        terms = [
            {"lot_size": float(lot), "multiplier": float(multiplier)}
            for lot, multiplier in zip(account.terms.lot_size, account.multipliers, strict=True)
        ]
        names = (*COLUMNS, *columns)
        self.ctx, self.views = context_of(self.state, account.panel.symbols, names, terms)
        self.feeds = [_Feed(own, view, columns) for own, view in zip(account.settings, self.views, strict=True)]
        plain, extras = account.extras is None, account.extras
        self.blotter = Blotter(account, self.state) if plain else FullBlotter(account, self.state)
        self._adjusted = Adjusted(account) if extras is not None and extras.has_actions else None
        if self._adjusted is not None:
            for view, holding in zip(self.views, self._adjusted.holdings, strict=True):
                view._holding = holding
        money: Any = self.blotter.walk.money
        self._money = memoryview(money)

    def run(self) -> StatefulRun:
        """Live through all bars."""
        self.begin()
        self.go_on(0, self.account.n_bars)
        return self.done()

    def begin(self) -> None:
        """Let all that decide prepare."""
        ctx: Any = self.ctx
        with Noted(self.state) as noted:
            for turn in self.turns:
                noted.strategy = turn.strategy
                turn.strategy.start(ctx)

    def go_on(self, first: int, stop: int) -> None:
        """Live through bars, from the first up to but not with `stop`; after ruin nothing happens any more."""
        from algotrendy.kernels.portfolio_events import AFTER, BEFORE, RUINED_AT

        state, blotter, turns = self.state, self.blotter, self.turns
        ctx: Any = self.ctx
        at_once = blotter.venue.rules.fill == SAME_CLOSE
        observers = [turn for turn in turns if type(turn.strategy).observe is not BarStrategy.observe]
        walk, actions, live, k = blotter.walk, state.actions, blotter.live, self._turn
        if walk.counts[RUINED_AT] >= 0:
            self._fill_up(first)
            return
        with Noted(state) as noted:
            for t, time in enumerate(self.account.panel.index[first:stop], start=first):
                live(t, t + 1, BEFORE, blotter.table)
                state.number, state.time = t, time
                if walk.counts[RUINED_AT] >= 0:
                    self._fill_up(t + 1)
                    break
                self._tell(t)
                for each in observers:
                    if t < each.end or len(turns) == 1:
                        noted.strategy = each.strategy
                        each.strategy.observe(ctx)
                if t >= turns[k].end and k + 1 < len(turns):
                    k += 1
                if turns[k].begin <= t < turns[k].end:
                    noted.strategy = strategy = turns[k].strategy
                    if k and t == turns[k].begin:
                        self._hand_over(k)
                    state.may_trade = True
                    strategy.on_bar(ctx)
                    state.may_trade = False
                if actions or at_once:
                    blotter.apply(actions)
                    live(t, t + 1, AFTER, blotter.table)
        self._turn = k

    _turn = 0

    def done(self) -> StatefulRun:
        """Return what came of it."""
        blotter = self.blotter
        blotter.refresh()
        self._tell_fills()
        return StatefulRun(blotter.ledger(), lambda: blotter.own_orders, blotter.frame, self.turns[-1].strategy)

    def _hand_over(self, k: int) -> None:
        before, ctx = self.turns[k - 1].strategy, self.ctx
        self.turns[k].strategy.take_over(ctx, None if isinstance(before, Leaves) else before)  # type: ignore[arg-type]  # it has what is promised

    def _fill_up(self, first: int) -> None:
        """Fill the rest of the curve after ruin: nothing is asked and nothing moves any more."""
        from algotrendy.kernels.portfolio_events import BEFORE

        self.blotter.live(first, self.account.n_bars, BEFORE, self.blotter.table)

    def _tell(self, t: int) -> None:
        """Bring what the strategy sees up to date: orders and fills, bars and indicators, the account."""
        state, adjusted = self.state, self._adjusted
        open_before = tuple(state.open.values()) if adjusted is not None and adjusted.is_due(t) else ()
        if state.open:
            self.blotter.refresh()
        self._tell_fills(open_before)
        if adjusted is not None:
            adjusted.follow(t, open_before)
        cash, value = self._money[0], self._money[1]
        state.cash, state.equity = cash, cash + value
        for feed in self.feeds:
            feed.give(t)

    def _tell_fills(self, open_before: Sequence[Order] = ()) -> None:
        """Hand on what was filled; orders that were `open_before` follow splits in between."""
        row, adjusted = self._told, self._adjusted
        if row == self.blotter.walk.counts[0]:
            for view in self._with_fills:
                view._take_fills((), ())
            self._with_fills = []
            return
        self._told = int(self.blotter.walk.counts[0])
        index, now = self.account.panel.index, self.state.time
        found: dict[int, tuple[list[Fill], list[int]]] = {view._place: ([], []) for view in self._with_fills}
        for bar, j, reason, units, base, order in self.blotter.fills_since(row):
            price, commission = self._paid(j, reason, units, base)
            if adjusted is not None:
                adjusted.follow(bar, open_before)
                holding = adjusted.holdings[j]
                if holding is not None:
                    holding.take(bar, units, price, REASONS[reason])
                    price *= adjusted.scale_at(j, bar)
            time = now if bar == self.state.number and now is not None else index[bar]
            fill = Fill(time, self.views[j].symbol, units, price, commission, REASONS[reason], order)
            if order is not None:
                total = order.filled_units + units
                before = 0.0 if order.filled_units == 0.0 else order.filled_units * order.fill_price
                order.fill_price, order.filled_units = (before + units * price) / total, total
            fills, bars = found.setdefault(j, ([], []))
            fills.append(fill)
            bars.append(bar)
        self._with_fills = []
        for j, (fills, bars) in found.items():
            self.views[j]._take_fills(fills, bars)
            self._with_fills += [self.views[j]] if fills else []

    _told = 0
    _with_fills: Sequence[InstrumentView] = ()

    def _paid(self, j: int, reason: int, units: float, base: float) -> tuple[float, float]:
        """Return the price after slippage, as it is quoted, and the commission of a fill."""
        terms = self.account.terms
        free = reason in (DELISTING, SPLIT, FRACTION)
        slippage = 0.0 if free or reason == LIMIT else float(terms.slippage[j])
        price = base * (1.0 + (slippage if units > 0.0 else -slippage))
        size = abs(units)
        paid = max(
            float(terms.minimum[j]),
            float(terms.rate[j]) * (size * price) + float(terms.per_unit[j]) * size + float(terms.fixed[j]),
        )
        return price / float(self.account.multipliers[j]), 0.0 if free else paid


class _Feed:
    """The bars of one instrument, one after the other. Only what is due is handed on."""

    def __init__(self, own: Own, view: InstrumentView, columns: dict[str, AnyArray]) -> None:
        arrays: list[AnyArray] = [*own.arrays, *columns.values()]
        self._view = view
        self._rows: Iterator[int] = _numbers(own.rows)
        self._bars = zip(*(_numbers(np.asarray(each, dtype=np.float64)) for each in arrays), strict=True)
        self._sessions = _sessions(own)
        self._scales = None if own.happening is None else _numbers(own.happening.scale)
        self._due = next(self._rows, -1)

    def give(self, t: int) -> None:
        """Hand on the bar of stamp `t`, if there is one."""
        if t == self._due:
            if self._scales is not None:
                self._view._scale = next(self._scales)
            self._view._take_bar(next(self._bars), next(self._sessions))
            self._due = next(self._rows, -1)


def _sessions(own: Own) -> Iterator[float]:
    """Return the label of the session of each bar; from daily bars up each is one of its own."""
    interval = own.context.interval
    if interval is not None and not interval.is_intraday:
        return map(float, range(len(own.rows)))
    return _numbers(own.context.sessions())


def _numbers(array: Any) -> Iterator[Any]:
    """Return the numbers of an array as those of Python, one at a time."""
    buffer: Any = np.ascontiguousarray(array)
    return iter(memoryview(buffer))


class Noted:
    """Adds to what is raised inside at which bar that was."""

    strategy: BarStrategy

    def __init__(self, state: AccountState) -> None:
        self._state = state

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            state = self._state
            name = self.strategy.name or type(self.strategy).__name__
            at = "before the first bar" if state.time is None else f"at bar {state.number} ({moment_text(state.time)})"
            error.add_note(f"raised by {name} {at}")
