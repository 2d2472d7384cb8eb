"""What the engine is told, and what it refuses."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from algotrendy.backtest.costs import Fees, as_fees
from algotrendy.backtest.engine import Options, Run, run
from algotrendy.domain.panel import Panel
from algotrendy.errors import InputError
from algotrendy.kernels.bars import BarArrays
from algotrendy.kernels.orders_types import empty_orders, orders_max
from algotrendy.strategy.inputs import RunInputs

NONE = np.array([np.nan])
ALL_IN = np.array([1.0])


def steps(n: int) -> BarArrays:
    close = 100.0 + np.arange(n) % 7
    return BarArrays(close, close + 1.0, close - 1.0, close, np.ones(n))


def words(n: int, **true_at: Any) -> Any:
    mask = np.zeros((4, -(-n // 64) * 64), dtype=bool)
    for k, name in enumerate(("entry", "exit", "short_entry", "short_exit")):
        mask[k, :n] = true_at.get(name, False)
    return np.packbits(mask, axis=1, bitorder="little").view(np.uint64)


def reversing(n: int, options: Options) -> Run:
    """Long on even bars, short on odd ones: two orders a bar."""
    even = np.arange(n) % 2 == 0
    inputs = RunInputs(words(n, entry=even, short_entry=~even), NONE, NONE, NONE, ALL_IN, 0)
    return run(steps(n), inputs, options)


def test_a_plain_number_is_the_rate_of_the_commission() -> None:
    assert as_fees(0.001) == Fees(rate=0.001)
    assert as_fees(Fees(fixed=1.0)) == Fees(fixed=1.0)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, 1.0, "a lot", None, True])
def test_a_commission_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="commission"):
        as_fees(value)


@pytest.mark.parametrize("field", ["rate", "per_unit", "fixed", "minimum"])
def test_a_negative_fee_is_refused_by_its_name(field: str) -> None:
    with pytest.raises(InputError, match=f"{field} is -1"):
        Fees(**{field: -1.0})


def test_fees_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Fees().rate = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cash", 0.0),
        ("cash", math.inf),
        ("cash", "1000"),
        ("slippage", 1.0),
        ("slippage", -0.1),
        ("borrow", math.nan),
        ("lot_size", -1.0),
        ("max_leverage", 0.0),
        ("max_leverage", math.nan),
        ("periods_per_year", 0.0),
        ("risk_free_rate", -1.0),
        ("fill", "at noon"),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=field):
        Options(**{field: value})


def test_leverage_may_be_without_limit() -> None:
    n = 4
    inputs = RunInputs(words(n, entry=[True, False, False, False]), NONE, NONE, NONE, np.array([50.0]), 1)
    done = run(steps(n), inputs, Options(cash=100.0, max_leverage=math.inf))
    assert done.order_columns["units"].tolist() == [50.0]


def test_there_is_room_for_two_orders_on_every_bar() -> None:
    n = 3_000
    done = reversing(n, Options(cash=1e9))
    assert done.metrics["n_orders"] == 2 * (n - 1) - 1
    assert done.ruined_at is None


def test_orders_have_at_most_three_rows_a_bar() -> None:
    n = 200
    everywhere = np.ones(n, dtype=bool)
    tight = np.array([1e-9])
    inputs = RunInputs(words(n, entry=everywhere), tight, NONE, NONE, ALL_IN, 0)
    done = run(steps(n), inputs, Options(slippage=0.001))
    assert done.metrics["n_orders"] == 2 * (n - 1)
    assert len(empty_orders(orders_max(n)).bars) > 3 * n


def test_a_market_is_shared_by_many_runs() -> None:
    n = 100
    bars, options = steps(n), Options()
    even = np.arange(n) % 20 == 0
    inputs = RunInputs(words(n, entry=even), np.array([0.02]), NONE, NONE, ALL_IN, 0)
    alone, shared = run(bars, inputs, options), run(bars, inputs, options, market=options.market(bars))
    assert alone.metrics == pytest.approx(shared.metrics, nan_ok=True)


def test_a_panel_of_one_instrument_is_its_bars() -> None:
    import pandas as pd

    n = 50
    bars = steps(n)
    columns = dict(zip(("open", "high", "low", "close", "volume"), bars, strict=True))
    frame = pd.DataFrame(columns, index=pd.bdate_range("2024-01-01", periods=n))
    inputs = RunInputs(words(n, entry=np.ones(n, dtype=bool)), NONE, NONE, NONE, ALL_IN, 0)
    panel = Panel.of(frame)
    assert run(panel, inputs, Options()).equity.tolist() == run(bars, inputs, Options()).equity.tolist()
    with pytest.raises(InputError, match="2 instruments"):
        run(Panel.of({"A": frame, "B": frame}), inputs, Options())


def test_an_open_that_sticks_out_of_its_bar_is_taken_as_it_is() -> None:
    n = 40
    bars = BarArrays(*(np.full(n, 100.0) for _ in range(5)))
    bars.open[30] = bars.low[30] = bars.close[30] = 90.0
    bars.low[30] = 90.0 * (1.0 + 5e-10)
    inputs = RunInputs(words(n, entry=np.arange(n) == 0), np.array([0.1]), NONE, NONE, ALL_IN, 0)
    done = run(bars, inputs, Options())
    assert done.order_columns["filled_at"].tolist() == [1, 30]


def test_units_and_columns_are_empty_without_orders() -> None:
    inputs = RunInputs(words(3), NONE, NONE, NONE, ALL_IN, 0)
    done = run(steps(3), inputs, Options())
    assert done.units.tolist() == [0.0, 0.0, 0.0]
    assert {len(column) for column in (*done.order_columns.values(), *done.trade_columns.values())} == {0}


def test_a_return_of_a_few_bars_may_be_too_large_to_annualise() -> None:
    close = np.array([1.0, 1.0, 1e3])
    inputs = RunInputs(words(3, entry=[True, False, False]), NONE, NONE, NONE, ALL_IN, 0)
    assert run(BarArrays(close, close, close, close, close), inputs, Options()).metrics["annual_return"] > 1e200
    long_ago = Options(periods_per_year=1e6)
    assert run(BarArrays(close, close, close, close, close), inputs, long_ago).metrics["annual_return"] == math.inf


def test_signals_and_levels_of_other_bars_are_refused() -> None:
    inputs = RunInputs(words(3), NONE, NONE, NONE, ALL_IN, 0)
    with pytest.raises(InputError, match="100 bars need"):
        run(steps(100), inputs, Options())
    with pytest.raises(InputError, match="size has 2 values"):
        run(steps(3), inputs._replace(size=np.ones(2)), Options())
