"""One frame of bars takes the options of an account without a symbol, and is the account of that one symbol."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.portfolio.extras import ContractMargin
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.result import BacktestResult
from algotrendy.domain.actions import Actions
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy

HOURS = at.synthetic(n=24 * 120, seed=5, interval="1h", calendar="24/7", volatility=0.6)
RULES = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
BARS: pd.DataFrame = HOURS.resample("1D").agg(RULES)
UP = BARS["close"] > BARS["close"].rolling(3).mean()


class Dip(BarStrategy):
    """Buys below the close with a bracket."""

    def on_bar(self, ctx: Any) -> None:
        for view in ctx:
            if not view.position() and not view.orders:
                close = view.bar.close
                view.buy(size=0.9, limit_price=close * 0.99, stop_price=close * 0.96, target_price=close * 1.03)


ORDERS = [
    {"time": BARS.index[3], "quantity": 5.0, "type": "limit", "limit_price": float(BARS["close"].iloc[3]), "id": 1},
    {"time": BARS.index[3], "parent": 1, "type": "stop", "stop_price": float(BARS["close"].iloc[3]) * 0.97},
]
EXTRAS: dict[str, Any] = {
    "actions": Actions.of(splits={str(BARS.index[60].date()): 2.0}, dividends={str(BARS.index[30].date()): 0.5}),
    "margin": (0.5, 0.3),
    "financing": 0.05,
    "participation": 0.0001,
    "tick_size": 0.05,
    "fine_bars": HOURS,
}
FORMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "texts": (at.Strategy(entry="close > sma(close, 3)", exit="close < sma(close, 3)", stop=0.02, target=0.03), {}),
    "arrays": (None, {"entries": UP, "exits": ~UP, "trail": 0.03}),
    "stateful": (Dip(), {}),
    "orders": (None, {"orders": ORDERS}),
}


def run(decides: Any, bars: Any, **options: Any) -> Any:
    call: Any = at.backtest  # overloads do not see through mappings
    return call(bars, **options) if decides is None else call(decides, bars, **options)


def assert_same(one: PortfolioResult, several: PortfolioResult) -> None:
    for name in ("equity_values", "cash_values", "gross_values", "borrow_values"):
        np.testing.assert_array_equal(getattr(one, name), getattr(several, name))
    for name in ("order_columns", "trade_columns"):
        for column, values in getattr(one, name).items():
            np.testing.assert_array_equal(values, getattr(several, name)[column])
    assert repr(one.metrics) == repr(several.metrics)
    assert one.assumptions == several.assumptions


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("names", [(name,) for name in EXTRAS] + [tuple(EXTRAS)])
def test_one_frame_is_the_mapping_of_one_symbol(form: str, names: tuple[str, ...]) -> None:
    decides, options = FORMS[form]
    given = {name: EXTRAS[name] for name in names}
    keyed = {name: {"A": value} if name in ("actions", "fine_bars") else value for name, value in given.items()}
    leverage = {"max_leverage": 2.0} if "financing" in names or "margin" in names else {}
    one = run(decides, BARS, **options, **given, **leverage)
    assert isinstance(one, PortfolioResult)
    assert len(one.orders) > 0
    assert_same(one, run(decides, {"A": BARS}, **options, **keyed, **leverage))


def test_a_value_by_the_empty_symbol_is_that_without_one() -> None:
    decides, options = FORMS["texts"]
    one = run(decides, BARS, **options, participation=0.0001, margin=ContractMargin(10.0, 5.0))
    keyed = run(decides, BARS, **options, participation={"": 0.0001}, margin={"": ContractMargin(10.0, 5.0)})
    np.testing.assert_array_equal(one.equity_values, keyed.equity_values)


def test_without_such_an_option_it_stays_the_backtest_of_one_instrument() -> None:
    decides = FORMS["texts"][0]
    plain = run(decides, BARS, tick_size=0.0, financing=0.0)
    assert isinstance(plain, BacktestResult)
    same = run(decides, BARS, fine_bars=BARS)  # bars as their own finer bars change nothing
    np.testing.assert_array_equal(plain.equity_values, same.equity_values)
    near = decides.with_params(stop=0.01, target=0.01)
    assert run(near, BARS, fine_bars=HOURS).equity_values[-1] != run(near, BARS).equity_values[-1]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"margin": {"A": (0.5, 0.3)}}, "give margin without one"),
        ({"actions": {"A": EXTRAS["actions"]}}, "give actions without one"),
        ({"fine_bars": {"A": HOURS}}, "give fine_bars without one"),
        ({"tick_size": 0.1, "chart": "heikin_ashi"}, "there are a chart and tick_size"),
        ({"tick_size": 0.1, "max_positions": 1}, "max_positions belongs to"),
        ({"tick_size": 0.1, "delisting_return": -0.1}, "delisting_return belongs to"),
    ],
)
def test_errors_say_what_to_write(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        run(FORMS["texts"][0], BARS, **options)
