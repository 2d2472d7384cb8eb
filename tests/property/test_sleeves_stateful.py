"""A strategy that is asked bar by bar as one of several in an account: it equals the plain reference, and adds up."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.portfolio import reference_orders
from algotrendy.backtest.portfolio.plans import Plan, StatefulPlan
from algotrendy.backtest.portfolio.reference_sleeves import simulate_sleeves
from algotrendy.backtest.portfolio.reference_sleeves_orders import Decisions
from algotrendy.backtest.portfolio.sleeves import run_sleeves
from algotrendy.backtest.trials import trial_of_result
from algotrendy.domain.actions import Actions
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import CASH, EQUITY, INTEREST, REASONS
from algotrendy.strategy import BarStrategy, CompiledStrategy
from tests.property import test_finer_orders as finer
from tests.property import test_portfolio_equals_reference as many
from tests.property import test_portfolio_full_account as full
from tests.property import test_sleeves as sleeves
from tests.property import test_stateful as stateful

MANY = settings().max_examples
SHARES = st.sampled_from([(1.0,), (0.5, 0.5), (0.6, 0.3), (0.2, 0.3, 0.5)])


@given(case=stateful.cases, shares=SHARES, every=st.sampled_from([0, 1, 4, 9]))
def test_sleeves_equal_the_plain_reference(case: Any, shares: tuple[float, ...], every: int) -> None:
    assert_as_the_reference(case, shares, every)


@given(case=stateful.cases, shares=SHARES, every=st.sampled_from([0, 1, 4, 9]), which=full.kinds)
@settings(max_examples=MANY)
def test_sleeves_with_extras_equal_the_plain_reference(
    case: Any, shares: tuple[float, ...], every: int, which: full.Kinds
) -> None:
    assert_as_the_reference(case, shares, every, which)


def assert_as_the_reference(case: Any, shares: Any, every: int, which: full.Kinds | None = None) -> None:
    """The first strategy is of signals if there are several; the others do whatever can be done, by chance."""
    account, extras, rng = many.account_for(case), None, np.random.default_rng(case.seed)
    account.__dict__["sessions"] = np.arange(account.n_bars) // 3
    if which is not None:
        kernel = full.random_extras(account, which, rng)
        account = full.with_extras(account, kernel)
        account.__dict__["sessions"] = np.arange(account.n_bars) // 3
        extras = full.reference_extras_of(account, kernel), kernel.interest.tolist()
    plans: list[Any] = []
    decided, wishes, plain = sleeves.wants(sleeves.Case(shorts=True), account, rng)
    for k, share in enumerate(shares):
        name: Any = f"s{k}"
        wild = stateful.Wild(seed=case.seed + k, lively=1.5, step=case.step, lot=case.lot_size or 1.0)
        is_first = k == 0 and len(shares) > 1
        plans.append(Plan(name, name, share, decided, wishes, 2) if is_first else StatefulPlan(name, wild, share))
    when = list(range(every, case.n_bars, every)) if every else []
    done = run_sleeves(account, plans, np.array(when, dtype=np.int64))
    given_: list[Any] = [
        (plain, share, 2) if isinstance(plan, Plan) else (decisions_of(part, account), share, 0)
        for plan, part, share in zip(plans, done.parts, shares, strict=True)
    ]
    bars, terms, options = many.reference_bars(account), many.reference_terms(account), many.reference_options(account)
    expected = simulate_sleeves(bars, given_, terms, options, set(when), extras=extras)
    for k, (part, one) in enumerate(zip(done.parts, expected.parts, strict=True)):
        orders = part.order_columns
        found = zip(orders["decided_at"], orders["filled_at"], orders["instrument"], orders["reason"], strict=True)
        assert [(d, f, j, REASONS[r]) for d, f, j, r in found] == [
            (fill.decided_at, fill.filled_at, fill.instrument, fill.reason) for fill in one.fills
        ]
        assert orders["units"].tolist() == many.money([fill.units for fill in one.fills], 1.0)
        assert part.curve[EQUITY].tolist() == many.money(one.equity)
        assert part.curve[CASH].tolist() == many.money(one.cash)
        assert done.transfers[k].tolist() == many.money(expected.transfers[k])
        assert part.ruined_at == one.ruined_at
    assert done.reserve.tolist() == many.money(expected.reserve)
    if extras is not None:
        assert done.total.curve[INTEREST].sum() == many.money(expected.interest_paid)
    total = sum(part.curve[EQUITY] for part in done.parts) + done.reserve
    np.testing.assert_allclose(done.total.curve[EQUITY], total, rtol=1e-14, atol=1e-9)


def decisions_of(part: Any, account: Any) -> Decisions:
    """What a strategy has done, bar by bar; what it saw then is what the reference has."""
    log = {number: (seen, did) for number, seen, did in part.run.strategy.log}

    def decide(i: int, desk: Any) -> list[reference_orders.Action]:
        if i not in log:
            return []
        seen, did = log[i]
        assert seen["cash"] == many.money(desk.account.cash)
        assert seen["equity"] == many.money(desk.account.equity(desk.account.prices(i, "close")))
        assert seen["units"] == many.money([position.units for position in desk.account.positions], 1.0)
        still = [k for k, state in enumerate(desk.state) if state.status in ("placed", "working")]
        assert seen["open"] == [k for k in still if k not in desk.sizing]
        return stateful._actions(did)

    return Decisions(decide, account.sessions.tolist())


# --- laws, through `backtest` -----------------------------------------------------------------------------------------

BARS = {symbol: frame.assign(volume=3000.0) for symbol, frame in sleeves.BARS.items()}
DAY = BARS["A"].index
EXTRAS: dict[str, Any] = {
    "actions": {"A": Actions.of(splits={DAY[100]: 2.0}, dividends={DAY[50]: 0.5})},
    "participation": 0.1,
    "margin": (0.5, 0.3),
    "financing": 0.05,
    "max_leverage": 2.0,
}
COSTS: dict[str, Any] = {"commission": 0.001, "slippage": 0.0005}
HALVES = (
    pd.concat([BARS["A"], BARS["A"].assign(open=BARS["A"]["close"]).set_axis(DAY + pd.Timedelta(hours=12))])
    .sort_index()
    .tz_localize("UTC")
)
FINER: dict[str, Any] = {**EXTRAS, "fine_bars": {"A": HALVES}}


class Dip(BarStrategy):
    """Buys below an average with a stop, sells above it; of each instrument a share."""

    window = 10
    share = 0.3

    def start(self, ctx: Any) -> None:
        self.average = {view.symbol: view.indicator("sma", self.window) for view in ctx}

    def on_bar(self, ctx: Any) -> None:
        for view in ctx:
            below = view.bar.close / self.average[view.symbol].value - 1.0
            if not view.position() and below < -0.01:
                view.buy(size=self.share, stop_price=view.bar.close * 0.95)
            elif view.position() and below > 0.0:
                view.cancel()
                view.close()


@pytest.mark.parametrize("fill", stateful.FILLS)
@pytest.mark.parametrize("extras", [{}, EXTRAS, FINER], ids=["plain", "extras", "finer"])
def test_one_strategy_with_everything_is_the_plain_run_bit_for_bit(fill: str, extras: dict[str, Any]) -> None:
    for bars in (BARS, {"A": BARS["A"]}):
        plain = at.backtest(Dip(), bars, fill=fill, **COSTS, **extras)
        alone = at.backtest({"all": (Dip(), 1.0)}, bars, fill=fill, rebalance="1mo", **COSTS, **extras)
        never = at.backtest({"all": (Dip(), 1.0)}, bars, fill=fill, **COSTS, **extras)
        assert plain.metrics["n_trades"] > 5
        for found in (alone, never, alone.sleeves["all"]):
            np.testing.assert_array_equal(found.equity_values, plain.equity_values)
            pd.testing.assert_frame_equal(found.orders[list(plain.orders)], plain.orders)
            pd.testing.assert_frame_equal(found.trades[list(plain.trades)], plain.trades)
            assert repr(dict(found.metrics)) == repr(dict(plain.metrics))
        pd.testing.assert_frame_equal(alone.sleeves["all"].requests, plain.requests)


def test_one_instrument_and_what_is_compiled_are_the_plain_run_as_well() -> None:
    bars = BARS["A"].assign(signal=np.sin(np.arange(len(DAY))))
    for strategy in (Wave(), Crossing()):
        plain = at.backtest(strategy, bars, **COSTS)
        assert plain.metrics["n_trades"] > 5
        for rebalance in (None, "1mo"):
            alone = at.backtest({"all": (strategy, 1.0)}, bars, rebalance=rebalance, **COSTS)
            np.testing.assert_array_equal(alone.equity_values, plain.equity_values)
            assert alone.metrics["sharpe_ratio"] == plain.metrics["sharpe_ratio"]


class Wave(BarStrategy):
    """Reads a further column of the bars."""

    def on_bar(self, ctx: Any) -> None:
        now = ctx.past("signal", 1)[-1]
        if now > 0.5 and not ctx.position():
            ctx.buy()
        elif now < -0.5:
            ctx.close()


class Crossing(CompiledStrategy):
    """Two closes, compiled."""

    @staticmethod
    def decide(ctx: Any) -> None:
        if ctx.number > 3:
            rises = ctx.bar.close > ctx.past.close[ctx.number - 3]
            if rises and ctx.position.units == 0.0:
                ctx.buy(size=1.0)
            elif not rises and ctx.position.units != 0.0:
                ctx.close()


@pytest.mark.parametrize("rebalance", [None, "1mo", 5])
@pytest.mark.parametrize("extras", [{}, EXTRAS], ids=["plain", "extras"])
def test_the_parts_add_up_and_shares_are_restored(rebalance: Any, extras: dict[str, Any]) -> None:
    given_ = {"trend": (sleeves.TREND, 0.5), "dip": (Dip(), 0.4)}
    both = at.backtest(given_, BARS, rebalance=rebalance, **COSTS, **extras)
    parts = both.sleeves.values()
    np.testing.assert_allclose(both.sleeve_equity.sum(axis=1), both.equity_values, rtol=1e-13)
    pd.testing.assert_frame_equal(both.positions, sum(part.positions for part in parts))
    closes = pd.DataFrame({symbol: frame["close"] for symbol, frame in BARS.items()})
    np.testing.assert_allclose(both.cash_values + (both.positions * closes).sum(axis=1), both.equity_values, rtol=1e-12)
    for name in ("commission_paid", "n_orders", "n_trades"):
        assert both.metrics[name] == pytest.approx(sum(part.metrics[name] for part in parts))
    dip = both.sleeves["dip"]
    assert set(dip.requests["status"]) <= {"filled", "cancelled", "working", "placed"}
    if rebalance is None:
        alone = at.backtest(Dip(), BARS, cash=40_000.0, **COSTS, **_of_share(extras, 0.4))
        np.testing.assert_allclose(dip.equity_values, alone.equity_values, rtol=0.0 if not extras else 1e-12)
        return
    first = both.transfers.index[0]
    shares = both.sleeve_equity.loc[first] / both.equity[first]
    assert shares.to_dict() == pytest.approx({"trend": 0.5, "dip": 0.4, "cash": 0.1})
    assert (dip.orders["reason"] == "rebalance").sum() > 5


def _of_share(extras: dict[str, Any], share: float) -> dict[str, Any]:
    return {**extras, "participation": share * extras["participation"]} if extras else extras


def test_new_sizes_are_those_of_the_same_rule_written_as_texts() -> None:
    """Long while an average is above another, all-in: the same holdings whoever says it, also when shares move."""
    twin, texts = stateful.Twin(fast=5, slow=20), at.strategies.sma_cross(5, 20)
    other = (at.strategies.buy_and_hold(), 0.5)
    options: dict[str, Any] = {"rebalance": "1mo", "cash": 1_000_000.0, **COSTS}
    one = at.backtest({"a": (twin, 0.5), "b": other}, BARS["A"], **options)
    two = at.backtest({"a": (texts, 0.5), "b": other}, BARS["A"], **options)
    assert (one.sleeves["a"].orders["reason"] == "rebalance").sum() > 3
    np.testing.assert_allclose(one.equity_values, two.equity_values, rtol=1e-12)
    columns = ["decided_at", "filled_at", "units", "price"]
    pd.testing.assert_frame_equal(one.sleeves["a"].orders[columns], two.sleeves["a"].orders[columns], rtol=1e-9)


@pytest.mark.parametrize("rebalance", [None, 5])
def test_bars_as_their_own_finer_bars_change_nothing(rebalance: Any) -> None:
    given_ = {"trend": (sleeves.TREND, 0.5), "dip": (Dip(), 0.4)}
    coarse = at.backtest(given_, BARS, rebalance=rebalance, **COSTS, **EXTRAS)
    found = at.backtest(given_, BARS, rebalance=rebalance, fine_bars=BARS, **COSTS, **EXTRAS)
    assert {"stop", "market"} <= set(coarse.sleeves["dip"].orders["reason"])
    np.testing.assert_array_equal(found.equity_values, coarse.equity_values)
    pd.testing.assert_frame_equal(found.orders, coarse.orders)
    pd.testing.assert_frame_equal(found.sleeves["dip"].requests, coarse.sleeves["dip"].requests)


def test_each_strategy_is_told_what_the_finer_bars_say() -> None:
    """The day alone says: bought at 9.5, then stopped; by the hour the target was reached before the stop."""
    given_ = {"rests": (at.Strategy(entry="close < 0", exit="close < 0"), 0.5), "bracket": (finer.Bracketed(), 0.5)}
    coarse = at.backtest(given_, {"A": finer.WIDE})
    found = at.backtest(given_, {"A": finer.WIDE}, fine_bars={"A": finer.UP_FIRST})
    assert finer.filled(coarse.sleeves["bracket"]) == [("limit", 9.5), ("stop", 9.0)]
    assert finer.filled(found.sleeves["bracket"]) == [("limit", 9.5), ("limit", 10.5)]
    assert found.equity_values[-1] == pytest.approx(100_000.0 + 5 * (10.5 - 9.5))


def test_later_bars_change_nothing_before_them() -> None:
    given_ = {"trend": (sleeves.TREND, 0.5), "dip": (Dip(), 0.5)}
    whole = at.backtest(given_, BARS, rebalance="1mo", **COSTS)
    early = at.backtest(given_, {s: b[:250] for s, b in BARS.items()}, rebalance="1mo", **COSTS)
    np.testing.assert_array_equal(whole.equity_values[:250], early.equity_values)


def test_what_it_sees_follows_its_share() -> None:
    class Watches(BarStrategy):
        def start(self, ctx: Any) -> None:
            self.seen: list[Any] = []

        def on_bar(self, ctx: Any) -> None:
            if ctx.number == 0:
                self.order = ctx.buy(units=100.0, stop_price=ctx.bar.close * 0.1)
                self.order.stop = ctx.order(-100.0, type="stop", stop_price=ctx.bar.close * 0.1, reduce_only=True)
            self.seen.append((ctx.equity, ctx.position().units, self.order.stop.units, [f.reason for f in ctx.fills]))
            seen[:] = self.seen

    seen: list[Any] = []
    two = {"watches": (Watches(), 0.5), "rest": (at.Strategy(entry="close < 0", exit="close < 0"), 0.5)}
    result = at.backtest(two, BARS["A"], rebalance=50)
    factor = (
        result.sleeve_equity["watches"] / (result.sleeve_equity["watches"] - result.transfers["watches"])
    ).dropna()
    at_51 = seen[51]
    assert at_51[0] == pytest.approx(result.sleeves["watches"].equity_values[51])
    assert at_51[1] == pytest.approx(100.0 * factor.iloc[0])
    assert at_51[3] == ["rebalance"]


def test_it_is_saved_counted_and_run_again(tmp_path: Path) -> None:
    given_ = {"trend": (sleeves.TREND, 0.5), "dip": (Dip(), 0.5)}
    result = at.backtest(given_, BARS, rebalance="1mo", **COSTS)
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(again.sleeves["dip"].requests, result.sleeves["dip"].requests)
    result.save(tmp_path / "both.json")
    loaded = type(result).load(tmp_path / "both.json")
    pd.testing.assert_frame_equal(loaded.sleeves["dip"].requests, result.sleeves["dip"].requests)
    np.testing.assert_array_equal(loaded.equity_values, result.equity_values)
    assert "What each strategy did" in result.report(tmp_path / "both.html").read_text(encoding="utf-8")
    assert result.strategy["strategies"]["dip"]["kind"] == "stateful"
    assert trial_of_result(result, BARS).n_trials == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_positions": {"dip": 2}}, "max_positions names 'dip', a stateful strategy"),
        ({"rank": {"dip": "close"}}, "rank names 'dip', a stateful strategy"),
    ],
)
def test_what_is_for_signals_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        at.backtest({"dip": (Dip(), 0.5)}, BARS, **options)
