"""Stateful strategies: what they are told, what they may order, what is refused, worked by hand on a few bars."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.run import backtest
from algotrendy.backtest.stateful.context import Context, SingleContext
from algotrendy.backtest.stateful.orders import Order
from algotrendy.backtest.stateful.readings import Reading
from algotrendy.backtest.stateful.view import InstrumentView
from algotrendy.domain.instrument import Instrument
from algotrendy.errors import InputError
from algotrendy.strategy import BarContext, BarStrategy, InstrumentContext, ParameterSpec, PlacedOrder, bar_context

DAYS = pd.bdate_range("2024-01-01", periods=8)


def bars_of(*rows: tuple[float, float, float, float]) -> pd.DataFrame:
    """Bars of given open, high, low and close."""
    frame = pd.DataFrame(list(rows), columns=["open", "high", "low", "close"], dtype=float)
    return frame.set_axis(DAYS[: len(rows)], axis=0).assign(volume=1000.0)


def flat(*closes: float) -> pd.DataFrame:
    """Bars that do not move inside."""
    return bars_of(*((close, close, close, close) for close in closes))


class At(BarStrategy):
    """Does at each bar what a function of the bar's number says."""

    def __init__(self, **acts: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.acts = acts
        self.seen: list[Any] = []

    def on_bar(self, ctx: Any) -> None:
        act = self.acts.get(f"bar{ctx.number}", self.acts.get("every"))
        if act is not None:
            act(self, ctx)


def orders_of(result: Any) -> list[tuple[int, str, float, float, str]]:
    """Bar, side, units, price and reason of each fill."""
    columns = result.order_columns
    frame = result.orders
    return list(
        zip(columns["filled_at"].tolist(), frame["side"], frame["units"], frame["price"], frame["reason"], strict=True)
    )


# --- parameters and copies ---


class Cross(BarStrategy):
    fast = 5
    slow = ParameterSpec("slow", "int", min_value=2, max_value=100, default=20)
    _hidden = 3
    label = "not a parameter"

    def start(self, ctx: Any) -> None:
        self.averages = ctx.indicator("sma", self.fast), ctx.indicator("sma", self.slow)
        self.bars = 0

    def on_bar(self, ctx: Any) -> None:
        self.bars += 1
        fast, slow = self.averages
        if fast.value > slow.value and not ctx.position():
            ctx.buy()
        elif fast.value <= slow.value and ctx.position():
            ctx.close()


def test_numbers_of_the_class_are_its_parameters() -> None:
    strategy = Cross(fast=3)
    assert strategy.parameters == {"fast": 3, "slow": 20}
    assert strategy.with_params(slow=30).parameters == {"fast": 3, "slow": 30}
    assert strategy.parameters == {"fast": 3, "slow": 20}
    assert repr(strategy) == "Cross(fast=3, slow=20)"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fats": 3}, "did you mean 'fast'"),
        ({"slow": 1}, "whole number from 2 to 100"),
        ({"fast": math.nan}, "finite number"),
        ({"fast": "3"}, "take the quotes away"),
        ({"label": 3}, "no parameter 'label'"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Cross(**values)


def test_a_class_says_what_is_wrong_with_it_when_it_is_written() -> None:
    with pytest.raises(InputError, match="collides with the option 'cash'"):
        type("Wrong", (BarStrategy,), {"cash": 3.0, "on_bar": Cross.on_bar})
    with pytest.raises(InputError, match="spec for 'slow'"):
        type("Wrong", (BarStrategy,), {"fast": ParameterSpec("slow", "int", default=3)})
    with pytest.raises(InputError, match="has no on_bar"):
        type("Empty", (BarStrategy,), {})()


def test_every_run_works_on_a_copy() -> None:
    bars, strategy = at.synthetic(n=200, seed=1), Cross()
    first, second = backtest(strategy, bars), backtest(strategy, bars)
    assert not hasattr(strategy, "bars")
    np.testing.assert_array_equal(first.equity_values, second.equity_values)
    assert first.strategy["params"] == {"fast": 5, "slow": 20}
    assert first.input_hash == second.input_hash


def test_what_cannot_be_copied_is_told() -> None:
    strategy = Cross()
    strategy.lock = (each for each in ())
    with pytest.raises(InputError, match="cannot be copied"):
        backtest(strategy, at.synthetic(n=50, seed=1))


# --- orders, by hand ---


def test_a_bracket_and_its_break_even_stop() -> None:
    bars = bars_of(
        (100, 100, 100, 100),
        (100, 101, 99, 100),  # bought at 100
        (102, 106, 101, 105),
        (104, 105, 99, 101),  # the stop, put to 100, is touched
        (101, 101, 101, 101),
    )

    def raise_stop(_: Any, ctx: Any) -> None:
        (stop,) = [order for order in ctx.orders if order.type == "stop"]
        assert (ctx.position().units, ctx.position().price, ctx.position().bars_held) == (10.0, 100.0, 1)
        assert ctx.position().profit == 50.0
        assert ctx.replace(stop, stop_price=ctx.position().price).stop_price == 100.0

    result = backtest(At(bar0=lambda _, ctx: ctx.buy(10, stop_price=95.0, target_price=110.0), bar2=raise_stop), bars)
    assert orders_of(result) == [(1, "BUY", 10.0, 100.0, "market"), (3, "SELL", 10.0, 100.0, "stop")]
    assert result.requests["status"].tolist() == ["filled", "replaced", "cancelled", "filled"]
    assert result.requests["replaced_by"].tolist()[1] == 3
    assert result.trades["pnl"].tolist() == [0.0]
    assert result.units_values.tolist() == [0.0, 10.0, 10.0, 0.0, 0.0]


def test_a_position_is_built_up_at_average_cost() -> None:
    bars = flat(10, 20, 30, 40)
    done = At(
        bar0=lambda _, ctx: ctx.buy(10),
        bar1=lambda self, ctx: (self.seen.append(ctx.fills), ctx.buy(30)),
        bar2=lambda self, ctx: (self.seen.append(ctx.position()), ctx.close(units=10)),
    )
    result = backtest(done, bars)
    assert orders_of(result) == [
        (1, "BUY", 10.0, 20.0, "market"),
        (2, "BUY", 30.0, 30.0, "market"),
        (3, "SELL", 10.0, 40.0, "market"),
    ]
    assert result.trade_columns["entry_price"].tolist() == [27.5]  # (10 * 20 + 30 * 30) / 40
    assert result.trade_columns["pnl"].tolist() == [125.0]
    assert result.equity_values.tolist() == [100_000.0, 100_000.0, 100_100.0, 100_500.0]


def test_a_size_is_measured_when_it_is_filled_and_closes_the_other_side_first() -> None:
    bars = flat(10, 10, 20, 20, 20)
    result = backtest(At(bar0=lambda _, ctx: ctx.buy(size=0.5), bar2=lambda _, ctx: ctx.sell(size=0.5)), bars)
    # 50,000 / 10; then 150,000 of equity, half of it short at 20
    assert orders_of(result) == [
        (1, "BUY", 5000.0, 10.0, "market"),
        (3, "SELL", 5000.0, 20.0, "market"),
        (3, "SELL", 3750.0, 20.0, "market"),
    ]
    assert result.requests["filled"].tolist() == [5000.0, -8750.0]


def test_all_in_never_finds_too_little_room() -> None:
    bars = bars_of((10, 10, 10, 10), (12, 12, 12, 12), (12, 12, 12, 12))
    result = backtest(At(bar0=lambda _, ctx: ctx.buy()), bars, commission=0.01)
    assert orders_of(result)[0][2] == pytest.approx(100_000 / (12 * 1.01))
    refused = backtest(At(bar0=lambda _, ctx: ctx.buy(units=10_000)), bars)
    assert refused.requests["status"].tolist() == ["refused"]
    assert "1 of 1 orders were refused" in refused.warnings[-1]


def test_an_order_that_only_closes_never_opens() -> None:
    bars = flat(10, 10, 10, 9, 8, 7)
    both = At(
        bar0=lambda _, ctx: ctx.buy(10), bar1=lambda _, ctx: (ctx.close(stop_price=8.5), ctx.close(limit_price=20))
    )
    result = backtest(both, bars)
    assert orders_of(result)[1:] == [(4, "SELL", 10.0, 8.0, "stop")]
    assert result.requests["status"].tolist() == ["filled", "filled", "cancelled"]  # nothing was left to close
    assert backtest(At(bar0=lambda self, ctx: self.seen.append(ctx.close())), bars).metrics["n_orders"] == 0


def test_an_entry_that_rests_can_be_cancelled_with_what_waits_for_it() -> None:
    bars = flat(10, 10, 10, 9, 8)

    def cancel(self: Any, ctx: Any) -> None:
        assert ctx.cancel() == 2
        assert ctx.orders == ()
        assert ctx.cancel(self.seen[0]) == 0

    enter = lambda self, ctx: self.seen.append(ctx.buy(10, limit_price=8.5, stop_price=7.0))  # noqa: E731
    result = backtest(At(bar0=enter, bar2=cancel), bars)
    assert result.requests["status"].tolist() == ["cancelled", "cancelled"]
    assert result.metrics["n_orders"] == 0


def test_an_entry_that_is_replaced_where_it_was_placed_keeps_its_bracket() -> None:
    bars = bars_of((10, 10, 10, 10), (10, 10, 9.4, 10), (10, 10, 7, 8), (8, 8, 8, 8))

    def act(_: Any, ctx: Any) -> None:
        for _ in range(62):  # the arrays of orders grow between the two
            ctx.order(1, type="limit", limit_price=0.5)
        entry = ctx.buy(10, limit_price=9.0, stop_price=8.0)
        again = ctx.replace(entry, limit_price=9.5)
        assert (entry.status, again.id, again.stop) == ("replaced", 64, entry.stop)

    result = backtest(At(bar0=act), bars)
    assert orders_of(result) == [(1, "BUY", 10.0, 9.5, "limit"), (2, "SELL", 10.0, 8.0, "stop")]


def test_one_cancels_the_other_and_a_name_can_be_used_again() -> None:
    bars = bars_of(*[(10, 11, 9, 10)] * 6)

    def pair(_: Any, ctx: Any) -> None:
        ctx.order(1, type="limit", limit_price=9.5, group="in")
        ctx.order(-1, type="limit", limit_price=20.0, group="in")

    result = backtest(At(bar0=pair, bar3=pair), bars)
    assert result.requests["status"].tolist() == ["filled", "cancelled"] * 2
    assert result.requests["group"].tolist() == [0, 0, 1, 1]


def test_a_trigger_buys_when_the_price_has_risen() -> None:
    bars = bars_of((10, 10, 10, 10), (10, 10.5, 10, 10), (10, 12, 10, 12), (12, 12, 12, 12))
    result = backtest(At(bar0=lambda _, ctx: ctx.buy(3, trigger_price=11.0, stop_price=10.2)), bars)
    # filled inside the bar at 11; its stop is tested in the same bar, whose low may have come later
    assert orders_of(result) == [(2, "BUY", 3.0, 11.0, "stop"), (2, "SELL", 3.0, 10.2, "stop")]


@pytest.mark.parametrize(
    ("fill", "bar", "price"), [("next_open", 2, 20.0), ("same_close", 1, 15.0), ("next_close", 2, 25.0)]
)
def test_a_market_order_is_filled_by_the_convention(fill: str, bar: int, price: float) -> None:
    bars = bars_of((10, 10, 10, 10), (10, 15, 10, 15), (20, 25, 20, 25))
    result = backtest(At(bar1=lambda _, ctx: ctx.buy(2)), bars, fill=fill)
    assert orders_of(result) == [(bar, "BUY", 2.0, price, "market")]


def test_what_is_ordered_at_the_last_bar_finds_no_bar() -> None:
    result = backtest(At(bar2=lambda _, ctx: ctx.buy(2)), flat(10, 10, 10))
    assert result.requests["status"].tolist() == ["working"]
    assert result.metrics["n_orders"] == 0


def test_after_ruin_nothing_is_asked() -> None:
    bars = flat(10, 10, 25, 10, 10)
    asked: list[int] = []
    short = At(every=lambda _, ctx: (asked.append(ctx.number), ctx.number or ctx.sell(10_000)))
    result = backtest(short, bars)
    assert asked == [0, 1]
    assert result.ruined_at == DAYS[2]
    assert result.equity_values.tolist()[2:] == [-50_000.0] * 3


def test_whole_lots_are_kept() -> None:
    bars = flat(30, 30, 30)
    result = backtest(At(bar0=lambda _, ctx: ctx.buy()), bars, units="whole", lot_size=100)
    assert orders_of(result)[0][2] == 3300.0
    with pytest.raises(InputError, match=r"at bar 0 .* no multiple of the lot 100"):
        backtest(At(bar0=lambda _, ctx: ctx.buy(150)), bars, units="whole", lot_size=100)


# --- several instruments ---


def test_several_instruments_are_views_by_symbol() -> None:
    one, two = flat(10, 10, 10, 10), flat(20, 20, 20, 20).drop(DAYS[1])
    seen: list[tuple[bool, int, float]] = []

    def act(_: Any, ctx: Any) -> None:
        seen.append((ctx["B"].has_bar, ctx["B"].n_bars, ctx["B"].bar.close))
        if ctx.number == 0:
            ctx["B"].buy(size=0.5)
            ctx["A"].sell(100)
        assert ctx.symbols == ("A", "B")
        assert [one.symbol for one in ctx] == ["A", "B"]

    result = backtest(At(every=act), {"A": one, "B": two})
    assert isinstance(result, PortfolioResult)
    assert seen == [(True, 1, 20.0), (False, 1, 20.0), (True, 2, 20.0), (True, 3, 20.0)]
    assert result.orders["symbol"].tolist() == ["A", "B"]
    assert result.order_columns["filled_at"].tolist() == [1, 2]  # B has no bar at the second stamp
    assert result.positions.iloc[-1].to_dict() == {"A": -100.0, "B": 2500.0}


def test_the_account_of_several_instruments_asks_which_one() -> None:
    two = {"A": flat(10, 10, 10), "B": flat(20, 20, 20)}
    with pytest.raises(InputError, match=r"say which one: ctx\['A'\]\.buy"):
        backtest(At(every=lambda _, ctx: ctx.buy(1)), two)
    with pytest.raises(InputError, match="no instrument 'C'"):
        backtest(At(every=lambda _, ctx: ctx["C"]), two)
    with pytest.raises(AttributeError, match="ctx has no 'posision'; did you mean 'position'"):
        backtest(At(every=lambda _, ctx: ctx.posision()), two)


def test_an_instrument_without_a_bar_yet_takes_no_orders() -> None:
    late = {"A": flat(10, 10, 10, 10), "B": flat(20, 20, 20, 20).iloc[2:]}
    with pytest.raises(InputError, match=r"at bar 0 .* of B: it has had no bar yet"):
        backtest(At(bar0=lambda _, ctx: ctx["B"].buy(1)), late)


def test_a_contract_is_worth_its_multiplier() -> None:
    future = Instrument(symbol="ES", asset_class="futures", venue="XCME", multiplier=Decimal(50))
    seen: list[Any] = []

    def act(_: Any, ctx: Any) -> None:
        if ctx.number == 0:
            ctx.buy(2, stop_price=9.0)
        seen.append((ctx.position().price, ctx.position().profit, ctx.equity))

    result = backtest(At(every=act), {future: flat(10, 10, 12, 8)})
    assert seen[1:] == [
        (10.0, 0.0, 100_000.0),
        (10.0, 200.0, 100_200.0),
        (pytest.approx(math.nan, nan_ok=True), 0.0, 99_800.0),
    ]
    assert result.orders["price"].tolist() == [10.0, 8.0]  # the open lies beyond the stop


# --- what is known ---


def test_what_is_handed_over_has_all_that_the_protocols_promise() -> None:
    def members(protocol: type) -> set[str]:
        return {name for name in vars(protocol) if not name.startswith("_")}

    assert members(InstrumentContext) <= set(dir(InstrumentView))
    assert members(InstrumentContext) | members(BarContext) <= set(dir(SingleContext))
    assert members(BarContext) | {"orders", "fills", "cancel", "replace"} <= set(dir(Context))
    assert members(PlacedOrder) <= set(dir(Order))
    assert members(bar_context.Reading) <= set(dir(Reading))


def test_fills_at_opens_that_nobody_could_trade_are_told() -> None:
    bars = at.synthetic(n=600, seed=1)
    bars["open"] = bars["close"].shift(1).fillna(bars["open"])
    bars["high"], bars["low"] = bars[["open", "high"]].max(axis=1), bars[["open", "low"]].min(axis=1)
    asked = backtest(Cross(), bars).warnings
    assert [text for text in asked if "stale open" in text]
    assert len(asked) == len(backtest(at.strategies.sma_cross(5, 20), bars).warnings)


def _arrays_in(value: Any, seen: set[int]) -> list[int]:
    """Return the lengths of all arrays, frames and series that can be reached from an object."""
    if id(value) in seen or isinstance(value, str | bytes | int | float | type | None | pd.Timestamp):
        return []
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return [len(value), *(_arrays_in(value.base, seen) if value.base is not None else [])]
    if isinstance(value, array | pd.Series | pd.DataFrame | pd.Index | memoryview):
        return [len(value)]
    inside: list[Any] = []
    if isinstance(value, dict):
        inside = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        inside = list(value)
    else:
        inside = list(getattr(value, "__dict__", {}).values())
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        inside += [getattr(value, name) for name in slots if hasattr(value, name)]
        bound = getattr(value, "__self__", None)
        inside += [] if bound is None else [bound]
    return [length for each in inside for length in _arrays_in(each, seen)]


@pytest.mark.parametrize("count", [1, 2])
def test_nothing_longer_than_the_past_can_be_reached(count: int) -> None:
    bars: Any = at.synthetic(n=60, seed=1)
    if count == 2:
        bars = {"A": bars, "B": at.synthetic(n=60, seed=2)}

    class Spy(BarStrategy):
        def start(self, ctx: Any) -> None:
            self.readings = [one.indicator("atr", 3) for one in ctx]

        def on_bar(self, ctx: Any) -> None:
            for one in ctx:
                past = one.past("close")
                assert len(past) == one.n_bars == ctx.number + 1
                assert past.base is None
                assert past[-1] == one.bar.close
                one.buy(1, stop_price=one.bar.close * 0.99)
            assert max(_arrays_in(ctx, set())) <= ctx.number + 1

    backtest(Spy(), bars)


def test_the_past_is_the_callers_own() -> None:
    def spoil(self: Any, ctx: Any) -> None:
        ctx.past("close")[:] = 0.0
        self.seen.append(ctx.past("close", 2).tolist())
        assert ctx.past("open", 99).tolist() == ctx.past("open").tolist()
        assert self.seen[-1][-1] == ctx.bar.close

    backtest(At(every=spoil), flat(10, 11, 12))


def test_further_columns_are_known_and_so_are_times() -> None:
    bars = flat(10, 11, 12).assign(mood=[0.1, 0.2, 0.3], name=["a", "b", "c"])

    def look(_: Any, ctx: Any) -> None:
        assert ctx.past("mood", 1)[0] == pytest.approx((ctx.number + 1) / 10)
        assert ctx.time == DAYS[ctx.number]
        assert (ctx.cash, ctx.equity) == (100_000.0, 100_000.0)

    backtest(At(every=look), bars)
    with pytest.raises(InputError, match="no column 'name'"):
        backtest(At(every=lambda _, ctx: ctx.past("name")), bars)


def test_readings_of_readings() -> None:
    class Smooth(BarStrategy):
        def start(self, ctx: Any) -> None:
            self.index = ctx.indicator("rsi", 3)
            self.smooth = ctx.indicator("sma", 4, of=self.index)

        def on_bar(self, ctx: Any) -> None:
            if ctx.number == 59:
                close = ctx.past("close")
                expected = at_indicator("sma", at_indicator("rsi", close, window=3), window=4)
                np.testing.assert_array_equal(self.smooth.past(), expected)
                assert (self.smooth.value, self.smooth.previous) == (expected[-1], expected[-2])
                assert float(self.smooth) == expected[-1]
                later = ctx.indicator("sma", 4, of=self.index)
                np.testing.assert_array_equal(later.past(5), expected[-5:])

    backtest(Smooth(), at.synthetic(n=60, seed=1))


def at_indicator(name: str, values: Any, **parameters: float) -> Any:
    """The batch form."""
    from algotrendy.indicators import lookup

    return lookup(name).compute(values, **parameters)


def test_observe_hears_every_bar_and_may_not_trade() -> None:
    class Hears(BarStrategy):
        def observe(self, ctx: Any) -> None:
            if ctx.number == 2:
                ctx.buy(1)

        def on_bar(self, ctx: Any) -> None:
            """Nothing is decided."""

    with pytest.raises(InputError, match=r"at bar 2 .*: orders are placed, changed and cancelled in on_bar"):
        backtest(Hears(), flat(10, 11, 12))


# --- what is refused, and who says so ---


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda ctx: ctx.buy(0), "units is 0; use a number above 0"),
        (lambda ctx: ctx.buy(math.nan), "units is nan"),
        (lambda ctx: ctx.buy(-5), "sell instead of buy"),
        (lambda ctx: ctx.buy(5, size=0.5), "units and a size"),
        (lambda ctx: ctx.buy(size=2.0), "2 times the equity"),
        (lambda ctx: ctx.buy(5, limit_price=0.0), "limit_price is 0.0"),
        (lambda ctx: ctx.buy(5, limit_price=9.0, trigger_price=11.0), "one of them"),
        (lambda ctx: ctx.buy(5, stop_price=12.0), "so of a buy it lies below 10; .* write trigger_price=12"),
        (lambda ctx: ctx.buy(5, target_price=9.0), "so of a buy it lies above 10; .* write limit_price=9"),
        (lambda ctx: ctx.sell(5, stop_price=9.0), "so of a sell it lies above 10; .* write trigger_price=9"),
        (lambda ctx: ctx.order(), "neither units nor a size"),
        (lambda ctx: ctx.order(0.0), "the quantity is 0.0"),
        (lambda ctx: ctx.order(math.inf), "the quantity is inf"),
        (lambda ctx: ctx.order(5, type="limit"), "needs its price; give limit_price"),
        (lambda ctx: ctx.order(5, type="stop", limit_price=3.0), "has no limit_price"),
        (lambda ctx: ctx.order(5, type="trail"), "use one of market, limit, stop"),
        (lambda ctx: ctx.order(5, time_in_force="IOC"), "use one of GTC, DAY"),
        (lambda ctx: ctx.order(size=0.5, reduce_only=True), "has units, not a size"),
        (lambda ctx: ctx.order(5, parent=3), "give an order that"),
        (lambda ctx: ctx.cancel("all"), "give an order that"),
        (lambda ctx: ctx.replace(ctx.buy(5)), "replace changes nothing"),
        (lambda ctx: ctx.replace(ctx.buy(5), stop_price=3.0), "is a market order and has no stop_price"),
    ],
)
def test_a_wrong_order_is_refused_where_it_is_placed(act: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"^at bar 1 \(2024-01-02\): .*{message}") as caught:
        backtest(At(bar1=lambda _, ctx: act(ctx)), flat(10, 10, 10))
    assert caught.value.__notes__ == ["raised by At at bar 1 (2024-01-02)"]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda ctx: ctx.past("closed"), "did you mean 'close'"),
        (lambda ctx: ctx.past("close", 0), "at least 1"),
        (lambda ctx: ctx.indicator("smaa", 3), "did you mean 'sma'"),
        (lambda ctx: ctx.indicator("sma", 3, 4), "takes 1 parameters"),
        (lambda ctx: ctx.indicator("sma", 3, window=4), "given twice"),
        (lambda ctx: ctx.indicator("sma", 3, of="price"), "no column of the bars"),
    ],
)
def test_a_wrong_question_is_refused(act: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        backtest(At(bar1=lambda _, ctx: act(ctx)), flat(10, 10, 10))


def test_what_a_strategy_raises_is_passed_on_with_a_note() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        backtest(At(bar2=lambda _, ctx: 1 / 0), flat(10, 10, 10))
    assert caught.value.__notes__ == ["raised by At at bar 2 (2024-01-03)"]
    with pytest.raises(InputError, match="in start") as refused:
        backtest(type("Early", (At,), {"start": lambda _, ctx: ctx.time})(), flat(10, 10, 10))
    assert refused.value.__notes__ == ["raised by Early before the first bar"]


def test_what_does_not_go_with_a_stateful_strategy_is_told() -> None:
    bars = at.synthetic(n=120, seed=1)
    with pytest.raises(InputError, match="stop= belongs to strategies of texts"):
        backtest(Cross(), bars, stop=0.05)
    with pytest.raises(InputError, match="chart= is for conditions"):
        backtest(Cross(), bars, chart="heikin_ashi")
    with pytest.raises(InputError, match="the class Cross"):
        backtest(Cross, bars)
    with pytest.raises(InputError, match="max_positions belongs to"):
        backtest(Cross(), {"A": bars}, max_positions=1)
    with pytest.raises(InputError, match="no parameter of the strategy; did you mean 'fast'"):
        at.optimize(Cross(), bars, {"fats": [3, 5]})
    result = backtest(Cross(), bars)
    with pytest.raises(InputError, match="not stored; hand it in again"):
        result.fill_interval()


def test_a_result_is_reported_drawn_saved_and_verified(tmp_path: Path) -> None:
    bars = at.synthetic(n=120, seed=1)
    result = backtest(Cross(), bars, commission=0.001)
    for name in ("result.json", "result.parquet"):
        again = BacktestResult.load(result.save(tmp_path / name))
        pd.testing.assert_frame_equal(again.orders, result.orders)
        pd.testing.assert_frame_equal(again.trades, result.trades)
    result.report(tmp_path / "report.html")
    assert "Cross" in result.summary()
    assert result.plot().data
    file = result.passport(tmp_path / "passport.json", strategy=Cross())
    assert str(at.verify(file, bars, strategy=Cross())).startswith("Equal")
    assert len(result.monte_carlo(method="trade_shuffle", paths=20)) == 20


# --- rows of `orders=` with what is new in them ---


def test_rows_of_orders_may_be_shares_and_may_only_close() -> None:
    bars = flat(10, 10, 20, 20, 20)
    rows = [
        {"time": DAYS[0], "size": 0.5, "id": "in"},
        {"time": DAYS[0], "type": "stop", "stop_price": 5.0, "parent": "in", "reduce_only": True},
        {"time": DAYS[2], "quantity": -math.inf, "reduce_only": True},
    ]
    result = backtest(bars, orders=rows)
    assert result.orders["units"].tolist() == [5000.0, 5000.0]
    assert result.requests["status"].tolist() == ["filled", "cancelled", "filled"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"size": 0.5, "quantity": 3.0}, "a quantity and a size"),
        ({"size": 3.0}, "3 times the equity"),
        ({"size": 0.0}, "use units, not zero"),
        ({"quantity": math.inf}, "is inf"),
        ({"size": 0.5, "reduce_only": True}, "not a size"),
        ({"quantity": 1.0, "reduce_only": "yes"}, "use True or False"),
    ],
)
def test_rows_of_orders_that_are_wrong_are_told(row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        backtest(flat(10, 10, 10), orders=[{"time": DAYS[0], **row}])


# --- look-ahead ---

EVERYTHING = at.synthetic(n=150, seed=4)


class Knows(BarStrategy):
    """Looks up tomorrow's close in a frame that it finds outside."""

    def on_bar(self, ctx: Any) -> None:
        later = EVERYTHING["close"].to_numpy()[min(ctx.number + 1, len(EVERYTHING) - 1)]
        if later > ctx.bar.close and not ctx.position():
            ctx.buy()
        elif later < ctx.bar.close and ctx.position():
            ctx.close()


def test_a_clean_strategy_is_clean() -> None:
    report = at.check_lookahead(Cross(fast=3, slow=8), EVERYTHING, cuts=20)
    assert report.verdict == "no leak found"
    assert report.leaks == ()


def test_bars_of_the_future_that_are_smuggled_in_are_found() -> None:
    report = at.check_lookahead(Knows(), EVERYTHING, cuts=20)
    assert report.verdict == "leak"
    assert ("global EVERYTHING['close']",) in {leak.inputs for leak in report.leaks}
