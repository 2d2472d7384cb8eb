"""A compiled decision gives what the same function gives in Python, bit for bit; and it is quick to refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.lookahead import check_lookahead
from algotrendy.backtest.portfolio.market import account_of_one
from algotrendy.backtest.setting import prepare
from algotrendy.backtest.stateful.loop import StatefulRun, Turn, run_bars, run_in_turn
from algotrendy.backtest.stateful.run import further_columns
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import EQUITY
from algotrendy.strategy import BarStrategy, CompiledStrategy
from tests.property.test_stateful import FILLS
from tests.zoo import lookahead_leaks

CHANCES = 7
N_BARS = 90


class Wild(CompiledStrategy):
    """Does whatever can be done, as chance in the columns of its bars says; keeps what it did in its memory."""

    lively = 0.9
    step = 0.03
    window = 5
    lot = 1.0
    indicators = {"average": "sma(close, window)", "width": "atr(3)", "smooth": "ema(sma(close, 3), window)"}  # noqa: RUF012
    memory = {"last": -1.0, "bracket": -1.0, "seen": 0.0, "heard": 0.0}  # noqa: RUF012

    @staticmethod
    def watch(ctx: Any) -> None:
        ctx.memory.heard = ctx.memory.heard * 0.5 + ctx.bar.close

    @staticmethod
    def decide(ctx: Any) -> None:
        memory, bar, step, lot = ctx.memory, ctx.bar, ctx.params.step, ctx.params.lot
        memory.seen = 0.5 * memory.seen + ctx.cash + ctx.equity + ctx.n_open() + ctx.position.profit
        if ctx.position.units != 0.0:
            memory.seen += ctx.position.price + ctx.position.bars_held
        if bar.r0 > ctx.params.lively:
            return
        what = int(bar.r1 * 12.0)
        side = 1.0 if bar.r2 > 0.5 else -1.0
        price = bar.close * (1.0 + (bar.r3 - 0.5) * 4.0 * step)
        if bar.average == bar.average and bar.smooth == bar.smooth:
            price = price * 0.5 + 0.25 * (ctx.past.average[-1] + ctx.past.smooth[-1])
        units = lot * (1.0 + np.floor(bar.r4 * 30.0))
        size = 0.1 + 0.4 * bar.r4 * (0.5 + 0.5 * bar.r5)
        day = bar.r6 > 0.7
        last, spread = int(memory.last), 2.0 * step * bar.close
        if what == 0:
            memory.last = ctx.buy(units, day=day) if side > 0.0 else ctx.sell(units, day=day)
        elif what == 1:
            memory.last = ctx.buy(size=size, limit_price=price, day=day)
        elif what == 2:
            memory.last = ctx.sell(size=size, trigger_price=price)
        elif what == 3:
            memory.last = ctx.buy(size=size, stop_price=bar.close - spread, target_price=bar.close + spread)
            memory.bracket = memory.last
        elif what == 4:
            memory.last = ctx.sell(units, limit_price=price, stop_price=price + spread)
            memory.bracket = memory.last
        elif what == 5:
            memory.last = ctx.close()
        elif what == 6:
            memory.last = ctx.close(units, stop_price=price, day=day)
        elif what == 7:
            memory.last = ctx.close(limit_price=price)
        elif what == 8 and last >= 0:
            memory.seen += ctx.cancel(last)
        elif what == 9:
            memory.seen += ctx.cancel()
        elif what == 10 and last >= 0:
            if ctx.is_open(last) and ctx.price_of(last) == ctx.price_of(last) and bar.r5 > 0.5:
                memory.last = ctx.replace(last, units=units)
            elif ctx.is_filled(last):
                memory.seen += ctx.fill_price(last)
        elif what == 11 and memory.bracket >= 0.0:
            stop, target = ctx.stop_of(int(memory.bracket)), ctx.target_of(int(memory.bracket))
            if stop >= 0 and ctx.is_open(stop):
                ctx.replace(stop, stop_price=price)
            if target >= 0 and bar.r5 > 0.5:
                ctx.replace(target, limit_price=price)
        if bar.r5 > 0.9:
            ctx.buy(size=min(0.9, 0.1 + abs(memory.seen) % 0.3))


def bars_of(seed: int, n: int = N_BARS, step: float = 0.03) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, step, n)))
    opened = close * np.exp(rng.normal(0.0, step / 2.0, n))
    frame = pd.DataFrame({"open": opened, "close": close}, index=pd.bdate_range("2020-01-01", periods=n))
    frame["high"] = frame.max(axis=1) * np.exp(np.abs(rng.normal(0.0, step / 2.0, n)))
    frame["low"] = frame.min(axis=1) * np.exp(-np.abs(rng.normal(0.0, step / 2.0, n)))
    frame["volume"] = 1e6
    return frame.assign(**{f"r{k}": rng.random(n) for k in range(CHANCES)})


def both(strategy: CompiledStrategy, bars: pd.DataFrame, asked: Any = None, **options: Any) -> list[StatefulRun]:
    account = account_of_one(prepare(bars, **options))
    span = (0, account.n_bars) if asked is None else asked
    columns = further_columns(bars)
    return [
        run_bars(strategy, account, asked=span, columns=columns),
        run_in_turn([Turn(strategy, *span)], account, columns),
    ]


def assert_same(found: StatefulRun, expected: StatefulRun) -> None:
    np.testing.assert_array_equal(found.ledger.curve, expected.ledger.curve)
    np.testing.assert_array_equal(found.ledger.fills.places, expected.ledger.fills.places)
    np.testing.assert_array_equal(found.ledger.fills.money, expected.ledger.fills.money)
    assert found.ledger.ruined_at == expected.ledger.ruined_at
    pd.testing.assert_frame_equal(found.requests, expected.requests, check_exact=True)
    assert [order.ended_at for order in found.orders] == [order.ended_at for order in expected.orders]
    for mine, other in zip(found.orders, expected.orders, strict=True):
        for name in ("stop", "target", "predecessor", "successor"):
            pair = (getattr(mine, name), getattr(other, name))
            assert (None if pair[0] is None else pair[0].id) == (None if pair[1] is None else pair[1].id)


@given(
    seed=st.integers(0, 2**32 - 1),
    fill=st.sampled_from(FILLS),
    step=st.sampled_from([0.01, 0.03, 0.2]),
    lively=st.sampled_from([0.3, 0.9]),
    commission=st.sampled_from([0.0, 0.001, at.Fees(minimum=5.0), at.Fees(per_unit=0.01, fixed=1.0)]),
    terms=st.sampled_from([{}, {"units": "whole", "lot_size": 10.0}, {"max_leverage": 3.0, "borrow": 0.5}]),
    slippage=st.sampled_from([0.0, 0.001]),
    late=st.sampled_from([0, 20]),
)
def test_compiled_is_what_python_gives_bit_for_bit(
    seed: int, fill: str, step: float, lively: float, commission: Any, terms: dict[str, Any], slippage: float, late: int
) -> None:
    strategy = Wild(lively=lively, step=step, lot=10.0 if "units" in terms else 1.0)
    options = {"fill": fill, "commission": commission, "slippage": slippage, **terms}
    found, expected = both(strategy, bars_of(seed, step=step), (late, N_BARS), **options)
    assert_same(found, expected)


class Average(CompiledStrategy):
    """Above the average; the twin of a strategy of texts."""

    fast = 3
    slow = 8
    indicators = {"quick": "sma(close, fast)", "calm": "sma(close, slow)"}  # noqa: RUF012

    @staticmethod
    def decide(ctx: Any) -> None:
        if ctx.bar.quick > ctx.bar.calm and ctx.position.units == 0.0:
            ctx.buy(size=1.0)
        elif ctx.bar.quick <= ctx.bar.calm and ctx.position.units > 0.0:
            ctx.close()


GRID = {"fast": [2, 4], "slow": [8, 12]}
TEXT = at.Strategy("sma(close, fast) > sma(close, slow)", "sma(close, fast) <= sma(close, slow)", fast=3, slow=8)


def test_it_runs_sweeps_and_walks_as_its_twin_of_texts() -> None:
    bars, options = at.synthetic(n=200, seed=3), {"commission": 0.001, "slippage": 0.0005}
    one, two = at.backtest(Average(), bars, **options), at.backtest(TEXT, bars, **options)
    np.testing.assert_allclose(one.equity_values, two.equity_values, rtol=1e-9)
    sweeps = [at.optimize(each, bars, GRID, progress=False, **options).table for each in (Average(), TEXT)]
    pd.testing.assert_frame_equal(*sweeps, rtol=1e-9, atol=1e-9)
    for carry in (False, True):
        walks = [
            at.walk_forward(each, bars, GRID, training=80, testing=40, carry=carry, progress=False, **options)
            for each in (Average(), TEXT)
        ]
        pd.testing.assert_frame_equal(*(walk.windows for walk in walks), rtol=1e-9, atol=1e-9, check_dtype=False)
        np.testing.assert_allclose(*(walk.equity.to_numpy() for walk in walks), rtol=1e-9)


def test_more_orders_than_there_was_room_for() -> None:
    class Busy(Wild):
        """Seven orders at each bar."""

        @staticmethod
        def decide(ctx: Any) -> None:
            for k in range(7):
                ctx.buy(1.0, limit_price=ctx.bar.close * (0.5 + 0.01 * k), day=True)

    found, expected = both(Busy(), bars_of(1, 200))
    assert len(found.orders) == 1400
    assert_same(found, expected)


# --- look-ahead -------------------------------------------------------------------------------------------------------


def test_a_row_after_the_bar_is_an_error_and_the_past_cannot_be_changed() -> None:
    class Peeks(CompiledStrategy):
        """Reads the next close."""

        @staticmethod
        def decide(ctx: Any) -> None:
            if ctx.past.close[ctx.number + 1] > ctx.bar.close:
                ctx.buy()

    class Writes(CompiledStrategy):
        """Makes the past better."""

        @staticmethod
        def decide(ctx: Any) -> None:
            ctx.past.close[0] = 1.0

    with pytest.raises(IndexError) as raised:
        at.backtest(Peeks(), bars_of(1))
    assert raised.value.__notes__ == ["raised by Peeks at bar 0 (2020-01-01)"]
    with pytest.raises(Exception, match="readonly"):
        at.backtest(Writes(), bars_of(1))


class Backwards(CompiledStrategy):
    """Has an indicator of the next bars."""

    indicators = {"later": "my_smooth_backwards(3)"}  # noqa: RUF012

    @staticmethod
    def decide(ctx: Any) -> None:
        if ctx.bar.later > ctx.bar.close:
            if ctx.position.units == 0.0:
                ctx.buy(size=0.5)
        elif ctx.position.units > 0.0:
            ctx.close()


class Slower(CompiledStrategy):
    """Reads as many columns as `Backwards`, under other names."""

    indicators = {"earlier": "sma(close, 30)"}  # noqa: RUF012

    @staticmethod
    def decide(ctx: Any) -> None:
        if ctx.bar.earlier > ctx.bar.close and ctx.position.units == 0.0:
            ctx.buy(size=0.5)


def test_names_of_one_strategy_are_not_those_of_another_with_as_many() -> None:
    from algotrendy.kernels.portfolio_decided_walk import walk_of

    lookahead_leaks.register_indicators()
    bars = at.synthetic(n=200, seed=3)
    assert len(at.backtest(Slower(), bars).orders) > 0
    kept = walk_of(Slower.decide, None)  # its types live as long as it does
    assert len(at.backtest(Backwards(), bars).orders) > 0
    assert kept is walk_of(Slower.decide, None)


def test_a_check_for_look_ahead_takes_it() -> None:
    lookahead_leaks.register_indicators()
    bars = at.synthetic(n=200, seed=3)
    clean = check_lookahead(Average(), bars, cuts=20)
    assert clean.verdict == "no leak found"
    found = check_lookahead(Backwards(), bars, cuts=20)
    assert found.verdict == "leak"
    assert ("close",) in {leak.inputs for leak in found.leaks}


# --- what is refused --------------------------------------------------------------------------------------------------


class Wrong(CompiledStrategy):
    """Orders what is not allowed, by a number."""

    case = 0

    @staticmethod
    def decide(ctx: Any) -> None:
        case, close = int(ctx.params.case), ctx.bar.close
        if ctx.number == 3:
            ctx.buy(1.0)
        if ctx.number != 6:
            return
        if case == 0:
            ctx.buy(-1.0)
        elif case == 1:
            ctx.buy(1.0, size=0.5)
        elif case == 2:
            ctx.buy(size=2.0)
        elif case == 3:
            ctx.sell(1.0, stop_price=close * 0.9)
        elif case == 4:
            ctx.buy(1.0, limit_price=close, trigger_price=close)
        elif case == 5:
            ctx.close(limit_price=close, stop_price=close)
        elif case == 6:
            ctx.buy(1.0, target_price=np.nan)
        elif case == 7:
            ctx.replace(0, stop_price=close)
        elif case == 8:
            ctx.cancel(77)


@pytest.mark.parametrize("case", range(9))
def test_what_is_not_allowed_is_told_as_in_python(case: int) -> None:
    account = account_of_one(prepare(bars_of(1)))
    texts = []
    for run in (
        lambda: run_bars(Wrong(case=case), account),
        lambda: run_in_turn([Turn(Wrong(case=case), 0, N_BARS)], account, {}),
    ):
        with pytest.raises(InputError) as raised:
            run()
        texts.append((str(raised.value), raised.value.__notes__))
    assert texts[0] == texts[1]
    assert texts[0][1] == ["raised by Wrong at bar 6 (2020-01-09)"]


def test_a_class_says_what_is_wrong_with_it() -> None:
    def made(**fields: Any) -> CompiledStrategy:
        return type("Made", (CompiledStrategy,), {"decide": staticmethod(lambda ctx: None), **fields})()

    for fields, message in (
        ({"decide": CompiledStrategy.decide}, "has no decide"),
        ({"decide": lambda ctx: None}, "has to be a @staticmethod"),
        ({"indicators": {"close": "sma(close, 3)"}}, "an indicator is called 'close'"),
        ({"indicators": {"a": "close - sma(close, 3)"}}, "give one call of an indicator"),
        ({"memory": {"a b": 1.0}}, "memory has 'a b'"),
        ({"memory": {"a": "x"}}, "memory has 'a'"),
    ):
        with pytest.raises(InputError, match=message):
            made(**fields)
    with pytest.raises(InputError, match="is called 'r1', and so is a column"):
        at.backtest(made(indicators={"r1": "sma(close, 3)"}), bars_of(1))
    with pytest.raises(InputError, match="is compiled, which is for one instrument; there are 2"):
        at.backtest(made(), {"A": bars_of(1), "B": bars_of(2)})
    assert isinstance(made(), BarStrategy)


def test_after_ruin_nothing_is_asked() -> None:
    class Reckless(CompiledStrategy):
        """All of it on margin."""

        @staticmethod
        def decide(ctx: Any) -> None:
            if ctx.position.units == 0.0:
                ctx.sell(size=3.0)

    bars = bars_of(1)
    bars.loc[bars.index[40] :, ["open", "high", "low", "close"]] *= 3.0
    found, expected = both(Reckless(), bars, max_leverage=3.0)
    assert found.ledger.ruined_at == 40
    assert (found.ledger.curve[EQUITY, 40:] == found.ledger.curve[EQUITY, 40]).all()
    assert_same(found, expected)
