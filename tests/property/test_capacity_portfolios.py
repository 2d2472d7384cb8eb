"""Capacity of several instruments and of stateful strategies: against a plain account, and by laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.capacity import square_root_impact
from algotrendy.backtest.capacity_account import CapacityAccount, sized
from algotrendy.backtest.capacity_stage import stage_of
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.run import backtest
from algotrendy.domain.actions import Actions
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy

FEW = max(settings().max_examples // 4, 5)
METRICS = ["total_return", "annual_return", "volatility", "sharpe_ratio", "max_drawdown"]


class Pyramid(BarStrategy):
    """Adds to what rises, and sells half of what falls."""

    def on_bar(self, ctx: Any) -> None:
        for one in ctx:
            closes = one.past("close", 2)
            if not one.has_bar or len(closes) < 2:
                continue
            if closes[-1] > closes[0] * 1.005:
                one.buy(size=0.1)
            elif one.position() and closes[-1] < closes[0] * 0.99:
                one.sell(one.position().units / 2)


def bars_of(names: str, n: int = 80, seed: int = 0) -> dict[Any, pd.DataFrame]:
    return {name: at.synthetic(n=n, seed=10 * seed + k, volatility=0.4) for k, name in enumerate(names)}


def drawn_weights(rng: np.random.Generator, bars: dict[Any, pd.DataFrame], rows: int = 6) -> pd.DataFrame:
    """Return weights that are long, short or left alone, at most 1 together."""
    index = next(iter(bars.values())).index
    places = np.sort(rng.choice(len(index) - 5, rows, replace=False))
    values = rng.uniform(-1.0, 1.0, (rows, len(bars))) / len(bars)
    values[rng.random(values.shape) < 0.2] = np.nan
    return pd.DataFrame(values, index=index[places], columns=list(bars))


# --- the account, written plainly ---


class Plain:
    """Fills at the open or the close of a bar, a commission by value, no extras: cash, units, backlogs."""

    def __init__(self, result: PortfolioResult, bars: dict[Any, pd.DataFrame], rate: float) -> None:
        self.rate, self.names, self.bars = rate, list(bars), bars
        self.rank = "open" if result.assumptions["fill"] == "next_open" else "close"
        self.fills: dict[int, list[tuple[str, float, float]]] = {}
        columns = result.order_columns
        for bar, j, units, price in zip(
            *(columns[name].tolist() for name in ("filled_at", "instrument", "units", "price")), strict=True
        ):
            self.fills.setdefault(int(bar), []).append((self.names[j], units, price))
        self.shares = self.shares_of(result)

    def shares_of(self, result: PortfolioResult) -> dict[int, list[tuple[str, float, float, float, bool]]]:
        """Return each fill as a side and a share: of the position if it closes, else of the account before openings."""
        cash, held = result.cash, dict.fromkeys(self.names, 0.0)
        found: dict[int, list[tuple[str, float, float, float, bool]]] = {}
        for bar, fills in sorted(self.fills.items()):
            closing, opening = [], []
            for name, units, price in fills:
                closes = min(abs(units), abs(held[name])) if held[name] * units < 0.0 else 0.0
                if closes:
                    side = math.copysign(1.0, units)
                    closing.append((name, side, closes / abs(held[name]), price, False))
                    cash -= side * closes * price + self.rate * closes * price
                    held[name] += side * closes
                if abs(units) - closes > 1e-9 * abs(units):
                    opening.append((name, math.copysign(abs(units) - closes, units), price))
            account = cash + sum(held[name] * self.price(name, bar) for name in self.names)
            found[bar] = closing
            for name, units, price in opening:
                spent = abs(units) * price * (1.0 + self.rate)
                # its own position counts at its own price
                own = account + held[name] * (price - self.price(name, bar))
                found[bar].append((name, math.copysign(1.0, units), spent / own, price, True))
                cash -= units * price + self.rate * abs(units) * price
                held[name] += units
        return found

    def price(self, name: str, bar: int) -> float:
        return float(self.bars[name][self.rank].iloc[bar])

    def moved(self, name: str, bar: int, units: float, impact: float) -> float:
        """Return impact x deviation of the last twenty returns x the root of units / mean volume."""
        frame = self.bars[name]
        close = frame["close"].tolist()
        first = max(bar, 1)
        before = frame["volume"].tolist()[max(first - 20, 0) : first]
        last = max(bar, 3)  # two returns are needed
        returns = [close[k] / close[k - 1] - 1.0 for k in range(max(last - 20, 1), last)]
        mean = sum(returns) / len(returns)
        deviation = math.sqrt(sum((each - mean) ** 2 for each in returns) / (len(returns) - 1))
        return impact * deviation * math.sqrt(units / (sum(before) / len(before)))

    def run(self, capital: float, impact: float, participation: float | None) -> dict[str, Any]:
        self.cash, self.impact, self.paid = capital, impact, 0.0
        self.held, self.backlog = dict.fromkeys(self.names, 0.0), dict.fromkeys(self.names, 0.0)
        wanted = filled = 0.0
        equity = []
        for bar in range(len(next(iter(self.bars.values())))):
            share_of_bar = math.inf if participation is None else participation
            self.room = {name: share_of_bar * float(self.bars[name]["volume"].iloc[bar]) for name in self.names}
            if self.rank == "close":
                self.work_all(bar)
            due = self.shares.get(bar, [])
            for name, side, share, price, opens in due:
                intended = self.held[name] + self.backlog[name]
                if not opens and intended * side < 0.0:
                    self.backlog[name] -= share * intended
                    self.work(name, bar, price)
            account = self.cash + sum(self.held[name] * self.price(name, bar) for name in self.names)
            for name, side, share, price, opens in due:
                if opens:
                    budget = share * (account + self.held[name] * (price - self.price(name, bar)))
                    wanted += budget / (price * (1.0 + self.rate))
                    units = min(self.units_for(budget, name, bar, side, price), max(self.room[name], 0.0))
                    filled += units
                    self.trade(name, bar, side * units, price)
            if self.rank == "open":
                self.work_all(bar)
            closes = {name: float(self.bars[name]["close"].iloc[bar]) for name in self.names}
            equity.append(self.cash + sum(self.held[name] * closes[name] for name in self.names))
        return {"final_equity": equity[-1], "impact_paid": self.paid, "filled_share": filled / wanted}

    def units_for(self, budget: float, name: str, bar: int, side: float, price: float) -> float:
        """Return so many units as the budget pays for, at the price that they move."""
        low, high = 0.0, 100.0 * budget / price
        for _ in range(200):
            middle = (low + high) / 2.0
            dear = price * (1.0 + side * self.moved(name, bar, middle, self.impact))
            low, high = (middle, high) if middle * dear * (1.0 + self.rate) < budget else (low, middle)
        return low

    def trade(self, name: str, bar: int, units: float, price: float) -> None:
        if units == 0.0:
            return
        moved = self.moved(name, bar, abs(units), self.impact)
        at_price = price * (1.0 + math.copysign(moved, units))
        self.cash -= units * at_price + self.rate * abs(units) * at_price
        self.paid += abs(units) * price * moved
        self.held[name] += units
        self.room[name] -= abs(units)

    def work(self, name: str, bar: int, price: float) -> None:
        units = math.copysign(min(abs(self.backlog[name]), max(self.room[name], 0.0)), self.backlog[name])
        self.backlog[name] -= units
        self.trade(name, bar, units, price)

    def work_all(self, bar: int) -> None:
        for name in self.names:
            self.work(name, bar, float(self.bars[name]["close"].iloc[bar]))


@given(
    seed=st.integers(0, 10_000),
    fill=st.sampled_from(["next_open", "next_close"]),
    impact=st.sampled_from([0.0, 0.5, 1.0]),
    participation=st.sampled_from([None, 0.02, 0.1]),
)
@settings(max_examples=FEW)
def test_it_is_the_plain_account(seed: int, fill: str, impact: float, participation: float | None) -> None:
    rng = np.random.default_rng(seed)
    bars = bars_of("ABC"[: rng.integers(1, 4)], n=50, seed=seed)
    result = backtest(bars, weights=drawn_weights(rng, bars), fill=fill, commission=0.001)
    plain = Plain(result, bars, 0.001)
    capital = float(10.0 ** rng.uniform(5, 8))
    row = result.capacity([capital], impact=impact, participation=participation).table.iloc[0]
    for name, expected in plain.run(capital, impact, participation).items():
        assert row[name] == pytest.approx(expected, rel=1e-8, abs=1e-8 * (capital if name == "impact_paid" else 1.0)), (
            name
        )


@pytest.mark.parametrize("fill", ["next_open", "next_close"])
def test_what_is_sold_again_before_it_was_sold_adds_up(fill: str) -> None:
    """Sales on bars in a row, of which each waits for volume: the plain account has one backlog for all."""
    bars = bars_of("AB", n=60)
    index = bars["A"].index
    table = pd.DataFrame({"A": [0.6, 0.5, 0.3, 0.1, -0.2, 0.2], "B": [0.2, 0.4, 0.1, -0.1, 0.3, 0.0]})
    table.index = pd.DatetimeIndex([index[2], *index[40:45]])
    result = backtest(bars, weights=table, fill=fill, commission=0.001)
    for capital in (1e7, 1e8):
        row = result.capacity([capital], participation=0.02).table.iloc[0]
        expected = Plain(result, bars, 0.001).run(capital, 1.0, 0.02)
        assert row["filled_share"] < 0.9
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, rel=1e-8), name


# --- laws ---


def forms() -> dict[str, Any]:
    """Return a result of each form of deciding, with costs and extras."""
    bars = bars_of("AB") | {"C": at.synthetic(n=60, seed=9)}
    days = bars["A"].index
    actions = {"A": Actions.of(splits={days[20]: 2.0}, dividends={days[30]: 0.5})}
    extras: dict[str, Any] = {"actions": actions, "financing": 0.05, "borrow": 0.03, "commission": 0.001}
    table = pd.DataFrame({"A": [0.5, 0.1], "B": [0.7, -0.4], "C": [0.3, 0.3]}, index=days[[3, 40]])
    future = Instrument(asset_class="futures", venue="CME", symbol="F", multiplier=5)
    contracts = {future: bars["A"], "B": bars["B"]}
    parts = {"trend": (at.strategies.sma_cross(3, 9), 0.5), "turn": (at.strategies.macd_long_short(3, 8, 3), 0.4)}
    orders = [
        {"time": days[5], "symbol": "A", "quantity": 20.0},
        {"time": days[10], "symbol": "B", "size": -0.3},
        {"time": days[12], "symbol": "A", "quantity": 5.0, "type": "limit", "limit_price": 1e4},
        {"time": days[40], "symbol": "B", "quantity": math.inf, "reduce_only": True},
    ]
    leveraged = {"max_leverage": 2.0, **extras}
    return {
        "weights": backtest(bars, weights=table, rebalance="1wk", delisting_return=-0.2, **leveraged),
        "contracts": backtest(contracts, weights={"F": 0.5, "B": 0.3}, rebalance="1wk", slippage=0.001),
        "orders": backtest(bars, orders=orders, borrow=0.05),
        "signals": backtest(at.strategies.macd_long_short(3, 8, 3), bars, stop=0.04, max_positions=2, **extras),
        "several": backtest(parts, bars, rebalance="1mo", commission=0.001, borrow=0.02),
        "stateful": backtest(Pyramid(), bars, **extras),
        "stateful, one": backtest(Pyramid(), bars["A"], commission=0.001, slippage=0.001),
        "short, one": backtest(at.strategies.macd_long_short(3, 8, 3), bars["A"], borrow=0.1),
    }


FORMS = forms()


@pytest.mark.parametrize("name", FORMS)
def test_without_impact_and_limits_any_capital_earns_what_the_run_did(name: str) -> None:
    result = FORMS[name]
    table = result.capacity([result.cash, 10 * result.cash], impact=0.0, participation=None).table
    for metric in METRICS:
        assert table[metric].tolist() == pytest.approx([float(result.metrics[metric])] * 2, rel=1e-9)
    assert table["filled_share"].tolist() == pytest.approx([1.0, 1.0])
    assert table["impact_paid"].tolist() == [0.0, 0.0]
    again: Float1D = CapacityAccount(sized(stage_of(result), result.cash), result.cash).run()
    np.testing.assert_allclose(again, result.equity_values, rtol=1e-10)  # at every bar, not only at the end


@pytest.mark.parametrize("name", FORMS)
def test_more_money_pays_more_impact_and_earns_no_more(name: str) -> None:
    table = FORMS[name].capacity([1e-3, 1e4, 1e5, 1e6, 1e7], participation=None).table
    returns = table["total_return"].to_numpy()
    assert (np.diff(returns) < 0.0).all()
    assert returns[0] == pytest.approx(float(FORMS[name].metrics["total_return"]), abs=1e-4)
    assert (np.diff(table["impact_paid"]) > 0.0).all()


@pytest.mark.parametrize("name", FORMS)
def test_impact_grows_with_the_money_to_the_power_of_three_halves(name: str) -> None:
    """Units grow with the money and the price paid for each with its root, as long as little is paid."""
    paid = FORMS[name].capacity([1e-2, 1.0], participation=None).table["impact_paid"]
    assert paid.iloc[1] / paid.iloc[0] == pytest.approx(100.0**1.5, rel=1e-3)


@given(seed=st.integers(0, 10_000), times=st.sampled_from([0.25, 8.0]))
@settings(max_examples=FEW)
def test_times_the_volume_carries_times_the_money(seed: int, times: float) -> None:
    rng = np.random.default_rng(seed)
    bars = bars_of("ABC", n=50, seed=seed)
    table = drawn_weights(rng, bars)
    larger = {name: each.assign(volume=each["volume"] * times) for name, each in bars.items()}
    capital = np.array([1e5, 1e7, 1e8])
    base, scaled = (
        backtest(each, weights=table, commission=0.001, borrow=0.02).capacity(money.tolist(), participation=0.05).table
        for each, money in ((bars, capital), (larger, capital * times))
    )
    for name in (*METRICS, "filled_share", "largest_share"):
        assert scaled[name].tolist() == pytest.approx(base[name].tolist(), rel=1e-7, abs=1e-9), name


@given(seed=st.integers(0, 10_000), impact=st.sampled_from([0.0, 1.0]))
@settings(max_examples=FEW)
def test_more_money_gets_no_larger_share_of_what_it_wants(seed: int, impact: float) -> None:
    rng = np.random.default_rng(seed)
    bars = bars_of("AB", n=50, seed=seed)
    table = drawn_weights(rng, bars).abs()
    curve = backtest(bars, weights=table).capacity([1e4, 1e6, 1e7, 1e8], impact=impact, participation=0.05).table
    assert (np.diff(curve["filled_share"]) <= 1e-9).all()
    assert curve["filled_share"].between(0.0, 1.0 + 1e-12).all()


@pytest.mark.parametrize("strategy", [at.strategies.sma_cross(3, 9), at.strategies.macd_long_short(3, 8, 3), Pyramid()])
@pytest.mark.parametrize("options", [{}, {"commission": 0.001, "borrow": 0.05, "fill": "next_close"}])
def test_one_instrument_has_one_curve_whichever_way_it_is_given(strategy: Any, options: dict[str, Any]) -> None:
    bars = bars_of("A", n=300)["A"]
    capital = [1e4, 1e6, 1e8]
    alone, inside = (backtest(strategy, each, **options) for each in (bars, {"A": bars}))
    pd.testing.assert_frame_equal(alone.capacity(capital).table, inside.capacity(capital).table, check_exact=True)


def test_twins_with_half_the_money_each_are_one() -> None:
    """Two instruments with the same bars carry twice the money of one, and share the cash evenly."""
    bars = bars_of("A", n=200)["A"]
    signals = pd.DataFrame({"A": [1.0, 0.0, 0.7, 0.2]}, index=bars.index[[30, 60, 90, 150]])
    one = backtest({"A": bars}, weights=signals)
    two = backtest({"A": bars, "B": bars}, weights=pd.DataFrame({"A": signals["A"] / 2, "B": signals["A"] / 2}))
    single = one.capacity([1e5, 1e7, 1e9]).table
    double = two.capacity([2e5, 2e7, 2e9]).table
    for name in (*METRICS, "filled_share", "largest_share"):
        assert double[name].tolist() == pytest.approx(single[name].tolist(), rel=1e-9), name
    assert double["impact_paid"].tolist() == pytest.approx((2.0 * single["impact_paid"]).tolist(), rel=1e-9)


def test_two_strategies_take_the_volume_of_one_instrument_together() -> None:
    bars = bars_of("AB", n=200)
    strategy = at.strategies.sma_cross(3, 9)
    once = backtest(strategy, bars)
    twice = backtest({"a": (strategy, 0.5), "b": (strategy, 0.5)}, bars)
    capital = [1e5, 1e8]
    expected = once.capacity(capital, impact=0.0, participation=0.02).table
    found = twice.capacity(capital, impact=0.0, participation=0.02).table
    assert expected["filled_share"].iloc[1] < 0.5
    for name in ("total_return", "sharpe_ratio", "filled_share"):
        assert found[name].tolist() == pytest.approx(expected[name].tolist(), rel=1e-9), name


def test_a_split_changes_nothing() -> None:
    """Raw bars with a split and its action have the curve of bars in new units throughout."""
    whole = bars_of("AB", n=120)
    index = whole["A"].index
    raw = whole["A"].copy()
    before = index < index[60]
    raw.loc[before, ["open", "high", "low", "close"]] *= 4.0
    raw.loc[before, "volume"] /= 4.0
    table = pd.DataFrame({"A": [0.5, 0.1, 0.6], "B": [0.5, 0.2, 0.4]}, index=index[[40, 62, 90]])
    plain = backtest(whole, weights=table).capacity([1e5, 1e7]).table
    actions = {"A": Actions.of(splits={index[60]: 4.0})}
    split = backtest(whole | {"A": raw}, weights=table, actions=actions).capacity([1e5, 1e7]).table
    for name in (*METRICS, "impact_paid", "largest_share"):
        assert split[name].tolist() == pytest.approx(plain[name].tolist(), rel=1e-9), name


def test_each_instrument_has_its_own_volume_and_volatility() -> None:
    """Two orders of a known share of a known volume: each pays its own impact, by hand."""
    n = 60
    frames = {}
    for name, move, volume in (("A", 0.02, 10_000.0), ("B", 0.01, 2_500.0)):
        close = 100.0 * np.exp(np.cumsum(np.where(np.arange(n) % 2 == 0, move, -move)))
        frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close))
        frames[name] = frame.assign(volume=volume).set_axis(pd.date_range("2024-01-01", periods=n))
    days = frames["A"].index
    orders = [{"time": days[40], "symbol": name, "quantity": 25.0} for name in frames]
    result = backtest(frames, orders=orders)
    row = result.capacity([result.cash], participation=None).table.iloc[0]
    paid = 0.0
    for name, volume in (("A", 10_000.0), ("B", 2_500.0)):
        volatility = float(frames[name]["close"].pct_change().iloc[21:41].std())
        price = float(frames[name]["close"].iloc[41])
        paid += 25.0 * price * square_root_impact(1.0, volatility, 25.0 / volume)
    assert row["impact_paid"] == pytest.approx(paid, rel=2e-3)  # dearer units are a little fewer
    assert row["largest_share"] == pytest.approx(0.01, rel=2e-3)


def test_what_cannot_be_sold_before_an_instrument_ends_goes_at_its_last_price() -> None:
    bars = bars_of("AB", n=60)
    bars["B"] = bars["B"].iloc[:50].assign(volume=1000.0)
    days = bars["A"].index
    table = pd.DataFrame({"B": [1.0, 0.0]}, index=days[[2, 46]])
    result = backtest(bars, weights=table, delisting_return=-1.0)
    assert "delisting" not in set(result.orders["reason"])
    free = result.capacity([1e5], impact=0.0, participation=None).table.iloc[0]
    assert free["total_return"] == pytest.approx(float(result.metrics["total_return"]), rel=1e-9)
    price = float(bars["B"]["open"].iloc[3])
    units = 1e5 / price
    limited = result.capacity([1e5], impact=0.0, participation=0.2).table.iloc[0]
    assert units > 600.0
    # 200 are bought of what is wanted, and sold as soon as they are to be: nothing is left for the end
    assert limited["filled_share"] == pytest.approx(200.0 / units)
    grown = bars | {"B": bars["B"].assign(volume=np.where(np.arange(50) < 45, 1e6, 500.0))}
    stuck = backtest(grown, weights=table, delisting_return=-1.0).capacity([1e5], impact=0.0, participation=0.2).table
    sold = [float(grown["B"]["open"].iloc[47]), *grown["B"]["close"].iloc[48:50].tolist()]
    assert stuck["final_equity"].iloc[0] == pytest.approx(100.0 * sum(sold), rel=1e-9)


def test_a_result_from_a_file_is_told_again_what_it_was_made_of(tmp_path: Any) -> None:
    bars = bars_of("AB")
    made = backtest(bars, weights={"A": 0.5, "B": 0.4}, rebalance="1wk")
    loaded = PortfolioResult.load(made.save(tmp_path / "r.json"))
    with pytest.raises(InputError, match="hand in again"):
        loaded.capacity([1e5])
    told = loaded.capacity([1e5], bars=bars, weights={"A": 0.5, "B": 0.4}, rebalance="1wk").table
    pd.testing.assert_frame_equal(told, made.capacity([1e5]).table, check_exact=True)


def test_only_bars_of_what_is_traded_need_a_volume() -> None:
    bars = bars_of("AB")
    bars["B"] = bars["B"].drop(columns="volume")
    assert len(backtest(bars, weights={"A": 0.5}).capacity([1e5]).table) == 1
    with pytest.raises(InputError, match="the volume of the bars of B is missing or zero"):
        backtest(bars, weights={"A": 0.5, "B": 0.4}).capacity([1e5])
