"""The rules of `docs/explanation/semantics.md`, each worked out by hand, for the engine and for the reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from algotrendy.backtest import reference
from algotrendy.backtest.costs import Fees
from algotrendy.backtest.engine import Options, run
from algotrendy.kernels.bars import BarArrays
from algotrendy.kernels.orders_types import REASONS
from algotrendy.strategy.inputs import RunInputs

Bar = tuple[float, float, float, float]
Row = tuple[int, int, str, float, float]
"""Decision bar, fill bar, reason, signed units, fill price."""

CONDITIONS = ("entry", "exit", "short_entry", "short_exit")
LEVELS = ("stop", "target", "trail", "size")


class Told:
    """What one backtest did, in the words of both simulators."""

    def __init__(self, rows: list[Row], equity: list[float], ends: tuple[str | None, int | None], m: Any) -> None:
        self.rows, self.equity, self.ends, self.metrics = rows, equity, ends, m


def by_reference(bars: Sequence[Bar], given: dict[str, Any], options: Options) -> Told:
    n, fees = len(bars), options.fees
    conditions = [[k in given.get(name, ()) for k in range(n)] for name in CONDITIONS]
    default = {"size": 1.0}
    levels = [[given.get(name, default.get(name, math.nan))] * n for name in LEVELS]
    chosen = reference.Options(
        cash=options.cash,
        fill=options.fill,
        rate=fees.rate,
        per_unit=fees.per_unit,
        fixed=fees.fixed,
        minimum=fees.minimum,
        slippage=options.slippage,
        borrow=options.borrow,
        lot_size=options.lot_size,
        max_leverage=options.max_leverage,
        fixed_units=given.get("fixed_units", False),
    )
    columns = [list(column) for column in zip(*bars, strict=True)]
    done = reference.simulate(reference.Bars(*columns), reference.Signals(*conditions, *levels), chosen)
    rows = [(x.decided_at, x.filled_at, x.reason, x.units, x.price) for x in done.orders]
    return Told(rows, done.equity, (done.pending, done.ruined_at), done.metrics)


def by_engine(bars: Sequence[Bar], given: dict[str, Any], options: Options) -> Told:
    n = len(bars)
    mask = np.zeros((4, -(-n // 64) * 64), dtype=bool)
    for k, name in enumerate(CONDITIONS):
        mask[k, list(given.get(name, ()))] = True
    words = np.packbits(mask, axis=1, bitorder="little").view(np.uint64)
    default = {"size": 1.0}
    levels = {name: np.array([given.get(name, default.get(name, math.nan))]) for name in LEVELS}
    inputs = RunInputs(words, **levels, size_kind=int(given.get("fixed_units", False)))
    columns = [np.array(column, dtype=np.float64) for column in zip(*bars, strict=True)]
    done = run(BarArrays(*columns, np.ones(n)), inputs, options)
    x = done.order_columns
    names = [REASONS[k] for k in x["reason"]]
    rows = list(zip(x["decided_at"], x["filled_at"], names, x["units"], x["price"], strict=True))
    return Told(rows, done.equity.tolist(), (done.pending, done.ruined_at), done.metrics)


Simulator = Callable[[Sequence[Bar], dict[str, Any], Options], Told]


@pytest.fixture(params=[by_reference, by_engine], ids=["reference", "engine"])
def simulate(request: pytest.FixtureRequest) -> Callable[..., Told]:
    simulator: Simulator = request.param

    def call(bars: Sequence[Bar], options: Options | None = None, **given: Any) -> Told:
        return simulator(bars, given, options or Options(cash=1_000.0))

    return call


def flat(price: float) -> Bar:
    return price, price, price, price


RISE = [(10.0, 11.0, 9.0, 10.5), (20.0, 21.0, 19.0, 20.5), (40.0, 41.0, 39.0, 40.5)]


@pytest.mark.parametrize(
    ("fill", "expected"),
    [("next_open", (0, 1, 20.0)), ("next_close", (0, 1, 20.5)), ("same_close", (0, 0, 10.5))],
)
def test_a_decision_is_filled_where_the_convention_says(
    simulate: Callable[..., Told], fill: str, expected: tuple[int, int, float]
) -> None:
    told = simulate(RISE, Options(cash=1_000.0, fill=fill), entry=[0])
    decided_at, filled_at, price = expected
    assert told.rows == [(decided_at, filled_at, "entry", 1_000.0 / price, price)]
    assert told.equity[-1] == pytest.approx(1_000.0 / price * 40.5)


def test_a_decision_of_the_last_bar_is_pending(simulate: Callable[..., Told]) -> None:
    told = simulate(RISE, short_entry=[2])
    assert (told.rows, told.ends) == ([], ("short", None))


def test_an_exit_wins_over_an_entry_of_the_same_side(simulate: Callable[..., Told]) -> None:
    assert simulate(RISE, entry=[0, 1], exit=[0, 1]).rows == []


def test_opposite_entries_cancel_each_other_while_flat(simulate: Callable[..., Told]) -> None:
    assert simulate(RISE, entry=[0], short_entry=[0]).rows == []


def test_an_opposite_entry_reverses_in_two_orders_of_one_moment(simulate: Callable[..., Told]) -> None:
    told = simulate([*RISE, flat(50.0)], entry=[0], short_entry=[1])
    assert told.rows == [(0, 1, "entry", 50.0, 20.0), (1, 2, "exit", -50.0, 40.0), (1, 2, "entry", -50.0, 40.0)]
    assert told.equity == [1_000.0, 1_025.0, 4_000.0 - 50.0 * 40.5, 4_000.0 - 50.0 * 50.0]


def test_a_gap_through_the_stop_sells_at_the_open(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), flat(100.0), (80.0, 85.0, 79.0, 84.0)]
    assert simulate(bars, entry=[0], stop=0.1).rows[-1] == (2, 2, "stop", -10.0, 80.0)


def test_inside_the_bar_the_stop_sells_at_its_level(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), flat(100.0), (95.0, 96.0, 79.0, 84.0)]
    assert simulate(bars, entry=[0], stop=0.1).rows[-1] == (2, 2, "stop", -10.0, 90.0)


def test_a_bar_that_touches_stop_and_target_counts_as_the_stop(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), flat(100.0), (100.0, 130.0, 70.0, 100.0)]
    assert simulate(bars, entry=[0], stop=0.1, target=0.1).rows[-1][2:] == ("stop", -10.0, 90.0)


def test_a_gap_over_the_target_sells_at_the_open_without_slippage(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), flat(100.0), (130.0, 131.0, 70.0, 100.0)]
    told = simulate(bars, Options(cash=1_010.0, slippage=0.01), entry=[0], stop=0.1, target=0.1)
    assert told.rows[-1] == (2, 2, "target", -10.0, 130.0)


def test_a_stop_is_a_market_order_and_slips(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), flat(100.0), (100.0, 100.0, 50.0, 60.0)]
    told = simulate(bars, Options(cash=1_010.0, slippage=0.01), entry=[0], stop=0.1)
    assert told.rows[-1][4] == pytest.approx(101.0 * 0.9 * 0.99)
    assert told.metrics["slippage_paid"] == pytest.approx(10.0 * 1.0 + 10.0 * 90.9 * 0.01)


def test_a_short_position_mirrors_the_levels(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), flat(100.0), (100.0, 105.0, 95.0, 100.0), (105.0, 111.0, 104.0, 110.0)]
    assert simulate(bars, short_entry=[0], stop=0.1).rows[-1] == (3, 3, "stop", 10.0, pytest.approx(110.0))
    assert simulate(bars, short_entry=[0], target=0.05).rows[-1] == (2, 2, "target", 10.0, 95.0)


def test_the_high_of_a_bar_does_not_move_its_own_trail(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), flat(100.0), (100.0, 120.0, 95.0, 115.0), (115.0, 116.0, 100.0, 105.0)]
    assert simulate(bars, entry=[0], trail=0.1).rows[-1] == (3, 3, "trail", -10.0, 108.0)


def test_equal_stop_and_trail_count_as_the_stop(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), flat(100.0), (100.0, 100.0, 80.0, 85.0)]
    assert simulate(bars, entry=[0], stop=0.1, trail=0.1).rows[-1][2] == "stop"


@pytest.mark.parametrize("entry_at", range(14, 19))
@pytest.mark.parametrize("fill", ["same_close", "next_close"])
def test_the_high_before_a_close_was_bought_never_moves_the_trail(
    simulate: Callable[..., Told], fill: str, entry_at: int
) -> None:
    bars = [flat(100.0)] * 60
    bars[entry_at] = (100.0, 105.0, 100.0, 100.0)
    bars[50] = (100.0, 100.0, 93.0, 93.0)
    decided_at = entry_at if fill == "same_close" else entry_at - 1
    told = simulate(bars, Options(cash=1_000.0, fill=fill), entry=[decided_at], trail=0.1)
    assert told.rows == [(decided_at, entry_at, "entry", 10.0, 100.0)]


def test_a_position_bought_at_the_open_is_tested_on_that_bar(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), (100.0, 101.0, 89.0, 95.0), flat(95.0)]
    assert simulate(bars, entry=[0], stop=0.1).rows[-1] == (1, 1, "stop", -10.0, 90.0)


def test_a_position_bought_at_the_close_is_tested_from_the_next_bar_on(simulate: Callable[..., Told]) -> None:
    bars = [(100.0, 101.0, 50.0, 100.0), flat(100.0), (100.0, 100.0, 85.0, 95.0)]
    told = simulate(bars, Options(cash=1_000.0, fill="same_close"), entry=[0], stop=0.1)
    assert told.rows[-1] == (2, 2, "stop", -10.0, 90.0)


def test_a_level_condition_enters_again_after_a_stop(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), flat(100.0), (100.0, 100.0, 80.0, 85.0), flat(85.0)]
    rows = simulate(bars, entry=[0, 1, 2], stop=0.1).rows
    assert [row[:3] for row in rows] == [(0, 1, "entry"), (2, 2, "stop"), (2, 3, "entry")]


def test_a_stop_before_the_fill_leaves_the_wish_standing(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), flat(100.0), (100.0, 100.0, 80.0, 85.0), flat(85.0)]
    told = simulate(bars, Options(cash=1_000.0, fill="next_close"), entry=[0], short_entry=[1], stop=0.1)
    assert [row[:3] for row in told.rows] == [(0, 1, "entry"), (2, 2, "stop"), (1, 2, "entry")]
    assert told.rows[2][3] < 0


def test_a_touch_is_decided_with_a_tolerance(simulate: Callable[..., Told]) -> None:
    price = 0.1 + 0.2
    bars = [flat(price), flat(price), (0.3, 0.3, 0.27, 0.28)]
    assert simulate(bars, entry=[0], stop=0.1).rows[-1][2] == "stop"


def test_all_in_spends_the_cash_to_the_last_cent_commission_included(simulate: Callable[..., Told]) -> None:
    fees = Fees(rate=0.01, per_unit=0.5, fixed=2.0)
    told = simulate(RISE, Options(cash=1_000.0, fees=fees), entry=[0])
    units = (1_000.0 - 2.0) / (20.0 * 1.01 + 0.5)
    assert told.rows[0][3] == pytest.approx(units)
    assert units * 20.0 + 0.01 * units * 20.0 + 0.5 * units + 2.0 == pytest.approx(1_000.0)
    assert told.equity[1] == pytest.approx(units * 20.5)


def test_a_minimum_commission_counts_where_it_binds(simulate: Callable[..., Told]) -> None:
    told = simulate(RISE, Options(cash=1_000.0, fees=Fees(rate=0.001, minimum=100.0)), entry=[0])
    assert told.rows[0][3] == pytest.approx(900.0 / 20.0)
    assert told.metrics["commission_paid"] == 100.0


def test_whole_units_are_rounded_down_and_an_exact_multiple_stays(simulate: Callable[..., Told]) -> None:
    assert simulate(RISE, Options(cash=1_010.0, lot_size=1.0), entry=[0]).rows[0][3] == 50.0
    assert simulate(RISE, Options(cash=1_000.0, lot_size=10.0), entry=[0]).rows[0][3] == 50.0
    assert simulate(RISE, Options(cash=15.0, lot_size=1.0), entry=[0]).rows == []


def test_fixed_units_are_cut_to_what_the_money_buys(simulate: Callable[..., Told]) -> None:
    assert simulate(RISE, entry=[0], size=7.0, fixed_units=True).rows[0][3] == 7.0
    assert simulate(RISE, entry=[0], size=700.0, fixed_units=True).rows[0][3] == 50.0


@pytest.mark.parametrize("size", [0.0, -1.0, math.nan])
def test_no_size_is_no_order(simulate: Callable[..., Told], size: float) -> None:
    assert simulate(RISE, entry=[0], size=size).rows == []


def test_a_fraction_is_cut_to_the_leverage(simulate: Callable[..., Told]) -> None:
    assert simulate(RISE, entry=[0], size=3.0).rows[0][3] == 50.0
    assert simulate(RISE, Options(cash=1_000.0, max_leverage=2.0), entry=[0], size=3.0).rows[0][3] == 100.0


def test_a_short_position_pays_borrow_on_each_close_it_was_held_over(simulate: Callable[..., Told]) -> None:
    bars = [flat(10.0), flat(10.0), flat(20.0), flat(30.0), flat(30.0)]
    told = simulate(bars, Options(cash=1_000.0, borrow=2.52), short_entry=[0], short_exit=[2], size=0.1)
    assert told.equity == pytest.approx([1_000.0, 1_000.0, 899.0, 797.0, 797.0])
    assert told.metrics["borrow_paid"] == pytest.approx(10.0 * (10.0 + 20.0) * 0.01)


def test_a_short_position_that_doubles_ruins_the_account(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), flat(100.0), flat(250.0), flat(10.0), flat(10.0)]
    told = simulate(bars, short_entry=[0, 1, 2, 3])
    assert told.rows[-1] == (2, 2, "ruin", 10.0, 250.0)
    assert (told.equity, told.ends) == ([1_000.0, 1_000.0, -500.0, -500.0, -500.0], (None, 2))
    assert told.metrics["max_drawdown"] == 1.5
    assert told.metrics["annual_return"] == -1.0


def test_a_position_that_is_worth_exactly_nothing_is_ruin(simulate: Callable[..., Told]) -> None:
    bars = [flat(1.1), flat(1.1), flat(2.2), flat(1.1)]
    assert simulate(bars, short_entry=[0]).ends == (None, 2)


def test_a_stop_that_costs_more_than_there_is_ruins_the_account(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0), flat(100.0), (10.0, 10.0, 10.0, 10.0), flat(100.0)]
    told = simulate(bars, Options(cash=1_000.0, max_leverage=3.0), entry=[0, 1, 2, 3], size=3.0, stop=0.1)
    assert [row[2] for row in told.rows] == ["entry", "stop"]
    assert (told.equity[-1], told.ends) == (-1_700.0, (None, 2))


def test_an_open_position_counts_in_orders_and_not_in_trades(simulate: Callable[..., Told]) -> None:
    told = simulate(RISE, entry=[0])
    assert (told.metrics["n_orders"], told.metrics["n_trades"]) == (1, 0)
    assert math.isnan(told.metrics["win_rate"])


def test_nothing_traded_leaves_ratios_undefined(simulate: Callable[..., Told]) -> None:
    metrics = simulate(RISE).metrics
    assert metrics["final_equity"] == 1_000.0
    assert metrics["max_drawdown"] == metrics["turnover"] == metrics["time_in_market"] == 0.0
    for name in ("sharpe_ratio", "sortino_ratio", "calmar_ratio", "profit_factor", "expectancy"):
        assert math.isnan(metrics[name])


def test_steady_growth_has_neither_downside_nor_drawdown(simulate: Callable[..., Told]) -> None:
    bars = [flat(100.0 * 1.01**k) for k in range(300)]
    metrics = simulate(bars, Options(cash=1_000.0, fill="same_close"), entry=[0]).metrics
    assert metrics["max_drawdown"] == 0.0
    assert math.isnan(metrics["sortino_ratio"])
    assert math.isnan(metrics["calmar_ratio"])


def test_metrics_are_their_definitions_on_a_small_case(simulate: Callable[..., Told]) -> None:
    bars = [flat(10.0), flat(10.0), flat(12.0), flat(9.0), flat(9.0)]
    told = simulate(bars, entry=[0], exit=[3])
    returns = np.array([0.0, 0.0, 0.2, -0.25, 0.0])
    assert told.equity == pytest.approx([1_000.0, 1_000.0, 1_200.0, 900.0, 900.0])
    expected = {
        "total_return": -0.1,
        "annual_return": 0.9 ** (252 / 5) - 1,
        "volatility": returns.std(ddof=1) * math.sqrt(252),
        "sharpe_ratio": returns.mean() / returns.std(ddof=1) * math.sqrt(252),
        "sortino_ratio": returns.mean() / math.sqrt(0.25**2 / 5) * math.sqrt(252),
        "max_drawdown": 0.25,
        "calmar_ratio": (0.9 ** (252 / 5) - 1) / 0.25,
        "n_orders": 2,
        "n_trades": 1,
        "win_rate": 0.0,
        "profit_factor": 0.0,
        "expectancy": -100.0,
        "turnover": (1_000.0 + 900.0) / 1_000.0 / (5 / 252),
        "time_in_market": 3 / 5,
    }
    assert {name: told.metrics[name] for name in expected} == pytest.approx(expected)
