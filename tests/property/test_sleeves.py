"""Several strategies in one account: they equal the plain reference, one plain run, separate runs, and add up."""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.costs import Fees
from algotrendy.backtest.portfolio import reference, reference_signals
from algotrendy.backtest.portfolio.market import Account, account_of
from algotrendy.backtest.portfolio.plans import Plan
from algotrendy.backtest.portfolio.reference_sleeves import simulate_sleeves
from algotrendy.backtest.portfolio.signals import Decided, on_union, wishes_of
from algotrendy.backtest.portfolio.sleeves import restored_at, run_sleeves
from algotrendy.domain.actions import Actions
from algotrendy.domain.panel import Panel
from algotrendy.kernels.portfolio_types import CASH, EQUITY, INTEREST, REASONS, Levels
from algotrendy.strategy.signals import signal_words
from tests.property import test_portfolio_full_account as full

CASH_0 = 100_000.0


@dataclass(frozen=True)
class Case:
    """A panel, some strategies on it and their shares, by what Hypothesis chooses, and a seed for the rest."""

    seed: int = 0
    n: int = 3
    n_bars: int = 40
    fill: str = "next_open"
    fees: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    slippage: float = 0.0
    borrow: float = 0.0
    lot_size: float = 0.0
    max_leverage: float = 1.0
    shorts: bool = False
    shares: tuple[float, ...] = (0.5, 0.5)
    rebalance: int | None = 7
    step: float = 0.03


cases = st.builds(
    Case,
    seed=st.integers(0, 2**32 - 1),
    n=st.sampled_from([1, 3, 5]),
    n_bars=st.sampled_from([12, 40, 70]),
    fill=st.sampled_from(["next_open", "same_close", "next_close"]),
    fees=st.sampled_from([(0.0, 0.0, 0.0, 0.0), (0.001, 0.0, 0.0, 0.0), (0.0, 0.01, 2.0, 0.0), (0.0, 0.0, 0.0, 20.0)]),
    slippage=st.sampled_from([0.0, 0.002]),
    borrow=st.sampled_from([0.0, 0.5]),
    lot_size=st.sampled_from([0.0, 1.0]),
    max_leverage=st.sampled_from([1.0, 2.0]),
    shorts=st.booleans(),
    shares=st.sampled_from([(1.0,), (0.5, 0.5), (0.6, 0.3), (0.2, 0.3, 0.5)]),
    rebalance=st.sampled_from([None, 1, 7]),
    step=st.sampled_from([0.03, 0.2]),
)


def panel_of(case: Case, rng: np.random.Generator) -> Panel:
    days = pd.date_range("2020-01-06", periods=case.n_bars)
    frames = {}
    for j in range(case.n):
        close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, case.step, case.n_bars)))
        open_ = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0.0, 0.01, case.n_bars))
        high, low = np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99
        there = rng.random(case.n_bars) < (1.0 if j == 0 else 0.8)
        there[:2] = True
        frames[f"S{j}"] = pd.DataFrame({"open": open_, "high": high, "low": low, "close": close}, index=days)[there]
    return Panel.of(frames)


def account_for(case: Case, rng: np.random.Generator) -> Account:
    options: dict[str, Any] = {"lot_size": case.lot_size, "units": "whole"} if case.lot_size else {}
    return account_of(
        panel_of(case, rng),
        cash=CASH_0,
        commission=Fees(*case.fees),
        slippage=case.slippage,
        borrow=case.borrow,
        fill=case.fill,
        max_leverage=case.max_leverage,
        calendar="24/7",
        **options,
    )


def wants(case: Case, account: Account, rng: np.random.Generator) -> tuple[Decided, Any, list[Any]]:
    """Random conditions with a stop and a size, for the engine and for the reference."""
    stop, size = float(rng.choice([math.nan, 0.05])), float(rng.choice([0.3, 0.5, 1.0]))
    words, plain = [], []
    for rows in account.rows:
        chances = (0.3, 0.2, 0.2 if case.shorts else 0.0, 0.2)
        conditions = [rng.random(len(rows)) < chance for chance in chances]
        words.append(signal_words(list(conditions)))
        sides = np.zeros((4, account.n_bars), dtype=bool)
        for side, condition in enumerate(conditions):
            sides[side, rows] = condition
        constant = [[value] * account.n_bars for value in (stop, math.nan, math.nan, size, 0.0)]
        plain.append(reference_signals.Signals(*(side.tolist() for side in sides), *constant))
    none = np.array([[math.nan]])
    levels = Levels(np.array([[stop]]), none, none, np.array([[size]]))
    decided = Decided(on_union(account, words), levels, 0)
    return decided, wishes_of(account, decided.words, np.zeros((1, 1)), None), plain


