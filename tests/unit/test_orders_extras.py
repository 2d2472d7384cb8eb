"""Explicit orders with splits, dividends, volume, margins and ticks through `backtest`: figures by hand."""

from __future__ import annotations

from typing import Any

import pytest

from algotrendy.backtest.portfolio.extras import ContractMargin
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.run import backtest
from algotrendy.domain.actions import Actions
from algotrendy.domain.instrument import Instrument
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import REASONS
from algotrendy.strategy import BarStrategy
from tests.unit.test_portfolio_extras import DAYS, ONES, flat, ohlc

Row = dict[str, Any]


def order(quantity: float | None = None, at: int = 0, **more: Any) -> Row:
    return {"time": DAYS[at], "symbol": "A", **({} if quantity is None else {"quantity": quantity}), **more}


def run(bars: Any, *orders: Row, **options: Any) -> PortfolioResult:
    result: PortfolioResult = backtest({"A": bars, "B": ONES.iloc[: len(bars)]}, orders=list(orders), **options)
    return result


def fills(result: PortfolioResult) -> list[tuple[int, float, float, str]]:
    """Day, signed units, price and reason of each fill."""
    columns = result.order_columns
    reasons = [REASONS[k] for k in columns["reason"]]
    numbers = (columns[name].tolist() for name in ("filled_at", "units", "price"))
    return list(zip(*numbers, reasons, strict=True))


# --- actions ---


def test_an_order_that_rests_follows_a_split() -> None:
    bars = flat(10, 10, 10, 5, 5, 4)
    result = run(bars, order(10, type="limit", limit_price=9), actions={"A": Actions.of(splits={DAYS[3]: 2.0})})
    assert fills(result) == [(5, 20.0, 4.0, "limit")]
    assert result.requests["filled"].tolist() == [10.0]  # units of the day of placing


def test_a_stop_of_a_position_follows_both_and_a_dividend_does_not_trigger_it() -> None:
    bars = flat(10, 10, 10, 4.5, 4.5, 4.2)
    actions = {"A": Actions.of(splits={DAYS[3]: 2.0}, dividends={DAYS[3]: 0.5})}  # 1 per old share
    stop = order(-10, type="stop", stop_price=9.5)  # 9.5 * 0.9 / 2 = 4.275
    result = run(bars, order(10), stop, actions=actions, cash=1000.0)
    assert fills(result) == [(1, 10.0, 10.0, "market"), (3, 10.0, 0.0, "split"), (5, -20.0, 4.2, "stop")]
    assert result.dividends["amount"].tolist() == [10.0]
    assert result.metrics["final_equity"] == pytest.approx(1000.0 - 100.0 + 10.0 + 84.0)


def test_whole_lots_are_kept_after_a_split_and_what_is_no_lot_is_cancelled() -> None:
    bars, reverse = flat(10, 10, 10, 100, 100, 100), {"A": Actions.of(splits={DAYS[3]: 0.1})}
    buy = order(type="limit", limit_price=12)
    rows = [{**buy, "quantity": 25, "time": DAYS[1], "limit_price": 9.99}, {**buy, "quantity": 5, "limit_price": 9.99}]
    result = run(bars.assign(low=[10, 10, 10, 99, 99, 99]), *rows, actions=reverse, units="whole")
    assert fills(result) == [(3, 2.0, pytest.approx(99.9), "limit")]
    assert result.requests.sort_values("quantity")["status"].tolist() == ["cancelled", "filled"]


# --- volume ---


def test_an_order_is_filled_in_parts_and_the_rest_is_visible() -> None:
    bars = flat(10, 10, 10, 10, 10, 10, volume=100.0)
    result = run(bars, order(25), order(4, at=1), order(30, at=3, time_in_force="DAY"), participation={"A": 0.1})
    assert fills(result) == [
        (1, 10.0, 10.0, "market"),
        (2, 10.0, 10.0, "market"),
        (3, 5.0, 10.0, "market"),
        (3, 4.0, 10.0, "market"),  # its place is behind the first
        (4, 10.0, 10.0, "market"),
    ]
    assert result.requests["status"].tolist() == ["filled", "filled", "expired"]
    assert result.requests["filled"].tolist() == [25.0, 4.0, 10.0]
    assert result.unfilled["units"].tolist() == [15.0, 9.0, 20.0]


