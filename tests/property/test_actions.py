"""Laws of adjustment: it equals its definition bar by bar, keeps returns, and can be undone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.domain.actions import Actions, adjust, undo_splits

N = 12
DAYS = pd.bdate_range("2024-03-04", periods=N)
ratios = st.sampled_from([0.1, 0.5, 1.5, 2.0, 3.0, 7.0])
splits = st.dictionaries(st.integers(0, N + 3), ratios, max_size=4)
dividends = st.dictionaries(st.integers(0, N), st.floats(0.01, 5.0), max_size=4)
closes = st.lists(st.floats(10.0, 500.0), min_size=N, max_size=N)


def _day(number: int) -> pd.Timestamp:
    return DAYS[number] if number < N else DAYS[-1] + pd.tseries.offsets.BDay(number - N + 1)


def _bars(values: list[float]) -> pd.DataFrame:
    close = pd.Series(values, index=DAYS)
    return pd.DataFrame({"open": close, "high": close * 1.1, "low": close * 0.9, "close": close, "volume": 1e6})


def _plainly(bars: pd.DataFrame, actions: Actions) -> list[float]:
    """Adjust each close by every later action, one after another: the definition."""
    adjusted = []
    for day, raw in bars["close"].items():
        close = raw
        for ex_date, ratio in actions.splits.items():
            close = close / ratio if ex_date > day else close
        for ex_date, paid in actions.dividends.items():
            earlier = bars["close"][bars.index < ex_date]
            if ex_date > day and len(earlier):
                before = earlier.iloc[-1] / actions.splits.get(ex_date, 1.0)
                close = close * (1.0 - paid / before)
        adjusted.append(close)
    return adjusted


def _payable(bars: pd.DataFrame, chosen: dict[int, float], ratio_of: dict[int, float]) -> dict[pd.Timestamp, float]:
    paid = {}
    for number, amount in chosen.items():
        before = bars["close"].iloc[min(number, N) - 1] if number else np.inf
        if amount < before / ratio_of.get(number, 1.0):
            paid[_day(number)] = amount
    return paid


@given(values=closes, split=splits, paid=dividends)
def test_adjusting_equals_its_definition(values: list[float], split: dict[int, float], paid: dict[int, float]) -> None:
    bars = _bars(values)
    actions = Actions.of({_day(k): v for k, v in split.items()}, _payable(bars, paid, split))
    assert adjust(bars, actions)["close"].tolist() == pytest.approx(_plainly(bars, actions), rel=1e-12)


@given(values=closes, split=splits)
def test_undoing_splits_gives_the_raw_bars_back(values: list[float], split: dict[int, float]) -> None:
    bars = _bars(values)
    actions = Actions.of({_day(k): v for k, v in split.items()})
    back = undo_splits(adjust(bars, actions, "splits"), actions.splits)
    for name in ("open", "high", "low", "close", "volume"):
        assert back[name].tolist() == pytest.approx(bars[name].tolist(), rel=1e-12)


@given(values=closes, split=splits)
def test_traded_value_does_not_change(values: list[float], split: dict[int, float]) -> None:
    bars = _bars(values)
    adjusted = adjust(bars, Actions.of({_day(k): v for k, v in split.items()}), "splits")
    assert (adjusted["close"] * adjusted["volume"]).tolist() == pytest.approx(
        (bars["close"] * bars["volume"]).tolist(), rel=1e-12
    )