def reference_account(case: Case, account: Account) -> tuple[list[Any], list[Any], Any]:
    def column(name: str, j: int) -> list[float | None]:
        return [None if math.isnan(value) else float(value) for value in account.panel.fields[name][:, j]]

    bars = [reference.Bars(*(column(n, j) for n in ("open", "high", "low", "close"))) for j in range(case.n)]
    own = account.terms
    terms = [reference.Terms(**{name: float(getattr(own, name)[j]) for name in own._fields}) for j in range(case.n)]
    return bars, terms, reference.Options(cash=CASH_0, fill=case.fill, max_leverage=case.max_leverage)


@given(case=cases)
def test_sleeves_equal_the_plain_reference(case: Case) -> None:
    assert_as_the_reference(case)


@given(case=cases, which=full.kinds)
def test_sleeves_with_extras_equal_the_plain_reference(case: Case, which: full.Kinds) -> None:
    assert_as_the_reference(case, which)


def assert_as_the_reference(case: Case, which: full.Kinds | None = None) -> None:
    rng = np.random.default_rng(case.seed)
    account, extras = account_for(case, rng), None
    if which is not None:
        kernel = full.random_extras(account, which, np.random.default_rng(case.seed + 9))
        account = full.with_extras(account, kernel)
        extras = full.reference_extras_of(account, kernel), kernel.interest.tolist()
    places = [int(rng.integers(1, case.n + 1)) for _ in case.shares]
    wanted = [wants(case, account, rng) for _ in case.shares]
    names: list[Any] = [f"s{k}" for k in range(len(case.shares))]
    plans = [
        Plan(name, names[0], share, decided, wishes, most)
        for name, share, (decided, wishes, _), most in zip(names, case.shares, wanted, places, strict=True)
    ]
    done = run_sleeves(account, plans, restored_at(account, case.rebalance))
    bars, terms, options = reference_account(case, account)
    given = [(plain, share, most) for (_, _, plain), share, most in zip(wanted, case.shares, places, strict=True)]
    when = set() if case.rebalance is None else set(range(case.rebalance, case.n_bars, case.rebalance))
    expected = simulate_sleeves(bars, given, terms, options, when, extras=extras)
    for k, (part, one) in enumerate(zip(done.parts, expected.parts, strict=True)):
        columns = part.order_columns
        found = zip(columns["decided_at"], columns["filled_at"], columns["instrument"], columns["reason"], strict=True)
        assert [(d, f, j, REASONS[r]) for d, f, j, r in found] == [
            (fill.decided_at, fill.filled_at, fill.instrument, fill.reason) for fill in one.fills
        ]
        np.testing.assert_allclose(columns["units"], [fill.units for fill in one.fills], rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(part.curve[EQUITY], one.equity, rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(part.curve[CASH], one.cash, rtol=1e-9, atol=1e-5)
        np.testing.assert_allclose(done.transfers[k], expected.transfers[k], rtol=1e-8, atol=1e-5)
        profits = part.closed["profit"][np.flatnonzero(part.closed["units"])]
        np.testing.assert_allclose(profits, [trade.profit for trade in one.trades], rtol=1e-8, atol=1e-5)
    np.testing.assert_allclose(done.reserve, expected.reserve, rtol=1e-9, atol=1e-6)
    if extras is not None:
        np.testing.assert_allclose(done.total.curve[INTEREST].sum(), expected.interest_paid, rtol=1e-9, atol=1e-6)
    total = sum(part.curve[EQUITY] for part in done.parts) + done.reserve
    np.testing.assert_allclose(done.total.curve[EQUITY], total, rtol=1e-14)


# --- laws, through `backtest` -----------------------------------------------------------------------------------------

BARS = {symbol: at.synthetic(n=400, seed=k) for k, symbol in enumerate("ABCD")}
TREND, MEAN = at.strategies.sma_cross(5, 20), at.strategies.rsi_reversion()
COSTS: dict[str, Any] = {"commission": 0.001, "slippage": 0.0005, "max_positions": 2}


@pytest.mark.parametrize("rebalance", [None, "1mo", 5])
def test_one_strategy_with_everything_is_the_plain_run_bit_for_bit(rebalance: Any) -> None:
    plain = at.backtest(TREND, BARS, **COSTS)
    alone = at.backtest({"all": (TREND, 1.0)}, BARS, rebalance=rebalance, **COSTS)
    for found in (alone, alone.sleeves["all"]):
        np.testing.assert_array_equal(found.equity_values, plain.equity_values)
        np.testing.assert_array_equal(found.cash_values, plain.cash_values)
        pd.testing.assert_frame_equal(found.orders[list(plain.orders)], plain.orders)
        pd.testing.assert_frame_equal(found.trades[list(plain.trades)], plain.trades)
        assert repr(dict(found.metrics)) == repr(dict(plain.metrics))


@pytest.mark.parametrize("rebalance", [None, "1mo"])
def test_one_strategy_with_everything_and_extras_is_the_plain_run_bit_for_bit(rebalance: Any) -> None:
    day = BARS["A"].index
    bars = {symbol: frame.assign(volume=2000.0) for symbol, frame in BARS.items()}
    options: dict[str, Any] = {
        "actions": {"A": Actions.of(splits={day[100]: 2.0}, dividends={day[50]: 0.5})},
        "participation": 0.1,
        "margin": (0.5, 0.3),
        "financing": 0.05,
        "max_leverage": 2.0,
        **COSTS,
    }
    plain = at.backtest(TREND, bars, **options)
    alone = at.backtest({"all": (TREND, 1.0)}, bars, rebalance=rebalance, **options)
    for found in (alone, alone.sleeves["all"]):
        np.testing.assert_array_equal(found.equity_values, plain.equity_values)
        pd.testing.assert_frame_equal(found.orders[list(plain.orders)], plain.orders)
        pd.testing.assert_frame_equal(found.unfilled, plain.unfilled)
        pd.testing.assert_frame_equal(found.dividends, plain.dividends)
        assert repr(dict(found.metrics)) == repr(dict(plain.metrics))
    both = at.backtest({"a": (TREND, 0.5), "b": (MEAN, 0.4)}, bars, rebalance=rebalance, **options)
    orders = both.orders[both.orders["reason"] != "split"]
    assert orders.groupby(["filled_at", "symbol"])["units"].sum().max() <= 200.0 * (1.0 + 1e-12)
    assert both.metrics["dividends_received"] == pytest.approx(
        sum(sleeve.metrics["dividends_received"] for sleeve in both.sleeves.values())
    )


@pytest.mark.parametrize("rebalance", [None, "1wk"])
def test_two_halves_of_one_strategy_are_the_whole(rebalance: Any) -> None:
    plain = at.backtest(TREND, BARS, **COSTS)
    halves = at.backtest({"a": TREND, "b": TREND}, BARS, rebalance=rebalance, **COSTS)
    np.testing.assert_allclose(halves.equity_values, plain.equity_values, rtol=1e-12)
    assert len(halves.orders) == 2 * len(plain.orders)
    assert halves.metrics["costs_paid"] == pytest.approx(plain.metrics["costs_paid"])
    assert halves.metrics["sharpe_ratio"] == pytest.approx(plain.metrics["sharpe_ratio"])


def test_sleeves_that_are_never_restored_are_separate_runs() -> None:
    both = at.backtest({"trend": (TREND, 0.6), "mean": (MEAN, 0.3)}, BARS, **COSTS)
    for name, strategy, share in (("trend", TREND, 0.6), ("mean", MEAN, 0.3)):
        alone = at.backtest(strategy, BARS, cash=share * 100_000.0, **COSTS)
        np.testing.assert_array_equal(both.sleeves[name].equity_values, alone.equity_values)
        whole = at.backtest(strategy, BARS, **COSTS)
        np.testing.assert_allclose(both.sleeves[name].equity_values, share * whole.equity_values, rtol=1e-12)
    assert both.sleeve_equity["cash"].eq(10_000.0).all()
    assert both.transfers.empty


@pytest.mark.parametrize("rebalance", [None, "1mo"])
def test_the_parts_add_up(rebalance: Any) -> None:
    both = at.backtest({"trend": (TREND, 0.6), "mean": (MEAN, 0.3)}, BARS, rebalance=rebalance, **COSTS)
    sleeves = both.sleeves.values()
    np.testing.assert_allclose(both.sleeve_equity.sum(axis=1), both.equity_values, rtol=1e-14)
    cash = sum(sleeve.cash_values for sleeve in sleeves) + both.reserve_values
    np.testing.assert_allclose(both.cash_values, cash, rtol=1e-13)
    positions = sum(sleeve.positions for sleeve in sleeves)
    pd.testing.assert_frame_equal(both.positions, positions)
    values = (both.positions * pd.DataFrame({s: b["close"] for s, b in BARS.items()})).sum(axis=1)
    np.testing.assert_allclose(both.cash_values + values, both.equity_values, rtol=1e-12)
    for name in ("commission_paid", "slippage_paid", "n_orders", "n_trades"):
        assert both.metrics[name] == pytest.approx(sum(sleeve.metrics[name] for sleeve in sleeves))
    assert both.trades["pnl"].sum() == pytest.approx(sum(sleeve.trades["pnl"].sum() for sleeve in sleeves))
    assert both.orders["strategy"].value_counts().to_dict() == {n: len(s.orders) for n, s in both.sleeves.items()}


def test_restored_shares_are_those_that_were_given() -> None:
    given = {"trend": (TREND, 0.6), "mean": (MEAN, 0.3)}
    both = at.backtest(given, BARS, rebalance="1mo", commission=0.001)
    first = both.transfers.index[0]
    shares = both.sleeve_equity.loc[first] / both.equity[first]
    assert shares.to_dict() == pytest.approx({"trend": 0.6, "mean": 0.3, "cash": 0.1})
    assert set(both.orders.loc[both.orders["reason"] == "rebalance", "decided_at"]) <= set(both.transfers.index)
    for sleeve in both.sleeves.values():  # the return of a bar is on what there was before cash came or went
        assert sleeve.transfer_values is not None
        before = np.concatenate(([sleeve.cash], sleeve.equity_values[:-1]))
        returns = (sleeve.equity_values - sleeve.transfer_values) / before - 1.0
        np.testing.assert_allclose(sleeve.returns, returns, atol=1e-14)
        total = float(np.prod(1.0 + returns)) - 1.0
        assert sleeve.metrics["total_return"] == pytest.approx(total)
        assert sleeve.metrics["final_equity"] == sleeve.equity_values[-1]


def test_later_bars_change_nothing_before_them() -> None:
    given = {"trend": (TREND, 0.5), "mean": (MEAN, 0.5)}
    whole = at.backtest(given, BARS, rebalance="1mo", **COSTS)
    early = at.backtest(given, {s: b[:250] for s, b in BARS.items()}, rebalance="1mo", **COSTS)
    np.testing.assert_array_equal(whole.equity_values[:250], early.equity_values)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ({"a": (TREND, 0.7), "b": (MEAN, 0.7)}, {}, "sum to 1.4"),
        ({"a": (TREND, 60), "b": (MEAN, 40)}, {}, "60 % is 0.6"),
        ({"a": (TREND, 0.5), "b": MEAN}, {}, "'b' has no share"),
        ({"a": (TREND, 0.0)}, {}, "above zero"),
        ({"cash": (TREND, 0.5)}, {}, "not 'cash'"),
        ({"a": TREND}, {"stop": 0.1}, "stop is given beside several strategies"),
        ({"a": TREND}, {"params": {"fast": 3}}, "params is given beside"),
        ({"a": TREND}, {"max_positions": {"b": 3}}, "names the strategy 'b'"),
        ({"a": TREND}, {"tolerance": 0.1}, "tolerance belongs to"),
        ({"a": TREND}, {"rebalance": "1h"}, "shorter than a day"),
        ({"a": TREND}, {"weights": {"A": 1.0}}, "weights is given beside several strategies"),
    ],
)
def test_a_wrong_call_says_what_to_write(given: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(at.InputError if hasattr(at, "InputError") else ValueError, match=message):
        at.backtest(given, BARS, **options)


def test_options_by_name_and_cross_sections_work_for_each_strategy(tmp_path: Path) -> None:
    ranked = at.Strategy(entry="top(momentum(close, 20), 2)", exit="not top(momentum(close, 20), 2)")
    both = at.backtest(
        {"ranked": (ranked, 0.5), "mean": (MEAN, 0.5)},
        BARS,
        max_positions={"ranked": 2},
        rank={"mean": "-rsi(close, 14)"},
    )
    alone = at.backtest(ranked, BARS, cash=50_000.0, max_positions=2)
    np.testing.assert_array_equal(both.sleeves["ranked"].equity_values, alone.equity_values)
    assert both.assumptions["max_positions"] == {"ranked": 2, "mean": 4}
    assert "Strategies: equity at the end" in both.summary()
    again = pickle.loads(pickle.dumps(both))
    pd.testing.assert_frame_equal(again.sleeve_equity, both.sleeve_equity)
    page = both.report(tmp_path / "both.html").read_text(encoding="utf-8")
    assert "What each strategy did with its share of the capital" in page
