"""Laws of an account with several instruments: one is the single engine, nothing is lost, nothing looks ahead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import account_of
from algotrendy.backtest.portfolio.signals import Decided, on_union, run_signals, wishes_of
from algotrendy.backtest.portfolio.weights import run_weights
from algotrendy.domain.panel import Panel
from algotrendy.kernels.portfolio_types import CASH, EQUITY, GROSS, Levels
from tests.property import test_engine_equals_reference as one
from tests.property import test_portfolio_equals_reference as many


@given(case=one.cases)
@settings(max_examples=4 * settings().max_examples)
def test_one_instrument_is_the_single_engine_bit_for_bit(case: Any) -> None:
    assume(case.n >= 2)
    both = one.Both(case)
    bars, options = both.bars, both.options
    index = pd.date_range("2020-01-06", periods=case.n)
    frame = pd.DataFrame(dict(zip(("open", "high", "low", "close"), bars[:4], strict=True)), index=index)
    account = account_of(Panel.of({"A": frame}), borrow=case.borrow, fill=case.fill)
    terms = account.terms._replace(
        **{name: np.array([getattr(options.fees, name)]) for name in ("rate", "per_unit", "fixed", "minimum")},
        slippage=np.array([case.slippage]),
        lot_size=np.array([case.lot_size]),
        borrow=np.array([case.borrow / options.bars_per_year]),
    )
    plain = options.plain_market(bars)
    held = account.columns.mark if plain.held is plain.close else plain.held.reshape(1, -1)
    object.__setattr__(account, "terms", terms)
    account.__dict__["columns"] = account.columns._replace(held=held)
    object.__setattr__(account, "options", options)
    inputs = both.inputs
    levels = Levels(*(getattr(inputs, name).reshape(-1, 1) for name in ("stop", "target", "trail", "size")))
    words = on_union(account, [inputs.words])
    decided = Decided(words, levels, inputs.size_kind)
    found = run_signals(account, decided, wishes_of(account, words, np.zeros((1, 1)), None), 1)
    expected = both.engine()
    orders = found.order_columns
    for name in ("decided_at", "filled_at", "units", "price", "commission", "slippage", "reason"):
        np.testing.assert_array_equal(orders[name], expected.order_columns[name], err_msg=name)
    np.testing.assert_array_equal(found.curve[EQUITY], expected.equity)
    trades = found.trade_columns
    for name in ("entry_at", "exit_at", "units", "entry_price", "exit_price", "pnl", "return_", "commission", "borrow"):
        np.testing.assert_array_equal(trades[name], expected.trade_columns[name], err_msg=name)
    metrics, drawdown_at = found.metrics()
    assert list(metrics) == list(expected.metrics)
    np.testing.assert_array_equal(list(metrics.values()), list(expected.metrics.values()))
    assert drawdown_at == expected.max_drawdown_at
    assert found.ruined_at == expected.ruined_at


def ledgers(case: Any, route: str) -> Ledger:
    """Run a case by weights or by signals."""
    if route == "weights":
        return run_weights(many.account_for(case), many.targets_of(case, np.random.default_rng(case.seed + 1)))
    return many.run_both_signals(case, 0.3, frozenset({"stop", "target"}), min(3, case.n), True)[0]


routes = st.sampled_from(["weights", "signals"])


@given(case=many.cases, route=routes)
@settings(max_examples=2 * settings().max_examples)
def test_cash_and_positions_add_up_to_equity_at_every_bar(case: Any, route: str) -> None:
    ledger = ledgers(case, route)
    orders, market = ledger.order_columns, ledger.account.market
    units = np.zeros((case.n_bars, case.n))
    np.add.at(units, (orders["filled_at"], orders["instrument"]), orders["units"])
    units = np.cumsum(units, axis=0)
    worth = (units * market.mark).sum(axis=1)
    scale = 1.0 + np.abs(units * market.mark).sum(axis=1)
    assert (np.abs(ledger.curve[EQUITY] - ledger.curve[CASH] - worth) <= 1e-9 * (scale + 100_000.0)).all()
    gross = np.abs(units * market.mark).sum(axis=1)
    assert np.abs(ledger.curve[GROSS] - gross).max() <= 1e-9 * (scale.max() + 100_000.0)


@given(case=many.cases, route=routes)
@settings(max_examples=2 * settings().max_examples)
def test_cash_is_never_negative_for_a_long_account_without_leverage(case: Any, route: str) -> None:
    assume(case.max_leverage <= 1.0 and not case.shorts and case.fees[2] == case.fees[3] == 0.0)
    ledger = ledgers(case, route)
    assert ledger.curve[CASH].min() >= -1e-9 * 100_000.0


@given(case=many.cases, route=routes, share=st.floats(0.1, 1.0))
@settings(max_examples=2 * settings().max_examples)
def test_later_bars_never_change_what_was_done_before(case: Any, route: str, share: float) -> None:
    assume(case.gaps in ("none", "calendars"))
    whole = ledgers(case, route)
    n = max(8, round(share * case.n_bars))
    assume(n <= case.n_bars)
    valid = whole.account.market.valid
    while n > 8 and not valid[n - 1].all():  # a cut inside a gap would take the gap for an end
        n -= 1
    assume(valid[n - 1].all() and (valid[:n].sum(axis=0) >= 2).all())
    frames = {}
    for j, symbol in enumerate(whole.account.panel.symbols):
        rows = whole.account.rows[j]
        frames[symbol] = whole.account.settings[j].bars[rows < n]
    account = many.account_for(case, Panel.of(frames))
    if route == "weights":
        weights = many.targets_of(case, np.random.default_rng(case.seed + 1))
        weights = weights[weights.index <= account.panel.index[-1]]
        assume(len(weights))
        part = run_weights(account, weights)
    else:
        said = many.said_of(case, np.random.default_rng(case.seed + 2), 0.3, frozenset({"stop", "target"}))
        own = [many.signal_words([side[rows, j] for side in said.conditions]) for j, rows in enumerate(account.rows)]
        words = on_union(account, own)
        cut = Levels(**{name: values[:n] for name, values in said.levels.items()})
        rank = said.rank[:n] if said.rank.size > 1 else np.zeros((1, 1))
        wishes = wishes_of(account, words, rank, None)
        part = run_signals(account, Decided(words, cut, int(said.fixed_units)), wishes, min(3, case.n))
    np.testing.assert_array_equal(part.curve[EQUITY], whole.curve[EQUITY][:n])
    count = len(part.fills.places)
    np.testing.assert_array_equal(part.fills.places, whole.fills.places[:count])
    assert (whole.fills.places[count:, 1] >= n).all()


@given(case=many.cases)
def test_the_order_of_instruments_does_not_matter_for_weights(case: Any) -> None:
    weights = many.targets_of(case, np.random.default_rng(case.seed + 1))
    panel = many.panel_of(case)
    account = many.account_for(case, panel)
    turned = {symbol: account.settings[j].bars for j, symbol in reversed(list(enumerate(panel.symbols)))}
    other = account_of(
        Panel.of(turned),
        commission={
            symbol: setting.options.fees for symbol, setting in zip(panel.symbols, account.settings, strict=True)
        },
        slippage=case.slippage,
        borrow=case.borrow,
        fill=case.fill,
        max_leverage=case.max_leverage,
        delisting_return=case.delisting_return,
        calendar="24/7",
        **({"lot_size": case.lot_size, "units": "whole"} if case.lot_size else {}),
    )
    first, second = run_weights(account, weights), run_weights(other, weights)
    assert first.curve[EQUITY].tolist() == pytest.approx(second.curve[EQUITY].tolist(), rel=1e-9, abs=1e-4)
    assert first.metrics()[0]["n_orders"] == second.metrics()[0]["n_orders"]


@given(case=many.cases, route=routes, factor=st.sampled_from([0.5, 2.0, 1024.0]))
def test_an_account_of_fractional_units_scales_with_its_cash(case: Any, route: str, factor: float) -> None:
    rate, leverage = case.fees[0], min(case.max_leverage, 1.0)
    case = replace(case, lot_size=0.0, fees=(rate, 0.0, 0.0, 0.0), max_leverage=leverage)
    small = ledgers(case, route)
    account = many.account_for(case, cash=factor * 100_000.0)
    if route == "weights":
        large = run_weights(account, many.targets_of(case, np.random.default_rng(case.seed + 1)))
    else:
        said = many.said_of(case, np.random.default_rng(case.seed + 2), 0.3, frozenset({"stop", "target"}))
        assume(not said.fixed_units)
        own = [many.signal_words([side[rows, j] for side in said.conditions]) for j, rows in enumerate(account.rows)]
        words = on_union(account, own)
        rank = said.rank if said.rank.size > 1 else np.zeros((1, 1))
        wishes = wishes_of(account, words, rank, None)
        large = run_signals(account, Decided(words, Levels(**said.levels), 0), wishes, min(3, case.n))
    np.testing.assert_array_equal(large.curve[EQUITY], factor * small.curve[EQUITY])  # powers of two scale exactly
