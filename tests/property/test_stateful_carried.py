"""A walk-forward of a stateful strategy in one account: what a text strategy does, and what is handed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.portfolio.market import account_of_one
from algotrendy.backtest.setting import prepare
from algotrendy.backtest.stateful.loop import run_bars
from algotrendy.backtest.walk_forward import walk_forward
from algotrendy.kernels.portfolio_types import EQUITY
from algotrendy.strategy import BarStrategy
from tests.property.test_stateful import FILLS, Twin

GRID = {"fast": [2, 4], "slow": [8, 12]}
TEXT = at.Strategy("sma(close, fast) > sma(close, slow)", "sma(close, fast) <= sma(close, slow)", fast=3, slow=8)
WINDOWS = {"training": 60, "testing": 25}


def walk(strategy: Any, bars: pd.DataFrame, grid: Any = GRID, **options: Any) -> Any:
    return walk_forward(strategy, bars, grid, **{**WINDOWS, "carry": True, "progress": False, "workers": 1, **options})


@given(
    seed=st.integers(0, 1000),
    fill=st.sampled_from(FILLS),
    costs=st.sampled_from([{}, {"commission": 0.002, "slippage": 0.001}, {"commission": at.Fees(minimum=5.0)}]),
    step=st.sampled_from([25, 10]),
)
@settings(max_examples=12)
def test_it_is_the_walk_of_its_twin_of_texts(seed: int, fill: str, costs: dict[str, Any], step: int) -> None:
    bars = at.synthetic(n=150, seed=seed)
    found, expected = (walk(each, bars, fill=fill, step=step, **costs) for each in (Twin(), TEXT))
    np.testing.assert_allclose(found.equity.to_numpy(), expected.equity.to_numpy(), rtol=1e-9)
    for name in ("decided_at", "filled_at"):
        np.testing.assert_array_equal(
            found.out_of_sample.order_columns[name], expected.out_of_sample.order_columns[name]
        )
    pd.testing.assert_frame_equal(found.windows, expected.windows, rtol=1e-9, check_dtype=False)
    for name, value in expected.out_of_sample.metrics.items():
        if isinstance(value, float):
            assert found.out_of_sample.metrics[name] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), name


@given(seed=st.integers(0, 1000), fill=st.sampled_from(FILLS), side=st.booleans())
@settings(max_examples=8)
def test_with_one_choice_it_is_a_plain_run_from_the_first_window_on(seed: int, fill: str, side: bool) -> None:
    bars = at.synthetic(n=150, seed=seed)
    found = walk(Twin(both=int(side)), bars, {"fast": [3]}, fill=fill, borrow=0.05)
    end = 60 + len(found.equity)
    account = account_of_one(prepare(bars.iloc[:end], fill=fill, borrow=0.05))
    plain = run_bars(Twin(both=int(side)), account, asked=(60 - (fill != "same_close"), end))
    np.testing.assert_array_equal(found.equity.to_numpy(), plain.ledger.curve[EQUITY, 60:])
    total = found.windows["total_return"].to_numpy() + 1.0
    assert total.prod() == pytest.approx(found.out_of_sample.metrics["total_return"] + 1.0)
    assert found.windows["n_trades"].sum() == found.out_of_sample.metrics["n_trades"]


class Trails(BarStrategy):
    """Always long, with a stop that it moves up; the stop is handed over."""

    distance = 0.1
    hands_over = 1

    def start(self, ctx: Any) -> None:
        self.stop: Any = None
        self.heard: list[Any] = []

    def observe(self, ctx: Any) -> None:
        self.heard.append(ctx.number)

    def take_over(self, ctx: Any, before: BarStrategy | None) -> None:
        assert self.heard == list(range(ctx.number + 1))
        if self.hands_over and before is not None:
            self.stop = before.stop  # type: ignore[attr-defined]

    def on_bar(self, ctx: Any) -> None:
        level = ctx.bar.close * (1.0 - self.distance)
        if not ctx.position():
            if not ctx.orders:
                self.stop = ctx.buy(size=0.9, stop_price=level).stop
        elif self.stop is not None and self.stop.is_open and self.stop.stop_price < level:
            self.stop = ctx.replace(self.stop, stop_price=level)


def test_orders_that_are_open_stay_and_can_be_handed_over() -> None:
    bars = at.synthetic(n=200, seed=4)
    found = {kept: walk(Trails(hands_over=kept), bars, {"distance": [0.2]}) for kept in (0, 1)}
    requests = found[1].out_of_sample.requests
    account = account_of_one(prepare(bars.iloc[: 60 + len(found[1].equity)]))
    plain = run_bars(Trails(distance=0.2), account, asked=(59, account.n_bars))
    pd.testing.assert_frame_equal(requests, plain.requests)
    np.testing.assert_array_equal(found[1].equity.to_numpy(), plain.ledger.curve[EQUITY, 60:])
    moved = {kept: (each.out_of_sample.requests["status"] == "replaced").sum() for kept, each in found.items()}
    assert moved[0] < moved[1]  # without it the stop works on where it was


def test_where_nothing_is_chosen_all_is_left_and_a_checkpoint_is_of_one_kind(tmp_path: Path) -> None:
    bars = at.synthetic(n=200, seed=4)
    file = tmp_path / "walk.bin"
    found = walk(Trails(), bars, {"distance": [0.2]}, constraints="total_return > 0", checkpoint=file)
    chosen = ~found.windows["distance"].isna().to_numpy()
    assert chosen.any()
    assert not chosen.all()
    units = found.out_of_sample.units_values
    for k, is_chosen in enumerate(chosen):
        span = slice(25 * k, 25 * (k + 1))
        assert is_chosen or not units[span].any()
    again = walk(Trails(), bars, {"distance": [0.2]}, constraints="total_return > 0", checkpoint=file)
    np.testing.assert_array_equal(again.equity, found.equity)
    with pytest.raises(Exception, match="search"):
        walk(Trails(), bars, {"distance": [0.2]}, constraints="total_return > 0", checkpoint=file, carry=False)
