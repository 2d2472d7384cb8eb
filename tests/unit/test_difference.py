"""`explain_difference`: what is understood, what is refused, what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.difference import (
    Action,
    Fill,
    Ledger,
    PortfolioLedger,
    decompose,
    explain_difference,
    ledger_of,
    portfolio_ledger_of,
)
from algotrendy.domain.instrument import Instrument
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy

DAYS = pd.date_range("2024-01-01", periods=6)


def bars(*closes: float) -> pd.DataFrame:
    prices = pd.Series(closes, index=DAYS[: len(closes)])
    return pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), prices))


def ledger(*fills: tuple[int, float, float], **fields: Any) -> Ledger:
    frame = fields.pop("bars", bars(10.0, 11.0, 12.0, 13.0, 12.0, 14.0))
    made = tuple(Fill(filled_at=frame.index[bar], units=units, price=price) for bar, units, price in fills)
    return Ledger(name=fields.pop("name", "one"), cash=fields.pop("cash", 100.0), fills=made, bars=frame, **fields)


def amounts(first: Ledger, second: Ledger) -> dict[str, float]:
    return {part.name: round(part.amount, 9) for part in decompose(first, second) if abs(part.amount) > 1e-12}


# --- each part, with an amount that can be worked out by hand ---


def test_a_fee_is_what_it_costs() -> None:
    one = ledger((0, 5.0, 10.0), (2, -5.0, 12.0))
    other = replace(one, fills=tuple(replace(fill, commission=2.0) for fill in one.fills))
    # The entry takes half of the cash, fee included: (50 - 2) / 10 = 4.8 units but for the sizing, which is undone.
    assert amounts(one, other) == {"fees": -4.0}


def test_a_worse_price_is_the_fill_price() -> None:
    one = ledger((0, 5.0, 10.0), (2, -5.0, 12.0))
    assert amounts(one, ledger((0, 5.0, 10.0), (2, -5.0, 11.9))) == {"fill price": -0.5}


def test_the_same_trade_a_bar_later_is_timing() -> None:
    one = ledger((0, 5.0, 10.0), (3, -5.0, 13.0))
    assert amounts(one, ledger((1, 5.0, 11.0), (3, -5.0, 13.0))) == {"timing": -5.0}


def test_more_units_are_sizing_and_more_cash_is_cash() -> None:
    one = ledger((0, 5.0, 10.0), (2, -5.0, 12.0))
    assert amounts(one, ledger((0, 6.0, 10.0), (2, -6.0, 12.0))) == {"sizing": 2.0}
    assert amounts(one, replace(one, cash=150.0)) == {"initial cash": 50.0}  # the units are the same
    doubled = ledger((0, 10.0, 10.0), (2, -10.0, 12.0), cash=200.0)
    assert amounts(one, doubled) == {"initial cash": 110.0}  # half of the cash in both


def test_a_trade_that_is_not_there_is_missed() -> None:
    one = ledger((0, 5.0, 10.0), (1, -5.0, 11.0), (2, 5.0, 12.0), (3, -5.0, 13.0))
    assert amounts(one, ledger((0, 5.0, 10.0), (1, -5.0, 11.0))) == {"missed trades": -5.0}


def test_a_close_at_the_end_is_a_forced_exit() -> None:
    one, other = ledger((0, 5.0, 10.0)), ledger((0, 5.0, 10.0), (5, -5.0, 13.9))
    assert amounts(one, other) == {"forced exit": -0.5}
    assert amounts(other, one) == {"forced exit": 0.5}


def test_borrow_is_named() -> None:
    one = ledger((0, -5.0, 10.0), (2, 5.0, 12.0))
    other = replace(one, fills=(one.fills[0], replace(one.fills[1], borrow=0.7)))
    assert amounts(one, other) == {"borrow": -0.7}


def test_other_bars_are_data_and_a_later_start_is_the_first_bar() -> None:
    one = ledger((0, 5.0, 10.0))
    assert amounts(one, replace(one, bars=bars(10.0, 11.0, 12.0, 13.0, 12.0, 15.0))) == {"data": 5.0}
    late = ledger((2, 5.0, 12.0), bars=bars(10.0, 11.0, 12.0, 13.0, 12.0, 14.0).iloc[2:])
    assert amounts(one, late) == {"first bar": -10.0}


def test_a_decision_at_a_tie_is_a_tie() -> None:
    one = ledger((0, 5.0, 10.0), (2, -5.0, 12.0))
    tied = replace(ledger(ties=pd.DatetimeIndex(DAYS[:1]).as_unit("ns").asi8))
    fills = tuple(replace(fill, decided_at=DAYS[bar]) for fill, bar in zip(one.fills, (0, 1), strict=True))
    assert amounts(replace(one, fills=fills), tied) == {"ties": -10.0}


def test_what_a_list_does_not_show_is_the_rest() -> None:
    one = ledger((0, 5.0, 10.0), (2, -5.0, 12.0))
    parts = decompose(one, replace(one, final_equity=108.5, name="the broker"))
    assert parts[-1].name == "rest"
    assert parts[-1].amount == pytest.approx(-1.5)
    assert "the broker reports -1.50" in parts[-1].evidence


def test_a_fill_that_turns_the_position_round_is_two() -> None:
    turned = ledger((0, 5.0, 10.0), (2, -10.0, 12.0), (4, 5.0, 12.0))
    apart = ledger((0, 5.0, 10.0), (2, -5.0, 12.0), (2, -5.0, 12.0), (4, 5.0, 12.0))
    assert amounts(turned, apart) == {}


def test_partial_fills_of_one_bar_are_one_fill() -> None:
    assert amounts(ledger((0, 5.0, 10.0)), ledger((0, 2.0, 10.0), (0, 3.0, 10.0))) == {}


def test_scaling_in_and_out_adds_up() -> None:
    one = ledger((0, 2.0, 10.0), (1, 2.0, 11.0), (2, -1.0, 12.0), (3, -3.0, 13.0))
    other = ledger((0, 2.0, 10.0), (2, -1.0, 12.0), (4, -1.0, 12.0))
    parts = decompose(one, other)
    assert sum(part.amount for part in parts) == pytest.approx(104.0 - 109.0, abs=1e-9)
    assert parts[-1].amount == pytest.approx(0.0, abs=1e-9)


# --- lists ---


@pytest.fixture(scope="module")
def run() -> at.BacktestResult:
    return at.backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=300, seed=4), commission=0.001)


def orders_of(run: at.BacktestResult) -> pd.DataFrame:
    frame = run.orders[["filled_at", "side", "units", "price", "commission"]]
    return frame.set_axis(["time", "side", "quantity", "price", "commission"], axis=1)


def test_a_run_and_its_own_orders_do_not_differ(run: at.BacktestResult) -> None:
    for given in (run, run.orders, orders_of(run), orders_of(run).set_index("time"), ledger_of(run)):
        report = explain_difference(run, given)
        assert all(report.is_nothing(part) for part in report.parts)
        assert "nothing differs" in report.summary()


def test_quantities_with_a_sign_need_no_side(run: at.BacktestResult) -> None:
    orders = orders_of(run)
    signed = orders.assign(quantity=orders["quantity"].where(orders["side"] == "BUY", -orders["quantity"]))
    assert explain_difference(run, signed.drop(columns="side")).gap == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(InputError, match="no column says which rows are sales"):
        explain_difference(run, orders.drop(columns="side"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda orders: orders.assign(amount=1.0), "both 'quantity' and 'amount' could be the quantity"),
        (lambda orders: orders.drop(columns="price"), "no column is the price"),
        (lambda orders: orders.assign(side="LONG"), "write buy or sell"),
        (lambda orders: orders.assign(commission=-orders["commission"]), "turn the sign"),
        (lambda orders: orders.assign(symbol=["A", "B"] * (len(orders) // 2) + ["A"] * (len(orders) % 2)), "one instr"),
        (lambda orders: orders.assign(time="soon"), "cannot be read"),
        (lambda orders: orders.assign(time=pd.Timestamp("1990-01-01")), "before the first bar"),
        (lambda orders: orders.assign(time=pd.Timestamp("2030-01-01")), "after the last bar"),
        (lambda orders: orders.assign(price=0.0), "a price above zero"),
        (lambda orders: orders.to_dict(), "give a BacktestResult, a Ledger, a frame"),
    ],
)
def test_a_list_that_is_not_clear_is_refused(run: at.BacktestResult, change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        explain_difference(run, change(orders_of(run)))


def test_options_of_lists_are_refused_for_runs(run: at.BacktestResult) -> None:
    with pytest.raises(InputError, match="cash= belongs to a list"):
        explain_difference(run, run, cash=1.0)
    with pytest.raises(InputError, match="first account"):
        explain_difference(orders_of(run), run)  # type: ignore[arg-type]


# --- the report ---


def test_the_report_says_it_in_a_table_a_sentence_and_a_picture(run: at.BacktestResult) -> None:
    dear = at.backtest(at.strategies.sma_cross(5, 20), run.bars, commission=0.004, slippage=0.0002)
    report = explain_difference(run, dear)
    assert report.largest.name == "fees"
    assert report.table["amount"].sum() == pytest.approx(report.gap, rel=1e-9)
    assert report.table["share"].sum() == pytest.approx(1.0)
    assert "most of all because of fees" in report.summary()
    assert "commission rate 0.004 instead of rate 0.001" in report.summary()
    figure = report.plot()
    assert list(figure.data[0].x) == ["the first run", "fill price", "fees", "the second run"]
    assert "<table" in report._repr_html_()


def test_a_python_strategy_is_run_again_where_its_function_is_handed_in() -> None:
    def rising(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
        up = bars["close"] > bars["close"].shift(params["n"])
        return {"entries": up, "exits": ~up}

    frame = at.synthetic(n=300, seed=9)
    other = frame.copy()
    other.iloc[100:103, :4] *= 1.1
    one, two = (at.backtest(rising, each, params={"n": 3}) for each in (frame, other))
    assert explain_difference(one, two, strategy=rising).amount("data") == pytest.approx(
        float(two.metrics["final_equity"]) - float(one.metrics["final_equity"])
    )
    report = explain_difference(one, two)
    assert sum(part.amount for part in report.parts) == pytest.approx(report.gap, abs=1e-6)


def test_an_account_that_is_ruined_still_adds_up() -> None:
    frame = at.synthetic(n=200, seed=2, volatility=2.0)
    one = at.backtest(at.strategies.sma_cross(3, 9), frame, max_leverage=3.0, size=3.0)
    two = at.backtest(at.strategies.sma_cross(3, 9), frame, max_leverage=3.0, size=3.0, commission=0.02)
    for other in (two, two.orders):
        report = explain_difference(one, other)
        assert sum(part.amount for part in report.parts) == pytest.approx(report.gap, rel=1e-9, abs=1e-6)


def test_runs_that_have_no_bar_in_common_differ_by_data(run: at.BacktestResult) -> None:
    later = run.bars.set_axis(run.bars.index + pd.Timedelta(days=3640), axis=0)
    report = explain_difference(run, at.backtest(at.strategies.sma_cross(5, 20), later.iloc[20:], commission=0.001))
    assert sum(part.amount for part in report.parts) == pytest.approx(report.gap, abs=1e-6)
    assert report.largest.name == "data"


def test_bars_with_and_without_a_zone_are_not_mixed(run: at.BacktestResult) -> None:
    hourly = at.synthetic(n=300, seed=1, interval="1h", calendar="24/7")
    with pytest.raises(InputError, match="time zone"):
        explain_difference(run, at.backtest(at.strategies.sma_cross(5, 20), hourly))


def test_times_within_bars_and_zones_are_read(run: at.BacktestResult) -> None:
    orders = orders_of(run)
    afternoon = orders.assign(time=orders["time"].dt.tz_localize("UTC") + pd.Timedelta(hours=15))
    assert abs(explain_difference(run, afternoon).gap) < 1e-6
    texts = orders.assign(time=orders["time"].astype(str))
    assert abs(explain_difference(run, texts).gap) < 1e-6
    with pytest.raises(InputError, match="cannot be read"):
        explain_difference(run, orders.assign(time=orders["time"].dt.strftime("%d/%m/%Y")))


# --- what other libraries hand over ---


class FakePortfolio:
    """What is asked of a vectorbt portfolio; the golden tests have real records."""

    init_cash = 100_000.0

    def __init__(self, run: at.BacktestResult) -> None:
        columns = ["Timestamp", "Side", "Size", "Price", "Fees"]
        frame = orders_of(run).set_axis(columns, axis=1).assign(Column=0)
        self.orders = type("Orders", (), {"records_readable": frame})()
        self.final = float(run.metrics["final_equity"])

    def final_value(self) -> float:
        return self.final


def test_a_portfolio_brings_its_cash_and_its_end(run: at.BacktestResult) -> None:
    report = explain_difference(run, FakePortfolio(run))
    assert report.names[1] == "vectorbt"
    assert report.end == run.metrics["final_equity"]
    assert all(report.is_nothing(part) for part in report.parts)


def test_stats_of_backtesting_bring_their_cash_and_their_end(run: at.BacktestResult) -> None:
    trades = run.trades
    frame = pd.DataFrame(
        {
            "Size": trades["units"],
            "EntryPrice": trades["entry_price"],
            "ExitPrice": trades["exit_price"],
            "EntryTime": trades["entry_at"],
            "ExitTime": trades["exit_at"],
            "Commission": trades["commission"],
        }
    )
    closed = run.cash + float(trades["pnl"].sum())
    curve = pd.DataFrame({"Equity": [run.cash, closed]})
    stats = pd.Series({"_trades": frame, "_equity_curve": curve, "Equity Final [$]": closed})
    report = explain_difference(run, stats)
    assert report.end == closed
    assert abs(report.rest) < 1e-6
    assert all(report.is_nothing(part) for part in report.parts if part.name not in ("missed trades", "fees"))


def test_conventions_are_read_off_a_list(run: at.BacktestResult) -> None:
    """Stops hang on the price of the entry: only running again puts what follows from it where it belongs."""
    frame = at.synthetic(n=500, seed=21, volatility=0.4)
    strategy = at.strategies.sma_cross(4, 15).with_params(stop=0.02)
    own = at.backtest(strategy, frame)
    other = at.backtest(strategy, frame, fill="next_close", slippage=0.001, commission=0.0005)
    report = explain_difference(own, orders_of(other))
    shown = {part.name for part in report.parts if not report.is_nothing(part)}
    assert shown == {"fill price", "fees"}
    again = explain_difference(own, other)
    assert report.amount("fees") == pytest.approx(again.amount("fees"), rel=1e-6)


def test_more_cash_with_the_same_units_is_nothing_but_cash(run: at.BacktestResult) -> None:
    report = explain_difference(run, orders_of(run), cash=2 * run.cash)
    assert report.amount("initial cash") == pytest.approx(run.cash)
    assert report.amount("sizing") == pytest.approx(0.0, abs=1e-6)


# --- several instruments ---


@pytest.fixture(scope="module")
def many() -> dict[str, pd.DataFrame]:
    return {symbol: at.synthetic(n=200, seed=seed) for seed, symbol in enumerate(("A", "B", "C"))}


@pytest.fixture(scope="module")
def ranked(many: dict[str, pd.DataFrame]) -> Any:
    return at.backtest(at.strategies.sma_cross(5, 20), many, max_positions=2, rank="close", commission=0.001)


def test_two_instruments_share_the_cash_and_the_fee_of_one_is_charged_to_it() -> None:
    one = ledger((0, 5.0, 10.0), (2, -5.0, 12.0))
    dear = replace(one, fills=tuple(replace(fill, commission=2.0) for fill in one.fills))
    first, second = (
        PortfolioLedger(name=name, cash=200.0, members={"A": member, "B": one})
        for name, member in (("one", one), ("two", dear))
    )
    [part] = [part for part in decompose(first, second) if abs(part.amount) > 1e-12]
    assert (part.name, round(part.amount, 9), part.fills) == ("fees", -4.0, 2)
    assert {symbol: round(amount, 9) for symbol, amount in part.by_symbol.items()} == {"A": -4.0, "B": 0.0}
    assert "first A 2024-01-01" in part.evidence


def test_a_dividend_and_a_split_are_actions() -> None:
    one = ledger((0, 5.0, 10.0), (3, -10.0, 13.0), actions=(Action(at=DAYS[1], ratio=2.0),))
    paid = replace(one, actions=(Action(at=DAYS[1], ratio=2.0, paid=0.5),))
    assert amounts(one, paid) == {"actions": 2.5}
    both = [PortfolioLedger(name="one", cash=100.0, members={"A": each, "B": ledger()}) for each in (one, paid)]
    assert decompose(*both)[3].evidence.startswith("1 splits and dividends are in one alone")


def test_a_result_of_several_and_its_own_orders_do_not_differ(ranked: Any, tmp_path: Any) -> None:
    orders = ranked.orders[["filled_at", "symbol", "side", "units", "price", "commission"]]
    bare = orders.set_axis(["time", "ticker", "side", "quantity", "price", "commission"], axis=1)
    for given in (ranked, ranked.orders, bare, portfolio_ledger_of(ranked)):
        report = explain_difference(ranked, given)
        assert all(report.is_nothing(part) for part in report.parts)
    loaded = type(ranked).load(ranked.save(tmp_path / "run.json"))
    with pytest.raises(InputError, match="holds no bars"):
        explain_difference(loaded, bare)
    again = explain_difference(loaded, ranked, bars=ranked.arguments["bars"])
    assert all(again.is_nothing(part) for part in again.parts)
    assert "by_symbol" not in again.table
    assert list(report.by_symbol.columns) == ["A", "B", "C", "cash"]
    assert report._repr_html_().count("<table") == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda orders: orders.drop(columns="symbol"), "no column that says which instrument"),
        (lambda orders: orders.assign(symbol="X"), "'X' in 'symbol', which has no bars"),
    ],
)
def test_a_list_of_several_that_is_not_understood_is_refused(ranked: Any, change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        explain_difference(ranked, change(ranked.orders))


def test_one_instrument_and_several_are_not_compared(run: at.BacktestResult, ranked: Any) -> None:
    with pytest.raises(InputError, match="several instruments, the second run of one"):
        explain_difference(ranked, run)


def test_contracts_are_listed_at_their_quotes() -> None:
    days = pd.bdate_range("2024-01-01", periods=40)
    close = pd.Series(100.0 + np.arange(40.0), index=days)
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close))
    contract = Instrument(asset_class="futures", venue="CME", symbol="ES", multiplier=50)  # type: ignore[arg-type]
    result = at.backtest({contract: frame, "A": frame}, weights={"ES": 0.4, "A": 0.3}, rebalance=5, commission=0.001)
    report = explain_difference(result, result.orders.drop(columns=["reason", "decided_at", "slippage"]))
    assert all(report.is_nothing(part) for part in report.parts)
    dear = at.backtest({contract: frame, "A": frame}, weights={"ES": 0.4, "A": 0.3}, rebalance=5, commission=0.002)
    assert explain_difference(result, dear.orders).largest.name == "fees"


class Twin(BarStrategy):
    """`sma_cross(5, 20)`, asked bar by bar."""

    def start(self, ctx: Any) -> None:
        self.averages = {view.symbol: (view.indicator("sma", 5), view.indicator("sma", 20)) for view in ctx}

    def on_bar(self, ctx: Any) -> None:
        for view in ctx:
            fast, slow = self.averages[view.symbol]
            if fast.value > slow.value and not view.position():
                view.buy()
            elif fast.value < slow.value and view.position():
                view.close()


def test_a_stateful_strategy_is_its_twin_of_texts_and_a_fee_is_a_fee() -> None:
    frame = at.synthetic(n=300, seed=4)
    text, twin = (at.backtest(each, frame, commission=0.001) for each in (at.strategies.sma_cross(5, 20), Twin()))
    equal = explain_difference(text, twin)
    assert all(equal.is_nothing(part) for part in equal.parts)
    dear = at.backtest(Twin(), frame, commission=0.002)
    for report in (
        explain_difference(text, dear),
        explain_difference(twin, dear, strategy=Twin()),
        explain_difference(twin, dear),
        explain_difference(twin, orders_of(dear)),
    ):
        assert report.largest.name == "fees"
        assert sum(part.amount for part in report.parts) == pytest.approx(report.gap, rel=1e-9)


def test_sleeves_that_hold_one_instrument_on_both_sides_add_up(many: dict[str, pd.DataFrame]) -> None:
    parts = {
        "trend": (at.strategies.macd_long_short(), 0.5),
        "mean": (at.strategies.rsi_reversion(10, 35.0, 60.0), 0.4),
    }
    one, two = (at.backtest(parts, many, borrow=rate, rebalance="1mo") for rate in (0.0, 0.05))
    report = explain_difference(one, two)
    assert report.largest.name == "borrow"
    assert sum(part.amount for part in report.parts) == pytest.approx(report.gap, rel=1e-9)
    bare = explain_difference(portfolio_ledger_of(one), portfolio_ledger_of(two))
    assert sum(part.amount for part in bare.parts) == pytest.approx(bare.gap, rel=1e-9)
    assert abs(bare.rest) < 1e-9 * bare.start
