"""Of several instruments: the best and the worst run, against every combination of outcomes, and every path."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.fill_search import Way, stated_way
from algotrendy.backtest.portfolio.paths_desk import PathDesk, PlainPathDesk
from algotrendy.backtest.portfolio.paths_orders import fates
from algotrendy.backtest.portfolio.paths_signals import SignalsWay, signals_way
from algotrendy.backtest.portfolio.reference import Account, Bars, Options, Terms
from algotrendy.backtest.portfolio.reference_orders import Request
from algotrendy.backtest.reference_paths import consistent_paths
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy

ALL = 10**6
FEW = max(settings().max_examples // 4, 1)
"""Each of these asks a strategy thousands of times."""


def wild(seed: int, n: int = 10) -> pd.DataFrame:
    """Few bars that reach far, so that many levels are ambiguous."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, n)))
    open_ = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0.0, 0.004, n))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0.0, 0.025, n)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0.0, 0.025, n)))
    days = pd.date_range("2024-01-01", periods=n)
    return pd.DataFrame({"open": open_, "high": high, "low": low, "close": close}, index=days)


def ends(start: Way, n_bars: int) -> list[float]:
    """Return the final equity of every combination of outcomes of all bars and instruments."""
    ways = [start]
    for i in range(n_bars):
        following = []
        for way in ways:
            way.begin(i)
            open_ways = [way]
            for j in way.exposed(i):
                divided = []
                for each in open_ways:
                    for outcome in each.outcomes(i, j):
                        other = each.divided()
                        other.apply(i, j, outcome)
                        divided.append(other)
                open_ways = divided
            for each in open_ways:
                each.end(i)
            following += open_ways
        ways = following
    return [way.equity[-1] for way in ways]