def test_what_is_left_of_a_stop_is_sold_at_the_next_opens() -> None:
    bars = ohlc((10, 10, 10, 10), (10, 10, 10, 10), (10, 10, 9, 9), (8, 12, 8, 12), (12, 12, 12, 12)).assign(
        volume=[100, 100, 40, 40, 400]
    )
    result = run(bars, order(10), order(-10, at=1, type="stop", stop_price=9.5), participation={"A": 0.1})
    assert fills(result)[1:] == [(2, -4.0, 9.5, "stop"), (3, -4.0, 8.0, "stop"), (4, -2.0, 12.0, "stop")]


def test_a_child_takes_what_was_filled_and_its_fill_ends_the_entry() -> None:
    bars = ohlc(*[(10, 10, 10, 10)] * 3, (10, 10, 8, 8), (8, 8, 8, 8), (8, 8, 8, 8)).assign(volume=100.0)
    out: Row = {"parent": "in", "reduce_only": True}
    rows = [order(30, id="in"), order(type="stop", stop_price=9, **out)]
    result = run(bars, *rows, participation={"A": 0.1})
    assert fills(result) == [
        (1, 10.0, 10.0, "market"),
        (2, 10.0, 10.0, "market"),
        (3, 10.0, 10.0, "market"),
        (4, -10.0, 8.0, "stop"),  # the bar before had no volume left when the stop was reached
        (5, -10.0, 8.0, "stop"),
    ]
    slower = run(bars, order(50, id="in"), *rows[1:], participation={"A": 0.1})
    assert slower.requests["status"].tolist() == ["cancelled", "working"]
    assert slower.requests["filled"].tolist() == [30.0, -20.0]


def test_a_part_of_one_is_taken_off_the_others_of_its_group() -> None:
    bars = ohlc(*[(10, 10, 10, 10)] * 2, (10, 12, 10, 11), (11, 11, 8, 8), (8, 8, 8, 8)).assign(
        volume=[1000, 1000, 60, 1000, 1000]
    )
    out: Row = {"parent": "in", "group": "out", "reduce_only": True}
    rows = [order(20, id="in"), order(type="limit", limit_price=12, **out), order(type="stop", stop_price=9, **out)]
    result = run(bars, *rows, participation={"A": 0.1})
    assert fills(result) == [(1, 20.0, 10.0, "market"), (2, -6.0, 12.0, "limit"), (3, -14.0, 9.0, "stop")]
    assert result.requests["status"].tolist() == ["filled", "cancelled", "filled"]


def test_a_share_is_measured_once_and_a_reversal_waits_until_nothing_is_left() -> None:
    bars = flat(10, 10, 10, 20, 20, 20, volume=100.0)
    result = run(bars, order(8), order(size=-0.5, at=2), participation={"A": 0.05}, cash=1000.0)
    # At the fourth open the equity is 1,000 - 80 + 160: half of it are 27 units.
    assert [each[:2] for each in fills(result)] == [(1, 5.0), (2, 3.0), (3, -5.0), (4, -3.0), (4, -2.0), (5, -5.0)]
    assert result.requests["status"].tolist() == ["filled", "working"]
    assert result.requests["filled"].tolist() == [8.0, -15.0]  # with what closed
    assert result.unfilled["units"].tolist() == [3.0, -3.0, -25.0, -20.0]


# --- margins and interest ---


