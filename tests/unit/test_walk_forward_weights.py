"""Weights of estimators, refitted window after window: what they see, and real estimators of skfolio."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.walk_forward import walk_forward_weights
from algotrendy.compute import Cancel
from algotrendy.errors import InputError

CUT = {"training": 60, "testing": 20}


class InverseVolatility:
    def fit(self, X: pd.DataFrame) -> InverseVolatility:
        inverse = 1 / X.std()
        self.weights_ = (inverse / inverse.sum()).to_numpy()
        return self


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    return pd.DataFrame({name: at.synthetic(n=210, seed=k)["close"] for k, name in enumerate("ABCD")})


@pytest.mark.parametrize("gap", [0, 5])
def test_each_row_is_a_fit_to_its_own_training_bars(prices: pd.DataFrame, gap: int) -> None:
    weights = walk_forward_weights(InverseVolatility(), prices, **CUT, gap=gap)
    for k, (time, row) in enumerate(weights.iterrows()):
        returns = prices.iloc[20 * k : 20 * k + 60].pct_change().iloc[1:]
        assert time == prices.index[20 * k + 60 + gap - 1]
        inverse = 1 / returns.std()
        np.testing.assert_allclose(row, inverse / inverse.sum(), rtol=1e-12)


def test_later_prices_change_nothing(prices: pd.DataFrame) -> None:
    other = prices.copy()
    other.iloc[130:] *= 1.7
    one, two = (walk_forward_weights(InverseVolatility(), each, **CUT) for each in (prices, other))
    pd.testing.assert_frame_equal(one[:4], two[:4], check_exact=True)
    assert not one[4:].equals(two[4:])


def test_a_symbol_without_all_prices_gets_nothing(prices: pd.DataFrame) -> None:
    listed_late = prices.copy()
    listed_late.iloc[:90, 2] = np.nan
    weights = walk_forward_weights(InverseVolatility(), listed_late, **CUT)
    assert (weights["C"] == 0).tolist() == [True] * 5 + [False] * 2
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    full = walk_forward_weights(InverseVolatility(), prices, **CUT)
    pd.testing.assert_frame_equal(weights[5:], full[5:], check_exact=True)


@pytest.mark.parametrize("kind", ["MeanRisk", "HierarchicalRiskParity", "InverseVolatility"])
def test_estimators_of_skfolio_are_refitted(prices: pd.DataFrame, kind: str) -> None:
    optimization = pytest.importorskip("skfolio.optimization", reason="extra: skfolio is not installed")
    make = getattr(optimization, kind)
    estimator = make()
    weights = walk_forward_weights(estimator, prices, **CUT, workers=2)
    assert not hasattr(estimator, "weights_")
    assert len(weights) == 7
    for k in range(0, 7, 3):
        own = make().fit(prices.iloc[20 * k : 20 * k + 60].pct_change().iloc[1:])
        np.testing.assert_allclose(weights.iloc[k], own.weights_, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_where_it_is_computed_changes_nothing(prices: pd.DataFrame, executor: str) -> None:
    one = walk_forward_weights(InverseVolatility(), prices, **CUT, workers=1)
    two = walk_forward_weights(InverseVolatility(), prices, **CUT, executor=executor, workers=2)
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_a_token_keeps_what_is_done(prices: pd.DataFrame) -> None:
    cancel = Cancel()
    weights = walk_forward_weights(
        InverseVolatility(), prices, **CUT, workers=1, cancel=cancel,
        progress=lambda now: cancel.cancel() if now.done == 2 else None,
    )  # fmt: skip
    assert weights.shape == (2, 4)


class Nothing:
    def fit(self, X: pd.DataFrame) -> None:
        self.weights_ = [1.0]


@pytest.mark.parametrize(
    ("estimator", "change", "message"),
    [
        (Nothing(), lambda p: p, "one finite weight for each of the 4"),
        (object(), lambda p: p, r"without fit\(X\)"),
        (InverseVolatility(), lambda p: p.to_numpy(), "give a DataFrame"),
        (InverseVolatility(), lambda p: p[::-1], "ascending"),
        (InverseVolatility(), lambda p: -p, "above zero"),
        (InverseVolatility(), lambda p: p * np.nan, "no symbol has a price"),
        (InverseVolatility(), lambda p: p[:50], "one window takes 80"),
        (InverseVolatility(), lambda p: p[["A", "A"]], "each symbol once"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(prices: pd.DataFrame, estimator: Any, change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        walk_forward_weights(estimator, change(prices), **CUT)
