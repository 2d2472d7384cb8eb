"""A walk over all bars around a compiled decision, and what that may do with its moment.

Methods are looked up by the type of the moment; each calls a kernel by its address.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numba
from numba import types
from numba.extending import overload_method

from algotrendy.kernels._moment import MomentType, moment
from algotrendy.kernels._past import first_rows, newest
from algotrendy.kernels.portfolio_decided import (
    AVERAGE,
    BARS_HELD,
    CASH,
    COUNT,
    EQUITY,
    FILL_PRICE,
    IS_FILLED,
    IS_OPEN,
    MAY_TRADE,
    PROBLEM,
    PROFIT,
    QUOTED,
    STOP,
    TARGET,
    UNITS,
    asked,
    begin_bar,
    cancelled,
    end_bar,
    entered,
    left,
    number_of,
    replaced,
)

__all__ = ["Position", "walk_of"]


class Position(NamedTuple):
    """What is held at the end of a bar; see `algotrendy.strategy.OpenPosition`."""

    units: float
    price: float
    bars_held: int
    profit: float


def _is_left_out(value: Any) -> bool:
    return value is None or isinstance(value, types.NoneType | types.Omitted)


@numba.njit
def _nothing(value):  # type: ignore[no-untyped-def]  # Numba's types
    return 0.0


@numba.njit
def _itself(value):  # type: ignore[no-untyped-def]  # as above
    return float(value)


def _read(*arguments: Any) -> tuple[int, tuple[Any, ...]]:
    """Return as bits which arguments were given, and what makes a number of each: known when a call is compiled."""
    given = [not _is_left_out(each) for each in arguments]
    return sum(each << k for k, each in enumerate(given)), tuple(_itself if each else _nothing for each in given)


def _enters(name: str, side: float) -> None:
    """Make `buy` or `sell` a method."""
    call = entered.ctypes

    @overload_method(MomentType, name)
    def method(  # type: ignore[no-untyped-def]  # noqa: PLR0917 - Numba knows none by name alone
        ctx, units=None, size=None, limit_price=None, trigger_price=None, stop_price=None, target_price=None, day=False
    ):
        bits, (a, b, c, d, e, f) = _read(units, size, limit_price, trigger_price, stop_price, target_price)

        def run(  # type: ignore[no-untyped-def]  # noqa: PLR0917 - as above
            ctx, units=None, size=None, limit_price=None, trigger_price=None, stop_price=None, target_price=None,
            day=False,
        ):  # fmt: skip
            return call(
                ctx.book, ctx.number, ctx.bar.close, side, bits,
                a(units), b(size), c(limit_price), d(trigger_price), e(stop_price), f(target_price), int(day),
            )  # fmt: skip

        return run


@overload_method(MomentType, "close")
def _close(ctx, units=None, limit_price=None, stop_price=None, day=False):  # type: ignore[no-untyped-def]  # as above
    call, (bits, (a, b, c)) = left.ctypes, _read(units, limit_price, stop_price)

    def run(ctx, units=None, limit_price=None, stop_price=None, day=False):  # type: ignore[no-untyped-def]  # as above
        return call(ctx.book, ctx.number, bits, a(units), b(limit_price), c(stop_price), int(day))

    return run


@overload_method(MomentType, "cancel")
def _cancel(ctx, order=None):  # type: ignore[no-untyped-def]  # as above
    call, (has_one, (a,)) = cancelled.ctypes, _read(order)
    return lambda ctx, order=None: call(ctx.book, ctx.number, has_one, int(a(order)))


@overload_method(MomentType, "replace")
def _replace(ctx, order, units=None, limit_price=None, stop_price=None):  # type: ignore[no-untyped-def]  # as above
    call, (bits, (a, b, c)) = replaced.ctypes, _read(units, limit_price, stop_price)

    def run(ctx, order, units=None, limit_price=None, stop_price=None):  # type: ignore[no-untyped-def]  # as above
        return call(ctx.book, ctx.number, int(order), bits, a(units), b(limit_price), c(stop_price))

    return run


@overload_method(MomentType, "n_open")
def _n_open(ctx):  # type: ignore[no-untyped-def]  # as above
    call = asked.ctypes
    return lambda ctx: call(ctx.book, COUNT, -1)


def _asks(name: str, what: int, *, is_truth: bool) -> None:
    """Make a question about one order a method."""

    @overload_method(MomentType, name)
    def method(ctx, order):  # type: ignore[no-untyped-def]  # as above
        call = asked.ctypes
        if is_truth:
            return lambda ctx, order: call(ctx.book, what, int(order)) != 0
        return lambda ctx, order: call(ctx.book, what, int(order))


def _tells(name: str, row: int) -> None:
    """Make a number of one order a method."""

    @overload_method(MomentType, name)
    def method(ctx, order):  # type: ignore[no-untyped-def]  # as above
        call = number_of.ctypes
        return lambda ctx, order: call(ctx.book, row, int(order))


_enters("buy", 1.0)
_enters("sell", -1.0)
_asks("is_open", IS_OPEN, is_truth=True)
_asks("is_filled", IS_FILLED, is_truth=True)
_asks("stop_of", STOP, is_truth=False)
_asks("target_of", TARGET, is_truth=False)
_tells("fill_price", FILL_PRICE)
_tells("price_of", QUOTED)


# --- the walk ---------------------------------------------------------------------------------------------------------

_USER: dict[str, Any] = {"nogil": True, "boundscheck": True}
"""A row after the bar is an error, not a look at the next one; arithmetic is that of Python."""


@lru_cache(maxsize=64)
def walk_of(decide: Callable[..., Any], watch: Callable[..., Any] | None) -> Callable[..., None]:
    """Compile a decision, and what takes note of bars, into a walk over all bars.

    Parameters
    ----------
    decide, watch : function of a moment
        Called where it may trade; called at all bars, before that.
    """
    decides: Any = numba.njit(decide, **_USER)
    observes = watch is not None
    watches: Any = numba.njit(watch, **_USER) if observes else decides

    begins, ends = begin_bar.ctypes, end_bar.ctypes

    @numba.njit(nogil=True)
    def walk(address, told, columns, own, span):  # type: ignore[no-untyped-def]  # as above
        state, held = told
        params, memory = own
        n_bars, placed = columns[0].size, 0
        for t in range(n_bars):
            if begins(address, t) != 0:
                break
            may_trade = span[0] <= t < span[1]
            if may_trade or observes:
                position = Position(held[UNITS], held[AVERAGE], int(held[BARS_HELD]), held[PROFIT])
                bar = newest(columns, t)
                past = first_rows(columns, t + 1)
                ctx = moment(t, bar, past, params, memory[0], position, held[CASH], held[EQUITY], address)
                if observes:
                    watches(ctx)
                if may_trade and state[PROBLEM] == 0:
                    state[MAY_TRADE] = 1
                    decides(ctx)
                    state[MAY_TRADE] = 0
                if state[PROBLEM] != 0:
                    return
            placed = ends(address, t, placed)

    return walk