def test_what_the_margin_does_not_bear_is_refused_and_a_call_cuts() -> None:
    bars = flat(10, 10, 8, 8, 8, 8)
    options = {"cash": 1000.0, "max_leverage": 5.0, "margin": (0.5, 0.4)}
    assert run(bars, order(201), **options).requests["status"].tolist() == ["refused"]
    result = run(bars, order(200), **options)  # binds 1,000; at 8 the equity is 600, the margin needed 640
    assert fills(result) == [(1, 200.0, 10.0, "market"), (3, -50.0, 8.0, "margin")]
    shared = run(bars, order(size=5.0), **options)
    assert shared.orders["units"].tolist()[0] == 200.0


def test_interest_is_paid_on_what_is_borrowed() -> None:
    result = run(flat(*[10] * 6), order(200), cash=1000.0, max_leverage=2.0, financing=0.365)
    assert result.metrics["financing_paid"] == pytest.approx(
        1000.0 * 0.001 * 6, rel=0.02
    )  # six days, Tuesday to Monday


def test_margins_of_contracts_are_currency_for_each() -> None:
    gold = Instrument(symbol="GC", venue="XCME", multiplier=100, asset_class="futures")
    other = Instrument(symbol="SI", venue="XCME", asset_class="futures")
    bars = {gold: flat(20, 20, 20, 12, 12, 12), other: ONES}
    margin = {"GC": ContractMargin(1000.0, 900.0), "SI": (0.5, 0.4)}
    options: Row = {"cash": 10_000.0, "max_leverage": 10.0, "margin": margin}
    rows = [{"time": DAYS[0], "symbol": "GC", "quantity": q} for q in (11, 10)]
    result = backtest(bars, orders=rows, **options)
    assert result.requests["status"].tolist() == ["refused", "filled"]  # 1,000 each, whatever 2,000 of value
    # At 12 the equity is 2,000 and 9,000 are needed: two contracts may stay.
    assert fills(result)[1:] == [(4, -8.0, 12.0, "margin")]
    assert result.assumptions["margin"]["GC"] == {"initial": 1000.0, "maintenance": 900.0, "per": "contract"}
    held = backtest(bars, weights={"GC": 5.0}, **options)
    assert held.positions["GC"].tolist()[1] == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("margin", "text"),
    [
        ((13_200, 12_000), r"write ContractMargin\(13200, 12000\)"),
        ("half", "a ContractMargin in currency per contract"),
    ],
)
def test_a_wrong_margin_is_told_what_to_write(margin: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        run(flat(*[10] * 6), order(1), margin=margin)


@pytest.mark.parametrize("numbers", [(0.0, 1.0), (1.0, 2.0)])
def test_a_wrong_margin_of_contracts_is_refused(numbers: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="margin"):
        ContractMargin(*numbers)


# --- ticks ---


@pytest.mark.parametrize(
    ("row", "price"),
    [
        (order(5, type="limit", limit_price=9.97), 9.95),
        (order(-5, type="limit", limit_price=10.03), 10.05),
        (order(-5, type="stop", stop_price=9.97), 9.95),
        (order(5, type="stop", stop_price=10.03), 10.05),
    ],
)
def test_limits_rest_on_the_tick_and_stops_are_filled_against_the_trader(row: Row, price: float) -> None:
    bars = ohlc((10, 10, 10, 10), (10, 10.1, 9.9, 10), (10, 10, 10, 10))
    assert fills(run(bars, row, tick_size=0.05)) == [(1, row["quantity"], pytest.approx(price), row["type"])]


def test_a_limit_between_ticks_is_not_touched_where_no_tick_was() -> None:
    bars = ohlc((10, 10, 10, 10), (10, 10, 9.96, 10), (10, 10, 10, 10))
    assert run(bars, order(5, type="limit", limit_price=9.97), tick_size=0.05).requests["status"].tolist() == [
        "working"
    ]


# --- strategies that are asked bar by bar ---


def asked(bars: Any, *, every: Any = None, **given: Any) -> tuple[PortfolioResult, list[Any]]:
    """Run what is done at some bars, and what is seen at all of them."""
    acts = {name: given.pop(name) for name in list(given) if name.startswith("bar")}
    seen: list[Any] = []

    class Does(BarStrategy):
        def on_bar(self, ctx: Any) -> None:
            one = ctx["A"]
            if f"bar{ctx.number}" in acts:
                acts[f"bar{ctx.number}"](one)
            seen.append(every(one))

    result: PortfolioResult = backtest(Does(), {"A": bars, "B": ONES.iloc[: len(bars)]}, **given)
    return result, seen


def test_what_is_seen_is_adjusted_and_what_is_filled_is_raw() -> None:
    bars = flat(10, 10, 10, 4.5, 4.5, 5.4)
    actions = {"A": Actions.of(splits={DAYS[3]: 2.0}, dividends={DAYS[3]: 0.5})}  # prices seen: x 2 / 0.9

    def every(one: Any) -> Any:
        held = one.position()
        return one.bar.close, one.adjustment, held.units, held.price, held.profit

    result, seen = asked(
        bars,
        every=every,
        bar0=lambda one: one.buy(10, stop_price=9.5),
        bar4=lambda one: one.close(limit_price=12.0),
        actions=actions,
        cash=1000.0,
    )
    assert seen[2] == (10.0, 1.0, 10.0, 10.0, 0.0)
    assert seen[3] == pytest.approx((10.0, 2.0 / 0.9, 20.0, 10.0, 0.0))  # 20 x (4.5 - 5) + 10
    assert seen[5] == pytest.approx((12.0, 2.0 / 0.9, 0.0, float("nan"), 0.0), nan_ok=True)
    assert [each[:2] for each in fills(result)] == [(1, 10.0), (3, 10.0), (5, -20.0)]
    requests = result.requests
    assert requests["limit_price"].tolist()[-1] == pytest.approx(5.4)  # raw, on the day of placing
    assert requests["stop_price"].tolist()[1] == 9.5
    assert requests["status"].tolist() == ["filled", "cancelled", "filled"]
    assert requests["fill_price"].tolist()[-1] == pytest.approx(5.4)


def test_orders_and_fills_are_told_in_units_and_prices_of_today() -> None:
    kept: list[Any] = []

    def every(one: Any) -> Any:
        first = kept[0] if kept else None
        told = [(fill.reason, fill.units, fill.price) for fill in one.fills]
        return told, first and (first.units, first.filled_units, first.status)

    result, seen = asked(
        flat(10, 10, 10, 5, 5, 5, volume=100.0),
        every=every,
        bar0=lambda one: kept.append(one.buy(25)),
        actions={"A": Actions.of(splits={DAYS[3]: 2.0})},
        participation={"A": 0.1},
    )
    assert seen[2] == ([("market", 10.0, 10.0)], (25.0, 20.0, "working"))
    assert seen[3] == ([("split", 20.0, 0.0), ("market", 10.0, 10.0)], (50.0, 50.0, "filled"))
    assert result.requests["filled"].tolist() == [25.0]
    assert result.requests["fill_price"].tolist() == [10.0]


def test_what_is_left_can_be_replaced_and_its_bracket_follows() -> None:
    kept: list[Any] = []
    result, _ = asked(
        flat(10, 10, 10, 9, 8, 8, volume=100.0),
        every=lambda one: None,
        bar0=lambda one: kept.append(one.buy(25, limit_price=10.0, stop_price=8.5)),
        bar1=lambda one: kept.append(one.replace(kept[0], limit_price=9.0)),
        participation={"A": 0.1},
    )
    assert fills(result) == [
        (1, 10.0, 10.0, "limit"),
        (3, 10.0, 9.0, "limit"),
        (4, -10.0, 8.0, "stop"),
        (5, -10.0, 8.0, "stop"),
    ]
    requests = result.requests
    assert requests["quantity"].tolist()[2] == 15.0  # what was left
    assert requests["status"].tolist() == ["replaced", "filled", "cancelled"]