def signals_case(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    bars = {name: wild(seed + 7 * k) for k, name in enumerate("AB")}
    frames = {
        name: pd.DataFrame({s: rng.random(10) < chance for s in bars}, index=bars["A"].index)
        for name, chance in (("entries", 0.4), ("exits", 0.15), ("short_entries", 0.2), ("short_exits", 0.15))
    }
    levels = {name: size for name, size in (("stop", 0.02), ("target", 0.03)) if rng.random() < 0.8}
    if rng.random() < 0.3:
        levels["trail"] = 0.03
    options: dict[str, Any] = {
        "max_positions": int(rng.choice([1, 2])),
        "fill": str(rng.choice(["next_open", "next_close", "same_close"])),
        "commission": at.Fees(rate=0.001, fixed=float(rng.choice([0.0, 5.0]))),
        "borrow": float(rng.choice([0.0, 0.5])),
        **({"units": "whole", "lot_size": 20.0} if rng.random() < 0.2 else {}),
    }
    run: Any = at.backtest  # overloads do not see through mappings
    return run(bars, **frames, **levels, **options), at.Signals(**frames, **levels)


def way_of(result: Any) -> SignalsWay:
    from algotrendy.backtest.portfolio.again import account_again, arguments_of, strategy_in

    arguments = arguments_of(result)
    account, inside = account_again(arguments)
    return signals_way(account, strategy_in(arguments), inside, arguments)


@given(seed=st.integers(0, 2**32 - 8))
def test_of_signals_no_combination_of_outcomes_lies_outside_an_exact_interval(seed: int) -> None:
    result, _ = signals_case(seed)
    every, found = ends(way_of(result), 10), result.fill_interval(keep=ALL)
    assert found.is_exact
    assert found.best.final_equity == pytest.approx(max(every), rel=1e-9)
    assert found.worst.final_equity == pytest.approx(min(every), rel=1e-9)
    narrow = result.fill_interval(keep=2)
    assert min(every) - 1e-6 <= narrow.worst.final_equity <= float(result.equity_values[-1]) + 1e-6
    assert float(result.equity_values[-1]) - 1e-6 <= narrow.best.final_equity <= max(every) + 1e-6
    if narrow.is_exact:
        assert narrow.best.final_equity == pytest.approx(max(every), rel=1e-9)
        assert narrow.worst.final_equity == pytest.approx(min(every), rel=1e-9)


# --- orders ---


def by_path(bar: tuple[float, float, float, float], path: list[float], desk: PathDesk) -> PathDesk:
    """Walk a path in small steps, and fill what the price comes to."""
    desk = desk.copied()
    _touch(desk, path[0])
    for start, end in pairwise(path):
        step = 1.0 if end >= start else -1.0
        price = start
        while price != end:
            price += step
            _touch(desk, price)
    return desk


def _touch(desk: PathDesk, price: float) -> None:
    again = True
    while again:
        again = False
        for k in desk.ready(1):
            request = desk.requests[k]
            if request.kind == "market" or not desk.reached(request, price, price):
                continue
            desk.fill(k, 1, price, "inside")
            again = True
            break


requests = st.lists(
    st.tuples(
        st.sampled_from(["limit", "stop"]),
        st.integers(90, 110).map(float),
        st.sampled_from([1.0, -1.0, 2.0]),
        st.sampled_from([None, 0]),
        st.sampled_from([None, 0, 1]),
    ),
    min_size=1,
    max_size=3,
)


@given(
    prices=st.tuples(st.integers(92, 100), st.integers(0, 8), st.integers(0, 16), st.integers(0, 16)), orders=requests
)
def test_of_orders_the_fates_are_those_of_all_paths(prices: tuple[int, int, int, int], orders: Any) -> None:
    low, height = prices[0], prices[1]
    high = low + height
    opening, close = low + prices[2] % (height + 1), low + prices[3] % (height + 1)
    bar = float(opening), float(high), float(low), float(close)
    bars = Bars(*([100.0, price] for price in bar))
    made = [
        Request(
            placed_at=0,
            instrument=0,
            units=units,
            kind=kind,
            price=price,
            parent=parent if parent is not None and parent < k else None,
            group=group,
            reduces=parent is not None and parent < k,
        )
        for k, (kind, price, units, group, parent) in enumerate(orders)
    ]
    desk = PlainPathDesk(Account([bars], [Terms()], Options(cash=1e6)), made, [0, 1])
    desk.place(0)
    while desk.at_open(1, with_markets=True):
        pass
    turns = [float(price) for price in range(low + 1, high)]
    expected = {by_path(bar, path, desk).fate() for path in consistent_paths(bar, 0, turns)}
    found = {each.fate() for each in fates(desk, 1, 0)}
    assert expected <= found  # paths of more than three turns may come to more
    if len(made) < 3:
        assert found == expected


class Dip(BarStrategy):
    """Buys below the close with a bracket that is narrower than a bar."""

    def on_bar(self, ctx: Any) -> None:
        for view in ctx:
            if view.has_bar and not view.position() and not view.orders:
                close = view.bar.close
                view.buy(size=0.45, limit_price=close * 0.995, stop_price=close * 0.985, target_price=close * 1.01)


@settings(max_examples=FEW)
@given(seed=st.integers(0, 2**16), several=st.booleans(), fill=st.sampled_from(["next_open", "same_close"]))
def test_of_a_stateful_strategy_the_stated_run_is_the_backtest_and_nothing_lies_outside(
    seed: int, several: bool, fill: str
) -> None:
    from algotrendy.backtest.portfolio.market import account_of, as_panel
    from algotrendy.backtest.stateful.paths import stateful_way

    n = 4 if several else 7
    bars = {name: wild(seed + 7 * k, n) for k, name in enumerate("AB" if several else "A")}
    result = at.backtest(Dip(), bars, fill=fill, commission=0.001)
    account = account_of(as_panel(bars), fill=fill, commission=0.001, **_defaults())
    way = stated_way(stateful_way(Dip(), account, {}), n)
    assert way.equity == pytest.approx(result.equity_values.tolist(), rel=1e-12)
    every = ends(stateful_way(Dip(), account, {}), n)
    found, narrow = result.fill_interval(keep=ALL), result.fill_interval(keep=1)
    assert found.best.final_equity == pytest.approx(max(*every, way.equity[-1]), rel=1e-9)
    assert found.worst.final_equity == pytest.approx(min(*every, way.equity[-1]), rel=1e-9)
    assert found.worst.final_equity - 1e-9 <= narrow.worst.final_equity <= narrow.best.final_equity
    assert narrow.best.final_equity <= found.best.final_equity + 1e-9
    if not several:
        one = at.backtest(Dip(), bars["A"], fill=fill, commission=0.001)
        assert one.fill_interval(strategy=Dip(), keep=ALL).best.final_equity == pytest.approx(found.best.final_equity)
        again = at.backtest(bars, orders=_placed(result), fill=fill, commission=0.001).fill_interval(keep=ALL)
        assert again.stated.final_equity == pytest.approx(found.stated.final_equity)


def _defaults() -> dict[str, Any]:
    import inspect

    from algotrendy.backtest.run import account_options, backtest

    known = {name: each.default for name, each in inspect.signature(backtest).parameters.items()}
    return {name: value for name, value in account_options(known).items() if name not in ("fill", "commission")}


def _placed(result: Any) -> pd.DataFrame:
    frame: pd.DataFrame = result.requests
    return frame[[name for name in frame if name not in ("status", "filled", "fill_price", "replaced_by")]]


# --- through the result ---


def test_weights_do_not_hang_on_paths() -> None:
    bars = {name: wild(k, 30) for k, name in enumerate("AB")}
    result = at.backtest(bars, weights={"A": 0.5, "B": 0.4}, rebalance=5)
    found = result.fill_interval()
    assert found.is_exact
    assert found.ambiguous_share == 0.0
    assert found.n_positions == 2
    assert found.stated.final_equity == pytest.approx(float(result.equity_values[-1]))
    with pytest.raises(InputError, match="keep is 0"):
        result.fill_interval(keep=0)


def test_a_result_from_a_file_is_told_what_it_was_made_of(tmp_path: Any) -> None:
    bars = {name: wild(k, 60) for k, name in enumerate("AB")}
    strategy = at.Strategy(entry="close > sma(close, 3)", exit="close < sma(close, 3)", stop=0.01, target=0.01)
    result = at.backtest(strategy, bars)
    loaded = type(result).load(result.save(tmp_path / "run.json"))
    with pytest.raises(InputError, match="hand in again"):
        loaded.fill_interval()
    again = loaded.fill_interval(strategy=strategy, bars=bars)
    assert again.to_dict() == result.fill_interval().to_dict()
    assert again.ambiguous_trades > 0
    with pytest.raises(InputError, match="when it is run again"):
        loaded.fill_interval(strategy=strategy, bars=bars, slippage=0.01)


def test_finer_bars_leave_less_to_the_path() -> None:
    fine = {
        name: at.synthetic(n=24 * 40, seed=k, interval="1h", calendar="24/7", volatility=0.6)
        for k, name in enumerate("AB")
    }
    rules = {"open": "first", "high": "max", "low": "min", "close": "last"}
    days = {name: frame.resample("1D").agg(rules) for name, frame in fine.items()}
    strategy = at.Strategy(entry="close > sma(close, 3)", exit="close < sma(close, 3)", stop=0.02, target=0.02)
    coarse, finer = at.backtest(strategy, days), at.backtest(strategy, days, fine_bars=fine)
    assert finer.fill_interval().ambiguous_trades < coarse.fill_interval().ambiguous_trades
    for each in (coarse, finer):
        found = each.fill_interval()
        assert found.worst.final_equity <= found.stated.final_equity <= found.best.final_equity
